"""What is run by processes that are killed: a training of a second, and a study of four."""

import itertools
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

import torch
from tqdm import tqdm

from cellgrad import mnist, trials
from cellgrad.layers import flatten, linear, max_pool, relu
from cellgrad.training import train
from cellgrad.training.recipes import Recipe
from cellgrad.trials.studies import Study

# tqdm's lock is a semaphore that all these processes share: one that is killed while it holds it lets the others wait
# for ever. And a thread that watches bars may hold a lock of our own just when a process is forked.
tqdm.set_lock(threading.RLock())
tqdm.monitor_interval = 0

NETWORK = (max_pool(4), flatten, linear(16), relu, linear(10))
TINY = Recipe("tiny", NETWORK, epochs=5, learning_rate=0.1, momentum=0.9, average=0.1)
FOUR = Study("four", "Does it come to its end?", (Recipe("one", NETWORK, epochs=1, learning_rate=0.1),), seeds=4)
REFUSED = 3  # the exit code of a process that was told to go elsewhere

SAMPLE = mnist.sample()
FEW = mnist.Mnist(SAMPLE.train[:512], SAMPLE.test[:200], "sample", "a test")


def trained(out):
    """Trains, or goes on where an earlier process was."""
    torch.set_num_threads(1)
    resume = any(Path(out).glob("tiny*"))
    return train(TINY, FEW, out=out, resume=resume, progress=False)


with tempfile.TemporaryDirectory() as first:  # torch loads more of itself now, and not in each of the processes
    trained(first)


def run(out):
    try:
        trained(out)
    except ValueError:
        sys.exit(REFUSED)


def operations(out, note):
    """Calls `note` before each operation on the files of a folder."""

    def hook(event, arguments):
        if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(out)):
            note()

    sys.addaudithook(hook)


def count_operations(out, into):
    count = itertools.count()
    operations(out, lambda: next(count))
    trained(out)
    Path(into).write_text(str(next(count)))


def run_to_operation(out, number):
    """Is killed before its operation of that number."""
    count = itertools.count()
    operations(out, lambda: next(count) == number and os.kill(os.getpid(), signal.SIGKILL))
    trained(out)


def run_to_byte(out, size):
    """Is killed by the system in the middle of writing the first file that would be longer than this."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    trained(out)


def study(path):
    """Runs the trials of a study that are not recorded, or is refused because another process does."""
    torch.set_num_threads(1)
    try:
        trials.run_study(FOUR, FEW, path, progress=False)
    except ValueError:
        sys.exit(REFUSED)
