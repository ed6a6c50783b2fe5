"""What a network is shown: the digits of one epoch in a random order, each moved a little, as batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from cellgrad.mnist import MEAN, STD, Digits, normalise
from cellgrad.torchvision import import_torchvision
from cellgrad.training.randomness import generator
from cellgrad.training.recipes import Recipe

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def draw_batches(recipe: Recipe, digits: Digits, seed: int = 0, epoch: int = 1) -> Batches:
    """One epoch in random order: images (n, 1, 28, 28), normalised and moved as the recipe says, and labels (n,).

    Order and movements depend on seed and epoch alone (and on `recipe.seeds`, where they fix them).
    """
    order = torch.randperm(len(digits), generator=generator("order", recipe, seed, epoch))
    feed = {"images": _one_image_at_a_time, "tensor": _from_one_tensor}[recipe.feed]
    return feed(recipe, digits, cut(order, recipe.batch_size), generator("movement", recipe, seed, epoch))


def cut(rows: torch.Tensor, size: int) -> list[torch.Tensor]:
    """The rows in batches of this size; what is left over makes a smaller one, or joins the last if it is one row.

    Batch norm needs more than one number for each channel, and in the last layers a digit may have only one.
    """
    parts = list(rows.split(size))
    if len(parts) > 1 and len(parts[-1]) < 2 <= size:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _one_image_at_a_time(
    recipe: Recipe, digits: Digits, rows: list[torch.Tensor], movement: torch.Generator
) -> Batches:
    transforms = import_torchvision().transforms
    assert recipe.affine is not None  # the recipe moves digits, or it would not be here
    degrees, translate, scale = recipe.affine
    pipeline = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomAffine(degrees, translate=(translate, translate), scale=scale),
            transforms.ToTensor(),
            transforms.Normalize((MEAN,), (STD,)),
        ]
    )
    seeds = torch.randint(2**62, (len(digits),), generator=movement).tolist()
    shown = _Transformed(digits, pipeline, seeds)
    # The loader wants a generator, or it would draw from the one that dropout draws from.
    loader = torch.utils.data.DataLoader(shown, batch_sampler=[part.tolist() for part in rows], generator=movement)
    return iter(loader)


class _Transformed(torch.utils.data.Dataset):
    """Digits that go through a random transform one at a time, each with the seed given for it."""

    def __init__(self, digits: Digits, transform: Callable[[torch.Tensor], torch.Tensor], seeds: list[int]) -> None:
        self.images, self.labels, self.transform = digits.images.cpu(), digits.labels.tolist(), transform
        self.seeds = seeds

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, rows: list[int]) -> list[tuple[torch.Tensor, int]]:
        shared = torch.default_generator  # torchvision knows no other
        before = shared.get_state()
        items = []
        for row in rows:
            shared.manual_seed(self.seeds[row])
            items.append((self.transform(self.images[row]), self.labels[row]))
        shared.set_state(before)
        return items


def _from_one_tensor(recipe: Recipe, digits: Digits, rows: list[torch.Tensor], movement: torch.Generator) -> Batches:
    device = digits.images.device
    shifted = windows(digits.images, recipe.shift)
    chances = torch.rand(4, len(digits), generator=movement)  # the same for all recipes, however far they move
    for part in rows:
        right, down, angle, scale = chances[:, part]
        part = part.to(device)
        if recipe.affine:
            images = moved(digits.images[part], recipe.affine, right, down, angle, scale)
        else:
            places = 2 * recipe.shift + 1
            right, down = ((chance.double() * places).long().to(device) for chance in (right, down))
            images = shifted[part, down, right]
        yield normalise(images), digits.labels[part]


def windows(images: torch.Tensor, shift: int) -> torch.Tensor:
    """A view of all shifts of each image, with paper beyond its edge: (n, 2 shift + 1, 2 shift + 1, 28, 28)."""
    return F.pad(images, [shift] * 4).unfold(1, 28, 1).unfold(2, 28, 1)


def moved(
    images: torch.Tensor,
    affine: tuple[float, float, tuple[float, float]],
    right: torch.Tensor,
    down: torch.Tensor,
    angle: torch.Tensor,
    scale: torch.Tensor,
) -> torch.Tensor:
    """Each image turned, scaled and moved, between pixels by interpolation; float32, shape (n, 28, 28).

    affine: degrees, share of the width, least and greatest scale, as in `Recipe`. right, down, angle, scale: numbers
    from 0 to 1, one an image, which say where in its range each amount lies: ½ turns and moves nothing. At 1 the window
    on the image lies farthest to the right or down, so that the digit goes left or up; it goes by the share of the
    width times the scale.
    """
    degrees, translate, (least, greatest) = affine
    angle = (degrees * (2 * angle - 1)).deg2rad()
    scale = least + (greatest - least) * scale
    right, down = (2 * translate * (2 * chance - 1) for chance in (right, down))  # the image reaches from -1 to 1
    # Where each pixel of the result comes from: the inverse of the movement.
    cos, sin = angle.cos() / scale, angle.sin() / scale
    inverse = torch.stack([torch.stack([cos, sin, right], 1), torch.stack([-sin, cos, down], 1)], 1).to(images.device)
    grid = F.affine_grid(inverse, [len(images), 1, 28, 28], align_corners=False)
    return F.grid_sample(images[:, None].float(), grid, align_corners=False)[:, 0]
