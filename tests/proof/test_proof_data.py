"""The digits are fetched whole or not at all, whatever mirrors, disks, rights, clocks and languages do."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import mirrors
import pytest
from limits import room_for

from cellgrad import mnist
from cellgrad.files import sweep, write_whole
from cellgrad.torchvision import import_torchvision

RAW = Path("MNIST", "raw")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Lets mirrors with the behaviours given stand in for the real ones, with an empty cache and little patience."""
    started = []

    def serve(*behaviours):
        monkeypatch.setattr(mnist, "_listed", lambda name, copied: listed[name])
        started.extend(mirrors.Mirror(behave) for behave in behaviours)
        listed = {"mirrors": [mirror.url for mirror in started], "resources": list(mirrors.MD5.items())}
        return started

    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(mnist, "MOST", 2**20)
    download = mnist._download

    def hurried(url):
        """With little patience for mirrors that want it all, and much for the others, as this machine may be busy."""
        behave = next((mirror.behave for mirror in started if url.startswith(mirror.url)), None)
        monkeypatch.setattr(mnist, "PATIENCE", 0.2 if behave in mirrors.ENDLESS else 60)
        return download(url)

    monkeypatch.setattr(mnist, "_download", hurried)
    monkeypatch.delenv("CELLGRAD_DATA", raising=False)
    mnist._load_folder.cache_clear()
    yield serve
    for mirror in started:
        mirror.closing.set()
        mirror.shutdown()
        mirror.server_close()
    mnist._load_folder.cache_clear()


def files_below(folder):
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def is_whole(files):
    """Whether all that lies under the name of an archive is that archive, and nothing lies beside it."""
    return files.items() <= mirrors.ARCHIVES.items()


def test_our_copy_of_torchvisions_lists_is_right():
    dataset = import_torchvision().datasets.MNIST
    assert list(mnist.ARCHIVES.items()) == dataset.resources
    assert list(mnist.MIRRORS) == dataset.mirrors


def test_what_is_fetched_is_read_as_torchvision_reads_it(served, tmp_path):
    served(None)
    data = mnist.load(tmp_path / "here")
    theirs = import_torchvision().datasets.mnist
    for part, digits in (("train", data.train), ("t10k", data.test)):
        for kind, read, ours in (
            ("images-idx3", theirs.read_image_file, digits.images),
            ("labels-idx1", theirs.read_label_file, digits.labels),
        ):
            unpacked = tmp_path / f"{part}-{kind}"
            unpacked.write_bytes(mirrors.gzip.decompress(mirrors.ARCHIVES[f"{part}-{kind}-ubyte.gz"]))
            assert read(unpacked).dtype == ours.dtype and read(unpacked).equal(ours)


def test_a_download_cut_at_any_byte(served, tmp_path, tries):
    (mirror,) = served(None)
    content = mirrors.ARCHIVES["train-labels-idx1-ubyte.gz"]
    cuts = [*range(len(content))]
    for number in tries("Data", "a download cut off at each byte", few=len(cuts)):
        folder = tmp_path / str(number)

        def cut(handler, asked, place=cuts[number]):
            (mirrors.cut_at(place) if asked == content else mirrors.whole)(handler, asked)

        mirror.behave = cut
        with pytest.raises(mnist.DataError, match=r"train-labels-idx1-ubyte\.gz is missing and could not be fetched"):
            mnist.load(folder)
        assert is_whole(files_below(folder)) and "train-labels-idx1-ubyte.gz" not in files_below(folder)
        mirror.behave = mirrors.whole
        assert len(mnist.load(folder).train) == 20
        assert files_below(folder) == mirrors.ARCHIVES


@pytest.mark.parametrize("bad", [*mirrors.BAD, *mirrors.ENDLESS], ids=lambda bad: bad.__name__)
def test_a_bad_mirror_is_named_and_the_next_one_asked(served, tmp_path, capsys, tries, bad):
    what = "mirrors that hang, send drop by drop or without end" if bad in mirrors.ENDLESS else "wrong answers"
    for _ in tries("Data", f"{what} (a page for an archive, a wrong checksum, …)" if what == "wrong answers" else what):
        first, second = served(bad, None)
        assert len(mnist.load(tmp_path / "here").train) == 20
        assert files_below(tmp_path / "here") == mirrors.ARCHIVES
        said = capsys.readouterr().err
        assert said.count("nothing good from") == 1 and first.url in said
        assert set(first.asked) == {"train-images-idx3-ubyte.gz"}, "the others come from the good one"
        assert len(second.asked) == 4


@pytest.mark.parametrize("bad", [*mirrors.BAD, *mirrors.ENDLESS], ids=lambda bad: bad.__name__)
def test_with_no_good_mirror_the_sample_stands_in(served, tmp_path, capsys, bad):
    served(bad)
    mnist._announced_sample.cache_clear()
    assert mnist.load().kind == "sample" == mnist.load().kind
    said = capsys.readouterr().err
    assert said.count(mnist.SAMPLE_NOTICE) == 1 and "could not be fetched" in said
    assert not any("ubyte" in name for name in files_below(tmp_path))


def test_a_disk_that_is_full_at_any_byte(served, tmp_path, tries):
    served(None)
    largest = max(map(len, mirrors.ARCHIVES.values()))
    for number in tries("Data", "a disk that is full at some byte", few=30, most=1000, share=0.01):
        folder, size = tmp_path / str(number), number * 7919 % largest
        with room_for(size), pytest.raises(mnist.DataError, match="cannot write there"):
            mnist.load(folder)
        assert is_whole(files_below(folder))
        assert len(mnist.load(folder).train) == 20


def test_a_real_disk_that_is_full(served, tmp_path, tries):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk; the limit on a file's size stands in for it")
    try:
        served(None)
        for _ in tries("Data", "a real disk that is full"):
            with pytest.raises(mnist.DataError, match=r"cannot write there \(No space left on device\)"):
                mnist.load(disk)
            assert is_whole(files_below(disk))
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def without_rights():
    """A folder of somebody else's, in which this process may do nothing, also where it is root's."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs users as Unix has them")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "closed").mkdir(mode=0o500)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("place", [".", "closed", "closed/below"])
def test_a_folder_that_may_not_be_written_to(served, without_rights, monkeypatch, capsys, tries, place):
    for _ in tries("Data", "permission denied, for the data and for the cache"):
        served(None)
        if os.stat(without_rights).st_uid == os.geteuid() and place == ".":
            pytest.skip("the folder is this user's own")
        monkeypatch.setattr(mnist, "cache_folder", lambda: without_rights / "closed" / "cache")
        with pytest.raises(mnist.DataError) as caught:
            mnist.load(without_rights / place)
        assert "\n" not in str(caught.value) and "name another folder" in str(caught.value)
        mnist._announced_sample.cache_clear()
        assert mnist.load().kind == "sample"
        assert mnist.SAMPLE_NOTICE in capsys.readouterr().err


def test_an_archive_that_may_not_be_read(served, without_rights, tries):
    served(None)
    for _ in tries("Data", "permission denied, for the data and for the cache"):
        hidden = without_rights / "closed"
        if os.stat(hidden).st_uid == os.geteuid():
            hidden.chmod(0)
        with pytest.raises(mnist.DataError, match="cannot"):
            mnist.load(hidden / "MNIST")


FETCH = """
import sys
sys.path[:0] = {paths!r}
from cellgrad import cli, mnist
import mirrors
mnist.MIRRORS, mnist.ARCHIVES = [{url!r}], mirrors.MD5
sys.exit(cli.main(["data", *sys.argv[1:]]))
"""


def start(mirror, folder, *options, **environment):
    """The command in a process of its own, fetching from a mirror of ours into a cache of its own."""
    code = FETCH.format(paths=[str(Path(mirrors.__file__).parent)], url=mirror.url)
    settings = {name: value for name, value in os.environ.items() if name != "CELLGRAD_DATA"}
    settings |= {"XDG_CACHE_HOME": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment
    command = [sys.executable, "-c", code, *options]
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)


@pytest.mark.slow
def test_two_processes_fetch_at_once(served, tmp_path, tries):
    for number in tries("Data", "two processes that fetch at once", most=20, share=0.02):
        together, alone = threading.Barrier(2), threading.Event()
        folder = tmp_path / str(number)
        folder.mkdir()

        def slowly(handler, content, second=together, alone=alone):
            if not alone.is_set():  # the first archive waits until both processes have started and looked
                alone.set()
                second.wait(60)
            mirrors.whole(handler, content)

        (mirror,) = served(slowly)[-1:]
        processes = [start(mirror, folder) for _ in range(2)]
        watchers = [threading.Thread(target=watch, args=(process, together)) for process in processes]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()
        for process in processes:
            assert process.returncode == 0
            assert b"MNIST, full: 20 digits to train" in process.said[0]
        assert sorted(mirror.asked) == sorted(mirrors.ARCHIVES), "each archive was fetched once"
        assert sum(b"Another process is fetching" in process.said[1] for process in processes) == 1


def watch(process, together):
    """Collect what a process says; tell the mirror when it says that it waits for the other."""
    waiting = [process.stderr.readline()]
    if b"Another process" in waiting[0]:
        together.wait(60)
    out, err = process.communicate(timeout=600)
    process.said = out, b"".join(waiting) + err


ODD = [
    ("ein Weg über Ä und 数字 und \N{DIGIT ONE}\N{COMBINING ENCLOSING KEYCAP}", {"TZ": "nonsense/-99:99"}),
    ("über", {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}),
    ("über", {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ("a path with spaces", {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}),
    ("plain", {"TZ": "Pacific/Kiritimati", "LC_ALL": "ar_EG.UTF-8"}),
    ("plain", {"SOURCE_DATE_EPOCH": "0", "TZ": ""}),
]


@pytest.mark.slow
def test_odd_paths_languages_and_zones(served, tmp_path, tries):
    for number in tries("Data", "odd paths, languages and time zones", few=3, most=len(ODD)):
        folder, environment = ODD[number]
        (mirror,) = served(None)[-1:]
        place = tmp_path / str(number) / folder
        place.mkdir(parents=True)
        process = start(mirror, tmp_path, "--data", str(place), **environment)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0 and b"MNIST, full: 20 digits" in out and b"Traceback" not in err
        assert files_below(place) == mirrors.ARCHIVES


def test_a_clock_that_is_set_back(served, tmp_path, monkeypatch, tries):
    clock = iter(range(2_000_000_000, 0, -100_000))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    for _ in tries("Data", "a clock that runs backwards"):
        served(None)
        assert len(mnist.load(tmp_path / "here").train) == 20


def test_a_start_without_a_network(tmp_path, monkeypatch, tries):
    """By the order of things, as no test measures time: no torch, one connection, then the notice."""
    code = (
        "import sys, socket\n"
        "from cellgrad import mnist\n"
        "asked = []\n"
        "def refused(address, timeout):\n"
        "    asked.append(address)\n"
        "    raise OSError('Network is unreachable')\n"
        "socket.create_connection = refused\n"
        "mnist.sample = lambda: sys.exit('torch' in sys.modules or 'torchvision' in sys.modules or len(asked) != 2)\n"
        "mnist.load()\n"
    )
    for _ in tries("Data", "a start without a network"):
        environment = {name: value for name, value in os.environ.items() if name != "CELLGRAD_DATA"}
        environment |= {"XDG_CACHE_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(mnist.SAMPLE_NOTICE) == 1 and "Network is unreachable" in done.stderr


def test_a_network_that_swallows_everything_costs_one_short_wait(monkeypatch, tmp_path, tries):
    waited = []
    released = threading.Event()
    monkeypatch.setattr(mnist, "CONNECTION", 0.05)
    monkeypatch.setattr(mnist.socket, "create_connection", lambda *a, **k: waited.append(a) or released.wait(60))
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path)
    for _ in tries("Data", "a network that swallows everything"):
        with pytest.raises(mnist.DataError, match=r"could not be fetched: .*no answer within 0\.05 s"):
            mnist.load(tmp_path / "here")
        released.set()
        assert len(waited) == len(mnist.MIRRORS) and not (tmp_path / "here").exists()


def test_a_proxy_is_asked_in_place_of_the_mirror(served, tmp_path, monkeypatch):
    """As where only a proxy leads out: the mirror's own name means nothing here."""

    def proxy(handler, content):
        mirrors.whole(handler, mirrors.ARCHIVES[handler.path.rpartition("/")[2]])

    (through,) = served(proxy)
    listed = {"mirrors": ["http://mnist.invalid/"], "resources": list(mirrors.MD5.items())}
    monkeypatch.setattr(mnist, "_listed", lambda name, copied: listed[name])
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of its first day
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, through.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert len(mnist.load(tmp_path / "here").train) == 20


@pytest.mark.parametrize("folder", ["~nobody-of-that-name/mnist", "x" * 300, "a\nb", "\x1b[2J"])
def test_an_odd_name_is_refused_in_one_line(folder, tmp_path, monkeypatch, capsys):
    from cellgrad import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist.socket, "create_connection", lambda *a, **k: (_ for _ in ()).throw(OSError("no network")))
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    assert cli.main(["data", "--data", folder]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith("\n") and said.rstrip("\n").isprintable()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    for size in range(5):
        with room_for(size), pytest.raises(OSError):
            write_whole(path, b"newer")
        assert files_below(tmp_path) == {"file": b"old"}
    write_whole(path, b"newer")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".file.{ended.pid}.partial").write_bytes(b"ne")  # of one that was killed
    alive = tmp_path / f".file.{os.getppid()}.partial"
    others = [alive, tmp_path / f".file2.{ended.pid}.partial", tmp_path / ".file.mine.partial"]
    for other in others:
        other.write_bytes(b"something else")
    sweep(path)
    assert {file.name for file in tmp_path.iterdir()} == {"file", *(other.name for other in others)}
