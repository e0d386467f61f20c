"""The command line. The only module that prints and exits; what it does is done by the others.

Exit status: 0 fine, 1 the spec is wrong, 2 the command line is wrong, 70 a defect of the compiler.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from archdsl import __version__, errors
from archdsl.diagnostics import Diagnostic, DiagnosticError, printable, render
from archdsl.source import Source, Span

if TYPE_CHECKING:
    from archdsl import tree
    from archdsl.network import Network, Spec

FINE, WRONG_SPEC, WRONG_COMMAND, DEFECT = 0, 1, 2, 70
CLOSED_PIPE, INTERRUPTED = 128 + 13, 128 + 2

OPTION = "--"
"""How the sources that are options are called; no file of a spec has to start like this."""

DESCRIPTION = "From a spec of a neural network to PyTorch source."

EPILOG = """\
A SPEC is a file, `-` for standard input, or the name of a shipped spec (resnext50).

exit status: 0 fine, 1 the spec is wrong, 2 the command line is wrong, 70 a defect of archdsl

examples:
  archdsl build resnext50 -o resnext50.py
  archdsl check my_net.arch
  archdsl summary my_net.arch --set num_classes=10
  archdsl build --help
"""

BUILD = """\
examples:
  archdsl build mnasnet_a1                           to standard output
  archdsl build my_net.arch -o my_net.py             to a file, which appears whole or not at all
  archdsl build my_net.arch --variant large          a row of the arch's `variants`
  archdsl build my_net.arch --set num_classes=10 --set "act=leaky_relu(0.1)"
  archdsl build two_nets.arch --arch student --class-name Student
  generate_spec | archdsl build - -o net.py
"""

CHECK = """\
Checks each arch of each file as it stands and in each of its variants; with --arch, --variant
or --set, just what these select.

examples:
  archdsl check my_net.arch
  archdsl check specs/*.arch
  archdsl check my_net.arch --variant large --set resolution=256
"""

SUMMARY = """\
One row for each line of the arch, each row of its tables, and each use of a block.

examples:
  archdsl summary mobilenet_v2
  archdsl summary my_net.arch --variant large --set num_classes=10
"""


def run() -> NoReturn:
    """The command `archdsl`."""
    gc.set_threshold(100_000)  # a compilation makes much and drops little
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
        options = _parser().parse_args(arguments)
        command: Callable[[Any], int] = options.command
        return command(options)
    except SystemExit as exit:  # argparse, having said all
        return exit.code if isinstance(exit.code, int) else WRONG_COMMAND
    except BrokenPipeError:
        _silence_stdout()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except DiagnosticError as problem:
        return _report(problem.diagnostics)
    except Exception as problem:
        if os.environ.get("ARCHDSL_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        lines = str(problem).splitlines() or [""]
        _say(
            f"archdsl {__version__}: a defect of the compiler, not of your spec"
            f" ({type(problem).__name__}: {printable(lines[0])[:200]});"
            " please report it with the spec and the command"
            " (ARCHDSL_DEBUG=1 shows where it happened)"
        )
        return DEFECT


# The commands


def build(options: argparse.Namespace) -> int:
    """Write the PyTorch module of a network."""
    spec = _open(options.spec)
    if options.class_name is not None:
        from archdsl.check import check_class_name

        try:
            check_class_name(options.class_name, _option("--class-name", options.class_name))
        except Diagnostic as problem:
            raise DiagnosticError([problem]) from None
    text = _network(spec, options).source(options.class_name)
    if options.output in (None, "-"):
        _print(text)
    else:
        _write(options.output, text, spec)
    return FINE


def check(options: argparse.Namespace) -> int:
    """Say what is wrong with specs, and how much is fine."""
    status = FINE
    selected = options.arch or options.variant or options.set
    for name in options.specs:
        problems: list[Diagnostic] = []
        fine: list[str] = []
        try:
            spec = _open(name)
            if selected:
                fine.append(_network(spec, options).name)
            else:
                _check_all(spec, fine, problems)
        except DiagnosticError as problem:
            problems += problem.diagnostics
        if problems:
            status = max(status, _report(_each_once(problems), name))
        else:
            nothing = f"no arch; {_count(len(spec.blocks), 'block')}"
            _print(f"{name}: {_count(len(fine), 'network') + ' fine' if fine else nothing}\n")
    return status


def summary(options: argparse.Namespace) -> int:
    """Print a table of what a network consists of and what it costs."""
    _print(_network(_open(options.spec), options).summary() + "\n")
    return FINE


def _check_all(spec: Spec, fine: list[str], problems: list[Diagnostic]) -> None:
    """Check every arch as it stands and in its variants, and that the blocks can be resolved."""
    for block in spec.blocks:
        try:
            spec.unit(block)
        except DiagnosticError as problem:
            problems += problem.diagnostics
    for arch in spec.archs:
        try:
            unit = spec.unit(arch)
            variants: list[str | None] = [*spec.variants(arch)]
        except DiagnosticError as problem:
            problems += problem.diagnostics
            continue
        complete = all(parameter.default is not None for parameter in unit.parameters)
        if complete or not variants:  # what the variants give must not be missed without them
            variants.insert(0, None)
        for variant in variants:
            try:
                fine.append(spec.network(arch, variant).name)
            except DiagnosticError as problem:
                problems += problem.diagnostics


def _each_once(problems: list[Diagnostic]) -> list[Diagnostic]:
    """A mistake in a block shows in each network that uses it; it is told once."""
    return list({render(problem): problem for problem in problems}.values())


# What the options select


def _open(name: str) -> Spec:
    from archdsl.network import Spec, all_mistakes

    if name != "-":
        return Spec.open(name)
    from archdsl.resolve import decode

    with all_mistakes():
        if sys.stdin is None:
            raise errors.NoSuchFile(path="<stdin>", reason="it is closed")
        return Spec(decode(sys.stdin.buffer.read(), "<stdin>"))


def _network(spec: Spec, options: argparse.Namespace) -> Network:
    place = None if options.arch is None else _option("--arch", options.arch)
    arch = spec.choose(options.arch, place)
    if options.variant is not None:
        known = spec.variants(arch)
        if options.variant not in known:
            hint = f"there are {', '.join(known)}" if known else "it has no `variants`"
            place = _option("--variant", options.variant)
            problem = errors.NoVariant(place, name=arch, variant=options.variant, hint=hint)
            raise DiagnosticError([problem])
    settings: dict[str, tree.Expression] = {
        name: spec.expression(Source(f"--set {name}", text)) for name, text in options.set
    }
    return spec.network(arch, options.variant, settings)


def _option(name: str, text: str) -> Span:
    """The place of an option's text."""
    return Span(Source(name, text), 0, len(text))


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    name = name.strip()
    if not sign or not (name.isascii() and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value.strip()


class _Once(argparse.Action):
    """Collects settings, and refuses two for one name."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        settings = getattr(namespace, self.dest)
        if any(name == values[0] for name, _ in settings):
            parser.error(f"argument --set: {values[0]} is set twice")
        setattr(namespace, self.dest, [*settings, values])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="archdsl", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"archdsl {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    told = "write the PyTorch module of a network"
    command = commands.add_parser("build", help=told, description=told + ".", epilog=BUILD)
    command.add_argument("spec", metavar="SPEC", help="a file, a shipped spec's name, or -")
    command.add_argument("-o", "--output", metavar="FILE", help="where to; else standard output")
    _add_selection(command)
    command.add_argument("--class-name", metavar="NAME", help="what to call the network's class")
    command.set_defaults(command=build)
    told = "say what is wrong with specs"
    command = commands.add_parser("check", help=told, description=told + ".", epilog=CHECK)
    command.add_argument("specs", metavar="SPEC", nargs="+", help="files or shipped specs, or -")
    _add_selection(command)
    command.set_defaults(command=check)
    told = "show stages and blocks with shapes, parameters and MACs"
    command = commands.add_parser("summary", help=told, description=told + ".", epilog=SUMMARY)
    command.add_argument("spec", metavar="SPEC", help="a file, a shipped spec's name, or -")
    _add_selection(command)
    command.set_defaults(command=summary)
    return parser


def _add_selection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--arch", metavar="NAME", help="which arch, where a file has several")
    command.add_argument("--variant", metavar="NAME", help="which row of the arch's `variants`")
    command.add_argument(
        "--set", metavar="name=value", type=_setting, action=_Once, default=[],
        help="a parameter of the arch, over the variant's; once for each",
    )  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Keeps the lines of examples as they are written, and takes no shortened options."""

    def __init__(self, **options: Any) -> None:
        options["description"] = options["description"][:1].upper() + options["description"][1:]
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )


# Output


def _report(problems: list[Diagnostic], spec: str | None = None) -> int:
    """Print mistakes and their number; the exit status they deserve."""
    places = [problem.span.source.name for problem in problems if problem.span is not None]
    text = "\n\n".join(map(render, problems))
    where = spec or next((place for place in places if not place.startswith(OPTION)), None)
    tail = f" in {'<stdin>' if where == '-' else where}" if where else ""
    _say(f"{text}\n\n{_count(len(problems), 'error')}{printable(tail)}")
    all_options = len(places) == len(problems) and all(p.startswith(OPTION) for p in places)
    return WRONG_COMMAND if all_options else WRONG_SPEC


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _say(text: str) -> None:
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr)
        except OSError:
            pass  # nobody listens; the exit status still tells


def _print(text: str) -> None:
    """To standard output, in UTF-8 wherever it leads."""
    place = "standard output"
    if sys.stdout is None:
        raise DiagnosticError([errors.CannotWrite(path=place, reason="it is closed")])
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        _silence_stdout()
        reason = problem.strerror or str(problem)
        raise DiagnosticError([errors.CannotWrite(path=place, reason=reason)]) from None


def _silence_stdout() -> None:
    """Let what is left in the buffer go nowhere, so that leaving Python does not fail on it."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass


def _write(path: str, text: str, spec: Spec) -> None:
    from archdsl import resources

    try:
        if spec.path is not None and os.path.exists(path) and os.path.samefile(path, spec.path):
            problem: Diagnostic = errors.CannotWrite(path=path, reason="it is the spec itself")
            raise DiagnosticError([problem])
        resources.write_whole(path, text.encode())
    except OSError as trouble:
        reason = trouble.strerror or str(trouble)
        raise DiagnosticError([errors.CannotWrite(path=path, reason=reason)]) from None
