"""Steps of the weights that no row of the table takes over: by hand below or beside it, or the last of a column."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cellgrad.spreadsheet.audit.cells import Pattern
from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.findings import Finding
from cellgrad.spreadsheet.audit.reading import outside_cell
from cellgrad.spreadsheet.audit.tables import WEIGHT
from cellgrad.spreadsheet.audit.updates import Update, cells_of_zero, update_of
from cellgrad.spreadsheet.parser import FormulaError

MOST_LOOKED_AT = 5_000  # formulas outside the table


def check_strays(context: Context, usual: Update | None, judged: set[tuple[str, int]]) -> Iterator[Finding]:
    """Findings on formulas outside the table that take a weight and its derivative from one row and are no step.

    judged: the columns and rows that have a judgement already.
    """
    layout = context.layout
    still: dict[str, list[str]] = {}  # of each cell that holds no learning rate: the weights that it leaves unchanged
    for row, column, pattern in _outside(context):
        cells = [(layout.names.get(there), place) for place, there in pattern.mentioned(row, column)]
        read = {name: place for name, place in cells if name in WEIGHT or (name or "").startswith("dE_d")}
        weights = [name for name in read if name in WEIGHT]
        above = read.get(weights[0]) if len(weights) == 1 else None
        if (layout.names.get(column), row) in judged:
            continue
        if above not in layout.rows() or len(read) != 2 or {*read.values()} != {above}:
            continue
        if column in layout.names and any(name in layout.beside for name, _ in cells):
            continue  # a rate that has a column of its own is judged where the table's rows take the step over
        weight = weights[0]
        try:
            found = update_of(context, weight, pattern.text(row, column), above + 1)
        except FormulaError:
            continue
        rate = usual.rate if usual else None
        if found == 0 and usual is None:  # no row has said so of the same cell
            for cell in cells_of_zero(context, pattern.text(row, column), above + 1):
                still.setdefault(cell, []).append(weight)
            continue
        if isinstance(found, float):
            if rate is None or math.isclose(found, rate, rel_tol=1e-12):
                continue
            found = f"takes the learning rate {found:g}, the table {rate:g}"
        sign = "-" if context.sign(weight) > 0 else "+"
        right = f"{layout.address(weight, above)}{sign}{usual.source if usual else 'learning rate'}"
        right = f"={right}*{layout.address(f'dE_d{weight}', above)}" if f"dE_d{weight}" in layout.columns else ""
        typed = str(layout.sheet.typed(row, column))
        yield Finding(weight, layout.sheet.address(row, column), "error", right, typed, f"a step by hand: {found}")
    for cell, weights in still.items():
        holds = "is empty" if outside_cell(cell) in context.reader.empty else "holds 0"
        words = f"the learning rate's cell {cell} {holds}, so that nothing changes; it spoils {', '.join(weights)}"
        yield Finding(cell, cell, "error", "a number above 0", "" if holds == "is empty" else "0", words)


def _outside(context: Context) -> Iterator[tuple[int, int, Pattern]]:
    """The places of formulas that are not the table's; of the columns beside it, those in its last row are."""
    layout, looked_at = context.layout, 0
    for row, cells in enumerate(layout.sheet.rows, start=1):
        own = layout.names if row in layout.all_rows[:-1] else {*layout.columns.values()} if row == layout.last else ()
        for column, cell in enumerate(cells, start=1):
            if isinstance(cell, Pattern) and column not in own:
                looked_at += 1
                if looked_at > MOST_LOOKED_AT:
                    return
                yield row, column, cell
