"""The receptive field: which part of the image a unit of a network can see.

For a list of layers it follows from three lines of arithmetic (`recurrence`); `trace` finds it for any PyTorch module,
`measure` and `effective` measure it with gradients. Whoever only counts does not wait for torch.
"""

from importlib import import_module
from typing import Any

from cellgrad.receptive.operations import UntraceableError
from cellgrad.receptive.recurrence import gaussian_sigma, step
from cellgrad.receptive.table import COLUMNS, cost_table, receptive_field

_WITH_TORCH = {
    "measure_receptive_field": "measure",
    "box": "measure",
    "boxes": "measure",
    "context": "measure",
    "measured_boxes": "measure",
    "output_layers": "measure",
    "EffectiveField": "effective",
    "effective_receptive_field": "effective",
    "fit_gaussian": "effective",
}

__all__ = [
    "COLUMNS",
    "UntraceableError",
    *_WITH_TORCH,
    "cost_table",
    "gaussian_sigma",
    "receptive_field",
    "step",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
