"""SymPy expressions as JavaScript, so that a figure computes what the book derived and nothing is typed twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp


def assignments(name: str, definitions: Mapping[sp.Symbol, sp.Expr]) -> str:
    """A function of one object that has what the definitions use; it returns that object with all that they define.

    The definitions are computed in their order, each from those above it, as in `cellgrad.toynet.FORWARD`.
    """
    used = set().union(*(definition.free_symbols for definition in definitions.values())) - set(definitions)
    lines = [f"  const {symbol} = {sp.jscode(definition)};" for symbol, definition in definitions.items()]
    given = ", ".join(sorted(map(str, used)))
    made = ", ".join(map(str, definitions))
    return "\n".join(
        [f"function {name}(given) {{", f"  const {{{given}}} = given;", *lines, f"  return {{...given, {made}}};", "}"]
    )


def function(name: str, parameters: Sequence[sp.Symbol], expressions: Sequence[sp.Expr]) -> str:
    """A function of the parameters, in their order, that returns a list; common subexpressions are computed once."""
    shared, results = sp.cse(expressions)
    lines = [f"  const {symbol} = {sp.jscode(definition)};" for symbol, definition in shared]
    arguments = ", ".join(map(str, parameters))
    returned = ", ".join(map(sp.jscode, results))
    return "\n".join([f"function {name}({arguments}) {{", *lines, f"  return [{returned}];", "}"])


def expression(value: sp.Expr) -> str:
    """A function of one object that has the expression's symbols: ({w1, i1}) => i1*w1."""
    names = ", ".join(sorted(map(str, value.free_symbols)))
    return f"({{{names}}}) => {sp.jscode(value)}"
