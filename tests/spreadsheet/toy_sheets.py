"""Sheets of the toy network for the audit's tests, written from the derivation, with whatever mistakes one plants."""

import re
from pathlib import Path

import openpyxl
from openpyxl.utils import get_column_letter

from cellgrad.toynet import BIASES, COLUMNS, FORWARD, ToyNetwork, derivatives

WEIGHTS = [f"w{number}" for number in range(1, 9)]
CONSTANTS = ["t1", "t2", "i1", "i2"]
_NAME = re.compile(r"\b(" + "|".join((*COLUMNS, "RATE")) + r")\b(\[[-+]\d+\])?")

HEADINGS = [
    dict(zip(COLUMNS, COLUMNS, strict=True)),
    {name: re.sub(r"^dE_d", "∂E/∂", name).replace("E_total", "E_tot") for name in COLUMNS},
    {name: re.sub(r"^dE_d", "Etotald", name).replace("a_", "act_").replace("E_total", "Etotal") for name in COLUMNS},
    {name: re.sub(r"^dE_d", "d", name).replace("a_", "OUT_").replace("E_total", "E_TOTAL") for name in COLUMNS},
    {name: re.sub(r"^dE_d", "δE_tot/δ", name).replace("a_", " a ").upper() for name in COLUMNS},
]


def right_formulas():
    """Each computed column as one types it, with names for cells; the updates look at the row above."""
    found = {}
    for symbol, expression in (FORWARD | derivatives()).items():
        text = str(expression.subs(dict.fromkeys(BIASES, 0)))
        found[str(symbol)] = text.replace("**", "^").replace("exp", "EXP")
    return found | {weight: f"{weight}[-1] - RATE * dE_d{weight}[-1]" for weight in WEIGHTS}


class ToySheet:
    """A table of formulas that can be changed cell by cell before it is saved; rows count from 0."""

    def __init__(self, network=None, rows=6, top=2, left=1, rate=0.5, headings=HEADINGS[0], step=False):
        network = network or ToyNetwork()
        self.top, self.left, self.rate, self.rows, self.headings, self.step = top, left, rate, rows, headings, step
        given = dict(zip([*CONSTANTS, *WEIGHTS], network.parameters, strict=False))
        formulas = right_formulas()
        self.cells = {}
        for name in COLUMNS:
            for row in range(rows):
                typed = name in CONSTANTS or (name in WEIGHTS and row == 0)
                self.cells[name, row] = given[name] if typed else formulas[name]
        self.extra = {self.rate_cell.replace("$", ""): rate}

    @property
    def rate_cell(self):
        return f"${get_column_letter(self.left + 2)}${self.top - 1}"

    def place(self, name, row):
        """The address of a cell of the table."""
        return f"{get_column_letter(self.left + COLUMNS.index(name))}{self.top + 1 + row}"

    def span(self, name, rows):
        """The address of consecutive rows of a column, as the audit says it."""
        first, last = self.place(name, rows[0]), self.place(name, rows[-1])
        return first if first == last else f"{first}:{last}"

    def plant(self, name, formula, rows=None):
        """Put a formula with names, or a number, or a text, into some rows of a column (into all that are formulas)."""
        rows = range(1 if name in WEIGHTS else 0, self.rows) if rows is None else rows
        for row in rows:
            self.cells[name, row] = formula
        return self.span(name, list(rows))

    def typed(self, formula, row):
        """A formula with names as it stands in a cell."""

        def address(match):
            if match[1] == "RATE":
                return self.rate_cell
            return self.place(match[1], row + int((match[2] or "[0]")[1:-1]))

        return "=" + _NAME.sub(address, formula)

    def fill(self, sheet):
        for cell, value in self.extra.items():
            sheet[cell] = value
        for name in COLUMNS:
            sheet.cell(self.top, self.left + COLUMNS.index(name), self.headings[name])
        for (name, row), value in self.cells.items():
            formula = isinstance(value, str) and not value.startswith("'")
            sheet[self.place(name, row)] = (
                self.typed(value, row) if formula else value.removeprefix("'") if isinstance(value, str) else value
            )
        if self.step:
            for row in range(self.rows):
                sheet.cell(self.top + 1 + row, self.left - 1, row)

    def on_its_side(self):
        """A workbook with the same sheet turned: its columns are rows, and its formulas read where these now stand."""
        upright, turned = openpyxl.Workbook(), openpyxl.Workbook()
        self.fill(upright.active)

        def swapped(match):
            column = openpyxl.utils.column_index_from_string(match[2])
            return f"{match[3]}{get_column_letter(int(match[4]))}{match[1]}{column}"

        for line in upright.active.iter_rows():
            for cell in line:
                value = cell.value
                if isinstance(value, str) and value.startswith("="):
                    value = re.sub(r"(\$?)\b([A-Z]{1,3})(\$?)(\d+)\b", swapped, value)
                turned.active.cell(cell.column, cell.row).value = value
        return turned

    def save(self, path, title="Sheet1"):
        book = openpyxl.Workbook()
        book.active.title = title
        self.fill(book.active)
        book.save(path)
        return Path(path)
