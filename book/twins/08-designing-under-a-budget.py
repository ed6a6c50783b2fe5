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
# # Designing under a budget
#
# 20,000 parameters, and a unit at the end that can see the whole digit. The source solved this with a few sentences of advice. In this chapter we
# treat it as a small optimisation problem. We count what each choice costs, list several hundred networks of the source's kind, see which of them
# meet the constraints, and what is left to decide. At the end stands a table of the source's sentences: what has become of each, and what only training can tell.
#
# **You will be able to** say where a network's parameters go, trade channels against depth under a budget, and judge a design before training it.
#
# **You need** [Convolutions and their cost](06-convolutions-and-their-cost.ipynb) for the counting, and [The receptive field, step by step](07-the-receptive-field.ipynb).

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
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from cellgrad import check, mnist, plotting
from cellgrad.layers import (
    SOURCE, avg_pool, batch_norm, block, conv, count_parameters, depthwise, flatten,
    global_avg_pool, layer_table, linear, max_pool, pixel_unshuffle, relu,
)
from cellgrad.receptive import cost_table, receptive_field
from cellgrad.training.saving import shipped_run

plotting.use_house_style()
budget = 20_000

# %% [markdown]
# ## Counting by hand
#
# A convolution from $c$ to $c'$ channels with a $k \times k$ kernel has $k^2 c\,c'$ weights, as equation (6.2) says. Each weight is used once at every place of the output, so an output of $n \times n$ costs $n^2$ times as many multiplications
# (with an addition each; together they are called a [multiply-add](glossary.md#term-multiply-add)). Without padding each convolution takes $k - 1$ pixels off the image, by equation (6.1), and the pool halves it. Batch norm learns two numbers for each channel. That is all we need, in order to count the
# source's network layer by layer:

# %% tags=["core"]
layers = [(8, 3)] * 3 + ["pool"] + [(16, 3)] * 4 + [(32, 3), (10, 1)]
channels, width = 1, 28
weights, work = [], []
for layer in layers:
    if layer == "pool":
        width = width // 2
        continue
    channels_out, kernel = layer
    width = width - kernel + 1
    weights.append(kernel**2 * channels * channels_out)
    work.append(weights[-1] * width**2)
    channels = channels_out
in_batch_norm = 2 * (3 * 8 + 4 * 16)

# %%
print("weights:", weights)
print(f"{sum(weights):,} weights + {in_batch_norm} in batch norm", end=" ")
print(f"= {sum(weights) + in_batch_norm:,} parameters")
print(f"{sum(work):,} multiplications for one digit")
behind, before = sum(weights[3:]) / sum(weights), sum(work[:3]) / sum(work)
print(f"behind the pool: {behind:.0%} of the weights;", end=" ")
print(f"before it: {before:.0%} of the multiplications")

# %% [markdown]
# The package's `cost_table` counts the same and adds the field. (Rows without weights are left out.)

# %%
costs = cost_table(SOURCE)
convs = costs[costs["kind"] == "conv"].set_index("layer").rename_axis(None)
print(f"{costs['parameters'].sum():,} parameters,", end=" ")
print(f"{costs['multiply_adds'].sum():,} multiplications")
convs[["weights", "multiply_adds", "size"]]

# %% [markdown]
# *Table 8.1. Weights, multiplications for one digit, and size of the field in pixels, for each convolution of the source's network.*

# %% mystnb={"image": {"alt": "Two bars for each convolution of the source's network: its share of the weights, blue, and its share of the multiplications, orange. The three convolutions before the pool have under a tenth of the weights and most of the multiplications; conv5 to conv8 have most of the weights and few multiplications."}} tags=["hide-input"]
both = convs[["weights", "multiply_adds"]]
shares = 100 * both / both.sum()
colours = [plotting.BLUE, plotting.ORANGE]
ax = shares.plot.barh(color=colours, figsize=(6, 4.6), width=0.75)
ax.invert_yaxis()
ax.set_axisbelow(True)
ax.grid(axis="y", visible=False)
ax.set_xlabel("share of all convolutions (%)")
ax.legend(["weights", "multiplications"])
plt.show()


# %% [markdown]
# *Figure 8.1. Weights sit at the end of the network, and work at its beginning.*
#
# The first layers have few channels and large images, so they are cheap to store and slow to compute. The last ones have many channels and
# small images, and it is the other way round. A budget of parameters is spent behind the pool, a budget of multiplications before it.
#
# ### Memory
#
# What a layer gives out must be kept somewhere, four bytes a number. How much memory that takes depends on what one does. To *train*, all outputs have to be kept until the backward walk of Part I has used them, those of ReLUs and batch norms included. To *use* the network, a layer needs its own input and output, and nothing older.

# %% tags=["core"]
def memory(numbers):
    """Bytes to train with one image, and to use: numbers in each layer's output."""
    together = [a + b for a, b in zip(numbers, numbers[1:])]
    return 4 * sum(numbers[1:]), 4 * max(together)


# %%
outputs = [28 * 28, *(int(np.prod(size)) for size in costs["output_size"])]
to_train, to_use = memory(outputs)
print(f"to train: {to_train / 1e3:.1f} kB for one digit,", end=" ")
print(f"of which convolutions alone {convs['activation_bytes'].sum() / 1e3:.1f}")
print(f"to use: {to_use / 1e3:.1f} kB at most at any time")
pool = list(costs["kind"]).index("max_pool") + 1
print(f"to train, before the pool: {sum(outputs[1:pool]) / sum(outputs[1:]):.0%}")


# %% [markdown]
# Memory, like work, is a matter of the large images before the pool.
#
# ### Batch norm, once trained
#
# Batch norm has four numbers for each channel, as [chapter 6](06-convolutions-and-their-cost.ipynb#batch-norm) has shown: two learned, and two kept by averaging. Once the network is trained they are fixed, and together they are one multiplication and one addition for each number, with one $a$ and one $b$ for each channel: $x \mapsto a x + b$. A convolution that follows, if it has no padding, can take both in: its weights, times
# $a$, and a bias that collects what all the $b$ add up to. (Padding puts zeros around what batch norm has already shifted: at the border some of the $b$ are missing, and no single bias can be right for all places.)

# %% tags=["core"]
def swallow(kernels, gamma, beta, mean, variance, tiny=1e-5):
    a = gamma / np.sqrt(variance + tiny)
    b = beta - a * mean
    biases = np.einsum("ocij,c->o", kernels, b)
    return kernels * a[:, None, None], biases


# %% [markdown]
# The book ships the weights of the source's network, trained by its own recipe. Its second convolution swallows the batch norm in front of it, and gets what the first layer made of 100 digits:

# %%
trained = shipped_run("source").model.double().eval()  # eval: use the kept averages
arriving = trained[:2](mnist.normalise(mnist.sample().train.images[:100]).double())
norm, after = trained.batch_norm1, trained.conv2
parts = (after.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
kernels, biases = swallow(*(part.detach().numpy() for part in parts))
at_once = F.conv2d(arriving, torch.tensor(kernels), torch.tensor(biases))
same = torch.isclose(at_once, after(norm(arriving)))
print(f"{int(same.sum()):,} of {same.numel():,} numbers are the same")

# %% [markdown]
# So there batch norm costs nothing any more. One of the seven is followed not by a convolution but by the pool. Can it be moved behind the pool, and then be swallowed? The largest of $ax + b$ is $a$ times the
# largest $x$, plus $b$, if $a$ is not negative. With a negative $a$ the *smallest* $x$ becomes the largest. We try both:

# %%
for a in (0.5, -0.5):
    in_front = F.max_pool2d(a * arriving + 1, 2)
    moved_behind = a * F.max_pool2d(arriving, 2) + 1
    share = torch.isclose(in_front, moved_behind).double().mean()
    print(f"a = {a}: {share:.0%} of the numbers are the same")

# %% [markdown]
# (With the negative $a$ they are the same only where all four numbers in the window are.) It works where $a$, and so $\gamma$, is not negative. Is that so in the trained network?

# %%
gamma = trained.batch_norm3.weight.detach()
print(f"γ before the pool: from {gamma.min():.2f} to {gamma.max():.2f}")


# %% [markdown]
# All of them are positive, so in this network all of batch norm can be taken into the convolutions.
#
# ## What a head costs
#
# The [head](glossary.md#term-head) turns what the rest of the network, its *body*, has found, the *features*, into ten scores. We put three kinds of heads on the same body, with 8, 16 or 32 channels up front and twice as many behind the pool: two dense layers with 32 units between them; the average, which keeps of each channel only its mean over all places, and one dense layer; and the source's own, a 3 × 3 and a 1 × 1 convolution. The body
# stops at 3 × 3 pixels here, so that a dense head has more than a single pixel to work on. Expect the dense head to be the dearest. Which of the nine fit into the budget?

# %% tags=["hide-output"]
def body(channels):
    front, back = block(channels), block(2 * channels)
    return [*front * 3, max_pool(2), *back * 4]


heads = {
    "dense, 32 hidden": [flatten, linear(32), relu, linear(10)],
    "average, dense": [global_avg_pool, flatten, linear(10)],
    "3 × 3, then 1 × 1": [conv(32, 3), relu, conv(10, 1), flatten],
}
counts = {}
for channels in (8, 16, 32):
    networks = {name: [*body(channels), *head] for name, head in heads.items()}
    column = {name: count_parameters(network) for name, network in networks.items()}
    counts[f"{channels} up front"] = column
counts = pd.DataFrame(counts)
counts.map(lambda n: f"{n:,}" if n <= budget else f"{n:,} ✗")

# %% [markdown]
# The crosses mark what is over the budget. The channels decide, not the head: with 8 up front and 16 behind the pool every head fits, and with 16 or 32 none does. Twice the channels on both sides of a convolution make four times its weights. Does the whole network grow by four? How much more does each step cost?

# %%
small, middle, large = (counts[column] for column in counts)
steps = pd.DataFrame({"8 to 16": middle / small, "16 to 32": large / middle})
steps.map("× {:.2f}".format)

# %% [markdown]
# A convolution between two layers that both double becomes four times as large. But the first one, from 1 channel, only doubles, and so does what goes into a head of fixed width (32 here) and batch norm. So it is three to four times, and nearer to four the larger the network.
#
# The dense head and the 3 × 3 with a 1 × 1 cost the same but for the dense layers' 42 biases, and no wonder: on an image of 3 × 3 pixels a 3 × 3 convolution has one place only, so it *is* a dense layer. The cheapest is the average. Is it against the advice, "convolutions only"? Behind the average the image is a single pixel, and there a dense layer *is* a 1 × 1 convolution. So the advice allows it; chapter 11 tries it.
# Where the image has not shrunk, the dense head grows with its area:

# %%
dense_head = heads["dense, 32 hidden"]
for size in (3, 5, 7, 11):
    dense = count_parameters(dense_head, (16, size, size))
    print(f"dense head on 16 channels of {size} × {size}: {dense:6,} parameters")

# %% [markdown]
# ## Why eight channels?
#
# Eight is affordable, but so are 12 and 16 if the channels behind the pool stay as they are, as we shall see. The source gives no reason for its eight. Here is a reason why more than *nine* may not matter. The first layer looks at 3 × 3 pixels, which are nine numbers. Nine weighted sums, if none can be computed from the others, hold all that is in nine numbers: from them the pixels can be computed back. Eight leave a little out, and a tenth could say nothing that the nine have not said. So more channels might have little to add. It is an argument and no proof, since ReLU throws a part of every sum away; [chapter 11](11-is-the-advice-true.ipynb) trains with fewer and with more. In the front,
# where the images are large, channels cost work:

# %%
for channels in (4, 8, 12, 16):
    front = layer_table([*block(channels) * 3])
    million = front["multiply_adds"].sum() / 1e6
    print(f"three layers of {channels:2} channels:", end=" ")
    print(f"{front['parameters'].sum():5,} parameters,", end=" ")
    print(f"{million:.2f} million multiplications")

# %% [markdown]
# What do eight channels do with a digit? These are the first layer's answers to the nine of the last chapters, in the source's network as its own recipe trained it.

# %% mystnb={"image": {"alt": "Eight small pictures of the same nine, the first layer's channels after the ReLU. Some are dark on the paper around the strokes, some on the strokes, some on one side of the strokes only."}} tags=["nbval-ignore-output", "hide-input"]
digit = mnist.sample().train.images[3:4]
model = shipped_run("source").model
with torch.no_grad():
    channels_of_digit = model[:2](mnist.normalise(digit))[0]
figure, axes = plt.subplots(2, 4, figsize=(6.4, 3.5))
for number, (ax, channel) in enumerate(zip(axes.flat, channels_of_digit), start=1):
    plotting.show_pixels(channel, scale="linear", ax=ax)
    ax.set_title(f"channel {number}")
plt.show()

# %% [markdown]
# *Figure 8.2. Eight views of one digit, each found by nine learned weights; dark is a large answer, white is none, each on a scale of its own. Some answer to paper, some to strokes, and some to one side of a stroke only, as Sobel's kernel does.*
#
# And the other end, the *1 × 1 last*: by then the image is one pixel, and 32 features are left of the digit. The last layer weighs them, ten times differently.

# %% mystnb={"image": {"alt": "Left: a bar chart of the 32 features that are left of the nine; about half of them are zero. Right: a bar chart of the ten scores made of them; the bar of the nine is the highest by far."}} tags=["nbval-ignore-output", "hide-input"]
with torch.no_grad():
    features = model[:-2](mnist.normalise(digit)).flatten()
    scores = model(mnist.normalise(digit)).flatten()
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), width_ratios=[3, 2])
left.bar(range(1, 33), features.numpy(), color=plotting.BLUE)
left.set(xlabel="feature", title="32 features", xticks=[1, 8, 16, 24, 32])
best = int(scores.argmax())
right.bar(range(10), scores.numpy(), color=plotting.BLUE)
right.patches[best].set_color(plotting.RED)
for ax in (left, right):
    ax.set_axisbelow(True)
    ax.grid(axis="x", visible=False)
right.set(xlabel="digit", title="ten scores", xticks=range(10))
plt.show()


# %% [markdown]
# *Figure 8.3. The last step of the source's network: 32 numbers become ten scores, and the largest is the answer.*
#
# ## All networks of this kind
#
# Now take the advice as rules: 3 × 3 convolutions without padding, $b$ of them before the one pool and $a$ behind it, then a last 3 × 3 to 32 channels and a 1 × 1 to ten scores. In the end one pixel should be left, and it should see 28 pixels. Which $a$ and $b$ are possible? This can be done on paper.
# Each convolution before the pool takes two pixels off 28, so the pool gets $28 - 2b$ and leaves $14 - b$. Behind it, $a + 1$ convolutions take two off each:
#
# $$14 - b - 2(a + 1) = 1$$
#
# and so
#
# $$b = 11 - 2a \tag{8.1}$$
#
# So $b$ must be odd. And the field, by equation (7.3): a pixel sees 1, each of the $b$ adds 2, the pool adds 1, and each of the $a + 1$ behind it adds 4, in all
#
# $$2b + 4a + 6 = 2\,(11 - 2a) + 4a + 6 = 28$$
#
# Whatever $a$ is, the field is 28: with this kind of network, "one pixel left" and "sees 28 × 28" are the same demand. In code, for all numbers from one to seven:

# %% tags=["core"]
def ends_on(before, after):
    return 14 - before - 2 * (after + 1)


def field_at_the_end(before, after):
    return (1 + 2 * before) + 1 + 4 * (after + 1)


possible = []
for before in range(1, 8):
    for after in range(1, 8):
        if ends_on(before, after) == 1:
            possible.append((before, after, field_at_the_end(before, after)))

# %%
for before, after, field in possible:
    print(f"{before} before the pool, {after} behind it:", end=" ")
    print(f"field {1 + 2 * before} before the pool, {field} at the end")


# %% [markdown]
# Four shapes are left, and the source's is one of them. (Equation (8.1) has two more solutions outside our list, with one convolution behind the pool or none; there nearly all of the network stands before the pool.) To see what the channels do, we list every network with 4, 8, 12 or 16 channels before the pool and 8, 16, 24 or 32 behind it, whether it meets the demands or not. (The code is folded. It builds each as a list of layers, and leaves out those in which a window does not fit.)

# %% tags=["hide-input"]
def design(before, front, after, back):
    return (
        *block(front) * before, max_pool(2), *block(back) * after,
        conv(32, 3), relu, conv(10, 1), flatten,
    )


rows = []
depths = range(1, 8)
for before, front, after, back in itertools.product(
    depths, (4, 8, 12, 16), depths, (8, 16, 24, 32)
):
    try:
        costs = cost_table(design(before, front, after, back))
    except ValueError:  # a window does not fit
        continue
    scores = costs.iloc[-2]
    rows.append({
        "before": before, "front": front, "after": after, "back": back,
        "parameters": costs["parameters"].sum(), "field": scores["size"],
        "ends on": scores["output_size"][1],
        "multiplications": costs["multiply_adds"].sum(),
    })
designs = pd.DataFrame(rows)

# %%
fits = designs.query(f"parameters <= {budget} and `ends on` == 1 and field >= 28")
within = (designs["parameters"] <= budget).sum()
print(f"{len(designs)} networks can be built,", end=" ")
print(f"{within} of them within the budget;", end=" ")
print(f"{len(fits)} meet all demands")

# %% mystnb={"image": {"alt": "Each network is a dot: parameters on a logarithmic axis from about 3,000 to 50,000 against the field at the end, in rows from 12 to 28 pixels. A dashed vertical line marks the budget, a dotted horizontal one the field of 28, which is the highest. The networks that meet all demands are blue and lie on the line of 28, left of the budget; the source's, an orange star among them, is near 14,000."}} tags=["hide-input"]
source = fits.query("before == 3 and front == 8 and back == 16").iloc[0]
ax = plt.subplots(figsize=(6.4, 4.2))[1]
others = designs.drop(fits.index)
looks = {
    "other networks": (others, "o", plotting.FAINT, 5),
    "meet all demands": (fits, "o", plotting.BLUE, 6),
    "the source": (source, "*", plotting.RED, 17),
}
for name, (rows, marker, colour, size) in looks.items():
    where = rows["parameters"], rows["field"]
    ax.plot(*where, marker, color=colour, markersize=size, label=name)
ax.axvline(budget, color=plotting.INK, linestyle="--", linewidth=1)
ax.axhline(28, color=plotting.INK, linestyle=":", linewidth=1)
ax.set(xscale="log", xlabel="parameters", ylabel="field at the end (pixels)")
ticks = [5_000, 10_000, 20_000, 40_000]
ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
ax.minorticks_off()
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=11)
plt.show()

# %% [markdown]
# *Figure 8.4. The listed networks of the source's kind. Left of the dashed line they are within the budget, and on the dotted line they see 28 pixels. None sees more: without padding there is nothing beyond the image to see.*
#
# How many of each shape are within the budget? And what do those of the source's own shape cost, with so many channels before the pool and so many behind it?

# %%
by_shape = fits.groupby(["before", "after"]).size()
for (before, after), count in by_shape.items():
    print(f"{before} before the pool and {after} behind it: {count} networks")

# %%
same_shape = fits[fits["before"] == 3]
names = [f"{row.front}, then {row.back}" for row in same_shape.itertuples()]
same_shape[["parameters", "multiplications"]].set_axis(names).map("{:,}".format)

# %% [markdown]
# *Table 8.2. Parameters, and multiplications for one digit, of the networks that meet the demands in the source's shape, by their channels before and behind the pool.*
#
# The source's network, 8 and 16 channels, is one of these rows, well inside the budget. What the demands leave open, and no arithmetic can answer, is which of these
# networks reads best. That takes training.
#
# ## Other ways to spend it
#
# The rules are not laws. Here are three departures, each within the budget and each with a field of at least 28.
#
# **Pool early.** One convolution before the pool is one of the shapes above. What departs is what follows: four 3 × 3, and then a 5 × 5 in the place of the last two.
#
# **Fold.** Cut the image into tiles of 2 × 2 pixels, and make of each tile's four pixels four channels. Nothing is lost, and all layers work on a quarter of the places. In the package's lists this is `pixel_unshuffle(2)`, PyTorch's name for it.

# %% tags=["core"]
picture = np.arange(28 * 28).reshape(28, 28)
tiles = picture.reshape(14, 2, 14, 2)  # tile row, row in it, tile column, column
folded = tiles.transpose(1, 3, 0, 2).reshape(4, 14, 14)

# %%
theirs = torch.nn.PixelUnshuffle(2)(torch.tensor(picture)[None])
print(np.sum(theirs.numpy() == folded), "of", folded.size, "numbers as in PyTorch")
print("the four channels' first pixel:", folded[:, 0, 0], "in rows of 28")


# %% [markdown]
# **Separable.** Split a 3 × 3 convolution in two: first one that looks around in each channel on its own (a [depthwise convolution](glossary.md#term-depthwise-convolution), `depthwise` in the package: $9c$ weights), then a 1 × 1 that mixes the channels ($c\,c'$ weights). Together that is far fewer than $9\,c\,c'$:

# %% tags=["core"]
def separable_weights(channels, channels_out):
    return 9 * channels + channels * channels_out


# %%
for c in (8, 16, 32):
    both = count_parameters([depthwise(c, 3), conv(c, 1)], (c, 9, 9))
    print(f"{c} to {c}: {9 * c * c:,} weights in one,", end=" ")
    print(f"{separable_weights(c, c):,} in two (the package says {both:,})")


# %% [markdown]
# The rest of each network is adjusted, so that it ends on one pixel.

# %%
def separable(channels_in, channels):
    return [depthwise(channels_in, 3), conv(channels, 1), relu, batch_norm]


end = [conv(10, 1), flatten]
alternatives = {
    "the source": SOURCE,
    "pool early": [
        *block(8), max_pool(2), *block(16) * 4, conv(24, 5), relu, *end,
    ],
    "fold": [
        pixel_unshuffle(2), *block(16) * 4, *block(20) * 2, conv(10, 2), flatten,
    ],
    "separable": [
        *block(16), *separable(16, 16), *separable(16, 16), max_pool(2),
        *separable(16, 32), *separable(32, 48), *separable(48, 64),
        *separable(64, 64), *separable(64, 64), *end,
    ],
}

# %%
rows = {}
for name, network in alternatives.items():
    costs = cost_table(network)
    outputs = [28 * 28, *(int(np.prod(size)) for size in costs["output_size"])]
    to_train, to_use = (number / 1e3 for number in memory(outputs))
    rows[name] = {
        "parameters": f"{costs['parameters'].sum():,}",
        "million mult.": f"{costs['multiply_adds'].sum() / 1e6:.2f}",
        "train (kB)": f"{to_train:.0f}",
        "use (kB)": f"{to_use:.0f}",
        "field": costs["size"].iloc[-2],
    }
pd.DataFrame(rows).T

# %% [markdown]
# *Table 8.3. What the source's network and three departures from it cost: parameters, millions of multiplications for one digit, memory to train and to use, and the field in pixels.*
#
# All four are within the budget, and the same money buys quite different things. Pooling early and folding make fewer multiplications and need less memory to train, since they work on small images. To use the network, only folding needs less: with an early pool the first convolution still writes eight large sheets, as in the source. The separable network
# affords up to 64 channels behind the pool. It pays with the large images in front: each separable block keeps four of them, the results of the depthwise convolution, of the 1 × 1, of ReLU and of batch norm, where an ordinary block keeps three. Here is the one that folds, to compare with the source's in [chapter 7](07-the-receptive-field.ipynb#the-source-s-network):

# %% mystnb={"image": {"alt": "The folding network in two rows of stacks of sheets: the input of 28 by 28 pixels becomes four sheets of 14 by 14, and stacks of 16 and 20 channels shrink from 12 pixels to 2, and then to ten scores of one pixel."}} tags=["hide-input"]
plotting.draw_convnet(alternatives["fold"], rows=2)
plt.show()

# %% [markdown]
# *Figure 8.5. The folding network. Behind the input no image is larger than 14 × 14.*

# %% [markdown]
# Now design one yourself: press *Empty* and build a network that sees the whole digit and stays within 20,000 parameters. The list beside it is Python: copy it, or give `figures.field` one of yours.

# %% tags=["hide-input"]
from cellgrad import figures
from cellgrad.layers import SOURCE

figures.field(SOURCE, layer="conv8")

# %% [markdown]
# If you built one, you saw: the bar and the message say what each layer costs, and why one of them no longer fits.

# %% [markdown]
# ## The source's sentences, one by one
#
# Part II began from a few sentences. What has become of them? In bold stands what counting and looking can say; the links lead to where a sentence is explained, seen on a digit and checked.
#
# | the source says | what Part II finds |
# |---|---|
# | Only convolutions, as far as possible, as they take fewer parameters than dense layers | **True in front, not at the end.** [In front](06-convolutions-and-their-cost.ipynb#the-source-s-sentences), one dense layer breaks the budget; [as a head](08-designing-under-a-budget.ipynb#what-a-head-costs) on 3 × 3 places it costs the same but for its biases. Why: [look near, share the weights](06-convolutions-and-their-cost.ipynb#the-same-with-a-dense-layer); on a digit: [figure 6.2](06-convolutions-and-their-cost.ipynb#one-convolution-by-hand). Which of them reads better: [chapter 11](11-is-the-advice-true.ipynb). |
# | A field of about 28 × 28; more is not needed, as no digits are partially hidden | **None is cut off, and less may do.** No [ink box](07-the-receptive-field.ipynb#the-whole-digit) is larger than 20 × 20, and its longer side is never less than 19; what hidden digits would be like: [figure 7.2](07-the-receptive-field.ipynb#the-whole-digit). The source's field is 28, [measured](07-the-receptive-field.ipynb#measured). Smaller ones: [chapter 11](11-is-the-advice-true.ipynb). |
# | 8 channels up front | **Within the budget, as 12 and 16 are** with the same 16 behind the pool: [table 8.2](08-designing-under-a-budget.ipynb#all-networks-of-this-kind). [An argument](08-designing-under-a-budget.ipynb#why-eight-channels) says that more than nine may add little; on a digit: [figure 8.2](08-designing-under-a-budget.ipynb#why-eight-channels). Fewer and more: [chapter 11](11-is-the-advice-true.ipynb). |
# | 7 × 7 before the max-pool, enough for MNIST | **Seven pixels hold a stroke with its bend**: [figure 7.1](07-the-receptive-field.ipynb#how-much-must-a-unit-see). Three convolutions see seven, by [the step](07-the-receptive-field.ipynb#the-source-s-network). [A doubt](07-the-receptive-field.ipynb#two-doubts): other sizes may do as well. Trained: [chapter 11](11-is-the-advice-true.ipynb). |
# | The pool then increases the field further | **True.** Behind it every convolution [adds twice as much](07-the-receptive-field.ipynb#why-the-jump-matters), and the field ends at 28 in place of 17; on a digit: [figures 7.5 and 7.6](07-the-receptive-field.ipynb#where-the-field-lies). |
# | A 1 × 1 convolution last, for the scores | **On a single pixel it is a dense layer**, [number by number](06-convolutions-and-their-cost.ipynb#the-1-1-convolution); on a digit: [figure 8.3](08-designing-under-a-budget.ipynb#why-eight-channels). |
# | Fewer than 20,000 parameters | **True: 14,392**, [counted by hand](08-designing-under-a-budget.ipynb#counting-by-hand). |
# | More than 99.4 % of the test digits | **No counting can tell.** [Chapter 10](10-the-run.ipynb) trains the network. |
#
# *Table 8.4. The source's sentences, and what has become of each before any training.*
#
# So what the source says about sizes holds as it stands, and what it says about cost holds in front; a pencil is enough to see both. What it says a network *needs*, eight channels, 7 × 7 and 28 × 28 pixels, no pencil can prove, and each of the three leaves a doubt. That is what training is for.
#
# ## Recap
#
# - Parameters sit at the end of a network, work and memory at its beginning.
# - Twice the channels cost three to four times the parameters.
# - Once trained, batch norm can be taken into a convolution that follows without padding, and past a max-pool where its scale is not negative.
# - With 3 × 3 convolutions without padding and one pool, ending on one pixel means seeing exactly 28 pixels. With one to seven convolutions on each side, four shapes can do it, and the source's is one of them.
# - Pooling early, folding and separating are other ways to spend the same budget.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* A network: 3 × 3 to 10 channels, pool, 3 × 3 to 20 channels, global average, 1 × 1 to 10, without biases or batch norm. How many parameters?
#
# *Check:* `check("08.1", …)` with the number of parameters.
#
# <details>
# <summary>Hint</summary>
#
# $k^2 c\,c'$ three times. Pools and averages have none.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# print(9 * 1 * 10, 9 * 10 * 20, 1 * 20 * 10, "together", 90 + 1800 + 200)
# print(count_parameters([conv(10, 3), max_pool(2), conv(20, 3), global_avg_pool, conv(10, 1)]))
# check("08.1", 90 + 1800 + 200)
# ```
#
# ```text
# 90 1800 200 together 2090
# 2090
# Right.
# ```
# </details>
#
# **2.** What is the fewest parameters with which a stack can see 28 × 28 pixels and give ten scores from a convolution? Any kernels, strides and pools are allowed. What can such a network tell apart?
#
# *Check:* `check("08.2", …)` with the fewest parameters.
#
# <details>
# <summary>Hint</summary>
#
# Pools cost nothing and widen the field. How few weights can make ten scores of one number?
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Ten: the average of the whole image, and one weight for each score. Each score is $w_i$ times the amount of ink. The largest is always that of the largest weight (or of the smallest, where the normalised image has a negative mean). So it gives at most *two* different answers, whatever the digit. A wide field is necessary, not sufficient.
#
# ```python
# from cellgrad.layers import build
#
# fewest = [avg_pool(28), conv(10, 1), flatten]
# print(count_parameters(fewest), "parameters, field", receptive_field(fewest)["size"].iloc[0])
# torch.manual_seed(0)
# answers = build(fewest)(mnist.normalise(mnist.sample().test.images[:500])).argmax(dim=1)
# print("different answers to 500 digits:", len(answers.unique()))
# check("08.2", count_parameters(fewest))
# ```
#
# ```text
# 10 parameters, field 28
# different answers to 500 digits: 2
# Right.
# ```
# </details>
#
# **3.** How many channels can the source's design have up front, with twice as many behind the pool and 32 at the end, within the budget?
#
# *Check:* `check("08.3", …)` with the number of channels up front.
#
# <details>
# <summary>Hint</summary>
#
# `design(3, front, 4, 2 * front)`; count for a few.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# 9. A small step in the channels is a large one in the parameters.
#
# ```python
# for front in range(8, 12):
#     print(front, count_parameters(design(3, front, 4, 2 * front)))
# check("08.3", 9)
# ```
#
# ```text
# 8 14392
# 9 17447
# 10 20790
# 11 24421
# Right.
# ```
# </details>
#
# **4.** Give the source's convolutions padding 1, and average what is left in front of the 1 × 1. What happens to the parameters, the multiplications and the field of the last 3 × 3?
#
# *Check:* `check("08.4", …)` with the parameters, the field of the last 3 × 3 and the multiplications.
#
# <details>
# <summary>Hint</summary>
#
# Padding is in no formula for weights or for the size of a field. It is in the one for the output's size.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# The same parameters, the same field, and between three and four times the multiplications, because the images stay large.
#
# ```python
# padded = (*block(8, padding=1) * 3, max_pool(2), *block(16, padding=1) * 4,
#           conv(32, 3, padding=1, name="last"), relu, global_avg_pool, conv(10, 1), flatten)
# for network, last in ((SOURCE, "conv8"), (padded, "last")):
#     costs = cost_table(network)
#     field = costs.set_index("layer")["size"][last]
#     print(f"{costs['parameters'].sum():,} parameters, field {field},",
#           f"{costs['multiply_adds'].sum():,} multiplications")
# check("08.4", (costs["parameters"].sum(), field, costs["multiply_adds"].sum()))
# ```
#
# ```text
# 14,392 parameters, field 28, 948,704 multiplications
# 14,392 parameters, field 28, 3,443,648 multiplications
# Right.
# ```
# </details>
#
# **5.** *On paper.* Take two pools: $b$ convolutions before the first, $m$ between them, $a$ behind the second, all 3 × 3 without padding. Find $b$, $m$ and $a$ so that one pixel is left. What is the field?
#
# *Check:* `check("08.5", …)` with one choice of $b$, $m$, $a$, and its field.
#
# <details>
# <summary>Hint</summary>
#
# The sizes are $14 - b$, then $(14 - b - 2m)/2$, which must be whole, then two off for each of the $a$. The jumps are 1, 2 and 4.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# $14 - b$ must be even, so $b$ is even. The field is $1 + 2b + 1 + 4m + 2 + 8a$, and again it is always 28. (Here are all designs with $b$ up to 6.) That is no accident: without padding, and where nothing is cut off, a single unit that is left has seen every pixel, and no more.
#
# ```python
# for b in range(0, 7, 2):
#     for m in range(0, 7):
#         rest = (14 - b - 2 * m) // 2 - 1  # what the last ones have to take off
#         if rest >= 0 and rest % 2 == 0:
#             a = rest // 2
#             print(f"b = {b}, m = {m}, a = {a}: field {2 * b + 4 * m + 8 * a + 4}")
# check("08.5", (4, 2, 1, 28))
# ```
#
# ```text
# b = 0, m = 0, a = 3: field 28
# b = 0, m = 2, a = 2: field 28
# b = 0, m = 4, a = 1: field 28
# b = 0, m = 6, a = 0: field 28
# b = 2, m = 1, a = 2: field 28
# b = 2, m = 3, a = 1: field 28
# b = 2, m = 5, a = 0: field 28
# b = 4, m = 0, a = 2: field 28
# b = 4, m = 2, a = 1: field 28
# b = 4, m = 4, a = 0: field 28
# b = 6, m = 1, a = 1: field 28
# b = 6, m = 3, a = 0: field 28
# Right.
# ```
# </details>
#
# **6.** Where is the multiplication budget spent? Halve the source's multiplications by changing only the number of channels up front, and say what it does to the parameters.
#
# *Check:* `check("08.6", …)` with the largest number of channels up front that halves them.
#
# <details>
# <summary>Hint</summary>
#
# Look at Figure 8.1. Which layers work most, and what enters their cost twice?
# </details>
#
# <details>
# <summary>Solution</summary>
#
# Four channels up front instead of eight; five are not yet enough. The second and third convolution cost $9 c^2$ at every place. The parameters fall by about a tenth only, because most of them stand behind the pool.
#
# ```python
# for front in (8, 6, 5, 4):
#     costs = cost_table(design(3, front, 4, 16))
#     print(f"{front} up front: {costs['multiply_adds'].sum():,} multiplications,",
#           f"{costs['parameters'].sum():,} parameters")
# check("08.6", front)
# ```
#
# ```text
# 8 up front: 948,704 multiplications, 14,392 parameters
# 6 up front: 646,088 multiplications, 13,570 parameters
# 5 up front: 523,400 multiplications, 13,213 parameters
# 4 up front: 419,792 multiplications, 12,892 parameters
# Right.
# ```
# </details>
#
# **7.** *Design.* A network for a watch: at most 5,000 parameters and 200,000 multiplications for a digit, field at least 20, ten scores at the end.
#
# *Check:* `check("08.7", …)` with your layer list, or a PyTorch module.
#
# <details>
# <summary>Hint</summary>
#
# Make the image small at once, by folding or by a stride. Then 14 × 14 places at most have to be paid for.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# One of many. How well it reads, only training tells; [chapter 12](12-how-small-how-fast.ipynb) does that for networks of this size.
#
# ```python
# watch = [pixel_unshuffle(2), *block(8), *block(8), max_pool(2), *block(12), conv(16, 3),
#          relu, conv(10, 1), flatten]
# costs = cost_table(watch)
# print(f"{costs['parameters'].sum():,} parameters,",
#       f"{costs['multiply_adds'].sum():,} multiplications, field {costs['size'].iloc[-2]},",
#       f"ends on {costs['output_size'].iloc[-2]}")
# check("08.7", watch)
# ```
#
# ```text
# 3,672 parameters, 108,736 multiplications, field 28, ends on (10, 1, 1)
# Right.
# ```
# </details>
#
# ## What's next
#
# Part III: [One rule for all weights](09-one-rule-for-all-weights.ipynb) shows how all these parameters are learned, and [The run](10-the-run.ipynb) trains the source's network.
