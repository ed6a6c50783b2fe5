"""Train a network from a recipe, evaluate it once on the test digits, save it, and go on after an interruption."""

from __future__ import annotations

import io
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from cellgrad import checks
from cellgrad._torchvision import import_torchvision
from cellgrad.convnets import SOURCE, Layer, build
from cellgrad.mnist import MEAN, STD, Digits, Mnist, normalise


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained, by stochastic gradient descent with momentum on the cross-entropy.

    schedule: "constant", or "one-cycle" (the rate rises to `learning_rate`, then falls to nothing, once per run).
    feed: "images" (one image at a time through torchvision's transforms, as the source does it) or "tensor" (whole
    batches cut from one tensor). shift: each digit moves by up to this many whole pixels in each direction.
    affine: (degrees of rotation, share of the width to translate by, least and greatest scale), "images" only.
    """

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


RECIPES = {
    "source": Recipe(
        SOURCE, epochs=20, learning_rate=0.01, schedule="constant", feed="images", affine=(20, 0.1, (0.9, 1.1))
    ),
    "book": Recipe(SOURCE, epochs=12, learning_rate=0.2, weight_decay=1e-4, shift=2),
}


@dataclass
class Run:
    """A trained network. `history` has a row for each epoch, `record` what a later reader must know about the run."""

    model: nn.Module
    history: pd.DataFrame
    record: dict[str, object]


class Diverged(ArithmeticError):
    """The loss stopped being a number; the message says when, at which learning rate, and what to try."""


def find_recipe(name: str) -> Recipe:
    """The recipe of this name, or ValueError."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; choose among {', '.join(RECIPES)}")
    return RECIPES[name]


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
    recipe: str,
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
    """Train by the recipe of this name, then look at the test digits once, after the last epoch.

    validation: hold out this many of the training digits and measure on them after every epoch. seed fixes the first
    weights, the order of the digits and their shifts. out: a folder for the weights, the record and, while the run
    lasts, a checkpoint after every epoch, from which `resume` goes on as if nothing had happened; a run that is
    finished already is read back.
    Raises ValueError for an unknown recipe or numbers out of range, OSError where `out` cannot be written,
    Diverged when the loss stops being finite.
    """
    seed = checks.whole_number("seed", seed)
    epochs = checks.whole_number("epochs", find_recipe(recipe).epochs if epochs is None else epochs, least=1)
    digits, held_out = data.hold_out(validation) if validation else (data.train, None)
    device = pick_device(device)
    settings = {"recipe": recipe, "seed": seed, "epochs": epochs, "validation": validation, "data": data.kind}
    files = _Files(weights_path(out, settings)) if out is not None else None
    if files and resume and files.finished:
        return load_run(files.weights)

    with torch.random.fork_rng(devices=[device] if device == "cuda" else []):
        torch.manual_seed(seed)
        loop = _Loop(RECIPES[recipe], digits.to(device), epochs, device)
        history = files.start(loop, resume) if files else []
        bar = tqdm(total=epochs * loop.steps, initial=len(history) * loop.steps, disable=not progress, unit="step")
        with bar:
            for epoch in range(len(history) + 1, epochs + 1):
                bar.set_description(f"epoch {epoch}/{epochs}")
                row = {"epoch": epoch} | loop.run_epoch(epoch, bar)
                if held_out:
                    row["validation_accuracy"] = accuracy(loop.model, held_out)
                history.append(row)
                if files:
                    files.save_checkpoint(loop, history)
        record = settings | {
            "parameters": sum(p.numel() for p in loop.model.parameters()),
            "seconds": round(sum(row["seconds"] for row in history), 2),
            "device": device,
            "test_accuracy": accuracy(loop.model, data.test),
            "versions": {name: version(name) for name in ("cellgrad", "torch", "torchvision")},
            "processor": platform.processor() or platform.machine(),
        }
    run = Run(loop.model, pd.DataFrame(history).set_index("epoch"), record)
    if files:
        files.finish(run)
    return run


def weights_path(out: str | os.PathLike, settings: Mapping[str, object]) -> Path:
    """Where `train` leaves the weights of a finished run, its record and history with them.

    settings: recipe, seed, epochs, validation and data, as a record has them. All of them are in the name, so that no
    run overwrites another.
    """
    name = "{recipe}-seed{seed}-epochs{epochs}".format(**settings)
    name += f"-validation{settings['validation']}" if settings["validation"] else ""
    return Path(out) / f"{name}{'-sample' if settings['data'] == 'sample' else ''}.safetensors"


class _Files:
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

    def start(self, loop: _Loop, resume: bool) -> list[dict[str, float]]:
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

    def save_checkpoint(self, loop: _Loop, history: list[dict[str, float]]) -> None:
        """Replace the checkpoint by one of now."""
        content = {"history": history, "state": loop.state()}
        _write(self.checkpoint, lambda file: torch.save(content, file))

    def finish(self, run: Run) -> None:
        """Save the weights, with the record and the history as metadata, and drop the checkpoint."""
        metadata = {"record": json.dumps(run.record), "history": run.history.to_json(orient="table")}
        weights = safetensors.torch.save({k: v.cpu() for k, v in run.model.state_dict().items()}, metadata)
        _write(self.weights, lambda file: file.write(weights))
        self.checkpoint.unlink(missing_ok=True)


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        write(file)
    os.replace(partial, path)


def load_run(path: str | os.PathLike) -> Run:
    """Read a run back from its .safetensors file. Raises ValueError for a file that `train` did not write."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        record = json.loads(metadata["record"])
        history = pd.read_json(io.StringIO(metadata["history"]), orient="table")
        model = build(RECIPES[record["recipe"]].network)
        model.load_state_dict(weights)
    except (OSError, KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path}: not the weights of a run of ours ({error})") from None
    return Run(model.eval(), history, record)


class _Loop:
    """Everything that changes while a network is trained: its weights, the optimiser's memory, the learning rate."""

    def __init__(self, recipe: Recipe, digits: Digits, epochs: int, device: str) -> None:
        self.recipe, self.digits, self.device = recipe, digits, device
        self.steps = math.ceil(len(digits) / recipe.batch_size)
        self.model = build(recipe.network).to(device)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
        self.schedule = {
            "constant": lambda: torch.optim.lr_scheduler.ConstantLR(self.optimiser, factor=1.0),
            "one-cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, recipe.learning_rate, total_steps=epochs * self.steps, cycle_momentum=False
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
    padded = F.pad(digits.images, [recipe.shift] * 4)
    pixels = torch.arange(28, device=device)
    for rows in torch.randperm(len(digits)).to(device).split(recipe.batch_size):
        down, right = torch.randint(0, 2 * recipe.shift + 1, (2, len(rows), 1)).to(device)
        shifted = padded[rows[:, None, None], (down + pixels)[:, :, None], (right + pixels)[:, None, :]]
        yield normalise(shifted), digits.labels[rows]


@torch.no_grad()
def predict(model: nn.Module, digits: Digits) -> torch.Tensor:
    """The network's scores for each digit, before the softmax: float32, shape (n, 10), on the processor."""
    device = next(model.parameters()).device
    model.eval()
    return torch.cat([model(normalise(part.to(device))).cpu() for part in digits.images.split(1000)])


def accuracy(model: nn.Module, digits: Digits) -> float:
    """The fraction of the digits whose highest score is at their label."""
    return (predict(model, digits).argmax(1) == digits.labels.cpu()).sum().item() / len(digits)
