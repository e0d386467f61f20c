"""The command line. The only package that prints and exits; what it does is done by the others.

Each command is a module of its own, imported when it is called: its `arguments` declares what it
takes, its `run` does it and gives the exit status.

Exit status: 0 fine, 1 the spec is wrong, 2 the command line is wrong, 70 a defect of the compiler.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from archdsl.cli.options import FORMATS, add_common
from archdsl.cli.output import (
    CLOSED_PIPE,
    DEFECT,
    INTERRUPTED,
    WRONG_COMMAND,
    collected,
    report,
    say,
    silence_stdout,
    write_out,
)
from archdsl.cli.signals import SIGNALLED, Stopped, heed_signals
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support import limits
from archdsl.support.escaping import printable
from archdsl.support.version import __version__

COMMANDS = {
    "build": "write the PyTorch module of a network",
    "check": "say what is wrong with specs",
    "fmt": "give specs the layout that all have",
    "explain": "say how a network's numbers came about, or what the code of a diagnostic means",
    "summary": "show the parts of a network with shapes, receptive fields and costs",
    "view": "draw a network: a picture, a page, a graph for Graphviz or Mermaid",
    "diff": "say what differs between two networks",
    "graph": "print the graph of a network, or what an earlier phase makes of its spec",
    "onnx": "write the ONNX graph of a network",
    "weights": "find the weights of a network in a checkpoint with other names",
    "verify": "compare what PyTorch and ONNX compute",
    "plot": "draw figures of what networks cost",
    "bench": "measure how long networks take",
    "list": "show the shipped networks and blocks",
    "show": "print a shipped spec or block",
}
"""What there is, and what each is for. The module of a command has its name."""

DESCRIPTION = "From a spec of a neural network to PyTorch source and ONNX."

EPILOG = """\
A SPEC is a file, `-` for standard input, or the name of a shipped spec (resnext50).
With --quiet a command says nothing of what is fine; results and diagnostics are told. Long work
shows how far it is where standard error is a terminal.

exit status: 0 fine, 1 the spec is wrong, 2 the command line is wrong, 70 a defect of archdsl;
of diff: 1 the networks differ, 2 trouble

examples:
  archdsl build resnext50 -o resnext50.py
  archdsl check my_net.arch
  archdsl explain A3014
  archdsl summary my_net.arch --set num_classes=10
  archdsl explain my_net.arch body.stage3
  archdsl diff efficientnet@b0 efficientnet@b1
  archdsl view my_net.arch -o my_net.html
  archdsl onnx resnext50 -o resnext50.onnx
  archdsl verify my_net.arch
  archdsl build --help
"""


def run() -> NoReturn:
    """The command `archdsl`."""
    gc.set_threshold(100_000)  # a compilation makes much and drops little
    heed_signals()
    status = main()
    # Nothing is left to do but to free memory, which the system does faster.
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = status or CLOSED_PIPE
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status. Says what is wrong on standard error."""
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        options = _parser(arguments).parse_args(arguments)
        with limits.adjusted(dict(options.limit)):
            return _run(options)
    except SystemExit as exit:  # argparse, having said all
        return exit.code if isinstance(exit.code, int) else WRONG_COMMAND
    except BrokenPipeError:
        silence_stdout()
        return CLOSED_PIPE
    except Stopped as signal:
        return SIGNALLED + signal.number
    except KeyboardInterrupt:
        return INTERRUPTED
    except DiagnosticError as problem:
        return report(problem.diagnostics)
    except Exception as problem:
        if os.environ.get("ARCHDSL_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        lines = str(problem).splitlines() or [""]
        say(
            f"archdsl {__version__}: a defect of the compiler, not of your spec"
            f" ({type(problem).__name__}: {printable(lines[0])[:200]});"
            " please report it with the spec and the command"
            " (ARCHDSL_DEBUG=1 shows where it happened)"
        )
        return DEFECT


def _run(options: argparse.Namespace) -> int:
    """Run a command; what it reports as data, where that is asked for."""
    write = FORMATS.get(options.format) if "told_on" in options else None
    if write is None:
        return int(options.command(options))
    with collected() as problems:
        try:
            status = int(options.command(options))
        except DiagnosticError as problem:
            status = report(problem.diagnostics)
    wrong = any(problem.severity == "error" for problem in problems)
    text = write(problems, options.checked if "checked" in options else {options.spec: not wrong})
    if options.told_on == "stdout":
        write_out(text + "\n")
    else:
        say(text)
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a command line. Only what the line calls is imported."""
    parser = _Parser(prog="archdsl", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"archdsl {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    called = arguments[0] if arguments and arguments[0] in COMMANDS else None
    for name, told in COMMANDS.items():
        if called is None:
            commands.add_parser(name, help=told, description=told)
        elif name == called:
            module = importlib.import_module(f"archdsl.cli.{name}")
            command = commands.add_parser(
                name, help=told, description=told + ".", epilog=module.EPILOG
            )
            module.arguments(command)
            add_common(command)
            command.set_defaults(command=module.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Keeps the lines of examples as they are written, and takes no shortened options."""

    def __init__(self, **options: Any) -> None:
        options["description"] = options["description"][:1].upper() + options["description"][1:]
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Lets the argument that `late` names, if a command has one, stand behind options, too:
        Python before 3.12.7 takes an optional argument for left out at the first option."""
        found, rest = super().parse_known_args(args, namespace)
        late = getattr(found, "late", None)
        if late and len(rest) == 1 and rest[0][:1] != "-" and getattr(found, late) is None:
            setattr(found, late, rest.pop())
        return found, rest
