"""From Cells to ConvNets: the code that the book's chapters share. Importing this module alone is cheap."""

from typing import Any

from cellgrad import _moved

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name == "check":  # what the exercises call; it waits for SymPy, and this module does not
        from cellgrad.exercises import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_moved.install()
