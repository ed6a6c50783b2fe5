"""Modules whose own code is not followed, because what they do shows only in the values of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellgrad.receptive.operations import Operations
from cellgrad.receptive.rules import whole_module

_SWIN = "torchvision.models.swin_transformer"


@whole_module("attention", f"{_SWIN}.ShiftedWindowAttention", f"{_SWIN}.ShiftedWindowAttentionV2")
def shifted_window_attention(ops: Operations, module: Any, x: Any) -> Any:
    """On each axis a token sees the tokens of its window; a window cut in two by the shift counts as two."""
    for axis in (0, 1):
        n, w = x.shape[1 + axis], module.window_size[axis]
        padded = -(-n // w) * w
        shift = 0 if w >= padded else module.shift_size[axis]
        # Where a token stands after the shift, and which part of the seam's window it belongs to.
        place = (np.arange(n) - shift) % padded
        part = (place >= padded - shift) if shift else np.zeros(n, bool)
        group = list(zip(place // w, part, strict=True))
        x = ops.reads(x, 1 + axis, [[other for other in range(n) if group[other] == group[unit]] for unit in range(n)])
    return ops.mix(x, -1, x.shape[-1])
