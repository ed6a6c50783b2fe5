"""Follow a PyTorch module, operation by operation, with something else than numbers flowing through it.

The module's own forward runs, on tensors that have a shape but no memory (torch's meta device), so that types, shapes
and whatever depends on them are what they will be. Each call of a torch function is caught on its way; `rules` says
what it does, in terms of `operations`, and its result must have the shape that torch gave. Two kinds of values know
these operations: intervals of the image (`interval_operations`), and tensors that remember what they depend on
(`measure`).
"""

from __future__ import annotations

import copy
import linecache
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from cellgrad.receptive.operations import Geometry, Operations, Several, Together, UntraceableError
from cellgrad.receptive.rules import Constant, Rule, find_rule, module_rule
from cellgrad.receptive.rules.windows import misfit

# What moves numbers about is not what a layer of several operations is known for.
_MOVES = {"transpose", "permute", "reshape", "flatten", "pad", "squeeze", "unsqueeze", "contiguous"}
# Results that are several tensors of equal right, and no layer.
_PIECES = {"chunk", "split", "unbind"}
_ASKS_FOR_VALUES = {"__bool__", "__int__", "__float__", "__index__", "item", "tolist", "numpy", "nonzero", "__array__"}
_CHANGES_PLACE = {"to", "cuda", "cpu", "xpu", "npu"}
# Their second tensor gives its shape or its type alone.
_LIKE_ANOTHER = {"type_as", "expand_as", "view_as", "reshape_as"}


Drawn = Callable[[float], torch.Tensor]


@dataclass
class Call:
    """One call of a module: its name in the network, and whether what happens in it is one layer."""

    path: str
    leaf: bool
    childless: bool
    steps: int = 0


@dataclass(frozen=True)
class Step:
    """One operation: its row's name and kind, its result, the window it had, if any, and the steps it builds on."""

    name: str
    kind: str
    result: Any
    sources: frozenset[int]
    geometry: Geometry | None = None
    note: str = ""
    call: Call | None = None


@dataclass(frozen=True)
class Mark:
    """What is known of a tensor: what flows through it (None: a constant), from which steps, as of which version.

    drawn: of a constant made of parameters, the same made of parameters that are all about as large as a number.
    """

    value: Any = None
    sources: frozenset[int] = frozenset()
    version: int = 0
    drawn: Drawn | None = None


def _version(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _mark(tensor: torch.Tensor) -> Mark | None:
    return tensor.__dict__.get("_cellgrad_mark")


def _value_of(tensor: torch.Tensor) -> Any:
    mark = _mark(tensor)
    return mark.value if mark else None


def _tensors(*arguments: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor)]


def _places(index: Any) -> Any:
    """The numbers of what a mask picks, where it is known: tensors without memory cannot count them."""
    known = isinstance(index, torch.Tensor) and index.dtype == torch.bool and index.ndim == 1 and not index.is_meta
    return index.nonzero().flatten() if known else index


def _at_random(shape: torch.Size) -> Drawn:
    """What stands for a parameter that may take any values."""
    return lambda scale: scale * (1 + torch.rand(shape, generator=torch.Generator().manual_seed(0)))


def _drawing(argument: Any) -> Drawn | Any:
    """An argument of a function of constants, as it is drawn; as it is now, whatever becomes of it."""
    if not isinstance(argument, torch.Tensor) or not argument.is_meta:
        return argument
    mark = _mark(argument)
    return mark.drawn if mark and mark.drawn else _at_random(argument.shape)


def _drawn_by(function: Callable, args: tuple, kwargs: dict, place: int | None) -> Drawn:
    """How a function's result is drawn: the tensor in this place among its results, or (None) what it changes."""
    arguments = tree_map(_drawing, (args, kwargs))

    def drawn(scale: float) -> torch.Tensor:
        own_args, own_kwargs = tree_map(lambda part: part(scale) if callable(part) else part, arguments)
        if place is None:
            own_args = (own_args[0].clone(), *own_args[1:])
        result = function(*own_args, **own_kwargs)
        return own_args[0] if place is None else _tensors(result)[place]

    return drawn


def _unknown(scale: float) -> torch.Tensor:
    raise NotImplementedError("changed through a view of it")


def _meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) and not value.is_meta else value


class _Copying(TorchFunctionMode):
    """While a module is copied: no tensor takes memory, and results of operations may be copied too."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function is torch.Tensor.__deepcopy__:
            tensor, memo = args
            if isinstance(tensor, nn.parameter.UninitializedBuffer):
                lazy: Any = nn.parameter.UninitializedBuffer
                return lazy(device=tensor.device, dtype=tensor.dtype)
            twin = tensor.detach().to("meta") if tensor.requires_grad else tensor.detach().cpu().clone()
            if tensor.requires_grad:
                twin._cellgrad_mark = Mark()
            memo[id(tensor)] = twin
            return twin
        return function(*args, **(kwargs or {}))


def twin_of(module: nn.Module) -> nn.Module:
    """A copy of a module as it is when evaluated, with parameters that take no memory and buffers of its own.

    Raises UntraceableError where there is no Python code to follow, or no copy can be made.
    """
    while isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel) or hasattr(module, "_orig_mod"):
        inside: Any = module.module if hasattr(module, "module") else module._orig_mod
        module = inside
    for name, child in module.named_modules():
        if isinstance(child, torch.jit.ScriptModule):
            whom = f"{name}: " if name else ""
            raise UntraceableError(f"{whom}it is compiled by torch.jit; pass the unscripted module")
    if isinstance(module, nn.RNNBase):
        raise UntraceableError(
            f"{type(module).__name__} reads (time, features), and a field needs (channels, positions); wrap it in a "
            "module that takes channels first and transposes"
        )
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        if not isinstance(parameter, nn.parameter.UninitializedParameter):
            memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    try:
        with _Copying():
            return copy.deepcopy(module, memo).eval()
    except Exception as error:
        raise UntraceableError(
            f"{type(module).__name__} cannot be copied, which it must be to stay as it is: {_first_line(error)}; "
            "take what cannot be copied off it"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class Walk(TorchFunctionMode):
    """Catches each torch function while a module runs, and keeps each step."""

    def __init__(self, operations: Operations):
        super().__init__()
        self.operations = operations
        self.steps: list[Step] = []
        self.ends: dict[str, frozenset[int]] = {}
        self.refusal: UntraceableError | None = None
        self._calls: list[Call] = []

    # ---- modules -----------------------------------------------------------------------------------------------------

    def watch(self, twin: nn.Module) -> None:
        """Notice each call of each module in a copy that is ours."""
        for path, child in twin.named_modules():
            own = "torch.nn.modules" in (type(child).forward.__module__ or "") and not isinstance(child, nn.Sequential)
            inner = [name for name, _ in child.named_children() if name != "parametrizations"]
            childless = not inner and bool(path)
            leaf = (childless and own) or isinstance(child, nn.MultiheadAttention)
            child.register_forward_pre_hook(self._entering(path, leaf, childless), prepend=True)
            child.register_forward_hook(self._leaving(path))
            rule = module_rule(child)
            if rule is not None:
                child.forward = self._whole_module(child, *rule)

    def _entering(self, path: str, leaf: bool, childless: bool) -> Callable[..., None]:
        def enter(module: nn.Module, args: Any) -> None:
            self._calls.append(Call(path, leaf, childless))

        return enter

    def _leaving(self, path: str) -> Callable[..., None]:
        def leave(module: nn.Module, args: Any, output: Any) -> None:
            call = self._calls.pop()
            for tensor in _tensors(output):
                mark = _mark(tensor)
                if mark and mark.value is not None:
                    if call.leaf and not call.steps:
                        self._keep(type(module).__name__.lower(), type(module).__name__.lower(), tensor, mark, call)
                    self.ends[path] = _mark(tensor).sources
                    break

        return leave

    def _whole_module(self, module: nn.Module, kind: str, rule: Callable[..., Any]) -> Callable[..., Any]:
        def forward(x: torch.Tensor) -> torch.Tensor:
            mark, result = self._known(x), torch.empty(x.shape, device="meta")
            self._calls[-1].leaf = True
            self._prepare(tuple(x.shape))
            with torch.inference_mode(False), torch.enable_grad():
                value = rule(self.operations, module, mark.value)
            self._keep(kind, kind, result, Mark(value, mark.sources), self._calls[-1])
            return result

        return forward

    # ---- functions ---------------------------------------------------------------------------------------------------

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """One call of a torch function; errors name the layer."""
        kwargs, name = dict(kwargs or {}), function.__name__
        try:
            if name == "__setitem__":
                _put_back(*args)
            if name in _CHANGES_PLACE:
                args, kwargs = _without_places(args, kwargs)
                if len(args) == 1 and not kwargs:
                    return args[0]
            told_apart = args[:1] if name in _LIKE_ANOTHER else (args, kwargs)
            if not any(self._known(tensor).value is not None for tensor in _tensors(told_apart)):
                return self._plain(function, name, args, kwargs)
            if name == "__get__":
                return self._attribute(function, args)
            return self._follow(function, name, args, kwargs)
        except UntraceableError as error:
            named = UntraceableError(f"{self._layer(name)}: {error}")
            self.refusal = self.refusal or named
            raise named from error.__cause__
        except (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError) as error:
            if str(error).startswith(f"{self._layer(name)}: "):
                raise
            raise type(error)(f"{self._layer(name)}: {_first_line(error)}") from error

    def _layer(self, name: str) -> str:
        inner = self._calls[-1] if self._calls else None
        return inner.path if inner and inner.childless else name.strip("_")

    def _known(self, tensor: torch.Tensor) -> Mark:
        mark = _mark(tensor)
        if mark is None:
            if tensor.is_meta and not isinstance(tensor, nn.Parameter):
                raise UntraceableError(
                    "a tensor comes from where it cannot be followed, such as a function compiled by torch.jit or an "
                    "operator of one's own; use the Python function"
                )
            return Mark()
        if mark.value is not None and mark.version != _version(tensor):
            raise UntraceableError(
                "a tensor was changed in place through another name for it, which cannot be followed; "
                "use an operation that makes a new tensor"
            )
        return mark

    def _plain(self, function: Callable, name: str, args: tuple, kwargs: dict) -> Any:
        """A function of constants."""
        if "device" in kwargs and not _tensors(args):
            kwargs["device"] = "cpu"
        try:
            result = function(*args, **kwargs)
        except (RuntimeError, NotImplementedError) as error:
            if name in _ASKS_FOR_VALUES:
                raise UntraceableError(
                    "what the module does must not depend on the values of its parameters"
                ) from error
            if len({tensor.is_meta for tensor in _tensors(args, kwargs)}) < 2:
                raise
            result = function(*tree_map(_meta, args), **tree_map(_meta, kwargs))
        _remember(function, name, args, kwargs, result)
        return torch.device("cpu") if isinstance(result, torch.device) else result

    def _attribute(self, function: Callable, args: tuple) -> Any:
        result, name = function(*args), function.__self__.__name__
        if isinstance(result, torch.device):
            return torch.device("cpu")
        if not isinstance(result, torch.Tensor):
            return result
        if name in ("T", "mT", "H", "mH"):
            order = list(range(args[0].ndim))
            order = [*order[:-2], *order[:-3:-1]] if name in ("mT", "mH") else order[::-1]
            return self._follow(torch.Tensor.permute, "permute", (args[0], order), {})
        if name in ("data", "real"):
            result._cellgrad_mark = replace(self._known(args[0]), version=_version(result))
            return result
        raise UntraceableError(f"no rule for the attribute {name}")

    def _prepare(self, outputs: tuple[int, ...]) -> None:
        self.operations.geometry, self.operations.note, self.operations.outputs = None, "", outputs

    def _follow(self, function: Callable, name: str, args: tuple, kwargs: dict) -> Any:
        """A function of what flows through the network."""
        rule = find_rule(function)
        args = tree_map(_places, args) if name == "__getitem__" else args
        real_args, real_kwargs = tree_map(_meta, args), tree_map(_meta, kwargs)
        if rule is None:
            return self._asked(function, name, real_args, real_kwargs)
        _check_axes(name, args)
        in_place = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        try:
            real = args[0] if in_place else _real(function, rule, real_args, real_kwargs)
        except NotImplementedError as error:
            raise UntraceableError(f"{name} cannot run without memory") from error
        except (RuntimeError, ValueError) as error:
            raise ValueError(misfit(args, kwargs, rule) or _first_line(error)) from error
        if isinstance(real, torch.Tensor) and real.numel() == 0:
            # No numbers, as where a network has no class tokens: they depend on nothing.
            real._cellgrad_mark = Mark()
            return real
        self._prepare(tuple(real.shape) if isinstance(real, torch.Tensor) else ())
        marks = [self._known(tensor) for tensor in _tensors(args, kwargs)]
        flowing = [mark for mark in marks if mark.value is not None]
        values = [tree_map(self._value, part) for part in (args, kwargs)]
        with torch.inference_mode(False), torch.enable_grad():
            result = rule.apply(self.operations, name, *values)
        if name == "__setitem__" or (in_place and any(mark.value is not _value_of(real) for mark in flowing)):
            # Other names for the same memory no longer say what they said.
            torch.autograd.graph.increment_version(real)
        sources = frozenset().union(*(mark.sources for mark in flowing))
        self._keep_all(name.strip("_"), rule.kind, real, result, sources)
        return None if name == "__setitem__" else real

    def _keep_all(self, name: str, kind: str, real: Any, result: Any, sources: frozenset[int]) -> None:
        """What a function gave, one tensor or several, marked; of several that are one layer, the first is its step."""
        several = isinstance(result, list | tuple)
        pairs = zip(tree_leaves(real), result, strict=True) if several else [(real, result)]
        for tensor, value in pairs:
            if value is None or tensor.numel() == 0:
                if isinstance(tensor, torch.Tensor):
                    tensor._cellgrad_mark = Mark()
                continue
            if tuple(value.shape) != tuple(tensor.shape):
                raise UntraceableError(
                    f"its rule gives the shape {tuple(value.shape)}, but torch {tuple(tensor.shape)}; please report it"
                )
            if (several and kind in _PIECES) or not kind:
                tensor._cellgrad_mark = Mark(value, sources, _version(tensor))
            else:
                self._keep(name, kind, tensor, Mark(value, sources))
                sources = _mark(tensor).sources
                if several:
                    kind = ""

    def _asked(self, function: Callable, name: str, args: tuple, kwargs: dict) -> Any:
        """A function without a rule: fine if it asks only for what a shape can answer."""
        try:
            result = function(*args, **kwargs)
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            if name in _ASKS_FOR_VALUES:
                raise UntraceableError("what the module does must not depend on the values it is given") from error
            result = error
        if isinstance(result, Exception) or _tensors(result) or (name.endswith("_") and not name.endswith("__")):
            raise UntraceableError(
                f"no rule for the operation {name}; leave it out or replace it by one that has a rule"
            )
        return result

    def _value(self, argument: Any) -> Any:
        if not isinstance(argument, torch.Tensor):
            return argument
        mark = self._known(argument)
        return Constant(argument, mark.drawn) if mark.value is None else mark.value

    def _keep(self, name: str, kind: str, tensor: torch.Tensor, mark: Mark, call: Call | None = None) -> None:
        """A step, and its result marked."""
        call = call or (self._calls[-1] if self._calls else None)
        if call is not None:
            call.steps += 1
        operations = self.operations
        note, geometry = operations.note, operations.geometry
        self.steps.append(Step(name, kind, mark.value, mark.sources, geometry, note, call))
        tensor._cellgrad_mark = Mark(mark.value, frozenset([len(self.steps) - 1]), _version(tensor))


def _real(function: Callable, rule: Rule, args: tuple, kwargs: dict) -> Any:
    """What torch gives, on tensors without memory; never in place, and without work where the shape is known."""
    if "inplace" in kwargs:
        kwargs = kwargs | {"inplace": False}
    if rule.kind == "batch_norm" and args and _fits_norm(*args, **kwargs):
        return torch.empty_like(args[0])
    return function(*args, **kwargs)


def _remember(function: Callable, name: str, args: tuple, kwargs: dict, result: Any) -> None:
    """Mark what a function of constants made or changed, and keep how it is drawn."""
    changes = name in ("__setitem__", "__set__") or (name.endswith("_") and not name.endswith("__"))
    if changes and args and isinstance(args[0], torch.Tensor) and args[0].is_meta:
        target: Any = args[0]
        whole = target if target._base is None else target._base
        drawn = _drawn_by(function, args, kwargs, None) if whole is target else _unknown
        if name == "__set__":
            drawn = _drawing(args[1])
        for changed in (target, whole, whole.__dict__.get("_cellgrad_owner", whole)):
            changed._cellgrad_mark = Mark(drawn=drawn)
    for place, tensor in enumerate(_tensors(result)):
        if tensor.is_meta and _mark(tensor) is None:
            tensor._cellgrad_mark = Mark(drawn=_drawn_by(function, args, kwargs, place))
            if name in ("__get__", "detach"):
                tensor.__dict__["_cellgrad_owner"] = args[0]


def _put_back(target: torch.Tensor, index: Any, value: Any) -> None:
    """In x[i] += y the sum changes a view of x first, and then x takes it back, which makes x known again."""
    mark = _mark(target)
    if mark is None or not isinstance(value, torch.Tensor) or value.is_inference():
        return
    bases = [tensor if tensor._base is None else tensor._base for tensor in (target, value)]
    if bases[0] is bases[1]:
        target._cellgrad_mark = replace(mark, version=_version(target))


def _fits_norm(
    x: torch.Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    *_: Any,
    **__: Any,
) -> bool:
    """Whether a batch norm surely leaves shape and type alone; torch itself, without memory, takes long to say so."""
    given = (running_mean, running_var, weight, bias)
    fits = (part is not None and part.shape == x.shape[1:2] and part.dtype == x.dtype for part in given)
    return not training and x.numel() > 0 and all(fits)


def _without_places(args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments of Tensor.to and its like without a device; a tensor to be like gives its type alone."""
    rest = [arg for arg in args[1:] if not isinstance(arg, torch.device | str | int | None)]
    rest = [arg.dtype if isinstance(arg, torch.Tensor) else arg for arg in rest if not isinstance(arg, bool)]
    kept = {name: value for name, value in kwargs.items() if name in ("dtype", "memory_format")}
    return (args[0], *rest), kept


def _check_axes(name: str, args: tuple) -> None:
    found = re.search(r"(?:conv|pool).*([123])d", name)
    if found and args and isinstance(args[0], torch.Tensor):
        axes, shape = int(found[1]), tuple(args[0].shape[1:])
        if len(shape) - 1 != axes:
            raise ValueError(
                f"works on {axes}-D images, but its input has {len(shape) - 1} axes after the channels, shape {shape}; "
                f"give input_size as channels and {axes} more numbers, without the batch"
            )


# ---- the whole network -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """A network's rows in the order of execution, and for the name of each module in it the row where its result is.

    outputs: the row of each tensor that the network returns; None for a constant.
    """

    rows: list[Step]
    ends: dict[str, int] = field(default_factory=dict)
    outputs: tuple[int | None, ...] = ()

    def place(self, layer: str | None) -> int:
        """The row of a layer, by its name in the table or a module's name; of the last one when None."""
        names = [row.name for row in self.rows]
        if layer is None:
            return len(names) - 1
        if isinstance(layer, str):
            if layer in names:
                return names.index(layer)
            if layer in self.ends:
                return self.ends[layer]
        raise ValueError(f"layer: there is no {layer!r}; choose among {', '.join(names)}")


def follow(module: nn.Module, input_size: Sequence[int], operations: Operations, image: Any) -> Trace:
    """Every operation of a module on which its output depends; image: a value that knows the operations.

    Raises ValueError where a layer does not fit, with its name, and UntraceableError for what cannot be followed.
    """
    twin, kind = twin_of(module), type(module).__name__
    walk = Walk(operations)
    walk.watch(twin)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)  # a forward that draws lots draws the same ones each time
        types = [tensor.dtype for tensor in twin.parameters() if tensor.dtype.is_floating_point]
        pixels = torch.empty(1, *input_size, device="meta", dtype=types[0] if types else None)
        pixels._cellgrad_mark = Mark(image, version=_version(pixels))
        try:
            with walk:
                output = twin(pixels)
        except UntraceableError as error:
            raise UntraceableError(f"{error}{_where(error)}") from error.__cause__
        except Exception as error:
            raise ValueError(f"{_first_line(error)}{_where(error)}") from error
    if walk.refusal is not None:
        raise walk.refusal
    marks = [_mark(tensor) for tensor in _result_tensors(output)]
    if output is None:
        raise ValueError(f"{kind} returns nothing; end its forward with return")
    if any(mark is None for mark in marks):
        raise UntraceableError(f"{kind}: its output comes from where it cannot be followed; pass the unscripted module")
    return _arranged(walk, [mark.sources for mark in marks], kind)


def follow_together(module: nn.Module, input_size: Sequence[int], *ways: tuple[Operations, Any]) -> list[Trace]:
    """What `follow` gives for each of several operations, each with its image, from running the module once."""
    operations: Any = Together(*(each for each, _ in ways))
    trace = follow(module, input_size, operations, Several(tuple(image for _, image in ways)))
    return [
        replace(trace, rows=[replace(row, result=row.result.values[place]) for row in trace.rows])
        for place in range(len(ways))
    ]


def _result_tensors(output: Any) -> list[torch.Tensor]:
    """The tensors of a result; those of an object with fields, as other libraries return, too."""
    leaves = tree_leaves(output)
    return _tensors(leaves, [list(vars(leaf).values()) for leaf in leaves if hasattr(leaf, "__dict__")])


def _where(error: BaseException) -> str:
    """The line of the user's code, for errors that did not come with a layer of torch.nn."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/torch/" not in frame.filename.replace("\\", "/")
        and "cellgrad/receptive" not in frame.filename.replace("\\", "/")
    ]
    line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip() if frames else ""
    return f" (at `{line}` in {frames[-1].name})" if line and len(line) < 100 else ""


def _arranged(walk: Walk, outputs: Sequence[frozenset[int]], kind: str) -> Trace:
    """The steps that the output depends on, as rows: those of one layer in one, each with a name of its own."""
    live, waiting = set(), [place for sources in outputs for place in sources]
    while waiting:
        place = waiting.pop()
        if place not in live:
            live.add(place)
            waiting.extend(walk.steps[place].sources)
    if not live:
        raise ValueError(f"{kind} has no layers on the way to its output; give at least one")
    groups: list[list[int]] = []
    for place in sorted(live):
        call = walk.steps[place].call
        together = call is not None and call.leaf and groups and walk.steps[groups[-1][-1]].call is call
        if together:
            groups[-1].append(place)
        else:
            groups.append([place])
    counts = Counter(id(walk.steps[group[0]].call) for group in groups)
    rows: list[Step] = []
    row_of: dict[int, int] = {}
    names: Counter[str] = Counter()
    for group in groups:
        row = _one_row([walk.steps[place] for place in group])
        call = row.call
        by_path = call is not None and (call.leaf or (call.childless and counts[id(call)] == 1))
        base = call.path if by_path else row.name
        again = names[base]
        names[base] += 1
        # A module called again, as ResNet calls its ReLU, gets a row for each call.
        name = base if not again else f"{base} ({again + 1})" if by_path else f"{base}_{again}"
        sources = frozenset(row_of[place] for step in group for place in walk.steps[step].sources if place in row_of)
        row_of |= dict.fromkeys(group, len(rows))
        rows.append(replace(row, name=name, sources=sources))
    ends = {path: max(row_of[p] for p in places) for path, places in walk.ends.items() if places and places <= live}
    return Trace(rows, ends, tuple(max((row_of[place] for place in sources), default=None) for sources in outputs))


def _one_row(steps: Sequence[Step]) -> Step:
    """The steps of one layer as one: its last result, the window and the kind of what it is known for."""
    known = [step for step in steps if step.kind not in _MOVES] or list(steps)
    main, geometry = known[-1], known[-1].geometry
    for step in steps:
        if geometry and step.kind == "pad" and step is not main and step.geometry:
            geometry = geometry.behind(step.geometry)
    return replace(main, result=steps[-1].result, geometry=geometry)
