"""Pairs: two networks with one seed see the same digits, moved in the same way, in the same order."""

from collections import defaultdict
from dataclasses import replace

import pytest
import torch

from cellgrad import mnist
from cellgrad.layers import build, dropout
from cellgrad.training import draw_batches, loop, train
from cellgrad.training.recipes import CHANCES, RECIPES
from cellgrad.trials.studies import STUDIES

COUNT = 140

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def numbered():
    """Digits whose labels are their own numbers, so that batches tell the order: two batches for some recipes."""
    return mnist.Digits(mnist.sample().train.images[:COUNT], torch.arange(COUNT))


@pytest.fixture
def shown(numbered, monkeypatch):
    """Trains two epochs, and tells what the network was shown: the order of the digits and the images in this order."""

    def shown(recipe, seed=0):
        seen = []

        def watched(*arguments, **options):
            for images, numbers in draw_batches(*arguments, **options):
                seen.append((images.clone(), numbers))
                yield images, numbers % 10

        monkeypatch.setattr(loop, "draw_batches", watched)
        judged = mnist.Digits(numbered.images[:1], numbered.labels[:1] % 10)  # one: what is judged is not looked at
        data = mnist.Mnist(numbered, judged, "sample", "a test")
        small_steps = replace(recipe, learning_rate=1e-6, epochs=2)
        train(small_steps, data, seed=seed, device="cpu", progress=False)
        images, numbers = map(torch.cat, zip(*seen, strict=True))
        return numbers, images

    return shown


def movement_of(recipe):
    return recipe.feed, recipe.affine, None if recipe.affine else recipe.shift


@pytest.mark.slow
def test_all_variants_of_all_studies_see_the_same_digits_moved_alike_in_the_same_order(shown):
    variants = [*RECIPES.values(), *(variant for study in STUDIES.values() for variant in study.variants)]
    orders, pictures = [], defaultdict(list)
    for variant in dict.fromkeys(replace(variant, seeds=()) for variant in variants):
        numbers, images = shown(variant, seed=5)
        orders.append(numbers)
        pictures[movement_of(variant)].append(images)
    assert len(orders) > 25 and max(map(len, pictures.values())) > 15
    assert all(torch.equal(order, orders[0]) for order in orders)
    for movement, alike in pictures.items():
        assert all(torch.equal(images, alike[0]) for images in alike), movement
    first, second = orders[0].split(COUNT)
    assert not torch.equal(first, second) and torch.equal(first.sort()[0], second.sort()[0])


def test_farther_movements_go_the_same_way(shown):
    """A digit that one recipe moves by two pixels to the right moves to the right in another one, too, if at all."""
    blank = torch.zeros(1, 28, 28, dtype=torch.uint8)
    blank[0, 14, 14] = 255
    ink = mnist.Digits(blank.expand(200, 28, 28), torch.arange(200))

    def places(shift):
        images, _ = next(draw_batches(replace(RECIPES["book"], shift=shift, batch_size=200), ink, seed=1))
        at = images.flatten(1).argmax(1)
        return torch.stack([at // 28 - 14, at % 28 - 14])

    one, two = places(1), places(2)
    assert one.unique().tolist() == [-1, 0, 1] and two.unique().tolist() == [-2, -1, 0, 1, 2]
    assert (one * two >= 0).all() and one[two == 2].unique().tolist() == [1]


@pytest.mark.parametrize("kind", CHANCES)
def test_one_kind_of_chance_varies_alone(shown, kind):
    """Of first weights, order, movement and dropout only the one changes whose seed is not fixed."""
    network = (dropout(0.5), *RECIPES["fast"].network)
    fixed = tuple((other, 7) for other in CHANCES if other != kind)
    recipe = replace(RECIPES["fast"], name="one varies", network=network, seeds=fixed)

    def told(seed):
        numbers, images = shown(recipe, seed)
        epochs = zip(numbers.split(COUNT), images.split(COUNT), strict=True)
        in_turn = [epoch_images[epoch_numbers.argsort()] for epoch_numbers, epoch_images in epochs]
        torch.manual_seed(loop.seed_for("weights", recipe, seed))
        weights = build(network).scores.weight
        torch.manual_seed(loop.seed_for("dropout", recipe, seed, 1))
        return {"weights": weights, "order": numbers, "movement": torch.cat(in_turn), "dropout": torch.rand(5)}

    one, other = told(1), told(2)
    assert [name for name in CHANCES if not torch.equal(one[name], other[name])] == [kind]


@pytest.mark.parametrize("kind", CHANCES)
def test_each_kind_of_chance_reaches_the_training(kind):
    """A recipe that fixes nothing is the one that fixes the run's own seed; another seed for any kind gives others."""
    sample = mnist.sample()
    few = mnist.Mnist(sample.train[:256], sample.test[:100], "sample", "a test")
    network = (dropout(0.5), *RECIPES["fast"].network)
    recipe = replace(RECIPES["fast"], name="dropping", network=network, epochs=1)

    def weights(*seeds):
        run = train(replace(recipe, seeds=seeds), few, seed=3, progress=False)
        return torch.cat([tensor.double().flatten() for tensor in run.model.state_dict().values()])

    assert torch.equal(weights(), weights((kind, 3)))
    assert not torch.equal(weights(), weights((kind, 4)))
