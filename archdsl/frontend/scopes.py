"""What things are called in the network: the scope of each operation, from its line alone.

The names become submodules in PyTorch, prefixes in the `state_dict` and scopes in ONNX, so one
module decides them. The operations of a line form runs: a run is a chain of steps that each take
just the value before them. The last run has the line's name, earlier ones are `name_1`, `name_2`,
and so on; the steps of a run are numbered from 0, and one alone has the run's name. A name that is
taken gets an underscore. Operators (`+`, `concat`, `split`, `reshape`) belong to no run: what a
call means decides it, not how it is spelled, for a block or a parameter can be called `split`, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.frontend import ast
from archdsl.frontend.ast import walk
from archdsl.frontend.bindings import bound_names
from archdsl.frontend.python_names import submodule_name
from archdsl.frontend.units import Unit
from archdsl.ops import OPERATIONS
from archdsl.ops.numbers import is_function

NUMBERS = (
    ast.Number, ast.Truth, ast.Text, ast.Tuple, ast.Binary, ast.Minus, ast.Negation,
    ast.Comparison, ast.Field,
)  # fmt: skip
"""Expressions that are no operations, whatever is in them."""


def names_of(unit: Unit) -> Names:
    """The names in the network that the text of a unit makes."""
    return unit.derived(Names)


class Names:
    """The names in one unit."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.tensors = {parameter.name for parameter in unit.tensors}
        self.tensors |= {alias for alias, _ in unit.aliases}
        for node in _statements(unit.body):
            if isinstance(node, ast.Assign):
                self.tensors |= {target.name for target in node.targets}
        self.early = set(_early(unit.body, self.tensors, {t.name for t in unit.tensors}))
        """Ids of the names that lines read before the line that has the name: they mean an
        operation, or a word."""
        self.values = {parameter.name: parameter.default for parameter in unit.numbers}
        """The documentation of each parameter and `let`."""
        for inner in walk(unit.body):
            if isinstance(inner, ast.Let):
                self.values[inner.name] = inner.value
        self.scopes: dict[ast.Node, tuple[str, ...]] = {}
        """For each step: the scope that it makes inside its unit."""
        self._tails: dict[tuple[str, bool], str] = {}
        """The last name that was made of one, by adding to it; those before are taken."""
        self._named = {n for statement in unit.body for n in bound_names(statement)}
        taken: set[str] = set()
        for node in _statements(unit.body):
            if isinstance(node, ast.Assign):
                self._name_line([node.value], tuple(t.name for t in node.targets), taken)
            elif isinstance(node, ast.Return):
                self._name_line(list(node.values), (), taken)
        self.live = _live(unit)

    def is_tensor(self, expression: ast.Expression) -> bool:
        """True if an expression stands for tensors, by its form."""
        if isinstance(expression, ast.Name):
            return expression.name in self.tensors and expression not in self.early
        if isinstance(expression, ast.Field):
            return not expression.is_size and self.is_tensor(expression.of)
        if isinstance(expression, ast.Item):
            return self.is_tensor(expression.of)
        if isinstance(expression, ast.Flow):
            return True
        if isinstance(expression, ast.List | ast.Tuple):
            return any(map(self.is_tensor, expression.items))
        if isinstance(expression, ast.Binary):
            return self.is_tensor(expression.left) or self.is_tensor(expression.right)
        if isinstance(expression, ast.Guard):
            return self.is_tensor(expression.value)
        if isinstance(expression, ast.Minus):
            return self.is_tensor(expression.operand)
        if isinstance(expression, ast.Conditional):
            return self.is_tensor(expression.value) or self.is_tensor(expression.otherwise)
        if isinstance(expression, ast.Call):
            return not self.is_function(expression) and self.takes_tensors(expression)
        return False

    def for_training(self, expression: ast.Expression) -> bool:
        """True if a returned value is there in training only: `value if training`."""
        return (
            isinstance(expression, ast.Guard)
            and isinstance(expression.condition, ast.Name)
            and expression.condition.name == "training"
            and "training" not in self.values
        )

    # What a called name means

    def is_function(self, call: ast.Call) -> bool:
        """True if a call is one of a function on numbers."""
        return is_function(call.name) and self._is_primitive(call)

    def is_operator(self, call: ast.Call) -> bool:
        """True if a call is one of a primitive that only joins, parts or rearranges tensors, and is
        no step of a run."""
        operation = OPERATIONS.get(call.name)
        return operation is not None and operation.operator and self._is_primitive(call)

    def _is_primitive(self, call: ast.Call) -> bool:
        """True if neither a parameter nor a block has the name of a call."""
        if call.name in self.values and self._holds_operation(call.name, set()):
            return False
        program = self.unit.program
        return call not in self.unit.blocks and not program.defines(call.name, call.span.source)

    def _holds_operation(self, name: str, seen: set[str]) -> bool:
        """True if a parameter or a `let` may hold an operation, by the text."""
        seen.add(name)
        value = self.values[name]
        if value is None or isinstance(value, ast.Absent):
            return not self._is_number(name)
        return self._means_operation(value, seen)

    def _means_operation(self, value: ast.Expression, seen: set[str]) -> bool:
        if isinstance(value, NUMBERS):
            return False
        if isinstance(value, ast.Conditional):
            arms = (value.value, value.otherwise)
            return any(self._means_operation(arm, seen) for arm in arms)
        if isinstance(value, ast.Item):
            return self._means_operation(value.of, seen)
        if isinstance(value, ast.List):
            return any(self._means_operation(item, seen) for item in value.items)
        if isinstance(value, ast.Name) and value.name in self.values:
            return value.name not in seen and self._holds_operation(value.name, seen)
        return not (isinstance(value, ast.Call) and self.is_function(value))

    def _is_number(self, name: str) -> bool:
        """True if a parameter of which nothing is said is a number of the primitive that it is
        called like, as in `split(split)`."""
        calls = (node for node in walk(self.unit.body) if isinstance(node, ast.Call))
        return any(
            isinstance(inner, ast.Name) and inner.name == name
            for call in calls
            if call.name == name
            for inner in walk(call.arguments)
        )

    # Tensors in calls

    def takes_tensors(self, call: ast.Call) -> bool:
        """True if a call has tensors among its arguments."""
        return any(self.is_tensor(argument.value) for argument in call.arguments)

    def _name_line(
        self, values: list[ast.Expression], targets: tuple[str, ...], taken: set[str]
    ) -> None:
        block = self.unit.blocks.get(values[0])
        if block is not None:  # the body of a labelled repeat
            name = submodule_name(block.name)
            while name in taken:
                name += "_"
            taken.add(name)
            self.scopes[values[0]] = (name,)
            return
        runs: list[tuple[int, list[ast.Call | ast.Stages]]] = []
        count = 0
        for value in values:
            count = self._collect(value, count, runs)
        last = [run for number, run in runs if number == count]
        own = targets[0] if len(targets) == 1 else ""
        chosen: dict[tuple[int, str], str] = {}  # alternatives of a line share its name
        for number, run in runs:
            name = own or "_".join(targets) or "out"
            if number < count:
                name = f"{name}_{number}"
            elif not own and len(run) == len(last) == 1 and isinstance(run[0], ast.Call):
                name = run[0].name
            if (number, name) not in chosen:
                # A line has its name before all that are made up, and the first line before others.
                is_own = name == own
                free = self._tails.get((name, is_own)) or submodule_name(name)
                while free in taken or (not is_own and free in self._named and free != "out"):
                    free += "_"
                self._tails[name, is_own] = free
                chosen[number, name] = free
                taken.add(free)
            name = chosen[number, name]
            for i, step in enumerate(run):
                self.scopes[step] = (name,) if len(run) == 1 else (name, str(i))

    def _collect(
        self, value: object, count: int, runs: list[tuple[int, list[ast.Call | ast.Stages]]]
    ) -> int:
        """Gather the runs in a value, in order of computation; alternatives share numbers."""
        if isinstance(value, ast.Guard):
            return self._collect(value.value, count, runs)
        if isinstance(value, ast.Conditional):
            one = self._collect(value.value, count, runs)
            return max(one, self._collect(value.otherwise, count, runs))
        if isinstance(value, ast.Flow):
            count = self._collect(value.source, count, runs)
            run: list[ast.Call | ast.Stages] = []
            for step in value.steps:
                if isinstance(step, ast.Call) and (
                    self.takes_tensors(step) or self.is_operator(step)
                ):
                    count = self._close(run, count, runs)
                    run = []
                    count = self._collect(step, count, runs)
                else:
                    run.append(step)
            return self._close(run, count, runs)
        if isinstance(value, ast.Call):
            for argument in value.arguments:
                if self.is_tensor(argument.value):
                    count = self._collect(argument.value, count, runs)
            if self.takes_tensors(value) and not self.is_operator(value):
                return self._close([value], count, runs)
            return count
        if isinstance(value, ast.Node):
            for name in value.fields:
                count = self._collect(getattr(value, name), count, runs)
        elif type(value) is tuple:
            for item in value:
                count = self._collect(item, count, runs)
        return count

    def _close(
        self,
        run: list[ast.Call | ast.Stages],
        count: int,
        runs: list[tuple[int, list[ast.Call | ast.Stages]]],
    ) -> int:
        if not run:
            return count
        runs.append((count + 1, run))
        return count + 1


def _statements(body: tuple[ast.Statement, ...]) -> list[ast.Statement]:
    """The statements of a body and of its repeats, in order."""
    found: list[ast.Statement] = []
    for statement in body:
        found.append(statement)
        if isinstance(statement, ast.Repeat):
            found += _statements(statement.body)
    return found


def _early(
    body: tuple[ast.Statement, ...], tensors: set[str], bound: set[str]
) -> Iterator[ast.Name]:
    """Names of lines that are read where no line above gives them a value."""
    bound = set(bound)
    for statement in body:
        nested = statement.body if isinstance(statement, ast.Repeat) else ()
        inside = set(walk(nested))
        early = tensors - bound
        for node in walk(statement):
            if isinstance(node, ast.Name) and node.name in early and node not in inside:
                yield node
        yield from _early(nested, tensors, bound)
        if isinstance(statement, ast.Assign):
            bound |= {target.name for target in statement.targets}


def _live(unit: Unit) -> set[ast.Node]:
    """Ids of the statements whose values reach a `return`."""
    statements = _statements(unit.body)
    wanted: set[str] = set()
    live: set[ast.Node] = set()
    changed = True
    while changed:
        changed = False
        for statement in reversed(statements):
            if statement in live:
                continue
            if isinstance(statement, ast.Repeat):
                needed = bool(bound_names(statement) & wanted)
                nodes = [statement.start, statement.stop]
            elif isinstance(statement, ast.Assign):
                needed = any(target.name in wanted for target in statement.targets)
                nodes = [statement.value]
            else:
                needed = isinstance(statement, ast.Return)
                nodes = list(getattr(statement, "values", ()))
            if needed:
                live.add(statement)
                wanted |= {n.name for e in nodes for n in walk(e) if isinstance(n, ast.Name)}
                changed = True
    return live
