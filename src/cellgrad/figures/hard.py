"""Hard digits as cards: guess first, then see the label and what the networks said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cellgrad.checks import whole_number
from cellgrad.figures.page import FAINT, LINE, PAPER, Figure, image, ink, svg, tag, text

_COLUMNS, _SIDE, _STEP, _LINE = 6, 60, 66, 84


def hard_digits(
    images: np.ndarray, labels: Sequence[int], answers: Sequence[Mapping[int, int]], networks: int
) -> Figure:
    """Digits that many networks get wrong, face up but without labels, to be read by the reader first.

    images: (cards, 28, 28), 0 paper to 255 ink. labels: what each is said to be. answers: for each, how many networks
    gave which wrong answer. networks: how many there are in all. Raises ValueError where the counts do not agree, and
    for what is no digit.
    """
    images, labels = np.asarray(images), [int(label) for label in labels]
    if not len(images) == len(labels) == len(answers) > 0:
        raise ValueError(
            f"images: {len(images)} of them, {len(labels)} labels and {len(answers)} answers; give as many of each"
        )
    networks = whole_number("networks", networks, least=1)
    votes = []
    for label, wrong in zip(labels, answers, strict=True):
        counts = {int(answer): whole_number("answers", count) for answer, count in wrong.items()}
        if strange := {label, *counts} - set(range(10)):
            raise ValueError(f"answers: {strange.pop()} is no digit; labels and answers are from 0 to 9")
        if label in counts:
            raise ValueError(f"answers: {label} is the label, so it is no wrong answer; give the wrong ones only")
        right = networks - sum(counts.values())
        if right < 0:
            raise ValueError(f"networks: {networks} of them gave {sum(counts.values())} wrong answers to one digit")
        votes.append([(counts | {label: right}).get(digit, 0) for digit in range(10)])
    data = {
        "labels": labels,
        "votes": votes,
        "networks": networks,
    }
    return Figure(
        "hard",
        "Hard digits",
        f"{len(images)} handwritten test digits that many of {networks} networks misread, without their labels. Read "
        "them yourself first.",
        _picture(images),
        data,
    )


def _picture(images: np.ndarray) -> str:
    parts = []
    for card, pixels in enumerate(images):
        x, y = 4 + _STEP * (card % _COLUMNS), 4 + _LINE * (card // _COLUMNS)
        parts.append(tag("rect", x=x, y=y, width=_SIDE, height=_SIDE, fill=PAPER, stroke=LINE, data_card=card))
        parts.append(image(ink(pixels.astype(np.uint8)), x, y, _SIDE, _SIDE, class_="cg-ink"))
        parts.append(text(x + _SIDE / 2, y + _SIDE + 13, str(card + 1), 10, FAINT, data_said=card))
    return svg(_LINE * -(-len(images) // _COLUMNS), f"{len(images)} handwritten digits that are hard to read.", *parts)
