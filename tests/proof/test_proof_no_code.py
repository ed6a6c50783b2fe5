"""Nothing that comes as data is run: no pickle, no eval, no formula by accident, no text that a terminal obeys."""

import ast
import base64
import io
import json
import os
import pickle
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from toy_sheets import ToySheet

import cellgrad
from cellgrad import cli, figures, mnist
from cellgrad.checks import visible
from cellgrad.exercises import reading
from cellgrad.figures.page import Figure, svg, text
from cellgrad.spreadsheet.audit import AuditError, audit
from cellgrad.spreadsheet.workbook import write_workbook

torch = pytest.importorskip("torch")

from cellgrad.training import saving, train  # noqa: E402
from cellgrad.training.recipes import RECIPES  # noqa: E402

PACKAGE = Path(cellgrad.__file__).parent
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\r\n  all right: every formula<script>alert(1)</script>\x9b31m"


# Data that is code


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def as_torch_saves(hostile):
    written = io.BytesIO()
    torch.save(hostile, written)
    return written.getvalue()


def in_the_old_format(hostile):
    written = io.BytesIO()
    torch.save(hostile, written, _use_new_zipfile_serialization=False)
    return written.getvalue()


def as_a_script(hostile):
    """An archive that torch would take for a program of its own language."""
    written = io.BytesIO(as_torch_saves(hostile))
    with zipfile.ZipFile(written, "a") as archive:
        archive.writestr("archive/constants.pkl", pickle.dumps(hostile))
    return written.getvalue()


@pytest.mark.parametrize("written", [pickle.dumps, as_torch_saves, in_the_old_format, as_a_script])
@pytest.mark.parametrize("wrapped", [lambda hostile: hostile, lambda hostile: {"recipe": {}, "state": [hostile]}])
def test_a_checkpoint_with_code_in_it(tmp_path, sample, tries, written, wrapped):
    for _ in tries("No code from data", "checkpoints with code in them"):
        mark, out = tmp_path / "mark", tmp_path / "out"
        out.mkdir()
        path = out / "book-seed0-epochs1-sample.checkpoint"
        path.write_bytes(written(wrapped(Payload(mark))))
        with pytest.raises(ValueError, match="cannot be read"):
            train("book", sample, epochs=1, out=out, resume=True, progress=False)
        assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists(), "so it would have been seen"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The content of a weights file that is right, and its metadata."""
    out = tmp_path_factory.mktemp("right")
    sample = mnist.sample()
    few = mnist.Mnist(sample.train[:200], sample.test[:100], "sample", "a test")
    train(RECIPES["fast"], few, epochs=1, out=out, progress=False)
    (path,) = out.iterdir()
    return path.read_bytes()


def changed(content, **metadata):
    """A weights file with other metadata."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] |= metadata
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


def huge(content):
    recipe = RECIPES["fast"].to_dict()
    layers = [dict(layer) for layer in recipe["network"]]
    next(layer for layer in layers if layer["kind"] == "conv")["channels"] = 10**9
    return json.dumps(recipe | {"network": layers})


@pytest.mark.parametrize(
    "metadata",
    [
        *({name: value} for name in ("recipe", "record", "mistakes", "history") for value in ("", "7", "[[[", "null")),
        {"recipe": "[" * 100_000},
        {"recipe": '{"name": "x", "network": [{"kind": "__import__(\'os\')"}]}'},
        {"mistakes": "[1, 2]"},
        {"history": '{"schema": 3, "data": []}'},
        {"recipe": huge},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_weights_that_lie_about_themselves(tmp_path, weights, tries, metadata):
    for _ in tries("No code from data", "weights files that lie about what is in them"):
        path = tmp_path / "weights.safetensors"
        path.write_bytes(changed(weights, **{n: v(weights) if callable(v) else v for n, v in metadata.items()}))
        with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
            saving.load_run(path)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_of_something_else(tmp_path, sample, tries):
    few = mnist.Mnist(sample.train[:200], sample.test[:100], "sample", "a test")
    train("fast", few, epochs=1, out=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    checkpoint = saving.checkpoint_path(path)
    settings = train.__globals__["_settings"]("fast", few, 0, 1, 0)
    right = {"recipe": settings.recipe.to_dict(), "record": settings.named(), "device": "cpu"}
    for _ in tries("No code from data", "checkpoints that lie about what is in them"):
        for wrong in ({"history": [], "state": {}}, {"history": [{}], "state": {}}, {"history": 7, "state": 7}):
            torch.save(right | wrong, checkpoint)
            with pytest.raises(ValueError, match=re.escape(str(checkpoint))):
                train("fast", few, epochs=1, out=tmp_path, resume=True, progress=False, device="cpu")


FORBIDDEN = {"eval", "exec", "compile", "__import__", "execfile"}
RUNS_A_FILE = {"networks/loading.py"}  # `cellgrad network` runs the reader's own file, and says so
READS_AN_ANSWER = {"exercises/reading.py"}  # of the reader's own to an exercise; see the test below


def test_the_source_evaluates_no_text_and_unpickles_nothing(tries):
    for _ in tries("No code from data", "our source read for eval, exec, pickle and their like"):
        for path in PACKAGE.rglob("*.py"):
            where = path.relative_to(PACKAGE).as_posix()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                    roots = {name.partition(".")[0] for name in names}
                    assert not roots & {"pickle", "marshal", "shelve", "dill", "joblib"}, where
                if isinstance(node, ast.Call):
                    name = ast.unparse(node.func)
                    options = {option.arg: ast.unparse(option.value) for option in node.keywords}
                    assert name not in FORBIDDEN or where in RUNS_A_FILE, f"{where}: {name}"
                    assert not name.endswith("parse_expr") or where in READS_AN_ANSWER, f"{where}: {name}"
                    assert not name.endswith("sympify") or options.get("strict") == "True", f"{where}: {name}"
                    assert not name.endswith("read_pickle"), where
                    assert name != "torch.load" or options.get("weights_only") == "True", where
                    assert "allow_pickle" not in options and options.get("shell", "False") == "False", where


CODE = ["__import__('os').getpid()", "().__class__", "x.__class__", "lambda: 1", "x := 1", b"x"]


@pytest.mark.parametrize("answer", CODE, ids=str)
def test_an_answer_to_an_exercise_is_a_formula_or_refused(answer):
    with pytest.raises(reading.Unreadable):
        reading.read_expression(answer)
    assert {str(name) for name in reading.read_expression("exec(1)").free_symbols} == {"exec"}, "a letter like any"


def test_the_scripts_put_no_text_into_a_page_as_markup():
    """But for the picture of a figure itself, which was written, and escaped, in Python."""
    banned = r"\b(?:eval|Function)\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write"
    lines = [line for path in PACKAGE.rglob("*.js") for line in path.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if re.search(banned, line)]
    assert all(line.strip().startswith("still.outerHTML = new TextDecoder().decode(") for line in found)
    assert len(found) <= 1


def test_the_command_that_runs_a_file_says_so(capsys):
    with pytest.raises(SystemExit):
        cli.main(["network", "--help"])
    assert "They do run: this is no sandbox." in " ".join(capsys.readouterr().out.split())


# Text that is obeyed


def obedient(said):
    """What a terminal would obey in what was printed, line by line."""
    return [line for line in said.splitlines() if not line.isprintable()] + [
        line for line in said if line in "\r\u202e"
    ]


def test_visible_text_stands_in_one_line_and_says_the_same():
    assert visible("plain Ä 数字 <b>") == "plain Ä 数字 <b>"
    assert visible(HOSTILE).isprintable() and "\\x1b[2J" in visible(HOSTILE) and "\\u202e" in visible(HOSTILE)
    assert visible(HOSTILE).encode().decode("unicode_escape") == HOSTILE


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not [name for name, _ in attributes if name.startswith("on")]


def test_text_of_a_workbook(tmp_path, capsys, tries):
    """In a sheet's name, in a heading, in a cell and in a formula: in the report, the page and the JSON."""
    path, page = tmp_path / "sheet.xlsx", tmp_path / "page.html"
    title = "\x9b31m\u202e<script>alert(1)"
    for _ in tries("No code from data", "text of a workbook that a terminal or a page would obey"):
        sheet = ToySheet()
        sheet.plant("dE_dw3", "a_h1*2", [2])
        sheet.extra["A1"] = "\x85\u2066<script>alert(2)</script><img src=x onerror=alert(3)>"
        sheet.extra[sheet.rate_cell.replace("$", "")] = "'\u202e<script>0.5"
        sheet.save(path, title=title)
        for options in ([], ["--html", str(page)]):
            assert cli.main(["audit", str(path), *options]) in (1, 2)
            said = capsys.readouterr()
            assert not obedient(said.out) and not obedient(said.err)
            assert "\\x9b31m\\u202e<script>" in said.out + said.err
        html = page.read_text(encoding="utf-8")
        assert "script" not in Tags(html).tags and "img" not in Tags(html).tags
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
        assert cli.main(["audit", str(path), "--json"]) in (1, 2)
        assert capsys.readouterr().out.isascii()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems allow no such names")
def test_names_of_files(tmp_path, monkeypatch, capsys, tries):
    monkeypatch.chdir(tmp_path)
    name = HOSTILE.replace("/", "")
    Path(f"{name}.py").write_text("x = 1\n")
    Path(f"{name}.xlsx").write_text("no workbook")
    Path(name).write_text("no folder")
    commands = [
        ["audit", f"{name}.xlsx"],
        ["audit", f"{name}-absent.xlsx"],
        ["workbook", f"{name}.csv"],
        ["workbook", f"{name}-absent/out.xlsx"],
        ["network", f"{name}.py:Net"],
        ["network", f"{name}.py"],
        ["network", f"{name}-absent.py:Net"],
        ["data", "--data", name],
        ["train", "--recipe", name],
        ["train", "--data", name],
        ["trials", name],
        ["trials", "fast", "--only", name],
        ["trials", "--out", name, "--list"],
        [name],
        ["train", "--epochs", name],
    ]
    monkeypatch.setattr(mnist.socket, "create_connection", lambda *a, **k: (_ for _ in ()).throw(OSError("no network")))
    for number in tries("No code from data", "names of files that a terminal would obey", few=len(commands)):
        try:
            code = cli.main(commands[number])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        assert code in (0, 1, 2) and not obedient(said.out) and not obedient(said.err)
        if code == 2:
            assert said.err.count("\n") == 1, "bad input is one line"


def test_a_page_whose_workbook_has_a_name_without_encoding(tmp_path, capsys):
    path = os.fsencode(tmp_path) + b"/\xff\x1b.xlsx"
    ToySheet().save(tmp_path / "plain.xlsx")
    os.rename(tmp_path / "plain.xlsx", path)
    assert cli.main(["audit", os.fsdecode(path), "--html", str(tmp_path / "page.html")]) == 0
    assert "udcff" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not obedient(capsys.readouterr().out)


def test_figures_and_tables_in_a_notebook(tries):
    for _ in tries("No code from data", "text in figures and tables of a notebook"):
        picture = svg(10, HOSTILE, text(1, 2, HOSTILE))
        html = Figure("bowl", HOSTILE, HOSTILE, picture, {"name": HOSTILE})._repr_html_()
        assert Tags(html).tags.count("script") == 1, "its own"
        still = re.search('base64,([^"]+)', html)[1]
        assert "<script" not in base64.b64decode(still).decode()
        assert "<script" not in pd.DataFrame({HOSTILE: [HOSTILE]})._repr_html_()
    assert figures.Figure is Figure


# Cells that become formulas


def test_no_text_of_ours_is_a_formula_by_accident(tmp_path, tries):
    for _ in tries("No code from data", "cells of our workbook that could be taken for formulas"):
        path = write_workbook(tmp_path / "ours.xlsx", updates=2, learning_rates=(0.1, 2))
        formulas = 0
        for sheet in openpyxl.load_workbook(path):
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type == "s":
                        assert not str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r")), cell.coordinate
                    formulas += cell.data_type == "f"
                    if cell.comment:
                        assert not cell.comment.text.startswith(("=", "+", "-", "@"))
        # 31 columns of three rows in three sheets; inputs and rate linked in two of them; and the sheet of rates:
        # two headings, two losses at the end, three rows of two.
        assert formulas == 31 * 3 * 3 + 15 * 2 + 2 + 2 + 3 * 2


def test_a_hostile_workbook_is_read_and_nothing_else(tmp_path):
    """Formulas that would fetch, run or open something are text to the audit."""
    sheet = ToySheet()
    for row, formula in enumerate(['WEBSERVICE("http://127.0.0.1:9/")', "cmd|' /C calc'!A0", 'HYPERLINK("x",1)']):
        sheet.plant("dE_dw1", formula, [row])
    try:
        assert not audit(sheet.save(tmp_path / "sheet.xlsx")).all_right
    except AuditError as error:
        assert "\n" not in str(error)
