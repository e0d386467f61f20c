"""What is generated passes the linters and type checkers that its readers use.

All modules are written into one folder and checked at once: what takes long is to start mypy.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archdsl.backends.pytorch.source import generate
from tests.agreement import build
from tests.shipped import SHIPPED, graph_of
from tests.test_torch import SEVERAL_SPECS
from tests.test_torch import SPECS as PRIMITIVES
from tests.test_torch_constructs import CONSTRUCTS, spec_of

PYPROJECT = """
[tool.ruff]
line-length = 100
[tool.ruff.lint]
select = ["E", "F", "I", "UP", "B", "N"]
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the tests generate."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    sources = [generate(graph_of(*name), f"{name[0]}.arch") for name in SHIPPED]
    specs = [*PRIMITIVES.values(), *SEVERAL_SPECS.values(), *map(spec_of, CONSTRUCTS)]
    sources += [generate(build(spec), "spec.arch") for spec in specs]
    for i, source in enumerate(sources):
        (folder / f"module_{i}.py").write_text(source, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout[:20000] + done.stderr


@pytest.mark.xdist_group("style")
def test_ruff_check(modules: Path) -> None:
    run(modules, "ruff", "check", "--no-cache", ".")


@pytest.mark.xdist_group("style")
def test_ruff_format(modules: Path) -> None:
    run(modules, "ruff", "format", "--no-cache", "--diff", ".")


@pytest.mark.xdist_group("style")
def test_mypy(modules: Path) -> None:
    run(modules, "mypy", "--strict", ".")
