"""One look for all figures, and the pictures that more than one page draws.

Functions draw on axes and return them; those of more than one panel return the figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from cellgrad import checks
from cellgrad.layers import Layer, Size, layer_table
from cellgrad.receptive import receptive_field

if TYPE_CHECKING:
    import pandas as pd

    from cellgrad.toynet import ToyNetwork

# After Okabe and Ito's palette, told apart by colour-blind readers: orange and purple darkened, too pale ones left out.
BLUE, ORANGE, GREEN, RED, PURPLE, INK = "#0072B2", "#B87A00", "#009E73", "#D55E00", "#A6558B", "#2B2B2B"
PAPER, FAINT = "#FCFCFA", "#8C8C86"
INK_ON_PAPER = LinearSegmentedColormap.from_list("ink on paper", [PAPER, "#000000"])


def use_house_style() -> None:
    """Set matplotlib's defaults for the whole book: a light card, readable on light and dark pages."""
    plt.rcParams.update(
        {
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "figure.figsize": (6.4, 3.8),  # on a phone, 12 points are then 9 pixels
            "figure.dpi": 144,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, INK]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "axes.titlelocation": "left",
            "axes.titlesize": 13,
            "axes.labelsize": 12,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E6E6E1",
            "font.size": 12,
            "legend.frameon": False,
            "lines.linewidth": 2,
        }
    )


def short(value: float) -> str:
    """A number for a label: whole numbers in full, with commas from a million on; others to six digits."""
    whole = float(value).is_integer() and abs(value) < 1e15
    return f"{value:,.0f}" if whole and abs(value) >= 1e6 else f"{value:g}"


def _blank(ax: Axes | None, size: tuple[float, float]) -> Axes:
    ax = ax or plt.subplots(figsize=size)[1]
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


# Where the units of the 2-2-2 network stand, and which weight joins which of them.
_UNITS = {
    **{"i1": (0, 2), "i2": (0, 0), "h1": (2.5, 2), "h2": (2.5, 0), "o1": (5.0, 2), "o2": (5.0, 0)},
    **{"E1": (6.9, 2), "E2": (6.9, 0), "E_total": (8.3, 1)},
}
_EDGES = {
    **{"w1": ("i1", "h1"), "w2": ("i2", "h1"), "w3": ("i1", "h2"), "w4": ("i2", "h2")},
    **{"w5": ("h1", "o1"), "w6": ("h2", "o1"), "w7": ("h1", "o2"), "w8": ("h2", "o2")},
}
_TO_THE_LOSS = [("o1", "E1"), ("o2", "E2"), ("E1", "E_total"), ("E2", "E_total")]
_RADIUS = 0.5


def _unit_colour(name: str) -> str:
    return {"i": BLUE, "h": ORANGE, "o": GREEN}.get(name[0], RED)


def _draw_edges(ax: Axes, labels: dict[str, str], fontsize: float) -> None:
    """All lines of the 2-2-2 network, with a label on each line that carries a weight."""
    for weight, (start, end) in [*_EDGES.items(), *(("", edge) for edge in _TO_THE_LOSS)]:
        (x0, y0), (x1, y1) = _UNITS[start], _UNITS[end]
        ax.plot([x0, x1], [y0, y1], color=FAINT, linewidth=1.6, zorder=1)
        if weight:
            near = 0.5 if y0 == y1 else 0.36  # crossing edges carry their labels before they cross
            where = (x0 + near * (x1 - x0), y0 + near * (y1 - y0))
            box = {"fc": PAPER, "ec": "none", "pad": 1}
            ax.annotate(
                labels[weight], where, ha="center", va="center", fontsize=fontsize, color=INK, bbox=box, linespacing=1.5
            )


def _draw_unit(ax: Axes, name: str, above: str, below: str) -> None:
    x, y = _UNITS[name]
    circle = Circle((x, y), _RADIUS, facecolor=PAPER, edgecolor=_unit_colour(name), linewidth=2.4, zorder=2)
    ax.add_patch(circle)
    ax.text(x, y + 0.14, above, ha="center", va="center", fontsize=13, zorder=3)
    ax.text(x, y - 0.19, below, ha="center", va="center", fontsize=11, zorder=3)


def draw_toy_network(network: ToyNetwork, ax: Axes | None = None) -> Axes:
    """The 2-2-2 network with the value of every unit and weight, left to right from the inputs to the loss."""
    ax = _blank(ax, (6.4, 3.0))
    values = network.row()
    _draw_edges(ax, {weight: f"${_subscript(weight)}$ = {short(values[weight])}" for weight in _EDGES}, fontsize=11.5)
    for name in _UNITS:
        shown = f"a_{name}" if f"a_{name}" in values else name
        digits = ".2g" if name[0] == "E" else ".4g"
        _draw_unit(ax, name, f"${_subscript(shown)}$", f"{values[shown]:{digits}}")
    for heading, name in {"inputs": "i1", "hidden": "h1", "outputs": "o1", "errors": "E1"}.items():
        ax.text(_UNITS[name][0], 2.8, heading, ha="center", fontsize=12, color=INK)
    ax.text(_UNITS["E_total"][0], 1.8, "loss", ha="center", fontsize=12, color=INK)
    for output, target in (("o1", "t1"), ("o2", "t2")):
        x, y = _UNITS[output]
        ax.text(x, y - 0.75, f"target {short(values[target])}", ha="center", fontsize=11.5, color=INK)
    ax.set(xlim=(-0.55, 8.85), ylim=(-1.0, 3.2))
    return ax


def draw_backward_pass(network: ToyNetwork, ax: Axes | None = None) -> Axes:
    """The 2-2-2 network read from right to left: how each unit's δ is made, and each derivative as δ times a number."""
    ax = _blank(ax, (6.4, 5.2))
    v = network.row()
    places = {"i1": (0, 3.6), "i2": (0, 0), "h1": (3.3, 3.6), "h2": (3.3, 0), "o1": (6.6, 3.6), "o2": (6.6, 0)}
    delta, made = {}, {}
    for k in "12":
        miss, slope = v[f"a_o{k}"] - v[f"t{k}"], v[f"a_o{k}"] * (1 - v[f"a_o{k}"])
        delta[f"o{k}"], made[f"o{k}"] = miss * slope, f"{miss:.4f} × {slope:.4f}"
    for k, first, second in (("1", "w5", "w7"), ("2", "w6", "w8")):
        back, slope = delta["o1"] * v[first] + delta["o2"] * v[second], v[f"a_h{k}"] * (1 - v[f"a_h{k}"])
        delta[f"h{k}"] = back * slope
        made[f"h{k}"] = f"({delta['o1']:.4f} × {v[first]:g}\n+ {delta['o2']:.4f} × {v[second]:g}) × {slope:.4f}"
    for weight, (start, end) in _EDGES.items():
        (x0, y0), (x1, y1) = places[start], places[end]
        ax.plot([x0, x1], [y0, y1], color=FAINT, linewidth=1.6, zorder=1)
        near = 0.5 if y0 == y1 else 0.32
        where = (x0 + near * (x1 - x0), y0 + near * (y1 - y0))
        left = v.get(f"a_{start}", v.get(start))
        label = f"${_subscript(weight)}$: {delta[end]:.4f}\n× {left:.4g}\n= {delta[end] * left:.5f}"
        box = {"fc": PAPER, "ec": "none", "pad": 1}
        ax.annotate(label, where, ha="center", va="center", fontsize=11, color=INK, bbox=box, linespacing=1.25)
    for name, (x, y) in places.items():
        circle = Circle((x, y), 0.66, facecolor=PAPER, edgecolor=_unit_colour(name), linewidth=2.4, zorder=2)
        ax.add_patch(circle)
        shown = f"a_{name}" if name in delta else name
        lines = [f"${_subscript(shown)}$", f"{v[shown]:.4g}"] + ([f"δ {delta[name]:.4f}"] if name in delta else [])
        for line, (text, up) in enumerate(zip(lines, (0.29, 0.0, -0.27), strict=False)):
            colour = RED if line == 2 else INK
            ax.text(x, y + up, text, ha="center", va="center", fontsize=12 if line == 0 else 11, color=colour, zorder=3)
        if name in made:
            up, side = (0.78, "bottom") if name.endswith("1") else (-0.82, "top")
            ax.text(x, y + up, f"δ = {made[name]}", ha="center", va=side, fontsize=11, color=RED)
    ax.annotate("", (0, 5.2), (6.6, 5.2), arrowprops={"arrowstyle": "->", "color": RED, "lw": 2})
    ax.text(3.3, 5.35, "backwards: first the δ, then the eight products", ha="center", fontsize=12, color=RED)
    ax.set(xlim=(-0.75, 7.85), ylim=(-1.5, 5.75))
    return ax


def _subscript(name: str) -> str:
    if name == "E_total":
        return r"E_\mathrm{total}"
    letter, _, index = name.partition("_") if "_" in name else (name[0], "", name[1:])
    return f"{letter}_{{{index}}}"


def plot_losses(losses: pd.DataFrame | pd.Series, log: bool = False, ax: Axes | None = None) -> Axes:
    """The loss after each update, one line for each column; columns are learning rates."""
    ax = ax or plt.subplots()[1]
    table = losses if losses.ndim == 2 else losses.to_frame()
    for column in table:
        ax.plot(table.index, table[column], label=short(column) if losses.ndim == 2 else None)
    ax.set(xlabel="update", ylabel=r"loss $E_\mathrm{total}$")
    ax.set_yscale("log") if log else ax.set_ylim(bottom=0)
    if losses.ndim == 2:
        ax.legend(title="learning rate")
    return ax


def draw_convnet(
    layers: Sequence[Layer],
    input_size: Size = (1, 28, 28),
    image: np.ndarray | None = None,
    ax: Axes | None = None,
    rows: int = 1,
) -> Axes:
    """The network to scale: one sheet for each channel, one unit of length for each pixel, counted layer by layer.

    Layers that work on each number alone (ReLU, batch norm, dropout) are not drawn, nor those whose output is a list of
    numbers. image: drawn on the input's sheet. rows: as many lines as the picture is broken into; two or three fit a
    phone. Raises ValueError as `layer_table` does.
    """
    rows = checks.whole_number("rows", rows, least=1)
    table = layer_table(layers, input_size)
    drawn = ~table["kind"].isin(["relu", "batch_norm", "dropout"]) & (table["output_size"].map(len) == 3)
    steps = [("input", tuple(input_size), FAINT, "")]
    for row in table[drawn].itertuples():
        steps.append((row.layer, row.output_size, _colour(row.kind), f"{row.parameters:,}" if row.parameters else "–"))
    in_a_row = -(-len(steps) // rows)
    own, ax = ax is None, _blank(ax, (1.2 * in_a_row + 1, 2.9))
    widest = 0.0
    for line in range(rows):
        x, middle = 0.0, -62.0 * line
        for step in steps[line * in_a_row : (line + 1) * in_a_row]:
            x += _draw_sheets(ax, *step, x, middle, image if step[0] == "input" else None) + 4
        ax.text(
            -3, middle - 20, "layer\nsize\nparameters", ha="right", va="top", fontsize=11, linespacing=1.5, color=INK
        )
        widest = max(widest, x)
    ax.set(xlim=(-33, widest), ylim=(-42 - 62 * (rows - 1), 18))
    if own and rows > 1:
        ax.figure.set_figheight(ax.figure.get_figwidth() * (60 + 62 * (rows - 1)) / (widest + 33))
    return ax


def _draw_sheets(
    ax: Axes,
    name: str,
    output_size: Size,
    colour: str,
    parameters: str,
    x: float,
    middle: float,
    image: np.ndarray | None,
) -> float:
    """One layer's channels as sheets, each moved a little from the one before it; returns the width they take."""
    channels, height, width = output_size
    size = "×".join(str(n) for n in output_size)
    sheet = 0.9  # far enough apart to be seen as sheets
    depth = sheet * (channels - 1)
    column = max(width + depth, 21, 3.2 * len(name), 3.2 * len(size))
    left = x + (column - width - depth) / 2
    for channel in reversed(range(channels)):
        corner = (left + sheet * channel, middle - (height + depth) / 2 + sheet * channel)
        ax.add_patch(Rectangle(corner, width, height, facecolor=PAPER, edgecolor=colour, linewidth=0.5))
    if image is not None:
        ax.imshow(
            image, cmap=INK_ON_PAPER, extent=(left, left + width, middle - height / 2, middle + height / 2), zorder=2
        )
    label = {"ha": "center", "va": "top", "fontsize": 11, "linespacing": 1.5}
    ax.text(x + column / 2, middle - 20, f"{name}\n{size}\n{parameters}", **label)
    return column


def _colour(kind: str) -> str:
    return {"conv": BLUE, "max_pool": RED, "avg_pool": RED}.get(kind, GREEN)


def show_digits(images: Iterable[np.ndarray], titles: Iterable[str], heading: str = "", columns: int = 6) -> Figure:
    """A grid of digits, ink on framed paper, each with a title; a heading above them all."""
    images, titles = list(images), list(titles)
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.05 * columns, 1.45 * rows + 0.3 * bool(heading)), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(np.asarray(image), cmap=INK_ON_PAPER, vmin=0, vmax=255)
        height, width = np.shape(image)
        ax.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=FAINT, linewidth=0.8, clip_on=False))
        ax.set_title(title, fontsize=12, loc="center")
    if heading:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=13)
    return figure


def show_pixels(
    image: np.ndarray, values: bool = False, signed: bool = False, scale: str = "ink", ax: Axes | None = None
) -> Axes:
    """An image or a small table, a square for each number; the first pixel's centre is at (0.5, 0.5).

    values: write the number into each square. signed: red above zero, blue below, paper at zero. scale: "ink" shows 0
    to 255 as grey values, "linear" 0 to the largest number; what is below 0 looks like paper. Raises ValueError for
    what is no table of numbers.
    """
    image = np.asarray(image)
    if image.ndim != 2 or not image.size or image.dtype.kind not in "iubf":
        raise ValueError(f"image: expected numbers in rows and columns, got {image.dtype} of shape {image.shape}")
    image = image.astype(float) if image.dtype.kind in "iub" else image  # the smallest int8 has no opposite
    ax = ax or plt.subplots()[1]
    height, width = image.shape
    largest = np.abs(image).max() or 1
    if signed:
        look = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    else:
        look = {"cmap": INK_ON_PAPER, "vmin": 0, "vmax": 255 if scale == "ink" else largest}
    ax.imshow(image, extent=(0, width, height, 0), **look)
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=FAINT, linewidth=0.8)
    for (row, column), value in np.ndenumerate(image if values else np.empty((0, 0))):
        dark = (abs(value) if signed else value) > (0.6 if signed else 0.48) * look["vmax"]
        place = {"ha": "center", "va": "center", "fontsize": min(12, 100 / width), "color": PAPER if dark else INK}
        ax.text(column + 0.5, row + 0.5, short(value), **place)
    return ax


def frame(ax: Axes, row: float, column: float, size: float | tuple[float, float], colour: str | tuple = RED) -> None:
    """Frame some pixels on an image that `show_pixels` drew, from the upper left one at row and column on.

    size: the number of pixels on a side of a square, or rows and columns.
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    look = {"fill": False, "edgecolor": colour, "linewidth": 2.2, "clip_on": False}
    ax.add_patch(Rectangle((column, row), width, height, **look))


def draw_fields(table: pd.DataFrame, image: np.ndarray, columns: int = 5) -> Figure:
    """The field of each layer's centre unit, framed on copies of an image; `table` as `receptive_field` gives it."""
    rows = -(-len(table) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.6 * columns, 1.9 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, layer in zip(axes.flat, table.itertuples(), strict=False):
        size, jump, start = (_on_two_axes(value) for value in (layer.size, layer.jump, layer.start))
        # "whole image" is as large as the image.
        size = tuple(n if own is None else own for own, n in zip(size, np.shape(image), strict=True))
        units = layer.output_size[1:] if len(layer.output_size) == 3 else (1, 1)
        corner = [
            # A unit that sees the whole image has no place of its own.
            0 if start[axis] is None else start[axis] + jump[axis] * (units[axis] // 2) - size[axis] / 2
            for axis in (0, 1)
        ]
        show_pixels(image, ax=ax).axis("on")
        frame(ax, *corner, size)
        height, width = np.shape(image)
        ax.set(xlim=(-1.5, width + 1.5), ylim=(height + 1.5, -1.5))
        ax.spines[:].set_visible(False)
        wide = " × ".join(map(short, size if size[0] != size[1] else size[:1]))
        ax.set_title(f"{layer.layer}: {wide}", fontsize=12)
    return figure


def _on_two_axes(value: float | tuple | None) -> tuple:
    """A table's entry for height and width; None where it is no number, or none, which pandas turns into NaN."""
    pair = value if isinstance(value, tuple) else (value, value)
    return tuple(None if number is None or isinstance(number, str) or np.isnan(number) else number for number in pair)


def draw_window(
    pixels: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ax: Axes | None = None
) -> Axes:
    """A grid of pixels with its padding, and the taps of a kernel at its first two positions beside each other."""
    ax = _blank(ax, (3, 3))
    for row in range(-padding, pixels + padding):
        for column in range(-padding, pixels + padding):
            inside = 0 <= row < pixels and 0 <= column < pixels
            look = {"facecolor": "#EDEDE8" if inside else PAPER, "linestyle": "-" if inside else ":"}
            ax.add_patch(Rectangle((column, row), 1, 1, edgecolor=FAINT, linewidth=0.8, **look))
    taps = np.arange(kernel) * dilation - padding + 0.5
    rows, columns = (axis.flatten() for axis in np.meshgrid(taps, taps, indexing="ij"))
    ax.plot(columns, rows, "o", color=BLUE, markersize=7)
    ax.plot(columns + stride, rows, "o", color=RED, markersize=7, fillstyle="none", markeredgewidth=1.6)
    edge = max(padding, 1) + 0.3
    ax.set(xlim=(-edge, pixels + edge), ylim=(pixels + edge, -edge))
    return ax


def plot_history(history: pd.DataFrame, note: str = "") -> Figure:
    """Loss, and the wrong answers in percent, after each epoch, on logarithmic axes; `note` is added to the titles."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.6))
    left.plot(history.index, history["loss"], marker="o", markersize=4)
    left.set(xlabel="epoch", ylabel="loss (cross-entropy)", title=f"Loss{note}")
    labels = {"training_accuracy": "training digits, shifted", "validation_accuracy": "validation digits"}
    for column in [column for column in labels if column in history]:
        right.plot(history.index, 100 * (1 - history[column]), marker="o", markersize=4, label=labels[column])
    right.set(xlabel="epoch", ylabel="wrong answers (%)", title=f"Mistakes{note}")
    right.legend(loc="upper right")
    for ax in (left, right):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    bottom, top = right.get_ylim()
    right.set_ylim(top=top * (top / bottom) ** 0.3)  # room for the legend above the first point
    return figure


def plot_seeds(
    records: pd.DataFrame,
    column: str = "test_accuracy",
    note: str = "",
    *,
    digits: str = "test digits",
    base: str | None = None,
    least: float | None = None,
) -> Axes:
    """A row for each variant, a dot for each seed's accuracy in percent, a bar at their mean where all are shown.

    note: added to the axis's label. digits: what the column counts. base: the variant whose mean is drawn through all
    rows. least: the axis begins there, and what lies further left is an arrow with its numbers. Raises ValueError where
    there are no records or not this column.
    """
    if records.empty or not {"variant", column} <= set(records):
        raise ValueError(
            f"records: expected trials with the columns variant and {column}, got {len(records)} rows of "
            f"{', '.join(map(str, records)) or 'nothing'}"
        )
    variants = list(dict.fromkeys(records["variant"]))
    ax = plt.subplots(figsize=(6.4, 0.9 + 0.45 * len(variants)))[1]
    for row, variant in enumerate(variants):
        percent = np.sort(100 * records.loc[records["variant"] == variant, column].to_numpy())
        far = percent < (least if least is not None else -np.inf)
        if far.any():
            numbers = ", ".join(sorted({f"{value:.1f}" for value in percent[far]}, key=float))
            ax.plot(0.012, row, "<", color=BLUE, markersize=8, transform=ax.get_yaxis_transform())
            ax.text(0.035, row, numbers, va="center", transform=ax.get_yaxis_transform())
        heights = row + 0.12 * np.resize([0, -1, 1], (~far).sum())  # equal dots beside each other
        ax.plot(percent[~far], heights, "o", color=BLUE, alpha=0.55, markersize=6, markeredgewidth=0)
        if not far.any():
            ax.plot([percent.mean()] * 2, [row - 0.3, row + 0.3], color=RED, linewidth=2.4)
        if variant == base:
            ax.axvline(percent.mean(), color=FAINT, linewidth=1.2, linestyle="--", zorder=0)
    labels = [_short_lines(variant) for variant in variants]
    ax.set(yticks=range(len(variants)), yticklabels=labels, ylim=(len(variants) - 0.5, -0.5))
    ax.set(xlabel=f"{digits} right (%){note}")
    if least is not None:
        ax.set_xlim(left=least)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", visible=False)
    return ax


def _short_lines(name: str) -> str:
    """Short lines for a long name beside an axis; sizes such as 3 × 3 stay whole."""
    return fill(name.replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"), 26)


def plot_intervals(
    table: pd.DataFrame, matters: float = 0.05, reach: float | None = None, base: str = "the base"
) -> Axes:
    """Differences with their intervals, a row each, as `comparison.against` gives them; one look for each verdict.

    (Or with plain verdicts: better, worse, no difference, and anything else for undecided.)

    matters: a band of differences too small to care about. reach: the axis ends there; an interval that goes on ends
    in an arrowhead, and a difference that lies further out is an arrow with its number. base: what they differ from.
    """
    labels = [_short_lines(name) for name in table.index]
    height = 0.44 if any("\n" in label for label in labels) else 0.34
    ax = plt.subplots(figsize=(6.4, 0.9 + height * len(table)))[1]
    looks = {"better": (BLUE, "^"), "worse": (RED, "v"), "no difference": (GREEN, "s")}
    ax.axvspan(-matters, matters, color="#E6E6E1", zorder=0)
    ax.axvline(0, color=INK, linewidth=1)
    for row, found in enumerate(table.itertuples()):
        colour, marker = looks.get(re.split(", | of ", found.verdict)[0], (INK, "o"))
        if reach and abs(found.difference) > reach:
            side = 1 if found.difference > 0 else -1
            arrow = {"color": colour, "width": 1.5, "headwidth": 7, "headlength": 7}
            ax.annotate("", (side * reach, row), (side * 0.85 * reach, row), arrowprops=arrow)
            align = "left" if side < 0 else "right"
            ax.text(side * 0.82 * reach, row, f"{found.difference:+.2f}", ha=align, va="center")
            continue
        ends = np.clip([found.low, found.high], -reach, reach) if reach else (found.low, found.high)
        ax.plot(ends, [row, row], color=colour, linewidth=1.8)
        for end, head in ((found.low, "<"), (found.high, ">")):
            if reach and abs(end) > reach:
                ax.plot(np.sign(end) * reach, row, head, color=colour, markersize=8, clip_on=False)
        ax.plot(found.difference, row, marker, color=colour, markersize=7)
    ax.set(yticks=range(len(table)), yticklabels=labels, ylim=(len(table) - 0.5, -0.5))
    ax.set(xlabel=f"difference from {base} (points)")
    if reach:
        ax.set_xlim(-reach, reach)
    ax.grid(axis="y", visible=False)
    return ax


def draw_chain(names: Sequence[str], changes: Sequence[str], rates: Sequence[str], ax: Axes | None = None) -> Axes:
    """A chain of quantities, each with the change that reaches it; over each arrow, the rate that it passes on."""
    ax = _blank(ax, (6.4, 1.75))
    for place, (name, change) in enumerate(zip(names, changes, strict=True)):
        x = 2.0 * place
        ax.add_patch(Circle((x, 0), 0.42, facecolor=PAPER, edgecolor=BLUE, linewidth=2.4))
        ax.text(x, 0, name, ha="center", va="center", fontsize=15)
        ax.text(x, -0.78, change, ha="center", va="center", fontsize=12)
        if place < len(rates):
            ax.annotate("", (x + 1.53, 0), (x + 0.47, 0), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.6})
            ax.text(x + 1, 0.6, rates[place], ha="center", va="center", fontsize=13, color=RED)
    ax.set(xlim=(-0.8, 2.0 * len(names) - 1.2), ylim=(-1.05, 0.9))
    return ax


def draw_channels(channels_in: int = 8, channels_out: int = 16) -> Figure:
    """A convolution with channels: sheets in, a table with a small kernel for each pair of channels, sheets out.

    One row of kernels and the sheet that it writes are coloured.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(6.4, 4.4), width_ratios=[2, 3, 4])
    for ax, count, across in ((left, channels_in, 2), (right, channels_out, 4)):
        _blank(ax, (2, 4))
        for sheet in range(count):
            x, y = 13 * (sheet % across), -13 * (sheet // across)
            chosen = ax is right and sheet == 0
            look = {"facecolor": PAPER, "edgecolor": BLUE if chosen else INK, "linewidth": 2 if chosen else 0.8}
            ax.add_patch(Rectangle((x, y), 11, 11, **look))
            if ax is left:  # the same window on each sheet
                ax.add_patch(Rectangle((x + 2, y + 6), 3, 3, facecolor=ORANGE, edgecolor="none"))
        if ax is right:  # one pixel, in the place of the windows' middle
            ax.add_patch(Rectangle((3, 7), 1, 1, facecolor=BLUE, edgecolor="none"))
        ax.set(xlim=(-1, 13 * across - 1), ylim=(-13 * (-(-count // across)) + 12, 12))
        ax.set_title(f"{count} sheets {'in' if ax is left else 'out'}", fontsize=12)
    _blank(middle, (3, 4))
    for row in range(channels_out):
        for column in range(channels_in):
            for cell in range(9):
                corner = (4 * column + cell % 3, -4 * row + cell // 3)
                colour = BLUE if row == 0 else FAINT
                middle.add_patch(Rectangle(corner, 1, 1, facecolor=PAPER, edgecolor=colour, linewidth=0.6))
    middle.set(xlim=(-1.5, 4 * channels_in), ylim=(-4 * channels_out + 3, 4.5))
    middle.set_title(f"{channels_out} rows of {channels_in} kernels", fontsize=12)
    return figure


def draw_fan_in(layers: Sequence[Layer], pixels: int = 16) -> Axes:
    """A stack of layers on one line of pixels, a row of dots a layer, and all that the last one's middle unit sees.

    Its neighbour's part of the pixels is bracketed below, so that the jump can be read off.
    """
    table = receptive_field(layers, (1, pixels, pixels))
    rows = [("pixels", 1, 1, 0.5, pixels, lambda unit: ())]
    for row in table.itertuples():
        rows.append((row.layer, row.size, row.jump, row.start, row.output_size[-1], partial(_taps, row)))
    ax = plt.subplots(figsize=(6.4, 1.2 + 0.75 * len(rows)))[1]
    ax.axis("off")
    seen = {len(rows) - 1: {rows[-1][4] // 2}}
    for height in range(len(rows) - 1, 0, -1):
        _, _, jump, start, _, taps = rows[height]
        _, _, jump_below, start_below, units_below, _ = rows[height - 1]
        below = set()
        for unit in seen[height]:
            for tap in set(taps(unit)) & set(range(units_below)):  # padding is no unit
                places = [start + unit * jump, start_below + tap * jump_below]
                ax.plot(places, [height, height - 1], color=BLUE, linewidth=1, alpha=0.6, zorder=1)
                below.add(tap)
        seen[height - 1] = below
    for height, (name, size, jump, start, units, _) in enumerate(rows):
        places = start + jump * np.arange(units)
        colours = [BLUE if unit in seen[height] else PAPER for unit in range(units)]
        ax.scatter(places, [height] * units, c=colours, edgecolors=INK, s=70, linewidths=1, zorder=2)
        ax.text(-0.6, height, name, ha="right", va="center", fontsize=12)
        sees = f"sees {size}, jump {jump}" if height else "a pixel: 1, jump 1"
        ax.text(pixels + 0.6, height, sees, va="center", fontsize=12)
    _, size, jump, start, units, _ = rows[-1]
    for step, colour in ((0, BLUE), (1, RED)):
        first = start + jump * (units // 2 + step) - size / 2
        y = -0.55 - 0.3 * step
        ax.plot([first, first + size], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
    ax.text(pixels + 0.6, -0.6, "its field", color=BLUE, va="center", fontsize=12)
    ax.text(pixels + 0.6, -1.0, "its neighbour's", color=RED, va="center", fontsize=12)
    ax.set(xlim=(-2.9, pixels + 6.9), ylim=(-1.3, len(rows) - 0.6))
    return ax


def _taps(row: Any, unit: int) -> range:
    """Which units of the layer below one unit reads, from left to right; those below 0 are padding."""
    kernel, stride, padding, dilation = (
        value[-1] if isinstance(value, tuple) else value
        for value in (row.kernel, row.stride, row.padding, row.dilation)
    )
    first = unit * stride - padding
    return range(first, first + dilation * (kernel - 1) + 1, dilation)


def show_crops(image: np.ndarray, row: float, column: float, sizes: Iterable[int]) -> Figure:
    """Squares of an image around one place, each as large as the others on the page; what lies beyond stays empty.

    Raises ValueError for sizes that are not numbers above zero, and where there is none.
    """
    sizes = [checks.positive("sizes", size) for size in sizes]
    if not sizes:
        raise ValueError("sizes: there is none; give the side of one square, at least")
    figure, axes = plt.subplots(1, len(sizes), figsize=(6.4, 2.1), squeeze=False)
    for ax, size in zip(axes[0], sizes, strict=True):
        show_pixels(image, ax=ax)
        ax.set(xlim=(column - size / 2, column + size / 2), ylim=(row + size / 2, row - size / 2))
        ax.set_title(f"{size:g} × {size:g}", fontsize=12)
    return figure


# The spreadsheet's columns, left to right, in the groups that one looks for; each with its colour.
_SHEET_GROUPS = (
    ("targets", ["t1", "t2"], "#D9D9D4"),
    ("inputs", ["i1", "i2"], "#BFDCEF"),
    ("weights into the hidden units", ["w1", "w2", "w3", "w4"], "#FFE3A8"),
    ("hidden units", ["h1", "a_h1", "h2", "a_h2"], "#F5C77A"),
    ("weights into the outputs", ["w5", "w6", "w7", "w8"], "#BFE8D9"),
    ("outputs", ["o1", "a_o1", "o2", "a_o2"], "#8FD3BB"),
    ("errors and loss", ["E1", "E2", "E_total"], "#F3BFA3"),
    ("derivatives", [f"dE_dw{k}" for k in range(1, 9)], "#D9BEDD"),
)


def draw_sheet(ax: Axes | None = None) -> Axes:
    """The spreadsheet's 31 columns as coloured groups, and how a row's derivatives make the next row's weights."""
    ax = _blank(ax, (6.4, 4.1))
    place, middles = 0, {}
    for name, columns, colour in _SHEET_GROUPS:
        for row in range(3):
            for column in range(len(columns)):
                corner = (place + column, -1.7 * row)
                ax.add_patch(Rectangle(corner, 1, 1.2, facecolor=colour, edgecolor=PAPER, linewidth=1))
        middles[name] = place + len(columns) / 2
        place += len(columns)
    for row, label in enumerate(("update 0", "update 1", "update 2")):
        ax.text(-0.4, -1.7 * row + 0.6, label, ha="right", va="center", fontsize=12)
    for row in (0, 1):
        for name in ("weights into the hidden units", "weights into the outputs"):
            start, end = (middles["derivatives"], -1.7 * row), (middles[name], -1.7 * (row + 1) + 1.2)
            ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.3})
    letters = [chr(ord("B") + k) if k < 25 else "A" + chr(ord("A") + k - 25) for k in range(place)]
    left = 0
    for line, (name, columns, colour) in enumerate(_SHEET_GROUPS):
        y = -6.4 - 1.75 * line
        ax.add_patch(Rectangle((-6.4, y), 4.6, 1.35, facecolor=colour, edgecolor="none"))
        ax.text(-4.1, y + 0.67, f"{letters[left]}–{letters[left + len(columns) - 1]}", ha="center", va="center")
        shown = "∂E/∂w1 … ∂E/∂w8" if name == "derivatives" else "  ".join(f"${_subscript(c)}$" for c in columns)
        ax.text(-1.0, y + 0.67, name, va="center", fontsize=12)
        ax.text(place, y + 0.67, shown, ha="right", va="center", fontsize=12)
        left += len(columns)
    ax.set(xlim=(-6.6, place + 0.4), ylim=(-19.1, 1.6))
    return ax


def draw_two_gradients(angle: float, ax: Axes | None = None) -> Axes:
    """Two gradients as arrows, `angle` degrees apart, and the half of all steps that lowers the loss."""
    ax = _blank(ax, (3.2, 3.2))
    ax.add_patch(Rectangle((-1.25, -1.25), 2.5, 1.25, facecolor="#DDEFE8", edgecolor="none", zorder=0))
    ax.text(0, -1.12, "steps here lower the loss", ha="center", fontsize=12)
    turned = np.radians(90 - angle)
    arrows = {"right gradient": (0, 1, GREEN), "mistaken gradient": (np.cos(turned), np.sin(turned), RED)}
    for x, y, colour in arrows.values():
        ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.4})
    x, y, colour = arrows["mistaken gradient"]
    step = {"arrowstyle": "-|>", "color": colour, "lw": 2.4, "linestyle": "--"}
    ax.annotate("", (-0.8 * x, -0.8 * y), (0, 0), arrowprops=step)
    ax.text(-0.06, 0.95, "right", ha="right", color=GREEN, fontsize=12)
    ax.text(x + 0.05, y + (0.12 if y > 0 else -0.2), "mistaken", ha="center", color=colour, fontsize=12)
    ax.text(-0.8 * x - 0.05, -0.8 * y + (0.1 if y < 0 else -0.2), "its step", ha="center", color=colour, fontsize=12)
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.2), title=f"{angle:.0f}° apart")
    return ax
