"""What a name means, and that no name in any role breaks what is made of a spec."""

from __future__ import annotations

import ast
import builtins
import keyword
import random
import re
from pathlib import Path

import pytest
from torch import nn

from archdsl.backends.pytorch.source import generate
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.frontend import python_names
from archdsl.ops import OPERATIONS, WORDS
from archdsl.ops.numbers import FUNCTIONS
from tests import onnx_tools, properties
from tests.agreement import agree, build, load, same_network

ROOT = Path(__file__).parent.parent
CONSTRUCTS = sorted((ROOT / "tests" / "constructs").glob("*.arch"))
HELPERS = [p.name.split(".")[0] for p in (ROOT / "templates" / "helpers").glob("*.jinja")]

# The tables


def test_no_submodule_hides_what_torch_s_containers_have() -> None:
    taken = set()
    for container in (nn.Module(), nn.Sequential(), nn.ModuleList()):
        taken |= {*dir(container), *vars(container)}
    assert {name for name in taken if not name.startswith("_")} <= python_names.SUBMODULES
    assert all(python_names.submodule_name(name) not in taken for name in taken)


def test_words_of_python_are_no_names() -> None:
    assert set(keyword.kwlist) == python_names.KEYWORDS
    for name in (*keyword.kwlist, *dir(builtins), "_", "__", "__x", "_1", "__1", "___"):
        for made in (
            python_names.submodule_name(name),
            python_names.variable_name(name),
            python_names.free_class_name(name, set()),
            python_names.class_name(name, "block"),
        ):
            assert made.isidentifier() and not keyword.iskeyword(made) and made[:2] != "__"


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_what_generated_code_mentions_is_taken(path: Path) -> None:
    """A name that a template or the printer begins to use has to be in the tables."""
    module = ast.parse(generate(build(path.read_text()), "spec.arch"))
    at_top: set[str] = set()
    for statement in module.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            at_top |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.FunctionDef):
            at_top.add(statement.name)
    assert at_top <= python_names.GLOBALS
    assert {name for name in HELPERS if not name[0].isupper()} <= python_names.GLOBALS
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        bound |= {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
        free = {node.id for node in names} - bound - at_top - {item.name for item in classes}
        assert free <= python_names.BUILTINS | python_names.FUNCTIONS
    helpers = {name[:-2] if name[-2:-1].isdigit() else name for name in HELPERS}
    for item in classes:
        if item.name.rstrip("123d") not in helpers:
            methods = {node.name for node in item.body if isinstance(node, ast.FunctionDef)}
            assert methods <= python_names.METHODS | {"__init__"}


# Roles

ROLES = {
    "arch": "arch NAME { input im: 4x6x6\n a = im -> conv(4) -> bn\n return a -> relu }",
    "block": """
        block NAME(c) { return x -> conv(c) -> relu }
        arch net { input im: 4x6x6\n a = im -> NAME(4) -> NAME(8)\n return a -> NAME(4) }""",
    "block of a row": """
        block NAME(c) { return x -> conv(c) -> relu }
        arch net {
          input im: 4x6x6
          return im -> stages {
            block  c  n
            NAME   4  2
            NAME   8  1
          }
        }""",
    "class of a block": """
        block u(c) as NAME { return x -> conv(c) -> relu }
        block v(c, k=1) as NAME { return x -> conv(c, k=k) }
        arch net { input im: 4x6x6\n a = im -> u(4) -> v(8) -> v(8, k=3)\n return a -> u(4) }""",
    "parameter": """
        block u(NAME=4) { a = x -> conv(NAME) -> relu\n return a -> conv(2 * NAME) }
        arch net { input im: 4x6x6\n return im -> u -> u(NAME=6) }""",
    "parameter without a default": """
        block u(NAME) {
          a = x -> conv(NAME) -> relu
          let r = NAME + 1
          return a -> conv(r)
        }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(NAME=6) }""",
    "parameter of an arch": """
        arch net(NAME=5) {
          input im: 4x6x6
          a = im -> conv(NAME) -> relu
          return a -> conv(3)
        }""",
    "activation": """
        block u(r, NAME=relu) { return x -> conv(r) -> NAME -> conv(r) -> NAME }
        arch net { input im: 4x6x6\n return im -> u(4, NAME=silu) -> u(6) }""",
    "layer as a parameter": """
        block u(NAME=conv(4)) { a = x -> NAME -> NAME\n return a -> NAME }
        arch net { input im: 4x6x6\n return im -> u -> u(NAME=conv(6)) }""",
    "layer of a row as a parameter": """
        block u(NAME) {
          return x -> stages {
            block    c
            NAME     4
            a: NAME  6
          }
        }
        arch net { input im: 4x6x6\n return im -> u(conv) -> u(NAME=conv(k=3)) }""",
    "line of an arch": """
        arch net {
          input im: 4x6x6
          NAME = im -> conv(4) -> bn
          r = NAME + im
          return r -> conv(2), NAME
        }""",
    "line of a block": """
        block u(r) { NAME = x -> conv(r) -> relu\n s = NAME -> conv(r)\n return NAME + s }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(6) }""",
    "line and an operation before it": """
        block u(r, s=relu) { return x -> conv(r) -> s }
        arch net {
          input im: 4x6x6
          a = im -> u(4, s=silu)
          NAME = a -> conv(4)
          return NAME
        }""",
    "several names": """
        arch net {
          input im: 4x6x6
          NAME, other = im -> conv(4) -> split(2)
          return NAME -> conv(3), other
        }""",
    "label of a row": """
        arch net {
          input im: 4x6x6
          t = im -> stages {
            block       c
            NAME: conv  4
            conv        6
          }
          return t -> relu, t.NAME
        }""",
    "label of a repeat": """
        arch net {
          input im: 4x6x6
          r = im
          NAME: repeat i in 0..2 {
            r = r + (r -> conv(4))
            r = r -> relu
          }
          return r
        }""",
    "variable of a loop": """
        block u(r) {
          s = x
          repeat NAME in 0..r { t = s -> conv(4) -> relu\n s = concat(s, t) }
          return s
        }
        arch net {
          input im: 4x6x6
          r = im -> u(2) -> u(3)
          repeat NAME in 0..3 { r = r -> conv(4 + 2 * NAME) }
          return r
        }""",
    "carried value": """
        block u(r) {
          NAME = x -> conv(r)
          repeat i in 0..3 { NAME = NAME + (NAME -> conv(r) -> relu) }
          return NAME
        }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(6) }""",
    "input": """
        arch net { input NAME: 4x6x6\n return (NAME -> conv(4)) + NAME }""",
    "tensors about a resize": """
        block u(NAME: tensor, r) { s = NAME -> conv(4) -> resize(scale=r)\n return s, NAME }
        arch net {
          input im: 4x6x6
          NAME, r = im -> u(2)
          v, w = NAME -> u(3)
          return NAME -> max_pool(3, p=same) -> resize(r), v
        }""",
    "one of two inputs": """
        arch net {
          input NAME: 4x6x6
          input more: 4x6x6
          r = NAME -> conv(4)
          return r + more, NAME -> relu
        }""",
    "tensor of a block": """
        block u(NAME: tensor, r) { s = NAME -> conv(r)\n return s + NAME }
        arch net { input im: 4x6x6\n a = im -> u(4)\n return u(a, 4) -> u(r=4) }""",
    "number": """
        block u(r) { let NAME = 2 * r\n a = x -> conv(NAME)\n s = a -> conv(NAME)\n return a + s }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(6) }""",
    "list": """
        block u(r) { let NAME = [r, 2 * r]\n a = x -> conv(NAME[0])\n return a -> conv(NAME[1]) }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(6) }""",
    "operation": """
        block u(r) { let NAME = conv(r)\n a = x -> NAME -> NAME\n return a -> NAME }
        arch net { input im: 4x6x6\n return im -> u(4) -> u(6) }""",
    "output": """
        arch net {
          input im: 4x6x6
          NAME = im -> conv(4)
          r = NAME -> conv(3)
          return r, NAME -> identity, NAME
        }""",
}

CALLED = {"arch", "block", "block of a row", "operation", "activation", "layer as a parameter"}
"""Roles of names that are called: one of a primitive would hide it."""

LANGUAGE = frozenset(
    """
    arch block use extends as input let require warn expect default variants set return repeat in
    stages if else and or not true false none
    """.split()
)
"""What the language keeps for itself."""

WORST = """
    _ __ __x _1 _x x_ x y z i I c im out out_ result layer Layer rep index total stage1 stage2 T F
    nn torch Tensor self super len training Training forward forward_features reset_parameters count
    residual in_channels a_b aB AB A_b u U net Net k K weight bias running_mean conv_ class_ none_
    None True requires_grad_ __class__ __init__ _modules __dict__ __debug__ same_pad divisible
    _nearest split add concat slice reshape permute resize max min floor width depth graph code copy
    conv relu x_1 out_1 range list int
""".split()


def hostile() -> list[str]:
    """Every name that Python, torch, the containers and the templates use, and some more."""
    names = {*dir(builtins), *keyword.kwlist, *keyword.softkwlist, *OPERATIONS, *WORDS, *FUNCTIONS}
    for container in (nn.Module(), nn.Sequential(), nn.ModuleList()):
        names |= {*dir(container), *vars(container)}
    return sorted({*names, *HELPERS, *WORST} - LANGUAGE)


def spec(role: str, name: str) -> str:
    """A spec in which a name has a role."""
    lines = ROLES[role].replace("NAME", name).splitlines()
    text = "\n".join(line.strip() for line in lines)
    return text.replace("{ ", "{\n").replace(" }", "\n}").strip() + "\n"


def taken(role: str, name: str) -> bool:
    """Whether the spec of a role has the name already, or the language refuses it there."""
    if role == "label of a row" and name in ("c", "h", "w", "d", "stage2"):
        return True
    hides = OPERATIONS.keys() if role not in CALLED else set()
    return name in set(re.findall(r"\w+", ROLES[role])) - hides


@pytest.mark.parametrize("role", ROLES)
def test_no_name_breaks_a_network(role: str) -> None:
    """The module builds, runs, trains and scripts, and has the state that the graph says."""
    for name in random.Random(role).sample([*WORST, *hostile()], 16):
        if not taken(role, name):
            agree(spec(role, name))


@pytest.mark.parametrize("role", ROLES)
def test_no_name_breaks_a_graph(role: str) -> None:
    """The ONNX file is sound, flat and with functions, and onnxruntime computes the same."""
    for name in random.Random(role).sample([*WORST, *hostile()], 6):
        if not taken(role, name):
            properties.onnx_agrees(spec(role, name))


@pytest.mark.parametrize("role", ROLES)
def test_a_name_may_be_long(role: str) -> None:
    graph = properties.network(spec(role, "q" * 200)).graph
    source = generate(graph, "spec.arch")
    same_network(graph, load(source, graph.class_name)())


ALIKE = """
block ONE(TWO, ONE=relu) as u {
  TWO_1 = x -> conv(TWO) -> ONE
  THREE_1 = TWO_1 -> conv(TWO)
  return TWO_1 + THREE_1
}
block TWO(ONE, THREE=relu, TWO=4) as u {
  let FOUR = ONE + TWO
  return x -> conv(FOUR) -> THREE -> conv(TWO)
}
block THREE(TWO: tensor, ONE: tensor, k) {
  THREE = ONE
  repeat FOUR in 0..k {
    THREE = concat(THREE, TWO -> conv(4) -> ONE(4, ONE=silu))
  }
  return THREE
}
arch net {
  input ONE: 4x6x6
  TWO = ONE -> ONE(4) -> TWO(5)
  THREE = ONE -> conv(4) -> TWO(6, TWO=6)
  FOUR: repeat round in 0..2 {
    TWO = TWO + (TWO -> conv(4) -> bn)
  }
  rows = THREE(TWO, ONE, k=2) -> stages {
    block       c
    ONE: conv   4
    TWO: conv   5
    THREE: ONE  TWO=6
  }
  return TWO, THREE, rows.ONE, rows.TWO, rows
}
"""


@pytest.mark.parametrize(
    "names",
    [
        "a_b aB AB a_b_",
        "aB ab AB Ab",
        "_x x_ _x_ __x",
        "x_1 X_1 x_1_ x_1__",
        "split split_ Split _split",
        "_ __ ___ ____",
        "i I _i i_",
        "layer Layer layer_ _layer",
        "out Out out_ _out",
        "forward forward_ _forward Forward",
    ],
)
def test_names_may_be_alike(names: str) -> None:
    """In case, in underscores, and in what becomes of them; two blocks have a class of one name."""
    words = dict(zip(("ONE", "TWO", "THREE", "FOUR"), names.split(), strict=True))
    text = re.sub("ONE|TWO|THREE|FOUR", lambda found: words[found[0]], ALIKE).strip()
    source = agree(text + "\n")
    classes = re.findall(r"^class (\w+)", source, re.MULTILINE)
    assert len(set(classes)) == len(classes)
    properties.onnx_agrees(text + "\n")


def test_a_network_s_class_has_a_name_that_is_free() -> None:
    """You import it by that name: one of your own is refused where it is taken; others change."""
    text = "arch {} {{\n  input x: 3x8x8\n  return x -> conv(4)\n}}\n"
    for name in ("super", "len", "Tensor", "None", "import", "nn", "same_pad", "__x"):
        with pytest.raises(DiagnosticError, match="A1036"):
            properties.network(text.format(f"net as {name}"))
    for name in ("buffers", "Module", "F", "training"):
        agree(text.format(f"net as {name}"))
    for name, made in (("tensor", "Tensor2"), ("none_", "None2"), ("_", "Arch"), ("_1", "Arch1")):
        assert properties.network(text.format(name)).class_name == made
        agree(text.format(name))


def test_outputs_in_a_file_are_named_as_in_the_graph(tmp_path: Path) -> None:
    for body, names in {
        "input out: 4x5x5\n return (out -> conv(4)) + out": ["out_"],
        "input out: 4x5x5\n return out": ["out"],
        "input a: 4x5x5\n return a -> relu, a, a": ["out_0", "a", "a_"],
        "input a: 4x5x5\n t = a -> stages { a: relu }\n return t.a": ["a_"],
        "input out_1: 4x5x5\n r = out_1 -> conv(2)\n return r, r -> relu, r": ["r", "out_1_", "r_"],
    }.items():
        text = f"arch net {{ {body} }}".replace("{ ", "{\n").replace(" }", "\n}")
        made = properties.network(text + "\n")
        assert [output.name for output in made.graph.outputs] == names
        for functions in (False, True):
            made.onnx(tmp_path / "net.onnx", functions=functions)
            model = onnx_tools.checked(tmp_path / "net.onnx")
            assert [output.name for output in model.graph.output] == names
        properties.onnx_agrees(text + "\n")


def test_uses_of_blocks_and_operators_share_names() -> None:
    """A use of a block is a node of its line's name, which an operator may have, too."""
    properties.onnx_agrees("""
block b(x: tensor, y: tensor) {
  x_1 = x -> conv(4)
  w = y -> conv(4) -> relu
  return x_1 + w, x_1
}
arch net {
  input x: 4x6x6
  x_1 = x -> conv(4)
  y, z = b(x, x_1)
  b = b(y, x_1)[0] -> identity
  return y -> identity, y, b -> identity, b, b
}
""")


@pytest.mark.parametrize("role", ROLES)
def test_no_name_breaks_a_page(role: str) -> None:
    """Summaries, explanations, differences and pictures take it."""
    for name in random.Random(role).sample([*WORST, *hostile()], 3):
        if not taken(role, name):
            properties.figures_agree(spec(role, name))
            properties.pictures_lie_well(spec(role, name))
