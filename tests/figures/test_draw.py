"""Draw a digit: the page's network is PyTorch's; drawings are centred as MNIST's; all by mouse and by keyboard."""

import json

import numpy as np
import pytest
from pages import asked, drag_on, opened, press, slide

from cellgrad import figures, mnist
from cellgrad.training.recipes import RECIPES

torch = pytest.importorskip("torch")
from cellgrad.training.saving import shipped_run  # noqa: E402 (it needs torch)

SIDE = 160 / 28


def logits_in(tab, images):
    logits = "images => JSON.parse(images).map(document.querySelector('figure.cg').cellgrad.logits)"
    return np.array(tab.evaluate(logits, json.dumps(images.flatten(1).tolist())))


def on_sheet(*points):
    """Places of the sheet, in pixels of 28, as places of the picture."""
    return [(8 + x * SIDE, 24 + y * SIDE) for x, y in points]


@pytest.mark.parametrize(
    "recipe, count", [("book", 200), ("fast", 10), ("best", 10), ("small", 10), ("small-once", 10)]
)
def test_logits_are_those_of_pytorch(recipe, count, browser, one_thread):
    run, images = shipped_run(recipe), mnist.sample().test.images[:count]
    with torch.no_grad():
        expected = run.model(mnist.normalise(images)).numpy()
    with opened(browser, figures.draw(run)) as tab:
        np.testing.assert_allclose(logits_in(tab, images), expected, rtol=0, atol=1e-4)


def test_every_shipped_network_fits_in_a_figure():
    for recipe in RECIPES:
        assert len(figures.draw(shipped_run(recipe))._repr_html_().encode()) <= 300_000


def test_a_drawn_one_is_read_and_centred(browser):
    with opened(browser, figures.draw()) as tab:
        press(tab, "Empty sheet")
        assert asked(tab, "seen.every(one => one === 0)") and "empty" in tab.locator(".cg-words").inner_text()
        drag_on(tab, *on_sheet((6, 2), (5, 16)))  # far from the middle, and shorter than MNIST's
        assert asked(tab, "best") == 1
        seen = np.array(asked(tab, "seen")).reshape(28, 28)
        rows, columns = np.nonzero(seen > 0)
        assert 19 <= np.ptp(rows) + 1 <= 22 and np.ptp(columns) + 1 <= 8
        centre = (seen.sum(1) @ np.arange(0.5, 28)) / seen.sum(), (seen.sum(0) @ np.arange(0.5, 28)) / seen.sum()
        assert centre == pytest.approx((14, 14), abs=0.1)
        assert 200 < seen.max() <= 255


def test_a_drawn_seven_takes_two_strokes(browser):
    with opened(browser, figures.draw()) as tab:
        press(tab, "Empty sheet")
        drag_on(tab, *on_sheet((8, 6), (20, 6)))
        drag_on(tab, *on_sheet((20, 6), (12, 23)))
        assert asked(tab, "state.strokes.length") == 2
        assert asked(tab, "best") == 7


def test_pick_a_test_digit_by_keyboard(browser):
    test = mnist.sample().test
    with opened(browser, figures.draw()) as tab:
        pick = tab.get_by_role("combobox", name="Test digit")
        pick.focus()
        before = asked(tab, "state.digit")
        pick.press("ArrowDown")
        assert asked(tab, "state.digit") == before + 1
        label = 4
        row = torch.nonzero(test.labels == label)[1, 0]
        assert asked(tab, "seen") == test.images[row].flatten().tolist()


def test_turned_moved_covered(browser):
    run = shipped_run("book")
    image = mnist.sample().test.images[torch.nonzero(mnist.sample().test.labels == 4)[0, 0]].numpy()
    with opened(browser, figures.draw(run)) as tab:

        def seen():
            # While a slider moves, the network reads as often as the machine can; the last reading is of what is now.
            tab.wait_for_function(
                "pixels => { const {seen, changed, state} = document.querySelector('figure.cg').cellgrad;"
                " return JSON.stringify(seen) === JSON.stringify(changed(pixels, state)); }",
                arg=image.flatten().tolist(),
            )
            return np.array(asked(tab, "seen")).reshape(28, 28)

        slide(tab, "turned by", 90)
        np.testing.assert_allclose(seen(), np.rot90(image), atol=1e-3)
        slide(tab, "turned by", 0)
        slide(tab, "moved right", 3)
        slide(tab, "moved down", -2)
        moved = np.zeros_like(image)
        moved[:-2, 3:] = image[2:, :-3]
        assert (seen() == moved).all()
        with torch.no_grad():
            expected = run.model(mnist.normalise(torch.from_numpy(moved)[None]))[0]
        np.testing.assert_allclose(asked(tab, "scores"), expected, atol=1e-4)
        press(tab, "As it was")
        tab.get_by_role("combobox", name="Covered").select_option("top")
        covered = image.copy()
        covered[:14] = 0
        assert (seen() == covered).all()


def test_which_pixels_mattered(browser):
    run = shipped_run("book")
    image = mnist.sample().test.images[torch.nonzero(mnist.sample().test.labels == 4)[0, 0]]
    with opened(browser, figures.draw(run)) as tab:
        press(tab, "Which pixels mattered?")
        tab.wait_for_function("document.querySelector('figure.cg').cellgrad.falls")
        falls = asked(tab, "falls")
        assert len(falls) == 13 * 13
        variants = torch.stack([image.clone() for _ in falls])
        for variant, (row, column, _) in zip(variants, falls, strict=True):
            variant[int(row) : int(row) + 4, int(column) : int(column) + 4] = 0
        with torch.no_grad():
            whole = run.model(mnist.normalise(image[None]))[0]
            covered = run.model(mnist.normalise(variants))
        best = int(whole.argmax())
        np.testing.assert_allclose([fall for *_, fall in falls], whole[best] - covered[:, best], atol=2e-4)


def test_maps_of_every_layer(browser):
    with opened(browser, figures.draw()) as tab:
        pick, maps = tab.get_by_role("combobox", name="Maps after"), tab.locator("canvas.cg-maps")
        sizes = set()
        for key in pick.locator("option").evaluate_all("options => options.map(o => o.value)"):
            pick.select_option(key)
            sizes.add((maps.evaluate("c => c.width"), maps.evaluate("c => c.height")))
        assert (8 * 27 + 1, 27 + 1) in sizes and len(sizes) > 5
        assert "10 numbers" in maps.get_attribute("aria-label")


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="digit"):
        figures.draw(digit=10)
