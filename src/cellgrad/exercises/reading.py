"""An answer in whatever form it came: numbers from lists, arrays, fractions and text, names, expressions."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sympy as sp

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_GREEK = {"δ": "delta", "λ": "lam", "lambda": "lam", "η": "eta", "∂": "d", "·": "*", "−": "-"}


class Unreadable(ValueError):
    """The answer has not the form that is asked for; the message says which one that is."""


def read_numbers(answer: Any, count: int) -> list[float]:
    """`count` numbers from a number, text, or anything that holds numbers; raises Unreadable."""
    found = _text_numbers(answer, count) if isinstance(answer, str) else list(_flat(answer))
    if len(found) != count:
        wanted = "one number is" if count == 1 else f"{count} numbers are"
        raise Unreadable(f"{wanted} asked for here, and {len(found) or 'none'} came")
    return found


def _flat(answer: Any) -> Iterable[float]:
    if isinstance(answer, bool | np.bool_):
        raise Unreadable(f"a number is asked for here, and {answer} is none")
    if isinstance(answer, str):
        yield _number(answer)
    elif isinstance(answer, Mapping):
        yield from _flat(list(answer.values()))
    elif hasattr(answer, "detach"):  # a tensor, without importing PyTorch for it
        try:
            numbers = answer.detach().cpu().tolist()
        except (RuntimeError, NotImplementedError, TypeError):  # sparse, or without numbers
            raise Unreadable("a number is asked for here, and this tensor has none to show") from None
        yield from _flat(numbers)
    elif hasattr(answer, "to_numpy"):
        yield from _flat(answer.to_numpy())
    elif isinstance(answer, Iterable) and not (hasattr(answer, "ndim") and answer.ndim == 0):
        for part in answer:
            yield from _flat(part)
    else:
        yield _finite(answer)


def _finite(answer: Any) -> float:
    if isinstance(answer, complex | np.complexfloating) and answer.imag:
        raise Unreadable(f"a real number is asked for here, not {answer}")
    try:
        number = float(answer.real if isinstance(answer, complex | np.complexfloating) else answer)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"a number is asked for here, and this is none: {str(answer)[:60]}") from None
    if not math.isfinite(number):
        raise Unreadable(f"a finite number is asked for here, not {number}")
    return number


def _text_numbers(text: str, count: int) -> list[float]:
    text = re.sub(r"[()\[\]{}]", " ", text.replace("−", "-")).strip()
    text = re.sub(r"\s+(?=%)|\s*([/^])\s*", r"\1", text)
    text = re.sub(r"\s*[×*·]\s*10(?:\^|\*\*)", "e", text)
    parts = [part for part in re.split(r";\s*|,\s+|\s+and\s+|\s+(?=[-+.\d])", text) if part]
    if len(parts) != count and len(text.split(",")) == count:
        parts = text.split(",")
    return [_number(part) for part in parts]


def _number(text: str) -> float:
    """One number as people write it: 1/8, 12 %, 4,239,872, 0,25, 3.5 s."""
    text = re.sub(r"(?<=[\d.%])\s*[°a-zA-Z]+$", "", text.strip().replace("−", "-"))
    if text.endswith("%"):
        return _number(text[:-1]) / 100
    if text.count("/") == 1:
        above, below = (_number(part) for part in text.split("/"))
        return _finite(above / below if below else math.nan)
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"[-+]?\d*,\d+", text):
        text = text.replace(",", ".")
    return _finite(text)


def read_names(answer: Any, letter: str = "") -> set[str]:
    """A set of names from text, symbols or their numbers, "w7, w8" as well as [7, 8]; raises Unreadable."""
    if isinstance(answer, Mapping):
        answer = list(answer)
    if isinstance(answer, str):
        answer = re.findall(r"[\wδ∂/]+", answer.replace(" and ", " "))
    elif isinstance(answer, int | sp.Symbol):
        answer = [answer]
    elif hasattr(answer, "tolist"):
        answer = answer.tolist()
    try:
        names = {_plain(f"{name:g}" if isinstance(name, float) else str(name)) for name in answer}
    except TypeError:
        raise Unreadable(f"names are asked for here, as text: {answer!r} are none") from None
    return {letter + name if name.isdigit() else name for name in names} - {"none"}


def _plain(name: str) -> str:
    for sign, word in {"δ": "d", "delta": "d", "∂e/∂": "", "de_d": "", "de/d": ""}.items():
        name = name.lower().replace(sign, word)
    name = name.replace("dh", "d_h").replace("do", "d_o").translate(_SUBSCRIPTS)
    return re.sub(r"^([a-z])_(\d+)$", r"\1\2", name)


def read_expression(answer: Any) -> sp.Expr:
    """A SymPy expression, or text that spells one; raises Unreadable."""
    if isinstance(answer, str) and not re.fullmatch(
        r"(?!.*__)[\w\s+\-*/^().·−]+", answer
    ):  # it is going to be evaluated
        raise Unreadable("a formula is asked for here: letters, numbers, + - * / ^ and round brackets")
    if isinstance(answer, str) and _TOO_LARGE.search(answer):
        raise Unreadable("a power of a power, and powers above 99, are in no formula here")
    if isinstance(answer, str):
        for sign, word in _GREEK.items():
            answer = answer.replace(sign, word)
        letters = {name: sp.Symbol(name) for name in re.findall(r"[A-Za-z_]\w*", answer) if name not in _KNOWN}
        try:
            answer = sp.parse_expr(answer.replace("^", "**"), letters, transformations=_TRANSFORMATIONS)
        except Exception:  # the parser raises whatever Python's does, and more
            raise Unreadable("this is no formula that SymPy can read; write products with *, as in 2*x") from None
    try:
        found = sp.sympify(answer, strict=True)
    except Exception:  # whatever SymPy makes of what it does not know
        found = None
    if not isinstance(found, sp.Expr):
        raise Unreadable(f"a formula is asked for here, as text or from SymPy, not {answer!r}")
    return found


# SymPy would compute 9^9^9^9 to its last digit.
_POWER = r"(\^|\*\*)\s*"
_TOO_LARGE = re.compile(rf"{_POWER}\(?\s*[-+]?\s*(\d{{3,}}|(\d+|[A-Za-z_]\w*)\s*\)?\s*{_POWER})")
_KNOWN = {"exp", "log", "sqrt", "tanh", "pi"}
_TRANSFORMATIONS = (
    *sp.parsing.sympy_parser.standard_transformations,
    sp.parsing.sympy_parser.implicit_multiplication,
)
