"""On the site: a field below each exercise that asks for numbers, and outputs folded where the text asks for a guess.

The field does what `check` does in a notebook, without a kernel: `answers.js` compares hashes of the rounded numbers,
and sends nothing anywhere. What it needs is made here from `cellgrad.exercises`. In Colab and JupyterLab there is the
text alone, and so on paper and where scripts are off.
"""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

from cellgrad import exercises
from cellgrad.exercises import kinds

HERE = Path(__file__).parent
CHECK = re.compile(r'check\("(\d\d\.\d)"')
GUESS_FIRST = "What came out: make your guess, then open this"

WORDS = {
    "right": kinds.RIGHT.text,
    "halfway": kinds.halfway([""]).removesuffix("."),
    "end": exercises.AT_THE_END,
    "several": "Give {count} numbers, with spaces or semicolons between them.",
    "one": "Give one number, such as 0.25, 1/4 or 25 %.",
}


def sealed(number: str, asked: kinds.Numbers) -> dict[str, Any]:
    """An exercise without its answers: hashes of what is recognised, and what is then said."""
    patterns = [
        {
            "units": pattern.units,
            "seals": [
                [kinds.seal(number, place, step) for step in steps] for place, steps in enumerate(pattern.steps())
            ],
            "says": pattern.says,
            "whole": pattern.whole,
        }
        for pattern in asked.patterns()
    ]
    return {
        "number": number,
        "label": _markup(asked.asks),
        "names": [kinds.plain(name) for name in asked.names],
        "patterns": patterns,
        "hints": asked.hints,
    }


def _markup(asks: str) -> str:
    """What is asked for, with the little mathematics in it as HTML."""
    text = html.escape(asks, quote=False)
    lower = lambda match: re.sub(r"_(\w|\{\w+\})", r"<sub>\1</sub>", match[0])  # noqa: E731
    return kinds.plain(re.sub(r"\^\{(-k)\}", r"<sup>\1</sup>", re.sub(r"\$.*?\$", lower, text)))


def assets() -> str:
    """The style and the script that a page with fields carries."""
    script = (HERE / "answers.js").read_text(encoding="utf-8").replace('"WORDS"', json.dumps(WORDS))
    style = (HERE / "answers.css").read_text(encoding="utf-8")
    return f"<style>\n{style}</style>\n<script>\n{script}</script>"


def add_fields(app: Sphinx, doctree: nodes.document) -> None:
    """Put a field behind every paragraph that says how an exercise with numbers is checked."""
    last = None
    for paragraph, number in list(_checks(doctree)):
        _, asked = exercises.exercise(number)
        if isinstance(asked, kinds.Numbers):
            data = html.escape(json.dumps(sealed(number, asked), default=float))
            last = nodes.raw("", f'<div class="answer" data-answer="{data}"></div>', format="html")
            paragraph.parent.insert(paragraph.parent.index(paragraph) + 1, last)
    if last is not None:
        doctree.append(nodes.raw("", assets(), format="html"))


def _checks(doctree: nodes.document) -> Iterator[tuple[nodes.paragraph, str]]:
    for paragraph in doctree.findall(nodes.paragraph):
        found = [CHECK.search(literal.astext()) for literal in paragraph.findall(nodes.literal)]
        if paragraph.astext().startswith("Check:") and any(found):
            yield paragraph, next(match[1] for match in found if match)


def label_guesses(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Say what is in a folded output."""
    for fold in doctree.findall(HideCodeCellNode):
        if fold["prompt_show"].startswith("Show code cell output"):
            fold["prompt_show"] = GUESS_FIRST
            fold["prompt_hide"] = "What came out"
            fold["classes"].append("guess")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-read", add_fields)
    app.connect("doctree-resolved", label_guesses, priority=800)
    return {"parallel_read_safe": True, "env_version": 1}
