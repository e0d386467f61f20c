"""The lines of one class: its docstring, its constructor, `forward`, `forward_features`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from archdsl.backends.pytorch.classes import Builder
from archdsl.backends.pytorch.code import (
    INDENT,
    WIDTH,
    Code,
    Either,
    Invoke,
    Plain,
    Repeated,
    Rows,
    lay_out,
    names_in,
    plain,
)
from archdsl.backends.pytorch.docstrings import Docstring
from archdsl.backends.pytorch.forward import Forward, Line, wrap
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Argument, Assign, Plan
from archdsl.backends.pytorch.settle import settle
from archdsl.backends.pytorch.sites import class_of
from archdsl.backends.pytorch.straight import Straight
from archdsl.backends.pytorch.symbols import NotOpen, annotation, python
from archdsl.elaborate.expressions import OperationValue
from archdsl.frontend import ast
from archdsl.ir.graph import Graph
from archdsl.ops import OPERATIONS

if TYPE_CHECKING:
    from archdsl.backends.pytorch.source import Writer


NESTED = re.compile(r"\bself\.\w+(\[\d+\]){2}")
"""A layer in a list of lists."""


class ClassText:
    """The lines of one class. Classes are written from the innermost up: arguments depend on it."""

    def __init__(self, writer: Writer, plan: Plan) -> None:
        self.writer = writer
        self.plan = plan
        self.served = [plan]
        """The plans that came to this class."""
        self.name = plan.name
        builder = plan.builder
        self.builder = builder
        self.is_network = plan.scopes[0].parent is None
        self.attributes = {name: settle(code, plan) for name, code in builder.attributes().items()}
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
        self.docstring = self._docstring()
        self.doc = self.docstring.lines(1)
        self.signature = self._signature()
        self.init = self._init()
        self.forward = self._forward()
        self.features = self._features()

    def all_lines(self) -> list[str]:
        return [*self.signature, *self.init, *self.initialise, *self.forward, *self.features]

    def _arguments(self) -> list[Argument]:
        names = self.plan.names
        fractions = self.plan.fractions | (self.plan.factors - self.plan.counts)
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
            default = (
                python(values[0]) if self.is_network else self._default(parameter.default)
            )
            sample = parameter.default
            kinds = list(values)
            if default is not None and isinstance(sample, ast.Number):
                kinds.append(sample.value)
            if isinstance(sample, ast.Absent):
                kinds.append(None)
            elif isinstance(sample, ast.Number) and all(isinstance(v, tuple) for v in values):
                kinds, default = values, None  # the default is another use's
            if name in fractions:
                if opened := self.plan.open.get(parameter.name, frozenset()):
                    if name in self.plan.counts:
                        raise NotOpen(opened)  # a count here, a rate there
                kinds.append(0.0)
                default = _as_float(default)
            note = self._note(parameter)
            argument = Argument(name, parameter.name, annotation(kinds), default, note)
            (required if default is None else optional).append(argument)
        return [*sizes, *required, *optional]

    def _default(self, expression: ast.Expression | None) -> str | None:
        """A parameter's default as Python, where it depends on nothing."""
        if isinstance(expression, ast.Tuple):
            items = [self._default(item) for item in expression.items]
            if None in items:
                return None
            return f"({', '.join(map(str, items))}{',' * (len(items) == 1)})"
        if isinstance(expression, ast.Name):
            unit = self.plan.unit
            known = {parameter.name for parameter in unit.parameters}
            if expression.name in known or expression.name not in OPERATIONS:
                return None
            if unit.program.defines(expression.name, expression.span.source):
                return None
            return class_of(OperationValue(OPERATIONS[expression.name]))
        return default_text(expression)

    def _note(self, parameter: ast.Parameter) -> str | None:
        """What the spec's texts say of a parameter."""
        for doc in self.plan.unit.docs[1:]:
            if doc.startswith(f"{parameter.name}: "):
                return doc[len(parameter.name) + 2 :]
        return None

    def _docstring(self) -> Docstring:
        unit = self.plan.unit
        names = {f"{parameter.name}: " for parameter in unit.parameters}
        if not unit.docs and not self.is_network:
            return Docstring([])
        first = unit.docs[0] if unit.docs else f"{self.name}."
        paragraphs = [d for d in unit.docs[1:] if not any(d.startswith(name) for name in names)]
        if self.is_network:
            graph = self.writer.graph
            what = first.split(". ")[0].rstrip(".")
            *others, last = [_shape_text(v.name, v.shape) for v in graph.inputs]
            inputs = f"{', '.join(others)} and {last}" if others else last
            outputs = ", ".join(
                self._output_text(output.name, output.value.shape) for output in graph.outputs
            )
            first = f"{what}: {inputs} to {outputs}."
        notes = {argument.name: argument.note for argument in self.arguments if argument.note}
        return Docstring([[text] for text in (first, *paragraphs)], notes)

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

    def _inputs(self, builder: Builder | Straight) -> list[Var]:
        return [v for i, v in enumerate(builder.inputs) if not self.plan.is_absent(i)]

    def _forward(self) -> list[str]:
        builder = self.builder
        inputs = self._inputs(builder)
        statements = _needed(builder.statements, builder.returns)
        fixed = self.writer.fixed
        body = Forward(inputs, statements, fixed, self.is_network)
        pieces = zip(builder.returns, builder.training)
        kind = _type_of([piece for piece, training in pieces if not training])
        if any(builder.training):
            kind += f" | {_type_of(builder.returns)}"
        lines = body.lines(builder.returns, builder.training)
        if body.widened:
            body = Forward(inputs, statements, fixed, self.is_network, body.widened)
            lines = body.lines(builder.returns, builder.training)
        return self._method("forward", inputs, kind, "", lines)

    def _features(self) -> list[str]:
        """`forward_features`, where rows of the network's tables have labels."""
        labels = labelled(self.writer.graph) if self.is_network else {}
        if not labels:
            return []
        builder = type(self.builder)(self.writer, self.plan, labels)
        builder.build()
        found: dict[str, Piece] = {}
        for line, names in labels.items():
            taps = builder.taps.get(line, {})  # none where nobody needs the table
            for name in [name for name in names if name in taps]:
                key = f"{line}.{name}" if name in found else name
                found[key] = Piece(taps[name], typed=True)
        if not found:
            return []
        inputs = self._inputs(builder)
        body = Forward(inputs, _needed(builder.statements, found.values()), self.writer.fixed)
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
        return [*head, *(INDENT * 2 + _typed(line) for line in body)]


def _typed(line: str) -> str:
    """A line of `forward`; type checkers know no items of what is an item of a list of layers."""
    return f"{line}  # type: ignore[index]" if NESTED.search(line) else line


# Constructors


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
    tables = [value for value in code.parts() if isinstance(value, Rows)]
    if isinstance(code, Invoke) and len(tables) == 1:
        items: list[tuple[str, Code]] = []
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
        flow = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(flow, ast.Flow) and len(flow.steps) == 1:
            stages = graph.root.frame.loops.get(flow.steps[0], ())
            labels = [stage.name for stage in stages if stage.row.label and stage.repeats]
            if labels and isinstance(statement, ast.Assign):
                found[statement.targets[0].name] = labels
    return found


def _needed(statements: list[Line], wanted: Iterable[Piece]) -> list[Line]:
    """The statements without those that nothing that is wanted needs."""
    needed = {v for piece in wanted for v in piece.variables()}
    kept: list[Line] = []
    for statement in reversed(statements):
        body = [statement] if isinstance(statement, Assign) else statement.body
        if any(target in needed for assign in body for target in assign.targets):
            needed |= {v for assign in body for v in assign.piece.variables()}
            kept.append(statement)
    return kept[::-1]


# Text


def default_text(expression: ast.Expression | None) -> str | None:
    """A number, a truth value or `none` as Python."""
    if isinstance(expression, ast.Number | ast.Truth):
        return python(expression.value)
    if isinstance(expression, ast.Absent):
        return "None"
    if isinstance(expression, ast.Minus) and isinstance(expression.operand, ast.Number):
        return f"-{python(expression.operand.value)}"
    return None


def _as_float(text: str | None) -> str | None:
    """The default of an argument that is a float."""
    return f"{text}.0" if text is not None and text.lstrip("-").isdecimal() else text


def _type_of(returned: list[Piece]) -> str:
    kinds = ["list[Tensor]" if piece.many else "Tensor" for piece in returned]
    return kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"


def _shape_text(name: str, shape: tuple[int, ...]) -> str:
    return f"{name} (N, {', '.join(map(str, shape))})"
