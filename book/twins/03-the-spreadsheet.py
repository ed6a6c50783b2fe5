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
# # The spreadsheet
#
# Now we use the eight derivatives. Start from the given weights, move each a little against its derivative, and
# compute everything anew; then again, and again. In the class that this exercise comes from, that is a spreadsheet
# with a row for each update. Here it is a loop, then a table with the same columns, number for number.
#
# **You will be able to** write gradient descent in a few lines, read the spreadsheet's 31 columns, and tell from the
# loss curve what descent does.
#
# **You need** *The network* and *Its derivatives*.

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    get_ipython().run_line_magic("pip", "install -q git+https://github.com/cells-to-convnets/cells-to-convnets@v0.1.0")

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cellgrad import plotting
from cellgrad.toynet import COLUMNS, ToyNetwork

plotting.use_house_style()
network = ToyNetwork()

# %% [markdown]
# ## One update
#
# The gradient says for each weight how the loss changes when the weight grows. So to make the loss smaller, each weight
# goes the other way, in proportion. The factor is the *learning rate* $\eta$:
#
# $$w \leftarrow w - \eta \, \frac{\partial E}{\partial w}$$
#
# All eight derivatives are positive here, so all eight weights should shrink, and the loss with them.

# %%
learning_rate = 1.0
updated = np.array(network.weights) - learning_rate * network.gradient()

names = [f"w{k}" for k in range(1, 9)]
pd.DataFrame({"before": network.weights, "after": updated}, index=names)

# %%
print(f"loss before: {network.loss():.6f}")
print(f"loss after:  {ToyNetwork(weights=updated).loss():.6f}")

# %% [markdown]
# ## Again and again
#
# Ten updates. Nothing new happens in this loop: the second update does to the new weights what the first did to the old.

# %%
weights = network.weights
for update in range(10):
    step = ToyNetwork(weights=weights)
    print(f"update {update}: loss {step.loss():.6f}")
    weights = np.array(weights) - learning_rate * step.gradient()

# %% [markdown]
# ## The table
#
# The spreadsheet keeps everything that the loop computes, one row an update, in 31 columns. `descend` gives that table.
# Row 0 is the network before the first update.

# %%
table = network.descend(learning_rate=1.0, updates=100)
print(" ".join(COLUMNS))
table.iloc[:4, :16].round(5)

# %%
table.iloc[:4, 16:].round(5)

# %% [markdown]
# Read along a row: targets and inputs, which never change; the first four weights; the hidden units; the last four
# weights; the outputs; the errors; and last the derivatives, which make the weights of the next row. Check one
# cell by hand: the second row's $w_5$ is the first row's $w_5$ minus the learning rate times the first row's derivative.

# %%
by_hand = table.loc[0, "w5"] - 1.0 * table.loc[0, "dE_dw5"]
by_hand, by_hand == table.loc[1, "w5"]

# %% [markdown]
# ## The loss falls
#
# The derivatives shrink as the outputs come near their targets, so expect a curve that falls fast at first and then
# more and more slowly.

# %% mystnb={"image": {"alt": "The loss against the number of updates at learning rate 1: it starts above 0.014, falls steeply, has nearly vanished after some fifty updates and then creeps along the axis."}}
plotting.plot_losses(table["E_total"])
plt.title("One data point, again and again, learning rate 1")
plt.show()

# %% [markdown]
# How does the network do it? Look at the outputs and at the weights. You might expect the outputs to approach 0.5
# by all eight weights doing their part.

# %% mystnb={"image": {"alt": "Two panels. Left: both outputs fall from above 0.6 to their target 0.5. Right: the change of each weight since the start; w5 to w8 fall by about half, while w1 to w4 hardly move."}}
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
table[["a_o1", "a_o2"]].plot(ax=left, ylabel="output")
left.axhline(0.5, color=plotting.INK, linestyle=":", label="target")
left.legend()
change = table[names] - table.loc[0, names]
right.plot(change[names[:4]], color=plotting.ORANGE, label=["$w_1$ … $w_4$", "", "", ""])
right.plot(change[names[4:]], color=plotting.GREEN, label=["$w_5$ … $w_8$", "", "", ""])
right.set(xlabel="update", ylabel="change since the start")
right.legend()
plt.show()

# %% [markdown]
# The last four do nearly all of the work, and the first four hardly move: their derivatives were the small ones.
# By how much does each group move in all?

# %%
total = change.iloc[-1].abs()
print(f"w1 … w4: {total[:4].sum():.3f}   w5 … w8: {total[4:].sum():.3f}")

# %% [markdown]
# ## Other targets
#
# The same spreadsheet circulates with the targets 0.01 and 0.99. One output must go down and the other up, towards
# values that a sigmoid reaches only far from the middle. Will 100 updates do?

# %% mystnb={"image": {"alt": "Loss against updates on a logarithmic axis for both pairs of targets. With 0.5 and 0.5 the loss falls along a nearly straight line by three orders of magnitude; with 0.01 and 0.99 it starts much higher, and flattens out after it has fallen by a little more than one."}}
spread = ToyNetwork(targets=(0.01, 0.99)).descend(learning_rate=1.0, updates=100)
plt.plot(table["E_total"], label="targets 0.5, 0.5")
plt.plot(spread["E_total"], label="targets 0.01, 0.99")
plt.yscale("log")
plt.xlabel("update")
plt.ylabel(r"loss $E_\mathrm{total}$")
plt.legend()
plt.show()

# %% [markdown]
# No. On a logarithmic axis a straight line means that each update removes the same share of the loss. The first pair
# of targets has such a line; the second bends. Out there the sigmoid is flat, its slope $a(1-a)$ is small, and with it every
# derivative. The chapter on learning rates finds out what sets the slope of that line.
#
# ## Recap
#
# - Gradient descent: every weight moves against its derivative, in proportion to the learning rate; then everything is
#   computed anew.
# - A row of the spreadsheet is one forward pass, one backward pass and the numbers that the next row starts from.
# - Where a sigmoid is flat, learning is slow.
#
# ## Exercises
#
# **1.** Make the loss *rise*. What do you have to change in the loop, and does it rise without end?
#
# <details>
# <summary>Solution</summary>
#
# Flip the sign of the update. The loss rises, but not without end: an output is a sigmoid, so it stays between 0 and
# 1, and each error is at most $\frac12 \cdot 0.5^2$ for a target of 0.5.
#
# ```python
# weights = network.weights
# for update in range(2000):
#     weights = tuple(np.array(weights) + 1.0 * ToyNetwork(weights=weights).gradient())
# ToyNetwork(weights=weights).loss(), 2 * 0.5 * 0.5**2
# ```
# </details>
#
# **2.** Matt Mazur's well-known worked example is this network with fixed biases 0.35 and 0.6, targets 0.01 and 0.99
# and learning rate 0.5. He prints a loss of 0.298371109 before the first update. Reproduce it, and the loss after 10,000 updates.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# mazur = ToyNetwork(targets=(0.01, 0.99), biases=(0.35, 0.6)).descend(learning_rate=0.5, updates=10_000)
# mazur["E_total"].iloc[[0, 1, 10_000]]
# ```
#
# The first number agrees with his. The later ones differ from his in some digits, because he rounded on the way; other
# people's exact computations agree with ours.
# </details>
#
# **3.** After how many updates is the loss below one millionth, at learning rate 1 and at learning rate 2? Guess the
# ratio before you look.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# for rate in (1.0, 2.0):
#     losses = network.descend(rate, updates=500)["E_total"]
#     print(rate, (losses < 1e-6).idxmax())
# ```
#
# Twice the rate takes about half the updates. That cannot go on for ever, and the chapter on learning rates shows where
# it ends.
# </details>
#
# ## What's next
#
# From a network with eight weights to one with thousands. *The run* trains the convolutional network of the exercise's second part on
# real handwriting, with the same rule: every weight moves against its derivative.
