"""The wheel, installed where there is no checkout and no torch, does what the checkout does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import archdsl
from archdsl.api import network
from archdsl.support import resources
from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("package")

# On no path of a command but `onnx`, which needs numpy; importing one of them ends the process.
UNWANTED = ("torch", "torchvision", "onnx", "numpy")
TRAP = "import os; os._exit(99)"
TREES = ("archdsl", "grammars", "templates", "specs", "errors")


def run(*command: object, **options: object) -> str:
    """The output of a command that has to succeed."""
    done = subprocess.run(
        list(map(str, command)),
        **{"capture_output": True, "text": True, "timeout": 400, **options},  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    place = tmp_path_factory.mktemp("built")
    checkout = place / "checkout"
    hidden = shutil.ignore_patterns("__pycache__", ".*")
    for name in TREES:
        shutil.copytree(ROOT / name, checkout / name, ignore=hidden)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, checkout)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place, checkout)
    shutil.rmtree(checkout)
    return place


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel and what it depends on; its `bin`."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", place)
    binaries = place / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = built.glob("*.whl")
    run(binaries / "python", "-m", "pip", "install", "--quiet", wheel)
    return binaries


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No path into the checkout, no cache, and packages that must not be imported as traps."""
    traps = tmp_path / "traps"
    for name in UNWANTED:
        (traps / name).mkdir(parents=True)
        (traps / name / "__init__.py").write_text(TRAP)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(traps), "ARCHDSL_CACHE": str(tmp_path / "cache")}


def test_contents(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for tree in TREES[1:]:
        for path in (ROOT / tree).rglob("*.*"):
            assert f"archdsl/_data/{path.relative_to(ROOT)}" in names
    assert "archdsl/py.typed" in names
    assert not any(name.startswith(("tests/", "specs/", "benchmarks/")) for name in names)
    (sdist,) = built.glob("*.tar.gz")
    packed = tarfile.open(sdist).getnames()
    assert any(name.endswith("/specs/std/mbconv.arch") for name in packed)
    assert archdsl.__version__ in wheel.name and archdsl.__version__ in sdist.name


def test_every_spec_builds(installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    here = tmp_path / "elsewhere"
    here.mkdir()
    command = installed / "archdsl"
    specs = network.shipped_names()
    assert "mnasnet_a1" in specs
    for name in specs:
        run(command, "build", name, "-o", here / f"{name}.py", cwd=here, env=environment)
        assert (here / f"{name}.py").read_text() == archdsl.load(name).source()
        assert "output" in run(command, "summary", name, cwd=here, env=environment)
    run(command, "view", "mnasnet_a1", "-o", here / "net.html", cwd=here, env=environment)
    assert (here / "net.html").read_text() == archdsl.load("mnasnet_a1").view(format="html")
    said = run(command, "check", *specs, cwd=here, env=environment)
    assert said.splitlines()[-1] == f"{len(specs)} specs OK"


def test_graphs_are_written_without_onnx(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The file is the checkout's to the byte where neither torch nor onnx is installed."""
    shutil.rmtree(tmp_path / "traps" / "numpy")
    run(installed / "archdsl", "onnx", "squeezenet1_1", cwd=tmp_path, env=environment)
    archdsl.load("squeezenet1_1").onnx(tmp_path / "ours.onnx")
    assert (tmp_path / "squeezenet1_1.onnx").read_bytes() == (tmp_path / "ours.onnx").read_bytes()


def test_nothing_leads_into_the_checkout(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import sys; from archdsl.support import resources as r\n"
        "print(r.ROOT, r.__file__, *sys.path, sep='\\n')"
    )
    said = run(installed / "python", "-c", code, cwd=tmp_path, env=environment)
    assert str(ROOT) not in said
    assert resources.ROOT not in said.splitlines()
    assert os.path.join("archdsl", "_data") in said


def test_the_traps_work(environment: dict[str, str], installed: Path, tmp_path: Path) -> None:
    for name in UNWANTED:
        done = subprocess.run(
            [installed / "python", "-c", f"import {name}"], env=environment, cwd=tmp_path
        )
        assert done.returncode == 99


def test_the_core_needs_no_torch() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    core = text.split("dependencies = [")[1].split("]")[0]
    assert "torch" not in core and "onnx" not in core
    assert text.count('"torch==2.14.1"') == text.count('"torchvision==0.29.1"') == 2
