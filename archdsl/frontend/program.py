"""Files and names: `use`, the standard library, `extends`. Knows no values and no shapes.

The result is a `Program`, in which every called name of every file leads to a `Unit`: a block or an
arch with its parents merged in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend import ast
from archdsl.frontend.ast import walk as walk
from archdsl.frontend.outline import Outline, Outlined
from archdsl.frontend.parser import parse
from archdsl.frontend.python_names import class_name
from archdsl.support import limits, resources
from archdsl.support.records import Record

T = TypeVar("T")


class Unit(Record):
    """A block or an arch, complete: what it extends is merged in."""

    kind: str
    name: str
    class_name: str
    docs: tuple[str, ...]
    parameters: tuple[ast.Parameter, ...]
    body: tuple[ast.Statement, ...]
    inputs: tuple[ast.Input, ...]
    aliases: tuple[tuple[str, str], ...]
    """Names that parents gave to inputs, and the names that the inputs have now."""
    variants: ast.Variants | None
    span: Span
    program: Program
    """What knows the blocks that its text can call."""
    written: tuple[ast.Statement, ...] = ()
    """The body before its labelled repeats became blocks."""
    blocks: dict[int, Unit] = {}
    """For the id of a call in a labelled repeat: the block that it calls."""
    outlined: bool = False
    """Whether it is such a block."""
    mistakes: tuple[errors.Diagnostic, ...] = ()
    """What could not be merged in: lines `set` that find nothing."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @cached_property
    def _derived(self) -> dict[Any, Any]:
        return {}

    def derived(self, make: Callable[[Unit], T]) -> T:
        """What a function makes of the unit, worked out once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        found: T = self._derived[make]
        return found

    @cached_property
    def size(self) -> int:
        """How many pieces of text it has."""
        return sum(1 for _ in walk((self.parameters, self.body)))

    @cached_property
    def facts(self) -> dict[Any, Any]:
        """What elaboration has found out about pieces of the text, by their ids; it fills this."""
        return {}

    @cached_property
    def tensors(self) -> tuple[ast.Parameter | ast.Input, ...]:
        """What flows in: the inputs of an arch; of a block its tensor parameters, or `x`."""
        return self.inputs or tuple(p for p in self.parameters if p.kind == "tensor")

    @cached_property
    def numbers(self) -> tuple[ast.Parameter, ...]:
        """The parameters that are not tensors."""
        return tuple(p for p in self.parameters if p.kind != "tensor")


class Module:
    """A file: its own definitions and those of the files it uses."""

    def __init__(self, source: Source, path: str | None) -> None:
        self.source = source
        self.path = path
        self.own: dict[str, ast.Definition] = {}
        self.used: dict[str, Module] = {}


class Program:
    """A spec with all the files it uses."""

    def __init__(self, source: Source, path: str | None = None) -> None:
        """Load a spec. `path` says where relative `use` lines lead from; without it, nowhere."""
        self._by_path: dict[str, Module] = {}
        self._by_source: dict[int, Module] = {}
        self._units: dict[tuple[int, str], Unit] = {}
        self._length = 0
        self.spent = 0
        """Work of all networks that were made of it."""
        self.evaluated: set[Unit] = set()
        """What these networks use."""
        self._root = os.path.dirname(os.path.realpath(path)) if path else None
        self.main = self._load(source, os.path.realpath(path) if path else None, ())

    @property
    def archs(self) -> list[str]:
        """Names of the archs of the spec's own file."""
        return [name for name, item in self.main.own.items() if item.kind == "arch"]

    @property
    def files(self) -> list[str]:
        """The real paths of all files read so far: its own, those it uses, those of the library."""
        return [*self._by_path]

    def adopt(self, source: Source) -> None:
        """Let text from elsewhere (an option of the command line) see the main file's names."""
        self._by_source[id(source)] = self.main
        self._adopted = source  # keeps it alive, and so its id

    def find(self, name: str, source: Source) -> Unit | None:
        """The block or arch that a name means in the text of `source`."""
        module = self._by_source[id(source)]
        unit = self._units.get((id(module), name))
        if unit is None:
            unit = self._find(name, module, ())
            if unit is not None:
                self._units[id(module), name] = unit
        return unit

    def defines(self, name: str, source: Source) -> bool:
        """Whether a name means a block or an arch in the text of `source`."""
        return name in self.names(source) or name in standard_names()

    def names(self, source: Source) -> set[str]:
        """The blocks and archs that a text sees, beside those of the standard library."""
        module = self._by_source[id(source)]
        return {*module.own, *module.used}

    def with_use(
        self, problem: errors.UnknownName, name: str, source: Source
    ) -> errors.UnknownName:
        """A mistake with the `use` that is missing, where a shipped spec has the name."""
        if os.path.isfile(os.path.join(resources.SPECS, f"{name}.arch")):
            use = f'use "{name}.arch"'
            problem.values["hint"] = f"begin the file with: {use}"
            problem.replace(Span(source, 0, 0), f"{use}\n\n")
        return problem

    # Loading

    def _load(self, source: Source, path: str | None, chain: tuple[str, ...]) -> Module:
        module = Module(source, path)
        self._by_source[id(source)] = module
        if path is not None:
            self._by_path[path] = module
        self._length += len(source.text)
        if len(self._by_source) > limits.FILES:
            raise errors.TooManyFiles(Span(source, 0, 1), limit=limits.FILES)
        if self._length > limits.SOURCE_BYTES:
            raise errors.FileTooLarge(
                Span(source, 0, 1), path=source.name, limit=limits.SOURCE_BYTES
            )
        file = parse(source)
        for definition in file.definitions:
            if definition.name in module.own:
                first = module.own[definition.name]
                raise twice(definition.name, definition.span, first.span)
            module.own[definition.name] = definition
        for use in file.uses:
            used = self._use(use, module, (*chain, path or source.name))
            for name in used.own:
                if name in module.own or module.used.get(name, used) is not used:
                    raise errors.DefinedTwice(use.span, name=name)
                module.used[name] = used
        return module

    def _use(self, use: ast.Use, module: Module, chain: tuple[str, ...]) -> Module:
        path, name = self._find_file(use, module)
        if path in chain:
            folder = os.path.dirname(chain[0])
            circle = (*chain[chain.index(path) :], path)
            names = [os.path.relpath(item, folder) for item in circle]
            raise errors.FilesUseEachOther(use.span, chain=" -> ".join(names))
        if path in self._by_path:
            return self._by_path[path]
        return self._load(read(path, name, use.span), path, chain)

    def _find_file(self, use: ast.Use, module: Module) -> tuple[str, str]:
        """The real path of a used file, and what people know it by.

        It is beside the user's file and in its tree, or shipped.
        """
        wanted = use.path
        if not wanted.endswith(".arch") or os.path.isabs(wanted) or "\0" in wanted:
            raise errors.NotASpecPath(use.span, path=wanted)
        tried = []
        if module.path is not None:
            shipped = _within(module.path, resources.SPECS)
            root = resources.SPECS if shipped else self._root
            name = os.path.normpath(os.path.join(os.path.dirname(module.source.name), wanted))
            tried.append((os.path.join(os.path.dirname(module.path), wanted), root, name))
        tried.append((os.path.join(resources.SPECS, wanted), resources.SPECS, wanted))
        for place, root, name in tried:
            real = os.path.realpath(place)
            if root is not None and not _within(real, os.path.realpath(root)):
                if os.path.exists(real) or ".." in wanted.split("/"):
                    raise errors.OutsideTheTree(use.span, path=wanted)
            elif os.path.isfile(real):
                return real, name
        raise errors.NoSuchFile(use.span, path=wanted, reason="there is no such file")

    # Finding and extending

    def _find(self, name: str, module: Module, chain: tuple[str, ...]) -> Unit | None:
        if name in module.own:
            return self._merge(module.own[name], module, chain)
        if name in module.used:
            home = module.used[name]
            return self._merge(home.own[name], home, chain)
        if name in standard_names():
            path = os.path.realpath(os.path.join(resources.STANDARD, name + ".arch"))
            library = self._by_path.get(path)
            if library is None:
                library = self._load(read(path, f"std/{name}.arch"), path, ())
            if name in library.own:
                return self._merge(library.own[name], library, chain)
        return None

    def _merge(self, definition: ast.Definition, module: Module, chain: tuple[str, ...]) -> Unit:
        cached = self._units.get((id(module), definition.name))
        if cached is not None:
            return cached
        parent = None
        if definition.extends is not None:
            parent = self._parent(definition, definition.extends, module, chain)
        unit = Merger(self, definition, parent).unit()
        self._units[id(module), definition.name] = unit
        return unit

    def _parent(
        self, child: ast.Definition, name: ast.Name, module: Module, chain: tuple[str, ...]
    ) -> Unit:
        link = f"{module.source.name}:{child.name}"
        if link in chain:
            names = [item.rsplit(":", 1)[1] for item in (*chain[chain.index(link) :], link)]
            raise errors.ExtendsItself(child.span, chain=" -> ".join(names))
        if len(chain) >= limits.EXTENSIONS:
            raise errors.ExtendsTooDeep(child.span, limit=limits.EXTENSIONS)
        # A definition may extend one of the same name from another file, never itself.
        shadow = name.name == child.name and name.name not in module.used
        home = None if shadow and name.name in standard_names() else module
        parent = None
        if home is not None:
            parent = self._find(name.name, module, (*chain, link))
        else:
            path = os.path.realpath(os.path.join(resources.STANDARD, name.name + ".arch"))
            library = self._by_path.get(path) or self._load(read(path, name.name), path, ())
            parent = self._merge(library.own[name.name], library, chain)
        if parent is None:
            near = nearest(name.name, {*self.names(module.source), *standard_names()})
            problem = errors.UnknownName(
                name.span, kind=child.kind, name=name.name, hint=did_you_mean(near)
            )
            raise self.with_use(problem, name.name, module.source)
        if parent.kind != child.kind:
            article = {"arch": "an arch", "block": "a block"}
            raise errors.ExtendsOtherKind(
                name.span,
                kind=article[child.kind],
                parent=parent.name,
                parent_kind=article[parent.kind],
            ).labelled(parent.span, "it is defined here")
        return parent


class Merger:
    """Merges a definition into the one it extends."""

    def __init__(
        self, program: Program, definition: ast.Definition, parent: Unit | None
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
            raise problem.labelled(parent.inputs[0].span, f"`{parent.name}` has its inputs here")
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
                    raise problem.labelled(line.span, "this returns")
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


# Lines and names


def twice(name: str, span: Span, first: Span) -> errors.Diagnostic:
    """The mistake of a name given a second time."""
    return errors.DefinedTwice(span, name=name).labelled(first, "the first is here")


def line_name(statement: ast.Statement) -> tuple[str, ...] | None:
    """What a line is known by: the names on its left, a repeat's label; `out` for a `return`."""
    if isinstance(statement, ast.Assign):
        return tuple(target.name for target in statement.targets)
    if isinstance(statement, ast.Let):
        return (statement.name,)
    if isinstance(statement, ast.Repeat) and statement.label is not None:
        return (statement.label,)
    if isinstance(statement, ast.Return):
        return ("out",)
    return None


def _line_key(statement: ast.Statement) -> object:
    """What a line of a child must have in common with the one of its parent that it replaces."""
    name = line_name(statement)
    return None if name is None else (isinstance(statement, ast.Return), name)


def bound_names(statement: ast.Statement) -> set[str]:
    """The names that a statement gives values to."""
    if isinstance(statement, ast.Repeat):
        return {name for inner in statement.body for name in bound_names(inner)}
    return set(line_name(statement) or ())


def mentioned_names(node: ast.Node, lets: set[str]) -> set[str]:
    """The names of values that occur in a piece of a spec. What is called may be one of `lets`, but
    is no line: a line can be called like a primitive."""
    names = {n.name for n in walk(node) if isinstance(n, ast.Name)}
    names |= {n.name for n in walk(node) if isinstance(n, ast.Call | ast.Row) and n.name in lets}
    if isinstance(node, ast.Assign):
        targets = {target.name for target in node.targets}
        inside = {n.name for n in walk(node.value) if isinstance(n, ast.Name)}
        return (names - targets) | (inside & targets)
    return names


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


def _blocks(outlined: dict[int, Outlined], program: Program) -> dict[int, Unit]:
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


# `set`


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


# Files and spelling


def read(path: str, name: str, span: Span | None = None) -> Source:
    """The text of a file; a diagnostic where there is none that can be read."""
    try:
        if not os.path.isfile(path):
            reason = "it is a folder" if os.path.isdir(path) else "it is not a file"
            reason = reason if os.path.exists(path) else "there is no such file"
            raise errors.NoSuchFile(span, path=name, reason=reason)
        with open(path, "rb") as file:
            content = file.read(limits.SOURCE_BYTES + 1)
        if len(content) > limits.SOURCE_BYTES:
            raise errors.FileTooLarge(span, path=name, limit=limits.SOURCE_BYTES)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise errors.NoSuchFile(span, path=name, reason=reason) from None
    return decode(content, name, path)


def decode(content: bytes, name: str, path: str | None = None) -> Source:
    """The text of bytes that should be UTF-8; `path` is where they were read, if from a file."""
    try:
        return Source(name, content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as problem:
        readable = Source(name, content.decode("utf-8", errors="replace"), path)
        start = len(content[: problem.start].decode("utf-8", errors="replace"))
        span = Span(readable, start, start + 1)
        raise errors.NotUtf8(span, byte=f"0x{content[problem.start]:02x}") from None


_standard: frozenset[str] | None = None


def standard_names() -> frozenset[str]:
    """The blocks of the standard library: `std/NAME.arch` holds the block NAME."""
    global _standard
    if _standard is None:
        files = os.listdir(resources.STANDARD)
        _standard = frozenset(f.removesuffix(".arch") for f in files if f.endswith(".arch"))
    return _standard


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


def _within(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
