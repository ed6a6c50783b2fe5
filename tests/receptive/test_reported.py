"""What readers of the code found wrong in the receptive fields, each against what PyTorch's own gradients say."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from cellgrad.receptive import box, effective_receptive_field, receptive_field  # noqa: E402


def read_by(module, input_size, unit):
    """First and last pixel, along each axis, whose change moves the unit: by the gradient, all weights positive."""
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    image = torch.ones(1, *input_size, requires_grad=True)
    module(image)[(0, slice(None), *unit)].sum().backward()
    moved = image.grad[0].sum(0) != 0
    return tuple((int(where.nonzero()[0]), int(where.nonzero()[-1])) for where in (moved.any(1), moved.any(0)))


class TwoBranches(nn.Module):
    """A transposed convolution that leaves gaps, and two branches that fall into them at different places."""

    def __init__(self):
        super().__init__()
        self.spread = nn.ConvTranspose2d(1, 1, 1, stride=2)
        self.near, self.far = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=2, dilation=2)

    def forward(self, x):
        x = self.spread(x)
        return torch.cat([self.near(x), self.far(x)], dim=1)


@pytest.mark.parametrize("row", range(9))
@pytest.mark.parametrize("column", [0, 1, 4, 5, 10])
def test_a_branch_that_is_blind_on_one_axis_widens_nothing(row, column):
    size = (1, 5, 6)
    assert box(TwoBranches(), size, unit=(row, column)) == read_by(TwoBranches(), size, (row, column))


@pytest.mark.parametrize(("pixels", "outputs"), [(2, 82), (3, 123), (4, 94)])
def test_nearest_upsampling_reads_the_pixel_that_torch_rounds_to(pixels, outputs):
    """Where a unit lies exactly on a border, torch's 32 bits may fall on the other side of it."""
    module, size = nn.Upsample(size=outputs), (1, pixels, pixels)
    disputed = [n for n in range(outputs) if read_by(module, size, (n, n))[0] != (n * pixels // outputs,) * 2]
    assert disputed
    for n in disputed:
        assert box(module, size, unit=(n, n)) == read_by(module, size, (n, n))


class Reduced(nn.Module):
    """A convolution, and what is left of its channels when a number is made of them."""

    def __init__(self, reduce):
        super().__init__()
        self.convolution, self.reduce = nn.Conv2d(1, 4, 3), reduce

    def forward(self, x):
        return self.reduce(self.convolution(x))


@pytest.mark.parametrize(
    "reduce",
    [
        lambda x: x.sum(axis=1, keepdim=True),
        lambda x: x.norm(2, 1, keepdim=True),
        lambda x: x.norm(p=2, dim=1, keepdim=True),
        lambda x: x.mean(dim=(1,), keepdims=True),
    ],
)
def test_a_reduction_of_the_channels_leaves_the_pixels_apart(reduce):
    table = receptive_field(Reduced(reduce), (1, 28, 28))
    assert table["output_size"].iloc[-1] == (1, 26, 26) == tuple(Reduced(reduce)(torch.zeros(1, 1, 28, 28)).shape[1:])
    assert box(Reduced(reduce), (1, 28, 28), unit=(7, 9)) == read_by(Reduced(reduce), (1, 28, 28), (7, 9))


def test_the_norm_of_everything_sees_everything():
    """2 is the power here, not the dimension."""
    assert receptive_field(Reduced(lambda x: x.norm(2)), (1, 28, 28))["size"].iloc[-1] == 28


def test_an_output_whose_batch_is_squeezed_away_keeps_its_channels():
    module = Reduced(lambda x: torch.relu(x.squeeze()))
    assert receptive_field(module, (1, 3, 3))["output_size"].tolist() == [(4, 1, 1), (4,), (4,)]
    assert receptive_field(Reduced(lambda x: x[0]), (1, 28, 28))["output_size"].iloc[-1] == (4, 26, 26)


def test_tiles_that_overlap_by_the_size_less_the_jump_make_the_whole():
    """As the docstring of `context` says."""
    module = nn.Sequential(nn.Conv2d(1, 2, 5, stride=2), nn.MaxPool2d(2), nn.Conv2d(2, 1, 3))
    size, jump = receptive_field(module, (1, 81, 81)).iloc[-1][["size", "jump"]]
    image, units = torch.randn(1, 1, 81, 81), 7
    tile = size + (units - 1) * jump
    starts = range(0, 81 - tile + 1, tile - (size - jump))
    tiles = torch.cat([module(image[..., start : start + tile, :]) for start in starts], dim=2)
    assert len(starts) == 2 and torch.allclose(tiles, module(image)[..., : tiles.shape[2], :], atol=1e-6)


def to_tokens_and_back(x):
    n, channels, height, width = x.shape
    return x.flatten(2).transpose(1, 2).transpose(1, 2).reshape(n, channels, height, width)


class Tokens(nn.Module):
    """Convolutions with something between them."""

    def __init__(self, between, first, *others):
        super().__init__()
        self.between, self.first, self.others = between, first, nn.Sequential(*others)

    def forward(self, x):
        return self.others(self.between(self.first(x)))


@pytest.mark.parametrize("pixels", [(32, 32), (24, 40)])
def test_a_list_of_tokens_that_becomes_an_image_again_changes_no_field(pixels):
    """Beyond the border, too: the field counts what padding fills, on both axes alike."""
    layers = nn.Conv2d(1, 4, 4, stride=4), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 7, padding=3)
    plain = receptive_field(Tokens(lambda x: x, *layers), (1, *pixels)).iloc[-1]
    back = receptive_field(Tokens(to_tokens_and_back, *layers), (1, *pixels)).iloc[-1]
    assert plain["size"] == 4 + 4 * (2 + 6)
    assert plain[["size", "jump", "start", "local"]].equals(back[["size", "jump", "start", "local"]])


def attention_among_every_second_pixel(x):
    """As in MobileViT: the pixels at the same place of all 2 × 2 blocks attend to each other."""
    n, channels, height, width = x.shape
    blocks = x.reshape(n * channels * height // 2, 2, width // 2, 2).transpose(1, 2)
    tokens = blocks.reshape(n, channels, height * width // 4, 4).transpose(1, 3).reshape(n * 4, -1, channels)
    tokens = torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
    blocks = tokens.reshape(n, 4, -1, channels).transpose(1, 3).reshape(n * channels * height // 2, width // 2, 2, 2)
    return blocks.transpose(1, 2).reshape(n, channels, height, width)


def test_attention_among_every_second_pixel_sees_the_whole_image():
    module = Tokens(attention_among_every_second_pixel, nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    last = receptive_field(module, (1, 32, 32)).iloc[-1]
    assert (last["size"], last["jump"], last["local"]) == ("whole image", None, 5)
    # Not where it is by convolutions that each unit sees all: those slide, and have a jump.
    wide = nn.Sequential(nn.Conv2d(1, 4, 67, padding=33), nn.Conv2d(4, 4, 3, padding=1))
    assert receptive_field(wide, (1, 32, 32)).iloc[-1][["size", "jump"]].tolist() == [69, 1]


def test_a_norm_for_another_number_of_channels_is_refused_as_torch_does():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(3))
    with pytest.raises(ValueError, match=r"^1: "):
        receptive_field(module, (1, 8, 8))
    with pytest.raises((ValueError, RuntimeError)):
        module.eval()(torch.zeros(1, 1, 8, 8))


class Upright(nn.Module):
    def forward(self, x):
        n, c, height, width = x.shape
        return x.unsqueeze(3).permute(0, 1, 3, 2, 4).reshape(n, c, height, width)


@pytest.mark.parametrize("same", [nn.PixelUnshuffle(1), nn.PixelShuffle(1), Upright()], ids=str)
def test_a_dimension_of_one_unit_that_is_merged_again_adds_nothing(same):
    network = nn.Sequential(same, nn.Conv2d(1, 2, 3, padding=1))
    assert receptive_field(network, (1, 28, 28))["size"].iloc[-1] == 3


class Of(nn.Module):
    """A module of a function of the image, in one channel."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


LISTED = {  # positions that are listed one by one: how far apart they read, on each axis
    "overlapping patches": (lambda x: x.unfold(2, 4, 3).mean(-1), (1, 30), 3),
    "patches of half": (lambda x: x.unfold(2, 4, 2).mean(-1), (1, 30), 2),
    "nearest-exact, half": (lambda x: functional.interpolate(x, scale_factor=0.5, mode="nearest-exact"), (1, 12, 9), 2),
    "nearest-exact, wider": (lambda x: functional.interpolate(x, scale_factor=2, mode="nearest-exact"), (1, 9, 9), 0.5),
    "every second row": (lambda x: x[:, :, [0, 2, 4, 6]], (1, 8, 8), (2, 1)),
    "every third column": (lambda x: x.index_select(3, torch.arange(0, 11, 3)), (1, 12, 12), (1, 3)),
    "each row twice": (lambda x: x.repeat_interleave(2, 2), (1, 9, 9), (0.5, 1)),
    "turned round": (lambda x: x[:, :, [4, 3, 2, 1, 0]], (1, 5, 5), 1),
    "in no order": (lambda x: x[:, :, [4, 0, 3, 1, 2]], (1, 5, 5), 1),
}


@pytest.mark.parametrize("way", LISTED)
def test_the_jump_of_positions_that_are_listed(way):
    function, input_size, jump = LISTED[way]
    assert receptive_field(Of(function), input_size)["jump"].iloc[-1] == jump


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_channels_are_no_positions_after_pixels_are_folded_and_spread_again(factor):
    size = (1, 12, 10)
    module = Of(lambda x: functional.interpolate(functional.pixel_unshuffle(x, 2), scale_factor=factor))
    assert receptive_field(module, size)["size"].iloc[-1] == 2
    for unit in ((0, 0), (factor * 6 - 1, factor * 5 - 1), (factor * 3, factor * 2)):
        assert box(module, size, unit=unit) == read_by(module, size, unit)


@pytest.mark.parametrize("unit", [(0.5, 1), 5, "ab", (None, 0), (1,), (1, 99), {1, 2}])
def test_a_unit_that_is_no_position(unit):
    with pytest.raises(ValueError, match=r"^unit: "):
        box(nn.Conv2d(1, 1, 3), (1, 9, 9), unit=unit)


def test_a_unit_in_an_array_is_one_too():
    numpy = pytest.importorskip("numpy")
    module = nn.Conv2d(1, 1, 3)
    assert box(module, (1, 9, 9), unit=numpy.array([1, 2])) == box(module, (1, 9, 9), unit=(1, 2))


def test_a_layer_that_is_no_name():
    with pytest.raises(ValueError, match=r"^layer: "):
        box(nn.Conv2d(1, 1, 3), (1, 9, 9), layer=["0"])


def test_an_image_beyond_all_memory_is_refused():
    with pytest.raises(ValueError, match=r"^input_size: "):
        receptive_field(nn.Conv2d(1, 1, 3), (1, 10**9, 10**9))


@pytest.mark.parametrize("answer", [lambda y: {"scores": y}, lambda y: (y, y), lambda y: y.detach()])
def test_an_effective_field_without_a_gradient(answer):
    convolution = nn.Conv2d(1, 1, 3)
    with pytest.raises(ValueError, match=r"^module: "):
        effective_receptive_field(Of(lambda x: answer(convolution(x))), torch.rand(2, 1, 9, 9))


@pytest.mark.parametrize("module", [[1], None, nn.ReLU])
def test_an_effective_field_of_what_is_no_module(module):
    with pytest.raises(ValueError, match=r"^module: "):
        effective_receptive_field(module, torch.rand(2, 1, 9, 9))
    with pytest.raises(ValueError, match=r"^inputs: "):
        effective_receptive_field(nn.Conv2d(1, 1, 3), (1, 9, 9))


def test_a_forward_that_draws_lots_draws_the_same_ones():
    wide = nn.Conv2d(1, 1, 3)
    module, found = Of(lambda x: wide(x) if torch.rand(1).item() < 0.5 else x[:, :, 1:]), set()
    for seed in range(6):
        torch.manual_seed(seed)
        found.add(str(receptive_field(module, (1, 9, 9))["size"].iloc[-1]))
    assert len(found) == 1
