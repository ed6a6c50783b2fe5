"""A table whose columns stand on two sheets, read as if the second one's stood beside the first one's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from openpyxl.utils import column_index_from_string, get_column_letter

from cellgrad.spreadsheet.audit.cells import Book, Cell, Elsewhere, Pattern, Sheet
from cellgrad.spreadsheet.audit.tables import Layout, nearest_headings

FEWEST_HEADINGS = 4  # that a second sheet must have in one row
_CELL = re.compile(
    r"""(?P<text>"(?:[^"]|"")*")
      | (?P<sheet>(?:'(?:[^']|'')*'|[\w.]+)!)?(?<![\w.$])(?P<column_fixed>\$?)(?P<letters>[A-Za-z]{1,3})
        (?P<row_fixed>\$?)(?P<row>[1-9][0-9]{0,6})(?![\w(!.])""",
    re.VERBOSE,
)


def beside_others(book: Book, layout: Layout) -> Iterator[Sheet]:
    """The sheet of a table, joined with each other sheet that has some of the headings and that its formulas read."""
    rows = layout.sheet.rows[layout.first - 1 : layout.first + 1]
    cells = ((row, column) for row, line in enumerate(rows, layout.first) for column in range(1, len(line) + 1))
    formulas = " ".join(str(layout.sheet.value(*cell)) for cell in cells).casefold()
    for other in book.sheets:
        read = any(f"{other.title.casefold()}{end}" in formulas for end in ("!", "'!"))
        if not read or other is layout.sheet or layout.sheet.side is not None:
            continue
        count, heading, _ = nearest_headings(other)
        if count >= FEWEST_HEADINGS:
            width = max(map(len, layout.sheet.rows))
            yield joined(layout.sheet, Elsewhere(other, width + 1, layout.heading - heading))


def joined(sheet: Sheet, elsewhere: Elsewhere) -> Sheet:
    """A sheet with the cells of another right of its own, moved down so that the headings of both are in line."""
    other, height = elsewhere.sheet, len(sheet.rows)
    patterns: dict[tuple, Pattern] = {}
    rows: list[list[Cell]] = [list(cells) for cells in sheet.rows]
    rows += [[] for _ in range(height, len(other.rows) + elsewhere.down)]
    for row, cells in enumerate(sheet.rows, start=1):
        for column, cell in enumerate(cells, start=1):
            rows[row - 1][column - 1] = _moved(
                cell, sheet.title, (row, column), (row, column), sheet, elsewhere, patterns
            )
    for row, cells in enumerate(other.rows, start=1):
        target = row + elsewhere.down
        if target < 1:
            continue
        line = rows[target - 1]
        line += [None] * (elsewhere.right - len(line))
        for column, cell in enumerate(cells, start=1):
            place = (target, column + elsewhere.right)
            line.append(_moved(cell, other.title, (row, column), place, sheet, elsewhere, patterns))
    return Sheet(sheet.title, rows, elsewhere=elsewhere)


def _moved(
    cell: Cell,
    home: str,
    old: tuple[int, int],
    new: tuple[int, int],
    sheet: Sheet,
    elsewhere: Elsewhere,
    patterns: dict[tuple, Pattern],
) -> Cell:
    """A cell at its new place; what its formula reads of the two sheets is read where it now stands."""
    if not isinstance(cell, Pattern):
        return cell
    before = home

    def place(match: re.Match) -> str:
        nonlocal before
        if match["text"]:
            return match[0]
        start = match.start()
        title = match["sheet"]
        if title is None:  # the end of a range is on the sheet of its beginning
            title = before if start and match.string[start - 1] == ":" else home
        before = title = title.removesuffix("!").removeprefix("'").removesuffix("'").replace("''", "'")
        if title.casefold() == elsewhere.sheet.title.casefold():
            letters = get_column_letter(column_index_from_string(match["letters"]) + elsewhere.right)
            row = max(1, int(match["row"]) + elsewhere.down)
            return f"{match['column_fixed']}{letters}{match['row_fixed']}{row}"
        if title.casefold() == sheet.title.casefold():
            return match[0][len(match["sheet"] or "") :]
        return match[0]

    made = Pattern(_CELL.sub(place, cell.text(*old)[1:]), *new)
    return patterns.setdefault(made.key, made)
