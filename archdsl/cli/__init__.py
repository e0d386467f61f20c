"""The command line: the only package that prints and exits.

Each command is a module, imported when it is called: `arguments` declares its options, and `run`
executes it and returns the exit status.

Exit status: 0 success, 1 error in a spec, 2 error in the command line, 70 bug in the compiler.
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
from archdsl.cli.signals import SIGNALLED, Stopped, install_signal_handlers
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support import limits
from archdsl.support.escaping import printable
from archdsl.support.version import __version__

COMMANDS = {
    "build": "generate the PyTorch module of a network",
    "check": "check specs for errors",
    "fmt": "format specs",
    "explain": "trace a network's numbers, or explain the code of a diagnostic",
    "summary": "show the parts of a network with shapes, receptive fields and costs",
    "view": "draw a network as a picture, a web page, or a Graphviz or Mermaid graph",
    "diff": "compare two networks",
    "graph": "print the graph of a network, or the result of an earlier phase",
    "onnx": "export the ONNX graph of a network",
    "weights": "convert a checkpoint with other names for a network",
    "verify": "compare the results of PyTorch and ONNX",
    "plot": "plot the costs of networks",
    "bench": "measure the speed of networks",
    "list": "list the shipped networks and blocks",
    "show": "print a shipped spec or block",
}
"""All commands with their descriptions. The module of a command has its name."""

DESCRIPTION = "Compile specs of neural networks to PyTorch source and ONNX."

EPILOG = """\
A SPEC is a file, `-` for standard input, or the name of a shipped spec (resnext50).
Long-running commands show their progress if standard error is a terminal.

exit status: 0 success, 1 error in a spec, 2 error in the command line, 70 bug in archdsl;
diff: 0 same network, 1 different networks, 2 error

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
    """Run the command `archdsl` and exit."""
    gc.set_threshold(100_000)  # a compilation allocates much and frees little
    install_signal_handlers()
    status = main()
    # Only memory is left to free, and the system does that faster.
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = status or CLOSED_PIPE
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit status. Diagnostics go to standard error."""
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        options = _parser(arguments).parse_args(arguments)
        with limits.adjusted(dict(options.limit)):
            return _run(options)
    except SystemExit as exit:  # argparse has printed its message
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
            f"archdsl {__version__}: a bug in the compiler, not in your spec"
            f" ({type(problem).__name__}: {printable(lines[0])[:200]});"
            " please report it with the spec and the command"
            " (ARCHDSL_DEBUG=1 shows the traceback)"
        )
        return DEFECT


def _run(options: argparse.Namespace) -> int:
    """Run a command; with `--format json` or `sarif`, write its diagnostics as data at the end."""
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
    """The parser of a command line. Imports only the command that is called."""
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
    """A parser that keeps the line breaks of examples and rejects abbreviated options."""

    def __init__(self, **options: Any) -> None:
        options["description"] = options["description"][:1].upper() + options["description"][1:]
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Accept the argument named by `late`, if any, after options, too: Python before 3.12.7
        treats an optional argument as missing at the first option."""
        found, rest = super().parse_known_args(args, namespace)
        late = getattr(found, "late", None)
        if late and len(rest) == 1 and rest[0][:1] != "-" and getattr(found, late) is None:
            setattr(found, late, rest.pop())
        return found, rest
