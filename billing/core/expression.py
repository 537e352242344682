"""Arithmetic expressions over declared names, read and evaluated without Python's own evaluator.

Made for prices and meters that finance staff write: `gigabytes * hours / 730`, `if(units > 100, 80, units)`.
There is no loop, no power and no text in the language, and length, depth and digits are bounded, so every expression
ends and its cost is known when it is saved.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException
from typing import assert_never

from billing.core.errors import BillingError
from billing.core.quantity import DECIMAL

LENGTH_MAX = 500
NODES_MAX = 200
DEPTH_MAX = 30
DIGITS_MAX = 40
_LIMIT = Decimal(10) ** DIGITS_MAX  # no step may grow beyond it; quantities end at 10**26

_WIDE = Context(prec=120)

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]+)?)|([A-Za-z_][A-Za-z0-9_.]*)|(<=|>=|==|!=|[-+*/(),<>]))")


class InvalidExpression(BillingError):
    """An expression that cannot be read, names what is not declared, or has no value for its inputs."""

    code = "invalid_expression"


@dataclass(frozen=True, slots=True)
class _Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    """An operator or a function and its operands."""

    function: str
    operands: "tuple[_Node, ...]"


_Node = _Number | _Name | _Call


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read: its text, the names it uses, and its tree."""

    text: str
    names: frozenset[str]
    root: _Node


def parse_expression(text: object, *, names: Collection[str] | None, field: str = "expression") -> Expression:
    """Read an expression over `names` (None: any name).

    Numbers are plain decimals. + - * / with the usual precedence, parentheses, the comparisons < <= > >= == !=
    (1 or 0), and the functions min, max, abs, round, ceil, floor (with decimals as second operand) and
    if(condition, then, otherwise). Raises InvalidExpression naming `field`: unreadable, too long or too deep, a name
    that is not declared, a part without names that divides by zero.

    >>> evaluate(parse_expression("gb * hours / 2", names=("gb", "hours")), {"gb": Decimal(3), "hours": Decimal(5)})
    Decimal('7.5')
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidExpression("must be an expression such as a * 2 + b", field=field)
    if len(text) > LENGTH_MAX:
        raise InvalidExpression(f"has at most {LENGTH_MAX} characters", field=field)
    reader = _Reader(_tokens(text, field), field)
    root = reader.comparison(0)
    if reader.here() is not None:
        raise InvalidExpression(f"cannot be read at '{reader.here()}'", field=field)
    if names is not None:
        unknown = sorted(reader.names - set(names))
        if unknown:
            known = ", ".join(sorted(names)) or "none"
            raise InvalidExpression(f"names '{unknown[0]}'; the inputs here are: {known}", field=field)
    _check_constants(root, field)
    return Expression(text.strip(), frozenset(reader.names), root)


def evaluate(expression: Expression, values: Mapping[str, Decimal], *, field: str = "expression") -> Decimal:
    """The value for these inputs, to 60 significant digits.

    Raises InvalidExpression naming `field`: a value is missing, something is divided by zero, a number grows beyond
    40 digits.
    """
    return _value(expression.root, values, field)


def _tokens(text: str, field: str) -> list[str]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidExpression(f"cannot be read at '{text[place:].strip()[:10]}'", field=field)
        found.append(match[0].strip())
        place = match.end()
    return found


class _Reader:
    """A reader by recursive descent, a method per level of precedence."""

    def __init__(self, tokens: list[str], field: str) -> None:
        self.tokens, self.field = tokens, field
        self.place = 0
        self.nodes = 0
        self.names: set[str] = set()

    def here(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        token = self.here()
        if token is not None and token in wanted:
            self.place += 1
            return token
        return None

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise InvalidExpression(f"needs '{wanted}' before '{self.here() or 'its end'}'", field=self.field)

    def node(self, function: str, *operands: _Node) -> _Node:
        self._count()
        return _Call(function, operands)

    def comparison(self, depth: int) -> _Node:
        if depth > DEPTH_MAX:
            raise InvalidExpression(f"is nested deeper than {DEPTH_MAX} levels", field=self.field)
        left = self.sum(depth)
        operator = self.take("<", "<=", ">", ">=", "==", "!=")
        return left if operator is None else self.node(operator, left, self.sum(depth))

    def sum(self, depth: int) -> _Node:
        left = self.product(depth)
        while (operator := self.take("+", "-")) is not None:
            left = self.node(operator, left, self.product(depth))
        return left

    def product(self, depth: int) -> _Node:
        left = self.signed(depth)
        while (operator := self.take("*", "/")) is not None:
            left = self.node(operator, left, self.signed(depth))
        return left

    def signed(self, depth: int) -> _Node:
        if self.take("-") is not None:
            if depth > DEPTH_MAX:
                raise InvalidExpression(f"is nested deeper than {DEPTH_MAX} levels", field=self.field)
            return self.node("negative", self.signed(depth + 1))
        return self.atom(depth)

    def atom(self, depth: int) -> _Node:
        token = self.here()
        if token is None:
            raise InvalidExpression("ends too early", field=self.field)
        self.place += 1
        if token == "(":  # noqa: S105  (a parenthesis, no password)
            inner = self.comparison(depth + 1)
            self.need(")")
            return inner
        if token[0].isdigit():
            self._count()
            if len(token) > DIGITS_MAX:
                raise InvalidExpression(f"has a number of more than {DIGITS_MAX} digits", field=self.field)
            return _Number(Decimal(token))
        if not (token[0].isalpha() or token[0] == "_"):
            raise InvalidExpression(f"cannot be read at '{token}'", field=self.field)
        if self.here() == "(":
            return self._function(token, depth)
        self._count()
        self.names.add(token)
        return _Name(token)

    def _function(self, name: str, depth: int) -> _Node:
        if name not in _ARITY:
            raise InvalidExpression(
                f"has no function '{name}'; there are {', '.join(sorted(_ARITY))}", field=self.field
            )
        self.need("(")
        operands = [self.comparison(depth + 1)]
        while self.take(",") is not None:
            operands.append(self.comparison(depth + 1))
        self.need(")")
        fewest, most = _ARITY[name]
        if not fewest <= len(operands) <= most:
            raise InvalidExpression(f"gives {name} {len(operands)} operands", field=self.field)
        return self.node(name, *operands)

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise InvalidExpression(f"has more than {NODES_MAX} parts", field=self.field)


_ARITY = {"min": (1, 20), "max": (1, 20), "abs": (1, 1), "round": (1, 2), "ceil": (1, 2), "floor": (1, 2)} | {
    "if": (3, 3)
}
_ROUND = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_FUNCTIONS: Mapping[str, Callable[..., Decimal]] = {
    "+": DECIMAL.add,
    "-": DECIMAL.subtract,
    "*": DECIMAL.multiply,
    "/": DECIMAL.divide,
    "negative": DECIMAL.minus,
    "abs": DECIMAL.abs,
    "min": lambda *numbers: min(numbers),
    "max": lambda *numbers: max(numbers),
    "<": lambda left, right: Decimal(left < right),
    "<=": lambda left, right: Decimal(left <= right),
    ">": lambda left, right: Decimal(left > right),
    ">=": lambda left, right: Decimal(left >= right),
    "==": lambda left, right: Decimal(left == right),
    "!=": lambda left, right: Decimal(left != right),
}


def _value(node: _Node, values: Mapping[str, Decimal], field: str) -> Decimal:
    match node:
        case _Number():
            return node.value
        case _Name():
            if node.name not in values:
                raise InvalidExpression(f"needs a number for '{node.name}'", field=field)
            return values[node.name]
        case _Call(function="if"):
            condition, then, otherwise = node.operands
            return _value(then if _value(condition, values, field) else otherwise, values, field)
        case _Call():
            return _applied(node.function, [_value(one, values, field) for one in node.operands], field)
        case _:
            assert_never(node)


def _applied(function: str, operands: list[Decimal], field: str) -> Decimal:
    if function == "/" and not operands[1]:
        raise InvalidExpression("divides by zero", field=field)
    try:
        result = _rounded(function, *operands) if function in _ROUND else _FUNCTIONS[function](*operands)
    except DecimalException as error:
        raise InvalidExpression("has no value for these numbers", field=field) from error
    if not -_LIMIT < result < _LIMIT:
        raise InvalidExpression("grows beyond 40 digits for these numbers", field=field)
    return result


def _rounded(function: str, value: Decimal, decimals: Decimal = Decimal(0)) -> Decimal:
    if decimals != int(decimals) or not -12 <= decimals <= 12:
        raise DecimalException
    return rounded_to(value, int(decimals), _ROUND[function])


def rounded_to(value: Decimal, decimals: int, rounding: str) -> Decimal:
    """A number at so many decimals (negative: tens, hundreds), by a rounding of the decimal module.

    >>> rounded_to(Decimal("123.456"), -2, ROUND_FLOOR), rounded_to(Decimal("2.5"), 0, ROUND_HALF_UP)
    (Decimal('100'), Decimal('3'))
    """
    result = value.quantize(Decimal(1).scaleb(-decimals), rounding=rounding, context=_WIDE)
    return result if decimals >= 0 else Decimal(f"{result:f}")


def _check_constants(node: _Node, field: str) -> None:
    """Refuse at once what no input can save: a part without names that has no value."""
    if not isinstance(node, _Call):
        return
    for operand in node.operands:
        _check_constants(operand, field)
    if all(isinstance(operand, _Number) for operand in node.operands) or (
        node.function == "/" and _is_constant(node.operands[1])
    ):
        if node.function == "/":
            _applied("/", [Decimal(1), _value(node.operands[1], {}, field)], field)
        else:
            _value(node, {}, field)


def _is_constant(node: _Node) -> bool:
    match node:
        case _Number():
            return True
        case _Name():
            return False
        case _Call():
            return all(_is_constant(operand) for operand in node.operands)
        case _:
            assert_never(node)
