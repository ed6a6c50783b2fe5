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

RECORDED_FOR_VERSION = 1
RECORDED_WITH = {"torch": "2.13.0+cpu", "processor": "6, 167, Intel(R) Xeon(R) Processor, 1"}
RECORDED = {
    "source": ("1435f850ed787f10", [2.32135, 2.30466, 11.4554, -0.211418, 1.78947]),
    "book": ("7dc313c14567ce55", [2.31057, 2.12347, 11.667, -0.211371, 1.78337]),
    "best": ("47d7b36ad021c0f0", [2.31688, 2.17578, 12.1514, 2.56159, 1.85294]),
    "small": ("57b06056602b1d3e", [2.27665, 2.14785, 7.73419, -2.64858, 1.82859]),
    "fast": ("751fd8b53f2cfdfd", [2.38263, 1.9115, 11.9889, -0.373314, 1.73663]),
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
    """A hash of the weights after two epochs of 512 digits, and numbers that every processor finds nearly alike."""
    sample = mnist.sample()
    few = mnist.Mnist(sample.train[:512], sample.test[:100], "sample", "a test")
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
