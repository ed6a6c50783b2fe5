"""What a cell that others are computed from should hold, told by those that it makes wrong."""

from __future__ import annotations

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, Point, agrees, column_symbol, same
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import PRECISE, evaluate
from cellgrad.toynet import COLUMNS, DELTAS, chain_rule


def needed_at(expression: sp.Expr, symbol: sp.Symbol, column: str, point: Point):
    """The number in a helper's place that makes a formula right, where it enters as a factor; otherwise None."""
    zero, one, two = (evaluate(expression, {**point, symbol: PRECISE.mpf(value)}) for value in (0, 1, 2))
    if one == zero or not same(two - one, one - zero):
        return None
    return (point[SYMBOLS[column]] - zero) / (one - zero)


def wanted(context: Context, helper: str, needed: list) -> tuple[tuple[Point, ...], sp.Expr | None]:
    """Random networks with what a helper should hold at each, and which part of the derivation that is."""
    points = zip(context.points_with([]), needed, strict=True)
    at = tuple({**point, column_symbol(helper): value} for point, value in points)
    columns = (context.definition(name) for name in COLUMNS if name not in (*CONSTANT, *WEIGHT))
    return at, next((part for part in (*_parts(), *columns) if agrees(part, helper, at)), None)


def _parts() -> list[sp.Expr]:
    """What people compute in helper columns: the deltas, the slopes of the activations, the errors."""
    steps = chain_rule()
    outputs = {name: steps[name] for name in DELTAS.values()}
    deltas = [slope.subs(outputs) for slope in outputs.values()]
    activations = [
        (SYMBOLS[f"a_{unit}"], SYMBOLS[f"t{unit[1]}"] if unit[0] == "o" else None) for unit in map(str, DELTAS)
    ]
    slopes = [a * (1 - a) for a, _ in activations]
    errors = [a - t for a, t in activations if t is not None]
    sums = [sp.Add(*(delta for delta in slope.args)) for slope in deltas if slope.is_Add]
    return [*deltas, *slopes, *errors, *[-error for error in errors], *sums]
