"""The redesigned study of the advice: each rival tests its sentence and nothing else."""

from dataclasses import fields, replace

import pandas as pd
import pytest
import torch
from scipy import stats

from cellgrad import training
from cellgrad.layers import batch_norm, count_parameters
from cellgrad.receptive import cost_table
from cellgrad.training.recipes import RECIPES
from cellgrad.trials import sentences
from cellgrad.trials.records import shipped_records
from cellgrad.trials.sentences import SENTENCES
from cellgrad.trials.studies import find_study

COMPARISONS = [(sentence.control, rival) for sentence in SENTENCES for rival in sentence.rivals]


@pytest.mark.parametrize("control, rival", COMPARISONS, ids=[rival.recipe.name for _, rival in COMPARISONS])
def test_a_rival_differs_from_its_control_in_one_thing(control, rival):
    assert rival.expected in ("better", "worse", "no difference")
    differ = {f.name for f in fields(control) if getattr(control, f.name) != getattr(rival.recipe, f.name)} - {"name"}
    about_weights = differ == {"network", "first_weights"} and batch_norm not in rival.recipe.network
    assert len(differ) == 1 or about_weights
    assert count_parameters(rival.recipe.network) == pytest.approx(14_392, rel=0.03)


def field(name):
    """Of the last convolution before the places are averaged."""
    (network,) = [recipe.network for recipe in sentences.trainings() if recipe.name == name]
    table = cost_table(network)
    return int(table.loc[table["kind"] == "conv", "size"].iloc[-2]), (table["kind"] == "conv").sum()


def test_the_field_grows_while_the_depth_stays_and_the_depth_while_the_field_stays():
    name = "one layer behind the pool, field {}"
    assert [field(name.format(size)) for size in (12, 20, 28, 36)] == [(12, 5), (20, 5), (28, 5), (36, 5)]
    deeper = ["field 28 in two layers", "field 28 in three layers", "field 28 in five layers"]
    assert [field(name) for name in deeper] == [(28, 6), (28, 7), (28, 9)]


def test_every_training_gets_the_same_search_of_its_rate():
    searched = find_study("sentences-rates")
    assert searched.blind and len(searched.variants) == len(sentences.RATES) * len(sentences.trainings())
    for recipe in sentences.trainings():
        found = [other for other in searched.variants if replace(other, name="", learning_rate=0) == nameless(recipe)]
        assert [other.learning_rate for other in found] == list(sentences.RATES)


def test_the_chosen_rates_are_those_at_which_the_held_out_digits_were_read_best():
    searched = shipped_records("sentences-rates")
    rates = searched["recipe"].map(lambda recipe: recipe["learning_rate"])
    trained = [name.removesuffix(f", rate {rate}") for name, rate in zip(searched["variant"], rates, strict=True)]
    read = pd.Series(searched["held_out_accuracy"].to_numpy(), index=[trained, rates]).unstack()
    assert list(read.columns) == list(sentences.RATES)
    diverged = read.isna().stack()
    assert list(diverged.index[diverged]) == [("dropout 0.2 behind the pool", 0.4)]  # its loss became NaN: no record
    assert read.idxmax(axis=1).to_dict() == sentences.CHOSEN_RATES


@pytest.fixture(scope="module")
def verdicts():
    """By the rule of chapter 11, with the thresholds of Holm's correction where the chapter corrects the p-values."""
    records = shipped_records("sentences")
    records["unseen"] = 100 * (records["test_accuracy"] + records["validation_accuracy"]) / 2
    runs = records.pivot(index="seed", columns="variant", values="unseen")
    p, found = {}, {}
    for control, rival in COMPARISONS:
        pair = control.name, sentences.trained_as(rival.recipe)
        tested = stats.ttest_rel(runs[pair[1]], runs[pair[0]], nan_policy="raise")
        interval = tested.confidence_interval(0.975)
        p[pair] = tested.pvalue
        found[pair] = "no difference" if max(-interval.low, interval.high) < 0.05 else "undecided"
    assert len(runs) == 20 and len(p) == len(COMPARISONS)
    for rank, (control, rival) in enumerate(sorted(p, key=p.get)):
        if p[control, rival] >= 0.025 / (len(COMPARISONS) - rank):
            break
        found[control, rival] = "better" if runs[rival].mean() > runs[control].mean() else "worse"
    return found


def test_only_what_twenty_seeds_left_undecided_trains_longer_and_its_controls(verdicts):
    undecided = [pair for pair, verdict in verdicts.items() if verdict == "undecided"]
    assert {rival for _, rival in undecided} == set(sentences.UNDECIDED)

    study = find_study("sentences-longer")
    assert {recipe.name for recipe in study.variants} == {name for pair in undecided for name in pair}
    assert study.seeds == 10
    shorter = {recipe.name: recipe for recipe in find_study("sentences").variants}
    for recipe in study.variants:
        assert replace(recipe, epochs=4) == shorter[recipe.name] and recipe.epochs == 12


def test_what_twenty_seeds_decided_about_the_network_trains_with_the_tricks_of_best(verdicts):
    of_base = {rival: verdict for (control, rival), verdict in verdicts.items() if control == "base"}
    decided = {rival for rival, verdict in of_base.items() if verdict in ("better", "worse")}
    recipes = {recipe.name: recipe for recipe in find_study("sentences").variants}
    about_network = {name for name in decided if recipes[name].network != recipes["base"].network}
    assert about_network == set(sentences.DECIDED)

    study, best = find_study("sentences-tricks"), RECIPES["best"]
    assert {recipe.name for recipe in study.variants} == {"base", *about_network} and study.seeds == 10
    may_differ = {"name", "network", "epochs", "learning_rate", "batch_size", "test_shift", "first_weights"}
    for recipe in study.variants:
        assert replace(recipe, nesterov=False, label_smoothing=0, affine=None, shift=2) == recipes[recipe.name]
        assert {f.name for f in fields(best) if getattr(best, f.name) != getattr(recipe, f.name)} <= may_differ


def test_two_names_of_one_training_are_found_as_one():
    named = {recipe.name for control, rival in COMPARISONS for recipe in (control, rival.recipe)}
    trained = {recipe.name for recipe in sentences.trainings()}
    assert named - trained == {"field 28 in one layer"}
    (rival,) = [rival.recipe for _, rival in COMPARISONS if rival.recipe.name == "field 28 in one layer"]
    assert sentences.trained_as(rival) == "one layer behind the pool, field 28"


def nameless(recipe):
    return replace(recipe, name="", learning_rate=0)


@pytest.mark.usefixtures("one_thread")
def test_first_weights_are_those_asked_for(sample):
    few = replace(sample, train=sample.train[:256])
    still = replace(sentences.BASE, learning_rate=1e-12, weight_decay=0.0, epochs=1)
    run = {
        kind: training.train(replace(still, first_weights=kind), few, progress=False).model
        for kind in ("pytorch", "he", "orthogonal")
    }
    he = run["he"].conv8.weight
    assert he.std().item() == pytest.approx((2 / (16 * 9)) ** 0.5, rel=0.05)
    assert run["pytorch"].conv8.weight.std().item() == pytest.approx((1 / (3 * 16 * 9)) ** 0.5, rel=0.05)
    rows = run["orthogonal"].conv8.weight.flatten(1)
    assert torch.allclose(rows @ rows.T, 2 * torch.eye(len(rows)), atol=1e-4)
