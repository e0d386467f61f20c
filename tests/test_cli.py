"""The command line: what it prints, where, and with which exit status. Never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import archdsl
from archdsl import cli
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from tests.conftest import ROOT, Command

SPEC = """\
arch net(classes=10, act=relu) {
  "A net."
  variants {
    name   classes  params
    five   5        20
    many   100      400
  }
  input image: 3x8x8
  expect params == 40
  return image -> act -> global_pool -> linear(classes)
}
"""
BLOCK = "block twice(c) { return x -> conv(c) -> conv(c) }\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.arch"
    path.write_text(SPEC)
    return path


# Fine


def test_build_to_standard_output_and_to_a_file(command: Command, spec: Path) -> None:
    printed = command("build", "net.arch")
    assert (printed.returncode, printed.stderr) == (0, "")
    written = command("build", "net.arch", "-o", "net.py")
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    assert (spec.parent / "net.py").read_text() == printed.stdout
    assert command("build", "-", input=SPEC).stdout.splitlines()[5:] == (
        printed.stdout.splitlines()[5:]
    )


def test_build_selection(command: Command, spec: Path) -> None:
    two = command("build", "net.arch", "--variant", "five", "--class-name", "Five")
    assert "class Five(" in two.stdout
    assert command("build", "net.arch", "--set", "act=leaky_relu(0.5)").returncode == 0
    assert command("build", "net.arch", "--set", "classes = 2 * 2").returncode == 0


def test_check_takes_defaults_and_variants(command: Command, spec: Path) -> None:
    (spec.parent / "blocks.arch").write_text(BLOCK)
    done = command("check", "net.arch", "blocks.arch", "mnasnet_a1")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == (
        "net.arch: 3 networks OK\nblocks.arch: no arch; 1 block\nmnasnet_a1: 5 networks OK\n"
        "3 specs OK\n"
    )
    selected = command("check", "net.arch", "--variant", "many")
    assert selected.stdout == "net.arch: 1 network OK\n"


def test_check_of_an_arch_that_only_its_variants_complete(command: Command, spec: Path) -> None:
    spec.write_text(SPEC.replace("classes=10", "classes").replace("  expect params == 40\n", ""))
    assert command("check", "net.arch").stdout == "net.arch: 2 networks OK\n"
    assert "A1014" in command("build", "net.arch").stderr


def test_summary(command: Command, spec: Path) -> None:
    done = command("summary", "net.arch", "--variant", "many")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == archdsl.loads(SPEC, variant="many").summary() + "\n"


def test_version_and_help(command: Command) -> None:
    assert command("--version").stdout == f"archdsl {archdsl.__version__}\n"
    for name in ("build", "check", "summary"):
        text = command(name, "--help").stdout
        assert "examples:" in text and "--set name=value" in text and "--arch" in text
        assert all(len(line) <= 100 for line in text.splitlines())
    assert "exit status" in command("--help").stdout


def test_output_does_not_depend_on_the_locale(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(SPEC.replace("A net.", "Größe 大"), encoding="utf-8")
    path = {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PATH": os.environ["PATH"]}
    done = command("summary", "net.arch", env=path)
    assert done.returncode == 0 and "Größe 大" in done.stdout


# Wrong specs


WRONG = {
    "brace": (SPEC.replace("{\n  name", "\n name").rsplit("}", 1)[0], "A0003"),
    "name": (SPEC.replace("global_pool", "global_pol"), "A1002"),
    "shape": (SPEC.replace(" -> global_pool", ""), "A3012"),
    "expect": (SPEC.replace("40\n", "41\n"), "A4002"),
    "variant": (SPEC.replace(" 400", " 401"), "A4002"),
    "empty": ("", None),
    "huge": (SPEC.replace("10,", "10^9 * 10^9,"), "A2004"),
}


@pytest.mark.parametrize("kind", [kind for kind, (_, code) in WRONG.items() if code])
def test_wrong_specs(command: Command, spec: Path, kind: str) -> None:
    text, code = WRONG[kind]
    spec.write_text(text)
    done = command("check", "net.arch")
    assert (done.returncode, done.stdout) == (1, "")
    first, *_, last = done.stderr.splitlines()
    assert first.startswith(f"error[{code}]: ")
    assert last == "1 error in net.arch"
    assert "--> net.arch:" in done.stderr and "^" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_errors_are_told_once_each(command: Command, spec: Path) -> None:
    lines = "  y = image -> no\n  z = image -> nor\n  return y"
    spec.write_text(SPEC.replace("  return image", lines))
    done = command("check", "net.arch")
    assert done.returncode == 1
    assert done.stderr.count("error[A1002]") == 2
    assert done.stderr.endswith("\n\n2 errors in net.arch\n")


def test_check_takes_folders(command: Command, spec: Path) -> None:
    for name in ("below/one.arch", "below/deep/two.arch", ".hidden/three.arch"):
        (spec.parent / name).parent.mkdir(exist_ok=True)
        (spec.parent / name).write_text(BLOCK)
    (spec.parent / "empty").mkdir()
    done = command("check", ".", "below/one.arch")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "below/deep/two.arch", "below/one.arch", "net.arch", "3 specs OK",
    ]  # fmt: skip
    done = command("check", "empty", "below", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error[A0020]: no .arch files in empty or its subfolders\n")
    assert command("check", "below", "--quiet").stderr == ""


def test_check_goes_on_after_a_wrong_file(command: Command, spec: Path) -> None:
    (spec.parent / "wrong.arch").write_text("arch")
    done = command("check", "wrong.arch", "net.arch", "missing.arch")
    assert done.returncode == 1
    assert done.stdout == "net.arch: 3 networks OK\n1 spec OK, 2 with errors\n"
    assert "1 error in wrong.arch" in done.stderr and "1 error in missing.arch" in done.stderr


def test_files_that_cannot_be_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "latin.arch").write_bytes("arch größe".encode("latin-1"))
    (tmp_path / "folder.arch").mkdir()
    for name, code in (("latin.arch", "A0010"), ("folder.arch", "A0011"), ("no.arch", "A0017")):
        done = command("summary", name)
        assert done.returncode == 1 and code in done.stderr
    for name in ("net.onnx", "net.pt"):
        (tmp_path / name).write_bytes(b"\x08\x08" if name == "net.onnx" else b"PK\x03\x04")
        for subcommand in ("check", "summary", "verify"):
            done = command(subcommand, name)
            assert done.returncode == 1 and "A0011" in done.stderr and "--onnx FILE" in done.stderr
    binary = command("check", "-", input=b"\xff\x00", text=None, encoding=None)
    assert binary.returncode == 1 and b"A0010" in binary.stderr


# Output that cannot be written


@pytest.mark.parametrize("output", [".", "no/where.py", "net.arch", "net.arch/x.py"])
def test_outputs_that_cannot_be_written(command: Command, spec: Path, output: str) -> None:
    before = sorted(spec.parent.iterdir())
    done = command("build", "net.arch", "-o", output)
    assert done.returncode == 1 and "A0016" in done.stderr
    assert sorted(spec.parent.iterdir()) == before and spec.read_text() == SPEC


def test_a_wrong_spec_touches_no_output(command: Command, spec: Path) -> None:
    output = spec.parent / "net.py"
    output.write_text("old")
    spec.write_text(SPEC.replace("global_pool", "pool"))
    assert command("build", "net.arch", "-o", "net.py").returncode == 1
    assert output.read_text() == "old"
    assert len(list(spec.parent.iterdir())) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device(command: Command, spec: Path) -> None:
    with open("/dev/full", "w") as full:
        done = command("summary", "net.arch", capture_output=False, stdout=full, stderr=-1)
    assert done.returncode == 1 and "A0016" in done.stderr


def test_a_closed_pipe(command: Command, spec: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = command("build", "net.arch", capture_output=False, stdout=writer, stderr=-1)
    os.close(writer)
    assert (done.returncode, done.stderr) == (cli.CLOSED_PIPE, "")


def test_interruption(command: Command, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", "check", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # A run in the background may have been told to ignore it, which processes inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(1.5)  # it waits for the spec by now
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (cli.INTERRUPTED, b"")


# Wrong command lines


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bild", "net.arch"],
        ["build"],
        ["build", "net.arch", "--classname", "X"],
        ["build", "net.arch", "--class", "X"],
        ["build", "net.arch", "--set", "classes"],
        ["build", "net.arch", "--set", "2=3"],
        ["build", "net.arch", "--set", "classes=2", "--set", "classes=3"],
    ],
)
def test_usage(command: Command, spec: Path, arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("usage: archdsl")


@pytest.mark.parametrize(
    ("option", "text", "code", "shown"),
    [
        ("--set", "clases=2", "A1003", "did you mean `classes`?"),
        ("--set", "classes=2 +", "A0001", "--> --set classes:1:"),
        ("--set", "classes=lots", "A1002", "--> --set classes:1:1"),
        ("--set", "classes=", "A0001", "--> --set classes:1:1"),
        ("--variant", "four", "A1015", "--> --variant:1:1"),
        ("--arch", "nett", "A1016", "did you mean `net`?"),
        ("--class-name", "import", "A1036", "--> --class-name:1:1"),
    ],
)
def test_options(
    command: Command, spec: Path, option: str, text: str, code: str, shown: str
) -> None:
    done = command("build", "net.arch", option, text)
    assert (done.returncode, done.stdout) == (2, "")
    assert code in done.stderr and shown in done.stderr and done.stderr.endswith("\n\n1 error\n")


def test_several_archs_and_none_chosen(command: Command, tmp_path: Path) -> None:
    both = "arch a { input x: 3x4x4\n return x -> relu }\narch b extends a { }\n"
    (tmp_path / "c.arch").write_text(both)
    (tmp_path / "b.arch").write_text(both)
    done = command("summary", "c.arch")
    assert done.returncode == 1 and "choose one: --arch a" in done.stderr
    assert command("summary", "b.arch").stdout.startswith("B (b)")
    assert command("summary", "c.arch", "--arch", "a").stdout.startswith("A (a)")
    assert command("check", "c.arch").stdout == "c.arch: 2 networks OK\n"


# Defects of the compiler


def test_a_defect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("of\nthe compiler")

    monkeypatch.setattr("archdsl.api.network.elaborate", broken)
    monkeypatch.delenv("ARCHDSL_DEBUG", raising=False)
    assert cli.main(["summary", "mnasnet_a1"]) == cli.DEFECT
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "please report it" in said
    assert "(ZeroDivisionError: of)" in said
    monkeypatch.setenv("ARCHDSL_DEBUG", "1")
    assert cli.main(["summary", "mnasnet_a1"]) == cli.DEFECT
    assert "Traceback" in capsys.readouterr().err


def test_codes_are_unique() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = [k.code for k in kinds if issubclass(k, Diagnostic) and k is not Diagnostic]
    assert len(codes) == len(set(codes))
