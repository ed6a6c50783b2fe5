"""The learning rates of the updates, compared with one another, row by row."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.reading import WARNING, Judgement, column_and_offset, outside_cell
from cellgrad.spreadsheet.audit.tables import WEIGHT
from cellgrad.spreadsheet.audit.updates import Update, Updates, right_update, usual_update, written_at
from cellgrad.spreadsheet.parser import Reference

Row = dict[str, Update]  # the updates of one row, by weight


@dataclass(frozen=True)
class Rates:
    """How most updates take their learning rate, and the rows in which all of them take another, with its number."""

    usual: Update | None
    other: tuple[tuple[range, float], ...] = ()


def check_rates(context: Context, updates: Updates) -> tuple[Rates, list[Judgement]]:
    """Find the table's learning rate, and what is wrong with updates that take theirs otherwise.

    Rows whose updates all take one number, another in most rows, are a schedule, and right.
    """
    usual = usual_update(updates)
    if usual is None:
        return Rates(None), []
    together = [(rows, rate) for rows, row in _rows(updates) if (rate := _common(row, updates)) is not None]
    held: Counter[float] = Counter()
    for rows, rate in together:
        held[rate] += len(rows)
    scheduled = bool(held) and 2 * max(held.values()) <= held.total() and held.total() > 2
    other = tuple((rows, rate) for rows, rate in together if rate != usual.rate) if scheduled else ()
    settled = {row for rows, _ in other for row in rows}
    judge = _Judge(context, updates, usual)
    judgements = [
        judgement
        for rows, row in _rows(updates)
        if rows.start not in settled
        for name, update in row.items()
        if (judgement := judge.judgement(name, rows, update, _common(row, updates)))
    ]
    return Rates(usual, other), [*judgements, *_check_column(context, updates, usual)]


def _rows(updates: Updates) -> Iterator[tuple[range, Row]]:
    """The updates of all weights, for each run of rows in which every one of them stays the same."""
    starts: dict[int, dict[str, tuple[range, Update]]] = {}
    ends: set[int] = set()
    for name, column in updates.items():
        for run, update in column:
            filled_down = update.schedule is not None or all(cell.row_fixed for cell in update.cells)
            for rows in [run] if filled_down else [range(row, row + 1) for row in run]:
                starts.setdefault(rows.start, {})[name] = rows, update.moved_to(rows.start)
                ends.add(rows.stop)
    bounds, current = sorted(starts.keys() | ends), {}
    for start, stop in itertools.pairwise(bounds):
        current |= starts.get(start, {})
        current = {name: found for name, found in current.items() if found[0].stop > start}
        if current:
            yield range(start, stop), {name: update for name, (_, update) in current.items()}


def _common(row: Row, updates: Updates) -> float | None:
    """The number that all weights of a row take for their learning rate, if it is one."""
    rates = {update.rate for update in row.values()}
    return rates.pop() if len(rates) == 1 and row.keys() == updates.keys() else None


class _Judge:
    """Judges updates whose learning rate comes from somewhere else than the usual one, or may slide."""

    def __init__(self, context: Context, updates: Updates, usual: Update):
        self.context, self.usual = context, usual
        self.by_place = {
            (name, rows.start): update for rows, row in _rows(updates) for name, update in row.items() if update.cells
        }
        slid = {name for (name, row), update in self.by_place.items() if self._slid(name, row, update)}
        long = len(context.layout.rows()) > 2
        self.filled_down = {name for name in updates if long and name not in slid}

    def judgement(self, name: str, rows: range, update: Update, common: float | None) -> Judgement | None:
        """What is wrong with the learning rate of one weight in some rows; `common` is that of the row's weights."""
        usual, row = self.usual, rows.start
        if judgement := _computed_rate(self.context, name, rows, update, usual):
            return judgement
        severity, slid = "error", self._slid(name, row, update)
        if update.source == usual.source:
            words, severity = _same_source(self.context, update, usual)
            loose = name not in self.filled_down and any(not cell.row_fixed for cell in update.cells)
            if not words and loose:
                words = f"right here, but the learning rate would slide when filled down; write {usual.source}"
                severity = WARNING
        elif usual.rate is not None and update.rate == usual.rate:
            words, severity = f"{_other_rate(update, usual)}: right as long as both are the same", WARNING
        elif slid:
            words = self._slides(name, row, slid)
        else:
            words = _other_rate(update, usual)
        if not words:
            return None
        found, right = self.context.layout.typed(name, row), right_update(self.context, name, row, usual)
        kind = cause = "slides" if slid and update.source != usual.source else words
        if update.source == usual.source and self._no_rate(update):
            held = self.context.reader.held(update.cells[0])
            return Judgement(name, rows, kind, words, "a number above 0", held, severity, cause, place=update.said)
        return Judgement(name, rows, kind, words, right, found, severity, cause)

    def _no_rate(self, update: Update) -> bool:
        """Whether an update takes its learning rate from one cell outside the table that holds none."""
        if len(update.cells) != 1 or update.schedule is not None or update.rate not in (None, 0):
            return False
        return not self.context.layout.has(update.cells[0])

    def _slid(self, name: str, row: int, update: Update) -> list[Reference]:
        return [cell for cell in update.cells if _is_slid(self.context, cell, self.usual, name, row)]

    def _slides(self, name: str, row: int, slid: list[Reference]) -> str:
        layout, usual = self.context.layout, self.usual
        below = [(place, self.by_place[name, place]) for place in range(row, row + 4) if (name, place) in self.by_place]
        reads = ", ".join(
            f"{layout.address(*written_at(self.context, name, place))} reads {other.said}" for place, other in below[:3]
        )
        more = ", …" if len(below) > 3 else ""
        loose = self.context.reader.spelled(slid[0])
        return (
            f"the learning rate slides: {loose} is not fixed, so that filled down or across {reads}{more} "
            f"and not {usual.said}; write {usual.source}"
        )


def _same_source(context: Context, update: Update, usual: Update) -> tuple[str, str]:
    """What is wrong with an update that takes its rate from where most do, and how severe; no words if it is right."""
    reader, cell = context.reader, outside_cell(usual.said)
    if update.schedule is not None:
        return "", "error"
    if update.rate is None:
        held = f"the text {reader.texts[cell]!r}" if cell in reader.texts else "a cell of the table"
        return f"the learning rate comes from {usual.said}, {held}, and not from a number", "error"
    factor = update.rate / usual.rate if usual.rate else 1.0
    if not math.isclose(factor, 1.0, rel_tol=1e-12):
        return f"takes {factor:.9g} times the learning rate that the other updates take", "error"
    if cell in reader.empty:
        return f"the learning rate's cell {usual.said} is empty, so that nothing changes", "error"
    if update.rate == 0:
        return f"the learning rate of {usual.said} is 0, so that nothing changes", WARNING
    if cell in reader.texts:
        words = f"{usual.said} holds {reader.texts[cell]!r} as a text, which not every program takes for a number"
        return words, WARNING
    return "", "error"


def _computed_rate(context: Context, name: str, rows: range, update: Update, usual: Update) -> Judgement | None:
    """The judgement on a cell of the learning rate's own column that is computed from the table in some row."""
    if usual.schedule is None or not usual.schedule.is_Symbol or update.rate is not None or len(update.cells) != 1:
        return None
    layout, (beside, offset), (cell,) = context.layout, column_and_offset(usual.schedule), update.cells
    row = rows.start + offset
    if beside not in layout.beside or (cell.row, cell.column) != (row, layout.column(beside)):
        return None
    place, words = layout.address(beside, row), "the learning rate is computed from the table, where a number belongs"
    numbers = [content for _, content in context.reader.runs(beside) if isinstance(content, float)]
    right = f"{numbers[0]:g}" if len(set(numbers)) == 1 else "a number"
    return Judgement(name, rows, "rate", words, right, layout.typed(beside, row), cause=(place, words), place=place)


def _other_rate(update: Update, usual: Update) -> str:
    if update.schedule is not None or update.cells:
        holds = "" if update.rate is None else f" ({update.rate:g})"
        others = f"from {usual.said}" if usual.cells or usual.schedule is not None else f"have {usual.said}"
        return f"takes the learning rate from {update.said}{holds}, the other updates {others}"
    if update.rate == 1:
        return f"the derivative is not multiplied by the learning rate of {usual.said}"
    return f"the learning rate {update.rate:g} is typed in, the other updates have {usual.said}"


def _is_slid(context: Context, cell: Reference, usual: Update, name: str, row: int) -> bool:
    """Whether a cell is where the usual learning rate's cell comes to when it is filled down or to the right."""
    if not usual.cells or ", " in usual.source:  # typed in, or several cells
        return False
    columns = context.layout.columns
    down, across = cell.row - usual.cells[0].row, cell.column - usual.cells[0].column
    steps = [columns[name] - columns[other] for other in WEIGHT if other in columns]
    down_right = down == 0 or (not cell.row_fixed and 0 < down < row - context.layout.first)
    across_right = across == 0 or (not cell.column_fixed and across in steps)
    return (down, across) != (0, 0) and down_right and across_right


def _check_column(context: Context, updates: Updates, usual: Update) -> Iterator[Judgement]:
    """Judgements on single numbers of a learning rate's column that differ from the one in most rows."""
    if usual.schedule is None or not usual.schedule.is_Symbol:
        return
    layout = context.layout
    name, offset = column_and_offset(usual.schedule)
    if name not in layout.beside:
        return
    runs = context.reader.runs(name)
    held: Counter = Counter()
    for rows, content in runs:
        held[content] += len(rows)
    most, count = held.most_common(1)[0]
    if not isinstance(most, float) or 2 * count <= len(layout.rows()):
        return
    for rows, content in runs:
        if math.isclose(content, most, rel_tol=1e-9) if isinstance(content, float) else True:
            continue
        used = range(max(rows.start - offset, layout.first + 1), min(rows.stop - offset, layout.last + 1))
        if not used:
            continue
        place = layout.span({name: [row + offset for row in used]})
        words = f"the learning rate {content:g}, where column {name} holds {most:g} elsewhere"
        for weight in updates:
            yield Judgement(weight, used, "rate", words, f"{most:g}", f"{content:g}", cause=(place, words), place=place)
