"""How well a network reads: its scores for digits, and how many of the answers are right."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from cellgrad.mnist import Digits, normalise
from cellgrad.training.batches import windows


@torch.no_grad()
def predict(model: nn.Module, digits: Digits, shift: int = 0) -> torch.Tensor:
    """The network's scores for each digit, before the softmax: float32, shape (n, 10), on the processor.

    The network, on any device and of any floating precision (of its first parameter), is left in evaluating mode.
    shift: read each digit at all its shifts of up to so many pixels, and give the average of the logarithms of the
    probabilities instead.
    """
    home = next(filter(torch.is_floating_point, model.parameters()), torch.empty(0))  # its device and precision decide
    model.eval()
    scores = []
    for images in digits.images.split(250):  # what so few need stays close to the processor; 1,000 take longer
        images = images.to(home.device)
        if shift:
            views = windows(images, shift).flatten(1, 2).unbind(1)
            logarithms = [model(normalise(view).to(home)).float().log_softmax(1) for view in views]
            scores.append(sum(logarithms).cpu() / len(views))
        else:
            scores.append(model(normalise(images).to(home)).float().cpu())
    return torch.cat(scores)


def accuracy(model: nn.Module, digits: Digits, shift: int = 0) -> float:
    """The fraction of the digits whose highest score, read as `predict` does, is at their label."""
    return (predict(model, digits, shift).argmax(1) == digits.labels.cpu()).sum().item() / len(digits)


class Judgement(NamedTuple):
    """What a network answers to digits: how many are right (fractions), and which rows are wrong, with the answer.

    accuracy: with the readings that its recipe asks for; unshifted: read once, where that is more than one, else none.
    """

    accuracy: float
    unshifted: float | None
    mistakes: dict[int, int]


def judge(model: nn.Module, digits: Digits, shift: int) -> Judgement:
    """Let a network read the digits, with all shifts of up to so many pixels, and once without where there are some."""
    answers = predict(model, digits, shift).argmax(1)
    wrong = (answers != digits.labels.cpu()).nonzero().flatten().tolist()
    return Judgement(
        accuracy=(len(answers) - len(wrong)) / len(answers),
        unshifted=accuracy(model, digits) if shift else None,
        mistakes={row: int(answers[row]) for row in wrong},
    )
