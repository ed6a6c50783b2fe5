import numpy as np
import pandas as pd
import pytest

from cellgrad.trials.comparison import against, against_all, compare, seeds_needed, verdict


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
    ],
)
def test_intervals_in_words(low, high, said):
    assert verdict(low, high) == said


def test_only_shared_seeds_are_compared():
    found = compare(accuracies([0.99, 0.98, 0.5], [1, 2, 9]), accuracies([0.98, 0.97, 0.1, 0.1], [1, 2, 3, 4]))
    assert found.pairs == 2 and found.difference == pytest.approx(1)


def test_too_little_to_compare_is_named():
    with pytest.raises(ValueError, match="1 shared seeds are too few"):
        compare(accuracies([0.9, 0.9], [1, 2]), accuracies([0.9, 0.9], [2, 3]))
    with pytest.raises(ValueError, match="more than once"):
        compare(accuracies([0.9, 0.9], [1, 1]), accuracies([0.9, 0.9], [1, 2]))


def test_a_table_against_the_base():
    rows = [("base", s, 0.99 + s / 1e4) for s in range(5)]
    rows += [("good", s, 0.992 + s / 1e4 + (s % 2) / 1e4) for s in range(5)] + [("poor", s, 0.9) for s in range(4)]
    table = against(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "base")
    assert table.index.tolist() == ["good", "poor"]
    assert table["verdict"].tolist() == ["better", "worse"] and table["pairs"].tolist() == [5, 4]
    assert table["mean"].tolist() == pytest.approx([99.224, 90])
    with pytest.raises(ValueError, match="no run of 'bose' among base, good, poor"):
        against(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "bose")


@pytest.mark.parametrize("condition", [{"data": "sample"}, {"validation": 5000}, {"training_version": 1}])
def test_trials_that_were_not_made_alike_are_not_compared(condition):
    alike = {"data": "full", "validation": 0, "training_version": 2}
    rows = [{"variant": v, "seed": s, "test_accuracy": 0.99 + s / 1e4} | alike for v in "ab" for s in range(3)]
    assert len(against(pd.DataFrame(rows), "a")) == 1
    unlike = [row | condition if row["variant"] == "b" else row for row in rows]
    with pytest.raises(ValueError, match=next(iter(condition))):
        against(pd.DataFrame(unlike), "a")


def as_records(samples):
    rows = [(name, seed, value) for name, values in samples.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])


def test_dunnetts_own_example():
    """Blood counts of animals under two drugs and none: Dunnett 1955, with the p-values that SciPy documents."""
    counts = {
        "none": [7.40, 8.50, 7.20, 8.24, 9.84, 8.32],
        "A": [9.76, 8.80, 7.68, 9.36],
        "B": [12.80, 9.68, 12.16, 9.20, 10.55],
    }
    records = as_records({name: [count / 100 for count in values] for name, values in counts.items()})
    table = against_all(records, "none", paired=False)
    assert table["difference"].tolist() == pytest.approx([0.65, 2.628], abs=1e-9)
    assert table["p"].tolist() == pytest.approx([0.62004941, 0.0059035], abs=1e-3)
    assert table["low"]["A"] < 0 < table["low"]["B"] and table["settled"].tolist() == [False, True]
    assert table["verdict"]["B"] == "better"


def test_with_one_comparison_the_flips_give_nearly_students_interval():
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    table = against_all(as_records({"one": np.divide(first, 100), "two": np.divide(second, 100)}), "one")
    found = table.loc["two"]
    assert (found["seeds"], found["difference"]) == (10, pytest.approx(1.58))
    assert (found["low"], found["high"]) == pytest.approx((0.7001, 2.4599), abs=0.25)
    assert found["settled"]


@pytest.mark.parametrize("seeds", [10, 20])
def test_all_intervals_together_hold_what_they_promise(seeds):
    """Made-up studies of twelve variants that share their base runs: in 95 of 100 every interval is right."""
    rng = np.random.default_rng(3)
    true = {f"variant {n}": 0.02 * (n % 3) for n in range(12)}
    held = alone = 0
    for _ in range(200):
        base = rng.normal(99.3, 0.06, seeds)
        runs = {"base": base / 100}
        for name, difference in true.items():
            runs[name] = (0.3 * (base - 99.3) + 99.3 + difference + rng.normal(0, 0.05, seeds)) / 100
        records = as_records(runs)
        table = against_all(records, "base")
        right = (table["low"] <= pd.Series(true)) & (pd.Series(true) <= table["high"])
        held += right.all()
        each = against(records, "base")
        alone += ((each["low"] <= pd.Series(true)) & (pd.Series(true) <= each["high"])).all()
    assert held / 200 > 0.91
    assert alone < held - 20, "one interval at a time promises less"


def test_no_difference_can_be_reached_and_says_which_rows_did():
    rng = np.random.default_rng(1)
    base = rng.normal(0.993, 0.0005, 20)
    alike, unsure = base + rng.normal(0, 0.0001, 20), base + rng.normal(0, 0.003, 20)
    table = against_all(as_records({"base": base, "alike": alike, "unsure": unsure, "worse": base - 0.002}), "base")
    assert table.loc["alike", "verdict"] == "no difference of 0.05 or more"
    assert table["settled"].to_dict() == {"alike": True, "unsure": False, "worse": True}


def test_too_few_seeds_for_many_comparisons_are_named():
    few = as_records({"base": [0.9] * 5, "other": [0.9, 0.8, 0.9, 0.8, 0.9]})
    with pytest.raises(ValueError, match="5 seeds that all variants share are too few"):
        against_all(few, "base")
    with pytest.raises(ValueError, match="'bose'"):
        against_all(few, "bose")


def test_seeds_needed_are_those_of_the_table_of_student():
    """t(0.975) is 2.262 with 9 degrees of freedom, 2.306 with 8: ten pairs reach 0.7154 deviations, nine 0.7687."""
    assert seeds_needed(1.0, matters=0.72) == 10 and seeds_needed(1.0, matters=0.76) == 10
    assert seeds_needed(1.0, matters=0.77) == 9
    assert seeds_needed(0.1, comparisons=20) > seeds_needed(0.1) > seeds_needed(0.05)
    with pytest.raises(ValueError, match="deviation"):
        seeds_needed(0.0)
