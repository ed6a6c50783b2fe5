"""Columns without a known heading, and cells elsewhere, recognised by what their formulas, or their users', mean."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import sympy as sp

from cellgrad.spreadsheet.audit.cells import Book
from cellgrad.spreadsheet.audit.labels import label_of
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, agrees, definition, points
from cellgrad.spreadsheet.audit.reading import Formula, Reader, in_row, to_mpf
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT, Layout
from cellgrad.spreadsheet.parser import FormulaError
from cellgrad.toynet import COLUMNS

MOST_TRIED = 200  # assignments of unknown cells to missing columns, for one formula

StandIns = dict[sp.Symbol, sp.Symbol]  # cell elsewhere: the column that it stands for


@dataclass(frozen=True)
class Recognised:
    """A table, and what stands for its missing columns: cells elsewhere, and numbers typed into the formulas."""

    layout: Layout
    stand_ins: StandIns = field(default_factory=dict)
    typed: dict[str, sp.Rational] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The columns that neither stand in the table nor are stood in for."""
        held = {*self.layout.columns, *self.typed, *map(str, self.stand_ins.values())}
        return [name for name in COLUMNS if name not in held]


def recognise(book: Book, layout: Layout) -> Recognised:
    """The table with the columns that its formulas give away, and what stands for the missing ones."""
    table = Recognised(layout)
    while layout.rows() and table.missing:
        reader = Reader(book, table.layout)
        columns = next(_columns(reader, table.missing, table.stand_ins), None)
        if columns:
            table = replace(table, layout=table.layout.renamed(columns))
            continue
        found = list(_used(reader, table.missing, table.stand_ins))
        labels = {cell: label_of(book, layout, cell) for one in found for cell in one if cell in reader.values}
        cells = _usual(found, {cell: SYMBOLS[label[1]] for cell, label in labels.items() if label})
        if cells:
            elsewhere = {cell: symbol for cell, symbol in cells.items() if str(cell) not in table.layout.beside}
            beside = {str(cell): str(symbol) for cell, symbol in cells.items() if cell not in elsewhere}
            table = replace(table, layout=table.layout.renamed(beside), stand_ins=table.stand_ins | elsewhere)
            continue
        typed = _usual(_typed(reader, table))
        if not typed:
            break
        table = replace(table, typed=table.typed | typed)
    return table


def _usual(found: Iterable[dict], labels: Mapping = MappingProxyType({})) -> dict:
    """Of what the formulas of several columns say, what most of them do: one of them may be wrong.

    Of what as many say as say otherwise, what is in `labels`.
    """
    said = Counter(pair for one in found for pair in one.items())
    taken: dict = {}
    for key, meant in sorted(said, key=lambda pair: (said[pair], labels.get(pair[0]) == pair[1]), reverse=True):
        if key not in taken and not (isinstance(meant, sp.Symbol) and meant in taken.values()):
            taken[key] = meant
    return taken


def _typed(reader: Reader, table: Recognised) -> Iterator[dict[str, sp.Rational]]:
    """Numbers typed into a formula that is right if they stand for missing columns."""
    layout = reader.layout
    for name in layout.columns:
        if name in (*CONSTANT, *WEIGHT) or not isinstance(reader.first(name), Formula):
            continue
        wanted = [other for other in table.missing if other in CONSTANT and SYMBOLS[other] in _mentioned(name)]
        try:
            written, typed = reader.with_typed(layout.value(name, layout.first), layout.first)
        except FormulaError:
            continue
        written = written.xreplace(table.stand_ins)
        ways = (
            dict(zip(symbols, names, strict=True))
            for count in range(len(wanted), 0, -1)
            for names in itertools.combinations(wanted, count)
            for symbols in itertools.permutations(typed, count)
        )
        for way in itertools.islice(ways, MOST_TRIED):
            columns = {symbol: SYMBOLS[other] for symbol, other in way.items()}
            if agrees(written.xreplace(typed | columns), name, points()):
                yield {other: typed[symbol] for symbol, other in way.items()}
                break


def _columns(reader: Reader, missing: list[str], stand_ins: StandIns) -> Iterator[dict[str, str]]:
    """A column beside the table that computes what a missing one should, or that a weight's update takes for one."""
    layout = reader.layout
    for letters in layout.beside:
        content = reader.first(letters)
        if isinstance(content, Formula):
            expression = content.expression.xreplace(stand_ins)
            for name in missing:
                if name not in (*CONSTANT, *WEIGHT) and agrees(expression, name, points()):
                    yield {letters: name}
    for weight in WEIGHT:
        slope = f"dE_d{weight}"
        if slope not in missing or weight not in layout.columns:
            continue
        for _, content in reader.runs(weight)[1:2]:
            above = {in_row(letters, -1): letters for letters in layout.beside}
            used = content.expression.free_symbols - reader.values.keys() if isinstance(content, Formula) else set()
            known = used - above.keys()
            if known == {in_row(weight, -1)} and len(used) == 2:
                yield {above[(used - known).pop()]: slope}


def _used(reader: Reader, missing: list[str], stand_ins: StandIns) -> Iterator[StandIns]:
    """Unknown cells of a formula that is right if they stand for missing columns."""
    layout = reader.layout
    for name in layout.columns:
        content = reader.first(name)
        if name in (*CONSTANT, *WEIGHT) or not isinstance(content, Formula):
            continue
        expression = content.expression.xreplace(stand_ins)
        held = reader.values.keys() - reader.empty
        unknown = [symbol for symbol in expression.free_symbols if symbol in held or str(symbol) in layout.beside]
        unknown = sorted(unknown, key=lambda s: (layout.beside.get(str(s), 0), str(s)))
        wanted = [other for other in missing if SYMBOLS[other] in _mentioned(name)]
        for assigned in itertools.islice(_assignments(unknown, wanted, reader), MOST_TRIED):
            kept = {cell: to_mpf(reader.values[cell]) for cell in unknown if cell not in assigned}
            at = tuple({**point, **kept} for point in points())
            if agrees(expression.xreplace(assigned), name, at):
                yield assigned
                break


def _assignments(unknown: list[sp.Symbol], wanted: list[str], reader: Reader) -> Iterator[StandIns]:
    """The unknown cells as different missing columns, in the order of both first."""
    for count in range(min(len(unknown), len(wanted)), 0, -1):
        for cells in itertools.combinations(unknown, count):
            if all(cell in reader.values for cell in unknown if cell not in cells):
                for names in itertools.permutations(wanted, count):
                    pairs = list(zip(cells, names, strict=True))
                    # A cell elsewhere stands for a target or an input; a column may be a weight as well.
                    if all(cell.is_real or name in CONSTANT for cell, name in pairs):
                        yield {cell: SYMBOLS[name] for cell, name in pairs}


def _mentioned(name: str) -> frozenset[sp.Symbol]:
    return frozenset(definition(name, {}).free_symbols)
