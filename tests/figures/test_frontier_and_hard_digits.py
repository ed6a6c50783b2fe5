"""The frontier says what the records say; hard digits are turned only after a guess."""

import numpy as np
import pytest
import samples
from pages import asked, drag_on, opened, press

from cellgrad import figures, mnist


def test_means_of_both_readings(browser):
    records = samples.records()
    with opened(browser, samples.frontier()) as tab:
        for variant, rows in records.groupby("variant"):
            tab.get_by_role("combobox", name="Network").select_option(variant)
            tab.get_by_role("radio", name="as the recipe reads them").check()
            assert asked(tab, "mean") == pytest.approx(rows["test_accuracy"].mean(), abs=1e-7)
            tab.get_by_role("radio", name="each digit read once").check()
            once = rows["test_accuracy_unshifted"].fillna(rows["test_accuracy"]).mean()
            assert asked(tab, "mean") == pytest.approx(once, abs=1e-7)
            words = tab.locator(".cg-words").inner_text()
            assert f"{rows['parameters'].iloc[0]:,} parameters" in words and f"{len(rows)} seeds" in words


def test_walk_along_the_axis_and_point(browser):
    with opened(browser, samples.frontier()) as tab:
        names = []
        for _ in range(7):
            names.append(asked(tab, "name"))
            tab.get_by_role("button", name="Smaller").press("Enter")
        assert names[-1] == "small" and len(set(names)) == 6
        dot = tab.locator("[data-point='4']")
        where = float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))
        drag_on(tab, where, where)
        assert asked(tab, "state.chosen") == 4
        assert tab.locator(".cg-list li").count() > 5


def test_a_card_is_turned_by_a_guess_and_only_once(browser):
    label = int(mnist.sample().test.labels[0])
    with opened(browser, samples.hard_digits()) as tab:
        assert f"label says {label}" not in tab.locator(".cg-stage").inner_text()
        press(tab, str((label + 1) % 10))
        assert f"the label says {label}. 28 of 60 networks" in tab.locator(".cg-words").inner_text()
        press(tab, str(label))  # too late
        assert asked(tab, "state.guesses")[0] == (label + 1) % 10 and asked(tab, "right") == 0
        press(tab, "Next")
        second = int(mnist.sample().test.labels[1])
        tab.locator(".cg-picture > svg").press(str(second))
        assert asked(tab, "right") == 1
        assert asked(tab, "theirs") == pytest.approx((28 + 27) / 60)
        tab.locator(".cg-picture > svg").press("ArrowLeft")
        tab.locator(".cg-picture > svg").press("ArrowLeft")
        assert asked(tab, "state.card") == 11
        drag_on(tab, (100, 30), (100, 30))
        assert asked(tab, "state.card") == 1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="records"):
        figures.frontier(samples.records().iloc[:0])
    with pytest.raises(ValueError, match="images"):
        figures.hard_digits(np.zeros((2, 28, 28)), [1], [{}], 3)
    with pytest.raises(ValueError, match="networks"):
        figures.hard_digits(np.zeros((1, 28, 28)), [1], [{2: 5}], 3)
    for label, wrong in ((1, {1: 1}), (1, {12: 1}), (1, {2: -1}), (1, {2: 0.5}), (10, {})):
        with pytest.raises(ValueError, match=r"^answers: "):
            figures.hard_digits(np.zeros((1, 28, 28)), [label], [wrong], 3)
