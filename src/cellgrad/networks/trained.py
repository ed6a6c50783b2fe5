"""The reader's own network, trained by a recipe, with as many seeds as she likes, and the verdict of the exercise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from cellgrad.layers import Layer
from cellgrad.mnist import Digits, Mnist, normalise
from cellgrad.networks.examination import (
    LOG_PROBABILITIES,
    LOGITS,
    Examination,
    Scores,
    examine,
    ready,
    rehearse,
    scores_alone,
    suited,
)
from cellgrad.networks.finding import find_network
from cellgrad.networks.loading import NetworkError, fingerprint, split
from cellgrad.training.loop import train
from cellgrad.training.recipes import Recipe
from cellgrad.trials.records import Record, append, finished_keys, mend, only_writer, recorded, shipped_records
from cellgrad.trials.tasks import Task, record_of

GOAL = 0.994  # of the test digits right: what the exercise asks for


@dataclass(frozen=True)
class OwnNetwork:
    """A network of the reader's as the training takes it: `make` gives it anew, with first weights by a seed.

    recipe: how it is trained; its network is a single layer that stands for all of it and names its structure.
    """

    name: str
    recipe: Recipe
    examination: Examination
    make: Callable[[int], nn.Module]


def own_network(what: str, settings: Mapping[str, object], recipe: Recipe) -> OwnNetwork:
    """Find a network and make sure that it can be trained on digits: ten scores for each, and alone if need be.

    Raises NetworkError where not, with what to do.
    """
    name = split(what)[1] or what
    network = find_network(what, settings)
    examination = examine(network, name=name)
    if examination.output_size != (10,):
        size = " × ".join(map(str, examination.output_size))
        raise NetworkError(f"{name}: it gives {size} numbers for each digit; to be trained, it must give ten scores")
    if not examination.parameters:
        raise NetworkError(f"{name}: there is no parameter in it, and so nothing to train")
    if not examination.alone_as_together:  # the test digits are read one at a time, too
        scores_alone(ready(network, (1, 28, 28), name), torch.zeros(1, 1, 28, 28), name)
    answer = rehearse(network, name)
    bare = isinstance(answer, torch.Tensor) and answer.shape == (3, 10)
    plain = suited(network, torch.zeros(1)).dtype == torch.float32
    as_it_is = plain and bare and examination.output in (LOGITS, LOG_PROBABILITIES) and not examination.remarks

    def make(seed: int) -> nn.Module:
        network = find_network(what, settings, seed)
        with torch.no_grad():
            network.eval()(suited(network, torch.zeros(2, 1, 28, 28)))  # so that lazy layers have their weights
        return network if as_it_is else Scores(network, examination.output)

    # A repr may have an address in it, which is another one in each process, and it shows no `forward`.
    parts = re.sub(" at 0x[0-9a-f]+", "", f"{network}{dict(settings)}") + fingerprint(what)
    structure = hashlib.sha256(parts.encode()).hexdigest()[:8]
    stand_in = (Layer("module", name=f"{what} {structure}"),)
    return OwnNetwork(name, replace(recipe, name=name, network=stand_in), examination, make)


def alone(model: nn.Module, digits: Digits) -> float:
    """The fraction of the digits that are read right when each comes by itself."""
    model.eval()
    with torch.no_grad():
        answers = [model(normalise(image)).argmax(1).item() for image in digits.images.cpu().split(1)]
    return (torch.tensor(answers) == digits.labels.cpu()).float().mean().item()


def train_seeds(
    recipe: Recipe,
    data: Mnist,
    seeds: Sequence[int],
    out: Path,
    own: OwnNetwork | None = None,
    *,
    epochs: int | None = None,
    **options: Any,
) -> Iterator[Record]:
    """Train with one seed after the other; a seed that is recorded in `out` already is not trained again.

    Records are those of trials, appended to a file of the network's or the recipe's name; a network of the reader's
    adds test_accuracy_alone: its test digits read one at a time. options: validation, device, progress. Raises
    ValueError where another process is writing to the file.
    """
    recipe = replace(own.recipe if own else recipe, epochs=recipe.epochs if epochs is None else epochs)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{recipe.name}.jsonl"
    with only_writer(file):
        mend(file)
        for seed in seeds:
            task = Task("train", recipe, seed, options.get("validation", 0), data.kind)
            if task.key in finished_keys(file):
                yield recorded(file)[task.key]
                continue
            run = train(recipe, data, seed=seed, network=own.make if own else None, **options)
            record = record_of(task, run)
            if own:
                record |= {"test_accuracy_alone": alone(run.model, data.test)}
            append(file, record)
            yield record


def verdict(records: pd.DataFrame, recipe: str) -> str:
    """What the seeds say, in the words of the exercise, beside the record of a recipe that ships with the book."""
    accuracy = records["test_accuracy"]
    deviation = f" ± {accuracy.std():.2%} (standard deviation)" if len(records) > 1 else ""
    worst = records.loc[accuracy.idxmin(), "seed"]
    over = "yes" if (accuracy > GOAL).all() else "no"
    lines = [
        f"{len(records)} seeds, last epoch, test digits read once each: {accuracy.mean():.2%}{deviation}",
        f"worst seed: {accuracy.min():.2%} (seed {worst}); over 99.4 % with every seed: {over}",
    ]
    if "test_accuracy_alone" in records:
        lines.append(f"the same read one digit at a time: {records['test_accuracy_alone'].mean():.2%}")
    shipped = pd.concat([shipped_records("recipes"), shipped_records("source")])
    beside = shipped.loc[shipped["variant"] == recipe, "test_accuracy"]
    if len(beside):
        lines.append(
            f"beside it, the recipe {recipe} with its own network, {len(beside)} seeds: "
            f"{beside.mean():.2%} ± {beside.std():.2%}, worst {beside.min():.2%}"
        )
    return "\n".join(lines)
