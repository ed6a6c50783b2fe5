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
# # The network
#
# A neural network is a long formula with knobs. This chapter has one so short that you can hold all of it in your
# head: two inputs, two units in the middle, two outputs and eight knobs, the [weights](glossary.md#term-weight). It comes from a class
# exercise that trains it in a spreadsheet ([Bharadwaj](references.md) has published his). What a large network does when it learns, this one does too.
#
# **You will be able to** read the picture of a small network as a formula, compute every number that passes through
# it, and say what its loss measures.
#
# **You need** a little Python. No calculus: the next chapter, [Slopes](02-slopes.ipynb), brings the little that the book asks for.

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
from IPython.display import Math

from cellgrad import check, plotting
from cellgrad.toynet import ToyNetwork, latex_equations

plotting.use_house_style()

# %% [markdown]
# ## The whole of it
#
# Read the picture from left to right. Every circle is a number, and every line carries a number to the right. The two circles on the left are the
# [inputs](glossary.md#term-input): they are given. A line with a weight multiplies what it carries by that weight. The next four circles are the [units](glossary.md#term-unit):
# each adds up what arrives and bends the sum, in a way that we shall see. The result is the unit's
# [activation](glossary.md#term-activation), and this is what the circle shows. The two units on the right are the [outputs](glossary.md#term-output): their activations are the network's answer. The units in the middle are called [hidden](glossary.md#term-hidden-unit), since nobody outside
# the network gives or asks for their numbers. Units that stand side by side, as the two hidden ones do, make a [layer](glossary.md#term-layer). The last three circles measure how far the outputs are from their [targets](glossary.md#term-target),
# the numbers that we want there.

# %% mystnb={"image": {"alt": "The network drawn from left to right: inputs i1 and i2, hidden units h1 and h2, outputs o1 and o2 with a target of 0.5 each, errors E1 and E2, and the loss E total. Eight lines carry the weights w1 to w8, and every circle shows its value."}} tags=["hide-input"]
plotting.draw_toy_network(ToyNetwork())
plt.show()

# %% [markdown]
# *Figure 1.1. The network of the exercise. The circle of a unit shows its activation; the sum that it bends is not drawn. Both outputs are above their target of 0.5.*
#
# Why would anyone want 0.5 and 0.5 from the inputs 0.05 and 0.1? Nobody does. The numbers are a stand-in, picked so that the
# arithmetic can be followed. In [Part III](10-the-run.ipynb) the inputs are the 784 pixels of a handwritten digit, and there are ten
# outputs, with a target for each that says whether this is the digit. The rule that trains both networks is the same.
#
# ## One unit
#
# What arrives at the first hidden unit is a weighted sum of the inputs, $h_1 = w_1 i_1 + w_2 i_2$. We write $h_1$ for what arrives at the unit, and $a_{h1}$ for what leaves it. With inputs this
# small and weights below one, expect a number close to zero.

# %% tags=["core"]
0.15 * 0.05 + 0.20 * 0.1


# %% [markdown]
# It is. (The 4 at the far end is rounding: a computer does not count in tenths.) Now to the bend, and why there must be one. Suppose that units passed on their sums as they are. Then the first output would be
#
# $$\begin{aligned}
# w_5 h_1 & {} + w_6 h_2 \\
# &= w_5 (w_1 i_1 + w_2 i_2) \\
# &\quad {} + w_6 (w_3 i_1 + w_4 i_2) \\
# &= (w_5 w_1 + w_6 w_3)\, i_1 \\
# &\quad {} + (w_5 w_2 + w_6 w_4)\, i_2 ,
# \end{aligned}$$
#
# which is one weighted sum of the inputs again. The layer of hidden units would have added nothing, and by the same algebra so would a hundred
# such layers. So each unit bends its sum: it passes it through the [sigmoid](glossary.md#term-sigmoid)
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} , \tag{1.1}$$
#
# which squeezes any number into the range from 0 to 1. Here $e \approx 2.718$ is a fixed number, as π is; what is special about it comes in the next chapter. For a large $x$, the power $e^{-x}$ is nearly
# zero and $\sigma$ nearly 1; for a very negative $x$, the power is huge and $\sigma$ is nearly 0.
#
# We write it with SymPy, a library that can compute with letters as well as with numbers (`sp.exp(-x)` is its $e^{-x}$). That will pay off in a moment.

# %% tags=["core"]
def sigmoid(x):
    return 1 / (1 + sp.exp(-x))


sigmoid(0.0275)

# %% [markdown]
# That is barely more than one half. The curve says why: at zero, the sigmoid is one half, and our sum is near zero.

# %% mystnb={"image": {"alt": "The sigmoid, an S-shaped curve that rises from 0 on the left to 1 on the right and passes through one half at zero. An inset enlarges the middle, where the curve is nearly straight; the hidden units h1 and h2 sit just right of zero, the outputs o1 and o2 a little further up."}} tags=["hide-input"]
values = ToyNetwork().row()
xs = np.linspace(-6, 6, 241)
figure, ax = plt.subplots(figsize=(6.4, 4.2))
ax.plot(xs, 1 / (1 + np.exp(-xs)))
ax.set(xlabel="weighted sum x", ylabel="activation σ(x)", ylim=(-0.03, 1.05))
inset = ax.inset_axes([0.59, 0.1, 0.34, 0.48])
near = np.linspace(-0.1, 0.7, 81)
inset.plot(near, 1 / (1 + np.exp(-near)))
for unit, above in {"h1": True, "h2": False, "o1": True, "o2": False}.items():
    x, y = values[unit], values[f"a_{unit}"]
    inset.plot(x, y, "o", color=plotting.RED, markersize=6)
    shift = (-5, 6) if above else (5, -13)
    side = "right" if above else "left"
    inset.annotate(unit, (x, y), shift, textcoords="offset points", ha=side)
inset.set(xticks=[0, 0.5], yticks=[0.5, 0.6], ylim=(0.44, 0.68))
inset.yaxis.tick_right()  # on the left, a line of the frame runs through them
inset.spines.right.set_visible(True)
ax.indicate_inset_zoom(inset, edgecolor=plotting.INK)
plt.show()

# %% [markdown]
# *Figure 1.2. The sigmoid. The inset enlarges its middle, where all four units of our network live: there it is nearly a straight line. (The bend shows where sums are larger: chapter 4 sets targets that need it.)*
#
# ## Eleven definitions
#
# The second hidden unit does the same with its own two weights. The outputs do the same again, with the hidden activations in the place of the
# inputs. So all of the network can be written as a list of small definitions, each in terms of those above it. First the letters. To SymPy
# they are *symbols*: they have no values yet. (In `"w1:9"` the colon means: from 1 up to, but without, 9.)

# %% tags=["core"]
t1, t2, i1, i2 = sp.symbols("t1 t2 i1 i2")
w1, w2, w3, w4, w5, w6, w7, w8 = sp.symbols("w1:9")
h1, a_h1, h2, a_h2 = sp.symbols("h1 a_h1 h2 a_h2")
o1, a_o1, o2, a_o2 = sp.symbols("o1 a_o1 o2 a_o2")
E1, E2, E_total = sp.symbols("E1 E2 E_total")

# %% [markdown]
# The [error](glossary.md#term-error) of an output is half the square of its distance from the target. Too high and too low count alike, and a miss twice as large
# counts four times. (The half is there for convenience: it cancels a 2 in the next chapter.) The [loss](glossary.md#term-loss) is the sum
# of both errors.

# %% tags=["core"]
network = {
    h1: w1 * i1 + w2 * i2,
    a_h1: sigmoid(h1),
    h2: w3 * i1 + w4 * i2,
    a_h2: sigmoid(h2),
    o1: w5 * a_h1 + w6 * a_h2,
    a_o1: sigmoid(o1),
    o2: w7 * a_h1 + w8 * a_h2,
    a_o2: sigmoid(o2),
    E1: (t1 - a_o1) ** 2 / 2,
    E2: (t2 - a_o2) ** 2 / 2,
    E_total: E1 + E2,
}

# %% [markdown]
# This is the network, all of it. Printed as a mathematician writes it:

# %%
Math(latex_equations(network))

# %% [markdown]
# ## Its numbers
#
# Now give the letters their values. Twelve are given, two targets, two inputs and eight weights. The other eleven follow: go
# through the definitions from the top and put in what is known; SymPy's `subs`, for *substitute*, does that. Each one mentions only what stands above it, so nothing is ever missing.

# %% tags=["core"]
given = {t1: 0.5, t2: 0.5, i1: 0.05, i2: 0.1}
given |= {w1: 0.15, w2: 0.20, w3: 0.25, w4: 0.30}  # |= adds to what is there
given |= {w5: 0.40, w6: 0.45, w7: 0.50, w8: 0.55}


def forward(given):
    """All numbers of the network: the given ones, then the eleven that follow."""
    known = dict(given)
    for name, definition in network.items():
        known[name] = float(definition.subs(known))
    return known


numbers = forward(given)
shown = {str(name): numbers[name] for name in network}
pd.Series(shown, name="value").round(6).to_frame()

# %% [markdown]
# *Table 1.1. The eleven numbers of the forward pass, in the order of their definitions.*
#
# The activations, the errors and the loss stand in Figure 1.1 too; the sums $h_1$, $h_2$, $o_1$, $o_2$ stand here only. Both hidden activations are a little above one half, both outputs are a little above 0.6,
# and the loss is about 0.014. To go through the network in this way is called the [forward pass](glossary.md#term-forward-pass).
#
# This book comes with a package, `cellgrad`, that has the same eleven definitions; later chapters use it. Its formulas have room for two
# more numbers: a [bias](glossary.md#term-bias) is a constant that is added to a unit's sum, here one for both hidden units and one for both outputs. The exercise has none, so they are zero. How far apart are our numbers and the package's?

# %%
row = ToyNetwork().row()
table = pd.DataFrame({"typed here": shown, "cellgrad": row}, index=list(shown))
largest = (table["typed here"] - table["cellgrad"]).abs().max()
print(f"largest difference of the eleven: {largest:.12f}")
table.loc[["a_h1", "a_o1", "a_o2", "E_total"]].map("{:.6f}".format)

# %% [markdown]
# *Table 1.2. Four of the eleven numbers, from our definitions and from the package's.*
#
# All eleven are the same to twelve decimal places, as the printed line says. From here on you can use either, and change either.
#
# ## Turn a knob
#
# Learning means to turn the weights so that the loss falls.

# %% [markdown]
# The network answers to the hand: move a slider of any weight, input or target, and watch which numbers follow and which stay. *Step* computes them one after the other.

# %% tags=["hide-input"]
from cellgrad import figures
from cellgrad.toynet import ToyNetwork

figures.network(ToyNetwork(), backwards=False)

# %% [markdown]
# If you moved it, you saw: a weight on a line into a hidden unit moves both outputs, a weight on a line into an output moves only that one. A target moves no activation at all, only its error and the loss.

# %% [markdown]
# Now turn one weight with care. Take $w_5$, on the way from
# the first hidden unit to the first output. That output is too high, so *less* of $w_5$ should help. How far can it help?
#
# To see it, start from the loss and replace each name by its definition, from the last definition to the first, since each mentions only those above it; then put in every number except $w_5$. What is left is the loss as a formula in one letter.

# %% tags=["core"]
formula = E_total
for name, definition in reversed(network.items()):
    formula = formula.subs(name, definition)
in_w5 = formula.subs({name: value for name, value in given.items() if name != w5})
# For the eye, with four decimal places:
in_w5.xreplace({number: number.round(4) for number in in_w5.atoms(sp.Float)})

# %% [markdown]
# The number that stands alone is the second output's error: it does not change with $w_5$. The rest is the first output's: $w_5$ is multiplied by $a_{h1}$, and the number in front of $e$ is $e^{-w_6 a_{h2}}$, the part of the second hidden unit. Now try many values of $w_5$
# and keep the best. (`sp.lambdify` turns a formula into a Python function, which takes a whole list of values at once.)

# %% tags=["core"]
w5_values = np.linspace(-3, 2, 50_001)
losses = sp.lambdify(w5, in_w5)(w5_values)
lowest = w5_values[losses.argmin()]
print(f"lowest loss {losses.min():.6f}, where w5 is {lowest:.4f}")

# %% mystnb={"image": {"alt": "The loss against the weight w5. At the present value of 0.4, marked and labelled now, it is 0.0142. It falls as w5 goes down, reaches a lowest point of 0.0085 at w5 of about -0.45, marked and labelled lowest, and rises again to the left."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.8))
ax.plot(w5_values, losses)
places = {"now": (0.4, (0.9, 0.011)), "lowest": (lowest, (-1.0, 0.004))}
for label, (x, where) in places.items():
    y = forward(given | {w5: x})[E_total]
    ax.plot(x, y, "o", color=plotting.RED)
    ax.annotate(f"{label}: {y:.4f}", (x, y), where, arrowprops={"arrowstyle": "-"})
ax.set(xlabel="weight $w_5$", ylabel=r"loss $E_\mathrm{total}$")
ax.set_ylim(bottom=0)
plt.show()

# %% [markdown]
# *Figure 1.3. The loss when only $w_5$ is turned. It falls to a lowest point, which is not zero, and rises again.*
#
# The curve never reaches zero, because $w_5$ touches the first output only. At its lowest point, what should the two outputs be?

# %% tags=["core", "hide-output"]
before, after = forward(given), forward(given | {w5: lowest})
for name in (a_o1, a_o2, E1, E2, E_total):
    print(f"{name!s:8} {before[name]:.6f}  {after[name]:.6f}")

# %% [markdown]
# The first output has arrived at its target and its error is gone. The second output and its error are as before.
#
# Trying values along a curve works for one weight. For eight weights at ten values each it would take
# $10^8$ forward passes, and a network that reads handwriting has thousands of weights. What we want is, for every
# weight at once, the answer to one question: *if this weight grows a little, by how much does the loss change?*
#
# ## Recap
#
# - A unit adds up its inputs, each times a weight, and bends the sum with a sigmoid. Without the bend, layers would add nothing.
# - The loss is one number that says how far all outputs are from their targets.
# - Eleven definitions make the network. With values put in from the top they give every number in it: the forward pass.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet. For example: make a new cell, type `check("01.1", 0.05)` and run it.
#
# **1.** *On paper.* Compute $h_2$, the sum that arrives at the second hidden unit. Is its activation above or below that of the first?
#
# *Check:* `check("01.1", …)` with the sum $h_2$.
#
# <details>
# <summary>Hint</summary>
#
# $h_2 = w_3 i_1 + w_4 i_2$. And the sigmoid rises everywhere.
# </details>
# <details>
# <summary>Solution</summary>
#
# $0.25 \cdot 0.05 + 0.3 \cdot 0.1 = 0.0425$, more than $h_1 = 0.0275$, so the activation is larger too.
#
# ```python
# print(round(numbers[h1], 4), round(numbers[h2], 4))
# print(round(numbers[a_h1], 4), round(numbers[a_h2], 4))
# check("01.1", numbers[h2])
# ```
#
# ```text
# 0.0275 0.0425
# 0.5069 0.5106
# Right.
# ```
# </details>
#
# **2.** Both outputs are too high. The targets are 0.5 each, and $\sigma(0) = 0.5$. Find weights for which the loss is
# exactly zero, without any calculation.
#
# *Check:* `check("01.2", …)` with the four weights $w_5$ to $w_8$.
#
# <details>
# <summary>Hint</summary>
#
# Which sum must arrive at an output? What is the laziest way to get it?
# </details>
# <details>
# <summary>Solution</summary>
#
# Set $w_5 = w_6 = w_7 = w_8 = 0$. Both outputs then add up nothing, and $\sigma(0) = 0.5$ hits both targets, whatever the
# first four weights are.
#
# ```python
# print(forward(given | {w5: 0, w6: 0, w7: 0, w8: 0})[E_total])
# check("01.2", (0, 0, 0, 0))
# ```
#
# ```text
# 0.0
# Right.
# ```
#
# So the best weights are far from unique. Keep that in mind for the chapter on learning rates.
# </details>
#
# **3.** Exchange the two hidden units: swap $w_1, w_2$ with $w_3, w_4$, and $w_5$ with $w_6$, $w_7$ with $w_8$. Predict
# what happens to the outputs, then compute.
#
# *Check:* `check("01.3", …)` with both outputs after the exchange.
#
# <details>
# <summary>Hint</summary>
#
# Draw the network on paper, then draw it again with the hidden units the other way up. Do any lines change their ends?
# </details>
# <details>
# <summary>Solution</summary>
#
# Nothing happens to the outputs: which hidden unit is called the first is a matter of drawing.
#
# ```python
# pairs = [(w1, w3), (w2, w4), (w5, w6), (w7, w8)]
# swapped = {p: given[q] for pair in pairs for p, q in (pair, pair[::-1])}
# again = forward(given | swapped)
# print([round(numbers[a], 6) for a in (a_o1, a_o2)])
# print([round(again[a], 6) for a in (a_o1, a_o2)])
# check("01.3", (again[a_o1], again[a_o2]))
# ```
#
# ```text
# [0.606478, 0.630481]
# [0.606478, 0.630481]
# Right.
# ```
# </details>
#
# **4.** Add a third hidden unit. How many weights does the network have then, and how many definitions?
#
# *Check:* `check("01.4", …)` with the number of weights and the number of definitions.
#
# <details>
# <summary>Hint</summary>
#
# Count the new lines in the picture, on both sides of the new unit. A unit has two definitions: its sum and its activation.
# </details>
# <details>
# <summary>Solution</summary>
#
# Two lines come in from the inputs and two go out to the outputs: twelve weights. Two definitions are new: thirteen.
#
# ```python
# w9, w10, w11, w12, h3, a_h3 = sp.symbols("w9 w10 w11 w12 h3 a_h3")
# third = {h3: w9 * i1 + w10 * i2, a_h3: sigmoid(h3)}
# longer = {o1: network[o1] + w11 * a_h3, o2: network[o2] + w12 * a_h3}
# wider = third | network | longer
# letters = set().union(*(d.free_symbols for d in wider.values()))
# weights = [letter for letter in letters if str(letter)[0] == "w"]
# print(len(weights), "weights,", len(wider), "definitions")
# check("01.4", (len(weights), len(wider)))
# ```
#
# ```text
# 12 weights, 13 definitions
# Right.
# ```
# </details>
#
# **5.** Another bend: the hyperbolic tangent, `sp.tanh`, squeezes numbers into the range from −1 to 1. Use it in all four units. Where do the outputs
# start, and why does a target of 0.5 now ask for something else?
#
# *Check:* `check("01.5", …)` with the first and the second output.
#
# <details>
# <summary>Hint</summary>
#
# `tanh(0)` is 0. Copy the definitions of the four activations with `sp.tanh` in the place of `sigmoid`.
# </details>
# <details>
# <summary>Solution</summary>
#
# The middle of tanh is 0, so near 0 it passes a number on almost as it is: small sums give small activations, and those give small outputs. The outputs start near 0.03, far *below* the
# target. A sigmoid starts near one half by itself.
#
# ```python
# bent = {a_h1: sp.tanh(h1), a_h2: sp.tanh(h2)}
# bent |= {a_o1: sp.tanh(o1), a_o2: sp.tanh(o2)}
# known = dict(given)
# for name, definition in (network | bent).items():
#     known[name] = float(definition.subs(known))
# print(round(known[a_o1], 4), round(known[a_o2], 4))
# check("01.5", (known[a_o1], known[a_o2]))
# ```
#
# ```text
# 0.0301 0.0371
# Right.
# ```
# </details>
#
# **6.** Can this network reach a loss of exactly zero for the targets 0 and 1?
#
# *Check:* `check("01.6", …)` with `"yes"` or `"no"`.
#
# <details>
# <summary>Hint</summary>
#
# Is there a number $x$ with $1 / (1 + e^{-x}) = 0$? Then ask your computer for `float(sigmoid(-800.0))`: it prints a rounded number. Is that the number itself?
# </details>
# <details>
# <summary>Solution</summary>
#
# No. A sigmoid comes as close to 0 and to 1 as you like, but reaches neither. The loss can be made as small as you like
# and never zero. In a computer's arithmetic it can: for large enough sums $\sigma$ is *rounded* to 1, and far enough on the other side it is too small for the 64 bits in which a computer keeps a number, and becomes 0.
#
# ```python
# far_out = (0.15, 0.2, 0.25, 0.3, -800, -800, 800, 800)
# print(ToyNetwork(targets=(0, 1), weights=far_out).loss())
# check("01.6", "no")
# ```
#
# ```text
# 0.0
# Right.
# ```
# </details>
#
# **7.** *Design.* Choose $w_5 \dots w_8$, leaving the first four as they are, so that the outputs are 0.01 and 0.99.
#
# *Check:* `check("01.7", …)` with the four weights $w_5$ to $w_8$.
#
# <details>
# <summary>Hint</summary>
#
# Solve $a = 1 / (1 + e^{-x})$ for $x$: you get $x = \ln \frac{a}{1 - a}$, where $\ln y$, the logarithm, is the number $x$ for which $e^x = y$. (In Python it is `math.log`.) That sum must arrive at the output. Let both of its weights be equal.
# </details>
# <details>
# <summary>Solution</summary>
#
# With equal weights $w$, the sum is $w \, (a_{h1} + a_{h2})$. So $w = \ln \frac{a}{1 - a} / (a_{h1} + a_{h2})$.
#
# ```python
# both = numbers[a_h1] + numbers[a_h2]
# down, up = (math.log(a / (1 - a)) / both for a in (0.01, 0.99))
# reached = forward(given | {w5: down, w6: down, w7: up, w8: up})
# print(f"weights {down:.4f} and {up:.4f}:", end=" ")
# print(f"outputs {reached[a_o1]:.4f} and {reached[a_o2]:.4f}")
# check("01.7", (down, down, up, up))
# ```
#
# ```text
# weights -4.5161 and 4.5161: outputs 0.0100 and 0.9900
# Right.
# ```
# </details>
#
# ## What's next
#
# [Slopes](02-slopes.ipynb): what "if it grows a little, by how much does the loss change" means, with a pocket calculator.
