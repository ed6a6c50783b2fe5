"""Modules of the kinds that were once judged wrongly, refused or crashed: other inputs than in receptive_cases.

What is right is counted by hand, or is the gradient of the module itself (gradient_oracle).
"""

import collections
import math
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from gradient_oracle import Does, seen  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import parametrize, prune  # noqa: E402

from cellgrad.receptive import (  # noqa: E402
    UntraceableError,
    box,
    boxes,
    context,
    effective_receptive_field,
    measure_receptive_field,
    measured_boxes,
    receptive_field,
)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]


def conv(kernel=3, **options):
    return nn.Conv2d(4, 4, kernel, **options)


def last_row(module, input_size):
    return receptive_field(module, input_size).iloc[-1]


def fields_are_gradients(module, input_size, unit=None):
    """Arithmetic, measurement and the module's own gradient agree on the centre unit; returns its box."""
    own = seen(module, input_size, unit)
    assert box(module, input_size) == own
    assert list(measured_boxes(module, input_size).values())[-1] == own
    return own


# ---- F1: types and shapes are what they will be ----------------------------------------------------------------------


def after(condition):
    """5 × 5 where the condition on the image holds, else 1 × 1."""
    return Does(
        lambda self, x: self.wide(x) if condition(x) else self.narrow(x), wide=conv(5, padding=2), narrow=conv(1)
    )


def size_or_one(x):
    try:
        return int(x.shape[2])
    except TypeError:
        return 1


TYPES = {
    "is_tensor": lambda x: torch.is_tensor(x),
    "isinstance of several": lambda x: isinstance(x, torch.Tensor | np.ndarray),
    "type": lambda x: type(x) is torch.Tensor,
    "no list": lambda x: not isinstance(x, list | tuple),
    "int of a size, with a way out": lambda x: size_or_one(x) == 20,
    "hasattr": lambda x: hasattr(x, "permute") and not hasattr(x, "node"),
    "floating": lambda x: x.is_floating_point() and x.dtype.is_floating_point and not x.is_complex(),
    "device": lambda x: x.device.type == "cpu" and not x.is_cuda,
    "size is a tuple": lambda x: isinstance(x.shape, tuple) and isinstance(x.shape[0], int),
    "not scripted": lambda x: not torch.jit.is_scripting() and not torch.jit.is_tracing(),
}


@pytest.mark.parametrize("condition", TYPES.values(), ids=TYPES)
def test_a_condition_on_the_type_holds_as_it_will(condition):
    module = after(condition)
    assert last_row(module, (4, 20, 20))["size"] == 5
    assert fields_are_gradients(module, (4, 20, 20)) == ((8, 12), (8, 12))


# ---- F2: operations on the whole image -------------------------------------------------------------------------------


def normed(norm):
    return nn.Sequential(conv(3, padding=1), norm, conv(3, padding=1))


def non_local(self, x):
    q, k, v = (layer(x).flatten(2) for layer in (self.q, self.k, self.v))
    weights = torch.softmax(q.transpose(1, 2) @ k, dim=-1)
    return self.b(x + (v @ weights.transpose(1, 2)).view_as(x))


def response_norm(self, x):
    x = self.a(x).permute(0, 2, 3, 1)
    strength = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
    x = x + x * (strength / (strength.mean(dim=-1, keepdim=True) + 1e-6))
    return self.b(x.permute(0, 3, 1, 2))


def channel_attention(self, x):
    x = self.a(x)
    y = F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2)
    return self.b(x * torch.sigmoid(self.mix(y).transpose(-1, -2).unsqueeze(-1)))


def film(self, x):
    scale, shift = self.two(x.flatten(2).mean(-1)).chunk(2, dim=-1)
    return self.b(self.a(x) * scale[:, :, None, None] + shift[..., None, None])


PAIR = {"a": conv(3, padding=1), "b": conv(3, padding=1)}
# The layer from which on every unit sees the whole image.
GLOBAL = {
    "instance norm": (normed(nn.InstanceNorm2d(4)), "1"),
    "group norm": (normed(nn.GroupNorm(2, 4)), "1"),
    "layer norm over all": (normed(nn.LayerNorm((4, 24, 24))), "1"),
    "batch norm without running statistics": (normed(nn.BatchNorm2d(4, track_running_stats=False)), "1"),
    "global response norm": (Does(response_norm, **PAIR), "mul"),
    "channel attention": (Does(channel_attention, mix=nn.Conv1d(1, 1, 3, padding=1), **PAIR), "mul"),
    "non-local": (Does(non_local, q=conv(3, padding=1), k=conv(1), v=conv(1), b=conv(3, padding=1)), "matmul"),
    "scale and shift": (Does(film, two=nn.Linear(4, 8), **PAIR), "mul"),
    "softmax over positions": (
        Does(lambda self, x: self.b(self.a(x).flatten(2).softmax(-1).view_as(x)), **PAIR),
        "softmax",
    ),
}


@pytest.mark.parametrize("name", GLOBAL)
def test_where_every_unit_sees_all_the_local_field_stays(name):
    module, begins = GLOBAL[name]
    for pixels in (24, 31) if "over all" not in name else (24,):
        size = (4, pixels, pixels)
        table = receptive_field(module, size)
        row = table.iloc[-1]
        assert row[["size", "jump", "start"]].tolist() == ["whole image", None, None]
        assert row["local"] == 5
        noted = table[table["kind"].str.contains("from here on")]
        assert noted["layer"].tolist()[:1] == [begins]
        assert fields_are_gradients(module, size) == ((0, pixels - 1),) * 2


def test_channels_alone_are_not_the_whole_image():
    norms = [nn.LocalResponseNorm(3), nn.BatchNorm2d(4), nn.Softmax2d()]
    for norm in norms:
        row = last_row(normed(norm), (4, 24, 24))
        assert row[["size", "local", "jump"]].tolist() == [5, 5, 1]


def test_one_axis_may_be_whole_and_the_other_not():
    module = Does(lambda self, x: self.b(self.a(x) * self.a(x).mean(3, keepdim=True)), **PAIR)
    row = last_row(module, (4, 24, 30))
    assert row["size"] == (5, "whole image") and row["jump"] == (1, None) and row["local"] == 5
    assert fields_are_gradients(module, (4, 24, 30)) == ((10, 14), (0, 29))


# ---- F3: control flow that shapes decide -----------------------------------------------------------------------------


def until_small(self, x):
    while x.shape[-1] > 8:
        x = F.avg_pool2d(self.a(x), 2)
    return x


def padded_to_even(self, x):
    h, w = x.shape[-2:]
    if h % 2 or w % 2:
        x = F.pad(x, (0, w % 2, 0, h % 2))
    return F.avg_pool2d(x, 2)


def same_padding(self, x):
    """TensorFlow's padding, which depends on the size: as much as the last window needs, the larger half behind."""
    need = [max((math.ceil(n / 2) - 1) * 2 + 3 - n, 0) for n in x.shape[-2:]]
    x = F.pad(x, [need[1] // 2, need[1] - need[1] // 2, need[0] // 2, need[0] - need[0] // 2])
    return F.conv2d(x, self.a.weight, None, 2)


def as_many_as_channels(self, x):
    assert x.dim() == 4 and x.size(1) == 4, f"four channels, not {x.size(1)}"
    torch._assert(x.shape[2] == x.shape[3], "square")
    for _ in range(x.size(1)):
        x = self.a(x)
    return x


def as_large_as_before(self, x):
    y = F.interpolate(F.avg_pool2d(x, 4), size=x.shape[2:], mode="nearest")
    return x + y if y.numel() == x.numel() and len(y) == len(x) else y


SHAPES = {
    # 20 → 10 → 5: two rounds of a 3 × 3 (plus 2, plus 4) and a pool of two (plus 1, plus 2).
    "while": (Does(until_small, a=conv(3, padding=1)), 20, 10),
    "padded to even": (Does(padded_to_even), 21, 2),
    "TensorFlow's padding": (Does(same_padding, a=conv(3)), 21, 3),
    "assertions and a range": (Does(as_many_as_channels, a=conv(3, padding=1)), 21, 9),
    "size of another": (Does(as_large_as_before), 24, 4),
    "a product of sizes": (
        Does(lambda self, x: self.a(x) if math.prod(x.shape[1:]) > 1000 else x, a=conv(3, padding=1)),
        20,
        3,
    ),
}


@pytest.mark.parametrize("module, pixels, size", SHAPES.values(), ids=SHAPES)
def test_control_flow_follows_the_shapes(module, pixels, size):
    assert last_row(module, (4, pixels, pixels))["size"] == size
    fields_are_gradients(module, (4, pixels, pixels))


def test_an_assertion_that_fails_is_told_with_its_line():
    module = Does(as_many_as_channels, a=conv(3, padding=1))
    with pytest.raises(ValueError, match=r"square.*torch\._assert"):
        receptive_field(module, (4, 20, 21))


# ---- F4: no raw exceptions -------------------------------------------------------------------------------------------


class Doubled(nn.Module):
    def forward(self, weight):
        return weight * 2


def pruned():
    layer = nn.Conv2d(4, 4, 3)
    prune.l1_unstructured(layer, "weight", amount=0.5)
    return nn.Sequential(layer)


def parametrized():
    layer = nn.Conv2d(4, 4, 3)
    parametrize.register_parametrization(layer, "weight", Doubled())
    return nn.Sequential(layer)


def constants_like_it(self, x):
    y = self.a(x)
    y = y + torch.zeros(1, device=y.device) + torch.ones_like(y) + y.new_full((1, 4, 1, 1), 2.0)
    y = y * torch.arange(y.shape[-1], device=y.device, dtype=y.dtype) + torch.empty(1, dtype=y.dtype).to(y)
    return y.type_as(x).to(dtype=torch.float32).to(x.device, non_blocking=True)


ONCE_RAW = {
    "old weight norm": nn.Sequential(nn.utils.weight_norm(nn.Conv2d(4, 4, 3))),
    "new weight norm": nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))),
    "old spectral norm": nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(4, 4, 3))),
    "new spectral norm": nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3))),
    "orthogonal": nn.Sequential(nn.Conv2d(4, 4, 3), nn.utils.parametrizations.orthogonal(nn.Conv2d(4, 4, 1))),
    "pruned": pruned(),
    "parametrized": parametrized(),
    "constants like it": Does(constants_like_it, a=conv()),
    "a weight that is a result": Does(lambda self, x: F.conv2d(x, self.a.weight * 0.5 + 1), a=conv()),
    "strange names": nn.Sequential(collections.OrderedDict({"_": nn.Conv2d(4, 4, 3), "__class__x_": nn.ReLU()})),
    "lists for numbers": nn.Sequential(nn.Conv2d(4, 4, [3, 3], stride=[1, 1], padding=[0, 0])),
    "frozen": nn.Sequential(conv()).requires_grad_(False),
    "half precision": nn.Sequential(conv()).half(),
    "double precision": nn.Sequential(conv(), nn.BatchNorm2d(4)).double(),
    "a dictionary": Does(lambda self, x: {"out": self.a(x), "note": "text"}, a=conv()),
    "a list of results": Does(lambda self, x: [self.a(x), None, 3], a=conv()),
    "detached": Does(lambda self, x: self.a(x.detach().clone()), a=conv()),
    "parallel": nn.DataParallel(nn.Sequential(conv())),
    "checkpointed": Does(lambda self, x: torch.utils.checkpoint.checkpoint(self.a, x, use_reentrant=False), a=conv()),
}


@pytest.mark.parametrize("name", [*ONCE_RAW, "compiled"])
def test_once_a_raw_exception(name):
    # Compiled in the test, as the first call of torch.compile takes a second or two of whoever imports this file.
    module = torch.compile(nn.Sequential(conv())) if name == "compiled" else ONCE_RAW[name]
    assert last_row(module, (4, 16, 16))[["size", "jump"]].tolist() == [3, 1]
    assert measure_receptive_field(module, (4, 16, 16)) == (3, 3)


def test_measured_without_gradients_around():
    module = nn.Sequential(conv(), nn.BatchNorm2d(4))
    for around in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu")):
        with around:
            assert measure_receptive_field(module, (4, 16, 16)) == (3, 3)
            assert last_row(module, (4, 16, 16))["size"] == 3
            field = effective_receptive_field(module, torch.rand(1, 4, 16, 16))
            assert np.ptp(np.nonzero(field.strength)[0]) == 2


def with_a_lock():
    module = nn.Sequential(conv())
    module.lock = threading.Lock()
    return module


def two_inputs():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    return Two()


# What is not understood is told in one sentence: who it is, and what to do.
REFUSED = {
    "two inputs": (two_inputs(), (4, 16, 16), "'y'"),
    "nothing returned": (Does(lambda self, x: None), (4, 16, 16), "return"),
    "values decide": (Does(lambda self, x: self.a(x) if x.mean() > 0 else x, a=conv()), (4, 16, 16), "values"),
    "values of weights decide": (
        Does(lambda self, x: self.a(x) if self.a.weight.sum() > 0 else x, a=conv()),
        (4, 16, 16),
        "values",
    ),
    "an item": (Does(lambda self, x: x * x.max().item()), (4, 16, 16), "item|values"),
    "to numpy": (Does(lambda self, x: torch.from_numpy(self.a(x).detach().numpy()), a=conv()), (4, 16, 16), "values"),
    "a batch in input_size": (nn.Sequential(conv()), (1, 4, 16, 16), "without the batch"),
    "no input_size": (nn.Sequential(conv()), None, "input_size"),
    "a number as input_size": (nn.Sequential(conv()), 16, "input_size"),
    "words in input_size": (nn.Sequential(conv()), ("4", 16, 16), "input_size"),
    "a recurrent layer of its own": (nn.LSTM(8, 8), (16, 8), "LSTM reads"),
    "no rule": (Does(lambda self, x: torch.fft.rfft2(self.a(x)).abs(), a=conv()), (4, 16, 16), "fft_rfft2"),
    "a scripted part": (nn.Sequential(torch.jit.script(nn.Conv2d(4, 4, 3))), (4, 16, 16), "unscripted"),
    "a lambda for a module": (lambda x: x, (4, 16, 16), "torch.nn.Module"),
    "a class for a module": (nn.Conv2d, (4, 16, 16), "torch.nn.Module"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("function", [receptive_field, measure_receptive_field, boxes])
def test_a_refusal_is_one_sentence_with_a_name(name, function):
    module, input_size, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        function(module, input_size)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_lock_in_a_module_is_no_matter():
    try:
        assert last_row(with_a_lock(), (4, 16, 16))["size"] == 3
    except UntraceableError as error:
        assert "Sequential" in str(error)


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda x: F.conv2d(x, torch.ones(4, 4, 3, 3), strides=2), "strides"),
        (lambda x: torch.sum(x, dims=(1,)), "dims"),
        (lambda x: F.max_pool2d(x, 2, return_index=True), "return_index"),
        (lambda x: torch.cat([x, x], dimension=1), "dimension"),
        (lambda x: torch.mean(x, (2, 3), out=torch.empty(0)), "out"),
        (lambda x: F.interpolate(x, scale=2), "scale"),
    ],
)
def test_a_keyword_that_no_rule_knows_is_refused_by_name(call, word):
    with pytest.raises(ValueError, match=word):
        receptive_field(Does(lambda self, x: call(x)), (4, 16, 16))


# ---- F5: other orders of the output's dimensions ---------------------------------------------------------------------

LAYOUTS = {
    "channels last": (lambda x: x.permute(0, 2, 3, 1), lambda y: y[0, 8, 10]),
    "moved": (lambda x: x.movedim(1, -1), lambda y: y[0, 8, 10]),
    "transposed twice": (lambda x: x.transpose(1, 2).transpose(2, 3), lambda y: y[0, 8, 10]),
    "width before height": (lambda x: x.mT, lambda y: y[0, :, 10, 8]),
    "all turned round": (lambda x: x[0].T, lambda y: y[10, 8]),
    "channels squeezed": (lambda x: x[:, :1].squeeze(1), lambda y: y[0, 8, 10]),
    "channels in two": (lambda x: x.unflatten(1, (2, 2)), lambda y: y[0, :, :, 8, 10]),
    "batch put last": (lambda x: x.permute(1, 2, 3, 0), lambda y: y[:, 8, 10, 0]),
    "columns last, a norm, and back": (
        lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2),
        lambda y: y[0, :, 8, 10],
    ),
    "one batch dimension more": (lambda x: x[None], lambda y: y[0, 0, :, 8, 10]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_positions_are_found_wherever_they_are(name):
    change, unit = LAYOUTS[name]
    module, size = Does(lambda self, x: change(self.a(x)), a=conv(5, padding=2)), (4, 16, 20)
    assert last_row(module, size)[["size", "jump", "local"]].tolist() == [5, 1, 5]
    assert measure_receptive_field(module, size) == (5, 5)
    assert fields_are_gradients(module, size, unit) == ((6, 10), (8, 12))


def test_time_may_come_first_in_sound():
    module = Does(lambda self, x: self.a(x).transpose(1, 2), a=nn.Conv1d(2, 4, 5, 2))
    assert last_row(module, (2, 64))[["size", "jump", "start"]].tolist() == [5, 2, 2.5]
    assert fields_are_gradients(module, (2, 64), lambda y: y[0, 15]) == ((30, 34),)


# ---- F6: tokens and windows ------------------------------------------------------------------------------------------


def tokens(extra_before=0, extra_after=0, patch=8):
    def forward(self, x):
        x = self.a(x).flatten(2).transpose(1, 2)
        before, after = (self.token.expand(1, n, 4) for n in (extra_before, extra_after))
        return torch.cat([before, x, after], dim=1)

    return Does(forward, a=conv(patch, stride=patch), token=nn.Parameter(torch.zeros(1, 1, 4)))


@pytest.mark.parametrize("before, after, patch", [(0, 0, 8), (1, 0, 8), (2, 0, 8), (5, 0, 4), (0, 1, 8), (1, 2, 8)])
def test_tokens_have_their_patches_jump(before, after, patch):
    for size in ((4, 64, 64), (4, 32, 48)):
        row = last_row(tokens(before, after, patch), size)
        assert row[["size", "jump", "local"]].tolist() == [patch, patch, patch]


def windows(self, x, width=4, shift=0):
    """Attention in windows of 4 × 4 tokens, moved by some, as Swin does it; the seam's mask left out."""
    x = self.patches(x).permute(0, 2, 3, 1)
    x = torch.roll(x, (-shift, -shift), dims=(1, 2)) if shift else x
    b, h, w, c = x.shape
    x = x.view(b, h // width, width, w // width, width, c).transpose(2, 3).reshape(-1, width * width, c)
    x = F.scaled_dot_product_attention(x, x, x)
    x = x.view(b, h // width, w // width, width, width, c).transpose(2, 3).reshape(b, h, w, c)
    return torch.roll(x, (shift, shift), dims=(1, 2)) if shift else x


@pytest.mark.parametrize("pixels", [(32, 32), (32, 48)])
def test_windows_of_tokens(pixels):
    module = Does(windows, patches=conv(4, stride=4))
    row = last_row(module, (4, *pixels))
    assert row[["size", "local"]].tolist() == [16, 16]
    h, w = (n // 8 for n in pixels)
    fields_are_gradients(module, (4, *pixels), lambda y: y[0, h, w])


def test_two_rounds_of_windows_merge_patches_with_jump_eight():
    def forward(self, x):
        x = windows(self, x)
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], dim=-1)
        return self.reduction(x)

    module = Does(forward, patches=conv(4, stride=4), reduction=nn.Linear(16, 4))
    row = last_row(module, (4, 64, 64))
    assert row[["jump", "local"]].tolist() == [8, 16]
    fields_are_gradients(module, (4, 64, 64), lambda y: y[0, 4, 4])


# ---- F7: nothing of the user's changes -------------------------------------------------------------------------------


def adds(self, x):
    self.seen.add_(1)
    return self.a(x)


def assigns(self, x):
    self.seen = self.seen + 1
    return self.a(x)


def writes(self, x):
    self.seen[0] = 7
    self.seen.copy_(torch.ones(1))
    return self.a(x)


def remembers(self, x):
    y = self.a(x)
    self.seen.mul_(0.9).add_(0.1 * y.detach().mean())
    return y


def appends(self, x):
    self.kept.append(x)
    self.calls += 1
    return self.a(x)


@pytest.mark.parametrize("forward", [adds, assigns, writes, remembers, appends])
def test_nothing_of_the_users_module_changes(forward):
    module = Does(forward, a=nn.Sequential(conv(), nn.BatchNorm2d(4), nn.Dropout()))
    module.register_buffer("seen", torch.zeros(1))
    module.kept, module.calls = [], 0
    module.train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.get_rng_state()
    assert last_row(module, (4, 16, 16))["size"] == 3
    assert measure_receptive_field(module, (4, 16, 16)) == (3, 3)
    assert box(module, (4, 16, 16)) == ((7, 9), (7, 9))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert module.kept == [] and module.calls == 0
    for child in module.modules():
        assert child.training and not child._forward_hooks and not child._forward_pre_hooks
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())


# ---- F8: a field that depends on the position ------------------------------------------------------------------------


def skip(self, x):
    y = F.interpolate(self.b(F.avg_pool2d(self.a(x), 2)), scale_factor=2, mode=self.mode)
    return self.c(torch.cat([x, y], dim=1))


def hourglass(mode):
    module = Does(skip, a=conv(3, padding=1), b=conv(3, padding=1), c=nn.Conv2d(8, 4, 3, padding=1))
    module.mode = mode
    return module


PHASES = {
    "nearest": hourglass("nearest"),
    "bilinear": hourglass("bilinear"),
    "transposed": nn.Sequential(conv(3, stride=2, padding=1), nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)),
    "shuffled": nn.Sequential(conv(3, stride=2, padding=1), nn.Conv2d(4, 16, 3, padding=1), nn.PixelShuffle(2), conv()),
    "by three": nn.Sequential(nn.AvgPool2d(3), nn.Upsample(scale_factor=3), conv(3, padding=1)),
    "twice": nn.Sequential(nn.AvgPool2d(4), nn.Upsample(scale_factor=2), conv(3), nn.Upsample(scale_factor=2), conv(3)),
}


@pytest.mark.parametrize("name", PHASES)
def test_sizes_by_phase_are_those_of_gradients(name):
    module, size = PHASES[name], (4, 36, 36)
    row = last_row(module, size)
    # Units in the middle, a whole period of each: no border cuts there.
    middle = row["output_size"][1] // 2
    sizes = set()
    for place in range(middle - 6, middle + 6):
        ((first, last), _) = own = seen(module, size, lambda y, place=place: y[0, :, place, place])
        assert box(module, size, unit=(place, place)) == own
        sizes.add(last - first + 1)
    assert row["size"] == max(sizes)
    assert (f"{min(sizes)}–{max(sizes)} by phase" in row["kind"]) == (len(sizes) > 1)


# ---- F9: rules that were missing -------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Patches of 4 as tokens, then attention with a mask."""

    def __init__(self, mask=None, causal=False, multihead=False):
        super().__init__()
        self.patches = nn.Conv1d(4, 4, 4, 4)
        self.causal, self.heads = causal, nn.MultiheadAttention(4, 2, batch_first=True) if multihead else None
        self.register_buffer("mask", mask)

    def forward(self, x):
        x = self.patches(x).transpose(1, 2)
        if self.heads is not None:
            return self.heads(x, x, x, attn_mask=self.mask, need_weights=False)[0]
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask, is_causal=self.causal)


EARLIER = torch.ones(8, 8).tril().bool()
NEAR = (torch.arange(8)[:, None] - torch.arange(8)).abs() <= 1
HIDING = torch.zeros(8, 8).masked_fill(~NEAR, -math.inf)
MASKED = {
    "causal": (Attention(causal=True), (0, 19)),
    "boolean": (Attention(EARLIER), (0, 19)),
    "neighbours": (Attention(NEAR), (12, 23)),
    "numbers": (Attention(HIDING), (12, 23)),
    "many heads, True hides": (Attention(~EARLIER, multihead=True), (0, 19)),
    "many heads, numbers": (Attention(HIDING, multihead=True), (12, 23)),
    "no mask": (Attention(), (0, 31)),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_of_attention_is_followed(name):
    module, ends = MASKED[name]
    assert fields_are_gradients(module, (4, 32), lambda y: y[0, 4]) == (ends,)


def patches(self, x):
    y = F.unfold(x, 3, padding=1).view(1, 4, 9, *x.shape[2:])
    return self.a(y[:, :, 4] + y.mean(2))


def folded(self, x):
    return F.fold(F.unfold(self.a(x), 2, stride=2), [n - 2 for n in x.shape[2:]], 2, stride=2)


def replaced(self, x):
    y = torch.zeros_like(x)
    y[:, 1:, 2:-2] = self.a(x)[:, 1:, 2:-2]
    y[:, 0, ..., ::2] = x[:, 0, ..., ::2]
    return y


def repeated(self, x):
    y = self.a(x).mean((2, 3), keepdim=True).expand_as(x)
    return torch.tile(x, (1, 1, 1, 1)) * 2 + y.repeat(1, 1, 1, 1).reshape_as(x)


def gated_shift(self, x):
    y = torch.cat([x[:, :2].roll(1, 2), x[:, 2:].roll(-1, 3)], 1)
    return F.glu(self.a(y).repeat_interleave(2, dim=1), dim=1)


def weighted(self, x):
    return torch.einsum("bchw,dc->bdhw", self.a(x), self.mix)


RULES = {
    "unfold": Does(patches, a=conv(3, padding=1)),
    "unfold and fold": Does(folded, a=conv(3)),
    "windows along": Does(lambda self, x: self.a(x).unfold(2, 3, 2).mean(-1), a=conv(3, padding=1)),
    "setitem": Does(replaced, a=conv(3, padding=1)),
    "expand, tile, repeat": Does(repeated, a=conv(3, padding=1)),
    "roll and glu": Does(gated_shift, a=conv(3, padding=1)),
    "einsum": Does(weighted, a=conv(3, padding=1), mix=nn.Parameter(torch.ones(4, 4))),
    "power pool": nn.Sequential(conv(3, padding=1), nn.LPPool2d(2, 3, 2)),
    "area": Does(lambda self, x: F.interpolate(self.a(x), size=(7, 9), mode="area"), a=conv(3, padding=1)),
    "antialias": Does(
        lambda self, x: F.interpolate(self.a(x), size=(7, 9), mode="bilinear", antialias=True), a=conv(3, padding=1)
    ),
    "bilinear": Does(
        lambda self, x: F.interpolate(self.a(x), size=(31, 25), mode="bilinear", align_corners=True),
        a=conv(3, padding=1),
    ),
    "running sum": Does(lambda self, x: self.a(x).cumsum(3), a=conv(3, padding=1)),
    "flip": Does(lambda self, x: self.a(x).flip(3), a=conv(3, padding=1)),
    "stack and unbind": Does(
        lambda self, x: torch.stack(self.a(x).unbind(1)[::-1], dim=1).split([1, 3], 1)[1], a=conv(3, padding=1)
    ),
    "index": Does(lambda self, x: self.a(x)[:, [0, 2], 1:, [3, 4, 5][0] :], a=conv(3, padding=1)),
    "narrow, select, unsqueeze": Does(
        lambda self, x: self.a(x).narrow(2, 3, 10).select(1, 2).unsqueeze(1), a=conv(3, padding=1)
    ),
    "in place": Does(lambda self, x: self.a(x).mul_(2).add_(F.avg_pool2d(x, 5, 1, 2)).sigmoid_(), a=conv(3, padding=1)),
    "mean absolute pool": nn.Sequential(conv(3, padding=1), nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    "pixel unshuffle": nn.Sequential(conv(3, padding=1), nn.PixelUnshuffle(3)),
    "circular": nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), nn.ReplicationPad2d(1)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_what_the_gradient_says(name):
    fields_are_gradients(RULES[name], (4, 24, 18))


def unpooled(self, x):
    y, places = F.max_pool2d(self.a(x), 2, return_indices=True)
    return self.b(F.max_unpool2d(self.b(y), places, 2))


def test_unpooling_knows_the_places_of_the_maxima():
    module = Does(unpooled, a=conv(3, padding=1), b=conv(3, padding=1))
    # Where a maximum was depends on its window: 2 + 2 pixels. Then 3 × 3 on half the pixels, and on all of them.
    assert last_row(module, (4, 16, 16))["size"] == 10
    assert boxes(module, (4, 16, 16)) == measured_boxes(module, (4, 16, 16))


def recurrent(cell, **options):
    def forward(self, x):
        return self.cell(self.a(x).transpose(1, 2))[0].transpose(1, 2)

    return Does(forward, a=nn.Conv1d(4, 4, 3, padding=1), cell=cell(4, 4, batch_first=True, **options))


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_recurrent_layer_sees_the_past(cell):
    module = recurrent(cell)
    assert fields_are_gradients(module, (4, 20)) == ((0, 11),)
    # The last of 20 steps sees all before it, and one pixel of padding at each end; the first sees three.
    assert last_row(module, (4, 20))[["size", "local"]].tolist() == [22, 22]


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_layers_of_all_kinds(cell, layers, both):
    module = recurrent(cell, num_layers=layers, bidirectional=both)
    assert fields_are_gradients(module, (4, 20)) == ((0, 19 if both else 11),)


def stepwise(self, x):
    states = [x.new_zeros(1, 4)] * 2 if isinstance(self.cell, nn.LSTMCell) else x.new_zeros(1, 4)
    steps = []
    for step in x.unbind(2):
        states = self.cell(step, states)
        steps.append(states[0] if isinstance(states, tuple) else states)
    return torch.stack(steps, 2)


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_cell_called_step_by_step_sees_the_past(cell):
    assert fields_are_gradients(Does(stepwise, cell=cell(4, 4)), (4, 12)) == ((0, 6),)


def test_a_stack_of_steps_has_positions_and_a_stack_of_features_has_none():
    steps = Does(lambda self, x: torch.stack([step * 2 for step in self.a(x).unbind(2)], 1), a=nn.Conv1d(4, 4, 3))
    assert last_row(steps, (4, 12))[["size", "jump", "start"]].tolist() == [3, 1, 1.5]
    assert fields_are_gradients(steps, (4, 12), lambda y: y[0, 5]) == ((5, 7),)
    features = Does(lambda self, x: torch.cat([x[..., :5].mean(2), x[..., 6:].mean(2)], 1))
    assert fields_are_gradients(features, (4, 12), lambda y: y) == ((0, 11),)


NOTHING = {
    "no tokens before": lambda x: torch.cat([x.flatten(2)[..., :0], x.flatten(2)], 2),
    "no tokens, changed": lambda x: torch.cat([F.relu(x.flatten(2)[..., :0]).transpose(1, 2), x.flatten(2).mT], 1).mT,
    "no channels": lambda x: torch.cat([x[:, :0], F.relu(x[:, :0] + 1), x], 1),
    "split off nothing": lambda x: torch.split(x, [0, 4], 1)[1] + torch.split(x, [0, 4], 1)[0].sum(),
    "sum of nothing": lambda x: x + x[:, :0].sum() * x[..., :0].flatten(2).sum(),
}


@pytest.mark.parametrize("name", NOTHING)
def test_tensors_without_numbers_see_nothing(name):
    module = Does(lambda self, x: NOTHING[name](self.a(x)), a=conv(3))
    assert last_row(module, (4, 12, 12))[["size", "jump"]].tolist() == [3, 1]
    assert measure_receptive_field(module, (4, 12, 12)) == (3, 3)


@pytest.mark.parametrize("mask", [None, EARLIER])
def test_the_encoder_of_a_transformer(mask):
    def forward(self, x):
        return self.encoder(self.patches(x).transpose(1, 2), mask=None if mask is None else ~mask)

    layer = nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    module = Does(forward, patches=nn.Conv1d(4, 4, 4, 4), encoder=encoder)
    ends = (0, 31) if mask is None else (0, 19)
    assert fields_are_gradients(module, (4, 32), lambda y: y[0, 4]) == (ends,)
    row = last_row(module, (4, 32))
    assert row[["size", "local"]].tolist() == (["whole image", 4] if mask is None else [32, 32])


def test_the_last_state_has_seen_all():
    module = Does(lambda self, x: self.cell(x.transpose(1, 2))[1][-1], cell=nn.GRU(4, 4, batch_first=True))
    assert fields_are_gradients(module, (4, 20), lambda y: y) == ((0, 19),)


LAZY = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(5))


def test_lazy_layers_stay_lazy():
    table = receptive_field(LAZY, (3, 12, 12))
    assert table["output_size"].tolist() == [(4, 10, 10), (4, 10, 10), (400,), (5,)]
    assert table["size"].tolist()[0] == 3 and measure_receptive_field(LAZY, (3, 12, 12)) == (12, 12)
    assert LAZY[0].has_uninitialized_params() and LAZY[3].has_uninitialized_params()


# ---- one unit, context, and what the output does not need ------------------------------------------------------------

CHAIN = nn.Sequential(conv(3, padding=1), nn.AvgPool2d(2), conv(5, padding=2), conv(3, stride=2))


@pytest.mark.parametrize("unit", [(0, 0), (2, 5), (6, 0), (3, 6)])
def test_the_box_of_a_unit(unit):
    assert box(CHAIN, (4, 32, 32), unit=unit) == seen(CHAIN, (4, 32, 32), lambda y: y[0, :, unit[0], unit[1]])


def test_the_box_of_a_unit_of_a_layer():
    inner = CHAIN[:3]
    for unit in ((0, 7), (15, 15)):
        own = seen(inner, (4, 32, 32), lambda y, unit=unit: y[0, :, unit[0], unit[1]])
        assert box(CHAIN, (4, 32, 32), layer="2", unit=unit) == own
        assert boxes(CHAIN, (4, 32, 32), layer="2", unit=unit) == {"2": own}


def test_a_container_has_its_last_layers_field():
    module = nn.Sequential(nn.Sequential(conv(3), conv(3)), conv(3))
    assert measure_receptive_field(module, (4, 20, 20), layer="0") == (5, 5)
    assert box(module, (4, 20, 20), layer="0", unit=(0, 0)) == ((0, 4), (0, 4))


@pytest.mark.parametrize("unit", [(16, 0), (0,), (0, 0, 0), (-1, 0)])
def test_a_unit_that_is_not_there(unit):
    with pytest.raises(ValueError, match=r"unit: 2 has positions \(16, 16\)"):
        box(CHAIN, (4, 32, 32), layer="2", unit=unit)


def test_the_box_of_a_token():
    module = tokens(1)
    for place in (1, 5, 16):
        own = seen(module, (4, 32, 32), lambda y, place=place: y[0, place])
        assert box(module, (4, 32, 32), unit=(place,)) == own
    assert box(module, (4, 32, 32), unit=(0,)) == ((0, -1), (0, -1))


def test_context_to_the_left_and_to_the_right():
    # A window of 5 with 4 zeros before it sees 4 to the left, nothing to the right; centred, two and two.
    causal = nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(4, 4, 5))
    assert context(causal, (4, 64)) == (4, 0)
    assert context(nn.Sequential(nn.Conv1d(4, 4, 5, padding=2)), (4, 64)) == (2, 2)
    # Without padding unit t sees t … t + 4.
    assert context(nn.Sequential(nn.Conv1d(4, 4, 5)), (4, 64)) == (0, 4)
    assert context(nn.Sequential(causal, nn.Conv1d(4, 4, 3, padding=1)), (4, 64)) == (5, 1)
    assert context(nn.Sequential(causal, nn.Conv1d(4, 4, 3, padding=1)), (4, 64), layer="0") == (4, 0)
    assert context(nn.Sequential(nn.Conv1d(4, 4, 4, 2, 1), nn.Conv1d(4, 4, 3, padding=2)), (4, 64)) == (5, 2)
    assert context(nn.Sequential(conv((3, 5), padding=(0, 2))), (4, 32, 32)) == ((0, 2), (2, 2))
    assert context(nn.Sequential(nn.Conv1d(4, 4, 3), nn.InstanceNorm1d(4)), (4, 64)) == (None, None)
    columns = Does(lambda self, x: self.a(x) * self.a(x).mean(3, keepdim=True), a=conv(3, padding=1))
    assert context(columns, (4, 24, 30)) == ((1, 1), (None, None))


@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1), (3, 0), (2, 4)])
def test_context_is_where_the_gradient_ends(stride, padding):
    module = nn.Sequential(nn.Conv1d(4, 4, 5, stride, padding), nn.Conv1d(4, 4, 3, padding=1, dilation=2))
    left, right = context(module, (4, 90))
    place = last_row(module, (4, 90))["output_size"][1] // 2
    ((first, last),) = seen(module, (4, 90), lambda y: y[0, :, place])
    assert (first, last) == (place * stride - left, place * stride + right)


def test_what_the_output_does_not_need_has_no_row():
    def forward(self, x):
        y = self.a(x)
        self.unused(y)
        return y

    module = Does(forward, a=conv(3), unused=conv(7))
    table = receptive_field(module, (4, 20, 20))
    assert table["layer"].tolist() == ["a"] and measure_receptive_field(module, (4, 20, 20)) == (3, 3)
    with pytest.raises(ValueError, match="no 'unused'"):
        box(module, (4, 20, 20), layer="unused")


def test_the_effective_field_of_a_module_called_twice_is_that_of_its_last_call():
    module = Does(lambda self, x: self.act(self.a(F.avg_pool2d(self.act(x), 2))), a=conv(3, padding=1), act=nn.GELU())
    field = effective_receptive_field(module, torch.rand(1, 4, 32, 32), layer="act")
    # Position 8 of 16, which sees three pairs of pixels: 14 to 19.
    assert [places.tolist() for places in map(np.unique, np.nonzero(field.strength))] == [list(range(14, 20))] * 2


# ---- rows and what joins them ----------------------------------------------------------------------------------------


def rows_of(module, input_size=(1, 12, 12)):
    return receptive_field(module, input_size).set_index("layer")


def test_a_layer_of_several_operations_is_one_row_and_a_function_of_ones_own_is_not():
    wrapped = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    own = Does(lambda self, x: F.relu(F.max_pool2d(x, 2)))
    rows = rows_of(nn.Sequential(wrapped, own))
    assert rows["kind"].tolist() == ["conv", "max_pool", "relu"] and rows.index[0] == "0"
    assert rows["size"].tolist() == [3, 4, 4] and (rows.loc["0", "kernel"], rows.loc["0", "padding"]) == (3, 1)


def test_a_layer_that_has_layers_in_it_shows_them():
    rows = rows_of(nn.Sequential(nn.Flatten(2), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)), (4, 4, 4))
    assert {"1.linear1", "1.linear2", "1.norm1"} <= set(rows.index)


def test_what_a_tensor_is_turned_into_is_known_by_keyword_too():
    module = Does(
        lambda self, x: self.fine(self.plain(x).to(device="cpu", dtype=torch.float64)),
        plain=nn.Conv2d(1, 1, 3),
        fine=nn.Conv2d(1, 1, 3).double(),
    )
    assert rows_of(module)["size"].iloc[-1] == 5


@pytest.mark.parametrize("turn", ["mT", "mH"])
def test_a_turned_image_is_seen_through_turned_windows(turn):
    module = Does(lambda self, x: self.conv(getattr(x, turn)), conv=nn.Conv2d(1, 1, (1, 3)))
    assert rows_of(module).iloc[-1]["size"] == (3, 1)


@pytest.mark.parametrize("part", ["data", "real"])
def test_the_data_and_the_real_part_of_a_tensor_are_the_tensor(part):
    module = Does(lambda self, x: self.conv(getattr(x, part)), conv=nn.Conv2d(1, 1, 3))
    assert rows_of(module)["size"].tolist() == [3]


def test_what_comes_by_keyword_is_on_the_way_too():
    module = Does(
        lambda self, x: torch.add(self.small(x), other=self.large(x)),
        small=nn.Conv2d(1, 1, 3, padding=1),
        large=nn.Conv2d(1, 1, 5, padding=2),
    )
    assert rows_of(module)["size"].to_dict() == {"small": 3, "large": 5, "add": 5}


def test_a_part_of_a_tensor_that_grows_in_place_is_followed():
    def forward(self, x):
        x = self.conv(x)
        x[:, :1] += 1
        return self.conv(x)

    assert rows_of(Does(forward, conv=nn.Conv2d(1, 1, 3)))["size"].iloc[-1] == 5


def test_what_is_called_again_is_counted_in_its_name():
    def forward(self, x):
        return torch.tanh(torch.tanh(self.act(self.act(self.act(x)))))

    assert list(rows_of(Does(forward, act=nn.ReLU())).index) == ["act", "act (2)", "act (3)", "tanh", "tanh_1"]


def test_a_constant_that_takes_its_type_from_the_image_stays_a_constant():
    module = Does(lambda self, x: self.conv(x) * torch.ones(1).type_as(x), conv=nn.Conv2d(1, 1, 3))
    assert rows_of(module)["size"].to_dict() == {"conv": 3, "mul": 3}


def test_a_layer_that_does_nothing_has_a_row_of_its_kind():
    assert rows_of(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Identity()))["kind"].tolist() == ["conv", "identity"]


def test_a_function_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"^conv2d: "):
        receptive_field(Does(lambda self, x: F.conv2d(x, torch.ones(1, 3, 3, 3))), (1, 12, 12))


def test_a_module_of_one_function_goes_by_its_own_name():
    own = nn.Sequential(nn.Conv2d(1, 1, 3), Does(lambda self, x: torch.tanh(x)))
    assert list(rows_of(own).index) == ["0", "1"]


def test_what_a_hook_does_to_a_layers_input_belongs_to_the_layer():
    layer = nn.Conv2d(1, 1, 3)
    layer.register_forward_pre_hook(lambda module, args: (F.pad(args[0], (1, 1, 1, 1)),))
    rows = rows_of(nn.Sequential(layer))
    assert list(rows.index) == ["0"] and rows.loc["0", "padding"] == 1


def features_last(self, x):
    return self.a(x).permute(0, 2, 3, 1)


def overwritten(self, x):
    y = self.a(x) * 1
    y[torch.ones_like(x).tril() > 0] = 0.5
    return y + self.a(x)


KEPT = torch.tensor([True, False, True, True])
FURTHER_RULES = {
    "largest": lambda self, x: self.a(x).amax(1, keepdim=True),
    "largest, with its place": lambda self, x: self.a(x).max(1, keepdim=True)[0],
    "larger of two": lambda self, x: torch.max(self.a(x), self.a(x) * 2),
    "median": lambda self, x: self.a(x).median(1, keepdim=True).values,
    "largest two": lambda self, x: self.a(x).topk(2, dim=1)[0],
    "sorted": lambda self, x: self.a(x).sort(dim=1)[0],
    "logarithm of a sum": lambda self, x: self.a(x).logsumexp(1, keepdim=True),
    "deviation": lambda self, x: self.a(x).std(1, keepdim=True),
    "deviation and mean": lambda self, x: sum(torch.std_mean(self.a(x), 1, keepdim=True)),
    "norm": lambda self, x: torch.linalg.vector_norm(self.a(x), dim=1, keepdim=True),
    "normalised": lambda self, x: F.normalize(self.a(x)),
    "cosine": lambda self, x: F.cosine_similarity(self.a(x), x, dim=1).unsqueeze(1),
    "bilinear of features": lambda self, x: F.bilinear(
        features_last(self, x), features_last(self, x), self.mix.expand(4, 4, 4)
    ).permute(0, 3, 1, 2),
    "added to a product": lambda self, x: torch.addmm(self.a(x)[0, 0], x[0, 1], x.new_ones(18, 18))[None, None],
    "added to products": lambda self, x: torch.baddbmm(self.a(x).flatten(2), self.mix[None], x.flatten(2)).unflatten(
        2, (24, 18)
    ),
    "times a vector": lambda self, x: (features_last(self, x) @ self.mix[0])[:, None],
    "a vector times": lambda self, x: (self.mix[0] @ self.a(x).flatten(2)).unflatten(1, (24, 18))[:, None],
    "einsum of a list": lambda self, x: torch.einsum("bchw,dc->bdhw", [self.a(x), self.mix]),
    "pieces as equal as can be": lambda self, x: self.a(x).tensor_split(3, dim=1)[0],
    "cut before": lambda self, x: self.a(x).tensor_split((5, 9), dim=2)[1],
    "chunk": lambda self, x: self.a(x).chunk(3, dim=3)[1],
    "again and again": lambda self, x: self.a(x).repeat(1, 3, 1, 1),
    "again and again sideways": lambda self, x: torch.tile(self.a(x), (1, 1, 1, 2)),
    "each twice": lambda self, x: self.a(x).repeat_interleave(2, dim=2),
    "rows and columns": lambda self, x: self.a(x)[0, 1].t()[None, None],
    "dimensions moved": lambda self, x: self.a(x).movedim(1, -1).movedim(-1, 1),
    "chosen channels": lambda self, x: self.a(x).index_select(1, torch.tensor([2, 0])),
    "channels by a mask": lambda self, x: self.a(x)[:, KEPT],
    "channels by a mask of its own": lambda self, x: self.a(x)[:, self.kept],
    "rows by a mask": lambda self, x: self.a(x)[:, :, torch.arange(24) % 2 == 0],
    "channels by a tensor": lambda self, x: self.a(x)[:, torch.tensor([3, 1])],
    "filled by a mask": lambda self, x: self.a(x).masked_fill(self.a(x) > 1e9, 0.0),
    "overwritten by a mask": overwritten,
    "copied": lambda self, x: torch.zeros_like(x).copy_(self.a(x)),
    "cropped by a negative padding": lambda self, x: F.pad(self.a(x), [-1, -2, -3, 0]),
}


@pytest.mark.parametrize("name", FURTHER_RULES)
def test_another_rule_is_what_the_gradient_says(name):
    # Twice that, as what comes in several pieces has no row of its own.
    module = Does(
        lambda self, x: 2 * FURTHER_RULES[name](self, x), a=conv(3, padding=1), mix=nn.Parameter(torch.ones(4, 4))
    )
    module.register_buffer("kept", KEPT.clone())
    fields_are_gradients(module, (4, 24, 18))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("target", [{"scale_factor": 2}, {"scale_factor": 1.7}, {"size": (20, 5)}, {"size": (7, 14)}])
def test_bicubic_upsampling_is_measured(target, align_corners):
    resize = nn.Upsample(**target, mode="bicubic", align_corners=align_corners)
    module = nn.Sequential(nn.Conv2d(1, 1, 3), resize).double()
    pixels = torch.rand(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    scores = module(pixels)
    centre = tuple(n // 2 for n in scores.shape[2:])
    (gradient,) = torch.autograd.grad(scores[(0, 0, *centre)], pixels)
    seen = gradient[0, 0].abs() > 1e-12
    wanted = tuple((int(along.nonzero().min()), int(along.nonzero().max())) for along in (seen.any(1), seen.any(0)))
    assert measured_boxes(module, (1, 16, 16))["1"] == wanted == box(module, (1, 16, 16))
