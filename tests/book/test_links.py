"""Every link inside the book leads to a page that exists, and to a place on it that exists."""

import re
from html import unescape
from urllib.parse import unquote

import pytest
from test_book import PAGES, article


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
