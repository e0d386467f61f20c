"""The checked graph: primitive operations in single assignment, shapes, scopes, places in the spec.

Everything that counts, draws or writes a network reads this and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.source import Span
from archdsl.frontend import ast
from archdsl.ops import Operation, Shape, Word, shape_text
from archdsl.ops.initialisation import shortest
from archdsl.ops.kinds import literal

if TYPE_CHECKING:
    from archdsl.diagnostics.diagnostic import Diagnostic
    from archdsl.frontend.program import Program
    from archdsl.frontend.units import Unit


class Value:
    """A tensor. `shape` leaves the batch out: channels first, or `(C,)` for a flat vector."""

    __slots__ = ("index", "name", "node", "shape")

    kind_text = "a tensor"

    def __init__(self, shape: Shape, node: Node | None, index: int = 0, name: str = "") -> None:
        self.shape = shape
        self.node = node
        self.index = index
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name or 'value'} {'x'.join(map(str, self.shape))}>"


class Node:
    """An operation with its inputs. `name` is its own name in `scope`, `span` its place."""

    __slots__ = ("inputs", "name", "operation", "outputs", "scope", "span")

    def __init__(
        self,
        operation: Operation,
        inputs: tuple[Value, ...],
        scope: Scope,
        name: tuple[str, ...],
        span: Span,
    ) -> None:
        self.operation = operation
        self.inputs = inputs
        self.scope = scope
        self.name = name
        self.span = span
        shapes = operation.outputs
        if len(shapes) == 1:
            self.outputs: tuple[Value, ...] = (Value(shapes[0], self),)
        else:
            self.outputs = tuple([Value(shape, self, i) for i, shape in enumerate(shapes)])

    @property
    def path(self) -> tuple[str, ...]:
        """Names from the network down; with dots between, the prefix in a `state_dict`."""
        return (*self.scope.path, *self.name)

    def __repr__(self) -> str:
        return f"<{'/'.join(self.path)}: {self.operation!r}>"


class Frame:
    """One evaluation of a body: the names it bound, and what each piece of its text came to.

    `trace` leads from the id of a tree's node to its value, `made` from a step to the node or scope
    that it made, `loops` from a `repeat` to the frames of its rounds and from a table to its rows.
    """

    __slots__ = (
        "defaults", "facts", "loops", "made", "names", "outer", "rounds", "scope", "trace",
    )  # fmt: skip

    def __init__(self, names: dict[str, Any], scope: Scope, outer: Frame | None = None) -> None:
        self.names = names
        self.scope = scope
        self.outer = outer
        self.defaults: dict[object, dict[str, Any]] = outer.defaults if outer else {}
        self.rounds: tuple[str, ...] = outer.rounds if outer else ()
        self.facts: dict[Any, Any] = scope.unit.facts
        self.trace: dict[ast.Node, Any] = {}
        self.made: dict[ast.Node, Node | Scope] = {}
        self.loops: dict[ast.Node, list[Any]] = {}


class Scope:
    """A use of a block (or the network itself): the unit, its arguments, its frame, its place."""

    __slots__ = (
        "arguments", "frame", "inputs", "name", "origin", "outputs", "parent", "path", "row",
        "span", "unit",
    )  # fmt: skip

    def __init__(
        self,
        unit: Unit,
        parent: Scope | None,
        name: tuple[str, ...],
        span: Span,
        row: RowRepeat | None = None,
        origin: Any = None,
    ) -> None:
        self.unit = unit
        self.parent = parent
        self.name = name
        self.span = span
        self.row = row
        self.origin = origin  # the call or row in the text, which knows the places of arguments
        self.path: tuple[str, ...] = (*parent.path, *name) if parent else ()
        self.arguments: dict[str, Any] = {}
        self.inputs: tuple[Any, ...] = ()
        self.outputs: tuple[Any, ...] = ()
        self.frame: Frame = Frame({}, self)

    def __repr__(self) -> str:
        return f"<{'.'.join(self.path) or self.unit.name}: {self.unit.name}>"


def tensors(given: object) -> list[Value]:
    """The tensors among what a node or a scope takes or gives, lists opened."""
    if isinstance(given, Value):
        return [given]
    if isinstance(given, list | tuple):
        return [value for item in given for value in tensors(item)]
    return []


class RowRepeat:
    """One repeat of a table's row."""

    __slots__ = ("arguments", "frame", "input", "made", "output", "rep", "stage")

    def __init__(self, stage: Stage, rep: int, frame: Frame, arguments: dict[str, Any]) -> None:
        self.stage = stage
        self.rep = rep
        self.frame = frame
        self.arguments = arguments
        self.made: Node | Scope
        self.input: Value
        self.output: Value


class Stage:
    """A row of a table as it was evaluated: `name` is `stage4` or its label; `module` is that as a
    submodule."""

    __slots__ = ("module", "name", "numbered", "output", "repeats", "row", "scope", "input")

    def __init__(
        self, name: str, module: str, row: Any, scope: Scope, numbered: bool, source: Value
    ) -> None:
        self.name = name
        self.module = module
        self.row = row
        self.scope = scope
        self.numbered = numbered
        self.repeats: list[RowRepeat] = []
        self.input = source
        self.output = source


class Output:
    """A tensor that leaves the network; one for training alone is there in training mode only."""

    __slots__ = ("name", "training", "value")

    def __init__(self, name: str, value: Value, training: bool) -> None:
        self.name = name
        self.value = value
        self.training = training


class Graph:
    """A network, checked. Nodes are in an order in which they can be computed."""

    def __init__(
        self,
        program: Program,
        unit: Unit,
        class_name: str,
        variant: str | None,
        inputs: tuple[Value, ...],
        outputs: tuple[Output, ...],
        nodes: list[Node],
        root: Scope,
    ) -> None:
        self.program = program
        self.unit = unit
        self.class_name = class_name
        self.variant = variant
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.root = root
        self.warnings: list[Diagnostic] = []
        """Warnings found by elaboration."""
        self.promised: frozenset[str] = frozenset()
        """The measures for which its spec states a number that holds."""

    @property
    def name(self) -> str:
        """Name of the arch, or of its variant."""
        return self.variant or self.unit.name

    @property
    def arguments(self) -> dict[str, Any]:
        """The values of the arch's parameters."""
        return self.root.arguments

    def inference_nodes(self) -> list[Node]:
        """The nodes that outputs other than training-only ones need."""
        if not any(output.training for output in self.outputs):
            return self.nodes
        needed = {output.value for output in self.outputs if not output.training}
        found = []
        for node in reversed(self.nodes):
            if any(value in needed for value in node.outputs):
                needed.update(node.inputs)
                found.append(node)
        return found[::-1]

    def named_values(self) -> Iterator[tuple[str, Value]]:
        """The tensors with names that are paths, numbered where several would be equal."""
        taken: dict[str, int] = {}

        def unique(name: str) -> str:
            count = taken[name] = taken.get(name, -1) + 1
            return name if count == 0 else unique(f"{name}_{count}")

        for value in self.inputs:
            yield unique(value.name), value
        for node in self.nodes:
            name = unique(".".join(node.path))
            for value in node.outputs:
                yield (name if len(node.outputs) == 1 else f"{name}.{value.index}"), value

    def node_names(self) -> dict[Node, str]:
        """For the id of each node: what it is called, as in `named_values`."""
        names = {}
        for name, value in self.named_values():
            if value.node is not None and value.index == 0:
                several = len(value.node.outputs) > 1
                names[value.node] = name.rpartition(".")[0] if several else name
        return names

    def values(self) -> Iterator[Value]:
        """Every tensor: the inputs, then the outputs of the nodes."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def text(self) -> str:
        """The graph, a node a line: results, operation, inputs, arguments, shapes, and its name.

        The arguments are those that differ from the defaults. Equal texts are equal networks, but
        for what the names of blocks and the places in the spec are.
        """
        numbers = {value: f"%{i}" for i, value in enumerate(self.values())}
        names = self.node_names()

        def listed(values: Iterable[Value]) -> str:
            return ", ".join(numbers[value] for value in values)

        lines = [f"graph {self.name}"]
        for value in self.inputs:
            lines.append(f"{listed([value])} = input {value.name} : {shape_text(value.shape)}")
        for node in self.nodes:
            made, given = listed(node.outputs), listed(node.inputs)
            call = f"{node.operation.name} {given}{_arguments(node.operation)}"
            shapes = ", ".join(shape_text(value.shape) for value in node.outputs)
            lines.append(f"{made} = {call} : {shapes}  # {names[node]}")
        for output in self.outputs:
            kind = "training output" if output.training else "output"
            shape = shape_text(output.value.shape)
            lines.append(f"{kind} {output.name} = {listed([output.value])} : {shape}")
        return "\n".join(lines) + "\n"


def _arguments(operation: Operation) -> str:
    """Non-default arguments, in parentheses; initializers only for existing weights."""
    texts = []
    for name, value in operation.changed().items():
        if isinstance(value, Word):
            if all(weight.init != value for weight in operation.weights):
                continue
            value = shortest(value)
        texts.append(f"{name}={literal(value)}")
    return f" ({', '.join(texts)})" if texts else ""
