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
# head: two inputs, two units in the middle, two outputs and eight knobs, the *weights*. It comes from a class
# exercise that does backpropagation in a spreadsheet. What a large network does when it learns, this one does too.
#
# **You will be able to** read the picture of a small network as a formula, compute every number that passes through
# it, and say what its loss measures.
#
# **You need** a little Python. No calculus yet.

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
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Math

from cellgrad import plotting
from cellgrad.toynet import FORWARD, ToyNetwork, evaluate, latex_equations

plotting.use_house_style()
network = ToyNetwork()

# %% [markdown]
# ## The whole of it
#
# Read the picture from left to right. Each circle is a number. Each line with a weight multiplies the number at its left end by
# that weight. What arrives at a circle is added up and bent, in a way that we shall see; the circle shows what comes out.

# %% mystnb={"image": {"alt": "The network drawn from left to right: inputs i1 and i2, hidden units h1 and h2, outputs o1 and o2 with a target of 0.5 each, errors E1 and E2, and the loss E total. Eight lines carry the weights w1 to w8, and every circle shows its value."}}
plotting.draw_toy_network(network)
plt.show()

# %% [markdown]
# The values of the inputs, the targets and the weights are given: they are the ones that the exercise uses. All other
# numbers follow from them. Let us follow.
#
# ## One unit
#
# What arrives at the first hidden unit is a weighted sum of the inputs, $h_1 = w_1 i_1 + w_2 i_2$. With inputs this
# small and weights below one, expect a number close to zero.

# %%
i1, i2 = network.inputs
w1, w2, w3, w4, w5, w6, w7, w8 = network.weights

h1 = w1 * i1 + w2 * i2
h1


# %% [markdown]
# A network made of weighted sums alone could only ever compute weighted sums. So each unit bends its sum: it passes it
# through the *sigmoid* $\sigma(x) = \dfrac{1}{1 + e^{-x}}$, which squeezes any number into the range from 0 to 1.

# %%
def sigmoid(x):
    return 1 / (1 + math.exp(-x))


a_h1 = sigmoid(h1)
a_h1

# %% [markdown]
# That is barely more than one half. The curve says why: near zero, the sigmoid is nearly a straight line through one
# half, and our sum is near zero. Both hidden units live in that middle stretch.

# %% mystnb={"image": {"alt": "The sigmoid, an S-shaped curve that rises from 0 on the left to 1 on the right and passes through one half at zero. The hidden units h1 and h2 sit just right of the middle; the outputs o1 and o2 a little further up the curve."}}
values = network.row()
xs = np.linspace(-6, 6, 241)
plt.plot(xs, [sigmoid(x) for x in xs], color=plotting.FAINT)
for unit, size in {"h1": 11, "h2": 6, "o1": 11, "o2": 6}.items():
    label = f"{unit} = {values[unit]:.3f}"
    plt.plot(values[unit], values[f"a_{unit}"], "o", markersize=size, label=label)
plt.xlabel("weighted sum x")
plt.ylabel("activation σ(x)")
plt.legend()
plt.show()

# %% [markdown]
# ## All units
#
# The second hidden unit does the same with its own two weights. The outputs do the same again, with the hidden
# activations in the place of the inputs.

# %%
a_h2 = sigmoid(w3 * i1 + w4 * i2)
a_o1 = sigmoid(w5 * a_h1 + w6 * a_h2)
a_o2 = sigmoid(w7 * a_h1 + w8 * a_h2)
a_o1, a_o2

# %% [markdown]
# ## How wrong it is
#
# Both outputs were meant to be at their targets, and both are too high. The *error* of one output is half the square of
# its distance from the target, so too high and too low count alike, and a miss twice as large counts four times.
# (The half is there for convenience: it will cancel a 2 in the next chapter.) The *loss* is the sum of both errors.

# %%
t1, t2 = network.targets
E_total = (t1 - a_o1) ** 2 / 2 + (t2 - a_o2) ** 2 / 2
E_total

# %% [markdown]
# The package that comes with this book computes the same, and agrees to the last digit:

# %%
E_total == network.loss()

# %% [markdown]
# ## Written down once
#
# The package has the network as a list of definitions, each in terms of those above it. These are not typed for this
# page: they are printed from the very expressions that every other chapter computes with. The constants $b_1$ and $b_2$
# are *biases*; the exercise has none, so they are zero here.

# %%
Math(latex_equations(FORWARD))

# %% [markdown]
# And these are their values, every one that passes through the network on the way to the loss:

# %%
forward = {str(name): values[str(name)] for name in FORWARD}
pd.Series(forward, name="value").map("{:.12f}".format).to_frame()

# %% [markdown]
# ## Turn a knob
#
# Learning means to turn the weights so that the loss falls. What happens when we turn one? Take $w_5$, on the way from
# the first hidden unit to the first output. That output is too high, so *less* of $w_5$ should help. How far can it help?

# %% mystnb={"image": {"alt": "The loss against the weight w5. It falls as w5 goes down from its present value, reaches a minimum at a negative w5 and rises again to the left of it; the minimum is well above zero."}}
w5_values = np.linspace(-3, 2, 101)
(losses,) = evaluate(["E_total"], w5=w5_values)
plt.plot(w5_values, losses)
plt.plot(w5, network.loss(), "o", color=plotting.RED, label=f"now: $w_5$ = {w5:g}")
plt.xlabel("weight $w_5$")
plt.ylabel(r"loss $E_\mathrm{total}$")
plt.ylim(bottom=0)
plt.legend()
plt.show()

# %% [markdown]
# Down it goes, to a smallest value, and up again. The minimum of this curve is not zero: $w_5$ touches the first output
# only, and the second output's error stays whatever $w_5$ is.

# %%
best = w5_values[losses.argmin()]
after = replace(network, weights=(w1, w2, w3, w4, best, w6, w7, w8)).row()
both = pd.DataFrame({f"w5 = {w5:g}": values, f"w5 = {best:g}": after})
both.loc[["a_o1", "a_o2", "E1", "E2", "E_total"]].map("{:.6f}".format)

# %% [markdown]
# To try values along a curve works for one weight. For eight weights at ten values each it would take
# $10^8$ evaluations, and a network that reads handwriting has thousands of weights. What we want is, for every
# weight at once, the answer to one question: *if this weight grows a little, by how much does the loss change?* That
# is a derivative.
#
# ## Recap
#
# - A unit adds up its inputs, each times a weight, and bends the sum with a sigmoid.
# - The loss is one number that says how far all outputs are from their targets.
# - Every number in the network is a formula of the weights, and so is the loss.
#
# ## Exercises
#
# **1.** Both outputs are too high. The targets are 0.5 each, and $\sigma(0) = 0.5$. Find weights for which the loss is
# exactly zero, without any calculation.
#
# <details>
# <summary>Solution</summary>
#
# Set $w_5 = w_6 = w_7 = w_8 = 0$. Both outputs then add up nothing, and $\sigma(0) = 0.5$ hits both targets, whatever the
# first four weights are. Check it:
#
# ```python
# ToyNetwork(weights=(w1, w2, w3, w4, 0, 0, 0, 0)).loss()
# ```
#
# So the best weights are far from unique. Keep that in mind for the chapter on learning rates.
# </details>
#
# **2.** Exchange the two hidden units: swap $w_1, w_2$ with $w_3, w_4$, and $w_5$ with $w_6$, $w_7$ with $w_8$. Predict
# what happens to the outputs, then compute.
#
# <details>
# <summary>Solution</summary>
#
# Nothing happens to the outputs: which hidden unit is called the first is a matter of drawing.
#
# ```python
# swapped = ToyNetwork(weights=(w3, w4, w1, w2, w6, w5, w8, w7)).row()
# math.isclose(swapped["a_o1"], values["a_o1"]), math.isclose(swapped["a_o2"], values["a_o2"])
# ```
# </details>
#
# **3.** Can this network reach a loss of exactly zero for the targets 0 and 1?
#
# <details>
# <summary>Solution</summary>
#
# No. A sigmoid comes as close to 0 and to 1 as you like, but reaches neither. The loss can be made as small as you like
# and never zero. In a computer's arithmetic it can: for large enough sums $\sigma$ is *rounded* to 1, and far enough on the other side its square
# is too small for a floating-point number.
#
# ```python
# ToyNetwork(targets=(0, 1), weights=(w1, w2, w3, w4, -800, -800, 800, 800)).loss()
# ```
# </details>
#
# ## What's next
#
# *Its derivatives*: the eight numbers that say which way to turn each weight, derived before your eyes.
