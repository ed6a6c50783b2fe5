"""The audit: what is right passes, however it is written; what is wrong is found in its cell and nowhere else."""

import json
import os
import random
import re
import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest
import sympy as sp
from daily import daily
from openpyxl.formula.translate import Translator
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula
from toy_sheets import COLUMNS, CONSTANTS, HEADINGS, WEIGHTS, ToySheet, right_formulas

from cellgrad.spreadsheet.audit import AuditError, audit
from cellgrad.spreadsheet.audit.cells import Pattern, mentioned, read_book
from cellgrad.spreadsheet.workbook import write_workbook
from cellgrad.toynet import BIASES, FORWARD, ToyNetwork, derivatives

# Other people's workbooks are no part of this repository: a variable names the folder that has them.
SHARED = Path(os.environ.get("CELLGRAD_WORKBOOKS", "not-given"))

DEFINITIONS = {str(s): right.subs(dict.fromkeys(BIASES, 0)) for s, right in (FORWARD | derivatives()).items()}
D1, D2 = "(a_o1-t1)*a_o1*(1-a_o1)", "(a_o2-t2)*a_o2*(1-a_o2)"
NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))


def findings(path):
    return [finding for table in audit(path).tables for finding in table.findings]


def only(found):
    """The one finding of a sheet with one mistake."""
    assert len(found) == 1, [(finding.column, finding.cells, finding.message) for finding in found]
    return found[0]


# A hundred draws, thirty of them in every run.
DRAWS = daily(range(100), 30)


# --- what is right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", DRAWS)
def test_a_right_sheet_passes_wherever_it_stands_and_whatever_its_numbers(tmp_path, seed):
    draw = random.Random(seed)
    network = ToyNetwork(
        inputs=[draw.uniform(-1, 1) for _ in range(2)],
        targets=[draw.random() for _ in range(2)],
        weights=[draw.uniform(-2, 2) for _ in range(8)],
    )
    sheet = ToySheet(
        network,
        rows=draw.randint(1, 5),
        top=draw.randint(2, 40),
        left=draw.randint(2, 30),
        rate=draw.choice([0.1, 1, 2, 17.25]),
        headings=draw.choice(HEADINGS),
        step=draw.random() < 0.5,
    )
    report = audit(sheet.save(tmp_path / "sheet.xlsx", title=draw.choice(["Sheet1", "My sheet", "ε = 1"])))
    (table,) = report.tables
    assert table.findings == () and report.all_right
    assert table.rows == sheet.rows
    assert table.learning_rate == (sheet.rate if sheet.rows > 1 else None)
    assert table.range == f"{sheet.place('t1', -1)}:{sheet.place('dE_dw8', sheet.rows - 1)}"


@pytest.mark.parametrize(
    ("column", "formula"),
    [
        ("h1", "SUMPRODUCT(i1:i2,w1:w2)"),
        ("h1", "PRODUCT(w1,i1)+ i2 *w2"),
        ("h1", "SUM(w1*i1,w2*i2)"),
        ("a_h1", "EXP(h1)/(1+EXP(h1))"),
        ("a_h1", "0.5*(1+TANH(h1/2))"),
        ("a_h1", "(1+EXP(-h1))^-1"),
        ("a_h1", "POWER(1+EXP(-(w1*i1+w2*i2)),-1)"),
        ("E1", "(t1-a_o1)^2/2"),
        ("E1", "50%*POWER(a_o1-t1,2)"),
        ("E1", "-(t1-a_o1)^2/2"),
        ("E_total", "SUM(E1:E2)"),
        ("E_total", "0.5*(t1-a_o1)^2+0.5*(t2-a_o2)^2"),
        ("E_total", "SUMXMY2(t1,a_o1)/2+SUMSQ(t2-a_o2)/2"),
        ("dE_dw1", "(dE_dw5/a_h1*w5+dE_dw7/a_h1*w7)*a_h1*(1-a_h1)*i1"),
        ("dE_dw1", f"({D1}*w5+{D2}*w7)*a_h1*(1-a_h1)*i1"),
        ("dE_dw2", "dE_dw1/i1*i2"),
        ("dE_dw5", "-(t1-a_o1)*(a_o1-a_o1^2)*a_h1"),
        ("dE_dw6", "dE_dw5*a_h2/a_h1"),
        ("w1", "w1[-1]+-1*RATE*dE_dw1[-1]"),
        ("w1", f"w1[-1]-RATE*({D1}*w5+{D2}*w7)*a_h1*(1-a_h1)*i1"),
        ("w5", "SUM(w5[-1],-RATE*dE_dw5[-1])"),
        ("t1", "t1[-1]"),
    ],
)
def test_the_same_said_otherwise_is_right(tmp_path, column, formula):
    sheet = ToySheet(NETWORK)
    if column == "w1" and "a_o1" in formula:  # an update that computes the derivative itself looks at the row above
        formula = re.sub(r"\b(a_\w\d|t\d|i1|w5|w7)\b", r"\1[-1]", formula)
    sheet.plant(column, formula, rows=range(1, 6) if column in CONSTANTS else None)
    assert findings(sheet.save(tmp_path / "sheet.xlsx")) == []


@pytest.mark.parametrize("seed", DRAWS)
def test_our_own_workbook_passes(tmp_path, seed):
    draw = random.Random(seed)
    network = ToyNetwork(
        inputs=[draw.uniform(-1, 1) for _ in range(2)],
        targets=[draw.random() for _ in range(2)],
        weights=[draw.uniform(-2, 2) for _ in range(8)],
        biases=draw.choice([(0, 0), (0.35, 0.6), (0, -0.1)]),
    )
    rate, rates = draw.choice([0.1, 1, 2.5]), [0.1, 0.2, 0.5, 0.8, 1.0, 2.0] if seed == 0 else [0.3]
    write_workbook(tmp_path / "ours.xlsx", network, rate, draw.randint(0, 4), learning_rates=rates)
    report = audit(tmp_path / "ours.xlsx")
    assert report.all_right and [table.findings for table in report.tables] == [()] * len(report.tables)
    assert len(report.tables) >= 1


def test_several_tables_side_by_side_and_below_and_on_other_sheets(tmp_path):
    book = openpyxl.Workbook()
    tables = [ToySheet(rate=1), ToySheet(left=40, rate=2), ToySheet(top=20, rate=3)]
    for table in tables:
        table.fill(book.active)
    tables.append(ToySheet(top=5, rate=4))
    tables[3].fill(book.create_sheet("another"))
    wrong = tables[1].plant("E1", "(t1-a_o1)^2")
    tables[1].fill(book["Sheet"])
    book.save(tmp_path / "book.xlsx")
    report = audit(tmp_path / "book.xlsx")
    assert sorted((table.sheet, table.learning_rate) for table in report.tables) == [
        ("Sheet", 1), ("Sheet", 2), ("Sheet", 3), ("another", 4)
    ]  # fmt: skip
    assert [(finding.column, finding.cells) for table in report.tables for finding in table.findings] == [("E1", wrong)]


def test_inputs_weights_and_learning_rate_may_stand_elsewhere(tmp_path):
    sheet = ToySheet(NETWORK, top=12, left=3)
    elsewhere = dict(zip([*CONSTANTS, *WEIGHTS], NETWORK.parameters, strict=False))
    for place, (name, value) in enumerate(elsewhere.items()):
        sheet.extra[f"A{place + 20}"] = value
        for row in range(sheet.rows) if name in CONSTANTS else [0]:
            sheet.cells[name, row] = f"$A${place + 20}"
    sheet.extra["B1"], sheet.extra[sheet.rate_cell.replace("$", "")] = 5, "=B1/10"
    sheet.plant("h1", "w1*$A$22+w2*$A$23")
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    assert report.tables[0].findings == () and report.tables[0].learning_rate == 0.5


def test_a_learning_rate_column_a_typed_one_and_a_defined_name_are_each_one_learning_rate(tmp_path):
    column, typed, named = ToySheet(), ToySheet(), ToySheet(rate=0.5)
    column.extra |= {f"AG{row}": 0.25 for row in range(3, 9)} | {"AG2": "learning rate"}
    for weight in WEIGHTS:
        column.plant(weight, f"{weight}[-1]-ROW*dE_d{weight}[-1]")
        typed.plant(weight, f"{weight}[-1]-0.75*dE_d{weight}[-1]")
        named.plant(weight, f"{weight}[-1]-eta*dE_d{weight}[-1]")
        for row in range(1, 6):
            column.cells[weight, row] = column.cells[weight, row].replace("ROW", f"$AG{row + 2}")
    book = openpyxl.Workbook()
    named.fill(book.active)
    book.defined_names["eta"] = openpyxl.workbook.defined_name.DefinedName("eta", attr_text=f"Sheet!{named.rate_cell}")
    book.save(tmp_path / "named.xlsx")
    reports = [
        audit(column.save(tmp_path / "a.xlsx")),
        audit(typed.save(tmp_path / "b.xlsx")),
        audit(tmp_path / "named.xlsx"),
    ]
    assert [report.tables[0].findings for report in reports] == [(), (), ()]
    assert [report.tables[0].learning_rate for report in reports] == [0.25, 0.75, 0.5]


def test_a_learning_rate_column_that_changes_is_found(tmp_path):
    sheet = ToySheet()
    sheet.extra |= {f"AG{row}": 0.25 for row in range(3, 9)} | {"AG2": "η", "AG5": 0.26}
    for weight in WEIGHTS:
        for row in range(1, 6):
            sheet.cells[weight, row] = f"{weight}[-1]-AG{row + 2}*dE_d{weight}[-1]"
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert (found.column, found.cells, found.expected) == ("AG5", "AG5", "0.25")
    assert "learning rate 0.26" in found.message and found.message.endswith(f"spoils {', '.join(WEIGHTS)}")


def test_endlessly_many_different_formulas_are_not_all_checked_nor_called_right(tmp_path):
    sheet = ToySheet(NETWORK, rows=700)
    for row in range(700):
        sheet.cells["E_total", row] = f"E1+E2+{row}-{row}"
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert found.severity == "not checked" and found.cells == sheet.span("E_total", [500, 699])


def test_helper_cells_are_followed(tmp_path):
    sheet = ToySheet(NETWORK)
    for row in range(3, 9):  # delta_o1 and delta_o2, right of the table
        cells = {name: sheet.place(name, row - 3) for name in COLUMNS}
        for column, delta in (("AH", D1), ("AI", D2)):
            sheet.extra[f"{column}{row}"] = "=" + re.sub(r"\b(a_o\d|t\d)\b", lambda match: cells[match[1]], delta)  # noqa: B023
    for row in range(6):
        sheet.plant("dE_dw1", f"(AH{row + 3}*w5+AI{row + 3}*w7)*a_h1*(1-a_h1)*i1", [row])
    assert findings(sheet.save(tmp_path / "sheet.xlsx")) == []
    sheet.plant("dE_dw1", "(AH5*w5+AI6*w7)*a_h1*(1-a_h1)*i1", [2])
    assert only(findings(sheet.save(tmp_path / "sheet.xlsx"))).cells == sheet.place("dE_dw1", 2)


def test_fixed_biases_are_accepted_in_both_units_of_a_layer_and_reported(tmp_path):
    sheet = ToySheet(NETWORK, top=4)
    sheet.extra |= {"A1": 0.35, "B1": 0.6}
    formulas = right_formulas()
    for unit, bias in (("h1", "$A$1"), ("h2", "$A$1"), ("o1", "$B$1"), ("o2", "$B$1")):
        sheet.plant(unit, f"{formulas[unit]}+{bias}")
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    assert report.all_right and report.tables[0].biases == {"h1": "A1", "h2": "A1", "o1": "B1", "o2": "B1"}
    cells = sheet.plant("h2", formulas["h2"])
    sheet.plant("h1", f"{formulas['h1']}+$A$1")
    assert {finding.column for finding in findings(sheet.save(tmp_path / "sheet.xlsx"))} == {"h1"}
    assert cells == "K5:K10"


def test_numbers_without_formulas_are_computed_again(tmp_path):
    table = NETWORK.descend(0.7, 5)
    sheet = ToySheet(NETWORK)
    for name in COLUMNS:
        for row in range(6):
            sheet.cells[name, row] = float(table[name][row])
    report = audit(sheet.save(tmp_path / "values.xlsx"))
    assert report.all_right and report.tables[0].learning_rate == 0.7
    assert set(report.tables[0].recomputed) == set(COLUMNS[4:])
    sheet.cells["dE_dw3", 4] *= 1.001
    assert {finding.cells for finding in findings(sheet.save(tmp_path / "values.xlsx"))} == {
        sheet.place("dE_dw3", 4), sheet.place("w3", 5)
    }  # fmt: skip


def test_rounded_numbers_are_right_to_the_digits_they_show(tmp_path):
    table = NETWORK.descend(0.7, 5).round(6)
    sheet = ToySheet(NETWORK)
    for name in COLUMNS:
        for row in range(6):
            sheet.cells[name, row] = float(table[name][row])
    assert findings(sheet.save(tmp_path / "values.xlsx")) == []
    sheet.cells["a_o1", 3] += 0.00001
    assert sheet.place("a_o1", 3) in {finding.cells for finding in findings(sheet.save(tmp_path / "values.xlsx"))}


# --- what is wrong ---------------------------------------------------------------------------------------------------

# Column, what is planted into all its rows (or into those given), a word or two that the message must say.
MISTAKES = [
    ("h1", "w1*i1+w3*i2", "w3 stands where w2 belongs"),
    ("h1", "w1*i1-w2*i2", "wrong sign"),
    ("h1", "w1*i1", "missing"),
    ("h1", "w1*i2+w2*i1", "changed places"),
    ("h1", "1.001*(w1*i1+w2*i2)", "1.001 times"),
    ("h1", "w1*i1+w2*i2+0.0001", "differs"),
    ("h1", "w1*i1+w2+i2", "differs"),
    ("a_h1", "1/(1+EXP(h1))", "sign"),
    ("a_h1", "1/1+EXP(-h1)", "brackets are missing: =1/(1+EXP("),
    ("a_h1", "1/(1+EXP(-h2))", "h2 stands where h1 belongs"),
    ("a_h1", "TANH(h1)", "differs"),
    ("a_h1", "1/(1+2.71828^-h1)", "differs"),
    ("h2", "w1*i1+w4*i2", "w1 stands where w3 belongs"),
    ("h2", "w3*i1+w4*i1", "i1 stands where i2 belongs"),
    ("a_h2", "1/(1+EXP(-h1))", "h1 stands where h2 belongs"),
    ("o1", "w5*a_h1+w6*a_h1", "a_h1 stands where a_h2 belongs"),
    ("o1", "w5*a_h1+w7*a_h2", "crossed"),
    ("o1", "w5*h1+w6*h2", "differs"),
    ("o2", "w6*a_h1+w8*a_h2", "crossed"),
    ("o2", "w7*a_h2+w8*a_h1", "changed places"),
    ("a_o1", "1/(1-EXP(-o1))", "sign"),
    ("a_o2", "1/(1+EXP(-o1))", "o1 stands where o2 belongs"),
    ("E1", "(t1-a_o1)^2", "2.0 times"),
    ("E1", "0.5*(t1-a_o1)", "not raised to the power 2"),
    ("E1", "0.5*(t2-a_o1)^2", "t2 stands where t1 belongs"),
    ("E1", "0.5*t1-a_o1^2", "brackets are missing"),
    ("E2", "0.5*(t2-a_o1)^2", "a_o1 stands where a_o2 belongs"),
    ("E2", "0.5*(t2+a_o2)^2", "wrong sign"),
    ("E_total", "E1-E2", "wrong sign"),
    ("E_total", "E1+E1", "E1 stands where E2 belongs"),
    ("E_total", "E1*E2", "differs"),
    ("dE_dw5", "(t1-a_o1)*a_o1*(1-a_o1)*a_h1", "the wrong way round"),
    ("dE_dw5", "(a_o1-t1)*a_o1*a_h1", "the factor 1 - a_o1 is missing"),
    ("dE_dw5", f"{D1}*a_h2", "a_h2 stands where a_h1 belongs"),
    ("dE_dw5", "(a_o1-t1)*a_o1*1-a_o1*a_h1", "brackets are missing"),
    ("dE_dw5", "(a_o1-t1)*(1-a_o1)*a_h1", "the factor a_o1 is missing"),
    ("dE_dw6", f"{D1}*w6", "w6 stands where a_h2 belongs"),
    ("dE_dw6", "(a_o1-t2)*a_o1*(1-a_o1)*a_h2", "t2 stands where t1 belongs"),
    ("dE_dw7", f"{D1}*a_h1", "the formula of dE_dw5"),
    ("dE_dw5", "(a_o1-t1)*a_h1", "the slope of the activation, a_o1*(1 - a_o1), is missing"),
    ("dE_dw8", "(t2-a_o2)*a_h2*-1", "the slope of the activation, a_o2*(1 - a_o2), is missing"),
    ("dE_dw1", f"({D1}*w5+{D2}*w7)*i1", "the slope of the activation, a_h1*(1 - a_h1), is missing"),
    ("dE_dw2", "((a_o1-t1)*w5+(a_o2-t2)*w7)*a_h1*(1-a_h1)*i2", "a_o1*(1 - a_o1) and a_o2*(1 - a_o2), are missing"),
    ("dE_dw4", "((a_o1-t1)*w6+(a_o2-t2)*w8)*i2", "the slopes of the activations, a_h2*(1 - a_h2) and a_o1*(1 - a_o1)"),
    ("dE_dw3", f"({D1}*w5+{D2}*w7)*a_h1*(1-a_h1)*i1", "the formula of dE_dw1"),
    ("dE_dw6", f"{D2}*a_h1", "the formula of dE_dw7"),
    ("dE_dw4", f"({D1}*w6+{D2}*w8)*a_h2*(1-a_h2)*i1", "i1 stands where i2 belongs"),
    ("dE_dw7", "(a_o2-t2)*a_o2*(1-a_o1)*a_h1", "a_o1 stands where a_o2 belongs"),
    ("dE_dw8", f"2*{D2}*a_h2", "2.0 times"),
    ("dE_dw8", f"{D2}*a_h2*1.001", "1.001 times"),
    ("dE_dw1", "(dE_dw5+dE_dw7)*a_h1*(1-a_h1)*i1", "the activation a_h1 stands in the place of each of the weights"),
    ("dE_dw1", f"({D1}*w5+{D2}*w6)*a_h1*(1-a_h1)*i1", "crossed"),
    ("dE_dw1", f"{D1}*w5+{D2}*w7*a_h1*(1-a_h1)*i1", "brackets are missing"),
    ("dE_dw1", f"{D1}*w5*a_h1*(1-a_h1)*i1", "missing"),
    ("dE_dw1", f"({D1}*w5+{D2}*w7)*a_h1*(1-a_h1)*i2", "i2 stands where i1 belongs"),
    ("dE_dw2", f"({D1}*w5-{D2}*w7)*a_h1*(1-a_h1)*i2", "wrong sign"),
    ("dE_dw3", f"({D1}*w6+{D2}*w8)*a_h1*(1-a_h1)*i1", "a_h1 stands where a_h2 belongs"),
    ("dE_dw3", f"({D1}*w5+{D2}*w7)*a_h2*(1-a_h2)*i1", "differs"),
    ("dE_dw4", f"({D1}*w7+{D2}*w8)*a_h2*(1-a_h2)*i2", "crossed"),
    ("dE_dw4", f"({D1}*w6+{D2}*w8)*a_h2*i2", "the factor 1 - a_h2 is missing"),
    ("dE_dw4", f"({D1}*w6+{D2}*w8)*h2*(1-h2)*i2", "h2 stands where a_h2 belongs"),
    ("w1", "w1[-1]+RATE*dE_dw1[-1]", "uphill"),
    ("w2", "w2[-1]-RATE*dE_dw3[-1]", "wrong derivative: dE_dw3"),
    ("w3", "w3[-1]-RATE*a_h1[-1]", "a_h1 stands where the derivative"),
    ("w3", "w3[-1]-RATE*E_total[-1]", "E_total stands where the derivative"),
    ("w4", "w4[-1]-0.9*dE_dw4[-1]", "typed in"),
    ("w5", "w5[-1]-dE_dw5[-1]", "not multiplied by the learning rate"),
    ("w6", "w6[-1]-$A$1*dE_dw6[-1]", "takes the learning rate from A1"),
    ("w7", "w7[-1]-RATE*dE_dw7", "takes dE_dw7 from its own row and not from the row above, in a circle"),
    ("w8", "w7[-1]-RATE*dE_dw8[-1]", "starts from w7"),
    ("w1", "w1[-1]", "not updated"),
    ("w1", "w1[-1]-1.001*RATE*dE_dw1[-1]", "1.001 times the learning rate"),
    ("w1", "w1[-1]-RATE*dE_dw1[-1]/2", "0.5 times the learning rate"),
    ("w1", "RATE*dE_dw1[-1]", "w1 of the row above is missing"),
    ("w2", "-RATE*dE_dw2[-1]", "w2 of the row above is missing"),
    ("w2", "w2[-1]*(1-RATE*dE_dw2[-1])", "is not the weight minus"),
]  # fmt: skip
IN_SOME_ROWS = [
    ("dE_dw3", 0.00035, [3], "typed over"),
    ("w5", 0.4, [2], "typed over"),
    ("E_total", 0.25, [1, 2], "typed over"),
    ("t1", 0.02, [3], "changes"),
    ("i2", 0.1001, [5], "changes"),
    ("t2", "t1[-1]", [2], "not carried on"),
    ("i1", "i1[-1]*1.001", [4], "changes"),
    ("a_h1", "1/(1+EXP(-h1[-1]))", [2, 3], "from the row above"),
    ("h2", "w3[+1]*i1+w4*i2", [2], "from the row below"),
    ("o1", "'n/a", [4], "text"),
    ("o2", None, [1], "empty"),
    ("a_o2", "1/(1+EXP(-o2*1.0000001))", [0], "differs"),
    ("dE_dw8", f"{D2}*a_h1", [5], "a_h1 stands where a_h2 belongs"),
    ("w4", "w4[-1]-RATE*dE_dw4[-2]", [3], "takes dE_dw4 from 2 rows above and not from the row above"),
    ("w4", "w4[-2]-RATE*dE_dw4[-2]", [2, 3], "takes dE_dw4, w4 from 2 rows above"),
    ("w4", "w4[-3]-RATE*dE_dw4[-2]", [4], "takes dE_dw4, w4 from other rows"),
    ("w4", "w4[-1]-RATE*dE_dw4[+1]", [2], "takes dE_dw4 from the row below"),
    ("w4", "w4[-2]-RATE*dE_dw3[-2]", [3], "is not the weight minus"),
    ("h1", "h1", [2], "in a circle"),
    ("h1", "-LN(1/a_h1-1)", [2], "circular"),
]


@pytest.mark.parametrize("mistake", [*((*m[:2], None, m[2]) for m in MISTAKES), *IN_SOME_ROWS], ids=str)
def test_a_planted_mistake_is_found_in_its_cell_and_no_other(tmp_path, mistake):
    column, formula, rows, words = mistake
    draw = random.Random(str(mistake))
    sheet = ToySheet(NETWORK, top=draw.randint(4, 9), left=draw.randint(2, 9), headings=draw.choice(HEADINGS))
    sheet.extra["A1"] = 0.25
    cells = sheet.plant(column, formula, rows)
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    found = only(report.tables[0].findings)
    assert (found.column, found.cells, found.severity) == (column, cells, "error")
    assert words in found.message
    assert found.expected and found.found
    assert not report.all_right and found.message in str(report)


def test_what_is_said_to_belong_in_each_wrong_cell_makes_the_sheet_right(tmp_path):
    """One mistake in each column at once: each is said as it was typed, and what to type instead is right."""
    sheet = ToySheet(NETWORK, top=5, left=3)
    sheet.extra["A1"] = 0.25
    planted = {column: formula for column, formula, _ in reversed(MISTAKES) if column not in ("w4", "w5", "w6")}
    ranges = {column: sheet.plant(column, formula) for column, formula in planted.items()}
    path = sheet.save(tmp_path / "wrong.xlsx")
    found = {finding.column: finding for finding in findings(path)}
    assert {column: finding.cells for column, finding in found.items()} == ranges
    book = openpyxl.load_workbook(path)
    for column, finding in found.items():
        first = finding.cells.split(":")[0]
        assert finding.found.partition(", which is ")[0] == book.active[first].value
        typed, _, named = finding.expected.partition(", which is ")
        for (cell,) in book.active[finding.cells]:
            cell.value = Translator(typed, origin=first).translate_formula(cell.coordinate)
        if column in WEIGHTS:
            assert named == f"{column}[-1]-{sheet.rate_cell}*dE_d{column}[-1]"
        else:
            said = sp.sympify(
                named.replace("^", "**").replace("EXP", "exp"), {name: sp.Symbol(name, real=True) for name in COLUMNS}
            )
            assert sp.simplify(said - DEFINITIONS[column]) == 0
    book.save(path)
    assert audit(path).tables[0].findings == () and audit(path).all_right


PRINTED = """\
Sheet1!A2:AE8: 6 rows, learning rate 0.5 from $C$1
  error: t1 in A6: t1 changes on the way; it must be the same in every row
      found     0.02
      expected  0.01
  error: w2 in F4:F8: the weight is not updated
      found     =F3, which is w2[-1]
      expected  =F3-$C$1*Y3, which is w2[-1]-$C$1*dE_dw2[-1]
  error: E1 in U3:U8: it is 2.0 times what it should be: a factor is wrong or missing
      found     =(A3-R3)^2, which is (t1-a_o1)^2
      expected  =(A3-R3)^2/2, which is (t1-a_o1)^2/2
  error: E_total in W4: a number typed over the formula, and not the right one (0.408161396000787)
      found     0.25
      expected  =U4+V4, which is E1+E2"""


def test_a_report_in_plain_text(tmp_path):
    """The text is what a reader has of it: where, what, found and expected, in the order of the columns."""
    sheet = ToySheet(NETWORK)
    for column, what, rows in (
        ("E1", "(t1-a_o1)^2", None),
        ("w2", "w2[-1]", None),
        ("t1", 0.02, [3]),
        ("E_total", 0.25, [1]),
    ):
        sheet.plant(column, what, rows)
    assert str(audit(sheet.save(tmp_path / "wrong.xlsx"))) == PRINTED
    assert str(audit(ToySheet(NETWORK, rows=1).save(tmp_path / "one.xlsx"))).splitlines() == [
        "Sheet1!A2:AE3: 1 row",
        "  all right: every formula of every column agrees with the derivation",
    ]
    assert str(audit(ToySheet(NETWORK, rows=0).save(tmp_path / "none.xlsx"))).splitlines() == [
        "Sheet1!A2:AE2: 0 rows",
        "  not checked: headings without rows",
        "      expected  rows of numbers and formulas",
    ]


def test_a_cell_named_as_a_column_is_not_that_column(tmp_path):
    right = ToySheet(NETWORK, left=3, rate=0.25)
    assert right.rate_cell == "$E$1"
    (table,) = audit(right.save(tmp_path / "right.xlsx")).tables
    assert (table.findings, table.learning_rate) == ((), 0.25)
    wrong = ToySheet(NETWORK, top=5)
    wrong.extra |= {"E1": 7, "E2": 8}
    wrong.plant("E_total", "$E$1+$E$2")
    found = only(findings(wrong.save(tmp_path / "wrong.xlsx")))
    assert (found.column, found.cells, found.severity) == ("E_total", wrong.span("E_total", [0, 5]), "error")


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_learning_rate_that_slides_is_named_as_such(tmp_path, weight):
    sheet = ToySheet(NETWORK, rows=8, top=4, rate=0.5)
    column = sheet.rate_cell.split("$")[1]
    for row in range(1, 8):  # reads the rate itself, then the heading of the table, then its rows
        sheet.cells[weight, row] = f"{weight}[-1]-${column}{row + 2}*dE_d{weight}[-1]"
    loose, found = findings(sheet.save(tmp_path / "sheet.xlsx"))
    assert (loose.column, loose.cells, loose.severity) == (weight, sheet.span(weight, [1, 1]), "warning")
    assert "right here, but the learning rate would slide" in loose.message
    assert (found.column, found.cells, found.severity) == (weight, sheet.span(weight, [2, 7]), "error")
    assert "slides" in found.message and f"write {sheet.rate_cell}" in found.message
    assert f"{sheet.place(weight, 2)} reads {column}4, {sheet.place(weight, 3)} reads {column}5" in found.message


@pytest.mark.parametrize("rate", ["$A$1", "0.5"])
def test_the_same_learning_rate_from_elsewhere_is_a_warning_only(tmp_path, rate):
    sheet = ToySheet(NETWORK, top=4, rate=0.5)
    sheet.extra["A1"] = 0.5
    cells = sheet.plant("w6", f"w6[-1]-{rate}*dE_dw6[-1]")
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    found = only(report.tables[0].findings)
    assert (found.cells, found.severity) == (cells, "warning") and "right as long as both are the same" in found.message
    assert report.all_right and report.tables[0].learning_rate_source == sheet.rate_cell


def test_a_cell_that_makes_no_difference_whatever_it_holds_is_no_finding(tmp_path):
    sheet = ToySheet(NETWORK, top=4)
    sheet.extra["A1"] = 3
    sheet.plant("E1", "(t1-a_o1)*((t1-a_o1)+$A$1)/2-$A$1*(t1-a_o1)/2")
    assert findings(sheet.save(tmp_path / "sheet.xlsx")) == []


def test_a_column_that_is_not_there_is_named_at_the_tables_first_cell(tmp_path):
    sheet = ToySheet(NETWORK, top=5, left=3, headings=HEADINGS[0] | {"dE_dw5": "what is this"})
    sheet.plant("dE_dw5", 7)
    sheet.plant("w5", "w5[-1]")
    still, missing = findings(sheet.save(tmp_path / "sheet.xlsx"))
    assert still.message == "the weight is not updated"
    assert (missing.column, missing.cells, missing.severity) == ("dE_dw5", "C5", "not checked")
    assert missing.expected == "a column dE_dw5"


def test_a_learning_rate_that_slides_in_every_column_is_one_mistake(tmp_path):
    sheet = ToySheet(NETWORK, rows=4, top=6)
    sheet.extra[sheet.rate_cell.replace("$", "")] = None
    sheet.extra |= {"C2": 0.5}
    for weight in WEIGHTS:
        for row in range(1, 4):
            sheet.cells[weight, row] = f"{weight}[-1]-C{row + 1}*dE_d{weight}[-1]"
    loose, found = findings(sheet.save(tmp_path / "sheet.xlsx"))
    assert (found.column, found.cells, found.severity) == (", ".join(WEIGHTS), "E9:H10,M9:P10", "error")
    assert loose.severity == "warning" and "slide" in loose.message and "slides" in found.message


def test_headings_that_changed_places_are_found_in_both_columns(tmp_path):
    sheet = ToySheet(NETWORK, headings=HEADINGS[0] | {"dE_dw6": "dE_dw7", "dE_dw7": "dE_dw6"})
    found = {finding.column: finding.cells for finding in findings(sheet.save(tmp_path / "sheet.xlsx"))}
    assert {"dE_dw6", "dE_dw7"} <= found.keys() <= {"dE_dw6", "dE_dw7", "w6", "w7"}


def test_a_target_typed_into_a_formula_is_a_warning_only(tmp_path):
    sheet = ToySheet(NETWORK)
    cells = sheet.plant("E2", "0.5*(0.99-a_o2)^2")
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    found = only(report.tables[0].findings)
    assert (found.cells, found.severity) == (cells, "warning") and "where the column t2 belongs" in found.message
    assert report.all_right


@pytest.mark.parametrize("formula", ["$AH$1*(t1-a_o1)^2", "0.5*(t1-a_o1)^2+$AH$2", "0.5*(t1-a_o1)^($AH$1*4)"])
def test_a_number_elsewhere_that_happens_to_fit_is_a_warning_only(tmp_path, formula):
    sheet = ToySheet(NETWORK)
    sheet.extra |= {"AH1": 0.5, "AH2": 0}
    cells = sheet.plant("E1", formula)
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert (found.cells, found.severity) == (cells, "warning") and "as long as AH" in found.message
    sheet.extra["AH1"], sheet.extra["AH2"] = 0.5005, 0.0001
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert (found.cells, found.severity) == (cells, "error")


@pytest.mark.parametrize(
    "formula",
    [
        "IF(h1>0,1/(1+EXP(-h1)),0)",
        "LAMBDA(x,x)",
        "[1]Sheet1!A1",
        "1/(1+EXP(-h1))+[2]Data!$B$2",
        "Nowhere!A1+h1",
        "#REF!*h1",
        "h1:h2",
        "1/(1+unknown)",
        "(" * 1000 + "h1" + ")" * 1000,
        "(" * 10_000 + "h1" + ")" * 10_000,
        "9^9^9^9^9*h1",
        "1/",
    ],
    ids=lambda formula: formula[:20],
)
def test_what_cannot_be_read_is_not_checked_and_never_right(tmp_path, formula):
    sheet = ToySheet(NETWORK)
    cells = sheet.plant("a_h1", formula)
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    found = only(report.tables[0].findings)
    assert (found.cells, found.severity) == (cells, "not checked")
    assert not report.all_right and len(found.message) < 300


def test_a_helper_column_is_followed_from_the_row_below_it(tmp_path):
    sheet = ToySheet(NETWORK)
    sheet.extra |= {"AH2": "step"} | {f"AH{row}": f"=$C$1*X{row}" for row in range(3, 9)}
    sheet.cells |= {("w1", row): f"w1[-1]-$AH{row + 2}" for row in range(1, 6)}
    assert sheet.place("dE_dw1", 0) == "X3" and audit(sheet.save(tmp_path / "sheet.xlsx")).all_right
    sheet.extra["AH5"] = "=$C$1*X6"  # dE_dw1 of another row
    wrong = [finding for finding in findings(sheet.save(tmp_path / "sheet.xlsx")) if finding.severity == "error"]
    assert only(wrong).cells == sheet.place("w1", 3)


def test_a_name_for_a_range_is_no_reason_to_overlook_the_names_after_it(tmp_path):
    sheet, book = ToySheet(NETWORK, rate=0.5), openpyxl.Workbook()
    for weight in WEIGHTS:
        sheet.plant(weight, f"{weight}[-1]-eta*dE_d{weight}[-1]")
    sheet.fill(book.active)
    for name, place in (("area", "$A$1:$B$2"), ("eta", sheet.rate_cell)):
        book.defined_names[name] = openpyxl.workbook.defined_name.DefinedName(name, attr_text=f"Sheet!{place}")
    book.save(tmp_path / "named.xlsx")
    (table,) = audit(tmp_path / "named.xlsx").tables
    assert (table.findings, table.learning_rate) == ((), 0.5)


def test_a_helper_column_with_a_text_leaves_unchecked_what_reads_it(tmp_path):
    sheet = ToySheet(NETWORK)
    sheet.extra |= {"AH2": "help"} | {f"AH{row}": f"=C{row}*E{row}" for row in range(3, 9)} | {"AH6": "oops"}
    sheet.cells |= {("h1", row): f"$AH{row + 3}+i2*w2" for row in range(6)}
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert (found.column, found.cells, found.severity) == ("h1", sheet.place("h1", 3), "not checked")
    assert "reads AH6, which holds text" in found.message


def test_a_workbook_without_a_table_says_what_was_looked_for_and_what_comes_near(tmp_path):
    book = openpyxl.Workbook()
    book.active["B2"] = 3
    book.save(tmp_path / "empty.xlsx")
    with pytest.raises(AuditError, match=r"looked in 1 sheet for a row of headings such as t1 t2 .* of the 31\)$"):
        audit(tmp_path / "empty.xlsx")
    sheet = book.create_sheet("Near")
    for column, head in enumerate(["t1", "t2", "i1", "i2", "w1", "odd one"], start=1):
        sheet.cell(4, column, head)
    book.save(tmp_path / "near.xlsx")
    words = r"looked in 2 sheets .*; the nearest is row 4 of Near, with 5; could not read 'odd one'$"
    with pytest.raises(AuditError, match=words):
        audit(tmp_path / "near.xlsx")


def test_helper_cells_in_a_circle_are_not_checked(tmp_path):
    sheet = ToySheet(NETWORK)
    sheet.extra |= {"AH1": "=AI1+1", "AI1": "=AH1-1"}
    sheet.plant("h1", "w1*i1+w2*i2+$AH$1", [2])
    found = only(findings(sheet.save(tmp_path / "sheet.xlsx")))
    assert found.severity == "not checked" and "circle" in found.message


def test_a_formula_stored_as_text_is_found(tmp_path):
    sheet = ToySheet(NETWORK)
    book = openpyxl.Workbook()
    sheet.fill(book.active)
    book.active["X5"].data_type = "s"
    book.save(tmp_path / "sheet.xlsx")
    found = only(findings(tmp_path / "sheet.xlsx"))
    assert found.cells == "X5" and "text" in found.message


def test_array_formulas_are_written_out_cell_by_cell(tmp_path):
    sheet = ToySheet(NETWORK)
    book = openpyxl.Workbook()
    sheet.fill(book.active)
    for row in range(4, 9):
        book.active[f"I{row}"] = 0
    book.active["I3"] = ArrayFormula("I3:I8", "=C3:C8*E3:E8+D3:D8*F3:F8")
    book.active["W3"] = ArrayFormula("W3", "=SUM(U3:V3)")
    book.save(tmp_path / "sheet.xlsx")
    assert findings(tmp_path / "sheet.xlsx") == []
    book.active["I3"] = ArrayFormula("I3:I8", "=C3:C8*E3:E8+D3:D8*G3:G8")
    book.save(tmp_path / "sheet.xlsx")
    assert only(findings(tmp_path / "sheet.xlsx")).cells == "I3:I8"
    book.active["I3"] = ArrayFormula("I3:I8", "=SUM(C3:C8*E3:E8,D3:D8*F3:F8)")
    book.save(tmp_path / "sheet.xlsx")
    assert only(findings(tmp_path / "sheet.xlsx")).severity == "not checked"


def test_a_what_if_data_table_is_not_checked(tmp_path):
    book = openpyxl.Workbook()
    ToySheet(NETWORK).fill(book.active)
    book.active["W5"] = DataTableFormula("W5:W8", r1="A1", dt2D=False)
    book.save(tmp_path / "sheet.xlsx")
    found = only(findings(tmp_path / "sheet.xlsx"))
    assert (found.cells, found.severity) == ("W5", "not checked") and "what-if data table" in found.message


def test_without_libreoffice_what_only_it_reads_is_known_by_what_is_in_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "sheet.xlsx"
    path.write_text('<?xml version="1.0"?><office:document office:version="1.2"></office:document>')
    with pytest.raises(AuditError, match=r"\.fods is read only where LibreOffice is installed"):
        audit(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(AuditError, match=r"\.ods is read only where LibreOffice is installed"):
        audit(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ods", "fods", "xls"])
def test_what_libreoffice_saves_is_read(tmp_path, computed_by_libreoffice, kind):
    right = write_workbook(tmp_path / "right.xlsx", ToyNetwork(), updates=6)
    book = openpyxl.load_workbook(right)
    book["Descent"]["Y14"] = "=Y13"
    book.save(tmp_path / "wrong.xlsx")
    saved = computed_by_libreoffice(right, tmp_path / "wrong.xlsx", kind=kind)
    assert audit(saved / f"right.{kind}").all_right
    (finding,) = audit(saved / f"wrong.{kind}").tables[0].findings
    assert (finding.column, finding.cells) == ("dE_dw1", "Y14")


@pytest.mark.slow
def test_what_libreoffice_cannot_read_is_refused_in_one_line(tmp_path, computed_by_libreoffice):
    with zipfile.ZipFile(tmp_path / "broken.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<office:document-content")
    with pytest.raises(AuditError, match="LibreOffice cannot read it"):
        audit(tmp_path / "broken.ods")


def test_shared_formulas_are_written_out_cell_by_cell(tmp_path):
    sheet = ToySheet(NETWORK)
    sheet.save(tmp_path / "plain.xlsx")

    def share(xml):
        """Let J4 … J8 share the formula of J3, as Excel stores what is filled down; J6 is of its own."""
        xml = re.sub(r'(<c r="J3"[^>]*>)<f>', r'\1<f t="shared" ref="J3:J8" si="0">', xml)
        return re.sub(r'(<c r="J[4578]"[^>]*>)<f>[^<]*</f>', r'\1<f t="shared" si="0"/>', xml)

    rewrite(tmp_path / "plain.xlsx", tmp_path / "shared.xlsx", share)
    assert findings(tmp_path / "shared.xlsx") == []
    rewrite(tmp_path / "plain.xlsx", tmp_path / "wrong.xlsx", lambda xml: share(xml).replace("EXP(-I3)", "EXP(-K3)"))
    assert only(findings(tmp_path / "wrong.xlsx")).cells == "J3:J5,J7:J8"


def test_headings_without_rows_and_missing_columns_are_said(tmp_path):
    empty = ToySheet(rows=0)
    found = only(findings(empty.save(tmp_path / "empty.xlsx")))
    assert found.severity == "not checked" and "without rows" in found.message
    short = ToySheet(headings=HEADINGS[0] | {"E1": "something", "dE_dw8": None})
    assert findings(short.save(tmp_path / "short.xlsx")) == []  # their formulas tell what they are
    short.plant("E1", None)
    short.plant("dE_dw8", None)
    found = {finding.column: finding for finding in findings(short.save(tmp_path / "short.xlsx"))}
    assert {"E1", "dE_dw8"} <= found.keys()
    assert all(found[name].severity == "not checked" for name in ("E1", "dE_dw8"))


def test_the_report_is_one_json_object(tmp_path):
    sheet = ToySheet(NETWORK)
    sheet.plant("E1", "(t1-a_o1)^2")
    report = json.loads(json.dumps(audit(sheet.save(tmp_path / "sheet.xlsx")).to_dict()))
    (table,) = report["tables"]
    assert {"sheet", "range", "learning_rate", "findings"} <= table.keys()
    assert table["findings"][0].keys() == {"column", "cells", "severity", "expected", "found", "message"}


# --- other people's workbooks ----------------------------------------------------------------------------------------

VERDICTS = {
    "class-template.xlsx": [("Sheet1", 1, {"dE_dw1": "Y33", "dE_dw2": "Z33", "dE_dw3": "AA33", "dE_dw4": "AB33"})],
    "learner-a.xlsx": [("Sheet1", 201, {})],
    "learner-b.xlsx": [("Sheet1", 68, {"dE_dw3": "Z3:Z70", "dE_dw4": "AA3:AA70"})],
    "learner-c.xlsx": [
        ("Sheet1", 68, {"dE_dw3": "Z33:Z100", "dE_dw4": "AA33:AA100"}),
        ("assignment6-calculations", 80, {"w3": "G24:G100", "dE_dw3": "Z21:Z100", "dE_dw4": "AA21:AA100"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_on_other_peoples_workbooks(name):
    if not (SHARED / name).exists():
        pytest.skip(f"CELLGRAD_WORKBOOKS names no folder with {name}, which is no part of this repository")
    report = audit(SHARED / name)
    verdicts = [
        (table.sheet, table.rows, {finding.column: finding.cells for finding in table.findings})
        for table in report.tables
    ]
    assert verdicts == VERDICTS[name]
    messages = {finding.column: finding.message for table in report.tables for finding in table.findings}
    for column, message in messages.items():
        if name == "class-template.xlsx":
            assert "activation" in message and "weights" in message
        elif column == "w3":
            assert "slides" in message and "G24 reads G21, G25 reads G22" in message
        else:
            assert "a_h1 stands where a_h2 belongs" in message
    if name == "class-template.xlsx":
        assert "0.000353547739585417 instead of 0.00031699339591029" in messages["dE_dw1"]


@pytest.mark.parametrize("name", VERDICTS)
def test_the_cells_are_those_that_openpyxl_reads(name):
    if not (SHARED / name).exists():
        pytest.skip(f"CELLGRAD_WORKBOOKS names no folder with {name}, which is no part of this repository")
    book = openpyxl.load_workbook(SHARED / name)
    for sheet in read_book(SHARED / name).sheets:
        for row in book[sheet.title].iter_rows():
            for cell in row:
                value = sheet.value(cell.row, cell.column)
                assert value == (f"'{cell.value}" if cell.data_type == "s" else cell.value)


# --- hostile files ---------------------------------------------------------------------------------------------------


def rewrite(source, target, change, part="xl/worksheets/sheet1.xml"):
    """A copy of a workbook with one of its parts changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()) if name == part else content)
    return target


def hostile(kind, path):
    """Write a file of the given kind of malice and return its path."""
    plain = ToySheet(rows=2).save(path.with_name("plain.xlsx"))
    if kind == "text":
        path.write_text("t1,t2,i1,i2")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    elif kind == "encrypted":
        path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5000)
    elif kind == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no workbook")
    elif kind == "cut short":
        path.write_bytes(plain.read_bytes()[:-500])
    elif kind == "damaged":
        content = bytearray(plain.read_bytes())
        start = content.index(b"xl/worksheets/sheet1.xml") + 40
        content[start : start + 200] = bytes(200)
        path.write_bytes(content)
    elif kind == "no table":
        openpyxl.Workbook().save(path)
    elif kind == "zip bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
                for _ in range(300):
                    part.write(bytes(2**20))
    elif kind == "zip bomb that lies about its size":
        rewrite(plain, path, lambda xml: xml + " " * 50_000_000)
        content = bytearray(path.read_bytes())
        at = content.rindex(b"xl/worksheets/sheet1.xml") - 46  # its entry in the central directory
        content[at + 24 : at + 28] = struct.pack("<I", 100)
        path.write_bytes(content)
    elif kind == "10 million rows":
        rewrite(plain, path, lambda xml: xml.replace("</sheetData>", '<row r="10000000"/></sheetData>'))
    elif kind == "too many cells":
        row = "<row>" + "<c><v>1</v></c>" * 16_000 + "</row>"
        rewrite(plain, path, lambda xml: xml.replace("</sheetData>", row * 64 + "</sheetData>"))
    elif kind == "one endless row":
        rewrite(plain, path, lambda xml: xml.replace("</sheetData>", f"<row>{'<c/>' * 20_000}</row></sheetData>"))
    elif kind == "billion laughs":
        entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        doctype = f'<!DOCTYPE worksheet [<!ENTITY a0 "ha">{entities}]>'
        rewrite(
            plain, path, lambda xml: xml.replace("<worksheet", doctype + "<worksheet", 1).replace("<v>", "<v>&a11;")
        )
    elif kind == "entities in UTF-16":
        doctype = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE sst [<!ENTITY a "b">]><sst>&a;</sst>'
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, doctype.encode("utf-16") if name == "xl/workbook.xml" else old.read(name))
    elif kind == "deep elements":
        rewrite(plain, path, lambda xml: xml.replace("</sheetData>", "</sheetData>" + "<x>" * 5000 + "</x>" * 5000))
    return path


REFUSED = {
    "missing": "no such file",
    "folder": "not a file",
    "empty": "not an .xlsx workbook",
    "text": "not an .xlsx workbook",
    "encrypted": "password",
    "another zip": "not an .xlsx workbook",
    "cut short": "not an .xlsx workbook",
    "damaged": "",
    "no table": "no table of the toy network",
    "zip bomb": "unpacks to",
    "zip bomb that lies about its size": "",
    "10 million rows": "Excel ends at 1,048,576",
    "too many cells": "more than 1,000,000 cells",
    "one endless row": "in one row",
    "billion laughs": "document type",
    "entities in UTF-16": "document type",
    "deep elements": "deeply nested",
}


@pytest.mark.parametrize("kind", daily(REFUSED, REFUSED.keys() - {"too many cells"}))
def test_hostile_files_are_refused_in_one_line(tmp_path, kind):
    path = hostile(kind, tmp_path / "hostile.xlsx")
    with pytest.raises(AuditError) as refusal:
        audit(path)
    message = str(refusal.value)
    assert message.startswith(str(path)) and "\n" not in message and REFUSED[kind] in message


@pytest.mark.parametrize("size", ["A1:XFD1048576", "A1:B2", "A1:ZZZ99999999"])
def test_a_sheet_that_lies_about_its_size_is_read_all_the_same(tmp_path, size):
    plain = ToySheet(NETWORK).save(tmp_path / "plain.xlsx")
    claim = f'dimension ref="{size}"'
    lying = rewrite(plain, tmp_path / "lying.xlsx", lambda xml: re.sub(r'dimension ref="[^"]*"', claim, xml))
    assert findings(lying) == []


def test_a_long_shared_formula_is_not_checked_and_its_copies_take_no_room(tmp_path):
    plain = ToySheet(NETWORK).save(tmp_path / "plain.xlsx")
    long = f'<f t="shared" ref="J3:J9" si="0">{"A1+" * 20_000}1</f>'
    wrong = rewrite(
        plain, tmp_path / "long.xlsx", lambda xml: re.sub(r'(<c r="J3"[^>]*>)<f>[^<]*</f>', rf"\1{long}", xml)
    )
    assert only(findings(wrong)).severity == "not checked"
    first = f'<row r="50"><c r="A50"><f t="shared" ref="A50:A60" si="7">{"B1+" * 2500}1</f></c></row>'
    copies = "".join(f'<row r="{n}"><c r="A{n}"><f t="shared" si="7"/></c></row>' for n in range(51, 9000))
    many = rewrite(
        plain, tmp_path / "many.xlsx", lambda xml: xml.replace("</sheetData>", f"{first}{copies}</sheetData>")
    )
    assert findings(many) == []


@pytest.mark.parametrize("text", ["$B$4-B4-C$2", "Other!B2+'B9'!C3&\"D4\"", "LOG10(B7)+AA10*B7", "B1+B2+B1"])
@pytest.mark.parametrize("place", [(9, 9), (3, 4), (1, 1)])
def test_a_pattern_mentions_what_stands_in_its_cell(text, place):
    """Of formulas that are filled down, or up beyond the first row and column."""
    pattern = Pattern(text, 9, 9)
    found, right = [*pattern.mentioned(*place)], mentioned(pattern.text(*place))
    assert {*found} == {(cell.row, cell.column) for cell in right}
    assert {column: row for row, column in found} == {cell.column: cell.row for cell in right}, "the last one counts"


def test_macros_are_neither_run_nor_in_the_way(tmp_path):
    plain = ToySheet(NETWORK).save(tmp_path / "plain.xlsx")
    macros = rewrite(
        plain,
        tmp_path / "macros.xlsm",
        lambda xml: xml.replace(
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
            "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        ),
        part="[Content_Types].xml",
    )
    with zipfile.ZipFile(macros, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    assert audit(macros).all_right
