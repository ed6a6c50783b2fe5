"""Finding the tables of the toy network in a sheet, by their headings, as people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from openpyxl.utils import get_column_letter

from cellgrad.spreadsheet.audit.cells import Cell, Pattern, Sheet, Value
from cellgrad.spreadsheet.parser import Reference
from cellgrad.toynet import BIASES, COLUMNS, INPUTS, TARGETS, WEIGHTS

CONSTANT = tuple(map(str, (*TARGETS, *INPUTS, *BIASES)))  # columns that say the same in every row
WEIGHT = tuple(map(str, WEIGHTS))
FEWEST_COLUMNS = 16  # recognised headings in one row that make it the head of a table
FEWEST_HEADINGS = 10  # … to begin with, before the formulas below tell what the other columns are
LONGEST_HEADING = 300

_HEADINGS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?:t|target|y|targeto|expected|desired)([12])", "t{}"),
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
# A function of many cells of one column: =SUM(E3:E8), =SUBTOTAL(9,E3:E8)
_OF_MANY = re.compile(r"[=+@]*[A-Z][.A-Z]*\((?:\d+,)?\$?([A-Z]+)\$?\d+:\$?\1\$?\d+", re.IGNORECASE)
# What names another value of the column, and not the column itself
_NEXT = re.compile(r"\b(?:new|neu|next|updated?|after|old|prev\w*)\b|\+", re.IGNORECASE)
_LOOK_ALIKE = str.maketrans("аеорсухіʜнтҺһ", "aeopcyxihhthh")  # Cyrillic letters that are drawn like Latin ones


def plain(heading: str) -> str:
    """A heading without what people vary: case, spaces, brackets, ∂ or its look-alikes, subscripts, a definition."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    text = re.split(r"=|≔|:", text, maxsplit=1)[0] or text
    text = re.sub("[∂δ𝜕𝛿∆ðәəϑдծძ]|delta|partial", "d", text)
    return re.sub(r"[^\w/]|_", "", text).translate(_LOOK_ALIKE)


def column_name(value: Value, from_0: frozenset[str] = frozenset()) -> str | None:
    """Which of the columns a heading names, or None; what is called like `from_0` counts from 0."""
    if not is_text(value) or len(value) > LONGEST_HEADING:
        return None
    for spelling in _spellings(value):
        if spelling[:-1] in from_0 and spelling[-1] in "01234567":
            spelling = f"{spelling[:-1]}{int(spelling[-1]) + 1}"
        for pattern, name in _HEADINGS:
            if match := pattern.fullmatch(spelling):
                return name.format(*match.groups())
    return None


def _spellings(heading: str) -> Iterator[str]:
    """A heading in full, then as it may be meant: a small L for 1, a zero for O, without what explains it."""
    whole = plain(heading)
    yield whole
    yield re.sub(r"0(?=[12]$)", "o", re.sub(r"[l|]$", "1", whole))
    first_line = heading.partition("\n")[0]
    for shorter in (first_line, re.sub(r"\([^)]*\)|\[[^]]*\]", "", first_line)):
        if not _NEXT.search(heading):
            yield plain(shorter)


@dataclass(frozen=True)
class Layout:
    """Where a table stands: its sheet, the row of headings, the first and last row below, the columns by name.

    `beside` are other columns with numbers or formulas in its rows, named by their letters. Below the last `full` row
    may stand the new weights and what is computed from them: the columns in `tail` have that row as their last.
    `from_0` is what its headings count from 0: with "w" in it, what they call w0 is w1 here. `beyond` is a row
    further down that looks like more of the table, if there is one.
    """

    sheet: Sheet
    heading: int
    first: int
    full: int
    columns: dict[str, int]
    beside: dict[str, int]
    tail: frozenset[str] = frozenset()
    from_0: frozenset[str] = frozenset()
    beyond: int | None = None

    @cached_property
    def names(self) -> dict[int, str]:
        """The columns' names by their number."""
        return {column: name for name, column in (self.beside | self.columns).items()}

    def has(self, cell: Reference) -> bool:
        """Whether a cell stands in the table or in a column beside it."""
        own = cell.sheet in (None, self.sheet.title)
        return own and cell.column in self.names and cell.row in self.all_rows

    @property
    def on_side(self) -> bool:
        """Whether the file has the table's columns as rows."""
        return self.sheet.side is not None

    @property
    def last(self) -> int:
        """The last row in which any column stands."""
        return self.full + 1 if self.tail else self.full

    def rows(self, name: str = "") -> range:
        """The rows below the headings in which a column stands."""
        return range(self.first, (self.last if name in self.tail else self.full) + 1)

    @property
    def all_rows(self) -> range:
        """The rows in which any column stands: one more than there are updates."""
        return range(self.first, self.last + 1)

    def column(self, name: str) -> int:
        """The number of a column, of the table or beside it."""
        return self.columns[name] if name in self.columns else self.beside[name]

    def cell(self, name: str, row: int) -> Cell:
        """What a column holds in a row of the sheet, as it is stored."""
        return self.sheet.cell(row, self.column(name))

    def value(self, name: str, row: int) -> Value:
        """What a column holds in a row of the sheet, formulas as text."""
        return self.sheet.value(row, self.column(name))

    def typed(self, name: str, row: int) -> str:
        """The text of a cell as the file has it."""
        return str(self.sheet.typed(row, self.column(name)))

    def address(self, name: str, row: int) -> str:
        """Where a column's cell of that row stands: "Z3"."""
        return self.sheet.address(row, self.column(name))

    def span(self, cells: dict[str, list[int]]) -> str:
        """Rows of columns as ranges: rows 3, 4, 5, 9 of the neighbours Y and Z are "Y3:Z5,Y9:Z9"."""
        blocks: list[tuple[int, int, list[int]]] = []  # neighbouring columns with the same rows: first, last, rows
        for name, rows in sorted(cells.items(), key=lambda item: self.column(item[0])):
            column = self.column(name)
            if blocks and blocks[-1][1] == column - 1 and blocks[-1][2] == rows:
                blocks[-1] = blocks[-1][0], column, rows
            else:
                blocks.append((column, column, rows))
        corners = [
            (self.sheet.address(top, left), self.sheet.address(bottom, right))
            for left, right, rows in blocks
            for top, bottom in _runs(rows)
        ]
        return ",".join(first if first == last else f"{first}:{last.rpartition('!')[2]}" for first, last in corners)

    @property
    def range(self) -> str:
        """The table's cells, headings included: "A2:AE70"."""
        own = [column for column in self.columns.values() if "!" not in self.sheet.address(self.heading, column)]
        corners = min(own), max(own)
        first, last = self.heading, max(self.last, self.heading)
        return f"{self.sheet.address(first, corners[0])}:{self.sheet.address(last, corners[1])}"

    def renamed(self, found: dict[str, str]) -> Layout:
        """The same table when columns beside it turn out to be columns of the network."""
        columns = self.columns | {name: self.beside[letters] for letters, name in found.items()}
        order = sorted(columns, key=columns.__getitem__)
        beside = {letters: column for letters, column in self.beside.items() if letters not in found}
        return replace(self, columns={name: columns[name] for name in order}, beside=beside)


def find_tables(sheet: Sheet) -> Iterator[Layout]:
    """The tables of a sheet, from the top down; one with headings only has its last row above its first."""
    heads = []
    for row, cells in enumerate(sheet.rows, start=1):
        if any(isinstance(cell, str) for cell in cells):
            from_0 = _from_0(cells)
            heads += [(row, columns, from_0) for columns in _heads(cells, from_0)]
    for heading, columns, from_0 in heads:
        below = [row for row, others, _ in heads if row > heading and {*others.values()} & {*columns.values()}]
        end = min(below, default=len(sheet.rows) + 1)
        body = _body(sheet, heading, end, columns)
        first, full = min(body, default=heading + 1), max(body, default=heading)
        beside = _beside(sheet, first, full, columns)
        goes_on = body and full + 1 < end and not _sums_up(sheet, full + 1, columns)
        tail = _tail(sheet, full + 1, beside | columns) if goes_on else frozenset()
        layout = Layout(sheet, heading, first, full, columns, beside, tail, from_0)
        yield replace(layout, beyond=_beyond(layout, end) if body else None)


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """Rows as runs of consecutive ones: the first and the last of each."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


def _body(sheet: Sheet, heading: int, end: int, columns: dict[str, int]) -> list[int]:
    """The rows of a table: a line of units may stand above them; mostly empty ones are none.

    It ends where a row is empty, holds nothing but text, or sums the columns up.
    """
    body: list[int] = []
    for row in range(heading + 1, end):
        values = [value for column in columns.values() if (value := sheet.cell(row, column)) is not None]
        if (not values and row > heading + 3) or (
            body and (all(map(is_text, values)) or _sums_up(sheet, row, columns))
        ):
            break
        if _filled(values, columns):
            body.append(row)
    return body


def _filled(values: list[Cell], columns: dict[str, int]) -> bool:
    """Whether a row holds enough to be one of a table's."""
    return 2 * len(values) > len(columns) and not all(map(is_text, values))


def _sums_up(sheet: Sheet, row: int, columns: dict[str, int]) -> bool:
    """Whether most columns have a sum, an average or the like of their other rows in this one."""
    new = [
        column
        for column in columns.values()
        if isinstance(cell := sheet.cell(row, column), Pattern) and cell is not sheet.cell(row - 1, column)
    ]  # what is filled down, row by row, is none
    if 2 * len(new) <= len(columns):
        return False
    found = (_OF_MANY.match(str(sheet.value(row, column))) for column in new)
    return 2 * sum(match is not None for match in found) > len(columns)


def _beyond(layout: Layout, end: int) -> int | None:
    """The first row below a table's last, before the row `end`, that looks like more of it."""
    for row in range(layout.last + 1, end):
        values = [value for column in layout.columns.values() if (value := layout.sheet.cell(row, column)) is not None]
        if _filled(values, layout.columns) and not _sums_up(layout.sheet, row, layout.columns):
            return row
    return None


def _tail(sheet: Sheet, row: int, columns: dict[str, int]) -> frozenset[str]:
    """The columns of a last, shorter row: the weights, if any of them is there, and what is filled beside them."""
    filled = {name for name, column in columns.items() if not _blank(sheet.cell(row, column))}
    weights = columns.keys() & {*WEIGHT}
    return frozenset(filled | weights) if filled & weights else frozenset()


def _blank(cell: Cell) -> bool:
    return cell is None or is_text(cell)


def _beside(sheet: Sheet, first: int, last: int, columns: dict[str, int]) -> dict[str, int]:
    """Columns without a known heading that hold numbers or formulas in most rows of the table."""
    if last < first:
        return {}
    taken, middle = {*columns.values()}, (first + last + 1) // 2
    width = max((len(sheet.rows[row - 1]) for row in {first, middle, last} if row <= len(sheet.rows)), default=0)
    found = {}
    for column in range(1, width + 1):
        probes = [sheet.cell(row, column) for row in (first, middle, last)]
        if column not in taken and sum(isinstance(cell, float | Pattern) for cell in probes) > 1:
            found[get_column_letter(column)] = column
    return found


def _heads(cells: list[Cell], from_0: frozenset[str]) -> list[dict[str, int]]:
    """The tables whose headings stand side by side in one row: a new one begins where most headings come again."""
    tables: list[dict[str, int]] = [{}]
    for column, value in enumerate(cells, start=1):
        name = column_name(value, from_0)
        if name in tables[-1]:
            tables.append({})
        if name:
            tables[-1][name] = column
    merged: list[dict[str, int]] = []
    for table in tables:
        if merged and len(merged[-1].keys() & table.keys()) <= 2:
            few, many = sorted((merged[-1], table), key=len)
            merged[-1] = few | many  # a heading that stands twice means the column in the larger part
        else:
            merged.append(table)
    return [table for table in merged if len(table) >= FEWEST_HEADINGS]


def _from_0(cells: list[Cell]) -> frozenset[str]:
    """What a row of headings counts from 0: w, where there are w0 … w7 (and no w8); i, where there are i0 and i1."""
    said = {plain(cell) for cell in cells if is_text(cell) and len(cell) < LONGEST_HEADING}
    counted = {text[:-1]: 8 if text[:-1].endswith(("w", "weight")) else 2 for text in said if text.endswith("0")}
    return frozenset(
        word for word, many in counted.items() if f"{word}{many - 1}" in said and f"{word}{many}" not in said
    )


def nearest_headings(sheet: Sheet) -> tuple[int, int, list[str]]:
    """The row with most known headings: how many, which row, and its headings that are not known."""
    best = 0, 0, []
    for row, cells in enumerate(sheet.rows, start=1):
        texts = [cell for cell in cells if is_text(cell)]
        known = {name for text in texts if (name := column_name(text))}
        if len(known & {*COLUMNS}) > best[0]:
            best = len(known), row, [text[1:41] for text in texts if not column_name(text)]
    return best


def is_text(value: Cell) -> bool:
    """Whether a cell holds plain text: neither a number nor a formula."""
    return isinstance(value, str) and value.startswith("'")
