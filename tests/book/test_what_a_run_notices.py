"""`pytest --nbval` notices what it should: one run over notebooks that each have one thing wrong."""

import base64
import copy
import io
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
FIGURE = (
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4], label='one')\nplt.legend()\nplt.show()"
)
SOLUTIONS = """
<details><summary>Solution</summary>

```python
seven = 8
assert eight == 8
```
</details>
<details><summary>Solution</summary>

```python
assert seven == 7
print("seven")
check = print
check("Right.")
```

```text
seven
Right.
```
</details>
"""


def with_pixels_changed(png: bytes) -> bytes:
    """The picture with one small square of another colour, about as large as a digit on a label."""
    image = matplotlib.image.imread(io.BytesIO(png)).copy()
    image[20:32, 20:28] = 1 - np.round(image[20:32, 20:28])
    changed = io.BytesIO()
    matplotlib.image.imsave(changed, image)
    return changed.getvalue()


def with_a_figure(notebook, change):
    """The notebook with its stored figure changed."""
    data = next(output for output in notebook.cells[1].outputs if "image/png" in output.get("data", {})).data
    data["image/png"] = base64.b64encode(change(base64.b64decode(data["image/png"]))).decode()
    return notebook


def without_a_figure(notebook):
    notebook.cells[1].outputs = [o for o in notebook.cells[1].outputs if "image/png" not in o.get("data", {})]
    return notebook


def tagged(notebook):
    notebook.cells[1].metadata["tags"] = ["nbval-ignore-output"]
    return with_a_figure(notebook, with_pixels_changed)


def with_text(notebook):
    notebook.cells[0].outputs[0].data["text/plain"] = "6"
    return notebook


def with_source(cell, source, notebook):
    notebook.cells[cell].source = source
    return notebook


# What is done to a good notebook, and which of its tests then fail.
WRONG = {
    "good": (lambda n: n, set()),
    "figure-changed": (lambda n: with_a_figure(n, with_pixels_changed), {"figures"}),
    "figure-corrupted": (lambda n: with_a_figure(n, lambda png: png[: len(png) // 2]), {"figures"}),
    "figure-of-another-size": (
        lambda n: with_source(1, FIGURE.replace("plt.plot", "plt.figure(figsize=(3, 3)).gca().plot"), n),
        {"figures", "Cell 1"},
    ),
    "figure-gone": (without_a_figure, {"figures", "Cell 1"}),
    "figure-of-a-training": (tagged, set()),
    "text-changed": (with_text, {"Cell 0"}),
    "reads-the-repository": (
        lambda n: with_source(2, f"eight = 8\ntext = open({str(ROOT / 'README.md')!r}).read()", n),
        {"alone"},
    ),
    "solution-wrong": (lambda n: with_source(3, SOLUTIONS.replace("eight == 8", "eight == 9"), n), {"solution 1"}),
    "solution-prints-something-else": (
        lambda n: with_source(3, SOLUTIONS.replace('print("seven")', 'print("eight")'), n),
        {"solution 2"},
    ),
    "solution-prints-something-else-with-us": (
        lambda n: with_source(3, SOLUTIONS.replace("```text", "With us:\n\n```text").replace('t("sev', 't("elev'), n),
        set(),
    ),
    "solution-not-right": (
        lambda n: with_source(3, SOLUTIONS.replace("Right.", "Not yet."), n),
        {"solution 2"},
    ),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """For each of the notebooks: its tests, and whether they passed."""
    folder = tmp_path_factory.mktemp("notebooks")
    cells = [new_code_cell("seven = 7\nseven"), new_code_cell(FIGURE), new_code_cell("eight = 8")]
    good = new_notebook(cells=[*cells, new_markdown_cell(SOLUTIONS)])
    good.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(good, timeout=600).execute()
    for name, (change, _) in WRONG.items():
        nbformat.write(change(copy.deepcopy(good)), folder / f"{name}.ipynb")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --nbval --nbval-current-env -p chapters\n")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "results.xml"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL,
    )
    found = {}
    for case in ElementTree.parse(folder / "results.xml").iter("testcase"):
        name = case.get("classname").rpartition(".")[0] or case.get("classname")
        found.setdefault(name, {})[case.get("name")] = case.find("failure") is None and case.find("error") is None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_run_notices(verdicts, name):
    tests = next(tests for notebook, tests in verdicts.items() if notebook.removesuffix(".ipynb") == name)
    assert {"Cell 0", "Cell 1", "Cell 2", "figures", "alone", "solution 1", "solution 2"} <= set(tests)
    assert {test for test, passed in tests.items() if not passed} == WRONG[name][1]
