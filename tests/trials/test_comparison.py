import numpy as np
import pandas as pd
import pytest

from cellgrad.trials.comparison import against, compare, verdict


def accuracies(values, seeds=None):
    return pd.Series(values, index=range(len(values)) if seeds is None else seeds)


def test_students_own_example():
    """Hours of sleep gained with two drugs by ten patients; Student 1908. R's t.test gives 1.58, 0.7001 to 2.4599."""
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    found = compare(accuracies(second) / 100, accuracies(first) / 100)
    assert found.pairs == 10 and found.verdict == "better"
    assert (found.difference, found.low, found.high) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-6)


@pytest.mark.parametrize("true_difference", [0.0, 0.0005])
def test_intervals_hold_what_they_promise(true_difference):
    """2,000 made-up studies: 95 of 100 intervals hold the difference that was put in, though seeds differ by more."""
    rng = np.random.default_rng(1)
    held = wrong = 0
    for _ in range(2000):
        easy_seed = rng.normal(0, 0.002, 8)  # shared by both runs of a pair, so that pairing takes it out
        base = accuracies(0.995 + easy_seed + rng.normal(0, 0.0003, 8))
        ours = accuracies(0.995 + true_difference + easy_seed + rng.normal(0, 0.0003, 8))
        found = compare(ours, base)
        held += found.low <= 100 * true_difference <= found.high
        wrong += found.verdict.startswith("worse") if true_difference else found.verdict.startswith(("better", "worse"))
    assert 0.935 < held / 2000 < 0.965
    assert wrong / 2000 < (0.01 if true_difference else 0.065)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.02, 0.09, "better"),
        (-0.2, -0.1, "worse"),
        (0.01, 0.03, "better, by less than 0.05"),
        (-0.04, -0.01, "worse, by less than 0.05"),
        (-0.02, 0.04, "no difference of 0.05 or more"),
        (-0.02, 0.08, "no difference we could measure; 0.08 could hide"),
        (-0.31, 0.01, "no difference we could measure; 0.31 could hide"),
        # An interval that ends at zero holds zero; one that ends at what matters holds a difference that does.
        (0.0, 0.09, "no difference we could measure; 0.09 could hide"),
        (-0.09, 0.0, "no difference we could measure; 0.09 could hide"),
        (0.01, 0.05, "better"),
        (-0.05, -0.01, "worse"),
        (-0.02, 0.05, "no difference we could measure; 0.05 could hide"),
    ],
)
def test_intervals_in_words(low, high, said):
    assert verdict(low, high) == said


def test_what_matters_decides_what_a_small_difference_is_called():
    ours, base = accuracies([0.9903, 0.9904, 0.9905]), accuracies([0.9901, 0.9902, 0.9903])  # 0.02 points each
    assert compare(ours, base).verdict == "better, by less than 0.05"
    assert compare(ours, base, matters=0.01).verdict == "better"


def test_only_shared_seeds_are_compared():
    found = compare(accuracies([0.99, 0.98, 0.5], [1, 2, 9]), accuracies([0.98, 0.97, 0.1, 0.1], [1, 2, 3, 4]))
    assert found.pairs == 2 and found.difference == pytest.approx(1)


def test_too_little_to_compare_is_named():
    with pytest.raises(ValueError, match="1 shared seeds are too few"):
        compare(accuracies([0.9, 0.9], [1, 2]), accuracies([0.9, 0.9], [2, 3]))
    with pytest.raises(ValueError, match="more than once"):
        compare(accuracies([0.9, 0.9], [1, 1]), accuracies([0.9, 0.9], [1, 2]))
    with pytest.raises(ValueError, match="an accuracy is no number"):
        compare(accuracies([0.9, None]), accuracies([0.9, 0.9]))
    with pytest.raises(ValueError, match="confidence: 95 is no share"):
        compare(accuracies([0.9, 0.9]), accuracies([0.9, 0.9]), confidence=95)
    rows = [("base", 0, 0.9), ("base", 1, 0.9), ("alone", 0, 0.9)]
    with pytest.raises(ValueError, match="'alone' against 'base': 1 shared seeds"):
        against(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "base")


def test_a_table_against_the_base():
    rows = [("base", s, 0.99 + s / 1e4) for s in range(5)]
    rows += [("good", s, 0.992 + s / 1e4 + (s % 2) / 1e4) for s in range(5)] + [("poor", s, 0.9) for s in range(4)]
    table = against(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "base")
    assert table.index.tolist() == ["good", "poor"]
    assert table["verdict"].tolist() == ["better", "worse"] and table["pairs"].tolist() == [5, 4]
    assert table["mean"].tolist() == pytest.approx([99.224, 90]) and table.index.name == "variant"
    with pytest.raises(ValueError, match="no run of 'bose' among base, good, poor"):
        against(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "bose")


def test_a_table_keeps_the_order_of_the_trials_and_takes_the_confidence_asked_for():
    rows = [(v, s, 0.99 + s / 1e4 + k * (1 + s % 2) / 1e4) for k, v in enumerate("bca") for s in range(4)]
    trials = pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])
    assert against(trials, "b").index.tolist() == ["c", "a"]
    wide, narrow = (against(trials, "b", confidence=c) for c in (0.95, 0.5))
    assert (wide["low"] < narrow["low"]).all() and (narrow["high"] < wide["high"]).all()


@pytest.mark.parametrize("condition", [{"data": "sample"}, {"validation": 5000}, {"training_version": 1}])
def test_trials_that_were_not_made_alike_are_not_compared(condition):
    alike = {"data": "full", "validation": 0, "training_version": 2}
    rows = [{"variant": v, "seed": s, "test_accuracy": 0.99 + s / 1e4} | alike for v in "ab" for s in range(3)]
    assert len(against(pd.DataFrame(rows), "a")) == 1
    unlike = [row | condition if row["variant"] == "b" else row for row in rows]
    with pytest.raises(ValueError, match=next(iter(condition))):
        against(pd.DataFrame(unlike), "a")


@pytest.mark.parametrize(
    "records",
    [
        pd.DataFrame(),
        pd.DataFrame({"variant": ["a"], "seed": [0]}),
        pd.DataFrame({"variant": ["a"], "seed": [0], "held_out_accuracy": [0.9]}),
    ],
)
def test_a_table_without_the_accuracies_is_refused(records):
    with pytest.raises(ValueError, match=r"no column .*test_accuracy"):
        against(records, "a")
