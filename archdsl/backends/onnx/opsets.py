"""Supported opsets and their requirements."""

from __future__ import annotations

OLDEST = 13
NEWEST = 28
DEFAULT = 20
"""What runtimes of 2024 and later load (onnxruntime 1.17), and the first with `Gelu`."""
DEFAULT_BFLOAT16 = 22
"""The first in which convolutions and pools take bfloat16."""

# The IR version of the onnx release that brought each opset: what is newer, older runtimes refuse.
_IR = {
    13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9,
    21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13, 27: 13, 28: 14,
}  # fmt: skip

_FUNCTIONS = 8
"""The first IR version with local functions."""


def ir_version(opset: int, functions: bool = False) -> int:
    """The oldest IR version that has this opset, and local functions where they are wanted."""
    return max(_IR[opset], _FUNCTIONS) if functions else _IR[opset]
