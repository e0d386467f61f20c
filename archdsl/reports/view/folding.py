"""Repeats as papers draw them: once, with how often. For pictures that nobody can open.

Blocks are one where each takes all that the one before gives, and nothing else, and all of them
have equal arguments, shapes and costs. What is asked for by name stays by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archdsl.reports.view.boxes import Box, Edge


def fold(top: Box, names: Collection[str] = ()) -> None:
    """Let the first of equal blocks that follow each other stand for all of them."""
    for box in top.walk():
        edges = _Edges(box)
        runs: list[list[Box]] = []
        for child in box.children:
            source = edges.only_source(child)
            run = runs[-1] if runs and source is not None and runs[-1][-1] is source else None
            if run is not None and _alike(edges, run, child) and not _asked(run + [child], names):
                run.append(child)
            else:
                runs.append([child])
        for run in runs:
            if len(run) > 1:
                _merge(box, run)


class _Edges:
    """The edges in a box by what they lead to, and by where they come from."""

    def __init__(self, container: Box) -> None:
        self.into: dict[Box, list[Edge]] = {}
        self.out_of: dict[Box, list[Edge]] = {}
        for edge in container.edges:
            self.into.setdefault(edge.head, []).append(edge)
            self.out_of.setdefault(edge.tail, []).append(edge)

    def only_source(self, box: Box) -> Box | None:
        """The box that gives all that a box takes, and gives nothing to others."""
        tails = {edge.tail for edge in self.into.get(box, ())}
        if len(tails) != 1:
            return None
        (tail,) = tails
        alone = all(edge.head is box for edge in self.out_of[tail])
        return tail if alone else None

    def shapes(self, box: Box) -> list[tuple[tuple[int, int], str]]:
        """Inputs of a box with their positions."""
        return sorted((edge.enters, edge.shape) for edge in self.into.get(box, ()))

    def links(self, tail: Box, head: Box) -> list[Any]:
        """Outgoing paths of one box matched to incoming paths of the next."""
        edges = self.into.get(head, ())
        return sorted((edge.leaves, edge.enters) for edge in edges if edge.tail is tail)


def _alike(edges: _Edges, run: list[Box], box: Box) -> bool:
    first, last = run[0], run[-1]
    if box.form != "block" or _what(box) != _what(first):
        return False
    if edges.shapes(box) != edges.shapes(first):
        return False
    return len(run) == 1 or edges.links(last, box) == edges.links(*run[:2])


def _what(box: Box) -> Any:
    return box.form, box.kind, box.arguments, box.shapes, box.params, box.macs, box.training


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
