"""What is left to chance in a training, each kind with a generator of its own.

So two networks with one seed see the same digits in the same order, moved in the same way, whatever their parameters;
and as each epoch's generators are made from the seed and its number, a run that goes on needs none of the past.
"""

from __future__ import annotations

import hashlib

import torch

from cellgrad.training.recipes import Recipe


def seed_for(kind: str, recipe: Recipe, seed: int, epoch: int = 0) -> int:
    """A seed for one kind of chance in one epoch, of 63 bits, hashed from the run's seed or the one the recipe fixes.

    kind: one of `recipes.CHANCES`. Hashing keeps the streams apart: seed 1 of one kind is no relative of seed 1 or 2
    of another.
    """
    own = dict(recipe.seeds).get(kind, seed)
    digest = hashlib.sha256(f"{kind} {own} {epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(kind: str, recipe: Recipe, seed: int, epoch: int) -> torch.Generator:
    """A generator on the processor, whatever device computes, so that all devices draw the same."""
    return torch.Generator().manual_seed(seed_for(kind, recipe, seed, epoch))
