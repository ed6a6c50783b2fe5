"""Disks that are full, without a disk."""

import contextlib

import pytest


@contextlib.contextmanager
def room_for(size):
    """A disk on which no file can be longer: the system itself refuses the rest."""
    resource = pytest.importorskip("resource", reason="limits of a process, as Unix has them")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
