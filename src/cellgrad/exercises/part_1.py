"""The exercises of Part I, on the toy network: what is asked, how an answer is judged, what is said to a wrong one."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from cellgrad.exercises.kinds import Choice, Exercise, Expression, Goal, Names, Numbers, Open
from cellgrad.exercises.reading import read_numbers
from cellgrad.toynet import ToyNetwork, learning_rates

START = ToyNetwork()
W = START.weights
I1, I2 = START.inputs


def row(weights: Sequence[float] = W, **changes: Any) -> dict[str, float]:
    """All numbers of the book's network, or of one with changes."""
    return ToyNetwork(weights=tuple(weights), **changes).row()


def outputs(weights: Sequence[float] = W) -> tuple[float, float]:
    """The two outputs with these weights."""
    numbers = row(weights)
    return numbers["a_o1"], numbers["a_o2"]


def reordered(*places: int) -> list[float]:
    """The weights in another order; places are counted from 1."""
    return [W[place - 1] for place in places]


# Chapter 1


def with_tanh(hidden: bool = True, output: bool = True) -> tuple[float, float]:
    """The outputs where units bend by tanh in the place of the sigmoid."""
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    first, last = math.tanh if hidden else sigmoid, math.tanh if output else sigmoid
    a, b = first(W[0] * I1 + W[1] * I2), first(W[2] * I1 + W[3] * I2)
    return last(W[4] * a + W[5] * b), last(W[6] * a + W[7] * b)


def last_four(answer: Any) -> tuple[float, ...]:
    """w5 … w8 of an answer: a network, eight weights, or the four."""
    if isinstance(answer, ToyNetwork):
        return answer.weights[4:]
    count = len(answer) if hasattr(answer, "__len__") and not isinstance(answer, str) else 4
    if isinstance(answer, Mapping) and count != 4:
        answer = {name: value for name, value in answer.items() if str(name) in ("w5", "w6", "w7", "w8")}
    return tuple(read_numbers(answer, 8 if count == 8 else 4)[-4:])


def not_on_one_half(answer: Any) -> str | None:
    """Where weights leave the outputs away from their targets of one half."""
    weights = last_four(answer)
    reached = outputs((*W[:4], *weights))
    missed = [k for k, output in enumerate(reached, start=1) if abs(output - 0.5) > 1e-9]
    if not missed:
        return None
    if set(weights) == {0.5}:
        return "One half is what an output should be, not a weight. Which sum does the sigmoid turn into one half?"
    if len(missed) == 1:
        return f"One output is on its target. Output {missed[0]} is not: do the same with its two weights."
    if max(weights) < 0:
        return f"Now both outputs are too low, {reached[0]:.4f} and {reached[1]:.4f}. Somewhere in between …"
    return f"With these weights the outputs are {reached[0]:.4f} and {reached[1]:.4f}. Which sums gave that?"


def not_on_targets(answer: Any) -> str | None:
    """Where weights leave the outputs away from 0.01 and 0.99."""
    weights = last_four(answer)
    first, second = outputs((*W[:4], *weights))
    if abs(first - 0.01) < 5e-4 and abs(second - 0.99) < 5e-4:
        return None
    if abs(first - 0.99) < 5e-4 and abs(second - 0.01) < 5e-4:
        return "The outputs are exchanged: w_5 and w_6 lead to the first, which should be 0.01."
    if np.allclose(weights, (0.01, 0.01, 0.99, 0.99)):
        return "These are the targets. A sigmoid stands between a weight and an output: which sum gives 0.01?"
    if np.allclose(np.abs(weights), math.log(99), rtol=0.02):
        return "That is the sum that must arrive. Each weight is still multiplied by its activation, about one half."
    if abs(first - 0.01) < 5e-4 or abs(second - 0.99) < 5e-4:
        return "One output is where it should be, the other is not yet: its sum must have the other sign."
    return f"The outputs are {first:.4f} and {second:.4f}. First find the sums that give 0.01 and 0.99."


CHAPTER_1 = {
    "01.1": Numbers(
        asks="the sum $h_2$",
        answer=lambda: row()["h2"],
        mistakes={
            "That is h_1, the sum of the first hidden unit; w_3 and w_4 lead to the second.": lambda: row()["h1"],
            "The inputs are exchanged: w_3 comes from i_1, and w_4 from i_2.": lambda: W[2] * I2 + W[3] * I1,
            "That is the activation; asked is the sum, before the sigmoid.": lambda: row()["a_h2"],
        },
        hints=(
            "Each input is multiplied by the weight of its line to the second unit; the two products are added.",
            "h_2 = w_3 i_1 + w_4 i_2, with 0.25 and 0.3 for the weights.",
        ),
    ),
    "01.2": Goal(
        asks="the four weights $w_5$ to $w_8$",
        falls_short=not_on_one_half,
        hints=(
            "The sigmoid of which sum is one half?",
            "The sum must be zero at both outputs, whatever the hidden activations are. Which weights see to that?",
        ),
    ),
    "01.3": Numbers(
        asks="both outputs after the exchange",
        names=("the first output", "the second output"),
        answer=outputs,
        digits=5,
        mistakes={
            "You exchanged the outputs too. Follow one output: which hidden units does it add up now?": (
                lambda: outputs()[::-1]
            ),
            "Only the weights on one side of the hidden units were exchanged; those on the other side go along.": (
                lambda: outputs(reordered(3, 4, 1, 2, 5, 6, 7, 8))
            ),
            "These are the sums that arrive at the outputs, before the sigmoid.": lambda: (row()["o1"], row()["o2"]),
        },
        hints=(
            "Draw the network with the second hidden unit on top: do any lines change their ends?",
            "A sum does not mind in which order its terms stand.",
        ),
    ),
    "01.4": Numbers(
        asks="the number of weights and the number of definitions",
        names=("the number of weights", "the number of definitions"),
        digits=0,
        answer=lambda: (2 * 3 + 3 * 2, 2 * (3 + 2) + 3),
        mistakes={
            "These are the weights and definitions of the network as it is, with two hidden units.": lambda: (8, 11),
            "A unit has two definitions, a sum and an activation.": lambda: (12, 12),
            "The new unit has lines on both sides: two come in, and two go out.": lambda: (10, 13),
            "The sums of the outputs get one term more each, but they are no new definitions.": lambda: (12, 15),
        },
        hints=(
            "Count the new lines in the picture, then the new formulas.",
            "Four new lines, and a sum and an activation for the new unit.",
        ),
    ),
    "01.5": Numbers(
        asks="the first and the second output",
        names=("the first output", "the second output"),
        answer=with_tanh,
        mistakes={
            "The hidden units bend by tanh, but the outputs still by the sigmoid.": lambda: with_tanh(output=False),
            "The outputs bend by tanh, but the hidden units still by the sigmoid.": lambda: with_tanh(hidden=False),
            "These are the outputs of the sigmoids. Put tanh in their place, in all four units.": outputs,
        },
        hints=(
            "Four definitions change: a_h1, a_h2, a_o1, a_o2.",
            "Compute tanh(h_1) and tanh(h_2) first, then the two sums with them, then tanh of these.",
        ),
    ),
    "01.6": Choice(
        asks='`"yes"` or `"no"`',
        right="c35786bb",
        mistakes={
            "In the limit it comes as close as you like. Does it ever arrive?": "limit infinity infinite almost nearly",
            "That is the computer's rounding: it cannot store a number as close to 1. The question is about numbers.": (
                "800 rounded rounding computer large"
            ),
            "Then some x would have 1 / (1 + exp(-x)) = 0. What would the denominator have to be?": "yes true",
        },
        hints=("A loss of zero needs both outputs exactly on their targets, 0 and 1.", "Is exp(-x) ever zero?"),
    ),
    "01.7": Goal(
        asks="the four weights $w_5$ to $w_8$",
        falls_short=not_on_targets,
        hints=(
            "Solve a = 1 / (1 + exp(-x)) for x. That sum must arrive at the output.",
            "With two equal weights w the sum is w (a_h1 + a_h2). One output needs ln(0.01 / 0.99).",
        ),
    ),
}

# Chapter 2


@cache
def slopes(targets: tuple[float, float] = (0.5, 0.5)) -> tuple[float, ...]:
    """The eight derivatives of the book's network, by their exact formulas."""
    return tuple(ToyNetwork(targets=targets).gradient())


def change(turns: Sequence[float]) -> float:
    """By how much the loss really changes when each weight is turned."""
    return row(np.add(W, turns))["E_total"] - START.loss()


def level_w5() -> float:
    """The w5 at which the first output is on its target: the sum that arrives there is zero."""
    return -W[5] * row()["a_h2"] / row()["a_h1"]


CHAPTER_2 = {
    "02.1": Numbers(
        asks="the two ratios and the derivative",
        names=("the ratio for a nudge of 0.1", "the ratio for a nudge of 0.01", "the derivative"),
        digits=5,
        answer=lambda: (2 * 5 + 0.1, 2 * 5 + 0.01, 2.0 * 5),
        mistakes={
            "These are the changes of y. Divide each by its nudge.": lambda: (5.1**2 - 25, 5.01**2 - 25, 10.0),
            "The last one is y itself at x = 5, not the number that the ratios settle at.": lambda: (10.1, 10.01, 25.0),
            "The ratio goes on towards a number as the nudge shrinks; it does not stop at 0.01.": (
                lambda: (10.1, 10.01, 10.01)
            ),
        },
        hints=("((x + s)² - x²) / s is 2x + s.", "At x = 5 the ratios are 10 + s. What is left when s goes to zero?"),
    ),
    "02.2": Numbers(
        asks=r"$\partial E / \partial w_6$",
        digits=4,
        answer=lambda: slopes()[5],
        mistakes={
            "That is the derivative of w_5. In o_1, w_6 stands beside another activation.": lambda: slopes()[4],
            "Two of the three rates are there; the last one is the number that w_6 is multiplied by.": (
                lambda: slopes()[5] / row()["a_h2"]
            ),
            "That is the derivative of w_8, at the other output.": lambda: slopes()[7],
            "The first rate is the miss, 0.6065 - 0.5, not the output itself.": (
                lambda: slopes()[5] * row()["a_o1"] / (row()["a_o1"] - 0.5)
            ),
        },
        hints=(
            "From w_6 to o_1, from o_1 to its activation, from there to the loss: three rates.",
            "0.1065 × 0.2387 is the way from o_1 to the loss. By what does o_1 grow when w_6 grows by one?",
        ),
    ),
    "02.3": Names(
        asks="the names of the weights",
        letter="w",
        answer=lambda: {f"w{k}" for k in range(5, 9) if slopes((0.7, 0.5))[k - 1] * slopes()[k - 1] < 0},
        mistakes={
            "The second output has its own target, and that one did not move.": "w5 w6 w7 w8",
            "These two lead to the second output. Which one has the new target?": "w7 w8",
            "Both weights of an output share its miss, so their signs change together.": "w5",
            "These two come from the first hidden unit. What matters is to which output a weight leads.": "w5 w7",
            "The first output, 0.6065, is above 0.5 and below 0.7: something does change.": "none",
        },
        hints=("Which of the three rates of a weight can be negative?", "The miss: output minus target."),
    ),
    "02.4": Numbers(
        asks="the value of $w_5$",
        answer=level_w5,
        mistakes={
            "At w_5 = 0 the slope is still positive. Go on in the other direction.": lambda: 0.0,
            "There the slope is nearly zero, but not quite: try a step further.": lambda: -0.45,
            "That is where the book's network stands; the slope is positive there.": lambda: 0.4,
        },
        hints=(
            "Where the slope is positive, the lowest point lies at a smaller w_5.",
            "At the lowest point the first output is 0.5, so the sum that arrives there is zero.",
        ),
    ),
    "02.5": Expression(
        asks="a formula in `x` and `s`",
        answer=lambda: "3*x**2 + s**2",
        points=lambda: [{"x": 2.0, "s": 0.1}, {"x": -1.3, "s": 0.7}, {"x": 0.4, "s": 2.1}],
        mistakes={
            "That is the derivative, which remains when s goes to zero. What does the nudge add?": "3*x**2",
            "That is the one-sided ratio, ((x + s)³ - x³) / s. The central one also steps to the left.": (
                "3*x**2 + 3*x*s + s**2"
            ),
            "You divided by s. From x - s to x + s the step is 2s.": "6*x**2 + 2*s**2",
            "Not yet divided by the step, 2s.": "6*x**2*s + 2*s**3",
        },
        hints=(
            "Write out (x + s)³ and (x - s)³ and subtract: what cancels?",
            "The difference is 6x²s + 2s³. Divide by the step.",
        ),
    ),
    "02.6": Numbers(
        asks="the exponent $k$ of the best nudge, $10^{-k}$",
        answer=lambda: [5.0, 6.0, -5.0, -6.0],
        digits=0,
        mistakes={
            "At 1e-12 the rounding of the loss is divided by almost nothing. Look at the printed errors again.": (
                lambda: 12.0
            ),
            "A nudge of 0.1 is so large that the curve bends on the way. Smaller ones do better.": lambda: 1.0,
            "That is the best nudge of one-sided differences. Central ones have a smaller error to begin with.": (
                lambda: 8.0
            ),
            "Give the exponent by itself: 3 for a nudge of 1e-3.": lambda: 1e-5,
        },
        hints=(
            "Two errors compete: one shrinks with the square of the nudge, the other grows as it shrinks.",
            "Print the error for each nudge and take the smallest: it lies between 1e-4 and 1e-7.",
        ),
    ),
    "02.7": Numbers(
        asks="the forecast and the measured change of the loss",
        names=("the forecast", "the measured change"),
        answer=lambda: (-0.1 * sum(map(abs, slopes())), change([-0.1] * 8)),
        mistakes={
            "You turned the weights up. All derivatives are positive: which way does the loss fall?": (
                lambda: (0.1 * sum(slopes()), change([0.1] * 8))
            ),
            "These are turns in proportion to the derivatives. Each weight may go the whole way by itself.": (
                lambda: (
                    -0.1 * sum(s * s for s in slopes()) / max(slopes()),
                    change([-0.1 * s / max(slopes()) for s in slopes()]),
                )
            ),
            "The second number repeats the forecast. Compute the loss with the new weights, and subtract the old.": (
                lambda: (-0.1 * sum(slopes()),) * 2
            ),
            "That is the new loss itself, not by how much it changed.": (
                lambda: (-0.1 * sum(slopes()), START.loss() + change([-0.1] * 8))
            ),
        },
        hints=(
            "Each weight adds its derivative times its turn to the forecast. Which turn makes that smallest?",
            "Every derivative is positive, so every weight goes down by 0.1.",
        ),
    ),
}

# Chapter 3

DELTAS = {
    "d_o1": lambda n: (n["a_o1"] - n["t1"]) * n["a_o1"] * (1 - n["a_o1"]),
    "d_o2": lambda n: (n["a_o2"] - n["t2"]) * n["a_o2"] * (1 - n["a_o2"]),
    "d_h1": lambda n: (n["d_o1"] * n["w5"] + n["d_o2"] * n["w7"]) * n["a_h1"] * (1 - n["a_h1"]),
    "d_h2": lambda n: (n["d_o1"] * n["w6"] + n["d_o2"] * n["w8"]) * n["a_h2"] * (1 - n["a_h2"]),
}


def walked(network: ToyNetwork = START) -> dict[str, float]:
    """A network's numbers with the four deltas."""
    numbers = network.row()
    for name, rule in DELTAS.items():
        numbers[name] = rule(numbers)
    return numbers


@cache
def random_networks(count: int = 4) -> list[ToyNetwork]:
    """Networks at which no two different formulas agree by chance."""
    draw = np.random.default_rng(3)
    return [ToyNetwork((0.7, -1.2), (0.1, 0.8), tuple(draw.normal(size=8))) for _ in range(count)]


def negative(targets: tuple[float, float]) -> set[str]:
    """The weights whose derivatives are negative."""
    return {f"w{k}" for k, slope in enumerate(slopes(targets), start=1) if slope < 0}


def misjudges(answer: Any) -> str | None:
    """Where a judge of gradients is mistaken itself."""
    if not callable(answer):
        raise ValueError("give the function itself, without calling it")

    def says_right(name: str, gradient_of: Callable) -> bool:
        try:
            verdict = answer(gradient_of)
        except Exception as problem:
            raise ValueError(f"your function fails with {name}: {type(problem).__name__}: {problem}") from None
        return verdict is not False and str(verdict).lower() not in ("wrong", "false", "no", "0")

    def true(weights: Sequence[float]) -> np.ndarray:
        return ToyNetwork(weights=tuple(weights)).gradient()

    def at_the_start_only(weights: Sequence[float]) -> np.ndarray:
        return true(weights) * (1 if np.allclose(weights, W) else 1.5)

    if not says_right("a right gradient", true):
        return "It calls a right gradient wrong. Nudging is good to about ten decimals; how much do you allow?"
    if says_right("a gradient with all signs turned", lambda weights: -true(weights)):
        return "It calls a gradient right that has all its signs turned. Does it compare at all?"
    if says_right("a gradient that is right in one place", at_the_start_only):
        return "It looks at the book's network alone; a formula can be right there and wrong everywhere else."
    for place in range(8):
        factors = np.ones(8)
        factors[place] = 1.001
        if says_right("a gradient off by one part in a thousand", lambda weights, f=factors: true(weights) * f):
            return f"It lets a derivative of w_{place + 1} pass that is off by one part in a thousand. Allow less."
    return None


CHAPTER_3 = {
    "03.1": Numbers(
        asks=r"$\delta_{o2}$ and $\partial E / \partial w_7$",
        names=(r"$\delta_{o2}$", r"$\partial E / \partial w_7$"),
        digits=4,
        answer=lambda: (walked()["d_o2"], walked()["dE_dw7"]),
        mistakes={
            "The slope of the sigmoid is missing: a (1 - a) of the second output.": (
                lambda: (row()["a_o2"] - 0.5, (row()["a_o2"] - 0.5) * row()["a_h1"])
            ),
            "Of the slope a (1 - a), the second factor is missing.": (
                lambda: tuple((row()["a_o2"] - 0.5) * row()["a_o2"] * f for f in (1, row()["a_h1"]))
            ),
            "The delta is right. w_7 comes from the first hidden unit, and you took the second.": (
                lambda: (walked()["d_o2"], walked()["dE_dw8"])
            ),
            "These belong to the first output, and to w_5.": lambda: (walked()["d_o1"], walked()["dE_dw5"]),
        },
        hints=(
            "A delta of an output is its miss times the slope of its sigmoid.",
            "0.1305 × 0.6305 × (1 - 0.6305); then times a_h1.",
        ),
    ),
    "03.2": Names(
        asks="the names of all weights with a negative derivative",
        letter="w",
        answer=lambda: negative((0.01, 0.99)),
        mistakes={
            "The first output is too high, so its miss, output minus target, is positive.": "w5 w6",
            "The hidden deltas add a positive and a negative number. The positive one wins: the first output misses "
            "by so much more that its smaller weights do not matter.": "w1 w2 w3 w4 w7 w8",
            "These come from the second hidden unit. What matters is to which output a weight leads.": "w6 w8",
            "The first output should fall, but the second should rise. Whose derivatives are negative?": "none",
            "Only the output that is too low has a negative delta.": "w5 w6 w7 w8",
        },
        hints=(
            "What are the signs of the two misses?",
            "δ_o2 is negative, and an activation is positive. For w_1 to w_4, compute which of two terms wins.",
        ),
    ),
    "03.3": Numbers(
        asks="the factor",
        answer=lambda: (
            (walked()["d_o1"] + walked()["d_o2"])
            * walked()["a_h1"]
            / (walked()["d_o1"] * W[4] + walked()["d_o2"] * W[6])
        ),
        mistakes={
            "That is the right number divided by the wrong one. Turn it round.": lambda: 1 / factor_03(),
            "That is by how much it is more; the factor is one plus that.": lambda: factor_03() - 1,
            "You compared a_h1 with w_5 alone. Both outputs have a part in it, with their deltas.": (
                lambda: row()["a_h1"] / W[4]
            ),
        },
        hints=(
            "Compare with the formula for δ_h1, letter by letter: what stands in the place of w_5 and w_7?",
            "Divide (δ_o1 + δ_o2) a_h1 by δ_o1 w_5 + δ_o2 w_7; all else is the same.",
        ),
    ),
    "03.4": Expression(
        asks="a formula, for example in `d_o1`, `d_o2`, `d_h1`, `d_h2`",
        answer=lambda: "d_h1 + d_h2",
        points=lambda: [walked(network) for network in random_networks()],
        mistakes={
            "Each delta is there, but a bias has no input to be multiplied by: its line carries a one.": (
                "(d_h1 + d_h2)*i1"
            ),
            "Where chains meet, their contributions add up; they are not averaged.": "(d_h1 + d_h2)/2",
            "Where chains meet, their contributions add up; they are not multiplied.": "d_h1*d_h2",
            "These are the deltas of the outputs: that is the derivative of a bias there.": "d_o1 + d_o2",
            "That is the way through one hidden unit. The bias pushes both.": "d_h1",
            "That is the way through the second hidden unit. The bias pushes the first one too.": "d_h2",
        },
        hints=(
            "A nudge of b pushes h_1 and h_2 by the same amount.",
            "How much the loss answers to a push of h_1 has a name. Add the other one.",
        ),
    ),
    "03.5": Names(
        asks='the names of the lines, such as `"d_o1"`',
        answer=lambda: {"d_h1", "d_h2"},
        mistakes={
            "The formulas of the derivatives stay as they are: a delta times what stands at the left end.": (
                "d_h1 d_h2 w1 w2 w3 w4"
            ),
            "The output units keep their sigmoid, and so the slope in their deltas.": "d_o1 d_o2 d_h1 d_h2",
            "These are the deltas of the outputs, which keep their sigmoid.": "d_o1 d_o2",
            "The derivatives of w_1 to w_4 change their numbers, but not their formulas.": "w1 w2 w3 w4",
        },
        hints=(
            "In which lines does a (1 - a) of a hidden unit stand?",
            "Each hidden unit has one line with the slope of its bend.",
        ),
    ),
    "03.6": Names(
        asks="the names of the weights whose derivatives are zero",
        letter="w",
        answer=lambda: {
            f"w{k}" for k, s in enumerate(ToyNetwork(weights=(*W[:4], 0, W[5], 0, W[7])).gradient(), 1) if s == 0
        },
        mistakes={
            "A weight of zero can have a slope: it is δ_o1 times a_h1, and neither is zero.": "w5 w7",
            "w_5 and w_7 are zero, but their derivatives carry a_h1, which is not.": "w1 w2 w5 w7",
            "w_3 leads to the second hidden unit, which is still connected.": "w1 w3",
            "These lead to the second hidden unit, which is still connected.": "w3 w4",
            "The second hidden unit is still connected, by w_6 and w_8.": "w1 w2 w3 w4",
        },
        hints=(
            "δ_h1 collects δ_o1 w_5 + δ_o2 w_7.",
            "Which weights have δ_h1 as a factor of their derivatives?",
        ),
    ),
    "03.7": Goal(
        asks="your function; it takes a function from weights to eight derivatives, and returns `True` or `False`",
        falls_short=misjudges,
        hints=("Compare with central differences at several random networks.",),
    ),
}


def factor_03() -> float:
    """The answer to 03.3."""
    return CHAPTER_3["03.3"].answer()


# Chapter 4


def losses(rate: float, updates: int = 500) -> np.ndarray:
    """The loss before each update of the book's network."""
    return START.descend(rate, updates)["E_total"].to_numpy()


def below(limit: float, rate: float, updates: int = 500) -> int:
    """The first update after which the loss is below a limit."""
    return int(np.argmax(losses(rate, updates) < limit))


@cache
def frozen(first: int, last: int, updates: int = 100) -> float:
    """The loss after updates of all weights but w_first … w_last."""
    weights = np.array(W)
    for _ in range(updates):
        slope = ToyNetwork(weights=tuple(weights)).gradient()
        slope[first - 1 : last] = 0
        weights = weights - slope
    return row(weights)["E_total"]


def copied_angle() -> float:
    """In degrees: between the gradient and the one whose w3 and w4 carry the delta and slope of the common copy."""
    numbers = walked()
    right = START.gradient()
    wrong = right.copy()
    copied = (numbers["d_o1"] * W[5] + numbers["d_o2"] * W[7]) * numbers["a_h1"] * (1 - numbers["a_h1"])
    wrong[2:4] = copied * I1, copied * I2
    return math.degrees(math.acos(min(1, right @ wrong / np.linalg.norm(right) / np.linalg.norm(wrong))))


def no_rise(answer: Any) -> str | None:
    """Where a network and a mistaken gradient do not make the loss rise."""
    try:
        network, wrong = answer
        wrong = np.array(read_numbers(wrong, 8))
    except (TypeError, ValueError):
        raise ValueError("give a pair: a ToyNetwork, and the eight derivatives that your mistake gives there") from None
    if not isinstance(network, ToyNetwork):
        raise ValueError("the first of the two should be a ToyNetwork, with your start as its weights and inputs")
    right = network.gradient()
    if not wrong.any():
        return "All eight are zero: then the weights stay where they are, and the loss with them."
    angle = math.degrees(math.acos(np.clip(right @ wrong / np.linalg.norm(right) / np.linalg.norm(wrong), -1, 1)))
    if np.allclose(wrong, -right, rtol=1e-6, atol=0):
        return "All signs are turned, so the loss rises at every start: nobody could miss that. Invent a finer one."
    if angle < 1e-3:
        return "Here your formulas agree with the right ones: at this start the mistake does not show."
    if angle <= 90:
        return f"The angle to the right gradient is {angle:.0f}°. The loss rises where it is above 90°: search on."
    return None


CHAPTER_4 = {
    "04.1": Numbers(
        asks="the second row's $w_7$ and $w_1$",
        names=("$w_7$", "$w_1$"),
        digits=4,
        answer=lambda: (W[6] - 2 * slopes()[6], W[0] - 2 * slopes()[0]),
        mistakes={
            "The derivatives are positive, so the weights have to fall.": (
                lambda: (W[6] + 2 * slopes()[6], W[0] + 2 * slopes()[0])
            ),
            "That is the row for learning rate 1.": lambda: (W[6] - slopes()[6], W[0] - slopes()[0]),
            "These are the steps. The new weight is the old one minus its step.": (lambda: (2 * 0.01541, 2 * 0.00032)),
        },
        hints=("Old weight minus learning rate times derivative.", "0.5 - 2 × 0.01541, and the same for 0.15."),
    ),
    "04.2": Numbers(
        asks="the number that the loss can never exceed",
        digits=4,
        answer=lambda: 2 * 0.5 * 0.5**2,
        mistakes={
            "One is the limit of an output. How far is an output then from its target of 0.5?": lambda: 1.0,
            "That is the limit for one output. There are two.": lambda: 0.125,
            "Each error is half a square: one half is missing.": lambda: 0.5,
            "That is where a run stands after two thousand updates. What is it coming closer to?": lambda: 0.2484,
        },
        hints=("How far from 0.5 can a sigmoid be at most?", "Two outputs, each with half the square of 0.5."),
    ),
    "04.3": Numbers(
        asks="the number of updates at learning rate 1 and at 2",
        names=("the number at learning rate 1", "the number at learning rate 2"),
        digits=0,
        answer=lambda: (below(1e-6, 1.0), below(1e-6, 2.0)),
        mistakes={
            "These two are exchanged: the larger rate needs fewer updates.": (
                lambda: (below(1e-6, 2.0), below(1e-6, 1.0))
            ),
            "One too few: these are the last updates after which the loss is still above the limit.": (
                lambda: (below(1e-6, 1.0) - 1, below(1e-6, 2.0) - 1)
            ),
            "One too many: row 0 of the sheet is the start, before any update.": (
                lambda: (below(1e-6, 1.0) + 1, below(1e-6, 2.0) + 1)
            ),
            "Half is a good guess, but not what comes out. Count.": (lambda: (below(1e-6, 1.0), below(1e-6, 1.0) // 2)),
        },
        hints=(
            'ToyNetwork().descend(rate, updates=500)["E_total"] has the loss after each update.',
            "(losses < 1e-6).idxmax() is the first row in which it is below.",
        ),
    ),
    "04.4": Numbers(
        asks="the loss with the first four frozen, divided by the loss with all eight, after 100 updates",
        answer=lambda: frozen(1, 4) / losses(1.0, 100)[100],
        mistakes={
            "That is the loss with the first four frozen. Divide it by the other one.": lambda: frozen(1, 4),
            "You froze the last four. They do nearly all of the work.": lambda: frozen(5, 8) / losses(1.0, 100)[100],
            "Nearly the same, but not exactly: compute the ratio.": lambda: 1.0,
        },
        hints=(
            "Put 0 in the place of the formulas of the first four derivatives.",
            "Both losses are near 0.00002; use all their digits.",
        ),
    ),
    "04.5": Open(asks="The audit itself answers here: it names the cells in which your mistake stands"),
    "04.6": Numbers(
        asks="the angle in degrees",
        digits=2,
        answer=copied_angle,
        mistakes={
            "That is the angle in radians; a half turn has 180 degrees.": lambda: math.radians(copied_angle()),
            "That is the cosine, which is nearly one. The angle is its arccosine.": lambda: 1.0,
            "They are close, but not the same: the two derivatives of w_3 and w_4 differ a little.": lambda: 0.0,
        },
        hints=(
            "follow(common, given) has all numbers with the copied formulas.",
            "Take the eight derivatives of both as arrays, and give them to angle.",
        ),
    ),
    "04.7": Goal(
        asks="a pair: the `ToyNetwork` at your start, and the eight derivatives that your mistake gives there",
        falls_short=no_rise,
        hints=("Try many random starts, and keep the one with the largest angle.",),
    ),
}

# Chapter 5


@cache
def curvature(rate: float = 1.0, updates: int = 500, inputs: tuple[float, float] = START.inputs) -> float:
    """The bowl's λ where a descent has arrived, by the pencil's formula."""
    there = ToyNetwork(inputs=inputs).descend(rate, updates).iloc[-1]
    return float(there["a_h1"] ** 2 + there["a_h2"] ** 2) / 16


def estimated(power: int) -> int:
    """The updates that a bowl needs at rate 0.1 if each multiplies the loss by this power of its factor."""
    return round(math.log(1e-6 / START.loss()) / (power * math.log(1 - 0.1 * curvature(0.1, 2000))))


def removed(update: int) -> float:
    """The share of d⁴ that an update of gradient descent with rate 0.1 from d = 1 removes."""
    d = 1.0
    for _ in range(update):
        d -= 0.1 * 4 * d**3
    return 1 - (1 - 0.4 * d**2) ** 4


def slow(answer: Any) -> str | None:
    """Where a learning rate needs more than five updates."""
    (rate,) = read_numbers(answer, 1)
    if rate <= 0:
        return "A rate of zero or below does not go downhill at all."
    small = losses(rate, 400) < 1e-12
    if not small.any():
        limit = learning_rates.largest_stable_rate(learning_rates.nearest_minimum(START))
        return f"Not within 400 updates. Above {limit:.0f} or so, each update jumps further than it came from."
    needed = int(np.argmax(small))
    if needed <= 5:
        return None
    direction = "larger" if rate < 1 / curvature() else "smaller"
    return f"That takes {needed} updates. It can be done in five or fewer, with a {direction} rate."


CHAPTER_5 = {
    "05.1": Numbers(
        asks=r"where you are with $\eta = 0.25$ and with $\eta = 0.75$",
        names=(r"with $\eta = 0.25$", r"with $\eta = 0.75$"),
        answer=lambda: (0.5**3, (-0.5) ** 3),
        mistakes={
            "The distances are right. With the larger rate you change sides at every update.": lambda: (0.125, 0.125),
            "That is after two updates. One more.": lambda: (0.25, 0.25),
            "That is after four updates. One fewer.": lambda: (0.0625, 0.0625),
            "The factor is 1 - ηλ, and λ is 2 here, not 1.": lambda: (0.75**3, 0.25**3),
        },
        hints=("Each update multiplies d by 1 - ηλ.", "The factors are 1/2 and -1/2, and you use them three times."),
    ),
    "05.2": Numbers(
        asks="the learning rate",
        digits=2,
        answer=lambda: 1 / curvature(),
        mistakes={
            "That is the largest stable rate, 2/λ, where nothing shrinks at all any more.": lambda: 2 / curvature(),
            "That is λ. The factor is 1 - ηλ: for which η is it zero?": curvature,
            "That is half as far as the best. There the factor 1 - ηλ is one half.": lambda: 0.5 / curvature(),
        },
        hints=("Near the minimum the miss is multiplied by 1 - ηλ.", "It vanishes where ηλ = 1."),
    ),
    "05.3": Numbers(
        asks="the number that you counted",
        digits=0,
        answer=lambda: below(1e-6, 0.1, 3000),
        mistakes={
            "That is the estimate. The run starts on flatter ground and takes a little longer: count.": (
                lambda: estimated(2)
            ),
            "The loss is a square: each update multiplies it by the factor twice.": (lambda: estimated(1)),
            "That is the count at learning rate 1. A tenth of the rate needs about ten times as many.": (
                lambda: below(1e-6, 1.0)
            ),
            "One too few: after this update it is still above.": lambda: below(1e-6, 0.1, 3000) - 1,
        },
        hints=(
            "Run some 2,000 updates, and ask for the first row with a loss below 1e-6.",
            "It is a little more than the estimate from λ, ln(1e-6 / E_0) / (2 ln(1 - ηλ)).",
        ),
    ),
    "05.4": Numbers(
        asks=r"$2/\lambda$ with the old inputs and with the new ones",
        names=("with the old inputs", "with the new inputs"),
        answer=lambda: (2 / curvature(), 2 / curvature(inputs=(0.5, 1.0))),
        mistakes={
            "These two are exchanged: larger inputs make larger activations, and a smaller rate.": (
                lambda: (2 / curvature(inputs=(0.5, 1.0)), 2 / curvature())
            ),
            "These are the λ themselves. The rate is 2/λ.": lambda: (curvature(), curvature(inputs=(0.5, 1.0))),
            "The inputs do not stand in λ themselves: the activations do, and the sigmoid squeezes.": (
                lambda: (2 / curvature(), 0.2 / curvature())
            ),
        },
        hints=(
            "λ = (a_h1² + a_h2²) / 16, with the activations at the end of the descent.",
            "Run the descent with inputs 0.5 and 1.0 for 500 updates, and read a_h1 and a_h2 of the last row.",
        ),
    ),
    "05.5": Numbers(
        asks="the share of the loss that update 0 removes and the share that update 100 removes",
        names=("the share at update 0", "the share at update 100"),
        answer=lambda: (removed(0), removed(100)),
        mistakes={
            "These are shares of the distance d. The loss is d⁴.": (
                lambda: tuple(1 - (1 - removed(k)) ** 0.25 for k in (0, 100))
            ),
            "In a bowl the share would stay the same. This curve gets flatter as you come closer: measure it.": (
                lambda: (removed(0), removed(0))
            ),
            "These are the shares that are left.": lambda: (1 - removed(0), 1 - removed(100)),
        },
        hints=("The share is 1 - (new d / old d)⁴.", "The new d is d - 0.1 × 4d³; start from 1, and go 100 updates."),
    ),
    "05.6": Expression(
        asks="the largest stable rate, as a formula in `n`",
        answer=lambda: "128/n",
        points=lambda: [{"n": n} for n in (2.0, 10.0, 77.0)],
        mistakes={
            "That is λ. The largest stable rate is 2/λ.": "n/64",
            "That is 1/λ, the best rate. The largest stable one is twice that.": "64/n",
            "An activation of one half enters λ as its square, a quarter.": "64/n/2",
            "With more units λ grows. Does 2/λ grow as well?": "128*n",
        },
        hints=("λ is the sum of n squares of one half, divided by 16.", "λ = n/64. And the rate is 2/λ."),
    ),
    "05.7": Goal(
        asks="your learning rate",
        falls_short=slow,
        hints=("In a bowl, which rate arrives in one update?",),
    ),
}

EXERCISES: dict[str, Exercise] = CHAPTER_1 | CHAPTER_2 | CHAPTER_3 | CHAPTER_4 | CHAPTER_5
