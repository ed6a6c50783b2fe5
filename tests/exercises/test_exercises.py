"""Exercises answer back: wrong answers get a hint that helps, and right ones count in whatever form they come."""

import importlib
import subprocess
import sys
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
import sympy as sp
from wrong_answers import WRONG

from cellgrad import check, exercises
from cellgrad.exercises import kinds
from cellgrad.layers import avg_pool, build, conv, flatten, max_pool
from cellgrad.toynet import ToyNetwork

ALL = {number: asked for part in exercises._PARTS for number, asked in exercises.exercises(part).items()}
CHECKED = {number: asked for number, asked in ALL.items() if not isinstance(asked, kinds.Open)}


@pytest.fixture(autouse=True)
def nothing_said():
    exercises._said.clear()


def said(capsys, number, *answer):
    check(number, *answer)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("number", CHECKED)
def test_three_wrong_answers_get_three_hints_that_help(number):
    replies = [exercises.judge(number, answer) for answer in WRONG[number]]
    assert len(replies) >= 3 and not any(reply.right or reply.final for reply in replies), replies
    texts = [reply.text for reply in replies]
    assert len(set(texts)) == len(texts), "what differs is told apart"
    for text in texts:
        assert len(text.split()) >= 5 and text.endswith((".", "?", "…")), text
    assert sum(text in ALL[number].hints for text in texts) == 0, "all three are recognised"


@pytest.mark.parametrize("number", CHECKED)
def test_the_same_wrong_answer_again_gets_another_hint_and_at_last_the_way_to_the_solution(number, capsys):
    replies = [said(capsys, number, WRONG[number][0]) for _ in range(6)]
    told = replies[: replies.index(exercises.AT_THE_END)]
    assert len(told) == len(set(told)) >= 2
    assert replies[-1] == exercises.AT_THE_END


@pytest.mark.parametrize(
    "answer",
    [
        *(0.0425, "0.0425", "0,0425", "4.25 %", "4.25e-2", "4.25 × 10^-2", "17/400", Fraction(17, 400), [0.0425]),
        *(np.float32(0.0425), np.array([[0.0425]]), pd.Series([0.0425]), sp.Rational(17, 400), {"h2": 0.0425}),
        "0.0425 units",
    ],
    ids=repr,
)
def test_a_number_counts_in_any_form(answer):
    assert exercises.judge("01.1", answer).right


@pytest.mark.parametrize("answer", ["4864, 4915200", "4,864 and 4,915,200", "4864; 4915200", (4864, "4,915,200")])
def test_two_numbers_count_in_any_form(answer, capsys):
    assert exercises.judge("06.5", answer).right
    assert said(capsys, "6.5", 4864, 4_915_200) == "Right."


@pytest.mark.parametrize(
    "answer", ["87 % 1.89 %", "87%, 1.89%", "0,870; 0,0189", "(0.8704, 0.01889)", "87.04 % and 1.9e-2"]
)
def test_shares_count_in_any_form(answer):
    assert exercises.judge("05.5", answer).right


@pytest.mark.parametrize("answer", ["No.", "no", False, np.False_, "No, it does not."])
def test_a_word_counts_with_its_full_stop(answer):
    assert exercises.judge("01.6", answer).right


@pytest.mark.parametrize(("number", "answer"), [("07.2", 4.4), ("06.5", (4864.4, 4_915_200.3))])
def test_a_count_is_whole(number, answer):
    assert not exercises.judge(number, answer).right
    assert exercises.judge(number, np.round(answer)).right


@pytest.mark.parametrize("answer", [0.0425 + 5j, np.complex128(0.0425 + 5j), [np.complex64(0.0425 + 5j)]])
def test_what_is_not_real_is_no_answer(answer):
    assert "real number" in exercises.judge("01.1", answer).text
    assert exercises.judge("01.1", np.complex128(0.0425)).right


def test_tensors_without_numbers_are_named():
    torch = pytest.importorskip("torch")
    assert exercises.judge("01.4", torch.tensor([12, 13], dtype=torch.bfloat16)).right
    for tensor in (torch.ones(2, device="meta"), torch.ones(2).to_sparse()):
        assert "none to show" in exercises.judge("01.4", tensor).text


def test_a_tensor_is_numbers():
    torch = pytest.importorskip("torch")
    assert exercises.judge("01.4", torch.tensor([12, 13])).right
    assert exercises.judge("01.1", torch.tensor(0.0425, requires_grad=True)).right


@pytest.mark.parametrize(
    "answer",
    [
        *("w7, w8", ["w8", "w7"], {8, 7}, sp.symbols("w7 w8"), "∂E/∂w7 and ∂E/∂w8", "7 8"),
        *("w_7 and w_8", "w₇, w₈", [7.0, 8.0], np.array([7, 8])),
    ],
)
def test_names_count_in_any_order(answer):
    assert exercises.judge("03.2", answer).right


x, s, n = sp.symbols("x s n", real=True)


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("02.5", 3 * x**2 + s**2),
        ("02.5", "((x + s)**3 - (x - s)**3) / (2*s)"),
        ("02.5", "s^2 + 3x^2"),
        ("02.5", "s^2x^2/x^2 + 3x^2"),
        ("03.4", "(d_o1*w5 + d_o2*w7)*a_h1*(1 - a_h1) + d_h2"),
        ("03.4", sum(sp.symbols("delta_h1 delta_h2"))),
        ("03.4", "δ_h1 + δ_h2"),
        ("05.6", 2 / (n / 64)),
        ("05.6", "2·64/n"),
    ],
)
def test_a_formula_counts_in_any_form(number, answer):
    assert exercises.judge(number, answer).right


NOT_FORMULAS = [
    *(3, "w5 +", "__import__('os').getcwd()", "x**2 + y", [1, 2], None),
    *("9^9^9^9", "x^9999999", "(x^2)**(3)^4", "exp(exp(exp(x*9)))"),
    *(sp.Matrix([x]), sp.Function("f")(x), sp.Integral(x, x), sp.Lambda(x, x), 3 * x**2 + s**2 + 5 * sp.I),
]


@pytest.mark.parametrize("answer", NOT_FORMULAS, ids=str)
def test_what_is_no_such_formula_is_not_called_right(answer):
    reply = exercises.judge("02.5", answer)
    assert not reply.right and reply.text


DESIGNS = {
    "06.8": [
        [conv(16, 4, stride=4)],
        [max_pool(4), conv(16, 1)],
        [[conv(8, 2, stride=2), conv(16, 2, stride=2)], [avg_pool(4), conv(16, 3, padding=1)]],
    ],
    "08.7": [
        [max_pool(4), conv(16, 3), conv(16, 3), conv(10, 3), flatten],
        [conv(8, 4, stride=4), conv(10, 7), flatten],
    ],
    "12.6": [[avg_pool(28), conv(10, 1), flatten], [max_pool(4), conv(10, 7), flatten]],
}


@pytest.mark.parametrize(("number", "design"), [(n, design) for n, designs in DESIGNS.items() for design in designs])
def test_a_goal_is_reached_by_any_design(number, design):
    assert exercises.judge(number, design).right


def test_a_module_is_a_design():
    pytest.importorskip("torch")
    assert exercises.judge("12.6", build([max_pool(4), conv(10, 7), flatten])).right
    assert "1,499" in exercises.judge("12.6", build([conv(10, 28), flatten])).text


@pytest.mark.parametrize("weights", [(0, 0, 0, 0), {"w5": 0, "w6": 0, "w7": 0, "w8": 0}, ToyNetwork(weights=[0] * 8)])
def test_weights_come_in_any_form(weights):
    assert exercises.judge("01.2", weights).right


def test_other_weights_reach_the_same_loss():
    a_h1, a_h2 = (ToyNetwork().row()[name] for name in ("a_h1", "a_h2"))
    assert exercises.judge("01.2", (1, -a_h1 / a_h2, -3 * a_h2, 3 * a_h1)).right


@pytest.mark.parametrize("number", CHECKED)
@pytest.mark.parametrize("answer", ["", "nonsense!", None, object(), [], {}, float("nan"), 10**400, [[1], [2, 3]]])
def test_no_answer_makes_it_fail_or_passes_by_chance(number, answer):
    reply = exercises.judge(number, answer)
    assert not reply.right and reply.text and "\n" not in reply.text


def test_a_mistake_where_all_derivatives_are_tiny_is_judged_by_its_direction():
    """Where units are saturated, all derivatives are within any fixed distance of each other."""
    there = ToyNetwork(weights=(3, -2, 1, -4, -30, -30, -35, -32))
    right = there.gradient()
    assert 0 < np.abs(right).max() < 1e-11
    assert "signs" in exercises.judge("04.7", (there, -right)).text
    across = -right + np.abs(right).max() * np.eye(8)[7]
    assert exercises.judge("04.7", (there, across)).right


def test_who_asks_without_an_answer_is_told_what_to_give(capsys):
    assert "h_2" in said(capsys, "01.1") and "h_2" in said(capsys, "1.1", ...)
    assert said(capsys, "13.6") == said(capsys, "13.6", 0.999) != ""


@pytest.mark.parametrize("number", ["14.1", "01.9", "one", 7, None, ""])
def test_an_exercise_that_there_is_not_is_named(number):
    with pytest.raises(ValueError, match=r"number: .*03\.2"):
        check(number, 1)


def test_part_one_needs_no_torch_and_the_package_stays_cheap():
    """In a process of its own, where nothing has imported them yet."""
    code = (
        "import sys, cellgrad; assert 'sympy' not in sys.modules; from cellgrad import check;"
        "[check(n, 1) for n in ('01.1', '02.5', '03.7', '04.7', '05.7')]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_no_recognised_mistake_is_the_right_answer():
    for number, asked in CHECKED.items():
        if isinstance(asked, kinds.Numbers):
            for says, value in asked.mistakes.items():
                assert not exercises.judge(number, value()).right, (number, says)


# Counts are asked for exactly: a rounded one may well be a mistaken one.
MEASURED = {n: asked for n, asked in CHECKED.items() if isinstance(asked, kinds.Numbers) and asked.digits}


def fewer_digits(value):
    """The number in full, and as decimal arithmetic rounds it, and cuts it off, at two digits and more."""
    exact = Decimal(repr(float(value)))
    places = [exact.adjusted() + 1 - digits for digits in range(2, 9)]
    short = {exact.quantize(Decimal((0, (1,), p)), how) for p in places for how in (ROUND_HALF_UP, ROUND_DOWN)}
    return {float(value), *map(float, short)} if value else {0.0}


@pytest.mark.parametrize("number", MEASURED)
def test_a_right_answer_with_fewer_digits_is_not_told_a_mistake_that_was_not_made(number):
    asked, found = MEASURED[number], MEASURED[number].answer()
    for right in found if isinstance(found, list) else [found]:
        for answer in product(*map(fewer_digits, kinds.as_tuple(right))):
            reply = exercises.judge(number, answer)
            assert reply.text not in asked.mistakes, answer
            if asked.digits > 2 and not asked.unit:  # others are coarse enough as they are
                assert reply.right or f"Give it to {asked.digits} digits" in reply.text, answer


def test_a_mistake_that_only_more_digits_tell_from_the_right_answer_is_then_named():
    assert "Nearly" in exercises.judge("01.3", (0.6064, 0.6304)).text  # the right answer cut off, the mistake rounded
    assert "one side" in exercises.judge("01.3", (0.60643, 0.63044)).text


def test_the_seal_is_the_published_hash():
    """FNV-1a of "a" and of "foobar", 32 bits, as its authors' test vectors give them."""
    prefix = "cells to convnets/"
    assert kinds.seal() == fnv(prefix[:-1]) and kinds.seal("a", 1) == fnv(prefix + "a/1")
    assert fnv("a") == "e40c292c" and fnv("foobar") == "bf9cf968"


def fnv(text):
    number = 0x811C9DC5
    for byte in text.encode():
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{number:08x}"


def test_the_name_is_the_packages():
    assert importlib.import_module("cellgrad").check is exercises.check
