"""The window: outputs are PyTorch's for all settings, gradients are autograd's, by mouse and by keyboard."""

import numpy as np
import pytest
from pages import asked, drag_on, hurried, opened, press, slide, wait_until_drawn

from cellgrad import figures, mnist

torch = pytest.importorskip("torch")
DIGIT = mnist.sample().train.images[3].double()
EDGES = [[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]


def convolved(kernel, **settings):
    return torch.nn.functional.conv2d(
        DIGIT[None, None], torch.tensor(kernel, dtype=torch.float64)[None, None], **settings
    )[0, 0]


def kernel_in(tab):
    weights, size = asked(tab, "state.kernel", "state.size")
    return np.array(weights).reshape(size, size).tolist()


def assert_output(tab, **settings):
    expected = convolved(kernel_in(tab), **settings)
    places, output = asked(tab, "places", "output")
    assert places == len(expected)
    np.testing.assert_allclose(output, expected.flatten(), rtol=0, atol=1e-9)


def test_first_picture_and_living_figure_agree(browser):
    with opened(browser, figures.window(row=10, column=14)) as tab:
        assert_output(tab)
        assert asked(tab, "sum") == convolved(EDGES)[10, 14] != 0
        assert f"their sum: {asked(tab, 'sum'):g}".replace("-", "−") in figures.window(row=10, column=14).picture


@pytest.mark.parametrize("stride, padding, dilation", [(1, 1, 1), (2, 0, 1), (3, 2, 2), (1, 3, 3)])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_setting_against_pytorch(size, stride, padding, dilation, browser):
    with opened(browser, figures.window()) as tab:
        tab.get_by_role("combobox", name="Kernel").select_option("dot")
        settings = {"kernel size": size, "stride": stride, "padding": padding, "dilation": dilation}
        for label, value in settings.items():
            slide(tab, label, value)
        assert_output(tab, stride=stride, padding=padding, dilation=dilation)


@pytest.mark.parametrize("preset", ["upright", "level", "average", "copy", "zero"])
def test_presets_and_weights_of_ones_own(preset, browser):
    with opened(browser, figures.window()) as tab:
        tab.get_by_role("combobox", name="Kernel").select_option(preset)
        assert_output(tab)
        tab.get_by_role("spinbutton", name="weight in row 2, column 3").fill("-1.5")
        assert kernel_in(tab)[1][2] == -1.5
        assert_output(tab)
        assert tab.get_by_role("combobox", name="Kernel").input_value() == "own"


def test_gradient_of_each_weight_against_autograd_and_learning(browser):
    with opened(browser, figures.window()) as tab:
        tab.get_by_role("combobox", name="Kernel").select_option("average")
        tab.get_by_role("radio", name="the gradient of one weight").check()
        kernel = torch.tensor(kernel_in(tab), dtype=torch.float64, requires_grad=True)
        image, wanted = DIGIT[None, None] / 255, convolved(EDGES) / 255
        loss = ((torch.nn.functional.conv2d(image, kernel[None, None])[0, 0] - wanted) ** 2).mean() / 2
        loss.backward()
        assert asked(tab, "loss") == pytest.approx(loss.item(), abs=1e-12)
        assert asked(tab, "slopes()") == pytest.approx(kernel.grad.flatten().tolist(), abs=1e-12)
        tab.get_by_role("combobox", name="Weight", exact=True).select_option("5")
        assert asked(tab, "gathered") == pytest.approx(kernel.grad[1, 2].item(), abs=1e-12)
        press(tab, "One step downhill")
        stepped = (kernel - kernel.grad).detach().flatten().tolist()
        assert asked(tab, "state.kernel") == pytest.approx(stepped, abs=1e-12)
        press(tab, "100 steps", times=10)
        assert asked(tab, "loss") < loss.item() / 100
        assert np.abs(np.array(kernel_in(tab)) - EDGES).max() < 0.5  # it has learned the upright edges


def test_the_window_moves_by_keyboard_and_by_mouse(browser):
    with opened(browser, figures.window(row=3, column=4)) as tab:
        handle = tab.locator("[data-part=window]")
        handle.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowRight", "ArrowUp", "ArrowLeft"):
            handle.press(key)
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (3, 10)
        assert handle.get_attribute("aria-label") == "window at row 4, column 11"
        for key, place in {"Home": (3, 0), "End": (3, 25), "PageDown": (25, 25), "PageUp": (0, 25)}.items():
            handle.press(key)
            assert (asked(tab, "state.row"), asked(tab, "state.column")) == place
        cell = 184 / 28
        drag_on(tab, (20, 30), (8 + 12.5 * cell, 24 + 7.5 * cell))  # the pixel in the middle of the window
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (6, 11)
        drag_on(tab, (300, 100), (208 + 20.5 * 184 / 26, 24 + 2.5 * 184 / 26))
        assert (asked(tab, "state.row"), asked(tab, "state.column")) == (2, 20)


def test_the_output_fills_where_the_window_has_been(browser):
    filled = (
        "(() => { const c = document.querySelector('canvas.cg-squares');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((one, i) => i % 4 == 3 && one)"
        ".length; })()"
    )
    with opened(browser, figures.window()) as tab:
        whole = tab.evaluate(filled)
        tab.get_by_role("checkbox", name="only where the window has been").check()
        assert tab.evaluate(filled) == 1
        tab.locator("[data-part=window]").press("ArrowLeft")
        wait_until_drawn(tab)
        assert tab.evaluate(filled) == 2
        with hurried(tab):
            press(tab, "Scan all places")
            tab.wait_for_function("document.querySelector('figure.cg').cellgrad.state.row == 25")
        assert tab.evaluate(filled) == whole


def test_a_window_wider_than_the_image_is_refused(browser):
    small = np.zeros((6, 6))
    with opened(browser, figures.window(small, row=0, column=0)) as tab:
        slide(tab, "dilation", 3)
        assert asked(tab, "state.dilation") == 1
        assert tab.get_by_role("slider", name="dilation").input_value() == "1"
        tab.wait_for_function("document.querySelector('.cg-said').textContent.includes('wider than the image')")
    with pytest.raises(ValueError, match="wide"):
        figures.window(small, np.ones((5, 5)), dilation=3)
    with pytest.raises(ValueError, match="stride"):
        figures.window(stride=4)
    with pytest.raises(ValueError, match="kernel"):
        figures.window(kernel=[1, 2, 3])
