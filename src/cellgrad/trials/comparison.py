"""What a set of seeds can say: differences between two ways to train, paired by seed, with an interval and a verdict.

Accuracies are fractions, differences and intervals in percentage points.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cellgrad.checks import positive, whole_number
from cellgrad.trials.records import require_alike


class Comparison(NamedTuple):
    """The mean difference over `pairs` of runs that share a seed, its confidence interval, and what it comes to."""

    pairs: int
    difference: float
    low: float
    high: float
    verdict: str


def compare(ours: pd.Series, base: pd.Series, matters: float = 0.05, confidence: float = 0.95) -> Comparison:
    """Compare accuracies of two variants, each indexed by seed, on the seeds that both have.

    The interval is Student's for paired samples (Student, The probable error of a mean, Biometrika 1908): mean
    difference ± t · standard deviation / √pairs. matters: the smallest difference, in points, that is worth knowing of.
    Raises ValueError with fewer than two shared seeds or where a seed comes twice.
    """
    if not (ours.index.is_unique and base.index.is_unique):
        raise ValueError("a seed comes more than once; keep one run of each")
    pairs = pd.concat([ours, base], axis=1, join="inner").to_numpy()
    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} shared seeds are too few to compare; run at least two of each")
    differences = 100 * (pairs[:, 0] - pairs[:, 1])
    mean, deviation = differences.mean(), differences.std(ddof=1)
    reach = stats.t.ppf((1 + confidence) / 2, len(pairs) - 1) * deviation / len(pairs) ** 0.5
    return Comparison(len(pairs), mean, mean - reach, mean + reach, verdict(mean - reach, mean + reach, matters))


def verdict(low: float, high: float, matters: float = 0.05) -> str:
    """Put an interval for a difference, in points, into words. `matters` is a difference worth knowing of."""
    if low > 0:
        return "better" if high >= matters else f"better, by less than {matters:g}"
    if high < 0:
        return "worse" if low <= -matters else f"worse, by less than {matters:g}"
    if max(-low, high) < matters:
        return f"no difference of {matters:g} or more"
    return f"{UNDECIDED}; {max(-low, high):.2f} could hide"


UNDECIDED = "no difference we could measure"


def against(
    records: pd.DataFrame, base: str, column: str = "test_accuracy", matters: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """Every variant of `records` (a row a run: variant, seed, and `column`) against the one named `base`.

    Returns a row for each variant: its mean in percent, and the fields of `Comparison`. Raises ValueError where there
    is no such base, and where trials were not made alike (all digits and the sample, two versions of the training).
    """
    require_alike(records, "the trials to compare")
    runs = {variant: rows.set_index("seed")[column] for variant, rows in records.groupby("variant", sort=False)}
    if base not in runs:
        raise ValueError(f"base: no run of {base!r} among {', '.join(runs)}")
    rows = {
        variant: {"mean": 100 * ours.mean(), **compare(ours, runs[base], matters, confidence)._asdict()}
        for variant, ours in runs.items()
        if variant != base
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def against_all(
    records: pd.DataFrame,
    base: str,
    column: str = "test_accuracy",
    *,
    matters: float = 0.05,
    confidence: float = 0.95,
    paired: bool = True,
) -> pd.DataFrame:
    """Every variant of `records` against the one named `base`, with intervals that hold for all of them at once.

    Of a hundred such tables, 95 have no interval that misses its true difference, so a table may be searched for what
    stands out. paired: all variants share seeds, and with them a base run each; then the limit is that of the largest
    studentised difference when the signs of all of a seed's deviations are flipped together, which keeps how the
    comparisons hang together (Westfall and Young, Resampling-based multiple testing, 1993; Romano and Wolf, Exact and
    approximate stepdown methods, JASA 2005; at least `FEWEST_PAIRS` seeds). Not paired: Dunnett's, whose runs share no
    seeds but one variance (Dunnett, A multiple comparison procedure, JASA 1955).
    Returns a row for each variant: its mean in percent, seeds, difference and interval (points), the p-value for all
    comparisons together, verdict, and whether it settles the question (a difference, or that there is none of `matters`
    or more). Raises ValueError as `against` does, and with too few seeds.
    """
    require_alike(records, "the trials to compare")
    runs = records.pivot(index="seed", columns="variant", values=column)[list(records["variant"].unique())]
    if base not in runs:
        raise ValueError(f"base: no run of {base!r} among {', '.join(runs)}")
    compared = _paired if paired else _unpaired
    table = compared(100 * runs, base, confidence)
    table["verdict"] = [verdict(low, high, matters) for low, high in zip(table["low"], table["high"], strict=True)]
    table["settled"] = ~table["verdict"].str.startswith(UNDECIDED)
    return table.rename_axis("variant")


FEWEST_PAIRS = 6  # fewer have no 20 ways to flip their signs, so that nothing is as rare as one in 20
_FLIPS = 20_000


def _paired(percent: pd.DataFrame, base: str, confidence: float) -> pd.DataFrame:
    shared = percent.dropna()
    if len(shared) < FEWEST_PAIRS:
        raise ValueError(f"{len(shared)} seeds that all variants share are too few; run {FEWEST_PAIRS} or more of each")
    differences = shared.drop(columns=base).sub(shared[base], axis=0)
    mean, error = differences.mean(), differences.sem()
    limits = _largest_by_chance((differences - mean).to_numpy())
    reach = np.quantile(limits, confidence) * error
    p = [(1 + (limits >= t).sum()) / (1 + len(limits)) for t in (mean / error).abs()]
    return pd.DataFrame(
        {
            "mean": shared.mean()[mean.index],
            "seeds": len(shared),
            "difference": mean,
            "low": mean - reach,
            "high": mean + reach,
            "p": p,
        }
    )


def _largest_by_chance(deviations: np.ndarray) -> np.ndarray:
    """The largest |t| among all columns, for many ways to flip the signs of whole rows (seeds × variants)."""
    n = len(deviations)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_FLIPS, n))
    mean = signs @ deviations / n
    variance = ((deviations**2).sum(0) - n * mean**2) / (n - 1)
    return np.abs(mean / np.sqrt(np.maximum(variance, 1e-12) / n)).max(axis=1)


def _unpaired(percent: pd.DataFrame, base: str, confidence: float) -> pd.DataFrame:
    samples = {name: column.dropna().to_numpy() for name, column in percent.items()}
    control = samples.pop(base)
    if min(map(len, [control, *samples.values()])) < 2:
        raise ValueError("a variant with one seed has no spread; run at least two of each")
    found = stats.dunnett(*samples.values(), control=control, rng=np.random.default_rng(0))
    interval = found.confidence_interval(confidence)
    means = {name: values.mean() for name, values in samples.items()}
    return pd.DataFrame(
        {
            "mean": means,
            "seeds": {name: len(values) for name, values in samples.items()},
            "difference": {name: mean - control.mean() for name, mean in means.items()},
            "low": dict(zip(samples, interval.low, strict=True)),
            "high": dict(zip(samples, interval.high, strict=True)),
            "p": dict(zip(samples, found.pvalue, strict=True)),
        }
    )


def seeds_needed(deviation: float, comparisons: int = 1, *, matters: float = 0.05, confidence: float = 0.95) -> int:
    """How many seeds make each interval reach less than `matters` to either side, so that "no difference" can be said.

    deviation: the standard deviation of a pair's difference, in points. comparisons: how many hold at once, each with
    its share of the error (Bonferroni: a few seeds more than `against_all` needs). Raises ValueError out of range.
    """
    deviation, matters = positive("deviation", deviation), positive("matters", matters)
    comparisons = whole_number("comparisons", comparisons, least=1)
    for seeds in itertools.count(2):
        limit = stats.t.ppf(1 - (1 - confidence) / (2 * comparisons), seeds - 1)
        if limit * deviation / seeds**0.5 < matters:
            return seeds
