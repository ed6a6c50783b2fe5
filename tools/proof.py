"""Try for as long as is given what can go wrong, and write what was tried and what survived into the book.

    python tools/proof.py --minutes 80        all of it, as `make proof` does
    python tools/proof.py --only networks     some of it: as pytest -k; nothing is written
    python tools/proof.py --reports *.xml     the table from what pytest --junitxml wrote in several parts

The tests below tests/proof/ do the work. In every run of all tests they try a few cases each; here, as many as fit.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "book" / "survived.md"

# Tests that stand elsewhere and belong into the table.
ELSEWHERE = {
    "test_a_dask_worker_killed_in_the_middle_costs_no_trial": ("Trials", "a Dask worker killed in the middle"),
    "test_a_dask_scheduler_killed_in_the_middle_loses_only_what_was_running": (
        "Trials",
        "a Dask scheduler killed in the middle",
    ),
    "test_a_process_that_dies_does_not_stop_the_rest": ("Trials", "a process that dies, once or every time"),
    "test_control_c_keeps_what_is_finished": ("Trials", "Ctrl-C, also while processes start"),
}


def rows(reports: Iterable[Path]) -> Iterator[dict]:
    """A row for each thing tried, from what pytest wrote down; of a test with several cases, one for all of them."""
    found: dict[tuple, dict] = {}
    for case in (case for report in reports for case in ElementTree.parse(report).iter("testcase")):
        if case.find("skipped") is not None:
            continue
        test = case.get("name", "").partition("[")[0]
        folder = "tests/trials" if test in ELSEWHERE else "tests/proof"
        said = [json.loads(p.get("value", "")) for p in case.iter("property") if p.get("name") == "proof"]
        if test in ELSEWHERE:
            area, what = ELSEWHERE[test]
            failed = case.find("failure") is not None or case.find("error") is not None
            said = [{"area": area, "what": what, "tried": 1, "survived": 0 if failed else 1}]
        for one in said:
            row = found.setdefault((one["area"], one["what"]), {**one, "tried": 0, "survived": 0})
            row["command"] = f"pytest {folder} -k {test}"
            row["tried"] += one["tried"]
            row["survived"] += one["survived"]
    order = ["Data", "Training", "Trials", "Workbooks", "Networks", "No code from data"]
    tried = (row for row in found.values() if row["tried"])
    yield from sorted(tried, key=lambda row: order.index(row["area"]))


def table(found: list[dict], minutes: float) -> str:
    """The page's part, in MyST."""
    time = "1 minute" if minutes == 1 else f"{minutes:g} minutes"
    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"<!-- Written by tools/proof.py, with {time}; not by hand. -->",
        "",
        f"Tried on {day}, with {time} to share out beyond the tests of every day, with Python "
        f"{platform.python_version()} on {platform.system()}.",
        "",
        "| | what was tried | how often | survived | command |",
        "|---|---|---:|---:|---|",
    ]
    area = ""
    for row in found:
        first, area = "" if row["area"] == area else row["area"], row["area"]
        lines.append(f"| {first} | {row['what']} | {row['tried']:,} | {row['survived']:,} | `{row['command']}` |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=80, help="for what is tried beyond the tests of every day")
    parser.add_argument(
        "--only", metavar="EXPRESSION", help="some of the tests, as pytest -k chooses; nothing is written"
    )
    parser.add_argument("--reports", nargs="+", type=Path, metavar="XML", help="what parts of it wrote, with --minutes")
    options = parser.parse_args()
    code = 0
    if options.reports:
        found = list(rows(options.reports))
    else:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.xml")
            chosen = options.only or f"test_proof or {' or '.join(ELSEWHERE)}"
            longest = "tests/proof/test_proof_workbooks.py"  # first, so that one core has it and the other all the rest
            tests = [longest, "tests/trials/test_trials.py", "tests/proof", "-k", chosen]
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-o",
                "junit_family=xunit1",
                f"--junitxml={report}",
                *tests,
            ]
            environment = os.environ | {"CELLGRAD_PROOF_MINUTES": str(options.minutes)}
            code = subprocess.run(command, cwd=ROOT, env=environment).returncode
            found = list(rows([report]))
    written = table(found, options.minutes)
    print(written)
    if not options.only:
        TABLE.write_text(written, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
