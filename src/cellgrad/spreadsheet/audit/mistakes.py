"""A wrong formula compared with what it should be, to say in words which mistake it is."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from functools import cache

import mpmath
import sympy as sp

from cellgrad.spreadsheet.parser import PRECISE, FormulaError, Token, evaluate
from cellgrad.toynet import BIASES, COLUMNS, FORWARD, INPUTS, TARGETS, WEIGHTS, derivatives

Point = Mapping[sp.Symbol, mpmath.mpf]

SYMBOLS = {name: sp.Symbol(name, real=True) for name in (*COLUMNS, *map(str, BIASES))}
POINTS = 4  # formulas that differ agree at a random point by chance with probability zero; four are for the nervous
WRONG_SIGN = "the sign is the wrong way round"
_CLOSE = PRECISE.mpf(10) ** -14  # relative: a spreadsheet's 15 digits do not tell 2.718281828459045 from e


def column_symbol(name: str) -> sp.Symbol:
    """The symbol of a column: one of the network's, or a helper column beside the table."""
    return SYMBOLS.get(name) or sp.Symbol(name, real=True)


def definition(name: str, bias: Mapping[str, sp.Expr]) -> sp.Expr:
    """What a computed column should be, in terms of the others; `bias` adds a term to h1, h2, o1 or o2."""
    symbol = SYMBOLS[name]
    if symbol in FORWARD:
        return FORWARD[symbol].subs(dict.fromkeys(BIASES, 0)) + bias.get(name, 0)
    return derivatives()[symbol]


@cache
def points(bias: tuple[tuple[str, sp.Expr], ...] = ()) -> tuple[Point, ...]:
    """Random networks, all 31 columns of each to 50 digits, related as the derivation says; always the same ones."""
    generator = random.Random(31)

    def one() -> Point:
        point = {}
        for symbol in (*TARGETS, *INPUTS, *WEIGHTS, *BIASES):
            size = PRECISE.mpf(generator.randint(200, 1700)) / 1009
            point[symbol] = size if symbol in TARGETS or generator.random() < 0.5 else -size
        for symbol in (*FORWARD, *derivatives()):
            point[symbol] = evaluate(definition(str(symbol), dict(bias)), point)
        return point

    return tuple(one() for _ in range(POINTS))


def same(left: mpmath.mpf, right: mpmath.mpf) -> bool:
    """Whether two numbers agree to 14 digits."""
    return abs(left - right) <= _CLOSE * (abs(left) + abs(right))


def agrees(expression: sp.Expr, name: str, at: tuple[Point, ...]) -> bool:
    """Whether an expression over the columns gives the column `name` at every point, however it is written."""
    try:
        return all(same(evaluate(expression, point), point[column_symbol(name)]) for point in at)
    except (KeyError, FormulaError):  # it mentions something outside the row, or has no value
        return False


def judge(name: str, found: sp.Expr, bias: Mapping[str, sp.Expr] | None = None) -> str | None:
    """What is wrong with an expression over the columns as the formula of column `name`; None where nothing is."""
    right = definition(name, bias or {})
    at = points(tuple((bias or {}).items()))
    if found == right or agrees(found, name, at):
        return None
    return explain(name, found, right, at) or difference(found, name, at)


def difference(expression: sp.Expr, name: str, at: tuple[Point, ...]) -> str:
    """How far a formula is off, where no known mistake explains it."""
    try:
        ratios = [evaluate(expression, point) / point[column_symbol(name)] - 1 for point in at]
    except (KeyError, FormulaError, ZeroDivisionError):
        return "differs from the derivation"
    largest = max(abs(float(ratio)) for ratio in ratios)
    return f"differs from the derivation, by up to {largest:.2g} of its value at {len(at)} random networks"


def _spelled(expression: sp.Expr) -> str:
    """A part of a formula for a sentence."""
    return str(expression).replace("**", "^").replace("exp(", "EXP(")


def explain(name: str, found: sp.Expr, right: sp.Expr, at: tuple[Point, ...]) -> str | None:
    """Say which mistake turns `right`, the definition of column `name`, into `found`; None if it is none we know.

    Both are expressions over the columns of one row; `at` are points that hold a number for each.
    """
    try:
        values = [evaluate(found, point) for point in at]
    except (KeyError, FormulaError):
        return None

    def is_found(candidate: sp.Expr) -> bool:
        try:
            return all(same(evaluate(candidate, point), value) for point, value in zip(at, values, strict=True))
        except FormulaError:
            return False

    ratios = [value / point[column_symbol(name)] for value, point in zip(values, at, strict=True)]
    if all(same(ratio, ratios[0]) for ratio in ratios):
        if same(ratios[0], PRECISE.mpf(-1)):
            return WRONG_SIGN
        if ratios[0] != 0:
            return f"it is {PRECISE.nstr(ratios[0], 6)} times what it should be: a factor is wrong or missing"
    made = (words for words, candidate in _mistaken(right) if is_found(candidate))
    undone = (words for words, candidate in _repaired(found, right) if agrees(candidate, name, at))
    return next(itertools.chain(made, undone), None)


def _mistaken(right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """The known mistakes, made in the right formula."""
    w5, w6, w7, w8, a_h1, a_h2 = (SYMBOLS[name] for name in ("w5", "w6", "w7", "w8", "a_h1", "a_h2"))
    own = sorted(right.free_symbols & set(SYMBOLS.values()), key=lambda symbol: COLUMNS.index(str(symbol)))
    for weights, activation in (((w5, w7), a_h1), ((w6, w8), a_h2)):
        if set(weights) <= set(own):
            words = (
                f"the activation {activation} stands in the place of each of the weights {weights[0]} and {weights[1]}:"
                f" the error comes back along the weights"
            )
            yield words, right.xreplace(dict.fromkeys(weights, activation))
    for crossed in ((w6, w7), (w5, w8), (w5, w6), (w7, w8)):
        if set(crossed) <= set(own):
            words = f"the paths are crossed: {crossed[0]} and {crossed[1]} have changed places"
            yield words, right.xreplace(dict(zip(crossed, reversed(crossed), strict=True)))
    yield from _damaged(right)
    for symbol in own:
        for other in SYMBOLS.values():
            if other is not symbol:
                words = f"{other} stands where {symbol} belongs"
                if symbol in WEIGHTS and other in WEIGHTS:
                    words += ": the paths are crossed"
                elif symbol in WEIGHTS and str(other).startswith("a_"):
                    words += ": an activation in the place of a weight"
                yield words, right.xreplace({symbol: other})
    yield from _swapped(right, own)
    yield from _without_slopes(right)
    yield from _of_others(right)


def _without_slopes(right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """Leave out the slopes a*(1 - a) of some of the activations."""
    slopes = [SYMBOLS[name] for name in ("a_h1", "a_h2", "a_o1", "a_o2") if SYMBOLS[name] in right.free_symbols]
    for count in range(1, len(slopes) + 1):
        for left_out in itertools.combinations(slopes, count):
            said = " and ".join(_spelled(a * (1 - a)) for a in left_out)
            many = "the slopes of the activations, {}, are" if count > 1 else "the slope of the activation, {}, is"
            if (rest := _without(right, left_out)) != right:
                yield f"{many.format(said)} missing", rest


def _without(expression: sp.Expr, activations: tuple[sp.Symbol, ...]) -> sp.Expr:
    """An expression without the slopes of these activations, wherever they stand in it."""
    for a in activations if expression.is_Mul else ():
        if {a, 1 - a} <= {*expression.args}:
            expression = expression / (a * (1 - a))
    arguments = [_without(argument, activations) for argument in expression.args]
    return expression.func(*arguments) if arguments else expression


def _of_others(right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """In the place of a derivative, the others, with the sign that it has itself."""
    slopes = derivatives()
    for sign in (1, -1):
        if sign * right in slopes.values():
            yield from ((f"it is the formula of {name}", sign * slope) for name, slope in slopes.items())


def _damaged(expression: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """Leave out a factor, a term or a power, or turn a sign, anywhere in the expression."""
    if expression.is_Mul:
        for factor in expression.args:
            yield f"the factor {_spelled(factor)} is missing", expression / factor
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 1:
        yield f"{_spelled(expression.base)} is not raised to the power {expression.exp}", expression.base
    if expression.is_Add:
        for term in expression.args:
            rest = expression - term
            yield f"the term {_spelled(term)} is missing", rest
            yield f"the term {_spelled(term)} has the wrong sign", rest - term
    if expression.func is sp.exp:
        yield "the sign in EXP( ) is the wrong way round", sp.exp(-expression.args[0])
        yield "EXP is missing", expression.args[0]
    for position, argument in enumerate(expression.args):
        for words, damaged in _damaged(argument):
            arguments = list(expression.args)
            arguments[position] = damaged
            yield words, expression.func(*arguments)


def _repaired(found: sp.Expr, right: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """What the found formula becomes when one column in it is replaced by another, or two change places."""
    used = sorted(found.free_symbols, key=str)
    for symbol in used:
        for other in sorted(right.free_symbols - {symbol}, key=str):
            yield f"{symbol} stands where {other} belongs", found.xreplace({symbol: other})
    yield from _swapped(found, used)


def _swapped(expression: sp.Expr, columns: list[sp.Symbol]) -> Iterator[tuple[str, sp.Expr]]:
    for one, other in itertools.combinations(columns, 2):
        yield f"{one} and {other} have changed places", expression.xreplace({one: other, other: one})


def bracketed(tokens: list[Token]) -> Iterator[list[Token]]:
    """The formula with one more pair of brackets, at each place where a pair can stand."""
    opening, closing = Token("sign", "("), Token("sign", ")")
    body = tokens[:-1]
    for start, first in enumerate(body):
        if first.text in tuple("^*/%),:") or (first.kind == "sign" and first.text in "+-" and start == 0):
            continue
        level = 0
        for stop in range(start, len(body)):
            level += {"(": 1, ")": -1}.get(body[stop].text, 0)
            if level < 0:
                break
            complete = body[stop].kind != "sign" or body[stop].text in (")", "%")
            if level == 0 and stop > start and complete and body[stop].kind != "name":
                yield [*body[:start], opening, *body[start : stop + 1], closing, *body[stop + 1 :], tokens[-1]]
