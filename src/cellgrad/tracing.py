"""Walk through a PyTorch module, operation by operation, with something else than numbers flowing along its graph.

torch.fx records the graph. `Walk` translates each module, function and method in it into a handful of operations
(`Operations`), which two kinds of values know: intervals of the image (`FieldOperations` here), and tensors that
remember what they depend on (`cellgrad.measuring`).
"""

from __future__ import annotations

import copy
import linecache
import math
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import fx, nn

from cellgrad import fields
from cellgrad.fields import Fields

Widths = tuple[tuple[int, int], ...]


class UntraceableError(ValueError):
    """A module does something that torch.fx cannot record, or that this package has no rule for."""


@dataclass(frozen=True)
class Geometry:
    """The window of a layer, one number an axis; padding: (before, after) on each axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Widths
    dilation: tuple[int, ...]


class Operations(Protocol):
    """What a value flowing through a graph must know how to do; x stands for a value, with a shape, batch first.

    geometry, note: what the last operation has to say for its row in a table.
    """

    geometry: Geometry | None
    note: str

    def combine(self, *values: Any) -> Any:
        """A sum or another combination unit by unit, with broadcasting."""

    def window(self, x: Any, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Any:
        """A window sliding over the last axes, all channels of a group together."""

    def transposed(self, x: Any, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Any:
        """A transposed convolution over the last axes."""

    def adaptive(self, x: Any, outputs: Sequence[int]) -> Any:
        """Adaptive pooling of the last axes to this size."""

    def resize(self, x: Any, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool) -> Any:
        """Upsampling of the last axes; ratios: input pixels for one output pixel."""

    def pad(self, x: Any, widths: Widths, mode: str) -> Any:
        """Padding of the last axes."""

    def mix(self, x: Any, dim: int, units: int) -> Any:
        """A dense layer along one dimension."""

    def reduce(self, x: Any, dims: Sequence[int], keep: bool) -> Any:
        """A sum over dimensions."""

    def spread(self, x: Any, dims: Sequence[int]) -> Any:
        """Every unit along these dimensions replaced by something of all of them."""

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        """The same numbers in another shape."""

    def permute(self, x: Any, order: Sequence[int]) -> Any:
        """The dimensions in another order."""

    def pick(self, x: Any, dim: int, units: range | np.ndarray) -> Any:
        """Some units along a dimension."""

    def join(self, values: Sequence[Any], dim: int) -> Any:
        """Concatenation."""

    def shifted_windows(self, x: Any, window: Sequence[int], shift: Sequence[int], call: Callable[..., Any]) -> Any:
        """Attention inside shifted windows (Swin), on (batch, height, width, channels); call: the real function."""


# ---- rules: each operation of PyTorch in these terms -----------------------------------------------------------------

RULES: dict[str, tuple[str, Callable[..., Any]]] = {}
MODULES: dict[type[nn.Module], tuple[str, Callable[..., Any]]] = {}

POINTWISE = (
    "abs add addcmul alpha_dropout bernoulli ceil celu clamp clamp_max clamp_min clip clone contiguous cos detach div "
    "double dropout dropout1d dropout2d dropout3d elu erf exp feature_alpha_dropout float floor fmod gelu half "
    "hardsigmoid hardswish hardtanh leaky_relu log log1p logsigmoid maximum minimum mish mul nan_to_num neg pos pow "
    "reciprocal relu relu6 round rrelu rsqrt rsub selu sigmoid sign silu sin softplus softshrink softsign sqrt square "
    "stochastic_depth sub tanh tanhshrink threshold to type_as where"
)
# What Python calls += and so on.
OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "truediv": "div", "itruediv": "div", "true_divide": "div"}
# Asked of a tensor, these answer with plain numbers.
QUERIES = {"getattr", "size", "dim", "_assert", "len", "numel", "is_floating_point", "ndimension", "get_device"}


def _rule(kind: str, *names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names or (kind,):
            RULES[name] = (kind, function)
        return function

    return register


def _module_rule(kind: str, *types: type[nn.Module]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for module_type in types:
            MODULES[module_type] = (kind, function)
        return function

    return register


def _is_value(value: Any) -> bool:
    return isinstance(value, Fields | torch.Tensor)


def _values(arguments: Any) -> list[Any]:
    if _is_value(arguments):
        return [arguments]
    if isinstance(arguments, dict):
        arguments = arguments.values()
    if isinstance(arguments, list | tuple | type({}.values())):
        return [value for argument in arguments for value in _values(argument)]
    return []


def _per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


def _axes_of(x: Any, axes: int | None) -> int:
    """How many image axes the value has; it must be as many as the layer works on."""
    found = len(x.shape) - 2
    if axes is not None and found != axes:
        raise ValueError(
            f"works on {axes}-D images, but its input has {found} axes after the channels, shape {tuple(x.shape[1:])}; "
            f"give input_size as channels and {axes} more numbers"
        )
    return found


def _geometry(
    axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, *, pads_beyond: bool = True
) -> Geometry:
    kernel, stride, dilation = (_per_axis(value, axes) for value in (kernel, stride, dilation))
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    else:
        padding = tuple((p, p) for p in _per_axis(0 if padding == "valid" else padding, axes))
    for name, values, least in (("kernel", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1)):
        if min(values) < least:
            raise ValueError(f"{name} {values} is too small; give at least {least}")
    if min(min(pair) for pair in padding) < 0:
        raise ValueError(f"padding {padding} is negative; give 0 or more")
    if not pads_beyond and any(2 * p > k for (p, _), k in zip(padding, kernel, strict=True)):
        raise ValueError(f"padding {padding[0][0]} is more than half of the pool's kernel {kernel}; give less")
    return Geometry(kernel, stride, padding, dilation)


def _positions(geometry: Geometry, sizes: Sequence[int], ceil_mode: bool = False) -> tuple[int, ...]:
    """Output sizes ⌊(n + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, or ⌈…⌉ if that window starts inside."""
    outputs = []
    for n, k, s, (before, after), d in zip(
        sizes, geometry.kernel, geometry.stride, geometry.padding, geometry.dilation, strict=True
    ):
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


def _convolution(axes: int) -> Callable[..., Any]:
    def rule(ops, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        _axes_of(x, axes)
        if x.shape[1] != weight.shape[1] * groups:
            raise ValueError(f"wants {weight.shape[1] * groups} channels, but its input has {x.shape[1]}")
        geometry = _geometry(axes, tuple(weight.shape[2:]), stride, padding, dilation)
        return ops.window(x, geometry, _positions(geometry, x.shape[2:]), weight.shape[0], groups)

    return rule


def _pool(axes: int, average: bool) -> Callable[..., Any]:
    def average_pool(ops, x, kernel_size, stride=None, padding=0, ceil_mode=False, *_, **__):
        return pool(ops, x, kernel_size, stride, padding, 1, ceil_mode)

    def pool(ops, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, *_, **__):
        _axes_of(x, axes)
        # An omitted stride is None, and an empty tuple where torch's own modules pass it on.
        geometry = _geometry(axes, kernel_size, stride or kernel_size, padding, dilation, pads_beyond=False)
        return ops.window(x, geometry, _positions(geometry, x.shape[2:], ceil_mode), x.shape[1], x.shape[1])

    return average_pool if average else pool


def _transposed_convolution(axes: int) -> Callable[..., Any]:
    def rule(ops, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        _axes_of(x, axes)
        if x.shape[1] != weight.shape[0]:
            raise ValueError(f"wants {weight.shape[0]} channels, but its input has {x.shape[1]}")
        geometry = _geometry(axes, tuple(weight.shape[2:]), stride, padding, dilation)
        outputs = tuple(
            (n - 1) * s - 2 * before + d * (k - 1) + extra + 1
            for n, k, s, (before, _), d, extra in zip(
                x.shape[2:],
                geometry.kernel,
                geometry.stride,
                geometry.padding,
                geometry.dilation,
                _per_axis(output_padding, axes),
                strict=True,
            )
        )
        if min(outputs) < 1:
            raise ValueError(f"nothing is left of its output, size {outputs}; use less padding")
        return ops.transposed(x, geometry, outputs, weight.shape[1] * groups, groups)

    return rule


def _adaptive_pool(axes: int) -> Callable[..., Any]:
    def rule(ops, x, output_size, *_, **__):
        _axes_of(x, axes)
        wanted = _per_axis(output_size, axes) if output_size is not None else (None,) * axes
        outputs = tuple(n if size is None else size for n, size in zip(x.shape[2:], wanted, strict=True))
        return ops.adaptive(x, outputs)

    return rule


for _axes in (1, 2, 3):
    _rule("conv", f"conv{_axes}d")(_convolution(_axes))
    _rule("conv_transpose", f"conv_transpose{_axes}d")(_transposed_convolution(_axes))
    _rule("max_pool", f"max_pool{_axes}d")(_pool(_axes, average=False))
    _rule("avg_pool", f"avg_pool{_axes}d")(_pool(_axes, average=True))
    _rule("adaptive_avg_pool", f"adaptive_avg_pool{_axes}d")(_adaptive_pool(_axes))
    _rule("adaptive_max_pool", f"adaptive_max_pool{_axes}d")(_adaptive_pool(_axes))


@_module_rule("conv", nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _conv_module(ops, module, x):
    axes = len(module.kernel_size)
    geometry = _geometry(axes, module.kernel_size, module.stride, module.padding, module.dilation)
    padding = module.padding
    if module.padding_mode != "zeros":
        _axes_of(x, axes)
        x, padding = ops.pad(x, geometry.padding, module.padding_mode), 0
    result = _convolution(axes)(ops, x, module.weight, None, module.stride, padding, module.dilation, module.groups)
    ops.geometry = geometry
    return result


@_module_rule("conv_transpose", nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
def _conv_transpose_module(ops, module, x):
    m = module
    rule = _transposed_convolution(len(m.kernel_size))
    return rule(ops, x, m.weight, None, m.stride, m.padding, m.output_padding, m.groups, m.dilation)


@_module_rule("max_pool", nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _max_pool_module(ops, module, x):
    m, axes = module, int(type(module).__name__[-2])
    return _pool(axes, average=False)(ops, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode)


@_module_rule("avg_pool", nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _avg_pool_module(ops, module, x):
    m, axes = module, int(type(module).__name__[-2])
    return _pool(axes, average=True)(ops, x, m.kernel_size, m.stride, m.padding, m.ceil_mode)


@_module_rule("adaptive_avg_pool", nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
def _adaptive_avg_module(ops, module, x):
    return _adaptive_pool(int(type(module).__name__[-2]))(ops, x, module.output_size)


@_module_rule("adaptive_max_pool", nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
def _adaptive_max_module(ops, module, x):
    return _adaptive_avg_module(ops, module, x)


@_rule("upsample", "interpolate", "upsample")
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
    axes = _axes_of(x, None)
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


@_module_rule("upsample", nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
def _upsample_module(ops, module, x):
    m = module
    return _interpolate(ops, x, m.size, m.scale_factor, m.mode, m.align_corners, m.recompute_scale_factor)


@_rule("pad")
def _pad(ops, x, pad, mode="constant", value=None):
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    return ops.pad(x, tuple(pairs), mode)


_PAD_LAYERS = {"Zero": "constant", "Constant": "constant", "Reflection": "reflect", "Replication": "replicate"}
_PAD_LAYERS |= {"Circular": "circular"}


@_module_rule("pad", *(getattr(nn, f"{name}Pad{axes}d") for name in _PAD_LAYERS for axes in (1, 2, 3)))
def _pad_module(ops, module, x):
    name, _, axes = type(module).__name__.partition("Pad")
    _axes_of(x, int(axes[0]))
    return _pad(ops, x, module.padding, _PAD_LAYERS[name])


@_rule("linear")
def _linear(ops, x, weight, bias=None):
    if x.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"wants {weight.shape[-1]} numbers in its last dimension, but its input has shape {tuple(x.shape[1:])}; "
            "change input_size or flatten before it"
        )
    return ops.mix(x, -1, weight.shape[0])


@_module_rule("linear", nn.Linear)
def _linear_module(ops, module, x):
    return _linear(ops, x, module.weight)


def _pointwise(ops, *arguments, **options):
    return ops.combine(*_values(arguments), *_values(options))


RULES |= {name: (name, _pointwise) for name in POINTWISE.split()}
RULES |= {name: (kind, _pointwise) for name, kind in OPERATORS.items()}


@_rule("batch_norm")
def _batch_norm(ops, x, *_, **__):
    # One number for each channel, which broadcasting would put along the last axis.
    return ops.combine(x)


RULES["prelu"] = ("prelu", _batch_norm)


@_module_rule("batch_norm", nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
def _batch_norm_module(ops, module, x):
    if x.shape[1] != module.num_features:
        raise ValueError(f"wants {module.num_features} channels, but its input has {x.shape[1]}")
    axes = {nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}.get(type(module))
    if axes is not None:
        _axes_of(x, axes)
    return ops.combine(x)


def _same_module(ops, module, x):
    return ops.combine(x)


_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_ACTIVATIONS = (
    "ReLU ReLU6 RReLU LeakyReLU PReLU ELU CELU SELU GELU SiLU Mish Sigmoid Tanh Hardsigmoid Hardswish Hardtanh "
    "Hardshrink LogSigmoid Softplus Softshrink Softsign Tanhshrink Threshold Identity"
)
MODULES |= {getattr(nn, name): (name.lower(), _same_module) for name in _ACTIVATIONS.split()}
MODULES |= {module_type: ("dropout", _same_module) for module_type in _DROPOUTS}


@_module_rule("layer_norm", nn.LayerNorm, *([nn.RMSNorm] if hasattr(nn, "RMSNorm") else []))
def _layer_norm_module(ops, module, x):
    return _layer_norm(ops, x, module.normalized_shape)


@_rule("layer_norm", "layer_norm", "rms_norm")
def _layer_norm(ops, x, normalized_shape, *_, **__):
    if tuple(x.shape[-len(normalized_shape) :]) != tuple(normalized_shape):
        raise ValueError(f"normalises a shape {tuple(normalized_shape)}, but its input has {tuple(x.shape[1:])}")
    return ops.spread(x, range(-len(normalized_shape), 0))


@_module_rule("instance_norm", nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
def _instance_norm_module(ops, module, x):
    return _instance_norm(ops, x)


@_rule("instance_norm")
def _instance_norm(ops, x, *_, **__):
    return ops.spread(x, range(2, len(x.shape)))


@_module_rule("group_norm", nn.GroupNorm)
def _group_norm_module(ops, module, x):
    return _group_norm(ops, x, module.num_groups)


@_rule("group_norm")
def _group_norm(ops, x, num_groups, *_, **__):
    shape = tuple(x.shape)
    grouped = ops.reshape(x, (shape[0], num_groups, shape[1] // num_groups, *shape[2:]))
    return ops.reshape(ops.spread(grouped, range(2, len(shape) + 1)), shape)


@_module_rule("local_response_norm", nn.LocalResponseNorm, nn.CrossMapLRN2d)
def _local_response_module(ops, module, x):
    return ops.spread(x, (1,))


@_rule("softmax", "softmax", "log_softmax", "softmin")
def _softmax(ops, x, *arguments, dim=None, **__):
    position = [value for value in arguments if isinstance(value, int)]
    dim = dim if dim is not None else position[0] if position else 1
    return ops.spread(x, (dim,))


@_rule("normalize")
def _normalize(ops, x, p=2.0, dim=1, **__):
    return ops.spread(x, (dim,))


@_module_rule("softmax", nn.Softmax, nn.LogSoftmax, nn.Softmin)
def _softmax_module(ops, module, x):
    return ops.spread(x, (module.dim if module.dim is not None else 1,))


@_module_rule("softmax", nn.Softmax2d)
def _softmax2d_module(ops, module, x):
    return ops.spread(x, (1,))


@_rule("mean", "mean", "sum", "amax", "amin", "std", "var", "norm", "logsumexp", "prod")
def _reduction(ops, x, dim=None, keepdim=False, **__):
    dims = range(len(x.shape)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    return ops.reduce(x, list(dims), keepdim)


@_rule("matmul", "matmul", "bmm", "mm")
def _matmul(ops, a, b):
    if min(len(a.shape), len(b.shape)) < 2:
        raise UntraceableError("matmul of a vector has no rule here")
    return ops.combine(ops.reduce(a, [-1], True), ops.reduce(b, [-2], True))


@_rule("einsum")
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


@_rule("attention", "scaled_dot_product_attention")
def _attention(ops, query, key, value, attn_mask=None, *_, **__):
    if attn_mask is not None or __.get("is_causal"):
        raise UntraceableError("scaled_dot_product_attention with a mask has no rule here")
    seen = [ops.reduce(part, [-2, -1], True) for part in (key, value)]
    return ops.combine(ops.mix(query, -1, value.shape[-1]), *seen)


@_module_rule("attention", nn.MultiheadAttention)
def _multihead_module(ops, module, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, **_):
    if attn_mask is not None or key_padding_mask is not None:
        raise UntraceableError("MultiheadAttention with a mask has no rule here")
    tokens = 1 if module.batch_first else 0
    seen = [ops.reduce(part, [tokens, -1], True) for part in (key, value)]
    return ops.combine(ops.mix(query, -1, module.embed_dim), *seen), None


# ---- moving numbers about --------------------------------------------------------------------------------------------


def _numbers(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else tuple(values)


@_rule("reshape", "reshape", "view", "_unsafe_view")
def _reshape(ops, x, *shape):
    return ops.reshape(x, _numbers(shape))


@_rule("flatten")
def _flatten(ops, x, start_dim=0, end_dim=-1):
    first, last = start_dim % len(x.shape), end_dim % len(x.shape)
    shape = tuple(x.shape)
    return ops.reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@_module_rule("flatten", nn.Flatten)
def _flatten_module(ops, module, x):
    return _flatten(ops, x, module.start_dim, module.end_dim)


@_rule("unflatten")
def _unflatten(ops, x, dim, sizes):
    dim %= len(x.shape)
    shape, sizes = tuple(x.shape), list(sizes)
    if -1 in sizes:
        sizes[sizes.index(-1)] = shape[dim] // -math.prod(sizes)
    return ops.reshape(x, (*shape[:dim], *sizes, *shape[dim + 1 :]))


@_module_rule("unflatten", nn.Unflatten)
def _unflatten_module(ops, module, x):
    return _unflatten(ops, x, module.dim, module.unflattened_size)


@_rule("squeeze")
def _squeeze(ops, x, dim=None):
    dims = range(len(x.shape)) if dim is None else [d % len(x.shape) for d in ([dim] if isinstance(dim, int) else dim)]
    return ops.reshape(x, [n for i, n in enumerate(x.shape) if not (i in dims and n == 1)])


@_rule("unsqueeze")
def _unsqueeze(ops, x, dim):
    shape = list(x.shape)
    shape.insert(dim % (len(shape) + 1), 1)
    return ops.reshape(x, shape)


@_rule("permute")
def _permute(ops, x, *order, dims=None):
    return ops.permute(x, _numbers(order) if dims is None else tuple(dims))


@_rule("transpose", "transpose", "swapaxes", "swapdims")
def _transpose(ops, x, dim0, dim1):
    order = list(range(len(x.shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return ops.permute(x, order)


@_rule("expand")
def _expand(ops, x, *sizes):
    sizes = _numbers(sizes)
    lead = len(sizes) - len(x.shape)
    shape = [old if new == -1 else new for old, new in zip((1,) * lead + tuple(x.shape), sizes, strict=True)]
    if not isinstance(x, Fields):
        return x.expand(*shape)
    return fields.union([x, fields.constant(shape, x)])


@_rule("chunk")
def _chunk(ops, x, chunks, dim=0):
    return _split(ops, x, -(-x.shape[dim] // chunks), dim)


@_rule("split", "split", "unsafe_split")
def _split(ops, x, split_size, dim=0):
    total = x.shape[dim]
    if isinstance(split_size, int):
        split_size = [min(split_size, total - first) for first in range(0, total, split_size)]
    ends = accumulate(split_size, initial=0)
    return tuple(ops.pick(x, dim, range(first, last)) for first, last in pairwise(ends))


@_rule("unbind")
def _unbind(ops, x, dim=0):
    return tuple(_select(ops, x, dim, i) for i in range(x.shape[dim]))


@_rule("select")
def _select(ops, x, dim, index):
    dim, units = dim % len(x.shape), x.shape[dim]
    picked = ops.pick(x, dim, range(index % units, index % units + 1))
    return ops.reduce(picked, [dim], False)


@_rule("narrow")
def _narrow(ops, x, dim, start, length):
    return ops.pick(x, dim, range(start % x.shape[dim], start % x.shape[dim] + length))


@_rule("slice", "getitem")
def _getitem(ops, x, index):
    index = index if isinstance(index, tuple) else (index,)
    if len(index) == 1 and _is_value(index[0]):
        if isinstance(x, Fields) and x.is_constant:
            return fields.constant((*index[0].shape, *x.shape[1:]), x)
        if isinstance(x, torch.Tensor) and not x.requires_grad:
            return torch.zeros((*index[0].shape, *x.shape[1:]))
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


@_rule("cat", "cat", "concat", "concatenate")
def _cat(ops, tensors, dim=0, axis=None):
    return ops.join(list(tensors), dim if axis is None else axis)


@_rule("stack")
def _stack(ops, tensors, dim=0):
    return ops.join([_unsqueeze(ops, x, dim) for x in tensors], dim)


@_rule("roll")
def _roll(ops, x, shifts, dims):
    for shift, dim in zip(_per_axis(shifts, 1), _per_axis(dims, 1), strict=True):
        x = ops.pick(x, dim, np.roll(np.arange(x.shape[dim]), shift))
    return x


@_rule("flip")
def _flip(ops, x, *dims):
    for dim in _numbers(dims):
        x = ops.pick(x, dim, np.arange(x.shape[dim])[::-1])
    return x


@_rule("pixel_unshuffle")
def _pixel_unshuffle(ops, x, downscale_factor):
    r, (batch, channels, height, width) = downscale_factor, x.shape
    if height % r or width % r:
        raise ValueError(f"its input of {height}×{width} pixels cannot be cut into {r}×{r} blocks; pad it first")
    ops.geometry = _geometry(2, r, r, 0, 1)
    x = ops.reshape(x, (batch, channels, height // r, r, width // r, r))
    return ops.reshape(ops.permute(x, (0, 1, 3, 5, 2, 4)), (batch, channels * r * r, height // r, width // r))


@_rule("pixel_shuffle")
def _pixel_shuffle(ops, x, upscale_factor):
    r, (batch, channels, height, width) = upscale_factor, x.shape
    x = ops.reshape(x, (batch, channels // r**2, r, r, height, width))
    return ops.reshape(ops.permute(x, (0, 1, 4, 2, 5, 3)), (batch, channels // r**2, height * r, width * r))


@_rule("channel_shuffle")
def _channel_shuffle(ops, x, groups):
    shape = tuple(x.shape)
    x = ops.reshape(x, (shape[0], groups, shape[1] // groups, *shape[2:]))
    return ops.reshape(ops.permute(x, (0, 2, 1, *range(3, len(shape) + 1))), shape)


@_module_rule("pixel_unshuffle", nn.PixelUnshuffle)
def _pixel_unshuffle_module(ops, module, x):
    return _pixel_unshuffle(ops, x, module.downscale_factor)


@_module_rule("pixel_shuffle", nn.PixelShuffle)
def _pixel_shuffle_module(ops, module, x):
    return _pixel_shuffle(ops, x, module.upscale_factor)


@_module_rule("channel_shuffle", nn.ChannelShuffle)
def _channel_shuffle_module(ops, module, x):
    return _channel_shuffle(ops, x, module.groups)


# ---- torchvision's own functions, which fx records as one step each --------------------------------------------------


@_rule("patch_merging", "_patch_merging_pad")
def _patch_merging(ops, x):
    height, width = x.shape[-3:-1]
    x = ops.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), "constant")
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    parts = [
        ops.pick(ops.pick(x, -3, range(row, x.shape[-3], 2)), -2, range(column, x.shape[-2], 2))
        for row, column in corners
    ]
    return ops.join(parts, -1)


@_rule("constant", "_get_relative_position_bias")
def _relative_position_bias(ops, table, *_):
    return ops.reduce(table, list(range(len(table.shape))), True)


@_rule("attention", "shifted_window_attention")
def _shifted_window_attention(
    ops, x, qkv_weight, proj_weight, relative_position_bias, window_size, num_heads, shift_size, *_, **__
):
    from torchvision.models.swin_transformer import shifted_window_attention

    def call(value, qkv, proj):
        bias = value.new_zeros(())
        return shifted_window_attention(value, qkv, proj, bias, list(window_size), num_heads, list(shift_size))

    return ops.shifted_windows(x, window_size, shift_size, call)


# ---- the walk --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One operation of the graph: its row's name and kind, its result, and the window it had, if any."""

    name: str
    kind: str
    result: Any
    geometry: Geometry | None = None
    note: str = ""


def record(module: nn.Module) -> fx.GraphModule:
    """The graph of a module as it behaves when evaluated; the module itself stays as it is.

    Raises UntraceableError with the line of code where recording stopped.
    """
    # A copy of the structure alone: it shares every parameter and buffer with the original.
    shared = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    twin = copy.deepcopy(module, shared).eval()
    try:
        return fx.symbolic_trace(twin)
    except Exception as error:
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if "/torch/" not in frame.filename.replace("\\", "/") and frame.filename != __file__
        ]
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip() if frames else ""
        where = f" at `{line}` in {frames[-1].name}" if line else ""
        raise UntraceableError(
            f"{type(module).__name__} cannot be traced{where}: {str(error).splitlines()[0]}; "
            "what the module does must not depend on the values it is given"
        ) from error


class Walk(fx.Interpreter):
    """Runs a recorded graph on values that know `Operations`, and keeps each step."""

    def __init__(self, graph: fx.GraphModule, operations: Operations, constant: Callable[[torch.Tensor], Any]):
        super().__init__(graph)
        self.operations = operations
        self.constant = constant
        self.steps: list[Step] = []
        self._names: Counter[str] = Counter()
        # Errors here name the layer themselves; fx would add the whole graph's position and file paths.
        self.extra_traceback = False

    def run_node(self, node: fx.Node) -> Any:
        """One step; errors name the layer."""
        self._kind = None
        self.operations.geometry, self.operations.note = None, ""
        name = str(node.target) if node.op == "call_module" else node.name
        try:
            result = super().run_node(node)
        except UntraceableError as error:
            raise UntraceableError(f"{name}: {error}") from error.__cause__
        except (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError) as error:
            raise ValueError(f"{name}: {error}") from error
        first = result[0] if self._kind == "attention" and isinstance(result, tuple) else result
        if self._kind and _is_value(first):
            self._names[name] += 1
            # A module called again, as ResNet calls its ReLU, gets a row for each call.
            unique = name if self._names[name] == 1 else f"{name} ({self._names[name]})"
            self.steps.append(Step(unique, self._kind, first, self.operations.geometry, self.operations.note))
        return result

    def get_attr(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A parameter or buffer by its own: it depends on no pixel."""
        value = self.fetch_attr(target)
        return self.constant(value) if isinstance(value, torch.Tensor) else value

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A layer of torch.nn."""
        module = self.fetch_attr(target)
        if type(module) not in MODULES:
            raise UntraceableError(f"no rule for the module {type(module).__name__}")
        self._kind, rule = MODULES[type(module)]
        return rule(self.operations, module, *args, **kwargs)

    def call_function(self, target: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        """A function of torch, torch.nn.functional, operator or torchvision."""
        name = getattr(target, "__name__", str(target))
        values = _values(args) + _values(kwargs)
        if not values or name in QUERIES or (name == "getitem" and not _is_value(args[0])):
            return target(*args, **kwargs)
        home = (getattr(target, "__module__", None) or "torch").partition(".")[0]
        if home not in ("torch", "_operator", "builtins", "math", "torchvision"):
            raise UntraceableError(f"no rule for the function {home}.{name}")
        return self._follow(name, args, kwargs)

    def call_method(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A method of a tensor."""
        if target in QUERIES or not _is_value(args[0]):
            return getattr(args[0], target)(*args[1:], **kwargs)
        return self._follow(target, args, kwargs)

    def _follow(self, name: str, args: tuple, kwargs: dict) -> Any:
        name = name if name in RULES else name.strip("_")
        if name not in RULES:
            raise UntraceableError(f"no rule for the operation {name}")
        self._kind, rule = RULES[name]
        return rule(self.operations, *args, **{key: value for key, value in kwargs.items() if key != "inplace"})


# ---- intervals of the image as values --------------------------------------------------------------------------------


class FieldOperations:
    """`Operations` on `Fields`."""

    def __init__(self) -> None:
        self.geometry: Geometry | None = None
        self.note = ""

    def combine(self, *values: Fields) -> Fields:
        """Union."""
        self.note = _alignment(values)
        return values[0] if len(values) == 1 else fields.union(values)

    def _grouped(self, x: Fields, groups: int, channels: int) -> Fields:
        """All channels of a group seen together, `channels` new ones made of the groups."""
        if (1, 0) not in x.reach and not any(dim == 1 for dim, _ in x.reach):
            return x.resize(1, channels)
        batch, before, *rest = x.shape
        grouped = x.reshape((batch, groups, before // groups, *rest)).mix(2, channels // groups)
        return grouped.reshape((batch, channels, *rest))

    def window(self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Fields:
        """Slide on each axis, then let the channels of a group see together."""
        self.geometry = geometry
        first = x.ndim - len(outputs)
        for axis, n in enumerate(outputs):
            windows = fields.sliding(
                geometry.kernel[axis], geometry.stride[axis], geometry.padding[axis][0], geometry.dilation[axis]
            )
            x = x.slide(first + axis, windows, n)
        return self._grouped(x, groups, channels)

    def transposed(self, x: Fields, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int) -> Fields:
        """As `window`, seen from the other side."""
        self.geometry = geometry
        first = x.ndim - len(outputs)
        for axis, n in enumerate(outputs):
            windows = fields.transposed(
                geometry.kernel[axis], geometry.stride[axis], geometry.padding[axis][0], geometry.dilation[axis]
            )
            x = x.slide(first + axis, windows, n)
        return self._grouped(x, groups, channels)

    def adaptive(self, x: Fields, outputs: Sequence[int]) -> Fields:
        """Windows of n / m pixels, moving by as many; whole numbers or not."""
        inputs = x.shape[x.ndim - len(outputs) :]
        widest = [fields.adaptive(n, m) for n, m in zip(inputs, outputs, strict=True)]
        kernel = tuple(max(int((row != fields.NOWHERE).sum()) for row in w.taps) for w in widest)
        ratios = tuple(Fraction(n, m) for n, m in zip(inputs, outputs, strict=True))
        stride = tuple(int(r) if r.denominator == 1 else float(r) for r in ratios)
        none = ((0, 0),) * len(outputs)
        self.geometry = Geometry(kernel, stride, none, (1,) * len(outputs))
        whole = max(outputs) == 1
        exact = all(ratio.denominator == 1 for ratio in ratios)
        self.note = "whole input" if whole else "exact windows" if exact else "fractional windows"
        for axis, (windows, m) in enumerate(zip(widest, outputs, strict=True)):
            x = x.slide(x.ndim - len(outputs) + axis, windows, m)
        return x

    def resize(
        self, x: Fields, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool
    ) -> Fields:
        """Each output reads one to four neighbours on each axis."""
        first = x.ndim - len(outputs)
        for axis, (m, ratio) in enumerate(zip(outputs, ratios, strict=True)):
            windows = fields.resized(x.shape[first + axis], m, ratio, mode, align_corners, x.clipped)
            x = x.slide(first + axis, windows, m)
        return x

    def pad(self, x: Fields, widths: Widths, mode: str) -> Fields:
        """Padding by zeros shows nothing; mirrored pixels show themselves where the image is clipped."""
        styles = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        first = x.ndim - len(widths)
        for axis, (before, after) in enumerate(widths):
            dim = first + axis
            n = x.shape[dim]
            if mode in styles and x.clipped:
                taps = np.pad(np.arange(n), (before, after), mode=styles[mode])
                x = x.pick(dim, taps)
            elif before or after:
                x = x.slide(dim, fields.sliding(1, 1, before), n + before + after)
        self.geometry = Geometry((1,) * len(widths), (1,) * len(widths), widths, (1,) * len(widths))
        return x

    def mix(self, x: Fields, dim: int, units: int) -> Fields:
        """A dense layer sees all along its dimension."""
        return x.mix(dim, units)

    def reduce(self, x: Fields, dims: Sequence[int], keep: bool) -> Fields:
        """A sum sees all it sums over."""
        axes = len(x.base)
        if x.ndim == axes + 2:
            summed = x.dims(list(dims))
            kernel = tuple(x.shape[dim] if dim in summed else 1 for dim in range(2, x.ndim))
            self.geometry = Geometry(kernel, (1,) * axes, ((0, 0),) * axes, (1,) * axes)
        return x.reduce(dims, keep)

    def spread(self, x: Fields, dims: Sequence[int]) -> Fields:
        """All see all."""
        return x.spread(list(dims))

    def reshape(self, x: Fields, shape: Sequence[int]) -> Fields:
        """As a tensor does; where no positions are left, a unit is all of them together."""
        axes = len(x.base)
        if x.ndim == axes + 2 and len(shape) == 2:
            self.geometry = Geometry(x.shape[2:], (1,) * axes, ((0, 0),) * axes, (1,) * axes)
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
        return fields.join(values, dim)

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
            x = x.slide(1 + axis, fields.ragged(rows, None), n)
        return x.mix(-1, x.shape[-1])


def trace_fields(module: nn.Module, input_size: Sequence[int], clipped: bool = False) -> list[Step]:
    """Every operation of a module with what its units see; result of each step: `Fields`.

    clipped: what they see of a real image, border and all, instead of the field as it goes on beyond the border.
    """
    start = fields.image(input_size, clipped)
    walk = Walk(record(module), FieldOperations(), lambda tensor: fields.constant(tensor.shape, start))
    walk.run(start)
    steps = [step for step in walk.steps if not step.result.is_constant]
    if not steps:
        raise ValueError(f"{type(module).__name__} has no layers; give at least one")
    return steps


def _agree(values: Sequence[Any]) -> Any:
    """One number where all axes agree, a tuple where not."""
    return values[0] if len(set(values)) == 1 else tuple(values)


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
            if dim == main:
                ends = reach.at(np.arange(x.shape[dim]))
                low, high = low + ends[0], high + ends[1]
            else:
                hull = reach.hull(x.shape[dim])
                low, high = low + hull[0], high + hull[1]
        seeing = high >= low
        sizes.append(_plain((high - low)[seeing].max(initial=-1) + 1))
        # The first unit that sees anything: a transposed convolution may leave some that see nothing.
        first = int(np.argmax(seeing))
        starts.append(float((low[first] + high[first]) / 2 + 0.5) if seeing.any() else math.nan)
        in_place = main is not None and x.ndim == len(x.base) + 2
        jumps.append(_plain(x.reach[main, axis].jump if in_place else x.jump[axis]))
    return {"size": _agree(sizes), "jump": _agree(jumps), "start": _agree(starts)}


def table_rows(module: nn.Module, input_size: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `cellgrad.receptive.receptive_field` for a module."""
    rows, axes = [], len(input_size) - 1
    ones = Geometry((1,) * axes, (1,) * axes, ((0, 0),) * axes, (1,) * axes)
    for step in trace_fields(module, input_size):
        geometry = step.geometry or ones
        kind = step.kind
        if step.note == "whole input":
            kind = kind.replace("adaptive", "global")
        elif step.note:
            kind = f"{kind}, {step.note}"
        if not step.result.exact:
            kind = f"{kind}, upper bound"
        rows.append(
            {
                "layer": step.name,
                "kind": kind,
                "kernel": _agree(geometry.kernel),
                "stride": _agree(geometry.stride),
                "padding": _agree([a if a == b else (a, b) for a, b in geometry.padding]),
                "dilation": _agree(geometry.dilation),
                "output_size": tuple(step.result.shape[1:]),
                **summary(step.result),
            }
        )
    return rows
