"""What Part III teaches stands in its cells: the typed loop, intervals and readings, alone, are the package's."""

import math
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_core_part_1 import code

torch = pytest.importorskip("torch")

from cellgrad import mnist, training  # noqa: E402
from cellgrad.layers import SOURCE, build  # noqa: E402
from cellgrad.training import batches, randomness, saving  # noqa: E402
from cellgrad.trials.comparison import compare  # noqa: E402


def core(chapter: str, **known: object) -> dict:
    """The names that a chapter's core cells define, given the libraries alone; importing the package is an error."""
    namespace = dict(known)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cellgrad"]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "cellgrad", None)
        sources = code(chapter, "core")
        assert sources
        for source in sources:
            exec(source, namespace)
    return namespace


@pytest.fixture(scope="module")
def typed():
    """The names that chapter 10's core cells define."""
    return core("10")


def test_the_typed_network_is_the_list_of_layers(typed):
    theirs, ours = build(SOURCE), typed["source_network"]()
    assert [type(layer) for layer in ours] == [type(layer) for layer in theirs]
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(5, 1, 28, 28)
    assert torch.equal(ours(images), theirs(images))


def test_the_typed_batches_show_every_digit_once_moved_by_whole_pixels(typed):
    digits = mnist.sample().train[:300]
    marked = torch.arange(300)  # in the place of the labels, to know the digits again
    shown = list(typed["moved_batches"](digits.images, marked))
    assert [len(rows) for _, rows in shown] == [128, 128, 44]
    images, rows = (torch.cat(parts) for parts in zip(*shown, strict=True))
    assert rows.sort().values.equal(marked) and not rows.equal(marked)
    views = mnist.normalise(batches.windows(digits.images, 2).flatten(0, 2)).reshape(300, 25, 28, 28)
    nearest = (views[rows] - images).abs().amax((2, 3)).min(1)
    assert nearest.values.max() < 1e-5
    assert len(nearest.indices.unique()) == 25, "every one of the 25 shifts occurs"


@pytest.mark.parametrize("seed", [0, 3])
def test_the_typed_loop_is_the_packages(typed, seed, one_thread):
    recipe = training.find_recipe("book")
    few = mnist.Mnist(mnist.sample().train[:700], mnist.sample().test, "sample", "")
    theirs = training.train(recipe, few, seed=seed, epochs=2, device="cpu", progress=False)
    torch.manual_seed(randomness.seed_for("weights", recipe, seed))
    ours = typed["source_network"]().to(memory_format=torch.channels_last)
    shown = lambda epoch: training.draw_batches(recipe, few.train, seed, epoch)  # noqa: E731
    losses, rates = typed["fit"](ours, shown, epochs=2, updates=12)
    for a, b in zip(ours.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    sizes = [128, 128, 128, 128, 128, 60]
    mean = sum(loss * size for loss, size in zip(losses[6:], sizes, strict=True)) / 700
    assert mean == pytest.approx(theirs.history["loss"].iloc[-1], abs=1e-6)
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=0.05) and rates[-1] < 0.01 * recipe.learning_rate


@pytest.fixture(scope="module")
def records():
    """Five kinds of networks with six seeds each, drawn; the spreads differ."""
    random = np.random.default_rng(0)
    kinds = {
        "base": (0.99, 0.0005),
        "a": (0.99, 0.001),
        "b": (0.985, 0.0005),
        "c": (0.991, 0.003),
        "d": (0.9885, 0.0007),
    }
    rows = [
        {"variant": name, "seed": seed, "test_accuracy": random.normal(mean, spread), "data": "full"}
        for name, (mean, spread) in kinds.items()
        for seed in range(6)
    ]
    return pd.DataFrame(rows)


def test_the_typed_interval_is_compares(records):
    typed = core("11", np=np, pd=pd, stats=stats)
    runs = {name: group.set_index("seed")["test_accuracy"] for name, group in records.groupby("variant")}
    for confidence in (0.95, 0.99):
        theirs = compare(runs["a"], runs["base"], confidence=confidence)
        middle, reach = typed["interval"](100 * (runs["a"] - runs["base"]), confidence)
        ours = middle, middle - reach, middle + reach
        assert ours == pytest.approx((theirs.difference, theirs.low, theirs.high), abs=1e-12)


def test_the_typed_dunnett_gives_dunnetts_own_example():
    """Blood counts of animals under two drugs and none: Dunnett 1955."""
    none = np.array([7.40, 8.50, 7.20, 8.24, 9.84, 8.32])
    drugs = {"A": np.array([9.76, 8.80, 7.68, 9.36]), "B": np.array([12.80, 9.68, 12.16, 9.20, 10.55])}
    table = core("11", np=np, pd=pd, stats=stats)["dunnett"](drugs | {"none": none}, "none").loc[["A", "B"]]
    assert table["difference"].tolist() == pytest.approx([0.65, 2.628], abs=1e-9)
    assert table["low"]["A"] < 0 < table["low"]["B"]  # SciPy documents p = 0.62 and 0.006
    # By hand: one spread for all, 12 degrees of freedom, and how often both of two studentised differences are inside.
    squares = sum(((group - group.mean()) ** 2).sum() for group in (none, *drugs.values()))
    errors = np.sqrt(squares / 12 * np.array([1 / len(group) + 1 / len(none) for group in drugs.values()]))
    limit = ((table["high"] - table["low"]) / 2 / errors).to_numpy()
    assert limit[0] == pytest.approx(limit[1], abs=1e-6)
    together = np.sqrt(np.prod([len(group) / (len(group) + len(none)) for group in drugs.values()]))
    both = stats.multivariate_t(shape=[[1, together], [together, 1]], df=12, seed=0)
    assert both.cdf(limit, lower_limit=-limit) == pytest.approx(0.95, abs=1e-3)


def test_the_typed_corrections_are_holms_and_welchs():
    typed = core("11", np=np, pd=pd, stats=stats)
    # R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    corrected = typed["holm"](pd.Series({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}))
    assert corrected[["a", "b", "c", "d"]].tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert typed["holm"](pd.Series({"a": 0.6, "b": 0.7})).max() == 1
    one, two, three = [3.1, 2.9, 3.3, 3.0], [2.0, 2.9, 1.1, 2.2], [3.1, 3.0, 3.2, 3.1]
    groups, control = {"one": one, "two": two, "three": three}, {"two": "one", "three": "one"}
    # Welch's formula by hand: difference over root of the two squared standard errors, Satterthwaite's degrees.
    alone = {}
    for name, against_one in control.items():
        x, y = np.array(groups[name]), np.array(groups[against_one])
        vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
        degrees = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
        alone[name] = 2 * stats.t.sf(abs(x.mean() - y.mean()) / (vx + vy) ** 0.5, degrees)
    small, large = sorted(alone, key=alone.get)
    p = typed["welch"](groups, control)
    assert p[small] == pytest.approx(2 * alone[small])
    assert p[large] == pytest.approx(max(alone[large], 2 * alone[small]))


def test_the_typed_nine_readings_are_the_packages(one_thread):
    typed = core("12", torch=torch, F=torch.nn.functional)
    digits = mnist.sample().test[:200]
    for name in ("fast", "book"):
        network = saving.shipped_run(name).model.eval()
        ours = typed["read_nine_times"](network, mnist.normalise(digits.images))
        torch.testing.assert_close(ours, training.predict(network, digits, shift=1), rtol=0, atol=1e-4)
        assert not torch.allclose(ours, training.predict(network, digits).log_softmax(1), atol=1e-2)


def test_the_typed_interval_for_a_share_is_wilsons():
    typed = core("13", math=math, np=np, torch=torch, F=torch.nn.functional)
    for k, n in ((17, 20), (0, 10), (10, 10), (9_950, 10_000)):
        theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert typed["wilson"](k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_the_typed_turns_moves_and_noise_do_what_they_say():
    typed = core("13", math=math, np=np, torch=torch, F=torch.nn.functional)
    images = mnist.sample().test.images[:20]
    assert typed["rotated"](images, 0).equal(images)
    quarter = typed["rotated"](images, 90)
    assert quarter.equal(images.rot90(1, (1, 2))) or quarter.equal(images.rot90(-1, (1, 2)))
    assert (
        typed["moved"](images, 3)[:, :, 3:].equal(images[:, :, :25]) and not typed["moved"](images, 3)[:, :, :3].any()
    )
    assert typed["noisy"](images, 0).equal(images)
    grey = torch.full((50, 28, 28), 128, dtype=torch.uint8)
    assert typed["noisy"](grey, 20).double().std().item() == pytest.approx(20, rel=0.02)
    curve = pd.Series([99.0, 95.0, 85.0, 60.0], index=[0, 10, 20, 30])
    assert typed["first_below"](curve) == pytest.approx(15)
    assert np.isnan(typed["first_below"](curve, limit=50))
