"""What moves numbers about: shapes, orders, pieces and joints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch

from cellgrad.receptive.operations import Geometry, Operations, UntraceableError
from cellgrad.receptive.rules import Constant, is_value, lifted, per_axis, rule


def _numbers(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else tuple(values)


@rule("reshape", "reshape", "view", "reshape_as", "view_as", "_unsafe_view")
def reshape(ops: Operations, x: Any, *shape: Any, other: Any = None, size: Any = None) -> Any:
    """The same numbers in another shape, which torch has found."""
    if len(shape) == 1 and isinstance(shape[0], torch.dtype):
        return x
    return ops.reshape(x, ops.outputs)


@rule("flatten", "flatten")
def flatten(ops: Operations, x: Any, start_dim=0, end_dim=-1) -> Any:
    """Some dimensions as one."""
    return ops.reshape(x, ops.outputs)


@rule("flatten", "ravel")
def ravel(ops: Operations, x: Any) -> Any:
    """All dimensions as one."""
    return ops.reshape(x, ops.outputs)


@rule("unflatten", "unflatten")
def unflatten(ops: Operations, x: Any, dim: int, sizes: Any) -> Any:
    """One dimension as several."""
    return ops.reshape(x, ops.outputs)


@rule("squeeze", "squeeze")
def squeeze(ops: Operations, x: Any, dim=None) -> Any:
    """Dimensions of one unit left out."""
    dims = range(len(x.shape)) if dim is None else [d % len(x.shape) for d in per_axis(dim, 1)]
    result = ops.reduce(x, [d for d in dims if x.shape[d] == 1], False)
    ops.geometry = None
    return result


@rule("unsqueeze", "unsqueeze")
def unsqueeze(ops: Operations, x: Any, dim: int) -> Any:
    """A dimension of one unit more."""
    dim %= len(x.shape) + 1
    return ops.reshape(x, (*x.shape[:dim], 1, *x.shape[dim:]))


@rule("permute", "permute")
def permute(ops: Operations, x: Any, *order: Any, dims: Any = None) -> Any:
    """The dimensions in another order."""
    return ops.permute(x, _numbers(order) if dims is None else tuple(dims))


@rule("transpose", "transpose", "swapaxes", "swapdims")
def transpose(ops: Operations, x: Any, dim0: int, dim1: int) -> Any:
    """Two dimensions exchanged."""
    order = list(range(len(x.shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return ops.permute(x, order)


@rule("transpose", "t")
def matrix_transpose(ops: Operations, x: Any) -> Any:
    """Rows and columns exchanged."""
    return ops.permute(x, list(range(len(x.shape)))[::-1])


@rule("permute", "movedim", "moveaxis")
def movedim(ops: Operations, x: Any, source: Any, destination: Any) -> Any:
    """Some dimensions put elsewhere."""
    sources, places = ([d % len(x.shape) for d in per_axis(dims, 1)] for dims in (source, destination))
    order = [dim for dim in range(len(x.shape)) if dim not in sources]
    for place, dim in sorted(zip(places, sources, strict=True)):
        order.insert(place, dim)
    return ops.permute(x, order)


@rule("expand", "expand", "expand_as", "broadcast_to")
def expand(ops: Operations, x: Any, *sizes: Any, size: Any = None, other: Any = None) -> Any:
    """The same number in many places."""
    return ops.combine([x], ops.outputs)


@rule("repeat", "repeat", "tile")
def repeat(ops: Operations, x: Any, *sizes: Any, repeats: Any = None, dims: Any = None) -> Any:
    """The whole tensor again and again."""
    outputs = ops.outputs
    x = ops.reshape(x, (1,) * (len(outputs) - len(x.shape)) + tuple(x.shape))
    for dim, (units, wanted) in enumerate(zip(x.shape, outputs, strict=True)):
        if units != wanted:
            x = ops.pick(x, dim, np.tile(np.arange(units), wanted // units))
    return x


@rule("repeat_interleave", "repeat_interleave")
def repeat_interleave(ops: Operations, x: Any, repeats: Any, dim=None, output_size=None) -> Any:
    """Each unit several times."""
    if dim is None or not isinstance(repeats, int):
        raise UntraceableError("repeat_interleave without dim, or with a tensor, has no rule; give a number and a dim")
    return ops.pick(x, dim, np.repeat(np.arange(x.shape[dim]), repeats))


# ---- pieces ----------------------------------------------------------------------------------------------------------


@rule("chunk", "chunk")
def chunk(ops: Operations, x: Any, chunks: int, dim=0) -> Any:
    """So many pieces along a dimension."""
    return split(ops, x, -(-x.shape[dim] // chunks), dim)


@rule("split", "split", "split_with_sizes", "unsafe_split")
def split(ops: Operations, x: Any, split_size: Any = None, dim=0, split_sizes=None, split_size_or_sections=None) -> Any:
    """Pieces of these sizes along a dimension."""
    sizes = next(size for size in (split_size, split_sizes, split_size_or_sections) if size is not None)
    total = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, total - first) for first in range(0, total, sizes)]
    ends = accumulate(sizes, initial=0)
    return tuple(ops.pick(x, dim, range(first, last)) for first, last in pairwise(ends))


@rule("split", "tensor_split")
def tensor_split(ops: Operations, x: Any, indices_or_sections: Any = None, dim=0, sections=None, indices=None) -> Any:
    """Pieces as equal as can be, or cut before these units."""
    cuts = next(value for value in (indices_or_sections, sections, indices) if value is not None)
    parts = np.array_split(np.arange(x.shape[dim]), cuts if isinstance(cuts, int) else list(cuts))
    return tuple(ops.pick(x, dim, range(int(part[0]), int(part[-1]) + 1) if len(part) else range(0)) for part in parts)


@rule("unbind", "unbind")
def unbind(ops: Operations, x: Any, dim=0) -> Any:
    """Each unit along a dimension by itself."""
    return tuple(select(ops, x, dim, i) for i in range(x.shape[dim]))


@rule("select", "select")
def select(ops: Operations, x: Any, dim: int, index: int) -> Any:
    """One unit along a dimension, which is left out then."""
    dim, units = dim % len(x.shape), x.shape[dim]
    picked = ops.pick(x, dim, range(index % units, index % units + 1))
    return ops.reduce(picked, [dim], False)


@rule("narrow", "narrow")
def narrow(ops: Operations, x: Any, dim: int, start: int, length: int) -> Any:
    """Some neighbours along a dimension."""
    return ops.pick(x, dim, range(start % x.shape[dim], start % x.shape[dim] + length))


@rule("index_select", "index_select")
def index_select(ops: Operations, x: Any, dim: int, index: Any) -> Any:
    """Units along a dimension, by known numbers."""
    return ops.pick(x, dim, _known_units(index, x.shape[dim]))


def _known_units(index: Any, units: int) -> np.ndarray:
    """The numbers of the units that an index picks."""
    if isinstance(index, Constant):
        if index.known is None:
            raise UntraceableError("indexing with values that are not known has no rule; use numbers or slices")
        index = index.known.numpy()
    picked = np.asarray(index)
    if picked.dtype == bool:
        picked = np.flatnonzero(picked)
    if picked.ndim != 1:
        raise UntraceableError("indexing with a tensor of several dimensions has no rule; use one dimension")
    return picked % units


def _index_parts(x: Any, index: Any) -> list[Any]:
    """An index as one part a dimension: a number, a slice, None, or an array of units."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(is_value(part) for part in parts):
        raise UntraceableError("indexing with what the network computes has no rule; use whole numbers and slices")
    plain = []
    for part in parts:
        if isinstance(part, Constant) and part.shape == () and part.known is not None:
            part = part.known.item()
        plain.append(int(part) if isinstance(part, np.integer) else part)
    if any(part is Ellipsis for part in plain):
        place = next(i for i, part in enumerate(plain) if part is Ellipsis)
        missing = len(x.shape) - sum(part is not None and part is not Ellipsis for part in plain)
        plain[place : place + 1] = [slice(None)] * missing
    arrays = [part for part in plain if isinstance(part, Constant | list | np.ndarray)]
    if len(arrays) > 1 or (arrays and any(isinstance(part, int) for part in plain)):
        raise UntraceableError("indexing with several lists or tensors at once has no rule; index one after the other")
    return plain


@rule("slice", "__getitem__")
def getitem(ops: Operations, x: Any, index: Any) -> Any:
    """Numbers, slices, new dimensions, and one list of known units."""
    if not is_value(x):
        picked = [part for part in (index if isinstance(index, tuple) else (index,)) if is_value(part)]
        seen = [ops.reduce(part, range(len(part.shape)), False) for part in picked]
        # Rows of a table, by numbers that the network computes.
        same = len(picked) == 1 and ops.outputs[: len(picked[0].shape)] == tuple(picked[0].shape)
        if same:
            wide = ops.reshape(picked[0], (*picked[0].shape, *(1,) * (len(ops.outputs) - len(picked[0].shape))))
            return ops.combine([wide], ops.outputs)
        return ops.combine(seen, ops.outputs)
    dim = 0
    for part in _index_parts(x, index):
        if part is None:
            x, dim = unsqueeze(ops, x, dim), dim + 1
        elif isinstance(part, int) and not isinstance(part, bool):
            x = select(ops, x, dim, part)
        elif isinstance(part, slice):
            units = range(x.shape[dim])[part]
            x, dim = (x if units == range(x.shape[dim]) else ops.pick(x, dim, units)), dim + 1
        else:
            x, dim = ops.pick(x, dim, _known_units(part, x.shape[dim])), dim + 1
    ops.geometry = None
    return x


@rule("setitem", "__setitem__")
def setitem(ops: Operations, x: Any, index: Any, value: Any) -> Any:
    """Some units replaced by others."""
    outputs = ops.outputs
    if isinstance(index, Constant | torch.Tensor) and len(index.shape) > 1:
        values = [part for part in (x, value) if is_value(part)]
        return ops.combine(values, outputs)
    chosen: list[Any] = []
    x = lifted(ops, x)
    for part in _index_parts(x, index):
        if part is None:
            raise UntraceableError("a new dimension on the left of an assignment has no rule")
        units = x.shape[len(chosen)]
        if isinstance(part, int):
            chosen.append((np.array([part % units]), True))
        else:
            picked = np.arange(units)[part] if isinstance(part, slice) else _known_units(part, units)
            chosen.append((picked, False))
    chosen += [(np.arange(n), False) for n in x.shape[len(chosen) :]]
    kept = [len(units) for units, single in chosen if not single]
    if is_value(value):
        value = ops.combine([value], kept)
        for dim, (_, single) in enumerate(chosen):
            value = unsqueeze(ops, value, dim) if single else value
    else:
        value = ops.constant([len(units) for units, _ in chosen])
    result = _placed(ops, x, [units for units, _ in chosen], value, 0)
    ops.geometry, ops.note, ops.outputs = None, "", outputs
    return result


def _placed(ops: Operations, x: Any, chosen: Sequence[np.ndarray], value: Any, dim: int) -> Any:
    """`value` in the place of the chosen units of x, from this dimension on."""
    if dim == len(chosen):
        return value
    units, total = chosen[dim], x.shape[dim]
    if len(units) == total and (units == np.arange(total)).all():
        return _placed(ops, x, chosen, value, dim + 1)
    inner = _placed(ops, ops.pick(x, dim, units), chosen, value, dim + 1)
    others = np.setdiff1d(np.arange(total), units)
    together = ops.join([inner, ops.pick(x, dim, others)], dim)
    return ops.pick(together, dim, np.argsort(np.concatenate([units, others])))


# ---- joints and orders -----------------------------------------------------------------------------------------------


@rule("cat", "cat", "concat", "concatenate")
def cat(ops: Operations, tensors: Any, dim=0) -> Any:
    """One behind the other."""
    # torch still takes an empty list of numbers for nothing at all.
    return ops.join([lifted(ops, x) for x in tensors if tuple(x.shape) != (0,)], dim)


@rule("stack", "stack")
def stack(ops: Operations, tensors: Any, dim=0) -> Any:
    """One behind the other in a new dimension."""
    return ops.join([unsqueeze(ops, lifted(ops, x), dim) for x in tensors], dim)


@rule("roll", "roll")
def roll(ops: Operations, x: Any, shifts: Any, dims: Any = None, dim: Any = None) -> Any:
    """Units moved along, and what falls off put back in front."""
    dims = dims if dims is not None else dim
    if dims is None:
        raise UntraceableError("roll without dims has no rule; name the dimensions")
    for shift, along in zip(per_axis(shifts, 1), per_axis(dims, 1), strict=True):
        x = ops.pick(x, along, np.roll(np.arange(x.shape[along]), shift))
    return x


@rule("flip", "flip")
def flip(ops: Operations, x: Any, *order: Any, dims: Any = None) -> Any:
    """The other way round."""
    for dim in _numbers(order) if dims is None else per_axis(dims, 1):
        x = ops.pick(x, dim, range(x.shape[dim])[::-1])
    return x


@rule("", "tril", "triu")
def triangle(ops: Operations, x: Any, diagonal=0) -> Any:
    """A matrix with zeros on one side: an upper bound of what its products see."""
    return ops.bounded(x)


@rule("pixel_unshuffle", "pixel_unshuffle")
def pixel_unshuffle(ops: Operations, x: Any, downscale_factor: int) -> Any:
    """Blocks of pixels as channels."""
    r, (*lead, channels, height, width) = downscale_factor, x.shape
    n = len(lead)
    x = ops.reshape(x, (*lead, channels, height // r, r, width // r, r))
    x = ops.permute(x, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    result = ops.reshape(x, (*lead, channels * r * r, height // r, width // r))
    ops.geometry = Geometry((r, r), (r, r), ((0, 0), (0, 0)), (1, 1))
    return result


@rule("pixel_shuffle", "pixel_shuffle")
def pixel_shuffle(ops: Operations, x: Any, upscale_factor: int) -> Any:
    """Channels as blocks of pixels."""
    r, (*lead, channels, height, width) = upscale_factor, x.shape
    n = len(lead)
    x = ops.reshape(x, (*lead, channels // r**2, r, r, height, width))
    x = ops.permute(x, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return ops.reshape(x, (*lead, channels // r**2, height * r, width * r))


@rule("channel_shuffle", "channel_shuffle", "native_channel_shuffle")
def channel_shuffle(ops: Operations, x: Any, groups: int) -> Any:
    """Channels dealt out anew."""
    shape = x.shape
    grouped = ops.reshape(x, (shape[0], groups, shape[1] // groups, *shape[2:]))
    return ops.reshape(ops.permute(grouped, (0, 2, 1, *range(3, len(grouped.shape)))), shape)
