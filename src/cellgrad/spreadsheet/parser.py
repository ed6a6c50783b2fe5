"""Excel formula text read into SymPy expressions, by a parser of our own: cell text is never handed to Python to run.

Everything is bounded, because a workbook may come from anybody: length, depth, the size of ranges and of numbers.
What lies beyond a bound, or outside the arithmetic that this network needs, raises `FormulaError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import mpmath
import sympy as sp
from openpyxl.utils import column_index_from_string, get_column_letter

MAX_LENGTH = 8192  # Excel's own limit, in characters
MAX_DEPTH = 64  # Excel's own limit on nested functions; here brackets and chains of ^ count too
MAX_RANGE = 1000  # cells in one range
MAX_BITS = 10_000  # of an exact number
MAX_ROW, LAST_COLUMN = 1_048_576, "XFD"  # of an Excel sheet

PRECISE = mpmath.mp.clone()  # a context of our own, so that nobody else's precision changes
PRECISE.dps = 50
_LARGEST = PRECISE.mpf(2) ** 1024  # where Excel's numbers end and #NUM! begins


class FormulaError(ValueError):
    """A formula that is not read: the message is half a sentence, such as "uses the function IF, …"."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A cell as a formula mentions it; a fixed row or column is written with $. Rows and columns count from 1."""

    row: int
    column: int
    row_fixed: bool = False
    column_fixed: bool = False
    sheet: str | None = None

    def __str__(self) -> str:
        fixed = {True: "$", False: ""}
        cell = f"{fixed[self.column_fixed]}{get_column_letter(self.column)}{fixed[self.row_fixed]}{self.row}"
        if self.sheet is None:
            return cell
        plain = re.fullmatch(r"[^\W\d]\w*", self.sheet) and not _CELL.fullmatch(self.sheet)
        return f"{self.sheet}!{cell}" if plain else "'{}'!{}".format(self.sheet.replace("'", "''"), cell)

    def moved(self, rows: int, columns: int) -> Reference:
        """What this reference becomes when its formula is copied `rows` down and `columns` to the right."""
        return replace(
            self,
            row=self.row if self.row_fixed else self.row + rows,
            column=self.column if self.column_fixed else self.column + columns,
        )


_CELL = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)([1-9][0-9]{0,6})")
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<cell>(?:(?P<sheet>'(?:[^']|'')*'|(?:\[\w+\])?[\w.]+)!)?\$?[A-Za-z]{1,3}\$?[1-9][0-9]{0,6}(?![\w(!.]))
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>(?:(?:'(?:[^']|'')*'|[\w.]+)!)?[^\W\d][\w.]*)
      | (?P<error>\#[A-Z0-9/]+[!?]?)
      | (?P<sign>[-+*/^%():,])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula: its kind ("cell", "number", "name", "sign", "end") and its text."""

    kind: str
    text: str
    sheet: str | None = None


def tokenize(formula: str) -> list[Token]:
    """Split a formula, with or without its leading "=", into tokens; spaces between them are dropped.

    Raises FormulaError where a piece is not arithmetic, and for more than `MAX_LENGTH` characters.
    """
    text = formula.removeprefix("=")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"is {len(text):,} characters long, and Excel allows {MAX_LENGTH:,}")
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaError(_stranger(text, position))
        if match.lastgroup == "error":
            raise FormulaError(f"contains {match['error']}, an error in the place of a cell or a value")
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match[0], match["sheet"]))
        position = match.end()
    return [*tokens, Token("end", "the end")]


def _stranger(text: str, position: int) -> str:
    """Words for what is no arithmetic: by the name of the function or of the table where there is one."""
    if text[position] in "[@":
        return "reads a table by its name, as in Table1[…]; write its cells"
    called = [name for name in re.findall(r"([A-Za-z][\w.]*)\(", text[:position]) if name.upper() not in FUNCTIONS]
    if called:
        return f"uses the function {called[-1].upper()}, which this audit does not know"
    return f"contains {text[position]!r}, which is not arithmetic on cells and numbers"


def _plain_name(text: str) -> str:
    """A defined name as the workbook lists it: without capitals, and without quotes about its sheet's name."""
    return text.lower().replace("'", "")


def read_reference(text: str, sheet: str | None = None) -> Reference:
    """Read "B7", "$B$7", "'My sheet'!B7"; `sheet` is the sheet's name as the formula spells it.

    Raises FormulaError for a cell outside an Excel sheet and for one in another workbook.
    """
    if sheet is not None:
        sheet = sheet[1:-1].replace("''", "'") if sheet.startswith("'") else sheet
        if "[" in sheet:
            raise FormulaError(f"reads {text}, a cell of another workbook, which is not opened")
    match = _CELL.fullmatch(text.rpartition("!")[2])
    if match is None:
        raise FormulaError(f"contains {text!r}, which is not a cell")
    if int(match[4]) > MAX_ROW or (len(match[2]) == 3 and match[2].upper() > LAST_COLUMN):
        raise FormulaError(f"reads {text}, which lies outside an Excel sheet")
    return Reference(int(match[4]), column_index_from_string(match[2]), bool(match[3]), bool(match[1]), sheet)


def cell_symbol(reference: Reference) -> sp.Symbol:
    """The symbol of a cell, named by its plain address: $B$7, B$7 and B7 are one."""
    return sp.Symbol(str(replace(reference, row_fixed=False, column_fixed=False)), real=True)


def parse(
    formula: str,
    resolve: Callable[[Reference], sp.Expr] = cell_symbol,
    names: Mapping[str, Reference | sp.Expr] | None = None,
) -> sp.Expr:
    """Read an Excel formula as Excel does: -2^2 is 4, 2^3^2 is 64, 50% is 1/2; decimals become exact fractions.

    `resolve` says what a cell stands for (by default its own symbol); `names` are the workbook's defined names, in
    lower case, each a cell or what it stands for. Raises FormulaError for what is not arithmetic, not known, not real,
    or beyond the bounds above.
    """
    parser = _Parser(tokenize(formula), resolve, names or {})
    try:
        result = parser.sum()
    except RecursionError:  # the bound on depth should prevent it; a formula must never end the audit
        raise FormulaError("is nested too deeply") from None
    parser.expect("end")
    return result


class _Range(list):
    """What the cells of a range stand for, row by row. shape: how many rows and columns it has."""

    shape: tuple[int, int]


class _Parser:
    """Recursive descent, one method for each level of precedence; a whole chain of + or * becomes one SymPy node."""

    def __init__(self, tokens: list[Token], resolve: Callable, names: Mapping[str, Reference | sp.Expr]):
        self.tokens, self.resolve, self.names = tokens, resolve, names
        self.position = self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> str | None:
        """Step over the next token if it is one of these signs."""
        if self.token.kind == "sign" and self.token.text in texts:
            self.position += 1
            return self.tokens[self.position - 1].text
        return None

    def expect(self, text: str) -> None:
        if self.token.kind == text or self.take(text):
            return
        raise FormulaError(f"has {self.token.text!r} where {text!r} is expected".replace("'end'", "its end"))

    def sum(self) -> sp.Expr:
        terms = [self.product()]
        while sign := self.take("+", "-"):
            terms.append(self.product() if sign == "+" else -self.product())
        return checked(sp.Add(*terms)) if len(terms) > 1 else terms[0]

    def product(self) -> sp.Expr:
        factors = [self.power()]
        while sign := self.take("*", "/"):
            factors.append(self.power() if sign == "*" else power(self.power(), sp.Integer(-1)))
        return checked(sp.Mul(*factors)) if len(factors) > 1 else factors[0]

    def power(self) -> sp.Expr:
        result, links = self.signed(), 0
        while self.take("^"):
            links += 1
            self.limit(self.depth + links)
            result = power(result, self.signed())
        return result

    def signed(self) -> sp.Expr:
        """Unary minus binds tighter than ^, as nowhere else but in spreadsheets."""
        negative = False
        while sign := self.take("-", "+"):
            if sign == "-":
                negative = not negative
        operand = self.operand()
        while self.take("%"):
            operand = operand / 100
        return -operand if negative else operand

    def operand(self) -> sp.Expr:
        token = self.token
        if token.kind == "number":
            self.position += 1
            return number(token.text)
        named = self.names.get(_plain_name(token.text)) if token.kind == "name" else None
        if isinstance(named, sp.Expr):
            self.position += 1
            return named
        if token.kind == "cell" or named:
            cells = self.cells()
            if len(cells) > 1:
                raise FormulaError("uses a range of cells as if it were one number")
            return cells[0]
        if token.kind == "name":
            return self.call()
        if self.take("("):
            self.limit(self.depth + 1)
            self.depth += 1
            inside = self.sum()
            self.expect(")")
            self.depth -= 1
            return inside
        raise FormulaError(f"has {token.text!r} where a number, a cell or a function is expected")

    def limit(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise FormulaError(f"is nested more than {MAX_DEPTH} levels deep")

    def reference(self) -> Reference:
        token = self.token
        self.position += 1
        named = self.names.get(_plain_name(token.text)) if token.kind == "name" else None
        if isinstance(named, Reference):
            return named
        if token.kind != "cell":
            raise FormulaError(f"has {token.text!r} where a cell is expected")
        return read_reference(token.text, token.sheet)

    def cells(self) -> _Range:
        """What one cell, or each cell of a range, row by row, stands for."""
        first = self.reference()
        last = self.reference() if self.take(":") else first
        found = _Range(self.resolve(cell) for cell in spanned(first, last))
        found.shape = abs(last.row - first.row) + 1, abs(last.column - first.column) + 1
        return found

    def call(self) -> sp.Expr:
        function = self.token.text.upper()
        self.position += 1
        if not self.take("("):
            raise FormulaError(f"uses the name {function}, which is not a cell")
        if function not in FUNCTIONS:
            raise FormulaError(f"uses the function {function}, which this audit does not know")
        self.limit(self.depth + 1)
        self.depth += 1
        arguments = []
        if not self.take(")"):
            arguments.append(self.argument())
            while self.take(","):
                arguments.append(self.argument())
            self.expect(")")
        self.depth -= 1
        fewest, most, apply = FUNCTIONS[function]
        if not fewest <= len(arguments) <= most:
            raise FormulaError(f"gives {function} {len(arguments)} arguments")
        return checked(apply(*arguments))

    def argument(self) -> list[sp.Expr]:
        """The numbers of one argument: many for a range, otherwise one."""
        after = self.tokens[self.position + 1 : self.position + 2]
        if after and after[0].text == ":":
            cells = self.cells()
            if self.token.text not in (",", ")"):
                raise FormulaError("computes with a range of cells as if it were one number")
            return cells
        return [self.sum()]


def spanned(first: Reference, last: Reference) -> list[Reference]:
    """Every cell from one corner to the other, row by row. Raises FormulaError for more than `MAX_RANGE`."""
    rows, columns = sorted((first.row, last.row)), sorted((first.column, last.column))
    if (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1) > MAX_RANGE:
        raise FormulaError(f"uses a range of more than {MAX_RANGE:,} cells")
    if last.sheet not in (None, first.sheet):
        raise FormulaError("uses a range over several sheets")
    return [
        replace(first, row=row, column=column)
        for row in range(rows[0], rows[1] + 1)
        for column in range(columns[0], columns[1] + 1)
    ]


def number(text: str) -> sp.Rational:
    """A decimal as an exact fraction. Raises FormulaError beyond the numbers that Excel has."""
    exponent = re.split("[eE]", text)[1:]
    if exponent and (len(exponent[0]) > 5 or abs(int(exponent[0])) > 308):
        raise FormulaError(f"contains {text}, a number beyond Excel's")
    fraction = Fraction(text)
    if abs(fraction) >= 2**1024:
        raise FormulaError("contains a number beyond Excel's")
    return sp.Rational(fraction.numerator, fraction.denominator)


def power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """base ^ exponent, refused before an exact number would grow without bound."""
    if exponent.is_Rational:
        coefficient = base.as_coeff_Mul()[0]
        size = abs(exponent.p) * (coefficient.p.bit_length() + coefficient.q.bit_length() if coefficient != 1 else 1)
        if size > MAX_BITS or exponent.q.bit_length() > MAX_BITS:
            raise FormulaError("computes a power beyond Excel's numbers")
    return checked(base**exponent)


def checked(expression: sp.Expr) -> sp.Expr:
    """Return the expression, or raise FormulaError where it can have no real value or a constant is out of bounds."""
    if expression.has(sp.zoo, sp.oo, -sp.oo, sp.nan):
        raise FormulaError("divides by zero or takes the logarithm of zero")
    if expression.has(sp.I):
        raise FormulaError("takes a root or a logarithm of a negative number")
    if expression.is_Rational:
        if abs(expression.p) >= 2**1024 * expression.q:
            raise FormulaError("computes a number beyond Excel's")
    elif not expression.free_symbols:
        evaluate(expression, {})
    return expression


def _exp(x: sp.Expr) -> sp.Expr:
    if not x.free_symbols:
        exponent = evaluate(x, {})
        if exponent < -745:  # where Excel's smallest number ends, it says 0
            return sp.Integer(0)
        if exponent > 710:
            raise FormulaError("computes a power beyond Excel's numbers")
    for term in sp.Add.make_args(x):  # SymPy turns exp(n*log(x)) into x**n at once
        coefficient, rest = term.as_coeff_Mul()
        for log in rest.atoms(sp.log):
            power(log.args[0], coefficient)
    return sp.exp(x)


class Magnitude(sp.Function):
    """ABS, left as it stands: SymPy's own asks for the sign of what is inside, for seconds if that is deep."""

    is_extended_real = True


def _one(function: Callable[[sp.Expr], sp.Expr]) -> Callable:
    """Lift a function of one number to an argument list."""

    def apply(argument: list[sp.Expr]) -> sp.Expr:
        if len(argument) != 1:
            raise FormulaError("uses a range of cells as if it were one number")
        return function(argument[0])

    return apply


def _power(base: list[sp.Expr], exponent: list[sp.Expr]) -> sp.Expr:
    return _one(lambda x: _one(lambda y: power(x, y))(exponent))(base)


def _log(x: list[sp.Expr], base: list[sp.Expr] | None = None) -> sp.Expr:
    return _one(sp.log)(x) * power(_one(sp.log)(base or [sp.Integer(10)]), sp.Integer(-1))


def _flat(arguments: tuple[list[sp.Expr], ...]) -> list[sp.Expr]:
    return [value for argument in arguments for value in argument]


def _sum_of_products(*arguments: list[sp.Expr]) -> sp.Expr:
    if len({getattr(argument, "shape", (1, 1)) for argument in arguments}) > 1:  # a row and a column are two shapes
        raise FormulaError("multiplies ranges of different shapes")
    return sp.Add(*(sp.Mul(*factors) for factors in zip(*arguments, strict=True)))


def _sum_of_squared_differences(x: list[sp.Expr], y: list[sp.Expr]) -> sp.Expr:
    if len(x) != len(y):
        raise FormulaError("takes the differences of ranges of different sizes")
    return sp.Add(*((a - b) ** 2 for a, b in zip(x, y, strict=True)))


# name: fewest and most arguments, and what it does with them; each argument is a list, for a range, or a list of one.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., sp.Expr]]] = {
    "EXP": (1, 1, _one(_exp)),
    "LN": (1, 1, _one(sp.log)),
    "LOG": (1, 2, _log),
    "LOG10": (1, 1, _log),
    "SQRT": (1, 1, _one(sp.sqrt)),
    "ABS": (1, 1, _one(Magnitude)),
    "TANH": (1, 1, _one(sp.tanh)),
    "SINH": (1, 1, _one(sp.sinh)),
    "COSH": (1, 1, _one(sp.cosh)),
    "PI": (0, 0, lambda: sp.pi),
    "POWER": (2, 2, _power),
    "SUM": (1, 255, lambda *arguments: sp.Add(*_flat(arguments))),
    "PRODUCT": (1, 255, lambda *arguments: sp.Mul(*_flat(arguments))),
    "AVERAGE": (1, 255, lambda *arguments: sp.Add(*_flat(arguments)) / len(_flat(arguments))),
    "SUMSQ": (1, 255, lambda *arguments: sp.Add(*(value**2 for value in _flat(arguments)))),
    "SUMPRODUCT": (1, 255, _sum_of_products),
    "SUMXMY2": (2, 2, _sum_of_squared_differences),
}


def evaluate(expression: sp.Expr, values: Mapping[sp.Symbol, mpmath.mpf]) -> mpmath.mpf:
    """The value of an expression, to 50 digits, with `values` (numbers of the context `PRECISE`) for its symbols.

    Raises FormulaError where Excel would show an error: beyond its largest number, by zero, not real; KeyError for a
    symbol without a value.
    """
    if expression.is_Symbol:
        return values[expression]
    if expression.is_Rational:
        result = PRECISE.mpf(expression.p) / expression.q
    elif expression is sp.E or expression is sp.pi:
        result = PRECISE.e + 0 if expression is sp.E else PRECISE.pi + 0
    else:
        arguments = [evaluate(argument, values) for argument in expression.args]
        try:
            result = _OPERATIONS[expression.func](*arguments)
        except KeyError:
            raise FormulaError(f"uses {expression.func.__name__}, which this audit does not evaluate") from None
        except (ZeroDivisionError, ValueError):
            raise FormulaError("divides by zero, or takes a root or logarithm that does not exist") from None
    if isinstance(result, PRECISE.mpc) or not abs(result) < _LARGEST:
        raise FormulaError("computes a number beyond Excel's")
    return result


def _bounded_exp(x: mpmath.mpf) -> mpmath.mpf:
    if x < -1000:  # far below Excel's smallest number
        return PRECISE.zero
    if x > 1000:
        raise FormulaError("computes a power beyond Excel's numbers")
    return PRECISE.exp(x)


def _bounded_pow(base: mpmath.mpf, exponent: mpmath.mpf) -> mpmath.mpf:
    if base == 0:
        return base**exponent
    if base < 0 and exponent != PRECISE.floor(exponent):
        raise FormulaError("takes a root of a negative number")
    _bounded_exp(exponent * PRECISE.log(abs(base)))  # refuses what would be too large
    return base ** (int(exponent) if exponent == PRECISE.floor(exponent) else exponent)


_OPERATIONS: dict[type, Callable[..., mpmath.mpf]] = {
    sp.Add: lambda *terms: PRECISE.fsum(terms),
    sp.Mul: lambda *factors: PRECISE.fprod(factors),
    sp.Pow: _bounded_pow,
    sp.exp: _bounded_exp,
    sp.log: PRECISE.log,
    sp.Abs: abs,
    Magnitude: abs,
    sp.tanh: lambda x: PRECISE.tanh(x) if abs(x) < 1000 else PRECISE.sign(x),
    sp.sinh: lambda x: (_bounded_exp(x) - _bounded_exp(-x)) / 2,
    sp.cosh: lambda x: (_bounded_exp(x) + _bounded_exp(-x)) / 2,
}
