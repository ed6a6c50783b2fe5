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
# # Is the advice true?
#
# The source builds its network by a few sentences of advice. *Use convolutions only, they need fewer parameters. Start with eight channels. Build a field of 7 × 7
# before the pool. Build about 28 × 28 at the end, more is not needed. End with a 1 × 1 convolution.* The network works, so the advice looks right. But the source shows no
# network that ignores it. In this chapter each sentence becomes an experiment: change that one thing, keep everything else, train both several times, and see
# whether the difference is more than chance.
#
# **You will be able to** compare two ways to train by pairs of seeds, put an interval around the difference, and say in words what the experiment
# can and cannot tell.
#
# **You need** [The run](10-the-run.ipynb), and the mean and standard deviation of a list of numbers.

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
from scipy import stats

from cellgrad import check, mnist, plotting, training
from cellgrad.layers import count_parameters
from cellgrad.receptive import cost_table
from cellgrad.trials.records import shipped_records
from cellgrad.trials.studies import find_study
from cellgrad.trials.comparison import against, compare

plotting.use_house_style()
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## How to test a sentence
#
# Two trained networks always differ a little, even two of the same kind: the first weights and the order of the digits are drawn by chance, from a [seed](glossary.md#term-seed). So one run of each proves nothing. The network that all others are compared with is
# called the *base*: the source's layers, trained by the recipe of [The run](10-the-run.ipynb), but for four passes through 50,000 digits only, so that many runs can be afforded. What takes longer to show, this first study cannot see. Each *rival* is the base with
# something changed. Three habits make a comparison fair:
#
# - **One change.** Both networks have nearly the same number of parameters and the same recipe.
# - **Pairs.** Both are trained with the same seeds and compared seed by seed. The more chance the two have in common, the more of it cancels. In these records, which an older version of the training made, the order of the digits depends on how many random numbers the first weights have used up, so pairs of different networks share little; a training of today shows both networks the same digits in the same order.
# - **Many unseen digits.** 10,000 training digits are held out, and in this first study nothing is chosen by them. Together with the 10,000 [test digits](glossary.md#term-test-digits) there are twice as many to be right or wrong about,
#   and so somewhat less noise (exercise 3 asks how much). *Unseen* means both together from here on.
#
# All of it is one *study*, and `cellgrad trials advice` runs it. What it measured comes with the book, a line for each of the runs.

# %%
study = find_study("advice")
records = shipped_records("advice")
records["unseen"] = (records["test_accuracy"] + records["validation_accuracy"]) / 2
print(f"{len(study.variants)} variants, {len(records)} runs,", end=" ")
print(f"{records['seconds'].sum() / 3600:.1f} hours in all, each on one core")
dict(records["versions"].iloc[0])

# %% [markdown]
# One thing favours the base in this first study: its learning rate, its weight decay and its shifts were developed on the source's network. No rival got a search of its own.
#
# ## One comparison by hand
#
# Take [dropout](glossary.md#term-dropout), which the source added in a later version: while training, a fifth of the numbers behind the pool is set to zero at random. It is there to
# keep large networks from learning their training digits by heart. Ours is small and sees each digit shifted. Our guess: it does not help. The accuracies on the unseen digits,
# in percent, a row for each seed:

# %%
pairs = records.pivot(index="seed", columns="variant", values="unseen")
pairs = 100 * pairs[["base", "dropout 0.2"]]
pairs["difference"] = pairs["dropout 0.2"] - pairs["base"]
pairs.round(3)


# %% [markdown]
# *Table 11.1. Accuracy on the unseen digits in percent for each seed, without and with dropout, and the difference in points.*
#
# The mean of the differences is our best guess. How far off may it be? If we drew other seeds, it would come out differently, by about its
# [standard error](glossary.md#term-standard-error): the standard deviation of the differences, divided by the root of their number. With few pairs the standard deviation is itself a guess, so we go a little further out than the usual two standard
# errors; how far was worked out in 1908 by William Gosset, who signed as "Student" and tested barley for a brewery.

# %% tags=["core"]
def interval(differences, confidence=0.95):
    """The mean of the differences, and how far to each side it may be off."""
    n = len(differences)
    standard_error = np.std(differences, ddof=1) / n**0.5
    gosset = stats.t.ppf((1 + confidence) / 2, n - 1)
    return np.mean(differences), gosset * standard_error


# %%
middle, reach = interval(pairs["difference"])
print(f"{stats.t.ppf(0.975, len(pairs) - 1):.2f} standard errors to each side")
print(f"{middle:+.3f} points, from {middle - reach:+.3f} to {middle + reach:+.3f}")

# %% [markdown]
# This is a [confidence interval](glossary.md#term-confidence-interval). One made in this way holds the true difference in 95 of 100 studies, if the differences scatter like a bell curve. Four differences cannot show whether they do. The book's `compare` does the same, and adds the answer in words:

# %%
runs = {name: rows.set_index("seed")["unseen"]
        for name, rows in records.groupby("variant")}
compare(runs["dropout 0.2"], runs["base"]).verdict

# %% [markdown]
# There are four kinds of answer. *Better* and *worse*: zero lies outside the interval. *No difference of 0.05 or more*: the whole interval lies within 0.05 points, which is five
# digits in 10,000 and all that we would care about. And *no difference we could measure*: the interval is too wide, a difference may hide in it, and the answer says how large a one.
# That last one is not "there is none". (Where the interval leaves zero out and yet lies within 0.05, `compare` adds "by less than 0.05".)
#
# From here on, each sentence of the advice gets a strip of dots, a row for each network and a dot for each seed, and below it the differences with their intervals. The verdicts wait until all are on the table, in [What stands when all are judged together](11-is-the-advice-true.ipynb#what-stands-when-all-are-judged-together), because
# so many comparisons have to be judged together; there, three words are left: *better*, *worse* and *undecided*. Until then we only say where the dots lie: higher, lower, or among those of the base.

# %%
slow = ["dense only", "dense head", "no batch norm"]
control = {name: "base" for name in runs if name != "base"}
control |= dict.fromkeys(slow, "base, slower")  # of these three, more below


def strip(*names, base="base", **options):
    """Dots for each seed, then each difference from its control, in pairs."""
    chosen = pd.concat([records[records["variant"] == name] for name in names])
    options |= {"digits": "unseen digits", "base": base}
    plotting.plot_seeds(chosen, "unseen", **options)
    plt.show()
    for name in names:
        if control.get(name) in names:
            middle, reach = interval(100 * (runs[name] - runs[control[name]]))
            low, high = middle - reach, middle + reach
            print(f"{name}: {middle:+.2f} ({low:+.2f} to {high:+.2f})")


# %% mystnb={"image": {"alt": "Two rows of four dots each on an axis from about 99.20 to 99.33 percent. The dots of the base spread from one end to the other, those of dropout 0.2 lie between them; their mean bars are close together."}}
strip("base", "dropout 0.2")

# %% [markdown]
# *Figure 11.1. A dot for each seed, a bar at their mean; the dashed line is the base's mean. The numbers below the picture are differences and their intervals, in points, as for all figures of this kind. In Figure 11.2 the line is the mean of "base, slower".*
#
# Keep the base's four dots in mind: all comparisons of the first study but three are with these few runs, and one of them, seed 0, lies well below the other three. If it had bad luck, all these rivals look better by the same amount. And do not compare the numbers of this chapter with those of *The run*. There the networks trained for longer, and they were
# measured on test digits alone. Are these easier than the held-out ones? *The run* asked this of ten networks and 5,000 held-out digits, and luck could not be excluded. Here there are more networks:

# %%
well = records[records["unseen"] > 0.98]
easier = 100 * (well["test_accuracy"] - well["validation_accuracy"])
by_kind = easier.groupby(well["variant"]).mean()
print(f"test minus held-out digits, {len(easier)} runs: mean {easier.mean():+.2f}")
print(f"above zero for {(by_kind > 0).sum()} of {len(by_kind)} kinds;", end=" ")
print(f"for the base {by_kind['base']:+.2f}")

# %% [markdown]
# (The ten runs that read fewer than 98 % are left out; among them are all of *dense only*, for which the test digits were harder.) So for networks that read nearly all, these test digits are a little easier than these held-out ones, and a mean of both is a little lower than the test digits alone. Of other digits it says nothing: the digits are the same for all these networks.
#
# ## "Use convolutions only"
#
# The claim is about parameters: for the same number of parameters a convolution buys more than a dense layer. Two rivals: a network of dense layers only, and one with the source's three convolutions up
# front and, behind the pool, one dense layer with what is left of the budget. Expect the first to be far behind: it has to learn what a stroke looks like at each place anew.
#
# One difficulty: the dense layers have no batch norm behind them, and without it a high learning rate is dangerous, as the next section shows. So they get a quarter of it, and so does the network that they are compared with:

# %%
rates = {v.name: v.learning_rate for v in study.variants}
{name: rates[name] for name in ("base", "base, slower", "dense only", "dense head")}

# %% mystnb={"image": {"alt": "Four rows of dots. Base and base, slower lie close together near 99.3 percent. The dots of dense head lie between 98.8 and 99.0. For dense only, an arrow at the left edge says that its seeds lie further left, at about 94 to 95 percent."}}
strip("base", "base, slower", "dense only", "dense head",
      base="base, slower", least=98.7)

# %% [markdown]
# *Figure 11.2. Dense layers against convolutions. An arrow at the left edge stands for seeds that lie further out, with their numbers.*
#
# Both lie lower, the dense layers alone by far. A dense layer learns each place for itself, and that is what it spends its parameters on; with the source's three convolutions in front of it, most of the distance is gone. But both are narrow, since dense weights are many: the dense layers alone have 18 units, the dense head 13, hardly more than there are digits to tell apart; and neither has batch norm. Better designed ones may do better, and this study does not say by how much. (The three have about the same number of parameters, but not the same work: a weight of a dense layer is used once for each digit, one of a convolution at many places.)
#
# ## Batch norm
#
# The source has it after the ReLU; most papers have it before. Without it, each channel keeps a bias to add. Expect little from the order. And without batch norm, expect trouble at a high learning
# rate; so that one, too, is tried at a quarter of the rate.

# %% mystnb={"image": {"alt": "Five rows of dots. Base, batch norm before ReLU and base, slower lie together near 99.3 percent. For no batch norm, same rate, an arrow at the left edge says 11.0. For no batch norm at the slower rate three dots lie between 96 and 98.5, and an arrow says 11.0 for the fourth."}}
strip("base", "batch norm before ReLU", "no batch norm, same rate",
      "base, slower", "no batch norm", least=95)


# %% [markdown]
# *Figure 11.3. Batch norm before and behind the ReLU, and networks without it.*
#
# With batch norm before the ReLU the dots lie among those of the base. Without batch norm, at the base's rate, no seed learns anything: all four read every digit as a 1, which is right for one in nine. At a quarter of the rate three of four train, one does not train at all, and those that do lie lower. An interval as wide as that of the last line says that
# a mean is the wrong summary here. With these first weights, PyTorch's own, batch norm is what makes the high learning rate safe. Other first weights were not tried.
#
# ## "Eight channels up front"
#
# Four or sixteen instead, and the channels behind the pool adjusted, so that all have nearly the same number of parameters. What the front gets, the back loses. The
# three do very different amounts of work, though:

# %%
def costs(*names, variants=study.variants):
    rows = {}
    for variant in variants:
        if variant.name in ("base", *names):
            table = cost_table(variant.network)
            work = table["multiply_adds"].sum() / 1e6
            rows[variant.name] = {"parameters": table["parameters"].sum(),
                                  "million multiplications": round(work, 2)}
    return pd.DataFrame(rows).T.astype({"parameters": int})


names = ["4 channels up front", "16 channels up front"]
costs(*names)

# %% [markdown]
# *Table 11.2. Parameters, and millions of multiplications for one digit, with other numbers of channels up front.*

# %% mystnb={"image": {"alt": "Three rows of four dots. Those of the base and of 16 channels up front overlap between 99.2 and 99.33 percent; those of 4 channels up front lie mostly lower, from 99.08 to 99.22."}}
strip("base", *names)

# %% [markdown]
# *Figure 11.4. Four, eight and sixteen channels before the pool.*
#
# Four came out lower, at half the work; whether that is more than chance will take a [second study](11-is-the-advice-true.ipynb#the-sixth-and-the-seventh-sentence-channels-dense-layers) to say. Sixteen lie where eight do and cost three times the work, so nothing here speaks for sixteen.
#
# ## "7 × 7 before the pool"
#
# The pool throws away three of four numbers. The advice says: not before a unit has seen an edge or a corner whole, which takes 7 × 7 pixels. We pool after one, two and
# four convolutions instead of three, and choose the layers behind the pool so that the field at the end stays 28. That takes one layer fewer where the pool stands early, and for fields of 5 and 9 a last 2 × 2 in place of the 1 × 1; so this, too, is not one change only.

# %% mystnb={"image": {"alt": "Four rows of four dots: field 3, field 5, the base with its field of 7, and field 9 before the pool. All overlap around 99.27 percent."}}
names = [f"field {size} before the pool" for size in (3, 5, 9)]
strip(*names[:2], "base", names[2])

# %% [markdown]
# *Figure 11.5. The pool after one convolution, two, three (the base) and four.*

# %%
costs(*names)

# %% [markdown]
# *Table 11.3. Parameters, and millions of multiplications for one digit, with the pool at other places.*
#
# All four lie together; [chapter 7](07-the-receptive-field.ipynb#two-doubts) says why this advice might not show. And an early pool saves work, as Table 11.3 says.
#
# ## "28 × 28 at the end, more is not needed"
#
# Here the last convolution sees 12, 20, 28 or 36 pixels. Where the image is not used up at that point, the ten scores are averaged over the places that are left; for 36, two convolutions get padding.
# A field of 12 sees a piece of a stroke, and many pieces vote. Expect it to be clearly worse; from 28 to 36, expect nothing.

# %% mystnb={"image": {"alt": "Four rows of four dots for the fields 12, 20, 28, which is the base, and 36 at the end. Those of 12 lie between 98.6 and 98.9 percent, far to the left of all others, which overlap between 99.2 and 99.45; those of 20 lie furthest right."}}
names = [f"field {size} at the end" for size in (12, 20, 36)]
strip(*names[:2], "base", names[2])

# %% [markdown]
# *Figure 11.6. Fields of 12, 20, 28 (the base) and 36 pixels at the end.*
#
# The dots of the field of 12 lie far below the others. From 20 on they overlap, and those of 20 even lie a little higher. Nothing here speaks against "more is not needed", and nothing for a need of as much as 28.
#
# But look at what else differs between these networks. To see less at the same number of parameters, the rivals have fewer convolutions, and those with the fields 12 and 20 average over places, which the base does not:

# %%
rows = {}
for variant in study.variants:
    if variant.name in ("base", *names):
        kinds = [layer.kind for layer in variant.network]
        rows[variant.name] = {"convolutions": kinds.count("conv"),
                              "averages at the end": "global_avg_pool" in kinds}
pd.DataFrame(rows).T

# %% [markdown]
# *Table 11.4. In what the networks with other fields at the end differ from the base besides: their convolutions, and whether they average over places.*
#
# So the field is not the only change, and the first habit of this chapter was broken. A fairer test widens the field by dilation, with the same layers; it stands [further down](11-is-the-advice-true.ipynb#the-first-four-sentences-1-1-field-depth-average).
#
# ## No average pool
#
# The source ends in a 1 × 1 convolution on a single place. The rival lets the last 3 × 3 convolution keep 3 × 3 places, by padding, and averages them before the 1 × 1. Same parameters to the last one.

# %% mystnb={"image": {"alt": "Two rows of four dots: the base from 99.20 to 99.33 percent, the average pool from about 99.30 to 99.39, mostly to the right of the base's."}}
strip("base", "average pool")

# %% [markdown]
# *Figure 11.7. The source's end, and an average of nine places.*
#
# The dots of the average pool lie mostly higher. Note what was *not* tested: both networks end in a 1 × 1. The sentence "1 × 1 last" would need a rival that only does without it, a 3 × 3 that goes straight to the ten scores. Two of the networks of Figure 11.5 end without a 1 × 1, but they also pool elsewhere; the [next one](11-is-the-advice-true.ipynb#the-first-four-sentences-1-1-field-depth-average) tries it.
#
# ## The training
#
# Two more choices are not about the network. How the digits are moved: the base shifts them by up to two pixels; the source rotates, scales and shifts them; or not at all. And the learning rate: the base goes up and
# down in one cycle; or it stays, at the source's 0.01 or at five times as much.

# %% mystnb={"image": {"alt": "Five rows of four dots. The base and digits as they are overlap near 99.27 percent; rotated, scaled, moved lies around 99.17. Constant rate lies around 98.94. The source's rate is spread widely, from about 98.6 to 99.05."}}
strip("base", "digits as they are", "rotated, scaled, moved",
      "constant rate", "the source's rate")


# %% [markdown]
# *Figure 11.8. Other ways to move the digits and the learning rate.*
#
# Both constant rates lie lower, and the seeds of the source's rate differ from each other more than those of any other network in this picture. A likely reason for both: a rate that stays high cannot make the fine corrections of a cycle's end, and in so few passes the source's small one does not get far. The dots show a difference, not its reason. Moving the digits does not show a gain here: the base, which
# shifts them, lies close to the digits as they are, and turned and scaled digits lie lower. But mind that this is an answer about short runs. The longer a network trains, the more often it sees the same digits, and the more it should gain from not seeing
# them twice in the same way; that, too, would have to be tried.
#
# ## All of it in one picture

# %%
def all_answers(confidence=0.95):
    others = records[~records["variant"].isin(slow)]
    slower = records[records["variant"].isin(["base, slower", *slow])]
    pair = ((others, "base"), (slower, "base, slower"))
    tables = [against(r, b, "unseen", confidence=confidence) for r, b in pair]
    return pd.concat(tables).sort_values("difference", ascending=False)


everything = all_answers()

# %% mystnb={"image": {"alt": "All rivals, a row each, with the difference from its base and its interval, from plus 0.09 points at the top to minus 0.5. A grey band marks differences below 0.05 points. Eleven rows at the top have black dots, whose intervals hold zero; below them are orange triangles that point down, whose intervals do not. Three rows at the bottom are arrows that leave the picture at the left, with the numbers -4.63, -23.28 and -88.28."}} tags=["hide-input"]
plotting.plot_intervals(everything, reach=0.9, base="its base")
plt.show()

# %% [markdown]
# *Figure 11.9. All differences with their intervals in pairs, before any correction: more than half of the intervals hold zero (black), the others do not (orange). Arrows stand for what lies further out. The grey band: less than 0.05 points. Most are from the base; dense only, dense head and no batch norm are from "base, slower".*
#
# How many seeds would be enough? Move the number of pairs, and draw them anew. Watch when the verdict stops jumping.

# %% tags=["hide-input"]
from cellgrad import figures

figures.seeds(records, "average pool", "base", "unseen")

# %% [markdown]
# If you moved it, you saw: of the recorded pairs, two or three decide nothing, whichever you draw, because Gosset's factor is so large for so few. Now draw from the bell curve: with four pairs or six one draw says "better" and the next cannot tell, and only with more does the verdict settle. (The bell curve takes the recorded mean for the truth.) So what would a study of this size miss?

# %% [markdown]
# ## What the study cannot say
#
# How small a difference could these seeds have shown? That depends on how much the differences vary, which is another number for each comparison (the three that lie furthest out are left aside):

# %%
reach = (everything["high"] - everything["low"]) / 2
small = reach.loc[everything["difference"].abs() < 0.6]
print(f"half the interval: {small.min():.3f} to {small.max():.3f} points,", end=" ")
print(f"median {small.median():.3f}")
number = everything["pairs"]
deviation = small * number**0.5 / stats.t.ppf(0.975, number - 1)
for wanted in (0.05, 0.02):
    n = np.arange(3, 2000)
    half = stats.t.ppf(0.975, n - 1) * deviation.median() / n**0.5
    print(f"for ± {wanted} points: {n[half <= wanted][0]} pairs")

# %% [markdown]
# Did the pairs help? They do where seed for seed both networks are lucky together. Their *correlation* says how far they are: 1 entirely, 0 not at all, below 0 the one is lucky where the other is not. Here is the middle one, and how many times as wide an interval in pairs is as one without:

# %%
alike, wider = [], []
for name in small.index.drop("base", errors="ignore"):
    ours, base = runs[name], runs[control[name]]
    alike.append(np.corrcoef(ours, base)[0, 1])
    low, high = stats.ttest_ind(ours, base).confidence_interval()
    wider.append(2 * reach[name] / (100 * (high - low)))
print(f"correlation with the control, in the middle: {np.median(alike):.2f}")
print(f"in pairs an interval is {np.median(wider):.2f} times as wide,", end=" ")
print("in the middle")

# %% [markdown]
# In these records they brought nothing: the correlation is low, and with half as many numbers to estimate the spread from, Gosset's factor is larger. We keep them because the next study's pairs will share the order of the digits.
#
# These numbers are the least that it takes. A true difference of just half the interval is found only every other time, since what is measured falls to either side of it; to find it four times in five takes about twice as many seeds. (Exercise 6 asks the same for groups without pairs.)
#
# ## What stands when all are judged together
#
# Each 95 % interval misses the truth once in twenty times. Among twenty such intervals we expect one that does; that there is none has a chance of about a third only, if they are independent ($0.95^{20} = 0.36$). There are several careful remedies. They ask for different assumptions, and so we try three. Some of them speak in [p-values](glossary.md#term-p-value): how often would chance alone set two groups at least so far apart, if there were no difference? A p below 0.05 and a 95 % interval without the zero say the same, of one and the same test; so look which test a p is of.
#
# **[Bonferroni](glossary.md#term-Bonferroni-correction)**: divide the five percent among all comparisons, and keep the pairs. It assumes nothing about how the comparisons hang together. But each of its intervals goes out so far that it leans on the tails of the bell curve, and with so few pairs it is harsh, since it estimates the spread of each comparison from four numbers. Which verdicts stand?

# %%
strict = all_answers(confidence=1 - 0.05 / len(everything))
by_bonferroni = strict["verdict"].str.startswith(("better", "worse"))
print(len(everything), "comparisons, of which stand:")
print(*strict.index[by_bonferroni], sep="\n")


# %% [markdown]
# **[Dunnett's test](glossary.md#term-Dunnett-test)** is made for many rivals and one control. It gives up the pairs and treats the runs as separate groups with *one common spread*, which all of them together
# estimate far better; its intervals hold all at once in 95 of 100 studies. (The dense head has another control. For a single rival Dunnett's test is the plain *t*-test, Gosset's for two groups without pairs, so its p-value has to be multiplied by the number of comparisons, as Bonferroni does. Three networks are so far from any common spread that they cannot take part: dense only, and the two without batch norm.)

# %% tags=["core"]
def dunnett(groups, control):
    """Rivals against one control: differences and intervals that hold together."""
    names = [name for name in groups if name != control]
    rivals = [groups[name] for name in names]
    test = stats.dunnett(*rivals, control=groups[control], rng=0)
    low, high = test.confidence_interval(0.95)
    differences = [np.mean(group) - np.mean(groups[control]) for group in rivals]
    columns = {"difference": differences, "low": low, "high": high}
    return pd.DataFrame(columns, index=names)


# %%
percent = {name: 100 * accuracies for name, accuracies in runs.items()}
outside = ["dense head", "dense only", "no batch norm", "no batch norm, same rate"]
with_base = {name: group for name, group in percent.items() if name not in outside}
together = dunnett(with_base, "base")
by_dunnett = (together["low"] > 0) | (together["high"] < 0)
head = stats.ttest_ind(percent["dense head"], percent["base, slower"]).pvalue
print(f"dense head: p = {head:.4f}, times {len(everything)}:", end=" ")
print(f"{head * len(everything):.3f}")
by_dunnett["dense head"] = head * len(everything) < 0.05
together[by_dunnett[together.index]].sort_values("difference").round(2)

# %% [markdown]
# *Table 11.5. The differences from the base, in points, that Dunnett's test calls more than chance, with the ends of their intervals.*
#
# But is the spread a common one? The standard deviations of the groups that took part, from the smallest to the largest, and Bartlett's test, whose p-value says how often groups with a common spread would differ as much as these:

# %%
spread = pd.Series({name: group.std() for name, group in with_base.items()})
print(*spread.sort_values().map("{:.3f}".format)[:10])
print(*spread.sort_values().map("{:.3f}".format)[10:])
print("the largest:", spread.idxmax())
print(f"p = {stats.bartlett(*with_base.values()).pvalue:.4f}")


# %% [markdown]
# Hardly: so unlike spreads would be rare by chance, if each group scatters like a bell curve, which Bartlett's test takes for granted and four seeds cannot show. The common spread is too narrow for the group with the largest one, and just this group is among those that Dunnett's test calls worse. So the third remedy gives up the common spread as well.
#
# **[Welch's test](glossary.md#term-Welch-test) with [Holm's correction](glossary.md#term-Holm-correction).** Welch's compares two groups, each with a spread of its own, and gives a p-value. Holm's correction is a gentler Bonferroni: sort the p-values, multiply the smallest
# by their number, the next by one less, and so on, and never let one become smaller than the one before it.

# %% tags=["core"]
def holm(p, of=None):
    """p-values that may be read all together, from p-values read one by one.

    of: how many there are, if not all of them are here.
    """
    ordered = p.sort_values()
    stricter = ordered * ((of or len(p)) - np.arange(len(p)))
    return stricter.cummax().clip(upper=1)


def welch(groups, control):
    """How often chance alone sets each group so far from its control, corrected."""
    alone = {}
    for name in [name for name in groups if name in control]:
        pair = groups[name], groups[control[name]]
        alone[name] = stats.ttest_ind(*pair, equal_var=False).pvalue
    return holm(pd.Series(alone))


# %%
same = [name for name, group in percent.items() if group.std() == 0]
print("no test needed, all seeds alike:", *same)
p = welch({name: percent[name] for name in percent if name not in same}, control)

# %% [markdown]
# Now all of it in one table. The verdict is *worse* where Welch's test with Holm's correction has p below 0.05, since it does without the common spread, which these records make doubtful, and finds more than the pairs do with four seeds. That is a choice made after seeing the spreads, and a generous one: in pairs and with Bonferroni's correction only two verdicts stand, as the last column says. (It assumes bell curves, as all three do, and groups that have nothing in common.) For the network whose seeds are all alike no test is needed. Everything else is *undecided*: a difference that we would care about may hide there. The last two columns say whether the other remedies call the difference more than chance, D for Dunnett's test and B for Bonferroni's correction in pairs.

# %%
table = everything[["difference"]].round(2).set_axis(["points"], axis=1)
table["p"] = p.map("{:.3f}".format)
certain = (p < 0.05).reindex(table.index, fill_value=True)
sign = np.where(table["points"] < 0, "worse", "better")
table.insert(0, "verdict", np.where(certain, sign, "undecided"))
table["D"] = by_dunnett.reindex(table.index).map({True: "yes", False: "no"})
table["B"] = by_bonferroni.map({True: "yes", False: "no"})
table.fillna("–").sort_values("points")

# %% [markdown]
# *Table 11.6. All variants: the verdict, the difference from the control in points, Welch's p with Holm's correction, and whether Dunnett's test (D) and Bonferroni's correction in pairs (B) call the difference more than chance. A dash: took no part in this test.*
#
# The rows that say *worse* are what this study has found, by Welch's test (and *no batch norm, same rate* without any). Look at *the source's rate*: the largest of the undecided differences but one, called worse by Dunnett's test, and not by Welch's. Its four seeds lie so far from each other that their mean is a poor guess. And look at the *dense head*, whose p-value is only just below the limit.
# No row of the table reaches "no difference of 0.05 or more"; with four seeds only the narrowest could have, and only with its middle almost at zero. Whoever wants to be
# certain runs more: `cellgrad trials advice --seeds 10`. These are ten new draws of each, beside the recorded four: today's training draws its random numbers in another way, as the next section says.
#
# ## One row, live
#
# Records can be wrong. So here is one row again, on your machine, with all its seeds: *dense only*, because its trainings take seconds. The records were made by an earlier version of the training (their column `training_version` says which), that drew its random numbers in another way, so these are
# other draws of the same recipe. With all the digits their mean should come out close to the recorded one. With the sample the numbers are others; then the last cell only asks for 80 %.

# %% tags=["nbval-ignore-output"]
data = mnist.load()
held_out = study.validation if data.kind == "full" else 500
(dense,) = (recipe for recipe in study.variants if recipe.name == "dense only")
recorded = records.loc[records["variant"] == "dense only", "test_accuracy"]
repeated = [training.train(dense, data, seed=seed, validation=held_out)
            for seed in range(len(recorded))]
again = pd.Series([run.record["test_accuracy"] for run in repeated])
for name, row in {"recorded": recorded, "now": again}.items():
    ends = f"{row.min():.2%} to {row.max():.2%}"
    print(f"{name + ':':9} {row.mean():.2%}, seeds from {ends}")
print(data.note.strip())

# %%
far = abs(again.mean() - recorded.mean()) > 0.01
print("as it should be:", not far if data.kind == "full" else again.mean() > 0.8)

# %% [markdown]
# ## The next study, and what we expect of it
#
# This study has faults that no statistics mend. The smaller fields came with fewer layers and with an average; no network did without the 1 × 1 and nothing else; the dense head had no batch norm; only the base's learning rate was searched for; and four seeds are few. So the study is designed again. Where
# the first study changed several things at once, fewer change now; other rivals are the same networks as before; and each may have another learning rate than its control, the one that its search has chosen. Where a layer is left out, the others become wider to keep the number of parameters, two rivals without batch norm also draw their first weights in another way, and the networks that pool elsewhere are those of Figure 11.5, with all their other differences. The field grows by dilation, at the same depth and at almost the same number of parameters, and the depth grows at the same field. Every training gets the same search for its learning rate, four values on held-out digits (`cellgrad trials sentences-rates`), and then twenty seeds. (*He's*, after Kaiming He, and *orthogonal* first weights are two other ways to draw them, so that the numbers neither grow nor shrink from layer to layer.)
#
# Whoever writes down the expectation after the runs is always right. So we do it now, before the first of them (but after the first study, which many of these bets follow), and the rule by which it will be judged. We shall compare in pairs of seeds, which see the same digits in the same order, on the unseen digits. *Worse* or *better*: the p-value of the paired differences is below 0.05 after Holm's correction over all
# rivals. *No difference*: the 95 % interval, uncorrected, lies within 0.05 points. Everything else is *undecided*, and neither confirms nor refutes what we expect.
#
# All of it takes a night on two cores. So the sentences that this chapter could not test come first, with ten seeds: the 1 × 1, the field and the depth each nearly by itself, and the average. Whoever looks twice has two chances to be fooled, so each of the two looks gets half of the five percent: p has to be below 0.025, after Holm's correction over *all* rivals, those that have not run
# counted too, and the interval for *no difference* is one of 97.5 %. (One thing this rule had left unsaid was added after the first look, and no verdict depends on it: where both hold, it is *worse* or *better*. And as *no difference* is not corrected, among so many one or another may be wrong.)
#
# The other sentences follow in the order of Table 11.7, as time allows: the same search, then twenty seeds at once, judged once, when all twenty have run, by the same rule and the same 0.025. (This order was written down after the first four sentences were judged and before the first run of the next.) Since Holm's correction counts all rivals from the start, a verdict that is reached stays: more small p-values can only lower the others.
#
# And what is undecided when all sentences have been judged is to train longer: the recipe's twelve epochs, ten seeds of each such row and of its control, at the rates that were chosen at four. That is another question, so it gets five percent of its own: p below 0.05 after Holm's correction over the rows that take part, by [Wilcoxon's signed ranks](glossary.md#term-Wilcoxon-signed-rank-test) (which count on which side of its pair each seed lies, and in which order of distance, so that a run that fails altogether weighs no more than its rank), and 95 % intervals for *no difference*. Pairs that do not differ are left out, and p is exact: the share of all ways to set the signs that make the ranks as one-sided as they are, or more. Equal distances share their rank, and the side is that of the mean difference. (Written down before the first of these runs; the ranks after the eighth sentence, which shows why; the line on pairs that do not differ as they began; the one on equal distances and on the side when they were known, and no verdict depends on it.)
#
# Can twenty seeds show "no difference" at all? With the spread of this study's groups:

# %%
half = stats.t.ppf(0.9875, 2 * 20 - 2) * spread.median() * (2 / 20) ** 0.5
print(f"without pairs, twenty seeds each: ± {half:.3f} points")

# %% [markdown]
# So they can, but only where the measured difference is within about 0.01 points of zero; and the pairs should help. What would you bet on?

# %%
from cellgrad.trials.sentences import SENTENCES, trained_as

bets = [(rival.recipe.name, rival.expected, sentence.control.name, n, sentence.text)
        for n, sentence in enumerate(SENTENCES, 1) for rival in sentence.rivals]
columns = ["rival", "we expect", "compared with", "", "sentence"]
pd.DataFrame(bets, columns=columns).set_index("rival")

# %% [markdown]
# *Table 11.7. The next study: each rival, what we expect of it, its control, and the sentence that it tries.*
#
# ## The first four sentences: 1 × 1, field, depth, average
#
# First the search. Each training ran once at each of the four rates, on 50,000 digits, and read the 10,000 held-out ones; the test digits stayed unread. (So of the *unseen* digits one half is no longer quite unseen in this study: it has chosen the rates.)

# %%
searched = shipped_records("sentences-rates")
names = searched["variant"].str.rsplit(", rate ", n=1, expand=True)
found = 100 * searched["held_out_accuracy"]
found = found.groupby([names[0], names[1]], sort=False).first().unstack()
found = found.rename_axis(index=None, columns="rate")
rates = found.round(2).assign(chosen=found.idxmax(axis=1))


def trainings(sentences):
    """The names of their trainings, each once."""
    names = [trained_as(recipe) for sentence in sentences for recipe in
             (sentence.control, *(rival.recipe for rival in sentence.rivals))]
    return list(dict.fromkeys(names))


first_four = SENTENCES[:4]
rates.loc[trainings(first_four)]

# %% [markdown]
# *Table 11.8. The search for the learning rate: held-out digits right, in percent, one run at each rate. The best one is chosen; of two equal ones, as with the base, the lower (so the program did it from the start; in words it was said only after the first look).*
#
# The base does not train at the highest rate; the others do. For five of the eleven (the four with one layer behind the pool, and the one with three) the best rate is the highest that was tried, and one still higher might be better; for the base it is the lowest, tied with the next. So the search is the same for all, but not equally good for all. And one run at each rate is a choice with luck in it. That run is, at the chosen rate, also the study's run with seed 0: this one pair is a chosen one, and below the verdicts stand without it, too.
#
# Then the study (`cellgrad trials sentences`), each training at its own rate. Of the ten seeds that were planned for the first look, six had run for every network when this page was first published with them; the clock decided that, not the dots. (Of eight networks the seventh had run, too, but was not shown.) By the rule they decided nothing. So the runs went on to twenty, and nobody looked in between. Again a strip of dots for each sentence, and below it the differences, in pairs, now with intervals of 97.5 %.

# %%
trained = shipped_records("sentences")
both = trained["test_accuracy"] + trained["validation_accuracy"]
trained["unseen"] = both / 2
of_each = trained.groupby("variant").size()
trained = trained[trained["variant"].isin(of_each.index[of_each == 20])]
now = trained[trained["variant"].isin(trainings(first_four))]
print(f"{len(now)} runs, twenty seeds of each of {now['variant'].nunique()}")


# %%
def look(sentence, column="unseen", seeds=slice(None)):
    """A row for each rival: its difference from the control, in pairs of seeds."""
    runs = {name: rows.set_index("seed")[column].sort_index().loc[seeds]
            for name, rows in trained.groupby("variant")}
    control, rows = runs[sentence.control.name], {}
    for rival in sentence.rivals:
        pair = runs[trained_as(rival.recipe)], control
        found = compare(*pair, confidence=0.975)
        rows[rival.recipe.name] = {
            "expected": rival.expected, "difference": found.difference,
            "low": found.low, "high": found.high,
            "p": stats.ttest_rel(*pair).pvalue,
            "alike": np.corrcoef(*pair)[0, 1],
        }
    return pd.DataFrame(rows).T


# %%
def dots(sentence, **options):
    names = [sentence.control.name]
    names += [trained_as(rival.recipe) for rival in sentence.rivals]
    shown = pd.concat([trained[trained["variant"] == name] for name in names])
    options |= {"digits": "unseen digits", "base": names[0]}
    plotting.plot_seeds(shown, "unseen", **options)
    plt.show()
    for name, row in look(sentence).iterrows():
        ends = f"({row['low']:+.3f} to {row['high']:+.3f})"
        print(f"{name}: {row['difference']:+.3f} {ends}")


# %% mystnb={"image": {"alt": "Three rows of twenty dots: the base from 99.19 to 99.36 percent; the 3 \u00d7 3 straight to the scores, from 99.28 to 99.40, and the dense layer, from 99.27 to 99.41, lie further right and overlap with it."}}
dots(SENTENCES[0])

# %% [markdown]
# *Figure 11.10. Without a 1 × 1 at the end. The dashed line is the mean of the control, the first row.*
#
# The rivals go straight to the ten scores, by a 3 × 3 or by a dense layer; the parameters that this frees go to the layers before. They also have fewer layers behind the pool, five and four, where the base has six, and batch norm behind each of them but the last, where the base's last 3 × 3 has none.

# %% mystnb={"image": {"alt": "Four rows of twenty dots. Field 28, the control, from 99.13 to 99.30 percent; field 12, from 98.91 to 99.15, and field 36, from 98.97 to 99.16, lie almost wholly to its left; field 20, from 99.26 to 99.38, lies mostly to its right."}}
dots(SENTENCES[1])

# %% [markdown]
# *Figure 11.11. One layer behind the pool, whose dilation alone decides how far it sees; the control sees 28 pixels.*
#
# The depth is the same now, and so are the parameters. One thing that dilation changes besides: the nine weights of a dilated kernel look at places far apart and skip those between, and on a map of 11 × 11 many of them look at padding. How many?

# %%
places = np.arange(11)
for dilation in (1, 3, 5, 7):
    reached = [places + dilation * step for step in (-1, 0, 1)]
    on_each_axis = sum((0 <= place) & (place < 11) for place in reached)
    on_map = np.outer(on_each_axis, on_each_axis)
    mean = on_map.mean()
    print(f"dilation {dilation}: {mean:.1f} of nine weights look at the map,")
    print(f"  all nine at {(on_map == 9).sum()} of 121 places")

# %% [markdown]
# So with a field of 36 two thirds of the looks are wasted, and with the control's half of them. What this picture says about "more is not needed" it says about a field that was widened in this way, and it cannot tell the width from the waste.

# %% mystnb={"image": {"alt": "Four rows of twenty dots. Five layers, the control, from 99.26 to 99.44 percent; one layer lies further left, from 99.13 to 99.30; two layers among those of the control but for one further right; three layers further right, from 99.37 to 99.54."}}
dots(SENTENCES[2])

# %% [markdown]
# *Figure 11.12. A field of 28 pixels by one, two, three or five layers behind the pool, all of nearly the same number of parameters. The one layer is the control of Figure 11.11 once more.*
#
# With fewer layers each is wider, 156 channels in one and 18 in each of five, since the parameters are the same; that belongs to the question. But to see as much, fewer layers must also be dilated more: by 5 in the one layer; by 2 and 3 in the two; by 1, 2 and 2 in the three, where 1 is none; and not at all in the five. So a part of what the depth seems to do may be what dilation does, above all to the one layer. All of them average over 11 × 11 places at the end, like the networks of Figure 11.11. The network with one layer might gain from a rate above 0.4, and its control hardly: a part of their distance may be that.

# %% mystnb={"image": {"alt": "Two rows of twenty dots over nearly the same range: the base from 99.19 to 99.36 percent, the average of 3 \u00d7 3 places from 99.17 to 99.36, most of them a little further right."}}
dots(SENTENCES[3])


# %% [markdown]
# *Figure 11.13. The source's end, and an average of nine places, each at its own rate.*
#
# Now the rule. Holm's correction counts all rivals of the study, those that have not run as if their p-values were the largest:

# %%
def in_words(looked, below):
    """The verdict of each row, by its p and its interval."""
    within = (looked["low"] > -0.05) & (looked["high"] < 0.05)
    looked["verdict"] = np.where(within, "no difference", "undecided")
    certain = looked["p"] < below
    looked.loc[certain & (looked["difference"] > 0), "verdict"] = "better"
    looked.loc[certain & (looked["difference"] < 0), "verdict"] = "worse"
    return looked


# %%
def judge(column="unseen", seeds=slice(None), sentences=first_four):
    looks = [look(sentence, column, seeds) for sentence in sentences]
    looked = pd.concat(looks)
    looked["p"] = holm(looked["p"].astype(float), of=len(bets))
    return in_words(looked, below=0.025)


def verdicts(looked):
    say = lambda p: f"{p:.3f}" if p >= 0.001 else "< 0.001"  # a p is never 0
    points = looked["difference"].astype(float).round(2) + 0.0  # no −0
    p = looked["p"].map(say)
    return looked[["verdict", "expected"]].assign(points=points, p=p)


looked = judge()
verdicts(looked)

# %% [markdown]
# *Table 11.9. The second look: the verdict, what we had expected, the difference from the control in points, and p after Holm's correction, which has to be below 0.025 here.*

# %%
hit = looked["expected"] == looked["verdict"]
undecided = looked["verdict"] == "undecided"
print(f"bets: {hit.sum()} right, {(~hit & ~undecided).sum()} wrong,", end=" ")
print(f"{undecided.sum()} undecided")
alike = looked["alike"].median()
width = ((looked["high"] - looked["low"]).astype(float) / 2).median()
print(f"in the middle: correlation with the control {alike:.2f},", end=" ")
print(f"half an interval {width:.3f} points")

# %% [markdown]
# So now the rule decides, and we have bet badly. What do the rows say, of networks of this size, after four epochs of this training?
#
# - **A 1 × 1 at the end** is not needed: both networks without one read a little better, where we expected no difference. But they spend its parameters on the layers before, and have fewer layers, the last of them with batch norm. What makes them better, this does not tell.
# - **The field.** With one layer behind the pool, 20 pixels are better than 28, and both 12 and 36 are worse. So widening it so far by dilation did harm, whether by the width or by the looks that go to waste; and no single unit of the best of the four spans the whole image (the average over all of them does).
# - **The depth.** At a field of 28, one layer is worse than five, and three are better, with the dilation that it takes. *Two layers* is the only row of the table with the verdict *no difference* of 0.05 points or more, and only just: its interval, which is not corrected, ends a little below the limit.
# - **An average** in place of the source's end stays undecided.
#
# What twenty seeds do not mend: each rate was chosen by one run, and for five trainings it is the highest that was tried. For the base, the control of three of these comparisons, it is the lowest, and tied with the next; a better one might take away a part of the lead of the two without a 1 × 1. The nine comparisons are not nine independent findings: the twenty runs with one layer and a field of 28 are in four of them, the base's in three. And the intervals speak of other seeds on these 20,000 digits, not of other digits; 0.07 points are 14 of them. Do the verdicts hang on which seeds, or which digits, are counted?

# %%
first = judge(seeds=slice(0, 5))
since = judge(seeds=slice(6, None))
clear = first[first["low"] * first["high"] > 0]
same = (clear["difference"] > 0) == (since.loc[clear.index, "difference"] > 0)
print(f"first look: {len(clear)} of {len(first)} intervals without zero,", end=" ")
print(f"{same.sum()} on the side where the other seeds lie")
others = {
    "first look": first,
    "since then": since,
    "test digits": judge("test_accuracy"),
    "without seed 0": judge(seeds=slice(1, None)),
}
pd.DataFrame({name: other["verdict"] for name, other in others.items()})

# %% [markdown]
# *Table 11.10. The verdicts of the same rule on a part of the records: the six seeds of the first look, the fourteen that it did not show, the test digits alone, which have not chosen the rates, and without seed 0, whose runs have.*
#
# At the first look six seeds decided nothing, though six of the nine intervals, each by itself, left zero out, and it would have been easy to find a rule by which some of it was certain. All six lie on the side where the fourteen seeds lie that it did not show. But nobody could know that they would; these fourteen tell. Alone they say the same as all twenty, but for the 3 × 3, which they leave undecided. On the test digits alone, half as many, three of the eight verdicts are undecided again, both of the 1 × 1 and that of the two layers; none turns into its opposite.
#
# The pairs saw the same digits in the same order, moved in the same way, and yet the middle correlation is low: a seed that is lucky for one network is hardly luckier for another. What made the intervals short is their number.
#
# ## The fifth sentence: the field before the pool
#
# The field before the pool, 3, 5 or 9 pixels in place of 7, with the networks of Figure 11.5 and all their other differences. The same search:

# %%
rates.loc[trainings(SENTENCES[4:5])]

# %% [markdown]
# *Table 11.11. The search for the learning rate of the networks that pool elsewhere: held-out digits right, in percent, one run at each rate.*
#
# Then twenty seeds of each, at once, and one judgement.

# %% mystnb={"image": {"alt": "Four rows of twenty dots over nearly the same range, from 99.10 to 99.38 percent: the base; field 3 before the pool, on average hardly higher; field 5, on average higher; and field 9, on average a little lower and spread most widely."}}
dots(SENTENCES[4])


# %% [markdown]
# *Figure 11.14. The pool after one convolution, two, and four, each at its own rate; the first row is the base, which pools after three.*

# %%
def judge_next(number, before):
    """The verdicts of the first so many sentences, and the rivals that are new."""
    sentences = SENTENCES[:number]
    judged = judge(sentences=sentences)
    new = judged.index[len(before):]
    stay = before["verdict"].equals(judged["verdict"].drop(new))
    print("the verdicts before stay:", stay)
    parts = {
        "the test digits alone": judge("test_accuracy", sentences=sentences),
        "without seed 0": judge(seeds=slice(1, None), sentences=sentences),
    }
    for name, part in parts.items():
        other = part["verdict"].loc[new].loc[lambda v: v != judged["verdict"][new]]
        print(f"{name}, otherwise:", dict(other) or "none")
    hit = judged["expected"][new] == judged["verdict"][new]
    unsure = judged["verdict"][new] == "undecided"
    print(f"bets: {hit.sum()} right, {(~hit & ~unsure).sum()} wrong,", end=" ")
    print(f"{unsure.sum()} undecided")
    return judged, new


judged, new = judge_next(5, looked)
verdicts(judged.loc[new])

# %% [markdown]
# *Table 11.12. The fifth sentence: the verdict, what we had expected, the difference from the base in points, and p after Holm's correction over all rivals, which has to be below 0.025.*
#
# A pool right behind the first convolution made no difference of 0.05 points, as we had bet, with six tenths of the multiplications (Table 11.3). But the interval is not corrected and ends a little below the limit, and on the test digits alone it is undecided. With a field of 5 the dots lie higher, and its interval, by itself, leaves zero out; after the correction for all rivals it is undecided. So is a field of 9, whose seeds scatter most. Nothing here speaks for 7 × 7 *before* the pool as a need, then: of the three that do otherwise one comes to the same, and two are undecided. And as before: fields of 5 and 9 also end in a 2 × 2, where the pool stands early there is one layer fewer, and for the base, the control of all three, as for the field of 9, a better rate than the lowest that was tried might be found.
#
# ## The sixth and the seventh sentence: channels, dense layers
#
# Four or sixteen channels up front, with the networks of Figure 11.4. And dense layers once more, but fairly this time: with batch norm (before the ReLU, where the base has it behind), a rate of their own, and room. There are three dense *heads*, layers that look at all places at once, then the ten scores: 13 units on the 11 × 11 places behind the pool, as in the first study; 62 units on the 5 × 5 places that a second pool leaves; and 62 units on 3 × 3 places, behind two more convolutions and a second pool. The last rival has dense layers only, 18 units on the whole digit. What do they cost?

# %%
next_two = SENTENCES[5:7]
recipes = [rival.recipe for sentence in next_two for rival in sentence.rivals]
costs(*(r.name for r in recipes), variants=[next_two[0].control, *recipes])

# %% [markdown]
# *Table 11.13. Parameters, and millions of multiplications for one digit.*
#
# As many parameters, then, but not as much work: with sixteen channels up front three times that of the base, with dense layers only hardly any. The search:

# %%
rates.loc[trainings(next_two)]

# %% [markdown]
# *Table 11.14. The search for the learning rate: held-out digits right, in percent, one run at each rate.*
#
# For two of the rivals the rate of 0.4 is the best, again the highest that was tried; for a third it ties with 0.1, for another 0.2 with 0.05, and of equal ones the lower was taken, as before. At 0.4 the base and both rivals with other channels learn nothing at all; the dense heads, on the base's own front, do learn. The twenty seeds:

# %% mystnb={"image": {"alt": "Three rows of twenty dots: the base from 99.19 to 99.36 percent; 4 channels up front mostly to its left, from 99.04 to 99.25; 16 channels among those of the base."}}
dots(SENTENCES[5])

# %% [markdown]
# *Figure 11.15. Eight channels up front (the base), four, and sixteen, each at its own rate.*

# %% mystnb={"image": {"alt": "Four rows of twenty dots, and an arrow. The base from 99.19 to 99.36 percent; the dense head of 13 units far to its left, from 98.88 to 99.06; that of 62 units on 5 by 5 places from 98.93 to 99.32, mostly to its left; two more convolutions, then 62 units, from 99.24 to 99.41, somewhat to its right. For dense layers only the arrow at the left edge says 94.4 to 95.1."}}
dots(SENTENCES[6], least=98.8)

# %% [markdown]
# *Figure 11.16. Convolutions only (the base), three dense heads, and dense layers only, whose twenty seeds lie far to the left of the axis (each number once, rounded).*

# %%
judged, new = judge_next(7, judged)
verdicts(judged.loc[new])

# %% [markdown]
# *Table 11.15. The sixth and the seventh sentence: the verdict, what we had expected, the difference from the base in points, and p after Holm's correction over all rivals, which has to be below 0.025.*
#
# This time five of our six bets came true, and one is undecided.
#
# - **Eight channels.** Four are worse, what the first study had left undecided, and do half the work. Sixteen made no difference of 0.05 points, at three times the work. That is narrow: its interval, which is not corrected, ends just below the limit, and on the test digits alone, or without the seed whose run chose the rate, it is undecided. But nothing speaks for more than eight.
# - **Convolutions only.** The dense head on 11 × 11 places is worse with batch norm, too, and at a rate of its own; so that it was worse in the first study was not for the lack of these alone. With a second pool before it there is room for 62 units in place of 13, and a little more than a quarter of the distance is left, still enough to be worse (but undecided on the test digits alone). Behind two more convolutions the row is undecided, with an interval that, by itself, lies above zero. And dense layers only are far behind, by some 4.5 points, with batch norm as without.
#
# So at this size the sentence is borne out for dense layers alone, and for the two heads with nothing but pools between them and the front. For a head behind two more convolutions nothing speaks for it, and a dense layer straight to the scores (Table 11.9) read better, undecided on the test digits alone. But the three heads differ in more than their place: in their units, their pools, and what stands before them. And the rates: for the base and for four channels the lowest that was tried was chosen, for the head of 13 units and for dense layers only the highest; better ones might move these rows to either side.
#
# ## The eighth sentence: batch norm
#
# Batch norm stands behind the ReLU. One rival has it before, as most papers do; one has it behind, too, but draws its first weights in He's way; and three do without, with three kinds of first weights. The same search:

# %%
rates.loc[trainings(SENTENCES[7:8])]

# %% [markdown]
# *Table 11.16. The search for the learning rate: held-out digits right, in percent, one run at each rate.*
#
# Without batch norm and with PyTorch's own first weights the network learned nothing at any of the four rates, in one run of each, all with the first weights of seed 0; by our rule it gets the lowest. With He's or orthogonal weights it learned at the two lower rates. Why? Look at the networks before any training. Numbers that come through a layer are multiplied by its weights; do they still say, at the end, which digit went in? For 500 digits, here is how far a number behind a convolution differs from digit to digit (its standard deviation, on average over all numbers of the layer):

# %%
import torch
from torch import nn

from cellgrad.layers import build

without, base = SENTENCES[7].rivals[2].recipe.network, SENTENCES[7].control.network
ways = {
    "PyTorch's": (without, None),
    "He's": (without, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
    "orthogonal": (without, lambda w: nn.init.orthogonal_(w, 2**0.5)),
    "PyTorch's, batch norm": (base, None),
}
rows = {}
for name, (layers, draw) in ways.items():
    torch.manual_seed(0)
    numbers, rows[name] = mnist.normalise(mnist.sample().train.images[:500]), []
    for layer in build(layers):
        if isinstance(layer, nn.Conv2d) and draw:
            draw(layer.weight.data)
            layer.bias.data.zero_()
        numbers = layer(numbers).detach()
        if isinstance(layer, nn.Conv2d):
            rows[name].append(numbers.std(0).mean().item())
pd.DataFrame(rows, index=range(1, 10)).iloc[::2].T.round(4)

# %% [markdown]
# *Table 11.17. How far the numbers behind the first, third, fifth, seventh and ninth convolution (the scores) differ from digit to digit before any training: without batch norm, for three ways to draw the first weights, and with it.*
#
# PyTorch's own weights are small: from column to column, over two layers, only about a seventh is left, and after nine layers the scores hardly depend on the digit. Nor does the loss, and the first steps have almost nothing to go by; whether such a run gets going is a matter of luck. He's and orthogonal weights are made so that a layer with a ReLU hands on as much as it got. Batch norm does this for the source's network with PyTorch's own weights, up to the last two convolutions, which have none behind them. The twenty seeds:

# %% mystnb={"image": {"alt": "Six rows of dots on an axis from 96.5 percent, twenty in each but one. Base, batch norm before the ReLU and He's first weights lie closely together near 99.25; no batch norm has eighteen from 97.3 to 98.6, and an arrow at the left edge that says 11.0; without batch norm, with He's first weights from 98.5 to 98.9 and with orthogonal ones from 98.6 to 98.9, and one at 98.0."}}
dots(SENTENCES[7], least=96.5)

# %% [markdown]
# *Figure 11.17. Batch norm behind the ReLU (the base), before it, and not at all, with three kinds of first weights, each at its own rate. (The arrow stands for two seeds.)*

# %%
judged, new = judge_next(8, judged)
verdicts(judged.loc[new])

# %% [markdown]
# *Table 11.18. The eighth sentence: the verdict, what we had expected, the difference from the base in points, and p after Holm's correction over all rivals, which has to be below 0.025.*
#
# Two bets came true here, and three rows are undecided, each of them in its own way.
#
# - **Before or behind?** Before the ReLU the dots lie a little higher, and with He's first weights a little lower. Each of the two intervals, by itself, leaves zero out; after the correction for all rivals both are undecided.
# - **Without** batch norm, and with first weights made for that, the network is worse by more than half a point. Both rows have the lowest rate that was tried, and read more there than at the next, in one run; a still lower one might take away a part of the distance. At 0.2, where the base still learns, they did not.
# - **With PyTorch's own first weights** it is *undecided*, though the row looks like the clearest of all. Look closer:

# %%
of_variant = trained.set_index("seed").groupby("variant")["unseen"]
bare, base = (of_variant.get_group(name) for name in ("no batch norm", "base"))
failed = bare < 0.5
print("learned nothing: seeds", *bare.index[failed])
others = bare[~failed]
print(f"the others: {others.min():.2%} to {others.max():.2%};", end=" ")
print(f"the worst seed of the base: {base.min():.2%}")
fewer = int((bare < base).sum())
print(f"below its pair: {fewer} of {len(bare)};", end=" ")
print(f"by their signs alone p = {stats.binomtest(fewer, len(bare)).pvalue:.0e}")

# %% [markdown]
# Two seeds learned nothing, and one of them is seed 0, by which the search had to choose; so it chose blindly. The other eighteen learned, and the best of them is behind the worst of the base. A test that counts only on which side of its pair each seed lies would call this as certain as twenty pairs can be. But our rule compares means by a *t*-test, and two failures among twenty make the spread so wide that the interval reaches across zero. A rule that is written down before can be wrong about what it will meet. We keep it, since whoever may change it afterwards can have any verdict; so the row says *undecided*, and this paragraph says why. For the longer runs, which had not begun then, we have put ranks in the place of means.
#
# ## The ninth sentence: dropout
#
# Dropout behind the pool, as in the first comparison of this chapter, but with another rate: the search has chosen 0.05 for both networks, where both had 0.2 then.

# %%
rates.loc[trainings(SENTENCES[8:9])]

# %% [markdown]
# *Table 11.19. The search for the learning rate: held-out digits right, in percent, one run at each rate. At 0.4 the loss of the network with dropout was no number any more, and there is no record.*

# %% mystnb={"image": {"alt": "Two rows of twenty dots that overlap: the base from 99.19 to 99.36 percent, dropout 0.2 behind the pool from 99.12 to 99.32, on average a little further left."}}
dots(SENTENCES[8])

# %% [markdown]
# *Figure 11.18. Without dropout (the base), and with.*

# %%
judged, new = judge_next(9, judged)
verdicts(judged.loc[new])

# %% [markdown]
# *Table 11.20. The ninth sentence: the verdict, what we had expected, the difference from the base in points, and p after Holm's correction over all rivals, which has to be below 0.025.*
#
# As we had bet, dropout behind the pool made no difference of 0.05 points, in either direction. The interval, which is not corrected, ends just inside the limit, and on the test digits alone the row is undecided. Both networks have the lowest rate that was tried, and both train for four epochs only. Dropout is there for networks that learn their training digits by heart; whether this one begins to in so few passes was not asked.
#
# ## The tenth and the eleventh sentence: moved digits, a constant rate
#
# How the digits are moved, and what the learning rate does. The base shifts each digit by up to two pixels; the rivals leave it where it is, shift it by up to one, or turn, scale and move it as the source does. And where the rate of the base runs through one cycle, the last rival's stays as it is. The search:

# %%
last_two = SENTENCES[9:11]
rates.loc[trainings(last_two)]

# %% [markdown]
# *Table 11.21. The search for the learning rate: held-out digits right, in percent, one run at each rate.*
#
# At 0.4 only the network that sees the digits as they are learns anything. It and the constant rate read best at the lowest rate that was tried, as does the base, for which 0.05 and 0.1 tie. (The pairs share first weights and the order of the digits; how the digits move they share only in the last comparison.)

# %% mystnb={"image": {"alt": "Four rows of twenty dots: the base from 99.19 to 99.36 percent; digits as they are from 99.11 to 99.31; shifted by up to one pixel mostly further right, from 99.23 to 99.38; turned, scaled and moved as the source does mostly further left, from 99.06 to 99.29."}}
dots(SENTENCES[9])

# %% [markdown]
# *Figure 11.19. Digits shifted by up to two pixels (the base), not at all, by up to one, and moved as the source does, each at its own rate.*

# %% mystnb={"image": {"alt": "Two rows of twenty dots that do not overlap: the base from 99.19 to 99.36 percent, the constant rate from 98.65 to 99.18, much more widely spread."}}
dots(SENTENCES[10])

# %% [markdown]
# *Figure 11.20. One cycle of rates (the base), and a constant rate.*

# %%
judged, new = judge_next(11, judged)
verdicts(judged.loc[new])

# %% [markdown]
# *Table 11.22. The tenth and the eleventh sentence: the verdict, what we had expected, the difference from the base in points, and p after Holm's correction over all rivals, which has to be below 0.025.*
#
# Two bets came true, and two did not.
#
# - **Digits as they are** and digits shifted by up to two pixels came to the same: no difference of 0.05 points, where we had bet on worse. Of all rows with this verdict it is the only one that also has it on the test digits alone and without seed 0.
# - **Shifted by up to one pixel** was better than by up to two, where we had bet on no difference. But it has four times the rate of the base, whose own search ended in a tie of the two lowest; so a part of this may be the rate. On the test digits alone it is undecided.
# - **Turned, scaled and moved as the source does** was worse, in so few passes, and on the test digits alone, too; so we had bet.
# - **A constant rate** was worse, as we had bet; on the test digits alone, too. Its dots lie much further apart than the base's. A rate that stays high cannot make the fine corrections of a [cycle's](glossary.md#term-one-cycle) end; so we suppose, and no row tries it. The search chose the lowest of four for it. The source has a constant rate, too, but of 0.01, which was not among them. (In the first study its mean lay below that of the constant 0.05, but its four seeds lie so far apart that this says little.)
#
# These four have a verdict, so by the rule they do not train longer. The source trains for twenty epochs; there, movement may be worth more, but that is not tested here.
#
# ## All sentences together
#
# All 28 rivals have run, and with them the base and the five layers, which are only controls: 600 runs. (A third control is a rival, too.) Sorted by their differences:

# %%
pairs = {rival.recipe.name: (trained_as(rival.recipe), sentence.control.name)
         for sentence in SENTENCES for rival in sentence.rivals}
mean = 100 * of_variant.mean()
in_order = judged.sort_values("difference", ascending=False)
table = verdicts(in_order).drop(columns="expected")
table["right, %"] = [round(mean[pairs[name][0]], 2) for name in table.index]
table["control"] = [pairs[name][1] for name in table.index]
table

# %% [markdown]
# *Table 11.23. All rivals of the second study: the verdict, the difference from the control in points, p after Holm's correction, which has to be below 0.025, the mean of all twenty seeds, and the control.*

# %% mystnb={"image": {"alt": "All 28 rivals, a row each, with the difference from its control and its interval. At the top five blue triangles that point up, from 0.10 to 0.07 points; then six black dots and five green squares, mixed, whose intervals begin or end in the grey band or lie within it; below them eight orange triangles that point down, from minus 0.08 to minus 0.37 points. Four rows at the bottom are arrows that leave the picture at the left, three orange ones with the numbers -0.56, -0.56 and -4.55, and a black one with -9.90."}} tags=["hide-input"]
plotting.plot_intervals(in_order, reach=0.5, base="its control")
plt.show()

# %% [markdown]
# *Figure 11.21. The same as a picture, with intervals of 97.5 %, uncorrected. Blue, pointing up: better; orange, pointing down: worse; green squares: no difference of 0.05 points (the grey band); black dots: undecided. (In Figure 11.9 the looks stood for the intervals alone; here a black dot whose interval leaves zero out, as four do, has not survived the correction.) Arrows stand for what lies further out, and show no interval.*
#
# Before we believe it: what does each of these verdicts hang on? First, on the digits.

# %%
on_test = judge("test_accuracy", sentences=SENTENCES)
held_out = judge("validation_accuracy", sentences=SENTENCES)
parts = pd.DataFrame({"all unseen digits": judged["verdict"],
                      "test digits": on_test["verdict"],
                      "held-out digits": held_out["verdict"]})
wider = (on_test["high"] - on_test["low"]) / (judged["high"] - judged["low"])
print(f"in the middle an interval is {wider.median():.2f} times as wide", end=" ")
print("on the test digits alone")
ahead = (held_out["difference"] > on_test["difference"]).sum()
chance = stats.binomtest(int(ahead), len(judged)).pvalue
print(f"further ahead on the held-out digits: {ahead} of {len(judged)}", end=" ")
print(f"rivals; by coin tosses p = {chance:.2f}")
parts[parts.nunique(axis=1) > 1]

# %% [markdown]
# *Table 11.24. The rows that have another verdict on one of the two halves of the unseen digits.*
#
# On either half some verdicts are lost, to *undecided*; half as many digits carry less. Which half loses which is partly luck. One row has a verdict on a half alone, *field 5*, better on the held-out digits. No verdict turns into its opposite. (The held-out digits have chosen the rates. That may flatter the rivals on them, and the controls, too. Next to their controls most rivals are a little further ahead there than on the test digits; but so many, or more, on one side come up once in a dozen times by tossing coins, and oftener where rows share a control.)
#
# Why is the 3 × 3 straight to the scores *better* on the test digits here, and undecided in Table 11.10? Holm's correction multiplies each p by the number of rivals whose p is not smaller, and as long as most rivals had not run, these all counted. So the p-values of Table 11.23 are smaller than those in the tables before, or equal. On all unseen digits no verdict has changed by that.
#
# Second, on the rates:

# %%
print(rates["chosen"].value_counts().sort_index().to_string())
with_base = [name for name, (_, control) in pairs.items() if control == "base"]
print("have the base as control:", len(with_base), "of", len(pairs))


# %% [markdown]
# Two of the four rates are edges, so luck alone would end about half of the thirty searches there, and about half of them did. But seven ended at the upper edge, where a still higher rate might be better; and the base, the control of most rows, for which 0.05 and 0.1 were equal, got the lower. So these rows are not independent findings. Three of the five *better* are among them, and twenty seeds of the base at 0.1 would tell how much of their lead is its rate; they have not been run.
#
# Third, on the way of testing. The *t*-test has failed us in one row. What would ranks have said, which we use for the longer runs?

# %% tags=["core"]
def signed_ranks(ours, base):
    """Wilcoxon's p: how often chance makes ranks as one-sided as these, or more."""
    digits = np.round(20_000 * (ours - base))  # whole: rounding breaks no ties
    digits = digits[digits != 0]
    ranks = (2 * stats.rankdata(abs(digits))).astype(int)  # shared ranks are halves
    chance = np.ones(1)  # of each sum of the ranks on the side of ours
    for rank in ranks:  # on this side or on the other, equally often
        chance = np.convolve(chance, np.bincount([0, rank])) / 2
    side = ranks[digits > 0].sum()
    return min(1, 2 * min(chance[:side + 1].sum(), chance[side:].sum()))


# %%
try_it = pd.Series([1, 1, -2, 3, -3, 5]) / 20_000
exact = stats.wilcoxon(try_it, method=stats.PermutationMethod())
print(f"ours {signed_ranks(try_it, 0):.5f}, SciPy's {exact.pvalue:.5f}")
by_ranks = holm(pd.Series({
    name: signed_ranks(of_variant.get_group(rival), of_variant.get_group(control))
    for name, (rival, control) in pairs.items()
}))
by_rule = judged["verdict"].isin(["better", "worse"]).reindex(by_ranks.index)
only_rule = list(by_ranks.index[by_rule & (by_ranks >= 0.025)])
print("decided by our rule alone:", *only_rule or ["none"])
print("decided by ranks alone:", *by_ranks.index[~by_rule & (by_ranks < 0.025)])
print("undecided by both, but by ranks nearly not:")
print(by_ranks[~by_rule & by_ranks.between(0.025, 0.05)].round(3).to_string())

# %% [markdown]
# Ranks call *better* or *worse* what our rule does, and the one row besides; three others come close. And what had we bet?

# %%
print(pd.crosstab(judged["expected"], judged["verdict"]).to_string())
right = judged["verdict"] == judged["expected"]
unsure = judged["verdict"] == "undecided"
print(f"\nbets: {right.sum()} right, {(~right & ~unsure).sum()} wrong,", end=" ")
print(f"{unsure.sum()} undecided")


# %% [markdown]
# Ten of the thirteen bets on *worse* came true, but only three of the fifteen on *no difference*: six were wrong, five of them because the rival was *better*, which we had expected of none, and six rows are undecided. And *no difference* is hard to reach, since a difference has to be small and its interval short.
#
# What the table does not say, then:
#
# - The rows have three controls, so their order is no order of networks. The first row is better than its control; but this control is itself one of the *worse* rows (*field 28 in one layer* is the same training), and the best mean belongs to *field 28 in three layers*, the second row.
# - *Better* and *worse* need not be worth caring about. Of the five *better* only the first has an interval that lies beyond 0.05 points (the second ends at the limit); of the *worse*, the intervals of the head of 62 units and of the source's movement come closer to zero than that.
# - *No difference* is by intervals that are not corrected, and of the five rows only the digits as they are have it on the test digits alone.
# - Three undecided rows have a p of about 0.04, and would have a verdict by the usual 0.05. Our 0.025 pays for a first look that saw only the first four sentences; but so it was written down.
# - The intervals speak of other seeds on these 20,000 digits, not of other digits.
#
# ## After twelve epochs
#
# By the rule the seven undecided rows and their control, the base, trained for twelve epochs, with ten seeds (`cellgrad trials sentences-longer`), at the rates that were chosen at four. (The runs began before the last four rivals were complete. Those four could not have changed the seven: the smallest p of the seven, 0.040 in Table 11.23, has been multiplied by twelve there, and with all four certain it would still have been by eleven.)

# %% tags=["core"]
def in_pairs(records, digits=("test_accuracy", "validation_accuracy")):
    """Accuracies by seed and training; and each training against the base."""
    read = records[list(digits)].mean(axis=1)
    runs = read.groupby([records["seed"], records["variant"]]).first().unstack()
    rows = {}
    for name in records["variant"].unique():
        if name != "base":
            found = compare(runs[name], runs["base"])
            rows[name] = {"difference": found.difference, "low": found.low,
                          "high": found.high, "mean": 100 * runs[name].mean(),
                          "p": signed_ranks(runs[name], runs["base"])}
    looked = pd.DataFrame(rows).T
    looked["p"] = holm(looked["p"])
    return runs, in_words(looked, below=0.05)


def ends(row):
    return f"{row['low']:+.3f} to {row['high']:+.3f}"


# %%
longer = shipped_records("sentences-longer")
longer["unseen"] = longer[["test_accuracy", "validation_accuracy"]].mean(axis=1)
runs_12, after_12 = in_pairs(longer)
print(f"{len(longer)} runs, {len(runs_12)} seeds of each;", end=" ")
print(f"the base: {mean['base']:.2f} % after four epochs,", end=" ")
print(f"{100 * runs_12['base'].mean():.2f} % after twelve")

# %% mystnb={"image": {"alt": "Seven rows of ten dots, and an arrow. The base from 99.38 to 99.45 percent, the most closely packed; the others from 99.33 to 99.50, overlapping with it. For no batch norm only an arrow at the left edge, from 98.8 to 99.2."}}
plotting.plot_seeds(longer, "unseen", digits="unseen digits", base="base",
                     least=99.3)
plt.show()

# %% [markdown]
# *Figure 11.22. What four epochs left undecided, after twelve, each at the rate chosen for four. The first row is the base; the arrow stands for all ten seeds of its row.*

# %%
after_12["expected"] = judged["expected"]
table = verdicts(after_12)
table["interval"] = after_12.apply(ends, axis=1)
table["after four"] = judged["difference"].astype(float).round(2)
table


# %% [markdown]
# *Table 11.25. After twelve epochs: the verdict, what we had expected, the difference from the base in points, p by signed ranks after Holm's correction over the seven, which has to be below 0.05; the 95 % interval, uncorrected; and the difference after four epochs, with twenty seeds.*

# %%
def on_parts(records, judged):
    """Which verdicts are others on half of the digits, or without one seed."""
    parts = {
        "the test digits alone": in_pairs(records, ["test_accuracy"]),
        "the held-out digits alone": in_pairs(records, ["validation_accuracy"]),
        "without seed 0": in_pairs(records[records["seed"] > 0]),
    }
    for name, (_, part) in parts.items():
        other = part["verdict"][part["verdict"] != judged["verdict"]]
        said = [f"  {row}: {word}" for row, word in other.items()] or ["  none"]
        print(f"{name}, otherwise:", *said, sep="\n")


on_parts(longer, after_12)
by_t = pd.Series({name: stats.ttest_rel(runs_12[name], runs_12["base"]).pvalue
                  for name in after_12.index})
by_t = in_words(after_12.assign(p=holm(by_t)), below=0.05)["verdict"]
print("the same by t-tests:", by_t.equals(after_12["verdict"]))
half = (after_12["high"] - after_12["low"]).median() / 2
print(f"half an interval, in the middle: {half:.3f} points")

# %% [markdown]
# One row is worse, three make no difference of 0.05 points, and three are undecided still. Of our seven bets on these rows four came true, and none was wrong.
#
# - **No batch norm**, with PyTorch's first weights, is worse, and on either half of the digits, too. All ten seeds have learned now, among them seed 0, which had learned nothing in four epochs. So all ten begin in twelve epochs, at a rate that was chosen blindly, and none catches up; seed 19, the other that had failed, was not among them. (The ranks were brought in because of this row. They decide nothing here, as the print says.)
# - **No difference**: a field of 9 before the pool, two more convolutions and then 62 units, and He's first weights. No interval is corrected. That of the 62 units is as narrow a case as can be: it leaves zero out, and ends just below the limit, so this row says *if it is better, then by less than 0.05*. It is undecided on either half of the digits alone; the other two are undecided on the held-out digits alone.
# - **Undecided**: an average of 3 × 3 places, a field of 5 before the pool, batch norm before the ReLU. Each reads a little better than the base, as after four epochs, and each interval goes beyond 0.05. That of the field of 5, by itself, still leaves zero out; after the correction for the seven it decides nothing. The other two hold zero.
#
# The level rises, for the base by more than any of these rivals but one is away from it. All seven differences are smaller than before, some only by a little; but there ten seeds stand against twenty, and whether longer training shrinks them was not tested. And the rates were chosen for four epochs; a rate for twelve might move these rows to either side.
#
# ## With the tricks of `best`
#
# How far do the verdicts reach? All networks of this chapter were trained as the recipe `book` trains. The recipe [`best`](12-how-small-how-fast.ipynb) has three tricks more: [Nesterov's momentum](glossary.md#term-Nesterov-momentum), [smoothed labels](glossary.md#term-label-smoothing), and digits that are turned, scaled and moved a little in place of shifted. (What else it has, another network, sixty epochs, larger batches and nine readings of each digit, stays aside.) So what the verdicts have decided about the network (the eight rivals of the base that are *better* or *worse* and have other layers than it) trains once more with all three, and so does the base: four epochs, ten seeds, the rates of before (so a change may come from any of the three, or from a rate that no longer suits), each digit read once (`cellgrad trials sentences-tricks`). The rule, written down before the first of these runs:
#
# - The verdicts: as for the longer runs, by signed ranks, with p below 0.05 after Holm's correction over the eight, and 95 % intervals for *no difference*. They are compared with the words of Table 11.23: the same word *stays*; the opposite, or *no difference*, does not; *undecided* neither confirms nor refutes, since ten seeds carry less than twenty. Only the next line, not a lost verdict, says that the tricks change something.
# - A row *changes* where the two differences from the base, with the tricks and without, differ from each other, seed by seed, on the seeds 0 to 9 of both: by signed ranks, with p below 0.05 after Holm's correction over the eight. It does *not change* where the 95 % interval of this difference between differences, uncorrected, lies within 0.05 points. Everything else is *undecided*, and neither confirms nor refutes our bet.
# - The base with the tricks against the base without is a comparison of its own: by signed ranks, p below 0.05, and the 95 % interval for *no difference*. So the verdicts, the changes and this one have five percent each.
# - A run whose loss becomes no number has no record; it counts as one that reads a tenth of the digits. No seed is left out or run again.
#
# (What stays, what does not change and what a run without a record counts for was written down while the first runs were being made, before anybody had looked at one.)
#
# We bet that all eight verdicts stay, that no row changes, and that the base is *worse* with the tricks: four passes are few for digits that never look the same twice. First the base:

# %%
tricked = shipped_records("sentences-tricks")
runs_tricks, with_tricks = in_pairs(tricked)
first_ten = trained[trained["variant"].isin(runs_tricks) & (trained["seed"] < 10)]
runs_plain, without = in_pairs(first_ten)
base = pd.DataFrame({"with": runs_tricks["base"], "without": runs_plain["base"]})
found = compare(base["with"], base["without"])
p = signed_ranks(base["with"], base["without"])
level = 100 * base.mean()
print(f"{len(tricked)} runs, {len(runs_tricks)} seeds of each")
print(f"the base: {level['without']:.2f} % without the tricks,", end=" ")
print(f"{level['with']:.2f} % with them:")
print(f"  {found.difference:+.3f} points", end=" ")
print(f"({found.low:+.3f} to {found.high:+.3f}), p = {p:.3f}")

# %%
ahead = {name: runs.sub(runs["base"], axis=0)[with_tricks.index]
         for name, runs in (("with", runs_tricks), ("without", runs_plain))}
change = ahead["with"] - ahead["without"]
moved = [compare(column, 0 * column) for _, column in change.items()]
moved = pd.DataFrame(moved, index=with_tricks.index)
p_moved = holm(change.apply(signed_ranks, base=0))[moved.index]
within = (moved["low"] > -0.05) & (moved["high"] < 0.05)
with_tricks["expected"] = judged["verdict"]  # of twenty seeds without the tricks
table = verdicts(with_tricks).rename(columns={"expected": "without them"})
table["changes"] = np.where(p_moved < 0.05, "yes",
                            np.where(within, "no", "undecided"))
table["by"] = moved.apply(ends, axis=1)
table["p of it"] = p_moved.map(lambda p: f"{p:.3f}")
table

# %% [markdown]
# *Table 11.26. With the tricks: the verdict; the one of Table 11.23, by twenty seeds without them; the difference from the base in points, p by signed ranks after Holm's correction over the eight (Figure 11.23 has the intervals); whether the row changes, the 95 % interval of the difference between the two differences, and its p, corrected alike.*

# %% mystnb={"image": {"alt": "Eight rows, each with two differences from the base and their intervals: coloured with the tricks, and below it grey without. In seven rows the two overlap widely: two blue triangles that point up, near 0.08 points, and five orange ones that point down, from minus 0.08 to minus 0.57. The row of dense layers only is an arrow that leaves the picture at the left, minus 4.07."}} tags=["hide-input"]
ax = plotting.plot_intervals(with_tricks, reach=0.8)
for row, name in enumerate(with_tricks.index):
    ends_without, lower = without.loc[name, ["low", "high"]], row + 0.26
    ax.plot(ends_without, [lower, lower], color=plotting.FAINT)
    middle = without.loc[name, "difference"]
    ax.plot(middle, lower, "o", mfc="none", color=plotting.FAINT)
plt.show()

# %% [markdown]
# *Figure 11.23. The eight rivals with the tricks (coloured: pointing up better, pointing down worse) and without (grey), ten seeds of each, with 95 % intervals, uncorrected. The arrow stands for dense layers only, which without the tricks lie further left still.*

# %%
on_parts(tricked, with_tricks)
stay = with_tricks["verdict"] == with_tricks["expected"]
print(f"verdicts that stay: {stay.sum()} of {len(stay)}")
print(table["changes"].value_counts().to_string())

# %% [markdown]
# All eight verdicts stay, as we had bet. Whether a row *changes* is a finer question, and ten seeds answer it for two of the eight. *Dense layers only* changes, where we had bet on none: with the tricks it is almost half a point less far behind, and still by far the last. *A head of 62 units on 5 × 5 places* does not change, by an interval that is not corrected. For the other six it is undecided; no interval of theirs leaves zero out. And the base, which we had expected to be worse, is undecided: it read a little better with the tricks. (On the test digits alone three of the verdicts are undecided, as is printed above.)
#
# So within four epochs, and at rates that were chosen without the tricks, nothing here says that what was decided about the network was a matter of how `book` trains, but for how far dense layers lie behind. Which of the three tricks helps them was not asked.
#
# ## Recap
#
# - Is the advice true, for networks of this size after four epochs (and, where these left it undecided, after twelve)? By the second study, with twenty seeds (ten for the twelve epochs), on the held-out and the test digits together (the sentences as in Table 11.7): for batch norm against none (with PyTorch's own first weights only after twelve epochs), for convolutions against dense layers only and two of three dense heads, and for eight channels against four, the source's choice did better. For the 1 × 1, the five layers, a single layer's field of 28, the source's moved digits and a constant rate, something else did. The rest made no difference, or is undecided.
#   - *A 1 × 1 at the end*: two networks without it, with fewer and wider layers and higher rates, were better; on the test digits alone the one with a dense layer is undecided.
#   - *28 × 28 at the end, more is not needed*: with a single, dilated layer behind the pool a field of 20 was better than one of 28; 12 and 36 were worse. That may be the field, or the weights that look at padding.
#   - *Layer by layer*: at a field of 28 one layer behind the pool was worse than five, two made no difference of 0.05 points, and three were better.
#   - *Nothing is averaged*: undecided, after twelve epochs, too.
#   - *7 × 7 before the pool*: pooling behind the first convolution made no difference of 0.05 points; nor did pooling behind the fourth, in twelve epochs (in four it was undecided); pooling behind the second is undecided in four epochs and in twelve.
#   - *Eight channels up front*: four were worse; sixteen made no difference of 0.05 points, at three times the work.
#   - *Convolutions only*: dense layers only were far worse, and two dense heads directly behind the first convolutions and their pools worse (the one with 62 units undecided on the test digits alone); a head behind two more convolutions made no difference of 0.05 points after twelve epochs, only just, and is undecided on either half of the digits.
#   - *Batch norm behind the ReLU*: before it, undecided, after twelve epochs, too; with He's first weights no difference of 0.05 points after twelve. Without it, worse: with first weights made for that after four epochs, with PyTorch's own after twelve (after four undecided by our rule, though all twenty seeds lie below their pairs).
#   - *Dropout*: no difference of 0.05 points.
#   - *Digits turned, scaled and moved*, as the source does: worse, in so few epochs, than shifted by up to two pixels. Not moved: no difference of 0.05 points. Shifted by up to one: better, at another rate, and undecided on the test digits alone.
#   - *The rate stays*: at 0.05 worse than one cycle. The source's 0.01 was not tried in this study.
#   - Each *no difference* is by an interval that is not corrected, and each of the eight is undecided on one half of the unseen digits or on both. Each rate is the best of four, by one run each, of four epochs (without batch norm and with PyTorch's first weights all four learned nothing, and the lowest was taken).
# - With three tricks of `best` in place of the plain training of `book` all eight verdicts that were tried again stay; one row is known to change (dense layers only are less far behind), one not to, and six are undecided.
# - Advice that works in one network has not been tested. Change one thing, give every rival the same chance, look at the interval.
# - "No difference we could measure" comes with a number: how large a difference could have hidden.
# - With many comparisons, some look real by chance. Only a *better* or *worse* that survives a correction for all of them is a finding.
# - A verdict may hang on an assumption. The source's small constant rate is worse in the first study if all networks have one common spread, which they hardly have, and undecided without it.
# - A rule written down before the runs is kept, even where the dots look convincing, and where it turns out to be a bad one; then say so beside the verdict.
# - What one expects is worth writing down: of our 28 bets thirteen came true after four epochs, eight did not, and seven were undecided; of these seven, four came true after twelve.
# - Four seeds, as in the first study, find only what is far out. By Welch's test with Holm's correction a field of 12 and a constant rate of 0.05 were worse there, and so were the two networks with dense layers, the one with a dense head only just. (These had a quarter of the rate, and no batch norm.) And at the high rate a network without batch norm did not learn. In pairs and with Bonferroni's correction only two of these stand. Everything else was undecided.
#
# ## Exercises
#
# Give your answers to `check` in a cell of your own. It says whether one is right, and gives a hint where it is not yet.
#
# **1.** *On paper.* Two variants differ by 0.30 points in one pair of seeds and by 0.10 in another. Give the mean and the standard error of the two differences. With two pairs Gosset's factor is 12.7: does the interval hold zero?
#
# *Check:* `check("11.1", …)` with the mean and the standard error.
#
# <details>
# <summary>Hint</summary>
#
# The standard deviation of two numbers is their distance divided by √2; the standard error divides once more by √2.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# two = np.array([0.30, 0.10])
# error = two.std(ddof=1) / 2**0.5
# reach = stats.t.ppf(0.975, 1) * error
# print(f"{two.mean():.2f} ± {reach:.2f}: zero is inside, {reach > two.mean()}")
# check("11.1", (two.mean(), error))
# ```
#
# It prints:
#
# ```text
# 0.20 ± 1.27: zero is inside, True
# Right.
# ```
# </details>
#
# **2.** Compare *digits as they are* with *rotated, scaled, moved* directly, without the base.
#
# *Check:* `check("11.2", …)` with the difference and the two ends of its interval, in points.
#
# <details>
# <summary>Hint</summary>
#
# `compare` takes two series of accuracies, each indexed by seed; `runs` has them by name.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# answer = compare(runs["rotated, scaled, moved"], runs["digits as they are"])
# print(f"{answer.difference:+.2f} points, {answer.low:+.2f} to {answer.high:+.2f}:", answer.verdict)
# check("11.2", (answer.difference, answer.low, answer.high))
# ```
#
# It prints:
#
# ```text
# -0.08 points, -0.19 to +0.02: no difference we could measure; 0.19 could hide
# Right.
# ```
#
# It is one comparison picked after a look at the table, so it deserves the same correction as the others.
# </details>
#
# **3.** What would have become of the intervals, had we looked at the 10,000 test digits only? Take the networks whose control is the base.
#
# *Check:* `check("11.3", …)` with how many times as wide an interval becomes, in the middle of all comparisons.
#
# <details>
# <summary>Hint</summary>
#
# `against` takes the name of the column to compare: `"test_accuracy"` in place of `"unseen"`. Leave the three of `slow` out of the records.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# with_base_ = records[~records["variant"].isin(slow)]
# test_only, unseen = (against(with_base_, "base", c) for c in ("test_accuracy", "unseen"))
# wider = (test_only["high"] - test_only["low"]) / (unseen["high"] - unseen["low"])
# print(f"in the middle, an interval is {wider.median():.2f} times as wide")
# check("11.3", wider.median())
# ```
#
# It prints:
#
# ```text
# in the middle, an interval is 1.11 times as wide
# Right.
# ```
#
# A little wider, far from the √2 that half the digits would cost if they were all of the luck: with these four seeds twice the digits hardly narrow the intervals. But four seeds give a rough width. With the twenty of the second study the middle factor is nearer to √2 (above Table 11.24), and *How small, how fast* takes the spread apart with 200.
# </details>
#
# **4.** Forget the pairs: compare *average pool* with the base as two separate groups (`stats.ttest_ind`). Is the interval wider or narrower than with pairs, and why?
#
# *Check:* `check("11.4", …)` with the width of the interval of separate groups and of that in pairs, in points.
#
# <details>
# <summary>Hint</summary>
#
# Its result has `confidence_interval()`, in fractions, not in points.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# groups = stats.ttest_ind(runs["average pool"], runs["base"]).confidence_interval()
# pairs_ = compare(runs["average pool"], runs["base"])
# print(f"separate: {100 * groups.low:+.2f} to {100 * groups.high:+.2f}")
# print(f"in pairs: {pairs_.low:+.2f} to {pairs_.high:+.2f}")
# both = pd.concat([runs["average pool"], runs["base"]], axis=1)
# print(f"correlation between the two: {both.corr().iloc[0, 1]:+.2f}")
# check("11.4", (100 * (groups.high - groups.low), pairs_.high - pairs_.low))
# ```
#
# It prints:
#
# ```text
# separate: -0.01 to +0.16
# in pairs: -0.03 to +0.18
# correlation between the two: +0.06
# Right.
# ```
#
# Pairing helps as far as a seed is lucky or unlucky for both networks. Where the two change little together, it gains little; it even costs something, because only half as
# many numbers are left to estimate the spread from.
# </details>
#
# **5.** *Design.* Which two other changes does *field 12 at the end* bring along? Write a variant without the first of them: as many convolutions as the base has, nine with the one that gives the scores, and parameters within a twentieth of the base's, with a field of 12 at the end. It may average.
#
# *Check:* `check("11.5", …)` with your layer list.
#
# <details>
# <summary>Hint</summary>
#
# Kernels of 1 × 1 in some places keep the number of layers and narrow the field; more channels make up for the parameters. `count_parameters` and `cost_table` check both.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# from cellgrad.layers import batch_norm, conv, flatten, global_avg_pool, max_pool, relu
#
# def stage(channels, kernel):
#     return (conv(channels, kernel), relu, batch_norm)
#
# narrow = (*stage(8, 3), *stage(8, 3), *stage(8, 3), max_pool(2),
#           *stage(32, 3), *stage(64, 1), *stage(64, 1), *stage(40, 1), conv(32, 1), relu,
#           conv(10, 1), global_avg_pool, flatten)
# print(count_parameters(narrow), "parameters, the field before the average is",
#       cost_table(narrow)["size"].iloc[-3], "pixels")
# check("11.5", narrow)
# ```
#
# It prints:
#
# ```text
# 14280 parameters, the field before the average is 12 pixels
# Right.
# ```
#
# Eight convolutions before the scores, as in the base, but it still averages at the end. To remove that too, the base needs the same average.
# </details>
#
# **6.** About how many seeds would it take to find a difference of 0.05 points, if the spread of one run is that of the base? Ask a simulation, not a formula.
#
# *Check:* `check("11.6", …)` with the number of seeds of each.
#
# <details>
# <summary>Hint</summary>
#
# Draw two groups of n numbers from a bell curve (`rng.normal`) whose means differ by 0.05 and count how often `stats.ttest_ind` gives p < 0.05. Raise n until it is four times in five, first in large steps, then one by one.
# </details>
#
# <details>
# <summary>Solution</summary>
#
# ```python
# rng = np.random.default_rng(0)
# spread = 100 * runs["base"].std()
# for n in (4, 8, 16, 19, 20, 21, 22, 32):
#     ours = rng.normal(0.05, spread, (20_000, n))
#     theirs = rng.normal(0, spread, (20_000, n))
#     found = (stats.ttest_ind(ours, theirs, axis=1).pvalue < 0.05).mean()
#     print(f"{n:2} seeds each: found {found:.0%} of the time")
# low, high = 3 / stats.chi2.ppf([0.975, 0.025], 3)  # the spread is that of four runs
# print(f"or {low:.1f} to {high:.0f} times as many")
# check("11.6", 20)
# ```
#
# It prints:
#
# ```text
#  4 seeds each: found 19% of the time
#  8 seeds each: found 39% of the time
# 16 seeds each: found 70% of the time
# 19 seeds each: found 77% of the time
# 20 seeds each: found 80% of the time
# 21 seeds each: found 82% of the time
# 22 seeds each: found 84% of the time
# 32 seeds each: found 95% of the time
# or 0.3 to 14 times as many
# Right.
# ```
#
# The last line is the catch: four runs hardly tell how widely such runs scatter, the true variance may be a third of theirs or many times it, and the number of seeds goes with the variance.
# </details>
#
# ## What's next
#
# [How small, how fast](12-how-small-how-fast.ipynb): free of the advice, how few parameters, and how few seconds, are enough?
