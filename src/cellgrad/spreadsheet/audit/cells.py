"""A stranger's workbook, opened within bounds: first weighed, then read by openpyxl, formulas as text, nothing run."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import openpyxl
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from cellgrad.spreadsheet.parser import FUNCTIONS, MAX_LENGTH, MAX_ROW, Reference, read_reference, tokenize

MAX_FILE = 64 * 2**20  # bytes on disk
MAX_UNPACKED = 256 * 2**20  # bytes of all parts together; 10,000 rows of the table take some 50 MB
MAX_PARTS = 4_000
MAX_CELLS = 1_000_000  # in the whole workbook
MAX_ROW_CELLS = 16_384
LARGEST = 1e308  # beyond it, no number of a sheet
MAX_COPIED = 50_000_000  # characters that shared formulas come to when every copy is written out
_SWALLOWS = re.compile(  # functions that take a whole range and give one number
    r"\b(?:{})\(".format("|".join(name for name, (_, most, _) in FUNCTIONS.items() if most > 2)), re.IGNORECASE
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class AuditError(ValueError):
    """A file that cannot be audited: one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Unreadable:
    """A cell with a formula that this audit does not expand, and why not."""

    text: str
    reason: str


Value = None | float | str | Unreadable  # formulas begin with "=", plain text with "'"


@dataclass(frozen=True)
class Sheet:
    """The cells of one sheet, row by row from A1; a row ends where the file's row ends."""

    title: str
    rows: list[tuple[Value, ...]]

    def value(self, row: int, column: int) -> Value:
        """What a cell holds: None, a number, "=formula", "'text" or Unreadable."""
        cells = self.rows[row - 1] if row <= len(self.rows) else ()
        return cells[column - 1] if column <= len(cells) else None


@dataclass(frozen=True)
class Book:
    """The sheets of a workbook and its defined names that stand for one cell, in lower case."""

    sheets: list[Sheet]
    names: dict[str, Reference] = field(default_factory=dict)

    def sheet(self, title: str) -> Sheet | None:
        """The sheet of that title, upper and lower case alike, or None."""
        return next((sheet for sheet in self.sheets if sheet.title.casefold() == title.casefold()), None)


def read_book(path: str | Path, stored_results: bool = False) -> Book:
    """Read every cell: formulas as text, or with `stored_results` the numbers that the file remembers for them.

    Macros are never run, links never followed. Raises AuditError for what is not a workbook or beyond the bounds.
    """
    path = Path(path)
    weigh(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about charts and styles that it leaves out
            book = openpyxl.load_workbook(path, read_only=True, data_only=stored_results, keep_links=False)
            try:
                sheets = [Sheet(sheet.title, list(_rows(sheet))) for sheet in book.worksheets]
                return Book(sheets, dict(_names(book)))
            finally:
                book.close()
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None
    except Exception as error:  # a damaged file can fail anywhere in a library written for whole ones
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise AuditError(f"{path}: damaged, or not a workbook ({reason})") from error


def weigh(path: Path) -> None:
    """Raise AuditError unless `path` is a zip of XML parts within the bounds; memory used is one element's."""
    if not path.exists():
        raise AuditError(f"{path}: no such file")
    if not path.is_file():
        raise AuditError(f"{path}: not a file; give the path of an .xlsx workbook")
    if path.stat().st_size > MAX_FILE:
        raise AuditError(f"{path}: {path.stat().st_size / 2**20:,.0f} MB, larger than {MAX_FILE // 2**20} MB")
    with path.open("rb") as file:
        start = file.read(len(_OLE))
    if start == _OLE:
        raise AuditError(f"{path}: encrypted, or in the old .xls format; save it as .xlsx without a password")
    try:
        with zipfile.ZipFile(path) as archive:
            _weigh_parts(archive)
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, NotImplementedError) as error:
        raise AuditError(f"{path}: not an .xlsx workbook ({error})") from error
    except RuntimeError as error:  # how zipfile says that a part needs a password
        raise AuditError(f"{path}: encrypted; save it as .xlsx without a password") from error
    except Exception as error:  # zlib.error, lzma's and others, which have no common parent
        raise AuditError(f"{path}: damaged ({error})") from error


def _weigh_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    if len(parts) > MAX_PARTS:
        raise AuditError(f"{len(parts):,} parts, more than {MAX_PARTS:,}")
    unpacked = sum(part.file_size for part in parts)  # zipfile never yields more than it was told here
    if unpacked > MAX_UNPACKED:
        raise AuditError(f"unpacks to {unpacked / 2**20:,.0f} MB, more than {MAX_UNPACKED // 2**20} MB")
    if "[Content_Types].xml" not in archive.namelist():
        raise AuditError("a zip file, but not an .xlsx workbook")
    scale = _Scale()
    for part in parts:
        if part.filename.endswith((".xml", ".rels", ".vml")):
            with archive.open(part) as stream:
                scale.weigh(stream, part.filename)


class _Scale:
    """Counts the cells and the written-out shared formulas of all parts, as they stream by."""

    def __init__(self) -> None:
        self.cells = self.copied = 0

    def weigh(self, stream, part: str) -> None:
        parser = expat.ParserCreate(namespace_separator="}")
        elements = in_row = depth = start = 0
        shared: str | None = None
        lengths: dict[str, int] = {}

        def open_element(tag: str, attributes: dict[str, str]) -> None:
            nonlocal elements, in_row, depth, start, shared
            elements += 1
            depth += 1
            if depth > 100 or elements > 8 * MAX_CELLS:
                raise AuditError(f"{part} holds too many elements, or too deeply nested ones")
            tag = tag.rpartition("}")[2]
            if tag == "c":
                self.cells += 1
                in_row += 1
                if self.cells > MAX_CELLS or in_row > MAX_ROW_CELLS:
                    raise AuditError(f"more than {MAX_CELLS:,} cells, or {MAX_ROW_CELLS:,} in one row")
            elif tag == "row":
                in_row = 0
                if int(float(attributes.get("r", 1))) > MAX_ROW:
                    raise AuditError(f"{part} has a row {attributes['r']}; Excel ends at {MAX_ROW:,}")
            elif tag == "f" and attributes.get("t") == "shared":
                shared, start = attributes.get("si", ""), parser.CurrentByteIndex

        def close_element(tag: str) -> None:
            nonlocal depth, shared
            depth -= 1
            if shared is not None:
                # The bytes between the tags, the opening tag with them: a little too much is no harm.
                length = lengths.setdefault(shared, parser.CurrentByteIndex - start)
                self.copied += length
                if length > 4 * MAX_LENGTH or self.copied > MAX_COPIED:
                    raise AuditError(f"{part} holds shared formulas that would fill too much memory")
                shared = None

        def refuse(*_: object) -> None:
            raise AuditError(f"{part} declares a document type, which no workbook does")

        parser.StartElementHandler, parser.EndElementHandler = open_element, close_element
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
        try:
            parser.ParseFile(stream)
        except expat.ExpatError as error:
            raise AuditError(f"{part} is damaged ({error})") from None
        except ValueError as error:
            raise error if isinstance(error, AuditError) else AuditError(f"{part} is damaged ({error})") from None


def _rows(sheet) -> Iterator[tuple[Value, ...]]:
    """The rows of an openpyxl sheet, its array formulas written out cell by cell."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong; the cells themselves are not
    arrays: dict[tuple[int, int], str | Unreadable] = {}
    size = 0
    for row, cells in enumerate(sheet.iter_rows(), start=1):
        size += len(cells)
        if row > MAX_ROW or size > 16 * MAX_CELLS:
            raise AuditError(f"sheet {sheet.title!r} is too large")
        values = []
        for column, cell in enumerate(cells, start=1):
            value = cell.value
            if isinstance(value, ArrayFormula):
                arrays.update(_written_out(value, row, column))
            values.append(arrays.pop((row, column), None) or _value(value, cell.data_type))
        while values and values[-1] is None:
            values.pop()
        yield tuple(values)


def _value(value: object, kind: str) -> Value:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST):
        return value
    if isinstance(value, DataTableFormula):
        return Unreadable("=TABLE()", "is a what-if data table")
    return value if kind == "f" and isinstance(value, str) else f"'{value}"


def _written_out(array: ArrayFormula, row: int, column: int) -> dict[tuple[int, int], str | Unreadable]:
    """An array formula as one formula for each cell that it fills: in A1:A9*B1:B9 the third cell computes A3*B3."""
    left, top, right, bottom = range_boundaries(array.ref)
    if (left, top) == (right, bottom):
        return {(row, column): array.text}
    area = (bottom - top + 1) * (right - left + 1)
    if area > MAX_CELLS or area * len(array.text) > MAX_COPIED:
        raise AuditError(f"an array formula fills {area:,} cells")
    swallows = _SWALLOWS.search(array.text)

    def one(cell_row: int, cell_column: int) -> str | Unreadable:
        def own(match: re.Match) -> str:
            west, north, east, south = range_boundaries(match[0].replace("$", ""))
            if (south - north, east - west) not in ((bottom - top, right - left), (bottom - top, 0)):
                return match[0]
            return f"{get_column_letter(west + min(cell_column - left, east - west))}{north + cell_row - top}"

        if swallows:
            return Unreadable(array.text, "is an array formula that sums over ranges")
        return re.sub(r"\$?[A-Za-z]{1,3}\$?\d{1,7}:\$?[A-Za-z]{1,3}\$?\d{1,7}", own, array.text)

    return {(y, x): one(y, x) for y in range(top, bottom + 1) for x in range(left, right + 1)}


def _names(book: openpyxl.Workbook) -> Iterator[tuple[str, Reference]]:
    for name, definition in book.defined_names.items():
        try:
            cell, _end = tokenize(definition.attr_text or "")
            if cell.kind == "cell":
                yield name.lower(), read_reference(cell.text, cell.sheet)
        except ValueError:  # a FormulaError, or more or fewer than two tokens: a range, a constant, a broken name
            continue
