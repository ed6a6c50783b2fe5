"""Which architectures of timm and segmentation-models-pytorch can be traced, and are their fields right?

One model of each of timm's modules first, then smp's, then as many more as the minutes allow. A model is traced at its
own input size. Then the fields of a few layers are held against gradients of the model itself, at a small size if it
takes one: float64, random weights, smooth activations, averages for maxima, so that no gradient is lost on the way.

exact: traced, and equal to the gradients wherever tried. bounded: traced, with rows that say "upper bound"; the
gradients are inside. refused: told in a sentence why not. wrong: gradients say something else. crashed: a raw error.
"""

import argparse
import json
import re
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from tqdm import tqdm

from cellgrad.receptive import boxes, effective_receptive_field, receptive_field
from cellgrad.torchvision import import_torchvision

import_torchvision()  # before timm, which imports it plainly
import segmentation_models_pytorch as smp  # noqa: E402
import timm  # noqa: E402

SMALL = 64
DRAWS = [name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")]


class TooLong(BaseException):
    """A model's seconds are over; no Exception, so that nothing on the way takes it for one."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TooLong in the middle of whatever takes more seconds of a processor."""

    def stop(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Models made here have whatever weights their memory held: drawing them takes minutes."""
    kept = {name: getattr(nn.init, name) for name in DRAWS}
    for name in DRAWS:
        setattr(nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, draw in kept.items():
            setattr(nn.init, name, draw)


FLAT_SOMEWHERE = {"relu", "relu_", "relu6", "hardtanh", "hardswish", "hardsigmoid", "clamp", "clamp_", "clip"}


class Smooth(TorchFunctionMode):
    """Nothing flat, and averages for maxima, so that a gradient shows all that a unit depends on."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Some functions replaced by others."""
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if name in FLAT_SOMEWHERE and args[0].requires_grad:
            return F.softplus(args[0])
        if name.startswith("max_pool") and not kwargs.get("return_indices"):
            names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
            options = dict(zip(names, args[1:], strict=False)) | kwargs
            if options.pop("dilation", 1) == 1:
                options.pop("return_indices", None)
                return getattr(F, name.replace("max", "avg"))(args[0], **options)
        return function(*args, **kwargs)


def randomise(module: nn.Module) -> nn.Module:
    """The module in double precision, with weights neither zero nor so large that a softmax saturates."""
    generator = torch.Generator().manual_seed(0)
    module = module.double().eval()
    with torch.no_grad():
        for tensor in module.parameters():
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
            values = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            tensor.copy_(values / fan_in**0.5 if tensor.ndim > 1 else 1 + 0.1 * values)
        for child in module.modules():
            if getattr(child, "running_var", None) is not None:
                child.running_mean.zero_()
                child.running_var.fill_(1)
    return module


def seen_by_gradient(module: nn.Module, input_size: tuple[int, ...], layer: str | None) -> tuple:
    """First and last pixel, on each axis, that the centre unit's gradient reaches in one of two images."""
    images = torch.rand(2, *input_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with Smooth():
        strength = effective_receptive_field(module, images, layer, power=1).strength
    return tuple((int(i.min()), int(i.max())) for i in np.nonzero(strength))


def errors_of(module: nn.Module, input_size: tuple[int, ...], table: pd.DataFrame) -> list[str]:
    """Layers whose field the gradients contradict, with both boxes."""
    table = table.set_index("layer")
    called_again = {layer.rsplit(" (", 1)[0] for layer in table.index if " (" in layer}
    modules = dict(module.named_modules())
    layers = [layer for layer in table.index if layer in modules and layer not in called_again]
    theory, found = boxes(module, input_size), []
    for layer in dict.fromkeys([*layers[:: max(1, len(layers) // 4)], *layers[-1:]]):
        try:
            seen = seen_by_gradient(module, input_size, layer)
        except ValueError:  # no finite gradient
            continue
        within = all(a <= c and d <= b for (a, b), (c, d) in zip(theory[layer], seen, strict=True))
        bounded = table.loc[:layer, "kind"].str.contains("upper bound").any()
        if not within or (theory[layer] != seen and not bounded):
            found.append(f"{layer}: {theory[layer]}, by gradient {seen}")
    return found


def judged(
    make: Callable[[], nn.Module], own_size: Callable[[nn.Module], tuple[int, ...]], gradients: bool
) -> tuple[str, str]:
    """What became of a model, and why."""
    with nothing_drawn():
        module = make()
    try:
        table = receptive_field(module, own_size(module))
    except ValueError as error:
        return "refused", str(error)
    traced = "bounded" if table["kind"].str.contains("upper bound").any() else "exact"
    if not gradients:
        return traced, ""
    size: tuple[int, ...] = (3, SMALL, SMALL)
    try:
        small = receptive_field(module, size)
    except ValueError:  # a size of its own
        small, size = table, own_size(module)
    wrong = errors_of(randomise(module), size, small)
    return ("wrong", "; ".join(wrong)) if wrong else (traced, "")


def contestants() -> dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], tuple[int, ...]]]]:
    """Name → how to make it, and its input size: the smallest of each of timm's modules, smp's, then timm's others."""

    def of_timm(name: str) -> tuple:
        return (lambda: timm.create_model(name, pretrained=False)), lambda module: module.default_cfg["input_size"]

    def of_smp(name: str) -> tuple:
        encoder = "tu-vit_tiny_patch16_224" if name == "dpt" else "resnet18"
        size = (3, 224, 224) if name == "dpt" else (3, 128, 128)
        return (lambda: smp.create_model(name, encoder, encoder_weights=None)), lambda _: size

    families = [timm.list_models(module=module) for module in timm.list_modules()]
    firsts = [min(names, key=_bulk) for names in families if names]
    others = [name for name in timm.list_models() if name not in firsts]
    order = {f"timm {name}": of_timm(name) for name in firsts}
    order |= {f"smp {name}": of_smp(name) for name in sorted(smp.MODEL_ARCHITECTURES_MAPPING)}
    return order | {f"timm {name}": of_timm(name) for name in sorted(others, key=_bulk)}


# What names call their sizes, smallest first.
SIZES = ("atto", "femto", "pico", "nano", "xxs", "xx_small", "tiny", "xs", "_t", "small", "_s", "mini")
HEAVY = ("medium", "_m", "base", "_b", "large", "_l", "xl", "huge", "giant", "gigantic")


def _bulk(name: str) -> tuple:
    """Small models first, as far as their names tell: by words, then by the numbers in them."""
    small = [place for place, word in enumerate(SIZES) if word in name]
    heavy = [len(SIZES) + 1 + place for place, word in enumerate(HEAVY) if word in name]
    words = max(heavy) if heavy else min(small, default=len(SIZES))
    return words, sum(int(number) for number in re.findall(r"\d+", name)), name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seconds", type=int, default=60, help="for one model; what takes longer is left out")
    parser.add_argument("--trace-only", action="store_true", help="no gradients: sooner through all of them")
    parser.add_argument("--only", help="models whose name contains this")
    parser.add_argument("--out", type=Path, help="one JSON line a model; a model in this file is not tried again")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    end = time.monotonic() + 60 * options.minutes
    lines = options.out.read_text("utf-8").splitlines() if options.out and options.out.exists() else []
    verdicts = {found["model"]: found["verdict"] for found in map(json.loads, lines)}
    for name, (make, own_size) in tqdm(contestants().items()):
        if time.monotonic() > end:
            break
        if name in verdicts or (options.only and options.only not in name):
            continue
        try:
            with at_most(options.seconds):
                verdict, why = judged(make, own_size, not options.trace_only)
        except TooLong:
            verdict, why = "too long", f"more than {options.seconds} seconds"
        except Exception as error:
            verdict, why = "crashed", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        verdicts[name] = verdict
        lines.append(json.dumps({"model": name, "verdict": verdict, "why": why}))
        if options.out:
            options.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        if verdict not in ("exact", "bounded"):
            tqdm.write(f"{name}: {verdict}. {why}")
    for library in ("timm", "smp"):
        counts = Counter(verdict for name, verdict in verdicts.items() if name.startswith(library))
        traced, tried = counts["exact"] + counts["bounded"] + counts["wrong"], counts.total() - counts["too long"]
        if tried:
            verdicts_told = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
            print(f"{library}: {verdicts_told}; {traced / tried:.1%} of those tried were traced")
