"""A right sheet changed anywhere: where the audit says all right, LibreOffice computes the descent, number by number.

All mutants are sheets of one workbook, which LibreOffice computes anew in one start.
"""

import datetime
import random
import re

import openpyxl
import pytest
from openpyxl.formula.translate import Translator
from openpyxl.utils import get_column_letter
from toy_sheets import COLUMNS, CONSTANTS, WEIGHTS, ToySheet

from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import ToyNetwork

MUTANTS, ROWS = 240, 3
NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))
CELL = re.compile(r"\$?[A-Z]+\$?\d+")
AROUND = [
    *("{0}^1", "{0}^2", "ABS({0})", "SUM({0})", "AVERAGE({0},$ZZ$99)", "PRODUCT({0},$ZZ$99)", "SQRT({0}^2)", "{0}%"),
    *("ROUND({0},4)", "IFERROR({0},0)", "MAX(0,{0})", "{0}*TRUE", "LN(EXP({0}))", "-{0}", "{0}+1E-7", "{0}*1.0001"),
]
VALUES = [
    *(0, 1, -1, 0.3, 1e-9, 1e300, "x", "0.5", "0,5", " 0.5 ", "5%", "", None, True, False, "=1/0", "=NA()", "=PI()"),
    *("=TRUE", '="0.5"', "=2*0.25", "=0.5", datetime.datetime(2020, 1, 1)),
]


def token(text, draw):
    """A formula with a sign, a number, a cell or a function changed."""
    pieces = re.findall(r"\$?[A-Z]+\$?\d+|[A-Z]+|\d+(?:\.\d+)?|[-+*/^()=,]", text)
    place = draw.randrange(1, len(pieces))
    piece = pieces[place]
    if piece in "+-*/^":
        pieces[place] = draw.choice("+-*/^")
    elif CELL.fullmatch(piece):
        pieces[place] = draw.choice(["$ZZ$99", "0", "1", "0.5", "$A$1", f"{draw.choice('ABCDEFGHIJ')}4"])
    elif piece[0].isdigit():
        pieces[place] = draw.choice([f"{float(piece) + 0.5}", f"{float(piece) + 1e-6}", "0", "1", "2"])
    elif piece == "EXP":
        pieces[place] = draw.choice(["ABS", "LN", "SQRT", "TANH"])
    else:
        pieces[place] = {"(": "(1*", ")": "+0)"}.get(piece, piece)
    return "".join(pieces)


def around(text, draw):
    """A formula with something done to the whole of it, or to one of its cells."""
    cells, form = CELL.findall(text), draw.choice(AROUND)
    if not cells or draw.random() < 0.5:
        return "=" + form.format(f"({text[1:]})")
    cell = draw.choice(cells)
    return text.replace(cell, form.format(cell), 1)


def shifted(text, draw):
    """A formula that reads a cell beside one of its cells, or fixes what was not fixed."""
    cells = CELL.findall(text)
    if not cells:
        return text
    cell = draw.choice(cells)
    fixed, letters, row_fixed, row = re.fullmatch(r"(\$?)([A-Z]+)(\$?)(\d+)", cell).groups()
    column = openpyxl.utils.column_index_from_string(letters)
    other = draw.choice(
        [
            f"{fixed}{letters}{row_fixed}{max(1, int(row) + draw.choice([-1, 1]))}",
            f"{fixed}{get_column_letter(max(1, column + draw.choice([-1, 1])))}{row_fixed}{row}",
            f"{fixed}{letters}{'' if row_fixed else '$'}{row}",
        ]
    )
    return re.sub(re.escape(cell) + r"(?!\d)", other, text)


def filled(sheet, column, row, value, last):
    """Put something into a cell and fill it down to the last row."""
    start = f"{get_column_letter(column)}{row}"
    for below in range(row, last + 1):
        formula = isinstance(value, str) and value.startswith("=")
        moved = Translator(value, start).translate_formula(f"{get_column_letter(column)}{below}") if formula else value
        sheet.cell(below, column).value = moved


def mutate(sheet, table, draw):
    """Change a right sheet in one way: a formula, a constant, the learning rate, a heading's place, an empty column."""
    first, last = table.top + 1, table.top + table.rows
    kind = draw.choice(["formula", "formula", "formula", "cell", "rate", "weights", "number", "swap", "clear"])
    name, row = draw.choice(COLUMNS[4:] if kind == "formula" else COLUMNS), draw.randint(first, last)
    column = table.left + COLUMNS.index(name)
    down = draw.random() < 0.5
    if kind == "formula":
        row = max(row, first + 1)
        text = draw.choice([token, around, shifted])(sheet.cell(row, column).value, draw)
        filled(sheet, column, row, text, last if down else row)
    elif kind == "cell":
        filled(sheet, column, row, draw.choice(VALUES), last if down else row)
    elif kind == "rate":
        value = draw.choice([*VALUES, -0.5, 1e-300, f"={table.place(name, 0)}", f"={table.place(name, 1)}*1"])
        sheet[table.rate_cell.replace("$", "")].value = value
    elif kind == "weights":
        taken = draw.choice([None, table.place("t1", 0), '"0.5"', "0.25", "$ZZ$99", f"SUM({table.rate_cell})"])
        for weight in WEIGHTS:
            for below in range(first + 1, last + 1):
                cell = sheet.cell(below, table.left + COLUMNS.index(weight))
                cell.value = cell.value.replace(table.rate_cell, taken) if taken else cell.value.replace("-", "+")
    elif kind == "number":
        right = float(NETWORK.descend(table.rate, ROWS - 1)[name][row - first])
        sheet.cell(row, column).value = draw.choice([right, round(right, 4), f"{right}", right * (1 + 1e-8)])
    else:
        other = table.left + COLUMNS.index(draw.choice(COLUMNS))
        for place in range(first - 1, last + 1 if down else first):
            cells = sheet.cell(place, column), sheet.cell(place, other)
            values = [cell.value for cell in cells]
            for cell, value in zip(cells, reversed(values) if kind == "swap" else (None, values[1]), strict=True):
                cell.value = value


@pytest.fixture(scope="module")
def mutants(tmp_path_factory, computed_by_libreoffice):
    """The mutants' tables, the workbook of them all, and the same computed by LibreOffice."""
    path = tmp_path_factory.mktemp("mutants") / "mutants.xlsx"
    draw, book, tables = random.Random(4), openpyxl.Workbook(), {}
    book.remove(book.active)
    for number in range(MUTANTS):
        rate, top, left = draw.choice([0.1, 0.5, 2]), draw.choice([2, 4]), draw.choice([1, 3])
        table = tables[f"mutant {number}"] = ToySheet(NETWORK, rows=ROWS, top=top, left=left, rate=rate)
        table.fill(sheet := book.create_sheet(f"mutant {number}"))
        mutate(sheet, table, draw)
    book.save(path)
    return tables, path, openpyxl.load_workbook(computed_by_libreoffice(path) / "mutants.xlsx", data_only=True)


def descent(first, rate):
    """The rows that follow from the first one's numbers."""
    network = ToyNetwork(
        targets=[first["t1"], first["t2"]], inputs=[first["i1"], first["i2"]], weights=[first[name] for name in WEIGHTS]
    )
    return network.descend(rate, ROWS - 1)


@pytest.mark.slow
def test_what_is_said_to_be_all_right_is_what_libreoffice_computes(mutants):
    tables, path, computed = mutants
    said_right = [table for table in audit(path).tables if table.all_right]
    assert MUTANTS / 20 < len(said_right) < MUTANTS / 2  # neither an audit that objects to all nor harmless mutants
    for found in said_right:
        table, sheet = tables[found.sheet], computed[found.sheet]
        cells = {name: [sheet[table.place(name, row)].value for row in range(ROWS)] for name in COLUMNS}
        right = descent({name: float(cells[name][0] or 0) for name in (*CONSTANTS, *WEIGHTS)}, found.learning_rate)
        for name in COLUMNS:
            if name in CONSTANTS and cells[name][1:] == [None] * (ROWS - 1):
                continue  # typed once
            shown = [float(value) for value in cells[name]]
            assert shown == pytest.approx(list(right[name]), rel=1e-9, abs=1e-12), (found.sheet, name)
