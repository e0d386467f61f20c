"""Costs of a network: parameters, multiply-accumulates, depth. Sums over its nodes.

Parameters are the trainable numbers of the whole module, layers that only training uses included.
MACs are for one sample in inference, by convolutions and matrix products. Depth is how many layers
with a trainable matrix the longest way from an input to an output of inference leads through, as
the literature counts (50 for ResNet-50).
"""

from __future__ import annotations

from bisect import bisect_right

from archdsl.diagnostics.source import Source
from archdsl.frontend import ast
from archdsl.frontend.bindings import bound_names, line_name
from archdsl.ir.graph import Frame, Graph, Node, Scope, Stage, Value, tensors
from archdsl.ops import Operation, Shape
from archdsl.support.records import Record


class Total(Record):
    """The costs of a network."""

    params: int
    macs: int
    depth: int


class Cost(Record):
    """The costs of a part of it."""

    params: int
    macs: int


class Part(Record):
    """A line of the arch, a row of one of its tables, or a use of a block in one of these.

    `items` are the nodes and block uses that it consists of, in order; `parts` are the block uses
    again, where the part is more than one of them. `shapes` are those of what comes out.
    """

    name: str
    items: tuple[Node | Scope, ...]
    shapes: tuple[Shape, ...]
    params: int
    macs: int
    training: bool
    """True if it is used only in training; it has no MACs then."""
    parts: tuple[Part, ...] = ()


def total(graph: Graph) -> Total:
    """Parameters, MACs and depth of a network."""
    count = Counts().params
    params = sum([count(node.operation) for node in graph.nodes])
    macs = 0
    depths: dict[Value, int] = dict.fromkeys(graph.inputs, 0)
    for node in graph.inference_nodes():
        operation = node.operation
        depth = max([depths[value] for value in node.inputs])
        if operation.macs:
            macs += operation.macs
            depth += count(operation) > 0
        for value in node.outputs:
            depths[value] = depth
    ends = [depths[output.value] for output in graph.outputs if not output.training]
    return Total(params, macs, max(ends))


def by_scope(graph: Graph) -> dict[Scope, Cost]:
    """Costs of each use of a block with its content, outer uses first."""
    counts = Counts()
    inference = set(graph.inference_nodes())
    params: dict[Scope, int] = {graph.root: 0}
    macs: dict[Scope, int] = {graph.root: 0}
    for node in graph.nodes:
        missing = []
        scope: Scope | None = node.scope
        while scope is not None and scope not in params:
            missing.append(scope)
            scope = scope.parent
        for scope in reversed(missing):
            params[scope] = macs[scope] = 0
        params[node.scope] += counts.params(node.operation)
        if node in inference:
            macs[node.scope] += node.operation.macs
    for scope in reversed(params):
        if scope.parent is not None:
            params[scope.parent] += params[scope]
            macs[scope.parent] += macs[scope]
    return {scope: Cost(params[scope], macs[scope]) for scope in params}


def parts(graph: Graph) -> list[Part]:
    """The lines of the arch, a table's rows each by itself, in the order of computation."""
    scopes = by_scope(graph)
    inference = set(graph.inference_nodes())
    lines = _Lines(graph)
    groups: dict[str, list[Node | Scope]] = {}
    tops: dict[Scope, Scope] = {}
    living: set[Node | Scope] = set()
    for node in graph.nodes:
        item: Node | Scope = node
        if node.scope is not graph.root:
            item = top(node.scope, graph.root, tops)
        if node in inference:
            living.add(item)
        name = lines.name(item)
        group = groups.setdefault(name, [])
        if not group or group[-1] is not item:
            group.append(item)
    counts = Counts()

    def part(name: str, items: list[Node | Scope], inner: tuple[Part, ...] = ()) -> Part:
        params = macs = 0
        for item in items:
            if isinstance(item, Scope):
                params += scopes[item].params
                macs += scopes[item].macs
            else:
                params += counts.params(item.operation)
                macs += item.operation.macs if item in inference else 0
        shapes = tuple(value.shape for value in tensors(items[-1].outputs))
        training = not any(item in living for item in items)
        return Part(name, tuple(items), shapes, params, macs, training, inner)

    found = []
    for name, items in groups.items():
        items = list(dict.fromkeys(items))
        inner: tuple[Part, ...] = ()
        if len(items) > 1:
            uses = [item for item in items if isinstance(item, Scope)]
            inner = tuple(part(".".join(use.path), [use]) for use in uses)
        found.append(part(name, items, inner))
    return found


class Counts:
    """Numbers of parameters; equal operations are one object, so most are counted once."""

    def __init__(self) -> None:
        self._known: dict[Operation, int] = {}

    def params(self, operation: Operation) -> int:
        found = self._known.get(operation)
        if found is None:
            found = self._known[operation] = operation.parameter_count
        return found


def top(scope: Scope, root: Scope, known: dict[Scope, Scope]) -> Scope:
    """The use of a block by the network itself that a scope belongs to."""
    way = []
    while scope not in known and scope.parent is not root and scope.parent is not None:
        way.append(scope)
        scope = scope.parent
    top = known.get(scope, scope)
    known.update(dict.fromkeys((*way, scope), top))
    return top


class _Lines:
    """Tells which line of the arch, or which row of its tables, made something."""

    def __init__(self, graph: Graph) -> None:
        self._rows: set[tuple[str, ...]] = set()
        self._add_rows(graph.root.frame)
        places: dict[Source, list[tuple[int, str]]] = {}
        for statement in graph.unit.body:
            name = _statement_name(statement)
            for line in _leaves(statement):
                places.setdefault(line.span.source, []).append((line.span.start, name))
        self._starts: dict[Source, tuple[list[int], list[str]]] = {}
        for source, entries in places.items():
            entries.sort()
            self._starts[source] = ([start for start, _ in entries], [name for _, name in entries])

    def name(self, item: Node | Scope) -> str:
        path = item.path
        for end in (len(path), len(path) - 1, len(path) - 2):
            if path[:end] in self._rows:
                return ".".join(path[:end])
        # An operator has no name of its line in its own; where it is written tells.
        starts, names = self._starts[item.span.source]
        return names[bisect_right(starts, item.span.start) - 1]

    def _add_rows(self, frame: Frame) -> None:
        for rounds in frame.loops.values():
            for entry in rounds:
                if isinstance(entry, Frame):
                    self._add_rows(entry)
                elif isinstance(entry, Stage):
                    for repeat in entry.repeats:
                        path = repeat.made.path
                        end = len(path) - path[::-1].index(entry.module)
                        self._rows.add(path[:end])


def _statement_name(statement: ast.Statement) -> str:
    name = line_name(statement)
    return ", ".join(name or sorted(bound_names(statement)))


def _leaves(statement: ast.Statement) -> list[ast.Statement]:
    if isinstance(statement, ast.Repeat):
        return [leaf for inner in statement.body for leaf in _leaves(inner)]
    return [statement]
