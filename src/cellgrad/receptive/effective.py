"""How much each pixel counts in practice: the effective receptive field, from gradients of a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cellgrad.receptive.interval_operations import FieldOperations
from cellgrad.receptive.intervals import image
from cellgrad.receptive.operations import UntraceableError
from cellgrad.receptive.trace import follow


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """How strongly a unit depends on each pixel, (height, width), scaled to a sum of one; and its Gaussian's fit.

    centre and sigma: mean and standard deviation on each axis, in pixels (first pixel's centre = 0.5).
    """

    strength: np.ndarray
    centre: tuple[float, ...]
    sigma: tuple[float, ...]


def effective_receptive_field(
    module: nn.Module, inputs: torch.Tensor, layer: str | None = None, power: int = 2
) -> EffectiveField:
    """How strongly the centre unit depends on each pixel: |gradient| to a power, averaged over channels and inputs.

    inputs: (images, channels, height, width), also of whole numbers. layer: a child module's name, the module's own
    output when None.
    power: 2, gradient energy, spreads like uniform kernels when weights have random signs; 1 does so when all have one
    sign. The Gaussian is fitted by its moments, because variances add from layer to layer, at any depth. Luo, Li,
    Urtasun, Zemel: Understanding the Effective Receptive Field, 2016. Raises ValueError where no gradient arrives.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    if not isinstance(inputs, torch.Tensor) or inputs.ndim < 3:
        got = tuple(inputs.shape) if isinstance(inputs, torch.Tensor) else type(inputs).__name__
        raise ValueError(f"inputs: expected a tensor of images, channels and pixels, got {got}")
    if layer is not None and layer not in dict(module.named_modules()):
        raise ValueError(f"layer: there is no module {layer!r} in {type(module).__name__}")
    index = _centre_index(module, tuple(inputs.shape[1:]), layer)
    modes, caught = {child: child.training for child in module.modules()}, []
    target = module if layer is None else module.get_submodule(layer)
    hook = target.register_forward_hook(lambda _, __, output: caught.append(output))
    numbers = inputs if inputs.is_floating_point() else inputs.float()
    home = next(filter(torch.is_floating_point, module.parameters()), numbers)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            # The module's device and precision decide; the inputs may come from anywhere.
            pixels = numbers.detach().to(home.device, home.dtype, copy=True).requires_grad_()
            module.eval()(pixels)
            if not isinstance(caught[-1], torch.Tensor) or not caught[-1].requires_grad:
                what = layer or "the output"
                raise ValueError(f"module: no gradient starts from {what}, which is no tensor or is detached")
            values = caught[-1][index]
            # One channel after the other would take as many passes: random signs mix them without letting them cancel.
            generator = torch.Generator().manual_seed(0)
            signs = torch.randint(0, 2, values.shape[1:], generator=generator) * 2 - 1 if power > 1 else torch.ones(())
            (gradient,) = torch.autograd.grad((values * signs.to(values.device)).sum(), pixels)
    finally:
        hook.remove()
        for child, mode in modes.items():
            child.training = mode
    # To the processor first: not every device knows double precision.
    strength = gradient.cpu().double().abs().pow(power).mean(dim=(0, 1)).numpy()
    return fit_gaussian(strength)


def _centre_index(module: nn.Module, input_size: tuple[int, ...], layer: str | None) -> tuple[Any, ...]:
    """The centre unit, of all images together."""
    pixels = image(input_size)
    try:
        trace = follow(module, input_size, FieldOperations(pixels), pixels)
        # What a module gave when it was called last, which is what the hook keeps.
        place = trace.ends[layer] if layer in trace.ends else trace.place(layer)
        centre = trace.rows[place].result.centre_index()
    except UntraceableError as error:
        raise UntraceableError(f"the centre unit cannot be found: {error}") from error
    return tuple(slice(None) if place is None else place for place in centre)


def fit_gaussian(strength: np.ndarray) -> EffectiveField:
    """Scale a map of strengths to a sum of one and give its mean and standard deviation on each axis, in pixels.

    Raises ValueError for a map whose sum is not above zero.
    """
    total = strength.sum()
    if not np.isfinite(total) or total <= 0:
        raise ValueError(f"strength: its sum is {total}, so that no width can be fitted; no gradient reaches the input")
    strength = strength / total
    centre, sigma = [], []
    for axis, pixels in enumerate(strength.shape):
        profile = strength.sum(axis=tuple(other for other in range(strength.ndim) if other != axis))
        places = np.arange(pixels) + 0.5
        mean = float(profile @ places)
        centre.append(mean)
        sigma.append(float(np.sqrt(profile @ (places - mean) ** 2)))
    return EffectiveField(strength, tuple(centre), tuple(sigma))
