"""Numbers that stand where a formula belongs, computed again, and how far each may be off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from statistics import mode

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import definition
from cellgrad.spreadsheet.audit.reading import UNCHECKED, Judgement
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.toynet import COLUMNS


def check_numbers(context: Context, rate: float | None) -> tuple[float | None, tuple[str, ...], list[Judgement]]:
    """Judge numbers typed over in a column of formulas, and columns of numbers only.

    Returns the learning rate, estimated from them where no update says it, the columns without formulas, and what is
    wrong.
    """
    layout = context.layout
    belong = {name: _formula_rows(context, name) for name in layout.columns if name not in CONSTANT}
    numbers = {
        name: [row for run, content in context.reader.runs(name) if isinstance(content, float) for row in run]
        for name in belong
    }
    numbers = {name: [row for row in rows if row in belong[name]] for name, rows in numbers.items()}
    recomputed = tuple(name for name, rows in numbers.items() if 2 * len(rows) > len(belong[name]))
    if not any(numbers.values()):
        return rate, recomputed, []
    sheet = _Numbers(context, rate)
    found = [
        judgement
        for name, rows in numbers.items()
        for row in rows
        if (judgement := _judge(sheet, name, row, float(layout.cell(name, row)), name in recomputed))
    ]
    return sheet.rate, recomputed, found


def _formula_rows(context: Context, name: str) -> range:
    """The rows in which a formula belongs: not the first one of a weight."""
    rows = context.layout.rows(name)
    return rows[1:] if name in WEIGHT else rows


def _judge(sheet: _Numbers, name: str, row: int, value: float, recomputed: bool) -> Judgement | None:
    expected, tolerance = sheet.expected(name, row)
    close = expected is not None and abs(value - expected) <= tolerance + sheet.unit_of(name, value)
    should, found = "" if expected is None else f"{expected:.15g}", f"{value:.15g}"
    here = range(row, row + 1)
    if not recomputed:
        words = "a number typed over the formula"
        words += ", right as it stands, but it follows no change" if close else ", and not the right one"
        return Judgement(name, here, "typed over", words, should, found)
    if expected is None:
        words = "a number that cannot be computed again, for want of the others in its row"
        return Judgement(name, here, "alone", words, "", found, UNCHECKED)
    if not close:
        words = "a number without a formula, and not what the other columns give"
        return Judgement(name, here, "number", words, should, found)
    return None


class _Numbers:
    """The numbers of a table, and what each should be given the others, with how far it may be off.

    A number that is shown to d decimals may be half a unit of the last one off, and so may those that it is computed
    from: the tolerance is the sum of these, each times the slope with which it acts, plus the rounding of floats.
    """

    def __init__(self, context: Context, rate: float | None):
        layout, stored = context.layout, context.stored()
        self.rate = rate
        self.rows = layout.rows(WEIGHT[0])
        self.weights = [name for name in WEIGHT if name in layout.columns]
        computed = [name for name in COLUMNS if name not in (*CONSTANT, *WEIGHT)]
        self.functions = {name: _with_slopes(definition(name, context.bias)) for name in computed}
        self.table: dict[str, dict[int, float]] = {name: {} for name in (*CONSTANT, *computed)}
        self.units: dict[str, dict[object, float]] = {}
        for name, column in layout.columns.items():
            typed = _floats((row, layout.cell(name, row)) for row in layout.rows(name))
            self.table[name] = _floats((row, stored.cell(row, column)) for row in layout.rows(name)) | typed
            # A first weight that is typed is exact, and so is what a formula computes.
            rounded = {row: value for row, value in typed.items() if name not in WEIGHT or row > layout.first}
            self.units[name] = {} if name in CONSTANT else _units(rounded.values())
        for name, rows in context.constants.items():  # each is what it says; it may be a formula without a result
            self.table[name] |= {row: float(value) for row, value in rows.items()}
        for name, value in context.usual.items():
            self.table[name] |= {row: float(value) for row in self.rows if row not in self.table[name]}
        self._fill()
        if self.rate is None:
            self.rate = self._estimated_rate()

    def _fill(self) -> None:
        """Compute what the file does not remember, from the first row down."""
        for row in self.rows:
            for name in (*self.weights, *self.functions):
                if row not in self.table[name]:
                    value, _ = self.expected(name, row)
                    if value is not None:
                        self.table[name][row] = value

    def unit_of(self, name: str, value: float) -> float:
        """How far a number may be off by the way it is shown."""
        units = self.units.get(name)
        return units.get(_shape(value), 0.5 * 10.0 ** -_decimals(value)) if units else 0.0

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
        return weight - self.rate * derivative, 1.01 * tolerance

    def _estimated_rate(self) -> float | None:
        """The learning rate that the numbers themselves show: of the shortest decimals, the one most updates obey."""
        updates = []
        for name in self.weights:
            weight, slope = self.table[name], self.table[f"dE_d{name}"]
            for row in self.rows[1:]:
                if {row, row - 1} <= weight.keys() and abs(slope.get(row - 1, 0.0)) > 0:
                    updates.append((name, row, (weight[row - 1] - weight[row]) / slope[row - 1], abs(slope[row - 1])))
        if not updates:
            return None
        surest = sorted(updates, key=lambda update: -update[3])[:199]
        middle = sorted(rate for _, _, rate, _ in surest)[len(surest) // 2]
        for digits in range(1, 16):
            self.rate = float(f"{middle:.{digits}g}")
            obeying = sum(
                abs(self.table[name][row] - expected) <= tolerance + self.unit_of(name, self.table[name][row])
                for name, row, _, _ in surest
                for expected, tolerance in [self.expected(name, row)]
            )
            if 2 * obeying > len(surest):
                break
        return self.rate


def _floats(cells: Iterable[tuple[int, object]]) -> dict[int, float]:
    return {row: float(value) for row, value in cells if isinstance(value, float)}


def _shape(value: float) -> tuple[bool, int]:
    """What costs a number digits where a cell's width is given: a sign, digits before the point, zeros after it."""
    exponent = repr(value).partition("e")[2]
    return value < 0, int(exponent) if exponent else len(f"{abs(int(value))}")


def _units(values: Iterable[float]) -> dict[object, float]:
    """Half a unit of the last decimal that numbers of one shape show.

    It is what most of them show: some end in zeros, and one with more digits may be the mistake.
    """
    shapes: dict[object, list[int]] = defaultdict(list)
    for value in values:
        shapes[_shape(value)].append(_decimals(value))
    return {shape: 0.5 * 10.0 ** -mode(decimals) for shape, decimals in shapes.items()}


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
