"""What holds for each figure: size, still picture, two copies, a cell that runs again, narrow pages, dark, keyboard."""

import re
from base64 import b64decode
from html import escape
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
import samples
from pages import opened, state_of_text

from cellgrad import figures
from cellgrad.figures.page import _json, image, ink, number, signed

FIGURES = {
    "network": (figures.network, 150),
    "slope": (figures.slope, 150),
    "bowl": (figures.bowl, 150),
    "window": (figures.window, 150),
    "field": (figures.field, 150),
    "draw": (figures.draw, 300),
    "seeds": (samples.seeds, 150),
    "frontier": (samples.frontier, 150),
    "hard_digits": (samples.hard_digits, 150),
}
names = pytest.mark.parametrize("name", FIGURES)


def made(name):
    return FIGURES[name][0]()


@names
def test_small_the_same_each_time_and_asks_for_nothing(name):
    html = made(name)._repr_html_()
    assert html == made(name)._repr_html_() and repr(made(name)) == repr(made(name))
    assert len(html.encode()) <= 1000 * FIGURES[name][1]
    assert html.count("<script>") == html.count("</script>") == 1
    html += made(name).picture
    outside = [url for url in re.findall(r"https?://[^\"'`\s)]+", html) if url != "http://www.w3.org/2000/svg"]
    assert outside == []
    assert not re.search(r"\b(require|import|fetch|XMLHttpRequest)\b\(", html)


@names
def test_the_first_picture_is_complete_without_scripts(name, browser):
    picture = ElementTree.fromstring(made(name).picture)
    assert picture.get("aria-label") and picture.get("role") == "img"
    with opened(browser, made(name), scripts=False) as tab:
        still = tab.locator("figure.cg img.cg-still")
        assert still.bounding_box()["width"] > 300 and still.bounding_box()["height"] > 100
        assert still.get_attribute("alt") == picture.get("aria-label")
        assert not tab.locator(".cg-panel").is_visible()
        assert len(tab.locator("figcaption").inner_text()) > 60


@names
def test_print_is_the_picture_with_its_caption(name, browser):
    with opened(browser, made(name), theme="dark") as tab:
        tab.emulate_media(media="print")
        assert not tab.locator(".cg-panel").is_visible() and tab.locator("figure.cg svg").first.is_visible()
        assert tab.locator("figure.cg").evaluate("f => getComputedStyle(f).backgroundColor") == "rgb(255, 255, 255)"


@names
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling_and_targets_are_large_enough(name, theme, browser):
    with opened(browser, made(name), theme=theme, width=360) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        small = tab.evaluate(
            """[...document.querySelectorAll('.cg-panel button, .cg-panel input, .cg-panel select')]
            .filter(e => e.offsetParent).map(e => [e, (e.closest('label') || e).getBoundingClientRect()])
            .filter(([e, b]) => b.height < 24 || b.width < 24).map(([e]) => e.outerHTML)"""
        )
        assert small == []
        paper = tab.locator("figure.cg").evaluate("f => getComputedStyle(f).backgroundColor")
        assert paper == {"light": "rgb(252, 252, 250)", "dark": "rgb(27, 29, 32)"}[theme]


def painted(tab):
    """What stands on each canvas."""
    return tab.evaluate(
        """() => new Promise((done) => setTimeout(() => done([...document.querySelectorAll('figure.cg canvas')].map(
        c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])), 100))"""
    )


@pytest.mark.parametrize("name", ["window", "field", "draw"])
def test_canvases_turn_dark_with_the_page(name, browser):
    """Switched or opened in the dark: the same colours; and the same again in the light."""

    def open_in(theme):
        return opened(browser, made(name), theme=theme)

    def show(tab):
        if name == "field":
            tab.get_by_role("radio", name="how much they do, with random weights").check()
        return painted(tab)

    with open_in("dark") as tab:
        dark = show(tab)
    with open_in("light") as tab:
        light = show(tab)
        tab.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert painted(tab) == dark != light
        tab.evaluate("document.documentElement.removeAttribute('data-theme')")
        assert painted(tab) == light
        tab.emulate_media(color_scheme="dark")
        assert painted(tab) == dark
        tab.evaluate("document.body.setAttribute('data-jp-theme-light', 'true')")  # JupyterLab's
        assert painted(tab) == light


@names
def test_every_control_has_a_name(name, browser):
    with opened(browser, made(name)) as tab:
        for role in ("button", "slider", "checkbox", "radio", "combobox", "spinbutton"):
            for control in tab.get_by_role(role).all():
                tab_name = control.evaluate(
                    "e => e.getAttribute('aria-label') || (e.closest('label') || e).innerText"
                    " || (e.labels && [...e.labels].map(l => l.innerText).join(' '))"
                )
                assert tab_name.strip(), control.evaluate("e => e.outerHTML")


@names
def test_tab_goes_in_and_out_again(name, browser):
    with opened(browser, "<button id='before'>before</button>", made(name), "<button id='after'>after</button>") as tab:
        tab.focus("#before")
        for _ in range(400):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.id") == "after":
                break
        assert tab.evaluate("document.activeElement.id") == "after", "the keyboard is trapped in the figure"


@names
def test_two_copies_do_not_disturb_each_other_and_a_cell_may_run_again(name, browser):
    with opened(browser, made(name), made(name)) as tab:
        assert tab.evaluate("[...document.querySelectorAll('figure.cg')].every(f => f.cellgrad)")
        untouched = state_of_text(tab, 1)
        for control in tab.locator("figure.cg").first.locator(".cg-panel input[type=range]").all()[:3]:
            control.focus()
            control.press("ArrowRight")
        tab.wait_for_timeout(60)
        assert state_of_text(tab, 1) == untouched
        # What a notebook does when a cell runs again: the markup is set, and its scripts are made anew.
        tab.evaluate(
            """html => { const first = document.querySelector('figure.cg'), box = document.createElement('div');
            first.replaceWith(box); box.innerHTML = html;
            for (const old of box.querySelectorAll('script')) { const script = document.createElement('script');
              script.textContent = old.textContent; old.replaceWith(script); } }""",
            made(name)._repr_html_(),
        )
        assert tab.locator("figure.cg-live").count() == 2
        assert state_of_text(tab, 0) == untouched


@names
def test_a_sandboxed_frame_shows_it_too(name, browser):
    source = escape(made(name)._repr_html_())
    frame = f'<iframe sandbox="allow-scripts" width="880" height="900" srcdoc="{source}"></iframe>'
    with opened(browser, frame) as tab:
        inside = tab.frame_locator("iframe").locator("figure.cg-live .cg-panel")
        inside.wait_for(timeout=5000)
        assert inside.locator("button, input").count() > 1


def test_json_can_stand_inside_a_script():
    assert "<" not in _json({"a": "</script><!--"}) and "\u2028" not in _json("\u2028")


@pytest.mark.parametrize("name", ["network", "slope", "bowl", "draw"])
def test_the_living_picture_begins_as_the_still_one(name, browser):
    """Python and JavaScript write the same numbers: what stands in the still picture stands in the living one."""
    texts = [one.text for one in ElementTree.fromstring(made(name).picture).iter("{http://www.w3.org/2000/svg}text")]
    with opened(browser, made(name)) as tab:
        tab.wait_for_timeout(100)
        living = tab.evaluate("[...document.querySelectorAll('.cg-picture > svg text')].map(e => e.textContent)")
        assert living == [text or "" for text in texts]


def test_pixels_are_a_png_that_others_read():
    image_module = pytest.importorskip("PIL.Image")
    values = np.array([[-4.0, 0.0, 2.0], [1.0, 4.0, -1.0]])
    for colours in (ink(np.array([[0, 100], [255, 7], [1, 2]], dtype=np.uint8)), signed(values)):
        source = re.search('base64,([^"]+)', image(colours, 0, 0, 1, 1))[1]
        with image_module.open(BytesIO(b64decode(source))) as picture:
            assert (np.array(picture.convert("RGBA")) == colours).all()
    assert signed(values)[..., 3].tolist() == [[255, 0, 128], [64, 255, 64]]


@pytest.mark.parametrize(
    "value, words", [(0.0, "0"), (-0.0, "0"), (-0.00012344, "−0.0001234"), (1234567, "1.235e6"), (0.05, "0.05")]
)
def test_numbers_as_text(value, words):
    assert number(value) == words
