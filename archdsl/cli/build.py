"""`archdsl build`: generate the PyTorch module of a network."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, open_spec, option_place
from archdsl.cli.output import FINE, write_file, write_out
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError

EPILOG = """\
examples:
  archdsl build mnasnet_a1                           to standard output
  archdsl build my_net.arch -o my_net.py             to a file, written atomically
  archdsl build my_net.arch --variant large          a row of the arch's `variants`
  archdsl build my_net.arch --set num_classes=10 --set "act=leaky_relu(0.1)"
  archdsl build two_nets.arch --arch student --class-name Student
  generate_spec | archdsl build - -o net.py
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument(
        "-o", "--output", metavar="FILE", help="output file (default: standard output)"
    )
    add_selection(command)
    command.add_argument("--class-name", metavar="NAME", help="name of the network's class")


def run(options: argparse.Namespace) -> int:
    """Generate the PyTorch module of a network."""
    spec = open_spec(options.spec)
    if options.class_name is not None:
        from archdsl.elaborate.expectations import check_class_name

        try:
            check_class_name(options.class_name, option_place("--class-name", options.class_name))
        except Diagnostic as problem:
            raise DiagnosticError([problem]) from None
    text = chosen_network(spec, options).source(options.class_name)
    if options.output in (None, "-"):
        write_out(text)
    else:
        write_file(options.output, text, spec)
    return FINE
