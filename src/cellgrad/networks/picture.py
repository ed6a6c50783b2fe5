"""A network to scale, and what the middle unit of each layer sees, on a digit or on a grid."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cellgrad import mnist, plotting
from cellgrad.networks.description import Description

_ELEMENTWISE = ("relu", "batch_norm", "dropout", "reshape", "flatten", "softmax", "log_softmax", "activation")
_IN_A_ROW = 8
_STRIP = 8  # a sequence is drawn so many times as long as high
_SHEETS = 24  # drawn at most of a layer's channels


def draw_network(description: Description) -> Figure:
    """Two panels for each layer: its sheets, all to one scale, and the field of its middle unit.

    Layers that work on each number alone are left out. Networks for digits are drawn on one, others on a grid; a
    sequence is drawn as a strip, and of a volume the face, its last two axes.
    """
    table = description.table
    if "kind" in table:
        plain = table["kind"].str.split(",").str[0]
        drawn = (1, len(description.input_size))
        table = table[~plain.isin(_ELEMENTWISE) & table["output_size"].map(lambda size: len(size) in drawn)]
    image = _background(description.input_size)
    panels, figure = _panels(len(table) + 1)
    largest = max(description.input_size[1:])
    _draw_sheets(panels[0][0], description.input_size, largest, plotting.INK)
    panels[0][0].set_title(f"input\n{_size(description.input_size)}\nparameters:", fontsize=8)
    _show(panels[0][1], image)
    for (above, below), row in zip(panels[1:], table.to_dict("records"), strict=True):
        colour = plotting.RED if "pool" in str(row.get("kind")) else plotting.BLUE
        _draw_sheets(above, row["output_size"], largest, colour)
        costs = f"{row['parameters']:,}" if row["parameters"] else "–"
        above.set_title(f"{row['layer']}\n{_size(row['output_size'])}\n{costs}", fontsize=8)
        if "box" in row:
            _show(below, image)
            _frame(below, row["box"])
            below.set_title(f"sees {_size(row['seen'])}", fontsize=8)
    return figure


def _panels(count: int) -> tuple[list[tuple[Axes, Axes]], Figure]:
    """So many pairs of panels, one above the other, eight pairs in a row."""
    columns, blocks = min(_IN_A_ROW, count), -(-count // _IN_A_ROW)
    figure = plt.figure(figsize=(1.5 * columns, 4 * blocks), layout="constrained")
    pairs = []
    for block in figure.subfigures(blocks, 1, squeeze=False).flat:
        axes = block.subplots(2, columns, squeeze=False)
        for ax in axes.flat:
            ax.axis("off")
        pairs += list(zip(*axes, strict=True))
    return pairs[:count], figure


def _background(input_size: tuple[int, ...]) -> np.ndarray:
    """A digit for networks that read digits; else squares, eight along the longer side."""
    if input_size[1:] == (28, 28):
        return mnist.sample().test.images[0].numpy()
    height, width = _face(input_size, max(input_size[1:]))
    step = max(1, max(height, width) // 8)
    return 40 * ((np.arange(height)[:, None] // step + np.arange(width)[None] // step) % 2)


def _face(size: tuple[int, ...], largest: int) -> tuple[int, int]:
    """Height and width at which a layer's channel is drawn: of a sequence as a strip, of a volume its last two axes."""
    if len(size) == 1:
        return 1, 1
    return (size[-2], size[-1]) if len(size) > 2 else (max(1, largest // _STRIP), size[-1])


def _size(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))


def _show(ax: Axes, image: np.ndarray) -> None:
    plotting.show_pixels(image, ax=ax).axis("on")


def _draw_sheets(ax: Axes, size: tuple[int, ...], largest: int, colour: str) -> None:
    """The channels of a layer as sheets one behind the other, or its numbers as a column of squares."""
    channels, (height, width) = size[0], _face(size, largest)
    shift = 0.02 * largest
    for sheet in reversed(range(min(channels, _SHEETS))):
        corner = (sheet * shift, sheet * shift)
        ax.add_patch(Rectangle(corner, width, height, facecolor=plotting.PAPER, edgecolor=colour, linewidth=0.8))
    reach = largest + _SHEETS * shift
    ax.set(xlim=(-1, reach), ylim=(-1, reach), aspect="equal")


def _frame(ax: Axes, box: tuple[tuple[float, float], ...]) -> None:
    """Frame the part of the image in a field: (first, end) on each axis."""
    (top, bottom), (left, right) = box[-2:] if len(box) > 1 else (ax.get_ylim()[::-1], box[0])
    look: dict[str, Any] = {"fill": False, "edgecolor": plotting.RED, "linewidth": 2}
    ax.add_patch(Rectangle((left, top), right - left, bottom - top, **look))
