"""How often something is tried, and the row that says so in the table of the reproducibility page."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

for neighbour in ("receptive", "spreadsheet"):  # whose generators of random networks and sheets are used here
    sys.path.append(str(Path(__file__).parents[1] / neighbour))

MINUTES = float(os.environ.get("CELLGRAD_PROOF_MINUTES", "0"))  # the time for all of them; 0: the few of every day


@pytest.fixture
def tries(record_property):
    """Gives the numbers of the tries: `for number in tries("Data", "a download cut anywhere", few=9, most=99)`.

    Every day there are `few`; in `make proof` there are `most`, or as many as fit into this test's share of the time.
    What a try does depends on its number alone, so that what failed once fails again. each: how many one number counts
    for. At the end of the test the row is written, whether it passed or not.
    """
    rows = []

    def numbers(area, what, few=1, most=None, share=0.0, each=1):
        row = {"area": area, "what": what, "tried": 0, "survived": 0}
        rows.append(row)
        end = time.monotonic() + 60 * MINUTES * share
        for number in range((most or few) if MINUTES else few):
            if number >= few and time.monotonic() > end:
                row["ended by"] = "time"
                break
            row["tried"] += each
            yield number
            row["survived"] += each  # only reached where the loop's body came to its end

    yield numbers
    for row in rows:
        record_property("proof", json.dumps(row))
