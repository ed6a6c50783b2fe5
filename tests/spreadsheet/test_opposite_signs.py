"""Derivatives of the other sign: right where the updates add them, uphill where they subtract them."""

import openpyxl
import pytest
from toy_sheets import COLUMNS, WEIGHTS, ToySheet, right_formulas

from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import ToyNetwork

RIGHT = right_formulas()
SLOPES = [name for name in COLUMNS if name.startswith("dE_")]
BY_OTHERS = {f"dE_dw{k}": f"(dE_dw5/a_h1*w{5 + (k > 2)}+dE_dw7/a_h1*w{7 + (k > 2)})" for k in (1, 2, 3, 4)}


def turned(weights=WEIGHTS, update="W[-1] + RATE * dE_dW[-1]", by_others=False, **options):
    """A sheet with minus the derivative in some columns, and another update of their weights."""
    sheet = ToySheet(ToyNetwork(targets=(0.01, 0.99)), **options)
    for weight in weights:
        sheet.plant(f"dE_d{weight}", f"-({RIGHT[f'dE_d{weight}']})")
        sheet.plant(weight, update.replace("W", weight))
    if by_others:
        for k in (1, 2, 3, 4):
            unit = f"a_h{1 + (k > 2)}"
            sheet.plant(f"dE_dw{k}", f"{BY_OTHERS[f'dE_dw{k}']}*{unit}*(1-{unit})*i{2 - k % 2}")
    return sheet


def audited(sheet, folder):
    report = audit(sheet.save(folder / "sheet.xlsx"))
    return report, report.tables[0].findings


@pytest.mark.parametrize("update", ["W[-1] + RATE * dE_dW[-1]", "dE_dW[-1]*RATE+W[-1]", "W[-1]-(-RATE)*dE_dW[-1]"])
@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS[4:], ["w3"]])
def test_minus_the_derivative_that_is_added_descends(tmp_path, weights, update):
    report, (found,) = audited(turned(weights, update), tmp_path)
    assert report.all_right and found.severity == "warning" and "uphill" not in found.message
    assert found.column == ", ".join(f"dE_d{weight}" for weight in weights)
    if len(weights) == 8:
        assert report.tables[0].learning_rate == 0.5


def test_columns_that_are_computed_from_others_of_the_other_sign_are_so_too(tmp_path):
    report, (found,) = audited(turned(by_others=True), tmp_path)
    assert report.all_right and found.column == ", ".join(SLOPES)


def test_a_rate_in_a_column_may_be_added_too(tmp_path):
    sheet = turned(update="W[-1] + RATE * dE_dW[-1]")
    for (name, row), value in sheet.cells.items():
        if name in WEIGHTS and row:
            sheet.cells[name, row] = value.replace("RATE", f"AG{row + 3}")
    sheet.extra |= {"AG2": "lr"} | {f"AG{row}": 1 / row for row in range(3, 9)}
    report, found = audited(sheet, tmp_path)
    assert report.all_right and len(found) == 1


def test_minus_in_the_heading_needs_no_warning(tmp_path):
    headings = {name: f"-{name}" if name in SLOPES else name for name in COLUMNS}
    report, found = audited(turned(headings=headings), tmp_path)
    assert report.all_right and not found


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS[4:], ["w3"]])
@pytest.mark.parametrize("wrong", ["derivatives", "updates"])
def test_one_sign_that_is_turned_goes_uphill(tmp_path, weights, wrong):
    sheet = turned(weights)
    for weight in weights:
        name = weight if wrong == "derivatives" else f"dE_d{weight}"
        sheet.plant(name, RIGHT[name])
    report, found = audited(sheet, tmp_path)
    assert not report.all_right and all("uphill" in one.message and one.severity == "error" for one in found)
    columns = ", ".join(one.column for one in found)
    assert columns == ", ".join(f"dE_d{weight}" if wrong == "derivatives" else weight for weight in weights)


def test_each_weight_is_judged_by_its_own_signs(tmp_path):
    """All updates add; the derivatives of the hidden layer are as they should be, and so these weights go uphill."""
    sheet = turned()
    for weight in WEIGHTS[:4]:
        sheet.plant(f"dE_d{weight}", RIGHT[f"dE_d{weight}"])
    report, found = audited(sheet, tmp_path)
    assert not report.all_right
    wrong = {one.severity: one.column for one in found}
    assert wrong == {"error": "w1, w2, w3, w4", "warning": "dE_dw5, dE_dw6, dE_dw7, dE_dw8"}


def test_a_mistake_among_derivatives_of_the_other_sign_is_the_only_one(tmp_path):
    sheet = turned()
    sheet.plant("dE_dw3", f"-({RIGHT['dE_dw3'].replace('a_h2', 'a_h1')})")
    _, found = audited(sheet, tmp_path)
    (error,) = (one for one in found if one.severity == "error")
    assert error.column == "dE_dw3" and "uphill" not in error.message
    sheet.plant("dE_dw3", error.expected.split(", which is ")[1])
    assert audited(sheet, tmp_path)[0].all_right


def test_of_minus_a_derivative_the_place_of_another_is_named(tmp_path):
    sheet = turned()
    sheet.plant("dE_dw6", f"-({RIGHT['dE_dw7']})")
    _, found = audited(sheet, tmp_path)
    (error,) = (one for one in found if one.severity == "error")
    assert (error.column, error.message) == ("dE_dw6", "it is the formula of dE_dw7")


def test_a_wrong_update_among_those_that_add_is_mended_by_adding(tmp_path):
    sheet = turned()
    sheet.plant("w6", "w6[-1] + RATE * dE_dw5[-1]")
    _, found = audited(sheet, tmp_path)
    (error,) = (one for one in found if one.severity == "error")
    book = openpyxl.load_workbook(tmp_path / "sheet.xlsx")
    book.active["N4"] = error.expected.split(",")[0]
    book.save(tmp_path / "sheet.xlsx")
    assert error.cells == "N4:N8" and "N4" not in audit(tmp_path / "sheet.xlsx").tables[0].findings[0].cells


@pytest.mark.parametrize("held", [0, -0.5, "fast", None])
def test_a_rates_cell_without_a_rate_says_nothing_about_the_signs(tmp_path, held):
    sheet = turned()
    sheet.extra["C1"] = held
    report, found = audited(sheet, tmp_path)
    assert not report.all_right
    assert sorted(one.column for one in found) == ["C1", ", ".join(SLOPES)]


@pytest.mark.parametrize(("sign", "update", "right"), [(-1, 1, True), (1, -1, True), (-1, -1, False), (1, 1, False)])
def test_numbers_alone_are_judged_by_both_signs_too(tmp_path, sign, update, right):
    sheet, weights = ToySheet(ToyNetwork()), list(ToyNetwork().parameters[4:12])
    for row in range(sheet.rows):
        numbers = ToyNetwork(weights=weights).descend(0.5, 0).iloc[0]
        for name in COLUMNS:
            sheet.cells[name, row] = float(numbers[name]) * (sign if name in SLOPES else 1)
        weights = [weight + update * sign * 0.5 * numbers[f"dE_dw{k}"] for k, weight in enumerate(weights, start=1)]
    report, found = audited(sheet, tmp_path)
    assert report.all_right == right
    assert sign == 1 or not right or [one.severity for one in found] == ["warning"]
