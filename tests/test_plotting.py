"""Pictures, by what is drawn on them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from cellgrad import plotting
from cellgrad.layers import batch_norm, conv, flatten, global_avg_pool, linear, max_pool
from cellgrad.receptive import measure_receptive_field, receptive_field
from cellgrad.toynet import ToyNetwork

IMAGE = np.zeros((28, 28))


@pytest.fixture(autouse=True)
def drawn_in_memory():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def frames(figure):
    """The framed pixels of each picture: first row, first column, rows, columns."""
    rectangles = [patch for ax in figure.axes for patch in ax.patches if isinstance(patch, Rectangle)]
    return [(r.get_y(), r.get_x(), r.get_height(), r.get_width()) for r in rectangles]


def titles(figure):
    return [ax.get_title() or ax.get_title(loc="left") for ax in figure.axes if ax.patches]


def test_fields_of_kernels_that_are_not_square():
    """A kernel of 3 × 5 pixels has 26 × 24 places on 28 × 28; its place 13, 12 starts there."""
    figure = plotting.draw_fields(receptive_field([conv(8, (3, 5))]), IMAGE)
    assert frames(figure) == [(13, 12, 3, 5)]
    assert titles(figure) == ["conv1: 3 × 5"]


@pytest.mark.parametrize("kernels", [[3, 3], [(3, 5), 3], [(1, 7), (7, 1)]])
def test_framed_is_what_the_gradient_of_the_centre_unit_reaches(kernels):
    layers = [conv(2, kernel) for kernel in kernels]
    *_, height, width = frames(plotting.draw_fields(receptive_field(layers), IMAGE))[-1]
    assert (height, width) == measure_receptive_field(layers, (1, 28, 28))


def test_who_sees_everything_frames_everything():
    layers = [conv(4, 3), global_avg_pool, flatten, linear(10)]
    figure = plotting.draw_fields(receptive_field(layers), IMAGE)
    assert frames(figure)[1:] == [(0, 0, 28, 28)] * 3
    for nothing in (None, float("nan")):  # as tables have it where units see everything and have no place
        table = receptive_field([conv(4, 3)]).assign(size=28, jump=nothing, start=nothing)
        assert frames(plotting.draw_fields(table, IMAGE)) == [(0, 0, 28, 28)]


def test_numbers_on_labels_are_not_rounded_away():
    assert plotting.short(67_108_864) == "67,108,864"
    assert [plotting.short(value) for value in (0.15, 1.0, 100, 255.0, -0.5)] == ["0.15", "1", "100", "255", "-0.5"]
    assert plotting.short(1e30) == "1e+30" and plotting.short(float("nan")) == "nan"


def test_every_picture_draws_extreme_numbers():
    plotting.draw_toy_network(ToyNetwork(targets=(67_108_864.0, -1e30), weights=(1e8,) * 8))
    plotting.show_pixels(np.array([[67_108_864.0, 0.1]]), values=True)
    plotting.draw_convnet([conv(8, (3, 5), padding=(1, 2)), batch_norm, max_pool((2, 1)), flatten, linear(10)])
    shown = {text.get_text() for number in plt.get_fignums() for text in plt.figure(number).findobj(plt.Text)}
    assert "target 67,108,864" in shown and "67,108,864" in shown


@pytest.mark.parametrize("epochs", [2, 12])
def test_epochs_are_whole_and_the_last_ones_can_be_read(epochs):
    """The ticks of a short run were 2.5 and 7.5, and an axis from the first epoch's 84 % hid what came after."""
    wrong = np.geomspace(0.16, 0.006, epochs)
    columns = {"loss": 3 * wrong, "training_accuracy": 1 - wrong, "validation_accuracy": 1 - 0.9 * wrong}
    figure = plotting.plot_history(pd.DataFrame(columns, index=range(1, epochs + 1)))
    figure.canvas.draw()
    for ax in figure.axes:
        assert all(tick == round(tick) for tick in ax.get_xticks())
        heights = ax.transAxes.inverted().transform(ax.transData.transform(ax.lines[0].get_xydata()))[:, 1]
        assert np.ptp(np.diff(heights)) < 0.01, "equal ratios are equal steps"
        assert not {label.get_text() for label in ax.get_yticklabels()} <= {""}


def test_the_lines_of_a_fan_in_are_those_of_the_layers_with_padding_and_dilation():
    """By weights of one: a unit of the last layer passes its slope to the pixels that are drawn as seen."""
    layers = [conv(1, 3, padding=1), conv(1, 3, dilation=2), max_pool(2)]
    ax = plotting.draw_fan_in(layers)
    lines = [tuple(line.get_xdata()) for line in ax.lines if list(line.get_ydata()) == [1, 0]]
    fields = receptive_field(layers, (1, 16, 16))
    start, jump, size = fields["start"].iloc[-1], fields["jump"].iloc[-1], fields["size"].iloc[-1]
    units = fields["output_size"].iloc[-1][1]
    first = start + jump * (units // 2) - size / 2
    assert sorted({below for _, below in lines}) == [first + 0.5 + pixel for pixel in range(size)]
    assert len(lines) == 18 and all(abs(above - below) <= 1 for above, below in lines)


@pytest.mark.parametrize("sizes", [[], [0], [-3], ["wide"], [3, None]])
def test_crops_need_sizes(sizes):
    with pytest.raises(ValueError, match=r"^sizes: "):
        plotting.show_crops(IMAGE, 3, 3, sizes)


@pytest.mark.parametrize("image", [IMAGE[0], np.zeros((2, 2, 2)), np.zeros((0, 3)), np.array([["ink"]]), None])
def test_what_is_no_image(image):
    with pytest.raises(ValueError, match=r"^image: "):
        plotting.show_pixels(image)


@pytest.mark.parametrize("records", [pd.DataFrame(), pd.DataFrame({"variant": ["a"], "accuracy": [0.5]})])
def test_seeds_need_records_of_what_is_drawn(records):
    with pytest.raises(ValueError, match=r"^records: .*test_accuracy"):
        plotting.plot_seeds(records)


VERDICTS = {
    "better": ["better", "better, by less than 0.05"],
    "worse": ["worse", "worse, by less than 0.05"],
    "no difference": ["no difference", "no difference of 0.05 or more"],
    "undecided": ["undecided", "no difference we could measure; 0.12 could hide"],
}


def test_each_kind_of_verdict_has_a_look_of_its_own():
    rows = [(word, kind) for kind, words in VERDICTS.items() for word in words]
    table = pd.DataFrame([{"difference": 0.0, "low": -0.1, "high": 0.1, "verdict": word} for word, _ in rows])
    ax = plotting.plot_intervals(table.set_axis([f"a rival with a name of {n} long words" for n in range(8)]))
    looks = [(line.get_marker(), line.get_color()) for line in ax.lines if line.get_marker() not in ("", "None", None)]
    seen = {kind: {look for look, (_, other) in zip(looks, rows, strict=True) if other == kind} for kind in VERDICTS}
    assert all(len(found) == 1 for found in seen.values()) and len(set.union(*seen.values())) == len(VERDICTS)
    assert all("\n" in label.get_text() for label in ax.get_yticklabels())
