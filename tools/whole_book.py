"""The built site as one PDF and as one archive, both offered on its landing page. `make pdf` runs it.

The PDF has all pages in the order of the contents, with their page numbers, bookmarks, and links that lead inside it;
solutions stand at the end of their chapter. Chromium prints it, because it sets MathML. The archive is the site itself,
to be unpacked and opened without a network.
"""

import re
import shutil
import sys
import zipfile
from html import escape, unescape
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).parents[1]
SITE = ROOT / "book" / "_build" / "html"
NAME = "from-cells-to-convnets"
TITLE = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
OFFER = "<!-- the whole book -->"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STYLE = """
.whole article, .whole .contents { break-before: page; }
/* The room below what is last would now and then take an empty page of its own. */
.whole article > :last-child, .whole article > :last-child :last-child { margin-bottom: 0; padding-bottom: 0; }
.whole .cover { padding-top: 60mm; }
.whole .cover h1 { font-size: 4rem; margin-top: 2rem; }
.contents ul { list-style: none; padding: 0; }
.contents li { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid; }
.contents li a { color: inherit; text-decoration: none; }
.contents .part { font-weight: 700; margin-top: 1rem; break-after: avoid; }
.contents .level2 { padding-left: 1.5rem; font-size: 0.93em; }
"""
FOOTER = '<div style="width:100%;text-align:center;font:8px serif"><span class="pageNumber"></span></div>'


def order() -> list[tuple[str, list[str]]]:
    """The parts and their pages, as the table of contents has them."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def article(page: str) -> str:
    html = (SITE / f"{page}.html").read_text(encoding="utf-8")
    return html[html.index("<article") : html.index("</article>") + len("</article>")]


def place(page: str, fragment: str = "") -> str:
    """The name that a place on a page has in the one document."""
    return f"{page}--{fragment}" if fragment else page


def joined(pages: list[str]) -> dict[str, str]:
    """All articles, their links turned to places in the one document, and the names of these places made unique."""
    texts = {page: article(page) for page in pages}
    wanted: dict[str, set[str]] = {page: set() for page in pages}
    for page, text in texts.items():
        wanted[page] |= set(re.findall(r'<section[^>]* id="([^"]+)"', text))
        for other, fragment in re.findall(r'href="(?:([\w-]+)\.html)?#([^"]+)"', text):
            if (other or page) in wanted:
                wanted[other or page].add(fragment)

    index = (SITE / "index.html").read_text(encoding="utf-8")
    site = re.search(r'<link rel="canonical" href="([^"]*/)', index)[1]

    def inside(page: str, text: str) -> str:
        def link(match: re.Match) -> str:
            other, fragment = match[1] or page, (match[2] or "#")[1:]
            return f'href="#{place(other, fragment)}"' if other in texts else match[0]

        text = re.sub(r'href="(?=[^":]*["#])(?:([\w-]+)\.html)?(#[^"]*)?"', link, text)
        for name in wanted[page]:
            text = text.replace(f' id="{name}"', f' id="{place(page, name)}"')
        text = text.replace('href="_static/', f'href="{site}_static/')
        text = text.replace(' loading="lazy"', "").replace(OFFER, "")
        return text.replace("<article", f'<article id="{page}"', 1)

    return {page: inside(page, text) for page, text in texts.items()}


def headings(text: str) -> list[tuple[int, str, str]]:
    """Level, place and title of the headings of an article: itself, and its sections."""
    found = re.findall(r'<section[^>]* id="([^"]+)"[^>]*>\s*(?:<span[^>]*></span>)*<h([12])>(.*?)</h\2>', text, re.S)
    clean = [
        (int(level), name, re.sub(r'<a class="headerlink".*?</a>|<(?!/?math|/?m)[^>]*>', "", title, flags=re.S).strip())
        for name, level, title in found
    ]
    return [row for row in clean if not row[2].endswith(("Recap", "What’s next", "Three parts", "Ways to read"))]


def contents(parts: list[tuple[str, list[str]]], texts: dict[str, str]) -> str:
    rows = []
    for caption, pages in parts[1:]:
        rows.append(f'<li class="part">{escape(caption)}</li>')
        for page in pages:
            for level, name, title in headings(texts[page]):
                number = f'<span class="page" data-place="{name}"></span>'
                rows.append(f'<li class="level{level}"><a href="#{name}">{title}</a>{number}</li>')
    return f'<nav class="contents"><h1>Contents</h1><ul>{"".join(rows)}</ul></nav>'


def document() -> str:
    """The whole book as one page."""
    parts = order()
    texts = joined([page for _, pages in parts for page in pages])
    cover = f'<div class="cover"><img src="_static/logo.svg" width="90" alt=""><h1>{escape(TITLE)}</h1></div>'
    body = cover + contents(parts, texts) + "".join(texts.values())
    head = f'<meta charset="utf-8"><title>{escape(TITLE)}</title><style>{STYLE}</style>'
    # On the site a face that comes late waits for the next page; here there is none.
    css = (
        (SITE / "_static" / "site.css")
        .read_text(encoding="utf-8")
        .replace("font-display: optional", "font-display: block")
    )
    css = re.sub(r'url\("?(?=fonts/)', lambda match: match[0] + "_static/", css)
    head = f'<style>{css}</style><script defer src="_static/site.js"></script>{head}'
    body = f'<div class="bd-main"><div class="bd-content"><div class="bd-article-container">{body}</div></div></div>'
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-mode="light" class="whole"><head>{head}</head>{body}'
    )


def print_pdf(target: Path) -> int:
    """Print twice: the first time tells the page numbers that the contents show. The number of pages."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("needed: Chromium (Debian: apt-get install chromium)")
    source = SITE / f"{NAME}.html"
    source.write_text(document(), encoding="utf-8")
    options = {"path": target, "format": "A4", "print_background": True, "outline": True, "tagged": True}
    margin = {"top": "17mm", "bottom": "19mm", "left": "17mm", "right": "17mm"}
    options |= {"display_header_footer": True, "header_template": "<span></span>", "footer_template": FOOTER}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page()
            page.set_default_timeout(0)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(source.as_uri())
            page.wait_for_function("[...document.images].every(image => image.complete)")
            page.evaluate("document.fonts.ready.then(() => null)")
            page.pdf(**options, margin=margin)
            with PdfReader(target) as reader:
                numbers = {
                    unescape(name).lstrip("/"): reader.get_destination_page_number(goal) + 1
                    for name, goal in reader.named_destinations.items()
                }
            page.evaluate(
                "numbers => { for (const place of document.querySelectorAll('.contents .page'))"
                " place.textContent = numbers[place.dataset.place] ?? ''; }",
                numbers,
            )
            page.pdf(**options, margin=margin)
            browser.close()
            if errors:  # what the script did not do, such as opening the solutions, would be missing on paper
                sys.exit(f"the document's script failed: {errors[0]}")
    finally:
        source.unlink()
    writer = PdfWriter(clone_from=target)
    writer.add_metadata({"/Title": TITLE, "/Author": f"The authors of {TITLE}"})
    writer.write(target)
    return len(writer.pages)


def pack(target: Path) -> None:
    """The site in an archive, but for the PDF and itself."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(SITE.rglob("*")):
            if path.is_file() and path.suffix not in {".pdf", ".zip"}:
                archive.write(path, Path(NAME) / path.relative_to(SITE))


def main() -> None:
    if not (SITE / "index.html").exists():
        sys.exit("build the site first: make book")
    pdf, archive, index = SITE / f"{NAME}.pdf", SITE / f"{NAME}.zip", SITE / "index.html"
    pages = print_pdf(pdf)
    pack(archive)
    links = (
        f'The whole book as <a href="{pdf.name}">a PDF</a> ({pages} pages), or the site as <a href="{archive.name}">'
    )
    links += f"an archive</a> ({archive.stat().st_size / 1e6:.0f} MB) to unpack and open."
    index.write_text(index.read_text(encoding="utf-8").replace(OFFER, links), encoding="utf-8")
    print(f"{pdf}: {pages} pages, {pdf.stat().st_size / 1e6:.1f} MB\n{archive}: {archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
