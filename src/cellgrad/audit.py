"""Somebody's spreadsheet of the toy network, held against the derivation, formula by formula.

Every column is judged by its own formula, given that the other columns are what their headings say: one mistake is
one finding, however many columns it reaches. A formula is right if it equals the derivation, however it is written:
the same expression, or else the same number, to 30 digits, at random networks.

What a user may do and still be right: put the table anywhere, several to a sheet; head the columns in any of the
usual ways; keep the learning rate in a cell, in a column of its own, or typed into the formulas; compute a column
from others than we do, or from helper cells, which are followed; fill inputs, targets and first weights from cells
elsewhere; add a fixed bias (the same term in every row, to both units of a layer or to neither), which is reported.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import sympy as sp
from openpyxl.utils import get_column_letter

from cellgrad.cells import AuditError, Book, Sheet, Unreadable, Value, read_book
from cellgrad.formulas import PRECISE, FormulaError, Reference, evaluate, parse, read_reference, relative, tokenize
from cellgrad.mistakes import SYMBOLS, agrees, bracketed, definition, explain, points, same, spelled
from cellgrad.toynet import COLUMNS

__all__ = ["AuditError", "Finding", "Report", "Table", "audit"]

CONSTANT = ("t1", "t2", "i1", "i2", "b1", "b2")
WEIGHT = tuple(f"w{number}" for number in range(1, 9))
FEWEST_COLUMNS = 16  # recognised headings in one row that make it the head of a table
MOST_EXPLAINED = 60  # distinct wrong formulas for which the mistake is searched; the rest is reported without words
MOST_FOLLOWED = 300  # cells outside the table that one formula may lead to

ERROR, WARNING, UNCHECKED = "error", "warning", "not checked"


@dataclass(frozen=True)
class Finding:
    """One mistake, in all the cells of one column that make it: "Z3:Z70", or "Z5,Z9"."""

    column: str
    cells: str
    severity: str
    expected: str
    found: str
    message: str


@dataclass(frozen=True)
class Table:
    """One table of the toy network: its place, heading included, its learning rate if there is one, what was found.

    `recomputed` are the columns that hold numbers without formulas and were checked by computing them again;
    `biases` are the terms that h1, h2, o1, o2 add beside their weights.
    """

    sheet: str
    range: str
    rows: int
    learning_rate: float | None
    learning_rate_source: str | None
    findings: tuple[Finding, ...]
    biases: dict[str, str] = field(default_factory=dict)
    recomputed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The tables found in a workbook and what is wrong with them; printed, it is the report in plain text."""

    path: str
    tables: tuple[Table, ...]

    @property
    def all_right(self) -> bool:
        """Whether every formula was read and none is wrong; warnings do not count."""
        return not any(finding.severity != WARNING for table in self.tables for finding in table.findings)

    def to_dict(self) -> dict:
        """The report as one JSON object."""
        return {"path": self.path, "all_right": self.all_right, "tables": [asdict(table) for table in self.tables]}

    def __str__(self) -> str:
        return "\n".join(line for table in self.tables for line in _printed(table))


def audit(path: str | Path) -> Report:
    """Check every table of the toy network in an .xlsx workbook, each formula and each update.

    Raises AuditError, one line, for what is not a workbook, too large, or has no such table in it.
    """
    book = read_book(path)
    layouts = [layout for sheet in book.sheets for layout in _find_tables(sheet)]
    if not layouts:
        raise AuditError(
            f"{path}: no table of the toy network in it; looked in {len(book.sheets)} sheets for a row of headings "
            f"such as t1 t2 i1 i2 w1 … dE_dw8 (at least {FEWEST_COLUMNS} of the {len(COLUMNS)})"
        )
    stored = cache(lambda: read_book(path, stored_results=True))
    return Report(str(path), tuple(_Audit(book, layout, stored).table() for layout in layouts))


# --- finding the tables --------------------------------------------------------------------------------------------

_HEADINGS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?:t|target|y)([12])", "t{}"),
        (r"(?:i|x|in|input)([12])", "i{}"),
        (r"(?:w|weight)([1-8])", "w{}"),
        (r"(?:h|neth|hnet|zh|inh)([12])", "h{}"),
        (r"(?:a|act|activation|out|sigma|sigmoid|σ|s)h([12])", "a_h{}"),
        (r"(?:o|neto|onet|zo|ino)([12])", "o{}"),
        (r"(?:a|act|activation|out|sigma|sigmoid|σ|s)o([12])", "a_o{}"),
        (r"(?:e|eo|error|loss|l)([12])", "E{}"),
        (r"(?:e|error|loss|l)(?:t|tot|total)?|total(?:e|error|loss)?", "E_total"),
        (r"(?:d?(?:e|error|err|loss|l|c|j)(?:t|tot|total)?/?)?(?:d|/)w([1-8])", "dE_dw{}"),
        (r"(?:grad|gradient)(?:of)?w([1-8])", "dE_dw{}"),
        (r"(?:b|bias)([12])", "b{}"),
    )
)
_RATE_HEADING = re.compile(r"lr|eta|η|alpha|α|rate|learningrate|stepsize")


def _plain(heading: str) -> str:
    """A heading without what people vary: case, spaces, underscores, brackets, ∂ or δ or d, subscripts."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    text = re.sub("[∂δ𝜕𝛿∆]|delta|partial", "d", text)
    return re.sub(r"[^\w/]|_", "", text)


def _column_name(value: Value) -> str | None:
    """Which of the columns a heading names, or None."""
    if not isinstance(value, str) or not value.startswith("'") or len(value) > 40:
        return None
    text = _plain(value)
    for pattern, name in _HEADINGS:
        if match := pattern.fullmatch(text):
            return name.format(*match.groups())
    return None


@dataclass(frozen=True)
class _Layout:
    """Where a table stands: its sheet, the row of headings, the first and last row below, the columns by name."""

    sheet: Sheet
    heading: int
    first: int
    last: int
    columns: dict[str, int]

    @property
    def names(self) -> dict[int, str]:
        return {column: name for name, column in self.columns.items()}

    @property
    def range(self) -> str:
        left, right = min(self.columns.values()), max(self.columns.values())
        return f"{get_column_letter(left)}{self.heading}:{get_column_letter(right)}{max(self.last, self.heading)}"


def _find_tables(sheet: Sheet) -> Iterator[_Layout]:
    heads = [(row, columns) for row in range(1, len(sheet.rows) + 1) for columns in _heads(sheet.rows[row - 1])]
    for row, columns in heads:
        below = [other for other, rivals in heads if other > row and set(rivals.values()) & set(columns.values())]
        end = min(below, default=len(sheet.rows) + 1) - 1
        filled = {
            place: sum(sheet.value(place, column) is not None for column in columns.values())
            for place in itertools.takewhile(
                lambda place: place <= row + 3 or _any(sheet, place - 1, columns), range(row + 1, end + 1)
            )
        }
        # A line of units or explanations may stand below the headings; a row that is mostly empty ends the table.
        body = [place for place, count in filled.items() if 2 * count > len(columns) and _numeric(sheet, place, columns)]
        yield _Layout(sheet, row, min(body, default=row + 1), max(body, default=row), columns)


def _heads(cells: tuple[Value, ...]) -> list[dict[str, int]]:
    """The tables whose headings stand side by side in one row: a new one begins where a heading comes again."""
    tables: list[dict[str, int]] = [{}]
    for column, value in enumerate(cells, start=1):
        name = _column_name(value)
        if name in tables[-1]:
            tables.append({})
        if name:
            tables[-1][name] = column
    return [table for table in tables if len(table) >= FEWEST_COLUMNS]


def _any(sheet: Sheet, row: int, columns: dict[str, int]) -> bool:
    return any(sheet.value(row, column) is not None for column in columns.values())


def _numeric(sheet: Sheet, row: int, columns: dict[str, int]) -> bool:
    """Whether a row holds at least one number or formula."""
    values = (sheet.value(row, column) for column in columns.values())
    return any(value is not None and not (isinstance(value, str) and value.startswith("'")) for value in values)


# --- reading the formulas ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Formula:
    """A formula over the columns: `h1` is this row's, `w1[-1]` the row above's; other cells go by their address."""

    expression: sp.Expr
    text: str  # as typed, with names for the cells of the table
    outside: tuple[Reference, ...]  # the cells outside the table that it rests on, as they are typed


_ELSEWHERE = re.compile(r"(\w+)\[([-+]\d+)\]")


def _in_row(name: str, offset: int) -> sp.Symbol:
    """A column of the table, `offset` rows below the row at hand; what is constant has no row."""
    if offset == 0 or name in CONSTANT:
        return SYMBOLS[name]
    return sp.Symbol(f"{name}[{offset:+d}]", real=True)


class _Reader:
    """Reads the formulas of one table, each distinct one once; remembers the numbers of the cells outside of it."""

    def __init__(self, book: Book, layout: _Layout):
        self.book, self.layout, self.names = book, layout, layout.names
        self.values: dict[sp.Symbol, sp.Rational] = {}  # of cells outside the table
        self.empty: set[sp.Symbol] = set()
        self._read: dict[tuple, _Formula | FormulaError] = {}
        self._varying: dict[tuple, list[Reference]] = {}

    def formula(self, row: int, column: int, constants_by_row: bool = False) -> tuple[tuple, _Formula | FormulaError]:
        """The formula in a cell and a key that is equal for equal formulas of other rows."""
        text = self.layout.sheet.value(row, column)
        place = (column, relative(text, row, column), row == self.layout.first, constants_by_row)
        if place not in self._varying:
            self._varying[place] = self._varying_references(text, row, column)
            self._homes = getattr(self, "_homes", {}) | {place: row}
        down = row - self._homes[place]
        key = (*place, tuple(self._key(cell.moved(down, 0), row) for cell in self._varying[place]))
        if constants_by_row or "[?]" in key[-1]:
            key = (*key, row)
        if key not in self._read:
            try:
                self._read[key] = self._parsed(text, row, constants_by_row)
            except FormulaError as error:
                self._read[key] = error
        return key, self._read[key]

    def _references(self, text: str) -> list[Reference]:
        tokens = tokenize(text)
        found = [read_reference(token.text, token.sheet) for token in tokens if token.kind == "cell"]
        return found + [self.book.names[name] for token in tokens if (name := token.text.lower()) in self.book.names]

    def _varying_references(self, text: str, row: int, column: int) -> list[Reference]:
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

    def _key(self, cell: Reference, row: int) -> str:
        if cell.row == 0:
            return "[?]"
        try:
            return str(self._meaning(cell, self.layout.sheet.title, row, [], False))
        except FormulaError as error:
            return str(error)

    def _parsed(self, text: str, row: int, constants_by_row: bool) -> _Formula:
        outside: dict[Reference, None] = {}
        followed: list[tuple] = []

        def resolve(cell: Reference) -> sp.Expr:
            meaning = self._meaning(cell, self.layout.sheet.title, row, followed, constants_by_row)
            if meaning.free_symbols <= self.values.keys():
                outside.setdefault(cell)
            return meaning

        expression = parse(text, resolve, self.book.names)
        return _Formula(expression, self.named(text, row), tuple(outside))

    def _meaning(self, cell: Reference, home: str, row: int, followed: list, constants_by_row: bool) -> sp.Expr:
        """What a cell is to a formula in `row` of the table: a column, a number elsewhere, or a formula followed."""
        layout = self.layout
        sheet = layout.sheet if (cell.sheet or home) == layout.sheet.title else self.book.sheet(cell.sheet or home)
        if sheet is None:
            raise FormulaError(f"reads the sheet {cell.sheet!r}, which is not in this workbook")
        if sheet is layout.sheet and layout.first <= cell.row <= layout.last and cell.column in self.names:
            name = self.names[cell.column]
            if constants_by_row and name in CONSTANT:
                return sp.Symbol(f"{name}[{cell.row - row:+d}]", real=True)
            return _in_row(name, cell.row - row)
        address = f"{get_column_letter(cell.column)}{cell.row}"
        if sheet is not layout.sheet:
            address = str(Reference(cell.row, cell.column, sheet=sheet.title))
        value = sheet.value(cell.row, cell.column)
        if isinstance(value, Unreadable):
            raise FormulaError(f"reads {address}, which {value.reason}")
        if isinstance(value, str) and value.startswith("'"):
            raise FormulaError(f"reads {address}, which holds the text {value[1:40]!r}")
        if isinstance(value, str):
            place = (sheet.title, cell.row, cell.column)
            chain = [*followed, place]
            if place in followed or len(chain) > 30:
                raise FormulaError(f"reads {address}, which depends on itself or on a very long chain of cells")
            self.steps = getattr(self, "steps", 0) + 1
            if len(followed) == 0:
                self.steps = 0
            if self.steps > MOST_FOLLOWED:
                raise FormulaError(f"leads to more than {MOST_FOLLOWED} cells outside the table")
            return parse(
                value, lambda other: self._meaning(other, sheet.title, row, chain, constants_by_row), self.book.names
            )
        symbol = sp.Symbol(address, real=True)
        self.values[symbol] = _rational(value or 0)
        if value is None:
            self.empty.add(symbol)
        return symbol

    def named(self, text: str, row: int) -> str:
        """The formula with names in the place of the table's cells."""

        def name(cell: str, sheet: str | None) -> str:
            reference = read_reference(cell, sheet)
            here = sheet is None or reference.sheet == self.layout.sheet.title
            if here and reference.column in self.names and self.layout.first <= reference.row <= self.layout.last:
                return str(_in_row(self.names[reference.column], reference.row - row))
            return cell

        return "".join(
            name(token.text, token.sheet) if token.kind == "cell" else token.text for token in tokenize(text)[:-1]
        )


def _rational(value: float) -> sp.Rational:
    """A number as it is typed: 0.1 is one tenth."""
    return sp.Rational(repr(value)) if isinstance(value, float) else sp.Integer(value)


# --- judging -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Verdict:
    """What is wrong with one cell; cells of a column with the same `kind` become one finding."""

    kind: object
    severity: str
    message: str
    expected: str = ""
    found: str = ""


@dataclass(frozen=True)
class _Update:
    """How a weight's update reads: its learning rate as a number, and the cells outside the table that it takes."""

    rate: float
    cells: tuple[Reference, ...]

    @property
    def source(self) -> str:
        """The learning rate's cell, or the number typed."""
        return ", ".join(sorted({_address(cell) for cell in self.cells})) or f"{self.rate:g}"


def _address(cell: Reference) -> str:
    return str(Reference(cell.row, cell.column, True, True, cell.sheet))


class _Audit:
    """The audit of one table: each method judges one kind of column and yields (row, verdict)."""

    def __init__(self, book: Book, layout: _Layout, stored: Callable[[], Book]):
        self.layout, self.stored, self.reader = layout, stored, _Reader(book, layout)
        self.rows = range(layout.first, layout.last + 1)
        self.kinds: dict[str, dict[int, Value]] = {}
        self.explained = 0
        self.judged: dict[tuple, _Verdict | None] = {}
        self.uses: dict[int, dict[str, frozenset[str]]] = defaultdict(dict)  # row: column: columns of the same row

    def table(self) -> Table:
        layout = self.layout
        if not self.rows:
            empty = Finding("", layout.range, UNCHECKED, "rows of numbers and formulas", "", "headings without rows")
            return Table(layout.sheet.title, layout.range, 0, None, None, (empty,))
        constants = {name: list(self._constant(name)) for name in CONSTANT if name in layout.columns}
        self.constants = {name: self._usual(name) for name in constants}
        self.biases = self._find_biases()
        self.points = points(tuple((unit, value) for unit, (value, _) in self.biases.items()))
        verdicts = {name: constants.get(name) or [] for name in layout.columns}
        for name in layout.columns:
            if name in WEIGHT:
                verdicts[name] = list(self._first_weight(name))
            elif name not in CONSTANT:
                verdicts[name] = list(self._computed(name))
        updates = self._updates(verdicts)
        rate, source = self._usual_rate(updates)
        for name, readings in updates.items():
            verdicts[name] += self._rates(name, readings, rate, source)
        self._circular(verdicts)
        rate, recomputed = self._recompute(verdicts, rate)
        findings = [finding for name in layout.columns for finding in self._grouped(name, verdicts[name])]
        findings += self._missing()
        return Table(
            sheet=layout.sheet.title,
            range=layout.range,
            rows=len(self.rows),
            learning_rate=rate,
            learning_rate_source=source,
            findings=tuple(findings),
            biases={unit: text for unit, (_, text) in self.biases.items()},
            recomputed=tuple(recomputed),
        )

    def cell(self, name: str, row: int) -> Value:
        return self.layout.sheet.value(row, self.layout.columns[name])

    def at(self, name: str, row: int) -> str:
        return f"{get_column_letter(self.layout.columns[name])}{row}"

    def in_cells(self, expression: sp.Expr, row: int) -> str:
        """An expression over the columns as a formula that could be typed into that row."""
        cells = {}
        for symbol in expression.free_symbols:
            match = _ELSEWHERE.fullmatch(str(symbol))
            name, offset = (match[1], int(match[2])) if match else (str(symbol), 0)
            if name in self.layout.columns:
                cells[symbol] = sp.Symbol(self.at(name, row + offset), real=True)
        named, typed = spelled(expression), spelled(expression.xreplace(cells))
        return f"={typed}, which is {named}" if typed != named else named

    def unusable(self, value: Value) -> _Verdict | None:
        """The verdict on a cell that holds neither a number nor a formula."""
        if value is None:
            return _Verdict("empty", ERROR, "the cell is empty", "a formula or a number", "nothing")
        if isinstance(value, Unreadable):
            return _Verdict("unread", UNCHECKED, f"not read: the formula {value.reason}", "", value.text)
        if isinstance(value, str) and value.startswith("'"):
            return _Verdict("text", ERROR, "holds text, not a number or a formula", "a number", value[1:60])
        return None

    def unread(self, error: FormulaError, name: str, row: int) -> _Verdict:
        text = str(self.cell(name, row))
        return _Verdict(
            ("unread", str(error)),
            UNCHECKED,
            f"not checked: the formula {error}",
            found=text if len(text) < 200 else text[:200] + "…",
        )

    # targets, inputs, biases in columns: the same in every row

    def _constant(self, name: str) -> Iterator[tuple[int, _Verdict]]:
        typed, values, formulas = {}, {}, {}
        for row in self.rows:
            value = self.cell(name, row)
            if unusable := self.unusable(value):
                yield row, unusable
            elif isinstance(value, str):
                formulas[row] = value
            else:
                typed[row] = values[row] = _rational(value)
        self.kinds[name] = values
        usual = Counter(typed.values()).most_common(1)[0][0] if typed else None
        for row in formulas:
            reading = self.reader.formula(row, self.layout.columns[name], constants_by_row=True)[1]
            if isinstance(reading, FormulaError):
                yield row, self.unread(reading, name, row)
                continue
            expected = "the number of the row above" if row > self.layout.first else "a number"
            wrong = _Verdict(
                "copied", ERROR, f"{name} is not simply carried on from row to row", expected, f"={reading.text}"
            )
            known = dict(self.reader.values)
            copies = True
            for symbol in reading.expression.free_symbols - known.keys():
                other, offset = _ELSEWHERE.fullmatch(str(symbol)).groups() if "[" in str(symbol) else (str(symbol), "0")
                value = self.kinds.get(other, {}).get(row + int(offset)) if other in CONSTANT else None
                if value is None:
                    copies = False
                else:
                    known[symbol] = value
            if not copies:
                yield row, wrong
                continue
            try:
                number = evaluate(reading.expression, {key: _mpf(value) for key, value in known.items()})
            except FormulaError as error:
                yield row, self.unread(error, name, row)
                continue
            exact = reading.expression.xreplace(known)
            values[row] = exact if exact.is_Rational else sp.Rational(str(PRECISE.nstr(number, 30)))
            if usual is None:
                usual = values[row]
            above = values.get(row - 1)
            if values[row] not in (usual, above):
                what = f"{float(values[row]):g}"
                yield row, _Verdict(("changed", what), ERROR, f"{name} changes on the way", f"{float(usual):g}", what)
            elif reading.expression.is_Symbol and str(reading.expression) not in (f"{name}[-1]",):
                source = str(reading.expression)
                if source.startswith(tuple(f"{other}[" for other in CONSTANT if other != name)) and row > min(self.rows):
                    yield row, wrong
        for row, value in typed.items():
            if value != usual:
                what = f"{float(value):g}"
                yield row, _Verdict(("changed", what), ERROR, f"{name} changes on the way", f"{float(usual):g}", what)

    def _usual(self, name: str) -> sp.Rational | None:
        values = Counter(self.kinds[name].values()).most_common(1)
        return values[0][0] if values else None

    # biases

    def _find_biases(self) -> dict[str, tuple[sp.Expr, str]]:
        """The term that each unit adds beside its weights, where both units of a layer add one: its value, its text."""
        found = {}
        for layer in (("h1", "h2"), ("o1", "o2")):
            terms = {unit: self._extra_term(unit) for unit in layer if unit in self.layout.columns}
            if len(terms) == 2 and all(term is not None for term in terms.values()):
                typed = [not term.free_symbols for term in terms.values()]
                if not any(typed) or len(set(terms.values())) == 1:
                    for unit, term in terms.items():
                        known = self.reader.values | {
                            SYMBOLS[name]: value for name, value in self.constants.items() if value is not None
                        }
                        found[unit] = (term.xreplace(known), str(term))
        return {unit: (value, text) for unit, (value, text) in found.items() if value.is_Rational and value != 0}

    def _extra_term(self, unit: str) -> sp.Expr | None:
        value = self.cell(unit, self.layout.first)
        if not isinstance(value, str) or not value.startswith("="):
            return None
        _, reading = self.reader.formula(self.layout.first, self.layout.columns[unit])
        if isinstance(reading, FormulaError) or not reading.expression.is_Add:
            return None
        table = {SYMBOLS[name] for name in self.layout.columns if name not in ("b1", "b2")}
        constant, rest = [], []
        for term in reading.expression.args:
            outside = term.free_symbols <= self.reader.values.keys() | {SYMBOLS["b1"], SYMBOLS["b2"]}
            (constant if outside and not term.free_symbols & table else rest).append(term)
        return sp.Add(*constant) if constant else None

    # computed columns

    def _computed(self, name: str) -> Iterator[tuple[int, _Verdict]]:
        for row in self.rows:
            value = self.cell(name, row)
            if unusable := self.unusable(value):
                yield row, unusable
            elif isinstance(value, str):
                key, reading = self.reader.formula(row, self.layout.columns[name])
                if isinstance(reading, FormulaError):
                    yield row, self.unread(reading, name, row)
                    continue
                self.uses[row][name] = _names_used(reading.expression)
                if key not in self.judged:
                    self.judged[key] = self._judge(name, reading, row, key)
                if self.judged[key]:
                    yield row, self.judged[key]

    def _judge(self, name: str, reading: _Formula, row: int, key: tuple) -> _Verdict | None:
        """Hold one formula against the definition of its column."""
        bias = {unit: value for unit, (value, _) in self.biases.items()}
        right = definition(name, bias)
        expression = self._in_table(reading.expression)
        if expression == right:
            return None
        known = {symbol: _mpf(value) for symbol, value in self.reader.values.items()}
        at = tuple(known | dict(point) for point in self.points)
        if SYMBOLS[name] in expression.free_symbols:
            words = f"{name} is computed from itself, in a circle"
            return self._wrong(name, reading, right, row, words, key)
        if agrees(expression, name, at):
            return None
        for stand_ins in self._stand_ins(expression):
            if agrees(expression.xreplace(stand_ins), name, at):
                words = "; ".join(f"takes {cell} where the column {column} belongs" for cell, column in stand_ins.items())
                return _Verdict(key, WARNING, f"{words}: right as long as both hold the same", "", f"={reading.text}")
        words = None
        if self.explained < MOST_EXPLAINED:
            self.explained += 1
            words = self._elsewhere(expression, name, at) or explain(name, expression, right, at)
            words = words or self._brackets(name, row, at)
        if words is None:
            words = self._difference(expression, name, at)
        return self._wrong(name, reading, right, row, words, key)

    def _wrong(self, name: str, reading: _Formula, right: sp.Expr, row: int, words: str, key: object) -> _Verdict:
        text = self.cell(name, row)
        found = text if text.lstrip("=") == reading.text else f"{text}, which is {reading.text}"
        numbers = self._numbers_shown(name, right, row)
        return _Verdict(key, ERROR, words + numbers, self.in_cells(right, row), found)

    def _numbers_shown(self, name: str, right: sp.Expr, row: int) -> str:
        """What the cell shows and what it should, where the file remembers the results of its formulas."""
        sheet = self.stored().sheet(self.layout.sheet.title)
        values = {
            SYMBOLS[other]: sheet.value(row, column) for other, column in self.layout.columns.items() if other in SYMBOLS
        }
        values = {symbol: value for symbol, value in values.items() if isinstance(value, float | int)}
        shown = values.get(SYMBOLS[name])
        if shown is None or not right.free_symbols <= values.keys():
            return ""
        try:
            expected = float(evaluate(right, {symbol: PRECISE.mpf(value) for symbol, value in values.items()}))
        except FormulaError:
            return ""
        return f" ({self.at(name, row)} shows {shown:.15g} instead of {expected:.15g})"

    def _in_table(self, expression: sp.Expr) -> sp.Expr:
        """Read a cell that a whole column copies as that column: i1 in $B$1, say, where column i1 is =$B$1."""
        return expression.xreplace(self._aliases)

    @property
    def _aliases(self) -> dict[sp.Symbol, sp.Symbol]:
        if not hasattr(self, "_alias"):
            sources = defaultdict(set)
            for name in CONSTANT:
                if name in self.layout.columns and self.layout.first in self.kinds[name]:
                    value = self.cell(name, self.layout.first)
                    if isinstance(value, str):
                        reading = self.reader.formula(self.layout.first, self.layout.columns[name], True)[1]
                        if isinstance(reading, _Formula) and reading.expression in self.reader.values:
                            sources[reading.expression].add(name)
            # A cell that two columns copy (one target for both outputs) may mean either: see _stand_ins.
            self._alias = {cell: SYMBOLS[names.pop()] for cell, names in sources.items() if len(names) == 1}
        return self._alias

    def _stand_ins(self, expression: sp.Expr) -> Iterator[dict[sp.Expr, sp.Symbol]]:
        """Cells elsewhere, or typed numbers, that hold the same as a target or an input and may stand for it."""
        choices = []
        for symbol in expression.free_symbols & self.reader.values.keys():
            equal = [name for name, value in self.constants.items() if value == self.reader.values[symbol]]
            choices.append([(symbol, SYMBOLS[name]) for name in equal])
        for typed in expression.atoms(sp.Float, sp.Rational) - {sp.S.One, -sp.S.One, sp.S.Half}:
            equal = [name for name, value in self.constants.items() if value == typed]
            choices.append([(typed, SYMBOLS[name]) for name in equal])
        choices = [choice for choice in choices if choice][:4]
        for count in range(1, len(choices) + 1):
            for some in itertools.combinations(choices, count):
                yield from (dict(pairs) for pairs in itertools.product(*some))

    def _elsewhere(self, expression: sp.Expr, name: str, at: tuple) -> str | None:
        """Words for a formula that looks into other rows, and is right but for that."""
        moved = {symbol: match for symbol in expression.free_symbols if (match := _ELSEWHERE.fullmatch(str(symbol)))}
        if not moved:
            empty = sorted(map(str, expression.free_symbols & self.reader.empty))
            return f"reads {', '.join(empty)}, which is empty" if empty else None
        offset = int(next(iter(moved.values()))[2])
        where = "the row above" if offset == -1 else "the row below" if offset == 1 else f"{abs(offset)} rows away"
        here = expression.xreplace({symbol: SYMBOLS[match[1]] for symbol, match in moved.items()})
        names = ", ".join(sorted(match[1] for match in moved.values()))
        beyond = "" if agrees(here, name, at) else ", and is not right otherwise either"
        return f"takes {names} from {where} and not from its own{beyond}"

    def _brackets(self, name: str, row: int, at: tuple) -> str | None:
        """Words for a formula that one more pair of brackets makes right."""
        tokens = tokenize(self.cell(name, row))
        if len(tokens) > 100:
            return None
        for candidate in bracketed(tokens):
            text = "".join(token.text for token in candidate[:-1])
            try:
                expression = self._in_table(
                    parse(
                        text,
                        lambda cell: self.reader._meaning(cell, self.layout.sheet.title, row, [], False),
                        self.reader.book.names,
                    )
                )
            except FormulaError:
                continue
            if agrees(expression, name, at):
                return f"brackets are missing: ={text} would be right"
        return None

    def _difference(self, expression: sp.Expr, name: str, at: tuple) -> str:
        try:
            ratios = [evaluate(expression, point) / point[SYMBOLS[name]] - 1 for point in at]
        except (KeyError, FormulaError, ZeroDivisionError):
            return "differs from the derivation"
        largest = max(abs(float(ratio)) for ratio in ratios)
        return f"differs from the derivation, by up to {largest:.2g} of its value at {len(at)} random networks"

    # weights

    def _first_weight(self, name: str) -> Iterator[tuple[int, _Verdict]]:
        row = self.layout.first
        value = self.cell(name, row)
        if unusable := self.unusable(value):
            yield row, unusable
        elif isinstance(value, str):
            _, reading = self.reader.formula(row, self.layout.columns[name])
            if isinstance(reading, FormulaError):
                yield row, self.unread(reading, name, row)
            elif not reading.expression.free_symbols <= self.reader.values.keys():
                words = "the first weight is computed from the table, where a number belongs"
                yield row, _Verdict("first", ERROR, words, "a number", f"={reading.text}")

    def _updates(self, verdicts: dict[str, list]) -> dict[str, dict[int, _Update]]:
        """Read every update; those that are none become verdicts, the others are returned by column and row."""
        readings: dict[str, dict[int, _Update]] = {}
        for name in WEIGHT:
            if name not in self.layout.columns:
                continue
            readings[name] = {}
            for row in self.rows[1:]:
                value = self.cell(name, row)
                if unusable := self.unusable(value):
                    verdicts[name].append((row, unusable))
                elif isinstance(value, str):
                    key, reading = self.reader.formula(row, self.layout.columns[name])
                    if isinstance(reading, FormulaError):
                        verdicts[name].append((row, self.unread(reading, name, row)))
                        continue
                    if key not in self.judged:
                        self.judged[key] = self._judge_update(name, reading, row, key)
                    judged = self.judged[key]
                    if isinstance(judged, _Update):
                        readings[name][row] = judged
                    else:
                        verdicts[name].append((row, judged))
        return readings

    def _judge_update(self, name: str, reading: _Formula, row: int, key: tuple) -> _Update | _Verdict:
        slope = f"dE_d{name}"
        above = {symbol: SYMBOLS[text[:-4]] for symbol in reading.expression.free_symbols if (text := str(symbol)).endswith("[-1]")}
        expression = self._in_table(reading.expression)
        here = {symbol: sp.Symbol(f"{symbol} of the same row", real=True) for symbol in SYMBOLS.values()}
        here = {symbol: other for symbol, other in here.items() if str(symbol) not in CONSTANT}
        same_row = {other: symbol for symbol, other in here.items() if symbol in expression.free_symbols}
        expression = expression.xreplace(here).xreplace(above)
        rate = self._rate(expression, name, slope)
        if rate is not None:
            cells = tuple(cell for cell in reading.outside)
            if rate < 0:
                words = "the update goes uphill: the sign before the learning rate is the wrong way round"
                return self._wrong_update(name, reading, row, words, key)
            return _Update(rate, cells)
        words = None
        if same_row:
            names = ", ".join(sorted(map(str, same_row.values())))
            words = f"takes {names} from its own row and not from the row above"
            if not set(map(str, same_row.values())) <= set(WEIGHT):
                words += ", in a circle"
            if self._rate(expression.xreplace(same_row), name, slope) is None:
                words += ", and is not right otherwise either"
        for other in COLUMNS[-8:]:
            if words is None and other != slope and self._rate(expression, name, other) is not None:
                words = f"the wrong derivative: {other} where {slope} belongs"
        for other in WEIGHT:
            if words is None and other != name and self._rate(expression, other, slope) is not None:
                words = f"starts from {other} and not from {name}"
        for other in COLUMNS:
            if words is None and other not in (slope, name) and self._rate(expression, name, other) is not None:
                words = f"{other} stands where the derivative {slope} belongs"
        if words is None and expression == SYMBOLS[name]:
            words = "the weight is not updated"
        if words is None and SYMBOLS[name] not in expression.free_symbols:
            if self._rate(expression + SYMBOLS[name], name, slope) is not None:
                words = f"{name} of the row above is missing"
        return self._wrong_update(name, reading, row, words or "is not the weight minus learning rate times derivative", key)

    def _wrong_update(self, name: str, reading: _Formula, row: int, words: str, key: tuple) -> _Verdict:
        text = self.cell(name, row)
        found = text if text.lstrip("=") == reading.text else f"{text}, which is {reading.text}"
        return _Verdict(key, ERROR, words, f"{name}[-1] - learning rate * dE_d{name}[-1]", found)

    def _rate(self, expression: sp.Expr, weight: str, slope: str) -> float | None:
        """The number η for which an update is weight - η * slope, at every point; None if there is none."""
        known = {symbol: _mpf(value) for symbol, value in self.reader.values.items()}
        try:
            rates = [
                (point[SYMBOLS[weight]] - evaluate(expression, known | dict(point))) / point[SYMBOLS[slope]]
                for point in self.points
            ]
        except (KeyError, FormulaError):
            return None
        if rates[0] == 0 and not expression.free_symbols & self.reader.values.keys():
            return None
        close = PRECISE.mpf(10) ** -25 * (1 + abs(rates[0]))
        return float(rates[0]) if all(abs(rate - rates[0]) < close for rate in rates) else None

    # the learning rate

    def _usual_rate(self, updates: dict[str, dict[int, _Update]]) -> tuple[float | None, str | None]:
        """The learning rate of the first update, in most columns: the row that was typed before it was filled down."""
        for row in self.rows[1:]:
            sources = Counter(reading[row].source for reading in updates.values() if row in reading)
            if sources:
                source = sources.most_common(1)[0][0]
                return next(
                    (reading[row].rate, source)
                    for reading in updates.values()
                    if row in reading and reading[row].source == source
                )
        return None, None

    def _rates(
        self, name: str, readings: dict[int, _Update], rate: float | None, source: str | None
    ) -> Iterator[tuple[int, _Verdict]]:
        """Verdicts on updates whose learning rate comes from somewhere else than the others', or may slide."""
        astray = {row: reading for row, reading in readings.items() if reading.source != source}
        astray = {row: reading for row, reading in astray.items() if not self._from_rate_column(reading, rate)}
        for row, reading in readings.items():
            loose = [cell for cell in reading.cells if not (cell.row_fixed and cell.column_fixed)]
            expected = f"{name}[-1] - {source} * dE_d{name}[-1]"
            if row in astray:
                sliding = len(astray) > 1 and any(not cell.row_fixed for cell in loose)
                if sliding or (loose and source and source.startswith("$")):
                    others = list(itertools.islice(astray.items(), 3))
                    reads = ", ".join(
                        f"{self.at(name, place)} reads {other.source.replace('$', '')}" for place, other in others
                    )
                    typed = " or ".join(sorted({_typed(cell) for cell in loose}))
                    words = (
                        f"the learning rate slides: {typed} is not fixed, so that when filled down "
                        f"{reads}{' …' if len(astray) > 3 else ''} and not {source.replace('$', '')}; write {source}"
                    )
                    yield row, _Verdict("slides", ERROR, words, expected, str(self.cell(name, row)))
                else:
                    words = (
                        f"takes the learning rate from {reading.source} (it is {reading.rate:g} there), the others from "
                        f"{source} ({rate:g})"
                        if reading.cells
                        else f"has the learning rate {reading.rate:g} typed in, the others take it from {source} ({rate:g})"
                    )
                    yield row, _Verdict(("rate", reading.source), ERROR, words, expected, str(self.cell(name, row)))
            elif reading.cells and loose and not astray and len(self.rows) > 2:
                continue  # read from a column of its own, or from the right cell in every row
            elif loose and not astray and not self._from_rate_column(reading, rate):
                words = f"right here, but {_typed(loose[0])} is not fixed and would slide when filled down; write {source}"
                yield row, _Verdict("loose", WARNING, words, expected, str(self.cell(name, row)))

    def _from_rate_column(self, reading: _Update, rate: float | None) -> bool:
        """Whether the rate stands in a column of the table that is headed as such, and is the usual one."""
        headings = [
            self.layout.sheet.value(self.layout.heading, cell.column) for cell in reading.cells if cell.sheet is None
        ]
        headed = [isinstance(text, str) and bool(_RATE_HEADING.fullmatch(_plain(text))) for text in headings]
        return bool(headed) and all(headed) and rate is not None and math.isclose(reading.rate, rate, rel_tol=1e-12)

    # circles

    def _circular(self, verdicts: dict[str, list[tuple[int, _Verdict]]]) -> None:
        """Formulas that each agree with the derivation but together go in a circle, h1 from a_h1 from h1."""
        faulty = {(row, name) for name, found in verdicts.items() for row, _ in found}
        seen: dict[frozenset, list[str]] = {}
        for row, uses in self.uses.items():
            shape = frozenset(uses.items())
            if shape not in seen:
                seen[shape] = [name for name in uses if _leads_back(name, uses)]
            for name in seen[shape]:
                later = [other for other in uses[name] if COLUMNS.index(other) >= COLUMNS.index(name)]
                if later and (row, name) not in faulty:
                    words = f"circular: {name} is computed from {', '.join(sorted(later))}, which rests on {name}"
                    right = definition(name, {unit: value for unit, (value, _) in self.biases.items()})
                    found = str(self.cell(name, row))
                    verdicts[name].append((row, _Verdict("circle", ERROR, words, self.in_cells(right, row), found)))

    # numbers without formulas

    def _recompute(self, verdicts: dict[str, list], rate: float | None) -> tuple[float | None, list[str]]:
        """Judge numbers that stand where a formula belongs: typed over in a column of formulas, or a column of them."""
        columns = [name for name in self.layout.columns if name not in CONSTANT]
        numbers = {
            name: [row for row in self.rows if isinstance(self.cell(name, row), int | float)] for name in columns
        }
        for name in WEIGHT:
            numbers[name] = [row for row in numbers.get(name, []) if row > self.layout.first]
        computed = {name: len(self.rows) - (name in WEIGHT) for name in columns}
        typed_over = {name for name in columns if 0 < len(numbers[name]) <= computed[name] / 2}
        recomputed = [name for name in columns if numbers[name] and name not in typed_over]
        if not typed_over and not recomputed:
            return rate, []
        sheet = _Numbers(self, rate)
        for name in columns:
            for row in numbers[name]:
                expected, tolerance = sheet.expected(name, row)
                value = float(self.cell(name, row))
                close = expected is not None and abs(value - expected) <= tolerance
                should = "" if expected is None else f"{expected:.15g}"
                if name in typed_over:
                    words = "a number typed over the formula"
                    words += ", right as it stands, but it follows no change" if close else ", and not the right one"
                    verdicts[name].append((row, _Verdict("typed over", ERROR, words, should, f"{value:.15g}")))
                elif expected is None:
                    words = "a number that cannot be computed again, for want of the others in its row"
                    verdicts[name].append((row, _Verdict("alone", UNCHECKED, words, "", f"{value:.15g}")))
                elif not close:
                    words = "a number without a formula, and not what the other columns give"
                    verdicts[name].append((row, _Verdict("number", ERROR, words, should, f"{value:.15g}")))
        return sheet.rate, recomputed

    # putting it together

    def _missing(self) -> list[Finding]:
        missing = [name for name in COLUMNS if name not in self.layout.columns]
        place = self.layout.range.split(":")[0]
        words = "no column is headed so, or not in a way that was recognised"
        return [Finding(name, place, UNCHECKED, f"a column {name}", "", words) for name in missing]

    def _grouped(self, name: str, found: list[tuple[int, _Verdict]]) -> Iterator[Finding]:
        groups: dict[object, list[tuple[int, _Verdict]]] = {}
        for row, verdict in sorted(found, key=lambda pair: pair[0]):
            kind = verdict.kind
            # The same formula in the first row and below is one mistake: what differs is only its key.
            kind = kind[1] if isinstance(kind, tuple) and len(kind) > 3 else kind
            groups.setdefault((kind, verdict.severity), []).append((row, verdict))
        letter = get_column_letter(self.layout.columns[name])
        for group in groups.values():
            first = group[0][1]
            cells = _runs(letter, [row for row, _ in group])
            yield Finding(name, cells, first.severity, first.expected, first.found, first.message)


def _typed(cell: Reference) -> str:
    return str(cell)


def _mpf(value: sp.Rational):
    return PRECISE.mpf(value.p) / value.q


def _names_used(expression: sp.Expr) -> frozenset[str]:
    return frozenset(str(symbol) for symbol in expression.free_symbols if str(symbol) in COLUMNS) - set(CONSTANT + WEIGHT)


def _leads_back(name: str, uses: dict[str, frozenset[str]]) -> bool:
    """Whether a column rests on itself within its row."""
    pending, seen = list(uses[name]), set()
    while pending:
        other = pending.pop()
        if other == name:
            return True
        if other not in seen:
            seen.add(other)
            pending += uses.get(other, ())
    return False


def _runs(letter: str, rows: list[int]) -> str:
    """Rows as ranges: [3, 4, 5, 9] in column Z is "Z3:Z5,Z9"."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ",".join(f"{letter}{a}" if a == b else f"{letter}{a}:{letter}{b}" for a, b in runs)


# --- computing numbers again ---------------------------------------------------------------------------------------


class _Numbers:
    """The numbers of a table, and what each should be given the others, with how far it may be off.

    A number that is shown to d decimals may be half a unit of the last one off, and so may those that it is computed
    from: the tolerance is the sum of these, each times the slope with which it acts, plus the rounding of floats.
    """

    def __init__(self, audit: _Audit, rate: float | None):
        self.audit, layout = audit, audit.layout
        stored = audit.stored().sheet(layout.sheet.title)
        self.table: dict[str, dict[int, float]] = {}
        self.unit: dict[str, float] = {}
        for name, column in layout.columns.items():
            cells = ((row, layout.sheet.value(row, column)) for row in audit.rows)
            typed = {row: float(value) for row, value in cells if isinstance(value, int | float)}
            kept = ((row, stored.value(row, column)) for row in audit.rows)
            self.table[name] = {row: float(value) for row, value in kept if isinstance(value, int | float)} | typed
            if name in CONSTANT:  # each is what it says; and it may be a formula without a stored result
                self.table[name] |= {row: float(value) for row, value in audit.kinds[name].items()}
            decimals = max((_decimals(value) for value in typed.values()), default=99)
            exact = name in CONSTANT or len(typed) <= (name in WEIGHT)
            self.unit[name] = 0.0 if exact else 0.5 * 10.0**-decimals
        bias = {unit: value for unit, (value, _) in audit.biases.items()}
        self.functions = {name: _with_slopes(definition(name, bias)) for name in COLUMNS if name not in (*CONSTANT, *WEIGHT)}
        self.rate = rate
        self._fill()
        if self.rate is None:
            self.rate = self._estimated_rate()

    def _fill(self) -> None:
        """Compute what the file does not remember, from the first row down."""
        columns = self.audit.layout.columns
        for row in self.audit.rows:
            for name in (name for name in COLUMNS if name in WEIGHT and name in columns):
                if row not in self.table[name] and self.rate is not None:
                    try:
                        slope = self.table[f"dE_d{name}"][row - 1]
                        self.table[name][row] = self.table[name][row - 1] - self.rate * slope
                    except KeyError:
                        continue
            for name in self.functions:
                if row not in self.table.setdefault(name, {}):
                    value, _ = self._definition(name, row)
                    if value is not None:
                        self.table[name][row] = value

    def _definition(self, name: str, row: int) -> tuple[float | None, float]:
        symbols, function = self.functions[name]
        try:
            arguments = [self.table[symbol][row] for symbol in symbols]
            value, *slopes = function(*arguments)
        except (KeyError, OverflowError, ZeroDivisionError):
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
        """The learning rate that the numbers themselves show: the median over updates, rounded to what they carry."""
        rates = []
        for name in (name for name in WEIGHT if name in self.audit.layout.columns):
            for row in self.audit.rows[1:]:
                try:
                    before, after, slope = self.table[name][row - 1], self.table[name][row], self.table[f"dE_d{name}"][row - 1]
                except KeyError:
                    continue
                if abs(slope) > 1000 * (self.unit[name] + 1e-15):
                    rates.append((before - after) / slope)
        if not rates:
            return None
        return float(f"{sorted(rates)[len(rates) // 2]:.3g}")


def _decimals(value: float) -> int:
    """Digits after the point of a number as it is stored, or 15 and more for one that was computed."""
    exponent = -sp.Rational(repr(value)).q.bit_length() if False else _exponent(repr(value))
    return max(0, -exponent)


def _exponent(text: str) -> int:
    digits, _, exponent = text.partition("e")
    return int(exponent or 0) - len(digits.partition(".")[2].rstrip("0"))


@cache
def _with_slopes(expression: sp.Expr) -> tuple[list[str], Callable[..., list[float]]]:
    """The names that a definition of ours mentions, and a function of them: its value, then its slope by each."""
    symbols = sorted(expression.free_symbols, key=str)
    slopes = [sp.diff(expression, symbol) for symbol in symbols]
    return list(map(str, symbols)), sp.lambdify(symbols, [expression, *slopes], modules="math", cse=True)


# --- printing ------------------------------------------------------------------------------------------------------


def _printed(table: Table) -> Iterator[str]:
    rate = "" if table.learning_rate is None else f", learning rate {table.learning_rate:g}"
    if table.learning_rate_source and table.learning_rate_source.startswith("$"):
        rate += f" from {table.learning_rate_source}"
    yield f"{table.sheet}!{table.range}: {table.rows} rows{rate}"
    if table.biases:
        yield "  biases: " + ", ".join(f"{unit} adds {text}" for unit, text in table.biases.items())
    if table.recomputed:
        yield f"  numbers without formulas, checked by computing them again: {', '.join(table.recomputed)}"
    if not table.findings:
        yield "  all right: every formula of every column agrees with the derivation"
    for finding in table.findings:
        yield f"  {finding.severity}: {finding.column} in {finding.cells}: {finding.message}"
        if finding.found:
            yield f"      found     {finding.found}"
        if finding.expected:
            yield f"      expected  {finding.expected}"
