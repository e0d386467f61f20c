"""What is legal and likely wrong: warned of by every command that checks, an error where denied."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl.cli import main

UNUSED = "arch net(spare=1) {\n  input image: 3x8x8\n  y = image -> conv(4)\n  return y\n}\n"


@pytest.mark.parametrize("command", ["check", "build", "summary"])
def test_warnings_do_not_fail_and_denied_they_do(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.arch"
    path.write_text(UNUSED)
    assert main([command, str(path)]) == 0
    said = capsys.readouterr()
    assert said.out and said.err.startswith("warning[A7001]: ")
    assert said.err.endswith(f"\n\n1 warning in {path}\n")
    assert main([command, str(path), "--deny", "warnings"]) == 1
    said = capsys.readouterr()
    assert not said.out and said.err.startswith("error[A7001]: ")
    assert said.err.endswith(f"\n\n1 error in {path}\n")


def test_python_sees_them() -> None:
    (warning,) = archdsl.loads(UNUSED).warnings
    assert (warning.code, warning.severity) == ("A7001", "warning")
    assert warning.span is not None and warning.span.text == "spare"
