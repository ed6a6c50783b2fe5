"""Numbers that stand where a formula belongs, computed again, and how far each may be off."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from statistics import mode

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.reading import UNCHECKED, Judgement
from cellgrad.spreadsheet.audit.simulate import Values
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.audit.updates import Update, right_update
from cellgrad.toynet import COLUMNS

Shape = tuple[bool, int]
_COMPUTED = [name for name in COLUMNS if name not in (*CONSTANT, *WEIGHT)]


@dataclass(frozen=True)
class Numbers:
    """What the numbers of a table say: its learning rate, the columns without formulas, and what is wrong."""

    rate: float | None
    recomputed: tuple[str, ...]
    judgements: list[Judgement]


def check_numbers(context: Context, usual: Update | None, values: Values) -> Numbers:
    """Judge numbers typed over in a column of formulas, and columns of numbers only.

    `values` is what all cells come to; the learning rate is estimated from the numbers where no update says it.
    """
    layout, rate = context.layout, usual and usual.rate
    belong = {name: _formula_rows(context, name) for name in layout.columns if name not in CONSTANT}
    numbers = {
        name: [row for run, content in context.reader.runs(name) if isinstance(content, float) for row in run]
        for name in belong
    }
    numbers = {name: [row for row in rows if row in belong[name]] for name, rows in numbers.items()}
    recomputed = tuple(name for name, rows in numbers.items() if 2 * len(rows) > len(belong[name]))
    if not any(numbers.values()):
        return Numbers(rate, recomputed, [])
    sheet = _Sheet(context, usual, values)
    found = [
        judgement
        for name, rows in numbers.items()
        for row in rows
        if (judgement := _judge(sheet, name, row, float(layout.cell(name, row)), name in recomputed))
    ]
    weights = [name for name in WEIGHT if name in recomputed]
    if weights and not any(judgement.column in WEIGHT for judgement in found):
        found += _no_descent(sheet, weights)
    return Numbers(sheet.rate, recomputed, found)


def _formula_rows(context: Context, name: str) -> range:
    """The rows in which a formula belongs: not the first one of a weight."""
    rows = context.layout.rows(name)
    return rows[1:] if name in WEIGHT else rows


def _judge(sheet: _Sheet, name: str, row: int, value: float, recomputed: bool) -> Judgement | None:
    expected, tolerance = sheet.expected(name, row)
    # Beside formulas, whose results have all digits, a number of few is no rounded one: 0.4 is not 0.3281.
    off = tolerance + sheet.unit_of(name, value)
    close = expected is not None and abs(value - expected) <= (off if recomputed else min(off, 1e-3 * abs(value)))
    should, found = "" if expected is None else f"{expected:.15g}", f"{value:.15g}"
    here = range(row, row + 1)
    if not recomputed:
        words = "a number typed over the formula"
        wrong = f", and not the right one ({should})" if should else ", and not the right one"
        words += ", right as it stands, but it follows no change" if close else wrong
        return Judgement(name, here, "typed over", words, sheet.formula(name, row), found)
    if expected is None:
        words = "a number that cannot be computed again, for want of the others in its row"
        return Judgement(name, here, "alone", words, "", found, UNCHECKED, words)
    if not close:
        words = "a number without a formula, and not what the other columns give"
        return Judgement(name, here, "number", words, should, found)
    return None


def _no_descent(sheet: _Sheet, weights: list[str]) -> list[Judgement]:
    """Judgements on weights that are numbers alone, where these go uphill or do not show that they move at all."""
    severity = "error"
    if sheet.rate is not None and sheet.rate < 0:
        words = f"the numbers go uphill, with a learning rate of {sheet.rate:g}"
    elif all(sheet.stands_still(name) for name in weights):
        words, severity = "the numbers do not move in the digits that they show, so that no descent is seen", UNCHECKED
    else:
        return []
    rows = sheet.context.layout.rows(weights[0])[1:]
    return [Judgement(name, rows, "still", words, "", "", severity, words) for name in weights if rows]


class _Sheet:
    """The numbers of a table, and what each should be given the others, with how far it may be off.

    A number that is shown to d decimals may be half a unit of the last one off, and so may those that it is computed
    from: the tolerance is the sum of these, each times the slope with which it acts, plus the rounding of floats.
    """

    def __init__(self, context: Context, usual: Update | None, values: Values):
        self.context, self.usual, self.rate = context, usual, usual and usual.rate
        layout = context.layout
        self.rows = layout.all_rows
        self.weights = [name for name in WEIGHT if name in layout.columns]
        self.functions = {name: _with_slopes(context.definition(name)) for name in _COMPUTED}
        self.table: dict[str, dict[int, float]] = {name: {} for name in (*CONSTANT, *_COMPUTED)}
        shown: dict[str, list[float]] = {}
        for name in layout.columns:
            typed = _floats((row, layout.cell(name, row)) for row in layout.rows(name))
            computed = zip(layout.rows(name), values.get(name, ()), strict=False)
            self.table[name] = _floats(computed) | typed
            if name not in CONSTANT:
                # A first weight that is typed is exact, and so is what a formula computes.
                shown[name] = [value for row, value in typed.items() if name not in WEIGHT or row > layout.first]
        self.units = _Units(shown)
        for name, rows in context.constants.items():
            self.table[name] |= {row: float(value) for row, value in rows.items()}
        for name, value in context.usual.items():
            self.table[name] |= {row: float(value) for row in self.rows if row not in self.table[name]}
        self._fill()
        if self.rate is None:
            self.rate = self._estimated_rate()

    def _fill(self) -> None:
        """Compute what is not known yet, from the first row down."""
        for row in self.rows:
            for name in (*self.weights, *self.functions):
                if row not in self.table[name]:
                    value, _ = self.expected(name, row)
                    if value is not None:
                        self.table[name][row] = value

    def unit_of(self, name: str, value: float) -> float:
        """How far a number may be off by the way it is shown."""
        return self.units.of(name, value)

    def formula(self, name: str, row: int) -> str:
        """What to type in a number's place."""
        if name in WEIGHT:
            return right_update(self.context, name, row, self.usual)
        return self.context.in_cells(self.context.definition(name), row)

    def stands_still(self, weight: str) -> bool:
        """Whether a weight stays where it began, as far as its digits show."""
        column = self.table[weight]
        return all(
            abs(column[row] - column[row - 1]) <= 2 * self.unit_of(weight, column[row])
            for row in self.rows
            if {row, row - 1} <= column.keys()
        )

    def _definition(self, name: str, row: int) -> tuple[float | None, float]:
        symbols, function = self.functions[name]
        try:
            arguments = [self.table[symbol][row] for symbol in symbols]
            value, *slopes = function(*arguments)
        except (KeyError, OverflowError, ZeroDivisionError):  # a number is missing, or far beyond any network's
            return None, 0.0
        tolerance = sum(
            abs(slope) * max(self.unit_of(symbol, argument), 2e-15 * abs(argument))
            for slope, symbol, argument in zip(slopes, symbols, arguments, strict=True)
        )
        return value, tolerance + 2e-15 * abs(value)

    def expected(self, name: str, row: int) -> tuple[float | None, float]:
        """What a number should be, given the others of its row or of the row above, and how far it may be off."""
        if name not in WEIGHT:
            value, tolerance = self._definition(name, row)
            return value, 1.01 * tolerance
        slope = f"dE_d{name}"
        weight, derivative = self.table[name].get(row - 1), self.table[slope].get(row - 1)
        if None in (weight, derivative, self.rate):
            return None, 0.0
        tolerance = self.unit_of(name, weight) + abs(self.rate) * self.unit_of(slope, derivative)
        tolerance += 1e-14 * (abs(weight) + 1)
        return weight - self.context.sign(name) * self.rate * derivative, 1.01 * tolerance

    def _estimated_rate(self) -> float | None:
        """The learning rate that the numbers themselves show: of those most updates obey, the shortest decimal."""
        updates = []
        for name in self.weights:
            weight, slope, sign = self.table[name], self.table[f"dE_d{name}"], self.context.sign(name)
            for row in self.rows[1:]:
                if {row, row - 1} <= weight.keys() and abs(slope.get(row - 1, 0.0)) > 0:
                    rate = sign * (weight[row - 1] - weight[row]) / slope[row - 1]
                    updates.append((name, row, rate, abs(slope[row - 1])))
        if not updates:
            return None
        surest = sorted(updates, key=lambda update: -update[3])[:199]
        middle = sorted(rate for _, _, rate, _ in surest)[len(surest) // 2]
        tried = {}
        for digits in range(1, 16):
            self.rate = float(f"{middle:.{digits}g}")
            tried[self.rate] = sum(self._obeys(name, row) for name, row, _, _ in surest)
            if tried[self.rate] == len(surest):
                break
        return max(tried, key=tried.__getitem__)  # the first of equals, which is the shortest

    def _obeys(self, weight: str, row: int) -> bool:
        expected, tolerance = self.expected(weight, row)
        value = self.table[weight][row]
        return expected is not None and abs(value - expected) <= tolerance + self.unit_of(weight, value)


class _Units:
    """How far numbers may be off by the way they are shown: half a unit of the last decimal, by column and shape.

    It is what most numbers of a shape show: some end in zeros, and one with more digits may be the mistake. A column
    with hardly any different numbers goes by all weights together, or by all others.
    """

    def __init__(self, shown: dict[str, list[float]]):
        pooled: dict[tuple[bool, Shape], list[float]] = defaultdict(list)
        columns: dict[tuple[str, Shape], list[float]] = defaultdict(list)
        for name, values in shown.items():
            for value in {*values} - {0.0}:
                columns[name, _shape(value)].append(value)
                pooled[name in WEIGHT, _shape(value)].append(value)
        self._pooled = {key: _half_a_unit(values) for key, values in pooled.items()}
        self._columns = {key: _half_a_unit(values) for key, values in columns.items() if len(values) > 2}
        self._shown = {name for name, values in shown.items() if values}

    def of(self, name: str, value: float) -> float:
        """The unit of a number; 0 where the column is not of numbers."""
        if name not in self._shown:
            return 0.0
        if value == 0:
            return max((unit for (weight, _), unit in self._pooled.items() if weight == (name in WEIGHT)), default=0.0)
        own, pooled = self._columns.get((name, _shape(value))), self._pooled.get((name in WEIGHT, _shape(value)))
        return own or pooled or 0.5 * 10.0 ** -_decimals(value)


def _half_a_unit(values: list[float]) -> float:
    return 0.5 * 10.0 ** -mode(map(_decimals, values))


def _floats(cells: Iterable[tuple[int, object]]) -> dict[int, float]:
    return {row: value for row, value in cells if isinstance(value, float) and not math.isnan(value)}


def _shape(value: float) -> Shape:
    """What costs a number digits where a cell's width is given: a sign, digits before the point, zeros after it."""
    exponent = repr(value).partition("e")[2]
    return value < 0, int(exponent) if exponent else len(f"{abs(int(value))}")


def _decimals(value: float) -> int:
    """Digits after the point that it takes to write a number: 2 for 0.25, 7 for 1.5e-06."""
    digits, _, exponent = repr(value).partition("e")
    return max(0, len(digits.partition(".")[2].rstrip("0")) - int(exponent or 0))


@cache
def _with_slopes(expression: sp.Expr) -> tuple[list[str], Callable[..., list[float]]]:
    """The names that a definition of ours mentions, and a function of them: its value, then its slope by each."""
    symbols = sorted(expression.free_symbols, key=str)
    slopes = [sp.diff(expression, symbol) for symbol in symbols]
    return list(map(str, symbols)), sp.lambdify(symbols, [expression, *slopes], modules="math", cse=True)
