"""The reader's own network: found in her file or notebook, examined, described.

Finding what a file defines (`loading`) needs no torch.
"""

from importlib import import_module
from typing import Any

from cellgrad.networks.loading import NetworkError

_WITH_TORCH = {
    "Description": "description",
    "Examination": "examination",
    "Scores": "examination",
    "OwnNetwork": "trained",
    "describe": "description",
    "examine": "examination",
    "find_network": "finding",
    "own_network": "trained",
}

__all__ = [*_WITH_TORCH, "NetworkError"]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
