"""Records of trials in a file, one JSON line each: appended, read, summed up.

This module needs no torch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import pandas as pd
from filelock import AcquireReturnProxy, FileLock, Timeout

Record = dict[str, object]


def only_writer(path: Path) -> AcquireReturnProxy:
    """A lock on the file of records; raises ValueError where another process has it."""
    try:
        return FileLock(f"{path}.lock", timeout=0).acquire()
    except Timeout:
        raise ValueError(f"{path}: another process is writing to it; wait for it, or name another folder") from None


def append(path: str | os.PathLike, record: Record) -> None:
    """Add one line to a file, whole or not at all as far as the system can, and on the disk when this returns.

    Raises OSError, with the file's name, where that fails.
    """
    line = f"{json.dumps(record)}\n".encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        written = os.write(file, line)
        os.fsync(file)
    except OSError as error:
        error.filename = os.fspath(path)  # the system knows a number only
        raise
    finally:
        os.close(file)
    if written < len(line):
        raise OSError(f"{path}: the disk is full; the last record is cut off and will be made again")


def mend(path: Path) -> None:
    """End a file with a newline again after a writer was killed: complete the last record or cut it off.

    Raises ValueError, and changes nothing, where a line is no record, whole or cut off.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    parse(content, str(path))
    (*_, tail) = content.splitlines(keepends=True) or [b""]
    if not tail or tail.endswith(_LINE_ENDS):
        return
    with open(path, "rb+") as file:
        if _is_cut_off(tail):
            file.truncate(len(content) - len(tail))
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


_LINE_ENDS = (b"\n", b"\r")


def _is_cut_off(line: bytes) -> bool:
    """Whether a last line is the beginning of a record, or the zeros that some systems leave in its place."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return line.startswith(b'{"') or line in (b"{", b"") or not line.strip(b"\0")
    return False


def parse(content: bytes, where: str) -> dict[str, Record]:
    """Records by their keys, the last one of each; a last line that was cut off is left out.

    Raises ValueError for another line that is no record, naming it and `where` it is.
    """
    records = {}
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line.endswith(_LINE_ENDS) and _is_cut_off(line):
            break
        try:
            record = json.loads(line)
            records[record["key"]] = record
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError(f"{where}, line {number}: not the record of a trial; repair or remove it") from None
    return records


def read_records(path: str | os.PathLike, *, failed: bool = False) -> pd.DataFrame:
    """A row for each finished trial of a file, the last one where there are two; with `failed`, those that failed too.

    training_version says which version of the training made it (`training.loop.VERSION`); records of different versions
    are not compared. Raises OSError for a file that is not there, ValueError for a line that is no record; a last line
    that was cut off when its writer was killed is left out.
    """
    records = parse(Path(path).read_bytes(), str(path)).values()
    chosen = [record for record in records if failed or "error" not in record]
    return pd.DataFrame([{"training_version": version_of(record)} | record for record in chosen])


def version_of(record: Record) -> int:
    """The version of the training that made a record, which the first version did not write down."""
    return record.get("training_version", 1)


def shipped_records(study: str) -> pd.DataFrame:
    """The finished trials of a study that come with this package; raises ValueError where there are none."""
    file = files("cellgrad") / "results" / f"{study}.jsonl"
    if not file.is_file():
        raise ValueError(f"no results of the study {study!r} come with this package; run: cellgrad trials {study}")
    with as_file(file) as path:
        return read_records(path)


def recorded(path: str | os.PathLike) -> dict[str, Record]:
    """The records of a file by their keys, failed ones too; none where there is no file.

    Raises ValueError where one lacks what is read of every finished trial, naming it.
    """
    records = parse(Path(path).read_bytes(), str(path)) if os.path.exists(path) else {}
    for key, record in records.items():
        missing = [] if "error" in record else _no_numbers(record)
        if missing:
            raise ValueError(
                f"{path}: in the record with the key {key}, {missing[0]} is no number; repair or remove it"
            )
    return records


def _no_numbers(record: Record) -> list[str]:
    accuracy = "held_out_accuracy" if "held_out_accuracy" in record else "test_accuracy"
    found = {name: record.get(name) for name in ("seed", "parameters", "seconds", accuracy)}
    return [name for name, value in found.items() if not _is_finite(value)]


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def finished_keys(path: str | os.PathLike) -> set[str]:
    """The keys of the tasks that need not be run again, according to a file."""
    return {key for key, record in recorded(path).items() if "error" not in record}


def summary(records: pd.DataFrame) -> pd.DataFrame:
    """A row for each variant: parameters, seeds, mean, std, worst and best test accuracy (fractions), mean seconds.

    Of blind trials, the accuracies are those on the held-out digits.
    std is the sample standard deviation, no number for one seed. Raises ValueError where a variant's trials were not
    made alike (of all digits and of the sample, say, or by two versions of the training), or twice with one seed, and
    where a column is missing.
    """
    accuracy = "held_out_accuracy" if "held_out_accuracy" in records else "test_accuracy"
    columns = {
        "parameters": ("parameters", "first"),
        "seeds": ("seed", "count"),
        "mean": (accuracy, "mean"),
        "std": (accuracy, "std"),
        "worst": (accuracy, "min"),
        "best": (accuracy, "max"),
        "seconds": ("seconds", "mean"),
    }
    if records.empty:
        return pd.DataFrame(columns=list(columns))
    missing = {"variant", "seed", "parameters", "seconds", accuracy}.difference(records)
    if missing:
        raise ValueError(f"records: the column {min(missing)} is missing; expected those of `read_records`")
    if records[accuracy].isna().any():
        raise ValueError(f"records: not all have {accuracy}, some are blind; choose one kind first")
    variants = records.groupby("variant", sort=False)
    for variant, rows in variants:
        require_alike(rows, f"trials of {variant!r}", also=("epochs", "parameters"))
        if not rows["seed"].is_unique:
            raise ValueError(f"records: trials of {variant!r} with the same seed; keep one of each")
    return variants.agg(**columns)


# What must be the same for two trials to be two draws of one experiment.
_CONDITIONS = ["data", "validation", "training_version"]


def require_alike(records: pd.DataFrame, what: str, also: Sequence[str] = ()) -> None:
    """Raise ValueError where records are of different data, held-out digits or versions of the training, or `also`."""
    for condition in records.columns.intersection([*_CONDITIONS, *also]):
        found = records[condition].map(str).unique()
        if len(found) > 1:
            values = ", ".join(found)
            raise ValueError(f"records: {what} differ in {condition} ({values}); choose one kind first")


def failure(record: Record) -> str:
    """A failed trial in one line: which one, and what was raised; of a message of several lines, the first."""
    lines = record["error"].strip().splitlines()
    places = [number for number, line in enumerate(lines, start=1) if line.startswith(" ")]  # of the traceback
    return f"{record['variant']}, seed {record['seed']}: {lines[max(places, default=0) :][0]}"
