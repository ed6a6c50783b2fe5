"""The site in a real browser: everything shows, nothing is asked of another server, no script fails."""

import pytest
from daily import daily
from test_book import PAGES

# In an order in which one thing changes at a time: to lay a page out again is what takes long.
LOOKS = [(1360, "light"), (1360, "dark"), (400, "dark"), (400, "light")]


@pytest.fixture(scope="module")
def watched(browser):
    """A tab with lists of what it asks for and of what fails in it: one for all, for it costs what a page does."""
    with browser.new_context() as context:
        context.set_default_timeout(300_000)  # milliseconds; on a busy machine the usual half minute is too short
        tab, requests, failures = context.new_page(), [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("pageerror", lambda error: failures.append(str(error)))
        tab.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        yield tab, requests, failures


@pytest.fixture
def visit(watched, site):
    """The tab, the requests and the failures of a page, which is opened as if it were the first."""
    tab, requests, failures = watched

    def go(page):
        tab.set_viewport_size({"width": 1280, "height": 720})
        tab.emulate_media(color_scheme="light")
        requests.clear()
        failures.clear()
        tab.goto((site / f"{page}.html").as_uri())
        return tab, requests, failures

    yield go
    tab.evaluate("localStorage.clear(); sessionStorage.clear()")


# The landing page, a page of code and one of live figures; the others are slow.
OFTEN = ("index", "01-the-network", "07-the-receptive-field")


@pytest.mark.parametrize("page", daily(PAGES, OFTEN))
def test_a_page_shows_by_itself(visit, page):
    tab, requests, failures = visit(page)
    assert not tab.locator("math merror, math [tabindex]").count()
    tab.evaluate("for (const image of document.images) image.loading = 'eager'")
    tab.wait_for_function("[...document.images].every(image => image.complete)")
    assert tab.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)") == []
    for width, scheme in LOOKS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.evaluate(sideways) == 0, f"the page scrolls sideways at {width} pixels"
        numbers = "[...document.querySelectorAll('.formula .number')].map(n => n.getBoundingClientRect().right)"
        assert max(tab.evaluate(numbers), default=0) <= width, f"the number of a formula is out of sight at {width}"
    assert not failures
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]
