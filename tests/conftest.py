"""What all tests share: the digits, and the line at the end that says which digits they were."""

import pytest
from hypothesis import settings

from cellgrad import mnist

# The same examples in every run, so that green is green everywhere; to search on: pytest --hypothesis-profile=default
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def sample() -> mnist.Mnist:
    return mnist.load("sample")


def pytest_terminal_summary(terminalreporter):
    data = mnist.load()
    count = len(data.train) + len(data.test)
    said = "all of MNIST" if data.kind == "full" else "the embedded sample alone, not all of MNIST"
    terminalreporter.write_line(f"Digits in these tests: {count:,}, {said}, from {data.where}")
