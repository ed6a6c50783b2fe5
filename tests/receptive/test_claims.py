"""What a table claims, against the module's own gradient: equal where it claims to be exact, never too small.

Small random networks of pieces that were once judged wrongly; what is not exact must say so in `kind`.
"""

import random

import pytest

torch = pytest.importorskip("torch")
from gradient_oracle import Does, seen  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from cellgrad.receptive import box, measured_boxes, receptive_field  # noqa: E402

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore::UserWarning")]
SIZE = (4, 15, 15)


def claims_exact(module, input_size=SIZE):
    return "upper bound" not in receptive_field(module, input_size)["kind"].iloc[-1]


def judged(module, input_size=SIZE, unit=None):
    """Whether the table claims to be exact; what it says of the centre is what it may say then. Returns the claim."""
    exact, own, said = claims_exact(module, input_size), seen(module, input_size, unit), box(module, input_size)
    assert all(a <= c and d <= b for (a, b), (c, d) in zip(said, own, strict=True) if c <= d)
    if exact:
        assert said == own == list(measured_boxes(module, input_size).values())[-1]
    return exact


def window(kernel, **options):
    return nn.Conv2d(4, 4, kernel, padding=kernel // 2, **options)


# ---- branches --------------------------------------------------------------------------------------------------------


def branches(self, x):
    return torch.cat([self.narrow(x), self.wide(x)], 1)


BRANCHES = {  # what is done with the channels of two branches, and whether all is there that was said
    "the narrow one": (lambda y: y[:, :4], False),
    "the wide one": (lambda y: y[:, 4:], True),
    "some of the narrow one": (lambda y: 2 * y.chunk(4, 1)[1], False),
    "some of both": (lambda y: y[:, 2:6], True),
    "every second": (lambda y: y[:, ::2], True),
    "both, shuffled, then half": (lambda y: F.channel_shuffle(y, 2)[:, :4], True),
    "both, shuffled by hand, then half": (lambda y: y.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)[:, :4], True),
    "each apart": (lambda y: y.unflatten(1, (2, 4))[:, 0], False),
    "one channel": (lambda y: y.select(1, 2)[:, None], False),
    "pixels of channels": (lambda y: F.pixel_shuffle(y, 2), True),
    "pixels of channels of both": (lambda y: F.pixel_shuffle(y[:, 2:6], 2), False),
    "a norm of the channels, then some": (lambda y: F.normalize(y)[:, :4], True),
    "all of them, then some": (lambda y: (y + y.sum(1, keepdim=True))[:, :4], True),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_channels_of_one_branch_see_what_that_one_saw(name):
    further, exact = BRANCHES[name]
    module = Does(lambda self, x: further(branches(self, x)), narrow=window(3), wide=window(7))
    assert judged(module) == exact


@pytest.mark.parametrize("groups, exact", [(1, True), (2, False), (4, False)])
def test_a_convolution_in_groups_keeps_branches_apart(groups, exact):
    mixed = nn.Sequential(
        Does(branches, narrow=window(3), wide=window(7)), nn.Conv2d(8, 8, 3, padding=1, groups=groups)
    )
    assert claims_exact(mixed) and claims_exact(nn.Sequential(mixed, nn.Conv2d(8, 4, 3)))
    assert judged(nn.Sequential(mixed, Does(lambda self, x: x[:, :4]))) == exact


def split(self, x):
    kept, worked = x.chunk(2, 1)
    return torch.cat([kept, self.work(worked)], 1)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_with_branches(seed):
    lots = random.Random(seed)

    def piece():
        kind = lots.choice(["branches", "half", "split", "shuffle", "add", "conv", "pixels"])
        if kind == "branches":
            first = lots.randrange(5)
            narrow, wide = (window(lots.choice([1, 3, 5])) for _ in range(2))
            return Does(lambda self, x: branches(self, x)[:, first : first + 4], narrow=narrow, wide=wide)
        if kind == "half":
            first = lots.choice([0, 2])
            return Does(lambda self, x: self.a(x[:, first : first + 2]), a=nn.Conv2d(2, 4, 3, padding=1))
        groups = lots.choice([1, 2, 4])
        return {
            "split": Does(split, work=nn.Conv2d(2, 2, 3, padding=1)),
            "shuffle": Does(lambda self, x: F.channel_shuffle(x, 2)),
            "add": Does(lambda self, x: x + self.a(x), a=window(3)),
            "conv": window(3, groups=groups),
            "pixels": Does(lambda self, x: F.pixel_shuffle(self.a(x), 2)[:, :, ::2, ::2], a=nn.Conv2d(4, 16, 1)),
        }[kind]

    judged(nn.Sequential(*(piece() for _ in range(lots.randint(2, 5)))))


def test_an_odd_number_of_pixels_gets_a_dimension_more():
    """The pattern of a transposed convolution has two phases, and 31 pixels are no whole number of them."""
    spread = nn.ConvTranspose2d(4, 4, 3, stride=2)
    assert judged(Does(lambda self, x: self.a(x).reshape(1, 4, 1, 31, 31).flatten(1, 2), a=spread))


# ---- resizing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels, target", [(5, 27), (9, 35), (7, 49), (49, 343), (12, 18), (30, 11)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_a_place_between_two_pixels_is_between_them(pixels, target, align_corners):
    """In 32 bits, rounding would weigh a neighbour of a pixel that is hit exactly."""
    module = nn.Upsample(size=target, mode="bilinear", align_corners=align_corners)
    assert judged(module, (1, pixels, pixels))


# ---- masks of weights ------------------------------------------------------------------------------------------------


def earlier(kernel):
    """The mask of a PixelCNN's first layer: what comes before the middle."""
    mask = torch.ones(4, 4, kernel, kernel)
    mask[:, :, kernel // 2, kernel // 2 :] = 0
    mask[:, :, kernel // 2 + 1 :] = 0
    return mask


class Masked(nn.Conv2d):
    def __init__(self, way, kernel, mask=None):
        super().__init__(4, 4, kernel, padding=kernel // 2)
        self.way = way
        self.register_buffer("mask", earlier(kernel) if mask is None else mask)

    def forward(self, x):
        with torch.enable_grad():
            return F.conv2d(x, MASKED[self.way](self), self.bias, padding=self.padding)


def changed(change):
    def way(self):
        with torch.no_grad():
            change(self)
        return self.weight

    return way


def below(weight):
    return weight[:, :, weight.shape[2] // 2 + 1 :]


def zero_below(weight):
    weight[:, :, weight.shape[2] // 2 + 1 :] = 0


MASKED = {
    "times": lambda self: self.weight * self.mask,
    "filled": lambda self: self.weight.masked_fill(self.mask == 0, 0),
    "chosen": lambda self: torch.where(self.mask > 0, self.weight, 0.0),
    "data times": changed(lambda self: self.weight.data.mul_(self.mask)),
    "data is times": changed(lambda self: setattr(self.weight, "data", self.weight.data * self.mask)),
    "in place": changed(lambda self: self.weight.mul_(self.mask)),
    "set": changed(lambda self: zero_below(self.weight.data)),
    "through a view": changed(lambda self: below(self.weight).zero_()),
}


@pytest.mark.parametrize("way", MASKED)
def test_a_mask_of_the_weights_masks_the_field(way):
    """Of a view nobody knows what it is a view of: only that is an upper bound."""
    module = nn.Sequential(Masked(way, 5), Masked(way, 3))
    assert judged(module) == (way != "through a view")
    assert claims_exact(module) is False or box(module, SIZE) == ((4, 7), (4, 10))


class Times(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def test_pruned_and_parametrized_weights():
    mask = torch.ones(4, 4, 5, 5)
    mask[..., 3:] = 0
    pruned, own = window(5), window(5)
    prune.custom_from_mask(pruned, "weight", mask)
    with torch.no_grad():
        pruned(torch.zeros(1, *SIZE))  # a weight that may be copied
    parametrize.register_parametrization(own, "weight", Times(mask))
    for module in (pruned, own):
        assert judged(module) and receptive_field(module, SIZE)["size"].iloc[-1] == (5, 3)
    whole = parametrizations.weight_norm(window(5))
    assert judged(whole) and receptive_field(whole, SIZE)["size"].iloc[-1] == 5


KERNELS = {
    "edges": (torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]), 3),
    "a shift": (torch.tensor([[0.0, 0, 1], [0, 0, 0], [0, 0, 0]]), 1),
    "a column": (torch.tensor([[0.0, 1, 0]] * 3), (3, 1)),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_fixed_kernel_is_read_where_it_is_not_zero(name):
    kernel, size = KERNELS[name]
    module = Does(lambda self, x: F.conv2d(x[:, :1], self.kernel))
    module.register_buffer("kernel", kernel[None, None])
    assert judged(module) and receptive_field(module, SIZE)["size"].iloc[-1] == size


UPPER_BOUNDS = {
    "a dense layer": lambda self, x: F.linear(self.a(x).flatten(1), self.weight * self.columns),
    "a product of matrices": lambda self, x: self.a(x) @ torch.eye(13, dtype=x.dtype),
    "an einsum": lambda self, x: torch.einsum("bchw,wv->bchv", self.a(x), torch.eye(13, dtype=x.dtype)),
    "the image times a mask": lambda self, x: self.a(x * self.rows),
    "the image where a mask is": lambda self, x: self.a(torch.where(self.rows > 0, x, torch.zeros_like(x))),
    "the image filled": lambda self, x: self.a(x.masked_fill(self.rows == 0, 0)),
}


@pytest.mark.parametrize("name", UPPER_BOUNDS)
def test_a_constant_with_zeros_elsewhere_leaves_an_upper_bound(name):
    rows, columns = torch.ones(15, 15), torch.zeros(3, 4 * 13 * 13)
    rows[8:], columns[:, 4 * 13 * 6 :] = 0, 1
    module = Does(UPPER_BOUNDS[name], a=nn.Conv2d(4, 4, 3), weight=nn.Parameter(torch.ones(3, 4 * 13 * 13)))
    module.register_buffer("rows", rows)
    module.register_buffer("columns", columns)
    assert judged(module, SIZE, (lambda y: y) if name == "a dense layer" else None) is False


@pytest.mark.parametrize("seed", range(20))
def test_random_masks(seed):
    lots, draw = random.Random(seed), torch.Generator().manual_seed(seed)

    def piece():
        kernel, groups = lots.choice([3, 5]), lots.choice([1, 2, 4])
        mask = (torch.rand(4, 4 // groups, kernel, kernel, generator=draw) > lots.choice([0.3, 0.8])).float()
        mask = mask[:1, :1].expand_as(mask).clone() if lots.random() < 0.4 else mask
        masked = window(kernel, groups=groups)
        parametrize.register_parametrization(masked, "weight", Times(mask))
        return lots.choice(
            [masked, masked, window(3), nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1), nn.AvgPool2d(2)]
        )

    judged(nn.Sequential(*(piece() for _ in range(lots.randint(1, 3)))))


# ---- positions that differ -------------------------------------------------------------------------------------------


def assigned(*index):
    """A narrow field, in some places replaced by a wide one."""

    def forward(self, x):
        y = self.narrow(x) * 1
        y[index] = self.wide(x)[index]
        return y

    return Does(forward, narrow=window(3), wide=window(7))


ALL, PAIR = slice(None), {"narrow": nn.Conv2d(4, 4, 3)}
POSITIONS = {
    "every second column": assigned(ALL, ALL, ALL, slice(None, None, 2)),
    "a block": assigned(ALL, ALL, slice(5, 8), slice(4, 8)),
    "a column": assigned(ALL, ALL, ALL, 6),
    "rows of two branches": Does(
        lambda self, x: torch.cat([self.narrow(x)[:, :, :6], self.wide(x)[:, :, 6:]], 2),
        narrow=window(3),
        wide=window(7),
    ),
    "a running sum": Does(lambda self, x: self.narrow(x).cumsum(3), **PAIR),
    "turned round": Does(lambda self, x: self.narrow(x).flip(3), **PAIR),
    "turned round, then padded": Does(
        lambda self, x: self.wide(self.narrow(x).flip(2, 3)), wide=window(3, stride=2), **PAIR
    ),
    "with what is turned round": Does(lambda self, x: self.narrow(x) + self.narrow(x).flip(3), **PAIR),
    "with what is rolled": Does(lambda self, x: self.narrow(x) + self.narrow(x).roll(4, 3), **PAIR),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_the_sizes_of_all_positions_are_said(name):
    """Away from the border, which cuts some: the largest is size, and kind has the range where they differ."""
    module, size = POSITIONS[name], (4, 13, 13)
    row = receptive_field(module, size).iloc[-1]
    _, _, rows, columns = module.eval()(torch.zeros(1, *size)).shape
    margin = 3 if rows == 13 else 1 if "then" in name else 0
    found = ([], [])
    for place in range(margin, rows - margin, 2):
        for other in range(margin, columns - margin):
            own = seen(module, size, lambda y, at=(place, other): y[0, :, at[0], at[1]])
            assert other != place or box(module, size, unit=(place, other)) == own
            for sizes, (first, last) in zip(found, own, strict=True):
                sizes.append(last - first + 1)
    sizes = row["size"] if isinstance(row["size"], tuple) else (row["size"],) * 2
    assert sizes == tuple(map(max, found))
    ranges = [str(max(one)) if min(one) == max(one) else f"{min(one)}–{max(one)}" for one in found]
    said = ranges[0] if ranges[0] == ranges[1] else " × ".join(ranges)
    assert (f"{said} by position" in row["kind"]) == ("–" in said) == ("by p" in row["kind"])
