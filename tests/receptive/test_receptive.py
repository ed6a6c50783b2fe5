import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from daily import daily
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

from cellgrad.receptive import (
    COLUMNS,
    UntraceableError,
    boxes,
    cost_table,
    effective_receptive_field,
    fit_gaussian,
    gaussian_sigma,
    measure_receptive_field,
    measured_boxes,
    receptive_field,
    step,
)

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cellgrad import layers as nets  # noqa: E402
from cellgrad.torchvision import import_torchvision  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def boxes_by_nan(module, input_size):
    """The same for the last layer of the module as it is: which row, which column spoils the centre unit with a NaN?"""
    module = module.float().eval()
    ends = []
    with torch.no_grad():
        for axis, pixels in enumerate(input_size[1:]):
            images = torch.rand(pixels + 1, *input_size)
            for line in range(pixels):
                images[line].select(axis + 1, line).fill_(torch.nan)
            output = module(images)
            centre = output
            if output.ndim == images.ndim:
                centre = output[(..., *(n // 2 for n in output.shape[2:]))]
            # The last image is clean: what is NaN there too, as the maximum over nothing may become, tells nothing.
            missing = centre.flatten(1).isnan()
            spoiled = (missing[:-1] & ~missing[-1]).any(1).nonzero().flatten()
            ends.append((int(spoiled[0]), int(spoiled[-1])) if len(spoiled) else (0, -1))
    return tuple(ends)


def last(boxes):
    return list(boxes.values())[-1]


# ---- published numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers, published", [(ALEXNET, ALEXNET_PUBLISHED), (VGG_16, VGG_16_PUBLISHED)])
@pytest.mark.parametrize("traced", [False, True])
def test_published_tables_of_araujo_norris_and_sim(layers, published, traced):
    size = (3, 224, 224)
    table = receptive_field(nets.build(layers, size) if traced else layers, size)
    table["effective_padding"] = table["size"] / 2 - table["start"]
    found = table.set_index("layer").loc[list(published), ["size", "jump", "effective_padding"]]
    assert {name: tuple(row) for name, row in found.iterrows()} == published


def test_the_sources_network_sees_what_the_source_says():
    sizes = receptive_field(nets.SOURCE).set_index("layer")["size"]
    assert sizes.loc[list(SOURCE_SIZES)].to_dict() == SOURCE_SIZES


def test_torchvision_resnet50_is_its_chain_of_windows():
    # Araujo, Norris, Sim list 483 for TF-Slim, which strides in a block's last unit; torchvision does in its first 3×3.
    size, jump = 1, 1
    stages = [
        (7, 2),
        (3, 2),
        *[(3, 1)] * 3,
        *[(3, 2)],
        *[(3, 1)] * 3,
        *[(3, 2)],
        *[(3, 1)] * 5,
        *[(3, 2)],
        *[(3, 1)] * 2,
    ]
    for kernel, stride in stages:
        size, jump = size + (kernel - 1) * jump, jump * stride
    table = receptive_field(torchvision_model("resnet50"), (3, 224, 224)).set_index("layer")
    assert (table.loc["layer4.2.conv3", "size"], table.loc["layer4.2.conv3", "jump"]) == (size, jump) == (427, 32)


def test_what_a_step_does_not_say_of_its_window_is_1_0_and_1():
    assert step(1, 1, 0.5, 3) == step(1, 1, 0.5, kernel=3, stride=1, padding=0, dilation=1) == (3, 1, 1.5)


# ---- layer lists and modules -----------------------------------------------------------------------------------------

LISTS = {
    "source": nets.SOURCE,
    "padded, dense head": (
        nets.conv(4, 5, padding=2, stride=2, dilation=2),
        nets.relu,
        nets.avg_pool(3, 2, padding=1),
        nets.dropout(0.1),
        nets.flatten,
        nets.linear(7),
        nets.relu,
        nets.linear(3),
    ),
    "folded, separable, average head": (
        nets.pixel_unshuffle(2),
        nets.conv(8, 1),
        nets.depthwise(8, 3, padding=1),
        nets.conv(16, 1),
        nets.batch_norm,
        nets.max_pool(2),
        nets.global_avg_pool,
        nets.conv(10, 1, bias=True),
        nets.flatten,
    ),
    "axes differ": (
        nets.conv(4, (3, 5), stride=(1, 2), padding=(0, 2), dilation=(2, 1)),
        nets.max_pool((2, 3)),
        nets.conv(2, (1, 3)),
        nets.flatten,
    ),
}


@pytest.mark.parametrize("layers", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("input_size", [(1, 28, 28), (3, 32, 36)])
def test_the_recurrence_and_the_traced_module_agree(layers, input_size):
    assume_fits = layers is not nets.SOURCE or input_size == (1, 28, 28)
    table = receptive_field(layers, input_size)
    assert list(table.columns) == COLUMNS
    if assume_fits:
        pd.testing.assert_frame_equal(table, receptive_field(nets.build(layers, input_size), input_size))


def test_axes_that_differ_are_told_apart():
    table = receptive_field(LISTS["axes differ"], (1, 28, 28))
    # By hand: height 1 + 2·2 = 5, width 5; then jumps (1, 2); pool adds (1·1, 2·2); then jumps (2, 6) and (0, 2·6).
    assert table["size"].tolist()[:3] == [5, (6, 9), (6, 21)]
    assert table["jump"].tolist()[:3] == [(1, 2), (2, 6), (2, 6)]
    # First height unit's centre: pixel 3 of 5, 2.5. In width two pixels of padding bring it back to the first pixel.
    assert table["start"].tolist()[:2] == [(2.5, 0.5), (3.0, 2.5)]


def test_a_layer_list_is_measured_as_it_was_computed():
    table = receptive_field(nets.SOURCE)
    boxes = measured_boxes(nets.SOURCE, (1, 28, 28))
    assert {name: last - first + 1 for name, ((first, last), _) in boxes.items()} == dict(
        zip(table["layer"], table["size"], strict=True)
    )


def test_a_layer_list_needs_no_torch():
    code = (
        "import sys; from cellgrad.layers import SOURCE; from cellgrad.receptive import cost_table, receptive_field\n"
        "assert receptive_field(SOURCE)['size'].iloc[-1] == 28 and len(cost_table(SOURCE)) == len(SOURCE)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cost_table_joins_costs_and_fields():
    table = cost_table(nets.SOURCE)
    assert table["parameters"].sum() == 14392
    assert table["size"].tolist() == receptive_field(nets.SOURCE)["size"].tolist()


# ---- theory = measurement --------------------------------------------------------------------------------------------


def torchvision_model(name):
    """A classifier with whatever weights its memory held: only shapes matter, and drawing numbers takes minutes."""
    torchvision = import_torchvision()
    draws = [draw for draw in vars(nn.init) if draw.endswith("_") and not draw.startswith("_")]
    # Attention's module has names of its own for those it draws by.
    homes = [(home, draw) for home in (nn.init, nn.modules.activation) for draw in draws if hasattr(home, draw)]
    with pytest.MonkeyPatch.context() as patch:
        for home, draw in homes:
            patch.setattr(home, draw, lambda tensor, *_, **__: tensor)
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **options)


# Of most architectures one, where one is quick; the others repeat its blocks more often, or wider, and are slow.
ARCHITECTURES = (
    *("alexnet", "efficientnet_b0", "googlenet", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5", "swin_t"),
    *("vgg11_bn", "vit_b_32"),
)


def classifiers():
    try:
        torchvision = import_torchvision()
    except ImportError:
        return []
    names = torchvision.models.list_models(module=torchvision.models)
    return daily(names, ARCHITECTURES)


def smallest_size(name, module):
    """Small enough to be quick; where the size is part of the network, that."""
    fixed = {"inception_v3": 299, "maxvit_t": 224}
    return (3, *[fixed.get(name, getattr(module, "image_size", 65 if name.startswith(("resn", "vgg")) else 64))] * 2)


@pytest.mark.parametrize("name", classifiers())
def test_theory_is_measurement_for_torchvisions_classifiers(name):
    module = torchvision_model(name)
    input_size = smallest_size(name, module)
    theory = boxes(module, input_size)
    # Every tenth of the way, and the end: early layers see little, late ones are cut off by the border.
    names = list(theory)
    chosen = list(dict.fromkeys([*names[:: max(1, len(names) // 10)], names[-1]]))
    assert measured_boxes(module, input_size, chosen) == {layer: theory[layer] for layer in chosen}
    assert len(chosen) > 5


PUBLISHED = ["alexnet", "resnet18", "shufflenet_v2_x0_5", "vgg11", "squeezenet1_1", "mobilenet_v2", "densenet121"]


@pytest.mark.parametrize("name", daily(PUBLISHED, 3))
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
    module = nn.Sequential(*list(torchvision_model(name).children())[: -3 if name == "resnet18" else -1])
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
    return nn.Conv2d(
        CHANNELS, CHANNELS, kernel, padding="same", dilation=dilation, groups=draw(st.sampled_from([1, 4]))
    )


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


patient = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def fits(layers, input_size, largest):
    """Whether torch itself accepts an image of this size, with no more than so many numbers anywhere on the way.

    Five upsamplings in a row say no more than two, but may take minutes.
    """
    x = torch.zeros(1, *input_size)
    try:
        with torch.no_grad():
            for layer in layers:
                x = layer.float().eval()(x)
                if x.numel() > largest:
                    return False
    except RuntimeError:
        return False
    return True


@patient
@given(stacks, pairs(st.integers(5, 24), st.integers(5, 24)))
def test_theory_is_measurement_is_reality_for_random_stacks(layers, pixels):
    module, input_size = nn.Sequential(*layers), (CHANNELS, *pixels)
    assume(fits(layers, input_size, largest=20_000))
    theory = boxes(module, input_size)
    assert measured_boxes(module, input_size) == theory
    assert last(theory) == boxes_by_nan(module, input_size)
    table = receptive_field(module, input_size)
    output = module(torch.zeros(1, *input_size))
    assert table["output_size"].iloc[-1] == tuple(output.shape[1:])


def test_channels_that_differ_in_what_they_see_are_no_positions():
    # Found by the test above with ten times as many examples: one row of units, and channels of two kinds.
    wide, narrow = nn.Conv2d(4, 4, 3, padding="same"), nn.Conv2d(4, 4, 1)
    module = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), Concatenation(wide, narrow))
    assert boxes(module, (4, 5, 5), "cat") == measured_boxes(module, (4, 5, 5), ["cat"]) == {"cat": ((0, 4), (0, 4))}


@patient
@given(st.lists(st.one_of(convolutions(), pools(), same_size()), min_size=1, max_size=5), st.booleans())
def test_the_tables_size_is_the_measured_one_where_no_border_cuts(layers, even):
    module = nn.Sequential(*layers)
    row = receptive_field(module, (CHANNELS, 4000, 4000)).iloc[-1]
    size, jump, start = (
        value if isinstance(value, tuple) else (value, value) for value in row[["size", "jump", "start"]]
    )
    # Twice the field and a jump: the centre unit, somewhere near the middle, then sees no border.
    pixels = 2 * (max(size) + max(jump)) + even
    input_size = (CHANNELS, pixels, pixels)
    assume(pixels < 200 and fits(layers, input_size, largest=160_000))
    positions = receptive_field(module, input_size)["output_size"].iloc[-1][1:]
    firsts = [
        first + step * (n // 2) - width / 2 for first, step, n, width in zip(start, jump, positions, size, strict=True)
    ]
    box = tuple((int(first), int(first + width) - 1) for first, width in zip(firsts, size, strict=True))
    assume(all(start >= 0 and end < pixels for start, end in box))
    assert measure_receptive_field(module, input_size) == size
    assert measured_boxes(module, input_size, [row["layer"]]) == {row["layer"]: box}
    assert last(boxes(module, input_size, row["layer"])) == box


# ---- modules that a list cannot say ----------------------------------------------------------------------------------


class Functional(nn.Module):
    """Convolutions, pools, sums, concatenations and reshapes without a layer of their own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.scale = nn.Parameter(torch.rand(6, 1, 1))
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = F.relu(F.conv2d(x, self.weight, padding=1))
        y = F.max_pool2d(x, 2)
        z = F.avg_pool2d(x, 2, 2)
        x = torch.cat((y * self.scale, z - 1), dim=1)
        x = F.dropout(x, 0.5, self.training)
        left, right = x.chunk(2, dim=1)
        x = torch.cat([left + right, torch.tanh(left)], 1)
        x = x[:, :, 1:-1, ::2]
        return self.head(x.mean((2, 3)).view(x.size(0), -1))


def test_functional_calls_are_rows_with_fields():
    module, input_size = Functional(), (3, 20, 17)
    table = receptive_field(module, input_size).set_index("layer")
    assert table.loc["conv2d", ["kernel", "padding", "size"]].tolist() == [3, 1, 3]
    assert table.loc["max_pool2d", ["size", "jump", "start"]].tolist() == [4, 2, 1.0]
    # Every second column of the pooled image, but every row, the first of which is left out: 1.0 + 2.
    assert table.loc["getitem", "jump"] == (2, 4)
    assert table.loc["getitem", "start"] == (3.0, 1.0)
    assert table["output_size"].iloc[-1] == tuple(module(torch.rand(1, *input_size)).shape[1:])
    assert measured_boxes(module, input_size) == boxes(module, input_size)
    assert last(boxes(module, input_size)) == boxes_by_nan(module, input_size)


DECODER = nn.Sequential(
    nn.Conv2d(2, 8, 3, stride=2, padding=1),
    nn.Flatten(2),
    nn.Unflatten(2, (7, 6)),
    nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.Conv2d(4, 1, 3),
)
TOKENS = nn.Sequential(nn.Conv2d(2, 8, 4, 4), nn.Flatten(2), nn.Conv1d(8, 8, 1), nn.Softmax(1), nn.LayerNorm(9))
IN_1D = nn.Sequential(nn.Conv1d(2, 4, 5, 2, 2), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3, dilation=2))
IN_3D = nn.Sequential(nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 0)), nn.AvgPool3d((2, 2, 3)), nn.Conv3d(4, 1, 2))
NORMS = nn.Sequential(nn.Conv2d(2, 4, 3), nn.LocalResponseNorm(2), nn.InstanceNorm2d(4), nn.Conv2d(4, 4, 3))


@pytest.mark.parametrize(
    "module, input_size",
    [
        (DECODER, (2, 13, 12)),
        (DECODER[3:], (8, 7, 6)),
        (nn.Upsample(size=(9, 11), mode="bilinear", align_corners=True), (1, 5, 6)),
        (nn.Upsample(scale_factor=(1.5, 3), mode="bilinear"), (1, 6, 5)),
        (TOKENS, (2, 12, 14)),
        (IN_1D, (2, 41)),
        (IN_3D, (2, 9, 12, 15)),
        (NORMS, (2, 9, 9)),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4)), (2, 9, 8)),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveMaxPool2d((4, None))), (1, 12, 9)),
    ],
)
def test_theory_is_measurement_for_shapes_a_list_cannot_say(module, input_size):
    theory = boxes(module, input_size)
    assert measured_boxes(module, input_size) == theory
    with torch.no_grad():
        output = module.float().eval()(torch.rand(1, *input_size))
    assert receptive_field(module, input_size)["output_size"].iloc[-1] == tuple(output.shape[1:])
    assert len(measure_receptive_field(module, input_size)) == len(input_size) - 1


def test_transposed_convolution_undoes_the_jump():
    table = receptive_field(DECODER, (2, 13, 12)).set_index("layer")
    # Two neighbours, two pixels apart, each three wide: 5. Then each output is half as far from the next.
    assert table.loc["3", ["kind", "size", "jump"]].tolist() == ["conv_transpose", 5, 1]
    # Of two neighbours there one may see pixels −1 and 0 of the small image, the other 0 and 1: three, so 3 + 2·2.
    assert table.loc["4", ["size", "jump"]].tolist() == [7, 0.5]


def test_attention_sees_everything():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(1, 8, 4, 4)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            y, _ = self.attention(x, x, x, need_weights=False)
            return F.layer_norm(x + y, (8,))

    module, size = Attention(), (1, 16, 12)
    table = receptive_field(module, size).set_index("layer")
    assert table.loc["transpose", "size"] == 4
    assert table.loc["attention", ["size", "local"]].tolist() == ["whole image", 4]
    assert measured_boxes(module, size) == boxes(module, size)
    assert boxes(module, size)["transpose"] == ((8, 11), (0, 3))


@pytest.mark.parametrize("row, column", [(0, 0), (1, 5), (2, 2), (7, 9), (6, 1)])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_tokens_see_their_shifted_window(row, column, shift):
    import_torchvision()
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = ShiftedWindowAttention(4, [4, 4], [shift, shift], 1)

        def forward(self, x):
            x = self.attention(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return x[:, :, row : row + 1, column : column + 1]

    # Eight rows are two windows; ten columns are padded to three.
    module, size = Token(), (4, 8, 10)
    starts = [-4 + shift, shift, 4 + shift, 8 + shift]
    windows = [max(start for start in starts if start <= place) for place in (row, column)]
    box = tuple((max(0, start), min(start + 4, n) - 1) for start, n in zip(windows, size[1:], strict=True))
    assert last(boxes(module, size)) == last(measured_boxes(module, size)) == box


@pytest.mark.parametrize(
    "outputs, kind, kernel, size",
    [
        (1, "global_avg_pool", 12, 12),
        (4, "adaptive_avg_pool, exact windows", 3, 3),
        # Windows ⌊12 i / 5⌋ … ⌈12 (i + 1) / 5⌉ are 3, 3, 4, 3 and 3 wide.
        (5, "adaptive_avg_pool, fractional windows", 4, 4),
    ],
)
def test_adaptive_pools_say_what_their_windows_are(outputs, kind, kernel, size):
    row = receptive_field(nn.AdaptiveAvgPool2d(outputs), (1, 12, 12)).iloc[0]
    assert (row["kind"], row["kernel"], row["size"]) == (kind, kernel, size)


GATE = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 1))


@pytest.mark.parametrize(
    "branch, kind, size",
    [
        (nn.Conv2d(1, 1, 5, padding=2), "add, branches aligned", 5),
        (nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(1, 1, 3)), "add, branches not aligned", 3),
        (
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 1)),
            "add, one branch shared by all positions, whole image from here on",
            "whole image",
        ),
    ],
)
def test_branches_that_meet_say_whether_they_are_aligned(branch, kind, size):
    table = receptive_field(Residual(branch), (1, 14, 14)).set_index("layer")
    assert table.loc["add", ["kind", "size"]].tolist() == [kind, size]


def test_the_given_module_stays_as_it_is():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    receptive_field(module)
    measure_receptive_field(module, (1, 28, 28))
    effective_receptive_field(module, torch.rand(2, 1, 28, 28))
    assert all(child.training for child in module.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_measurement_reaches_through_very_deep_networks():
    # Some 9⁴⁰⁰ paths lead to the middle, more than 64 bits can say; and infinity times the interpolation's 0 is NaN.
    interpolation = nn.Upsample(scale_factor=1, mode="bilinear")
    module = nn.Sequential(interpolation, *[nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(400)])
    assert measure_receptive_field(module, (1, 21, 801)) == (21, 801)
    assert measure_receptive_field(module, (1, 21, 801), layer="399") == (21, 799)


# ---- the effective field ---------------------------------------------------------------------------------------------


def stack_of(layers, channels):
    widths = [1, *[channels] * layers]
    return nn.Sequential(*[nn.Conv2d(a, b, 3, bias=False) for a, b in pairwise(widths)])


@pytest.mark.parametrize("layers, size, sigma", EFFECTIVE)
def test_uniform_kernels_spread_as_luo_says(layers, size, sigma):
    module = stack_of(layers, 1).double()
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1 / 9)
    field = effective_receptive_field(module, torch.rand(1, 1, size, size, dtype=torch.float64), power=1)
    assert gaussian_sigma(layers) == pytest.approx(sigma, abs=5e-5)
    assert field.sigma == pytest.approx((sigma, sigma), abs=1e-4)
    assert field.centre == pytest.approx((size / 2, size / 2))
    assert (field.strength > 0).all()
    assert receptive_field(module, (1, size, size))["size"].iloc[-1] == size


@pytest.mark.parametrize("layers, size, sigma", EFFECTIVE[:3])
def test_the_energy_of_random_networks_spreads_as_luo_says(layers, size, sigma):
    torch.manual_seed(0)
    energies = []
    for _ in range(30):
        module = stack_of(layers, 12)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=(9 * parameter.shape[1]) ** -0.5)
        energies.append(effective_receptive_field(module, torch.rand(1, 1, size, size)).strength)
    # A single network's energy is a rough sample; the formula is about the mean of many.
    assert [energy.sum() for energy in energies] == pytest.approx([1] * 30)
    assert fit_gaussian(np.mean(energies, axis=0)).sigma == pytest.approx((sigma, sigma), rel=0.05)


def test_effective_field_of_an_inner_layer():
    module = nets.build(nets.SOURCE)
    field = effective_receptive_field(module, torch.rand(4, 1, 28, 28), layer="conv3")
    rows, columns = np.nonzero(field.strength)
    assert (np.ptp(rows), np.ptp(columns)) == (6, 6)
    with pytest.raises(ValueError, match="no module 'conv99'"):
        effective_receptive_field(module, torch.rand(1, 1, 28, 28), layer="conv99")


@pytest.mark.parametrize("module", [nn.AvgPool2d(3), nn.Conv2d(1, 1, 3)], ids=["no weights", "weights"])
def test_effective_field_of_whole_numbers(module):
    module = nn.Sequential(module, nn.Tanh())
    numbers = torch.randint(0, 3, (2, 1, 9, 9), dtype=torch.uint8)
    strength = effective_receptive_field(module, numbers).strength
    assert np.count_nonzero(strength) == 9
    assert np.array_equal(strength, effective_receptive_field(module, numbers.float()).strength)


def test_the_precision_of_a_module_is_that_of_its_first_floating_parameter():
    module = nn.Conv2d(1, 1, 3).double()
    counted = nn.Module()
    counted.table = nn.Parameter(torch.arange(3), requires_grad=False)
    counted.conv = module
    counted.forward = lambda images: counted.conv(images)
    images = torch.rand(1, 1, 9, 9)
    strength = effective_receptive_field(counted, images).strength
    assert np.array_equal(strength, effective_receptive_field(module, images).strength)


def test_no_gradient_no_width():
    module = nn.Conv2d(1, 1, 3, bias=False)
    nn.init.zeros_(module.weight)
    with pytest.raises(ValueError, match="no gradient"):
        effective_receptive_field(module, torch.rand(1, 1, 9, 9))


# ---- errors ----------------------------------------------------------------------------------------------------------

CONV = nets.conv(4, 3)
BAD = {
    "no layers": ([], (1, 28, 28), "layers: the list is empty"),
    "no modules": (nn.Sequential(), (1, 28, 28), "has no layers"),
    "negative padding": ([CONV, nets.conv(4, 3, padding=-1)], (1, 28, 28), "conv2: padding: -1 is too small"),
    "negative padding, module": (
        nn.Sequential(nn.Conv2d(1, 1, 3, padding=-1)),
        (1, 28, 28),
        "0: padding .* is negative",
    ),
    "kernel too large": ([nets.conv(4, 9, padding=1, name="stem")], (1, 6, 28), "stem: its window is 9 .* only 8"),
    "kernel too large, module": (nn.Sequential(nn.MaxPool2d(9)), (1, 6, 28), "0: its window is 9 .* only 6"),
    "3-D to 2-D": ([CONV], (1, 9, 9, 9), "conv1: works on channels, height and width"),
    "3-D to 2-D, module": (nn.Sequential(nn.Conv2d(1, 1, 3)), (1, 9, 9, 9), "0: works on 2-D images"),
    "1-D to 2-D, module": (nn.Sequential(nn.Conv2d(1, 1, 3)), (1, 9), "0: works on 2-D images"),
    "channels": (nn.Sequential(nn.Conv2d(3, 1, 3)), (1, 9, 9), "0: wants 3 channels, but its input has 1"),
    "features": (nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), (1, 9, 9), "1: wants 5 numbers"),
    "groups": ([CONV, nets.conv(4, 3, groups=3)], (1, 28, 28), "conv2: 3 groups do not divide"),
    "odd blocks": ([nets.pixel_unshuffle(2)], (1, 27, 28), "pixel_unshuffle1: 27×28 pixels cannot be cut"),
    "input size": ([CONV], (1, 0, 28), "input_size: 0 is too small"),
    "no image": ([CONV], (28,), "input_size: expected channels"),
    "not a layer": (["conv"], (1, 28, 28), "layers: expected layers"),
    "not a module": (3, (1, 28, 28), "module: expected a list of layers or a torch.nn.Module, got int"),
}


@pytest.mark.parametrize("module, input_size, message", BAD.values(), ids=BAD)
def test_bad_input_is_told_by_name(module, input_size, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(module, input_size)
    with pytest.raises(ValueError, match=message):
        measure_receptive_field(module, input_size)


class Branching(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x


class Fourier(nn.Module):
    def forward(self, x):
        return torch.fft.fft2(x).real


@pytest.mark.parametrize(
    "module, operation", [(Branching(), r"if x\.sum\(\) > 0"), (Fourier(), "fft"), (nn.GRU(28, 4), "GRU reads")]
)
@pytest.mark.parametrize("function", [receptive_field, measure_receptive_field])
def test_what_cannot_be_traced_is_named(module, operation, function):
    with pytest.raises(UntraceableError, match=operation) as caught:
        function(module, (1, 28, 28))
    assert "\n" not in str(caught.value)


def test_an_unknown_layer_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no 'conv9'; choose among conv1, relu1"):
        measure_receptive_field(nets.build(nets.SOURCE), (1, 28, 28), layer="conv9")
