"""`archdsl onnx`: the ONNX graph of a network."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, natural, open_spec
from archdsl.cli.output import FINE, counted, keep_inputs, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError

EPILOG = """\
Needs no torch. Initializers have the names of the state_dict; docs/onnx.md tells all.

examples:
  archdsl onnx mobilenet_v2                          random weights, to mobilenet_v2.onnx
  archdsl onnx my_net.arch --weights trained.safetensors -o my_net.onnx
  archdsl onnx my_net.arch --no-weights              weights are inputs of the graph
  archdsl onnx resnext50 --opset 17 --dtype float16 --dynamic spatial
  archdsl onnx mnasnet_a1 --functions --keep-bn      to look at: blocks stay blocks
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument("-o", "--output", metavar="FILE", help="where to; else NAME.onnx")
    add_selection(command)
    weights = command.add_mutually_exclusive_group()
    weights.add_argument(
        "--seed", metavar="N", type=natural, default=0, help="of the random weights; 0"
    )
    weights.add_argument(
        "--weights", metavar="FILE", help="a state_dict: safetensors, or what torch.save wrote"
    )
    weights.add_argument(
        "--no-weights", dest="weights", action="store_false", help="make them inputs"
    )
    add_graph_options(command)
    add_form_options(command)
    command.add_argument(
        "--external-data", choices=("auto", "always", "never"), default="auto",
        help="weights in FILE.data: from 1.8 GB on, always, never",
    )  # fmt: skip


def add_graph_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--opset", metavar="N", type=int, help="13 to 28; 20")
    fold = command.add_mutually_exclusive_group()
    fold.add_argument(
        "--fold-bn", dest="fold", action="store_true", default=None,
        help="put batch normalisation into the layer before (default with weights)",
    )  # fmt: skip
    fold.add_argument("--keep-bn", dest="fold", action="store_false", help="leave it in the graph")
    command.add_argument("--functions", action="store_true", help="keep blocks, as local functions")


def add_form_options(command: argparse.ArgumentParser) -> None:
    """The type of a graph's numbers, and the sizes that are open; none where they are not given."""
    command.add_argument(
        "--dtype", choices=("float32", "float16", "bfloat16"),
        help="of weights, inputs and outputs; float32",
    )  # fmt: skip
    command.add_argument(
        "--dynamic", choices=("batch", "spatial", "none"),
        help="which sizes are open: batch, the default; height and width too; none, for one sample",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the ONNX graph of a network."""
    spec = open_spec(options.spec)
    network = chosen_network(spec, options)
    path = f"{network.name}.onnx" if options.output is None else options.output
    if path == "-":
        reason = "an ONNX file is not text; name a file with -o"
        raise DiagnosticError([errors.CannotWrite(path="standard output", reason=reason)])
    weights = True if options.weights is None else options.weights
    for output in (path, f"{path}.data"):
        keep_inputs(output, [spec], {"the file of weights": options.weights or None})
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
