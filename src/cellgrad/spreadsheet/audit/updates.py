"""The weights: typed in the first row, below it the weight above minus the learning rate times the derivative above."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS
from cellgrad.spreadsheet.audit.reading import ERROR, UNCHECKED, Formula, Judgement, column_and_offset, in_row
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, evaluate, read_reference, tokenize
from cellgrad.spreadsheet.printer import excel_formula
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
    on_side: bool = False  # whether the table lies on its side, and the file has rows for columns

    def moved_to(self, row: int) -> Update:
        """The same update in another row: its cells move unless they are fixed."""
        return replace(self, row=row, cells=tuple(cell.moved(row - self.row, 0) for cell in self.cells))

    @property
    def source(self) -> str:
        """The learning rate's cell, or the number typed, or the formula of its schedule."""
        turned = (Reference(c.column, c.row, sheet=c.sheet) if self.on_side else c for c in self.cells)
        fixed = {str(replace(cell, row_fixed=True, column_fixed=True)) for cell in turned}
        if self.schedule is not None:
            return f"the schedule {self.schedule}"
        return ", ".join(sorted(fixed)) or f"{self.rate:g}"

    @property
    def said(self) -> str:
        """The learning rate's cell for a sentence: without dollar signs."""
        return self.source.replace("$", "")

    def number_or_cell(self, context: Context, row: int) -> str:
        """What to type for the learning rate into an update of that row."""
        if self.rate is None and self.schedule is None and any(map(context.layout.has, self.cells)):
            return "learning rate"
        if self.schedule is None:
            return self.source
        cells = {}
        for symbol in self.schedule.free_symbols:
            name, offset = column_and_offset(symbol)
            beside = name in context.layout.beside
            cells[symbol] = context.layout.address(name, row + offset) if beside else str(symbol)
        written = excel_formula(self.schedule, cells).removeprefix("=")
        return written if self.schedule.is_Symbol else f"({written})"


Updates = dict[str, list[tuple[range, Update]]]  # of each weight: rows and the update that they share


def read_updates(context: Context) -> tuple[Updates, list[Judgement]]:
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
    usual = usual_update(updates)
    return updates, [
        judgement
        if judgement.expected or judgement.severity == UNCHECKED
        else replace(judgement, expected=right_update(context, judgement.column, judgement.rows.start, usual))
        for judgement in judgements
    ]


def usual_update(updates: Updates) -> Update | None:
    """The first update, as in most columns: the row that was typed before it was filled down."""
    first = [column[0][1] for column in updates.values() if column]
    right = [update for update in first if update.rate is not None or update.schedule is not None] or first
    most_common = Counter((update.rate, update.source) for update in right).most_common(1)
    return next((update for update in right if (update.rate, update.source) == most_common[0][0]), None)


def right_update(context: Context, name: str, row: int, usual: Update | None) -> str:
    """The formula to type into a weight's cell, in cells and in names."""
    layout, slope, sign = context.layout, f"dE_d{name}", "-" if context.sign(name) > 0 else "+"
    rate = usual.number_or_cell(context, row) if usual else "learning rate"
    weight = layout.address(name, row - 1)
    if slope in layout.columns:
        above = layout.address(slope, row - 1)
    else:  # the derivative is written out
        above = "({})".format(context.in_cells(context.definition(slope), row - 1).partition(", ")[0].lstrip("="))
    return f"={weight}{sign}{rate}*{above}, which is {name}[-1]{sign}{rate}*{slope}[-1]"


def _read_column(context: Context, name: str) -> Iterator[tuple[range, Update] | Judgement]:
    reader, layout = context.reader, context.layout
    judged: dict[tuple, Update | Judgement] = {}
    for run, content in reader.runs(name):
        if isinstance(content, Judgement):
            yield content
        elif not isinstance(content, Formula):
            continue
        elif run.start == layout.first:
            if fault := reader.fault(name, run, content):
                yield fault
            elif content.exact.free_symbols - reader.values.keys():
                words = "the first weight is computed from the table, where a number belongs"
                yield Judgement(name, run, "first", words, "a number", f"={content.text}", cause=words)
        else:
            for rows, expression in context.expanded(run, content):
                if isinstance(expression, FormulaError):
                    yield replace(reader.unread(expression, name, rows.start), rows=rows)
                    continue
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
    copied = _copied(context, name, row)
    cells = copied[1].outside if copied and isinstance(copied[1], Formula) else reading.outside
    if rate is not None and rate >= 0:
        return Update(rate, cells, row, on_side=context.layout.on_side)
    if rate is not None and (judgement := _below_zero(context, name, row, expression)):
        return judgement
    right = ""
    if rate is not None:
        words = "the update goes uphill: the sign before the learning rate is the wrong way round"
        descending = Update(-rate, cells, row, on_side=context.layout.on_side)
        right = right_update(context, name, row, descending)
    elif beside and (schedule := _schedule(context, expression, name, beside)) is not None:
        return Update(None, (), row, schedule)
    elif stray := _with_stray_rate(context, name, row):
        return stray
    else:
        words = _from_afar(context, name, row, expression) or _mistake(context, name, expression)
    found = context.found(name, row, reading)
    return Judgement(
        name, range(row, row + 1), ("update", reading.pattern), words, right, found, cause=_shared(name, words)
    )


def _below_zero(context: Context, name: str, row: int, expression: sp.Expr) -> Judgement | None:
    """The judgement on an update that goes uphill because the cell of its learning rate holds a number below zero."""
    cells = context.reader.outside(expression)
    rate = context.reader.values[next(iter(cells))] if len(cells) == 1 else 0
    if rate >= 0:
        return None
    place, words = str(next(iter(cells))), f"the learning rate {float(rate):g} is below zero: the updates go uphill"
    right, found = f"{float(-rate):g}", f"{float(rate):g}"
    return Judgement(name, range(row, row + 1), "below", words, right, found, cause=(place, words), place=place)


# New weights in a column beside the table, which the next row does no more than copy


def written_at(context: Context, name: str, row: int) -> tuple[str, int]:
    """The column and the row in which the update of a weight in some row is computed."""
    copied = _copied(context, name, row)
    return (copied[0], row - 1) if copied else (name, row)


def in_their_places(context: Context, judgements: list[Judgement]) -> list[Judgement]:
    """The judgements on updates, those on a copy of a new weight in the place of what it copies."""
    return [_in_its_place(context, judgement) for judgement in judgements]


def _in_its_place(context: Context, judgement: Judgement) -> Judgement:
    name, row, layout = judgement.column, judgement.rows.start, context.layout
    copied = None if judgement.place or name not in WEIGHT else _copied(context, name, row)
    words = judgement.message.replace(" of the row above", "")
    if copied is None or "own row" in words or "row above" in words:  # these are rows as the copy sees them
        return judgement
    helper, held = copied
    rows = range(row - 1, judgement.rows.stop - 1)
    typed, _, named = judgement.expected.partition(", which is ")
    expected = ", which is ".join([typed, *([named.replace("[-1]", "")] if named else [])])
    if isinstance(held, float):
        words, found = "a number typed over the formula", f"{held:.15g}"
        return Judgement(helper, rows, "typed over", words, expected, found, cause=words)
    last = context.reader.content(helper, rows.stop) if rows.stop == layout.rows(name)[-1] else None
    if judgement.severity == ERROR and isinstance(last, Formula) and last.pattern == held.pattern:
        rows = range(rows.start, rows.stop + 1)  # filled down to the last row, too, which nothing copies
    found = context.found(helper, rows.start, held)
    return replace(judgement, column=helper, rows=rows, message=words, expected=expected, found=found)


def _copied(context: Context, name: str, row: int) -> tuple[str, Formula | float] | None:
    """The column beside the table whose cell of the row above a weight copies, and what that cell holds.

    None where the weight is no copy, or one of what has nothing to do with it.
    """
    content = context.reader.content(name, row)
    if not isinstance(content, Formula) or not content.expression.is_Symbol:
        return None
    helper, offset = column_and_offset(content.expression)
    if offset != -1 or helper not in context.layout.beside:
        return None
    held = context.reader.content(helper, row - 1)
    own = {SYMBOLS[name], SYMBOLS[f"dE_d{name}"]}
    if isinstance(held, float) or (isinstance(held, Formula) and held.expression.free_symbols & own):
        return helper, held
    return None


def update_of(context: Context, name: str, text: str, row: int) -> float | str:
    """The learning rate of a formula that would be a weight's update in some row, or what is wrong with it.

    Raises FormulaError for a formula that cannot be read.
    """
    expression = _seen_from_above(context.in_table(context.reader.parsed_with(text, row, {})))
    if sp.expand(expression).coeff(SYMBOLS[name]) != 1:
        raise FormulaError("does not start from the weight")
    rate = _rate(context, expression, name, f"dE_d{name}")
    if rate is None:
        return _mistake(context, name, expression)
    return rate if rate >= 0 else "it goes uphill: the sign before the learning rate is the wrong way round"


def cells_of_zero(context: Context, text: str, row: int) -> list[str]:
    """The cells outside the table that such a formula takes a zero, or nothing, from."""
    reader = context.reader
    taken = reader.outside(context.in_table(reader.parsed_with(text, row, {})))
    return sorted(str(cell) for cell in taken if reader.values[cell] == 0)


def _shared(name: str, words: str) -> str | None:
    """The cause of what is said of several weights in the same words; None of what names columns of one."""
    return None if name in words or "dE_d" in words else words


_OWN_ROW = {sp.Symbol(f"{name} of its own row", real=True): SYMBOLS[name] for name in SYMBOLS if name not in CONSTANT}
_FROM_ABOVE = {in_row(str(name), -1): name for name in _OWN_ROW.values()} | {
    name: own for own, name in _OWN_ROW.items()
}


def _seen_from_above(expression: sp.Expr) -> sp.Expr:
    """An update as its row above would say it: w1[-1] becomes w1, and w1 becomes "w1 of its own row"."""
    return expression.xreplace(_FROM_ABOVE)


def _column_beside(context: Context, symbol: sp.Symbol) -> bool:
    return column_and_offset(symbol)[0] in context.layout.beside and symbol not in context.reader.values


def _rate(context: Context, expression: sp.Expr, weight: str, slope: str) -> float | None:
    """The number η for which an update is weight - η * slope, at every point; None if there is none."""
    outside = context.reader.outside(expression)
    at = context.points_with(outside)
    try:
        steps = [point[SYMBOLS[weight]] - evaluate(expression, point) for point in at]
        rates = [context.sign(weight) * step / point[SYMBOLS[slope]] for step, point in zip(steps, at, strict=True)]
    except (KeyError, FormulaError):
        return None
    if rates[0] == 0 and not outside:
        return None
    close = PRECISE.mpf(10) ** -25 * (1 + abs(rates[0]))
    return float(rates[0]) if all(abs(rate - rates[0]) < close for rate in rates) else None


def _tried(beside: set[sp.Symbol]) -> dict[sp.Symbol, sp.Rational]:
    return {symbol: sp.Rational(17 + 4 * place, 11) for place, symbol in enumerate(sorted(beside, key=str))}


def step(context: Context, name: str, as_written: bool = False) -> float | None:
    """The number that a weight's first update multiplies the derivative by and subtracts; None if it is no update.

    `as_written`, every cell of the learning rate counts as a number above zero, whatever it holds.
    """
    if name in context.layout.columns:
        for run, content in context.reader.runs(name):
            if run.start > context.layout.first and isinstance(content, Formula):
                _, written = next(context.expanded(run, content))
                if isinstance(written, FormulaError):
                    return None
                expression = _seen_from_above(written)
                beside = {symbol for symbol in expression.free_symbols if _column_beside(context, symbol)}
                if as_written:
                    held = context.reader.values.keys() | context.reader.texts.keys()
                    beside |= expression.free_symbols & held - context.bias_cells
                return _rate(context, expression.xreplace(_tried(beside)), name, f"dE_d{name}")
    return None


def _schedule(context: Context, expression: sp.Expr, weight: str, beside: set[sp.Symbol]) -> sp.Expr | None:
    """The learning rate in terms of columns beside the table; None where the formula is no such update."""
    if _rate(context, expression.xreplace(_tried(beside)), weight, f"dE_d{weight}") is None:
        return None
    rate = sp.expand(
        -context.sign(weight) * expression.xreplace({SYMBOLS[weight]: sp.S.Zero, SYMBOLS[f"dE_d{weight}"]: sp.S.One})
    )
    return rate if rate.free_symbols <= beside | context.reader.values.keys() else None


def _with_stray_rate(context: Context, name: str, row: int) -> Update | None:
    """An update that is right but for one cell of the table, or one text, in the learning rate's place."""
    column, place = written_at(context, name, row)
    text, reader = str(context.layout.value(column, place)), context.reader
    stranger = sp.Symbol("?", real=True)
    try:
        cells = [read_reference(token.text, token.sheet) for token in tokenize(text) if token.kind == "cell"]
    except FormulaError:
        return None
    for cell in dict.fromkeys(cells):
        written = context.in_table(reader.parsed_with(text, place, {cell: stranger}))
        seen = written if place < row else _seen_from_above(written)
        tried = seen.xreplace({stranger: sp.Rational(17, 11)})
        if _rate(context, tried, name, f"dE_d{name}") == 17 / 11:
            return Update(None, (cell,), row, on_side=context.layout.on_side)
    return None


def _from_afar(context: Context, name: str, row: int, expression: sp.Expr) -> str | None:
    """Words for an update that is right but for the rows that it looks into, as seen from the row above."""
    places = {symbol: column_and_offset(symbol) for symbol in expression.free_symbols}
    moved = {symbol: (other, offset) for symbol, (other, offset) in places.items() if offset and other in SYMBOLS}
    near = expression.xreplace({symbol: SYMBOLS[other] for symbol, (other, _) in moved.items()})
    if not moved or _rate(context, near, name, f"dE_d{name}") is None:
        return None
    names, offsets = sorted({other for other, _ in moved.values()}), {offset for _, offset in moved.values()}
    if fixed := context.reader.held_fast(name, row, row - 1):
        where = f"{fixed}, where a $ holds the row,"
    elif len(offsets) > 1:
        where = "other rows"
    else:
        (offset,) = offsets
        where = "the row below" if offset == 1 else f"{abs(offset)} rows {'above' if offset < 0 else 'below'}"
    return f"takes {', '.join(names)} from {where} and not from the row above"


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
