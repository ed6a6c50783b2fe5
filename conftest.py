"""Read before all else: how the tests share this machine's cores with each other and with other work."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["chapters"]  # in tests/

# OpenMP's threads wait for each other in loops. Where other work holds a core, such a loop eats up the time in which
# that work could end: three short epochs then take minutes instead of seconds. Waiting passively costs nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# For the same reason, each of several workers, and what it starts, computes on one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers more than cores, as tests also wait; above four, all would wait for chapter 10. None for one file."""
    if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file():
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 2, 4) if cores > 1 else 0
