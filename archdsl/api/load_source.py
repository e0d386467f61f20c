"""Generated source as live Python classes. Knows nothing of networks."""

from __future__ import annotations

import hashlib
import linecache
import sys
import weakref
from types import ModuleType
from typing import Any


def import_class(text: str, name: str, class_name: str) -> type[Any]:
    """A class of the module that a text is; the same one for the same text.

    Python finds the module and its lines while a class of it is alive, since pickle imports it and
    TorchScript reads its source; afterwards nothing of it is left.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    title = f"archdsl_{name}_{digest}"
    known = sys.modules.get(title)
    if known is not None:
        try:
            return getattr(known, class_name)  # type: ignore[no-any-return]
        except AttributeError:
            pass  # its class is being collected at this moment
    file = f"<{title}>"
    namespace: dict[str, Any] = {"__name__": title, "__file__": file}
    module = _Module(title)
    module.__file__ = file
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules[title] = module
    try:
        # Nothing of this file's own `__future__`: TorchScript reads annotations as what they are.
        exec(compile(text, file, "exec", dont_inherit=True), namespace)
    except BaseException:
        _forget(title, module)
        raise
    found: type[Any] = namespace[class_name]
    module.owner = weakref.ref(found)
    weakref.finalize(found, _forget, title, module).atexit = False
    return found


class _Module(ModuleType):
    """The module as others find it. It keeps none of its classes alive, which keep each other."""

    owner: weakref.ref[Any]

    def __getattr__(self, name: str) -> Any:
        owner = self.__dict__["owner"]() if "owner" in self.__dict__ else None
        if owner is not None and name in (names := owner.forward.__globals__):
            return names[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def _forget(title: str, module: ModuleType) -> None:
    if sys.modules.get(title) is module:
        del sys.modules[title]
        linecache.cache.pop(f"<{title}>", None)
