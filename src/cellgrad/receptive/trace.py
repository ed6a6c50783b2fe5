"""Walk through a PyTorch module, operation by operation, with something else than numbers flowing along its graph.

torch.fx records the graph. `Walk` follows it and looks up in `rules` what each module, function and method does, in
terms of `operations`. Two kinds of values know these: intervals of the image, with which `trace_fields` computes
receptive fields, and tensors that remember what they depend on (`measure`).
"""

from __future__ import annotations

import copy
import linecache
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cellgrad.receptive import intervals
from cellgrad.receptive.interval_operations import FieldOperations, summary
from cellgrad.receptive.operations import Geometry, Operations, UntraceableError
from cellgrad.receptive.recurrence import agree
from cellgrad.receptive.rules import LAYERS, RULES, is_value, values_in

# Asked of a tensor, these answer with plain numbers.
QUERIES = {"getattr", "size", "dim", "_assert", "len", "numel", "is_floating_point", "ndimension", "get_device"}


@dataclass(frozen=True)
class Step:
    """One operation of the graph: its row's name and kind, its result, and the window it had, if any."""

    name: str
    kind: str
    result: Any
    geometry: Geometry | None = None
    note: str = ""


def record(module: nn.Module) -> fx.GraphModule:
    """The graph of a module as it behaves when evaluated; the module itself stays as it is.

    Raises UntraceableError with the line of code where recording stopped.
    """
    # A copy of the structure alone: it shares every parameter and buffer with the original.
    shared = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    twin = copy.deepcopy(module, shared).eval()
    try:
        return fx.symbolic_trace(twin)
    except Exception as error:
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if "/torch/" not in frame.filename.replace("\\", "/") and frame.filename != __file__
        ]
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip() if frames else ""
        where = f" at `{line}` in {frames[-1].name}" if line else ""
        raise UntraceableError(
            f"{type(module).__name__} cannot be traced{where}: {str(error).splitlines()[0]}; "
            "what the module does must not depend on the values it is given"
        ) from error


class Walk(fx.Interpreter):
    """Runs a recorded graph on values that know `Operations`, and keeps each step."""

    def __init__(self, graph: fx.GraphModule, operations: Operations):
        super().__init__(graph)
        self.operations = operations
        self.steps: list[Step] = []
        self._kind: str | None = None
        self._names: Counter[str] = Counter()
        # Errors here name the layer themselves; fx would add the whole graph's position and file paths.
        self.extra_traceback = False

    def run_node(self, node: fx.Node) -> Any:
        """One step; errors name the layer."""
        self._kind = None
        self.operations.geometry, self.operations.note = None, ""
        name = str(node.target) if node.op == "call_module" else node.name
        try:
            result = super().run_node(node)
        except UntraceableError as error:
            raise UntraceableError(f"{name}: {error}") from error.__cause__
        except (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError) as error:
            raise ValueError(f"{name}: {error}") from error
        first = result[0] if self._kind == "attention" and isinstance(result, tuple) else result
        if self._kind and is_value(first):
            self._names[name] += 1
            # A module called again, as ResNet calls its ReLU, gets a row for each call.
            unique = name if self._names[name] == 1 else f"{name} ({self._names[name]})"
            self.steps.append(Step(unique, self._kind, first, self.operations.geometry, self.operations.note))
        return result

    def get_attr(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A parameter or buffer by its own: it depends on no pixel."""
        value = self.fetch_attr(target)
        return self.operations.constant(value.shape) if isinstance(value, torch.Tensor) else value

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A layer of torch.nn."""
        module = self.fetch_attr(target)
        if type(module) not in LAYERS:
            raise UntraceableError(f"no rule for the module {type(module).__name__}")
        self._kind, rule = LAYERS[type(module)]
        return rule(self.operations, module, *args, **kwargs)

    def call_function(self, target: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        """A function of torch, torch.nn.functional, operator or torchvision."""
        name = getattr(target, "__name__", str(target))
        plain = not any(map(is_value, values_in(args, kwargs)))
        if plain or name in QUERIES or (name == "getitem" and not is_value(args[0])):
            return target(*args, **kwargs)
        home = (getattr(target, "__module__", None) or "torch").partition(".")[0]
        if home not in ("torch", "_operator", "builtins", "math", "torchvision"):
            raise UntraceableError(f"no rule for the function {home}.{name}")
        return self._follow(name, args, kwargs)

    def call_method(self, target: str, args: tuple, kwargs: dict) -> Any:
        """A method of a tensor."""
        if target in QUERIES or not is_value(args[0]):
            return getattr(args[0], target)(*args[1:], **kwargs)
        return self._follow(target, args, kwargs)

    def _follow(self, name: str, args: tuple, kwargs: dict) -> Any:
        name = name if name in RULES else name.strip("_")
        if name not in RULES:
            raise UntraceableError(f"no rule for the operation {name}")
        self._kind, rule = RULES[name]
        return rule(self.operations, *args, **{key: value for key, value in kwargs.items() if key != "inplace"})


def steps_of(module: nn.Module, operations: Operations, image: Any) -> list[Step]:
    """Every operation of a module that depends on the image, a value that knows these operations."""
    walk = Walk(record(module), operations)
    walk.run(image)
    steps = [step for step in walk.steps if not operations.is_constant(step.result)]
    if not steps:
        raise ValueError(f"{type(module).__name__} has no layers; give at least one")
    return steps


def trace_fields(module: nn.Module, input_size: Sequence[int], clipped: bool = False) -> list[Step]:
    """Every operation of a module with what its units see; result of each step: `Fields`.

    clipped: what they see of a real image, border and all, instead of the field as it goes on beyond the border.
    """
    image = intervals.image(input_size, clipped)
    return steps_of(module, FieldOperations(image), image)


def table_rows(module: nn.Module, input_size: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `cellgrad.receptive.receptive_field` for a module."""
    rows, single = [], Geometry.plain((1,) * (len(input_size) - 1))
    for step in trace_fields(module, input_size):
        geometry = step.geometry or single
        kind = step.kind
        if step.note == "whole input":
            kind = kind.replace("adaptive", "global")
        elif step.note:
            kind = f"{kind}, {step.note}"
        if not step.result.exact:
            kind = f"{kind}, upper bound"
        field = summary(step.result)
        rows.append(
            {
                "layer": step.name,
                "kind": kind,
                "kernel": agree(geometry.kernel),
                "stride": agree(geometry.stride),
                "padding": agree([a if a == b else (a, b) for a, b in geometry.padding]),
                "dilation": agree(geometry.dilation),
                "output_size": tuple(step.result.shape[1:]),
                **field,
                "local": field["size"],
            }
        )
    return rows
