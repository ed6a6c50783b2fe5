"""The handful of operations that every layer is translated into, and what a value must know to take part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

Widths = tuple[tuple[int, int], ...]


class UntraceableError(ValueError):
    """A module does something that cannot be followed, or that this package has no rule for."""


@dataclass(frozen=True)
class Geometry:
    """The window of a layer, one number an axis; padding: (before, after) on each axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Widths
    dilation: tuple[int, ...]

    @classmethod
    def plain(cls, kernel: Sequence[int]) -> Geometry:
        """A window of this size without stride, padding or dilation."""
        axes = len(kernel)
        return cls(tuple(kernel), (1,) * axes, ((0, 0),) * axes, (1,) * axes)

    @property
    def axes(self) -> list[tuple[int, int, tuple[int, int], int]]:
        """Kernel, stride, padding and dilation of one axis after the other."""
        return list(zip(self.kernel, self.stride, self.padding, self.dilation, strict=True))

    def behind(self, padded: Geometry) -> Geometry:
        """This window with the padding that another step did for it."""
        widths = zip(self.padding, padded.padding, strict=True)
        return replace(self, padding=tuple((a + c, b + d) for (a, b), (c, d) in widths))


class Operations(Protocol):
    """What a value flowing through a network must know how to do; x stands for a value, with a shape, batch first.

    geometry, note: what the last operation has to say for its row in a table. outputs: the shape of the real result.
    """

    geometry: Geometry | None = None
    note: str = ""
    outputs: tuple[int, ...] = ()

    def constant(self, shape: Sequence[int]) -> Any:
        """A value that depends on no pixel: a weight, a class token."""

    def combine(self, values: Sequence[Any], shape: Sequence[int]) -> Any:
        """A sum or another combination unit by unit, broadcast to the shape."""

    def window(
        self, x: Any, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int, reads: Any = None
    ) -> Any:
        """A window sliding over the last axes, all channels of a group together.

        reads: which of its weights can be other than zero, as a tensor of their shape; all of them when None.
        """

    def transposed(
        self, x: Any, geometry: Geometry, outputs: Sequence[int], channels: int, groups: int, reads: Any = None
    ) -> Any:
        """A transposed convolution over the last axes.

        reads: which of its weights can be other than zero, as a tensor of their shape; all of them when None.
        """

    def adaptive(self, x: Any, outputs: Sequence[int]) -> Any:
        """Adaptive pooling of the last axes to this size."""

    def resize(self, x: Any, outputs: Sequence[int], ratios: Sequence[Fraction], mode: str, align_corners: bool) -> Any:
        """Linear or cubic upsampling of the last axes; ratios: input pixels for one output pixel."""

    def nearest(self, x: Any, taps: Sequence[Sequence[int]], ratios: Sequence[Fraction]) -> Any:
        """Nearest upsampling of the last axes, which reads these inputs."""

    def pad(self, x: Any, widths: Widths, mode: str) -> Any:
        """Padding of the last axes."""

    def reads(self, x: Any, dim: int, rows: Sequence[Sequence[int]]) -> Any:
        """Along one dimension each output reads the inputs of its row."""

    def mix(self, x: Any, dim: int, units: int) -> Any:
        """A dense layer along one dimension."""

    def reduce(self, x: Any, dims: Sequence[int], keep: bool) -> Any:
        """A sum over dimensions."""

    def spread(self, x: Any, dims: Sequence[int]) -> Any:
        """Every unit along these dimensions replaced by something of all of them."""

    def attended(self, x: Any, dim: int) -> Any:
        """All units along this dimension as one, which others attend to."""
        return self.reduce(x, [dim], True)

    def bounded(self, x: Any) -> Any:
        """The same, marked as an upper bound of what it depends on."""

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        """The same numbers in another shape."""

    def permute(self, x: Any, order: Sequence[int]) -> Any:
        """The dimensions in another order."""

    def pick(self, x: Any, dim: int, units: Sequence[int] | np.ndarray) -> Any:
        """Some units along a dimension."""

    def join(self, values: Sequence[Any], dim: int) -> Any:
        """Concatenation."""


@dataclass(frozen=True, eq=False)
class Several:
    """What several operations know of one tensor, a value each."""

    values: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """As a tensor's, and the same for all."""
        return tuple(self.values[0].shape)


class Together:
    """Several `Operations` on one walk through a network, since the walk is what takes time; each has its own values.

    geometry, note: those of the first. outputs: as in `Operations`.
    """

    outputs: tuple[int, ...] = ()

    def __init__(self, *each: Operations) -> None:
        self.each = each

    def __getattr__(self, name: str) -> Callable[..., Several]:
        def method(*arguments: Any, **options: Any) -> Several:
            results = []
            for place, operations in enumerate(self.each):
                own = [_own(argument, place) for argument in arguments]
                results.append(getattr(operations, name)(*own, **options))
            return Several(tuple(results))

        return method

    @property
    def geometry(self) -> Geometry | None:
        """What the row says of the window."""
        return self.each[0].geometry

    @geometry.setter
    def geometry(self, geometry: Geometry | None) -> None:
        for operations in self.each:
            operations.geometry = geometry

    @property
    def note(self) -> str:
        """What the row says besides."""
        return self.each[0].note

    @note.setter
    def note(self, note: str) -> None:
        for operations in self.each:
            operations.note = note


def _own(argument: Any, place: int) -> Any:
    """An argument as the operations in this place know it."""
    if isinstance(argument, list):
        return [_own(part, place) for part in argument]
    return argument.values[place] if isinstance(argument, Several) else argument
