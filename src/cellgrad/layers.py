"""Convolutional networks written down once, as lists of layers; tables and PyTorch modules follow from the list.

This module needs torch for `build` only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from cellgrad.checks import numbers, plain, whole_number

if TYPE_CHECKING:
    from torch import nn

Size = tuple[int, ...]
Extent = int | tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """One layer. `channels` counts outputs of "conv" and "linear"; kernel, stride, padding, dilation are in pixels.

    These four are one number, or two where height and width differ. groups: each group of outputs reads its own group
    of inputs; as many groups as input channels make a depthwise convolution.
    kind: one of `KINDS`. bias: whether "conv" and "linear" add one number to each output channel.
    probability: of an input being dropped, for "dropout". name: as it appears in tables; numbered by kind if empty.
    """

    kind: str
    channels: int = 0
    kernel: Extent = 1
    stride: Extent = 1
    padding: Extent = 0
    dilation: Extent = 1
    groups: int = 1
    bias: bool = False
    probability: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():  # as JSON gives them back
            object.__setattr__(self, name, plain(value))


def pair(extent: Extent) -> tuple[int, int]:
    """One number for both height and width, or two: two."""
    return extent if isinstance(extent, tuple) else (extent, extent)


_LONGEST_AXIS = 10**7


def image_size(input_size: Sequence[int]) -> Size:
    """An input size, channels first, as positive whole numbers; raises ValueError where it is none."""
    numbers = tuple(input_size) if isinstance(input_size, Iterable) and not isinstance(input_size, str) else ()
    if len(numbers) < 2:
        example = "such as (1, 28, 28)"
        raise ValueError(f"input_size: expected channels and the pixels on each axis, {example}, got {input_size!r}")
    found = tuple(whole_number("input_size", n, least=1) for n in numbers)
    if max(found) > _LONGEST_AXIS:
        raise ValueError(f"input_size: {max(found):,} is more than {_LONGEST_AXIS:,}; give a smaller image")
    return found


def conv(channels: int, kernel: Extent, **options: Any) -> Layer:
    """A convolution to `channels` channels; options as in `Layer`."""
    return Layer("conv", channels, kernel, **options)


def depthwise(channels: int, kernel: Extent, **options: Any) -> Layer:
    """A convolution of each of `channels` channels with one kernel of its own; options as in `Layer`."""
    return conv(channels, kernel, groups=channels, **options)


def max_pool(kernel: Extent, stride: Extent | None = None, **options: Any) -> Layer:
    """A max-pool; it moves by its own width unless `stride` says otherwise."""
    return Layer("max_pool", kernel=kernel, stride=kernel if stride is None else stride, **options)


def avg_pool(kernel: Extent, stride: Extent | None = None, **options: Any) -> Layer:
    """An average pool; it moves by its own width unless `stride` says otherwise."""
    return Layer("avg_pool", kernel=kernel, stride=kernel if stride is None else stride, **options)


def pixel_unshuffle(block: int, **options: Any) -> Layer:
    """Folds each block × block square of pixels into channels: nothing is computed, nothing is lost."""
    return Layer("pixel_unshuffle", kernel=block, stride=block, **options)


def dropout(probability: float) -> Layer:
    """Sets each input to zero with this probability while training."""
    return Layer("dropout", probability=probability)


def linear(channels: int, bias: bool = True, **options: Any) -> Layer:
    """A dense layer from all its inputs to `channels` outputs."""
    return Layer("linear", channels, bias=bias, **options)


relu = Layer("relu")
batch_norm = Layer("batch_norm")
flatten = Layer("flatten")
global_avg_pool = Layer("global_avg_pool")


def _image(layer: Layer, size: Size) -> Size:
    if len(size) != 3:
        raise ValueError(
            f"{layer.name or layer.kind}: works on channels, height and width, but its input has the size {size}; "
            "give input_size as three numbers, and put it before flatten"
        )
    return size


def _window_size(layer: Layer, size: Size) -> Size:
    """Output size of a layer that slides a window: floor((n + 2p - d(k - 1) - 1) / s) + 1 in height and in width."""
    channels, *pixels = _image(layer, size)
    windows = zip(pixels, *map(pair, (layer.kernel, layer.stride, layer.padding, layer.dilation)), strict=True)
    positions = []
    for n, kernel, stride, padding, dilation in windows:
        reach = dilation * (kernel - 1) + 1
        positions.append((n + 2 * padding - reach) // stride + 1)
        if reach > n + 2 * padding:
            raise ValueError(
                f"{layer.name or layer.kind}: its window is {reach} pixels wide, but its input with padding is only "
                f"{n + 2 * padding}; use a smaller kernel, more padding or fewer layers before it"
            )
    return (layer.channels or channels, *positions)


def _conv_size(layer: Layer, size: Size) -> Size:
    if size[0] % layer.groups or layer.channels % layer.groups:
        raise ValueError(
            f"{layer.name or layer.kind}: {layer.groups} groups do not divide {size[0]} input and "
            f"{layer.channels} output channels; choose a number of groups that divides both"
        )
    return _window_size(layer, size)


def _pool_size(layer: Layer, size: Size) -> Size:
    if any(2 * padding > kernel for padding, kernel in zip(pair(layer.padding), pair(layer.kernel), strict=True)):
        raise ValueError(
            f"{layer.name or layer.kind}: padding {layer.padding} is more than half of kernel {layer.kernel}"
        )
    if layer.kind == "avg_pool" and layer.dilation != 1:
        raise ValueError(f"{layer.name or layer.kind}: an average pool has no dilation, got {layer.dilation}; give 1")
    return _window_size(layer, size)


def _folded_size(layer: Layer, size: Size) -> Size:
    channels, height, width = _image(layer, size)
    block = layer.kernel
    if not isinstance(block, int):
        raise ValueError(f"{layer.name or layer.kind}: folds squares of pixels, got kernel {block}; give one number")
    if block != layer.stride or height % block or width % block:
        raise ValueError(
            f"{layer.name or layer.kind}: {height}×{width} pixels cannot be cut into blocks of "
            f"{block}×{block}; pad or pool before it"
        )
    return (channels * block**2, height // block, width // block)


class Parameters(NamedTuple):
    """How many numbers a layer learns, by their use; batch norm learns a scale and a shift for each channel."""

    weights: int = 0
    biases: int = 0
    batch_norm: int = 0


def _conv_parameters(layer: Layer, size: Size) -> Parameters:
    return Parameters(
        layer.channels * (size[0] // layer.groups) * prod(pair(layer.kernel)), layer.channels * layer.bias
    )


@dataclass(frozen=True)
class Kind:
    """What a kind of layer does to sizes, how many numbers it learns, and its PyTorch module for an input size."""

    output_size: Callable[[Layer, Size], Size]
    parameters: Callable[[Layer, Size], Parameters]
    module: Callable[[Layer, Size], nn.Module]


def _nn() -> ModuleType:
    from torch import nn

    return nn


def _conv_module(layer: Layer, size: Size) -> nn.Module:
    window = (layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups)
    return _nn().Conv2d(size[0], layer.channels, *window, bias=layer.bias)


def _same(layer: Layer, size: Size) -> Size:
    return size


def _linear_size(layer: Layer, size: Size) -> Size:
    if len(size) != 1:
        raise ValueError(
            f"{layer.name or layer.kind}: takes a list of numbers, but its input has the size {size}; "
            "put flatten before it"
        )
    return (layer.channels,)


def _none(layer: Layer, size: Size) -> Parameters:
    return Parameters()


KINDS = {
    "conv": Kind(_conv_size, _conv_parameters, _conv_module),
    "max_pool": Kind(
        _pool_size,
        _none,
        lambda layer, size: _nn().MaxPool2d(layer.kernel, layer.stride, layer.padding, layer.dilation),
    ),
    "avg_pool": Kind(_pool_size, _none, lambda layer, size: _nn().AvgPool2d(layer.kernel, layer.stride, layer.padding)),
    "global_avg_pool": Kind(
        lambda layer, size: (_image(layer, size)[0], 1, 1), _none, lambda layer, size: _nn().AdaptiveAvgPool2d(1)
    ),
    "pixel_unshuffle": Kind(_folded_size, _none, lambda layer, size: _nn().PixelUnshuffle(layer.kernel)),
    "relu": Kind(_same, _none, lambda layer, size: _nn().ReLU()),
    # A scale and a shift are learned for each channel; its running mean and variance are counted, not learned.
    "batch_norm": Kind(
        _image,
        lambda layer, size: Parameters(batch_norm=2 * size[0]),
        lambda layer, size: _nn().BatchNorm2d(size[0]),
    ),
    "dropout": Kind(_same, _none, lambda layer, size: _nn().Dropout(layer.probability)),
    "flatten": Kind(lambda layer, size: (prod(size),), _none, lambda layer, size: _nn().Flatten()),
    "linear": Kind(
        _linear_size,
        lambda layer, size: Parameters(layer.channels * prod(size), layer.channels * layer.bias),
        lambda layer, size: _nn().Linear(prod(size), layer.channels, bias=layer.bias),
    ),
}


def named(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give each layer without a name its kind's name and number: conv1, relu1, conv2, pool1, …

    Raises ValueError where there are no layers, one is none, or two have the same name, given or numbered.
    """
    if isinstance(layers, Layer):
        raise ValueError("layers: expected a list of layers, got one; write [layer]")
    if not layers:
        raise ValueError("layers: the list is empty; give at least one layer")
    seen: Counter[str] = Counter()
    result: list[Layer] = []
    for layer in layers:
        if not isinstance(layer, Layer):
            raise ValueError(f"layers: expected layers as `conv` and `max_pool` make them, got {layer!r}")
        if layer.kind not in KINDS:
            raise ValueError(f"{layer.name or 'layer'}: unknown kind {layer.kind!r}; choose among {', '.join(KINDS)}")
        if not isinstance(layer.name, str):
            raise ValueError(f"layers: a layer's name is text, got {layer.name!r}")
        prefix = layer.kind.removeprefix("max_").removeprefix("avg_")
        seen[prefix] += 1
        result.append(layer if layer.name else replace(layer, name=f"{prefix}{seen[prefix]}"))
        _check(result[-1])
    places = Counter(layer.name for layer in result)
    twice = [name for name, count in places.items() if count > 1]
    if twice:
        raise ValueError(f"layers: {places[twice[0]]} layers have the name {twice[0]!r}; give each a name of its own")
    return tuple(result)


_SLIDES = {
    "conv": {"kernel", "stride", "padding", "dilation", "groups"},
    "max_pool": {"kernel", "stride", "padding", "dilation"},
    "avg_pool": {"kernel", "stride", "padding", "dilation"},
    "pixel_unshuffle": {"kernel", "stride"},
}


def _check(layer: Layer) -> None:
    least = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1}
    for name, smallest in least.items():
        extents = pair(getattr(layer, name))
        if len(extents) != 2:
            raise ValueError(f"{layer.name}: {name}: expected one number or two, for height and width, got {extents}")
        for extent in extents:
            whole_number(f"{layer.name}: {name}", extent, least=smallest)
    if not isinstance(layer.bias, bool):
        raise ValueError(f"{layer.name}: bias: expected True or False, got {layer.bias!r}")
    for name in {"kernel", "stride", "padding", "dilation", "groups"} - _SLIDES.get(layer.kind, set()):
        if getattr(layer, name) != least.get(name, 1):
            raise ValueError(f"{layer.name}: a layer of the kind {layer.kind} has no {name}; leave it out")
    if layer.channels and layer.kind not in ("conv", "linear"):
        raise ValueError(f"{layer.name}: a layer of the kind {layer.kind} keeps its channels; leave them out")
    if "." in layer.name:
        raise ValueError(
            f"{layer.name}: a layer's name has no dot, which PyTorch keeps for modules in modules; choose another"
        )
    (probability,) = numbers(f"{layer.name}: probability", (layer.probability,), 1)
    if not 0 <= probability <= 1:
        raise ValueError(f"{layer.name}: probability: {layer.probability} is none; give a number from 0 to 1")
    whole_number(f"{layer.name}: groups", layer.groups, least=1)
    whole_number(f"{layer.name}: channels", layer.channels, least=1 if layer.kind in ("conv", "linear") else 0)


COST_COLUMNS = ["parameters", *Parameters._fields, "multiply_adds", "activation_bytes"]


def layer_table(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> pd.DataFrame:
    """A row for each layer: layer, kind, input_size and output_size (channels, height, width), and what it costs.

    parameters: numbers learned, of which weights, biases and batch_norm. multiply_adds: for one image, of convolutions
    and dense layers, as is usual. activation_bytes: memory of its output for one image, four bytes a number.
    Raises ValueError, naming the layer, where a window does not fit.
    """
    rows, size = [], image_size(input_size)
    for layer in named(layers):
        output_size = KINDS[layer.kind].output_size(layer, size)
        parameters = KINDS[layer.kind].parameters(layer, size)
        # Each weight is used once at each position.
        costs = (sum(parameters), *parameters, parameters.weights * prod(output_size[1:]), 4 * prod(output_size))
        rows.append((layer.name, layer.kind, size, output_size, *costs))
        size = output_size
    return pd.DataFrame(rows, columns=["layer", "kind", "input_size", "output_size", *COST_COLUMNS])


def count_parameters(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> int:
    """How many numbers the network learns."""
    return int(layer_table(layers, input_size)["parameters"].sum())


def build(layers: Sequence[Layer], input_size: Size = (1, 28, 28)) -> nn.Sequential:
    """Make the PyTorch module, with PyTorch's own initial weights; its children have the layers' names."""
    table = layer_table(layers, input_size)
    module = _nn().Sequential()
    for layer, size in zip(named(layers), table["input_size"], strict=True):
        try:
            module.add_module(layer.name, KINDS[layer.kind].module(layer, size))
        except KeyError:
            raise ValueError(f"{layer.name}: PyTorch's modules use that name themselves; choose another") from None
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
