"""A block or an arch, complete: what elaboration starts from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, TypeVar

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.frontend import ast
from archdsl.frontend.ast import walk
from archdsl.support.records import Record

T = TypeVar("T")


class Definitions(Protocol):
    """The program, which knows the blocks that a text can call."""

    def find(self, name: str, source: Source) -> Unit | None:
        """The block or arch that a name means in the text of `source`."""

    def defines(self, name: str, source: Source) -> bool:
        """True if a name means a block or an arch in the text of `source`."""

    def names(self, source: Source) -> set[str]:
        """The blocks and archs that a text sees, beside those of the standard library."""


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
    program: Definitions
    """The program that resolves its calls."""
    written: tuple[ast.Statement, ...] = ()
    """The body before its labelled repeats became blocks."""
    blocks: dict[ast.Node, Unit] = {}
    """For a call in a labelled repeat: the block that it calls."""
    outlined: bool = False
    """True if it is such a block."""
    mistakes: tuple[errors.Diagnostic, ...] = ()
    """`set` lines without a target."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @cached_property
    def _derived(self) -> dict[Any, Any]:
        return {}

    def derived(self, make: Callable[[Unit], T]) -> T:
        """The result of a function of the unit, computed once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        found: T = self._derived[make]
        return found

    @cached_property
    def size(self) -> int:
        """Number of nodes in its syntax tree."""
        return sum(1 for _ in walk((self.parameters, self.body)))

    @cached_property
    def facts(self) -> dict[Any, Any]:
        """Results of elaboration by the ids of syntax nodes."""
        return {}

    @cached_property
    def tensors(self) -> tuple[ast.Parameter | ast.Input, ...]:
        """The inputs of an arch, or the tensor parameters of a block (`x` by default)."""
        return self.inputs or tuple(p for p in self.parameters if p.kind == "tensor")

    @cached_property
    def numbers(self) -> tuple[ast.Parameter, ...]:
        """The parameters that are not tensors."""
        return tuple(p for p in self.parameters if p.kind != "tensor")
