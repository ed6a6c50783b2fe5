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
# # Convolutions and their cost
#
# In Part I every weight had its own place: one input, one unit, one weight. A picture has hundreds of pixels, and that
# way of wiring would need hundreds of thousands of weights for a single layer. A *convolution* does with nine. This chapter does one by
# hand, says what it saves, and goes through the small print: padding, stride, dilation, pooling, channels, batch norm.
#
# **You will be able to** compute a convolution by hand, predict its output's size and its number of parameters, and say why a
# 1 × 1 convolution is not a joke.
#
# **You need** *The network*.

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
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from cellgrad import mnist, plotting
from cellgrad.layers import conv, count_parameters, flatten, layer_table, linear

plotting.use_house_style()
digit = mnist.sample().train.images[3].numpy().astype(float)

# %% [markdown]
# ## A digit is a table of numbers
#
# 28 rows, 28 columns, each number from 0 (paper) to 255 (ink). Look at a corner of it as what it is:

# %% mystnb={"image": {"alt": "Left: a handwritten digit. A square frame marks a part of it. Right: that part enlarged, with the grey value written into each pixel: zeros on paper, up to 255 in the stroke."}}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4))
plotting.show_pixels(digit, ax=left)
plotting.frame(left, row=6, column=9, size=9)
plotting.show_pixels(digit[6:15, 9:18], values=True, ax=right)
plt.show()

# %% [markdown]
# ## One convolution by hand
#
# Take a small table of weights, the *kernel*, here 3 × 3. Lay it over a 3 × 3 patch of the image, multiply each weight with the pixel under it, add up
# the nine products, write the sum down. Move one pixel on; again. This kernel has plus on its left and minus on its right, so expect
# large numbers where ink stands left of paper, and negative ones in the opposite case. One place, from the part of the digit that you see above:

# %%
kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
patch = digit[11:14, 9:12].astype(int)
print(patch, "times", kernel, "is", patch * kernel, sep="\n")
print("sum:", (patch * kernel).sum())


# %% [markdown]
# And now all places:

# %%

def convolve(image, kernel):
    rows, columns = kernel.shape
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            patch = image[row : row + rows, column : column + columns]
            result[row, column] = (patch * kernel).sum()
    return result


edges = convolve(digit, kernel)
edges.shape

# %% mystnb={"image": {"alt": "Three panels: the digit; the kernel of nine weights, plus on the left, minus on the right; and the result, in which the right edges of the strokes are dark red and the left edges dark blue."}}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[2, 1, 2])
plotting.show_pixels(digit, ax=axes[0])
plotting.show_pixels(kernel, values=True, signed=True, ax=axes[1])
plotting.show_pixels(edges, signed=True, ax=axes[2])
plt.show()

# %% [markdown]
# A detector of upright edges, in nine numbers: red is above zero, blue below. The result is two pixels smaller each way, since the kernel has to fit. PyTorch computes exactly the
# same:

# %%
image, weights = torch.tensor(digit), torch.tensor(kernel).double()
theirs = F.conv2d(image[None, None], weights[None, None])
print("equal:", np.array_equal(theirs[0, 0].numpy(), edges))

# %% [markdown]
# A network does not get its kernels from a book. It learns them: the nine weights are knobs, like those of Part I, and
# each has a derivative.
#
# ## The same with a dense layer
#
# Everything that a convolution computes is a weighted sum of pixels, so a dense layer could do it too: one row of weights for each
# output pixel. Which weights would it need? Feed the convolution all pictures that have a single white pixel, one after the
# other, and write the answers down as columns.

# %%
single_pixels = np.eye(28 * 28).reshape(-1, 28, 28)
columns = [convolve(pixel, kernel).flatten() for pixel in single_pixels]
dense = np.stack(columns, axis=1)

print("weights:", dense.size)
print("computes the same:", np.allclose(dense @ digit.flatten(), edges.flatten()))

# %%
print(f"of these, zero: {np.mean(dense == 0):.1%}")
print("different values:", np.unique(dense[dense != 0]).tolist())

# %% mystnb={"image": {"alt": "The upper left corner of the dense layer's table of weights. Nearly all of it is empty; a few diagonal stripes carry the same four values, -2, -1, 1 and 2, over and over."}}
corner = dense[: 3 * 26, : 4 * 28]  # three rows of the result, four of the image
plotting.show_pixels(corner, signed=True)
plt.gca().set(xlabel="input pixel", ylabel="output pixel")
plt.show()

# %% [markdown]
# Nearly all of its weights are zero, because an output looks at its neighbourhood only. The rest are the same few numbers over and over, because
# every place is treated alike. A convolution is a dense layer with these two decisions built in: *look near*, and *share the weights*. That is
# what it saves, and the factor is

# %%
print(f"{dense.size / kernel.size:,.0f}")

# %% [markdown]
# ## Padding, stride, dilation
#
# Three numbers say how the kernel moves. *Padding* adds empty pixels around the image, so that the result need not shrink. *Stride* is how far it moves each time.
# *Dilation* spreads the kernel's *taps*, the places of its weights, apart. In the pictures, the dots are the taps at the kernel's first position and the rings those at the next.

# %% mystnb={"image": {"alt": "Four small pixel grids with a 3 by 3 kernel on them at two neighbouring positions. Plain: positions one pixel apart. Padding 1: a dashed border of empty pixels, the kernel hangs over the edge. Stride 2: positions two pixels apart. Dilation 2: the nine taps spread over five by five pixels."}}
cases = {
    "plain": {},
    "padding 1": {"padding": 1},
    "stride 2": {"stride": 2},
    "dilation 2": {"dilation": 2},
}
figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.8))
for ax, (name, options) in zip(axes, cases.items()):
    plotting.draw_window(7, 3, **options, ax=ax)
    (_, size, _) = layer_table([conv(1, 3, **options)], (1, 7, 7)).output_size[0]
    ax.set_title(f"{name}: 7 → {size}")
plt.show()

# %% [markdown]
# All of it is in one formula for the output's size, with $n$ the input's size, $k$ the kernel, $p$ the padding, $s$ the stride, $d$ the dilation:
#
# $$\left\lfloor \frac{n + 2p - d(k-1) - 1}{s} \right\rfloor + 1$$
#
# (The half brackets round down.) Try it on the four pictures before you read their titles.
#
# ## Pooling
#
# A *max-pool* has a window and no weights. It keeps the largest number in each window, and with a 2 × 2 window that moves by two, the image shrinks to half its
# size each way. What is kept is *that* something was found there, and roughly where. First we keep the positive answers only, the right edges; that is what a *ReLU* does.

# %% mystnb={"image": {"alt": "Left: the positive answers, the right edges, 26 by 26. Right: after a 2 by 2 max-pool, 13 by 13; coarser, but the same edges at the same places."}}
found = torch.tensor(np.maximum(edges, 0))[None, None]
pooled = F.max_pool2d(found, 2)
figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.6))
plotting.show_pixels(found[0, 0], signed=True, ax=left)
plotting.show_pixels(pooled[0, 0], signed=True, ax=right)
plt.show()

# %% [markdown]
# ## Channels
#
# One kernel finds one kind of thing. A layer has several, and each writes an image of its own, a *channel*. The next layer's kernels look at all channels
# at once. So the number of weights is
#
# $$k \times k \times \text{channels in} \times \text{channels out}$$
#
# and does not depend on the size of the image. A 3 × 3 layer from 8 to 16 channels:

# %%
count_parameters([conv(16, 3)], input_size=(8, 11, 11)), 3 * 3 * 8 * 16

# %% [markdown]
# ## 1 × 1
#
# A kernel of one pixel sees no neighbourhood at all. What is it good for? It still sees all channels. At each pixel it is a
# little dense layer from the channels in to the channels out, the same one everywhere:

# %%
generator = torch.Generator().manual_seed(0)
features = torch.randn(1, 32, 5, 5, generator=generator)
weights = torch.randn(10, 32, generator=generator)

as_convolution = F.conv2d(features, weights[:, :, None, None])
as_dense = torch.einsum("oc,nchw->nohw", weights, features)
print("equal:", torch.allclose(as_convolution, as_dense, atol=1e-5))

# %% [markdown]
# It mixes channels and changes their number. Where an image has shrunk to one pixel, it *is* the dense layer that turns features into ten scores. That
# is how the student's network ends that this book starts from. We call it *the source*. It has fewer than 20,000 parameters, and its advice was: convolutions instead of dense
# layers, 8 channels up front, 7 × 7 pixels before the first pool, about 28 × 28 at the end, a 1 × 1 convolution last.
#
# What if one used a dense layer earlier, say after the first convolution of eight channels?

# %%
early_dense = [conv(8, 3, name="convolution"), flatten, linear(10, name="dense")]
layer_table(early_dense)[["layer", "input_size", "output_size", "parameters"]]

# %% [markdown]
# That one dense layer alone is more than twice the budget of 20,000.
#
# ## Batch norm's four numbers
#
# Between the convolutions stands *batch normalisation*. While training it shifts and scales each channel so that over the batch it has mean 0 and
# variance 1, and then applies a scale and a shift that it learns. On the way it keeps a running mean and a running variance. Two numbers a channel are learned and
# two are only counted.

# %%
norm = torch.nn.BatchNorm2d(8)
print("learned:", {name: tuple(p.shape) for name, p in norm.named_parameters()})
print("counted:", [name for name, b in norm.named_buffers() if b.ndim])

batch = 3 + 2 * torch.randn(128, 8, 5, 5, generator=generator)
out = norm(batch)
print("mean 0:", torch.allclose(out.mean((0, 2, 3)), torch.zeros(8), atol=1e-4))
print("variance 1:", torch.allclose(out.var((0, 2, 3)), torch.ones(8), atol=1e-2))

# %% [markdown]
# When the network is used, the four numbers are fixed, and together they are one multiplication and one addition for each channel. A convolution without padding that
# follows can take them into its weights and a bias. Then batch norm costs nothing any more:

# %%
norm.eval()
after = torch.nn.Conv2d(8, 16, 3, bias=False)
scale = norm.weight / (norm.running_var + norm.eps).sqrt()
shift = norm.bias - norm.running_mean * scale

swallowed = after.weight * scale[:, None, None]
bias = (after.weight * shift[:, None, None]).sum((1, 2, 3))
at_once = F.conv2d(batch, swallowed, bias)
print("the same:", torch.allclose(after(norm(batch)), at_once, atol=1e-4))

# %% [markdown]
# ## Recap
#
# - A convolution is a dense layer that looks near and shares its weights.
# - Its parameters: kernel height × kernel width × channels in × channels out, whatever the image's size.
# - Padding, stride and dilation set the output's size by one formula.
# - A 1 × 1 convolution is a small dense layer at every pixel.
#
# ## Exercises
#
# **1.** An image has 28 × 28 pixels. How large is it after a 5 × 5 convolution with stride 2 and padding 1? Can you stack such layers until one pixel
# is left?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# size = 28
# while size > 1:
#     size = (size + 2 * 1 - 1 * (5 - 1) - 1) // 2 + 1
#     print(size)
# ```
#
# 13, 6, 2 and then the window, 5, no longer fits into 2 + 2 pixels: the loop prints a 0, and `layer_table([conv(8, 5, stride=2, padding=1)] * 4)` tells you which layer is at fault.
# </details>
#
# **2.** Which kernel leaves the image as it is? Which moves it by one pixel to the right?
#
# <details>
# <summary>Solution</summary>
#
# A one in the middle and zeros around it leaves the image (and cuts its border off). A one at the *left* of the middle moves the image to the
# right: each output takes what stands to its left.
#
# ```python
# move = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]])
# np.array_equal(convolve(digit, move), digit[1:-1, :-2])
# ```
# </details>
#
# **3.** Two 3 × 3 convolutions one after the other, 8 channels in, between and out, or one 5 × 5 from 8 to 8: both see 5 × 5 pixels. Which has fewer parameters?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# two = count_parameters([conv(8, 3), conv(8, 3)], (8, 28, 28))
# one = count_parameters([conv(8, 5)], (8, 28, 28))
# two, one
# ```
#
# The two small ones, 18 · 64 against 25 · 64, and there is room for a ReLU in between.
# </details>
#
# ## What's next
#
# *The receptive field*: how far a unit sees when convolutions are stacked.
