"""One browser for all tests of figures."""

import pytest
from pages import CHROMIUM, NO_BROWSER


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM:
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
