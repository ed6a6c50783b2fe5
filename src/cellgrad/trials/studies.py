"""Studies: questions that take many trainings to answer, as data. `cellgrad trials` runs them.

This module needs no torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from cellgrad import checks
from cellgrad.layers import (
    SOURCE,
    Layer,
    avg_pool,
    batch_norm,
    block,
    conv,
    dropout,
    flatten,
    global_avg_pool,
    linear,
    max_pool,
    relu,
)
from cellgrad.training.recipes import RECIPES, Recipe


@dataclass(frozen=True)
class Study:
    """A question, and the variants that answer it, each trained with the seeds 0 to `seeds` - 1.

    validation: so many of the training digits are held out in every trial, and measured on after each epoch.
    Raises ValueError where two variants have one name or are one training.
    """

    name: str
    question: str
    variants: tuple[Recipe, ...]
    seeds: int
    validation: int = 0

    def __post_init__(self) -> None:
        checks.whole_number("seeds", self.seeds, least=1)
        checks.whole_number("validation", self.validation)
        for what, count in (Counter(v.name for v in self.variants) + Counter(map(_nameless, self.variants))).items():
            if count > 1:
                names = [v.name for v in self.variants if what in (v.name, _nameless(v))]
                raise ValueError(f"study {self.name!r}: the variants {', '.join(names)} are the same; keep one")


def _nameless(recipe: Recipe) -> Recipe:
    return replace(recipe, name="")


# Is the advice true? --------------------------------------------------------------------------------------------------

_POOL = max_pool(2)
_SCORES = (conv(10, 1, name="scores"), flatten)
_FRONT = block(8) * 3


def _blocks(*channels: int, padding: int = 0) -> tuple[Layer, ...]:
    return tuple(layer for count in channels for layer in block(count, padding=padding))


def _last(channels: int, padding: int = 0) -> tuple[Layer, ...]:
    """The source's last 3×3 convolution, which has no batch norm."""
    return (conv(channels, 3, padding=padding), relu)


def _swapped(layers: tuple[Layer, ...], first: Layer, second: Layer) -> tuple[Layer, ...]:
    """Each `first` that is followed by a `second`, the other way round."""
    order = list(layers)
    for at in range(len(order) - 1):
        if order[at : at + 2] == [first, second]:
            order[at : at + 2] = second, first
    return tuple(order)


def _no_batch_norm(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Biases in place of the batch norms, so that each channel keeps a number to add."""
    return tuple(replace(layer, bias=layer.kind == "conv") for layer in layers if layer != batch_norm)


# Other networks, each of nearly the source's 14,392 parameters.
_NETWORKS = {
    "dense head": (*_FRONT, _POOL, flatten, linear(13, bias=False), relu, linear(10)),
    "dense only": (flatten, linear(18), relu, linear(10)),
    "batch norm before ReLU": _swapped(SOURCE, relu, batch_norm),
    "no batch norm": _no_batch_norm(SOURCE),
    "4 channels up front": (*_blocks(4, 4, 4), _POOL, *_blocks(17, 17, 17, 17), *_last(34), *_SCORES),
    "16 channels up front": (*_blocks(16, 16, 16), _POOL, *_blocks(13, 13, 13, 13), *_last(24), *_SCORES),
    "field 3 before the pool": (*_blocks(8), _POOL, *_blocks(16, 16, 16, 16, 14), *_last(28), *_SCORES),
    "field 5 before the pool": (*_blocks(8, 8), _POOL, *_blocks(16, 16, 16, 16), *_last(28), conv(10, 2), flatten),
    "field 9 before the pool": (*_blocks(8, 8, 8, 8), _POOL, *_blocks(16, 16, 16), *_last(34), conv(10, 2), flatten),
    "field 12 at the end": (*_FRONT, _POOL, *_last(160), conv(10, 1), global_avg_pool, flatten),
    "field 20 at the end": (*_FRONT, _POOL, *_blocks(24, 24), *_last(27), conv(10, 1), global_avg_pool, flatten),
    "field 36 at the end": (
        *(*_FRONT, _POOL, *_blocks(13, 13, padding=1)),
        *(*_blocks(13, 13, 13, 13), *_last(32), *_SCORES),
    ),
    "average pool": (*_FRONT, _POOL, *_blocks(16, 16, 16, 16), *_last(32, padding=1), avg_pool(3), *_SCORES),
    "dropout 0.2": (*_FRONT, _POOL, dropout(0.2), *SOURCE[len(_FRONT) + 1 :]),
}

# Without a batch norm behind every weight, the base's learning rate is too high, and what trains at all trains by luck.
_SLOWER = 0.05
_NEED_A_SLOWER_RATE = ("dense head", "dense only", "no batch norm")

_BASE = replace(RECIPES["book"], name="base", epochs=4)
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
        for name, network in _NETWORKS.items()
    ),
    replace(_BASE, name="no batch norm, same rate", network=_NETWORKS["no batch norm"]),
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
    "full size, then a pool": (conv(8, 3, padding=1), _POOL, *_FAST.network[1:]),
    "batch norm after ReLU": _swapped(_FAST.network, batch_norm, relu),
}
_TRICKS = (
    _FAST,
    *(replace(_FAST, name=name, network=network) for name, network in _FAST_NETWORKS.items()),
    replace(_FAST, name="small batches", batch_size=_FAST.batch_size // 2, learning_rate=_FAST.learning_rate / 2),
    replace(_FAST, name="constant rate", learning_rate=_FAST.learning_rate / 4, schedule="constant"),
    replace(_FAST, name="digits as they are", shift=0),
    replace(_FAST, name="rotated, scaled, moved", affine=RECIPES["source"].affine),
    replace(_FAST, name="no weight decay", weight_decay=0.0),
)

_ALL = [
    Study(
        "recipes",
        "How well does each recipe read the test digits, trained on all 60,000 others?",
        tuple(recipe for recipe in RECIPES.values() if recipe.name != "source"),
        seeds=10,
    ),
    Study(
        "source",
        "Is the curve that the source recorded one of ours? 5,000 digits are held out to follow it.",
        (RECIPES["source"],),
        seeds=10,
        validation=5000,
    ),
    Study("advice", "Is each sentence of the source's advice true?", _ADVICE, seeds=4, validation=10_000),
    Study("tricks", "What does each trick of the recipe `fast` buy?", _TRICKS, seeds=3, validation=10_000),
]
STUDIES = {study.name: study for study in _ALL}


def find_study(name: str) -> Study:
    """The study of this name, or ValueError."""
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}; choose among {', '.join(STUDIES)}")
    return STUDIES[name]
