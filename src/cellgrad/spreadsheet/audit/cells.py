"""A stranger's workbook, read within bounds: formulas as text, nothing run, no link followed.

Every formula is kept as a `Pattern`, its cells relative to its own place, so that a column that is filled down holds
the same object in every row: what is equal is stored once and judged once.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.parsers import expat

import sympy as sp
from openpyxl.utils import column_index_from_string, get_column_letter, range_boundaries

from cellgrad.spreadsheet.parser import (
    FUNCTIONS,
    MAX_ROW,
    FormulaError,
    Reference,
    parse,
    read_reference,
    tokenize,
)

MAX_FILE = 64 * 2**20  # bytes on disk
MAX_UNPACKED = 256 * 2**20  # bytes of all parts together; 30,000 rows of the table take some 90 MB
MAX_PARTS = 4_000
MAX_CELLS = 1_000_000  # in the whole workbook
MAX_ROW_CELLS = 16_384
MAX_COPIED = 50_000_000  # characters that array formulas come to when they are written out cell by cell
MAX_TEXT = 32_767  # Excel's own limit on the text of one cell
LARGEST = 1e308  # beyond it, no number of a sheet
SWALLOWS = re.compile(  # functions that take a whole range and give one number
    r"\b(?:{})\(".format("|".join(name for name, (_, most, _) in FUNCTIONS.items() if most > 2)), re.IGNORECASE
)
_SAVE = "save the sheet as .xlsx in the program that it was made with"
_LOCKED = "encrypted with a password; save it as .xlsx without a password"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# In an .xls, the record BOF with its 16 bytes and right behind it FILEPASS, which says how the rest is encrypted.
_PASSWORD_OF_XLS = re.compile(rb"\x09\x08\x10\x00.{16}\x2f\x00", re.DOTALL)
_REFERENCE = re.compile(
    r"""(?P<quoted>'(?:[^']|'')*'(?=!)|"(?:[^"]|"")*")
      | (?<![\w.$])(?P<column_fixed>\$?)(?P<letters>[A-Za-z]{1,3})
        (?P<row_fixed>\$?)(?P<row>[1-9][0-9]{0,6})(?![\w(!.])""",
    re.VERBOSE,
)


_RANGE = re.compile(
    r"=?(?P<sheet>(?:(?:'(?:[^']|'')+'|[^\W\d][\w.]*)!)?)(?P<cells>\$[A-Z]{1,3}\$[1-9]\d{0,6}:\$[A-Z]{1,3}\$[1-9]\d{0,6})"
)


def mentioned(text: str) -> list[Reference]:
    """The cells that a formula mentions, whatever else stands in it; the sheets' names left out."""
    found = (match for match in _REFERENCE.finditer(text) if match["letters"])
    return [Reference(int(match["row"]), column_index_from_string(match["letters"])) for match in found]


class AuditError(ValueError):
    """A file that cannot be audited: one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Unreadable:
    """A cell with a formula that this audit does not expand, and why not."""

    text: str
    reason: str


class Pattern:
    """A formula with its cells relative to its own: one object for all cells that are filled down from one."""

    def __init__(self, text: str, row: int, column: int):
        pieces, end = [], 0
        for match in _REFERENCE.finditer(text):
            if match["letters"]:
                pieces += [text[end : match.start()], _relative(match, row, column)]
                end = match.end()
        self._pieces: tuple[str | Reference, ...] = (*pieces, text[end:])
        self._templates: dict[int, tuple[str, list[int]]] = {}

    def text(self, row: int, column: int) -> str:
        """The formula as it stands in a cell, from the equals sign on."""
        if column not in self._templates:
            self._templates[column] = self._template(column)
        template, offsets = self._templates[column]
        return template.format(*[row + offset for offset in offsets])

    def _template(self, column: int) -> tuple[str, list[int]]:
        text, offsets = "=", []
        for piece in self._pieces:
            if isinstance(piece, str):
                text += piece.replace("{", "{{").replace("}", "}}")
                continue
            letters = get_column_letter(piece.column if piece.column_fixed else max(1, piece.column + column))
            text += f"${letters}" if piece.column_fixed else letters
            if piece.row_fixed:
                text += f"${piece.row}"
            else:
                text += "{}"
                offsets.append(piece.row)
        return text, offsets

    def mentioned(self, row: int, column: int) -> Iterator[tuple[int, int]]:
        """The row and column of each cell that the formula mentions where it stands, in the order of last mentions."""
        for cell in self._last_mentions:
            there = cell.row if cell.row_fixed else cell.row + row
            if there > 0:  # what would stand above the first row is no cell
                yield there, cell.column if cell.column_fixed else max(1, cell.column + column)

    @cached_property
    def _last_mentions(self) -> tuple[Reference, ...]:
        """Each reference once, however long the formula: thousands of cells may be filled down from it."""
        cells = [piece for piece in reversed(self._pieces) if isinstance(piece, Reference)]
        return tuple(reversed(dict.fromkeys(cells)))

    @property
    def key(self) -> tuple:
        """What is the same in equal patterns."""
        return self._pieces

    @cached_property
    def kind(self) -> tuple[str | Reference, ...]:
        """The same for formulas that differ in blanks only."""
        return tuple(re.sub(r"\s+", "", piece) if isinstance(piece, str) else piece for piece in self._pieces)


def _relative(match: re.Match, row: int, column: int) -> Reference:
    number, letters = int(match["row"]), column_index_from_string(match["letters"])
    row_fixed, column_fixed = bool(match["row_fixed"]), bool(match["column_fixed"])
    return Reference(
        number if row_fixed else number - row, letters if column_fixed else letters - column, row_fixed, column_fixed
    )


Cell = None | float | str | Pattern | Unreadable  # as stored; plain text begins with "'"
Value = None | float | str | Unreadable  # as asked for: formulas begin with "="


@dataclass(frozen=True)
class Elsewhere:
    """A sheet whose cells are read beside another's: so many columns to the right, so many rows down."""

    sheet: Sheet
    right: int
    down: int


@dataclass(frozen=True)
class Sheet:
    """The cells of one sheet, row by row from A1; a row ends where the file's row ends.

    A sheet lying on its `side` has the rows of the file as its columns; its formulas are swapped likewise. One joined
    with the cells of a sheet `elsewhere` has these right of its own.
    """

    title: str
    rows: list[list[Cell]]
    side: Sheet | None = None
    elsewhere: Elsewhere | None = None

    def cell(self, row: int, column: int) -> Cell:
        """A cell as it is stored: a formula as the pattern that it shares with others."""
        cells = self.rows[row - 1] if row <= len(self.rows) else ()
        return cells[column - 1] if column <= len(cells) else None

    def value(self, row: int, column: int) -> Value:
        """What a cell holds: None, a number, "=formula", "'text" or Unreadable."""
        cell = self.cell(row, column)
        return cell.text(row, column) if isinstance(cell, Pattern) else cell

    def typed(self, row: int, column: int) -> Value:
        """What a cell holds, with the cells that its formula mentions as the file has them."""
        if self.side:
            return self.side.value(column, row)
        if self.elsewhere and column > self.elsewhere.right:
            return self.elsewhere.sheet.value(row - self.elsewhere.down, column - self.elsewhere.right)
        return self.value(row, column)

    def address(self, row: int, column: int) -> str:
        """Where a cell stands in the file: "Z3"."""
        if self.side:
            return f"{get_column_letter(row)}{column}"
        if self.elsewhere and column > self.elsewhere.right:
            cell = Reference(row - self.elsewhere.down, column - self.elsewhere.right, sheet=self.elsewhere.sheet.title)
            return str(cell)
        return f"{get_column_letter(column)}{row}"

    @cached_property
    def turned(self) -> Sheet:
        """The same sheet with rows and columns swapped, for a table that lies on its side."""
        width = max(map(len, self.rows), default=0)
        patterns: dict[tuple, Pattern] = {}
        rows: list[list[Cell]] = [[None] * len(self.rows) for _ in range(width)]
        for row, cells in enumerate(self.rows, start=1):
            for column, cell in enumerate(cells, start=1):
                if isinstance(cell, Pattern):
                    made = Pattern(_swapped(cell.text(row, column)[1:], self.title), column, row)
                    cell = patterns.setdefault(made.key, made)
                rows[column - 1][row - 1] = cell
        return Sheet(self.title, rows, side=self)


def _swapped(formula: str, title: str) -> str:
    """A formula as it reads when rows and columns of its own sheet change places."""

    def swap(match: re.Match) -> str:
        before = formula[: match.start()]
        elsewhere = before.endswith("!") and not before.casefold().endswith((f"{title}!".casefold(), f"{title}'!"))
        if match["quoted"] or elsewhere:
            return match[0]
        column, row = get_column_letter(int(match["row"])), column_index_from_string(match["letters"])
        return f"{match['row_fixed']}{column}{match['column_fixed']}{row}"

    return _REFERENCE.sub(swap, formula)


@dataclass(frozen=True)
class Book:
    """The sheets of a workbook and its defined names, in lower case: those of the whole book under None."""

    sheets: list[Sheet]
    defined: dict[str | None, dict[str, str]] = field(default_factory=dict)

    def sheet(self, title: str) -> Sheet | None:
        """The sheet of that title, upper and lower case alike, or None."""
        return next((sheet for sheet in self.sheets if sheet.title.casefold() == title.casefold()), None)

    def names(self, sheet: Sheet) -> dict[str, Reference | sp.Expr]:
        """What the names that a sheet may use stand for: one cell, or a number."""
        texts = self.defined.get(None, {}) | self.defined.get(sheet.title, {})
        for other in self.sheets:  # written as Sheet1!eta
            own = self.defined.get(None, {}) | self.defined.get(other.title, {})
            texts |= {f"{other.title.lower()}!{name}": text for name, text in own.items()}
        found = {}
        for name, text in texts.items():
            try:
                found[name] = _meant(text, sheet)
            except ValueError:  # a range, a broken or a computed name
                continue
        return found


def _meant(text: str, sheet: Sheet) -> Reference | sp.Expr:
    tokens = tokenize(text)
    if len(tokens) == 2 and tokens[0].kind == "cell":
        cell = read_reference(tokens[0].text, tokens[0].sheet)
        if sheet.side and cell.sheet == sheet.title:
            return Reference(cell.column, cell.row, cell.column_fixed, cell.row_fixed, cell.sheet)
        return cell
    number = parse(text)
    if number.free_symbols:
        raise FormulaError("is computed")
    return number


# Opening the file


def read_book(path: str | Path, stored_results: bool = False) -> Book:
    """Read every cell: formulas as text, or with `stored_results` the numbers that the file remembers for them.

    Macros are never run, links never followed. Raises AuditError for what is not a workbook or beyond the bounds.
    """
    path = Path(path)
    _check_size(path)
    try:
        kind = _kind(path)
        if kind != ".xlsx":
            with tempfile.TemporaryDirectory() as folder:
                return read_book(_converted(path, kind, Path(folder)), stored_results)
        with zipfile.ZipFile(path) as archive:
            return _Opened(archive, stored_results).book()
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, NotImplementedError) as error:
        raise AuditError(f"{path}: not an .xlsx workbook ({error})") from error
    except RuntimeError as error:  # how zipfile says that a part needs a password
        raise AuditError(f"{path}: {_LOCKED}") from error
    except Exception as error:  # zlib.error, lzma's and others, which have no common parent
        raise AuditError(f"{path}: damaged ({error})") from error


def _check_size(path: Path) -> None:
    if not path.exists():
        raise AuditError(f"{path}: no such file")
    if not path.is_file():
        raise AuditError(f"{path}: not a file; give the path of an .xlsx workbook")
    if path.stat().st_size > MAX_FILE:
        raise AuditError(f"{path}: {path.stat().st_size / 2**20:,.0f} MB, larger than {MAX_FILE // 2**20} MB")


def _kind(path: Path) -> str:
    """The format of a file by what is in it: ".xlsx", or one that LibreOffice reads. Raises AuditError for others."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise AuditError("not an .xlsx workbook: the file is empty")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        raise AuditError(f"holds no formulas; {_SAVE}")
    if start.startswith(_OLE):
        content = path.read_bytes()
        unlocked = any(name.encode("utf-16-le") in content for name in ("Workbook", "Book"))
        if not unlocked or _PASSWORD_OF_XLS.search(content):
            raise AuditError(_LOCKED)
        return ".xls"
    if start.startswith(b"PK"):
        return _kind_of_zip(path)
    if b"office:document" in start:
        return ".fods"
    if _is_text(start) and path.suffix.lower() not in (".ods", ".xls"):
        raise AuditError(f"not an .xlsx workbook but text, which holds no formulas; {_SAVE}")
    return path.suffix.lower() if path.suffix.lower() in (".ods", ".xls") else ".xlsx"


def _kind_of_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        kind, manifest = (_start(archive, name) for name in ("mimetype", "META-INF/manifest.xml"))
    if b"opendocument.spreadsheet" in kind:
        if b"encryption-data" in manifest:
            raise AuditError(_LOCKED)
        return ".ods"
    if "xl/workbook.bin" in names:
        raise AuditError("an .xlsb workbook; save it as .xlsx")
    if any(name.endswith(".iwa") for name in names):
        raise AuditError("a document of Numbers; export it as .xlsx")
    return ".xlsx"


def _start(archive: zipfile.ZipFile, name: str) -> bytes:
    """The first bytes of a part, none where there is no such part; a part may unpack to more than memory holds."""
    try:
        with archive.open(name) as part:
            return part.read(10_000)
    except KeyError:
        return b""


def _is_text(start: bytes) -> bool:
    """Whether a file begins as text does: no control characters but tabs and ends of lines."""
    return not any(byte < 32 and byte not in b"\t\r\n\f" for byte in start)


def _converted(path: Path, kind: str, folder: Path) -> Path:
    """The same sheets as .xlsx, through LibreOffice."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if not office:
        raise AuditError(f"{kind} is read only where LibreOffice is installed; save it as .xlsx")
    settings = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    source = folder / f"workbook{kind}"
    shutil.copyfile(path, source)
    command = [office, settings, "--headless", "--convert-to", "xlsx", "--outdir", str(folder), str(source)]
    try:
        subprocess.run(command, capture_output=True, timeout=120, check=True)
    except (subprocess.SubprocessError, OSError):
        raise AuditError("LibreOffice cannot read it; save it as .xlsx") from None
    if not (folder / "workbook.xlsx").exists():
        raise AuditError("LibreOffice cannot read it; save it as .xlsx, without a password")
    return folder / "workbook.xlsx"


class _Opened:
    """The parts of a workbook that matter: its list of sheets and names, its texts, its sheets."""

    def __init__(self, archive: zipfile.ZipFile, stored_results: bool):
        self.archive, self.stored_results = archive, stored_results
        self.cells = 0  # so far, in all sheets
        parts = archive.infolist()
        if len(parts) > MAX_PARTS:
            raise AuditError(f"{len(parts):,} parts, more than {MAX_PARTS:,}")
        unpacked = sum(part.file_size for part in parts)  # zipfile never yields more than it was told here
        if unpacked > MAX_UNPACKED:
            raise AuditError(f"unpacks to {unpacked / 2**20:,.0f} MB, more than {MAX_UNPACKED // 2**20} MB")
        self.names = {part.filename for part in parts}
        self.parts = {_plain_part(part.filename): part.filename for part in parts}

    def book(self) -> Book:
        """Read the sheets in the order of their tabs."""
        targets = [target for kind, target in self._targets("").values() if kind == "officeDocument"]
        main = targets[0] if targets else self.parts.get("xl/workbook.xml", "")
        if main not in self.names:
            raise AuditError("a zip file, but not an .xlsx workbook")
        tabs: list[tuple[str, str]] = []
        names: list[tuple[str | None, str, str]] = []

        def element(tag: str, attributes: dict[str, str], text: str) -> None:
            if tag == "sheet":
                link = next((value for key, value in attributes.items() if key.endswith(":id")), "")
                tabs.append((attributes.get("name", ""), link))
            elif tag == "definedName":
                names.append((attributes.get("localSheetId"), attributes.get("name", "").lower(), text))

        self._stream(main, element, {"sheet", "definedName"})
        links = self._targets(main)
        texts = self._texts(next((target for kind, target in links.values() if kind == "sharedStrings"), ""))
        defined: dict[str | None, dict[str, str]] = {}
        for place, name, text in names:
            local = place is not None and place.isdigit() and int(place) < len(tabs)
            defined.setdefault(tabs[int(place)][0] if local else None, {})[name] = text
        sheets = []
        for title, link in tabs:
            if link in links and links[link][0] == "worksheet" and links[link][1] in self.names:
                ranges = NamedRanges(title, defined.get(None, {}) | defined.get(title, {}))
                sheets.append(Sheet(title, _Rows(self, links[link][1], texts, ranges).rows))
        return Book(sheets, defined)

    def _targets(self, part: str) -> dict[str, tuple[str, str]]:
        """Where a part's links lead, by their ids: the last word of the link's kind, and the part it names."""
        folder, name = posixpath.split(part)
        links: dict[str, tuple[str, str]] = {}

        def element(tag: str, attributes: dict[str, str], text: str) -> None:
            target = attributes.get("Target", "")
            path = target if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            path = self.parts.get(_plain_part(path), path)
            links[attributes.get("Id", "")] = attributes.get("Type", "").rpartition("/")[2], path

        relations = self.parts.get(_plain_part(posixpath.join(folder, "_rels", f"{name}.rels")), "")
        if relations in self.names:
            self._stream(relations, element, {"Relationship"})
        return links

    def _texts(self, part: str) -> list[str]:
        """The texts that cells share, in order; the reading aids of East Asian ones left out."""
        texts: list[str] = []

        def element(tag: str, attributes: dict[str, str], text: str) -> None:
            if tag == "si":
                texts.append("")
            elif tag == "t" and texts:
                texts[-1] += text

        if part in self.names:
            self._stream(part, element, {"si", "t"}, hidden="rPh", at_start={"si"})
        return texts

    def _stream(
        self,
        part: str,
        element: Callable[[str, dict[str, str], str], None],
        wanted: set[str],
        hidden: str = "",
        at_start: frozenset[str] | set[str] = frozenset(),
    ) -> None:
        """Call `element` with each wanted element's name, attributes and text, when it ends or `at_start`."""
        open_elements: list[tuple[str, dict[str, str]]] = []
        text: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            tag = tag.rpartition(":")[2]
            open_elements.append((tag, attributes))
            text.clear()
            if tag in at_start:
                element(tag, attributes, "")

        def end(_: str) -> None:
            tag, attributes = open_elements.pop()
            inside = any(name == hidden for name, _ in open_elements) if hidden else False
            if tag in wanted and tag not in at_start and not inside:
                element(tag, attributes, "".join(text))
            text.clear()

        self.parse(part, start, end, text.append)

    def parse(self, part: str, start: Callable, end: Callable, characters: Callable) -> None:
        """Run expat over a part, within bounds on elements and depth, and without document types."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        depth = elements = 0

        def counted_start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth, elements
            depth += 1
            elements += 1
            if depth > 100 or elements > 8 * MAX_CELLS:
                raise AuditError(f"{part} holds too many elements, or too deeply nested ones")
            start(tag, attributes)

        def counted_end(tag: str) -> None:
            nonlocal depth
            depth -= 1
            end(tag)

        def refuse(*_: object) -> None:
            raise AuditError(f"{part} declares a document type, which no workbook does")

        parser.StartElementHandler, parser.EndElementHandler = counted_start, counted_end
        parser.CharacterDataHandler = characters
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
        try:
            with self.archive.open(part) as stream:
                parser.ParseFile(stream)
        except expat.ExpatError as error:
            raise AuditError(f"{part} is damaged ({error})") from None


def _plain_part(name: str) -> str:
    """The name of a part, which programs write with either slash and in capitals or not."""
    return name.replace("\\", "/").lstrip("/").casefold()


class NamedRanges:
    """Names for more than one cell, such as w5 for Sheet1!$I$3:$I$9.

    A formula that wants one number takes the cell of a column that stands in its own row, or the cell of a row in its
    own column; Excel calls it implicit intersection. A function such as SUM, or an array formula, takes all of them.
    """

    def __init__(self, title: str, defined: dict[str, str]):
        self.title = title
        self.ranges = {name: match for name, text in defined.items() if (match := _RANGE.fullmatch(text))}
        names = "|".join(map(re.escape, sorted(self.ranges, key=len, reverse=True)))
        spelled = rf"(?<![\w.!'$])(?:(?:_xlfn\.)?SINGLE\((?P<one>{names})\)|(?P<name>{names}))(?![\w.(!])"
        self.pattern = re.compile(rf'"[^"]*"|{spelled}', re.IGNORECASE)

    def written_out(self, formula: str, row: int, column: int, array: bool) -> str:
        """The formula of a cell with cells in the place of these names; a name that has none here is left."""
        if not self.ranges:
            return formula
        whole = array or SWALLOWS.search(formula)

        def cells(match: re.Match) -> str:
            found = self.ranges.get((match["one"] or match["name"] or "").lower())
            if found is None:
                return match[0]
            if whole and not match["one"]:
                return found[0].removeprefix("=")
            west, north, east, south = range_boundaries(found["cells"])
            own = found["sheet"].strip("'!").casefold() == self.title.casefold()
            sheet = "" if own else found["sheet"]
            if west == east and north <= row <= south:
                return f"{sheet}${get_column_letter(west)}{row}"
            if north == south and west <= column <= east:
                return f"{sheet}{get_column_letter(column)}${north}"
            return match[0]

        return self.pattern.sub(cells, formula)


class _Rows:
    """Reads one sheet's part into rows."""

    def __init__(self, opened: _Opened, part: str, texts: list[str], ranges: NamedRanges):
        self.opened, self.part, self.texts, self.ranges = opened, part, texts, ranges
        self.rows: list[list[Cell]] = []
        self.row = self.column = self.in_row = 0
        self.kind = ""
        self.formula: tuple[dict[str, str], str] | None = None
        self.shown = ""
        self.attributes: dict[str, str] = {}
        self.characters: list[str] = []
        self.shared: dict[str, Pattern] = {}
        self.patterns: dict[tuple, Pattern] = {}
        self.above: dict[int, Pattern] = {}  # the latest pattern of each column
        self.arrays: dict[tuple[int, int], str | Unreadable] = {}
        self.letters: dict[str, int] = {}
        self.numbers: dict[str, float] = {}
        opened.parse(part, self._start, self._end, self.characters.append)
        for (row, column), value in sorted(self.arrays.items()):  # what an array fills beyond the cells of the file
            self._store(row, column, value if isinstance(value, Unreadable) else self._pattern(value, row, column))

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            self.formula, self.shown, self.kind = None, "", attributes.get("t", "n")
            self._move_to(attributes.get("r"))
        elif tag == "row":
            self.in_row, self.column = 0, 0
            number = attributes.get("r", "")
            self.row = int(float(number)) if number else self.row + 1
            if not 1 <= self.row <= MAX_ROW:
                raise AuditError(f"{self.part} has a row {self.row}; Excel ends at {MAX_ROW:,}")
        elif tag == "f":
            self.attributes = attributes
        if tag in ("f", "v", "t"):
            self.characters.clear()

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "f":
            self.formula = self.attributes, "".join(self.characters)
        elif tag in ("v", "t"):
            self.shown += "".join(self.characters)
        elif tag == "c":
            self._close_cell()

    def _move_to(self, address: str | None) -> None:
        self.opened.cells += 1
        self.in_row += 1
        if self.opened.cells > MAX_CELLS or self.in_row > MAX_ROW_CELLS:
            raise AuditError(f"more than {MAX_CELLS:,} cells, or {MAX_ROW_CELLS:,} in one row")
        letters = address.rstrip("0123456789") if address else ""
        if not letters:
            self.column += 1
        elif letters in self.letters:
            self.column = self.letters[letters]
        else:
            self.column = self.letters[letters] = column_index_from_string(letters)

    def _close_cell(self) -> None:
        row, column = self.row, self.column
        if (row, column) in self.arrays:
            return
        if self.formula and not self.opened.stored_results:
            value = self._formula(*self.formula, row, column)
        else:
            value = self._value()
        if value is not None:
            self._store(row, column, value)

    def _store(self, row: int, column: int, value: Cell) -> None:
        while len(self.rows) < row:
            self.rows.append([])
        cells = self.rows[row - 1]
        if len(cells) < column - 1:
            cells.extend([None] * (column - 1 - len(cells)))
        if len(cells) < column:
            cells.append(value)
        else:
            cells[column - 1] = value

    def _value(self) -> Cell:
        text = self.shown
        if text == "":
            return None
        if self.kind == "n":
            if text not in self.numbers:
                number = float(text)
                if not abs(number) < LARGEST:
                    return f"'{text}"
                if len(self.numbers) > 10_000:
                    return number
                self.numbers[text] = number
            return self.numbers[text]
        if self.kind == "s":
            place = int(text)
            return f"'{self.texts[place][:MAX_TEXT]}" if place < len(self.texts) else None
        if self.kind == "b":
            return f"'{bool(int(text))}"
        return f"'{text[:MAX_TEXT]}"

    def _formula(self, attributes: dict[str, str], text: str, row: int, column: int) -> Cell:
        kind = attributes.get("t")
        if kind == "dataTable":
            return Unreadable("=TABLE()", "is a what-if data table")
        if kind == "shared" and not text:
            return self.shared.get(attributes.get("si", "")) or Unreadable("=", "shares a formula that is not there")
        text = self.ranges.written_out(text, row, column, array=kind == "array")
        if kind == "array":
            self.arrays |= _written_out(text, attributes.get("ref", ""), row, column)
            value = self.arrays.pop((row, column))
            return value if isinstance(value, Unreadable) else self._pattern(value, row, column)
        pattern = self._pattern(text, row, column)
        if kind == "shared":
            self.shared[attributes.get("si", "")] = pattern
        return pattern

    def _pattern(self, text: str, row: int, column: int) -> Pattern:
        """The pattern of a formula, most often the one that stands in the cell above."""
        above = self.above.get(column)
        if above is None or above.text(row, column) != f"={text}":
            made = Pattern(text, row, column)
            above = self.above[column] = self.patterns.setdefault(made.key, made)
        return above


def _written_out(text: str, area: str, row: int, column: int) -> dict[tuple[int, int], str | Unreadable]:
    """An array formula as one formula for each cell that it fills: in A1:A9*B1:B9 the third cell computes A3*B3."""
    left, top, right, bottom = range_boundaries(area) if area else (column, row, column, row)
    if (left, top) == (right, bottom):
        return {(row, column): text}
    size = (bottom - top + 1) * (right - left + 1)
    if size > MAX_CELLS or size * len(text) > MAX_COPIED:
        raise AuditError(f"an array formula fills {size:,} cells")
    if SWALLOWS.search(text):
        unread = Unreadable(f"={text}", "is an array formula that sums over ranges")
        return {cell: unread for cell in _cells(left, top, right, bottom)}

    def one(cell_row: int, cell_column: int) -> str:
        def own(match: re.Match) -> str:
            west, north, east, south = range_boundaries(match[0].replace("$", ""))
            if (south - north, east - west) not in ((bottom - top, right - left), (bottom - top, 0)):
                return match[0]
            return f"{get_column_letter(west + min(cell_column - left, east - west))}{north + cell_row - top}"

        return re.sub(r"\$?[A-Za-z]{1,3}\$?\d{1,7}:\$?[A-Za-z]{1,3}\$?\d{1,7}", own, text)

    return {cell: one(*cell) for cell in _cells(left, top, right, bottom)}


def _cells(left: int, top: int, right: int, bottom: int) -> Iterator[tuple[int, int]]:
    return ((row, column) for row in range(top, bottom + 1) for column in range(left, right + 1))
