import subprocess
import sys
from math import prod

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from published_fields import (
    ALEXNET,
    ALEXNET_PUBLISHED,
    EFFECTIVE,
    SOURCE_SIZES,
    VGG_16,
    VGG_16_PUBLISHED,
)

from cellgrad import convnets
from cellgrad.receptive import (
    COLUMNS,
    cost_table,
    effective_padding,
    effective_receptive_field,
    gaussian_sigma,
    latex_table,
    measure_receptive_field,
    measured_boxes,
    receptive_field,
)

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cellgrad._torchvision import import_torchvision  # noqa: E402
from cellgrad.fields import centre_index  # noqa: E402
from cellgrad.tracing import UntraceableError, trace_fields  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def boxes_in_theory(module, input_size, clipped=True):
    """First and last pixel of the centre unit of each layer, by arithmetic; without `clipped`, border or no border."""
    boxes = {}
    for step in trace_fields(module, input_size, clipped):
        ends = step.result.unit(centre_index(step.result.shape, len(input_size) - 1))
        boxes[step.name] = tuple((int(low), int(high)) if low <= high else (0, -1) for low, high in ends)
    return boxes


def boxes_by_nan(module, input_size):
    """The same for the last layer of the module as it is: which row, which column can spoil the centre unit with a NaN?"""
    module = module.double().eval()
    ends = []
    with torch.no_grad():
        for axis, pixels in enumerate(input_size[1:]):
            images = torch.rand(pixels, *input_size, dtype=torch.float64)
            for line in range(pixels):
                images[line].select(axis + 1, line).fill_(torch.nan)
            output = module(images)
            index = (slice(None), *centre_index(output.shape, len(input_size) - 1)[1:])
            centre = output[tuple(slice(None) if i is None else i for i in index)]
            spoiled = centre.flatten(1).isnan().any(1).nonzero().flatten()
            ends.append((int(spoiled[0]), int(spoiled[-1])) if len(spoiled) else (0, -1))
    return tuple(ends)


def last(boxes):
    return list(boxes.values())[-1]


# ---- published numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers, published", [(ALEXNET, ALEXNET_PUBLISHED), (VGG_16, VGG_16_PUBLISHED)])
@pytest.mark.parametrize("traced", [False, True])
def test_published_tables_of_araujo_norris_and_sim(layers, published, traced):
    size = (3, 224, 224)
    table = receptive_field(convnets.build(layers, size) if traced else layers, size)
    table["effective_padding"] = effective_padding(table)
    found = table.set_index("layer").loc[list(published), ["size", "jump", "effective_padding"]]
    assert {name: tuple(row) for name, row in found.iterrows()} == published


def test_the_sources_network_sees_what_the_source_says():
    sizes = receptive_field(convnets.SOURCE).set_index("layer")["size"]
    assert sizes.loc[list(SOURCE_SIZES)].to_dict() == SOURCE_SIZES


def test_torchvision_resnet50_has_the_published_size_and_stride():
    # Araujo, Norris, Sim: resnet_v1_50 has 483, which torchvision's block (stride in the 3×3 convolution) shifts to 427:
    # 7 + 2·4 + 2·3·8 + 2·8 + 2·... is what the recurrence on its 3×3 convolutions alone gives.
    size, jump = 1, 1
    stages = [(7, 2), (3, 2), *[(3, 1)] * 3, *[(3, 2)], *[(3, 1)] * 3, *[(3, 2)], *[(3, 1)] * 5, *[(3, 2)], *[(3, 1)] * 2]
    for kernel, stride in stages:
        size, jump = size + (kernel - 1) * jump, jump * stride
    table = receptive_field(torchvision_model("resnet50"), (3, 224, 224)).set_index("layer")
    assert (table.loc["layer4.2.conv3", "size"], table.loc["layer4.2.conv3", "jump"]) == (size, jump) == (427, 32)


# ---- layer lists and modules -----------------------------------------------------------------------------------------

LISTS = {
    "source": convnets.SOURCE,
    "padded, dense head": (
        convnets.conv(4, 5, padding=2, stride=2, dilation=2),
        convnets.relu,
        convnets.avg_pool(3, 2, padding=1),
        convnets.dropout(0.1),
        convnets.flatten,
        convnets.linear(7),
        convnets.relu,
        convnets.linear(3),
    ),
    "folded, separable, average head": (
        convnets.pixel_unshuffle(2),
        convnets.conv(8, 1),
        convnets.depthwise(8, 3, padding=1),
        convnets.conv(16, 1),
        convnets.batch_norm,
        convnets.max_pool(2),
        convnets.global_avg_pool,
        convnets.conv(10, 1, bias=True),
        convnets.flatten,
    ),
    "axes differ": (
        convnets.conv(4, (3, 5), stride=(1, 2), padding=(0, 2), dilation=(2, 1)),
        convnets.max_pool((2, 3)),
        convnets.conv(2, (1, 3)),
        convnets.flatten,
    ),
}


@pytest.mark.parametrize("layers", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("input_size", [(1, 28, 28), (3, 32, 36)])
def test_the_recurrence_and_the_traced_module_agree(layers, input_size):
    assume_fits = layers is not convnets.SOURCE or input_size == (1, 28, 28)
    table = receptive_field(layers, input_size)
    assert list(table.columns) == COLUMNS
    if assume_fits:
        pd.testing.assert_frame_equal(table, receptive_field(convnets.build(layers, input_size), input_size))


def test_axes_that_differ_are_told_apart():
    table = receptive_field(LISTS["axes differ"], (1, 28, 28))
    # By hand: height 1 + 2·2 = 5, width 5; then jumps (1, 2); pool adds (1·1, 2·2); then jumps (2, 6) and (0, 2·6).
    assert table["size"].tolist()[:3] == [5, (6, 9), (6, 21)]
    assert table["jump"].tolist()[:3] == [(1, 2), (2, 6), (2, 6)]
    # First height unit's centre: pixel 3 of 5, 2.5. In width two pixels of padding bring it back to the first pixel.
    assert table["start"].tolist()[:2] == [(2.5, 0.5), (3.0, 2.5)]


def test_a_layer_list_needs_no_torch():
    code = (
        "import sys; from cellgrad.convnets import SOURCE; from cellgrad.receptive import cost_table, receptive_field\n"
        "assert receptive_field(SOURCE)['size'].iloc[-1] == 28 and len(cost_table(SOURCE)) == len(SOURCE)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cost_table_joins_costs_and_fields():
    table = cost_table(convnets.SOURCE)
    assert table["parameters"].sum() == 14392
    assert table["size"].tolist() == receptive_field(convnets.SOURCE)["size"].tolist()


def test_latex_has_a_row_a_layer():
    text = latex_table(receptive_field(convnets.SOURCE))
    assert text.count(r"\\") == len(convnets.SOURCE) + 1
    assert r"\texttt{max\_pool1} & 2 & 2 & 0 & 1 & 8 \times 11 \times 11 & 8 & 2 & 4" in text


# ---- theory = measurement --------------------------------------------------------------------------------------------


def torchvision_model(name):
    """A classifier with whatever its memory held as weights: only their shapes matter here, and drawing takes minutes."""
    torchvision = import_torchvision()
    draws = [draw for draw in vars(nn.init) if draw.endswith("_") and not draw.startswith("_")]
    with pytest.MonkeyPatch.context() as patch:
        for draw in draws:
            patch.setattr(nn.init, draw, lambda tensor, *_, **__: tensor)
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **options)


def classifiers():
    try:
        torchvision = import_torchvision()
    except ImportError:
        return []
    return torchvision.models.list_models(module=torchvision.models)


def smallest_size(name, module):
    """Small enough to be quick; where the size is part of the network, that."""
    fixed = {"inception_v3": 299, "maxvit_t": 224}
    return (3, *[fixed.get(name, getattr(module, "image_size", 65 if name.startswith(("resn", "vgg")) else 64))] * 2)


@pytest.mark.parametrize("name", classifiers())
def test_theory_is_measurement_for_torchvisions_classifiers(name):
    module = torchvision_model(name)
    input_size = smallest_size(name, module)
    theory = boxes_in_theory(module, input_size)
    # Every tenth of the way, and the end: early layers see little, late ones are cut off by the border.
    names = list(theory)
    chosen = list(dict.fromkeys([*names[:: max(1, len(names) // 10)], names[-1]]))
    assert measured_boxes(module, input_size, chosen) == {layer: theory[layer] for layer in chosen}
    assert theory[names[-1]] == ((0, input_size[1] - 1), (0, input_size[2] - 1))


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg11", "resnet18", "squeezenet1_1", "mobilenet_v2", "densenet121", "shufflenet_v2_x0_5"]
)
def test_table_minus_border_is_measurement(name):
    module, pixels = torchvision_model(name), 224
    table = receptive_field(module, (3, pixels, pixels))
    spatial = table[table["output_size"].map(len) == 3].iloc[:: max(1, len(table) // 12)]
    expected = {}
    for row in spatial.itertuples():
        centre = row.start + row.jump * (row.output_size[1] // 2)
        ends = max(0, int(centre - row.size / 2)), min(pixels, int(centre + row.size / 2)) - 1
        expected[row.layer] = (ends, ends)
    assert len(expected) > 5
    assert measured_boxes(module, (3, pixels, pixels), list(expected)) == expected


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_measurement_is_what_the_real_network_does(name):
    module = nn.Sequential(*list(torchvision_model(name).children())[:-3 if name == "resnet18" else -1])
    for tensor in module.state_dict().values():
        tensor.fill_(1)
    size = (3, 65, 52)
    assert last(measured_boxes(module, size)) == boxes_by_nan(module, size)


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return F.relu(x + self.layers(x))


class Concatenation(nn.Module):
    def __init__(self, left, right):
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x):
        return torch.cat([self.left(x), self.right(x)], dim=1)


CHANNELS = 4
odd = st.sampled_from([1, 3, 5])
pairs = st.tuples


@st.composite
def convolutions(draw, groups=(1, 2, 4)):
    kernel = draw(pairs(st.integers(1, 4), st.integers(1, 4)))
    return nn.Conv2d(
        CHANNELS,
        CHANNELS,
        kernel,
        stride=draw(pairs(st.integers(1, 3), st.integers(1, 3))),
        padding=draw(pairs(st.integers(0, 3), st.integers(0, 3))),
        dilation=draw(pairs(st.integers(1, 3), st.integers(1, 3))),
        groups=draw(st.sampled_from(groups)),
    )


@st.composite
def pools(draw):
    kernel = draw(st.integers(1, 4))
    options = {"padding": draw(st.integers(0, kernel // 2)), "ceil_mode": draw(st.booleans())}
    stride = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return nn.AvgPool2d(kernel, stride, **options)
    return nn.MaxPool2d(kernel, stride, dilation=draw(st.integers(1, 2)), **options)


@st.composite
def upward(draw):
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, (kernel - 1) // 2))
    return draw(
        st.sampled_from(
            [
                nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, stride, padding, dilation=2, groups=2),
                nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, stride, padding, output_padding=stride - 1),
                nn.Upsample(scale_factor=stride),
                nn.Upsample(scale_factor=1.5, mode="nearest"),
                nn.Upsample(size=(13, 10), mode="nearest"),
                nn.PixelShuffle(2),
            ]
        )
    )


@st.composite
def same_size(draw):
    kernel, dilation = draw(odd), draw(st.integers(1, 2))
    return nn.Conv2d(CHANNELS, CHANNELS, kernel, padding="same", dilation=dilation, groups=draw(st.sampled_from([1, 4])))


def to_four(module):
    """Back to four channels after a module that changes their number."""
    return nn.Sequential(module, nn.LazyConv2d(CHANNELS, 1))


others = st.one_of(
    st.builds(Residual, same_size(), same_size()),
    st.builds(Concatenation, same_size(), same_size()).map(to_four),
    st.just(nn.PixelUnshuffle(2)).map(to_four),
    st.just(nn.ChannelShuffle(2)),
    st.builds(nn.ZeroPad2d, pairs(*[st.integers(0, 3)] * 4)),
    st.builds(nn.ReflectionPad2d, st.integers(0, 2)),
    st.just(nn.BatchNorm2d(CHANNELS)),
    st.just(nn.GELU()),
    st.builds(nn.AdaptiveAvgPool2d, pairs(st.integers(1, 9), st.integers(1, 9))),
    st.just(nn.Conv2d(CHANNELS, CHANNELS, 2, padding="same")),
    st.just(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=2, padding_mode="circular")),
)
stacks = st.lists(st.one_of(convolutions(), pools(), same_size(), upward(), others), min_size=1, max_size=6)


def fits(module, input_size):
    """Whether torch itself accepts an image of this size, without ending in something huge."""
    try:
        with torch.no_grad():
            output = module.double().eval()(torch.zeros(1, *input_size, dtype=torch.float64))
    except RuntimeError:
        return False
    return prod(output.shape) < 40_000


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(stacks, pairs(st.integers(5, 24), st.integers(5, 24)))
def test_theory_is_measurement_is_reality_for_random_stacks(layers, pixels):
    module, input_size = nn.Sequential(*layers), (CHANNELS, *pixels)
    assume(fits(module, input_size))
    boxes = boxes_in_theory(module, input_size)
    assert measured_boxes(module, input_size) == boxes
    assert last(boxes) == boxes_by_nan(module, input_size)
    table = receptive_field(module, input_size)
    output = module(torch.zeros(1, *input_size, dtype=torch.float64))
    assert table["output_size"].iloc[-1] == tuple(output.shape[1:])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.lists(st.one_of(convolutions(), pools(), same_size()), min_size=1, max_size=5), st.booleans())
def test_the_tables_size_is_the_measured_one_where_no_border_cuts(layers, even):
    module = nn.Sequential(*layers)
    table = receptive_field(module, (CHANNELS, 400, 400))
    size, jump, start = (
        value if isinstance(value, tuple) else (value, value) for value in table[["size", "jump", "start"]].iloc[-1]
    )
    # The smallest image of the wanted parity whose centre unit sees no border, if a small one will do.
    for pixels in range(30 + even, 131, 2):
        shape = receptive_field(module, (CHANNELS, pixels, pixels))["output_size"].iloc[-1][1:] if fits(
            module, (CHANNELS, pixels, pixels)
        ) else (0, 0)
        firsts = [first + step * (n // 2) - width / 2 for first, step, n, width in zip(start, jump, shape, size)]
        if min(shape) and all(0 <= first and first + width <= pixels for first, width in zip(firsts, size)):
            assert measure_receptive_field(module, (CHANNELS, pixels, pixels)) == size
            assert last(boxes_in_theory(module, (CHANNELS, pixels, pixels), clipped=False)) == tuple(
                (int(first), int(first + width) - 1) for first, width in zip(firsts, size)
            )
            return
    assume(False)
