"""The table of receptive fields, for lists of layers and for PyTorch modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellgrad.layers import Layer, Size, image_size, layer_table
from cellgrad.receptive import intervals
from cellgrad.receptive.interval_operations import FieldOperations, summary
from cellgrad.receptive.operations import Geometry
from cellgrad.receptive.recurrence import agree, layer_rows

if TYPE_CHECKING:
    from torch import nn

    from cellgrad.receptive.trace import Step

WHOLE = "whole image"
COLUMNS = ["layer", "kind", "kernel", "stride", "padding", "dilation", "output_size", "size", "jump", "start", "local"]


def receptive_field(module: Sequence[Layer] | nn.Module, input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer of a layer list or of any PyTorch module; sizes in input pixels.

    Columns: layer, kind, kernel, stride, padding, dilation, output_size (channels, height, width); size, jump, start:
    how many pixels wide the field is, how far apart those of neighbouring units are (the effective stride), and where
    the centre of the first unit's is (first pixel's centre = 0.5). One number where the axes agree, a tuple where not.
    A unit is a position with all its channels. The field counts pixels beyond the border, which padding fills; a layer
    with no positions left sees everything below it. Where branches meet, it is the union, and kind says whether they
    are aligned. Where it depends on the position, size is the largest, and kind says "188–204 by phase" where that
    repeats, "1–28 by position" where it does not, as for a running sum or where some positions are replaced. Where an
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

        if not isinstance(module, nn.Module):
            raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
        rows = _module_rows(module, input_size)
    # Python's own numbers, also where some are missing.
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def cost_table(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """All that a layer list costs and what it sees, a row a layer: `layer_table`, then size, jump and start."""
    return layer_table(layers, input_size).join(receptive_field(layers, input_size)[["size", "jump", "start"]])


def _module_rows(module: nn.Module, input_size: Size) -> list[dict[str, Any]]:
    from cellgrad.receptive.trace import follow

    image = intervals.image(input_size)
    operations = FieldOperations(image)
    steps = follow(module, input_size, operations, image).rows
    local = steps
    if operations.saw_global:
        local = follow(module, input_size, FieldOperations(image, local=True), image).rows
    rows: list[dict[str, Any]] = []
    wholes: list[tuple[bool, ...]] = []
    for step, own in zip(steps, local, strict=True):
        before = [wholes[source] for source in step.sources]
        wholes.append(_whole(step, own, before, input_size[1:]) if operations.saw_global else (False,) * image.axes)
        begins = any(wholes[-1]) and not any(any(whole) for whole in before)
        rows.append(_row(step, own, wholes[-1], begins))
    return rows


def _whole(step: Step, own: Step, before: Sequence[tuple[bool, ...]], pixels: Sequence[int]) -> tuple[bool, ...]:
    """On each axis, whether every unit sees the whole image because of an operation on the whole image."""
    wide, local_moving, result = step.result.sees_all(pixels), own.result.moving(), []
    box, local_box = (value.unit((None,) * value.ndim) for value in (step.result, own.result))
    for axis, covers in enumerate(wide):
        wider = local_moving[axis] or box[axis] != local_box[axis] or any(whole[axis] for whole in before)
        result.append(covers and wider)
    return tuple(result)


def _kind(step: Step, begins: bool, sizes: Sequence[tuple[float, float]]) -> str:
    kind, note = step.kind, step.note
    if note == "whole input":
        kind, note = kind.replace("adaptive", "global"), ""
    notes = [note] if note else []
    if begins:
        notes.append(f"{WHOLE} from here on")
    if any(first != last for first, last in sizes) and note != "fractional windows":
        ranges = agree([f"{first}–{last}" if first != last else str(last) for first, last in sizes])
        by = "phase" if step.result.goes_on() else "position"
        notes.append(f"{ranges if isinstance(ranges, str) else ' × '.join(ranges)} by {by}")
    if not step.result.is_exact():
        notes.append("upper bound")
    return ", ".join([kind, *notes])


def _row(step: Step, own: Step, whole: Sequence[bool], begins: bool) -> dict[str, Any]:
    axes = len(whole)
    geometry = step.geometry or Geometry.plain((1,) * axes)
    field, local = summary(step.result), summary(own.result)
    sizes = [(0, 0) if known else ends for known, ends in zip(whole, field["sizes"], strict=True)]
    return {
        "layer": step.name,
        "kind": _kind(step, begins, sizes),
        "kernel": agree(geometry.kernel),
        "stride": agree(geometry.stride),
        "padding": agree([a if a == b else (a, b) for a, b in geometry.padding]),
        "dilation": agree(geometry.dilation),
        "output_size": _of_one_image(step.result.shape),
        "size": _unless(whole, field["size"], WHOLE),
        "jump": _unless(whole, field["jump"], None),
        "start": _unless(whole, field["start"], None),
        "local": local["size"],
    }


def _of_one_image(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without the batch, which is of one image here; all of it where the batch has been squeezed away."""
    return tuple(shape[1:] if shape[:1] == (1,) else shape)


def _unless(whole: Sequence[bool], value: Any, instead: Any) -> Any:
    """On each axis the value, or what stands there where every unit sees the whole image."""
    values = value if isinstance(value, tuple) else (value,) * len(whole)
    return agree([instead if known else own for known, own in zip(whole, values, strict=True)])
