"""The training's version, guarded: a few steps of each recipe give the weights that they gave when it was raised.

When this fails, what a training computes has changed. If that was meant, raise `loop.VERSION`, so that no record is
taken for one of the present training, and print the new numbers: python tests/training/test_version.py
"""

import hashlib
from pathlib import Path

import pytest
import torch

from cellgrad import mnist
from cellgrad.training import loop, train
from cellgrad.training.recipes import RECIPES

RECORDED_FOR_VERSION = 2
RECORDED_WITH = {"torch": "2.13.0+cpu", "processor": "6, 207, Intel(R) Xeon(R) Processor, 2"}
RECORDED = {
    "source": ("aeb0e32de4146fbb", [2.3134, 2.30279, 11.4707, 0.685111, 1.74319]),
    "book": ("8cb5ef2b683bf850", [2.28971, 2.06439, 11.6422, 0.684959, 1.76684]),
    "best": ("5dc95fe3335339f3", [2.32788, 2.14297, 12.1553, -0.370294, 1.7796]),
    "small": ("4b7853f5b619b9d9", [2.31098, 2.22135, 7.73524, 0.483139, 1.7498]),
    "small-once": ("a8c99c2d9a9a28dc", [2.29148, 2.08786, 9.05, -0.621378, 1.88991]),
    "fast": ("1958a712b68a7ecc", [2.29179, 1.74306, 11.6181, -0.589112, 1.99798]),
}


def processor() -> str:
    """Model, family, model number and stepping: another processor may round another last digit."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    wanted = ("model name", "cpu family", "model\t", "stepping")
    return ", ".join(dict.fromkeys(line.split(":")[1].strip() for line in lines if line.startswith(wanted)))


def setting() -> dict[str, str]:
    return {"torch": torch.__version__, "processor": processor()}


def few_steps(name: str, seed: int = 0) -> tuple[str, list[float]]:
    """A hash of the weights after two epochs of 513 digits, and numbers that every processor finds nearly alike."""
    sample = mnist.sample()
    few = mnist.Mnist(sample.train[:513], sample.test[:100], "sample", "a test")
    run = train(name, few, seed=seed, epochs=2, device="cpu", progress=False)
    weights = [tensor.contiguous() for tensor in run.model.state_dict().values()]
    digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in weights)).hexdigest()[:16]
    last = list(run.model.parameters())[-1].double()
    norm = torch.cat([tensor.double().flatten() for tensor in run.model.parameters()]).norm()
    return digest, [*run.history["loss"], norm.item(), last.sum().item(), last.norm().item()]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", RECIPES)
def test_the_training_computes_what_its_version_says(name):
    assert loop.VERSION == RECORDED_FOR_VERSION
    digest, numbers = few_steps(name)
    if setting() == RECORDED_WITH:
        assert digest == RECORDED[name][0]
    assert numbers == pytest.approx(RECORDED[name][1], rel=2e-3)
    assert few_steps(name, seed=1)[1] != pytest.approx(RECORDED[name][1], rel=2e-2)  # so a tolerance that can fail


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"RECORDED_FOR_VERSION = {loop.VERSION}\nRECORDED_WITH = {setting()}\nRECORDED = {{")
    for recipe in RECIPES:
        digest, numbers = few_steps(recipe)
        print(f'    "{recipe}": ("{digest}", {[float(f"{number:.6g}") for number in numbers]}),')
    print("}")
