"""What each function, method and module of PyTorch does, in terms of `cellgrad.receptive.operations`.

A rule takes the operations, then the value, then the arguments of torch's function, under their names. It is found by
the function itself, not by its name; a keyword that a rule does not know is refused. The rules stand in files by
family: `windows`, `pointwise`, `sums`, `shapes`, `modules`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import nn

from cellgrad.receptive.intervals import Fields
from cellgrad.receptive.operations import Operations, Several, UntraceableError

# Keywords that torch takes for one another.
_SYNONYMS = {
    "input": "x",
    "self": "x",
    "axis": "dim",
    "axes": "dim",
    "keepdims": "keepdim",
    "axis0": "dim0",
    "axis1": "dim1",
}


@dataclass(frozen=True)
class Constant:
    """A tensor that depends on no pixel, and its values where they are known.

    drawn: of one made of parameters, how it is made of parameters that are all about as large as a number.
    """

    tensor: torch.Tensor
    drawn: Callable[[float], torch.Tensor] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """As a tensor's."""
        return tuple(self.tensor.shape)

    @property
    def known(self) -> torch.Tensor | None:
        """The values, unless it is a parameter, which may take any."""
        return None if self.tensor.is_meta else self.tensor

    @cached_property
    def reads(self) -> torch.Tensor | None:
        """Where it can be other than zero, which it is not where a mask has zeros; None where it can be anywhere.

        Raises ArithmeticError where that cannot be said.
        """
        if self.known is not None:
            somewhere = self.known != 0
        elif self.drawn is None:
            return None
        else:
            try:
                with torch.no_grad(), torch.random.fork_rng(devices=[]):
                    somewhere = torch.stack([self.drawn(scale) != 0 for scale in _SCALES]).any(0)
            except Exception as error:  # whatever makes weights of weights
                raise ArithmeticError("no zeros can be told apart") from error
        return None if bool(somewhere.all()) else somewhere

    @property
    def hides(self) -> bool:
        """Whether it surely or perhaps is zero somewhere, whatever the parameters are."""
        try:
            return self.reads is not None
        except ArithmeticError:
            return True


@dataclass(frozen=True)
class Rule:
    """The kind that a row shows (none: no row), and what to do. settings: whether any number or word may be given."""

    kind: str
    function: Callable[..., Any]
    settings: bool = False

    @cached_property
    def signature(self) -> inspect.Signature:
        """The operations, the value, and the arguments that the rule knows."""
        return inspect.signature(self.function)

    def apply(self, operations: Operations, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The result; raises UntraceableError for an argument that the rule does not know."""
        kwargs = {_SYNONYMS.get(key, key): value for key, value in kwargs.items()}
        if kwargs.pop("out", None) is not None:
            raise UntraceableError(f"{name} with out=… has no rule; use its result")
        if self.settings:
            return self.function(operations, *args, **kwargs)
        try:
            bound = self.signature.bind(operations, *args, **kwargs)
        except TypeError as error:
            known = list(self.signature.parameters)[1:]
            strange = [key for key in kwargs if key not in known]
            what = f"with {', '.join(strange)}=…" if strange else f"called so ({error})"
            raise UntraceableError(f"{name} {what} has no rule; its rule knows {', '.join(known)}") from error
        return self.function(*bound.args, **bound.kwargs)


_RULES: dict[Callable[..., Any], Rule] = {}
_MODULES: dict[str, tuple[str, Callable[..., Any]]] = {}
# What a parameter may be: a zero that stays for all of these is one of a mask.
_SCALES = (1.0, -1.0, 1e4, -1e-4)
_HOMES = (torch, torch.Tensor, nn.functional, torch.special, torch.linalg, torch._C._nn)


def rule(kind: str, *names: str, settings: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the rule for all of torch's functions and methods of these names, in place or not."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            found = Rule(kind or name.strip("_"), function, settings)
            targets = [getattr(home, spelled, None) for home in _HOMES for spelled in (name, f"{name}_")]
            _RULES.update((target, found) for target in targets if callable(target))
        return function

    return enter


def whole_module(kind: str, *types: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the rule for modules of these types, by their full names: their own code is not followed."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        _MODULES.update(dict.fromkeys(types, (kind, function)))
        return function

    return enter


def find_rule(function: Callable[..., Any]) -> Rule | None:
    """The rule of a torch function, if there is one."""
    return _RULES.get(function)


def module_rule(module: nn.Module) -> tuple[str, Callable[..., Any]] | None:
    """The kind and rule of a module that is not followed inside, if there is one."""
    kind = type(module)
    return _MODULES.get(f"{kind.__module__}.{kind.__qualname__}")


def is_value(value: Any) -> bool:
    """Whether this is what flows along a network, and not a constant, a number or a setting."""
    return isinstance(value, Fields | Several | torch.Tensor)


def values_in(*arguments: Any) -> Iterator[Any]:
    """The values among the arguments and in lists, tuples and dictionaries there."""
    for argument in arguments:
        if is_value(argument):
            yield argument
        elif isinstance(argument, dict):
            yield from values_in(*argument.values())
        elif isinstance(argument, list | tuple):
            yield from values_in(*argument)


def lifted(ops: Operations, value: Any) -> Any:
    """A constant as a value that depends on nothing."""
    return ops.constant(value.shape) if isinstance(value, Constant) else value


def doubted(ops: Operations, result: Any, *factors: Any) -> Any:
    """A product of the factors; an upper bound where a constant among them hides something by its zeros."""
    return ops.bounded(result) if any(isinstance(part, Constant) and part.hides for part in factors) else result


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A number for all axes, or one each."""
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


for _family in ("windows", "pointwise", "sums", "shapes", "modules"):
    import_module(f"{__name__}.{_family}")
