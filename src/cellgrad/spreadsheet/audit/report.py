"""Somebody's spreadsheet of the toy network, held against the derivation, formula by formula.

Every column is judged by its own formula, given that the other columns are what their headings say: one mistake is
one finding, however many columns it reaches. A formula is right if it equals the derivation, however it is written:
the same expression, or else the same number, to 30 digits, at random networks. Where nothing is wrong the whole table
is computed as a spreadsheet program does it, and compared with the descent.

What a user may do and still be right: put the table anywhere, several to a sheet, or lay it on its side; head the
columns as they like, as long as the formulas tell what is meant; keep the learning rate in a cell, in a column of its
own, or typed into the formulas; compute a column from others than we do, or from helper cells, which are followed;
fill inputs, targets and first weights from cells elsewhere; add a fixed bias (the same term in every row, to both units
of a layer or to neither), which is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from cellgrad.spreadsheet.audit.cells import AuditError, Book, Sheet, read_book
from cellgrad.spreadsheet.audit.computed import Computed
from cellgrad.spreadsheet.audit.constants import check_constants
from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.meaning import recognise
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS
from cellgrad.spreadsheet.audit.networks import other_network, trained_biases
from cellgrad.spreadsheet.audit.numbers import check_numbers
from cellgrad.spreadsheet.audit.reading import UNCHECKED, WARNING, Judgement, Reader
from cellgrad.spreadsheet.audit.simulate import (
    NotComputed,
    Values,
    descent,
    first_difference,
    learning_rates,
    simulate,
)
from cellgrad.spreadsheet.audit.tables import CONSTANT, FEWEST_COLUMNS, Layout, find_tables, nearest_headings
from cellgrad.spreadsheet.audit.updates import Update, check_rates, check_schedule, check_updates, usual_update
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
    `biases` are the terms that h1, h2, o1, o2 add beside their weights; `losses` is E_total from the first row on as
    the table computes it, `right_losses` as the descent does.
    """

    sheet: str
    range: str
    rows: int
    learning_rate: float | None
    learning_rate_source: str | None
    findings: tuple[Finding, ...]
    biases: dict[str, str] = field(default_factory=dict)
    recomputed: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    right_losses: tuple[float, ...] = ()

    @property
    def all_right(self) -> bool:
        """Whether every formula was read, none is wrong, and the weights move; other warnings do not count."""
        return self.learning_rate != 0 and all(finding.severity == WARNING for finding in self.findings)


@dataclass(frozen=True)
class Report:
    """The tables found in a workbook and what is wrong with them; printed, it is the report in plain text."""

    path: str
    tables: tuple[Table, ...]

    @property
    def all_right(self) -> bool:
        """Whether that is so of all tables."""
        return all(table.all_right for table in self.tables)

    def to_dict(self) -> dict:
        """The report as one JSON object."""
        tables = [asdict(table) for table in self.tables]
        for table in tables:
            del table["losses"], table["right_losses"]
        return {"path": self.path, "all_right": self.all_right, "tables": tables}

    def __str__(self) -> str:
        return "\n".join(line for table in self.tables for line in _printed(table))


def audit(path: str | Path) -> Report:
    """Check every table of the toy network in a workbook, each formula and each update.

    Raises AuditError, one line, for what is not a workbook, too large, or has no such table in it.
    """
    book = read_book(path)
    found = list(_tables(book))
    if not found:
        raise AuditError(f"{path}: no table of the toy network in it; {_nearest(book)}")
    stored = cache(lambda: read_book(path, stored_results=True))

    def stored_sheet(sheet: Sheet) -> Sheet:
        same = stored().sheet(sheet.title)
        return same.turned if sheet.side else same

    return Report(str(path), tuple(_audited(book, *table, stored_sheet) for table in found))


def _tables(book: Book) -> Iterator[tuple[Layout, dict]]:
    for sheet in book.sheets:
        upright = [table for layout in find_tables(sheet) if _enough(table := recognise(book, layout))]
        turned = [] if upright else find_tables(sheet.turned)
        yield from upright or [table for layout in turned if _enough(table := recognise(book, layout))]


def _enough(table: tuple[Layout, dict]) -> bool:
    layout, stand_ins = table
    return len(layout.columns) + len(stand_ins) >= FEWEST_COLUMNS


def _nearest(book: Book) -> str:
    count, row, unknown, title = max(
        ((*nearest_headings(sheet), sheet.title) for sheet in book.sheets), default=(0, 0, [], ""), key=lambda n: n[0]
    )
    wanted = (
        f"looked in {len(book.sheets)} {'sheet' if len(book.sheets) == 1 else 'sheets'} for a row of headings such as "
        f"t1 t2 i1 i2 w1 … dE_dw8 (at least {FEWEST_COLUMNS} of the {len(COLUMNS)})"
    )
    if count < 4:
        return wanted
    unread = f"; could not read {', '.join(map(repr, unknown[:8]))}" if unknown else ""
    return f"{wanted}; the nearest is row {row} of {title}, with {count}{unread}"


def _audited(book: Book, layout: Layout, stand_ins: dict, stored: Callable[[Sheet], Sheet]) -> Table:
    """Check one table: first what is constant, which the other checks rest on, then every formula and number."""
    if not layout.rows():
        empty = Finding("", layout.range, UNCHECKED, "rows of numbers and formulas", "", "headings without rows")
        return Table(layout.sheet.title, layout.range, 0, None, None, (empty,))
    reader = Reader(book, layout)
    below = {name: reader.runs(name)[-1][1] for name in ("b1", "b2") if name in layout.columns}
    trained = trained_biases(below)
    constants, judgements = check_constants(reader, trained)
    context = Context(reader, lambda: stored(layout.sheet), constants, stand_ins)
    computed = Computed(context).judgements()
    updates, wrong = check_updates(context)
    judgements += wrong
    usual = usual_update(updates)
    for name, readings in updates.items():
        if readings and usual:
            judgements += check_rates(context, name, readings, usual)
    if usual:
        judgements += check_schedule(context, updates, usual)
    rate, recomputed, wrong = check_numbers(context, usual and usual.rate)
    missing = list(_missing(layout, stand_ins))
    words = other_network(context, rate, trained) if computed or missing or trained else None
    if words:
        computed, missing = [], [Finding("", layout.range, UNCHECKED, "", "", words)]
    judgements += computed + wrong
    # Numbers alone are right to the digits they show; among formulas they have to be what the descent gives.
    numbers = len(recomputed) == sum(name not in CONSTANT for name in layout.columns)
    values, right, objection = _proof(context, usual, trained)
    serious = bool(missing) or any(judgement.severity != WARNING for judgement in judgements)
    if objection and not serious and not numbers and rate != 0:
        judgements.append(objection)
    return Table(
        sheet=layout.sheet.title,
        range=layout.range,
        rows=len(layout.rows()),
        learning_rate=_first_rate(context, values, usual) if usual and usual.schedule is not None else rate,
        learning_rate_source=usual and usual.source,
        findings=(*_grouped(layout, judgements), *missing),
        biases={unit: str(context.bias_terms[unit]) for unit in context.bias},
        recomputed=recomputed,
        losses=tuple(loss for loss in values.get("E_total", ()) if loss is not None),
        right_losses=tuple(right.get("E_total", ())),
    )


def _proof(context: Context, usual: Update | None, trained: frozenset[str]) -> tuple[Values, Values, Judgement | None]:
    """The table's numbers as a spreadsheet program computes them, those of the descent, and where they part."""
    layout = context.layout

    def objection(name: str, row: int, words: str, expected: str = "") -> Judgement:
        found = layout.typed(name, row)
        return Judgement(name, range(row, row + 1), "computed", words, expected, found)

    try:
        values = simulate(context)
    except NotComputed as error:
        words = f"a spreadsheet program computes no number here: it {error.reason}"
        return {}, {}, objection(error.column, error.row, words)
    try:
        rates = learning_rates(context, values, usual)
        right = descent(context, values, rates)
    except (KeyError, IndexError, TypeError, ArithmeticError):
        words = "no descent starts from the numbers of the first row"
        return values, {}, objection(next(iter(layout.columns)), layout.first, words)
    if any(rate <= 0 for rate in rates) and usual is not None:
        words = "the learning rate is not above zero in every row"
        return values, right, objection(next(iter(layout.columns)), layout.first, words)
    if parted := first_difference(values, right):
        name, place, found, expected = parted
        words = f"computed, it is {found!r} where the descent gives {expected!r}"
        return values, right, objection(name, layout.first + place, words, repr(expected))
    return values, right, None


def _first_rate(context: Context, values: Values, usual: Update) -> float | None:
    try:
        return learning_rates(context, values, usual)[0]
    except (KeyError, IndexError, TypeError, ArithmeticError):
        return None


def _grouped(layout: Layout, judgements: list[Judgement]) -> Iterator[Finding]:
    """One finding for all the cells of a column that make the same mistake."""
    groups: dict[tuple, list[Judgement]] = {}
    order = [*layout.columns, *layout.beside]
    for judgement in sorted(judgements, key=lambda one: (order.index(one.column), one.rows.start)):
        groups.setdefault((judgement.column, judgement.kind, judgement.severity), []).append(judgement)
    for group in groups.values():
        first = group[0]
        cells = layout.span(first.column, [row for judgement in group for row in judgement.rows])
        yield Finding(first.column, cells, first.severity, first.expected, first.found, first.message)


def _missing(layout: Layout, stand_ins: dict) -> Iterator[Finding]:
    place = layout.range.split(":")[0]
    words = "no column is headed so, or not in a way that was recognised"
    for name in COLUMNS:
        if name not in layout.columns and SYMBOLS[name] not in stand_ins.values():
            yield Finding(name, place, UNCHECKED, f"a column {name}", "", words)


def _printed(table: Table) -> Iterator[str]:
    rate = "" if table.learning_rate is None else f", learning rate {table.learning_rate:g}"
    if table.learning_rate_source and table.learning_rate_source.startswith("$"):
        rate += f" from {table.learning_rate_source}"
    other = [finding for finding in table.findings if not finding.column and table.rows]
    yield f"{table.sheet}!{table.range}: {table.rows} {'row' if table.rows == 1 else 'rows'}{rate}"
    for finding in other:
        yield f"  {finding.severity}: {finding.message}"
    if table.biases:
        yield "  biases: " + ", ".join(f"{unit} adds {text}" for unit, text in table.biases.items())
    if table.recomputed:
        yield f"  numbers without formulas, checked by computing them again: {', '.join(table.recomputed)}"
    if not table.findings and len(table.recomputed) < len(COLUMNS) - len(CONSTANT) + 2:
        yield "  all right: every formula of every column agrees with the derivation"
    elif not table.findings:
        yield "  all right: every number agrees with the derivation; there is no formula to read"
    for finding in table.findings:
        if finding in other:
            continue
        yield f"  {finding.severity}: {finding.column} in {finding.cells}: {finding.message}"
        if finding.found:
            yield f"      found     {finding.found}"
        if finding.expected:
            yield f"      expected  {finding.expected}"
