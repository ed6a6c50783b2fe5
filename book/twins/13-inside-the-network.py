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
# # Inside the network
#
# A number such as 99.5 % says how often a network is right. It does not say what the network looks at, which digits it cannot read, whether it knows when it does not know, or what happens to a digit that is
# turned a little. This chapter opens the network of *The run* and looks.
#
# **You will be able to** read filters and feature maps, sort mistakes into hard digits and bad luck, check whether a network's confidence can be trusted, and find
# out where it breaks.
#
# **You need** *The run*.

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
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from cellgrad import mnist, plotting, training
from cellgrad.training import saving
from cellgrad.trials.records import shipped_records

plotting.use_house_style()

# %% [markdown]
# Nothing is trained here. The weights come with the book: seed 0 of the recipe `book`, the first of its ten seeds and not the best one. They are a file
# of a few tens of kilobytes, with the record of the run in it.

# %%
run = saving.shipped_run("book")
model = run.model
shown = ("recipe", "seed", "parameters", "test_accuracy")
{name: run.record[name] for name in shown}

# %% tags=["nbval-ignore-output"]
data = mnist.load()
again = training.accuracy(model, data.test)
print(f"computed again on this machine: {again:.2%}{data.note}")

# %% [markdown]
# ## Filters
#
# The first convolution has eight windows of 3 × 3 weights. Each is a question to nine pixels: red weights want ink, blue ones want paper. What would you
# expect to find? Edges in several directions would be useful.

# %% mystnb={"image": {"alt": "The eight 3 by 3 filters of the first convolution, red for positive weights and blue for negative ones. Most have a red side and a blue side, in different directions."}}
filters = model.conv1.weight.detach()[:, 0]
figure, axes = plt.subplots(1, 8, figsize=(8.4, 1.5))
for number, (ax, weights) in enumerate(zip(axes, filters, strict=True), start=1):
    plotting.show_pixels(weights.numpy(), signed=True, ax=ax)
    ax.set_title(f"filter {number}", fontsize=9, loc="center")
plt.show()


# %% [markdown]
# Several have a red side and a blue side: they answer to an edge in one direction and stay silent for the opposite one. Others are mixed, and answer to a corner or a thin line. Nobody told the network to look for
# edges; the derivatives of the loss did.
#
# ## What a digit becomes
#
# Send one digit through, and keep what comes out of each convolution after its ReLU. The eight images behind the first one, then a few from further on; each is scaled to its own brightest point.

# %%
def feature_maps(image):
    x, maps = mnist.normalise(image[None]), {}
    with torch.no_grad():
        for name, layer in model.named_children():
            x = layer(x)
            if name.startswith(("relu", "pool")):
                maps[name] = x[0]
    return maps


sample = mnist.sample()
image = sample.test.images[0]
maps = feature_maps(image)
{name: tuple(m.shape) for name, m in maps.items()}

# %% mystnb={"image": {"alt": "Rows of feature maps for one digit: behind the first, the third, the fifth and the seventh convolution. At first each map shows the digit with one kind of edge brought out; further on the maps become small and blurred and cannot be recognised."}}
shown = ("relu1", "relu3", "relu5", "relu7")
figure, axes = plt.subplots(len(shown), 8, figsize=(8.4, 4.4))
for row, name in zip(axes, shown, strict=True):
    for ax, channel in zip(row, maps[name], strict=False):
        plotting.show_pixels(channel.numpy(), scale="linear", ax=ax)
    row[0].set_ylabel(f"{name}\n{maps[name].shape[1]}×{maps[name].shape[2]}")
plt.show()

# %% [markdown]
# Behind the first convolution the digit is still a digit: its outer edge, its inner edge, its paper. After three convolutions each map marks strokes in one direction. Further on a map has 7 × 7 places, then 3 × 3,
# and looks like nothing any more. What such a map stands for is only in the weights that read it.
#
# ## The digits that nobody gets right
#
# Each run of the studies recorded which test digits it got wrong, and what it answered. Take all recorded runs of the book's recipes. If mistakes were bad luck, each network
# would fail on digits of its own. Are they?

# %%
both = [shipped_records("recipes"), shipped_records("source")]
records = pd.concat(both, ignore_index=True)
wrong = Counter(row for mistakes in records["mistakes"] for row, _ in mistakes)
networks = len(records)
counts = pd.Series(wrong)
print(f"{networks} networks;", end=" ")
print(f"{len(counts)} of 10,000 test digits wrong for at least one")
print(f"wrong for more than half of them: {(counts > networks / 2).sum()}")
print(f"wrong for all of them: {(counts == networks).sum()}")
mean = counts.sum() / networks
print(f"{mean:.0f} mistakes each; a network that fails only where")
print(f"most fail would make {(counts > networks / 2).sum()}")

# %% mystnb={"image": {"alt": "A bar for each number of networks: how many test digits are wrong for that many of them. Most digits with a mistake are wrong for only a few networks; a long tail reaches to a small group at the right that is wrong for all."}}
plt.hist(counts, bins=np.arange(0.5, networks + 1), color=plotting.BLUE)
plt.yscale("log")
plt.xlabel("wrong for so many of the networks")
plt.ylabel("test digits")
plt.show()

# %% [markdown]
# They are not. A few dozen digits are hard for most networks, whatever their recipe, and a few are wrong for all. Many others are wrong for one or two. So ten networks are not ten independent readers, and most of
# what is missing to 100 % is in the same digits for all of them.
#
# Here are the hardest ones, *without* their labels. Write down what you read before you go on.

# %% mystnb={"image": {"alt": "The 24 test digits that most networks get wrong, numbered, without labels. Several are badly written, cut off or ambiguous."}} tags=["nbval-ignore-output"]
hardest = counts.sort_values(ascending=False, kind="stable").index[:24]
if data.kind == "full":
    numbers = [str(n) for n in range(1, 25)]
    images = data.test.images[list(hardest)]
    plotting.show_digits(images, numbers, "What do you read?")
else:
    plotting.show_digits(data.test.images[:8], "12345678", f"Any digits{data.note}")
plt.show()

# %% [markdown]
# And this is what the labels say, and what the networks answered most often:

# %%
said = {row: Counter() for row in hardest}
for mistakes in records["mistakes"]:
    for row, answer in mistakes:
        if row in said:
            said[row][answer] += 1
table = pd.DataFrame({
    "test digit": list(hardest),
    "most networks read": [said[row].most_common(1)[0][0] for row in hardest],
    "wrong for": [f"{counts[row] / networks:.0%}" for row in hardest],
}, index=range(1, 25))
table

# %% tags=["nbval-ignore-output"]
if data.kind == "full":
    labels = data.test.labels[list(hardest)].tolist()
    for number, label in enumerate(labels, start=1):
        print(f"{number:2}: {label}", end="\n" if number % 8 == 0 else "   ")

# %% [markdown]
# How would a person decide? We looked at them one by one; this is our reading, and yours may differ. The numbers are those of the column *test digit*. With 2130 and 9729 we would have gone with the networks, against the label. Several can be read in two ways, or hardly at all: 1901, 1232, 6597, 582, 4176 and 6558. And
# some are plain to the eye, and still wrong for most networks: 8408, 2035 and 3422. So a part of the last half percent is in the labels and the handwriting, where no network can get it, and a part is not.
#
# ## Which for which
#
# The confusion matrix: how often a digit of each row's label was read as the column's, summed over the ten seeds of `book`, right answers left out.

# %% mystnb={"image": {"alt": "A 10 by 10 table of mistakes: label in the rows, answer in the columns. The largest numbers belong to pairs that look alike, such as 4 and 9."}} tags=["nbval-ignore-output"]
book = records[records["variant"] == "book"]
confusion = np.zeros((10, 10), int)
labels = data.test.labels.numpy()
for mistakes in book["mistakes"] if data.kind == "full" else ():
    for row, answer in mistakes:
        confusion[labels[row], answer] += 1
ax = plotting.show_pixels(confusion, values=True, scale="linear")
ax.set(xlabel="answer", ylabel="label")
ax.set_xticks(np.arange(10) + 0.5, range(10))
ax.set_yticks(np.arange(10) + 0.5, range(10))
plt.show()

# %% [markdown]
# The largest numbers belong to pairs that share most of their strokes: 5 read as 3, 9 read as 4, 7 read as 2 or 1. A stroke that does not quite close makes the difference, and a field that ends too soon would not see it.
#
# ## Does it know when it does not know?
#
# The softmax turns scores into probabilities, and the largest is the network's *confidence*. It is *calibrated* if, of all answers given with 90 % confidence, 90 % are right. Sort
# the answers into bins by their confidence, and compare.

# %% tags=["nbval-ignore-output"]
probabilities = training.predict(model, data.test).softmax(1)
confidence, answer = probabilities.max(1)
right = answer == data.test.labels
edges = [0, 0.5, 0.7, 0.9, 0.99, 0.999, 1.000001]
bins = pd.cut(confidence.numpy(), edges, right=False)
calibration = pd.DataFrame({"confidence": confidence, "right": right.float()})
calibration = calibration.groupby(bins, observed=True).agg(
    digits=("right", "size"), confidence=("confidence", "mean"),
    right=("right", "mean"))
calibration.rename_axis("bin").round(3)

# %% tags=["nbval-ignore-output"]
share = calibration["digits"] / len(right)
error = (share * (calibration["confidence"] - calibration["right"]).abs()).sum()
print(f"expected calibration error: {error:.2%}{data.note}")
for limit in (0.9, 0.99):
    sure = confidence >= limit
    print(f"surer than {limit:.0%}: {sure.float().mean():.1%} of the digits,",
          f"{right[sure].float().mean():.2%} of them right")

# %% [markdown]
# The two columns follow each other, so the network can be believed when it gives a probability. In the lowest bins there are only a few dozen digits, and their shares are rough. Nearly all digits lie in the last bin, and
# nearly all of these are right. Somebody who looks at the unsure few by eye would find most of the mistakes.
#
# ## Where it breaks
#
# The test digits look like the training digits: same people, same size, upright, clean. What happens to other ones? We turn, move, invert and soil the test digits, a little at first
# and then more. Two networks take part, which were trained on different movements: `book` has seen shifts of up to two pixels, `source` has seen rotations up to 20 degrees, scales and shifts.
#
# A guess before you look: how far can a digit be turned until one in ten is misread?

# %%
readers = {"book": model, "source": saving.shipped_run("source").model}
few = data.test[:2000]


def accuracies(change, amounts):
    """Percent right for each network and amount, on the first test digits."""
    rows = {}
    for amount in amounts:
        changed = replace(few, images=change(few.images, amount))
        rows[amount] = {name: 100 * training.accuracy(network, changed)
                        for name, network in readers.items()}
    return pd.DataFrame(rows).T


# %%
def rotated(images, degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0]], dtype=torch.float32)
    n = len(images)
    grid = F.affine_grid(turn.expand(n, 2, 3), [n, 1, 28, 28], align_corners=False)
    turned = F.grid_sample(images[:, None].float(), grid, align_corners=False)
    return turned[:, 0].round().to(torch.uint8)


def moved(images, pixels):
    return F.pad(images, [pixels, 0])[:, :, :28]


def noisy(images, deviation):
    torch.manual_seed(0)
    noise = deviation * torch.randn(images.shape)
    return (images + noise).clamp(0, 255).to(torch.uint8)


# %% mystnb={"image": {"alt": "Three panels for the networks book and source: accuracy against the rotation in degrees, the shift in pixels, and the noise. Each curve is flat near zero and falls off; source bears more rotation."}} tags=["nbval-ignore-output"]
changes = {
    "rotation (degrees)": (rotated, range(-60, 61, 10)),
    "shift to the right (pixels)": (moved, range(0, 9)),
    "noise (deviation, of 255)": (noisy, range(0, 161, 20)),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True)
for ax, (label, (change, amounts)) in zip(axes, changes.items(), strict=True):
    accuracies(change, amounts).plot(ax=ax, marker="o", ms=3.5, legend=False)
    ax.set_xlabel(label)
axes[0].set_ylabel("right answers (%)")
axes[0].legend(loc="lower center")
figure.suptitle(f"Out of the ordinary{data.note}", x=0.01, ha="left")
plt.show()


# %% tags=["nbval-ignore-output"]
def inverted(images, wanted):
    return 255 - images if wanted else images


accuracies(inverted, [False, True]).rename_axis("inverted")

# %% [markdown]
# A small turn and a shift of a few pixels cost neither of them anything. Beyond that, `source`, which has seen turned digits, bears much more turning, and more shifting too. But noise, which neither has seen, breaks `source` far sooner than `book`, and nothing
# in their test accuracies says so. And inverted digits, white on black for black on white, are not far from guessing for both. A network learns what it is shown, not what we mean.
#
# ## Recap
#
# - The first filters find edges; later maps cannot be read by eye.
# - Most mistakes are shared: they belong to the digit more than to the network.
# - A calibrated confidence is worth as much as a high accuracy: it says which digits to show to a person.
# - A network is good at what it has been shown. Two networks that both read nearly all test digits can break in different places.
#
# ## Exercises
#
# **1.** Feed the network something that is no digit, noise for example. How sure is it?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# torch.manual_seed(0)
# noise = torch.randint(0, 256, (1000, 28, 28), dtype=torch.uint8)
# answers = training.predict(model, mnist.Digits(noise, torch.zeros(1000, dtype=torch.long)))
# print(answers.softmax(1).amax(1).quantile(torch.tensor([0.1, 0.5, 0.9])))
# print(answers.argmax(1).bincount(minlength=10))
# ```
#
# Ten probabilities must add up to one; "none of these" is not among the answers that it can give.
# </details>
#
# **2.** Turn one of the filters off (set its weights to zero) and measure again. Which of the eight is missed most?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# import copy
#
# for number in range(8):
#     damaged = copy.deepcopy(model)
#     with torch.no_grad():
#         damaged.conv1.weight[number] = 0
#     print(number + 1, training.accuracy(damaged, few))
# ```
# </details>
#
# **3.** Keep the answers that the network is at least 99.9 % sure of. What share of the digits is that, and how many of them are wrong?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# sure = confidence >= 0.999
# print(sure.float().mean(), (~right[sure]).sum())
# ```
# </details>
#
# ## What's next
#
# Nothing: this is the last chapter. From eight weights in a spreadsheet to a few thousand that read handwriting, the rule was the same.
