"""The site in a real browser: everything shows, nothing is asked of another server, no script fails."""

import pytest
from test_book import PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_by_itself(browser, site, page):
    with browser.new_context() as context:
        context.set_default_timeout(300_000)  # milliseconds; on a busy machine the usual half minute is too short
        tab, requests, failures = context.new_page(), [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("pageerror", lambda error: failures.append(str(error)))
        tab.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        tab.goto((site / f"{page}.html").as_uri())
        assert not tab.locator("math merror, math [tabindex]").count()
        tab.evaluate("for (const image of document.images) image.loading = 'eager'")
        tab.wait_for_function("[...document.images].every(image => image.complete)")
        assert tab.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)") == []
        for width in (1360, 400):
            for scheme in ("light", "dark"):
                tab.set_viewport_size({"width": width, "height": 900})
                tab.emulate_media(color_scheme=scheme)
                tab.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
                sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert tab.evaluate(sideways) == 0, f"the page scrolls sideways at {width} pixels"
        assert not failures
        assert not [url for url in requests if not url.startswith(("file:", "data:"))]
