"""What was measured on: the processor, the system, the versions of what ran."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata

from archdsl import __version__


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


def _processor() -> str:
    """What the processor is called; Linux alone tells more than its kind."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else platform.processor() or platform.machine() or "unknown"


def _usable() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
