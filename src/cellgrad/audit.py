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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

import sympy as sp
from openpyxl.utils import get_column_letter

from cellgrad.auditing.cells import AuditError, Book, Unreadable, Value, read_book
from cellgrad.auditing.mistakes import SYMBOLS, Point, agrees, bracketed, definition, explain, points, spelled
from cellgrad.auditing.numbers import Numbers
from cellgrad.auditing.reading import ELSEWHERE, Formula, Reader, in_row, rational, to_mpf
from cellgrad.auditing.tables import CONSTANT, FEWEST_COLUMNS, RATE_HEADING, WEIGHT, Layout, find_tables, is_text, plain
from cellgrad.formulas import PRECISE, FormulaError, Reference, evaluate, parse, read_reference, tokenize
from cellgrad.toynet import COLUMNS
from cellgrad.workbook import excel_formula

__all__ = ["AuditError", "Finding", "Report", "Table", "audit"]

MOST_EXPLAINED = 60  # distinct wrong formulas for which the mistake is searched; the rest is reported without words

_CONSTANT_ELSEWHERE = re.compile(r"(\w+)\[([-+]\d+|row \d+)\]")
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
    layouts = [layout for sheet in book.sheets for layout in find_tables(sheet)]
    if not layouts:
        raise AuditError(
            f"{path}: no table of the toy network in it; looked in {len(book.sheets)} sheets for a row of headings "
            f"such as t1 t2 i1 i2 w1 … dE_dw8 (at least {FEWEST_COLUMNS} of the {len(COLUMNS)})"
        )
    stored = cache(lambda: read_book(path, stored_results=True))
    return Report(str(path), tuple(_Audit(book, layout, stored).table() for layout in layouts))


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

    rate: float | None  # None: what stands in its place is no number, but a heading or a cell of the table
    cells: tuple[Reference, ...]
    row: int

    def moved(self, down: int) -> _Update:
        """The same update in another row: its cells move unless they are fixed."""
        return replace(self, row=self.row + down, cells=tuple(cell.moved(down, 0) for cell in self.cells))

    @property
    def source(self) -> str:
        """The learning rate's cell, or the number typed."""
        return ", ".join(sorted({_address(cell) for cell in self.cells})) or f"{self.rate:g}"

    @property
    def said(self) -> str:
        """The learning rate's cell for a sentence: without dollar signs."""
        return self.source.replace("$", "")


def _address(cell: Reference) -> str:
    return str(Reference(cell.row, cell.column, True, True, cell.sheet))


class _Audit:
    """The audit of one table: each method judges one kind of column and yields (row, verdict)."""

    def __init__(self, book: Book, layout: Layout, stored: Callable[[], Book]):
        self.layout, self.stored, self.reader = layout, stored, Reader(book, layout)
        self.rows = range(layout.first, layout.last + 1)
        self.numbers: dict[str, dict[int, sp.Rational]] = {}  # of the constant columns, row by row
        self.bias_cells: set[sp.Symbol] = set()
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
        self.aliases = self._find_aliases()
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
        cells, names = {}, {}
        for symbol in expression.free_symbols:
            match = ELSEWHERE.fullmatch(str(symbol))
            name, offset = (match[1], int(match[2])) if match else (str(symbol), 0)
            names[symbol] = str(symbol)
            cells[symbol] = self.at(name, row + offset) if name in self.layout.columns else str(symbol)
        try:
            named, typed = (excel_formula(expression, symbols)[1:] for symbols in (names, cells))
        except ValueError:  # a function that our derivation has no use for
            named = typed = spelled(expression)
        return f"={typed}, which is {named}" if typed != named else named

    def unusable(self, value: Value) -> _Verdict | None:
        """The verdict on a cell that holds neither a number nor a formula."""
        if value is None:
            return _Verdict("empty", ERROR, "the cell is empty", "a formula or a number", "nothing")
        if isinstance(value, Unreadable):
            return _Verdict("unread", UNCHECKED, f"not read: the formula {value.reason}", "", value.text)
        if is_text(value):
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
        """Each cell is typed, or copied from a row above or from elsewhere; and it is the same number as ever."""
        cells = {row: self.cell(name, row) for row in self.rows}
        values = self.numbers[name] = {}
        typed = [rational(value) for value in cells.values() if isinstance(value, int | float)]
        usual = Counter(typed).most_common(1)[0][0] if typed else None
        for row, value in cells.items():
            if unusable := self.unusable(value):
                yield row, unusable
                continue
            if isinstance(value, str):
                _, reading = self.reader.formula(row, self.layout.columns[name], constants_by_row=True)
                try:
                    values[row] = self._copied(name, row, reading)
                except FormulaError as error:
                    yield row, self.unread(error, name, row)
                    continue
                if values[row] is None:
                    del values[row]
                    words = f"{name} is not carried on from the row above"
                    expected = f"={self.at(name, max(row - 1, self.layout.first))}"
                    yield row, _Verdict("copied", ERROR, words, expected, f"={reading.text}")
                    continue
                usual = values[row] if usual is None else usual
                if values[row] == values.get(row - 1):
                    continue  # a copy of a changed number is no second change
            else:
                values[row] = rational(value)
            if values[row] != usual:
                what = f"{float(values[row]):.15g}"
                words = f"{name} changes on the way; it must be the same in every row"
                yield row, _Verdict(("changed", what), ERROR, words, f"{float(usual):.15g}", what)

    def _copied(self, name: str, row: int, reading: Formula | FormulaError) -> sp.Rational | None:
        """The number that a formula in a constant column comes to, or None if it is no copy of what it should be."""
        if isinstance(reading, FormulaError):
            raise reading
        known: dict[sp.Symbol, sp.Rational] = {}
        for symbol in reading.expression.free_symbols:
            match = _CONSTANT_ELSEWHERE.fullmatch(str(symbol))
            if symbol in self.reader.values and symbol not in self.reader.empty:
                known[symbol] = self.reader.values[symbol]
            elif match:
                other, place = match.groups()
                source = int(place[4:]) if place.startswith("row") else row + int(place)
                # From another column only if that is how this column begins: t2 copies t1, say.
                if other != name and row > self.layout.first and f"{other}[" not in str(self._beginning(name)):
                    return None
                known[symbol] = self.numbers.get(other, {}).get(source)
        if not reading.expression.free_symbols <= {symbol for symbol, value in known.items() if value is not None}:
            return None
        exact = reading.expression.xreplace(known)
        if exact.is_Rational:
            return exact
        number = evaluate(reading.expression, {symbol: to_mpf(value) for symbol, value in known.items()})
        return sp.Rational(PRECISE.nstr(number, 30))

    def _beginning(self, name: str) -> sp.Expr | None:
        """The formula in the first row of a constant column."""
        first = self.layout.first
        if not _is_formula(self.cell(name, first)):
            return None
        _, reading = self.reader.formula(first, self.layout.columns[name], constants_by_row=True)
        return reading.expression if isinstance(reading, Formula) else None

    def _usual(self, name: str) -> sp.Rational | None:
        values = Counter(self.numbers[name].values()).most_common(1)
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
                        self.bias_cells |= term.free_symbols & self.reader.values.keys()
                        known = self.reader.values | {
                            SYMBOLS[name]: value for name, value in self.constants.items() if value is not None
                        }
                        found[unit] = (term.xreplace(known), str(term))
        return {unit: (value, text) for unit, (value, text) in found.items() if value.is_Rational and value != 0}

    def _extra_term(self, unit: str) -> sp.Expr | None:
        if not _is_formula(self.cell(unit, self.layout.first)):
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
                self.uses[row][name] = reading.same_row
                if key not in self.judged:
                    self.judged[key] = self._judge(name, reading, row, key)
                if self.judged[key]:
                    yield row, self.judged[key]

    def _judge(self, name: str, reading: Formula, row: int, key: tuple) -> _Verdict | None:
        """Hold one formula against the definition of its column."""
        bias = {unit: value for unit, (value, _) in self.biases.items()}
        right = definition(name, bias)
        expression = self._in_table(reading.expression)
        if expression == right:
            return None
        outside = expression.free_symbols & self.reader.values.keys()
        at = self._points_with({symbol: self.reader.values[symbol] for symbol in outside})
        if texts := expression.free_symbols & self.reader.texts.keys():
            words = "; ".join(f"reads {cell}, which holds the text {self.reader.texts[cell]!r}" for cell in texts)
            return self._wrong(name, reading, right, row, words, key)
        if SYMBOLS[name] in expression.free_symbols:
            words = f"{name} is computed from itself, in a circle"
            return self._wrong(name, reading, right, row, words, key)
        if agrees(expression, name, at):
            numbers = {symbol: self.reader.values[symbol] for symbol in outside - self.bias_cells}
            if agrees(expression, name, self._points_with(numbers, 1)):
                return None
            cells = ", ".join(sorted(f"{symbol} holds {float(value):g}" for symbol, value in numbers.items()))
            words = f"right only as long as {cells}, outside the table"
            return _Verdict(key, WARNING, words, self.in_cells(right, row), f"={reading.text}")
        for stand_ins in self._stand_ins(expression):
            if agrees(expression.xreplace(stand_ins), name, at):
                taken = (f"takes {cell} where the column {column} belongs" for cell, column in stand_ins.items())
                words = "; ".join(taken)
                return _Verdict(key, WARNING, f"{words}: right as long as both hold the same", "", f"={reading.text}")
        self.explained += 1
        if self.explained > MOST_EXPLAINED:
            words = f"differs from the derivation, as more than {MOST_EXPLAINED} other formulas do, each in its own way"
            return _Verdict("one of many", ERROR, words, self.in_cells(right, row), self._found(name, reading, row))
        words = (
            self._elsewhere(expression, name, at)
            or explain(name, expression, right, at)
            or self._brackets(name, row, at)
            or self._difference(expression, name, at)
        )
        return self._wrong(name, reading, right, row, words, key)

    def _points_with(self, outside: dict[sp.Symbol, sp.Rational], shift: int = 0) -> tuple[Point, ...]:
        """The random networks with the numbers of cells outside the table, each changed by `shift`."""
        known = {symbol: to_mpf(value + shift) for symbol, value in outside.items()}
        biases = {symbol: to_mpf(self.reader.values[symbol]) for symbol in self.bias_cells}
        return tuple(biases | known | dict(point) for point in self.points)

    def _wrong(self, name: str, reading: Formula, right: sp.Expr, row: int, words: str, key: object) -> _Verdict:
        numbers = self._numbers_shown(name, right, row)
        return _Verdict(key, ERROR, words + numbers, self.in_cells(right, row), self._found(name, reading, row))

    def _found(self, name: str, reading: Formula, row: int) -> str:
        """The formula as it is typed, and with names for its cells."""
        text = self.cell(name, row)
        return text if text.lstrip("=") == reading.text else f"{text}, which is {reading.text}"

    def _numbers_shown(self, name: str, right: sp.Expr, row: int) -> str:
        """What the cell shows and what it should, where the file remembers the results of its formulas."""
        sheet = self.stored().sheet(self.layout.sheet.title)
        values = {SYMBOLS[other]: sheet.value(row, column) for other, column in self.layout.columns.items()}
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
        return expression.xreplace(self.aliases)

    def _find_aliases(self) -> dict[sp.Symbol, sp.Symbol]:
        """The cells elsewhere that exactly one of the constant columns copies, and that column."""
        sources = defaultdict(set)
        for name in self.constants:
            if (beginning := self._beginning(name)) in self.reader.values:
                sources[beginning].add(name)
        # A cell that two columns copy (one target for both outputs) may mean either: see _stand_ins.
        return {cell: SYMBOLS[names.pop()] for cell, names in sources.items() if len(names) == 1}

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
        moved = {symbol: match for symbol in expression.free_symbols if (match := ELSEWHERE.fullmatch(str(symbol)))}
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
                expression = parse(text, lambda cell: self.reader.meaning(cell, row), self.reader.book.names)
                expression = self._in_table(expression)
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
                        readings[name][row] = judged.moved(row - judged.row)
                    else:
                        verdicts[name].append((row, judged))
        return readings

    def _judge_update(self, name: str, reading: Formula, row: int, key: tuple) -> _Update | _Verdict:
        slope = f"dE_d{name}"
        expression = _seen_from_above(self._in_table(reading.expression))
        same_row = {
            symbol: SYMBOLS[str(symbol)[: -len(_OWN_ROW)]]
            for symbol in expression.free_symbols
            if _OWN_ROW in str(symbol)
        }
        rate = self._rate(expression, name, slope)
        if rate is not None and rate >= 0:
            return _Update(rate, reading.outside, row)
        if rate is not None:
            words = "the update goes uphill: the sign before the learning rate is the wrong way round"
            return self._wrong_update(name, reading, row, words, key)
        if stray := self._stray_rate(name, row):
            return stray
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
        if words is None and self._rate(expression + SYMBOLS[name], name, slope) is not None:
            words = f"{name} of the row above is missing"
        words = words or "is not the weight minus learning rate times derivative"
        return self._wrong_update(name, reading, row, words, key)

    def _stray_rate(self, name: str, row: int) -> _Update | None:
        """An update that is right but for one cell of the table, or one heading, in the learning rate's place."""
        text = self.cell(name, row)
        stranger = sp.Symbol("?", real=True)
        try:
            cells = [read_reference(token.text, token.sheet) for token in tokenize(text) if token.kind == "cell"]
        except FormulaError:
            return None
        for cell in dict.fromkeys(cells):

            def resolve(other: Reference, cell: Reference = cell) -> sp.Expr:
                return stranger if other == cell else self.reader.meaning(other, row)

            expression = _seen_from_above(self._in_table(parse(text, resolve, self.reader.book.names)))
            if self._rate(expression.xreplace({stranger: sp.Rational(17, 11)}), name, f"dE_d{name}") == 17 / 11:
                return _Update(None, (cell,), row)
        return None

    def _wrong_update(self, name: str, reading: Formula, row: int, words: str, key: tuple) -> _Verdict:
        expected = f"{name}[-1] - learning rate * dE_d{name}[-1]"
        return _Verdict(key, ERROR, words, expected, self._found(name, reading, row))

    def _rate(self, expression: sp.Expr, weight: str, slope: str) -> float | None:
        """The number η for which an update is weight - η * slope, at every point; None if there is none."""
        outside = expression.free_symbols & self.reader.values.keys()
        at = self._points_with({symbol: self.reader.values[symbol] for symbol in outside})
        try:
            rates = [(point[SYMBOLS[weight]] - evaluate(expression, point)) / point[SYMBOLS[slope]] for point in at]
        except (KeyError, FormulaError):
            return None
        if rates[0] == 0 and not outside:
            return None
        close = PRECISE.mpf(10) ** -25 * (1 + abs(rates[0]))
        return float(rates[0]) if all(abs(rate - rates[0]) < close for rate in rates) else None

    # the learning rate

    def _usual_rate(self, updates: dict[str, dict[int, _Update]]) -> tuple[float | None, str | None]:
        """The learning rate of the first update, in most columns: the row that was typed before it was filled down."""
        for row in self.rows[1:]:
            rates = Counter((reading[row].rate, reading[row].source) for reading in updates.values() if row in reading)
            if rates:
                return rates.most_common(1)[0][0]
        return None, None

    def _rates(
        self, name: str, readings: dict[int, _Update], rate: float | None, source: str | None
    ) -> Iterator[tuple[int, _Verdict]]:
        """Verdicts on updates whose learning rate comes from somewhere else than the others', or may slide."""
        slid = {
            row: [cell for cell in reading.cells if self._slid(cell, source, name, row)]
            for row, reading in readings.items()
            if not self._from_rate_column(reading, rate)
        }
        slope = f"dE_d{name}"
        for row, reading in readings.items():
            text = str(self.cell(name, row))
            above = self.at(slope, row - 1) if slope in self.layout.columns else slope
            expected = f"={self.at(name, row - 1)}-{source}*{above}"
            said = (source or "").replace("$", "")
            slides = slid.get(row) if reading.source != source else None
            factor = reading.rate / rate if reading.rate is not None and rate else 1.0
            if reading.source == source and not math.isclose(factor, 1.0, rel_tol=1e-12):
                words = f"takes {factor:.9g} times the learning rate that the other updates take"
                yield row, _Verdict(("factor", factor), ERROR, words, expected, text)
            elif reading.source == source and sp.Symbol(said, real=True) in self.reader.empty:
                words = f"the learning rate's cell {said} is empty, so that nothing changes"
                yield row, _Verdict("no rate", ERROR, words, expected, text)
            elif reading.source == source:
                filled_down = len(self.rows) > 2 and not any(slid.values())
                if row in slid and not filled_down and any(not cell.row_fixed for cell in reading.cells):
                    words = f"right here, but the learning rate would slide when filled down; write {source}"
                    yield row, _Verdict("loose", WARNING, words, expected, text)
            elif self._from_rate_column(reading, rate):
                continue
            elif slides:
                below = [(place, readings[place]) for place in range(row, row + 4) if place in readings]
                reads = ", ".join(f"{self.at(name, place)} reads {other.said}" for place, other in below[:3])
                words = (
                    f"the learning rate slides: {slides[0]} is not fixed, so that filled down or across {reads}"
                    f"{', …' if len(below) > 3 else ''} and not {said}; write {source}"
                )
                yield row, _Verdict("slides", ERROR, words, expected, text)
            elif reading.cells:
                holds = "" if reading.rate is None else f" ({reading.rate:g})"
                words = f"takes the learning rate from {reading.said}{holds}, the other updates from {said}"
                yield row, _Verdict(("rate", reading.source), ERROR, words, expected, text)
            elif reading.rate == 1:
                words = f"the derivative is not multiplied by the learning rate of {said}"
                yield row, _Verdict("rate 1", ERROR, words, expected, text)
            else:
                words = f"the learning rate {reading.rate:g} is typed in, the other updates have {said}"
                yield row, _Verdict(("rate", reading.rate), ERROR, words, expected, text)

    def _slid(self, cell: Reference, source: str | None, name: str, row: int) -> bool:
        """Whether a cell is where the learning rate's cell comes to when it is filled down or to the right."""
        try:
            origin = read_reference((source or "").rpartition("!")[2])
        except FormulaError:  # typed in, or several cells
            return False
        down, across = cell.row - origin.row, cell.column - origin.column
        place = self.layout.columns[name]
        steps = [place - self.layout.columns[other] for other in WEIGHT if other in self.layout.columns]
        down_right = down == 0 or (not cell.row_fixed and 0 < down < row - self.layout.first)
        across_right = across == 0 or (not cell.column_fixed and across in steps)
        return (down, across) != (0, 0) and down_right and across_right

    def _from_rate_column(self, reading: _Update, rate: float | None) -> bool:
        """Whether the rate stands in a column of the table that is headed as such, and is the usual one."""
        headings = [
            self.layout.sheet.value(self.layout.heading, cell.column) for cell in reading.cells if cell.sheet is None
        ]
        headed = [isinstance(text, str) and bool(RATE_HEADING.fullmatch(plain(text))) for text in headings]
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
        bias = {unit: value for unit, (value, _) in self.biases.items()}
        sheet = Numbers(self.layout, self.stored().sheet(self.layout.sheet.title), self.numbers, bias, rate)
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


_OWN_ROW = " of its own row"
_FROM_ABOVE = {
    seen: meant
    for name, symbol in SYMBOLS.items()
    if name not in CONSTANT
    for seen, meant in ((in_row(name, -1), symbol), (symbol, sp.Symbol(f"{name}{_OWN_ROW}", real=True)))
}


def _seen_from_above(expression: sp.Expr) -> sp.Expr:
    """An update as its row above would say it: w1[-1] becomes w1, and w1 becomes "w1 of its own row"."""
    return expression.xreplace(_FROM_ABOVE)


def _is_formula(value: Value) -> bool:
    return isinstance(value, str) and value.startswith("=")


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
