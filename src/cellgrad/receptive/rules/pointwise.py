"""What works on each number alone, and what normalises."""

from __future__ import annotations

from typing import Any

import torch

from cellgrad.receptive.operations import Operations
from cellgrad.receptive.rules import Constant, is_value, rule, values_in

# Numbers this low, added before a softmax, mean "do not look there".
_HIDDEN = -50


def _hides(value: Any) -> bool:
    """Whether a constant hides something by a very low number."""
    if isinstance(value, Constant):
        known = value.known
        return known is not None and known.dtype.is_floating_point and bool((known <= _HIDDEN).any())
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= _HIDDEN


_FUNCTIONS = (
    *("abs", "add", "addcdiv", "addcmul", "alpha_dropout", "bernoulli", "bitwise_and", "bitwise_not", "bitwise_or"),
    *("ceil", "celu", "clamp", "clamp_max", "clamp_min", "clip", "clone", "contiguous", "cos", "detach", "div"),
    *("divide", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu", "eq", "erf", "exp", "expm1", "float"),
    *("feature_alpha_dropout", "floor", "floor_divide", "fmod", "ge", "gelu", "gt", "half", "double", "bfloat16"),
    *("hardshrink", "hardsigmoid", "hardswish", "hardtanh", "isfinite", "isnan", "le", "leaky_relu", "lerp", "log"),
    *("log1p", "log2", "logical_and", "logical_not", "logical_or", "logsigmoid", "lt", "maximum", "minimum", "mish"),
    *("mul", "multiply", "nan_to_num", "ne", "neg", "negative", "pos", "pow", "positive", "prelu", "reciprocal"),
    *("relu", "relu6", "remainder", "requires_grad", "round", "rrelu", "rsqrt", "rsub", "selu", "sigmoid", "sign"),
    *("silu", "sin", "sinh", "cosh", "atan", "atan2", "sinc", "softplus", "softshrink", "softsign", "sqrt", "square"),
    *("sub", "subtract", "tan", "tanh", "tanhshrink", "threshold", "to", "true_divide", "type", "type_as", "where"),
    *("long", "int", "bool", "erfinv", "logit", "hypot", "logaddexp", "view_as_real", "exponential"),
    *("__rsub__", "__rdiv__", "__rtruediv__", "__pow__", "__rpow__", "__floordiv__", "__rfloordiv__", "__rmul__"),
    *("__mod__", "__and__", "__or__", "__invert__", "__rmod__", "__rxor__", "__xor__", "__rand__", "__ror__"),
)


def _pointwise(ops: Operations, *arguments: Any, **options: Any) -> Any:
    """Each number alone, with those in the same place of the other tensors."""
    result = ops.combine(list(values_in(arguments, options)), ops.outputs)
    return ops.bounded(result) if any(_hides(value) for value in arguments if isinstance(value, Constant)) else result


for _name in _FUNCTIONS:
    rule(_name.strip("_"), _name, settings=True)(_pointwise)
# True division and subtraction have one name in the table, whichever way they are written.
rule("div", "div", "divide", "true_divide", "__rdiv__", "__rtruediv__", settings=True)(_pointwise)
rule("sub", "sub", "subtract", settings=True)(_pointwise)
rule("mul", "mul", "multiply", "__rmul__", settings=True)(_pointwise)


@rule("masked_fill", "masked_fill")
def masked_fill(ops: Operations, x: Any, mask: Any, value: Any) -> Any:
    """Some numbers replaced; where they are hidden from a softmax, what follows is an upper bound."""
    result = ops.combine(list(values_in(x, mask)), ops.outputs)
    return ops.bounded(result) if _hides(value) else result


@rule("constant", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")
def like(ops: Operations, x: Any, *settings: Any, fill_value=None, dtype=None, device=None, memory_format=None) -> None:
    """A constant with the shape of x."""


@rule("constant", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor")
def new(ops: Operations, x: Any, *settings: Any, size=None, fill_value=None, dtype=None, device=None) -> None:
    """A constant."""


@rule("constant", "fill", "zero", "copy", "normal", "uniform")
def filled(ops: Operations, x: Any, value: Any = None, *settings: Any, non_blocking=False) -> Any:
    """All of x replaced."""
    return ops.combine([value], ops.outputs) if is_value(value) else ops.constant(ops.outputs)


@rule("batch_norm", "batch_norm")
def batch_norm(
    ops: Operations,
    x: Any,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    cudnn_enabled=True,
) -> Any:
    """Each channel scaled and shifted; by its own mean and variance where it has no running ones."""
    if running_mean is None or training:
        return instance_norm(ops, x)
    return ops.combine([x], ops.outputs)


@rule("instance_norm", "instance_norm")
def instance_norm(
    ops: Operations,
    x: Any,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
) -> Any:
    """Each channel by its own mean and variance over all positions."""
    return ops.spread(x, range(2, len(x.shape))) if use_input_stats else ops.combine([x], ops.outputs)


@rule("layer_norm", "layer_norm", "rms_norm")
def layer_norm(ops: Operations, x: Any, normalized_shape, weight=None, bias=None, eps=1e-5) -> Any:
    """By the mean and variance over the last dimensions."""
    return ops.spread(x, range(-len(normalized_shape), 0))


@rule("group_norm", "group_norm")
def group_norm(ops: Operations, x: Any, num_groups, weight=None, bias=None, eps=1e-5) -> Any:
    """By the mean and variance over all positions of a group of channels."""
    shape = x.shape
    grouped = ops.reshape(x, (shape[0], num_groups, shape[1] // num_groups, *shape[2:]))
    ops.outputs = tuple(shape)
    result = ops.reshape(ops.spread(grouped, range(2, len(grouped.shape))), shape)
    ops.geometry = None
    return result


@rule("local_response_norm", "local_response_norm")
def local_response_norm(ops: Operations, x: Any, size, alpha=1e-4, beta=0.75, k=1.0) -> Any:
    """By neighbouring channels: all channels are one unit."""
    return ops.spread(x, (1,))


@rule("softmax", "softmax", "log_softmax", "softmin", "gumbel_softmax")
def softmax(ops: Operations, x: Any, dim=None, _stacklevel=3, dtype=None, tau=1, hard=False) -> Any:
    """By the sum along a dimension."""
    if dim is None:
        dim = 0 if len(x.shape) in (0, 1, 3) else 1
    return ops.spread(x, (dim,))


@rule("normalize", "normalize")
def normalize(ops: Operations, x: Any, p=2.0, dim=1, eps=1e-12) -> Any:
    """By the norm along a dimension."""
    return ops.spread(x, tuple(dim) if isinstance(dim, tuple | list) else (dim,))


@rule("glu", "glu")
def glu(ops: Operations, x: Any, dim=-1) -> Any:
    """The first half times a function of the second."""
    half = x.shape[dim] // 2
    return ops.combine([ops.pick(x, dim, range(half)), ops.pick(x, dim, range(half, 2 * half))], ops.outputs)


@rule("cosine_similarity", "cosine_similarity")
def cosine_similarity(ops: Operations, x: Any, other: Any, dim=1, eps=1e-8) -> Any:
    """Two tensors multiplied and summed along a dimension."""
    values = [ops.reduce(value, [dim], False) for value in values_in(x, other)]
    return ops.combine(values, ops.outputs)


def weights_hidden(mask: torch.Tensor) -> torch.Tensor:
    """Which entries of an attention mask hide something: False in a boolean one, a very low number in another."""
    return ~mask if mask.dtype == torch.bool else mask <= _HIDDEN
