"""Three wrong answers to each exercise that somebody may well give, by number, found without the exercises' code."""

import numpy as np

from cellgrad.layers import (
    avg_pool,
    batch_norm,
    block,
    conv,
    flatten,
    global_avg_pool,
    linear,
    max_pool,
    pixel_unshuffle,
    relu,
)
from cellgrad.toynet import ToyNetwork

W = (0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55)
FAR = ToyNetwork((1, 2), weights=(-0.15, -0.2, -0.25, -0.3, -4, -4.5, -5, -5.5))


def differences(weights, nudge=1e-5):
    """The gradient by nudges, as a reader would measure it."""
    found = []
    for k in range(8):
        up, down = np.array(weights, float), np.array(weights, float)
        up[k] += nudge
        down[k] -= nudge
        found.append((ToyNetwork(weights=up).loss() - ToyNetwork(weights=down).loss()) / (2 * nudge))
    return np.array(found)


def judge_of(tolerance, networks):
    """A judge of gradients that allows so much, at these networks."""
    return lambda gradient_of: all(
        np.abs(gradient_of(w) - differences(w)).max() <= tolerance * np.abs(differences(w)).max() for w in networks
    )


def leaky(forward, back):
    """A reader's leaky ReLU on the values of chapter 9."""

    class Value:
        def __init__(self, numbers, sources):
            self.numbers, self.sources = numbers, sources

    return lambda x: Value(forward(x.numbers), [(x, lambda slope: back(x.numbers, slope))])


def tenth(numbers):
    """What a leaky ReLU makes of numbers."""
    return np.where(numbers > 0, numbers, 0.1 * numbers)


three = block(8) * 3
RANDOM = np.random.default_rng(5).normal(size=(3, 8))
KEEP = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]

WRONG = {
    "01.1": (0.0275, 0.04, "0.5106"),
    "01.2": ((0.5, 0.5, 0.5, 0.5), (0, 0, 0.5, 0.55), (-10, -10, -10, -10)),
    "01.3": ((0.630481, 0.606478), "0.606433 and 0.630437", (0.4325, 0.5343)),
    "01.4": ((10, 13), (12, 12), "8 and 11"),
    "01.5": ((0.5075, 0.5093), (0.4085, 0.4881), (0.606478, 0.630481)),
    "01.6": (True, "in the limit", "with weights of 800"),
    "01.7": ((4.5161, 4.5161, -4.5161, -4.5161), (0.01, 0.01, 0.99, 0.99), (-4.595, -4.595, 4.595, 4.595)),
    "02.1": ((10.1, 10.01, 25), (1.01, 0.1001, 10), [10.1, 10.01, 10.01]),
    "02.2": (0.012881, 0.015522, 0.025422),
    "02.3": (["w7", "w8"], "w5, w6, w7 and w8", ()),
    "02.4": (0.4533, 0, -0.45),
    "02.5": ("3x^2", "3*x**2 + 3*x*s + s**2", "6x^2 + 2s^2"),
    "02.6": (12, 8, 1),
    "02.7": ((0.00588, 0.0065), (-0.00588, -0.00588), (-0.00588, 0.00988)),
    "03.1": ((0.1305, 0.06615), (0.0304, 0.015522), (0.02541, 0.01288)),
    "03.2": ("w5 w6", [1, 2, 3, 4, 7, 8], "w6, w8"),
    "03.3": (0.8966, 0.1153, 1.2672),
    "03.4": ("i1*(d_h1 + d_h2)", "(d_h1 + d_h2)/2", "d_o1 + d_o2"),
    "03.5": ("d_o1 d_o2", ["d_o1", "d_o2", "d_h1", "d_h2"], "dE/dw1, dE/dw2, dE/dw3, dE/dw4"),
    "03.6": ("w5, w7", [1, 3], "w1 w2 w5 w7"),
    "03.7": (lambda gradient_of: "right", judge_of(1e-2, RANDOM), judge_of(1e-6, [W])),
    "04.1": ((0.53082, 0.15064), (0.48459, 0.14968), (0.03082, 0.00064)),
    "04.2": (1, 0.125, 0.5),
    "04.3": ((73, 148), (148, 74), (147, 72)),
    "04.4": (1, 0.0000227, 624),
    "04.6": (7.2e-6, 1, 0),
    "04.7": ((ToyNetwork(), ToyNetwork().gradient()), (FAR, -FAR.gradient()), (FAR, FAR.gradient() * range(8))),
    "05.1": ((0.125, 0.125), "1/4 1/4", (0.421875, 0.015625)),
    "05.2": (61.9, 0.0323, "15.5"),
    "05.3": (1477, 148, 1495),
    "05.4": ((51.7, 61.9), (0.0323, 0.0387), (61.9, 6.19)),
    "05.5": ("40 %, 0.48 %", (0.8704, 0.8704), (0.1296, 0.98111)),
    "05.6": ("n/64", "64/n", "128n"),
    "05.7": (1, 61, 500),
    "06.1": (4, 6, 0),
    "06.2": ((12, 4, 0), (14, 7, 3), (12, 5, 1)),
    "06.3": (
        [KEEP, [[0, 0, 0], [0, 0, 1], [0, 0, 0]]],
        [KEEP, [[0, 1, 0], [0, 0, 0], [0, 0, 0]]],
        [np.ones((3, 3)), [[0, 0, 0], [1, 0, 0], [0, 0, 0]]],
    ),
    "06.4": (1, 0, 2),
    "06.5": ((4800, "4,915,200"), (4864, 3763200), (1664, 1638400)),
    "06.6": ((18, 25), (576, 1600), (1168, 1608)),
    "06.7": ("17,956,774", "4,489,193.5", 13282, 138.08),
    "06.8": (
        [conv(16, 3), max_pool(2), max_pool(2)],
        [conv(12, 3, padding=1), max_pool(2), conv(16, 3, padding=1), max_pool(2)],
        [conv(16, 3, padding=1), max_pool(2)],
    ),
    "07.1": (25, 10, 11),
    "07.2": (3, 14, 5),
    "07.3": ((6, 2, 0.5), (6, 1, 1), (4, 2, 1)),
    "07.4": (5, 8, 3),
    "07.5": ((0, 0), (9, 0), (81, 81)),
    "07.6": (19.58, 3.95, 2.36),
    "07.7": (
        ([(3, 1)] * 3, [(3, 1)] * 3, [(3, 1)] * 3),
        ([(3, 1)] * 3 + [(2, 2)] + [(3, 1)] * 5, [], []),
        ([(3, 1)] * 3 + [(2, 2)] + [(3, 1)] * 6, [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 8, []),
    ),
    "08.1": (2130, 280, 1890),
    "08.2": (7840, 20, 1),
    "08.3": (8, 10, 18),
    "08.4": ((14392, 28, 948704), (14392, 30, 3443648), (14392, 28, 3794816)),
    "08.5": ((1, 1, 2, 26), (3, 5, 0, 28), (4, 4, 4, 52)),
    "08.6": (5, 6, 3),
    "08.7": (
        [*block(8) * 3, max_pool(2), *block(16), conv(10, 9), flatten],
        [pixel_unshuffle(2), *block(8), conv(10, 1), flatten],
        [flatten, linear(32), linear(10)],
    ),
    "09.1": (6, 5, 36),
    "09.2": (676, 28790, 0.167),
    "09.3": (
        leaky(tenth, lambda numbers, slope: slope),
        leaky(tenth, lambda numbers, slope: np.where(numbers > 0, slope, 0)),
        leaky(lambda numbers: np.maximum(numbers, 0), lambda numbers, slope: slope),
    ),
    "09.4": (400, 25, 1),
    "09.5": ((0.0000454, -0.0066), (-0.99995, -0.9933), (-0.99995, 0.0000444)),
    "09.6": ((8, 14), (14, 2), (14, 6)),
    "09.7": ("yes", "those before the pool", "only those behind it"),
    "10.1": ("529,984", 72, 5408),
    "10.2": ((5148, 74090016), (5628, 80998176), (430, 6188560)),
    "10.3": ((0.07, 0.05), (0.05, 0.016), (0.012, 0.07)),
    "10.4": (1.66, "0.00102", -0.102),
    "10.5": ("with", "both", "neither"),
    "10.7": ((53, 3), (210, 10), (25, 5)),
    "11.1": ((0.2, 0.1414), (0.2, 0.0707), (0.2, 1.27)),
    "11.2": ((0.08, -0.02, 0.19), (-0.0008, -0.0019, 0.0002), (-0.08, -0.1, 0.1)),
    "11.3": (0.902, 1.414, 2),
    "11.4": ((0.21, 0.17), (0.083, 0.105), (0.17, 0.17)),
    "11.5": (
        [*three, max_pool(2), *block(16) * 4, conv(32, 3), relu, conv(10, 1), flatten],
        [*three, max_pool(2), conv(32, 3), relu, conv(10, 1), global_avg_pool, flatten],
        [*three, max_pool(2), *block(16), *(conv(8, 1), relu, batch_norm) * 4, conv(10, 1), global_avg_pool, flatten],
    ),
    "11.6": (9, 38, 31),
    "12.1": (8.5, 17, "2.1 s"),
    "12.2": ((0, 0.15), (1982, 1981), (0, 27)),
    "12.3": (99.577, 0.102, 0.074),
    "12.4": ("best", "small", "book"),
    "12.5": (1452, 726, 2904),
    "12.6": (
        [conv(10, 28), flatten],
        [avg_pool(4), conv(10, 5, stride=5), flatten],
        [*block(8), max_pool(2), *block(16), *block(16), max_pool(2), conv(10, 3), flatten],
    ),
    "13.1": (0.25, 22.5, 84),
    "13.2": (0.1, 0.5, 97.5),
    "13.3": (7, 5, 9),
    "13.4": ((8879, 1), (1121, 44), (44, 1)),
    "13.5": (100, 370, 500),
}
