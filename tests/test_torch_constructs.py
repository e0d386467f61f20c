"""Each construct of the language: what is generated for uses that differ in all that can differ."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.agreement import agree, build, load, same_network
from archdsl.torch.source import generate


class Case(NamedTuple):
    """A spec; `settings` are for its arch's parameters. `has` is in the source, `lacks` is not."""

    name: str
    spec: str
    settings: dict[str, Any] = {}
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def net(body: str, blocks: str = "", parameters: str = "", shape: str = "8x8x8") -> str:
    """A spec with one arch, whose input is x."""
    return f"{blocks}\narch net{parameters} {{\n input x: {shape}\n{body}\n}}"


MBCONV = """
block unit(c, k=3, s=1, e=1, act=relu) {
  let mid = e * x.c
  expand    = x -> conv(mid) -> bn -> act   if e != 1
  depthwise = expand -> conv(mid, k=k, s=s, groups=mid) -> bn -> act
  project   = depthwise -> conv(c) -> bn
  return x + project if s == 1 and x.c == c else project
}
"""

CASES = [
    # Guards
    Case(
        "guards by number, stride and channels",
        net("y = x -> unit(8) -> unit(8, e=2, k=5) -> unit(12, s=2, e=3) -> unit(12)\n return y", MBCONV),
        has=("if e != 1", "else nn.Identity()", "self.residual"),
    ),
    Case(
        "guard over a whole run with operators",
        net(
            "return x -> b(true) -> b(false) -> b(true)",
            """
block b(wide) {
  y = x -> conv(8) -> add(x) -> relu -> conv(8) -> mul(x)   if wide
  return y -> bn
}""",
        ),
    ),
    Case(
        "guard with an operator alone",
        net("return x -> b(2) -> b(1)", "block b(g) {\n y = x -> channel_shuffle(g)  if g > 1\n z = y -> slice(0, 6) if g > 1\n return z -> conv(8)\n}"),
    ),
    Case(
        "guard without layers in some use",
        net("return x -> b(0.5) -> b(0)", "block b(r) {\n y = x -> dropout(r) if r > 0\n return y -> relu\n}"),
    ),
    Case(
        "guard never taken",
        net("return x -> b -> b", "block b(se=0) {\n y = x -> squeeze_excite(2) if se > 0\n return y + x\n}"),
        lacks=("SqueezeExcite", "se:", "def __init__(self) -> None:\n        super().__init__()\n\n"),
    ),
    Case(
        "guard on a let, on not, or, and a chain",
        net(
            "return x -> b(1, true) -> b(2, false) -> b(3, true)",
            """
block b(n, flag) {
  let big = n > 1
  p = x -> conv(8)    if big and not flag
  q = p -> conv(8, k=3) -> relu if not big or flag
  r = q -> bn if 1 < n <= 3
  return r
}""",
        ),
    ),
    Case(
        "guard with several sources",
        net(
            "return x -> b(true) -> b(false)",
            """
block swap(a: tensor, b: tensor) {
  return b -> conv(4), a
}
block b(flag) {
  p, q = x -> split(2)
  r, t = p -> swap(q) if not flag
  return concat(r, t, p) -> conv(8)
}""",
        ),
    ),
    Case(
        "guards in guards",
        net(
            "return x -> b(1, 1) -> b(2, 1) -> b(2, 2)",
            """
block inner(n) {
  y = x -> conv(x.c, k=3) if n > 1
  return y
}
block b(m, n) {
  y = x -> inner(n) -> relu if m > 1
  return y + x
}""",
        ),
    ),
    # Conditionals
    Case(
        "different layers in the arms",
        net(
            "return x -> b(1) -> b(2) -> b(1)",
            "block b(s) {\n y = x -> conv(8, k=3) -> bn if s == 1 else x -> max_pool(3, s=1, p=1)\n return y\n}",
        ),
    ),
    Case(
        "arms of different runs",
        net(
            "return x -> b(true) -> b(false)",
            "block b(f) {\n y = (x -> conv(8)) + x if f else x -> conv(8, k=3) -> relu\n return y -> bn\n}",
        ),
    ),
    Case(
        "arms of numbers and operations",
        net(
            "return x -> b(true) -> b(false) -> b(true)",
            "block b(f) {\n let act = relu if f else silu\n return x -> conv(8 if f else 16, k=3 if f else 1) -> act\n}",
        ),
    ),
    Case(
        "arms in a chain",
        net(
            "return x -> b(0) -> b(1) -> b(2)",
            """
block b(kind) {
  y = x -> conv(8) if kind == 0 else x -> conv(8, k=3) if kind == 1 else x -> bn
  return y
}""",
        ),
    ),
    # Operations as parameters
    Case(
        "activations without arguments",
        net("return x -> unit(8) -> unit(8, act=hard_swish) -> unit(8, act=sigmoid)", MBCONV),
        has=("type[nn.Module]",),
    ),
    Case(
        "activations with arguments",
        net("return x -> unit(8, act=leaky_relu(0.1)) -> unit(8) -> unit(8, act=elu)", MBCONV),
    ),
    Case(
        "activations with weights",
        net("return x -> unit(8, act=prelu) -> unit(8) -> unit(8, act=prelu)", MBCONV),
    ),
    Case(
        "an activation that is none",
        net("return x -> unit(8, act=identity) -> unit(8) -> unit(8, act=identity)", MBCONV),
    ),
    Case(
        "a block as a parameter",
        net(
            "return x -> b(sepconv) -> b(unit(k=5)) -> b(conv)",
            MBCONV + "block b(op) {\n return x -> op(8) -> bn\n}",
        ),
    ),
    Case(
        "norms as a parameter",
        net(
            "return x -> b(bn) -> b(group_norm(groups=2)) -> b(layer_norm) -> b(identity)",
            "block b(norm) {\n return x -> conv(8, k=3) -> norm -> relu\n}",
        ),
    ),
    Case(
        "an operation passed on",
        net(
            "return x -> outer(relu) -> outer(silu) -> outer(relu6)",
            "block inner(act=relu) {\n return x -> conv(8) -> act\n}\n"
            "block outer(act=relu) {\n return x -> inner(act=act) -> inner -> act\n}",
        ),
    ),
    Case(
        "pooling as a parameter",
        net(
            "return x -> b(max_pool(2)) -> b(avg_pool(3, s=1, p=1)) -> b(max_pool(3, s=1, p=1))",
            "block b(pool) {\n return x -> pool -> conv(8)\n}",
        ),
    ),
    # Lists
    Case(
        "MixConv",
        net(
            "return x -> m([3, 7]) -> m([3, 5]) -> m([3, 5, 7, 9]) -> m([3, 5], s=2)",
            """
block m(kernels, s=1) {
  "MixConv. Tan & Le, BMVC 2019."
  parts = x -> split(len(kernels))
  mixed = []
  repeat i in 0..len(kernels) {
    part  = parts[i] -> conv(parts[i].c, k=kernels[i], s=s, groups=parts[i].c)
    mixed = mixed + [part]
  }
  return concat(mixed)
}""",
        ),
        has=("nn.ModuleList(", "for i in range(len(kernels))"),
    ),
    Case(
        "lists of features",
        net(
            "fs = [x]\n repeat i in 0..3 {\n  y = fs[i] -> conv(8, k=3, s=2)\n  fs = fs + [y]\n }\n"
            " return fs[0], fs[-1], fs[2] -> resize(like=fs[0])",
        ),
    ),
    Case(
        "a list to a block",
        net(
            "a, b = x -> split(2)\n return b3([a, b]) + merge(concat(a, b), [b, a])",
            "block b3(xs: tensor) {\n return concat(xs) -> conv(6)\n}\n"
            "block merge(x: tensor, more: tensor) {\n return concat(x, more) -> conv(6)\n}",
        ),
    ),
    Case(
        "lists of numbers",
        net(
            "let cs = [4, 6, 8]\n y = x\n repeat i in 0..len(cs) {\n  y = y -> conv(cs[i], k=3) -> relu\n }\n return y"
        ),
    ),
    Case(
        "pyramid pooling",
        net(
            "ys = [x]\n repeat i in 0..3 {\n  y = x -> avg_pool(out=i + 1) -> conv(2) -> relu -> resize(like=x, mode=bilinear)\n"
            "  ys = ys + [y]\n }\n return concat(ys) -> conv(4)"
        ),
    ),
    # None
    Case(
        "none in a sum",
        net(
            "return x -> b(true) -> b(false)",
            "block b(f) {\n extra = x -> conv(8) if f else none\n return (x -> bn) + extra\n}",
        ),
    ),
    Case(
        "none in concat",
        net(
            "return x -> b(true) -> conv(8) -> b(false)",
            "block b(f) {\n extra = x -> conv(8) if f else none\n return concat(x, extra)\n}",
        ),
    ),
    Case(
        "optional tensors",
        net(
            "a = x -> conv(8)\n b = join(x, a)\n c = join(b)\n return join(c, x) -> join",
            "block join(a: tensor, b: tensor = none) {\n return a -> conv(8, k=3) -> bn -> add(b) -> relu if 1 > 2 else (a -> conv(8, k=3)) + b\n}",
        ),
    ),
    Case(
        "an optional tensor never given",
        net("return x -> join -> join", "block join(a: tensor, b: tensor = none) {\n return (a -> conv(8)) + b\n}"),
    ),
    Case(
        "an optional tensor always given",
        net("a = x -> conv(8)\n return join(a, x) -> join(b=x)", "block join(a: tensor, b: tensor = none) {\n return (a -> conv(8)) + b\n}"),
    ),
    # Inputs and outputs
    Case(
        "several inputs and outputs",
        """
arch net {
  input image: 3x8x8
  input depth: 1x8x8
  input code: 5
  a = image -> conv(4, k=3)
  b = depth -> conv(4, k=3)
  c = code -> linear(4)
  return a + b -> relu, c, concat(a, b)
}""",
    ),
    Case(
        "outputs for training alone",
        net(
            "a = x -> conv(8) -> bn -> relu\n aux = a -> global_pool -> linear(3)\n b = a -> conv(4)\n"
            " logits = b -> global_pool -> linear(3)\n return logits, aux if training",
        ),
        has=("if self.training:",),
    ),
    Case(
        "several outputs for training",
        net(
            "a = x -> conv(4)\n p = a -> conv(2)\n q = a -> conv(3)\n return p if training, a, q if training, x"
        ),
    ),
    Case("the same output twice", net("a = x -> conv(4)\n return a, a")),
    Case(
        "blocks with several inputs and outputs",
        net(
            "a, b = x -> fork(4)\n c, d = cross(a, b)\n e, f = cross(b=c, a=d)\n return concat(e, f), d",
            "block fork(c) {\n l = x -> conv(c)\n return l, x -> conv(c, k=3) -> relu\n}\n"
            "block cross(a: tensor, b: tensor) {\n return a -> conv(b.c), b + a\n}",
        ),
    ),
    # Repeats
    Case(
        "a repeat with a carried tensor",
        net("y = x -> conv(4)\n repeat i in 0..4 {\n  y = y -> conv(4, k=3) -> relu\n }\n return y"),
        has=("for _ in range(4)",),
    ),
    Case(
        "growth in a repeat",
        net(
            "return x -> dense(3) -> dense(2, growth=6)",
            """
block dense(n, growth=4) {
  y = x
  repeat i in 0..n {
    new = y -> bn -> relu -> conv(growth, k=3)
    y = concat(y, new)
  }
  return y
}""",
        ),
    ),
    Case(
        "growth in a table",
        net("return x -> stages {\n  block growth n\n  dense_layer 4 3\n  dense_layer 6 2\n }"),
    ),
    Case(
        "growth by a block in a repeat",
        net("y = x\n repeat i in 0..3 {\n  y = y -> dense_layer(4)\n }\n return y -> conv(2)"),
    ),
    Case(
        "a repeat whose rounds differ",
        net("y = x\n repeat i in 0..3 {\n  y = y -> conv(4 * (i + 1), k=2 * i + 1) -> relu\n }\n return y"),
    ),
    Case(
        "a repeat from one",
        net("y = x\n repeat i in 1..4 {\n  y = y -> conv(4 * i) -> relu\n }\n return y"),
    ),
    Case(
        "a repeat with a guard on its variable",
        net("y = x\n repeat i in 0..3 {\n  y = y -> conv(8, k=3)\n  y = y -> relu if i < 2\n }\n return y"),
    ),
    Case(
        "a repeat with several lines",
        net(
            "a = x\n b = x\n repeat i in 0..3 {\n  t = a -> conv(8)\n  u = b -> conv(8, k=3) -> bn\n  a = t + u\n  b = t * u -> sigmoid\n }\n return a, b"
        ),
    ),
    Case(
        "repeats in repeats",
        net(
            "y = x\n repeat i in 0..2 {\n  z = y\n  repeat j in 0..3 {\n   z = z -> conv(8, k=3) -> relu\n  }\n  y = y + z\n }\n return y"
        ),
    ),
    Case(
        "labelled repeats",
        net(
            "y = x\n cells: repeat i in 0..3 {\n  a = y -> conv(8) -> bn\n  b = y -> conv(8, k=3)\n  y = a + b -> relu\n }\n return y"
        ),
    ),
    Case(
        "a repeat with counts that vary",
        net(
            "return x -> b(1) -> b(3) -> b(2, c=8)",
            "block b(n, c=4) {\n y = x -> conv(c)\n repeat i in 0..n {\n  y = y -> conv(c, k=3) -> bn -> relu\n }\n return y -> conv(8)\n}",
        ),
    ),
    Case(
        "a repeat that may be empty",
        net(
            "return x -> b(0) -> b(2)",
            "block b(n) {\n y = x -> conv(4)\n repeat i in 0..n {\n  y = y -> conv(4, k=3)\n }\n return y -> conv(8)\n}",
        ),
    ),
    Case("an empty repeat", net("y = x\n repeat i in 0..0 {\n  y = y -> conv(4)\n }\n return y -> relu")),
    Case(
        "one round",
        net("y = x\n repeat i in 0..1 {\n  y = y -> conv(4)\n }\n return y -> relu"),
    ),
    Case(
        "blocks in a repeat",
        net("y = x\n repeat i in 0..3 {\n  y = y -> unit(8, e=i + 1)\n }\n return y", MBCONV),
    ),
    Case(
        "a repeat without layers",
        net("y = x\n repeat i in 0..3 {\n  y = y + x * i\n }\n return y"),
    ),
    Case(
        "a hypernetwork of two carried tensors",
        net(
            "a = x -> conv(4)\n b = a\n repeat i in 0..3 {\n  a, b = step(a, b)\n }\n return a + b",
            "block step(a: tensor, b: tensor) {\n return (a -> conv(a.c, k=3)) + b, a\n}",
        ),
    ),
    # Tables
    Case(
        "tables",
        net(
            """
  y = x -> stages {
    block  k  e  c  n  s  act
    unit   3  1  8  1  1  -
    unit   5  2  12 2  2  silu
    unit   3  2  16 4  1  -
    max_pool k=2
    block  c
    conv   12
    unit   24  e=3
  }
  return y""",
            MBCONV,
        ),
    ),
    Case(
        "taps",
        net(
            """
  body = x -> stages {
    block  c  n  s
    c1: unit 8  1  1
    unit 12  2  2
    c3: unit 16  1  2
    unit 20 1 1
  }
  p = body.c3 -> conv(4)
  q = body.c1 -> conv(4, k=3, s=4)
  return p + q, body -> global_pool -> linear(2)""",
            MBCONV,
        ),
        has=("def forward_features",),
    ),
    Case(
        "labels that nobody reads",
        net("body = x -> stages {\n  block c s\n  low: unit 8 2\n  high: unit 16 2\n }\n return body -> conv(3)", MBCONV),
        has=("def forward_features",),
    ),
    Case(
        "a tap as an output",
        net("body = x -> stages {\n  block c s\n  low: unit 8 2\n  high: unit 16 2\n }\n return body.low, body.high, body", MBCONV),
    ),
    Case(
        "a table after steps and before",
        net("y = x -> conv(4) -> relu -> stages {\n  block c n\n  unit 8 2\n } -> conv(3) -> bn\n return y", MBCONV),
    ),
    Case(
        "a table in a block",
        net(
            "return x -> b(1, 8) -> b(3, 12)",
            MBCONV + "block b(n, c) {\n y = x -> stages {\n  block c n s e\n  unit c n 2 2\n  unit c*2 1 1 1\n  conv c\n }\n return y -> relu\n}",
        ),
    ),
    Case(
        "empty stages",
        net("y = x -> stages(e=2) {\n  block c n\n  unit 8 0\n  unit 12 2\n  unit 16 0\n }\n return y", MBCONV),
    ),
    Case(
        "stages that are empty in some uses",
        net("return x -> b(0) -> b(2)", MBCONV + "block b(n) {\n y = x -> stages {\n  block c n\n  unit 8 n\n  unit 8 1\n }\n return y\n}"),
    ),
    Case(
        "width and depth",
        net(
            "body = x -> stages(width=width, depth=depth, divisor=4, e=2) {\n  block c n s\n  unit 8 1 1\n  unit 12 2 2\n  unit 16 2 1 depth=1\n }\n"
            " return body -> conv(divisible(20 * width, 8)) -> global_pool -> linear(classes)",
            MBCONV, "(width=1.4, depth=1.7, classes=10)",
        ),
        has=("classes: int = 10",),
    ),
    Case(
        "index, total and rep",
        net(
            "y = x -> stages(r=0.3 * index / total) {\n  block k n\n  d rep*2+1 3\n  d 3 2\n }\n return y",
            "block d(k, r) {\n y = x -> conv(x.c, k=k) -> drop_path(r)\n return x + y\n}",
        ),
    ),
    Case(
        "operations as rows",
        net(
            "return x -> stages {\n  block\n  conv c=6 k=3 s=2\n  bn\n  relu\n  pad p=1\n  avg_pool k=2\n  resize size=6\n  global_pool\n  linear c=4\n  softmax\n }"
        ),
    ),
    Case("repeated operations", net("return x -> stages {\n  block c n k\n  conv 8 3 3\n  conv 4 2 1\n }")),
    Case(
        "a flattened row",
        net("return x -> stages {\n  block c\n  conv 6\n  global_pool\n  linear 4\n  linear 3\n }"),
    ),
    Case(
        "rows by a parameter",
        net(
            "return x -> b(unit) -> b(unit(k=5)) -> b(sepconv)",
            MBCONV + "block b(op) {\n y = x -> stages {\n  block c n\n  op 8 2\n  op 6\n }\n return y -> conv(8)\n}",
        ),
    ),
    Case(
        "a row's tuple",
        net("return x -> stages {\n  block c k s\n  unit 8 (1,3) 1\n  unit 8 (3,1) (1,2)\n  unit 8 5 1\n }", MBCONV.replace("s == 1", "s == 1 or s == (1,1)") if False else "block unit(c, k=3, s=1) {\n return x -> conv(c, k=k, s=s) -> bn\n}"),
    ),
    # Blocks in blocks
    Case(
        "derived defaults",
        net(
            "return x -> outer(8) -> outer(12, mid=5) -> outer(6)",
            "block inner(c, mid=c * 2, k=3) {\n return x -> conv(mid) -> relu -> conv(c, k=k)\n}\n"
            "block outer(c, mid=c // 2) {\n return x -> inner(mid) -> inner(c, k=1)\n}",
        ),
    ),
    Case(
        "derived defaults alone",
        net(
            "return x -> inner(8) -> inner(12) -> inner(6)",
            "block inner(c, mid=c * 2, out=mid + 1) {\n return x -> conv(mid) -> relu -> conv(out)\n}",
        ),
    ),
    Case(
        "three levels",
        net(
            "return x -> a(8) -> a(16, s=2) -> a(16)",
            "block c3(c, s=1) {\n return x -> conv(c, k=3, s=s) -> bn\n}\n"
            "block b(c, s=1) {\n y = x -> c3(c, s=s) -> relu -> c3(c)\n skip = x -> c3(c, s=s) if s != 1 or x.c != c\n return y + skip -> relu\n}\n"
            "block a(c, s=1) {\n return x -> b(c, s=s) -> b(c)\n}",
        ),
    ),
    Case(
        "an arch as a block",
        "arch backbone(width=8) {\n input image: 3x16x16\n a = image -> conv(width, k=3, s=2) -> relu\n return a -> conv(width * 2), a if training\n}\n"
        "arch net {\n input image: 3x16x16\n input other: 3x16x16\n f = image -> backbone\n g = other -> backbone(width=4) -> conv(16)\n return f + g -> global_pool -> linear(2)\n}",
    ),
    Case(
        "extends",
        "block base(c, k=3) {\n expand = x -> conv(c) -> bn\n return expand -> conv(c, k=k)\n}\n"
        "block more(act=relu) extends base {\n expand = x -> conv(c, k=3) -> bn -> act\n}\n"
        "arch one {\n input image: 3x8x8\n y = image -> base(4) -> more(6)\n body = y -> stages {\n  block c k n\n  base 4 3 2\n  more 8 1 1\n }\n return body\n}\n"
        "arch two extends one {\n input image: 3x12x12\n set body.stage1(k=5)\n}",
    ),
    Case(
        "variants",
        net("return x -> conv(c) -> drop_path(r)", "", "(c=4, r=0)") .replace("{\n input", "{\n variants {\n  name c r\n  small 2 0.1\n }\n input", 1),
    ),
    # Defaults
    Case(
        "defaults",
        net(
            "default bn(eps=1e-3, momentum=0.01)\n default conv(bias=true)\n default unit(e=2)\n"
            " return x -> unit(8) -> conv(4, bias=false) -> bn -> unit(8, e=1)",
            MBCONV,
        ),
    ),
    Case(
        "initialisation",
        net(
            "default conv(init=kaiming_normal(fan_out), bias_init=zeros)\n default linear(init=normal(0.01), bias_init=zeros)\n"
            " y = x -> b -> b\n z = y -> conv(4, bias=true, init=xavier_uniform) -> conv(4, init=zeros) -> scale(init=0)\n"
            " return z -> global_pool -> linear(3) -> linear(2, init=uniform(0.1), bias_init=0.5)",
            "block b {\n y = x -> conv(8, k=3) -> bn -> relu -> conv(8) -> bn(init=zeros)\n return x + y -> relu\n}",
        ),
        has=("def reset_parameters",),
    ),
    Case(
        "every initialisation",
        net(
            "y = x -> conv(8, groups=2, init=kaiming_normal(fan_out_per_group), bias=true, bias_init=fan_uniform(fan_out))"
            " -> conv(8, init=kaiming_uniform(fan_in, 1.5)) -> conv(8, init=xavier_normal(2)) -> conv(8, init=truncated_normal(0.02))"
            " -> conv_transpose(4, k=2, init=ones) -> conv_transpose(4, k=2, init=constant(0.1)) -> conv(4, init=fan_uniform(fan_out))"
            " -> group_norm(2, init=0.5) -> layer_norm(init=normal(0.1)) -> prelu(init=uniform(0.1)) -> scale(init=normal(0.1)) -> bn(affine=false)\n"
            " return y -> conv(3, bias=true, init=kaiming_normal(fan_in, 1), bias_init=uniform(0.1)) -> global_pool -> linear(4, init=kaiming_normal(fan_out_per_group, 2), bias_init=ones)"
        ),
    ),
    Case(
        "initialisation by a parameter",
        net(
            "return x -> b(zeros) -> b(ones) -> b(ones)",
            "block b(init) {\n return x -> conv(8) -> bn(init=init)\n}",
        ),
    ),
    # Names
    Case(
        "names of Python and of torch",
        net(
            "train = x -> conv(8)\n type = train -> bn -> relu\n forward = type -> conv(8)\n self = forward -> b(4, 3, 1, 2)\n"
            " nn = self -> conv(8)\n torch = nn -> conv(8) -> relu\n layer = torch + nn -> conv(4)\n in_channels = layer -> conv(8)\n"
            " return in_channels, self, type -> dropout(0.1)",
            "block b(class, lambda, self, from) {\n import = x -> conv(class, k=lambda)\n half = import -> conv(from * 4, k=self)\n return half\n}",
        ),
    ),
    Case(
        "names of what is written around",
        net(
            "Tensor = x -> b(4, 3, 2, 1)\n out = Tensor -> b(8, 1, 4, 2)\n result = out -> conv(8)\n y = result -> conv(8)\n return concat(y, out), x -> b(2, 1, 1, 1)",
            "block b(in_channels, max, x_channels, m) {\n let mid = max * 2\n let out = in_channels * 2\n stage = x -> conv(in_channels, k=max) -> relu\n"
            " layer = stage -> conv(x_channels + mid, k=m * 2 - 1)\n modules = layer + 1\n return modules -> conv(x.c + out)\n}",
        ),
    ),
    Case(
        "names of builtins",
        net(
            "return x -> b(4, 1, 2, 3, 1) -> b(6, 3, 4, 1, 2)",
            "block b(range, int, min, len, round) {\n y = x -> conv(max(range, min), k=int)\n repeat i in 0..len {\n  y = y -> conv(max(range, min) + floor(round * 0.5), k=int) -> relu\n }\n return y\n}",
        ),
    ),
    Case(
        "names that are taken by layers",
        net(
            "return x -> b(1) -> b(2)",
            "block b(s) {\n residual = x -> conv(8, k=3)\n y = residual -> conv(8, s=s)\n if_y = y -> conv(8)\n return if_y + y if s == 1 else if_y -> conv(8)\n}",
        ),
    ),
    Case(
        "blocks named like helpers",
        net(
            "return x -> scale -> permute3(2) -> nn_(3)",
            "block permute3(g) as Permute {\n return x -> reshape((g, -1)) -> permute((1, 0)) -> reshape((8, 8, 8)) -> swap(permute((0, 2, 1)))\n}\n"
            "block swap(op) as Scale {\n return x -> scale -> op\n}\nblock nn_(c) as Tensor {\n return x -> conv(c)\n}",
        ),
    ),
    Case(
        "a line named training",
        net("training = x -> conv(4)\n return training -> relu"),
    ),
    Case(
        "underscores",
        net("_modules = x -> conv(4)\n _parameters = _modules -> conv(4)\n __dict__ = _parameters -> bn\n _ = __dict__ -> relu\n return _ -> conv(2)"),
    ),
    Case(
        "texts",
        net(
            r'''  "A \"quoted\" text with a \\ backslash and \"\"\" three quotes, that is very long and goes on until it has to be broken somewhere, {x} %s"
  "It ends with a quote\""
  return x -> b(3)''',
            r'''block b(c) {
  "Ends with a backslash \\"
  "c: channels, \"\"\" many of them, so many indeed that this line does not fit on one line but takes two, or three."
  "torch. import os; \n \x41 'single'"
  return x -> conv(c)
}''',
        ),
    ),
    # Values that vary
    Case(
        "kernels and dilations",
        net(
            "return x -> b(3) -> b(5, 1) -> b(3, 2) -> b(1, 3) -> b(5, 2)",
            "block b(k, d=1) {\n return x -> conv(8, k=k, d=d) -> relu\n}",
        ),
    ),
    Case(
        "dilations",
        net("return x -> b(1) -> b(2) -> b(3)", "block b(d) {\n return x -> conv(8, k=3, d=d) -> conv(8, k=5, d=d * 2)\n}"),
    ),
    Case(
        "tuples",
        net(
            "return x -> b((1,3)) -> b((3,1), (2,1)) -> b((5,3), (1,1))",
            "block b(k, s=(1,1)) {\n return x -> conv(8, k=k, s=s) -> relu -> avg_pool(k, s=(1,1), p=keep)\n}",
        ),
    ),
    Case(
        "tuples and numbers",
        net("return x -> b((1,3)) -> b(3) -> b((5,5))", "block b(k) {\n return x -> conv(8, k=k) -> relu\n}"),
    ),
    Case(
        "padding in words that vary",
        net("return x -> b(3, 1) -> b(3, 2) -> b(2, 2)", "block b(k, s) {\n return x -> conv(8, k=k, s=s, p=same) -> max_pool(k, s=s, p=same)\n}"),
    ),
    Case(
        "padding that varies",
        net("return x -> b(3, 0) -> b(3, 1) -> b(5, 2)", "block b(k, p) {\n return x -> conv(8, k=k, p=p) -> max_pool(k, s=1, p=p)\n}"),
    ),
    Case(
        "padding as a word or a number",
        net("return x -> b(same) -> b(valid) -> b(1) -> b(keep)", "block b(p) {\n return x -> conv(8, k=3, p=p)\n}"),
    ),
    Case(
        "biases, rates and slopes",
        net(
            "return x -> b(true, 0.1, 0.2) -> b(false, 0.2, 0.3) -> b(true, 0, 0.1)",
            "block b(bias, rate, slope) {\n return x -> conv(8, bias=bias) -> dropout(rate) -> leaky_relu(slope) -> drop_path(rate)\n}",
        ),
    ),
    Case(
        "arithmetic that varies",
        net(
            "return x -> b(2, 1) -> b(3, 4) -> b(1, 2)",
            "block b(f, g) {\n return (x * f + g) / f - x * (g / 2)\n}",
        ),
    ),
    Case(
        "splits and slices that vary",
        net(
            "return x -> b(2) -> b(4) -> b(8)",
            "block b(n) {\n a = x -> split(n)\n y = a[0] -> conv(8)\n z = x -> slice(n // 3, n // 2 + 2)\n return y + (z -> conv(8))\n}",
        ),
    ),
    Case(
        "reshapes that vary",
        net(
            "return x -> b(2) -> b(4) -> conv(16) -> b(2)",
            "block b(g) {\n return x -> reshape((g, x.c // g, x.h, x.w)) -> permute((1, 0, 2, 3)) -> reshape((x.c, x.h, x.w))\n}",
        ),
    ),
    Case(
        "sizes that vary",
        net(
            "a = x -> b\n c = x -> max_pool(2) -> b\n return a, c, x -> max_pool(4) -> b",
            "block b {\n y = x -> avg_pool(out=(x.h // 2, x.w // 2)) -> conv(4) -> resize(size=(x.h, x.w))\n return y -> flatten -> linear(x.h)\n}",
        ),
    ),
    Case(
        "numbers of every function",
        net(
            "return x -> b(8, 1.5) -> b(12, 2.5) -> b(17, 0.75)",
            "block b(c, f) {\n let a = floor(c * f)\n let d = ceil(c / 3)\n let e = round(f * 3)\n let g = max(1, min(a, d, 7))\n let h = abs(e - c) + 1\n"
            " let i = floor(sqrt(c * 4))\n let j = divisible(c * f)\n let k = c % 3 + c // 2 + 2 ^ e - -c\n let l = c / 2 * 2\n"
            " return x -> conv(a) -> conv(d) -> conv(e) -> conv(g) -> conv(h) -> conv(i) -> conv(j) -> conv(k) -> conv(l) -> conv(divisible(f * 10, 4)) -> conv(floor(-f) + 9) -> conv(ceil(-f) + 9) -> conv(8)\n}",
        ),
    ),
    Case(
        "channels of the input",
        net(
            "a = x -> b\n c = x -> conv(12) -> b\n return a, c",
            "block b {\n let half = x.c // 2\n y = x -> conv(half) -> relu -> conv(x.c)\n w = y -> squeeze_excite(x.c // 4)\n return concat(w, x) -> conv(y.c + half)\n}",
        ),
    ),
    Case(
        "channels of two inputs",
        net(
            "a = x -> conv(4)\n return fuse(x, a), fuse(a, x -> conv(6)) -> global_pool -> linear(3)",
            "block fuse(a: tensor, b: tensor) {\n c = b -> conv(a.c) -> bn\n return a * (c -> sigmoid) + (a -> conv(a.c))\n}",
        ),
    ),
    Case(
        "shapes that decide",
        net(
            "return x -> b -> b -> b",
            "block b {\n y = x -> conv(x.c, k=3, s=2) if x.h > 2 else x -> conv(x.c)\n return y -> relu\n}",
        ),
    ),
    Case(
        "numbers of a spec at length",
        net("return x -> stages {\n  block r n\n  b index/3 3\n  b 1/3 1\n }", "block b(r) {\n return x + (x -> conv(x.c) -> drop_path(r))\n}"),
    ),
    # Dimensions
    Case("one dimension", net("return x -> unit(8, e=2) -> unit(12, k=5, s=2) -> squeeze_excite(3) -> global_pool -> linear(4)", MBCONV, shape="8x16")),
    Case("three dimensions", net("return x -> unit(8, e=2) -> unit(12, k=5, s=2) -> squeeze_excite(3) -> global_pool -> linear(4)", MBCONV, shape="8x4x6x5")),
    Case("no dimension", net("return x -> linear(16) -> bn -> relu -> b(8) -> b(4)", "block b(c) {\n return x -> linear(c) -> layer_norm -> gelu\n}", shape="8")),
    Case(
        "maps and vectors to one block",
        net("v = x -> global_pool -> flatten -> b\n return x -> b, v", "block b {\n return x -> bn -> layer_norm -> relu\n}"),
    ),
    # Values used in many places
    Case(
        "a diamond",
        net("a = x -> conv(8)\n b = a -> conv(8) -> relu\n c = a -> conv(8, k=3)\n d = b + c\n e = d * a -> conv(4)\n return concat(e, d, a)"),
    ),
    Case(
        "flows in arguments",
        net("return concat(x -> conv(3), x -> conv(4) -> relu, (x -> bn) + x) -> conv(5), add(x -> conv(8), x)"),
    ),
    Case(
        "the non-local block",
        net(
            "return x -> b(4)",
            """
block b(mid) {
  q = x -> conv(mid) -> reshape((mid, -1)) -> permute((1, 0))
  k = x -> conv(mid) -> reshape((mid, -1))
  v = x -> conv(mid) -> reshape((mid, -1)) -> permute((1, 0))
  a = q -> matmul(k) -> softmax(axis=-1)
  y = a -> matmul(v) -> permute((1, 0)) -> reshape((mid, x.h, x.w)) -> conv(x.c)
  return x + y
}""",
        ),
    ),
    Case(
        "NAS-FPN's cells",
        net(
            "a = x -> conv(4)\n b = a -> max_pool(2)\n c = b -> max_pool(2)\n p = cell(a, c, like=b, c=4)\n q = cell(b, p, like=a, c=4)\n return p, q",
            """
block cell(a: tensor, b: tensor, like: tensor, c=256) as GlobalPoolingCell {
  "NAS-FPN merging cell. Ghiasi et al., CVPR 2019, figure 4."
  left  = a -> resize(like)
  right = b -> resize(like)
  return right + left * (right -> global_pool -> sigmoid) -> relu -> conv(c, k=3) -> bn
}""",
        ),
    ),
    Case("nothing but the input", net("return x")),
    Case("a long line", net("return x -> b + x", "block b {\n return x\n}").replace("x -> b + x", "(x -> b) + x * 2 + x * 3 + x * 4 + x * 5 + (x -> conv(8, k=3)) * (x -> conv(8, k=5)) + (x -> conv(8, k=7)) * (x -> sigmoid) - x * 1.2345678")),
    Case(
        "long arguments",
        net(
            "return x -> b(4, first_very_long_parameter_name=3, second_very_long_parameter_name=5, third_very_long_parameter_name=2)"
            " -> b(8, first_very_long_parameter_name=5, second_very_long_parameter_name=3, third_very_long_parameter_name=1)",
            "block b(c, first_very_long_parameter_name=1, second_very_long_parameter_name=1, third_very_long_parameter_name=1) {\n"
            " very_long_name_of_a_line = x -> conv(c * third_very_long_parameter_name, k=first_very_long_parameter_name) -> bn -> relu if first_very_long_parameter_name == 3 or second_very_long_parameter_name == 3\n"
            " return very_long_name_of_a_line -> conv(c, k=second_very_long_parameter_name)\n}",
        ),
    ),
]

# Modules whose arguments stay open.
OPEN: list[tuple[str, str, dict[str, Any]]] = []

CONSTRUCTS = CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_construct(case: Case) -> None:
    source = agree(case.spec, tools=True, **case.settings)
    for text in case.has:
        assert text in source
    for text in case.lacks:
        assert text not in source
