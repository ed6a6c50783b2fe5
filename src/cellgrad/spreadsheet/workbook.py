"""The toy network as a live spreadsheet: every formula is printed from the SymPy expressions in `toynet`.

Sheet 1 holds the 31 columns, an update a row; sheet 2 the losses of several learning rates side by side. Each of
those has a sheet of its own, laid out like the first and linked to its input cells: change one, and all follow.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import sympy as sp
import xlsxwriter
from xlsxwriter.exceptions import XlsxFileError
from xlsxwriter.utility import xl_col_to_name, xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from cellgrad import checks
from cellgrad.spreadsheet.printer import ETA, excel_formula
from cellgrad.toynet import (
    BIASES,
    COLUMNS,
    DERIVATIVES,
    FORWARD,
    INPUTS,
    PARAMETERS,
    TARGETS,
    WEIGHTS,
    ToyNetwork,
    derivatives,
    descend,
)

LEARNING_RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
SHEET, RATES_SHEET = "Descent", "Learning rates"  # then "Run 1", "Run 2", …, one for each learning rate

_MOST_ROWS = 1_048_576  # in a sheet of Excel, LibreOffice and Google Sheets alike
_MOST_SERIES = 255  # in one chart of Excel
_LEAST_EXPONENT = -709.0  # EXP(-x) overflows below it, and 1/(1+EXP(-x)) is an error where NumPy says 0


# Where things stand on a sheet that iterates (rows and columns counted from zero, as XlsxWriter does)

_HEADER = 10
_FIRST = _HEADER + 1  # the row of the network before the first update
_CELL = {name: xl_col_to_name(column) + "{row}" for column, name in enumerate(COLUMNS, start=1)}
_INPUT_ROWS = {2: (ETA,), 3: TARGETS, 4: INPUTS, 5: WEIGHTS[:4], 6: WEIGHTS[4:], 7: BIASES}
_INPUT_CELLS = {
    symbol: (row, 2 + 2 * place) for row, symbols in _INPUT_ROWS.items() for place, symbol in enumerate(symbols)
}
_ANCHORS = {symbol: xl_rowcol_to_cell(*cell, True, True) for symbol, cell in _INPUT_CELLS.items()}
_INPUT_TITLES = ("learning rate", "targets", "inputs", "weights, hidden layer", "weights, output layer", "biases")
_GROUPS = {  # title: number of columns, colour
    "targets": (2, "#E2E8F0"),
    "inputs": (2, "#CBD5E1"),
    "weights, hidden layer": (4, "#FDE7C7"),
    "hidden layer": (4, "#CFE8E0"),
    "weights, output layer": (4, "#FDE7C7"),
    "output layer": (4, "#CFE8E0"),
    "losses": (3, "#F6D5DC"),
    "derivatives of the loss": (8, "#D7DDF3"),
}
_RATES_HEADER = 4
_RATES_FIRST = _RATES_HEADER + 1


def column_label(column: str) -> str:
    """How the sheet spells a column's name: as `descend` does, derivatives with their sign, e.g. ∂E/∂w1."""
    return column.replace("dE_d", "∂E/∂")


@cache
def column_formulas() -> tuple[dict[str, str], dict[str, str]]:
    """The formulas of the 31 columns, in the first row and in each later one, with {row} and {above} left open."""
    cells = {symbol: _CELL[str(symbol)] for symbol in (*TARGETS, *INPUTS, *WEIGHTS, *FORWARD, *DERIVATIVES.values())}
    cells |= {symbol: _ANCHORS[symbol] for symbol in (*BIASES, ETA)}
    first = {str(symbol): "=" + _ANCHORS[symbol] for symbol in (*TARGETS, *INPUTS, *WEIGHTS)}
    first |= {str(symbol): excel_formula(expr, cells) for symbol, expr in (FORWARD | derivatives()).items()}
    updates = {
        str(weight): excel_formula(weight - ETA * slope, cells).replace("{row}", "{above}")
        for weight, slope in DERIVATIVES.items()
    }
    return {name: first[name] for name in COLUMNS}, {name: (first | updates)[name] for name in COLUMNS}


@cache
def column_notes() -> dict[str, str]:
    """What each column is, in words, and as a formula in the other columns' names."""
    names = {symbol: column_label(str(symbol)) for symbol in (*PARAMETERS, *FORWARD, *DERIVATIVES.values())}
    notes = {}
    for n in (1, 2):
        notes |= {f"t{n}": f"Target of output {n}.", f"i{n}": f"Input {n}.", f"E{n}": f"Loss of output {n}."}
        for unit, layer in (("h", "hidden"), ("o", "output")):
            notes[f"{unit}{n}"] = f"Weighted sum into {layer} unit {n}."
            notes[f"a_{unit}{n}"] = f"Activation of {layer} unit {n}: the sigmoid of {unit}{n}."
    notes["E_total"] = "The loss: what each update makes smaller."
    for weight, slope in DERIVATIVES.items():
        unit = next(unit for unit, definition in FORWARD.items() if definition.has(weight))
        notes[str(weight)] = f"Weight of {FORWARD[unit].coeff(weight)} in {unit}. Below the first row: the weight above"
        notes[str(weight)] += f" minus the learning rate times {names[slope]} above."
        notes[str(slope)] = f"Slope of the loss along {weight}, by the chain rule."
    definitions = {str(symbol): expression for symbol, expression in (FORWARD | derivatives()).items()}
    for name, expression in definitions.items():
        notes[name] += f"\n{column_label(name)} {excel_formula(expression, names)}"
    return {name: notes[name] for name in COLUMNS}


# The file


class _FastWorksheet(Worksheet):
    """A worksheet that does not search each formula for functions newer than Excel 2007: ours use none."""

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        return formula.removeprefix("=")


def write_workbook(
    path: str | os.PathLike[str],
    network: ToyNetwork | None = None,
    learning_rate: float = 1.0,
    updates: int = 100,
    learning_rates: Iterable[float] = LEARNING_RATES,
) -> Path:
    """Write gradient descent on `network` (the default one if None) as an .xlsx of live formulas; return its path.

    Sheet `SHEET` has `updates` + 1 rows for `learning_rate`; sheet `RATES_SHEET` compares `learning_rates`. Every
    formula carries its value, for viewers that calculate nothing. The same arguments give the same bytes. A file
    already at `path` is replaced only by a complete new one. Raises ValueError for a name that does not end in
    .xlsx, rates that are not positive, too many rates or updates for a sheet, or numbers beyond a spreadsheet's
    range, and OSError where the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".xlsx":
        raise ValueError(f"path: {path.name!r} does not end in .xlsx; spreadsheets would warn when they open it")
    network = ToyNetwork() if network is None else network
    updates = checks.whole_number("updates", updates)
    if updates > _MOST_ROWS - _FIRST - 1:
        raise ValueError(f"updates: {updates} do not fit in a sheet; give at most {_MOST_ROWS - _FIRST - 1}")
    learning_rates = checks.numbers("learning_rates", learning_rates)
    if len(learning_rates) > _MOST_SERIES:
        raise ValueError(f"learning_rates: {len(learning_rates)} do not fit in a chart; give at most {_MOST_SERIES}")
    main = _descend(network, learning_rate, updates)
    runs = {rate: _descend(network, rate, updates) for rate in learning_rates}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(_workbook(network, learning_rate, main, runs))
        part.replace(path)
    except (OSError, XlsxFileError) as error:
        raise _explained(error, path) from None
    finally:
        with suppress(OSError):  # where there could be no such file either
            part.unlink()
    return path


def _explained(error: Exception, path: Path) -> OSError:
    """The OSError to raise: the system's reason, and the file that the caller asked for, not the one beside it."""
    cause = error.args[0] if isinstance(error, XlsxFileError) else error
    if not isinstance(cause, OSError):
        return OSError(f"cannot write the workbook ({cause}): {str(path)!r}")
    return OSError(cause.errno, f"cannot write the workbook ({cause.strerror})", str(path))


def _workbook(
    network: ToyNetwork, learning_rate: float, main: pd.DataFrame, runs: Mapping[float, pd.DataFrame]
) -> bytes:
    """The whole file: `main` is the run at `learning_rate`, `runs` are those that the second sheet compares."""
    file = BytesIO()
    # constant_memory writes row by row: in memory, a long run takes no more than its compressed file
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    book.use_zip64()
    book.set_properties(
        {
            "title": "Gradient descent on the 2-2-2 network",
            "author": "From Cells to ConvNets",
            "created": datetime.datetime(2000, 1, 1),  # fixed, so that the same arguments give the same bytes
        }
    )
    inputs = dict(zip((ETA, *PARAMETERS), (learning_rate, *network.parameters), strict=True))
    _descent_sheet(book, SHEET, main, inputs)
    _rates_sheet(book, list(runs), list(runs.values()))
    for place, (rate, run) in enumerate(runs.items()):
        links = {symbol: f"={SHEET}!{cell}" for symbol, cell in _ANCHORS.items()}
        links[ETA] = f"='{RATES_SHEET}'!{xl_rowcol_to_cell(2, 1 + place, True, True)}"
        _descent_sheet(book, f"Run {place + 1}", run, inputs | {ETA: rate}, links)
    book.close()
    return file.getvalue()


def _descend(network: ToyNetwork, learning_rate: float, updates: int) -> pd.DataFrame:
    """The table of `descend`, or ValueError where a spreadsheet would show an error instead of a number."""
    table = descend(network, learning_rate, updates)
    sums = table[["h1", "h2", "o1", "o2"]].to_numpy()
    if not (np.isfinite(table.to_numpy()).all() and (sums > _LEAST_EXPONENT).all()):
        raise ValueError(f"network: at learning rate {learning_rate} numbers leave a spreadsheet's range; scale down")
    return table


def _descent_sheet(
    book: xlsxwriter.Workbook,
    name: str,
    table: pd.DataFrame,
    inputs: Mapping[sp.Symbol, float],
    links: Mapping[sp.Symbol, str] | None = None,
) -> None:
    """Write one sheet that iterates: input cells (numbers, or `links` to other cells), chart, 31 columns."""
    sheet = _sheet(book, name, "#2A9D8F" if links is None else "#94A3B8", _HEADER)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, len(COLUMNS), 10)
    sheet.write_string(0, 0, "Gradient descent on the 2-2-2 network, an update a row", book.add_format(_TITLE))
    hint = "Change a blue number: every row, the chart and the other sheets follow."
    if links is not None:
        hint = f"The same with another learning rate. Change its numbers in '{SHEET}' and '{RATES_SHEET}'."
    sheet.write_string(1, 0, hint, book.add_format(_QUIET))
    label, number, linked = (book.add_format(look) for look in (_LABEL, _INPUT, _LINKED))
    for (row, symbols), title in zip(_INPUT_ROWS.items(), _INPUT_TITLES, strict=True):
        sheet.write_string(row, 0, title)
        for symbol in symbols:
            cell = _INPUT_CELLS[symbol]
            sheet.write_string(row, cell[1] - 1, "η" if symbol is ETA else str(symbol), label)
            if links is None:
                sheet.write_number(*cell, inputs[symbol], number)
            else:
                sheet.write_formula(*cell, links[symbol], linked, inputs[symbol])
    if links is None:
        _demand_positive(sheet, *_INPUT_CELLS[ETA], *_INPUT_CELLS[ETA])
    _header(book, sheet)
    first, later = column_formulas()
    _rows(book, sheet, table, first, later)
    chart = _loss_chart(book, len(table), legend=False)
    _series(chart, name, _FIRST, COLUMNS.index("E_total") + 1, table["E_total"], _HEADER, "E_total")
    chart.set_size({"width": 620, "height": 194})
    sheet.insert_chart(0, 10, chart, {"description": "Line chart: the loss E_total after each update.", "x_offset": 8})


def _header(book: xlsxwriter.Workbook, sheet: Worksheet) -> None:
    notes = column_notes()
    group_row, column = _HEADER - 1, 1
    for title, (count, colour) in _GROUPS.items():
        look = {"bold": True, "align": "center", "bg_color": colour}
        sheet.merge_range(group_row, column, group_row, column + count - 1, title, book.add_format(look))
        column += count
    head = book.add_format(_HEAD)
    sheet.write_string(_HEADER, 0, "update", head)
    for column, name in enumerate(COLUMNS, start=1):
        sheet.write_string(_HEADER, column, column_label(name), head)
        sheet.write_comment(_HEADER, column, notes[name], {"x_scale": 2.2, "y_scale": 1.1, "font_size": 9})


def _rows(
    book: xlsxwriter.Workbook,
    sheet: Worksheet,
    table: pd.DataFrame,
    first: Mapping[str, str],
    later: Mapping[str, str],
) -> None:
    count, plain, fine = (book.add_format(look) for look in (_COUNT, {"num_format": "0.000000"}, _FINE))
    looks = [fine if name.startswith(("E", "dE")) else plain for name in COLUMNS]
    formulas = first
    for update, values in enumerate(table.to_numpy().tolist()):
        row = _FIRST + update
        sheet.write_number(row, 0, update, count)
        for column, (name, value) in enumerate(zip(COLUMNS, values, strict=True)):
            formula = formulas[name].format(row=row + 1, above=row)
            sheet.write_formula(row, column + 1, formula, looks[column], value)
        formulas = later


def _rates_sheet(book: xlsxwriter.Workbook, rates: Sequence[float], runs: Sequence[pd.DataFrame]) -> None:
    """Write the losses of all runs side by side, each read from the run's own sheet, with two charts."""
    sheet = _sheet(book, RATES_SHEET, "#E76F51", _RATES_HEADER)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, len(rates), 13)
    sheet.write_string(0, 0, "One network, several learning rates", book.add_format(_TITLE))
    hint = f"Change a blue learning rate here, or any blue number in '{SHEET}': both charts follow."
    sheet.write_string(1, 0, hint, book.add_format(_QUIET))
    fine, head, number, count = (book.add_format(look) for look in (_FINE, _HEAD, _INPUT, _COUNT))
    sheet.write_string(2, 0, "learning rate η")
    sheet.write_row(2, 1, rates, number)
    _demand_positive(sheet, 2, 1, 2, len(rates))
    rows, loss = len(runs[0]), xl_col_to_name(COLUMNS.index("E_total") + 1)
    sheet.write_string(3, 0, "E_total after the last update")
    for column, run in enumerate(runs, start=1):
        last = xl_rowcol_to_cell(_RATES_FIRST + rows - 1, column)
        sheet.write_formula(3, column, f"={last}", fine, run["E_total"].iat[-1])
    sheet.write_string(_RATES_HEADER, 0, "update", head)
    names = [f"η = {rate:.15g}" for rate in rates]
    for column, name in enumerate(names, start=1):
        sheet.write_formula(_RATES_HEADER, column, f'="η = "&{xl_rowcol_to_cell(2, column)}', head, name)
    for update, losses in enumerate(zip(*(run["E_total"].tolist() for run in runs), strict=True)):
        sheet.write_number(_RATES_FIRST + update, 0, update, count)
        for column, value in enumerate(losses, start=1):
            formula = f"='Run {column}'!{loss}{_FIRST + update + 1}"
            sheet.write_formula(_RATES_FIRST + update, column, formula, fine, value)
    for place, scale in enumerate(("linear", "logarithmic")):
        chart = _loss_chart(book, rows, legend=True, logarithmic=scale == "logarithmic")
        for column, (name, run) in enumerate(zip(names, runs, strict=True), start=1):
            _series(chart, RATES_SHEET, _RATES_FIRST, column, run["E_total"], _RATES_HEADER, name)
        chart.set_size({"width": 720, "height": 330})
        alt = f"Line chart, {scale} scale: the loss E_total after each update, a line for each learning rate."
        sheet.insert_chart(_RATES_FIRST + 17 * place, len(rates) + 2, chart, {"description": alt, "y_offset": 6})


# Looks. Okabe and Ito's colours, which colour-blind readers tell apart.

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_TITLE = {"bold": True, "font_size": 14}
_QUIET = {"font_color": "#475569", "italic": True}
_LABEL = {"align": "right", "font_color": "#475569"}
_INPUT = {"font_color": "#0000FF", "bg_color": "#FFF9DB", "border": 1, "border_color": "#94A3B8"}
_LINKED = {"border": 1, "border_color": "#CBD5E1"}
_HEAD = {"bold": True, "align": "center", "bottom": 2, "bg_color": "#F1F5F9"}
_COUNT = {"align": "center", "font_color": "#475569"}
_FINE = {"num_format": "0.00000E+00"}


def _sheet(book: xlsxwriter.Workbook, name: str, colour: str, header: int) -> Worksheet:
    sheet = book.add_worksheet(name, _FastWorksheet)
    sheet.set_tab_color(colour)
    sheet.hide_gridlines(2)
    sheet.freeze_panes(header + 1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(header)
    sheet.set_footer("&L&A&Rpage &P of &N")
    sheet.set_row(0, 24)
    # The first row takes the input cells and the next ones update: meant, so no green corners
    sheet.ignore_errors({"formula_differs": "A1:XFD1048576", "formula_range": "A1:XFD1048576"})
    return sheet


def _demand_positive(sheet: Worksheet, *area: int) -> None:
    rule = {"validate": "decimal", "criteria": ">", "value": 0, "error_title": "Learning rate"}
    sheet.data_validation(*area, rule | {"error_message": "Give a number above zero."})


def _loss_chart(book: xlsxwriter.Workbook, rows: int, legend: bool, logarithmic: bool = False):
    chart = book.add_chart({"type": "line"})
    every = max(1, (rows - 1) // 10)
    plain = {"name_font": {"bold": False, "size": 9}, "num_font": {"size": 9}}
    scale = {"log_base": 10, "crossing": "min", "num_format": "0E+00"} if logarithmic else {"num_format": "General"}
    grid = {"major_gridlines": {"visible": True, "line": {"color": "#E2E8F0"}}}
    ticks = {"interval_unit": every, "interval_tick": every, "major_tick_mark": "none"}
    place = {"label_position": "low", "position_axis": "on_tick"}
    chart.set_title({"none": True})
    chart.set_x_axis({"name": "update", **ticks, **place, **plain})
    chart.set_y_axis({"name": "E_total, log scale" if logarithmic else "E_total", **scale, **plain, **grid})
    chart.set_legend({"position": "right"} if legend else {"none": True})
    return chart


def _series(chart, sheet: str, first: int, column: int, losses: pd.Series, header: int, name: str) -> None:
    """Add one line to `chart`, with its data, which a workbook written row by row no longer has at hand."""
    last = first + len(losses) - 1
    chart.add_series(
        {
            "name": f"='{sheet}'!{xl_rowcol_to_cell(header, column, True, True)}",
            "categories": f"='{sheet}'!{xl_range_abs(first, 0, last, 0)}",
            "values": f"='{sheet}'!{xl_range_abs(first, column, last, column)}",
            "name_data": [name],
            "categories_data": list(range(len(losses))),
            "values_data": losses.tolist(),
            "line": {"color": _COLOURS[len(chart.series) % len(_COLOURS)], "width": 2},
        }
    )
