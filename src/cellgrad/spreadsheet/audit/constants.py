"""Targets, inputs and biases in columns: the same in every row."""

from __future__ import annotations

from collections import Counter

import sympy as sp

from cellgrad.spreadsheet.audit.reading import (
    CONSTANT_ELSEWHERE,
    WARNING,
    Formula,
    Judgement,
    RandomNumber,
    Reader,
    rational,
    to_mpf,
)
from cellgrad.spreadsheet.audit.tables import CONSTANT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, evaluate

Numbers = dict[str, dict[int, sp.Rational]]  # column: row: number
_DRIFT = 1e-12  # relative to the number: what filling down a series leaves of rounding


def check_constants(reader: Reader, trained: frozenset[str]) -> tuple[Numbers, list[Judgement]]:
    """Read the constant columns: each cell is typed, or copied from a row above or from elsewhere, and never changes.

    Returns their numbers and what is wrong with them; of `trained` biases the first numbers only.
    """
    numbers: Numbers = {name: {} for name in reader.layout.columns if name in CONSTANT}
    judgements = []
    for name in numbers:
        if name in trained:
            first = reader.first(name)
            numbers[name] = {reader.layout.first: rational(first)} if isinstance(first, float) else {}
        else:
            judgements += _check_column(reader, name, numbers)
    return numbers, judgements


def _check_column(reader: Reader, name: str, numbers: Numbers) -> list[Judgement]:
    """Judge one column and add what it holds to `numbers`."""
    layout, values, judgements = reader.layout, numbers[name], []
    runs = reader.runs(name)
    typed = Counter()
    for rows, content in runs:
        if isinstance(content, float):
            typed[rational(content)] += len(rows)
    usual = typed.most_common(1)[0][0] if typed else None
    for run, content in runs:
        if isinstance(content, Judgement):
            unused = content.kind == "empty" and run.start > layout.first and not _read_in(reader, name, run)
            words = "empty, which is right as long as every formula takes the first row's number"
            empty = Judgement(name, run, "unused", words, severity=WARNING, cause="unused")
            judgements.append(empty if unused else content)
            continue
        if isinstance(content, RandomNumber):  # any number will do for what copies it
            values[run.start] = sp.Rational(1, 2)
            continue
        if isinstance(content, Formula) and (fault := reader.fault(name, run, content)):
            judgements.append(fault)
            continue
        number = rational(content) if isinstance(content, float) else None
        for row in run:
            if isinstance(content, Formula):
                try:
                    number = _copied(reader, name, row, content, numbers)
                except FormulaError as error:
                    judgements.append(reader.unread(error, name, row))
                    continue
            here = range(row, row + 1)
            if number is None:
                words = f"{name} is not carried on from the row above"
                expected = f"={layout.address(name, max(row - 1, layout.first))}"
                judgements.append(Judgement(name, here, "copied", words, expected, f"={content.text}"))
                continue
            usual = number if usual is None else usual
            before = values.get(row - 1)
            values[row] = number
            # A copy of a changed number is no second change.
            if not _same(number, usual) and not (isinstance(content, Formula) and number == before):
                what, right = (f"{float(value):.15g}" for value in (number, usual))
                words = f"{name} changes on the way; it must be the same in every row"
                judgements.append(Judgement(name, here, ("changed", what), words, right, what))
    return judgements


def _same(number: sp.Rational, usual: sp.Rational) -> bool:
    return number == usual or abs(float(number - usual)) <= _DRIFT * abs(float(usual))


def _read_in(reader: Reader, name: str, rows: range) -> bool:
    """Whether any formula of these rows reads the column's cell of its own row, or of another that may be empty."""
    layout = reader.layout
    second = range(layout.first + 1, layout.first + 2)
    for other in (*layout.columns, *layout.beside):
        if other == name:
            continue
        for run, content in reader.runs(other):
            if isinstance(content, Formula) and run.stop > rows.start and run.start < rows.stop + 1:
                for symbol in content.exact.free_symbols:
                    match = CONSTANT_ELSEWHERE.fullmatch(str(symbol))
                    if not match or match[1] != name:
                        continue
                    if match[2] != f"row {layout.first}" and not (run == second and match[2] == "-1"):
                        return True
    return False


def _copied(reader: Reader, name: str, row: int, reading: Formula, numbers: Numbers) -> sp.Rational | None:
    """The number that a formula in a constant column comes to, or None if it is no copy of what it should be."""
    if str(reading.exact) == f"{name}[-1]":
        return numbers[name].get(row - 1)
    known: dict[sp.Symbol, sp.Rational | None] = {}
    for symbol in reading.exact.free_symbols:
        match = CONSTANT_ELSEWHERE.fullmatch(str(symbol))
        if symbol in reader.values and symbol not in reader.empty:
            known[symbol] = reader.values[symbol]
        elif match:
            other, place = match.groups()
            source = int(place[4:]) if place.startswith("row") else row + int(place)
            # From another column only if that is how this column begins: t2 copies t1, say.
            if other != name and row > reader.layout.first:
                first = reader.first(name)
                if not isinstance(first, Formula) or f"{other}[" not in str(first.exact):
                    return None
            known[symbol] = numbers.get(other, {}).get(source)
    if any(known.get(symbol) is None for symbol in reading.exact.free_symbols):
        return None
    exact = reading.exact.xreplace(known)
    if exact.is_Rational:
        return exact
    number = evaluate(reading.exact, {symbol: to_mpf(value) for symbol, value in known.items()})
    return sp.Rational(PRECISE.nstr(number, 30))
