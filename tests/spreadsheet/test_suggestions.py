"""What the audit says to type: in cells that the sheet has, and once typed, nothing is left to say."""

import re

import openpyxl
import pytest
from toy_sheets import WEIGHTS, ToySheet, right_formulas

from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import ToyNetwork

NETWORK = ToyNetwork(inputs=(0.05, -0.1), targets=(0.01, 0.99))
RULE = right_formulas()


def without(sheet, names, instead):
    """The sheet without some columns: in every formula, something in their place."""
    for (name, row), value in sheet.cells.items():
        if isinstance(value, str):
            sheet.cells[name, row] = re.sub(rf"\b({'|'.join(names)})\b(\[-1\])?", lambda m: instead(*m.groups()), value)
    for name in names:
        sheet.plant(name, None, range(sheet.rows))
    sheet.headings = sheet.headings | dict.fromkeys(names)
    return sheet


def written_out(name, above=None):
    """The definition of a column, as seen from the row below where it is asked for so."""
    formula = re.sub(r"\bh1\b", f"({RULE['h1']})", RULE[name]) if name == "a_h1" else RULE[name]
    return "(" + (re.sub(r"\b([a-zE]\w*\d|E_total)\b", r"\1[-1]", formula) if above else formula) + ")"


def typed_in(name, above=None):
    return f"({dict(i1=0.05, i2=-0.1, t1=0.01, t2=0.99)[name]})"


def elsewhere(name, above=None):
    return {"t1": "$AN$1", "t2": "$AN$2", "i1": "$AN$3", "i2": "$AN$4"}[name]


def repaired(path):
    """The findings of a sheet, and those that are left after each suggestion has been filled down its cells."""
    (table,) = audit(path).tables
    book = openpyxl.load_workbook(path)
    for found in table.findings:
        if found.severity == "error":
            formula = found.expected.split(", which is ")[0]
            start, _, end = found.cells.partition(":")
            assert formula.startswith("="), found
            for (cell,) in book.active[f"{start}:{end or start}"]:
                moved = openpyxl.formula.translate.Translator(formula, start).translate_formula(cell.coordinate)
                cell.value = moved
    book.save(path)
    return table.findings, audit(path).tables[0].findings


LACKING = [  # columns that are not there, what stands in their place, what is wrong, and where
    (["h1", "h2"], written_out, {"a_h2": "1/(1+EXP(-(w3*i1+w4*i1)))"}),
    (["h1", "a_h1"], written_out, {"o1": "w5*w5+w6*a_h2"}),
    (["E1", "E2"], written_out, {"E_total": "(t1-a_o1)^2+(t2-a_o2)^2"}),
    (["a_o1"], written_out, {"dE_dw5": "(1/(1+EXP(-o1))-t1)*a_h1"}),
    (["dE_dw3"], written_out, {"w3": "w3[-1]-RATE*dE_dw4[-1]"}),
    (["dE_dw3", "dE_dw8"], written_out, {"w8": "w8[-1]+RATE*dE_dw7[-1]"}),
    (["i1", "i2"], typed_in, {"h1": "w1*0.05+w2*0.05"}),
    (["t1", "t2"], typed_in, {"E1": "(a_o1-0.01)^2"}),
    (["t1", "t2"], elsewhere, {"E2": "(a_o2-$AN$2)^2", "dE_dw7": "a_h1"}),
    (["i1", "i2"], elsewhere, {"h1": "w1*$AN$3+w2*$AN$3"}),
]


@pytest.mark.parametrize(("names", "instead", "wrong"), LACKING)
def test_what_is_suggested_names_no_column_that_is_not_there(tmp_path, names, instead, wrong):
    sheet = without(ToySheet(NETWORK), names, instead)
    sheet.extra |= {"AN1": 0.01, "AN2": 0.99, "AN3": 0.05, "AN4": -0.1}
    for name, formula in wrong.items():
        sheet.plant(name, formula)
    before, after = repaired(sheet.save(tmp_path / "sheet.xlsx"))
    assert {found.column for found in before if found.severity == "error"} == {*wrong}
    for found in before:
        lacking = [name for name in names if re.search(rf"\b{name}\b", found.expected.split(", which is ")[0])]
        assert found.severity != "error" or not lacking
    assert not [found for found in after if found.severity == "error"], after


WRITTEN_OUT = [["h1", "h2"], ["h2"], ["o1", "o2"], ["E1", "E2"], ["h1", "h2", "o1", "o2", "E1", "E2"]]


@pytest.mark.parametrize("names", WRITTEN_OUT)
def test_a_sum_or_an_error_that_has_no_column_of_its_own_is_not_missed(tmp_path, names):
    """It is the book's network all the same, and a mistake in another column is the only one."""
    sheet = without(ToySheet(NETWORK), names, written_out)
    report = audit(sheet.save(tmp_path / "right.xlsx"))
    assert report.all_right and not report.tables[0].findings
    for name, formula in (("w3", "w3[-1]+RATE*dE_dw3[-1]"), ("dE_dw3", RULE["dE_dw1"]), ("a_h2", 0.5)):
        sheet = without(ToySheet(NETWORK), names, written_out)
        place = sheet.plant(name, formula, [2] if name == "a_h2" else None)
        before, after = repaired(sheet.save(tmp_path / "wrong.xlsx"))
        assert [(found.column, found.cells, found.severity) for found in before] == [(name, place, "error")]
        assert not after


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["h1", "h2"], {"a_h1": "1/(1+EXP(-(w1*i1+w2*i1)))"}),
        (["E1", "E2"], {"E_total": "((t1-a_o1)^2+(t2-a_o2)^2)/3"}),
        (["a_h1", "a_h2"], {}),
        (["h2", "a_h2"], {}),
    ],
)
def test_what_nothing_right_is_computed_from_is_missed(tmp_path, names, wrong):
    sheet = without(ToySheet(NETWORK), names, written_out)
    for name, formula in wrong.items():
        sheet.plant(name, formula)
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    assert not report.all_right and "2-0-2" not in str(report)
    unchecked = [f"{one.column} {one.message}" for one in report.tables[0].findings if one.severity == "not checked"]
    assert any(name in said for name in names for said in unchecked)


def test_a_sheet_of_all_columns_has_its_suggestions_in_cells(tmp_path):
    for name in ("w3", "h2", "a_o1", "E_total", "dE_dw3"):
        sheet = ToySheet(NETWORK)
        sheet.plant(name, f"2*({RULE[name]})" if name not in WEIGHTS else f"{name}[-1]-RATE*E1[-1]")
        before, after = repaired(sheet.save(tmp_path / "sheet.xlsx"))
        assert len(before) == 1 and not after


@pytest.mark.parametrize("name", ["w3", "w6", "h1", "a_o2", "E_total", "dE_dw3"])
def test_in_the_place_of_a_typed_number_the_formula_is_suggested(tmp_path, name):
    sheet = ToySheet(NETWORK)
    cells = sheet.plant(name, 0.4, [2])
    (before,), after = repaired(sheet.save(tmp_path / "sheet.xlsx"))
    assert before.cells == cells and "typed over the formula" in before.message and not after


@pytest.mark.parametrize("rate", ["RATE", "0.5"])
def test_where_all_updates_go_uphill_the_suggestion_has_their_rate(tmp_path, rate):
    sheet = ToySheet(NETWORK)
    for weight in WEIGHTS:
        sheet.plant(weight, f"{weight}[-1]+{rate}*dE_d{weight}[-1]")
    (found,) = audit(sheet.save(tmp_path / "sheet.xlsx")).tables[0].findings
    assert found.expected.startswith("=E3-$C$1*X3," if rate == "RATE" else "=E3-0.5*X3,")


@pytest.mark.parametrize("held", ["=AZ1", "=E3", "=AZ1*2", 0, "x", None])
def test_a_rates_cell_that_holds_no_rate_is_what_is_to_be_changed(tmp_path, held):
    sheet = ToySheet(NETWORK)
    sheet.extra["C1"] = held
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    (found,) = report.tables[0].findings
    assert not report.all_right and (found.cells, found.expected) == ("C1", "a number above 0")
    assert found.found == ("" if held is None else str(held))


@pytest.mark.parametrize(
    ("name", "formula"), [("h1", "w1*i1+w2*i2+0*a_o1"), ("h2", "w3*i1+w4*i2+h2-h2"), ("a_h1", "1/(1+EXP(-h1+E1-E1))")]
)
def test_a_circle_of_which_nothing_would_be_left_is_one_for_a_spreadsheet_program(tmp_path, name, formula):
    sheet = ToySheet(NETWORK)
    cells = sheet.plant(name, formula)
    before, after = repaired(sheet.save(tmp_path / "sheet.xlsx"))
    assert [(found.column, found.cells) for found in before] == [(name, cells)] and not after
