"""How far a spec may go. It comes from strangers and must not make the compiler eat the machine.

With these, whatever is fed to the compiler ends within seconds and some hundred megabytes.
`--limit NAME=N` sets one for a command, `adjusted` for a stretch of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

SOURCE_BYTES = 500_000
"""Size of a file, and of a spec with all the files it uses."""

FILE_TOKENS = 25_000
"""Words and signs of one file, ends of lines included."""

NESTING = 60
"""Brackets in brackets."""

LINE_TOKENS = 5_000
"""Words and signs of one statement or table row."""

LINE_OPERATORS = 250
"""Operators of one statement or table row: so deep can an expression be without brackets."""

FILES = 200
"""Files that one spec uses, those they use included."""

EXTENSIONS = 20
"""A definition that extends one that extends one ..."""

EXPANSION = 50
"""Blocks within blocks."""

OPERATIONS = 20_000
"""Primitive operations of a network."""

REPEATS = 20_000
"""Rounds of one `repeat`, and `n` of one row."""

WORK = 4_000_000
"""Pieces of text evaluated for one network, each as often as it is; by `check` for a whole file."""

ITEMS = 10_000
"""Items of one list, those of lists in it included."""

NUMBER = 10**18
"""No number of a spec is larger; sizes are checked more tightly where they are used."""

PARAMETERS = 1_000_000_000
"""Weights that are written to a file; those of a network that is only looked at have no bound."""

CONSTANTS = 4_000_000
"""Numbers of an ONNX file beside its weights: tables of places, windows of `shift`."""

TENSORS = 20_000
"""Tensors of a file with weights."""

RUN_OPERATIONS = 4_000
"""Primitive operations of a network that `verify` or `bench` runs."""

RUN_MACS = 200_000_000_000
"""Multiply-accumulates of a network that they run, for one sample."""

RUN_NUMBERS = 250_000_000
"""Numbers of its weights, or of one tensor of one sample; strides of a transposed convolution."""

MISTAKES = 50
"""Mistakes told in one run."""


_DEFAULTS = {name: value for name, value in globals().items() if type(value) is int}
_values: ContextVar[Mapping[str, int]] = ContextVar("limits", default=_DEFAULTS)
"""What holds here: another thread, or another task of asyncio, has limits of its own."""

for _name in _DEFAULTS:
    del globals()[_name]  # so that `limits.OPERATIONS` asks `__getattr__`

if not TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        try:
            return _values.get()[name]
        except KeyError:
            raise AttributeError(f"no limit is called {name}") from None


def names() -> dict[str, int]:
    """The limits as the command line calls them, with their present values."""
    return {name.lower().replace("_", "-"): value for name, value in _values.get().items()}


@contextmanager
def adjusted(numbers: Mapping[str, int]) -> Iterator[None]:
    """Set limits for a while, in this thread. Raises `KeyError` for a name that is none."""
    before = names()
    unknown = sorted(set(numbers) - set(before))
    if unknown:
        raise KeyError(f"no limit is called {unknown[0]}; there are {', '.join(before)}")
    changed = {name.upper().replace("-", "_"): number for name, number in numbers.items()}
    token = _values.set({**_values.get(), **changed})
    try:
        yield
    finally:
        _values.reset(token)
