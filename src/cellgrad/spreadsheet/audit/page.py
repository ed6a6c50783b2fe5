"""The audit's report as one page for people: the sheet with its cells marked, each mistake once, two loss curves."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from openpyxl.utils import get_column_letter, range_boundaries

from cellgrad.checks import visible
from cellgrad.files import write_whole
from cellgrad.spreadsheet.audit.cells import AuditError, Sheet, Value, read_book
from cellgrad.spreadsheet.audit.findings import Finding, Report, Table

MOST_ROWS = 40  # of a table that are shown
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #bbb; --error: #b3261e; --warning: #8a5a00;
  --wrong: #fbdad7; --doubt: #fdeec2; --right: #0b6e4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #161616; --line: #555; --error: #ff9d94;
  --warning: #ffcf70; --wrong: #5a1f1b; --doubt: #4d3b09; --right: #6fd6ae; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1rem auto;
  max-width: 70rem; padding: 0 1rem; }
.sheet { overflow-x: auto; } table { border-collapse: collapse; font-size: .75rem; }
td, th { border: 1px solid var(--line); padding: .15rem .35rem; white-space: nowrap; max-width: 14rem;
  overflow: hidden; text-overflow: ellipsis; }
td.error { background: var(--wrong); outline: 2px solid var(--error); } td.doubt { background: var(--doubt); }
code { overflow-wrap: anywhere; } li { margin: .6rem 0; } .error b { color: var(--error); }
.doubt b { color: var(--warning); } svg { width: 100%; max-width: 40rem; height: auto; }
@media print { body { max-width: none; } .sheet { overflow: visible; } li { break-inside: avoid; } }
"""


def write_page(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file that needs no other; an older file is replaced once the new one is whole.

    Raises OSError where the file cannot be written, and AuditError for a path that is the workbook itself.
    """
    path = Path(path)
    if path.exists() and path.samefile(report.path):
        raise AuditError(f"{path}: is the workbook; give the report a name of its own")
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
    verdict = "All right" if report.all_right else "Not all right"
    yield f"<h1>{title}</h1><p><strong>{verdict}</strong></p>"
    book = read_book(report.path)
    for table in report.tables:
        yield from _table(table, book.sheet(table.sheet))
    yield "</body></html>"


def _table(table: Table, sheet: Sheet) -> Iterator[str]:
    rate = "" if table.learning_rate is None else f", learning rate {table.learning_rate:g}"
    rows = "1 row" if table.rows == 1 else f"{table.rows} rows"
    yield f"<section><h2>{escape(table.sheet)} {table.range}</h2><p>{rows}{rate}</p>"
    if not table.findings:
        yield "<p>Everything that was read agrees with the derivation.</p>"
    yield "<ol>"
    for finding in table.findings:
        yield _item(finding)
    yield "</ol>"
    if table.losses and table.right_losses:
        yield _curves(table.losses, table.right_losses)
    yield from _cells(table, sheet)
    yield "</section>"


def _item(finding: Finding) -> str:
    kind = "error" if finding.severity == "error" else "doubt"
    place = f"{escape(finding.column)} in {escape(finding.cells)}: " if finding.column else ""
    parts = [f'<li class="{kind}"><b>{escape(finding.severity)}</b> {place}{escape(finding.message)}']
    if finding.found:
        parts.append(f"<br>found <code>{escape(finding.found)}</code>")
    if finding.expected:
        formula, _, named = finding.expected.partition(", which is ")
        parts.append(f"<br>right <code>{escape(formula)}</code>")
        parts.append(f" ({escape(named)})" if named else "")
    return "".join(parts) + "</li>"


def _cells(table: Table, sheet: Sheet) -> Iterator[str]:
    """The table's cells, numbers and formulas, the wrong ones marked; of a long table the first rows."""
    marks: dict[tuple[int, int], str] = {}
    left, top, right, bottom = range_boundaries(table.range)
    bottom = min(bottom, top + MOST_ROWS)
    for finding in reversed(table.findings):
        for area in finding.cells.split(",") if finding.column else ():
            west, north, east, south = range_boundaries(area)
            for row in range(north, min(south, bottom) + 1):
                marks |= {(row, c): "error" if finding.severity == "error" else "doubt" for c in range(west, east + 1)}
    left = min([left, *(column for _, column in marks)])
    right = max([right, *(column for _, column in marks)])
    yield '<div class="sheet"><table><tr><th></th>'
    yield "".join(f"<th>{get_column_letter(column)}</th>" for column in range(left, right + 1)) + "</tr>"
    for row in range(top, bottom + 1):
        cells = []
        for column in range(left, right + 1):
            value = sheet.value(row, column)
            text = (
                ""
                if value is None
                else f"{value:.6g}"
                if isinstance(value, float)
                else str(getattr(value, "text", value))
            )
            text = escape(re.sub("^'", "", text)[:300])
            mark = marks.get((row, column))
            cells.append(
                f'<td class="{mark}" title="{text}">{text}</td>' if mark else f'<td title="{text}">{text}</td>'
            )
        yield f"<tr><th>{row}</th>{''.join(cells)}</tr>"
    yield "</table></div>"


def _shown(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return re.sub("^'", "", str(getattr(value, "text", value)))[:300]


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
            f"{60 + 520 * place / (count - 1):.1f},{220 - 190 * (curve[place] - low) / spread:.1f}"
            for place in range(0, len(curve), step)
        )

    ends = [f"{10**value if logarithmic else value:.3g}" for value in (low, high)]
    label = f"The loss E_total over {count - 1} updates: this sheet from {theirs[0]:.4g} to {theirs[-1]:.4g}, "
    label += f"the right one from {right[0]:.4g} to {right[-1]:.4g}"
    return (
        f'<figure><svg viewBox="0 0 600 260" role="img" aria-label="{escape(label)}">'
        f'<g fill="none" stroke-width="2"><path d="M60 20V220H580" stroke="currentColor"/>'
        f'<polyline points="{points(scaled[0])}" stroke="var(--right)" stroke-width="5" opacity=".6"/>'
        f'<polyline points="{points(scaled[1])}" stroke="var(--error)" stroke-dasharray="6 4"/></g>'
        f'<g fill="currentColor" font-size="13"><text x="54" y="220" text-anchor="end">{ends[0]}</text>'
        f'<text x="54" y="32" text-anchor="end">{ends[1]}</text><text x="580" y="245" text-anchor="end">'
        f'update {count - 1}</text><text x="60" y="245">0</text></g></svg>'
        f"<figcaption>{escape(label)}. Thick: the right one; dashed: this sheet.</figcaption></figure>"
    )
