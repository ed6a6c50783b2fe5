"""Trained networks as files: weights, record and history in one; a checkpoint after every epoch while a run lasts."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import safetensors.torch
import torch
from safetensors import safe_open
from torch import nn

from cellgrad.files import sweep, write_whole
from cellgrad.layers import build, count_parameters
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


@dataclass(frozen=True)
class Settings:
    """All that decides a run, apart from the versions of libraries and the machine; the recipe has its epochs.

    data: "full" or "sample"; digits: how many are left to train on; training_version: `loop.VERSION`.
    """

    recipe: Recipe
    seed: int
    validation: int
    data: str
    digits: int
    training_version: int

    def named(self) -> dict[str, object]:
        """As a record has them: the recipe by its name."""
        return vars(self) | {"recipe": self.recipe.name, "epochs": self.recipe.epochs}

    def differences(self, recipe: Recipe, record: Mapping[str, object]) -> list[str]:
        """What is otherwise in a run of which this is recorded, one text for each setting."""
        recorded = {"training_version": 1} | dict(record)  # as it was before it was written down
        said = []
        for name, here, there in [
            *((name, getattr(self.recipe, name), getattr(recipe, name)) for name in vars(self.recipe)),
            *((name, value, recorded.get(name, value)) for name, value in self.named().items() if name != "recipe"),
        ]:
            if here != there:
                said.append(f"{name} is another" if name == "network" else f"{name} is {there} there and {here} here")
        return list(dict.fromkeys(said))


class Checkpoint(NamedTuple):
    """A run between two epochs: the history so far, and what `state_dict` gave of all that changes, by name."""

    device: str
    history: list[dict[str, float]]
    state: dict[str, object]


def weights_path(out: str | os.PathLike, settings: Mapping[str, object]) -> Path:
    """Where `train` leaves the weights of a finished run, its record and history with them.

    settings: recipe, seed, epochs, validation and data, as a record has them. All of these are in the name; what else
    may differ between two runs is compared when one of them is found there. Raises ValueError for a recipe whose name
    cannot be a file's.
    """
    name = "{recipe}-seed{seed}-epochs{epochs}".format(**settings)
    if Path(name).name != name:
        raise ValueError(f"recipe: {settings['recipe']!r} cannot name a file; leave out slashes")
    name += f"-validation{settings['validation']}" if settings["validation"] else ""
    return Path(out) / f"{name}{'-sample' if settings['data'] == 'sample' else ''}.safetensors"


def checkpoint_path(weights: Path) -> Path:
    """Where the checkpoint of a run lies while it lasts."""
    return weights.with_suffix(".checkpoint")


class RunFiles:
    """The files of one run in its folder: a checkpoint while it lasts; weights and record when it is done."""

    def __init__(self, out: str | os.PathLike, settings: Settings) -> None:
        self.settings = settings
        self.weights = weights_path(out, settings.named())
        self.checkpoint = checkpoint_path(self.weights)
        self.weights.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self.weights.parent).close()  # an unwritable folder is found before the training

    def finished_run(self, network: Callable[[int], nn.Module] | None = None) -> Run | None:
        """The run that these files are named after, if it has come to its end.

        Raises ValueError where they are those of another run, which has the same name.
        """
        if self.checkpoint.exists() or not self.weights.exists():
            return None
        run = load_run(self.weights, network)
        self._refuse_another(self.weights, run.recipe, run.record)
        return run

    def read_checkpoint(self, device: str, resume: bool) -> Checkpoint | None:
        """The checkpoint to go on from; raises ValueError where there is one and nobody asked to, or the reverse."""
        if not self.checkpoint.exists():
            if resume:
                raise ValueError(f"{self.checkpoint} is not there: nothing to resume; start without it")
            return None
        try:
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            recipe, record = Recipe.from_dict(saved["recipe"]), saved["record"]
            found = Checkpoint(saved["device"], saved["history"], saved["state"])
            recorded = [row[name] for row in found.history for name in ("epoch", "loss", "seconds")]
            if not all(isinstance(number, int | float) for number in recorded) or not isinstance(record, dict):
                raise TypeError("history or record")
        except Exception as error:  # torch raises whatever a damaged file makes its parts raise
            raise ValueError(f"{self.checkpoint} cannot be read ({type(error).__name__}); move it away") from None
        if not resume:
            raise ValueError(
                f"{self.checkpoint} holds {len(found.history)} finished epochs of an earlier run; "
                f"go on with it (resume), or move it away, or name another folder"
            )
        self._refuse_another(self.checkpoint, recipe, record)
        if found.device != device:
            raise ValueError(f"{self.checkpoint} is of a run on {found.device}, not {device}; ask for that device")
        return found

    def _refuse_another(self, path: Path, recipe: Recipe, record: Mapping[str, object]) -> None:
        differences = self.settings.differences(recipe, record)
        if differences:
            raise ValueError(f"{path} is another run: {', '.join(differences)}; move it away or name another folder")

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint by this one."""
        settings = {"recipe": self.settings.recipe.to_dict(), "record": self.settings.named()}
        content = settings | checkpoint._asdict()
        written = io.BytesIO()  # torch itself, on a disk that is full, would not always say so
        torch.save(content, written)
        write_whole(self.checkpoint, written.getvalue())

    def finish(self, run: Run) -> None:
        """Save the weights, with the record and the history as metadata, and drop the checkpoint.

        Raises ValueError, and leaves both, where another run of this name has come to its end meanwhile, or what stands
        there is none of ours.
        """
        if self.weights.exists():
            try:
                with safe_open(self.weights, "pt") as file:
                    recipe, record = (json.loads(file.metadata()[name]) for name in ("recipe", "record"))
                recipe = Recipe.from_dict(recipe)
            except Exception as error:  # what a damaged file makes its parts raise
                reason = f"cannot be read ({type(error).__name__}); move it away, and go on (resume)"
                raise ValueError(f"{self.weights} {reason}") from None
            self._refuse_another(self.weights, recipe, record)
        parts = {"recipe": run.recipe.to_dict(), "record": run.record, "mistakes": list(run.mistakes.items())}
        metadata = {name: json.dumps(part) for name, part in parts.items()}
        metadata["history"] = run.history.to_json(orient="table", double_precision=15)
        write_whole(self.weights, safetensors.torch.save(tensors_of(run.model), metadata))
        self.checkpoint.unlink(missing_ok=True)
        for path in (self.checkpoint, self.weights):
            sweep(path)


def shipped_run(recipe: str) -> Run:
    """The run of a recipe, by its name, that comes with this package: seed 0. Raises ValueError where there is none."""
    with as_file(files("cellgrad") / "results" / f"{find_recipe(recipe).name}.safetensors") as path:
        return load_run(path)


def load_run(path: str | os.PathLike, network: Callable[[int], nn.Module] | None = None) -> Run:
    """Read a run back from its .safetensors file. network: as in `train`, where one was given there.

    Raises ValueError for a file that `train` did not write, and FileNotFoundError for one that is not there.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        recipe, record, mistakes = (json.loads(metadata[name]) for name in ("recipe", "record", "mistakes"))
        recipe, mistakes, record = Recipe.from_dict(recipe), dict(mistakes), dict(record)
        history = pd.read_json(io.StringIO(metadata["history"]), orient="table")
        if network is None and count_parameters(recipe.network) > sum(weight.numel() for weight in weights.values()):
            raise ValueError("a network larger than its weights")  # found before its memory is asked for
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, and replaced
            model = network(0) if network else build(recipe.network)
        load_whole_state(model, weights)
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such file", os.fspath(path)) from error
    except Exception as error:  # what a damaged or a hostile file makes its parts raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"{path}: not the weights of a run of ours, or of another network ({reason})") from None
    return Run(side_by_side(model.eval()), recipe, history, record, mistakes)


def side_by_side(model: nn.Module, device: str = "cpu") -> nn.Module:
    """The network on a device, its channels side by side in memory: it learns faster and reads up to twice as fast."""
    model = model.to(device)
    if any(tensor.ndim == 5 for tensor in (*model.parameters(), *model.buffers())):
        return model  # torch would refuse
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def whole_state(model: nn.Module) -> dict[str, Any]:
    """What `state_dict` gives, and the buffers that it leaves out (persistent=False), since training changes them."""
    state = model.state_dict()
    return state | {name: part for name, part in model.named_buffers(remove_duplicate=False) if name not in state}


def load_whole_state(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Take up what `whole_state` gave."""
    left, home = dict(state), next((part.device for part in model.parameters()), None)
    for path, module in model.named_modules(remove_duplicate=False):
        for name in module._non_persistent_buffers_set:
            place = f"{path}.{name}" if path else name
            if place in left:
                setattr(module, name, left.pop(place).to(home, copy=True))
    model.load_state_dict(left)


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """All that a network's state consists of, each tensor with memory of its own, as a file can hold it.

    Raises ValueError for a part that is no tensor.
    """
    state = whole_state(model)
    for name, part in state.items():
        if not isinstance(part, torch.Tensor):
            raise ValueError(f"network: {name} is a {type(part).__name__}; only networks of tensors can be saved")
    return {name: tensor.cpu().contiguous().clone() for name, tensor in state.items()}
