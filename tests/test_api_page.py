"""docs/api.md tells every public name and every argument, and its examples are typed strictly.

That the examples do what they say is for tests/test_readme.py.
"""

from __future__ import annotations

import doctest
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import archdsl
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXPLAINED = "".join(part for part in re.split(r"^```.*?^```$", PAGE, flags=re.M | re.S))
"""The page without its examples."""

MODULES = {
    "archdsl": archdsl.__all__,
    "archdsl.weights": import_module("archdsl.weights").__all__,
    "archdsl.backends.onnx": import_module("archdsl.backends.onnx").__all__,
    "archdsl.testing": import_module("archdsl.testing").__all__,
    "archdsl.tools.plot": import_module("archdsl.tools.plot").__all__,
    "archdsl.tools.bench": import_module("archdsl.tools.bench").__all__,
    "archdsl.tools.verify": ["OutputReport", "Report", "verify"],
    "archdsl.support.limits": ["adjusted", "names"],
    "archdsl.support.progress": ["Progress"],
}
"""What users may rely on."""

NAMES = [f"{module}.{name}" for module, names in MODULES.items() for name in names]


def public(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)


def told() -> set[str]:
    """The words that stand as code in the text of the page."""
    return {
        word for code in re.findall(r"`([^`]+)`", EXPLAINED) for word in re.findall(r"\w+", code)
    }


def members(kind: type) -> Iterator[str]:
    """What a class of archdsl offers: not what Python gives to every exception or tuple."""
    for owner in kind.__mro__:
        if owner.__module__.startswith("archdsl") and owner.__name__ != "Record":
            names = [*vars(owner), *vars(owner).get("__annotations__", {})]
            yield from (n for n in names if not n.startswith("_") and n != "fields")


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_told(name: str) -> None:
    assert name.rpartition(".")[2] in told()
    if inspect.isclass(public(name)) or inspect.isfunction(public(name)):
        assert inspect.getdoc(public(name))


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(public(name))])
def test_every_member_is_told(name: str) -> None:
    kind = public(name)
    assert isinstance(kind, type)
    assert set(members(kind)) - {"of"} <= told(), name  # `of` makes them from what they are of


@pytest.mark.parametrize(
    "function",
    [
        *(name for name in NAMES if inspect.isfunction(public(name)) and "testing" not in name),
        *(
            f"archdsl.Network.{name}"
            for name in ("table", "summary", "source", "onnx", "view", "override", "variant")
        ),
        *(f"archdsl.Spec.{name}" for name in ("open", "of_text", "network", "warnings")),
    ],
)
def test_every_argument_is_told(function: str) -> None:
    """With its default, where a call of it is shown with arguments."""
    *_, last = function.split(".")
    thing: object = archdsl
    for part in function.split(".")[1:]:
        thing = getattr(thing, part, None) or import_module(f"archdsl.{part}")
    assert callable(thing)
    calls = re.findall(rf"`(?:[\w.]*\.)?{last}\(([^`]*)\)`", EXPLAINED)
    assert calls, function
    words = {word for call in calls for word in re.findall(r"\w+", call)}
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        assert parameter.name in words, (function, parameter)
        default = parameter.default
        if isinstance(default, str | int | float) and not isinstance(default, bool):
            shown = repr(default).replace("'", '"')
            assert any(f"{parameter.name}={shown}" in call for call in calls), (function, parameter)


def checked_strictly(program: str, folder: Path) -> str:
    """What `mypy --strict` says of a program."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    settings = "[mypy]\nstrict = true\n[mypy-pandas.*]\nignore_missing_imports = true\n"
    (folder / "mypy.ini").write_text(settings)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "program.py", "--cache-dir", ROOT / ".mypy_cache"],
        cwd=folder, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_examples_are_typed(tmp_path: Path) -> None:
    """A program of all examples, as a user would write it, is fine."""
    examples = doctest.DocTestParser().get_examples(PAGE)
    program = "".join(example.source for example in examples)
    for name, kind in (("network", "Network"), ("spec", "Spec"), ("problem", "Diagnostic")):
        program += f"check_{name}: archdsl.{kind} = {name}\n"
    program += "part: archdsl.PartInfo = network.table()[0]\nshape: archdsl.Shape = part.shape\n"
    assert "Success: no issues" in checked_strictly(program, tmp_path)
    wrong = checked_strictly(program + "network.params.upper()\n", tmp_path)
    assert '"int" has no attribute "upper"' in wrong and "Found 1 error" in wrong


def test_diagnostics_have_what_the_page_says() -> None:
    with pytest.raises(archdsl.DiagnosticError) as caught:
        archdsl.loads("arch net {")
    (problem,) = caught.value.diagnostics
    for name in ("code", "span", "notes", "values", "severity", "title", "advice"):
        assert name in told() and hasattr(problem, name)
