"""The field: what each unit of a network sees of a digit, and a stack of layers to build oneself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import sympy as sp

from cellgrad import mnist
from cellgrad.checks import whole_number
from cellgrad.figures import javascript
from cellgrad.figures.page import (
    BLUE,
    FAINT,
    INK,
    LINE,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    Figure,
    image,
    ink,
    number,
    svg,
    tag,
    text,
)
from cellgrad.layers import SOURCE, Layer, Size, layer_table, pair
from cellgrad.receptive.recurrence import layer_rows, step

BUDGET = 20_000
# What works on each number alone, or only renames places, has no row of dots.
_NOT_DRAWN = ("relu", "batch_norm", "dropout")
_SQUARE, _SIDE, _MARGIN = (8, 22), 172, 8  # the digit's box, and how many pixels beyond its border are shown
_BESIDE_DIGIT = _SQUARE[0] + _SIDE + 14  # where the words beside it begin
_DOTS_TOP, _ROW, _DOTS, _BESIDE = 224, 21, (64, 392), 1  # pixels of room beside the rows of dots


def field(
    layers: Sequence[Layer] = SOURCE,
    input_size: Size = (1, 28, 28),
    pixels: np.ndarray | None = None,
    layer: str | None = None,
    budget: int = BUDGET,
) -> Figure:
    """A network as rows of units over a digit: point at a unit to see its receptive field; change the layers at will.

    layers: a layer list, the source's when not given. pixels: 0 paper to 255 ink, of the input's size; a digit of the
    sample when None. layer: the one whose middle unit is shown first, by name; the last but one of those drawn when
    None. budget: parameters that the bar is measured against. Raises ValueError where a layer does not fit.
    """
    rows = layer_rows(layers, input_size)
    pixels = mnist.sample().train.images[3].numpy() if pixels is None else np.asarray(pixels)
    if pixels.shape != tuple(input_size[1:]):
        raise ValueError(f"pixels: the shape {pixels.shape} is not that of the input, {tuple(input_size[1:])}")
    drawn = [i for i, row in enumerate(rows) if row["kind"] not in _NOT_DRAWN]
    names = [rows[i]["layer"] for i in drawn]
    if layer is not None and layer not in names:
        raise ValueError(f"layer: {layer!r} has no units of its own to point at; choose among {', '.join(names)}")
    chosen = drawn[names.index(layer)] if layer else drawn[len(drawn) // 2]
    symbols = sp.symbols("size jump start kernel stride padding dilation", real=True)
    data = {
        "input": tuple(input_size),
        "layers": [written(one) for one in layers],
        "chosen": chosen,
        "budget": whole_number("budget", budget, least=1),
        "hidden": _NOT_DRAWN,
        "panels": {
            "square": _SQUARE,
            "side": _SIDE,
            "margin": _MARGIN,
            "top": _DOTS_TOP,
            "row": _ROW,
            "dots": _DOTS,
            "beside": _BESIDE,
        },
    }
    return Figure(
        "field",
        "The field",
        "Each row of dots is a layer, at the places of the input's pixels that its units stand over; lines lead from "
        "one unit to all that it is made of. On the digit: the pixels that can change this unit (orange-red), and "
        "those of its neighbour (dashed). With random weights the derivatives' squares are largest in the middle; "
        "there the ring's radius is two standard deviations.",
        _picture(layers, rows, input_size, pixels, drawn, chosen, budget),
        data,
        javascript.function("step", symbols, step(*symbols)),
    )


def written(layer: Layer) -> dict[str, object]:
    """A layer as JSON can hold it, with what is left at its default left out."""
    defaults = {one.name: one.default for one in fields(Layer)}
    return {name: value for name, value in asdict(layer).items() if value != defaults[name]}


def _axis(row: dict[str, object], axis: int) -> tuple[float, float, float, int]:
    """A layer's field size, jump and start on one axis, and how many units it has there."""
    values = [value[axis] if isinstance(value, tuple) else value for value in (row["size"], row["jump"], row["start"])]
    places = row["output_size"][1:]
    return *values, places[axis] if places else 1


def _inputs(row: dict[str, object], unit: int, count: int) -> list[int]:
    """Which of `count` units below one unit of this layer looks at, along the columns."""
    kernel, stride, padding, dilation = (pair(row[name])[1] for name in ("kernel", "stride", "padding", "dilation"))
    return [i for t in range(kernel) if 0 <= (i := unit * stride - padding + dilation * t) < count]


def _picture(
    layers: Sequence[Layer],
    rows: list[dict[str, object]],
    input_size: Size,
    pixels: np.ndarray,
    drawn: list[int],
    chosen: int,
    budget: int,
) -> str:
    units = [_axis(rows[chosen], axis)[3] // 2 for axis in (0, 1)]
    table = layer_table(layers, input_size)
    parameters, multiply_adds = int(table["parameters"].sum()), int(table["multiply_adds"].sum())
    bottom = _DOTS_TOP + _ROW * len(drawn) + 22
    description = (
        f"A network of {len(drawn)} layers as rows of units. The middle unit of {rows[chosen]['layer']} sees "
        f"{number(_axis(rows[chosen], 1)[0])} pixels across; a square on the digit shows which. "
        f"It has {parameters} parameters."
    )
    return svg(
        bottom,
        description,
        *_on_the_digit(rows[chosen], pixels, units),
        *_said(rows[chosen], units),
        *_costs(parameters, multiply_adds, budget),
        tag("rect", x=0, y=_DOTS_TOP - 12, width=400, height=bottom - _DOTS_TOP, fill=PAPER, data_part="plate"),
        *_network([rows[i] for i in drawn], drawn.index(chosen) + 1, units[1], input_size[2]),
    )


def _on_the_digit(row: dict[str, object], pixels: np.ndarray, units: list[int]) -> list[str]:
    """The digit, what one unit of a layer sees of it, and what its neighbour sees."""
    height, width = pixels.shape
    pixel = _SIDE / (max(height, width) + 2 * _MARGIN)
    left, top = (corner + _MARGIN * pixel for corner in _SQUARE)
    border = {"x": left, "y": top, "width": width * pixel, "height": height * pixel}

    def square(shift: int, **more: object) -> str:
        sizes, jumps, starts, _ = zip(*(_axis(row, axis) for axis in (0, 1)), strict=True)
        y, x = (starts[a] + (units[a] + shift * a) * jumps[a] - sizes[a] / 2 for a in (0, 1))
        box = {"x": left + x * pixel, "y": top + y * pixel, "width": sizes[1] * pixel, "height": sizes[0] * pixel}
        return tag("rect", **{name: float(value) for name, value in box.items()}, fill="none", **more)

    return [
        tag("rect", x=_SQUARE[0], y=_SQUARE[1], width=_SIDE, height=_SIDE, fill=PAPER, stroke=LINE, data_part="square"),
        tag("rect", **border, fill="none", stroke=FAINT, stroke_dasharray="3 3"),
        image(ink(pixels), **border, class_="cg-ink", data_part="digit"),
        tag("g", data_part="spread"),
        tag("g", square(1, stroke=ORANGE, stroke_width=1.4, stroke_dasharray="3 2"), data_part="neighbour"),
        tag("g", square(0, stroke=RED, stroke_width=2), data_part="field"),
    ]


def _said(row: dict[str, object], units: list[int]) -> list[str]:
    """What one unit of a layer sees, in words beside the digit; the script fills the last line."""
    (high, *_), (wide, jump, *_) = (_axis(row, axis) for axis in (0, 1))
    lines = [
        (f"{row['layer']}, row {units[0] + 1}, column {units[1] + 1}", INK),
        (f"sees {number(high)} × {number(wide)} pixels", RED),
        (f"its neighbour: {number(jump)} further", RED),
        ("", PURPLE),
    ]
    return [
        text(_BESIDE_DIGIT, 40 + 18 * k, words, 11.5, colour, text_anchor="start", data_part=f"said{k}")
        for k, (words, colour) in enumerate(lines)
    ]


def _costs(parameters: int, multiply_adds: int, budget: int) -> list[str]:
    """Parameters as a bar against the budget, and multiplications, below those words."""
    x, wide = _BESIDE_DIGIT, 392 - _BESIDE_DIGIT
    named = {"text_anchor": "start", "size": 11, "fill": INK}
    return [
        text(x, 132, f"{parameters:,} parameters", **named, data_part="parameters"),
        tag("rect", x=x, y=140, width=wide, height=12, fill="none", stroke=FAINT),
        tag("rect", x=x, y=140, width=wide * min(parameters / budget, 1), height=12, fill=BLUE, data_part="bar"),
        text(392, 166, f"{budget:,}", 9, FAINT, text_anchor="end"),
        text(x, 188, f"{multiply_adds:,} multiplications", **named, data_part="multiplications"),
    ]


def _network(rows: list[dict[str, object]], level: int, unit: int, width: int) -> list[str]:
    """A row of dots for each layer, and lines from one unit of one of them to all that it is made of."""
    across = (_DOTS[1] - _DOTS[0]) / (width + 2 * _BESIDE)
    levels = [("input", 1, 0.5, width), *((row["layer"], *_axis(row, 1)[1:]) for row in rows)]
    places = [[_DOTS[0] + (_BESIDE + start + i * jump) * across for i in range(n)] for _, jump, start, n in levels]
    heights = [_DOTS_TOP + _ROW * (len(levels) - 1 - k) for k in range(len(levels))]
    lit, lines = {unit}, []
    for upper in range(level, 0, -1):
        below = {i: _inputs(rows[upper - 1], i, len(places[upper - 1])) for i in lit}
        for i, inputs in below.items():
            from_here = f"M{places[upper][i]:.1f} {heights[upper]}"
            lines += [f"{from_here}L{places[upper - 1][j]:.1f} {heights[upper - 1]}" for j in inputs]
        lit = {j for inputs in below.values() for j in inputs}
    dots = "".join(
        f"M{x - 2:.1f} {y}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0" for row, y in zip(places, heights, strict=True) for x in row
    )
    names = [text(4, y + 3, name, 9, INK, text_anchor="start") for (name, *_), y in zip(levels, heights, strict=True)]
    return [
        tag("path", d="".join(lines), fill="none", stroke=RED, stroke_width=0.8, opacity=0.7, data_part="paths"),
        tag("path", d=dots, fill=FAINT, data_part="dots"),
        tag("circle", cx=places[level][unit], cy=heights[level], r=4.5, fill=RED, data_part="unit"),
        tag("g", *names, data_part="names"),
    ]
