"""What an axis can be, and which networks nothing beats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archdsl.api.network import Network, PartInfo
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.support.records import Record
from archdsl.tools.plot.data import Data


def costly(network: Network) -> list[PartInfo]:
    """The stages that cost anything: a stage that does not has no bars."""
    return [part for part in network.table() if part.params or part.macs]


class Measure(Record):
    """Measure of an axis."""

    name: str
    title: str
    of: Callable[[Network], float] | None = None
    """Computation from the network; None for measurements."""
    higher: bool = False
    """True if more of it is better."""


def _memory(network: Network) -> float:
    return sum(part.memory for part in network.table()) / 1e6


BUILT_IN = (
    Measure("params", "Parameters", lambda network: network.params),
    Measure("macs", "MACs", lambda network: network.macs),
    Measure("depth", "Layers with weights on the longest path", lambda network: network.depth),
    Measure("memory", "Activations (MB of float32, one sample)", _memory),
)

MEASURED = (
    Measure("latency", "Latency (ms)"),
    Measure("p25", "Latency, 25th percentile (ms)"),
    Measure("p75", "Latency, 75th percentile (ms)"),
    Measure("min", "Latency, fastest run (ms)"),
    Measure("accuracy", "Accuracy (%)", higher=True),
    Measure("error", "Error (%)"),
)
"""Columns whose meaning is known; of any other more is better."""


class Point(Record):
    """A network in the figure."""

    name: str
    family: str
    """The arch that it is, or is a variant of."""
    x: float
    y: float
    best: bool
    """True if no other is as good on one axis and better on the other."""


class Points(Record):
    """Content of a figure."""

    x: Measure
    y: Measure
    points: tuple[Point, ...]
    warnings: list[Diagnostic]


def compared(
    networks: Mapping[str, Network],
    data: Data,
    x: str | None,
    y: str | None,
    where: Mapping[str, str],
) -> Points:
    """The networks by two measures. Raises diagnostics."""
    if y is None:
        y = next((name for name in ("accuracy", "latency") if name in data.columns), "params")
    across, up = _measure(x or ("macs" if y != "macs" else "params"), data), _measure(y, data)
    chosen = data.chosen(where)
    warnings = chosen.strangers([*networks])
    values: dict[str, tuple[float, float]] = {}
    problems: list[Diagnostic] = []
    for name, network in networks.items():
        try:
            found = [_value(measure, name, network, chosen) for measure in (across, up)]
        except Diagnostic as problem:
            problems.append(problem)
            continue
        missing = [m.name for m, value in zip((across, up), found) if value is None]
        if missing:
            warnings.append(errors.NotMeasured(network=name, column="` and `".join(missing)))
        else:
            values[name] = (found[0] or 0.0, found[1] or 0.0)
    if problems:
        raise DiagnosticError(problems)
    if not values:
        raise errors.NothingToDraw(x=across.name, y=up.name)
    best = front(values, across.higher, up.higher)
    return Points(
        across,
        up,
        tuple(
            Point(name, _family(networks[name], networks), *value, name in best)
            for name, value in values.items()
        ),
        warnings,
    )


def front(values: Mapping[str, tuple[float, float]], x_higher: bool, y_higher: bool) -> set[str]:
    """The names of the Pareto front: no other is as good on one axis and better on the other."""
    signed = {
        name: (-x if x_higher else x, -y if y_higher else y) for name, (x, y) in values.items()
    }
    return {
        name
        for name, (x, y) in signed.items()
        if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in signed.values())
    }


def spans_decades(values: Sequence[float]) -> bool:
    """True if an axis should be logarithmic: all above zero, the largest ten times the smallest."""
    return min(values) > 0 and max(values) >= 10 * min(values)


def _measure(name: str, data: Data) -> Measure:
    for measure in BUILT_IN:
        if measure.name == name:
            return measure
    if name not in data.columns:
        raise data.column_missing(name, [measure.name for measure in BUILT_IN])
    known = next((measure for measure in MEASURED if measure.name == name), None)
    return known or Measure(name, name, higher=True)


def _value(measure: Measure, name: str, network: Network, data: Data) -> float | None:
    if measure.of is not None:
        return measure.of(network)
    cell = data.cell(name, measure.name)
    return None if cell is None else cell.number(measure.name)


def _family(network: Network, networks: Mapping[str, Network]) -> str:
    """What a network belongs to: its arch, and the spec where two archs are called alike."""
    name = network.graph.unit.name
    specs = {other.spec.name for other in networks.values() if other.graph.unit.name == name}
    return name if len(specs) == 1 else f"{network.spec.name.removesuffix('.arch')}/{name}"
