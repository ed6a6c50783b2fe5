"""What each figure to touch costs the processor: milliseconds for each event of a drag, milliseconds to usable, kB.

A mouse drags in a real Chromium, one event a frame. A row is one control, in one of the figure's modes (a choice of
radio buttons). What counts is the time that the page's main thread spends on the processor, for scripts, style, layout
and painting, by that thread's own clock, so that other work on the machine counts little; a quiet machine measures best
all the same. Of all turns the least stands in the table. The first line is an empty page: what the measuring itself
costs, and is in all other rows as well. Thirty frames a second on a processor four times slower leave 33 / 4 = 8 ms for
an event. With --frames, the frames that such a processor shows are counted too.
"""

import argparse
import shutil
import time
from collections.abc import Callable, Iterator

import pandas as pd
from playwright.sync_api import Browser, CDPSession, Locator, Page, sync_playwright

from cellgrad import figures, mnist
from cellgrad.trials.records import shipped_records

NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
Place = Callable[[float], tuple[float, float]]  # of the hand, after a share of its way
SETTLED_MS = 700  # after the last event: what a figure does once the hand rests


def hard_digits() -> figures.Figure:
    """Twelve cards, with answers that are made up."""
    test = mnist.sample().test
    answers = [{(int(label) + 1) % 10: 30 + k, (int(label) + 5) % 10: 2} for k, label in enumerate(test.labels[:12])]
    return figures.hard_digits(test.images[:12].numpy(), test.labels[:12].tolist(), answers, networks=60)


FIGURES: dict[str, Callable[[], figures.Figure]] = {
    "network": figures.network,
    "slope": figures.slope,
    "bowl": figures.bowl,
    "window": figures.window,
    "field": figures.field,
    "draw": figures.draw,
    "seeds": lambda: figures.seeds(shipped_records("recipes"), "book", "small"),
    "frontier": lambda: figures.frontier(pd.concat([shipped_records("recipes"), shipped_records("source")])),
    "hard_digits": hard_digits,
}


class Clock:
    """The processor's time of a page's main thread, in milliseconds."""

    def __init__(self, tab: Page) -> None:
        self.session: CDPSession = tab.context.new_cdp_session(tab)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.last = self.now()

    def now(self) -> float:
        """The time since the page began."""
        metrics = {one["name"]: one["value"] for one in self.session.send("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["TaskDuration"]

    def passed(self) -> float:
        """The time since it was last asked."""
        before, self.last = self.last, self.now()
        return self.last - before


def opened(browser: Browser, html: str) -> tuple[Page, Clock, float]:
    """A page with the figure on it, its clock, and the milliseconds until it could be used."""
    tab = browser.new_page(viewport={"width": 1100, "height": 1400})
    tab.set_content("<!doctype html><body>")
    tab.evaluate(NEXT_FRAME)
    clock = Clock(tab)
    tab.set_content(f'<!doctype html><meta charset="utf-8"><body>{html}')
    tab.evaluate(NEXT_FRAME)
    return tab, clock, clock.passed()


def dragged(tab: Page, place: Place, clock: Clock, events: int) -> list[float]:
    """Milliseconds for each event of a drag along this way, a frame each."""
    tab.mouse.move(*place(0))
    tab.mouse.down()
    tab.evaluate(NEXT_FRAME)
    clock.passed()
    took = []
    for event in range(1, events + 1):
        tab.mouse.move(*place(event / events))
        tab.evaluate(NEXT_FRAME)
        took.append(clock.passed())
    tab.mouse.up()
    tab.wait_for_timeout(SETTLED_MS)
    return took


def frames_shown(tab: Page, place: Place, seconds: float = 1.5) -> float:
    """Frames a second while the hand moves without a pause, on a processor that is four times slower."""
    session = tab.context.new_cdp_session(tab)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    tab.mouse.move(*place(0))
    tab.mouse.down()
    tab.evaluate(
        "() => { window.shown = 0; const count = () => { shown += 1; window.counting = requestAnimationFrame(count); };"
        "count(); }"
    )
    begun, event = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        event += 1
        tab.mouse.move(*place(abs((event / 60) % 2 - 1)))
    shown = tab.evaluate("() => { cancelAnimationFrame(counting); return shown; }")
    tab.mouse.up()
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return shown / passed


def along(control: Locator, slider: bool) -> Place:
    """Where the hand is after a share of its way: along a slider, or over a picture in a line that goes up and down."""
    control.scroll_into_view_if_needed()
    box = control.bounding_box() or {}

    def place(share: float) -> tuple[float, float]:
        wave = 0.5 if slider else 0.2 + 0.6 * abs((4 * share) % 2 - 1)
        return box["x"] + box["width"] * (0.1 + 0.8 * share), box["y"] + box["height"] * wave

    return place


def modes(tab: Page) -> Iterator[str]:
    """Each choice of radio buttons in turn, one chosen at a time, and put back afterwards."""
    groups = tab.locator("fieldset.cg-choice").all()
    yield ""
    for group in groups:
        inputs = group.locator("input").all()
        for other in inputs[1:]:
            other.check()
            tab.wait_for_timeout(SETTLED_MS)
            yield other.evaluate("input => input.closest('label').innerText")
        inputs[0].check()


def controls(tab: Page) -> Iterator[tuple[str, Locator, bool]]:
    """What can be dragged: sliders by their names, and places in the picture."""
    for slider in tab.locator(".cg-panel input[type=range]").all():
        if slider.is_visible():
            yield slider.get_attribute("aria-label"), slider, True
    for place in tab.locator(".cg-picture .cg-cross, .cg-picture .cg-drag").all():
        yield f"picture: {place.get_attribute('data-part')}", place, False


def measure(browser: Browser, name: str, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """The table's rows of one figure."""
    html = FIGURES[name]()._repr_html_()
    usable: list[float] = []
    events: dict[str, list[list[float]]] = {}
    frames: dict[str, list[float]] = {}
    for _ in range(options.turns):
        tab, clock, took = opened(browser, html)
        usable.append(took)
        for mode in modes(tab):
            for control, there, slider in controls(tab):
                row = f"{control} ({mode})" if mode else control
                if options.only not in row:
                    continue
                place = along(there, slider)
                events.setdefault(row, []).append(dragged(tab, place, clock, options.events))
                if options.frames:
                    frames.setdefault(row, []).append(frames_shown(tab, place))
        tab.close()
    for row, turns in events.items():
        least = [min(took) for took in zip(*turns, strict=True)]  # of each event
        yield {
            "figure": name,
            "control": row,
            "ms an event": sum(least) / len(least),
            "the longest": max(least),
            **({"frames a second, 4 × slower": max(frames[row])} if frames else {}),
            "ms to usable": min(usable),
            "kB": len(html.encode()) / 1000,
        }


def empty(browser: Browser, options: argparse.Namespace) -> dict[str, object]:
    """The row of a page without a figure."""
    tab, clock, usable = opened(browser, "")
    took = dragged(tab, lambda share: (100 + 600 * share, 200), clock, options.events)
    tab.close()
    return {
        "figure": "none",
        "ms an event": sum(took) / len(took),
        "the longest": max(took),
        "ms to usable": usable,
        "kB": 0.0,
    }


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", default=list(FIGURES), help=", ".join(FIGURES))
    parser.add_argument("--only", default="", help="controls whose names have this in them")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--events", type=int, default=30, help="of each drag")
    parser.add_argument("--frames", action="store_true", help="also count frames on a processor slowed four times")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        rows = [empty(browser, options), *(row for name in options.figures for row in measure(browser, name, options))]
        browser.close()
    print(pd.DataFrame(rows).round(1).to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
