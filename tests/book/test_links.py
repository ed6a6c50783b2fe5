"""Every link inside the book leads to a page that exists, and to a place on it that exists."""

import re
from html import unescape
from urllib.parse import unquote

import pytest
from test_book import BOOK, PAGES, article


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(site, page):
    links = map(unescape, re.findall(r'<a [^>]*href="([^"]+)"', article(site / f"{page}.html")))
    inside = {link for link in links if not re.match(r"[a-z]+:", link)}
    assert inside
    for link in inside:
        path, _, place = link.partition("#")
        target = site / unquote(path) if path else site / f"{page}.html"
        assert target.exists(), link
        if place:
            assert f'id="{unquote(place)}"' in target.read_text(encoding="utf-8"), link


def test_each_term_of_the_glossary_leads_to_a_chapter_and_one_of_these_leads_back():
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    entries = [entry.split("\n") for entry in text.split("```{glossary}\n")[1].split("\n```")[0].split("\n\n")]
    assert len(entries) > 70
    alone = []
    for term, *lines in entries:
        seen = re.findall(r"\((\d\d-[\w-]+)\.ipynb\)", " ".join(lines))
        link = f"(glossary.md#term-{term.replace(' ', '-')})"
        if not any(link in (BOOK / "twins" / f"{name}.py").read_text(encoding="utf-8") for name in seen):
            alone.append(term)
    assert not alone
