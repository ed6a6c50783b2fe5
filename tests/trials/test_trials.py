import dataclasses
import errno
import json
import math
import multiprocessing
import os
import pickle
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from filelock import FileLock

from cellgrad import cli, mnist, training, trials
from cellgrad import layers as nets
from cellgrad.layers import flatten, linear, max_pool, relu
from cellgrad.training import evaluate, loop, saving
from cellgrad.training.recipes import RECIPES, Recipe
from cellgrad.trials import engines, records, studies, tasks
from cellgrad.trials.records import failure
from cellgrad.trials.studies import Study
from cellgrad.trials.tasks import Task

TINY = Recipe("tiny", (max_pool(4), flatten, linear(16), relu, linear(10)), epochs=1, learning_rate=0.1)
TWICE = replace(TINY, name="twice", epochs=2)
WILD = replace(TINY, name="wild", learning_rate=1e30, schedule="constant")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def few(sample):
    return mnist.Mnist(sample.train[:512], sample.test[:200], "sample", "a test")


def study(*variants, seeds=2, validation=0):
    return Study("fast", "Does it work?", variants, seeds, validation)


def run(study, data, **options):
    return trials.run_study(study, data, "fast.jsonl", progress=False, **options)


def lines(path="fast.jsonl"):
    return [json.loads(line) for line in content(path).splitlines(keepends=True) if line.endswith(b"\n")]


def content(path="fast.jsonl"):
    with open(path, "rb") as file:
        return file.read()


# Seconds after which a wait counts as endless; on a machine that is busy with other work, two minutes may be too few.
PATIENCE = 600


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def wait_for_lines(count, path="fast.jsonl"):
    wait_until(lambda: os.path.exists(path) and len(lines(path)) >= count)


def every_trial_once(study, path="fast.jsonl", data="sample"):
    return Counter(record["key"] for record in lines(path)) == Counter(
        task.key for task in tasks.study_tasks(study, data)
    )


# The key of a task ----------------------------------------------------------------------------------------------------

TASK = Task("fast", RECIPES["book"], 0, 0, "full", version=7)


def test_names_do_not_change_the_key_of_a_task():
    assert replace(TASK, study="other", recipe=replace(TASK.recipe, name="other")).key == TASK.key
    assert pickle.loads(pickle.dumps(TASK)).key == TASK.key
    through_json = Recipe.from_dict(json.loads(json.dumps(TASK.recipe.to_dict())))
    assert replace(TASK, recipe=through_json).key == TASK.key
    assert len(TASK.key) == 16 and int(TASK.key, 16)


def test_everything_else_changes_it():
    book = TASK.recipe
    recipes = [
        replace(book, epochs=13),
        replace(book, learning_rate=0.1),
        replace(book, batch_size=64),
        replace(book, momentum=0.8),
        replace(book, weight_decay=0.0),
        replace(book, schedule="constant"),
        replace(book, shift=1),
        replace(book, seeds=(("order", 0),)),
        replace(book, nesterov=True),
        replace(book, affine=(20, 0.1, (0.9, 1.1))),
        replace(book, network=(*book.network[:1], *book.network[2:])),
        replace(book, network=(replace(book.network[0], bias=True), *book.network[1:])),
    ]
    others = [replace(TASK, recipe=recipe) for recipe in recipes]
    others += [replace(TASK, seed=1), replace(TASK, validation=1), replace(TASK, data="sample")]
    others += [replace(TASK, version=version) for version in (1, 2)]
    assert len({task.key for task in [TASK, *others]}) == 1 + len(others)


def test_a_new_field_at_its_default_leaves_the_key_as_it_is():
    """A recipe that has one more neutral field is the same training; with another value it is another."""
    newer = dataclasses.make_dataclass(
        "Recipe", [("novelty", int, dataclasses.field(default=0))], bases=(Recipe,), frozen=True
    )
    settings = {field.name: getattr(TASK.recipe, field.name) for field in dataclasses.fields(Recipe)}
    for task in (TASK, replace(TASK, version=1)):
        assert replace(task, recipe=newer(**settings)).key == task.key
        assert replace(task, recipe=newer(**settings, novelty=1)).key != task.key


def test_the_keys_of_version_1_are_those_in_its_records():
    """`advice`, base, seed 0, as it was shipped with 0.1.0."""
    task = tasks.study_tasks(studies.STUDIES["recipes"], "full", seeds=1, only=["book"], version=1)[0]
    base = replace(task, recipe=replace(RECIPES["book"], epochs=4), validation=10_000)
    assert base.key == "de2dc4de39e9af35"


# The file -------------------------------------------------------------------------------------------------------------


def test_a_file_torn_anywhere_loses_no_whole_record(tmp_path):
    path = tmp_path / "torn.jsonl"
    for n in range(3):
        records.append(path, {"key": str(n), "text": "ü\n{}"})
    whole_file = path.read_bytes()
    ends = [n for n, byte in enumerate(whole_file) if byte == ord("\n")]
    assert len(ends) == 3 and len(records.read_records(path)) == 3
    for cut in range(len(whole_file) + 1):
        path.write_bytes(whole_file[:cut])
        whole = sum(end <= cut for end in ends)  # a record is whole when only its newline is missing
        assert len(records.parse(path.read_bytes(), "torn")) == whole
        records.mend(path)
        records.append(path, {"key": "new"})
        assert [record["key"] for record in lines(path)] == [str(n) for n in range(whole)] + ["new"]
        assert len(path.read_bytes().splitlines()) == whole + 1


@pytest.mark.parametrize("broken", [b'{"key": "1", "te', b"[1]", b'{"seed": 1}', b"7", b"\xff", b""])
def test_a_line_broken_elsewhere_is_named(tmp_path, broken):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(b'{"key": "0"}\n' + broken + b'\n{"key": "2"}\n')
    with pytest.raises(ValueError, match=r"broken\.jsonl, line 2: not the record of a trial"):
        records.read_records(path)


@pytest.mark.parametrize(
    "content",
    [
        b"notes of mine",
        b'{"key": "0"}\nnotes of mine',
        b'[{"key": "0"}]',
        '{"key": "0"}\n'.encode("utf-16"),
        b"[" * 200_000,
    ],
    ids=["notes", "notes below", "a list", "UTF-16", "deep"],
)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    for read in (records.mend, records.read_records, records.finished_keys):
        with pytest.raises(ValueError, match=r"mine\.jsonl, line \d: not the record of a trial"):
            read(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_of_any_kind_lose_nothing(tmp_path, end):
    path = tmp_path / "ends.jsonl"
    whole = b'{"key": "0"}' + end + b'{"key": "1"}' + end
    path.write_bytes(whole + b'{"key": "2')
    records.mend(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["seed", "parameters", "seconds", "test_accuracy"])
@pytest.mark.parametrize("value", [None, "much", math.nan, 10**400])
def test_a_record_without_its_numbers_is_named(tmp_path, name, value):
    path = tmp_path / "less.jsonl"
    records.append(path, WHOLE | {"key": "a"})
    records.append(path, WHOLE | {"key": "b", name: value})
    with pytest.raises(ValueError, match=f"less.jsonl: in the record with the key b, {name} is no number"):
        records.finished_keys(path)
    with pytest.raises(ValueError, match=f"the column {name} is missing"):
        records.summary(pd.DataFrame([WHOLE]).drop(columns=name))


WHOLE = {"variant": "v", "seed": 0, "parameters": 1, "seconds": 1.0, "test_accuracy": 0.9}


def test_a_disk_that_is_full_is_named_with_the_file(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        records.append(tmp_path / "full.jsonl", WHOLE | {"key": "a"})
    assert raised.value.filename == str(tmp_path / "full.jsonl")


def test_the_last_record_of_a_key_counts(tmp_path):
    path = tmp_path / "two.jsonl"
    for record in ({"error": "no"}, WHOLE | {"seconds": 1}, WHOLE | {"seconds": 2}):
        records.append(path, {"key": "a"} | record)
    records.append(path, {"key": "b", "error": "no"})
    assert records.read_records(path)["seconds"].tolist() == [2]
    assert records.read_records(path, failed=True)["key"].tolist() == ["a", "b"]
    assert records.finished_keys(path) == {"a"}
    records.append(path, {"key": "c", "training_version": 2})
    assert records.read_records(path)["training_version"].tolist() == [1, 2]  # version 1 did not write it down
    assert records.finished_keys("absent.jsonl") == set()
    with pytest.raises(FileNotFoundError):
        records.read_records("absent.jsonl")


def test_results_come_with_the_package(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match="no results of the study 'magic' come with this package; run: cellgrad trials"
    ):
        records.shipped_records("magic")
    (tmp_path / "results").mkdir()
    records.append(tmp_path / "results" / "fast.jsonl", {"key": "a", "seconds": 1})
    monkeypatch.setattr(records, "files", lambda package: tmp_path)
    assert trials.shipped_records("fast")["seconds"].tolist() == [1]


def trial(variant, seed, accuracy, **more):
    basis = {"variant": variant, "seed": seed, "test_accuracy": accuracy, "parameters": 7, "seconds": seed}
    return basis | {"data": "full", "validation": 0, "training_version": 2} | more


def test_the_summary_is_that_of_the_textbook():
    table = pd.DataFrame([trial("a", s, x) for s, x in enumerate((0.5, 0.6, 0.9))] + [trial("b", 0, 0.25)])
    summary = trials.summary(table)
    assert summary.index.tolist() == ["a", "b"]
    a, b = summary.loc["a"], summary.loc["b"]
    assert (a["parameters"], a["seeds"], a["worst"], a["best"], a["seconds"]) == (7, 3, 0.5, 0.9, 1)
    assert a["mean"] == pytest.approx(2 / 3)
    assert a["std"] == pytest.approx(math.sqrt(((0.5 - 2 / 3) ** 2 + (0.6 - 2 / 3) ** 2 + (0.9 - 2 / 3) ** 2) / 2))
    assert b["mean"] == 0.25 and math.isnan(b["std"])
    assert trials.summary(table[:0]).empty


UNLIKE = [{"data": "sample"}, {"validation": 5}, {"training_version": 1}, {"seed": 0}, {"epochs": [1]}]


@pytest.mark.parametrize("other", UNLIKE)
def test_unlike_trials_are_not_summed_up(other):
    with pytest.raises(ValueError, match=next(iter(other))):
        trials.summary(pd.DataFrame([trial("a", 0, 0.5, epochs=1), trial("a", 1, 0.5, epochs=1) | other]))
    blind = trial("b", 0, 0.5)
    blind["held_out_accuracy"] = blind.pop("test_accuracy")
    with pytest.raises(ValueError, match="not all have held_out_accuracy"):
        trials.summary(pd.DataFrame([trial("a", 0, 0.5), blind]))


# In this process ------------------------------------------------------------------------------------------------------


def test_a_record_is_what_the_training_says(few):
    outcome = run(study(TINY, TWICE, validation=100), few)
    assert (len(outcome.finished), outcome.failed, outcome.skipped) == (4, [], 0)
    assert every_trial_once(study(TINY, TWICE, validation=100))
    for record in lines():
        recipe = Recipe.from_dict(record["recipe"])
        assert (recipe, record["variant"]) in [(TINY, "tiny"), (TWICE, "twice")]
        trained = training.train(recipe, few, seed=record["seed"], validation=100, progress=False)
        for name in ("parameters", "epochs", "test_accuracy", "device", "threads", "processor", "versions"):
            assert record[name] == trained.record[name]
        assert dict(record["mistakes"]) == trained.mistakes
        assert len(record["mistakes"]) == round(200 * (1 - record["test_accuracy"]))
        history = trained.history.drop(columns="seconds").round(5).to_dict("list")
        assert {name: column for name, column in record["history"].items() if name != "seconds"} == history
        assert record["validation_accuracy"] == trained.history["validation_accuracy"].iloc[-1]
        assert (record["study"], record["data"], record["validation"]) == ("fast", "sample", 100)
        assert record["training_version"] == loop.VERSION and record["finished"].startswith("20")
    assert run(study(TINY), few).finished["validation_accuracy"].isna().all()


def test_a_blind_study_reads_the_held_out_digits_and_never_the_test_digits(few, monkeypatch):
    looked_at, predict = [], evaluate.predict

    def looking(model, digits, shift=0):
        looked_at.append(digits)
        return predict(model, digits, shift)

    monkeypatch.setattr(evaluate, "predict", looking)
    nine = replace(TINY, test_shift=1)
    blind = Study("fast", "Which one?", (nine,), seeds=2, validation=100, blind=True)
    outcome = run(blind, few)
    assert looked_at and all(torch.equal(digits.images, few.train.images[-100:]) for digits in looked_at)
    assert not {"test_accuracy", "test_accuracy_unshifted", "mistakes"} & set(outcome.finished)
    fewer = mnist.Mnist(few.train[:-100], few.train[-100:], "sample", "a test")
    expected = training.train(nine, fewer, seed=1, progress=False).record
    told = outcome.finished.iloc[1]
    assert told["held_out_accuracy"] == expected["test_accuracy"]
    assert told["held_out_accuracy_unshifted"] == expected["test_accuracy_unshifted"]
    assert told["validation"] == 100 and trials.summary(outcome.finished)["seeds"].tolist() == [2]
    assert run(replace(blind, blind=False), few).skipped == 0, "what is blind has keys of its own"


def test_what_is_recorded_is_not_run_again(few):
    run(study(TINY, TWICE), few, only=["twice"], seeds=1)
    before = content()
    assert [(record["variant"], record["seed"]) for record in lines()] == [("twice", 0)]
    outcome = run(study(TINY, replace(TWICE, name="renamed")), few)
    assert content().startswith(before)
    assert (len(outcome.finished), outcome.skipped) == (4, 1)
    assert outcome.finished["variant"].tolist() == ["tiny", "renamed"] * 2
    assert every_trial_once(study(TINY, TWICE))
    assert run(study(TINY, TWICE), few).skipped == 4 == len(lines())
    assert run(study(TINY), mnist.Mnist(few.train, few.test, "full", "a lie")).skipped == 0


def test_a_failure_is_recorded_and_does_not_stop_the_rest(few, capsys):
    outcome = trials.run_study(study(WILD, TINY), few, "fast.jsonl")
    assert outcome.finished["variant"].tolist() == ["tiny"] * 2
    assert [(record["variant"], record["seed"]) for record in outcome.failed] == [("wild", 0), ("wild", 1)]
    for record in outcome.failed:
        assert record["error"].startswith("Traceback") and "training.loop.Diverged: " in record["error"]
        assert "test_accuracy" not in record
    assert "failed: wild, seed 1: cellgrad.training.loop.Diverged: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ('Traceback:\n  File "a.py", line 1\n    run()\nRuntimeError: out\nTry this.\nOr that.', "RuntimeError: out"),
        ("its process died, 2 times", "its process died, 2 times"),
    ],
)
def test_a_failure_is_said_by_the_first_line_of_its_message(error, said):
    assert failure({"variant": "tiny", "seed": 3, "error": error}) == f"tiny, seed 3: {said}"


def test_a_failed_trial_is_tried_again(few, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "draw_batches", lambda *arguments, **options: 1 / 0)
        assert len(run(study(TINY, seeds=1), few).failed) == 1
    outcome = run(study(TINY), few)
    assert (len(outcome.finished), outcome.failed, outcome.skipped) == (2, [], 0)
    assert ["error" in record for record in lines()] == [True, False, False]


def test_a_task_for_other_data_or_other_code_fails(few):
    (task,) = tasks.study_tasks(study(TINY, seeds=1), "full")
    assert "this trial is of the full data, but here is the sample data, a test" in tasks.run_task(task, few)["error"]
    other = replace(task, data="sample", version=99)
    assert f"version 99, but here is {loop.VERSION}" in tasks.run_task(other, few)["error"]


def test_one_writer_at_a_time(few):
    with FileLock("fast.jsonl.lock"), pytest.raises(ValueError, match="another process is writing to it"):
        run(study(TINY), few)
    assert not os.path.exists("fast.jsonl")
    assert len(run(study(TINY), few).finished) == 2


@pytest.mark.parametrize("blind", [False, True])
def test_with_weights_a_killed_trial_goes_on_where_it_was(few, monkeypatch, blind):
    asked = replace(study(TWICE, seeds=1, validation=100 * blind), blind=blind)
    trials.run_study(asked, few, "whole.jsonl", progress=False)
    draw_batches, epochs = loop.draw_batches, []

    def drawing(*arguments, **options):
        epochs.append(1)
        if len(epochs) == 2:  # as the second epoch begins
            raise KeyboardInterrupt
        return draw_batches(*arguments, **options)

    monkeypatch.setattr(loop, "draw_batches", drawing)
    with pytest.raises(KeyboardInterrupt):
        run(asked, few, weights=True)
    assert not os.path.exists("fast.jsonl")
    assert run(asked, few, weights=True).failed == []
    os.remove("fast.jsonl")  # as if killed between the weights and the record
    assert run(asked, few, weights=True).failed == []
    assert len(epochs) == 3, "the first epoch, the second one broken off, and the second one"
    assert results("fast.jsonl") == results("whole.jsonl")
    (weights,) = Path("weights").rglob("*.*")
    digits, told = (few.hold_out(100)[1], "held_out_accuracy") if blind else (few.test, "test_accuracy")
    assert training.accuracy(saving.load_run(weights).model, digits) == lines()[0][told]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_digits_stay_on_the_device(few, monkeypatch):
    seen = []
    run_task = engines.run_task
    monkeypatch.setattr(
        engines, "run_task", lambda task, data, device: seen.append(data) or run_task(task, data, device)
    )
    by_image = replace(TINY, name="by image", feed="images", affine=(20, 0.1, (0.9, 1.1)))
    assert len(run(study(TINY, by_image, validation=100), few).finished) == 4
    assert {data.train.images.device.type for data in seen} == {"cuda"} and len(set(map(id, seen))) == 1


# In several processes -------------------------------------------------------------------------------------------------


def results(path):
    told = {}
    for record in lines(path):
        history = {name: column for name, column in record["history"].items() if name != "seconds"}
        accuracy = record["held_out_accuracy" if "held_out_accuracy" in record else "test_accuracy"]
        told[record["key"]] = (accuracy, record.get("mistakes"), history)
    return told


@pytest.mark.slow
def test_processes_record_what_one_does(few):
    trials.run_study(study(TINY, TWICE), few, "one.jsonl", progress=False)
    outcome = trials.run_study(study(TINY, TWICE), few, "two.jsonl", workers=2, progress=False)
    assert (len(outcome.finished), outcome.failed) == (4, [])
    assert outcome.finished["threads"].tolist() == [1] * 4  # as in the one
    assert results("one.jsonl") == results("two.jsonl")
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_process_begins_seed_by_seed(few):
    """A study that is stopped has whole seeds: what is shipped of it leaves none out."""
    asked = study(TINY, TWICE, seeds=8)
    run(asked, few, workers=1)
    assert [record["key"] for record in lines()] == [task.key for task in tasks.study_tasks(asked, "sample")]


@pytest.mark.slow
def test_two_workers_begin_seed_by_seed_where_one_variant_takes_longer(monkeypatch):
    """Dask deals tasks out at once, and its workers take them from each other in any order, if they are no group."""
    variants = (TINY, *(replace(TINY, name=f"{epochs} epochs", epochs=epochs) for epochs in (2, 3, 12)))
    todo = tasks.study_tasks(study(*variants, seeds=10), "sample")

    def wait(task, folder, device):
        begun = time.monotonic()
        time.sleep(task.recipe.epochs / 25)
        return {"begun": begun, "place": todo.index(task)}

    cluster = engines.dask()
    monkeypatch.setattr(cluster, "_run_anywhere", wait)
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with cluster.LocalCluster(**workers) as two:
        records = list(cluster.on_dask(todo, cluster.Client(two), None, "cpu"))
    begun = sorted(records, key=lambda record: record["begun"])
    late = [place - record["place"] for place, record in enumerate(begun)]
    assert max(map(abs, late)) <= 8, late  # of forty: two seeds'


@dataclass(frozen=True)
class Deadly(Recipe):
    """Ends a process that trains by it, if it is not the tests' own: always, or once for each mark that it leaves."""

    def __post_init__(self):
        if multiprocessing.parent_process():
            if "once" in self.name:
                try:
                    open(os.path.join(os.environ["MARKS"], self.name), "x").close()
                except FileExistsError:
                    return
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_process_that_dies_does_not_stop_the_rest(few, tmp_path, monkeypatch):
    monkeypatch.setenv("MARKS", str(tmp_path))
    # As on a busy machine: a process takes longer to start than Dask would wait for it.
    settings = engines.dask().dask.config.config
    monkeypatch.setitem(settings["distributed"]["deploy"], "lost-worker-timeout", "1ms")
    always, once = (Deadly(name, TINY.network, epochs=1, learning_rate=rate) for name, rate in DEADLY)
    asked = study(always, once, TINY)
    outcome = run(asked, few, workers=2)
    assert (tmp_path / once.name).exists(), "its process died"
    assert every_trial_once(asked)
    assert outcome.finished["variant"].tolist() == ["dies once", "tiny"] * 2
    assert [record["variant"] for record in outcome.failed] == ["always dies"] * 2
    assert all("process died" in record["error"] for record in outcome.failed)
    assert not multiprocessing.active_children()


DEADLY = [("always dies", 0.2), ("dies once", 0.3)]

# Stopped: all trials but those with seed 0 wait for a file to go away, so that none of them can be over first --------

HELD = """
import os, time
from cellgrad.training import loop

train = getattr(loop.train, "real", loop.train)


def held(recipe, data, *, seed, **options):
    while seed and os.path.exists(HOLD):
        time.sleep(0.01)
    return train(recipe, data, seed=seed, **options)


held.real = train  # Dask runs this more than once
loop.train = held
"""

# What stands above the last lines is run by the processes that are started, too.
COMMAND = """
import signal, sys
from cellgrad import cli
from cellgrad.layers import flatten, linear, max_pool, relu
from cellgrad.training import recipes
from cellgrad.trials import studies

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
    network = (max_pool(4), flatten, linear(16), relu, linear(10))
    tiny = recipes.Recipe("tiny", network, epochs=1, learning_rate=0.1)
    studies.STUDIES["fast"] = studies.Study("fast", "Does it work?", (tiny,), seeds=4)
    sys.exit(cli.main(["trials", "fast", "--data", "sample", "--out", ".", *sys.argv[1:]]))
"""

FOUR = study(TINY, seeds=4)


@pytest.fixture
def start(tmp_path):
    """Starts the command on a study of four trials, of which three cannot end; ends what is left of it."""
    hold = tmp_path / "hold"
    hold.touch()
    (tmp_path / "command.py").write_text(f"HOLD = {str(hold)!r}{HELD}{COMMAND}")
    started = []

    def start(*options):
        command = [sys.executable, "command.py", *options]
        started.append(
            subprocess.Popen(
                command,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,  # so that Ctrl-C reaches all of it and nothing else
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one process", "two processes"])
def test_killed_in_the_middle_then_started_again(start, options, capsys, monkeypatch):
    monkeypatch.setitem(studies.STUDIES, "fast", FOUR)
    process = start(*options)
    wait_for_lines(1)
    assert cli.main(["trials", "fast", "--data", "sample", "--out", "."]) == 2
    assert "fast.jsonl: another process is writing to it" in capsys.readouterr().err
    children = psutil.Process(process.pid).children(recursive=True)
    if options:
        assert len(children) >= 2
    process.kill()
    assert "Traceback" not in process.communicate()[1]  # its children do not go on, to find later that it is gone
    assert not psutil.wait_procs(children, timeout=PATIENCE)[1]
    before = content()
    assert [record["seed"] for record in lines()] == [0]
    with open("fast.jsonl", "ab") as file:  # as if killed while writing
        file.write(b'{"key": "0123')
    assert cli.main(["trials", "fast", "--data", "sample", "--out", ".", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (counts["finished"], counts["failed"], counts["skipped"]) == (3, 0, 1)
    assert content().startswith(before)
    assert every_trial_once(FOUR)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal as a terminal does")
def test_control_c_waits_also_where_another_thread_gets_it():
    cluster, passed = engines.dask(), []
    done = threading.Event()
    other = threading.Thread(target=done.wait)  # it does not block the signal, as numpy's threads do not
    other.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt), cluster._without_control_c():
            signal.pthread_kill(other.ident, signal.SIGINT)
            time.sleep(0.2)
            passed.append("to the end")
    finally:
        signal.signal(signal.SIGINT, before)
        done.set()
        other.join()
    assert passed == ["to the end"]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal as a terminal does")
@pytest.mark.parametrize(
    ("options", "finished"),
    [
        pytest.param([], [0], id="one process"),
        pytest.param(["--workers", "2"], [0], id="two processes", marks=pytest.mark.slow),
        pytest.param(["--workers", "2"], None, id="two processes that start", marks=pytest.mark.slow),
    ],
)
def test_control_c_keeps_what_is_finished(start, options, finished):
    process = start(*options)
    parent = psutil.Process(process.pid)
    if finished:
        wait_for_lines(1)
    else:
        wait_until(lambda: len(parent.children()) >= 3)  # one keeps track of what they share
    children = parent.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    assert "cellgrad: stopped; every finished trial is recorded, and the same command does the rest" in said
    assert "Traceback" not in said and "leaked" not in said
    assert not psutil.wait_procs(children, timeout=PATIENCE)[1]
    assert not finished or [record["seed"] for record in lines()] == finished


# On a Dask cluster ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path):
    """A real scheduler's address on this machine, it and its two workers, and the file that their trials wait for."""
    file, hold, preload = tmp_path / "scheduler.json", tmp_path / "hold", tmp_path / "held.py"
    preload.write_text(f"HOLD = {str(hold)!r}{HELD}")
    started = []

    def start(program, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *options, "--no-dashboard"]
        log = open(tmp_path / f"{program}-{len(started)}.log", "w")  # noqa: SIM115 (open as long as the process)
        started.append(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"}))
        return started[-1]

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    wait_until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
    address = json.loads(file.read_text())["address"]
    options = ("--no-nanny", "--nthreads", "2", "--preload", str(preload))
    for _ in range(2):
        start("worker", address, *options)
    yield address, started, hold
    for process in reversed(started):
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_dask_worker_killed_in_the_middle_costs_no_trial(cluster, sample):
    address, (_, *workers), hold = cluster
    hold.touch()
    asked = study(TINY, seeds=6)

    def kill_one():
        from distributed import Client

        wait_for_lines(1)
        with Client(address, set_as_default=False) as client:
            wait_until(lambda: len(client.processing()) == 2 and all(client.processing().values()))
        workers[0].kill()
        workers[0].wait()
        hold.unlink()

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcome = run(asked, sample, scheduler=address, folder="sample")
    killer.join()
    assert workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
    assert (len(outcome.finished), outcome.failed, outcome.skipped) == (6, [], 0)
    assert every_trial_once(asked)
    trials.run_study(asked, sample, "one.jsonl", progress=False)
    assert results("one.jsonl") == results("fast.jsonl")
    # A worker that finds other data than the trial is for
    outcome = run(
        study(TINY, seeds=1),
        mnist.Mnist(sample.train, sample.test, "full", "a lie"),
        scheduler=address,
        folder="sample",
    )
    assert "of the full data, but here is the sample data" in outcome.failed[0]["error"]


@pytest.mark.slow
def test_a_dask_scheduler_killed_in_the_middle_loses_only_what_was_running(cluster, sample):
    address, (scheduler, *_), hold = cluster
    hold.touch()
    asked = study(TINY, seeds=4)

    def kill():
        wait_for_lines(1)
        scheduler.kill()
        scheduler.wait()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ConnectionError, match="the Dask scheduler is gone"):
        run(asked, sample, scheduler=address, folder="sample")
    killer.join()
    kept = lines()
    assert kept and all("error" not in record for record in kept)
    outcome = run(asked, sample)  # without a cluster
    assert (len(outcome.finished), outcome.failed, outcome.skipped) == (4, [], len(kept))
    assert every_trial_once(asked)


@pytest.mark.slow
def test_two_studies_that_share_a_scheduler_get_records_of_their_own(cluster, sample):
    from distributed import Client

    address, _, hold = cluster
    hold.touch()
    asked = [replace(study(TINY), name=name) for name in ("one", "other")]
    options = {"scheduler": address, "folder": "sample", "progress": False}
    running = [
        threading.Thread(target=trials.run_study, args=(each, sample, f"{each.name}.jsonl"), kwargs=options)
        for each in asked
    ]
    for thread in running:
        thread.start()
    with Client(address, set_as_default=False) as client:
        wait_until(lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 4)
    hold.unlink()
    for thread in running:
        thread.join()
    for each in asked:
        kept = sorted((record["study"], record["seed"]) for record in lines(f"{each.name}.jsonl"))
        assert kept == [(each.name, 0), (each.name, 1)]


# The command ----------------------------------------------------------------------------------------------------------


def test_workers_elsewhere_look_into_the_folder_that_the_command_reads(monkeypatch, capsys):
    asked = {}

    def run_study(*arguments, **options):
        asked.update(options)
        raise ValueError("enough")

    monkeypatch.setattr(mnist, "load", lambda folder: None)
    monkeypatch.setattr(trials, "run_study", run_study)
    for folder in ("~/digits", os.path.join("~", "digits", "")):
        assert cli.main(["trials", "recipes", f"--data={folder}"]) == 2 and "enough" in capsys.readouterr().err
        assert asked["folder"] == os.path.join(os.path.expanduser("~"), "digits")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "which study"),
        (["magic"], "unknown study 'magic'; choose among "),
        (["magic", "--list"], "unknown study 'magic'"),
        (["recipes", "--only", "magic"], "unknown variant 'magic' of the study recipes; choose among "),
        (["recipes", "--seeds", "0"], "seeds: 0 is too small"),
        (["recipes", "--seeds", "few"], "invalid int value"),
        (["recipes", "--seed", "3"], "unrecognized arguments: --seed"),
        (["--list", "--seeds", "0"], "seeds: 0 is too small"),
        (["--list", "--out", "broken"], "line 1: not the record of a trial"),
        (["--list", "--json"], "--json: with --list"),
        (["recipes", "--workers", "0"], "workers: 0 is too small"),
        (["recipes", "--workers", "-1"], "workers: -1 is too small"),
        (["recipes", "--workers", "2", "--scheduler", "tcp://127.0.0.1:8786"], "not allowed with"),
        (["recipes", "--scheduler", "tcp://127.0.0.1:1"], "scheduler: 'tcp://127.0.0.1:1' cannot be reached"),
        (["recipes", "--scheduler", "nonsense"], "scheduler: 'nonsense' cannot be reached (missing port"),
        (["recipes", "--scheduler", ""], "scheduler: '' cannot be reached"),
        (["recipes", "--scheduler", "ucx://127.0.0.1:1"], "scheduler: 'ucx://127.0.0.1:1' cannot be reached"),
        (["recipes", "--device", "quantum"], "device: this machine has no 'quantum'"),
        (["recipes", "--out", "file/below"], "file/below"),
        (["recipes", "--data", "file"], "file is not a folder"),
        (["recipes", "--out", "broken"], "line 1: not the record of a trial"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(engines.dask(), "PATIENCE", 1)
    (tmp_path / "file").write_text("precious")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "recipes.jsonl").write_text("precious\n")
    try:
        code = cli.main(["trials", "--data", "sample", *options])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    announced = [line for line in said.err.splitlines() if not line.startswith("Running on the embedded sample")]
    assert code == 2 and len(announced) == 1 and announced[0].startswith("cellgrad") and message in announced[0]
    assert not said.out
    assert (tmp_path / "file").read_text() == "precious"
    assert (tmp_path / "broken" / "recipes.jsonl").read_text() == "precious\n"


@pytest.mark.parametrize("options", [["--scheduler", "tcp://127.0.0.1:1"], ["--workers", "2"]])
def test_without_dask_it_says_what_to_install(options, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "cellgrad.trials.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["trials", "recipes", "--data", "sample", *options]) == 2
    assert "pip install 'cellgrad[cluster]'" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="closes a stream as a shell does")
def test_a_closed_stdout_is_no_failure():
    command = f"{shlex.quote(sys.executable)} -m cellgrad trials --list luck >&-"
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")


def test_nobody_waits_for_dask_who_does_not_use_it():
    code = "import sys, cellgrad.trials.run, cellgrad.cli; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_table_says_that_it_was_the_sample(capsys, monkeypatch):
    monkeypatch.setitem(studies.STUDIES, "fast", study(TINY, WILD))
    assert cli.main(["trials", "fast", "--data", "sample", "--only", "tiny", "--out", "here"]) == 0
    said = capsys.readouterr().out
    tiny = trials.summary(trials.read_records("here/fast.jsonl")).loc["tiny"]
    assert f"{tiny['mean']:.2%} ± {tiny['std']:.2%}" in said and f"{tiny['worst']:.2%}" in said and "970" in said
    assert "Does it work?" in said and "embedded sample" in said and "(2 new, 0 from before)" in said
    assert cli.main(["trials", "fast", "--data", "sample", "--out", "here", "--seeds", "1"]) == 1
    said = capsys.readouterr().out
    assert "failed: wild, seed 0: cellgrad.training.loop.Diverged" in said and "(0 new, 1 from before)" in said
    assert cli.main(["trials", "fast", "--data", "sample", "--out", "here", "--seeds", "3", "--json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    counts = {"study": "fast", "data": "sample", "finished": 1, "failed": 3, "skipped": 2}
    assert json.loads(line) == counts | {"file": os.path.join("here", "fast.jsonl")}
    assert cli.main(["trials", "fast", "--list", "--out", "here"]) == 0
    said = capsys.readouterr().out
    assert "tiny: 970 parameters, 0 of 2 done (2 with the sample)" in said
    assert "wild: 970 parameters, 0 of 2 done\n" in said


def test_the_list_shows_every_study(capsys):
    assert cli.main(["trials", "--list"]) == 0
    said = capsys.readouterr().out
    for name, listed in studies.STUDIES.items():
        assert f"{name}: {listed.question}" in said
        for recipe in listed.variants:
            assert f"{recipe.name}: {nets.count_parameters(recipe.network):,} parameters, 0 of {listed.seeds}" in said


def test_studies_and_records_need_no_torch():
    code = "import sys, cellgrad.trials.studies, cellgrad.trials.records; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("variants", "options", "message"),
    [
        ((TINY, replace(TWICE, name="tiny")), {}, "the variants tiny, tiny are the same"),
        ((TINY, replace(TINY, name="other")), {}, "the variants tiny, other are the same"),
        ((TINY,), {"seeds": 0}, "seeds: 0 is too small"),
        ((TINY,), {"validation": -1}, "validation: -1 is too small"),
    ],
)
def test_a_study_that_makes_no_sense_is_named(variants, options, message):
    with pytest.raises(ValueError, match=message):
        study(*variants, **options)


def test_more_validation_than_digits_is_found_before_the_first_trial(few):
    with pytest.raises(ValueError, match="validation: 600 of 512 training digits cannot be held out"):
        run(study(TINY, validation=600), few)
    assert not os.path.exists("fast.jsonl")
