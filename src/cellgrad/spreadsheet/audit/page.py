"""The audit's report as one page for people: the sheet with its cells marked, each mistake once, two loss curves."""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openpyxl.utils import get_column_letter, range_boundaries

from cellgrad.checks import visible
from cellgrad.files import write_whole
from cellgrad.spreadsheet.audit.cells import AuditError, Sheet, Unreadable, Value, read_book
from cellgrad.spreadsheet.audit.findings import Finding, Report, Table, headline

FIRST_ROWS, MARKED_ROWS = 8, 24  # of a table that are shown: how many from the top, how many with marked cells
LONGEST = 300  # characters of a cell that are shown
_AREAS = re.compile(r",(?=(?:[^']*'[^']*')*[^']*$)")  # a comma may be part of a sheet's name
_WORDS = {"error": "Wrong", "warning": "Warning", "not checked": "Not checked"}
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #c4c4c4; --head: #f1f1f1; --error: #b3261e;
  --doubt: #7a5000; --wrong: #fbdad7; --doubtful: #fdeec2; --right: #0b6e4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #161616; --line: #555; --head: #262626;
  --error: #ff9d94; --doubt: #ffcf70; --wrong: #5a1f1b; --doubtful: #4d3b09; --right: #6fd6ae; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1.5rem auto;
  max-width: 70rem; padding: 0 1rem; }
h1, h2, p, li, code { overflow-wrap: anywhere; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.verdict { font-size: 1.2rem; font-weight: 600; margin: .2rem 0 1rem; }
.verdict.right { color: var(--right); } .verdict.wrong { color: var(--error); }
.findings { padding-left: 1.6rem; } .findings li { margin: .9rem 0; break-inside: avoid; }
.error > b { color: var(--error); } .doubt > b { color: var(--doubt); }
dl { display: grid; grid-template-columns: 3rem 1fr; gap: .1rem .8rem; margin: .3rem 0 0; }
dd { margin: 0; min-width: 0; } dt { opacity: .75; }
code { font: .9em/1.4 ui-monospace, monospace; } .paste { user-select: all; color: var(--right); }
.sheet { overflow-x: auto; border: 1px solid var(--line); } table { border-collapse: collapse; font-size: .75rem; }
td, th { border: 1px solid var(--line); padding: .15rem .4rem; white-space: nowrap; max-width: 11rem;
  overflow: hidden; text-overflow: ellipsis; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
th { background: var(--head); font-weight: 400; position: sticky; left: 0; }
a { color: inherit; } td:target { outline: 3px solid; outline-offset: -3px; } td { scroll-margin: 4rem; }
td.error { background: var(--wrong); box-shadow: inset 0 0 0 2px var(--error); }
td.doubt { background: var(--doubtful); box-shadow: inset 0 0 0 1px var(--doubt); }
svg { width: 100%; max-width: 40rem; height: auto; } figure { margin: 1.5rem 0; break-inside: avoid; }
figcaption { font-size: .9rem; opacity: .85; }
@page { size: landscape; margin: 1cm; }  /* a row of the toy network's sheet has 31 columns */
@media print { body { max-width: none; margin: 0; font-size: 11px; } .sheet { overflow: visible; border: 0; }
  table { font-size: 6px; } td, th { white-space: normal; overflow-wrap: anywhere; max-width: none;
  padding: 1px 2px; }
  td.error, td.doubt { print-color-adjust: exact; } a { text-decoration: none; } }
"""


def write_page(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file that needs no other; an older file is replaced once the new one is whole.

    Raises OSError where the file cannot be written, and AuditError for a path that is the workbook itself or anything
    else that is there and no page.
    """
    path = Path(path)
    if path.exists() and path.samefile(report.path):
        raise AuditError(f"{path}: is the workbook; give the report a name of its own")
    if path.exists() and not (path.is_file() and path.suffix.lower() in (".html", ".htm")):
        raise AuditError(f"{path}: is there already and is no page; give the report a name that ends in .html")
    page = "\n".join(_page(report))
    write_whole(path, page.encode("utf-8", "backslashreplace"))  # a file's name may hold what no encoding has
    return path


def escape(text: str) -> str:
    """Text of the workbook or of its name as HTML that shows it and does nothing else."""
    return html.escape(visible(text))


def _page(report: Report) -> Iterator[str]:
    title = escape(Path(report.path).name)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Audit of {title}</title><style>{_STYLE}</style></head><body>"
    yield f'<h1>{title}</h1><p class="verdict {"right" if report.all_right else "wrong"}">{_verdict(report)}</p>'
    typed, shown = read_book(report.path), read_book(report.path, stored_results=True)
    for number, table in enumerate(report.tables, start=1):
        view = _View(table, f"table-{number}")
        yield from _table(view, typed.sheet(table.sheet), shown.sheet(table.sheet))
    yield "</body></html>"


def _verdict(report: Report) -> str:
    held = Counter(finding.severity for table in report.tables for finding in table.findings)
    counts = [
        f"{count} {word if count == 1 else plural}"
        for severity, word, plural in (
            ("error", "mistake", "mistakes"),
            ("not checked", "thing not checked", "things not checked"),
            ("warning", "warning", "warnings"),
        )
        if (count := held[severity])
    ]
    said = "All right" if report.all_right else "Not all right"
    return f"{said}: {', '.join(counts)}" if counts else said


def _table(view: _View, typed: Sheet, shown: Sheet) -> Iterator[str]:
    table = view.table
    yield f"<section><h2>{escape(table.sheet)} {table.range}</h2><p>{escape(headline(table))}</p>"
    if table.biases:
        yield f"<p>Biases: {escape(', '.join(f'{unit} adds {text}' for unit, text in table.biases.items()))}.</p>"
    if table.all_right and not table.findings:
        yield "<p>Everything agrees with the derivation.</p>"
    yield f'<ol class="findings">{"".join(_item(finding, view) for finding in table.findings)}</ol>'
    if table.losses and table.right_losses:
        yield _curves(table.losses, table.right_losses)
    yield from _cells(view, typed, shown)
    yield "</section>"


def _item(finding: Finding, view: _View) -> str:
    kind = "error" if finding.severity == "error" else "doubt"
    column = f" {escape(finding.column)} in" if finding.column != finding.cells else ""
    place = f"{column} {view.link(finding)}" if finding.column else ""
    parts = [f'<li class="{kind}"><b>{_WORDS[finding.severity]}{place}</b>: {escape(finding.message)}']
    for word, text, style in (("found", finding.found, "found"), ("right", finding.expected, "paste")):
        formula, _, named = text.partition(", which is ")
        meaning = f"<br>{escape(named)}" if named else ""
        if formula:
            code = f'<code class="{style}">{escape(formula)}</code>{meaning}'
            parts.append(f"<dl><dt>{word}</dt><dd>{code}</dd></dl>")
    return "".join(parts) + "</li>"


@dataclass
class _View:
    """Which rows and columns of a table are shown, and which of its cells are marked, and how."""

    table: Table
    name: str
    marks: dict[tuple[int, int], str] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        left, top, right, bottom = range_boundaries(self.table.range)
        rows = {*range(top, min(bottom, top + FIRST_ROWS) + 1), bottom}
        columns = {*range(left, right + 1)}
        for finding in reversed(self.table.findings):
            for area in _AREAS.split(finding.cells) if finding.column else ():
                if "!" in area:  # on another sheet
                    continue
                west, north, east, south = range_boundaries(area)
                marked = range(north, min(south, north + MARKED_ROWS) + 1)
                rows |= {*marked} if len(rows) < FIRST_ROWS + MARKED_ROWS else set()
                columns |= {*range(west, east + 1)}
                kind = "error" if finding.severity == "error" else "doubt"
                for row in (*marked, *rows):
                    if north <= row <= south:
                        self.marks |= {(row, column): kind for column in range(west, east + 1)}
        self.rows, self.columns = sorted(rows), sorted(columns)

    def id(self, row: int, column: int) -> str:
        """What a link to a cell is called, apart from the cells of other tables."""
        return f"{self.name}-{get_column_letter(column)}{row}"

    def link(self, finding: Finding) -> str:
        """A finding's cells, as a link to the first of them if the page shows it."""
        first = _AREAS.split(finding.cells)[0].partition(":")[0]
        column, row, *_ = (0, 0) if "!" in first else range_boundaries(first)
        if (row, column) not in self.marks or row not in self.rows:
            return escape(finding.cells)
        return f'<a href="#{self.id(row, column)}">{escape(finding.cells)}</a>'


def _cells(view: _View, typed: Sheet, shown: Sheet) -> Iterator[str]:
    """The table as a spreadsheet shows it, wrong cells marked; of a long one the first rows and those with marks."""
    heads = "".join(f"<th>{get_column_letter(column)}</th>" for column in view.columns)
    yield f'<div class="sheet"><table><tr><th></th>{heads}</tr>'
    above = view.rows[0]
    for row in view.rows:
        if row > above + 1:
            yield f'<tr><th>⋮</th><td colspan="{len(view.columns)}"></td></tr>'
        above = row
        cells = (
            _cell(
                typed.value(row, column), shown.value(row, column), view.marks.get((row, column)), view.id(row, column)
            )
            for column in view.columns
        )
        yield f"<tr><th>{row}</th>{''.join(cells)}</tr>"
    yield "</table></div>"


def _cell(typed: Value, shown: Value, mark: str | None, name: str) -> str:
    number = isinstance(shown, float)
    classes = " ".join(filter(None, (mark, "number" if number else None)))
    text = f"{shown:.5g}" if number else _plain(typed if shown is None else shown)
    named = (f" class={classes!r}" if classes else "") + (f" id={name!r}" if mark else "")
    return f"<td{named} title='{escape(_plain(typed))}'>{escape(text)}</td>"


def _plain(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    text = value.text if isinstance(value, Unreadable) else value
    return text.removeprefix("'")[:LONGEST]


def _curves(theirs: Sequence[float], right: Sequence[float]) -> str:
    """Both losses against the update, as one SVG; on a logarithmic scale where all are above zero."""
    count = max(len(theirs), len(right))
    if count < 2:
        return ""
    logarithmic = min(*theirs, *right) > 0
    scaled = [[math.log10(value) if logarithmic else value for value in curve] for curve in (right, theirs)]
    low, high = min(map(min, scaled)), max(map(max, scaled))
    step = max(1, count // 400)

    def points(curve: Sequence[float]) -> str:
        spread = high - low or 1.0
        return " ".join(
            f"{76 + 504 * place / (count - 1):.1f},{220 - 190 * (curve[place] - low) / spread:.1f}"
            for place in range(0, len(curve), step)
        )

    ends = [f"{10**value if logarithmic else value:.3g}" for value in (low, high)]
    label = f"The loss E_total over {count - 1} updates: this sheet from {theirs[0]:.4g} to {theirs[-1]:.4g}, "
    label += f"the right one from {right[0]:.4g} to {right[-1]:.4g}"
    return (
        f'<figure><svg viewBox="0 0 600 260" role="img" aria-label="{escape(label)}">'
        f'<g fill="none" stroke-width="2"><path d="M76 20V220H580" stroke="currentColor"/>'
        f'<polyline points="{points(scaled[0])}" stroke="var(--right)" stroke-width="5" opacity=".6"/>'
        f'<polyline points="{points(scaled[1])}" stroke="var(--error)" stroke-dasharray="6 4"/></g>'
        f'<g fill="currentColor" font-size="13"><text x="70" y="220" text-anchor="end">{ends[0]}</text>'
        f'<text x="70" y="32" text-anchor="end">{ends[1]}</text><text x="580" y="245" text-anchor="end">'
        f'update {count - 1}</text><text x="76" y="245">0</text><text x="82" y="16">E_total'
        f"{' (logarithmic)' if logarithmic else ''}</text></g></svg>"
        f"<figcaption>{escape(label)}. Thick: the right one; dashed: this sheet.</figcaption></figure>"
    )
