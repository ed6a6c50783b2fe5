"""The 2-2-2 sigmoid network, written down once as SymPy expressions; its derivatives follow by the chain rule.

Everything else that the book says about this network is printed from `FORWARD`: the LaTeX on the page, the
function that iterates it, the spreadsheet's formulas. No derivative is typed by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, wraps
from types import MappingProxyType

import sympy as sp

TARGETS = t1, t2 = sp.symbols("t1 t2", real=True)
INPUTS = i1, i2 = sp.symbols("i1 i2", real=True)
WEIGHTS = w1, w2, w3, w4, w5, w6, w7, w8 = sp.symbols("w1:9", real=True)
BIASES = b1, b2 = sp.symbols("b1 b2", real=True)
PARAMETERS = (*TARGETS, *INPUTS, *WEIGHTS, *BIASES)

h1, a_h1, h2, a_h2, o1, a_o1, o2, a_o2 = sp.symbols("h1 a_h1 h2 a_h2 o1 a_o1 o2 a_o2", real=True)
E1, E2, E_total = sp.symbols("E1 E2 E_total", real=True)


def sigmoid(x: sp.Expr) -> sp.Expr:
    """The logistic function 1 / (1 + exp(-x))."""
    return 1 / (1 + sp.exp(-x))


# The network. Every quantity is defined by quantities that stand above it. To be read, not changed.
FORWARD = MappingProxyType(
    {
        h1: w1 * i1 + w2 * i2 + b1,
        a_h1: sigmoid(h1),
        h2: w3 * i1 + w4 * i2 + b1,
        a_h2: sigmoid(h2),
        o1: w5 * a_h1 + w6 * a_h2 + b2,
        a_o1: sigmoid(o1),
        o2: w7 * a_h1 + w8 * a_h2 + b2,
        a_o2: sigmoid(o2),
        E1: (t1 - a_o1) ** 2 / 2,
        E2: (t2 - a_o2) ** 2 / 2,
        E_total: E1 + E2,
    }
)

# Each unit's delta is the derivative of the loss with respect to the unit's input.
DELTAS = MappingProxyType({unit: sp.Symbol(f"delta_{unit}", real=True) for unit in (h1, h2, o1, o2)})
DERIVATIVES = MappingProxyType({weight: sp.Symbol(f"dE_d{weight}", real=True) for weight in WEIGHTS})

# The spreadsheet's 31 columns, left to right.
COLUMNS = (
    *("t1", "t2", "i1", "i2", "w1", "w2", "w3", "w4", "h1", "a_h1", "h2", "a_h2", "w5", "w6", "w7", "w8"),
    *("o1", "a_o1", "o2", "a_o2", "E1", "E2", "E_total"),
    *(str(symbol) for symbol in DERIVATIVES.values()),
)


def local_derivative(child: sp.Symbol, parent: sp.Symbol) -> sp.Expr:
    """Differentiate the definition of `child` by `parent`, holding everything else that it mentions fixed.

    The slope of a sigmoid is said in terms of its own value: with a = 1/(1 + exp(-x)), da/dx is a(1 - a).
    """
    definition = FORWARD[child]
    if definition == sigmoid(parent):
        return child * (1 - child)
    return definition.diff(parent)


def computed_once(derive: Callable[[], dict]) -> Callable[[], dict]:
    """Derive once, and give each caller a dict of their own: what they do to it changes nobody else's."""
    once = cache(derive)

    @wraps(derive)
    def own() -> dict:
        return dict(once())

    return own


@computed_once
def chain_rule() -> dict[sp.Symbol, sp.Expr]:
    """Walk backwards from the loss: the four deltas, then the eight derivatives, each in terms of those above it.

    For a quantity v, dE/dv is the sum over everything c that uses v of dE/dc times dc/dv.
    """
    slopes = {E_total: sp.Integer(1)}
    steps = {}
    for quantity in (*reversed(FORWARD), *WEIGHTS):
        if quantity is E_total:
            continue
        users = [child for child, definition in FORWARD.items() if definition.has(quantity)]
        slope = sp.Add(*(slopes[user] * local_derivative(user, quantity) for user in users))
        name = DELTAS.get(quantity) or DERIVATIVES.get(quantity)
        if name:
            steps[name] = slope
        slopes[quantity] = name or slope
    return steps


@computed_once
def derivatives() -> dict[sp.Symbol, sp.Expr]:
    """The eight derivatives dE_dw1 … dE_dw8 in terms of the other columns, the deltas written out."""
    steps = chain_rule()
    outputs = {DELTAS[unit]: steps[DELTAS[unit]] for unit in (o1, o2)}
    hidden = {DELTAS[unit]: steps[DELTAS[unit]].subs(outputs) for unit in (h1, h2)}
    return {name: steps[name].subs(outputs | hidden) for name in DERIVATIVES.values()}


def in_parameters(expression: sp.Expr) -> sp.Expr:
    """Replace every computed quantity in `expression` by its definition, until only parameters are left."""
    for quantity, definition in reversed(list(FORWARD.items())):
        expression = expression.subs(quantity, definition)
    return expression


@cache
def compiled(columns: tuple[str, ...], module: str = "numpy") -> Callable[..., list]:
    """Compile the named columns to one function of `PARAMETERS` (t1 t2 i1 i2 w1 … w8 b1 b2) that returns a list.

    `module` is "numpy" (broadcasts over arrays, accepts complex numbers) or "math" (plain floats, ten times faster on
    single values). Common subexpressions are computed once. Raises ValueError for an unknown column or module,
    TypeError where the columns are no tuple.
    """
    definitions = {symbol: symbol for symbol in PARAMETERS} | FORWARD | derivatives()
    known = {str(symbol): expression for symbol, expression in definitions.items()}
    if module not in ("numpy", "math"):
        raise ValueError(f"module: {module!r} is unknown; choose numpy or math")
    for column in columns:
        if column not in known:
            raise ValueError(f"columns: unknown column {column!r}; choose among {', '.join(known)}")
    expressions = [in_parameters(known[column]) for column in columns]
    functions = ["numpy"] if module == "numpy" else [{"exp": _saturating_exp}, "math"]
    return sp.lambdify(PARAMETERS, expressions, modules=functions, cse=True)


def _saturating_exp(x: float) -> float:
    """exp, with infinity where a float overflows, so that a sigmoid far to the left is 0 and not an error."""
    return math.exp(x) if x < 709.0 else math.inf


def latex_equations(definitions: Mapping[sp.Symbol, sp.Expr]) -> str:
    """Print definitions as aligned LaTeX equations, ready for `IPython.display.Math`.

    Each has a line; where one is a product with a long sum in it, the terms of the sum have lines of their own, so that
    a phone has room for them.
    """
    lines = []
    for symbol, definition in definitions.items():
        first, *more = _lines(definition)
        lines += [rf"{latex(symbol)} &= {first}", *(rf"&\quad {line}" for line in more)]
    return "\\begin{aligned}\n" + " \\\\[2pt]\n".join(lines) + "\n\\end{aligned}"


def _lines(definition: sp.Expr) -> list[str]:
    """The LaTeX of a definition, in one line or more."""
    factors = sp.Mul.make_args(definition)
    long = [f for f in factors if f.is_Add and all(term.is_Mul and len(term.args) > 2 for term in f.args)]
    if len(long) != 1 or len(factors) == 1:
        return [latex(definition)]
    others = sp.Mul(*(factor for factor in factors if factor not in long))
    first, *rest = (latex(term) for term in long[0].args)
    terms = [rf"\cdot \big({first}", *(rf"\quad {{}} + {term}" for term in rest)]
    return [latex(others), *terms[:-1], rf"{terms[-1]} \big)"]


def latex(expression: sp.Expr) -> str:
    """Print an expression in LaTeX, its derivatives as fractions: dE_dw1 becomes ∂E/∂w₁."""
    slopes = {name: rf"\frac{{\partial E}}{{\partial {sp.latex(weight)}}}" for weight, name in DERIVATIVES.items()}
    return sp.latex(expression, symbol_names=slopes, order="none")
