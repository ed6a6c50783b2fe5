"""Sheets that were judged wrongly: one that computes nothing was passed, one that is right was blamed."""

from collections import Counter

import openpyxl
import pytest
from toy_sheets import WEIGHTS, ToySheet, right_formulas

from cellgrad.spreadsheet.audit import audit, computed, reading
from cellgrad.spreadsheet.audit.mistakes import POINTS
from cellgrad.spreadsheet.audit.page import write_page
from cellgrad.spreadsheet.workbook import write_workbook
from cellgrad.toynet import ToyNetwork


@pytest.mark.parametrize("rate", ["fast", "1,0", None])
def test_a_learning_rate_that_is_no_number_is_wrong(tmp_path, rate):
    """A spreadsheet program shows #VALUE! below it for a word; an empty cell counts as 0, and nothing is learned."""
    path = write_workbook(tmp_path / "ours.xlsx", ToyNetwork(), updates=5)
    assert audit(path).all_right
    book = openpyxl.load_workbook(path)
    assert book["Descent"]["C3"].value == 1.0
    book["Descent"]["C3"] = rate
    book.save(path)
    assert not audit(path).all_right


@pytest.mark.parametrize("target", [0.5, 0.01])
@pytest.mark.parametrize(("column", "output"), [("E1", "a_o1"), ("E2", "a_o2")])
def test_a_typed_target_is_a_warning_whatever_its_value(tmp_path, target, column, output):
    """Also where it is ½, as in the class's sheet, which the loss has in front of it, too."""
    sheet = ToySheet(ToyNetwork(targets=(target, target)))
    cells = sheet.plant(column, f"0.5*({target}-{output})^2")
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    ((found,),) = [table.findings for table in report.tables]
    assert (found.column, found.cells, found.severity) == (column, cells, "warning")
    assert report.all_right


def with_deltas(**instead):
    """A right sheet whose slopes read two helper columns, AG and AH; `instead` are other formulas for some slopes."""
    sheet = ToySheet(ToyNetwork())
    slopes = {
        **{f"dE_dw{k}": f"(AG*w{5 + (k > 2)}+AH*w{7 + (k > 2)})*" for k in (1, 2, 3, 4)},
        **{"dE_dw5": "AG*a_h1", "dE_dw6": "AG*a_h2", "dE_dw7": "AH*a_h1", "dE_dw8": "AH*a_h2"},
    }
    for k in (1, 2, 3, 4):
        hidden, given = f"a_h{1 + (k > 2)}", f"i{2 - k % 2}"
        slopes[f"dE_dw{k}"] += f"{hidden}*(1-{hidden})*{given}"
    sheet.extra |= {"AG2": "delta o1", "AH2": "delta o2"}
    for row in range(sheet.rows):
        at = row + 3
        sheet.extra |= {f"AG{at}": f"=(R{at}-A{at})*R{at}*(1-R{at})", f"AH{at}": f"=(T{at}-B{at})*T{at}*(1-T{at})"}
        for name, formula in (slopes | instead).items():
            sheet.cells[name, row] = formula.replace("AG", f"AG{at}").replace("AH", f"AH{at}")
    return sheet


def findings(sheet, folder):
    ((*found,),) = [table.findings for table in audit(sheet.save(folder / "sheet.xlsx")).tables]
    return found


def test_helper_columns_that_are_right(tmp_path):
    assert not findings(with_deltas(), tmp_path)


WRONG_SLOPES = {
    "the wrong unit": {
        "dE_dw3": "(AG*w6+AH*w8)*a_h1*(1-a_h1)*i1",
        "dE_dw4": "(AG*w6+AH*w8)*a_h1*(1-a_h1)*i2",
    },
    "one path": {"dE_dw1": "AG*w5*a_h1*(1-a_h1)*i1", "dE_dw2": "AG*w5*a_h1*(1-a_h1)*i2"},
    "crossed": {"dE_dw1": "(AG*w6+AH*w7)*a_h1*(1-a_h1)*i1", "dE_dw2": "(AG*w6+AH*w7)*a_h1*(1-a_h1)*i2"},
    "doubled": {"dE_dw5": "2*AG*a_h1", "dE_dw6": "2*AG*a_h2"},
}


@pytest.mark.parametrize("wrong", WRONG_SLOPES)
def test_a_helper_that_other_columns_use_rightly_is_not_to_blame(wrong, tmp_path):
    found = findings(with_deltas(**WRONG_SLOPES[wrong]), tmp_path)
    assert {one.column for one in found} == {*WRONG_SLOPES[wrong]}
    assert all("AG" not in one.message and one.expected for one in found)


def test_a_delta_without_the_slope_of_its_activation_is_called_so(tmp_path):
    sheet = with_deltas()
    sheet.extra |= {f"AG{at}": f"=R{at}-A{at}" for at in range(3, 9)}
    (found,) = findings(sheet, tmp_path)
    assert found.cells == "AG3:AG8" and "the slope of the activation, a_o1*(1 - a_o1), is missing" in found.message


@pytest.mark.parametrize("cell", ["=(R5-B5)*R5*(1-R5)", 0.1])
def test_of_a_helper_only_the_wrong_row_is_to_blame(cell, tmp_path):
    sheet = with_deltas()
    sheet.extra["AG5"] = cell
    (found,) = findings(sheet, tmp_path)
    assert (found.cells, found.severity) == ("AG5", "error")
    assert found.expected.startswith("=(R5-A5)*R5*(1-R5)")


def test_of_a_chain_of_helpers_the_one_that_is_read_is_to_blame(tmp_path):
    """AI is the hidden unit's delta, from those of the outputs; its slope has the wrong unit."""
    sheet = with_deltas(dE_dw1="AI*i1", dE_dw2="AI*i2")
    sheet.extra["AI2"] = "delta h1"
    for row in range(sheet.rows):
        at = row + 3
        sheet.extra[f"AI{at}"] = f"=(AG{at}*M{at}+AH{at}*O{at})*L{at}*(1-L{at})"
        for name in ("dE_dw1", "dE_dw2"):
            sheet.cells[name, row] = sheet.cells[name, row].replace("AI", f"AI{at}")
    (found,) = findings(sheet, tmp_path)
    assert found.cells == "AI3:AI8" and "a_h2 stands where a_h1 belongs" in found.message


@pytest.mark.parametrize(("step", "right"), [("-$C$1*X3", True), ("+$C$1*X3", False), ("-X3", False)])
def test_new_weights_that_no_row_takes_over_are_steps_too(step, right, tmp_path):
    """A sheet of one row, with the new weight beside it: a rate of 1 by itself can be meant, so it is not wrong."""
    sheet = ToySheet(ToyNetwork(), rows=1)
    sheet.extra |= {"AG2": "w1 new", "AG3": f"=E3{step}"}
    wrong = [one for one in findings(sheet, tmp_path) if "uphill" in one.message]
    assert bool(wrong) == (step[0] == "+")
    longer = ToySheet(ToyNetwork())
    longer.extra |= {"AG2": "w1 new"} | {f"AG{row}": f"=E{row}{step.replace('X3', f'X{row}')}" for row in range(3, 9)}
    assert bool(findings(longer, tmp_path)) != right


@pytest.mark.parametrize(("rate", "says"), [(0, "holds 0"), (None, "is empty")])
@pytest.mark.parametrize("rows", [1, 6])
def test_a_step_by_hand_with_no_rate_goes_nowhere_and_not_uphill(rate, says, rows, tmp_path):
    """The cell of the rate is to blame, in the table's own words where its rows read that cell, too."""
    sheet = ToySheet(ToyNetwork(), rows=rows, rate=rate)
    for at in range(3, 3 + rows):
        sheet.extra |= {f"AG{at}": f"=E{at}-$C$1*X{at}", f"AH{at}": f"=F{at}-$C$1*Y{at}"}
    (found,) = findings(sheet, tmp_path)
    assert (found.cells, found.expected, found.found) == ("C1", "a number above 0", "" if rate is None else "0")
    assert "so that nothing changes" in found.message
    assert rows > 1 or (says in found.message and found.message.endswith("it spoils w1, w2"))


NEW = dict(zip(WEIGHTS, ["AG", "AH", "AI", "AJ", "AK", "AL", "AM", "AN"], strict=True))


def with_new_weights(rows=6, **instead):
    """A right sheet whose weights copy new weights from the row above, AG to AN; `instead` are other formulas there."""
    sheet = ToySheet(ToyNetwork(), rows=rows, top=8, rate=0.5)
    for weight, column in NEW.items():
        sheet.extra[f"{column}8"] = f"{weight}_new"
        for row in range(rows):
            formula = instead.get(weight, f"{weight}-RATE*dE_d{weight}")
            formula = formula(row) if callable(formula) else formula
            sheet.extra[f"{column}{9 + row}"] = sheet.typed(formula, row) if isinstance(formula, str) else formula
            if row:
                sheet.cells[weight, row] = f"{column}{8 + row}"
    return sheet


def test_new_weights_in_columns_of_their_own_are_right_and_their_rate_is_known(tmp_path):
    (table,) = audit(with_new_weights().save(tmp_path / "sheet.xlsx")).tables
    assert table.all_right and not table.findings and table.learning_rate_source == "$C$7"


def only_in(row, wrong, right="w3-RATE*dE_dw3"):
    return lambda at: wrong if at == row else right


NEW_WEIGHTS = [  # what stands where w3_new belongs, in which cells it is found, and what is said
    ("w3-RATE*dE_dw4", "AI9:AI14", "the wrong derivative: dE_dw4"),
    ("w3+RATE*dE_dw3", "AI9:AI14", "uphill"),
    ("-RATE*dE_dw3", "AI9:AI14", "w3 is missing"),
    ("w3-0.4*dE_dw3", "AI9:AI14", "the learning rate 0.4 is typed in, the other updates have C7"),
    (only_in(2, "w3-RATE*dE_dw4"), "AI11", "the wrong derivative: dE_dw4"),
    (only_in(4, "w3-RATE*dE_dw4"), "AI13", "the wrong derivative: dE_dw4"),
    (only_in(5, "w3-RATE*dE_dw4"), "AI14", "the wrong derivative: dE_dw4"),
    (only_in(2, 0.25), "AI11", "a number typed over the formula"),
    (lambda row: f"w3-C{7 + row}*dE_dw3" if row else "w3-RATE*dE_dw3", "AI10:AI14", "slides"),
]


@pytest.mark.parametrize(("formula", "cells", "says"), NEW_WEIGHTS)
def test_a_wrong_new_weight_is_named_and_not_the_cell_that_copies_it(formula, cells, says, tmp_path):
    (found,) = findings(with_new_weights(w3=formula), tmp_path)
    assert (found.cells, found.severity) == (cells, "error") and says in found.message
    row = cells.partition(":")[0].removeprefix("AI")
    assert found.expected.split(", which is ")[0] == f"=G{row}-$C$7*Z{row}"


def test_new_weights_that_all_go_uphill_are_one_mistake(tmp_path):
    plus = {weight: f"{weight}+RATE*dE_d{weight}" for weight in NEW}
    (found,) = findings(with_new_weights(**plus), tmp_path)
    assert found.cells == "AG9:AN14" and found.expected.startswith("=E9-$C$7*X9, which is w1-$C$7*dE_dw1")


def test_a_weight_that_copies_the_new_one_of_another_is_itself_to_blame(tmp_path):
    sheet = with_new_weights()
    for row in range(1, 6):
        sheet.cells["w3", row] = f"AJ{8 + row}"
    (found,) = findings(sheet, tmp_path)
    assert (found.column, found.cells) == ("w3", "G10:G14")


def test_new_weights_in_the_backward_pass_are_named(tmp_path):
    sheet, right = with_new_weights(), right_formulas()["dE_dw1"]
    for row in range(6):
        new = {"w5": f"AK{9 + row}", "w7": f"AM{9 + row}"}
        sheet.cells["dE_dw1", row] = right.replace("w5", new["w5"]).replace("w7", new["w7"])
    (found,) = findings(sheet, tmp_path)
    assert (found.column, found.cells) == ("dE_dw1", "X9:X14")
    assert found.message == "takes w5, w7 after the update (AK, AM) and not before it"
    sheet.plant("dE_dw1", "a_h1")
    assert "after the update" not in findings(sheet, tmp_path)[0].message


@pytest.mark.parametrize("held", [None, 0])
def test_behind_new_weights_too_the_cell_of_the_rate_is_named(held, tmp_path):
    sheet = with_new_weights()
    sheet.extra["C7"] = held
    (found,) = findings(sheet, tmp_path)
    assert found.cells == "C7" and found.message.endswith(f"it spoils {', '.join(WEIGHTS)}")


@pytest.mark.parametrize("between", [None, "epoch 2"])
def test_what_goes_on_below_a_gap_is_said_to_be_unread(between, tmp_path):
    path = ToySheet(ToyNetwork(), rows=8).save(tmp_path / "sheet.xlsx")
    book = openpyxl.load_workbook(path)
    for cell in book.active[6]:
        cell.value = None
    book.active["A6"] = between
    book.save(path)
    report = audit(path)
    (table,) = report.tables
    (found,) = table.findings
    assert table.rows == 3 and not report.all_right
    assert (found.cells, found.severity) == ("A7", "not checked")


@pytest.mark.parametrize("function", ["SUM", "AVERAGE", "STDEV.S"])
def test_a_row_that_sums_the_columns_up_is_none_of_the_table(function, tmp_path):
    sheet = ToySheet(ToyNetwork())
    for column in map(openpyxl.utils.get_column_letter, range(1, 32)):
        sheet.extra[f"{column}9"] = f"={function}({column}3:{column}8)"
    assert not findings(sheet, tmp_path)


def test_a_row_of_sums_along_the_row_is_one_of_the_table(tmp_path):
    """Sums of the cells of one row, in most columns, also where each row is typed anew and not filled down."""
    sheet = ToySheet(ToyNetwork())
    for name, row in sheet.cells:
        formula = sheet.cells[name, row]
        if isinstance(formula, str):
            sheet.cells[name, row] = f"SUM({formula},{row}-{row})"
    assert not findings(sheet, tmp_path)
    sheet.plant("E1", "SUM((t1-a_o1)^2,0)", rows=[4])
    (found,) = findings(sheet, tmp_path)
    assert found.cells == "U7"


@pytest.mark.parametrize("formula", ["SUMPRODUCT(E3:F3,$AG$3:$AG$4)", "SUMXMY2(A3:B3,R3)/2"])
def test_ranges_that_do_not_fit_each_other_are_not_right(formula, tmp_path):
    """A spreadsheet program shows #VALUE! and #N/A for them."""
    sheet = ToySheet(ToyNetwork(), rows=1)
    sheet.extra |= {"AG3": 0.05, "AG4": 0.1}
    sheet.cells["h1" if "PRODUCT" in formula else "E1", 0] = formula
    (found,) = findings(sheet, tmp_path)
    assert "ranges of different" in found.message


@pytest.mark.parametrize("number", [0.4, 0.33])
def test_a_rough_number_over_a_formula_is_not_called_right(number, tmp_path):
    sheet = ToySheet(ToyNetwork())
    sheet.plant("w5", number, rows=[2])
    (found,) = findings(sheet, tmp_path)
    assert "not the right one" in found.message


def test_a_formula_is_quoted_with_the_cells_of_its_own_row(tmp_path):
    sheet = with_deltas()
    sheet.cells["dE_dw5", 2] = "AG5*a_h2"
    (found,) = findings(sheet, tmp_path)
    assert found.found == "=AG5*L5, which is AG5*a_h2"


@pytest.mark.parametrize("name", ["other.xlsx", "folder.html", "notes.txt"])
def test_a_report_replaces_nothing_but_a_page(name, tmp_path):
    report = audit(ToySheet(ToyNetwork()).save(tmp_path / "sheet.xlsx"))
    there = tmp_path / name
    there.mkdir() if name == "folder.html" else there.write_text("mine")
    with pytest.raises(ValueError, match="is no page"):
        write_page(report, there)
    assert there.is_dir() or there.read_text() == "mine"
    page = tmp_path / "report.html"
    assert write_page(report, page) == write_page(report, page) == page


def test_a_cell_that_a_dollar_holds_is_named_and_no_distance(tmp_path):
    """Right in the first row, which it was typed for; in each further one the cells are further away."""
    sheet = ToySheet(ToyNetwork())
    sheet.plant("h1", "$E$3*i1+$F$3*i2")
    (found,) = findings(sheet, tmp_path)
    assert found.cells == "I4:I8" and "takes w1, w2 from $E$3, $F$3" in found.message
    assert "above" not in found.message and "away" not in found.message


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("M$3-$C$1*AB{above}", "takes w5 from M$3,"),
        ("$M{above}-$C$1*$AB$3", "takes dE_dw5 from $AB$3,"),
        ("M$3-$C$1*AB$3", "takes dE_dw5, w5 from M$3, AB$3,"),
    ],
)
def test_of_an_update_too_a_cell_that_a_dollar_holds_is_named(formula, says, tmp_path):
    """The second row, for which it was typed, is right."""
    sheet = ToySheet(ToyNetwork())
    for row in range(1, sheet.rows):
        sheet.plant("w5", formula.format(above=2 + row), [row])
    (found,) = findings(sheet, tmp_path)
    assert (found.column, found.cells) == ("w5", "M5:M8") and found.expected.startswith("=M4-$C$1*AB4")
    assert found.message == f"{says} where a $ holds the row, and not from the row above"


def with_distinct_deltas(rows):
    """A sheet in which AG, a wrong delta, has another formula in each row, and two slopes read it."""
    sheet = ToySheet(ToyNetwork(), rows=rows)
    for row in range(rows):
        at = row + 3
        sheet.extra[f"AG{at}"] = f"=(R{at}-A{at})*R{at}*(1-R{at})+{at}"
        sheet.cells["dE_dw5", row], sheet.cells["dE_dw6", row] = f"AG{at}*a_h1", f"AG{at}*a_h2"
    return sheet


def test_the_work_for_helpers_grows_as_their_number_does(monkeypatch, tmp_path):
    """Of hundreds of distinct wrong helpers, each is compared once, and for a bounded number a mistake is searched."""
    counts = Counter()

    def counted(function):
        return lambda *given: counts.update([function.__name__]) or function(*given)

    for name in ("needed_at", "explain", "wanted"):
        monkeypatch.setattr(computed, name, counted(getattr(computed, name)))
    monkeypatch.setattr(computed, "MOST_EXPLAINED", 10)
    for rows in (20, 40):
        counts.clear()
        assert len(findings(with_distinct_deltas(rows), tmp_path)) == rows
        assert counts["needed_at"] == rows * 2 * POINTS and counts["explain"] == 10 and counts["wanted"] == 1


def test_what_reads_too_many_distinct_formulas_is_said_once(monkeypatch, tmp_path):
    monkeypatch.setattr(reading, "MOST_DISTINCT", 10)
    (unread,) = (one for one in findings(with_distinct_deltas(20), tmp_path) if one.severity == "not checked")
    assert unread.cells == "AB13:AC22" and "the column AG" in unread.message
