"""Which of many cases run every time."""

from collections.abc import Collection, Iterable
from itertools import islice

import pytest


def daily(cases: Iterable, chosen: Collection | int) -> list:
    """All cases for parametrize: those chosen, or the first so many, in every run, the others marked as slow."""
    cases = list(cases)
    chosen = list(islice(cases, chosen)) if isinstance(chosen, int) else chosen
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.slow) for case in cases]
