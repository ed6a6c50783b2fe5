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
# # One rule for all weights
#
# Part I derived eight formulas, one for each weight, and moved every weight against its derivative. The network that reads
# handwriting has 14,392 parameters; we call all of them weights here, batch norm's too, and nobody derives 14,392 formulas. This chapter shows why nobody has to. We write a
# small program that remembers every step of a calculation and walks back along it, and we teach it
# one backward rule for each *kind* of step. At the end it finds all 14,392 derivatives for a batch of digits, and we compare every one of them with PyTorch's.
#
# **You will be able to** write a program for [automatic differentiation](glossary.md#term-automatic-differentiation), derive the backward rule of every piece of a convolutional
# network, and check a rule that you do not trust.
#
# **You need** the chain rule and the backward walk of [Its derivatives](03-its-derivatives.ipynb), and what a convolution
# computes, from [Convolutions and their cost](06-convolutions-and-their-cost.ipynb).

# %% tags=["hide-input"]
# Where the book's package is installed, this does nothing. On Colab, it installs it.
try:
    import cellgrad
except ImportError:
    package = "git+https://github.com/your--account/cells-to-convnets@v0.2.0"
    if "--" in package:
        print("Nobody has this address: put your copy's in its place, in this cell.")
    get_ipython().run_line_magic("pip", f"install -q {package}")

# %% tags=["hide-input", "core"]
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional as F

# %% tags=["hide-input"]
from cellgrad import check, mnist, plotting
from cellgrad.layers import SOURCE, build, layer_table
from cellgrad.toynet import ToyNetwork

plotting.use_house_style()
digits = mnist.sample().train
digit = digits.images[3].numpy() / 255


# %% [markdown]
# ## A calculation that remembers
#
# For every number in a calculation we ask what Part I asked for the weights: *if this number grows a little, by how much
# does the loss change?* We call the answer the number's [slope](glossary.md#term-slope). It is the $\partial E/\partial\ldots$ of Part I, for any number on the way.
#
# The backward walk of *Its derivatives* needed two things about each number: what it was made from, and how its slope passes back to
# what it was made from. Both are known at the moment when the number is computed. So we write them down at that moment. A `Value` is an array of numbers with
# such a note. Its `sources` are pairs: a value that it was made from, and a function that turns the slope of the result into the slope of that source. Its `birth` says
# when it was made: first, second, third.

# %% tags=["core"]
class Value:
    """An array of numbers that remembers what it was made from."""

    counter = itertools.count()

    def __init__(self, numbers, sources=()):
        self.numbers = np.asarray(numbers, dtype=float)
        self.slope = np.zeros_like(self.numbers)
        self.sources = sources
        self.birth = next(Value.counter)


def as_value(x):
    return x if isinstance(x, Value) else Value(x)


# %% [markdown]
# Now the kinds of steps, each with its backward rule. A sum passes its slope to both of its terms as it is: if one of them grows by a little, so does the sum. In a product, each factor
# gets the slope times the *other* factor, as every weight of Part I got the activation at its left end.

# %% tags=["core"]
def add(a, b):
    a, b = as_value(a), as_value(b)
    to_both = lambda slope: slope
    return Value(a.numbers + b.numbers, [(a, to_both), (b, to_both)])


def multiply(a, b):
    a, b = as_value(a), as_value(b)
    to_a = lambda slope: slope * b.numbers
    to_b = lambda slope: slope * a.numbers
    return Value(a.numbers * b.numbers, [(a, to_a), (b, to_b)])


# %% [markdown]
# (The *rate* of a step is Part I's word for what a slope is multiplied by when it passes the step.) Two rates are new, and a nudge finds them as it did in *Slopes*. In $(a + s)^2 = a^2 + 2as + s^2$ the last part is too small to count, so the rate of $a^2$ is $2a$; in $(a + s)^n$ the part with a single $s$ is $n\,a^{n-1}s$, so the rate
# of $a^n$ is $n\,a^{n-1}$. It holds for $n = -1$ as well, which is how we shall divide. And $e^{x+s} = e^x e^s$, where $e^s$ is nearly $1 + s$ for a small $s$; so $e^x$ grows by $e^x s$: the exponential is its own derivative.

# %% tags=["core"]
def power(a, n):
    a = as_value(a)
    to_a = lambda slope: slope * n * a.numbers ** (n - 1)
    return Value(a.numbers**n, [(a, to_a)])


def exp(a):
    result = np.exp(a.numbers)
    return Value(result, [(a, lambda slope: slope * result)])


# %% [markdown]
# Differences and quotients need no rules of their own. They are made of these: $a - b = a + (-1) \cdot b$ and $a / b = a \cdot b^{-1}$. We tell Python to use our functions where it meets
# the signs `+ - * / **` beside a `Value`:

# %% tags=["core"]
Value.__add__ = Value.__radd__ = add
Value.__mul__ = Value.__rmul__ = multiply
Value.__pow__ = power
Value.__neg__ = lambda a: multiply(a, -1)
Value.__sub__ = lambda a, b: add(a, multiply(b, -1))
Value.__rsub__ = lambda a, b: add(b, multiply(a, -1))
Value.__truediv__ = lambda a, b: multiply(a, power(b, -1))


# %% [markdown]
# And the walk. It starts from the end and gathers everything that stands behind it:

# %% tags=["core"]
def behind(end):
    """All values that `end` was made from, and itself, the oldest first."""
    found, waiting = {}, [end]
    while waiting:
        value = waiting.pop()
        if value.birth not in found:
            found[value.birth] = value
            waiting += [source for source, _ in value.sources]
    return [found[birth] for birth in sorted(found)]


# %% [markdown]
# Then it gives the end the slope 1, because the loss grows by exactly as much as itself, and goes through the record from the youngest value to the oldest. Why in this
# order? A value is always made *after* its sources. So when its turn comes, everything that used it has already passed its part back, and its slope is complete.

# %% tags=["core"]
def walk_back(end):
    """Find the slope of every value behind `end`."""
    record = behind(end)
    for value in record:
        value.slope = np.zeros_like(value.numbers)
    end.slope = np.ones_like(end.numbers)
    for value in reversed(record):
        for source, pass_back in value.sources:
            arrived = pass_back(value.slope)
            source.slope += collected(arrived, source.numbers.shape)


# %% [markdown]
# `+=` is the chain rule's second half: where paths meet, their parts add up. One case hides inside a single step. NumPy lets us add one number to a
# whole array, and then this one number is used at every place of the array. Its slope is the sum over all of them. So where NumPy repeated a number along an axis, we add up along that axis: first the axes that the number did not have at all, then those in which it had length one. (A bias of shape (1,) that was added to 128 × 10 numbers gets the sum of 1,280 slopes.)

# %% tags=["core"]
def collected(slope, shape):
    """Add up the slopes of all the places that a number of this shape went to."""
    slope = slope.sum(axis=tuple(range(slope.ndim - len(shape))))  # axes it had not
    spread = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return slope.sum(axis=spread, keepdims=True)


# %% [markdown]
# That is the whole differentiator, some sixty lines. Try it on the smallest network there is: one weight, one input, one sigmoid, and the
# error $E = \frac12(\sigma(w x) - t)^2$. How many values will be on record, constants included?

# %% tags=["core"]
def sigmoid(x):
    return (1 + exp(-x)) ** -1


w, x, t = Value(0.5), 2.0, 0.0
loss = (sigmoid(w * x) - t) ** 2 / 2
walk_back(loss)
len(behind(loss))

# %% [markdown]
# Seventeen: nine that the weight has a part in, and eight constants and what is made of constants alone ($x$, −1, 1, $t$, −1 again, $(-1) \cdot t$, 2 and $2^{-1}$). Here is the record without the constants. Forward, downwards, each step makes a number of the one before. Backward, each step multiplies the
# slope that arrives by its own derivative, so the slope of $w$ at the top is the product of all factors.

# %% mystnb={"image": {"alt": "A chain of nine circles from top to bottom: w, times x, times minus one, exp, one plus, one over, minus t, square, times one half. On the left of each stands its number in blue, on the right its slope in orange. Blue arrows lead down from number to number; orange arrows lead up from the last slope, which is 1, to that of w, each with the factor that the slope is multiplied by."}} tags=["hide-input"]
steps = [v for v in behind(loss) if any(s.sources or s is w for s, _ in v.sources)]
steps = [w, *steps]
names = ["w", "· x", "· (−1)", "exp", "1 +", "1 / …", "− t", "… ²", "· ½"]
blue, red = plotting.BLUE, plotting.RED
fig, ax = plt.subplots(figsize=(5, 6.4))
middle = {"ha": "center", "va": "center"}
for k, (value, name) in enumerate(zip(steps, names)):
    ax.plot(0, -k, "o", markersize=33, color="w", markeredgecolor=plotting.INK)
    ax.text(0, -k, name, fontsize=10.5, **middle)
    ax.text(-1.1, -k, f"{value.numbers:.3f}", color=blue, **middle)
    ax.text(1.1, -k, f"{value.slope:.3f}", color=red, **middle)
for k, (before, after) in enumerate(zip(steps, steps[1:])):
    down, up = (-1.1, -k - 0.75), (-1.1, -k - 0.25)
    ax.annotate("", down, up, arrowprops={"arrowstyle": "->", "color": blue})
    down, up = (1.1, -k - 0.75), (1.1, -k - 0.25)
    ax.annotate("", up, down, arrowprops={"arrowstyle": "->", "color": red})
    factor = f"× {before.slope / after.slope:.2f}"
    ax.text(1.25, -k - 0.5, factor, va="center", fontsize=11, color=red)
ax.text(-1.1, 0.6, "number", color=blue, **middle)
ax.text(1.1, 0.6, "slope", color=red, **middle)
ax.set(xlim=(-2, 2.2), ylim=(-8.5, 0.9))
ax.axis("off")
plt.show()

# %% [markdown]
# *Figure 9.1. The record of one weight, one input and one sigmoid. Down on the left, the numbers are made; up on the right, the slopes come back.*
#
# The four steps of the sigmoid, from $\cdot(-1)$ to $1/\ldots$, are a detour: multiply their factors and you get $\sigma(1-\sigma)$, the slope that
# *Its derivatives* found. The program did not know it.

# %%
s = float(steps[5].numbers)
product = float(steps[1].slope / steps[5].slope)
print(f"product of the four factors {product:.12f}")
print(f"sigma times (1 - sigma)     {s * (1 - s):.12f}")


# %% [markdown]
# ## The same eight numbers
#
# Now the network of Part I, typed with our values. No derivative of it is written anywhere; there is only the forward pass.

# %% tags=["core"]
def toy_loss(w, inputs=(0.05, 0.1), targets=(0.5, 0.5)):
    i1, i2 = inputs
    a_h1 = sigmoid(w[0] * i1 + w[1] * i2)
    a_h2 = sigmoid(w[2] * i1 + w[3] * i2)
    a_o1 = sigmoid(w[4] * a_h1 + w[5] * a_h2)
    a_o2 = sigmoid(w[6] * a_h1 + w[7] * a_h2)
    return (a_o1 - targets[0]) ** 2 / 2 + (a_o2 - targets[1]) ** 2 / 2


toy_weights = [Value(w) for w in (0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55)]
walk_back(toy_loss(toy_weights))
toy_slopes = np.array([float(w.slope) for w in toy_weights])

# %% [markdown]
# We expect the eight numbers that *Its derivatives* found by formula. Beside each other, to twelve decimals:

# %%
derived = ToyNetwork().gradient()
both = {"formulas of Part I": derived, "walked back": toy_slopes}
table = pd.DataFrame(both, index=[f"w{k}" for k in range(1, 9)])
table.map("{:.12f}".format)

# %% [markdown]
# *Table 9.1. The derivatives of the toy network's loss by its eight weights, by the formulas of Part I and walked back.*

# %% tags=["nbval-ignore-output"]
print(f"largest difference {np.abs(derived - toy_slopes).max():.1e}")


# %% [markdown]
# The same eight numbers, up to the rounding of the last digit. So a network needs no formula for each weight. It needs a rule for each *kind of step*. Typed with our values, Part I's
# network needs four: sum, product, power and exponential. (*Slopes* counted three larger ones: weighted sum, half squared error and sigmoid.) What kinds has a convolutional network? Convolution, ReLU, max-pool, batch norm, and a loss for ten classes: five more rules. The rest of this chapter finds them
# one by one.
#
# ## Three ways to doubt a rule
#
# Each new rule will be checked by three methods that do not know it: SymPy's derivatives, on a case small enough for symbols; *nudging*, which is what Part I called central
# differences (turn one number a little up and a little down, and divide the change of the loss by the change of the number); and PyTorch's [autograd](glossary.md#term-autograd), which walks back along a record as we do, but with rules that others wrote. SymPy first:

# %% tags=["core"]
def by_sympy(loss_of, numbers):
    """Write the loss in letters, differentiate, put the numbers in."""
    letters = np.array(sp.symbols(f"x:{numbers.size}")).reshape(numbers.shape)
    loss = loss_of(letters)
    at = dict(zip(letters.flat, numbers.flat))
    slopes = [float(sp.diff(loss, x).subs(at).evalf()) for x in letters.flat]
    return np.reshape(slopes, numbers.shape)


# %% [markdown]
# Nudging needs nothing but the forward pass:

# %% tags=["core"]
def by_nudging(loss_of, numbers, step=1e-5):
    """Turn each number a little up and a little down."""
    slopes = np.zeros_like(numbers)
    for place in np.ndindex(numbers.shape):
        up, down = numbers.copy(), numbers.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (loss_of(up) - loss_of(down)) / (2 * step)
    return slopes


# %% [markdown]
# A piece of a network is followed by other pieces, and from them some slope comes back for each of its numbers. To check a piece alone, we let a random slope come back:
# we multiply each of its results by a random number, its *pull*, and take the sum of the products for a loss. Then the slope of each result is its pull.

# %% tags=["core"]
def total(x):
    to_x = lambda slope: slope * np.ones_like(x.numbers)
    return Value(x.numbers.sum(), [(x, to_x)])


# %% [markdown]
# SymPy and nudging look at one input of the piece at a time, so they get the loss as it depends on that one:

# %% tags=["core"]
def loss_of_one(piece, inputs, k, pull):
    """The loss as it depends on input number k, the others staying as they are."""
    before, after = inputs[:k], inputs[k + 1 :]
    return lambda numbers: np.sum(pull * piece(*before, numbers, *after))


# %% [markdown]
# The function `doubt` walks back through our piece, asks the three others, and shows the largest deviation from each, for every input of the piece:

# %% tags=["core"]
def doubt(piece, in_torch, in_letters, **named):
    inputs = list(named.values())
    values = [Value(numbers) for numbers in inputs]
    tensors = [torch.tensor(numbers, requires_grad=True) for numbers in inputs]
    result = piece(*values)
    pull = np.random.default_rng(1).normal(size=result.numbers.shape)
    walk_back(total(result * pull))
    (in_torch(*tensors) * torch.tensor(pull)).sum().backward()

    def forward(*inputs):
        return piece(*map(Value, inputs)).numbers

    rows = {}
    for k, name in enumerate(named):
        in_symbols = loss_of_one(in_letters, inputs, k, pull)
        in_numbers = loss_of_one(forward, inputs, k, pull)
        others = {"SymPy": by_sympy(in_symbols, inputs[k])}
        others["nudging"] = by_nudging(in_numbers, inputs[k])
        others["autograd"] = tensors[k].grad.numpy()
        far = {who: np.abs(s - values[k].slope).max() for who, s in others.items()}
        rows[name] = far
    return pd.DataFrame(rows).T.map("{:.0e}".format)


# %% [markdown]
# ## A weight that is used at many places
#
# A weight of Part I stood on one line of the drawing. A weight of a convolution is used at every place of the image: a 3 × 3 kernel has 26 × 26 places on a digit, so each of its nine weights takes part in
# 676 sums. How does the loss change when such a weight grows a little? It changes at all 676 places at once, and where paths meet, we add. At one place, the weight is multiplied by
# the pixel under it, and what comes back is the slope of that place's sum, so the part of this place is *slope × pixel*, as in Part I. With $w_{kl}$ for the weight in row $k$ and column $l$ of the
# kernel, $x$ for the image and $\delta_{rc}$ for the slope of the sum at row $r$ and column $c$:
#
# $$\frac{\partial E}{\partial w_{kl}} = \sum_{r}\sum_{c} \delta_{rc}\; x_{r+k,\,c+l} \tag{9.1}$$
#
# Read aloud: go through all places, multiply the slope there by the pixel that this weight lies on there, and add up. In the picture, the weight is the kernel's upper left one, and the error compares our kernel's result with the upright edges that *Convolutions and their cost* found with a kernel of its own: half the mean of the squared differences. We shall use it again in a moment. (The pixels of this nine run from 0 to 1, not to 255 as there: with numbers that large, so would the slopes be, and only a tiny learning rate would do.)
#
# In the next cell, `slide` is that chapter's convolution for many images and many kernels. `np.tensordot` multiplies two tables and adds up over the axes that are named, here channel, row and column of each window with those of the
# kernel, as `einsum` did there.

# %% tags=["core"]
def slide(images, kernels):
    """Every kernel at every place of every image.

    images: (images, channels, rows, columns)
    kernels: (channels out, channels in, rows, columns)
    """
    windows = sliding_window_view(images, kernels.shape[2:], axis=(2, 3))
    sums = np.tensordot(windows, kernels, axes=[(1, 4, 5), (1, 2, 3)])
    return sums.transpose(0, 3, 1, 2)


# %% tags=["core"]
edge_kernel = np.array([[[[1, 0, -1], [2, 0, -2], [1, 0, -1]]]], dtype=float)
goal = slide(digit[None, None], edge_kernel)
kernel = np.random.default_rng(0).normal(scale=0.5, size=(1, 1, 3, 3))

miss = slide(digit[None, None], kernel) - goal
delta = miss / miss.size
places = digit[:26, :26] * delta[0, 0]
print(f"{places.size} products, their sum {places.sum():.6f}")

# %% mystnb={"image": {"alt": "Three squares side by side. Left: the whole digit, and framed on it the 26 by 26 places that the upper left weight of the kernel passes over. Middle: the slope of the loss at each place, red above zero and blue below. Right: their product, which is zero wherever there is paper. Its sum is written above it."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.6))
plotting.show_pixels(digit, scale="linear", ax=axes[0])
plotting.frame(axes[0], row=0, column=0, size=26)
axes[0].set_title("pixels x")
plotting.show_pixels(delta[0, 0], signed=True, ax=axes[1])
axes[1].set_title("× slopes δ")
plotting.show_pixels(places, signed=True, ax=axes[2])
axes[2].set_title(f"sum {places.sum():.3f}")
plt.show()

# %% [markdown]
# *Figure 9.2. The derivative by one shared weight: pixel times slope at each of its 676 places, and all products added up.*
#
# The derivative by this one weight is the sum over the right square: 676 products, of which those on paper are zero. For the weight beside it, the frame moves one pixel on. So *all* nine derivatives together
# are the δ slid over the image, like a kernel of 26 × 26. The backward rule for the weights is itself a convolution:

# %% tags=["core"]
nine = slide(digit[None, None], delta)
print(nine[0, 0].round(3))

# %% [markdown]
# The first of the nine is the sum in the picture.
#
# ## And the pixels?
#
# In a deep network, the image is made by the layer before, so its pixels need slopes too. A pixel lies under up to nine places of the kernel, each time under another weight. Where does a single pixel act?
# Take an image of 5 × 5 that is zero but for a one in the middle, and write 1 to 9 into the kernel, so that we can see which weight was met:

# %% tags=["core"]
one_pixel = np.zeros((1, 1, 5, 5))
one_pixel[0, 0, 2, 2] = 1
numbered = np.arange(1.0, 10).reshape(1, 1, 3, 3)
met = slide(one_pixel, numbered)[0, 0]

# %% mystnb={"image": {"alt": "Three tables. Left: the image of five by five with a one in the middle. Middle: the kernel with the numbers 1 to 9, row by row. Right: the result, the numbers 9 to 1 row by row: the kernel turned by half a turn."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.7), width_ratios=[5, 3, 3])
tables = {"image": one_pixel[0, 0], "kernel": numbered[0, 0], "result": met}
for ax, (name, numbers) in zip(axes, tables.items()):
    plotting.show_pixels(numbers, values=True, scale="linear", ax=ax)
    ax.set_title(name)
plt.show()


# %% [markdown]
# *Figure 9.3. One pixel meets the kernel backwards: the result is the kernel, turned by half a turn.*
#
# The result is the kernel turned by half a turn. The place to the upper left of the pixel meets it with its *last* weight, the place to the lower right with its first. So the slope of a pixel is the sum over these
# nine places, each with the slope that arrives there times the weight through which the pixel went:
#
# $$\frac{\partial E}{\partial x_{rc}} = \sum_{k}\sum_{l} \delta_{r-k,\,c-l}\; w_{kl} \tag{9.2}$$
#
# The minus signs say the same as the picture: δ meets the *turned* kernel, which is what mathematics means by a convolution. Pixels at the rim have fewer places, so we put a rim of zeros around δ first, wide enough that the
# kernel may hang over by all but one row. People call this a [full convolution](glossary.md#term-full-convolution). With several channels, a pixel collects from every kernel, so channels in and channels out change their roles. That gives our piece:

# %% tags=["core"]
def swapped(numbers):
    """The first two axes exchanged: channels in and out, or images and channels."""
    return numbers.swapaxes(0, 1)


def convolve(x, w):
    rows, columns = w.numbers.shape[2:]
    rim = [(0, 0), (0, 0), (rows - 1, rows - 1), (columns - 1, columns - 1)]
    turned = w.numbers[:, :, ::-1, ::-1]
    to_x = lambda slope: slide(np.pad(slope, rim), swapped(turned))
    to_w = lambda slope: swapped(slide(swapped(x.numbers), swapped(slope)))
    return Value(slide(x.numbers, w.numbers), [(x, to_x), (w, to_w)])


# %% [markdown]
# One function, `slide`, goes forward once and backward twice. In `to_w` the images of the batch take the role of the channels, so the parts of all places *and of all images* are added up. The check takes two images of two channels
# and three kernels. From SymPy and autograd we expect rounding errors, from nudging a little more, since it is an approximation:

# %% tags=["nbval-ignore-output"]
generator = np.random.default_rng(0)
images = generator.normal(size=(2, 2, 4, 4))
kernels = generator.normal(size=(3, 2, 3, 3))
doubt(convolve, F.conv2d, slide, x=images, w=kernels)

# %% [markdown]
# It is as we expected: a few units of the sixteenth digit, and a few of the tenth for nudging.
#
# ## A kernel that is learned
#
# *Convolutions and their cost* took its edge detector from Sobel and said that a network learns its own. Here it happens. The network is one convolution; the loss is the one from the picture; the kernel
# starts at random numbers and takes a thousand steps against its slopes. The rule is Part I's, equation (4.1), and the learning rate is 2. (Try 3: the loss runs away, for the reason that *Learning rates* gives.)

# %% tags=["core"]
learned = Value(kernel)
history, kept = [], {}
for update in range(1001):
    miss = convolve(Value(digit[None, None]), learned) - goal
    loss = total(miss**2) / (2 * miss.numbers.size)
    walk_back(loss)
    history.append(float(loss.numbers))
    kept[update] = learned.numbers
    learned = Value(learned.numbers - 2.0 * learned.slope)

# %% mystnb={"image": {"alt": "Upper row: the kernel of nine numbers after 0, 10 and 1000 updates. It starts with random numbers; after 10 updates its left column is positive and its right column negative; after 1000 it reads 1, 0, minus 1; 2, 0, minus 2; 1, 0, minus 1. Lower row: what each of the three finds on the digit; from the second on, the right edges are red and the left edges blue."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(6, 4.4), height_ratios=[3, 4])
for (above, below), update in zip(axes.T, [0, 10, 1000]):
    numbers = kept[update][0, 0].round(2) + 0.0
    plotting.show_pixels(numbers, values=True, signed=True, ax=above)
    above.set_title(f"{update} updates")
    found = slide(digit[None, None], kept[update])[0, 0]
    plotting.show_pixels(found, signed=True, ax=below)
    below.set_xlabel(f"loss {history[update]:.1e}")
plt.show()

# %% [markdown]
# *Figure 9.4. A kernel learns. Above its nine weights, below what it finds on the digit; under each the loss.*

# %%
distance = np.abs(kept[1000] - edge_kernel).max()
print(f"largest distance from the wanted kernel {distance:.6f}")

# %% [markdown]
# The nine numbers were in the goal, of course, since the goal was made with them. But the descent never saw them: it saw one digit and what was wanted at each of 676 places, and from these it found the kernel again.

# %% [markdown]
# Watch the sum of equation (9.1) come together: switch to *the gradient of one weight*, tick *only where the window has been*, and let it scan. Then press *100 steps*.

# %% tags=["hide-input"]
from cellgrad import figures

figures.window(kernel=[[0] * 3] * 3)

# %% [markdown]
# If you let it run, you saw: every place adds its share to one derivative, and going downhill, the kernel comes close to one that answers to upright edges.

# %% [markdown]
# ## ReLU
#
# A ReLU passes a positive number on as it is and makes a negative one zero. So the slope passes where the number was positive, and stops where it was not: a little more of a negative number is still zero. At exactly
# zero there is a corner and no derivative; like PyTorch, we stop the slope there. SymPy says the same with one letter, θ, Heaviside's step, which is 1 above zero and 0 below:

# %%
z = sp.Symbol("z", real=True)
sp.diff(sp.Max(0, z), z)


# %% tags=["core"]
def relu(x):
    positive = x.numbers > 0
    return Value(x.numbers * positive, [(x, lambda slope: slope * positive)])


# %% tags=["nbval-ignore-output"]
relu_in_letters = np.vectorize(lambda z: sp.Max(0, z), otypes=[object])
doubt(relu, F.relu, relu_in_letters, x=generator.normal(size=(3, 4)))


# %% [markdown]
# Zero for SymPy and autograd, which means equal to the last digit: a slope passes or it does not, and nothing is rounded.
#
# ## Max-pool: the winner takes it
#
# A max-pool keeps the largest of four numbers. If the winner grows a little, so does the result; if one of the other three grows a little, nothing happens. So the winner gets the whole slope, the others get none. Where several share the first place, we
# follow PyTorch: the first of them, read row by row, is the winner.

# %% tags=["core"]
def max_pool(x):
    """The largest number of each square of 2 × 2."""
    images, channels, rows, columns = x.numbers.shape
    cut = (images, channels, rows // 2, 2, columns // 2, 2)
    squares = x.numbers.reshape(cut).transpose(0, 1, 2, 4, 3, 5)
    squares = squares.reshape(*squares.shape[:4], 4)
    winner = np.eye(4)[squares.argmax(axis=4)]

    def to_x(slope):
        parts = (winner * slope[..., None]).reshape(*slope.shape, 2, 2)
        return parts.transpose(0, 1, 2, 4, 3, 5).reshape(x.numbers.shape)

    return Value(squares.max(axis=4), [(x, to_x)])


# %% [markdown]
# A table of sixteen numbers, and four slopes that come back. Before you look at the right table: where do they go?

# %% tags=["core"]
table = [[3, 1, 0, 2], [5, 4, 6, 1], [2, 2, 0, 7], [1, 0, 3, 4]]
table = Value([[table]])
pooled = max_pool(table)
walk_back(total(pooled * np.array([[10, 20], [30, 40]])))

# %% mystnb={"image": {"alt": "Three tables. Left: sixteen numbers in four squares of two by two, the largest of each square framed. Middle: the four slopes 10, 20, 30 and 40 that come back. Right: zeros, and 10, 20, 30 and 40 each at the place of its square's largest number; of two equal twos the left one has the 30."}} tags=["hide-input", "hide-output"]
figure, axes = plt.subplots(1, 3, figsize=(6.4, 3), width_ratios=[4, 2.4, 4])
tables = {
    "numbers": table.numbers[0, 0],
    "slopes that\ncome back": pooled.slope[0, 0],
    "slopes passed on": table.slope[0, 0],
}
for ax, (name, numbers) in zip(axes, tables.items()):
    plotting.show_pixels(numbers, values=True, scale="linear", ax=ax)
    ax.set_title(name)
for row, column in np.argwhere(table.slope[0, 0]):
    plotting.frame(axes[0], row, column, size=1)
plt.show()


# %% [markdown]
# *Figure 9.5. Four slopes come back through a max-pool, each to the winner of its square, framed on the left.*
#
# The two twos share the first place of the lower left square, and the first of them has the 30. The check takes random numbers, of which no two are equal:

# %% tags=["nbval-ignore-output"]
def pool_in_letters(x):
    squares = [x[0, 0, r : r + 2, c : c + 2] for r in (0, 2) for c in (0, 2)]
    largest = [sp.Max(*square.flat) for square in squares]
    return np.array(largest).reshape(1, 1, 2, 2)


images = generator.normal(size=(1, 1, 4, 4))
doubt(max_pool, lambda x: F.max_pool2d(x, 2), pool_in_letters, x=images)


# %% [markdown]
# Again equal to the last digit.
#
# ## Batch norm
#
# A [batch](glossary.md#term-batch) is the set of digits that one update looks at. Batch norm takes the $N$ numbers of one channel, over all places and all digits of the batch, subtracts their mean $\mu$ and divides by their standard deviation
# $s = \sqrt{v + \epsilon}$, where $v$ is their variance and $\epsilon$ a tiny number that keeps us from dividing by zero. Then it applies the scale $\gamma$ and the shift $\beta$ that it learns:
#
# $$\hat x_i = \frac{x_i - \mu}{s}, \qquad y_i = \gamma\,\hat x_i + \beta$$
#
# $\gamma$ and $\beta$ are shared weights, so their slopes are sums over all $N$ numbers, of $\delta_i \hat x_i$ for $\gamma$ and of $\delta_i$ for $\beta$. The $x_i$ are the interesting ones: each acts on *all* results of its channel, because it moves the mean and the deviation. Let every $x_i$ grow by a little $dx_i$ ($d$ is for a small nudge; products of two nudges are too small to count), and follow what happens step by step. (Who trusts the two sentences *In words* below may go on there.)
#
# - The mean grows by the average of the growths, $d\mu = \frac1N\sum dx_i$.
# - The variance is the mean of the $(x_i - \mu)^2$, so it grows by $dv = \frac2N\sum (x_i - \mu)(dx_i - d\mu)$. Here $d\mu$ drops out, because the distances from the mean add up to zero: $dv = \frac2N\sum (x_i - \mu)\,dx_i$.
# - From $s^2 = v + \epsilon$ follows $2s\,ds = dv$, so $ds = \frac1N\sum \frac{x_i - \mu}{s}\,dx_i = \frac1N\sum \hat x_i\,dx_i$.
# - A quotient $\hat x_j = (x_j - \mu)/s$ grows by $(dx_j - d\mu)/s$ through its numerator, and by $-\hat x_j\,ds/s$ through its denominator.
#
# All together:
#
# $$d\hat x_j = \frac1s\Big(dx_j - \frac1N\sum_i dx_i - \hat x_j\,\frac1N\sum_i \hat x_i\, dx_i\Big)$$
#
# Let $g_j = \gamma\,\delta_j$ be the slope that arrives at $\hat x_j$. The loss grows by
#
# $$\sum_j g_j\,d\hat x_j = \frac1s\Big(\sum_i g_i\,dx_i - \text{mean}(g)\sum_i dx_i - \text{mean}(g\,\hat x)\sum_i \hat x_i\,dx_i\Big),$$
#
# where the two sums over $j$, each with its $\frac1N$, have become means. What stands before one $dx_i$ is its slope:
#
# $$\frac{\partial E}{\partial x_i} = \frac1s\Big(g_i - \text{mean}(g) - \hat x_i\;\text{mean}(g\,\hat x)\Big) \tag{9.3}$$
#
# In words: the slope passes through, divided by the deviation, but two parts are taken out of it. To add the same to all numbers changes nothing, since the mean is subtracted; so the average of the slopes is taken away. To stretch all
# numbers away from their mean changes nothing either, since we divide by the deviation; so this part is taken away too. As code it is as long as the formula:

# %% tags=["core"]
def batch_norm(x, scale, shift, tiny=1e-5):
    over = (0, 2, 3)  # all images, all places

    def mean(numbers):
        return numbers.mean(axis=over, keepdims=True)

    deviation = np.sqrt(mean((x.numbers - mean(x.numbers)) ** 2) + tiny)
    hat = (x.numbers - mean(x.numbers)) / deviation
    gamma, beta = (p.numbers[:, None, None] for p in (scale, shift))

    def to_x(slope):
        g = gamma * slope
        return (g - mean(g) - hat * mean(g * hat)) / deviation

    to_scale = lambda slope: (slope * hat).sum(axis=over)
    to_shift = lambda slope: slope.sum(axis=over)
    sources = [(x, to_x), (scale, to_scale), (shift, to_shift)]
    return Value(gamma * hat + beta, sources)


# %% [markdown]
# SymPy gets the definition in letters, for one channel of four numbers:

# %%
def norm_in_letters(x, scale, shift):
    mean = x.sum() / x.size
    deviation = sp.sqrt(((x - mean) ** 2).sum() / x.size + 1e-5)
    return scale[0] * (x - mean) / deviation + shift[0]


# %% tags=["nbval-ignore-output"]
def norm_in_torch(x, scale, shift):
    return F.batch_norm(x, None, None, scale, shift, training=True)


x, scale, shift = (generator.normal(size=size) for size in [(2, 1, 1, 2), 1, 1])
doubt(batch_norm, norm_in_torch, norm_in_letters, x=x, scale=scale, shift=shift)

# %% [markdown]
# The formula stands. It was the longest derivation of this chapter, and the check the shortest part of it.
#
# ## Ten scores and a label: *p* − *y*
#
# The network ends in ten scores, one for each digit, also called [logits](glossary.md#term-logits). The [softmax](glossary.md#term-softmax) makes probabilities of them: exponentials, so that all are positive, divided by their sum, so that they add up to 1.
# The loss is the [cross-entropy](glossary.md#term-cross-entropy): minus the logarithm of the probability $p_c$ of the right class $c$. It is zero when the network is sure and right, and grows without bound when it is sure and wrong:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# $$E = -\ln p_c = -z_c + \ln\sum_j e^{z_j}$$
#
# How does $E$ change with one score $z_k$? The first term gives $-1$ if $k$ is the right class and nothing otherwise. The second is a logarithm, and the rate of $\ln u$ is $1/u$: if $v$ grows a little, $u = e^v$ grows $u$ times as much; so on the way back, from $u$ to $v = \ln u$, it is $1/u$ times as much. By the chain rule we get
# $1 / \sum_j e^{z_j}$ times the derivative of the sum by $z_k$, which is $e^{z_k}$: together $e^{z_k} / \sum_j e^{z_j}$, which is $p_k$ again. Write $y_k$ for 1 at the right class and 0 elsewhere:
#
# $$\frac{\partial E}{\partial z_k} = p_k - y_k \tag{9.4}$$
#
# In words: what the network says, minus what it should say. SymPy gets three scores in letters, the second class being right. Take $p - y$ away from its derivatives, and we expect three zeros:

# %%
scores = sp.symbols("z1:4", real=True)
p = [sp.exp(z) / sum(map(sp.exp, scores)) for z in scores]
y = [0, 1, 0]
slopes = [sp.diff(-sp.log(p[1]), z) for z in scores]
[sp.simplify(slope - (p[k] - y[k])) for k, slope in enumerate(slopes)]

# %% mystnb={"image": {"alt": "Three bar charts over the ten digits, one below the other. Above: the probabilities p that a network gives, most of it split between 3 and 5. Middle: what it should say, 1 at the label 3. Below: the difference, negative at 3, positive at 5 and a little at the others: the slopes of the ten scores."}} tags=["hide-input"]
scores_now = np.array([-1.0, 0.5, 0.2, 2.0, -2.0, 2.6, 0.1, -0.5, 1.0, -0.4])
p_now = np.exp(scores_now) / np.exp(scores_now).sum()
y_now = np.eye(10)[3]
figure, axes = plt.subplots(3, 1, figsize=(5.4, 5.6), sharex=True, sharey=True)
names = ["what it says, p", "what it should say, y", "slopes, p − y"]
colours = [plotting.BLUE, plotting.GREEN, plotting.RED]
bars = [p_now, y_now, p_now - y_now]
for ax, name, heights, colour in zip(axes, names, bars, colours):
    ax.bar(range(10), heights, color=colour)
    ax.set(xticks=range(10), title=name)
axes[2].set_xlabel("digit")
plt.show()


# %% [markdown]
# *Figure 9.6. Ten invented scores of a digit with the label 3, by a network that leans towards 5: what it says, minus what it should say.*
#
# A step against these slopes raises the score of the right class and lowers the others, each by its own share of the blame. Compare Part I's output delta, equation (3.1): $(a - t)\,a(1 - a)$. There, an
# output that is sure and wrong has a factor $a(1 - a)$ near zero and learns almost nothing. Here, the factor is gone.
#
# ## The mean over a batch
#
# The loss of a batch is the mean of its digits' losses. A mean of $n$ numbers passes one $n$-th of its slope to each. So the derivative by a weight is the mean of what the digits say, and digits that disagree cancel. Both
# in one piece (we subtract the largest score first, which changes no probability and keeps the exponentials small):

# %% tags=["core"]
def cross_entropy(scores, labels):
    """The mean over the batch; scores: (images, classes)."""
    powers = np.exp(scores.numbers - scores.numbers.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    y = np.eye(p.shape[1])[labels]
    each = -np.log((p * y).sum(axis=1))
    to_scores = lambda slope: slope * (p - y) / len(labels)
    return Value(each.mean(), [(scores, to_scores)])


# %%
labels = np.array([1, 0])


def entropy_in_letters(scores):
    logs = [sp.log(sum(map(sp.exp, row))) for row in scores]
    each = [log - row[k] for log, row, k in zip(logs, scores, labels)]
    return sum(each) / len(labels)


# %% tags=["nbval-ignore-output"]
ours = lambda scores: cross_entropy(scores, labels)
theirs = lambda scores: F.cross_entropy(scores, torch.tensor(labels))
doubt(ours, theirs, entropy_in_letters, scores=generator.normal(size=(2, 3)))

# %% [markdown]
# Rounding errors, and the last of the five rules is found.
#
# ## A step with momentum and decay
#
# Two more things belong to the training of the next chapter. Neither needs a new rule for going back; they change what a step makes of the slopes.
#
# [Momentum](glossary.md#term-momentum): a weight has a velocity $v$ (this time $v$ is not the variance). Each update keeps nine tenths of the velocity and adds the slope; the weight moves against the velocity. What does that do where the slope stays the same? Expect the steps to grow, but not forever:

# %% tags=["core", "hide-output"]
velocity, steps_taken = 0.0, []
for update in range(50):
    velocity = 0.9 * velocity + 1.0  # the slope is 1 each time
    steps_taken.append(velocity)
np.round(steps_taken, 2)[[0, 1, 2, 9, 49]]


# %% [markdown]
# They approach ten times the slope: where a velocity of 10 loses a tenth, it loses 1, which is just what the slope adds. Where slopes change their sign from batch to batch, they cancel in the velocity, as in any sum. So momentum makes steps long where slopes agree, and short where they contradict one another.
#
# [Weight decay](glossary.md#term-weight-decay): we add $\frac\lambda2 w^2$ to the loss for every weight, with a small number $\lambda$ (not the curvature of *Learning rates*). That makes large weights expensive. Its derivative is $\lambda w$, so all that changes is that each slope gets $\lambda w$ on top, and every update pulls the weight a little towards zero. Both, for a list of arrays:

# %% tags=["core"]
def step(weights, slopes, velocities, rate, momentum=0.9, decay=1e-4):
    """One update of every array; returns the new weights and velocities."""
    velocities = [
        momentum * v + (slope + decay * w)
        for w, slope, v in zip(weights, slopes, velocities)
    ]
    return [w - rate * v for w, v in zip(weights, velocities)], velocities


# %% [markdown]
# PyTorch's optimiser `SGD` should do the same. The name means [stochastic gradient descent](glossary.md#term-stochastic-gradient-descent), the descent by batches that are drawn at random. Five updates of twelve weights with the same random slopes:

# %% tags=["nbval-ignore-output"]
weights, velocities = [generator.normal(size=(3, 4))], [np.zeros((3, 4))]
theirs = torch.tensor(weights[0], requires_grad=True)
optimiser = torch.optim.SGD([theirs], lr=0.2, momentum=0.9, weight_decay=1e-4)
for slope in generator.normal(size=(5, 3, 4)):
    weights, velocities = step(weights, [slope], velocities, rate=0.2)
    theirs.grad = torch.tensor(slope)
    optimiser.step()
far = np.abs(weights[0] - theirs.detach().numpy()).max()
print(f"largest difference {far:.0e}")


# %% [markdown]
# ## All 14,392
#
# Now the pieces make the network that the next chapter trains, the one that our source designed: three blocks of convolution, ReLU and batch norm, a max-pool, four more blocks, and two convolutions that end in ten scores. It takes its arrays of weights
# one after the other from a list. Only the forward pass is written down, as it was for the eight weights:

# %% tags=["core"]
def source_network(images, arrays, pool=max_pool):
    arrays = iter(arrays)

    def block(x):
        x = relu(convolve(x, next(arrays)))
        return batch_norm(x, next(arrays), next(arrays))

    x = block(block(block(images)))
    x = block(block(block(block(pool(x)))))
    x = convolve(relu(convolve(x, next(arrays))), next(arrays))
    to_x = lambda slope: slope[:, :, None, None]
    return Value(x.numbers[:, :, 0, 0], [(x, to_x)])  # one place is left


# %% [markdown]
# PyTorch's own first weights, in double precision so that rounding stays far behind the decimal point; 128 digits; and both walks back, PyTorch's and ours:

# %%
torch.manual_seed(0)
theirs = build(SOURCE).double()
images = mnist.normalise(digits.images[:128]).double()
labels = digits.labels[:128]
their_loss = F.cross_entropy(theirs(images), labels)
their_loss.backward()

arrays = [Value(p.detach().numpy().copy()) for p in theirs.parameters()]
loss = cross_entropy(source_network(Value(images), arrays), labels.numpy())
walk_back(loss)
count = sum(a.numbers.size for a in arrays)
print(f"{count:,} weights, {len(behind(loss))} values on record")

# %% [markdown]
# One value on record is a whole layer's result for all 128 digits, so the record is short. Now the derivatives, layer by layer, and how far they are from PyTorch's. We expect rounding errors, larger than above for the first layers, whose derivatives are sums of very many products:

# %% tags=["nbval-ignore-output"]
rows = []
for (name, p), array in zip(theirs.named_parameters(), arrays):
    far = np.abs(array.slope - p.grad.numpy()).max()
    layer, largest = name.split(".")[0], np.abs(array.slope).max()
    rows.append((layer, array.slope.size, largest, far))
columns = ["layer", "weights", "largest derivative", "largest deviation"]
layers = pd.DataFrame(rows, columns=columns).groupby("layer", sort=False)
table = layers.agg({columns[1]: "sum", columns[2]: "max", columns[3]: "max"})
for column, digits_shown in zip(columns[2:], ["{:.3f}", "{:.0e}"]):
    table[column] = table[column].map(digits_shown.format)
table

# %% [markdown]
# *Table 9.2. The layers of the network with their weights, the size of the largest derivative, and the largest deviation from PyTorch's.*
#
# All are rounding errors, and larger before the pool than behind it. That the largest is not in the very first layer our reason does not explain; we have not looked into it.

# %% tags=["nbval-ignore-output"]
ours_all = np.concatenate([array.slope.ravel() for array in arrays])
grads = [p.grad.numpy().ravel() for p in theirs.parameters()]
theirs_all = np.concatenate(grads)
print(f"{len(ours_all):,} derivatives")
print(f"largest deviation from autograd {np.abs(ours_all - theirs_all).max():.0e}")

# %% [markdown]
# And against nudging, which knows no rule at all. Two forward passes for each weight would take a while for all of them, so here are two weights of each array and eight digits. (The book's tests nudge all 14,392.)

# %% tags=["nbval-ignore-output"]
few, few_labels = Value(images[:8]), labels[:8].numpy()
loss_of_few = lambda: cross_entropy(source_network(few, arrays), few_labels)
walk_back(loss_of_few())
far = []
for array in arrays:
    for place in generator.integers(array.numbers.size, size=2):
        number = array.numbers.flat[place]
        array.numbers.flat[place] = number + 1e-6
        up = loss_of_few().numbers
        array.numbers.flat[place] = number - 1e-6
        down = loss_of_few().numbers
        array.numbers.flat[place] = number
        far.append(abs((up - down) / 2e-6 - array.slope.flat[place]))
print(f"{len(far)} weights, largest deviation from nudging {max(far):.0e}")

# %% [markdown]
# Nudging agrees too, as closely as an approximation can. Now the picture that this book's title promises: every derivative by formula or autograd on one axis, ours by one walk on the other. On the diagonal, both say the same.

# %% mystnb={"image": {"alt": "A cloud of 14,392 blue dots, one for each weight of the convolutional network, exactly on the diagonal between autograd's derivative and ours, from about a millionth to above a tenth on logarithmic axes; and eight orange dots, the weights of Part I's spreadsheet, on the same diagonal."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 4.6))
ax.loglog(np.abs(theirs_all), np.abs(ours_all), ".", markersize=3,
          label="the convolutional network's, by autograd")
ax.loglog(derived, toy_slopes, "o", markersize=7, markeredgecolor=plotting.INK,
          label="the spreadsheet's eight, by formula")
ax.set_xlabel("derivative by formula or autograd (size)")
ax.set_ylabel("derivative walked back (size)")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# *Figure 9.7. Each dot is a weight: 14,392 of the network that reads digits and eight of the spreadsheet, all on the diagonal.*
#
# ## One update
#
# Last, the rule that gave the chapter its name: every weight moves against its slope. One step of ours, one of PyTorch's optimiser, and the first weight of each convolution before and after:

# %%
before = [array.numbers for array in arrays]
slopes = np.split(ours_all, np.cumsum([a.size for a in before])[:-1])
slopes = [slope.reshape(a.shape) for slope, a in zip(slopes, before)]
still = [np.zeros_like(a) for a in before]
after, velocities = step(before, slopes, still, rate=0.05)

optimiser = torch.optim.SGD(theirs.parameters(), 0.05, 0.9, weight_decay=1e-4)
optimiser.step()
their_after = [p.detach().numpy() for p in theirs.parameters()]
at = [k for k, a in enumerate(before) if a.ndim == 4]
columns = {"before": before, "derivative": slopes}
columns |= {"after, ours": after, "after, PyTorch's": their_after}
names = layer_table(SOURCE).query("kind == 'conv'")["layer"]
firsts = {name: [c[k].flat[0] for k in at] for name, c in columns.items()}
pd.DataFrame(firsts, index=names).round(6)

# %% [markdown]
# *Table 9.3. The first weight of each convolution: before the update, its derivative, and after the update by our step and by PyTorch's.*

# %% tags=["nbval-ignore-output"]
far = max(np.abs(a - b).max() for a, b in zip(after, their_after))
print(f"largest difference over all weights {far:.0e}")

# %% [markdown]
# Did the step help? The loss of the same 128 digits, before and after:

# %%
arrays = [Value(a) for a in after]
loss_after = cross_entropy(source_network(Value(images), arrays), labels.numpy())
print(f"before {loss.numbers:.4f}, after {loss_after.numbers:.4f}")

# %% [markdown]
# It did. (A network that gives each of the ten digits one tenth has the loss $\ln 10$, about 2.3: there an untrained one begins.) The next chapter takes a few thousand such steps, with PyTorch's walk, which finds the same derivatives.
#
# ## Recap
#
# - A value remembers what it was made from and how its slope passes back. One walk from the loss, youngest value first, finds all slopes.
# - A number that is used at many places collects the sum of what comes back from them. So the weights of a convolution get their slopes by a convolution, equation (9.1), and its input by one with the turned kernel, equation (9.2).
# - ReLU lets the slope through or stops it; a max-pool gives it to the winner; batch norm takes two parts out of it, equation (9.3); softmax with cross-entropy makes $p - y$, equation (9.4).
# - A rule that you derived is worth a check by something that does not know it.
# - The rule for eight weights and for 14,392 is the same: against the slope.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* Let $E = (2w)(3w)$ at $w = 1$. Treat the two uses of $w$ as two different numbers, find the slope of each, and add up. Which number do you expect? Does the program say the same?
#
# *Check:* `check("09.1", …)` with the slope of $w$.
#
# <details>
# <summary>Hint</summary>
#
# Call them $u$ and $v$: $E = (2u)(3v)$. The slope of $u$ is what you get when only $u$ grows.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# $E = 6uv$, so the slope of $u$ is $6v$ and that of $v$ is $6u$, both 6 at 1. Together 12. (And $E = 6w^2$ has the derivative $12w$.)
#
# ```python
# w = Value(1.0)
# walk_back((2 * w) * (3 * w))
# print(w.slope)
# check("09.1", w.slope)
# ```
#
# ```text
# 12.0
# Right.
# ```
# </details>
#
# **2.** Suppose the loss is the plain sum of all 676 results of a convolution. What are the derivatives by its nine weights? Say it in words, then compute the first one for our digit in two ways.
#
# *Check:* `check("09.2", …)` with the first derivative.
#
# <details>
# <summary>Hint</summary>
#
# The slope of every place is 1. What does the sum of slope × pixel become?
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Each is the sum of all pixels that the weight passes over.
#
# ```python
# w = Value(edge_kernel)
# walk_back(total(convolve(Value(digit[None, None]), w)))
# print(f"{w.slope[0, 0, 0, 0]:.6f} {digit[:26, :26].sum():.6f}")
# check("09.2", w.slope[0, 0, 0, 0])
# ```
#
# ```text
# 112.901961 112.901961
# Right.
# ```
# </details>
#
# **3.** Teach `Value` the *leaky ReLU*, which passes positive numbers on as they are and multiplies negative ones by 0.1. Fill the blank, and check it with `doubt`.
#
# ```python
# def leaky_relu(x):
#     factor = np.where(x.numbers > 0, 1, 0.1)
#     return Value(x.numbers * factor, [(x, lambda slope: ...)])
# ```
#
# *Check:* `check("09.3", …)` with your function.
#
# <details>
# <summary>Hint</summary>
#
# Where the number was positive, the result grows as fast as it. Where it was negative, a tenth as fast.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# def leaky_relu(x):
#     factor = np.where(x.numbers > 0, 1, 0.1)
#     return Value(x.numbers * factor, [(x, lambda slope: slope * factor)])
#
# in_torch = lambda x: F.leaky_relu(x, 0.1)
# in_letters = np.vectorize(lambda z: sp.Max(0.1 * z, z), otypes=[object])
# found = doubt(leaky_relu, in_torch, in_letters, x=np.array([[-2.0, 0.5, 3.0]]))
# print((found.astype(float) < 1e-9).all(axis=None))
# check("09.3", leaky_relu)
# ```
#
# ```text
# True
# Right.
# ```
# </details>
#
# **4.** An average pool takes the mean of each 2 × 2 square instead of its largest number. What is its backward rule? Four slopes 10, 20, 30, 40 come back to a table of 4 × 4: what is the sum of all slopes that it passes on?
#
# *Check:* `check("09.4", …)` with the sum of all slopes that are passed on.
#
# <details>
# <summary>Hint</summary>
#
# A mean of four numbers passes a quarter of its slope to each. `np.kron(slopes, np.ones((2, 2)))` repeats every number of a table in a square of 2 × 2.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Every number of a square gets a quarter of the square's slope. Four quarters make one, so the sum stays 100.
#
# ```python
# passed_on = np.kron([[10, 20], [30, 40]], np.ones((2, 2))) / 4
# print(passed_on, passed_on.sum())
# check("09.4", passed_on.sum())
# ```
#
# ```text
# [[ 2.5  2.5  5.   5. ]
#  [ 2.5  2.5  5.   5. ]
#  [ 7.5  7.5 10.  10. ]
#  [ 7.5  7.5 10.  10. ]] 100.0
# Right.
# ```
# </details>
#
# **5.** A network gives the right class the score $-5$ and the wrong class the score $5$; there are two classes. How large is the slope of the right score, with softmax and cross-entropy? And how large is Part I's output delta for
# a sigmoid unit with the sum $-5$ and the target 1? Which of them learns?
#
# *Check:* `check("09.5", …)` with the slope of the right score and the delta of the sigmoid unit.
#
# <details>
# <summary>Hint</summary>
#
# $p - y$ with $p = e^{-5} / (e^{-5} + e^{5})$; and $(a - t)\,a\,(1 - a)$ with $a = \sigma(-5)$.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# scores = Value(np.array([[-5.0, 5.0]]))
# walk_back(cross_entropy(scores, [0]))
# unit = Value(-5.0)
# walk_back((sigmoid(unit) - 1) ** 2 / 2)
# print(f"softmax {scores.slope[0, 0]:.5f}, sigmoid {unit.slope:.5f}")
# check("09.5", (scores.slope[0, 0], unit.slope))
# ```
#
# ```text
# softmax -0.99995, sigmoid -0.00660
# Right.
# ```
#
# Both are as wrong as can be, but only the first has a slope to learn from.
# </details>
#
# **6.** Why from the youngest to the oldest? Let $a = 2x$ and $E = a + a\,x$ at $x = 3$. Which slope should $x$ have? Walk by hand in a wrong order: let $a$ pass its slope back before the product has. What does $x$ get?
#
# *Check:* `check("09.6", …)` with the right slope of $x$, and the one in the wrong order.
#
# <details>
# <summary>Hint</summary>
#
# $E = 2x + 2x^2$. The slope of $a$ is 1 from the sum and $x$ from the product. In the wrong order, only the first part is there when $a$'s turn comes.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The derivative is $2 + 4x = 14$. In the wrong order, $a$ passes back $1 \cdot 2 = 2$; then the product gives $x$ its own part, $a = 6$, and gives $a$ another 3, which nobody passes back any more. So $x$ gets 8 where it should get 14.
#
# ```python
# x = Value(3.0)
# a = 2 * x
# walk_back(a + a * x)
# print(x.slope, "and in the wrong order", 1 * 2 + float(a.numbers))
# check("09.6", (x.slope, 1 * 2 + a.numbers))
# ```
#
# ```text
# 14.0 and in the wrong order 8.0
# Right.
# ```
# </details>
#
# **7.** *Design.* After a ReLU many numbers are exactly zero, so batch norm makes them exactly equal, and many squares of the max-pool have several winners. A friend says: "then it is only fair to share the slope among them." Write such a
# max-pool. Do the 14,392 derivatives change? Predict first.
#
# *Check:* `check("09.7", …)` with `"yes"` or `"no"`, whether they change.
#
# <details>
# <summary>Hint</summary>
#
# In `max_pool`, `winner` becomes `squares == squares.max(axis=4, keepdims=True)`, divided by how many there are. Then think: equal numbers came from zeros of a ReLU. What does a ReLU do with the slope of a zero? And what does batch norm take from
# the slopes of its channel that could notice how they are shared among equal numbers?
# </details>
#
# <details>
# <summary>Solution</summary>
#
# They do not change, up to rounding. Batch norm uses the mean of the slopes and the mean of slope times number; among equal numbers, sharing changes neither. What is left of the slopes then meets a ReLU, which stops it. In a network where
# the winners tie at numbers above zero, it would matter.
#
# ```python
# def fair_pool(x):
#     in_squares = lambda numbers: np.kron(numbers, np.ones((2, 2)))
#     largest = max_pool(x).numbers
#     winners = x.numbers == in_squares(largest)
#     count = sum(winners[:, :, r::2, c::2].astype(int) for r in (0, 1) for c in (0, 1))
#     print(f"squares with several winners {(count > 1).mean():.0%}")
#     return Value(largest, [(x, lambda slope: winners * in_squares(slope / count))])
#
#
# def slopes_with(pool):
#     walk_back(cross_entropy(source_network(Value(images), arrays, pool), labels.numpy()))
#     return np.concatenate([array.slope.ravel() for array in arrays])
#
#
# difference = np.abs(slopes_with(fair_pool) - slopes_with(max_pool)).max()
# print("largest difference below 1e-12:", bool(difference < 1e-12))
# check("09.7", "no")
# ```
#
# ```text
# squares with several winners 41%
# largest difference below 1e-12: True
# Right.
# ```
# </details>
#
# ## What's next
#
# [The run](10-the-run.ipynb) trains this network: PyTorch walks back, we write the loop.
