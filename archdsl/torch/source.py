"""From the checked graph to the text of a Python module."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterator
from functools import cache

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from archdsl import __version__, costs, resources, tables, tree
from archdsl.graph import Frame, Graph, Node, Scope, Stage, Value
from archdsl.naming import Names
from archdsl.resolve import Unit, walk
from archdsl.torch import initialise
from archdsl.torch.classes import (
    FRESH,
    Alike,
    Argument,
    Assign,
    Builder,
    NewBlock,
    Plan,
    Rows,
    StepSite,
    class_of,
)
from archdsl.torch.code import (
    INDENT,
    WIDTH,
    Code,
    Either,
    Invoke,
    Listed,
    Plain,
    Repeated,
    flat,
    lay_out,
    names_in,
    plain,
)
from archdsl.torch.forward import Forward, Line, wrap
from archdsl.torch.layers import LAYERS
from archdsl.torch.pieces import Piece, Var
from archdsl.torch.symbols import NotExpressible, NotOpen, OperationValue, annotation, python

CLASS_NAMES_TAKEN = {"Tensor", "nn", "torch", *keyword.kwlist}


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
    for statement in unit.inputs:
        for size in statement.sizes[1:]:
            settled |= _names(size)
    for statement in unit.body:
        if isinstance(statement, tree.Require | tree.Return | tree.Assign):
            for node in walk(statement):
                if isinstance(node, tree.Stages):
                    settled |= _names(node)
                elif isinstance(node, tree.Guard | tree.Conditional):
                    settled |= _names(node.condition)
        else:
            settled |= _names(statement)
    return frozenset(candidates - settled)


def _names(node: tree.Node) -> set[str]:
    return {inner.name for inner in walk(node) if isinstance(inner, tree.Name)}


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
        self._plan_of: dict[Scope, Plan] = {}
        self._entries: dict[Unit, dict[int, dict[str, tree.Expression]]] = {}
        self._taps: dict[Unit, dict[str, set[str]]] = {}
        self._readers: dict[Value, int] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self._readers[value] = self._readers.get(value, 0) + 1
        for output in graph.outputs:
            self._readers[output.value] = self._readers.get(output.value, 0) + 1

    # What the builders ask

    def plan_of(self, scope: Scope) -> Plan:
        return self._plan_of[scope]

    def names_of(self, unit: Unit) -> Names:
        return unit.names

    def helper(self, name: str) -> str:
        """Ask for a class or function that the module carries itself; gives its name there."""
        title, number = name, 1
        while title in self.titles:
            number += 1
            title = f"{name}{number}"
        self.helpers[name] = title
        return title

    def may_overwrite(self, node: Node) -> bool:
        """Whether an activation may write into its input: one nobody else reads or keeps."""
        value = node.inputs[0]
        maker = value.node
        return (
            maker is not None
            and maker.scope is node.scope
            and maker.operation.name in FRESH
            and self._readers[value] == 1
        )

    def taps_of(self, unit: Unit) -> dict[str, set[str]]:
        """For each line of a unit the rows of its table that are read elsewhere."""
        if unit not in self._taps:
            taps: dict[str, set[str]] = {}
            for node in walk(unit.body):
                if isinstance(node, tree.Field) and isinstance(node.of, tree.Name):
                    if len(node.name) > 1:
                        taps.setdefault(node.of.name, set()).add(node.name)
            self._taps[unit] = taps
        return self._taps[unit]

    def entries(self, stage: Stage) -> dict[str, tree.Expression]:
        """What a row and its table say of each parameter."""
        unit = stage.scope.unit
        if unit not in self._entries:
            found: dict[int, dict[str, tree.Expression]] = {}
            for node in walk(unit.body):
                if isinstance(node, tree.Stages):
                    shared = {a.name: a.value for a in node.arguments if a.name}
                    for row in tables.plan(node):
                        own = {name: entry.value for name, entry in row.entries.items()}
                        found[id(row.row)] = {**shared, **own}
            self._entries[unit] = found
        return self._entries[unit][id(stage.row)]

    def entry(self, stage: Stage, name: str) -> tree.Expression | None:
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
            failed = self._build_all()
            if failed is None:
                return
            parts = _parted(failed.scopes)
            if len(parts) > 1:
                groups = self.groups[failed.unit]
                groups[groups.index(failed.scopes) : groups.index(failed.scopes) + 1] = parts
            elif not failed.unrolled:
                self.unrolled.add(failed.scopes[0])
            else:
                raise AssertionError(f"no class for {failed.unit.name}")

    def _plan(self, order: list[Unit]) -> None:
        self.plans = []
        self.titles.clear()
        taken = set(CLASS_NAMES_TAKEN)
        for unit in order:
            for scopes in self.groups[unit]:
                is_network = scopes[0].parent is None
                wanted = self.class_name if is_network else unit.class_name
                name, number = wanted, 1
                while name in taken:
                    number += 1
                    name = f"{wanted}{number}"
                taken.add(name)
                self.titles.add(name)
                plan = Plan(unit, scopes, name, scopes[0] in self.unrolled)
                if is_network:
                    plan.open = {parameter: frozenset([parameter]) for parameter in self.opened}
                self.plans.append(plan)
                for scope in scopes:
                    self._plan_of[scope] = plan

    def _build_all(self) -> Plan | None:
        for plan in self.plans:
            plan.builder = Builder(self, plan)
            try:
                plan.builder.build()
            except NotExpressible:
                return plan
        # From the innermost up: a use is given what the class that it is of asks for.
        self.classes = []
        try:
            self.classes += [ClassText(self, plan) for plan in reversed(self.plans)]
        except NotTold as problem:
            return problem.plan
        return None

    # Writing

    def render(self, spec: str) -> str:
        """The text of the module."""
        classes = self.classes
        classes[-1].initialise = initialise.reset_parameters(
            self.graph.nodes, self._layer_class, self._place
        )
        lines = [line for text in classes for line in text.all_lines()]
        helpers = self._helpers(lines)
        needs_torch = any("torch." in line for line in lines + helpers)
        template = _environment().get_template("module.py.jinja")
        return template.render(
            header=self._header(spec),
            imports_torch=needs_torch,
            helpers=helpers,
            classes=classes,
        )

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
        """The class of a layer in PyTorch."""
        site = StepSite(self.plans[0].builder, {node.scope.frame: node}, None, None)
        return LAYERS[node.operation.name](site).function

    def _place(self, node: Node) -> tuple[str, str]:
        """The class that holds a layer (empty: the network's own), and the layer's name in it."""
        plan = self.plan_of(node.scope)
        return ("" if node.scope.parent is None else plan.name), ".".join(node.name)

    def _header(self, spec: str) -> list[str]:
        graph = self.graph
        docs = graph.unit.docs or (f"{self.class_name}.",)
        size = "x".join(map(str, graph.inputs[0].shape))
        cost = costs.total(graph)
        million = f"{cost.macs / 1e6:,.1f} M" if cost.macs >= 1e5 else f"{cost.macs:,}"
        variant = f", variant {graph.variant}" if graph.variant else ""
        lines = _docstring_lines('"""' + docs[0], 0)
        lines += [
            "",
            f"{cost.params:,} parameters, {million} multiply-accumulates at {size}.",
            *_docstring_lines(f"Generated by archdsl {__version__} from {spec}{variant}.", 0),
            '"""',
        ]
        return lines


class NotTold(Exception):
    """A class asks for an argument that some use of it cannot express."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan


class ClassText:
    """The lines of one class. Classes are written from the innermost up: arguments depend on it."""

    def __init__(self, writer: Writer, plan: Plan) -> None:
        self.writer = writer
        self.plan = plan
        self.name = plan.name
        builder = plan.builder
        self.builder = builder
        self.is_network = plan.scopes[0].parent is None
        self.attributes = {name: settle(code) for name, code in builder.attributes().items()}
        mentioned: set[str] = set()
        for code in self.attributes.values():
            mentioned |= _mentioned(code)
        for name, symbol in list(builder.numbers.items()):
            if symbol.text in builder.locals and symbol.text not in mentioned:
                builder.numbers[name] = builder.locals[symbol.text]  # nobody else needs the local
        for symbol in builder.numbers.values():
            mentioned |= symbol.names
        for name in reversed(list(builder.locals)):
            if name in mentioned:
                mentioned |= builder.locals[name].names
        self.mentioned = mentioned
        self.arguments = self._arguments()
        plan.arguments = self.arguments
        self.initialise: list[str] = []
        self.doc = self._doc()
        self.signature = self._signature()
        self.init = self._init()
        self.forward = self._forward()
        self.features = self._features()

    def all_lines(self) -> list[str]:
        return [*self.signature, *self.init, *self.initialise, *self.forward, *self.features]

    def _arguments(self) -> list[Argument]:
        names = self.plan.names
        sizes: list[Argument] = []
        required: list[Argument] = []
        optional: list[Argument] = []
        for key in self.builder.sizes:
            if names[key] in self.mentioned:
                sizes.append(Argument(names[key], key, "int", None, None))
        for parameter in self.plan.unit.numbers:
            name = names[parameter.name]
            if name not in self.mentioned or name in self.builder.locals:
                continue
            values = [scope.arguments[parameter.name] for scope in self.plan.scopes]
            default = python(values[0]) if self.is_network else default_text(parameter.default)
            sample = parameter.default
            kinds = list(values)
            if default is not None and isinstance(sample, tree.Number):
                kinds.append(sample.value)
            if isinstance(sample, tree.Absent):
                kinds.append(None)
            note = self._note(parameter)
            argument = Argument(name, parameter.name, annotation(kinds), default, note)
            (required if default is None else optional).append(argument)
        return [*sizes, *required, *optional]

    def _note(self, parameter: tree.Parameter) -> str | None:
        """What the spec's texts say of a parameter."""
        for doc in self.plan.unit.docs[1:]:
            if doc.startswith(f"{parameter.name}: "):
                return doc[len(parameter.name) + 2 :]
        return None

    def _doc(self) -> list[str]:
        unit = self.plan.unit
        names = {f"{parameter.name}: " for parameter in unit.parameters}
        if not unit.docs and not self.is_network:
            return []
        first = unit.docs[0] if unit.docs else f"{self.name}."
        paragraphs = [d for d in unit.docs[1:] if not any(d.startswith(name) for name in names)]
        if self.is_network:
            graph = self.writer.graph
            what = first.split(". ")[0].rstrip(".")
            inputs = " and ".join(_shape_text(v.name, v.shape) for v in graph.inputs)
            outputs = ", ".join(
                self._output_text(output.name, output.value.shape) for output in graph.outputs
            )
            first = f"{what}: {inputs} to {outputs}."
        lines = _docstring_lines('"""' + first, 1)
        for paragraph in paragraphs:
            lines += ["", *_docstring_lines(paragraph, 1)]
        noted = [argument for argument in self.arguments if argument.note]
        if noted:
            lines += ["", f"{INDENT}Args:"]
            for argument in noted:
                lines += _docstring_lines(f"{argument.name}: {argument.note}", 2, hanging=True)
        if len(lines) == 1 and len(lines[0]) <= WIDTH - 3:
            return [lines[0] + '"""']
        return [*lines, INDENT + '"""']

    def _output_text(self, name: str, shape: tuple[int, ...]) -> str:
        sizes = [str(size) for size in shape]
        for argument in self.arguments:
            if argument.kind == "int" and argument.default == sizes[0] and len(shape) == 1:
                sizes[0] = argument.name
        return f"{name} (N, {', '.join(sizes)})"

    def _signature(self) -> list[str]:
        """The head of the constructor; none where there is nothing to construct."""
        if not self.arguments and not self.attributes and not self.builder.numbers:
            return []
        written = [argument.text for argument in self.arguments]
        line = f"{INDENT}def __init__({', '.join(['self', *written])}) -> None:"
        if len(line) <= WIDTH:
            return [line]
        inner = f"{INDENT * 2}{', '.join(['self', *written])}"
        if len(inner) <= WIDTH:
            return [f"{INDENT}def __init__(", inner, f"{INDENT}) -> None:"]
        rows = [f"{INDENT * 2}{item}," for item in ["self", *written]]
        return [f"{INDENT}def __init__(", *rows, f"{INDENT}) -> None:"]

    def _init(self) -> list[str]:
        lines: list[str] = []
        for name, symbol in self.builder.locals.items():
            if name in self.mentioned:
                lines += lay_out(f"{name} = ", plain(symbol), "", 2)
        for name, code in self.attributes.items():
            lines += _attribute(name, code, self.plan.variable)
        for name, symbol in self.builder.numbers.items():
            lines += lay_out(f"self.{name} = ", plain(symbol), "", 2)
        return lines

    def _inputs(self, builder: Builder) -> list[Var]:
        return [v for i, v in enumerate(builder.inputs) if not self.plan.is_absent(i)]

    def _forward(self) -> list[str]:
        builder = self.builder
        inputs = self._inputs(builder)
        body = Forward(inputs, builder.statements, self.writer.fixed, self.is_network)
        usual = sum(not training for training in builder.training)
        kind = _tuple_type(usual)
        if any(builder.training):
            kind += f" | {_tuple_type(len(builder.returns))}"
        lines = body.lines(builder.returns, builder.training)
        return self._method("forward", inputs, kind, "", lines)

    def _features(self) -> list[str]:
        """`forward_features`, where rows of the network's tables have labels."""
        labels = labelled(self.writer.graph) if self.is_network else {}
        if not labels:
            return []
        builder = Builder(self.writer, self.plan, labels)
        builder.build()
        found: dict[str, Piece] = {}
        for line, names in labels.items():
            for name in names:
                key = f"{line}.{name}" if name in found else name
                found[key] = Piece(builder.taps[line][name], typed=True)
        inputs = self._inputs(builder)
        body = Forward(inputs, _needed(builder.statements, found), self.writer.fixed)
        body.keep(piece for piece in found.values())
        lines = body.statement_lines(list(found.values()))
        items = ", ".join(f'"{key}": {piece.text(body.name)}' for key, piece in found.items())
        lines += wrap("return ", f"{{{items}}}")
        doc = f'"""The feature maps {", ".join(found)}."""'
        return self._method("forward_features", inputs, "dict[str, Tensor]", doc, lines)

    def _method(
        self, name: str, inputs: list[Var], kind: str, doc: str, lines: list[str]
    ) -> list[str]:
        arguments = ", ".join(["self", *(f"{v.name}: {v.kind}" for v in inputs)])
        header = f"{INDENT}def {name}({arguments}) -> {kind}:"
        head = [header]
        if len(header) > WIDTH:
            head = [f"{INDENT}def {name}(", f"{INDENT * 2}{arguments}", f"{INDENT}) -> {kind}:"]
        body = ([doc] if doc else []) + lines
        return [*head, *(INDENT * 2 + line for line in body)]


# Order and parting


def units_in_order(graph: Graph) -> dict[Unit, list[Scope]]:
    """The units with their uses, each after all that use it."""
    uses: dict[Unit, list[Scope]] = {}
    calls: dict[Unit, dict[Unit, None]] = {}

    def visit_frame(frame: Frame, unit: Unit) -> None:
        for item in frame.made.values():
            if isinstance(item, Scope):
                visit(item, unit)
        for items in frame.loops.values():
            for item in items:
                if isinstance(item, Frame):
                    visit_frame(item, unit)
                else:
                    for repeat in item.repeats:
                        if isinstance(repeat.made, Scope):
                            visit(repeat.made, unit)

    def visit(scope: Scope, caller: Unit | None) -> None:
        uses.setdefault(scope.unit, []).append(scope)
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


def _parted(scopes: list[Scope]) -> list[list[Scope]]:
    """Uses with the same arguments and the same shapes, apart from others."""
    parts: dict[str, list[Scope]] = {}
    for scope in scopes:
        shapes = [getattr(value, "shape", value) for value in scope.inputs]
        key = f"{scope.arguments} {shapes} {scope.frame.defaults}"
        parts.setdefault(key, []).append(scope)
    return list(parts.values())


# Settling


def settle(code: Code) -> Code:
    """Choose the arguments of uses of other classes, which are complete by now."""
    if isinstance(code, NewBlock):
        given = dict(code.arguments)
        arguments: list[tuple[str, Code]] = []
        for argument in code.plan.arguments:
            symbol = given.get(argument.parameter)
            if symbol is None:
                raise NotTold(code.plan)
            value = plain(symbol)
            if argument.default is None:
                arguments.append(("", value))
            elif value.text != argument.default and not _same_number(value.text, argument.default):
                arguments.append((f"{argument.name}=", value))
        return Invoke(code.plan.name, tuple(arguments))
    if isinstance(code, Invoke):
        items = []
        for name, value in code.arguments:
            if isinstance(value, Alike):
                items += [("", item) for item in _grouped(value)]
            else:
                items.append((name, settle(value)))
        if code.function == "nn.Sequential" and len(items) > 3:
            if not any(isinstance(item, Rows) for _, item in items) and _are_alike(items):
                over = Plain(f"range({len(items)})")
                items = [("", Repeated(items[0][1], "_", over))]
        return Invoke(code.function, tuple(items), code.opened)
    if isinstance(code, Either):
        return Either(settle(code.value), code.condition, settle(code.otherwise))
    if isinstance(code, Repeated):
        return Repeated(settle(code.item), code.variable, code.range, code.starred)
    if isinstance(code, Rows):
        return Rows(tuple((name, settle(value), remark) for name, value, remark in code.rows))
    if isinstance(code, Listed):
        return _module_list([settle(item) for item in code.items])
    return code


def _are_alike(items: list[tuple[str, Code]]) -> bool:
    return len({name + flat(item) for name, item in items}) == 1


def _module_list(items: list[Code]) -> Code:
    """A `ModuleList`, written as a loop where its items are alike."""
    if len(items) > 1 and len({flat(item) for item in items}) == 1:
        over = Plain(f"range({len(items)})")
        return Invoke("nn.ModuleList", (("", Repeated(items[0], "_", over, starred=False)),), True)
    return Invoke("nn.ModuleList", (("", Listed(tuple(items))),), True)


def _same_number(a: str, b: str) -> bool:
    """Whether two literals differ in spelling alone: `0` and `0.0`."""
    try:
        return float(a) == float(b)
    except ValueError:
        return False


def _grouped(code: Alike) -> list[Code]:
    """The layers of a row: a loop in place of those that are alike, or follow a formula."""
    singles = [settle(item) for item in code.singles]
    for start in (0, 1):
        if len(singles) - start >= 3 - start and len({flat(s) for s in singles[start:]}) == 1:
            over = Plain(f"range({len(singles) - start})")
            return [*singles[:start], Repeated(singles[start], "_", over)]
    for start, loop in code.loops:
        return [*singles[:start], settle(loop)]
    return singles


def _mentioned(code: Code) -> set[str]:
    """The local names in an expression; a class that is called may be one (`act()`)."""
    names = set(names_in(code))
    for part in _parts(code):
        if isinstance(part, Invoke) and part.function.isidentifier():
            names.add(part.function)
    return names


def _parts(code: Code) -> Iterator[Code]:
    yield code
    inner: list[Code] = list(code.parts())
    if isinstance(code, Invoke):
        inner = [value for _, value in code.arguments]
    elif isinstance(code, Either):
        inner = [code.value, code.otherwise]
    elif isinstance(code, Repeated):
        inner = [code.item]
    for item in inner:
        yield from _parts(item)


def _attribute(name: str, code: Code, variable: str) -> list[str]:
    """The lines that make an attribute; a table's rows are lines of their own."""
    lines: list[str] = []
    if isinstance(code, Rows):
        lines.append(f"{INDENT * 2}self.{name} = nn.Sequential()")
        return lines + _rows(f"self.{name}", code)
    if isinstance(code, Invoke):
        items = []
        for key, value in code.arguments:
            if isinstance(value, Rows):
                lines.append(f"{INDENT * 2}{variable} = nn.Sequential()")
                lines += _rows(variable, value)
                items.append((key, Plain(variable)))
            else:
                items.append((key, value))
        code = Invoke(code.function, tuple(items), code.opened)
    return lines + lay_out(f"self.{name} = ", code, "", 2)


def _rows(target: str, rows: Rows) -> list[str]:
    lines: list[str] = []
    for name, code, remark in rows.rows:
        made = lay_out(f"{target}.{name} = ", code, "", 2)
        if remark:
            with_remark = f"{made[0]}  # {remark}"
            if len(with_remark) <= WIDTH:
                made[0] = with_remark
            elif len(made) == 1 and isinstance(code, Invoke):
                opened = Invoke(code.function, code.arguments, True)
                made = _opened(f"{target}.{name} = ", opened)
                made[0] += f"  # {remark}"
        lines += made
    return lines


def _opened(before: str, code: Invoke) -> list[str]:
    lines = [f"{INDENT * 2}{before}{code.function}("]
    for name, value in code.arguments:
        lines += lay_out(name, value, ",", 3)
    return [*lines, f"{INDENT * 2})"]


# Features


def labelled(graph: Graph) -> dict[str, list[str]]:
    """For the lines of the network that are tables: the labels of their rows."""
    found: dict[str, list[str]] = {}
    for statement in graph.unit.body:
        flow = statement.value if isinstance(statement, tree.Assign) else None
        if isinstance(flow, tree.Flow) and len(flow.steps) == 1:
            stages = graph.root.frame.loops.get(id(flow.steps[0]), ())
            labels = [stage.name for stage in stages if stage.row.label and stage.repeats]
            if labels and isinstance(statement, tree.Assign):
                found[statement.targets[0].name] = labels
    return found


def _needed(statements: list[Line], found: dict[str, Piece]) -> list[Line]:
    needed = {v for piece in found.values() for v in piece.variables()}
    kept: list[Line] = []
    for statement in reversed(statements):
        body = [statement] if isinstance(statement, Assign) else statement.body
        if any(target in needed for assign in body for target in assign.targets):
            needed |= {v for assign in body for v in assign.piece.variables()}
            kept.append(statement)
    return kept[::-1]


# Text


def default_text(expression: tree.Expression | None) -> str | None:
    """A parameter's default as Python, where it depends on nothing."""
    if isinstance(expression, tree.Number | tree.Truth):
        return python(expression.value)
    if isinstance(expression, tree.Absent):
        return "None"
    if isinstance(expression, tree.Minus) and isinstance(expression.operand, tree.Number):
        return f"-{python(expression.operand.value)}"
    if isinstance(expression, tree.Tuple | tree.List):
        items = [default_text(item) for item in expression.items]
        if isinstance(expression, tree.List) or None in items:
            return None
        return f"({', '.join(str(item) for item in items)}{',' * (len(items) == 1)})"
    if isinstance(expression, tree.Name):
        from archdsl.operations import OPERATIONS

        if expression.name in OPERATIONS:
            return class_of(OperationValue(OPERATIONS[expression.name]))
    return None


def _tuple_type(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _shape_text(name: str, shape: tuple[int, ...]) -> str:
    return f"{name} (N, {', '.join(map(str, shape))})"


def _docstring_lines(text: str, level: int, hanging: bool = False) -> list[str]:
    """A text of the spec as lines of a docstring: it cannot end it, and starts no escape."""
    opening = '"""' if text.startswith('"""') and not hanging else ""
    text = " ".join(text.removeprefix(opening).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    margin = INDENT * level
    more = margin + INDENT if hanging else margin
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=margin, subsequent_indent=more, break_on_hyphens=False
    )
    lines = wrapper.wrap(opening + text) or [margin + opening]
    if len(lines) == 1 and opening and len(lines[0]) > WIDTH - len(opening):
        wrapper.width -= len(opening)  # formatters would put the closing quotes on this line
        lines = wrapper.wrap(opening + text)
    return lines


def _helper(name: str, title: str) -> str:
    """The text of a class that modules carry themselves; `2d` at its end says for which maps."""
    match = re.fullmatch(r"(\w+?)([123])d", name)
    base, rank = (match[1], int(match[2])) if match else (name, 0)
    return _environment().get_template(f"helpers/{base}.py.jinja").render(name=title, rank=rank)


@cache
def _environment() -> Environment:
    folder = resources.cache_folder()
    code = None
    if folder is not None:
        code = FileSystemBytecodeCache(folder, "template-%s")
    return Environment(
        loader=FileSystemLoader(resources.TEMPLATES),
        bytecode_cache=code,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )

