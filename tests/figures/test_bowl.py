"""The bowl and the trough: places and losses are those of gradient descent, computed here with NumPy."""

import numpy as np
import pytest
from pages import asked, drag_on, hurried, opened, press, slide

from cellgrad import figures


def descent(start, curvature, rate, updates=40):
    distances = [start]
    for _ in range(updates):
        distances.append(distances[-1] - rate * curvature * distances[-1])
    distances = np.array(distances)
    return distances, curvature * distances**2 / 2


@pytest.mark.parametrize("curvature", [1.0, 0.0348])
@pytest.mark.parametrize("product", [0.1, 1.0, 1.9, 2.0, 2.1])
def test_named_rates(curvature, product, browser):
    with opened(browser, figures.bowl(curvature=curvature, flat=0.01)) as tab:
        press(tab, f"η = {product:g}/λ")
        places, losses = descent(1.0, curvature, product / curvature)
        steep, lost = asked(tab, "steep.map(s => s.distance)", "losses")
        assert steep == pytest.approx(places, rel=1e-12, abs=1e-12)
        assert lost == pytest.approx(losses, rel=1e-12, abs=1e-12)
        words = tab.locator(".cg-words").inner_text()
        expected = {0.1: "one side", 1: "at the bottom", 1.9: "comes to rest", 2: "for ever", 2.1: "farther out"}
        assert expected[product] in words


def test_trough_by_slider_and_by_keyboard(browser):
    with opened(browser, figures.bowl(curvature=2.0, flat=0.1)) as tab:
        tab.get_by_role("radio", name="a trough").check()
        slide(tab, "learning rate", 1.5)
        slide(tab, "where the ball starts", -0.7)
        steep, steep_losses = descent(-0.7, 2.0, 0.75)
        flat, flat_losses = descent(-3.6, 0.1, 0.75)
        assert asked(tab, "steep.map(s => s.distance)") == pytest.approx(steep, abs=1e-12)
        assert asked(tab, "along.map(s => s.distance)") == pytest.approx(flat, abs=1e-12)
        assert asked(tab, "losses") == pytest.approx(steep_losses + flat_losses, abs=1e-12)
        ball = tab.get_by_role("slider", name="the ball's first place")
        ball.press("ArrowUp")
        ball.press("ArrowRight")
        assert asked(tab, "state.steep") == pytest.approx(-0.65)
        assert asked(tab, "state.along") == pytest.approx(-3.55)
        drag_on(tab, (200, 60), (300, 80))
        assert asked(tab, "state.along") == pytest.approx((300 - 213) / 354 * 8, abs=0.05)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_rolling_and_single_updates(motion, browser):
    with opened(browser, figures.bowl(), motion=motion) as tab:
        press(tab, "To the start")
        assert asked(tab, "state.shown") == 0
        press(tab, "One update", times=3)
        assert asked(tab, "state.shown") == 3
        press(tab, "Roll")
        if motion == "reduce":
            assert asked(tab, "state.shown") == 40  # at once
        else:
            assert asked(tab, "state.shown") < 40
            with hurried(tab):
                tab.wait_for_function("document.querySelector('figure.cg').cellgrad.state.shown == 40")
        press(tab, "One update")
        assert asked(tab, "state.shown") == 1
        press(tab, "All updates")
        drag_on(tab, (300, 100), (100, 60))
        assert asked(tab, "state.steep") == pytest.approx((100 - 213) / 354 * 3.8, abs=0.03)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="flat"):
        figures.bowl(curvature=1, flat=2)
    with pytest.raises(ValueError, match="curvature"):
        figures.bowl(curvature=-1)
