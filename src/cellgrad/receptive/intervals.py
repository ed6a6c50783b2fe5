"""Which interval of the input each unit of a tensor can see: exact arithmetic for all ways a network moves numbers.

Along one dimension of a tensor the intervals move in a repeating pattern: unit i + P sees what unit i sees, some pixels
further on. Plain convolutions and pools have P = 1 and give the well-known recurrence; upsampling, transposed
convolutions and fractional pools have longer patterns; a reshape takes patterns apart and puts them together again.
This module knows NumPy only: no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor, gcd, inf, lcm, prod

import numpy as np

# In `Windows.taps`: this tap does not exist (rows have different numbers of taps).
NOWHERE = -(2**40)
Interval = tuple[float, float]
# What a constant sees: the neutral element of the union.
NOTHING: Interval = (inf, -inf)


@dataclass(frozen=True, eq=False)
class Windows:
    """What each output of a layer reads along one dimension: output o reads inputs taps[o % M] + step · (o // M).

    taps: integers (M, taps). step: None when the M rows are all outputs there are, and no pattern repeats.
    """

    taps: np.ndarray
    step: int | None

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """The inputs read by these outputs, (outputs, taps)."""
        turns, phases = np.divmod(outputs, len(self.taps))
        taps = self.taps[phases]
        return np.where(taps == NOWHERE, NOWHERE, taps + (turns * (self.step or 0))[:, None])


def ragged(rows: Sequence[Sequence[int]], step: int | None) -> Windows:
    """Windows whose rows of taps may have different lengths, or none."""
    widest = max(1, *(len(row) for row in rows))
    return Windows(np.array([[*row, *[NOWHERE] * (widest - len(row))] for row in rows], dtype=np.int64), step)


def sliding(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Windows:
    """A convolution or pool: output o reads o·stride − padding + dilation·(0, …, kernel − 1)."""
    return Windows(dilation * np.arange(kernel)[None] - padding, stride)


def transposed(kernel: int, stride: int, padding: int, dilation: int) -> Windows:
    """A transposed convolution: output o reads each input i with o = i·stride − padding + dilation·tap."""
    sums = [[o + padding - dilation * tap for tap in range(kernel)] for o in range(stride)]
    return ragged([[value // stride for value in row if value % stride == 0] for row in sums], 1)


def adaptive(inputs: int, outputs: int) -> Windows:
    """Adaptive pooling: output o reads from ⌊o·inputs/outputs⌋ up to, not including, ⌈(o + 1)·inputs/outputs⌉."""
    step = Fraction(inputs, outputs)
    rows = [range(floor(o * step), ceil((o + 1) * step)) for o in range(step.denominator)]
    return ragged(rows, step.numerator)


def resized(inputs: int, outputs: int, ratio: Fraction, mode: str, align_corners: bool, clipped: bool) -> Windows:
    """Upsampling as `torch.nn.functional.interpolate` does it; ratio: input pixels for one output pixel.

    clipped: a tap beyond the border reads the border pixel, which ends the pattern.
    """
    if align_corners:
        ratio = Fraction(inputs - 1, outputs - 1) if outputs > 1 else Fraction(0)
    shift = 0 if align_corners or mode == "nearest" else Fraction(1, 2)
    rows = []
    for o in range(outputs if clipped or not ratio else ratio.denominator):
        source = (o + shift) * ratio - (0 if mode.startswith("nearest") else shift)
        first = floor(source)
        if mode.startswith("nearest"):
            row = [first]
        elif mode == "bicubic":
            row = range(first - 1, first + 3) if source != first else [first]
        else:
            row = [first, first + 1] if source != first else [first]
        rows.append([min(max(tap, 0), inputs - 1) for tap in row] if clipped else row)
    return ragged(rows, None if clipped or not ratio else ratio.numerator)


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
        scale = Fraction(windows.step, len(windows.taps)) if windows.step is not None else Fraction(1)
        return reduced(Reach(low.min(axis=1), high.max(axis=1), advance, self.jump * scale))


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
            return Reach(outer_low, outer_high, advance, jump), Reach(low[0], high[0], None, reach.jump), True
    return Reach(low.min(axis=1), high.max(axis=1), advance, jump), _constant((0, 0), reach.jump), False


@dataclass(frozen=True, eq=False)
class Fields:
    """A tensor's shape, batch first, and what each unit sees: on each image axis, base plus one reach a dimension.

    base: an interval for each image axis. reach: by (dimension, axis); a dimension not in it makes no difference.
    jump: pixels between neighbouring positions on each axis, as long as there were any.
    clipped: the image ends where it ends, and padding shows nothing.
    exact: False once an interval had to be rounded up to one that surely contains it.
    """

    shape: tuple[int, ...]
    base: tuple[Interval, ...]
    jump: tuple[Fraction, ...]
    clipped: bool
    reach: dict[tuple[int, int], Reach] = field(default_factory=dict)
    exact: bool = True

    @property
    def ndim(self) -> int:
        """Number of dimensions, like a tensor's."""
        return len(self.shape)

    def dim(self) -> int:
        """Number of dimensions, like a tensor's."""
        return len(self.shape)

    def size(self, dim: int | None = None) -> tuple[int, ...] | int:
        """The shape or one extent of it, like a tensor's."""
        return self.shape if dim is None else self.shape[dim]

    @property
    def is_constant(self) -> bool:
        """Whether no unit sees any of the image."""
        return all(low > high for low, high in self.base)

    def dims(self, dims: int | Sequence[int]) -> tuple[int, ...]:
        """Dimensions counted from the front."""
        return tuple(dim % self.ndim for dim in ([dims] if isinstance(dims, int) else dims))

    def slide(self, dim: int, windows: Windows, outputs: int) -> Fields:
        """A layer's windows along one dimension."""
        reach = {key: value.slide(windows, outputs) if key[0] == dim else value for key, value in self.reach.items()}
        if self.clipped and not any(key[0] == dim for key in reach):
            # All units see the same, but an output that reads padding alone sees nothing.
            still = _constant((0, 0), Fraction(0), self.shape[dim], clipped=True).slide(windows, outputs)
            reach |= {} if np.isfinite(still.low).all() else {(dim, 0): still}
        jump = tuple(reach[dim, axis].jump if (dim, axis) in reach else old for axis, old in enumerate(self.jump))
        return replace(self, shape=(*self.shape[:dim], outputs, *self.shape[dim + 1 :]), reach=reach, jump=jump)

    def spread(self, dims: int | Sequence[int]) -> Fields:
        """Each unit along these dimensions now sees what all of them saw."""
        dims, reach = self.dims(dims), dict(self.reach)
        for (dim, axis), value in self.reach.items():
            if dim in dims:
                reach[dim, axis] = _constant(value.hull(self.shape[dim]), value.jump, self.shape[dim], self.clipped)
        return replace(self, reach=reach)

    def reduce(self, dims: int | Sequence[int], keep: bool = False) -> Fields:
        """Sum, mean or maximum over these dimensions."""
        dims, base = self.dims(dims), list(self.base)
        for (dim, axis), value in self.reach.items():
            if dim in dims:
                low, high = value.hull(self.shape[dim])
                base[axis] = base[axis][0] + low, base[axis][1] + high
        kept = [dim for dim in range(self.ndim) if keep or dim not in dims]
        place = {dim: position for position, dim in enumerate(kept)}
        return replace(
            self,
            shape=tuple(1 if dim in dims else self.shape[dim] for dim in kept),
            base=tuple(base),
            reach={(place[dim], axis): value for (dim, axis), value in self.reach.items() if dim not in dims},
        )

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
        reach = {(place[dim], axis): value for (dim, axis), value in self.reach.items()}
        return replace(self, shape=tuple(self.shape[dim] for dim in order), reach=reach)

    def reshape(self, shape: Sequence[int]) -> Fields:
        """The same numbers in another shape, one extent of which may be −1."""
        shape = list(shape)
        if -1 in shape:
            shape[shape.index(-1)] = prod(self.shape) // -prod(shape)
        if prod(shape) != prod(self.shape):
            raise ValueError(f"shape {self.shape} cannot become {tuple(shape)}: the numbers of units differ")
        result = replace(self, shape=tuple(shape), reach={})
        for old, new in _groups(self.shape, shape):
            result = _regroup(self, result, old, new)
        return result

    def pick(self, dim: int, units: np.ndarray | range) -> Fields:
        """Only these units along the dimension, in this order, by their numbers from 0."""
        (dim,) = self.dims(dim)
        if isinstance(units, range) and units.step > 0:
            return self.slide(dim, sliding(1, units.step, -units.start), len(units))
        return self.slide(dim, Windows(np.array(units)[:, None], None), len(units))

    def unit(self, index: Sequence[int | None]) -> tuple[Interval, ...]:
        """What one unit sees on each axis; None in the index: all units along that dimension together."""
        ends = [list(interval) for interval in self.base]
        for (dim, axis), value in self.reach.items():
            units = np.arange(self.shape[dim]) if index[dim] is None else np.array([index[dim]])
            low, high = value.at(units)
            ends[axis][0] += low.min()
            ends[axis][1] += high.max()
        # Nothing on one axis is nothing at all, as between the pixels that a transposed convolution leaves empty.
        return tuple((low, high) if all(a <= b for a, b in ends) else NOTHING for low, high in ends)


def image(input_size: Sequence[int], clipped: bool = False) -> Fields:
    """One input (channels, then its axes): each pixel sees itself. clipped: as in `Fields`."""
    axes = len(input_size) - 1
    reach = {}
    for axis, pixels in enumerate(input_size[1:]):
        units = np.arange(pixels if clipped else 1, dtype=float)
        reach[axis + 2, axis] = Reach(units, units, None if clipped else 1.0, Fraction(1))
    return Fields((1, *input_size), ((0.0, 0.0),) * axes, (Fraction(1),) * axes, clipped, reach)


def constant(shape: Sequence[int], like: Fields) -> Fields:
    """A tensor that depends on no pixel: a weight, a class token."""
    return Fields(tuple(shape), (NOTHING,) * len(like.base), (Fraction(0),) * len(like.base), like.clipped)


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


def _regroup(source: Fields, result: Fields, old: range, new: range) -> Fields:
    """Carry over one group of `_groups`: merge its old dimensions into one, split that into the new ones."""
    reach = dict(result.reach)
    if len(old) == len(new) == 1:
        reach |= {(new[0], axis): value for (dim, axis), value in source.reach.items() if dim == old[0]}
        return replace(result, reach=reach)
    for axis in range(len(source.base)):
        merged, units = None, 1
        for dim in old:
            inner = source.reach.get((dim, axis))
            # Merged with an outer dimension, a pattern ends where the next outer unit begins; alone it goes on.
            merged = inner if units == 1 and merged is None else _merged(merged, inner, source.shape[dim])
            units *= source.shape[dim]
        if merged is None:
            continue
        steps = [source.reach[dim, axis].jump for dim in old if (dim, axis) in source.reach]
        jump = (*result.jump[:axis], max(steps), *result.jump[axis + 1 :])
        result = replace(result, jump=jump)
        if not new:
            low, high = result.base[axis]
            ends = merged.hull(1)
            base = (*result.base[:axis], (low + ends[0], high + ends[1]), *result.base[axis + 1 :])
            result = replace(result, base=base)
            continue
        for dim in new:
            inner = prod(result.shape[other] for other in new if other > dim)
            piece = merged
            if dim != new[-1]:
                piece, merged, exact = _split(merged, result.shape[dim], inner)
                result = replace(result, exact=result.exact and exact)
            # A dimension along which nothing changes, as that of channels, is left out.
            if len(new) == 1 or piece.advance or piece.low.any() or piece.high.any():
                reach[dim, axis] = piece
    return replace(result, reach=reach)


def union(tensors: Sequence[Fields]) -> Fields:
    """What a sum, a product or any other combination of tensors unit by unit sees, with broadcasting."""
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    lifted = [_broadcast(tensor, shape) for tensor in tensors if not tensor.is_constant]
    if not lifted:
        return constant(shape, tensors[0])
    result = lifted[0]
    for other in lifted[1:]:
        result = _union_of_two(result, other)
    return result


def _broadcast(tensor: Fields, shape: tuple[int, ...]) -> Fields:
    tensor = tensor.reshape((1,) * (len(shape) - tensor.ndim) + tensor.shape)
    for dim, (units, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if units != wanted:
            tensor = tensor.mix(dim, wanted)
    return tensor


def _same(a: Reach | None, b: Reach | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.advance == b.advance and np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high)


def _union_of_two(a: Fields, b: Fields) -> Fields:
    reach, base, exact = {}, [], a.exact and b.exact
    for axis in range(len(a.base)):
        dims = {dim for tensor in (a, b) for dim, other in tensor.reach if other == axis}
        different = [dim for dim in dims if not _same(a.reach.get((dim, axis)), b.reach.get((dim, axis)))]
        wider = _wider(a, b, dims, axis) if len(different) > 1 else None
        if wider is not None:
            # Inside a window of attention, say, a token's own field is part of what all its tokens see.
            base.append(wider.base[axis])
            reach |= {key: value for key, value in wider.reach.items() if key[1] == axis}
            continue
        if len(different) > 1:
            # The union of two sums is no sum: keep the dimension with the longest jump, and let the others see it all.
            keep = max(different, key=lambda dim: max(_jump(a, dim, axis), _jump(b, dim, axis)))
            others = [dim for dim in different if dim != keep]
            a, b, exact, different = _spread_axis(a, others, axis), _spread_axis(b, others, axis), False, [keep]
        shared = dims - set(different)
        reach |= {(dim, axis): a.reach[dim, axis] for dim in shared if (dim, axis) in a.reach}
        if not different:
            base.append((min(a.base[axis][0], b.base[axis][0]), max(a.base[axis][1], b.base[axis][1])))
            continue
        (dim,) = different
        units = a.shape[dim]
        parts = [
            _shifted(
                tensor.reach.get((dim, axis)) or _constant((0, 0), Fraction(0), units, a.clipped), tensor.base[axis]
            )
            for tensor in (a, b)
        ]
        reach[dim, axis] = _union_of_reaches(parts[0], parts[1], units, a.clipped)
        base.append((0.0, 0.0))
    jump = tuple(max(pair) for pair in zip(a.jump, b.jump, strict=True))
    return Fields(a.shape, tuple(base), jump, a.clipped, reach, exact)


def _wider(a: Fields, b: Fields, dims: set[int], axis: int) -> Fields | None:
    """The one of two tensors whose every unit sees all that the other's sees on this axis, if there is one."""
    below, above = ([a.base[axis][end] - b.base[axis][end]] * 2 for end in (0, 1))
    for dim in dims:
        units = np.arange(a.shape[dim])
        ends = [
            tensor.reach[dim, axis].at(units) if (dim, axis) in tensor.reach else (units * 0.0, units * 0.0)
            for tensor in (a, b)
        ]
        if not all(np.isfinite(end).all() for pair in ends for end in pair):
            return None
        # The sums over dimensions are extreme where each term is.
        low, high = ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]
        below = [below[0] + low.min(), below[1] + low.max()]
        above = [above[0] + high.min(), above[1] + high.max()]
    if below[1] <= 0 and above[0] >= 0:
        return a
    return b if below[0] >= 0 and above[1] <= 0 else None


def _jump(tensor: Fields, dim: int, axis: int) -> Fraction:
    return tensor.reach[dim, axis].jump if (dim, axis) in tensor.reach else Fraction(0)


def _spread_axis(tensor: Fields, dims: Sequence[int], axis: int) -> Fields:
    """Let all units along these dimensions see, on this axis, what all of them saw, as part of the base."""
    low, high = tensor.base[axis]
    for dim in dims:
        if (dim, axis) in tensor.reach:
            ends = tensor.reach[dim, axis].hull(tensor.shape[dim])
            low, high = low + ends[0], high + ends[1]
    reach = {key: value for key, value in tensor.reach.items() if key[1] != axis or key[0] not in dims}
    base = (*tensor.base[:axis], (low, high), *tensor.base[axis + 1 :])
    return replace(tensor, base=base, reach=reach)


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


def join(tensors: Sequence[Fields], dim: int) -> Fields:
    """Concatenation along a dimension."""
    (dim,) = tensors[0].dims(dim)
    units = [tensor.shape[dim] for tensor in tensors]
    # Where the joined dimension itself tells nothing apart, as channels do, a unit may see what any of them sees.
    axes = {axis for tensor in tensors for carrier, axis in tensor.reach if carrier == dim}
    if not axes:
        return union([tensor.resize(dim, sum(units)) for tensor in tensors])
    placed, first = [], 0
    for tensor in tensors:
        taps = np.arange(sum(units)) - first
        inside = (taps >= 0) & (taps < tensor.shape[dim])
        still = {(dim, axis): _constant((0, 0), tensor.jump[axis]) for axis in axes}
        tensor = replace(tensor, reach=still | tensor.reach)
        placed.append(tensor.slide(dim, Windows(np.where(inside, taps, NOWHERE)[:, None], None), sum(units)))
        first += units[len(placed) - 1]
    return union(placed)


def centre_index(shape: Sequence[int], axes: int) -> tuple[int | None, ...]:
    """The centre unit of a tensor, batch first: its position, all channels together (None).

    An image-like tensor has positions in its last `axes` dimensions, a list of tokens (batch, tokens, channels) in its
    second; in any other shape a unit has no position, and all of them together are the centre.
    """
    if len(shape) == axes + 2:
        return (None, None, *(units // 2 for units in shape[2:]))
    if len(shape) == 3:
        return (None, shape[1] // 2, None)
    return (None,) * len(shape)
