"""Weights: drawn by their initialisation, read from files, found in the checkpoints of others.

`sources` gives tensors piece by piece, from a generator or a file (`safetensors`, `checkpoint`).
`convert` finds the tensors of a network in a checkpoint with other names: `layers` puts tensors
together, `reading` follows the graph through the file, `finding` says what was found or what not,
`rules` is what people settle by hand, `conversion` the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archdsl.weights.conversion import Conversion as Conversion
    from archdsl.weights.conversion import convert as convert

__all__ = ["Conversion", "convert"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from archdsl.weights import conversion

        return getattr(conversion, name)
    raise AttributeError(name)
