"""What an audit finds, as data and as plain text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from cellgrad.checks import visible
from cellgrad.spreadsheet.audit.reading import WARNING
from cellgrad.spreadsheet.audit.tables import CONSTANT
from cellgrad.toynet import COLUMNS


@dataclass(frozen=True)
class Finding:
    """One mistake, in all the cells that make it: "Z3:Z70", or "Z5,Z9"; its column, or columns: "w1, w2".

    Where the mistake stands in no column of a table, `column` is the same as `cells`: "Inputs!B3".
    """

    column: str
    cells: str
    severity: str
    expected: str
    found: str
    message: str


@dataclass(frozen=True)
class Table:
    """One table of the toy network: its place, heading included, its learning rate if there is one, what was found.

    `recomputed` are the columns that hold numbers without formulas and were checked by computing them again;
    `biases` are the terms that h1, h2, o1, o2 add beside their weights; `losses` is E_total from the first row on as
    the table computes it, `right_losses` as the descent does. `from_0` is what its headings count from 0.
    """

    sheet: str
    range: str
    rows: int
    learning_rate: float | None
    learning_rate_source: str | None
    findings: tuple[Finding, ...]
    biases: dict[str, str] = field(default_factory=dict)
    recomputed: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    right_losses: tuple[float, ...] = ()
    from_0: frozenset[str] = frozenset()

    @property
    def all_right(self) -> bool:
        """Whether every formula was read, none is wrong, and the weights move; other warnings do not count."""
        return self.learning_rate != 0 and all(finding.severity == WARNING for finding in self.findings)


@dataclass(frozen=True)
class Report:
    """The tables found in a workbook and what is wrong with them; printed, it is the report in plain text."""

    path: str
    tables: tuple[Table, ...]

    @property
    def all_right(self) -> bool:
        """Whether that is so of all tables."""
        return all(table.all_right for table in self.tables)

    def to_dict(self) -> dict:
        """The report as one JSON object."""
        tables = [asdict(table) for table in self.tables]
        for table in tables:
            del table["losses"], table["right_losses"]
            table["from_0"] = sorted(table["from_0"])
        return {"path": self.path, "all_right": self.all_right, "tables": tables}

    def __str__(self) -> str:
        return "\n".join(visible(line) for table in self.tables for line in _printed(table))


def headline(table: Table) -> str:
    """How many rows a table has, its learning rate, and how it counts."""
    said = [f"{table.rows} {'row' if table.rows == 1 else 'rows'}"]
    if table.learning_rate is not None:
        source = table.learning_rate_source or ""
        from_cell = f" from {source}" if source.startswith("$") else ""
        said.append(f"learning rate {table.learning_rate:g}{from_cell}")
    if table.from_0:
        word = "w" if "w" in table.from_0 else min(sorted(table.from_0), key=len)
        said.append(f"headings that count from 0 (its {word}0 is our {word}1)")
    return ", ".join(said)


def _printed(table: Table) -> Iterator[str]:
    yield f"{table.sheet}!{table.range}: {headline(table)}"
    whole = [finding for finding in table.findings if not finding.column and table.rows]
    for finding in whole:
        yield f"  {finding.severity}: {finding.message}"
    if table.biases:
        yield "  biases: " + ", ".join(f"{unit} adds {text}" for unit, text in table.biases.items())
    if table.recomputed:
        yield f"  numbers without formulas, checked by computing them again: {', '.join(table.recomputed)}"
    if table.all_right and not table.findings:
        formulas = len(table.recomputed) < len(COLUMNS) - len(CONSTANT) + 2
        yield (
            "  all right: every formula of every column agrees with the derivation"
            if formulas
            else "  all right: every number agrees with the derivation; there is no formula to read"
        )
    for finding in table.findings:
        if finding in whole:
            continue
        place = f"{finding.column} in {finding.cells}: " if finding.column else ""
        place = f"{finding.cells}: " if finding.column == finding.cells else place
        yield f"  {finding.severity}: {place}{finding.message}"
        if finding.found:
            yield f"      found     {finding.found}"
        if finding.expected:
            yield f"      expected  {finding.expected}"
