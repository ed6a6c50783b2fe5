"""Read before all else: how the tests' processes, the chapters' kernels among them, behave beside other work."""

import os

# OpenMP's threads wait for each other in loops. Where other work holds a core, such a loop eats up the time in which
# that work could end: three short epochs then take minutes instead of seconds. Waiting passively costs nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["chapters"]  # in tests/
