"""A block as a network by itself: its tensors are inputs, whose shapes are given from outside.

The body stays as it is, so that numbers, names and classes are those that the block has in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import nearest
from archdsl.frontend import ast
from archdsl.frontend.units import Unit

Shapes = str | Sequence[int] | Mapping[str, str | Sequence[int]]
"""`64x56x56`, `(64, 56, 56)`, or these by the names of the block's tensors."""


def by_name(unit: Unit, given: Shapes) -> dict[str, str | Sequence[int]]:
    """The shapes by the names of a block's tensors. Raises a diagnostic."""
    if isinstance(given, Mapping):
        return dict(given)
    needed = [p.name for p in unit.tensors if isinstance(p, ast.Parameter) and p.default is None]
    if len(needed) == 1:
        return {needed[0]: given}
    raise errors.NeedsShapes(block=unit.name, names=_several(needed), example=_example(needed))


def standing(unit: Unit, given: Shapes | None) -> Unit:
    """The block with inputs of these shapes. Raises a diagnostic for what is wrong with them.

    A tensor with the default `none` can be left out, and is `none` then.
    """
    shapes = {} if given is None else by_name(unit, given)
    known = [parameter.name for parameter in unit.tensors]
    for name, shape in shapes.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean `{near}`?" if near else f"it has {_several(known)}"
            place = _place(f"{name}={shape}" if isinstance(shape, str) else name)
            raise errors.NoSuchTensor(place, block=unit.name, name=name, hint=hint)
    missing = [p.name for p in unit.parameters if p.kind and p.name not in shapes and not p.default]
    if missing:
        raise errors.NeedsShapes(
            block=unit.name, names=_several(missing), example=_example(missing)
        )
    inputs = [_input(name, shapes[name]) for name in known if name in shapes]
    rest = tuple(p for p in unit.parameters if p.name not in shapes)
    found: Unit = unit.replace(inputs=tuple(inputs), parameters=rest)
    return found


def _several(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _example(names: Sequence[str]) -> str:
    if len(names) == 1:
        return "--input 64x56x56"
    return " ".join(f"--input {name}=64x56x56" for name in names)


def _place(text: str) -> Span:
    return Span(Source("--input", text), 0, len(text))


def _input(name: str, shape: str | Sequence[int]) -> ast.Input:
    text = shape if isinstance(shape, str) else "x".join(map(str, shape))
    place = _place(text)
    sizes: list[Any] = []
    start = 0
    for part in text.split("x"):
        if not (part.isascii() and part.isdecimal() and int(part[:10]) > 0):
            raise errors.NotAShape(place, text=text)
        span = Span(place.source, start, start + len(part))
        sizes.append(ast.Number(span, int(part)))
        start += len(part) + 1
    return ast.Input(place, name, tuple(sizes))
