"""The weights: typed in the first row, below it the weight above minus the learning rate times the derivative above."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS
from cellgrad.spreadsheet.audit.reading import WARNING, Formula, Verdict, in_row, outside_cell
from cellgrad.spreadsheet.audit.tables import CONSTANT, RATE_HEADING, WEIGHT, plain
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, evaluate, parse, read_reference, tokenize
from cellgrad.toynet import COLUMNS


@dataclass(frozen=True)
class Update:
    """How a weight's update reads: its learning rate as a number, and the cells outside the table that it takes."""

    rate: float | None  # None: what stands in its place is no number, but a heading or a cell of the table
    cells: tuple[Reference, ...]
    row: int

    def moved_to(self, row: int) -> Update:
        """The same update in another row: its cells move unless they are fixed."""
        return replace(self, row=row, cells=tuple(cell.moved(row - self.row, 0) for cell in self.cells))

    @property
    def source(self) -> str:
        """The learning rate's cell, or the number typed."""
        fixed = {str(replace(cell, row_fixed=True, column_fixed=True)) for cell in self.cells}
        return ", ".join(sorted(fixed)) or f"{self.rate:g}"

    @property
    def said(self) -> str:
        """The learning rate's cell for a sentence: without dollar signs."""
        return self.source.replace("$", "")


Updates = dict[str, dict[int, Update]]  # weight: row: update


def check_updates(context: Context) -> tuple[Updates, list[Verdict]]:
    """Read every weight. Returns the updates, whose learning rates are yet to be compared, and what is none."""
    reader, layout = context.reader, context.layout
    updates: Updates = {}
    verdicts: list[Verdict] = []
    for name in WEIGHT:
        if name not in layout.columns:
            continue
        updates[name] = {}
        judged: dict[Formula, Update | Verdict] = {}
        for row, content in reader.cells(name, layout.rows):
            if isinstance(content, Verdict):
                verdicts.append(content)
            elif not isinstance(content, Formula):
                continue
            elif row == layout.first:
                if content.expression.free_symbols - reader.values.keys():
                    words = "the first weight is computed from the table, where a number belongs"
                    verdicts.append(Verdict(name, row, "first", words, "a number", f"={content.text}"))
            else:
                if content not in judged:
                    judged[content] = _judge(context, name, row, content)
                if isinstance(update := judged[content], Update):
                    updates[name][row] = update.moved_to(row)
                else:
                    verdicts.append(replace(update, row=row))
    return updates, verdicts


def _judge(context: Context, name: str, row: int, reading: Formula) -> Update | Verdict:
    expression = _seen_from_above(context.in_table(reading.expression))
    rate = _rate(context, expression, name, f"dE_d{name}")
    if rate is not None and rate >= 0:
        return Update(rate, reading.outside, row)
    if rate is not None:
        words = "the update goes uphill: the sign before the learning rate is the wrong way round"
    elif stray := _with_stray_rate(context, name, row):
        return stray
    else:
        words = _mistake(context, name, expression)
    expected = f"{name}[-1] - learning rate * dE_d{name}[-1]"
    return Verdict(name, row, reading.pattern, words, expected, context.found(name, row, reading))


_OWN_ROW = {sp.Symbol(f"{name} of its own row", real=True): SYMBOLS[name] for name in SYMBOLS if name not in CONSTANT}
_FROM_ABOVE = {in_row(str(name), -1): name for name in _OWN_ROW.values()} | {
    name: own for own, name in _OWN_ROW.items()
}


def _seen_from_above(expression: sp.Expr) -> sp.Expr:
    """An update as its row above would say it: w1[-1] becomes w1, and w1 becomes "w1 of its own row"."""
    return expression.xreplace(_FROM_ABOVE)


def _rate(context: Context, expression: sp.Expr, weight: str, slope: str) -> float | None:
    """The number η for which an update is weight - η * slope, at every point; None if there is none."""
    outside = context.reader.outside(expression)
    at = context.points_with(outside)
    try:
        rates = [(point[SYMBOLS[weight]] - evaluate(expression, point)) / point[SYMBOLS[slope]] for point in at]
    except (KeyError, FormulaError):
        return None
    if rates[0] == 0 and not outside:
        return None
    close = PRECISE.mpf(10) ** -25 * (1 + abs(rates[0]))
    return float(rates[0]) if all(abs(rate - rates[0]) < close for rate in rates) else None


def _with_stray_rate(context: Context, name: str, row: int) -> Update | None:
    """An update that is right but for one cell of the table, or one heading, in the learning rate's place."""
    text, reader = context.layout.cell(name, row), context.reader
    stranger = sp.Symbol("?", real=True)
    try:
        cells = [read_reference(token.text, token.sheet) for token in tokenize(text) if token.kind == "cell"]
    except FormulaError:
        return None
    for cell in dict.fromkeys(cells):

        def resolve(other: Reference, cell: Reference = cell) -> sp.Expr:
            return stranger if other == cell else reader.meaning(other, row)

        expression = _seen_from_above(context.in_table(parse(text, resolve, reader.book.names)))
        if _rate(context, expression.xreplace({stranger: sp.Rational(17, 11)}), name, f"dE_d{name}") == 17 / 11:
            return Update(None, (cell,), row)
    return None


def _mistake(context: Context, name: str, expression: sp.Expr) -> str:
    """Words for a formula that is no update of this weight, as seen from the row above."""
    slope = f"dE_d{name}"

    def updates(expression: sp.Expr, weight: str, slope: str) -> bool:
        return _rate(context, expression, weight, slope) is not None

    if own_row := {symbol: _OWN_ROW[symbol] for symbol in expression.free_symbols & _OWN_ROW.keys()}:
        names = sorted(map(str, own_row.values()))
        words = f"takes {', '.join(names)} from its own row and not from the row above"
        circle = "" if set(names) <= set(WEIGHT) else ", in a circle"
        beyond = "" if updates(expression.xreplace(own_row), name, slope) else ", and is not right otherwise either"
        return words + circle + beyond
    for other in COLUMNS[-8:]:
        if other != slope and updates(expression, name, other):
            return f"the wrong derivative: {other} where {slope} belongs"
    for other in WEIGHT:
        if other != name and updates(expression, other, slope):
            return f"starts from {other} and not from {name}"
    for other in COLUMNS:
        if other not in (slope, name) and updates(expression, name, other):
            return f"{other} stands where the derivative {slope} belongs"
    if expression == SYMBOLS[name]:
        return "the weight is not updated"
    if updates(expression + SYMBOLS[name], name, slope):
        return f"{name} of the row above is missing"
    return "is not the weight minus learning rate times derivative"


# The learning rate


def usual_update(updates: Updates) -> Update | None:
    """The first update, as in most columns: the row that was typed before it was filled down."""
    rows = [row for column in updates.values() for row in column]
    first = [column[min(rows)] for column in updates.values() if rows and min(rows) in column]
    most_common = Counter((update.rate, update.source) for update in first).most_common(1)
    return next((update for update in first if (update.rate, update.source) == most_common[0][0]), None)


def check_rates(context: Context, name: str, updates: dict[int, Update], usual: Update) -> Iterator[Verdict]:
    """Verdicts on updates whose learning rate comes from somewhere else than the usual one, or may slide."""
    layout, slope = context.layout, f"dE_d{name}"
    slid = {
        row: [cell for cell in update.cells if _is_slid(context, cell, usual, name, row)]
        for row, update in updates.items()
        if not _from_rate_column(context, update, usual)
    }
    filled_down = len(layout.rows) > 2 and not any(slid.values())
    for row, update in updates.items():
        above = layout.address(slope, row - 1) if slope in layout.columns else slope
        expected = f"={layout.address(name, row - 1)}-{usual.source}*{above}"
        verdict = partial(Verdict, name, row, expected=expected, found=layout.cell(name, row))
        if update.source == usual.source:
            factor = update.rate / usual.rate if update.rate is not None and usual.rate else 1.0
            if not math.isclose(factor, 1.0, rel_tol=1e-12):
                words = f"takes {factor:.9g} times the learning rate that the other updates take"
                yield verdict(("factor", factor), words)
            elif outside_cell(usual.said) in context.reader.empty:
                words = f"the learning rate's cell {usual.said} is empty, so that nothing changes"
                yield verdict("no rate", words)
            elif row in slid and not filled_down and any(not cell.row_fixed for cell in update.cells):
                words = f"right here, but the learning rate would slide when filled down; write {usual.source}"
                yield verdict("loose", words, severity=WARNING)
        elif row not in slid:
            continue
        elif slid[row]:
            below = [(place, updates[place]) for place in range(row, row + 4) if place in updates]
            reads = ", ".join(f"{layout.address(name, place)} reads {other.said}" for place, other in below[:3])
            words = (
                f"the learning rate slides: {slid[row][0]} is not fixed, so that filled down or across {reads}"
                f"{', …' if len(below) > 3 else ''} and not {usual.said}; write {usual.source}"
            )
            yield verdict("slides", words)
        elif update.cells:
            holds = "" if update.rate is None else f" ({update.rate:g})"
            words = f"takes the learning rate from {update.said}{holds}, the other updates from {usual.said}"
            yield verdict(("rate", update.source), words)
        elif update.rate == 1:
            yield verdict("rate 1", f"the derivative is not multiplied by the learning rate of {usual.said}")
        else:
            words = f"the learning rate {update.rate:g} is typed in, the other updates have {usual.said}"
            yield verdict(("rate", update.rate), words)


def _is_slid(context: Context, cell: Reference, usual: Update, name: str, row: int) -> bool:
    """Whether a cell is where the usual learning rate's cell comes to when it is filled down or to the right."""
    if not usual.cells or ", " in usual.source:  # typed in, or several cells
        return False
    columns = context.layout.columns
    down, across = cell.row - usual.cells[0].row, cell.column - usual.cells[0].column
    steps = [columns[name] - columns[other] for other in WEIGHT if other in columns]
    down_right = down == 0 or (not cell.row_fixed and 0 < down < row - context.layout.first)
    across_right = across == 0 or (not cell.column_fixed and across in steps)
    return (down, across) != (0, 0) and down_right and across_right


def _from_rate_column(context: Context, update: Update, usual: Update) -> bool:
    """Whether the rate stands in a column of the table that is headed as such, and is the usual one."""
    layout = context.layout
    headings = [layout.sheet.value(layout.heading, cell.column) for cell in update.cells if cell.sheet is None]
    headed = [isinstance(text, str) and bool(RATE_HEADING.fullmatch(plain(text))) for text in headings]
    if not headed or not all(headed) or update.rate is None or usual.rate is None:
        return False
    return math.isclose(update.rate, usual.rate, rel_tol=1e-12)
