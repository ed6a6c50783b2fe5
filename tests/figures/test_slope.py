"""The slope: secants and the tangent are Python's, for every weight, by slider, by drag and by keyboard."""

from dataclasses import replace

import pytest
from pages import asked, drag_on, opened, press, slide

from cellgrad import figures
from cellgrad.toynet import ToyNetwork


def network_at(weight, value):
    weights = list(ToyNetwork().weights)
    weights[int(weight[1]) - 1] = value
    return replace(ToyNetwork(), weights=tuple(weights))


def secant(weight, at, nudge, back=0.0):
    ahead, behind = network_at(weight, at + nudge).loss(), network_at(weight, at - back).loss()
    return (ahead - behind) / (nudge + back)


@pytest.mark.parametrize("weight", ["w1", "w5", "w8"])
def test_secant_and_tangent(weight, browser):
    with opened(browser, figures.slope()) as tab:
        tab.get_by_role("combobox", name="The curve of").select_option(weight)
        for value in (-4.0, 0.3, 2.55):
            slide(tab, "weight", value)
            gradient = network_at(weight, value).gradient()[int(weight[1]) - 1]
            assert asked(tab, "tangent") == pytest.approx(gradient, abs=1e-12)
            for exponent in (0.3, -1, -4):
                slide(tab, "nudge s", exponent)
                nudge, slope = asked(tab, "nudge", "secant")
                assert nudge == pytest.approx(10**exponent)
                assert slope == pytest.approx(secant(weight, value, nudge), abs=1e-11)


def test_closer_and_on_both_sides(browser):
    with opened(browser, figures.slope(nudge=1)) as tab:
        press(tab, "Ten times closer", times=3)
        assert asked(tab, "nudge") == pytest.approx(1e-3)
        one = abs(asked(tab, "secant") - asked(tab, "tangent"))
        tab.get_by_role("radio", name="on both sides").check()
        assert asked(tab, "secant") == pytest.approx(secant("w5", 0.4, 1e-3, 1e-3), abs=1e-11)
        assert abs(asked(tab, "secant") - asked(tab, "tangent")) < one / 100
        press(tab, "Ten times farther")
        assert asked(tab, "nudge") == pytest.approx(1e-2)


def test_points_follow_the_mouse_and_the_arrow_keys(browser):
    with opened(browser, figures.slope()) as tab:
        drag_on(tab, (225, 150), (100, 60))  # nearer to the first point
        assert asked(tab, "at") == pytest.approx((100 - 213) / 354 * 12, abs=0.06)
        drag_on(tab, (160, 100), (110, 60))  # nearer to the second
        assert asked(tab, "nudge") == pytest.approx(10 / 354 * 12, abs=0.06)
        before = asked(tab, "at")
        tab.get_by_role("slider", name="the point", exact=True).press("ArrowRight")
        assert asked(tab, "at") == pytest.approx(before + 0.05)
        before = asked(tab, "nudge")
        tab.get_by_role("slider", name="the second point").press("ArrowLeft")
        assert asked(tab, "nudge") == pytest.approx(before * 10**-0.05)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="w9"):
        figures.slope(weight="w9")
    with pytest.raises(ValueError, match="nudge"):
        figures.slope(nudge=0)


def test_a_flat_loss_is_drawn_flat(browser):
    for biases, targets in (((-800.0, -800.0), (0.0, 0.0)), ((800.0, 800.0), (0.0, 0.0))):
        network = replace(ToyNetwork(), inputs=(0.0, 0.0), biases=biases, targets=targets)
        figure = figures.slope(network, "w1")
        assert "nan" not in str(figure.picture).lower()
        with opened(browser, figure) as tab:
            slide(tab, "weight", 1.0)
            assert asked(tab, "tangent", "secant") == [0, 0]
            assert not tab.locator("svg [d*=NaN], svg [cx*=NaN], svg [cy*=NaN]").count()
