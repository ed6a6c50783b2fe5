"""Sums over dimensions, products of matrices, attention and recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cellgrad.receptive.operations import Operations, UntraceableError
from cellgrad.receptive.rules import Constant, doubted, is_value, lifted, per_axis, rule, values_in
from cellgrad.receptive.rules.pointwise import weights_hidden


def _reduced(ops: Operations, x: Any, dim: Any, keepdim: bool) -> Any:
    dims = range(len(x.shape)) if dim is None or dim == () else per_axis(dim, 1)
    return ops.reduce(x, list(dims), bool(keepdim))


@rule("mean", "mean", "nanmean")
def mean(ops: Operations, x: Any, dim=None, keepdim=False, dtype=None) -> Any:
    """A mean over dimensions, all of them if none is given."""
    return _reduced(ops, x, dim, keepdim)


@rule("sum", "sum", "nansum")
def summed(ops: Operations, x: Any, dim=None, keepdim=False, dtype=None) -> Any:
    """A sum over dimensions."""
    return _reduced(ops, x, dim, keepdim)


@rule("", "prod", "amax", "amin", "logsumexp", "any", "all", "count_nonzero")
def extreme(ops: Operations, x: Any, dim=None, keepdim=False, dtype=None) -> Any:
    """The largest number, the product and so on over dimensions."""
    return _reduced(ops, x, dim, keepdim)


@rule("", "argmax", "argmin")
def place_of_extreme(ops: Operations, x: Any, dim=None, keepdim=False) -> Any:
    """Where the largest number is: it depends on all that are compared."""
    return _reduced(ops, x, dim, keepdim)


@rule("", "std", "var", "std_mean", "var_mean")
def spread_of_numbers(ops: Operations, x: Any, dim=None, unbiased=True, keepdim=False, correction=1) -> Any:
    """Standard deviation or variance over dimensions, alone or with the mean."""
    if isinstance(dim, bool):
        dim = None
    result = _reduced(ops, x, dim, keepdim)
    return result if ops.outputs == tuple(result.shape) else (result, result)


@rule("norm", "norm", "vector_norm")
def norm(ops: Operations, x: Any, p="fro", dim=None, keepdim=False, dtype=None, ord=2) -> Any:
    """A norm over dimensions."""
    return _reduced(ops, x, dim, keepdim)


@rule("", "max", "min")
def maximum(ops: Operations, x: Any, dim=None, keepdim=False, other=None) -> Any:
    """The largest of all numbers; along a dimension, with its place; or of two tensors, number by number."""
    if other is not None or isinstance(dim, Constant) or is_value(dim):
        return ops.combine(list(values_in(x, dim, other)), ops.outputs)
    result = _reduced(ops, x, dim, keepdim)
    return result if dim is None else (result, result)


@rule("", "median")
def median(ops: Operations, x: Any, dim=None, keepdim=False) -> Any:
    """The middle one of all numbers, or along a dimension, with its place."""
    return maximum(ops, x, dim, keepdim)


@rule("sort", "sort")
def ordered(ops: Operations, x: Any, dim=-1, descending=False, stable=False) -> Any:
    """Each place may get any of the numbers along the dimension."""
    result = ops.spread(x, (dim,))
    return result, result


@rule("topk", "topk")
def topk(ops: Operations, x: Any, k: int, dim=-1, largest=True, sorted=True) -> Any:
    """The largest k along a dimension: each may be any of them."""
    result = ops.mix(x, dim, k)
    return result, result


@rule("", "cumsum", "cumprod")
def running(ops: Operations, x: Any, dim: int, dtype=None) -> Any:
    """Each unit sees those before it along the dimension."""
    return ops.reads(x, dim, [range(o + 1) for o in range(x.shape[dim])])


# ---- products --------------------------------------------------------------------------------------------------------


@rule("linear", "linear")
def linear(ops: Operations, x: Any, weight: Any, bias=None) -> Any:
    """All numbers of the last dimension together."""
    if is_value(weight) or not is_value(x):
        raise UntraceableError("linear with weights that the network computes has no rule; use matmul")
    result = ops.mix(x, -1, weight.shape[0]) if len(weight.shape) > 1 else ops.reduce(x, [-1], False)
    return doubted(ops, result, weight)


@rule("bilinear", "bilinear")
def bilinear(ops: Operations, x: Any, other: Any, weight: Any, bias=None) -> Any:
    """All numbers of both last dimensions together."""
    values = [ops.mix(value, -1, weight.shape[0]) for value in values_in(x, other)]
    return ops.combine(values, ops.outputs)


@rule("matmul", "matmul", "bmm", "mm", "mv", "__matmul__", "__rmatmul__")
def matmul(ops: Operations, x: Any, other: Any = None, mat2: Any = None, tensor2: Any = None) -> Any:
    """Rows of the first with columns of the second."""
    a, b = x, next(value for value in (other, mat2, tensor2) if value is not None)
    vectors = len(a.shape) == 1, len(b.shape) == 1
    outputs, factors = ops.outputs, (a, b)
    a, b = lifted(ops, a), lifted(ops, b)
    a = ops.reshape(a, (1, *a.shape)) if vectors[0] else a
    b = ops.reshape(b, (*b.shape, 1)) if vectors[1] else b
    full = outputs
    if vectors[0]:
        full = (*outputs[:-1], 1, outputs[-1]) if not vectors[1] else (1,)
    if vectors[1]:
        full = (*full, 1)
    result = doubted(ops, ops.combine([ops.reduce(a, [-1], True), ops.reduce(b, [-2], True)], full), *factors)
    ops.geometry = None
    return ops.reshape(result, outputs) if any(vectors) else result


@rule("matmul", "addmm", "baddbmm", "addbmm")
def addmm(
    ops: Operations, x: Any, mat1: Any = None, mat2: Any = None, beta=1, alpha=1, batch1=None, batch2=None
) -> Any:
    """A product of matrices, added to something."""
    first, second = (mat1, mat2) if mat1 is not None else (batch1, batch2)
    product = matmul(ops, first, second)
    return ops.combine(list(values_in(x, product)), ops.outputs)


@rule("einsum", "einsum")
def einsum(ops: Operations, equation: str, *operands: Any) -> Any:
    """Sums over the letters that do not stay."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    if not arrow or "." in equation:
        raise UntraceableError(f"einsum {equation!r}: only equations with -> and without ... have a rule here")
    outputs, parts = ops.outputs, []
    for letters, operand in zip(inputs.split(","), operands, strict=True):
        operand = lifted(ops, operand)
        operand = ops.reduce(operand, [i for i, letter in enumerate(letters) if letter not in output], False)
        left = [letter for letter in letters if letter in output]
        operand = ops.permute(operand, [left.index(letter) for letter in output if letter in left])
        shape = iter(operand.shape)
        parts.append(ops.reshape(operand, [next(shape) if letter in left else 1 for letter in output]))
    ops.geometry = None
    return doubted(ops, ops.combine(parts, outputs), *operands)


# ---- attention -------------------------------------------------------------------------------------------------------


def _attended(ops: Operations, query: Any, seen: Sequence[Any], tokens: int, mask: Any, causal: bool) -> Any:
    """Each token with all that it may attend to, along the dimension `tokens`; all channels together.

    A mask with known values that is the same for all heads is followed; any other leaves an upper bound.
    """
    shape = (*query.shape[:-1], 1)
    query = ops.mix(lifted(ops, query), -1, 1)
    seen = [ops.mix(lifted(ops, part), -1, 1) for part in seen]
    many = seen[0].shape[tokens]
    visible, bounded = None, False
    if mask is not None:
        hidden = weights_hidden(mask.known) if isinstance(mask, Constant) and mask.known is not None else None
        if hidden is not None and hidden.numel() == hidden.shape[-1] * hidden.shape[-2]:
            visible = ~hidden.reshape(hidden.shape[-2:])
        else:
            bounded = hidden is None or bool(hidden.any())
    if causal:
        triangle = torch.ones(shape[tokens], many, dtype=torch.bool).tril()
        visible = triangle if visible is None else visible & triangle
    if visible is not None and not visible.all():
        rows = [torch.nonzero(row).flatten().tolist() for row in visible]
        seen = [ops.reads(part, tokens, rows) for part in seen]
    else:
        seen = [ops.attended(part, tokens) for part in seen]
    result = ops.combine([query, *seen], shape)
    ops.geometry = None
    return ops.bounded(result) if bounded else result


@rule("attention", "scaled_dot_product_attention")
def attention(
    ops: Operations,
    query: Any,
    key: Any,
    value: Any,
    attn_mask=None,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    enable_gqa=False,
) -> Any:
    """Each token of the query with all keys and values that it may attend to."""
    outputs = ops.outputs
    if enable_gqa:
        raise UntraceableError("scaled_dot_product_attention with enable_gqa has no rule")
    result = _attended(ops, query, (key, value), len(outputs) - 2, attn_mask, is_causal)
    return ops.combine([result], outputs)


@rule("attention", "multi_head_attention_forward", settings=True)
def multi_head_attention(ops: Operations, query: Any, key: Any, value: Any, *settings: Any, **options: Any) -> Any:
    """As `attention`, on (tokens, batch, channels), between dense layers; and the weights."""
    mask, padding = options.get("attn_mask"), options.get("key_padding_mask")
    if isinstance(mask, Constant) and mask.known is not None and mask.known.dtype == torch.bool:
        # Here True hides.
        mask = Constant(~mask.known)
    result = _attended(ops, query, (key, value), 0, mask, False)
    result = ops.combine([result], query.shape)
    if padding is not None:
        result = ops.bounded(result)
    if not options.get("need_weights", True):
        return result, None
    weights = ops.reduce(result, range(len(result.shape)), False)
    batch = (query.shape[1],) if len(query.shape) == 3 else ()
    heads = () if options.get("average_attn_weights", True) else (settings[1],)
    return result, ops.combine([weights], (*batch, *heads, query.shape[0], key.shape[0]))


# ---- recurrence ------------------------------------------------------------------------------------------------------


@rule("", "gru", "rnn_tanh", "rnn_relu", "lstm")
def recurrent(
    ops: Operations, x: Any, state: Any, weights: Any, has_biases, layers, dropout, training, bidirectional, batch_first
) -> Any:
    """Each step sees all before it, or the whole sequence where it is read both ways; then the last states."""
    if isinstance(has_biases, list | tuple):
        raise UntraceableError("packed sequences have no rule; give padded ones")
    time = 1 if batch_first else 0
    steps, directions = x.shape[time], 2 if bidirectional else 1
    states = list(state) if isinstance(state, list | tuple) else [state]
    # A cell's state may be wider than what it gives out.
    widths = [part.shape[-1] for part in states]
    rows = [range(steps) if bidirectional else range(o + 1) for o in range(steps)]
    seen = ops.mix(ops.reads(x, time, rows), -1, directions * widths[0])
    initial = [ops.reduce(part, range(3), False) for part in values_in(states)]
    if initial:
        seen = ops.combine([seen, *initial], seen.shape)
    last = ops.reduce(x, [time, 2], True)
    last = last if batch_first is False else ops.permute(last, (1, 0, 2))
    finals = [ops.combine([last, *initial], part.shape) for part in states]
    ops.geometry = None
    return (seen, *finals)


@rule("", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", "lstm_cell")
def cell(ops: Operations, x: Any, state: Any, w_ih: Any, w_hh: Any, b_ih=None, b_hh=None) -> Any:
    """One step: all of the step's numbers, and what the state has seen."""
    states = list(state) if isinstance(state, list | tuple) else [state]
    seen = [ops.mix(value, -1, states[0].shape[-1]) for value in values_in(x, states)]
    result = ops.combine(seen, states[0].shape)
    return (result, result) if len(states) == 2 else result
