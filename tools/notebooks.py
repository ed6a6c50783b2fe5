"""Re-run the chapters and keep their text twins: `notebooks.py COMMAND [NAME…]`.

`execute` runs each chapter top to bottom on a fresh kernel, stores the outputs and refreshes its twin.
`from-twins` takes the text of the twins over into the chapters. Where code has changed, too, the outputs wait for
`execute`; otherwise they stay.
`check` changes nothing: it fails, and says where, if a chapter and its twin differ.
NAME picks chapters by the beginning of their file names; all of them when there is none.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.config import load_jupytext_config
from nbclient import NotebookClient
from tqdm import tqdm

BOOK = Path(__file__).parents[1] / "book"
TWINS = BOOK / "twins"


def write_twin(notebook: nbformat.NotebookNode, name: str) -> None:
    """Write the text twin, with the metadata that jupytext.toml keeps."""
    keep = load_jupytext_config(str(TWINS)).notebook_metadata_filter
    text = nbformat.from_dict(notebook)
    text.metadata = {"kernelspec": notebook.metadata.kernelspec, "jupytext": {"notebook_metadata_filter": keep}}
    jupytext.write(text, TWINS / f"{name}.py", fmt="py:percent")


def read_twin(name: str) -> nbformat.NotebookNode:
    """The chapter that a twin describes, without outputs and with cell names that do not change by chance."""
    notebook = jupytext.read(TWINS / f"{name}.py")
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines in the twin
    return notebook


def keep_outputs(notebook: nbformat.NotebookNode, before: Path) -> None:
    """Take the outputs over from the chapter as it was, if all its code is the same."""
    if before.exists():
        ours, theirs = ([c for c in nb.cells if c.cell_type == "code"] for nb in (notebook, nbformat.read(before, 4)))
        if [c.source for c in ours] == [c.source for c in theirs]:
            for cell, old in zip(ours, theirs, strict=True):
                cell.outputs, cell.execution_count = old.outputs, old.execution_count


def differences(name: str) -> str | None:
    """Where a chapter and its twin first say different things; None where they say the same."""
    if not (BOOK / f"{name}.ipynb").exists() or not (TWINS / f"{name}.py").exists():
        return "there is only one of the two"
    notebook = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
    ours, theirs = ([(c.cell_type, c.source, c.metadata) for c in nb.cells] for nb in (notebook, read_twin(name)))
    if len(ours) != len(theirs):
        return f"the chapter has {len(ours)} cells, the twin {len(theirs)}"
    return next(
        (f"cell {n} differs" for n, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]), None
    )


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run on a fresh kernel, in the book's folder. Progress bars are not kept; anything else on stderr is an error."""
    where = {"metadata": {"path": BOOK}}
    NotebookClient(notebook, timeout=1200, record_timing=False, coalesce_streams=True, resources=where).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            stderr = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
            messages = [line for line in re.split(r"[\r\n]+", stderr) if line.strip() and "%|" not in line]
            if messages:
                raise SystemExit(f"stderr of the cell that starts with {cell.source[:60]!r}: {messages[:5]}")
            cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}


def main() -> None:
    command, *names = sys.argv[1:] or [""]
    if command == "execute":
        for path in tqdm(
            sorted(p for p in BOOK.glob("*.ipynb") if p.name.startswith(tuple(names) or "")), unit="chapter"
        ):
            notebook = nbformat.read(path, as_version=4)
            execute(notebook)
            nbformat.write(notebook, path)
            write_twin(notebook, path.stem)
    elif command == "from-twins":
        for path in sorted(p for p in TWINS.glob("*.py") if p.name.startswith(tuple(names) or "")):
            notebook, chapter = read_twin(path.stem), BOOK / f"{path.stem}.ipynb"
            keep_outputs(notebook, chapter)
            nbformat.write(notebook, chapter)
    elif command == "check":
        chapters = sorted({path.stem for path in (*BOOK.glob("*.ipynb"), *TWINS.glob("*.py"))})
        found = {name: differences(name) for name in chapters if name.startswith(tuple(names) or "")}
        wrong = [f"{name}: {difference}" for name, difference in found.items() if difference]
        if wrong:
            wrong.append("Take the text over from the side that you edited: make from-twins, or make execute")
            raise SystemExit("\n".join(wrong))
    else:
        raise SystemExit(__doc__)


main()
