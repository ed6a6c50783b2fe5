"""The columns with formulas: each held against its definition, and all of a row together against going in a circle."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, Point, agrees, bracketed, definition, difference, explain
from cellgrad.spreadsheet.audit.reading import ELSEWHERE, WARNING, Formula, Verdict
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, evaluate, parse, tokenize
from cellgrad.spreadsheet.workbook import excel_formula
from cellgrad.toynet import COLUMNS

MOST_EXPLAINED = 60  # distinct wrong formulas for which the mistake is searched; the rest is reported without words


def check_computed(context: Context) -> list[Verdict]:
    """Judge every formula of the computed columns, each distinct one once."""
    verdicts: list[Verdict] = []
    uses: dict[int, dict[str, frozenset[str]]] = defaultdict(dict)  # row: column: columns of the same row
    wrong = itertools.count(1)
    for name in context.layout.columns:
        if name in (*CONSTANT, *WEIGHT):
            continue
        judged: dict[Formula, Verdict | None] = {}
        for row, content in context.reader.cells(name, context.layout.rows):
            if isinstance(content, Verdict):
                verdicts.append(content)
            elif isinstance(content, Formula):
                uses[row][name] = content.same_row
                if content not in judged:
                    judged[content] = _judge(context, name, row, content, wrong)
                if verdict := judged[content]:
                    verdicts.append(replace(verdict, row=row))
    return verdicts + list(_circles(context, uses, {(verdict.row, verdict.column) for verdict in verdicts}))


def _judge(context: Context, name: str, row: int, reading: Formula, wrong: Iterator[int]) -> Verdict | None:
    """Hold one formula against the definition of its column; `wrong` counts those whose mistake is searched."""
    right = definition(name, context.bias)
    expression = context.in_table(reading.expression)
    if expression == right:
        return None
    expected, found = _in_cells(context, right, row), context.found(name, row, reading)
    outside, texts = context.reader.outside(expression), context.reader.texts
    at = context.points_with(outside)
    if read := expression.free_symbols & texts.keys():
        words = "; ".join(f"reads {cell}, which holds the text {texts[cell]!r}" for cell in read)
    elif SYMBOLS[name] in expression.free_symbols:
        words = f"{name} is computed from itself, in a circle"
    elif agrees(expression, name, at):
        numbers = outside - context.bias_cells
        if agrees(expression, name, context.points_with(numbers, shift=1)):
            return None
        cells = ", ".join(sorted(f"{cell} holds {float(context.reader.values[cell]):g}" for cell in numbers))
        words = f"right only as long as {cells}, outside the table"
        return Verdict(name, row, reading.pattern, words, expected, f"={reading.text}", WARNING)
    elif words := _stood_in(context, expression, name, at):
        return Verdict(name, row, reading.pattern, words, "", f"={reading.text}", WARNING)
    elif next(wrong) > MOST_EXPLAINED:
        words = f"differs from the derivation, as more than {MOST_EXPLAINED} other formulas do, each in its own way"
        return Verdict(name, row, "one of many", words, expected, found)
    else:
        words = (
            _elsewhere(context, expression, name, at)
            or explain(name, expression, right, at)
            or _brackets(context, name, row, at)
            or difference(expression, name, at)
        )
    return Verdict(name, row, reading.pattern, words + _numbers_shown(context, name, row, right), expected, found)


def _in_cells(context: Context, right: sp.Expr, row: int) -> str:
    """A definition as a formula that could be typed into that row."""
    layout, names = context.layout, {symbol: str(symbol) for symbol in right.free_symbols}
    cells = {symbol: layout.address(name, row) if name in layout.columns else name for symbol, name in names.items()}
    typed, named = excel_formula(right, cells), excel_formula(right, names)[1:]
    return f"{typed}, which is {named}" if typed != f"={named}" else named


def _numbers_shown(context: Context, name: str, row: int, right: sp.Expr) -> str:
    """What the cell shows and what it should, where the file remembers the results of its formulas."""
    stored = {SYMBOLS[other]: context.stored().value(row, column) for other, column in context.layout.columns.items()}
    values = {symbol: value for symbol, value in stored.items() if isinstance(value, float | int)}
    if not right.free_symbols | {SYMBOLS[name]} <= values.keys():
        return ""
    try:
        expected = float(evaluate(right, {symbol: PRECISE.mpf(value) for symbol, value in values.items()}))
    except FormulaError:
        return ""
    return f" ({context.layout.address(name, row)} shows {values[SYMBOLS[name]]:.15g} instead of {expected:.15g})"


# What a formula that differs from the derivation does instead, in words


def _stood_in(context: Context, expression: sp.Expr, name: str, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that is right if some of its cells elsewhere, or typed numbers, stand for columns."""
    for stand_ins in _stand_ins(context, expression):
        if agrees(expression.xreplace(stand_ins), name, at):
            taken = (f"takes {cell} where the column {column} belongs" for cell, column in stand_ins.items())
            return f"{'; '.join(taken)}: right as long as both hold the same"
    return None


def _stand_ins(context: Context, expression: sp.Expr) -> Iterator[dict[sp.Expr, sp.Symbol]]:
    """Cells elsewhere, or typed numbers, that hold the same as a target or an input and may stand for it."""
    held = {cell: context.reader.values[cell] for cell in context.reader.outside(expression)}
    held |= {typed: typed for typed in expression.atoms(sp.Float, sp.Rational) - {sp.S.One, -sp.S.One, sp.S.Half}}
    choices = [
        [(taken, SYMBOLS[name]) for name, usual in context.usual.items() if usual == value]
        for taken, value in held.items()
    ]
    choices = [choice for choice in choices if choice][:4]
    for count in range(1, len(choices) + 1):
        for some in itertools.combinations(choices, count):
            yield from (dict(pairs) for pairs in itertools.product(*some))


def _elsewhere(context: Context, expression: sp.Expr, name: str, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that looks into other rows, and is right but for that."""
    moved = {symbol: match for symbol in expression.free_symbols if (match := ELSEWHERE.fullmatch(str(symbol)))}
    if not moved:
        empty = sorted(map(str, expression.free_symbols & context.reader.empty))
        return f"reads {', '.join(empty)}, which is empty" if empty else None
    offset = int(next(iter(moved.values()))[2])
    where = "the row above" if offset == -1 else "the row below" if offset == 1 else f"{abs(offset)} rows away"
    here = expression.xreplace({symbol: SYMBOLS[match[1]] for symbol, match in moved.items()})
    names = ", ".join(sorted(match[1] for match in moved.values()))
    beyond = "" if agrees(here, name, at) else ", and is not right otherwise either"
    return f"takes {names} from {where} and not from its own{beyond}"


def _brackets(context: Context, name: str, row: int, at: tuple[Point, ...]) -> str | None:
    """Words for a formula that one more pair of brackets makes right."""
    tokens = tokenize(context.layout.cell(name, row))
    if len(tokens) > 100:
        return None
    reader = context.reader
    for candidate in bracketed(tokens):
        text = "".join(token.text for token in candidate[:-1])
        try:
            expression = parse(text, lambda cell: reader.meaning(cell, row), reader.book.names)
        except FormulaError:
            continue
        if agrees(context.in_table(expression), name, at):
            return f"brackets are missing: ={text} would be right"
    return None


# Circles


def _circles(
    context: Context, uses: Mapping[int, Mapping[str, frozenset[str]]], faulty: set[tuple[int, str]]
) -> Iterator[Verdict]:
    """Formulas that each agree with the derivation but together go in a circle, h1 from a_h1 from h1."""
    circular: dict[frozenset, list[str]] = {}
    for row, used in uses.items():
        shape = frozenset(used.items())
        if shape not in circular:
            circular[shape] = [name for name in used if _leads_back(name, used)]
        for name in circular[shape]:
            later = [other for other in used[name] if COLUMNS.index(other) >= COLUMNS.index(name)]
            if later and (row, name) not in faulty:
                words = f"circular: {name} is computed from {', '.join(sorted(later))}, which rests on {name}"
                right = _in_cells(context, definition(name, context.bias), row)
                yield Verdict(name, row, "circle", words, right, context.layout.cell(name, row))


def _leads_back(name: str, uses: Mapping[str, frozenset[str]]) -> bool:
    """Whether a column rests on itself within its row."""
    reached: set[str] = set()
    while more := set(uses[name]).union(*(uses.get(other, ()) for other in reached)) - reached:
        reached |= more
    return name in reached
