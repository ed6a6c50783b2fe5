"""The slope: two points on the loss curve of one weight come closer, and the secant turns into the tangent."""

from __future__ import annotations

import numpy as np

from cellgrad.figures import javascript
from cellgrad.figures.network import pretty
from cellgrad.figures.page import BLUE, FAINT, INK, LINE, PAPER, PURPLE, RED, Figure, number, svg, tag, text
from cellgrad.toynet import FORWARD, PARAMETERS, WEIGHTS, ToyNetwork, chain_rule, evaluate

_REACH = 6  # the curve is drawn for weights from −6 to 6
_CURVE = {"x": (36, 390), "y": (186, 20)}  # where the three panels lie in the picture: left and right, bottom and top
_GLASS = {"x": (36, 186), "y": (352, 232)}
_ERROR = {"x": (240, 380), "y": (352, 232)}
_NUDGES = (0.5, -15)  # exponents of ten, from the widest to the narrowest
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
        "the secant. Dashed: the tangent, whose slope the chain rule gives. Below, left: the same under a magnifying "
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


def _picture(network: ToyNetwork, weight: str, nudge: float) -> str:
    row = network.row()
    at, loss, steepness = row[weight], row["E_total"], row[f"dE_d{weight}"]
    values = np.linspace(-_REACH, _REACH, 121)
    losses = _losses(network, weight, values)
    x, y = _scale(-_REACH, _REACH, _CURVE["x"]), _scale(0, 1.08 * losses.max(), _CURVE["y"])
    ends = np.array([-_REACH, _REACH])
    other = float(_losses(network, weight, np.array([at + nudge]))[0])
    secant = (other - loss) / nudge
    near = np.linspace(at - 2 * nudge, at + 2 * nudge, 61)
    near_losses = _losses(network, weight, near)
    glass_x = _scale(near[0], near[-1], _GLASS["x"])
    glass_y = _scale(near_losses.min(), near_losses.max() or 1.0, _GLASS["y"])
    exponents = np.linspace(_NUDGES[0], -4, 19)  # narrower nudges show the rounding of each machine
    steps = 10**exponents
    errors = np.abs((_losses(network, weight, at + steps) - loss) / steps - steepness)
    error_x, error_y = _scale(*_NUDGES, _ERROR["x"]), _scale(*_ERRORS, _ERROR["y"])
    written = np.log10(np.clip(errors, 1e-16, 1))

    def frame(panel: dict[str, tuple[int, int]], name: str = "frame") -> str:
        (left, right), (bottom, top) = panel["x"], panel["y"]
        return tag(
            "rect", x=left, y=top, width=right - left, height=bottom - top, fill=PAPER, stroke=LINE, data_part=name
        )

    def straight(rise: float) -> str:
        """The part of the line through the first point that lies inside the panel."""
        heights = np.sort([-loss / rise, (1.08 * losses.max() - loss) / rise]) + at if rise else ends
        inside = np.clip(heights, -_REACH, _REACH)
        return _path(x(inside), y(loss + rise * (inside - at)))

    def dot(cx: float, cy: float, fill: str, name: str, r: float = 5) -> str:
        return tag("circle", cx=float(cx), cy=float(cy), r=r, fill=fill, stroke=PAPER, stroke_width=1.5, data_part=name)

    curve = [
        frame(_CURVE),
        tag("path", d=_path(x(values), y(losses)), fill="none", stroke=INK, stroke_width=2, data_part="curve"),
        tag("path", d=straight(steepness), stroke=BLUE, stroke_dasharray="5 4", fill="none", data_part="tangent"),
        tag("path", d=straight(secant), stroke=RED, stroke_width=1.8, fill="none", data_part="secant"),
        dot(x(at + nudge), y(other), RED, "second", 6),
        dot(x(at), y(loss), BLUE, "first", 6),
        text(30, 26, number(1.08 * losses.max(), 2), 9, FAINT, text_anchor="end", data_part="top"),
        text(30, 189, "0", 9, FAINT, text_anchor="end"),
        *(text(float(x(tick)), 199, number(tick), 9, FAINT) for tick in range(-_REACH, _REACH + 1, 2)),
        text(213, 211, f"weight {pretty(weight)}", 10, FAINT, data_part="axis"),
        text(40, 15, "loss E", 10, FAINT, text_anchor="start"),
    ]
    glass = [
        frame(_GLASS, "glass"),
        tag(
            "path",
            d=_path(glass_x(near), glass_y(near_losses)),
            fill="none",
            stroke=INK,
            stroke_width=2,
            data_part="near",
        ),
        tag(
            "path",
            d=_path(glass_x(np.array([at, at + nudge])), glass_y(np.array([loss, other]))),
            stroke=RED,
            stroke_width=1.8,
            fill="none",
            data_part="near-secant",
        ),
        dot(glass_x(at + nudge), glass_y(other), RED, "near-second"),
        dot(glass_x(at), glass_y(loss), BLUE, "near-first"),
        text(111, 366, f"{pretty(weight)} ± {number(2 * nudge)}", 10, FAINT, data_part="near-axis"),
        text(40, 227, "magnified", 10, FAINT, text_anchor="start"),
    ]
    error = [
        frame(_ERROR, "glass"),
        tag(
            "path",
            d=_path(error_x(exponents), error_y(written)),
            fill="none",
            stroke=FAINT,
            stroke_width=1.5,
            data_part="errors",
        ),
        dot(error_x(np.log10(nudge)), error_y(np.log10(max(abs(secant - steepness), 1e-16))), PURPLE, "error"),
        *(
            text(float(error_x(tick)), 364, f"1e{tick}".replace("-", "−").replace("1e0", "1"), 8.5, FAINT)
            for tick in (0, -5, -10, -15)
        ),
        *(
            text(
                236,
                float(error_y(tick)) + 3,
                f"1e{tick}".replace("-", "−").replace("1e0", "1"),
                8.5,
                FAINT,
                text_anchor="end",
            )
            for tick in (0, -8, -16)
        ),
        text(315, 376, "nudge h", 10, FAINT),
        text(244, 227, "secant − tangent", 10, PURPLE, text_anchor="start"),
    ]
    description = (
        f"The loss as a curve of {weight}. At {number(at)} its slope is {number(steepness)}; "
        f"the secant to a point {number(nudge)} away has slope {number(secant)}."
    )
    return svg(382, description, *curve, *glass, *error)
