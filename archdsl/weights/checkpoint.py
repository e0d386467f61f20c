"""Reads `.pt` and `.pth`: a pickled `state_dict`, through torch's weights-only loading alone."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from typing import Any

from archdsl import errors
from archdsl.weights.sources import Tensors

_DEEPEST = 3
"""Entries in entries that are looked into."""


class CheckpointFile(Tensors):
    """The tensors of a checkpoint; raises a diagnostic for what torch does not load as weights.

    `entry` is the place of the `state_dict` in the file: empty for the whole, none for wherever
    there is one.
    """

    def __init__(self, path: str, entry: str | None = "") -> None:
        try:
            import torch
        except ImportError:
            raise errors.NeedsPackage(what=f"reading {path}", package="torch") from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about formats that go out of use
                content: Any = self._load(torch, path)
        except Exception as problem:  # whatever pickle, zipfile and torch raise for a bad file
            if isinstance(problem, OSError) and problem.filename is not None:
                raise errors.NoSuchFile(path=path, reason=problem.strerror or "") from None
            raise errors.NotACheckpoint(path=path, reason=_reason(problem)) from None
        super().__init__(_chosen(torch, content, path, entry), os.path.basename(path))

    @staticmethod
    def _load(torch: Any, path: str) -> Any:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file of the old format cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True)


def _reason(problem: Exception) -> str:
    """Why a file is refused, without torch's advice to load it in a way that runs its code."""
    code = re.search(r"GLOBAL ([\w.]+)", str(problem))
    if code:
        return f"it asks for `{code[1]}`, and only tensors are loaded"
    if isinstance(problem, pickle.UnpicklingError):
        return "it is a pickle of something else"
    first = (str(problem).splitlines() or [""])[0][:200]
    return f"torch cannot read it ({type(problem).__name__}: {first})"


def _chosen(torch: Any, content: Any, path: str, entry: str | None) -> Mapping[str, Any]:
    """The `state_dict` that is meant."""
    if entry == "" and _is_state(torch, content):
        whole: Mapping[str, Any] = content
        return whole
    states = _states(torch, content)
    if not states or entry == "":
        reason = "it holds no mapping of names to tensors"
        inside = next(filter(None, states), "")
        if inside:
            reason += f"; save the entry `{inside}` by itself"
        raise errors.NotACheckpoint(path=path, reason=reason)
    if entry is not None and entry not in states:
        raise errors.NoSuchEntry(path=path, entry=entry, hint=f"it has {', '.join(states)}")
    if entry is None and len(states) > 1:
        first, *_ = states
        raise errors.SeveralStates(path=path, entries=", ".join(states), first=first)
    return states[next(iter(states)) if entry is None else entry]


def _is_state(torch: Any, content: Any) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()
    )


def _states(
    torch: Any, content: Any, place: str = "", depth: int = 0
) -> dict[str, Mapping[str, Any]]:
    """The mappings from names to tensors in what a file holds, by their places in it."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return {}
    entries = {name: entry for name, entry in content.items() if isinstance(name, str)}
    tensors = {name: x for name, x in entries.items() if isinstance(x, torch.Tensor)}
    if tensors:  # and perhaps an epoch beside them
        return {place: tensors}
    found: dict[str, Mapping[str, Any]] = {}
    for name, entry in entries.items():
        found.update(_states(torch, entry, f"{place}.{name}" if place else name, depth + 1))
    return found
