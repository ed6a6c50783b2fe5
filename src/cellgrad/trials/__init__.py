"""Many trainings, each with a variant and a seed, recorded one JSON line each. Studies and records need no torch."""

from importlib import import_module
from typing import Any

from cellgrad.trials.records import read_records, shipped_records, summary
from cellgrad.trials.studies import STUDIES, Study, find_study

_WITH_TORCH = {"Outcome": "run", "run_study": "run"}

__all__ = [*_WITH_TORCH, "STUDIES", "Study", "find_study", "read_records", "shipped_records", "summary"]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
