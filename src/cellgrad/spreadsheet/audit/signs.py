"""Derivatives of the other sign: minus the slope in a column, which the weight's update then has to add."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, agrees
from cellgrad.spreadsheet.audit.reading import WARNING, Formula, Judgement
from cellgrad.spreadsheet.audit.tables import WEIGHT
from cellgrad.spreadsheet.audit.updates import step
from cellgrad.spreadsheet.parser import FormulaError

SLOPES = frozenset(f"dE_d{weight}" for weight in WEIGHT)


def opposite_slopes(context: Context) -> frozenset[str]:
    """The columns of derivatives that hold minus the derivative and whose updates add it: the weights descend.

    One that is wrong with either sign counts among them if most others do, and so does one whose update is wrong.
    """
    steps = {f"dE_d{weight}": (step(context, weight), step(context, weight, as_written=True)) for weight in WEIGHT}
    added = {name for name, rates in steps.items() if any(rate is not None and rate < 0 for rate in rates)}
    doubtful = {name for name, rates in steps.items() if rates == (None, None)}
    written = {name: _written(context, name) for name in steps if added and name in added | doubtful}
    opposite = {name: expression for name, expression in written.items() if expression is not None}
    while opposite:
        turned = {SYMBOLS[name]: -SYMBOLS[name] for name in opposite}
        meant = {name: expression.xreplace(turned) for name, expression in opposite.items()}
        at = context.points_with(set().union(*map(context.reader.outside, meant.values())))
        ordinary = {name for name, expression in meant.items() if agrees(expression, name, at)}
        if not ordinary:
            sure = {name for name, expression in meant.items() if agrees(-expression, name, at)}
            most = 2 * len(sure & added) > len(added)
            return frozenset(sure | (opposite.keys() & added) if most else sure) if sure & added else frozenset()
        opposite = {name: expression for name, expression in opposite.items() if name not in ordinary}
    return frozenset()


def check_signs(context: Context) -> Iterator[Judgement]:
    """Warnings on headings that say a derivative above columns that hold minus the derivative."""
    layout = context.layout
    for name in layout.columns:
        heading = str(layout.sheet.value(layout.heading, layout.column(name)))
        if name in context.opposite and not heading.lstrip("' ").startswith(("-", "−", "–")):
            words = "minus the derivative, which the updates add: the weights descend, but the heading says otherwise"
            yield Judgement(name, layout.rows(name), "opposite", words, severity=WARNING, cause=words)


def _written(context: Context, name: str) -> sp.Expr | None:
    """The first formula of a column over the columns of the network; None where there is none that can be read."""
    if name not in context.layout.columns:
        return None
    for rows, content in context.reader.runs(name):
        if isinstance(content, Formula):
            _, expression = next(context.expanded(rows, content))
            return None if isinstance(expression, FormulaError) else expression
    return None
