"""A network told in one table: sizes, parameters, multiply-adds, and the part of the image that each layer sees."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from torch import nn

from cellgrad.layers import image_size
from cellgrad.networks.examination import Cost, Examination, costs_by_call, examine, ready
from cellgrad.networks.loading import quietly
from cellgrad.receptive import boxes, output_layers, receptive_field

MOST_PARAMETERS = 20_000  # the exercise: fewer than these
DIGIT = (1, 28, 28)


@dataclass(frozen=True)
class Description:
    """A network's table, a row a layer, and what an examination found.

    table: the columns of `receptive_field`, then box and seen (where in the image the field of the middle unit is, on
    each axis its first pixel and the one after its last, and how many rows and columns that is), parameters and
    multiply_adds; where nothing could be followed, layer, output_size and the last two. seen: of the layer that gives
    the scores; None where it could not be followed. untraced: why not.
    """

    table: pd.DataFrame
    examination: Examination
    input_size: tuple[int, ...]
    seen: tuple[int, ...] | None
    untraced: str = ""

    def to_dict(self) -> dict[str, object]:
        """All of it as JSON can hold it."""
        found = self.examination
        return {
            "input_size": list(self.input_size),
            "parameters": found.parameters,
            "multiply_adds": found.multiply_adds,
            "unused_parameters": found.unused_parameters,
            "unused": list(found.unused),
            "output": found.output,
            "output_size": list(found.output_size),
            "alone_as_together": found.alone_as_together,
            "seen": None if self.seen is None else list(self.seen),
            "untraced": self.untraced or None,
            "remarks": list(found.remarks),
            "layers": [{name: _plain(value) for name, value in row.items()} for row in self.table.to_dict("records")],
        }

    def __str__(self) -> str:
        found = self.examination
        size = " × ".join(map(str, self.input_size))
        lines = [*found.remarks, _table_text(self.table), ""]
        lines.append(f"{found.parameters:,} parameters, {found.multiply_adds:,} multiply-adds for one image of {size}")
        if found.unused:
            lines.append(f"{found.unused_parameters:,} of the parameters do nothing: {', '.join(found.unused)}")
        if self.untraced:
            lines.append(f"What it sees could not be followed: {self.untraced}")
        lines.append(f"It answers with {found.output}, {' × '.join(map(str, found.output_size))} for each image")
        return "\n".join([*lines, *(self.against_the_exercise() if self.input_size == DIGIT else [])])

    def against_the_exercise(self) -> list[str]:
        """Where the network stands: parameters, the whole digit, field before the first pool, what could be saved."""
        spare = MOST_PARAMETERS - self.examination.parameters
        lines = ["", "Beside the exercise:"]
        lines.append(
            f"  fewer than 20,000 parameters: yes, {spare:,} to spare"
            if spare > 0
            else f"  fewer than 20,000 parameters: no, {-spare + 1:,} too many"
        )
        if self.seen is None:
            return lines
        height, width = self.seen[-2:]
        whole = (height, width) == self.input_size[1:]
        lines.append(f"  the last unit sees the whole digit: {'yes' if whole else f'no, {height} × {width} of it'}")
        pools = self.table.index[self.table["kind"].str.contains("pool")]
        if len(pools) and pools[0] > 0:
            lines.append(f"  field before the first pool: {_times(self.table['local'][pools[0] - 1])}")
        saved = self.table["layer"][self._widening_in_vain()]
        if len(saved):
            lines.append(f"  widen a field that sees the whole digit already, and could be saved: {', '.join(saved)}")
        return lines

    def _widening_in_vain(self) -> pd.Series:
        """Which layers slide a window wider than one over units that see the whole image already."""
        whole = self.table["seen"].map(lambda seen: seen == self.input_size[1:])
        sees_all_before = whole.shift(1, fill_value=False)
        slides = self.table["kind"].str.startswith("conv") & self.table["kernel"].map(lambda k: k not in (1, (1, 1)))
        return sees_all_before & slides


def describe(module: nn.Module, input_size: Sequence[int] = DIGIT, name: str = "it") -> Description:
    """Examine a network and table its layers.

    Raises `loading.NetworkError` where it does not run, and ValueError for what is no size.
    """
    input_size = image_size(input_size)
    module = ready(module, input_size, name)
    found = examine(module, input_size, name)
    costs = costs_by_call(module, input_size, name)
    try:
        with quietly():
            table, untraced, seen = receptive_field(module, input_size), "", boxes(module, input_size)
    except ValueError as error:
        rows = [{"layer": cost.layer, "output_size": cost.output_size} for cost in costs if cost.function is None]
        table, untraced = pd.DataFrame(rows, columns=["layer", "output_size"]), str(error)
    else:
        table["box"] = [tuple((first, last + 1) for first, last in seen[layer]) for layer in table["layer"]]
        table["seen"] = [tuple(end - first for first, end in box) for box in table["box"]]
    table["parameters"], table["multiply_adds"] = _costs_by_row(table["layer"], costs)
    return Description(table, found, input_size, _seen(table, module, found, input_size), untraced)


def _seen(
    table: pd.DataFrame, module: nn.Module, found: Examination, input_size: tuple[int, ...]
) -> tuple[int, ...] | None:
    """What the scores see: the last layer's, or that of the layer which gives them where there are other outputs."""
    if "seen" not in table:
        return None
    if found.answer is None:
        return table["seen"].iloc[-1]
    with quietly():
        layer = output_layers(module, input_size)[found.answer]
    return table.loc[table["layer"] == layer, "seen"].iloc[0] if layer is not None else (0,) * len(input_size[1:])


def _costs_by_row(layers: pd.Series, costs: Sequence[Cost]) -> tuple[list[int], list[int]]:
    """Parameters and multiply-adds of each row; "relu (2)" is the second call of relu, "conv2d_1" of a function."""
    by_row: dict[str, tuple[int, int]] = {}
    calls: Counter[str] = Counter()
    rows = set(layers)
    for cost in costs:
        if cost.function is None:
            calls[cost.layer] += 1
            again = calls[cost.layer]
            by_row[cost.layer if again == 1 else f"{cost.layer} ({again})"] = cost.parameters, cost.multiply_adds
        elif cost.layer not in rows:  # else the layer's row has it
            again = calls[f"{cost.function}()"]
            calls[f"{cost.function}()"] += 1
            row = cost.function if not again else f"{cost.function}_{again}"
            by_row[row] = cost.parameters, cost.multiply_adds
    found = [by_row.get(layer, (0, 0)) for layer in layers]
    return [learned for learned, _ in found], [spent for _, spent in found]


def _times(value: object) -> str:
    return " × ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _plain(value: object) -> object:
    """A table's value as JSON can hold it."""
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def _table_text(table: pd.DataFrame) -> str:
    """The table for people: what decides first, sizes with ×, nothing where nothing is."""
    columns = ["layer", "output_size", "parameters", "multiply_adds", "size", "local", "jump", "seen"]
    shown = table[[name for name in columns if name in table]].copy()
    for name in ("output_size", "seen", "size", "local", "jump"):
        if name in shown:
            shown[name] = shown[name].map(lambda value: "" if value is None else _times(value))
    for name in ("parameters", "multiply_adds"):
        shown[name] = shown[name].map(lambda n: f"{n:,}" if n else "")
    return shown.rename(columns={"output_size": "output", "multiply_adds": "multiply-adds"}).to_string(index=False)
