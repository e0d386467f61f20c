"""Files and names: `use`, the standard library, `extends`. Knows no values and no shapes.

The result is a `Program`, in which every called name of every file leads to a `Unit`: a block or an
arch with its parents merged in.
"""

from __future__ import annotations

import os

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend import ast
from archdsl.frontend.extends import Merger, twice
from archdsl.frontend.files import read, standard_names, within
from archdsl.frontend.parser import parse
from archdsl.frontend.units import Unit
from archdsl.support import limits, resources


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
        self._by_source: dict[Source, Module] = {}
        self._units: dict[tuple[Module, str], Unit] = {}
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
        self._by_source[source] = self.main
        self._adopted = source  # keeps it alive, and so its id

    def find(self, name: str, source: Source) -> Unit | None:
        """The block or arch that a name means in the text of `source`."""
        module = self._by_source[source]
        unit = self._units.get((module, name))
        if unit is None:
            unit = self._find(name, module, ())
            if unit is not None:
                self._units[module, name] = unit
        return unit

    def defines(self, name: str, source: Source) -> bool:
        """True if a name means a block or an arch in the text of `source`."""
        return name in self.names(source) or name in standard_names()

    def names(self, source: Source) -> set[str]:
        """The blocks and archs that a text sees, beside those of the standard library."""
        module = self._by_source[source]
        return {*module.own, *module.used}

    def with_use(
        self, problem: errors.UnknownName, name: str, source: Source
    ) -> errors.UnknownName:
        """A mistake with the `use` that is missing, where a shipped spec has the name."""
        if os.path.isfile(os.path.join(resources.SPECS, f"{name}.arch")):
            use = f'use "{name}.arch"'
            problem.values["hint"] = f"add at the start of the file: {use}"
            problem.replace(Span(source, 0, 0), f"{use}\n\n")
        return problem

    # Loading

    def _load(self, source: Source, path: str | None, chain: tuple[str, ...]) -> Module:
        module = Module(source, path)
        self._by_source[source] = module
        if path is not None:
            self._by_path[path] = module
        self._length += len(source.text)
        if len(self._by_source) > limits.FILES:
            raise errors.TooManyFiles(Span(source, 0, 1), limit=limits.FILES)
        if self._length > limits.SOURCE_BYTES:
            raise errors.FileTooLarge(
                Span(source, 0, 1), path=source.name, limit=limits.SOURCE_BYTES
            )
        file = self._tree(source)
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

    def _tree(self, source: Source) -> ast.File:
        return parse(source)

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
            shipped = within(module.path, resources.SPECS)
            root = resources.SPECS if shipped else self._root
            name = os.path.normpath(os.path.join(os.path.dirname(module.source.name), wanted))
            tried.append((os.path.join(os.path.dirname(module.path), wanted), root, name))
        tried.append((os.path.join(resources.SPECS, wanted), resources.SPECS, wanted))
        for place, root, name in tried:
            real = os.path.realpath(place)
            if root is not None and not within(real, os.path.realpath(root)):
                if os.path.exists(real) or ".." in wanted.split("/"):
                    raise errors.OutsideTheTree(use.span, path=wanted)
            elif os.path.isfile(real):
                return real, name
        raise errors.NoSuchFile(use.span, path=wanted, reason="no such file")

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
        cached = self._units.get((module, definition.name))
        if cached is not None:
            return cached
        parent = None
        if definition.extends is not None:
            parent = self._parent(definition, definition.extends, module, chain)
        unit = Merger(self, definition, parent).unit()
        self._units[module, definition.name] = unit
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
            ).labelled(parent.span, "defined here")
        return parent
