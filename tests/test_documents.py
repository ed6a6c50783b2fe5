"""The documents for people who work on the book: what they name is there."""

import re
from pathlib import Path

import pytest

from cellgrad._moved import MOVED, RENAMED

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md"])
def test_files_that_a_document_names_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests|tools|book|benchmarks|\.github)/[\w./-]+|[\w.]+\.(?:toml|md|txt|lock))`", text)
    assert len(named) > 3
    assert not [name for name in named if "NN" not in name and not (ROOT / name).exists()]


def test_ten_questions_of_a_newcomer_are_answered_by_the_tree():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (Where .*\?) \| (.*) \|$", text, flags=re.M)
    assert len(rows) == 10
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
