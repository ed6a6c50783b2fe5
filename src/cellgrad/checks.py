"""Checks of arguments, shared by the whole package: what was wrong, where, and what to do, in one line."""

import math
import operator
import re
from collections.abc import Iterable, Set
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def numbers(name: str, values: Iterable[float], count: int | None = None) -> tuple[float, ...]:
    """Return `values` as finite floats, exactly `count` of them (any number but none when `count` is None).

    Text is no number, also where it spells one. Raises ValueError that names the argument, the value and the remedy.
    """
    wanted = {None: "at least one number", 1: "a number"}.get(count, f"{count} numbers")
    if isinstance(values, str | bytes | Set):  # text is no list of numbers, and a set keeps no order
        raise ValueError(f"{name}: expected {wanted} in a list or tuple, got {values!r}")
    try:
        values = tuple(values)
        floats = tuple(_as_float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: expected {wanted}, got {values!r}") from None
    if not floats or (count is not None and len(floats) != count):
        raise ValueError(f"{name}: expected {wanted}, got {len(floats)}: {floats}")
    for position, value in enumerate(floats, start=1):
        if not math.isfinite(value):
            raise ValueError(f"{name}: number {position} is {value}; give a finite number")
    return floats


def _as_float(value: float) -> float:
    if isinstance(value, str | bytes):
        raise TypeError("text is no number")
    return float(value)


def plain(value: Any) -> Any:
    """Lists as tuples and numpy's numbers as Python's, all the way down: what is the same after a trip through JSON."""
    if isinstance(value, list | tuple):
        return tuple(plain(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


def array(name: str, values: ArrayLike) -> np.ndarray:
    """Return `values` as an array of floats (or complex ones), or raise ValueError where they are no numbers."""
    try:
        found = np.asarray(values)
    except ValueError:  # rows of different lengths
        found = np.asarray(None)
    if found.dtype.kind not in "iufc":
        raise ValueError(f"{name}: expected a number or an array of numbers, got {values!r}")
    return found if found.dtype.kind == "c" else found.astype(float)


def positive(name: str, value: float) -> float:
    """Return `value` as a finite float above zero, or raise ValueError."""
    (number,) = numbers(name, (value,), 1)
    if number <= 0:
        raise ValueError(f"{name}: {number} is not above zero; give a positive number")
    return number


def whole_number(name: str, value: int, least: int = 0) -> int:
    """Return `value` as an int of at least `least`, or raise ValueError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: expected a whole number, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name}: {number} is too small; give a whole number of at least {least}")
    return number


# What does not stand still in a line: control characters, which a terminal obeys, line ends, which forge lines, and the
# marks that turn the direction of writing round.
_UNRULY = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return text of a stranger's (a cell, the name of a file) as one line that can only be read, nothing else."""
    return _UNRULY.sub(lambda match: ascii(match[0])[1:-1], text)
