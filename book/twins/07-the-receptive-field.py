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
# A unit in the first layer sees 3 × 3 pixels. The unit above it sees 3 × 3 of *those* units, and so a little more of the image. The part of the image that can change a
# unit is its [receptive field](glossary.md#term-receptive-field). The source's whole design rests on it: 7 × 7 pixels before the pool, 28 × 28 at the end. We first look at the digits, to see what such numbers mean; then we
# compute the field layer by layer, and measure it, because a formula can be wrong. At the end we ask how much of it a network really uses.
#
# **You will be able to** compute the receptive field of any stack of layers on paper, explain why everything after a pool counts
# double, and measure the field of a network that you do not know.
#
# **You need** [Convolutions and their cost](06-convolutions-and-their-cost.ipynb): kernel, stride, padding, pool; and what a gradient is, from [Its derivatives](03-its-derivatives.ipynb).

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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from cellgrad import check, mnist, plotting, receptive
from cellgrad.layers import SOURCE, batch_norm, block, build, conv, max_pool
from cellgrad.receptive import receptive_field
from cellgrad.training.saving import shipped_run

plotting.use_house_style()

# %% [markdown]
# ## How much must a unit see?
#
# What do 3, 7, 12 or 20 pixels of a handwritten digit look like? Here are squares of these sizes around one place in the nine from the previous chapter.

# %% mystnb={"image": {"alt": "Four crops of a handwritten nine around the same place on the left side of its loop. 3 by 3 pixels: an edge between ink and paper. 7 by 7: a bent piece of a stroke with paper on both sides. 12 by 12: most of the loop. 20 by 20: the nine but for its foot and the right end of its loop."}} tags=["hide-input"]
data = mnist.sample()
digit = data.train.images[3]
plotting.show_crops(digit, 12.5, 10.5, [3, 7, 12, 20])
plt.show()

# %% [markdown]
# *Figure 7.1. The same place seen through four windows. Three pixels show ink or an edge. Seven show a stroke with both its sides, and where it bends or ends. Twelve show how strokes hang together. Twenty show nearly all of a digit.*
#
# Is that one digit only? A stroke's width can be estimated for all of them: a long stroke has two sides, so its area is about its width times half the length of its outline.

# %%
ink = data.train.images > 127
area = ink.sum(dim=(1, 2))
framed = torch.nn.functional.pad(ink, (1, 1, 1, 1))
outline = (framed[:, 1:] != framed[:, :-1]).sum(dim=(1, 2))
outline += (framed[:, :, 1:] != framed[:, :, :-1]).sum(dim=(1, 2))
outline = outline * (np.pi / 4)  # stairs are longer than a slope: 4/π on average
width = 2 * area / outline
print(f"width of the strokes of {len(ink):,} digits:", end=" ")
print(f"median {width.median():.1f} pixels, 95 % below {width.quantile(0.95):.1f}")


# %% [markdown]
# So a typical stroke is about two and a half pixels wide by this estimate, and nearly all digits have strokes narrower than four. A window of 3 × 3 cannot hold it with its two sides; one of 7 × 7 can, and still has room for a bend or an end. The source calls 7 × 7 "enough for MNIST" and gives no reason. This may be one: the first layers collect edges and corners, and a whole one fits into seven pixels.
#
# ### The whole digit
#
# The source wants a field of about 28 × 28 and says why no more is needed: *the data set does not include partially hidden digits*. Each digit lies whole inside its image, and beyond the image there
# is nothing to see. Check: the *ink box* is the smallest box around all pixels that are not paper. How large is the largest of 4,000? And since a digit that had lost a piece at the image's edge would be shorter: how long is the longer side?

# %%
def ink_box(image):
    rows = np.flatnonzero(image.any(axis=1))
    columns = np.flatnonzero(image.any(axis=0))
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


boxes = pd.DataFrame([ink_box(image) for image in data.train.images.numpy()],
                     columns=["top", "left", "height", "width"])
longer = boxes[["height", "width"]].max(axis=1)
print("longer side, digits:", longer.value_counts().to_dict())
boxes[["height", "width"]].agg(["min", "median", "max"]).astype(int)

# %% [markdown]
# None is higher or wider than 20 pixels, and the longer side is 20 in all but one, where it is 19. So none seems to have lost a piece, and "the whole digit" and "the whole image" are not the same thing. It is no accident either: the makers of the data set scaled every digit to fit into 20 × 20 pixels, and then placed it so that its centre of mass is in the middle ([LeCun and others, 1998](references.md)). For
# that reason the boxes do not all lie in the *same* 20 × 20 pixels. Here is how much of all ink the middle of the image holds, and how many of the digits it holds whole:

# %%
rows = {}
images = data.train.images.double()
for size in (12, 16, 20, 24, 28):
    edge = (28 - size) // 2
    inside = images[:, edge : 28 - edge, edge : 28 - edge].sum(dim=(1, 2))
    whole = (inside == images.sum(dim=(1, 2))).double().mean()
    rows[f"{size} × {size}"] = 100 * inside.sum() / images.sum(), 100 * whole
columns = ["ink (%)", "whole digits (%)"]
pd.DataFrame(rows, columns, dtype=float).T.round(1)


# %% [markdown]
# *Table 7.1. How much of all ink windows of five sizes in the middle of the image hold, and how many of the digits they hold whole.*
#
# Does what lies outside matter for reading? A very simple reader tells: *nearest neighbour*, which compares a digit with all 4,000 training digits pixel by pixel, and gives the label of the most similar one. We let it
# look through windows, once with the lower half covered, and once with the right half.

# %%
def nearest(window):
    """For each test digit, which training digit is most like it in a window."""
    tests, trains = (part.images[:, *window].float().flatten(1)
                     for part in (data.test, data.train))
    return torch.cdist(tests, trains).argmin(dim=1)


def read_right(window):
    answers = data.train.labels[nearest(window)]
    return float((answers == data.test.labels).double().mean())


# %%
windows = {}
for size in (3, 7, 12, 20, 28):
    edge = (28 - size) // 2
    windows[f"{size} × {size}, middle"] = (slice(edge, edge + size),) * 2
windows["upper half only"] = slice(0, 14), slice(0, 28)
windows["left half only"] = slice(0, 28), slice(0, 14)
shares = {name: f"{read_right(window):.1%}" for name, window in windows.items()}
pd.Series(shares, name="read right").to_frame()

# %% [markdown]
# *Table 7.2. The share of the sample's 1,000 test digits that nearest neighbour reads right, by the part of the image that it looks at.*
#
# To this reader the middle 20 × 20 pixels are as good as all 28 × 28, if not better. Is "better" more than chance? Look at the digits on which the two windows disagree:

# %%
right = {}
for size in (20, 28):
    answers = data.train.labels[nearest(windows[f"{size} × {size}, middle"])]
    right[size] = answers == data.test.labels
only_small, only_large = right[20] & ~right[28], right[28] & ~right[20]
print("only 20 × 20 is right:", int(only_small.sum()), "digits;", end=" ")
print("only 28 × 28 is right:", int(only_large.sum()))
differ = int(only_small.sum() + only_large.sum())
chance = binomtest(int(only_small.sum()), differ).pvalue
print(f"{differ} tosses of a coin: as uneven in {chance:.0%} of cases")

# %% [markdown]
# A coin comes out as unevenly often enough, so this is no difference to build on. But half a digit is clearly worse than a whole one. Two of those that the reader gets wrong when their lower half is covered:

# %% mystnb={"image": {"alt": "Two rows of three pictures. Left: a test digit whose lower half is hidden behind a grey bar. Middle: the training digit with the most similar upper half, a different digit. Right: the test digit uncovered."}} tags=["hide-input"]
upper = nearest(windows["upper half only"])
whole = nearest(windows["28 × 28, middle"])
labels, truth = data.train.labels, data.test.labels
wrong_and_right = (labels[upper] != truth) & (labels[whole] == truth)
fooled = torch.nonzero(wrong_and_right).flatten()[[0, 6]]
figure, axes = plt.subplots(2, 3, figsize=(5.4, 4.2))
for row, test in zip(axes, fooled.tolist()):
    near = upper[test]
    pictures = {"covered": data.test.images[test],
                f"looks like a {labels[near]}": data.train.images[near],
                f"but is a {truth[test]}": data.test.images[test]}
    for ax, (title, image) in zip(row, pictures.items()):
        plotting.show_pixels(image, ax=ax)
        ax.set_title(title)
    row[0].axhspan(14, 28, color=plotting.FAINT)
plt.show()


# %% [markdown]
# *Figure 7.2. What partially hidden digits would be like. If such digits were in the data set, even a trace at the edge might help, and it would pay to look at everything. There are none.*
#
# ### Two doubts
#
# What we have seen lets us doubt two of these numbers. [Chapter 11](11-is-the-advice-true.ipynb) trains networks that ignore the advice. (When we wrote this, its first study had already been run, so for that one these are explanations. Its second study comes later, and for it they are predictions.)
#
# - **At the end, 20 may do.** The middle 20 × 20 pixels hold nearly all of the ink, though only a quarter of the digits whole (Table 7.1), and the simple reader reads them as well as the whole image (Table 7.2). A field of 20 instead of 28 should cost nothing that shows; one of 12 should.
# - **Before the pool, 7 × 7 may not show.** It is the size at which a stroke with its bend fits in. But the layers *behind* the pool see larger pieces still, and can put together what the front did not. Pooling at 3, 5 or 9 pixels may turn out as good.
#
# Now to the numbers themselves: where do 7, 20 and 28 come from?
#
# ## Three layers and a pool, by hand
#
# One direction is enough, since rows and columns go the same way. Number the pixels 0, 1, 2, … A 3 × 3 convolution has units 0, 1, 2, … too; unit 0 looks at the pixels 0, 1, 2, and unit 1 at the pixels 1, 2, 3. A unit of the
# second layer looks at three units of the first. Unit 0 there looks at the units 0, 1, 2, and these see the pixels 0 to 4: five pixels. The code says just that. Unit $u$ of a layer with kernel $k$ and stride $s$ looks at the units $su, su + 1, \dots, su + k - 1$ below it, and sees all that they see.

# %% tags=["core"]
def seen(unit, layers):
    """The pixels that a unit of the last layer sees; layers: (kernel, stride)."""
    if not layers:
        return {unit}  # no layer: the unit is a pixel and sees itself
    *below, (kernel, stride) = layers
    looks_at = [unit * stride + tap for tap in range(kernel)]
    return set().union(*(seen(u, below) for u in looks_at))


# %%
stack = [(3, 1)] * 3 + [(2, 2)] + [(3, 1)]  # three convolutions, a pool, one more
for depth in range(1, 6):
    first, second = (seen(unit, stack[:depth]) for unit in (0, 1))
    print(f"depth {depth}: unit 0 sees {min(first)} to {max(first)},", end=" ")
    print(f"{len(first)} pixels; unit 1 begins at {min(second)}")

# %% mystnb={"image": {"alt": "Six rows of dots, from the 16 pixels at the bottom over three convolutions and a pool to a fourth convolution with three units at the top. Blue lines fan out from its middle unit down to 12 pixels. Labels: size 3, 5, 7, 8, 12; the jump is 1 up to the pool and 2 from there on; the dots above the pool stand two pixels apart. A bar below marks the 12 pixels, another bar the same field of the neighbour, two pixels to the right."}} tags=["hide-input"]
plotting.draw_fan_in([*[conv(1, 3)] * 3, max_pool(2), conv(1, 3)], pixels=16)
plt.show()


# %% [markdown]
# *Figure 7.3. Follow the lines down from the top; at the right, how many pixels one unit of each row sees. Each 3 × 3 convolution adds one unit on each side. Behind the pool the units stand two pixels apart, so that one more on each side is two pixels more.*
#
# 3, 5, 7: each convolution adds two. The pool adds a single pixel, but behind it the next convolution adds four. And the neighbours' fields begin two pixels further instead of one.
#
# ## The step
#
# Nobody counts sets for a whole network. Two numbers for each layer are enough: the **size** of a unit's field, and the [jump](glossary.md#term-jump), which says by how many pixels the field shifts from one unit to the next. Take
# a layer with kernel $k$ and stride $s$. Its unit looks at $k$ neighbours below. The first one sees *size* pixels, and each of the other $k - 1$ adds as many new ones as it is shifted, which is one jump. So
#
# $$\text{size} \leftarrow \text{size} + (k - 1) \cdot \text{jump} \tag{7.1}$$
#
# (read: the new size is the old size plus $k - 1$ times the *old* jump, the one of the layer below; where a jump is larger than the field, or taps are pulled apart, pixels between them are left out, and the size counts from the first to the last). And neighbours in this layer look at windows that begin $s$ units of the layer below apart, and there each unit is one old jump further on:
#
# $$\text{jump} \leftarrow \text{jump} \cdot s \tag{7.2}$$
#
# With dilation $d$ the taps are $d$ units apart, so that $d(k-1)$ stands in the place of $k-1$. At the start, a pixel sees itself: size 1, jump 1. For three convolutions and the pool:
#
# | layer | k, s | size | jump |
# |---|---|---|---|
# | 3 × 3 | 3, 1 | 1 + 2 · 1 = 3 | 1 |
# | 3 × 3 | 3, 1 | 3 + 2 · 1 = 5 | 1 |
# | 3 × 3 | 3, 1 | 5 + 2 · 1 = 7 | 1 |
# | pool | 2, 2 | 7 + 1 · 1 = 8 | 1 · 2 = 2 |
#
# *Table 7.3. Size and jump in pixels, layer by layer, each with the sum or the product that gives it.*
#
# (A mistake that is often made is to double the *size* at a pool. What doubles is the jump; the size grows by a single old jump.)
#
# In code:

# %% tags=["core"]
def step(size, jump, kernel, stride=1, dilation=1):
    size = size + dilation * (kernel - 1) * jump  # the jump of the layer below
    jump = jump * stride
    return size, jump


# %% [markdown]
# The step must give the same as counting:

# %%
size, jump = 1, 1
for depth, (kernel, stride) in enumerate(stack, start=1):
    size, jump = step(size, jump, kernel, stride)
    counted = seen(0, stack[:depth]), seen(1, stack[:depth])
    print(f"size {size}, counted {len(counted[0])};", end=" ")
    print(f"jump {jump}, counted {min(counted[1]) - min(counted[0])}")

# %% [markdown]
# ## The source's network
#
# Here it is: three 3 × 3 convolutions with 8 channels, a max-pool, four with 16 channels and one with 32, and last a 1 × 1 convolution to ten scores. After each of the first seven stand a ReLU and a batch norm, after the eighth a ReLU only. In the package it is
# called `SOURCE`, and `block(8)` is a convolution to 8 channels with its ReLU and batch norm.

# %% mystnb={"image": {"alt": "The source's network in three rows, drawn to scale as stacks of sheets. Input 28 by 28; conv1 to conv3 with 8 channels of 26, 24 and 22 pixels; the pool, 11 pixels; conv4 to conv7 with 16 channels of 9, 7, 5 and 3 pixels; conv8 with 32 channels of 1 pixel; scores with 10. Below each its parameters: 72, 576, 576, none, 1,152, three times 2,304, 4,608, 320."}} tags=["hide-input"]
plotting.draw_convnet(SOURCE, rows=3)
plt.show()

# %% [markdown]
# *Figure 7.4. The source's network to scale, a sheet for each channel.*
#
# ReLU works on each number alone, and so does batch norm once the network is trained (what it does before, exercise 5 asks): they see nothing new. Of the others we need kernels and strides. Before you run the cell, go on with Table 7.3 on paper: 3, 5, 7, the pool 8, and then?

# %% tags=["core"]
source = [(3, 1)] * 3 + [(2, 2)] + [(3, 1)] * 5 + [(1, 1)]
sizes, size, jump = [], 1, 1
for kernel, stride in source:
    size, jump = step(size, jump, kernel, stride)
    sizes.append(size)

# %% tags=["hide-output"]
sizes

# %% [markdown]
# From the pool on, each 3 × 3 convolution adds *four* pixels. The last one sees 28 × 28, the whole image, and the 1 × 1 convolution adds nothing. The package's `receptive_field` says the same, and has some more to say (we leave out the rows of ReLU and batch norm):

# %%
table = receptive_field(SOURCE)
steps = table[table["kind"].isin(["conv", "max_pool"])]
columns = ["size", "typed", "jump", "start"]
steps.assign(typed=sizes).set_index("layer")[columns].rename_axis(None)

# %% [markdown]
# *Table 7.4. The field of each layer of the source's network in pixels: its size by the package and as typed here, its jump, and the centre of the first unit's field (start).*

# %% mystnb={"image": {"alt": "Ten copies of the same nine, one for each layer, each with a square frame: the field of the unit in the middle. It grows from 3 by 3 pixels over 5, 7, 8, 12, 16, 20 and 24 to 28 by 28, the whole image; the 1 by 1 convolution repeats that."}} tags=["hide-input"]
plotting.draw_fields(steps, digit, columns=4)
plt.show()

# %% [markdown]
# *Figure 7.5. What one unit sees in each layer of the source's network. We show the unit in the middle of each layer, or beside the middle, where a layer has an even number of them.*
#
# ### Where the field lies
#
# This much is enough to compute sizes. To draw a frame one also needs its place, and for that the table has a third number, **start**: the centre of the field of unit 0, where the first pixel reaches from 0 to 1 and so has its centre at 0.5. From
# unit to unit the centre moves by one jump. Unit $u$ sees the pixels between
# $\text{start} + u \cdot \text{jump} - \text{size}/2$ and $\text{start} + u \cdot \text{jump} + \text{size}/2$. Compare with the counted sets, for unit 2 of each layer:

# %%
for depth, row in enumerate(steps.itertuples(), start=1):
    units = row.output_size[1]
    if units > 2:
        first = row.start + 2 * row.jump - row.size / 2
        counted = seen(2, source[:depth])
        print(f"{row.layer}: from {first:g} to {first + row.size:g};", end=" ")
        print(f"counted pixels {min(counted)} to {max(counted)}")

# %% [markdown]
# (A pixel reaches to the number after its own: pixel 4 ends at 5.) How does the start move on? The window of unit 0 has its centre $d(k-1)/2$ units to the right of the first unit that it looks at, and each unit is worth a jump. Padding of $p$ lets the window begin $p$ units
# earlier. So
#
# $$\text{start} \leftarrow \text{start} + \left(\tfrac{d(k - 1)}{2} - p\right) \cdot \text{jump}$$
#
# again with the old jump.

# %% mystnb={"image": {"alt": "Two copies of the nine. Left: the fields of two neighbouring units of the layer before the pool, 7 by 7 pixels, shifted by one pixel. Right: two neighbouring units two layers behind the pool, 16 by 16 pixels, shifted by two pixels."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(6, 3.3))
for ax, layer, unit in zip(axes, ("conv3", "conv5"), (10, 3)):
    row = steps.set_index("layer").loc[layer]
    plotting.show_pixels(digit, ax=ax)
    for u, colour in ((unit, plotting.BLUE), (unit + 1, plotting.RED)):
        corner = [row.start + row.jump * n - row["size"] / 2 for n in (unit, u)]
        plotting.frame(ax, *corner, row["size"], colour)
    ax.set_title(f"{layer}: size {row['size']}, jump {row.jump}")
plt.show()


# %% [markdown]
# *Figure 7.6. A unit's field and its neighbour's, before and behind the pool. They overlap nearly everywhere; the jump is the little by which they differ.*
#
# ## Why the jump matters
#
# Take the pool away and stack the same eight convolutions. And move the pool to the front, behind the first convolution. Which sees most?

# %% tags=["core"]
def field(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size, jump = step(size, jump, kernel, stride)
    return size


# %%
pool, eight = (2, 2), [(3, 1)] * 8
stacks = {
    "no pool": eight,
    "pool after five": [*eight[:5], pool, *eight[5:]],
    "pool after three": [*eight[:3], pool, *eight[3:]],
    "pool after one": [*eight[:1], pool, *eight[1:]],
}
fields = {name: field(layers) for name, layers in stacks.items()}
pd.Series(fields, name="field").to_frame()

# %% [markdown]
# *Table 7.5. Size of the field at the end, in pixels, of eight convolutions with a pool at different places.*
#
# (The last one needs a larger image than ours: on 28 pixels its eighth convolution no longer fits.)
# The earlier the pool, the wider the view at the end, and the sooner the fine detail is gone. That is the trade that the source's advice is about: 7 × 7 first, for whole strokes with their bends; then the pool.
#
# Could one do without a pool? Each 3 × 3 convolution without padding takes two pixels off the image, and 28 pixels allow thirteen of them:

# %%
print("thirteen convolutions:", field([(3, 1)] * 13), "pixels seen,", end=" ")
print("and", 28 - 13 * 2, "×", 28 - 13 * 2, "units left")

# %% [markdown]
# There the next one no longer fits, and each of the four units has still not seen the whole image.

# %% [markdown]
# Point at any unit of any layer, and look at its square on the digit and at its neighbour's. Then go one layer up.

# %% tags=["hide-input"]
from cellgrad import figures
from cellgrad.layers import SOURCE

figures.field(SOURCE)

# %% [markdown]
# If you moved it, you saw: each layer widens the square, and behind the pool the squares of neighbours stand two pixels apart instead of one. That distance is the jump.

# %% [markdown]
# ## In closed form
#
# Write the step, equation (7.1), out for all layers. Layer $l$ adds $d_l(k_l - 1)$ times the jump that the layers *before* it have built up, which by equation (7.2) is the product of their strides:
#
# $$r = 1 + \sum_{l} d_l\,(k_l - 1) \prod_{i<l} s_i \tag{7.3}$$
#
# The sum runs over the layers, and the product over all layers before $l$ (of nothing it is 1). For the source, in full:

# %% tags=["core"]
kernels, strides = np.array(source).T
jumps = [np.prod(strides[:layer], dtype=int) for layer in range(len(strides))]
closed_form = 1 + np.sum((kernels - 1) * jumps)

# %%
print("1", *(f"+ {k - 1}·{j}" for k, j in zip(kernels, jumps)), "=", closed_form)


# %% [markdown]
# ## Measured
#
# Everything so far is arithmetic about a plan. Now ask the network itself: which pixels *can* change this unit? Nudge a pixel and watch the unit: the pixel is in the field if the derivative of the unit by the pixel is not
# zero. (So far we took derivatives of the loss by weights; PyTorch takes them of any number by any other.) There is one difficulty. In a real network such a derivative may be zero by accident: contributions cancel, a ReLU is closed, a maximum is somewhere else. So we measure on a twin that has the same windows, but all its weights are one, a sum stands in the place of the maximum, and there is no
# ReLU. There nothing can cancel, and what remains is the wiring.

# %% tags=["core"]
def influence_of_pixels(layers, pixels=28):
    """The derivative of the middle unit by each pixel, all weights being one."""
    image = torch.zeros(1, 1, pixels, pixels).double().requires_grad_()
    out = image
    for kernel, stride in layers:
        ones = torch.ones(1, 1, kernel, kernel).double()
        out = torch.nn.functional.conv2d(out, ones, stride=stride)
    middle = out.shape[-1] // 2
    out[0, 0, middle, middle].backward()
    return image.grad[0, 0]


# %%
measured = []
for depth in range(1, len(source) + 1):
    changed = influence_of_pixels(source[:depth]) > 0
    measured.append(int(changed.any(dim=0).sum()))
pd.DataFrame([sizes, measured], ["computed", "measured"], list(steps["layer"])).T

# %% [markdown]
# *Table 7.6. Size of the field in pixels for each layer of the source's network, computed and measured.*
#
# The same numbers. The package's `measure_receptive_field` does the same with PyTorch modules, padding, branches and all; where it cannot follow one, it stops and says at which layer or operation:

# %%
network = build(SOURCE)
for layer in ("conv3", "pool1", "conv8"):
    rows, columns = receptive.measure_receptive_field(network, (1, 28, 28), layer)
    print(f"{layer}: {rows} × {columns} pixels")

# %% [markdown]
# ## Any network
#
# `receptive_field` takes layer lists and PyTorch modules. Two examples. VGG-16, a large network from 2014, has thirteen 3 × 3 convolutions in five groups with a pool behind each. Its field is printed in the literature: 212 pixels at the end
# ([Araujo, Norris and Sim, 2019](references.md)).

# %%
vgg = []
for repeats, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
    vgg += [conv(channels, 3, padding=1)] * repeats + [max_pool(2)]
fields = receptive_field(vgg, (3, 224, 224))
pools = fields[fields["kind"] == "max_pool"].set_index("layer")
pools[["output_size", "size", "jump"]].rename_axis(None)


# %% [markdown]
# *Table 7.7. VGG-16 behind each of its pools: channels, height and width of the output, and size and jump of the field in pixels.*
#
# And a module of our own, with a branch: two convolutions, and beside them a shortcut that passes the data on as they are. What does the sum of both see?

# %%
class Shortcut(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 8, 1)
        self.two = torch.nn.Conv2d(8, 8, 3, padding=1)
        self.three = torch.nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.first(x)
        return x + self.three(self.two(x))


fields = receptive_field(Shortcut(), (1, 28, 28))
fields.set_index("layer")[["kind", "size", "jump"]].rename_axis(None)


# %% [markdown]
# *Table 7.8. Size and jump of the field, in pixels, at each step of our module.*
#
# The sum sees what either branch sees, so the wider one decides. *Aligned* says that the two fields have the same centre. That is not always so. Here both branches move by two, one with a padded convolution, the other with a pool:

# %%
class Halved(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.moving = torch.nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.pool = torch.nn.MaxPool2d(2)
        self.one = torch.nn.Conv2d(1, 8, 1)

    def forward(self, x):
        return self.moving(x) + self.one(self.pool(x))


for row in receptive_field(Halved(), (1, 28, 28)).itertuples():
    print(f"{row.layer}: size {row.size}, jump {row.jump},", end=" ")
    print(f"start {row.start} ({row.kind})")

# %% [markdown]
# The starts say it: the convolution's first field has its centre in the middle of pixel 0, the pool's between the pixels 0 and 1. So each sum adds up what was seen half a pixel apart. It is no error, and no message would tell.
#
# ## How little of it is used
#
# The field says which pixels *can* change a unit. It does not say by how much; which part of it counts is called the [effective receptive field](glossary.md#term-effective-receptive-field). Look at the measurement again: with weights of one, the derivative by a pixel is the *number of paths* that lead from the pixel to the unit. Many lead from the middle, and one from each corner:

# %%
paths = influence_of_pixels(source[:-1])
print(f"corner: {paths[0, 0]:,.0f} path,", end=" ")
print(f"next to the middle: {paths[13, 13]:,.0f} paths")


# %% [markdown]
# How are they spread? In one direction, a path through $n$ layers with $k = 3$ goes, at each layer, one to the left, straight, or one to the right. Where it ends is the sum of $n$ such choices, as if we threw $n$ dice with the faces −1, 0 and 1. The sum of many dice is
# distributed like a bell curve, also called a *Gaussian*, and we know how wide the bell is. The *variance* of one die, the mean of the squared distances from its middle, is (1 + 0 + 1)/3 = 2/3; in general a fair die with $k$ faces, one apart, has
# $(k^2 - 1)/12$, and for $k = 3$ that is 8/12. For independent dice *variances add*. So after $n$ layers the variance is $n$ times as large, and the width σ (sigma), its square root, is
#
# $$\sigma = \sqrt{n\,(k^2 - 1)/12} \tag{7.4}$$
#
# ([Luo, Li, Urtasun and Zemel, 2016](references.md)). The field grows with $n$, but the part of it that counts only with $\sqrt n$.

# %% tags=["core"]
def spread_of_paths(layers):
    """The share of paths that begin at each place: a die for each layer."""
    share = np.ones(1)
    for _ in range(layers):
        share = np.convolve(share, np.ones(3) / 3)
    return share


def sigma(share):
    places = np.arange(len(share))
    mean = np.sum(share * places)
    return np.sqrt(np.sum(share * (places - mean) ** 2))


# %% mystnb={"image": {"alt": "Four curves over the distance from the unit in pixels, for 1, 2, 5 and 20 layers: a flat bar three pixels wide, a triangle, a narrow bell and a wide bell. Dashed Gaussian curves of the predicted width lie on the last two. For 20 layers nearly everything lies within 10 pixels of the middle, though the field reaches 20 to each side."}} tags=["hide-input"]
for n, marker in {1: "o", 2: "s", 5: "^", 20: ""}.items():
    share = spread_of_paths(n)
    plt.plot(np.arange(-n, n + 1), share, marker=marker, ms=5, label=f"n = {n}")
    if n > 2:
        x, s = np.linspace(-n, n, 200), receptive.gaussian_sigma(n)
        bell = np.exp(-(x**2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))
        plt.plot(x, bell, "--", color=plotting.INK, linewidth=1)
plt.legend(title="layers")
plt.xlabel("distance from the unit (pixels)")
plt.ylabel("share of the paths")
plt.show()

# %% [markdown]
# *Figure 7.7. From a flat bar to a bell. Dashed: the Gaussian with the predicted σ. For 20 layers, the field reaches 20 pixels to each side, and hardly anything comes from beyond 10.*

# %%
for n in (1, 2, 5, 20):
    print(f"n = {n}: σ predicted {(n * 8 / 12) ** 0.5:.3f},", end=" ")
    print(f"measured {sigma(spread_of_paths(n)):.3f},", end=" ")
    print(f"by the package {receptive.gaussian_sigma(n):.3f}")
beyond = 1 - spread_of_paths(20)[10:31].sum()
print(f"n = 20: {beyond:.1%} of the paths come from beyond 10 pixels")

# %% [markdown]
# ### The source's width, predicted
#
# Equation (7.4) holds for layers of one kind. Behind the pool the dice are larger: a choice there is worth a jump of 2 pixels, and its variance 2² times as much. The pool itself is a die with two faces, with the variance (2² − 1)/12. Three convolutions, the pool and five convolutions:
#
# $$\sigma = \sqrt{3\cdot\tfrac{8}{12} + \tfrac{3}{12} + 5\cdot 2^2\cdot\tfrac{8}{12}}$$

# %% tags=["core"]
variances = (kernels**2 - 1) / 12 * np.square(jumps)
predicted = np.sqrt(variances.sum())

# %%
share = influence_of_pixels(source).sum(dim=0).numpy()
measured = sigma(share / share.sum())
print(f"predicted {predicted:.2f}, measured with weights of one {measured:.2f}")


# %% [markdown]
# Now the real thing: random weights, ReLU, batch norm and a maximum, as PyTorch makes them before any training, and real digits (normalised: the mean of all MNIST's pixels is taken off and their standard deviation, the σ of all of them, divided out, so that paper becomes a negative number).
#
# The network has ten scores, and we want one number to differentiate. Their plain sum might cancel, so we add them with random signs, +1 or −1. Of each pixel's derivative only the size counts, so we square it, and average over 200 images. (Why the square? With random weights, each path contributes a product of weights whose sign is a matter of chance. When such contributions are added and the sum is squared, the mixed products cancel on average, and the squares remain, one for each path. So the mean square of a derivative is proportional to the number of paths, and the width predicted for paths holds for it.) We do it twice: for 200 digits, and for 200 images of *noise*, in which each pixel is a random number.

# %% tags=["core"]
def influence(model, images):
    """Squared gradients of the scores, with random signs, by each pixel."""
    pixels = images.clone().requires_grad_()
    scores = model.eval()(pixels)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, scores.shape[1:], generator=generator) * 2 - 1
    (scores * signs.to(scores.device)).sum().backward()
    return (pixels.grad.double() ** 2).mean(dim=(0, 1)).cpu().numpy()


# %%
def widths(strength):
    share = strength / strength.sum()
    return sigma(share.sum(axis=1)), sigma(share.sum(axis=0))  # down, across


digits = mnist.normalise(data.test.images[:200])
noise = torch.randn(digits.shape, generator=torch.Generator().manual_seed(1))
before, rows = [], []
for seed in range(10):
    torch.manual_seed(seed)
    untrained = build(SOURCE)
    before.append(influence(untrained, digits))
    rows.append(widths(before[-1]) + widths(influence(untrained, noise)))
print(f"seed 0: σ = {rows[0][0]:.1f} down × {rows[0][1]:.1f} across")

# %%
names = ["digits, down", "digits, across", "noise, down", "noise, across"]
measured = pd.DataFrame(rows, columns=names)
measured.agg(["mean", "std"]).T.round(2)

# %% [markdown]
# *Table 7.9. Width σ of what counts in the field, in pixels: mean and standard deviation over the random networks, for digits and for noise.*
#
# (The figure to touch, above, draws the mean of these squares for any unit: choose *how much they do, with random weights*, and read σ beside the digit.)
#
# Predicted 3.95. On noise, ten random networks measure close to that in both directions. On digits it is right downwards, and about a third of a pixel less across. Only the ReLUs and the maximum let a gradient depend on the image at all, so the difference comes from them. A likely reason, which we have not tested, is that digits are narrower than they are high, so that there is less at their sides to open a path. The package's `effective_receptive_field` computes the same map:

# %%
torch.manual_seed(0)
theirs = receptive.effective_receptive_field(build(SOURCE), digits)
print("package, seed 0:", " × ".join(f"{s:.1f}" for s in theirs.sigma))

# %% [markdown]
# ## Before and after training
#
# A trained network decides by itself which pixels matter. The book ships two trainings of this network, by the source's [recipe](glossary.md#term-recipe) and by our own. Will the used part keep its round shape and its width? (The pictures show the square root of the strength, so that faint parts can be seen.)

# %% mystnb={"image": {"alt": "Four maps of 28 by 28 pixels, the darker the more. Before training: a smooth round blob, darkest in the middle. After training: a wider blob with dark specks, and a dark band along the top edge. The mean of the digits: a slanting figure like a blurred 9 or 8, darkest along its strokes. How much digits differ: a wide dark slanting oval with a frayed edge."}} tags=["nbval-ignore-output"]
models = {name: shipped_run(name).model for name in ("source", "book")}
after = {name: influence(model, digits) for name, model in models.items()}
pictures = {
    "before": before[0] ** 0.5,
    "after (source's recipe)": after["source"] ** 0.5,
    "mean of the digits": data.test.images[:200].double().mean(dim=0),
    "how much digits differ": data.test.images[:200].double().std(dim=0),
}
figure, axes = plt.subplots(2, 2, figsize=(5.4, 5.8))
for ax, (title, image) in zip(axes.flat, pictures.items()):
    plotting.show_pixels(image, scale="linear", ax=ax)
    ax.set_title(title)
plt.show()


# %% [markdown]
# *Figure 7.8. Above: how strongly the scores depend on each pixel. Below: where these 200 digits have ink on average, and where they differ from one another.*
#
# To put a number to how alike two of these maps are: a *correlation* says how far two maps rise and fall together from pixel to pixel. It is 1 where one map is a stretched copy of the other, and 0 where they have nothing to do with each other.

# %%
def bell(strength):
    """A plain bell where a map lies, and as wide as it is."""
    curves, places = [], np.arange(28)
    for axis in (1, 0):
        side = strength.sum(axis=axis) / strength.sum()
        off = places - side @ places
        curves.append(np.exp(-(off**2) / (2 * sigma(side) ** 2)))
    return np.outer(*curves)


mean, differ = (pictures[name].numpy().flatten() for name in list(pictures)[2:])
summary = {}
for name, strength in ({"before": before[0]} | after).items():
    roots = [part.flatten() ** 0.5 for part in (strength, bell(strength))]
    alike = [np.corrcoef(root, x)[0, 1] for x in (mean, differ) for root in roots]
    summary[name] = [*widths(strength), *alike]
columns = ["σ down", "σ across", "ink", "ink, bell", "differ", "differ, bell"]
pd.DataFrame(summary, columns).T.round(2)

# %% [markdown]
# *Table 7.10. The network before training and two trained ones: width σ of the map in pixels, and its correlation with the map of ink and with the map of differences (of the square root of the strength, as Figure 7.8 shows it); "bell": that of a plain bell with the map's place and width.*
#
# After training the used part is wider, in both networks, and no longer round: it reaches further down than across. Does it also take the shape of the digits? The column *differ* grows a little, and one could make a story of it; but that of a plain bell as wide as the trained map grows more, and the column *ink* even falls, while its bell's does not. What the trained maps have beyond their width, specks and a band at the upper edge, follows neither picture. Two trained networks are only two. For comparison, if all 28 × 28 pixels counted alike, σ would be

# %%
print(f"σ = {((28**2 - 1) / 12) ** 0.5:.1f}")

# %% [markdown]
# All are below that, the untrained ones by half. A field of 28 allows a unit to depend on the whole image; before training it depends mostly on the middle, after training on more. (A derivative says how the scores would change if a pixel did; a pixel that is paper in every digit never does.)

# %% [markdown]
# ## Your own
#
# Have you made a network yourself? `cellgrad network FILE.py:NAME`, or `FILE.ipynb:NAME`, finds it in your file or notebook without running the training in it, checks its output first, and prints this chapter's table for it; `--picture OUT.png` draws it. Here is somebody's network, made for the purpose. Will its last unit see the whole digit?

# %% tags=["hide-input"]
import tempfile
from pathlib import Path

from cellgrad.networks import describe, find_network

# %%
file = Path(tempfile.mkdtemp()) / "somebodys.py"
length = file.write_text('''
from torch import nn

net = nn.Sequential(
    nn.Conv2d(1, 8, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(8),
    nn.Conv2d(8, 16, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 16, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2),
    nn.AvgPool2d(3), nn.Conv2d(16, 10, 1), nn.Flatten())
''')

# %%
print(describe(find_network(f"{file}:net")))

# %% [markdown]
# Look at the last rows. The average pool's windows are 3 wide and stand side by side, from the upper left on. Into 5 × 5 places only one of them fits, and the other 16 places are never read. So the last unit sees 20 × 20 of the image, as the table's last rows say, and never its last eight rows and columns. No error message would tell. (*The exercise* is the source's: fewer than 20,000 parameters, and a last unit that sees the whole digit. *local* is the size where operations on the whole image are left out, here the same as *size*; *logits* are the scores.)

# %% [markdown]
# ## Recap
#
# - A layer widens the field by $(k-1)$ times the jump of the layers below it, and its stride multiplies the jump.
# - After a pool of two, every convolution adds twice as much.
# - One gradient through a network of ones measures what the arithmetic predicts.
# - The field is what a unit *can* use. With equal weights, what it does use is bell-shaped, and its width grows with the square root of the depth. For the source, the prediction agrees with untrained networks on noise downwards, and across to within two in a hundred; on digits they use a little less across. Training widened it in both networks that we looked at.
# - The middle 20 × 20 pixels hold nearly all of the ink, and a simple reader reads them as well as the whole image. So a field of 20 at the end may do, and 7 × 7 before the pool may not show.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* A stack: 5 × 5 with stride 2, then 3 × 3, then a 2 × 2 pool, then 3 × 3. What is the field?
#
# *Check:* `check("07.1", …)` with the field.
#
# <details>
# <summary>Hint</summary>
#
# Keep a table with size and jump, as above. Add with the old jump, then multiply.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# 1 + 4·1 = 5, jump 2. 5 + 2·2 = 9. 9 + 1·2 = 11, jump 4. 11 + 2·4 = 19.
#
# ```python
# print(field([(5, 2), (3, 1), (2, 2), (3, 1)]))
# check("07.1", 19)
# ```
#
# ```text
# 19
# Right.
# ```
# </details>
#
# **2.** 3 × 3 convolutions with dilation 1, 2, 4, 8, … and no pool: after how many layers is the field at least 28?
#
# *Check:* `check("07.2", …)` with the number of layers.
#
# <details>
# <summary>Hint</summary>
#
# With dilation $d$ a layer adds $2d$ pixels, and the jump stays 1.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# After four: 1 + 2 + 4 + 8 + 16 = 31.
#
# ```python
# size, jump, dilation, layers = 1, 1, 1, 0
# while size < 28:
#     size, jump = step(size, jump, 3, dilation=dilation)
#     print(f"dilation {dilation}: field {size}")
#     dilation, layers = 2 * dilation, layers + 1
# check("07.2", layers)
# ```
#
# ```text
# dilation 1: field 3
# dilation 2: field 7
# dilation 4: field 15
# dilation 8: field 31
# Right.
# ```
# </details>
#
# **3.** *On paper.* Two 3 × 3 convolutions with padding 1, then a 2 × 2 pool. What are size, jump and start? Which pixels does unit 0 of the pool see, and which of them do not exist?
#
# *Check:* `check("07.3", …)` with size, jump and start.
#
# <details>
# <summary>Hint</summary>
#
# $\tfrac{k-1}{2} - p$ is 0 for the convolutions, and ½ for the pool. The field reaches half its size to each side of the start.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Start 0.5 stays 0.5 twice, then moves by ½ · 1. The field reaches from 1 − 3 = −2 to 1 + 3 = 4: two of its six pixels are padding.
#
# ```python
# padded = receptive_field([conv(1, 3, padding=1), conv(1, 3, padding=1), max_pool(2)])
# print(padded[["layer", "size", "jump", "start"]].to_string(index=False))
# check("07.3", padded[["size", "jump", "start"]].iloc[-1])
# ```
#
# ```text
# layer size jump start
# conv1    3    1   0.5
# conv2    5    1   0.5
# pool1    6    2   1.0
# Right.
# ```
# </details>
#
# **4.** *Find the mistake.* Somebody computed the fields of 3 × 3, pool, 3 × 3, pool, 3 × 3 as 3, 5, 9, 13, 21. Which is the first wrong number, and what did the person do?
#
# *Check:* `check("07.4", …)` with the number that belongs in the place of the first wrong one.
#
# <details>
# <summary>Hint</summary>
#
# The pool adds $(2 - 1)$ times the jump of the layers *below* it. What is that at the first pool?
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The second number. At the first pool the old jump is 1, so it must be 3 + 1 = 4. The person multiplied the jump first and then added, with the new jump of the pool.
#
# ```python
# layers = [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)]
# size, jump, wrong = 1, 1, 1
# for kernel, stride in layers:
#     size, jump = step(size, jump, kernel, stride)
#     wrong = wrong + (kernel - 1) * jump  # the new jump
#     print(f"right {size}, the mistake gives {wrong}")
# check("07.4", 4)
# ```
#
# ```text
# right 3, the mistake gives 3
# right 4, the mistake gives 5
# right 8, the mistake gives 9
# right 10, the mistake gives 13
# right 18, the mistake gives 21
# Right.
# ```
# </details>
#
# **5.** Does batch norm change the receptive field? Give two images at once to a network in training mode, and look at the gradient of one unit of the *first* image with respect to the second.
#
# *Check:* `check("07.5", …)` with how many pixels of the second image count, in training mode and after training.
#
# <details>
# <summary>Hint</summary>
#
# In training mode, batch norm computes a mean over all pixels of all images. Which pixels can change the mean? One unit is enough; do not add up all of them, since normalised numbers always have the sum zero, which cannot change at all.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Once trained, no: it works on each number alone. In training mode every pixel of every image in the batch can change every unit a little.
#
# ```python
# torch.manual_seed(0)
# little = build([conv(4, 3), batch_norm], (1, 9, 9))
# for training in (True, False):
#     two = torch.randn(2, 1, 9, 9, requires_grad=True)
#     unit = little.train(training)(two)[0, 0, 3, 3]
#     unit.backward()
#     seen_pixels = (two.grad != 0).sum(dim=(1, 2, 3)).tolist()
#     print(f"training={training}: {seen_pixels} pixels of the two images")
# check("07.5", (81, 0))
# ```
#
# ```text
# training=True: [81, 81] pixels of the two images
# training=False: [9, 0] pixels of the two images
# Right.
# ```
# </details>
#
# **6.** *Predict a width.* Move the source's pool behind its first convolution. What is σ now? Check with weights of one on a larger image.
#
# *Check:* `check("07.6", …)` with σ, in pixels.
#
# <details>
# <summary>Hint</summary>
#
# One convolution and the pool with jump 1, then seven convolutions with jump 2. Each has the variance $(k^2-1)/12$ times the jump squared.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# early = [(3, 1), (2, 2)] + [(3, 1)] * 7
# by_hand = np.sqrt(8 / 12 + 3 / 12 + 7 * 4 * 8 / 12)
# paths = influence_of_pixels(early, pixels=64).sum(dim=0).numpy()
# print(f"predicted {by_hand:.2f}, measured {sigma(paths / paths.sum()):.2f}")
# check("07.6", by_hand)
# ```
#
# ```text
# predicted 4.43, measured 4.43
# Right.
# ```
# </details>
#
# **7.** *Design.* Give three stacks with a field of exactly 32 pixels: one with a single pool, one with two pools, and one without any pool and stride but with dilation.
#
# *Check:* `check("07.7", …)` with the three stacks in a list: with one pool, with two, with dilation. A layer is (kernel, stride), as above, and with dilation (kernel, stride, dilation).
#
# <details>
# <summary>Hint</summary>
#
# From a field of odd size, a 3 × 3 convolution with jump 1 leads to odd sizes only. While the jump is odd, a pool of two, or any other even kernel without dilation, adds an odd number.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Three of many. Without a pool, one kernel must be even; here it is a 2 × 2.
#
# ```python
# one_pool = [(3, 1)] * 3 + [(2, 2)] + [(3, 1)] * 6
# two_pools = [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 2
# print("one pool:", field(one_pool), " two pools:", field(two_pools))
# dilated = [(2, 1, 1)] + [(3, 1, dilation) for dilation in (1, 2, 4, 8)]
# size, jump = 1, 1
# for kernel, stride, dilation in dilated:
#     size, jump = step(size, jump, kernel, stride, dilation)
# print("dilation:", size)
# check("07.7", [one_pool, two_pools, dilated])
# ```
#
# ```text
# one pool: 32  two pools: 32
# dilation: 32
# Right.
# ```
# </details>
#
# ## What's next
#
# [Designing under a budget](08-designing-under-a-budget.ipynb): 20,000 parameters to spend, and a field of 28 to reach.
