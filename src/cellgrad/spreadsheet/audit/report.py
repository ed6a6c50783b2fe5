"""Somebody's spreadsheet of the toy network, held against the derivation, formula by formula.

Every column is judged by its own formula, given that the other columns are what their headings say: one mistake is
one finding, however many columns it reaches. A formula is right if it equals the derivation, however it is written:
the same expression, or else the same number, to 30 digits, at random networks.

What a user may do and still be right: put the table anywhere, several to a sheet; head the columns in any of the
usual ways; keep the learning rate in a cell, in a column of its own, or typed into the formulas; compute a column
from others than we do, or from helper cells, which are followed; fill inputs, targets and first weights from cells
elsewhere; add a fixed bias (the same term in every row, to both units of a layer or to neither), which is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from openpyxl.utils import get_column_letter

from cellgrad.spreadsheet.audit.cells import AuditError, Book, read_book
from cellgrad.spreadsheet.audit.computed import check_computed
from cellgrad.spreadsheet.audit.constants import check_constants
from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.numbers import check_numbers
from cellgrad.spreadsheet.audit.reading import UNCHECKED, WARNING, Reader, Verdict
from cellgrad.spreadsheet.audit.tables import FEWEST_COLUMNS, Layout, find_tables
from cellgrad.spreadsheet.audit.updates import check_rates, check_updates, usual_update
from cellgrad.toynet import COLUMNS

__all__ = ["AuditError", "Finding", "Report", "Table", "audit"]


@dataclass(frozen=True)
class Finding:
    """One mistake, in all the cells of one column that make it: "Z3:Z70", or "Z5,Z9"."""

    column: str
    cells: str
    severity: str
    expected: str
    found: str
    message: str


@dataclass(frozen=True)
class Table:
    """One table of the toy network: its place, heading included, its learning rate if there is one, what was found.

    `recomputed` are the columns that hold numbers without formulas and were checked by computing them again;
    `biases` are the terms that h1, h2, o1, o2 add beside their weights.
    """

    sheet: str
    range: str
    rows: int
    learning_rate: float | None
    learning_rate_source: str | None
    findings: tuple[Finding, ...]
    biases: dict[str, str] = field(default_factory=dict)
    recomputed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The tables found in a workbook and what is wrong with them; printed, it is the report in plain text."""

    path: str
    tables: tuple[Table, ...]

    @property
    def all_right(self) -> bool:
        """Whether every formula was read and none is wrong; warnings do not count."""
        return not any(finding.severity != WARNING for table in self.tables for finding in table.findings)

    def to_dict(self) -> dict:
        """The report as one JSON object."""
        return {"path": self.path, "all_right": self.all_right, "tables": [asdict(table) for table in self.tables]}

    def __str__(self) -> str:
        return "\n".join(line for table in self.tables for line in _printed(table))


def audit(path: str | Path) -> Report:
    """Check every table of the toy network in an .xlsx workbook, each formula and each update.

    Raises AuditError, one line, for what is not a workbook, too large, or has no such table in it.
    """
    book = read_book(path)
    layouts = [layout for sheet in book.sheets for layout in find_tables(sheet)]
    if not layouts:
        raise AuditError(
            f"{path}: no table of the toy network in it; looked in {len(book.sheets)} sheets for a row of headings "
            f"such as t1 t2 i1 i2 w1 … dE_dw8 (at least {FEWEST_COLUMNS} of the {len(COLUMNS)})"
        )
    stored = cache(lambda: read_book(path, stored_results=True))
    return Report(str(path), tuple(_audited(book, layout, stored) for layout in layouts))


def _audited(book: Book, layout: Layout, stored: Callable[[], Book]) -> Table:
    """Check one table: first what is constant, which the other checks rest on, then every formula and number."""
    if not layout.rows:
        empty = Finding("", layout.range, UNCHECKED, "rows of numbers and formulas", "", "headings without rows")
        return Table(layout.sheet.title, layout.range, 0, None, None, (empty,))
    reader = Reader(book, layout)
    constants, verdicts = check_constants(reader)
    context = Context(reader, lambda: stored().sheet(layout.sheet.title), constants)
    verdicts += check_computed(context)
    updates, wrong = check_updates(context)
    verdicts += wrong
    usual = usual_update(updates)
    for name, readings in updates.items():
        verdicts += check_rates(context, name, readings, usual)
    rate, recomputed, wrong = check_numbers(context, usual and usual.rate)
    return Table(
        sheet=layout.sheet.title,
        range=layout.range,
        rows=len(layout.rows),
        learning_rate=rate,
        learning_rate_source=usual and usual.source,
        findings=(*_grouped(layout, verdicts + wrong), *_missing(layout)),
        biases={unit: str(context.bias_terms[unit]) for unit in context.bias},
        recomputed=recomputed,
    )


def _grouped(layout: Layout, verdicts: list[Verdict]) -> Iterator[Finding]:
    """One finding for all the cells of a column that make the same mistake."""
    groups: dict[tuple, list[Verdict]] = {}
    order = list(layout.columns)
    for verdict in sorted(verdicts, key=lambda verdict: (order.index(verdict.column), verdict.row)):
        groups.setdefault((verdict.column, verdict.kind, verdict.severity), []).append(verdict)
    for group in groups.values():
        first = group[0]
        cells = _runs(get_column_letter(layout.columns[first.column]), [verdict.row for verdict in group])
        yield Finding(first.column, cells, first.severity, first.expected, first.found, first.message)


def _missing(layout: Layout) -> Iterator[Finding]:
    place = layout.range.split(":")[0]
    words = "no column is headed so, or not in a way that was recognised"
    for name in COLUMNS:
        if name not in layout.columns:
            yield Finding(name, place, UNCHECKED, f"a column {name}", "", words)


def _runs(letter: str, rows: list[int]) -> str:
    """Rows as ranges: [3, 4, 5, 9] in column Z is "Z3:Z5,Z9"."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ",".join(f"{letter}{a}" if a == b else f"{letter}{a}:{letter}{b}" for a, b in runs)


def _printed(table: Table) -> Iterator[str]:
    rate = "" if table.learning_rate is None else f", learning rate {table.learning_rate:g}"
    if table.learning_rate_source and table.learning_rate_source.startswith("$"):
        rate += f" from {table.learning_rate_source}"
    yield f"{table.sheet}!{table.range}: {table.rows} rows{rate}"
    if table.biases:
        yield "  biases: " + ", ".join(f"{unit} adds {text}" for unit, text in table.biases.items())
    if table.recomputed:
        yield f"  numbers without formulas, checked by computing them again: {', '.join(table.recomputed)}"
    if not table.findings:
        yield "  all right: every formula of every column agrees with the derivation"
    for finding in table.findings:
        yield f"  {finding.severity}: {finding.column} in {finding.cells}: {finding.message}"
        if finding.found:
            yield f"      found     {finding.found}"
        if finding.expected:
            yield f"      expected  {finding.expected}"
