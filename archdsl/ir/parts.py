"""A network as a table: its stages, the uses of blocks in them, the primitives in these.

A stage is a line of the arch or a row of one of its tables. What the rows of one depth cost adds up
to what the network costs.
"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.ir import costs, memory
from archdsl.ir.graph import Graph, Node, Scope, Value, tensors
from archdsl.ir.labels import item_text, kinds_text
from archdsl.ops import Shape
from archdsl.support.records import Record

DEPTHS = ("stages", "blocks", "primitives")


class Row(Record):
    """A stage, a use of a block by the network itself, or a primitive.

    Of the primitives that stand between the blocks of a line, those in a row are one row at the
    depth of blocks. `name` is unique among the rows of a depth.
    """

    name: str
    stage: str
    """The name of the stage that it is or belongs to."""
    block: str
    """The path of the use of a block that it is or belongs to; empty where there is none."""
    kind: str
    """Of what blocks and primitives it is made: `conv bn relu`, `unit x3`."""
    text: str
    """The same with the arguments that were given."""
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    """The outputs."""
    params: int
    macs: int
    activations: int
    """Number of elements its operations create for one sample: see `memory.made`."""
    training: bool
    """True if it is used only in training."""
    rows: tuple[Row, ...]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of what comes out."""
        return tuple(value.shape for value in self.outputs)


def stages(graph: Graph) -> list[Row]:
    """The rows of stages, each with the rows of its blocks and primitives."""
    return _Maker(graph).stages()


def rows(graph: Graph, depth: str = "stages") -> list[Row]:
    """The rows of one depth, in the order of computation; their costs add up to the network's."""
    return [row for stage in stages(graph) for row in cut(stage, depth)]


def cut(row: Row, depth: str) -> Iterator[Row]:
    """The parts of a row at a depth."""
    if depth == "stages" or not row.rows or (depth == "blocks" and is_whole(row)):
        yield row
    else:
        for inner in row.rows:
            yield from cut(inner, depth)


def is_whole(row: Row) -> bool:
    """True if a row holds primitives alone, so that the depth of blocks ends with it."""
    return all(not inner.rows and len(inner.nodes) == 1 for inner in row.rows)


class _Maker:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = graph.node_names()
        self.alive = set(graph.inference_nodes())
        self.count = costs.Counts().params
        self.members: dict[Scope, list[Node]] = {}
        """For the id of a use of a block by the network: all the nodes in it."""
        tops: dict[Scope, Scope] = {}
        for node in graph.nodes:
            if node.scope is not graph.root:
                top = costs.top(node.scope, graph.root, tops)
                self.members.setdefault(top, []).append(node)

    def stages(self) -> list[Row]:
        return [self._stage(part.name, part.items) for part in costs.parts(self.graph)]

    def _stage(self, name: str, items: tuple[Node | Scope, ...]) -> Row:
        uses = [item for item in items if isinstance(item, Scope)]
        if len(items) == 1 or not uses:
            block = ".".join(uses[0].path) if uses else ""
            nodes = [node for item in items for node in self._nodes(item)]
            text = item_text(items[0]) if len(items) == 1 else kinds_text(items)
            return self._row(name, name, block, items, text, nodes, self._primitives(name, nodes))
        inner = []
        loose: list[Node] = []
        for item in (*items, None):
            if isinstance(item, Node):
                loose.append(item)
                continue
            if loose:
                inner.append(self._loose(name, loose))
                loose = []
            if item is not None:
                inner.append(self._use(name, item))
        nodes = [node for row in inner for node in row.nodes]
        text = kinds_text(items)
        if len({use.unit for use in uses}) == 1 and len(uses) == len(items):
            text = item_text(uses[0]).replace(uses[0].unit.name, text, 1)
        return self._row(name, name, "", items, text, nodes, tuple(inner))

    def _use(self, stage: str, scope: Scope) -> Row:
        path, nodes = ".".join(scope.path), self._nodes(scope)
        primitives = self._primitives(stage, nodes, path)
        return self._row(path, stage, path, [scope], item_text(scope), nodes, primitives)

    def _loose(self, stage: str, nodes: list[Node]) -> Row:
        primitives = self._primitives(stage, nodes)
        if len(nodes) == 1:
            return primitives[0]
        name = f"{primitives[0].name} ..."
        return self._row(name, stage, "", nodes, kinds_text(nodes), nodes, primitives)

    def _primitives(self, stage: str, nodes: list[Node], block: str = "") -> tuple[Row, ...]:
        return tuple(
            self._row(self.names[node], stage, block, [node], item_text(node), [node], ())
            for node in nodes
        )

    def _nodes(self, item: Node | Scope) -> list[Node]:
        return self.members.get(item, []) if isinstance(item, Scope) else [item]

    def _row(
        self,
        name: str,
        stage: str,
        block: str,
        items: tuple[Node | Scope, ...] | list[Scope] | list[Node],
        text: str,
        nodes: list[Node],
        inner: tuple[Row, ...],
    ) -> Row:
        alive = [node for node in nodes if node in self.alive]
        return Row(
            name,
            stage,
            block,
            kinds_text(items),
            text,
            tuple(nodes),
            tuple(tensors(items[-1].outputs) or nodes[-1].outputs),
            sum(self.count(node.operation) for node in nodes),
            sum(node.operation.macs for node in alive),
            sum(map(memory.made, alive)),
            not alive,
            inner,
        )
