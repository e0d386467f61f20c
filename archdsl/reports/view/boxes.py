"""Content of a picture: nested boxes, edges between them, and costs.

The network holds a box for each line of the arch and each row of its tables; these hold the uses of
blocks, which hold primitives. What flows into a box that can be opened enters it through a port.
Knows no coordinates, colours or formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby

from archdsl.diagnostics.source import Span
from archdsl.ir import costs, labels
from archdsl.ir.graph import Frame, Graph, Node, Scope, Stage, Value, tensors
from archdsl.ops import shape_text
from archdsl.ops.kinds import describe
from archdsl.reports.view.ordering import is_ordered, ordered

Item = Node | Scope

GROUPS = ("stage", "line")
"""The forms of boxes that stand for several operations or blocks: a row, or a line of the arch."""


class Edge:
    """A tensor on its way from one box to another of the same container."""

    __slots__ = ("head", "shape", "tail", "value")

    def __init__(self, tail: Box, head: Box, value: Value) -> None:
        self.tail = tail
        self.head = head
        self.value = value
        self.shape = shape_text(value.shape)

    @property
    def leaves(self) -> tuple[int, int]:
        """At which of how many places it leaves its tail."""
        ports = list(self.tail.ports_out)
        if self.value in ports:
            return ports.index(self.value), len(ports)
        if self.tail.form == "operation":
            return self.value.index, len(self.tail.shapes)
        return 0, 1

    @property
    def enters(self) -> tuple[int, int]:
        """At which of how many places it enters its head."""
        ports = list(self.head.ports_in)
        return (ports.index(self.value), len(ports)) if self.value in ports else (0, 1)


class Box:
    """A piece of the network.

    `form` is network, input, output, line, stage, block, operation or port. `kind` tells boxes of
    one colour: the family of an operation, the name of a block. `text` is its second line.
    """

    __slots__ = (
        "arguments", "children", "docs", "edges", "form", "kind", "macs", "name", "number",
        "params", "parent", "path", "ports_in", "ports_out", "repeats", "shapes", "span", "text",
        "training", "weights", "what",
    )  # fmt: skip

    def __init__(
        self, form: str, kind: str, name: str, text: str = "", span: Span | None = None
    ) -> None:
        self.form = form
        self.kind = kind
        self.name = name
        self.what = ""
        """The operation or the block that it is."""
        self.path = ""
        """Its place in the `state_dict`, and what `--open` calls it."""
        self.text = text
        self.span = span
        self.number = 0
        self.parent: Box | None = None
        self.children: list[Box] = []
        self.edges: list[Edge] = []
        self.ports_in: dict[Value, Box] = {}
        self.ports_out: dict[Value, Box] = {}
        self.params = self.macs = 0
        self.repeats = 1
        """Number of equal boxes it represents, or of repeats of a block."""
        self.training = False
        """True if it is used only in training."""
        self.shapes: list[str] = []
        self.arguments: list[tuple[str, str]] = []
        self.weights: list[tuple[str, str]] = []
        self.docs: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.form} {self.name}>"

    @property
    def items(self) -> list[Box]:
        """Its content in topological order."""
        return [*self.ports_in.values(), *self.children, *self.ports_out.values()]

    @property
    def place(self) -> str:
        """Its line in the spec: `net.arch:12`."""
        if self.span is None:
            return ""
        source = self.span.source
        folder, name = os.path.split(source.name)
        shown = f"std/{name}" if folder == "std" else name
        return f"{shown}:{source.position(self.span.start)[0]}"

    @property
    def line(self) -> str:
        """The text of that line."""
        if self.span is None:
            return ""
        return self.span.source.line(self.span.source.position(self.span.start)[0]).strip()

    def walk(self) -> Iterator[Box]:
        """This box and all in it, outer ones first."""
        yield self
        for child in self.children:
            yield from child.walk()


def boxes_of(graph: Graph) -> Box:
    """The box of a whole network."""
    return _Builder(graph).network()


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.costs = costs.by_scope(graph)
        self.living = set(graph.inference_nodes())
        self.homes: dict[Node | Value, Box] = {}
        """The box that gives a value, by the value's id."""
        self.scopes: dict[Box, Scope] = {}
        self.known: set[tuple[Box, Box, Value]] = set()
        self.items: dict[Scope, dict[Item, Item]] = {graph.root: {}}
        for node in graph.nodes:
            item: Item = node
            scope: Scope | None = node.scope
            while scope is not None:
                held = self.items.setdefault(scope, {})
                if item in held:
                    break
                held[item] = item
                item, scope = scope, scope.parent

    def network(self) -> Box:
        graph = self.graph
        top = Box("network", "network", graph.name, graph.class_name, graph.unit.span)
        top.docs = graph.unit.docs
        for value in graph.inputs:
            box = Box("input", "input", value.name, "input")
            box.shapes = [shape_text(value.shape)]
            self.homes[value] = box
            top.children.append(box)
        parts = [(part.name, list(part.items)) for part in costs.parts(graph)]
        groups = [self._group(name, items) for name, items in self._untangled(parts)]
        top.children += ordered(groups, self._flows(groups))
        outputs = [(output, Box("output", "output", output.name)) for output in graph.outputs]
        for output, box in outputs:
            box.training = output.training
            box.text = "output in training" if output.training else "output"
            box.shapes = [shape_text(output.value.shape)]
            top.children.append(box)
        self._sum(top)
        top.arguments = [(name, describe(value)) for name, value in graph.arguments.items()]
        self._finish(top)
        for node in graph.nodes:
            for value in node.inputs:
                self._connect(self.homes[value], self.homes[node], value)
        for output, box in outputs:
            self._connect(self.homes[output.value], box, output.value)
        for box in reversed(list(top.walk())):
            self._order_ports(box)
        return top

    # Boxes

    def _untangled(self, parts: list[tuple[str, list[Item]]]) -> list[tuple[str, list[Item]]]:
        """Lines as they are; those of a loop, which depend on each other in turns, in runs."""
        names = {item: i for i, (_, items) in enumerate(parts) for item in items}
        flows = set()
        producers = {v: i for i in self.items[self.graph.root].values() for v in _gives(i)}
        for item in self.items[self.graph.root].values():
            for value in self._takes(item):
                if value in producers:
                    flows.add((names[producers[value]], names[item]))
        if is_ordered(len(parts), flows):
            return parts
        found = []
        for i, run in groupby(self.items[self.graph.root].values(), lambda item: names[item]):
            found.append((parts[i][0], list(run)))
        return found

    def _takes(self, item: Item) -> list[Value]:
        """The tensors that flow into an item, those for blocks within it included."""
        if isinstance(item, Node):
            return list(item.inputs)
        return [value for inner in self.items[item].values() for value in self._takes(inner)]

    def _flows(self, boxes: list[Box]) -> set[tuple[int, int]]:
        index = {inner: i for i, box in enumerate(boxes) for inner in box.walk()}
        return {
            (index[self.homes[value]], index[self.homes[node]])
            for node in self.graph.nodes
            for value in node.inputs
            if self.homes[value] in index
            and index[self.homes[value]] != index[self.homes[node]]
        }

    def _group(self, name: str, items: list[Item]) -> Box:
        """A line of the arch or a row of a table; the thing itself where it is but one."""
        if len(items) == 1:
            box = self._box(items[0])
            if box.form == "operation":
                box.text = f"{box.what} {box.text}".rstrip()
            box.name = name
            return box
        uses = [item for item in items if isinstance(item, Scope)]
        alike = len(uses) == len(items) and len({use.unit for use in uses}) == 1
        kind = uses[0].unit.name if alike else "line"
        text = _shared_text(uses) if alike else labels.kinds_text(items)
        box = Box(GROUPS[not alike], kind, name, text, items[0].span)
        box.path = name
        box.repeats = len(items) if alike else 1
        box.children = list(map(self._box, items))
        self._sum(box)
        return box

    def _box(self, item: Item) -> Box:
        return self._use(item) if isinstance(item, Scope) else self._operation(item)

    def _operation(self, node: Node) -> Box:
        operation = node.operation
        family = type(operation).__module__.rpartition(".")[2]
        name = ".".join(node.path)
        box = Box("operation", family, operation.name, _arguments(node), node.span)
        box.path, box.what = name, operation.name
        box.params = operation.parameter_count
        box.macs = operation.macs if node in self.living else 0
        box.training = node not in self.living
        box.shapes = list(map(shape_text, operation.outputs))
        box.arguments = [(p, describe(getattr(operation, p))) for p in operation.parameters]
        box.weights = [
            (f"{name}.{w.name}", shape_text(w.shape) or "scalar") for w in operation.weights
        ]
        self.homes[node] = box
        for value in node.outputs:
            self.homes[value] = box
        return box

    def _use(self, scope: Scope) -> Box:
        unit, name = scope.unit, ".".join(scope.name)
        box = Box("block", unit.name, name, labels.item_text(scope), scope.span)
        box.path, box.what = ".".join(scope.path), unit.name
        box.docs = unit.docs
        box.arguments = [
            (p.name, describe(scope.arguments[p.name]))
            for p in unit.numbers
            if p.name in scope.arguments
        ]
        stages = {repeat.made: stage for stage in _stages(scope.frame) for repeat in
                  stage.repeats}  # fmt: skip
        runs: list[tuple[Stage | None, list[Item]]] = []
        for item in self.items[scope].values():
            stage = stages.get(item)
            if stage is None or not runs or runs[-1][0] is not stage:
                runs.append((stage, []))
            runs[-1][1].append(item)
        for stage, run in runs:
            alone = stage is None or len(run) == 1
            box.children.append(self._box(run[0]) if alone else self._group(stage.name, run))  # type: ignore[union-attr]
        cost = self.costs[scope]
        box.params, box.macs = cost.params, cost.macs
        box.training = all(child.training for child in box.children)
        self.scopes[box] = scope
        return box

    def _sum(self, box: Box) -> None:
        box.params = sum(child.params for child in box.children)
        box.macs = sum(child.macs for child in box.children)
        box.training = all(child.training for child in box.children)

    def _finish(self, top: Box) -> None:
        """Number the boxes in the order of reading, and tell each what holds it."""
        for number, box in enumerate(top.walk()):
            box.number = number
            for child in box.children:
                child.parent = box

    # What flows

    def _connect(self, tail: Box, head: Box, value: Value) -> None:
        """Lead a value from the box that gives it to one that takes it, through every wall."""
        tails, heads = _way_up(tail), _way_up(head)
        while tails[-1] is heads[-1]:
            container = tails.pop()
            heads.pop()
        for outer, inner in zip(tails[:0:-1], tails[-2::-1]):
            self._add(outer, inner, self._port(outer, outer.ports_out, value), value)
        for outer, inner in zip(heads[:0:-1], heads[-2::-1]):
            self._add(outer, self._port(outer, outer.ports_in, value), inner, value)
        self._add(container, tails[-1], heads[-1], value)

    def _port(self, outer: Box, ports: dict[Value, Box], value: Value) -> Box:
        port = ports.setdefault(value, Box("port", "port", ""))
        port.parent = outer
        port.shapes = [shape_text(value.shape)]
        return port

    def _order_ports(self, box: Box) -> None:
        """Ports as the block's text has them; those of a group as the blocks in it."""
        scope = self.scopes.get(box)
        ways_in = [key for child in box.children for key in child.ports_in]
        ways_out = [key for child in box.children for key in child.ports_out]
        if scope is not None:
            ways_in = list(tensors(scope.inputs))
            ways_out = list(tensors(scope.outputs))
            slots = scope.unit.tensors
            for slot, given in zip(slots, scope.inputs) if len(slots) > 1 else ():
                for value in tensors(given):
                    if value in box.ports_in:
                        box.ports_in[value].name = slot.name
        box.ports_in = _first(box.ports_in, ways_in)
        box.ports_out = _first(box.ports_out, ways_out)
        if box.ports_out:
            box.shapes = [shape for port in box.ports_out.values() for shape in port.shapes]

    def _add(self, container: Box, tail: Box, head: Box, value: Value) -> None:
        key = (tail, head, value)
        if key not in self.known:
            self.known.add(key)
            container.edges.append(Edge(tail, head, value))


def _way_up(box: Box) -> list[Box]:
    way = [box]
    while way[-1].parent is not None:
        way.append(way[-1].parent)
    return way


def _gives(item: Item) -> Iterable[Value]:
    """The tensors that an item computes itself and gives."""
    return [value for given in item.outputs for value in tensors(given)]


def _stages(frame: Frame) -> Iterator[Stage]:
    """The rows of the tables that a body evaluated."""
    for rounds in frame.loops.values():
        for entry in rounds:
            if isinstance(entry, Frame):
                yield from _stages(entry)
            elif isinstance(entry, Stage):
                yield entry


def _shared_text(uses: list[Scope]) -> str:
    """Uses of one block as a text: its name with the arguments that all of them were given."""
    first, *others = map(labels.given, uses)
    shared = {n: v for n, v in first.items() if all(n in o and o[n] == v for o in others)}
    return " ".join([uses[0].unit.name, *(f"{n}={describe(v)}" for n, v in shared.items())])


def _arguments(node: Node) -> str:
    """The arguments of an operation that are not as by default: `c=64 k=3`."""
    return labels.item_text(node).removeprefix(node.operation.name).lstrip()


def _first(ports: dict[Value, Box], keys: list[Value]) -> dict[Value, Box]:
    """The ports in the order of these keys, then the others."""
    return {key: ports[key] for key in dict.fromkeys([*keys, *ports]) if key in ports}
