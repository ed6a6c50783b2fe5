import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from cellgrad import mnist, training
from cellgrad.torchvision import import_torchvision
from cellgrad.training import loop, saving, train
from cellgrad.training.recipes import RECIPES


@pytest.fixture
def few(sample):
    """Few enough digits for a test that trains more than once."""
    return mnist.Mnist(sample.train[:512], sample.test[:200], "sample", "a test")


def weights_of(run):
    return torch.cat([tensor.double().flatten() for tensor in run.model.state_dict().values()])


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_seed_fixes_everything(few, recipe):
    first, again, other = (train(recipe, few, seed=seed, epochs=1, progress=False) for seed in (3, 3, 4))
    assert torch.equal(weights_of(first), weights_of(again))
    assert not torch.equal(weights_of(first), weights_of(other))
    assert first.record["test_accuracy"] == again.record["test_accuracy"]


def test_training_leaves_the_callers_random_numbers_alone(few):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train("book", few, epochs=1, progress=False)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("recipe", RECIPES)
def test_stopped_and_resumed_is_never_stopped(few, recipe, tmp_path, monkeypatch):
    whole = train(recipe, few, epochs=3, validation=100, progress=False)
    save, saves = saving.RunFiles.save_checkpoint, []

    def save_then_stop(*arguments):
        save(*arguments)
        saves.append(1)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(saving.RunFiles, "save_checkpoint", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, few, epochs=3, validation=100, progress=False, out=tmp_path)
    resumed = train(recipe, few, epochs=3, validation=100, progress=False, out=tmp_path, resume=True)
    assert len(saves) == 3
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_an_unfinished_run_is_not_overwritten(few, tmp_path, monkeypatch):
    monkeypatch.setattr(saving.RunFiles, "finish", lambda self, run: None)  # as if stopped just before the end
    train("book", few, epochs=1, progress=False, out=tmp_path)
    (checkpoint,) = tmp_path.iterdir()
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="holds 1 finished epochs of an earlier run"):
        train("book", few, epochs=1, progress=False, out=tmp_path)
    with pytest.raises(ValueError, match="nothing to resume"):
        train("book", few, epochs=2, progress=False, out=tmp_path, resume=True)
    assert checkpoint.read_bytes() == content
    checkpoint.write_bytes(content[:1000])
    with pytest.raises(ValueError, match="cannot be read"):
        train("book", few, epochs=1, progress=False, out=tmp_path, resume=True)


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
    assert loaded.history["validation_accuracy"].tolist() == run.history["validation_accuracy"].tolist()
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="not the weights of a run of ours"):
        saving.load_run(path)


def test_a_loss_that_is_no_number_stops_the_run(few):
    wild = replace(RECIPES["book"], name="wild", learning_rate=1e12, schedule="constant")
    with pytest.raises(training.Diverged, match=r"in epoch 1, step [2-4], at learning rate 1e\+12; try a smaller"):
        train(wild, few, epochs=1, progress=False)


def test_the_digits_are_shifted_and_nothing_else(sample):
    torch.manual_seed(0)
    recipe = replace(RECIPES["book"], batch_size=64)
    images, labels = next(loop.batches(recipe, sample.train))
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
    torch.manual_seed(0)
    ours = loop._moved(images, (20, 0.1, (0.9, 1.1)))
    torch.manual_seed(0)
    angle, scale = torch.empty(50).uniform_(-20, 20), torch.empty(50).uniform_(0.9, 1.1)
    right, down = 28 * torch.empty(2, 50).uniform_(-0.1, 0.1)
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
    assert torch.allclose(loop.predict(model, digits, shift=1), torch.stack(expected), atol=1e-5)
    assert not torch.allclose(loop.predict(model, digits), torch.stack(expected), atol=1e-2)


def test_every_training_digit_is_shown_once_an_epoch(few):
    for recipe in (replace(RECIPES["book"], batch_size=100), replace(RECIPES["source"], batch_size=100)):
        sizes, labels = zip(*[(len(y), y) for _, y in loop.batches(recipe, few.train)], strict=True)
        assert sizes == (100,) * 5 + (12,)
        assert torch.equal(torch.cat(labels).bincount(), few.train.labels.bincount())


def test_it_learns_to_read_the_sample(sample):
    run = train("book", sample, epochs=4, progress=False)
    assert run.record["test_accuracy"] > 0.94
    assert run.history["loss"].is_monotonic_decreasing


def test_the_test_digits_are_looked_at_once_after_the_last_epoch(few, monkeypatch):
    looked_at = []
    predict = loop.predict

    def looking(model, digits, shift=0):
        looked_at.append(digits)
        return predict(model, digits, shift)

    monkeypatch.setattr(loop, "predict", looking)
    train("book", few, epochs=3, validation=100, progress=False)
    assert [digits is few.test for digits in looked_at] == [False, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "magic"}, "unknown recipe 'magic'; choose among source, book, best, small, fast"),
        ({"epochs": 0}, "epochs: 0 is too small"),
        ({"seed": -1}, "seed: -1 is too small"),
        ({"validation": 512}, "validation: 512 of 512 training digits"),
        ({"device": "quantum"}, "device: 'quantum' is not to be had here"),
        ({"resume": True, "out": "empty"}, "nothing to resume"),
    ],
)
def test_bad_input_is_named(few, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        train(**{"recipe": "book", "data": few, "progress": False} | arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_learns_as_the_processor_does(sample):
    run = train("book", sample, epochs=4, progress=False, device="cuda")
    assert run.record["device"] == "cuda" and run.record["test_accuracy"] > 0.94
