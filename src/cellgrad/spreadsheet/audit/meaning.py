"""Columns without a known heading, and cells elsewhere, recognised by what their formulas, or their users', mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from cellgrad.spreadsheet.audit.cells import Book
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, agrees, definition, points
from cellgrad.spreadsheet.audit.reading import Formula, Reader, in_row, to_mpf
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT, Layout
from cellgrad.toynet import COLUMNS

MOST_TRIED = 200  # assignments of unknown cells to missing columns, for one formula

StandIns = dict[sp.Symbol, sp.Symbol]  # cell elsewhere: the column that it stands for


def recognise(book: Book, layout: Layout) -> tuple[Layout, StandIns]:
    """The table with the columns that its formulas give away, and the cells elsewhere that stand for missing ones."""
    stand_ins: StandIns = {}
    while layout.rows() and (missing := _missing(layout, stand_ins)):
        reader = Reader(book, layout)
        columns = next(_columns(reader, missing, stand_ins), None)
        if columns:
            layout = layout.renamed(columns)
            continue
        cells = next(_used(reader, missing, stand_ins), None)
        if not cells:
            break
        stand_ins |= {cell: symbol for cell, symbol in cells.items() if str(cell) not in layout.beside}
        if beside := {str(cell): str(symbol) for cell, symbol in cells.items() if str(cell) in layout.beside}:
            layout = layout.renamed(beside)
    return layout, stand_ins


def _missing(layout: Layout, stand_ins: StandIns) -> list[str]:
    held = {str(symbol) for symbol in stand_ins.values()}
    return [name for name in COLUMNS if name not in layout.columns and name not in held]


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
        unknown = [
            symbol for symbol in expression.free_symbols if symbol in reader.values or str(symbol) in layout.beside
        ]
        unknown = sorted(unknown, key=lambda s: (layout.beside.get(str(s), 0), str(s)))
        wanted = [other for other in missing if SYMBOLS[other] in _mentioned(name)]
        for assigned in itertools.islice(_assignments(unknown, wanted, reader), MOST_TRIED):
            kept = {cell: to_mpf(reader.values[cell]) for cell in unknown if cell not in assigned}
            at = tuple({**point, **kept} for point in points())
            if agrees(expression.xreplace(assigned), name, at):
                yield assigned


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
