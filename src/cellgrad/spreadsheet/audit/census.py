"""The derivatives of seventy public workbooks, each formula judged as the audit judges it."""

from __future__ import annotations

import json
import re
from importlib import resources

import pandas as pd
import sympy as sp

from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, judge
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import FormulaError, Reference, parse
from cellgrad.toynet import COLUMNS, DERIVATIVES

RIGHT, CONFUSED, OTHER = "right", "a_h1 and a_h2 confused", "another mistake"

_LOWER = {name.lower(): symbol for name, symbol in SYMBOLS.items()}
_CONFUSED = re.compile("a_h1 stands where a_h2 belongs|a_h2 stands where a_h1 belongs")


def _column(cell: Reference) -> sp.Symbol:
    """The column that is named like a cell: w5, say."""
    if str(cell).lower() not in _LOWER:
        raise FormulaError(f"reads {cell}, which is none of the columns")
    return _LOWER[str(cell).lower()]


def judge_formula(column: str, formula: str) -> str | None:
    """Say what is wrong with a spreadsheet formula of a column, written with the columns' names; None if it is right.

    For example `judge_formula("dE_dw5", "(a_o1-t1)*a_o1*(1-a_o1)*a_h2")`. Raises ValueError for a name that is no
    computed column and for a formula that is not arithmetic on the 31 columns.
    """
    if column not in COLUMNS or column in (*CONSTANT, *WEIGHT):
        raise ValueError(f"column: {column!r} has no formula of its own; choose h1, a_h1, … or dE_dw8")
    return judge(column, parse(formula, _column, _LOWER))


def public_formulas() -> list[dict]:
    """The formulas themselves: for each set `workbooks`, how many share it, and `derivatives`, formulas by column."""
    text = (resources.files("cellgrad") / "results" / "public_formulas.json").read_text(encoding="utf-8")
    return json.loads(text)["rows"]


def census() -> pd.DataFrame:
    """What the formulas of 70 public workbooks of this exercise (of 2021 to 2025) come to, equal sets in one row.

    `workbooks` share the formulas; `judgement` is "right", "a_h1 and a_h2 confused" (where that is all that is wrong)
    or "another mistake"; then a column for each derivative says in words what is wrong with it, or nothing.
    """
    rows = []
    for found in public_formulas():
        words = {str(name): judge_formula(str(name), found["derivatives"][str(name)]) for name in DERIVATIVES.values()}
        wrong = [said for said in words.values() if said]
        confused = all(_CONFUSED.fullmatch(said) for said in wrong)
        judgement = OTHER if not confused else CONFUSED if wrong else RIGHT
        rows.append({"workbooks": found["workbooks"], "judgement": judgement} | {k: v or "" for k, v in words.items()})
    return pd.DataFrame(rows)
