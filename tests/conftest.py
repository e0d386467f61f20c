"""What tests share: the flag that writes goldens anew, and ways to make specs and run commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
GOLDENS = Path(__file__).parent / "goldens"

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Tests run beside one another: threads of one that wait for those of others only cost time."""

hypothesis.settings.register_profile("tests", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("tests")
"""How long an example takes depends on what else the machine does, so nothing fails for it."""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write expected outputs anew (goldens, README)"
    )


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a file in the checkout."""
    before = {path.name for path in ROOT.iterdir()}
    yield
    new = {path.name for path in ROOT.iterdir()} - before
    assert not {name for name in new if not name.startswith(".")}


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether expected outputs are to be written rather than compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def golden(update_golden: bool) -> Callable[[str, str], None]:
    """`golden(name, text)` compares a text with `tests/goldens/NAME`."""

    def compare(name: str, text: str) -> None:
        path = GOLDENS / name
        if update_golden:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden {name}: run pytest --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`command("build", ...)` runs archdsl as a process of its own in an empty folder."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
        return subprocess.run(
            [sys.executable, "-m", "archdsl", *arguments],
            **{  # type: ignore[call-overload]
                "cwd": tmp_path,
                "env": environment,
                "capture_output": True,
                "text": True,
                "encoding": "utf-8",
                "timeout": 120,
                **options,
            },
        )

    return run
