"""Trained networks as files: weights, record and history in one; a checkpoint after every epoch while a run lasts."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO, Protocol

import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from cellgrad.layers import build
from cellgrad.training.recipes import Recipe, find_recipe


@dataclass
class Run:
    """A trained network. `history` has a row for each epoch, `record` what a later reader must know about the run.

    mistakes: the rows of the test digits that it gets wrong, each with its answer.
    """

    model: nn.Module
    recipe: Recipe
    history: pd.DataFrame
    record: dict[str, object]
    mistakes: dict[int, int]


class Resumable(Protocol):
    """What can be stopped and taken up again: `restore` takes what `state` gave."""

    def state(self) -> dict[str, object]: ...  # noqa: D102

    def restore(self, state: dict[str, object]) -> None: ...  # noqa: D102


def weights_path(out: str | os.PathLike, settings: Mapping[str, object]) -> Path:
    """Where `train` leaves the weights of a finished run, its record and history with them.

    settings: recipe, seed, epochs, validation and data, as a record has them. All of them are in the name, so that no
    run overwrites another.
    """
    name = "{recipe}-seed{seed}-epochs{epochs}".format(**settings)
    name += f"-validation{settings['validation']}" if settings["validation"] else ""
    return Path(out) / f"{name}{'-sample' if settings['data'] == 'sample' else ''}.safetensors"


class RunFiles:
    """The files of one run in its folder: a checkpoint while it lasts; weights and record when it is done."""

    def __init__(self, weights: Path) -> None:
        folder = weights.parent
        self.weights = weights
        self.checkpoint = weights.with_suffix(".checkpoint")
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # an unwritable folder is found now, not after the training

    @property
    def finished(self) -> bool:
        """Whether the run that these files are named after has come to its end."""
        return self.weights.exists() and not self.checkpoint.exists()

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint, or the end of the run."""
        return self.weights.exists() or self.checkpoint.exists()

    def start(self, loop: Resumable, resume: bool) -> list[dict[str, float]]:
        """Restore `loop` from the checkpoint when asked to; return the finished epochs' history."""
        if not self.checkpoint.exists():
            if resume:
                raise ValueError(f"{self.checkpoint} is not there: nothing to resume; start without it")
            return []
        try:
            saved = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:  # torch raises whatever a damaged file makes its parts raise
            raise ValueError(f"{self.checkpoint} cannot be read ({type(error).__name__}); move it away") from None
        done = len(saved["history"])
        if not resume:
            raise ValueError(
                f"{self.checkpoint} holds {done} finished epochs of an earlier run; "
                f"go on with it (resume), or move it away, or name another folder"
            )
        loop.restore(saved["state"])
        return saved["history"]

    def save_checkpoint(self, loop: Resumable, history: list[dict[str, float]]) -> None:
        """Replace the checkpoint by one of now."""
        content = {"history": history, "state": loop.state()}
        _write(self.checkpoint, lambda file: torch.save(content, file))

    def finish(self, run: Run) -> None:
        """Save the weights, with the record and the history as metadata, and drop the checkpoint."""
        parts = {"recipe": run.recipe.to_dict(), "record": run.record, "mistakes": list(run.mistakes.items())}
        metadata = {name: json.dumps(part) for name, part in parts.items()}
        metadata["history"] = run.history.to_json(orient="table")
        weights = {name: tensor.cpu().contiguous() for name, tensor in run.model.state_dict().items()}
        content = safetensors.torch.save(weights, metadata)
        _write(self.weights, lambda file: file.write(content))
        self.checkpoint.unlink(missing_ok=True)


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        write(file)
    os.replace(partial, path)


def shipped_run(recipe: str) -> Run:
    """The run of a recipe, by its name, that comes with this package: seed 0. Raises ValueError where there is none."""
    with as_file(files("cellgrad") / "results" / f"{find_recipe(recipe).name}.safetensors") as path:
        return load_run(path)


def load_run(path: str | os.PathLike) -> Run:
    """Read a run back from its .safetensors file. Raises ValueError for a file that `train` did not write."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        recipe, record, mistakes = (json.loads(metadata[name]) for name in ("recipe", "record", "mistakes"))
        recipe = Recipe.from_dict(recipe)
        history = pd.read_json(io.StringIO(metadata["history"]), orient="table")
        model = build(recipe.network)
        model.load_state_dict(weights)
    except (OSError, KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path}: not the weights of a run of ours ({error})") from None
    return Run(model.eval(), recipe, history, record, dict(mistakes))
