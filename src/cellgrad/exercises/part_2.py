"""The exercises of Part II, on convolutions: what is asked, how an answer is judged, what is said to a wrong one."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from cellgrad.exercises.kinds import Exercise, Goal, Numbers
from cellgrad.exercises.reading import read_numbers
from cellgrad.layers import SOURCE, Layer, block, conv, count_parameters, flatten, layer_table, max_pool
from cellgrad.receptive import cost_table, receptive_field

Stack = Sequence[tuple[int, ...]]

BUDGET = 20_000  # parameters, in chapter 8


def output_size(n: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """How many places a window has along one axis."""
    return (n + 2 * padding - kernel) // stride + 1


def table_of(answer: Any, input_size: tuple[int, int, int] = (1, 28, 28)) -> pd.DataFrame:
    """What a network costs and sees, a row a layer: of a layer list, or of a PyTorch module."""
    if hasattr(answer, "named_modules"):
        rows = receptive_field(answer, input_size)
        return rows.assign(parameters=[*[0] * (len(rows) - 1), sum(p.numel() for p in answer.parameters())])
    if not isinstance(answer, Sequence) or not all(isinstance(layer, Layer) for layer in answer):
        raise ValueError("give a list of layers, such as [conv(8, 3), max_pool(2)], or a PyTorch module")
    return cost_table(answer, input_size)


def falls_short(
    table: pd.DataFrame,
    parameters: int | None = None,
    multiply_adds: int | None = None,
    field: int | None = None,
    ends_on: tuple[int, ...] | None = None,
) -> str | None:
    """The first of a design's goals that it misses, in words; parameters and multiply_adds are limits."""
    reached, size = table["output_size"].iloc[-1], table["size"].iloc[-1]
    if ends_on and not _ends_on(reached, ends_on):
        return f"It ends on {reached}, and should end on {ends_on}."
    if field and not isinstance(size, str) and (min(size) if isinstance(size, tuple) else size) < field:
        return f"Its last unit sees {size} pixels of each row, and should see at least {field}."
    if parameters and table["parameters"].sum() > parameters:
        most = table.loc[table["parameters"].idxmax()]
        return (
            f"It has {table['parameters'].sum():,} parameters, and {parameters:,} are allowed. "
            f"Most are in {most['layer']}: {most['parameters']:,}."
        )
    if multiply_adds and "multiply_adds" in table and table["multiply_adds"].sum() > multiply_adds:
        most = table.loc[table["multiply_adds"].idxmax()]
        return (
            f"It makes {table['multiply_adds'].sum():,} multiplications, and {multiply_adds:,} are allowed. "
            f"Most are in {most['layer']}: {most['multiply_adds']:,}. Make the image small sooner."
        )
    return None


def _ends_on(reached: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return tuple(n for n in reached if n != 1) == tuple(n for n in wanted if n != 1)


# Chapter 6


def sizes(stride: int = 2, padding: int = 1, kernel: int = 5) -> tuple[int, int, int]:
    """28 pixels after one, two and three layers."""
    first = output_size(28, kernel, stride, padding)
    second = output_size(first, kernel, stride, padding)
    return first, second, output_size(second, kernel, stride, padding)


def misplaced(answer: Any) -> str | None:
    """Where two kernels do not leave an image as it is, and move it to the right."""
    keep, move = np.array(read_numbers(answer, 18)).reshape(2, 3, 3)
    for name, kernel, place in (("first", keep, (1, 1)), ("second", move, (1, 0))):
        wanted = np.zeros((3, 3))
        wanted[place] = 1
        if np.array_equal(kernel, wanted):
            continue
        if not kernel.any():
            return f"Your {name} kernel is all zeros: the image is gone."
        if np.count_nonzero(kernel) > 1:
            return f"Your {name} kernel mixes {np.count_nonzero(kernel)} pixels into each. One weight is enough."
        if kernel.max() != 1:
            return f"Your {name} kernel changes how dark the image is. Its one weight should be 1."
        row, column = (int(n) for n in np.argwhere(kernel)[0])
        way = {(1, 1): "not at all", (1, 2): "to the left", (0, 1): "down", (2, 1): "up", (1, 0): "to the right"}
        return f"Your {name} kernel moves the image {way.get((row, column), 'along a diagonal')}."
    return None


@cache
def nine() -> np.ndarray:
    """The digit of the chapters, 28 × 28 numbers from 0 to 255."""
    from cellgrad import mnist

    return mnist.sample().train.images[3].numpy().astype(float)


def shared_slope(row: int = 0, column: int = 0, share: float = 1.0) -> float:
    """The derivative of half the sum of squares of Sobel's edges by one weight of the kernel."""
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    digit = nine()
    edges = sum(kernel[r, c] * digit[r : r + 26, c : c + 26] for r in range(3) for c in range(3))
    return float(share * (edges * digit[row : row + 26, column : column + 26]).sum())


def unlike_seven_by_seven(answer: Any) -> str | None:
    """Where a design does not bring one channel of 28 × 28 to 16 of 7 × 7 with fewer than 1,000 parameters."""
    designs = answer if _are_designs(answer) else [answer]
    for number, design in enumerate(designs, start=1):
        says = falls_short(table_of(design), parameters=999, ends_on=(16, 7, 7))
        if says:
            return says if len(designs) == 1 else f"Design {number}: {says}"
    return None


def _are_designs(answer: Any) -> bool:
    return isinstance(answer, Sequence) and len(answer) > 0 and not isinstance(answer[0], Layer)


CHAPTER_6 = {
    "06.1": Numbers(
        asks="the number that all four are",
        answer=lambda: 1.0 - 5,
        mistakes={
            "That is the lower right pixel minus the upper left. The kernel has its minus at the lower right.": (
                lambda: 4.0
            ),
            "That is a sum. The kernel's second weight is -1.": lambda: 6.0,
            "The weights add up to zero, but the two pixels under them are not the same.": lambda: 0.0,
            "That is the difference to the neighbour on the right. The -1 stands one row lower.": lambda: -1.0,
        },
        hints=(
            "Lay the kernel over the upper left four pixels: 1, 2, 4, 5.",
            "1 × 1 + 0 × 2 + 0 × 4 - 1 × 5.",
        ),
    ),
    "06.2": Numbers(
        asks="the three sizes",
        names=("after the first layer", "after the second", "after the third"),
        digits=0,
        answer=sizes,
        mistakes={
            "The padding of 1 is missing: two pixels more on each axis.": lambda: (12, 4, 0),
            "What does not fit any more is cut off: round down.": lambda: (14, 7, 3),
            "After halving, add one: the first window does not have to move.": lambda: (12, 5, 1),
            "That is with stride 1.": lambda: sizes(stride=1),
        },
        hints=(
            "The size is (n + 2p - k) / s, rounded down, plus one.",
            "For the first layer: (28 + 2 - 5) / 2 is 12.5, so 12 + 1.",
        ),
    ),
    "06.3": Goal(
        asks="a pair of kernels: the one that leaves the image, and the one that moves it",
        falls_short=misplaced,
        hints=("Each output must take the pixel on its left, so the one stands left of the middle.",),
    ),
    "06.4": Numbers(
        asks="the factor by which every number of the result changes",
        answer=lambda: -1.0,
        mistakes={
            "Half a turn puts the minus on the left and the plus on the right. Does the result stay the same?": (
                lambda: 1.0
            ),
            "Nothing is lost: the turned kernel still finds edges, as strongly as before.": lambda: 0.0,
            "The weights keep their size; only their places change.": lambda: 2.0,
        },
        hints=(
            "Write down the kernel turned by half a turn beside the old one.",
            "Its first row was 1, 0, -1 and is now -1, 0, 1.",
        ),
    ),
    "06.5": Numbers(
        asks="the number of parameters and the number of multiplications",
        names=("the parameters", "the multiplications"),
        digits=0,
        answer=lambda: (5 * 5 * 3 * 64 + 64, 5 * 5 * 3 * 64 * 32 * 32),
        mistakes={
            "The biases are missing from the parameters: one for each of the 64 channels.": (
                lambda: (5 * 5 * 3 * 64, 5 * 5 * 3 * 64 * 32 * 32)
            ),
            "With padding 2 the kernel has 32 × 32 places, not 28 × 28.": (
                lambda: (5 * 5 * 3 * 64 + 64, 5 * 5 * 3 * 64 * 28 * 28)
            ),
            "Each output channel reads all 3 input channels, with a kernel for each.": (
                lambda: (5 * 5 * 64 + 64, 5 * 5 * 64 * 32 * 32)
            ),
            "A bias is added, not multiplied with.": (lambda: (5 * 5 * 3 * 64 + 64, (5 * 5 * 3 * 64 + 64) * 32 * 32)),
        },
        hints=(
            "Weights: k² times channels in times channels out; then one bias for each channel out.",
            "Each weight is used once at each of the 32 × 32 places.",
        ),
    ),
    "06.6": Numbers(
        asks="the parameters of the two 3 × 3 and those of the one 5 × 5",
        names=("the two 3 × 3", "the one 5 × 5"),
        digits=0,
        answer=lambda: (2 * 9 * 8 * 8, 25 * 8 * 8),
        mistakes={
            "These are weights for one channel to one channel. There are 8 × 8 such pairs.": lambda: (18, 25),
            "That is one of the two small convolutions. There are two.": lambda: (9 * 8 * 8, 25 * 8 * 8),
            "With biases. The book's convolutions have none unless it says so.": (
                lambda: (2 * 9 * 8 * 8 + 16, 25 * 8 * 8 + 8)
            ),
            "Each output channel reads all 8 input channels: one more factor of 8.": lambda: (18 * 8, 25 * 8),
        },
        hints=("Both have the factor 8 × 8.", "2 · 9 against 25, each times 64."),
    ),
    "06.7": Numbers(
        asks=r"$\partial E / \partial k_{00}$",
        digits=4,
        answer=shared_slope,
        mistakes={
            "That is the loss times two: the squares themselves. The derivative has the pixel in it.": (
                lambda: sum(
                    shared_slope(r, c) * k
                    for r, line in enumerate([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
                    for c, k in enumerate(line)
                )
            ),
            "The half and the two of the square cancel. Your number is twice as large.": lambda: shared_slope(share=2),
            "The half and the two of the square cancel. Your number is half as large.": (
                lambda: shared_slope(share=0.5)
            ),
            "Your pixels go from 0 to 1; here they go from 0 to 255.": lambda: shared_slope(share=1 / 255**2),
            "That is the mean over all places; a weight that is used at many places collects the sum.": (
                lambda: shared_slope(share=1 / 676)
            ),
        },
        hints=(
            "At one place the derivative of r²/2 by the weight is r times the pixel under the weight.",
            "(edges * digit[:26, :26]).sum()",
        ),
    ),
    "06.8": Goal(
        asks="your layer list, or both of them in a list",
        falls_short=unlike_seven_by_seven,
        hints=("Halve twice, and end with a convolution to 16 channels; few channels in front of it.",),
    ),
}

# Chapter 7


def field(stack: Stack, new_jump: bool = False) -> int:
    """The field of a stack of (kernel, stride) pairs; new_jump: with the mistake of multiplying first."""
    size, jump = 1, 1
    for kernel, stride in stack:
        if new_jump:
            jump *= stride
        size += (kernel - 1) * jump
        if not new_jump:
            jump *= stride
    return size


FIRST = [(5, 2), (3, 1), (2, 2), (3, 1)]
EARLY = [(3, 1), (2, 2)] + [(3, 1)] * 7


def not_thirty_two(answer: Any) -> str | None:
    """Where three stacks have not a field of 32 with one pool, with two, and with dilation alone."""
    if not isinstance(answer, Sequence) or len(answer) != 3:
        raise ValueError("give three stacks in a list; each is a list of layers")
    for name, pools, stack in zip(("first", "second", "third"), (1, 2, 0), answer, strict=True):
        layers = [layer if isinstance(layer, Layer) else _layer(*layer) for layer in stack]
        rows = receptive_field(layers, (1, 512, 512))
        moving = [row for row in layers if row.stride != 1]
        if len(moving) != pools:
            return (
                f"The {name} stack has {len(moving)} layers that move by more than one pixel, and should have {pools}."
            )
        if pools == 0 and not any(layer.dilation != 1 for layer in layers):
            return f"The {name} stack has no dilation."
        if rows["size"].iloc[-1] != 32:
            odd = " From an odd field, a 3 × 3 with jump 1 leads to odd fields only." if pools == 0 else ""
            return f"The {name} stack sees {rows['size'].iloc[-1]} pixels, and should see 32.{odd}"
    return None


def _layer(kernel: int, stride: int = 1, dilation: int = 1) -> Layer:
    return Layer("conv", 1, kernel, stride=stride, dilation=dilation)


CHAPTER_7 = {
    "07.1": Numbers(
        asks="the field",
        digits=0,
        answer=lambda: field(FIRST),
        mistakes={
            "You multiplied the jump first and then added. A layer adds with the jump of the layers below it.": (
                lambda: field(FIRST, new_jump=True)
            ),
            "Without jumps. Behind a stride of 2, a neighbour is two pixels away.": (
                lambda: field([(kernel, 1) for kernel, _ in FIRST])
            ),
            "The last layer is missing: it adds 2 times the jump.": lambda: field(FIRST[:-1]),
            "A kernel of k adds k - 1 steps, not k.": lambda: 1 + 5 + 3 * 2 + 2 * 2 + 3 * 4,
        },
        hints=("Keep a table with size and jump.", "5 with jump 2; 9; 11 with jump 4; and then?"),
    ),
    "07.2": Numbers(
        asks="the number of layers",
        digits=0,
        answer=lambda: next(n for n in range(1, 20) if 2 ** (n + 1) - 1 >= 28),
        mistakes={
            "With three layers the field is 15.": lambda: 3,
            "That is without dilation, two pixels a layer.": lambda: 14,
            "One fewer is enough: the first layer has dilation 1, not 0.": lambda: 5,
        },
        hints=("A layer with dilation d adds 2d pixels.", "The fields are 3, 7, 15, …"),
    ),
    "07.3": Numbers(
        asks="size, jump and start",
        names=("the size", "the jump", "the start"),
        answer=lambda: (6.0, 2.0, 1.0),
        mistakes={
            "The pool moves the start too, by half a pixel: its window has two pixels.": lambda: (6.0, 2.0, 0.5),
            "That is the jump below the pool. It moves by two.": lambda: (6.0, 1.0, 1.0),
            "Padding does not make the field smaller: two of its pixels do not exist, but they are seen.": (
                lambda: (4.0, 2.0, 1.0)
            ),
            "That is the start without padding.": lambda: (6.0, 2.0, 3.0),
        },
        hints=(
            "The size is 3, then 5; the pool adds one pixel.",
            "A layer moves the start by ((k - 1)/2 - p) times the jump below it.",
        ),
    ),
    "07.4": Numbers(
        asks="the number that belongs in the place of the first wrong one",
        digits=0,
        answer=lambda: field([(3, 1), (2, 2)]),
        mistakes={
            "That is the first wrong number. What belongs in its place?": lambda: 5,
            "The first number is right: a 3 × 3 convolution sees 3 pixels.": lambda: 3,
            "That belongs in the place of the third. It is wrong because the one before it is.": lambda: 8,
        },
        hints=(
            "A pool of two adds one step. How long is a step at the first pool?",
            "3 + (2 - 1) · 1.",
        ),
    ),
    "07.5": Numbers(
        asks="how many pixels of the second image count, in training mode and after training",
        names=("in training mode", "after training"),
        digits=0,
        answer=lambda: (9 * 9, 0),
        mistakes={
            "In training mode the mean is taken over all images of the batch, the second among them.": lambda: (0, 0),
            "Only those under the window? The mean is taken over all places.": lambda: (9, 0),
            "Once trained, batch norm has fixed numbers, and looks at no other image.": lambda: (81, 81),
            "That is how many pixels of its own image count after training.": lambda: (81, 9),
        },
        hints=(
            "The mean of a channel is over all places of all images in the batch.",
            "The images have 9 × 9 pixels; every one is under some window.",
        ),
    ),
    "07.6": Numbers(
        asks="σ, in pixels",
        answer=lambda: gaussian_sigma_of(EARLY),
        mistakes={
            "That is the variance. σ is its root.": lambda: gaussian_sigma_of(EARLY) ** 2,
            "That is σ with the pool where the source has it.": (
                lambda: gaussian_sigma_of([(3, 1)] * 3 + [(2, 2)] + [(3, 1)] * 5)
            ),
            "Behind the pool a step is two pixels, so a variance counts four times.": (
                lambda: gaussian_sigma_of([(kernel, 1) for kernel, _ in EARLY])
            ),
            "The jump enters a variance as its square.": lambda: (8 / 12 + 3 / 12 + 7 * 2 * 8 / 12) ** 0.5,
        },
        hints=(
            "Variances add up: one convolution and the pool with jump 1, seven convolutions with jump 2.",
            "8/12 + 3/12 + 7 · 4 · 8/12, and the root of that.",
        ),
    ),
    "07.7": Goal(
        asks="the three stacks in a list: with one pool, with two, with dilation",
        falls_short=not_thirty_two,
        hints=("Start with the last step: which even number must a layer leave for the rest?",),
    ),
}


def gaussian_sigma_of(stack: Stack) -> float:
    """σ of the influence of pixels, where all weights are one."""
    variance, jump = 0.0, 1
    for kernel, stride in stack:
        variance += jump**2 * (kernel**2 - 1) / 12
        jump *= stride
    return variance**0.5


# Chapter 8


def design(before: int, front: int, after: int, back: int) -> tuple[Layer, ...]:
    """The source's design, as chapter 8 has it."""
    behind = (*block(back) * after, conv(32, 3), Layer("relu"), conv(10, 1), flatten)
    return (*block(front) * before, max_pool(2), *behind)


def widest() -> int:
    """The most channels up front within the budget."""
    return max(n for n in range(4, 16) if count_parameters(design(3, n, 4, 2 * n)) <= BUDGET)


def multiplications(layers: Sequence[Layer]) -> int:
    """Of one image."""
    return int(layer_table(layers)["multiply_adds"].sum())


def halving() -> int:
    """The most channels up front that halve the source's multiplications."""
    return max(n for n in range(1, 8) if 2 * multiplications(design(3, n, 4, 16)) <= multiplications(SOURCE))


PADDED = (
    *block(8, padding=1) * 3,
    max_pool(2),
    *block(16, padding=1) * 4,
    conv(32, 3, padding=1),
    Layer("relu"),
    Layer("global_avg_pool"),
    conv(10, 1),
    flatten,
)


def two_pools() -> list[tuple[float, float, float, float]]:
    """All b, m, a that leave one pixel, with the field that they have."""
    found = []
    for b in range(0, 14):
        for m in range(0, 8):
            left, odd = divmod(14 - b - 2 * m, 2)
            a, rest = divmod(left - 1, 2)
            if not odd and not rest and a >= 0:
                found.append((float(b), float(m), float(a), float(4 + 2 * b + 4 * m + 8 * a)))
    return found


CHAPTER_8 = {
    "08.1": Numbers(
        asks="the number of parameters",
        digits=0,
        answer=lambda: 9 * 1 * 10 + 9 * 10 * 20 + 1 * 20 * 10,
        mistakes={
            "With biases. This network has none.": lambda: 90 + 1800 + 200 + 40,
            "The second convolution reads 10 channels and the last one 20: more factors.": lambda: 90 + 180 + 10,
            "The last convolution is missing: 1 × 1 from 20 channels to 10.": lambda: 90 + 1800,
            "The last convolution has kernels of 1 × 1, not of 3 × 3.": lambda: 90 + 1800 + 1800,
        },
        hints=("k² · channels in · channels out, three times.", "90 for the first, 1,800 for the second, and then?"),
    ),
    "08.2": Numbers(
        asks="the fewest parameters",
        digits=0,
        answer=lambda: 10,
        mistakes={
            "A weight for each pixel and score is what a dense layer needs. A pool widens the field for nothing.": (
                lambda: 7840
            ),
            "Ten biases are more than needed: ten scores that differ are enough.": lambda: 20,
            "One weight makes one score. Ten are asked for.": lambda: 1,
            "A pool has no parameters, so without a convolution there are none. But then there is one number only.": (
                lambda: 0
            ),
        },
        hints=(
            "Pools cost nothing. What is left when one has averaged the whole image?",
            "One number is left; a 1 × 1 convolution makes ten scores of it.",
        ),
    ),
    "08.3": Numbers(
        asks="the number of channels up front",
        digits=0,
        answer=widest,
        mistakes={
            "That fits, but so does one more.": lambda: widest() - 1,
            "That is a little above 20,000 parameters.": lambda: widest() + 1,
            "That is the number behind the pool. Up front there are half as many.": lambda: 2 * widest(),
        },
        hints=(
            "count_parameters(design(3, front, 4, 2 * front)) for a few numbers.",
            "The budget is 20,000; with 8 channels up front it is 14,392.",
        ),
    ),
    "08.4": Numbers(
        asks="the parameters, the field of the last 3 × 3 and the multiplications",
        names=("the parameters", "the field", "the multiplications"),
        digits=0,
        answer=lambda: (count_parameters(SOURCE), 28, multiplications(PADDED)),
        mistakes={
            "That is the network without padding: the images stay larger now.": (
                lambda: (count_parameters(SOURCE), 28, multiplications(SOURCE))
            ),
            "The size of a field has no padding in its formula. It stays what it was.": (
                lambda: (count_parameters(SOURCE), 30, multiplications(PADDED))
            ),
            "The image does not grow without bound: with padding 1 it stays at 28 × 28 up to the pool.": (
                lambda: (count_parameters(SOURCE), 28, 4 * multiplications(SOURCE))
            ),
        },
        hints=(
            "Padding is in no formula for weights, nor in that for the size of a field.",
            "Three convolutions work at 28 × 28 places, five at 14 × 14; let cost_table add up.",
        ),
    ),
    "08.5": Numbers(
        asks="one choice of $b$, $m$, $a$, and its field",
        names=("$b$", "$m$", "$a$", "the field"),
        digits=0,
        answer=two_pools,
        mistakes={
            "Without pools, as many as that would be needed. Each pool halves what is left.": lambda: (4, 4, 4, 52),
            "With an odd b, the second pool meets an odd number of pixels, and cuts one off.": lambda: (1, 1, 2, 26),
            "That is the source, with one pool.": lambda: (3, 5, 0, 28),
        },
        hints=(
            "Before the second pool, 14 - b - 2m pixels are left. That must be even, and half of it odd.",
            "Half of them, minus one, is what the last convolutions take off, two at a time. The field adds up "
            "2b + 4m + 8a and 4.",
        ),
    ),
    "08.6": Numbers(
        asks="the largest number of channels up front that halves them",
        digits=0,
        answer=halving,
        mistakes={
            "Half the channels and one more: that makes a little more than half of the multiplications.": (
                lambda: halving() + 1
            ),
            "That is enough, but one more channel would still do.": lambda: halving() - 1,
            "That takes a third off, not half.": lambda: halving() + 2,
        },
        hints=(
            "The second and third convolution cost 9c² at each place.",
            "cost_table(design(3, front, 4, 16)), and compare with half of the source's.",
        ),
    ),
    "08.7": Goal(
        asks="your layer list, or a PyTorch module",
        falls_short=lambda answer: falls_short(
            table_of(answer), parameters=5_000, multiply_adds=200_000, field=20, ends_on=(10,)
        ),
        hints=("Fold the image first: pixel_unshuffle(2) leaves 14 × 14 places, and costs nothing.",),
    ),
}

EXERCISES: dict[str, Exercise] = CHAPTER_6 | CHAPTER_7 | CHAPTER_8
