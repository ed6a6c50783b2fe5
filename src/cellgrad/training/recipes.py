"""Recipes: a network and how it is trained, as data. The command, the chapters and the trials all take them from here.

This module needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from cellgrad.checks import numbers, plain, whole_number
from cellgrad.layers import SOURCE, Layer, batch_norm, conv, flatten, global_avg_pool, max_pool, relu

# What is left to chance in a training; a seed fixes them all, each by a generator of its own.
CHANCES = ("weights", "order", "movement", "dropout")


SCHEDULES = ("constant", "one-cycle")
FEEDS = ("images", "tensor")
FIRST_WEIGHTS = ("pytorch", "he", "orthogonal")


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained, by stochastic gradient descent with momentum on the cross-entropy.

    schedule: "constant", or "one-cycle" (the rate rises to `learning_rate`, then falls to nothing, once per run). feed:
    "images" (one image at a time through torchvision's transforms, as the source does it) or "tensor" (whole batches
    cut from one tensor). shift: each digit moves by up to this many whole pixels in each direction ("tensor"). affine:
    (degrees of rotation, share of the width to translate by, least and greatest scale), each drawn anew for every digit
    shown; it replaces the shift. (With "tensor" the share is multiplied by the scale drawn.) test_shift: to read a
    digit, average the answers over all its shifts of up to so many pixels in each direction (test-time augmentation); 0
    reads it once, as it is. seeds: pairs of a kind of chance (`CHANCES`) and a seed of its own, in place of the run's,
    so that one kind can be kept and another varied. nesterov: take the gradient where the momentum leads to (Sutskever
    et al. 2013). label_smoothing: this share of each target is spread over all ten digits (Szegedy et al. 2016).
    average: what is evaluated are not the last weights but a running average, in which each step counts so much (Polyak
    and Juditsky 1992, here exponential); 0 takes the last weights. first_weights: of convolutions and dense layers:
    PyTorch's own, "he" (normal, of variance 2 / inputs of a unit; He et al. 2015) or "orthogonal" (Saxe et al. 2014,
    scaled by √2 for the ReLU); biases then start at 0. Raises ValueError for an unknown schedule, feed, kind of chance
    or of first weights, for numbers out of range, for Nesterov without momentum, and for "images" without an affine
    movement. (The network is checked when it is built.)
    """

    name: str
    network: tuple[Layer, ...]
    epochs: int
    learning_rate: float
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "one-cycle"
    feed: str = "tensor"
    shift: int = 0
    affine: tuple[float, float, tuple[float, float]] | None = None
    test_shift: int = 0
    seeds: tuple[tuple[str, int], ...] = ()
    nesterov: bool = False
    label_smoothing: float = 0.0
    average: float = 0.0
    first_weights: str = "pytorch"

    def __post_init__(self) -> None:
        for field in fields(self):  # as JSON gives them back, so that a recipe that was saved is the same
            value = plain(getattr(self, field.name))
            if field.type == "float":
                (value,) = numbers(field.name, (value,), 1)
            object.__setattr__(self, field.name, value)
        for name, least in (("epochs", 1), ("batch_size", 1), ("shift", 0), ("test_shift", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("feed", self.feed, FEEDS)
        _one_of("first_weights", self.first_weights, FIRST_WEIGHTS)
        for name in ("label_smoothing", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is no share; give 0 or more, and less than 1")
        for name, end in (("learning_rate", inf), ("weight_decay", inf), ("momentum", 1)):
            if not 0 <= getattr(self, name) < end:
                below = "" if end == inf else f", and less than {end}"
                raise ValueError(f"{name}: {getattr(self, name)} is out of range; give 0 or more{below}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: it looks ahead along the momentum, which is 0 here")
        if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in self.seeds):
            raise ValueError(f"seeds: expected pairs such as (('weights', 0),), got {self.seeds!r}")
        for kind, seed in self.seeds:
            _one_of("seeds", kind, CHANCES)
            whole_number(f"seeds: {kind}", seed)
        if self.affine is not None:
            _require_affine(self.affine)
        if self.feed == "images" and self.affine is None:
            raise ValueError('feed: "images" moves each digit as `affine` says; give it, or take "tensor"')

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON can hold it, with what is left at its default left out."""
        settings = _without_defaults(self)
        return settings | {"network": [_without_defaults(layer) for layer in self.network]}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_dict` gave, also after a trip through JSON, which knows no tuples."""
        return cls(**dict(settings) | {"network": tuple(Layer(**layer) for layer in settings["network"])})


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: {value!r} is unknown; choose among {', '.join(choices)}")


def _without_defaults(thing: Recipe | Layer) -> dict[str, object]:
    defaults = {field.name: field.default for field in fields(thing)}
    return {name: value for name, value in asdict(thing).items() if value != defaults[name]}


def _require_affine(affine: Any) -> None:
    try:
        degrees, share, (least, greatest) = affine
        numbers("affine", (degrees, share, least, greatest), 4)
        if degrees < 0 or share < 0 or not 0 < least <= greatest:
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(
            f"affine: {affine!r} is no movement; give degrees, a share of the width, and the least and greatest scale, "
            "as in (10, 0.1, (0.9, 1.1))"
        ) from None


def _block(channels: int, kernel: int = 3, **options: int) -> tuple[Layer, ...]:
    """Batch norm before the ReLU, unlike the source's."""
    return (conv(channels, kernel, **options), batch_norm, relu)


def _pooled(channels: int, **options: int) -> tuple[Layer, ...]:
    """Pooled before batch norm and ReLU, which then have a quarter of the numbers to work on."""
    return (conv(channels, 3, **options), max_pool(2), batch_norm, relu)


_SCORES = (conv(10, 1, name="scores"), flatten)


def pool_early(first: int, *channels: int) -> tuple[Layer, ...]:
    """One convolution at full size, then two and two at a half and a quarter of it; the places left are averaged."""
    a, b, c, d = channels
    early = (*_pooled(first, padding=1), *_block(a, padding=1), *_pooled(b))
    return (*early, *_block(c, padding=1), *_block(d), global_avg_pool, *_SCORES)


_FAST = (
    *_block(8, 5, stride=2, padding=2),
    *_pooled(24),
    *_block(24),
    *_block(40),
    conv(10, 2, name="scores"),
    flatten,
)

_ALL = [
    Recipe(
        "source",
        SOURCE,
        epochs=20,
        learning_rate=0.01,
        schedule="constant",
        feed="images",
        affine=(20, 0.1, (0.9, 1.1)),
    ),
    Recipe("book", SOURCE, epochs=12, learning_rate=0.2, weight_decay=1e-4, shift=2),
    Recipe(
        "best",
        pool_early(8, 20, 24, 28, 28),
        epochs=60,
        learning_rate=0.4,
        batch_size=256,
        weight_decay=1e-4,
        affine=(10, 0.07, (0.9, 1.1)),
        test_shift=1,
        nesterov=True,
        label_smoothing=0.1,
    ),
    Recipe(
        "small",
        pool_early(4, 8, 8, 10, 12),
        epochs=30,
        learning_rate=0.2,
        weight_decay=5e-5,
        shift=2,
        test_shift=1,
    ),
    Recipe(
        "small-once",
        pool_early(6, 10, 12, 14, 16),
        epochs=30,
        learning_rate=0.2,
        weight_decay=5e-5,
        shift=2,
        nesterov=True,
    ),
    Recipe(
        "fast",
        _FAST,
        epochs=3,
        learning_rate=0.4,
        batch_size=256,
        weight_decay=1e-4,
        shift=1,
        test_shift=1,
        nesterov=True,
        label_smoothing=0.1,
    ),
]
RECIPES = {recipe.name: recipe for recipe in _ALL}


def find_recipe(recipe: str | Recipe) -> Recipe:
    """The recipe of this name, or ValueError; a recipe is itself."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"unknown recipe {recipe!r}; choose among {', '.join(RECIPES)}")
    return RECIPES[recipe]
