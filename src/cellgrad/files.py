"""Files that are there whole or not at all, whatever happens while they are written."""

import glob
import os
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
    finally:
        partial.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what writers of this file left beside it when they were killed, once no other can be at work."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)
