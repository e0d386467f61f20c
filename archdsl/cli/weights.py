"""`archdsl weights`: convert a checkpoint with other names for a network."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, natural, open_spec
from archdsl.cli.output import FINE, counted, keep_inputs, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support.escaping import printable

EPILOG = """\
CHECKPOINT is a safetensors or torch.save file with a state_dict of the same network under any
names. The output is a map that --map accepts. See docs/weights.md for how layers are matched.

examples:
  archdsl weights convert resnet50 resnet50-torchvision.pth -o resnet50.safetensors
  archdsl weights convert my_net.arch old.pth --map which.map
  archdsl weights convert resnet50 old.pth --set num_classes=10 --skip-head --seed 1
  archdsl onnx resnet50 --weights resnet50.safetensors
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("action", metavar="convert", choices=("convert",), help="the only action")
    add_spec(command)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="file to convert")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="output file (default NAME.safetensors)"
    )
    add_selection(command)
    command.add_argument(
        "--map", metavar="FILE", help="file that matches layers, in lines `theirs -> ours`"
    )
    command.add_argument(
        "--numbers", choices=("up", "down"), default="",
        help="direction of the numbers in names (conv1, dec4) along the network",
    )  # fmt: skip
    command.add_argument(
        "--entry", metavar="NAME", help="state_dict to use if the file has several"
    )
    command.add_argument(
        "--skip-head",
        action="store_true",
        help="initialize the last layers anew, for other classes",
    )
    command.add_argument(
        "--skip-input",
        action="store_true",
        help="initialize the first layers anew, for other input channels",
    )
    command.add_argument(
        "--input-channels", choices=("sum", "repeat", "mean"), default="",
        help="adapt the first layers from another number of input channels",
    )  # fmt: skip
    command.add_argument(
        "--skip", metavar="NAME", action="append", default=[],
        help="initialize a layer or block of the network anew; repeatable",
    )  # fmt: skip
    command.add_argument(
        "--allow-unused", action="store_true", help="ignore layers that the network does not have"
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=natural,
        default=0,
        help="random seed of new weights (default 0)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the weights under the names of the generated module."""
    from archdsl.weights import convert

    spec = open_spec(options.spec)
    network = chosen_network(spec, options)
    path = f"{network.name}.safetensors" if options.output is None else options.output
    if not path.lower().endswith(".safetensors"):
        shown = "standard output" if path == "-" else path
        reason = "the file name must end in .safetensors"
        raise DiagnosticError([errors.CannotWrite(path=shown, reason=reason)])
    keep_inputs(path, [spec], {"the checkpoint": options.checkpoint, "the map": options.map})
    with progress(options) as tell:
        tell("matching layers", 0)
        found = convert(
            network,
            options.checkpoint,
            map=options.map,
            skip_head=options.skip_head,
            skip_input=options.skip_input,
            skip=options.skip,
            allow_unused=options.allow_unused,
            numbers=options.numbers,
            input_channels=options.input_channels,
            entry=options.entry,
            seed=options.seed,
        )
        found.save(path, tell)
    if options.quiet:
        return FINE
    lines = [f"{line}\n" for line in found.lines()]
    written = counted(len(found.shapes), "tensor")
    fresh = f", {len(found.fresh)} of them new (seed {options.seed})" if found.fresh else ""
    write_out(printable("".join([*lines, f"# {path}: {written}{fresh}\n"])))
    return FINE
