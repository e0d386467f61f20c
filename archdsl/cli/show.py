"""`archdsl show`: print a shipped spec or block."""

from __future__ import annotations

import argparse

from archdsl.cli.output import FINE, write_out
from archdsl.frontend import library

EPILOG = """\
examples:
  archdsl show mobilenet_v2                          a network
  archdsl show BLOCK                                 a block from `archdsl list`
  archdsl show mnasnet_a1 > my_net.arch              to start from one
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("name", metavar="NAME", help="name of a shipped spec or block")


def run(options: argparse.Namespace) -> int:
    """Print the text of a spec or block."""
    write_out(library.text(options.name))
    return FINE
