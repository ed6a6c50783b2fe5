"""Draw a digit: a trained network runs in the page, and shows what it makes of the drawing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from cellgrad import mnist
from cellgrad.figures.field import written
from cellgrad.figures.page import BLUE, FAINT, INK, LINE, PAPER, RED, Figure, image, ink, svg, tag, text
from cellgrad.layers import layer_table, named

if TYPE_CHECKING:
    from cellgrad.training import Run

_DRAWING, _SEEN = (8, 24, 160), (180, 24, 112)  # left, top and side of the two squares
_BARS = (316, 354, 24, 16.2)  # left, right, top, and the height of a row
_EACH = 2  # test digits of each label to pick from


def draw(run: Run | None = None, digit: int = 4) -> Figure:
    """A sheet to draw on, and a trained network that reads it: ten bars, its maps, and which pixels mattered.

    run: a network and its weights, the shipped run of the recipe "book" when None. digit: the label of the test digit
    that is shown first. Everything in the network must be a layer that the page can compute; the package's own all are.
    """
    import torch

    from cellgrad.training.saving import shipped_run

    run = run or shipped_run("book")
    if digit not in range(10):
        raise ValueError(f"digit: expected a label from 0 to 9, got {digit!r}")
    test = mnist.sample().test
    rows = [int(row) for label in range(10) for row in torch.nonzero(test.labels == label)[:_EACH, 0]]
    first = rows.index(next(row for row in rows if test.labels[row] == digit))
    with torch.no_grad():
        scores = run.model.eval()(mnist.normalise(test.images[rows[first] : rows[first] + 1]))[0]
    chances = torch.softmax(scores, 0).numpy()
    layers = named(run.recipe.network)
    weights = {name: _packed(tensor.numpy()) for name, tensor in run.model.state_dict().items() if tensor.ndim}
    data = {
        "layers": [written(layer) for layer in layers],
        "sizes": layer_table(layers)["output_size"].tolist(),
        "weights": weights,
        "mean": mnist.MEAN,
        "std": mnist.STD,
        "digits": base64.b64encode(test.images[rows].numpy().tobytes()).decode(),
        "labels": test.labels[rows].tolist(),
        "first": first,
        "panels": {"drawing": _DRAWING, "seen": _SEEN, "bars": _BARS},
    }
    parameters = int(layer_table(layers)["parameters"].sum())
    return Figure(
        "draw",
        "Draw a digit",
        "Left: a sheet to draw on, with a test digit. Middle: what the network is given, centred as MNIST's digits "
        f"are. Right: what the network of {parameters:,} parameters answers. It runs in this page, and nothing that is "
        "drawn leaves it.",
        _picture(test.images[rows[first]].numpy(), chances),
        data,
    )


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _picture(pixels: np.ndarray, chances: np.ndarray) -> str:
    parts = []
    for (x, y, side), words, name in ((_DRAWING, "draw here", "drawing"), (_SEEN, "what the network is given", "seen")):
        parts.append(text(x, 16, words, 10, FAINT, text_anchor="start"))
        parts.append(tag("rect", x=x, y=y, width=side, height=side, fill=PAPER, stroke=LINE, data_part=name))
        parts.append(
            tag(
                "g",
                image(ink(pixels), x, y, side, side, class_="cg-ink"),
                data_part=f"{name}-ink",
                shape_rendering="crispEdges",
            )
        )
    x, y, side = _DRAWING
    parts.append(
        tag(
            "path",
            d="",
            fill="none",
            stroke=INK,
            stroke_width=side / 14,
            stroke_linecap="round",
            stroke_linejoin="round",
            data_part="strokes",
        )
    )
    left, right, top, row = _BARS
    best = int(chances.argmax())
    for label, chance in enumerate(chances):
        middle = top + row * label + row / 2
        parts.append(text(left - 8, middle + 4, str(label), 11, RED if label == best else INK, data_digit=label))
        wide = round(float(chance) * (right - left))
        bar = {"width": wide, "height": row - 4, "fill": RED if label == best else BLUE}
        parts.append(tag("rect", x=left, y=middle - row / 2 + 2, **bar, data_bar=label))
        parts.append(text(398, middle + 4, f"{100 * chance:.0f} %", 9.5, INK, text_anchor="end", data_chance=label))
    parts.append(text(_SEEN[0], 154, f"the answer: {best}", 14, RED, text_anchor="start", data_part="answer"))
    parts.append(text(_SEEN[0], 172, f"{100 * chances[best]:.1f} %", 11, FAINT, text_anchor="start", data_part="sure"))
    description = f"A handwritten digit, and ten bars: the network answers {best}."
    return svg(194, description, *parts)
