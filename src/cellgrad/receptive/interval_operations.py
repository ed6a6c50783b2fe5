"""Intervals of the image as values that flow through a network: `operations` on `intervals`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from cellgrad.receptive import intervals
from cellgrad.receptive.intervals import Fields, Part, Windows
from cellgrad.receptive.operations import Geometry, Operations, Widths
from cellgrad.receptive.recurrence import agree


class FieldOperations(Operations):
    """`Operations` on `Fields`; image: what flows into the network.

    local: operations on the whole image are ignored: where units that differ in what they see meet something that is
    the same for all of them, only what differs counts. saw_global: whether there was such an operation.
    """

    def __init__(self, image: Fields, local: bool = False) -> None:
        self.image, self.local, self.saw_global = image, local, False

    def _select(self, parts: Sequence[Part], shape: Sequence[int]) -> list[Part]:
        """The parts that count: all of them, or those that move on most axes."""
        moves = [{axis for axis in range(self.image.axes) if part.moves(axis, shape)} for part in parts]
        local = [part for part, own in zip(parts, moves, strict=True) if not any(own < other for other in moves)]
        self.saw_global = self.saw_global or len(local) < len(parts)
        return local if self.local else list(parts)

    def constant(self, shape: Sequence[int]) -> Fields:
        """Fields that see nothing."""
        return intervals.constant(shape, self.image)

    def combine(self, values: Sequence[Fields], shape: Sequence[int]) -> Fields:
        """Union."""
        self.note = _alignment(values)
        return intervals.union(values, shape, self._select)

    def _slide(self, x: Fields, windows: Sequence[Windows], outputs: Sequence[int]) -> Fields:
        """One axis after the other; the image's axes are the last dimensions."""
        for dim, (window, n) in enumerate(zip(windows, outputs, strict=True), start=x.ndim - len(outputs)):
            x = x.slide(dim, window, n)
        return x

    def _grouped(self, x: Fields, groups: int, channels: int) -> Fields:
        """All channels of a group seen together, `channels` new ones made of the groups."""
        told_apart = any(dim == 1 for part in x.parts for dim, _ in part.reach)
        if not told_apart and all(numbers.shape[1] == 1 for numbers in x.branches):
            return x.resize(1, channels)
        batch, before, *rest = x.shape
        grouped = x.reshape((batch, groups, before // groups, *rest)).mix(2, channels // groups)
        return grouped.reshape((batch, channels, *rest))

    def window(
        self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int, reads: Any = None
    ) -> Fields:
        """Slide on each axis, then let the channels of a group see together."""
        self.geometry = geometry
        taps = _taps(geometry, reads)
        windows = [intervals.sliding(t, s, b, d) for t, (_, s, (b, _), d) in zip(taps, geometry.axes, strict=True)]
        result = self._grouped(self._slide(x, windows, outputs), groups, channels)
        if reads is None or _is_box(taps, reads):
            return result
        if not x.is_plain() or x.branches:
            return self.bounded(result)
        # Neighbours see alike, so that the ends of a window suffice, be it those of several channels.
        ends = [reads.movedim(axis + 2, 1).flatten(2).any(2)[:, [t[0], t[-1]]].all(1) for axis, t in enumerate(taps)]
        if all(bool(each.all()) for each in ends):
            return result
        numbers = np.arange(1, channels + 1).reshape(1, -1, *(1 for _ in outputs))
        return replace(result, branches=(numbers,))

    def transposed(
        self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int, reads: Any = None
    ) -> Fields:
        """As `window`, seen from the other side."""
        self.geometry = geometry
        taps = _taps(geometry, reads)
        windows = [intervals.transposed(t, s, b, d) for t, (_, s, (b, _), d) in zip(taps, geometry.axes, strict=True)]
        result = self._grouped(self._slide(x, windows, outputs), groups, channels)
        return result if reads is None or _is_box(taps, reads) else self.bounded(result)

    def adaptive(self, x: Fields, outputs: Sequence[int]) -> Fields:
        """Windows of n / m pixels, moving by as many; whole numbers or not."""
        sizes = list(zip(x.shape[x.ndim - len(outputs) :], outputs, strict=True))
        windows = [intervals.adaptive(n, m) for n, m in sizes]
        widest = [max(int((row != intervals.NOWHERE).sum()) for row in window.taps) for window in windows]
        stride = tuple(_plain(Fraction(n, m)) for n, m in sizes)
        self.geometry = replace(Geometry.plain(widest), stride=stride)
        exact = all(n % m == 0 for n, m in sizes)
        self.note = "whole input" if max(outputs) == 1 else "exact windows" if exact else "fractional windows"
        return self._slide(x, windows, outputs)

    def resize(
        self, x: Fields, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool
    ) -> Fields:
        """Each output reads one to four neighbours on each axis."""
        sizes = zip(x.shape[x.ndim - len(outputs) :], outputs, ratios, strict=True)
        cubic = mode == "bicubic"
        windows = [intervals.resized(n, m, ratio, cubic, align_corners, x.clipped) for n, m, ratio in sizes]
        return self._slide(x, windows, outputs)

    def nearest(self, x: Fields, taps: Sequence[Sequence[int]], ratios: Sequence[Fraction]) -> Fields:
        """Each output reads one input."""
        windows = [intervals.nearest(row, ratio, x.clipped) for row, ratio in zip(taps, ratios, strict=True)]
        return self._slide(x, windows, [len(row) for row in taps])

    def pad(self, x: Fields, widths: Widths, mode: str) -> Fields:
        """Padding by zeros shows nothing; mirrored pixels show themselves where the image is clipped."""
        styles = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        for dim, (before, after) in enumerate(widths, start=x.ndim - len(widths)):
            n = x.shape[dim]
            if mode in styles and x.clipped:
                mirrored = np.pad(np.arange(n), (before, after), mode=styles[mode])  # type: ignore[call-overload]
                x = x.pick(dim, mirrored)
            elif before or after:
                x = x.slide(dim, intervals.sliding(1, 1, before), n + before + after)
        self.geometry = replace(Geometry.plain((1,) * len(widths)), padding=widths)
        return x

    def reads(self, x: Fields, dim: int, rows: Sequence[Sequence[int]]) -> Fields:
        """The rows as they are; no pattern."""
        (dim,) = x.dims(dim)
        result = x.slide(dim, intervals.ragged(rows, None), len(rows))
        return replace(result, parts=tuple(self._select([*x.parts, *result.parts], x.shape))) if self.local else result

    def mix(self, x: Fields, dim: int, units: int) -> Fields:
        """A dense layer sees all along its dimension."""
        return x.mix(dim, units)

    def reduce(self, x: Fields, dims: Sequence[int], keep: bool) -> Fields:
        """A sum sees all it sums over."""
        summed = x.dims(dims)
        if x.ndim == x.axes + 2:
            self.geometry = Geometry.plain([x.shape[dim] if dim in summed else 1 for dim in range(2, x.ndim)])
        result = x.reduce(dims, keep)
        return replace(result, parts=tuple(self._select(result.parts, result.shape)))

    def spread(self, x: Fields, dims: Sequence[int]) -> Fields:
        """All see all."""
        result = x.spread(dims)
        parts = self._select([*x.parts, *result.parts], x.shape)
        return replace(x, parts=intervals.joined(parts, x.shape, x.clipped)[0]) if self.local else result

    def attended(self, x: Fields, dim: int) -> Fields:
        """All tokens as one; an operation on the whole image where it is by this that each unit sees all of it.

        Units may still differ, as they do in attention among every second pixel.
        """
        result, pixels = self.reduce(x, [dim], True), self.image.shape[2:]
        if any(result.moving()) and result.each_sees_all(pixels) and not x.each_sees_all(pixels):
            self.saw_global = True
            return self.constant(result.shape) if self.local else result
        return result

    def bounded(self, x: Fields) -> Fields:
        """No longer exact."""
        return replace(x, exact=False)

    def reshape(self, x: Fields, shape: Sequence[int]) -> Fields:
        """As a tensor does; where no positions are left, a unit is all of them together."""
        if x.ndim == x.axes + 2 and len(shape) == 2:
            self.geometry = Geometry.plain(x.shape[2:])
        return replace(x.reshape(shape), flat=len(shape) < 3, jump=x.jumps())

    def permute(self, x: Fields, order: Sequence[int]) -> Fields:
        """As a tensor does."""
        return x.permute(order)

    def pick(self, x: Fields, dim: int, units: Sequence[int] | np.ndarray) -> Fields:
        """As a tensor does."""
        return x.pick(dim, units)

    def join(self, values: Sequence[Fields], dim: int) -> Fields:
        """As tensors do."""
        self.note = _alignment(values)
        return intervals.join(values, dim, self._select)


def _taps(geometry: Geometry, reads: Any) -> list[list[int]]:
    """On each axis, the places of a window at which any of its weights can be other than zero."""
    if reads is None:
        return [list(range(kernel)) for kernel in geometry.kernel]
    places = reads.nonzero()[:, 2:]
    return [sorted(set(along.tolist())) for along in places.T]


def _is_box(taps: Sequence[Sequence[int]], reads: Any) -> bool:
    """Whether every channel reads every channel of its group at all of these taps."""
    return math.prod(map(len, taps)) * reads.shape[0] * reads.shape[1] == int(reads.sum())


def _plain(value: Fraction | float) -> int | float:
    return int(value) if value == int(value) else float(value)


def _alignment(values: Sequence[Fields]) -> str:
    """Whether branches that meet have their fields' centres in the same places; empty where only one sees the image."""
    branches = [value for value in values if value.parts]
    if len(branches) < 2 or branches[0].clipped:
        return ""
    if len({any(branch.moving()) for branch in branches}) == 2:
        return "one branch shared by all positions"
    facts = [summary(branch) for branch in branches]
    aligned = len({(fact["jump"], fact["start"]) for fact in facts}) == 1
    return "branches aligned" if aligned else "branches not aligned"


def summary(x: Fields) -> dict[str, Any]:
    """Size, jump and start of a unit's field, where a unit is a position, all its channels together.

    sizes: on each axis the smallest and the largest size of any position that sees something.
    """
    sizes, starts = [], []
    for low, high in x.position_boxes():
        seeing = high >= low
        widths = (high - low)[seeing] + 1
        sizes.append((_plain(widths.min()), _plain(widths.max())) if seeing.any() else (0, 0))
        # The first unit that sees anything: a transposed convolution may leave some that see nothing.
        first = np.unravel_index(int(np.argmax(seeing)), seeing.shape)
        starts.append(float((low[first] + high[first]) / 2 + 0.5) if seeing.any() else math.nan)
    jumps = [_plain(jump) for jump in x.jumps()]
    largest = [last for _, last in sizes]
    return {"size": agree(largest), "jump": agree(jumps), "start": agree(starts), "sizes": sizes}
