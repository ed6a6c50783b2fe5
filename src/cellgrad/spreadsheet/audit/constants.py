"""Targets, inputs and biases in columns: the same in every row."""

from __future__ import annotations

import re
from collections import Counter

import sympy as sp

from cellgrad.spreadsheet.audit.reading import Formula, Reader, Verdict, rational, to_mpf
from cellgrad.spreadsheet.audit.tables import CONSTANT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, evaluate

_CONSTANT_ELSEWHERE = re.compile(r"(\w+)\[([-+]\d+|row \d+)\]")

Numbers = dict[str, dict[int, sp.Rational]]  # column: row: number


def check_constants(reader: Reader) -> tuple[Numbers, list[Verdict]]:
    """Read the constant columns: each cell is typed, or copied from a row above or from elsewhere, and never changes.

    Returns their numbers and what is wrong with them.
    """
    numbers: Numbers = {name: {} for name in reader.layout.columns if name in CONSTANT}
    return numbers, [verdict for name in numbers for verdict in _check_column(reader, name, numbers)]


def _check_column(reader: Reader, name: str, numbers: Numbers) -> list[Verdict]:
    """Judge one column and add what it holds to `numbers`."""
    layout, values, verdicts = reader.layout, numbers[name], []
    cells = [layout.cell(name, row) for row in layout.rows]
    typed = Counter(rational(value) for value in cells if isinstance(value, int | float))
    usual = typed.most_common(1)[0][0] if typed else None
    for row, content in reader.cells(name, layout.rows, constants_by_row=True):
        if isinstance(content, Verdict):
            verdicts.append(content)
            continue
        if isinstance(content, Formula):
            try:
                number = _copied(reader, name, row, content, numbers)
            except FormulaError as error:
                verdicts.append(reader.unread(error, name, row))
                continue
        else:
            number = rational(content)
        if number is None:
            words = f"{name} is not carried on from the row above"
            expected = f"={layout.address(name, max(row - 1, layout.first))}"
            verdicts.append(Verdict(name, row, "copied", words, expected, f"={content.text}"))
            continue
        usual = number if usual is None else usual
        # A copy of a changed number is no second change.
        if number != usual and not (isinstance(content, Formula) and number == values.get(row - 1)):
            what, right = (f"{float(value):.15g}" for value in (number, usual))
            words = f"{name} changes on the way; it must be the same in every row"
            verdicts.append(Verdict(name, row, ("changed", what), words, right, what))
        values[row] = number
    return verdicts


def _copied(reader: Reader, name: str, row: int, reading: Formula, numbers: Numbers) -> sp.Rational | None:
    """The number that a formula in a constant column comes to, or None if it is no copy of what it should be."""
    known: dict[sp.Symbol, sp.Rational | None] = {}
    for symbol in reading.expression.free_symbols:
        match = _CONSTANT_ELSEWHERE.fullmatch(str(symbol))
        if symbol in reader.values and symbol not in reader.empty:
            known[symbol] = reader.values[symbol]
        elif match:
            other, place = match.groups()
            source = int(place[4:]) if place.startswith("row") else row + int(place)
            # From another column only if that is how this column begins: t2 copies t1, say.
            if other != name and row > reader.layout.first:
                first = reader.first_formula(name, constants_by_row=True)
                if not first or f"{other}[" not in str(first.expression):
                    return None
            known[symbol] = numbers.get(other, {}).get(source)
    if any(known.get(symbol) is None for symbol in reading.expression.free_symbols):
        return None
    exact = reading.expression.xreplace(known)
    if exact.is_Rational:
        return exact
    number = evaluate(reading.expression, {symbol: to_mpf(value) for symbol, value in known.items()})
    return sp.Rational(PRECISE.nstr(number, 30))
