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
# before the pool. Build about 28 × 28 at the end, more is not needed. End with a 1 × 1 convolution.* The network works, so the advice looks right. But nobody has tried the network
# that ignores it. In this chapter each sentence becomes an experiment: change that one thing, keep everything else, train both several times, and see
# whether the difference is one.
#
# **You will be able to** compare two ways to train by pairs of seeds, put an interval around the difference, and say in words what the experiment
# can and cannot tell.
#
# **You need** *The run*, and the mean and standard deviation of a list of numbers.

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
import pandas as pd
from scipy import stats

from cellgrad import mnist, plotting, training
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
# Two trained networks always differ a little, even two of the same kind: the first weights and the order of the digits are drawn by chance. So one run of each proves nothing. Three
# habits make a comparison fair:
#
# - **One change.** Both networks have nearly the same number of parameters and the same recipe.
# - **Pairs.** Both are trained with the same seeds and compared seed by seed. In these records the order of the digits depends on the number of parameters, too; a training of today shows both networks the same digits in the same order.
# - **Many unseen digits.** 10,000 training digits are held out, and nothing here is chosen by them. Together with the 10,000 test digits there are twice as many to be right or wrong about,
#   and so less noise.
#
# All of it is one *study*, and `cellgrad trials advice` runs it. That takes hours; what it measured comes with the book, a line for each of the runs. To afford so many, each
# is short: four passes through 50,000 digits. What takes longer to show, this chapter cannot see.

# %%
study = find_study("advice")
records = shipped_records("advice")
records["unseen"] = (records["test_accuracy"] + records["validation_accuracy"]) / 2
print(f"{len(study.variants)} variants, {len(records)} runs,", end=" ")
print(f"{records['seconds'].sum() / 3600:.1f} hours on one core each")
dict(records["versions"].iloc[0])

# %% [markdown]
# ## One comparison by hand
#
# Take *dropout*, which the source added in a later version: while training, a fifth of the numbers behind the pool is set to zero at random. It is there to
# keep large networks from learning their training digits by heart. Ours is small and sees each digit shifted. Our guess: it does not help. The accuracies on the unseen digits,
# in percent, a row for each seed:

# %%
pairs = records.pivot(index="seed", columns="variant", values="unseen")
pairs = 100 * pairs[["base", "dropout 0.2"]]
pairs["difference"] = pairs["dropout 0.2"] - pairs["base"]
pairs.round(3)

# %% [markdown]
# The mean of the differences is our best guess. How far off may it be? If we drew other seeds, it would come out differently, by about its
# *standard error*: the standard deviation of the differences, divided by the root of their number. With few pairs the standard deviation is itself a guess, so we go a little further out than the usual two standard
# errors; how far was worked out in 1908 by William Gosset, who signed as "Student" and tested barley for a brewery.

# %%
d = pairs["difference"]
standard_error = d.std() / len(d) ** 0.5
t = stats.t.ppf(0.975, len(d) - 1)
print(f"{t:.2f} standard errors to each side")
print(f"{d.mean():+.3f} points, from {d.mean() - t * standard_error:+.3f}", end=" ")
print(f"to {d.mean() + t * standard_error:+.3f}")

# %% [markdown]
# An interval made in this way holds the true difference in 95 of 100 studies. The book's `compare` does the same, and adds the answer in words:

# %%
runs = {name: rows.set_index("seed")["unseen"]
        for name, rows in records.groupby("variant")}
compare(runs["dropout 0.2"], runs["base"]).verdict


# %% [markdown]
# There are four kinds of answer. *Better* and *worse*: zero lies outside the interval. *No difference of 0.05 or more*: the whole interval lies within 0.05 points, which is five
# digits in 10,000 and all that we would care about. And *no difference we could measure*: the interval is too wide, a difference may hide in it, and the answer says how large a one.
# That last one is not "there is none".

# %%
def answers(*names, base="base"):
    chosen = records[records["variant"].isin([base, *names])]
    table = against(chosen, base, "unseen").loc[list(names)]
    ends = zip(table["low"], table["high"], strict=True)
    table["interval"] = [f"{low:+.2f} to {high:+.2f}" for low, high in ends]
    table = table[["mean", "difference", "interval", "verdict"]]
    return table.round({"mean": 2, "difference": 2})


base = records[records["variant"] == "base"]["unseen"]
print(f"the base: {100 * base.mean():.2f} % of the unseen digits right")
answers("dropout 0.2")

# %% [markdown]
# ## "Use convolutions only"
#
# The claim is about parameters: at the same price a convolution buys more than a dense layer. Two rivals: a network of dense layers only, and one with the source's three convolutions up
# front and, behind the pool, one dense layer with what is left of the budget. Expect the first to be far behind: it has to learn what a stroke looks like at each place anew.
#
# One difficulty: the dense layers have no batch norm behind them, and at the base's learning rate they do not train. So they get a quarter of it, and so does the network that they are compared with:

# %%
rates = {v.name: v.learning_rate for v in study.variants}
{name: rates[name] for name in ("base", "base, slower", "dense only", "dense head")}

# %%
answers("base, slower")

# %%
answers("dense only", "dense head", base="base, slower")

# %% [markdown]
# Both are clearly worse. A dense layer learns each place for itself, and that is what it spends its parameters on. The convolutions up front help a lot; but behind them, too, more convolutions are the better use of the budget.
#
# ## Batch norm
#
# The source has it after the ReLU; most papers have it before. Without it, each channel keeps a bias to add. Expect little from the order. And without batch norm, expect trouble at a high learning
# rate; so that one, too, is tried at a quarter of the rate.

# %%
answers("batch norm before ReLU", "no batch norm, same rate")

# %%
answers("no batch norm", base="base, slower")

# %% [markdown]
# The order makes no difference that we could measure. Without batch norm, at the base's rate, no seed learns anything: one digit in ten is right by chance. And at a quarter of the rate? An interval as wide as that says that
# a mean is the wrong summary. Look at the seeds:

# %%
(100 * runs["no batch norm"]).round(2).to_dict()


# %% [markdown]
# Some train, one does not train at all, and the ones that do are behind. Batch norm is what makes the high learning rate safe.
#
# ## "Eight channels up front"
#
# Four or sixteen instead, and the channels behind the pool adjusted, so that all have nearly the same number of parameters. What the front gets, the back loses. The
# three do very different amounts of work, though:

# %%
def costs(*names):
    rows = {}
    for variant in study.variants:
        if variant.name in ("base", *names):
            table = cost_table(variant.network)
            work = table["multiply_adds"].sum() / 1e6
            rows[variant.name] = {"parameters": table["parameters"].sum(),
                                  "million multiplications": round(work, 2)}
    return pd.DataFrame(rows).T.astype({"parameters": int})


names = ["4 channels up front", "16 channels up front"]
costs(*names)

# %%
answers(*names)

# %% [markdown]
# Four are worse. Sixteen cannot be told from eight, and they cost three times the work. So eight are well chosen, for the work even more than for the accuracy.
#
# ## "7 × 7 before the pool"
#
# The pool throws away three of four numbers. The advice says: not before a unit has seen an edge or a corner whole, which takes 7 × 7 pixels. We pool after one, two and
# four convolutions instead of three, and move the others behind the pool, so that the field at the end stays 28.

# %%
names = [f"field {size} before the pool" for size in (3, 5, 9)]
answers(*names)

# %%
costs(*names)

# %% [markdown]
# This advice does not show. Whether we pool after one convolution, two, three or four makes no difference that we could measure. And an early pool saves work, as the second table says.
#
# ## "28 × 28 at the end, more is not needed"
#
# Here the last convolution sees 12, 20, 28 or 36 pixels. Where the image is not used up at that point, the ten scores are averaged over the places that are left; for 36, two convolutions get padding.
# A field of 12 sees a piece of a stroke, and many pieces vote. Expect it to be clearly worse; from 28 to 36, expect nothing.

# %%
names = [f"field {size} at the end" for size in (12, 20, 36)]
answers(*names)

# %% mystnb={"image": {"alt": "Accuracy against the field at the end of the network: a point with an interval for each of the fields 12, 20, 28 and 36."}}
fields = {12: "field 12 at the end", 20: "field 20 at the end",
          28: "base", 36: "field 36 at the end"}
for size, name in fields.items():
    percent = 100 * runs[name]
    plt.plot([size] * len(percent), percent, "o", color=plotting.BLUE, alpha=0.5)
    plt.plot(size, percent.mean(), "_", color=plotting.RED, markersize=26, mew=2.5)
plt.xticks(list(fields))
plt.xlabel("field of the last 3 × 3 convolution (pixels)")
plt.ylabel("unseen digits right (%)")
plt.show()

# %% [markdown]
# A field of 12 is far too small: that part is true. From 20 on the fields cannot be told apart, and the dots for 20 even lie a little higher. So "more is not needed" stands. That as much as 28 *is* needed does not show.
#
# ## "1 × 1 last", and no average pool
#
# The rival lets the last 3 × 3 convolution keep 3 × 3 places, by padding, and averages them before the 1 × 1. Same parameters to the last one.

# %%
answers("average pool")

# %% [markdown]
# Again nothing that we could measure; if anything, the average pool came out ahead.
#
# ## The training
#
# Three more choices are not about the network. How the digits are moved: the base shifts them by up to two pixels; the source rotates, scales and shifts them; or not at all. And the learning rate: the base goes up and
# down in one cycle; or it stays, at the source's 0.01 or at five times as much.

# %%
answers("digits as they are", "rotated, scaled, moved")

# %%
answers("constant rate", "the source's rate")


# %% [markdown]
# The learning rate matters more than nearly everything about the network. A rate that stays where it is cannot make the fine corrections of a cycle's end, and in so few passes the source's small one does not get far. Moving the digits does not pay here: shifts
# make no difference that we could measure, and turning and scaling them costs accuracy. But mind that this is an answer about short runs. The longer a network trains, the more often it sees the same digits, and the more it has to gain from not seeing
# them twice in the same way.
#
# ## All of it in one picture

# %% mystnb={"image": {"alt": "All variants, a row each, with the difference from the base and its interval. A grey band marks differences below 0.05 points. Blue triangles that point up are better than the base, orange ones that point down are worse, black dots cannot be told apart from it."}}
def all_answers(confidence=0.95):
    slow = ["dense only", "dense head", "no batch norm"]
    others = records[~records["variant"].isin(slow)]
    slow = records[records["variant"].isin(["base, slower", *slow])]
    pair = ((others, "base"), (slow, "base, slower"))
    tables = [against(r, b, "unseen", confidence=confidence) for r, b in pair]
    return pd.concat(tables).sort_values("difference", ascending=False)


everything = all_answers()
plotting.plot_intervals(everything, reach=0.6)
plt.show()

# %% [markdown]
# ## What the study cannot say
#
# How small a difference could these seeds have shown? That depends on how much the differences vary, which is another number for each comparison:

# %%
reach = (everything["high"] - everything["low"]) / 2
small = reach.loc[everything["difference"].abs() < 0.6]
print(f"half the interval: {small.min():.3f} to {small.max():.3f} points,", end=" ")
print(f"median {small.median():.3f}")
pairs = everything["pairs"]
deviation = small * pairs**0.5 / stats.t.ppf(0.975, pairs - 1)
for wanted in (0.05, 0.02):
    n = np.arange(3, 2000)
    half = stats.t.ppf(0.975, n - 1) * deviation.median() / n**0.5
    print(f"for ± {wanted} points: {n[half <= wanted][0]} pairs")

# %% [markdown]
# And there are many comparisons. Each 95 % interval misses the truth once in twenty times, so among this many, one "better" or "worse" by mere chance would be no surprise. The
# careful remedy is due to Bonferroni: divide the five percent among all comparisons. Which verdicts stand then?

# %%
strict = all_answers(confidence=1 - 0.05 / len(everything))
sure = strict["verdict"].str.startswith(("better", "worse"))
strict.loc[sure, ["difference", "low", "high", "verdict"]].round(3)

# %%
before = everything["verdict"].str.startswith(("better", "worse"))
lost = [name for name in everything.index[before] if not sure[name]]
print("no longer certain:", *(lost or ["none"]), sep="\n  ")

# %% [markdown]
# The remedy is harsh with few seeds. Whoever wants to be certain adds some: `cellgrad trials advice --seeds 10` runs only those that are missing.
#
# ## One row, live
#
# Records can be wrong. So here is one of the runs again, on your machine: the base, seed 0. The record was made by an earlier version of the training (its column `training_version` says which), that drew its random numbers in another way, so this is another
# draw of the same recipe. With all the digits it should come out as close to the record as two seeds are to each other. With the sample the number is another one; then the last cell only asks for 90 %.

# %% tags=["nbval-ignore-output"]
data = mnist.load()
held_out = study.validation if data.kind == "full" else 500
again = training.train(study.variants[0], data, seed=0, validation=held_out)
recorded = records[(records["variant"] == "base") & (records["seed"] == 0)].iloc[0]
print(f"recorded: {recorded['test_accuracy']:.2%}")
print(f"now:      {again.record['test_accuracy']:.2%}{data.note}")

# %%
accuracy = again.record["test_accuracy"]
far = abs(accuracy - recorded["test_accuracy"]) > 0.003
print("as it should be:", not far if data.kind == "full" else accuracy > 0.9)

# %% [markdown]
# ## Recap
#
# - Advice that works in one network has not been tested. Change one thing, pair the seeds, look at the interval.
# - "No difference we could measure" comes with a number: how large a difference could have hidden.
# - With many comparisons, expect some to look real by chance.
# - Of the source's advice, three things showed: convolutions before dense layers, no fewer than eight channels up front, a field far larger than 12 at the end. Others did not: 7 × 7 before the pool, the full 28, the 1 × 1 in
#   place of an average pool.
# - How the learning rate moves was worth more than any detail of the network, batch norm apart.
#
# ## Exercises
#
# **1.** Compare *digits as they are* with *rotated, scaled, moved* directly, without the base.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# compare(runs["rotated, scaled, moved"], runs["digits as they are"])
# ```
# </details>
#
# **2.** What would have become of the verdicts, had we looked at the 10,000 test digits only?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# test_only = against(records, "base", "test_accuracy")
# wider = (test_only["high"] - test_only["low"]) / (everything["high"] - everything["low"])
# print(wider.median())
# test_only["verdict"]
# ```
#
# Most intervals are wider: half the digits, more noise.
# </details>
#
# **3.** Forget the pairs: compare *average pool* with the base as two separate groups (`stats.ttest_ind`). Is the interval wider or narrower than with pairs, and why?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# groups = stats.ttest_ind(runs["average pool"], runs["base"])
# print(100 * np.array(groups.confidence_interval()))
# print(compare(runs["average pool"], runs["base"]))
# ```
#
# Pairing helps as far as a seed is lucky or unlucky for both networks. Where the two change little together, it gains little; it even costs something, because only half as
# many numbers are left to estimate the spread from.
# </details>
#
# ## What's next
#
# *How small, how fast*: free of the advice, how few parameters, and how few seconds, are enough?
