"""Somebody's spreadsheet of the toy network, held against the derivation, formula by formula.

Every column is judged by its own formula, given that the other columns are what their headings say: one mistake is
one finding, however many columns it reaches. A formula is right if it equals the derivation, however it is written:
the same expression, or else the same number, to 30 digits, at random networks. Where nothing is wrong the whole table
is computed as a spreadsheet program does it, and compared with the descent.

What a user may do and still be right: put the table anywhere, several to a sheet, or lay it on its side; head the
columns as they like, as long as the formulas tell what is meant; keep the learning rate in a cell, in a column of its
own, or typed into the formulas; compute a column from others than we do, or from helper cells, which are followed;
write the sum of a unit, or its error, out in the column that is computed from it, without a column for it;
fill inputs, targets and first weights from cells elsewhere; hold minus the derivatives, as long as the updates add
them, which is a warning; add a fixed bias (the same term in every row, to both units
of a layer or to neither), which is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from cellgrad.spreadsheet.audit.cells import AuditError, Book, Sheet, read_book
from cellgrad.spreadsheet.audit.examine import examine
from cellgrad.spreadsheet.audit.findings import Report
from cellgrad.spreadsheet.audit.joined import beside_others, joined
from cellgrad.spreadsheet.audit.meaning import Recognised, recognise
from cellgrad.spreadsheet.audit.tables import FEWEST_COLUMNS, Layout, find_tables, nearest_headings
from cellgrad.toynet import COLUMNS


def audit(path: str | Path) -> Report:
    """Check every table of the toy network in a workbook, each formula and each update.

    Raises AuditError, one line, for what is not a workbook, too large, or has no such table in it.
    """
    book = read_book(path)
    found = list(_tables(book))
    if not found:
        raise AuditError(f"{path}: no table of the toy network in it; {_nearest(book)}")
    stored = cache(lambda: read_book(path, stored_results=True))

    def stored_sheet(sheet: Sheet) -> Sheet:
        same = stored().sheet(sheet.title)
        if sheet.elsewhere:
            other = stored().sheet(sheet.elsewhere.sheet.title)
            return joined(same, replace(sheet.elsewhere, sheet=other))
        return same.turned if sheet.side else same

    return Report(str(path), tuple(examine(book, table, stored_sheet) for table in found))


def _tables(book: Book) -> Iterator[Recognised]:
    for sheet in book.sheets:
        upright = [table for layout in find_tables(sheet) if _enough(table := _completed(book, layout))]
        turned = [] if upright else find_tables(sheet.turned)
        yield from upright or [table for layout in turned if _enough(table := recognise(book, layout))]


def _completed(book: Book, layout: Layout) -> Recognised:
    """A table, together with the sheet that has most of the columns that it lacks."""
    own = recognise(book, layout)
    tables = [own]
    if own.missing and layout.rows():
        for sheet in beside_others(book, layout):
            found = (recognise(book, other) for other in find_tables(sheet) if other.heading == layout.heading)
            tables += [table for table in found if table.layout.columns.items() >= layout.columns.items()]
    return min(tables, key=lambda table: len(table.missing))


def _enough(table: Recognised) -> bool:
    return len(COLUMNS) - len(table.missing) >= FEWEST_COLUMNS


def _nearest(book: Book) -> str:
    count, row, unknown, title = max(
        ((*nearest_headings(sheet), sheet.title) for sheet in book.sheets), default=(0, 0, [], ""), key=lambda n: n[0]
    )
    wanted = (
        f"looked in {len(book.sheets)} {'sheet' if len(book.sheets) == 1 else 'sheets'} for a row of headings such as "
        f"t1 t2 i1 i2 w1 … dE_dw8 (at least {FEWEST_COLUMNS} of the {len(COLUMNS)})"
    )
    if count < 4:
        return wanted
    unread = f"; could not read {', '.join(map(repr, unknown[:8]))}" if unknown else ""
    return f"{wanted}; the nearest is row {row} of {title}, with {count}{unread}"
