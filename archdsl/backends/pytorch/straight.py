"""A block written out, operation by operation, for uses that no class with arguments can serve.

All of its uses have the same operations, so every number is a literal. It reads the graph alone,
never the text, and is right wherever that is: what the other builders cannot express ends here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any

from archdsl.backends.pytorch.code import IDENTITY, Code, Invoke, Listed, Rows
from archdsl.backends.pytorch.flows import Flows, does_nothing
from archdsl.backends.pytorch.lanes import size_of
from archdsl.backends.pytorch.layers import LAYERS, OPERATORS
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Assign
from archdsl.backends.pytorch.sites import StepSite
from archdsl.backends.pytorch.symbols import NotOpen, Symbol, literal
from archdsl.frontend import ast
from archdsl.frontend.python_names import variable_name
from archdsl.frontend.scopes import names_of
from archdsl.ir.graph import Frame, Node, Scope, Value, tensors

Path = tuple[str, ...]


class Step:
    """A line of `forward`: what it reads, and the expression that it makes of that.

    With a path it calls the submodule of that name with the expression.
    """

    def __init__(
        self, path: Path, inputs: list[Value], outputs: list[Any], targets: list[Var], piece: Piece
    ) -> None:
        self.path = path
        self.inputs = inputs
        self.outputs = outputs
        self.targets = targets
        self.piece = piece

    @property
    def is_link(self) -> bool:
        """Whether it can be part of a chain of layers."""
        one = len(self.inputs) == len(self.outputs) == 1 and not self.piece.many
        return one and bool(self.path) and isinstance(self.outputs[0], Value)

    def follows(self, other: Step) -> bool:
        """Whether it takes what another link gives."""
        return self.is_link and other.is_link and self.inputs == other.outputs


class Straight(Flows):
    """Builds one class without arguments."""

    def build(self) -> None:
        """Walk the operations of all uses together."""
        opened = frozenset[str]().union(*self.plan.open.values())
        if opened:
            raise NotOpen(opened)
        self.leaves: dict[Path, Code] = {}
        self.known: dict[Value, Piece] = {}
        self.steps: list[Step] = []
        self._take_inputs()
        parts = [self.writer.parts_of(scope) for scope in self.plan.scopes]
        for uses in zip(*parts, strict=True):
            together = dict(zip(self.lanes, uses, strict=True))
            if isinstance(uses[0], Node):
                self._operation(together)
            else:
                self._use(together)
        self._results()
        self._join_chains()
        for step in self.steps:
            piece = step.piece
            if step.path:
                piece = Piece(self._access(step.path), "(", piece, ")")
            self.statements.append(Assign(tuple(step.targets), piece))

    # What flows in and out

    def _take_inputs(self) -> None:
        for slot, given in zip(self.unit.tensors, self.plan.scopes[0].inputs, strict=True):
            is_list = isinstance(given, list)
            variable = Var(self.plan.inputs[slot.name], "list[Tensor]" if is_list else "Tensor")
            self.inputs.append(variable)
            self._know(variable, given)

    def _know(self, variable: Var, given: Any, typed: bool = True) -> None:
        """Note which variable holds a tensor, or the tensors of a list."""
        for i, value in enumerate(tensors(given)):
            piece = Piece(variable, f"[{i}]") if isinstance(given, list) else Piece(variable)
            self.known.setdefault(value, Piece(piece, typed=typed))

    def _given(self, value: Any) -> Piece:
        """The expression for a tensor, for a list of tensors, or for none."""
        if isinstance(value, Value):
            return self.known[value]
        if value is None:
            return Piece("None")
        parts: list[str | Piece] = []
        for item in value:
            parts += [", " if parts else "[", self.known[item]]
        return Piece(*(parts or ["["]), "]", typed=True, many="list")

    def _results(self) -> None:
        root = self.plan.scopes[0]
        self.kept: list[Value] = []
        """What somebody reads beside the operations."""
        if root.parent is None:
            outputs = self.writer.graph.outputs
            self.training = [output.training for output in outputs]
            self.returns = [self.known[output.value] for output in outputs]
            self.kept += [output.value for output in outputs]
            for line, stages in tapped_lines(root.frame):
                for stage in stages:
                    piece = self.known.get(stage.output)
                    variable = None if piece is None else piece.variable
                    if variable is not None:
                        self.taps.setdefault(line, {})[stage.name] = variable
                        self.kept.append(stage.output)
            return
        self.returns = [self._given(value) for value in root.outputs if value is not None]
        self.training = [False] * len(self.returns)
        self.kept += tensors(root.outputs)

    # Operations, and uses of other classes

    def _operation(self, nodes: Mapping[Frame, Node]) -> None:
        node = nodes[self.lanes[0]]
        operation, path = node.operation, node.name
        numbered = len(path) > 1  # a step of a run, or a row of a table
        operands = [self.known[value] for value in node.inputs]
        if does_nothing(operation) and not numbered:
            self.known[node.outputs[0]] = operands[0]
            return
        name = variable_name(node.outputs[0].name or "_".join(path))
        targets = [Var(name if len(node.outputs) == 1 else f"{name}_{i}")
                   for i in range(len(node.outputs))]  # fmt: skip
        for target, value in zip(targets, node.outputs, strict=True):
            self._know(target, value)
        inputs, outputs = list(node.inputs), list(node.outputs)
        if not operation.operator:
            site = StepSite(self, nodes, None, None)
            self.leaves[path] = LAYERS[operation.name](site)
            self.steps.append(Step(path, inputs, outputs, targets, operands[0]))
            return
        site = StepSite(self, nodes, None, None, forward=True)
        piece = OPERATORS[operation.name](site, operands)
        if piece.many and len(targets) == 1:
            piece = Piece(piece, "[0]", typed=piece.typed)
        self.steps.append(Step((), inputs, outputs, targets, piece))

    def _use(self, scopes: Mapping[Frame, Scope]) -> None:
        scope = scopes[self.lanes[0]]
        sizes: list[Symbol | None] = []
        for i in range(len(scope.inputs)):
            channels = {f: size_of(s.inputs[i], "c") for f, s in scopes.items()}
            sizes.append(None if None in channels.values() else literal(channels))
        block = self.new_block(scopes, {}, sizes)
        self.leaves[scope.name] = block
        operands: list[str | Piece] = []
        for i, given in enumerate(scope.inputs):
            if not block.plan.is_absent(i):
                operands += [", " if operands else "", self._given(given)]
        outputs = [value for value in scope.outputs if value is not None]
        targets = []
        for i, value in enumerate(outputs):
            own = value.name if isinstance(value, Value) and value.node else ""
            number = f"_{i}" if len(outputs) > 1 else ""
            name = variable_name(own or "_".join(scope.name) + number)
            targets.append(Var(name, "list[Tensor]" if isinstance(value, list) else "Tensor"))
            self._know(targets[-1], value, typed=len(outputs) == 1)
        inputs = tensors(scope.inputs)
        many = "list" if any(isinstance(given, list) for given in scope.inputs) else ""
        self.steps.append(Step(scope.name, inputs, outputs, targets, Piece(*operands, many=many)))

    # Submodules

    def _join_chains(self) -> None:
        """Call what is one after the other in a sequence as that sequence, from the innermost."""
        reads = Counter(value for step in self.steps for value in step.inputs)
        reads.update(self.kept)
        self.chains: set[Path] = set()
        prefixes = {path[:i] for path in self.leaves for i in range(1, len(path))}
        for prefix in sorted(prefixes, key=lambda prefix: (-len(prefix), prefix)):
            below = [i for i, s in enumerate(self.steps) if s.path[: len(prefix)] == prefix]
            run = [self.steps[i] for i in below]
            if below != list(range(below[0], below[-1] + 1)):
                continue
            if any(len(step.path) != len(prefix) + 1 or not step.is_link for step in run):
                continue
            links = itertools.pairwise(run)
            if all(b.follows(a) and reads[a.outputs[0]] == 1 for a, b in links):
                first, last = run[0], run[-1]
                joined = Step(prefix, first.inputs, last.outputs, last.targets, first.piece)
                self.steps[below[0] : below[-1] + 1] = [joined]
                self.chains.add(prefix)

    def attributes(self) -> dict[str, Code]:
        """The submodules by name; those of deeper names in containers."""
        return {name: self._code((name,)) for name in dict.fromkeys(p[0] for p in self.leaves)}

    def _children(self, path: Path) -> list[str]:
        """The names in a container, in order; the numbers that are left out included."""
        depth = len(path)
        names = dict.fromkeys(p[depth] for p in self.leaves if p[:depth] == path)
        if all(name.isdecimal() for name in names):
            return [str(i) for i in range(max(map(int, names)) + 1)]
        return list(names)

    def _code(self, path: Path) -> Code:
        if path in self.leaves:
            return self.leaves[path]
        if not any(p[: len(path)] == path for p in self.leaves):
            return IDENTITY  # a number that is left out
        names = self._children(path)
        items = tuple((name, self._code((*path, name))) for name in names)
        if not names[0].isdecimal():
            rows = tuple((name, code, "") for name, code in items)
            return Rows(rows, self.writer.helper("Stages"))
        if path in self.chains:
            return Invoke("nn.Sequential", tuple(("", code) for _, code in items), True)
        return Listed(tuple(code for _, code in items))

    def _access(self, path: Path) -> str:
        places = [self._children(path[:i]).index(path[i]) for i in range(1, len(path))]
        return f"self.{path[0]}" + "".join(f"[{place}]" for place in places)


def tapped_lines(frame: Frame) -> list[tuple[str, list[Any]]]:
    """The lines that some output needs and that begin with a table, with its rows."""
    found = []
    unit = frame.scope.unit
    for statement in unit.body:
        if statement not in names_of(unit).live:
            continue
        flow = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.Assign) and isinstance(flow, ast.Flow):
            stages = frame.loops.get(flow.steps[0])
            if stages:
                found.append((statement.targets[0].name, stages))
    return found
