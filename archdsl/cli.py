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

DESCRIPTION = "From a spec of a neural network to PyTorch source and ONNX."

EPILOG = """\
A SPEC is a file, `-` for standard input, or the name of a shipped spec (resnext50).

exit status: 0 fine, 1 the spec is wrong, 2 the command line is wrong, 70 a defect of archdsl

examples:
  archdsl build resnext50 -o resnext50.py
  archdsl check my_net.arch
  archdsl summary my_net.arch --set num_classes=10
  archdsl onnx resnext50 -o resnext50.onnx
  archdsl verify my_net.arch
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

ONNX = """\
Needs no torch. Initializers have the names of the state_dict; docs/onnx.md tells all.

examples:
  archdsl onnx mobilenet_v2                          random weights, to mobilenet_v2.onnx
  archdsl onnx my_net.arch --weights trained.safetensors -o my_net.onnx
  archdsl onnx my_net.arch --no-weights              weights are inputs of the graph
  archdsl onnx resnext50 --opset 17 --dtype float16 --dynamic spatial
  archdsl onnx mnasnet_a1 --functions --keep-bn      to look at: blocks stay blocks
"""

VERIFY = """\
Needs torch and onnxruntime. Exit status 1 where the two disagree.

examples:
  archdsl verify mnasnet_a1
  archdsl verify my_net.arch --variant large --seeds 5
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


def onnx(options: argparse.Namespace) -> int:
    """Write the ONNX graph of a network."""
    spec = _open(options.spec)
    network = _network(spec, options)
    path = f"{network.name}.onnx" if options.output is None else options.output
    if path == "-":
        reason = "an ONNX file is not text; name a file with -o"
        raise DiagnosticError([errors.CannotWrite(path="standard output", reason=reason)])
    weights = True if options.weights is None else options.weights
    for other in (spec.path, options.weights):
        if isinstance(other, str) and os.path.exists(path) and os.path.samefile(path, other):
            reason = "it is the spec itself" if other == spec.path else "it holds the weights"
            raise DiagnosticError([errors.CannotWrite(path=path, reason=reason)])
    count = network.onnx(
        path,
        opset=options.opset,
        seed=options.seed,
        weights=weights,
        fold=options.fold,
        dtype=options.dtype,
        dynamic=options.dynamic,
        external_data=options.external_data,
        functions=options.functions,
    )
    _print(f"{path}: {_count(count, 'node')}\n")
    return FINE


def verify(options: argparse.Namespace) -> int:
    """Say whether PyTorch and ONNX compute the same."""
    from archdsl.verify import verify

    network = _network(_open(options.spec), options)
    shown = sys.stderr is not None and sys.stderr.isatty()

    def tell(text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    report = verify(
        network, options.seeds, tell if shown else None, opset=options.opset, fold=options.fold,
        functions=options.functions,
    )  # fmt: skip
    if shown:
        tell("")
    _print(f"{network.name}\n{report.text()}\n")
    return FINE if report.agrees else WRONG_SPEC


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
    told = "write the ONNX graph of a network"
    command = commands.add_parser("onnx", help=told, description=told + ".", epilog=ONNX)
    command.add_argument("spec", metavar="SPEC", help="a file, a shipped spec's name, or -")
    command.add_argument("-o", "--output", metavar="FILE", help="where to; else NAME.onnx")
    _add_selection(command)
    _add_onnx_options(command)
    command.set_defaults(command=onnx)
    told = "compare what PyTorch and ONNX compute"
    command = commands.add_parser("verify", help=told, description=told + ".", epilog=VERIFY)
    command.add_argument("spec", metavar="SPEC", help="a file, a shipped spec's name, or -")
    _add_selection(command)
    command.add_argument("--seeds", metavar="N", type=_positive, default=3, help="how many; 3")
    _add_graph_options(command)
    command.set_defaults(command=verify)
    return parser


def _add_onnx_options(command: argparse.ArgumentParser) -> None:
    weights = command.add_mutually_exclusive_group()
    weights.add_argument(
        "--seed", metavar="N", type=_natural, default=0, help="of the random weights; 0"
    )
    weights.add_argument(
        "--weights", metavar="FILE", help="a state_dict: .safetensors, .pt or .pth"
    )
    weights.add_argument(
        "--no-weights", dest="weights", action="store_false", help="make them inputs"
    )
    _add_graph_options(command)
    command.add_argument(
        "--dtype", choices=("float32", "float16", "bfloat16"), default="float32",
        help="of weights, inputs and outputs; float32",
    )  # fmt: skip
    command.add_argument(
        "--dynamic", choices=("batch", "spatial", "none"), default="batch",
        help="which sizes are open: the batch; height and width too; none, for one sample",
    )  # fmt: skip
    command.add_argument(
        "--external-data", choices=("auto", "always", "never"), default="auto",
        help="weights in FILE.data: from 1.8 GB on, always, never",
    )  # fmt: skip


def _add_graph_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--opset", metavar="N", type=int, help="13 to 28; 20")
    fold = command.add_mutually_exclusive_group()
    fold.add_argument(
        "--fold-bn", dest="fold", action="store_true", default=None,
        help="put batch normalisation into the layer before (default with weights)",
    )  # fmt: skip
    fold.add_argument("--keep-bn", dest="fold", action="store_false", help="leave it in the graph")
    command.add_argument(
        "--functions", action="store_true", help="keep blocks, as local functions"
    )


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


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
