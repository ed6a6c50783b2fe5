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
# turned a little. This chapter opens a network of the recipe of *The run* and looks.
#
# **You will be able to** read filters and feature maps, sort mistakes into hard digits and bad luck, check whether a network's confidence can be trusted, and find
# out where it breaks.
#
# **You need** [The run](10-the-run.ipynb), and of [How small, how fast](12-how-small-how-fast.ipynb#six-recipes) the six recipes.

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
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch.nn import functional as F

from cellgrad import check, mnist, plotting, training
from cellgrad.layers import build
from cellgrad.training import saving
from cellgrad.training.randomness import seed_for
from cellgrad.training.recipes import RECIPES
from cellgrad.trials.records import shipped_records

plotting.use_house_style()

# %% [markdown]
# Nothing is trained here. The weights come with the book: seed 0 of the recipe `book`, the first of its twenty seeds: better than most of them on the test digits, and not the best. They are a file
# of a few tens of kilobytes, with the record of the run in it.

# %%
run = saving.shipped_run("book")
model = run.model.eval()
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

# %% mystnb={"image": {"alt": "Two rows of the eight 3 by 3 filters of the first convolution, above before training and below after it, red for positive weights and blue for negative ones. Several have a red side and a blue side, in different directions, and some of these have it in both rows; the eighth is blue nearly everywhere in both."}} tags=["hide-output"]
torch.manual_seed(seed_for("weights", RECIPES["book"], seed=0))
untrained = build(RECIPES["book"].network)
filters = [network.conv1.weight.detach()[:, 0].numpy()
           for network in (untrained, model)]
figure, axes = plt.subplots(2, 8, figsize=(8, 2.5))
for row, of, when in zip(axes, filters, ("first", "trained"), strict=True):
    row[0].set_ylabel(when)
    for number, (ax, weights) in enumerate(zip(row, of, strict=True), start=1):
        plotting.show_pixels(weights, signed=True, ax=ax)
        ax.set_title(number, loc="center")
plt.show()


# %% [markdown]
# *Figure 13.1. The weights of the first convolution, as they were drawn and after training: red ones want ink, blue ones paper. Each filter is coloured by its own largest weight, so strengths cannot be compared between them.*
#
# How much of a filter is an edge? An edge is a slope from one side to the other, in any direction. So lay a plane through the nine weights, and ask what share of their variance it explains: all of it for a perfect edge, none for a spot in the middle.

# %%
def straight(weights):
    """The share of nine weights' variance that a plane through them explains."""
    down, right = np.mgrid[-1:2, -1:2]
    slopes = [(weights * axis).sum() / 6 for axis in (down, right)]
    return 6 * np.square(slopes).sum() / np.square(weights - weights.mean()).sum()


for when, of in zip(("first", "trained"), filters, strict=True):
    print(f"{when:8}", *(f"{straight(weights):.2f}" for weights in of))
by_chance = np.random.default_rng(0).uniform(-1, 1, (10_000, 3, 3))
share = np.mean([straight(weights) > 0.5 for weights in by_chance])
print(f"above 0.5 of filters drawn at random: {share:.0%}")


# %% [markdown]
# Several have a red side and a blue side: they answer most to an edge in one direction, less to ink or paper without an edge, and least to the opposite edge. Others are mixed; filter 8, blue nearly everywhere, asks for paper, and did so by luck before any training. Did the training make the edges? Not alone. If more than half counts as an edge, filters 2, 3 and 5 were edges by luck when they were drawn, where about one of eight would be expected, and the training added filter 4. It raised the share of five of the eight clearly, of filter 5 a little, of filters 3 and 6 hardly. That is one seed. Without the row above, we would have given it credit for all.
#
# ## What a digit becomes
#
# Send one digit through, and keep what comes out of each convolution after its ReLU: the [feature maps](glossary.md#term-feature-map).

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

# %% [markdown]
# Before you look at the maps: here is the network itself, running in this page. Draw a digit, or pick one and turn, move or cover it, and look at the maps after each layer. Try to find a drawing that is a clear digit to you and something else to the network.

# %% tags=["hide-input"]
from cellgrad import figures

figures.draw(run)

# %% [markdown]
# If you moved it, you saw: a small turn or move leaves the answer as it is, a large one can change it, and a scribble gets an answer, often a confident one, as well. "No digit" is not among the ten.

# %% mystnb={"image": {"alt": "Rows of feature maps for one digit: behind the first, the third, the fifth and the seventh convolution. At first most maps show the digit's outline, some as a closed ring, and five also show paper, four in light grey and one nearly black; further on the maps become small and blurred and cannot be recognised, and in the last row three are empty."}} tags=["hide-input"]
shown = ("relu1", "relu3", "relu5", "relu7")
figure, axes = plt.subplots(len(shown), 8, figsize=(6.8, 3.8))
for row, name in zip(axes, shown, strict=True):
    for ax, channel in zip(row, maps[name], strict=False):
        plotting.show_pixels(channel.numpy(), scale="linear", ax=ax)
    row[0].set_ylabel(f"{name}\n{maps[name].shape[1]}×{maps[name].shape[2]}")
plt.show()

# %% [markdown]
# *Figure 13.2. One digit behind four of the convolutions, eight channels of each, each scaled so that its largest number is as dark as ink: at first it can be read, at the end no longer.*
#
# Some of these pictures are grey or dark nearly everywhere, and three are empty; that is worth a count before it is explained. The picture shows the first eight channels of each layer; the count is of all.

# %%
for name in shown:
    silent = [n for n, m in enumerate(maps[name], start=1) if m.max() == 0]
    print(f"{name}: silent for this digit: {silent or 'none'}")

# %%
paper = feature_maps(torch.zeros(28, 28, dtype=torch.uint8))["relu1"]
{f"filter {n}": round(m[13, 13].item(), 2) for n, m in enumerate(paper, start=1)}

# %% [markdown]
# A silent map is a channel in which nothing of this digit answers: ReLU has set all of it to zero. For other digits it may speak. Normalising has made paper a negative number, so a filter whose weights add up to a negative sum answers to plain paper, and its map is grey or black
# almost everywhere: those are the filters with a number above zero in the last cell. In such a map plain paper is not white.
#
# Behind the first convolution the digit is still a digit: its outer edge, its inner edge, its paper. After three convolutions most maps answer to some parts of the stroke and not to others. Further on a map has 7 × 7 places, then 3 × 3,
# and looks like nothing any more. What such a map stands for, one digit does not tell.
#
# ## The digits that nobody gets right
#
# Each run of the studies recorded which test digits it got wrong, and what it answered. Take the runs of [Table 12.2](12-how-small-how-fast.ipynb#six-recipes). If mistakes were bad luck, each network
# would fail on digits of its own. Are they?

# %%
both = [shipped_records("recipes"), shipped_records("source")]
records = pd.concat(both, ignore_index=True)
wrong = Counter(row for mistakes in records["mistakes"] for row, _ in mistakes)
networks = len(records)
counts = pd.Series(wrong).sort_values(ascending=False, kind="stable")
each = counts.sum() / networks
print(f"{networks} networks, {each:.0f} mistakes each on average;")
print(f"{len(counts)} of 10,000 test digits are wrong for at least one of them")

# %%
groups = {
    "more than half": counts > networks / 2,
    "of these, all": counts == networks,
    "more than a tenth, up to half": (
        (counts > networks / 10) & (counts <= networks / 2)),
    "a tenth or fewer": counts <= networks / 10,
}
pd.DataFrame({
    "test digits": {name: group.sum() for name, group in groups.items()},
    "share of all mistakes": {name: f"{counts[group].sum() / counts.sum():.0%}"
                              for name, group in groups.items()},
}).rename_axis("wrong for")

# %% [markdown]
# *Table 13.1. How many test digits are wrong for how many of the networks, and their share of all mistakes.*

# %% mystnb={"image": {"alt": "A bar for each number of networks: how many test digits are wrong for that many of them. Most digits with a mistake are wrong for only a few networks; a long tail reaches to a small group at the right that is wrong for all."}} tags=["hide-input"]
plt.hist(counts, bins=np.arange(0.5, networks + 1), color=plotting.BLUE)
plt.yscale("log")
plt.xlabel("wrong for so many of the networks")
plt.ylabel("test digits")
plt.show()

# %% [markdown]
# *Figure 13.3. How many test digits are wrong for how many networks, on a logarithmic scale. On the left many digits that few networks miss; on the right four that all of them miss.*
#
# Mistakes are not bad luck alone. If each network failed on digits of its own, a digit wrong for more than half of the networks would hardly ever occur. There are a few dozen, and about half of all mistakes are in them.
# (Of some recipes there are more runs than of others, and some make more mistakes than others, so their share in these counts is larger; and some read each digit nine times.) Those wrong for *all* networks are very few and carry less than a tenth. The rest is spread over digits that only some networks miss. So many networks that miss the same digits tell us less than as many readers who err independently would. A part of an error rate belongs to the digits, a part to the run.
#
# Here are the hardest ones, *without* their labels. Write down what you read before you go on.

# %% mystnb={"image": {"alt": "The 24 test digits that are wrong for the largest number of networks, numbered, without labels. Several are badly written, cut off or ambiguous."}} tags=["nbval-ignore-output", "hide-input"]
hardest = list(counts.index[:24])
if data.kind == "full":
    numbers = [str(n) for n in range(1, 25)]
    plotting.show_digits(data.test.images[hardest], numbers, "What do you read?")
else:
    plotting.show_digits(data.test.images[:8], "12345678", f"Any digits{data.note}")
plt.show()

# %% [markdown]
# *Figure 13.4. The 24 test digits that are wrong for the largest number of networks, the hardest first.*
#
# This is what the networks answered most often, how many of them disagree with the label, and the label itself. The numbers are those above the pictures.

# %% tags=["hide-output"]
said = {row: Counter() for row in hardest}
for mistakes in records["mistakes"]:
    for row, answer in mistakes:
        if row in said:
            said[row][answer] += 1
table = pd.DataFrame({
    "most of the wrong read": [said[row].most_common(1)[0][0] for row in hardest],
    "wrong for": [f"{counts[row] / networks:.0%}" for row in hardest],
}, index=pd.RangeIndex(1, 25, name="digit"))
table

# %% tags=["nbval-ignore-output", "hide-output"]
if data.kind == "full":
    labels = data.test.labels[hardest].tolist()
    cards = [f"{n}: {label}" for n, label in enumerate(labels, start=1)]
    print("labels:", *cards[:12])
    print("       ", *cards[12:])

# %% [markdown]
# The same digits as cards: choose one, say what you read, then see the label and how the networks voted. How often do you side with the label?

# %% tags=["hide-input", "nbval-ignore-output"]
if data.kind == "full":
    cards = data.test.images[hardest].numpy()
    votes = [said[row] for row in hardest]
    shown = figures.hard_digits(cards, labels, votes, networks)
else:
    shown = figures.draw(run)
shown

# %% [markdown]
# If you turned some of them, you saw: for some cards the votes are nearly all on one wrong digit, for others they are spread. The votes alone do not say why: agreement among the networks may mean a doubtful label, or a mistake that they all make.

# %% [markdown]
# How would a person decide? We looked at all of them, one by one, with the labels and the networks' answers before us, and wrote down what we think. Yours may differ.

# %%
ours = {  # rows of the test set; not all are among the 24 of these records
    "we would have read what the networks read": [
        2130, 9729, 8316, 947, 4823, 4740],
    "plain to our eyes, and yet wrong for most": [
        8408, 2035, 3422, 1014, 4761, 1039],
    "can be read in two ways, or hardly": [
        1901, 6576, 2597, 1232, 582, 6597, 2462, 2654, 6625, 1393, 4176, 5937,
        3225, 3762, 3073, 1226, 6571, 6558, 1878, 1737, 8527, 2293, 674,
    ],
}
for judgement, rows in ours.items():
    print(f"{judgement}:", *(n for n, row in enumerate(hardest, 1) if row in rows))
judged = {row for rows in ours.values() for row in rows}
print("not judged:", len({*hardest} - judged))

# %% [markdown]
# So by our eyes, which are one reading more and no measurement, a part of the mistakes on these hardest digits is in the labels and the handwriting, where the picture does not decide, and a part is not.
#
# ## Which for which
#
# The [confusion matrix](glossary.md#term-confusion-matrix): how often a digit of each row's label was read as the column's, summed over the twenty seeds of `book`, right answers left out.

# %% mystnb={"image": {"alt": "A 10 by 10 table of mistakes: label in the rows, answer in the columns. The largest numbers belong to pairs that look alike, such as 5 and 3, or 9 and 4."}} tags=["nbval-ignore-output", "hide-input"]
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
# *Figure 13.5. Mistakes of twenty networks, by label and answer. The darkest: a 5 read as a 3, and a 9 read as a 4.*
#
# Twenty networks are not twenty independent readers. On how many *different* digits are the largest of these numbers made?

# %% tags=["nbval-ignore-output"]
recorded = book["mistakes"] if data.kind == "full" else ()
different = {tuple(pair) for mistakes in recorded for pair in mistakes}
different = Counter((labels[row], answer) for row, answer in different)
readers_of = Counter(tuple(pair) for mistakes in recorded for pair in mistakes)
for label, answer in sorted(different, key=lambda pair: -confusion[pair])[:6]:
    read_so = [n for (row, said), n in readers_of.items()
               if (labels[row], said) == (label, answer)]
    print(f"{label} read as {answer}: {confusion[label, answer]} mistakes,",
          f"on {different[label, answer]} digits,",
          f"each by {min(read_so)} to {max(read_so)} networks")


# %% [markdown]
# On about ten digits each. In four of these pairs one digit at least is read so by nearly all of the twenty networks, in the two others (7 as 2, 2 as 7) none by more than fourteen; and in every pair some digit is read so by one network alone. So the figure says which pairs happen on these digits; which of them would be the most frequent on others it cannot say.
#
# ## Does it know when it does not know?
#
# The [softmax](glossary.md#term-softmax) turns scores into probabilities, and the largest is the network's [confidence](glossary.md#term-confidence). It is [calibrated](glossary.md#term-calibration) if, of all answers given with 90 % confidence, 90 % are right. Sort
# the answers into bins by their confidence, and compare. A bin of twenty digits cannot say much, so each share of right answers gets an interval, at 95 %. The usual one for a share is [Wilson's](glossary.md#term-Wilson-interval), of 1927. It asks: for which true shares $p$ would what we saw, $k$ right of $n$, lie within $z = 1.96$ standard deviations of what is expected? A share of $n$ digits has the standard deviation
# $\sqrt{p (1 - p) / n}$, and so the ends of the interval solve $(k/n - p)^2 = z^2 \, p (1 - p) / n$, a quadratic equation in $p$:

# %% tags=["core"]
def wilson(k, n, z=1.959964):
    """The interval for a true share, after k of n."""
    middle = (k + z**2 / 2) / (n + z**2)
    reach = z * math.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)
    return middle - reach, middle + reach


# %%
theirs = stats.binomtest(17, 20).proportion_ci(method="wilson")
print("17 of 20, typed:", *(f"{end:.6f}" for end in wilson(17, 20)))
print("         SciPy's:", *(f"{end:.6f}" for end in theirs))

# %% [markdown]
# Now the bins. Their edges are ours, closer together where most answers are. Each row of the table below is a bin, from the confidence at its left up to that of the next row: how many digits it holds, how many *mistakes* its mean confidence leads to expect, how many were found, and the interval around these, from *at least* to *at most*. The verdict says whether the expected ones lie inside.
#
# Do you expect the network to be too sure of itself, or not sure enough?

# %% tags=["nbval-ignore-output"]
probabilities = training.predict(model, data.test).softmax(1)
confidence, answer = probabilities.max(1)
right = answer == data.test.labels.cpu()
edges = [0, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999, 0.9999, 1.000001]
bins = pd.cut(confidence.numpy(), edges, right=False)
groups = pd.DataFrame({"confidence": confidence, "right": right.float()}).groupby(
    bins, observed=True)
calibration = groups.agg(digits=("right", "size"), right=("right", "sum"),
                         confidence=("confidence", "mean"))
digits = calibration["digits"]
calibration["expected"] = digits * (1 - calibration["confidence"])
calibration["found"] = digits - calibration["right"]

# %% tags=["nbval-ignore-output", "hide-output"]
pairs = zip(calibration["right"], digits, strict=True)
low, high = np.transpose([wilson(k, n) for k, n in pairs])
calibration["at least"] = digits * (1 - high)
calibration["at most"] = digits * (1 - low)
outside = ~calibration["confidence"].between(low, high)
too_sure = calibration["confidence"] > high
direction = np.where(too_sure, "too sure", "not sure enough")
calibration.insert(0, "verdict", np.where(outside, direction, "fits"))
mistakes = calibration[["expected", "found"]].sum()
print(f"mistakes in all: {mistakes['expected']:.0f} expected,", end=" ")
print(f"{mistakes['found']:.0f} found")
shown = calibration.drop(columns=["right", "confidence"]).astype({"found": int})
shown.index = [f"{bin.left:g}" for bin in shown.index]
shown.round(1).rename_axis("from")

# %% mystnb={"image": {"alt": "The mistakes in each of eight bins of confidence: those found, blue dots with intervals, and those that the confidence says to expect, orange rings. The rings lie within the intervals; from the lowest bin to the highest they rise to about fifteen and fall to nearly none."}} tags=["nbval-ignore-output", "hide-input", "hide-output"]
figure, ax = plt.subplots(figsize=(6.4, 3.8))
places, found = np.arange(len(calibration)), calibration["found"].to_numpy()
reach = np.abs(calibration[["at least", "at most"]].T.to_numpy() - found)
ax.errorbar(places, found, reach, fmt="o", capsize=3, color=plotting.BLUE,
            label="found, 95 % interval")
ax.plot(places, calibration["expected"], "o", mfc="none", markersize=11,
        color=plotting.RED, label="expected")
ax.set_xticks(places, [f"{bin.left:g}" for bin in calibration.index])
ax.set(xlabel="confidence of at least …", ylabel="mistakes")
ax.legend()
plt.show()

# %% [markdown]
# *Figure 13.6. Mistakes in each bin of confidence: rings for as many as the confidence says to expect, dots with their intervals for as many as there were.*

# %% tags=["nbval-ignore-output"]
for limit in (0.9, 0.99, 0.999):
    sure = confidence >= limit
    print(f"at least {limit:.1%} sure: {sure.float().mean():.1%} of the digits,",
          f"of which {(~right[sure]).sum()} are wrong")
print(f"wrong in all: {(~right).sum()}{data.note}")

# %% [markdown]
# With all the digits every bin *fits*, and so do all mistakes together, as the line above the table says: on digits of this kind, nothing shows that this network is too sure or not sure enough. Few digits in the lower bins and few mistakes in the upper ones leave wide intervals, in which much would fit, most of all in the last: there many times as many mistakes as expected would.
# One number often given for all of it, the *expected calibration error* (how far a bin's confidence is from its share of right ones, on average over the digits), knows nothing of these intervals; so we do not give it. What is of use in practice are the lines below Figure 13.6: somebody who looks at the few unsure digits by eye
# finds most of the mistakes. And does it know when it is shown no digit at all? Exercise 2 asks.
#
# ## Where it breaks
#
# The test digits look like the training digits: other people, but of the same two groups (clerks of the Census Bureau, and pupils), the same size, clean. What happens to other ones? We turn, move, invert and soil 2,000 test digits, drawn at random (not the first 2,000, which hold more than their share of the mistakes, as the cell shows), a little at first
# and then more. Five shipped networks take part. They differ in their layers (only `book` and `source` have the same), in how they were trained, and in what they have seen: `book` and `small` digits shifted by up to two whole pixels, `fast` by up to one, `source` and `best` digits that were also turned and scaled. (Of the six recipes `small-once` is left out.) It is **one network of each of five recipes**, so that a difference between two of them may be luck of the seed.
#
# A guess before you look: how far can a digit be turned until one in ten is misread?

# %% tags=["nbval-ignore-output"]
names = ["book", "source", "best", "small", "fast"]
readers = {name: saving.shipped_run(name).model.eval() for name in names}
generator = torch.Generator().manual_seed(0)
few = data.test[torch.randperm(len(data.test), generator=generator)[:2000]]
shares = [counts[counts.index < n].sum() / counts.sum() for n in (2000, 5000)]
print(f"of all networks' mistakes, {shares[0]:.0%} are in the first 2,000",
      f"test digits, {shares[1]:.0%} in the first 5,000", sep="\n")


def accuracies(change, amounts):
    """Percent right for each network and amount, on the drawn test digits."""
    rows = {}
    for amount in amounts:
        changed = replace(few, images=change(few.images, amount))
        rows[amount] = {name: 100 * training.accuracy(network, changed)
                        for name, network in readers.items()}
    return pd.DataFrame(rows).T


# %% tags=["core"]
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
    generator = torch.Generator().manual_seed(0)
    noise = deviation * torch.randn(images.shape, generator=generator)
    return (images.cpu() + noise).clamp(0, 255).to(torch.uint8)


# %% tags=["nbval-ignore-output"]
changes = {
    "rotation (degrees, clockwise is negative)": (rotated, range(-50, 51, 10)),
    "shift to the right (pixels)": (moved, range(0, 10)),
    "noise (deviation, of 255)": (noisy, range(0, 101, 10)),
}
curves = {label: accuracies(*change) for label, change in changes.items()}

# %% mystnb={"image": {"alt": "Three panels, one below the other, with a curve for each of five networks: accuracy against the rotation in degrees, the shift in pixels, and the noise. Each curve is flat near zero and falls off further out, at different places for different networks."}} tags=["nbval-ignore-output", "hide-input", "hide-output"]
figure, axes = plt.subplots(3, 1, figsize=(6, 8.4))
styles = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
for ax, (label, curve) in zip(axes, curves.items(), strict=True):
    for name, style in zip(curve, styles, strict=True):
        ax.plot(curve.index, curve[name], linestyle=style, label=name)
    ax.axhline(90, color=plotting.FAINT, linewidth=0.8)
    ax.set(xlabel=label, ylabel="right answers (%)")
axes[1].legend(loc="lower left")
figure.suptitle(f"Out of the ordinary{data.note}", x=0.01, ha="left")
plt.show()


# %% [markdown]
# *Figure 13.7. Digits turned, moved and soiled: little is lost near zero, and further out the networks part. The thin line is at 90 %. One network of each recipe, each digit read once; the noise is cut at 0 and 255, so that it also makes the paper grey.*
#
# The answer to the question is where a curve crosses that line, found by straight lines between the measured points, and so not to the last digit:

# %% tags=["core"]
def first_below(curve, limit=90):
    """The amount at which a curve, going outwards, first falls below a limit."""
    amounts, values = curve.index.to_numpy(float), curve.to_numpy()
    below = np.flatnonzero(values < limit)
    if not len(below):
        return np.nan
    b = below[0]
    return np.interp(limit, values[[b, b - 1]], amounts[[b, b - 1]])


# %% tags=["nbval-ignore-output"]
turned = curves["rotation (degrees, clockwise is negative)"]
outwards = {
    "clockwise": turned[turned.index <= 0].iloc[::-1].rename(lambda angle: -angle),
    "against the clock": turned[turned.index >= 0],
    "shift": curves["shift to the right (pixels)"],
    "noise": curves["noise (deviation, of 255)"],
}
limits = pd.DataFrame(
    {name: curve.apply(first_below) for name, curve in outwards.items()})
places = {name: 1 if name == "shift" else 0 for name in limits}
limits.round(places).rename_axis("one in ten misread at")

# %% [markdown]
# *Table 13.2. Where one network of each recipe begins to misread one digit in ten: angles in degrees, shift in pixels, and noise as a standard deviation, of 255, before it is cut.*
#
# Is a shift the network's failure alone? What is moved beyond the edge is gone, and no network can read it. So count the digits that have kept 99 % of their ink, and read only those:

# %% tags=["nbval-ignore-output"]
ink = few.images.float().sum((1, 2))
rows = {}
for pixels in (2, 4, 6, 8):
    images = moved(few.images, pixels)
    whole = (images.float().sum((1, 2)) >= 0.99 * ink).nonzero().flatten()
    kept = replace(few, images=images)[whole]
    ones = (few.labels[whole] == 1).float().mean().item()
    rows[pixels] = {"whole": 100 * len(whole) / len(few), "of these 1s": 100 * ones}
    for name, network in readers.items():
        rows[pixels][name] = 100 * training.accuracy(network, kept)
pd.DataFrame(rows).T.round(1).rename_axis("pixels")


# %% [markdown]
# *Table 13.3. How many digits a shift to the right leaves whole, how many of these are a 1, and how many are read right, in percent, by one network of each recipe.*
#
# So the picture is a part of it: moved by six pixels, more than a third of the digits are cut, and by eight most of them. But of those that have kept 99 % of their ink `best` goes on reading nearly all, and where another network misreads them, the cut edge is not the reason. (The whole ones are narrow digits, and the further the shift, the more of them are a 1, as the second column says; so compare networks within a row, not rows.) The two that bear most shifting, `best` and `small`, average over places at their end, and the three others do not; and the one that bears least, `fast`, has seen shifts of one pixel only. Whether either is why, nothing here tests.

# %% tags=["nbval-ignore-output"]
def inverted(images, wanted):
    return 255 - images if wanted else images


accuracies(inverted, [False, True]).rename_axis("inverted").round(1)

# %% [markdown]
# *Table 13.4. Digits read right, in percent, by one network of each recipe, as they are and inverted.*
#
# A small turn and a shift of a pixel or two cost none of them much. Beyond that the networks part: the two that have seen turned digits bore more turning than the three that have not. And all five bear turning against the clock better than clockwise. (A guess, not tested: handwriting leans to the right, so that clockwise goes further from what was seen.) What a network has *not* seen it may bear or not, and its test accuracy does not say: look at the column *noise*, and at the digits with ink and paper exchanged, of which no network reads more than about one in six. Whether such a difference
# belongs to the recipe or to this one seed, one network of each cannot tell; the way to find out is in [Is the advice true?](11-is-the-advice-true.ipynb): more seeds.
#
# ## Recap
#
# - Several of the first filters find edges; some of them were edges by luck before any training. The later maps of one digit could not be read by our eyes.
# - About half of the recorded mistakes are in a few dozen digits that most networks get wrong; very few digits are wrong for all.
# - A network's confidence can be checked like any other number, bin by bin, with an interval. Here every bin fits, on digits like those of the training, and it tells which few digits to show to a person. For the surest answers the intervals are too wide to say much. And it has no way to say *no digit*: it read most of one kind of noise with more than 90 % confidence (exercise 2), though seldom with 99.9 %.
# - How a network reads digits of another kind has to be measured on such digits. Five that read nearly all test digits right broke in different places when digits were turned, moved or soiled; whether that is the recipe or the seed, one network of each cannot tell.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* Ten networks make 50 mistakes each on 10,000 digits. If each missed 50 digits drawn at random, whatever the others miss, how many digits would you expect to be wrong for at least two of them?
#
# *Check:* `check("13.1", …)` with the number of digits.
#
# <details>
# <summary>Hint</summary>
#
# Take one pair of networks: the second one's 50 mistakes are anywhere among the 10,000, and 50 of the places are the first one's. Then count the pairs.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# pairs = 10 * 9 / 2
# print(f"at most {pairs * 50 * 50 / 10_000:.2f}, a digit wrong for three counted more than once")
# print(f"exactly {10_000 * stats.binom.sf(1, 10, 0.005):.2f}")
# ten = [set(row for row, _ in mistakes) for mistakes in book["mistakes"].iloc[:10]]
# shared = Counter(row for mistakes in ten for row in mistakes)
# print(f"recorded, the first ten seeds: {sum(count >= 2 for count in shared.values())}")
# check("13.1", pairs * 50 * 50 / 10_000)
# ```
#
# It prints:
#
# ```text
# at most 11.25, a digit wrong for three counted more than once
# exactly 10.95
# recorded, the first ten seeds: 84
# Right.
# ```
# </details>
#
# **2.** Feed the network something that is no digit, noise for example. How sure is it?
#
# *Check:* `check("13.2", …)` with the middle one of the confidences, as a fraction.
#
# <details>
# <summary>Hint</summary>
#
# `mnist.Digits` wants images and labels; any labels will do, since only `predict` is asked.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# generator = torch.Generator().manual_seed(0)
# noise = torch.randint(0, 256, (1000, 28, 28), dtype=torch.uint8, generator=generator)
# nothing = mnist.Digits(noise, torch.zeros(1000, dtype=torch.long))
# scores = training.predict(model, nothing)
# most = scores.softmax(1).amax(1)
# sure = most.quantile(torch.tensor([0.1, 0.5, 0.9]))
# print("confidence, lowest tenth, middle, highest tenth:", [round(s, 3) for s in sure.tolist()])
# print(f"at least 90 % sure: {(most >= 0.9).float().mean():.0%}, 99.9 %: {(most >= 0.999).float().mean():.0%}")
# print("times each digit was read:", scores.argmax(1).bincount(minlength=10).tolist())
# check("13.2", sure[1])
# ```
#
# With us, it prints:
#
# ```text
# confidence, lowest tenth, middle, highest tenth: [0.824, 0.971, 0.996]
# at least 90 % sure: 80%, 99.9 %: 2%
# times each digit was read: [11, 0, 2, 0, 0, 0, 0, 0, 987, 0]
# Right.
# ```
#
# (A [quantile](glossary.md#term-quantile) of 0.1 is the number that a tenth of the confidences lie below.) Ten probabilities must add up to one; "none of these" is not among the answers that it can give. Few of these are as sure as most test digits are; but this is one kind of noise.
# </details>
#
# **3.** Turn one of the filters off and measure again, in two ways: let it give 0 everywhere, or let it give everywhere what it gives on plain paper. Which of the eight is missed most? Say before you look which one it will be, and how the two ways will differ.
#
# *Check:* `check("13.3", …)` with the number of the filter, counted from 1.
#
# <details>
# <summary>Hint</summary>
#
# A forward hook is a function that PyTorch calls with what a layer gives, and that may change it: `copy.deepcopy(model)`, then `damaged.conv1.register_forward_hook(change)` with `change(module, inputs, output)`, which sets `output[:, number]`. The answers to paper are `model.conv1` of an empty image, at any place.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# import copy
#
# empty = mnist.normalise(torch.zeros(1, 28, 28, dtype=torch.uint8))
# with torch.no_grad():
#     on_paper = model.conv1(empty)[0, :, 13, 13]
#
# def without(number, instead):
#     def change(module, inputs, output):
#         output[:, number] = instead
#
#     damaged = copy.deepcopy(model)
#     damaged.conv1.register_forward_hook(change)
#     return training.accuracy(damaged, few)
#
# for number in range(8):
#     zero, paper = without(number, 0), without(number, on_paper[number])
#     print(f"without filter {number + 1}: zero {zero:.1%}, as on paper {paper:.1%}")
# check("13.3", 8)
# ```
#
# With us, it prints:
#
# ```text
# without filter 1: zero 99.5%, as on paper 99.5%
# without filter 2: zero 98.5%, as on paper 99.3%
# without filter 3: zero 98.4%, as on paper 98.4%
# without filter 4: zero 99.0%, as on paper 99.0%
# without filter 5: zero 98.1%, as on paper 98.1%
# without filter 6: zero 98.2%, as on paper 98.7%
# without filter 7: zero 99.3%, as on paper 99.5%
# without filter 8: zero 72.2%, as on paper 97.5%
# Right.
# ```
#
# The undamaged network's number on these 2,000 digits is in Table 13.4, in the row `False`. Set to zero, filter 8 is missed most, by far. But its zeros also stand where there is paper, to which it otherwise answers, and the batch norm behind it hands that on as a shift of nearly the whole picture: most of the damage is that shift. Without what filter 8 says of *ink*, about two points are lost; filter 5 comes so near (a dozen of 2,000 digits, in one network) that another seed may well swap them. The others make little more than a point of difference, or less, and those of a few tenths, up or down, say nothing.
# </details>
#
# **4.** Keep only the answers that the network is at least 99.9 % sure of. How many wrong ones are among them, and what would a person have to read by eye?
#
# *Check:* `check("13.4", …)` with all 10,000 test digits: how many a person reads, and how many mistakes are left.
#
# <details>
# <summary>Hint</summary>
#
# `confidence >= 0.999` is a mask; `~` turns it round.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# sure = confidence >= 0.999
# print(f"{(~sure).sum()} digits to read by eye; mistakes left in the rest: {(~right[sure]).sum()}")
# check("13.4", ((~sure).sum(), (~right[sure]).sum()))
# ```
#
# With us, it prints:
#
# ```text
# 1121 digits to read by eye; mistakes left in the rest: 1
# Right.
# ```
# </details>
#
# **5.** The verdict of a bin rests on its interval. How many digits must a bin hold so that a share of 0.60 right, at a mean confidence of 0.65, is called *too sure*?
#
# *Check:* `check("13.5", …)` with the number of digits.
#
# <details>
# <summary>Hint</summary>
#
# 0.65 is an end of the interval where $(0.60 - 0.65)^2 = z^2 \cdot 0.65 \cdot 0.35 / n$. The number of digits that are right has to be whole, too.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# for n in range(10, 2000, 10):
#     if stats.binomtest(round(0.6 * n), n).proportion_ci(method="wilson").high < 0.65:
#         print(f"{n} digits")
#         break
# check("13.5", n)
# ```
#
# It prints:
#
# ```text
# 350 digits
# Right.
# ```
# </details>
#
# **6.** *Design.* A bank wants cheques read with at most one mistake in 10,000 digits, and a person reads what the machine passes on. Choose the limit of confidence on one half of the test digits, drawn at random, and test it on the other half.
#
# *No check:* a design of your own, and the other half of the digits is its check. The solution shows one limit of many.
#
# <details>
# <summary>Hint</summary>
#
# Try limits from low to high; keep the first at which no more than one in 10,000 of the *accepted* digits of the first half is wrong. With 5,000 digits that means none at all; so ask, whatever the other half shows, how much so few digits can promise.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# drawn = torch.randperm(len(right), generator=torch.Generator().manual_seed(0))
# one, other = drawn.tensor_split(2)
# limits = 1 - np.logspace(0, -8, 200)
# good = [t for t in limits if (~right[one][confidence[one] >= t]).sum() == 0]
# limit = min(good)
# accepted = confidence[other] >= limit
# print(f"limit {limit:.6f}: {(~accepted).float().mean():.1%} of the other half go to a person,")
# print(f"and {(~right[other][accepted]).sum()} of the {accepted.sum():,} accepted ones are wrong,")
# print(f"3/n = {30_000 / accepted.sum():.1f} in 10,000")
# ```
#
# With us, it prints:
#
# ```text
# limit 0.999885: 31.9% of the other half go to a person,
# and 0 of the 3,404 accepted ones are wrong,
# 3/n = 8.8 in 10,000
# ```
#
# It looks like success, at the price of nearly a third of the digits. But after no mistake in $n$ digits the true share $p$ may still be as high as $3/n$, which the last line gives: there, no mistake at all would happen once in twenty times, $(1-p)^n = 0.05$. (Wilson's interval, which leaves a fortieth at each end, reaches up to $3.84/n$.) To promise one in 10,000, the bank needs 30,000 accepted digits without a mistake, by Wilson 38,400.
# </details>
#
# ## What's next
#
# This is the last chapter. From eight weights in a spreadsheet to the thousands that read handwriting, the rule was the same: let the loss say how it changes with each weight, and take a small step against it.
#
# What was checked, and held: eight derivatives by formula, by nudges and by two programs; 14,392 of them by ours and by PyTorch's; receptive fields by counting, by a formula and by gradients; a spreadsheet by another one. What did not hold as it was said: that a falling loss shows a right gradient, that one run tells how good a recipe is,
# and several sentences of good advice, of which four seeds could say little, and twenty refuted some. What is open stands where it came up: whether the verdicts that four epochs gave would hold after more, and why the first twenty seeds of `fast` scatter as they do.
#
# Where to go from here: audit a spreadsheet of your own, train a network of your own with five seeds, or take one row of [Is the advice true?](11-is-the-advice-true.ipynb) that is undecided, and decide it.
