"""Gradient descent on the toy network, as the table that a spreadsheet would show."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import pandas as pd

from cellgrad import checks
from cellgrad.toynet.expressions import COLUMNS, DERIVATIVES, WEIGHTS, compiled

_WEIGHT_COLUMNS = [COLUMNS.index(str(weight)) for weight in WEIGHTS]
_DERIVATIVE_COLUMNS = [COLUMNS.index(str(name)) for name in DERIVATIVES.values()]

LARGEST = 1e100  # of a network's numbers: the product of three of them, as a derivative has it, is still a float


class Network(Protocol):
    """What a descent needs to know of a network: its 14 numbers, in the order of `expressions.PARAMETERS`."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """t1 t2 i1 i2 w1 … w8 b1 b2."""


def descend(network: Network, learning_rate: float = 1.0, updates: int = 100) -> pd.DataFrame:
    """Update all eight weights `updates` times, each by -learning_rate times its derivative.

    Returns `updates` + 1 rows; row 0 is the network before the first update. Columns: the spreadsheet's 31.
    Raises ValueError for a learning rate that is not a finite number above zero, or so large that the weights leave
    the range of floats; and for a negative count.
    """
    learning_rate = checks.positive("learning_rate", learning_rate)
    updates = checks.whole_number("updates", updates)
    row = compiled(COLUMNS, "math")
    table = np.empty((updates + 1, len(COLUMNS)))
    targets_and_inputs, weights, biases = network.parameters[:4], network.parameters[4:12], network.parameters[12:]
    for update in range(updates + 1):
        if max(map(abs, weights)) > LARGEST:
            raise ValueError(
                f"learning_rate: at {learning_rate:g}, update {update} throws a weight beyond {LARGEST:g}; "
                f"give a smaller one"
            )
        values = row(*targets_and_inputs, *weights, *biases)
        table[update] = values
        weights = tuple(
            values[weight] - learning_rate * values[slope]
            for weight, slope in zip(_WEIGHT_COLUMNS, _DERIVATIVE_COLUMNS, strict=True)
        )
    return pd.DataFrame(table, columns=list(COLUMNS)).rename_axis("update")


def compare_learning_rates(network: Network, learning_rates: Iterable[float], updates: int = 100) -> pd.DataFrame:
    """The loss after each update, one column for each learning rate, all from the same first weights.

    Returns shape (`updates` + 1, number of different rates). Raises ValueError when there is no rate, and as `descend`
    does.
    """
    rates = checks.numbers("learning_rates", learning_rates)
    return pd.DataFrame({rate: descend(network, rate, updates)["E_total"] for rate in rates})
