"""`archdsl onnx`: export the ONNX graph of a network."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, natural, open_spec
from archdsl.cli.output import FINE, counted, keep_inputs, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError

EPILOG = """\
Does not need torch. Initializers have the names of the state_dict. See docs/onnx.md.

examples:
  archdsl onnx mobilenet_v2                          random weights, to mobilenet_v2.onnx
  archdsl onnx my_net.arch --weights trained.safetensors -o my_net.onnx
  archdsl onnx my_net.arch --no-weights              weights as inputs of the graph
  archdsl onnx resnext50 --opset 17 --dtype float16 --dynamic spatial
  archdsl onnx mnasnet_a1 --functions --keep-bn      keep blocks as functions, for viewers
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument("-o", "--output", metavar="FILE", help="output file (default NAME.onnx)")
    add_selection(command)
    weights = command.add_mutually_exclusive_group()
    weights.add_argument(
        "--seed", metavar="N", type=natural, default=0, help="random seed (default 0)"
    )
    weights.add_argument(
        "--weights", metavar="FILE", help="state_dict in a safetensors or torch.save file"
    )
    weights.add_argument(
        "--no-weights", dest="weights", action="store_false", help="make the weights inputs"
    )
    add_graph_options(command)
    add_form_options(command)
    command.add_argument(
        "--external-data", choices=("auto", "always", "never"), default="auto",
        help="store weights in FILE.data: auto (default) from 1.8 GB on",
    )  # fmt: skip


def add_graph_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--opset", metavar="N", type=int, help="13 to 28 (default 20)")
    fold = command.add_mutually_exclusive_group()
    fold.add_argument(
        "--fold-bn", dest="fold", action="store_true", default=None,
        help="fold batch normalization into the preceding layer (default with weights)",
    )  # fmt: skip
    fold.add_argument(
        "--keep-bn", dest="fold", action="store_false", help="keep batch normalization in the graph"
    )
    command.add_argument("--functions", action="store_true", help="keep blocks as local functions")


def add_form_options(command: argparse.ArgumentParser) -> None:
    """Add the data type of a graph and its dynamic axes; None if not given."""
    command.add_argument(
        "--dtype", choices=("float32", "float16", "bfloat16"),
        help="type of weights, inputs and outputs (default float32)",
    )  # fmt: skip
    command.add_argument(
        "--dynamic", choices=("batch", "spatial", "none"),
        help="dynamic axes: batch (default), batch and spatial, or none for a batch of one",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Export the ONNX graph of a network."""
    spec = open_spec(options.spec)
    network = chosen_network(spec, options)
    path = f"{network.name}.onnx" if options.output is None else options.output
    if path == "-":
        reason = "ONNX is a binary format; name a file with -o"
        raise DiagnosticError([errors.CannotWrite(path="standard output", reason=reason)])
    weights = True if options.weights is None else options.weights
    for output in (path, f"{path}.data"):
        keep_inputs(output, [spec], {"the weights file": options.weights or None})
    with progress(options) as tell:
        nodes = network.onnx(
            path,
            opset=options.opset,
            seed=options.seed,
            weights=weights,
            fold=options.fold,
            dtype=options.dtype or "float32",
            dynamic=options.dynamic or "batch",
            external_data=options.external_data,
            functions=options.functions,
            progress=tell,
        )
    if not options.quiet:
        write_out(f"{path}: {counted(nodes, 'node')}\n")
    return FINE
