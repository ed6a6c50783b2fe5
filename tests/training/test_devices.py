"""Another device than the processor, also where there is none: `other_device` stands for it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from other_device import other_device

from cellgrad import mnist, networks, training
from cellgrad.receptive import effective_receptive_field, measure_receptive_field, receptive_field
from cellgrad.training.loop import pick_device
from cellgrad.training.saving import shipped_run
from cellgrad.trials.tasks import on_device


@pytest.fixture
def device(monkeypatch):
    with other_device(monkeypatch) as name:
        yield name


@pytest.fixture(scope="module")
def digits():
    sample = mnist.sample()
    return replace(sample, train=sample.train[:100], test=sample.test[:20])


def test_what_stands_for_it_is_as_strict_as_a_device(device):
    there = torch.ones(3).to(device)
    assert (there + 1).device.type == device and (there + 1).sum().item() == 6
    with pytest.raises(RuntimeError, match="one device"):
        there + torch.ones(3)
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    with pytest.raises(TypeError, match="float64"):
        there.double()


@pytest.mark.parametrize("recipe", ["source", "fast"])  # one digit moved after the other, and whole batches
def test_the_device_that_is_chosen_learns_what_the_processor_does(digits, recipe, monkeypatch):
    settings = {"epochs": 1, "validation": 20, "progress": False}
    here = training.train(recipe, digits, device="cpu", **settings)
    with other_device(monkeypatch) as device:
        for data in (digits, on_device(digits, "auto")):  # as a chapter gives them, and as the trials do
            there = training.train(recipe, data, **settings)
            assert there.record["device"] == device == pick_device()
            for name, tensor in there.model.state_dict().items():  # ready for digits on the processor
                assert tensor.device.type == "cpu" and torch.equal(tensor, here.model.state_dict()[name]), name


def test_a_network_on_the_device_is_asked_about_digits_anywhere(digits, monkeypatch):
    model = shipped_run("source").model
    images = mnist.normalise(digits.test.images)
    answers = training.predict(model, digits.test, 1)
    effective = effective_receptive_field(model, images, "conv2").strength
    table, measured = receptive_field(model), measure_receptive_field(model, (1, 28, 28))
    described = networks.examine(model)
    with other_device(monkeypatch) as device:
        model.to(device)
        for place in ("cpu", device):
            assert torch.equal(training.predict(model, digits.test.to(place), 1), answers)
            assert np.array_equal(effective_receptive_field(model, images.to(place), "conv2").strength, effective)
        assert receptive_field(model).equals(table) and measure_receptive_field(model, (1, 28, 28)) == measured
        assert networks.examine(model) == described
        assert next(model.parameters()).device.type == device
