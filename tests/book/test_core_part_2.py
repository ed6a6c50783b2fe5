"""What Part II teaches stands in its cells: they run without the package, and give its numbers and PyTorch's."""

import contextlib
import io
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional as F

from cellgrad import layers, mnist, receptive

BOOK = Path(__file__).parents[2] / "book"
LIBRARIES = {"np": np, "pd": pd, "torch": torch, "F": F, "sliding_window_view": sliding_window_view}


def cells_of(chapter: Path, kind: str = "code") -> list:
    return [cell for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == kind]


@pytest.fixture
def typed(monkeypatch):
    """Runs the core cells of a chapter with the libraries and a digit alone; importing the package is an error."""

    def run(number: str) -> dict:
        (chapter,) = BOOK.glob(f"{number}-*.ipynb")
        namespace = LIBRARIES | {"digit": mnist.sample().train.images[3].numpy().astype(float)}
        with monkeypatch.context() as alone, contextlib.redirect_stdout(io.StringIO()):
            for name in [name for name in sys.modules if name.partition(".")[0] == "cellgrad"]:
                alone.delitem(sys.modules, name)
            alone.setitem(sys.modules, "cellgrad", None)
            for cell in cells_of(chapter):
                if "core" in cell.metadata.get("tags", []):
                    exec(cell.source, namespace)
        return namespace

    return run


@pytest.fixture
def typed_07(typed):
    return typed("07")


def test_three_ways_to_convolve_are_pytorchs(typed):
    chapter = typed("06")
    image, kernel = np.random.default_rng(0).normal(size=(11, 9)), np.arange(6.0).reshape(2, 3)
    theirs = F.conv2d(torch.tensor(image)[None, None], torch.tensor(kernel)[None, None])[0, 0].numpy()
    assert chapter["convolve"](image, kernel) == pytest.approx(theirs)
    assert np.array_equal(chapter["edges"], chapter["as_windows"])
    assert np.array_equal(chapter["edges"], chapter["theirs"])
    assert np.array_equal(chapter["dense"] @ chapter["digit"].flatten(), chapter["edges"].flatten())
    pooled = F.max_pool2d(torch.tensor(chapter["found"])[None, None], 2)[0, 0].numpy()
    assert np.array_equal(chapter["pooled"], pooled)


def test_channels_and_one_by_one_are_pytorchs(typed):
    chapter = typed("06")
    sheets, kernels = torch.tensor(chapter["sheets"]).double(), torch.tensor(chapter["two_kernels"]).double()
    assert np.array_equal(chapter["by_hand"], F.conv2d(sheets[None], kernels[None])[0, 0].numpy() + 10)
    random = np.random.default_rng(1)
    parts = random.normal(size=(3, 9, 7)), random.normal(size=(5, 3, 2, 3)), random.normal(size=5)
    theirs = F.conv2d(*map(torch.tensor, (parts[0][None], *parts[1:])))[0].numpy()
    assert chapter["convolve_channels"](*parts) == pytest.approx(theirs)
    features, table = (torch.tensor(chapter[name]) for name in ("features", "table"))
    assert chapter["pixel_by_pixel"] == pytest.approx(F.conv2d(features[None], table[:, :, None, None])[0].numpy())


@pytest.mark.parametrize(
    "window", [(7, 3), (7, 3, 2), (8, 3, 2), (7, 3, 1, 1), (7, 3, 1, 0, 2), (28, 5, 2, 1), (9, 4, 3, 2, 2)]
)
def test_the_size_of_the_output_is_pytorchs_and_the_bookkeepers(typed, window):
    n, kernel, *rest = window
    image = torch.zeros(1, 1, n, n)
    ours = typed("06")["output_size"](*window)
    assert ours == F.conv2d(image, torch.zeros(1, 1, kernel, kernel), None, *rest).shape[-1]
    options = dict(zip(("stride", "padding", "dilation"), rest, strict=False))
    assert ours == layers.layer_table([layers.conv(1, kernel, **options)], (1, n, n))["output_size"][0][1]


def test_batch_norm_and_what_swallows_it_are_pytorchs(typed):
    chapter, generator = typed("06"), torch.Generator().manual_seed(0)
    batch = 3 + 2 * torch.randn(16, 4, 5, 5, generator=generator, dtype=torch.float64)
    norm, after = torch.nn.BatchNorm2d(4).double(), torch.nn.Conv2d(4, 6, 3, bias=False).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.5, 0.0, 2.0]))
        norm.bias.copy_(torch.arange(4.0))
    theirs = norm(batch).detach().numpy()
    ours = chapter["normalise_batch"](batch.numpy(), norm.weight.detach().numpy(), norm.bias.detach().numpy())
    assert ours == pytest.approx(theirs)
    norm.eval()
    parts = (after.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    swallowed = typed("08")["swallow"](*(part.detach().numpy() for part in parts))
    at_once = F.conv2d(batch, *map(torch.tensor, swallowed))
    assert at_once.numpy() == pytest.approx(after(norm(batch)).detach().numpy())


windows = st.tuples(st.integers(1, 5), st.integers(1, 3))


@given(st.lists(windows, min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_counting_stepping_and_the_packages_recurrence_agree(typed_07, stack):
    counted = [typed_07["seen"](unit, stack) for unit in (0, 1)]
    size, jump, start = 1, 1, 0.5
    ours = (1, 1)
    for kernel, stride in stack:
        ours = typed_07["step"](*ours, kernel, stride)
        size, jump, start = receptive.step(size, jump, start, kernel, stride)
    assert ours == (size, jump)
    assert typed_07["field"](stack) == size == max(counted[0]) + 1
    assert jump == min(counted[1])
    assert min(counted[0]) == start - size / 2


def test_dilation_as_in_the_package(typed_07):
    assert typed_07["step"](5, 2, 3, 2, 4) == receptive.step(5, 2, 0.5, 3, 2, 0, 4)[:2]


def test_the_sources_fields_typed_closed_and_measured(typed_07):
    assert typed_07["sizes"] == [3, 5, 7, 8, 12, 16, 20, 24, 28, 28]  # published with the source's network
    assert typed_07["closed_form"] == 28
    table = receptive.receptive_field(layers.SOURCE)
    rows = table[table["kind"].isin(["conv", "max_pool"])]
    for depth, row in enumerate(rows.itertuples(), start=1):
        gradient = typed_07["influence_of_pixels"](typed_07["source"][:depth])
        box = tuple(int((gradient > 0).any(dim=axis).sum()) for axis in (1, 0))
        assert box == (row.size, row.size) == receptive.measure_receptive_field(layers.SOURCE, (1, 28, 28), row.layer)


def test_widths_typed_and_the_packages(typed_07):
    for n in (1, 2, 5, 20):
        assert typed_07["sigma"](typed_07["spread_of_paths"](n)) == pytest.approx(receptive.gaussian_sigma(n))
    paths = typed_07["influence_of_pixels"](typed_07["source"]).numpy()
    assert receptive.fit_gaussian(paths).sigma == pytest.approx([typed_07["predicted"]] * 2)
    assert typed_07["predicted"] == pytest.approx(3.95, abs=0.005)
    torch.manual_seed(0)
    network, images = layers.build(layers.SOURCE), mnist.normalise(mnist.sample().test.images[:20])
    strength = typed_07["influence"](network, images)
    theirs = receptive.effective_receptive_field(network, images)
    assert strength / strength.sum() == pytest.approx(theirs.strength, abs=1e-9)


def test_the_source_counted_by_hand(typed):
    chapter = typed("08")
    table = layers.layer_table(layers.SOURCE)
    assert sum(chapter["weights"]) + chapter["in_batch_norm"] == 14392  # published with the source's network
    assert chapter["weights"] == table.loc[table["kind"] == "conv", "weights"].tolist()
    assert chapter["work"] == table.loc[table["kind"] == "conv", "multiply_adds"].tolist()
    network = layers.build(layers.SOURCE)
    assert sum(p.numel() for p in network.parameters()) == 14392


def test_memory_counted_as_pytorch_makes_it(typed):
    sizes = [28 * 28]
    network = layers.build(layers.SOURCE).eval()
    for module in network:
        module.register_forward_hook(lambda _, __, output: sizes.append(output.numel()))
    network(torch.zeros(1, 1, 28, 28))
    to_train, to_use = typed("08")["memory"](sizes)
    assert to_train == layers.layer_table(layers.SOURCE)["activation_bytes"].sum()
    assert to_use == 4 * 2 * 8 * 26 * 26  # in and out of what follows the first convolution


def test_the_shapes_found_on_paper_are_those_found_by_building(typed):
    chapter = typed("08")
    built = []
    for before in range(1, 8):
        for after in range(1, 8):
            stack = [*[layers.conv(4, 3)] * before, layers.max_pool(2), *[layers.conv(4, 3)] * (after + 1)]
            with contextlib.suppress(ValueError):  # a window that does not fit
                last = receptive.receptive_field(stack).iloc[-1]
                if last["output_size"][1] == 1:
                    built.append((before, after, last["size"]))
    assert chapter["possible"] == built and len(built) == 4


def test_folding_and_separating_as_in_pytorch(typed):
    chapter = typed("08")
    theirs = torch.nn.PixelUnshuffle(2)(torch.tensor(chapter["picture"])[None]).numpy()
    assert np.array_equal(chapter["folded"], theirs)
    pair = torch.nn.Conv2d(12, 12, 3, groups=12, bias=False), torch.nn.Conv2d(12, 20, 1, bias=False)
    assert chapter["separable_weights"](12, 20) == sum(p.numel() for layer in pair for p in layer.parameters())
