"""What a network is shown: the digits of one epoch in a random order, each moved a little, as batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from cellgrad.mnist import MEAN, STD, Digits, normalise
from cellgrad.torchvision import import_torchvision
from cellgrad.training.recipes import Recipe

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def draw_batches(recipe: Recipe, digits: Digits) -> Batches:
    """One epoch in a fresh random order: images (n, 1, 28, 28), normalised and augmented, and labels (n,)."""
    return {"images": _one_image_at_a_time, "tensor": _from_one_tensor}[recipe.feed](recipe, digits)


def cut(rows: torch.Tensor, size: int) -> list[torch.Tensor]:
    """The rows in batches of this size; what is left over makes a smaller one, or joins the last if it is one row.

    Batch norm needs more than one number for each channel, and in the last layers a digit may have only one.
    """
    parts = list(rows.split(size))
    if len(parts) > 1 and len(parts[-1]) < 2 <= size:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _one_image_at_a_time(recipe: Recipe, digits: Digits) -> Batches:
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


def _from_one_tensor(recipe: Recipe, digits: Digits) -> Batches:
    device = digits.images.device
    shifted = windows(digits.images, recipe.shift)
    for rows in cut(torch.randperm(len(digits)).to(device), recipe.batch_size):
        if recipe.affine:
            images = moved(digits.images[rows], recipe.affine)
        else:
            down, right = torch.randint(0, 2 * recipe.shift + 1, (2, len(rows))).to(device)
            images = shifted[rows, down, right]
        yield normalise(images), digits.labels[rows]


def windows(images: torch.Tensor, shift: int) -> torch.Tensor:
    """A view of all shifts of each image, with paper beyond its edge: (n, 2 shift + 1, 2 shift + 1, 28, 28)."""
    return F.pad(images, [shift] * 4).unfold(1, 28, 1).unfold(2, 28, 1)


def moved(images: torch.Tensor, affine: tuple[float, float, tuple[float, float]]) -> torch.Tensor:
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
