"""How many seeds? Differences between two ways to train, drawn one after the other: interval and verdict for each n."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from cellgrad.figures.page import BLUE, FAINT, GREEN, INK, LINE, PAPER, RED, Figure, frame, svg, tag, text
from cellgrad.trials.comparison import compare

_MOST = 20
_PANEL = {"x": (44, 392), "y": (222, 24)}


def seeds(records: pd.DataFrame, ours: str, base: str, column: str = "test_accuracy", matters: float = 0.05) -> Figure:
    """The difference between two variants, paired by seed, with its interval after 2, 3, … pairs, drawn in any order.

    records: a row a run, with variant, seed and `column`, accuracies as fractions. ours, base: two variants in it.
    matters: the smallest difference worth knowing of, in percentage points, as in `cellgrad.trials.comparison.compare`.
    Raises ValueError where a variant is missing or fewer than three seeds are shared.
    """
    from scipy import stats

    runs = {name: rows.set_index("seed")[column] for name, rows in records.groupby("variant")}
    for name in (ours, base):
        if name not in runs:
            raise ValueError(f"records: no run of {name!r} among {', '.join(runs)}")
    shared = sorted(set(runs[ours].index) & set(runs[base].index))
    if len(shared) < 3:
        raise ValueError(f"records: {len(shared)} shared seeds of {ours!r} and {base!r}; at least three are needed")
    differences = [round(100 * float(runs[ours][seed] - runs[base][seed]), 6) for seed in shared]
    quantiles = [round(float(stats.t.ppf(0.975, n - 1)), 10) for n in range(2, _MOST + 1)]
    reach = float(max(np.abs(differences))) * 1.6 or 1.0
    data = {
        "seeds": shared,
        "differences": differences,
        "quantiles": quantiles,
        "matters": matters,
        "most": _MOST,
        "names": [ours, base],
        "panel": _PANEL,
        "reach": reach,
    }
    return Figure(
        "seeds",
        "How many seeds?",
        f"“{ours}” against “{base}”: the mean difference and its 95 % interval after 2, 3, … pairs of runs that share "
        f"a seed, taken in one order. Dots are the pairs. The band is {matters:g} points each way. Below, how often "
        "each verdict falls when the pairs are drawn anew many times.",
        _picture(runs[ours][shared], runs[base][shared], differences, reach, matters),
        data,
    )


def _marks(
    ours: pd.Series,
    base: pd.Series,
    differences: list[float],
    matters: float,
    x: Callable[[int], float],
    y: Callable[[float], float],
) -> list[str]:
    """Each pair's difference, and from the second on the interval of all pairs so far, in its verdict's colour."""
    marks = []
    for n, difference in enumerate(differences, start=1):
        if n > 1:
            found = compare(ours.head(n), base.head(n), matters)
            colour = GREEN if found.low > 0 else RED if found.high < 0 else BLUE
            marks.append(
                tag("line", x1=x(n), x2=x(n), y1=y(found.low), y2=y(found.high), stroke=colour, stroke_width=4)
            )
            marks.append(
                tag("circle", cx=x(n), cy=y(found.difference), r=3.4, fill=PAPER, stroke=colour, stroke_width=2)
            )
        marks.append(tag("circle", cx=x(n), cy=y(difference), r=2.4, fill=INK, stroke=PAPER, stroke_width=0.8))
    return marks


def _picture(ours: pd.Series, base: pd.Series, differences: list[float], reach: float, matters: float) -> str:
    (left, right), (bottom, top) = _PANEL["x"], _PANEL["y"]

    def y(value: float) -> float:
        return float((bottom + top) / 2 - np.clip(value, -reach, reach) / reach * (bottom - top) / 2)

    def x(n: int) -> float:
        return left + (right - left) * (n - 0.5) / _MOST

    parts = [
        frame(_PANEL),
        tag("rect", x=left, y=y(matters), width=right - left, height=y(-matters) - y(matters), fill=LINE, opacity=0.5),
        tag("line", x1=left, x2=right, y1=y(0), y2=y(0), stroke=INK),
        tag(
            "rect",
            x=0,
            y=top,
            width=16,
            height=bottom - top,
            fill="none",
            stroke=INK,
            visibility="hidden",
            data_part="mark",
        ),
        tag("g", *_marks(ours, base, differences, matters, x, y), data_part="marks"),
        *(
            text(left - 4, y(v) + 3, f"{v:+.2f}".replace("-", "−"), 9, FAINT, text_anchor="end")
            for v in (-reach, -reach / 2, reach / 2, reach)
        ),
        text(left - 4, y(0) + 3, "0", 9, FAINT, text_anchor="end"),
        *(text(x(n), bottom + 12, str(n), 9, FAINT) for n in range(2, _MOST + 1, 3)),
        text((left + right) / 2, bottom + 26, "pairs of runs", 10, FAINT),
        text(left, 16, "difference in percentage points", 10, FAINT, text_anchor="start"),
        tag("g", data_part="shares"),
        text(left, 272, "", 10, FAINT, text_anchor="start", data_part="often"),
    ]
    found = compare(ours, base, matters)
    description = (
        f"After {found.pairs} pairs the mean difference is {found.difference:.3f} points, between {found.low:.3f} and "
        f"{found.high:.3f}: {found.verdict}."
    )
    return svg(318, description, *parts)
