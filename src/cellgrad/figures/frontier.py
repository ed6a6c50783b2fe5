"""The frontier: networks by their size and their accuracy, each with its layers, read once or nine times."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from cellgrad.figures.page import BLUE, FAINT, INK, LINE, PAPER, RED, Figure, frame, svg, tag, text

_PANEL = {"x": (46, 390), "y": (246, 24)}
_READINGS = {"test_accuracy": "as the recipe reads them", "test_accuracy_unshifted": "each digit read once"}


def frontier(records: pd.DataFrame) -> Figure:
    """Variants by parameters (logarithmic) and mean test accuracy, with the spread over seeds; one can be looked into.

    records: a row a run, with variant, seed, parameters, epochs, recipe (as `Recipe.to_dict` gives it), test_accuracy
    and, where a recipe reads digits more than once, test_accuracy_unshifted. Raises ValueError where there is no row.
    """
    if records.empty:
        raise ValueError("records: there is no run in it; give at least one row")
    points = [_point(str(name), rows) for name, rows in records.groupby("variant", sort=False)]
    points.sort(key=lambda point: point["parameters"])
    sizes = [point["parameters"] for point in points]
    accuracies = [worst for point in points for worst in (point["readings"][key]["worst"] for key in _READINGS)]
    axis = (np.log10(min(sizes)) - 0.12, np.log10(max(sizes)) + 0.12)
    lowest = float(np.floor(1000 * min(accuracies)) / 10)
    bests = [point["readings"][key]["best"] for point in points for key in _READINGS]
    highest = round(float(np.ceil(1000 * max(bests)) / 10 + 0.1), 1)
    data = {
        "points": points,
        "panel": _PANEL,
        "axis": [round(float(end), 4) for end in axis],
        "lowest": lowest,
        "highest": highest,
        "readings": _READINGS,
    }
    return Figure(
        "frontier",
        "The frontier",
        "Networks by what they cost and what they reach: parameters on a logarithmic axis, test accuracy in percent. A "
        "dot is the mean over seeds, its line reaches from the worst seed to the best.",
        _picture(points, data["axis"], lowest, highest),
        data,
    )


def _point(name: str, rows: pd.DataFrame) -> dict[str, object]:
    recipe = rows["recipe"].iloc[0]
    once = rows.get("test_accuracy_unshifted", pd.Series(np.nan, rows.index)).fillna(rows["test_accuracy"])
    readings = {"test_accuracy": rows["test_accuracy"], "test_accuracy_unshifted": once}
    return {
        "name": name,
        "parameters": int(rows["parameters"].iloc[0]),
        "seeds": len(rows),
        "epochs": int(rows["epochs"].iloc[0]),
        "times": (2 * int(recipe.get("test_shift", 0)) + 1) ** 2,
        "layers": [
            _short(layer) for layer in recipe["network"] if layer["kind"] not in ("relu", "batch_norm", "flatten")
        ],
        "readings": {
            key: {
                "mean": round(float(values.mean()), 8),
                "deviation": round(float(values.std(ddof=1)), 8) if len(values) > 1 else None,
                "worst": float(values.min()),
                "best": float(values.max()),
            }
            for key, values in readings.items()
        },
    }


def _short(layer: Mapping[str, object]) -> str:
    """One layer in few words: conv 3×3 to 16, stride 2."""
    kernel = layer.get("kernel", 1)
    across = "×".join(map(str, kernel)) if isinstance(kernel, (list, tuple)) else f"{kernel}×{kernel}"
    words = layer["kind"].replace("_", " ")
    if layer["kind"] in ("conv", "max_pool", "avg_pool"):
        words += f" {across}"
    words += f" to {layer['channels']}" if layer.get("channels") else ""
    own = layer["kind"] == "conv"
    return words + "".join(
        f", {key} {layer[key]}" for key in ("stride", "padding", "dilation", "groups") if own and key in layer
    )


def _marks(points: list[dict[str, object]], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """Each network as a dot at its mean, its seeds' spread as a line, and its name on the side where there is room."""
    marks = []
    for index, point in enumerate(points):
        reading, at = point["readings"]["test_accuracy"], x(point["parameters"])
        marks.append(
            tag(
                "line",
                x1=at,
                x2=at,
                y1=y(reading["worst"]),
                y2=y(reading["best"]),
                stroke=BLUE,
                stroke_width=2.5,
                data_spread=index,
            )
        )
        marks.append(
            tag(
                "circle", cx=at, cy=y(reading["mean"]), r=6, fill=BLUE, stroke=PAPER, stroke_width=1.5, data_point=index
            )
        )
        crowded = (
            any(0 < at - x(other["parameters"]) < 45 for other in points)
            and at + 10 + 6 * len(point["name"]) < _PANEL["x"][1]
        )
        side = {"text_anchor": "start"} if crowded else {"text_anchor": "end"}
        height = y(reading["mean"]) + 4
        marks.append(text(at + (10 if crowded else -10), height, point["name"], 10.5, INK, data_name=index, **side))
    return marks


def _picture(points: list[dict[str, object]], axis: list[float], lowest: float, highest: float) -> str:
    (left, right), (bottom, top) = _PANEL["x"], _PANEL["y"]

    def x(parameters: float) -> float:
        return float(left + (np.log10(parameters) - axis[0]) / (axis[1] - axis[0]) * (right - left))

    def y(accuracy: float) -> float:
        return float(bottom - (100 * accuracy - lowest) / (highest - lowest) * (bottom - top))

    ticks = [
        n
        for power in range(2, 7)
        for n in (10**power, 2 * 10**power, 5 * 10**power)
        if axis[0] <= np.log10(n) <= axis[1]
    ]
    levels = np.arange(lowest, highest + 0.01, 0.1 if lowest > 98.5 else 0.5)
    parts = [
        frame(_PANEL),
        *(tag("line", x1=left, x2=right, y1=y(v / 100), y2=y(v / 100), stroke=LINE, opacity=0.6) for v in levels[1:]),
        *(text(left - 5, y(v / 100) + 3, f"{v:.1f}", 9, FAINT, text_anchor="end") for v in levels),
        *(text(x(n), bottom + 13, f"{n:,}", 9, FAINT) for n in ticks),
        text((left + right) / 2, bottom + 29, "parameters", 10, FAINT),
        text(left, 16, "test accuracy in percent", 10, FAINT, text_anchor="start"),
        *_marks(points, x, y),
        tag("circle", cx=0, cy=-20, r=10, fill="none", stroke=RED, stroke_width=2, data_part="ring"),
    ]
    best = max(points, key=lambda point: point["readings"]["test_accuracy"]["mean"])
    description = (
        f"{len(points)} networks by parameters and accuracy; the most accurate is {best['name']}, "
        f"with {best['parameters']} parameters."
    )
    return svg(282, description, *parts)
