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
# The exercise shows six loss curves for six learning rates, and stops there. Why does twice the rate give twice the slope?
# Where does that end? This chapter predicts the slope that each curve settles into from one number, the curvature of the loss, and then
# goes too far on purpose.
#
# **You will be able to** say from a Hessian how fast gradient descent converges, find the largest learning rate that is
# stable, and recognise what happens past it.
#
# **You need** *The spreadsheet*. It helps to know what an eigenvalue is.

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    package = "git+https://github.com/your--account/cells-to-convnets@v0.2.0"
    if "--" in package:
        print("Nobody has this address: put your copy's in its place, in this cell.")
    get_ipython().run_line_magic("pip", f"install -q {package}")

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cellgrad.toynet import learning_rates
from cellgrad import plotting
from cellgrad.toynet.descent import compare_learning_rates, descend
from cellgrad.toynet import ToyNetwork, a_o1, a_o2

plotting.use_house_style()
network = ToyNetwork()
rates = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)

# %% [markdown]
# ## Six curves
#
# The same network from the same first weights, six times. On the left as the spreadsheet shows it; on the right the same
# numbers on a logarithmic axis. Which of the two would you rather read?

# %% mystnb={"image": {"alt": "The loss over 200 updates for six learning rates from 0.1 to 2. Left, on a linear axis: curves that fall faster for larger rates; the fast ones merge with the axis. Right, on a logarithmic axis: six nearly straight lines that fan out from the same point, the one for rate 2 falling more than eleven orders of magnitude."}}
losses = compare_learning_rates(network, rates, updates=200)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
plotting.plot_losses(losses, ax=left)
plotting.plot_losses(losses, log=True, ax=right)
right.get_legend().remove()
plt.show()

# %% [markdown]
# On the right you can read everything: each curve becomes a straight line, so each update removes a fixed share of the
# loss. By which factor does the loss shrink per update, late in each run? And is the share proportional to the rate?

# %%
factor = (losses.loc[200] / losses.loc[190]) ** (1 / 10)
shrinking = pd.DataFrame({"factor": factor, "share removed": 1 - factor})
shrinking["share / rate"] = shrinking["share removed"] / shrinking.index
shrinking.rename_axis("learning rate").round(4)

# %% [markdown]
# Nearly proportional, but not quite: the last column drifts. Where does its size come from, and where the drift?
#
# ## A bowl
#
# Close to a minimum, every smooth loss is a bowl: $E \approx \frac12 \lambda\, e^2$, with $e$ the distance from the minimum and
# $\lambda$ the curvature. Its derivative is $\lambda e$, so one update turns $e$ into
#
# $$e - \eta\, \lambda e = (1 - \eta\lambda)\, e .$$
#
# The distance shrinks by $1 - \eta\lambda$, and the loss, which is its square, by $(1 - \eta\lambda)^2$. For a small $\eta$ that removes a
# share of about $2\eta\lambda$, exactly $2\eta\lambda - \eta^2\lambda^2$. So $\lambda$ should be about half of the last column above, and the column
# should fall slowly as the rate grows. That is what its last rows do. The first rows are too low for another reason: at a rate of 0.1 the run
# is not late after 200 updates, a good part of the loss is still there.
#
# ## The curvature, by SymPy
#
# With eight weights, curvature is an 8 × 8 table of second derivatives, the *Hessian*. SymPy differentiates our
# eight derivatives once more. We want it where the descent ends, so we first go there: from the last row of the spreadsheet at
# rate 1 to the nearest weights with zero loss.

# %%
run = descend(network, 1.0, updates=200)
after = learning_rates.at_update(network, run, 200)
minimum = learning_rates.nearest_minimum(after)
hessian = learning_rates.hessian(minimum)
eigenvalues = np.linalg.eigvalsh(hessian)
[round(abs(value), 7) for value in eigenvalues[::-1].tolist()]  # −0 becomes 0

# %% [markdown]
# Two curvatures, almost equal, and six times zero. That is no accident. There are two outputs, so only two combinations of
# the eight weights change them at first order; along the other six directions the loss does not change, to second order. The minimum
# is not a point but a six-dimensional valley floor. (You met this in the first chapter's exercises: the best weights are far
# from unique.) And the two are almost equal because at this minimum $w_5 \dots w_8$ are close to zero, so that both outputs see the same
# hidden activations through the same slope of the sigmoid, one quarter. Each curvature is then close to $(a_{h1}^2 + a_{h2}^2)/16$:

# %%
values = minimum.row()
print(f"{(values['a_h1'] ** 2 + values['a_h2'] ** 2) / 16:.7f}")

# %% [markdown]
#
# At the minimum both errors are zero, and the Hessian is then $J^\mathsf{T} J$, with $J$ the derivatives of the two
# outputs by the weights. Is it?

# %%
J = learning_rates.jacobian(minimum, a_o1, a_o2)
print("Hessian = JᵀJ:", np.allclose(hessian, J.T @ J, atol=1e-12))

# %% [markdown]
# ## Predicted and measured
#
# Now the test. For each rate, `predicted` is $1 - \eta\lambda$ from the Hessian at the minimum where that run ends, and
# `measured` is the factor by which the distance, and with it the outputs' miss $a - t$, really shrank in the last updates. The two come from different places: one from
# second derivatives, the other from the table of the spreadsheet.

# %%
settled = learning_rates.settle(network, rates, updates=3000)
settled["difference"] = (settled["predicted"] - settled["measured"]).abs()
print("largest difference below 1e-6:", bool(settled["difference"].max() < 1e-6))
settled[["lambda", "predicted", "measured"]].round(6)

# %% mystnb={"image": {"alt": "The factor by which an update shrinks the distance from the minimum, against the learning rate. A line for the prediction one minus eta lambda falls from one; the six measured points lie on it."}}
eta = np.linspace(0, 2.2, 50)
predicted = 1 - eta * eigenvalues[-1]
plt.plot(eta, predicted, color=plotting.FAINT, label="predicted, 1 − ηλ")
plt.plot(settled["measured"], "o", color=plotting.RED, label="measured")
plt.xlabel("learning rate η")
plt.ylabel("factor for the distance, per update")
plt.legend()
plt.show()

# %% [markdown]
# Six rates, six points on the line. The column `lambda` differs a little from rate to rate, because each run ends at another
# place of the valley floor.
#
# Of the two nearly equal curvatures, the *smaller* one should win in the very end, since its part of the distance shrinks more
# slowly. They are so close that this never happens before rounding ends the game: nearly all of the loss lies along the first.

# %%
settled[["lambda_1", "lambda_2", "share_1"]].map("{:.7f}".format)

# %% [markdown]
# ## How far can it go?
#
# If $\eta\lambda$ is 1, the distance vanishes at once. Between 1 and 2, $1 - \eta\lambda$ is negative: each update jumps to the other side of the
# bowl, but closer. At 2 it jumps as far out as it came from, and beyond that each jump is longer than the one before. So
# the largest stable rate is $2/\lambda_{\max}$:

# %%
limit = learning_rates.largest_stable_rate(minimum)
print(f"2/λ_max = {limit:.2f}")

# %% [markdown]
# That is far above all six rates of the exercise. Start next to the minimum, once below the limit and once above it. The outputs should
# jump from one side of the target to the other in both cases:

# %%
nudged = ToyNetwork(weights=np.array(minimum.weights) + 1e-4)
for share in (0.98, 1.02):
    miss = descend(nudged, share * limit, updates=4)["a_o1"] - 0.5
    print(share, [f"{value:+.8f}" for value in miss])

# %% [markdown]
# Below the limit each jump is a little shorter than the one before, above it a little longer. For ever?

# %% mystnb={"image": {"alt": "The loss on a logarithmic axis, from the same start next to the minimum. At 0.98 of the limit it falls along a straight line until rounding ends it. At 1.02 of the limit it rises over some two hundred updates by many orders of magnitude, turns, and then falls more slowly than the other."}}
for share in (0.98, 1.02):
    run = descend(nudged, share * limit, updates=500)["E_total"]
    above_rounding = run.where(run > 1e-25)
    plt.semilogy(above_rounding, label=rf"{share} · $2/\lambda_\mathrm{{max}}$")
plt.xlabel("update")
plt.ylabel(r"loss $E_\mathrm{total}$")
plt.legend()
plt.show()

# %% [markdown]
# It grows, as predicted, and then it stops growing. What the bowl picture leaves out: the valley floor is not equally steep
# everywhere. While the outputs swing wider and wider across the valley, the weights also drift along it, until they are at a
# place where the walls are flat enough for this rate. There they settle. Check: the product $\eta\lambda_{\max}$ before and after.

# %%
wild = descend(nudged, 1.02 * limit, updates=500)
for update in (0, 500):
    there = learning_rates.at_update(nudged, wild, update)
    sharpness = 1.02 * limit * np.linalg.eigvalsh(learning_rates.hessian(there))[-1]
    print(f"update {update:3}: ηλ_max = {sharpness:.3f}")

# %% [markdown]
# ## Much too far
#
# And from the start of the exercise, with rates that no one would choose? The outputs are sigmoids, so the loss is bounded and
# cannot go to infinity. Guess what happens instead.

# %%
far_rates = [10, 50, 100, 1000, 3000, 30_000]
far = learning_rates.outcomes(network, far_rates, updates=3000)
far[["highest", "last", "rises", "outcome"]].round(6)

# %% [markdown]
# Up to quite absurd rates, the descent still finds a minimum, after a few rises. At the last two rates it stalls. What has happened there?

# %%
silent = descend(network, 3000, updates=2)
silent[["w5", "o1", "a_o1", "dE_dw5"]].map("{:.3g}".format)

# %% [markdown]
# The first update throws the weights so far out that the sigmoids are flat: the derivatives are too small to move anything, and the loss stays
# where it is. A network does not always explode when the rate is too large; it can also fall silent.
#
# ## The other targets
#
# With targets 0.01 and 0.99, the curves bent. Compare the curvature on the spot, `lambda_now`, which loss and gradient imply
# ($|\nabla E|^2 / 2E$), with the curvature `lambda` at the end:

# %%
spread = ToyNetwork(targets=(0.01, 0.99))
unsettled = learning_rates.settle(spread, rates, updates=200)
unsettled["lambda_now / lambda"] = unsettled["lambda_now"] / unsettled["lambda"]
unsettled[["lambda", "lambda_now / lambda", "predicted", "measured"]].round(6)

# %% [markdown]
# After 200 updates nothing has settled: the ground under the descent is still many times as curved as it will be at the end, where the
# sigmoids are nearly flat. So `measured` is not what the end predicts, and it hardly depends on the rate: a larger rate has come to flatter
# ground. A line that stays straight over many updates suggests that a descent has settled. These have not.
#
# ## A map
#
# Two weights, one from each output, with the other six held where the descent ends; the loss as contour lines in equal steps, and on it the
# six descents, each with a dot at the place that 50 updates take it to.

# %% mystnb={"image": {"alt": "Contour lines of the loss over w5 and w7: nearly circles around the middle, a bowl. Six paths start at the same point and run the same way down towards the middle; the larger the learning rate, the farther its dot has come in 50 updates."}}
pair = ("w5", "w7")
x, y = np.linspace(-0.6, 0.6, 80), np.linspace(-0.6, 0.7, 80)
height = learning_rates.loss_surface(minimum, pair, x, y)
plt.contour(x, y, height, levels=25, colors=plotting.FAINT, linewidths=0.8)
paths = learning_rates.descent_paths(network, pair, rates, updates=50)
for rate, path in paths.groupby("learning_rate"):
    plt.plot(path["x"], path["y"], color=plotting.INK, linewidth=0.8)
    plt.plot(*path[["x", "y"]].iloc[-1], "o", label=f"η = {rate:g}")
start = paths[["x", "y"]].iloc[0]
plt.plot(*start, "s", color=plotting.RED, markersize=9, label="start")
plt.xlabel("weight $w_5$")
plt.ylabel("weight $w_7$")
plt.grid(False)
plt.gca().set_aspect("equal")
plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# All six take almost the same way: at small rates, the rate only sets how fast the path is walked.
#
# ## Recap
#
# - Near a minimum, an update multiplies the distance from it by $1 - \eta\lambda$. On a logarithmic plot of the loss that is a straight line.
# - $\lambda$ is an eigenvalue of the Hessian. With two outputs there are at most two that are not zero, and a valley of best weights.
# - Above $2/\lambda_{\max}$ the minimum repels. The descent then moves on to a flatter one, if there is one.
# - Far too large rates saturate the sigmoids, and learning falls silent.
#
# ## Exercises
#
# **1.** At which learning rate does the loss near the minimum shrink fastest? Predict it from $\lambda$, then measure on both sides of it.
#
# <details>
# <summary>Solution</summary>
#
# Where $1 - \eta\lambda = 0$, at $\eta = 1/\lambda$, half of the largest stable rate. There the bowl's prediction is that the distance
# vanishes in one update; what is left comes from what the bowl leaves out.
#
# ```python
# for share in (0.4, 0.5, 0.6):
#     run = descend(nudged, share * limit, updates=3)["E_total"]
#     print(share, run.tolist())
# ```
# </details>
#
# **2.** Multiply the inputs by 10 (0.5 and 1 instead of 0.05 and 0.1). Does the largest stable rate grow or shrink? Why only a little?
#
# <details>
# <summary>Solution</summary>
#
# It shrinks a little. Larger inputs push the hidden activations up, and the curvature comes from the last four weights, whose derivatives
# carry those activations. The first four weights carry the larger inputs themselves, but add almost nothing: their derivatives
# also carry $w_5 \dots w_8$, which are near zero at the minimum.
#
# ```python
# for inputs in ((0.05, 0.1), (0.5, 1.0)):
#     there = learning_rates.nearest_minimum(ToyNetwork(inputs=inputs))
#     print(inputs, learning_rates.largest_stable_rate(there))
# ```
# </details>
#
# **3.** How many updates does learning rate 0.1 need to bring the loss below $10^{-6}$? Estimate from `predicted`, then count.
#
# <details>
# <summary>Solution</summary>
#
# The loss falls by the factor $(1 - \eta\lambda)^2$ per update, so it takes about $\ln(10^{-6} / E_0) / (2 \ln(1 - \eta\lambda))$ updates.
#
# ```python
# slope = 2 * np.log(settled.loc[0.1, "predicted"])
# estimate = np.log(1e-6 / network.loss()) / slope
# counted = (descend(network, 0.1, 3000)["E_total"] < 1e-6).idxmax()
# estimate, counted
# ```
# </details>
#
# ## What's next
#
# Part I ends here: one network, all of its numbers. Part II asks what changes when a network looks at pictures.
