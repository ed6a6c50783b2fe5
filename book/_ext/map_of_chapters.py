"""`what-needs-what`: the chapters as a map, an arrow from each to those that build on it.

It is read from the chapters themselves: from the links in the paragraph that begins with **You need**, as far as
"; for", behind which stands what a single exercise needs.
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH, HEIGHT, ACROSS, DOWN = 106, 52, 117, 76
COLOURS = ("#0072b2", "#e69f00", "#009e73")


def chapters(book: Path) -> dict[str, tuple[str, set[str]]]:
    """Each chapter's title, and which chapters it needs."""
    found = {}
    for path in sorted(book.glob("[0-9][0-9]-*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, flags=re.M)[1]
        needs = re.search(r"\*\*You need\*\*(.*?)(?:\n\n|\Z)", text, flags=re.S)
        links = set(re.findall(r"\(([\w-]+)\.ipynb", needs[1].partition("; for ")[0])) if needs else set()
        found[path.stem] = title, {link for link in links if link < path.stem}
    return found


def direct(needs: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The arrows that say something new: not those that follow from others."""

    def all_before(name: str) -> set[str]:
        return needs[name].union(*map(all_before, needs[name]))

    return {
        (one, name)
        for name, before in needs.items()
        for one in before
        if not any(one in all_before(other) for other in before - {one})
    }


def places(needs: dict[str, set[str]], parts: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Column and row of each chapter: below all that it needs, in the column of its part or, if taken, the nearest."""

    def depth(name: str) -> int:
        return 1 + max(map(depth, needs[name]), default=-1)

    taken: dict[tuple[int, int], str] = {}
    for name in sorted(needs, key=lambda name: parts[name]):
        row = depth(name)
        free = (column for column in range(len(needs)) if (column, row) not in taken)
        taken[min(free, key=lambda column: abs(column - parts[name])), row] = name
    return {name: place for place, name in taken.items()}


def drawing(found: dict[str, tuple[str, set[str]]], parts: dict[str, int]) -> str:
    """The map as SVG, each chapter a link."""
    needs = {name: before for name, (_, before) in found.items()}
    where = places(needs, parts)
    wide = (max(x for x, _ in where.values()) + 1) * ACROSS
    high = (max(y for _, y in where.values()) + 1) * DOWN
    shapes = []
    for one, other in sorted(direct(needs)):
        (x, y), (u, v) = where[one], where[other]
        start, end = (x * ACROSS + WIDTH / 2, y * DOWN + HEIGHT), (u * ACROSS + WIDTH / 2, v * DOWN - 3)
        bend = (end[1] - start[1]) / 2
        leave = start[0], start[1] + bend
        if u > x:  # out at the side, clear of what stands below
            start = x * ACROSS + WIDTH, y * DOWN + HEIGHT / 2
            leave = end[0], start[1]
        curve = f"M{start[0]} {start[1]}C{leave[0]} {leave[1]} {end[0]} {end[1] - bend} {end[0]} {end[1]}"
        shapes.append(f'<path fill="none" stroke="#777" d="{curve}" marker-end="url(#arrow)"/>')
    for name, (title, _) in found.items():
        x, y = where[name][0] * ACROSS, where[name][1] * DOWN
        lines = textwrap.wrap(f"{int(name[:2])} {title}", 16)
        top = y + HEIGHT / 2 + 5 - 8 * (len(lines) - 1)
        words = "".join(f'<tspan x="{x + WIDTH / 2}" y="{top + 16 * n}">{line}</tspan>' for n, line in enumerate(lines))
        colour = COLOURS[parts[name]]
        box = f'<rect x="{x + 1}" y="{y + 1}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="none" stroke="{colour}"/>'
        shapes.append(f'<a href="{name}.html">{box}<text>{words}</text></a>')
    marker = '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    marker += '<path d="M0 0L8 4L0 8z"/></marker>'
    return (
        f'<div class="map"><svg viewBox="0 0 {wide - ACROSS + WIDTH + 3} {high - DOWN + HEIGHT + 3}" '
        f'aria-label="Which chapter needs which">{marker}{"".join(shapes)}</svg></div>'
    )


class WhatNeedsWhat(SphinxDirective):
    """It takes nothing; the parts are those of the table of contents."""

    def run(self) -> list[nodes.Node]:
        book = Path(self.env.srcdir)
        found = chapters(book)
        for name in found:
            self.env.note_dependency(str(book / f"{name}.ipynb"))
        parts = {
            page: number
            for number, tree in enumerate(self.env.app.config.external_site_map.root.subtrees)
            for page in tree.files()
        }
        return [nodes.raw("", drawing(found, {name: parts[name] for name in found}), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("what-needs-what", WhatNeedsWhat)
    return {"parallel_read_safe": True}
