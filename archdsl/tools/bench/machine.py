"""The measured machine: processor, system and versions."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.ir import memory
from archdsl.support.version import __version__

if TYPE_CHECKING:
    from archdsl.api.network import Network


def facts(runtimes: Sequence[str]) -> dict[str, str]:
    """Facts about the machine and the programs, by what they are facts about."""
    packages = dict.fromkeys(name.partition(".")[0] for name in runtimes)
    versions = [f"{name} {metadata.version(name)}" for name in packages]
    found = {
        "cpu": f"{_processor()}, {_usable()} cores to use",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "versions": ", ".join(
            [f"archdsl {__version__}", *versions, f"Python {platform.python_version()}"]
        ),
    }
    if hasattr(os, "getloadavg"):
        found["load"] = f"{os.getloadavg()[0]:.1f} processes on average over the last minute"
    return found


def check_memory(networks: Mapping[str, Network], batches: Sequence[int]) -> None:
    """Refuse what this machine cannot hold: systems end a program that tries, without a word.

    Counted is what inference holds at once, in float32. Raises `DiagnosticError`.
    """
    problems: list[Diagnostic] = []
    for name, network in networks.items():
        held = memory.SIZES["float32"] * memory.peak(network.graph)
        for batch in batches:
            if batch * held > _memory():
                gigabytes = batch * held / 1e9
                problem = errors.TooLargeToRun(network=name, batch=batch, gigabytes=gigabytes)
                problems.append(problem)
    if problems:
        raise DiagnosticError(problems)


def _memory() -> float:
    """Bytes of memory that the machine has; without bound where it does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _processor() -> str:
    """Name of the processor; detailed only on Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else platform.processor() or platform.machine() or "unknown"


def _usable() -> int:
    """Number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
