"""Finding the tables of the toy network in a sheet, by their headings, as people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from openpyxl.utils import get_column_letter

from cellgrad.spreadsheet.audit.cells import Sheet, Value
from cellgrad.toynet import BIASES, INPUTS, TARGETS, WEIGHTS

CONSTANT = tuple(map(str, (*TARGETS, *INPUTS, *BIASES)))  # columns that say the same in every row
WEIGHT = tuple(map(str, WEIGHTS))
FEWEST_COLUMNS = 16  # recognised headings in one row that make it the head of a table

_HEADINGS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?:t|target|y)([12])", "t{}"),
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
RATE_HEADING = re.compile(r"lr|eta|η|alpha|α|rate|learningrate|stepsize")


def plain(heading: str) -> str:
    """A heading without what people vary: case, spaces, underscores, brackets, ∂ or δ or d, subscripts."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    text = re.sub("[∂δ𝜕𝛿∆]|delta|partial", "d", text)
    return re.sub(r"[^\w/]|_", "", text)


def _column_name(value: Value) -> str | None:
    """Which of the columns a heading names, or None."""
    if not is_text(value) or len(value) > 40:
        return None
    text = plain(value)
    for pattern, name in _HEADINGS:
        if match := pattern.fullmatch(text):
            return name.format(*match.groups())
    return None


@dataclass(frozen=True)
class Layout:
    """Where a table stands: its sheet, the row of headings, the first and last row below, the columns by name."""

    sheet: Sheet
    heading: int
    first: int
    last: int
    columns: dict[str, int]

    @cached_property
    def names(self) -> dict[int, str]:
        """The columns' names by their number."""
        return {column: name for name, column in self.columns.items()}

    @property
    def rows(self) -> range:
        """The rows below the headings."""
        return range(self.first, self.last + 1)

    def cell(self, name: str, row: int) -> Value:
        """What a column holds in a row of the sheet."""
        return self.sheet.value(row, self.columns[name])

    def address(self, name: str, row: int) -> str:
        """Where a column's cell of that row stands: "Z3"."""
        return f"{get_column_letter(self.columns[name])}{row}"

    @property
    def range(self) -> str:
        """The table's cells, headings included: "A2:AE70"."""
        left, right = min(self.columns.values()), max(self.columns.values())
        return f"{get_column_letter(left)}{self.heading}:{get_column_letter(right)}{max(self.last, self.heading)}"


def find_tables(sheet: Sheet) -> Iterator[Layout]:
    """The tables of a sheet, from the top down; one with headings only has its last row above its first."""
    heads = [(row, columns) for row, cells in enumerate(sheet.rows, start=1) for columns in _heads(cells)]
    for heading, columns in heads:
        below = [row for row, others in heads if row > heading and {*others.values()} & {*columns.values()}]
        end = min(below, default=len(sheet.rows) + 1)
        # A line of units or explanations may stand below the headings; a row that is mostly empty is none of the
        # table; and an empty one ends it.
        body = []
        for row in range(heading + 1, end):
            values = [value for column in columns.values() if (value := sheet.value(row, column)) is not None]
            if not values and (body or row > heading + 3):
                break
            if 2 * len(values) > len(columns) and not all(is_text(value) for value in values):
                body.append(row)
        yield Layout(sheet, heading, min(body, default=heading + 1), max(body, default=heading), columns)


def _heads(cells: tuple[Value, ...]) -> list[dict[str, int]]:
    """The tables whose headings stand side by side in one row: a new one begins where a heading comes again."""
    tables: list[dict[str, int]] = [{}]
    for column, value in enumerate(cells, start=1):
        name = _column_name(value)
        if name in tables[-1]:
            tables.append({})
        if name:
            tables[-1][name] = column
    return [table for table in tables if len(table) >= FEWEST_COLUMNS]


def is_text(value: Value) -> bool:
    """Whether a cell holds plain text: neither a number nor a formula."""
    return isinstance(value, str) and value.startswith("'")
