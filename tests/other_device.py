"""A device that no machine has, computed by the processor: what is on it meets nothing that is elsewhere.

It is called "mps", and like that one has no float64. An operation of tensors from two devices, and one that the
processor alone can do (numpy), fails here as it would there.
"""

import contextlib

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "mps"
# Where to read may be said by the processor, as on real devices.
_TAKES_PLACES = {"index", "index_put", "index_put_", "_index_put_impl_"}


class Far(torch.Tensor):
    """A tensor on that device; `here` has its numbers."""

    @staticmethod
    def __new__(cls, here):
        if here.dtype == torch.float64:
            raise TypeError(f"{NAME} has no float64")
        return torch.Tensor._make_wrapper_subclass(cls, here.shape, strides=here.stride(), dtype=here.dtype)

    def __init__(self, here):
        self.here = here

    @property
    def device(self):
        return torch.device(NAME)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        name, kwargs = function.overloadpacket.__name__, kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        mine = {id(tensor.here): tensor for tensor in tensors if isinstance(tensor, Far)}
        others = [tensor for tensor in tensors if not isinstance(tensor, Far) and tensor.ndim]
        if others and not (name in _TAKES_PLACES and isinstance(args[0], Far)):
            raise RuntimeError(f"{name}: expected all tensors on one device, found {NAME} and {others[0].device}")
        result = function(*tree_map(_here, args), **tree_map(_here, kwargs))
        return tree_map(lambda leaf: mine.get(id(leaf), _far(leaf)), result)


def _here(value):
    return value.here if isinstance(value, Far) else value


def _far(value):
    return Far(value) if isinstance(value, torch.Tensor) else value


class _Fetch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor, there):
        ctx.came_from_there = isinstance(tensor, Far)
        return Far(_here(tensor).clone()) if there else _here(tensor).clone()

    @staticmethod
    def backward(ctx, gradient):
        return _Fetch.apply(gradient, ctx.came_from_there), None


class _Machine(TorchFunctionMode):
    """Takes what moves between the two devices, before PyTorch says that it was built without one of them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        tensor = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if tensor is not None and name in ("to", "cpu"):
            return self._moved(function, name, tensor, args[1:], kwargs)
        if isinstance(tensor, Far) and name in ("numpy", "__array__"):
            raise TypeError(f"can't convert {NAME} device type tensor to numpy; use Tensor.cpu() first")
        if isinstance(tensor, Far) and name == "tolist":
            return function(tensor.here)
        asked = kwargs.get("device")
        if asked is not None and torch.device(asked).type == NAME:
            return Far(function(*args, **kwargs | {"device": "cpu"}))
        return function(*args, **kwargs)

    def _moved(self, function, name, tensor, args, kwargs):
        device, rest = ("cpu" if name == "cpu" else kwargs.pop("device", None)), []
        for arg in args:
            if isinstance(arg, torch.dtype):
                rest.append(arg)
            elif isinstance(arg, str | torch.device | torch.Tensor):
                device = arg.device if isinstance(arg, torch.Tensor) else arg
        kind = torch.device(tensor.device if device is None else device).type
        if kind == "meta":
            return function(_here(tensor), kind, *rest, **kwargs)
        if (kind == NAME) != isinstance(tensor, Far):
            tensor = _Fetch.apply(tensor, kind == NAME)
        changes = rest or {"dtype", "memory_format"} & kwargs.keys()
        return function(tensor, *rest, **kwargs) if changes else tensor


@contextlib.contextmanager
def other_device(monkeypatch):
    """Makes it the one device besides the processor, which "auto" then takes."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    # A module's parameters then become others, as they do when they move for good.
    monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
    with _Machine():
        yield NAME
