"""Workbooks that are damaged, fuzzed or wrong: a report or one line, in seconds, within bounds.

Their shares are three quarters of the time: an hour of the 80 minutes of `make proof`, on a core of their own.
"""

import random
import signal
import string
import zipfile
from contextlib import contextmanager, suppress
from io import BytesIO

import pytest
from test_property import test_a_changed_sheet_is_objected_to_or_still_descends as changed_sheet
from toy_sheets import ToySheet

from cellgrad.spreadsheet.audit import AuditError, audit
from cellgrad.spreadsheet.parser import FormulaError, parse

SECONDS = 5  # of computing, for one workbook: more is called a hang


@contextmanager
def no_longer_than(seconds):
    """Ends what computes for longer; what waits for other work on this machine is not counted."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_):
        raise AssertionError(f"a hang: more than {seconds} s of computing")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    return ToySheet(rows=3).save(tmp_path_factory.mktemp("right") / "right.xlsx").read_bytes()


def damaged(content, draw):
    """The bytes of a workbook cut, changed, doubled or left out somewhere: in the file, or in one of its parts."""
    if draw.random() < 0.5:
        return _damaged_bytes(content, draw)
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        hit = draw.choice(old.namelist())
        for name in old.namelist():
            part = old.read(name)
            if name != hit:
                new.writestr(name, part)
            elif draw.random() < 0.9:
                new.writestr(name, _damaged_bytes(part, draw))
    return written.getvalue()


def _damaged_bytes(content, draw):
    first, second = sorted(draw.randrange(len(content)) for _ in range(2))
    return draw.choice(
        [
            content[:first],
            content[:first] + content[second:],
            content[:first] + bytes(draw.randrange(256) for _ in range(8)) + content[first + 8 :],
            content[:second] + content[first:],
            content.replace(content[first : first + 4], content[second : second + 4]),
            content[:first]
            + draw.choice([b"\0", b"<", b"&#0;", b"]]>", b"\xff\xfe", b'"', b"9" * 400])
            + content[first:],
        ]
    )


def test_damaged_workbooks(right, tmp_path, tries):
    path = tmp_path / "damaged.xlsx"
    for number in tries("Workbooks", "damaged workbooks: a report, or one line", few=12, most=20_000, share=0.12):
        path.write_bytes(damaged(right, random.Random(number)))
        with no_longer_than(SECONDS):
            try:
                str(audit(path))
            except AuditError as error:
                assert "\n" not in str(error)


PIECES = [
    *"()+-*/^%&=<>,;:!$ .\"'{}[]",
    *string.ascii_letters[:6],
    "1",
    "0",
    "1E308",
    "1e-400",
    "9" * 30,
    "EXP(",
    "SUM(",
]
PIECES += [
    "IF(",
    "A1",
    "$B$2",
    "Sheet1!C3",
    "'a b'!A1:B2",
    "#REF!",
    "TRUE",
    "\n",
    "\0",
    "é",
    "٣",
    "^^",
    "--",
    "((((((((((((((((((((" * 20,
]


def test_fuzzed_formulas(tries):
    what = "fuzzed formulas: read, or refused in half a sentence"
    for number in tries("Workbooks", what, few=300, most=10_000_000, share=0.13):
        draw = random.Random(number)
        formula = "=" + "".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 25)))
        with no_longer_than(SECONDS):
            try:
                parse(formula)
            except FormulaError as error:
                assert str(error)


def test_changed_sheets(tmp_path, tries):
    what = "right sheets changed anywhere: objected to, or still a descent"
    for number in tries("Workbooks", what, few=2, most=30_000, share=0.5):
        changed_sheet(tmp_path, 1000 + number)


def test_memory_stays_within_bounds(right, tmp_path, tries):
    """The most that this process has ever held, after all of the above."""
    resource = pytest.importorskip("resource")
    for _ in tries("Workbooks", "memory while reading damaged workbooks: less than 500 MB more"):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(10):
            (tmp_path / "damaged.xlsx").write_bytes(damaged(right, random.Random(number)))
            with suppress(AuditError):
                audit(tmp_path / "damaged.xlsx")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024
