"""Train a network from a recipe, and evaluate it once on the test digits."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version

import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from cellgrad import checks
from cellgrad.layers import build
from cellgrad.mnist import MEAN, STD, Digits, Mnist, normalise
from cellgrad.torchvision import import_torchvision
from cellgrad.training.recipes import Recipe, find_recipe
from cellgrad.training.saving import Run, RunFiles, load_run, weights_path

# What a training computes, as a number written by hand: raise it when the same recipe and seed no longer give the same
# weights (`tests/test_training.py` notices), because records of trials are kept for the version that made them.
VERSION = 1


class Diverged(ArithmeticError):
    """The loss stopped being a number; the message says when, at which learning rate, and what to try."""


def pick_device(device: str = "auto") -> str:
    """The device to compute on: "auto" takes CUDA, else Apple's MPS, else the processor.

    Raises ValueError for a device that this machine does not have.
    """
    have = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if device == "auto":
        return have[0]
    if device not in have:
        raise ValueError(f"device: {device!r} is not to be had here; choose among auto, {', '.join(have)}")
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
) -> Run:
    """Train by a recipe, given by its name or itself, then look at the test digits once, after the last epoch.

    validation: hold out this many of the training digits and measure on them after every epoch. seed fixes the first
    weights, the order of the digits and how they are moved. out: a folder for the weights, the record and, while the
    run lasts, a checkpoint after every epoch, from which `resume` goes on as if nothing had happened; a run that is
    finished already is read back.
    Raises ValueError for an unknown recipe or numbers out of range, OSError where `out` cannot be written,
    Diverged when the loss stops being finite.
    """
    seed = checks.whole_number("seed", seed)
    recipe = find_recipe(recipe)
    recipe = replace(recipe, epochs=checks.whole_number("epochs", recipe.epochs if epochs is None else epochs, least=1))
    digits, held_out = data.hold_out(validation) if validation else (data.train, None)
    device = pick_device(device)
    settings = {"recipe": recipe.name, "seed": seed, "epochs": recipe.epochs}
    settings |= {"validation": validation, "data": data.kind}
    files = RunFiles(weights_path(out, settings)) if out is not None else None
    if files and resume and files.finished:
        return load_run(files.weights)

    with torch.random.fork_rng(devices=[device] if device == "cuda" else []):
        torch.manual_seed(seed)
        loop = _Loop(recipe, digits.to(device), device)
        history = files.start(loop, resume) if files else []
        steps = recipe.epochs * loop.steps
        with tqdm(total=steps, initial=len(history) * loop.steps, disable=not progress, unit="step") as bar:
            for epoch in range(len(history) + 1, recipe.epochs + 1):
                bar.set_description(f"epoch {epoch}/{recipe.epochs}")
                row = {"epoch": epoch} | loop.run_epoch(epoch, bar)
                if held_out:
                    row["validation_accuracy"] = accuracy(loop.model, held_out, recipe.test_shift)
                history.append(row)
                if files:
                    files.save_checkpoint(loop, history)
        answers = predict(loop.model, data.test, recipe.test_shift).argmax(1)
        unshifted = {"test_accuracy_unshifted": accuracy(loop.model, data.test)} if recipe.test_shift else {}
    wrong = (answers != data.test.labels.cpu()).nonzero().flatten().tolist()
    record = settings | {
        "parameters": sum(p.numel() for p in loop.model.parameters()),
        "seconds": round(sum(row["seconds"] for row in history), 2),
        "device": device,
        "test_accuracy": (len(answers) - len(wrong)) / len(answers),
        **unshifted,
        "versions": {name: version(name) for name in ("cellgrad", "torch", "torchvision")},
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }
    mistakes = {row: int(answers[row]) for row in wrong}
    run = Run(loop.model, recipe, pd.DataFrame(history).set_index("epoch"), record, mistakes)
    if files:
        files.finish(run)
    return run


class _Loop:
    """Everything that changes while a network is trained: its weights, the optimiser's memory, the learning rate."""

    def __init__(self, recipe: Recipe, digits: Digits, device: str) -> None:
        self.recipe, self.digits, self.device = recipe, digits, device
        self.steps = math.ceil(len(digits) / recipe.batch_size)
        # Channels side by side in memory: the same numbers, computed faster.
        self.model = build(recipe.network).to(device, memory_format=torch.channels_last)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
        self.schedule = {
            "constant": lambda: torch.optim.lr_scheduler.ConstantLR(self.optimiser, factor=1.0),
            "one-cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, recipe.learning_rate, total_steps=recipe.epochs * self.steps, cycle_momentum=False
            ),
        }[recipe.schedule]()

    def run_epoch(self, epoch: int, bar: tqdm) -> dict[str, float]:
        """Show every training digit to the network once; return the epoch's means and its duration in seconds."""
        self.model.train()
        start = time.perf_counter()
        total_loss, correct, seen = 0.0, 0, 0
        for step, (images, labels) in enumerate(batches(self.recipe, self.digits), start=1):
            scores = self.model(images.to(self.device))
            loss = F.cross_entropy(scores, labels.to(self.device))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            value = loss.item()
            if not math.isfinite(value):
                rate = self.schedule.get_last_lr()[0]
                raise Diverged(
                    f"the loss became {value} in epoch {epoch}, step {step}, at learning rate {rate:g}; "
                    f"try a smaller learning rate"
                )
            self.schedule.step()
            total_loss += value * len(labels)
            correct += (scores.argmax(1) == labels.to(self.device)).sum().item()
            seen += len(labels)
            bar.set_postfix(loss=f"{total_loss / seen:.4f}", accuracy=f"{correct / seen:.2%}", refresh=False)
            bar.update()
        seconds = round(time.perf_counter() - start, 3)
        return {"loss": total_loss / seen, "training_accuracy": correct / seen, "seconds": seconds}

    def state(self) -> dict[str, object]:
        """All that a run depends on from here on, the random generators included."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if self.device == "cuda" else None,
        }

    def restore(self, state: dict[str, object]) -> None:
        """Take up a state that `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"])


def batches(recipe: Recipe, digits: Digits) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch in a fresh random order: images (n, 1, 28, 28), normalised and augmented, and labels (n,)."""
    return {"images": _one_image_at_a_time, "tensor": _from_one_tensor}[recipe.feed](recipe, digits)


def _one_image_at_a_time(recipe: Recipe, digits: Digits) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    transforms = import_torchvision().transforms
    degrees, translate, scale = recipe.affine
    pipeline = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomAffine(degrees, translate=(translate, translate), scale=scale),
            transforms.ToTensor(),
            transforms.Normalize((MEAN,), (STD,)),
        ]
    )
    return iter(torch.utils.data.DataLoader(_Transformed(digits, pipeline), recipe.batch_size, shuffle=True))


class _Transformed(torch.utils.data.Dataset):
    def __init__(self, digits: Digits, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.images, self.labels, self.transform = digits.images.cpu(), digits.labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[row]), self.labels[row]


def _from_one_tensor(recipe: Recipe, digits: Digits) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    device = digits.images.device
    windows = _windows(digits.images, recipe.shift)
    for rows in torch.randperm(len(digits)).to(device).split(recipe.batch_size):
        if recipe.affine:
            images = _moved(digits.images[rows], recipe.affine)
        else:
            down, right = torch.randint(0, 2 * recipe.shift + 1, (2, len(rows))).to(device)
            images = windows[rows, down, right]
        yield normalise(images), digits.labels[rows]


def _windows(images: torch.Tensor, shift: int) -> torch.Tensor:
    """A view of all shifts of each image, with paper beyond its edge: (n, 2 shift + 1, 2 shift + 1, 28, 28)."""
    return F.pad(images, [shift] * 4).unfold(1, 28, 1).unfold(2, 28, 1)


def _moved(images: torch.Tensor, affine: tuple[float, float, tuple[float, float]]) -> torch.Tensor:
    """Each image turned, scaled and moved by amounts drawn for it alone, between pixels by interpolation; float32."""
    degrees, translate, scales = affine
    n = len(images)
    angle = torch.empty(n).uniform_(-degrees, degrees).deg2rad()
    scale = torch.empty(n).uniform_(*scales)
    right, down = 2 * torch.empty(2, n).uniform_(-translate, translate)  # the image reaches from -1 to 1
    # Where each pixel of the result comes from: the inverse of the movement.
    cos, sin = angle.cos() / scale, angle.sin() / scale
    inverse = torch.stack([torch.stack([cos, sin, right], 1), torch.stack([-sin, cos, down], 1)], 1).to(images.device)
    grid = F.affine_grid(inverse, [n, 1, 28, 28], align_corners=False)
    return F.grid_sample(images[:, None].float(), grid, align_corners=False)[:, 0]


@torch.no_grad()
def predict(model: nn.Module, digits: Digits, shift: int = 0) -> torch.Tensor:
    """The network's scores for each digit, before the softmax: float32, shape (n, 10), on the processor.

    shift: read each digit at all its shifts of up to so many pixels, and average the logarithms of the probabilities.
    """
    device = next(model.parameters()).device
    model.eval()
    scores = []
    for images in digits.images.split(1000):
        images = images.to(device)
        if shift:
            views = _windows(images, shift).flatten(1, 2).unbind(1)
            scores.append(sum(model(normalise(view)).log_softmax(1) for view in views).cpu() / len(views))
        else:
            scores.append(model(normalise(images)).cpu())
    return torch.cat(scores)


def accuracy(model: nn.Module, digits: Digits, shift: int = 0) -> float:
    """The fraction of the digits whose highest score, read as `predict` does, is at their label."""
    return (predict(model, digits, shift).argmax(1) == digits.labels.cpu()).sum().item() / len(digits)
