"""Padding: its four forms, and what sliding a window does to a size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archdsl.diagnostics import errors
from archdsl.ops.base import Kind, Operation, Shape, Word, axis_text
from archdsl.ops.kinds import describe, per_axis

Pads = tuple[tuple[int, int], ...]
"""Padding before and after, for each spatial axis."""

_WORDS = ("keep", "same", "valid")

MARGIN = per_axis("a non-negative integer", 0)
"""Padding as numbers: as much on both sides of an axis."""


def _read(value: Any, rank: int) -> str | tuple[int, ...]:
    if isinstance(value, int | float | tuple) and not isinstance(value, bool):
        margin: tuple[int, ...] = MARGIN.read(value, rank)
        return margin
    if not isinstance(value, Word) or value.arguments or value.name not in _WORDS:
        raise errors.WrongValue(expected=PADDING.title, value=describe(value))
    return value.name


PADDING = Kind("keep, same, valid, or " + MARGIN.title, _read, _WORDS, per_axis=True)
"""Read as a word or as one number for each axis; `slide` says what the words mean."""


def slide(
    sizes: Shape,
    k: tuple[int, ...],
    s: tuple[int, ...],
    p: str | tuple[int, ...],
    d: tuple[int, ...],
    ceil: bool = False,
) -> tuple[Pads, Shape]:
    """Slide windows of `k` over `sizes`: the padding in numbers, and how many positions there are.

    A window is w = d (k - 1) + 1 wide, and there are floor((n + lo + hi - w) / s) + 1 of them.
    `keep` pads (w - 1) / 2 on both sides, `valid` nothing. `same` is TensorFlow's: as much as it
    takes for ceil(n / s) windows, the odd one after. With `ceil` a last window may hang over the
    end, as long as it starts inside the map or the padding before it (PyTorch's rule).
    """
    pads, counts = [], []
    for axis, size in enumerate(sizes):
        kernel, stride, dilation = k[axis], s[axis], d[axis]
        reach = dilation * (kernel - 1)
        if p == "keep":
            if reach % 2:
                raise errors.CannotKeep(
                    argument="k", dilation=dilation, kernel=kernel, half=reach / 2
                )
            low = high = reach // 2
        elif p == "same":
            total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
            low = total // 2
            high = total - low
        elif p == "valid":
            low = high = 0
        else:
            low = high = int(p[axis])
        room = size + low + high - reach - 1
        count = room // stride + 1
        if ceil and room % stride and count * stride < size + low:
            count += 1
        if count < 1:
            raise errors.WindowTooLarge(
                argument="k",
                about={0: axis_text(axis + 1, len(sizes))},
                window=reach + 1,
                axis=axis_text(axis + 1, len(sizes)),
                size=size,
                kernel=kernel,
                fix=f"use k={(size + low + high - 1) // dilation + 1}, or more padding",
                dilation=dilation,
                low=low,
                high=high,
            )
        pads.append((low, high))
        counts.append(count)
    return tuple(pads), tuple(counts)


def unseen(operation: Operation) -> Iterator[tuple[str, int, int, str]]:
    """What no window of an operation reaches at the end of its map: the names of the axes of one
    size, this size, how many positions are left out, and the arithmetic.

    Positions that a stride larger than its window skips between windows are no remainder, and so
    none at the end either if they are no more.
    """
    k, s, pads = (getattr(operation, name, None) for name in ("k", "s", "pads"))
    if not (k and s and pads):
        return
    d = getattr(operation, "d", (1,) * len(k))
    sizes, counts = operation.inputs[0][1:], operation.outputs[0][1:]
    found: dict[tuple[int, int, str], list[str]] = {}
    for axis, (size, (low, high)) in enumerate(zip(sizes, pads, strict=True)):
        window, stride = d[axis] * (k[axis] - 1) + 1, s[axis]
        left = size - ((counts[axis] - 1) * stride + window - low)
        if left > max(0, stride - window):
            padded = f" + {low + high}" if low + high else ""
            steps = describe((size + low + high - window) / stride)
            arithmetic = f"({size}{padded} - {window}) / {stride} = {steps}"
            name = axis_text(axis + 1, len(sizes))
            found.setdefault((size, left, arithmetic), []).append(name)
    for (size, left, arithmetic), names in found.items():
        yield " and ".join(names), size, left, arithmetic
