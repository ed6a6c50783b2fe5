"""The field: sizes, fields and costs are those of the layer list in Python, which it takes and gives back."""

import json
import random

import numpy as np
import pytest
from pages import asked, drag_on, opened, press, wait_until_drawn

from cellgrad import figures, layers
from cellgrad.figures.field import written
from cellgrad.figures.page import number
from cellgrad.layers import (
    SOURCE,
    avg_pool,
    batch_norm,
    conv,
    count_parameters,
    depthwise,
    flatten,
    global_avg_pool,
    layer_table,
    linear,
    max_pool,
    pixel_unshuffle,
    relu,
)
from cellgrad.receptive import receptive_field

STACKS = 50


def random_stack(generator):
    """Any layers in any order: about a third of the stacks do not fit somewhere."""

    def window():
        def extent(low, high):
            one = generator.randint(low, high)
            return generator.choice([one, one, one, one, (low, one)])

        return {"stride": extent(1, 2), "padding": extent(0, 2), "dilation": extent(1, 2)}

    def one():
        size = generator.choice([1, 2, 3, 3, 5, (3, 1), (1, 3)])
        pool = {"padding": generator.choice([0, 0, 1])}
        makers = [lambda: conv(generator.choice([4, 8]), size, bias=generator.random() < 0.5, **window())] * 5
        makers += [lambda: depthwise(generator.choice([4, 8]), 3, padding=1)]
        makers += [
            lambda: max_pool(generator.choice([2, 3]), generator.choice([1, 2]), **pool),
            lambda: avg_pool(2, **pool),
        ]
        makers += [lambda: relu, lambda: batch_norm, lambda: pixel_unshuffle(2), lambda: layers.dropout(0.1)]
        return generator.choice(makers)()

    stack = [one() for _ in range(generator.randint(1, 7))]
    ends = [[], [flatten, linear(10)], [global_avg_pool, flatten], [flatten, conv(3, 3)], [linear(7, bias=False)]]
    return [*stack, *generator.choice(ends)]


def in_python(stack, input_size):
    """The rows that fit, and the message about the first layer that does not, by the project's own tables."""
    rows = 0
    message = None
    for count in range(1, len(stack) + 1):
        try:
            layer_table(stack[:count], input_size)
            rows = count
        except ValueError as error:
            message = str(error)
            break
    return rows, message


def both(value):
    return list(value) if isinstance(value, tuple) else [value, value]


def test_fifty_random_stacks_agree_exactly(browser):
    generator = random.Random(8)
    stacks = [random_stack(generator) for _ in range(STACKS)]
    fitting = 0
    with opened(browser, figures.field()) as tab:
        for stack, found in zip(stacks, asked(tab, *(f"table({js_list(stack)})" for stack in stacks)), strict=True):
            rows, message = in_python(stack, (1, 28, 28))
            assert len(found["rows"]) == rows
            assert (found["problem"] or {}).get("message") == message
            fitting += message is None
            if not rows:
                continue
            costs, fields = layer_table(stack[:rows]), receptive_field(stack[:rows])
            for mine, cost, field in zip(found["rows"], costs.itertuples(), fields.itertuples(), strict=True):
                assert mine["name"] == cost.layer and tuple(mine["output"]) == cost.output_size
                assert (mine["parameters"], mine["multiplications"]) == (cost.parameters, cost.multiply_adds)
                assert [mine["size"], mine["jump"], mine["start"]] == [
                    both(field.size),
                    both(field.jump),
                    both(field.start),
                ]
    assert STACKS / 5 < fitting < STACKS, "the stacks should be of both kinds"


def js_list(stack):
    return json.dumps([written(layer) for layer in stack])


@pytest.mark.parametrize(
    "stack", [SOURCE, (depthwise(1, 3), conv(8, (3, 1), bias=True), max_pool(3, 2, padding=1), flatten, linear(10))]
)
def test_the_list_that_is_copied_is_the_list_that_was_given(stack, browser):
    with opened(browser, figures.field(stack)) as tab:
        press(tab, "Copy as Python")
        copied = tab.get_by_role("textbox", name="The layer list in Python").input_value()
        assert copied == asked(tab, "listInPython()")
        scope = dict(vars(layers))
        exec(copied, scope)
        assert tuple(scope["layers"]) == tuple(stack)
        assert asked(tab, "parameters") == count_parameters(stack)


def test_build_a_stack_of_ones_own(browser):
    with opened(browser, figures.field()) as tab:
        press(tab, "Empty")
        assert asked(tab, "parameters") == 0
        press(tab, "+ convolution")
        tab.get_by_role("textbox", name="kernel of layer 1").fill("5")
        tab.get_by_role("textbox", name="channels of layer 1").fill("40")
        tab.get_by_role("textbox", name="stride of layer 1").fill("2")
        press(tab, "insert a copy of layer 1")
        stack = [conv(40, 5, stride=2), conv(40, 5, stride=2), relu, batch_norm]
        assert asked(tab, "parameters") == count_parameters(stack)
        assert "parameters too many" in tab.locator(".cg-words").inner_text()
        press(tab, "+ max-pool")
        press(tab, "insert a copy of layer 2")
        assert (
            "its window is 5 pixels wide, but its input with padding is only 4" in tab.locator(".cg-words").inner_text()
        )
        press(tab, "remove layer 1")
        tab.get_by_role("combobox", name="kind of layer 1").select_option("pixel_unshuffle")
        assert asked(tab, "problem") is None
        tab.get_by_role("textbox", name="kernel of layer 1").fill("none")
        assert tab.get_by_role("textbox", name="kernel of layer 1").get_attribute("aria-invalid") == "true"
        press(tab, "As it was")
        assert asked(tab, "parameters") == 14_392


def test_point_at_units_by_mouse_and_by_keyboard(browser):
    with opened(browser, figures.field(layer="pool1")) as tab:
        plate = tab.locator("[data-part=plate]")
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (5, 5)
        for key in ("ArrowRight", "PageDown", "PageDown", "ArrowLeft", "ArrowLeft"):
            plate.press(key)
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (7, 4)
        assert "sees 8 × 8 pixels" in plate.get_attribute("aria-label")
        plate.press("ArrowDown")
        assert asked(tab, "levels[document.querySelector('figure.cg').cellgrad.state.level].name") == "conv3"
        row = receptive_field(SOURCE).set_index("layer").loc["conv3"]
        pool = receptive_field(SOURCE).set_index("layer").loc["pool1"]
        over = pool.start + 4 * pool.jump
        assert abs(row.start + asked(tab, "state.column") * row.jump - over) <= row.jump / 2
        drag_on(tab, (50, 60), (8 + 172 / 44 * (8 + 20.5), 22 + 172 / 44 * (8 + 6.5)))  # the middle of pixel (6, 20)
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (3, 17)
        drag_on(tab, (100, 440), (64 + 328 / 30 * (1 + 7.5), 224 + 21 * 11))  # the input's row of dots
        assert (asked(tab, "state.level"), asked(tab, "state.column")) == (0, 7)


@pytest.mark.parametrize(
    "stack", [SOURCE, (conv(2, 3, padding=1), max_pool(2), conv(2, 3, stride=2, dilation=2), conv(2, 2, padding=1))]
)
def test_strengths_are_the_mean_squared_derivatives_of_random_weights(stack, browser):
    """With weights of variance one, that mean is the gradient of a network of ones: sums in place of windows."""
    torch = pytest.importorskip("torch")
    from torch import nn

    from cellgrad.receptive.effective import fit_gaussian

    windows = [layer for layer in stack if layer.kind in ("conv", "max_pool")]
    ones = nn.Sequential()
    for layer in windows:
        settings = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
        one = nn.Conv2d(1, 1, layer.kernel, bias=False, **settings).double()
        nn.init.ones_(one.weight)
        ones.append(one)
    image = torch.zeros(1, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    output = ones[: len(windows) - 1](image)
    row, column = output.shape[2] // 2, output.shape[3] // 3
    output[0, 0, row, column].backward()
    fitted = fit_gaussian(image.grad[0, 0].numpy())
    with opened(browser, figures.field(stack)) as tab:
        tab.get_by_role("radio", name="how much they do, with random weights").check()
        tab.evaluate(f"document.querySelector('figure.cg').cellgrad.pointAt({len(windows) - 1}, {row}, {column})")
        down, along = (asked(tab, f"{axis}.counts") for axis in ("down", "along"))
        assert np.outer(down, along).tolist() == image.grad[0, 0].tolist()
        sigma = [asked(tab, f"{axis}.sigma") for axis in ("down", "along")]
        assert sigma == pytest.approx(fitted.sigma, rel=1e-12)
        assert [asked(tab, f"{axis}.mean") for axis in ("down", "along")] == pytest.approx(fitted.centre, rel=1e-12)
        said = tab.locator("[data-part=said3]").text_content()
        assert said == f"σ = {number(sigma[0], 3)} × {number(sigma[1], 3)} pixels"


def test_random_networks_spread_as_widely_as_the_figure_says(browser, one_thread):
    """Forty random networks of the source's layers, on noise: their measured σ against the figure's."""
    torch = pytest.importorskip("torch")
    from cellgrad.receptive import effective_receptive_field

    noise = torch.randn((4, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    measured = []
    for seed in range(40):
        torch.manual_seed(seed)
        measured.append(effective_receptive_field(layers.build(SOURCE), noise).sigma)
    with opened(browser, figures.field(layer="flatten1")) as tab:
        tab.get_by_role("radio", name="how much they do, with random weights").check()
        sigma = [asked(tab, f"{axis}.sigma") for axis in ("down", "along")]
    assert np.mean(measured, axis=0) == pytest.approx(sigma, rel=0.03)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="conv9"):
        figures.field(layer="conv9")
    with pytest.raises(ValueError, match="window"):
        figures.field([conv(8, 30)])


@pytest.mark.parametrize("width", [360, 900])
def test_the_table_of_layers_ends_below_a_whole_row(browser, width):
    with opened(browser, figures.field(), width=width) as tab:
        wait_until_drawn(tab)
        cut = """() => { const box = document.querySelector('.cg-tall'), end = box.getBoundingClientRect().top
            + box.clientHeight; return [...box.querySelectorAll('tbody tr')].map(r => r.getBoundingClientRect())
            .map(r => Math.min(end - r.top, r.bottom - end)).filter(part => part > 1.5).length; }"""
        assert tab.evaluate(cut) == 0
        assert tab.evaluate("e => e.scrollHeight > e.clientHeight", tab.query_selector(".cg-tall"))
