"""Generated source as a live Python module. Knows nothing of networks."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType


def import_source(text: str, name: str) -> ModuleType:
    """The module that a text is; the same one for the same text.

    It is registered under a name of its own and its lines where tracebacks look for them, since
    TorchScript reads the source of what it compiles.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    title = f"archdsl_{name}_{digest}"
    known = sys.modules.get(title)
    if known is not None:
        return known
    file = f"<{title}>"
    module = ModuleType(title)
    module.__file__ = file
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules[title] = module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[title], linecache.cache[file]
        raise
    return module
