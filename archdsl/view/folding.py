"""Repeats as papers draw them: once, with how often. For pictures that nobody can open.

Blocks are one where each takes all that the one before gives, and nothing else, and all of them
have equal arguments, shapes and costs. What is asked for by name stays by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archdsl.view.boxes import Box


def fold(top: Box, names: Collection[str] = ()) -> None:
    """Let the first of equal blocks that follow each other stand for all of them."""
    for box in top.walk():
        runs: list[list[Box]] = []
        for child in box.children:
            source = _only_source(box, child)
            run = runs[-1] if runs and source is not None and runs[-1][-1] is source else None
            if run is not None and _alike(box, run, child) and not _asked(run + [child], names):
                run.append(child)
            else:
                runs.append([child])
        for run in runs:
            if len(run) > 1:
                _merge(box, run)


def _only_source(container: Box, box: Box) -> Box | None:
    """The box that gives all that a box takes, and gives nothing to others."""
    tails = {edge.tail for edge in container.edges if edge.head is box}
    if len(tails) != 1:
        return None
    (tail,) = tails
    alone = all(edge.head is box for edge in container.edges if edge.tail is tail)
    return tail if alone else None


def _alike(container: Box, run: list[Box], box: Box) -> bool:
    first, last = run[0], run[-1]
    if box.form != "block" or _what(box) != _what(first):
        return False
    if _shapes(container, box) != _shapes(container, first):
        return False
    return len(run) == 1 or _links(container, last, box) == _links(container, *run[:2])


def _what(box: Box) -> Any:
    return box.form, box.kind, box.arguments, box.shapes, box.params, box.macs, box.training


def _shapes(container: Box, box: Box) -> list[tuple[tuple[int, int], str]]:
    return sorted((edge.enters, edge.shape) for edge in container.edges if edge.head is box)


def _links(container: Box, tail: Box, head: Box) -> list[Any]:
    """Which ways out of one box lead to which ways into the next."""
    return sorted(
        (edge.leaves, edge.enters)
        for edge in container.edges
        if edge.tail is tail and edge.head is head
    )


def _asked(run: list[Box], names: Collection[str]) -> bool:
    return any(f"{name}.".startswith(f"{box.path}.") for name in names for box in run)


def _merge(container: Box, run: list[Box]) -> None:
    first, last = run[0], run[-1]
    merged = set(run)
    edges = [e for e in container.edges if e.tail not in merged or e.head not in merged]
    for edge in edges:
        if edge.tail is last:
            edge.tail = first
    first.ports_out = dict(zip(last.ports_out, first.ports_out.values()))
    first.repeats = len(run)
    first.params *= len(run)
    first.macs *= len(run)
    start, _, number = last.name.rpartition(".")
    if number.isdecimal() and first.name.rpartition(".")[0] == start:
        first.name = f"{first.name}–{number}"
    container.edges = edges
    container.children = [box for box in container.children if box is first or box not in merged]
