"""The ONNX backend. Needs numpy alone; neither torch nor onnx is imported.

`export(graph, path, **options)` writes a checked graph. The steps: `dynamic` finds the size of
every axis, `fold` what disappears into the layer before, `lowering` writes each primitive,
`simplify` merges what shows between operators, `naming` names, `functions` keeps blocks on request,
`write` writes, the numbers coming piece by piece from `weights`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archdsl.backends.onnx.exporter import Options as Options
    from archdsl.backends.onnx.exporter import export as export

__all__ = ["Options", "export"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from archdsl.backends.onnx import exporter

        return getattr(exporter, name)
    raise AttributeError(name)
