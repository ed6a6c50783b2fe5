"""The exercises of Part III, on training: what is asked, how an answer is judged, what is said to a wrong one."""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cellgrad.exercises.kinds import Choice, Exercise, Goal, Numbers, Open
from cellgrad.exercises.part_2 import falls_short, nine, table_of
from cellgrad.layers import SOURCE, count_parameters
from cellgrad.training.recipes import RECIPES
from cellgrad.trials.comparison import against, compare
from cellgrad.trials.records import shipped_records, summary

# Chapter 9


def pixels(rows: slice = slice(0, 26), columns: slice = slice(0, 26)) -> float:
    """The sum over a part of the chapter's digit, whose pixels go from 0 to 1."""
    return float(nine()[rows, columns].sum() / 255)


def sobel_total() -> float:
    """The sum of all results of the chapter's convolution."""
    kernel = {(0, 0): 1, (1, 0): 2, (2, 0): 1, (0, 2): -1, (1, 2): -2, (2, 2): -1}
    return sum(k * pixels(slice(r, r + 26), slice(c, c + 26)) for (r, c), k in kernel.items())


def softmax_and_sigmoid(target: float = 1.0) -> tuple[float, float]:
    """The slope of the right score -5 beside 5, and the delta of a sigmoid unit with the sum -5."""
    a = 1 / (1 + math.exp(5))
    return math.exp(-5) / (math.exp(-5) + math.exp(5)) - 1, (a - target) * a * (1 - a)


def leaks_wrongly(answer: Any) -> str | None:
    """Where a function on the chapter's values is no leaky ReLU with a rule for going back."""
    if not callable(answer):
        raise ValueError("give the function itself, without calling it")
    numbers, slope = np.array([[-2.0, 0.5, 3.0, -0.1]]), np.array([[10.0, 20.0, -30.0, 40.0]])
    result = answer(SimpleNamespace(numbers=numbers, slope=np.zeros_like(numbers), sources=()))
    if not np.allclose(result.numbers, np.where(numbers > 0, numbers, 0.1 * numbers)):
        return "The way forward is not right yet: -2 should become -0.2, and 0.5 stay 0.5."
    if len(result.sources) != 1:
        return f"The result should remember one source, x, with its rule; it has {len(result.sources)}."
    back = result.sources[0][1](slope)
    if back is ... or back is None:
        return "The blank is still there: how much of a slope does it pass back?"
    back = np.asarray(back, dtype=float)
    if np.allclose(back, slope):
        return "The rule passes every slope on as it is. Where the number was negative, only a tenth should pass."
    if np.allclose(back, np.where(numbers > 0, slope, 0)):
        return "That is the plain ReLU's rule: nothing passes where the number was negative. A tenth should."
    if np.allclose(back, np.where(slope > 0, slope, 0.1 * slope)):
        return "The rule looks at the sign of the slope. What decides is the sign of the number that went in."
    if back.shape == slope.shape and np.allclose(back, np.where(numbers > 0, 1, 0.1)):
        return "That is the factor by itself. It is to be multiplied by the slope that comes back."
    if np.allclose(back, np.where(numbers > 0, slope, 0.1 * slope)):
        return None
    return "The rule is not right yet: of the slope 10 at the number -2, a tenth should pass; at 0.5, all of it."


CHAPTER_9 = {
    "09.1": Numbers(
        asks="the slope of $w$",
        answer=lambda: 2.0 * 6,
        mistakes={
            "That is one of the two uses. A number that is used twice collects both slopes.": lambda: 6.0,
            "The two uses are multiplied with each other, not added: each gets the other's value as its factor.": (
                lambda: 5.0
            ),
            "Two slopes of the same number are added, not multiplied.": lambda: 36.0,
        },
        hints=("E = 6uv. How fast does it grow when only u does?", "6 from u and 6 from v."),
    ),
    "09.2": Numbers(
        asks="the first derivative",
        digits=5,
        answer=pixels,
        mistakes={
            "That is the number of places. At each of them the weight meets a pixel.": lambda: 676.0,
            "That is the mean pixel. A weight that is used at many places collects the sum over them.": (
                lambda: pixels() / 676
            ),
            "That is the sum of all results, the loss itself. What does the weight meet at each place?": sobel_total,
            "That is for pixels from 0 to 255. Here they go from 0 to 1.": lambda: 255 * pixels(),
        },
        hints=(
            "Each place of the result hands the weight its slope, 1, times the pixel under the weight.",
            "digit[:26, :26].sum()",
        ),
    ),
    "09.3": Goal(
        asks="your function",
        falls_short=leaks_wrongly,
        hints=("The same factor that multiplied the number on its way forward multiplies the slope on its way back.",),
    ),
    "09.4": Numbers(
        asks="the sum of all slopes that are passed on",
        answer=lambda: 10.0 + 20 + 30 + 40,
        mistakes={
            "Each of the four numbers of a square gets a quarter of its slope, not all of it.": lambda: 400.0,
            "That is a quarter of it. There are four numbers in each square.": lambda: 25.0,
            "That is the mean of the four slopes.": lambda: 1.0,
        },
        hints=(
            "A mean of four numbers passes a quarter of its slope to each of them.",
            "Four quarters of each of 10, 20, 30 and 40.",
        ),
    ),
    "09.5": Numbers(
        asks="the slope of the right score and the delta of the sigmoid unit",
        names=("the slope of the score", "the delta of the sigmoid"),
        answer=softmax_and_sigmoid,
        mistakes={
            "The first is the probability p. The slope of the right score is p - 1.": (
                lambda: (softmax_and_sigmoid()[0] + 1, softmax_and_sigmoid()[1])
            ),
            "The delta has the slope a (1 - a) as a factor, and not only the miss.": (
                lambda: (softmax_and_sigmoid()[0], 1 / (1 + math.exp(5)) - 1)
            ),
            "The second is for the target 0. The target is 1.": (
                lambda: (softmax_and_sigmoid()[0], softmax_and_sigmoid(0.0)[1])
            ),
            "These two are exchanged: the score comes first.": lambda: softmax_and_sigmoid()[::-1],
        },
        hints=(
            "For the scores: p - y, with p the softmax of the right one and y = 1.",
            "For the unit: (a - t) a (1 - a), with a = σ(-5), which is about 0.0067.",
        ),
    ),
    "09.6": Numbers(
        asks="the right slope of $x$, and the one in the wrong order",
        names=("the right slope", "the slope in the wrong order"),
        digits=0,
        answer=lambda: (2 + 4 * 3, 1 * 2 + 2 * 3),
        mistakes={
            "These two are exchanged: the wrong order loses a part.": lambda: (8, 14),
            "In the wrong order x still gets its own part from the product, which is a = 6.": lambda: (14, 2),
            "x stands in a as well, and a passes its slope on: 2 for each.": lambda: (14, 6),
            "The derivative of 2x + 2x² at 3 is 2 + 4x, not its value.": lambda: (24, 8),
        },
        hints=("E = 2x + 2x².", "In the wrong order: 1 · 2 by way of a, and a = 6 from the product itself."),
    ),
    "09.7": Choice(
        asks='`"yes"` or `"no"`, whether they change',
        right="471628b2",
        mistakes={
            "Those before the pool are where one would look. But what happens to a slope at a zero of the ReLU?": (
                "before below first earlier"
            ),
            "Those behind the pool meet the same numbers as before, so they cannot change. What about the others?": (
                "behind after"
            ),
            "The shares differ, but equal numbers came from zeros of a ReLU. What does it do to their slopes?": (
                "yes all change true some"
            ),
        },
        hints=(
            "What does a ReLU do with the slope of a zero?",
            "Batch norm looks at the mean of the slopes, and of slope times number. Does sharing change these?",
        ),
    ),
}

# Chapter 10


@cache
def percent(variant: str = "book", study: str = "recipes", column: str = "test_accuracy") -> pd.Series:
    """The accuracies of a variant's runs in percent, by seed."""
    records = shipped_records(study)
    return 100 * records[records["variant"] == variant].set_index("seed")[column].sort_index()


def coins() -> float:
    """The standard error of the mean accuracy on 10,000 digits, in points."""
    p = percent().mean() / 100
    return 100 * math.sqrt(p * (1 - p) / 10_000)


@cache
def source_curves() -> pd.DataFrame:
    """The held-out accuracy of the runs of `source` in percent: a row an epoch, a column a run."""
    history = shipped_records("source")["history"]
    return 100 * pd.DataFrame([h["validation_accuracy"] for h in history]).T


def seeds_for(worth: float, factor: float = 2.0) -> int:
    """Seeds of each of two variants to see a difference, in points, in four cases of five."""
    return max(2, math.ceil(factor * (2.8 * percent().std() / worth) ** 2))


UPDATES = 12 * math.ceil(55_000 / 128)

CHAPTER_10 = {
    "10.1": Numbers(
        asks="the number of weights of the dense layer",
        digits=0,
        answer=lambda: 28 * 28 * 8 * 26 * 26,
        mistakes={
            "The eight channels are missing.": lambda: 28 * 28 * 26 * 26,
            "That is the number of outputs. Each has a weight for every pixel.": lambda: 8 * 26 * 26,
            "That is the convolution, not the dense layer.": lambda: 72,
            "With biases; only weights are asked for.": lambda: 28 * 28 * 8 * 26 * 26 + 8 * 26 * 26,
            "The outputs have 26 × 26 places each, without padding.": lambda: 28 * 28 * 8 * 28 * 28,
        },
        hints=("One weight for each pair of an input and an output.", "784 inputs, and 8 × 26 × 26 outputs."),
    ),
    "10.2": Numbers(
        asks="the updates, and with all changes of single parameters",
        names=("the updates", "the changes of single parameters"),
        digits=0,
        answer=lambda: (UPDATES, UPDATES * count_parameters(SOURCE)),
        mistakes={
            "The last batch of each epoch is smaller, but it is a batch too: round up.": (
                lambda: (12 * (55_000 // 128), 12 * (55_000 // 128) * count_parameters(SOURCE))
            ),
            "With all 60,000 digits. 5,000 of them are held out.": (
                lambda: (12 * math.ceil(60_000 / 128), 12 * math.ceil(60_000 / 128) * count_parameters(SOURCE))
            ),
            "That is one epoch. There are twelve.": lambda: (UPDATES // 12, UPDATES // 12 * count_parameters(SOURCE)),
            "Round up in each epoch, not once over all twelve: a batch does not reach into the next epoch.": (
                lambda: (
                    math.ceil(12 * 55_000 / 128),
                    math.ceil(12 * 55_000 / 128) * count_parameters(SOURCE),
                )
            ),
        },
        hints=("How many batches of 128 are in 55,000?", "430 batches an epoch; and each changes all parameters."),
    ),
    "10.3": Numbers(
        asks="the standard deviation over the seeds and the coins' standard error, in points",
        names=("the standard deviation over the seeds", "the coins' standard error"),
        unit=0.01,
        answer=lambda: (percent().std(), coins()),
        mistakes={
            "The second is the coins' error for the mean of all runs, as if each had digits of its own.": (
                lambda: (percent().std(), coins() / math.sqrt(len(percent())))
            ),
            "The first is the standard error of the mean. Asked is how far a single seed lies from it.": (
                lambda: (percent().std() / math.sqrt(len(percent())), coins())
            ),
            "These two are exchanged: the seeds come first.": lambda: (coins(), percent().std()),
            "One coin has that deviation. There are 10,000: divide by their root.": (
                lambda: (percent().std(), 100 * coins())
            ),
        },
        hints=("percent.std(), and √(p (1 - p) / 10,000).", "Do not forget to turn the second into points: times 100."),
    ),
    "10.4": Numbers(
        asks="the mean difference in points",
        digits=2,
        answer=lambda: (source_curves().max() - source_curves().iloc[-1]).mean(),
        mistakes={
            "That is the best against the first epoch.": (
                lambda: (source_curves().max() - source_curves().iloc[0]).mean()
            ),
            "That is the largest of the ten. Their mean is asked for.": (
                lambda: (source_curves().max() - source_curves().iloc[-1]).max()
            ),
            "That is the best against the mean of all epochs.": (
                lambda: (source_curves().max() - source_curves().mean()).mean()
            ),
        },
        hints=("curves.max() is the best of each seed.", "(curves.max() - curves.iloc[-1]).mean()"),
    ),
    "10.5": Choice(
        asks='which network gets the slopes of the whole batch, `"with"` or `"without"` batch norm, `"both"` or '
        '`"neither"`',
        right="a5ccdde3",
        mistakes={
            "It is the other way round: with batch norm, a digit's loss depends on the company it is in.": "with",
            "The halves have means and deviations of their own. What does batch norm do with them?": "both yes",
            "A mean of 128 losses is the mean of two means of 64, so the slopes add up, unless the losses change.": (
                "neither no none"
            ),
        },
        hints=("Does the loss of a digit depend on this digit alone?", "Try it: compare the first layer's slopes."),
    ),
    "10.6": Open(
        asks="An experiment: what you measure depends on seed and machine. Compare it with what the solution tells"
    ),
    "10.7": Numbers(
        asks="the seeds of each for 0.02 points and for 0.1",
        names=("for 0.02 points", "for 0.1 points"),
        digits=0,
        # By the exact t-test it is one more of each.
        answer=lambda: [(seeds_for(0.02) + more, seeds_for(0.1) + one) for more in (0, 1, 2) for one in (0, 1)],
        mistakes={
            "Two means have errors, yours and the base's: the variance doubles.": (
                lambda: (seeds_for(0.02, 1.0), seeds_for(0.1, 1.0))
            ),
            "That would be the seeds of both together.": lambda: (2 * seeds_for(0.02), 2 * seeds_for(0.1)),
            "Half as large a difference needs four times the seeds: the number grows with the square.": (
                lambda: (5 * seeds_for(0.1), seeds_for(0.1))
            ),
            "Round up: a part of a seed cannot be run.": lambda: (seeds_for(0.02) - 1, seeds_for(0.1) - 1),
        },
        hints=(
            "Ask that the difference be 2.8 standard errors, s √(2/n), and solve for n.",
            "n = 2 (2.8 s / worth)², rounded up, with s = percent.std().",
        ),
    ),
}

# Chapter 11


@cache
def advice() -> pd.DataFrame:
    """The records of the study, with the accuracy on all unseen digits."""
    records = shipped_records("advice")
    unseen = (records["test_accuracy"] + records["validation_accuracy"]) / 2
    return records.assign(unseen=unseen)


@cache
def run(variant: str) -> pd.Series:
    """The accuracies of a variant on the unseen digits, by seed."""
    records = advice()
    return records[records["variant"] == variant].set_index("seed")["unseen"]


def versus(ours: str, base: str) -> tuple[float, float, float]:
    """The difference of two variants and its interval, in points."""
    found = compare(run(ours), run(base))
    return found.difference, found.low, found.high


@cache
def widening(middle: str = "median") -> float:
    """How much wider the intervals of the rivals of the base become with half of the digits."""
    rivals = advice()[~advice()["variant"].isin(["dense only", "dense head", "no batch norm"])]
    ours, all_digits = (against(rivals, "base", column) for column in ("test_accuracy", "unseen"))
    return float(getattr((ours["high"] - ours["low"]) / (all_digits["high"] - all_digits["low"]), middle)())


@cache
def widths() -> tuple[float, float]:
    """Of the interval of average pool against the base: as two groups, and in pairs."""
    groups = stats.ttest_ind(run("average pool"), run("base")).confidence_interval()
    _, low, high = versus("average pool", "base")
    return 100 * float(groups.high - groups.low), high - low


def normal_seeds(groups: int = 2, away: float = 2.8) -> float:
    """Seeds of each to see 0.05 points, by the formula for bell curves."""
    return groups * (away * 100 * run("base").std() / 0.05) ** 2


def not_field_twelve(answer: Any) -> str | None:
    """Where a variant is not the base with a smaller field at the end."""
    table = table_of(answer)
    if tuple(n for n in table["output_size"].iloc[-1] if n != 1) != (10,):
        return f"It ends on {table['output_size'].iloc[-1]}; ten scores are needed."
    convolutions = table.index[table["kind"] == "conv"]
    before = table["size"].iloc[convolutions[-1] - 1 if len(convolutions) else 0]
    at_the_end = table["size"].iloc[convolutions[-2]] if len(convolutions) > 1 else before
    base = count_parameters(SOURCE)
    if at_the_end != 12:
        return f"The last convolution before the scores sees {at_the_end} pixels, and should see 12."
    if len(convolutions) != 9:
        return f"The base has 9 convolutions, the scores included; yours has {len(convolutions)}."
    if abs(table["parameters"].sum() - base) > 0.05 * base:
        return f"It has {table['parameters'].sum():,} parameters; the base has {base:,}. Come within a twentieth of it."
    return None


CHAPTER_11 = {
    "11.1": Numbers(
        asks="the mean and the standard error",
        names=("the mean", "the standard error"),
        answer=lambda: (0.20, 0.10),
        mistakes={
            "That is the standard deviation. The standard error divides once more by √2.": (
                lambda: (0.20, 0.20 / math.sqrt(2))
            ),
            "Two numbers leave one to estimate the spread from: divide the squares by n - 1, which is 1.": (
                lambda: (0.20, 0.10 / math.sqrt(2))
            ),
            "That is the reach, Gosset's factor times the standard error.": lambda: (0.20, 1.27),
            "That is the sum of the two, not their mean.": lambda: (0.40, 0.10),
        },
        hints=(
            "The standard deviation of two numbers is their distance divided by √2.",
            "0.20 / √2, and once more divided by √2.",
        ),
    ),
    "11.2": Numbers(
        asks="the difference and the two ends of its interval, in points",
        names=("the difference", "the lower end", "the upper end"),
        unit=0.01,
        answer=lambda: versus("rotated, scaled, moved", "digits as they are"),
        mistakes={
            "That is the other way round: the first one minus the second one is asked for.": (
                lambda: versus("digits as they are", "rotated, scaled, moved")
            ),
            "That is the comparison with the base.": lambda: versus("rotated, scaled, moved", "base"),
            "That is the comparison of the digits as they are with the base.": (
                lambda: versus("digits as they are", "base")
            ),
        },
        hints=('compare(runs["…"], runs["…"]) takes both by name.', "It has difference, low and high."),
    ),
    "11.3": Numbers(
        asks="how many times as wide an interval becomes, in the middle of all comparisons",
        unit=0.035,  # whether the middle of the ratios or the ratio of the middles
        answer=widening,
        mistakes={
            "Turn the ratio round: the intervals of the test digits alone above.": lambda: 1 / widening(),
            "Half the digits would make it √2 times as wide if all of the noise came from them.": (
                lambda: math.sqrt(2)
            ),
            "Twice as wide would need four times fewer digits, and no noise from the seeds.": lambda: 2.0,
        },
        hints=(
            'against(records, "base", "test_accuracy") has the columns low and high.',
            "Divide the widths row by row, and take the median.",
        ),
    ),
    "11.4": Numbers(
        asks="the width of the interval of separate groups and of that in pairs, in points",
        names=("the separate groups", "in pairs"),
        unit=0.01,
        answer=widths,
        mistakes={
            "These two are exchanged: the separate groups come first.": lambda: widths()[::-1],
            "These are half the widths: from the middle to one end.": lambda: tuple(w / 2 for w in widths()),
            "You compared two groups both times. In pairs, the differences of each seed are what counts.": (
                lambda: (widths()[0], widths()[0])
            ),
        },
        hints=(
            'stats.ttest_ind(runs["average pool"], runs["base"]).confidence_interval() is in fractions.',
            "The upper end minus the lower end; and compare for the pairs.",
        ),
    ),
    "11.5": Goal(
        asks="your layer list",
        falls_short=not_field_twelve,
        hints=("Three 3 × 3, the pool and one 3 × 3 more see 12 pixels; all behind them is 1 × 1.",),
    ),
    "11.6": Numbers(
        asks="the number of seeds of each",
        digits=1,
        unit=2.0,
        answer=normal_seeds,
        mistakes={
            "Both groups are uncertain: the variance of the difference is twice that of one.": (
                lambda: normal_seeds(groups=1)
            ),
            "That finds it in nineteen of twenty cases. Four in five are asked for.": lambda: normal_seeds(away=3.6),
            "That would be the seeds of both groups together.": lambda: 2 * normal_seeds(),
        },
        hints=(
            "Draw two groups of n normal numbers, 0.05 apart, and count how often p is below 0.05.",
            "With 8 of each it is found in two cases of five, with 32 nearly always.",
        ),
    ),
}

# Chapter 12


def seconds_of(recipe: str) -> float:
    """How long a training takes, by the records."""
    turns = shipped_records("seconds")
    return float(turns[turns["variant"] == recipe]["seconds"].median() * RECIPES[recipe].epochs)


def best_buy() -> str:
    """The recipe with the most points above 99 % for each second."""
    records = pd.concat([shipped_records("recipes"), shipped_records("source")], ignore_index=True)
    mean = 100 * summary(records)["mean"]
    return max(RECIPES, key=lambda name: (mean[name] - 99) / seconds_of(name))


@cache
def lucky_best() -> float:
    """The best of fifteen readings of 99.45 %, in percent, by simulation."""
    right = np.random.default_rng(0).binomial(10_000, 0.9945, size=(1000, 15)) / 100
    return float(right.max(axis=1).mean())


def halved(divisor: int = 2) -> int:
    """The parameters of `small` with fewer channels, but for the scores."""
    from dataclasses import replace

    layers = RECIPES["small"].network
    fewer = [
        replace(layer, channels=layer.channels // divisor) if layer.kind == "conv" and layer.name != "scores" else layer
        for layer in layers
    ]
    return count_parameters(fewer)


CHAPTER_12 = {
    "12.1": Numbers(
        asks="the seconds with both halved",
        digits=2,
        answer=lambda: 5 * 3.4 / 4,
        mistakes={
            "That is one of the two halved. Both together give a quarter.": lambda: 5 * 3.4 / 2,
            "That is the time as it is.": lambda: 5 * 3.4,
            "Both halved divide by four, not by eight.": lambda: 5 * 3.4 / 8,
        },
        hints=("Seconds are a product: epochs times seconds of an epoch.", "Each factor halved: 17 s divided by 4."),
    ),
    "12.2": Numbers(
        asks="how many more of the 2,000 digits are right with nine readings, for `fast` and for `small`",
        names=("for `fast`", "for `small`"),
        digits=1,
        unit=1.0,
        answer=lambda: (0.0, 3.0),  # counted with all test digits; another processor may differ by one
        mistakes={
            "These are points. A point of 2,000 digits is twenty digits.": lambda: (0.0, 0.15),
            "These are the right ones. Subtract those of a single reading.": lambda: (1982.0, 1981.0),
            "Nine readings give one answer for each digit, their average; they do not count nine times.": (
                lambda: (0.0, 27.0)
            ),
        },
        hints=(
            "training.accuracy(network, few, shift) with shift 0 and 1.",
            "Multiply the difference of the two accuracies by 2,000.",
        ),
    ),
    "12.3": Numbers(
        asks="how many points the picking adds in your simulation",
        digits=2,
        answer=lambda: lucky_best() - 99.45,
        mistakes={
            "That is the best itself. Subtract the true 99.45.": lambda: lucky_best(),
            "That is what the records say. The simulation's luck is larger, as its epochs are independent.": (
                lambda: (source_curves().max() - source_curves().iloc[-1]).mean()
            ),
            "That is the standard deviation of one reading. The best of fifteen lies further out.": (
                lambda: 100 * math.sqrt(0.9945 * 0.0055 / 10_000)
            ),
        },
        hints=(
            "rng.binomial(10_000, 0.9945, size=(1000, 15)): a row for each run.",
            "The mean of the rows' largest, divided by 100, minus 99.45.",
        ),
    ),
    "12.4": Choice(
        asks="the recipe's name",
        right=best_buy,
        mistakes={
            "It has the highest accuracy. But how many seconds does each of its points cost?": "best",
            "It has the fewest parameters, and yet takes many epochs.": "small",
            "It has only a small part of the value of the best one.": "book",
            "It takes long, for the fewest points.": "source",
        },
        hints=("Points above 99 %, divided by seconds.", '(as_recipe["mean"] - 99) / seconds["seconds"]'),
    ),
    "12.5": Numbers(
        asks="the number of parameters with half the channels; the accuracy depends on your machine",
        digits=0,
        answer=halved,
        mistakes={
            "Half the channels is not half the parameters: most of them are channels in times channels out.": (
                lambda: halved(1) // 2
            ),
            "Not quite a quarter: the first layer reads what it read before, and the scores are still ten.": (
                lambda: halved(1) // 4
            ),
            "That is `small` as it is.": lambda: halved(1),
        },
        hints=(
            "Halve the channels of every convolution but the one named scores.",
            "replace(layer, channels=layer.channels // 2), and count_parameters.",
        ),
    ),
    "12.6": Goal(
        asks="your layer list, or a PyTorch module",
        falls_short=lambda answer: falls_short(table_of(answer), parameters=1_499, field=28, ends_on=(10,)),
        hints=("Six channels, two pools, and a global average before the scores.",),
    ),
}

# Chapter 13


@cache
def most_missed() -> int:
    """The filter of the first layer without which the shipped network reads fewest digits, counted from 1."""
    import torch

    from cellgrad import mnist
    from cellgrad.training.saving import shipped_run

    digits, model = mnist.sample().test[:200], shipped_run("book").model.eval()
    weights, right = model.conv1.weight, []
    with torch.no_grad():
        for number in range(len(weights)):
            kept = weights[number].clone()
            weights[number] = 0
            answers = model(mnist.normalise(digits.images)).argmax(1)
            right.append(int((answers == digits.labels).sum()))
            weights[number] = kept
    return 1 + int(np.argmin(right))


def fewest_digits(confidence: float = 0.95) -> float:
    """The fewest digits, in tens, at which 0.60 right lies wholly below a confidence of 0.65."""
    for n in range(10, 2000, 10):
        if stats.binomtest(round(0.6 * n), n).proportion_ci(confidence, method="wilson").high < 0.65:
            return float(n)
    raise AssertionError("the interval shrinks with the root of n")


CHAPTER_13 = {
    "13.1": Numbers(
        asks="the number of digits",
        digits=2,
        answer=lambda: 10 * 9 / 2 * 50 * 50 / 10_000,
        mistakes={
            "That is for one pair of networks. How many pairs are there?": lambda: 0.25,
            "Each pair is counted twice: there are 10 · 9 / 2 of them.": lambda: 22.5,
            "Ten networks make more than ten pairs.": lambda: 2.5,
            "That is what the real networks share. The question is about networks that miss at random.": lambda: 84.0,
        },
        hints=(
            "Of the second network's 50 mistakes, a share of 50 in 10,000 falls on the first one's.",
            "A quarter of a digit for each pair, and 45 pairs.",
        ),
    ),
    "13.2": Numbers(
        asks="the middle one of the confidences, as a fraction",
        digits=1,
        unit=0.015,
        answer=lambda: 0.975,  # 0.95 to 0.98 for noise of several kinds
        mistakes={
            "A tenth for each digit is what one would hope for. It is far from that: measure.": lambda: 0.1,
            "One half would be a fair doubt. The network has less of it: measure.": lambda: 0.5,
            "As a fraction, or with the sign %.": lambda: 97.5,
        },
        hints=(
            "scores.softmax(1).amax(1) has the confidence of each answer.",
            "Its median: .quantile(0.5) of a thousand images of noise.",
        ),
    ),
    "13.3": Numbers(
        asks="the number of the filter, counted from 1",
        digits=0,
        answer=most_missed,
        mistakes={
            "Counted from 0? The first filter has the number 1.": lambda: most_missed() - 1,
            "That one is missed too, but there is one that is missed far more.": lambda: 5,
            "Without that one the network reads about as well as before.": lambda: 1,
            "There are eight filters, counted from 1.": lambda: 9,
        },
        hints=("Switch them off one at a time, each in a fresh copy.", "One of them costs a quarter of all digits."),
    ),
    "13.4": Numbers(
        asks="all 10,000 test digits: how many a person reads, and how many mistakes are left",
        names=("the digits for a person", "the mistakes that are left"),
        digits=1,
        unit=1.0,
        answer=lambda: (1121.0, 1.0),  # with the shipped network; another processor may differ by a digit
        mistakes={
            "The first is how many the network keeps. A person reads the others.": lambda: (8879.0, 1.0),
            "The second are all mistakes of the network. Some of them a person has caught.": lambda: (1121.0, 44.0),
            "The first are those that the network reads wrongly. A person reads all that it is not sure of.": (
                lambda: (44.0, 1.0)
            ),
        },
        hints=("sure = confidence >= 0.999", "(~sure).sum(), and (~right[sure]).sum()"),
    ),
    "13.5": Numbers(
        asks="the number of digits",
        digits=1,
        unit=10.0,
        answer=fewest_digits,
        mistakes={
            "That is one sided, at 95 %. Wilson's interval leaves one in forty on each side.": lambda: fewest_digits(
                0.90
            ),
            "With a hundred the interval reaches up to 0.69: many more are needed.": lambda: 100.0,
            "That is with the plain interval, ± 1.96 standard errors, which is not Wilson's.": lambda: 370.0,
            "With so many it is called too sure, but fewer are enough.": lambda: 500.0,
        },
        hints=(
            'stats.binomtest(round(0.6 * n), n).proportion_ci(method="wilson").high is the upper end.',
            "It must be below 0.65. Try more and more digits, ten at a time.",
        ),
    ),
    "13.6": Open(
        asks="A design of your own, and the other half of the digits is its check. The solution shows one limit of many"
    ),
}

EXERCISES: dict[str, Exercise] = CHAPTER_9 | CHAPTER_10 | CHAPTER_11 | CHAPTER_12 | CHAPTER_13
