import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cellgrad import layers as nets
from cellgrad.layers import SOURCE, build, conv, count_parameters, flatten, layer_table, linear, max_pool


def test_the_sources_network_has_the_sources_numbers():
    assert count_parameters(SOURCE) == 14_392 == sum(p.numel() for p in build(SOURCE).parameters())
    table = layer_table(SOURCE)
    sizes = table[table["kind"].isin(["conv", "max_pool"])]["output_size"].tolist()
    assert [size[1] for size in sizes] == [26, 24, 22, 11, 9, 7, 5, 3, 1, 1]
    assert [size[0] for size in sizes] == [8, 8, 8, 8, 16, 16, 16, 16, 32, 10]


@pytest.mark.parametrize(
    "layers", [SOURCE, (conv(4, 5, stride=2, padding=1, dilation=2, bias=True), max_pool(3, 2), flatten, linear(3))]
)
def test_the_table_says_what_the_module_does(layers):
    images, table, module = torch.zeros(2, 1, 28, 28), layer_table(layers), build(layers).eval()
    for row, (name, layer) in zip(table.itertuples(), module.named_children(), strict=True):
        images = layer(images)
        assert (row.layer, row.output_size) == (name, tuple(images.shape[1:]))
        assert row.parameters == sum(p.numel() for p in layer.parameters())


def test_errors_name_the_layer():
    with pytest.raises(ValueError, match="conv2: its window is 30 pixels wide, but its input with padding is only 26"):
        layer_table((conv(8, 3), conv(8, 30)))
    with pytest.raises(ValueError, match="empty"):
        layer_table(())
    with pytest.raises(ValueError, match="unknown kind 'magic'"):
        layer_table((nets.Layer("magic"),))


def test_tables_need_no_torch():
    code = "import sys; from cellgrad.layers import *; layer_table(SOURCE); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


ALTERNATIVES = {
    "folded, separable, average head": (
        nets.pixel_unshuffle(2),
        conv(8, (1, 3), padding=(0, 1)),
        nets.depthwise(8, 3, padding=1),
        conv(16, 1, bias=True),
        nets.batch_norm,
        max_pool((2, 3), stride=(2, 2), dilation=2),
        nets.global_avg_pool,
        flatten,
        linear(10),
    ),
    "source": SOURCE,
}


@pytest.mark.parametrize("layers", ALTERNATIVES.values(), ids=ALTERNATIVES)
def test_costs_are_those_of_the_module(layers):
    images, table, module = torch.rand(1, 1, 28, 28), layer_table(layers), build(layers).eval()
    for row, layer in zip(table.itertuples(), module.children(), strict=True):
        before, images = images, layer(images)
        numbers = {name: tensor.numel() for name, tensor in layer.named_parameters()}
        normalises = isinstance(layer, torch.nn.BatchNorm2d)
        assert row.output_size == tuple(images.shape[1:])
        assert row.parameters == sum(numbers.values()) == row.weights + row.biases + row.batch_norm
        assert row.batch_norm == normalises * sum(numbers.values())
        assert row.biases == (not normalises) * numbers.get("bias", 0)
        assert row.activation_bytes == images.numel() * images.element_size()
        with FlopCounterMode(display=False) as counter:
            layer(before)
        # torch counts a multiplication and an addition as two.
        assert row.multiply_adds == counter.get_total_flops() / 2


@pytest.mark.parametrize(
    "layer, message",
    [
        (conv(8, 3, padding=-1, name="stem"), "stem: padding: -1 is too small"),
        (conv(8, 3, stride=0), "conv1: stride: 0 is too small"),
        (conv(8, (3, 0)), "conv1: kernel: 0 is too small"),
        (conv(0, 3), "conv1: channels: 0 is too small"),
        (conv(8, 3, groups=3), "conv1: 3 groups do not divide 1 input and 8 output channels"),
        (nets.pixel_unshuffle((2, 1)), "pixel_unshuffle1: folds squares of pixels, got kernel"),
        (nets.pixel_unshuffle(3), "pixel_unshuffle1: 28×28 pixels cannot be cut into blocks of 3×3"),
        (max_pool(2, padding=2), "pool1: padding 2 is more than half of kernel 2"),
        (nets.avg_pool(2, dilation=2), "pool1: an average pool has no dilation"),
    ],
)
def test_layers_that_cannot_be_are_named(layer, message):
    with pytest.raises(ValueError, match=message):
        layer_table((layer,))


def test_only_images_are_convolved():
    with pytest.raises(
        ValueError, match=r"conv1: works on channels, height and width, but its input has the size \(784,"
    ):
        layer_table((flatten, conv(8, 3)))


def test_two_layers_of_one_name_are_refused():
    # One of the two modules would replace the other: 288 parameters built, 360 counted.
    for layers in ((conv(8, 3, name="conv2"), conv(4, 3)), (conv(8, 3, name="a"), max_pool(2, name="a"))):
        with pytest.raises(ValueError, match="2 layers have the name"):
            build(layers)


@pytest.mark.parametrize(
    "layers, message",
    [
        (
            (conv(8, 3), linear(10)),
            "linear1: takes a list of numbers, but its input has the size .*put flatten before it",
        ),
        ((linear(10),), "linear1: takes a list of numbers"),
        ((conv(8, 3, name="a.b"),), "a.b: a layer's name has no dot"),
        ((nets.dropout(1.5),), "dropout1: probability: 1.5 is none"),
        ((nets.dropout("a"),), "dropout1: probability: expected a number"),
        ((conv(2, (3, 3, 3)),), r"conv1: kernel: expected one number or two, for height and width, got \(3, 3, 3\)"),
        ((conv(2, 3, bias=2),), "conv1: bias: expected True or False, got 2"),
        ((max_pool(2, channels=5),), "pool1: a layer of the kind max_pool keeps its channels"),
        ((nets.Layer("relu", kernel=3),), "relu1: a layer of the kind relu has no kernel"),
        ((nets.Layer("linear", 10, groups=2),), "linear1: a layer of the kind linear has no groups"),
        ((conv(2, 3, name=3),), "a layer's name is text, got 3"),
    ],
)
def test_what_the_module_would_crash_on_the_table_refuses(layers, message):
    with pytest.raises(ValueError, match=message):
        layer_table(layers)


@pytest.mark.parametrize("name", ["train", "forward"])
def test_a_name_that_modules_have_themselves_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}: PyTorch's modules use that name themselves"):
        build([conv(2, 3, name=name)])


def test_one_layer_is_no_list_of_layers():
    for take in (build, layer_table, count_parameters):
        with pytest.raises(ValueError, match=r"^layers: .*write \[layer\]"):
            take(conv(8, 3))
    with pytest.raises(ValueError, match="stride"):
        build([max_pool(2, stride=0)])
