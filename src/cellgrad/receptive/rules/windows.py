"""Convolutions, pools, padding and upsampling: whatever slides a window over the image's axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from torch.nn import functional as F

from cellgrad.receptive.operations import Geometry, Operations, UntraceableError
from cellgrad.receptive.rules import Constant, Rule, is_value, per_axis, rule

# A picture of an interpolation's weights with more numbers than this is not drawn.
_MOST_WEIGHTS = 4_000_000


def _geometry(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Geometry:
    kernel, stride, dilation = (per_axis(value, axes) for value in (kernel, stride, dilation))
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    else:
        padding = tuple((p, p) for p in per_axis(0 if padding == "valid" else padding, axes))
    if min(min(pair) for pair in padding) < 0:
        raise ValueError(f"padding {padding} is negative; give 0 or more")
    return Geometry(kernel, stride, padding, dilation)


def misfit(args: Sequence[Any], kwargs: dict[str, Any], rule: Rule) -> str:
    """Why a layer does not fit its input, in more words than torch's; empty for what only torch can say."""
    if rule.settings or rule.kind not in ("conv", "conv_transpose", "linear", "max_pool", "avg_pool"):
        return ""
    bound = rule.signature.bind(None, *args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    shape: tuple[int, ...] = tuple(given["x"].shape)
    weight: Any = given.get("weight")
    if rule.kind == "linear":
        return (
            f"wants {weight.shape[-1]} numbers in its last dimension, but its input has shape {shape[1:]}; "
            "change input_size or flatten before it"
        )
    if weight is not None:
        channels = weight.shape[0] if rule.kind == "conv_transpose" else weight.shape[1] * given["groups"]
        if shape[1] != channels:
            return f"wants {channels} channels, but its input has {shape[1]}"
    kernel = tuple(weight.shape[2:]) if weight is not None else given["kernel_size"]
    geometry = _geometry(len(shape) - 2, kernel, given["stride"] or kernel, given["padding"], given.get("dilation", 1))
    for n, (k, _, (before, after), d) in zip(shape[2:], geometry.axes, strict=True):
        reach, room = d * (k - 1) + 1, n + before + after
        if rule.kind != "conv_transpose" and reach > room:
            return (
                f"its window is {reach} pixels wide, but its input with padding is only {room}; "
                "use a smaller kernel, more padding or a larger input"
            )
    return ""


@rule("conv", "conv1d", "conv2d", "conv3d")
def conv(ops: Operations, x: Any, weight: Any, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Any:
    """A window of the weights' size."""
    axes = len(weight.shape) - 2
    geometry = _geometry(axes, tuple(weight.shape[2:]), stride, padding, dilation)
    if not is_value(x):
        raise UntraceableError("a convolution of a constant with what the network computes has no rule")
    reads, doubtful = _reads(weight)
    result = ops.window(x, geometry, ops.outputs[2:], weight.shape[0], groups, reads)
    return _with_dynamic(ops, ops.bounded(result) if doubtful else result, weight)


def _reads(weight: Any) -> tuple[torch.Tensor | None, bool]:
    """Where a window's weights can be other than zero (None: anywhere), and whether that is in doubt."""
    try:
        reads = weight.reads if isinstance(weight, Constant) else None
    except ArithmeticError:
        return None, True
    nothing = reads is not None and not reads.any()
    return (None, True) if nothing else (reads, False)


def _with_dynamic(ops: Operations, result: Any, weight: Any) -> Any:
    """Where the network computes its own weights, each output depends on all of what they depend on."""
    if not is_value(weight):
        return result
    return ops.combine([result, ops.reduce(weight, range(len(weight.shape)), False)], ops.outputs)


@rule("conv_transpose", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    ops: Operations, x: Any, weight: Any, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Any:
    """The window of a convolution, seen from the other side."""
    geometry = _geometry(len(weight.shape) - 2, tuple(weight.shape[2:]), stride, padding, dilation)
    reads, doubtful = _reads(weight)
    result = ops.transposed(x, geometry, ops.outputs[2:], weight.shape[1] * groups, groups, reads)
    return _with_dynamic(ops, ops.bounded(result) if doubtful else result, weight)


@rule("max_pool", "max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    ops: Operations, x: Any, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
) -> Any:
    """A window on each channel."""
    # An omitted stride is None, and an empty tuple where torch's own modules pass it on.
    geometry = _geometry(len(x.shape) - 2, kernel_size, stride or kernel_size, padding, dilation)
    return ops.window(x, geometry, ops.outputs[2:], x.shape[1], x.shape[1])


@rule(
    "max_pool",
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
)
def max_pool_with_indices(
    ops: Operations, x: Any, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
) -> Any:
    """The pool, and where its maxima were: the same window."""
    axes = len(x.shape) - 2
    geometry = _geometry(axes, kernel_size, stride or kernel_size, padding, dilation)
    ops.outputs = _pooled(x.shape, geometry, ceil_mode)
    pooled = ops.window(x, geometry, ops.outputs[2:], x.shape[1], x.shape[1])
    return pooled, pooled


def _pooled(shape: tuple[int, ...], geometry: Geometry, ceil_mode: bool) -> tuple[int, ...]:
    """⌊(n + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, or ⌈…⌉ if that window starts inside."""
    outputs = []
    for n, (k, s, (before, after), d) in zip(shape[2:], geometry.axes, strict=True):
        room = n + before + after - d * (k - 1) - 1
        positions = (-(-room // s) if ceil_mode else room // s) + 1
        outputs.append(positions - (ceil_mode and (positions - 1) * s >= n + before))
    return (*shape[:2], *outputs)


@rule("max_unpool", "max_unpool1d", "max_unpool2d", "max_unpool3d")
def max_unpool(ops: Operations, x: Any, indices, kernel_size, stride=None, padding=0, output_size=None) -> Any:
    """Each output may be where the maximum of its window was, so it depends on the pooled value and its place."""
    geometry = _geometry(len(x.shape) - 2, kernel_size, stride or kernel_size, padding, 1)
    both = ops.combine([x, indices] if is_value(indices) else [x], x.shape)
    return ops.transposed(both, geometry, ops.outputs[2:], x.shape[1], x.shape[1])


@rule("avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    ops: Operations,
    x: Any,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
) -> Any:
    """A window on each channel."""
    return max_pool(ops, x, kernel_size, stride, padding)


@rule("lp_pool", "lp_pool1d", "lp_pool2d", "lp_pool3d")
def lp_pool(ops: Operations, x: Any, norm_type, kernel_size, stride=None, ceil_mode=False) -> Any:
    """A window on each channel."""
    return max_pool(ops, x, kernel_size, stride)


@rule("adaptive_avg_pool", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_pool(ops: Operations, x: Any, output_size) -> Any:
    """Windows that share the input out."""
    axes = int(len(ops.outputs) - 2)
    return ops.adaptive(x, ops.outputs[-axes:])


@rule("adaptive_max_pool", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(ops: Operations, x: Any, output_size, return_indices=False) -> Any:
    """Windows that share the input out."""
    return adaptive_pool(ops, x, output_size)


@rule("upsample", "interpolate", "upsample", "upsample_bilinear", "upsample_nearest")
def interpolate(
    ops: Operations,
    x: Any,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
) -> Any:
    """Each output reads its neighbours on each axis, which torch itself is asked for where it rounds."""
    axes, outputs = len(x.shape) - 2, ops.outputs[2:]
    if mode == "area":
        return ops.adaptive(x, outputs)
    if antialias:
        for dim in range(2, 2 + axes):
            x = ops.reads(x, dim, _antialiased(x.shape[dim], outputs[dim - 2], mode, bool(align_corners)))
        return x
    scales: tuple[float | None, ...] = (None,) * axes
    if scale_factor is not None and not recompute_scale_factor:
        scales = (scale_factor,) * axes if isinstance(scale_factor, int | float) else tuple(scale_factor)
    ratios = tuple(
        Fraction(n, m) if scale is None else 1 / Fraction(scale).limit_denominator(10**6)
        for n, m, scale in zip(x.shape[2:], outputs, scales, strict=True)
    )
    if not mode.startswith("nearest"):
        return ops.resize(x, outputs, ratios, "bicubic" if mode == "bicubic" else "linear", bool(align_corners))
    taps = []
    for n, m, scale in zip(x.shape[2:], outputs, scales, strict=True):
        places = torch.arange(n, dtype=torch.float32)[None, None]
        target = {"size": m} if scale is None else {"scale_factor": scale}
        taps.append(F.interpolate(places, **target, mode=mode).long().flatten().tolist())
    return ops.nearest(x, taps, ratios)


def _antialiased(n: int, m: int, mode: str, align_corners: bool) -> list[list[int]]:
    if n * m > _MOST_WEIGHTS:
        raise UntraceableError(
            f"interpolate with antialias from {n} to {m} pixels is too large; use a smaller input_size"
        )
    # Along the last axis, where it is right: along the one before, torch takes an image one pixel wide for another.
    pictures = torch.eye(n, dtype=torch.float64)[:, None, None, :]
    weights = F.interpolate(pictures, (1, m), mode=mode, align_corners=align_corners, antialias=True)[:, 0, 0, :]
    return [torch.nonzero(weights[:, o]).flatten().tolist() for o in range(m)]


@rule("pad", "pad")
def pad(ops: Operations, x: Any, pad, mode="constant", value=None) -> Any:
    """Padding, or cropping where a number is negative; torch begins with the last axis."""
    widths = list(zip(pad[-2::-2], pad[::-2], strict=True))
    for dim, (before, after) in enumerate(widths, start=len(x.shape) - len(widths)):
        if before < 0 or after < 0:
            x = ops.pick(x, dim, range(max(0, -before), x.shape[dim] - max(0, -after)))
    return ops.pad(x, tuple((max(0, before), max(0, after)) for before, after in widths), mode)


@rule("unfold", "unfold")
def unfold(ops: Operations, x: Any, *arguments: Any, **options: Any) -> Any:
    """torch.nn.functional.unfold: the pixels of each window as channels; Tensor.unfold: windows along one dimension."""
    names = ("dimension", "size", "step")
    if set(options) & set(names) or (len(arguments) == 3 and len(x.shape) != 4) or len(ops.outputs) == len(x.shape) + 1:
        return _windows_along(ops, x, *arguments, **options)
    return _patches(ops, x, *arguments, **options)


def _windows_along(ops: Operations, x: Any, dimension: int, size: int, step: int) -> Any:
    dim, rank = dimension % len(x.shape), len(x.shape)
    count = (x.shape[dim] - size) // step + 1
    taken = ops.pick(x, dim, [first * step + tap for first in range(count) for tap in range(size)])
    split = ops.reshape(taken, (*taken.shape[:dim], count, size, *taken.shape[dim + 1 :]))
    return ops.permute(split, [*range(dim + 1), *range(dim + 2, rank + 1), dim + 1])


def _patches(ops: Operations, x: Any, kernel_size, dilation=1, padding=0, stride=1) -> Any:
    geometry = _geometry(2, kernel_size, stride, padding, dilation)
    (batch, channels), (kh, kw) = x.shape[:2], geometry.kernel
    shape, final = _pooled(x.shape, geometry, False)[2:], ops.outputs
    if geometry.kernel == geometry.stride and padding in (0, (0, 0)) and dilation in (1, (1, 1)):
        x = ops.pick(ops.pick(x, 2, range(shape[0] * kh)), 3, range(shape[1] * kw))
        x = ops.permute(ops.reshape(x, (batch, channels, shape[0], kh, shape[1], kw)), (0, 1, 3, 5, 2, 4))
    else:
        ops.outputs = (batch, channels * kh * kw, *shape)
        x = ops.bounded(ops.window(x, geometry, shape, channels * kh * kw, channels))
    x = ops.reshape(x, final)
    ops.geometry = geometry
    return x


@rule("fold", "fold")
def fold(ops: Operations, x: Any, output_size, kernel_size, dilation=1, padding=0, stride=1) -> Any:
    """Patches put back in their places, and summed where they overlap."""
    geometry = _geometry(2, kernel_size, stride, padding, dilation)
    (kh, kw), height_width, final = geometry.kernel, per_axis(output_size, 2), ops.outputs
    batch, channels = x.shape[0], x.shape[1] // (kh * kw)
    shape = _pooled((1, 1, *height_width), geometry, False)[2:]
    whole = (shape[0] * kh, shape[1] * kw) == height_width
    if geometry.kernel == geometry.stride and padding in (0, (0, 0)) and whole:
        x = ops.permute(ops.reshape(x, (batch, channels, kh, kw, *shape)), (0, 1, 4, 2, 5, 3))
        return ops.reshape(x, final)
    x = ops.reshape(x, (batch, channels * kh * kw, *shape))
    ops.outputs = final
    return ops.bounded(ops.transposed(x, geometry, height_width, channels, math.gcd(channels, x.shape[1])))
