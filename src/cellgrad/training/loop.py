"""Train a network from a recipe, and evaluate it once on the test digits."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from cellgrad import checks
from cellgrad.layers import build
from cellgrad.mnist import Mnist
from cellgrad.training import saving
from cellgrad.training.batches import Batches, cut, draw_batches
from cellgrad.training.evaluate import Judgement, accuracy, judge
from cellgrad.training.randomness import seed_for
from cellgrad.training.recipes import Recipe, find_recipe
from cellgrad.training.saving import Checkpoint, Run, RunFiles, Settings

# What a training computes, as a number written by hand: raise it when the same recipe and seed no longer give the same
# weights (`tests/training/test_version.py` notices), because records of trials are kept for the version that made them.
VERSION = 2

History = list[dict[str, float]]


class Diverged(ArithmeticError):
    """The loss stopped being a number; the message says when, at which learning rate, and what to try."""


def pick_device(device: str = "auto") -> str:
    """The device to compute on: "auto" takes CUDA, else Apple's MPS, else the processor.

    Raises ValueError for a device that this machine does not have.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, is_there in available.items() if is_there]
    if device == "auto":
        return present[0]
    if device not in present:
        raise ValueError(f"device: this machine has no {device!r}; choose among auto, {', '.join(present)}")
    return device


def train(
    recipe: str | Recipe,
    data: Mnist,
    *,
    seed: int = 0,
    epochs: int | None = None,
    validation: int = 0,
    device: str = "auto",
    out: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
    network: Callable[[int], nn.Module] | None = None,
) -> Run:
    """Train by a recipe, given by its name or itself, then look at the test digits once, after the last epoch.

    validation: hold out this many of the training digits and measure on them after every epoch. seed fixes the first
    weights, the order of the digits and how they are moved. out: a folder for the weights, the record and, while the
    run lasts, a checkpoint after every epoch. resume: go on from that checkpoint as if nothing had happened, or read a
    run back that is finished already; without `out` it does nothing. The network comes back on the processor, wherever
    it was trained. network: makes a module to train, given the seed of its weights, in place of the recipe's layers,
    which then only stand for it. Raises ValueError for an unknown recipe or numbers out of range, where `out` holds
    another run under the same name, where it holds a checkpoint and `resume` was not asked for, or the reverse, or one
    that cannot be gone on from here, and for a network without ten scores for each digit, or that cannot be saved
    whole; OSError where `out` cannot be written; Diverged when the loss stops being finite.
    """
    settings = _settings(recipe, data, seed, epochs, validation)
    device = pick_device(device)
    files = RunFiles(out, settings) if out is not None else None
    finished = files.finished_run(network) if files else None
    if finished and resume:
        return finished
    checkpoint = files.read_checkpoint(device, resume) if files else None
    model, history = _fit(settings, data, device, checkpoint, files, progress, network)
    judgement = judge(model, data.test, settings.recipe.test_shift)
    run = Run(
        model.cpu().eval(),
        settings.recipe,
        pd.DataFrame(history).set_index("epoch"),
        _record(settings, model, history, judgement, device),
        judgement.mistakes,
    )
    if files:
        files.finish(run)
    return run


def _settings(recipe: str | Recipe, data: Mnist, seed: int, epochs: int | None, validation: int) -> Settings:
    """What decides a run, checked."""
    recipe = find_recipe(recipe)
    epochs = checks.whole_number("epochs", recipe.epochs if epochs is None else epochs, least=1)
    validation = checks.whole_number("validation", validation)
    digits = data.hold_out(validation)[0] if validation else data.train
    checks.whole_number("digits to train on", len(digits), least=2)
    seed = checks.whole_number("seed", seed)
    return Settings(replace(recipe, epochs=epochs), seed, validation, data.kind, len(digits), VERSION)


def _fit(
    settings: Settings,
    data: Mnist,
    device: str,
    checkpoint: Checkpoint | None,
    files: RunFiles | None,
    progress: bool,
    network: Callable[[int], nn.Module] | None,
) -> tuple[nn.Module, History]:
    """Train from the first weights, or from a checkpoint, to the last epoch; return the network and its epochs."""
    recipe = settings.recipe
    digits, held_out = data.hold_out(settings.validation) if settings.validation else (data.train, None)
    digits = digits.to(device)
    steps = len(cut(torch.arange(len(digits)), recipe.batch_size))
    with torch.random.fork_rng(devices=[device] if device == "cuda" else []):
        weights_seed = seed_for("weights", recipe, settings.seed)
        torch.manual_seed(weights_seed)
        model = network(weights_seed) if network else build(recipe.network)
        _draw_first_weights(model, recipe.first_weights)
        if files:
            saving.tensors_of(model)  # what cannot be saved is found before the training
        learner = _Learner(model, recipe, steps, device)
        history = []
        if checkpoint:
            history = checkpoint.history
            try:
                learner.load_state_dict(checkpoint.state)
            except Exception as error:  # what a damaged or a hostile file makes the parts raise
                where = files.checkpoint if files else "the checkpoint"
                raise ValueError(f"{where} is not of this network ({type(error).__name__}); move it away") from None
        total = recipe.epochs * steps
        with tqdm(total=total, initial=len(history) * steps, disable=not progress, unit="step") as bar:
            for epoch in range(len(history) + 1, recipe.epochs + 1):
                bar.set_description(f"epoch {epoch}/{recipe.epochs}")
                torch.manual_seed(seed_for("dropout", recipe, settings.seed, epoch))
                shown = draw_batches(recipe, digits, settings.seed, epoch)
                row = {"epoch": epoch} | _one_epoch(learner, shown, epoch, device, bar)
                if held_out:
                    row["validation_accuracy"] = accuracy(learner.result, held_out, recipe.test_shift)
                history.append(row)
                if files:
                    files.save_checkpoint(Checkpoint(device, history, learner.state_dict()))
    return learner.result, history


def _draw_first_weights(model: nn.Module, kind: str) -> None:
    """Draw the weights of convolutions and dense layers anew, as `Recipe.first_weights` says."""
    if kind == "pytorch":
        return
    kinds: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        "orthogonal": partial(nn.init.orthogonal_, gain=2**0.5),
    }
    draw = kinds[kind]
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class _Learner:
    """All that changes while a network is trained: its weights, the optimiser's memory, the learning rate."""

    def __init__(self, model: nn.Module, recipe: Recipe, steps: int, device: str) -> None:
        self.model: nn.Module = saving.side_by_side(model, device)
        self.label_smoothing = recipe.label_smoothing
        self.optimiser = torch.optim.SGD(
            self.model.parameters(),
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
        self.schedule = _schedule(recipe, self.optimiser, recipe.epochs * steps)
        self.average = None
        if recipe.average:
            weighing = get_ema_multi_avg_fn(1 - recipe.average)
            self.average = AveragedModel(self.model, multi_avg_fn=weighing, use_buffers=True)

    @property
    def result(self) -> nn.Module:
        """The network to evaluate."""
        return self.average.module if self.average else self.model

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Learn from one batch; return the loss and the scores (n, 10) that it had before. Raises Diverged."""
        scores = self.model(images)
        if scores.shape != (len(labels), 10):
            raise ValueError(f"network: {len(labels)} digits give scores of shape {tuple(scores.shape)}; give ten each")
        loss = F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        value = loss.item()
        if not math.isfinite(value):
            rate = self.schedule.get_last_lr()[0]
            raise Diverged(f"the loss became {value} at learning rate {rate:g}; try a smaller learning rate")
        self.schedule.step()
        if self.average:
            self.average.update_parameters(self.model)
        return value, scores

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, apart from seed and epoch."""
        return {
            name: saving.whole_state(part) if isinstance(part, nn.Module) else part.state_dict()
            for name, part in self._parts().items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that `state_dict` gave."""
        for name, part in self._parts().items():
            if isinstance(part, nn.Module):
                saving.load_whole_state(part, state[name])
            else:
                part.load_state_dict(state[name])

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | LRScheduler]:
        parts: dict[str, Any] = {
            "model": self.model,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "average": self.average,
        }
        return {name: part for name, part in parts.items() if part is not None}


def _schedule(recipe: Recipe, optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """How the learning rate moves over all the steps of a run."""
    if recipe.schedule == "constant":
        return ConstantLR(optimiser, factor=1.0)
    return OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps, cycle_momentum=False)


def _one_epoch(learner: _Learner, shown: Batches, epoch: int, device: str, bar: tqdm) -> dict[str, float]:
    """Show every training digit to the network once; return the epoch's means and its duration in seconds."""
    learner.model.train()
    start = time.perf_counter()
    total_loss, correct, seen = 0.0, 0, 0
    for step, (images, labels) in enumerate(shown, start=1):
        images, labels = images.to(device), labels.to(device)
        try:
            loss, scores = learner.step(images, labels)
        except Diverged as error:
            raise Diverged(f"in epoch {epoch}, step {step}, {error}") from None
        total_loss += loss * len(labels)
        correct += int((scores.argmax(1) == labels).sum())
        seen += len(labels)
        bar.set_postfix(loss=f"{total_loss / seen:.4f}", accuracy=f"{correct / seen:.2%}", refresh=False)
        bar.update()
    seconds = round(time.perf_counter() - start, 3)
    return {"loss": total_loss / seen, "training_accuracy": correct / seen, "seconds": seconds}


def _record(
    settings: Settings, model: nn.Module, history: History, judgement: Judgement, device: str
) -> dict[str, object]:
    """What a later reader must know about the run, as JSON can hold it."""
    unshifted = {} if judgement.unshifted is None else {"test_accuracy_unshifted": judgement.unshifted}
    return settings.named() | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(sum(row["seconds"] for row in history), 2),
        "device": device,
        "test_accuracy": judgement.accuracy,
        **unshifted,
        "versions": {name: version(name) for name in ("cellgrad", "torch", "torchvision")},
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }
