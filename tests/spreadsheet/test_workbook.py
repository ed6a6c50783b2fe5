"""The written spreadsheet, recalculated from scratch by LibreOffice, against `descend`."""

import re
import subprocess
import sys
import textwrap
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import sympy as sp
import xlsxwriter
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from cellgrad.spreadsheet.workbook import (
    LEARNING_RATES,
    RATES_SHEET,
    SHEET,
    column_notes,
    excel_formula,
    write_workbook,
)
from cellgrad.toynet import COLUMNS, ToyNetwork

HEADER, FIRST = 11, 12  # rows as the reader counts them
LABELS = (
    *("t1", "t2", "i1", "i2", "w1", "w2", "w3", "w4", "h1", "a_h1", "h2", "a_h2", "w5", "w6", "w7", "w8"),
    *("o1", "a_o1", "o2", "a_o2", "E1", "E2", "E_total"),
    *("∂E/∂w1", "∂E/∂w2", "∂E/∂w3", "∂E/∂w4", "∂E/∂w5", "∂E/∂w6", "∂E/∂w7", "∂E/∂w8"),
)
OTHER = ToyNetwork((0.3, -1.2), (0.01, 0.99), (-0.4, 1.1, 0.2, 2.3, -0.7, 0.05, 1.6, -2.0), (0.35, -0.6))
SETTINGS = {  # file: network, learning rate, updates, learning rates
    "default": (ToyNetwork(), 1.0, 100, LEARNING_RATES),
    "spread": (ToyNetwork(targets=(0.01, 0.99)), 0.5, 67, LEARNING_RATES),
    "other": (OTHER, 3.7, 25, (0.03, 10.0)),
    "still": (OTHER, 0.1, 0, (1.0,)),
}
EDITED_WEIGHTS = (-0.25, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55)
EDITED = (ToyNetwork(targets=(0.01, 0.5), weights=EDITED_WEIGHTS, biases=(0, 0.125)), 0.75, 30, (1.5, 0.2))
X, Y, Z = sp.symbols("x y z", real=True)
VALUES = {X: 0.5, Y: -1.25, Z: 3.0}
CELLS = {X: "$A$1", Y: "$B$1", Z: "$C$1"}


# Expressions of every shape, evaluated by SymPy or kept as they were built


def made(operation, *parts):
    """Build an expression, but for the few that SymPy itself refuses."""
    try:
        return operation(*parts)
    except (ValueError, TypeError):
        reject()


def combined(parts):
    keep = {"evaluate": False}
    operations = {
        2: (
            *(sp.Add, lambda a, b: sp.Add(a, b, **keep), lambda a, b: a - b, lambda a, b: sp.Add(a, -b, **keep)),
            *(sp.Mul, lambda a, b: sp.Mul(a, b, **keep), lambda a, b: a / b),
            *(lambda a, b: sp.Mul(a, sp.Pow(b, -1, **keep), **keep), sp.Pow, lambda a, b: sp.Pow(a, b, **keep)),
        ),
        1: (lambda a: -a, lambda a: sp.Mul(-1, a, **keep), sp.sqrt, sp.exp, sp.log, sp.tanh, sp.Abs, sp.cos),
    }
    powers = st.sampled_from([-3, -2, -1, sp.Rational(-1, 2), sp.Rational(1, 3), 1.5, 2, 3])
    return st.one_of(
        st.builds(made, st.sampled_from(operations[2]), parts, parts),
        st.builds(made, st.sampled_from(operations[1]), parts),
        st.builds(made, st.sampled_from([sp.Pow, lambda a, b: sp.Pow(a, b, **keep)]), parts, powers),
        st.builds(sp.Max, st.sampled_from([*CELLS]), st.sampled_from([*CELLS])),
    )


NUMBERS = [*map(sp.Integer, (-3, -2, -1, 1, 2, 10)), sp.Rational(-2, 3), sp.Float(0.1), sp.pi, sp.E]
EXPRESSIONS = st.recursive(st.sampled_from([*CELLS, *NUMBERS]), combined, max_leaves=7)


def exact(expression):
    return sp.N(expression.subs({symbol: sp.Rational(value) for symbol, value in VALUES.items()}), 30)


def is_tame(expression):
    """Real, finite and of moderate size in all its parts, so that 15 digits suffice to tell right from wrong."""
    try:
        values = [exact(part) for part in sp.preorder_traversal(expression)]
    except (TypeError, ValueError, OverflowError):
        return False
    return all(value.is_real and value.is_finite and 1e-3 < abs(value) < 1e5 for value in values)


class Enough(Exception):
    pass


@cache
def expressions(count):
    found = {}

    @settings(max_examples=10**5, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(EXPRESSIONS)
    def collect(expression):
        if expression.count_ops() >= 3 and is_tame(expression):
            found[excel_formula(expression, CELLS)] = expression
        if len(found) == count:
            raise Enough

    with pytest.raises(Enough):
        collect()
    return list(found.values())


# LibreOffice


def write_expressions(path, formulas):
    """A formula a row, each with the stored value 999, which only a real recalculation replaces."""
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, [VALUES[symbol] for symbol in CELLS])
    for row, formula in enumerate(formulas, start=1):
        sheet.write_formula(row, 0, formula, None, 999)
    book.close()


def with_numbers(source, target, sheets):
    """Copy a workbook with other numbers in some input cells: what a reader types, and no value updated."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            for cell, value in sheets.get(name, {}).items():
                pattern = rf'(<c r="{cell}"[^>]*><v>)[^<]*'.encode()
                text, count = re.subn(pattern, rb"\g<1>" + str(value).encode(), text)
                assert count == 1
            new.writestr(name, text)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    for name, arguments in SETTINGS.items():
        write_workbook(folder / f"{name}.xlsx", *arguments)
    return folder


@pytest.fixture(scope="module")
def recalculated(written, computed_by_libreoffice):
    """All workbooks of this module, opened, recalculated and saved by LibreOffice, in one start of it."""
    write_expressions(written / "liar.xlsx", ["=A1*3+EXP(0)"])
    write_expressions(written / "printed.xlsx", [excel_formula(expression, CELLS) for expression in expressions(400)])
    write_workbook(written / "before.xlsx", updates=30, learning_rates=(0.1, 0.2))
    numbers = {"C3": 0.75, "C4": 0.01, "C6": -0.25, "E8": 0.125}
    edits = {"xl/worksheets/sheet1.xml": numbers, "xl/worksheets/sheet2.xml": {"B3": 1.5}}
    with_numbers(written / "before.xlsx", written / "edited.xlsx", edits)
    out = computed_by_libreoffice(*sorted(written.glob("*.xlsx")))
    book = openpyxl.load_workbook(out / "liar.xlsx", data_only=True)
    assert book.active["A2"].value == 2.5, "LibreOffice did not recalculate: what it says proves nothing"
    return out


def numbers(sheet, first, last, columns):
    cells = sheet.iter_rows(min_row=first, max_row=last, max_col=columns, values_only=True)
    return np.array([[cell if isinstance(cell, int | float) else np.nan for cell in row] for row in cells])


def assert_holds(path, network, learning_rate, updates, learning_rates):
    """Every number in the workbook at `path` is what `descend` says for these settings."""
    book = openpyxl.load_workbook(path, data_only=True)
    runs = [network.descend(rate, updates).to_numpy() for rate in (learning_rate, *learning_rates)]
    sheets = [SHEET, *(f"Run {place}" for place in range(1, len(runs)))]
    count = np.arange(updates + 1)
    for name, run in zip(sheets, runs, strict=True):
        found = numbers(book[name], FIRST, FIRST + updates, 32)
        np.testing.assert_allclose(found, np.column_stack([count, run]), rtol=0, atol=1e-12)
        assert book[name].max_row == FIRST + updates
    rates = book[RATES_SHEET]
    losses = [run[:, COLUMNS.index("E_total")] for run in runs[1:]]
    found = numbers(rates, 6, 6 + updates, 1 + len(losses))
    np.testing.assert_allclose(found, np.column_stack([count, *losses]), rtol=0, atol=1e-12)
    assert rates.max_row == 6 + updates
    last = numbers(rates, 4, 4, 1 + len(losses))[0, 1:]
    np.testing.assert_allclose(last, [loss[-1] for loss in losses], rtol=0, atol=1e-12)
    assert [cell.value for cell in rates[5]][1 : 1 + len(losses)] == [f"η = {rate:g}" for rate in learning_rates]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_libreoffice_computes_what_descend_does(recalculated, name):
    assert_holds(recalculated / f"{name}.xlsx", *SETTINGS[name])


@pytest.mark.slow
def test_everything_follows_a_changed_input_cell(recalculated):
    assert_holds(recalculated / "edited.xlsx", *EDITED)


@pytest.mark.slow
def test_libreoffice_reads_printed_formulas_as_sympy_reads_the_expressions(recalculated):
    made = expressions(400)
    assert len(made) == 400
    sheet = openpyxl.load_workbook(recalculated / "printed.xlsx", data_only=True).active
    wrong = {}
    for row, expression in enumerate(made, start=2):
        found = sheet.cell(row, 1).value
        scale = max(abs(exact(part)) for part in sp.preorder_traversal(expression))
        if not isinstance(found, int | float) or abs(found - exact(expression)) > 1e-12 * scale:
            wrong[excel_formula(expression, CELLS)] = (sp.srepr(expression), found, exact(expression))
    assert not wrong


# Without LibreOffice


@pytest.mark.parametrize("name", SETTINGS)
def test_stored_values_are_those_of_descend(written, name):
    assert_holds(written / f"{name}.xlsx", *SETTINGS[name])


def test_a_chart_carries_its_numbers_for_viewers_that_calculate_nothing(written):
    losses = ToyNetwork().descend(1.0, 100)["E_total"]
    chart = zipfile.ZipFile(written / "default.xlsx").read("xl/charts/chart1.xml").decode()
    stored = re.findall(r"<c:v>([^<]*)</c:v>", chart.split("<c:val>")[1])
    np.testing.assert_allclose([float(value) for value in stored], losses, rtol=1e-14)


@pytest.fixture(scope="module")
def formulas(written):
    return openpyxl.load_workbook(written / "default.xlsx")


def test_sheets_have_the_columns_notes_panes_and_charts(formulas):
    assert formulas.sheetnames == [SHEET, RATES_SHEET, *(f"Run {place}" for place in range(1, 7))]
    for sheet in formulas:
        assert len(sheet._charts) == (2 if sheet.title == RATES_SHEET else 1)
        if sheet.title == RATES_SHEET:
            assert sheet.freeze_panes == "B6"
            continue
        assert sheet.freeze_panes == "B12"
        assert [cell.value for cell in sheet[HEADER]] == ["update", *LABELS]
        assert all(cell.comment.text for cell in sheet[HEADER][1:])


def test_every_cell_of_the_table_is_a_formula(formulas):
    for sheet in formulas:
        first, last, columns = (6, 106, 7) if sheet.title == RATES_SHEET else (FIRST, FIRST + 100, 32)
        rows = sheet.iter_rows(min_row=first, max_row=last, min_col=2, max_col=columns, values_only=True)
        cells = [cell for row in rows for cell in row]
        assert len(cells) == 101 * (columns - 1)
        assert all(isinstance(cell, str) and cell.startswith("=") for cell in cells)


def test_formulas_read_as_a_person_would_write_them(formulas):
    sheet = formulas[SHEET]
    assert {sheet[cell].value for cell in ("B12", "B13", "B112")} == {"=$C$4"}
    assert sheet["F12"].value == "=$C$6"
    assert sheet["F13"].value == "=F12-$C$3*Y12"
    assert sheet["J13"].value == "=F13*D13+G13*E13+$C$8"
    assert sheet["K13"].value == "=1/(1+EXP(-J13))"
    assert sheet["V13"].value == "=(B13-S13)^2/2"
    assert sheet["AC13"].value == "=(S13-B13)*S13*(1-S13)*K13"
    assert sheet["Y13"].value == "=((S13-B13)*S13*(1-S13)*N13+(U13-C13)*U13*(1-U13)*P13)*K13*(1-K13)*D13"
    assert formulas[RATES_SHEET]["C8"].value == "='Run 2'!X14"
    assert formulas["Run 2"]["C3"].value == "='Learning rates'!$C$3"
    assert formulas["Run 2"]["C6"].value == "=Descent!$C$6"


def test_notes_say_what_a_weight_connects():
    notes = column_notes()
    assert notes["w3"].startswith("Weight of i1 in h2.")
    assert notes["w6"].startswith("Weight of a_h2 in o1.")
    assert "∂E/∂w6 =(a_o1-t1)*a_o1*(1-a_o1)*a_h2" in notes["dE_dw6"]


@pytest.mark.parametrize(
    ("expression", "formula"),
    [
        (-(X**2), "=-($A$1^2)"),
        (Y - X**2, "=$B$1-$A$1^2"),
        (-(X**2) * Y**2, "=-($A$1^2)*$B$1^2"),
        ((-X) ** sp.Integer(3), "=-($A$1^3)"),
        (sp.Pow(-2, 2, evaluate=False), "=(-2)^2"),
        (sp.Pow(sp.Pow(X, Y), Z, evaluate=False), "=($A$1^$B$1)^$C$1"),
        (sp.Pow(X, Y**Z), "=$A$1^($B$1^$C$1)"),
        (X ** (-Y), "=$A$1^(-$B$1)"),
        (sp.Rational(-2, 3) * X / (Y * Z), "=-2*$A$1/(3*$B$1*$C$1)"),
        (1 / (X + 1) ** 2, "=1/(1+$A$1)^2"),
        (sp.sqrt(X) + sp.Float(1e-7), "=1E-07+SQRT($A$1)"),
        (sp.pi * X - sp.E, "=PI()*$A$1-EXP(1)"),
        (sp.Max(X, Y), "=MAX($A$1,$B$1)"),
        (sp.Mul(X, sp.Mul(Y, Z, evaluate=False), evaluate=False), "=$B$1*$C$1*$A$1"),
        (sp.Mul(X, sp.Pow(sp.Mul(Y, Z), -1, evaluate=False), evaluate=False), "=$A$1/($B$1*$C$1)"),
        (sp.Mul(X, sp.Pow(sp.Pow(Y, -1), -1, evaluate=False), evaluate=False), "=$A$1/(1/$B$1)"),
        (sp.Mul(sp.Rational(1, 2), sp.Rational(1, 3), X, evaluate=False), "=$A$1/(3*2)"),
        (sp.Mul(3, 2, X, evaluate=False), "=2*3*$A$1"),
    ],
)
def test_signs_and_powers_are_written_for_a_spreadsheet(expression, formula):
    assert excel_formula(expression, CELLS) == formula


@pytest.mark.parametrize("expression", [sp.oo, sp.nan, sp.I, sp.gamma(X), sp.Integral(X**X, X), sp.Symbol("unknown")])
def test_what_no_formula_can_say_is_refused(expression):
    with pytest.raises(ValueError, match=r"^(expression|cells): "):
        excel_formula(expression + X, CELLS)


def test_what_is_refused_is_the_part_that_has_no_formula():
    with pytest.raises(ValueError, match=r"^expression: gamma\(x\) "):
        excel_formula(sp.gamma(X) + Y, CELLS)


def test_in_a_product_what_the_network_does_not_know_comes_last():
    assert excel_formula(X * sp.Symbol("t1", real=True), {X: "A1", sp.Symbol("t1", real=True): "B1"}) == "=B1*A1"


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    (tmp_path / "b").mkdir()
    first, second = (write_workbook(tmp_path / name, OTHER, updates=3) for name in ("a.xlsx", "b/c.XLSX"))
    assert first.read_bytes() == second.read_bytes()
    assert second.read_bytes() != write_workbook(second, OTHER, updates=4).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "table.xls"}, "path: 'table.xls' does not end in .xlsx"),
        ({"updates": 1_048_565}, "updates: 1048565 do not fit in a sheet; give at most 1048564"),
        ({"updates": -1}, "updates"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rates": ()}, "learning_rates"),
        ({"learning_rates": (0.1, -1)}, "learning_rate"),
        ({"learning_rates": range(1, 257)}, "learning_rates: 256 do not fit in a chart; give at most 255"),
        ({"network": ToyNetwork(inputs=(-1e6, 0))}, "network: at learning rate 1.0 numbers leave"),
    ],
)
def test_bad_arguments_leave_the_old_file(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    path = Path(arguments.get("path", "table.xlsx"))
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        write_workbook(**{"path": path} | arguments)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path.absolute()]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot write the workbook") as caught:
        write_workbook(tmp_path / "nowhere" / "table.xlsx", updates=1)
    assert caught.value.filename == str(tmp_path / "nowhere" / "table.xlsx")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="cannot write the workbook") as caught:
        write_workbook(tmp_path / "file" / "below.xlsx")
    assert caught.value.filename == str(tmp_path / "file" / "below.xlsx")


def test_a_folder_in_the_way_is_left(tmp_path):
    (tmp_path / "table.xlsx").mkdir()
    with pytest.raises(IsADirectoryError, match="cannot write the workbook"):
        write_workbook(tmp_path / "table.xlsx", updates=1)
    assert [path.name for path in tmp_path.iterdir()] == ["table.xlsx"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as only POSIX can")
@pytest.mark.parametrize("limit", [2_000, 20_000])
def test_a_full_disk_leaves_the_old_file(tmp_path, limit):
    path = tmp_path / "table.xlsx"
    path.write_bytes(b"precious")
    program = f"""
        import resource
        from cellgrad.spreadsheet.workbook import write_workbook
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            write_workbook({str(path)!r}, updates=5)
        except OSError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=600)
    assert "cannot write the workbook (File too large)" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]
