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
# with a row for each [update](glossary.md#term-update). Here it is a loop first, and then a real spreadsheet with live formulas.
#
# That is the first half, and all that the next chapter needs. The second half tells of mistakes, and can be read on other days: one that a
# loss curve hides, and how to catch it; seventy workbooks of other people; a number in a well-known tutorial that would not agree; and a judge for your own sheet.
#
# **You will be able to** write gradient descent in a few lines, read the spreadsheet's 31 columns, build a live workbook
# of it, and find a mistake that the loss curve hides.
#
# **You need** [The network](01-the-network.ipynb), [Slopes](02-slopes.ipynb) and [Its derivatives](03-its-derivatives.ipynb).

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
import json
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import openpyxl
import pandas as pd
import sympy as sp
from openpyxl.utils import get_column_letter

from cellgrad import check, plotting
from cellgrad.spreadsheet import workbook
from cellgrad.spreadsheet.audit import audit
from cellgrad.spreadsheet.printer import excel_formula
from cellgrad.toynet import COLUMNS, ToyNetwork

plotting.use_house_style()

# %% [markdown]
# The next two cells hold the eleven definitions of [The network](01-the-network.ipynb#eleven-definitions) and the twelve lines of the
# backward walk from [Its derivatives](03-its-derivatives.ipynb#step-3-backwards-through-the-weights), and a `follow` that does the same as there, only faster. Open them if you want to see them again.

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
# ## One update
#
# A derivative says how the loss changes when its weight grows. To make the loss smaller, each weight
# goes the other way, in proportion. The factor is the [learning rate](glossary.md#term-learning-rate) $\eta$ (read: eta):
#
# $$w \leftarrow w - \eta \, \frac{\partial E}{\partial w} \tag{4.1}$$
#
# The arrow says what the new weight is: the old one minus $\eta$ times its derivative. By hand, for $w_5$ and $\eta = 1$: $0.4 - 1 \times 0.01288 = 0.38712$. All eight derivatives are positive here, so all eight
# weights should shrink, and the loss with them.

# %% tags=["core"]
sheet = network | backward
row = follow(sheet, given)
learning_rate = 1.0
updated = {w: row[w] - learning_rate * row[slope] for w, slope in zip(WEIGHTS, dE)}
print(f"w5:   {row[w5]:.5f} becomes {updated[w5]:.5f}")
after = follow(sheet, given | updated)
print(f"loss: {row[E_total]:.5f} becomes {after[E_total]:.5f}")


# %% [markdown]
# Both fall. To do this again and again is called [gradient descent](glossary.md#term-gradient-descent).
#
# ## Row after row
#
# A row of the sheet is one forward pass and one backward pass. Its derivatives make the weights of the next row. So the whole sheet is a loop
# over rows:

# %% tags=["core"]
def descend(sheet, given, learning_rate, updates):
    """The table of a descent: row 0 is the network before the first update."""
    known, rows = dict(given), []
    for update in range(updates + 1):
        row = follow(sheet, known)
        rows.append({str(name): value for name, value in row.items()})
        for weight, slope in zip(WEIGHTS, dE):
            known[weight] = row[weight] - learning_rate * row[slope]
    return pd.DataFrame(rows).rename_axis("update")


table = descend(sheet, given, learning_rate=1.0, updates=100)
table.loc[:3, ["w5", "a_o1", "a_o2", "E_total", "dE_dw5"]].round(5)

# %% [markdown]
# *Table 4.1. The first rows of the sheet, one for each update: one weight, both outputs, the loss, and the derivative with respect to that weight.*
#
# Read along a row: weights give outputs, outputs give the loss, and the derivatives make the next row's weights. The value of $w_5$ in row 1 is the one that we
# computed by hand.
#
# The package has the same loop, `ToyNetwork().descend`. It compiles all formulas into one function, and so it is faster. After 100 updates the two
# should still agree.

# %%
package = ToyNetwork().descend(learning_rate=1.0, updates=100)
last = pd.DataFrame({"typed here": table.loc[100], "cellgrad": package.loc[100]})
largest = (last["typed here"] - last["cellgrad"]).abs().max()
print(f"largest difference of the 31: {largest:.12f}")
last.loc[["w1", "w5", "a_o1", "E_total", "dE_dw5"]].map("{:.8f}".format)

# %% [markdown]
# *Table 4.2. Five numbers after 100 updates, from our loop and from the package's.*
#
# They do: the printed line compares all columns, to twelve decimal places. As a spreadsheet, the table has 31 columns: the 12 given numbers, the eleven definitions and the eight derivatives. (The four δ have no columns of their own there: they are written out
# inside the formulas for the derivatives.) This is how they lie side by side:

# %% mystnb={"image": {"alt": "Three rows of a spreadsheet as coloured cells, with arrows from the derivatives at the right end of each row to the two groups of weights in the next row. Below, a key: columns B to C targets, D to E inputs, F to I weights into the hidden units, J to M hidden units, N to Q weights into the outputs, R to U outputs, V to X errors and loss, Y to AF derivatives."}} tags=["hide-input"]
plotting.draw_sheet()
plt.show()

# %% [markdown]
# *Figure 4.1. The spreadsheet. Each row is one update; its derivatives, at the right, make the weights of the row below.*
#
# ## The loss falls
#
# The derivatives shrink as the outputs come near their targets, so expect a curve that falls fast at first and then
# more and more slowly.

# %% mystnb={"image": {"alt": "The loss against the number of updates at learning rate 1: it starts above 0.014, falls steeply, has nearly vanished after some fifty updates and then creeps along the axis."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.4))
plotting.plot_losses(table["E_total"], ax=ax)
plt.show()

# %% [markdown]
# *Figure 4.2. One pair of inputs with its targets, again and again, at learning rate 1: the loss falls fast at first, then more and more slowly.*

# %% [markdown]
# How does the network do it? You might expect all eight weights to do their part.

# %% mystnb={"image": {"alt": "Two panels. Left: both outputs fall from above 0.6 to their target 0.5. Right: the change of each weight since the start; w5 to w8 fall by 0.4 to 0.5, while w1 to w4 hardly move."}} tags=["hide-input"]
names = [str(weight) for weight in WEIGHTS]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.6))
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
# *Figure 4.3. What moves. The weights into the outputs do nearly all of the work; the lower pair of their curves is $w_7$ and $w_8$.*
#
# The first four hardly move: their derivatives were the small ones. By how much does each group move in all?

# %% tags=["core"]
moved = {weight: abs(table[str(weight)][100] - given[weight]) for weight in WEIGHTS}
print(f"w1 … w4: {sum(list(moved.values())[:4]):.3f}")
print(f"w5 … w8: {sum(list(moved.values())[4:]):.3f}")

# %% [markdown]
# Keep this in mind: in this exercise, the first four weights hardly learn.
#
# ## Other targets
#
# The same spreadsheet circulates with the targets 0.01 and 0.99. One output must go down and the other up, towards
# values that a sigmoid reaches only far from its middle. Do 100 updates bring the loss below one thousandth, as they did before?

# %% tags=["core"]
spread = descend(sheet, given | {t1: 0.01, t2: 0.99}, 1.0, updates=100)
for name, run in (("0.5, 0.5", table), ("0.01, 0.99", spread)):
    print(f"targets {name:10}  loss after 100 updates {run['E_total'][100]:.5f}")

# %% [markdown]
# No: the second loss is still above one hundredth. On a *logarithmic* axis, each grid line stands for a tenth of the one above. There, the curve of a descent that
# removes the same share of its loss at each update is straight. Which of the two is?

# %% mystnb={"image": {"alt": "Loss against updates on a logarithmic axis for both pairs of targets. With 0.5 and 0.5 the loss falls along a nearly straight line by nearly three orders of magnitude; with 0.01 and 0.99 it starts much higher, bends more and more towards the horizontal, and has fallen by a little more than one at the end."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.6))
ax.plot(table["E_total"], label="targets 0.5, 0.5")
ax.plot(spread["E_total"], label="targets 0.01, 0.99")
ax.set(yscale="log", xlabel="update", ylabel=r"loss $E_\mathrm{total}$")
ax.legend()
plt.show()

# %% [markdown]
# *Figure 4.4. The same descent with two pairs of targets. The straight one removes nearly the same share at each update, the bent one, after the first few, less and less.*
#
# The farther out an output is, the flatter is its sigmoid, and every derivative carries that slope, $a(1-a)$, as a factor:

# %% tags=["core"]
outputs = spread.loc[[0, 100], ["a_o1", "a_o2"]]
(outputs * (1 - outputs)).round(3)

# %% [markdown]
# Both slopes have shrunk to less than half. [Learning rates](05-learning-rates.ipynb) finds out what sets how steeply such a curve falls.
#
# ## As a real spreadsheet
#
# A table of numbers cannot be played with. So let us build the real thing: the same expressions, printed in the language of
# a spreadsheet. Row 12 holds the network before the first update, and Figure 4.1 says which column is which.

# %%
letter = {name: get_column_letter(2 + COLUMNS.index(name)) for name in COLUMNS}
cells = {sp.Symbol(name, real=True): f"{letter[name]}12" for name in COLUMNS}
print(excel_formula(backward[dE[4]].subs(backward), cells))

# %% [markdown]
# This is $\partial E / \partial w_5$: the miss, the slope of the sigmoid, the hidden activation. One call writes the whole file, with
# inputs, targets, weights and learning rate in cells that you can change, a row for each update, the chart, and a
# second sheet with six learning rates side by side, each of them computed on a sheet of its own.

# %%
folder = Path(tempfile.mkdtemp())
ours = workbook.write_workbook(folder / "ours.xlsx", ToyNetwork(), updates=100)
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
# Here the second half begins. You can go on to [Learning rates](05-learning-rates.ipynb) now and come back; exercises 1 to 4 need no more than you have read.
#
# The derivatives of $w_1 \dots w_4$ need the outputs' $\delta$, brought back through the *weights* $w_5 \dots w_8$, as equation (3.2) does. A template of this spreadsheet, which the
# [exercise that this book starts from](https://github.com/Sachin-Bharadwaj/TSAI-S6) follows too (in its file `Class BP File.xlsx`), has something else there.
# For $w_1$ and $w_2$ the sum $\delta_{o1} w_5 + \delta_{o2} w_7$ belongs. The template has $\frac{\partial E}{\partial w_5} + \frac{\partial E}{\partial w_7}$, which is $\delta_{o1} a_{h1} + \delta_{o2} a_{h1}$. For $w_3$ and $w_4$ it does the same, with $w_6$ and $w_8$. It looks similar, but an *activation* stands where the weights should be. Let us make that mistake.

# %% tags=["core"]
mistaken = {name: sheet[name] for name in sheet if name not in dE[:4]}
mistaken |= {
    dE[0]: (dE[4] + dE[6]) * a_h1 * (1 - a_h1) * i1,
    dE[1]: (dE[4] + dE[6]) * a_h1 * (1 - a_h1) * i2,
    dE[2]: (dE[5] + dE[7]) * a_h2 * (1 - a_h2) * i1,
    dE[3]: (dE[5] + dE[7]) * a_h2 * (1 - a_h2) * i2,
}
hidden_mistake = descend(mistaken, given, learning_rate=1.0, updates=100)


# %% [markdown]
# Would you notice? Here is the loss with the right derivatives and with the mistaken ones.

# %% mystnb={"image": {"alt": "Two loss curves on top of each other: one with the right derivatives, solid, and one with the mistaken ones, dashed. They cannot be told apart."}} tags=["hide-input"]
def compare(right, wrong):
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    ax.plot(right["E_total"], label="right")
    ax.plot(wrong["E_total"], "--", color=plotting.RED, label="mistaken")
    ax.set(xlabel="update", ylabel=r"loss $E_\mathrm{total}$")
    ax.set_ylim(bottom=0)
    ax.legend()
    plt.show()


compare(table, hidden_mistake)

# %% [markdown]
# *Figure 4.5. Right and mistaken, at the exercise's weights. The curves cannot be told apart.*
#
# Why does it fall all the same? [Slopes](02-slopes.ipynb#and-all-eight-knobs) gives the answer: the change of the loss is foretold by the sum of
# each *true* derivative times the turn of its weight. The turn here is $-\eta$ times the *mistaken* derivative. So the loss falls, if the steps are small enough, as long as the sum
#
# $$\sum_k \text{right}_k \times \text{mistaken}_k \tag{4.2}$$
#
# is positive. With two weights instead of eight, one can draw it. Say that the right gradient is (2, 1): two steps to the right, one up. A mistaken one of (1, 2) gives the
# sum $2 \cdot 1 + 1 \cdot 2 = 4$, and as arrows the two are some 37° apart. A mistaken one of (−2, 1) gives $2 \cdot (-2) + 1 \cdot 1 = -3$, and the arrows are more than 90° apart. So it is always (we take this from geometry): the sum is positive when the arrows are less than 90° apart, and negative when they are more.

# %% mystnb={"image": {"alt": "Two panels, each with an upward arrow, the right gradient, and a second arrow, a mistaken one; the lower half, where steps lower the loss, is shaded. Left, the arrows are 37 degrees apart and the step against the mistaken one ends in the shaded half. Right, they are 118 degrees apart, and the step ends outside of it."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.3))
plotting.draw_two_gradients(37, left)
plotting.draw_two_gradients(118, right)
plt.show()


# %% [markdown]
# *Figure 4.6. A step against a mistaken gradient still goes down if the two are less than 90° apart, and goes up if they are more. (Turned so that the right one points up. 37° is the angle of the example, 118° the one that we meet below.)*
#
# For eight weights nobody can draw the arrows, but the sum in equation (4.2) is as easy to compute, and from it the angle. One divides it by the lengths of both arrows (a length is the root of
# the sum of the squares, as Pythagoras has it); what comes out is 1 for arrows in the same direction, 0 at 90° and negative beyond. Trigonometry calls it the *cosine* of the angle, and `np.arccos` turns it back into an angle (which `np.degrees` says in degrees).
#
# How far apart are the two gradients along the way? And how wrong is the derivative of $w_1$: its difference from the right one, and its ratio to it?

# %% tags=["core"]
def angle(right, wrong):
    cosine = right @ wrong / np.linalg.norm(right) / np.linalg.norm(wrong)
    return np.degrees(np.arccos(min(cosine, 1)))


rows = []
for update in (0, 10, 50, 100):
    there = {weight: hidden_mistake[str(weight)][update] for weight in WEIGHTS}
    right, wrong = (follow(s, given | there) for s in (sheet, mistaken))
    right, wrong = (np.array([row[name] for name in dE]) for row in (right, wrong))
    rows.append((angle(right, wrong), wrong[0] - right[0], wrong[0] / right[0]))
off = pd.DataFrame(rows, columns=["angle (°)", "w1 off by", "w1 ratio"])
off.set_axis([0, 10, 50, 100]).rename_axis("update").round(6)

# %% [markdown]
# *Table 4.3. How far the mistaken gradient is from the right one at four of the updates: the angle between them, and the difference and the ratio of their derivatives with respect to $w_1$.*
#
# Hardly any angle, since the last four derivatives are right and much larger. The derivative of $w_1$ is wrong at every update. Its difference from the right one grows at first and
# then shrinks with the whole gradient. The ratio explodes, but this means less than it seems to: late in the descent $w_5$ and
# $w_7$ pass through zero, the right derivative with them, and the ratio divides by nearly nothing.
#
# ## Where the mistake matters
#
# Is it harmless, then? Only where the first four weights hardly matter. Take larger inputs, so that the first layer has something to say, and negative weights on the way out.
# The right $\delta$ of a hidden unit then has the opposite sign of $\delta_{o1}$ and $\delta_{o2}$; the mistaken one keeps theirs. Expect the two gradients to disagree about the direction. (The numbers below are picked by hand, by this thought; exercise 7 asks how one would search for such a start.)

# %% tags=["core"]
start = given | {i1: 1, i2: 2}
start |= dict(zip(WEIGHTS, [-0.15, -0.2, -0.25, -0.3, -4, -4.5, -5, -5.5]))
right, wrong = (descend(s, start, 1.0, updates=100) for s in (sheet, mistaken))
slopes = [str(name) for name in dE]
apart = angle(right.loc[0, slopes].to_numpy(), wrong.loc[0, slopes].to_numpy())
print(f"{apart:.0f}° apart at the start")
print(f"right    {right['E_total'][0]:.3f} becomes {right['E_total'][100]:.4f}")
print(f"mistaken {wrong['E_total'][0]:.3f} becomes {wrong['E_total'][100]:.4f}")
longer = descend(mistaken, start, 1.0, updates=2000)["E_total"]
print(f"mistaken, after 1000 updates {longer[1000]:.4f},", end=" ")
print(f"after 2000 {longer[2000]:.4f}")

# %% mystnb={"image": {"alt": "Loss over 100 updates from the other start. With the right derivatives it falls from 0.21 to nearly zero. With the mistaken derivatives it rises all the way, to 0.24."}} tags=["hide-input"]
compare(right, wrong)

# %% [markdown]
# *Figure 4.7. The same two sets of formulas from another start. The right one learns; the mistaken one makes the loss larger at every one of these updates.*
#
# Later the mistaken loss does come down, as the last printed line says, but it stops far from zero.
#
# So a falling loss proves little. With inputs of 0.05 and 0.1, the mistake had no chance to show.

# %% [markdown]
# Try it yourself: *Update* adds a row to the sheet, and under *Derivatives by* you can choose the right formulas or ones with a mistake. Go first from the book's start. Once a mistake is chosen, a second button appears, *A start where this fails*.

# %% tags=["hide-input"]
from cellgrad import figures
from cellgrad.toynet import ToyNetwork

figures.network(ToyNetwork())


# %% [markdown]
# If you moved it, you saw: from the book's start the two curves are hard to tell apart. From the other start the right formulas soon bring the loss down, and the mistaken ones do not, or need far longer.

# %% [markdown]
# ## How to catch it
#
# The check of the last chapter does it, central differences against the formula. It needs no derivation. The mistaken derivatives, checked in
# the very first row of the exercise:

# %% tags=["core"]
def nudged(weight, nudge=1e-5):
    up, down = (
        follow(network, given | {weight: given[weight] + turn})[E_total]
        for turn in (nudge, -nudge)
    )
    return (up - down) / (2 * nudge)


compared = pd.DataFrame({"mistaken": hidden_mistake.loc[0, slopes].to_numpy()})
compared["nudged"] = [nudged(weight) for weight in WEIGHTS]
compared["mistaken / nudged"] = compared["mistaken"] / compared["nudged"]
compared.set_axis([str(weight) for weight in WEIGHTS]).round(5)

# %% [markdown]
# *Table 4.4. The mistaken derivatives in the first row of the sheet, those by central differences, and the ratio of the two, for each weight.*
#
# The last column should be 1 everywhere, and in the first four rows it is not. Another way is to read the *formulas* and compare each with the derivation. That needs no numbers at all, and finds a mistake at the start where it hides as well.

# %% [markdown]
# ## Seventy workbooks
#
# How do other people fare? We collected the formulas of 70 public workbooks of this exercise (from 65 repositories of the years 2021 to 2025, those that keep
# their formulas): the eight derivatives of the first row, with cell references replaced by the names of the columns. Equal sets are
# counted together. The file is part of the package, without names, and you can repeat the verdict: read each formula with SymPy, subtract the right one, and see whether
# anything is left. How many of the 70 would you expect to have all eight right?

# %%
file = resources.files("cellgrad") / "results" / "public_formulas.json"
public = json.loads(file.read_text(encoding="utf-8"))["rows"]
letters = {str(s): s for s in [*given, *network, *backward]}
formulas = {name: backward[name].subs(backward).subs(backward) for name in dE}


def wrong_columns(theirs):
    """The weights whose derivative is not the right one, however it is written."""
    wrong = []
    for weight, name in zip(WEIGHTS, dE):
        formula = sp.sympify(theirs[str(name)], locals=letters).subs(formulas)
        if sp.expand(formula - formulas[name]) != 0:
            wrong.append(str(weight))
    return ", ".join(wrong) or "none"


# %% tags=["hide-output"]
verdicts = [(wrong_columns(row["derivatives"]), row["workbooks"]) for row in public]
census = pd.DataFrame(verdicts, columns=["wrong derivatives", "workbooks"])
census = census.groupby("wrong derivatives").sum()
census = census.sort_values("workbooks", ascending=False)
census.loc["all"] = census.sum()
counted = census["workbooks"]
print(f"all eight right: {counted['none']} of {counted['all']} workbooks")

# %% [markdown]
# The package has the same judge, which `cellgrad audit` uses for every formula that it reads. It sorts by the kind of mistake: the activation of one hidden unit in place of the other's, or something else. Both verdicts together:

# %% tags=["hide-input"]
from cellgrad.spreadsheet import census as judged

both = judged().assign(columns=[columns for columns, _ in verdicts])
both = both.rename(columns={"columns": "wrong derivatives"})
both = both.groupby(["wrong derivatives", "judgement"])["workbooks"].sum()
both.sort_values(ascending=False, kind="stable").reset_index()

# %% [markdown]
# *Table 4.5. How many of the public workbooks have which of the eight derivatives wrong, and by which kind of mistake.*
#
# 28 of the 70 have all eight right; 42 have a mistake. Every mistake is in the first four columns, where at the exercise's weights the loss can hardly show it. 35 of the 42 have one and the same mistake, the first row with a mistake in the table, and nearly all of these letter for letter. Here is its formula for $\partial E / \partial w_3$. Do you see the slip? And how many have the mistake of the template, which we made above?

# %% tags=["hide-input"]
row_0 = follow(network, given)
most = max(public, key=lambda row: row["workbooks"])
common_slip = most["derivatives"]["dE_dw3"]
print(most["workbooks"], "letter for letter:")
print(common_slip.replace("+(", "\n +(").replace("w8)*", "w8)\n  *"))
for a in (a_h1, a_h2):
    print(f"{a} (1 - {a}) = {row_0[a] * (1 - row_0[a]):.5f}")

template, like_it = sp.expand(mistaken[dE[0]].subs(formulas)), 0
for row in public:
    theirs = sp.sympify(row["derivatives"]["dE_dw1"], locals=letters)
    if sp.expand(theirs.subs(formulas)) == template:
        like_it += row["workbooks"]
print("the template's mistake:", like_it)

# %% [markdown]
# Only one workbook follows the template. In the common mistake, the last factors should be those of the *second* hidden unit, $a_{h2} (1 - a_{h2})$: it looks like the formula for $w_1$, copied and not adapted to the end. At the weights
# of the exercise both activations are near one half, and the two products differ by less than one part in a thousand. Elsewhere they differ by more. Here is a start at which the first hidden unit is far out, where its sigmoid is flat, and the second one is not:

# %% tags=["core"]
copied = (d_o1 * w6 + d_o2 * w8) * a_h1 * (1 - a_h1)
common = sheet | {dE[2]: copied * i1, dE[3]: copied * i2}

start = given | {t1: 0.99, t2: 0.99, i1: 2, i2: 1}
start |= dict(zip(WEIGHTS, [3.9, -1.4, -2.4, 5.8, -0.6, -5.8, -1.9, -5.2]))
there = follow(network, start)
for a in (a_h1, a_h2):
    print(f"{a} (1 - {a}) = {there[a] * (1 - there[a]):.5f}")
for name, formulas_used in (("right", sheet), ("copied", common)):
    losses = descend(formulas_used, start, 1.0, updates=300)["E_total"]
    print(f"{name:7} {losses[0]:.3f}, after 60 updates {losses[60]:.3f},",
          f"below 0.02 at {(losses < 0.02).idxmax()}")

# %% [markdown]
# After sixty updates the right formulas have brought the loss to 0.018, and the copied ones have hardly moved. They do get there, but need more than three times as many updates. The two slopes say why: with the copied one in its formulas, the second hidden unit's two weights take steps more than a hundred times too small. So the mistake does not stop this descent; it makes it late. Whoever sees this one curve, and not the right one beside it, has no reason to suspect the formulas.
#
# ## A number that would not agree
#
# [Matt Mazur's step-by-step example](https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/) has taught this network to a great many people.
# It has fixed biases of 0.35 and 0.6, targets 0.01 and 0.99, and learning rate 0.5. We compare five of the numbers on his page: three losses and, at the end, two outputs. What do we get?

# %% tags=["hide-input"]
mazur = ToyNetwork(targets=(0.01, 0.99), biases=(0.35, 0.6))
plain = mazur.descend(learning_rate=0.5, updates=10_000)


def five_numbers(first, second, last):
    return {"loss at the start": f"{first['E_total']:.9f}",
            "after 1 update": f"{second['E_total']:.9f}",
            "after 10,000": f"{last['E_total']:.10f}",
            "first output then": f"{last['a_o1']:.9f}",
            "second output": f"{last['a_o2']:.9f}"}


ours_now = five_numbers(*(plain.loc[row] for row in (0, 1, 10_000)))
his = ["0.298371109", "0.291027924", "0.0000351085", "0.015912196", "0.984065734"]
compared = pd.DataFrame({"his page": his, "ours": ours_now}, index=list(ours_now))
compared

# %% [markdown]
# *Table 4.6. Five numbers of the example, from its page and from our descent.*
#
# The first number agrees to all digits. The second differs in the seventh decimal place, far more than rounding can explain. Which of the two is right? Ours has four witnesses (without the biases, which only add a constant to a sum): the walk,
# SymPy, nudges and autograd. So we look for a slip that gives *his* number.
#
# One suggests itself: to update $w_5 \dots w_8$ first, and then to compute the derivatives of $w_1 \dots w_4$ with the weights that are *already new*. (His page warns against just this.) We make the slip on purpose, 10,000 times:

# %%
letters = [*given, *network]
first_four = sp.lambdify(letters, [formulas[name] for name in dE[:4]])
visited = [mazur]
for update in range(10_000):
    row = visited[-1].row()
    for k in (5, 6, 7, 8):
        row[f"w{k}"] -= 0.5 * row[f"dE_dw{k}"]
    # The slip: w5 … w8 in this row are new, and all else is still old.
    late = first_four(*(row[str(letter)] for letter in letters))
    for k, slope in zip((1, 2, 3, 4), late):
        row[f"w{k}"] -= 0.5 * slope
    visited.append(replace(mazur, weights=[row[str(weight)] for weight in WEIGHTS]))

# %%
with_slip = five_numbers(*(visited[row].row() for row in (0, 1, 10_000)))
compared["with the slip"] = pd.Series(with_slip)
compared[["his page", "with the slip"]]

# %% [markdown]
# *Table 4.7. The five numbers of the page again, and those of our descent with the slip.*
#
# It does: the loss after the first update and both outputs are his, digit for digit. One number is left over, the loss after 10,000 updates, which neither run gives. Look one row up,
# in the table of the right way:

# %%
print(f"after 9,999, the right way: {plain['E_total'][9_999]:.10f}")

# %% [markdown]
# There it is. So each of the five is found in one of two runs: two losses and the outputs in one with the slip, the last loss in one without it that ended one update earlier. How they came onto one
# page we cannot know. The slip is harmless, for the descent hardly changes. But each time a number would not agree there was a reason, and it could be found.

# %% [markdown]
# ## Your own
#
# Have you made this sheet yourself, or do you have to mark somebody's? An [audit](glossary.md#term-audit) reads the spreadsheet: `cellgrad audit FILE.xlsx` finds the table in a
# workbook, wherever it stands and however its columns are labelled, turns each formula into a SymPy expression and compares it with the derivation. It says of each column whether it is right, wrong, or not checked. `cellgrad audit FILE.xlsx --html report.html` writes a page to look at: the sheet with its wrong cells marked, the right formula to paste, and two loss curves, theirs and the right one.
# Here it reads our own workbook, and somebody's, made for the purpose: ours, with the copied slip in one column.

# %% tags=["hide-input"]
workbook.write_workbook(folder / "somebodys.xlsx", updates=3)
book = openpyxl.load_workbook(folder / "somebodys.xlsx")
for row in range(12, 16):  # updates 0 to 3
    cell = book["Descent"][f"{letter['dE_dw3']}{row}"]
    cell.value = cell.value.replace(f"M{row}", f"K{row}")
book.save(folder / "somebodys.xlsx")

# %%
print("findings in ours:", sum(len(table.findings) for table in audit(ours).tables))
descent, *others = audit(folder / "somebodys.xlsx").tables
for found in descent.findings:
    print(f"{found.cells}: {found.message}")
print("on the other sheets:", sum(len(table.findings) for table in others))

# %% [markdown]
# It names the cells and, because it knows this mistake, says in words what is wrong.
#
# ## Recap
#
# - Gradient descent: every weight moves against its derivative, in proportion to the learning rate; then everything is
#   computed anew.
# - A row of the spreadsheet is one forward pass, one backward pass and the numbers that the next row starts from.
# - Where a sigmoid is flat, learning is slow.
# - A falling loss does not prove the gradient. Any small enough step less than 90° from downhill lowers it, and a mistake that hides at one start can show at another. Check the gradient itself.
# - Of 70 public workbooks, 28 have all eight derivatives right.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *By hand.* Compute the second row's $w_7$ and $w_1$ from $\partial E / \partial w_7 = 0.01541$ and $\partial E / \partial w_1 = 0.00032$, at learning rate 2.
#
# *Check:* `check("04.1", …)` with the second row's $w_7$ and $w_1$.
#
# <details>
# <summary>Hint</summary>
#
# Old weight minus learning rate times derivative.
# </details>
# <details>
# <summary>Solution</summary>
#
# $0.5 - 2 \times 0.01541 = 0.46918$ and $0.15 - 2 \times 0.00032 = 0.14936$. (The sheet has one more in the last digit of $w_1$, because 0.00032 is itself rounded.)
#
# ```python
# row = descend(sheet, given, 2.0, updates=1).loc[1]
# print(row[["w7", "w1"]].round(5).to_dict())
# check("04.1", (0.5 - 2 * 0.01541, 0.15 - 2 * 0.00032))
# ```
#
# ```text
# {'w7': 0.46918, 'w1': 0.14937}
# Right.
# ```
# </details>
#
# **2.** Make the loss *rise*. What do you have to change in the loop, and does it rise without end?
#
# *Check:* `check("04.2", …)` with the number that the loss can never exceed.
#
# <details>
# <summary>Hint</summary>
#
# One sign. And how far from 0.5 can an output be at most?
# </details>
# <details>
# <summary>Solution</summary>
#
# Flip the sign of the update. The loss rises, but not without end: an output is a sigmoid, so it stays between 0 and
# 1, and each error is at most $\frac12 \cdot 0.5^2$ for a target of 0.5.
#
# ```python
# climbing = ToyNetwork()
# for update in range(2000):
#     weights = np.array(climbing.weights) + 1.0 * climbing.gradient()
#     climbing = ToyNetwork(weights=weights)
# print(f"{climbing.loss():.4f}, and can never exceed {2 * 0.5 * 0.5**2}")
# check("04.2", 0.25)
# ```
#
# ```text
# 0.2484, and can never exceed 0.25
# Right.
# ```
# </details>
#
# **3.** After how many updates is the loss below one millionth, at learning rate 1 and at learning rate 2? Guess the
# ratio before you look.
#
# *Check:* `check("04.3", …)` with the number of updates at learning rate 1 and at 2.
#
# <details>
# <summary>Hint</summary>
#
# `ToyNetwork().descend(rate, updates=500)["E_total"]` is fast. Ask for the first row in which the loss is below `1e-6`.
# </details>
# <details>
# <summary>Solution</summary>
#
# Twice the rate takes about half the updates. That cannot go on for ever, and the next chapter shows where it ends.
#
# ```python
# counted = []
# for rate in (1.0, 2.0):
#     losses = ToyNetwork().descend(rate, updates=500)["E_total"]
#     counted.append((losses < 1e-6).idxmax())
#     print(rate, counted[-1])
# check("04.3", counted)
# ```
#
# ```text
# 1.0 148
# 2.0 73
# Right.
# ```
# </details>
#
# **4.** Never update $w_1 \dots w_4$ at all. Is the loss after 100 updates much worse? Guess from Figure 4.3.
#
# *Check:* `check("04.4", …)` with the loss with the first four frozen, divided by the loss with all eight, after 100 updates.
#
# <details>
# <summary>Hint</summary>
#
# Put 0 in the place of their four formulas.
# </details>
# <details>
# <summary>Solution</summary>
#
# Not worse at all, at this start: it is even a little smaller. The last four weights can do it alone, and this is the reason why a mistake in the first four columns stays unseen. (When the first four weights fall too, the hidden activations fall a little with them, and each derivative of the last four is multiplied by one of these.)
#
# ```python
# frozen = sheet | {name: sp.Integer(0) for name in dE[:4]}
# alone = descend(frozen, given, 1.0, updates=100)["E_total"][100]
# ratio = alone / table["E_total"][100]
# print(f"all eight {table['E_total'][100]:.4e}", end="   ")
# print(f"only the last four {alone:.4e}   ratio {ratio:.4f}")
# check("04.4", ratio)
# ```
#
# ```text
# all eight 2.2563e-05   only the last four 2.2420e-05   ratio 0.9937
# Right.
# ```
# </details>
#
# **5.** Plant a mistake of your own in a copy of the workbook and audit it: swap $w_6$ and $w_7$ somewhere, drop a factor, multiply one
# formula by 1.001. Is there one that it does not find?
#
# *No check:* the audit itself answers here: it names the cells in which your mistake stands.
#
# <details>
# <summary>Hint</summary>
#
# Load a copy, `planted = openpyxl.load_workbook(ours)`. Then `planted["Descent"][f"{letter['dE_dw3']}40"]` is one cell; its `value` is the formula, as text.
# </details>
# <details>
# <summary>Solution</summary>
#
# It finds one cell in the middle of a column that is off by one part in a thousand, because it compares formulas and not
# numbers. If you find a mistake that it misses, please report it where you got the book from.
#
# ```python
# planted = openpyxl.load_workbook(ours)
# cell = planted["Descent"][f"{letter['dE_dw3']}40"]
# cell.value = f"{cell.value}*1.001"
# planted.save(folder / "planted.xlsx")
# tables = audit(folder / "planted.xlsx").tables
# print([found.cells for table in tables for found in table.findings])
# ```
#
# ```text
# ['AA40']
# ```
# </details>
#
# **6.** How far apart, in degrees, are the right gradient and the one of the 32 workbooks, at the weights of the exercise?
#
# *Check:* `check("04.6", …)` with the angle in degrees.
#
# <details>
# <summary>Hint</summary>
#
# `follow(common, given)` gives all numbers with the copied formulas; `angle` needs two arrays of eight derivatives.
# </details>
# <details>
# <summary>Solution</summary>
#
# Next to nothing, so the loss cannot show it.
#
# ```python
# two = [follow(s, given) for s in (sheet, common)]
# degrees = angle(*(np.array([row[name] for name in dE]) for row in two))
# print(f"{degrees:.5f}°")
# check("04.6", degrees)
# ```
#
# ```text
# 0.00041°
# Right.
# ```
# </details>
#
# **7.** *Design.* Invent a mistake, and find a start at which it makes the loss rise. How would you search?
#
# *Check:* `check("04.7", …)` with a pair: the `ToyNetwork` at your start, and the eight derivatives that your mistake gives there.
#
# <details>
# <summary>Hint</summary>
#
# Where the angle is above 90°, the loss rises at the first update, if the rate is small. Try many random starts and keep the largest angle.
# </details>
# <details>
# <summary>Solution</summary>
#
# For example, use $w_6$ in the place of $w_7$, a slip between two columns, and try 300 random starts with large weights and inputs.
#
# ```python
# slipped = sheet | {d_h1: (d_o1 * w5 + d_o2 * w6) * a_h1 * (1 - a_h1)}
# angles, worst = [], None
# for start in np.random.default_rng(0).normal(scale=3, size=(300, 10)):
#     known = given | dict(zip([i1, i2, *WEIGHTS], start))
#     rows = [follow(s, known) for s in (sheet, slipped)]
#     right, wrong = (np.array([row[name] for name in dE]) for row in rows)
#     angles.append(angle(right, wrong))
#     if angles[-1] == max(angles):
#         worst = ToyNetwork(inputs=start[:2], weights=start[2:]), wrong
# above = sum(a > 90 for a in angles)
# print(f"largest angle {max(angles):.0f}°, above 90° at {above} of 300 starts")
# check("04.7", worst)
# ```
#
# ```text
# largest angle 176°, above 90° at 8 of 300 starts
# Right.
# ```
# </details>
#
# ## What's next
#
# [Learning rates](05-learning-rates.ipynb): six loss curves, and the number that predicts how fast they fall.
