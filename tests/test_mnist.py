import functools
import gzip
import hashlib
import lzma
import os
import struct
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from cellgrad import mnist
from cellgrad.torchvision import import_torchvision


def idx(array: np.ndarray) -> bytes:
    """The archive format of MNIST: two zero bytes, 8 for uint8, the number of axes, their lengths, the data."""
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror on this machine with four small archives in MNIST's format, and an empty cache."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "mirror"
    folder.mkdir()
    resources = []
    for part, count in (("train", 20), ("t10k", 5)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte.gz", images), (f"{part}-labels-idx1-ubyte.gz", labels)):
            (folder / name).write_bytes(idx(array))
            resources.append((name, hashlib.md5((folder / name).read_bytes()).hexdigest()))
    dataset = import_torchvision().datasets.MNIST
    monkeypatch.setattr(dataset, "resources", resources)
    handler = functools.partial(QuietHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(dataset, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("CELLGRAD_DATA", raising=False)
    mnist._load_folder.cache_clear()
    yield folder
    server.shutdown()
    mnist._load_folder.cache_clear()


def archives(folder: Path, mirror: Path) -> Path:
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in mirror.iterdir():
        (raw / archive.name).write_bytes(archive.read_bytes())
    return raw


def unreachable(monkeypatch):
    monkeypatch.setattr(import_torchvision().datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])


def test_downloads_into_the_cache_and_finds_it_there_again(mirror, tmp_path, monkeypatch):
    data = mnist.load()
    assert (data.kind, len(data.train), len(data.test), data.note) == ("full", 20, 5, "")
    assert data.train.images.shape == (20, 28, 28) and data.train.images.dtype == torch.uint8
    assert data.train.labels.tolist() == [k % 10 for k in range(20)] and data.train.labels.dtype == torch.int64
    unreachable(monkeypatch)
    mnist._load_folder.cache_clear()
    assert torch.equal(mnist.load().train.images, data.train.images)


def test_a_folder_given_is_read_and_not_written_to(mirror, tmp_path, monkeypatch):
    raw = archives(tmp_path / "mine", mirror)
    unreachable(monkeypatch)
    before = {path.name: path.stat().st_mtime_ns for path in raw.iterdir()}
    assert mnist.load(tmp_path / "mine").where == str(raw)
    assert {path.name: path.stat().st_mtime_ns for path in raw.iterdir()} == before


@pytest.mark.parametrize("inner", ["MNIST/raw", "raw", ""])
def test_archives_may_lie_in_the_usual_places(mirror, tmp_path, inner):
    raw = archives(tmp_path / "mine", mirror)
    assert mnist.load(tmp_path / "mine" / "MNIST/raw"[: -len(inner) or None].rstrip("/")).where == str(raw)


def test_the_environment_names_a_folder(mirror, tmp_path, monkeypatch):
    raw = archives(tmp_path / "mine", mirror)
    monkeypatch.setenv("CELLGRAD_DATA", str(tmp_path / "mine"))
    assert mnist.load().where == str(raw)


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"", lambda content: content + b"x"])
def test_a_damaged_archive_is_kept_aside_and_fetched_again(mirror, tmp_path, capsys, damage):
    raw = archives(tmp_path / "mine", mirror)
    archive = raw / "t10k-images-idx3-ubyte.gz"
    broken = damage(archive.read_bytes())
    archive.write_bytes(broken)
    assert len(mnist.load(tmp_path / "mine").test) == 5
    assert (raw / f"{archive.name}.damaged").read_bytes() == broken
    assert f"{archive} is damaged" in capsys.readouterr().err


def test_a_damaged_archive_that_cannot_be_replaced_is_named(mirror, tmp_path, monkeypatch):
    raw = archives(tmp_path / "mine", mirror)
    archive = raw / "train-labels-idx1-ubyte.gz"
    archive.write_bytes(b"not an archive")
    unreachable(monkeypatch)
    with pytest.raises(mnist.DataError, match=r"train-labels-idx1-ubyte\.gz is damaged .* and stays as it is"):
        mnist.load(tmp_path / "mine")
    assert archive.read_bytes() == b"not an archive"
    assert sorted(file.name for file in raw.iterdir() if "labels" in file.name) == [
        "t10k-labels-idx1-ubyte.gz",
        archive.name,
    ]


def test_every_damaged_archive_is_kept(mirror, tmp_path):
    raw = archives(tmp_path / "mine", mirror)
    archive = raw / "train-labels-idx1-ubyte.gz"
    for number in range(3):
        archive.write_bytes(b"not an archive, %d" % number)
        mnist._load_folder.cache_clear()
        mnist.load(tmp_path / "mine")
    kept = sorted(raw.glob(f"{archive.name}.damaged*"))
    assert [file.read_bytes()[-1:] for file in kept] == [b"0", b"1", b"2"]


def test_a_broken_download_never_arrives(mirror, tmp_path):
    (mirror / "t10k-labels-idx1-ubyte.gz").write_bytes(b"a mirror's error page")
    with pytest.raises(mnist.DataError, match=r"t10k-labels-idx1-ubyte\.gz is missing and could not be fetched"):
        mnist.load(tmp_path / "mine")
    assert not (tmp_path / "mine" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").exists()


def test_a_folder_given_without_data_is_an_error_and_stays_as_it_was(mirror, tmp_path, monkeypatch):
    unreachable(monkeypatch)
    with pytest.raises(mnist.DataError, match="could not be fetched"):
        mnist.load(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(mnist.DataError, match="is not a folder"):
        mnist.load(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(mirror, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(mnist.DataError, match="cannot write there"):
        mnist.load(locked)


def test_a_folder_below_a_file_cannot_be_written(mirror, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(mnist.DataError, match="cannot write there"):
        mnist.load(tmp_path / "file" / "below")


def test_without_any_data_the_sample_stands_in_and_says_so(mirror, tmp_path, monkeypatch, capsys):
    unreachable(monkeypatch)
    monkeypatch.setenv("CELLGRAD_DATA", str(tmp_path / "absent"))
    mnist._announced_sample.cache_clear()
    data = mnist.load()
    mnist.load()
    said = capsys.readouterr().err
    assert data.kind == "sample" and "sample" in data.note
    assert said.count(mnist.SAMPLE_NOTICE) == 1
    assert "no MNIST archives there" in said


def test_the_sample_is_balanced_small_and_real(sample):
    assert (len(sample.train), len(sample.test)) == (4000, 1000)
    assert sample.train.labels.bincount().tolist() == [400] * 10
    assert sample.test.labels.bincount().tolist() == [100] * 10
    everything = torch.cat([sample.train.images, sample.test.images]).reshape(5000, -1)
    assert len(everything.unique(dim=0)) == 5000
    assert (files("cellgrad") / "data" / "sample.npy.xz").stat().st_size < 1_000_000
    with lzma.open(files("cellgrad") / "data" / "sample.npy.xz") as file:
        assert np.load(file).shape == (5000, 785)


def test_the_samples_digits_are_training_digits_of_mnist(sample):
    data = mnist.load()
    if data.kind != "full":
        pytest.skip("needs all of MNIST")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    known = {
        image.numpy().tobytes(): label
        for image, label in zip(data.train.images, data.train.labels.tolist(), strict=True)
    }
    for part in (sample.train, sample.test):
        for image, label in zip(part.images, part.labels.tolist(), strict=True):
            assert known[image.numpy().tobytes()] == label


def test_normalised_pixels_are_what_torchvision_makes(sample):
    transforms = import_torchvision().transforms
    pipeline = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mnist.MEAN,), (mnist.STD,))])
    image = sample.train.images[0]
    assert torch.allclose(mnist.normalise(image[None])[0], pipeline(image.numpy()), atol=1e-6)


def test_hold_out_splits_the_training_digits(sample):
    train, held_out = sample.hold_out(1000)
    assert (len(train), len(held_out)) == (3000, 1000)
    with pytest.raises(ValueError, match="4000 of 4,000"):
        sample.hold_out(4000)


def test_whoever_changes_digits_changes_a_copy(monkeypatch):
    monkeypatch.setenv("CELLGRAD_DATA", "sample")
    for where in (None, "sample"):
        data = mnist.load(where)
        data.train.images[:] = 0
        data.test.labels[:] = 0
        again = mnist.load(where)
        assert again.train.images.any() and again.test.labels.any()
