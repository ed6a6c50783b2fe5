"""What Part III teaches stands in its cells: hints before solutions, and solutions that print what the page shows."""

import contextlib
import io
import re
from pathlib import Path

import matplotlib
import nbformat
import pytest
from test_core_part_1 import code, solutions_with_output

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("09-*.ipynb"))

by_name = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@by_name
def test_solutions_print_what_the_page_shows(chapter, monkeypatch, one_thread):
    matplotlib.use("agg")
    monkeypatch.setenv("CELLGRAD_DATA", "sample")
    solutions, namespace = solutions_with_output(chapter), {"display": print}
    assert len(solutions) >= 5
    with contextlib.redirect_stdout(io.StringIO()):
        for source in code(chapter.stem[:2]):
            exec(source, namespace)
    for source, shown in solutions:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(source, dict(namespace))
        assert printed.getvalue().rstrip() == shown, source
    matplotlib.pyplot.close("all")


@by_name
def test_every_solution_has_a_hint_before_it(chapter):

    text = "\n".join(c.source for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "markdown")
    folds = re.findall(r"<summary>(Hint|Solution)</summary>", text)
    assert 6 <= len(folds) / 2 <= 8
    assert folds == ["Hint", "Solution"] * (len(folds) // 2)
