"""One training of a study as a task: what decides its result, the key of that, and the record that comes out."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cellgrad import checks
from cellgrad.mnist import Mnist
from cellgrad.training import loop
from cellgrad.training.recipes import Recipe
from cellgrad.training.saving import Run, checkpoint_path, weights_path
from cellgrad.trials.records import Record
from cellgrad.trials.studies import Study


def _settings(recipe: Recipe) -> dict[str, object]:
    """All that decides a result, without the recipe's name, and without what is left at its default."""
    settings = recipe.to_dict()
    del settings["name"]
    return settings


# The records of version 1 stay until they are made again. It named itself by a hash of the source, and put these fields
# into its keys, even where they stand at their defaults.
_NAME_OF_VERSION_1 = "9535f7fde0f2"
_FIELDS_OF_VERSION_1 = {
    *("network", "epochs", "learning_rate", "batch_size", "momentum", "weight_decay", "schedule", "feed", "shift"),
    *("affine", "test_shift"),
}
_LAYER_FIELDS_OF_VERSION_1 = {
    *("kind", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias", "probability", "name"),
}


def _settings_of_version_1(recipe: Recipe) -> dict[str, object]:
    layers = [
        {name: value for name, value in vars(layer).items() if name in _LAYER_FIELDS_OF_VERSION_1}
        for layer in recipe.network
    ]
    old = {name: value for name, value in vars(recipe).items() if name in _FIELDS_OF_VERSION_1}
    return _settings(recipe) | old | {"network": layers}


@dataclass(frozen=True)
class Task:
    """One trial to run: a recipe and a seed, the digits held out, "full" or "sample" data, the training's version.

    blind: the digits held out are read in place of the test digits, which stay unread.
    out: a folder where the trial runs, to keep its weights in a folder of its own, named after the key; until it is
    done, a checkpoint to go on from.
    """

    study: str
    recipe: Recipe
    seed: int
    validation: int
    data: str
    version: int = loop.VERSION
    out: str | None = None
    blind: bool = False

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of all that decides the result; study, `out` and the recipe's name do not."""
        if self.version == 1:
            settings, version = _settings_of_version_1(self.recipe), _NAME_OF_VERSION_1
        else:
            settings, version = _settings(self.recipe), self.version
        parts = [settings, self.seed, self.validation, self.data, version, *(["blind"] if self.blind else [])]
        content = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def weights(self) -> Path | None:
        """Where the trial leaves its weights, if it does."""
        names = {"recipe": self.recipe.name, "seed": self.seed, "epochs": self.recipe.epochs, "data": self.data}
        names |= {"validation": 0 if self.blind else self.validation}  # as it is trained: see `run_task`
        return weights_path(Path(self.out) / self.key, names) if self.out else None


def study_tasks(
    study: Study,
    data: str,
    *,
    seeds: int | None = None,
    only: Sequence[str] | None = None,
    out: str | None = None,
    version: int = loop.VERSION,
) -> list[Task]:
    """The tasks of a study, all variants with one seed before the next seed.

    seeds: how many, if not as the study says. only: the names of some variants. out and version: as in `Task`.
    Raises ValueError for another name, and for a number of seeds below one.
    """
    seeds = study.seeds if seeds is None else checks.whole_number("seeds", seeds, least=1)
    names = [recipe.name for recipe in study.variants]
    for name in only or ():
        if name not in names:
            raise ValueError(f"unknown variant {name!r} of the study {study.name}; choose among {', '.join(names)}")
    chosen = [recipe for recipe in study.variants if not only or recipe.name in only]
    return [
        Task(study.name, recipe, seed, study.validation, data, version, out, study.blind)
        for seed in range(seeds)
        for recipe in chosen
    ]


def on_device(data: Mnist, device: str) -> Mnist:
    """The digits where they are computed on."""
    device = loop.pick_device(device)
    return replace(data, train=data.train.to(device), test=data.test.to(device))


def run_task(task: Task, data: Mnist, device: str = "auto") -> Record:
    """Train and return the record of it, as JSON can hold it; after an error, a record with the traceback as `error`.

    history has a list for each column, an entry an epoch; mistakes pairs of the test digit's row and the answer. A
    blind trial's record has held_out_accuracy in place of test_accuracy, and no mistakes.
    """
    try:
        if data.kind != task.data:
            raise ValueError(f"this trial is of the {task.data} data, but here is the {data.kind} data, {data.where}")
        if task.version != loop.VERSION:
            raise RuntimeError(
                f"this trial is of training version {task.version}, but here is {loop.VERSION}; install the same"
            )
        settings = {"seed": task.seed, "validation": task.validation, "device": device}
        if task.blind:
            digits, held_out = data.hold_out(task.validation)
            data = replace(data, train=digits, test=held_out)
            del settings["validation"]
        if task.weights:
            begun = task.weights.exists() or checkpoint_path(task.weights).exists()
            settings |= {"out": task.weights.parent, "resume": begun}
        return record_of(task, loop.train(task.recipe, data, **settings, progress=False))
    except Exception:
        return failed_record(task, traceback.format_exc())


def record_of(task: Task, run: Run) -> Record:
    """The record of a run that a task asked for."""
    record = run.record | _about(task) | {"history": run.history.round(5).to_dict("list")}
    if task.blind:
        names = {name: name.replace("test_accuracy", "held_out_accuracy") for name in record}
        return {names[name]: value for name, value in record.items()}
    validated = run.history.get("validation_accuracy")
    return record | {
        "validation_accuracy": None if validated is None else float(validated.iloc[-1]),
        "mistakes": [list(mistake) for mistake in run.mistakes.items()],
    }


def _about(task: Task) -> Record:
    """What a record says of its task, and when it was made."""
    return {
        "key": task.key,
        "study": task.study,
        "variant": task.recipe.name,
        "seed": task.seed,
        "recipe": task.recipe.to_dict(),
        "validation": task.validation,
        "data": task.data,
        "training_version": task.version,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def failed_record(task: Task, error: str) -> Record:
    """The record of a trial that came to nothing; the last line of `error` says why."""
    return _about(task) | {"error": error}
