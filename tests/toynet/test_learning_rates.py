"""The Hessian against the complex step, predicted slopes against measured ones, descent against published losses."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cellgrad.toynet import COLUMNS, PARAMETERS, ToyNetwork, a_o1, a_o2, evaluate
from cellgrad.toynet.descent import compare_learning_rates
from cellgrad.toynet.learning_rates import (
    at_update,
    curvature_along_descent,
    hessian,
    hessian_expressions,
    jacobian,
    largest_stable_rate,
    loss_surface,
    nearest_minimum,
    settle,
)

RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
EVEN, SPREAD = ToyNetwork(), ToyNetwork(targets=(0.01, 0.99))

# From the project's reference file for the toy network ("loss_after_updates_by_learning_rate"), computed apart from
# this package: the loss after 67, 167 and 200 updates
PUBLISHED = {
    (0.5, 0.5): {
        0.1: (0.009572139465504783, 0.0052024403584692794, 0.00423638792523534),
        0.2: (0.00636996967865649, 0.0018104697797229094, 0.0011864018881553447),
        0.5: (0.0017820220654992426, 6.958927391594452e-05, 2.3762190815016464e-05),
        0.8: (0.0004786492206066037, 2.55391602431832e-06, 4.5353464201106115e-07),
        1.0: (0.00019683752612304454, 2.768339879045408e-07, 3.168529461739819e-08),
        2.0: (2.0923623350964516e-06, 3.301226447883796e-12, 4.018142719502744e-14),
    },
    (0.01, 0.99): {
        0.1: (0.16221542354575708, 0.09293966259491485, 0.07928919886813758),
        0.2: (0.11025206154598874, 0.04676644599938207, 0.03811419621194022),
        0.5: (0.04635706129814252, 0.015612184849579307, 0.012479865150464165),
        0.8: (0.02669791949581755, 0.008658727314608877, 0.006906981593074233),
        1.0: (0.02030695831028028, 0.0065320486854944715, 0.0052074660863154505),
        2.0: (0.00850628171513344, 0.002704136847856542, 0.0021495954520213837),
    },
}

small = st.floats(-3, 3)
networks = st.builds(
    ToyNetwork,
    inputs=st.tuples(small, small),
    targets=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    weights=st.tuples(*[small] * 8),
    biases=st.tuples(small, small),
)


def complex_step(network, columns):
    """The derivatives of `columns` by w1 … w8, shape (len(columns), 8): exact, as no difference is taken."""
    values = dict(zip(map(str, PARAMETERS), network.parameters, strict=True))
    steps = []
    for n in range(1, 9):
        moved = values | {f"w{n}": values[f"w{n}"] + 1e-30j}
        steps.append([np.imag(value) / 1e-30 for value in evaluate(columns, **moved)])
    return np.array(steps).T


@settings(max_examples=60)
@given(networks)
def test_hessian_is_the_complex_step_of_the_gradient(network):
    np.testing.assert_allclose(hessian(network), complex_step(network, COLUMNS[-8:]), rtol=0, atol=1e-14)


def test_hessian_is_the_second_central_difference_of_the_loss():
    step = 1e-3
    shifts = step * np.eye(8)

    def loss(shift):
        return replace(SPREAD, weights=tuple(np.array(SPREAD.weights) + shift)).loss()

    differences = [
        [(loss(a + b) - loss(a - b) - loss(b - a) + loss(-a - b)) / (4 * step**2) for a in shifts] for b in shifts
    ]
    np.testing.assert_allclose(hessian(SPREAD), differences, atol=1e-7)


def test_hessian_is_said_in_the_columns_of_the_sheet():
    assert hessian_expressions().shape == (8, 8)
    assert {str(symbol) for symbol in hessian_expressions().free_symbols} <= set(COLUMNS)


@settings(max_examples=40)
@given(networks)
def test_at_a_minimum_the_hessian_is_the_squared_jacobian_of_rank_two(network):
    try:
        minimum = nearest_minimum(network)
    except ValueError:  # as documented: from a few odd starts, Newton's steps run away
        assume(False)
    row = minimum.row()
    assume(max(abs(row[unit]) for unit in ("h1", "h2", "o1", "o2")) < 100)  # beyond, the oracle's complex exp overflows
    jacobian = complex_step(minimum, ["a_o1", "a_o2"])
    assert minimum.loss() < 1e-24
    np.testing.assert_allclose(hessian(minimum), jacobian.T @ jacobian, rtol=0, atol=1e-11)
    eigenvalues = np.linalg.eigvalsh(hessian(minimum))
    np.testing.assert_allclose(eigenvalues[-2:], np.linalg.eigvalsh(jacobian @ jacobian.T), rtol=0, atol=1e-11)
    np.testing.assert_allclose(eigenvalues[:6], 0, atol=1e-11)


def test_the_nearest_minimum_is_where_a_descent_in_small_steps_ends():
    table = EVEN.descend(0.1, 6000)
    end, predicted = table.iloc[-1][[f"w{n}" for n in range(1, 9)]], nearest_minimum(at_update(EVEN, table, 2000))
    np.testing.assert_allclose(predicted.weights, end.astype(float), atol=1e-6)


@pytest.mark.parametrize("targets", [(0.0, 0.5), (0.5, 1.0), (1.2, 0.5)])
def test_targets_that_no_sigmoid_reaches_have_no_minimum(targets):
    with pytest.raises(ValueError, match=r"^targets: "):
        nearest_minimum(ToyNetwork(targets=targets))


def test_where_silent_hidden_units_leave_the_outputs_no_weight_there_is_no_minimum():
    with pytest.raises(ValueError, match=r"^network: "):
        nearest_minimum(replace(SPREAD, biases=(-800.0, 0.0)))


@pytest.mark.parametrize("targets", PUBLISHED)
def test_losses_are_the_published_ones(targets):
    losses = compare_learning_rates(ToyNetwork(targets=targets), RATES, 200)
    for rate, expected in PUBLISHED[targets].items():
        np.testing.assert_allclose(losses.loc[[67, 167, 200], rate], expected, rtol=1e-9)


def test_the_published_slopes_are_those_that_the_curvature_predicts():
    """For targets of a half, 200 updates settle the curves of the larger rates."""
    study = settle(EVEN, RATES, 200)
    for rate in (0.8, 1.0, 2.0):
        _, before, after = PUBLISHED[0.5, 0.5][rate]
        assert study.loc[rate, "predicted"] == pytest.approx((after / before) ** (1 / 66), abs=1e-5)
        assert study.loc[rate, "predicted"] == pytest.approx(study.loc[rate, "measured"], abs=2e-6)


def test_given_time_every_rate_settles_into_the_steeper_curvature():
    study = settle(EVEN, RATES, 3000)
    np.testing.assert_allclose(study["measured"], study["predicted"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(study["lambda_now"], study["lambda_1"], rtol=1e-5)
    assert (study["lambda_1"] > study["lambda_2"]).all()
    assert study["lambda"].equals(study["lambda_1"].rename("lambda")) and study.index.name == "learning_rate"
    assert study["share_1"].between(0.98, 0.99).all()
    assert (study["loss"] > 1e-22).all()
    np.testing.assert_allclose(study["predicted"], 1 - study.index.to_numpy() * study["lambda_1"])


def test_spread_targets_have_not_settled_after_200_updates():
    """The minimum is far and flat; till then the descent runs down a steeper slope than the one it will end on."""
    study = settle(SPREAD, RATES, 200)
    assert (study["lambda_now"] > 20 * study["lambda_1"]).all()
    assert (1 - study["measured"] > 20 * (1 - study["predicted"])).all()


def test_spread_targets_settle_in_the_end():
    study = settle(SPREAD, (20.0,), 20_000, window=500).loc[20.0]
    assert study["measured"] == pytest.approx(study["predicted"], abs=1e-7)
    assert 1 - study["measured"] == pytest.approx(20 * study["lambda_1"], rel=1e-3)
    assert study["lambda_1"] == pytest.approx(6.1e-5, rel=0.02)


def test_a_run_too_short_to_measure_says_so():
    study = settle(EVEN, (1.0,), updates=5)
    assert np.isnan(study.loc[1.0, "measured"])
    assert study.loc[1.0, "update"] == 5


def test_measuring_takes_as_many_updates_as_the_window_has_and_no_more():
    study = settle(EVEN, (1.0,), updates=1, window=1).loc[1.0]
    losses = EVEN.descend(1.0, 1)["E_total"]
    assert study["measured"] == pytest.approx((losses[1] / losses[0]) ** 0.5, rel=1e-12)


def test_an_error_across_the_steepest_direction_shrinks_as_the_flatter_curvature_says():
    minimum = nearest_minimum(ToyNetwork(targets=(0.2, 0.6)))
    outputs = jacobian(minimum, a_o1, a_o2)
    flatter = np.linalg.eigh(outputs @ outputs.T)[1][:, 0]
    weights = np.array(minimum.weights) + np.linalg.lstsq(outputs, 1e-4 * flatter)[0]
    study = settle(replace(minimum, weights=tuple(weights)), (1.0,), updates=20).loc[1.0]
    assert study["share_1"] < 1e-6 and study["lambda"] == study["lambda_2"] < study["lambda_1"] / 2
    assert study["measured"] == pytest.approx(study["predicted"], abs=2e-5)
    assert largest_stable_rate(minimum) == pytest.approx(2 / study["lambda_1"], rel=1e-3)


def test_where_the_targets_are_met_there_is_nothing_to_measure():
    outputs = EVEN.row()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = settle(ToyNetwork(targets=(outputs["a_o1"], outputs["a_o2"])), (1.0,), updates=3).loc[1.0]
    assert (study["update"], study["loss"]) == (0, 0)
    assert study[["share_1", "lambda_now", "measured"]].isna().all()


def test_the_implied_curvature_is_the_rayleigh_quotient_of_the_errors():
    table = SPREAD.descend(1.0, 40)
    there = at_update(SPREAD, table, 40)
    jacobian = complex_step(there, ["a_o1", "a_o2"])
    errors = table.loc[40, ["a_o1", "a_o2"]].to_numpy(float) - SPREAD.targets
    expected = errors @ jacobian @ jacobian.T @ errors / (errors @ errors)
    assert curvature_along_descent(table)[40] == pytest.approx(expected, rel=1e-12)


def close_to_the_minimum():
    return at_update(EVEN, EVEN.descend(0.1, 3000), 2000)


def test_errors_shrink_below_the_largest_stable_rate_and_grow_above():
    start = close_to_the_minimum()
    stable = largest_stable_rate(nearest_minimum(start))
    assert stable == pytest.approx(61.9, abs=0.05)
    below, above = (start.descend(factor * stable, 10) for factor in (0.98, 1.02))
    assert (below["E_total"].diff()[1:] < 0).all()
    assert (above["E_total"].diff()[1:] > 0).all()
    for table in (below, above):  # 1 - ηλ is below zero: each update overshoots
        signs = np.sign(table["a_o1"] - 0.5).to_numpy()
        assert (signs[1:] == -signs[:-1]).all()
    growth = above["E_total"].iloc[-1] / above["E_total"].iloc[-2]
    assert growth == pytest.approx((1 - 2 * 1.02) ** 2, abs=1e-4)


def test_surface_is_the_loss_at_each_pair_of_weights():
    x, y = np.array([0.0, 0.4, 2.0]), np.array([-1.0, 0.5])
    surface = loss_surface(SPREAD, ("w5", "w7"), x, y)
    assert surface.shape == (2, 3)
    for row, second in enumerate(y):
        for column, first in enumerate(x):
            weights = (*SPREAD.weights[:4], first, SPREAD.weights[5], second, SPREAD.weights[7])
            assert surface[row, column] == pytest.approx(replace(SPREAD, weights=weights).loss(), rel=1e-14)


@pytest.mark.parametrize(
    "pair",
    [("w1", "w1"), ("w1", "w9"), ("w1",), ("w1", "w2", "w3"), ("w1", "t1"), ("w5", "w7", "w5"), (["w5"], "w7"), 5],
)
def test_a_pair_must_be_two_weights(pair):
    with pytest.raises(ValueError, match=r"^pair: "):
        loss_surface(EVEN, pair, [0.0], [0.0])


def test_a_surface_names_the_axis_that_is_no_numbers():
    with pytest.raises(ValueError, match=r"^x: "):
        loss_surface(EVEN, ("w5", "w7"), "wide", [0.0])
    with pytest.raises(ValueError, match=r"^y: "):
        loss_surface(EVEN, ("w5", "w7"), [0.0], "wide")
    with pytest.raises(ValueError, match=r"^x: "):
        loss_surface(EVEN, ("w5", "w7"), np.zeros((2, 2)), [0.0])


@pytest.mark.parametrize("update", [4, -1, 0.5, "last"])
def test_an_update_that_the_table_does_not_have(update):
    with pytest.raises(ValueError, match=r"^update: "):
        at_update(EVEN, EVEN.descend(1.0, 3), update)


def test_where_the_loss_is_flat_every_rate_is_stable():
    assert largest_stable_rate(replace(EVEN, biases=(800.0, 800.0))) == np.inf


def test_unless_told_otherwise_the_last_20_of_200_updates_are_measured():
    assert settle(EVEN, (1.0,)).equals(settle(EVEN, (1.0,), updates=200, window=20))


def test_rates_are_checked():
    with pytest.raises(ValueError, match=r"^learning_rate: "):
        settle(EVEN, (1.0, 0.0))
    with pytest.raises(ValueError, match=r"^learning_rates: "):
        settle(EVEN, ())
    with pytest.raises(ValueError, match="updates"):
        settle(EVEN, (1.0,), -1)
    with pytest.raises(ValueError, match=r"^window: "):
        settle(EVEN, (1.0,), window=0)
