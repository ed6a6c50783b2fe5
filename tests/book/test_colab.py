"""The first cell of every chapter, where this package is missing and everything else is there: as on Colab."""

import ast
import os
import re
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHAPTER = ROOT / "book" / "01-the-network.ipynb"


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """An environment's Python with all packages but this one, and variables that lead the address to a local clone."""
    folder = tmp_path_factory.mktemp("colab")
    run("git", "clone", "-q", ROOT, folder / "clone")
    run("git", "tag", "-f", f"v{PROJECT['version']}", cwd=folder / "clone")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # Not site.getsitepackages: Debian's Python names folders there that it does not make.
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    # A path file adds this environment's packages; the path files among them, and so this package, are not followed.
    (Path(packages) / "elsewhere.pth").write_text(sysconfig.get_path("purelib"))
    run(python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3")
    variables = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(folder / 'clone').as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": PROJECT["urls"]["Repository"],
        "PYTHONPATH": "",
    }
    return python, variables


@pytest.mark.slow
def test_the_first_cell_installs_all_of_the_package(colab, tmp_path):
    """Where it is missing, as on Colab. That chapters need nothing else of the repository, their own run checks."""
    python, variables = colab
    assert subprocess.run([python, "-c", "import cellgrad"], env=variables, capture_output=True).returncode == 1
    first = next(cell for cell in nbformat.read(CHAPTER, as_version=4).cells if cell.cell_type == "code")
    where = nbformat.v4.new_code_cell("import cellgrad.cli\ncellgrad.__file__")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(first.source), where])
    nbformat.write(notebook, tmp_path / "alone.ipynb")
    execute = "from nbclient.cli import main; main()"
    run(python, "-c", execute, "--inplace", "alone.ipynb", cwd=tmp_path, env=variables)
    output = nbformat.read(tmp_path / "alone.ipynb", as_version=4).cells[1].outputs[0]
    installed = Path(ast.literal_eval(output.data["text/plain"])).parent
    assert installed.is_relative_to(python.parents[1])
    tracked = run("git", "ls-files", "src/cellgrad", cwd=ROOT).stdout.split()
    missing = [name for name in tracked if not (installed / Path(name).relative_to("src/cellgrad")).is_file()]
    assert len(tracked) > 50 and not missing


@pytest.mark.parametrize("chapter", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_links_and_pictures_need_no_site(chapter):
    """Colab makes a link absolute that is a file's name beside the notebook; JupyterLab opens that file."""
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", cell.source, flags=re.S)
            for target in filter(None, re.findall(r"\]\(([^)#\s]*)", text)):
                assert target.startswith("http") or ((chapter.parent / target).is_file() and "/" not in target), target
            assert "<img" not in text and not re.search(r"!\[[^]]*\]\((?!attachment:)", text)
