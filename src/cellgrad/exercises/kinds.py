"""One judge for each kind of answer: numbers, names, a choice, a formula, a goal that many designs reach."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cellgrad.exercises.reading import Unreadable, read_expression, read_names, read_numbers

Values = float | Sequence[float]


@dataclass(frozen=True)
class Reply:
    """What is said to an answer. final: it is not about being wrong, so no hint takes its place."""

    text: str
    right: bool = False
    final: bool = False


RIGHT = Reply("Right.", right=True)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """asks: what to give, with TeX between dollars. hints: from a nudge to the last step before the answer."""

    asks: str
    hints: tuple[str, ...] = ()

    def invitation(self, number: str) -> str:
        """What to call, where no answer came yet."""
        return f'check("{number}", …) waits for {plain(self.asks)}.'

    def judge(self, number: str, answer: Any) -> Reply:
        """The reply to one answer."""
        try:
            return self._judge(number, answer)
        except Unreadable as problem:
            return Reply(f"Not readable: {problem}. Wanted: {plain(self.asks)}.", final=True)

    def _judge(self, number: str, answer: Any) -> Reply:
        raise NotImplementedError


def plain(text: str) -> str:
    """The little TeX that stands in `asks`, as a terminal or a label shows it: $\\delta_{o1}$ is δ_o1."""
    for command, sign in {r"\delta": "δ", r"\partial": "∂", r"\sigma": "σ", r"\eta": "η", r"\lambda": "λ"}.items():
        text = re.sub(re.escape(command) + r"( (?=[A-Za-z]))?", sign, text)  # a space that only ends the command
    return re.sub(r"[${}\\`]", "", text)


class Pattern(NamedTuple):
    """Numbers to recognise: on a grid of `units`, within `slack` steps of `values`; None stands for any number.

    fewer: the values also count where they are rounded, or cut off, to one of so many digits.
    """

    values: tuple[float | None, ...]
    units: tuple[float, ...]
    slack: int
    says: str | None  # None where the answer is right
    fewer: range = range(0)

    def steps(self) -> Iterator[tuple[int, ...]]:
        """For each number, the places on its grid that count as it."""
        for value, unit in zip(self.values, self.units, strict=True):
            if value is None:
                yield ()
                continue
            middle = on_grid(value, unit)
            near = range(middle - self.slack, middle + self.slack + 1)
            short = (on_grid(number, unit) for digits in self.fewer for number in shortened(value, digits))
            yield tuple(dict.fromkeys([*near, *short]))

    def fits(self, numbers: Sequence[float]) -> list[bool]:
        """Which of the numbers are the pattern's."""
        pairs = zip(numbers, self.units, self.steps(), strict=True)
        return [
            not steps or (on_grid(number, unit) in steps and (not self.whole or is_whole(number, unit)))
            for number, unit, steps in pairs
        ]

    @property
    def whole(self) -> bool:
        """Whether the numbers have to lie on their grids, as counts do."""
        return self.slack == 0


def on_grid(number: float, unit: float) -> int:
    """The nearest multiple of `unit`; the site's script computes the same."""
    return math.floor(number / unit + 0.5)


def is_whole(number: float, unit: float) -> bool:
    """Whether a number is a multiple of `unit`, but for rounding; the site's script computes the same."""
    return abs(number / unit - on_grid(number, unit)) < 1e-6


def last_place(value: float, digits: int) -> float:
    """What the last of so many digits that count is worth."""
    return 10.0 ** ((math.floor(math.log10(abs(value))) if value else 0) + 1 - digits)


def shortened(value: float, digits: int) -> tuple[float, float]:
    """A number rounded to so many digits that count, and one cut off there."""
    unit = last_place(value, digits)
    size = abs(value) / unit
    return tuple(math.copysign(whole * unit, value) for whole in (math.floor(size + 0.5), math.floor(size + 1e-9)))


@dataclass(frozen=True, kw_only=True)
class Numbers(Exercise):
    """Numbers, in the order asked for. digits: how many of each must agree, give or take one in the last; 0: all.

    answer: computes the numbers, or a list of several right answers. mistakes: what to say to those who gave these.
    names: of the numbers, where there are several. unit: how coarsely to compare, in place of digits.
    """

    answer: Callable[[], Any]
    mistakes: Mapping[str, Callable[[], Values]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    digits: int = 3
    unit: float | None = None

    @property
    def count(self) -> int:
        """How many numbers are asked for."""
        return max(1, len(self.names))

    def patterns(self) -> list[Pattern]:
        """All that is recognised, the right answers first."""
        found = self.answer()
        right = [as_tuple(values) for values in (found if isinstance(found, list) else [found])]
        units = [tuple(map(self._unit, values)) for values in right]
        slack = 0 if self.digits == 0 else 1
        patterns = [Pattern(values, steps, slack, None) for values, steps in zip(right, units, strict=True)]
        nearly = f"Nearly. Give it to {self.digits} digits that count."
        if self.digits > 2 and not self.unit:
            # Before the mistakes: some of them, rounded as coarsely, look the same as the right answer.
            fewer = range(2, self.digits)
            patterns += [Pattern(*pattern[:2], 1, nearly, fewer) for pattern in patterns]
        for says, compute in self.mistakes.items():
            values = as_tuple(compute())
            own = tuple(self._rough(value) if value else unit for value, unit in zip(values, units[0], strict=True))
            patterns.append(Pattern(values, own, slack, says))
        if len(right) > 1:
            return patterns
        (values,) = right
        turned = tuple(-value for value in values)
        patterns.append(Pattern(turned, units[0], slack, "The size is right. Look at the sign."))
        if self.digits:
            for factor in (100, 0.01):
                other = tuple(factor * value for value in values)
                patterns.append(Pattern(other, tuple(factor * u for u in units[0]), slack, FACTOR))
        if self.digits > 2 and not self.unit:
            coarse = tuple(10 * unit for unit in units[0])
            patterns.append(Pattern(values, coarse, 1, nearly))
        return patterns

    def _unit(self, value: float, digits: int | None = None) -> float:
        if self.unit or not self.digits:
            return self.unit or 1.0
        return last_place(value, digits or self.digits)

    def _rough(self, value: float) -> float:
        """The unit of a mistake, which is recognised with a digit fewer."""
        return self._unit(value, max(2, self.digits - 1))

    def _judge(self, number: str, answer: Any) -> Reply:
        numbers = read_numbers(answer, self.count)
        patterns = self.patterns()
        for pattern in patterns:
            if all(pattern.fits(numbers)):
                return RIGHT if pattern.says is None else Reply(pattern.says)
        fits = patterns[0].fits(numbers)
        if len(patterns) > 1 and patterns[1].says is not None and any(fits):
            return Reply(halfway([n for n, fit in zip(self.names, fits, strict=True) if not fit]))
        return Reply("")


FACTOR = "A factor of 100 is between yours and it: give a fraction of one, or put the sign % behind it."


def halfway(missing: list[str]) -> str:
    """What to say where some of several numbers are right."""
    return f"Part of it is right. Not yet: {', '.join(map(plain, missing))}."


def as_tuple(values: Any) -> tuple[float | None, ...]:
    """One number as a tuple of one, several as they are."""
    return tuple(values) if isinstance(values, tuple) else (values,)


@dataclass(frozen=True, kw_only=True)
class Names(Exercise):
    """A set of names, in any order. letter: stands before each where only its number was given."""

    answer: Callable[[], set[str]]
    mistakes: Mapping[str, str] = field(default_factory=dict)
    letter: str = ""

    def _judge(self, number: str, answer: Any) -> Reply:
        given, right = read_names(answer, self.letter), self.answer()
        if given == right:
            return RIGHT
        for says, names in self.mistakes.items():
            if given == read_names(names, self.letter):
                return Reply(says)
        missing, extra = len(right - given), len(given - right)
        return Reply(f"{len(given & right)} of yours belong there, {extra} do not, and {missing} are missing.")


@dataclass(frozen=True, kw_only=True)
class Choice(Exercise):
    """A word. right: the hash of it (`seal`), or what computes it. mistakes: by the words that give them away."""

    right: str | Callable[[], str]
    mistakes: Mapping[str, str] = field(default_factory=dict)

    def _judge(self, number: str, answer: Any) -> Reply:
        is_bool = type(answer).__name__ in ("bool", "bool_")  # Python's or numpy's
        said = ("yes" if answer else "no") if is_bool else answer
        words = re.findall(r"\w+(?:\.\w+)*", str(said).lower())
        if not words:
            raise Unreadable("a word is asked for here")
        for says, signs in self.mistakes.items():
            if set(signs.split()) & set(words):
                return Reply(says)
        right = self.right if isinstance(self.right, str) else seal(number, self.right())
        return RIGHT if right in (seal(number, word) for word in words) else Reply("")


@dataclass(frozen=True, kw_only=True)
class Expression(Exercise):
    """A formula, right where it agrees with `answer` at all `points`, in whatever form it is written.

    points: values of the letters, by name. mistakes: formulas, by what to say to those who gave them.
    """

    answer: Callable[[], str]
    points: Callable[[], Sequence[Mapping[str, float]]]
    mistakes: Mapping[str, str] = field(default_factory=dict)

    def _judge(self, number: str, answer: Any) -> Reply:
        values, right = self._at_points(answer), self._at_points(self.answer())
        if _agree(values, right):
            return RIGHT
        if len(set(values)) == 1:
            return Reply("That is one number. The formula has letters in it, and holds for other networks too.")
        for says, formula in self.mistakes.items():
            if _agree(values, self._at_points(formula)):
                return Reply(says)
        if _agree([-value for value in values], right):
            return Reply("All but the sign is right.")
        return Reply("")

    def _at_points(self, formula: Any) -> list[float]:
        expression = read_expression(formula)
        found = []
        for point in self.points():
            known = {symbol: point.get(_letter(str(symbol))) for symbol in expression.free_symbols}
            unknown = [str(symbol) for symbol, value in known.items() if value is None]
            if unknown:
                raise Unreadable(f"the letters are {', '.join(point)}; there is no {unknown[0]}")
            found.append(_value(expression, known))
        return found


def _value(expression: Any, known: Mapping[Any, Any]) -> float:
    """A formula at one point, in floats; no number where it leaves their range or is not real."""
    import sympy as sp

    letters = list(known)
    try:
        value = complex(sp.lambdify(letters, expression, modules=["cmath", "math"])(*known.values()))
    except (OverflowError, ZeroDivisionError, ValueError):
        return math.nan
    except Exception:  # what Python makes of a function that nobody knows, an integral, a matrix
        raise Unreadable("a formula is asked for here, of letters, numbers and + - * / ^") from None
    return value.real if abs(value.imag) <= 1e-9 * max(1, abs(value)) else math.nan


def _letter(name: str) -> str:
    """The name of a letter as the points have it: delta_h1, d_h1 and δ_h1 are the same."""
    return name.replace("delta", "d").replace("δ", "d").replace("dh", "d_h").replace("do", "d_o")


def _agree(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True, kw_only=True)
class Goal(Exercise):
    """Whatever reaches a goal. falls_short: says where an answer does, None where it does not.

    It may raise ValueError, whose message then says what is wrong with the answer's form.
    """

    falls_short: Callable[[Any], str | None]

    def _judge(self, number: str, answer: Any) -> Reply:
        try:
            says = self.falls_short(answer)
        except Unreadable:
            raise
        except (ValueError, TypeError, AttributeError, KeyError, IndexError) as problem:
            why = " ".join(str(problem).split()).rstrip(".") or type(problem).__name__
            return Reply(f"It does not work yet: {why}. Wanted: {plain(self.asks)}.", final=True)
        return RIGHT if says is None else Reply(says)


@dataclass(frozen=True, kw_only=True)
class Open(Exercise):
    """An experiment or an essay: `asks` says what to compare with, since nothing here can judge it."""

    def invitation(self, number: str) -> str:
        """What stands in the place of a check."""
        return f"{plain(self.asks)}."

    def _judge(self, number: str, answer: Any) -> Reply:
        return Reply(self.invitation(number), final=True)


def seal(*parts: object) -> str:
    """A hash of a few characters: it keeps an answer from the eye, not from somebody determined.

    FNV-1a, 32 bits (Fowler, Noll, Vo 1991); the site's script computes the same.
    """
    number = 2166136261
    for character in "/".join(map(str, ("cells to convnets", *parts))).encode():
        number = ((number ^ character) * 16777619) % 2**32
    return f"{number:08x}"
