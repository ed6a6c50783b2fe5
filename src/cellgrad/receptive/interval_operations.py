"""Intervals of the image as values that flow through a graph: `operations` on `intervals`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from cellgrad.receptive import intervals
from cellgrad.receptive.intervals import Fields, Windows
from cellgrad.receptive.operations import Geometry, Operations, Widths
from cellgrad.receptive.recurrence import agree


class FieldOperations(Operations):
    """`Operations` on `Fields`; image: what flows into the graph."""

    def __init__(self, image: Fields) -> None:
        self.image = image

    def constant(self, shape: Sequence[int]) -> Fields:
        """Fields that see nothing."""
        return intervals.constant(shape, self.image)

    def is_constant(self, x: Fields) -> bool:
        """Whether no unit sees any of the image."""
        return x.is_constant

    def combine(self, *values: Fields) -> Fields:
        """Union."""
        self.note = _alignment(values)
        return values[0] if len(values) == 1 else intervals.union(values)

    def _slide(self, x: Fields, windows: Sequence[Windows], outputs: Sequence[int]) -> Fields:
        """One axis after the other; the image's axes are the last dimensions."""
        for dim, (window, n) in enumerate(zip(windows, outputs, strict=True), start=x.ndim - len(outputs)):
            x = x.slide(dim, window, n)
        return x

    def _grouped(self, x: Fields, groups: int, channels: int) -> Fields:
        """All channels of a group seen together, `channels` new ones made of the groups."""
        if not any(dim == 1 for dim, _ in x.reach):
            return x.resize(1, channels)
        batch, before, *rest = x.shape
        grouped = x.reshape((batch, groups, before // groups, *rest)).mix(2, channels // groups)
        return grouped.reshape((batch, channels, *rest))

    def window(self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Fields:
        """Slide on each axis, then let the channels of a group see together."""
        self.geometry = geometry
        windows = [intervals.sliding(k, s, before, d) for k, s, (before, _), d in geometry.axes]
        return self._grouped(self._slide(x, windows, outputs), groups, channels)

    def transposed(self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Fields:
        """As `window`, seen from the other side."""
        self.geometry = geometry
        windows = [intervals.transposed(k, s, before, d) for k, s, (before, _), d in geometry.axes]
        return self._grouped(self._slide(x, windows, outputs), groups, channels)

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
        windows = [intervals.resized(n, m, ratio, mode, align_corners, x.clipped) for n, m, ratio in sizes]
        return self._slide(x, windows, outputs)

    def pad(self, x: Fields, widths: Widths, mode: str) -> Fields:
        """Padding by zeros shows nothing; mirrored pixels show themselves where the image is clipped."""
        styles = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        for dim, (before, after) in enumerate(widths, start=x.ndim - len(widths)):
            n = x.shape[dim]
            if mode in styles and x.clipped:
                x = x.pick(dim, np.pad(np.arange(n), (before, after), mode=styles[mode]))
            elif before or after:
                x = x.slide(dim, intervals.sliding(1, 1, before), n + before + after)
        self.geometry = replace(Geometry.plain((1,) * len(widths)), padding=widths)
        return x

    def mix(self, x: Fields, dim: int, units: int) -> Fields:
        """A dense layer sees all along its dimension."""
        return x.mix(dim, units)

    def reduce(self, x: Fields, dims: Sequence[int], keep: bool) -> Fields:
        """A sum sees all it sums over."""
        if x.ndim == len(x.base) + 2:
            summed = x.dims(dims)
            self.geometry = Geometry.plain([x.shape[dim] if dim in summed else 1 for dim in range(2, x.ndim)])
        return x.reduce(dims, keep)

    def spread(self, x: Fields, dims: Sequence[int]) -> Fields:
        """All see all."""
        return x.spread(dims)

    def reshape(self, x: Fields, shape: Sequence[int]) -> Fields:
        """As a tensor does; where no positions are left, a unit is all of them together."""
        if x.ndim == len(x.base) + 2 and len(shape) == 2:
            self.geometry = Geometry.plain(x.shape[2:])
        return x.reshape(shape)

    def permute(self, x: Fields, order: Sequence[int]) -> Fields:
        """As a tensor does."""
        return x.permute(order)

    def pick(self, x: Fields, dim: int, units: range | np.ndarray) -> Fields:
        """As a tensor does."""
        return x.pick(dim, units)

    def join(self, values: Sequence[Fields], dim: int) -> Fields:
        """As tensors do."""
        self.note = _alignment(values)
        return intervals.join(values, dim)

    def shifted_windows(
        self, x: Fields, window: Sequence[int], shift: Sequence[int], call: Callable[..., Any]
    ) -> Fields:
        """On each axis a token sees the tokens of its window; a window cut in two by the shift counts as two."""
        for axis in (0, 1):
            n, w = x.shape[1 + axis], window[axis]
            padded = -(-n // w) * w
            s = 0 if w >= padded else shift[axis]
            # Where a token stands after the shift, and which part of the seam's window it belongs to.
            place = (np.arange(n) - s) % padded
            part = (place >= padded - s) if s else np.zeros(n, bool)
            group = list(zip(place // w, part, strict=True))
            rows = [[other for other in range(n) if group[other] == group[unit]] for unit in range(n)]
            x = x.slide(1 + axis, intervals.ragged(rows, None), n)
        return x.mix(-1, x.shape[-1])


def _plain(value: Fraction | float) -> int | float:
    return int(value) if value == int(value) else float(value)


def _alignment(values: Sequence[Fields]) -> str:
    """Whether branches that meet have their fields' centres in the same places; empty where only one sees the image."""
    branches = [value for value in values if not value.is_constant]
    if len(branches) < 2 or branches[0].clipped:
        return ""
    positions = [[branch.shape[main] for main in _main_dims(branch) if main is not None] for branch in branches]
    if len({math.prod(units) > 1 for units in positions}) == 2:
        return "one branch shared by all positions"
    facts = [summary(branch) for branch in branches]
    aligned = len({(fact["jump"], fact["start"]) for fact in facts}) == 1
    return "branches aligned" if aligned else "branches not aligned"


def _main_dims(x: Fields) -> tuple[int | None, ...]:
    """For each axis of the image the dimension along which positions on it are laid out, if there is one."""
    dims = []
    for axis in range(len(x.base)):
        carriers = [dim for dim, other in x.reach if other == axis]
        if x.ndim < 3 or not carriers:
            dims.append(None)
        elif axis + 2 in carriers:
            dims.append(axis + 2)
        else:
            dims.append(max(carriers, key=lambda dim: x.reach[dim, axis].jump))
    return tuple(dims)


def summary(x: Fields) -> dict[str, Any]:
    """Size, jump and start of a unit's field, where a unit is a position, all its channels together."""
    sizes, jumps, starts = [], [], []
    for axis, main in enumerate(_main_dims(x)):
        low, high = (np.array([end]) for end in x.base[axis])
        for (dim, other), reach in x.reach.items():
            if other != axis:
                continue
            ends = reach.at(np.arange(x.shape[dim])) if dim == main else reach.hull(x.shape[dim])
            low, high = low + ends[0], high + ends[1]
        seeing = high >= low
        sizes.append(_plain((high - low)[seeing].max(initial=-1) + 1))
        # The first unit that sees anything: a transposed convolution may leave some that see nothing.
        first = int(np.argmax(seeing))
        starts.append(float((low[first] + high[first]) / 2 + 0.5) if seeing.any() else math.nan)
        in_place = main is not None and x.ndim == len(x.base) + 2
        jumps.append(_plain(x.reach[main, axis].jump if in_place else x.jump[axis]))
    return {"size": agree(sizes), "jump": agree(jumps), "start": agree(starts)}
