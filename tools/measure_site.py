"""Measure the built site: what each page weighs, asks for, overflows, moves and hides from whom. Prints one table.

python tools/measure_site.py [SITE] [--axe AXE.JS] [--bounds] [--pages NAME …]

Weight is what a browser loads before anybody scrolls, compressed as web servers do it (gzip; pictures and fonts are
compressed already). SITE is book/_build/html unless given. axe-core finds what hinders readers: `npm install axe-core`
anywhere brings axe.min.js; without it that column stays empty. With --bounds the program ends with 1 where a page is
over a bound. The browser is Debian's Chromium, without a network.
"""

import argparse
import gzip
import json
import shutil
import sys
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
BOUNDS = {"index": 250_000, None: 500_000}  # bytes of a page's first load
COMPRESSED = {".png", ".webp", ".woff2", ".xlsx", ".zip", ".pdf"}
WIDTHS = (360, 1400)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MOST_SHIFT = 0.1  # of what is in view, moved while the page arrives: what web.dev/cls calls good
SHIFT = """
  window.shifted = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((moved) => { shifted += moved.value; }))
    .observe({ type: "layout-shift", buffered: true });
"""
FOCUS_IS_SEEN = """element => {
  const looks = () => { const s = getComputedStyle(element); return [s.outlineStyle, s.outlineWidth, s.boxShadow]; };
  return looks()[0] !== "none" && looks()[1] !== "0px" || looks()[2] !== "none";
}"""


def weight(path: Path) -> int:
    """The bytes that go over the wire for a file."""
    content = path.read_bytes()
    return len(content) if path.suffix in COMPRESSED else len(gzip.compress(content, 6))


def unseen_focus(tab: Page, stops: int) -> list[str]:
    """The stops of the tab key that look the same with the keyboard on them as without."""
    unseen, first = [], None
    for _ in range(stops):
        tab.keyboard.press("Tab")
        element = tab.evaluate_handle("document.activeElement").as_element()
        name = tab.evaluate("e => e.outerHTML.slice(0, 90)", element) if element else None
        if not element or name == first:
            break
        first = first or name
        if name.startswith("<body"):
            continue
        if not tab.evaluate(FOCUS_IS_SEEN, element):
            unseen.append(name)
    return unseen


def measure(browser: Browser, site: Path, name: str, axe: str | None) -> dict:
    """All figures of one page."""
    with browser.new_context(viewport={"width": WIDTHS[1], "height": 900}) as context:
        context.set_default_timeout(300_000)  # on a busy machine, too
        tab, asked, said = context.new_page(), [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        tab.goto((site / f"{name}.html").as_uri())
        tab.wait_for_load_state("networkidle")
        files = {url.split("?")[0].split("#")[0] for url in asked if url.startswith("file:")}
        paths = [Path(url.removeprefix("file://")) for url in files]
        row = {
            "page": name,
            "bytes": sum(weight(path) for path in paths if path.exists()),
            "requests": len(files),
            "others": [url for url in asked if not url.startswith(("file:", "data:", "blob:"))],
            "missing": [path.name for path in paths if not path.exists()],
            "console": said,
            "axe": [],
        }
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                tab.set_viewport_size({"width": width, "height": 900})
                tab.emulate_media(color_scheme=scheme)
                tab.evaluate(f"document.documentElement.dataset.theme = {scheme!r}")
                row[f"overflow {width}"] = max(row.get(f"overflow {width}", 0), tab.evaluate(OVERFLOW))
                if axe:
                    if not tab.evaluate("typeof axe !== 'undefined'"):
                        tab.evaluate(axe)
                    tab.wait_for_timeout(400)  # colours change slowly
                    found = tab.evaluate("axe.run({resultTypes: ['violations'], preload: false})")["violations"]
                    row["axe"] += [
                        f"{one['impact']}: {one['id']} ×{len(one['nodes'])} at {width} {scheme}, "
                        f"{one['nodes'][0]['html'][:110]}"
                        for one in found
                    ]
        tab.reload()
        row["focus unseen"] = unseen_focus(tab, 60)
    row["shift"] = shift(browser, site, name)
    for _ in range(2 if row["shift"] > MOST_SHIFT else 0):  # on a busy machine parts of a page may come late
        row["shift"] = min(row["shift"], shift(browser, site, name))
    return row


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@cache
def served(site: Path) -> str:
    """The address of a small server of the site: a page opened as a file may not ask for its typeface first."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def shift(browser: Browser, site: Path, name: str) -> float:
    """How much of the view moves, on a phone that has nothing of the site yet."""
    with browser.new_context(viewport={"width": WIDTHS[0], "height": 900}) as context:
        context.add_init_script(SHIFT)
        tab = context.new_page()
        tab.goto(f"{served(site)}/{name}.html", wait_until="networkidle", timeout=300_000)
        return tab.evaluate("shifted")


def severe(row: dict) -> list[str]:
    return [text for text in row["axe"] if text.startswith(("serious", "critical"))]


def problems(row: dict) -> list[str]:
    """In what a page is over the bounds, in words."""
    bound = BOUNDS.get(row["page"], BOUNDS[None])
    over = [f"{row['bytes']:,} bytes, more than {bound:,}"] if row["bytes"] > bound else []
    for name in ("others", "missing", "console", "focus unseen"):
        over += [f"{name}: {text}" for text in row[name]]
    over += [f"scrolls sideways by {row[f'overflow {w}']} at {w}" for w in WIDTHS if row[f"overflow {w}"] > 0]
    over += [f"{row['shift']:.2f} of the view moves while the page arrives"] if row["shift"] > MOST_SHIFT else []
    return over + severe(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "book/_build/html")
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--bounds", action="store_true")
    parser.add_argument("--json", type=Path, help="write everything that was measured there")
    parser.add_argument("--pages", nargs="*")
    options = parser.parse_args()
    axe = options.axe.read_text(encoding="utf-8") if options.axe else None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium or not options.site.is_dir():
        sys.exit(f"needed: Chromium, and a built site at {options.site} (make book)")
    names = options.pages or sorted(path.stem for path in options.site.glob("*.html"))
    rows = []
    heads = ("kB", "requests", "over 360", "over 1400", "shift", "axe (severe)", "unseen focus", "errors")
    print(f"{'page':32}" + "".join(f"{head:>13}" for head in heads))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in names:
            row = measure(browser, options.site.resolve(), name, axe)
            rows.append(row)
            found = f"{len(row['axe'])} ({len(severe(row))})" if axe else "–"
            errors = len(row["others"] + row["missing"] + row["console"])
            over = [row[f"overflow {width}"] for width in WIDTHS]
            cells = [
                round(row["bytes"] / 1000),
                row["requests"],
                *over,
                f"{row['shift']:.3f}",
                found,
                len(row["focus unseen"]),
                errors,
            ]
            print(f"{name:32}" + "".join(f"{cell:>13}" for cell in cells), flush=True)
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    said = [f"{row['page']}: {text}" for row in rows for text in problems(row)]
    print("\n".join(said) or "Nothing is over its bound.")
    sys.exit(1 if said and options.bounds else 0)


main()
