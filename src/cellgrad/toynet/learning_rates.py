"""What the learning rate does: the curvature of the loss, by SymPy, and the pace of descent that it predicts.

Where the loss is zero, its Hessian is JᵀJ with J the 2×8 derivatives of the outputs: two curvatures above zero and six
flat directions. Near such a minimum an update with rate η multiplies the error along a curvature λ by 1 - ηλ, and
the loss by its square: it shrinks while ηλ is below 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import sympy as sp

from cellgrad import checks
from cellgrad.toynet.descent import descend
from cellgrad.toynet.expressions import (
    COLUMNS,
    DERIVATIVES,
    FORWARD,
    PARAMETERS,
    WEIGHTS,
    a_o1,
    a_o2,
    computed_once,
    derivatives,
    local_derivative,
    o1,
    o2,
)
from cellgrad.toynet.network import ToyNetwork, evaluate

_WEIGHT_NAMES = [str(weight) for weight in WEIGHTS]
_SLOPE_NAMES = [str(name) for name in DERIVATIVES.values()]
# Below this loss the error t - a is about 1e-11, and the rounding of a, 1e-16, shows in its fifth digit
_LEAST_LOSS = 1e-22


@computed_once
def tangents() -> dict[sp.Symbol, sp.ImmutableDenseMatrix]:
    """The derivatives of each quantity of the network by w1 … w8, 1×8, in terms of the spreadsheet's columns.

    The chain rule, forwards: whatever a quantity is made of has been differentiated before it.
    """
    slopes = {weight: sp.eye(8)[place, :] for place, weight in enumerate(WEIGHTS)}
    for quantity, definition in FORWARD.items():
        parents = [parent for parent in slopes if definition.has(parent)]
        slopes[quantity] = sum((local_derivative(quantity, p) * slopes[p] for p in parents), sp.zeros(1, 8))
    return {symbol: sp.ImmutableMatrix(slope) for symbol, slope in slopes.items()}


@cache
def hessian_expressions() -> sp.ImmutableDenseMatrix:
    """The second derivatives of E_total by w1 … w8, 8×8, each in terms of the spreadsheet's columns."""
    along = tangents()
    rows = []
    for slope in derivatives().values():
        used = [symbol for symbol in along if slope.has(symbol)]
        rows.append(sum((slope.diff(symbol) * along[symbol] for symbol in used), sp.zeros(1, 8)))
    return sp.ImmutableMatrix.vstack(*rows)


@cache
def jacobian_expressions(*quantities: sp.Symbol) -> sp.ImmutableDenseMatrix:
    """The derivatives of the given quantities by w1 … w8, a row each, in terms of the spreadsheet's columns."""
    return sp.ImmutableMatrix.vstack(*(tangents()[quantity] for quantity in quantities))


@cache
def _compiled(matrix: sp.ImmutableDenseMatrix) -> Callable[..., np.ndarray]:
    symbols = [sp.Symbol(name, real=True) for name in COLUMNS]
    return sp.lambdify(symbols, matrix, modules="numpy", cse=True)


def hessian(network: ToyNetwork) -> np.ndarray:
    """The second derivatives of the loss at the network's weights, shape (8, 8), symmetric."""
    return _compiled(hessian_expressions())(*network.row().values())


def jacobian(network: ToyNetwork, *quantities: sp.Symbol) -> np.ndarray:
    """The derivatives of the given quantities by w1 … w8 at the network's weights, shape (len(quantities), 8)."""
    return _compiled(jacobian_expressions(*quantities))(*network.row().values())


def nearest_minimum(network: ToyNetwork) -> ToyNetwork:
    """The network with weights of zero loss close to its own: Newton's method, each step the shortest possible.

    The six flat directions make the minima a surface. The steps, like gradient descent's, are combinations of the
    rows of J, but straighter: from weights still far from any minimum, descent ends elsewhere on it. Newton's method
    works on the outputs' weighted sums, in which even saturated sigmoids are straight. Raises ValueError for targets
    that no sigmoid reaches (not between 0 and 1) and where no minimum is found.
    """
    if not all(0 < target < 1 for target in network.targets):
        raise ValueError(f"targets: {network.targets} are not both between 0 and 1, so no weights reach them")
    targets = np.array(network.targets)
    wanted = np.log(targets / (1 - targets))
    for _ in range(50):
        row = network.row()
        miss = np.array([row["o1"], row["o2"]]) - wanted
        if np.abs(miss).max() < 1e-13 * max(1, np.abs(wanted).max()):
            return network
        step = np.linalg.lstsq(jacobian(network, o1, o2), miss)[0]
        network = replace(network, weights=tuple(np.array(network.weights) - step))
    raise ValueError(f"network: Newton's method found no minimum from here; it ended at {network}")


def at_update(network: ToyNetwork, table: pd.DataFrame, update: int) -> ToyNetwork:
    """The network with the weights that it has after `update` updates, in a table made by `descend`.

    Raises ValueError for an update that the table does not have.
    """
    if checks.whole_number("update", update) not in table.index:
        raise ValueError(f"update: the table has no row {update}; its last one is {table.index[-1]}")
    return replace(network, weights=tuple(table.loc[update, _WEIGHT_NAMES]))


def largest_stable_rate(network: ToyNetwork) -> float:
    """2/λ_max: at a minimum, the learning rate above which a small error grows, turning its sign at each update.

    Infinite where the loss curves upwards in no direction, as far as floats can tell.
    """
    steepest = float(np.linalg.eigvalsh(hessian(network))[-1])
    return 2 / steepest if steepest > 0 else np.inf


def curvature_along_descent(table: pd.DataFrame) -> pd.Series:
    """The curvature that each row's loss and gradient imply, |∇E|² / 2E; NaN where the loss is lost in rounding.

    It is the mean of the eigenvalues of JJᵀ, weighted by the squared errors along their eigenvectors, anywhere on the
    way; close to a minimum JJᵀ has the nonzero eigenvalues of the Hessian.
    """
    losses = table["E_total"].where(table["E_total"] > _LEAST_LOSS)
    return (table[_SLOPE_NAMES] ** 2).sum(axis=1) / (2 * losses)


def settle(network: ToyNetwork, learning_rates: Iterable[float], updates: int = 200, window: int = 20) -> pd.DataFrame:
    """For each learning rate: what the curvature at the minimum predicts for the late descent, and what is measured.

    A row a rate. `update` ends the measurement, which takes the last `window` updates before `updates` whose loss
    stands above rounding; `loss` is the loss there. `lambda_1` ≥ `lambda_2` are the Hessian's two curvatures
    at the nearest minimum; `share_1` is the part of the loss at `update` that lies along the first. `lambda` is the
    one that holds most of the loss, `predicted` is |1 - η·lambda|, and `measured` the factor by which an update shrank
    the error, the square root of the loss's; NaN when there are not `window` such updates. `lambda_now` is
    `curvature_along_descent` at `update`: where it differs from `lambda`, the descent has not settled yet.
    Raises ValueError as `nearest_minimum` and `descend` do.
    """
    window = checks.whole_number("window", window, least=1)
    rates = checks.numbers("learning_rates", learning_rates)
    rows = []
    for rate in rates:
        table = descend(network, rate, updates)
        losses = table["E_total"].to_numpy()
        update = int(np.flatnonzero(losses > _LEAST_LOSS).max(initial=0))
        there = at_update(network, table, update)
        minimum = nearest_minimum(there)
        small, large = np.linalg.eigvalsh(hessian(minimum))[-2:]
        share = _share_of_steepest(there, minimum)
        curvature = large if share >= 0.5 else small
        measured = (losses[update] / losses[update - window]) ** (1 / (2 * window)) if update >= window else np.nan
        rows.append(
            {
                "update": update,
                "loss": losses[update],
                "lambda_1": large,
                "lambda_2": small,
                "share_1": share,
                "lambda": curvature,
                "lambda_now": curvature_along_descent(table)[update],
                "predicted": abs(1 - rate * curvature),
                "measured": measured,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(rates, name="learning_rate"))


def _share_of_steepest(network: ToyNetwork, minimum: ToyNetwork) -> float:
    """The part of the network's loss that lies along the eigenvector of JJᵀ with the larger eigenvalue."""
    outputs = jacobian(minimum, a_o1, a_o2)
    steepest = np.linalg.eigh(outputs @ outputs.T)[1][:, -1]
    row = network.row()
    errors = np.array([row["a_o1"], row["a_o2"]]) - network.targets
    return float((steepest @ errors) ** 2 / (errors @ errors)) if errors.any() else np.nan


def loss_surface(network: ToyNetwork, pair: tuple[str, str], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """E_total for each pair of values of two weights, e.g. ("w5", "w7"), all other weights as they are.

    `x`, `y`: the values of the first and of the second weight, 1-D. Returns shape (len(y), len(x)), as plots want it.
    Raises ValueError for names that are not two different weights and for values that are not a line of numbers.
    """
    _check_pair(pair)
    x, y = np.array(checks.numbers("x", x)), np.array(checks.numbers("y", y))
    values = dict(zip(map(str, PARAMETERS), network.parameters, strict=True))
    return evaluate(["E_total"], **values | {pair[0]: x[None, :], pair[1]: y[:, None]})[0]


def _check_pair(pair: tuple[str, str]) -> None:
    try:
        first, second = pair
        fits = first != second and {first, second} <= set(_WEIGHT_NAMES)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"pair: expected two different names among {', '.join(_WEIGHT_NAMES)}, got {pair!r}")
