"""What works on each number alone, and what normalises."""

from __future__ import annotations

from typing import Any

import torch

from cellgrad.receptive.operations import Operations
from cellgrad.receptive.rules import Constant, doubted, is_value, rule, values_in

# Numbers this low, added before a softmax, mean "do not look there".
_HIDDEN = -50


def _hides(value: Any) -> bool:
    """Whether a constant hides something by a very low number."""
    if isinstance(value, Constant):
        known = value.known
        return known is not None and known.dtype.is_floating_point and bool((known <= _HIDDEN).any())
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= _HIDDEN


_EACH_NUMBER_ALONE = {
    "arithmetic": "abs add addcdiv addcmul ceil clamp clamp_max clamp_min clip floor floor_divide fmod hypot lerp"
    " maximum minimum nan_to_num neg negative pos positive pow reciprocal remainder round rsub sign square",
    "operators": "__floordiv__ __mod__ __pow__ __rfloordiv__ __rmod__ __rpow__ __rsub__"
    " __and__ __invert__ __or__ __rand__ __ror__ __rxor__ __xor__",
    "functions": "atan atan2 cos cosh erf erfinv exp expm1 log log1p log2 logaddexp logit rsqrt sin sinc sinh sqrt tan"
    " tanh",
    "comparisons": "bitwise_and bitwise_not bitwise_or eq ge gt isfinite isnan le logical_and logical_not logical_or lt"
    " ne",
    "activations": "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish prelu relu relu6"
    " rrelu selu sigmoid silu softplus softshrink softsign tanhshrink threshold",
    "noise": "alpha_dropout bernoulli dropout dropout1d dropout2d dropout3d exponential feature_alpha_dropout",
    "types": "bfloat16 bool clone contiguous detach double float half int long requires_grad to type view_as_real",
}


@rule("", *" ".join(_EACH_NUMBER_ALONE.values()).split(), settings=True)
@rule("div", "div", "divide", "true_divide", "__rdiv__", "__rtruediv__", settings=True)
@rule("sub", "sub", "subtract", settings=True)
def pointwise(ops: Operations, *arguments: Any, **options: Any) -> Any:
    """Each number alone, with those in the same place of the other tensors."""
    result = ops.combine(list(values_in(arguments, options)), ops.outputs)
    return ops.bounded(result) if any(_hides(value) for value in arguments if isinstance(value, Constant)) else result


@rule("mul", "mul", "multiply", "__rmul__", settings=True)
def product(ops: Operations, *factors: Any, **options: Any) -> Any:
    """Each number alone; an upper bound where a constant with zeros in it hides some."""
    return doubted(ops, pointwise(ops, *factors, **options), *factors, *options.values())


@rule("", "where", settings=True)
def where(ops: Operations, *arguments: Any, **options: Any) -> Any:
    """Numbers of one or the other tensor; an upper bound where a constant chooses."""
    result = pointwise(ops, *arguments, **options)
    chooses = any(
        isinstance(part, Constant) and part.tensor.dtype == torch.bool for part in (*arguments, *options.values())
    )
    return ops.bounded(result) if chooses else result


@rule("type_as", "type_as")
def type_as(ops: Operations, x: Any, other: Any) -> Any:
    """The same numbers in the type of the other."""
    return ops.combine([x], ops.outputs)


@rule("masked_fill", "masked_fill")
def masked_fill(ops: Operations, x: Any, mask: Any, value: Any) -> Any:
    """Some numbers replaced; where they are hidden from a softmax, what follows is an upper bound."""
    result = ops.combine(list(values_in(x, mask)), ops.outputs)
    covers = isinstance(mask, Constant) and (mask.known is None or bool(mask.known.any()))
    return ops.bounded(result) if covers or _hides(value) else result


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
