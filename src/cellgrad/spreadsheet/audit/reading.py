"""The cells of a table: numbers, formulas in terms of its columns, or the verdict on what is neither."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import mpmath
import sympy as sp
from openpyxl.utils import get_column_letter

from cellgrad.spreadsheet.audit.cells import Book, Unreadable
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT, Layout, is_text
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, parse, read_reference, relative, tokenize

MOST_DISTINCT = 500  # formulas of one column; one that is filled down has one or two
MOST_FOLLOWED, LONGEST_CHAIN = 300, 20  # cells with formulas outside the table that one formula may lead to
ERROR, WARNING, UNCHECKED = "error", "warning", "not checked"  # how severe a verdict is


@dataclass(frozen=True)
class Verdict:
    """What is wrong with one cell; cells of a column with the same `kind` and severity become one finding."""

    column: str
    row: int
    kind: object
    message: str
    expected: str = ""
    found: str = ""
    severity: str = ERROR


@dataclass(frozen=True, eq=False)  # read once, a formula is known by its identity
class Formula:
    """A formula over the columns: `h1` is this row's, `w1[-1]` the row above's; other cells go by their address."""

    expression: sp.Expr
    text: str  # as typed, with names for the cells of the table
    pattern: str  # as typed, with cells relative to its own: the same for all that are filled down from one
    outside: tuple[Reference, ...]  # the cells outside the table that it mentions, as they are typed
    same_row: frozenset[str]  # the computed columns of its own row that it uses


_COMPUTED = {name: symbol for name, symbol in SYMBOLS.items() if name not in (*CONSTANT, *WEIGHT)}
ELSEWHERE = re.compile(r"(\w+)\[([-+]\d+)\]")


def in_row(name: str, offset: int) -> sp.Symbol:
    """A column of the table, `offset` rows below the row at hand; what is constant has no row."""
    if offset == 0 or name in CONSTANT:
        return SYMBOLS[name]
    return sp.Symbol(f"{name}[{offset:+d}]", real=True)


class Reader:
    """Reads the formulas of one table, each distinct one once; remembers the numbers of the cells outside of it."""

    def __init__(self, book: Book, layout: Layout):
        self.book, self.layout, self.names = book, layout, layout.names
        self.values: dict[sp.Symbol, sp.Rational] = {}  # of cells outside the table
        self.empty: set[sp.Symbol] = set()
        self.texts: dict[sp.Symbol, str] = {}  # of cells outside the table that hold neither number nor formula
        self._read: dict[tuple, Formula | FormulaError] = {}
        self._varying: dict[tuple, tuple[int, list[Reference]]] = {}  # the row where they were found, and they
        self._distinct: Counter[int] = Counter()
        self._followed = 0

    def cells(
        self, name: str, rows: Iterable[int], constants_by_row: bool = False
    ) -> Iterator[tuple[int, float | Formula | Verdict]]:
        """What the cells of a column hold: a number, a formula, or the verdict on what is neither."""
        for row in rows:
            value = self.layout.cell(name, row)
            if value is None:
                yield row, Verdict(name, row, "empty", "the cell is empty", "a formula or a number", "nothing")
            elif isinstance(value, Unreadable):
                words = f"not read: the formula {value.reason}"
                yield row, Verdict(name, row, "unread", words, "", value.text, UNCHECKED)
            elif is_text(value):
                words = "holds text, not a number or a formula"
                yield row, Verdict(name, row, "text", words, "a number", value[1:60])
            elif isinstance(value, str):
                reading = self._formula(value, row, self.layout.columns[name], constants_by_row)
                yield row, self.unread(reading, name, row) if isinstance(reading, FormulaError) else reading
            else:
                yield row, value

    def first_formula(self, name: str, constants_by_row: bool = False) -> Formula | None:
        """The formula in the first row of a column, if there is one that can be read."""
        [(_, content)] = self.cells(name, [self.layout.first], constants_by_row)
        return content if isinstance(content, Formula) else None

    def unread(self, error: FormulaError, name: str, row: int) -> Verdict:
        """The verdict on a formula that cannot be read."""
        text = str(self.layout.cell(name, row))
        found = text if len(text) < 200 else text[:200] + "…"
        return Verdict(name, row, ("unread", str(error)), f"not checked: the formula {error}", "", found, UNCHECKED)

    def outside(self, expression: sp.Expr) -> set[sp.Symbol]:
        """The cells outside the table whose numbers an expression takes."""
        return expression.free_symbols & self.values.keys()

    def _formula(self, text: str, row: int, column: int, constants_by_row: bool) -> Formula | FormulaError:
        """The formula in a cell: one and the same for equal formulas of other rows."""
        place = (column, relative(text, row, column), row == self.layout.first, constants_by_row)
        if place not in self._varying:
            self._varying[place] = row, self._varying_references(text, row)
        home, varying = self._varying[place]
        key = (*place, tuple(self._key(cell.moved(row - home, 0), row, constants_by_row) for cell in varying))
        if "[?]" in key[-1]:
            key = (*key, row)
        if key not in self._read:
            if self._distinct[column] == MOST_DISTINCT:
                return FormulaError(f"comes after {MOST_DISTINCT} different ones in its column")
            self._distinct[column] += 1
            try:
                self._read[key] = self._parsed(text, row, constants_by_row, pattern=place[1])
            except FormulaError as error:
                self._read[key] = error
        return self._read[key]

    def _references(self, text: str) -> list[Reference]:
        tokens = tokenize(text)
        found = [read_reference(token.text, token.sheet) for token in tokens if token.kind == "cell"]
        return found + [self.book.names[name] for token in tokens if (name := token.text.lower()) in self.book.names]

    def _varying_references(self, text: str, row: int) -> list[Reference]:
        """The cells whose meaning may change as the formula is filled down: all but those of this row and the last."""
        try:
            cells = self._references(text)
        except FormulaError:
            return []
        if ":" in text:  # the cells inside a range count too; a range that grows is read anew in every row
            return [*cells, Reference(0, 0, True, True)]
        plain = [
            cell.sheet is None and not cell.row_fixed and cell.column in self.names and cell.row - row in (-1, 0)
            for cell in cells
        ]
        return [cell for cell, simple in zip(cells, plain, strict=True) if not simple]

    def _key(self, cell: Reference, row: int, constants_by_row: bool) -> str:
        if cell.row == 0:
            return "[?]"
        try:
            meaning = self.meaning(cell, row, constants_by_row)
            if meaning in self.values:  # what counts of a cell elsewhere is its number, not where it stands
                return "empty" if meaning in self.empty else str(self.values[meaning])
            return str(meaning)
        except FormulaError as error:
            return str(error)

    def _parsed(self, text: str, row: int, constants_by_row: bool, pattern: str) -> Formula:
        outside: dict[Reference, None] = {}

        def resolve(cell: Reference) -> sp.Expr:
            meaning = self.meaning(cell, row, constants_by_row)
            if meaning.free_symbols <= self.values.keys() | self.texts.keys():
                outside.setdefault(cell)
            return meaning

        expression = parse(text, resolve, self.book.names)
        same_row = {name for name, symbol in _COMPUTED.items() if symbol in expression.free_symbols}
        return Formula(expression, self._named(text, row), pattern, tuple(outside), frozenset(same_row))

    def meaning(self, cell: Reference, row: int, constants_by_row: bool = False) -> sp.Expr:
        """What a cell is to a formula in `row` of the table: a column, a number elsewhere, or a formula followed."""
        self._followed = 0
        return self._meaning(cell, self.layout.sheet.title, row, [], constants_by_row)

    def _meaning(self, cell: Reference, home: str, row: int, chain: list, constants_by_row: bool) -> sp.Expr:
        layout = self.layout
        sheet = layout.sheet if (cell.sheet or home) == layout.sheet.title else self.book.sheet(cell.sheet or home)
        if sheet is None:
            raise FormulaError(f"reads the sheet {cell.sheet!r}, which is not in this workbook")
        if sheet is layout.sheet and layout.first <= cell.row <= layout.last and cell.column in self.names:
            name = self.names[cell.column]
            if constants_by_row and name in CONSTANT:
                place = f"row {cell.row}" if cell.row_fixed else f"{cell.row - row:+d}"
                return sp.Symbol(f"{name}[{place}]", real=True)
            return in_row(name, cell.row - row)
        address = f"{get_column_letter(cell.column)}{cell.row}"
        if sheet is not layout.sheet:
            address = str(Reference(cell.row, cell.column, sheet=sheet.title))
        value = sheet.value(cell.row, cell.column)
        if isinstance(value, Unreadable):
            raise FormulaError(f"reads {address}, which {value.reason}")
        symbol = outside_cell(address)
        if is_text(value):
            self.texts[symbol] = value[1:40]
            return symbol
        if isinstance(value, str):
            place = (sheet.title, cell.row, cell.column)
            self._followed += 1
            if place in chain:
                raise FormulaError(f"reads {address}, which depends on itself, in a circle")
            if len(chain) > LONGEST_CHAIN or self._followed > MOST_FOLLOWED:
                raise FormulaError("leads to too many cells outside the table")
            return parse(
                value,
                lambda other: self._meaning(other, sheet.title, row, [*chain, place], constants_by_row),
                self.book.names,
            )
        self.values[symbol] = rational(value or 0)
        if value is None:
            self.empty.add(symbol)
        return symbol

    def _named(self, text: str, row: int) -> str:
        """The formula with names in the place of the table's cells."""

        def name(cell: str, sheet: str | None) -> str:
            reference = read_reference(cell, sheet)
            here = sheet is None or reference.sheet == self.layout.sheet.title
            if here and reference.column in self.names and self.layout.first <= reference.row <= self.layout.last:
                return str(in_row(self.names[reference.column], reference.row - row))
            return cell

        return "".join(
            name(token.text, token.sheet) if token.kind == "cell" else token.text for token in tokenize(text)[:-1]
        )


def outside_cell(address: str) -> sp.Symbol:
    """A cell outside the table. Not declared real, as the columns are: so the cell E1 is not the column E1."""
    return sp.Symbol(address, complex=True)


def rational(value: float) -> sp.Rational:
    """A number as it is typed: 0.1 is one tenth."""
    return sp.Rational(repr(value)) if isinstance(value, float) else sp.Integer(value)


def to_mpf(value: sp.Rational) -> mpmath.mpf:
    """An exact number to 50 digits."""
    return PRECISE.mpf(value.p) / value.q
