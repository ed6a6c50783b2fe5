import subprocess
import sys
import warnings

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_numbers import FORWARD, GRADIENT, SPREAD_GRADIENT

from cellgrad import toynet
from cellgrad.toynet import COLUMNS, DERIVATIVES, PARAMETERS, WEIGHTS, ToyNetwork, learning_rates

numbers = st.floats(-3, 3, allow_subnormal=False)
networks = st.builds(
    ToyNetwork,
    inputs=st.tuples(numbers, numbers),
    targets=st.tuples(numbers, numbers),
    weights=st.tuples(*[numbers] * 8),
    biases=st.tuples(numbers, numbers),
)


def test_every_number_of_the_forward_pass():
    row = ToyNetwork().row()
    assert {name: row[name] for name in FORWARD} == pytest.approx(FORWARD, abs=1e-15)
    assert {type(number) for number in row.values()} == {float}  # which print as numbers, not as np.float64(…)


@pytest.mark.parametrize(("targets", "gradient"), [((0.5, 0.5), GRADIENT), ((0.01, 0.99), SPREAD_GRADIENT)])
def test_gradient_equals_the_published_one(targets, gradient):
    ours = ToyNetwork(targets=targets).gradient()
    assert ours.shape == (8,) and ours.dtype == np.float64
    assert np.abs(ours - gradient).max() < 1e-15


def test_factored_derivatives_are_the_direct_ones():
    loss = toynet.in_parameters(toynet.E_total)
    for weight, name in DERIVATIVES.items():
        ours = toynet.in_parameters(toynet.derivatives()[name])
        assert sp.cancel(sp.together(ours - sp.diff(loss, weight))) == 0, (
            weight
        )  # both are rational in the exponentials


def test_derivatives_are_factored_through_the_output_deltas():
    steps = toynet.chain_rule()
    delta_o1, delta_o2 = toynet.DELTAS[toynet.o1], toynet.DELTAS[toynet.o2]
    a, w5, w7 = toynet.a_h1, toynet.w5, toynet.w7
    assert sp.expand(steps[toynet.DELTAS[toynet.h1]] - (delta_o1 * w5 + delta_o2 * w7) * a * (1 - a)) == 0
    assert list(steps)[-8:] == list(DERIVATIVES.values())


def autograd(network: ToyNetwork) -> np.ndarray:
    inputs, targets, weights, (b1, b2) = (
        torch.tensor(getattr(network, name), dtype=torch.float64) for name in ("inputs", "targets", "weights", "biases")
    )
    weights.requires_grad_()
    hidden = torch.sigmoid(weights[:4].reshape(2, 2) @ inputs + b1)
    outputs = torch.sigmoid(weights[4:].reshape(2, 2) @ hidden + b2)
    ((targets - outputs) ** 2 / 2).sum().backward()
    return weights.grad.numpy()


def complex_step(network: ToyNetwork, step: float = 1e-100) -> np.ndarray:
    """The derivative as Im f(w + ih) / h: no difference is taken, so no digit is lost."""
    loss = toynet.compiled(("E_total",))
    slopes = []
    for weight in WEIGHTS:
        point = np.array(network.parameters, dtype=complex)
        point[PARAMETERS.index(weight)] += 1j * step
        slopes.append(loss(*point)[0].imag / step)
    return np.array(slopes)


@settings(max_examples=200)
@given(networks)
def test_sympy_autograd_and_complex_step_agree(network):
    ours = network.gradient()
    assert np.abs(ours - autograd(network)).max() < 1e-14
    assert np.abs(ours - complex_step(network)).max() < 1e-14


def test_evaluate_over_a_grid_equals_one_network_at_a_time():
    w5, w6 = np.meshgrid([-1.0, 0.4], [0.45, 2.0, 3.0])
    loss, slope = toynet.evaluate(["E_total", "dE_dw5"], w5=w5, w6=w6)
    assert loss.shape == slope.shape == (3, 2)
    one = ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, w5[2, 0], w6[2, 0], 0.5, 0.55))
    assert (loss[2, 0], slope[2, 0]) == pytest.approx((one.loss(), one.gradient()[4]), abs=1e-15)
    with pytest.raises(ValueError, match="w9"):
        toynet.evaluate(["E_total"], w9=1.0)


def test_far_out_a_sigmoid_is_flat_and_nothing_overflows():
    network = ToyNetwork(weights=(0.15, 0.2, 0.25, 0.3, -5000.0, -5000.0, 5000.0, 5000.0))
    assert (network.row()["a_o1"], network.row()["a_o2"]) == (0.0, 1.0)
    assert np.array_equal(network.gradient(), np.zeros(8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert toynet.evaluate(["a_o1"], w5=-5000.0, w6=-5000.0)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"inputs": (0.05,)}, "inputs"),
        ({"weights": (0.1,) * 9}, "weights"),
        ({"targets": (0.5, float("nan"))}, "targets"),
        ({"biases": (float("inf"), 0)}, "biases"),
        ({"weights": ("a",) * 8}, "weights"),
        ({"inputs": 3}, "inputs"),
        ({"inputs": ((1, 2), (3, 4))}, "inputs"),
        ({"inputs": "12"}, "inputs"),
        ({"inputs": b"12"}, "inputs"),
        ({"inputs": ("1", "2")}, "inputs"),
        ({"inputs": np.array(["1", "2"])}, "inputs"),
        ({"weights": "12345678"}, "weights"),
        ({"inputs": {0.1, 0.05}}, "inputs"),
        ({"inputs": (1, 2j)}, "inputs"),
        ({"inputs": None}, "inputs"),
        ({"targets": (1e200, 0)}, "targets"),
        ({"targets": (0, -(10**400))}, "targets"),
        ({"weights": (1e101,) * 8}, "weights"),
    ],
)
def test_bad_numbers_are_named(arguments, named):
    with pytest.raises(ValueError) as error:
        ToyNetwork(**arguments)
    assert str(error.value).startswith(named) and "\n" not in str(error.value)


def test_the_number_that_is_too_large_is_counted_from_one():
    with pytest.raises(ValueError, match=r"^targets: number 2 "):
        ToyNetwork(targets=(0.5, 1e200))


@pytest.mark.parametrize("numbers", [[0.3, 0.4], np.array([0.3, 0.4]), (x for x in (0.3, 0.4))])
def test_numbers_come_in_any_ordered_form(numbers):
    assert ToyNetwork(inputs=numbers).inputs == (0.3, 0.4)


@settings(max_examples=200)
@given(
    st.lists(
        st.floats(-1e100, 1e100) | st.sampled_from([-1e100, 1e100, 1e-300, 700.0, -710.0]), min_size=14, max_size=14
    )
)
def test_the_largest_numbers_allowed_overflow_nowhere(numbers):
    network = ToyNetwork(numbers[:2], numbers[2:4], numbers[4:12], numbers[12:])
    assert np.isfinite(list(network.row().values())).all()


def test_evaluate_refuses_what_it_does_not_know():
    for columns in ("E_total", ["E_total", "E3"], ["delta_o1"], ["__import__('os')"]):
        with pytest.raises(ValueError, match=r"^columns: "):
            toynet.evaluate(columns)
    with pytest.raises(ValueError, match=r"^module: "):
        toynet.compiled(("E1",), "torch")
    with pytest.raises(ValueError, match=r"E3.*E_total"):
        toynet.compiled(("E3",))
    for value in ("0.4", ["0.1", "0.2"], None, [[1, 2], [3]]):
        with pytest.raises(ValueError, match=r"^w5: "):
            toynet.evaluate(["E_total"], w5=value)
    assert toynet.evaluate([toynet.E_total, "w1"])[0] == pytest.approx(FORWARD["E_total"], abs=1e-15)


def test_nothing_done_to_a_derivation_reaches_the_next_reader_of_it():
    for derive in (toynet.chain_rule, toynet.derivatives, learning_rates.tangents):
        first = derive()
        kept = dict(first)
        first.clear()
        assert derive() == kept
    for definitions in (toynet.FORWARD, toynet.DELTAS, toynet.DERIVATIVES):
        with pytest.raises(TypeError):
            definitions[toynet.h1] = toynet.h2
    assert np.abs(ToyNetwork().gradient() - GRADIENT).max() < 1e-15


def test_a_sigmoids_slope_is_said_in_its_own_value_and_equals_the_calculus():
    for child, definition in toynet.FORWARD.items():
        for parent in definition.free_symbols:
            ours = toynet.local_derivative(child, parent)
            assert sp.simplify(ours.subs(child, definition) - sp.diff(definition, parent)) == 0
            assert not ours.has(sp.exp)


def test_columns_are_the_sheets_31():
    assert len(COLUMNS) == 31
    assert (COLUMNS[0], COLUMNS[8], COLUMNS[22], COLUMNS[30]) == ("t1", "h1", "E_total", "dE_dw8")


def test_latex_prints_derivatives_as_fractions():
    text = toynet.latex_equations(toynet.chain_rule())
    assert r"\frac{\partial E}{\partial w_{1}} &= \delta_{h1} i_{1}" in text
    assert text.count("&=") == 12
    assert text.startswith("\\begin{aligned}\n") and text.endswith("\n\\end{aligned}")


def test_latex_breaks_a_product_before_each_term_of_its_long_sum():
    a, b, c, d = sp.symbols("a b c d")
    text = toynet.latex_equations({a: d * (a * b * c + a * b * d), b: d * (a * b + c), c: d * (a * b + b * c)})
    assert text.splitlines()[1:-1] == [
        r"a &= d \\[2pt]",
        r"&\quad \cdot \big(a b c \\[2pt]",
        r"&\quad \quad {} + a b d \big) \\[2pt]",
        r"b &= d \left(c + a b\right) \\[2pt]",
        r"c &= d \left(a b + b c\right)",
    ]
    three = toynet.latex_equations({a: d * (a * b * c + a * b * d + b * c * d)})
    assert [line.count("+") for line in three.splitlines()[1:-1]] == [0, 0, 1, 1] and three.count(r"b c d \big)") == 1


def test_part_one_needs_no_torch():
    code = "import sys, cellgrad.toynet; cellgrad.toynet.ToyNetwork().descend(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_column_that_does_not_depend_on_a_weight_still_has_its_shape():
    assert [column.shape for column in toynet.evaluate(["t1", "E1", "E_total"], w7=np.zeros(3))] == [(3,)] * 3
