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
# # The receptive field, step by step
#
# A unit in the first layer sees 3 × 3 pixels. The unit above it sees 3 × 3 of *those*, and so a little more of the image. The part of the image that can change a
# unit is its *receptive field*. The source's whole design rests on it: 7 pixels before the pool, 28 at the end. We compute it layer by layer,
# turn the steps into a formula, and then measure it, because a formula can be wrong.
#
# **You will be able to** compute the receptive field of any stack of layers in your head, explain why the pool makes everything after it count
# double, and measure the field of a network that you do not know.
#
# **You need** *Convolutions and their cost*.

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
import pandas as pd
import torch

from cellgrad import mnist, plotting, receptive, training
from cellgrad.layers import SOURCE, block, build, conv, max_pool
from cellgrad.receptive import receptive_field

plotting.use_house_style()
digit = mnist.sample().train.images[3]

# %% [markdown]
# ## Three layers by hand
#
# Stack 3 × 3 convolutions. The first sees 3 pixels each way. A unit of the second looks at three neighbours of the first, whose fields overlap: each lies one pixel further. How
# many pixels do three fields of width 3 cover, one pixel apart? Five. And the third layer?

# %%
three = [conv(8, 3), conv(8, 3), conv(8, 3)]
receptive_field(three)[["layer", "size"]]

# %% [markdown]
# Two more with every layer. How far does that go on 28 pixels?

# %%
thirteen = receptive_field([conv(8, 3)] * 13)
thirteen.tail(1)[["layer", "output_size", "size"]]

# %% [markdown]
# A fourteenth no longer fits on what is left, and we have not seen the whole digit. The pool is the shortcut.
#
# ## The step
#
# Keep two numbers for each layer: the *size* of a unit's field, and the *jump*, how many pixels lie between the fields of
# two neighbouring units. A layer with kernel $k$ and stride $s$ takes $k$ neighbours, so its field is wider by $k - 1$ jumps; and it moves $s$ units at a time, so
# its own jump is $s$ times as large:
#
# $$\text{size} \leftarrow \text{size} + (k - 1) \cdot \text{jump} \qquad \text{jump} \leftarrow \text{jump} \cdot s$$
#
# With dilation $d$, the $k$ taps reach over $d(k-1) + 1$ units, so $d(k-1)$ stands in the place of $k - 1$. To know where the fields lie, keep a third number, *start*: the centre of the first unit's
# field, where the first pixel's centre is 0.5. A window's centre lies half its reach behind its first tap, and $p$ pixels of padding move it $p$ jumps back:
#
# $$\text{start} \leftarrow \text{start} + \left(\tfrac{d(k - 1)}{2} - p\right) \cdot \text{jump}$$
#
# In code:

# %%
print(inspect.getsource(receptive.step))

# %% [markdown]
# ## The source's network
#
# Three convolutions, a pool, five convolutions, a 1 × 1. Before you run the cell, compute: 3, 5, 7, then the pool, then?

# %%
table = receptive_field(SOURCE)
steps = table[table["kind"].isin(["conv", "max_pool"])]
steps[["layer", "kernel", "stride", "output_size", "size", "jump", "start"]]

# %% [markdown]
# The pool adds one pixel only. But it doubles the jump, and from there on each 3 × 3 convolution adds *four* pixels instead of two.
# The last unit sees 28 pixels, the whole image, and the 1 × 1 convolution adds nothing. On a digit:

# %% mystnb={"image": {"alt": "Ten copies of the same digit, one for each layer, each with a square: the field of the unit in the middle. The square grows from 3 by 3 pixels over 5, 7, 8, 12, 16, 20 and 24 to 28 by 28, the whole image, which the last panel, the 1 by 1, repeats."}}
plotting.draw_fields(steps, digit)
plt.show()

# %% [markdown]
# ## Why the jump matters
#
# Take the pool away and stack the same eight convolutions. And move the pool to the front, after one convolution. Which sees most? (On a larger image, since not all of them fit on 28 pixels.)

# %%
pool_early = [*block(8), max_pool(2), *block(8) * 7]
convolutions = SOURCE[:-2]  # without the 1 × 1 and what follows
stacks = {
    "without the pool": [c for c in convolutions if c.kind != "max_pool"],
    "as it is": convolutions,
    "pool after one convolution": pool_early,
}
sizes = {}
for name, stack in stacks.items():
    sizes[name] = receptive_field(stack, (1, 64, 64))["size"].iloc[-1]
pd.Series(sizes, name="field at the end").to_frame()

# %% [markdown]
# The earlier the pool, the wider the view, and the sooner the fine detail is gone. That is the trade that the source's advice, 7 × 7 before the first pool, is about.
#
# ## In closed form
#
# Write the step out for all layers. Layer $l$ adds $(k_l - 1)$ times the jump that the layers *before* it have built up, which is the product of their strides:
#
# $$r = 1 + \sum_{l} d_l\,(k_l - 1) \prod_{i<l} s_i$$

# %%
total, jump = 1, 1
for row in steps.itertuples():
    total, jump = total + (row.kernel - 1) * jump, jump * row.stride
print("closed form:", total, " table:", steps["size"].iloc[-1])

# %% [markdown]
# ## Measured
#
# All this is arithmetic about intentions. Ask the network itself: which pixels of the image *can* change this unit? Those where its gradient is not
# zero. Real weights can cancel by accident, so the measurement uses a copy with all weights set to one, sums in the place of maxima, and no ReLU. Then nothing can
# cancel, and what remains is the wiring.

# %%
network = build(SOURCE)
measured = {
    row.layer: receptive.measure_receptive_field(network, (1, 28, 28), row.layer)
    for row in steps.itertuples()
}
theory = steps.set_index("layer")["size"]
pd.DataFrame({"theory": theory, "measured": measured})

# %% [markdown]
# The same measurement, for 300 random stacks and for every classifier that torchvision ships and that PyTorch can trace, is one of this book's tests.
#
# ## Any network
#
# `receptive_field` also takes a PyTorch module. It follows the data through the module, branches and all. Here is VGG-16, written as a layer list, at the end of each
# of its blocks; the numbers are those of the published table (Araujo, Norris and Sim, 2019).

# %%
vgg = []
for repeats, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
    vgg += [conv(channels, 3, padding=1)] * repeats + [max_pool(2)]
fields = receptive_field(vgg, (3, 224, 224))
fields[fields["kind"] == "max_pool"][["layer", "output_size", "size", "jump"]]

# %% [markdown]
# And a network with branches, ResNet-18, traced from PyTorch's own module. (`import_torchvision` is torchvision's import, made to work beside any build of torch.) One of its blocks: the shortcut,
# *downsample*, has a smaller field than the two convolutions beside it; the sum sees the union. *Aligned* means that both fields have the same centre.

# %%
from cellgrad.torchvision import import_torchvision

resnet = import_torchvision().models.resnet18(weights=None)
traced = receptive_field(resnet, (3, 224, 224))
rows = ["layer2.0.conv2", "layer2.0.downsample.0", "add_2", "add_7"]
traced[traced["layer"].isin(rows)][["layer", "kind", "size", "jump"]]

# %% [markdown]
# At the end a unit could see more than the 224 pixels there are. Could.
#
# ## How little of it is used
#
# The field says which pixels *can* change a unit, not by how much. A pixel in the middle is reached on many paths, a pixel in the corner on
# one. Stack $n$ layers with kernel $k$, all weights equal, and the influence is spread like a sum of $n$ dice: nearly a Gaussian, with
#
# $$\sigma = \sqrt{n\,(k^2 - 1)/12}$$
#
# (Luo, Li, Urtasun and Zemel, 2016). The field grows with $n$, its used part only with $\sqrt n$. Check it on stacks of convolutions whose weights are all one, where the influence of a pixel is its gradient:

# %%
rows = []
for n in (5, 10, 20):
    stack = build([conv(1, 3)] * n, (1, 2 * n + 1, 2 * n + 1)).double()
    for weight in stack.parameters():
        torch.nn.init.ones_(weight)
    image = torch.zeros(1, 1, 2 * n + 1, 2 * n + 1, dtype=torch.float64)
    used = receptive.effective_receptive_field(stack, image, power=1)
    rows.append((n, 2 * n + 1, used.sigma[0], receptive.gaussian_sigma(n)))
columns = ["layers", "field", "measured σ", "predicted σ"]
pd.DataFrame(rows, columns=columns).round(4)

# %% [markdown]
# ## Before and after training
#
# A trained network can decide for itself which pixels matter. Train the source's network for a few epochs on the sample of digits inside this book's package, and compare
# the gradient's square, averaged over 200 digits, before and after. Will the used part keep its round shape? (The pictures show its square root, so that faint parts can be seen.)

# %% mystnb={"image": {"alt": "Two maps of 28 by 28 pixels: how strongly the network's scores depend on each pixel. Before training: a round blob in the middle. After it: an irregular one, darker where strokes are."}} tags=["nbval-ignore-output"]
sample = mnist.sample()
images = mnist.normalise(sample.test.images[:200])
torch.manual_seed(0)
untrained = build(SOURCE)
trained = training.train("book", sample, epochs=4, progress=False).model
maps = {
    "before": receptive.effective_receptive_field(untrained, images),
    "after": receptive.effective_receptive_field(trained, images),
}
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.8))
for ax, (when, used) in zip(axes, maps.items()):
    plotting.show_pixels(used.strength**0.5, scale="linear", ax=ax)
    widths = " × ".join(f"{sigma:.1f}" for sigma in used.sigma)
    ax.set_title(f"{when} training on the sample: σ = {widths}", fontsize=10)
plt.show()

# %% [markdown]
# The widths σ, down and across, are in the titles. To compare: if all 28 × 28 pixels counted alike, it would be

# %%
print(f"σ = {((28**2 - 1) / 12) ** 0.5:.1f}")

# %% [markdown]
# Both are well below that, down and across. Training changes the shape of the used part, since the network looks where strokes are. A field of 28 is a permission, not a description.
#
# ## Recap
#
# - A layer widens the field by $(k-1)$ times the jump, and a stride multiplies the jump.
# - After a pool, everything counts double.
# - Gradients measure what the arithmetic predicts.
# - The field is what a unit *can* see. With equal weights, what it uses is a Gaussian blob in the middle, with a width that grows with the square root of the depth; training changes its shape.
#
# ## Exercises
#
# **1.** A stack: 5 × 5 with stride 2, then 3 × 3, then a 2 × 2 pool, then 3 × 3. What is the field? Compute it on paper, then check.
#
# <details>
# <summary>Solution</summary>
#
# 1 + 4·1 = 5 (jump 2); + 2·2 = 9; + 1·2 = 11 (jump 4); + 2·4 = 19.
#
# ```python
# receptive_field([conv(8, 5, stride=2), conv(8, 3), max_pool(2), conv(8, 3)], (1, 64, 64))["size"]
# ```
# </details>
#
# **2.** Find a stack of 3 × 3 convolutions with dilation 1, 2, 4, … and no pool, whose field is at least 28. How many layers does it take?
#
# <details>
# <summary>Solution</summary>
#
# With dilation $d$ a layer adds $2d$ pixels: 1 + 2 + 4 + 8 + 16 = 31 after four layers.
#
# ```python
# receptive_field([conv(8, 3, dilation=2**k) for k in range(4)], (1, 64, 64))["size"]
# ```
# </details>
#
# **3.** Does a ReLU change the receptive field? Does batch norm? Careful with the second.
#
# <details>
# <summary>Solution</summary>
#
# A ReLU does not: it works on each number alone. Batch norm does not either, once the network is trained and its four numbers are fixed. While
# *training*, though, it uses the mean and variance over all pixels of all digits in the batch, so every pixel of every digit can change every unit a little.
# </details>
#
# ## What's next
#
# *Designing under a budget*: 20,000 parameters to spend, and a field of 28 to reach.
