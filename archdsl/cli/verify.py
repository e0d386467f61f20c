"""`archdsl verify`: compare the results of PyTorch and ONNX."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archdsl.cli.onnx import add_form_options, add_graph_options
from archdsl.cli.options import (
    add_selection,
    add_spec,
    chosen_network,
    open_spec,
    option_place,
    positive,
)
from archdsl.cli.output import FINE, WRONG_SPEC, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError

if TYPE_CHECKING:
    from archdsl.tools.verify.compare import Size

EPILOG = """\
Requires torch, onnx and onnxruntime. Exits with status 1 if the two disagree. Without --onnx,
exports a graph with the options of `archdsl onnx`. See docs/onnx.md for what is compared.

examples:
  archdsl verify mnasnet_a1
  archdsl verify my_net.arch --variant large --seeds 5
  archdsl verify my_net.arch --weights trained.safetensors --dtype float16
  archdsl verify my_net.arch --onnx shipped.onnx --weights trained.safetensors
  archdsl verify my_net.arch --dynamic spatial       also at other sizes
  archdsl verify my_net.arch --size 320x256 --size 97x131
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    add_selection(command)
    command.add_argument(
        "--seeds", metavar="N", type=positive, default=3, help="number of seeds (default 3)"
    )
    command.add_argument(
        "--onnx", metavar="FILE", help="ONNX file to compare with (default: export one)"
    )
    command.add_argument(
        "--weights", metavar="FILE",
        help="state_dict for both: .safetensors, .pt or .pth (default: random weights)",
    )  # fmt: skip
    command.add_argument(
        "--size", metavar="HxW", type=_size, action="append", default=[],
        help="additional input size; left=64x64,right=32x32 by input name; repeatable",
    )  # fmt: skip
    add_graph_options(command)
    add_form_options(command)


def run(options: argparse.Namespace) -> int:
    """Report if PyTorch and ONNX compute the same results."""
    from archdsl.tools.verify import verify

    network = chosen_network(open_spec(options.spec), options)
    writing = {name: getattr(options, name) for name in ("opset", "fold", "dtype", "dynamic")}
    writing = {name: value for name, value in writing.items() if value is not None}
    if options.functions:
        writing["functions"] = True
    if options.onnx is not None and writing:
        name = f"--{next(iter(writing))}".replace(
            "--fold", "--fold-bn" if options.fold else "--keep-bn"
        )
        raise DiagnosticError([errors.OnlyWhenWriting(option_place(name, name), option=name)])
    with progress(options) as tell:
        report = verify(
            network, options.seeds, tell, onnx=options.onnx, weights=options.weights,
            sizes=options.size, **writing,
        )  # fmt: skip
    if not (options.quiet and report.agrees):
        write_out(f"{network.name}\n{report.text()}\n")
    return FINE if report.agrees else WRONG_SPEC


def _size(text: str) -> Size:
    """Parse `224x192`, or `left=64x64,right=32x32` by input name."""
    parts = [part.rpartition("=") for part in text.split(",")]
    sizes = [[int(n) if n.isdecimal() else 0 for n in size.split("x")] for *_, size in parts]
    named = [name for name, sign, _ in parts if sign]
    if any(n < 1 for size in sizes for n in size) or len(named) not in (0, len(parts)):
        raise argparse.ArgumentTypeError(f"expected HxW or NAME=HxW,NAME=HxW, not {text!r}")
    if not named:
        if len(parts) > 1:
            raise argparse.ArgumentTypeError(f"{text!r}: several sizes need input names")
        return sizes[0]
    return dict(zip(named, sizes))
