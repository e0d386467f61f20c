"""Blocks on samples: what is wrong in a block whatever goes in.

A block is evaluated on tensors of many sizes, among them those that its own numbers and its
mistakes speak of. Only what goes wrong with all of them is a mistake of the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from math import isqrt
from typing import Any, NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Chapter, Diagnostic, Note
from archdsl.elaborate.elaborator import Elaborator, Stop
from archdsl.elaborate.expressions import Poison, Poisoned
from archdsl.frontend import ast
from archdsl.frontend.program import Program
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Scope, Value
from archdsl.ops import Shape, shape_text
from archdsl.support import limits

MOST = 150
"""Samples for one block."""

WORK = 400_000
"""Work for all samples of one block."""

SHAPES: list[Shape] = [(64, 56, 56), (64, 56), (64, 16, 16, 16), (64,), (48, 7, 7), (1, 1, 1)]
"""The first samples: maps with each number of axes, and a vector."""

LARGEST = 4096
"""Numbers of the text that are tried as sizes."""

Place = tuple[str, int, int]


class _Found(NamedTuple):
    """The mistakes of the first sample of some form, and the places of those that all of this form
    have: the number of axes, and which tensors are there, or lists."""

    shape: Shape
    first: list[Diagnostic]
    everywhere: set[Place]


def mistakes(unit: Unit, program: Program) -> list[Diagnostic]:
    """What is wrong in a block with the defaults of its parameters, for every sample.

    Nothing that depends on a parameter without a default is looked at.
    """
    common = _common(unit, program, free=False)
    if common is None:
        return []
    inputs = ", ".join(f"{slot.name}: {shape_text(common.shape)}" for slot in unit.tensors)
    said = f"unused block `{unit.name}`: fails for {inputs} and all other sample inputs"
    found = []
    for problem in common.first:
        if _place(problem) in common.everywhere:
            problem.notes.append(Note(unit.span, said))
            found.append(problem)
    return found


def own_places(unit: Unit, program: Program) -> set[Place]:
    """Errors of a block independent of its use, as codes and spans."""
    found: set[Place] | None = unit.facts.get("own places")
    if found is None:
        found = unit.facts["own places"] = set()
        common = _common(unit, program, free=True)
        if common is not None:
            found |= common.everywhere
    return found


def _place(problem: Diagnostic) -> Place:
    assert problem.span is not None
    return problem.code, problem.span.start, problem.span.end


def _common(unit: Unit, program: Program, free: bool) -> _Found | None:
    """What all samples meet, of the form that tells most; none where some are fine.

    A block for maps fails for vectors or lists in its first line: it has no mistake there.
    """
    forms: dict[tuple[Any, ...], _Found] = {}
    seen: set[int] = set()
    shapes = list(SHAPES)
    work = count = 0
    for shape in shapes:  # which grows
        for tensors in _inputs(unit, shape):
            count += 1
            if count > MOST or work > WORK:
                break
            sampler = _Sampler(program)
            problems = sampler.sample(unit, tensors, free)
            work += sampler.work - sampler.start
            if problems is None:
                continue
            places = set(map(_place, problems))
            form = (len(shape), *map(type, tensors))
            found = forms.setdefault(form, _Found(shape, problems, places))
            found.everywhere.intersection_update(places)
            if not found.everywhere:
                return None
            new = _numbers(unit, problems) - seen
            for n in sorted(new)[:20]:
                shapes += [(n, 56, 56), (64, n, n), (n, 56), (64, n), (n,), (n, 16, 16, 16)]
                shapes += [(n, m, m) for m in seen] + [(m, n, n) for m in seen] + [(n, n, n)]
                seen.add(n)
    if {len(shape) for shape in SHAPES} > {rank for rank, *_ in forms}:
        return None  # what the block requires keeps it from being tried
    return min(forms.values(), key=lambda found: {code for code, *_ in found.everywhere} <= _FORMS)


_FORMS = {
    kind.code
    for kind in (errors.WrongRank, errors.LinearNeedsVector, errors.ListAsTensor,
                 errors.NotATensor, errors.AbsentTensor)
}  # fmt: skip
"""The error for a tensor of unsupported form."""


def _numbers(unit: Unit, problems: list[Diagnostic]) -> set[int]:
    """The sizes that a text and its mistakes speak of."""
    found = {int(n) for problem in problems for n in re.findall(r"\d+", problem.title[:500])}
    found |= {
        node.value
        for node in ast.walk(unit.body)
        if isinstance(node, ast.Number) and isinstance(node.value, int)
    }
    roots = {isqrt(n) for n in found if isqrt(n) ** 2 == n}
    return {n for n in found | roots if 1 < n <= LARGEST}


def _inputs(unit: Unit, shape: Shape) -> Iterator[list[Any]]:
    """Tensors for a block, the first of this shape: alike, smaller and larger ones, lists."""
    count = len(unit.tensors)
    size = shape[1:]
    rows = [[shape] * count]
    if count > 1:
        smaller = [(shape[0], *(max(1, n >> i) for n in size)) for i in range(count)]
        larger = [(shape[0], *(n << i for n in size)) for i in range(count)]
        gates = [shape, *[(shape[0], *(1 for _ in size))] * (count - 1)]
        wider = [(shape[0] << i, *size) for i in range(count)]
        rows += [smaller, larger, gates, gates[::-1], [shape, *[shape[:1]] * (count - 1)], wider]
    for row in rows:
        yield [Value(sizes, None) for sizes in row]
    optional = [isinstance(t, ast.Parameter) and t.default is not None for t in unit.tensors]
    if any(optional):
        yield [None if absent else Value(shape, None) for absent in optional]
    yield [[Value(shape, None), Value(shape, None)] for _ in range(count)]
    for i in range(count if count > 1 else 0):
        yield [[Value(shape, None)] * 2 if i == j else Value(shape, None) for j in range(count)]


class _Sampler(Elaborator):
    """Evaluates a block by itself."""

    samples = True

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.work = self.start = max(0, limits.WORK - WORK)

    def sample(self, unit: Unit, tensors: list[Any], free: bool) -> list[Diagnostic] | None:
        """The mistakes of values and shapes for these tensors; none where there is no telling."""
        scope = Scope(unit, None, (), unit.span)
        names = scope.frame.names
        for slot, value in zip(unit.tensors, tensors, strict=True):
            names[slot.name] = value
            if isinstance(value, Value):
                value.name = slot.name
        try:
            for parameter in unit.numbers:
                names[parameter.name] = value = Poison()
                if parameter.default is not None and not free:
                    with suppress(Poisoned):
                        value = self._default_value(parameter, parameter.default, scope)
                names[parameter.name] = value
            self.active.append(unit)
            self._body(unit, scope.frame)
        except Diagnostic as problem:
            problem.span = problem.span or unit.span
            self.problems.append(problem)
        except (Poisoned, Stop, RecursionError):
            pass
        chapters = {problem.chapter for problem in self.problems}
        if chapters & {Chapter.REQUIREMENTS, Chapter.LIMITS}:
            return None
        wrong = (Chapter.VALUES, Chapter.SHAPES)
        return [p for p in self.problems if p.chapter in wrong or type(p) in _BY_VALUE]


_BY_VALUE = (errors.MissingArgument, errors.TensorAsNumber)
"""Mistakes of calls that only an evaluation finds."""
