"""Differences between two networks, by stage.

Two networks are the same where they have the same inputs and outputs and the same primitives, with
equal names, arguments and connections: they share weights and compute the same. Texts, the names
of blocks, parameters and `let` lines may differ. Stages are paired by what they are, so that one
put in or taken out does not disturb the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from archdsl.ir import memory
from archdsl.ir import parts as rows
from archdsl.ir.graph import Graph, Node, Scope, Value
from archdsl.ir.labels import operation_text
from archdsl.ir.parts import Row
from archdsl.ops import Operation, Word, shape_text
from archdsl.reports.diff.alignment import Pair, aligned
from archdsl.reports.diff.model import Amounts, Change, Comparison
from archdsl.reports.diff.text import FORMS
from archdsl.reports.explain.equations import value_text

NUMBERED = re.compile(r"(.*\.)?stage[0-9]+")
"""Rows without a label are called by their numbers, which say nothing of them."""

MOST = 8
"""Details of a stage that are told, before it is said how many more there are."""


class Difference(Comparison):
    """Differences between two networks; `same` if there are none."""

    __slots__ = ()

    def text(self, format: str = "text") -> str:
        """As `archdsl diff` prints it: text, markdown or json."""
        return FORMS[format](self)


def difference(a: Graph, b: Graph, batch: int = 1, dtype: str = "float32") -> Difference:
    """Differences between two networks; memory is for a batch size and data type."""
    first, second = _Side(a), _Side(b)
    swapped = first.key > second.key  # pairs do not depend on which network comes first
    pairs = (
        _paired(second.stages, first.stages) if swapped else _paired(first.stages, second.stages)
    )
    if swapped:
        pairs = [(y, x) for x, y in pairs]
    scale = batch * memory.SIZES[dtype]
    comparison = _Comparison(first, second, pairs)
    stages, unchanged = [], []
    for x, y in pairs:
        change = comparison.change(x, y, scale)
        if change is None:
            assert y is not None
            unchanged.append(y.name)
        else:
            stages.append(change)
    same = _identity(a) == _identity(b)
    inputs, outputs = tuple(_inputs(a, b)), tuple(_outputs(a, b))
    told = any(change.kind != "costs" for change in stages) or comparison.everywhere
    if not (same or told or inputs or outputs):
        outputs = ("the same parts, connected or ordered differently",)
    return Difference(
        same,
        (a.name, b.name),
        () if same else tuple(_values_text(_shown(a.arguments), _shown(b.arguments))),
        inputs,
        outputs,
        tuple(comparison.everywhere.values()),
        tuple(comparison.blocks),
        () if same else tuple(stages),
        tuple(unchanged),
        _amounts(first.stages, second.stages, scale),
        batch,
        dtype,
    )


def _amounts(a: list[Row], b: list[Row], scale: int) -> Amounts:
    def both(name: str, factor: int = 1) -> tuple[int, int]:
        old, new = (sum(getattr(row, name) for row in rows) * factor for rows in (a, b))
        return old, new

    return Amounts(both("params"), both("macs"), both("activations", scale))


# Networks that are the same


def settings(operation: Operation) -> dict[str, Any]:
    """What an operation does, however it was written: padding in numbers, the weights it has."""
    found = {name: getattr(operation, name) for name in operation.parameters}
    found = {name: v for name, v in found.items() if not isinstance(v, Word)}
    if "pads" in operation.__dict__:
        found["p"] = operation.__dict__["pads"]
    return found


def _identity(graph: Graph) -> object:
    """Key that is equal for equal networks."""
    numbers: dict[Value, object] = {v: ("input", i) for i, v in enumerate(graph.inputs)}
    nodes = []
    for i, node in enumerate(graph.nodes):
        numbers.update({value: (i, k) for k, value in enumerate(node.outputs)})
        operation = node.operation
        own = (operation.name, settings(operation), operation.weights)
        nodes.append((node.path, own, [numbers[value] for value in node.inputs]))
    return (
        [(value.name, value.shape) for value in graph.inputs],
        [(o.name, numbers[o.value], o.training) for o in graph.outputs],
        nodes,
    )


# Stages that belong together


class _Side:
    """One of the two networks, and where its tensors come from."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.stages = rows.stages(graph)
        self.names = graph.node_names()
        self.home: dict[Value, tuple[Row | None, int]] = {}
        """For the id of a tensor: the stage and the number of the primitive in it that makes it."""
        self.home.update({v: (None, i) for i, v in enumerate(graph.inputs)})
        for stage in self.stages:
            for i, node in enumerate(stage.nodes):
                self.home.update({value: (stage, i) for value in node.outputs})
        self.before: dict[str, Row | None] = {}
        """The stage before each."""
        self.before.update(
            {stage.name: last for last, stage in zip([None, *self.stages], self.stages)}
        )
        self.key = [(stage.name, stage.text, _content(stage)) for stage in self.stages]

    def origin(self, stage: Row, value: Value) -> tuple[str, int]:
        """Source of an input tensor of a stage: the stage itself, another one, or an input."""
        home, number = self.home[value]
        before = self.before[stage.name]
        if home is stage:
            return "", number
        if (before is None and home is None and number == 0) or (
            home is not None and home is before and value in home.outputs
        ):
            return "the stage before", 0
        return (home.name if home is not None else self.graph.inputs[number].name), number


class _Looks(NamedTuple):
    """What tells how much a stage has in common with others, found once."""

    row: Row
    kinds: str
    numbered: bool
    arguments: dict[str, str]
    content: str


def _looks(row: Row) -> _Looks:
    numbered = NUMBERED.fullmatch(row.name) is not None
    return _Looks(row, _kinds(row), numbered, _arguments(row), _content(row))


def _content(row: Row) -> str:
    return "; ".join(operation_text(node.operation) for node in row.nodes)


def _paired(a: list[Row], b: list[Row]) -> list[Pair[Row]]:
    pairs = aligned([*map(_looks, a)], [*map(_looks, b)], _likeness)
    return [(x.row if x else None, y.row if y else None) for x, y in pairs]


def _likeness(a: _Looks, b: _Looks) -> float:
    """Similarity of two stages, at most 1."""
    named, kinds = a.row.name == b.row.name, a.kinds == b.kinds
    if not kinds and not named:
        return 0
    equal = a.content == b.content
    if named and equal and a.row.text == b.row.text:
        return 1
    if not kinds and a.numbered:
        return 0.2
    likeness = 0.3 + 0.1 * named + 0.1 * (a.row.shapes == b.row.shapes) + 0.2 * equal
    if a.arguments or b.arguments:
        keys = {*a.arguments, *b.arguments}
        shared = sum(a.arguments.get(key) == b.arguments.get(key) for key in keys)
        likeness += 0.2 * shared / len(keys)
    return likeness


def _kinds(row: Row) -> str:
    return re.sub(r" x[0-9]+\b", "", row.kind)


def _scopes(row: Row) -> list[Scope]:
    """The uses of blocks by the network itself in a stage."""
    found: dict[Scope, Scope] = {}
    for node in row.nodes:
        scope = node.scope
        while scope.parent is not None and scope.parent.parent is not None:
            scope = scope.parent
        if scope.parent is not None:
            found[scope] = scope
    return [*found.values()]


def _arguments(row: Row) -> dict[str, str]:
    """Arguments and repeats of a stage's block."""
    scopes = _scopes(row)
    if not scopes:
        return {}
    arguments = _shown(scopes[0].arguments)
    return {"n": str(len(scopes)), **arguments}


def _shown(arguments: dict[str, Any]) -> dict[str, str]:
    return {name: value_text(value) for name, value in arguments.items()}


# What differs in them


class _Comparison:
    """The stages of two networks, paired: what differs in all primitives, and what in each."""

    def __init__(self, a: _Side, b: _Side, pairs: list[Pair[Row]]) -> None:
        self.a, self.b = a, b
        self.match = {x.name: y.name for x, y in pairs if x is not None and y is not None}
        self.nodes: dict[str, list[Pair[Node]]] = {}
        for x, y in pairs:
            if x is not None and y is not None:
                self.nodes[x.name] = aligned(x.nodes, y.nodes, _node_likeness(a, b, x, y))
        self.places: dict[Node | None, int] = {}
        """For the id of a primitive, which of the pairs of its stage it is in."""
        self.uneven: set[str] = set()
        """Stages with primitives that have no other."""
        for name, found in self.nodes.items():
            self.places.update((n, i) for i, pair in enumerate(found) for n in pair if n)
            if any(None in pair for pair in found):
                self.uneven.add(name)
        self.everywhere = self._everywhere()
        self.blocks: list[str] = []
        self._find_blocks(pairs)

    def _everywhere(self) -> dict[tuple[str, str], str]:
        """Differences shared by all primitives of a kind that both have more than once."""
        changes: dict[tuple[str, str], Counter[str]] = {}
        counts: Counter[str] = Counter()
        for pairs in self.nodes.values():
            for x, y in pairs:
                if x is not None and y is not None and x.operation.name == y.operation.name:
                    counts[x.operation.name] += 1
                    for key, text in _changed(x.operation, y.operation):
                        changes.setdefault((x.operation.name, key), Counter())[text] += 1
        return {
            (kind, key): f"{kind} {text}"
            for (kind, key), texts in changes.items()
            for text, count in texts.items()
            if count == counts[kind] > 2
        }

    def _find_blocks(self, pairs: list[Pair[Row]]) -> None:
        told = set()
        for x, y in pairs:
            for one, other in zip(_scopes(x) if x else [], _scopes(y) if y else []):
                old, new = one.unit, other.unit
                if old.name != new.name or old.name in told or _bare(old.body) == _bare(new.body):
                    continue
                assert x is not None and y is not None
                if any(self._inner(x, y)):
                    told.add(old.name)
                    places = f"{old.span.place} -> {new.span.place}"
                    self.blocks.append(f"{old.name} is defined differently: {places}")

    def change(self, x: Row | None, y: Row | None, scale: int) -> Change | None:
        """Differences in a stage; None if there are none."""
        amounts = _amounts([x] if x else [], [y] if y else [], scale)
        if x is None or y is None:
            row = x or y
            assert row is not None
            kind = "added" if x is None else "removed"
            a, b = ("", row.name) if x is None else (row.name, "")
            return Change(kind, a, b, f"{row.text} -> {_shapes(row)}", (), amounts)
        details = [*dict.fromkeys(self._own(x, y))]
        renamed = x.name != y.name
        if NUMBERED.fullmatch(x.name) and NUMBERED.fullmatch(y.name):
            renamed = False
        if renamed and not details:
            details = ["renamed"]
        if details:
            left = len(details) - MOST
            if left > 1:
                details[MOST:] = [f"and {left} more"]
            return Change("changed", x.name, y.name, "", tuple(details), amounts)
        if any(old != new for old, new in amounts):
            old, new = (shape_text(row.nodes[0].inputs[0].shape) for row in (x, y))
            text = f"unchanged, on {new} instead of {old}" if old != new else "the same"
            return Change("costs", x.name, y.name, text, (), amounts)
        return None

    def _own(self, x: Row, y: Row) -> Iterator[str]:
        """Differences in a stage's arguments or, if these agree, in its primitives."""
        uses = (_scopes(x), _scopes(y))
        told: list[str] = []
        if all(uses) and _kinds(x) == _kinds(y):
            told = [*_values_text(*_all_arguments(*uses))]
        elif any(uses) and _kinds(x) != _kinds(y):
            told = [f"{x.kind} -> {y.kind}"]
            if all(uses) and len(uses[0]) != len(uses[1]):
                told.append(f"n {len(uses[0])} -> {len(uses[1])}")
        yield from told
        if not told or not all(uses):
            yield from self._inner(x, y)

    def _inner(self, x: Row, y: Row) -> Iterator[str]:
        """Differences in the primitives of two stages, ignoring input channels."""
        often = Counter(node.operation.name for node in x.nodes)
        often |= Counter(node.operation.name for node in y.nodes)
        for one, other in self.nodes[x.name]:
            if one is None or other is None:
                if (node := one or other) is not None:
                    side = self.b if one is None else self.a
                    row = y if one is None else x
                    name = ""
                    if often[node.operation.name] > 1 or node.scope.parent is not None:
                        name = _within(side.names[node], row, node)
                    sign = "with" if one is None else "without"
                    yield f"{sign} {name}{operation_text(node.operation)}"
                continue
            kinds = one.operation.name, other.operation.name
            several = any(often[kind] > 1 for kind in kinds)
            label = _within(self.a.names[one], x, one) if several else ""
            if kinds[0] != kinds[1]:
                yield f"{label}{kinds[0]} -> {kinds[1]}"
                continue
            for key, text in _changed(one.operation, other.operation):
                if (kinds[0], key) not in self.everywhere and not self._follows(one, other, key):
                    yield f"{label}{kinds[0]} {text}"
            names = one.path[-len(one.name) :], other.path[-len(other.name) :]
            if names[0] != names[1] and one.scope.parent is not None:
                yield f"{'.'.join(names[0])} called {'.'.join(names[1])}"
            yield from self._connections(x, y, one, other, label)

    def _follows(self, one: Node, other: Node, key: str) -> bool:
        """True if an argument differs just as the channels that come in do."""
        old, new = (node.inputs[0].shape[0] if node.inputs else 0 for node in (one, other))
        if key not in ("c", "groups") or one.scope.parent is None or old == new:
            return False
        return bool(getattr(one.operation, key) * new == getattr(other.operation, key) * old)

    def _connections(self, x: Row, y: Row, one: Node, other: Node, label: str) -> Iterator[str]:
        for value, new in zip(one.inputs, other.inputs):
            old_home, new_home = self.a.origin(x, value), self.b.origin(y, new)
            if not old_home[0] and not new_home[0]:
                makers = self.places[value.node], self.places[new.node]
                if value.index == new.index and makers[0] == makers[1] or x.name in self.uneven:
                    continue
                yield f"{label}takes a different tensor"
            elif self.match.get(old_home[0], old_home[0]) != new_home[0]:
                places = [home[0] or "this stage" for home in (old_home, new_home)]
                yield f"{label}takes {places[0]} -> {places[1]}"


def _node_likeness(a: _Side, b: _Side, x: Row, y: Row) -> Any:
    """Similarity of two primitives of paired stages."""

    def likeness(one: Node, other: Node) -> float:
        named = _relative(a.names[one], x.name) == _relative(b.names[other], y.name)
        if one.operation.name != other.operation.name:
            return 0.3 if named and len(x.nodes) == len(y.nodes) else 0
        if settings(one.operation) == settings(other.operation):
            return 1 if named else 0.8
        return 0.9 if named else 0.5

    return likeness


def _changed(old: Operation, new: Operation) -> Iterator[tuple[str, str]]:
    """The arguments of two operations of a kind that differ: `eps`, `eps 1e-05 -> 0.001`."""
    before, after = settings(old), settings(new)
    for key in before:
        texts = _setting(old, key), _setting(new, key)
        # Words such as `keep` come to other numbers where other things differ, which are told.
        if before[key] != after.get(key) and texts[0] != texts[1]:
            yield key, f"{key} {texts[0]} -> {texts[1]}"
    weights = {weight.name: weight for weight in old.weights}
    for weight in new.weights:
        known = weights.get(weight.name)
        if known is not None and known.init != weight.init:
            change = f"{value_text(known.init)} -> {value_text(weight.init)}"
            yield f"init of {weight.name}", f"init of {weight.name} {change}"


def _setting(operation: Operation, key: str) -> str:
    return value_text(operation.argument(key))


def _all_arguments(old: list[Scope], new: list[Scope]) -> tuple[dict[str, str], dict[str, str]]:
    """The arguments of the uses in two stages: those of the first ones that differ, if any do."""
    before = {"n": str(len(old))}
    after = {"n": str(len(new))}
    for one, other in zip(old, new):
        x, y = _shown(one.arguments), _shown(other.arguments)
        for key in {**x, **y}:
            if x.get(key) != y.get(key) and before.get(key) == after.get(key):
                before.pop(key, None)
                after.pop(key, None)
                before.update({key: x[key]} if key in x else {})
                after.update({key: y[key]} if key in y else {})
    return before, after


def _values_text(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield f"{key} {old.get(key, '-')} -> {new.get(key, '-')}"


def _inputs(a: Graph, b: Graph) -> list[str]:
    old, new = ([(v.name, shape_text(v.shape)) for v in graph.inputs] for graph in (a, b))
    return _ends(old, new)


def _outputs(a: Graph, b: Graph) -> list[str]:
    old, new = (
        [(o.name, shape_text(o.value.shape) + " in training" * o.training) for o in graph.outputs]
        for graph in (a, b)
    )
    return _ends(old, new)


def _ends(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[str]:
    """What differs in the inputs or outputs; as many of them are compared in their order."""
    if len(old) != len(new):
        return [*_values_text(dict(old), dict(new))]
    found = []
    for (name, shape), (other, size) in zip(old, new):
        if name == other and shape != size:
            found.append(f"{name} {shape} -> {size}")
        elif name != other:
            found.append(f"{name} {shape} -> {other} {size}")
    return found


def _relative(name: str, stage: str) -> str:
    """The name of a primitive within its stage, and a space; nothing where it is the stage's."""
    inner = name.removeprefix(stage).lstrip(".")
    return f"{inner} " if inner else ""


def _within(name: str, row: Row, node: Node) -> str:
    """The same within the use of a block by the network that it is in, if it is in one."""
    scope = node.scope
    while scope.parent is not None and scope.parent.parent is not None:
        scope = scope.parent
    return _relative(name, ".".join(scope.path) if scope.parent is not None else row.name)


def _shapes(row: Row) -> str:
    return ", ".join(map(shape_text, row.shapes[:2])) + (", ..." if len(row.shapes) > 2 else "")


def _bare(node: object) -> object:
    """A tree without its places."""
    from archdsl.frontend import ast

    if isinstance(node, ast.Node):
        fields = (name for name in node.fields if "span" not in name)
        return (type(node).__name__, *(_bare(getattr(node, name)) for name in fields))
    return tuple(map(_bare, node)) if isinstance(node, tuple) else node
