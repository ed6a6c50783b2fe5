"""Studies: questions that take many trainings to answer, as data. `cellgrad trials` runs them.

This module needs no torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from cellgrad import checks
from cellgrad.layers import (
    SOURCE,
    Layer,
    batch_norm,
    conv,
    count_parameters,
    flatten,
    relu,
)
from cellgrad.training.recipes import CHANCES, RECIPES, Recipe, pool_early
from cellgrad.trials import sentences
from cellgrad.trials.rivals import NETWORKS, POOL, SCORES, swapped


@dataclass(frozen=True)
class Study:
    """A question, and the variants that answer it, each trained with the seeds 0 to `seeds` - 1.

    validation: so many of the training digits are held out in every trial, and measured on after each epoch. blind:
    the test digits stay unread, and the network reads the held-out ones in their place, once, at the end; by such
    studies recipes are chosen.
    Raises ValueError where two variants have one name or are one training, for numbers out of range, and for a blind
    study that holds nothing out.
    """

    name: str
    question: str
    variants: tuple[Recipe, ...]
    seeds: int
    validation: int = 0
    blind: bool = False

    def __post_init__(self) -> None:
        checks.whole_number("seeds", self.seeds, least=1)
        checks.whole_number("validation", self.validation, least=1 if self.blind else 0)
        for what, count in (Counter(v.name for v in self.variants) + Counter(map(_nameless, self.variants))).items():
            if count > 1:
                names = [v.name for v in self.variants if what in (v.name, _nameless(v))]
                raise ValueError(f"study {self.name!r}: the variants {', '.join(names)} are the same; keep one")


def _nameless(recipe: Recipe) -> Recipe:
    return replace(recipe, name="")


# Is the advice true? --------------------------------------------------------------------------------------------------

# Without a batch norm behind every weight, the base's learning rate is too high, and what trains at all trains by luck.
_SLOWER = 0.05
_NEED_A_SLOWER_RATE = ("dense head", "dense only", "no batch norm")

_BASE = sentences.BASE
_ADVICE = (
    _BASE,
    replace(_BASE, name="base, slower", learning_rate=_SLOWER),
    *(
        replace(
            _BASE,
            name=name,
            network=network,
            learning_rate=_SLOWER if name in _NEED_A_SLOWER_RATE else _BASE.learning_rate,
        )
        for name, network in NETWORKS.items()
    ),
    replace(_BASE, name="no batch norm, same rate", network=NETWORKS["no batch norm"]),
    replace(_BASE, name="digits as they are", shift=0),
    replace(_BASE, name="rotated, scaled, moved", affine=RECIPES["source"].affine),
    replace(_BASE, name="constant rate", learning_rate=_SLOWER, schedule="constant"),
    replace(_BASE, name="the source's rate", learning_rate=RECIPES["source"].learning_rate, schedule="constant"),
)

# What does each trick of the recipe `fast` buy? Take it away ----------------------------------------------------------

# Read once: nine readings would only make each trial longer.
_FAST = replace(RECIPES["fast"], name="fast, read once", test_shift=0)
_FAST_NETWORKS = {
    "the source's network": SOURCE,
    "full size, then a pool": (conv(8, 3, padding=1), POOL, *_FAST.network[1:]),
    "batch norm after ReLU": swapped(_FAST.network, batch_norm, relu),
}
_TRICKS = (
    _FAST,
    *(replace(_FAST, name=name, network=network) for name, network in _FAST_NETWORKS.items()),
    replace(_FAST, name="small batches", batch_size=_FAST.batch_size // 2, learning_rate=_FAST.learning_rate / 2),
    replace(_FAST, name="constant rate", learning_rate=_FAST.learning_rate / 4, schedule="constant"),
    replace(_FAST, name="digits as they are", shift=0),
    replace(_FAST, name="rotated, scaled, moved", affine=RECIPES["source"].affine),
    replace(_FAST, name="no weight decay", weight_decay=0.0),
    replace(_FAST, name="momentum without Nesterov", nesterov=False),
    replace(_FAST, name="labels not smoothed", label_smoothing=0.0),
)

# Which recipes? Candidates, read on held-out digits only -------------------------------------------------------------

_NINE = {"test_shift": 1}  # the record has the single reading, too


def _strided(a: int, b: int, c: int, d: int) -> tuple[Layer, ...]:
    """A first convolution that moves by two pixels, a pool, and scores from the 2 × 2 places left."""
    early = (*_normed(a, 5, stride=2, padding=2), *_normed(b, 3, pooled=True))
    return (*early, *_normed(c, 3), *_normed(d, 3), conv(10, 2, name="scores"), flatten)


def _normed(channels: int, kernel: int, pooled: bool = False, **options: int) -> tuple[Layer, ...]:
    return (conv(channels, kernel, **options), *((POOL,) if pooled else ()), batch_norm, relu)


# What `fast` was in version 0.1, when the search began.
_FAST_BEFORE = replace(
    RECIPES["fast"],
    network=(
        *_normed(8, 5, stride=2, padding=2),
        *_normed(16, 3),
        *_normed(24, 3, pooled=True),
        *_normed(24, 3),
        *_normed(32, 3),
        *SCORES,
    ),
    nesterov=False,
    label_smoothing=0.0,
)
_FASTER = replace(_FAST_BEFORE, name="8-16 | 32-32", network=_strided(8, 16, 32, 32), nesterov=True)
_TO_SEARCH_FAST = (
    replace(_FAST_BEFORE, name="fast, 3 epochs"),
    _FASTER,
    replace(_FASTER, name="8-24 | 24-40", network=_strided(8, 24, 24, 40)),
    replace(_FASTER, name="16-16 | 32-32", network=_strided(16, 16, 32, 32)),
    replace(_FASTER, name="8-16 | 32-32, 4 epochs", epochs=4),
    replace(_FASTER, name="8-16 | 32-32, no Nesterov", nesterov=False),
    replace(_FASTER, name="8-16 | 32-32, rate 0.8", learning_rate=0.8),
    replace(_FASTER, name="8-16 | 32-32, rate 0.2", learning_rate=0.2),
    replace(_FASTER, name="8-16 | 32-32, batch 128", batch_size=128, learning_rate=0.2),
    replace(_FASTER, name="8-16 | 32-32, decay 5e-4", weight_decay=5e-4),
    replace(_FASTER, name="8-16 | 32-32, labels smoothed", label_smoothing=0.1),
    replace(_FASTER, name="8-24 | 24-40, labels smoothed", network=_strided(8, 24, 24, 40), label_smoothing=0.1),
    replace(_FASTER, name="8-16 | 32-32, shift 2", shift=2),
)

_SMALLER = replace(RECIPES["small"], name="6-10-12-14-16", network=pool_early(6, 10, 12, 14, 16), nesterov=True)
_TO_SEARCH_SMALL = (
    _SMALLER,
    replace(_SMALLER, name="6-10-12-12-12", network=pool_early(6, 10, 12, 12, 12)),
    replace(_SMALLER, name="5-9-10-12-14", network=pool_early(5, 9, 10, 12, 14)),
    replace(_SMALLER, name="6-10-12-14-16, turned", affine=(7, 0.07, (0.9, 1.1))),
    replace(_SMALLER, name="6-10-12-14-16, shift 1", shift=1),
    replace(_SMALLER, name="6-10-12-14-16, rate 0.4", learning_rate=0.4),
    replace(_SMALLER, name="4-8-8-10-12", network=RECIPES["small"].network),
)


def _half_of_sixteen(base: Recipe, changes: dict[str, dict[str, Any]]) -> tuple[Recipe, ...]:
    """Four changes to a recipe, tried at once: of their sixteen combinations the eight with an even number of changes.

    Each change is in four of the eight and missing in four, and so are the other three in both fours: the mean of the
    one less that of the other is what the change does, from all the runs. What two changes do only together cannot be
    taken for what a third does alone (resolution IV: Box, Hunter and Hunter, Statistics for Experimenters, chapter 6).
    """
    recipes = []
    for made in (made for n in (0, 2, 4) for made in combinations(changes, n)):
        settings = {name: value for change in made for name, value in changes[change].items()}
        recipes.append(replace(base, name=", ".join((base.name, *made)), **settings))
    return tuple(recipes)


# The rule, written before the first run: `best` gets each change whose effect on the held-out digits, the mean over
# both ways to read them, is above nothing; and sixty epochs, unsearched: no longer cycle has been seen to hurt.
_TO_SEARCH_BEST = _half_of_sixteen(
    replace(RECIPES["best"], epochs=20, label_smoothing=0.0),
    {
        "smoothed": {"label_smoothing": 0.1},
        "decay": {"weight_decay": 5e-4},
        "more moved": {"affine": (15, 0.1, (0.85, 1.15))},
        "small batches": {"batch_size": 128, "learning_rate": 0.2},
    },
)

_TO_SEARCH_BOOK = (
    replace(RECIPES["book"], name="book, Nesterov", nesterov=True),
    replace(RECIPES["book"], name="book, Nesterov, a little turned", nesterov=True, affine=(5, 0.07, (0.95, 1.05))),
    replace(RECIPES["book"], name="book, Nesterov, decay 5e-4", nesterov=True, weight_decay=5e-4),
    replace(RECIPES["book"], name="book, Nesterov, 15 epochs", nesterov=True, epochs=15),
    RECIPES["book"],
)


def _search(recipe: str, variants: tuple[Recipe, ...], seeds: int) -> Study:
    """By held-out digits alone; each digit is read nine times, and once."""
    question = f"Which recipe shall be `{recipe}`? The test digits stay unread."
    candidates = tuple(replace(variant, **_NINE) for variant in variants)
    return Study(f"search-{recipe}", question, candidates, seeds, validation=10_000, blind=True)


# How much of one result is luck? One recipe again and again ----------------------------------------------------------


def _only_varies(kind: str) -> Recipe:
    """The recipe `fast`, of whose chances all but one are kept at those of seed 0."""
    kept = tuple((other, 0) for other in CHANCES if other != kind)
    return replace(RECIPES["fast"], name=f"only the {kind}", seeds=kept)


# How many parameters does it take? One family of networks, one training ---------------------------------------------

_WIDTHS = (0.5, 0.67, 0.85, 1.0, 1.2, 1.5, 1.7, 2.0, 2.4, 2.8, 3.2, 3.8)


def _of_width(width: float) -> tuple[Layer, ...]:
    """The networks of `small-once` (width 2), wider and narrower."""
    return pool_early(*(round(width * share) for share in (3, 5, 6, 7, 8)))


_FRONTIER = tuple(
    replace(RECIPES["small"], name=f"{count_parameters(network):,}", network=network, epochs=12, nesterov=True)
    for network in map(_of_width, _WIDTHS)
)

_ALL = [
    Study(
        "recipes",
        "How well does each recipe read the test digits, trained on all 60,000 others?",
        tuple(recipe for recipe in RECIPES.values() if recipe.name != "source"),
        seeds=20,
    ),
    Study(
        "source",
        "Is the curve that the source recorded one of ours? 5,000 digits are held out to follow it.",
        (RECIPES["source"],),
        seeds=10,
        validation=5000,
    ),
    Study("advice", "Is each sentence of the source's advice true?", _ADVICE, seeds=4, validation=10_000),
    Study("tricks", "What does each trick of the recipe `fast` buy?", _TRICKS, seeds=10, validation=10_000),
    Study("luck", "How much of one result is luck?", (RECIPES["fast"],), seeds=200),
    Study(
        "kinds-of-luck",
        "Is it the first weights, the order of the digits, or their movement?",
        tuple(map(_only_varies, ("weights", "order", "movement"))),
        seeds=50,
    ),
    Study("frontier", "How well can a network of so many parameters read?", _FRONTIER, seeds=10),
]
_ALL += [
    _search("fast", _TO_SEARCH_FAST, seeds=3),
    _search("small", _TO_SEARCH_SMALL, seeds=2),
    _search("best", _TO_SEARCH_BEST, seeds=1),
    _search("book", _TO_SEARCH_BOOK, seeds=2),
]
_ALL += [
    Study(
        "sentences-rates",
        "At which learning rate does each rival of the source's advice train best? The test digits stay unread.",
        tuple(
            replace(recipe, name=f"{recipe.name}, rate {rate}", learning_rate=rate)
            for recipe in sentences.trainings()
            for rate in sentences.RATES
        ),
        seeds=1,
        validation=10_000,
        blind=True,
    ),
    Study(
        "sentences",
        "Is each sentence of the source's advice true, where a rival differs in one thing and has its own rate?",
        tuple(
            replace(recipe, learning_rate=sentences.CHOSEN_RATES[recipe.name])
            for recipe in sentences.trainings()
            if recipe.name in sentences.CHOSEN_RATES
        ),
        seeds=20,
        validation=10_000,
    ),
    Study(
        "sentences-longer",
        "What becomes of the rivals that four epochs left undecided, after the recipe's twelve?",
        sentences.longer(),
        seeds=10,
        validation=10_000,
    ),
    Study(
        "sentences-tricks",
        "Which verdicts on the network change where all train with the tricks of the recipe `best`?",
        sentences.with_tricks(),
        seeds=10,
        validation=10_000,
    ),
]
STUDIES = {study.name: study for study in _ALL}


def find_study(name: str) -> Study:
    """The study of this name, or ValueError."""
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}; choose among {', '.join(STUDIES)}")
    return STUDIES[name]
