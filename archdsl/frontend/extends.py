"""`extends` and `set`: a definition merged into the one that it extends."""

from __future__ import annotations

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Span
from archdsl.frontend import ast
from archdsl.frontend.ast import walk
from archdsl.frontend.bindings import bound_names, line_name, mentioned_names
from archdsl.frontend.outline import Outline, Outlined
from archdsl.frontend.python_names import class_name
from archdsl.frontend.units import Definitions, Unit


class Merger:
    """Merges a definition into the one it extends."""

    def __init__(
        self, program: Definitions, definition: ast.Definition, parent: Unit | None
    ) -> None:
        self.program = program
        self.definition = definition
        self.parent = parent
        self.body: list[ast.Statement] = list(parent.written) if parent else []
        self.mistakes: list[errors.Diagnostic] = list(parent.mistakes) if parent else []

    def unit(self) -> Unit:
        """The merged unit."""
        definition, parent = self.definition, self.parent
        docs: list[str] = []
        inputs: list[ast.Input] = []
        variants = _inherited(parent.variants) if parent and parent.variants else None
        sets: list[ast.Set] = []
        own: list[ast.Statement] = []
        self.body = [s for s in self.body if not isinstance(s, ast.Expect)]
        for statement in definition.body:
            if isinstance(statement, ast.Doc):
                docs.append(statement.text)
            elif isinstance(statement, ast.Input):
                if definition.kind != "arch":
                    raise errors.InputInBlock(statement.span, name=statement.name)
                inputs.append(statement)
            elif isinstance(statement, ast.Variants):
                if definition.kind != "arch":
                    raise errors.VariantsInBlock(statement.span)
                variants = statement
            elif isinstance(statement, ast.Set):
                sets.append(statement)
            else:
                own.append(statement)
        self._place(own)
        if sets:
            self._set_all(sets)
        parameters = self._parameters()
        aliases = self._aliases(inputs)
        if not inputs and parent:
            inputs = list(parent.inputs)
        if definition.kind == "arch" and not inputs:
            raise errors.NoInput(definition.span, name=definition.name)
        self._check_order([*parameters, *inputs])
        outline = _outline(parameters, inputs, aliases)
        return Unit(
            kind=definition.kind,
            name=definition.name,
            class_name=definition.class_name or class_name(definition.name, definition.kind),
            docs=tuple(docs) or (parent.docs if parent else ()),
            parameters=parameters,
            body=outline.body(tuple(self.body)),
            inputs=tuple(inputs),
            aliases=aliases,
            variants=variants,
            span=definition.span,
            program=self.program,
            written=tuple(self.body),
            blocks=_blocks(outline.blocks, self.program),
            mistakes=tuple(self.mistakes),
        )

    def _parameters(self) -> tuple[ast.Parameter, ...]:
        merged: dict[str, ast.Parameter] = {}
        if self.parent:
            merged = {p.name: p for p in self.parent.parameters}
        seen: dict[str, Span] = {}
        for parameter in self.definition.parameters or ():
            if parameter.name in seen:
                raise twice(parameter.name, parameter.span, seen[parameter.name])
            seen[parameter.name] = parameter.span
            if parameter.kind == "tensor":
                if self.definition.kind == "arch":
                    raise errors.TensorOfArch(parameter.span, name=parameter.name)
                if not isinstance(parameter.default, ast.Absent | None):
                    raise errors.TensorDefault(parameter.default.span, name=parameter.name)
            merged[parameter.name] = parameter
        if self.definition.kind == "block" and not any(p.kind for p in merged.values()):
            x = ast.Parameter(self.definition.span, "x", "tensor", None)
            if "x" in merged:
                raise errors.DefinedTwice(merged["x"].span, name="x")
            return (x, *merged.values())
        return tuple(merged.values())

    def _aliases(self, inputs: list[ast.Input]) -> tuple[tuple[str, str], ...]:
        parent = self.parent
        if parent is None:
            return ()
        if not inputs:
            return parent.aliases
        if len(inputs) != len(parent.inputs):
            problem = errors.OtherInputs(
                inputs[0].span, name=parent.name, count=len(parent.inputs), given=len(inputs)
            )
            raise problem.labelled(parent.inputs[0].span, f"inputs of `{parent.name}`")
        renamed = {old.name: new.name for old, new in zip(parent.inputs, inputs)}
        older = [(alias, renamed[name]) for alias, name in parent.aliases]
        return (*older, *((old, new) for old, new in renamed.items() if old != new))

    def _place(self, own: list[ast.Statement]) -> None:
        """Put statements in the places of the parent's lines of the same names, or where needed.

        A new line stands before the first that mentions what it names; one that names nothing
        (`require`, `default`) as early as what it mentions allows.
        """
        if self.parent is None:
            self.body = own
            return
        body = self.body
        at = {_line_key(line): i for i, line in enumerate(body)}
        end = next((i for i, line in enumerate(body) if isinstance(line, ast.Return)), len(body))
        added: list[ast.Statement] = []
        for statement in own:
            key = _line_key(statement)
            if key is not None and key in at:
                body[at.pop(key)] = statement
            else:
                added.append(statement)
        if not added:
            return
        bound: dict[str, int] = {}
        needed: dict[str, int] = {}
        lets = {line.name for line in (*body, *own) if isinstance(line, ast.Let)}
        for i in reversed(range(end)):
            needed.update(dict.fromkeys(mentioned_names(body[i], lets), i))
            for name in bound_names(body[i]):
                bound.setdefault(name, i)
        new = {name for statement in added for name in bound_names(statement)}
        first: dict[int, list[ast.Statement]] = {}
        before: dict[int, list[ast.Statement]] = {}
        # From the last to the first, so that each finds those that need it.
        for statement in reversed(added):
            names, mentioned = bound_names(statement), mentioned_names(statement, lets)
            if names or isinstance(statement, ast.Return):
                place = min((needed[name] for name in names if name in needed), default=end)
            else:
                alike = (i for i in range(end) if type(body[i]) is type(statement))
                after = [bound[name] for name in mentioned if name in bound]
                place = max((*alike, *after), default=-1) + 1
            group = before if names or mentioned & new else first
            group.setdefault(place, []).append(statement)
            for name in mentioned:
                needed[name] = min(place, needed.get(name, end))
        self.body = []
        for i, line in enumerate([*body, None]):
            self.body += reversed(first.get(i, ()))
            self.body += reversed(before.get(i, ()))
            if line is not None:
                self.body.append(line)

    def _check_order(self, given: list[ast.Parameter | ast.Input]) -> None:
        """Every name once, and `return` last."""
        named: dict[str, Span] = {}

        def name_it(name: str, span: Span) -> None:
            if name in named:
                raise twice(name, span, named[name])
            named[name] = span

        for item in given:
            name_it(item.name, item.span)
        for i, line in enumerate(self.body):
            if isinstance(line, ast.Return):
                if i + 1 < len(self.body):
                    problem = errors.AfterReturn(self.body[i + 1].span)
                    raise problem.labelled(line.span, "returned here")
                return
            if isinstance(line, ast.Assign):
                for target in line.targets:
                    name_it(target.name, target.span)
            else:
                for name in line_name(line) or ():
                    name_it(name, line.span)
        definition = self.definition
        raise errors.NoReturn(definition.span, kind=definition.kind, name=definition.name)

    def _set_all(self, sets: list[ast.Set]) -> None:
        lines: dict[str, list[int]] = {}
        for i, line in enumerate(self.body):
            names = line_name(line) or ()
            for name in {*names, "/".join(names)}:
                lines.setdefault(name, []).append(i)
        for statement in sets:
            name, *inside = statement.path
            for i in lines.get(name, ()):
                changed = _override(self.body[i], inside, statement)
                if changed is not None:
                    self.body[i] = changed
                    break
            else:
                path = ".".join(statement.path)
                self.mistakes.append(
                    errors.NothingToSet(statement.path_span, path=path, hint=self._paths(name))
                )

    def _paths(self, name: str) -> str:
        known = [path for line in self.body for path in _settable(line)]
        near = [path for path in known if path.split(".")[0] == name]
        near = near or known
        return "there are " + ", ".join(near[:12]) if near else "nothing here can be set"


def twice(name: str, span: Span, first: Span) -> errors.Diagnostic:
    """The mistake of a name given a second time."""
    return errors.DefinedTwice(span, name=name).labelled(first, "first occurrence")


def _line_key(statement: ast.Statement) -> object:
    """Key shared by a line of a child and the line of its parent that it replaces."""
    name = line_name(statement)
    return None if name is None else (isinstance(statement, ast.Return), name)


def _outline(
    parameters: tuple[ast.Parameter, ...],
    inputs: list[ast.Input],
    aliases: tuple[tuple[str, str], ...],
) -> Outline:
    tensors = [p for p in parameters if p.kind == "tensor"]
    return Outline(
        [*(p.name for p in tensors), *(i.name for i in inputs), *(old for old, _ in aliases)],
        [p.name for p in tensors if p.default is not None],
        [p.name for p in parameters if p.kind != "tensor"],
    )


def _blocks(outlined: dict[ast.Node, Outlined], program: Definitions) -> dict[ast.Node, Unit]:
    """The bodies of labelled repeats as units."""
    return {
        key: Unit(
            kind="block",
            name=block.name,
            class_name=class_name(block.name, "block"),
            docs=(),
            parameters=block.parameters,
            body=block.body,
            inputs=(),
            aliases=(),
            variants=None,
            span=block.span,
            program=program,
            blocks=_blocks(block.blocks, program),
            outlined=True,
        )
        for key, block in outlined.items()
    }


def _override(line: ast.Statement, path: list[str], statement: ast.Set) -> ast.Statement | None:
    """The line with the arguments of a row or a step changed; none where the path leads nowhere."""
    value = getattr(line, "value", None)
    values = [value] if value is not None else list(getattr(line, "values", ()))
    for flow in values:
        while isinstance(flow, ast.Guard | ast.Conditional):
            flow = flow.value
        if not isinstance(flow, ast.Flow):
            continue
        for i, step in enumerate(flow.steps):
            changed: ast.Call | ast.Stages | None = None
            if isinstance(step, ast.Stages):
                inside = path[1:] if path and path[0] == str(i) else path
                changed = _override_row(step, inside, statement)
            elif path == [str(i)] or (not path and len(flow.steps) == 1):
                changed = step.replace(overrides=(*step.overrides, *statement.arguments))
            if changed is not None:
                steps = (*flow.steps[:i], changed, *flow.steps[i + 1 :])
                new = _swap(line, flow, flow.replace(steps=steps))
                assert isinstance(new, ast.Statement)
                return new
    return None


def _override_row(table: ast.Stages, path: list[str], statement: ast.Set) -> ast.Stages | None:
    number = 0
    for i, row in enumerate(table.table):
        if isinstance(row, ast.Row):
            number += 1
            if path in ([f"stage{number}"], [row.label]):
                changed = row.replace(overrides=(*row.overrides, *statement.arguments))
                new: ast.Stages = table.replace(
                    table=(*table.table[:i], changed, *table.table[i + 1 :])
                )
                return new
    return None


def _settable(line: ast.Statement) -> list[str]:
    names = line_name(line)
    values = [n for n in walk(line) if isinstance(n, ast.Flow)]
    if not names or not values:
        return []
    paths = []
    for i, step in enumerate(values[0].steps):
        if isinstance(step, ast.Stages):
            rows = [row for row in step.table if isinstance(row, ast.Row)]
            paths += [f"{names[0]}.{row.label or f'stage{n}'}" for n, row in enumerate(rows, 1)]
        else:
            paths.append(names[0] if len(values[0].steps) == 1 else f"{names[0]}.{i}")
    return paths


def _swap(node: object, old: ast.Node, new: ast.Node) -> object:
    """A node with one node in it exchanged for another."""
    if node is old:
        return new
    if isinstance(node, ast.Node):
        changes = {}
        for name in node.fields:
            value = getattr(node, name)
            changed = value if name == "span" else _swap(value, old, new)
            if changed is not value:
                changes[name] = changed
        return node.replace(**changes) if changes else node
    if type(node) is tuple:
        items = tuple(_swap(item, old, new) for item in node)
        return items if any(a is not b for a, b in zip(items, node)) else node
    return node


def _inherited(variants: ast.Variants) -> ast.Variants:
    """Variants for a child: what a row says of parameters. What it costs is the parent's alone."""

    def cell(cell: ast.Cell, place: int) -> ast.Cell:
        columns = variants.columns
        name = cell.name or (columns[place].name if place < len(columns) else None)
        value = None if name in ("params", "macs", "as") else cell.value
        return ast.Cell(cell.span, cell.name, value)

    rows = (
        ast.Variant(row.span, row.name, tuple(cell(c, i) for i, c in enumerate(row.cells)))
        for row in variants.rows
    )
    return ast.Variants(variants.span, variants.columns, tuple(rows))
