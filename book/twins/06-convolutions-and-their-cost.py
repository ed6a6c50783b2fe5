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
# In Part I every weight had its own place: one input, one unit, one weight. A picture has hundreds of pixels, and wired in that
# way a single layer would need hundreds of thousands of weights. A [convolution](glossary.md#term-convolution) makes do with nine. In this chapter you compute one by
# hand, type it as four loops, find out what it saves and why, and then meet everything that stands around a convolution in a real network: padding, stride,
# dilation, pooling, channels, biases and batch norm.
#
# **You will be able to** compute a convolution by hand and in code, predict the size of its output and its number of parameters, and say what a
# 1 × 1 convolution is good for.
#
# **You need** [The network](01-the-network.ipynb): what a weight is, and a weighted sum; for exercise 7 also [Its derivatives](03-its-derivatives.ipynb).

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
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional as F

from cellgrad import check, mnist, plotting
from cellgrad.layers import conv, count_parameters, flatten, layer_table, linear

plotting.use_house_style()

# %% [markdown]
# ## A digit is a table of numbers
#
# The picture is a nine that somebody wrote, one of the 70,000 handwritten digits of a data set named MNIST: 60,000 to learn from, the *training digits*, and 10,000 to be tested on, the *test digits*. (The book carries a sample: 4,000 of the one and 1,000 of the other.) It has 28 rows and 28 columns of numbers, each from 0 (paper) to 255 (full ink).

# %%
digit = mnist.sample().train.images[3].numpy().astype(float)
print(digit.shape, "from", digit.min(), "to", digit.max())

# %% mystnb={"image": {"alt": "Left: a handwritten nine. An orange frame marks nine by nine pixels at the left of its loop. Right: these pixels enlarged, with the grey value written into each: zeros on paper, up to 255 in the stroke. A blue frame marks three by three of them at the left edge."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(5.8, 3.5), width_ratios=[2, 3])
plotting.show_pixels(digit, ax=left)
plotting.frame(left, row=6, column=9, size=9)
plotting.show_pixels(digit[6:15, 9:18], values=True, ax=right)
plotting.frame(right, row=5, column=0, size=3, colour=plotting.BLUE)
plt.show()

# %% [markdown]
# *Figure 6.1. The digit, and the framed part of it as numbers. The blue frame is the patch that we compute with first.*
#
# ## One convolution by hand
#
# Take a small table of weights, the [kernel](glossary.md#term-kernel), here 3 × 3. Lay it over a 3 × 3 patch of the image, multiply each weight by the pixel under it, and add up
# the nine products. That is one number of the result. This kernel has plus on its left and minus on its right. Before you run the cell: the blue patch has its ink on the left
# and its paper on the right, so what sign do you expect?

# %% tags=["core", "hide-output"]
kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
patch = digit[11:14, 9:12].astype(int)
print("pixels", patch, "times weights", kernel, "gives", patch * kernel, sep="\n")
print("and their sum is", (patch * kernel).sum())


# %% [markdown]
# A large positive number, because the plus lies on ink and the minus on paper. Where the kernel lies on paper only, or wholly inside the ink, its plus and its minus cancel
# and the sum is small. So this kernel answers to upright edges. It is named after Irwin Sobel, who proposed it in 1968, long before networks learned kernels of their own.
#
# Now move the kernel one pixel on and do it again, and so on over the whole image. In code this takes four loops: two over the places of the result, two over the weights.

# %% tags=["core"]
def convolve(image, kernel):
    rows, columns = kernel.shape
    height = image.shape[0] - rows + 1  # how many places the kernel fits into
    width = image.shape[1] - columns + 1
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            for i in range(rows):
                for j in range(columns):
                    pixel = image[row + i, column + j]
                    result[row, column] += kernel[i, j] * pixel
    return result


# %% tags=["core"]
edges = convolve(digit, kernel)
print("the place that we computed by hand:", edges[11, 9])
print("size of the result:", edges.shape)

# %% [markdown]
# Our patch stands in the result with the number that we found by hand. (Python counts from 0: `edges[11, 9]` stands in the twelfth row and the tenth column.) The result is two pixels smaller each way, since a kernel three pixels wide fits into a row of 28 pixels in
# 26 places.

# %% mystnb={"image": {"alt": "Three panels: the digit; the kernel of nine weights, plus on the left, minus on the right; and the result with a colour scale from minus 1000 to plus 1000. The right-hand edges of the strokes are red, that is positive, and the left-hand edges blue, negative. Green frames mark three by three pixels at the left of the digit's loop, and the one number of the result that is made of them."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.7), width_ratios=[4, 2, 5])
plotting.show_pixels(digit, ax=axes[0])
plotting.show_pixels(kernel, values=True, signed=True, ax=axes[1])
plotting.show_pixels(edges, signed=True, ax=axes[2])
plotting.frame(axes[0], row=11, column=9, size=3, colour=plotting.GREEN)
plotting.frame(axes[2], row=11, column=9, size=1, colour=plotting.GREEN)
figure.colorbar(axes[2].images[0], ax=axes[2], shrink=0.8, label="sum")
for ax, title in zip(axes, ("digit", "kernel", "result")):
    ax.set_title(title)
plt.show()

# %% [markdown]
# *Figure 6.2. Nine weights find the upright edges. Framed in green: our patch, and the number that it gave. Red where a stroke ends on its right-hand side, blue where it begins on its left-hand side. Flat strokes leave hardly a trace.*
#
# Each number of the result is a [unit](glossary.md#term-unit) in the sense of Part I: a weighted sum. Only its inputs are nine pixels, and all units share their weights.
#
# ### The same, as windows
#
# Four loops in Python are slow. NumPy can show us all 3 × 3 windows of the image at once, without copying anything: a table with four axes, where the first two say *which* window and
# the last two which pixel in it. Multiply each by the kernel, and add up over the last two axes.

# %% tags=["core"]
windows = sliding_window_view(digit, (3, 3))
as_windows = (windows * kernel).sum(axis=(2, 3))

# %%
print("windows:", windows.shape)
print(np.sum(as_windows == edges), "of", edges.size, "numbers are the same")

# %% [markdown]
# ### The same, in PyTorch
#
# PyTorch's `conv2d` computes many images and many kernels in one go, and so it wants four axes of both. For images they are (image, channel, row, column), and for kernels
# (channel out, channel in, row, column). Channels come below. Here all of these but the rows and columns are one, and indexing with `None` adds an axis of length one.

# %% tags=["core"]
images = torch.tensor(digit)[None, None]
kernels = torch.tensor(kernel)[None, None].double()
theirs = F.conv2d(images, kernels)[0, 0].numpy()

# %%
print("images", tuple(images.shape), "and kernels", tuple(kernels.shape))
print(np.sum(theirs == edges), "of", edges.size, "numbers are the same")

# %% [markdown]
# All three agree to the last digit. One word of warning: in mathematics, a *convolution* turns the kernel by half a turn before it lays it down. What we
# compute, and what every library for neural networks computes under that name, is called a *cross-correlation* there. For a network this makes no difference, since
# it is free to learn the turned kernel. It does make one when you compare with SciPy's `convolve`; exercise 4 is about that.
#
# A network does not get its kernels from Sobel. It learns them: the nine weights are knobs like those of Part I, each with a derivative, and all 676 places of the result have a say in
# it. Exercise 7 computes one, and [chapter 9](09-one-rule-for-all-weights.ipynb) all of them.
#
# ## The same with a dense layer
#
# In a *dense* layer each output has a weight for every input, as in Part I. A convolution is a weighted sum of pixels too, so a dense layer could compute it. Which weights would it need?
# We can find out by asking: give the convolution an image in which one pixel is 1 and all others are 0. Then every output is the weight with which this pixel enters it: one column of the table. Doing that for
# every pixel gives the whole table, a column for each pixel. What do you expect to see in it?

# %% tags=["core"]
single_pixels = np.eye(28 * 28).reshape(-1, 28, 28)
answers = []
for pixel in single_pixels:
    windows_of_it = sliding_window_view(pixel, (3, 3))
    answers.append((windows_of_it * kernel).sum(axis=(2, 3)).flatten())
dense = np.stack(answers, axis=1)  # a row for each output, a column for each pixel

# %% tags=["hide-output"]
same = dense @ digit.flatten() == edges.flatten()
print(np.sum(same), "of", edges.size, "outputs are the same as the convolution's")
print(f"weights: {dense.size:,}, of which {np.mean(dense == 0):.1%} are zero")
print("all values that occur:", np.unique(dense).astype(int).tolist())

# %% mystnb={"image": {"alt": "Left: the upper left corner of the dense layer's table of weights. Nearly all of it is empty; diagonal stripes carry the same few values over and over; a green line marks row 30. Right: that row folded back into 28 by 28 pixels: all empty but for the nine weights of the kernel at one place near the upper edge."}} tags=["hide-input", "hide-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.3), width_ratios=[4, 3])
plotting.show_pixels(dense[: 3 * 26, : 4 * 28], signed=True, ax=left)
left.axhspan(30, 31, color=plotting.GREEN, alpha=0.5)
left.set(xlabel="input pixel", ylabel="output", title="the table's corner")
left.set(xticks=range(0, 113, 28), yticks=range(0, 79, 26))
plotting.show_pixels(dense[30].reshape(28, 28), signed=True, ax=right)
right.set_title("its row 30, as an image")
plt.show()

# %% [markdown]
# *Figure 6.3. The dense twin of our convolution. Three bands, one for each row of the kernel; in each a plus and, two pixels on, a minus. The ticks mark where a new row of pixels begins. Each row of the table (the green one, for example), folded back into an image, is
# the kernel at one place and paper everywhere else.*
#
# Nearly all weights are zero, because an output looks at its neighbourhood only. The others are the same few numbers over and over, because
# every place is treated alike. So a convolution is a dense layer with two decisions built in: *look near*, and *share the weights*. It computes the same with fewer weights, by the factor

# %%
print(f"{dense.size:,} / {kernel.size} = {dense.size / kernel.size:,.0f}")

# %% [markdown]
# Both decisions are bets about pictures. The first says that what belongs together lies close together. The second says that an edge is an edge wherever it stands, so that
# what was learned in one place is known in all others. For handwriting they are good bets, and
# [chapter 11](11-is-the-advice-true.ipynb) measures by how much.
#
# ## Padding, stride, dilation
#
# Three numbers say how the kernel moves. [Padding](glossary.md#term-padding) puts a border of empty pixels around the image, so that the result need not shrink. [Stride](glossary.md#term-stride) is how far
# the kernel moves each time. [Dilation](glossary.md#term-dilation) pulls the kernel's *taps* apart, which are the places of its weights: with dilation $d$, neighbouring taps are $d$ pixels apart. The plain case is padding 0, stride 1 and dilation 1. Before you read on: how wide is the result in each of the four pictures?

# %% mystnb={"image": {"alt": "Four grids of seven by seven pixels with a 3 by 3 kernel on them at two neighbouring positions, blue dots and orange rings. Plain: the positions are one pixel apart. Padding 1: a dotted border of empty pixels, the kernel begins in the border. Stride 2: the positions are two pixels apart. Dilation 2: the nine taps spread over five by five pixels."}} tags=["hide-input"]
cases = {"plain": {}, "padding 1": {"padding": 1},
         "stride 2": {"stride": 2}, "dilation 2": {"dilation": 2}}
figure, axes = plt.subplots(2, 2, figsize=(5.2, 5.4))
for ax, (name, options) in zip(axes.flat, cases.items()):
    plotting.draw_window(7, 3, **options, ax=ax)
    ax.set_title(name, fontsize=12)
plt.show()


# %% [markdown]
# *Figure 6.4. A 3 × 3 kernel on 7 × 7 pixels. The dots are its taps at the first position, the rings those at the second.*
#
# One formula has all of it. Let $n$ be the size of the input, $k$ of the kernel, $p$ the padding, $s$ the stride and $d$ the dilation. With its padding the input is $n + 2p$ pixels wide.
# The kernel, from its first tap to its last, reaches over $d(k-1) + 1$ of them. What is left over, $n + 2p - d(k-1) - 1$ pixels, is the way that it can move, in steps
# of $s$; and one more place is where it starts:
#
# $$\left\lfloor \frac{n + 2p - d(k-1) - 1}{s} \right\rfloor + 1 \tag{6.1}$$
#
# The half brackets say: round down, because a step that does not fit is not made. Two cases are worth knowing by heart. A 3 × 3 kernel with padding 1 and stride 1 leaves the size as it is, and a 2 × 2 window with stride 2 halves it.

# %% tags=["core"]
def output_size(n, kernel, stride=1, padding=0, dilation=1):
    way = n + 2 * padding - dilation * (kernel - 1) - 1
    return way // stride + 1


# %% tags=["hide-output"]
for name, options in cases.items():
    package = layer_table([conv(1, 3, **options)], (1, 7, 7)).output_size[0]
    print(f"{name}: 7 → {output_size(7, 3, **options)};", end=" ")
    print("the package says", package[1])

# %% [markdown]
# `layer_table` is the book's bookkeeper: it takes a network written as a list of layers and says, layer by layer, how large everything is and what it costs. In such a list `conv(1, 3)` is a convolution that makes one image with a 3 × 3 kernel, and a size is (images, rows, columns), so `package[1]` is the rows. They agree with the typed formula.

# %% [markdown]
# All of this in one figure: move the window over the digit by mouse, finger or arrow keys, change a weight, and try other sizes, strides, paddings and dilations. (The figure counts rows and columns from 1, as people do.)

# %% tags=["hide-input"]
from cellgrad import figures

figures.window()

# %% [markdown]
# If you moved it, you saw: products and one sum make each number of the output, nine products for a kernel of 3 × 3. The size says how many there are; stride, padding and dilation only choose which pixels take part.

# %% [markdown]
# ## ReLU and pooling
#
# Two more operations have no weights at all. A [ReLU](glossary.md#term-ReLU) keeps positive numbers and turns negative ones into zero, so that of our edges only
# the right-hand ones remain. It does here what the sigmoid did in Part I: without something that bends between them, two weighted sums in a row are only another weighted sum.
#
# A [max-pool](glossary.md#term-max-pool) has a window too, but instead of adding up it keeps the largest number in it. With a 2 × 2 window and stride 2 the windows lie side by side, and the image shrinks to half its
# size each way. What is kept is *that* something was found there, and roughly where. An *average pool* keeps the mean of its window instead; a *global* one has the whole image as its window.

# %% tags=["core"]
found = np.maximum(edges, 0)
pooled = sliding_window_view(found, (2, 2))[::2, ::2].max(axis=(2, 3))

# %%
theirs = F.max_pool2d(torch.tensor(found)[None, None], 2)[0, 0].numpy()
print("before:", found.shape, " after:", pooled.shape)
print(np.sum(theirs == pooled), "of", pooled.size, "numbers as in PyTorch")

# %% mystnb={"image": {"alt": "Left: the positive answers, the right-hand edges of the nine, 26 by 26. Right: after a 2 by 2 max-pool, 13 by 13; coarser, but the same edges at the same places."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(6, 3.1))
pictures = {"after ReLU": found, "after the pool": pooled}
for ax, (title, image) in zip(axes, pictures.items()):
    plotting.show_pixels(image, signed=True, ax=ax)
    ax.set_title(f"{title}: {len(image)} × {len(image)}")
plt.show()

# %% [markdown]
# *Figure 6.5. The pool throws three of four numbers away, and the edges are still where they were.*
#
# ## Channels
#
# One kernel finds one kind of thing. A layer has several kernels, and each writes an image of its own, a [channel](glossary.md#term-channel), also called a feature map. The layer after it
# takes in all these images, like sheets in a stack, at once: for each of its own channels it has one small kernel *for every sheet*, and adds up all products of all sheets to a single number.

# %% mystnb={"image": {"alt": "Left: eight sheets beside and below each other, each with an orange window of three by three pixels at the same place. Middle: a table of small 3 by 3 kernels, 16 rows of 8; the first row is blue. Right: 16 sheets; the first one has a blue frame and one blue pixel."}} tags=["hide-input"]
plotting.draw_channels(8, 16)
plt.show()

# %% [markdown]
# *Figure 6.6. A 3 × 3 layer from 8 to 16 channels. The eight blue kernels are laid over the eight orange windows, one on each sheet. All 72 products are added up, and the sum is the blue pixel of the
# first sheet. The next row of kernels writes the next sheet.*
#
# So the number of weights is
#
# $$k \times k \times \text{channels in} \times \text{channels out} \tag{6.2}$$
#
# and does not depend on the size of the image. A layer may also have a [bias](glossary.md#term-bias), one number for each channel out that is added at every pixel.
# In numbers small enough for paper: two sheets of 3 × 3 pixels, one kernel of 2 × 2 for each, bias 10.

# %% tags=["core"]
sheets = np.array([[[1, 2, 0], [0, 1, 1], [3, 0, 2]],
                   [[0, 1, 1], [2, 0, 0], [1, 1, 0]]])
two_kernels = np.array([[[1, 0], [0, 1]], [[0, 2], [1, 0]]])
first, second = (sliding_window_view(sheet, (2, 2)) for sheet in sheets)
by_hand = ((first * two_kernels[0]).sum(axis=(2, 3))
           + (second * two_kernels[1]).sum(axis=(2, 3)) + 10)

# %% [markdown]
# The upper left number is (1·1 + 1·1) from the first sheet, (2·1 + 1·2) from the second, and 10: that is 16. All four:

# %%
by_hand


# %% [markdown]
# For any number of channels, `einsum` writes it in one line. It names the axes by letters: `c` channel in, `o` channel out, `y` and `x` the place, `i` and `j` the tap. What stands
# before the arrow are the axes of the two tables, what stands behind it are those of the result. Letters that stand before the arrow only, here `c`, `i` and `j`, are summed over.

# %% tags=["core"]
def convolve_channels(images, kernels, biases):
    windows = sliding_window_view(images, kernels.shape[2:], axis=(1, 2))
    sums = np.einsum("cyxij,ocij->oyx", windows, kernels)
    return sums + biases[:, None, None]


# %%
again = convolve_channels(sheets, two_kernels[None], np.array([10]))
random = np.random.default_rng(0)
sheets_in, biases = random.normal(size=(8, 11, 11)), random.normal(size=16)
kernels = random.normal(size=(16, 8, 3, 3))
ours = convolve_channels(sheets_in, kernels, biases)
theirs = F.conv2d(*map(torch.tensor, (sheets_in[None], kernels, biases)))[0]
print(np.sum(again[0] == by_hand), "of 4 numbers as on paper")
print(ours.shape, "and", np.isclose(ours, theirs).sum(), "of", ours.size, end=" ")
print("numbers as in PyTorch")

# %% [markdown]
# How many [parameters](glossary.md#term-parameter) has it? Counted by hand, by the bookkeeper, and by PyTorch:

# %%
print("by hand:", 3 * 3 * 8 * 16, "weights,", 16, "biases")
for bias in (False, True):
    package = count_parameters([conv(16, 3, bias=bias)], input_size=(8, 11, 11))
    layer = torch.nn.Conv2d(8, 16, 3, bias=bias)
    pytorch = sum(p.numel() for p in layer.parameters())
    print(f"bias={bias}: the bookkeeper {package}, PyTorch {pytorch}")

# %% [markdown]
# PyTorch's layers have a bias unless told otherwise. In this book convolutions have none unless it is said, because batch norm, which comes below, adds a number of its own
# to each channel. (The last two of the source's network have neither; its author left them out.)
#
# ## The 1 × 1 convolution
#
# A kernel of one pixel sees no neighbourhood at all. But it still sees all channels. At each pixel it takes the numbers that lie above one another in the stack, and makes new ones of
# them: a dense layer from the channels in to the channels out, the same one at every pixel. If that is so, then a loop over the pixels with a dense layer inside it must give the same:

# %% tags=["core"]
random = np.random.default_rng(1)
features = random.normal(size=(32, 5, 5))
table = random.normal(size=(10, 32))  # a dense layer from 32 numbers to 10
pixel_by_pixel = np.zeros((10, 5, 5))
for row in range(5):
    for column in range(5):
        pixel_by_pixel[:, row, column] = table @ features[:, row, column]

# %%
one_by_one = table[:, :, None, None]  # as kernels: (channel out, channel in, 1, 1)
convolved = F.conv2d(torch.tensor(features)[None], torch.tensor(one_by_one))[0]
same = np.isclose(convolved.numpy(), pixel_by_pixel)
print(same.sum(), "of", same.size, "numbers are the same")


# %% [markdown]
# It mixes channels and changes their number. Where an image has shrunk to a single pixel, it *is* a dense layer. The network that this part of the book takes apart ends like this: of the 32 numbers that are left of the image it makes ten, a *score* for each of the digits 0 to 9, and the largest score is its answer.
#
# ## Batch norm
#
# Between the convolutions of that network stands [batch normalisation](glossary.md#term-batch-normalisation), batch norm for short ([Ioffe and Szegedy, 2015](references.md)). The reason its inventors gave: while a network learns, every layer keeps changing what the next one gets to see, larger numbers
# today, smaller ones tomorrow, and a learning rate that was right is right no longer. Batch norm takes this out. (That it helps is seldom doubted; whether it helps for this reason is still debated.) For each channel it computes the mean and the variance (the mean of the squared distances from the mean) over the whole [batch](glossary.md#term-batch), that is over all
# pixels of all the images that are looked at together, and shifts and scales the channel to mean 0 and variance 1. Then it multiplies by a number $\gamma$ and adds a number $\beta$, both
# learned, in case another scale is better. In that network it stands *after* the ReLU; most papers put it before, and [chapter 11](11-is-the-advice-true.ipynb) tries both.

# %% tags=["core"]
def normalise_batch(batch, gamma, beta, tiny=1e-5):
    mean = batch.mean(axis=(0, 2, 3), keepdims=True)  # one for each channel
    variance = batch.var(axis=(0, 2, 3), keepdims=True)
    standard = (batch - mean) / np.sqrt(variance + tiny)  # tiny: never divide by 0
    return gamma[:, None, None] * standard + beta[:, None, None]


# %%
batch = 3 + 2 * np.random.default_rng(2).normal(size=(128, 8, 5, 5))
ours = normalise_batch(batch, np.ones(8), np.zeros(8))
norm = torch.nn.BatchNorm2d(8).double()
theirs = norm(torch.tensor(batch)).detach().numpy()
print(f"mean {batch.mean():.1f} → {abs(ours.mean()):.1f},", end=" ")
print(f"variance {batch.var():.1f} → {ours.var():.1f}")
print(np.isclose(ours, theirs).sum(), "of", ours.size, "numbers as in PyTorch")

# %% [markdown]
# When the trained network reads a single digit there is no batch. So while training, PyTorch's batch norm also keeps *running* averages of the mean and the variance, and uses these later.
# That makes four numbers for each channel, of which two are learned, and two are kept by averaging:

# %%
print("learned:", {name: tuple(p.shape) for name, p in norm.named_parameters()})
print("kept:", {name: tuple(b.shape) for name, b in norm.named_buffers()})

# %% [markdown]
# (PyTorch calls $\gamma$ *weight* and $\beta$ *bias*. The fifth entry, without an axis, counts batches.)
#
# Once the network is trained, the four numbers stay as they are. What batch norm still costs then, we shall see in [chapter 8](08-designing-under-a-budget.ipynb#batch-norm-once-trained), where costs are the subject.
#
# ## The source's sentences
#
# The network with the ten scores was made by a student, who described it in a few sentences ([Bharadwaj](references.md)). We call it *the source*. It has fewer than 20,000 parameters and, in its author's one run, read more than 99.4 % of the test
# digits ([The run](10-the-run.ipynb) repeats it). Its advice was: use convolutions only, as far as possible, because they take fewer parameters than fully connected (that is, dense) layers. Increase the channels to 8 up front. Build up a receptive field of 7 × 7 pixels before
# the first max-pool and of about 28 × 28 at the end; more is not needed, since the data set has no partially hidden digits. Use a 1 × 1 convolution last. What a
# receptive field is fills [the next chapter](07-the-receptive-field.ipynb). The first sentence we can check now: what if one used a dense layer early, say after a first convolution of eight channels?

# %%
early_dense = [conv(8, 3, name="convolution"), flatten, linear(10, name="dense")]
columns = ["layer", "input_size", "output_size", "parameters"]
table = layer_table(early_dense)[columns]
table[table["parameters"] > 0].set_index("layer")

# %%
print(f"dense: {8 * 26 * 26 * 10:,} weights and 10 biases")

# %% [markdown]
# That one dense layer costs more than twice the budget of 20,000, and the convolution next to it almost nothing.
#
# ## Recap
#
# - A convolution is a weighted sum, the same one at every place: four loops. It is a dense layer that looks near and shares its weights.
# - Its weights: kernel height × kernel width × channels in × channels out, whatever the size of the image; plus a bias for each channel out, if it has one.
# - Padding, stride and dilation set the size of the output by one formula, equation (6.1).
# - A 1 × 1 convolution is a small dense layer at every pixel.
# - Batch norm brings each channel to mean 0 and variance 1 over the batch. It learns two numbers a channel, and keeps two averages for later, when there is no batch.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* Convolve the 3 × 3 image with rows (1, 2, 3), (4, 5, 6), (7, 8, 9) with the 2 × 2 kernel with rows (1, 0), (0, −1). Why are all four numbers the same?
#
# *Check:* `check("06.1", …)` with the number that all four are.
#
# <details>
# <summary>Hint</summary>
#
# At each place the kernel takes a pixel and subtracts its neighbour to the lower right.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The neighbour to the lower right is always larger by 4.
#
# ```python
# result = convolve(np.arange(1, 10).reshape(3, 3), np.array([[1, 0], [0, -1]]))
# print(result)
# check("06.1", result[0, 0])
# ```
#
# ```text
# [[-4. -4.]
#  [-4. -4.]]
# Right.
# ```
# </details>
#
# **2.** An image has 28 × 28 pixels. How large is it after a 5 × 5 convolution with stride 2 and padding 1? And after the second and third of such layers?
#
# *Check:* `check("06.2", …)` with the three sizes.
#
# <details>
# <summary>Hint</summary>
#
# $n + 2p - d(k-1) - 1$ is $28 + 2 - 4 - 1 = 25$. Half of it, rounded down, plus one. A window must fit at least once.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# size, sizes = 28, []
# while size + 2 >= 5:  # with its padding, the image still holds a window
#     size = output_size(size, 5, stride=2, padding=1)
#     sizes.append(size)
#     print(size)
# check("06.2", sizes)
# ```
#
# ```text
# 13
# 6
# 2
# Right.
# ```
#
# On the last one a window of five no longer fits into 2 + 2 pixels. `layer_table([conv(8, 5, stride=2, padding=1)] * 4)` says so, and names the layer.
# </details>
#
# **3.** Which 3 × 3 kernel leaves the image as it is? Which one moves it by one pixel to the right?
#
# *Check:* `check("06.3", …)` with a pair of kernels: the one that leaves the image, and the one that moves it.
#
# <details>
# <summary>Hint</summary>
#
# One weight is enough. To move an image to the right, each output must take the pixel on its left.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# A one in the middle and zeros around it leave the image as it is, but for its border, which is cut off. A one to the *left* of the middle moves it to the
# right.
#
# ```python
# keep = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
# move = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]])
# moved = convolve(digit, move)
# print(np.sum(moved == digit[1:-1, :-2]), "of", moved.size, "pixels as expected")
# check("06.3", (keep, move))
# ```
#
# ```text
# 676 of 676 pixels as expected
# Right.
# ```
# </details>
#
# **4.** Turn Sobel's kernel by half a turn and convolve the digit with it. Predict first: how is the result related to the old one? This is what SciPy's `convolve` computes.
#
# *Check:* `check("06.4", …)` with the factor by which every number of the result changes.
#
# <details>
# <summary>Hint</summary>
#
# Half a turn swaps left and right, and top and bottom. Write the turned kernel down beside the old one.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The turned kernel is the old one with all signs changed, so the result changes its sign too. A kernel that half a turn leaves as it is would give the same result both ways.
#
# ```python
# turned = convolve(digit, kernel[::-1, ::-1])
# print(np.sum(turned == -edges), "of", edges.size, "numbers changed only their sign")
# check("06.4", -1)
# ```
#
# ```text
# 676 of 676 numbers changed only their sign
# Right.
# ```
# </details>
#
# **5.** *On paper.* How many parameters has a 5 × 5 convolution from 3 to 64 channels with bias? How many multiplications does it make on an image of 32 × 32 pixels with padding 2?
#
# *Check:* `check("06.5", …)` with the number of parameters and the number of multiplications.
#
# <details>
# <summary>Hint</summary>
#
# Each weight is used once at every place of the result. With padding 2, a 5 × 5 kernel has 32 × 32 places.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# weights = 5 * 5 * 3 * 64
# print(f"{weights + 64:,} parameters, {weights * 32 * 32:,} multiplications")
# by_the_book = layer_table([conv(64, 5, padding=2, bias=True)], (3, 32, 32))
# print(by_the_book[["parameters", "multiply_adds"]].iloc[0].tolist())
# check("06.5", (weights + 64, weights * 32 * 32))
# ```
#
# ```text
# 4,864 parameters, 4,915,200 multiplications
# [4864, 4915200]
# Right.
# ```
# </details>
#
# **6.** Two 3 × 3 convolutions one after the other with 8 channels in, between and out, or one 5 × 5 from 8 to 8: an output of either sees 5 × 5 pixels. Which has fewer parameters, and what else speaks for it?
#
# *Check:* `check("06.6", …)` with the parameters of the two 3 × 3 and those of the one 5 × 5.
#
# <details>
# <summary>Hint</summary>
#
# Both have the factor 8 × 8. Compare 2 · 9 with 25.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The two small ones; and between them there is room for a ReLU.
#
# ```python
# two = count_parameters([conv(8, 3), conv(8, 3)], (8, 28, 28))
# one = count_parameters([conv(8, 5)], (8, 28, 28))
# print("two 3 × 3:", two)
# print("one 5 × 5:", one)
# check("06.6", (two, one))
# ```
#
# ```text
# two 3 × 3: 1152
# one 5 × 5: 1600
# Right.
# ```
# </details>
#
# **7.** *A shared weight.* Let $E$ be half the sum of the squares of all 676 numbers in `edges`. The upper left weight of the kernel takes part in all of them. What is $\partial E / \partial k_{00}$? Check with PyTorch.
#
# *Check:* `check("06.7", …)` with $\partial E / \partial k_{00}$.
#
# <details>
# <summary>Hint</summary>
#
# At one place, the derivative of $\frac12 r^2$ by the weight is $r$ times the pixel under the weight, by the chain rule. Then add up over all places. The pixels under the upper left weight are `digit[:26, :26]`.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# by_hand = (edges * digit[:26, :26]).sum()
# knobs = torch.tensor(kernel).double().requires_grad_()
# loss = (F.conv2d(images, knobs[None, None]) ** 2).sum() / 2
# loss.backward()
# print(f"{by_hand:,.0f} by hand, {knobs.grad[0, 0]:,.0f} by PyTorch")
# check("06.7", by_hand)
# ```
#
# ```text
# 8,978,387 by hand, 8,978,387 by PyTorch
# Right.
# ```
# </details>
#
# **8.** *Design.* Bring one channel of 28 × 28 pixels to 16 channels of 7 × 7, with fewer than 1,000 parameters. Find two designs, and say which of them makes fewer multiplications.
#
# *Check:* `check("06.8", …)` with your layer list, or both of them in a list.
#
# <details>
# <summary>Hint</summary>
#
# Halving twice makes 7 of 28. A pool halves, and so does a 2 × 2 or a padded 3 × 3 convolution with stride 2.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Two of many. Convolutions that move by two make the image small sooner.
#
# ```python
# from cellgrad.layers import max_pool
#
# pools = [conv(6, 3, padding=1), max_pool(2), conv(16, 3, padding=1), max_pool(2)]
# strides = [conv(6, 3, stride=2, padding=1), conv(16, 3, stride=2, padding=1)]
# for design in (pools, strides):
#     costs = layer_table(design)
#     print(costs["output_size"].iloc[-1], costs["parameters"].sum(), "parameters,",
#           f"{costs['multiply_adds'].sum():,} multiplications")
# check("06.8", [pools, strides])
# ```
#
# ```text
# (16, 7, 7) 918 parameters, 211,680 multiplications
# (16, 7, 7) 918 parameters, 52,920 multiplications
# Right.
# ```
# </details>
#
# ## What's next
#
# [The receptive field, step by step](07-the-receptive-field.ipynb): how far a unit sees when convolutions are stacked.
