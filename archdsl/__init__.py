"""A compiler from `.arch` specs of neural networks to checked graphs and PyTorch source.

network = archdsl.load("specs/efficientnet.arch", variant="b3", num_classes=10)
network.params, network.macs, network.outputs
print(network.source())
model = network.module()  # where torch is installed
"""

from __future__ import annotations

from archdsl.support.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from archdsl.api.network import (
        BlockInfo,
        Network,
        NodeInfo,
        PartInfo,
        Shape,
        Spec,
        TensorInfo,
        diff,
        load,
        loads,
    )
    from archdsl.diagnostics import errors
    from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
    from archdsl.support import limits

__all__ = [
    "load", "loads", "diff", "Spec", "Network", "Shape", "TensorInfo", "NodeInfo", "BlockInfo",
    "PartInfo", "Diagnostic", "DiagnosticError", "errors", "limits", "__version__",
]  # fmt: skip


_MODULES = {"errors": "archdsl.diagnostics.errors", "limits": "archdsl.support.limits"}
"""Public names that are modules."""


def __getattr__(name: str) -> object:
    # Loading the compiler takes longer than all else that `import archdsl` does.
    if name in __all__:
        from importlib import import_module

        if name in _MODULES:
            value = import_module(_MODULES[name])
        else:
            home = "diagnostics.diagnostic" if name.startswith("Diagnostic") else "api.network"
            value = getattr(import_module(f"archdsl.{home}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'archdsl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
