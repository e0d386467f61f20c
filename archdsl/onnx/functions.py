"""A flat model as the file has it; on request with the uses of blocks as local functions.

Uses that come to the same nodes share a function; a second kind of use is `MBConv_2`. Weights stay
in the graph, under their names, and are handed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from archdsl.graph import Scope
from archdsl.onnx.model import Function, Model, Node, Tensor, Value, Written
from archdsl.onnx.protobuf import FUNCTION_DOMAIN

_Item = Value | Tensor | None
_Step = tuple[Written, list[Value]]


def flat(model: Model) -> tuple[list[Written], list[Value]]:
    """The nodes, and the values between inputs and outputs."""
    ends = set(map(id, model.outputs))
    nodes = [_written(node, _name) for node in model.nodes]
    values = [value for node in model.nodes for value in node.outputs if id(value) not in ends]
    return nodes, values


def outlined(model: Model, root: Scope) -> tuple[list[Written], list[Value], list[Function]]:
    """The nodes of the graph, the values that lie in it, and the functions, inner ones first."""
    outliner = _Outliner(model)
    steps = outliner.steps(model.nodes, root, _name)
    ends = set(map(id, model.outputs))
    values = [value for _, outputs in steps for value in outputs if id(value) not in ends]
    return [written for written, _ in steps], values, outliner.functions


def _name(item: _Item) -> str:
    return item.name if item is not None else ""


def _written(node: Node, name: Callable[[_Item], str], title: str | None = None) -> Written:
    return Written(
        node.op,
        node.name if title is None else title,
        tuple(map(name, node.inputs)),
        tuple(map(name, node.outputs)),
        tuple(node.attributes.items()),
    )


class _Outliner:
    def __init__(self, model: Model) -> None:
        self.functions: list[Function] = []
        self._known: dict[Any, str] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._readers: dict[int, set[int]] = defaultdict(set)
        for node in model.nodes:
            for item in node.inputs:
                self._readers[id(item)].add(id(node))
        for value in model.outputs:
            self._readers[id(value)].add(0)

    def steps(
        self, nodes: Iterable[Node], scope: Scope, name: Callable[[_Item], str]
    ) -> list[_Step]:
        """The nodes of a scope, calls in place of what lies deeper."""
        found: list[_Step] = []
        prefix = "/".join(scope.path)
        for child, run in groupby(nodes, lambda node: _child(node, scope)):
            if child is None:
                for node in run:
                    title = node.name.removeprefix(prefix + "/") if prefix else node.name
                    found.append((_written(node, name, title), node.outputs))
            else:
                found.append(self._call(list(run), child, prefix, name))
        return found

    def _call(
        self, nodes: list[Node], scope: Scope, outer: str, name: Callable[[_Item], str]
    ) -> _Step:
        """A call of the function that some nodes of a scope come to."""
        inside = {id(node) for node in nodes}
        made = {id(value) for node in nodes for value in node.outputs}
        taken = {id(item): item for node in nodes for item in node.inputs if item is not None}
        inputs: list[Value | Tensor] = [v for i, v in taken.items() if i not in made]
        inputs.sort(key=lambda item: isinstance(item, Tensor))
        outputs = [
            value for node in nodes for value in node.outputs if self._readers[id(value)] - inside
        ]
        local = self._local_names(nodes, scope, inputs)
        body = [step for step, _ in self.steps(nodes, scope, lambda item: local.get(id(item), ""))]
        function = self._function(
            scope, body, [local[id(v)] for v in inputs], [local[id(v)] for v in outputs]
        )
        path = "/".join(scope.path)
        title = path.removeprefix(outer + "/") if outer else path
        written = Written(
            function, title, tuple(map(name, inputs)), tuple(map(name, outputs)), (),
            FUNCTION_DOMAIN,
        )  # fmt: skip
        return written, outputs

    def _local_names(
        self, nodes: list[Node], scope: Scope, inputs: list[Value | Tensor]
    ) -> dict[int, str]:
        """Names that leave out where the block is used, so that equal uses are equal."""
        names: dict[int, str] = {}
        values = 0
        for item in inputs:
            if isinstance(item, Tensor):
                names[id(item)] = item.name.removeprefix(".".join(scope.path) + ".")
            else:
                names[id(item)] = f"x_{values}" if values else "x"
                values += 1
        for node in nodes:
            title = node.name.removeprefix("/".join(scope.path) + "/")
            for i, value in enumerate(node.outputs):
                names[id(value)] = title if len(node.outputs) == 1 else f"{title}/{i}"
        return names

    def _function(
        self, scope: Scope, body: list[Written], inputs: list[str], outputs: list[str]
    ) -> str:
        unit = scope.unit
        key = (unit.class_name, tuple(body), tuple(inputs), tuple(outputs))
        found = self._known.get(key)
        if found is None:
            self._counts[unit.class_name] += 1
            count = self._counts[unit.class_name]
            found = unit.class_name if count == 1 else f"{unit.class_name}_{count}"
            self._known[key] = found
            self.functions.append(Function(found, "\n".join(unit.docs), inputs, outputs, body))
        return found


def _child(node: Node, scope: Scope) -> Scope | None:
    """The use of a block right inside a scope that a node lies in; none where it is the scope's own."""
    place: Scope | None = node.scope
    while place is not None and place is not scope:
        if place.parent is scope:
            return place
        place = place.parent
    return None
