"""The toy network, alive: every number follows the hand, and the walk forwards and backwards goes edge by edge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict

import sympy as sp

from cellgrad import checks
from cellgrad.figures import javascript
from cellgrad.figures.page import (
    BLUE,
    FAINT,
    GREEN,
    LINE,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    Figure,
    number,
    svg,
    tag,
    text,
)
from cellgrad.toynet import (
    COLUMNS,
    DELTAS,
    DERIVATIVES,
    FORWARD,
    PARAMETERS,
    ToyNetwork,
    a_h1,
    a_h2,
    chain_rule,
    h1,
    h2,
    local_derivative,
    o1,
    o2,
    w5,
    w6,
    w7,
    w8,
)

# What people really type in place of the hidden units' deltas: each as substitutions in the right formulas.
_NEIGHBOUR = {DELTAS[h2]: {a_h2: a_h1}}
_TEMPLATE = {DELTAS[h1]: {w5: a_h1, w7: a_h1}, DELTAS[h2]: {w6: a_h2, w8: a_h2}}
FORMULAS = {
    "right": ("the right formulas", {}, None),
    "neighbour": (
        "a_h1 for a_h2 in ∂E/∂w3 and ∂E/∂w4",
        _NEIGHBOUR,
        ToyNetwork((2, 1), (0.99, 0.99), (3.9, -1.4, -2.4, 5.8, -0.6, -5.8, -1.9, -5.2)),
    ),
    "template": (
        "the template's: an activation for each of w5 … w8",
        _TEMPLATE,
        ToyNetwork((1, 2), (0.5, 0.5), (-0.15, -0.2, -0.25, -0.3, -4, -4.5, -5, -5.5)),
    ),
}
_AHEAD = 100  # updates that the dotted curve looks ahead
_TOP, _BOTTOM = 78, 238
_PLACES = {"i1": (26, _TOP), "i2": (26, _BOTTOM), "h1": (142, _TOP), "h2": (142, _BOTTOM)}
_PLACES |= {"o1": (262, _TOP), "o2": (262, _BOTTOM), "E1": (342, _TOP), "E2": (342, _BOTTOM), "E_total": (374, 158)}
_EDGES = {"w1": ("i1", "h1"), "w2": ("i2", "h1"), "w3": ("i1", "h2"), "w4": ("i2", "h2")}
_EDGES |= {"w5": ("h1", "o1"), "w6": ("h2", "o1"), "w7": ("h1", "o2"), "w8": ("h2", "o2")}
_ERRORS = {"E1": ("o1", "E1"), "E2": ("o2", "E2"), "E1_total": ("E1", "E_total"), "E2_total": ("E2", "E_total")}
_SUBSCRIPTS = str.maketrans("0123456789ho", "₀₁₂₃₄₅₆₇₈₉ₕₒ")


_CAPTION = (
    "Two inputs, two hidden units, two outputs and their errors, with every number of one row of the spreadsheet. "
)
_CAPTION_BACKWARDS = (
    "Numbers beside a line are its weight and, in purple, the derivative of the loss with respect to it; δ beside a "
    "unit is the derivative with respect to the sum that enters the unit. Dotted: the loss of the next 100 updates."
)


def network(network: ToyNetwork | None = None, learning_rate: float = 1.0, backwards: bool = True) -> Figure:
    """The network drawn with all its numbers; sliders for the 14 parameters; its walk, its updates, its sheet.

    network: where it starts, the book's when None. backwards: with derivatives and updates, too; where False, the walk
    ends at the loss. Formulas and walk are printed from `cellgrad.toynet`.
    """
    network = network or ToyNetwork()
    variants = {key: _backward(changes) for key, (_, changes, _) in FORMULAS.items()}
    formulas = [javascript.assignments("forward", FORWARD)]
    formulas += [javascript.assignments(f"backward_{key}", backward) for key, backward in variants.items()]
    formulas += [f"const backward = {{{', '.join(f'{key}: backward_{key}' for key in variants)}}};"]
    walks = ",\n".join(f"{key}: [{_walk(variants[key], changes)}]" for key, (_, changes, _) in FORMULAS.items())
    formulas += [f"const walks = {{{walks}}};"]
    data = {
        "columns": [name for name in COLUMNS if backwards or not name.startswith("dE_d")],
        "backwards": backwards,
        "parameters": [str(symbol) for symbol in PARAMETERS],
        "start": network.parameters,
        "learning_rate": checks.positive("learning_rate", learning_rate),
        "ahead": _AHEAD,
        "names": {name: pretty(name) for name in (*COLUMNS, *map(str, DELTAS.values()), "b1", "b2")},
        "variants": {
            key: {"label": label, "start": start and asdict(start)} for key, (label, _, start) in FORMULAS.items()
        },
    }
    return Figure(
        "network",
        "The network, alive",
        _CAPTION + (_CAPTION_BACKWARDS if backwards else "The number beside a line is its weight."),
        _picture(network, data["learning_rate"], backwards),
        data,
        "\n".join(formulas),
    )


def pretty(name: str) -> str:
    """A column's name as people write it: a_h1 becomes aₕ₁, dE_dw1 becomes ∂E/∂w₁."""
    if name == "E_total":
        return "E"
    if name.startswith("dE_d"):
        return f"∂E/∂{pretty(name[4:])}"
    letter, _, rest = name.replace("delta", "δ").partition("_")
    return letter[0] + (rest or letter[1:]).translate(_SUBSCRIPTS)


def _backward(changes: Mapping[sp.Symbol, Mapping[sp.Symbol, sp.Symbol]]) -> dict[sp.Symbol, sp.Expr]:
    return {name: slope.subs(changes.get(name, {})) for name, slope in chain_rule().items()}


def _walk(backward: Mapping[sp.Symbol, sp.Expr], changes: Mapping[sp.Symbol, Mapping[sp.Symbol, sp.Symbol]]) -> str:
    """The presses of Step, one after the other, as JavaScript: what lights up, and the lines with their numbers."""
    steps = []
    for unit, activation in _units():
        edges = [edge for edge, (_, end) in _EDGES.items() if end == str(unit)]
        definition = FORWARD[unit]
        for edge in edges:
            product = next(term for term in definition.args if term.has(sp.Symbol(edge, real=True)))
            steps.append(_step("forward", [edge], [], [_line("", product)]))
        lines = [_line(str(unit), definition), _line(str(activation), FORWARD[activation])]
        steps.append(_step("forward", [], [str(unit)], lines))
    for error, lit in (("E1", ["E1"]), ("E2", ["E2"]), ("E_total", ["E1_total", "E2_total"])):
        steps.append(_step("forward", lit, [error], [_line(error, FORWARD[sp.Symbol(error, real=True)])]))
    for unit in (o1, o2):
        name = DELTAS[unit]
        steps.append(_step("backward", [f"E{str(unit)[1]}"], [str(unit)], [_line(str(name), backward[name])]))
    steps += [_slope_step(edge, backward) for edge in ("w5", "w6", "w7", "w8")]
    for unit, activation in ((h1, a_h1), (h2, a_h2)):
        name = DELTAS[unit]
        replaced = changes.get(name, {})
        for edge in [edge for edge, (start, _) in _EDGES.items() if start == str(unit)]:
            output = sp.Symbol(_EDGES[edge][1], real=True)
            passed = (DELTAS[output] * local_derivative(output, activation)).subs(replaced)
            steps.append(_step("backward", [edge], [], [_line("", passed)]))
        steps.append(_step("backward", [], [str(unit)], [_line(str(name), backward[name])]))
    steps += [_slope_step(edge, backward) for edge in ("w1", "w2", "w3", "w4")]
    return ",\n".join(steps)


def _units() -> list[tuple[sp.Symbol, sp.Symbol]]:
    return [(unit, sp.Symbol(f"a_{unit}", real=True)) for unit in (h1, h2, o1, o2)]


def _slope_step(edge: str, backward: Mapping[sp.Symbol, sp.Expr]) -> str:
    name = DERIVATIVES[sp.Symbol(edge, real=True)]
    return _step("backward", [edge], [], [_line(str(name), backward[name])])


def _step(way: str, edges: list[str], nodes: list[str], lines: list[str]) -> str:
    return f'{{way: "{way}", edges: {edges!r}, nodes: {nodes!r}, lines: [{", ".join(lines)}]}}'


def _line(name: str, value: sp.Expr) -> str:
    """A name, its formula in pieces (those that begin with @ are names of numbers), and the formula as JavaScript."""
    written = (
        sp.sstr(value, order="none")
        .replace("**2", "²")
        .replace("*", " · ")
        .replace("exp(-", "exp(−")
        .replace(" - ", " − ")
    )
    pieces = [
        f"@{part}" if re.match(r"[a-zA-Z]+_?[a-zA-Z]*\d?$", part) and part != "exp" else part
        for part in re.split(r"([A-Za-z]\w*)", written)
    ]
    return f"{{name: {name!r}, formula: {[p for p in pieces if p]!r}, value: {javascript.expression(value)}}}"


def _picture(network: ToyNetwork, learning_rate: float, backwards: bool) -> str:
    values = network.row()
    lines, labels = [], []
    for name, (start, end) in (_EDGES | _ERRORS).items():
        (x0, y0), (x1, y1) = _PLACES[start], _PLACES[end]
        lines.append(
            tag("line", x1=x0, y1=y0, x2=x1, y2=y1, stroke=LINE, stroke_width=2, data_edge=name, class_="cg-glide")
        )
        if name in _EDGES:
            near = 0.5 if y0 == y1 else 0.31  # crossing edges carry their labels before they cross
            x, y = x0 + near * (x1 - x0), y0 + near * (y1 - y0)
            halo = {"stroke": PAPER, "stroke_width": 3, "paint_order": "stroke"}
            above, below = (5, 12) if y0 == y1 else (3, 10)
            labels.append(text(x, y - above, f"{pretty(name)} {number(values[name])}", 10.5, data_weight=name, **halo))
            slope = f"∂ {number(values[f'dE_d{name}'], 2)}" if backwards else ""
            labels.append(text(x, y + below, slope, 9.5, PURPLE, data_slope=name, **halo))
    deltas = {str(unit): _delta(unit, values) for unit in DELTAS} if backwards else {}
    nodes = [_node(name, values, deltas) for name in _PLACES]
    headings = [
        text(x, 14, words, 10, FAINT)
        for x, words in ((26, "inputs"), (142, "hidden"), (262, "outputs"), (356, "errors"))
    ]
    curve = _loss_curve(network, learning_rate) if backwards else []
    description = (
        "A network from left to right: two inputs, two hidden units, two outputs, two errors and their sum, the loss, "
        f"which is {number(values['E_total'])}{'; below it the loss after each update' if curve else ''}."
    )
    return svg(404 if curve else 290, description, *headings, *lines, *labels, *nodes, *curve)


def _loss_curve(network: ToyNetwork, learning_rate: float) -> list[str]:
    losses = network.descend(learning_rate, _AHEAD)["E_total"].to_numpy()
    highest = float(losses.max()) * 1.05 or 1.0
    ahead = " ".join(f"{40 + 3.5 * k:.1f},{384 - 78 * loss / highest:.1f}" for k, loss in enumerate(losses))
    return [
        tag("line", x1=40, y1=384, x2=390, y2=384, stroke=LINE),
        tag("line", x1=40, y1=304, x2=40, y2=384, stroke=LINE),
        text(37, 312, number(highest, 2), 9, FAINT, text_anchor="end", data_top="1"),
        text(37, 387, "0", 9, FAINT, text_anchor="end"),
        text(215, 399, f"update 0 to {_AHEAD}", 9.5, FAINT, data_axis="1"),
        text(44, 301, "loss E", 9.5, FAINT, text_anchor="start"),
        tag("path", d=f"M{ahead}", fill="none", stroke=FAINT, stroke_width=1.2, stroke_dasharray="1 3", data_ahead="1"),
        tag("path", d="", fill="none", stroke=GREEN, stroke_width=1.8, stroke_dasharray="5 3", data_ghost="1"),
        tag("path", d="", fill="none", stroke=RED, stroke_width=2.2, data_curve="1"),
        tag("circle", cx=40.0, cy=384 - 78 * float(losses[0]) / highest, r=3.5, fill=RED, data_dot="1"),
        text(390, 314, f"loss now: {number(losses[0], 3)}", 10, RED, text_anchor="end", data_legend="mistaken"),
        text(390, 328, "", 10, GREEN, text_anchor="end", data_legend="right"),
    ]


def _delta(unit: sp.Symbol, values: Mapping[str, float]) -> float:
    """A unit's delta, from the row: what any of its weights' derivatives would be if the weight's input were 1."""
    at = {sp.Symbol(name, real=True): value for name, value in values.items()}
    deltas = {name: chain_rule()[name] for name in DELTAS.values()}
    return float(deltas[DELTAS[unit]].subs(deltas).subs(at))


def _node(name: str, values: Mapping[str, float], deltas: Mapping[str, float]) -> str:
    x, y = _PLACES[name]
    colour = {"i": BLUE, "h": ORANGE, "o": GREEN, "E": RED}[name[0]]
    shown = f"a_{name}" if f"a_{name}" in values else name
    radius = 21
    parts = [
        tag(
            "circle", cx=x, cy=y, r=radius, fill=PAPER, stroke=colour, stroke_width=2, data_node=name, class_="cg-glide"
        ),
        text(x, y - 3, pretty(shown), 11),
        text(x, y + 9, number(values[shown], 2 if name in ("E1", "E2") else 3), 9, data_value=shown),
    ]
    # Edges run between the rows of units: what is said of a unit stands above the upper and below the lower ones.
    upper = y == _TOP
    if name[0] in "ho":
        near, far = (y - 28, y - 41) if upper else (y + 35, y + 48)
        parts.append(text(x, near, f"{pretty(name)} = {number(values[name])}", 9.5, FAINT, data_sum=name))
        delta = f"{pretty(f'delta_{name}')} = {number(deltas[name], 3)}" if deltas else ""
        parts.append(text(x, far, delta, 10, PURPLE, data_delta=name))
    if name[0] == "o":
        target, between = f"t{name[1]}", (x + _PLACES[f"E{name[1]}"][0]) / 2
        said = f"{pretty(target)} = {number(values[target])}"
        parts.append(text(between, y + 34 if upper else y - 27, said, 9.5, FAINT, data_target=target))
    return tag("g", *parts)
