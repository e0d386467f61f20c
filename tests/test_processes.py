"""Threads, signals, odd file names and folders: what a process meets beside specs."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import archdsl
from archdsl.support import limits

NET = "arch net {\n  input x: 3x8x8\n  return x -> conv(4) -> relu\n}\n"
WRONG = NET.replace("relu", "rellu")


def run(folder: Path, *arguments: str | bytes, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archdsl", *arguments]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, cwd=folder, capture_output=True, text=True, timeout=300,
        errors="surrogateescape", **more,
    )  # fmt: skip


def test_limits_belong_to_a_thread() -> None:
    inside, leave = threading.Event(), threading.Event()
    seen: list[int] = []

    def other() -> None:
        with limits.adjusted({"operations": 1}):
            seen.append(limits.OPERATIONS)
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    assert archdsl.loads(NET).params == 12  # of two operations
    assert limits.OPERATIONS == 20_000
    leave.set()
    thread.join()
    assert seen == [1]


def test_limits_of_generators_end_in_any_order() -> None:
    def adjusted(numbers: dict[str, int]) -> Iterator[None]:
        with limits.adjusted(numbers):
            yield

    before = limits.names()
    first, second = adjusted({"operations": 7}), adjusted({"operations": 8, "files": 9})
    next(first)
    next(second)
    first.close()
    assert limits.names() == {**before, "operations": 8, "files": 9}
    elsewhere = adjusted({"operations": 3})
    starter = threading.Thread(target=next, args=(elsewhere,))
    starter.start()
    starter.join()
    second.close()
    elsewhere.close()
    assert limits.names() == before


def test_limits_that_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="ROUNDS"):
        limits.ROUNDS  # type: ignore[attr-defined]  # noqa: B018


def test_a_live_module_leaves_nothing_behind() -> None:
    before = {name for name in sys.modules if name.startswith("archdsl_")}
    networks = [archdsl.loads(NET.replace("4", str(c))).module() for c in range(5, 10)]
    titles = {type(network).__module__ for network in networks}
    assert len(titles) == 5 and titles <= set(sys.modules)
    layer = networks[0].out  # whatever is left of a network keeps what it needs
    kept = type(networks[0]).__module__
    del networks
    gc.collect()
    assert {name for name in sys.modules if name.startswith("archdsl_")} - before <= {kept}
    del layer
    gc.collect()
    assert {name for name in sys.modules if name.startswith("archdsl_")} <= before


def test_weights_that_are_not_there_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NET)
    (tmp_path / "net.onnx").write_text("precious")
    done = run(tmp_path, "onnx", "net.arch", "--weights", "missing.safetensors", "-o", "net.onnx")
    assert done.returncode == 1 and "missing.safetensors" in done.stderr
    assert "defect" not in done.stderr and (tmp_path / "net.onnx").read_text() == "precious"


COMMANDS = [
    ["check"], ["check", "--format", "json"], ["check", "--format", "sarif"], ["build"],
    ["build", "-o", b"\xff.py"], ["summary"], ["explain"], ["view", "-o", b"\xff.svg"],
    ["view", "-o", b"\xff.html"], ["onnx", "-o", b"\xff.onnx"], ["fmt"],
    ["plot", "-o", b"\xff.svg"], ["onnx", "-o", b"\xff.onnx", "--external-data", "always"],
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="file names of other systems are text")
@pytest.mark.parametrize("text", [NET, WRONG], ids=["fine", "wrong"])
def test_file_names_that_are_not_text(tmp_path: Path, text: str) -> None:
    name = b"\xff\xfe.arch"
    with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:
        file.write(text)
    for command, *options in COMMANDS:
        done = run(tmp_path, command, name, *options)
        expected = (1,) if text == WRONG and command != "fmt" else (0,)
        if "always" in options:
            expected = (1,)  # an ONNX file cannot name its data like this
        assert done.returncode in expected, (command, options, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    spec = tmp_path / "wrong.arch"
    spec.write_text(WRONG)
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$1"; shift; exec "$@"'
    for arguments in (
        ["check", "mobilenet_v1"], ["check", str(spec), "--format", "json"], ["check", "net.arch"],
        ["check", str(spec), "--format", "sarif"], ["build", "mobilenet_v1", "-o", "a.py"],
        ["summary", "mobilenet_v1"], ["onnx", "mobilenet_v1"], ["view", "mobilenet_v1"],
    ):  # fmt: skip
        gone.mkdir(exist_ok=True)
        command = ["sh", "-c", script, "sh", str(gone), sys.executable, "-m", "archdsl", *arguments]
        done = subprocess.run(
            command, cwd=gone, capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parent.parent)},
        )  # fmt: skip
        assert done.returncode in (0, 1), (arguments, done.stderr)
        assert "Traceback" not in done.stderr and "defect" not in done.stderr


@pytest.mark.parametrize("command", ["build", "view", "onnx", "plot"])
def test_output_over_a_file_that_the_spec_uses(tmp_path: Path, command: str) -> None:
    used = NET.replace("return x", "a = x").replace("relu\n", "relu\n  return a\n")
    (tmp_path / "used.svg").symlink_to("used.arch")
    (tmp_path / "used.arch").write_text(used)
    (tmp_path / "net.arch").write_text('use "used.arch"\narch mine extends net {\n}\n')
    output = "used.svg" if command in ("plot", "view") else "used.arch"
    done = run(tmp_path, command, "net.arch", "-o", output)
    assert done.returncode == 1 and "the spec uses it" in done.stderr
    assert (tmp_path / "used.arch").read_text() == used


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes of a name")
@pytest.mark.parametrize(
    "command",
    [
        "check pipe",
        "fmt pipe",
        "onnx net.arch --weights pipe",
        "weights convert net.arch pipe",
        "weights convert net.arch w.safetensors --map pipe",
        "verify net.arch --onnx pipe",
        "verify net.arch --weights pipe",
    ],
)
def test_pipes_are_not_waited_for(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "net.arch").write_text(NET)
    weights = {"y.weight": np.zeros((4, 3, 1, 1), np.float32)}
    save_file(weights, tmp_path / "w.safetensors")
    done = run(tmp_path, *command.split())
    assert done.returncode == 1 and "not a regular file" in done.stderr, done.stderr


def test_a_cache_of_pipes(tmp_path: Path) -> None:
    """A cache in which somebody put pipes is left alone: to open one would wait for ever."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    (tmp_path / "net.arch").write_text(NET)
    environment = {**os.environ, "ARCHDSL_CACHE": str(cache)}
    assert run(tmp_path, "build", "net.arch", env=environment).returncode == 0
    names = sorted(os.listdir(cache))
    assert "grammar" in names and len(names) > 1
    for name in names:
        os.unlink(cache / name)
        os.mkfifo(cache / name)
    assert run(tmp_path, "build", "net.arch", env=environment).returncode == 0


SIGNALS = """
import os, signal, sys
from archdsl.cli.signals import SIGNALLED, Stopped, install_signal_handlers
signal.signal(signal.SIGINT, signal.default_int_handler)
install_signal_handlers()
undone = False
try:
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        [i for i in range(10**6)]
    finally:
        [i for i in range(10**6)]
        os.kill(os.getpid(), signal.SIGTERM)
        [i for i in range(10**6)]
        undone = True
except Stopped as stopped:
    print(undone, stopped.number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT))
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be held back")
def test_several_signals_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True True\n" and done.stderr == ""
