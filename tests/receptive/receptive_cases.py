"""Small modules that were judged wrongly, refused or crashed, with what is right.

CASES: name -> (module, input_size, expected). expected: {"size": …} the table's last row; {"local": …, "whole image":
True} where every unit sees all; {"measure": …}; {"jump": …}; {"refused with": text} for a refusal that must name that;
{"buffer": 0} what must stay as it was.
"""

import torch
from torch import nn


class TypeCheck(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 7)

    def forward(self, x):
        x = self.a(x)
        if isinstance(x, torch.Tensor):
            x = self.b(x)
        return x


class ShapeAssertion(TypeCheck):
    def forward(self, x):
        assert x.shape[1] == 3
        return self.b(self.a(x))


class AxisKeyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        return self.c(x).sum(axis=1, keepdim=True)


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 5)

    def forward(self, x):
        return self.c(x).permute(0, 2, 3, 1)


class Squeezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        return self.c(x).squeeze(1)


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.f, self.d = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.c(x)
        x = x * self.f(x.mean((2, 3), keepdim=True)).sigmoid()
        return self.d(x)


class ClassToken(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.token = nn.Conv2d(3, 8, 16, 16), nn.Parameter(torch.zeros(1, 1, 8))

    def forward(self, x):
        x = self.c(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)


class ChangesItsBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count.add_(1)
        return self.c(x)


class AsksForTheDevice(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.c(x) + torch.zeros(1, device=x.device, dtype=x.dtype)


def patch_gan(norm):
    layers = [nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2)]
    for channels, stride in ((8, 2), (8, 2), (8, 1)):
        layers += [nn.Conv2d(8, channels, 4, stride, 1), norm(8), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8, 1, 4, 1, 1))


CASES = {
    "a branch on the type": (TypeCheck(), (3, 32, 32), {"size": 9, "measure": (9, 9)}),
    "an assertion on a shape": (ShapeAssertion(), (3, 32, 32), {"size": 9}),
    "axis for dim": (AxisKeyword(), (1, 28, 28), {"size": 3, "measure": (3, 3)}),
    "channels last": (ChannelsLast(), (3, 40, 40), {"size": 5, "measure": (5, 5)}),
    "channels squeezed away": (Squeezed(), (1, 28, 28), {"size": 3, "measure": (3, 3)}),
    "squeeze and excitation": (SqueezeExcite(), (3, 64, 64), {"local": 7, "whole image": True}),
    "PatchGAN, batch norm": (patch_gan(nn.BatchNorm2d), (3, 256, 256), {"size": 70}),
    "PatchGAN, instance norm": (patch_gan(nn.InstanceNorm2d), (3, 256, 256), {"local": 70, "whole image": True}),
    "patches and a class token": (ClassToken(), (3, 64, 64), {"size": 16, "jump": 16}),
    "a buffer that the forward changes": (ChangesItsBuffer(), (3, 32, 32), {"size": 3, "buffer": 0}),
    "asks for device and dtype": (AsksForTheDevice(), (3, 32, 32), {"size": 3}),
    "weight norm": (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 1, 3))), (1, 64), {"size": 3}),
    "a recurrent layer": (nn.GRU(8, 8, batch_first=True), (16, 8), {"refused with": "GRU"}),
    "a compiled script": (
        torch.jit.script(nn.Sequential(nn.Conv2d(1, 1, 3))),
        (1, 28, 28),
        {"refused with": "unscripted"},
    ),
}
