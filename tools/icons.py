"""Draw what others show of the site: its icons, and the card under a link to it. Needs Chromium; run it after a change.

The card has the network of the first chapter, with the numbers that the package computes.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from cellgrad.toynet import ToyNetwork

STATIC = Path(__file__).parents[1] / "book" / "_static"
PLACES = {
    "i1": (90, 150),
    "i2": (90, 390),
    "a_h1": (290, 150),
    "a_h2": (290, 390),
    "a_o1": (490, 150),
    "a_o2": (490, 390),
}
LINES = (("i1", "a_h1"), ("i2", "a_h1"), ("i1", "a_h2"), ("i2", "a_h2"))
LINES += (("a_h1", "a_o1"), ("a_h2", "a_o1"), ("a_h1", "a_o2"), ("a_h2", "a_o2"))
COLOURS = {"i": "#0072b2", "a_h": "#b87800", "a_o": "#007a5a"}


def network() -> str:
    """The picture of the network as SVG."""
    numbers = ToyNetwork().descend(updates=0).iloc[0]
    shapes = ""
    for weight, (one, other) in enumerate(LINES, start=1):
        (x, y), (u, v) = PLACES[one], PLACES[other]
        share = 0.5 if y == v else 0.3
        across, down = x + share * (u - x), y + share * (v - y)
        shapes += f'<path d="M{x} {y}L{u} {v}" stroke="#b9b9b4" stroke-width="3"/>'
        shapes += f'<rect x="{across - 26}" y="{down - 15}" width="52" height="26" fill="#fcfcfa"/>'
        shapes += f'<text x="{across}" y="{down + 6}" font-size="20">{numbers[f"w{weight}"]:g}</text>'
    for name, (x, y) in PLACES.items():
        colour = next(value for key, value in COLOURS.items() if name.startswith(key))
        shapes += f'<circle cx="{x}" cy="{y}" r="52" fill="#fcfcfa" stroke="{colour}" stroke-width="6"/>'
        shapes += f'<text x="{x}" y="{y + 8}" font-size="24">{numbers[name]:.4g}</text>'
    return f'<svg viewBox="0 0 580 540" width="560" text-anchor="middle">{shapes}</svg>'


def card() -> str:
    faces = "".join(
        f"@font-face {{ font-family: STIX; src: url({(STATIC / 'fonts/text.woff2').as_uri()}); font-weight: 400 700 }}"
    )
    return f"""<style>{faces}
      body {{ margin: 0; width: 1200px; height: 630px; display: flex; align-items: center; background: #fcfcfa;
              font-family: STIX; color: #1b1b1b }}
      h1 {{ font-size: 76px; line-height: 1.05; margin: 0 0 30px }} p {{ font-size: 32px; line-height: 1.3; margin: 0 }}
      div {{ width: 540px; margin-left: 70px }}</style>
      <div><h1>From Cells to ConvNets</h1><p>Eight weights in a spreadsheet. A few thousand in a network that reads
      handwriting. Every number, in front of you.</p></div>{network()}"""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for size in (32, 180):
            page = browser.new_page(viewport={"width": size, "height": size})
            picture = (STATIC / "logo.svg").read_text(encoding="utf-8")
            page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block; width: {size}px }}</style>{picture}")
            page.screenshot(path=STATIC / f"icon-{size}.png", omit_background=True)
        page = browser.new_page(viewport={"width": 1200, "height": 630})
        page.goto((STATIC / "logo.svg").as_uri())  # so that the card may load the typeface beside it
        source = STATIC.parent / "card.html"
        source.write_text(card(), encoding="utf-8")
        page.goto(source.as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=STATIC / "social-card.png")
        source.unlink()
        browser.close()


main()
