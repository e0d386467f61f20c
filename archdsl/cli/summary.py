"""`archdsl summary`: what a network consists of and what it costs."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, open_spec
from archdsl.cli.output import FINE, write_out

EPILOG = """\
One row for each line of the arch, each row of its tables, and each use of a block.

examples:
  archdsl summary mobilenet_v2
  archdsl summary my_net.arch --variant large --set num_classes=10
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    add_selection(command)


def run(options: argparse.Namespace) -> int:
    """Print a table of what a network consists of and what it costs."""
    write_out(chosen_network(open_spec(options.spec), options).summary() + "\n")
    return FINE
