"""The handwritten digits: found, fetched and verified, or the embedded sample.

A folder that is given is the only place: what it lacks is fetched into it. Else they are looked for in this order: the
folder named in $CELLGRAD_DATA; the user's cache folder; a download into the cache folder; and last the sample of 5,000
digits inside this package. The word "sample" in place of a folder asks for the sample.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

import numpy as np
from platformdirs import user_cache_path
from tqdm import tqdm

from cellgrad.checks import visible, whole_number
from cellgrad.files import sweep, write_whole
from cellgrad.torchvision import import_torchvision

if TYPE_CHECKING:
    import torch

# Mean and standard deviation of the 60,000 training digits' pixels, as fractions of 255, as the source has them.
MEAN, STD = 0.1307, 0.3081

# A copy of what torchvision lists: names, MD5 checksums, and where to fetch them.
ARCHIVES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")

CONNECTION = 2  # seconds to wait for a mirror to take a connection; also how long a start without a network may wait
PATIENCE, PACE = 10, 32 * 1024  # a mirror that sends fewer bytes than PACE in PATIENCE seconds is given up
MOST = 64 * 2**20  # and so is one that does not end: the largest archive has ten million bytes

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

    def copy(self) -> Digits:
        """The same digits, to be changed without changing these."""
        return Digits(self.images.clone(), self.labels.clone())


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
        """Split the training digits into those to train on and the last `count` ones, to validate on.

        Raises ValueError where none would be left of either.
        """
        count = whole_number("validation", count)
        if not 0 < count < len(self.train):
            raise ValueError(
                f"validation: {count} of {len(self.train):,} training digits cannot be held out; "
                f"give a number from 1 to {len(self.train) - 1:,}"
            )
        return self.train[:-count], self.train[-count:]


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 images of shape (n, 28, 28) to float32 of shape (n, 1, 28, 28), with mean 0 and deviation 1 over MNIST."""
    return images.unsqueeze(1).float().div(255 * STD).sub_(MEAN / STD)


def load(folder: str | os.PathLike | None = None) -> Mnist:
    """Find, fetch or verify the digits, in the order that this module's docstring gives.

    Raises DataError when a given folder has no intact archives and none can be fetched into it, or when an archive in
    the folder of $CELLGRAD_DATA is damaged and cannot be replaced. (In the cache folder that is said on stderr, and the
    sample is given.) A damaged archive is kept: where another one could be fetched, with ".damaged" at its name's end.
    Whoever changes the digits changes a copy.
    """
    found = _found(folder)
    return replace(found, train=found.train.copy(), test=found.test.copy())


def _found(folder: str | os.PathLike | None) -> Mnist:
    asked = os.fspath(folder) if folder else os.environ.get("CELLGRAD_DATA", "")
    if asked == "sample":
        return _announced_sample()
    if asked and (folder or _archive_folder(_expanded(asked))):
        return _load_folder(_expanded(asked))
    if asked:
        print(f"$CELLGRAD_DATA is {asked!r}, but there are no MNIST archives there; looking further", file=sys.stderr)
    try:
        return _load_folder(cache_folder())
    except DataError as error:
        print(visible(str(error)), file=sys.stderr)
        return _announced_sample()


def cache_folder() -> Path:
    """The folder of this user where downloads go."""
    return user_cache_path("cellgrad")


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser().absolute()  # found again where the program has changed its folder
    except RuntimeError:  # a user that does not exist
        raise DataError(f"{folder}: there is no such user here; name a folder, or the word sample") from None


def _archives() -> dict[str, str]:
    """The four archives' names and MD5 checksums."""
    return dict(_listed("resources", ARCHIVES.items()))


def _listed(name: str, copied: Iterable[Any]) -> Iterable[Any]:
    """What torchvision lists, or our copy of it as long as torchvision is not loaded, which takes seconds."""
    return getattr(import_torchvision().datasets.MNIST, name) if "torchvision" in sys.modules else copied


def _archive_folder(folder: Path) -> Path | None:
    """The first of the usual places below `folder` that holds an archive of MNIST, damaged or not."""
    for place in (folder / "MNIST" / "raw", folder / "raw", folder):
        try:
            if any((place / name).is_file() for name in _archives()):
                return place
        except OSError as error:
            raise DataError(f"{place} cannot be read ({error.strerror}); name another folder") from None
    return None


@cache
def _load_folder(folder: Path) -> Mnist:
    if os.path.exists(folder) and not os.path.isdir(folder):  # where pathlib would raise, these say no
        raise DataError(f"{folder} is not a folder; name the one that has MNIST's archives, or the word sample")
    raw = _archive_folder(folder) or folder / "MNIST" / "raw"
    contents = {name: _content(raw / name, md5) for name, md5 in _archives().items()}
    if None in contents.values():
        with _one_at_a_time():
            contents = _completed(raw)
    train, test = (
        Digits(
            _tensor(contents[f"{part}-images-idx3-ubyte.gz"]), _tensor(contents[f"{part}-labels-idx1-ubyte.gz"]).long()
        )
        for part in ("train", "t10k")
    )
    return Mnist(train, test, "full", str(raw))


def _tensor(archive: bytes) -> torch.Tensor:
    """The array in one of MNIST's archives, whose fourth byte is its number of axes; their lengths follow."""
    import torch

    content = gzip.decompress(archive)
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def _content(archive: Path, md5: str) -> bytes | None:
    """What an archive holds, if it is there and whole."""
    try:
        content = archive.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise DataError(
            f"{archive} cannot be read ({error.strerror}); make it readable or name another folder"
        ) from None
    return content if _md5(content) == md5 else None


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Of a user's processes one fetches at a time; those that wait find what it has fetched."""
    from filelock import FileLock, Timeout

    with ExitStack() as held:
        with suppress(OSError):  # in a home that cannot be written to, two may fetch the same, each to its end
            cache_folder().mkdir(parents=True, exist_ok=True)
            lock = FileLock(cache_folder() / "fetching.lock")
            try:
                held.enter_context(lock.acquire(timeout=0))
            except Timeout:
                print("Another process is fetching MNIST; waiting for it.", file=sys.stderr)
                held.enter_context(lock.acquire())
        yield


def _completed(raw: Path) -> dict[str, bytes]:
    """What the four archives in a folder hold, after those that are missing or damaged have been fetched."""
    contents, mirrors = {}, None
    for name, md5 in _archives().items():
        content = _content(raw / name, md5)
        if content is None:
            mirrors = mirrors or _reachable(raw / name)
            content = _fetched(raw / name, md5, mirrors)
            _set_aside(raw / name)
            try:
                raw.mkdir(parents=True, exist_ok=True)
                write_whole(raw / name, content)
                sweep(raw / name)
            except OSError as error:
                reason = error.strerror or error
                raise DataError(f"{raw}: cannot write there ({reason}); name another folder") from None
        contents[name] = content
    return contents


def _set_aside(archive: Path) -> None:
    """Keep a damaged archive under another name."""
    if not archive.is_file():
        return
    numbers = ["", *(f".{number}" for number in range(2, 1000))]  # one that was kept before stays
    names = (archive.with_name(f"{archive.name}.damaged{number}") for number in numbers)
    aside = next(name for name in names if not name.exists())
    try:
        archive.replace(aside)
    except OSError:
        raise DataError(
            f"{archive} is damaged ({archive.stat().st_size:,} bytes, wrong MD5) and its folder is not writable; "
            f"replace it or name another folder (or the word sample)"
        ) from None
    said = f"{archive} is damaged (wrong MD5): kept as {aside.name}, another one has been fetched"
    print(visible(said), file=sys.stderr)


def _not_fetched(archive: Path, problem: str) -> DataError:
    state = "damaged (wrong MD5) and stays as it is; another one" if archive.exists() else "missing and"
    return DataError(
        f"{archive} is {state} could not be fetched: {problem}; put MNIST's four archives "
        f"there, name another folder, or the word sample for the embedded 5,000 digits"
    )


def _reachable(archive: Path) -> list[str]:
    """The mirrors that take a connection, in their order; all are asked at once, and none is waited for longer.

    Without a network it is known at once, or after `CONNECTION` seconds where packets are swallowed.
    Raises DataError where there is none.
    """
    mirrors = list(_listed("mirrors", MIRRORS))
    problems: dict[str, Exception | None] = {}

    def knock(mirror: str) -> None:
        try:
            _connect(mirror)
            problems[mirror] = None
        except Exception as error:  # of the name, the port or the network
            problems[mirror] = error

    threads = [threading.Thread(target=knock, args=(mirror,), daemon=True) for mirror in mirrors]
    end = time.monotonic() + CONNECTION
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    silent = TimeoutError(f"no answer within {CONNECTION} s")
    found = [mirror for mirror in mirrors if problems.get(mirror, silent) is None]
    if not found:
        raise _not_fetched(archive, "; ".join(f"{mirror}: {problems.get(mirror, silent)}" for mirror in mirrors))
    return found


def _connect(mirror: str) -> None:
    """Open a connection to a mirror, or to the proxy that stands before it, and close it again."""
    address = urlsplit(mirror)
    proxy = getproxies().get(address.scheme)
    if proxy and not proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy)
    if address.hostname:  # a proxy may be written in other ways; the download will tell
        port = address.port or {"https": 443}.get(address.scheme, 80)
        socket.create_connection((address.hostname, port), timeout=CONNECTION).close()


def _fetched(archive: Path, md5: str, mirrors: list[str]) -> bytes:
    """Download an archive from the first mirror that has it whole; what fails moves to the end of the list."""
    problem = ""
    for mirror in list(mirrors):
        try:
            content = _download(f"{mirror}{archive.name}")
        except OSError as error:
            problem = f"{mirror}: {error}"
        else:
            if _md5(content) == md5:
                return content
            problem = f"{mirror}: {len(content):,} bytes of something else (wrong MD5)"
        print(visible(f"{archive.name}: nothing good from {problem}"), file=sys.stderr)
        mirrors.append(mirrors.pop(mirrors.index(mirror)))
    raise _not_fetched(archive, problem)


def _download(url: str) -> bytes:
    """What a server sends, or OSError, also where fewer than `PACE` bytes come within `PATIENCE` seconds.

    This is not left to torchvision, which waits without end for a server that hangs or sends drop by drop.
    """
    received, given_up = bytearray(), threading.Event()
    problems: list[Exception] = []

    def receive() -> None:
        request = Request(url, headers={"User-Agent": "cellgrad"})
        try:
            with urlopen(request, timeout=PATIENCE) as response:  # nosec B310: the mirrors above
                name = url.rpartition("/")[2]
                with tqdm(desc=name, total=response.length, unit="B", unit_scale=True, disable=None) as bar:
                    while not given_up.is_set() and (some := response.read1(PACE)):
                        received.extend(some)
                        bar.update(len(some))
                        if len(received) > MOST:
                            raise OSError(f"it sends {len(received):,} bytes and more")
        except Exception as error:  # http.client's are not all OSErrors
            problems.append(error)

    receiving = threading.Thread(target=receive, daemon=True)
    receiving.start()
    try:
        before = 0
        receiving.join(PATIENCE)
        while receiving.is_alive():
            if len(received) - before < PACE:
                raise TimeoutError(f"{len(received) - before:,} bytes in {PATIENCE} s")
            before = len(received)
            receiving.join(PATIENCE)
    finally:
        given_up.set()
    if problems:
        raise OSError(str(problems[0]) or type(problems[0]).__name__)
    return bytes(received)


@cache
def _sample_rows() -> np.ndarray:
    with lzma.open(files("cellgrad") / "data" / "sample.npy.xz") as file:
        return np.load(file)


@cache
def _announced_sample() -> Mnist:
    print(SAMPLE_NOTICE, file=sys.stderr)  # once, as the result is cached
    return sample()


def sample() -> Mnist:
    """The 5,000 digits inside this package, for pictures and examples that want the same digits everywhere.

    Whoever changes them changes a copy.
    """
    import torch

    rows = torch.from_numpy(_sample_rows().copy())
    digits = Digits(rows[:, 1:].reshape(-1, 28, 28), rows[:, 0].long())
    return Mnist(digits[:4000], digits[4000:], "sample", "embedded in the package")
