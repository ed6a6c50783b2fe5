"""The rows of the table for a PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from cellgrad.receptive import intervals
from cellgrad.receptive.interval_operations import FieldOperations, summary
from cellgrad.receptive.operations import Geometry
from cellgrad.receptive.recurrence import agree
from cellgrad.receptive.trace import Step, follow

WHOLE = "whole image"


def table_rows(module: nn.Module, input_size: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `cellgrad.receptive.receptive_field` for a module."""
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
    fields, result = step.result, []
    moving, local_moving = fields.moving(), own.result.moving()
    box, local_box = (value.unit((None,) * value.ndim) for value in (fields, own.result))
    for axis, n in enumerate(pixels):
        covers = box[axis][0] <= 0 and box[axis][1] >= n - 1 and not moving[axis]
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
        notes.append(f"{ranges if isinstance(ranges, str) else ' × '.join(ranges)} by phase")
    if not step.result.exact:
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
        "output_size": tuple(step.result.shape[1:]),
        "size": _unless(whole, field["size"], WHOLE),
        "jump": _unless(whole, field["jump"], None),
        "start": _unless(whole, field["start"], None),
        "local": local["size"],
    }


def _unless(whole: Sequence[bool], value: Any, instead: Any) -> Any:
    """On each axis the value, or what stands there where every unit sees the whole image."""
    values = value if isinstance(value, tuple) else (value,) * len(whole)
    return agree([instead if known else own for known, own in zip(whole, values, strict=True)])
