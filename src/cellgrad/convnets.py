"""Convolutional networks written down once, as lists of layers; tables and PyTorch modules follow from the list.

This module needs torch for `build` only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from torch import nn

Size = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer. `channels` counts outputs of "conv" and "linear"; kernel, stride, padding, dilation are in pixels.

    kind: one of `KINDS`. bias: whether "conv" and "linear" add one number to each output channel.
    probability: of an input being dropped, for "dropout". name: as it appears in tables; numbered by kind if empty.
    """

    kind: str
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = False
    probability: float = 0.0
    name: str = ""


def conv(channels: int, kernel: int, **options: int | bool | str) -> Layer:
    """A square convolution to `channels` channels; options as in `Layer`."""
    return Layer("conv", channels, kernel, **options)


def max_pool(kernel: int, stride: int | None = None, **options: int | str) -> Layer:
    """A square max-pool; it moves by its own width unless `stride` says otherwise."""
    return Layer("max_pool", kernel=kernel, stride=stride or kernel, **options)


def avg_pool(kernel: int, stride: int | None = None, **options: int | str) -> Layer:
    """A square average pool; it moves by its own width unless `stride` says otherwise."""
    return Layer("avg_pool", kernel=kernel, stride=stride or kernel, **options)


def dropout(probability: float) -> Layer:
    """Sets each input to zero with this probability while training."""
    return Layer("dropout", probability=probability)


def linear(channels: int, bias: bool = True, **options: str) -> Layer:
    """A dense layer from all its inputs to `channels` outputs."""
    return Layer("linear", channels, bias=bias, **options)


relu = Layer("relu")
batch_norm = Layer("batch_norm")
flatten = Layer("flatten")


def _window_size(layer: Layer, size: Size) -> Size:
    """Output size of a layer that slides a window: floor((n + 2p - d(k - 1) - 1) / s) + 1 in height and in width."""
    channels, *pixels = size
    reach = layer.dilation * (layer.kernel - 1) + 1
    positions = [(n + 2 * layer.padding - reach) // layer.stride + 1 for n in pixels]
    if min(positions) < 1:
        raise ValueError(
            f"{layer.name or layer.kind}: its window is {reach} pixels wide, but its input with padding is only "
            f"{min(pixels) + 2 * layer.padding}; use a smaller kernel, more padding or fewer layers before it"
        )
    return (layer.channels or channels, *positions)


def _conv_parameters(layer: Layer, size: Size) -> int:
    return layer.channels * (size[0] // layer.groups) * layer.kernel**2 + layer.channels * layer.bias


@dataclass(frozen=True)
class Kind:
    """What a kind of layer does to sizes, how many numbers it learns, and its PyTorch module for an input size."""

    output_size: Callable[[Layer, Size], Size]
    parameters: Callable[[Layer, Size], int]
    module: Callable[[Layer, Size], nn.Module]


def _nn() -> nn:
    from torch import nn

    return nn


def _conv_module(layer: Layer, size: Size) -> nn.Module:
    window = (layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups)
    return _nn().Conv2d(size[0], layer.channels, *window, bias=layer.bias)


def _same(layer: Layer, size: Size) -> Size:
    return size


def _none(layer: Layer, size: Size) -> int:
    return 0


KINDS = {
    "conv": Kind(_window_size, _conv_parameters, _conv_module),
    "max_pool": Kind(
        _window_size, _none, lambda layer, size: _nn().MaxPool2d(layer.kernel, layer.stride, layer.padding)
    ),
    "avg_pool": Kind(
        _window_size, _none, lambda layer, size: _nn().AvgPool2d(layer.kernel, layer.stride, layer.padding)
    ),
    "relu": Kind(_same, _none, lambda layer, size: _nn().ReLU()),
    # A scale and a shift are learned for each channel; its running mean and variance are counted, not learned.
    "batch_norm": Kind(_same, lambda layer, size: 2 * size[0], lambda layer, size: _nn().BatchNorm2d(size[0])),
    "dropout": Kind(_same, _none, lambda layer, size: _nn().Dropout(layer.probability)),
    "flatten": Kind(lambda layer, size: (prod(size),), _none, lambda layer, size: _nn().Flatten()),
    "linear": Kind(
        lambda layer, size: (layer.channels,),
        lambda layer, size: layer.channels * (prod(size) + layer.bias),
        lambda layer, size: _nn().Linear(prod(size), layer.channels, bias=layer.bias),
    ),
}


def named(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give each layer without a name its kind's name and number: conv1, relu1, conv2, pool1, …"""
    if not layers:
        raise ValueError("layers: the list is empty; give at least one layer")
    seen, result = Counter(), []
    for layer in layers:
        if layer.kind not in KINDS:
            raise ValueError(f"{layer.name or 'layer'}: unknown kind {layer.kind!r}; choose among {', '.join(KINDS)}")
        prefix = layer.kind.removeprefix("max_").removeprefix("avg_")
        seen[prefix] += 1
        result.append(layer if layer.name else replace(layer, name=f"{prefix}{seen[prefix]}"))
    return tuple(result)


def layer_table(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer: layer, kind, input_size and output_size (channels, height, width), parameters.

    Raises ValueError, naming the layer, where a window does not fit.
    """
    rows, size = [], tuple(input_size)
    for layer in named(layers):
        output_size = KINDS[layer.kind].output_size(layer, size)
        parameters = KINDS[layer.kind].parameters(layer, size)
        rows.append((layer.name, layer.kind, size, output_size, parameters))
        size = output_size
    return pd.DataFrame(rows, columns=["layer", "kind", "input_size", "output_size", "parameters"])


def count_parameters(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> int:
    """How many numbers the network learns."""
    return int(layer_table(layers, input_size)["parameters"].sum())


def build(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> nn.Sequential:
    """Make the PyTorch module, with PyTorch's own initial weights; its children have the layers' names."""
    table = layer_table(layers, input_size)
    module = _nn().Sequential()
    for layer, size in zip(named(layers), table["input_size"], strict=True):
        module.add_module(layer.name, KINDS[layer.kind].module(layer, size))
    return module


def block(channels: int, **options: int) -> tuple[Layer, ...]:
    """A 3×3 convolution, ReLU, batch norm: the order in which the source has them."""
    return (conv(channels, 3, **options), relu, batch_norm)


# The source's network: 14,392 parameters, receptive field 7 before the pool, 28 at the end, a 1×1 convolution last.
SOURCE = (
    *(*block(8), *block(8), *block(8)),
    max_pool(2),
    *(*block(16), *block(16), *block(16), *block(16)),
    *(conv(32, 3), relu),
    *(conv(10, 1, name="scores"), flatten),
)
