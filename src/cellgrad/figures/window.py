"""The window: a kernel moves over a digit, its products stand beside it, and the output fills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellgrad import checks, mnist
from cellgrad.figures.page import (
    FAINT,
    GREEN,
    INK,
    LINE,
    PAPER,
    RED,
    Figure,
    image,
    ink,
    number,
    signed,
    svg,
    tag,
    text,
)

UPRIGHT_EDGES = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
_INPUT, _OUTPUT, _SIDE = (8, 24), (208, 24), 184  # corners of the two squares, and their side
_TABLES, _TABLE_SIDE, _TABLES_TOP = (8, 146, 284), 108, 236
_LARGEST = {"kernel": 5, "stride": 3, "padding": 3, "dilation": 3}


def window(
    pixels: np.ndarray | None = None,
    kernel: Sequence[Sequence[float]] = UPRIGHT_EDGES,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    row: int = 11,
    column: int = 9,
) -> Figure:
    """A square kernel at one place of an image, with its products and their sum, and the output of all places.

    pixels: (rows, columns), 0 paper to 255 ink; a digit of the sample when None. row, column: the place in the output.
    Raises ValueError for a kernel that is not square or larger than 5, and for one that does not fit.
    """
    pixels = mnist.sample().train.images[3].numpy() if pixels is None else np.asarray(pixels)
    weights = np.asarray(kernel, dtype=float)
    if pixels.ndim != 2 or pixels.shape[0] != pixels.shape[1]:
        raise ValueError(f"pixels: expected a square of rows and columns, got the shape {pixels.shape}")
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or len(weights) > _LARGEST["kernel"]:
        raise ValueError(f"kernel: expected a square of at most 5×5 weights, got the shape {weights.shape}")
    settings = {"stride": (stride, 1), "padding": (padding, 0), "dilation": (dilation, 1)}
    for name, (value, least) in settings.items():
        if checks.whole_number(name, value, least=least) > _LARGEST[name]:
            raise ValueError(f"{name}: the figure goes up to {_LARGEST[name]}, got {value}")
    output = convolve(pixels.astype(float), weights, stride, padding, dilation)
    place = tuple(
        min(checks.whole_number(name, value), len(output) - 1) for name, value in (("row", row), ("column", column))
    )
    data = {
        "pixels": pixels.astype(int).flatten().tolist(),
        "side": len(pixels),
        "kernel": weights.tolist(),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "place": place,
        "largest": _LARGEST,
        "panels": {"input": _INPUT, "output": _OUTPUT, "side": _SIDE},
        "tables": {"lefts": _TABLES, "side": _TABLE_SIDE, "top": _TABLES_TOP},
    }
    return Figure(
        "window",
        "The window",
        "Left: the kernel at one place of the digit. Right: its output at every place, orange-red above zero and blue "
        "below. Under them, for this one place, the pixels, the weights and their products, whose sum is the output.",
        _picture(pixels, weights, output, place, stride, padding, dilation),
        data,
    )


def convolve(pixels: np.ndarray, weights: np.ndarray, stride: int, padding: int, dilation: int) -> np.ndarray:
    """The sum of weights times pixels at every place, (places, places); ValueError where the window is too wide."""
    padded = np.pad(pixels, padding)
    reach = dilation * (len(weights) - 1) + 1
    if reach > len(padded):
        raise ValueError(f"kernel: its window is {reach} pixels wide, but the image with padding only {len(padded)}")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach))
    return np.einsum("ijab,ab->ij", windows[::stride, ::stride, ::dilation, ::dilation], weights)


def _box(x: float, y: float, side: float, stroke: str, **more: object) -> str:
    return tag("rect", x=float(x), y=float(y), width=float(side), height=float(side), stroke=stroke, **more)


def _tables(under: np.ndarray, weights: np.ndarray) -> list[str]:
    """The pixels under the kernel, its weights and their products, three tables side by side."""
    side, tables = _TABLE_SIDE / len(weights), []
    for left, values, colour in zip(_TABLES, (under, weights, under * weights), (INK, GREEN, RED), strict=True):
        for (i, j), value in np.ndenumerate(values):
            x, y = left + side * j, _TABLES_TOP + side * i
            tables.append(_box(x, y, side, LINE, fill="none"))
            tables.append(text(x + side / 2, y + side / 2 + 4, number(value), 11, colour))
    return tables


def _picture(
    pixels: np.ndarray,
    weights: np.ndarray,
    output: np.ndarray,
    place: tuple[int, int],
    stride: int,
    padding: int,
    dilation: int,
) -> str:
    (left, top), (right, _) = _INPUT, _OUTPUT
    cell, answer = _SIDE / (len(pixels) + 2 * padding), _SIDE / len(output)
    row, column = (stride * position for position in place)
    taps = [(row + dilation * i, column + dilation * j) for i in range(len(weights)) for j in range(len(weights))]
    under = np.pad(pixels, padding)[*zip(*taps, strict=True)].reshape(weights.shape)
    inner, inset = _SIDE - 2 * padding * cell, padding * cell
    squares = [_box(left + cell * j, top + cell * i, cell, GREEN, fill="none", stroke_width=1.4) for i, j in taps]
    parts = [
        text(left, 16, "input", 10, FAINT, text_anchor="start", data_part="above-input"),
        text(right, 16, "output", 10, FAINT, text_anchor="start", data_part="above-output"),
        _box(left, top, _SIDE, LINE, fill=PAPER, data_part="input"),
        image(ink(pixels), left + inset, top + inset, inner, inner, data_part="digit", class_="cg-ink"),
        _box(left + inset, top + inset, inner, FAINT, fill="none", stroke_dasharray="3 3", data_part="edge"),
        tag("g", *squares, data_part="window"),
        _box(right, top, _SIDE, LINE, fill=PAPER, data_part="output"),
        tag("g", image(signed(output), right, top, _SIDE, _SIDE), data_part="answers", shape_rendering="crispEdges"),
        _box(
            right + answer * place[1],
            top + answer * place[0],
            answer,
            GREEN,
            fill="none",
            stroke_width=2,
            data_part="mark",
        ),
        *(
            text(x, _TABLES_TOP - 8, words, 10, FAINT, text_anchor="start", data_part=f"head{k}")
            for k, (x, words) in enumerate(zip(_TABLES, ("pixels", "times weights", "are products"), strict=True))
        ),
        tag("g", *_tables(under, weights), data_part="tables"),
        text(392, 366, f"their sum: {number(output[place], 6)}", 12, RED, text_anchor="end", data_part="sum"),
    ]
    description = (
        f"A kernel of {len(weights)} by {len(weights)} weights over a digit, at row {place[0] + 1} and column "
        f"{place[1] + 1} of {len(output)} by {len(output)} places; the sum of its products is {number(output[place])}."
    )
    return svg(376, description, *parts)
