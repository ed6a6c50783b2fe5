"""The table of receptive fields, for lists of layers and for PyTorch modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellgrad.layers import Layer, Size, image_size, layer_table
from cellgrad.receptive.recurrence import layer_rows

if TYPE_CHECKING:
    from torch import nn

COLUMNS = ["layer", "kind", "kernel", "stride", "padding", "dilation", "output_size", "size", "jump", "start", "local"]


def receptive_field(module: Sequence[Layer] | nn.Module, input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer of a layer list or of any PyTorch module that torch.fx can trace; sizes in input pixels.

    Columns: layer, kind, kernel, stride, padding, dilation, output_size (channels, height, width); size, jump, start:
    how many pixels wide the field is, how far apart those of neighbouring units are (the effective stride), and where
    the centre of the first unit's is (first pixel's centre = 0.5). One number where the axes agree, a tuple where not.
    local: the size with operations on the whole image ignored; the same as size where there are none.
    A unit is a position with all its channels. The field counts pixels beyond the border, which padding fills; a layer
    with no positions left sees everything below it. Where branches meet, it is the union, and kind says whether they
    are aligned; where windows are fractional it is the largest. Networks in 1, 2 and 3 dimensions.

    Raises ValueError, with the layer's name, where there are no layers or a layer does not fit its input; and its
    subclass `cellgrad.receptive.UntraceableError`, with the operation's name, for what cannot be traced.
    """
    input_size = image_size(input_size)
    if isinstance(module, Sequence):
        return pd.DataFrame(layer_rows(module, input_size), columns=COLUMNS)
    from torch import nn  # whoever only counts should not wait for torch

    from cellgrad.receptive.trace import table_rows

    if not isinstance(module, nn.Module):
        raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
    return pd.DataFrame(table_rows(module, input_size), columns=COLUMNS)


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
