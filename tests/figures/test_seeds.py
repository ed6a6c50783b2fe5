"""How many seeds? Intervals and verdicts are those of `cellgrad.trials.comparison`, whatever is drawn."""

import pytest
import samples
from pages import asked, drag_on, opened, press, slide

from cellgrad import figures
from cellgrad.trials.comparison import compare

EXAMPLES = {
    "better": [0.1, 0.12, 0.09, 0.11, 0.1, 0.13],
    "worse": [-0.1, -0.12, -0.09, -0.11, -0.1],
    "undecided": [0.1, -0.12, 0.02, -0.05, 0.3],
    "no difference": [0.01, -0.01, 0.0, 0.01, -0.01, 0.0, 0.01, -0.01],
    "a little": [0.02, 0.021, 0.019, 0.02, 0.02],
}


def assert_agrees(tab, records, ours, base):
    runs = {name: rows.set_index("seed")["test_accuracy"] for name, rows in records.groupby("variant")}
    used, intervals, verdict = asked(tab, "used", "intervals", "verdict")
    expected = compare(runs[ours][used], runs[base][used])
    mine = intervals[len(used) - 2]
    assert (mine["difference"], mine["low"], mine["high"]) == pytest.approx(expected[1:4], abs=1e-5)
    assert verdict == expected.verdict
    return used


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_verdict(name, browser):
    records = samples.made_up(EXAMPLES[name])
    with opened(browser, figures.seeds(records, "ours", "base")) as tab:
        for n in range(2, len(EXAMPLES[name]) + 1):
            slide(tab, "pairs n", n)
            assert len(assert_agrees(tab, records, "ours", "base")) == n


def test_draws_differ_and_the_last_interval_does_not(browser):
    records = samples.records()
    with opened(browser, samples.seeds()) as tab:
        orders, whole = set(), asked(tab, "intervals.at(-1).low")
        slide(tab, "pairs n", 4)
        for _ in range(5):
            press(tab, "Draw again")
            orders.add(tuple(assert_agrees(tab, records, "book", "small")))
            assert asked(tab, "intervals.at(-1).low") == pytest.approx(whole, abs=1e-12)
        assert len(orders) > 1
        assert sum(asked(tab, "share").values()) == pytest.approx(1)
        press(tab, "The recorded order")
        assert asked(tab, "used") == sorted(asked(tab, "used"))


def test_a_bell_curve_gives_twenty_and_the_mouse_chooses_n(browser):
    with opened(browser, samples.seeds()) as tab:
        tab.get_by_role("radio", name="a bell curve with their mean and spread").check()
        assert asked(tab, "intervals.length") == 19
        drag_on(tab, (100, 100), (44 + 348 * 15.5 / 20, 90))
        assert asked(tab, "state.pairs") == 16
        early, late = (asked(tab, f"intervals[{k}]") for k in (1, 18))
        assert late["high"] - late["low"] < early["high"] - early["low"]
        tab.get_by_role("slider", name="pairs n").press("ArrowRight")
        assert asked(tab, "state.pairs") == 17


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="nobody"):
        figures.seeds(samples.records(), "nobody", "book")
    with pytest.raises(ValueError, match="three"):
        figures.seeds(samples.made_up([0.1, 0.2]), "ours", "base")
