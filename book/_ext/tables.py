"""Tables of pandas as tables of a book: one row of headings, words to the left, yes and no in place of True and False.

The chapters keep what pandas printed, which is what a reader sees who runs them.
"""

import re
from html import unescape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from wraps import TIED

ROW = re.compile(r"<tr[^>]*>(.*?)</tr>", re.S)
CELL = re.compile(r"<t([hd])[^>]*>(.*?)</t[hd]>", re.S)
NUMBER = re.compile(r"([<>≤≥≈] ?)?[-−+±]?\s*[\d.,]+(e[-+]?\d+)?\s*(%|×|s|±.*)?|NaN|None|inf|–|", re.S)
SHORT, SHORT_NAME = 16, 12  # characters that stand on one line, also on a phone
LONG, LONG_CODE = 28, 45  # and those that need some lines
WORDS = {"True": "yes", "False": "no", "NaN": "–", "None": "–", "NaT": "–"}


def of_a_book(html: str) -> str:
    """A table of pandas, told anew. One with headings over several columns is left as it is."""
    if "colspan" in html or "rowspan" in html:
        return html
    head, _, body = html.partition("<tbody>")
    heads = [[unescape(text).strip() for _, text in CELL.findall(row)] for row in ROW.findall(head)]
    rows = [[unescape(text).strip() for _, text in CELL.findall(row)] for row in ROW.findall(body)]
    if not heads or not rows or any(len(row) != len(heads[0]) for row in heads + rows):
        return html
    titles = [next((text for text in texts if text), "") for texts in zip(*reversed(heads), strict=True)]
    indexed = CELL.findall(ROW.findall(body)[0])[0][0] == "h"
    if indexed and not titles[0] and all(re.fullmatch(r"\d+", row[0]) for row in rows):
        titles, rows, indexed = titles[1:], [row[1:] for row in rows], False
    rows = [[re.sub(r"^-(0(\.0*)?)$", r"\1", WORDS.get(text, text)) for text in row] for row in rows]
    wordy = [not all(NUMBER.fullmatch(row[n]) for row in rows) for n in range(len(titles))]
    top = "".join(_cell("th" if text else "td", text, wordy[n], "col") for n, text in enumerate(titles))
    rest = "".join(
        "<tr>"
        + "".join(_cell("th" if indexed and not n else "td", text, wordy[n], "row") for n, text in enumerate(row))
        + "</tr>\n"
        for row in rows
    )
    return f'<table class="dataframe">\n<thead><tr>{top}</tr></thead>\n<tbody>\n{rest}</tbody>\n</table>'


def _cell(kind: str, text: str, wordy: bool, scope: str) -> str:
    text = TIED.sub("\u00a0", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    short = SHORT if kind == "td" else SHORT_NAME if scope == "row" else 0
    sizes = {"short": len(text) <= short, "long": len(text) > LONG}
    kinds = ["words", *(name for name, true in sizes.items() if true)] if wordy else []
    attributes = (f' class="{" ".join(kinds)}"' if kinds else "") + (f' scope="{scope}"' if kind == "th" else "")
    return f"<{kind}{attributes}>{text}</{kind}>"


def retell(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for entry in doctree.findall(nodes.entry):
        length = len(entry.astext())
        code = any(entry.findall(nodes.literal))  # which may be broken inside of a name
        entry["classes"] += ["long"] if length > (LONG_CODE if code else LONG) else ["words"] if length > SHORT else []
    for node in doctree.findall(nodes.raw):
        text = node.astext()
        if 'class="dataframe"' in text:
            text = re.sub(r"<style scoped>.*?</style>", "", text, flags=re.S)
            text = re.sub(
                r'<table border="1" class="dataframe">.*?</table>', lambda m: of_a_book(m[0]), text, flags=re.S
            )
            node.children, node.rawsource = [nodes.Text(text)], text


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", retell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
