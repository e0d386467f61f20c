"""What is known of a class before it is text: its uses, its submodules, the lines of `forward`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from archdsl.backends.pytorch.code import IDENTITY, Code, Either, Plain
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.symbols import NotExpressible, Symbol, call, literal
from archdsl.frontend import ast
from archdsl.frontend.python_names import FUNCTIONS, variable_name
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Scope

if TYPE_CHECKING:
    from archdsl.backends.pytorch.classes import Builder
    from archdsl.backends.pytorch.straight import Straight

COUNTERS = ("index", "total", "rep")
"""What a row of a table knows of its place; hides parameters of these names."""

SIZE_NAMES = {"c": "channels", "h": "height", "w": "width", "d": "depth"}


class Plan:
    """A class to be written: a unit and the uses of it that the class serves."""

    def __init__(
        self, unit: Unit, scopes: list[Scope], name: str, classes: set[str], unrolled: bool = False
    ) -> None:
        """`classes` are the names of all classes of the module."""
        self.unit = unit
        self.scopes = scopes
        self.name = name
        self.unrolled = unrolled  # whether its loops have to be written out
        self.open: dict[str, frozenset[str]] = {}
        self.builder: Builder | Straight
        self.arguments: list[Argument] = []
        self.fractions: set[str] = set()
        """Arguments that are floats, such as rates, also where their numbers are whole."""
        self.factors: set[str] = set()
        """Open arguments that floats are computed from."""
        self.counts: set[str] = set()
        """Arguments and local variables that whole numbers, such as channels, follow."""
        self.inputs: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """What parameters, `let`s, variables of loops and sizes of inputs (`x.c`) are called in
        Python."""
        nodes = list(ast.walk(unit.body))
        taken = set(classes)
        alone = len(unit.tensors) == 1 and unit.kind == "arch"
        for slot in unit.tensors:
            self.inputs[slot.name] = free_name("x" if alone else slot.name, taken)
        taken = set(classes)
        if any(isinstance(node, ast.Stages) for node in nodes):
            taken.update(COUNTERS)
        lets = [node.name for node in nodes if isinstance(node, ast.Let)]
        for name in (*(parameter.name for parameter in unit.numbers), *lets):
            self.names[name] = free_name(name, taken)
        both = taken | set(self.inputs.values())  # loops are in the constructor and in `forward`
        for node in nodes:
            if isinstance(node, ast.Repeat) and node.variable not in self.names:
                self.names[node.variable] = free_name(node.variable, both)
        taken |= both
        for slot in unit.tensors:
            prefix = "in" if len(unit.tensors) == 1 else slot.name
            for letter, size in SIZE_NAMES.items():
                self.names[f"{slot.name}.{letter}"] = free_name(f"{prefix}_{size}", taken)
        self.variable = free_name("stages", taken)
        """A local variable of the constructor."""

    def as_float(self, symbol: Symbol, lanes: Iterable[Frame]) -> Symbol:
        """A number where PyTorch takes a float: TorchScript refuses an `int` there.

        An argument that is handed on as it is becomes a float itself where some use gives one, or
        users may. Anything else that may come to an `int` is converted.
        """
        if self._is_fraction(symbol):
            self.fractions.add(symbol.text)
            return symbol
        if symbol.open:
            self.factors |= symbol.names
        numbers = {f: symbol.at(f) for f in lanes}
        kinds = set(map(type, numbers.values()))
        if int not in kinds or not kinds <= {int, float}:
            return symbol
        values = {f: float(number) for f, number in numbers.items()}
        return call(f"float({symbol.text})", [symbol], values) if symbol.names else literal(values)

    def _is_fraction(self, symbol: Symbol) -> bool:
        for parameter in self.unit.numbers:
            if self.names[parameter.name] == symbol.text and symbol.names:
                numbers = [scope.arguments[parameter.name] for scope in self.scopes]
                if isinstance(parameter.default, ast.Number):
                    numbers.append(parameter.default.value)
                return bool(symbol.open) or any(type(number) is float for number in numbers)
        return False

    def is_absent(self, position: int) -> bool:
        """Whether no use gives an optional tensor."""
        return all(scope.inputs[position] is None for scope in self.scopes)


class Argument:
    """An argument of a constructor; `parameter` is a key of the plan's `names`."""

    def __init__(
        self, name: str, parameter: str, kind: str, default: str | None, note: str | None
    ) -> None:
        self.name = name
        self.parameter = parameter
        self.kind = kind
        self.default = default
        self.note = note

    @property
    def text(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return f"{self.name}: {self.kind}{default}"


class Assign(NamedTuple):
    """A line of `forward`."""

    targets: tuple[Var, ...]
    piece: Piece


class Loop(NamedTuple):
    """A loop of `forward` over the layers of `modules` (none: over a range)."""

    variable: str
    modules: Piece | None
    times: str
    layer: Var
    body: list[Assign]


class Condition(NamedTuple):
    """A condition of the spec, and whether it holds for the code at hand."""

    text: Plain
    holds: bool


class Choice:
    """What a layer is: one thing, or one where a condition holds and one elsewhere."""

    def __init__(self) -> None:
        self.code: Code | None = None
        self.stateful = False
        self.condition: Plain | None = None
        self.arms: dict[bool, Choice] = {}

    def copy(self) -> Choice:
        """A copy, arms included."""
        made = Choice()
        made.code, made.stateful, made.condition = self.code, self.stateful, self.condition
        made.arms = {holds: arm.copy() for holds, arm in self.arms.items()}
        return made

    def put(self, conditions: list[Condition], code: Code, stateful: bool) -> None:
        """Say what the layer is under some conditions."""
        self.stateful = self.stateful or stateful
        if not conditions:
            if self.code is not None or self.arms:
                raise NotExpressible
            self.code = code
            return
        text, holds = conditions[0]
        if self.code is not None or (self.condition is not None and self.condition != text):
            raise NotExpressible
        self.condition = text
        self.arms.setdefault(holds, Choice()).put(conditions[1:], code, stateful)

    def whole(self) -> Code:
        """The code for all conditions; where nothing is said, the layer does nothing."""
        leaves = list(self._leaves())
        if len(leaves) == 1 and not self.stateful:
            return leaves[0]
        return self._whole()

    def _leaves(self) -> Iterable[Code]:
        if self.code is not None:
            yield self.code
        for arm in self.arms.values():
            yield from arm._leaves()

    def _whole(self) -> Code:
        if self.code is not None or self.condition is None:
            return self.code or IDENTITY
        condition = self.condition
        arms = {holds: arm._whole() for holds, arm in self.arms.items()}
        if False not in arms:
            inner = arms[True]
            if isinstance(inner, Either) and inner.otherwise == IDENTITY:
                texts = [f"({c.text})" if " or " in c.text or " if " in c.text else c.text
                         for c in (condition, inner.condition)]  # fmt: skip
                both = Plain(" and ".join(texts), condition.names | inner.condition.names)
                return Either(inner.value, both, IDENTITY)
            return Either(inner, condition, IDENTITY)
        return Either(arms.get(True, IDENTITY), condition, arms[False])


def free_name(name: str, taken: set[str]) -> str:
    """A name for an argument that no other one has, and no function that the code calls."""
    name = variable_name(name)
    while name in taken or name in FUNCTIONS:
        name += "_"
    taken.add(name)
    return name
