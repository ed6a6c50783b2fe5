import numpy as np
import pytest
from reference_numbers import LOSSES, MAZUR, SPREAD_LOSSES, SPREADSHEET

from cellgrad.toynet import COLUMNS, ToyNetwork
from cellgrad.toynet.descent import compare_learning_rates, descend

WEIGHT_NAMES = [f"w{k}" for k in range(1, 9)]


def test_the_published_spreadsheet_row_by_row():
    table = ToyNetwork(targets=(0.01, 0.99)).descend(learning_rate=1.0, updates=200)
    assert list(table.columns) == list(COLUMNS) and table.shape == (201, 31)
    for update, published in SPREADSHEET.items():
        assert np.abs(table.loc[update, [*WEIGHT_NAMES, "E_total"]] - published).max() < 1e-13, update


@pytest.mark.parametrize(("targets", "losses"), [((0.5, 0.5), LOSSES), ((0.01, 0.99), SPREAD_LOSSES)])
def test_losses_at_six_learning_rates(targets, losses):
    table = compare_learning_rates(ToyNetwork(targets=targets), losses, updates=200)
    for rate, by_update in losses.items():
        for update, loss in by_update.items():
            assert table.loc[update, rate] == pytest.approx(loss, abs=1e-13, rel=1e-9), (rate, update)


def test_mazurs_example_with_biases():
    table = ToyNetwork(targets=(0.01, 0.99), biases=(0.35, 0.6)).descend(learning_rate=0.5, updates=10_000)
    assert table.loc[0, "E_total"] == pytest.approx(MAZUR["E_total_0"], abs=1e-8)
    assert np.abs(table.loc[1, WEIGHT_NAMES] - MAZUR["weights_after_1"]).max() < 1e-8
    assert table.loc[1, "E_total"] == pytest.approx(MAZUR["E_total_after_1"], abs=1e-8)
    assert table.loc[10_000, "E_total"] == pytest.approx(MAZUR["E_total_after_10000"], abs=1e-10)
    assert np.abs(table.loc[10_000, ["a_o1", "a_o2"]] - MAZUR["outputs_after_10000"]).max() < 1e-8


def test_each_row_follows_from_the_one_above_it():
    table = descend(ToyNetwork(), 0.5, 5)
    for k in range(1, 9):
        expected = table[f"w{k}"] - 0.5 * table[f"dE_dw{k}"]
        assert np.array_equal(table[f"w{k}"].iloc[1:], expected.iloc[:-1])


def test_unless_told_otherwise_a_descent_is_a_hundred_updates_at_rate_1():
    network = ToyNetwork()
    table = network.descend(1.0, 100)
    assert table.index.name == "update" and table.shape == (101, 31)
    assert table.equals(network.descend()) and table.equals(descend(network))
    assert compare_learning_rates(network, [1.0])[1.0].equals(table["E_total"])


def test_no_updates_is_one_row():
    assert len(descend(ToyNetwork(), 1.0, 0)) == 1


def test_the_largest_weights_that_a_network_may_have_are_no_reason_to_refuse():
    assert len(descend(ToyNetwork(weights=(1e100,) * 8), 1.0, 1)) == 2


def test_an_absurd_learning_rate_stays_finite():
    assert np.isfinite(descend(ToyNetwork(), 1e6, 50).to_numpy()).all()


@pytest.mark.parametrize(
    ("rate", "updates", "named"),
    [
        (0, 10, "learning_rate"),
        (-1, 10, "learning_rate"),
        (float("nan"), 10, "learning_rate"),
        ("fast", 10, "learning_rate"),
        ("1", 10, "learning_rate"),
        (None, 10, "learning_rate"),
        (1e300, 10, "learning_rate"),
        (1.0, -1, "updates"),
        (1.0, 2.5, "updates"),
        (1.0, "10", "updates"),
    ],
)
def test_bad_settings_are_named(rate, updates, named):
    with pytest.raises(ValueError) as error:
        descend(ToyNetwork(), rate, updates)
    assert str(error.value).startswith(f"{named}: ")


def test_a_rate_that_throws_the_weights_out_of_range_is_refused_only_when_it_does():
    assert len(descend(ToyNetwork(), 1e300, 0)) == 1


@pytest.mark.parametrize("rates", [(), (0.1, -0.2), None, "123", ["0.5"], {0.5, 1.0}])
def test_bad_lists_of_learning_rates(rates):
    with pytest.raises(ValueError, match=r"^learning_rates?: "):
        compare_learning_rates(ToyNetwork(), rates)
