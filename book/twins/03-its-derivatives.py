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
# For each weight we ask: if it grows a little, by how much does the loss change? The answers are eight derivatives.
# People derive them on paper and type them into a spreadsheet, and many get some of them wrong. Here SymPy
# derives them, we arrange them as a person would, and then three independent methods check the result.
#
# **You will be able to** derive the gradient of a network with the chain rule, see why the work is shared between
# weights (that is *backpropagation*), and check a gradient that you do not trust.
#
# **You need** *The network*, and what a derivative is.

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
import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp
from IPython.display import Math

from cellgrad import plotting, toynet
from cellgrad.toynet import DERIVATIVES, E_total, ToyNetwork, latex_equations

plotting.use_house_style()

# %% [markdown]
# ## The direct way
#
# Put all definitions into one formula for the loss and differentiate it. SymPy does both without complaint. Take $w_5$,
# which is close to the output, so its derivative is among the shorter ones. Expect a long line all the same.

# %%
loss = toynet.in_parameters(E_total)
direct = sp.diff(loss, toynet.w5)
Math(sp.latex(direct))

# %% [markdown]
# It is right, and nobody can read it. The length has a cause: the same pieces appear again and again. The sum
# that goes into the first output stands there several times, each time written out to the inputs.
#
# ## The chain rule
#
# Give names to the pieces instead, as the network does. The weight $w_5$ acts on $o_1$, that on $a_{o1}$, that on
# $E_1$, and that on the loss. The chain rule multiplies the derivatives along this path:
#
# $$\frac{\partial E}{\partial w_5} = \frac{\partial o_1}{\partial w_5} \cdot \frac{\partial a_{o1}}{\partial o_1} \cdot
# \frac{\partial E_1}{\partial a_{o1}} \cdot \frac{\partial E}{\partial E_1}$$
#
# (On paper we write $E$ for $E_{total}$.)
#
# Each factor differentiates one definition by one thing that it mentions. Before you run the cell: which of them is
# $a_{h1}$?

# %%
path = [toynet.w5, toynet.o1, toynet.a_o1, toynet.E1, toynet.E_total]
factors = {}
for start, end in zip(path, path[1:]):
    name = rf"\frac{{\partial {sp.latex(end)}}}{{\partial {sp.latex(start)}}}"
    factors[sp.Symbol(name)] = toynet.local_derivative(end, start)
Math(latex_equations(factors))

# %% [markdown]
# The first one: a weight's derivative always carries the number that the weight is multiplied by.
#
# The second one deserves a second look. The slope of a sigmoid can be said in terms of its own value,
# $\sigma'(x) = \sigma(x)\,(1 - \sigma(x))$, so the backward way reuses what the forward way has computed. Let SymPy confirm it:

# %%
x = sp.Symbol("x")
s = toynet.sigmoid(x)
sp.simplify(sp.diff(s, x) - s * (1 - s)) == 0

# %% [markdown]
# ## Backwards, once for all weights
#
# The first weights act through *two* paths: $w_1$ changes $h_1$, and $h_1$ feeds both outputs. Where paths meet, the
# chain rule adds them up. Walking backwards from the loss, each quantity collects from everything that uses it. This is
# all of it. `FORWARD` is the list of definitions from the last chapter, `local_derivative` differentiates one of them, and `DELTAS` and `DERIVATIVES` hold the names of
# what deserves a line of its own:

# %%
print(inspect.getsource(toynet.chain_rule.__wrapped__))

# %% [markdown]
# Write $\delta$ for the derivative of the loss with respect to a unit's weighted sum, as people do: $\delta_{h1} = \partial E / \partial h_1$. Then this is what comes out:

# %%
Math(latex_equations(toynet.chain_rule()))

# %% [markdown]
# Look at the pattern, because it is the same in a network of any size:
#
# - an output's $\delta$ is its miss, $a - t$, times the slope of its sigmoid;
# - a hidden unit's $\delta$ collects the $\delta$ of the units it feeds, **each times the weight of the connection**, times
#   the slope of its own sigmoid;
# - the derivative with respect to a weight is the $\delta$ at its right end times the number at its left end.
#
# Each output's $\delta$ is computed once and takes part in six of the eight derivatives. That sharing is backpropagation. How much does it save? Count
# the operations: the forward pass, the forward pass with all derivatives by backpropagation, and the eight direct derivatives, each on its own.

# %%
forward = sum(sp.count_ops(line) for line in toynet.FORWARD.values())
backward = sum(sp.count_ops(line) for line in toynet.chain_rule().values())
separately = sum(sp.count_ops(sp.diff(loss, weight)) for weight in toynet.WEIGHTS)
print(f"forward {forward}, backward {backward} more")
print(f"eight derivatives on their own {separately}")

# %% [markdown]
# All eight derivatives together cost about as much as one more forward pass.
#
# ## The eight derivatives
#
# With the deltas written out, these are the formulas that belong in the spreadsheet's last eight columns:

# %%
Math(latex_equations(toynet.derivatives()))

# %% [markdown]
# And their values for the network of the exercise:

# %%
network = ToyNetwork()
names = [f"w{k}" for k in range(1, 9)]
gradient = pd.Series(network.gradient(), index=names, name="∂E/∂w")
gradient.map("{:.12f}".format).to_frame()

# %% [markdown]
# All are positive: every weight should go down, as we saw for $w_5$. And the last four are much larger than the first
# four. How much larger, at the extremes?

# %% mystnb={"image": {"alt": "A bar for each of the eight derivatives. The bars of w5 to w8 stand tall; those of w1 to w4, in another colour, can hardly be seen beside them."}}
print(f"largest / smallest = {gradient.max() / gradient.min():.1f}")

colours = [plotting.ORANGE] * 4 + [plotting.GREEN] * 4
gradient.plot.bar(color=colours, rot=0, zorder=2)
plt.ylabel("derivative of the loss")
plt.show()

# %% [markdown]
# The cause is in the formulas. Where a derivative of the last layer carries an activation of about one half, one of the first layer carries the
# slope $a_h(1-a_h)$, which is at most a quarter, and an input, which is 0.05 or 0.1. Here the first layer learns slowly.
#
# ## Do not take our word for it
#
# A wrong derivative is a quiet mistake: the loss may fall all the same. So check, each time by something
# that does not know the chain rule that we wrote.
#
# **First check: SymPy's direct derivative.** The long formulas above, all eight of them, minus ours. Evaluated at a
# thousand random networks, the differences should be of the size of rounding errors.

# %%
slopes = [sp.diff(loss, weight) for weight in toynet.WEIGHTS]
directly = sp.lambdify(toynet.PARAMETERS, slopes, modules="numpy", cse=True)
ours = toynet.compiled(tuple(map(str, DERIVATIVES.values())))

generator = np.random.default_rng(seed=0)
random_networks = generator.normal(size=(len(toynet.PARAMETERS), 1000))
difference = np.subtract(directly(*random_networks), ours(*random_networks))
print("largest difference below 1e-15:", bool(np.abs(difference).max() < 1e-15))

# %% [markdown]
# **Second check: PyTorch's autograd.** It never sees a formula for a derivative; it records the operations of the
# forward pass and differentiates them one by one.

# %%
import torch

weights = torch.tensor(network.weights, dtype=torch.float64, requires_grad=True)
inputs = torch.tensor(network.inputs, dtype=torch.float64)
targets = torch.tensor(network.targets, dtype=torch.float64)

hidden = torch.sigmoid(weights[:4].reshape(2, 2) @ inputs)
outputs = torch.sigmoid(weights[4:].reshape(2, 2) @ hidden)
((targets - outputs) ** 2 / 2).sum().backward()

autograd = weights.grad.numpy()
difference = np.abs(autograd - network.gradient())
print("largest difference below 1e-16:", bool(difference.max() < 1e-16))


# %% [markdown]
# **Third check: central differences.** Needs nothing but the forward pass: turn one weight a little up and a little
# down, and divide the change of the loss by the change of the weight. It works for any network and any
# gradient, also one that a stranger gives you.

# %%
def central_differences(loss_of, weights, step=1e-5):
    slopes = []
    for k in range(len(weights)):
        up, down = list(weights), list(weights)
        up[k] += step
        down[k] -= step
        slopes.append((loss_of(up) - loss_of(down)) / (2 * step))
    return np.array(slopes)


def loss_of(weights):
    return ToyNetwork(weights=weights).loss()


columns = {
    "derived": network.gradient(),
    "autograd": autograd,
    "central differences": central_differences(loss_of, network.weights),
}
pd.DataFrame(columns, index=gradient.index).map("{:.10f}".format)

# %% [markdown]
# Three methods, one answer. From here on we use the derivation and trust it.
#
# ## What the computer runs
#
# The function that iterates the network in the next chapters is compiled from the same expressions. SymPy looks for
# pieces that occur more than once, gives each a name and computes it once. Read the last lines before the `return`: it
# has found the deltas by itself.

# %%
print(inspect.getsource(toynet.compiled(toynet.COLUMNS, "math")))

# %% [markdown]
# ## Recap
#
# - The chain rule multiplies along a path and adds where paths meet.
# - Walking backwards from the loss, every unit's $\delta$ is computed once and shared by all weights before it.
# - A hidden unit's $\delta$ contains the *weights* of the connections that leave it.
# - A gradient check by central differences needs only the forward pass.
#
# ## Exercises
#
# **1.** Someone writes $\frac{\partial E}{\partial w_1} = (\delta_{o1}\, a_{h1} + \delta_{o2}\, a_{h1})\, a_{h1} (1 - a_{h1})\, i_1$.
# What is wrong, and by how much is the number off?
#
# <details>
# <summary>Solution</summary>
#
# The activation $a_{h1}$ stands in the place of the weights $w_5$ and $w_7$. What the delta of a hidden unit collects comes
# back through the connections, so it must be multiplied by their weights.
#
# ```python
# r = network.row()
# d1, d2 = ((r[f"a_o{k}"] - r[f"t{k}"]) * r[f"a_o{k}"] * (1 - r[f"a_o{k}"]) for k in (1, 2))
# wrong = (d1 + d2) * r["a_h1"] * r["a_h1"] * (1 - r["a_h1"]) * r["i1"]
# wrong / r["dE_dw1"]
# ```
#
# Somewhat too large at these weights. The loss falls all the same, because the last four derivatives are right and do nearly all of the work. This very
# mistake stands in a spreadsheet template that many people have copied; the next chapter follows it.
# </details>
#
# **2.** What is the derivative of the loss by the *bias* of the hidden units, $b_1$? Derive it on paper with the deltas,
# then let SymPy check it.
#
# <details>
# <summary>Solution</summary>
#
# The bias is added to the input of both hidden units, so the two paths add up: $\frac{\partial E}{\partial b_1} = \delta_{h1} + \delta_{h2}$.
#
# ```python
# steps = toynet.chain_rule()
# b1_by_sympy = sp.diff(loss, toynet.b1)
# d_h = [steps[toynet.DELTAS[unit]].subs(steps) for unit in (toynet.h1, toynet.h2)]
# ours_b1 = toynet.in_parameters(sum(d_h))
# values = dict(zip(toynet.PARAMETERS, network.parameters))
# float((b1_by_sympy - ours_b1).subs(values))   # a rounding error, or zero
# ```
# </details>
#
# **3.** Choose the step of the central differences: try $10^{-1}, 10^{-2}, \dots, 10^{-12}$ and watch the largest error. Why
# does it stop getting better?
#
# <details>
# <summary>Solution</summary>
#
# The formula's own error shrinks with the square of the step, but the loss is only known to about 16 digits, and
# dividing its rounding error by a smaller step makes it larger. The two meet in between.
#
# ```python
# for k in range(1, 13):
#     numeric = central_differences(loss_of, network.weights, 10.0**-k)
#     print(f"1e-{k:02d}  {np.abs(numeric - network.gradient()).max():.1e}")
# ```
# </details>
#
# ## What's next
#
# *The spreadsheet*: use the eight derivatives, again and again, and watch the loss fall.
