"""Wrong cells outside the table, of this sheet or of another, named in the place of the columns that read them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import sympy as sp

from cellgrad.spreadsheet.audit.context import Context
from cellgrad.spreadsheet.audit.helpers import needed_at, wanted
from cellgrad.spreadsheet.audit.mistakes import Point, agrees, explain, same
from cellgrad.spreadsheet.audit.reading import Formula, Judgement, Place
from cellgrad.spreadsheet.audit.tables import CONSTANT, WEIGHT
from cellgrad.spreadsheet.parser import FormulaError, Reference

MOST_READ = 40  # cells outside the table that one formula leads to and that are tried

Wrong = tuple[Judgement, Formula]
_UNKNOWN = "the cell elsewhere"


@dataclass(frozen=True)
class _Cells:
    """A cell that a formula leads to wherever it is filled down, or one that moves with it, `down` rows below."""

    sheet: str
    column: int
    row: int | None
    down: int = 0

    def at(self, row: int) -> Place:
        return self.sheet, self.row if self.row is not None else row + self.down, self.column


@dataclass(frozen=True)
class _User:
    """A wrong formula, and what the cell would have to hold at each random network for it to be right."""

    wrong: Wrong
    needed: list
    alone: bool  # the formula is nothing but that cell

    @property
    def rows(self) -> range:
        return self.wrong[0].rows


def blame_elsewhere(context: Context, wrong: list[Wrong], questioned: set) -> tuple[list[Judgement], list[Wrong]]:
    """The judgements on cells outside the table that explain wrong columns, and the wrong ones that are left.

    questioned: the columns and rows that have any judgement; whatever another column uses rightly is not to blame.
    """
    judgements, users = [], _users(context, wrong)
    while blamed := max(
        (found for cells in users if (found := _blamed(context, cells, users[cells], questioned))),
        key=lambda found: len(found[1]),
        default=None,
    ):
        cells, group = blamed
        at, right = wanted(context, _UNKNOWN, group[0].needed)
        spoilt = [user.wrong[0] for user in group]
        if right is not None:
            spoilt += [one for one, _ in wrong if one not in spoilt and _mended(context, cells, right, one)]
        judgements += _judgements(context, cells, spoilt, right, at)
        explained = {id(judgement) for judgement in spoilt}
        wrong = [one for one in wrong if id(one[0]) not in explained]
        users = {key: [one for one in found if id(one.wrong[0]) not in explained] for key, found in users.items()}
    return judgements, wrong


def _users(context: Context, wrong: list[Wrong]) -> dict[_Cells, list[_User]]:
    """The cells outside the table that wrong formulas lead to, and those that another number there would make right."""
    users: dict[_Cells, list[_User]] = defaultdict(list)
    known = {cell.name for cell in context.aliases} | {cell.name for cell in context.bias_cells}
    for one in wrong:
        judgement, _ = one
        first, last = judgement.rows.start, judgement.rows.stop - 1
        read, below = (context.reader.read_elsewhere(judgement.column, row) for row in (first, last))
        for sheet, row, column in list(read)[:MOST_READ]:
            if read[sheet, row, column] in known:
                continue
            fixed = (sheet, row, column) in below
            cells = _Cells(sheet, column, row if fixed and first != last else None, row - first)
            symbol, needed = sp.Symbol(_UNKNOWN, real=True), [None]
            with suppress(FormulaError, KeyError):
                kept = context.reader.without((sheet, row, column), symbol, judgement.column, first)
                kept = context.with_helper(kept, first, "")
                at = context.points_with(context.reader.outside(kept))
                needed = [needed_at(kept, symbol, judgement.column, point) for point in at]
            if None not in needed:
                users[cells].append(_User(one, needed, kept == symbol))
    return users


def _blamed(context: Context, cells: _Cells, users: list[_User], questioned: set) -> tuple[_Cells, list[_User]] | None:
    """The users of a cell that one number in its place makes right, unless a column uses it rightly."""
    group = [user for user in users if all(same(a, b) for a, b in zip(user.needed, users[0].needed, strict=True))]
    columns = {user.wrong[0].column for user in group}
    if not group or (len(columns) == 1 and not all(user.alone for user in group)):
        return None
    for row in {user.rows.start for user in group}:
        for name in context.layout.columns:
            if name in (*CONSTANT, *WEIGHT):
                continue
            rightly = (name, row) not in questioned and row in context.layout.rows(name)
            if rightly and cells.at(row) in context.reader.read_elsewhere(name, row):
                return None
    return cells, group


def _mended(context: Context, cells: _Cells, right: sp.Expr, judgement: Judgement) -> bool:
    """Whether another wrong formula is right as soon as the cell is, which it may read in any way."""
    place, row = cells.at(judgement.rows.start), judgement.rows.start
    if place not in context.reader.read_elsewhere(judgement.column, row):
        return False
    symbol = sp.Symbol(_UNKNOWN, real=True)
    with suppress(FormulaError):
        kept = context.with_helper(context.reader.without(place, symbol, judgement.column, row), row, "")
        return agrees(kept.xreplace({symbol: right}), judgement.column, context.points_with([]))
    return False


def _judgements(
    context: Context, cells: _Cells, spoilt: list[Judgement], right: sp.Expr | None, at: tuple[Point, ...]
) -> list[Judgement]:
    first, last = min(one.rows.start for one in spoilt), max(one.rows.stop for one in spoilt) - 1
    sheet, row, column = cells.at(first)
    _, end, _ = cells.at(last)
    own = sheet.casefold() == context.layout.sheet.title.casefold()
    start = Reference(row, column, sheet=None if own else sheet)
    place = str(start) if end == row else f"{start}:{Reference(end, column)}"
    home = context.layout.sheet if own else context.reader.book.sheet(sheet)
    words, found = "is not what the columns need that are computed from it", home.typed(row, column)
    if isinstance(found, float):
        words = "a typed number does not follow the others"
    elif right is not None:
        with suppress(FormulaError):
            expression = context.with_helper(context.reader.parsed_with(f"={start}", first, {}), first, "")
            words = explain(_UNKNOWN, expression, right, at) or words
    expected = context.in_cells(right, first, None if own else context.layout.sheet.title) if right is not None else ""
    return [
        Judgement(one.column, one.rows, "elsewhere", words, expected, f"{found}", cause=place, place=place)
        for one in spoilt
    ]
