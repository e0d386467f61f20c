"""Opens files of weights, by their content, within the limits."""

from __future__ import annotations

from archdsl.diagnostics import errors
from archdsl.support import limits
from archdsl.support.regular import regular
from archdsl.weights.sources import File

_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".tar")


def open_file(path: str, entry: str | None = None) -> File:
    """The weights of a file, told by its first bytes. Raises a diagnostic.

    `entry` is the place of the `state_dict` in a checkpoint that holds more than that: none for
    wherever there is one.
    """
    try:
        with open(regular(path), "rb") as opened:
            start = opened.read(300)
    except OSError as problem:
        raise errors.NoSuchFile(path=path, reason=problem.strerror or str(problem)) from None
    name = path.lower()
    if start[8:9] == b"{" or name.endswith(".safetensors"):
        if entry:
            raise errors.NoSuchEntry(path=path, entry=entry, hint="it contains a single state_dict")
        from archdsl.weights.safetensors import SafetensorsFile

        return _bounded(SafetensorsFile(path))
    torch_wrote_it = start[:4] == b"PK\3\4" or start[:1] == b"\x80" or start[257:262] == b"ustar"
    if torch_wrote_it or name.endswith(_ENDINGS):
        from archdsl.weights.checkpoint import CheckpointFile

        return _bounded(CheckpointFile(path, entry))
    raise errors.UnknownWeights(path=path)


def _bounded(file: File) -> File:
    if len(file.shapes) > limits.TENSORS:
        raise errors.TooManyTensors(path=file.name, count=len(file.shapes), limit=limits.TENSORS)
    return file
