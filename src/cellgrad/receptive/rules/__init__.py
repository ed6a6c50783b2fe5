"""What each module, function and method of PyTorch does, in terms of `cellgrad.receptive.operations`.

A rule takes the operations, then the value, then the arguments of torch's function, under their names. Which rule
belongs to which function and layer is said in the table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from cellgrad.receptive.intervals import Fields
from cellgrad.receptive.operations import Geometry, UntraceableError


def is_value(value: Any) -> bool:
    """Whether this is what flows along a graph, and not a number, a list or a setting."""
    return isinstance(value, Fields | torch.Tensor)


def values_in(*arguments: Any) -> Iterator[Any]:
    """The values among the arguments and in lists, tuples and dictionaries there."""
    for argument in arguments:
        if is_value(argument):
            yield argument
        elif isinstance(argument, dict):
            yield from values_in(*argument.values())
        elif isinstance(argument, list | tuple):
            yield from values_in(*argument)


# ---- windows ---------------------------------------------------------------------------------------------------------


def _per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


def _check_axes(x: Any, axes: int) -> None:
    found = len(x.shape) - 2
    if found != axes:
        raise ValueError(
            f"works on {axes}-D images, but its input has {found} axes after the channels, shape {tuple(x.shape[1:])}; "
            f"give input_size as channels and {axes} more numbers"
        )


def _geometry(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Geometry:
    kernel, stride, dilation = (_per_axis(value, axes) for value in (kernel, stride, dilation))
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    else:
        padding = tuple((p, p) for p in _per_axis(0 if padding == "valid" else padding, axes))
    for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if min(values) < 1:
            raise ValueError(f"{name} {values} is too small; give at least 1")
    if min(min(pair) for pair in padding) < 0:
        raise ValueError(f"padding {padding} is negative; give 0 or more")
    return Geometry(kernel, stride, padding, dilation)


def _positions(geometry: Geometry, sizes: Sequence[int], ceil_mode: bool = False) -> tuple[int, ...]:
    """Output sizes ⌊(n + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, or ⌈…⌉ if that window starts inside."""
    outputs = []
    for n, (k, s, (before, after), d) in zip(sizes, geometry.axes, strict=True):
        reach = d * (k - 1) + 1
        room = n + before + after - reach
        positions = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (positions - 1) * s >= n + before:
            positions -= 1
        if positions < 1:
            raise ValueError(
                f"its window is {reach} pixels wide, but its input with padding is only {n + before + after}; "
                "use a smaller kernel, more padding or a larger input"
            )
        outputs.append(positions)
    return tuple(outputs)


def _conv(axes, ops, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    _check_axes(x, axes)
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(f"wants {weight.shape[1] * groups} channels, but its input has {x.shape[1]}")
    window = geometry = _geometry(axes, tuple(weight.shape[2:]), stride, padding, dilation)
    outputs = _positions(geometry, x.shape[2:])
    if padding_mode != "zeros":
        x, window = ops.pad(x, geometry.padding, padding_mode), replace(geometry, padding=((0, 0),) * axes)
    result = ops.window(x, window, outputs, weight.shape[0], groups)
    # Its row shows the layer's own padding, also where that was done before.
    ops.geometry = geometry
    return result


def _conv_transpose(axes, ops, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    _check_axes(x, axes)
    if x.shape[1] != weight.shape[0]:
        raise ValueError(f"wants {weight.shape[0]} channels, but its input has {x.shape[1]}")
    geometry = _geometry(axes, tuple(weight.shape[2:]), stride, padding, dilation)
    outputs = tuple(
        (n - 1) * s - 2 * before + d * (k - 1) + extra + 1
        for n, extra, (k, s, (before, _), d) in zip(
            x.shape[2:], _per_axis(output_padding, axes), geometry.axes, strict=True
        )
    )
    if min(outputs) < 1:
        raise ValueError(f"nothing is left of its output, size {outputs}; use less padding")
    return ops.transposed(x, geometry, outputs, weight.shape[1] * groups, groups)


def _max_pool(axes, ops, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, *_, **__):
    _check_axes(x, axes)
    # An omitted stride is None, and an empty tuple where torch's own modules pass it on.
    geometry = _geometry(axes, kernel_size, stride or kernel_size, padding, dilation)
    if any(2 * before > k for k, _, (before, _), _ in geometry.axes):
        before, kernel = geometry.padding[0][0], geometry.kernel
        raise ValueError(f"padding {before} is more than half of the pool's kernel {kernel}; give less")
    return ops.window(x, geometry, _positions(geometry, x.shape[2:], ceil_mode), x.shape[1], x.shape[1])


def _avg_pool(axes, ops, x, kernel_size, stride=None, padding=0, ceil_mode=False, *_, **__):
    return _max_pool(axes, ops, x, kernel_size, stride, padding, 1, ceil_mode)


def _adaptive_pool(axes, ops, x, output_size, *_, **__):
    _check_axes(x, axes)
    wanted = _per_axis(output_size, axes) if output_size is not None else (None,) * axes
    return ops.adaptive(x, tuple(n if size is None else size for n, size in zip(x.shape[2:], wanted, strict=True)))


def _interpolate(
    ops,
    x,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    axes = len(x.shape) - 2
    if antialias or mode == "area":
        raise UntraceableError(f"interpolate with {'antialias' if antialias else 'mode area'} has no rule here")
    if size is not None:
        outputs = _per_axis(size, axes)
        scales = (None,) * axes
    else:
        scales = (scale_factor,) * axes if isinstance(scale_factor, int | float) else tuple(scale_factor)
        outputs = tuple(math.floor(n * scale) for n, scale in zip(x.shape[2:], scales, strict=True))
    exact = [scale is None or recompute_scale_factor for scale in scales]
    ratios = tuple(
        Fraction(n, m) if whole else 1 / Fraction(scale).limit_denominator(10**6)
        for n, m, scale, whole in zip(x.shape[2:], outputs, scales, exact, strict=True)
    )
    kind = "linear" if mode in ("linear", "bilinear", "trilinear") else mode
    return ops.resize(x, outputs, ratios, kind, bool(align_corners))


def _pad(ops, x, pad, mode="constant", value=None):
    # torch begins with the last axis.
    return ops.pad(x, tuple(zip(pad[-2::-2], pad[::-2], strict=True)), mode)


def _pad_layer(axes, mode, ops, x, widths):
    _check_axes(x, axes)
    return _pad(ops, x, widths, mode)


def _linear(ops, x, weight, bias=None):
    if x.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"wants {weight.shape[-1]} numbers in its last dimension, but its input has shape {tuple(x.shape[1:])}; "
            "change input_size or flatten before it"
        )
    return ops.mix(x, -1, weight.shape[0])


def _pointwise(ops, *arguments, **options):
    return ops.combine(*values_in(arguments, options))


def _one_by_one(ops, x, *_, **__):
    # What else a layer takes is one number for each channel, which broadcasting would put along the last axis.
    return ops.combine(x)


def _batch_norm_layer(axes, ops, x, num_features):
    if x.shape[1] != num_features:
        raise ValueError(f"wants {num_features} channels, but its input has {x.shape[1]}")
    if axes is not None:
        _check_axes(x, axes)
    return ops.combine(x)


def _layer_norm(ops, x, normalized_shape, *_, **__):
    if tuple(x.shape[-len(normalized_shape) :]) != tuple(normalized_shape):
        raise ValueError(f"normalises a shape {tuple(normalized_shape)}, but its input has {tuple(x.shape[1:])}")
    return ops.spread(x, range(-len(normalized_shape), 0))


def _instance_norm(ops, x, *_, **__):
    return ops.spread(x, range(2, len(x.shape)))


def _group_norm(ops, x, num_groups, *_, **__):
    grouped = _unflatten(ops, x, 1, (num_groups, x.shape[1] // num_groups))
    return ops.reshape(ops.spread(grouped, range(2, len(grouped.shape))), x.shape)


def _softmax(ops, x, *arguments, dim=None, **__):
    position = [value for value in arguments if isinstance(value, int)]
    dim = dim if dim is not None else position[0] if position else 1
    return ops.spread(x, (dim,))


def _normalize(ops, x, p=2.0, dim=1, **__):
    return ops.spread(x, (dim,))


def _reduction(ops, x, dim=None, keepdim=False, **__):
    return ops.reduce(x, list(range(len(x.shape)) if dim is None else _per_axis(dim, 1)), keepdim)


def _matmul(ops, a, b):
    if min(len(a.shape), len(b.shape)) < 2:
        raise UntraceableError("matmul of a vector has no rule here")
    return ops.combine(ops.reduce(a, [-1], True), ops.reduce(b, [-2], True))


def _einsum(ops, equation, *operands):
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    if not arrow or "." in equation:
        raise UntraceableError(f"einsum {equation!r}: only equations with -> and without ... have a rule here")
    parts = []
    for letters, operand in zip(inputs.split(","), operands, strict=True):
        operand = ops.reduce(operand, [i for i, letter in enumerate(letters) if letter not in output], False)
        left = [letter for letter in letters if letter in output]
        operand = ops.permute(operand, [left.index(letter) for letter in output if letter in left])
        shape = iter(operand.shape)
        parts.append(ops.reshape(operand, [next(shape) if letter in left else 1 for letter in output]))
    return ops.combine(*parts)


def _attention(ops, query, key, value, attn_mask=None, *_, is_causal=False, **__):
    if attn_mask is not None or is_causal:
        raise UntraceableError("scaled_dot_product_attention with a mask has no rule here")
    seen = [ops.reduce(part, [-2, -1], True) for part in (key, value)]
    return ops.combine(ops.mix(query, -1, value.shape[-1]), *seen)


def _multihead_attention(ops, module, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, **_):
    if attn_mask is not None or key_padding_mask is not None:
        raise UntraceableError("MultiheadAttention with a mask has no rule here")
    tokens = 1 if module.batch_first else 0
    seen = [ops.reduce(part, [tokens, -1], True) for part in (key, value)]
    return ops.combine(ops.mix(query, -1, module.embed_dim), *seen), None


# ---- moving numbers about --------------------------------------------------------------------------------------------


def _numbers(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else tuple(values)


def _reshape(ops, x, *shape):
    return ops.reshape(x, _numbers(shape))


def _flatten(ops, x, start_dim=0, end_dim=-1):
    first, last = start_dim % len(x.shape), end_dim % len(x.shape)
    return ops.reshape(x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def _unflatten(ops, x, dim, sizes):
    dim %= len(x.shape)
    return ops.reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


def _squeeze(ops, x, dim=None):
    dims = range(len(x.shape)) if dim is None else [d % len(x.shape) for d in _per_axis(dim, 1)]
    return ops.reshape(x, [n for i, n in enumerate(x.shape) if not (i in dims and n == 1)])


def _unsqueeze(ops, x, dim):
    shape = list(x.shape)
    shape.insert(dim % (len(shape) + 1), 1)
    return ops.reshape(x, shape)


def _permute(ops, x, *order, dims=None):
    return ops.permute(x, _numbers(order) if dims is None else tuple(dims))


def _transpose(ops, x, dim0, dim1):
    order = list(range(len(x.shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return ops.permute(x, order)


def _expand(ops, x, *sizes):
    sizes = _numbers(sizes)
    lead = len(sizes) - len(x.shape)
    shape = [old if new == -1 else new for old, new in zip((1,) * lead + tuple(x.shape), sizes, strict=True)]
    return ops.combine(x, ops.constant(shape))


def _chunk(ops, x, chunks, dim=0):
    return _split(ops, x, -(-x.shape[dim] // chunks), dim)


def _split(ops, x, split_size, dim=0):
    total = x.shape[dim]
    if isinstance(split_size, int):
        split_size = [min(split_size, total - first) for first in range(0, total, split_size)]
    ends = accumulate(split_size, initial=0)
    return tuple(ops.pick(x, dim, range(first, last)) for first, last in pairwise(ends))


def _unbind(ops, x, dim=0):
    return tuple(_select(ops, x, dim, i) for i in range(x.shape[dim]))


def _select(ops, x, dim, index):
    dim, units = dim % len(x.shape), x.shape[dim]
    picked = ops.pick(x, dim, range(index % units, index % units + 1))
    return ops.reduce(picked, [dim], False)


def _narrow(ops, x, dim, start, length):
    return ops.pick(x, dim, range(start % x.shape[dim], start % x.shape[dim] + length))


def _getitem(ops, x, index):
    index = index if isinstance(index, tuple) else (index,)
    if len(index) == 1 and is_value(index[0]):
        if ops.is_constant(x):
            return ops.constant((*index[0].shape, *x.shape[1:]))
        raise UntraceableError("indexing with a tensor has no rule here; use whole numbers and slices")
    if any(not (part is None or part is Ellipsis or isinstance(part, int | slice)) for part in index):
        raise UntraceableError(f"indexing with {index!r} has no rule here; use whole numbers and slices")
    if Ellipsis in index:
        place = index.index(Ellipsis)
        missing = len(x.shape) - sum(part is not None and part is not Ellipsis for part in index)
        index = (*index[:place], *(slice(None),) * missing, *index[place + 1 :])
    dim = 0
    for part in index:
        if part is None:
            x, dim = _unsqueeze(ops, x, dim), dim + 1
        elif isinstance(part, int):
            x = _select(ops, x, dim, part)
        else:
            units = range(x.shape[dim])[part]
            x, dim = (x if units == range(x.shape[dim]) else ops.pick(x, dim, units)), dim + 1
    return x


def _cat(ops, tensors, dim=0, axis=None):
    return ops.join(list(tensors), dim if axis is None else axis)


def _stack(ops, tensors, dim=0):
    return ops.join([_unsqueeze(ops, x, dim) for x in tensors], dim)


def _roll(ops, x, shifts, dims):
    for shift, dim in zip(_per_axis(shifts, 1), _per_axis(dims, 1), strict=True):
        x = ops.pick(x, dim, np.roll(np.arange(x.shape[dim]), shift))
    return x


def _flip(ops, x, *dims):
    for dim in _numbers(dims):
        x = ops.pick(x, dim, np.arange(x.shape[dim])[::-1])
    return x


def _pixel_unshuffle(ops, x, downscale_factor):
    r, (batch, channels, height, width) = downscale_factor, x.shape
    if height % r or width % r:
        raise ValueError(f"its input of {height}×{width} pixels cannot be cut into {r}×{r} blocks; pad it first")
    ops.geometry = _geometry(2, r, r, 0, 1)
    x = ops.reshape(x, (batch, channels, height // r, r, width // r, r))
    return ops.reshape(ops.permute(x, (0, 1, 3, 5, 2, 4)), (batch, channels * r * r, height // r, width // r))


def _pixel_shuffle(ops, x, upscale_factor):
    r, (batch, channels, height, width) = upscale_factor, x.shape
    x = ops.reshape(x, (batch, channels // r**2, r, r, height, width))
    return ops.reshape(ops.permute(x, (0, 1, 4, 2, 5, 3)), (batch, channels // r**2, height * r, width * r))


def _channel_shuffle(ops, x, groups):
    grouped = _unflatten(ops, x, 1, (groups, x.shape[1] // groups))
    return ops.reshape(ops.permute(grouped, (0, 2, 1, *range(3, len(grouped.shape)))), x.shape)


# ---- torchvision's own functions, which fx records as one step each --------------------------------------------------


def _patch_merging(ops, x):
    height, width = x.shape[-3:-1]
    x = ops.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), "constant")
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    parts = [
        ops.pick(ops.pick(x, -3, range(row, x.shape[-3], 2)), -2, range(column, x.shape[-2], 2))
        for row, column in corners
    ]
    return ops.join(parts, -1)


def _relative_position_bias(ops, table, *_):
    return ops.reduce(table, list(range(len(table.shape))), True)


def _shifted_window_attention(
    ops, x, qkv_weight, proj_weight, relative_position_bias, window_size, num_heads, shift_size, *_, **__
):
    from torchvision.models.swin_transformer import shifted_window_attention

    def call(value, qkv, proj):
        bias = value.new_zeros(())
        return shifted_window_attention(value, qkv, proj, bias, list(window_size), num_heads, list(shift_size))

    return ops.shifted_windows(x, window_size, shift_size, call)


# ---- the table -------------------------------------------------------------------------------------------------------

Rule = Callable[..., Any]

# By the name of a function or method: the row's kind, and the rule for its arguments.
RULES: dict[str, tuple[str, Rule]] = {}
# By the type of a module: the row's kind, and the rule for the module and its arguments.
LAYERS: dict[type[nn.Module], tuple[str, Rule]] = {nn.MultiheadAttention: ("attention", _multihead_attention)}

POINTWISE = (
    "abs add addcmul alpha_dropout bernoulli ceil celu clamp clamp_max clamp_min clip clone contiguous cos detach div "
    "double dropout dropout1d dropout2d dropout3d elu erf exp feature_alpha_dropout float floor fmod gelu half "
    "hardsigmoid hardswish hardtanh leaky_relu log log1p logsigmoid maximum minimum mish mul nan_to_num neg pos pow "
    "reciprocal relu relu6 round rrelu rsqrt rsub selu sigmoid sign silu sin softplus softshrink softsign sqrt square "
    "stochastic_depth sub tanh tanhshrink threshold to type_as where"
)
# What Python calls += and so on.
OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "truediv": "div", "itruediv": "div", "true_divide": "div"}
ACTIVATIONS = (
    "ReLU ReLU6 RReLU LeakyReLU PReLU ELU CELU SELU GELU SiLU Mish Sigmoid Tanh Hardsigmoid Hardswish Hardtanh "
    "Hardshrink LogSigmoid Softplus Softshrink Softsign Tanhshrink Threshold Identity"
)
# The first word of a padding layer's name, and what torch.nn.functional.pad calls its mode.
PADDINGS = dict(
    Zero="constant", Constant="constant", Reflection="reflect", Replication="replicate", Circular="circular"
)


def _enter(kind: str, rule: Rule, functions: str = "", layers: str = "", attributes: str = "") -> None:
    """attributes: what the layers call the rule's arguments, in the rule's order."""

    def layer_rule(ops, module, x):
        return rule(ops, x, *(getattr(module, name) for name in attributes.split()))

    RULES.update({name: (kind, rule) for name in functions.split()})
    LAYERS.update({getattr(nn, name): (kind, layer_rule) for name in layers.split()})


for _axes in (1, 2, 3):
    for _kind, _rule, _attributes in (
        ("conv", _conv, "weight bias stride padding dilation groups padding_mode"),
        ("conv_transpose", _conv_transpose, "weight bias stride padding output_padding groups dilation"),
        ("max_pool", _max_pool, "kernel_size stride padding dilation ceil_mode"),
        ("avg_pool", _avg_pool, "kernel_size stride padding ceil_mode"),
        ("adaptive_avg_pool", _adaptive_pool, "output_size"),
        ("adaptive_max_pool", _adaptive_pool, "output_size"),
    ):
        # conv_transpose2d is ConvTranspose2d as a layer.
        _layer = _kind.title().replace("_", "")
        _enter(_kind, partial(_rule, _axes), f"{_kind}{_axes}d", f"{_layer}{_axes}d", _attributes)
    for _name, _mode in PADDINGS.items():
        _enter("pad", partial(_pad_layer, _axes, _mode), layers=f"{_name}Pad{_axes}d", attributes="padding")
    # BatchNorm1d also takes numbers without positions.
    _batch_norm = partial(_batch_norm_layer, _axes if _axes > 1 else None)
    _enter("batch_norm", _batch_norm, layers=f"BatchNorm{_axes}d", attributes="num_features")

for _name in POINTWISE.split():
    _enter(_name, _pointwise, _name)
for _name, _kind in OPERATORS.items():
    _enter(_kind, _pointwise, _name)
for _name in ACTIVATIONS.split():
    _enter(_name.lower(), _one_by_one, layers=_name)

# Kind, rule, functions and methods; then layers, and their attributes as the rule's arguments.
_enter("attention", _attention, "scaled_dot_product_attention")
_enter("attention", _shifted_window_attention, "shifted_window_attention")
_enter("batch_norm", _one_by_one, "batch_norm")
_enter("batch_norm", partial(_batch_norm_layer, None), layers="SyncBatchNorm", attributes="num_features")
_enter("cat", _cat, "cat concat concatenate")
_enter("channel_shuffle", _channel_shuffle, "channel_shuffle", "ChannelShuffle", "groups")
_enter("chunk", _chunk, "chunk")
_enter("constant", _relative_position_bias, "_get_relative_position_bias")
_enter("dropout", _one_by_one, layers="Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout")
_enter("einsum", _einsum, "einsum")
_enter("expand", _expand, "expand")
_enter("flatten", _flatten, "flatten", "Flatten", "start_dim end_dim")
_enter("flip", _flip, "flip")
_enter("group_norm", _group_norm, "group_norm", "GroupNorm", "num_groups")
_enter("instance_norm", _instance_norm, "instance_norm", "InstanceNorm1d InstanceNorm2d InstanceNorm3d")
_enter("layer_norm", _layer_norm, "layer_norm rms_norm", "LayerNorm RMSNorm", "normalized_shape")
_enter("linear", _linear, "linear", "Linear", "weight")
# Of neighbouring channels: like a softmax, along the same dimension.
_enter("local_response_norm", _softmax, layers="LocalResponseNorm CrossMapLRN2d")
_enter("matmul", _matmul, "matmul bmm mm")
_enter("mean", _reduction, "mean sum amax amin std var norm logsumexp prod")
_enter("narrow", _narrow, "narrow")
_enter("normalize", _normalize, "normalize")
_enter("pad", _pad, "pad")
_enter("patch_merging", _patch_merging, "_patch_merging_pad")
_enter("permute", _permute, "permute")
_enter("pixel_shuffle", _pixel_shuffle, "pixel_shuffle", "PixelShuffle", "upscale_factor")
_enter("pixel_unshuffle", _pixel_unshuffle, "pixel_unshuffle", "PixelUnshuffle", "downscale_factor")
_enter("prelu", _one_by_one, "prelu")
_enter("reshape", _reshape, "reshape view _unsafe_view")
_enter("roll", _roll, "roll")
_enter("select", _select, "select")
_enter("slice", _getitem, "getitem")
_enter("softmax", _softmax, "softmax log_softmax softmin", "Softmax LogSoftmax Softmin", "dim")
_enter("softmax", _softmax, layers="Softmax2d")
_enter("split", _split, "split unsafe_split")
_enter("squeeze", _squeeze, "squeeze")
_enter("stack", _stack, "stack")
_enter("transpose", _transpose, "transpose swapaxes swapdims")
_enter("unbind", _unbind, "unbind")
_enter("unflatten", _unflatten, "unflatten", "Unflatten", "dim unflattened_size")
_enter("unsqueeze", _unsqueeze, "unsqueeze")
_enter(
    "upsample",
    _interpolate,
    "interpolate upsample",
    "Upsample UpsamplingNearest2d UpsamplingBilinear2d",
    "size scale_factor mode align_corners recompute_scale_factor",
)
