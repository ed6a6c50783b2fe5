"""The numbers of a table computed again, and how far each may be off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from statistics import mode

import sympy as sp

from cellgrad.auditing.cells import Sheet
from cellgrad.auditing.mistakes import definition
from cellgrad.auditing.tables import CONSTANT, WEIGHT, Layout
from cellgrad.toynet import COLUMNS


class Numbers:
    """The numbers of a table, and what each should be given the others, with how far it may be off.

    A number that is shown to d decimals may be half a unit of the last one off, and so may those that it is computed
    from: the tolerance is the sum of these, each times the slope with which it acts, plus the rounding of floats.
    """

    def __init__(
        self,
        layout: Layout,
        stored: Sheet,
        constants: Mapping[str, Mapping[int, sp.Rational]],
        bias: Mapping[str, sp.Expr],
        rate: float | None,
    ):
        self.rows, self.rate = range(layout.first, layout.last + 1), rate
        self.weights = [name for name in WEIGHT if name in layout.columns]
        computed = [name for name in COLUMNS if name not in (*CONSTANT, *WEIGHT)]
        self.functions = {name: _with_slopes(definition(name, bias)) for name in computed}
        self.table: dict[str, dict[int, float]] = {name: {} for name in computed}
        self.unit: dict[str, float] = {}
        for name, column in layout.columns.items():
            typed = _floats((row, layout.sheet.value(row, column)) for row in self.rows)
            self.table[name] = _floats((row, stored.value(row, column)) for row in self.rows) | typed
            if name in CONSTANT:  # each is what it says; and it may be a formula without a stored result
                self.table[name] |= {row: float(value) for row, value in constants[name].items()}
            exact = name in CONSTANT or len(typed) <= (name in WEIGHT)
            # What most of its numbers show: some end in zeros, and one with more digits may be the mistake.
            self.unit[name] = 0.0 if exact else 0.5 * 10.0 ** -mode(map(_decimals, typed.values()))
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

    def _definition(self, name: str, row: int) -> tuple[float | None, float]:
        symbols, function = self.functions[name]
        try:
            arguments = [self.table[symbol][row] for symbol in symbols]
            value, *slopes = function(*arguments)
        except (KeyError, OverflowError, ZeroDivisionError):  # a number is missing, or far beyond any network's
            return None, 0.0
        tolerance = sum(
            abs(slope) * max(self.unit.get(symbol, 0.0), 2e-15 * abs(argument))
            for slope, symbol, argument in zip(slopes, symbols, arguments, strict=True)
        )
        return value, tolerance + 2e-15 * abs(value)

    def expected(self, name: str, row: int) -> tuple[float | None, float]:
        """What a number should be, given the others of its row or of the row above, and how far it may be off."""
        if name not in WEIGHT:
            value, tolerance = self._definition(name, row)
            return value, 1.01 * (tolerance + self.unit[name])
        slope = f"dE_d{name}"
        try:
            weight, derivative = self.table[name][row - 1], self.table[slope][row - 1]
        except KeyError:
            return None, 0.0
        if self.rate is None:
            return None, 0.0
        tolerance = 2 * self.unit[name] + abs(self.rate) * self.unit.get(slope, 0.0) + 1e-14 * (abs(weight) + 1)
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
                abs(self.table[name][row] - expected) <= tolerance
                for name, row, _, _ in surest
                for expected, tolerance in [self.expected(name, row)]
            )
            if 2 * obeying > len(surest):
                break
        return self.rate


def _floats(cells: Iterable[tuple[int, object]]) -> dict[int, float]:
    return {row: float(value) for row, value in cells if isinstance(value, int | float)}


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
