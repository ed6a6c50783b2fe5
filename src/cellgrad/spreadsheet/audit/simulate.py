"""A table computed as a spreadsheet program computes it, in floats, and the descent that it should be.

Formulas are judged one by one; this is the proof of the whole: whatever was overlooked shows in the numbers.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.rates import Rates
from cellgrad.spreadsheet.audit.reading import (
    CONSTANT_ELSEWHERE,
    ELSEWHERE,
    Content,
    Formula,
    Judgement,
    RandomNumber,
    column_and_offset,
)
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.toynet import COLUMNS

CLOSE, LEAST = 1e-9, 1e-12  # relative and absolute: above the rounding of a long descent, below any mistake
MOST_COMPILED = 2_000
_COMPUTED = [name for name in COLUMNS if name not in (*CONSTANT, *WEIGHT)]


class NotComputed(ValueError):
    """A cell in which a spreadsheet program shows an error, or for which it gives up: its column, its row, why."""

    def __init__(self, column: str, row: int, reason: str):
        super().__init__(reason)
        self.column, self.row, self.reason = column, row, reason


Values = dict[str, array]  # column: its numbers as floats from the first row on, nan where there is none


@dataclass
class _Compiled:
    """A formula as a function of floats, and where each argument stands: column, offset, or else the fixed row."""

    function: Callable[..., float]
    arguments: list[tuple[str, int, int | None]]
    text: str | None  # what it reads that is no number


def simulate(context: Context) -> Values:
    """The numbers of all columns, row by row. Raises NotComputed for the first cell that shows an error."""
    layout = context.layout
    contents = {
        name: [content for rows, content in context.reader.runs(name) for _ in rows]
        for name in (*layout.columns, *layout.beside)
    }
    values = {name: array("d", (_given(name, content) for content in column)) for name, column in contents.items()}
    compiled: dict[int, _Compiled] = {}
    orders: dict[tuple, list[tuple[str, Formula]]] = {}
    for place in range(len(layout.all_rows)):
        here = [(name, column[place]) for name, column in contents.items() if place < len(column)]
        formulas = [(name, content) for name, content in here if isinstance(content, Formula)]
        shape = tuple(map(id, [content for _, content in formulas]))
        if shape not in orders:
            orders[shape] = list(_in_order(dict(formulas), layout.first + place))
        for name, formula in orders[shape]:
            if id(formula) not in compiled:
                if len(compiled) == MOST_COMPILED:
                    raise NotComputed(name, layout.first + place, "comes after too many different formulas")
                compiled[id(formula)] = _compile(context, formula)
            values[name][place] = _computed(compiled[id(formula)], values, name, place, layout.first)
    return values


def _given(name: str, content: Content) -> float:
    if isinstance(content, RandomNumber):  # any number will do, and another one for each weight
        return 0.3 + 0.1 * WEIGHT.index(name) if name in WEIGHT else 0.5
    if isinstance(content, Judgement) and content.kind == "empty":
        return 0.0
    return content if isinstance(content, float) else math.nan


def _in_order(formulas: Mapping[str, Formula], row: int) -> Iterator[tuple[str, Formula]]:
    """The formulas of a row, each after those of its row that it reads. Raises NotComputed for a circle."""
    left = dict(formulas)
    while left:
        ready = [name for name, formula in left.items() if not formula.same_row & left.keys()]
        if not ready:
            raise NotComputed(next(iter(left)), row, "is computed from itself, in a circle")
        for name in ready:
            yield name, left.pop(name)


def _compile(context: Context, formula: Formula) -> _Compiled:
    reader = context.reader
    held = {symbol: value for symbol, value in reader.values.items() if symbol.is_real is None}
    text = next((reader.texts[s] for s in formula.exact.free_symbols if s in reader.texts and s not in held), None)
    exact = formula.exact.xreplace(held)
    symbols = sorted(exact.free_symbols, key=str)
    arguments = []
    for symbol in symbols:
        constant = CONSTANT_ELSEWHERE.fullmatch(str(symbol))
        other = ELSEWHERE.fullmatch(str(symbol))
        if constant and constant[2].startswith("row"):
            arguments.append((constant[1], 0, int(constant[2][4:])))
        elif other:
            arguments.append((other[1], int(other[2]), None))
        else:
            arguments.append((str(symbol), 0, None))
    plain = [sp.Symbol(f"x{place}") for place in range(len(symbols))]
    exact = exact.xreplace(dict(zip(symbols, plain, strict=True)))
    return _Compiled(_compiled(tuple(plain), exact), arguments, text)


@lru_cache(1_000)  # sheets of one workbook mostly have the same formulas
def _compiled(arguments: tuple[sp.Symbol, ...], expression: sp.Expr) -> Callable[..., float]:
    return sp.lambdify(arguments, expression, modules=[{"Magnitude": abs}, "math"])


def _computed(compiled: _Compiled, values: Values, name: str, place: int, first: int) -> float:
    row = first + place
    if compiled.text is not None:
        raise NotComputed(name, row, f"computes with the text {compiled.text!r}")
    arguments = []
    for other, offset, fixed in compiled.arguments:
        at = place + offset if fixed is None else fixed - first
        value = values[other][at] if other in values and 0 <= at < len(values[other]) else math.nan
        if math.isnan(value):
            raise NotComputed(name, row, f"reads {other} of row {first + at}, which holds no number by then")
        arguments.append(value)
    try:
        result = compiled.function(*arguments)
    except (ArithmeticError, ValueError):
        raise NotComputed(name, row, "divides by zero, or goes beyond the numbers of a spreadsheet") from None
    if isinstance(result, complex) or not abs(result) < 1e308:
        raise NotComputed(name, row, "takes a root or a logarithm that does not exist")
    return float(result)


@cache
def _function(expression: sp.Expr) -> tuple[list[str], Callable[..., float]]:
    symbols = sorted(expression.free_symbols, key=str)
    return list(map(str, symbols)), sp.lambdify(symbols, expression, modules="math")


def descent(context: Context, values: Values, rates: list[float]) -> Values:
    """The right numbers from the first row on, each update with its own learning rate.

    Raises KeyError where the first row lacks a number, ArithmeticError where floats end.
    """
    first = {name: column[0] for name, column in values.items() if name in (*CONSTANT, *WEIGHT)}
    first |= {name: float(value) for name, value in context.usual.items() if name not in first}
    if any(map(math.isnan, first.values())):
        raise KeyError("a number of the first row")
    functions = [(name, *_function(context.definition(name))) for name in _COMPUTED]
    table: Values = {name: array("d") for name in COLUMNS}
    weights = {name: first[name] for name in WEIGHT}
    for rate in [*rates, None]:
        row = first | weights
        for name, symbols, function in functions:
            row[name] = function(*[row[symbol] for symbol in symbols])
        for name, column in table.items():
            column.append(row[name])
        if rate is not None:
            weights = {name: row[name] - context.sign(name) * rate * row[f"dE_d{name}"] for name in WEIGHT}
    return table


def learning_rates(context: Context, values: Values, rates: Rates, estimated: float | None = None) -> list[float]:
    """The learning rate of each update, from the second row on; the `estimated` one where no formula says it.

    Raises KeyError or IndexError where the column that a schedule takes it from holds no number.
    """
    usual, places = rates.usual, range(1, len(context.layout.all_rows))
    if usual is not None and usual.schedule is not None:
        found = _scheduled(context, values, usual.schedule, places)
    else:
        rate = estimated if usual is None else usual.rate
        found = [rate or 0.0 for _ in places]
    for rows, rate in rates.other:
        for row in rows:
            found[row - context.layout.first - 1] = rate
    return found


def _scheduled(context: Context, values: Values, schedule: sp.Expr, places: range) -> list[float]:
    symbols = sorted(schedule.free_symbols, key=str)
    plain = [sp.Symbol(f"x{place}") for place in range(len(symbols))]
    function = sp.lambdify(plain, schedule.xreplace(dict(zip(symbols, plain, strict=True))), modules="math")
    known = context.reader.values

    def number(symbol: sp.Symbol, place: int) -> float:
        if symbol in known:
            return float(known[symbol])
        name, offset = column_and_offset(symbol)
        value = values[name][place + offset]
        if math.isnan(value):
            raise KeyError(f"a number of the column {name}")
        return value

    return [float(function(*[number(symbol, place) for symbol in symbols])) for place in places]


def first_difference(values: Values, right: Values) -> tuple[str, int, float, float] | None:
    """The first number that is not what it should be: its column, its place from the first row on, both numbers."""
    names = [name for name in COLUMNS if name in values and name not in CONSTANT]
    for place in range(len(right[WEIGHT[0]])):
        for name in names:
            if place < len(values[name]):
                found, expected = values[name][place], right[name][place]
                if not abs(found - expected) <= CLOSE * abs(expected) + LEAST:  # nor where there is no number
                    return name, place, found, expected
    return None
