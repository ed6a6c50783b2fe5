"""What a unit of a network depends on, measured with gradients: which pixels at all, and how much in practice."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence, Set
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from cellgrad.layers import Layer, build, image_size
from cellgrad.receptive.interval_operations import FieldOperations
from cellgrad.receptive.intervals import Fields, image
from cellgrad.receptive.operations import Geometry, Operations, Widths
from cellgrad.receptive.trace import Step, Trace, follow, follow_together

# A sum of positive terms keeps every dependency far above this; what torchvision masks out, with a weight of e⁻¹⁰⁰, is
# far below.
_VANISHING = 1e-20
# Places that torch computes in 64 bits are whole up to this.
_ROUNDING = 1e-9


def _indicator(gradient: torch.Tensor) -> torch.Tensor:
    return (gradient > _VANISHING).to(gradient.dtype)


def _watched(value: torch.Tensor) -> torch.Tensor:
    """Turn the gradient that arrives here into zeros and ones, so that no depth is too great for it."""
    if value.requires_grad:
        value.register_hook(_indicator)
    return value


class DependenceOperations(Operations):
    """`Operations` on tensors: every layer with its weights replaced by ones, and nothing but sums.

    No two paths can then cancel, no activation is switched off and no maximum has a loser, so a gradient is positive
    exactly where a change of the input can reach the unit.
    """

    def constant(self, shape: Sequence[int]) -> torch.Tensor:
        """Zeros: no value in the module matters, only shapes do."""
        return torch.zeros(tuple(shape))

    def combine(self, values: Sequence[torch.Tensor], shape: Sequence[int]) -> torch.Tensor:
        """A plain sum; a constant only lends its shape."""
        live = [value.expand(tuple(shape)) for value in values if value.requires_grad]
        if len(live) == 1:  # nothing is added, so nothing grows, and most steps are of this kind
            return live[0]
        return _watched(sum(live[1:], live[0])) if live else torch.zeros(tuple(shape))

    def _groups_summed(self, x: torch.Tensor, groups: int) -> torch.Tensor:
        """With weights of one, a convolution is the sum of its channels, then one window for each group."""
        batch, channels, *pixels = x.shape
        return x.reshape(batch, groups, channels // groups, *pixels).sum(2).reshape(batch * groups, 1, *pixels)

    def _to_channels(self, x: torch.Tensor, groups: int, channels: int) -> torch.Tensor:
        pixels = x.shape[2:]
        once = _watched(x.reshape(-1, groups, 1, *pixels))  # watched as long as it is small
        return once.expand(-1, -1, channels // groups, *pixels).reshape(-1, channels, *pixels)

    def window(
        self,
        x: torch.Tensor,
        geometry: Geometry,
        outputs: Sequence[int],
        channels: int,
        groups: int,
        reads: Any = None,
    ) -> torch.Tensor:
        """A convolution with weights of one, of which max and average pool are special cases."""
        axes = len(outputs)
        x = x if reads is not None else self._groups_summed(x, groups)
        widths = [
            (before, max(after, (m - 1) * s + d * (k - 1) + 1 - n - before))
            for n, m, (k, s, (before, after), d) in zip(x.shape[2:], outputs, geometry.axes, strict=True)
        ]
        x = F.pad(x, [number for pair in widths[::-1] for number in pair])
        slide = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        moves: dict[str, Any] = {"stride": geometry.stride, "dilation": geometry.dilation}
        # Padding after the image that fills no whole window may leave one position too many.
        kept: tuple[Any, ...] = (..., *(slice(m) for m in outputs))
        if reads is not None:
            return _watched(slide(x, reads.to(x.dtype), groups=groups, **moves)[kept])
        return self._to_channels(slide(x, torch.ones(1, 1, *geometry.kernel), **moves)[kept], groups, channels)

    def transposed(
        self,
        x: torch.Tensor,
        geometry: Geometry,
        outputs: Sequence[int],
        channels: int,
        groups: int,
        reads: Any = None,
    ) -> torch.Tensor:
        """A transposed convolution with weights of one."""
        axes = len(outputs)
        smallest = [
            (n - 1) * s - 2 * before + d * (k - 1) + 1
            for n, (k, s, (before, _), d) in zip(x.shape[2:], geometry.axes, strict=True)
        ]
        slide = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
        moves: dict[str, Any] = {
            "stride": geometry.stride,
            "padding": tuple(before for before, _ in geometry.padding),
            "output_padding": tuple(m - least for m, least in zip(outputs, smallest, strict=True)),
            "dilation": geometry.dilation,
        }
        if reads is not None:
            return _watched(slide(x, reads.to(x.dtype), groups=groups, **moves))
        x = slide(self._groups_summed(x, groups), torch.ones(1, 1, *geometry.kernel), **moves)
        return self._to_channels(x, groups, channels)

    def adaptive(self, x: torch.Tensor, outputs: Sequence[int]) -> torch.Tensor:
        """Adaptive average pooling."""
        pool: Any = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[len(outputs) - 1]
        return _watched(pool(x, tuple(outputs)))

    def resize(
        self, x: torch.Tensor, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool
    ) -> torch.Tensor:
        """The neighbours that torch's own interpolation weighs, or the one whose place it hits."""
        if mode == "bicubic":
            for dim, (m, ratio) in enumerate(zip(outputs, ratios, strict=True), start=2):
                x = self.reads(x, dim, _cubic_taps(x.shape[dim], m, ratio, align_corners))
            return x
        for dim, (m, ratio) in enumerate(zip(outputs, ratios, strict=True), start=2):
            n = x.shape[dim]
            # A ramp is turned into the places that are read; in 32 bits, rounding would weigh a neighbour that is not.
            ramp = torch.arange(n, dtype=torch.float64)[None, None]
            target: dict[str, Any] = {"size": m} if Fraction(n, m) == ratio else {"scale_factor": float(1 / ratio)}
            places = F.interpolate(ramp, **target, mode="linear", align_corners=align_corners)[0, 0]
            places = torch.where((places - places.round()).abs() < _ROUNDING, places.round(), places)
            first, last = (x.index_select(dim, ends.long()) for ends in (places.floor(), places.ceil()))
            x = first + last
        return _watched(x)

    def nearest(self, x: torch.Tensor, taps: Sequence[Sequence[int]], ratios: Sequence[Fraction]) -> torch.Tensor:
        """The inputs that torch's own interpolation reads."""
        for dim, row in enumerate(taps, start=2):
            x = x.index_select(dim, torch.tensor(row))
        return _watched(x)

    def pad(self, x: torch.Tensor, widths: Widths, mode: str) -> torch.Tensor:
        """torch's own padding."""
        return _watched(F.pad(x, [number for pair in widths[::-1] for number in pair], mode=mode))

    def mix(self, x: torch.Tensor, dim: int, units: int) -> torch.Tensor:
        """A dense layer with weights of one: the same sum in each unit."""
        total = x.sum(dim, keepdim=True)
        shape = list(x.shape)
        shape[dim] = units
        return _watched(total.expand(shape).clone())

    def reduce(self, x: torch.Tensor, dims: Sequence[int], keep: bool) -> torch.Tensor:
        """A sum."""
        return _watched(x.sum(list(dims), keepdim=keep)) if dims else x

    def spread(self, x: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
        """The sum, in the place of each term."""
        return _watched(x.sum(list(dims), keepdim=True).expand(x.shape).clone())

    def reads(self, x: torch.Tensor, dim: int, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """A product with zeros and ones."""
        weights = torch.zeros(x.shape[dim], len(rows))
        for output, row in enumerate(rows):
            weights[list(row), output] = 1
        return _watched((x.movedim(dim, -1) @ weights).movedim(-1, dim))

    def bounded(self, x: torch.Tensor) -> torch.Tensor:
        """As wide as the theory's bound."""
        return x

    def reshape(self, x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """torch's own."""
        return x.reshape(tuple(shape))

    def permute(self, x: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
        """torch's own."""
        return x.permute(tuple(order))

    def pick(self, x: torch.Tensor, dim: int, units: Sequence[int] | np.ndarray) -> torch.Tensor:
        """torch's own."""
        return _watched(x.index_select(dim, torch.tensor(np.array(units, dtype=np.int64))))

    def join(self, values: Sequence[torch.Tensor], dim: int) -> torch.Tensor:
        """torch's own."""
        return _watched(torch.cat(list(values), dim))


def _cubic_taps(inputs: int, outputs: int, ratio: Fraction, align_corners: bool) -> list[list[int]]:
    """The inputs that each output of torch's own cubic interpolation weighs: what it makes of each input by itself."""
    each = torch.eye(inputs, dtype=torch.float64)[None, :, :, None]
    known = Fraction(inputs, outputs) == ratio
    target: dict[str, Any] = {"size": (outputs, 1)} if known else {"scale_factor": (float(1 / ratio), 1.0)}
    weights = F.interpolate(each, **target, mode="bicubic", align_corners=align_corners)[0, :, :, 0]
    return [torch.nonzero(row.abs() > _ROUNDING).flatten().tolist() for row in weights.T]


Module = Sequence[Layer] | nn.Module


def as_module(module: Module, input_size: Sequence[int]) -> nn.Module:
    """A layer list built, a module as it is; raises ValueError for anything else."""
    if isinstance(module, nn.Sequential | nn.ModuleList) or not isinstance(module, Sequence):
        if isinstance(module, nn.Module):
            return module
        raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
    return build(module, tuple(input_size))


def _fields(input_size: Sequence[int], clipped: bool) -> tuple[FieldOperations, Fields]:
    pixels = image(image_size(input_size), clipped)
    return FieldOperations(pixels), pixels


Box = tuple[tuple[int, int], ...]
Unit = Sequence[int] | None


def measured_boxes(module: Module, input_size: Sequence[int], layers: Sequence[str] | None = None) -> dict[str, Box]:
    """First and last pixel, on each axis, that can change the centre unit of each layer; (0, −1) where none can.

    input_size: channels, then pixels. layers: names as in `receptive_field`; all of them when None. A unit is a
    position with all its channels; the centre is position n // 2 of n; without positions, all units together.
    """
    trace, box_of = _by_gradient(module, input_size)
    return {name: box_of(trace.place(name)) for name in layers or [row.name for row in trace.rows]}


def _by_gradient(module: Module, input_size: Sequence[int]) -> tuple[Trace, Callable[[int], Box]]:
    """The rows of a module, run once on tensors that remember what they depend on, and a row's box by one gradient."""
    module = as_module(module, input_size)
    with torch.inference_mode(False), torch.enable_grad():
        pixels = torch.zeros(1, *image_size(input_size), requires_grad=True)
        ways = (DependenceOperations(), pixels), _fields(input_size, clipped=False)
        trace, fields = follow_together(module, input_size, *ways)

    def box_of(place: int) -> Box:
        index = tuple(slice(None) if i is None else i for i in fields.rows[place].result.centre_index())
        with torch.inference_mode(False), torch.enable_grad():
            unit = trace.rows[place].result[index].sum()
            (gradient,) = torch.autograd.grad(unit, pixels, retain_graph=True)
        seen, ends = (gradient[0] > 0).any(dim=0), []
        for axis in range(seen.ndim):
            others = [other for other in range(seen.ndim) if other != axis]
            along = torch.nonzero(seen.sum(others) if others else seen).flatten()
            ends.append((int(along[0]), int(along[-1])) if len(along) else (0, -1))
        return tuple(ends)

    return trace, box_of


def boxes(module: Module, input_size: Sequence[int], layer: str | None = None, unit: Unit = None) -> dict[str, Box]:
    """First and last pixel that the centre unit of each layer sees of a real image, by arithmetic, border and all.

    As `measured_boxes`. layer: only this one. unit: not the centre but this position, a number for each axis. No more
    than that is seen where `receptive_field` says upper bound and, at the border, below weights that a mask hides.
    """
    trace, box_of = _by_arithmetic(module, input_size)
    chosen = range(len(trace.rows)) if layer is None else [trace.place(layer)]
    return {trace.rows[place].name: box_of(place, unit) for place in chosen}


def _by_arithmetic(
    module: Module, input_size: Sequence[int]
) -> tuple[Trace, Callable[[int, Sequence[int] | None], Box]]:
    """The rows of a module, and what a unit of a row sees of the real image."""
    module = as_module(module, input_size)
    # Where the positions are shows on the endless image; on the real one, its border moves some fields.
    endless, real = follow_together(module, input_size, *(_fields(input_size, clipped) for clipped in (False, True)))

    def box_of(place: int, unit: Unit) -> Box:
        step = endless.rows[place]
        index = step.result.centre_index() if unit is None else _position(step, unit)
        ends = real.rows[place].result.unit(index)
        return tuple((int(low), int(high)) if low <= high else (0, -1) for low, high in ends)

    return endless, box_of


def _position(step: Step, unit: Sequence[int]) -> tuple[int | None, ...]:
    fields = step.result
    dims = [dim for dim in fields.positions() if dim is not None]
    if len(set(dims)) < len(dims):
        dims = dims[:1]
    extents = tuple(fields.shape[dim] for dim in dims)
    try:
        places = dict(zip(dims, map(operator.index, unit), strict=True))
    except (TypeError, ValueError):  # no whole numbers, or not as many as axes
        places = {}
    if (
        len(places) < len(dims)
        or isinstance(unit, Set)
        or not all(0 <= places[dim] < fields.shape[dim] for dim in dims)
    ):
        raise ValueError(f"unit: {step.name} has positions {extents}, got {unit!r}; give one from 0 on each axis")
    return tuple(places.get(dim) for dim in range(fields.ndim))


def output_layers(module: Module, input_size: Sequence[int]) -> list[str | None]:
    """The layer of each tensor that a module returns, by its name in `receptive_field`; None for a constant."""
    trace = follow(as_module(module, input_size), input_size, *_fields(input_size, clipped=False))
    return [None if place is None else trace.rows[place].name for place in trace.outputs]


def box(module: Module, input_size: Sequence[int], layer: str | None = None, unit: Unit = None) -> Box:
    """First and last pixel, on each axis, of the real image that one unit of a layer sees; (0, −1) where none.

    layer: a name as in `receptive_field`, or a module's; the last one when None. unit: its position, a number for each
    axis from 0, or one number for a list of tokens; the centre when None. Where it may be too large: see `boxes`.
    Raises ValueError where there is none.
    """
    trace, box_of = _by_arithmetic(module, input_size)
    return box_of(trace.place(layer), unit)


def context(module: Module, input_size: Sequence[int], layer: str | None = None) -> tuple[Any, ...]:
    """How far a unit sees to the left and to the right of its own place, in pixels or samples: (left, right).

    Unit t has its place at t times the jump. For streaming, right is what must be waited for; it is negative where even
    the unit's own place is not seen. A pair for each axis where there are several; (None, None) where all is seen.
    Tiles of a large image, read one by one without padding, have to overlap by the size less the jump.
    """
    from cellgrad.receptive.table import receptive_field

    module, axes = as_module(module, input_size), len(input_size) - 1
    place = follow(module, input_size, *_fields(input_size, clipped=False)).place(layer)
    row = receptive_field(module, tuple(input_size)).iloc[place]
    size, start = (value if isinstance(value, tuple) else (value,) * axes for value in (row["size"], row["start"]))
    sides = tuple(
        (None, None) if first is None else (s / 2 - first, first + s / 2 - 1)
        for s, first in zip(size, start, strict=True)
    )
    return sides[0] if axes == 1 else sides


def measure_receptive_field(module: Module, input_size: Sequence[int], layer: str | None = None) -> tuple[int, ...]:
    """(height, width) of the smallest box of input pixels that can change the centre unit of a layer, from gradients.

    Made exact: all weights are ones, maxima become sums and activations are linear, so that gradients cannot cancel;
    the given module stays as it is. The box is what the image's border leaves of the field: what padding shows, and
    pixels that no window reaches because strides leave a remainder, are not in it; strides wider than their kernels may
    leave holes in it. layer: a name as in `receptive_field`, or a module's; the last one when None. As many numbers as
    the image has axes. Raises ValueError where a layer does not fit, and where the module cannot be followed, with the
    name of the layer or operation.
    """
    trace, box_of = _by_gradient(module, input_size)
    return tuple(last - first + 1 for first, last in box_of(trace.place(layer)))
