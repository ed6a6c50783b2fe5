"""Exercises that answer back: `check("03.2", answer)` says right, or gives the next hint.

The exercises are data, a file for each part of the book; `kinds` has one judge for each kind of answer. Answers are
computed here or kept as hashes, so that who looks for a hint does not stumble over a solution.
"""

import re
from functools import cache
from importlib import import_module
from typing import Any

from cellgrad.exercises.kinds import Exercise, Reply

__all__ = ["check", "exercise", "exercises", "judge"]

_PARTS = {"part_1": range(1, 6), "part_2": range(6, 9), "part_3": range(9, 14)}
AT_THE_END = "Unfold the solution below the exercise, and look for the first line where yours differs."

# What was said to wrong answers, by exercise: while there is something new to say, nobody is told a thing twice.
_said: dict[str, list[str]] = {}


def check(number: str, *answer: Any) -> None:
    """Say whether the answer to an exercise is right, and if it is not, print the next hint.

    number: chapter and exercise, "03.2". answer: in any form that says it; without one, what is asked is said. Raises
    ValueError for an exercise that there is not.
    """
    name, asked = exercise(number)
    if not answer or isinstance(answer[0], type(...)):
        print(asked.invitation(name))
        return
    reply = judge(name, answer[0] if len(answer) == 1 else answer, _said.get(name, ()))
    if reply.right:
        _said.pop(name, None)
    else:
        _said.setdefault(name, []).append(reply.text)
    print(reply.text)


def judge(number: str, answer: Any, said: tuple[str, ...] | list[str] = ()) -> Reply:
    """The reply to one answer; said: what earlier wrong answers were told, which is not said again."""
    name, asked = exercise(number)
    reply = asked.judge(name, answer)
    if reply.right or reply.final:
        return reply
    news = [text for text in (reply.text, *asked.hints) if text and text not in said]
    return Reply(news[0] if news else AT_THE_END)


def exercise(number: str) -> tuple[str, Exercise]:
    """An exercise by its number, with the number in full; raises ValueError where there is none."""
    found = re.fullmatch(r"\s*0?(\d{1,2})\.(\d)\s*", str(number))
    name = f"{int(found[1]):02}.{found[2]}" if found else ""
    for part, chapters in _PARTS.items():
        if found and int(found[1]) in chapters and name in exercises(part):
            return name, exercises(part)[name]
    raise ValueError(f"number: there is no exercise {number!r}; give chapter and exercise as text, such as '03.2'")


@cache
def exercises(part: str) -> dict[str, Exercise]:
    """The exercises of "part_1", "part_2" or "part_3", by number."""
    return import_module(f"{__name__}.{part}").EXERCISES
