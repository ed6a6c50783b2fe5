"""Odd workbooks, each for a kind that people make: the exit code is right, and what the answer must say is in it."""

import json
from pathlib import Path

import pytest

from cellgrad.cli import main

FOLDER = Path(__file__).parent / "workbooks"
EXPECTED = json.loads((FOLDER / "expect.json").read_text(encoding="utf-8"))
SAYS = {
    "16_tanh_act": "another network than the book's, consistent in itself",
    "33_lr_in_table": "a cell of the table",
    "36_lr_text_number": "warning",
    "39_lr_zero": "warning",
    "44_first_row_only_const": "warning",
    "61_one_step_wrong_update": "w3 in G5: the update goes uphill",
    "70_net221": "2-2-1",
    "73_loss_without_half": "another network than the book's, consistent in itself",
    "g6_trained_biases": "its biases b1 and b2 are trained too",
    "gb_delta_helper_wrong": "the helper column AH (δo2): the factor 1 - a_o2 is missing",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_on_an_odd_workbook(name, capsys):
    code = main(["audit", str(FOLDER / name)])
    said = capsys.readouterr()
    assert code in ((0, 1) if EXPECTED[name]["exit"] is None else (EXPECTED[name]["exit"],)), said.out + said.err
    assert ("all right" in said.out) <= (code == 0)
    assert SAYS.get(name.removesuffix(".xlsx"), "") in said.out
    assert said.out.count("another network") <= 1
