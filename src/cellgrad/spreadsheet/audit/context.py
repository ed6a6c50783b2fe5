"""What every check of one table goes by: its cells, its constants and biases, and networks to try formulas at."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import sympy as sp

from cellgrad.spreadsheet.audit.cells import Sheet
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, Point, definition, points
from cellgrad.spreadsheet.audit.reading import (
    CONSTANT_ELSEWHERE,
    ELSEWHERE,
    TOO_MANY,
    Content,
    Formula,
    Judgement,
    Reader,
    column_and_offset,
    in_row,
    rational,
    to_mpf,
)
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT, Layout
from cellgrad.spreadsheet.parser import FormulaError, Reference, read_reference
from cellgrad.spreadsheet.printer import excel_formula

DEEPEST = 20  # helper columns that rest on one another


@dataclass(frozen=True)
class Context:
    """One table: its formulas, the results that the file remembers, the numbers of its constant columns by row.

    `stand_ins` are cells elsewhere, or columns beside the table, that hold what a missing column should; `typed` are
    the numbers of missing columns that are typed into the formulas; `opposite` are the columns of derivatives that hold
    minus the derivative, which their updates add.
    """

    reader: Reader
    stored: Callable[[], Sheet]
    constants: dict[str, dict[int, sp.Rational]]
    stand_ins: dict[sp.Symbol, sp.Symbol]
    typed: dict[str, sp.Rational]
    opposite: frozenset[str] = frozenset()

    @property
    def layout(self) -> Layout:
        """Where the table stands."""
        return self.reader.layout

    @cached_property
    def usual(self) -> dict[str, sp.Rational]:
        """What each constant column holds in most rows."""
        counts = {name: Counter(numbers.values()) for name, numbers in self.constants.items() if numbers}
        held = {name: count.most_common(1)[0][0] for name, count in counts.items()}
        for cell, symbol in self.stand_ins.items():
            if cell in self.reader.values:
                held[str(symbol)] = self.reader.values[cell]
        return held | self.typed

    def holds(self, name: str) -> bool:
        """Whether the table has what a column of the network should hold, in a column or elsewhere."""
        return name in self.layout.columns or name in self.typed or SYMBOLS[name] in self.stand_ins.values()

    @cached_property
    def aliases(self) -> dict[sp.Symbol, sp.Symbol]:
        """The cells elsewhere that exactly one of the constant columns copies, and that column."""
        sources = defaultdict(list)
        for name in self.constants:
            first = self.reader.first(name)
            if isinstance(first, Formula) and first.exact in self.reader.values:
                sources[first.exact].append(name)
        # A cell that two columns copy (one target for both outputs) may mean either: see computed._stand_ins.
        copied = {cell: SYMBOLS[names[0]] for cell, names in sources.items() if len(names) == 1}
        return copied | self.stand_ins

    def in_table(self, expression: sp.Expr) -> sp.Expr:
        """Read a cell that a whole column copies as that column: i1 in $B$1, say, where column i1 is =$B$1."""
        return expression.xreplace(self.aliases)

    @cached_property
    def _beside(self) -> dict[str, list[Content]]:
        """What the columns beside the table hold, row by row."""
        found = {}
        for name in self.layout.beside:
            runs = [(rows, _as_number(content)) for rows, content in self.reader.runs(name)]
            found[name] = [content for rows, content in runs for _ in rows]
            if len(runs) == 1 and isinstance(runs[0][1], float):  # one number all the way down: a constant
                self.reader.values[in_row(name, 0)] = self.reader.values[in_row(name, -1)] = rational(runs[0][1])
        return found

    def expanded(self, rows: range, formula: Formula) -> Iterator[tuple[range, sp.Expr | FormulaError]]:
        """A formula over the columns of the network alone, helper columns followed, for each run of equal rows.

        Where a helper column holds no number and no formula that can be read, the error stands in its place.
        """
        used = [
            (symbol, name, offset)
            for symbol in formula.expression.free_symbols
            for name, offset in [column_and_offset(symbol)]
            if name in self._beside
        ]
        if not used:
            yield rows, self.in_table(formula.expression)
            return
        start, known = rows.start, None
        expression: sp.Expr | FormulaError = formula.expression
        for row in rows:
            contents = tuple(self._at(name, row + offset) for _, name, offset in used)
            if contents == known:
                continue
            if known is not None:
                yield range(start, row), expression
            start, known = row, contents
            try:
                expression = self.in_table(self._substituted(formula.expression, row, DEEPEST))
            except FormulaError as error:
                expression = error
        yield range(start, rows.stop), expression

    def with_helper(self, expression: sp.Expr, row: int, helper: str) -> sp.Expr:
        """An expression with all helper columns written out but one."""
        return self.in_table(self._substituted(expression, row, DEEPEST, kept=helper))

    def uses(self) -> Iterator[tuple[range, dict[str, frozenset[str]]]]:
        """Which columns of their own row the formulas read, for each run of rows in which that is the same."""
        names = (*self.layout.columns, *self.layout.beside)
        starts: dict[int, dict[str, Formula | None]] = defaultdict(dict)
        for name in names:
            for rows, content in self.reader.runs(name):
                starts[rows.start][name] = content if isinstance(content, Formula) else None
        rows, used = sorted(starts), {}
        for row, stop in zip(rows, [*rows[1:], self.layout.last + 1], strict=True):
            changed = {name: content.same_row for name, content in starts[row].items() if content}
            used = {name: use for name, use in used.items() if name not in starts[row]} | changed
            yield range(row, stop), used

    def _at(self, name: str, row: int) -> Content | None:
        column = self._beside[name]
        place = row - self.layout.first
        content = column[place] if 0 <= place < len(column) else None
        return "number" if isinstance(content, float) else content

    def _substituted(self, expression: sp.Expr, row: int, depth: int, kept: str = "") -> sp.Expr:
        """An expression with its helper columns written out, as seen from a row."""
        if depth == 0:
            raise FormulaError("leads through too many helper columns, or in a circle")
        written = {}
        for symbol in expression.free_symbols:
            name, offset = column_and_offset(symbol)
            if name not in self._beside or name == kept:
                continue
            content = self._at(name, row + offset)
            if isinstance(content, Formula) and not _runs_on(name, content):
                helper = self._substituted(content.expression, row + offset, depth - 1, kept)
                written[symbol] = _moved(helper, offset)
            elif isinstance(content, Judgement):
                place = self.layout.address(name, row + offset) if content.kind != TOO_MANY else f"the column {name}"
                raise FormulaError(f"reads {place}, {_fault(content)}")
        return expression.xreplace(written)

    @cached_property
    def bias_terms(self) -> dict[str, sp.Expr]:
        """The term that each unit adds beside its weights, where both units of a layer add one."""
        found, _ = {}, self._beside  # which makes a column with one number all the way down known as that number
        for layer in (("h1", "h2"), ("o1", "o2")):
            terms = {unit: self._extra_term(unit) for unit in layer}
            typed = [term is None or not term.free_symbols for term in terms.values()]
            if None not in terms.values() and (not any(typed) or len(set(terms.values())) == 1):
                found |= terms
        return found

    def _extra_term(self, unit: str) -> sp.Expr | None:
        first = self.reader.first(unit)
        if not isinstance(first, Formula):
            return None
        expression = self.in_table(first.expression)
        if not expression.is_Add:
            return None
        biases = {SYMBOLS["b1"], SYMBOLS["b2"]}
        table = {SYMBOLS[name] for name in self.layout.columns} | {*self.stand_ins.values()}
        elsewhere = (self.reader.values.keys() | biases) - (table - biases)
        constant = [term for term in expression.args if term.free_symbols <= elsewhere]
        return sp.Add(*constant) if constant else None

    @cached_property
    def bias_cells(self) -> set[sp.Symbol]:
        """The cells elsewhere that hold biases."""
        return {cell for term in self.bias_terms.values() for cell in self.reader.outside(term)}

    @cached_property
    def bias(self) -> dict[str, sp.Expr]:
        """What each unit adds beside its weights, if anything: a number, or the column b1 or b2."""
        terms = self.bias_terms  # first: it reads the cells whose values are looked up next
        numbers = {unit: term.xreplace(self.reader.values) for unit, term in terms.items()}
        return {unit: number for unit, number in numbers.items() if number != 0}

    def points_with(self, cells: Iterable[sp.Symbol], shift: int = 0) -> tuple[Point, ...]:
        """Random networks, with the numbers of some cells outside the table, each changed by `shift`."""
        biases = {cell: to_mpf(self.reader.values[cell]) for cell in self.bias_cells}
        known = {cell: to_mpf(self.reader.values[cell] + shift) for cell in cells}
        found = []
        for point in points(tuple(self.bias.items())):
            turned = {SYMBOLS[name]: -point[SYMBOLS[name]] for name in self.opposite}
            found.append(biases | known | dict(point) | turned)
        return tuple(found)

    def definition(self, name: str) -> sp.Expr:
        """What a computed column of this table should be, in terms of the others."""
        right = definition(name, self.bias)
        return -right if name in self.opposite else right

    def sign(self, weight: str) -> int:
        """1 where a weight's update subtracts the column of its derivative, -1 where it has to add it."""
        return -1 if f"dE_d{weight}" in self.opposite else 1

    def in_cells(self, right: sp.Expr, row: int, sheet: str | None = None) -> str:
        """A definition as a formula that could be typed into that row, and with names; `sheet` is where the table is.

        What stands in no column is written out; where that cannot be done, the formula has names instead of cells.
        """
        while lacking := {
            symbol: self.definition(symbol.name)
            for symbol in right.free_symbols & _COMPUTED
            if not self.holds(symbol.name)
        }:
            right = right.xreplace(lacking)
        template = _template(right)
        named = re.sub(r"[{}]", "", template)[1:]
        cells = {name: self._cell(name, row, sheet) for name in re.findall(r"{(\w+)}", template)}
        if None in cells.values():
            return named
        typed = template.format(**cells)
        return f"{typed}, which is {named}" if typed != f"={named}" else named

    def _cell(self, name: str, row: int, sheet: str | None) -> str | None:
        """Where a formula of a row finds what a column holds: a cell of the row, one elsewhere, or a number to type."""
        if name in self.layout.columns:
            prefix = f"{Reference(1, 1, sheet=sheet)}".removesuffix("A1")
            return prefix + self.layout.address(name, row)
        if name in self.typed:
            return f"{float(self.typed[name]):.15g}" if self.typed[name] >= 0 else f"({float(self.typed[name]):.15g})"
        cells = (cell for cell, symbol in self.stand_ins.items() if symbol.name == name)
        return next((_fixed(cell.name) for cell in cells), None)

    def found(self, name: str, row: int, reading: Formula) -> str:
        """The formula as it is typed, and with names for its cells."""
        text, written = self.layout.typed(name, row), reading.text
        with suppress(FormulaError):  # read in another row, it names the cells of that one
            written = self.reader.named(str(self.layout.value(name, row)), row).removeprefix("=")
        return text if text.lstrip("=") == written else f"{text}, which is {written}"


_COMPUTED = {symbol for name, symbol in SYMBOLS.items() if name not in (*CONSTANT, *WEIGHT)}


@lru_cache(1_000)
def _template(right: sp.Expr) -> str:
    """A definition as a formula, with the columns' names in braces, where cells are to stand."""
    symbols = right.free_symbols
    open_ = {symbol: f"{{{symbol.name}}}" for symbol in symbols if SYMBOLS.get(symbol.name) == symbol}
    return excel_formula(right, {symbol: symbol.name for symbol in symbols} | open_)


def _fixed(address: str) -> str:
    """A cell elsewhere as a formula has to read it that is filled down: Inputs!$B$3."""
    sheet, mark, cell = address.rpartition("!")
    return f"{sheet}{mark}{replace(read_reference(cell), row_fixed=True, column_fixed=True)}"


def _as_number(content: Content) -> Content:
    """A formula without cells, =1/2, as the number that it is."""
    computed = isinstance(content, Formula) and content.exact.is_Rational
    return float(content.exact) if computed else content


def _fault(content: Judgement) -> str:
    if content.kind == "empty":
        return "which is empty"
    return f"which {content.message}" if content.kind == "text" else f"where {content.message}"


def _runs_on(name: str, content: Formula) -> bool:
    """Whether a helper column goes on from its own other rows, so that there is no end to writing it out."""
    return any(symbol.name.startswith(f"{name}[") for symbol in content.expression.free_symbols)


def _moved(expression: sp.Expr, offset: int) -> sp.Expr:
    """What an expression over one row is to another row, `offset` rows above it if negative."""
    if offset == 0:
        return expression
    moved = {}
    for symbol in expression.free_symbols:
        name = symbol.name
        match = ELSEWHERE.fullmatch(name)
        if match and not CONSTANT_ELSEWHERE.fullmatch(name):
            moved[symbol] = in_row(match[1], int(match[2]) + offset)
        elif name in SYMBOLS and symbol.is_real and not match:
            moved[symbol] = symbol if name in CONSTANT else in_row(name, offset)
    return expression.xreplace(moved)
