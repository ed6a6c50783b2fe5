"""`measured`: what the long runs recorded, study by study: how many trainings, when, on what, and by which command."""

from typing import Any

import pandas as pd
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cellgrad.trials.records import shipped_records
from cellgrad.trials.studies import STUDIES

HEADS = ("study", "what was asked", "trainings", "processor hours", "with", "made by")


def rows() -> list[tuple[str, ...]]:
    """A row for each study whose records come with the package."""
    told = []
    for name, study in STUDIES.items():
        try:
            records = shipped_records(name)
        except ValueError:
            continue
        planned = len(study.variants) * study.seeds
        number, hours, on = _made(records)
        number += f" of {planned}" if len(records) < planned else ""
        version = ", ".join(map(str, sorted(set(records["training_version"]))))
        told.append((name, study.question, number, hours, f"training {version}; {on}", f"cellgrad trials {name}"))
    seconds = shipped_records("seconds")
    told.append(("seconds", "What does an epoch of each recipe cost?", *_made(seconds), "python benchmarks/recipes.py"))
    return told


def _made(records: pd.DataFrame) -> tuple[str, str, str]:
    threads = records["threads"].fillna(1)
    hours = (records["seconds"] * threads).sum() / 3600
    torch = sorted({versions["torch"] for versions in records["versions"]})
    on = sorted(set(records["processor"])) + [
        f"{int(n)} threads" if n > 1 else "1 thread" for n in sorted(set(threads))
    ]
    return f"{len(records)}", f"{hours:.1f}", f"torch {', '.join(torch)}; {', '.join(on)}"


class Measured(SphinxDirective):
    """It takes nothing."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the records may be others though the page is the same
        cells = [HEADS, *rows()]
        table = nodes.table(classes=["colwidths-auto"])
        group = nodes.tgroup(cols=len(HEADS))
        group += [nodes.colspec() for _ in HEADS]
        for kind, part in ((nodes.thead, cells[:1]), (nodes.tbody, cells[1:])):
            body = kind()
            for texts in part:
                row = nodes.row()
                for head, text in zip(HEADS, texts, strict=True):
                    code = kind is nodes.tbody and head == "made by"
                    pieces = ["", text, ""] if code else text.split("`")  # what stands between backticks is code
                    told = [nodes.literal("", part) if n % 2 else nodes.Text(part) for n, part in enumerate(pieces)]
                    row += nodes.entry("", nodes.paragraph("", "", *told))
                body += row
            group += body
        table += group
        return [table]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True}
