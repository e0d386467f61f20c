"""Files that appear whole, several at a time, or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def whole(paths: list[str]) -> Iterator[list[IO[bytes]]]:
    """Files to write; together they take their places in the end, or nothing is left of them.

    Raises `OSError`. A device or a pipe is written as it is, and alone.
    """
    for path in paths:
        if not os.path.basename(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if os.path.exists(path) and not os.path.isfile(path) and len(paths) > 1:
            raise OSError(errno.EINVAL, f"{os.path.basename(path)} is no regular file")
    if os.path.exists(paths[0]) and not os.path.isfile(paths[0]):
        with _opened(paths) as files:
            yield files
        return
    places = [os.path.realpath(path) for path in paths]
    temporary: list[str] = []
    try:
        for place in places:
            descriptor, name = tempfile.mkstemp(prefix=".archdsl-", dir=os.path.dirname(place))
            os.close(descriptor)
            temporary.append(name)
        with _opened(temporary) as files:
            yield files
        for name, place in zip(temporary, places):
            os.chmod(name, _mode(place))
        with _alone(places):
            _replace_all(list(zip(temporary, places)))
    finally:
        for name in temporary:
            if os.path.exists(name):
                os.unlink(name)


def write(path: str, content: bytes) -> None:
    """Write a file whole or not at all. Raises `OSError`."""
    with whole([path]) as (file,):
        file.write(content)


@contextmanager
def _opened(paths: list[str]) -> Iterator[list[IO[bytes]]]:
    files: list[IO[bytes]] = []
    try:
        for path in paths:
            files.append(open(path, "wb"))
        yield files
        for file in files:
            file.close()  # what is left in the buffers may not fit either
    finally:
        for file in files:
            try:
                file.close()
            except OSError:
                pass


@contextmanager
def _alone(places: list[str]) -> Iterator[None]:
    """Lock a group of files against other writers."""
    if len(places) < 2 or fcntl is None:
        yield
        return
    folder = os.open(os.path.dirname(places[0]), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _mode(place: str) -> int:
    """The rights of the file that is there, or of a new one."""
    try:
        return os.stat(place).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _replace_all(moves: list[tuple[str, str]]) -> None:
    """Move files over others; where one fails, those moved before are as they were."""
    undo: list[Callable[[], None]] = []
    kept: list[str] = []
    try:
        for number, (name, place) in enumerate(moves):
            if number + 1 < len(moves):
                undo.append(_keep(place, kept))
            os.replace(name, place)
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    finally:
        for name in kept:
            if os.path.exists(name):
                os.unlink(name)


def _keep(place: str, kept: list[str]) -> Callable[[], None]:
    """Set a file aside; how to bring it back."""
    if not os.path.exists(place):
        return lambda: os.path.exists(place) and os.unlink(place)  # type: ignore[func-returns-value, return-value]
    aside = f"{place}.archdsl-{os.getpid()}"
    os.rename(place, aside)
    kept.append(aside)

    def back() -> None:
        os.replace(aside, place)

    return back
