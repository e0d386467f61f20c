"""Locations of resources (grammar, templates, specs, pages) and of the cache."""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKED = os.path.join(_PACKAGE, "_data")
ROOT = _PACKED if os.path.isdir(_PACKED) else os.path.dirname(_PACKAGE)
"""Holds `errors`, `grammars`, `templates`, `specs`: in a wheel in the package, else beside it."""

SPECS = os.path.join(ROOT, "specs")
STANDARD = os.path.join(SPECS, "std")
ERRORS = os.path.join(ROOT, "errors")
TEMPLATES = os.path.join(ROOT, "templates")


def grammar() -> str:
    """The text of the grammar."""
    with open(os.path.join(ROOT, "grammars", "arch.lark"), encoding="utf-8") as file:
        return file.read()


def is_cache_file(path: str) -> bool:
    """True if a path is a file of the cache or free for one; to open a pipe would wait for ever."""
    return os.path.isfile(path) or not os.path.lexists(path)


def cache_folder() -> str | None:
    """The user's cache for this version, made when missing; none where there can be none.

    `ARCHDSL_CACHE` names another place; empty, it turns the cache off.
    """
    place = os.environ.get("ARCHDSL_CACHE")
    if place is None:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        place = os.path.join(base, "archdsl")
    if not place:
        return None
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        # What is read back is trusted (pickled tables, byte code): nobody else may have put it in.
        status = os.stat(place)
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            return None
    except OSError:
        return None
    return place
