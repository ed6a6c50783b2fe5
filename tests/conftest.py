"""What all tests share: the digits, the site, a browser, and the line at the end that says which digits they were."""

import importlib.util
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from cellgrad import mnist

# The same examples in every run, so that green is green everywhere. To search on: pytest --hypothesis-profile=default,
# or thorough, for ten times as many. None fails by the clock: how long an example takes, to find or to try, depends on
# what else the machine does.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.register_profile("repeatable", settings.get_profile("default"), derandomize=True)
settings.load_profile("repeatable")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Several workers take one file after the other. What takes longest comes first, so that none is left alone with it.
LONGEST = (
    *("10-the-run.ipynb", "test_trials.py", "13-inside-the-network.ipynb", "test_receptive.py"),
    *("12-how-small-how-fast.ipynb", "test_audit.py", "test_mutants.py", "test_book.py", "test_cli.py"),
)


def _by_name(config: pytest.Config) -> bool:
    """Whether tests were asked for by a file, a name (-k) or a mark (-m), and not all of a folder."""
    files = any(Path(argument.partition("::")[0]).is_file() for argument in config.args)
    return files or bool(config.option.keyword or config.option.markexpr)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All but the slow ones, unless somebody asks for them; and the longest files first."""
    slow = [] if _by_name(config) else [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))


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
def site(tmp_path_factory, worker_id) -> Path:
    """The site, built as the README says but elsewhere, with warnings as errors; by the first worker that needs it."""
    own = tmp_path_factory.getbasetemp()
    target = (own if worker_id == "master" else own.parent) / "site"
    html, whole = target / "_build" / "html", target / "whole"
    with FileLock(f"{target}.lock"):
        if not whole.exists():
            program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
            command = [program, "build", "book/", "--path-output", target, "-W", "-n", "--keep-going"]
            built = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
            assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
            whole.touch()
    return html


@pytest.fixture(scope="module")
def browser():
    """A real browser, for the tests of one file: while it is open, nothing else here can run an event loop."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter):
    if not importlib.util.find_spec("torch"):
        terminalreporter.write_line("Without torch: what needs digits cannot be tested here")
        return
    data = mnist.load()
    count = len(data.train) + len(data.test)
    said = "all of MNIST" if data.kind == "full" else "the embedded sample alone, not all of MNIST"
    terminalreporter.write_line(f"Digits in these tests: {count:,}, {said}, from {data.where}")
