import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import openpyxl
import pytest
import torch

import cellgrad
from cellgrad.cli import main
from cellgrad.training.recipes import RECIPES


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_data_says_what_it_found(capsys):
    assert main(["data", "--data", "sample"]) == 0
    assert capsys.readouterr().out == (
        "MNIST, sample: 4,000 digits to train and 1,000 to test, from embedded in the package\n"
    )


def test_the_help_names_every_recipe(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert all(re.search(rf"\b{name}\b(?!-)", said) for name in RECIPES)


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
        and "runs/book-seed0-epochs1-validation100-sample.safetensors" in said.replace("\\", "/")
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
        ["train", "--epochs", "0", "--seeds", "1", "--data", "sample"],
        ["train", "--seed", "7", "--seeds", "1", "--data", "sample"],
        ["train", "--set", "n=1", "--data", "sample"],
        ["trials", "--list", "luck", "--only", "nix"],
        ["network", "book", "--input", "-1", "28", "28"],
        ["network", "book", "--input", "99999999999999999999", "28", "28"],
        ["network", "book", "--set", f"n={'-' * 3000}1"],
        ["workbook", "mine.txt"],
        ["workbook", "mine.xlsx", "--learning-rate", "-1"],
        ["workbook", "mine.xlsx", "--learning-rate", "nan"],
        ["workbook", "mine.xlsx", "--updates", "-1"],
        ["workbook", "mine.xlsx", "--updates", "2000000"],
        ["workbook", "mine.xlsx", "--targets", "0.5"],
        ["workbook", "absent/mine.xlsx"],
        ["audit", "file"],
        ["audit", "absent.xlsx"],
        ["audit", "."],
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


# More epochs than any machine is through with before the signal comes, and Ctrl-C heard also where the tests themselves
# run in the background, whose children are deaf to it.
LONG_RUN = """
import signal, sys
from cellgrad.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(["train", "--recipe", "fast", "--data", "sample", "--epochs", "10000", *sys.argv[1:]]))
"""


def epochs_saved(checkpoint):
    return torch.load(checkpoint)["history"] if checkpoint.exists() else []


def interrupt(checkpoint, *options):
    """Start the long run, press Ctrl-C once it has saved one epoch more; return what it said and has saved."""
    before = len(epochs_saved(checkpoint))
    running = subprocess.Popen([sys.executable, "-c", LONG_RUN, *options], stderr=subprocess.PIPE, text=True)
    while len(epochs_saved(checkpoint)) <= before:
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130 and "Traceback" not in said
    return said, epochs_saved(checkpoint)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal as a terminal does")
def test_control_c_keeps_the_finished_epochs(tmp_path):
    checkpoint = tmp_path / "runs" / "fast-seed0-epochs10000-sample.checkpoint"
    said, first = interrupt(checkpoint)
    assert "--resume" in said and first
    _, second = interrupt(checkpoint, "--resume")
    assert second[: len(first)] == first and len(second) > len(first)


def test_workbook_then_audit(capsys, tmp_path):
    assert main(["workbook", "mine.xlsx", "--learning-rate", "0.5", "--updates", "7", "--targets", "0.01", "0.99"]) == 0
    assert "7 updates at learning rate 0.5" in capsys.readouterr().out
    assert main(["audit", "mine.xlsx"]) == 0
    assert "all right" in capsys.readouterr().out
    book = openpyxl.load_workbook("mine.xlsx")
    book["Descent"]["Y14"] = "=Y13"  # a derivative that is not computed but copied
    book.save("mine.xlsx")
    assert main(["audit", "mine.xlsx", "--json"]) == 1
    table = json.loads(capsys.readouterr().out)["tables"][0]
    assert (table["sheet"], table["range"], table["learning_rate"]) == ("Descent", "B11:AF19", 0.5)
    (finding,) = table["findings"]
    assert set(finding) == {"column", "cells", "severity", "expected", "found", "message"}
    assert (finding["column"], finding["cells"], finding["severity"]) == ("dE_dw1", "Y14", "error")


def test_python_m_is_the_same_command():
    ran = subprocess.run([sys.executable, "-m", "cellgrad", "--version"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.strip() == cellgrad.__version__


def test_the_command_itself_starts_without_torch():
    code = "import sys, cellgrad.cli; cellgrad.cli._arguments().format_help(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


NARROW = ["ascii", "cp1252"]


def in_a_narrow_terminal(encoding, *arguments):
    """What the command says where the output's encoding has no Greek letter, no ± and no …"""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
    for stream in streams:
        stream.flush()
    return code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)


@pytest.mark.parametrize("encoding", NARROW)
def test_a_process_with_a_narrow_encoding_ends_well(encoding):
    variables = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "cellgrad", "workbook", "η.xlsx", "--updates", "3"]
    ran = subprocess.run(command, capture_output=True, env=variables)
    assert ran.returncode == 0 and b"3 updates" in ran.stdout and not ran.stderr
    assert openpyxl.load_workbook("η.xlsx")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", NARROW)
def test_work_that_is_done_is_never_lost_to_a_narrow_encoding(encoding, tmp_path):
    code, said, _ = in_a_narrow_terminal(encoding, "workbook", "η.xlsx", "--updates", "3")
    assert code == 0 and "3 updates" in said and openpyxl.load_workbook("η.xlsx")
    code, said, _ = in_a_narrow_terminal(encoding, "audit", "η.xlsx")
    assert code == 0 and "all right" in said
    code, said, _ = in_a_narrow_terminal(encoding, "audit", "η.xlsx", "--json")
    assert code == 0 and json.loads(said)["path"] == "η.xlsx"

    settings = ("--recipe", "fast", "--data", "sample", "--epochs", "1", "--out", "η…")
    code, said, _ = in_a_narrow_terminal(encoding, "train", *settings)
    assert code == 0 and ".safetensors" in said and len(list((tmp_path / "η…").iterdir())) == 1
    code, said, _ = in_a_narrow_terminal(encoding, "trials", "--list", "--out", "η…")
    assert code == 0 and "recipes" in said
    code, said, _ = in_a_narrow_terminal(encoding, "data", "--data", "sample")
    assert code == 0 and "4,000" in said


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["trials", "--help"], ["workbook", "--help"]])
def test_help_shows_in_a_narrow_encoding(encoding, command):
    code, said, _ = in_a_narrow_terminal(encoding, *command)
    assert code == 0 and "usage" in said


@pytest.mark.parametrize("encoding", NARROW)
def test_what_was_wrong_is_said_in_a_narrow_encoding(encoding):
    code, said, complaint = in_a_narrow_terminal(encoding, "audit", "α…β.xlsx")
    assert code == 2 and not said and complaint.startswith("cellgrad: ") and len(complaint.splitlines()) == 1
    code, said, complaint = in_a_narrow_terminal(encoding, "train", "--recipe", "λ±")
    assert code == 2 and not said and complaint.startswith("cellgrad: ") and len(complaint.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="a name that is no text exists on POSIX alone")
def test_a_file_whose_name_is_no_text_is_audited(tmp_path):
    main(["workbook", "fine.xlsx", "--updates", "2"])
    name = os.fsdecode(b"caf\xe9.xlsx")
    os.rename("fine.xlsx", name)
    ran = subprocess.run([sys.executable, "-m", "cellgrad", "audit", name, "--json"], capture_output=True, text=True)
    assert ran.returncode == 0 and not ran.stderr
    assert os.fsencode(json.loads(ran.stdout)["path"]) == b"caf\xe9.xlsx"


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as head does")
def test_a_reader_who_has_heard_enough_ends_it_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "cellgrad", "trials", "--list"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert ran.returncode == 128 + signal.SIGPIPE and not ran.stderr


@pytest.mark.parametrize(("missing", "extra"), [("torch", "train"), ("distributed", "cluster"), ("scipy", "train")])
def test_a_missing_package_is_named_with_what_installs_it(missing, extra, monkeypatch, capsys):
    def needs_it(options):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr("cellgrad.cli._data", needs_it)
    assert main(["data"]) == 2
    said = capsys.readouterr().err
    assert missing in said and f"pip install 'cellgrad[{extra}]'" in said and len(said.splitlines()) == 1
