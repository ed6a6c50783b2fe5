"""A wrong cell outside the table is named itself, and not through the columns that read it."""

import re

import openpyxl
import pytest
from toy_sheets import COLUMNS, CONSTANTS, WEIGHTS, ToySheet

from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import ToyNetwork

NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))
PLACES = {name: f"B{row}" for row, name in enumerate([*CONSTANTS, *WEIGHTS, "rate"], start=41)}
DELTAS = {"E": "(a_o1-t1)*a_o1*(1-a_o1)", "F": "(a_o2-t2)*a_o2*(1-a_o2)"}
SLOPES = {
    **{f"dE_dw{k}": f"(E*w{5 + (k > 2)}+F*w{7 + (k > 2)})*HERE*(1-HERE)*i{2 - k % 2}" for k in (1, 2, 3, 4)},
    **{f"dE_dw{k}": f"{'E' if k < 7 else 'F'}*a_h{2 - k % 2}" for k in (5, 6, 7, 8)},
}


def linked(home, **instead):
    """A right sheet that takes its numbers and deltas from cells of the sheet `home`; `instead` are others there."""
    sheet, book = ToySheet(NETWORK), openpyxl.Workbook()
    elsewhere = book.active if home == "Sheet" else book.create_sheet(home)
    prefix = "" if home == "Sheet" else f"{home}!" if home.isalpha() else f"'{home}'!"
    for name, row in sheet.cells:
        if name in SLOPES:
            hidden = "a_h2" if name in ("dE_dw3", "dE_dw4") else "a_h1"
            formula = re.sub(r"\b[EF]\b", lambda m, at=43 + row: f"Q{m[0]}{at}", SLOPES[name])
            sheet.cells[name, row] = formula.replace("HERE", hidden)
    sheet.fill(book.active)
    for line in book.active.iter_rows(min_row=3, max_row=8):
        for cell in line:
            if isinstance(cell.value, str):
                cell.value = re.sub(r"Q([EF])(?=4)", rf"{prefix}\1", cell.value.replace("$C$1", f"{prefix}$B$53"))
    for name, value in [*zip([*CONSTANTS, *WEIGHTS], NETWORK.parameters, strict=False), ("rate", 0.5)]:
        elsewhere[PLACES[name]] = value
        for row in range(6 if name in CONSTANTS else 1 if name in WEIGHTS else 0):
            book.active[sheet.place(name, row)] = f"={prefix}$B${PLACES[name][1:]}"
    for row in range(6):
        for column, formula in DELTAS.items():
            typed = sheet.typed(formula, row)
            elsewhere[f"{column}{43 + row}"] = typed if not prefix else re.sub(r"\b[A-Z]+\d+", r"Sheet!\g<0>", typed)
    for cell, value in instead.items():
        elsewhere[cell] = value
    return book


HOMES = ["Sheet", "Inputs", "My numbers"]


def audited(book, path):
    book.save(path)
    report = audit(path)
    return report, report.tables[0].findings


@pytest.mark.parametrize("home", HOMES)
def test_a_sheet_that_reads_cells_elsewhere_is_right(tmp_path, home):
    report, found = audited(linked(home), tmp_path / "sheet.xlsx")
    assert report.all_right and not found


FAULTS = [  # the cell that is wrong, what it holds, what is said, and which columns it spoils
    ("rate", None, "is empty", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", "fast", "'fast'", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", 0, "is 0", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", -0.5, "uphill", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", "=1/0", "divides by zero", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", "=VLOOKUP(1,A1:B2,2)", "VLOOKUP", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", "=B53", "in a circle", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("rate", "#DIV/0!", "#DIV/0!", "w1, w2, w3, w4, w5, w6, w7, w8"),
    ("w1", "x", "the text 'x'", "w1"),
    ("w8", None, "nothing", "w8"),
    ("w5", "=1/0", "divides by zero", "w5"),
    ("t1", "x", "the text 'x'", "t1"),
    ("i2", None, "nothing", "i2"),
    ("i1", "=#REF!", "#REF!", "i1"),
]


@pytest.mark.parametrize("home", HOMES[1:])
@pytest.mark.parametrize(("name", "value", "says", "spoils"), FAULTS)
def test_a_cell_without_a_number_is_named_itself(tmp_path, home, name, value, says, spoils):
    report, (found,) = audited(linked(home, **{PLACES[name]: value}), tmp_path / "sheet.xlsx")
    assert not report.all_right
    assert found.column == found.cells == (f"{home}!" if home == "Inputs" else f"'{home}'!") + PLACES[name]
    assert says in found.message and found.message.endswith(f"it spoils {spoils}")


def filled(formula, cells=range(43, 49)):
    return {f"E{row}": formula.format(row, row - 40) for row in cells}


OUTPUT, TARGET = "Sheet!R{1}", "Sheet!A{1}"
WRONG = [  # what stands in E43:E48, where the deltas of the first output belong; where it is wrong; what is said
    (filled(f"=({TARGET}-{OUTPUT})*{OUTPUT}*(1-{OUTPUT})"), "E43:E48", "sign"),
    (filled(f"=({OUTPUT}-{TARGET})*{OUTPUT}*(1+{OUTPUT})"), "E43:E48", "wrong sign"),
    (filled(f"=({OUTPUT}-Sheet!B{{1}})*{OUTPUT}*(1-{OUTPUT})"), "E43:E48", "t2 stands where t1 belongs"),
    (filled(f"=({OUTPUT}-{TARGET})*{OUTPUT}", [45]), "E45", "missing"),
    (filled("0.25", [46]), "E46", "typed number"),
]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("cells", "where", "says"), WRONG)
def test_a_wrong_helper_elsewhere_is_named_and_what_is_suggested_mends_it(tmp_path, home, cells, where, says):
    typed = {cell: float(text) if text[0] != "=" else text for cell, text in cells.items()}
    book = linked(home, **typed)
    _, (found,) = audited(book, tmp_path / "sheet.xlsx")
    prefix = {"Sheet": "", "Inputs": "Inputs!", "My numbers": "'My numbers'!"}[home]
    assert found.column == found.cells == prefix + where and says in found.message
    formula, start = found.expected.split(", which is ")[0], where.partition(":")[0]
    for cell in cells:
        moved = openpyxl.formula.translate.Translator(formula, start).translate_formula(cell)
        book[home][cell] = moved
    assert audited(book, tmp_path / "sheet.xlsx")[0].all_right


@pytest.mark.parametrize("home", HOMES)
def test_a_cell_elsewhere_that_other_columns_use_rightly_is_not_to_blame(tmp_path, home):
    book = linked(home)
    for row in range(3, 9):
        for column in ("AB", "AC"):
            book.active[f"{column}{row}"] = f"2*{book.active[f'{column}{row}'].value[1:]}".join(["=", ""])
    _, found = audited(book, tmp_path / "sheet.xlsx")
    assert [one.column for one in found] == ["dE_dw5", "dE_dw6"]


# What the cells are called


NAMES = {f"A{PLACES[name][1:]}": name for name in (*CONSTANTS, *WEIGHTS)}


def said_of(found):
    assert {one.severity for one in found} <= {"warning"}
    return {one.cells: one.message for one in found}


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("one", "other"), [("t1", "t2"), ("i1", "i2"), ("w3", "w4"), ("w1", "w8")])
def test_cells_that_are_called_like_one_another_are_a_warning(tmp_path, home, one, other):
    cells = [f"A{PLACES[name][1:]}" for name in (one, other)]
    report, found = audited(linked(home, **NAMES), tmp_path / "sheet.xlsx")
    assert report.all_right and not found
    swapped = NAMES | {cells[0]: f"{other.upper()} =", cells[1]: f"{one} (first)"}
    report, found = audited(linked(home, **swapped), tmp_path / "sheet.xlsx")
    prefix = {"Sheet": "", "Inputs": "Inputs!", "My numbers": "'My numbers'!"}[home]
    assert report.all_right and said_of(found) == {
        f"{prefix}{PLACES[one]}": f"{prefix}{cells[0]} calls it {other}, but it is read as {one}",
        f"{prefix}{PLACES[other]}": f"{prefix}{cells[1]} calls it {one}, but it is read as {other}",
    }


@pytest.mark.parametrize(
    "names",
    [
        {place: f"{name[0]}{int(name[1]) - 1}" for place, name in NAMES.items()},  # counted from 0
        {f"A{int(place[1:]) + 1}": name for place, name in NAMES.items()},  # below their numbers
        {place: "t1" for place in NAMES},
        {place: f"{name} or w1" for place, name in NAMES.items()},
    ],
)
def test_what_cells_are_called_that_may_be_meant_otherwise_is_none(tmp_path, names):
    report, found = audited(linked("Inputs", **names), tmp_path / "sheet.xlsx")
    assert report.all_right and not found


def without_constants(instead):
    """A sheet that takes targets and inputs from cells beside their names; in some columns, `instead` is read."""
    sheet = ToySheet(NETWORK, headings=dict(zip(COLUMNS, COLUMNS, strict=True)) | dict.fromkeys(CONSTANTS))
    for (name, row), value in sheet.cells.items():
        if isinstance(value, str):
            read = {one: PLACES[instead.get(name, {}).get(one, one)] for one in CONSTANTS}
            typed = re.sub(r"\b[ti][12]\b", lambda match, read=read: f"$B${read[match[0]][1:]}", value)
            sheet.cells[name, row] = typed
    for place, name in NAMES.items():
        if name in CONSTANTS:
            sheet.plant(name, None, range(sheet.rows))
            sheet.extra |= {place: name, PLACES[name]: NETWORK.parameters[CONSTANTS.index(name)]}
    return sheet


CROSSED = {"t1": "t2", "t2": "t1", "i1": "i2", "i2": "i1"}


def test_a_table_that_reads_all_its_cells_crossed_is_warned(tmp_path):
    sheet = without_constants({})
    assert not audit(sheet.save(tmp_path / "sheet.xlsx")).tables[0].findings
    (table,) = audit(without_constants(dict.fromkeys(COLUMNS, CROSSED)).save(tmp_path / "sheet.xlsx")).tables
    assert table.all_right and said_of(table.findings) == {
        PLACES[name]: f"{place} calls it {name}, but it is read as {CROSSED[name]}"
        for place, name in NAMES.items()
        if name in CONSTANTS
    }


def test_where_as_many_formulas_say_one_thing_as_the_other_the_names_decide(tmp_path):
    """Two hidden units read the inputs crossed; two derivatives of each input, which are right, read them as named."""
    sheet = without_constants(dict.fromkeys(["h1", "h2"], CROSSED))
    (table,) = audit(sheet.save(tmp_path / "sheet.xlsx")).tables
    assert [one.column for one in table.findings] == ["h1", "h2"]
    assert all("i1 and i2 have changed places" in one.message for one in table.findings)


SLIDING = [  # formulas of the rows, which count from 0; where these are wrong; what is said
    (
        {"E1": "(B{0}-a_o1)^2/2"},
        "U4:U8",
        "B41 is not fixed and slides: filled down or across, U4 reads B42, U5 reads B43, …",
    ),
    (
        {"h1": "w1*B{2}+w2*B{3}"},
        "I4:I8",
        "B43 and B44 are not fixed and slide: filled down or across, I4 reads B44 and B45",
    ),
    (
        {"h1": "w1*$B{2}+w2*$B$44"},
        "I4:I8",
        "$B43 is not fixed and slides: filled down or across, I4 reads $B44, I5 reads $B45",
    ),
    ({"E1": "(B{0}-a_o1)^2/2", "dE_dw5": "(a_o1-B{0})*a_o1*(1-a_o1)*a_h1"}, "U4:U8,AB4:AB8", "write $B$41"),
]


@pytest.mark.parametrize(("formulas", "where", "says"), SLIDING)
@pytest.mark.parametrize("below", [None, "a text", 0.3])
def test_a_constant_that_slides_is_one_mistake_in_all_rows(tmp_path, formulas, where, says, below):
    sheet = without_constants({})
    for name, formula in formulas.items():
        for row in range(sheet.rows):
            sheet.plant(name, formula.format(*range(41 + row, 45 + row)), [row])
    sheet.extra["B46"] = below
    (table,) = audit(sheet.save(tmp_path / "sheet.xlsx")).tables
    (found,) = table.findings
    assert (found.column, found.cells, found.severity) == (
        ", ".join(formulas),
        where,
        "error",
    ) and says in found.message
    assert "$B$4" in found.expected and "write $B$4" in found.message


def test_a_constant_that_slides_on_a_sheet_on_its_side_is_called_what_it_is_there(tmp_path):
    sheet = without_constants({})
    for row in range(sheet.rows):
        sheet.plant("E1", f"(B{41 + row}-a_o1)^2/2", [row])
    _, (found,) = audited(sheet.on_its_side(), tmp_path / "sheet.xlsx")
    assert found.cells == "D21:H21" and "AO2 is not fixed" in found.message and "D21 reads AP2" in found.message


def test_a_formula_that_is_wrong_in_its_first_row_too_does_not_slide(tmp_path):
    sheet = without_constants({})
    for row in range(sheet.rows):
        sheet.plant("E1", f"(B{41 + row}-a_o1)^2", [row])
    found = audit(sheet.save(tmp_path / "sheet.xlsx")).tables[0].findings
    assert found[0].cells.startswith("U3") and not any("slide" in one.message for one in found)


UNREAD = [  # what stands where; the cell that is called the learning rate, and what calls it so
    ({"A1": "learning rate", "B1": 0.25}, "B1", "A1"),
    ({"A41": "Learning rate η:", "A42": 0.25}, "A42", "A41"),
    ({"B45": "lr =", "C45": 0.25, "D45": "per step"}, "C45", "B45"),
]
MEANT = [  # what else a sheet of typed rates may hold
    {"A1": "learning rate", "B1": 0.5},
    {"A1": "learning rate", "B1": "=0.25*2"},
    {"A41": "learning rate", "A42": 0.1, "A43": 0.2, "A44": 0.5},
    {"A41": "learning rate", "B41": 0.1, "C41": 0.2},
    {"A41": "η of the other run", "B41": 0.25},
    {"A41": "η", "B41": 0.25, "D41": "=$B$41*2"},
]


@pytest.mark.parametrize(("cells", "place", "label"), UNREAD)
def test_a_rate_that_is_called_so_and_not_read_is_a_warning(tmp_path, cells, place, label):
    sheet = ToySheet(NETWORK)
    for weight in WEIGHTS:
        sheet.plant(weight, f"{weight}[-1]-0.5*dE_d{weight}[-1]")
    sheet.extra = cells
    (table,) = audit(sheet.save(tmp_path / "sheet.xlsx")).tables
    said = f"{label} calls it the learning rate, but the updates have 0.5"
    assert table.all_right and said_of(table.findings) == {place: said}


@pytest.mark.parametrize("cells", MEANT)
def test_another_number_that_may_be_meant_so_is_none(tmp_path, cells):
    sheet = ToySheet(NETWORK)
    for weight in WEIGHTS:
        sheet.plant(weight, f"{weight}[-1]-0.5*dE_d{weight}[-1]")
    sheet.extra |= cells
    assert not audit(sheet.save(tmp_path / "sheet.xlsx")).tables[0].findings


def test_the_rate_of_another_table_is_none_of_this_one(tmp_path):
    typed, other, book = ToySheet(NETWORK), ToySheet(NETWORK, top=20, rate=0.25), openpyxl.Workbook()
    for weight in WEIGHTS:
        typed.plant(weight, f"{weight}[-1]-0.5*dE_d{weight}[-1]")
    other.extra["B19"] = "learning rate"
    typed.fill(book.active)
    other.fill(book.active)
    report, found = audited(book, tmp_path / "sheet.xlsx")
    assert not found and [table.learning_rate for table in report.tables] == [0.5, 0.25] and report.all_right


def with_rates(rates, offset=0):
    """A sheet with the learning rate in a column of its own, AG."""
    sheet = ToySheet(NETWORK)
    sheet.extra |= {"AG2": "lr"} | {f"AG{row}": rate for row, rate in enumerate(rates, start=3)}
    for weight in WEIGHTS:
        for row in range(1, 6):
            sheet.cells[weight, row] = f"{weight}[-1]-AG{3 + row + offset}*dE_d{weight}[-1]"
    return sheet


@pytest.mark.parametrize("offset", [0, -1])
@pytest.mark.parametrize("wrong", ["=Z7", "=Z6*2", 0.7])
def test_a_wrong_rate_in_the_last_row_of_its_column_is_named_in_its_cell(tmp_path, wrong, offset):
    rates = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    rates[5 + offset] = wrong
    path = with_rates(rates, offset).save(tmp_path / "sheet.xlsx")
    (found,) = audit(path).tables[0].findings
    assert (found.column, found.cells, found.severity, found.expected) == (f"AG{8 + offset}",) * 2 + ("error", "0.5")
    assert found.found == str(wrong) and found.message.endswith(f"it spoils {', '.join(WEIGHTS)}")


def two_layers(cell, formula):
    """The hidden layer on a sheet of its own, sums in its column A and activations in B, one of them wrong."""
    sheet, book = ToySheet(NETWORK), openpyxl.Workbook()
    sheet.fill(book.active)
    hidden = book.create_sheet("Hidden")
    for row in range(3, 9):
        hidden[f"A{row}"] = f"=Sheet!E{row}*Sheet!C{row}+Sheet!F{row}*Sheet!D{row}"
        hidden[f"B{row}"] = f"=1/(1+EXP(-A{row}))"
        hidden[f"{cell}{row}"] = formula.format(row)
        book.active[f"I{row}"], book.active[f"J{row}"] = f"=Hidden!A{row}", f"=Hidden!B{row}"
    return book


@pytest.mark.parametrize(
    ("cell", "formula", "spoils"),
    [
        ("A", "=Sheet!E{0}*Sheet!C{0}+Sheet!F{0}*Sheet!C{0}", "h1, a_h1"),
        ("A", "=Sheet!E{0}*Sheet!C{0}", "h1, a_h1"),
        ("B", "=1/(1+EXP(A{0}))", "a_h1"),
        ("B", "=TANH(A{0})", "a_h1"),
    ],
)
def test_a_column_that_copies_a_wrong_cell_is_not_to_blame(tmp_path, cell, formula, spoils):
    book = two_layers(cell, formula)
    _, (found,) = audited(book, tmp_path / "sheet.xlsx")
    assert found.cells == f"Hidden!{cell}3:{cell}8" and found.message.endswith(f"it spoils {spoils}")
    for row in range(3, 9):
        book["Hidden"][f"{cell}{row}"] = found.expected.split(", which is ")[0].replace("3", str(row))
    assert audited(book, tmp_path / "sheet.xlsx")[0].all_right


def test_a_column_that_copies_a_wrong_helper_column_is_not_to_blame(tmp_path):
    sheet = ToySheet(NETWORK)
    for row in range(6):
        sheet.extra[f"AG{row + 3}"] = f"=1/(1+EXP(Q{row + 3}))"
        sheet.cells["a_o1", row] = f"AG{row + 3}"
    (found,) = audit(sheet.save(tmp_path / "sheet.xlsx")).tables[0].findings
    assert (found.column, found.cells) == ("AG", "AG3:AG8")


@pytest.mark.parametrize("held", [0.5, None, "fast", -0.5])
def test_on_a_sheet_on_its_side_the_rates_cell_is_called_what_it_is_in_the_file(tmp_path, held):
    sheet = ToySheet(NETWORK)
    sheet.extra["C1"] = held
    sheet.plant("w3", 0.4, [2])
    _, found = audited(sheet.on_its_side(), tmp_path / "sheet.xlsx")
    typed = next(one for one in found if one.column == "w3")
    assert typed.cells == "E7" and (held is not None or "C1" not in str(found))
    assert typed.expected.startswith("=D7-$A$3*D26") or held == -0.5
    assert held == 0.5 or "A3" in [one.cells for one in found]
