"""What holds for each figure: size, still picture, two copies, a cell that runs again, narrow pages, dark, keyboard."""

import re
from base64 import b64decode
from functools import cache
from html import escape
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
import samples
from daily import daily
from pages import hurried, opened, state_of_text, wait_until_drawn

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
# What takes a second or so for each figure and lies in the parts they share: one of each Part in every run.
OFTEN = ("network", "draw", "hard_digits")
slowly = pytest.mark.parametrize("name", daily(FIGURES, OFTEN))


@cache
def made(name):
    """Once for all tests that only look at it."""
    return FIGURES[name][0]()


@names
def test_small_the_same_each_time_and_asks_for_nothing(name):
    once, again = FIGURES[name][0](), FIGURES[name][0]()
    html = once._repr_html_()
    assert html == again._repr_html_() and repr(once) == repr(again)
    assert len(html.encode()) <= 1000 * FIGURES[name][1]
    assert html.count("<script>") == html.count("</script>") == 1
    html += once.picture
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
            """[...document.querySelectorAll('figure.cg :is(button, input, select, textarea)')]
            .filter(e => e.offsetParent).map(e => [e, (e.closest('label') || e).getBoundingClientRect()])
            .filter(([e, b]) => b.height < 24 || b.width < 24).map(([e]) => e.outerHTML)"""
        )
        assert small == []
        paper = tab.locator("figure.cg").evaluate("f => getComputedStyle(f).backgroundColor")
        assert paper == {"light": "rgb(252, 252, 250)", "dark": "rgb(27, 29, 32)"}[theme]


@names
def test_letters_of_a_picture_can_be_read_on_a_phone(name, browser):
    with opened(browser, made(name), width=360) as tab:
        sizes = tab.evaluate(
            """[...document.querySelectorAll('.cg-picture > svg text')].filter(e => e.textContent)
            .map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)"""
        )
        assert sizes and min(sizes) >= 9  # pixels


def painted(tab):
    """What stands on each canvas, as a PNG, which loses nothing: a list of its numbers takes seconds to come here."""
    wait_until_drawn(tab)
    return tab.evaluate("[...document.querySelectorAll('figure.cg canvas')].map(c => c.toDataURL())")


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


def heard(tab):
    """What the browser tells a screen reader: for each node its role, its name, and whether it can be focused."""
    session = tab.context.new_cdp_session(tab)
    nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}
    session.detach()
    for node in nodes.values():
        properties = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        above, inside = node, []
        while above := nodes.get(above.get("parentId")):
            inside.append(above["role"]["value"])
        if not node["ignored"] and "figure" in inside:
            name = node.get("name", {}).get("value", "")
            yield {"role": node["role"]["value"], "name": name, "inside": inside} | properties


@names
def test_a_screen_reader_gets_names_and_no_control_hidden_in_an_image(name, browser):
    controls = ("button", "slider", "checkbox", "radio", "combobox", "spinbutton", "textbox", "application", "region")
    with opened(browser, made(name)) as tab:
        nodes = list(heard(tab))
        focusable = [node for node in nodes if node.get("focusable") and node["role"] != "option"]
        assert len(focusable) > 3 and {node["role"] for node in focusable} <= set(controls)
        assert [node for node in focusable if not node["name"].strip() or "image" in node["inside"]] == []
        assert [node for node in nodes if node["role"] == "columnheader" and not node["name"].strip()] == []
        in_tree = tab.locator("figure.cg :is(button, input, select, textarea, [tabindex]):visible").count()
        assert len(focusable) == in_tree


@slowly
def test_sliders_say_their_values_with_units(name, browser):
    units = {
        "draw": {"turned by": "degrees", "moved right": "pixels", "moved down": "pixels"},
        "window": {"kernel size": "3 by 3 pixels", "stride": "1 pixel", "padding": "0 pixels", "dilation": "1 pixel"},
        "seeds": {"pairs n": "10 pairs"},
    }
    with opened(browser, made(name)) as tab:
        for slider in tab.get_by_role("slider").all():
            said = slider.get_attribute("aria-valuetext")
            assert units.get(name, {}).get(slider.get_attribute("aria-label"), "") in said
            before = said
            slider.press("ArrowRight")
            if slider.evaluate("e => e.value !== undefined && e.value === e.max"):
                slider.press("ArrowLeft")
            wait_until_drawn(tab)
            assert slider.get_attribute("aria-valuetext") != before
            if slider.evaluate("e => e.tagName") != "INPUT":
                low, now, high = (float(slider.get_attribute(f"aria-value{end}")) for end in ("min", "now", "max"))
                assert low <= now <= high


@slowly
def test_what_happens_is_said_once_the_hand_rests(name, browser):
    with opened(browser, made(name)) as tab:
        line, picture = tab.locator(".cg-said"), tab.locator(".cg-picture > svg")
        assert line.get_attribute("aria-live") == "polite"
        tab.wait_for_function("document.querySelector('.cg-said').textContent")
        before = line.text_content(), picture.get_attribute("aria-label")
        control = tab.locator("figure.cg :is([tabindex='0'][aria-roledescription], .cg-panel input[type=range])").first
        if name == "hard_digits":
            control = tab.locator(".cg-picture > svg")
        with hurried(tab):
            if name == "frontier":
                tab.get_by_role("button", name="Smaller").press("Enter")
            elif name == "draw":
                tab.get_by_role("combobox", name="Test digit").press("Home")
            else:
                control.press("ArrowLeft")
            tab.wait_for_function("was => document.querySelector('.cg-said').textContent !== was", arg=before[0])
        if name != "hard_digits":  # its picture is the control itself, and has a name of its own
            assert line.text_content() in picture.get_attribute("aria-label") != before[1]


@pytest.mark.parametrize(
    "name, button, done",
    [
        ("window", "Scan all places", "state.row === 25"),
        ("draw", "Which pixels mattered?", "falls.length === 169"),
        ("bowl", "Roll", "state.shown === 40"),
    ],
)
def test_nothing_moves_by_itself_where_motion_is_not_wanted(name, button, done, browser):
    with opened(browser, made(name), motion="reduce") as tab:
        at_once = f"document.querySelector('figure.cg').cellgrad.{done}"
        assert tab.get_by_role("button", name=button).evaluate(f"button => {{ button.click(); return {at_once}; }}")


@slowly
def test_tab_goes_in_and_out_again(name, browser):
    with opened(browser, "<button id='before'>before</button>", made(name), "<button id='after'>after</button>") as tab:
        tab.focus("#before")
        for _ in range(400):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.id") == "after":
                break
        assert tab.evaluate("document.activeElement.id") == "after", "the keyboard is trapped in the figure"


@slowly
def test_two_copies_do_not_disturb_each_other_and_a_cell_may_run_again(name, browser):
    with opened(browser, made(name), made(name)) as tab:
        assert tab.evaluate("[...document.querySelectorAll('figure.cg')].every(f => f.cellgrad)")
        untouched = state_of_text(tab, 1)
        for control in tab.locator("figure.cg").first.locator(".cg-panel input[type=range]").all()[:3]:
            control.focus()
            control.press("ArrowRight")
        wait_until_drawn(tab)
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


@slowly
def test_a_sandboxed_frame_shows_it_too(name, browser):
    source = escape(made(name)._repr_html_())
    frame = f'<iframe sandbox="allow-scripts" width="880" height="900" srcdoc="{source}"></iframe>'
    with opened(browser, frame) as tab:
        inside = tab.frame_locator("iframe").locator("figure.cg-live .cg-panel")
        inside.wait_for()
        assert inside.locator("button, input").count() > 1


def test_json_can_stand_inside_a_script():
    assert "<" not in _json({"a": "</script><!--"}) and "\u2028" not in _json("\u2028")


@pytest.mark.parametrize("name", ["network", "slope", "bowl", "draw"])
def test_the_living_picture_begins_as_the_still_one(name, browser):
    """Python and JavaScript write the same numbers: what stands in the still picture stands in the living one."""
    texts = [one.text for one in ElementTree.fromstring(made(name).picture).iter("{http://www.w3.org/2000/svg}text")]
    with opened(browser, made(name)) as tab:
        wait_until_drawn(tab)
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
