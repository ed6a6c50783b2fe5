"""Where a line may end, and where not.

Browsers end a line after a formula even before its comma, between the numbers of "3 × 3", and behind the dashes of
`--seeds`; but not inside of a name such as `cellgrad.spreadsheet.audit.census`, which on a phone is wider than a line.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

TIED = re.compile(r"(?<=\d) (?=%|× \d)|(?<=\d ×) (?=\d)")
BEFORE, AFTER = re.compile(r"[(\[“‘]+$"), re.compile(r"^(-\w+|[^\s\w])+")
LONG = 16  # characters of a word that may be broken, at the places between its parts
PARTS = re.compile(r"(?<=[\w)\]][._,/=:(\[])(?=\w)|(?<==)(?=\[)")
AS_THEY_ARE = nodes.literal | nodes.literal_block | nodes.raw | nodes.math | nodes.math_block


def tie(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Keep together what belongs together; give long names places to break."""
    for parent in doctree.findall(lambda node: isinstance(node, nodes.Element) and not isinstance(node, AS_THEY_ARE)):
        for place, text in enumerate(parent.children):
            if isinstance(text, nodes.Text):
                parent[place] = nodes.Text(TIED.sub("\u00a0", text))
    for formula in list(doctree.findall(nodes.math)):
        around = formula.parent
        place = around.index(formula)
        if place and isinstance(left := around[place - 1], nodes.Text) and (match := BEFORE.search(left)):
            formula["before"] = match[0]
            around[place - 1] = nodes.Text(left[: match.start()])
        if place + 1 < len(around) and isinstance(right := around[place + 1], nodes.Text):
            match = AFTER.match(right)
            formula["after"] = match[0] if match else ""
            around[place + 1] = nodes.Text(right[len(formula["after"]) :])
    for name in list(doctree.findall(nodes.literal)):
        pieces = [
            piece
            for word in re.findall(r"\s+|\S+", name.astext())
            for piece in (PARTS.split(word) if len(word) > LONG else [word])
        ]
        if len(pieces) > 1 and len(name.children) == 1 and isinstance(name[0], nodes.Text):
            name.children = []
            for n, piece in enumerate(pieces):
                if n and not piece.isspace() and not pieces[n - 1].isspace():
                    name += nodes.raw("", "<wbr>", format="html")
                name += nodes.Text(piece)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", tie, priority=950)  # after the links to figures, which look at whole texts
    return {"parallel_read_safe": True, "parallel_write_safe": True}
