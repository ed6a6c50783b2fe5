"""What people do to a sheet that is right all the same, and what they do that is not: several inputs of each kind."""

import openpyxl
import pytest
from toy_sheets import COLUMNS, CONSTANTS, HEADINGS, WEIGHTS, ToySheet, right_formulas

from cellgrad.spreadsheet.audit import AuditError, audit
from cellgrad.toynet import ToyNetwork

NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))


def saved(tmp_path, **options):
    return audit(ToySheet(NETWORK, **options).save(tmp_path / "sheet.xlsx"))


@pytest.mark.parametrize("name", ["t2", "i1", "h2", "a_h1", "o1", "a_o2", "E2", "E_total", "dE_dw3", "dE_dw8"])
@pytest.mark.parametrize("heading", ["quux", None])
def test_a_column_without_a_known_heading_is_known_by_what_it_means(tmp_path, name, heading):
    assert saved(tmp_path, headings=HEADINGS[0] | {name: heading}).all_right


@pytest.mark.parametrize("d", ["∂E/∂{}", "ðE/ð{}", "ӘEt/Ә{}", "дE/д{}", "dE_total/d{} = (a_o1 - t1) * …", "∂E / ∂ {}"])
def test_the_sign_of_a_derivative_may_be_any_that_looks_like_it(tmp_path, d):
    headings = {name: d.format(name[-2:]) if name.startswith("dE_") else name for name in COLUMNS}
    assert saved(tmp_path, headings=headings).all_right


@pytest.mark.parametrize(
    "formula", ["RAND()", "RAND()-0.5", "2*RAND()-1", "RANDBETWEEN(-9,9)/10", "NORMINV(RAND(),0,1)"]
)
def test_first_weights_may_be_drawn(tmp_path, formula):
    sheet = ToySheet(NETWORK)
    for weight in WEIGHTS:
        sheet.plant(weight, formula, [0])
    assert audit(sheet.save(tmp_path / "sheet.xlsx")).all_right


@pytest.mark.parametrize("drift", [1e-16, -1e-15, 3e-15, 1e-14])
def test_a_number_that_drifts_in_its_last_digits_is_the_same_number(tmp_path, drift):
    sheet = ToySheet(NETWORK)
    for row in range(sheet.rows):
        sheet.plant("t2", 0.99 + row * drift, [row])
    assert audit(sheet.save(tmp_path / "sheet.xlsx")).all_right
    sheet.plant("t2", 0.99 + 1e-6, [3])
    assert not audit(sheet.save(tmp_path / "sheet.xlsx")).all_right


@pytest.mark.parametrize("weight", WEIGHTS[::2])
def test_a_last_row_of_new_weights_alone_is_judged(tmp_path, weight):
    sheet = ToySheet(NETWORK, rows=2)
    for name in COLUMNS:
        if name not in WEIGHTS:
            sheet.plant(name, None, [1])
    path = sheet.save(tmp_path / "sheet.xlsx")
    assert audit(path).all_right
    cells = sheet.plant(weight, f"{weight}[-1]+RATE*dE_d{weight}[-1]", [1])
    (finding,) = audit(sheet.save(path)).tables[0].findings
    assert (finding.column, finding.cells, finding.severity) == (weight, cells, "error")


@pytest.mark.parametrize("change", [pytest.param("tanh", marks=pytest.mark.slow), "loss", "numbering"])
def test_another_network_is_said_once(tmp_path, change):
    sheet, right = ToySheet(NETWORK), right_formulas()
    if change == "tanh":
        for unit in ("1", "2"):
            sheet.plant(f"a_o{unit}", f"TANH(o{unit})")
        for name in (name for name in COLUMNS if name.startswith("dE_")):
            formula = right[name].replace("(1 - a_o1)", "(1-a_o1^2)/a_o1")
            sheet.plant(name, formula.replace("(1 - a_o2)", "(1-a_o2^2)/a_o2"))
    elif change == "loss":
        for name in ("E1", "E2", *(name for name in COLUMNS if name.startswith("dE_"))):
            sheet.plant(name, f"3*({right[name]})")
    else:  # w2 and w3 have changed places
        sheet.plant("h1", "w1*i1+w3*i2")
        sheet.plant("h2", "w2*i1+w4*i2")
        sheet.plant("dE_dw2", right["dE_dw3"])
        sheet.plant("dE_dw3", right["dE_dw2"])
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    (finding,) = report.tables[0].findings
    assert "another network than the book's" in finding.message and not report.all_right


@pytest.mark.parametrize("ending", [".csv", ".CSV", ".tsv"])
def test_a_file_without_formulas_is_refused_with_advice(tmp_path, ending):
    (tmp_path / f"sheet{ending}").write_text(",".join(CONSTANTS))
    with pytest.raises(AuditError, match="holds no formulas"):
        audit(tmp_path / f"sheet{ending}")


def test_a_row_of_headings_that_is_not_enough_is_named(tmp_path):
    book = openpyxl.Workbook()
    book.active.append([*COLUMNS[:8], "foo", "bar"])
    book.save(tmp_path / "book.xlsx")
    with pytest.raises(AuditError, match="the nearest is row 1 of Sheet, with 8; could not read 'foo', 'bar'"):
        audit(tmp_path / "book.xlsx")
