"""Trainings and trials that are killed, find the disk full, or meet each other lose nothing that was finished."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from limits import room_for

torch = pytest.importorskip("torch")
import dying  # noqa: E402

from cellgrad import trials  # noqa: E402
from cellgrad.training import saving, train  # noqa: E402
from cellgrad.trials import records  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(os.name != "posix", reason="kills processes as Unix does"),
]


@pytest.fixture(scope="module")
def start():
    """Starts a function of `dying` in a process of its own; torch is imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "dying"])

    def start(function, *arguments):
        process = context.Process(target=function, args=arguments, daemon=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
            process.start()
        return process

    return start


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody disturbs."""
    return dying.trained(tmp_path_factory.mktemp("whole"))


def completed(out, whole, start):
    """Go on where what was killed has left off: to the same weights, and with nothing left beside them."""
    process = start(dying.run, out)
    process.join()
    assert process.exitcode == 0
    (path,) = Path(out).iterdir()
    run = saving.load_run(path)
    expected, found = whole.model.state_dict(), run.model.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert run.record["test_accuracy"] == whole.record["test_accuracy"]
    history = whole.history.drop(columns="seconds")
    assert run.history.drop(columns="seconds").round(10).equals(history.round(10))


@pytest.mark.slow
def test_killed_at_a_random_moment(start, whole, tmp_path, tries):
    start(dying.run, tmp_path / "warm").join()
    begun = time.monotonic()
    start(dying.run, tmp_path / "timed").join()
    duration = time.monotonic() - begun
    what = "SIGKILL at a random moment; resumed to the same weights"
    for number in tries("Training", what, few=3, most=50, share=0.1):
        process = start(dying.run, tmp_path / str(number))
        process.join(random.Random(number).uniform(0, duration))
        process.kill()
        process.join()
        completed(tmp_path / str(number), whole, start)


@pytest.mark.slow
def test_killed_before_each_operation_on_a_file(start, whole, tmp_path, tries):
    counted = start(dying.count_operations, tmp_path / "all", tmp_path / "count")
    counted.join()
    count = int((tmp_path / "count").read_text())
    assert count > 3 * dying.TINY.epochs, "an opening, a new name and a removal for each epoch"
    order = random.Random(0).sample(range(count), count)
    what = "SIGKILL before an operation on a file; resumed to the same weights"
    for number in tries("Training", what, few=4, most=count, share=0.05):
        process = start(dying.run_to_operation, tmp_path / str(number), order[number])
        process.join()
        assert process.exitcode == -signal.SIGKILL
        completed(tmp_path / str(number), whole, start)


@pytest.mark.slow
def test_killed_in_the_middle_of_a_write(start, whole, tmp_path, tries):
    what = "killed in the middle of writing a checkpoint; resumed to the same weights"
    for number in tries("Training", what, few=2, most=50, share=0.05):
        process = start(dying.run_to_byte, tmp_path / str(number), random.Random(number).randrange(4000))
        process.join()
        assert process.exitcode == -signal.SIGXFSZ
        assert not [path.name for path in (tmp_path / str(number)).iterdir() if not path.name.endswith(".partial")]
        completed(tmp_path / str(number), whole, start)


def test_two_processes_train_the_same_at_once(start, whole, tmp_path, tries):
    for number in tries("Training", "two processes that train the same at once", few=1, most=10, share=0.02):
        out = tmp_path / str(number)
        out.mkdir()
        processes = [start(dying.run, out) for _ in range(2)]
        for process in processes:
            process.join()
            assert process.exitcode in (0, dying.REFUSED)
        completed(out, whole, start)


@pytest.mark.parametrize("epoch", [1, 3, dying.TINY.epochs + 1])
def test_a_disk_that_is_full_while_saving(start, whole, tmp_path, monkeypatch, tries, epoch):
    """While a checkpoint is saved, or, after the last epoch, the weights."""
    save, finish = saving.RunFiles.save_checkpoint, saving.RunFiles.finish
    for number in tries("Training", "a disk that is full while saving", few=2, most=20, share=0.02):
        out, size = tmp_path / str(number), random.Random(number).randrange(3000)

        def saving_it(files, checkpoint, size=size):
            with room_for(size if len(checkpoint.history) == epoch else 2**30):
                save(files, checkpoint)

        def finishing(files, run, size=size):
            with room_for(size):
                finish(files, run)

        with monkeypatch.context() as patch:
            patch.setattr(saving.RunFiles, "save_checkpoint", saving_it)
            patch.setattr(saving.RunFiles, "finish", finishing)
            with pytest.raises(OSError):
                train(dying.TINY, dying.FEW, out=out, progress=False)
        assert [path.suffix for path in out.iterdir()] == [".checkpoint"] * (epoch > 1)
        completed(out, whole, start)


# Trials ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The file of a study that nobody disturbs."""
    path = tmp_path_factory.mktemp("recorded") / "four.jsonl"
    trials.run_study(dying.FOUR, dying.FEW, path, progress=False)
    return path.read_bytes()


def complete(path):
    """Whether each trial is recorded, as lines of which each is whole; started again, none is run."""
    outcome = trials.run_study(dying.FOUR, dying.FEW, path, progress=False)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sorted(line["seed"] for line in lines) == [0, 1, 2, 3]
    return (len(outcome.finished), outcome.skipped, outcome.failed) == (4, 4, [])


def test_a_record_file_torn_anywhere(recorded, tmp_path, tries):
    path = tmp_path / "four.jsonl"
    for number in tries("Trials", "a record file whose last line is torn", few=4, most=100, share=0.03):
        place = random.Random(number).randrange(len(recorded))
        path.write_bytes(recorded[:place])
        kept = recorded[: place + 1].count(b"\n")  # whole too, if only its newline is missing
        assert trials.run_study(dying.FOUR, dying.FEW, path, progress=False).skipped == kept
        assert path.read_bytes().startswith(b"".join(recorded.splitlines(keepends=True)[:kept]))
        assert complete(path)


def test_a_disk_that_is_full_while_recording(recorded, tmp_path, tries):
    for number in tries("Trials", "a disk that is full while recording", few=3, most=50, share=0.02):
        path = tmp_path / f"{number}.jsonl"
        with room_for(random.Random(number).randrange(len(recorded) - 200)), pytest.raises(OSError):
            trials.run_study(dying.FOUR, dying.FEW, path, progress=False)
        trials.run_study(dying.FOUR, dying.FEW, path, progress=False)
        assert complete(path)


def test_two_studies_on_one_file(start, tmp_path, tries):
    for number in tries("Trials", "two processes on one record file", few=1, most=20, share=0.03):
        path = tmp_path / f"{number}.jsonl"
        processes = [start(dying.study, path) for _ in range(2)]
        for process in processes:
            process.join()
            assert process.exitcode in (0, dying.REFUSED)
        assert 0 in [process.exitcode for process in processes]
        assert complete(path)


def test_a_study_killed_at_a_random_moment(start, tmp_path, tries):
    begun = time.monotonic()
    start(dying.study, tmp_path / "timed.jsonl").join()
    duration = time.monotonic() - begun
    for number in tries("Trials", "SIGKILL at a random moment, then started again", few=2, most=50, share=0.03):
        path = tmp_path / f"{number}.jsonl"
        process = start(dying.study, path)
        process.join(random.Random(number).uniform(0, duration))
        process.kill()
        process.join()
        trials.run_study(dying.FOUR, dying.FEW, path, progress=False)
        assert complete(path)


def test_a_clock_that_is_set_back(tmp_path, monkeypatch, tries):
    clock = iter(range(2_000_000_000, 0, -1_000))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    for _ in tries("Trials", "a clock that runs backwards"):
        outcome = trials.run_study(dying.FOUR, dying.FEW, tmp_path / "four.jsonl", progress=True)
        assert len(outcome.finished) == 4 and (outcome.finished["seconds"] >= 0).all()
        run = train(dying.TINY, dying.FEW, out=tmp_path, progress=True)
        assert (run.history["seconds"] >= 0).all()
        assert records.summary(records.read_records(tmp_path / "four.jsonl")).loc["one", "seeds"] == 4
