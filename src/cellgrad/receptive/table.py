"""The table of receptive fields, for lists of layers and for PyTorch modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cellgrad.layers import Layer, Size, image_size, layer_table
from cellgrad.receptive.recurrence import layer_rows

if TYPE_CHECKING:
    from torch import nn

COLUMNS = ["layer", "kind", "kernel", "stride", "padding", "dilation", "output_size", "size", "jump", "start", "local"]


def receptive_field(module: Sequence[Layer] | nn.Module, input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer of a layer list or of any PyTorch module; sizes in input pixels.

    Columns: layer, kind, kernel, stride, padding, dilation, output_size (channels, height, width); size, jump, start:
    how many pixels wide the field is, how far apart those of neighbouring units are (the effective stride), and where
    the centre of the first unit's is (first pixel's centre = 0.5). One number where the axes agree, a tuple where not.
    A unit is a position with all its channels. The field counts pixels beyond the border, which padding fills; a layer
    with no positions left sees everything below it. Where branches meet, it is the union, and kind says whether they
    are aligned. Where it depends on the position, size is the largest, and kind says "188–204 by phase". Where an
    operation on the whole image (a norm over positions, squeeze and excitation, attention) lets every unit see all of
    it, size is "whole image", jump and start are None, and local is the size with such operations ignored; elsewhere
    local is size. kind says where that begins, and where a field is only an upper bound. In 1, 2 and 3 dimensions.

    Raises ValueError, with the layer's name, where there are no layers or a layer does not fit its input; and its
    subclass `cellgrad.receptive.UntraceableError`, with the operation's name, for what cannot be followed.
    """
    input_size = image_size(input_size)
    if isinstance(module, Sequence):
        rows = layer_rows(module, input_size)
    else:
        from torch import nn  # whoever only counts should not wait for torch

        from cellgrad.receptive.rows import table_rows

        if not isinstance(module, nn.Module):
            raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
        rows = table_rows(module, input_size)
    # Python's own numbers, also where some are missing.
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def cost_table(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """All that a layer list costs and what it sees, a row a layer: `layer_table`, then size, jump and start."""
    return layer_table(layers, input_size).join(receptive_field(layers, input_size)[["size", "jump", "start"]])
