"""Each Part I chapter, alone, where this package is missing and everything else is there: as on Colab."""

import os
import site
import subprocess
import tomllib
import venv
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PART_ONE = sorted(path for path in (ROOT / "book").glob("0[1-5]-*.ipynb"))


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), check=True, text=True, capture_output=True, **options)


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """An environment's Python with all packages but this one, and variables that lead the address to a local clone."""
    folder = tmp_path_factory.mktemp("colab")
    run("git", "clone", "-q", ROOT, folder / "clone")
    run("git", "tag", "-f", f"v{PROJECT['version']}", cwd=folder / "clone")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = run(python, "-c", "import site; print(site.getsitepackages()[-1])").stdout.strip()
    # A path file adds this environment's packages; the path files among them, and so this package, are not followed.
    (Path(packages) / "elsewhere.pth").write_text(site.getsitepackages()[-1])
    run(python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3")
    variables = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(folder / 'clone').as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": PROJECT["urls"]["Repository"],
        "PYTHONPATH": "",
    }
    return python, variables


@pytest.mark.parametrize("chapter", PART_ONE, ids=lambda path: path.stem)
def test_a_chapter_runs_alone(chapter, colab, tmp_path):
    python, variables = colab
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "cellgrad"], env=variables, capture_output=True)
    assert subprocess.run([python, "-c", "import cellgrad"], env=variables, capture_output=True).returncode == 1
    notebook = nbformat.read(chapter, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / chapter.name)
    execute = "from nbclient.cli import main; main()"
    run(python, "-c", execute, "--inplace", chapter.name, cwd=tmp_path, env=variables)
    cells = [c for c in nbformat.read(tmp_path / chapter.name, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [path.name for path in tmp_path.iterdir()] == [chapter.name]
    installed = run(python, "-c", "import cellgrad; print(cellgrad.__file__)", env=variables).stdout
    assert str(python.parents[1]) in installed
