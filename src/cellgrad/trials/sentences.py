"""The source's advice, sentence by sentence: the rivals that test each and nothing else, and what we expect of them.

The expectations are written down before the runs. Every rival trains at the best of four learning rates, which held-out
digits choose for each in the same way (the study `sentences-rates`). Then all train with twenty seeds (`sentences`).
What these leave undecided trains longer, with ten seeds (`sentences-longer`), and a part of what they decide trains
with the tricks of the recipe `best`, with ten seeds (`sentences-tricks`).
This module needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cellgrad.layers import Layer, batch_norm, conv, flatten, global_avg_pool, linear, relu
from cellgrad.training.recipes import RECIPES, Recipe
from cellgrad.trials.rivals import FRONT, NETWORKS, POOL, SCORES, stages

RATES = (0.05, 0.1, 0.2, 0.4)

# The rates that were chosen, by the records of `sentences-rates`. (Dropout's run at 0.4 has none: its loss became NaN.)
CHOSEN_RATES = {
    "base": 0.05,
    "3 × 3 straight to the scores": 0.2,
    "dense layer to the scores": 0.1,
    "one layer behind the pool, field 28": 0.4,
    "one layer behind the pool, field 12": 0.4,
    "one layer behind the pool, field 20": 0.4,
    "one layer behind the pool, field 36": 0.4,
    "field 28 in five layers": 0.2,
    "field 28 in two layers": 0.2,
    "field 28 in three layers": 0.4,
    "average of 3 × 3 places": 0.1,
    "field 3 before the pool": 0.1,
    "field 5 before the pool": 0.1,
    "field 9 before the pool": 0.05,
    "4 channels up front": 0.05,
    "16 channels up front": 0.1,
    "dense head, 13 units on 11 × 11": 0.4,
    "dense head, 62 units on 5 × 5": 0.2,
    "two more convolutions, then 62 units": 0.1,
    "dense layers only": 0.4,
    "batch norm before the ReLU": 0.1,
    "He's first weights": 0.2,
    "no batch norm": 0.05,
    "no batch norm, He's first weights": 0.05,
    "no batch norm, orthogonal first weights": 0.05,
    "dropout 0.2 behind the pool": 0.05,
    "digits as they are": 0.05,
    "shifted by up to one pixel": 0.2,
    "turned, scaled and moved as the source does": 0.1,
    "constant rate": 0.05,
}

SAME, WORSE = "no difference", "worse"

# The trainings of the rivals that twenty seeds at four epochs left undecided, by the rule of chapter 11 over all rivals
# (a test holds it to that).
UNDECIDED = (
    "average of 3 × 3 places",
    "field 5 before the pool",
    "field 9 before the pool",
    "two more convolutions, then 62 units",
    "batch norm before the ReLU",
    "He's first weights",
    "no batch norm",
)

# The trainings of the rivals of the base that these twenty seeds found better or worse, and that are about the network,
# not about how it is trained.
DECIDED = (
    "3 × 3 straight to the scores",
    "dense layer to the scores",
    "4 channels up front",
    "dense head, 13 units on 11 × 11",
    "dense head, 62 units on 5 × 5",
    "dense layers only",
    "no batch norm, He's first weights",
    "no batch norm, orthogonal first weights",
)

# How `best` is trained and `book` is not. (Its larger batches stay aside: the rates are chosen for these.)
_TRICKS = {name: getattr(RECIPES["best"], name) for name in ("nesterov", "label_smoothing", "shift", "affine")}


@dataclass(frozen=True)
class Rival:
    """A training that differs from its control in one thing, and the difference that we expect.

    (Two without batch norm differ in their first weights, too, which it may need.)
    """

    recipe: Recipe
    expected: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of the source, or a choice it makes without one; the rivals are compared with the control."""

    text: str
    control: Recipe
    rivals: tuple[Rival, ...]


BASE = replace(RECIPES["book"], name="base", epochs=4)

_PLACES = (global_avg_pool, *SCORES)


def _dilated(channels: int, *dilations: int) -> tuple[Layer, ...]:
    """Behind the pool as many convolutions as there are dilations, all on 11 × 11 places, whose average is scored."""
    behind = [layer for dilation in dilations for layer in stages(channels, dilation=dilation, padding=dilation)]
    return (*FRONT, POOL, *behind, *_PLACES)


def _dense(units: int, places: int, *before: Layer) -> tuple[Layer, ...]:
    """A dense layer of so many units on all places at once, with batch norm, then the scores."""
    return (*before, conv(units, places), batch_norm, relu, *SCORES)


def _rival(name: str, expected: str, **changes: Any) -> Rival:
    return Rival(replace(BASE, name=name, **changes), expected)


def _control(name: str, network: tuple[Layer, ...]) -> Recipe:
    return replace(BASE, name=name, network=network)


SENTENCES = (
    Sentence(
        "The last layer is a 1 × 1 convolution.",
        BASE,
        (
            _rival(
                "3 × 3 straight to the scores",
                SAME,
                network=(*FRONT, POOL, *stages(19, 19, 19, 19), conv(10, 3, name="scores"), flatten),
            ),
            _rival(
                "dense layer to the scores",
                SAME,
                network=(*FRONT, POOL, *stages(19, 19, 19), flatten, linear(10)),
            ),
        ),
    ),
    Sentence(
        "The field at the end is about 28 × 28; more is not needed.",
        _control("one layer behind the pool, field 28", _dilated(156, 5)),
        (
            _rival("one layer behind the pool, field 12", WORSE, network=_dilated(156, 1)),
            _rival("one layer behind the pool, field 20", SAME, network=_dilated(156, 3)),
            _rival("one layer behind the pool, field 36", SAME, network=_dilated(156, 7)),
        ),
    ),
    Sentence(
        "The field grows layer by layer (and with the depth).",
        _control("field 28 in five layers", _dilated(18, 1, 1, 1, 1, 1)),
        (
            _rival("field 28 in one layer", WORSE, network=_dilated(156, 5)),
            _rival("field 28 in two layers", WORSE, network=_dilated(34, 2, 3)),
            _rival("field 28 in three layers", SAME, network=_dilated(25, 1, 2, 2)),
        ),
    ),
    Sentence(
        "Nothing is averaged: one place is left at the end.",
        BASE,
        (
            _rival(
                "average of 3 × 3 places",
                SAME,
                network=NETWORKS["average pool"],
            ),
        ),
    ),
    Sentence(
        "The field before the pool is 7 × 7.",
        BASE,
        (
            _rival(
                "field 3 before the pool",
                SAME,
                network=NETWORKS["field 3 before the pool"],
            ),
            _rival(
                "field 5 before the pool",
                SAME,
                network=NETWORKS["field 5 before the pool"],
            ),
            _rival(
                "field 9 before the pool",
                SAME,
                network=NETWORKS["field 9 before the pool"],
            ),
        ),
    ),
    Sentence(
        "The first layers have eight channels.",
        BASE,
        (
            _rival(
                "4 channels up front",
                WORSE,
                network=NETWORKS["4 channels up front"],
            ),
            _rival(
                "16 channels up front",
                SAME,
                network=NETWORKS["16 channels up front"],
            ),
        ),
    ),
    Sentence(
        "All layers are convolutions: they need fewer parameters.",
        BASE,
        (
            _rival("dense head, 13 units on 11 × 11", WORSE, network=_dense(13, 11, *FRONT, POOL)),
            _rival("dense head, 62 units on 5 × 5", WORSE, network=_dense(62, 5, *FRONT, POOL, POOL)),
            _rival(
                "two more convolutions, then 62 units",
                SAME,
                network=_dense(62, 3, *FRONT, POOL, *stages(16, 16), POOL),
            ),
            _rival("dense layers only", WORSE, network=_dense(18, 28)),
        ),
    ),
    Sentence(
        "Batch norm stands behind the ReLU.",
        BASE,
        (
            _rival("batch norm before the ReLU", SAME, network=NETWORKS["batch norm before ReLU"]),
            _rival("He's first weights", SAME, first_weights="he"),
            _rival("no batch norm", WORSE, network=NETWORKS["no batch norm"]),
            _rival("no batch norm, He's first weights", WORSE, network=NETWORKS["no batch norm"], first_weights="he"),
            _rival(
                "no batch norm, orthogonal first weights",
                WORSE,
                network=NETWORKS["no batch norm"],
                first_weights="orthogonal",
            ),
        ),
    ),
    Sentence(
        "Dropout (of a later version of the source).",
        BASE,
        (
            _rival(
                "dropout 0.2 behind the pool",
                SAME,
                network=NETWORKS["dropout 0.2"],
            ),
        ),
    ),
    Sentence(
        "The digits are turned, scaled and moved.",
        BASE,
        (
            _rival("digits as they are", WORSE, shift=0),
            _rival("shifted by up to one pixel", SAME, shift=1),
            _rival("turned, scaled and moved as the source does", WORSE, affine=RECIPES["source"].affine),
        ),
    ),
    Sentence("The learning rate stays.", BASE, (_rival("constant rate", WORSE, schedule="constant"),)),
)


def trainings() -> tuple[Recipe, ...]:
    """Every control and every rival, each once, at the base's learning rate."""
    named = {}
    for sentence in SENTENCES:
        for recipe in (sentence.control, *(rival.recipe for rival in sentence.rivals)):
            named.setdefault(replace(recipe, name=""), recipe)
    return tuple(named.values())


def trained_as(recipe: Recipe) -> str:
    """The name in `trainings` of a control or rival: some are one training under two names."""
    return next(other.name for other in trainings() if replace(other, name=recipe.name) == recipe)


def longer() -> tuple[Recipe, ...]:
    """The undecided rivals and their controls for the epochs of the recipe `book`, at the rates chosen for four."""
    names = set(UNDECIDED)
    for sentence in SENTENCES:
        if any(trained_as(rival.recipe) in UNDECIDED for rival in sentence.rivals):
            names.add(sentence.control.name)
    return tuple(
        replace(recipe, epochs=RECIPES["book"].epochs, learning_rate=CHOSEN_RATES[recipe.name])
        for recipe in trainings()
        if recipe.name in names
    )


def with_tricks() -> tuple[Recipe, ...]:
    """The base and the rivals of it in `DECIDED` as `best` trains, at the rates chosen without these tricks."""
    return tuple(
        replace(recipe, learning_rate=CHOSEN_RATES[recipe.name], **_TRICKS)
        for recipe in trainings()
        if recipe.name in (BASE.name, *DECIDED)
    )
