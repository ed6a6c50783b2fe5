"""What `pytest --nbval` checks of a chapter besides its outputs, in the one run that nbval gives it.

nbval runs a notebook's cells on a fresh kernel and compares their outputs with the stored ones, but for pictures. To
its tests of a notebook this adds three kinds. `figures`: each picture looks as the stored one does. `alone`: the cells
opened no file of the repository besides the package, so that the notebook runs where it stands alone, as on Colab.
`solution N`: the solutions of its exercises run, each with the names that the cells have left, and none disturbs
another's; each prints what the page shows below it, unless the page says that it does so "with us"; and where it gives
its answer to `check`, the answer is right.
"""

import base64
import re
from itertools import groupby
from pathlib import Path

import nbformat
import pytest
from matplotlib.testing.compare import compare_images
from matplotlib.testing.exceptions import ImageComparisonFailure
from nbval.plugin import IPyNbCell, IPyNbFile

ROOT = Path(__file__).parents[1]

# The root of the mean squared difference of the pixels, of 255. The same picture differs by 0, a changed label by more.
TOLERANCE = 1.0

# Who trains in a solution does it on the sample: the chapter has just shown all digits, and this is done in seconds.
BEFORE_SOLUTIONS = """
import os
os.environ["CELLGRAD_DATA"] = "sample"
"""

WATCH = f"""
def _watched():
    import os, site, sys
    from pathlib import Path

    ours = Path({str(ROOT)!r}).resolve()
    allowed = [ours / "src", ours / ".venv", Path(sys.prefix).resolve(), *map(Path, site.getsitepackages())]
    opened = set()

    def watch(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = Path(os.path.abspath(os.fsdecode(arguments[0])))
            # A name below an open folder (dir_fd) looks like one beside the notebook: nothing is there.
            if path.is_relative_to(ours) and path.is_file() and not any(map(path.is_relative_to, allowed)):
                opened.add(str(path))

    sys.addaudithook(watch)
    return opened

import builtins
builtins._files_of_the_repository = _watched()
del _watched, builtins
"""

SOLUTION = """
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as _printed:
    exec(compile({source!r}, {name!r}, "exec"), dict(globals()))
_printed = _printed.getvalue().rstrip()
assert {shown!r} is None or _printed == {shown!r}, f"the page shows something else than {{_printed}}"
# What was counted on all digits cannot be right on the sample.
_sample = getattr(globals().get("data"), "kind", "") == "sample"
assert "check(" not in {source!r} or _printed.endswith("Right.") or _sample, f"not right: {{_printed}}"
"""

ASK = """
import builtins
assert not builtins._files_of_the_repository, (
    f"the chapter cannot stand alone, it opened {sorted(builtins._files_of_the_repository)}"
)
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put our tests of each notebook among nbval's, before any are deselected."""
    ours = []
    for file, group in groupby(items, key=lambda item: item.parent):
        cells = list(group)
        whole = isinstance(file, IPyNbFile) and len(cells) == sum(cell.cell_type == "code" for cell in file.nb.cells)
        ours += _around(file, cells) if whole else cells
    items[:] = ours


def _around(file: IPyNbFile, cells: list[IPyNbCell]) -> list[pytest.Item]:
    for cell in cells:
        cell.output_timeout = 60  # of nbval's own five seconds, a busy machine takes more
    after = [Figures.from_parent(file, name="figures", cells=cells)]
    after.append(_step(file, "alone", ASK, cells))
    for number, (source, shown) in enumerate(solutions(file.nb), start=1):
        code = SOLUTION.format(source=source, shown=shown, name=f"solution {number}")
        after.append(_step(file, f"solution {number}", BEFORE_SOLUTIONS + code, cells))
    return [_step(file, "watch", WATCH, []), *cells, *after]


def solutions(notebook: nbformat.NotebookNode) -> list[tuple[str, str | None]]:
    """The code of each solution in a notebook's text, and what the page shows that it prints, if it always does."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = []
    for solution in re.findall(r"<summary>Solution</summary>(.*?)</details>", text, flags=re.S):
        code, shown = (re.findall(rf"```{kind}\n(.*?)\n?```", solution, flags=re.S) for kind in ("python", "text"))
        if code:
            always = shown and "With us" not in solution
            found.append(("\n".join(code), "\n".join(shown).rstrip() if always else None))
    return found


def _step(file: IPyNbFile, name: str, source: str, cells: list[IPyNbCell]) -> "Step":
    step = Step.from_parent(file, name=name, cell_num=-1, cell=nbformat.v4.new_code_cell(source), options=_OPTIONS)
    step.cells = cells
    return step


_OPTIONS = {"check": False, "skip": False, "check_exception": False}


class Step(IPyNbCell):
    """Code that runs on the notebook's kernel like a cell, without being one."""

    def setup(self) -> None:
        """Nothing of it means anything where a cell before it was left out."""
        if any(cell.test_outputs is None for cell in self.cells):
            pytest.skip("not all cells of the notebook have run")

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::{self.name}"


class Figures(pytest.Item):
    """Compares the pictures that the cells drew just now with the stored ones, cell by cell."""

    def __init__(self, cells: list[IPyNbCell], **node: object) -> None:
        super().__init__(**node)
        self.cells = cells

    def runtest(self) -> None:
        folder = self.config._tmp_path_factory.mktemp(f"figures-of-{self.path.stem}", numbered=True)
        wrong = []
        for cell in self.cells:
            if cell.test_outputs is None:
                continue
            stored, fresh = pictures(cell.cell.outputs), pictures(cell.test_outputs)
            if len(stored) != len(fresh):
                wrong.append(f"{cell.name}: {len(fresh)} pictures, {len(stored)} are stored")
            elif cell.options["check"]:  # what is trained may look different
                pairs = enumerate(zip(stored, fresh, strict=True))
                said = [difference(folder / f"{cell.name} {number}".replace(" ", "-"), *pair) for number, pair in pairs]
                wrong += [f"{cell.name}: {message}" for message in said if message]
        if wrong:
            raise FigureChanged("\n".join(wrong))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        if isinstance(excinfo.value, FigureChanged):
            return f"{excinfo.value}\nWhere the change is meant: make execute CHAPTERS={self.path.stem[:2]}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::{self.name}"


class FigureChanged(Exception):
    """A picture is not the stored one."""


def pictures(outputs: list[nbformat.NotebookNode]) -> list[bytes]:
    """The PNG files among a cell's outputs."""
    return [
        base64.b64decode(output["data"]["image/png"]) for output in outputs if "image/png" in output.get("data", {})
    ]


def difference(folder: Path, stored: bytes, fresh: bytes) -> str | None:
    """How two pictures differ, and where both can be looked at beside the difference; None where they do not."""
    folder.mkdir()
    paths = [folder / "stored.png", folder / "fresh.png"]
    for path, content in zip(paths, (stored, fresh), strict=True):
        path.write_bytes(content)
    try:
        found = compare_images(*map(str, paths), tol=TOLERANCE, in_decorator=True)
    except (ImageComparisonFailure, OSError, SyntaxError, ValueError) as error:  # other sizes, or no PNG at all
        return f"{error} (in {folder})"
    return f"differs by {found['rms']:.2f} of 255, more than {TOLERANCE} (in {folder})" if found else None
