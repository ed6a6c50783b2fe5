"""The cells of a table: numbers, formulas in terms of its columns, or the judgement on what is neither."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import mpmath
import sympy as sp

from cellgrad.spreadsheet.audit.cells import SWALLOWS, Book, Cell, Pattern, Sheet, Unreadable, mentioned
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS
from cellgrad.spreadsheet.audit.tables import CONSTANT, Layout, is_text
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Reference, number, parse, read_reference, tokenize

MOST_DISTINCT = 500  # formulas of one column; one that is filled down has one or two
TOO_MANY = "more distinct formulas than that"  # the kind of the judgement on those that come after them
MOST_FOLLOWED, LONGEST_CHAIN = 300, 20  # cells with formulas outside the table that one formula may lead to
ERROR, WARNING, UNCHECKED = "error", "warning", "not checked"  # how severe a judgement is
RANDOM = re.compile(r"\bRAND(?:BETWEEN|ARRAY)?\(", re.IGNORECASE)
_LEAVES_EMPTY_OUT = re.compile(r"\b(?:PRODUCT|AVERAGE)\(", re.IGNORECASE)


@dataclass(frozen=True)
class Judgement:
    """What is wrong with some rows of a column; those of the same `kind` and severity become one finding.

    So do those of several columns that have the same `cause`, which is None for a mistake of one column only.
    """

    column: str
    rows: range
    kind: object
    message: str
    expected: str = ""
    found: str = ""
    severity: str = ERROR
    cause: object = None
    place: str = ""  # the cells outside the table that are to blame, and that the finding is on: "Inputs!B3"


class CellFault(FormulaError):
    """A cell outside the table that holds no number: its address, what it holds, and what is wrong with it."""

    def __init__(self, address: str, found: str, reason: str):
        super().__init__(f"reads {address}, which {reason}")
        self.address, self.found, self.reason = address, found, reason


class _TooFar(FormulaError):
    """A formula that leads further than is followed."""


def cause_elsewhere(words: str) -> str | None:
    """The cause that several columns share if a sentence blames another cell or a name; otherwise None."""
    return words if words.startswith(("reads ", "uses the name ")) else None


@dataclass(frozen=True, eq=False)  # read once, a formula is known by its identity
class Formula:
    """A formula over the columns: `h1` is this row's, `w1[-1]` the row above's; other cells go by their address.

    In `exact`, a constant column has a row as well, `t1[+0]` or `t1[row 4]`; in `expression` it has none.
    """

    exact: sp.Expr
    text: str  # as typed, with names for the cells of the table
    pattern: object  # the same for all that are filled down from one
    outside: tuple[Reference, ...]  # the cells outside the table that it mentions, as they are typed
    read: frozenset[sp.Symbol] = frozenset()  # all that it mentions, also what cancels: a program computes that, too

    @cached_property
    def expression(self) -> sp.Expr:
        """The formula over the columns, its constants without a row."""
        found = {symbol: CONSTANT_ELSEWHERE.fullmatch(symbol.name) for symbol in self.exact.free_symbols}
        return self.exact.xreplace({symbol: SYMBOLS[match[1]] for symbol, match in found.items() if match})

    @cached_property
    def same_row(self) -> frozenset[str]:
        """The columns of its own row that it uses, constants left out."""
        own = (symbol.name for symbol in self.exact.free_symbols | self.read if symbol.is_real)
        return frozenset(name for name in own if name.isidentifier())


@dataclass(frozen=True)
class RandomNumber:
    """A cell that draws its number anew whenever the sheet is computed."""

    text: str


Place = tuple[str, int, int]  # a cell outside the table: its sheet's title, its row, its column
Content = float | Formula | RandomNumber | Judgement
ELSEWHERE = re.compile(r"(\w+)\[([-+]\d+)\]")
CONSTANT_ELSEWHERE = re.compile(r"({})\[([-+]\d+|row \d+)\]".format("|".join(CONSTANT)))


def column_and_offset(symbol: sp.Symbol) -> tuple[str, int]:
    """The column that a symbol of a formula stands for, and how many rows below the row at hand: ("w1", -1)."""
    match = ELSEWHERE.fullmatch(symbol.name)
    return (match[1], int(match[2])) if match else (symbol.name, 0)


def in_row(name: str, offset: int) -> sp.Symbol:
    """A column of the table, `offset` rows below the row at hand."""
    if offset == 0 and name not in CONSTANT:
        return SYMBOLS.get(name) or sp.Symbol(name, real=True)
    return sp.Symbol(f"{name}[{offset:+d}]", real=True)


class Reader:
    """Reads the formulas of one table, each distinct one once; remembers the numbers of the cells outside of it."""

    def __init__(self, book: Book, layout: Layout):
        self.book, self.layout, self.names = book, layout, layout.names
        self.defined = book.names(layout.sheet)
        self.values: dict[sp.Symbol, sp.Rational] = {}  # of cells outside the table
        self.empty: set[sp.Symbol] = set()
        self.texts: dict[sp.Symbol, str] = {}  # of cells outside the table that hold neither number nor formula
        self._contents: dict[str, list[tuple[range, Content]]] = {}
        self._read: dict[tuple, Formula | FormulaError] = {}
        self._varying: dict[tuple, tuple[int, list[Reference], bool]] = {}
        self._distinct: Counter[str] = Counter()
        self._followed = 0
        self._visited: dict[Place, str] = {}  # the cells outside the table that were read, and how they are called
        self._instead: dict[Place, sp.Symbol] = {}  # what is read instead of some of them

    def runs(self, name: str) -> list[tuple[range, Content]]:
        """What a column holds: rows that hold the same number or formula, and that, from the top down."""
        if name not in self._contents:
            self._contents[name] = [
                (rows, replace(content, rows=rows) if isinstance(content, Judgement) else content)
                for rows, content in self._runs(name, self.layout.rows(name))
            ]
        return self._contents[name]

    def _runs(self, name: str, rows: Iterable[int]) -> Iterator[tuple[range, Content]]:
        start, last, content = 0, 0, None
        before: Cell = None
        for row in rows:
            cell = self.layout.cell(name, row)
            steady = cell is before and row > self.layout.first + 1 and isinstance(cell, Pattern | float)
            if not (steady and self._steady(name, cell)):
                now = self._content(name, row, cell)
                if content is not None and now is not content:
                    yield range(start, last + 1), content
                if now is not content:
                    start, content = row, now
            before, last = cell, row
        if content is not None:
            yield range(start, last + 1), content

    def _content(self, name: str, row: int, cell: Cell) -> Content:
        here = range(row, row + 1)
        if cell is None:
            wanted = "a formula or a number"
            return Judgement(name, here, "empty", "the cell is empty", wanted, "nothing", cause="empty")
        if isinstance(cell, Unreadable):
            return Judgement(name, here, "unread", f"the formula {cell.reason}", "", cell.text, UNCHECKED)
        if isinstance(cell, Pattern):
            return self._formula(name, row, cell)
        if isinstance(cell, str):
            words = "holds text, not a number or a formula"
            return Judgement(name, here, "text", words, "a number", cell[1:60], cause="text")
        return cell

    def first(self, name: str) -> Content | None:
        """What the first row of a column holds; None where there is no such column."""
        if name not in self.layout.columns and name not in self.layout.beside:
            return None
        runs = self.runs(name)
        return runs[0][1] if runs else None

    def content(self, name: str, row: int) -> Content | None:
        """What a column holds in a row; None where it has no such row."""
        runs = self.runs(name)
        place = bisect_right(runs, row, key=lambda run: run[0].start) - 1
        return runs[place][1] if place >= 0 and row in runs[place][0] else None

    def unread(self, error: FormulaError, name: str, row: int) -> Judgement:
        """The judgement on a formula that cannot be read."""
        text = self.layout.typed(name, row)
        found, words = text if len(text) < 200 else text[:200] + "…", str(error)
        here, cause = range(row, row + 1), cause_elsewhere(words)
        if isinstance(error, CellFault):
            found = error.found[:200]
            return Judgement(
                name, here, ("unread", words), error.reason, "", found, UNCHECKED, words, place=error.address
            )
        return Judgement(name, here, ("unread", words), f"the formula {words}", "", found, UNCHECKED, cause)

    def outside(self, expression: sp.Expr) -> set[sp.Symbol]:
        """The cells outside the table whose numbers an expression takes."""
        return expression.free_symbols & self.values.keys()

    def _formula(self, name: str, row: int, pattern: Pattern) -> Content:
        """The formula in a cell: one and the same for equal formulas of other rows."""
        text = pattern.text(row, self.layout.column(name))
        if row == self.layout.first and RANDOM.search(text) and not self._in_table(text, row):
            return RandomNumber(text)
        home, varying, anew = self._varies(name, pattern, row)
        key: tuple = (name, pattern, row == self.layout.first)
        key += tuple(self._key(cell.moved(row - home, 0), row) for cell in varying)
        if anew:
            key += (row,)
        if key not in self._read:
            if self._distinct[name] == MOST_DISTINCT:
                error = FormulaError(f"comes after {MOST_DISTINCT} different ones in its column")
                return replace(self.unread(error, name, row), kind=TOO_MANY)
            self._distinct[name] += 1
            try:
                self._read[key] = self._parsed(text, row, pattern)
            except FormulaError as error:
                self._read[key] = error
        reading = self._read[key]
        if not isinstance(reading, FormulaError):
            return reading
        drawn = row == self.layout.first and "uses the function RAND" in str(reading)
        return RandomNumber(text) if drawn and not self._in_table(text, row) else self.unread(reading, name, row)

    def _steady(self, name: str, cell: Cell) -> bool:
        """Whether a formula means the same wherever it is filled down to, from the third row on."""
        if not isinstance(cell, Pattern):
            return True
        _, varying, anew = self._varies(name, cell, self.layout.first + 1)
        return not varying and not anew

    def _varies(self, name: str, pattern: Pattern, row: int) -> tuple[int, list[Reference], bool]:
        """The cells whose meaning may change as a formula is filled down, as seen from a row; or whether any may."""
        key = name, pattern
        if key not in self._varying:
            text = pattern.text(row, self.layout.column(name))
            try:
                cells = self._references(text)
            except FormulaError:
                cells = []
            varying = [cell for cell in cells if not self._plain(cell, row)]
            # Cells inside a range count too; one with an end that varies is read anew in every row.
            self._varying[key] = row, varying, ":" in text and bool(varying)
        return self._varying[key]

    def _plain(self, cell: Reference, row: int) -> bool:
        """Whether a cell means the same when its formula is filled down."""
        own_sheet = cell.sheet is None or cell.sheet == self.layout.sheet.title
        in_rows = self.layout.first <= cell.row <= self.layout.last
        if cell.row_fixed:
            named = self.names.get(cell.column) if own_sheet and in_rows else None
            return named is None or named in CONSTANT or named in self.layout.beside
        return own_sheet and cell.column in self.names and cell.row - row in (-1, 0)

    def _references(self, text: str) -> list[Reference]:
        tokens = tokenize(text)
        found = [read_reference(token.text, token.sheet) for token in tokens if token.kind == "cell"]
        named = [self.defined.get(token.text.lower().replace("'", "")) for token in tokens if token.kind == "name"]
        return found + [cell for cell in named if isinstance(cell, Reference)]

    def _in_table(self, text: str, row: int) -> bool:
        return any(self._place(cell, self.layout.sheet.title, row)[1] for cell in mentioned(text))

    def _key(self, cell: Reference, row: int) -> object:
        try:
            meaning = self.meaning(cell, row)
        except FormulaError as error:
            return str(error)
        if meaning in self.values:  # what counts of a cell elsewhere is its number, not where it stands
            return "empty" if meaning in self.empty else self.values[meaning]
        return meaning

    def _parsed(self, text: str, row: int, pattern: Pattern) -> Formula:
        outside: dict[Reference, None] = {}
        read: set[sp.Symbol] = set()

        def resolve(cell: Reference) -> sp.Expr:
            meaning = self.meaning(cell, row)
            read.update(meaning.free_symbols)
            held = self.values.keys() | self.texts.keys()
            if all(symbol in held and not symbol.is_real for symbol in meaning.free_symbols):
                outside.setdefault(cell)
            return meaning

        named = {name: value for name, value in self.defined.items() if not isinstance(value, Reference)}
        cells = {name: value for name, value in self.defined.items() if isinstance(value, Reference)}
        exact = self._without_left_out(text, parse(text, resolve, named | cells))
        return Formula(exact, self.named(text, row), pattern.kind, tuple(outside), frozenset(read))

    def _without_left_out(self, text: str, exact: sp.Expr) -> sp.Expr:
        """The formula, unless it hands a function such as SUM or AVERAGE a cell that this would leave out."""
        if SWALLOWS.search(text) and (taken := exact.free_symbols & self.texts.keys()):
            raise FormulaError(f"reads {min(map(str, taken))}, a text, in a function that leaves texts out")
        if _LEAVES_EMPTY_OUT.search(text) and (taken := exact.free_symbols & self.empty):
            raise FormulaError(f"reads {min(map(str, taken))}, empty, in a function that leaves empty cells out")
        return exact

    def parsed_with(self, text: str, row: int, instead: dict[Reference, sp.Expr]) -> sp.Expr:
        """A formula of a row, with something else in the place of some cells."""
        exact = parse(text, lambda cell: instead.get(cell) or self.meaning(cell, row), self.defined)
        return Formula(exact, "", None, ()).expression

    def with_typed(self, text: str, row: int) -> tuple[sp.Expr, dict[sp.Symbol, sp.Rational]]:
        """A formula of a row with a symbol for each number that is typed into it, and what these numbers are."""
        pieces, typed, tokens = [], {}, tokenize(text)[:-1]
        for place, token in enumerate(tokens):
            symbol = sp.Symbol(f"typed.{place}", real=True)
            if token.kind == "number":
                typed[symbol] = number(token.text)
                before = "".join(one.text for one in tokens[max(0, place - 2) : place])
                if re.fullmatch(r"-|.*[(,*/^+-]-", before):  # the sign of the number itself, not of a difference
                    typed[symbol] = -typed[symbol]
                    pieces.pop()
            pieces.append(symbol.name if token.kind == "number" else token.text)
        names = self.defined | {str(symbol): symbol for symbol in typed}
        exact = parse("".join(pieces), lambda cell: self.meaning(cell, row), names)
        return Formula(exact, "", None, ()).expression, typed

    def meaning(self, cell: Reference, row: int) -> sp.Expr:
        """What a cell is to a formula in `row` of the table: a column, a number elsewhere, or a formula followed."""
        self._followed = 0
        return self._meaning(cell, self.layout.sheet.title, row, [])

    def _place(self, cell: Reference, home: str, row: int) -> tuple[Sheet, sp.Symbol | None]:
        """The sheet of a cell, and the column that it is if it stands in the table."""
        layout = self.layout
        title = cell.sheet or home
        own = title.casefold() == layout.sheet.title.casefold()
        sheet = layout.sheet if own else self.book.sheet(title)
        if sheet is None:
            raise FormulaError(f"reads the sheet {cell.sheet!r}, which is not in this workbook")
        name = self.names.get(cell.column)
        if not own or name is None or not layout.first <= cell.row <= layout.rows(name).stop - 1:
            return sheet, None
        if cell.row_fixed and name in layout.beside:  # a cell of its own, that happens to stand beside the table
            return sheet, None
        once = cell.row == layout.first < row - 1  # typed in the first row, and read from there with or without a $
        if name in CONSTANT and (cell.row_fixed or once):
            return sheet, sp.Symbol(f"{name}[row {cell.row}]", real=True)
        return sheet, in_row(name, cell.row - row)

    def _meaning(self, cell: Reference, home: str, row: int, chain: list) -> sp.Expr:
        sheet, column = self._place(cell, home, row)
        if column is not None:
            return column
        address = sheet.address(cell.row, cell.column)
        if sheet is not self.layout.sheet:
            address = f"{Reference(1, 1, sheet=sheet.title)}".removesuffix("A1") + address
        value, place = sheet.value(cell.row, cell.column), (sheet.title, cell.row, cell.column)
        self._visited[place] = address
        if place in self._instead:
            return self._instead[place]
        if isinstance(value, Unreadable):
            raise CellFault(address, value.text, value.reason)
        symbol = outside_cell(address)
        if is_text(value):
            said = _number_in(value[1:])
            self.texts[symbol] = value[1:40]
            if said is not None:  # a spreadsheet program takes a text that reads as a number for one
                self.values[symbol] = said
            return symbol
        if isinstance(value, str):
            self._followed += 1
            if place in chain:
                raise CellFault(address, value, "depends on itself, in a circle")
            if len(chain) > LONGEST_CHAIN or self._followed > MOST_FOLLOWED:
                raise _TooFar("leads to too many cells outside the table")
            return self._followed_on(
                value, address, lambda c: self._meaning(c, sheet.title, row, [*chain, place]), sheet
            )
        self.values[symbol] = rational(value or 0)
        if value is None:
            self.empty.add(symbol)
        return symbol

    def _followed_on(self, text: str, address: str, resolve: Callable[[Reference], sp.Expr], sheet: Sheet) -> sp.Expr:
        """What the formula of a cell outside the table comes to. Raises CellFault where it cannot be read."""
        try:
            return self._without_left_out(text, parse(text, resolve, self.book.names(sheet)))
        except (CellFault, _TooFar):
            raise
        except FormulaError as error:
            raise CellFault(address, text, str(error)) from None

    def held(self, cell: Reference) -> str:
        """What a cell outside the table holds, as it is typed."""
        sheet = self.book.sheet(cell.sheet) if cell.sheet else None
        value = (sheet or self.layout.sheet).value(cell.row, cell.column)
        return "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value).removeprefix("'")

    def fault(self, name: str, rows: range, formula: Formula) -> Judgement | None:
        """The judgement on a cell elsewhere that a formula takes for a number, but that holds a text, or nothing."""
        texts = formula.exact.free_symbols & self.texts.keys() - self.values.keys()
        held = {symbol.name: f"the text {self.texts[symbol]!r}" for symbol in texts}
        if formula.exact in self.empty:
            held[str(formula.exact)] = "nothing"
        if not held:
            return None
        place, what = min(held.items())
        words = f"holds {what}, where a number belongs"
        return Judgement(name, rows, "fault", words, "a number", what, cause=(place, words), place=place)

    def read_elsewhere(self, name: str, row: int) -> dict[Place, str]:
        """The cells outside the table that a formula leads to, and how they are called; first those it reads itself."""
        self._visited, text = {}, self.layout.value(name, row)
        if isinstance(text, str) and text.startswith("="):
            with suppress(FormulaError):
                self.parsed_with(text, row, {})
        return self._visited

    def without(self, place: Place, symbol: sp.Symbol, name: str, row: int) -> sp.Expr:
        """A formula of the table with a symbol in the place of a cell outside of it, wherever it leads there."""
        self._instead = {place: symbol}
        try:
            return self.parsed_with(str(self.layout.value(name, row)), row, {})
        finally:
            self._instead = {}

    def named(self, text: str, row: int) -> str:
        """The formula with names in the place of the table's cells."""

        def name(cell: str, sheet: str | None) -> str:
            reference = read_reference(cell, sheet)
            column = self._place(reference, self.layout.sheet.title, row)[1]
            if column is None or str(column) in self.layout.beside:
                return self.spelled(reference)
            return re.sub(r"\[(?:\+0|row \d+)\]", "", str(column))

        return "".join(
            name(token.text, token.sheet) if token.kind == "cell" else token.text for token in tokenize(text)[:-1]
        )

    def spelled(self, cell: Reference) -> str:
        """A cell as the file has it, where the table lies on its side too."""
        if self.layout.sheet.side and cell.sheet in (None, self.layout.sheet.title):
            return str(Reference(cell.column, cell.row, cell.column_fixed, cell.row_fixed, cell.sheet))
        return str(cell)

    def held_fast(self, name: str, row: int, right_row: int) -> str:
        """The cells of other rows than the right one that a formula holds fast with a $, as they are typed."""
        tokens = tokenize(str(self.layout.value(name, row)))
        cells = [read_reference(token.text, token.sheet) for token in tokens if token.kind == "cell"]
        columns = {self.layout.columns[other] for other in self.layout.columns if other not in CONSTANT}
        held = [cell for cell in cells if cell.row_fixed and cell.row != right_row and cell.column in columns]
        return ", ".join(dict.fromkeys(self.spelled(cell) for cell in held))


def _number_in(text: str) -> sp.Rational | None:
    """The number that a text reads as, in the way of a spreadsheet program."""
    try:
        return sp.Rational(text.strip()) if re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text) else None
    except (ValueError, TypeError):
        return None


def outside_cell(address: str) -> sp.Symbol:
    """A cell outside the table. Not declared real, as the columns are: so the cell E1 is not the column E1."""
    return sp.Symbol(address, complex=True)


def rational(value: float) -> sp.Rational:
    """A number as it is typed: 0.1 is one tenth."""
    return sp.Rational(repr(value)) if isinstance(value, float) else sp.Integer(value)


def to_mpf(value: sp.Rational) -> mpmath.mpf:
    """An exact number to 50 digits."""
    return PRECISE.mpf(value.p) / value.q
