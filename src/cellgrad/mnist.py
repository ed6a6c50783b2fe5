"""The handwritten digits: found, fetched and verified through torchvision, or the embedded sample.

Looked for in this order: the folder given; the folder named in $CELLGRAD_DATA; the user's cache folder; a download
into the cache folder; and last the sample of 5,000 digits inside this package. The word "sample" in place of a
folder asks for the sample.
"""

from __future__ import annotations

import lzma
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from cellgrad.torchvision import import_torchvision

if TYPE_CHECKING:
    import torch

# Mean and standard deviation of the 60,000 training digits' pixels, as fractions of 255, as the source has them.
MEAN, STD = 0.1307, 0.3081

SAMPLE_NOTICE = (
    "Running on the embedded sample: 5,000 real digits (4,000 to train, 1,000 to test), not all 70,000 of MNIST. "
    "Expect accuracies a few points lower."
)


class DataError(ValueError):
    """The data asked for cannot be had; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Digits:
    """`images`: uint8 tensor of shape (n, 28, 28), 0 paper to 255 ink. `labels`: int64 tensor of shape (n,)."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> Digits:
        return Digits(self.images[rows], self.labels[rows])

    def to(self, device: str) -> Digits:
        """The same digits on a device."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Mnist:
    """Training and test digits. `kind` is "full" (60,000 + 10,000) or "sample" (4,000 + 1,000); `where` says whence."""

    train: Digits
    test: Digits
    kind: str
    where: str

    @property
    def note(self) -> str:
        """What a figure's title must add where its numbers come from the sample; empty with all the data."""
        return "" if self.kind == "full" else " (embedded sample, not all of MNIST)"

    def hold_out(self, count: int) -> tuple[Digits, Digits]:
        """Split the training digits into those to train on and the last `count` ones, to validate on."""
        if not 0 < count < len(self.train):
            raise ValueError(f"validation: {count} of {len(self.train):,} training digits cannot be held out")
        return self.train[:-count], self.train[-count:]


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 images of shape (n, 28, 28) to float32 of shape (n, 1, 28, 28), with mean 0 and deviation 1 over MNIST."""
    return images.unsqueeze(1).float().div_(255 * STD).sub_(MEAN / STD)


def load(folder: str | os.PathLike | None = None) -> Mnist:
    """Find, fetch or verify the digits, in the order that this module's docstring gives.

    Raises DataError when a given folder has no intact archives and none can be fetched into it, or when an archive
    anywhere on the way is damaged and cannot be replaced. A damaged archive is kept, with ".damaged" at its name's end.
    """
    asked = os.fspath(folder) if folder else os.environ.get("CELLGRAD_DATA", "")
    if asked == "sample":
        return _announced_sample()
    if asked and (folder or _archive_folder(Path(asked).expanduser())):
        return _load_folder(Path(asked).expanduser())
    if asked:
        print(f"$CELLGRAD_DATA is {asked!r}, but there are no MNIST archives there; looking further", file=sys.stderr)
    try:
        return _load_folder(cache_folder())
    except DataError as error:
        print(error, file=sys.stderr)
        return _announced_sample()


def cache_folder() -> Path:
    """The folder of this user where downloads go."""
    return user_cache_path("cellgrad")


def _archives() -> dict[str, str]:
    """The four archives' names and MD5 checksums, as torchvision knows them."""
    return dict(import_torchvision().datasets.MNIST.resources)


def _archive_folder(folder: Path) -> Path | None:
    """The first of the usual places below `folder` that holds an archive of MNIST, damaged or not."""
    for place in (folder / "MNIST" / "raw", folder / "raw", folder):
        if any((place / name).is_file() for name in _archives()):
            return place
    return None


@cache
def _load_folder(folder: Path) -> Mnist:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name the one that has MNIST's archives, or the word sample")
    raw = _archive_folder(folder) or folder / "MNIST" / "raw"
    missing = [name for name, md5 in _archives().items() if not _intact(raw / name, md5)]
    if missing:
        _fetch(raw, missing)
    datasets = import_torchvision().datasets
    # torchvision unpacks beside the archives and never checks what it unpacked before. So it gets a folder of its
    # own each time: nothing is written where the data lies, and the archives, just verified, are all that is trusted.
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch) / "MNIST" / "raw"
        unpacked.mkdir(parents=True)
        for name in _archives():
            shutil.copyfile(raw / name, unpacked / name)
        parts = [datasets.MNIST(scratch, train=train, download=True) for train in (True, False)]
        train, test = (Digits(part.data.clone(), part.targets.clone()) for part in parts)
    return Mnist(train, test, "full", str(raw))


def _intact(archive: Path, md5: str) -> bool:
    """Whether the archive is there and as torchvision's checksum wants it; sets a damaged one aside."""
    check_md5 = import_torchvision().datasets.utils.check_md5
    if not archive.is_file():
        return False
    try:
        if check_md5(archive, md5):
            return True
    except OSError as error:
        raise DataError(
            f"{archive} cannot be read ({error.strerror}); make it readable or name another folder"
        ) from None
    aside = archive.with_name(archive.name + ".damaged")
    try:
        archive.replace(aside)
    except OSError:
        raise DataError(
            f"{archive} is damaged ({archive.stat().st_size:,} bytes, wrong MD5) and its folder is not writable; "
            f"replace it or name another folder (or the word sample)"
        ) from None
    print(f"{archive} is damaged (wrong MD5): kept as {aside.name}, fetching it again", file=sys.stderr)
    return False


def _fetch(raw: Path, names: list[str]) -> None:
    """Download the named archives from torchvision's mirrors, verify each by MD5, and move it into `raw` when whole."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(15)  # torchvision sets none, and a network that swallows packets would hang
    try:
        with tempfile.TemporaryDirectory() as arrivals:
            for name in names:
                arrival = _download(name, arrivals, destination=raw)
                raw.mkdir(parents=True, exist_ok=True)
                shutil.move(arrival, raw / name)
    except OSError as error:
        raise DataError(f"{raw}: cannot write there ({error.strerror or error}); name another folder") from None
    finally:
        socket.setdefaulttimeout(patience)


def _download(name: str, arrivals: str, destination: Path) -> Path:
    datasets = import_torchvision().datasets
    problems = []
    for mirror in datasets.MNIST.mirrors:
        try:
            datasets.utils.download_url(f"{mirror}{name}", arrivals, name, _archives()[name])
            return Path(arrivals) / name
        except (RuntimeError, OSError) as error:  # a broken archive, or no way to the mirror
            problems.append(str(error))
    aside = destination / f"{name}.damaged"
    kept = f" (a damaged one is kept as {aside.name})" if aside.exists() else ""
    raise DataError(
        f"{destination / name} is missing{kept} and could not be fetched: {problems[-1]}; put MNIST's four archives "
        f"there, name another folder, or the word sample for the embedded 5,000 digits"
    )


@cache
def _announced_sample() -> Mnist:
    print(SAMPLE_NOTICE, file=sys.stderr)  # once, as the result is cached
    return sample()


@cache
def sample() -> Mnist:
    """The 5,000 digits inside this package, for pictures and examples that want the same digits everywhere."""
    import torch

    with lzma.open(files("cellgrad") / "data" / "sample.npy.xz") as file:
        rows = torch.from_numpy(np.load(file))
    digits = Digits(rows[:, 1:].reshape(-1, 28, 28), rows[:, 0].long())
    return Mnist(digits[:4000], digits[4000:], "sample", "embedded in the package")
