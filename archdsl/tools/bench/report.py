"""Measurements as records, text, JSON and CSV. Times are in milliseconds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median, quantiles
from typing import Any

from archdsl.support.escaping import csv_cell, printable
from archdsl.support.records import Record

COLUMNS = ("network", "runtime", "batch", "threads", "latency", "p25", "p75", "min", "runs")
"""Of a measurement as CSV. `archdsl plot --data` reads them."""


class Measurement(Record):
    """The latency of a network: milliseconds for one batch.

    `latency` is the median of the runs; a quarter of them took less than `p25`, a quarter more than
    `p75`; `min` is the fastest.
    """

    network: str
    runtime: str
    batch: int
    threads: int
    latency: float
    p25: float
    p75: float
    min: float
    runs: int

    @classmethod
    def of(
        cls, network: str, runtime: str, batch: int, threads: int, seconds: Sequence[float]
    ) -> Measurement:
        """Statistics of the seconds of each run."""
        times = [1000 * time for time in seconds]
        low, _, high = quantiles(times, n=4, method="inclusive")
        return cls(
            network, runtime, batch, threads, median(times), low, high, min(times), len(times)
        )

    @property
    def throughput(self) -> float:
        """Samples in a second."""
        return 1000 * self.batch / self.latency


class Block(Record):
    """A line of the spec or a row of its tables; with `depth` 1 one of the block uses in it.

    `time` is what the kernels that belong to it take in one run; that of a row holds that of its
    blocks.
    """

    name: str
    depth: int
    params: int
    macs: int
    time: float


class Profile(Record):
    """Profile of a network in onnxruntime.

    The times of the blocks with `depth` 0, `other` and `between` add up to `total`. `other` are
    kernels that the runtime has put in by itself, by their operators in `others`; `between` is what
    a run takes besides its kernels.
    """

    network: str
    batch: int
    threads: int
    runs: int
    total: float
    blocks: tuple[Block, ...]
    other: float
    others: Mapping[str, int]
    between: float


class Report(Record):
    """Everything that was measured, and on what."""

    machine: Mapping[str, str]
    threads: int
    seconds: float
    measurements: tuple[Measurement, ...]
    profiles: tuple[Profile, ...] = ()

    def text(self) -> str:
        """For people."""
        files = any(m.network.lower().endswith(".onnx") for m in self.measurements)
        own = ", but ONNX files have their own" if files else ""
        told = {
            **self.machine,
            "threads": str(self.threads),
            "numbers": f"random weights, the same for every initialization{own}; denormals are 0",
            "time": f"{self.seconds:g} s for each, in turns, after a warm-up",
        }
        width = max(map(len, told)) + 2
        head = [f"{name:{width}}{value}" for name, value in told.items()]
        heading = (
            "network", "runtime", "batch", "latency ms", "middle half", "fastest", "runs",
            "samples/s",
        )  # fmt: skip
        rows = [
            (
                m.network, m.runtime, f"{m.batch}", f"{m.latency:.3f}",
                f"{m.p25:.3f} - {m.p75:.3f}", f"{m.min:.3f}", f"{m.runs}", f"{m.throughput:,.1f}",
            )
            for m in self.measurements
        ]  # fmt: skip
        sections = [head, _aligned([heading, *rows], left=2)]
        sections += [_profile_text(profile) for profile in self.profiles]
        return printable("\n\n".join(map("\n".join, sections)))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"

    def data(self) -> dict[str, Any]:
        """As dicts, lists, texts and numbers, such as JSON has."""
        return {
            "machine": dict(self.machine),
            "threads": self.threads,
            "seconds": self.seconds,
            "measurements": self.rows(),
            "profiles": [
                {
                    **_fields(profile),
                    "blocks": [*map(_fields, profile.blocks)],
                    "others": dict(profile.others),
                }
                for profile in self.profiles
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """The measurements as plain data: what `pandas.DataFrame` takes."""
        return [_fields(measurement) for measurement in self.measurements]

    def json(self) -> str:
        """As JSON."""
        return json.dumps(self.data(), indent=2) + "\n"

    def csv(self) -> str:
        """The measurements as CSV, a line for each; where there are profiles, their blocks."""
        if not self.profiles:
            return _csv(COLUMNS, self.rows())
        rows = []
        for profile in self.profiles:
            own = {"network": profile.network, "batch": profile.batch, "threads": profile.threads}
            rows += [{**own, **_fields(block)} for block in profile.blocks]
            for name in ("other", "between"):
                rows.append(
                    {**own, "name": f"({name})", "depth": 0, "time": getattr(profile, name)}
                )
        return _csv(("network", "batch", "threads", *Block.fields), rows)


def _profile_text(profile: Profile) -> list[str]:
    def share(part: float, whole: float) -> str:
        return f"{part / whole:.1%}" if whole else ""

    macs = sum(block.macs for block in profile.blocks if block.depth == 0)
    rows = [("", "MACs", "share", "ms", "share")]
    for block in profile.blocks:
        rows.append(
            (
                "  " * block.depth + block.name, f"{block.macs:,}", share(block.macs, macs),
                f"{block.time:.3f}", share(block.time, profile.total),
            )
        )  # fmt: skip
    added = ", ".join(f"{operator} x{count}" for operator, count in profile.others.items())
    for name, time in (
        (f"other: {added}" if added else "other", profile.other),
        ("between the kernels", profile.between),
        ("total", profile.total),
    ):
        rows.append((name, "", "", f"{time:.3f}", share(time, profile.total)))
    lines = _aligned(rows, left=1)
    title = (
        f"{profile.network} in onnxruntime, batch {profile.batch}, by its profiler:"
        f" mean of {profile.runs} runs, the middle half by time"
    )
    return [title, *lines]


def _aligned(rows: Sequence[tuple[str, ...]], left: int) -> list[str]:
    """Rows as lines: the first columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.fields}


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return csv_cell(value)
    return round(value, 6) if isinstance(value, float) else value
