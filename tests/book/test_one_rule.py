"""Chapter 09's differentiator, alone, against autograd, central differences, and the formulas of Part I."""

import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cellgrad import mnist  # noqa: E402
from cellgrad.layers import SOURCE, build  # noqa: E402
from cellgrad.toynet import ToyNetwork  # noqa: E402

CHAPTER = Path(__file__).parents[2] / "book" / "09-one-rule-for-all-weights.ipynb"


@pytest.fixture(scope="module")
def typed():
    """The names that the chapter's core cells define, run where importing the package is an error."""
    cells = nbformat.read(CHAPTER, as_version=4).cells
    core = [c.source for c in cells if "core" in c.metadata.get("tags", [])]
    assert "class Value" in core[1]
    namespace = {"digit": mnist.sample().train.images[3].numpy() / 255}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cellgrad"]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "cellgrad", None)
        for source in core:
            exec(compile(source, CHAPTER.name, "exec"), namespace)
    return namespace


def slopes(typed, loss_of, *arrays):
    """The loss, and ours of every array."""
    values = [typed["Value"](array) for array in arrays]
    loss = loss_of(*values)
    typed["walk_back"](loss)
    return float(loss.numbers), [value.slope for value in values]


def autograd(loss_of, *arrays):
    """The loss, and PyTorch's derivative by every array."""
    tensors = [torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=True) for array in arrays]
    loss = loss_of(*tensors)
    loss.backward()
    return loss.item(), [tensor.grad.numpy() for tensor in tensors]


def test_the_chapters_own_toy_network_has_the_slopes_of_part_one(typed):
    assert typed["toy_slopes"] == pytest.approx(ToyNetwork().gradient(), abs=1e-15)


@given(st.lists(st.floats(-4, 4), min_size=8, max_size=8), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_any_toy_network_has_the_formulas_slopes(typed, weights, data):
    network = ToyNetwork(inputs=data[:2], targets=data[2:], weights=weights)
    values = [typed["Value"](w) for w in weights]
    typed["walk_back"](typed["toy_loss"](values, data[:2], data[2:]))
    assert np.array([float(v.slope) for v in values]) == pytest.approx(network.gradient(), abs=1e-12)


def test_one_number_at_many_places_collects_their_sum(typed):
    scale, column, image = np.array(1.5), np.array([[2.0], [-1.0]]), np.arange(6.0).reshape(2, 3)

    def ours(scale, column, image):
        return typed["total"](typed["exp"](scale * image / 5 - column) ** 2 + 1 - scale)

    def theirs(scale, column, image):
        return (torch.exp(scale * image / 5 - column) ** 2 + 1 - scale).sum()

    for a, b in zip(
        slopes(typed, ours, scale, column, image)[1], autograd(theirs, scale, column, image)[1], strict=True
    ):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_value_used_twice_waits_until_both_uses_have_passed_back(typed):
    x = typed["Value"](3.0)
    a = 2 * x
    typed["walk_back"](a + a * x)
    assert x.slope == 14.0


@given(st.data())
def test_convolutions_of_any_shape(typed, data):
    images, channels, results = (data.draw(st.integers(1, 3)) for _ in range(3))
    rows, columns = (data.draw(st.integers(1, 3)) for _ in range(2))
    height, width = (data.draw(st.integers(3, 6)) for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.normal(size=(images, channels, height, width))
    w = rng.normal(size=(results, channels, rows, columns))
    ours, mine = slopes(typed, lambda x, w: typed["total"](typed["convolve"](x, w) ** 2), x, w)
    theirs, torchs = autograd(lambda x, w: (F.conv2d(x, w) ** 2).sum(), x, w)
    assert ours == pytest.approx(theirs, rel=1e-12)
    for a, b in zip(mine, torchs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_the_winner_of_a_pool_and_the_first_of_several(typed):
    x = np.random.default_rng(0).integers(0, 3, size=(4, 3, 6, 8)).astype(float)  # many ties
    pull = np.random.default_rng(1).normal(size=(4, 3, 3, 4))
    ours = slopes(typed, lambda x: typed["total"](typed["max_pool"](x) * pull), x)
    theirs = autograd(lambda x: (F.max_pool2d(x, 2) * torch.tensor(pull)).sum(), x)
    assert ours[0] == pytest.approx(theirs[0]) and np.array_equal(ours[1][0], theirs[1][0])


def test_a_loss_of_scores_that_would_overflow(typed):
    scores = np.array([[1000.0, 0.0, -1000.0], [3.0, 900.0, 899.0]])
    labels = np.array([0, 2])
    ours = slopes(typed, lambda z: typed["cross_entropy"](z, labels), scores)
    theirs = autograd(lambda z: F.cross_entropy(z, torch.tensor(labels)), scores)
    assert ours[0] == pytest.approx(theirs[0]) and ours[1][0] == pytest.approx(theirs[1][0], abs=1e-12)


def test_the_edge_kernel_is_learned(typed):
    assert typed["learned"].numbers[0, 0] == pytest.approx(np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]), abs=1e-4)


def test_steps_are_those_of_pytorchs_optimiser(typed):
    rng = np.random.default_rng(0)
    weights, velocities = [rng.normal(size=(5, 2)), rng.normal(size=3)], [np.zeros((5, 2)), np.zeros(3)]
    theirs = [torch.tensor(w, requires_grad=True) for w in weights]
    optimiser = torch.optim.SGD(theirs, lr=0.2, momentum=0.8, weight_decay=0.01)
    for _ in range(20):
        drawn = [rng.normal(size=w.shape) for w in weights]
        weights, velocities = typed["step"](weights, drawn, velocities, 0.2, 0.8, 0.01)
        for tensor, slope in zip(theirs, drawn, strict=True):
            tensor.grad = torch.tensor(slope)
        optimiser.step()
    for a, b in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), atol=1e-13)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    digits = mnist.sample().train
    model = build(SOURCE).double()
    for parameter in model.parameters():
        if parameter.ndim == 1:  # a scale of one and a shift of zero would hide mistakes in their roles
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    for layer in model:
        if isinstance(layer, torch.nn.BatchNorm2d):  # what it counts plays no part here, and vmap cannot count
            layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    return model, mnist.normalise(digits.images[:128]).double(), digits.labels[:128]


def ours_of(typed, model, images, labels):
    arrays = [typed["Value"](p.detach().numpy()) for p in model.parameters()]
    loss = typed["cross_entropy"](typed["source_network"](typed["Value"](images.numpy()), arrays), labels.numpy())
    typed["walk_back"](loss)
    return float(loss.numbers), [array.slope for array in arrays]


def test_all_derivatives_of_the_sources_network_are_autograds(typed, network, one_thread):
    model, images, labels = network
    loss, ours = ours_of(typed, model, images, labels)
    theirs = F.cross_entropy(model(images), labels)
    grads = torch.autograd.grad(theirs, list(model.parameters()))
    assert loss == pytest.approx(theirs.item(), abs=1e-12)
    assert sum(a.size for a in ours) == 14_392
    for a, b in zip(ours, grads, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-10)
        assert np.abs(a).max() > 1e-4


@pytest.mark.slow
def test_all_derivatives_of_the_sources_network_are_the_ratios_of_nudges(typed, network, one_thread):
    """Every one of the 14,392. What comes before the nudged layer is computed once; nudges go by the dozen."""
    model, images, labels = network
    images, labels, step = images[:4], labels[:4], 1e-7
    _, ours = ours_of(typed, model, images, labels)
    ours, x = iter(ours), images
    for number, layer in enumerate(model):
        rest = model[number + 1 :]
        for name, parameter in list(layer.named_parameters()):

            def loss(nudged, layer=layer, name=name, rest=rest, x=x):
                scores = rest(torch.func.functional_call(layer, {name: nudged}, (x,)))
                return F.cross_entropy(scores, labels)

            found = []
            for rows in torch.arange(parameter.numel()).split(64):
                nudges = step * F.one_hot(rows, parameter.numel()).double().reshape(-1, *parameter.shape)
                with torch.no_grad():
                    up, down = (torch.func.vmap(loss)(parameter.detach() + s * nudges) for s in (1, -1))
                found.append((up - down) / (2 * step))
            np.testing.assert_allclose(next(ours).ravel(), torch.cat(found).numpy(), rtol=0, atol=1e-6)
        x = layer(x).detach()
    assert next(ours, None) is None
