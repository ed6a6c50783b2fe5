"""Networks that stand against the source's, each of nearly its 14,392 parameters, and what they are made of.

This module needs no torch.
"""

from __future__ import annotations

from dataclasses import replace

from cellgrad.layers import (
    SOURCE,
    Layer,
    avg_pool,
    batch_norm,
    block,
    conv,
    dropout,
    flatten,
    global_avg_pool,
    linear,
    max_pool,
    relu,
)

POOL = max_pool(2)
SCORES = (conv(10, 1, name="scores"), flatten)
FRONT = block(8) * 3


def stages(*channels: int, **options: int) -> tuple[Layer, ...]:
    """The source's blocks, one after the other; options as in `Layer`."""
    return tuple(layer for count in channels for layer in block(count, **options))


def last(channels: int, **options: int) -> tuple[Layer, ...]:
    """The source's last 3×3 convolution, which has no batch norm."""
    return (conv(channels, 3, **options), relu)


def swapped(layers: tuple[Layer, ...], first: Layer, second: Layer) -> tuple[Layer, ...]:
    """Each `first` that is followed by a `second`, the other way round."""
    order = list(layers)
    for at in range(len(order) - 1):
        if order[at : at + 2] == [first, second]:
            order[at : at + 2] = second, first
    return tuple(order)


def no_batch_norm(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """A bias for each channel of every convolution in place of the batch norms, so that there is a number to add."""
    return tuple(replace(layer, bias=layer.kind == "conv") for layer in layers if layer != batch_norm)


# By what each of them does otherwise.
NETWORKS = {
    "dense head": (*FRONT, POOL, flatten, linear(13, bias=False), relu, linear(10)),
    "dense only": (flatten, linear(18), relu, linear(10)),
    "batch norm before ReLU": swapped(SOURCE, relu, batch_norm),
    "no batch norm": no_batch_norm(SOURCE),
    "4 channels up front": (*stages(4, 4, 4), POOL, *stages(17, 17, 17, 17), *last(34), *SCORES),
    "16 channels up front": (*stages(16, 16, 16), POOL, *stages(13, 13, 13, 13), *last(24), *SCORES),
    "field 3 before the pool": (*stages(8), POOL, *stages(16, 16, 16, 16, 14), *last(28), *SCORES),
    "field 5 before the pool": (*stages(8, 8), POOL, *stages(16, 16, 16, 16), *last(28), conv(10, 2), flatten),
    "field 9 before the pool": (*stages(8, 8, 8, 8), POOL, *stages(16, 16, 16), *last(34), conv(10, 2), flatten),
    "field 12 at the end": (*FRONT, POOL, *last(160), conv(10, 1), global_avg_pool, flatten),
    "field 20 at the end": (*FRONT, POOL, *stages(24, 24), *last(27), conv(10, 1), global_avg_pool, flatten),
    "field 36 at the end": (
        *(*FRONT, POOL, *stages(13, 13, padding=1)),
        *(*stages(13, 13, 13, 13), *last(32), *SCORES),
    ),
    "average pool": (*FRONT, POOL, *stages(16, 16, 16, 16), *last(32, padding=1), avg_pool(3), *SCORES),
    "dropout 0.2": (*FRONT, POOL, dropout(0.2), *SOURCE[len(FRONT) + 1 :]),
}
