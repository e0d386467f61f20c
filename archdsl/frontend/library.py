"""The shipped specs: networks and standard blocks."""

from __future__ import annotations

import os
import textwrap
from typing import NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend.ast import Definition, Doc, Variants
from archdsl.frontend.files import read
from archdsl.frontend.parser import parse
from archdsl.support import resources


class Entry(NamedTuple):
    """A spec or a block."""

    name: str
    kind: str
    """`arch` or `block`."""
    summary: str
    """The first of its texts."""
    variants: list[str]
    others: list[str]
    """Further networks of the file, which `--arch` chooses."""


def entries() -> list[Entry]:
    """All that is shipped, networks first, by name."""
    found = [_entry(name, "arch", path) for name, path in sorted(_files(resources.SPECS).items())]
    blocks = sorted(_files(resources.STANDARD).items())
    return found + [_entry(name, "block", path) for name, path in blocks]


def text(name: str) -> str:
    """The text of a spec or a block. Raises `DiagnosticError` where there is none of this name."""
    known = {**_files(resources.STANDARD), **_files(resources.SPECS)}
    if name not in known:
        hint = did_you_mean(nearest(name, known)) or "`archdsl list` shows the available ones"
        raise DiagnosticError([errors.NoSuchSpec(name=name, hint=hint)])
    return read(known[name], name).text


def wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(line, 100, initial_indent=indent, subsequent_indent=indent)


def _files(folder: str) -> dict[str, str]:
    return {
        name.removesuffix(".arch"): os.path.join(folder, name)
        for name in os.listdir(folder)
        if name.endswith(".arch")
    }


def _entry(name: str, kind: str, path: str) -> Entry:
    """The entry of a file: what its definition of that name says, or its first of that kind."""
    definitions = [d for d in parse(read(path, path)).definitions if d.kind == kind]
    own = next((d for d in definitions if d.name == name), definitions[0])
    others = [d.name for d in definitions if d is not own and d.kind == "arch"]
    return Entry(name, kind, _summary(own), _variants(own), others)


def _summary(definition: Definition) -> str:
    return next((line.text for line in definition.body if isinstance(line, Doc)), "")


def _variants(definition: Definition) -> list[str]:
    tables = [line for line in definition.body if isinstance(line, Variants)]
    return [row.name for table in tables for row in table.rows]
