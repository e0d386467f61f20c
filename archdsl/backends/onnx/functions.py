"""A flat model as the file has it; on request with the uses of blocks as local functions.

Uses that come to the same operators share a function: attributes in which they differ become its
attributes. A second kind of use is `MBConv_2`. Weights and constants stay in the graph, under their
names, and are handed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import groupby
from typing import Any

from archdsl.backends.onnx.model import Function, Model, Node, Reference, Tensor, Value, Written
from archdsl.backends.onnx.naming import Unique
from archdsl.backends.onnx.protobuf import FUNCTION_DOMAIN
from archdsl.ir.graph import Scope

_Item = Value | Tensor | None
_Name = Callable[[_Item], str]


def flat(model: Model) -> tuple[list[Written], list[Value]]:
    """The nodes, and the values between inputs and outputs."""
    ends = set(model.outputs)
    nodes = [_Step.of(node, node.name, _name).written() for node in model.nodes]
    values = [value for node in model.nodes for value in node.outputs if value not in ends]
    return nodes, values


def outlined(model: Model, root: Scope) -> tuple[list[Written], list[Value], list[Function]]:
    """The nodes of the graph, the values that lie in it, and the functions, inner ones first."""
    outliner = _Outliner(model)
    steps = outliner.steps(model.nodes, root, _name)
    ends = set(model.outputs)
    values = [value for step in steps for value in step.results if value not in ends]
    functions = [kind.function() for kind in outliner.kinds.values()]
    return [step.written() for step in steps], values, functions


def _name(item: _Item) -> str:
    return item.name if item is not None else ""


class _Step:
    """A node in a body or in the graph: an operator, or a use of a function. `inputs` and `outputs`
    are names there."""

    def __init__(
        self,
        op: str,
        title: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        results: list[Value],
        attributes: dict[str, Any],
        function: _Kind | None = None,
    ) -> None:
        self.op = op
        self.title = title
        self.inputs = inputs
        self.outputs = outputs
        self.results = results
        self.attributes = attributes
        self.function = function
        self.outer: dict[str, str] = {}
        """Names of its attributes in the enclosing function."""

    @classmethod
    def of(cls, node: Node, title: str, name: _Name) -> _Step:
        """An operator."""
        inputs, outputs = tuple(map(name, node.inputs)), tuple(map(name, node.outputs))
        return cls(node.op, title, inputs, outputs, node.outputs, node.attributes)

    @property
    def key(self) -> Any:
        """Its key without the values of attributes."""
        kinds = tuple((k, type(v), type(v) is tuple and len(v)) for k, v in self.attributes.items())
        return self.op, self.function, self.title, self.inputs, self.outputs, kinds

    def written(self, open_: Iterable[str] = ()) -> Written:
        """The node; attributes that are in `open_` by their outer names refer to the function's."""
        needed = self.attributes if self.function is None else self.function.differing
        attributes = []
        for name in needed:
            value, outer = self.attributes[name], self.outer.get(name, "")
            attributes.append((name, Reference(outer, value) if outer in open_ else value))
        domain = FUNCTION_DOMAIN if self.function is not None else ""
        return Written(self.op, self.title, self.inputs, self.outputs, tuple(attributes), domain)


class _Kind:
    """Uses of a block that come to the same operators."""

    def __init__(
        self, name: str, doc: str, inputs: tuple[str, ...], outputs: tuple[str, ...],
        steps: list[_Step],
    ) -> None:  # fmt: skip
        self.name = name
        self.doc = doc
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.uses: list[dict[str, Any]] = []
        """The attributes of all steps, by their outer names, in each use."""

    @cached_property
    def differing(self) -> list[str]:
        """The attributes that are not the same in all uses; asked for when these are all known."""
        first = self.uses[0]
        return [k for k, v in first.items() if any(use[k] != v for use in self.uses)]

    def function(self) -> Function:
        open_ = self.differing
        nodes = [step.written(open_) for step in self.steps]
        return Function(self.name, self.doc, list(self.inputs), list(self.outputs), open_, nodes)


class _Outliner:
    def __init__(self, model: Model) -> None:
        self.kinds: dict[Any, _Kind] = {}
        # onnxruntime takes a node for a constant by this name, whatever its domain.
        self._names = {"Constant"}
        self._readers: dict[Value | Tensor | None, set[Node | None]] = defaultdict(set)
        for node in model.nodes:
            for item in node.inputs:
                self._readers[item].add(node)
        for value in model.outputs:
            self._readers[value].add(None)

    def steps(self, nodes: Iterable[Node], scope: Scope, name: _Name) -> list[_Step]:
        """The nodes of a scope, calls in place of what lies deeper."""
        found: list[_Step] = []
        for child, run in groupby(nodes, lambda node: _child(node, scope)):
            if child is None:
                found += [_Step.of(node, _inside(node.name, scope), name) for node in run]
            else:
                found.append(self._call(list(run), child, scope, name))
        # A use has the name of its line; an operator that has the same gets a number.
        unique = Unique(set())
        for step in sorted(found, key=lambda step: step.function is None):
            step.title = unique(step.title)
        return found

    def _call(self, nodes: list[Node], scope: Scope, around: Scope, name: _Name) -> _Step:
        """A use of the function that some nodes of a scope come to."""
        inside: set[Node | None] = set(nodes)
        made = {value for node in nodes for value in node.outputs}
        taken = dict.fromkeys(item for node in nodes for item in node.inputs if item is not None)
        inputs: list[Value | Tensor] = [item for item in taken if item not in made]
        inputs.sort(key=lambda item: isinstance(item, Tensor))
        results = [v for node in nodes for v in node.outputs if self._readers[v] - inside]
        local = _local_names(nodes, scope, inputs)
        steps = self.steps(nodes, scope, lambda item: local.get(item, ""))
        unique = Unique(set())
        for step in steps:
            prefix = step.title.replace("/", "_")
            step.outer = {name: unique(f"{prefix}_{name}") for name in step.attributes}
        kind = self._kind(
            scope, steps, tuple(local[v] for v in inputs), tuple(local[v] for v in results)
        )
        values = {s.outer[name]: value for s in steps for name, value in s.attributes.items()}
        kind.uses.append(values)
        return _Step(
            kind.name, _inside("/".join(scope.path), around), tuple(map(name, inputs)),
            tuple(map(name, results)), results, values, kind,
        )  # fmt: skip

    def _kind(
        self, scope: Scope, steps: list[_Step], inputs: tuple[str, ...], outputs: tuple[str, ...]
    ) -> _Kind:
        unit = scope.unit
        key = (unit.class_name, tuple(step.key for step in steps), inputs, outputs)
        found = self.kinds.get(key)
        if found is None:
            name, count = unit.class_name, 1
            while name in self._names:
                count += 1
                name = f"{unit.class_name}_{count}"
            self._names.add(name)
            found = self.kinds[key] = _Kind(name, "\n".join(unit.docs), inputs, outputs, steps)
        return found


def _local_names(
    nodes: list[Node], scope: Scope, inputs: list[Value | Tensor]
) -> dict[Value | Tensor | None, str]:
    """Names that leave out where the block is used, so that equal uses are equal."""
    names: dict[Value | Tensor | None, str] = {}
    unique = Unique(set())
    for item in inputs:
        own = "x"
        if isinstance(item, Tensor):
            own = item.name.removeprefix(".".join(scope.path) + ".")
        names[item] = unique(own)
    for node in nodes:
        title = _inside(node.name, scope)
        for i, value in enumerate(node.outputs):
            names[value] = unique(title if len(node.outputs) == 1 else f"{title}/{i}")
    return names


def _inside(title: str, scope: Scope) -> str:
    """A name as it is within a scope."""
    return title.removeprefix("/".join(scope.path) + "/") if scope.path else title


def _child(node: Node, scope: Scope) -> Scope | None:
    """The use of a block right inside a scope that a node lies in; none for the scope's own."""
    place: Scope | None = node.scope
    while place is not None and place is not scope:
        if place.parent is scope:
            return place
        place = place.parent
    return None
