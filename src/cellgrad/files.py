"""Files that are there whole or not at all, whatever happens while they are written."""

import glob
import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, bring it to the disk, and only then give it its name.

    Raises OSError where that fails: what stood under the name stands there still, and nothing is left beside it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        error.filename, error.filename2 = os.fspath(path), None  # the name that was asked for
        raise
    finally:
        with suppress(OSError):  # where there could be no such file either
            partial.unlink()


def sweep(path: Path) -> None:
    """Remove what writers of this file left beside it when they were killed; those that live go on writing."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        writer = left.name.removesuffix(".partial").rpartition(".")[2]
        if writer.isdecimal() and not _lives(int(writer)):
            with suppress(OSError):  # it does no harm there
                left.unlink()


def _lives(process: int) -> bool:
    """Whether there is such a process; on systems where asking might end it, yes."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
