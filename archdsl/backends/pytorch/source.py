"""From the checked graph to the text of a Python module."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from functools import cache

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from archdsl.backends.pytorch import initialise
from archdsl.backends.pytorch.class_text import ClassText
from archdsl.backends.pytorch.classes import Builder
from archdsl.backends.pytorch.docstrings import Docstring, check_docstrings
from archdsl.backends.pytorch.layers import LAYERS
from archdsl.backends.pytorch.pieces import Var
from archdsl.backends.pytorch.plans import Plan
from archdsl.backends.pytorch.settle import NotTold
from archdsl.backends.pytorch.sites import StepSite
from archdsl.backends.pytorch.straight import Straight
from archdsl.backends.pytorch.symbols import NotExpressible, NotOpen
from archdsl.elaborate.expressions import OperationValue
from archdsl.frontend import ast, tables
from archdsl.frontend.ast import walk
from archdsl.frontend.python_names import free_class_name
from archdsl.frontend.scopes import names_of
from archdsl.frontend.units import Unit
from archdsl.ir import costs
from archdsl.ir.graph import Frame, Graph, Node, Scope, Stage, Value, tensors
from archdsl.ops import Word
from archdsl.ops.numbers import kind_of
from archdsl.support import resources
from archdsl.support.version import __version__

FRESH = {"conv", "conv_transpose", "linear", "bn", "group_norm", "add"}
"""Operations whose result nobody needs again once it has been used: it may be overwritten."""


def generate(graph: Graph, spec: str, class_name: str | None = None) -> str:
    """The source of a standalone PyTorch module.

    Args:
        graph: the checked network.
        spec: how the header names the spec.
        class_name: what to call the network's class; from the spec if not given.
    """
    opened = open_parameters(graph)
    while True:
        writer = Writer(graph, class_name or graph.class_name, opened)
        try:
            writer.build()
            break
        except NotOpen as refused:
            opened -= refused.args[0]
    return writer.render(spec)


def open_parameters(graph: Graph) -> frozenset[str]:
    """The parameters of the arch that could stay arguments of its class.

    Those are numbers that stand only in the arguments of operations on the network's own level, or
    for the channels of an input. What shapes a table, a guard or another parameter is settled.
    """
    unit = graph.unit
    candidates = {
        parameter.name
        for parameter in unit.numbers
        if type(graph.arguments[parameter.name]) in (int, float)
    }
    settled: set[str] = set()
    for parameter in unit.numbers:
        if parameter.default is not None:
            settled |= _names(parameter.default)
    for slot in unit.inputs:
        for size in slot.sizes[1:]:
            settled |= _names(size)
    for statement in unit.body:
        if isinstance(statement, ast.Require | ast.Warn | ast.Return | ast.Assign):
            for node in walk(statement):
                if isinstance(node, ast.Stages):
                    settled |= _names(node)
                elif isinstance(node, ast.Guard | ast.Conditional):
                    settled |= _names(node.condition)
        else:
            settled |= _names(statement)
    return frozenset(candidates - settled)


def _names(node: ast.Node) -> set[str]:
    return {inner.name for inner in walk(node) if isinstance(inner, ast.Name)}


class Writer:
    """One module: its classes, from the network down to the innermost block."""

    def __init__(self, graph: Graph, class_name: str, opened: frozenset[str]) -> None:
        self.graph = graph
        self.class_name = class_name
        self.opened = opened
        self.helpers: dict[str, str] = {}
        self.titles: set[str] = set()  # names of the classes
        self.fixed: set[Var] = set()
        self.groups: dict[Unit, list[list[Scope]]] = {}
        self.plans: list[Plan] = []
        self.classes: list[ClassText] = []
        self.unrolled: set[Scope] = set()
        self.straight: set[Scope] = set()
        self._plan_of: dict[Scope, Plan] = {}
        self._entries: dict[Unit, dict[ast.Row, dict[str, ast.Expression]]] = {}
        self._taps: dict[Unit, dict[str, set[str]]] = {}
        self._readers: dict[Value, int] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self._readers[value] = self._readers.get(value, 0) + 1
        for output in graph.outputs:
            self._readers[output.value] = self._readers.get(output.value, 0) + 1
        self._parts: dict[Scope, list[Node | Scope]] = {graph.root: []}
        self._weighted: dict[Scope, list[Node]] = {}
        """The operations with weights of each use of a block."""
        for node in graph.nodes:
            if node.operation.weights:
                self._weighted.setdefault(node.scope, []).append(node)
            self._note_part(node)

    def _note_part(self, node: Node) -> None:
        """Note an operation in its scope, and a scope in the one around it where it is new."""
        part: Node | Scope = node
        scope: Scope | None = node.scope
        while scope is not None:
            is_new = scope not in self._parts
            self._parts.setdefault(scope, []).append(part)
            if not is_new:
                return
            part, scope = scope, scope.parent

    # What the builders ask

    def parts_of(self, scope: Scope) -> list[Node | Scope]:
        """The operations of a use of a block and its uses of others, in order."""
        return self._parts.get(scope, [])

    def plan_of(self, scope: Scope) -> Plan:
        return self._plan_of[scope]

    def helper(self, name: str) -> str:
        """Ask for a class or function that the module carries itself; gives its name there."""
        title, number = name, 1
        while title in self.titles:
            number += 1
            title = f"{name}{number}"
        self.helpers[name] = title
        return title

    def may_overwrite(self, node: Node) -> bool:
        """Whether an operation may write into its input: one nobody else reads or keeps."""
        value = node.inputs[0]
        maker = value.node
        return (
            maker is not None
            and maker.scope is node.scope
            and maker.operation.name in FRESH
            and self._readers.get(value) == 1
            and value.shape == node.outputs[0].shape
        )

    def taps_of(self, unit: Unit) -> dict[str, set[str]]:
        """For each line of a unit the rows of its table that are read elsewhere."""
        if unit not in self._taps:
            taps: dict[str, set[str]] = {}
            for node in walk(unit.body):
                if isinstance(node, ast.Field) and isinstance(node.of, ast.Name):
                    if not node.is_size:
                        taps.setdefault(node.of.name, set()).add(node.name)
            self._taps[unit] = taps
        return self._taps[unit]

    def entries(self, stage: Stage) -> dict[str, ast.Expression]:
        """What a row and its table say of each parameter."""
        unit = stage.scope.unit
        if unit not in self._entries:
            found: dict[ast.Row, dict[str, ast.Expression]] = {}
            for node in walk(unit.body):
                if isinstance(node, ast.Stages):
                    shared = {a.name: a.value for a in node.arguments if a.name}
                    for row in tables.plan(node):
                        own = {name: entry.value for name, entry in row.entries.items()}
                        found[row.row] = {**shared, **own}
            self._entries[unit] = found
        return self._entries[unit][stage.row]

    def entry(self, stage: Stage, name: str) -> ast.Expression | None:
        return self.entries(stage).get(name)

    # Building

    def build(self) -> None:
        """Plan the classes, parting uses that one class cannot serve."""
        order = units_in_order(self.graph)
        for unit, scopes in order.items():
            self.groups[unit] = [scopes]
        while True:
            self.helpers.clear()
            self.fixed.clear()
            self._plan(list(order))
            failures = self._build_all()
            if not failures:
                return
            for failed in failures:
                parts = _parted(failed.scopes)
                if len(parts) > 1:
                    groups = self.groups[failed.unit]
                    groups[groups.index(failed.scopes) : groups.index(failed.scopes) + 1] = parts
                elif not failed.unrolled:
                    self.unrolled.add(failed.scopes[0])
                else:
                    self.straight.add(failed.scopes[0])

    def _plan(self, order: list[Unit]) -> None:
        self.plans = []
        self.titles.clear()
        uses = [(unit, scopes) for unit in order for scopes in self.groups[unit]]
        names: list[str] = []
        for unit, scopes in uses:
            wanted = self.class_name if scopes[0].parent is None else unit.class_name
            names.append(free_class_name(wanted, self.titles))
            self.titles.add(names[-1])
        for name, (unit, scopes) in zip(names, uses, strict=True):
            plan = Plan(unit, scopes, name, self.titles, scopes[0] in self.unrolled)
            if scopes[0].parent is None:
                plan.open = {parameter: frozenset([parameter]) for parameter in self.opened}
            self.plans.append(plan)
            for scope in scopes:
                self._plan_of[scope] = plan

    def _build_all(self) -> list[Plan]:
        """Build all classes; the plans of those that cannot be, without those that hang on them."""
        failures: list[Plan] = []
        unknown: set[Plan] = set()
        for plan in self.plans:
            users = {self._plan_of[scope.parent] for scope in plan.scopes if scope.parent}
            if users & unknown:
                unknown.add(plan)
                continue
            kind = Straight if plan.scopes[0] in self.straight else Builder
            plan.builder = kind(self, plan)
            try:
                plan.builder.build()
            except NotExpressible:
                failures.append(plan)
                unknown.add(plan)
        if failures:
            return failures
        # From the innermost up: a use is given what the class that it is of asks for.
        self.classes = []
        try:
            for unit, plans in itertools.groupby(reversed(self.plans), lambda plan: plan.unit):
                texts: dict[object, ClassText] = {}
                for plan in plans:
                    self._add(ClassText(self, plan), texts)
                self._name(unit, [*texts.values()])
                self.classes += texts.values()
        except NotTold as problem:
            return [problem.plan]
        return []

    def _add(self, text: ClassText, texts: dict[object, ClassText]) -> None:
        """Keep a class, unless parted uses of its block came to the same one."""
        key = (*text.all_lines(), *self._beginnings(text.plan))
        if key in texts:
            texts[key].served.append(text.plan)
        else:
            texts[key] = text

    def _name(self, unit: Unit, texts: list[ClassText]) -> None:
        """Give the classes of a block the first of the names that its plans took."""
        names = [plan.name for plan in self.plans if plan.unit is unit]
        firsts = {text: min(names.index(p.name) for p in text.served) for text in texts}
        for name, text in zip(names, sorted(texts, key=lambda text: firsts[text])):
            text.name = name
            for plan in text.served:
                plan.name = name

    def _beginnings(self, plan: Plan) -> list[tuple[tuple[str, ...], tuple[Word, ...]]]:
        """How the weights of a class begin; alike in all uses that it serves."""
        return [
            (node.name, tuple([weight.init for weight in node.operation.weights]))
            for node in self._weighted.get(plan.scopes[0], ())
        ]

    # Writing

    def render(self, spec: str) -> str:
        """The text of the module."""
        classes = self._wanted()
        classes[-1].initialise = initialise.reset_parameters(
            self.graph.nodes, self._layer_class, self._place
        )
        lines = [line for text in classes for line in text.all_lines()]
        helpers = self._helpers(lines)
        needs_torch = any("torch." in line for line in lines + helpers)
        head = self._head(spec)
        template = _environment().get_template("module.py.jinja")
        module = template.render(
            header=head.lines(0),
            imports_torch=needs_torch,
            helpers=helpers,
            classes=classes,
        )
        check_docstrings(module, head, {text.name: text.docstring for text in classes})
        return module

    def _wanted(self) -> list[ClassText]:
        """The classes that the network's mentions, or these do: not those of lines nobody needs."""
        *others, network = self.classes
        kept, called = [network], _called(network)
        for item in reversed(others):
            if item.name in called:
                kept.insert(0, item)
                called |= _called(item)
        return kept

    def _helpers(self, lines: list[str]) -> list[str]:
        """The texts of the helpers that lines, or these helpers, mention; functions first."""
        found: dict[str, str] = {}
        texts = ["\n".join(lines)]
        while texts:
            text = texts.pop()
            for name, title in self.helpers.items():
                if name not in found and re.search(rf"\b{title}\b", text):
                    found[name] = _helper(name, title)
                    texts.append(found[name])
        return [found[name] for name in sorted(found, key=lambda name: (name[0].isupper(), name))]

    def _layer_class(self, node: Node) -> str:
        """The class of a layer in PyTorch, or the one that it extends."""
        if node.operation.name == "conv":
            return f"nn.Conv{node.operation.rank}d"
        if node.operation.name == "layer_norm":
            return "nn.LayerNorm"
        site = StepSite(self.plans[0].builder, {node.scope.frame: node}, None, None)
        return LAYERS[node.operation.name](site).function

    def _place(self, node: Node) -> tuple[str, str]:
        """The class that holds a layer (empty: the network's own), and the layer's name in it."""
        plan = self.plan_of(node.scope)
        return ("" if node.scope.parent is None else plan.name), ".".join(node.name)

    def _head(self, spec: str) -> Docstring:
        graph = self.graph
        docs = graph.unit.docs or (f"{self.class_name}.",)
        size = "x".join(map(str, graph.inputs[0].shape))
        cost = costs.total(graph)
        million = f"{cost.macs / 1e6:,.1f} M" if cost.macs >= 1e5 else f"{cost.macs:,}"
        variant = f", variant {graph.variant}" if graph.variant else ""
        made = (
            f"{cost.params:,} parameters, {million} multiply-accumulates at {size}.",
            f"Generated by archdsl {__version__} from {spec}{variant}.",
        )
        return Docstring([docs[:1], made])


def _called(text: ClassText) -> set[str]:
    """What stands before a round bracket in a class."""
    return set(re.findall(r"\b\w+(?=\()", "\n".join(text.all_lines())))


def units_in_order(graph: Graph) -> dict[Unit, list[Scope]]:
    """The units with their uses, each after all that use it."""
    uses: dict[Unit, list[Scope]] = {}
    calls: dict[Unit, dict[Unit, None]] = {}
    checked: dict[Unit, set[ast.Node]] = {}
    """Of each unit the pieces of lines that are checked, and no part of the network."""

    def visit_frame(frame: Frame, unit: Unit) -> None:
        unused = checked[unit]
        for key, item in frame.made.items():
            if isinstance(item, Scope) and key not in unused:
                visit(item, unit)
        for key, items in frame.loops.items():
            for item in () if key in unused else items:
                if isinstance(item, Frame):
                    visit_frame(item, unit)
                else:
                    for repeat in item.repeats:
                        if isinstance(repeat.made, Scope):
                            visit(repeat.made, unit)

    def visit(scope: Scope, caller: Unit | None) -> None:
        uses.setdefault(scope.unit, []).append(scope)
        if scope.unit not in checked:
            checked[scope.unit] = _unused(scope.unit)
        if caller is not None:
            calls.setdefault(caller, {})[scope.unit] = None
        visit_frame(scope.frame, scope.unit)

    visit(graph.root, None)
    ordered: dict[Unit, None] = {}

    def place(unit: Unit) -> None:
        if unit not in ordered:
            for callee in reversed(list(calls.get(unit, ()))):
                place(callee)
            ordered[unit] = None

    place(graph.unit)
    return {unit: uses[unit] for unit in reversed(list(ordered))}


def _unused(unit: Unit) -> set[ast.Node]:
    """Ids of everything in the lines of a unit that no `return` needs."""
    lines = [node for node in walk(unit.body) if isinstance(node, ast.Assign | ast.Repeat)]
    dead = [line for line in lines if line not in names_of(unit).live]
    return {node for line in dead for node in walk(line)}


def _parted(scopes: list[Scope]) -> list[list[Scope]]:
    """The uses in groups: by what kinds of things they are given, or else by all that they are."""
    for key in (_kinds, _values, _everything):
        parts: dict[str, list[Scope]] = {}
        for scope in scopes:
            parts.setdefault(key(scope), []).append(scope)
        if len(parts) > 1:
            break
    return list(parts.values())


def _kinds(scope: Scope) -> str:
    """Operations and words, and the types of everything else."""
    given = {
        name: repr(value) if isinstance(value, OperationValue | Word) else kind_of(value)
        for name, value in scope.arguments.items()
    }
    inputs = [len(v.shape) if isinstance(v, Value) else kind_of(v) for v in scope.inputs]
    return f"{given} {inputs} {scope.frame.defaults}"


def _values(scope: Scope) -> str:
    return f"{_kinds(scope)} {scope.arguments}"


def _everything(scope: Scope) -> str:
    """With the same arguments, the same shapes, and the same tensors given twice."""
    given = [tensors(value) for value in scope.inputs]
    values = [value for part in given for value in part]
    same = [values.index(value) for value in values]
    shapes = [[value.shape for value in part] for part in given]
    return f"{_kinds(scope)} {scope.arguments} {shapes} {same}"


def _helper(name: str, title: str) -> str:
    """The text of a class that modules carry themselves; `2d` at its end says for which maps."""
    match = re.fullmatch(r"(\w+?)([123])d", name)
    base, rank = (match[1], int(match[2])) if match else (name, 0)
    return _environment().get_template(f"helpers/{base}.py.jinja").render(name=title, rank=rank)


class _Cache(FileSystemBytecodeCache):
    """Where there is no room for it, there is none."""

    def load_bytecode(self, bucket: Bucket) -> None:
        if resources.is_cache_file(self._get_cache_filename(bucket)):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


@cache
def _environment() -> Environment:
    folder = resources.cache_folder()
    code = None
    if folder is not None:
        code = _Cache(folder, "template-%s")
    return Environment(
        loader=FileSystemLoader(resources.TEMPLATES),
        bytecode_cache=code,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
