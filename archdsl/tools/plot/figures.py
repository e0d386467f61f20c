"""Draws figures with matplotlib: the same bytes for the same networks, and no display needed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archdsl.api.network import Network, PartInfo
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.writing import write
from archdsl.reports.view.texts import short
from archdsl.support.escaping import matplotlib_text
from archdsl.tools.plot.measures import Measure, Point, Points, costly, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#595959",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "archdsl",  # else ids are drawn anew for each file
    "savefig.dpi": 300,
}
"""Fonts and lines for a figure of a paper, at its own size."""

METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}
"""Of each kind of file what makes it the same whenever it is written."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by people who do not see all colours (Okabe and Ito, 2008); shapes differ, too."""
MARKERS = "osD^vPX<>"
FAINT = "#737373"
SIZE = 26.0
"""Of a point, in square points."""

NARROW = 5.0
"""Inches below which bars of parameters and of MACs stand one above the other."""

MOST = 60
"""Stages that are drawn one by one; the cheapest of more are one bar."""


def save(draw: Callable[[], Figure], path: str) -> None:
    """Write a figure, whole or not at all. Raises `DiagnosticError`."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in METADATA:
        known = ", ".join(METADATA)
        reason = f"the name of a figure ends in one of {known}"
        raise DiagnosticError([errors.CannotWrite(path=path, reason=reason)])
    with _settings():
        content = io.BytesIO()
        draw().savefig(content, format=kind[1:], metadata=METADATA[kind])
    write(path, content.getvalue())


@contextmanager
def _settings() -> Iterator[None]:
    """Let the settings of figures be ours, whatever the user's are."""
    try:
        import matplotlib
    except ImportError:
        missing = errors.NeedsPackage(what="`archdsl plot`", package="matplotlib")
        raise DiagnosticError([missing]) from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


# One network


def stages(network: Network, width: float) -> Figure:
    """Bars of the parameters and the MACs of each stage."""
    from matplotlib.figure import Figure

    parts = _largest(costly(network))
    beside = width >= NARROW
    room = 1.4 if beside else 1.7  # for the text behind the longest bar
    height = 0.5 + (0.4 + 0.2 * max(len(parts), 2)) * (1 if beside else 2)
    figure = Figure(figsize=(width, height), layout="constrained")
    left, right = figure.subplots(*((1, 2) if beside else (2, 1)), sharey=True)
    figure.suptitle(matplotlib_text(f"{network.class_name} ({network.name})"), fontsize=9)
    names = [
        matplotlib_text(_clipped(f"{part.name}: {part.kind}", round(7 * width))) for part in parts
    ]
    _bars(left, "Parameters", [part.params for part in parts], COLOURS[0], room)
    _bars(right, "MACs", [part.macs for part in parts], COLOURS[1], room)
    for axes in (left, right):
        axes.set_yticks(range(len(parts)), names)
        axes.label_outer(remove_inner_ticks=True) if beside else None
    left.set_ylim(len(parts) - 0.4, -0.6)
    return figure


def _bars(axes: Axes, title: str, numbers: list[int], colour: str, room: float) -> None:
    total = sum(numbers)
    axes.barh(range(len(numbers)), numbers, 0.72, color=colour)
    axes.set_xlim(0, max([*numbers, 1]) * room)
    axes.set_title(f"{title}: {short(total)}")
    axes.xaxis.set_major_formatter(_tick)
    axes.xaxis.set_major_locator(_few_ticks())
    axes.tick_params(axis="y", length=0)
    for place, number in enumerate(numbers):
        text = f" {short(number)}, {number / total:.1%}" if number else " none"
        axes.text(
            number, place, text, va="center", fontsize=6.5, color="black" if number else FAINT
        )


def _tick(number: float, _: object) -> str:
    """A round number: `1 M`, not `1.00 M`."""
    value, _, unit = short(round(number)).partition(" ")
    return f"{float(value):g} {unit}".rstrip()


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def _largest(parts: list[PartInfo]) -> list[PartInfo]:
    """The parts, the cheapest of very many put together."""
    if len(parts) <= MOST:
        return parts
    params = max(1, sum(part.params for part in parts))
    macs = max(1, sum(part.macs for part in parts))
    weight = {part: max(part.params / params, part.macs / macs) for part in parts}
    kept = set(sorted(parts, key=lambda part: -weight[part])[: MOST - 1])
    rest = [part for part in parts if part not in kept]
    others = rest[0]._replace(
        name="others",
        kind=f"{len(rest)} stages",
        params=sum(part.params for part in rest),
        macs=sum(part.macs for part in rest),
    )
    return [*(part for part in parts if part in kept), others]


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4].rsplit(None, 1)[0]} ..."


# Many networks


def scatter(found: Points, linear: bool, width: float) -> Figure:
    """Points with names, those of an arch joined, the Pareto front marked.

    As high as it takes for all names to find a place, within reason.
    """
    height = 0.68 * width
    while True:
        figure, are_named = _scatter(found, linear, width, height)
        if are_named or height > 4 * width:
            return figure
        height *= 1.25


def _scatter(found: Points, linear: bool, width: float, height: float) -> tuple[Figure, bool]:
    """A figure of this size; whether all points have their names."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    families = [*dict.fromkeys(point.family for point in found.points)]
    _axis(axes, "x", found.x, [point.x for point in found.points], linear)
    _axis(axes, "y", found.y, [point.y for point in found.points], linear)
    front = sorted((p for p in found.points if p.best), key=lambda p: (p.x, p.y))
    lines = [_line(axes, front, color="black", linewidth=1, linestyle=(0, (4, 2)), zorder=1)]
    for number, family in enumerate(families):
        own = sorted((p for p in found.points if p.family == family), key=lambda p: (p.x, p.y))
        colour = COLOURS[number % len(COLOURS)]
        lines.append(_line(axes, own, color=colour, linewidth=0.8, alpha=0.45, zorder=2))
        for best in (True, False):
            some = [point for point in own if point.best is best]
            axes.scatter(
                [point.x for point in some], [point.y for point in some], SIZE,
                marker=MARKERS[number % len(MARKERS)], zorder=3 + best,
                facecolors=colour if best else "white", edgecolors=colour, linewidths=1,
            )  # fmt: skip
    _legend(figure, families, found)
    figure.draw_without_rendering()  # the layout settles, and with it what a text covers
    figure.set_layout_engine("none")
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    return figure, _names(axes, found.points, lines)


def _axis(axes: Axes, side: str, measure: Measure, values: list[float], linear: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = getattr(axes, f"{side}axis")
    logarithmic = not linear and spans_decades(values)
    getattr(axes, f"set_{side}label")(matplotlib_text(measure.title))
    getattr(axes, f"set_{side}margin")(0.12)
    if logarithmic:
        getattr(axes, f"set_{side}scale")("log")
        wide = max(values) > 1000 * min(values)
        axis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    counted = measure.name in ("params", "macs")
    if counted or logarithmic:
        axis.set_major_formatter(FuncFormatter(_tick if counted else lambda v, _: f"{v:g}"))
    axes.grid(True, color="#e0e0e0", linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)


def _line(axes: Axes, points: list[Point], **style: Any) -> tuple[list[float], list[float]]:
    xs, ys = [point.x for point in points], [point.y for point in points]
    axes.plot(xs, ys, **style)
    return xs, ys


def _legend(figure: Figure, families: list[str], found: Points) -> None:
    """Which shape is which arch, and what is dominated: another is as good or better in all."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D(
            [], [], linestyle="", marker=MARKERS[i % len(MARKERS)], markersize=5,
            color=COLOURS[i % len(COLOURS)], label=matplotlib_text(family),
        )
        for i, family in enumerate(families)
    ]  # fmt: skip
    entries = entries if len(families) > 1 else []
    entries.append(
        Line2D(
            [], [], color="black", linewidth=1, linestyle=(0, (4, 2)), marker="o", markersize=5,
            label="Pareto front",
        )
    )  # fmt: skip
    if not all(point.best for point in found.points):
        entries.append(
            Line2D(
                [], [], linestyle="", marker="o", markersize=5, markerfacecolor="white",
                color=FAINT, label="dominated",
            )
        )  # fmt: skip
    columns = min(len(entries), max(1, int(figure.get_figwidth() / 1.6)))
    figure.legend(handles=entries, loc="outside lower center", ncols=columns)


def _names(
    axes: Axes,
    points: tuple[Point, ...],
    lines: list[tuple[list[float], list[float]]],
) -> bool:
    """Write the names beside the points; whether none is over another, a point or a line."""
    try:
        import textalloc
    except ImportError:
        missing = errors.NeedsPackage(what="`archdsl plot`", package="textalloc")
        raise DiagnosticError([missing]) from None
    xs, ys = [point.x for point in points], [point.y for point in points]
    wide = axes.get_window_extent().width * 72 / axes.figure.dpi  # in points
    joined: Any = [line for line in lines if len(line[0]) > 1]
    _, _, texts, _ = textalloc.allocate(
        axes, xs, ys, [matplotlib_text(point.name) for point in points], x_scatter=xs, y_scatter=ys,
        x_lines=[xs for xs, _ in joined], y_lines=[ys for _, ys in joined],
        textsize=7, linecolor=FAINT, linewidth=0.5, margin=3 / wide, min_distance=4.5 / wide,
        max_distance=0.3, nbr_candidates=600, avoid_label_lines_overlap=True, draw_all=False,
    )  # fmt: skip
    return len([text for text in texts if text is not None]) == len(points)
