"""Which interval of the input each unit of a tensor can see, for all ways in which a network moves numbers.

Along one dimension of a tensor the intervals move in a repeating pattern: unit i + P sees what unit i sees, some pixels
further on. Plain convolutions and pools have P = 1 and give the well-known recurrence; upsampling, transposed
convolutions and fractional pools have longer patterns; a reshape takes patterns apart and puts them together again.
The ends are whole numbers, kept as floats (exact up to 2⁵³) so that "sees nothing" is (∞, −∞). No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, floor, gcd, inf, lcm, prod
from typing import cast

import numpy as np

# In `Windows.taps`: this tap does not exist (rows have different numbers of taps).
NOWHERE = -(2**40)
Interval = tuple[float, float]
# Among outputs that are listed one by one, a pattern of at most so many is looked for.
_LONGEST_PATTERN = 64
# The boxes of more positions than these are not listed one by one.
_MOST_POSITIONS = 300_000
# More parts than this are merged, and the result is an upper bound.
MOST_PARTS = 6
# What a constant sees: the neutral element of the union.
NOTHING: Interval = (inf, -inf)


@dataclass(frozen=True, eq=False)
class Windows:
    """What each output of a layer reads along one dimension: output o reads inputs taps[o % M] + step · (o // M).

    taps: integers (M, taps). step: None when the M rows are all outputs there are, and no pattern repeats.
    ratio: inputs for an output, where that is known besides.
    """

    taps: np.ndarray
    step: int | None
    ratio: Fraction | None = None

    @property
    def pace(self) -> Fraction:
        """How many inputs further on the next output reads, on average; 1 where the outputs follow no rule."""
        if self.ratio is not None or self.step is not None:
            return self.ratio or abs(Fraction(self.step or 0, len(self.taps)))
        first = self.taps[:, 0]
        for outputs in range(1, min(len(first) // 2, _LONGEST_PATTERN) + 1) if NOWHERE not in first else ():
            moves = first[outputs:] - first[:-outputs]
            if moves[0] and (moves == moves[0]).all():
                return Fraction(abs(int(moves[0])), outputs)
        return Fraction(1)

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """The inputs read by these outputs, (outputs, taps)."""
        turns, phases = np.divmod(outputs, len(self.taps))
        taps = self.taps[phases]
        return np.where(taps == NOWHERE, NOWHERE, taps + (turns * (self.step or 0))[:, None])


def ragged(rows: Sequence[Sequence[int]], step: int | None) -> Windows:
    """Windows whose rows of taps may have different lengths, or none."""
    widest = max(1, *(len(row) for row in rows))
    return Windows(np.array([[*row, *[NOWHERE] * (widest - len(row))] for row in rows], dtype=np.int64), step)


def sliding(taps: int | Sequence[int], stride: int = 1, padding: int = 0, dilation: int = 1) -> Windows:
    """A convolution or pool: output o reads o·stride − padding + dilation·(0, …, kernel − 1).

    taps: the kernel, or which of 0, …, kernel − 1 it reads.
    """
    return Windows(dilation * (np.arange(taps) if isinstance(taps, int) else np.array(taps))[None] - padding, stride)


def transposed(taps: Sequence[int], stride: int, padding: int, dilation: int) -> Windows:
    """A transposed convolution: output o reads each input i with o = i·stride − padding + dilation·tap."""
    sums = [[o + padding - dilation * tap for tap in taps] for o in range(stride)]
    return ragged([[value // stride for value in row if value % stride == 0] for row in sums], 1)


def adaptive(inputs: int, outputs: int) -> Windows:
    """Adaptive pooling: output o reads from ⌊o·inputs/outputs⌋ up to, not including, ⌈(o + 1)·inputs/outputs⌉."""
    step = Fraction(inputs, outputs)
    rows = [range(floor(o * step), ceil((o + 1) * step)) for o in range(step.denominator)]
    return ragged(rows, step.numerator)


def resized(inputs: int, outputs: int, ratio: Fraction, cubic: bool, align_corners: bool, clipped: bool) -> Windows:
    """Linear or cubic upsampling as `torch.nn.functional.interpolate` does it; ratio: input pixels for an output pixel.

    clipped: a tap beyond the border reads the border pixel, which ends the pattern.
    """
    if align_corners:
        ratio = Fraction(inputs - 1, outputs - 1) if outputs > 1 else Fraction(0)
    shift = 0 if align_corners else Fraction(1, 2)
    rows = []
    for o in range(outputs if clipped or not ratio else ratio.denominator):
        source = (o + shift) * ratio - shift
        first = floor(source)
        row = [first] if source == first else range(first - 1, first + 3) if cubic else [first, first + 1]
        rows.append([min(max(tap, 0), inputs - 1) for tap in row] if clipped else row)
    return ragged(rows, None if clipped or not ratio else ratio.numerator)


def nearest(taps: Sequence[int], ratio: Fraction, clipped: bool) -> Windows:
    """Nearest upsampling that reads these inputs; a pattern where rounding has not disturbed it."""
    period = [floor(o * ratio) for o in range(ratio.denominator)]
    pattern = ragged([[tap] for tap in period], ratio.numerator)
    if not clipped and list(pattern.read(np.arange(len(taps)))[:, 0]) == list(taps):
        return pattern
    return Windows(np.array(taps)[:, None], None, ratio)


@dataclass(frozen=True, eq=False)
class Reach:
    """How the seen interval moves along one dimension: unit i sees low[i % P] … high[i % P], plus advance · (i // P).

    advance: None when the pattern does not repeat; units outside it (padding) then see nothing.
    jump: pixels between neighbouring units, the effective stride.
    """

    low: np.ndarray
    high: np.ndarray
    advance: float | None
    jump: Fraction

    def at(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest pixel of each unit; (∞, −∞) where there is no such unit."""
        period = len(self.low)
        turns, phases = np.divmod(units, period)
        exists = units != NOWHERE if self.advance is not None else (units >= 0) & (units < period)
        move = turns * (self.advance or 0.0)
        return (
            np.where(exists, self.low[phases] + move, inf),
            np.where(exists, self.high[phases] + move, -inf),
        )

    def hull(self, units: int) -> Interval:
        """The smallest interval with everything that units 0 … units − 1 see."""
        low, high = self.at(np.arange(units))
        return float(low.min()), float(high.max())

    def moves(self, units: int) -> bool:
        """Whether some of these units see something else than others."""
        if len(self.low) == 1:  # most often, and asked so often that it must be quick
            return bool(self.advance) and units > 1 and bool(np.isfinite(self.low[0]))
        low, high = self.at(np.arange(min(units, 2 * len(self.low) + 1)))
        low, high = low[np.isfinite(low)], high[np.isfinite(high)]
        return len(low) > 0 and bool(low.min() != low.max() or high.min() != high.max())

    def span(self, units: int) -> float:
        """How far over the image these units go, from the first to the last of what they see."""
        ends = [end[np.isfinite(end)] for end in self.at(np.arange(units))]
        return max(float(end.max() - end.min()) for end in ends)

    def has_gaps(self, units: int) -> bool:
        """Whether some of these units see nothing, as those that read padding alone, and others something."""
        low, _ = self.at(np.arange(units))
        return bool(np.isfinite(low).any() and np.isinf(low).any())

    def slide(self, windows: Windows, outputs: int) -> Reach:
        """What the outputs of a layer see, when this is what its inputs see."""
        pattern = self.advance is not None and windows.step is not None
        if pattern:
            turns = len(self.low) // gcd(len(self.low), windows.step)
            phases = len(windows.taps) * turns
            advance = self.advance * turns * windows.step / len(self.low)
        else:
            phases, advance = outputs, None
        low, high = self.at(windows.read(np.arange(phases)))
        return reduced(Reach(low.min(axis=1), high.max(axis=1), advance, self.jump * windows.pace))


def reduced(reach: Reach) -> Reach:
    """The same reach with its shortest pattern."""
    period = len(reach.low)
    if reach.advance is None or period == 1:
        return reach
    for shorter in (p for p in range(1, period) if period % p == 0):
        advance = reach.advance * shorter / period
        move = np.arange(period) // shorter * advance
        same = [np.array_equal(ends, ends[np.arange(period) % shorter] + move) for ends in (reach.low, reach.high)]
        if all(same):
            return replace(reach, low=reach.low[:shorter], high=reach.high[:shorter], advance=advance)
    return reach


def _constant(interval: Interval, jump: Fraction, units: int = 1, clipped: bool = False) -> Reach:
    """The same interval for all units, also for those beyond the border unless clipped."""
    low, high = (np.full(units if clipped else 1, end, dtype=float) for end in interval)
    return Reach(low, high, None if clipped else 0.0, jump)


def _merged(outer: Reach | None, inner: Reach | None, inner_units: int) -> Reach | None:
    """Two neighbouring dimensions read as one, the inner index running fastest."""
    if outer is None and inner is None:
        return None
    jump = inner.jump if inner else outer.jump / inner_units
    outer = outer or _constant((0, 0), Fraction(0))
    inner = inner or _constant((0, 0), Fraction(0))
    low, high = inner.at(np.arange(inner_units))
    return reduced(
        Reach(np.add.outer(outer.low, low).ravel(), np.add.outer(outer.high, high).ravel(), outer.advance, jump)
    )


def _split(reach: Reach, outer_units: int, inner_units: int) -> tuple[Reach, Reach, bool]:
    """One dimension read as two, outer and inner, and whether what a unit sees is the sum of its outer and inner part.

    Where it is not, all inner units of an outer one see what any of them sees.
    """
    if reach.advance is None:
        turns, advance = outer_units, None
    else:
        turns = len(reach.low) // gcd(len(reach.low), inner_units)
        advance = reach.advance * turns * inner_units / len(reach.low)
    jump = reach.jump * inner_units
    low, high = (ends.reshape(turns, inner_units) for ends in reach.at(np.arange(turns * inner_units)))
    if np.isfinite(low).all():
        outer_low, outer_high = low[:, 0] - low[0, 0], high[:, 0] - high[0, 0]
        sums = [outer[:, None] + inner[0] for outer, inner in ((outer_low, low), (outer_high, high))]
        if np.array_equal(low, sums[0]) and np.array_equal(high, sums[1]):
            inner = Reach(low[0], high[0], None, reach.jump)
            return Reach(outer_low, outer_high, advance, jump), inner if advance is None else _going_on(inner), True
    return Reach(low.min(axis=1), high.max(axis=1), advance, jump), _constant((0, 0), reach.jump), False


def _going_on(reach: Reach) -> Reach:
    """The same with a pattern where each unit sees as much farther than the one before: beyond the border, too."""
    steps = np.diff([reach.low, reach.high]) if len(reach.low) > 1 else np.zeros((2, 0))
    if not steps.size or (steps != steps[0, 0]).any():
        return reach
    return replace(reach, low=reach.low[:1], high=reach.high[:1], advance=float(steps[0, 0]))


@dataclass(frozen=True, eq=False)
class Part:
    """A box for each unit: on each image axis, base plus one reach a dimension.

    base: an interval for each axis. reach: by (dimension, axis); a dimension not in it makes no difference.
    """

    base: tuple[Interval, ...]
    reach: dict[tuple[int, int], Reach]

    def carriers(self, axis: int) -> list[int]:
        """The dimensions that have a reach on this axis."""
        return [dim for dim, other in self.reach if other == axis]

    def moves(self, axis: int, shape: Sequence[int]) -> bool:
        """Whether units differ in what they see on this axis."""
        return any(self.reach[dim, axis].moves(shape[dim]) for dim in self.carriers(axis))

    def ends(self, axis: int, shape: Sequence[int], units: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest pixel: one for each of the units of the dimension given, all units elsewhere together."""
        low, high = (np.array([end]) for end in self.base[axis])
        for dim in self.carriers(axis):
            reach = self.reach[dim, axis]
            first, last = reach.at(units[dim]) if dim in units else reach.hull(shape[dim])
            low, high = low + first, high + last
        return low, high

    def common(self, shape: Sequence[int]) -> list[Interval]:
        """On each axis, the interval that every unit sees; turned round where there is none."""
        intervals = [list(ends) for ends in self.base]
        for (dim, axis), reach in self.reach.items():
            low, high = reach.at(np.arange(shape[dim]))
            intervals[axis][0] += float(low.max())
            intervals[axis][1] += float(high.min())
        return [(low, high) for low, high in intervals]

    def folded(self, dims: Iterable[int], shape: Sequence[int], axis: int | None = None) -> Part:
        """All units along these dimensions together (on one axis only, if given): their reach becomes base."""
        base, reach = list(self.base), dict(self.reach)
        for (dim, other), value in self.reach.items():
            if dim in dims and axis in (None, other):
                low, high = value.hull(shape[dim])
                base[other] = base[other][0] + low, base[other][1] + high
                del reach[dim, other]
        return Part(tuple(base), reach)

    def placed(self, place: dict[int, int]) -> Part:
        """The same with its dimensions numbered anew."""
        return Part(self.base, {(place[dim], axis): value for (dim, axis), value in self.reach.items()})


@dataclass(frozen=True, eq=False)
class Fields:
    """A tensor's shape, batch first, and what each unit sees: the smallest box around its box in each part.

    jump: pixels between neighbouring positions on each axis, as long as there were any.
    clipped: the image ends where it ends, and padding shows nothing.
    exact: False once an interval had to be rounded up to one that surely contains it.
    flat: positions and channels are one list now, and no unit has a position.
    branches: each a number for each unit, for tensors that see different things and were joined along a dimension on
    which nothing else depends, as channels are: all numbers together see what the parts say; 0 adds nothing to them.
    """

    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    jump: tuple[Fraction, ...]
    clipped: bool
    exact: bool = True
    flat: bool = False
    branches: tuple[np.ndarray, ...] = ()

    @property
    def ndim(self) -> int:
        """Number of dimensions, like a tensor's."""
        return len(self.shape)

    @property
    def axes(self) -> int:
        """Number of the image's axes."""
        return len(self.jump)

    def dims(self, dims: int | Sequence[int]) -> tuple[int, ...]:
        """Dimensions counted from the front."""
        return tuple(dim % self.ndim for dim in ([dims] if isinstance(dims, int) else dims))

    def moving(self) -> tuple[bool, ...]:
        """On each axis, whether units differ in what they see."""
        return tuple(any(part.moves(axis, self.shape) for part in self.parts) for axis in range(self.axes))

    def positions(self) -> tuple[int | None, ...]:
        """For each axis the dimension along which positions on it are laid out, if there is one."""
        dims: list[int | None] = []
        for axis in range(self.axes):
            spans: dict[int, float] = {}
            gaps: dict[int, float] = {}
            for part in self.parts:
                for dim in sorted(part.carriers(axis)) if not self.flat else ():
                    reach, units = part.reach[dim, axis], self.shape[dim]
                    if reach.moves(units):
                        spans[dim] = max(spans.get(dim, 0.0), reach.span(units))
                    elif reach.has_gaps(units):
                        gaps[dim] = max(gaps.get(dim, 0.0), float(reach.jump))
            found = spans or gaps
            dims.append(max(found, key=found.__getitem__) if found else None)
        # Pixels folded into channels: a dimension of several axes is none of positions where one axis has its own.
        shared = {
            dim
            for part in self.parts
            for (dim, axis), reach in part.reach.items()
            if dim != dims[axis] and dim in dims and reach.moves(self.shape[dim])
        }
        # Channels that differ in what they see are none, either, where one axis lies behind them or nothing does.
        behind = set(self.shape[2:]) == {1} or any(dim == axis + 2 for axis, dim in enumerate(dims))
        channels = self.ndim == self.axes + 2 and self.axes > 1 and behind
        return tuple(None if dim in shared or (channels and dim == 1) else dim for dim in dims)

    def extent(self, axis: int, dim: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest pixel on an axis, of each position along a dimension (None: of all units together)."""
        units = {} if dim is None else {dim: np.arange(self.shape[dim])}
        count = 1 if dim is None else self.shape[dim]
        low, high = np.full(count, inf), np.full(count, -inf)
        for part in self.parts:
            first, last = part.ends(axis, self.shape, units)
            low, high = np.minimum(low, first), np.maximum(high, last)
        return low, high

    def position_boxes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """On each axis, lowest and highest pixel of each position; (∞, −∞) of those that see nothing.

        Of those on one axis alone, where it makes no difference which one it is on the others.
        """
        positions = self.positions()
        dims = sorted({dim for dim in positions if dim is not None})
        carriers = [set(part.carriers(axis)) & set(dims) for part in self.parts for axis in range(self.axes)]
        alike = len(self.parts) == 1 and all(len(own) < 2 for own in carriers)
        if alike or prod(self.shape[dim] for dim in dims) > _MOST_POSITIONS:
            return [self.extent(axis, dim) for axis, dim in enumerate(positions)]
        grid = dict(zip(dims, np.ix_(*(np.arange(self.shape[dim]) for dim in dims)), strict=True))
        shape = [self.shape[dim] for dim in dims]
        boxes = [(np.full(shape, inf), np.full(shape, -inf)) for _ in range(self.axes)]
        for part in self.parts:
            box = [part.ends(axis, self.shape, grid) for axis in range(self.axes)]
            there = np.logical_and.reduce(np.broadcast_arrays(*(low <= high for low, high in box)))
            boxes = [
                (np.where(there, np.minimum(first, low), first), np.where(there, np.maximum(last, high), last))
                for (first, last), (low, high) in zip(boxes, box, strict=True)
            ]
        return boxes

    def sees_all(self, pixels: Sequence[int]) -> tuple[bool, ...]:
        """On each axis, whether every unit sees all its pixels; padding that some see besides makes no difference."""
        if self.flat:
            low_high = [(axis, *self.extent(axis, None)) for axis in range(self.axes) if not self.moving()[axis]]
        else:
            low_high = [(axis, *self.extent(axis, dim)) for axis, dim in enumerate(self.positions())]
        whole = {axis for axis, low, high in low_high if low.max() <= 0 and high.min() >= pixels[axis] - 1}
        return tuple(axis in whole for axis in range(self.axes))

    def each_sees_all(self, pixels: Sequence[int]) -> bool:
        """Whether every unit sees all pixels by one of the parts, whatever dimensions its place is laid out along."""
        return any(
            all(low <= 0 and high >= n - 1 for n, (low, high) in zip(pixels, part.common(self.shape), strict=True))
            for part in self.parts
        )

    def jumps(self) -> tuple[Fraction, ...]:
        """Pixels between neighbouring positions on each axis."""
        positions, result = self.positions(), list(self.jump)
        for axis, dim in enumerate(positions):
            if dim is None:
                continue
            if positions.count(dim) == 1:
                result[axis] = max(part.reach[dim, axis].jump for part in self.parts if (dim, axis) in part.reach)
            else:
                # A list of tokens: rows and columns in one dimension, perhaps a class token before them.
                low, high = self.extent(axis, dim)
                seeing = high >= low
                centres = np.unique(low[seeing] + high[seeing]) / 2
                if len(centres) > 1:
                    result[axis] = Fraction(float(np.median(np.diff(centres)))).limit_denominator(1000)
        return tuple(result)

    def centre_index(self) -> tuple[int | None, ...]:
        """The centre unit: position n // 2 of n, everything that is no position together (None)."""
        positions = self.positions()
        return tuple(units // 2 if dim in positions else None for dim, units in enumerate(self.shape))

    def slide(self, dim: int, windows: Windows, outputs: int) -> Fields:
        """A layer's windows along one dimension."""
        shape, parts = (*self.shape[:dim], outputs, *self.shape[dim + 1 :]), []
        for part in self.parts:
            reach = {k: value.slide(windows, outputs) if k[0] == dim else value for k, value in part.reach.items()}
            if self.clipped and not any(key[0] == dim for key in reach):
                # All units see the same, but an output that reads padding alone sees nothing.
                still = _constant((0, 0), Fraction(0), self.shape[dim], clipped=True).slide(windows, outputs)
                reach |= {} if np.isfinite(still.low).all() else {(dim, 0): still}
            parts.append(Part(part.base, reach))
        carried = {axis: part.reach[dim, axis].jump for part in parts for d, axis in part.reach if d == dim}
        jump = self.jump if len(carried) != 1 else tuple(carried.get(axis, old) for axis, old in enumerate(self.jump))
        result = replace(self, shape=shape, parts=tuple(parts), jump=jump)
        return result._with_branches([_read(numbers, dim, windows, outputs) for numbers in self.branches])

    def _with_branches(self, found: Sequence[np.ndarray | None]) -> Fields:
        """The same with these branches; no longer exact where one of them, None, is not all there any more."""
        left = tuple(numbers for numbers in found if numbers is not None and numbers.size > 1)
        return replace(self, branches=left, exact=self.exact and all(numbers is not None for numbers in found))

    def goes_on(self) -> bool:
        """Whether what the positions see follows patterns that repeat."""
        positions = set(self.positions())
        return all(
            reach.advance is not None for part in self.parts for (d, _), reach in part.reach.items() if d in positions
        )

    def is_plain(self) -> bool:
        """Whether on each axis every unit sees as much as its neighbour, a fixed way further on."""
        reaches = [reach for part in self.parts for reach in part.reach.values()]
        return len(self.parts) == 1 and all(len(reach.low) == 1 and reach.advance is not None for reach in reaches)

    def is_exact(self) -> bool:
        """Whether each position, with all its channels, surely sees all that the parts say."""
        others = [dim for dim in range(self.ndim) if dim not in self.positions()]
        gathered = [_gathered(numbers, others) for numbers in self.branches]
        return self.exact and all(numbers is not None and numbers.size == 1 for numbers in gathered)

    def spread(self, dims: int | Sequence[int]) -> Fields:
        """Each unit along these dimensions now sees what all of them saw."""
        dims = self.dims(dims)
        parts = []
        for part in self.parts:
            reach = {
                (dim, axis): _constant(value.hull(self.shape[dim]), value.jump, self.shape[dim], self.clipped)
                if dim in dims
                else value
                for (dim, axis), value in part.reach.items()
            }
            parts.append(Part(part.base, reach))
        gathered = [_gathered(numbers, dims) for numbers in self.branches]
        return replace(self, parts=tuple(parts))._with_branches(gathered)

    def reduce(self, dims: int | Sequence[int], keep: bool = False) -> Fields:
        """Sum, mean or maximum over these dimensions."""
        dims = self.dims(dims)
        kept = [dim for dim in range(self.ndim) if keep or dim not in dims]
        place = {dim: position for position, dim in enumerate(kept)}
        parts = tuple(part.folded(dims, self.shape).placed(place) for part in self.parts)
        shape = tuple(1 if dim in dims else self.shape[dim] for dim in kept)
        gathered = [_gathered(numbers, dims) for numbers in self.branches]
        gone = tuple(dim for dim in dims if not keep)
        left = [numbers if numbers is None else numbers.squeeze(gone) for numbers in gathered]
        return replace(self, shape=shape, parts=parts, jump=self.jumps())._with_branches(left)

    def resize(self, dim: int, units: int) -> Fields:
        """Another number of units along a dimension on which nothing depends."""
        return replace(self, shape=(*self.shape[:dim], units, *self.shape[dim + 1 :]))

    def mix(self, dim: int, units: int) -> Fields:
        """All numbers along the dimension combined into each of `units` new ones, as a dense layer does."""
        (dim,) = self.dims(dim)
        return self.reduce(dim, keep=True).resize(dim, units)

    def permute(self, order: Sequence[int]) -> Fields:
        """The dimensions in another order."""
        order = self.dims(order)
        place = {dim: position for position, dim in enumerate(order)}
        parts = tuple(part.placed(place) for part in self.parts)
        branches = tuple(numbers.transpose(order) for numbers in self.branches)
        return replace(self, shape=tuple(self.shape[dim] for dim in order), parts=parts, branches=branches)

    def reshape(self, shape: Sequence[int]) -> Fields:
        """The same numbers in another shape."""
        shape = tuple(shape)
        groups, exact, parts = _groups(self.shape, shape), self.exact, []
        for part in self.parts:
            result = Part(part.base, {})
            for old, new in groups:
                result, faithful = _regroup(part, result, self.shape, shape, old, new)
                exact = exact and faithful
            parts.append(result)
        branches = tuple(_reshaped(numbers, self.shape, shape, groups) for numbers in self.branches)
        return replace(self, shape=shape, parts=tuple(parts), exact=exact, branches=branches)

    def pick(self, dim: int, units: Sequence[int] | np.ndarray) -> Fields:
        """Only these units along the dimension, in this order, by their numbers from 0."""
        (dim,) = self.dims(dim)
        if isinstance(units, range):
            return self.slide(dim, sliding(1, units.step, -units.start), len(units))
        return self.slide(dim, Windows(np.array(units)[:, None], None), len(units))

    def unit(self, index: Sequence[int | None]) -> tuple[Interval, ...]:
        """What one unit sees on each axis; None in the index: all units along that dimension together."""
        result = [NOTHING] * self.axes
        units = {dim: np.array([place]) for dim, place in enumerate(index) if place is not None}
        for part in self.parts:
            box = [part.ends(axis, self.shape, units) for axis in range(self.axes)]
            # Nothing on one axis is nothing at all, as between the pixels that a transposed convolution leaves empty.
            if all(low[0] <= high[0] for low, high in box):
                result = [
                    (min(first, float(low[0])), max(last, float(high[0])))
                    for (first, last), (low, high) in zip(result, box, strict=True)
                ]
        return tuple(result)


def image(input_size: Sequence[int], clipped: bool = False) -> Fields:
    """One input (channels, then its axes): each pixel sees itself. clipped: as in `Fields`."""
    axes = len(input_size) - 1
    reach = {}
    for axis, pixels in enumerate(input_size[1:]):
        units = np.arange(pixels if clipped else 1, dtype=float)
        reach[axis + 2, axis] = Reach(units, units, None if clipped else 1.0, Fraction(1))
    return Fields((1, *input_size), (Part(((0.0, 0.0),) * axes, reach),), (Fraction(1),) * axes, clipped)


def constant(shape: Sequence[int], like: Fields) -> Fields:
    """A tensor that depends on no pixel: a weight, a class token."""
    return Fields(tuple(shape), (), (Fraction(0),) * like.axes, like.clipped)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[range, range]]:
    """Cut two shapes of equally many units into the smallest runs of dimensions that hold equally many."""
    groups, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        first, left, right = (i, j), 1, 1
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        left, right = prod(old[first[0] : i]), prod(new[first[1] : j])
        while left != right:
            if (left < right and i < len(old)) or j == len(new):
                left, i = left * old[i], i + 1
            else:
                right, j = right * new[j], j + 1
        groups.append((range(first[0], i), range(first[1], j)))
    return groups


def _regroup(
    source: Part, result: Part, shape: Sequence[int], shape_after: Sequence[int], old: range, new: range
) -> tuple[Part, bool]:
    """Carry over one group of `_groups`: merge its old dimensions into one, split that into the new ones."""
    reach, base, exact = dict(result.reach), list(result.base), True
    if len(old) == len(new) == 1:
        reach |= {(new[0], axis): value for (dim, axis), value in source.reach.items() if dim == old[0]}
        return Part(result.base, reach), True
    for axis in range(len(base)):
        merged, units = None, 1
        for dim in old:
            inner = source.reach.get((dim, axis))
            # Merged with an outer dimension, a pattern ends where the next outer unit begins; alone it goes on.
            merged = inner if units == 1 and merged is None else _merged(merged, inner, shape[dim])
            units *= shape[dim]
        if merged is None:
            continue
        # One unit moves nowhere, whatever it is merged with later, and leaves a pattern whole.
        wide = [dim for dim in new if shape_after[dim] > 1] if len(new) > 1 else list(new)
        if not wide:
            low, high = merged.hull(1)
            base[axis] = base[axis][0] + low, base[axis][1] + high
        for place, dim in enumerate(wide):
            piece = merged
            if dim != wide[-1]:
                inner_units = prod(shape_after[other] for other in wide[place + 1 :])
                piece, merged, faithful = _split(merged, shape_after[dim], inner_units)
                exact = exact and faithful
            # A dimension along which nothing changes, as that of channels, is left out.
            if len(new) == 1 or piece.advance or piece.low.any() or piece.high.any():
                reach[dim, axis] = piece
    return Part(tuple(base), reach), exact


Select = Callable[[Sequence[Part], Sequence[int]], Sequence[Part]]


def union(
    tensors: Sequence[Fields], shape: Sequence[int] | None = None, select: Select = lambda parts, shape: parts
) -> Fields:
    """What a sum, a product or any other combination of tensors unit by unit sees, with broadcasting to the shape.

    select: which parts count.
    """
    shape = tuple(shape or np.broadcast_shapes(*(tensor.shape for tensor in tensors)))
    lifted = [_broadcast(tensor, shape) for tensor in tensors if tensor.parts]
    if not lifted:
        return constant(shape, tensors[0])
    if len(lifted) == 1:
        return lifted[0]
    parts = select([part for tensor in lifted for part in tensor.parts], shape)
    parts, exact = joined(parts, shape, lifted[0].clipped)
    jump = tuple(max(jumps) for jumps in zip(*(tensor.jumps() for tensor in lifted), strict=True))
    exact = exact and all(tensor.exact for tensor in lifted)
    flat = all(tensor.flat for tensor in lifted)
    return Fields(shape, parts, jump, lifted[0].clipped, exact, flat, _branches_of(lifted))


def _broadcast(tensor: Fields, shape: tuple[int, ...]) -> Fields:
    lead = len(shape) - tensor.ndim
    if lead:
        tensor = tensor.reshape((1,) * lead + tensor.shape)
    for dim, (units, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if units != wanted:
            tensor = tensor.mix(dim, wanted)
    return tensor


def joined(parts: Sequence[Part], shape: Sequence[int], clipped: bool) -> tuple[tuple[Part, ...], bool]:
    """As few parts as say the same, and whether they do: what another contains is left out, what can be is merged."""
    kept: list[Part] = []
    for part in parts:
        for place, other in enumerate(kept):
            together = _wider(other, part, shape) or _merge(other, part, shape, clipped)
            if together is not None:
                kept[place] = together
                break
        else:
            kept.append(part)
    if len(kept) < len(parts) and len(kept) > 1:
        # What was merged may contain, or merge with, what came before it.
        return joined(kept, shape, clipped)
    if len(kept) <= MOST_PARTS:
        return tuple(kept), True
    hull = kept[0]
    for part in kept[1:]:
        hull = _wider(hull, part, shape) or cast(Part, _merge(hull, part, shape, clipped, by_force=True))
    return (hull,), False


def _wider(a: Part, b: Part, shape: Sequence[int]) -> Part | None:
    """The one of two parts whose every unit sees all that the other's sees, if there is one."""
    contains_a, contains_b = True, True
    for axis in range(len(a.base)):
        below, above = ([a.base[axis][end] - b.base[axis][end]] * 2 for end in (0, 1))
        for dim in {*a.carriers(axis), *b.carriers(axis)}:
            units = np.arange(shape[dim])
            ends = [
                part.reach[dim, axis].at(units) if (dim, axis) in part.reach else (units * 0.0, units * 0.0)
                for part in (a, b)
            ]
            if not all(np.isfinite(end).all() for pair in ends for end in pair):
                if _same(a.reach.get((dim, axis)), b.reach.get((dim, axis))):
                    continue
                return None
            # The sums over dimensions are extreme where each term is.
            low, high = ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]
            below = [below[0] + low.min(), below[1] + low.max()]
            above = [above[0] + high.min(), above[1] + high.max()]
        contains_b = contains_b and below[1] <= 0 and above[0] >= 0
        contains_a = contains_a and below[0] >= 0 and above[1] <= 0
    return a if contains_b else b if contains_a else None


def _merge(a: Part, b: Part, shape: Sequence[int], clipped: bool, by_force: bool = False) -> Part | None:
    """One part for two, on each axis apart; None where that would say more than the two, unless by force.

    It would where a unit sees nothing of one part on one axis: the other axes of that part must not widen it then. And
    where the parts move along two dimensions on one axis: the union of two sums is no sum.
    """
    if not by_force and not _separable(a, b, shape):
        return None
    reach: dict[tuple[int, int], Reach] = {}
    base = []
    for axis in range(len(a.base)):
        dims, different = {*a.carriers(axis), *b.carriers(axis)}, _different(a, b, axis)
        if len(different) > 1:
            # Keep the dimension with the longest jump, and let the others see it all.
            keep = max(different, key=lambda dim: max(_jump(a, dim, axis), _jump(b, dim, axis)))
            others = [dim for dim in different if dim != keep]
            a, b, different = a.folded(others, shape, axis), b.folded(others, shape, axis), [keep]
            dims -= set(others)
        reach |= {(dim, axis): a.reach[dim, axis] for dim in dims - set(different)}
        if not different:
            base.append((min(a.base[axis][0], b.base[axis][0]), max(a.base[axis][1], b.base[axis][1])))
            continue
        (dim,) = different
        still = _constant((0, 0), Fraction(0), shape[dim], clipped)
        parts = [_shifted(part.reach.get((dim, axis), still), part.base[axis]) for part in (a, b)]
        reach[dim, axis] = _union_of_reaches(parts[0], parts[1], shape[dim], clipped)
        base.append((0.0, 0.0))
    return Part(tuple(base), reach)


def _different(a: Part, b: Part, axis: int) -> list[int]:
    """The dimensions along which two parts move differently on an axis."""
    dims = sorted({*a.carriers(axis), *b.carriers(axis)})
    return [dim for dim in dims if not _same(a.reach.get((dim, axis)), b.reach.get((dim, axis)))]


def _separable(a: Part, b: Part, shape: Sequence[int]) -> bool:
    """Whether the union of two parts is the union on each axis apart."""
    differing = {}
    for axis in range(len(a.base)):
        dims = _different(a, b, axis)
        if len(dims) > 1:
            return False
        if dims or a.base[axis] != b.base[axis]:
            differing[axis] = dims
    # What each part is blind to along the one dimension, on each axis on which they differ.
    blind = [
        {
            axis: (dims[0], tuple(np.isinf(part.reach[dims[0], axis].at(np.arange(shape[dims[0]]))[0])))
            if dims and (dims[0], axis) in part.reach
            else (-1, ())
            for axis, dims in differing.items()
        }
        for part in (a, b)
    ]
    if len(differing) < 2 or not any(any(mask) for masks in blind for _, mask in masks.values()):
        return True
    return all(len(set(masks.values())) == 1 for masks in blind)


def _jump(part: Part, dim: int, axis: int) -> Fraction:
    return part.reach[dim, axis].jump if (dim, axis) in part.reach else Fraction(0)


def _same(a: Reach | None, b: Reach | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.advance == b.advance and np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high)


def _shifted(reach: Reach, base: Interval) -> Reach:
    return replace(reach, low=reach.low + base[0], high=reach.high + base[1])


def _union_of_reaches(a: Reach, b: Reach, units: int, clipped: bool) -> Reach:
    rates = [None if part.advance is None else part.advance / len(part.low) for part in (a, b)]
    if None not in rates and rates[0] == rates[1]:
        period = lcm(len(a.low), len(b.low))
        advance = a.advance * period / len(a.low)
    else:
        period, advance = units, None
    (low_a, high_a), (low_b, high_b) = (part.at(np.arange(period)) for part in (a, b))
    low, high = np.minimum(low_a, low_b), np.maximum(high_a, high_b)
    if not clipped and advance is None and (low == low[0]).all() and (high == high[0]).all():
        # All real units see the same: nothing moves any more, so that padding adds nothing either.
        low, high, advance = low[:1], high[:1], 0.0
    return reduced(Reach(low, high, advance, max(a.jump, b.jump)))


def join(tensors: Sequence[Fields], dim: int, select: Select = lambda parts, shape: parts) -> Fields:
    """Concatenation along a dimension."""
    (dim,) = tensors[0].dims(dim)
    ends = list(accumulate((tensor.shape[dim] for tensor in tensors), initial=0))
    # Where the joined dimension itself tells nothing apart, as channels do, a unit may see what any of them sees.
    axes = {axis for tensor in tensors for part in tensor.parts for carrier, axis in part.reach if carrier == dim}
    axes = axes or _told_apart(tensors)
    if not axes:
        together = union([replace(tensor, branches=()).resize(dim, ends[-1]) for tensor in tensors], select=select)
        return replace(together, branches=_branches_side_by_side(tensors, dim))
    placed = []
    for tensor, (first, last) in zip(tensors, pairwise(ends), strict=True):
        taps = np.arange(ends[-1]) - first
        inside = (taps >= 0) & (taps < last - first)
        still = {(dim, axis): _constant((0, 0), tensor.jump[axis]) for axis in axes}
        tensor = replace(tensor, parts=tuple(Part(part.base, still | part.reach) for part in tensor.parts))
        placed.append(tensor.slide(dim, Windows(np.where(inside, taps, NOWHERE)[:, None], None), ends[-1]))
    return union(placed, select=select)


def _told_apart(tensors: Sequence[Fields]) -> set[int]:
    """The axes on which tensors see different things, each of them one thing alone, as the steps of a sequence do."""
    seeing = [tensor for tensor in tensors if tensor.parts and tensor.ndim > 2]
    boxes = [tensor.unit((None,) * tensor.ndim) for tensor in seeing]
    axes = [axis for axis in range(tensors[0].axes) if not any(tensor.moving()[axis] for tensor in seeing)]
    return {axis for axis in axes if len({box[axis] for box in boxes}) > 1}


# ---- branches --------------------------------------------------------------------------------------------------------


def _compact(numbers: np.ndarray) -> np.ndarray:
    """The same numbers, one for all along each dimension that makes no difference."""
    for dim in range(numbers.ndim):
        first = numbers.take([0], dim)
        numbers = first if (numbers == first).all() else numbers
    return numbers


def _gathered(numbers: np.ndarray, dims: Sequence[int]) -> np.ndarray | None:
    """All units along these dimensions together; None where some of them then lack a branch."""
    dims = [dim for dim in dims if numbers.shape[dim] > 1]
    if not dims:
        return numbers
    there = [(numbers == number).any(tuple(dims)).all() for number in np.unique(numbers) if number]
    return np.zeros((1,) * numbers.ndim, int) if all(there) else None


def _read(numbers: np.ndarray, dim: int, windows: Windows, outputs: int) -> np.ndarray | None:
    """What outputs that read along a dimension have of branches; None where not all of these are left."""
    units = numbers.shape[dim]
    if units == 1:
        return numbers
    taps = windows.read(np.arange(outputs))
    if taps.shape[1] > 1:
        return None
    exists = (taps[:, 0] >= 0) & (taps[:, 0] < units)
    taken = numbers.take(np.where(exists, taps[:, 0], 0), dim)
    taken = np.where(exists.reshape([-1 if other == dim else 1 for other in range(numbers.ndim)]), taken, 0)
    return None if set(np.unique(numbers)) - set(np.unique(taken)) - {0} else _compact(taken)


def _reshaped(
    numbers: np.ndarray, old: Sequence[int], new: Sequence[int], groups: Sequence[tuple[range, range]]
) -> np.ndarray:
    whole, shape = list(numbers.shape), [1] * len(new)
    for before, after in groups:
        if any(numbers.shape[dim] > 1 for dim in before):
            for dim in before:
                whole[dim] = old[dim]
            for dim in after:
                shape[dim] = new[dim]
    return _compact(np.broadcast_to(numbers, whole).reshape(shape))


def _within(a: Fields, b: Fields) -> bool:
    """Whether each unit of b surely sees all that the unit of a in its place sees."""
    return all(any(_wider(other, part, b.shape) is other for other in b.parts) for part in a.parts)


def _branches_of(tensors: Sequence[Fields]) -> tuple[np.ndarray, ...]:
    """The branches of tensors that are combined unit by unit, but for those of one that sees no more than another."""
    found: list[np.ndarray] = []
    for tensor in tensors:
        if tensor.branches and any(_within(tensor, other) for other in tensors if not other.branches):
            continue
        found += [new for new in tensor.branches if not any(np.array_equal(new, numbers) for numbers in found)]
    return tuple(found)


def _branches_side_by_side(tensors: Sequence[Fields], dim: int) -> tuple[np.ndarray, ...]:
    """The branches of tensors that are joined along a dimension that tells nothing apart."""
    sizes = [tensor.shape[dim] for tensor in tensors]
    ends = list(accumulate(sizes, initial=0))
    alike = [replace(tensor, branches=()).resize(dim, 1) for tensor in tensors]
    within = [[_within(a, b) for b in alike] for a in alike]
    numbers, found = np.zeros(ends[-1], int), []
    for place, (tensor, size) in enumerate(zip(tensors, sizes, strict=True)):
        equal = [other for other in range(len(tensors)) if within[place][other] and within[other][place]]
        if not tensor.parts or any(within[place][other] for other in range(len(tensors)) if other not in equal):
            continue
        if not tensor.branches:
            numbers[ends[place] : ends[place + 1]] = 1 + min(equal)
        elif all(tensors[other].branches for other in equal):
            for own in tensor.branches:
                whole = np.repeat(own, size, dim) if own.shape[dim] == 1 else own
                around = [(ends[place], ends[-1] - ends[place + 1]) if d == dim else (0, 0) for d in range(own.ndim)]
                found.append(_compact(np.pad(whole, around)))
    joint = _compact(numbers.reshape([-1 if d == dim else 1 for d in range(tensors[0].ndim)]))
    return tuple(numbers for numbers in (*found, joint) if numbers.size > 1)
