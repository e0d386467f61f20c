"""Each construct of the language: what is generated for uses that differ in all that can differ.

Each file of `constructs/` is a spec. `# has: ...` and `# lacks: ...` at its head are about the
generated source.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from archdsl.backends.pytorch.source import generate
from tests.agreement import agree, build, load, same_network

CONSTRUCTS = sorted((Path(__file__).parent / "constructs").glob("*.arch"))


def spec_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_construct(path: Path) -> None:
    spec = spec_of(path)
    source = agree(spec, tools=True)
    for line in spec.splitlines():
        if line.startswith("# has: "):
            assert line.removeprefix("# has: ") in source
        elif line.startswith("# lacks: "):
            assert line.removeprefix("# lacks: ") not in source


# Parameters of the network that stay arguments of its class.

OPEN: list[tuple[str, str, dict[str, Any]]] = [
    (
        "(classes=10, rate=0.2, channels=3)",
        """
        input x: channels, 8, 8
        a = x -> conv(8, k=3, s=2) -> bn -> relu
        return a -> global_pool -> dropout(rate) -> linear(classes)
        """,
        {"classes": 7, "rate": 0.5, "channels": 1},
    ),
    (
        "(in_channels=3, num_classes=4)",
        """
        input image: in_channels, 8, 8
        a = image -> conv(4) -> depthwise
        return a -> head(num_classes), a -> conv(num_classes) if training
        """,
        {"in_channels": 5, "num_classes": 9},
    ),
    (
        "(c=8)",
        """
        input x: 4, 8, 8
        a = x -> conv(c, k=3) -> bn -> relu -> conv(c * 2) -> layer_norm
        return a -> conv(6), a -> global_pool -> linear(c)
        """,
        {"c": 12},
    ),
    (
        "(c=8)",
        """
        input x: 4, 8, 8
        body = x -> conv(c) -> stages {
          block c n
          depthwise2 16 2
        }
        return body -> conv(c)
        """,
        {},  # what comes before a table is settled
    ),
    (
        "(mid=8, slope=0.1, eps=0.001, k=3)",
        """
        input x: 4, 8, 8
        default bn(eps=eps)
        a = x -> conv(mid, k=k) -> bn -> leaky_relu(slope)
        b = x -> conv(mid) -> bn
        return a + b -> conv(4)
        """,
        {"slope": 0.3},
    ),
    (
        "(k=sqrt(9))",
        """
        input x: 12, 15, 15
        return x -> conv(4, k=(k, 1), s=(1, k - 1))
        """,
        {"k": 5},
    ),
    (
        "(c=4)",
        """
        input x: c, 6
        parts = x -> split(2)
        sides = x -> split(2, axis=1)
        return group_norm(parts[1], 1), sides[0] -> bn
        """,
        {"c": 6},
    ),
]

BLOCKS = """
block depthwise(c=x.c) {
  return x -> conv(x.c, k=3, groups=x.c) -> conv(8)
}
block depthwise2(c) {
  return x -> conv(x.c, k=3, groups=x.c) -> conv(c)
}
block head(classes, mid=16) {
  return x -> global_pool -> linear(mid) -> relu -> linear(classes)
}
"""


@pytest.mark.parametrize(("parameters", "body", "others"), OPEN)
def test_open_parameters(parameters: str, body: str, others: dict[str, Any]) -> None:
    """The class made with other values is the network of these values."""
    spec = f"{BLOCKS}\narch net{parameters} {{\n{body}\n}}"
    source = agree(spec, tools=True)
    network = load(source, "Net")
    same_network(build(spec, **others), network(**others))


def test_channels_that_a_list_of_sizes_settles() -> None:
    spec = """
    arch net(c=3) {
      input x: c, 6
      parts = x -> split([1, 2])
      return group_norm(parts[1], 1), parts[0] -> bn
    }
    """
    assert "c: int" not in agree(spec)


def test_what_shapes_the_network_is_settled() -> None:
    spec = """
    arch net(c=8, deep=true, n=2) {
      input x: 4, 8, 8
      y = x -> conv(c) -> relu   if deep
      repeat i in 0..n {
        y = y -> conv(8)
      }
      return y -> conv(3)
    }
    """
    source = generate(build(spec), "spec.arch")
    assert "deep" not in source
    assert "n:" not in source


GUARDED = """
block b(c, s=1) {
  main   = x -> conv(c)
  pooled = main -> max_pool(3, s=s, p=1)   if s != 1
  return pooled + (x -> conv(c, s=s))
}
arch net {
  input x: 8x16x16
  y = x -> b(16, s=2)
  z = y -> b(16)
  return z
}
"""


def test_a_guarded_layer_without_weights_is_guarded() -> None:
    assert "nn.MaxPool2d(3, stride=s, padding=1) if s != 1 else nn.Identity()" in agree(GUARDED)


def test_lines_that_nobody_needs_leave_nothing() -> None:
    source = agree("""
arch net {
  input image: 1x7
  v1 = image - image
  v2 = v1 -> stages {
    block    c
    sepconv  4
  }
  v3 = v2 -> mbconv(4, drop=0.1)
  return image -> conv(6, k=3), v1
}
""")
    assert re.findall(r"^class (\w+)", source, re.M) == ["Net"]
    source = agree("""
arch net {
  input image: 3x8x8
  v1 = image -> stages {
    block           c
    first: sepconv  4
  }
  return image -> conv(6, k=3)
}
""")
    assert "forward_features" not in source
