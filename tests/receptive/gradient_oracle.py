"""What a unit of a real network depends on, from the gradient of the module itself, in double precision."""

import copy

import torch
from torch import nn


def smooth(module):
    """A copy in double precision whose weights are random and no smaller than they must be; nothing else is changed."""
    module = copy.deepcopy(module).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=parameter.dtype) * 0.4 + 0.1)
    return module


def seen(module, input_size, unit=None):
    """First and last pixel, on each axis, that reach `unit(output)`: by default all channels of the middle position."""
    module = smooth(module)
    image = torch.rand(1, *input_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.enable_grad():
        image.requires_grad_()
        output = module(image)
        picked = unit(output) if unit else output[(0, slice(None), *(n // 2 for n in output.shape[2:]))]
        # Numbers of both signs, so that no sum over channels that a norm keeps constant hides anything.
        signs = torch.linspace(1, 2, picked.numel(), dtype=torch.float64).reshape(picked.shape)
        (gradient,) = torch.autograd.grad((picked * signs).sum(), image, allow_unused=True)
    if gradient is None:
        return ((0, -1),) * (len(input_size) - 1)
    reached, ends = gradient[0].abs().sum(0), []
    for axis in range(reached.ndim):
        along = reached.movedim(axis, 0).flatten(1).sum(1) if reached.ndim > 1 else reached
        places = along.nonzero()
        ends.append((int(places[0]), int(places[-1])) if len(places) else (0, -1))
    return tuple(ends)


class Does(nn.Module):
    """Layers under their names, and a function of them and of the image as forward."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)
