"""What Part III teaches stands in its cells: the typed loop, alone, is the package's."""

import sys

import pytest
from test_core_part_1 import code

torch = pytest.importorskip("torch")

from cellgrad import mnist, training  # noqa: E402
from cellgrad.layers import SOURCE, build  # noqa: E402
from cellgrad.training import batches, randomness  # noqa: E402


@pytest.fixture(scope="module")
def typed():
    """The names that chapter 10's core cells define, run where importing the package is an error."""
    namespace = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cellgrad"]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "cellgrad", None)
        for source in code("10", "core"):
            exec(source, namespace)
    return namespace


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
