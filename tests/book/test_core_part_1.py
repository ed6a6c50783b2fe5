"""What Part I teaches stands in its cells: they run without the package and give the package's numbers."""

import contextlib
import io
import math
import re
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
import sympy as sp

from cellgrad import plotting
from cellgrad.spreadsheet import workbook
from cellgrad.toynet import COLUMNS, ToyNetwork, learning_rates

BOOK = Path(__file__).parents[2] / "book"


def code(chapter: str, tag: str = "") -> list[str]:
    (path,) = BOOK.glob(f"{chapter}-*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return [c.source for c in cells if c.cell_type == "code" and (not tag or tag in c.metadata.get("tags", []))]


@pytest.fixture
def typed(monkeypatch):
    """Runs the core cells of a chapter with the libraries alone; importing the package is an error."""

    def run(chapter: str) -> dict:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cellgrad"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "cellgrad", None)
        namespace = {"math": math, "np": np, "pd": pd, "sp": sp}
        for source in code(chapter, "core"):
            assert "cellgrad" not in source
            exec(source, namespace)
        monkeypatch.undo()
        return namespace

    return run


def test_the_definitions_give_every_number_of_the_forward_pass(typed):
    network = typed("01")
    row = ToyNetwork().row()
    assert len(network["network"]) == 11
    for name in network["network"]:
        assert float(network["numbers"][name]) == pytest.approx(row[str(name)], abs=1e-15), name
    w5 = network["w5"]
    turned = float(network["in_w5"].subs(w5, -0.7))
    assert turned == pytest.approx(ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, -0.7, 0.45, 0.5, 0.55)).loss(), abs=1e-15)


def test_nudges_give_the_gradient_and_the_first_product(typed):
    slopes = typed("02")
    assert slopes["gradient"].to_numpy() == pytest.approx(ToyNetwork().gradient(), abs=1e-10)
    assert list(slopes["gradient"].index) == [f"w{k}" for k in range(1, 9)]
    assert math.prod(slopes["rates"].values()) == pytest.approx(ToyNetwork().gradient()[4], abs=1e-15)
    assert slopes["product"] == pytest.approx(ToyNetwork().gradient()[4], rel=1e-3)
    assert slopes["first"] + slopes["second"] == pytest.approx(slopes["by_o1"] + slopes["by_o2"], abs=1e-10)


def test_the_twelve_lines_of_the_backward_walk_are_the_derivatives(typed):
    walked = typed("03")
    assert len(walked["backward"]) == 12
    numbers = [walked["numbers"][name] for name in walked["dE"]]
    assert numbers == pytest.approx(ToyNetwork().gradient(), abs=1e-15)
    assert walked["by_sympy"] == pytest.approx(ToyNetwork().gradient(), abs=1e-14)
    assert walked["by_nudges"] == pytest.approx(ToyNetwork().gradient(), abs=1e-10)
    assert walked["largest"] < 1e-13
    elsewhere = ToyNetwork((0.7, -1.2), (0.1, 0.8), (1.5, -0.4, 0.3, 2.0, -1.1, 0.6, 0.9, -2.2))
    letters = ["t1", "t2", "i1", "i2", *(f"w{k}" for k in range(1, 9))]
    known = {walked["sp"].Symbol(name, real=True): elsewhere.row()[name] for name in letters}
    numbers = walked["follow"](walked["network"] | walked["backward"], known)
    assert [numbers[name] for name in walked["dE"]] == pytest.approx(elsewhere.gradient(), abs=1e-14)


def test_the_loop_over_rows_is_the_sheet_and_the_mistake_hides_and_shows(typed):
    sheet = typed("04")
    ours = ToyNetwork().descend(1.0, 100)
    assert sheet["table"][list(ours)].to_numpy() == pytest.approx(ours.to_numpy(), abs=1e-13)
    assert sheet["hidden_mistake"]["E_total"].to_numpy() == pytest.approx(ours["E_total"].to_numpy(), abs=1e-4)
    there = ToyNetwork((1, 2), weights=(-0.15, -0.2, -0.25, -0.3, -4, -4.5, -5, -5.5)).descend(1.0, 100)
    assert sheet["right"]["E_total"].to_numpy() == pytest.approx(there["E_total"].to_numpy(), abs=1e-13)
    assert (np.diff(sheet["wrong"]["E_total"]) > 0).all() and round(sheet["apart"]) == 118


def test_the_census_counts_what_the_chapter_says():
    namespace = {}
    matplotlib.use("agg")
    with contextlib.redirect_stdout(io.StringIO()):
        for source in code("04"):
            exec(source, namespace)
            if "census" in namespace:
                break
    counts = namespace["census"]["workbooks"]
    assert counts["none"] == 28 and counts["all"] == 70 and counts.drop(["none", "all"]).sum() == 42
    matplotlib.pyplot.close("all")


@pytest.mark.slow  # nbval runs the same cells every day, and compares what they print
def test_the_pencils_curvature_and_the_hessian_predict_the_measured_pace(typed):
    pace = typed("05")
    for update in (0, 1, 10, 50, 100, 200):  # the table of losses against the package's own loop
        for rate in pace["rates"]:
            theirs = ToyNetwork().descend(rate, 200)["E_total"][update]
            assert pace["losses"][rate][update] == pytest.approx(theirs, rel=1e-9, abs=1e-20)
    settled = pace["settled"]
    assert settled["measured"].to_numpy() == pytest.approx(settled["predicted"].to_numpy(), abs=2e-6)
    end = ToyNetwork(weights=[pace["ended"][f"w{k}"] for k in range(1, 9)])
    assert pace["hessian"] == pytest.approx(learning_rates.hessian(end), abs=1e-13)
    assert pace["eigenvalues"][0] == pytest.approx(settled["λ"][1.0], abs=2e-6)
    assert np.abs(pace["eigenvalues"][2:]).max() < 1e-9


def test_the_glossarys_terms_of_part_one_are_linked_both_ways():
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    entries = [block.split("\n") for block in text.split("```{glossary}\n")[1].split("\n\n")]
    terms = [lines[0] for lines in entries if re.search(r"\(0[1-5]-[\w-]+\.ipynb", " ".join(lines[1:]))]
    assert {"loss", "derivative", "chain rule", "backpropagation", "Hessian", "eigenvalue"} <= set(terms)
    chapters = "".join(path.read_text(encoding="utf-8") for path in (BOOK / "twins").glob("0[1-5]-*.py"))
    linked = set(re.findall(r"\(glossary\.md#term-([\w-]+)\)", chapters))
    assert not [term for term in terms if term.replace(" ", "-") not in linked]


@pytest.mark.parametrize("network", [ToyNetwork(), ToyNetwork((1, 2), (0.1, 0.9), (2, -1, 0.5, 1, -4, 3, 1, -2))])
def test_the_picture_of_the_backward_pass_shows_the_derivatives(network):
    matplotlib.use("agg")
    shown = "\n".join(text.get_text() for text in plotting.draw_backward_pass(network).texts)
    for slope in network.gradient():
        assert f"= {slope:.5f}" in shown
    matplotlib.pyplot.close("all")


def test_the_picture_of_the_sheet_has_its_columns():
    matplotlib.use("agg")
    shown = [text.get_text() for text in plotting.draw_sheet().texts]
    assert [c for _, columns, _ in plotting._SHEET_GROUPS for c in columns] == list(COLUMNS)
    first, _ = workbook.column_formulas()
    assert ("N–Q" in shown and "*N{row}" in first["o1"]) or "N{row}*" in first["o1"]  # w5 stands in column N
    assert shown[-2:] == ["derivatives", "∂E/∂w1 … ∂E/∂w8"] and "Y–AF" in shown
    matplotlib.pyplot.close("all")
