"""The weights: typed in the first row, below it the weight above minus the learning rate times the derivative above."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, column_symbol
from cellgrad.spreadsheet.audit.reading import ELSEWHERE, WARNING, Formula, Judgement, in_row, outside_cell
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, evaluate, read_reference, tokenize
from cellgrad.toynet import COLUMNS


@dataclass(frozen=True)
class Update:
    """How a weight's update reads: its learning rate as a number, and the cells outside the table that it takes.

    Where the rate comes from columns beside the table, `schedule` says it in terms of them.
    """

    rate: float | None  # None: what stands in its place is no number, but a text or a cell of the table
    cells: tuple[Reference, ...]
    row: int
    schedule: sp.Expr | None = None

    def moved_to(self, row: int) -> Update:
        """The same update in another row: its cells move unless they are fixed."""
        return replace(self, row=row, cells=tuple(cell.moved(row - self.row, 0) for cell in self.cells))

    @property
    def source(self) -> str:
        """The learning rate's cell, or the number typed, or the formula of its schedule."""
        fixed = {str(replace(cell, row_fixed=True, column_fixed=True)) for cell in self.cells}
        if self.schedule is not None:
            return f"the schedule {self.schedule}"
        return ", ".join(sorted(fixed)) or f"{self.rate:g}"

    @property
    def said(self) -> str:
        """The learning rate's cell for a sentence: without dollar signs."""
        return self.source.replace("$", "")


Updates = dict[str, list[tuple[range, Update]]]  # of each weight: rows and the update that they share


def check_updates(context: Context) -> tuple[Updates, list[Judgement]]:
    """Read every weight. Returns the updates, whose learning rates are yet to be compared, and what is no update."""
    updates: Updates = {}
    judgements: list[Judgement] = []
    for name in WEIGHT:
        if name in context.layout.columns:
            updates[name] = []
            for found in _read_column(context, name):
                if isinstance(found, Judgement):
                    judgements.append(found)
                else:
                    updates[name].append(found)
    return updates, judgements


def _read_column(context: Context, name: str) -> Iterator[tuple[range, Update] | Judgement]:
    reader, layout = context.reader, context.layout
    judged: dict[tuple, Update | Judgement] = {}
    for run, content in reader.runs(name):
        if isinstance(content, Judgement):
            yield content
        elif not isinstance(content, Formula):
            continue
        elif run.start == layout.first:
            if content.exact.free_symbols - reader.values.keys():
                words = "the first weight is computed from the table, where a number belongs"
                yield Judgement(name, run, "first", words, "a number", f"={content.text}")
        else:
            try:
                parts = list(context.expanded(run, content))
            except FormulaError as error:
                yield replace(reader.unread(error, name, run.start), rows=run)
                continue
            for rows, expression in parts:
                key = content, expression
                if key not in judged:
                    judged[key] = _judge(context, name, rows.start, content, expression)
                found = judged[key]
                if isinstance(found, Update):
                    yield rows, found.moved_to(rows.start)
                else:
                    yield replace(found, rows=rows)


def _judge(context: Context, name: str, row: int, reading: Formula, written: sp.Expr) -> Update | Judgement:
    expression = _seen_from_above(written)
    beside = {symbol for symbol in expression.free_symbols if _column_beside(context, symbol)}
    rate = _rate(context, expression, name, f"dE_d{name}")
    if rate is not None and rate >= 0:
        return Update(rate, reading.outside, row)
    if rate is not None:
        words = "the update goes uphill: the sign before the learning rate is the wrong way round"
    elif beside and (schedule := _schedule(context, expression, name, beside)) is not None:
        return Update(None, (), row, schedule)
    elif stray := _with_stray_rate(context, name, row):
        return stray
    else:
        words = _mistake(context, name, expression)
    expected = f"{name}[-1] - learning rate * dE_d{name}[-1]"
    return Judgement(name, range(row, row + 1), reading.pattern, words, expected, context.found(name, row, reading))


_OWN_ROW = {sp.Symbol(f"{name} of its own row", real=True): SYMBOLS[name] for name in SYMBOLS if name not in CONSTANT}
_FROM_ABOVE = {in_row(str(name), -1): name for name in _OWN_ROW.values()} | {
    name: own for own, name in _OWN_ROW.items()
}


def _seen_from_above(expression: sp.Expr) -> sp.Expr:
    """An update as its row above would say it: w1[-1] becomes w1, and w1 becomes "w1 of its own row"."""
    return expression.xreplace(_FROM_ABOVE)


def _column_beside(context: Context, symbol: sp.Symbol) -> bool:
    match = ELSEWHERE.fullmatch(str(symbol))
    name = match[1] if match else str(symbol)
    return name in context.layout.beside and symbol not in context.reader.values


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


def _schedule(context: Context, expression: sp.Expr, weight: str, beside: set[sp.Symbol]) -> sp.Expr | None:
    """The learning rate in terms of columns beside the table; None where the formula is no such update."""
    tried = {symbol: sp.Rational(17 + 4 * place, 11) for place, symbol in enumerate(sorted(beside, key=str))}
    if _rate(context, expression.xreplace(tried), weight, f"dE_d{weight}") is None:
        return None
    rate = sp.expand(-expression.xreplace({SYMBOLS[weight]: sp.S.Zero, SYMBOLS[f"dE_d{weight}"]: sp.S.One}))
    return rate if rate.free_symbols <= beside | context.reader.values.keys() else None


def _with_stray_rate(context: Context, name: str, row: int) -> Update | None:
    """An update that is right but for one cell of the table, or one text, in the learning rate's place."""
    text, reader = context.layout.value(name, row), context.reader
    stranger = sp.Symbol("?", real=True)
    try:
        cells = [read_reference(token.text, token.sheet) for token in tokenize(text) if token.kind == "cell"]
    except FormulaError:
        return None
    for cell in dict.fromkeys(cells):
        written = context.in_table(reader.parsed_with(text, row, {cell: stranger}))
        tried = _seen_from_above(written).xreplace({stranger: sp.Rational(17, 11)})
        if _rate(context, tried, name, f"dE_d{name}") == 17 / 11:
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
    first = [column[0][1] for column in updates.values() if column]
    right = [update for update in first if update.rate is not None or update.schedule is not None] or first
    most_common = Counter((update.rate, update.source) for update in right).most_common(1)
    return next((update for update in right if (update.rate, update.source) == most_common[0][0]), None)


def check_rates(context: Context, name: str, updates: list[tuple[range, Update]], usual: Update) -> Iterator[Judgement]:
    """Judgements on updates whose learning rate comes from somewhere else than the usual one, or may slide."""
    layout, slope = context.layout, f"dE_d{name}"
    units = [
        (rows, update.moved_to(rows.start))
        for run, update in updates
        for rows in ([run] if all(cell.row_fixed for cell in update.cells) else [range(r, r + 1) for r in run])
    ]
    by_row = {rows.start: update for rows, update in units}
    slid = {
        row: [cell for cell in update.cells if _is_slid(context, cell, usual, name, row)]
        for row, update in by_row.items()
    }
    filled_down = len(layout.rows()) > 2 and not any(slid.values())
    for rows, update in units:
        row = rows.start
        above = layout.address(slope, row - 1) if slope in layout.columns else slope
        place = "learning rate" if usual.rate is None else usual.source
        expected = f"={layout.address(name, row - 1)}-{place}*{above}"
        judgement = partial(Judgement, name, rows, expected=expected, found=layout.typed(name, row))
        if update.source == usual.source:
            words, kind, severity = _same_source(context, update, usual)
            loose = slid[row] == [] and not filled_down and any(not cell.row_fixed for cell in update.cells)
            if words:
                yield judgement(kind, words, severity=severity)
            elif loose:
                words = f"right here, but the learning rate would slide when filled down; write {usual.source}"
                yield judgement("loose", words, severity=WARNING)
        elif slid[row]:
            below = [(place, by_row[place]) for place in range(row, row + 4) if place in by_row]
            reads = ", ".join(f"{layout.address(name, place)} reads {other.said}" for place, other in below[:3])
            words = (
                f"the learning rate slides: {slid[row][0]} is not fixed, so that filled down or across {reads}"
                f"{', …' if len(below) > 3 else ''} and not {usual.said}; write {usual.source}"
            )
            yield judgement("slides", words)
        else:
            yield judgement(("rate", update.source), _other_rate(update, usual))


def _same_source(context: Context, update: Update, usual: Update) -> tuple[str, object, str]:
    """What is wrong with an update that takes its rate from where most do: words, kind, severity; no words if right."""
    reader, cell = context.reader, outside_cell(usual.said)
    if update.schedule is not None:
        return "", "", ""
    if update.rate is None:
        held = f"the text {reader.texts[cell]!r}" if cell in reader.texts else "a cell of the table"
        return f"the learning rate comes from {usual.said}, {held}, and not from a number", "no number", "error"
    factor = update.rate / usual.rate if usual.rate else 1.0
    if not math.isclose(factor, 1.0, rel_tol=1e-12):
        return f"takes {factor:.9g} times the learning rate that the other updates take", ("factor", factor), "error"
    if cell in reader.empty:
        return f"the learning rate's cell {usual.said} is empty, so that nothing changes", "no rate", "error"
    if update.rate == 0:
        return f"the learning rate of {usual.said} is 0, so that nothing changes", "no rate", WARNING
    if cell in reader.texts:
        words = f"{usual.said} holds {reader.texts[cell]!r} as a text, which not every program takes for a number"
        return words, "text", WARNING
    return "", "", ""


def _other_rate(update: Update, usual: Update) -> str:
    if update.schedule is not None or update.cells:
        holds = "" if update.rate is None else f" ({update.rate:g})"
        return f"takes the learning rate from {update.said}{holds}, the other updates from {usual.said}"
    if update.rate == 1:
        return f"the derivative is not multiplied by the learning rate of {usual.said}"
    return f"the learning rate {update.rate:g} is typed in, the other updates have {usual.said}"


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


def check_schedule(context: Context, updates: Updates, usual: Update) -> Iterator[Judgement]:
    """Judgements on single numbers of a learning rate's column that differ from the one in most rows."""
    column = column_symbol(str(usual.schedule)) if usual.schedule is not None and usual.schedule.is_Symbol else None
    match = ELSEWHERE.fullmatch(str(column)) if column is not None else None
    name, offset = (match[1], int(match[2])) if match else (str(column), 0)
    if name not in context.layout.beside:
        return
    runs = context.reader.runs(name)
    held = Counter()
    for rows, content in runs:
        held[content] += len(rows)
    most, count = held.most_common(1)[0]
    if not isinstance(most, float) or 2 * count <= len(context.layout.rows()):
        return
    for rows, content in runs:
        for weight in updates if content != most and isinstance(content, float) else ():
            moved = range(rows.start - offset, rows.stop - offset)
            words = f"takes the learning rate {content:g} from column {name}, which holds {most:g} elsewhere"
            if moved.start > context.layout.first:
                found = context.layout.typed(weight, moved.start)
                yield Judgement(weight, moved, ("rate", content), words, f"{most:g}", found)
