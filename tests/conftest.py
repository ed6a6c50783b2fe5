"""What all tests share: the digits, and the line at the end that says which digits they were."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import settings

from cellgrad import mnist

# The same examples in every run, so that green is green everywhere. To search on: pytest --hypothesis-profile=default,
# or thorough, for ten times as many.
settings.register_profile("thorough", max_examples=1000)
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def sample() -> mnist.Mnist:
    return mnist.load("sample")


@pytest.fixture
def one_thread():
    """Small networks are faster on one thread, and nothing waits for a core that other work holds."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site, built as the README says but elsewhere, with warnings as errors."""
    target = tmp_path_factory.mktemp("site")
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    command = [program, "build", "book/", "--path-output", target, "-W", "-n", "--keep-going"]
    built = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return target / "_build" / "html"


def pytest_terminal_summary(terminalreporter):
    data = mnist.load()
    count = len(data.train) + len(data.test)
    said = "all of MNIST" if data.kind == "full" else "the embedded sample alone, not all of MNIST"
    terminalreporter.write_line(f"Digits in these tests: {count:,}, {said}, from {data.where}")
