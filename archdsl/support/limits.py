"""Limits on specs, which are untrusted and must not exhaust the machine.

With these limits, any input is processed within seconds and a few hundred megabytes.
`--limit NAME=N` changes one for a command, `adjusted` for a `with` block in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

SOURCE_BYTES = 500_000
"""Bytes of a file, and of a spec with all files it uses."""

FILE_TOKENS = 25_000
"""Tokens of one file, including line ends."""

NESTING = 60
"""Nesting depth of brackets."""

LINE_TOKENS = 5_000
"""Tokens of one statement or table row."""

LINE_OPERATORS = 250
"""Operators of one statement or table row; bounds the depth of expressions without brackets."""

FILES = 200
"""Files that one spec uses, directly or indirectly."""

EXTENSIONS = 20
"""Length of a chain of `extends`."""

EXPANSION = 50
"""Nesting depth of blocks."""

OPERATIONS = 20_000
"""Primitive operations of a network."""

REPEATS = 20_000
"""Iterations of one `repeat`, and `n` of one row."""

WORK = 4_000_000
"""Evaluations of expressions for one network; by `check`, for a whole file."""

ITEMS = 10_000
"""Items of one list, including those of nested lists."""

NUMBER = 10**18
"""Largest number in a spec; sizes have tighter limits where they are used."""

PARAMETERS = 1_000_000_000
"""Weights written to a file; inspecting a network has no such limit."""

WEIGHT_ROW = 1 << 24
"""Numbers of one output channel of a weight that is drawn: random weights are drawn row by row."""

CONSTANTS = 4_000_000
"""Numbers in an ONNX file besides weights: index tables, kernels of `shift`."""

TENSORS = 20_000
"""Tensors in a weights file."""

RUN_OPERATIONS = 4_000
"""Primitive operations of a network run by `verify` or `bench`."""

RUN_MACS = 200_000_000_000
"""Multiply-accumulates of such a network, for one sample."""

RUN_NUMBERS = 250_000_000
"""Elements of its weights, or of one tensor of one sample; strides of a transposed convolution."""

MISTAKES = 50
"""Errors reported in one run."""


_DEFAULTS = {name: value for name, value in globals().items() if type(value) is int}
_Layers = tuple[Mapping[str, int], ...]
_layers: ContextVar[_Layers] = ContextVar("layers", default=())
"""What was adjusted here and is still in force, in its order."""

_values: ContextVar[Mapping[str, int]] = ContextVar("limits", default=_DEFAULTS)
"""The current limits; other threads and asyncio tasks have their own."""

for _name in _DEFAULTS:
    del globals()[_name]  # so that `limits.OPERATIONS` asks `__getattr__`

if not TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        try:
            return _values.get()[name]
        except KeyError:
            raise AttributeError(f"unknown limit {name}") from None


def names() -> dict[str, int]:
    """The current limits by their command-line names."""
    return {name.lower().replace("_", "-"): value for name, value in _values.get().items()}


@contextmanager
def adjusted(numbers: Mapping[str, int]) -> Iterator[None]:
    """Set limits for a `with` block, in this thread. Raises `KeyError` for an unknown name."""
    before = names()
    unknown = sorted(set(numbers) - set(before))
    if unknown:
        raise KeyError(f"unknown limit {unknown[0]}; known limits: {', '.join(before)}")
    changed = {name.upper().replace("-", "_"): number for name, number in numbers.items()}
    _put((*_layers.get(), changed))
    try:
        yield
    finally:  # in any order, and anywhere: generators may be closed by others
        _put(tuple(layer for layer in _layers.get() if layer is not changed))


def _put(layers: _Layers) -> None:
    _layers.set(layers)
    values = dict(_DEFAULTS)
    for layer in layers:
        values.update(layer)
    _values.set(values)
