"""`archdsl plot`: plot the costs of networks."""

from __future__ import annotations

import argparse

from archdsl.cli.networks import add_networks, chosen_networks
from archdsl.cli.options import heeded
from archdsl.cli.output import FINE, counted, keep_inputs, report, write_out
from archdsl.cli.progress import progress

EPILOG = """\
Draws a single network by its stages; several networks, or all --variants, as points with the Pareto
front marked. Axes are params, macs, depth, memory or columns of --data. See docs/plot.md.
Requires matplotlib.

examples:
  archdsl plot mobilenet_v2 -o mobilenet_v2.svg
  archdsl plot resnet50 mnasnet_a1 mine.arch -o compared.png
  archdsl plot efficientnet --variants --data results.csv --x macs --y accuracy -o b0-b7.svg
  archdsl bench efficientnet --variants --batch 1,8 --format csv > latency.csv
  archdsl plot efficientnet --variants --data latency.csv --x latency --y params \\
    --where batch=1 --where runtime=onnxruntime -o latency.svg
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_networks(command)
    command.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="output file: .svg, .png or .pdf"
    )
    command.add_argument("--x", metavar="MEASURE", help="horizontal axis (default macs)")
    command.add_argument(
        "--y",
        metavar="MEASURE",
        help="vertical axis (default: accuracy or latency if measured, else params)",
    )
    command.add_argument(
        "--data", metavar="FILE", action="append", default=[],
        help="CSV file of measurements with a column `network`; repeatable",
    )  # fmt: skip
    command.add_argument(
        "--where", metavar="column=text", type=_choice, action="append", default=[],
        help="select among several rows of a network; repeatable",
    )  # fmt: skip
    command.add_argument("--linear", action="store_true", help="use linear axes")
    command.add_argument(
        "--width", metavar="INCHES", type=_inches, default=6.5, help="width (default 6.5)"
    )


def run(options: argparse.Namespace) -> int:
    """Draw a figure."""
    from archdsl.tools import plot
    from archdsl.tools.plot.measures import costly

    networks = chosen_networks(options)
    specs = [network.spec for network in networks.values()]
    for data in options.data or [None]:
        keep_inputs(options.output, specs, {"the data": data})
    compared = options.x or options.y or options.data or options.where or len(networks) > 1
    with progress(options) as tell:
        tell("drawing", 0)
        if compared:
            points = plot.points(
                networks, x=options.x, y=options.y, data=options.data, where=dict(options.where)
            )
            if warnings := heeded(points.warnings, options):
                report(warnings)
            plot.scatter(points, options.output, linear=options.linear, width=options.width)
            best = sum(point.best for point in points.points)
            told = f"{counted(len(points.points), 'network')}, {best} on the front"
        else:
            (network,) = networks.values()
            plot.stages(network, options.output, width=options.width)
            told = counted(len(costly(network)), "stage")
    if not options.quiet:
        write_out(f"{options.output}: {told}\n")
    return FINE


def _choice(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"expected column=text, not {text!r}")
    return name.strip(), value.strip()


def _inches(text: str) -> float:
    number = float(text)
    if not 3 <= number <= 40:
        raise argparse.ArgumentTypeError(f"{text} is not between 3 and 40")
    return number
