"""The network, alive: its numbers are Python's, by mouse and by keyboard."""

import numpy as np
import pytest
from pages import asked, opened, press, slide

from cellgrad import figures
from cellgrad.figures.network import FORMULAS
from cellgrad.toynet import COLUMNS, ToyNetwork


def sheet(tab):
    rows = tab.evaluate(f"document.querySelector('figure.cg').cellgrad.table.map(r => {list(COLUMNS)}.map(c => r[c]))")
    return np.array(rows)


def test_a_hundred_updates_are_those_of_python(browser):
    with opened(browser, figures.network()) as tab:
        press(tab, "100 updates")
        table = sheet(tab)
        assert table.shape == (101, 31)
        np.testing.assert_allclose(table, ToyNetwork().descend(1.0, 100).to_numpy(), rtol=0, atol=1e-12)


def test_every_slider_moves_its_own_number_and_everything_follows(browser):
    numbers = {f"weight w{k}": 0.5 - 0.35 * k for k in range(1, 9)}
    numbers |= {
        "input i1": -1.2,
        "input i2": 1.55,
        "target t1": 0.3,
        "target t2": 0.81,
        "bias b1": -0.6,
        "bias b2": 0.9,
    }
    with opened(browser, figures.network()) as tab:
        for label, value in numbers.items():
            slide(tab, label, round(value, 2))
        slide(tab, "learning rate", 2.5)
        there = {label.split()[1]: float(tab.get_by_role("slider", name=label).input_value()) for label in numbers}
        network = ToyNetwork(
            (there["i1"], there["i2"]),
            (there["t1"], there["t2"]),
            tuple(there[f"w{k}"] for k in range(1, 9)),
            (there["b1"], there["b2"]),
        )
        assert there["w8"] != 0.55
        press(tab, "100 updates")
        np.testing.assert_allclose(sheet(tab), network.descend(2.5, 100).to_numpy(), rtol=0, atol=1e-12)


def test_arrow_keys_move_a_slider(browser):
    with opened(browser, figures.network()) as tab:
        tab.get_by_role("slider", name="weight w5").press("ArrowRight")
        assert asked(tab, "values.w5") == pytest.approx(0.45)
        assert asked(tab, "values.E_total") == pytest.approx(
            ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, 0.45, 0.45, 0.5, 0.55)).loss()
        )


def test_the_walk_shows_each_product_and_ends_in_an_update(browser):
    row = ToyNetwork().row()
    with opened(browser, figures.network()) as tab:
        words, lit, sums = tab.locator(".cg-words"), [], []
        stepper = tab.locator(".cg-main")
        stepper.focus()
        for press_ in range(31):
            stepper.press("Enter")
            lit += tab.evaluate(
                "[...document.querySelectorAll('[data-edge][stroke-width=\"5\"]')].map(e => e.dataset.edge)"
            )
            sums.append(words.inner_text())
            if press_ == 0:
                assert "i₁ · w₁ = 0.05 · 0.15 = 0.0075" in sums[0]
                assert tab.locator("[data-value=a_h1]").text_content() == "?"
        # each weight's edge lights up forwards and for its derivative; those behind a hidden unit once more
        assert {edge: lit.count(edge) for edge in ("w1", "w4", "w5", "w8")} == {"w1": 2, "w4": 2, "w5": 3, "w8": 3}
        assert f"{row['dE_dw1']:.4g}" in next(text for text in sums if "∂E/∂w₁" in text)
        assert stepper.inner_text() == "Update all eight"
        stepper.press("Enter")
        assert asked(tab, "table.length") == 2
        assert asked(tab, "values.w1") == pytest.approx(0.15 - row["dE_dw1"], abs=1e-15)


def test_a_mistake_shows_where_it_fails(browser):
    """The two starts and their losses are those that readers of the workbooks found with programs of their own."""
    expected = {"neighbour": (60, 0.969, 0.018, 0.949), "template": (100, 0.209, 0.0011, 0.240)}
    for key, (updates, first, right, mistaken) in expected.items():
        with opened(browser, figures.network()) as tab:
            tab.get_by_role("combobox", name="Derivatives by").select_option(key)
            press(tab, "A start where this fails")
            assert round(asked(tab, "values.E_total"), 3) == first
            press(tab, "Update", times=updates % 100)
            press(tab, "100 updates", times=updates // 100)
            assert round(asked(tab, "values.E_total"), 3) == mistaken
            tab.get_by_role("combobox", name="Derivatives by").select_option("right")
            press(tab, "Update", times=updates % 100)
            press(tab, "100 updates", times=updates // 100)
            assert asked(tab, "values.E_total") == pytest.approx(right, abs=5e-4 if right > 0.01 else 5e-5)


def test_the_templates_mistake_is_the_templates(browser):
    """The number in the template's own cell for ∂E/∂w1, beside the right one."""
    with opened(browser, figures.network()) as tab:
        assert asked(tab, "values.dE_dw1") == pytest.approx(0.00031699339591029, abs=1e-15)
        tab.get_by_role("combobox", name="Derivatives by").select_option("template")
        assert asked(tab, "values.dE_dw1") == pytest.approx(0.000353547739585417, abs=1e-15)


def test_every_start_that_fails_is_a_network():
    assert all(start is None or isinstance(start, ToyNetwork) for _, _, start in FORMULAS.values())
    with pytest.raises(ValueError, match="learning_rate"):
        figures.network(learning_rate=-1)


def test_back_to_row_0_and_the_books_start(browser):
    with opened(browser, figures.network()) as tab:
        slide(tab, "weight w1", 3)
        press(tab, "Update", times=3)
        press(tab, "Back to row 0")
        assert asked(tab, "values.w1") == 3 and asked(tab, "table.length") == 1
        press(tab, "The book's start")
        assert asked(tab, "values.w1") == 0.15
        press(tab, "Step")
        press(tab, "To the end of the walk")
        assert tab.locator(".cg-main").inner_text() == "Update all eight"


def test_forwards_alone_the_walk_ends_at_the_loss_and_tells_no_derivative(browser):
    with opened(browser, figures.network(backwards=False)) as tab:
        stepper, told = tab.locator(".cg-main"), []
        for _ in range(15):
            told.append(tab.locator("figure.cg").inner_text())
            stepper.click()
        slide(tab, "weight w5", -1.0)
        told.append(tab.locator("figure.cg").inner_text())
        assert "15 of 15, forwards" in told[-1] and "From the start" in told[-1]
        assert not any(sign in text for text in told for sign in ("∂", "δ", "η", "pdate"))
        stepper.click()
        assert "Step walks through this row" in tab.locator(".cg-words").inner_text()
        right = ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, -1.0, 0.45, 0.5, 0.55)).loss()
        assert asked(tab, "values.E_total") == pytest.approx(right, abs=1e-12)
    with opened(browser, figures.network()) as tab:
        assert "∂" in tab.locator("figure.cg").inner_text()


@pytest.mark.parametrize("width", [360, 900])
def test_no_word_about_a_unit_lies_on_a_circle_or_on_an_edge(browser, width):
    with opened(browser, figures.network(), width=width) as tab:
        crossed = tab.evaluate(
            """[...document.querySelectorAll('.cg-picture :is([data-sum], [data-delta], [data-target])')]
            .filter((word) => {
                const box = word.getBBox();
                const inside = (x, y) => x > box.x && x < box.x + box.width
                    && y > box.y + 2 && y < box.y + box.height - 2;
                const number = (part, name) => Number(part.getAttribute(name));
                const steps = [...Array(201).keys()].map((k) => k / 200);
                const hit = (part) => part.tagName === 'line'
                    ? steps.some((s) => inside(number(part, 'x1') + s * (number(part, 'x2') - number(part, 'x1')),
                                               number(part, 'y1') + s * (number(part, 'y2') - number(part, 'y1'))))
                    : steps.some((s) => inside(number(part, 'cx') + number(part, 'r') * Math.cos(2 * Math.PI * s),
                                               number(part, 'cy') + number(part, 'r') * Math.sin(2 * Math.PI * s)));
                return [...document.querySelectorAll('.cg-picture :is([data-edge], [data-node])')].some(hit);
            }).map((word) => word.textContent)"""
        )
    assert crossed == []
