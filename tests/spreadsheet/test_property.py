"""Either the numbers stay those of the descent, or the audit objects: a right sheet changed anywhere."""

import random
import re

import pytest
from daily import daily
from toy_sheets import COLUMNS, CONSTANTS, WEIGHTS, ToySheet

from cellgrad.spreadsheet.audit import audit
from cellgrad.toynet import ToyNetwork

NETWORK = ToyNetwork(inputs=(0.05, 0.1), targets=(0.01, 0.99))
UPDATES = 4


def changed_formula(text, draw):
    """A formula with one small piece of it changed."""
    pieces = re.findall(r"[A-Za-z_]\w*(?:\[-1\])?|\d+(?:\.\d+)?|\*\*|[-+*/^()]", text)
    place = draw.randrange(len(pieces))
    piece = pieces[place]
    if piece in "+-*/":
        pieces[place] = draw.choice([sign for sign in "+-*/" if sign != piece])
    elif piece[0].isdigit():
        pieces[place] = str(float(piece) + draw.choice([0.5, 1, 1e-6]))
    elif piece.removesuffix("[-1]") in COLUMNS:
        pieces[place] = draw.choice(COLUMNS) + draw.choice(["", "[-1]"])
    elif piece == "RATE":
        pieces[place] = draw.choice(["0.5", "w3[-1]", "t1", "(2*RATE)", "$Z$1", "RATE^2"])
    elif piece == "EXP":
        pieces[place] = draw.choice(["ABS", "LN", "SQRT", "TANH"])
    else:
        pieces[place] = "(1*" if piece == "(" else "+0)" if piece == ")" else "^1*"
    return " ".join(pieces)


def mutated(draw):
    """A right sheet with one change, in a formula, a constant or the learning rate, in one row or in all."""
    sheet = ToySheet(NETWORK, rows=UPDATES + 1, rate=0.5)
    kind = draw.choice(["formula", "formula", "constant", "rate"])
    if kind == "rate":
        value = draw.choice([0, -1, 0.25, 3, "fast", "0.5", None, "=1/0", "=E5", "=LN(-1)", "=0.25*2", "'", 1e-300])
        sheet.extra[sheet.rate_cell.replace("$", "")] = value
        return sheet
    name = draw.choice([*CONSTANTS, *WEIGHTS] if kind == "constant" else COLUMNS[4:])
    if kind == "constant":
        rows = draw.choice([[0], [draw.randrange(1, sheet.rows)], range(sheet.rows)])
        sheet.plant(
            name, draw.choice([0.3, -2.0, 0, None, "'x", 1e-9, f"{name}+0" if name in CONSTANTS else 1.5]), rows
        )
        return sheet
    first = 1 if name in WEIGHTS else 0
    formula = changed_formula(sheet.cells[name, first + 1], draw)
    sheet.plant(name, formula, None if draw.random() < 0.5 else [draw.randrange(first, sheet.rows)])
    return sheet


@pytest.mark.parametrize("seed", daily(range(60), 20))
def test_a_changed_sheet_is_objected_to_or_still_descends(tmp_path, seed):
    draw = random.Random(seed)
    sheet = mutated(draw)
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    (table,) = report.tables
    if not report.all_right:
        assert "all right" not in str(report)
        return
    given = dict(zip([*CONSTANTS, *WEIGHTS], NETWORK.parameters, strict=False))
    given = {
        name: sheet.cells[name, 0] if isinstance(sheet.cells[name, 0], float | int) else given[name] for name in given
    }
    network = ToyNetwork(
        targets=[given["t1"], given["t2"]], inputs=[given["i1"], given["i2"]], weights=[given[w] for w in WEIGHTS]
    )
    assert table.learning_rate > 0
    right = network.descend(table.learning_rate, UPDATES)["E_total"]
    assert table.losses == pytest.approx(list(right), abs=1e-9)


@pytest.mark.parametrize("value", ["fast", "=1/0", "=E5", "=w1", "lr = 0.5", "0.5 per step", "'"])
def test_a_learning_rate_that_is_no_number_is_never_all_right(tmp_path, value):
    sheet = ToySheet(NETWORK)
    sheet.extra[sheet.rate_cell.replace("$", "")] = value
    report = audit(sheet.save(tmp_path / "sheet.xlsx"))
    assert not report.all_right and "all right" not in str(report)
