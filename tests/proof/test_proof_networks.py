"""Random networks: the field that is computed is the field that is measured, or the network is refused in one line."""

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from test_receptive import boxes_by_nan, fits, last, pairs, stacks  # noqa: E402
from torch import nn  # noqa: E402

from cellgrad import layers as nets  # noqa: E402
from cellgrad.receptive import boxes, measured_boxes, receptive_field  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
TEN = settings(max_examples=10, database=None, suppress_health_check=list(HealthCheck))


def test_random_modules(tries):
    judged = []

    @TEN
    @given(stacks, pairs(st.integers(5, 24), st.integers(5, 24)))
    def field_is_measured(layers, pixels):
        module, size = nn.Sequential(*layers), (4, *pixels)
        runs = fits(layers, size, largest=20_000)
        try:
            theory = boxes(module, size)
        except ValueError as error:
            assert not runs and "\n" not in str(error), "only what torch refuses may be refused"
            return
        if runs:
            judged.append(1)
            assert measured_boxes(module, size) == theory
            assert last(theory) == boxes_by_nan(module, size)

    for number in tries("Networks", "random modules: measured, or refused", few=3, most=150, share=0.2, each=10):
        seed(number)(field_is_measured)()
    assert judged


def jumps(table):
    """The jump of each row along each axis; where there is one unit alone, none, as there is no next one."""
    rows = zip(table["output_size"], table["jump"], strict=True)
    axes = [(size[1:], jump if isinstance(jump, tuple) else (jump,) * len(size[1:])) for size, jump in rows]
    return [[one if units > 1 else None for units, one in zip(*row, strict=True)] for row in axes]


small = st.integers(-1, 4)
extents = st.one_of(small, pairs(small, small))


@st.composite
def layers_of_a_list(draw):
    """A layer as somebody may write it, right or wrong."""
    options = {name: draw(extents) for name in ("padding", "dilation", "stride") if draw(st.integers(0, 3)) == 0}
    channels, kernel = draw(st.integers(0, 6)), draw(extents)
    make = draw(st.sampled_from(["conv", "conv", "depthwise", "max_pool", "avg_pool", "fold", "plain", "linear"]))
    plain = [nets.relu, nets.batch_norm, nets.flatten, nets.global_avg_pool, nets.dropout(0.1)]
    return {
        "conv": lambda: nets.conv(channels, kernel, groups=draw(st.sampled_from([1, 1, 2, 3])), **options),
        "depthwise": lambda: nets.depthwise(channels, kernel, **options),
        "max_pool": lambda: nets.max_pool(kernel, **options),
        "avg_pool": lambda: nets.avg_pool(kernel, **options),
        "fold": lambda: nets.pixel_unshuffle(draw(small)),
        "plain": lambda: draw(st.sampled_from(plain)),
        "linear": lambda: nets.linear(channels),
    }[make]()


def test_random_lists(tries):
    judged, refused = [], []

    @TEN
    @given(st.lists(st.deferred(layers_of_a_list), max_size=6), pairs(st.integers(1, 4), small, st.integers(5, 20)))
    def field_is_measured(layers, size):
        try:
            table = receptive_field(layers, size)
        except ValueError as error:
            assert "\n" not in str(error)
            refused.append(str(error))
            with pytest.raises((ValueError, RuntimeError)):  # and it makes no network either
                nets.build(layers, size)(torch.zeros(2, *size))
            return
        module = nets.build(layers, size)
        judged.append(1)
        traced = receptive_field(module, size)
        assert table.drop(columns="jump").equals(traced.drop(columns="jump"))
        assert jumps(table) == jumps(traced)
        assert measured_boxes(module, size) == boxes(module, size)
        assert table["output_size"].iloc[-1] == tuple(module.eval()(torch.zeros(1, *size)).shape[1:])

    for number in tries("Networks", "random layer lists: measured, or refused", few=3, most=100, share=0.1, each=10):
        seed(number)(field_is_measured)()
    assert judged and refused
