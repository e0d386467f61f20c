"""`archdsl bench`: measure the speed of networks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archdsl.cli.networks import add_networks, chosen_networks
from archdsl.cli.options import positive
from archdsl.cli.output import FINE, write_out
from archdsl.cli.progress import progress

if TYPE_CHECKING:
    from archdsl.api.network import Network

EPILOG = """\
Requires onnxruntime, and also measures torch if it is installed. See docs/bench.md for the method.

examples:
  archdsl bench mobilenet_v2
  archdsl bench mnasnet_a1 mine.arch --batch 1,8 --seconds 5
  archdsl bench resnet50 --blocks                    time of each line and block
  archdsl bench mobilenet_v2 --runtime onnxruntime --threads 2
  archdsl bench mobilenet_v2 exported.onnx           an existing ONNX file
  archdsl bench efficientnet --variants --format csv > latency.csv
  archdsl plot efficientnet --variants --data latency.csv --x latency --y macs -o latency.svg
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_networks(command, "csv")
    command.add_argument(
        "--batch", metavar="N,N", type=_sizes, default=(1,), help="batch sizes (default 1)"
    )
    command.add_argument(
        "--threads", metavar="N", type=positive, default=1, help="threads per runtime (default 1)"
    )
    command.add_argument(
        "--seconds", metavar="S", type=_seconds, default=2.0,
        help="time per network, runtime and batch size (default 2)",
    )  # fmt: skip
    command.add_argument(
        "--runtime", metavar="NAME", action="append", default=[],
        help="onnxruntime, torch or torch.compile (default: the first two); repeatable",
    )  # fmt: skip
    command.add_argument("--blocks", action="store_true", help="also measure each line and block")

    command.add_argument(
        "--size",
        metavar="HxW",
        type=_extents,
        default=(),
        help="size of the dynamic axes of an ONNX file",
    )


def run(options: argparse.Namespace) -> int:
    """Print the measured times."""
    from archdsl.tools.bench import bench

    files = {name: name for name in options.specs if name.lower().endswith(".onnx")}
    options.specs = [name for name in options.specs if name not in files]
    networks: dict[str, Network | str] = {**chosen_networks(options), **files}
    with progress(options) as tell:
        report = bench(
            networks,
            batches=options.batch,
            threads=options.threads,
            seconds=options.seconds,
            runtimes=options.runtime,
            blocks=options.blocks,
            size=options.size,
            progress=tell,
        )
    if options.format == "json":
        write_out(report.json())
    elif options.format == "csv":
        write_out(report.csv())
    else:
        write_out(report.text() + "\n")
    return FINE


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(map(positive, text.split(","))))


def _extents(text: str) -> tuple[int, ...]:
    return tuple(map(positive, text.split("x")))


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"invalid number of seconds: {text}")
    return number
