"""Sheets that were judged wrongly: one that computes nothing was passed, one that is right was blamed."""

import openpyxl
import pytest
from toy_sheets import ToySheet

from cellgrad.spreadsheet.audit import audit
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
