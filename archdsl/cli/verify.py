"""`archdsl verify`: whether PyTorch and ONNX compute the same."""

from __future__ import annotations

import argparse

from archdsl.cli.onnx import add_graph_options
from archdsl.cli.options import add_selection, add_spec, chosen_network, open_spec, positive
from archdsl.cli.output import FINE, WRONG_SPEC, write_out
from archdsl.cli.progress import progress

EPILOG = """\
Needs torch and onnxruntime. Exit status 1 where the two disagree.

examples:
  archdsl verify mnasnet_a1
  archdsl verify my_net.arch --variant large --seeds 5
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    add_selection(command)
    command.add_argument("--seeds", metavar="N", type=positive, default=3, help="how many; 3")
    add_graph_options(command)


def run(options: argparse.Namespace) -> int:
    """Say whether PyTorch and ONNX compute the same."""
    from archdsl.verify import verify

    network = chosen_network(open_spec(options.spec), options)
    with progress(options) as tell:
        report = verify(
            network, options.seeds, tell, opset=options.opset, fold=options.fold,
            functions=options.functions,
        )  # fmt: skip
    if not (options.quiet and report.agrees):
        write_out(f"{network.name}\n{report.text()}\n")
    return FINE if report.agrees else WRONG_SPEC
