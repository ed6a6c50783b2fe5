"""One network's numbers: its row of the spreadsheet, its gradient, its descent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cellgrad import checks
from cellgrad.toynet.descent import LARGEST, descend
from cellgrad.toynet.expressions import COLUMNS, DERIVATIVES, PARAMETERS, compiled


@dataclass(frozen=True)
class ToyNetwork:
    """Two inputs, two hidden sigmoid units, two sigmoid outputs, half squared errors; all numbers of one network.

    inputs, targets: 2 numbers each. weights: w1 … w8. biases: one number that both hidden units share and one
    that both outputs share; they stay fixed. Raises ValueError for a wrong count, and for a number that is not finite
    or so large (above 1e100) that its products, and the squares of errors, would leave the range of floats.
    """

    inputs: tuple[float, ...] = (0.05, 0.1)
    targets: tuple[float, ...] = (0.5, 0.5)
    weights: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55)
    biases: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, count in (("inputs", 2), ("targets", 2), ("weights", 8), ("biases", 2)):
            numbers = checks.numbers(name, getattr(self, name), count)
            for position, number in enumerate(numbers, start=1):
                if abs(number) > LARGEST:
                    raise ValueError(f"{name}: number {position} is {number:g}; give one of at most {LARGEST:g}")
            object.__setattr__(self, name, numbers)

    @property
    def parameters(self) -> tuple[float, ...]:
        """The 14 numbers in the order of `PARAMETERS`."""
        return (*self.targets, *self.inputs, *self.weights, *self.biases)

    def row(self) -> dict[str, float]:
        """All 31 columns of the spreadsheet for this network, by name."""
        return dict(zip(COLUMNS, compiled(COLUMNS, "math")(*self.parameters), strict=True))

    def loss(self) -> float:
        """E_total, the sum of the two half squared errors."""
        return self.row()["E_total"]

    def gradient(self) -> np.ndarray:
        """The eight derivatives of E_total by w1 … w8, shape (8,), float64."""
        row = self.row()
        return np.array([row[str(name)] for name in DERIVATIVES.values()])

    def descend(self, learning_rate: float = 1.0, updates: int = 100) -> pd.DataFrame:
        """The spreadsheet of gradient descent on this network: see `cellgrad.toynet.descent.descend`."""
        return descend(self, learning_rate, updates)


def evaluate(columns: Iterable[str], **values: ArrayLike) -> list[np.ndarray]:
    """Evaluate columns for arrays of parameters that broadcast, e.g. a grid over w5 and w6; others keep defaults.

    Values are named as in `PARAMETERS`. Returns one array for each column, all of the values' common shape. Raises
    ValueError for an unknown column or parameter, and for values that are no numbers.
    """
    if isinstance(columns, str):
        raise ValueError(f"columns: expected a list of names, got {columns!r}; write [{columns!r}]")
    arrays: dict[str, ArrayLike] = dict(zip(map(str, PARAMETERS), ToyNetwork().parameters, strict=True))
    for name, value in values.items():
        if name not in arrays:
            raise ValueError(f"unknown parameter {name!r}; choose among {', '.join(arrays)}")
        arrays[name] = checks.array(name, value)
    with np.errstate(over="ignore"):  # exp(-x) may overflow to infinity; the sigmoid is then 0, as it should be
        results = compiled(tuple(map(str, columns)))(*arrays.values())
    shape = np.broadcast_shapes(*map(np.shape, arrays.values()))
    return [np.broadcast_to(result, shape) for result in results]
