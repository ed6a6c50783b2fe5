"""Many trainings, each with a variant and a seed, recorded one JSON line each; what is recorded is not run again.

A study's trials are independent tasks; the record of each is appended to one file as it comes in. Stopped at any
moment, a study loses at most what was running, and a second start does only what is missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from cellgrad import checks
from cellgrad.mnist import Mnist
from cellgrad.training.loop import pick_device
from cellgrad.trials.engines import dask, in_this_process
from cellgrad.trials.records import Record, append, failure, finished_keys, mend, only_writer, recorded
from cellgrad.trials.studies import Study
from cellgrad.trials.tasks import Task, study_tasks


class Outcome(NamedTuple):
    """What is recorded of the tasks asked for; of the finished trials, `skipped` ones were finished before."""

    finished: pd.DataFrame
    failed: list[Record]
    skipped: int


def run_study(
    study: Study,
    data: Mnist,
    path: str | os.PathLike,
    *,
    seeds: int | None = None,
    only: Sequence[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    folder: str | None = None,
    device: str = "auto",
    weights: bool = False,
    progress: bool = True,
) -> Outcome:
    """Run what is not yet recorded in the file at `path` as finished, and append each trial's record to it.

    seeds and only: as in `study_tasks`. workers: so many processes, in place of this one. scheduler: the address of a
    Dask scheduler, whose workers are used instead and look for the digits in `folder`, as `mnist.load` does. weights:
    keep each trial's weights in a folder beside the file, and checkpoints while it runs. (A record is the same to the
    last digit where the same number of threads made it; `workers` share this process's threads.)
    Raises ValueError for bad input, and where another process is writing to the file; OSError where it cannot be
    written. A trial that fails is recorded, does not stop the others, and is tried again at the next start.
    """
    path = Path(path)
    asked = study_tasks(
        study, data.kind, seeds=seeds, only=only, out=str(path.parent.absolute() / "weights") if weights else None
    )
    if study.validation:
        data.hold_out(study.validation)  # raises where there are not so many
    if workers is not None:
        checks.whole_number("workers", workers, least=1)
    if scheduler is None:
        pick_device(device)
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(path):
        mend(path)
        done = finished_keys(path)
        todo = [task for task in asked if task.key not in done]
        if scheduler is not None:
            records = dask().on_dask(todo, dask().connect(scheduler), folder, device)
        elif workers:
            records = dask().in_processes(todo, data, device, workers)
        else:
            records = in_this_process(todo, data, device)
        _keep(path, records, len(asked), len(asked) - len(todo), progress)
    return _outcome(path, asked, len(asked) - len(todo))


def _keep(path: Path, records: Iterator[Record], total: int, finished: int, progress: bool) -> None:
    """Append each record as it comes in; the bar counts what was finished before, too."""
    bar = tqdm(total=total, initial=finished, disable=not progress, unit="trial", smoothing=0)
    with bar, closing(records):
        for record in records:
            append(path, record)
            if "error" in record and progress:
                bar.write(checks.visible(f"failed: {failure(record)}"), file=sys.stderr)
            bar.update()


def _outcome(path: Path, asked: Sequence[Task], skipped: int) -> Outcome:
    records = recorded(path)
    mine = [records[task.key] | {"variant": task.recipe.name} for task in asked]
    finished = pd.DataFrame([record for record in mine if "error" not in record])
    return Outcome(finished, [record for record in mine if "error" in record], skipped)
