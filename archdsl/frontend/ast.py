"""The tree of a spec: one frozen class for each rule of the grammar, a span on every node.

The tree says what is written. It knows no names, no shapes and no defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from archdsl.diagnostics.source import Span
from archdsl.support.records import Record

PLAIN = frozenset(
    (
        "Span", "str", "str | None", "bool", "int | float", "tuple[str, ...]",
        "ClassVar[tuple[str, ...]]",
    )
)  # fmt: skip
"""The types of fields that hold no nodes, as they are written."""


class Node(Record):
    """A piece of a spec. Each is itself, even where another reads the same: keys are nodes."""

    span: Span

    inner: ClassVar[tuple[str, ...]] = ()
    """The fields that hold nodes, last ones first."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [name for name, hint in cls.__annotations__.items() if hint not in PLAIN]
        cls.inner = (*reversed(own), *(name for name in cls.inner if name not in own))


# Expressions


class Expression(Node):
    """Something with a value: a number, an operation, a tensor, a list of these."""


class Number(Expression):
    value: int | float


class Text(Expression):
    value: str


class Truth(Expression):
    value: bool


class Absent(Expression):
    """`none`."""


class Name(Expression):
    name: str


SIZES = ("c", "h", "w", "d")
"""Names of the sizes of a tensor."""


class Field(Expression):
    """`x.c`, `body.c3`."""

    of: Expression
    name: str

    @property
    def is_size(self) -> bool:
        """True if it is a number, a size of a tensor; labels have other names."""
        return self.name in SIZES


class Item(Expression):
    """`parts[i]`."""

    of: Expression
    index: Expression


class Negation(Expression):
    """`not a`."""

    operand: Expression


class Minus(Expression):
    operand: Expression


class Binary(Expression):
    """`a + b`, `a ^ b`, `a and b`."""

    operator: str
    left: Expression
    right: Expression


class Comparison(Expression):
    """`a < b <= c`: one operator fewer than operands."""

    operators: tuple[str, ...]
    operands: tuple[Expression, ...]


class Tuple(Expression):
    items: tuple[Expression, ...]


class List(Expression):
    items: tuple[Expression, ...]


class Choice(Expression):
    """`{3, 5}`: a choice left open, to be settled before building."""

    items: tuple[Expression, ...]


class Argument(Node):
    """`k=3`, or `3` with no name."""

    name: str | None
    value: Expression


class Call(Expression):
    """`conv(32, k=3)`; as a step of a flow `relu` alone is a call without arguments."""

    name: str
    arguments: tuple[Argument, ...]
    written: bool = True
    """True if it has brackets: `act` alone in a flow is a call, too."""
    overrides: tuple[Argument, ...] = ()
    """Values of later `set` lines."""


class Header(Node):
    """`block k e c`: names the cells of the rows below."""

    columns: tuple[Name, ...]


class Cell(Node):
    """A cell of a row. `value` is none for `-`; `name` is none where the header names it."""

    name: str | None
    value: Expression | None


class Row(Node):
    """`c3: mbconv 3 6 24 act=relu6`. `name_span` is that of the operation."""

    label: str | None
    name: str
    name_span: Span
    cells: tuple[Cell, ...]
    overrides: tuple[Argument, ...] = ()
    """Values of later `set` lines."""


class Stages(Expression):
    """`stages(...) { ... }`: a table of rows, each a step of a flow."""

    arguments: tuple[Argument, ...]
    table: tuple[Header | Row, ...]


class Flow(Expression):
    """`x -> conv(3) -> bn`."""

    source: Expression
    steps: tuple[Call | Stages, ...]


class Guard(Expression):
    """`x -> conv(3) if s != 1`: the flow's source where the condition is false."""

    value: Expression
    condition: Expression


class Conditional(Expression):
    """`a if condition else b`."""

    value: Expression
    condition: Expression
    otherwise: Expression


# Statements


class Statement(Node):
    """A line of a body."""


class Doc(Statement):
    text: str


class Input(Statement):
    """`input image: 3x224x224`: channels, then the sizes of the spatial axes."""

    name: str
    sizes: tuple[Expression, ...]


class Let(Statement):
    name: str
    value: Expression


class Require(Statement):
    condition: Expression
    message: str
    message_span: Span


class Warn(Statement):
    """`warn width < 0.25, "..."`: told where the condition is true."""

    condition: Expression
    message: str
    message_span: Span


class Expect(Statement):
    conditions: tuple[Expression, ...]


class Default(Statement):
    """`default bn(eps=1e-3)`."""

    call: Call


class Variant(Node):
    """A row of `variants`."""

    name: str
    cells: tuple[Cell, ...]


class Variants(Statement):
    columns: tuple[Name, ...]
    rows: tuple[Variant, ...]


class Set(Statement):
    """`set body.stage4(k=7)`."""

    path: tuple[str, ...]
    path_span: Span
    arguments: tuple[Argument, ...]


class Assign(Statement):
    """`a, b = x -> split(2)`."""

    targets: tuple[Name, ...]
    value: Expression


class Return(Statement):
    values: tuple[Expression, ...]


class Repeat(Statement):
    """`cells: repeat i in 0..7 { ... }`; `stop` is not included."""

    label: str | None
    variable: str
    start: Expression
    stop: Expression
    body: tuple[Statement, ...]


# Files


class Parameter(Node):
    """`c`, `k=3`, `like: tensor`, `a: tensor = none`."""

    name: str
    kind: str | None
    default: Expression | None


class Definition(Node):
    """A `block` or an `arch`. `span` is that of its name; `class_name` is what `as` says."""

    kind: str
    name: str
    parameters: tuple[Parameter, ...] | None
    extends: Name | None
    class_name: str | None
    body: tuple[Statement, ...]


class Use(Node):
    """`use "mnasnet_a1.arch"`."""

    path: str


class File(Node):
    uses: tuple[Use, ...]
    definitions: tuple[Definition, ...]


def parts(node: Node) -> list[Node]:
    """The nodes right below a node."""
    values = [getattr(node, name) for name in reversed(node.inner)]
    items = [item for value in values for item in (value if type(value) is tuple else (value,))]
    return [item for item in items if isinstance(item, Node)]


def walk(node: object) -> Iterator[Node]:
    """A node and all the nodes in it, outer ones first; of a tuple, those of its items."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node):
            yield node
            content = node.__dict__
            waiting += [content[name] for name in node.inner]
        elif type(node) is tuple:
            waiting += reversed(node)
