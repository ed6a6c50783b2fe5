"""The slope: two points on the loss curve of one weight come closer, and the secant turns into the tangent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from cellgrad.figures import javascript
from cellgrad.figures.network import pretty
from cellgrad.figures.page import BLUE, FAINT, INK, PAPER, PURPLE, RED, Figure, frame, number, svg, tag, text
from cellgrad.toynet import FORWARD, PARAMETERS, WEIGHTS, ToyNetwork, chain_rule, evaluate

_REACH = 6  # the curve is drawn for weights from −6 to 6
_CURVE = {"x": (36, 390), "y": (186, 20)}  # where the three panels lie in the picture: left and right, bottom and top
_GLASS = {"x": (36, 186), "y": (352, 232)}
_ERROR = {"x": (240, 380), "y": (352, 232)}
_NUDGES = (0.5, -15)  # exponents of ten, from the widest to the narrowest
Losses = Callable[[np.ndarray], np.ndarray]  # of the values of one weight
_ERRORS = (-16, 0)  # exponents of ten of the secant's error


def slope(network: ToyNetwork | None = None, weight: str = "w5", nudge: float = 2.0) -> Figure:
    """The loss as a curve of one weight, a point on it and a second one, `nudge` away, that can come closer.

    network: the book's when None. Raises ValueError for a weight that is none of w1 … w8 or a nudge out of range.
    """
    network = network or ToyNetwork()
    if weight not in map(str, WEIGHTS):
        raise ValueError(f"weight: there is no weight {weight!r}; choose among w1 … w8")
    if not 10 ** _NUDGES[1] <= nudge <= 10 ** _NUDGES[0]:
        raise ValueError(f"nudge: expected a number from 1e{_NUDGES[1]} to {10 ** _NUDGES[0]:.3g}, got {nudge}")
    data = {
        "parameters": [str(symbol) for symbol in PARAMETERS],
        "start": network.parameters,
        "weight": weight,
        "nudge": float(nudge),
        "names": {str(symbol): pretty(str(symbol)) for symbol in WEIGHTS},
        "reach": _REACH,
        "panels": {"curve": _CURVE, "glass": _GLASS, "error": _ERROR},
        "nudges": _NUDGES,
        "errors": _ERRORS,
    }
    return Figure(
        "slope",
        "The slope",
        f"Above: the loss as a curve of {pretty(weight)} alone, two points on it, and the straight line through them, "
        "the secant. Dashed: the tangent, which only touches the curve. Below, left: the same under a magnifying "
        "glass as wide as four nudges. Right: how far the secant's slope is from the tangent's.",
        _picture(network, weight, nudge),
        data,
        javascript.assignments("row", FORWARD | chain_rule()),
    )


def _losses(network: ToyNetwork, weight: str, values: np.ndarray) -> np.ndarray:
    given = dict(zip(map(str, PARAMETERS), network.parameters, strict=True))
    return evaluate(["E_total"], **given | {weight: values})[0]


def _scale(low: float, high: float, ends: tuple[int, int]):
    return lambda value: ends[0] + (value - low) / (high - low) * (ends[1] - ends[0])


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _dot(cx: float, cy: float, fill: str, name: str, r: float = 5) -> str:
    return tag("circle", cx=float(cx), cy=float(cy), r=r, fill=fill, stroke=PAPER, stroke_width=1.5, data_part=name)


def _power(exponent: int) -> str:
    return f"1e{exponent}".replace("-", "−").replace("1e0", "1")


def _picture(network: ToyNetwork, weight: str, nudge: float) -> str:
    at, tangent = network.row()[weight], network.row()[f"dE_d{weight}"]
    losses = partial(_losses, network, weight)
    loss, other = losses(np.array([at, at + nudge]))
    description = (
        f"The loss as a curve of {weight}. At {number(at)} its slope is {number(tangent)}; "
        f"the secant to a point {number(nudge)} away has slope {number((other - loss) / nudge)}."
    )
    return svg(
        382,
        description,
        *_curve(losses, at, nudge, tangent),
        text(213, 211, f"weight {pretty(weight)}", 10, FAINT, data_part="axis"),
        text(40, 15, "loss E", 10, FAINT, text_anchor="start"),
        *_glass(losses, at, nudge),
        text(111, 366, f"{pretty(weight)} ± {number(2 * nudge)}", 10, FAINT, data_part="near-axis"),
        text(40, 227, "magnified", 10, FAINT, text_anchor="start"),
        *_errors(losses, at, nudge, tangent),
    )


def _curve(losses: Losses, at: float, nudge: float, tangent: float) -> list[str]:
    """The curve of one weight with its two points, the secant through them, and the tangent at the first."""
    values = np.linspace(-_REACH, _REACH, 121)
    heights = losses(values)
    highest = 1.08 * heights.max() or 1.0
    x, y = _scale(-_REACH, _REACH, _CURVE["x"]), _scale(0, highest, _CURVE["y"])
    loss, other = losses(np.array([at, at + nudge]))

    def straight(rise: float) -> str:
        """The part of the line through the first point that lies inside the panel."""
        ends = np.sort([-loss / rise, (highest - loss) / rise]) + at if rise else np.array([-_REACH, _REACH])
        inside = np.clip(ends, -_REACH, _REACH)
        return _path(x(inside), y(loss + rise * (inside - at)))

    secant = straight((other - loss) / nudge)
    return [
        frame(_CURVE),
        tag("path", d=_path(x(values), y(heights)), fill="none", stroke=INK, stroke_width=2, data_part="curve"),
        tag("path", d=straight(tangent), stroke=BLUE, stroke_dasharray="5 4", fill="none", data_part="tangent"),
        tag("path", d=secant, stroke=RED, stroke_width=1.8, fill="none", data_part="secant"),
        _dot(x(at + nudge), y(other), RED, "second", 6),
        _dot(x(at), y(loss), BLUE, "first", 6),
        text(30, 26, number(highest, 2), 9, FAINT, text_anchor="end", data_part="top"),
        text(30, 189, "0", 9, FAINT, text_anchor="end"),
        *(text(float(x(tick)), 199, number(tick), 9, FAINT) for tick in range(-_REACH, _REACH + 1, 2)),
    ]


def _glass(losses: Losses, at: float, nudge: float) -> list[str]:
    """The same, as wide as four nudges."""
    near = np.linspace(at - 2 * nudge, at + 2 * nudge, 61)
    heights = losses(near)
    low, high = heights.min(), heights.max()
    points = np.array([at, at + nudge])
    x, y = _scale(near[0], near[-1], _GLASS["x"]), _scale(low, high if high > low else low + 1, _GLASS["y"])
    secant = _path(x(points), y(losses(points)))
    return [
        frame(_GLASS, "glass"),
        tag("path", d=_path(x(near), y(heights)), fill="none", stroke=INK, stroke_width=2, data_part="near"),
        tag("path", d=secant, stroke=RED, stroke_width=1.8, fill="none", data_part="near-secant"),
        _dot(x(at + nudge), y(losses(points)[1]), RED, "near-second"),
        _dot(x(at), y(losses(points)[0]), BLUE, "near-first"),
    ]


def _errors(losses: Losses, at: float, nudge: float, tangent: float) -> list[str]:
    """How far the secant's slope is from the tangent's, over the nudge, both logarithmic."""
    exponents = np.linspace(_NUDGES[0], -4, 19)  # narrower nudges show the rounding of each machine

    def off(nudges: np.ndarray) -> np.ndarray:
        secants = (losses(at + nudges) - losses(np.array([at]))) / nudges
        return np.log10(np.clip(np.abs(secants - tangent), 1e-16, 1))

    x, y = _scale(*_NUDGES, _ERROR["x"]), _scale(*_ERRORS, _ERROR["y"])
    line = _path(x(exponents), y(off(10**exponents)))
    return [
        frame(_ERROR, "glass"),
        tag("path", d=line, fill="none", stroke=FAINT, stroke_width=1.5, data_part="errors"),
        _dot(x(np.log10(nudge)), y(off(np.array([nudge]))[0]), PURPLE, "error"),
        *(text(float(x(tick)), 364, _power(tick), 8.5, FAINT) for tick in (0, -5, -10, -15)),
        *(text(236, float(y(tick)) + 3, _power(tick), 8.5, FAINT, text_anchor="end") for tick in (0, -8, -16)),
        text(315, 376, "nudge s", 10, FAINT),
        text(244, 227, "secant − tangent", 10, PURPLE, text_anchor="start"),
    ]
