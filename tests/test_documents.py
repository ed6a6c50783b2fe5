"""The documents for people who work on the book: what they name is there."""

import re
from pathlib import Path

import pytest
import yaml

from cellgrad._moved import MOVED, RENAMED

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md"])
def test_files_that_a_document_names_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests|tools|book|benchmarks|\.github)/[\w./-]+|[\w.]+\.(?:toml|md|txt|lock))`", text)
    assert len(named) > 3
    assert not [name for name in named if "NN" not in name and not (ROOT / name).exists()]


def test_ten_questions_of_a_newcomer_are_answered_by_the_tree():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (Where .*\?) \| (.*) \|$", text, flags=re.M)
    assert len(rows) >= 10
    for question, answer in rows:
        assert re.search(r"`src/cellgrad/[\w/.]+`", answer), question


def test_targets_that_the_documents_name_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in ("CONTRIBUTING.md", "README.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, flags=re.M):
            assert re.search(rf"^{target}:", makefile, flags=re.M), f"{document}: make {target}"


def test_the_changelog_says_where_every_module_has_gone():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `cellgrad\.([\w.]+)` \| `cellgrad\.([\w.]+)` \|$", text, flags=re.M))
    assert table == MOVED
    assert all(f"`{old}`" in text for old in RENAMED if old.endswith("shipped"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_ends_and_runs_what_was_read(workflow):
    text = workflow.read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs.values())
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in used)
    for named in re.findall(r"\b(?:tests|book|tools)/[\w./-]+", text):
        assert named.startswith("book/_build") or (ROOT / named).exists(), named


def test_actions_have_one_version_in_all_workflows():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({line.partition("@")[0] for line in used})


def test_the_site_goes_online_only_after_the_tests():
    publish = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8"))
    assert publish[True] == {"workflow_run": {"workflows": ["test"], "types": ["completed"], "branches": ["main"]}}
    assert "conclusion == 'success'" in publish["jobs"]["publish"]["if"]


def test_what_make_lint_and_the_hooks_call_is_in_the_requirements():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    called = set(re.findall(r"\$\(BIN\)/([\w-]+)", makefile)) | set(re.findall(r"\.venv/bin/([\w-]+)", hooks))
    packages = {"pip-compile": "pip-tools", "lint-imports": "import-linter"}
    required = re.findall(r"(?m)^([\w-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert {packages.get(name, name) for name in called} - {"python", "pip"} <= set(required)
