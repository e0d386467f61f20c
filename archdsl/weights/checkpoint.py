"""Reads `.pt` and `.pth`: a pickled `state_dict`, through torch's weights-only loading alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from archdsl import errors
from archdsl.weights.sources import Tensors


class CheckpointFile(Tensors):
    """The tensors of a checkpoint; raises a diagnostic for what torch does not load as weights."""

    def __init__(self, path: str) -> None:
        try:
            import torch
        except ImportError:
            raise errors.NeedsPackage(what=f"reading {path}", package="torch") from None
        try:
            content: Any = self._load(torch, path)
        except FileNotFoundError as problem:
            raise errors.NoSuchFile(path=path, reason=problem.strerror or "") from None
        except Exception as problem:  # whatever pickle, zipfile and torch raise for a bad file
            first = (str(problem).splitlines() or [type(problem).__name__])[0]
            raise errors.NotACheckpoint(path=path, reason=first[:200]) from None
        if not isinstance(content, Mapping) or not all(
            isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()
        ):
            entries = content.items() if isinstance(content, Mapping) else ()
            inside = [name for name, entry in entries if isinstance(entry, Mapping)]
            reason = "it holds no mapping of names to tensors"
            if inside:
                reason += f"; save the entry `{inside[0]}` by itself"
            raise errors.NotACheckpoint(path=path, reason=reason)
        super().__init__(content, os.path.basename(path))

    @staticmethod
    def _load(torch: Any, path: str) -> Any:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file of the old format cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
