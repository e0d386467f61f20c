"""What things are called in the network: the scope of each operation, from its line alone.

The names become submodules in PyTorch, prefixes in the `state_dict` and scopes in ONNX, so one
module decides them. The operations of a line form runs: a run is a chain of steps that each take
just the value before them. The last run has the line's name, earlier ones are `name_1`, `name_2`,
and so on; the steps of a run are numbered from 0, and one alone has the run's name. A name that is
taken gets an underscore. Operators
(`+`, `concat`, `split`, `reshape`) belong to no run.
"""

from __future__ import annotations

from archdsl import tree
from archdsl.numbers import is_function
from archdsl.operations import OPERATIONS
from archdsl.resolve import Unit, bound_names
from archdsl.tree import walk

# Words of Python, and attributes of torch.nn.Module, that a submodule must not be called.
# A test compares them with the running Python and torch.
RESERVED = frozenset(
    """
    False None True and as assert async await break class continue def del elif else except finally
    for from global if import in is lambda nonlocal not or pass raise return try while with yield
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
    zero_grad append extend insert pop reset_parameters
    forward_features self super nn torch Tensor F
    int bool list tuple str range enumerate zip len isinstance print
    """.split()
)


def safe(name: str) -> str:
    """A name that is free in Python and in torch.nn.Module."""
    if name in RESERVED or name.startswith("_"):
        return name.strip("_") + "_"
    return name


class Names:
    """The names in one unit."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.tensors = {parameter.name for parameter in unit.tensors}
        self.tensors |= {alias for alias, _ in unit.aliases}
        for node in _statements(unit.body):
            if isinstance(node, tree.Assign):
                self.tensors |= {target.name for target in node.targets}
        self.scopes: dict[int, tuple[str, ...]] = {}
        """For the id of each step's node: the scope that it makes inside its unit."""
        self._tails: dict[tuple[str, bool], str] = {}
        """The last name that was made of one, by adding to it; those before are taken."""
        self._named = {n for statement in unit.body for n in bound_names(statement)}
        taken: set[str] = set()
        for node in _statements(unit.body):
            if isinstance(node, tree.Assign):
                self._name_line([node.value], tuple(t.name for t in node.targets), taken)
            elif isinstance(node, tree.Return):
                self._name_line(list(node.values), (), taken)
        self.live = _live(unit)

    def is_tensor(self, expression: tree.Expression) -> bool:
        """Whether an expression stands for tensors, by its form."""
        if isinstance(expression, tree.Name):
            return expression.name in self.tensors
        if isinstance(expression, tree.Field):
            return not expression.is_size and self.is_tensor(expression.of)
        if isinstance(expression, tree.Item):
            return self.is_tensor(expression.of)
        if isinstance(expression, tree.Flow):
            return True
        if isinstance(expression, tree.List | tree.Tuple):
            return any(map(self.is_tensor, expression.items))
        if isinstance(expression, tree.Binary):
            return self.is_tensor(expression.left) or self.is_tensor(expression.right)
        if isinstance(expression, tree.Guard):
            return self.is_tensor(expression.value)
        if isinstance(expression, tree.Minus):
            return self.is_tensor(expression.operand)
        if isinstance(expression, tree.Conditional):
            return self.is_tensor(expression.value) or self.is_tensor(expression.otherwise)
        if isinstance(expression, tree.Call):
            return not is_function(expression.name) and self.takes_tensors(expression)
        return False

    def takes_tensors(self, call: tree.Call) -> bool:
        """Whether a call has tensors among its arguments."""
        return any(self.is_tensor(argument.value) for argument in call.arguments)

    def _name_line(
        self, values: list[tree.Expression], targets: tuple[str, ...], taken: set[str]
    ) -> None:
        block = self.unit.blocks.get(id(values[0]))
        if block is not None:  # the body of a labelled repeat
            name = safe(block.name)
            while name in taken:
                name += "_"
            taken.add(name)
            self.scopes[id(values[0])] = (name,)
            return
        runs: list[tuple[int, list[tree.Call | tree.Stages]]] = []
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
            elif not own and len(run) == len(last) == 1 and isinstance(run[0], tree.Call):
                name = run[0].name
            if (number, name) not in chosen:
                # A line has its name before all that are made up, and the first line before others.
                is_own = name == own
                free = self._tails.get((name, is_own)) or safe(name)
                while free in taken or (not is_own and free in self._named and free != "out"):
                    free += "_"
                self._tails[name, is_own] = free
                chosen[number, name] = free
                taken.add(free)
            name = chosen[number, name]
            for i, step in enumerate(run):
                self.scopes[id(step)] = (name,) if len(run) == 1 else (name, str(i))

    def _collect(
        self, value: object, count: int, runs: list[tuple[int, list[tree.Call | tree.Stages]]]
    ) -> int:
        """Gather the runs in a value, in order of computation; alternatives share numbers."""
        if isinstance(value, tree.Guard):
            return self._collect(value.value, count, runs)
        if isinstance(value, tree.Conditional):
            one = self._collect(value.value, count, runs)
            return max(one, self._collect(value.otherwise, count, runs))
        if isinstance(value, tree.Flow):
            count = self._collect(value.source, count, runs)
            run: list[tree.Call | tree.Stages] = []
            for step in value.steps:
                if isinstance(step, tree.Call) and (
                    self.takes_tensors(step) or is_operator(step.name)
                ):
                    count = self._close(run, count, runs)
                    run = []
                    count = self._collect(step, count, runs)
                else:
                    run.append(step)
            return self._close(run, count, runs)
        if isinstance(value, tree.Call):
            for argument in value.arguments:
                if self.is_tensor(argument.value):
                    count = self._collect(argument.value, count, runs)
            if self.takes_tensors(value) and not is_operator(value.name):
                return self._close([value], count, runs)
            return count
        if isinstance(value, tree.Node):
            for name in value.fields:
                count = self._collect(getattr(value, name), count, runs)
        elif type(value) is tuple:
            for item in value:
                count = self._collect(item, count, runs)
        return count

    def _close(
        self,
        run: list[tree.Call | tree.Stages],
        count: int,
        runs: list[tuple[int, list[tree.Call | tree.Stages]]],
    ) -> int:
        if not run:
            return count
        runs.append((count + 1, run))
        return count + 1


def is_operator(name: str) -> bool:
    """Whether a primitive only joins, parts or rearranges tensors, and is no step of a run."""
    operation = OPERATIONS.get(name)
    return operation is not None and operation.operator


def _statements(body: tuple[tree.Statement, ...]) -> list[tree.Statement]:
    """The statements of a body and of its repeats, in order."""
    found: list[tree.Statement] = []
    for statement in body:
        found.append(statement)
        if isinstance(statement, tree.Repeat):
            found += _statements(statement.body)
    return found


def _live(unit: Unit) -> set[int]:
    """Ids of the statements whose values reach a `return`."""
    statements = _statements(unit.body)
    wanted: set[str] = set()
    live: set[int] = set()
    changed = True
    while changed:
        changed = False
        for statement in reversed(statements):
            if id(statement) in live:
                continue
            if isinstance(statement, tree.Repeat):
                needed = bool(bound_names(statement) & wanted)
                nodes = [statement.start, statement.stop]
            elif isinstance(statement, tree.Assign):
                needed = any(target.name in wanted for target in statement.targets)
                nodes = [statement.value]
            else:
                needed = isinstance(statement, tree.Return)
                nodes = list(getattr(statement, "values", ()))
            if needed:
                live.add(id(statement))
                wanted |= {n.name for e in nodes for n in walk(e) if isinstance(n, tree.Name)}
                changed = True
    return live
