"""The receptive field: which part of the image a unit of a network can see.

For a list of layers it follows from three lines of arithmetic, here; `cellgrad.tracing` finds it for any PyTorch
module, `cellgrad.measuring` measures it with gradients. This module itself needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellgrad.convnets import Layer, Size, image_size, layer_table, named, pair

if TYPE_CHECKING:
    from torch import nn

COLUMNS = ["layer", "kind", "kernel", "stride", "padding", "dilation", "output_size", "size", "jump", "start"]
_TORCH = ("EffectiveField", "effective_receptive_field", "fit_gaussian", "measure_receptive_field", "measured_boxes")

__all__ = [*_TORCH, "cost_table", "effective_padding", "gaussian_sigma", "latex_table", "receptive_field", "step"]


def __getattr__(name: str) -> Any:
    # What measures needs torch; whoever only counts should not wait for it.
    if name in _TORCH:
        from cellgrad import measuring

        return getattr(measuring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def step(
    size: int, jump: int, start: float, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> tuple[int, int, float]:
    """One layer's step of the recurrence, on one axis: the new size, jump and start, all in input pixels.

    Its window has dilation·(kernel − 1) + 1 units, `jump` pixels apart, and begins `padding` units before the first.
    An input pixel is size 1, jump 1, start 0.5. Araujo, Norris, Sim: Computing Receptive Fields, Distill 2019, (2)–(4).
    """
    further = dilation * (kernel - 1)
    return size + further * jump, jump * stride, start + (further / 2 - padding) * jump


def agree(values: Sequence[Any]) -> Any:
    """One number where all axes agree, a tuple where not."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _window(layer: Layer, input_size: Size) -> dict[str, tuple[int, int]]:
    """Kernel, stride, padding and dilation of a layer on each axis; what slides no window has a kernel of 1."""
    window = {name: pair(getattr(layer, name)) for name in ("kernel", "stride", "padding", "dilation")}
    pixels = tuple(input_size[1:]) or (1, 1)
    if layer.kind == "global_avg_pool":
        return window | {"kernel": pixels, "stride": pixels}
    # All positions become one list of numbers, which the next layer sees as one.
    return window | {"kernel": pixels} if layer.kind in ("flatten", "linear") else window


def _rows_of_layers(layers: Sequence[Layer], input_size: Size) -> list[dict[str, Any]]:
    rows, fields = [], [(1, 1, 0.5), (1, 1, 0.5)]
    table = layer_table(layers, input_size)
    for layer, before, after in zip(named(layers), table["input_size"], table["output_size"], strict=True):
        window = _window(layer, before)
        fields = [
            step(*field, *(window[name][axis] for name in ("kernel", "stride", "padding", "dilation")))
            for axis, field in enumerate(fields)
        ]
        size, jump, start = (agree(values) for values in zip(*fields, strict=True))
        row = {name: agree(values) for name, values in window.items()}
        row |= {"layer": layer.name, "kind": layer.kind, "output_size": after}
        rows.append(row | {"size": size, "jump": jump, "start": start})
    return rows


def receptive_field(module: Sequence[Layer] | nn.Module, input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer of a layer list or of any PyTorch module that torch.fx can trace; sizes in input pixels.

    Columns: layer, kind, kernel, stride, padding, dilation, output_size (channels, height, width); size, jump, start:
    how many pixels wide the field is, how far apart those of neighbouring units are (the effective stride), and where
    the centre of the first unit's is (first pixel's centre = 0.5). One number where the axes agree, a tuple where not.
    A unit is a position with all its channels. The field counts pixels beyond the border, which padding fills; a layer
    with no positions left sees everything below it. Where branches meet, it is the union, and kind says whether they
    are aligned; where windows are fractional it is the largest. Networks in 1, 2 and 3 dimensions.

    Raises ValueError, with the layer's name, where there are no layers or a layer does not fit its input; and its
    subclass `cellgrad.tracing.UntraceableError`, with the operation's name, for what cannot be traced.
    """
    input_size = image_size(input_size)
    if isinstance(module, Sequence):
        return pd.DataFrame(_rows_of_layers(module, input_size), columns=COLUMNS)
    from torch import nn

    from cellgrad.tracing import table_rows

    if not isinstance(module, nn.Module):
        raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
    return pd.DataFrame(table_rows(module, input_size), columns=COLUMNS)


def effective_padding(table: pd.DataFrame) -> pd.Series:
    """How many pixels of the first unit's field lie before the image: size / 2 − start, for each row of a table.

    Araujo, Norris, Sim: Computing Receptive Fields, Distill 2019, (4).
    """

    def before(size: Any, start: Any) -> Any:
        if not isinstance(size, tuple) and not isinstance(start, tuple):
            return size / 2 - start
        axes = len(size if isinstance(size, tuple) else start)
        sizes = size if isinstance(size, tuple) else (size,) * axes
        starts = start if isinstance(start, tuple) else (start,) * axes
        return tuple(s / 2 - first for s, first in zip(sizes, starts, strict=True))

    values = [before(size, start) for size, start in zip(table["size"], table["start"], strict=True)]
    return pd.Series(values, index=table.index, name="effective_padding")


def gaussian_sigma(layers: int, kernel: int = 3) -> float:
    """Width in pixels of the effective field of `layers` uniform convolutions with stride 1: √(n(k² − 1)/12).

    A uniform kernel of k pixels has the variance (k² − 1)/12, and variances add. Luo, Li, Urtasun, Zemel 2016.
    """
    return sqrt(layers * (kernel**2 - 1) / 12)


def cost_table(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """All that a layer list costs and what it sees, a row a layer: `layer_table`, then size, jump and start."""
    return layer_table(layers, input_size).join(receptive_field(layers, input_size)[["size", "jump", "start"]])


def latex_table(table: pd.DataFrame) -> str:
    """A table of receptive fields as a LaTeX array, which MathJax understands too; names are set in typewriter type."""
    columns = [name for name in table.columns if name != "kind"]

    def cell(value: Any) -> str:
        if isinstance(value, str):
            return r"\texttt{" + value.replace("_", r"\_") + "}"
        return r" \times ".join(map(cell, value)) if isinstance(value, tuple) else f"{value:g}"

    head = " & ".join(r"\text{" + name.replace("_", " ") + "}" for name in columns)
    body = [" & ".join(cell(value) for value in row) for row in table[columns].itertuples(index=False)]
    lines = [r"\begin{array}{l" + "r" * (len(columns) - 1) + "}", head + r" \\ \hline", *(row + r" \\" for row in body)]
    return "\n".join([*lines, r"\end{array}"])
