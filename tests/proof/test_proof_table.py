"""The table in the book says what its run found, and every row can be tried again by its command."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_row_survived_and_names_a_test_that_exists():
    rows = re.findall(
        r"(?m)^\|.*\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| `pytest (\S+) -k (\w+)` \|$",
        (ROOT / "book" / "survived.md").read_text(encoding="utf-8"),
    )
    assert len(rows) > 20
    for what, tried, survived, folder, test in rows:
        assert tried == survived, what
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / folder).glob("test_*.py")]
        assert any(f"def {test}(" in source for source in sources), test
