"""`what-needs-what`: the chapters as a map, an arrow from each to those that build on it.

It is read from the chapters themselves: from the links in the paragraph that begins with **You need**, as far as
"; for", behind which stands what a single exercise needs.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH, HEIGHT, ACROSS, DOWN = 106, 52, 117, 76
APART = 18  # what lies between two arrows at one side of a chapter
Place = tuple[int, int]  # column and row
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


def places(needs: dict[str, set[str]], parts: dict[str, int]) -> dict[str, Place]:
    """Column and row of each chapter: below all that it needs, in the column of its part or, if taken, the nearest."""

    def depth(name: str) -> int:
        return 1 + max(map(depth, needs[name]), default=-1)

    taken: dict[Place, str] = {}
    for name in sorted(needs, key=lambda name: parts[name]):
        row = depth(name)
        free = (column for column in range(len(needs)) if (column, row) not in taken)
        taken[min(free, key=lambda column: abs(column - parts[name])), row] = name
    return {name: place for place, name in taken.items()}


def arrows(pairs: set[tuple[str, str]], where: dict[str, Place]) -> Iterator[tuple[Place, Place, float, float]]:
    """Where each arrow begins and ends, and how far beside the middle of a side, so that no two of them meet there."""

    def beside(own: tuple[str, str], others: list[tuple[str, str]]) -> float:
        return APART * (others.index(own) - (len(others) - 1) / 2)

    for one, other in sorted(pairs):
        begin, end = where[one], where[other]
        right = [pair for pair in pairs if pair[0] == one and where[pair[1]][0] > begin[0]]
        right.sort(key=lambda pair: -where[pair[1]][0])  # the farther, the higher
        into = sorted((pair for pair in pairs if pair[1] == other), key=lambda pair: where[pair[0]])
        leaves = beside((one, other), right) if end[0] > begin[0] else 0
        yield begin, end, leaves, beside((one, other), into)


def drawing(found: dict[str, tuple[str, set[str]]], parts: dict[str, int]) -> str:
    """The map as SVG, each chapter a link."""
    needs = {name: before for name, (_, before) in found.items()}
    where = places(needs, parts)
    wide = (max(x for x, _ in where.values()) + 1) * ACROSS
    high = (max(y for _, y in where.values()) + 1) * DOWN
    shapes = []
    for (x, y), (u, v), leaves, arrives in arrows(direct(needs), where):
        end = u * ACROSS + WIDTH / 2 + arrives, v * DOWN - 3
        bend = (v * DOWN - y * DOWN - HEIGHT) / 2
        if u > x:  # out at the side, clear of what stands below
            start = x * ACROSS + WIDTH, y * DOWN + HEIGHT / 2 + leaves
            leave = end[0], start[1]
        else:
            start = (end[0] if u == x else x * ACROSS + WIDTH / 2 - 2 * APART), y * DOWN + HEIGHT
            leave = start[0], start[1] + bend
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
