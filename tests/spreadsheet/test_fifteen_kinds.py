"""The fifteen kinds of odd workbook, each with inputs of our own: what is done to a right sheet, and the verdict."""

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from toy_sheets import COLUMNS, CONSTANTS, HEADINGS, WEIGHTS, ToySheet, right_formulas

from cellgrad.cli import main
from cellgrad.toynet import ToyNetwork

NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))
SLOPES = [name for name in COLUMNS if name.startswith("dE_")]
RIGHT, WRONG, REFUSED = 0, 1, 2
TABLE = NETWORK.descend(0.5, 5)
RULE = right_formulas()
D1, D2 = "(a_o1-t1)*a_o1*(1-a_o1)", "(a_o2-t2)*a_o2*(1-a_o2)"


# What one may do to a sheet: each returns a function that does it


def headed(change):
    """Other headings: a function of the usual one, or a few of them by name."""
    new = change if callable(change) else lambda name: change.get(name, name)
    return lambda sheet: setattr(sheet, "headings", {name: new(name) for name in COLUMNS})


def planted(*columns, **formulas):
    """Formulas or numbers in whole columns, the same in all those given, or each its own."""
    names, text = columns[:-1], columns[-1] if columns else None

    def change(sheet):
        for name in names:
            sheet.plant(name, text.replace("W", name) if isinstance(text, str) else text)
        for name, formula in formulas.items():
            sheet.plant(name, formula)

    return change


def by_row(names, value):
    """Another formula or number in each row of some columns."""

    def change(sheet):
        for name in names:
            for row in range(1 if name in WEIGHTS and isinstance(value(name, 1), str) else 0, sheet.rows):
                sheet.cells[name, row] = value(name, row)

    return change


def first_row(names, formula):
    return lambda sheet: [sheet.plant(name, formula, [0]) for name in names]


def beside(column, value, heading=None):
    """A column of its own, right of the table."""
    return lambda sheet: sheet.extra.update(
        {f"{column}{sheet.top}": heading} | {f"{column}{sheet.top + 1 + row}": value(row) for row in range(sheet.rows)}
    )


def extra(**cells):
    return lambda sheet: sheet.extra.update(cells)


def rate(value):
    return lambda sheet: sheet.extra.update({sheet.rate_cell.replace("$", ""): value})


def instead(names, other, keep_column=False):
    """In every formula, something in the place of some columns, which are emptied, or lose their heading too."""

    def change(sheet):
        for (name, row), value in sheet.cells.items():
            if isinstance(value, str):
                sheet.cells[name, row] = re.sub(rf"\b({'|'.join(names)})\b", lambda m: other(sheet, m[0]), value)
        for name in names:
            sheet.plant(name, None, range(1 if keep_column else 0, sheet.rows))
        if not keep_column:
            headed(dict.fromkeys(names))(sheet)

    return change


def typed_in(sheet, name):
    return repr(NETWORK.parameters[CONSTANTS.index(name)])


def first_cell(form):
    def cell(sheet, name):
        letters, row = re.fullmatch(r"([A-Z]+)(\d+)", sheet.place(name, 0)).groups()
        return form.format(letters, row)

    return cell


def scheduled(value, column="AG"):
    """The learning rate in a column, a row each."""

    def change(sheet):
        beside(column, value, "lr")(sheet)
        for row in range(1, sheet.rows):
            for weight in WEIGHTS:
                sheet.cells[weight, row] = f"{weight}[-1]-{column}{sheet.top + 1 + row}*dE_d{weight}[-1]"

    return change


def numbers(shown):
    """Numbers alone, as something shows them."""
    return by_row(
        COLUMNS, lambda name, row: shown(float(TABLE[name][row])) if name not in CONSTANTS else TABLE[name][row]
    )


def last_row(*names):
    """Nothing but these columns in the last row."""
    kept = {*names, *CONSTANTS}
    return lambda sheet: [sheet.plant(name, None, [sheet.rows - 1]) for name in COLUMNS if name not in kept]


def in_last_row(name, formula):
    return lambda sheet: sheet.plant(name, formula, [sheet.rows - 1])


def biased(*units):
    """A term more in some units: h1="$AG3", say, with its row going on."""

    def change(sheet):
        for unit, term in units:
            for row in range(sheet.rows):
                sheet.cells[unit, row] = f"{RULE[unit]}+{term.format(sheet.top + 1 + row)}"

    return change


def slopes(errors, hidden="a_h{0}*(1-a_h{0})"):
    """The derivatives for other outputs or other hidden units, from the errors that come back to o1 and o2."""
    found = {f"dE_dw{5 + place}": f"{errors[place // 2]}*a_h{1 + place % 2}" for place in range(4)}
    for place in range(4):
        unit, back = 1 + place // 2, f"({errors[0]}*w{5 + place // 2}+{errors[1]}*w{7 + place // 2})"
        found[f"dE_dw{1 + place}"] = f"{back}*{hidden.format(unit)}*i{1 + place % 2}"
    return found


def third_input(sheet):
    """A third input, its two weights, and their derivatives and updates, right of the table."""
    for column, heading in zip(("AG", "AH", "AI", "AJ", "AK"), ("i3", "w9", "w10", "dE_dw9", "dE_dw10"), strict=True):
        sheet.extra[f"{column}2"] = heading
    for row in range(sheet.rows):
        here, above = sheet.top + 1 + row, sheet.top + row
        sheet.cells["h1", row] = f"w1*i1+w2*i2+AH{here}*AG{here}"
        sheet.cells["h2", row] = f"w3*i1+w4*i2+AI{here}*AG{here}"
        sheet.extra[f"AG{here}"] = 0.2
        for weight, slope, like, start in (("AH", "AJ", "dE_dw1", 0.33), ("AI", "AK", "dE_dw3", 0.44)):
            sheet.extra[f"{slope}{here}"] = f"={sheet.place(like, row)}/{sheet.place('i1', row)}*AG{here}"
            step = f"={weight}{above}-{sheet.rate_cell}*{slope}{above}"
            sheet.extra[f"{weight}{here}"] = step if row else start


def trained_bias(sheet):
    """A bias in the outputs, a column each, which go down their own derivatives."""
    biased(("o1", "$AH{0}"), ("o2", "$AI{0}"))(sheet)
    for column, unit in (("AH", "1"), ("AI", "2")):
        for row in range(sheet.rows):
            output, target = sheet.place(f"a_o{unit}", row - 1), sheet.place(f"t{unit}", row - 1)
            step = f"={column}{sheet.top + row}-{sheet.rate_cell}*({output}-{target})*{output}*(1-{output})"
            sheet.extra[f"{column}{sheet.top + 1 + row}"] = step if row else 0.2


def general(value):
    """A number as a narrow cell of the format General shows it."""
    return float(next(text for digits in range(10, 0, -1) if len(text := f"{value:.{digits}g}") <= 9))


ADD = {"h1": "AG", "h2": "AG", "o1": "AH", "o2": "AH"}
CROSS = {"E1": "-(t1*LN(a_o1)+(1-t1)*LN(1-a_o1))", "E2": "-(t2*LN(a_o2)+(1-t2)*LN(1-a_o2))"}
SHEETS = [  # kind, what is done to a right sheet, verdict, what the answer must say
    # 2: numbers that drift in their last digits
    ("2 i1 drifts", [by_row(["i1"], lambda _, row: 0.05 + row * 7e-18)], RIGHT, ""),
    ("2 t1 drifts down", [by_row(["t1"], lambda _, row: 0.01 - row * 2e-18)], RIGHT, ""),
    ("2 both inputs", [by_row(["i1", "i2"], lambda name, row: float(name[1]) / 20 + row * 1e-16)], RIGHT, ""),
    ("2 the rate drifts", [scheduled(lambda row: 0.5 + row * 1e-16)], RIGHT, ""),
    ("2 by a formula", [by_row(["t2"], lambda _, row: "t2[-1]+0" if row else 0.99)], RIGHT, ""),
    ("2 more than drift", [by_row(["i1"], lambda _, row: 0.05 + row * 1e-7)], WRONG, "changes on the way"),
    # 3: headings
    ("3 German", [headed(lambda n: re.sub("^t", "Ziel ", re.sub("^i", "Eingang ", n)))], RIGHT, ""),
    ("3 Chinese", [headed(lambda n: "权重" + n[1:] if n in WEIGHTS else n)], RIGHT, ""),
    ("3 a line below", [headed(lambda n: f"{n}\n(its meaning)")], RIGHT, ""),
    ("3 in brackets", [headed(lambda n: f"{n} (unit)")], RIGHT, ""),
    ("3 a definition", [headed(lambda n: f"{n} = h1 * w5 + …")], RIGHT, ""),
    ("3 a lost character", [headed(lambda n: n.replace("dE_d", "\ufffdE/\ufffd"))], RIGHT, ""),
    ("3 subscripts", [headed(lambda n: n.translate(str.maketrans("12345678", "₁₂₃₄₅₆₇₈")))], RIGHT, ""),
    ("3 LaTeX", [headed(lambda n: re.sub(r"dE_dw(.)", r"$\\frac{\\partial E}{\\partial w_\1}$", n))], RIGHT, ""),
    ("3 and a mistake", [headed(lambda n: f"{n} (unit)"), planted("E1", "(t1-a_o1)^2")], WRONG, "2.0 times"),
    # 4: what a spreadsheet program would not compute, and what does not descend
    ("4 a word for the rate", [rate("fast")], WRONG, "the text 'fast'"),
    ("4 an error", [rate("=1/0")], WRONG, "divides by zero"),
    ("4 a truth value", [rate(True)], WRONG, "the text"),
    ("4 a text in SUM", [rate("0.5"), planted(*WEIGHTS, "W[-1]-SUM(RATE)*dE_dW[-1]")], WRONG, "leaves texts out"),
    ("4 nothing in AVERAGE", [planted("h1", "AVERAGE(2*(w1*i1+w2*i2),$ZZ$9)")], WRONG, "leaves empty cells out"),
    ("4 the heading", [planted(*WEIGHTS, "W[-1]-$A$2*dE_dW[-1]")], WRONG, "the text 't1'"),
    ("4 uphill in all", [planted(*WEIGHTS, "W[-1]+RATE*dE_dW[-1]")], WRONG, "w7, w8 in E4:H8,M4:P8"),
    ("4 no cell", [planted(*WEIGHTS, "W[-1]-$ZZ$9*dE_dW[-1]")], WRONG, "is empty, so that nothing changes"),
    ("4 numbers that stand still", [by_row(COLUMNS, lambda n, _: float(TABLE[n][0]))], WRONG, "do not move"),
    ("4 short ones that do", [by_row(COLUMNS, lambda n, _: round(float(TABLE[n][0]), 2))], WRONG, "do not move"),
    ("4 nothing but zeros", [by_row(COLUMNS, lambda *_: 0.0)], WRONG, ""),
    # 6: no column for targets or inputs
    ("6 typed in", [instead(CONSTANTS, typed_in)], RIGHT, "takes 0.05 where the column i1 belongs"),
    ("6 targets typed in", [instead(["t1", "t2"], typed_in)], RIGHT, "warning"),
    ("6 elsewhere", [extra(A30=0.01, A31=0.99), instead(["t1", "t2"], lambda _, n: f"$A${29 + int(n[1])}")], RIGHT, ""),
    ("6 one of them", [headed({"i2": None})], RIGHT, ""),
    ("6 other names", [headed({"t1": "goal", "t2": "second goal"})], RIGHT, ""),
    ("6 once more beside", [extra(AH2="i1", AI2="t1")], RIGHT, ""),
    ("6 a column without numbers", [planted("t1", None), headed({"t1": None})], WRONG, ""),
    # 7: a step by hand
    ("7 new weights", [last_row(*WEIGHTS)], RIGHT, "5 rows"),
    ("7 a wrong one", [last_row(*WEIGHTS), in_last_row("w6", "w6[-1]-RATE*dE_dw5[-1]")], WRONG, "w6 in N8"),
    ("7 and what follows", [last_row(*WEIGHTS, "h1", "a_h1")], RIGHT, ""),
    ("7 and a mistake in it", [last_row(*WEIGHTS, "h1"), in_last_row("h1", "w1*i1+w2*i1")], WRONG, "h1 in I8"),
    ("7 some weights", [last_row(*WEIGHTS[:4])], WRONG, "w5, w6, w7, w8 in M8:P8: the cell is empty"),
    ("7 one row", [lambda sheet: setattr(sheet, "rows", 1)], RIGHT, "1 row"),
    ("7 a block below", [extra(B20="=G8-$C$1*Z8")], RIGHT, ""),
    ("7 a wrong block below", [extra(B20="=G8+$C$1*Z8")], WRONG, "w3 in B20: a step by hand: it goes uphill"),
    ("7 another rate below", [extra(B20="=G8-0.1*Z8")], WRONG, "learning rate 0.1, the table 0.5"),
    # 8: numbers pasted as they are shown
    ("8 General", [numbers(general)], RIGHT, "no formula to read"),
    ("8 six decimals", [numbers(lambda v: round(v, 6))], RIGHT, "no formula to read"),
    ("8 three decimals", [numbers(lambda v: round(v, 3))], RIGHT, "no formula to read"),
    ("8 scientific", [numbers(lambda v: float(f"{v:.2e}"))], RIGHT, "no formula to read"),
    ("8 fifteen digits", [numbers(lambda v: float(f"{v:.15g}"))], RIGHT, "no formula to read"),
    ("8 and a wrong one", [numbers(lambda v: round(v, 3)), lambda s: s.plant("w3", 0.263, [4])], WRONG, "w3 in G7"),
    # 9: drawn numbers
    ("9 a coin", [first_row(WEIGHTS, "IF(RAND()>0.5,1,-1)")], RIGHT, ""),
    ("9 in cells elsewhere", [extra(AN1="=RAND()"), first_row(WEIGHTS, "$AN$1*0.5")], RIGHT, ""),
    ("9 an input", [first_row(["i1"], "RAND()"), lambda s: s.plant("i1", "i1[-1]", range(1, 6))], RIGHT, ""),
    ("9 an array", [first_row(WEIGHTS, "RANDARRAY(1,1)")], RIGHT, ""),
    ("9 in every row", [by_row(["i1"], lambda *_: "RAND()")], WRONG, "not checked"),
    ("9 noise", [planted("h1", "w1*i1+w2*i2+RAND()")], WRONG, "not checked"),
    # 10: biases
    ("10 columns", [beside("AG", lambda _: 0.35, "b1"), beside("AH", lambda _: 0.6, "b2"),
                    biased(*((unit, f"${column}{{0}}") for unit, column in ADD.items()))], RIGHT, "h1 adds b1"),
    ("10 typed in", [biased(("h1", "0.35"), ("h2", "0.35"), ("o1", "0.6"), ("o2", "0.6"))], RIGHT, "o1 adds 3/5"),
    ("10 a cell", [extra(AH1=0.35), biased(("h1", "$AH$1"), ("h2", "$AH$1"))], RIGHT, "h1 adds AH1"),
    ("10 one a unit", [extra(AH1=0.35, AI1=0.2), biased(("o1", "$AH$1"), ("o2", "$AI$1"))], RIGHT, "o2 adds AI1"),
    ("10 in one unit only", [extra(AH1=0.35), biased(("h1", "$AH$1"))], WRONG, "h1 in I3:I8"),
    ("10 trained", [trained_bias], WRONG, "AH and AI are trained too"),
    ("10 one that changes", [beside("AG", lambda row: row // 3, "b1"), biased(("h1", "$AG{0}"), ("h2", "$AG{0}"))],
     WRONG, "b1 changes on the way"),
    # 12: constants typed once
    ("12 fixed", [instead(CONSTANTS, first_cell("${}${}"), keep_column=True)], RIGHT, "t1, t2, i1, i2 in A4:D8: empty"),
    ("12 the row fixed", [instead(CONSTANTS, first_cell("{}${}"), keep_column=True)], RIGHT, "warning"),
    ("12 without dollars", [instead(CONSTANTS, first_cell("{}{}"), keep_column=True)], RIGHT, "warning"),
    ("12 inputs alone", [instead(["i1", "i2"], first_cell("${}${}"), keep_column=True)], RIGHT, "i1, i2 in C4:D8"),
    ("12 in a block above", [extra(B1=0.99), instead(["t2"], lambda *_: "$B$1")], RIGHT, ""),
    ("12 but not fixed", [lambda s: [s.plant(n, None, range(1, 6)) for n in CONSTANTS]], WRONG, "the cell is empty"),
    # 13: a learning rate that changes on purpose
    ("13 decay", [scheduled(lambda row: 0.5 * 0.9**row)], RIGHT, ""),
    ("13 by a formula", [scheduled(lambda row: f"=AG{2 + row}*0.9" if row else 0.5)], RIGHT, ""),
    ("13 one over the step", [scheduled(lambda row: f"=0.5/(1+{row})")], RIGHT, ""),
    ("13 halved midway", [scheduled(lambda row: 0.5 if row < 3 else 0.25)], RIGHT, ""),
    ("13 typed into the updates", [by_row(WEIGHTS, lambda n, row: f"{n}[-1]-{0.5 * 0.9**row}*dE_d{n}[-1]")], RIGHT, ""),
    ("13 one number off", [scheduled(lambda row: 0.6 if row == 3 else 0.5)], WRONG, "AG6: the learning rate 0.6"),
    ("13 one that ends", [scheduled(lambda row: 0.5 if row < 5 else None)], WRONG, "AG8, which is empty"),
    ("13 another for the outputs", [planted(*WEIGHTS[4:], "W[-1]-0.25*dE_dW[-1]")], WRONG, "w5, w6, w7, w8 in M4:P8"),
    # 14: another network
    ("14 linear outputs", [planted(a_o1="o1", a_o2="o2", **slopes(["(a_o1-t1)", "(a_o2-t2)"]))], WRONG, "a_o1 is o1"),
    ("14 tanh", [planted(a_h1="TANH(h1)", a_h2="TANH(h2)", **slopes([D1, D2], "(1-a_h{0}^2)"))], WRONG, "TANH(h1)"),
    ("14 cross entropy", [planted(**CROSS, **slopes(["(a_o1-t1)", "(a_o2-t2)"]))], WRONG, "another network"),
    ("14 the mean", [planted(E_total="(E1+E2)/2", **{n: f"({RULE[n]})/2" for n in SLOPES})], WRONG, "(E1+E2)/2"),
    ("14 without the half", [planted(**{n: f"2*({RULE[n]})" for n in ("E1", "E2", *SLOPES)})], WRONG, "another"),
    ("14 a third input", [third_input], WRONG, "AH and AI are trained too"),
    ("14 but all slopes halved", [planted(**{n: f"({RULE[n]})/2" for n in SLOPES})], WRONG, "it is 0.5 times"),
    # 15: formulas
    ("15 INDIRECT", [planted("a_h1", 'INDIRECT("I3")')], WRONG, "uses the function INDIRECT"),
    ("15 OFFSET", [planted("a_h1", "OFFSET(h1,0,0)")], WRONG, "uses the function OFFSET"),
    ("15 LET", [planted("a_h1", "LET(x,h1,1/(1+EXP(-x)))")], WRONG, "uses the function LET"),
    ("15 LAMBDA", [planted("a_h1", "LAMBDA(x,1/(1+EXP(-x)))(h1)")], WRONG, "uses the function LAMBDA"),
    ("15 a table's name", [planted("a_h1", "1/(1+EXP(-Table1[[#This Row],[net]]))")], WRONG, "a table by its name"),
    ("15 another workbook", [planted("a_h1", "1/(1+EXP(-[2]Net!$B$2))")], WRONG, "another workbook"),
    ("15 blanks", [by_row(["E1"], lambda _, row: "(t1-a_o1)^2" + " " * (row % 2))], WRONG, "E1 in U3:U8"),
    ("15 e typed out", [planted("a_h1", "1/(1+2.718281828459045^-h1)")], RIGHT, ""),
    ("15 e cut short", [planted("a_h1", "1/(1+2.7183^-h1)")], WRONG, "differs"),
]  # fmt: skip


def verdict(path, capsys):
    """The exit code of the audit, and what it says."""
    code = main(["audit", str(path)])
    said = capsys.readouterr()
    assert ("all right" in said.out) <= (code == 0) and said.err.count("\n") <= 1
    return code, said.out + said.err


@pytest.mark.parametrize(("changes", "code", "says"), [case[1:] for case in SHEETS], ids=[case[0] for case in SHEETS])
def test_the_verdict_on_a_sheet_of_a_kind(tmp_path, capsys, changes, code, says):
    sheet = ToySheet(NETWORK)
    for change in changes:
        change(sheet)
    if sheet.rows == 1:
        sheet.cells = {(name, row): value for (name, row), value in sheet.cells.items() if row == 0}
    found, said = verdict(sheet.save(tmp_path / "sheet.xlsx"), capsys)
    assert found == code and says in said, said


@pytest.mark.parametrize(
    "formula", ["0.5*(0.5-a_o1)^2", "(0.5-a_o1)^2/2", "50%*(a_o1-0.5)^2", "0.5*(a_o1-0.5)*(a_o1-0.5)"]
)
def test_a_half_may_be_a_target_and_a_factor(tmp_path, capsys, formula):
    sheet = ToySheet(ToyNetwork(targets=(0.5, 0.5)))
    sheet.plant("E1", formula)
    code, said = verdict(sheet.save(tmp_path / "sheet.xlsx"), capsys)
    assert code == RIGHT and "warning: E1 in U3:U8: takes 0.5 where the column t1 belongs" in said
    sheet.plant("E1", formula.replace("a_o1", "a_o2"))
    assert verdict(sheet.save(tmp_path / "sheet.xlsx"), capsys)[0] == WRONG


# 11: names

ETA = "{0}[-1]-{1}*dE_d{0}[-1]"
NAMES = [  # the name as the formulas spell it, as the workbook does, what it stands for, whether it is the sheet's own
    ("eta", "eta", "Sheet1!RATE", False, RIGHT),
    ("ETA", "eta", "Sheet1!RATE", False, RIGHT),
    ("Sheet1!eta", "eta", "Sheet1!RATE", True, RIGHT),
    ("η", "η", "0.5", False, RIGHT),
    ("learning.rate", "learning.rate", "1/2", True, RIGHT),
    ("eta", "eta", '"fast"', False, WRONG),
    ("eta", "eta", "#REF!", False, WRONG),
    ("eta", "theta", "Sheet1!RATE", False, WRONG),
]


@pytest.mark.parametrize(("spelled", "name", "meaning", "local", "code"), NAMES)
def test_11_a_name_for_the_learning_rate(tmp_path, capsys, spelled, name, meaning, local, code):
    sheet, book = ToySheet(NETWORK), openpyxl.Workbook()
    for weight in WEIGHTS:
        sheet.plant(weight, ETA.format(weight, spelled))
    book.active.title = "Sheet1"
    sheet.fill(book.active)
    named = DefinedName(name, attr_text=meaning.replace("RATE", sheet.rate_cell))
    (book.active.defined_names if local else book.defined_names)[name] = named
    book.save(tmp_path / "named.xlsx")
    found, said = verdict(tmp_path / "named.xlsx", capsys)
    assert found == code, said
    assert said.count("not checked") <= 1  # one cause, one finding


# 1 and 5: parts that are no sheets; strict files

GARBAGE = b"<xml><br>a caption\nof two lines</xml> & <c r="
LINKS, STRICT = "schemas.openxmlformats.org/officeDocument/2006", "purl.oclc.org/ooxml/officeDocument"
PARTS = {
    "1 calcChain": lambda parts: parts | {"xl/calcChain.xml": b"<c>" + b'<c r="A1"/>' * 17_000 + b"</c>"},
    "1 a long calcChain": lambda parts: parts | {"xl/calcChain.xml": b"<c>" + b"<c/>" * 1_100_000 + b"</c>"},
    "1 a chart": lambda parts: parts | {"xl/charts/chart1.xml": b"<a>" + b"<c/>" * 20_000 + b"</a>"},
    "1 a pivot table": lambda parts: parts | {"xl/pivotCache/records1.xml": b"<a>" + b"<c/>" * 20_000 + b"</a>"},
    "1 no styles": lambda parts: {name: text for name, text in parts.items() if "styles" not in name},
    "5 a button": lambda parts: parts | {"xl/drawings/vmlDrawing1.vml": GARBAGE},
    "5 a drawing": lambda parts: parts | {"xl/drawings/drawing1.xml": GARBAGE},
    "5 comments": lambda parts: parts | {"xl/comments1.xml": GARBAGE},
    "5 controls": lambda parts: parts | {"xl/ctrlProps/ctrlProp1.xml": GARBAGE},
    "5 a theme": lambda parts: parts | {"xl/theme/theme1.xml": GARBAGE},
    "5 another workbook's numbers": lambda parts: parts | {"xl/externalLinks/externalLink1.xml": GARBAGE},
    "15 strict": lambda parts: {
        name: text.replace(LINKS.encode(), STRICT.encode()).replace(
            b"schemas.openxmlformats.org/spreadsheetml/2006", b"purl.oclc.org/ooxml/spreadsheetml"
        )
        for name, text in parts.items()
    },
    "15 capitals": lambda parts: {name.replace("sheet1.xml", "Sheet1.xml"): text for name, text in parts.items()},
    "15 no addresses": lambda parts: parts
    | {"xl/worksheets/sheet1.xml": re.sub(rb'(<c) r="[A-Z]+\d+"', rb"\1", parts["xl/worksheets/sheet1.xml"])},
}  # fmt: skip


@pytest.mark.parametrize("kind", PARTS)
def test_parts_that_are_no_sheets_are_not_read(tmp_path, capsys, kind):
    sheet = ToySheet(NETWORK)
    if kind == "15 no addresses":  # cells then follow one another from the first column on
        sheet.extra = {"A1": 0.5, "B1": 0, "C1": 0.5}
    plain = sheet.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(plain) as archive:
        parts = PARTS[kind]({name: archive.read(name) for name in archive.namelist()})
    with zipfile.ZipFile(tmp_path / "other.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    assert verdict(tmp_path / "other.xlsx", capsys)[0] == RIGHT


# 15: other files

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
FILES = [  # name, content, what is said
    ("empty.xlsx", b"", "the file is empty"),
    ("empty", b"", "the file is empty"),
    ("sheet.csv", b"t1,t2\n0.5,0.5\n", "holds no formulas"),
    ("sheet.TSV", b"t1\tt2\n", "holds no formulas"),
    ("text", b"t1,t2\n0.5,0.5\n", "holds no formulas"),
    ("text.xlsx", "t1;t2\n0,5;0,5 µ\n".encode("latin-1"), "holds no formulas"),
    ("locked.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "password"),
    ("locked", OLE + "EncryptedPackage".encode("utf-16-le"), "password"),
    ("cut.xlsx", b"PK\x03\x04" + bytes(100), "not an .xlsx workbook"),
    ("picture.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(100), "not an .xlsx workbook"),
    ("sheet.pdf", b"%PDF-1.7\n\x00\x01", "not an .xlsx workbook"),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[f[0] for f in FILES])
def test_15_other_files_are_refused_with_advice(tmp_path, capsys, name, content, says):
    (tmp_path / name).write_bytes(content)
    code, said = verdict(tmp_path / name, capsys)
    assert code == REFUSED and says in said


@pytest.mark.parametrize("name", ["password.xlsx", "password.ods", "password.xls"])
def test_15_what_other_programs_have_locked_with_a_password_is_called_so(name, capsys):
    """LibreOffice 7.4 wrote the .ods and the .xls, msoffcrypto-tool the .xlsx; the password is secret."""
    code, said = verdict(Path(__file__).parent / "locked" / name, capsys)
    assert code == REFUSED and "encrypted with a password" in said


@pytest.mark.parametrize(("part", "says"), [("xl/workbook.bin", ".xlsb"), ("Index/Document.iwa", "Numbers")])
def test_15_other_programs_files_are_named(tmp_path, capsys, part, says):
    with zipfile.ZipFile(tmp_path / "sheet", "w") as archive:
        archive.writestr(part, b"\x00")
    code, said = verdict(tmp_path / "sheet", capsys)
    assert code == REFUSED and says in said and "as .xlsx" in said


@pytest.mark.parametrize("name", ["sheet", "sheet.zip", "sheet.xls", "sheet.ods", "sheet.XLSM"])
def test_15_a_workbook_is_known_by_what_is_in_it(tmp_path, capsys, name):
    assert verdict(ToySheet(NETWORK).save(tmp_path / "plain.xlsx").rename(tmp_path / name), capsys)[0] == RIGHT


# 15: derivatives on a second sheet

SECOND = [
    (0, None, RIGHT, ""),
    (3, None, RIGHT, ""),
    (0, ("dE_dw3", RULE["dE_dw1"]), WRONG, "dE_dw3 in Slopes!D3:D8"),
    (2, ("dE_dw8", f"{D1}*a_h2"), WRONG, "dE_dw8 in Slopes!I5:I10"),
    (1, ("w5", "w5[-1]-RATE*dE_dw6[-1]"), WRONG, "w5 in M4:M8"),
]


@pytest.mark.parametrize(("down", "mistake", "code", "says"), SECOND)
def test_15_derivatives_on_a_second_sheet(tmp_path, capsys, down, mistake, code, says):
    sheet, book = ToySheet(NETWORK), openpyxl.Workbook()
    if mistake:
        sheet.plant(*mistake)
    sheet.fill(book.active)
    book.active.title, slopes_sheet = "Network", book.create_sheet("Slopes")
    moved = {sheet.place(name, row): (place, row) for place, name in enumerate(SLOPES, 2) for row in range(-1, 6)}
    for row in book.active.iter_rows():
        for cell in row:
            if isinstance(cell.value, str) and cell.value.startswith("="):
                own = cell.coordinate in moved

                def placed(match, own=own):
                    if match[0] in moved:
                        column, place = moved[match[0]]
                        return f"{'' if own else 'Slopes!'}{get_column_letter(column)}{3 + place + down}"
                    return f"Network!{match[0]}" if own else match[0]

                cell.value = re.sub(r"\$?\b[A-Z]{1,2}\$?\d+\b", placed, cell.value)
    for address, (column, row) in moved.items():
        slopes_sheet.cell(3 + row + down, column).value = book.active[address].value
        book.active[address].value = None
    book.save(tmp_path / "two.xlsx")
    found, said = verdict(tmp_path / "two.xlsx", capsys)
    assert found == code and says in said, said


# 15: lying on its side

SIDEWAYS = [
    ({}, None, RIGHT, ""),
    ({"top": 5, "left": 4}, ("E1", "(t1-a_o1)^2"), WRONG, "E1 in F24:K24"),
    ({"top": 3}, ("w3", "w3[-1]+RATE*dE_dw3[-1]"), WRONG, "uphill"),
    ({"left": 3, "headings": HEADINGS[2]}, None, RIGHT, ""),
    ({"rows": 2}, ("dE_dw3", RULE["dE_dw1"]), WRONG, "dE_dw3 in"),
]


@pytest.mark.parametrize(("options", "mistake", "code", "says"), SIDEWAYS)
def test_15_a_sheet_on_its_side(tmp_path, capsys, options, mistake, code, says):
    sheet = ToySheet(NETWORK, **options)
    if mistake:
        sheet.plant(*mistake)
    sheet.on_its_side().save(tmp_path / "turned.xlsx")
    found, said = verdict(tmp_path / "turned.xlsx", capsys)
    assert found == code and says in said, said


# 3: headings that count from 0


def down_by_one(name, only=""):
    return re.sub(rf"(?<=[{only or 'a-zA-Z'}])[1-8]$", lambda digit: str(int(digit[0]) - 1), name)


FROM_0 = [
    (down_by_one, RIGHT, "its w0 is our w1"),
    (lambda name: down_by_one(HEADINGS[1][name]), RIGHT, "its w0 is our w1"),
    (lambda name: down_by_one(HEADINGS[3][name].lower()), RIGHT, "its w0 is our w1"),
    (lambda name: down_by_one(name, "w"), RIGHT, "its w0 is our w1"),
    (lambda name: down_by_one(name, "iht"), RIGHT, "its h0 is our h1"),
    (lambda name: down_by_one({"i1": "x1", "i2": "x2"}.get(name, name)), RIGHT, "its w0 is our w1"),
]


@pytest.mark.parametrize(("heading", "code", "says"), FROM_0)
@pytest.mark.parametrize("mistaken", [False, True])
def test_3_headings_that_count_from_0(tmp_path, capsys, heading, code, says, mistaken):
    sheet, book = ToySheet(NETWORK, headings={name: heading(name) for name in COLUMNS}), openpyxl.Workbook()
    if mistaken:
        place = sheet.plant("dE_dw8", "a_h2")
    sheet.fill(book.active)
    book.save(tmp_path / "from_0.xlsx")
    found, said = verdict(tmp_path / "from_0.xlsx", capsys)
    assert found == (WRONG if mistaken else code) and says in said, said
    assert not mistaken or f"dE_dw8 in {place}" in said


def test_3_an_input_of_one_before_the_first_is_no_counting_from_0(tmp_path, capsys):
    sheet, book = ToySheet(NETWORK, left=3), openpyxl.Workbook()
    sheet.fill(book.active)
    for place, name in enumerate(("w0", "i0"), start=1):
        book.active.cell(sheet.top, place, name)
        for row in range(sheet.rows):
            book.active.cell(sheet.top + 1 + row, place, 1)
    book.save(tmp_path / "bias.xlsx")
    found, said = verdict(tmp_path / "bias.xlsx", capsys)
    assert found == RIGHT and "count from 0" not in said, said


# 11: names for columns


def with_names(sheet, spelled, local=False):
    """The sheet with a name for each column, and `spelled` in the place of each cell of the formula's own row."""
    book = openpyxl.Workbook()
    book.active.title = "My sheet"
    sheet.fill(book.active)
    names = book.active.defined_names if local else book.defined_names
    for name in COLUMNS:
        first, last = sheet.place(name, 0), sheet.place(name, sheet.rows - 1)
        where = "!".join(["'My sheet'", ":".join(re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", end) for end in (first, last))])
        names[f"the.{name}"] = DefinedName(f"the.{name}", attr_text=where)
    for row in range(sheet.rows):
        names_of = {sheet.place(name, row): spelled.format(f"the.{name}") for name in COLUMNS}
        for name in COLUMNS:
            cell = book.active[sheet.place(name, row)]
            if isinstance(cell.value, str) and cell.value.startswith("="):
                cell.value = re.sub(r"(?<![$\w])[A-Z]+\d+", lambda m, own=names_of: own.get(m[0], m[0]), cell.value)
    return book


COLUMN_NAMES = [
    ({}, "{}", False, None, RIGHT, "all right"),
    ({"top": 5, "left": 4}, "{}", True, None, RIGHT, "all right"),
    ({}, "_xlfn.SINGLE({})", False, None, RIGHT, "all right"),
    ({}, "{}", False, ("dE_dw3", RULE["dE_dw1"]), WRONG, "dE_dw3 in Z3:Z8"),
    ({"headings": HEADINGS[2]}, "{}", False, ("w5", "w5[-1]+RATE*dE_dw5[-1]"), WRONG, "uphill"),
    ({}, "SUM({})", False, None, WRONG, "h1"),
]


@pytest.mark.parametrize(("options", "spelled", "local", "mistake", "code", "says"), COLUMN_NAMES)
def test_11_a_name_for_a_column(tmp_path, capsys, options, spelled, local, mistake, code, says):
    sheet = ToySheet(NETWORK, **options)
    if mistake:
        sheet.plant(*mistake)
    with_names(sheet, spelled, local).save(tmp_path / "names.xlsx")
    found, said = verdict(tmp_path / "names.xlsx", capsys)
    assert found == code and says in said, said


def test_11_libreoffice_takes_a_name_for_a_column_as_the_audit_does(tmp_path, computed_by_libreoffice):
    with_names(ToySheet(NETWORK), "{}").save(tmp_path / "names.xlsx")
    folder = computed_by_libreoffice(tmp_path / "names.xlsx")
    sheet = openpyxl.load_workbook(folder / "names.xlsx", data_only=True).active
    losses = [sheet[ToySheet(NETWORK).place("E_total", row)].value for row in range(6)]
    assert losses == pytest.approx(TABLE["E_total"].tolist(), abs=1e-12)
