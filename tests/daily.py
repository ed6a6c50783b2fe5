"""Which of many cases run every time."""

from collections.abc import Collection, Iterable

import pytest


def daily(cases: Iterable, chosen: Collection | int) -> list:
    """All cases for parametrize: those chosen, or the first so many, in every run, the others marked as slow."""
    cases = list(cases)
    chosen = cases[:chosen] if isinstance(chosen, int) else chosen
    assert all(case in cases for case in chosen), "what is chosen must be among the cases, or nothing would run"
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.slow) for case in cases]
