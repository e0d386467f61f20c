"""What the layout promises: steps do their own job, blocks are data, tables cover everything."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from archdsl.backends.pytorch.layers import LAYERS, OPERATORS
from archdsl.ops import OPERATIONS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "archdsl"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def names_in(path: Path) -> set[str]:
    """The identifiers and texts of a module, its docstrings and comments left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(node.value.replace(".", " ").split())
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def test_no_python_file_names_a_block() -> None:
    blocks = {path.stem for path in (ROOT / "specs" / "std").glob("*.arch")}
    assert len(blocks) >= 12
    for path in SOURCES:
        assert not names_in(path) & blocks, path


def test_every_primitive_is_a_layer_or_an_operator_and_only_operators_are_not_layers() -> None:
    assert set(LAYERS) | set(OPERATORS) == set(OPERATIONS)
    assert set(OPERATORS) == {name for name, kind in OPERATIONS.items() if kind.operator}


def test_only_the_command_line_prints_and_exits() -> None:
    for path in SOURCES:
        if path.parent.name == "cli" or path.name == "__main__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        named = {function.id for function in calls if isinstance(function, ast.Name)}
        # Generated source is run by one module alone, where the user asks for a live network.
        if path.name != "load_source.py":
            assert not named & {"print", "exit", "eval", "exec", "input"}, path


def test_operations_know_no_places() -> None:
    for path in (PACKAGE / "ops").glob("*.py"):
        assert "Span" not in names_in(path), path


def test_nothing_heavy_is_imported_to_build() -> None:
    program = (
        "import sys, archdsl.cli\n"
        f"sys.argv = ['archdsl', 'build', {str(ROOT / 'specs' / 'mnasnet_a1.arch')!r}]\n"
        "try:\n    archdsl.cli.run()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'onnx'} & set(sys.modules)\n"
        "sys.stderr.write(','.join(sorted(heavy)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.startswith('"""MnasNet-A1.')
    assert done.stderr == ""


# The layout

LAYERS_OF_THE_PACKAGE = (
    "cli", "tools", "testing", "api", "backends", "reports", "weights", "elaborate", "ir",
    "frontend", "ops", "diagnostics", "support",
)  # fmt: skip
"""From the top down: each imports only what comes after it."""

CIRCLES = "archdsl.backends.pytorch"
"""Its files walk all uses of a block at once and call each other."""


def imports() -> dict[str, set[str]]:
    """For each module of the package those that it imports, wherever in its text."""
    modules = {}
    for path in SOURCES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {item.name for item in node.names} & set(modules)
            elif isinstance(node, ast.ImportFrom) and node.module in modules:
                full = {f"{node.module}.{item.name}" for item in node.names}
                found[name] |= full & set(modules) or {node.module}
        found[name].discard(name)
    return found


def test_each_folder_imports_only_folders_below_it() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(
        LAYERS_OF_THE_PACKAGE
    )
    for name, others in imports().items():
        here = name.split(".")[1] if "." in name else ""
        for other in others:
            there = other.split(".")[1] if "." in other else ""
            if here in LAYERS_OF_THE_PACKAGE:
                assert there, f"{name} imports {other}"
                above = LAYERS_OF_THE_PACKAGE.index(there) < LAYERS_OF_THE_PACKAGE.index(here)
                assert not above, f"{name} imports {other}"


def test_no_two_modules_import_each_other() -> None:
    graph = {name: set(others) for name, others in imports().items() if name != "archdsl"}
    for others in graph.values():
        others.discard("archdsl")
    while leaves := [name for name, others in graph.items() if not others & set(graph)]:
        for name in leaves:  # what imports nothing that is left is in no circle
            del graph[name]
    while roots := set(graph).difference(*graph.values()):
        for name in roots:
            del graph[name]
    assert all(name.startswith(CIRCLES) for name in graph), sorted(graph)
