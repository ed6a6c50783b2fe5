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
# **You will be able to** write gradient descent in a few lines, read the spreadsheet's 31 columns, build a live workbook
# of it, and find a mistake that the loss curve hides.
#
# **You need** *The network* and *Its derivatives*.

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
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import openpyxl
import pandas as pd
from IPython.display import Math
from openpyxl.utils import get_column_letter

from cellgrad import plotting
from cellgrad.spreadsheet import workbook
from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import COLUMNS, DERIVATIVES, ToyNetwork, derivatives, latex, w1

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
print(by_hand, by_hand == table.loc[1, "w5"])

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

# %% mystnb={"image": {"alt": "Two panels. Left: both outputs fall from above 0.6 to their target 0.5. Right: the change of each weight since the start; w5 to w8 fall by 0.4 to 0.5, while w1 to w4 hardly move."}}
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
table[["a_o1", "a_o2"]].plot(ax=left, ylabel="output")
left.axhline(0.5, color=plotting.INK, linestyle=":", label="target")
left.legend()
change = table[names] - table.loc[0, names]
first, *_ = right.plot(change[names[:4]], color=plotting.ORANGE)
last, *_ = right.plot(change[names[4:]], color=plotting.GREEN)
right.set(xlabel="update", ylabel="change since the start")
right.legend([first, last], ["$w_1$ … $w_4$", "$w_5$ … $w_8$"])
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

# %% mystnb={"image": {"alt": "Loss against updates on a logarithmic axis for both pairs of targets. With 0.5 and 0.5 the loss falls along a nearly straight line by nearly three orders of magnitude; with 0.01 and 0.99 it starts much higher, and flattens out after it has fallen by a little more than one."}}
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
# of targets has such a line; the second bends. The farther out an output is, the flatter is its sigmoid, and every derivative carries that slope,
# $a(1-a)$, as a factor:

# %%
slopes = spread[["a_o1", "a_o2"]] * (1 - spread[["a_o1", "a_o2"]])
slopes.loc[[0, 100]].round(3)

# %% [markdown]
# The chapter on learning rates finds out what sets the slope of that line.
#
# ## As a real spreadsheet
#
# The table above *is* the spreadsheet, but numbers alone cannot be played with. So let us build the real thing, with formulas:
# the same SymPy expressions, printed once more, this time in the language of a spreadsheet. Compare one derivative in both
# languages. Row 12 is the one before the first update, and in it the columns B, C, D hold $t_1, t_2, i_1$; K is $a_{h1}$; N and P are $w_5$ and $w_7$; S and U are
# $a_{o1}$ and $a_{o2}$. The learning rate is in C3.

# %%
formulas, updates = workbook.column_formulas()
print("dE_dw1", formulas["dE_dw1"].format(row=12))
print("w1    ", updates["w1"].format(row=13, above=12))

# %%
Math(latex(DERIVATIVES[w1]) + " = " + latex(derivatives()[DERIVATIVES[w1]]))

# %% [markdown]
# One call writes the whole file: inputs, targets, weights and learning rate in cells that you can change, a row for each update,
# the chart, and a second sheet with six learning rates side by side.

# %%
folder = Path(tempfile.mkdtemp())
ours = workbook.write_workbook(folder / "ours.xlsx", network, updates=100)
print(f"{ours.name}: {ours.stat().st_size // 1000} kB")

# %% [markdown]
# On the book's site you can <a href="_static/backpropagation.xlsx" download>download such a workbook</a>, with 200 updates. Open it in
# Excel, LibreOffice or Google Sheets, change a blue number, and watch every row follow. From a terminal, `cellgrad workbook mine.xlsx`
# writes yours.
#
# Is the file right? A test of this book opens it in LibreOffice, throws all stored numbers away, recalculates and compares every cell
# with the table above. They agree to within $10^{-12}$.
#
# ## A mistake that the loss curve hides
#
# This exercise is popular, and a template of the spreadsheet makes the rounds. Its derivatives for $w_1 \dots w_4$ are wrong:
# where the deltas of the outputs should come back through the *weights*, the template uses $\frac{\partial E}{\partial w_5}$ and
# $\frac{\partial E}{\partial w_7}$, which carry the *activation* $a_{h1}$ instead. Let us make that mistake ourselves, in a copy of our file.

# %%
letter = {name: get_column_letter(2 + COLUMNS.index(name)) for name in COLUMNS}


def template_mistake(k, row):
    """The template's formula for the derivative by w1 … w4 in one row."""
    upper = ["dE_dw5", "dE_dw7", "a_h1"] if k <= 2 else ["dE_dw6", "dE_dw8", "a_h2"]
    names = [*upper, "i1" if k % 2 else "i2"]
    a, b, h, i = (f"{letter[name]}{row}" for name in names)
    return f"=({a}+{b})*{h}*(1-{h})*{i}"


copy = openpyxl.load_workbook(ours)
for row in range(12, 113):  # updates 0 to 100
    for k in (1, 2, 3, 4):
        copy["Descent"][f"{letter[f'dE_dw{k}']}{row}"] = template_mistake(k, row)
copy.save(folder / "mistaken.xlsx")
template_mistake(1, 12)


# %% [markdown]
# Would you notice? Here is the loss with the right derivatives and with the mistaken ones.

# %%
def mistaken_gradient(network):
    row = network.row()
    slopes = network.gradient()
    # for w1 … w4: the two derivatives added, the hidden unit, the input
    used = [(5, 7, 1, 1), (5, 7, 1, 2), (6, 8, 2, 1), (6, 8, 2, 2)]
    for k, (a, b, h, i) in enumerate(used):
        flat = row[f"a_h{h}"] * (1 - row[f"a_h{h}"])
        slopes[k] = (row[f"dE_dw{a}"] + row[f"dE_dw{b}"]) * flat * row[f"i{i}"]
    return slopes


# %% mystnb={"image": {"alt": "Two loss curves on top of each other: one with the right derivatives, solid, and one with the mistaken ones, dashed. They cannot be told apart."}}
visited = [network]
for update in range(100):
    step = mistaken_gradient(visited[-1])
    visited.append(ToyNetwork(weights=np.array(visited[-1].weights) - 1.0 * step))

plt.plot(table["E_total"], label="right derivatives")
plt.plot([n.loss() for n in visited], "--", label="mistaken derivatives")
plt.xlabel("update")
plt.ylabel(r"loss $E_\mathrm{total}$")
plt.legend()
plt.show()

# %% [markdown]
# Why does it fall all the same? A small enough step makes the loss smaller as long as it points downhill at all: as long as the mistaken
# gradient and the true one are less than 90° apart. How far apart are they along the way, and by which factor is the derivative by
# $w_1$ off?

# %%
for update in (0, 10, 50, 100):
    right, wrong = visited[update].gradient(), mistaken_gradient(visited[update])
    cosine = right @ wrong / np.linalg.norm(right) / np.linalg.norm(wrong)
    angle = np.degrees(np.arccos(cosine))
    factor = wrong[0] / right[0]
    print(f"update {update:3}: {angle:.2f}° apart, w1 off by {factor:.2f}")


# %% [markdown]
# Almost no angle, since the last four derivatives are right and much larger. And yet half of the derivative columns are wrong, first by little, then by more
# and more; in the end one has even the wrong sign. Nothing of that shows in the loss.
#
# Two things catch it. One is the gradient check of the last chapter, central differences against the formula: it needs no
# derivation. The mistaken derivatives, checked in the very first row:

# %%
def loss_of(weights):
    return ToyNetwork(weights=weights).loss()


numeric = []
for step in np.eye(8) * 1e-5:
    up, down = loss_of(network.weights + step), loss_of(network.weights - step)
    numeric.append((up - down) / 2e-5)
mistaken = mistaken_gradient(network)
checked = pd.DataFrame({"mistaken": mistaken, "check": numeric}, index=names)
checked["mistaken / check"] = checked["mistaken"] / checked["check"]
checked.round(6)

# %% [markdown]
# The last column should be 1 everywhere. The other way to catch it reads the spreadsheet itself.
#
# ## The audit
#
# `cellgrad audit FILE.xlsx` finds the table in a workbook, wherever it stands and however its columns are labelled, reads the *formulas*, turns
# each into a SymPy expression and compares it with the derivation. First our own file, then the copy with the mistake:

# %%
print("our own file is all right:", audit(ours).all_right)

# %%
report = audit(folder / "mistaken.xlsx")
for table_found in report.tables:
    for finding in table_found.findings:
        print(f"{finding.cells}: {finding.message}\n")

# %% [markdown]
# It names the cells and, because it knows this mistake, says it in words; `print(report)` shows the formulas too. The book's authors looked at ten public spreadsheets of this exercise that keep their
# formulas. Nine had a mistake in their derivatives. If you made one yourself, audit it.
#
# ## Recap
#
# - Gradient descent: every weight moves against its derivative, in proportion to the learning rate; then everything is
#   computed anew.
# - A row of the spreadsheet is one forward pass, one backward pass and the numbers that the next row starts from.
# - Where a sigmoid is flat, learning is slow.
# - A falling loss does not prove the gradient: any small enough step within 90° of downhill lowers it. Check the gradient itself.
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
# The first number agrees with the one he prints. The later ones he prints, 0.291027924 after the first update and 0.0000351085 after 10,000, differ from
# these from about the seventh decimal place on.
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
# **4.** Plant a mistake of your own in a copy of the workbook and audit it: swap $w_6$ and $w_7$ somewhere, drop a factor, multiply one
# formula by 1.001. Is there one that it does not find?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# copy = openpyxl.load_workbook(ours)
# cell = copy["Descent"][f"{letter['dE_dw3']}40"]
# cell.value = f"{cell.value}*1.001"
# copy.save(folder / "planted.xlsx")
# print(audit(folder / "planted.xlsx"))
# ```
#
# It finds one cell in the middle of a column that is off by one part in a thousand, because it compares formulas and not
# numbers. If you find a mistake that it misses, please open an issue.
# </details>
#
# ## What's next
#
# *Learning rates*: six loss curves, and the number that predicts their slopes.
