"""A table that is another network than the book's, and consistent in itself: said once, not formula by formula."""

from __future__ import annotations

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.mistakes import SYMBOLS, Point, column_symbol, points, same
from cellgrad.spreadsheet.audit.reading import Formula, column_and_offset
from cellgrad.spreadsheet.audit.tables import WEIGHT
from cellgrad.spreadsheet.parser import PRECISE, FormulaError, evaluate
from cellgrad.toynet import COLUMNS, FORWARD

FEWEST_SLOPES = 4
_LAYERS = (  # of each unit, the columns of which one is enough to tell that it is there
    (("i1",), ("i2",)),
    (("h1", "a_h1"), ("h2", "a_h2")),
    (("o1", "a_o1"), ("o2", "a_o2")),
)
_CLOSE = 1e-12  # of learning rates


def trained_biases(context_columns: dict[str, object]) -> frozenset[str]:
    """The bias columns whose formulas below the first row are more than a copy of the row above."""
    return frozenset(
        name
        for name, content in context_columns.items()
        if isinstance(content, Formula) and any("dE" in str(s) or "a_" in str(s) for s in content.exact.free_symbols)
    )


def other_network(context: Context, rate: float | None, trained: frozenset[str], lacking: list[str]) -> str | None:
    """One sentence about a network that differs from the book's but whose derivatives are those of its own loss.

    None where the derivatives are not, or where the network is the book's. `lacking` are the columns that it has not.
    """
    defined = _definitions(context)
    slopes = [name for name in WEIGHT if f"dE_d{name}" in defined and name in context.layout.columns]
    if len(slopes) < FEWEST_SLOPES or any(f"dE_d{n}" not in defined for n in WEIGHT if n in context.layout.columns):
        return None
    loss = defined.get("E_total") or sp.Add(*(defined.get(name, sp.S.Zero) for name in ("E1", "E2")))
    forward = {SYMBOLS[str(name)]: defined[str(name)] for name in FORWARD if str(name) in defined}
    for _ in forward:
        loss = loss.xreplace(forward)
    beside = {symbol for symbol in loss.free_symbols if str(symbol) in context.layout.beside}
    beside -= context.reader.values.keys()
    known = {*SYMBOLS.values()} - forward.keys() | context.reader.values.keys() | beside
    if loss.free_symbols - known:
        return None
    trained |= {str(symbol) for symbol in beside if _changes(context, str(symbol))}
    try:
        at = [_point(context, point, defined, beside) for point in points()[:2]]
        for name in slopes:
            slope = context.sign(name) * sp.diff(loss, SYMBOLS[name])
            if not all(same(evaluate(defined[f"dE_d{name}"], p), evaluate(slope, p)) for p in at if p):
                return None
        if not all(at) or not _biases_descend(context, loss, at, rate, trained):
            return None
    except (FormulaError, KeyError):
        return None
    return _said(context, defined, trained, lacking)


def _changes(context: Context, name: str) -> bool:
    return any(isinstance(content, Formula) for _, content in context.reader.runs(name)[1:])


def _definitions(context: Context) -> dict[str, sp.Expr]:
    """Each computed column's formula, where it has one and the same in all rows."""
    found = {}
    for name in COLUMNS:
        if name not in context.layout.columns or name in WEIGHT:
            continue
        written = {
            expression
            for rows, content in context.reader.runs(name)
            if isinstance(content, Formula)
            for _, expression in context.expanded(rows, content)
        }
        if len(written) == 1 and isinstance(expression := written.pop(), sp.Expr):
            found[name] = expression
    return found


def _point(context: Context, point: Point, defined: dict[str, sp.Expr], beside: set[sp.Symbol]) -> dict | None:
    """A random network whose computed columns are what the table itself computes."""
    free = {symbol: point[symbol] for name, symbol in SYMBOLS.items() if name not in defined}
    known = {cell: context.points_with([cell])[0][cell] for cell in context.reader.values}
    more = {symbol: PRECISE.mpf(place) / 7 for place, symbol in enumerate(sorted(beside, key=str), start=2)}
    values, left = free | known | more, {SYMBOLS[name]: expression for name, expression in defined.items()}
    while left:
        ready = [name for name, expression in left.items() if expression.free_symbols <= values.keys()]
        if not ready:
            return None
        values |= {name: evaluate(left.pop(name), values) for name in ready}
    return values


def _biases_descend(context: Context, loss: sp.Expr, at: list, rate: float | None, trained: frozenset[str]) -> bool:
    """Whether each trained bias goes down its own derivative with the learning rate of the weights."""
    for name in trained:
        symbol = column_symbol(name)
        slope = sp.diff(loss, symbol)
        for rows, content in context.reader.runs(name)[1:]:
            if not isinstance(content, Formula) or rate is None:
                return False
            for _, update in context.expanded(rows, content):
                if isinstance(update, FormulaError):
                    return False
                above = {s: column_symbol(column_and_offset(s)[0]) for s in update.free_symbols if s.is_real}
                update = context.in_table(update.xreplace(above))
                steps = [(point[symbol] - evaluate(update, point)) / evaluate(slope, point) for point in at]
                if any(abs(step - rate) > _CLOSE for step in steps):
                    return False
    return True


def _said(context: Context, defined: dict[str, sp.Expr], trained: frozenset[str], lacking: list[str]) -> str | None:
    differ = [str(name) for name in FORWARD if str(name) in defined and _differs(context, str(name), defined)]
    slopes = [name for name in defined if name.startswith("dE_") and _differs(context, name, defined)]
    if not slopes and not lacking and not trained:
        return None
    parts = [f"{name} is {_text(context, name)}" for name in differ]
    if lacking:
        shape = "-".join(str(sum(not {*unit} <= {*lacking} for unit in layer)) for layer in _LAYERS)
        parts.append(f"it is {shape}, without {', '.join(lacking)}")
    if trained:
        what = "its biases" if trained <= {"b1", "b2"} else "the columns"
        parts.append(f"{what} {' and '.join(sorted(trained))} are trained too")
    differences = "; ".join(parts[:6]) or "its weights are numbered otherwise"
    return (
        "another network than the book's, consistent in itself: every derivative is that of its own loss, so its "
        f"formulas are not held against the book's one by one ({differences})"
    )


def _differs(context: Context, name: str, defined: dict[str, sp.Expr]) -> bool:
    right = context.definition(name)
    if defined[name] == right:
        return False
    at = context.points_with(context.reader.outside(defined[name]))
    try:
        return not all(same(evaluate(defined[name], p), evaluate(right, p)) for p in at)
    except (FormulaError, KeyError):
        return True


def _text(context: Context, name: str) -> str:
    content = context.reader.first(name)
    text = content.text if isinstance(content, Formula) else ""
    return text if len(text) < 60 else text[:57] + "…"
