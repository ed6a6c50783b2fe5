"""One table examined: its constants, its formulas, its updates, its numbers, and then the whole of it computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cellgrad.spreadsheet.audit.cells import Book, Sheet
from cellgrad.spreadsheet.audit.computed import Computed
from cellgrad.spreadsheet.audit.constants import check_constants
from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.findings import Finding, Table
from cellgrad.spreadsheet.audit.labels import check_labels, check_rate_labels
from cellgrad.spreadsheet.audit.meaning import Recognised
from cellgrad.spreadsheet.audit.networks import other_network, trained_biases
from cellgrad.spreadsheet.audit.numbers import Numbers, check_numbers
from cellgrad.spreadsheet.audit.rates import Rates, check_rates
from cellgrad.spreadsheet.audit.reading import UNCHECKED, WARNING, Formula, Judgement, Reader
from cellgrad.spreadsheet.audit.signs import SLOPES, check_signs, opposite_slopes
from cellgrad.spreadsheet.audit.simulate import (
    NotComputed,
    Values,
    descent,
    first_difference,
    learning_rates,
    simulate,
)
from cellgrad.spreadsheet.audit.strays import check_strays
from cellgrad.spreadsheet.audit.tables import CONSTANT, Layout
from cellgrad.spreadsheet.audit.updates import in_their_places, read_updates

# What has a column of its own in most tables, and the only column that is computed from it.
_WRITTEN_OUT_IN = {"h1": "a_h1", "h2": "a_h2", "o1": "a_o1", "o2": "a_o2", "E1": "E_total", "E2": "E_total"}


@dataclass(frozen=True)
class _Computed:
    """The table as a spreadsheet program computes it: its numbers, or the judgement on a cell that shows an error."""

    values: Values
    failure: Judgement | None = None


@dataclass(frozen=True)
class _Descended:
    """The descent that the table should be: its learning rates, its numbers, and where the table parts from it."""

    rates: list[float]
    right: Values
    objection: Judgement | None = None


def examine(book: Book, recognised: Recognised, stored: Callable[[Sheet], Sheet]) -> Table:
    """Check one table: first what is constant, which the other checks rest on, then every formula and number."""
    layout = recognised.layout
    if not layout.rows():
        empty = Finding("", layout.range, UNCHECKED, "rows of numbers and formulas", "", "headings without rows")
        return Table(layout.sheet.title, layout.range, 0, None, None, (empty,))
    reader = Reader(book, layout)
    below = {name: reader.runs(name)[-1][1] for name in ("b1", "b2") if name in layout.columns}
    trained = trained_biases(below)
    constants, judgements = check_constants(reader, trained)
    context = Context(reader, lambda: stored(layout.sheet), constants, recognised.stand_ins, recognised.typed)
    context = replace(context, opposite=opposite_slopes(context))
    computed = Computed(context).judgements()
    updates, wrong = read_updates(context)
    rates, wrong_rates = check_rates(context, updates)
    judgements += in_their_places(context, wrong + wrong_rates)
    table = _computed(context)
    context, numbers = _numbers(context, rates, table.values)
    judgements += check_signs(context)
    lacking = _lacking(recognised, reader, computed)
    missing = list(_missing(layout, lacking))
    wrong_formulas = any(judgement.severity != WARNING for judgement in computed)
    words = other_network(context, numbers.rate, trained, lacking) if wrong_formulas or missing or trained else None
    if words:
        computed, missing = [], [Finding("", layout.range, UNCHECKED, "", "", words)]
    judgements += computed + numbers.judgements
    descended = _descended(context, table, rates, numbers)
    serious = bool(missing) or any(judgement.severity != WARNING for judgement in judgements)
    if descended.objection and not serious:
        judgements.append(descended.objection)
    judged = {(judgement.column, row) for judgement in judgements for row in judgement.rows}
    return Table(
        sheet=layout.sheet.title,
        range=layout.range,
        rows=len(layout.rows()),
        learning_rate=_first_rate(rates, descended.rates, numbers),
        learning_rate_source=rates.usual and rates.usual.source,
        findings=(
            *_grouped(layout, judgements),
            *check_strays(context, rates.usual, judged),
            *check_labels(context),
            *check_rate_labels(context, updates),
            *missing,
            *_unread(layout),
        ),
        biases={unit: str(context.bias_terms[unit]) for unit in context.bias},
        recomputed=numbers.recomputed,
        losses=tuple(loss for loss in table.values.get("E_total", ()) if not math.isnan(loss)),
        right_losses=tuple(descended.right.get("E_total", ())),
        from_0=layout.from_0,
    )


def _numbers(context: Context, rates: Rates, values: Values) -> tuple[Context, Numbers]:
    """What the numbers say, and whether these have derivatives of the other sign, where no formula told."""
    numbers = check_numbers(context, rates.usual, values)
    if numbers.rate is not None and numbers.rate < 0 and not context.opposite:
        turned = replace(context, opposite=SLOPES)
        other = check_numbers(turned, rates.usual, values)
        if len(other.judgements) < len(numbers.judgements):
            return turned, other
    return context, numbers


def _first_rate(rates: Rates, found: list[float], numbers: Numbers) -> float | None:
    scheduled = rates.usual is not None and rates.usual.schedule is not None
    if scheduled or rates.other:
        return found[0] if found else None
    return numbers.rate


def _computed(context: Context) -> _Computed:
    try:
        return _Computed(simulate(context))
    except NotComputed as error:
        words = f"a spreadsheet program computes no number here: it {error.reason}"
        return _Computed({}, _objection(context, error.column, error.row, words))


def _descended(context: Context, table: _Computed, rates: Rates, numbers: Numbers) -> _Descended:
    """Hold the numbers of the whole table against the descent from its first row.

    Numbers alone are right to the digits they show; among formulas they have to be what the descent gives.
    """
    layout = context.layout
    if table.failure:
        return _Descended([], {}, table.failure)
    corner = next(iter(layout.columns))
    try:
        found = learning_rates(context, table.values, rates, numbers.rate)
        right = descent(context, table.values, found)
    except (KeyError, IndexError, ArithmeticError):
        words = "no descent starts from the numbers of the first row"
        return _Descended([], {}, _objection(context, corner, layout.first, words))
    if rates.usual is not None and min(found, default=1.0) <= 0 and numbers.rate != 0:
        words = "the learning rate is not above zero in every row"
        return _Descended(found, right, _objection(context, corner, layout.first, words))
    numbers_alone = len(numbers.recomputed) == sum(name not in CONSTANT for name in layout.columns)
    parted = None if numbers_alone else first_difference(table.values, right)
    if parted is None:
        return _Descended(found, right)
    name, place, shown, expected = parted
    words = f"computed, it is {shown!r} where the descent gives {expected!r}"
    return _Descended(found, right, _objection(context, name, layout.first + place, words, repr(expected)))


def _objection(context: Context, name: str, row: int, words: str, expected: str = "") -> Judgement:
    return Judgement(name, range(row, row + 1), "computed", words, expected, context.layout.typed(name, row))


def _grouped(layout: Layout, judgements: list[Judgement]) -> Iterator[Finding]:
    """One finding for all the cells that make the same mistake: those of a column, or of all with the same cause."""
    groups: dict[tuple, list[Judgement]] = {}
    order = [*layout.columns, *layout.beside]
    for judgement in sorted(judgements, key=lambda one: (order.index(one.column), one.rows.start)):
        source = (judgement.column, judgement.kind) if judgement.cause is None else (None, judgement.cause)
        groups.setdefault((source, judgement.severity, judgement.place), []).append(judgement)
    for group in groups.values():
        first = group[0]
        cells: dict[str, list[int]] = {judgement.column: [] for judgement in group}
        for judgement in group:
            cells[judgement.column] += judgement.rows
        columns = ", ".join(cells)
        if place := first.place:
            words = f"{first.message}; it spoils {columns}"
            yield Finding(place, place, first.severity, first.expected, first.found, words)
            continue
        yield Finding(columns, layout.span(cells), first.severity, first.expected, first.found, first.message)


def _unread(layout: Layout) -> Iterator[Finding]:
    if layout.beyond is not None:
        cells = layout.sheet.address(layout.beyond, next(iter(layout.columns.values())))
        words = f"what goes on at {cells} is not read, for something else stands before it"
        yield Finding("", cells, UNCHECKED, "", "", f"{words}; close the gap, or give it headings of its own")


def _lacking(table: Recognised, reader: Reader, computed: list[Judgement]) -> list[str]:
    """The missing columns that a table cannot do without.

    A sum or a unit's error need not stand in a column of its own where what is computed from it has right formulas.
    """
    doubted = {judgement.column for judgement in computed if judgement.severity != WARNING}
    right = {
        name
        for name in {*_WRITTEN_OUT_IN.values()} & table.layout.columns.keys() - doubted
        if any(isinstance(content, Formula) for _, content in reader.runs(name))
    }
    return [name for name in table.missing if _WRITTEN_OUT_IN.get(name) not in right]


def _missing(layout: Layout, lacking: list[str]) -> Iterator[Finding]:
    place = layout.range.split(":")[0]
    words = "no column is headed so, or not in a way that was recognised"
    for name in lacking:
        yield Finding(name, place, UNCHECKED, f"a column {name}", "", words)
