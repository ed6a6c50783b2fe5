# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning rates
#
# The class exercise shows six loss curves for six learning rates, and stops there. Why does a descent with twice the rate end twice as fast?
# Where does that end? This chapter finds one number, the *curvature* of the loss, with pencil and paper, and predicts from it the pace at which each of the six descents ends. Then it
# goes too far on purpose.
#
# **You will be able to** say from a curvature how fast gradient descent closes in on the lowest loss (people say: *converges*), find the largest learning rate at which it still does, and recognise what happens past it.
#
# **You need** [Slopes](02-slopes.ipynb) and [The spreadsheet](04-the-spreadsheet.ipynb), of which the first half will do. One section near the end is for readers who know matrices; nothing else depends on it.

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    package = "git+https://github.com/your--account/cells-to-convnets@v0.2.0"
    if "--" in package:
        print("Nobody has this address: put your copy's in its place, in this cell.")
    get_ipython().run_line_magic("pip", f"install -q {package}")

# %% tags=["hide-input"]
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp

from cellgrad import check, plotting
from cellgrad.toynet import ToyNetwork, learning_rates

plotting.use_house_style()

# %% [markdown]
# The next two cells hold the definitions and the backward walk of the chapters before. Open them if you want to see them again.

# %% tags=["hide-input", "core"]
from functools import cache


def symbols(names):
    return sp.symbols(names, real=True)  # real: ordinary numbers


def sigmoid(x):
    return 1 / (1 + sp.exp(-x))


t1, t2, i1, i2 = symbols("t1 t2 i1 i2")
WEIGHTS = w1, w2, w3, w4, w5, w6, w7, w8 = symbols("w1:9")
h1, a_h1, h2, a_h2, o1, a_o1, o2, a_o2 = symbols("h1 a_h1 h2 a_h2 o1 a_o1 o2 a_o2")
E1, E2, E_total = symbols("E1 E2 E_total")

network = {h1: w1 * i1 + w2 * i2, a_h1: sigmoid(h1)}
network |= {h2: w3 * i1 + w4 * i2, a_h2: sigmoid(h2)}
network |= {o1: w5 * a_h1 + w6 * a_h2, a_o1: sigmoid(o1)}
network |= {o2: w7 * a_h1 + w8 * a_h2, a_o2: sigmoid(o2)}
network |= {E1: (t1 - a_o1) ** 2 / 2, E2: (t2 - a_o2) ** 2 / 2, E_total: E1 + E2}
given = {t1: 0.5, t2: 0.5, i1: 0.05, i2: 0.1}
given |= dict(zip(WEIGHTS, [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]))


# %% tags=["hide-input", "core"]
@cache
def compiled(definition):
    """A definition's letters, and the definition as a fast function of them."""
    letters = sorted(definition.free_symbols, key=str)
    return letters, sp.lambdify(letters, definition, "math")


def follow(definitions, known):
    """Put in what is known, from the top; each definition gives one more number."""
    known = dict(known)
    for name, definition in definitions.items():
        letters, compute = compiled(definition)
        known[name] = float(compute(*(known[letter] for letter in letters)))
    return known


d_o1, d_o2, d_h1, d_h2 = symbols("delta_o1 delta_o2 delta_h1 delta_h2")
dE = symbols("dE_dw1:9")
backward = {d_o1: (a_o1 - t1) * a_o1 * (1 - a_o1)}
backward |= {d_o2: (a_o2 - t2) * a_o2 * (1 - a_o2)}
backward |= {d_h1: (d_o1 * w5 + d_o2 * w7) * a_h1 * (1 - a_h1)}
backward |= {d_h2: (d_o1 * w6 + d_o2 * w8) * a_h2 * (1 - a_h2)}
backward |= {dE[0]: d_h1 * i1, dE[1]: d_h1 * i2, dE[2]: d_h2 * i1, dE[3]: d_h2 * i2}
backward |= {dE[4]: d_o1 * a_h1, dE[5]: d_o1 * a_h2}
backward |= {dE[6]: d_o2 * a_h1, dE[7]: d_o2 * a_h2}

# %% [markdown]
# ## Six curves
#
# The loop over rows is that of [The spreadsheet](04-the-spreadsheet.ipynb#row-after-row):

# %% tags=["core"]
sheet = network | backward


def descend(given, learning_rate, updates):
    """The table of a descent: row 0 is the network before the first update."""
    known, rows = dict(given), []
    for update in range(updates + 1):
        row = follow(sheet, known)
        rows.append({str(name): value for name, value in row.items()})
        for weight, slope in zip(WEIGHTS, dE):
            known[weight] = row[weight] - learning_rate * row[slope]
    return pd.DataFrame(rows).rename_axis("update")


# %% [markdown]
# The same network from the same first weights, six times. On the left as the spreadsheet shows it; on the right the same
# numbers on a [logarithmic axis](04-the-spreadsheet.ipynb#other-targets), here one where each grid line stands for a hundredth of the one above. Which of the two would you rather read?

# %% tags=["core"]
rates = [0.1, 0.2, 0.5, 0.8, 1.0, 2.0]
losses = pd.DataFrame()
for rate in rates:
    losses[rate] = descend(given, rate, updates=200)["E_total"]

# %% mystnb={"image": {"alt": "The loss over 200 updates for six learning rates from 0.1 to 2. Left, on a linear axis: curves that fall faster for larger rates; the fast ones merge with the axis. Right, on a logarithmic axis: six nearly straight lines that fan out from the same point, the one for rate 2 falling more than eleven orders of magnitude."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 4))
plotting.plot_losses(losses, ax=left)
plotting.plot_losses(losses, log=True, ax=right)
right.get_legend().remove()
plt.show()

# %% [markdown]
# *Figure 5.1. Six learning rates. On the right, every descent is nearly a straight line.*
#
# On the right you can read everything: a straight line means that each update removes the same share of the
# loss. Which share? Take two neighbouring rows of each table, the last two. Is the share proportional to the rate?

# %% tags=["core"]
two_rows = losses.loc[[199, 200]].T.rename_axis("learning rate")
two_rows["share removed"] = 1 - two_rows[200] / two_rows[199]
two_rows["share / rate"] = two_rows["share removed"] / two_rows.index
two_rows.map("{:.5g}".format)

# %% [markdown]
# *Table 5.1. The loss in the last two rows for each learning rate, the share of it that the update removes, and that share divided by the rate. (The e stands for a power of ten: 3.4e-08 is $3.4 \cdot 10^{-8}$.)*
#
# Nearly proportional, but not quite: the last column drifts. Where does its size come from, and where the drift?
#
# ## Curvature, and a bowl
#
# A derivative is the slope of a curve. The [curvature](glossary.md#term-curvature), $\lambda$ (read: lambda), says how fast the slope itself changes. A straight line has none.
# The simplest curve that has one is the bowl
#
# $$E = \tfrac12 \lambda \, d^2 ,$$
#
# where $d$ says how far to the right of the lowest point one is (negative: to the left). Its slope is $\lambda d$, since $d^2$ has the slope $2d$ and a factor in front multiplies every change: each unit of distance adds $\lambda$ to the slope, at every place the same. One
# update, by equation (4.1), takes away $\eta$ times the slope, so it turns $d$ into
#
# $$d - \eta \lambda d = (1 - \eta\lambda) \, d . \tag{5.1}$$
#
# The distance is *multiplied by* $1 - \eta\lambda$. That is all, and it decides everything. Take $\lambda = 1$ and start at $d = 1$. What will the rates
# 0.5, 1.5 and 2.1 do?

# %% tags=["core"]
for rate in (0.5, 1.5, 2.1):
    places = [1.0]
    for update in range(4):
        slope = places[-1]  # λ d, with λ = 1
        places.append(places[-1] - rate * slope)
    print(rate, [round(d, 4) for d in places])

# %% mystnb={"image": {"alt": "Three bowls with the places of a descent marked by dots and joined by lines. Rate 0.5: the dots walk down one side. Rate 1.5: they jump from side to side, closer each time. Rate 2.1: they jump from side to side and climb out."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(6.8, 2.8), sharey=True)
d = np.linspace(-1.6, 1.6, 101)
for ax, rate in zip(axes, (0.5, 1.5, 2.1)):
    places = (1 - rate) ** np.arange(5)
    ax.plot(d, d**2 / 2, color=plotting.FAINT)
    ax.plot(places, places**2 / 2, "o-", color=plotting.RED, linewidth=1)
    ax.set(title=f"ηλ = {rate}", xlabel="distance d", yticks=[])
axes[0].set_ylabel("loss")
plt.show()

# %% [markdown]
# *Figure 5.2. The same bowl with three rates. Below 1 the descent walks down one side; between 1 and 2 it jumps across and comes closer; above 2 it jumps
# further out each time.*

# %% [markdown]
# Move the learning rate slowly through 1/λ and 2/λ, and watch the ball. Then do the same in the trough, a long bowl that is steep across and nearly flat along: two curvatures share one rate.

# %% tags=["hide-input"]
from cellgrad import figures

figures.bowl()

# %% [markdown]
# If you moved it, you saw: at 1/λ one update is enough, and beyond 2/λ the ball is thrown out. In the trough the flat direction waits for a rate that the steep one does not allow.

# %% [markdown]
# The loss goes with the square of the distance, so an update multiplies it by $(1 - \eta\lambda)^2$. The share removed is
# $1 - (1 - \eta\lambda)^2 = 2\eta\lambda - \eta^2\lambda^2$, which is about $2\eta\lambda$ for small rates. So $\lambda$ should be about half of the last column of Table 5.1, and the column
# should fall slowly as the rate grows. That is what its last rows do.
#
# The first rows are too low for another reason: at a rate of 0.1 the run is not over after 200 updates. Its outputs are not
# yet at 0.5, and away from there the sigmoid is flatter: its slopes, and with them the derivatives, are smaller than they will be. Expect the column to grow during that run:

# %% tags=["core"]
slow = descend(given, 0.1, 3000)
for update in (0, 200, 2000):
    share = 1 - slow["E_total"][update + 1] / slow["E_total"][update]
    a = slow["a_o1"][update]
    slope = a * (1 - a)
    print(f"update {update:4}: share / rate {share / 0.1:.4f},", end=" ")
    print(f"a (1 - a) {slope:.4f}")

# %% [markdown]
# It does, and with it the slope of the first output's sigmoid, which ends at one quarter.
#
# ## The curvature, with pencil and paper
#
# Can we find $\lambda$ without measuring it? Follow one update near the end of the descent, where the first output $a_{o1}$ is close to its target. The target is 0.5, and this makes it easy, for there
# the sum $o_1$ is close to zero, and the slope of the sigmoid, $a (1 - a)$, is $0.5 \cdot 0.5 = \tfrac14$.
#
# 1. So close to its middle the sigmoid is a straight line with slope one quarter. A small sum $o_1$ makes a miss of $m = \tfrac14 o_1$.
# 2. The output's δ is miss times slope, equation (3.1): $\delta_{o1} = \tfrac14 m$.
# 3. A weight's derivative is δ times the number at its left end. So one update changes $w_5$ by $-\eta \, \tfrac14 m \, a_{h1}$, and $w_6$ by $-\eta \, \tfrac14 m \, a_{h2}$.
# 4. In the sum $o_1 = w_5 a_{h1} + w_6 a_{h2}$ the first change is multiplied by $a_{h1}$ once more, and the second by $a_{h2}$. Together $o_1$ changes by $-\eta \, \tfrac14 m \, (a_{h1}^2 + a_{h2}^2)$.
# 5. The miss changes by a quarter of that:
#
# $$m \;\leftarrow\; m - \eta \, \frac{a_{h1}^2 + a_{h2}^2}{16} \, m$$
#
# Compare with the bowl and its equation (5.1), where $d \leftarrow d - \eta \lambda d$. The miss shrinks by the same factor as the distance, with
#
# $$\lambda = \frac{a_{h1}^2 + a_{h2}^2}{16} . \tag{5.2}$$
#
# The same holds for the second output, with the same hidden activations. (We have left out $w_1 \dots w_4$. Near the end $w_5 \dots w_8$ are nearly zero, and the first
# four then change next to nothing.) With both activations a little above one half, expect about $\frac{0.5}{16} \approx 0.03$.
#
# ## Predicted and measured
#
# Now the test. For each rate, take the last two rows in which the loss is above $10^{-10}$. `measured` is the factor by which the miss $a_{o1} - t_1$ shrank from the one to
# the other. `predicted` is $1 - \eta\lambda$, from the two hidden activations there.

# %% tags=["core"]
rows = []
for rate in rates:
    run = descend(given, rate, 3000)
    late = run.index[run["E_total"] > 1e-10].max()
    miss = run["a_o1"] - 0.5
    curvature = (run["a_h1"][late] ** 2 + run["a_h2"][late] ** 2) / 16
    rows.append((late, miss[late - 1], miss[late], curvature, 1 - rate * curvature))
columns = ["row", "miss before", "miss", "λ", "predicted"]
settled = pd.DataFrame(rows, columns=columns, index=rates)
settled["measured"] = settled["miss"] / settled["miss before"]
one = settled.loc[1.0]
print(f"rate 1, two rows: misses {one['miss before']:.4e}, {one['miss']:.4e}")
apart = (settled["measured"] - settled["predicted"]).abs().max()
print(f"largest difference in the table: {apart:.7f}")
shown = ["predicted", "measured", "λ", "row"]
settled[shown].rename_axis("rate").map("{:.6g}".format)

# %% [markdown]
# *Table 5.2. The factor for the miss at each learning rate, predicted and measured, with the λ from which it is predicted and the row at which it is measured.*
#
#
# They differ by less than a millionth in all six rows. One side was measured in two rows of a table; the other was computed from two activations with a pencil.
#
# Now back to Table 5.1. An update should remove $2\eta\lambda - \eta^2\lambda^2$ of the loss, so its last column should be $2\lambda - \eta\lambda^2$, where a run has settled after 200 updates:

# %% tags=["core"]
for rate in rates:
    curvature = settled["λ"][rate]
    foretold = 2 * curvature - rate * curvature**2
    found = two_rows["share / rate"][rate]
    print(f"rate {rate}: from λ {foretold:.5f}, in Table 5.1 {found:.5f}")

# %% [markdown]
# From rate 0.5 on, this explains the column, its size and its drift; at the first two rates the runs had not settled. The $\lambda$ differs a little from rate to rate, because each run ends at
# another place. How can it, if all six runs reach the lowest loss?
#
# ## A bowl and a trough
#
# Because there is more than one lowest place (a *minimum*). The loss is zero wherever both outputs are on target, and for the first output this
# only asks that $w_5 a_{h1} + w_6 a_{h2} = 0$. More of the one weight and less of the other does it as well. Here is the loss drawn as height on a map, where each line joins places of the same height. Over $w_5$ and
# $w_7$, which serve different outputs, it is a round bowl. Over $w_5$ and $w_6$ it is a *trough* with a flat floor.

# %% mystnb={"image": {"alt": "Two maps with contour lines of the loss. Left, over w5 and w7: nearly circles around one lowest point, and the path of a descent runs straight into it. Right, over w5 and w6: parallel straight lines, a trough, whose floor runs diagonally; the path crosses them at a right angle and ends on the floor."}} tags=["hide-input"]
path = descend(given, 1.0, 500)
end = ToyNetwork(weights=[path[str(weight)][500] for weight in WEIGHTS])
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.7), sharey=False)
x = np.linspace(-0.7, 0.7, 80)
for ax, second in zip(axes, ("w7", "w6")):
    height = learning_rates.loss_surface(end, ("w5", second), x, x)
    ax.contour(x, x, height, levels=20, colors=plotting.FAINT, linewidths=1)
    ax.plot(path["w5"], path[second], color=plotting.RED)
    ax.plot(path["w5"][0], path[second][0], "s", color=plotting.INK)
    ax.plot(path["w5"][500], path[second][500], "o", color=plotting.RED)
    ax.set(xlabel="$w_5$", ylabel=f"${second[0]}_{second[1]}$", aspect="equal")
    ax.grid(False)
axes[0].set_title("a bowl")
axes[1].set_title("a trough")
plt.show()

# %% [markdown]
# *Figure 5.3. The same loss over two pairs of weights, the others held at the end of the descent; square: start, dot: end. In the trough, every point of
# the floor is a minimum, and the descent ends where it first meets the floor.*
#
# There are eight weights, but only two demands, one for each output. Each demand takes away one way of turning the weights: turned that way, the output leaves its target, and the loss rises along a curve. Six ways of turning several weights together are left that change neither output. Along these the floor is flat: its curvature is zero.
# So one speaks of two curved *directions* and six flat ones. (Not every smooth curve is a bowl at its lowest point: exercise 5 has one that is flatter than any bowl.)
#
# ## How far can it go?
#
# The pencil's formula, equation (5.2), says more than the six rates of the exercise can show. If $\eta\lambda$ is 1, the miss vanishes at once. Between 1 and 2, each update jumps to the other side, but closer.
# At 2 it jumps as far out as it came from. So it closes in at every rate below $2/\lambda$, which one calls the largest *stable* rate:

# %% tags=["core"]
curvature = settled["λ"][1.0]
limit = 2 / curvature
print(f"1/λ = {1 / curvature:.1f}, 2/λ = {limit:.1f}")

# %% [markdown]
# That is far above all six rates of the exercise. Does the prediction hold out there? Start next to the place where rate 1 ended, with each weight a ten-thousandth away, make one update at rates up to 70, and divide the new miss by the old. Do you expect the points on the line $1 - \eta\lambda$?

# %% tags=["core"]
ended = descend(given, 1.0, 500).loc[500]
nudged = given | {weight: ended[str(weight)] + 1e-4 for weight in WEIGHTS}
further = pd.Series(dtype=float)
for rate in (10, 20, 30, 40, 50, 60, 70):
    miss = descend(nudged, rate, 1)["a_o1"] - 0.5
    further[rate] = miss[1] / miss[0]

# %% mystnb={"image": {"alt": "The factor by which an update multiplies the miss, against the learning rate from 0 to 72. A straight line, the prediction one minus eta lambda, falls from 1 through 0 at 1/lambda = 31 to minus 1 at 2/lambda = 62 and further. The exercise's six points crowd at its upper left end; seven more, at rates from 10 to 70, lie on it too. Between 1 and minus 1 the ground is shaded: there the miss shrinks."}} tags=["hide-input"]
eta = np.array([0, 72])
figure, ax = plt.subplots(figsize=(6.4, 4))
ax.axhspan(-1, 1, color=plotting.GREEN, alpha=0.12, linewidth=0)
ax.text(3, -0.93, "the miss shrinks", va="bottom")
line = 1 - eta * curvature
ax.plot(eta, line, color=plotting.FAINT, label="predicted, 1 − ηλ")
six, seven = "the exercise's six rates", "seven larger rates"
ax.plot(settled["measured"], "o", color=plotting.RED, label=six)
ax.plot(further, "s", color=plotting.BLUE, label=seven)
for rate, height, name in ((1 / curvature, 0, "1/λ"), (limit, -1, "2/λ")):
    ax.annotate(name, (rate, height), (6, 5), textcoords="offset points")
    ax.plot(rate, height, "|", color=plotting.INK, markersize=14)
ax.set(xlabel="learning rate η", ylabel="factor for the miss, per update")
ax.legend()
plt.show()

# %% [markdown]
# *Figure 5.4. One update's factor for the miss, from slow to too far. The line is the pencil's, from the two hidden activations where the descent at rate 1 ended. At 1/λ it passes 0, and at 2/λ it leaves the range in which a miss shrinks.*
#
# They lie on it, far outside of the rates that we had seen. And what comes of many updates close to the limit? From the same place, once a little below it and once above, the first output should
# jump from one side of the target to the other in both cases:

# %% tags=["core"]
runs = {share: descend(nudged, share * limit, 500) for share in (0.98, 1.02)}
for share, run in runs.items():
    miss = run["a_o1"][:5] - 0.5
    print(share, [f"{value:+.8f}" for value in miss])

# %% [markdown]
# Below the limit each jump is a little shorter than the one before, above it a little longer. For ever?

# %% mystnb={"image": {"alt": "The loss on a logarithmic axis, from the same start next to the minimum. At 0.98 of the limit it falls along a straight line until, below 1e-25, it is no longer drawn. At 1.02 of the limit it rises over some two hundred updates by many orders of magnitude, turns, and then falls more slowly than the other."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.8))
for share, run in runs.items():
    above_rounding = run["E_total"].where(run["E_total"] > 1e-25)
    ax.semilogy(above_rounding, label=f"{share} · 2/λ")
ax.set(xlabel="update", ylabel=r"loss $E_\mathrm{total}$")
ax.legend()
plt.show()

# %% [markdown]
# *Figure 5.5. A little below the limit, and a little above it. (Losses below $10^{-25}$ are rounding and are not drawn.)*
#
# It grows, as predicted, and then it turns and falls. The bowl leaves out two things. A swing as wide as this reaches places where the sigmoid is flatter than at the target, so, we think, it stops growing even while $\eta\lambda$ is a little above 2. And the floor is flat, but the walls beside it are not equally steep everywhere. While the outputs swing
# across the trough, $w_5 \dots w_8$ are carried away from zero, so the first four weights move again, and the hidden activations with them. The weights drift along the trough to a place where the walls are flat enough for this rate. There they settle. Look at one weight of each layer, one activation, and $\eta\lambda$:

# %% tags=["core"]
for update in (0, 200, 500):
    row = runs[1.02].loc[update]
    walls = (row["a_h1"] ** 2 + row["a_h2"] ** 2) / 16
    print(f"update {update:3}: w1 {row['w1']:.3f}, w5 {row['w5']:+.3f},",
          f"a_h1 {row['a_h1']:.3f}, ηλ = {1.02 * limit * walls:.3f}")

# %% [markdown]
# The swing of $w_5$ has come and gone; what it did to $w_1$ remains. Before, $\eta\lambda$ was above 2; after, it is below. The descent has moved on to flatter ground. Much larger networks can do the same at a rate above their limit: the loss is thrown up, and the descent ends where the curvature is smaller ([Lewkowycz, Bahri, Dyer, Sohl-Dickstein and Gur-Ari, 2020](references.md), who call it a *catapult*).
#
# ## Much too far
#
# And from the start of the exercise, with rates that no one would choose? The outputs are sigmoids, so the loss
# cannot go to infinity. Guess what happens instead.

# %% tags=["core", "hide-output"]
rows = []
for rate in (10, 50, 100, 1000, 3000, 30_000):
    loss_of_row = descend(given, rate, 1000)["E_total"]
    rises = int((loss_of_row.diff() > 1e-22).sum())  # less is rounding
    rows.append((rate, loss_of_row.max(), rises, loss_of_row.iloc[-1]))
far = pd.DataFrame(rows, columns=["rate", "highest loss", "rises", "last loss"])
far.set_index("rate").map("{:.3g}".format)

# %% [markdown]
# (*rises*: how many of the 1,000 updates made the loss larger.) At 10 and 50, below $2/\lambda$, the loss never rises. At 100 and 1000, above it, the loss rises a few times, and then the descent finds a minimum all the same. At the last two rates it rises once and stays there. What has happened?

# %% tags=["core"]
silent = descend(given, 3000, updates=2)
silent[["w5", "o1", "a_o1", "dE_dw5"]].map("{:.2g}".format)

# %% [markdown]
# The first update throws the weights so far out that the sigmoids are flat. The derivatives are then too small to move anything, and the loss stays
# where it is. A network does not always explode when the rate is too large; it can also fall silent.
#
# ## The other targets
#
# With targets 0.01 and 0.99, the curve of Figure 4.4 bent. Now we can say why. The quarter in our formula was the sigmoid's slope $a(1-a)$ at 0.5. The pencil's steps hold at other outputs too, with the slope there in the place of the quarter (in the first, a *change* of the sum changes the miss by so much). So an update with a small rate removes about
# the share $\eta \, a^2 (1 - a)^2 \, (a_{h1}^2 + a_{h2}^2)$ of the miss. Without the $\eta$, let us call this the *pace*. (A pace, not a curvature: the two agree only close to the target. As before, $w_1 \dots w_4$ are left out, though here that costs more, since $w_5 \dots w_8$ are not small. Below, the hidden activations are those of the start.) How much smaller is the pace at the target than at the start?

# %% tags=["core"]
start = follow(sheet, given)
hidden = start[a_h1] ** 2 + start[a_h2] ** 2
for place, a in (("start", start[a_o1]), ("target", 0.01)):
    slope = a * (1 - a)
    print(f"{place:7} a (1 - a) = {slope:.4f}, pace {slope**2 * hidden:.6f}")

# %% [markdown]
# Some six hundred times smaller. On its way to 0.01 the output first passes 0.5, where the sigmoid is steepest. From there on the ground is ever flatter, and each update removes a smaller share than the one before. A curve that
# stays straight over many updates on a logarithmic axis suggests that a descent has settled. This one has not, after 100 updates.
#
# ## For readers who know matrices
#
# The curvature in *every* direction is held by the table of all second derivatives, the [Hessian](glossary.md#term-Hessian), here 8 × 8. Its
# [eigenvalues](glossary.md#term-eigenvalue) are the curvatures along its main axes. Where both errors are zero it equals $J^\mathsf{T} J$, with $J$ the 2 × 8 table of the outputs' derivatives; it has rank two at most.
# That is the exact form of "two curved directions and six flat ones". Open the next cell: it lets SymPy differentiate twice, at the place where rate 1 ends.

# %% tags=["hide-cell", "core"]
at_the_end = {weight: ended[str(weight)] for weight in WEIGHTS}
loss = E_total
for name, definition in reversed(network.items()):
    loss = loss.subs(name, definition)
loss = loss.subs({name: given[name] for name in (t1, t2, i1, i2)})
hessian = np.array(sp.hessian(loss, WEIGHTS).subs(at_the_end), dtype=float)
eigenvalues = np.linalg.eigvalsh(hessian)[::-1]
print(*(f"{abs(value):.7f}" for value in eigenvalues))

# %% [markdown]
# It prints two curvatures, almost equal, and six zeros. The pencil's λ at rate 1, in Table 5.2, is the smaller one, to all digits shown there. The larger one is hardly above it, and that is the little that $w_1 \dots w_4$ add.
#
# The package has all of this in `cellgrad.toynet.learning_rates`. Its `settle` predicts with the exact Hessian where we used the pencil, and measures over several updates, from the loss of both outputs; so the last digit may differ.

# %%
exact = learning_rates.settle(ToyNetwork(), rates, updates=3000)
side_by_side = settled[["λ", "measured"]].add_suffix(", here")
side_by_side.join(exact[["lambda", "measured"]].add_suffix(", cellgrad")).round(6)

# %% [markdown]
# *Table 5.3. λ and the measured factor for each learning rate, from the cells above and from the package.*
#
# ## Recap
#
# - Curvature is how fast the slope changes. In a bowl with curvature $\lambda$, an update multiplies the distance by $1 - \eta\lambda$.
# - With targets of 0.5, $\lambda = (a_{h1}^2 + a_{h2}^2)/16$ near the end: a pencil predicts the pace at which all six curves end.
# - The best weights are no point but a floor. Two ways of turning the weights change an output, and in these directions the loss is curved; in six others it is flat.
# - Above $2/\lambda$ each jump ends farther from the minimum than it began. The descent may then find a flatter one.
# - Far too large rates make the sigmoids flat, and learning falls silent.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* In a bowl with $\lambda = 2$, start at $d = 1$ with $\eta = 0.25$. Where are you after three updates? And with $\eta = 0.75$?
#
# *Check:* `check("05.1", …)` with where you are with $\eta = 0.25$ and with $\eta = 0.75$.
#
# <details>
# <summary>Hint</summary>
#
# What is $1 - \eta\lambda$ in each case?
# </details>
# <details>
# <summary>Solution</summary>
#
# The factor is $\frac12$ in the first case and $-\frac12$ in the second: both are at a distance of one eighth, but on different sides.
#
# ```python
# for rate in (0.25, 0.75):
#     print(rate, [(1 - rate * 2) ** k for k in range(4)])
# check("05.1", "1/8 and -1/8")
# ```
#
# ```text
# 0.25 [1.0, 0.5, 0.25, 0.125]
# 0.75 [1.0, -0.5, 0.25, -0.125]
# Right.
# ```
# </details>
#
# **2.** At which learning rate does the loss near the minimum shrink fastest? Predict it from $\lambda$, then measure on both sides of it.
#
# *Check:* `check("05.2", …)` with the learning rate.
#
# <details>
# <summary>Hint</summary>
#
# Where is $1 - \eta\lambda$ zero?
# </details>
# <details>
# <summary>Solution</summary>
#
# At $\eta = 1/\lambda$, half of the largest stable rate. There the bowl says that the miss
# vanishes in one update; what is left comes from what the bowl leaves out.
#
# ```python
# for share in (0.4, 0.5, 0.6):
#     run = descend(nudged, share * limit, updates=2)["E_total"]
#     print(share, [f"{value:.0e}" for value in run])
# check("05.2", 1 / curvature)
# ```
#
# ```text
# 0.4 ['6e-10', '3e-11', '1e-12']
# 0.5 ['6e-10', '2e-19', '7e-29']
# 0.6 ['6e-10', '3e-11', '1e-12']
# Right.
# ```
# </details>
#
# **3.** How many updates does learning rate 0.1 need to bring the loss below $10^{-6}$? Estimate from $\lambda$, then count.
#
# *Check:* `check("05.3", …)` with the number that you counted.
#
# <details>
# <summary>Hint</summary>
#
# Each update multiplies the loss by $(1 - \eta\lambda)^2$. After $n$ updates it is about $E_0 (1 - \eta\lambda)^{2n}$. Set this equal to $10^{-6}$ and solve for $n$: the logarithm of a power is the exponent times the logarithm (`math.log`).
# </details>
# <details>
# <summary>Solution</summary>
#
# About $\ln(10^{-6} / E_0) / (2 \ln(1 - \eta\lambda))$ updates. The count is larger, because the run starts on flatter ground.
#
# ```python
# factor = settled.loc[0.1, "predicted"]
# estimate = math.log(1e-6 / start[E_total]) / (2 * math.log(factor))
# counted = (slow["E_total"] < 1e-6).idxmax()
# print(f"estimated {estimate:.0f}, counted {counted}")
# check("05.3", counted)
# ```
#
# ```text
# estimated 1477, counted 1496
# Right.
# ```
# </details>
#
# **4.** Multiply the inputs by 10. Does the largest stable rate grow or shrink? Why only a little?
#
# *Check:* `check("05.4", …)` with $2/\lambda$ with the old inputs and with the new ones.
#
# <details>
# <summary>Hint</summary>
#
# Where do the inputs stand in $\lambda = (a_{h1}^2 + a_{h2}^2)/16$?
# </details>
# <details>
# <summary>Solution</summary>
#
# Larger inputs push the hidden activations up, so $\lambda$ grows and the largest rate shrinks; but only a little, since the sums stay below one and the sigmoid squeezes them.
#
# ```python
# largest = []
# for inputs in ({i1: 0.05, i2: 0.1}, {i1: 0.5, i2: 1.0}):
#     there = descend(given | inputs, 1.0, 500).loc[500]
#     largest.append(32 / (there["a_h1"] ** 2 + there["a_h2"] ** 2))
#     print(f"2/λ = {largest[-1]:.1f}")
# check("05.4", largest)
# ```
#
# ```text
# 2/λ = 61.9
# 2/λ = 51.7
# Right.
# ```
# </details>
#
# **5.** The curve $E = d^4$ is smooth and has its lowest point at 0. Run gradient descent on it from $d = 1$ with $\eta = 0.1$. Does each update remove the same share?
#
# *Check:* `check("05.5", …)` with the share of the loss that update 0 removes and the share that update 100 removes.
#
# <details>
# <summary>Hint</summary>
#
# The slope is $4 d^3$. What is the curvature at 0, that is, how fast does this slope change there?
# </details>
# <details>
# <summary>Solution</summary>
#
# No. The curvature at the lowest point is zero, so there is no bowl; the share dwindles, and the descent becomes slower and slower.
#
# ```python
# d, shares = 1.0, {}
# for update in range(1001):
#     new = d - 0.1 * 4 * d**3
#     shares[update] = 1 - (new / d) ** 4
#     d = new
#     if update in (0, 10, 100, 1000):
#         print(f"update {update:4}: share removed {shares[update]:.5f}")
# check("05.5", (shares[0], shares[100]))
# ```
#
# ```text
# update    0: share removed 0.87040
# update   10: share removed 0.13935
# update  100: share removed 0.01889
# update 1000: share removed 0.00198
# Right.
# ```
# </details>
#
# **6.** *On paper.* Suppose that the network had $n$ hidden units, all with activations near one half. What is $\lambda$, and what is the largest stable rate? Do wide layers need smaller or larger rates?
#
# *Check:* `check("05.6", …)` with the largest stable rate, as a formula in `n`.
#
# <details>
# <summary>Hint</summary>
#
# The pencil's formula adds one square for each hidden unit.
# </details>
# <details>
# <summary>Solution</summary>
#
# $\lambda \approx \frac{n}{4 \cdot 16} = \frac{n}{64}$, and $2/\lambda \approx 128/n$: wide layers need smaller rates.
#
# ```python
# for n in (2, 10, 100, 1000):
#     print(f"{n:4} hidden units: 2/λ = {128 / n:g}")
# check("05.6", "128/n")
# ```
#
# ```text
#    2 hidden units: 2/λ = 64
#   10 hidden units: 2/λ = 12.8
#  100 hidden units: 2/λ = 1.28
# 1000 hidden units: 2/λ = 0.128
# Right.
# ```
# </details>
#
# **7.** *Design.* From the start of the exercise, bring the loss below $10^{-12}$ in as few updates as you can, with one fixed learning rate.
#
# *Check:* `check("05.7", …)` with your learning rate.
#
# <details>
# <summary>Hint</summary>
#
# Which rate would be best if the loss were a bowl? Try rates on both sides of it and count.
# </details>
# <details>
# <summary>Solution</summary>
#
# Near $1/\lambda$. It takes a handful of updates, where rate 1 needs hundreds.
#
# ```python
# def needed(rate):
#     small = descend(given, rate, 400)["E_total"] < 1e-12
#     return int(small.idxmax()) if small.any() else None
#
# print({rate: needed(rate) for rate in (1, 10, 20, 25, 30, 35, 40, 50)})
# check("05.7", 30)
# ```
#
# ```text
# {1: 358, 10: 31, 20: 12, 25: 8, 30: 4, 35: 6, 40: 10, 50: 23}
# Right.
# ```
# </details>
#
# ## What's next
#
# Part I ends here: one network, all of its numbers. [Part II](06-convolutions-and-their-cost.ipynb) asks what changes when a network looks at pictures.
