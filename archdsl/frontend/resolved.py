"""A spec after `use`, `extends` and `set`: one text of complete definitions.

The text is a spec by itself, of the same networks: blocks come before what calls them, and where
several files give one name to different blocks, all but one get another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.frontend import ast
from archdsl.frontend.formatter import format_text
from archdsl.frontend.scopes import names_of
from archdsl.frontend.units import Unit
from archdsl.frontend.writer import write
from archdsl.ops import OPERATIONS, WORDS
from archdsl.ops.numbers import is_function


def resolved_text(unit: Unit) -> str:
    """A unit, and before it all that it calls."""
    found = _Found()
    found.collect(unit)
    names = found.names(unit)
    definitions = (_Resolver(one, found.calls[one], names).definition() for one in found.order)
    return format_text("\n".join(map(write, definitions)) + "\n")


class _Found:
    """A unit and all below it."""

    def __init__(self) -> None:
        self.calls: dict[Unit, dict[ast.Node, Unit]] = {}
        """What each name in the text of a unit calls."""
        self.order: list[Unit] = []
        """The units, callees first."""
        self.fixed: dict[Unit, None] = {}
        """Those with names that parameters have, too: their values decide what is called."""

    def collect(self, unit: Unit) -> None:
        """Take in a unit and what it calls. Raises `DiagnosticError` for lines without effect."""
        if unit.mistakes:
            raise DiagnosticError([*unit.mistakes])
        called = self.calls[unit] = {}
        for node, callee, is_fixed in _calls(unit):
            called[node] = callee
            if is_fixed:
                self.fixed[callee] = None
            if callee not in self.calls:
                self.collect(callee)
        self.order.append(unit)

    def names(self, root: Unit) -> dict[Unit, str]:
        """A name of its own for each unit; the outermost keeps its."""
        names = {root: root.name}
        for unit in (*self.fixed, *self.order):
            if unit in names:
                continue
            name, number = unit.name, 1
            while name in names.values() or unit not in self.fixed and _is_built_in(name):
                number += 1
                name = f"{unit.name}_{number}"
            names[unit] = name
        return names


def _calls(unit: Unit) -> Iterator[tuple[ast.Node, Unit, bool]]:
    """The names in the text of a unit that mean blocks, and whether they may mean a value, too."""
    nodes = list(ast.walk((unit.parameters, unit.variants, unit.written)))
    held = {parameter.name for parameter in unit.parameters}
    held |= {node.name for node in nodes if isinstance(node, ast.Let)}
    held |= {node.variable for node in nodes if isinstance(node, ast.Repeat)}
    tensors = {tensor.name for tensor in unit.tensors} | {alias for alias, _ in unit.aliases}
    lines = [node for node in nodes if isinstance(node, ast.Assign)]
    tensors |= {target.name for line in lines for target in line.targets}
    early = _early(unit)
    headers = [node for node in nodes if isinstance(node, ast.Header | ast.Variants)]
    columns = {column for header in headers for column in header.columns}
    for node in nodes:
        if not isinstance(node, ast.Call | ast.Row | ast.Name) or node in columns:
            continue
        is_held = node.name in held
        if isinstance(node, ast.Name) and (is_held or node.name in tensors and node not in early):
            continue
        callee = unit.program.find(node.name, node.span.source)
        if callee is not None:
            yield node, callee, is_held


def _early(unit: Unit) -> set[ast.Node]:
    """The names that are read before the line of this name; they mean something else."""
    return names_of(unit).early.union(*map(_early, unit.blocks.values()))


def _is_built_in(name: str) -> bool:
    """True if a name means something where no file defines it."""
    return name in OPERATIONS or name in WORDS or is_function(name)


class _Resolver:
    """Writes a unit as a definition."""

    def __init__(self, unit: Unit, called: dict[ast.Node, Unit], names: dict[Unit, str]) -> None:
        self._unit = unit
        self._called = called
        self._names = names
        self._aliases = dict(unit.aliases)

    def definition(self) -> ast.Definition:
        """The unit with its parents merged in."""
        unit = self._unit
        body = (
            *(ast.Doc(unit.span, text) for text in unit.docs),
            *([self._changed(unit.variants)] if unit.variants else []),
            *self._changed(unit.inputs),
            *self._changed(unit.written),
        )
        parameters = self._changed(unit.parameters) or None
        name = self._names[unit]
        return ast.Definition(unit.span, unit.kind, name, parameters, None, unit.class_name, body)

    def _changed(self, node: Any) -> Any:
        """A piece of the text with the final names, and with what `set` says."""
        if type(node) is tuple:
            return tuple(map(self._changed, node))
        if not isinstance(node, ast.Node) or isinstance(node, ast.Header):
            return node
        callee = self._called.get(node)
        changes = {field: self._changed(getattr(node, field)) for field in node.fields}
        changes["span"] = node.span
        if callee is not None:
            changes["name"] = self._names[callee]
        elif isinstance(node, ast.Name):
            changes["name"] = self._aliases.get(node.name, node.name)
        if isinstance(node, ast.Stages):
            changes["table"] = tuple(_rows(changes["table"]))
        new = node.replace(**changes)
        if isinstance(node, ast.Call) and node.overrides:
            return self._overridden(node, new, callee)
        return new

    def _overridden(self, old: ast.Call, new: ast.Call, callee: Unit | None) -> ast.Call:
        """A step with the arguments that `set` gives, over those of the same parameters."""
        if callee is not None:
            numbers = [parameter.name for parameter in callee.numbers]
        else:
            numbers = list(OPERATIONS[old.name].parameters) if old.name in OPERATIONS else []
        over = {argument.name: argument for argument in new.overrides}
        arguments = []
        position = 0
        for written, argument in zip(old.arguments, new.arguments):
            name = argument.name
            if name is None and not names_of(self._unit).is_tensor(written.value):
                name = numbers[position] if position < len(numbers) else None
                position += 1
            if name in over:
                argument = argument.replace(value=over.pop(name).value)
            arguments.append(argument)
        changed: ast.Call = new.replace(
            arguments=(*arguments, *over.values()), overrides=(), written=True
        )
        return changed


def _rows(table: tuple[ast.Header | ast.Row, ...]) -> Iterator[ast.Header | ast.Row]:
    """The lines of a table, the cells of each row with what `set` says."""
    columns: list[str] = []
    for line in table:
        if isinstance(line, ast.Header):
            columns = [column.name for column in line.columns]
        elif line.overrides:
            over = {argument.name: argument.value for argument in line.overrides}
            cells = []
            position = 0
            for cell in line.cells:
                name = cell.name
                if name is None:
                    name = columns[position] if position < len(columns) else None
                    position += 1
                cells.append(cell.replace(value=over.pop(name, cell.value)))
            more = [ast.Cell(value.span, name, value) for name, value in over.items()]
            line = line.replace(cells=(*cells, *more), overrides=())
        yield line
