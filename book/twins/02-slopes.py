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
# # Slopes
#
# [The network](01-the-network.ipynb) ended with a question: if a weight grows a little, by how much does the loss change? This
# chapter answers it with a pocket calculator. It turns one knob by smaller and smaller amounts, watches the answer settle, and
# gives the settled number its name: a [derivative](glossary.md#term-derivative). Nothing is needed beyond school algebra, and at the end you have all the calculus of Part I but one idea, curvature, which [chapter 5](05-learning-rates.ipynb) brings.
#
# **You will be able to** say what a derivative and a [gradient](glossary.md#term-gradient) are, measure them by nudging, draw a tangent,
# and follow a nudge along a chain, step by step, with numbers.
#
# **You need** [The network](01-the-network.ipynb), and a calculator if you like to check.

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

from cellgrad import check, plotting
from cellgrad.toynet import ToyNetwork

plotting.use_house_style()

# %% [markdown]
# ## The loss as a function of its knobs
#
# Here is the whole network once more, as a function that takes weights and gives the loss. Every weight has its
# value from the exercise unless we turn it: `loss()` is the loss as it stands, `loss(w5=0.5)` is the loss after
# $w_5$ has been turned from 0.4 up to 0.5, with all other weights where they were. (The two stars in `**turned` let one name any of the weights.)

# %% tags=["core"]
weights = {"w1": 0.15, "w2": 0.20, "w3": 0.25, "w4": 0.30}
weights |= {"w5": 0.40, "w6": 0.45, "w7": 0.50, "w8": 0.55}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def loss(**turned):
    w = weights | turned
    a_h1 = sigmoid(w["w1"] * 0.05 + w["w2"] * 0.1)
    a_h2 = sigmoid(w["w3"] * 0.05 + w["w4"] * 0.1)
    a_o1 = sigmoid(w["w5"] * a_h1 + w["w6"] * a_h2)
    a_o2 = sigmoid(w["w7"] * a_h1 + w["w8"] * a_h2)
    return (0.5 - a_o1) ** 2 / 2 + (0.5 - a_o2) ** 2 / 2


# %% [markdown]
# ## A nudge
#
# Turn $w_5$ up by 0.1. The first output is already too high, and a larger $w_5$ pushes it higher still, so expect the loss to grow.

# %% tags=["core"]
nudge = 0.1
change = loss(w5=0.4 + nudge) - loss()
print(f"the loss changes by {change:+.6f}")
print(f"per unit of w5, that is {change / nudge:+.6f}")

# %% [markdown]
# It grows a little. The second line is the useful one: it divides the change of the loss by the change of the weight. How much does this ratio still depend on the size of the nudge? Here are smaller and smaller
# nudges. Every one changes the loss less. What will the ratio do?

# %% tags=["core"]
rows = []
for nudge in (0.1, 0.01, 0.001, 0.0001):
    change = loss(w5=0.4 + nudge) - loss()
    rows.append((nudge, change, change / nudge))
settling = pd.DataFrame(rows, columns=["nudge", "change of the loss", "ratio"])
settling = settling.set_index("nudge")
settling.map("{:.9f}".format)

# %% [markdown]
# *Table 2.1. What each nudge of $w_5$ changes in the loss, and the ratio of that change to the nudge.*
#
# The change shrinks towards nothing, but the ratio settles: its digits stand still, one after the other, and it comes to rest near 0.01288.
# That number is the *derivative* of the loss with respect to $w_5$, at these weights; to find a derivative is called to *differentiate*. It says how strongly the loss
# answers to that knob: about 0.0129 units of loss for each unit of weight, as long as the turn is small.
#
# ## Why the ratio settles
#
# One line of algebra shows it on a simpler function, $y = x^2$. Nudge $x$ by $s$, which stands for any small number, and divide:
#
# $$\frac{(x + s)^2 - x^2}{s} = \frac{2xs + s^2}{s} = 2x + s$$
#
# The part $2x$ does not care about the nudge. The part $s$ is what the nudge spoils, and it shrinks with the nudge. At
# $x = 3$ the ratios should be 6 and a remainder that is just the nudge.

# %% tags=["core"]
for s in (0.1, 0.01, 0.001):
    print(f"nudge {s:5}: ratio {((3 + s) ** 2 - 3**2) / s:.6f}")

# %% [markdown]
# So they are. The derivative of $x^2$ is $2x$: at 3 it is 6, at $-1$ it is $-2$. A derivative has a sign, and the sign says which way the
# function goes: up where it is positive, down where it is negative.
#
# ## The tangent
#
# On paper, the ratio is a slope: so much up for so much to the right. The line through our point with the
# settled slope is the [tangent](glossary.md#term-tangent). Far from the point it leaves the curve; close to the point, the two should be hard to tell
# apart. The frame on the left marks what the right panel enlarges. (It enlarges the width more than the height, so the same tangent looks less steep there.)

# %% mystnb={"image": {"alt": "Left: the loss against w5, a curve that falls, has its lowest point at a negative w5 and rises; at w5 = 0.4 the tangent, a straight line with slope 0.0129, touches it and leaves it on both sides. Right: the neighbourhood of that point, enlarged, with a scale of its own, from about 0.012 to 0.016; curve and tangent lie nearly on one another."}} tags=["hide-input"]
slope_of_w5 = (loss(w5=0.4 + 1e-5) - loss(w5=0.4 - 1e-5)) / 2e-5
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.6))
for ax, reach in zip(axes, (2.4, 0.08)):
    xs = np.linspace(0.4 - reach, 0.4 + reach, 201)
    ax.plot(xs, [loss(w5=x) for x in xs], label="loss")
    line = loss() + slope_of_w5 * (xs - 0.4)
    ax.plot(xs, line, "--", color=plotting.RED, label="tangent")
    ax.plot(0.4, loss(), "o", color=plotting.INK, markersize=8)
    ax.set_xlabel("weight $w_5$")
axes[0].set(ylabel=r"loss $E_\mathrm{total}$", ylim=(0, 0.06))
axes[0].annotate("now", (0.4, loss()), (0.9, 0.006), arrowprops={"arrowstyle": "-"})
wide, high = (0.32, 0.48), (loss() - 0.002, loss() + 0.002)
axes[0].indicate_inset([wide[0], high[0], 0.16, 0.004], edgecolor=plotting.INK)
axes[1].set(xlim=wide, ylim=high, xticks=[0.35, 0.4, 0.45], title="enlarged")
axes[1].set_yticks([0.013, 0.014, 0.015, 0.016])
axes[0].legend(loc="upper left")
plt.show()

# %% [markdown]
# *Figure 2.1. A curve and its tangent. Look close enough and the curve is nearly straight; its slope there is the derivative.*
#
# The straight line through two points of a curve is called a *secant*. Its slope is the ratio of a nudge: change of the loss by change of the weight. Bring the second point ten times closer, again and again, and watch what happens to the difference between secant and tangent.

# %% tags=["hide-input"]
from cellgrad import figures

figures.slope(weight="w5")


# %% [markdown]
# If you moved it, you saw: the secant turned into the tangent, and the difference fell with the nudge, until the computer's rounding made it grow again.
#
# ## A nudge to both sides
#
# There is a better way to measure a slope than one nudge: nudge up, nudge down, and divide the difference by both nudges together. For
# $y = x^2$ the remainder then cancels completely:
#
# $$\frac{(x + s)^2 - (x - s)^2}{2s} = \frac{4xs}{2s} = 2x$$
#
# This is called a [central difference](glossary.md#term-central-difference). Our loss is no such square of its weights, so some remainder will stay, but expect far less of it. (`1e-5` is Python's way to write 0.00001.)

# %% tags=["core"]
def slope(name, nudge=1e-5):
    """The derivative of the loss with respect to one weight."""
    now = weights[name]  # below, with "w5" for name, stands loss(w5=now + nudge)
    return (loss(**{name: now + nudge}) - loss(**{name: now - nudge})) / (2 * nudge)


settling["both sides"] = [slope("w5", nudge) for nudge in settling.index]
settling[["ratio", "both sides"]].map("{:.9f}".format)

# %% [markdown]
# *Table 2.2. The derivative with respect to $w_5$, measured by a nudge to one side (the ratio) and to both sides, for nudges of four sizes.*
#
# With a nudge of 0.01 the new column is already right to six decimal places; one nudge to one side needs a much smaller nudge for that. A
# central difference needs nothing but the forward pass. It works for every weight of every network, and so
# it is how we shall check derivatives that somebody has derived.
#
# ## ∂, and all eight knobs
#
# On paper we write $E$ for the loss, $E_\mathrm{total}$ in the chapter before. Its derivative with respect to $w_5$ is written
#
# $$\frac{\partial E}{\partial w_5} .$$
#
# Read: “the derivative of $E$ with respect to $w_5$”. The sign ∂ is a rounded d, for *difference*. It says that there are other knobs too, and that they are held still while this one is
# nudged. Each weight has such a derivative. All eight, as one list, are the *gradient*. Before you run the cell: both outputs are too
# high, and all inputs and activations are positive. Which signs do you expect?

# %% tags=["core", "hide-output"]
gradient = pd.Series({name: slope(name) for name in weights}, name="∂E/∂w")
gradient.map("{:.6f}".format).to_frame()

# %% [markdown]
# All are positive: whichever weight grows, the loss grows. And the knobs differ greatly: $w_8$ moves the loss about fifty times as
# strongly as $w_1$.
#
# What if several knobs are turned at once? While the turns are small, each adds its part: its own derivative times its own turn. Turn all
# eight down by 0.01; the forecast is the sum of eight small products.

# %% tags=["core"]
forecast = sum(gradient[name] * -0.01 for name in weights)
turned = {name: value - 0.01 for name, value in weights.items()}
print(f"forecast {forecast:+.6f}")
print(f"measured {loss(**turned) - loss():+.6f}")

# %% [markdown]
# The forecast is good to about one part in a hundred, and a smaller turn would make it better. So eight numbers foretell what any
# small change of the weights does to the loss. This is what makes the gradient worth having: it says which way to turn every knob, all at
# once.

# %% [markdown]
# ## A nudge travels along a chain
#
# Measuring eight slopes took sixteen forward passes. A network with ten thousand weights would take twenty thousand. The way out is to look at
# *how* a nudge travels. The weight $w_5$ does not touch the loss itself. It changes the sum $o_1$; the sum changes the activation
# $a_{o1}$; the activation changes the loss. Give $w_5$ a nudge of 0.0001 and watch each of them.

# %% tags=["core"]
a_h1 = sigmoid(0.15 * 0.05 + 0.20 * 0.1)
a_h2 = sigmoid(0.25 * 0.05 + 0.30 * 0.1)


def along_the_chain(w5):
    o1 = w5 * a_h1 + 0.45 * a_h2
    a_o1 = sigmoid(o1)
    return {"w5": w5, "o1": o1, "a_o1": a_o1, "E": loss(w5=w5)}


before, after = along_the_chain(0.4), along_the_chain(0.4001)
chain = pd.DataFrame({"before": before, "after": after})
chain["change"] = chain["after"] - chain["before"]
chain["rate"] = chain["change"] / chain["change"].shift()  # by the one a row above
chain.map("{:.7f}".format).replace("nan", "")

# %% [markdown]
# *Table 2.3. One nudge on its way along the chain: each quantity before and after, its change, and the rate, which is the change divided by the one in the row above.*
#
# Read the last column from the top. The sum $o_1$ moves half as far as the weight did. The activation moves a quarter as far as the
# sum. The loss moves a tenth as far as the activation. Each step passes on a part of what it receives, and the *rate* says which part. (It is not the learning rate, which comes in chapter 4.) So over
# the whole chain, the parts multiply:

# %% mystnb={"image": {"alt": "Four circles in a row, joined by arrows: w5, o1, a_o1 and E. Under each circle stands how far it moves when w5 moves by 0.0001; over each arrow stands the rate that it passes on: 0.5069, then 0.2387, then 0.1065."}} tags=["hide-input"]
plotting.draw_chain(
    names=["$w_5$", "$o_1$", "$a_{o1}$", "$E$"],
    changes=[f"{change:+.7f}" for change in chain["change"]],
    rates=[f"× {rate:.4f}" for rate in chain["rate"][1:]],
)
plt.show()

# %% [markdown]
# *Figure 2.2. A nudge of 0.0001 on its way from the weight to the loss. Every arrow multiplies it by its rate.*
#
# This is the number to compute yourself, on a calculator or on paper, with the three rates rounded to four places: $0.1065 \times 0.2387 \times 0.5069$.
# It should come out close to the slope that we measured for $w_5$.

# %% tags=["core"]
product = 0.1065 * 0.2387 * 0.5069
print(f"product {product:.6f}   measured slope {slope('w5'):.6f}")

# %% [markdown]
# They agree as well as four decimal places allow. This is the [chain rule](glossary.md#term-chain-rule): **along a chain, derivatives multiply.** If you see it as
# fractions, it is hardly more than cancelling:
#
# $$\begin{aligned}
# \frac{\text{change of } E}{\text{change of } w_5} &= \frac{\text{change of } E}{\text{change of } a_{o1}} \\[4pt]
# &\quad \cdot \frac{\text{change of } a_{o1}}{\text{change of } o_1} \\[4pt]
# &\quad \cdot \frac{\text{change of } o_1}{\text{change of } w_5}
# \end{aligned} \tag{2.1}$$
#
# ## Three rates without a nudge
#
# What have we gained? The rate of a single step can be found by algebra, once and for all. There are only three kinds of step in
# this network.
#
# **A weighted sum.** In $o_1 = w_5 a_{h1} + w_6 a_{h2}$, a nudge of $w_5$ adds the nudge times $a_{h1}$. The rate is $a_{h1}$, the number that
# the weight is multiplied by. It works the other way round, too: a nudge of $a_{h1}$ adds the nudge times $w_5$, so seen from the activation the rate is the weight.
#
# **A half squared error.** With $m = a - t$ for the miss, $\dfrac{(m + s)^2/2 - m^2/2}{s} = m + \dfrac s2$. The rate is the miss itself,
# $a - t$. (Here the half in the error pays off: it cancels a 2.)
#
# **A sigmoid.** This one takes a few lines. Write equation (1.1) as $a = \dfrac{1}{1 + u}$ with $u = e^{-x}$. First: what does a small nudge $s$ of $x$ do to $u$? Powers multiply, so $u$ becomes
# $e^{-(x + s)} = u \cdot e^{-s}$. And what is special about the number $e$ is that $e^{-s}$ is very nearly $1 - s$ when $s$ is small:

# %% tags=["core"]
for s in (0.1, 0.01, 0.001):
    print(f"s = {s:5}: 1 - s = {1 - s:.7f}, e to the power -s = {math.exp(-s):.7f}")

# %% [markdown]
# A nudge ten times smaller leaves a gap about a hundred times smaller. So even divided by $s$, as we shall do, the gap shrinks to nothing, and we may leave it out: $u$ becomes nearly $u - su$. Second: what does this do to $a$? Subtract the old from the new, over a common denominator:
#
# $$\begin{aligned}
# & \frac{1}{1 + u - su} - \frac{1}{1 + u} \\[4pt]
# &= \frac{(1 + u) - (1 + u - su)}{(1 + u - su)(1 + u)} \\[4pt]
# &= \frac{su}{(1 + u - su)(1 + u)}
# \end{aligned}$$
#
# Third: divide by the nudge $s$, and let it shrink. In the denominator $su$ shrinks to nothing, and what is left is
#
# $$\frac{u}{(1 + u)(1 + u)} = \frac{1}{1 + u} \cdot \frac{u}{1 + u} = a \, (1 - a) , \tag{2.2}$$
#
# because $1 - \dfrac{1}{1 + u} = \dfrac{u}{1 + u}$, so that the second factor is $1 - a$.
# The rate of a sigmoid is $a(1 - a)$. To know it, one needs only the activation, which the forward pass has computed anyway.

# %% mystnb={"image": {"alt": "Two curves, one above the other, over the weighted sum x from -6 to 6. Above: the sigmoid, an S from 0 to 1. Below: its rate a times one minus a, a hill that is a quarter high at zero and nearly flat beyond four on both sides."}} tags=["hide-input"]
xs = np.linspace(-6, 6, 241)
a = 1 / (1 + np.exp(-xs))
figure, (above, below) = plt.subplots(2, 1, figsize=(5.6, 4.6), sharex=True)
above.plot(xs, a)
above.set_ylabel("activation a")
below.plot(xs, a * (1 - a), color=plotting.RED)
below.set(xlabel="weighted sum x", ylabel="rate a(1 − a)", ylim=(0, 0.27))
plt.show()

# %% [markdown]
# *Figure 2.3. The sigmoid and its rate. It passes on at most a quarter of a nudge, and far from the middle next to nothing.*
#
# Now the same three rates again, each from its formula. No nudge is left in this cell. Expect the rates of Table 2.3.

# %% tags=["core"]
a_o1 = sigmoid(0.4 * a_h1 + 0.45 * a_h2)
rates = {"o1": a_h1, "a_o1": a_o1 * (1 - a_o1), "E": a_o1 - 0.5}
for quantity, rate in rates.items():
    print(f"{quantity:8} {rate:.6f}")
print(f"{'product':8} {math.prod(rates.values()):.6f}")


# %% [markdown]
# The rates agree with the nudged ones to four decimal places, and their product is the settled slope. The small difference that is left comes from the nudge. For the
# error, the algebra gives $m + \frac s2$ in the place of $m$: the last rate of Table 2.3 is too large by half of the change that reached $a_{o1}$.
#
# ## Where two chains meet
#
# One thing is missing. The activation $a_{h1}$ feeds *both* outputs, so a nudge of it reaches the loss by two chains at once. Each chain brings
# its own change, and the loss is a sum, so the changes should add up.

# %% tags=["core"]
def errors(a_h1):
    a_o1 = sigmoid(0.40 * a_h1 + 0.45 * a_h2)
    a_o2 = sigmoid(0.50 * a_h1 + 0.55 * a_h2)
    return (0.5 - a_o1) ** 2 / 2, (0.5 - a_o2) ** 2 / 2


up, down = errors(a_h1 + 1e-5), errors(a_h1 - 1e-5)
by_o1, by_o2 = (up[0] - down[0]) / 2e-5, (up[1] - down[1]) / 2e-5
print(f"through o1 {by_o1:.6f}  through o2 {by_o2:.6f}  sum {by_o1 + by_o2:.6f}")

# %% [markdown]
# Does the sum agree with the chains? For each output multiply miss, rate of the sigmoid and the weight of the connection, then add.

# %% tags=["core"]
a_o2 = sigmoid(0.50 * a_h1 + 0.55 * a_h2)
first = (a_o1 - 0.5) * a_o1 * (1 - a_o1) * 0.40
second = (a_o2 - 0.5) * a_o2 * (1 - a_o2) * 0.50
print(f"through o1 {first:.6f}  through o2 {second:.6f}  sum {first + second:.6f}")

# %% [markdown]
# It does, part by part. **Along a chain, derivatives multiply; where chains meet, they add.** That is all the calculus of Part I but the curvature; *One rule for all weights* adds three more rates, found in the same way.
#
# Last, the package: `ToyNetwork().gradient()` has the eight derivatives by formulas, which the next chapter derives. Put
# beside our nudged slopes, they should differ only by what a small nudge leaves.

# %%
both = gradient.to_frame("nudged").assign(formula=ToyNetwork().gradient())
both.map("{:.10f}".format)

# %% [markdown]
# *Table 2.4. The derivatives of the loss with respect to the eight weights, nudged and by the package's formulas.*
#
# Ten decimal places, and no difference to be seen.
#
# ## Recap
#
# - Nudge a weight and divide the change of the loss by the nudge. As the nudge shrinks, the ratio settles: that number is the derivative.
# - On the curve, it is the slope of the tangent. It is positive where the loss rises with the weight.
# - A central difference nudges to both sides and needs only the forward pass.
# - The gradient is the list of all derivatives. It foretells what any small change of the weights does to the loss.
# - Along a chain, derivatives multiply; where chains meet, they add. The three rates are the factor of a weight, the miss $a - t$, and the
#   sigmoid's $a(1 - a)$.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* What is the derivative of $y = x^2$ at $x = 5$? Compute the ratio for a nudge of 0.1 and of 0.01 and say what
# it settles at.
#
# *Check:* `check("02.1", …)` with the two ratios and the derivative.
#
# <details>
# <summary>Hint</summary>
#
# The algebra above says $2x + s$.
# </details>
# <details>
# <summary>Solution</summary>
#
# The ratios are 10 and a remainder as large as the nudge. They settle at 10, which is $2 \cdot 5$.
#
# ```python
# for s in (0.1, 0.01):
#     print(s, round(((5 + s) ** 2 - 5**2) / s, 6))
# check("02.1", (10.1, 10.01, 10))
# ```
#
# ```text
# 0.1 10.1
# 0.01 10.01
# Right.
# ```
# </details>
#
# **2.** *With a calculator.* Find $\partial E / \partial w_6$ as a product of three rates. Two of them you have already.
#
# *Check:* `check("02.2", …)` with $\partial E / \partial w_6$.
#
# <details>
# <summary>Hint</summary>
#
# In $o_1 = w_5 a_{h1} + w_6 a_{h2}$, which number is $w_6$ multiplied by? The rest of the chain, from $o_1$ to the loss, is the same
# as for $w_5$.
# </details>
# <details>
# <summary>Solution</summary>
#
# The factor of $w_6$ is $a_{h2}$, so the product is $0.1065 \times 0.2387 \times 0.5106$.
#
# ```python
# print(f"{0.1065 * 0.2387 * 0.5106:.6f}  measured {slope('w6'):.6f}")
# check("02.2", 0.1065 * 0.2387 * 0.5106)
# ```
#
# ```text
# 0.012980  measured 0.012976
# Right.
# ```
# </details>
#
# **3.** *Signs before numbers.* Suppose that the first target were 0.7 instead of 0.5. Which of the derivatives of $w_5$, $w_6$, $w_7$, $w_8$
# change their sign?
#
# *Check:* `check("02.3", …)` with the names of the weights.
#
# <details>
# <summary>Hint</summary>
#
# Only one of the three rates can be negative. Which, and for which output?
# </details>
# <details>
# <summary>Solution</summary>
#
# The first output, 0.6065, would then be too *low*, so its miss is negative, and with it the derivatives of $w_5$ and $w_6$. The second output has its own
# target, and nothing changes for $w_7$ and $w_8$.
#
# ```python
# print(np.round(ToyNetwork(targets=(0.7, 0.5)).gradient()[4:], 5))
# check("02.3", "w5, w6")
# ```
#
# ```text
# [-0.01131 -0.0114   0.01541  0.01552]
# Right.
# ```
# </details>
#
# **4.** Search by hand for the value of $w_5$ at which the slope is zero. What is special about the network there?
#
# *Check:* `check("02.4", …)` with the value of $w_5$.
#
# <details>
# <summary>Hint</summary>
#
# Look at Figure 2.1: where is the curve level? Try a value $x$, look at the sign of the slope there, `(loss(w5=x + 1e-5) - loss(w5=x - 1e-5)) / 2e-5`, and go the other way. Then look at
# the first output.
# </details>
# <details>
# <summary>Solution</summary>
#
# At the lowest point of the curve, near $-0.453$. There the first output is on its target: its miss is zero, and a chain with a zero in it
# passes nothing on.
#
# ```python
# for w5 in (0.0, -0.4, -0.45, -0.4533):
#     rise = (loss(w5=w5 + 1e-5) - loss(w5=w5 - 1e-5)) / 2e-5
#     output = along_the_chain(w5)["a_o1"]
#     print(f"w5 {w5:7}  slope {rise:+.6f}  output {output:.4f}")
# check("02.4", -0.4533)
# ```
#
# ```text
# w5     0.0  slope +0.007153  output 0.5572
# w5    -0.4  slope +0.000856  output 0.5068
# w5   -0.45  slope +0.000053  output 0.5004
# w5 -0.4533  slope +0.000000  output 0.5000
# Right.
# ```
# </details>
#
# **5.** What does a central difference give for $y = x^3$ at $x = 2$, with nudges of 0.1 and 0.01? First by algebra, then by computer.
#
# *Check:* `check("02.5", …)` with a formula in `x` and `s`.
#
# <details>
# <summary>Hint</summary>
#
# $(x + s)^3 = x^3 + 3x^2 s + 3 x s^2 + s^3$. Write down the same for $x - s$ and subtract.
# </details>
# <details>
# <summary>Solution</summary>
#
# $\dfrac{(x+s)^3 - (x-s)^3}{2s} = 3x^2 + s^2$. The derivative is 12, and the remainder shrinks with the *square* of the nudge: a nudge ten times
# smaller spoils a hundred times less.
#
# ```python
# for s in (0.1, 0.01):
#     print(s, round(((2 + s) ** 3 - (2 - s) ** 3) / (2 * s), 6))
# check("02.5", "3x^2 + s^2")
# ```
#
# ```text
# 0.1 12.01
# 0.01 12.0001
# Right.
# ```
# </details>
#
# **6.** So is a smaller nudge always better? Measure $\partial E / \partial w_5$ by central differences with nudges $10^{-1}, 10^{-2}, \dots, 10^{-12}$ and
# compare with the exact derivative from the package. Explain what you see.
#
# *Check:* `check("02.6", …)` with the exponent $k$ of the best nudge, $10^{-k}$.
#
# <details>
# <summary>Hint</summary>
#
# For the errors: `for k in range(1, 13): print(k, slope("w5", 10.0**-k) - exact)`, with `exact = ToyNetwork().gradient()[4]`. A computer keeps about 16 digits of the loss. What happens to a small error in the loss when it is divided by a very small number?
# </details>
# <details>
# <summary>Solution</summary>
#
# First the error shrinks with the square of the nudge, as in exercise 5. Then it grows again: the loss itself is rounded, and dividing its rounding
# error by a smaller nudge makes it larger. The two meet in between, around $10^{-5}$ or $10^{-6}$ (`check` takes both), and this is why `slope` uses such a nudge.
#
# ```python
# exact = ToyNetwork().gradient()[4]
# for k in range(1, 13):
#     error = abs(slope("w5", 10.0**-k) - exact)
#     print(f"nudge 1e-{k:02}   error below 1e{math.ceil(math.log10(error))}")
# check("02.6", 5)
# ```
#
# ```text
# nudge 1e-01   error below 1e-4
# nudge 1e-02   error below 1e-6
# nudge 1e-03   error below 1e-8
# nudge 1e-04   error below 1e-10
# nudge 1e-05   error below 1e-12
# nudge 1e-06   error below 1e-12
# nudge 1e-07   error below 1e-11
# nudge 1e-08   error below 1e-9
# nudge 1e-09   error below 1e-8
# nudge 1e-10   error below 1e-7
# nudge 1e-11   error below 1e-6
# nudge 1e-12   error below 1e-5
# Right.
# ```
# </details>
#
# **7.** *Design.* You may turn each weight by at most 0.1, up or down, in order to make the loss as small as you can in *one* move. Use only the
# gradient to decide. Then find out whether the forecast of the gradient still holds for a move as large as that.
#
# *Check:* `check("02.7", …)` with the forecast and the measured change of the loss.
#
# <details>
# <summary>Hint</summary>
#
# Each weight adds its derivative times its turn. Which turn makes that product as small as possible?
# </details>
# <details>
# <summary>Solution</summary>
#
# Every derivative is positive, so turn every weight down by 0.1, the whole way. The forecast is too hopeful, since the loss is
# curved: as the outputs come closer to their targets, the slopes shrink.
#
# ```python
# turn = -0.1 * np.sign(gradient)
# moved = {name: value + turn[name] for name, value in weights.items()}
# forecast, measured = (gradient * turn).sum(), loss(**moved) - loss()
# print(f"forecast {forecast:+.5f}   measured {measured:+.5f}")
# check("02.7", (forecast, measured))
# ```
#
# ```text
# forecast -0.00588   measured -0.00528
# Right.
# ```
# </details>
#
# ## What's next
#
# [Its derivatives](03-its-derivatives.ipynb) writes down all eight by these two rules, and finds that walking backwards from the loss
# does nearly all of the work once for all weights.
