"""A page with figures on it, in a real browser that reaches no network, and what every figure has to bear."""

from contextlib import contextmanager
from functools import cache

PAGE = (
    '<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>figures</title>'
    '<meta name="viewport" content="width=device-width"><body style="margin:8px">{body}</body></html>'
)


@cache
def tab_of(browser, scripts):
    """The one tab of a file's tests: a new one costs ten times what the figure in it costs."""
    context = browser.new_context(java_script_enabled=scripts)
    context.set_default_timeout(300_000)  # milliseconds; on a busy machine the usual half minute is too short
    context.route("**/*", lambda route: route.abort())
    return context.new_page()


@contextmanager
def opened(browser, *figures, theme="light", width=900, scripts=True, motion="no-preference"):
    """A tab that shows the figures; when it closes, no script has failed and nothing has left the page."""
    body = "\n".join(figure if isinstance(figure, str) else figure._repr_html_() for figure in figures)
    tab, failures, requests = tab_of(browser, scripts), [], []
    listeners = {
        "pageerror": lambda error: failures.append(str(error)),
        "console": lambda message: failures.append(message.text) if message.type == "error" else None,
        "request": lambda request: requests.append(request.url),
    }
    try:
        # As in a new tab: nothing on it, nothing scrolled, the mouse over nothing.
        tab.set_content("")
        tab.mouse.move(0, 0)
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(media="null", color_scheme="light", reduced_motion=motion)
        for event, listener in listeners.items():
            tab.on(event, listener)
        tab.set_content(PAGE.format(theme=theme, body=body))
        yield tab
        for event, listener in listeners.items():
            tab.remove_listener(event, listener)
    except BaseException:  # whatever state a failed test leaves, the next one has a tab of its own
        tab.context.close()
        tab_of.cache_clear()
        raise
    assert failures == []
    assert [url for url in requests if not url.startswith(("data:", "about:"))] == []


def press(tab, label, within="figure.cg", times=1):
    """Click a button by its words, as often as that in one place."""
    if times:
        tab.locator(within).first.get_by_role("button", name=label, exact=True).click(click_count=times)


@contextmanager
def hurried(tab):
    """Inside, whatever moves by itself pauses a tenth as long."""
    tab.evaluate("window.unhurried = setTimeout; window.setTimeout = (act, pause) => unhurried(act, pause / 10)")
    yield
    tab.evaluate("window.setTimeout = unhurried")


def wait_until_drawn(tab):
    """A figure draws what has changed in the next frame; in the one after that, it is there."""
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def asked(tab, *what):
    """What a figure's `cellgrad` object says once it is drawn, e.g. `values.E_total`; a list, if more is asked."""
    said = ", ".join(f"document.querySelector('figure.cg').cellgrad.{one}" for one in what)
    later = f"requestAnimationFrame(() => requestAnimationFrame(() => done([{said}])))"
    answers = tab.evaluate(f"() => new Promise((done) => {later})")
    return answers if len(what) > 1 else answers[0]


def slide(tab, label, value, copy=0):
    """Move the slider with this label to a value, as a hand would: the input tells of it."""
    slider = tab.locator("figure.cg").nth(copy).get_by_role("slider", name=label, exact=True)
    slider.evaluate(
        "(input, to) => { input.value = to; input.dispatchEvent(new Event('input', {bubbles: true})); }", str(value)
    )
    wait_until_drawn(tab)


def state_of_text(tab, copy=0):
    """All that a copy shows in words and numbers."""
    return tab.locator("figure.cg").nth(copy).locator(".cg-stage").inner_text()


def drag_on(tab, start, end, copy=0):
    """Press the mouse at one place of a figure's picture, in its own units (it is 400 wide), and let go at another."""
    box = tab.locator("figure.cg").nth(copy).locator(".cg-picture > svg").bounding_box()
    (x0, y0), (x1, y1) = (
        [box["x"] + x * box["width"] / 400, box["y"] + y * box["width"] / 400] for x, y in (start, end)
    )
    tab.mouse.move(x0, y0)
    tab.mouse.down()
    tab.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    tab.mouse.move(x1, y1)
    tab.mouse.up()
    wait_until_drawn(tab)
