"""What every check of one table goes by: its cells, its constants and biases, and networks to try formulas at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from cellgrad.spreadsheet.audit.cells import Sheet
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, Point, points
from cellgrad.spreadsheet.audit.reading import Formula, Reader, to_mpf
from cellgrad.spreadsheet.audit.tables import Layout


@dataclass(frozen=True)
class Context:
    """One table: its formulas, the results that the file remembers, the numbers of its constant columns by row."""

    reader: Reader
    stored: Callable[[], Sheet]
    constants: dict[str, dict[int, sp.Rational]]

    @property
    def layout(self) -> Layout:
        """Where the table stands."""
        return self.reader.layout

    @cached_property
    def usual(self) -> dict[str, sp.Rational]:
        """What each constant column holds in most rows."""
        counts = {name: Counter(numbers.values()) for name, numbers in self.constants.items() if numbers}
        return {name: count.most_common(1)[0][0] for name, count in counts.items()}

    @cached_property
    def aliases(self) -> dict[sp.Symbol, sp.Symbol]:
        """The cells elsewhere that exactly one of the constant columns copies, and that column."""
        sources = defaultdict(list)
        for name in self.constants:
            first = self.reader.first_formula(name, constants_by_row=True)
            if first and first.expression in self.reader.values:
                sources[first.expression].append(name)
        # A cell that two columns copy (one target for both outputs) may mean either: see computed._stand_ins.
        return {cell: SYMBOLS[names[0]] for cell, names in sources.items() if len(names) == 1}

    def in_table(self, expression: sp.Expr) -> sp.Expr:
        """Read a cell that a whole column copies as that column: i1 in $B$1, say, where column i1 is =$B$1."""
        return expression.xreplace(self.aliases)

    @cached_property
    def bias_terms(self) -> dict[str, sp.Expr]:
        """The term that each unit adds beside its weights, where both units of a layer add one."""
        found = {}
        for layer in (("h1", "h2"), ("o1", "o2")):
            terms = {unit: self._extra_term(unit) for unit in layer}
            typed = [term is None or not term.free_symbols for term in terms.values()]
            if None not in terms.values() and (not any(typed) or len(set(terms.values())) == 1):
                found |= terms
        return found

    def _extra_term(self, unit: str) -> sp.Expr | None:
        first = self.reader.first_formula(unit) if unit in self.layout.columns else None
        if not first or not first.expression.is_Add:
            return None
        table = {SYMBOLS[name] for name in self.layout.columns if name not in ("b1", "b2")}
        elsewhere = (self.reader.values.keys() | {SYMBOLS["b1"], SYMBOLS["b2"]}) - table
        constant = [term for term in first.expression.args if term.free_symbols <= elsewhere]
        return sp.Add(*constant) if constant else None

    @cached_property
    def bias_cells(self) -> set[sp.Symbol]:
        """The cells elsewhere that hold biases."""
        return {cell for term in self.bias_terms.values() for cell in self.reader.outside(term)}

    @cached_property
    def bias(self) -> dict[str, sp.Rational]:
        """The number that each unit adds beside its weights, if any."""
        terms = self.bias_terms  # first: it reads the cells whose values are looked up next
        known = self.reader.values | {SYMBOLS[name]: value for name, value in self.usual.items()}
        numbers = {unit: term.xreplace(known) for unit, term in terms.items()}
        return {unit: number for unit, number in numbers.items() if number.is_Rational and number != 0}

    def points_with(self, cells: Iterable[sp.Symbol], shift: int = 0) -> tuple[Point, ...]:
        """Random networks, with the numbers of some cells outside the table, each changed by `shift`."""
        biases = {cell: to_mpf(self.reader.values[cell]) for cell in self.bias_cells}
        known = {cell: to_mpf(self.reader.values[cell] + shift) for cell in cells}
        return tuple(biases | known | dict(point) for point in points(tuple(self.bias.items())))

    def found(self, name: str, row: int, reading: Formula) -> str:
        """The formula as it is typed, and with names for its cells."""
        text = self.layout.cell(name, row)
        return text if text.lstrip("=") == reading.text else f"{text}, which is {reading.text}"
