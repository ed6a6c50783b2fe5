"""The solutions of the exercises run, in the chapter that they belong to."""

import re
from pathlib import Path

import matplotlib
import nbformat
import pytest

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_solutions_run(chapter, monkeypatch, capsys):
    matplotlib.use("agg")
    monkeypatch.setenv("CELLGRAD_DATA", "sample")  # enough to run them, and trains in seconds
    cells = nbformat.read(chapter, as_version=4).cells
    namespace = {"display": print}
    for cell in cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, chapter.name, "exec"), namespace)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    solutions = re.findall(r"<summary>Solution</summary>(.*?)</details>", text, flags=re.S)
    blocks = [block for solution in solutions for block in re.findall(r"```python\n(.*?)```", solution, flags=re.S)]
    assert len(solutions) >= 2 and blocks
    for block in blocks:
        exec(compile(block, f"a solution in {chapter.name}", "exec"), dict(namespace))
    matplotlib.pyplot.close("all")
