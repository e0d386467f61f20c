"""Specs come from strangers: whatever they hold ends in a diagnostic, soon, and writes nothing.

The worst that a text can ask for is run as a user would, in a process of its own, within 512 MB
and 25 million calls of functions: some two seconds, counted so that what else the machine does
plays no part.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import torch

from archdsl import cli
from archdsl.api.network import Spec
from archdsl.cli.output import CLOSED_PIPE, WRONG_COMMAND, WRONG_SPEC
from archdsl.diagnostics.diagnostic import DiagnosticError, render
from archdsl.support import limits
from tests import onnx_tools

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").rglob("*.arch"))

CALLS, BYTES = 25_000_000, 512 * 2**20
HANGS = 120
"""Seconds of the processor after which a command is ended: for what no call shows."""

HEAD = "arch net {\n  input x: 3x32x32\n"
END = "}\n"


class Done(NamedTuple):
    """How a command ended."""

    status: int
    said: str
    calls: int
    bytes: int


COUNTED = f"""
import cProfile, os, resource, sys
from archdsl import cli
counted = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT)
resource.setrlimit(resource.RLIMIT_CPU, ({HANGS}, {HANGS}))
profile = cProfile.Profile()
status = profile.runcall(cli.main)
sys.stdout.flush()
os.write(counted, b"%d" % sum(entry.callcount for entry in profile.getstats()))
os._exit(status)
"""
"""Runs the command, and writes how often functions were called to the file that is named first."""

LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
_, state, used = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    print(os.waitstatus_to_exitcode(state), used.ru_maxrss, file=file)
"""
"""A process's memory is at least that of the one that started it: so a small one does."""


def run(folder: Path, *arguments: str) -> Done:
    """Run the command in a folder."""
    with tempfile.TemporaryDirectory() as outside:
        told, counted = os.path.join(outside, "told"), os.path.join(outside, "counted")
        said = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, told]
            + [sys.executable, "-c", COUNTED, counted, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout
        status, size = Path(told).read_text().split()
        calls = Path(counted).read_text()
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(int(status), said.decode(errors="replace"), int(calls or 0), int(size) * unit)


def refused(folder: Path, *arguments: str) -> str:
    """What a command says that refuses: soon, in bounds, and with nothing written."""
    before = contents(folder)
    done = run(folder, *arguments)
    assert done.status in (WRONG_SPEC, WRONG_COMMAND), done
    assert done.said.startswith("error[A"), done.said[:300]
    assert "Traceback" not in done.said
    assert 0 < done.calls < CALLS and done.bytes < BYTES, done[2:]
    assert contents(folder) == before
    return done.said


def contents(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.lstat().st_size) for path in folder.iterdir())


def lines(template: str, numbers: Iterable[int]) -> str:
    """A line for each number; `{0}` is the number, `{1}` the one before."""
    return "".join(template.format(i, i - 1) for i in numbers)


def doubling(body: str, levels: int) -> str:
    """A block that calls two of another, so many levels down."""
    first = f"block b0(x: tensor) {{\n  return {body}\n}}\n"
    rest = lines("block b{0}(x: tensor) {{\n  return x -> b{1} -> b{1}\n}}\n", range(1, levels))
    return f"{first}{rest}{HEAD}  return x -> b{levels - 1}\n{END}"


def table(rows: str) -> str:
    return f"{HEAD}  y = x -> stages {{\n    block  c  n  s\n{rows}  }}\n  return y\n{END}"


def let(value: str) -> str:
    return f"{HEAD}  let a = {value}\n  return x -> conv(a)\n{END}"


_chance = random.Random(0)

TEXTS: dict[str, str | bytes] = {
    "random bytes": bytes(_chance.randrange(256) for _ in range(100_000)),
    "zero bytes": bytes(400_000),
    "random signs": "".join(_chance.choice('{}()[]->=,:."#\n abc12\\') for _ in range(400_000)),
    "open brackets": f"{HEAD}  y = " + "(" * 400_000,
    "open braces": "repeat i in 0..1 {\n" * 20_000,
    "deep brackets": let("[" * 100_000 + "]" * 100_000),
    "deep conditions": let("1 if true else " * 20_000 + "1"),
    "many signs": let("-" * 400_000 + "1"),
    "many `not`": let("not " * 100_000 + "true"),
    "a long chain": f"{HEAD}  return x{' -> relu' * 50_000}\n{END}",
    "an open text": '"' + "\\" * 400_000,
    "a million rows": table("    mbconv 8 1 1\n" * 1_000_000),
    "as many rows as fit": table("    mbconv 8 1 1\n" * 25_000),
    "as many variants as fit": "arch net(a=1) {\n  variants {\n    name a\n"
    + lines("    v{0} 1\n", range(15_000))
    + "  }\n  input x: 3x8x8\n  return x -> relu\n}\n",
    "as many archs as fit": "arch n0 {\n  input x: 3x8x8\n  return x -> relu\n}\n"
    + lines("arch n{0} extends n0 {{\n}}\n", range(1, 3_000)),
    "as many mistakes as fit": HEAD + lines("  y{0} = z{0} -> conv(8)\n", range(2_700)) + END,
    "a tower of powers": let("9^9^9^9"),
    "a small tower": let("2^-(9^9)"),
    "many digits": let("9" * 400_000),
    "a huge exponent": let("1e999999"),
    "beyond floats": let("1e308 * 10"),
    "n of 10^12": table("    sepconv 8 10^12 1\n"),
    "n in digits": table("    sepconv 8 1000000000000 1\n"),
    "n as large as may be": table(f"    sepconv 8 {limits.REPEATS} 1\n"),
    "huge channels": let("10^15"),
    "a huge image": "arch net {\n  input x: 3x99999999x99999999\n  return x -> relu\n}\n",
    "loops in loops": f"{HEAD}  repeat i in 0..19999 {{\n    repeat j in 0..19999 {{\n"
    f"      let q = i * j\n    }}\n  }}\n  return x\n{END}",
    "a block of two blocks": doubling("x -> relu", 30),
    "a block of two blocks of nothing": doubling("x", 30),
    "a block of two blocks, too deep": doubling("x -> conv(8) -> bn", 60),
    "a list of two lists": HEAD
    + "  let a0 = [1, 1]\n"
    + lines("  let a{0} = [a{1}, a{1}]\n", range(1, 60))
    + f"  return x -> conv(a59)\n{END}",
    "a list added to itself": HEAD
    + "  let a0 = [1, 1]\n"
    + lines("  let a{0} = a{1} + a{1}\n", range(1, 60))
    + f"  return x -> conv(a59)\n{END}",
    "an operation of two operations": "block b(x: tensor, p=relu, q=relu) {\n"
    "  return x -> p -> q\n}\n" + HEAD + "  let a0 = b(p=relu)\n"
    + lines("  let a{0} = b(p=a{1}, q=a{1})\n", range(1, 60))
    + f"  return x -> a59\n{END}",
    "a block of itself": "block b(x: tensor) {\n  return x -> b\n}\n"
    f"{HEAD}  return x -> b\n{END}",
    "blocks of each other": "block a(x: tensor) {\n  return x -> b\n}\n"
    f"block b(x: tensor) {{\n  return x -> a\n}}\n{HEAD}  return x -> a\n{END}",
    "an arch of itself": "arch net extends net {\n}\n",
    "a file of itself": 'use "net.arch"\n',
    "a file outside": 'use "../net.arch"\n',
    "a file outside, disguised": 'use "a/../../net.arch"\n',
    "an absolute path": 'use "/etc/passwd"\n',
    "a device": 'use "/dev/zero"\n',
    "a zero in a path": 'use "a\0.arch"\n',
    "a folder": 'use "."\n',
    "a message of many lists": HEAD + "  let a = [1, 2, 3, 4, 5, 6, 7, 8]\n"
    + "  let b = a + a + a + a + a + a + a + a\n  let c = b + b + b + b + b + b + b + b\n"
    + f'  require x.c == 4, "{"{c} " * 100_000}"\n  return x\n{END}',
    "a list that grows in a loop": f"{HEAD}  a = [x]\n  repeat i in 0..9000 {{\n"
    f"    a = a + [x]\n  }}\n  return concat(a)\n{END}",
    "as many variants of a table as fit": "arch net(a=1) {\n  variants {\n    name a\n"
    + lines("    v{0} {0}\n", range(7_000))
    + "  }\n  input x: 3x8x8\n  return x -> stages {\n    block c n\n    conv 8 10\n  }"
    + " -> linear(a)\n}\n",
    "children of a long arch": "arch n0 {\n  input x: 3x8x8\n"
    + lines("  y{0} = x -> relu\n", range(1_000)) + "  return y999\n}\n"
    + lines("arch n{0} extends n0 {{\n}}\n", range(1, 1_500)),
    "a keyword of Python": f"{HEAD}  class = x -> relu\n  return clas\n{END}",
    "an unknown name that is long": f"{HEAD}  return x -> {'n' * 300_000}\n{END}",
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("command", ["check", "build"])
def test_text(tmp_path: Path, name: str, command: str) -> None:
    text = TEXTS[name]
    (tmp_path / "net.arch").write_bytes(text if isinstance(text, bytes) else text.encode())
    output = [] if command == "check" else ["-o", "net.py"]
    refused(tmp_path, command, "net.arch", *output)


# What is just within the limits is done, and not for long

WITHIN: dict[str, str] = {
    "operations": doubling("x -> relu", 15),
    "different operations": table("    sepconv 8 1500 1\n    sepconv 16 1500 1\n"),
    "statements": HEAD + "  y0 = x\n" + lines("  y{0} = y{1} -> conv(5, k=1)\n", range(1, 1_900))
    + f"  return y1899\n{END}",
    "sums": HEAD + "  y0 = x\n" + lines("  y{0} = y{1} + y{1}\n", range(1, 2_000))
    + f"  return y1999\n{END}",
    "outputs": HEAD + lines("  y{0} = x -> conv(5, k=1)\n", range(1_000))
    + f"  return {', '.join(f'y{i}' for i in range(1_000))}\n{END}",
    "loops": f"{HEAD}  y = x\n  repeat i in 0..6000 {{\n    y = y -> conv(3, k=1) -> bn -> relu\n"
    f"  }}\n  return y\n{END}",
    "rows": table("    mbconv 8 1 1\n" * 1_500),
    "blocks": lines("block b{0}(f=relu) {{\n  return x -> f -> conv(4)\n}}\n", range(700))
    + HEAD + lines("  y{0} = x -> b{0} -> b{0}(silu)\n", range(700)) + f"  return y0\n{END}",
    "a guard behind many lines": "block b(c) {\n  let a0 = c\n"
    + lines("  let a{0} = a{1}\n", range(1, 2_400)) + "  return x -> relu   if a2399 > 0\n}\n"
    + f"{HEAD}  y = x -> b(3)\n  z = y -> b(3)\n  return z\n{END}",
    "operations as arguments": f"block b(f=relu) {{\n  return x -> f -> f\n}}\n{HEAD}  y = x\n"
    f"  repeat i in 0..6000 {{\n    y = y -> b(f=leaky_relu(i / 7000))\n  }}\n  return y\n{END}",
    "lines that lose their last": HEAD + lines("  y{0} = x\n", range(1_200))
    + "  repeat i in 0..1 {\n"
    + lines("    y{1} = y{0} + y{1}\n", range(1, 1_200)) + f"  }}\n  return y0\n{END}",
}  # fmt: skip


@pytest.mark.parametrize("name", WITHIN)
@pytest.mark.parametrize("command", ["check", "build", "onnx"])
def test_large(tmp_path: Path, name: str, command: str) -> None:
    (tmp_path / "net.arch").write_text(WITHIN[name])
    output = [] if command == "check" else ["-o", "out"]
    done = run(tmp_path, command, "net.arch", *output)
    assert done.status == 0, done.said
    assert 0 < done.calls < 2 * CALLS and done.bytes < BYTES, done[2:]


@pytest.mark.parametrize("command", ["diff net.arch net.arch", "view net.arch -o out.svg"])
def test_what_shows_large_networks(tmp_path: Path, command: str) -> None:
    (tmp_path / "net.arch").write_text(
        f"{HEAD}  y = x\n  repeat i in 0..19999 {{\n    y = y -> relu\n  }}\n  return y\n{END}"
    )
    done = run(tmp_path, *command.split())
    assert done.status == 0, done.said
    assert 0 < done.calls < 2 * CALLS and done.bytes < BYTES, done[2:]


def test_standard_input_without_end() -> None:
    with open("/dev/zero", "rb") as zero:
        done = subprocess.run(
            [sys.executable, "-m", "archdsl", "check", "-"],
            stdin=zero, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == WRONG_SPEC and b"error[A0012]" in done.stderr


def test_limits_can_be_adjusted(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(table("    sepconv 8 200 1\n"))
    said = refused(tmp_path, "check", "net.arch", "--limit", "repeats=100")
    assert "raise the limit with `--limit repeats=N`" in said
    assert run(tmp_path, "check", "net.arch", "--limit", "repeats=200").status == 0
    for wrong in ("repeats", "repeats=many", "rounds=3"):
        done = run(tmp_path, "check", "net.arch", "--limit", wrong)
        assert done.status == WRONG_COMMAND and "--limit" in done.said


def test_limits_are_as_before_afterwards(tmp_path: Path) -> None:
    before = limits.names()
    (tmp_path / "net.arch").write_text(table("    sepconv 8 2 1\n"))
    assert cli.main(["check", str(tmp_path / "net.arch"), "--limit", "repeats=1"]) == 1
    assert limits.names() == before
    with pytest.raises(KeyError, match="rounds"), limits.adjusted({"rounds": 1}):
        pass


def test_random_weights_that_no_disk_holds(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(f"{HEAD}  return x -> conv(10^6) -> conv(10^6, k=7)\n{END}")
    assert "A5013" in refused(tmp_path, "onnx", "net.arch")


# Paths


@pytest.mark.parametrize("target", ["/etc/hostname", "/dev/zero", "../other.arch"])
def test_links_that_lead_out(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (tmp_path / "other.arch").write_text("block b(x: tensor) {\n  return x -> relu\n}\n")
    (folder / "link.arch").symlink_to(target)
    (folder / "net.arch").write_text(f'use "link.arch"\n{HEAD}  return x\n{END}')
    assert "A0014" in refused(folder, "check", "net.arch")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other.arch"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    refused(tmp_path, "check", "other.arch")
    (tmp_path / "net.arch").write_text(f'use "other.arch"\n{HEAD}  return x\n{END}')
    refused(tmp_path, "check", "net.arch")


# Truncations, at every place of every shipped spec


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_truncations(path: Path) -> None:
    text = path.read_text()
    whole = len(text.rstrip())
    # A spec that ends between two definitions may be whole.
    for end in range(whole):
        try:
            spec = Spec(Spec.of_text(text[:end]).source, str(path))
            for arch in spec.archs:
                spec.network(arch)
        except DiagnosticError as problem:
            for diagnostic in problem.diagnostics:
                span = diagnostic.span
                assert span is not None and span.end <= len(span.source.text) + 1
                render(diagnostic)


# Names and texts that reach what is generated

NASTY = [
    r"\"\"\"", r"\\", "{x}", "{{ 7 * 7 }}", "<script>alert(1)</script>", "&amp;", r"\n#", "'' '",
    r"\"\"\" + __import__('os').system('id') + \"\"\"", "%s", r"\x00", "é" + chr(0x202E) + "幅",
]  # fmt: skip

NAMES = [
    "class", "def", "lambda", "None", "self", "super", "nn", "torch", "Tensor", "F", "print",
    "forward", "training", "children", "__init__", "__class__", "__dict__", "_modules", "type",
    "state_dict", "parameters", "register_buffer", "to", "input", "x", "T_destination",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_texts_that_reach_generated_files(tmp_path: Path, text: str) -> None:
    spec = (
        f'block b(x: tensor) {{\n  "{text}"\n  return x -> conv(4)\n}}\n'
        f'arch net {{\n  "{text}"\n  input x: 3x8x8\n  y = x -> b\n  return y\n}}\n'
    )
    _whole_way(tmp_path, spec)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_to_python(tmp_path: Path, name: str) -> None:
    spec = (
        f"block {name}({name}_=3) {{\n"
        f"  {name} = x -> conv(4, k={name}_)\n  return {name} + {name}\n}}\n"
        f"arch net({name}=2) {{\n  input x: 3x8x8\n"
        f"  {name}1 = x -> {name}\n  return {name}1 -> conv(4) -> relu\n}}\n"
        f"arch {name}net(a=1) {{\n  input {name}: 3x8x8\n  y = {name} -> relu\n  return y\n}}\n"
    )
    _whole_way(tmp_path, spec, "--arch", "net")
    _whole_way(tmp_path, spec, "--arch", f"{name}net")


def _whole_way(folder: Path, text: str, *options: str) -> None:
    """A spec is refused, or gives Python that runs and a valid graph with the same result."""
    (folder / "net.arch").write_text(text)
    if cli.main(["build", str(folder / "net.arch"), *options, "-o", str(folder / "net.py")]):
        assert not (folder / "net.py").exists()
        return
    spec = Spec.open(str(folder / "net.arch"))
    network = spec.network(options[1] if options else None)
    module = network.module().eval()
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        expected = module(x)
    path = folder / "net.onnx"
    network.onnx(path, weights=module.state_dict())
    onnx.checker.check_model(onnx.load(path), full_check=True)
    onnx_tools.close(onnx_tools.run(path, [x.numpy()]), [expected.numpy()])


# Weights that lie


def _lying() -> dict[str, bytes]:
    def file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def tensor(**changes: object) -> dict[str, object]:
        whole = {"dtype": "F32", "shape": [8, 3, 1, 1], "data_offsets": [0, 96], **changes}
        return {"y.weight": whole}

    numbers = bytes(96)
    return {
        "empty": b"",
        "a few bytes": b"\x08\x00\x00",
        "a header of 2^63 bytes": file({}, length=2**63),
        "a header longer than the file": file({}, length=1000),
        "no JSON": file(b"{" * 10_000),
        "deep JSON": file(b"[" * 1_000_000),
        "a list": file([1, 2]),
        "more numbers than there are": file(tensor(data_offsets=[0, 10**15])),
        "an end before the start": file(tensor(data_offsets=[96, 0]), numbers),
        "a start below 0": file(tensor(data_offsets=[-96, 0]), numbers),
        "a huge shape": file(tensor(shape=[2**40, 2**40]), numbers),
        "a shape below 0": file(tensor(shape=[-8, -3, 1, 1]), numbers),
        "a million axes": file(tensor(shape=[1] * 1_000_000), numbers),
        "an unknown type": file(tensor(dtype="F5"), numbers),
        "no offsets": file({"y.weight": {"dtype": "F32", "shape": [8, 3, 1, 1]}}, numbers),
    }


LYING = _lying()


@pytest.mark.parametrize("name", LYING)
def test_weights_that_lie(tmp_path: Path, name: str) -> None:
    (tmp_path / "net.arch").write_text(f"{HEAD}  y = x -> conv(8, k=1)\n  return y\n{END}")
    (tmp_path / "w.safetensors").write_bytes(LYING[name])
    refused(tmp_path, "onnx", "net.arch", "--weights", "w.safetensors")


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_weights_that_are_no_file(tmp_path: Path, ending: str, kind: str) -> None:
    (tmp_path / "net.arch").write_text(f"{HEAD}  y = x -> conv(8, k=1)\n  return y\n{END}")
    path = tmp_path / f"w.{ending}"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    assert "A0011" in refused(tmp_path, "onnx", "net.arch", "--weights", path.name)
    assert "A0011" in refused(tmp_path, "weights", "convert", "net.arch", path.name)


@pytest.mark.parametrize("command", ["onnx net.arch --weights", "weights convert net.arch"])
def test_weights_of_thousands_of_layers(tmp_path: Path, command: str) -> None:
    (tmp_path / "net.arch").write_text(f"{HEAD}  y = x -> conv(8, k=1)\n  return y\n{END}")
    entry = {"dtype": "F32", "shape": [8, 3, 1, 1]}
    names = range(4_000)
    header = {f"t{i}.w": {**entry, "data_offsets": [96 * i, 96 * i + 96]} for i in names}
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + bytes(96 * len(names))
    (tmp_path / "w.safetensors").write_bytes(content)
    said = refused(tmp_path, *command.split(), "w.safetensors")
    assert said.count("error[") <= limits.MISTAKES


# Being stopped, running out of room, two at once

LARGE = table("    sepconv 700 20 1\n")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    (tmp_path / "net.arch").write_text(LARGE)
    return tmp_path


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3])
def test_a_signal_while_writing(large: Path, name: str, moment: float) -> None:
    number = getattr(signal, name)

    def heed() -> None:  # a run in the background may ignore some, which processes inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for other in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", "onnx", "net.arch"],
        cwd=large,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=heed,
    )
    until = time.monotonic() + 60
    while len(contents(large)) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)  # until it begins to write
    time.sleep(moment)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    if process.returncode == 0:  # it was done before
        onnx.load(large / "net.onnx")
    else:
        assert (process.returncode, said) == (128 + number, b"")
        assert [name for name, _ in contents(large)] == ["net.arch"]


@pytest.mark.parametrize("command", ["build", "onnx"])
@pytest.mark.parametrize("room", [0, 1_000])
def test_no_room(large: Path, command: str, room: int) -> None:
    (large / "out").write_text("what was there")
    cache = large / "cache"
    cache.mkdir()

    def little_room() -> None:
        os.environ["ARCHDSL_CACHE"] = str(cache)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", command, "net.arch", "-o", "out"],
        cwd=large,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ARCHDSL_CACHE": str(cache)},
        stdout=writer,
        stderr=writer,
        preexec_fn=little_room,
    )
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    status = process.wait(timeout=60)
    assert status == WRONG_SPEC and "error[A0016]: cannot write out" in text
    assert (large / "out").read_text() == "what was there"
    assert [name for name, _ in contents(large)] == ["cache", "net.arch", "out"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["build", "check", "summary"])
def test_a_full_standard_output(large: Path, command: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "archdsl", command, "net.arch"],
            cwd=large,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == WRONG_SPEC
    assert done.stderr.startswith(b"error[A0016]: cannot write standard output")


def test_a_pipe_that_closes(large: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", "summary", "net.arch"],
        cwd=large,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) in (0, CLOSED_PIPE)


@pytest.mark.parametrize("command", ["build", "onnx"])
def test_two_at_once_leave_one_whole_file(tmp_path: Path, command: str) -> None:
    for name, channels in (("a", 64), ("b", 96)):
        (tmp_path / f"{name}.arch").write_text(
            f"arch net {{\n  input x: 3x8x8\n  return x -> conv({channels}, k=3) -> conv(500)\n}}\n"
        )
    more = ["--external-data", "always"] if command == "onnx" else []
    results: list[int] = []

    def again(name: str) -> None:
        for _ in range(3):
            arguments = [command, f"{name}.arch", "-o", "out", *more]
            results.append(run_quietly(tmp_path, *arguments))

    threads = [threading.Thread(target=again, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 6
    if command == "build":
        text = (tmp_path / "out").read_text()
        assert ("64" in text) is not ("96" in text)
        compile(text, "out", "exec")
    else:
        model = onnx.load(tmp_path / "out")  # with the weights, which are checked against shapes
        onnx.checker.check_model(model, full_check=True)
        expected = next(w for w in model.graph.initializer if w.dims == [500] or len(w.dims) == 4)
        assert expected.raw_data
    assert {name for name, _ in contents(tmp_path)} <= {"a.arch", "b.arch", "out", "out.data"}


def run_quietly(folder: Path, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "archdsl", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    ).returncode
