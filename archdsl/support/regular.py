"""Files that commands read are regular ones: a pipe might never end, or never begin."""

from __future__ import annotations

import errno
import os


def regular(path: str) -> str:
    """The path of a file to read. Raises `OSError` for a directory, a pipe or a device."""
    if os.path.exists(path) and not os.path.isfile(path):
        reason = "it is a directory" if os.path.isdir(path) else "not a regular file"
        raise OSError(errno.EINVAL, reason)
    return path
