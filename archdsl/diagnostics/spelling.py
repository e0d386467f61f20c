"""Names that were likely meant: those spelled most like an unknown one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, capitals aside; empty where none is like it."""
    from difflib import get_close_matches  # only a mistake needs it

    # Those with no letters in common are not like it, and looking closely takes long.
    lower = name.lower()[:80]
    letters = set(lower)
    alike = {k.lower(): k for k in known if 2 * len(letters & set(k.lower())) >= len(letters)}
    found = get_close_matches(lower, sorted(alike)[:500], n=1, cutoff=0.6)
    return alike[found[0]] if found else ""


def did_you_mean(near: str) -> str:
    """The help for an unknown name."""
    return f"did you mean `{near}`?" if near else ""
