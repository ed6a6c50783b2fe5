"""One stylesheet in place of eight, without the rules that no page of this book can need.

The theme's styles are 400 kB, nearly all of it for components and icons that are not here. A rule stays if each class
and name in one of its selectors occurs in some page, or as a word in some script.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LEFT_OUT = ("site", "book", "pygments", "basic", "togglebutton", "copybutton")
NAME = re.compile(r"[.#]((?:[\w-]|\\.)+)")


def rules(css: str) -> Iterator[tuple[str, str]]:
    """The rules of a stylesheet, each as what stands before its braces and what in them; `@import` has no body."""
    place = 0
    while match := re.compile(r"[{;]").search(css, place):
        head, end = css[place : match.start()].strip(), match.end()
        if match[0] == ";":
            yield head, ""
        else:
            depth = 1
            while depth:
                brace = re.compile(r"[{}]").search(css, end)
                depth += 1 if brace[0] == "{" else -1
                end = brace.end()
            yield head, css[match.end() : end - 1].strip()
        place = end


def split(selectors: str) -> list[str]:
    """A list of selectors, one by one: commas inside brackets belong to one."""
    return re.split(r",(?![^(]*\))", selectors)


def needed(css: str, words: set[str]) -> str:
    """The rules of a stylesheet whose selectors can match something."""
    kept = []
    for head, body in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.S)):
        if head.startswith(("@media", "@supports")):
            inner = needed(body, words)
            kept += [f"{head}{{{inner}}}"] if inner else []
        elif head.startswith("@font-face"):
            kept += [] if "Font Awesome" in body or "FontAwesome" in body else [f"{head}{{{body}}}"]
        elif head.startswith("@"):
            kept += [f"{head}{{{body}}}"] if body else []
        else:
            alive = [one for one in split(head) if words.issuperset(NAME.findall(re.sub(r":not\([^)]*\)", "", one)))]
            kept += [f"{','.join(alive)}{{{body}}}"] if alive and body else []
    return "".join(kept)


def sheets(static: Path) -> list[Path]:
    """All stylesheets in their order: the theme's, the extensions', and ours, which have the last word."""
    theme = [static / "styles" / name for name in ("theme.css", "pydata-sphinx-theme.css")]
    extensions = sorted(path for path in static.glob("*.css") if not path.name.startswith(LEFT_OUT))
    return [*theme, static / "pygments.css", static / "styles/sphinx-book-theme.css", *extensions, static / "book.css"]


def join(app: Sphinx, failure: Exception | None) -> None:
    """Write the one stylesheet that `_templates/layout.html` asks for, and the mark of its version into the pages."""
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    if not (out / "_static" / "styles" / "theme.css").exists():
        return  # no page has changed, so Sphinx has copied no styles; those joined before stay
    pages = {page: page.read_text(encoding="utf-8") for page in out.glob("*.html")}
    whole = "".join(pages.values())
    scripts = "".join(re.findall(r"<script[^>]*>(.*?)</script>", whole, flags=re.S))
    for name in set(re.findall(r'<script[^>]* src="([^"?]+)', whole)):
        scripts += (out / name).read_text(encoding="utf-8")
    classes = " ".join(re.findall(r'(?:class|id)="([^"]*)"', whole))
    words = set(classes.split()) | set(re.findall(r"[\w-]+", scripts))
    css = "".join(needed(path.read_text(encoding="utf-8"), words) for path in sheets(out / "_static"))
    css = re.sub(r"\s+", " ", css)
    (out / "_static" / "site.css").write_text(css, encoding="utf-8")
    version = hashlib.sha256(css.encode()).hexdigest()[:8]
    for page, text in pages.items():
        marked = re.sub(r"(_static/site\.css)(\?\w+)?", rf"\1?{version}", text)
        if marked != text:
            page.write_text(marked, encoding="utf-8")


def clear(app: Sphinx, failure: Exception | None) -> None:
    """Remove what no page asks for: the styles that were joined, icon fonts, translations, scripts, source maps."""
    if failure or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    kept = "".join(page.read_text(encoding="utf-8") for page in static.parent.glob("*.html"))
    for folder in ("vendor", "locales", "images", "styles"):
        shutil.rmtree(static / folder, ignore_errors=True)
    kinds = {".map", ".js", ".css", ".png", ".html", ".txt"}
    for path in [path for path in static.rglob("*") if path.suffix in kinds]:
        if path.name not in kept and path.parent.name != "fonts":
            path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("build-finished", join, priority=800)
    app.connect("build-finished", clear, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
