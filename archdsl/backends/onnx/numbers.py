"""Numbers in the types of a file. bfloat16, which numpy lacks, is the upper half of a float32."""

from __future__ import annotations

import sys
from typing import NoReturn

import numpy as np

from archdsl.backends.onnx.model import BFLOAT16, FLOAT16, FLOAT32, INT64, Type
from archdsl.diagnostics import errors
from archdsl.support.arrays import Array


def encode(array: Array, type_: Type, name: str = "") -> Array:
    """The array in a type, little-endian as files are, contiguous.

    Raises a diagnostic for a finite number of the tensor `name` that the type cannot hold.
    """
    if type_ is INT64:
        return _little(np.ascontiguousarray(array, np.int64))
    if type_ is FLOAT32:
        return _little(_narrowed(array, np.float32, type_, name))
    if type_ is FLOAT16:
        return _little(_narrowed(array, np.float16, type_, name))
    assert type_ is BFLOAT16
    bits = _narrowed(array, np.float32, type_, name).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    infinite = rounded & np.uint16(0x7FFF) == np.uint16(0x7F80)
    if infinite.any() and np.isfinite(array[infinite]).any():
        _refuse(type_, name)
    not_a_number = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    return _little(np.where(not_a_number, np.uint16(0x7FC0), rounded))


def holds(value: float, type_: Type) -> bool:
    """True if a type has a number with all of its digits, rather than 0, infinity or a few bits.

    The range of bfloat16 is that of float32, and there is no wider type to go to.
    """
    range_ = np.finfo(np.float16)
    least, most = float(range_.tiny), float(range_.max)
    return type_ is not FLOAT16 or value == 0 or least <= abs(value) <= most


def _narrowed(array: Array, dtype: type, type_: Type, name: str) -> Array:
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        found: Array = array.astype(dtype, order="C")
    widens = np.dtype(dtype).itemsize >= array.dtype.itemsize
    if not widens and np.isinf(found).any() and np.isfinite(array[np.isinf(found)]).any():
        _refuse(type_, name)
    return found


def _refuse(type_: Type, name: str) -> NoReturn:
    hint = "write --dtype float32 or bfloat16" if type_ is FLOAT16 else ""
    raise errors.NumberDoesNotFit(name=name, type=type_.name, hint=hint)


def _little(array: Array) -> Array:
    if sys.byteorder == "little":
        return array
    return array.astype(array.dtype.newbyteorder("<"))
