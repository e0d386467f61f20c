"""Output of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError, coloured, plain, render
from archdsl.support.escaping import printable

if TYPE_CHECKING:
    from archdsl.api.network import Spec

FINE, WRONG_SPEC, WRONG_COMMAND, DEFECT = 0, 1, 2, 70
CLOSED_PIPE, INTERRUPTED = 128 + 13, 128 + 2

OPTION = "--"
"""Prefix of sources that are options; the path of a spec need not start with it."""

ARGUMENTS = ("PART", "A", "B")
"""Names of positional arguments as sources."""


_waiting: list[Diagnostic] | None = None
"""Diagnostics to write as data at the end; None if they are printed at once."""


_make_room: Callable[[], None] | None = None
"""Action to run before any output."""


def before_text(action: Callable[[], None] | None) -> None:
    """Run an action before any further output; None removes it."""
    global _make_room
    _make_room = action


@contextmanager
def collected() -> Iterator[list[Diagnostic]]:
    """Collect reported diagnostics, each once, instead of printing them."""
    global _waiting
    _waiting = []
    try:
        yield _waiting
    finally:
        _waiting = None


def report(problems: list[Diagnostic], spec: str | None = None) -> int:
    """Print diagnostics and their number, and return the exit status."""
    places = [problem.span.source.name for problem in problems if problem.span is not None]
    paint = coloured if _has_colours() else plain
    text = "\n\n".join(render(problem, paint) for problem in problems)
    where = spec or next((place for place in places if not _is_argument(place)), None)
    tail = f" in {'<stdin>' if where == '-' else where}" if where else ""
    severities = [problem.severity for problem in problems]
    counts = [(severities.count(severity), severity) for severity in ("error", "warning")]
    total = ", ".join(counted(count, severity) for count, severity in counts if count)
    if _waiting is None:
        say(f"{text}\n\n{total}{printable(tail)}")
    else:
        told = set(map(identity, _waiting))
        _waiting.extend(problem for problem in problems if identity(problem) not in told)
    if "error" not in severities:
        return FINE
    all_options = len(places) == len(problems) and all(map(_is_argument, places))
    return WRONG_COMMAND if all_options else WRONG_SPEC


def _is_argument(place: str) -> bool:
    """True if a source is part of the command line."""
    return place.startswith(OPTION) or place in ARGUMENTS


def _has_colours() -> bool:
    """True if standard error is a terminal that supports colors, and they are not disabled."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":  # https://no-color.org
        return False
    return sys.stderr is not None and sys.stderr.isatty()


def identity(problem: Diagnostic) -> tuple[str, str | None]:
    """A key that is equal for duplicates: an error in a block appears at each of its uses."""
    return render(problem), problem.span.source.path if problem.span else None


def counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def say(text: str) -> None:
    if _make_room is not None:
        _make_room()
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr)
        except OSError:
            pass  # nobody listens; the exit status remains


def write_out(text: str) -> None:
    """Write to standard output, always in UTF-8."""
    place = "standard output"
    if _make_room is not None:
        _make_room()
    if sys.stdout is None:
        raise DiagnosticError([errors.CannotWrite(path=place, reason="it is closed")])
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(
            text.encode(errors="surrogateescape")
        )  # undecodable file names unchanged
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        silence_stdout()
        reason = problem.strerror or str(problem)
        raise DiagnosticError([errors.CannotWrite(path=place, reason=reason)]) from None


def silence_stdout() -> None:
    """Discard the rest of the buffer, so that Python does not fail at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass


def write_file(path: str, text: str, spec: Spec) -> None:
    """Write the result of compiling a spec."""
    keep_inputs(path, [spec])
    replace_file(path, text)


def keep_inputs(
    path: str, specs: Iterable[Spec], others: Mapping[str, str | None] | None = None
) -> None:
    """Refuse to overwrite inputs: specs, the files they use, and `others` (by description)."""
    inputs: list[tuple[str, str | None]] = []
    for spec in specs:
        inputs.append(("it is the spec itself", spec.path))
        inputs += [("the spec uses it", file) for file in spec.program.files]
    inputs += [(f"it is {what} itself", other) for what, other in (others or {}).items()]
    for reason, other in inputs:
        if other is not None and os.path.exists(path) and os.path.exists(other):
            if os.path.samefile(path, other):
                raise DiagnosticError([errors.CannotWrite(path=path, reason=reason)])


def replace_file(path: str, text: str) -> None:
    """Write a file atomically."""
    from archdsl.diagnostics.writing import write

    write(path, text.encode())
