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
# # Its derivatives
#
# For each weight we ask: if it grows a little, by how much does the loss change? [Slopes](02-slopes.ipynb) measured the eight answers by nudging.
# This chapter derives them as formulas. People do it on paper and type the result into a spreadsheet, and many get some of it
# wrong; so we derive it in three small steps, follow every product with numbers, and then let other methods try to catch us.
#
# **You will be able to** derive the gradient of a network with the chain rule, see why the work is shared between
# weights (that is [backpropagation](glossary.md#term-backpropagation)), and check a gradient that you do not trust.
#
# **You need** [The network](01-the-network.ipynb) and [Slopes](02-slopes.ipynb).

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
# The eleven definitions are those of [The network](01-the-network.ipynb#eleven-definitions); open the cell if you want to see them again.

# %% tags=["hide-input", "core"]
def symbols(names):
    return sp.symbols(names, real=True)  # real: ordinary numbers


def sigmoid(x):
    return 1 / (1 + sp.exp(-x))


t1, t2, i1, i2 = symbols("t1 t2 i1 i2")
WEIGHTS = w1, w2, w3, w4, w5, w6, w7, w8 = symbols("w1:9")
h1, a_h1, h2, a_h2, o1, a_o1, o2, a_o2 = symbols("h1 a_h1 h2 a_h2 o1 a_o1 o2 a_o2")
E1, E2, E_total = symbols("E1 E2 E_total")

# %% tags=["hide-input", "core"]
network = {h1: w1 * i1 + w2 * i2, a_h1: sigmoid(h1)}
network |= {h2: w3 * i1 + w4 * i2, a_h2: sigmoid(h2)}
network |= {o1: w5 * a_h1 + w6 * a_h2, a_o1: sigmoid(o1)}
network |= {o2: w7 * a_h1 + w8 * a_h2, a_o2: sigmoid(o2)}
network |= {E1: (t1 - a_o1) ** 2 / 2, E2: (t2 - a_o2) ** 2 / 2, E_total: E1 + E2}

given = {t1: 0.5, t2: 0.5, i1: 0.05, i2: 0.1}
given |= dict(zip(WEIGHTS, [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]))


def follow(definitions, known):
    """Put in what is known, from the top; each definition gives one more number."""
    known = dict(known)
    for name, definition in definitions.items():
        known[name] = float(definition.subs(known))
    return known


# %% [markdown]
# ## The direct way
#
# Put all definitions into one formula for the loss and find its derivatives. SymPy does both without complaint; `sp.diff(f, x)` is the
# derivative of `f` with respect to `x`. Take $w_5$, which is close to the output, so its derivative is among the shorter
# ones. Expect a long line all the same.

# %% tags=["core"]
loss = E_total
for name, definition in reversed(network.items()):
    loss = loss.subs(name, definition)
direct = {weight: sp.diff(loss, weight) for weight in WEIGHTS}
direct[w5]

# %% [markdown]
# It is right, and nobody can read it. The length has a cause: the same pieces appear again and again. The sum
# that goes into the first output stands there several times, each time written out to the inputs.
#
# ## Step 1: along one path
#
# Give names to the pieces instead, as the network does. A nudge of $w_5$ moves $o_1$, which moves $a_{o1}$, which moves the error $E_1$ and with it the loss. Along
# a chain, derivatives multiply, as in equation (2.1):
#
# $$\frac{\partial E}{\partial w_5} = \frac{\partial E_1}{\partial a_{o1}} \cdot \frac{\partial a_{o1}}{\partial o_1}
# \cdot \frac{\partial o_1}{\partial w_5}$$
#
# Each factor differentiates *one* definition by *one* letter in it. SymPy can do that too:

# %% tags=["core"]
factors = [
    sp.diff(network[E1], a_o1),
    sp.diff(network[a_o1], o1),
    sp.diff(network[o1], w5),
]
sp.Tuple(*factors)

# %% [markdown]
# The first factor is $a_{o1} - t_1$, the [miss](glossary.md#term-miss). The last one is $a_{h1}$, the number that $w_5$ is multiplied by.
# The middle one looks worse than it is: it is $\dfrac{e^{-x}}{(1 + e^{-x})^2}$, which [Slopes](02-slopes.ipynb#three-rates-without-a-nudge), with $u$ for $e^{-x}$, turned into $a\,(1 - a)$ in equation (2.2), the rate of the sigmoid. From here on we call it the sigmoid's *slope*, for that is what it is in Figure 2.3. So
# the way back reuses what the way forward has computed. With the numbers of the forward pass, expect the three rates of that chapter.

# %% tags=["core"]
numbers = follow(network, given)
miss = numbers[a_o1] - 0.5
slope = numbers[a_o1] * (1 - numbers[a_o1])
product = miss * slope * numbers[a_h1]
print(f"{miss:.4f} × {slope:.4f} × {numbers[a_h1]:.4f} = {product:.6f}")

# %% [markdown]
# There they are, and with them the first derivative. (It is computed with all digits; the three rounded factors by themselves give 0.012886, as in [Slopes](02-slopes.ipynb#a-nudge-travels-along-a-chain).)
#
# ## Step 2: the δ of a unit
#
# Now $w_6$. Its path is the same but for the last factor: from $o_1$ on, nothing is new. So give the shared part a name. The
# [delta](glossary.md#term-delta) of a unit is the derivative of the loss with respect to the sum that enters that unit:
#
# $$\delta_{o1} = \frac{\partial E}{\partial o_1} = (a_{o1} - t_1) \, a_{o1} (1 - a_{o1}) \tag{3.1}$$
#
# Think of it as the answer to a question that one can ask at each unit: *if somebody could push the sum right here, how strongly would the loss respond?* A $\delta$ of
# zero means that a small push at this place gains nothing. A large positive one means that the sum should become smaller. Once it is
# known, every weight that enters the unit is served: its derivative is $\delta$ times the number that it is multiplied by.
#
# ## Step 3: backwards, through the weights
#
# The first weights are further away. A push on $h_1$ moves $a_{h1}$, and that feeds *both* outputs. Where chains meet, they add:
#
# $$\delta_{h1} = \big(\delta_{o1} \, w_5 + \delta_{o2} \, w_7\big) \, a_{h1} (1 - a_{h1}) \tag{3.2}$$
#
# Read it from left to right: how strongly the loss responds at each output, times the weight on the way to that output, added up, times
# the slope of the unit's own sigmoid. We had to know the outputs' $\delta$ first. That is why one walks backwards. Here
# is the whole walk: four deltas, then eight derivatives.

# %% tags=["core"]
d_o1, d_o2, d_h1, d_h2 = symbols("delta_o1 delta_o2 delta_h1 delta_h2")
dE = symbols("dE_dw1:9")
backward = {
    d_o1: (a_o1 - t1) * a_o1 * (1 - a_o1),
    d_o2: (a_o2 - t2) * a_o2 * (1 - a_o2),
    d_h1: (d_o1 * w5 + d_o2 * w7) * a_h1 * (1 - a_h1),
    d_h2: (d_o1 * w6 + d_o2 * w8) * a_h2 * (1 - a_h2),
    dE[0]: d_h1 * i1,
    dE[1]: d_h1 * i2,
    dE[2]: d_h2 * i1,
    dE[3]: d_h2 * i2,
    dE[4]: d_o1 * a_h1,
    dE[5]: d_o1 * a_h2,
    dE[6]: d_o2 * a_h1,
    dE[7]: d_o2 * a_h2,
}

# %% [markdown]
# Twelve lines, and the same pattern holds in a network of any size:
#
# - an output's $\delta$ is its miss times the slope of its sigmoid;
# - a hidden unit's $\delta$ collects the $\delta$ of the units that it feeds, **each times the weight of the connection**, times
#   the slope of its own sigmoid;
# - the derivative with respect to a weight is the $\delta$ at its right end times the number at its left end.
#
# Now with numbers. The function that followed the definitions forwards follows these lines as well.

# %% tags=["core"]
numbers = follow(backward, numbers)
for name in backward:
    print(f"{name!s:9} {numbers[name]:.6f}")

# %% [markdown]
# Press *Step* and follow one number from an input to the loss, and then back: each press lights one line, shows its product in numbers, and drops a δ into a unit when it is complete. Then press *Update*: every weight is turned a little against its derivative, as the next chapter does by hand.

# %% tags=["hide-input"]
from cellgrad import figures
from cellgrad.toynet import ToyNetwork

figures.network(ToyNetwork())

# %% [markdown]
# If you moved it, you saw: each line carried one product forwards. On the way back a line into a hidden unit carried one, its weight's derivative, and a line into an output two, its weight's derivative and what it hands down of the δ. One update used all eight derivatives at once.

# %% [markdown]
# Here is every product, in its place in the picture. This is the whole of backpropagation for this network, and a calculator is enough to check it.

# %% mystnb={"image": {"alt": "The network with an arrow from right to left above it. Each output shows its delta as miss times slope; each hidden unit shows its delta as the outputs' deltas times the weights, added, times its slope. Each line shows its weight's derivative as a product: for w5, 0.0254 times 0.5069 is 0.01288; for w1, 0.0063 times 0.05 is 0.00032."}} tags=["hide-input"]
plotting.draw_backward_pass(ToyNetwork())
plt.show()

# %% [markdown]
# *Figure 3.1. The backward pass. Orange: how each δ is made, at an output as miss × slope, at a hidden unit as (δ × weight + δ × weight) × slope. On each line: the δ at its right end times the number at its left end. (Computed with all
# digits, shown rounded: the δ to four decimals, the derivatives to five.)*
#
# ## The eight derivatives
#
# Put the deltas into the last eight lines, and you have the formulas for the last eight columns of the spreadsheet that the next chapter builds, factored as a person
# writes them:

# %% tags=["core"]
formulas = {}
for name in dE:
    formula = backward[name].subs({d: backward[d] for d in (d_h1, d_h2)})
    formulas[name] = formula.subs({d: backward[d] for d in (d_o1, d_o2)})

# %% tags=["hide-input"]
Math(latex_equations(formulas))

# %% [markdown]
# All eight values are positive: every weight should go down. And the last four are much larger than the first four. By how much, at the extremes?

# %% mystnb={"image": {"alt": "A bar for each of the eight derivatives. The bars of w5 to w8, green, stand between 0.012 and 0.016; those of w1 to w4, orange, all below 0.001, can hardly be seen beside them."}} tags=["hide-input"]
gradient = pd.Series([numbers[name] for name in dE], index=map(str, WEIGHTS))
print(f"largest / smallest = {gradient.max() / gradient.min():.1f}")
figure, ax = plt.subplots(figsize=(6.4, 3.2))
colours = [plotting.ORANGE] * 4 + [plotting.GREEN] * 4
gradient.plot.bar(color=colours, rot=0, zorder=2, ax=ax)
ax.set_ylabel("derivative of the loss")
plt.show()

# %% [markdown]
# *Figure 3.2. The gradient. Orange: weights into the hidden units. Green: weights into the outputs.*
#
# The cause is in the formulas. A derivative of the last layer is a δ times an activation of about one half. One of the first layer begins with two δ, each times a weight of about
# one half: added up, that is about one whole δ again. But then it is multiplied by a slope $a_h (1 - a_h)$ of at most a quarter, and by an input of 0.05 or 0.1. So here the first layer learns slowly.
#
# ## What the walk saves
#
# Count the operations of each way: additions, multiplications, powers. First the eight direct derivatives, each by itself; then our
# eight formulas, with names for the numbers of the forward pass but each $\delta$ written out wherever it is needed; then the walk.

# %% tags=["core"]
count = {
    "direct, eight formulas": sum(map(sp.count_ops, direct.values())),
    "with the forward pass's names": sum(map(sp.count_ops, formulas.values())),
    "with shared deltas": sum(map(sp.count_ops, backward.values())),
    "the forward pass, for comparison": sum(map(sp.count_ops, network.values())),
}
pd.Series(count, name="operations").to_frame()

# %% [markdown]
# *Table 3.1. How many operations all eight derivatives take, written in three ways, and how many the forward pass takes. (The first way starts from the weights; the other two need the numbers of the forward pass, too.)*
#
# Two savings, and they are different. From the first row to the second, the gain is *naming*: nothing is written out that the
# forward pass has computed. From the second to the third, the gain is *sharing*: each $\delta$ is computed once and serves all weights
# before it. That second step is backpropagation. 
#
# In this tiny network the sharing saves a factor of nearly three. Its worth grows with the network. Nudging takes two forward passes *per
# weight*. In a large network the walk back costs about as much as two forward passes, however many weights there are: for each weight, one product for its derivative and one to hand the δ
# down. Here it costs less than one, as the last two rows say: in so small a network much of the forward pass is sigmoids and errors, which cost more on the way forward than their slopes on the way back, and the inputs need no δ. This is why networks with millions of weights can be trained at all
# (the argument is old; [Rumelhart, Hinton and Williams](references.md) made it famous).
#
# ## Do not take our word for it
#
# A wrong derivative is a quiet mistake: the loss may fall all the same. So let three other methods compute the gradient, and be clear about what
# each of them knows. (The code of the longer ones is folded: the results below it can be read without.)
#
# **SymPy's direct derivative** knows the same definitions, but not our walk. It would catch a wrong path or a
# forgotten factor. It would not catch a mistake in the definitions themselves.

# %% tags=["core"]
by_sympy = [float(direct[weight].subs(given)) for weight in WEIGHTS]

# %% [markdown]
# **Central differences**, from the chapter before, know only how to compute the loss.

# %% tags=["hide-input", "core"]
loss_at = sp.lambdify([WEIGHTS], loss.subs({t1: 0.5, t2: 0.5, i1: 0.05, i2: 0.1}))


def central_differences(weights, nudge=1e-5):
    slopes = []
    for one in np.eye(len(weights)) * nudge:
        change = loss_at(weights + one) - loss_at(weights - one)
        slopes.append(change / (2 * nudge))
    return slopes


start = np.array([given[weight] for weight in WEIGHTS])
by_nudges = central_differences(start)

# %% [markdown]
# **PyTorch**, the library with which Part III trains its networks, sees none of our formulas; it has a rule of its own for each kind of operation. We type the forward pass once more, with the weights of each layer as a *matrix*, a table of numbers (`@` multiplies it
# by a list of numbers: every row gives one weighted sum). PyTorch records each operation and differentiates them one by one,
# from the last to the first; it calls this *autograd*.

# %% tags=["hide-input"]
import torch

weights = torch.tensor(start, requires_grad=True)
inputs = torch.tensor([0.05, 0.1], dtype=torch.float64)

hidden = torch.sigmoid(weights[:4].reshape(2, 2) @ inputs)
outputs = torch.sigmoid(weights[4:].reshape(2, 2) @ hidden)
((outputs - 0.5) ** 2 / 2).sum().backward()
by_autograd = weights.grad.numpy()

# %% [markdown]
# Side by side, with the package's `gradient` as the last column. If the walk is right, every row says the same number five times.

# %%
columns = {"our walk": gradient, "SymPy": by_sympy, "nudges": by_nudges}
columns |= {"autograd": by_autograd, "cellgrad": ToyNetwork().gradient()}
five = pd.DataFrame(columns)
widest = (five.max(axis="columns") - five.min(axis="columns")).max()
print(f"largest difference in a row: {widest:.10f}")
five.map("{:.6f}".format)

# %% [markdown]
# *Table 3.2. The derivatives of the loss with respect to the eight weights, found in five ways.*
#
# Every row does, and the printed line says: to ten decimal places. But a mistake may hide at one particular network: where two numbers happen to be equal, as our two targets are, a formula with
# the one in the place of the other gives the same. So compare our walk with the direct derivative once more, at a thousand random networks.

# %% tags=["hide-input", "core"]
letters = [t1, t2, i1, i2, *WEIGHTS]
walk = sp.Matrix(list(formulas.values()))
for name, definition in reversed(network.items()):
    walk = walk.subs(name, definition)
difference = walk - sp.Matrix(list(direct.values()))
gap = sp.lambdify(letters, difference, cse=True)

random_networks = np.random.default_rng(seed=0).normal(size=(12, 1000))
largest = np.abs(gap(*random_networks)).max()
print(f"largest of 8000 differences, to 13 decimal places: {largest:.13f}")

# %% [markdown]
# No difference in thirteen decimal places at any of them. From here on we use the derivation and trust it.
#
# ## Recap
#
# - Along a path, derivatives multiply; where paths meet, they add.
# - The δ of a unit says how strongly the loss responds to a push on the unit's sum. A hidden unit's δ contains the *weights* of the connections that leave it.
# - A weight's derivative is the δ at its right end times the number at its left end.
# - Walking backwards, each δ is computed once and shared. In a large network all derivatives together cost about as much as two forward passes, however many weights there are; in this tiny one less than one (Table 3.1).
# - A check is worth the more, the less it shares with what it checks: central differences share only the loss.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *With a calculator.* Compute $\delta_{o2}$ and $\partial E / \partial w_7$ from $a_{o2} = 0.6305$, $t_2 = 0.5$ and $a_{h1} = 0.5069$.
#
# *Check:* `check("03.1", …)` with $\delta_{o2}$ and $\partial E / \partial w_7$.
#
# <details>
# <summary>Hint</summary>
#
# Miss times slope; then times the number at the left end of $w_7$.
# </details>
# <details>
# <summary>Solution</summary>
#
# $\delta_{o2} = 0.1305 \times 0.6305 \times 0.3695$, and $\partial E / \partial w_7 = \delta_{o2} \times 0.5069$.
#
# ```python
# by_hand = 0.1305 * 0.6305 * 0.3695
# print(f"{by_hand:.4f} and {by_hand * 0.5069:.5f};", end=" ")
# print(f"with all digits {numbers[dE[6]]:.5f}")
# check("03.1", (by_hand, by_hand * 0.5069))
# ```
#
# ```text
# 0.0304 and 0.01541; with all digits 0.01541
# Right.
# ```
# </details>
#
# **2.** *Signs before numbers.* Let the targets be 0.01 and 0.99. Which of the last four derivatives are negative? And can you tell the sign of the
# first four without computing?
#
# *Check:* `check("03.2", …)` with the names of all weights with a negative derivative.
#
# <details>
# <summary>Hint</summary>
#
# The first output is too high, the second too low. What are the signs of their $\delta$? What does $\delta_{h1}$ add up?
# </details>
# <details>
# <summary>Solution</summary>
#
# $\delta_{o1}$ is positive and $\delta_{o2}$ negative, so $w_5$ and $w_6$ have positive derivatives, $w_7$ and $w_8$ negative ones. A hidden $\delta$ adds a positive and a negative number;
# which one wins must be computed. In $\delta_{h1}$ they are $0.1424 \cdot 0.40 = 0.057$ and $-0.0838 \cdot 0.50 = -0.042$: the first output misses by so much more that it wins in spite of its smaller weights.
#
# ```python
# print(np.round(ToyNetwork(targets=(0.01, 0.99)).gradient(), 5))
# check("03.2", "w7, w8")
# ```
#
# ```text
# [ 0.00019  0.00038  0.00022  0.00045  0.07216  0.07269 -0.04246 -0.04277]
# Right.
# ```
# </details>
#
# **3.** Someone writes $\frac{\partial E}{\partial w_1} = (\delta_{o1}\, a_{h1} + \delta_{o2}\, a_{h1})\, a_{h1} (1 - a_{h1})\, i_1$.
# What is wrong, and by which factor is the number off?
#
# *Check:* `check("03.3", …)` with the factor.
#
# <details>
# <summary>Hint</summary>
#
# Compare with the formula for $\delta_{h1}$, letter by letter.
# </details>
# <details>
# <summary>Solution</summary>
#
# The activation $a_{h1}$ stands in the place of the weights $w_5$ and $w_7$. What a hidden unit collects comes
# back through the connections, so it must be multiplied by their weights.
#
# ```python
# wrong = (d_o1 * a_h1 + d_o2 * a_h1) * a_h1 * (1 - a_h1) * i1
# factor = float(wrong.subs(numbers)) / numbers[dE[0]]
# print(f"{factor:.3f} times the right number")
# check("03.3", factor)
# ```
#
# ```text
# 1.115 times the right number
# Right.
# ```
#
# At these weights it is only somewhat too large, and the loss falls all the same. [The spreadsheet](04-the-spreadsheet.ipynb) follows this mistake to a place where it
# matters.
# </details>
#
# **4.** What is the derivative of the loss with respect to a bias $b$ that is added to the sums of *both* hidden units? Derive it with the deltas, then check
# it by nudging.
#
# *Check:* `check("03.4", …)` with a formula, for example in `d_o1`, `d_o2`, `d_h1`, `d_h2`.
#
# <details>
# <summary>Hint</summary>
#
# A nudge of $b$ pushes $h_1$ and $h_2$ by the same amount. Where chains meet … To nudge it, `ToyNetwork(biases=(b, 0)).loss()` is the loss with $b$ added to both hidden sums (and 0 to those of the outputs).
# </details>
# <details>
# <summary>Solution</summary>
#
# The two chains add up: $\frac{\partial E}{\partial b} = \delta_{h1} + \delta_{h2}$.
#
# ```python
# up, down = (ToyNetwork(biases=(b, 0)).loss() for b in (1e-5, -1e-5))
# print(f"deltas {numbers[d_h1] + numbers[d_h2]:.8f}", end="   ")
# print(f"nudges {(up - down) / 2e-5:.8f}")
# check("03.4", d_h1 + d_h2)
# ```
#
# ```text
# deltas 0.01337539   nudges 0.01337539
# Right.
# ```
# </details>
#
# **5.** Replace the sigmoid of the hidden units by tanh, whose slope is $1 - a^2$. Which of the twelve lines change? Check your answer.
#
# *Check:* `check("03.5", …)` with the names of the lines, such as `"d_o1"`.
#
# <details>
# <summary>Hint</summary>
#
# Where in the walk does the slope of a hidden unit's bend stand? For the check, change `network` in the same way and let SymPy differentiate.
# </details>
# <details>
# <summary>Solution</summary>
#
# Only the two lines of the hidden deltas.
#
# ```python
# bent = network | {a_h1: sp.tanh(h1), a_h2: sp.tanh(h2)}
# lines = {d_h1: (d_o1 * w5 + d_o2 * w7) * (1 - a_h1**2)}
# lines |= {d_h2: (d_o1 * w6 + d_o2 * w8) * (1 - a_h2**2)}
# ours = follow(backward | lines, follow(bent, given))[dE[0]]
# loss_bent = E_total
# for name, definition in reversed(bent.items()):
#     loss_bent = loss_bent.subs(name, definition)
# by_sympy_bent = float(sp.diff(loss_bent, w1).subs(given))
# print(f"walk {ours:.10f}   SymPy {by_sympy_bent:.10f}")
# check("03.5", lines)
# ```
#
# ```text
# walk 0.0000955086   SymPy 0.0000955086
# Right.
# ```
# </details>
#
# **6.** Set $w_5 = w_7 = 0$. Both outputs still miss their targets. Which derivatives are exactly zero, and what does this mean for learning?
#
# *Check:* `check("03.6", …)` with the names of the weights whose derivatives are zero.
#
# <details>
# <summary>Hint</summary>
#
# What does $\delta_{h1}$ collect?
# </details>
# <details>
# <summary>Solution</summary>
#
# The first hidden unit is cut off from the loss, so $\delta_{h1} = 0$, and with it the derivatives of $w_1$ and $w_2$. They cannot learn until $w_5$ or $w_7$ has moved; those two
# can, since *their* derivatives carry $a_{h1}$, which is not zero.
#
# ```python
# cut = ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, 0, 0.45, 0, 0.55))
# print(np.round(cut.gradient(), 5))
# check("03.6", "w1, w2")
# ```
#
# ```text
# [0.      0.      0.0002  0.00039 0.00715 0.00721 0.00867 0.00873]
# Right.
# ```
# </details>
#
# **7.** *Design.* A stranger gives you a function for the gradient. Write a check that says whether it is right, and that catches a formula which is off by one part
# in a thousand. At which networks do you test, with which nudge, and how large a difference do you allow?
#
# *Check:* `check("03.7", …)` with your function; it takes a function from weights to eight derivatives, and returns `True` or `False`.
#
# <details>
# <summary>Hint</summary>
#
# With a nudge of $10^{-5}$, central differences are good to about ten decimal places. Compare with the size of the gradient. One network may hide a mistake.
# </details>
# <details>
# <summary>Solution</summary>
#
# At a handful of random networks, a relative difference above one millionth is a mistake: rounding stays far below it, one part in a thousand far above.
#
# ```python
# def judge(gradient_of, networks=5, generator=np.random.default_rng(1)):
#     for weights in generator.normal(size=(networks, 8)):
#         numeric = np.array(central_differences(weights))
#         gap = np.abs(gradient_of(weights) - numeric).max()
#         if gap > 1e-6 * np.abs(numeric).max():
#             return False
#     return True
#
# def right(weights):
#     return ToyNetwork(weights=weights).gradient()
#
# def off(weights):
#     return right(weights) * [1, 1, 1, 1, 1, 1, 1, 1.001]
#
# print(judge(right), judge(off))
# check("03.7", judge)
# ```
#
# ```text
# True False
# Right.
# ```
# </details>
#
# ## What's next
#
# [The spreadsheet](04-the-spreadsheet.ipynb): use the eight derivatives, again and again, and watch the loss fall.
#
# To read on: chapter 2 of Michael Nielsen's [Neural Networks and Deep Learning](http://neuralnetworksanddeeplearning.com/chap2.html) proves the same rules for
# networks of any size, and asks what each of them means.
