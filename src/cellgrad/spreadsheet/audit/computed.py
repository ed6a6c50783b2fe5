"""The columns with formulas: each held against its definition, and all of a row together against going in a circle."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.elsewhere import blame_elsewhere
from cellgrad.spreadsheet.audit.helpers import needed_at, wanted
from cellgrad.spreadsheet.audit.mistakes import (
    SYMBOLS,
    WRONG_SIGN,
    Point,
    agrees,
    bracketed,
    column_symbol,
    difference,
    explain,
    same,
)
from cellgrad.spreadsheet.audit.reading import ELSEWHERE, WARNING, Formula, Judgement, cause_elsewhere
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.audit.updates import step, written_at
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, evaluate, read_reference, tokenize
from cellgrad.toynet import COLUMNS

COMPUTED = tuple(name for name in COLUMNS if name not in (*CONSTANT, *WEIGHT))
_SLOPES = frozenset(f"dE_d{name}" for name in WEIGHT)
_TYPED = "a number typed for a column"  # the cause of several warnings
_SLIDES = "a constant slides"  # the kind of judgements that no helper column and no cell elsewhere explains
MOST_TRIED = 500  # ways to read the numbers of one formula as columns
MOST_EXPLAINED = 60  # distinct wrong formulas for which the mistake is searched; the rest is reported without words


class Computed:
    """Judges every formula of the computed columns, each distinct one once."""

    def __init__(self, context: Context):
        self.context = context
        self.explained = 0
        self.wrong: list[tuple[Judgement, Formula]] = []
        self._needs: dict[tuple, list | None] = {}

    def judgements(self) -> list[Judgement]:
        """What is wrong with the computed columns; a helper column that spoils several is said once."""
        other: list[Judgement] = []
        for name in self.context.layout.columns:
            if name not in (*CONSTANT, *WEIGHT):
                other += self._column(name)
        doubted = {(judgement.column, row) for judgement in other for row in judgement.rows}
        questioned = doubted | {(judgement.column, row) for judgement, _ in self.wrong for row in judgement.rows}
        helpers = list(self._helpers(doubted))
        elsewhere, self.wrong = blame_elsewhere(self.context, self.wrong, questioned)
        found = other + helpers + elsewhere + _one_cause([judgement for judgement, _ in self.wrong])
        faulty = {(row, judgement.column) for judgement in found for row in judgement.rows}
        return found + list(_circles(self.context, faulty))

    def _column(self, name: str) -> Iterator[Judgement]:
        reader, judged = self.context.reader, {}
        for run, content in reader.runs(name):
            if isinstance(content, Judgement):
                yield content
            if not isinstance(content, Formula):
                continue
            for rows, expression in self.context.expanded(run, content):
                if isinstance(expression, FormulaError):
                    yield replace(reader.unread(expression, name, rows.start), rows=rows)
                    continue
                key = content, expression
                if key not in judged:
                    judged[key] = self._judge(name, rows.start, content, expression)
                if judgement := judged[key]:
                    judgement = replace(judgement, rows=rows)
                    if judgement.severity == WARNING or judgement.kind == _SLIDES:
                        yield judgement
                    else:  # it waits for what the helper columns explain
                        self.wrong.append((judgement, content))

    def _judge(self, name: str, row: int, reading: Formula, expression: sp.Expr) -> Judgement | None:
        """Hold one formula against the definition of its column."""
        context, reader = self.context, self.context.reader
        right = context.definition(name)
        here = range(row, row + 1)
        outside = context.reader.outside(expression)
        text_cells = expression.free_symbols & reader.texts.keys()
        if expression == right:
            return None
        expected, found = context.in_cells(right, row), context.found(name, row, reading)
        at = context.points_with(outside)
        severity, cause = "error", None
        if text_cells - reader.values.keys():
            return _slides(context, name, row, reading) or reader.fault(name, here, reading)
        elif SYMBOLS[name] in expression.free_symbols:
            if slides := _slides(context, name, row, reading):
                return slides
            words = f"{name} is computed from itself, in a circle"
        elif agrees(expression, name, at):
            numbers = outside - context.bias_cells
            if agrees(expression, name, context.points_with(numbers, shift=1)):
                return None
            cells = ", ".join(sorted(f"{cell} holds {float(reader.values[cell]):g}" for cell in numbers))
            words, severity = f"right only as long as {cells}, outside the table", WARNING
        elif words := _stood_in(context, expression, name, at):
            expected, severity = "", WARNING
        elif words := _typed_in(context, name, row, at):
            expected, severity, cause = "", WARNING, _TYPED
        elif slides := _slides(context, name, row, reading):
            return slides
        else:
            cause = _after_the_update(context, reading, name, row, at) or self._words(name, row, expression, right, at)
            words = cause + _numbers_shown(context, name, row, right)
        found = f"={reading.text}" if severity == WARNING else found
        return Judgement(name, here, reading.pattern, words, expected, found, severity, cause)

    def _words(self, name: str, row: int, expression: sp.Expr, right: sp.Expr, at: tuple[Point, ...]) -> str:
        self.explained += 1
        if self.explained > MOST_EXPLAINED:
            return f"differs from the derivation, as more than {MOST_EXPLAINED} other formulas do, each in its own way"
        return (
            _elsewhere(self.context, expression, name, row, at)
            or _turned(self.context, explain(name, expression, right, at), name)
            or _brackets(self.context, name, row, at)
            or difference(expression, name, at)
        )

    def _helpers(self, questioned: set[tuple[str, int]]) -> Iterator[Judgement]:
        """The helper columns whose one mistake explains several wrong columns, which are then not wrong themselves.

        questioned: where a column has got any other judgement.
        """
        readers: dict[str, dict[int, list[str]]] = defaultdict(dict)  # of each helper, by row: columns that read it
        for run, used in self.context.uses():
            for name in self.context.layout.beside:
                columns = [column for column in COMPUTED if name in used.get(column, ())]
                readers[name] |= dict.fromkeys(run, columns)
        while True:
            wrong = questioned | {(judgement.column, row) for judgement, _ in self.wrong for row in judgement.rows}
            blamed = [
                blame for name in self.context.layout.beside for blame in self._blames(name, readers[name], wrong)
            ]
            if not blamed:
                return
            # The one that explains most; of a chain of helpers, the one that the columns read themselves.
            name, needed, users = max(
                blamed, key=lambda found: (len(found[2]), sum(found[0] in formula.same_row for _, formula in found[2]))
            )
            explained = {id(judgement) for judgement, _ in users}
            self.wrong = [pair for pair in self.wrong if id(pair[0]) not in explained]
            spoilt = {row for judgement, _ in users for row in judgement.rows}
            at, right = wanted(self.context, name, needed)
            for run, content in self.context.reader.runs(name):
                if isinstance(content, Formula | float) and (rows := [row for row in run if row in spoilt]):
                    run = range(rows[0], rows[-1] + 1)
                    yield self._helper(name, run, content, right, at, [pair[0].column for pair in users])

    def _blames(
        self, helper: str, readers: dict[int, list[str]], wrong: set[tuple[str, int]]
    ) -> Iterator[tuple[str, list, list]]:
        """What a helper column would have to be at each random network for its users to be right, and its users.

        All its users at once, or those of the same rows. No helper is to blame that another column uses rightly.
        """
        users = self._users(helper)
        by_rows = defaultdict(list)
        for user in users:
            by_rows[user[0].rows].append(user)
        for group in (users, *by_rows.values()):
            wanted = [needed for *_, needed in group]
            agree = all(same(a, b) for other in wanted for a, b in zip(wanted[0], other, strict=True))
            rows = {row for judgement, *_ in group for row in judgement.rows}
            used_rightly = any((column, row) not in wrong for row in rows for column in readers.get(row, ()))
            copied = all(formula.expression == column_symbol(helper) for _, formula, _ in group)
            several = len({judgement.column for judgement, *_ in group}) > 1
            if group and (several or copied) and agree and not used_rightly:
                yield helper, wanted[0], [(judgement, formula) for judgement, formula, _ in group]
                return

    def _users(self, helper: str) -> list[tuple[Judgement, Formula, list]]:
        """The wrong formulas that one number in the helper's place makes right, and that number at each network."""
        needs = ((judgement, formula, self._need(helper, judgement, formula)) for judgement, formula in self.wrong)
        return [(judgement, formula, needed) for judgement, formula, needed in needs if needed is not None]

    def _need(self, helper: str, judgement: Judgement, formula: Formula) -> list | None:
        """The numbers of `_users` for one formula, computed once: it is asked for each helper that is blamed."""
        key = helper, judgement.column, judgement.rows
        if key not in self._needs:
            symbol, needed = column_symbol(helper), [None]
            with suppress(FormulaError, KeyError):
                kept = self.context.with_helper(formula.expression, judgement.rows.start, helper)
                if symbol in kept.free_symbols:
                    at = self.context.points_with([])
                    needed = [needed_at(kept, symbol, judgement.column, point) for point in at]
            self._needs[key] = None if None in needed else needed
        return self._needs[key]

    def _helper(
        self,
        name: str,
        run: range,
        content: Formula | float,
        right: sp.Expr | None,
        at: tuple[Point, ...],
        users: list[str],
    ) -> Judgement:
        row = run.start
        words = "is not what the columns need that are computed from it"
        if isinstance(content, float):
            words, kind, found = "a typed number does not follow the others", "typed", f"{content:.15g}"
        else:
            kind, found = content.pattern, self.context.found(name, row, content)
            _, expression = next(self.context.expanded(run, content))
            self.explained += 1
            if right is not None and isinstance(expression, sp.Expr) and self.explained <= MOST_EXPLAINED:
                words = explain(name, expression, right, at) or words
        head = self.context.layout.sheet.value(self.context.layout.heading, self.context.layout.column(name))
        head = f" ({head[1:20]})" if isinstance(head, str) and head.startswith("'") else ""
        words = f"the helper column {name}{head}: {words}; it spoils {', '.join(dict.fromkeys(users))}"
        expected = self.context.in_cells(right, row) if right is not None else ""
        return Judgement(name, run, kind, words, expected, found)


def _one_cause(judgements: list[Judgement]) -> list[Judgement]:
    """Keep as a common cause what blames another cell, and what is said alike of all eight derivatives."""
    columns: dict[object, set[str]] = defaultdict(set)
    for judgement in judgements:
        columns[judgement.cause].add(judgement.column)
    common = {said for said in columns if said and (columns[said] >= _SLOPES or cause_elsewhere(str(said)))}
    return [judgement if judgement.cause in common else replace(judgement, cause=None) for judgement in judgements]


def _turned(context: Context, words: str | None, name: str) -> str | None:
    """The words of a mistake, and where it is a derivative's sign, what comes of it."""
    rate = step(context, name.removeprefix("dE_d")) if words == WRONG_SIGN and name in _SLOPES else None
    return f"{words}: the updates, which subtract the derivative, go uphill" if rate and rate > 0 else words


def _numbers_shown(context: Context, name: str, row: int, right: sp.Expr) -> str:
    """What the cell shows and what it should, where the file remembers the results of its formulas."""
    stored = {SYMBOLS[other]: context.stored().cell(row, column) for other, column in context.layout.columns.items()}
    values = {symbol: value for symbol, value in stored.items() if isinstance(value, float)}
    if not right.free_symbols | {SYMBOLS[name]} <= values.keys():
        return ""
    try:
        expected = float(evaluate(right, {symbol: PRECISE.mpf(value) for symbol, value in values.items()}))
    except FormulaError:
        return ""
    return f" ({context.layout.address(name, row)} shows {values[SYMBOLS[name]]:.15g} instead of {expected:.15g})"


# What a formula that differs from the derivation does instead, in words


def _stood_in(context: Context, expression: sp.Expr, name: str, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that is right if some of its cells elsewhere stand for columns that hold the same."""
    held = {cell: context.reader.values[cell] for cell in context.reader.outside(expression)}
    for taken in _alike(held, context.usual):
        if agrees(expression.xreplace(taken), name, at):
            said = (f"takes {cell} where the column {column} belongs" for cell, column in taken.items())
            return f"{'; '.join(said)}: right as long as both hold the same"
    return None


def _typed_in(context: Context, name: str, row: int, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that is right if some numbers typed into it stand for columns that hold the same."""
    try:
        written, typed = context.reader.with_typed(context.layout.value(name, row), row)
    except FormulaError:
        return None
    written = context.in_table(written)
    for taken in _alike(typed, context.usual):
        if agrees(written.xreplace(typed | taken), name, at):
            said = {
                f"takes {float(typed[one]):g} where the column {column} belongs": None for one, column in taken.items()
            }
            return f"{'; '.join(said)}: right as long as both hold the same"
    return None


def _alike(held: dict[sp.Symbol, sp.Rational], usual: dict[str, sp.Rational]) -> Iterator[dict[sp.Symbol, sp.Symbol]]:
    """Some of the numbers at a time as columns that hold the same: one half may be a target, another a factor."""
    choices = {
        symbol: [SYMBOLS[name] for name, number in usual.items() if number == value] for symbol, value in held.items()
    }
    choices = {symbol: columns for symbol, columns in choices.items() if columns}
    tried = itertools.product(*([None, *columns] for columns in choices.values()))
    for columns in itertools.islice(tried, 1, MOST_TRIED):  # the first takes none of them
        yield {symbol: column for symbol, column in zip(choices, columns, strict=True) if column is not None}


def _elsewhere(context: Context, expression: sp.Expr, name: str, row: int, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that looks into other rows, and is right but for that."""
    moved = {symbol: match for symbol in expression.free_symbols if (match := ELSEWHERE.fullmatch(str(symbol)))}
    if not moved:
        empty = sorted(map(str, expression.free_symbols & context.reader.empty))
        return f"reads {', '.join(empty)}, which is empty" if empty else None
    offsets = {int(match[2]) for match in moved.values()}
    where = {-1: "the row above", 1: "the row below"}.get(min(offsets), f"{abs(min(offsets))} rows away")
    if len(offsets) > 1:
        where = "other rows"
    elif fixed := context.reader.held_fast(name, row, row):
        where = f"{fixed}, where a $ holds the row,"
    here = expression.xreplace({symbol: column_symbol(match[1]) for symbol, match in moved.items()})
    names = ", ".join(sorted({match[1] for match in moved.values()}))
    beyond = "" if agrees(here, name, at) else ", and is not right otherwise either"
    return f"takes {names} from {where} and not from its own{beyond}"


def _after_the_update(context: Context, reading: Formula, name: str, row: int, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that is right but for weights that it takes from the columns of the new ones."""
    second = context.layout.first + 1
    weights = [
        weight for weight in WEIGHT if weight in context.layout.columns and second in context.layout.rows(weight)
    ]
    new = {weight: written_at(context, weight, second)[0] for weight in weights}
    taken = {weight: helper for weight, helper in new.items() if helper in reading.same_row - {weight}}
    before = {column_symbol(helper): SYMBOLS[weight] for weight, helper in taken.items()}
    with suppress(FormulaError):
        if taken and agrees(context.with_helper(reading.expression.xreplace(before), row, ""), name, at):
            return f"takes {', '.join(taken)} after the update ({', '.join(taken.values())}) and not before it"
    return None


def _slides(context: Context, name: str, row: int, reading: Formula) -> Judgement | None:
    """The judgement on a formula that is right in the first row, but takes a constant from further down in this one."""
    layout, reader, first = context.layout, context.reader, context.reader.first(name)
    if row == layout.first or not isinstance(first, Formula) or first.pattern != reading.pattern:
        return None
    known = context.aliases.keys() | context.bias_cells
    tokens = tokenize(layout.value(name, layout.first))
    cells = dict.fromkeys(read_reference(token.text, token.sheet) for token in tokens if token.kind == "cell")
    loose = [cell for cell in cells if not cell.row_fixed and reader.meaning(cell, layout.first) in known]
    loose.sort(key=str)
    _, right = next(context.expanded(range(layout.first, layout.first + 1), first))
    if not loose or isinstance(right, FormulaError):
        return None
    if not agrees(right, name, context.points_with(reader.outside(right))):
        return None

    def listed(cells: Iterable[Reference]) -> str:
        return " and ".join(reader.spelled(cell) for cell in cells)

    below = range(row, layout.rows(name).stop)
    reads = [
        f"{layout.address(name, place)} reads {listed(cell.moved(place - layout.first, 0) for cell in loose)}"
        for place in below[:2]
    ] + ["…"] * (len(below) > 2)
    write = listed(replace(cell, row_fixed=True, column_fixed=True) for cell in loose)
    verbs = "is not fixed and slides" if len(loose) == 1 else "are not fixed and slide"
    words = f"{listed(loose)} {verbs}: filled down or across, {', '.join(reads)}; write {write}"
    expected, found = context.in_cells(context.definition(name), row), context.found(name, row, reading)
    return Judgement(name, range(row, row + 1), _SLIDES, words, expected, found, cause=(_SLIDES, write))


def _brackets(context: Context, name: str, row: int, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that one more pair of brackets makes right."""
    tokens = tokenize(context.layout.value(name, row))
    if len(tokens) > 100:
        return None
    reader = context.reader
    for candidate in bracketed(tokens):
        text = "".join(token.text for token in candidate[:-1])
        try:
            expression = reader.parsed_with(text, row, {})
        except FormulaError:
            continue
        if agrees(context.in_table(expression), name, at):
            return f"brackets are missing: ={text} would be right"
    return None


# Circles


def _circles(context: Context, faulty: set[tuple[int, str]]) -> Iterator[Judgement]:
    """Formulas that each agree with the derivation but together go in a circle, h1 from a_h1 from h1."""
    for rows, used in context.uses():
        for name in used:
            if name not in COMPUTED or not leads_back(name, used) or (rows.start, name) in faulty:
                continue
            place = COLUMNS.index(name)
            later = [other for other in used[name] if other not in COLUMNS or COLUMNS.index(other) >= place]
            if later:
                words = f"circular: {name} is computed from {', '.join(sorted(later))}, which rests on {name}"
                right = context.in_cells(context.definition(name), rows.start)
                yield Judgement(name, rows, "circle", words, right, context.layout.typed(name, rows.start))


def leads_back(name: str, uses: Mapping[str, frozenset[str]]) -> bool:
    """Whether a column rests on itself within its row."""
    reached: set[str] = set()
    while more := set(uses[name]).union(*(uses.get(other, ()) for other in reached)) - reached:
        reached |= more
    return name in reached
