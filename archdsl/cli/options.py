"""Options shared by several commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl.cli.output import report
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Source, Span
from archdsl.support import limits

if TYPE_CHECKING:
    from archdsl.api.network import Network, Spec
    from archdsl.frontend import ast


def add_spec(command: argparse.ArgumentParser) -> None:
    """Add the spec that a command reads."""
    command.add_argument(
        "spec", metavar="SPEC", help="file, name of a shipped spec, or - for standard input"
    )


def _json(problems: list[Diagnostic], specs: dict[str, bool]) -> str:
    from archdsl.diagnostics.json import json_report

    return json_report(problems, specs)


def _sarif(problems: list[Diagnostic], specs: dict[str, bool]) -> str:
    from archdsl.diagnostics.sarif import sarif_report

    return sarif_report(problems)


FORMATS: dict[str, Callable[[list[Diagnostic], dict[str, bool]], str]] = {
    "json": _json,
    "sarif": _sarif,
}
"""Writers of diagnostics as data: all of a run at its end, with the specs that were checked."""


def add_format(command: argparse.ArgumentParser, *contents: str) -> None:
    """Add the format of diagnostics and, for commands with several result formats, of the result.

    `contents` are the formats of the result besides `text`. Diagnostics as data go to standard
    error, since the result goes to standard output.
    """
    of_result = f"; of the result: {', '.join(contents)}" if contents else ""
    command.add_argument(
        "--format", metavar="FORM", default="text",
        choices=tuple(dict.fromkeys(("text", *FORMATS, *contents))),
        help=f"format of diagnostics: text, {', '.join(FORMATS)} (docs/diagnostics.md){of_result}",
    )  # fmt: skip
    command.set_defaults(told_on="stderr")


def add_selection(command: argparse.ArgumentParser, *contents: str) -> None:
    """Add the options that select a network; for `contents` see `add_format`."""
    command.add_argument(
        "--arch", metavar="NAME", help="arch or block to use if the file has several"
    )
    command.add_argument("--variant", metavar="NAME", help="row of the arch's `variants`")
    add_settings(
        command, "--set", "set a parameter of the arch, overriding the variant; repeatable"
    )
    add_input(command)
    add_deny(command)
    add_format(command, *contents)


def add_settings(command: argparse.ArgumentParser, option: str, told: str) -> None:
    """Add an option that sets parameters of an arch."""
    command.add_argument(
        option, metavar="name=value", type=_setting, action=_Once, default=[], help=told
    )


def add_input(command: argparse.ArgumentParser) -> None:
    """Add the input shapes of a block used as a network."""
    command.add_argument(
        "--input", metavar="CxHxW", action="append", default=[],
        help="input shape of a block used as a network: 64x56x56, or NAME=64x56x56",
    )  # fmt: skip


def given_shapes(options: argparse.Namespace) -> str | dict[str, str] | None:
    """The shapes given with `--input`."""
    if not options.input:
        return None
    if len(options.input) == 1 and "=" not in options.input[0]:
        return str(options.input[0])
    found: dict[str, str] = {}
    for text in options.input:
        name, sign, shape = text.partition("=")
        if not sign or name in found:
            place = option_place("--input", text)
            raise DiagnosticError([errors.NotAShape(place, text=text)])
        found[name.strip()] = shape.strip()
    return found


def add_deny(command: argparse.ArgumentParser) -> None:
    """Add `--deny`."""
    command.add_argument(
        "--deny", metavar="KIND", choices=("warnings",),
        help="treat `warnings` as errors and write nothing",
    )  # fmt: skip


def add_common(command: argparse.ArgumentParser) -> None:
    """Add the options of every command."""
    command.add_argument(
        "-q", "--quiet", action="store_true",
        help="print only results and diagnostics",
    )  # fmt: skip
    command.add_argument(
        "--limit", metavar="NAME=N", type=_limit, action="append", default=[],
        help="change a limit on specs (docs/limits.md); repeatable",
    )  # fmt: skip


def open_spec(name: str) -> Spec:
    from archdsl.api.network import Spec, all_mistakes

    if name != "-":
        return Spec.open(name)
    with all_mistakes():
        return Spec(read_standard_input())


def read_standard_input() -> Source:
    """Read a spec from standard input. Raises `Diagnostic`."""
    from archdsl.frontend.files import decode

    if sys.stdin is None:
        raise errors.NoSuchFile(path="<stdin>", reason="it is closed")
    content = sys.stdin.buffer.read(limits.SOURCE_BYTES + 1)
    if len(content) > limits.SOURCE_BYTES:
        raise errors.FileTooLarge(path="<stdin>", limit=limits.SOURCE_BYTES)
    return decode(content, "<stdin>")


def chosen_network(spec: Spec, options: argparse.Namespace) -> Network:
    """The network that the options select. Reports its warnings."""
    place = None if options.arch is None else option_place("--arch", options.arch)
    arch = spec.choose(options.arch, place)
    if options.variant is not None:
        known = spec.variants(arch)
        if options.variant not in known:
            hint = f"its variants are {', '.join(known)}" if known else "it has no `variants`"
            place = option_place("--variant", options.variant)
            problem = errors.NoVariant(place, name=arch, variant=options.variant, hint=hint)
            raise DiagnosticError([problem])
    settings: dict[str, ast.Expression] = {
        name: spec.expression(Source(f"--set {name}", text)) for name, text in options.set
    }
    network = spec.network(arch, options.variant, settings, given_shapes(options))
    if warnings := heeded(network.warnings, options):
        report(warnings, options.spec if "spec" in options else None)
    return network


def heeded(warnings: list[Diagnostic], options: argparse.Namespace) -> list[Diagnostic]:
    """The warnings to report; with `--deny warnings`, they are raised as errors instead."""
    if warnings and options.deny:
        for warning in warnings:
            warning.severity = "error"
        raise DiagnosticError(warnings)
    return warnings


def option_place(name: str, text: str) -> Span:
    """The span of an option's value."""
    return Span(Source(name, text), 0, len(text))


def _limit(text: str) -> tuple[str, int]:
    name, sign, value = text.partition("=")
    if not sign or not value.isdecimal():
        raise argparse.ArgumentTypeError(f"expected NAME=N, not {text!r}")
    if name not in limits.names():
        known = ", ".join(limits.names())
        raise argparse.ArgumentTypeError(f"unknown limit {name!r}; known limits: {known}")
    return name, int(value)


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    name = name.strip()
    if not sign or not (name.isascii() and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"expected name=value, not {text!r}")
    return name, value.strip()


class _Once(argparse.Action):
    """Collect settings; reject two for the same name."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        settings = getattr(namespace, self.dest)
        if any(name == values[0] for name, _ in settings):
            parser.error(f"argument {option_string}: {values[0]} is set twice")
        setattr(namespace, self.dest, [*settings, values])


def natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number
