"""The bowl and the trough: what a learning rate does on a loss of one curvature, and of two."""

from __future__ import annotations

import numpy as np
import sympy as sp

from cellgrad import checks
from cellgrad.figures import javascript
from cellgrad.figures.page import BLUE, FAINT, INK, PAPER, RED, Figure, frame, number, svg, tag, text

_UPDATES = 40
_REACH = 1.9  # the bowl is drawn for distances from −1.9 to 1.9; the ball starts at 1
_FLAT = 4.0  # the trough reaches so far along its flat direction
_START = (1.0, -3.6)  # the ball's first place: along the steep direction, along the flat one
_BOWL = {"x": (36, 390), "y": (192, 22)}
_LOSS = {"x": (36, 390), "y": (352, 242)}
_EXPONENTS = (-8, 2)  # of ten: the axis of the loss

_distance, _curvature, _rate = sp.symbols("distance curvature rate", real=True)
_loss = _curvature * _distance**2 / 2
_after = _distance - _rate * sp.diff(_loss, _distance)


def bowl(curvature: float = 1.0, flat: float = 0.05, learning_rate: float | None = None) -> Figure:
    """A ball in a bowl E = λ d² / 2 that takes steps of −η·λ·d; then in a trough with a second, flatter direction.

    curvature, flat: λ of the bowl, which is the trough's steep one, and of its flat one, in units of loss by distance
    squared. learning_rate: η, 1.6/λ when None. Raises ValueError unless all are above zero and flat ≤ curvature.
    """
    curvature, flat = checks.positive("curvature", curvature), checks.positive("flat", flat)
    if flat > curvature:
        raise ValueError(f"flat: {flat} is more than the curvature {curvature}; give the smaller one")
    rate = 1.6 / curvature if learning_rate is None else checks.positive("learning_rate", learning_rate)
    formulas = javascript.function("roll", (_distance, _curvature, _rate), [_after, _loss])
    data = {
        "curvature": curvature,
        "flat": flat,
        "rate": rate,
        "updates": _UPDATES,
        "start": _START,
        "reach": _REACH,
        "far": _FLAT,
        "panels": {"bowl": _BOWL, "loss": _LOSS},
        "exponents": _EXPONENTS,
    }
    return Figure(
        "bowl",
        "The bowl",
        "A ball in a bowl of curvature λ: each update multiplies its distance from the bottom by 1 − ηλ. Below, the "
        "loss after each update on a logarithmic axis, where a constant factor is a straight line. With two curvatures "
        "the bowl is a trough, seen from above: the steep direction limits the learning rate, the flat one needs it.",
        _picture(curvature, rate),
        data,
        formulas,
    )


def _picture(curvature: float, rate: float) -> str:
    places = (1 - rate * curvature) ** np.arange(_UPDATES + 1)
    description = (
        f"A ball in a bowl. With learning rate {number(rate)} and curvature {number(curvature)} each update multiplies "
        f"the distance by {number(1 - rate * curvature)}; below, the loss after each of {_UPDATES} updates."
    )
    return svg(384, description, *_rolling(curvature, rate, places), *_falling(curvature * places**2 / 2))


def _rolling(curvature: float, rate: float, places: np.ndarray) -> list[str]:
    """The bowl, and the ball's places in it as long as it stays inside."""
    (left, right), (bottom, top) = _BOWL["x"], _BOWL["y"]
    middle, wide = (left + right) / 2, (right - left) / (2 * _REACH)
    tall = (bottom - top - 6) / (curvature * _REACH**2 / 2)

    def on_the_bowl(distances: np.ndarray) -> list[tuple[float, float]]:
        return [(middle + wide * e, bottom - 6 - tall * curvature * e**2 / 2) for e in distances]

    outside = np.flatnonzero(np.abs(places) > _REACH)
    points = on_the_bowl(places[: outside[0] if len(outside) else None])
    dots = "".join(f"M{x - 2.5:.1f},{y:.1f}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0" for x, y in points)
    x, y = points[0]
    return [
        frame(_BOWL),
        tag("g", data_part="contours"),
        _line(_path(on_the_bowl(np.linspace(-_REACH, _REACH, 77))), "curve", INK),
        _line(_path(points), "path", RED, 1.2),
        tag("path", d=dots, fill=RED, data_part="dots"),
        tag("circle", cx=x, cy=y, r=7, fill=BLUE, stroke=PAPER, stroke_width=1.5, data_part="ball"),
        text(40, 16, "loss E", 10, FAINT, text_anchor="start", data_part="up"),
        text(213, 206, "distance from the bottom d", 10, FAINT, data_part="along"),
        text(213, 36, f"ηλ = {number(rate * curvature, 3)}", 12, RED, data_part="said"),
    ]


def _falling(losses: np.ndarray) -> list[str]:
    """The loss after each update, on an axis of powers of ten."""
    (left, right), (bottom, top) = _LOSS["x"], _LOSS["y"]
    low, high = _EXPONENTS
    step, unit = (right - left) / _UPDATES, (bottom - top) / (high - low)
    exponents = np.log10(np.maximum(losses, 1e-300))
    points = [(left + step * k, bottom - unit * (e - low)) for k, e in enumerate(exponents) if low <= e <= high]
    return [
        frame(_LOSS, "lower"),
        _line("", "second", FAINT, 1.4, stroke_dasharray="4 3"),
        _line(_path(points), "loss", RED),
        text(40, 237, "loss E, logarithmic", 10, FAINT, text_anchor="start"),
        text(213, 378, "update", 10, FAINT),
        *(text(left + step * k, 365, str(k), 9, FAINT) for k in range(0, _UPDATES + 1, 10)),
        *(
            text(32, bottom - unit * (e - low) + 3, f"1e{e}".replace("-", "−"), 8.5, FAINT, text_anchor="end")
            for e in (low, -4, high)
        ),
    ]


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _line(d: str, name: str, stroke: str, width: float = 2, **more: object) -> str:
    return tag("path", d=d, fill="none", stroke=stroke, stroke_width=width, data_part=name, **more)
