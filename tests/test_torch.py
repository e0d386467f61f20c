"""Each primitive: what is generated for it, in each form and number of dimensions it can have.

A case is the arguments of one operation. It is written as a step, in call form, through a parameter
that holds it, and as a row of a table; all four are outputs of one network.
"""

from __future__ import annotations

import pytest

import archdsl
from tests.agreement import agree

SHAPES = {0: "8", 1: "8x9", 2: "8x9x7", 3: "8x5x6x7"}
"""Odd and even sizes, different ones along the axes."""

# operation, its arguments (all by name), the numbers of spatial axes to try
EVERY = (0, 1, 2, 3)
MAPS = (1, 2, 3)
CASES: list[tuple[str, str, tuple[int, ...]]] = [
    ("conv", "c=6", MAPS),
    ("conv", "c=6 k=3", MAPS),
    ("conv", "c=6 k=3 s=2 bias=true", MAPS),
    ("conv", "c=6 k=4 s=2 p=1", MAPS),
    ("conv", "c=8 k=3 d=2 groups=4", MAPS),
    ("conv", "c=16 k=3 groups=8", MAPS),
    ("conv", "c=6 k=3 p=valid", MAPS),
    ("conv", "c=6 k=3 p=same", MAPS),
    ("conv", "c=6 k=4 p=same", MAPS),
    ("conv", "c=6 k=2 d=3 p=same bias=true", MAPS),
    ("conv", "c=6 k=3 s=2 p=same", MAPS),
    ("conv", "c=6 k=2 s=2 p=same groups=2", MAPS),
    ("conv", "c=6 k=1 s=3 p=same", MAPS),
    ("conv", "c=6 k=3 s=3 d=2 p=same bias=true", MAPS),
    ("conv", "c=6 k=(1,7)", (2,)),
    ("conv", "c=6 k=(3,1) s=(2,1) d=(1,2)", (2,)),
    ("conv", "c=6 k=(5,2) s=(1,2) p=same", (2,)),
    ("conv", "c=6 k=(3,1,5) s=(1,2,1)", (3,)),
    ("conv", "c=6 k=3 p=(0,2)", (2,)),
    ("conv", "c=4 k=3 init=normal(0.1) bias=true bias_init=0.5", (2,)),
    ("conv_transpose", "c=6 k=2 s=2", MAPS),
    ("conv_transpose", "c=6 k=3 s=2 p=1 out_pad=1 bias=true", MAPS),
    ("conv_transpose", "c=8 k=3 d=2 groups=4", MAPS),
    ("conv_transpose", "c=6 k=(3,4) s=(1,2) p=(1,0)", (2,)),
    ("linear", "c=5", (0,)),
    ("linear", "c=5 bias=false", (0,)),
    ("bn", "", EVERY),
    ("bn", "eps=1e-3 momentum=0.3", MAPS),
    ("bn", "affine=false", MAPS),
    ("bn", "init=zeros", (2,)),
    ("layer_norm", "", EVERY),
    ("layer_norm", "eps=1e-6 affine=false", EVERY),
    ("group_norm", "groups=2", EVERY),
    ("group_norm", "groups=4 eps=1e-3 affine=false", MAPS),
    ("lrn", "", MAPS),
    ("lrn", "size=3 alpha=0.1 beta=0.5 k=2", MAPS),
    ("relu", "", EVERY),
    ("relu6", "", (2,)),
    ("silu", "", (2,)),
    ("gelu", "", (2,)),
    ("gelu", "approximate=true", (1,)),
    ("sigmoid", "", (2,)),
    ("tanh", "", (2,)),
    ("hard_swish", "", (2,)),
    ("hard_sigmoid", "", (2,)),
    ("leaky_relu", "", (2,)),
    ("leaky_relu", "slope=0.2", (3,)),
    ("prelu", "", EVERY),
    ("prelu", "shared=true init=0.1", MAPS),
    ("elu", "", (2,)),
    ("elu", "alpha=0.5", (2,)),
    ("mish", "", (2,)),
    ("softmax", "", EVERY),
    ("softmax", "axis=-1", MAPS),
    ("softmax", "axis=1", (2,)),
    ("identity", "", EVERY),
    ("add", "number=2", EVERY),
    ("sub", "number=-0.5", (2,)),
    ("sub", "number=1 reverse=true", (2,)),
    ("mul", "number=0.25", (2,)),
    ("concat", "", (2,)),
    ("slice", "start=2", EVERY),
    ("slice", "start=1 stop=-1 axis=1", MAPS),
    ("slice", "stop=7 step=2", MAPS),
    ("slice", "axis=(0,1) step=2", MAPS),
    ("slice", "start=-3 axis=-1", MAPS),
    ("max_pool", "k=2", MAPS),
    ("max_pool", "k=3 s=2 p=1", MAPS),
    ("max_pool", "k=3 s=2 p=keep", MAPS),
    ("max_pool", "k=3 s=2 ceil=true", MAPS),
    ("max_pool", "k=2 s=2 p=1 ceil=true", MAPS),
    ("max_pool", "k=3 s=1 d=2 p=keep", MAPS),
    ("max_pool", "k=3 s=2 p=same", MAPS),
    ("max_pool", "k=2 s=1 p=same", MAPS),
    ("max_pool", "k=3 s=2 d=2 p=same", MAPS),
    ("max_pool", "k=(1,3) s=(1,2)", (2,)),
    ("avg_pool", "k=2", MAPS),
    ("avg_pool", "k=3 s=2 p=1", MAPS),
    ("avg_pool", "k=3 s=1 p=keep count_include_pad=true", MAPS),
    ("avg_pool", "k=3 s=2 ceil=true", MAPS),
    ("avg_pool", "k=2 s=2 p=1 ceil=true count_include_pad=true", MAPS),
    ("avg_pool", "k=3 s=2 p=same", MAPS),
    ("avg_pool", "k=4 s=3 p=same count_include_pad=true", MAPS),
    ("avg_pool", "out=3", MAPS),
    ("avg_pool", "out=(2,3)", (2,)),
    ("global_pool", "", MAPS),
    ("global_pool", "mode=max", MAPS),
    ("resize", "scale=2", MAPS),
    ("resize", "scale=1.5", MAPS),
    ("resize", "scale=(0.6,2)", (2,)),
    ("resize", "scale=1.7 mode=bilinear", MAPS),
    ("resize", "scale=2 mode=bilinear align_corners=true", MAPS),
    ("resize", "scale=0.4 mode=area", MAPS),
    ("resize", "size=4", MAPS),
    ("resize", "size=(13,4) mode=bilinear", (2,)),
    ("resize", "size=(13,4) mode=bilinear align_corners=true", (2,)),
    ("resize", "size=3 mode=area", MAPS),
    ("pad", "p=2", MAPS),
    ("pad", "p=1 value=-0.5", MAPS),
    ("pad", "p=2 mode=reflect", MAPS),
    ("pad", "p=3 mode=replicate", MAPS),
    ("pad", "p=(1,2)", (1, 2)),
    ("pad", "p=((0,2),(1,3)) mode=reflect", (2,)),
    ("pad", "p=((0,2),1) value=1.5", (2,)),
    ("pad_channels", "c=12", EVERY),
    ("pad_channels", "c=12 before=3", MAPS),
    ("shift", "", MAPS),
    ("shift", "k=5", (1,)),
    ("channel_shuffle", "groups=4", EVERY),
    ("pixel_shuffle", "factor=2", (2,)),
    ("flatten", "", EVERY),
    ("permute", "axes=(1,0)", (1,)),
    ("permute", "axes=(2,0,1)", (2,)),
    ("permute", "axes=(1,3,0,2)", (3,)),
    ("reshape", "shape=(2,-1)", EVERY),
    ("reshape", "shape=(2,4,-1)", (2,)),
    ("reshape", "shape=-1", (2,)),
    ("dropout", "rate=0.3", EVERY),
    ("dropout", "rate=0", (2,)),
    ("drop_path", "rate=0.3", EVERY),
    ("drop_path", "", (2,)),
    ("scale", "", EVERY),
    ("scale", "init=1e-6", MAPS),
    ("scale", "per=number init=0.5", MAPS),
    ("scale", "init=normal(0.02)", (2,)),
]


def spec(operation: str, cells: str, rank: int) -> str:
    """The four forms of an operation as one network."""
    arguments = ", ".join(cells.split())
    call = f"({arguments})" if arguments else ""
    after_tensor = f", {arguments}" if arguments else ""
    return f"""
block holder(op) {{
  return x -> op
}}
arch net {{
  input x: {SHAPES[rank]}
  step = x -> {operation}{call}
  applied = {operation}(x{after_tensor})
  held = x -> holder({operation}{call})
  table = x -> stages {{
    block
    {operation} {cells}
  }}
  return step, applied, held, table
}}
"""


SPECS = {
    f"{operation} {cells} {rank}-D".replace("  ", " "): spec(operation, cells, rank)
    for operation, cells, ranks in CASES
    for rank in ranks
}


@pytest.mark.parametrize("name", SPECS)
def test_primitive(name: str) -> None:
    agree(SPECS[name])


def test_every_primitive_has_a_case() -> None:
    from archdsl.ops import OPERATIONS

    with_several_tensors = {"matmul", "split"}
    assert {operation for operation, _, _ in CASES} | with_several_tensors == set(OPERATIONS)


# Operations of several tensors or with several results, and arithmetic: bodies of a network with
# the inputs x and y, which have the same shape.

SEVERAL: list[tuple[str, str, tuple[int, ...]]] = [
    ("sum", "return x + y", EVERY),
    ("difference", "return x - y", EVERY),
    ("product", "return x * y", EVERY),
    ("call forms", "return add(x, y), sub(x, y), mul(x, y)", (2,)),
    ("steps", "a = x -> add(y)\n b = x -> sub(y) -> mul(x)\n return a, b", (2,)),
    ("numbers", "return x * 2, 1 - y, x / 2, -x, x - 1.5, 3 + y, 0.1 * x", (2,)),
    (
        "precedence",
        "return (x + y) * (x - y), x - (y - x), -(x + y), x * -2, 1 - (1 - x) * 2",
        (2,),
    ),
    ("chains", "return x + y + x * y - x, (x - y) / 3 + 1", (2,)),
    ("broadcast", "g = x -> global_pool\n return y * g, g - y, y + (x -> conv(1))", MAPS),
    ("concat", "return concat(x, y), concat(x, y -> relu, x)", EVERY),
    ("concat axis", "return concat(x, y, axis=1), x -> concat(y, axis=-1)", MAPS),
    (
        "concat list",
        "ys = [x, y]\n return concat(ys), concat(y, ys, x), concat(ys, x, axis=0)",
        (2,),
    ),
    ("matmul", "return x -> matmul(y -> permute((1, 0))), matmul(x -> permute((1, 0)), y)", (1,)),
    ("matmul 2-D", "t = y -> permute((0, 2, 1))\n return matmul(x, t), (t -> matmul(x)) * 2", (2,)),
    ("split", "a, b = x -> split(2)\n return b, a", EVERY),
    ("split sizes", "a, b, c = x -> split([1, 5, 2])\n return c + c, b, a", EVERY),
    ("split axis", "a, b = split(x, [2, 3], axis=1)\n return concat(b, a, axis=1)", (3,)),
    ("split item", "parts = x -> split(4)\n return parts[0], parts[-1] -> conv(3)", MAPS),
    ("split concat", "return concat(x -> split(4)), x -> split(2) -> concat", (2,)),
    ("resize like", "s = y -> max_pool(2)\n return s -> resize(like=x), x -> resize(s)", MAPS),
    (
        "resize like modes",
        "s = y -> avg_pool(2)\n return s -> resize(x, mode=bilinear), resize(x, like=s, mode=area),"
        " s -> resize(like=x -> relu, mode=bilinear, align_corners=true)",
        MAPS,
    ),
    (
        "shuffle by hand",
        "return x -> reshape((2, 4, 9, 7)) -> permute((1, 0, 2, 3)) -> reshape((8, 9, 7))",
        (2,),
    ),
    (
        "attention",
        "let d = 4\n q = x -> conv(d) -> reshape((d, -1)) -> permute((1, 0))\n"
        " k = x -> conv(d) -> reshape((d, -1))\n v = x -> conv(x.c) -> reshape((x.c, -1))\n"
        " weights = (q -> matmul(k)) * 0.5 -> softmax(axis=-1)\n"
        " mixed = matmul(v, weights -> permute((1, 0))) -> reshape((x.c, x.h, x.w))\n"
        " return x + (mixed -> scale(init=0, per=number))",
        (2,),
    ),
    ("in place", "a = x -> relu\n b = x -> conv(8) -> relu\n return a + b -> relu, a", (2,)),
    ("in place sums", "a = x + y\n b = a -> relu\n return a, b", (2,)),
    ("in place chain", "a = x -> relu -> bn -> relu6\n return a -> silu, a", (2,)),
    ("in place input", "return x -> relu, y -> hard_swish -> elu -> leaky_relu", (2,)),
    (
        "in place sigmoid",
        "return x -> conv(3) -> sigmoid -> relu, y -> mul(number=2) -> relu",
        (2,),
    ),
    (
        "flatten linear",
        "return x -> global_pool -> relu -> linear(3), x -> flatten -> linear(2)",
        MAPS,
    ),
    (
        "flatten between",
        "return x -> global_pool -> dropout(0.1) -> linear(4) -> relu -> linear(3)",
        MAPS,
    ),
    (
        "flatten within",
        "a = x -> conv(4) -> global_pool -> linear(4) -> bn\n b = a -> linear(2)\n return b, a",
        MAPS,
    ),
    (
        "squeeze",
        "w = x -> global_pool -> conv(2) -> relu -> conv(8) -> sigmoid\n return x * w",
        MAPS,
    ),
    ("same value twice", "a = x -> conv(4)\n return a, a, a + a", (2,)),
    ("the input itself", "return x, y", (2,)),
    (
        "split by a parameter",
        "return x -> held(part=split(2))",
        (2,),
    ),
    (
        "arithmetic by a parameter",
        "a = x -> chain(op=mul(number=3))\n b = x -> chain(op=sub(number=1, reverse=true))\n"
        " return a, b, x -> chain(op=concat), x -> chain(op=add(number=1)),"
        " join(x, y, op=add), join(x, y, op=concat), join(x, y, op=mul)",
        (2,),
    ),
]

BLOCKS = """
block held(part) {
  a, b = x -> conv(4) -> part
  return b - a
}
block chain(op) {
  return x -> conv(4) -> op -> bn
}
block join(a: tensor, b: tensor, op) {
  return op(a, b -> relu) -> conv(2)
}
"""

SEVERAL_SPECS = {
    f"{name} {rank}-D": (
        f"{BLOCKS}\narch net {{\n input x: {SHAPES[rank]}\n input y: {SHAPES[rank]}\n {body}\n}}"
    )
    for name, body, ranks in SEVERAL
    for rank in ranks
}


@pytest.mark.parametrize("name", SEVERAL_SPECS)
def test_several_tensors(name: str) -> None:
    agree(SEVERAL_SPECS[name])


@pytest.mark.parametrize("returned,overwrites", [("out", True), ("out, main", False)])
def test_a_sum_overwrites_what_nobody_else_reads(returned: str, overwrites: bool) -> None:
    text = f"""
arch net {{
  input image: 4x8x8
  main = image -> conv(4, k=3) -> bn
  out = main + image
  return {returned}
}}
"""
    assert (".add_(" in archdsl.loads(text).source()) == overwrites


def test_the_default_initialisation_has_a_word() -> None:
    text = """
arch net {
  input image: 4x8x8
  default conv(init=kaiming_normal)
  return image -> conv(4, init=%s)
}
"""
    assert "kaiming" in archdsl.loads(text % "kaiming_normal").source()
    assert "nn.init" not in archdsl.loads(text % "default").source()
