import json
import subprocess
import sys

import pytest

from cellgrad.cli import main


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_data_says_what_it_found(capsys):
    assert main(["data", "--data", "sample"]) == 0
    assert capsys.readouterr().out == (
        "MNIST, sample: 4,000 digits to train and 1,000 to test, from embedded in the package\n"
    )


def test_train_ends_with_one_line_of_json(capsys):
    assert main(["train", "--data", "sample", "--epochs", "1", "--out", "here", "--json"]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"recipe": "book", "seed": 0, "parameters": 14_392, "epochs": 1, "data": "sample"}.items() <= record.items()
    assert 0.5 < record["test_accuracy"] < 1 and record["seconds"] > 0 and record["device"]


def test_train_for_people_says_that_it_was_the_sample(capsys):
    assert main(["train", "--data", "sample", "--epochs", "1", "--validation", "100"]) == 0
    said = capsys.readouterr().out
    assert (
        "validation_accuracy" in said
        and "embedded sample" in said
        and "runs/book-seed0.safetensors" in said.replace("\\", "/")
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["train", "--recipe", "magic"],
        ["train", "--epochs", "many"],
        ["train", "--epochs", "0", "--data", "sample"],
        ["train", "--seed", "-1", "--data", "sample"],
        ["train", "--validation", "99999", "--data", "sample"],
        ["train", "--device", "quantum", "--data", "sample"],
        ["train", "--resume", "--data", "sample"],
        ["train", "--out", "file/below", "--data", "sample"],
        ["train", "--data", "file"],
        ["data", "--data", "file"],
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(arguments, capsys, tmp_path):
    (tmp_path / "file").write_text("precious")
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("cellgrad")]
    assert code == 2 and len(lines) == 1 and len(lines[0]) > 20 and not said.out
    assert "Traceback" not in said.err
    assert (tmp_path / "file").read_text() == "precious"


def test_python_m_is_the_same_command():
    ran = subprocess.run([sys.executable, "-m", "cellgrad", "--version"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.strip() == "0.1.0"


def test_the_command_itself_starts_without_torch():
    code = "import sys, cellgrad.cli; cellgrad.cli._arguments().format_help(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
