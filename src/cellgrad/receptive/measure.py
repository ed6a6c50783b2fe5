"""What a unit of a network depends on, measured with gradients: which pixels at all, and how much in practice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from cellgrad.layers import Layer, build, image_size
from cellgrad.receptive.intervals import centre_index
from cellgrad.receptive.operations import Geometry, Operations, Widths
from cellgrad.receptive.trace import Step, steps_of

# A sum of positive terms keeps every dependency far above this; what torchvision masks out, with a weight of e⁻¹⁰⁰, is
# far below.
_VANISHING = 1e-20


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

    def is_constant(self, x: torch.Tensor) -> bool:
        """Whether no gradient could flow from here."""
        return not x.requires_grad

    def combine(self, *values: torch.Tensor) -> torch.Tensor:
        """A plain sum; a constant only lends its shape."""
        shape = torch.broadcast_shapes(*(value.shape for value in values))
        live = [value.expand(shape) for value in values if value.requires_grad]
        return _watched(sum(live[1:], live[0]).clone()) if live else torch.zeros(shape)

    def _groups_summed(self, x: torch.Tensor, groups: int) -> torch.Tensor:
        """With weights of one, a convolution is the sum of its channels, then one window for each group."""
        batch, channels, *pixels = x.shape
        return x.reshape(batch, groups, channels // groups, *pixels).sum(2).reshape(batch * groups, 1, *pixels)

    def _to_channels(self, x: torch.Tensor, groups: int, channels: int) -> torch.Tensor:
        pixels = x.shape[2:]
        return _watched(x.reshape(-1, groups, *pixels).repeat_interleave(channels // groups, dim=1))

    def window(
        self, x: torch.Tensor, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int
    ) -> torch.Tensor:
        """A convolution with weights of one, of which max and average pool are special cases."""
        axes = len(outputs)
        x = self._groups_summed(x, groups)
        widths = [
            (before, max(after, (m - 1) * s + d * (k - 1) + 1 - n - before))
            for n, m, (k, s, (before, after), d) in zip(x.shape[2:], outputs, geometry.axes, strict=True)
        ]
        x = F.pad(x, [number for pair in widths[::-1] for number in pair])
        slide = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        x = slide(x, torch.ones(1, 1, *geometry.kernel), stride=geometry.stride, dilation=geometry.dilation)
        # Padding after the image that fills no whole window may leave one position too many.
        return self._to_channels(x[(..., *(slice(m) for m in outputs))], groups, channels)

    def transposed(
        self, x: torch.Tensor, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int
    ) -> torch.Tensor:
        """A transposed convolution with weights of one."""
        axes = len(outputs)
        smallest = [
            (n - 1) * s - 2 * before + d * (k - 1) + 1
            for n, (k, s, (before, _), d) in zip(x.shape[2:], geometry.axes, strict=True)
        ]
        slide = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
        x = slide(
            self._groups_summed(x, groups),
            torch.ones(1, 1, *geometry.kernel),
            stride=geometry.stride,
            padding=tuple(before for before, _ in geometry.padding),
            output_padding=tuple(m - least for m, least in zip(outputs, smallest, strict=True)),
            dilation=geometry.dilation,
        )
        return self._to_channels(x, groups, channels)

    def adaptive(self, x: torch.Tensor, outputs: Sequence[int]) -> torch.Tensor:
        """Adaptive average pooling."""
        pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[len(outputs) - 1]
        return _watched(pool(x, tuple(outputs)))

    def resize(
        self, x: torch.Tensor, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool
    ) -> torch.Tensor:
        """torch's own interpolation, as long as its weights are positive."""
        if mode == "bicubic":
            raise ValueError("bicubic interpolation has negative weights; measure it with bilinear")
        name = {"linear": ("linear", "bilinear", "trilinear")[len(outputs) - 1]}.get(mode, mode)
        corners = {} if mode.startswith("nearest") else {"align_corners": align_corners}
        if all(Fraction(n, m) == r for n, m, r in zip(x.shape[2:], outputs, ratios, strict=True)):
            x = F.interpolate(x, size=tuple(outputs), mode=name, **corners)
        else:
            x = F.interpolate(x, scale_factor=tuple(float(1 / ratio) for ratio in ratios), mode=name, **corners)
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

    def reshape(self, x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """torch's own."""
        return _watched(x.reshape(tuple(shape)))

    def permute(self, x: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
        """torch's own."""
        return _watched(x.permute(tuple(order)))

    def pick(self, x: torch.Tensor, dim: int, units: range | np.ndarray) -> torch.Tensor:
        """torch's own."""
        return _watched(x.index_select(dim, torch.tensor(np.array(units))))

    def join(self, values: Sequence[torch.Tensor], dim: int) -> torch.Tensor:
        """torch's own."""
        return _watched(torch.cat(list(values), dim))

    def shifted_windows(
        self, x: torch.Tensor, window: Sequence[int], shift: Sequence[int], call: Callable[..., Any]
    ) -> torch.Tensor:
        """The real function, with queries and keys of zero, so that a token attends to all it may attend to alike."""
        channels = x.shape[-1]
        projection = torch.ones(channels, channels)
        return _watched(call(x, torch.cat([torch.zeros(2 * channels, channels), projection]), projection))


def _dependence(module: Sequence[Layer] | nn.Module, input_size: Sequence[int]) -> tuple[torch.Tensor, list[Step]]:
    if isinstance(module, Sequence):
        module = build(module, input_size)
    if not isinstance(module, nn.Module):
        raise ValueError(f"module: expected a list of layers or a torch.nn.Module, got {type(module).__name__}")
    pixels = torch.zeros(1, *image_size(input_size), requires_grad=True)
    with torch.enable_grad():
        return pixels, steps_of(module, DependenceOperations(), pixels)


def _chosen(steps: Sequence[Step], layer: str | None) -> Step:
    if layer is None:
        return steps[-1]
    for step in steps:
        if step.name == layer:
            return step
    raise ValueError(f"layer: there is no {layer!r}; choose among {', '.join(step.name for step in steps)}")


def _boxes(pixels: torch.Tensor, steps: Sequence[Step]) -> list[tuple[tuple[int, int], ...]]:
    boxes, axes = [], pixels.ndim - 2
    for step in steps:
        index = tuple(slice(None) if i is None else i for i in centre_index(step.result.shape, axes))
        (gradient,) = torch.autograd.grad(step.result[index].sum(), pixels, retain_graph=True)
        seen = (gradient[0] > 0).any(dim=0)
        ends = []
        for axis in range(axes):
            others = [other for other in range(axes) if other != axis]
            along = torch.nonzero(seen.sum(others) if others else seen).flatten()
            ends.append((int(along[0]), int(along[-1])) if len(along) else (0, -1))
        boxes.append(tuple(ends))
    return boxes


def measured_boxes(
    module: Sequence[Layer] | nn.Module, input_size: Sequence[int], layers: Sequence[str] | None = None
) -> dict[str, tuple[tuple[int, int], ...]]:
    """First and last pixel, on each axis, that can change the centre unit of each layer; (0, −1) where none can.

    input_size: channels, then pixels. layers: names as in `receptive_field`; all of them when None. A unit is a
    position with all its channels; the centre is position n // 2 of n; without positions, all units together.
    """
    pixels, steps = _dependence(module, input_size)
    chosen = steps if layers is None else [_chosen(steps, layer) for layer in layers]
    return dict(zip([step.name for step in chosen], _boxes(pixels, chosen), strict=True))


def measure_receptive_field(
    module: Sequence[Layer] | nn.Module, input_size: Sequence[int], layer: str | None = None
) -> tuple[int, ...]:
    """(height, width) of the smallest box of input pixels that can change the centre unit of a layer, from gradients.

    Made exact: all weights are ones, maxima become sums and activations are linear, so that gradients cannot cancel;
    the given module stays as it is. The box is what the image's border leaves of the field; strides wider than their
    kernels may leave holes in it. layer: a name as in `receptive_field`, the last one when None. As many numbers as the
    image has axes. Raises ValueError where a layer does not fit, and where the module cannot be traced, with the name
    of the layer or operation.
    """
    pixels, steps = _dependence(module, input_size)
    (box,) = _boxes(pixels, [_chosen(steps, layer)])
    return tuple(last - first + 1 for first, last in box)
