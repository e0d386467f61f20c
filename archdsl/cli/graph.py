"""`archdsl graph`: print the graph of a network, or the result of an earlier phase."""

from __future__ import annotations

import argparse

from archdsl.api.network import Spec, all_mistakes, source_of
from archdsl.cli.options import (
    add_selection,
    add_spec,
    chosen_network,
    open_spec,
    option_place,
    read_standard_input,
)
from archdsl.cli.output import FINE, keep_inputs, replace_file, write_file, write_out

EPILOG = """\
Phases:
  parse      the syntax tree of the file, one node per line, with spans
  resolve    the arch or block and everything it calls, as a standalone spec with `use`, `extends`
             and `set` merged in
  elaborate  the graph, one primitive per line, with non-default arguments, output shapes and name

--variant, --set and --input only apply to elaboration; earlier phases do not evaluate values.
docs/architecture.md shows one spec in all phases.

examples:
  archdsl graph mnasnet_a1
  archdsl graph my_net.arch --variant large --set num_classes=10 -o my_net.txt
  archdsl graph BLOCK --input 64x56x56 --set c=96     a block from `archdsl list`
  archdsl graph my_net.arch --stop-after resolve > whole.arch
"""

PHASES = ("parse", "resolve", "elaborate")


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument(
        "--stop-after", metavar="PHASE", choices=PHASES, default=PHASES[-1],
        help=f"last phase to run: {', '.join(PHASES)} (default)",
    )  # fmt: skip
    command.add_argument("-o", "--output", metavar="FILE", help="output file (default: stdout)")
    add_selection(command)


def run(options: argparse.Namespace) -> int:
    """Print what a phase makes of a spec."""
    if options.stop_after == "parse":
        return _parse(options)
    spec = open_spec(options.spec)
    if options.stop_after == "resolve":
        text = _resolve(spec, options)
    else:
        text = chosen_network(spec, options).graph.text()
    if options.output in (None, "-"):
        write_out(text)
    else:
        write_file(options.output, text, spec)
    return FINE


def _parse(options: argparse.Namespace) -> int:
    """Print the tree of a file, whatever the files are that it uses."""
    from archdsl.frontend.dump import dump
    from archdsl.frontend.parser import parse

    with all_mistakes():
        source = read_standard_input() if options.spec == "-" else source_of(options.spec)
        text = dump(parse(source))
    if options.output in (None, "-"):
        write_out(text)
    else:
        keep_inputs(options.output, [], {"the spec": source.path})
        replace_file(options.output, text)
    return FINE


def _resolve(spec: Spec, options: argparse.Namespace) -> str:
    """The chosen definition and all that it calls, as one spec."""
    from archdsl.frontend.resolved import resolved_text

    place = None if options.arch is None else option_place("--arch", options.arch)
    unit = spec.unit(spec.choose(options.arch, place))
    with all_mistakes():
        return resolved_text(unit)
