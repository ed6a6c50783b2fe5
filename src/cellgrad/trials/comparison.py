"""What a set of seeds can say: differences between two ways to train, paired by seed, with an interval and a verdict.

Accuracies are fractions, differences and intervals in percentage points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

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
    Raises ValueError with fewer than two shared seeds, where a seed comes twice or an accuracy is no number, and for a
    confidence that is no share.
    """
    if not (ours.index.is_unique and base.index.is_unique):
        raise ValueError("a seed comes more than once; keep one run of each")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence} is no share; give one between 0 and 1, such as 0.95")
    pairs = pd.concat([ours, base], axis=1, join="inner").to_numpy(float)
    if not np.isfinite(pairs).all():
        raise ValueError("an accuracy is no number; leave that seed out of both")
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

    Returns a row for each other variant: its mean in percent, and the fields of `Comparison`. Raises ValueError where a
    column is missing (blind trials read no test digits), where there is no such base, where trials were not made alike
    (all digits and the sample, two versions of the training), and where two cannot be compared, with their names.
    """
    missing = {"variant", "seed", column} - set(records)
    if missing:
        raise ValueError(
            f"records: no column {', '.join(sorted(missing))} among {', '.join(map(str, records)) or 'none'}"
        )
    require_alike(records, "the trials to compare")
    runs = {variant: rows.set_index("seed")[column] for variant, rows in records.groupby("variant", sort=False)}
    if base not in runs:
        raise ValueError(f"base: no run of {base!r} among {', '.join(runs)}")
    rows = {}
    for variant, ours in runs.items():
        if variant == base:
            continue
        try:
            compared = compare(ours, runs[base], matters, confidence)
        except ValueError as error:
            raise ValueError(f"{variant!r} against {base!r}: {error}") from None
        rows[variant] = {"mean": 100 * ours.mean(), **compared._asdict()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")
