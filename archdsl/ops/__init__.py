"""The primitive operations, each described once; compiler and backends find them here by name."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.ops import (  # noqa: F401
    activation,
    arithmetic,
    convolution,
    layout,
    normalization,
    pooling,
    regularization,
)
from archdsl.ops.base import Operation, Parameter, Shape, Weight, Word, shape_text

__all__ = [
    "OPERATIONS",
    "WORDS",
    "Operation",
    "Parameter",
    "Shape",
    "Weight",
    "Word",
    "shape_text",
]


def _named(base: type[Operation]) -> Iterator[type[Operation]]:
    for cls in base.__subclasses__():
        if "name" in vars(cls):
            yield cls
        yield from _named(cls)


OPERATIONS: dict[str, type[Operation]] = {cls.name: cls for cls in _named(Operation)}
"""The primitives by their names in the language."""

WORDS: frozenset[str] = frozenset(
    word
    for cls in OPERATIONS.values()
    for parameter in cls.parameters.values()
    for word in parameter.kind.words
)
"""Every word that some argument may be."""
