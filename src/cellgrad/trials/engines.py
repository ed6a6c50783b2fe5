"""Where trials are computed: in this process, or by Dask's workers. Tasks in, records out as they finish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType

from cellgrad.mnist import Mnist
from cellgrad.trials.records import Record
from cellgrad.trials.tasks import Task, on_device, run_task


def in_this_process(todo: Iterable[Task], data: Mnist, device: str) -> Iterator[Record]:
    """One after the other, here."""
    data = on_device(data, device)
    for task in todo:
        yield run_task(task, data, device)


def dask() -> ModuleType:
    """The module `trials.cluster`, loaded when it is needed; raises ValueError where Dask is not installed."""
    try:
        return import_module("cellgrad.trials.cluster")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"workers and scheduler need Dask ({error.name} is not installed): pip install 'cellgrad[cluster]'"
        ) from None
