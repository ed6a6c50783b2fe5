"""The receptive field of a list of layers: three lines of arithmetic, and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from cellgrad.layers import Layer, Size, layer_table, named, pair


def step(
    size: int, jump: int, start: float, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> tuple[int, int, float]:
    """One layer's step of the recurrence, on one axis: the new size, jump and start, all in input pixels.

    Its window has dilation·(kernel − 1) + 1 units, `jump` pixels apart, and begins `padding` units before the first.
    An input pixel is size 1, jump 1, start 0.5. Araujo, Norris, Sim: Computing Receptive Fields, Distill 2019, (2)–(4).
    """
    further = dilation * (kernel - 1)
    return size + further * jump, jump * stride, start + (further / 2 - padding) * jump


def agree(values: Sequence[Any]) -> Any:
    """One number where all axes agree, a tuple where not."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _window(layer: Layer, input_size: Size) -> dict[str, tuple[int, ...]]:
    """Kernel, stride, padding and dilation of a layer on each axis; what slides no window has a kernel of 1."""
    window: dict[str, tuple[int, ...]] = {
        name: pair(getattr(layer, name)) for name in ("kernel", "stride", "padding", "dilation")
    }
    pixels = tuple(input_size[1:]) or (1, 1)
    if layer.kind == "global_avg_pool":
        return window | {"kernel": pixels, "stride": pixels}
    # All positions become one list of numbers, which the next layer sees as one.
    return window | {"kernel": pixels} if layer.kind == "flatten" else window


def layer_rows(layers: Sequence[Layer], input_size: Size) -> list[dict[str, Any]]:
    """The rows of `cellgrad.receptive.receptive_field` for a list of layers."""
    rows, fields = [], [(1, 1, 0.5), (1, 1, 0.5)]
    table = layer_table(layers, input_size)
    for layer, before, after in zip(named(layers), table["input_size"], table["output_size"], strict=True):
        window = _window(layer, before)
        fields = [
            step(*field, *(window[name][axis] for name in ("kernel", "stride", "padding", "dilation")))
            for axis, field in enumerate(fields)
        ]
        size, jump, start = (agree(values) for values in zip(*fields, strict=True))
        row = {name: agree(values) for name, values in window.items()}
        row |= {"layer": layer.name, "kind": layer.kind, "output_size": after}
        rows.append(row | {"size": size, "jump": jump, "start": start, "local": size})
    return rows


def gaussian_sigma(layers: int, kernel: int = 3) -> float:
    """Width in pixels of the effective field of `layers` uniform convolutions with stride 1: √(n(k² − 1)/12).

    A uniform kernel of k pixels has the variance (k² − 1)/12, and variances add. Luo, Li, Urtasun, Zemel 2016.
    """
    return sqrt(layers * (kernel**2 - 1) / 12)
