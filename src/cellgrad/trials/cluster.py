"""Trials on Dask's workers: processes of this machine that live as long as the study, or a cluster that is there.

Importing this module imports Dask, which takes a second; `engines.dask` does it when it is needed.
"""

from __future__ import annotations

import logging
import signal
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import dask
import torch
from distributed import (
    CancelledError,
    Client,
    KilledWorker,
    LocalCluster,
    Worker,
    WorkerPlugin,
    as_completed,
    get_worker,
)
from distributed.comm import resolve_address
from tqdm import tqdm

from cellgrad import mnist
from cellgrad.mnist import Mnist
from cellgrad.trials.records import Record
from cellgrad.trials.tasks import Task, failed_record, on_device, run_task

PATIENCE = 10  # seconds to wait for a scheduler

TRIES = 2  # of a task whose process dies
_LOCAL = {
    # Dask blames every task that waits for a process that dies; the one that killed it is found by counting its starts.
    "distributed.scheduler.allowed-failures": 10**6,
    # What takes the place of a dead process may start slowly on a busy machine. Dask would give it up after 15 seconds,
    # end it with the task that it has begun, and wait for ever where none is left.
    "distributed.deploy.lost-worker-timeout": 10**9,
    "distributed.nanny.pre-spawn-environ": {"DASK_LOGGING__DISTRIBUTED": "critical"},
}


def in_processes(todo: Iterable[Task], data: Mnist, device: str, workers: int) -> Iterator[Record]:
    """In so many processes, which share this one's threads of computation; a task whose process dies is tried again.

    The processes end with this generator, and with this process, whatever ends it.
    """
    todo = list(todo)
    if not todo:
        return
    with (
        TemporaryDirectory() as starts,
        _processes(min(workers, len(todo))) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(_Prepared(data, max(1, torch.get_num_threads() // workers), starts))
        yield from on_dask(todo, client, None, device)


@contextmanager
def _processes(count: int) -> Iterator[LocalCluster]:
    """So many of Dask's workers on this machine, a process each; when this ends, they end, whatever they are doing."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are raised here
    cluster = None
    try:
        resource_tracker.ensure_running()  # now: when it starts, it makes its thread hear Ctrl-C again
        # Ctrl-C reaches all processes of a terminal. Those that are started in here, and those that will take the place
        # of dead ones, inherit that it is blocked; this one hears it, if only when they have started or ended.
        with dask.config.set(_LOCAL):
            with _without_control_c():
                cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            yield cluster
    finally:
        if cluster:
            with _without_control_c():
                for nanny in list(cluster.workers.values()):
                    with suppress(TimeoutError):
                        cluster.sync(nanny.close, timeout=1)
                cluster.close()


@contextmanager
def _without_control_c() -> Iterator[None]:
    """Hear Ctrl-C when this has ended, and let no process that is started in here hear it.

    What is started inherits that the signal is blocked. For this process, blocking it in one thread is not enough: the
    system gives it to another thread, such as one that numpy started, and Python then interrupts its main thread.
    """
    heard: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()  # only there may a handler be set
    handler = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number)) if in_main else None
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if can_block else None
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if in_main:
            signal.signal(signal.SIGINT, handler)
        if heard:
            signal.raise_signal(signal.SIGINT)


class _Prepared(WorkerPlugin):
    """What each process of `in_processes` is given: digits, its share of the threads, a folder to count starts in."""

    def __init__(self, data: Mnist, threads: int, starts: str) -> None:
        self.data, self.threads, self.starts = data, threads, starts

    def setup(self, worker: Worker) -> None:
        torch.set_num_threads(self.threads)
        tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system's, which a killed process leaves behind
        worker.given = self


def connect(scheduler: str) -> Client:
    """A connection to a Dask scheduler; raises ValueError where nothing answers."""
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its errors are raised here
    try:
        with warnings.catch_warnings(action="ignore"):  # that a kind of address is gone is raised, too
            return Client(resolve_address(scheduler), timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # whatever a kind of address makes Dask raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"scheduler: {scheduler!r} cannot be reached ({reason}); give the address that `dask scheduler` printed"
        ) from None


def on_dask(todo: Iterable[Task], client: Client, folder: str | None, device: str) -> Iterator[Record]:
    """By the workers of a cluster, which find the digits as `mnist.load(folder)` does, if they were not given them.

    They begin in the order of `todo`, so that a study that is stopped has whole seeds. Dask gives the task of a worker
    that dies to another one. Raises ConnectionError where the scheduler is lost. Closes the client.
    """
    with client:
        # One first word makes them a group, which waits at the scheduler, by priority; what is no group is dealt out to
        # the workers at once, and they take it from each other in any order. Another study that shares the scheduler
        # may ask for the same trial: each gets its own.
        ours = uuid4().hex
        tasks = {f"trial-{ours}-{task.key}": task for task in todo}
        futures = [
            client.submit(_run_anywhere, task, folder, device, key=key, priority=-place)
            for place, (key, task) in enumerate(tasks.items())
        ]
        for future in as_completed(futures, loop=client.loop):
            task = tasks[future.key]
            try:
                record = future.result()
            except CancelledError:
                raise ConnectionError("the Dask scheduler is gone; the trials that finished before are kept") from None
            except KilledWorker as error:
                record = failed_record(task, f"its process died, each time that it was tried: {error}")
            except Exception:  # what its worker raised
                record = failed_record(task, traceback.format_exc())
            future.release()  # or Dask would compute it again if the worker that holds it died
            yield record


_ALONE = threading.Lock()
_digits_here = cache(lambda folder, device: on_device(mnist.load(folder), device))


def _run_anywhere(task: Task, folder: str | None, device: str) -> Record:
    given = getattr(get_worker(), "given", None)
    with _ALONE:  # a worker may have several threads, but torch has one state of random numbers
        if not given:
            return run_task(task, _digits_here(folder, device), device)
        starts = Path(given.starts, task.key)
        if starts.exists() and starts.stat().st_size >= TRIES:
            return failed_record(task, f"its process died, {TRIES} times")
        with open(starts, "ab") as file:
            file.write(b".")
        record = run_task(task, on_device(given.data, device), device)
        starts.unlink()  # it came to its end; if this process dies with the record, that is another task's doing
        return record
