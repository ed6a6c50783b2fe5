"""What the text beside a cell outside the table calls it, held against what the formulas take it for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import sympy as sp

from cellgrad.spreadsheet.audit.cells import Book, Pattern, Sheet
from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.findings import Finding
from cellgrad.spreadsheet.audit.reading import WARNING, Formula
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT, Layout, column_name, is_text, plain
from cellgrad.spreadsheet.audit.updates import Updates
from cellgrad.spreadsheet.parser import Reference, read_reference

LEARNING_RATE = re.compile("(?:learningrate|lernrate)(?:η|eta|lr)?|η|eta|lr")  # as `plain` writes it
LONGEST = 40  # characters of such a label

Label = tuple[str, str]  # where it stands, and the column that it names


def label_of(book: Book, layout: Layout, cell: sp.Symbol) -> Label | None:
    """The text left of a cell outside the table, or else above it, if it names a target, an input, a bias or a weight.

    None where the two name different ones.
    """
    if cell.is_real:  # a column beside the table
        return None
    title, _, address = cell.name.rpartition("!")
    title, place = title.strip("'").replace("''", "'"), read_reference(address)
    sheet, found = book.sheet(title or layout.sheet.title), {}
    for row, column in ((place.row, place.column - 1), (place.row - 1, place.column)):
        name = column_name(sheet.value(row, column), layout.from_0) if sheet and row and column else None
        if name in (*CONSTANT, *WEIGHT):
            found.setdefault(name, str(Reference(row, column, sheet=title or None)))
    return next(((where, name) for name, where in found.items()), None) if len(found) == 1 else None


def check_labels(context: Context) -> Iterator[Finding]:
    """Warnings on cells outside the table that are called like one another's columns.

    One that is called like a column that no such cell is taken for says nothing: labels may count from 0.
    """
    book, layout = context.reader.book, context.layout
    cells = {symbol.name: cell for cell, symbol in context.aliases.items()} | _first_weights(context)
    labels = {name: found for name, cell in cells.items() if (found := label_of(book, layout, cell))}
    for name, (where, called) in labels.items():
        if called != name and _leads_back(name, labels):
            words = f"{where} calls it {called}, but it is read as {name}"
            place = cells[name].name
            yield Finding(place, place, WARNING, "", "", words)


def _first_weights(context: Context) -> dict[str, sp.Symbol]:
    """The cells outside the table that weights begin with."""
    found = {name: context.reader.first(name) for name in WEIGHT}
    exact = {name: content.exact for name, content in found.items() if isinstance(content, Formula)}
    return {name: cell for name, cell in exact.items() if cell in context.reader.values}


def _leads_back(name: str, labels: dict[str, Label]) -> bool:
    """Whether one comes back to a column from label to label: w3 is called w4, and w4 is called w3."""
    called = name
    for _ in labels:
        if called not in labels:
            return False
        called = labels[called][1]
        if called == name:
            return True
    return False


def check_rate_labels(context: Context, updates: Updates) -> Iterator[Finding]:
    """Warnings on a cell that is called the learning rate and that no formula reads, where another one is typed in."""
    sheet = context.layout.sheet
    found = [update for column in updates.values() for _, update in column]
    typed = [update.rate for update in found if update.rate is not None]
    if not typed or any(update.cells or update.schedule is not None for update in found):
        return
    called = _called_rates(sheet)
    for row, column in called.keys() - _read(sheet) if called else ():
        number = sheet.value(row, column)
        if not any(math.isclose(number, rate, rel_tol=1e-12) for rate in typed):
            place, label = sheet.address(row, column), sheet.address(*called[row, column])
            words = f"{label} calls it the learning rate, but the updates have {typed[0]:g}"
            yield Finding(place, place, WARNING, "", f"{number:g}", words)


def _called_rates(sheet: Sheet) -> dict[tuple[int, int], tuple[int, int]]:
    """The rows and columns of single numbers right of or below a text that says learning rate, and of these texts."""
    found = {}
    for row, cells in enumerate(sheet.rows, start=1):
        for column, cell in enumerate(cells, start=1):
            if is_text(cell) and len(cell) <= LONGEST and LEARNING_RATE.fullmatch(plain(cell)):
                for down, right in ((0, 1), (1, 0)):
                    next_to, beyond = (sheet.cell(row + n * down, column + n * right) for n in (1, 2))
                    if isinstance(next_to, float) and not isinstance(beyond, float | Pattern):  # else one of many
                        found[row + down, column + right] = row, column
    return found


def _read(sheet: Sheet) -> set[tuple[int, int]]:
    """The rows and columns of the cells that the formulas of a sheet read, each as it stands in its first cell."""
    first: dict[Pattern, tuple[int, int]] = {}
    for row, cells in enumerate(sheet.rows, start=1):
        for column, cell in enumerate(cells, start=1):
            if isinstance(cell, Pattern):
                first.setdefault(cell, (row, column))
    return {place for pattern, at in first.items() for place in pattern.mentioned(*at)}
