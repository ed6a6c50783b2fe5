"""Where trials are computed: in this process, in several, on a Dask cluster. Tasks in, records out as they finish."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from cellgrad import mnist
from cellgrad.mnist import Mnist
from cellgrad.training.loop import pick_device
from cellgrad.trials.records import Record
from cellgrad.trials.tasks import Task, failed_record, run_task

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 10  # seconds to wait for a scheduler


def _on_device(data: Mnist, device: str) -> Mnist:
    """The digits where they are computed on, moved once and not for every trial."""
    device = pick_device(device)
    return replace(data, train=data.train.to(device), test=data.test.to(device))


def in_this_process(todo: Iterable[Task], data: Mnist, device: str) -> Iterator[Record]:
    """One after the other, here."""
    data = _on_device(data, device)
    for task in todo:
        yield run_task(task, data, device)


def in_processes(todo: Iterable[Task], data: Mnist, device: str, workers: int) -> Iterator[Record]:
    """In so many processes, which share this one's threads of computation; a task whose process dies is tried again.

    Each process has a pipe of its own, so that it is known which task a dead one had. None outlives this generator,
    nor this process.
    """
    context = multiprocessing.get_context("spawn")
    waiting, deaths = deque(todo), Counter()
    threads = max(1, torch.get_num_threads() // workers)
    processes, running = [], {}

    def start() -> tuple[Connection, multiprocessing.Process]:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, data, device, threads), daemon=True)
        with _deaf_to_control_c():
            process.start()
            processes.append(process)
        theirs.close()
        return ours, process

    def give(pipe: Connection, process: multiprocessing.Process) -> None:
        if not waiting:
            pipe.close()  # and the process leaves
            return
        running[pipe] = process, waiting.popleft()
        with suppress(OSError):  # it has just died: seen when its answer is read
            pipe.send(running[pipe][1])

    try:
        for _ in range(min(workers, len(waiting))):
            give(*start())
        while running:
            for pipe in wait(running):
                process, task = running.pop(pipe)
                try:
                    record = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    deaths[task.key] += 1
                    if deaths[task.key] < 2:
                        record = None
                        waiting.append(task)
                    else:
                        record = failed_record(
                            task, f"its process died, twice, the last time with exit code {process.exitcode}"
                        )
                    pipe, process = start()
                give(pipe, process)
                if record:
                    yield record
    finally:
        for process in processes:
            process.kill()
            process.join()


@contextmanager
def _deaf_to_control_c() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal; those started in here ignore it, and the first one ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set this, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Connection, data: Mnist, device: str, threads: int) -> None:
    """A process of `in_processes`: answers each task with its record, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once more, for Windows, where nothing of it is inherited
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system's, which a killed process leaves behind
    torch.set_num_threads(threads)
    data = _on_device(data, device)
    with suppress(EOFError):
        while True:
            pipe.send(run_task(pipe.recv(), data, device))


def connect(scheduler: str) -> Client:
    """A connection to a Dask scheduler; raises ValueError where Dask is not installed or nothing answers."""
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ModuleNotFoundError:
        raise ValueError("scheduler: this needs Dask: pip install 'cellgrad[cluster]'") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its errors are raised here
    try:
        return Client(resolve_address(scheduler), timeout=PATIENCE)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"scheduler: {scheduler!r} cannot be reached ({error}); give the address that `dask scheduler` printed"
        ) from None


def on_dask(todo: Iterable[Task], client: Client, folder: str | None, device: str) -> Iterator[Record]:
    """On a Dask cluster, whose workers find the digits as `mnist.load(folder)` does; Dask sees to workers that die.

    Raises ConnectionError where the scheduler is lost. Closes the client.
    """
    from distributed import CancelledError, as_completed

    with client:
        tasks = {task.key: task for task in todo}
        futures = [client.submit(_run_anywhere, task, folder, device, key=key) for key, task in tasks.items()]
        for future in as_completed(futures, loop=client.loop):
            try:
                record = future.result()
            except CancelledError:
                raise ConnectionError("the Dask scheduler is gone; the trials that finished before are kept") from None
            except Exception:  # what its worker raised, or Dask when several workers died of it
                record = failed_record(tasks[future.key], traceback.format_exc())
            future.release()  # or Dask would compute it again if the worker that holds it died
            yield record


_ALONE = threading.Lock()
_digits_here = cache(lambda folder, device: _on_device(mnist.load(folder), device))


def _run_anywhere(task: Task, folder: str | None, device: str) -> Record:
    with _ALONE:  # a worker may have several threads, but torch has one state of random numbers
        return run_task(task, _digits_here(folder, device), device)
