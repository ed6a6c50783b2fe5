"""Train a network by a recipe, and evaluate it once on the test digits. Recipes alone need no torch."""

from importlib import import_module
from typing import Any

from cellgrad.training.recipes import RECIPES, Recipe, find_recipe

_WITH_TORCH = {
    "draw_batches": "batches",
    **dict.fromkeys(["accuracy", "predict"], "evaluate"),
    **dict.fromkeys(["Diverged", "pick_device", "train"], "loop"),
    **dict.fromkeys(["Run", "load_run"], "saving"),
}

__all__ = [*_WITH_TORCH, "RECIPES", "Recipe", "find_recipe"]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
