"""What people say about which layer is which: a map, as a file or from Python.

A line is `NAME -> NAME`, the checkpoint's and the network's. Two layers are one another then; of
two modules, or a module and a block, what is in one is in the other. `-` stands for none. `#`
starts a remark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from archdsl import errors
from archdsl.diagnostics import Diagnostic, DiagnosticError
from archdsl.resolve import decode, did_you_mean, nearest
from archdsl.source import Span
from archdsl.weights.layers import Layer

Map = Mapping[str, "str | None"]

_LARGEST = 10_000_000


class Rule(NamedTuple):
    """The layers of the file that `theirs` names are those of the network that `ours` names."""

    theirs: frozenset[int]
    ours: frozenset[int]
    span: Span | None


def read_map(path: str) -> list[tuple[Span, Span]]:
    """The pairs of names of a file, with their places. Raises diagnostics."""
    try:
        with open(path, "rb") as file:
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
        match = re.fullmatch(r"\s*(\S+)\s+->\s+(\S+)\s*", line)
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
) -> list[Rule]:
    """The rules of a map. Raises `DiagnosticError` for names that there are none of."""
    rules: list[Rule] = []
    problems: list[Diagnostic] = []
    both = (_Names(theirs, path), _Names(ours, "the network"))
    seen: set[tuple[int, int]] = set()
    for pair in _pairs(given):
        chosen = []
        for side, (names, (name, span)) in enumerate(zip(both, pair)):
            layers = frozenset[int]() if name == "-" else names.inside(name)
            if name != "-" and not layers:
                problems.append(names.unknown(name, span))
            elif name != "-" and len(layers) == 1 and (side, min(layers)) in seen:
                problems.append(errors.MappedTwice(span, name=name))
            seen.update((side, i) for i in layers if len(layers) == 1)
            chosen.append(layers)
        rules.append(Rule(chosen[0], chosen[1], pair[0][1]))
    if problems:
        raise DiagnosticError(problems)
    return rules


def _pairs(
    given: Map | str | os.PathLike[str] | None,
) -> Iterator[tuple[tuple[str, Span | None], tuple[str, Span | None]]]:
    if isinstance(given, Mapping):
        for theirs, ours in given.items():
            yield (theirs, None), (ours or "-", None)
    elif given is not None:
        for one, two in read_map(os.fspath(given)):
            yield (one.text, one), (two.text, two)


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
