"""The book itself: every chapter is whole, its twin says the same, and the site shows all of it by itself."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
import yaml

import cellgrad

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY, VERSION = PROJECT["urls"]["Repository"], PROJECT["version"]

by_name = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def code_cells(chapter: Path) -> list:
    return [cell for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "code"]


def is_figure(cell) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_the_book_links_to_the_one_configuration(name):
    link = BOOK / name
    assert link.is_symlink() or link.read_text(encoding="utf-8") != f"../{name}", (
        f"book/{name} is no link but a file with its target in it: this checkout was made without symbolic links. "
        f"On Windows: git config core.symlinks true, then check out again (developer mode must be on)."
    )
    assert link.resolve() == (ROOT / name).resolve()


def test_every_chapter_is_in_the_table_of_contents():
    assert {path.stem for path in CHAPTERS} == {page for page in PAGES if page[0].isdigit()}


@by_name
def test_cells_ran_once_top_to_bottom_without_errors(chapter):
    cells = code_cells(chapter)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_make_lint_says_where_a_twin_differs(tmp_path):
    name = CHAPTERS[0].stem
    for folder in ("tools", "book/twins"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("jupytext.toml", "tools/notebooks.py", f"book/{name}.ipynb", f"book/twins/{name}.py"):
        shutil.copy(BOOK.parent / file, tmp_path / file)
    command = [sys.executable, tmp_path / "tools/notebooks.py", "check"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    twin = tmp_path / f"book/twins/{name}.py"
    twin.write_text(twin.read_text(encoding="utf-8") + "\n\nmore = 1\n", encoding="utf-8")
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 1
    assert re.match(rf"{name}: (cell \d+ differs|the chapter has \d+ cells)", said.stderr)


@by_name
def test_the_twin_says_the_same(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    twin = jupytext.read(BOOK / "twins" / f"{chapter.stem}.py")
    assert notebook.metadata.kernelspec == twin.metadata.kernelspec
    for cell in twin.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines in the twin
    ours, theirs = ([(c.cell_type, c.source, c.metadata) for c in nb.cells] for nb in (notebook, twin))
    assert ours == theirs


@by_name
def test_every_figure_has_alternative_text(chapter):
    figures = [cell for cell in code_cells(chapter) if is_figure(cell)]
    assert figures
    for cell in figures:
        text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(text) > 40, cell.source


@by_name
def test_cells_are_short_and_what_nbval_skips_is_little(chapter):
    cells = code_cells(chapter)
    assert max(len(cell.source.splitlines()) for cell in cells) <= 25
    assert max(len(line) for cell in cells[1:] for line in cell.source.splitlines()) <= 84, (
        "longer lines scroll on the page"
    )
    unchecked = [cell for cell in cells if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    limit = 0 if chapter.stem < "06" else 0.7 * len(cells)
    assert len(unchecked) <= limit, "Part I is compared cell by cell; only what is trained may vary"
    assert not [cell for cell in cells if {"nbval-skip", "raises-exception"} & set(cell.metadata.get("tags", []))]


@by_name
def test_chapters_have_the_skeleton(chapter):
    text = "\n".join(c.source for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "markdown")
    for part in ("**You will be able to**", "**You need**", "## Recap", "## Exercises", "## What's next"):
        assert part in text, part
    assert text.count("<summary>Solution</summary>") >= 2
    assert not re.search(r"^:::|\{[a-z]+\}`", text, flags=re.M), "Colab shows directives and roles as raw text"


@by_name
def test_the_first_cell_installs_the_package_where_it_is_missing(chapter):
    first, *rest = code_cells(chapter)
    assert first.source == code_cells(CHAPTERS[0])[0].source
    assert first.metadata.tags == ["hide-input"]
    assert f'"git+{REPOSITORY}@v{VERSION}"' in first.source
    assert not [cell for cell in rest if "pip install" in cell.source]


@pytest.mark.parametrize("owner", ["your--account", "somebody"])
def test_where_nobody_owns_the_address_the_first_cell_says_what_to_do(owner, monkeypatch, capsys):
    cell = code_cells(CHAPTERS[0])[0].source
    installed = []
    notebook = SimpleNamespace(run_line_magic=lambda magic, line: installed.append(line))
    monkeypatch.setitem(sys.modules, "cellgrad", None)  # as if it were not installed
    exec(re.sub(r"github\.com/[\w-]+", f"github.com/{owner}", cell), {"get_ipython": lambda: notebook})
    said = capsys.readouterr().out
    assert len(installed) == 1 and f"{owner}/" in installed[0]
    assert len(said.splitlines()) == (1 if "--" in owner else 0)


def test_an_address_that_is_not_the_books_own_cannot_be_registered_by_a_stranger():
    """GitHub allows no two hyphens in a row in an account's name."""
    owner = REPOSITORY.split("/")[-2]
    here = subprocess.run(["git", "remote", "-v"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "--" in owner or REPOSITORY.removeprefix("https://github.com/") in here.replace(":", "/")


def test_the_repositorys_address_is_the_same_everywhere():
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", REPOSITORY)
    assert yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"] == REPOSITORY
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == REPOSITORY
    path = REPOSITORY.removeprefix("https://github.com/")
    for name in ("README.md", *(f"book/{c.name}" for c in CHAPTERS), *(f"book/twins/{c.stem}.py" for c in CHAPTERS)):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"github.com/{path}" in text, name


def test_links_lead_to_the_version_that_the_first_cell_installs():
    assert yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["branch"] == f"v{VERSION}"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == VERSION
    assert cellgrad.__version__ == VERSION


def test_changing_the_address_and_the_version_changes_them_everywhere(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    tool = [sys.executable, clone / "tools" / "repository.py"]

    for arguments, remedy in ((["example.org/x"], "OWNER/NAME"), (["--version", "three"], "1.2.3"), ([], "OWNER/NAME")):
        bad = subprocess.run([*tool, *arguments], capture_output=True, text=True)
        assert bad.returncode == 2 and remedy in bad.stderr
    assert subprocess.run(["git", "diff", "--quiet"], cwd=clone).returncode == 0
    arguments = ["https://github.com/someone/their-book", "--version", "98.76.54"]
    subprocess.run([*tool, *arguments], check=True, stdout=subprocess.PIPE)

    def files_with(text: str) -> set[str]:
        found = subprocess.run(["git", "grep", "-lF", text], cwd=clone, capture_output=True, text=True)
        return set(found.stdout.split())

    chapters = {f"book/{c.name}" for c in CHAPTERS} | {f"book/twins/{c.stem}.py" for c in CHAPTERS}
    assert not files_with(REPOSITORY.removeprefix("https://"))
    assert files_with("github.com/someone/their-book") >= chapters
    others = {"pyproject.toml", "src/cellgrad/__init__.py", "_config.yml", "CITATION.cff"}
    assert files_with("98.76.54") - {"tests/book/test_book.py"} == chapters | others


def article(page: Path) -> str:
    html = page.read_text(encoding="utf-8")
    return html[html.index("<article") : html.index("</article>")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there_and_not_empty(site, page):
    words = re.sub(r"<[^>]+>", " ", article(site / f"{page}.html")).split()
    assert len(words) > 100 or page == "references"
    assert len(words) > 50


@pytest.mark.parametrize("chapter", [path.stem for path in CHAPTERS])
def test_pages_have_their_figures_their_alternative_texts_and_the_colab_button(site, chapter):
    figures = sum(is_figure(cell) for cell in code_cells(BOOK / f"{chapter}.ipynb"))
    alternatives = re.findall(r'<img alt="([^"]*)"', article(site / f"{chapter}.html"))
    assert len(alternatives) == figures and min(map(len, alternatives)) > 40
    address = REPOSITORY.removeprefix("https://github.com/")
    html = (site / f"{chapter}.html").read_text(encoding="utf-8")
    assert f"https://colab.research.google.com/github/{address}/blob/v{VERSION}/book/{chapter}.ipynb" in html
