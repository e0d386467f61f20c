"""Maps by the user that match layers, as a file or from Python.

A line is `NAME -> NAME`, the checkpoint's and the network's. Two layers are one another then; of
two modules, or a module and a block, what is in one is in the other. `-` stands for none. `#`
starts a remark.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend.files import decode
from archdsl.support.regular import regular
from archdsl.weights.layers import Layer

Map = Mapping[str, "str | None"]

_LARGEST = 10_000_000

_NAME = r'("(?:[^"\\]|\\.)*"|[^\s"]\S*)'
_LINE = re.compile(rf"\s*{_NAME}\s+->\s+{_NAME}\s*(?:\s#.*)?")
_PLAIN = re.compile(r'(?!["#]|->)[!-~]+', re.ASCII)


def quoted(name: str) -> str:
    """A name as it is written in a map: one of other characters than visible ones is a string of
    JSON."""
    if _PLAIN.fullmatch(name) and name != "-":
        return name
    return json.dumps(name)


def _unquoted(span: Span) -> str | None:
    """The name that a piece of a map says; what is no string of JSON is taken as it is."""
    if span.text == "-":
        return None
    if span.text.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(span.text))
    return span.text


class Rule(NamedTuple):
    """The layers of the file that `theirs` names are those of the network that `ours` names."""

    theirs: frozenset[int]
    ours: frozenset[int]
    span: Span | None


def read_map(path: str) -> list[tuple[Span, Span]]:
    """The pairs of names of a file, with their places. Raises diagnostics."""
    try:
        with open(regular(path), "rb") as file:
            content = file.read(_LARGEST)
    except OSError as problem:
        raise errors.NoSuchFile(path=path, reason=problem.strerror or str(problem)) from None
    source = decode(content, path, path)
    found: list[tuple[Span, Span]] = []
    problems: list[Diagnostic] = []
    for number, start in enumerate(source.starts, 1):
        line = re.split(r"(?:^|\s)#", source.line(number), maxsplit=1)[0]
        if not line.strip():
            continue
        match = _LINE.fullmatch(source.line(number))
        if match is None:
            problems.append(errors.NotAMapping(Span(source, start, start + len(line.rstrip()))))
            continue
        one, two = (Span(source, start + match.start(i), start + match.end(i)) for i in (1, 2))
        found.append((one, two))
    if problems:
        raise DiagnosticError(problems)
    return found


def rules_of(
    given: Map | str | os.PathLike[str] | None,
    theirs: Sequence[Layer],
    ours: Sequence[Layer],
    path: str,
    idle: Container[str] = (),
) -> list[Rule]:
    """The rules of a map. Raises `DiagnosticError` for names that there are none of.

    `idle` are names in the file that are no layers, and unused in any case.
    """
    rules: list[Rule] = []
    problems: list[Diagnostic] = []
    both = (_Names(theirs, path), _Names(ours, "the network"))
    seen: set[tuple[int, int]] = set()
    for pair in _pairs(given):
        if pair[0][0] in idle and pair[1][0] is None:
            continue
        chosen = []
        for side, (names, (name, span)) in enumerate(zip(both, pair)):
            layers = frozenset[int]() if name is None else names.inside(name)
            if name is not None and not layers:
                problems.append(names.unknown(name, span))
            elif name is not None and len(layers) == 1 and (side, min(layers)) in seen:
                problems.append(errors.MappedTwice(span, name=name))
            seen.update((side, i) for i in layers if len(layers) == 1)
            chosen.append(layers)
        rules.append(Rule(chosen[0], chosen[1], pair[0][1]))
    if problems:
        raise DiagnosticError(problems)
    return rules


def _pairs(
    given: Map | str | os.PathLike[str] | None,
) -> Iterator[tuple[tuple[str | None, Span | None], tuple[str | None, Span | None]]]:
    """The names of both sides, none for `-`, with their places in a file."""
    if isinstance(given, Mapping):
        for theirs, ours in given.items():
            yield (None if theirs == "-" else theirs, None), (None if ours == "-" else ours, None)
    elif given is not None:
        for one, two in read_map(os.fspath(given)):
            yield (_unquoted(one), one), (_unquoted(two), two)


class _Names:
    """Layers by their names, and by those of the modules and blocks that hold them."""

    def __init__(self, layers: Sequence[Layer], whose: str) -> None:
        self._layers = layers
        self._whose = whose

    def inside(self, name: str) -> frozenset[int]:
        exact = [
            i for i, x in enumerate(self._layers) if name == x.name or name in x.tensors.values()
        ]
        start = name + "."
        return frozenset(
            exact or (i for i, x in enumerate(self._layers) if x.name.startswith(start))
        )

    def unknown(self, name: str, span: Span | None) -> Diagnostic:
        near = nearest(name, [layer.name for layer in self._layers])
        hint = did_you_mean(near)
        return errors.UnknownInMap(span, whose=self._whose, name=name, hint=hint)
