"""SymPy expressions printed as spreadsheet formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.printer import Printer

from cellgrad.toynet import FORWARD, PARAMETERS

ETA = sp.Symbol("eta", positive=True)  # the learning rate
_PLACES = {symbol: place for place, symbol in enumerate((*PARAMETERS, *FORWARD, ETA))}


class ExcelPrinter(Printer):
    """Prints SymPy expressions as spreadsheet formulas, symbols as the cells that hold them.

    In a spreadsheet a sign in front binds tighter than a power (`-2^2` is 4) and powers group from the left
    (`2^3^2` is 64), both unlike Python. Factors go from the latest quantity of the network to the earliest, as the
    chain rule walks; terms go from plus to minus. Raises ValueError for what no formula can say.
    """

    _FUNCTIONS = {"exp": "EXP", "log": "LN", "Abs": "ABS", "Max": "MAX", "Min": "MIN", "sign": "SIGN"} | {
        name: name.upper() for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")
    }

    def __init__(self, cells: Mapping[sp.Symbol, str]) -> None:
        super().__init__()
        self.cells = cells

    def emptyPrinter(self, expr: object) -> str:
        """Refuse what has no rule below."""
        raise ValueError(f"expression: {expr} has no spreadsheet formula")

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        if expr not in self.cells:
            raise ValueError(f"cells: no cell is named for {expr}")
        return self.cells[expr]

    def _print_Integer(self, expr: sp.Integer) -> str:
        return str(expr.p)

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"{expr.p}/{expr.q}"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr)).upper()

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "EXP(1)"

    def _print_Pi(self, expr: sp.Expr) -> str:
        return "PI()"

    def _print_Function(self, expr: sp.Function) -> str:
        name = self._FUNCTIONS.get(type(expr).__name__) or self.emptyPrinter(expr)
        return f"{name}({','.join(map(self._print, expr.args))})"

    _print_Max = _print_Min = _print_Function

    def _print_Add(self, expr: sp.Add) -> str:
        terms = sorted(expr.as_ordered_terms(order="grlex"), key=lambda term: (_is_minus(term), not term.is_number))
        text = self._print(terms[0])
        for term in terms[1:]:
            printed = self._print_Mul(term, in_front=False) if term.is_Mul else self._print(term)
            text += printed if printed[0] == "-" else f"+{printed}"
        return text

    def _print_Mul(self, expr: sp.Mul | sp.Pow, in_front: bool = True) -> str:
        """Print a product; behind another term (not `in_front`) its minus is a subtraction and needs no care."""
        sign, above, below = 1, [], []
        for factor in sorted(sp.Mul.make_args(expr), key=_backwards):
            if factor.is_Rational or factor.is_Float:
                sign = -sign if factor < 0 else sign
                numerator, denominator = sp.fraction(abs(factor))
                above += [numerator] if numerator != 1 else []
                below += [denominator] if denominator != 1 else []
            elif _is_reciprocal(factor):
                below.append(sp.Pow(factor.base, -factor.exp))
            else:
                above.append(factor)
        sign_meets_power = in_front and sign < 0 and above and (above[0].is_Pow or above[0].is_Mul)
        above = [self._parenthesize(factor, PRECEDENCE["Mul"]) for factor in above]
        if sign_meets_power and "^" in above[0]:
            above[0] = f"({above[0]})"
        below = [self._parenthesize(factor, PRECEDENCE["Mul"] + 1) for factor in below]
        text = "-" * (sign < 0) + ("*".join(above) or "1")
        if below:
            text += f"/{below[0]}" if len(below) == 1 else f"/({'*'.join(below)})"
        return text

    def _print_Pow(self, expr: sp.Pow) -> str:
        if _is_reciprocal(expr):
            return self._print_Mul(expr)
        if expr.exp == sp.S.Half:
            return f"SQRT({self._print(expr.base)})"
        base, exponent = (self._parenthesize(part, PRECEDENCE["Pow"] + 1) for part in expr.args)
        return f"{base}^{exponent}"

    def _parenthesize(self, expr: sp.Expr, level: int) -> str:
        """Print `expr`, in parentheses where it binds less tightly than `level` or starts with a sign."""
        text = self._print(expr)
        reciprocal = expr.is_Pow and _is_reciprocal(expr)
        strength = PRECEDENCE["Mul"] if reciprocal else precedence(expr)
        return f"({text})" if strength < level or text[0] == "-" else text


def excel_formula(expression: sp.Expr, cells: Mapping[sp.Symbol, str]) -> str:
    """Print `expression` as a spreadsheet formula, from the equals sign on, with `cells` in place of its symbols.

    Raises ValueError for a symbol without a cell and for what has no formula, such as infinity.
    """
    return "=" + ExcelPrinter(cells).doprint(expression)


def _is_minus(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0] < 0)


def _is_reciprocal(factor: sp.Expr) -> bool:
    return factor.is_Pow and factor.exp.is_Rational and factor.exp < 0


def _backwards(factor: sp.Expr) -> tuple:
    """Sort key: numbers first, then from the loss towards the inputs; an error before its activation a before 1-a."""
    latest = max((_PLACES.get(symbol, -1) for symbol in factor.free_symbols), default=math.inf)
    return -latest, -len(factor.free_symbols), not factor.is_Atom, factor.sort_key()
