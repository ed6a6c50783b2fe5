"""From what a person types to a network that is there to be used."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from cellgrad.layers import build
from cellgrad.networks.examination import make
from cellgrad.networks.loading import NetworkError, find, is_file, split
from cellgrad.training.recipes import RECIPES


def find_network(what: str, settings: Mapping[str, object] | None = None, seed: int = 0) -> nn.Module:
    """The network named by FILE.py:NAME, FILE.ipynb:NAME, package.module:NAME or a recipe, made anew.

    settings: arguments of the class or function. seed: of the first weights. Raises NetworkError, OSError.
    """
    place, name = split(what)
    if not name and not is_file(place):
        if what not in RECIPES:
            recipes = ", ".join(RECIPES)
            raise NetworkError(
                f"{what}: neither a recipe ({recipes}), nor FILE.py:NAME, FILE.ipynb:NAME, or package.module:NAME"
            )
        return make(lambda: build(RECIPES[what].network), settings, what, seed)
    return make(find(what), settings, name, seed)
