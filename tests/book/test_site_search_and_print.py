"""The site answers to typing errors, sets its formulas in its own typeface, and prints solutions at the end, light."""

import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def tab():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(300_000)  # on a busy machine, too
        yield page
        browser.close()


def found(tab, site, words: str) -> list[str]:
    tab.goto((site / "search.html").as_uri() + f"?q={words}")
    return tab.locator("#results a").evaluate_all("links => links.map(link => link.getAttribute('href'))")


def test_a_typing_error_is_forgiven(site, tab):
    right = found(tab, site, "derivative")
    assert "glossary.html#term-derivative" in right
    for wrong in ("derivatve", "dreivative", "derivativee", "derivstive"):
        assert found(tab, site, wrong)[0] == right[0]
    assert not found(tab, site, "qqqqqqq")


def test_words_that_stand_only_in_code_are_not_found(site, tab):
    assert "run_line_magic" in (site / "01-the-network.html").read_text(encoding="utf-8")
    assert not found(tab, site, "run_line_magic")


def test_formulas_are_set_in_the_book_s_own_typeface(site, tab):
    tab.goto((site / "09-one-rule-for-all-weights.html").as_uri())
    tab.evaluate("document.fonts.ready")
    client = tab.context.new_cdp_session(tab)
    client.send("DOM.enable")
    client.send("CSS.enable")
    root = client.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    nodes = client.send("DOM.querySelectorAll", {"nodeId": root, "selector": "article math :is(mi, mn, mo)"})["nodeIds"]
    assert nodes
    used = {
        font["familyName"]
        for node in nodes
        for font in client.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    }
    assert used == {"STIX Two Math"}


def test_a_pressed_button_keeps_the_keyboard_or_gets_it_back(site, tab):
    try:
        for width, button, opens in ((1280, "primary-toggle", False), (400, "primary-toggle", True)):
            tab.set_viewport_size({"width": width, "height": 800})
            tab.goto((site / "09-one-rule-for-all-weights.html").as_uri(), wait_until="load")
            tab.locator(f".{button}:visible").first.focus()
            tab.keyboard.press("Enter")
            if opens:
                tab.wait_for_selector("dialog[open]")
                tab.keyboard.press("Escape")
            tab.wait_for_function(f"document.activeElement.classList.contains('{button}')")
    finally:
        tab.set_viewport_size({"width": 1280, "height": 720})


def test_a_wide_table_has_a_name_and_keeps_its_first_column_and_what_nearly_fits_is_smaller(site, tab):
    try:
        tab.set_viewport_size({"width": 360, "height": 800})
        tab.goto((site / "11-is-the-advice-true.html").as_uri())
        wide = tab.locator("article .output[role=group][tabindex='0']:has(table)").first
        assert re.match(r"Table 11\.\d+, wider than the page", wide.get_attribute("aria-label", timeout=20_000))
        first = wide.locator("tbody tr > :first-child").first
        before = first.bounding_box()["x"]
        wide.evaluate("box => { box.scrollLeft = 90; }")
        assert first.bounding_box()["x"] == before
        tab.wait_for_selector("article .moved")
        for theme in ("light", "dark"):
            tab.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            assert wide.evaluate("box => getComputedStyle(box).backgroundImage").count("linear-gradient") == 4
        narrower = """share => { const box = document.querySelector('.formula:not(.numbered)');
            Object.assign(box.style, { minWidth: 0, width: "1px" });
            box.style.width = `${share * box.scrollWidth}px`; dispatchEvent(new Event('resize'));
            return [box.querySelector('math').style.fontSize !== '', box.tabIndex === 0]; }"""
        tab.set_viewport_size({"width": 1280, "height": 720})
        for share, smaller, moved in ((1.1, False, False), (0.85, True, False), (0.5, False, True)):
            tab.goto((site / "02-slopes.html").as_uri(), wait_until="load")
            assert tab.evaluate(narrower, share) == [smaller, moved], share
    finally:
        tab.set_viewport_size({"width": 1280, "height": 720})


def test_print_is_light_with_the_solutions_at_the_end_and_undone_afterwards(site, tab):
    tab.goto((site / "03-its-derivatives.html").as_uri())
    text = "document.querySelector('#exercises').textContent.replace(/\\s+/g, ' ')"
    before = tab.evaluate(text)
    tab.evaluate("document.documentElement.dataset.theme = 'dark'; dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    solutions = tab.locator("article > section.solutions details[open] summary").all_text_contents()
    assert solutions[:2] == ["Exercise 1.", "Exercise 2."]
    tab.emulate_media(media="print")
    assert tab.locator("article h1").is_visible()
    tab.emulate_media(media="screen")
    assert tab.locator("article section:not(.solutions) details.solution").count() == 0
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.evaluate(text) == before and not tab.locator("article details[open]").count()


def test_on_paper_a_long_table_goes_on_on_the_next_page(site, tab):
    tab.goto((site / "reproducing.html").as_uri())
    tab.emulate_media(media="print")
    tables = tab.locator(".bd-article table").evaluate_all(
        "tables => tables.map(table => [table.rows.length > 9, getComputedStyle(table).breakInside])"
    )
    tab.emulate_media(media="screen")
    assert {inside for long, inside in tables if long} == {"auto"}
    assert {inside for long, inside in tables if not long} == {"avoid"}


def test_every_link_of_the_one_document_leads_inside_it(site, monkeypatch):
    sys.path.append(str(ROOT / "tools"))
    whole_book = pytest.importorskip("whole_book")
    monkeypatch.setattr(whole_book, "SITE", site)
    html = whole_book.document()
    names = re.findall(r' id="([^"]+)"', html)
    wanted = set(re.findall(r'href="#([^"]*)"', html))
    assert "04-the-spreadsheet--figure-4-1" in names and "glossary--term-kernel" in wanted
    assert not wanted - set(names)
    assert not {name for name in wanted if names.count(name) > 1}
    assert not re.findall(r'href="(?!#|https?:|mailto:|_static/site\.css)[^"]*"', html)


@pytest.mark.slow
def test_the_one_document_is_printed_with_the_solutions_of_each_chapter_at_its_end(site, tab, monkeypatch):
    sys.path.append(str(ROOT / "tools"))
    whole_book = pytest.importorskip("whole_book")
    monkeypatch.setattr(whole_book, "SITE", site)
    source = site / "one-document.htm"  # other tests take all .html for pages of the site
    source.write_text(whole_book.document(), encoding="utf-8")
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(source.as_uri())
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    source.unlink()
    assert not errors
    for article in tab.locator("article").filter(has=tab.locator(".exercise")).all():
        exercises = article.locator(".exercise").count()
        assert article.locator("> section.solutions > details[open]").count() == exercises >= 5
