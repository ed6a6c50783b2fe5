import copy
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from daily import daily
from safetensors import safe_open

from cellgrad import mnist, training
from cellgrad.layers import build, conv, dropout, flatten, linear
from cellgrad.torchvision import import_torchvision
from cellgrad.training import batches, draw_batches, evaluate, loop, saving, train
from cellgrad.training.recipes import RECIPES, find_recipe

AVERAGED = replace(RECIPES["book"], name="averaged", average=0.1, nesterov=True, label_smoothing=0.1)
DROPPING = replace(RECIPES["fast"], name="dropping", network=(dropout(0.5), *RECIPES["fast"].network))


@pytest.fixture
def few(sample):
    """Few enough digits for a test that trains more than once."""
    return mnist.Mnist(sample.train[:512], sample.test[:200], "sample", "a test")


def weights_of(run):
    return torch.cat([tensor.double().flatten() for tensor in run.model.state_dict().values()])


@pytest.mark.parametrize("recipe", daily(RECIPES, ["source", "small", "fast"]))
def test_a_seed_fixes_everything(few, recipe):
    first, again, other = (train(recipe, few, seed=seed, epochs=1, progress=False) for seed in (3, 3, 4))
    assert torch.equal(weights_of(first), weights_of(again))
    assert not torch.equal(weights_of(first), weights_of(other))
    assert first.record["test_accuracy"] == again.record["test_accuracy"]


def test_training_leaves_the_callers_random_numbers_alone(few, tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    for resume in (False, True):  # trained, then read back
        train("book", few, epochs=1, progress=False, out=tmp_path, resume=resume and any(tmp_path.iterdir()))
    assert torch.equal(torch.rand(3), expected)


def stop_at_validation(monkeypatch, epoch):
    """Ctrl-C in the middle of an epoch: when its digits have been learned and the held-out ones are to be read."""
    accuracy, calls = loop.accuracy, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return accuracy(*arguments)

    monkeypatch.setattr(loop, "accuracy", stopping)


def test_averaged_weights_are_a_running_average_of_the_steps(few, monkeypatch):
    """Weights and means after each step, each counting a tenth, computed again from what plain training does."""
    recipe = replace(AVERAGED, nesterov=False, label_smoothing=0.0, epochs=1)
    steps = []
    for count in range(1, 5):  # the same run, broken off after so many batches
        with monkeypatch.context() as patch:
            patch.setattr(loop, "draw_batches", lambda *a, n=count: itertools.islice(draw_batches(*a), n))
            steps.append(weights_of(train(replace(recipe, average=0.0), few, progress=False)))
    expected = steps[0]
    for weights in steps[1:]:
        expected = 0.9 * expected + 0.1 * weights
    averaged = train(recipe, few, progress=False)
    whole = torch.cat([torch.full([t.numel()], t.is_floating_point()) for t in averaged.model.state_dict().values()])
    assert torch.allclose(weights_of(averaged)[whole], expected[whole], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(weights_of(averaged)[whole], steps[-1][whole], rtol=1e-2)


def test_smoothed_labels_are_a_mixture_with_equal_shares(few):
    """The loss of the first batch, with and without: a tenth of each target is spread over all ten digits."""
    recipe = replace(RECIPES["book"], batch_size=512, epochs=1, learning_rate=1e-9, label_smoothing=0.1)
    images, labels = next(draw_batches(recipe, few.train))
    run = train(recipe, few, progress=False)
    target = 0.9 * torch.nn.functional.one_hot(labels, 10) + 0.01
    with torch.no_grad():
        logs = run.model.train()(images).log_softmax(1)
    assert run.history["loss"].iloc[0] == pytest.approx(-(target * logs).sum(1).mean().item(), rel=1e-4)


def test_nesterov_is_the_published_step():
    """Sutskever et al. 2013 in the form of Bengio et al. 2012, against which PyTorch documents its own."""
    sample = mnist.sample()
    one = mnist.Mnist(sample.train[:200], sample.test[:100], "sample", "a test")
    smooth = (flatten, linear(10))  # no pool whose ties the last digit decides
    recipe = replace(RECIPES["book"], network=smooth, nesterov=True, schedule="constant", batch_size=200)
    runs = {epochs: train(replace(recipe, epochs=epochs), one, progress=False) for epochs in (1, 2)}
    with torch.random.fork_rng():
        torch.manual_seed(loop.seed_for("weights", recipe, 0))
        model = build(recipe.network)
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    for epoch in (1, 2):
        ((images, labels),) = draw_batches(recipe, one.train, 0, epoch)
        gradients = torch.autograd.grad(
            torch.nn.functional.cross_entropy(model(images), labels), list(model.parameters())
        )
        with torch.no_grad():
            for at, (p, g) in enumerate(zip(model.parameters(), gradients, strict=True)):
                g = g + recipe.weight_decay * p
                velocity[at] = 0.9 * velocity[at] + g
                p -= recipe.learning_rate * (g + 0.9 * velocity[at])
        assert torch.allclose(next(model.parameters()), next(runs[epoch].model.parameters()), atol=1e-5)


@pytest.mark.parametrize("recipe", daily([*RECIPES, DROPPING, AVERAGED], ["source", "small", DROPPING, AVERAGED]))
def test_stopped_and_resumed_is_never_stopped(few, recipe, tmp_path, monkeypatch):
    options = {"epochs": 3, "validation": 100, "progress": False}
    whole = train(recipe, few, **options)
    with monkeypatch.context() as patch:
        stop_at_validation(patch, epoch=3)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, few, **options, out=tmp_path)
    shown = []
    with monkeypatch.context() as patch:
        patch.setattr(loop, "draw_batches", lambda *a, **k: shown.append(1) or draw_batches(*a, **k))
        resumed = train(recipe, few, **options, out=tmp_path, resume=True)
    assert len(shown) == 1, "two of the three epochs were there"
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_of_two_runs_of_one_name_at_once_the_second_does_not_replace_the_first(few, tmp_path, monkeypatch):
    options = {"epochs": 1, "progress": False, "out": tmp_path}
    draw = loop.draw_batches

    def while_another_one_trains(*arguments):
        monkeypatch.setattr(loop, "draw_batches", draw)
        train(replace(RECIPES["book"], learning_rate=0.1), few, **options)
        return draw(*arguments)

    monkeypatch.setattr(loop, "draw_batches", while_another_one_trains)
    with pytest.raises(ValueError, match=r"learning_rate is 0\.1 there and 0\.2 here"):
        train("book", few, **options)
    (weights,) = tmp_path.glob("*.safetensors")
    assert saving.load_run(weights).recipe.learning_rate == 0.1


def test_what_is_no_run_is_not_replaced_by_a_run_that_was_stopped(few, tmp_path, monkeypatch):
    options = {"epochs": 2, "validation": 100, "progress": False, "out": tmp_path}
    with monkeypatch.context() as patch:
        stop_at_validation(patch, epoch=2)
        with pytest.raises(KeyboardInterrupt):
            train("book", few, **options)
    (checkpoint,) = tmp_path.iterdir()
    weights = checkpoint.with_suffix(".safetensors")
    weights.write_text("precious")
    with pytest.raises(ValueError, match=r"cannot be read .*; move it away, and go on"):
        train("book", few, **options, resume=True)
    assert weights.read_text() == "precious" and checkpoint.exists()
    weights.unlink()
    train("book", few, **options, resume=True)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


class Remembers(torch.nn.Module):
    """What it has seen so far is no part of its state_dict, grows, and decides what it answers."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(784, 10)
        self.register_buffer("steps", torch.zeros(1), persistent=False)
        self.register_buffer("late", None, persistent=False)

    def forward(self, x):
        if self.training:
            self.steps = torch.cat([self.steps, torch.ones(1)])
            self.late = torch.ones(1) if self.late is None else self.late + 1
        return self.head(x.flatten(1)) / (1 + self.steps.sum() + (0 if self.late is None else self.late))


class UsesItTwice(Remembers):
    """A part of it has two names."""

    def __init__(self):
        super().__init__()
        self.first = Remembers()
        self.second = self.first

    def forward(self, x):
        return super().forward(x) + self.second(x)


@pytest.mark.parametrize(("recipe", "kind"), [("book", Remembers), ("small", Remembers), ("book", UsesItTwice)])
def test_buffers_that_a_module_does_not_save_are_kept(few, recipe, kind, tmp_path, monkeypatch):
    def network(seed):
        torch.manual_seed(seed)
        return kind()

    options = {"epochs": 2, "validation": 100, "progress": False, "network": network}
    whole = train(recipe, few, **options)
    with monkeypatch.context() as patch:
        stop_at_validation(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, few, **options, out=tmp_path)
    train(recipe, few, **options, out=tmp_path, resume=True)
    read_back = train(recipe, few, **options, out=tmp_path, resume=True)
    assert torch.equal(weights_of(read_back), weights_of(whole))
    images = few.test.images[:8].float()
    assert torch.equal(read_back.model(images), whole.model(images))


def test_an_unfinished_run_is_not_overwritten(few, tmp_path, monkeypatch):
    options = {"epochs": 2, "validation": 100, "progress": False, "out": tmp_path}
    with monkeypatch.context() as patch:
        stop_at_validation(patch, epoch=2)
        with pytest.raises(KeyboardInterrupt):
            train("book", few, **options)
    (checkpoint,) = tmp_path.iterdir()
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="1 finished epochs"):
        train("book", few, **options)
    with pytest.raises(ValueError, match="nothing to resume"):
        train("book", few, **options | {"epochs": 3}, resume=True)
    for other, differs in ANOTHER_RUN:
        with pytest.raises(ValueError, match=differs):
            train(replace(RECIPES["book"], **other), few, **options, resume=True)
    assert checkpoint.read_bytes() == content
    checkpoint.write_bytes(content[:1000])
    with pytest.raises(ValueError, match=re.escape(str(checkpoint))):
        train("book", few, **options, resume=True)


ANOTHER_RUN = [
    ({"learning_rate": 0.1}, "learning_rate is 0.2 there and 0.1 here"),
    ({"network": RECIPES["small"].network}, "network"),
    ({"batch_size": 64, "shift": 0}, "batch_size is 128 there and 64 here, shift is 2 there and 0 here"),
]


@pytest.mark.parametrize("resume", [True, False])
def test_another_run_of_the_same_name_is_neither_read_back_nor_overwritten(few, tmp_path, resume, monkeypatch):
    options = {"epochs": 1, "progress": False, "out": tmp_path}
    train("book", few, **options)
    (weights,) = tmp_path.iterdir()
    content = weights.read_bytes()
    for other, differs in ANOTHER_RUN:
        with pytest.raises(ValueError, match=differs):
            train(replace(RECIPES["book"], **other), few, **options, resume=resume)
    fewer = mnist.Mnist(few.train[:300], few.test, "sample", "a test")
    with pytest.raises(ValueError, match="digits is 512 there and 300 here"):
        train("book", fewer, **options, resume=resume)
    monkeypatch.setattr(loop, "VERSION", 99)
    with pytest.raises(ValueError, match=r"training_version is \d there and 99 here"):
        train("book", few, **options, resume=resume)
    assert weights.read_bytes() == content
    weights.write_bytes(b"something dear")
    with pytest.raises(ValueError, match=re.escape(str(weights))):
        train("book", few, **options, resume=resume)
    assert weights.read_bytes() == b"something dear"


def test_weights_carry_their_record_and_load_again(few, tmp_path):
    run = train("book", few, seed=5, epochs=1, validation=100, progress=False, out=tmp_path)
    path = saving.weights_path(tmp_path, run.record)
    assert path.name == "book-seed5-epochs1-validation100-sample.safetensors"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with safe_open(path, "pt") as file:
        record = json.loads(file.metadata()["record"])
    assert record == json.loads(json.dumps(run.record))
    assert set(record) >= {
        "recipe",
        "seed",
        "parameters",
        "epochs",
        "seconds",
        "device",
        "data",
        "test_accuracy",
        "versions",
    }
    assert (record["recipe"], record["seed"], record["parameters"], record["data"]) == ("book", 5, 14_392, "sample")
    again = train("book", few, seed=5, epochs=1, validation=100, progress=False, out=tmp_path, resume=True)
    assert again.record == record and torch.equal(weights_of(again), weights_of(run))
    loaded = saving.load_run(path)
    assert training.accuracy(loaded.model, few.test) == run.record["test_accuracy"]
    pd.testing.assert_frame_equal(loaded.history, run.history, rtol=0, atol=1e-14)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        saving.load_run(path)


def test_a_loss_that_is_no_number_stops_the_run(few):
    wild = replace(RECIPES["book"], name="wild", learning_rate=1e12, schedule="constant")
    with pytest.raises(training.Diverged, match=r"epoch 1, step [2-4], .*1e\+12"):
        train(wild, few, epochs=1, progress=False)


def test_the_digits_are_shifted_and_nothing_else(sample):
    recipe = replace(RECIPES["book"], batch_size=64)
    images, labels = next(draw_batches(recipe, sample.train))
    padded = torch.nn.functional.pad(mnist.normalise(sample.train.images), [2] * 4, value=-mnist.MEAN / mnist.STD)
    possible = {}
    for down in range(5):
        for right in range(5):
            window = padded[:, 0, down : down + 28, right : right + 28]
            for row, image in enumerate(window):
                possible.setdefault(image.numpy().tobytes(), set()).add(int(sample.train.labels[row]))
    assert images.shape == (64, 1, 28, 28)
    for image, label in zip(images[:, 0], labels.tolist(), strict=True):
        assert label in possible[image.contiguous().numpy().tobytes()]


def test_affine_movements_are_torchvisions(sample):
    """All images at once here, one at a time in torchvision: the same pixels."""
    transforms = import_torchvision().transforms
    images = sample.train.images[:50]
    chances = torch.rand(4, 50, generator=torch.Generator().manual_seed(0))
    ours = batches.moved(images, (20, 0.1, (0.9, 1.1)), *chances)
    right, down, angle = torch.tensor([[2.8], [2.8], [20.0]]) * (2 * chances[:3] - 1)
    scale = 0.9 + 0.2 * chances[3]
    # We move the place that is looked at, torchvision the turned and scaled image, the other way.
    cos, sin = angle.deg2rad().cos(), angle.deg2rad().sin()
    moves = (-scale * torch.stack([cos * right - sin * down, sin * right + cos * down])).T.tolist()
    linear = transforms.InterpolationMode.BILINEAR
    for image, moved, degrees, move, factor in zip(images, ours, angle.tolist(), moves, scale.tolist(), strict=True):
        theirs = transforms.functional.affine(image[None].float(), degrees, move, factor, [0.0, 0.0], linear)[0]
        assert torch.allclose(moved, theirs, atol=0.01)


def test_reading_shifted_copies_averages_their_log_probabilities(few):
    model = train("book", few, epochs=1, progress=False).model
    digits = few.test[:5]
    expected = []
    for image in digits.images:
        padded = torch.nn.functional.pad(image, [1] * 4)
        views = torch.stack([padded[i : i + 28, j : j + 28] for i in range(3) for j in range(3)])
        with torch.no_grad():
            expected.append(model(mnist.normalise(views)).softmax(1).log().mean(0))
    assert torch.allclose(training.predict(model, digits, shift=1), torch.stack(expected), atol=1e-5)
    assert not torch.allclose(training.predict(model, digits), torch.stack(expected), atol=1e-2)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("precision, error", [(torch.float64, 1e-4), (torch.bfloat16, 0.5)], ids=["double", "bfloat16"])
def test_networks_of_other_precisions_read_too(sample, precision, error, shift):
    model = saving.shipped_run("small").model
    plain = training.predict(model, sample.test[:100], shift)
    scores = training.predict(copy.deepcopy(model).to(precision), sample.test[:100], shift)
    assert scores.dtype == torch.float32 and plain.abs().max() > 5
    assert torch.allclose(scores, plain, rtol=0, atol=error) and torch.equal(scores.argmax(1), plain.argmax(1))


def test_the_precision_of_a_network_is_that_of_its_first_floating_parameter(sample):
    model = saving.shipped_run("small").model
    scores = training.predict(model, sample.test[:5])
    table = torch.nn.Parameter(torch.arange(3), requires_grad=False)
    counted = torch.nn.Sequential(torch.nn.ParameterList([table]), model)
    counted.forward = model.forward
    assert next(counted.parameters()) is table
    assert torch.equal(training.predict(counted, sample.test[:5]), scores)


def test_every_training_digit_is_shown_once_an_epoch(few):
    numbered = replace(few.train, labels=torch.arange(512))
    for recipe in (replace(RECIPES["book"], batch_size=100), replace(RECIPES["source"], batch_size=100)):
        sizes, labels = zip(*[(len(y), y) for _, y in draw_batches(recipe, numbered)], strict=True)
        assert sizes == (100,) * 5 + (12,)
        assert torch.equal(torch.cat(labels).sort().values, numbered.labels)


@pytest.mark.parametrize("name", daily(RECIPES, ["source", "small", "fast"]))
def test_a_last_batch_of_one_joins_the_one_before(sample, name):
    """Batch norm needs more than one number for a channel, and `fast` ends with channels of one pixel."""
    recipe = replace(RECIPES[name], batch_size=100)
    for count, sizes in ((201, [100, 101]), (200, [100, 100]), (202, [100, 100, 2]), (101, [101]), (99, [99])):
        few = mnist.Mnist(sample.train[:count], sample.test[:100], "sample", "a test")
        assert [len(labels) for _, labels in draw_batches(recipe, few.train)] == sizes
        assert train(recipe, few, epochs=1, progress=False).history["loss"].notna().all()
    singles = draw_batches(replace(recipe, batch_size=1), sample.train[:5])
    assert [len(labels) for _, labels in singles] == [1] * 5


def test_it_learns_to_read_the_sample(sample):
    run = train("book", sample, epochs=4, progress=False)
    assert run.record["test_accuracy"] > 0.94
    assert run.history["loss"].is_monotonic_decreasing


def test_the_test_digits_are_looked_at_once_after_the_last_epoch(few, monkeypatch):
    looked_at = []
    predict = evaluate.predict

    def looking(model, digits, shift=0):
        looked_at.append(digits)
        return predict(model, digits, shift)

    monkeypatch.setattr(evaluate, "predict", looking)
    train("book", few, epochs=3, validation=100, progress=False)
    assert [digits is few.test for digits in looked_at] == [False, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "magic"}, "unknown recipe 'magic'; choose among source, book, best, small, small-once, fast"),
        ({"epochs": 0}, "epochs: 0 is too small"),
        ({"seed": -1}, "seed: -1 is too small"),
        ({"validation": 512}, "validation: 512 of 512 training digits"),
        ({"validation": 511}, "digits to train on: 1 is too small"),
        ({"device": "quantum"}, "device: .*'quantum'"),
        ({"resume": True, "out": "empty"}, "nothing to resume"),
        ({"validation": 2.5}, "validation: expected a whole number, got 2.5"),
        ({"recipe": replace(RECIPES["book"], name="../book"), "out": "."}, "'../book' cannot name a file"),
        (
            {"recipe": replace(RECIPES["book"], network=(flatten, linear(9)))},
            r"128 digits give scores of shape \(128, 9\)",
        ),
    ],
)
def test_bad_input_is_named(few, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        train(**{"recipe": "book", "data": few, "progress": False} | arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "never"}, "schedule: 'never'"),
        ({"feed": "spoon"}, "feed: 'spoon'"),
        ({"feed": "images"}, "affine"),
        ({"seeds": (("luck", 1),)}, "seeds: 'luck' is unknown; choose among weights, order, movement, dropout"),
        ({"average": 1.0}, "average: 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing: -0.1"),
        ({"seeds": (("order", -1),)}, "seeds: order: -1"),
        ({"batch_size": 0}, "batch_size: 0 is too small"),
        ({"batch_size": 2.5}, "batch_size: expected a whole number, got 2.5"),
        ({"shift": -1}, "shift: -1"),
        ({"test_shift": -1}, "test_shift: -1"),
        ({"learning_rate": "fast"}, "learning_rate: expected a number, got"),
        ({"affine": (10, 0.1, 0.9)}, r"affine: .*as in \(10, 0.1, \(0.9, 1.1\)\)"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPES["book"], **change)


def test_a_recipe_is_what_json_gives_back():
    """Numbers of numpy's and lists are taken, and are the same recipe, with the same key, as Python's and tuples."""
    plain = replace(
        RECIPES["best"], learning_rate=1.0, seeds=(("order", 3),), network=(conv(6, 3), flatten, linear(10))
    )
    odd = replace(
        plain,
        learning_rate=1,
        batch_size=np.int64(256),
        affine=[10, 0.07, [0.9, 1.1]],
        seeds=[["order", np.int64(3)]],
        network=[conv(np.int64(6), 3), flatten, linear(10)],
    )
    assert odd == plain and json.dumps(odd.to_dict()) == json.dumps(plain.to_dict())
    assert type(odd).from_dict(json.loads(json.dumps(odd.to_dict()))) == plain


ACCELERATORS = [
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
    pytest.param("mps", marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs Apple's MPS")),
]


@pytest.mark.parametrize("device", ACCELERATORS)
def test_another_device_learns_as_the_processor_does(sample, device, tmp_path):
    run = train("book", sample, epochs=4, progress=False, device=device, out=tmp_path)
    assert run.record["device"] == device and run.record["test_accuracy"] > 0.94
    loaded = saving.load_run(next(tmp_path.iterdir()))
    for model in (run.model, loaded.model):  # both are ready for the digits, which are on the processor
        assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
        assert model(mnist.normalise(sample.test.images[:5])).shape == (5, 10)
    scores = training.predict(run.model.to(device), sample.test)
    assert scores.device.type == "cpu"
    assert torch.allclose(scores, training.predict(loaded.model, sample.test), atol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": -1},
        {"momentum": 1},
        {"weight_decay": -1e-4},
        {"nesterov": True, "momentum": 0},
        {"affine": (10, 0.1, (0, 0))},
        {"affine": (-10, 0.1, (0.9, 1.1))},
        {"affine": (10, 0.1, (1.1, 0.9))},
        {"seeds": (1, 2)},
    ],
    ids=str,
)
def test_numbers_that_no_training_can_use_are_refused_when_the_recipe_is_made(changes):
    with pytest.raises(ValueError, match=f"^({'|'.join(changes)}): "):
        replace(find_recipe("book"), **changes)


def test_a_run_that_is_not_there_is_named_as_such(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        saving.load_run(tmp_path / "none.safetensors")
    assert caught.value.filename == str(tmp_path / "none.safetensors")
