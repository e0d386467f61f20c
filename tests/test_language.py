"""Each rule of the language, as a small spec and what it elaborates to."""

from __future__ import annotations

import os
from typing import Any

import pytest

import archdsl
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source
from archdsl.elaborate.network import elaborate
from archdsl.frontend import ast
from archdsl.frontend.parser import parse
from archdsl.frontend.program import Program
from archdsl.ir.graph import Graph
from archdsl.support import limits


def build(text: str, arch: str | None = None, variant: str | None = None, **values: Any) -> Graph:
    """The graph of a spec; a text without `arch` is the body of one with the input x: 8x6x6."""
    if "arch " not in text:
        text = f"arch net {{\n input x: 8x6x6\n{text}\n}}"
    source = Source("spec", text)
    program = Program(source)
    unit = program.find(arch or program.archs[-1], source)
    assert unit is not None
    arguments = {name: (value, None) for name, value in values.items()}
    return elaborate(program, unit, arguments, variant=variant)


def refused(kind: type[errors.Diagnostic], text: str, **options: Any) -> errors.Diagnostic:
    """The one mistake of a spec, which is of this kind."""
    try:
        build(text, **options)
    except errors.Diagnostic as problem:
        found = [problem]
    except DiagnosticError as problem:
        found = problem.diagnostics
    else:
        raise AssertionError("no mistake found")
    assert [type(problem) for problem in found] == [kind], "\n".join(map(str, found))
    return found[0]


def at(problem: errors.Diagnostic) -> str:
    """The text under the carets."""
    assert problem.span is not None
    return problem.span.text


def kinds(graph: Graph) -> str:
    return " ".join(node.operation.name for node in graph.nodes)


def paths(graph: Graph) -> list[str]:
    return [".".join(node.path) for node in graph.nodes]


def shape(graph: Graph) -> tuple[int, ...]:
    return graph.outputs[0].value.shape


def number(expression: str, **values: Any) -> Any:
    """The value of an expression, through the `let` of a spec."""
    graph = build(
        f"arch net({', '.join(f'{k}=0' for k in values)}) {{\n input x: 8x6x6\n"
        f" let value = {expression}\n return x -> relu\n}}",
        **values,
    )
    return graph.root.frame.names["value"]


def convs(graph: Graph) -> list[Any]:
    return [node.operation for node in graph.nodes if node.operation.name == "conv"]


def params(graph: Graph) -> int:
    return sum(node.operation.parameter_count for node in graph.nodes)


# Flow


def test_precedence_of_flow_and_condition() -> None:
    # c is computed although it is not used then: a line that a return can mention is alive.
    for flag, expected in ((True, "conv conv conv add relu"), (False, "conv conv conv")):
        graph = build(
            "arch net(g=true) {\n input x: 8x6x6\n a = x -> conv(4)\n b = x -> conv(4)\n"
            " c = x -> conv(4)\n"
            " return a + b -> relu if g else c\n}",
            g=flag,
        )
        assert kinds(graph) == expected
        assert graph.outputs[0].value is graph.nodes[-1].outputs[0]


def test_flow_in_parentheses_and_arguments() -> None:
    graph = build(" a = x -> conv(4)\n return concat(a, x -> bn) + (x -> conv(12) -> bn)")
    assert kinds(graph) == "conv bn concat conv bn add"
    assert shape(graph) == (12, 6, 6)


def test_false_guard_is_the_source() -> None:
    text = """block b(c) {
      a = x -> conv(c) -> bn   if x.c != c
      return a -> relu
    }
    arch net(c=8) {
      input x: 8x6x6
      return x -> b(c)
    }"""
    assert kinds(build(text)) == "relu"
    assert kinds(build(text, c=4)) == "conv bn relu"


def test_guard_with_several_names() -> None:
    text = """arch net(g=true) {
      input x: 8x6x6
      a, b = x -> split(2)  if g
      return concat(a, b)
    }"""
    assert [v.shape for v in build(text).nodes[0].outputs] == [(4, 6, 6)] * 2
    assert shape(build(text, g=False)) == (16, 6, 6)


def test_guard_true_gives_one_value_for_two_names() -> None:
    refused(errors.WrongCount, " a, b = x -> relu  if x.c == 8\n return a + b")


def test_guard_needs_a_source() -> None:
    refused(errors.GuardWithoutSource, " a = x + x if x.c == 8\n return a")


def test_an_item_or_a_tap_is_a_source() -> None:
    graph = build(" p = x -> split(2)\n a = p[-1] -> relu  if x.c == 9\n return a")
    assert kinds(graph) == "split" and shape(graph) == (4, 6, 6)
    table = " t = x -> stages {\n block c\n low: conv 4\n conv 5\n }\n"
    graph = build(f"{table} a = t.low -> relu  if x.c == 9\n return a")
    assert shape(graph) == (4, 6, 6)
    refused(errors.GuardWithoutSource, " a = [x, x][0] -> relu  if x.c == 8\n return a")


def test_a_block_sees_no_rows_of_its_user_s_table() -> None:
    spec = """block b {
      return x.low -> relu
    }
    arch net {
      input x: 8x6x6
      t = x -> stages {
        block c
        low: conv 4
        conv 5
      }
      return t -> b
    }"""
    refused(errors.UnknownField, spec)


def test_none_in_plus_and_concat() -> None:
    graph = build(" a = none\n b = a + x\n return concat(a, b, none, b)")
    assert kinds(graph) == "concat" and shape(graph) == (16, 6, 6)
    refused(errors.AbsentTensor, " a = none\n return a * x")
    refused(errors.AbsentTensor, " a = none\n return a -> relu")
    refused(errors.AbsentTensor, " a = none\n return concat(a, none)")
    refused(errors.AbsentTensor, " a = none\n return a")


def test_tensor_parameter_with_none() -> None:
    text = """block join(a: tensor, b: tensor = none) {
      return a + b -> relu
    }
    arch net {
      input x: 8x6x6
      one = join(x)
      two = x -> join(b=one)
      three = join(one, two)
      four = join(none + three, none)
      return four
    }"""
    graph = build(text)
    assert kinds(graph) == "relu add relu add relu relu"
    assert paths(graph) == [
        "one.relu",
        "two.add",
        "two.relu",
        "three.add",
        "three.relu",
        "four.relu",
    ]


def test_identity() -> None:
    text = """block b(act=identity) {
      return x -> act
    }
    arch net {
      input x: 8x6x6
      return x -> b -> b(relu) -> identity
    }"""
    assert kinds(build(text)) == "identity relu identity"


def test_continuation_lines_and_comments() -> None:
    graph = build("""
  a = x -> conv(4)   # one
    # two

    -> bn
    if x.c    # sizes
    == 9 else x
    + x -> conv(2)
  b = concat(
    a,  # in brackets
    x
  )
  return b""")
    assert kinds(graph) == "add conv concat" and shape(graph) == (10, 6, 6)


def test_training_only_returns() -> None:
    text = """arch net {
      input x: 8x6x6
      a = x -> relu
      aux = x -> conv(3)
      return a, aux if training
    }
    arch outer {
      input y: 8x6x6
      return y -> net -> bn
    }"""
    graph = build(text, arch="net")
    assert [(o.name, o.training) for o in graph.outputs] == [("a", False), ("aux", True)]
    assert [n.operation.name for n in graph.inference_nodes()] == ["relu"]
    assert shape(build(text, arch="outer")) == (8, 6, 6)
    refused(errors.TrainingOnly, " return x -> relu if training")
    assert (
        at(
            refused(
                errors.TrainingInBlock,
                """block b {
      return x -> relu if training
    }
    arch net {
      input x: 8x6x6
      return x -> b
    }""",
            )
        )
        == "x -> relu if training"
    )


# Names


def test_numbers_and_operations_have_their_own_names() -> None:
    graph = build("arch net(dropout=0.25) {\n input x: 8x6x6\n return x -> dropout(dropout)\n}")
    assert graph.nodes[0].operation.rate == 0.25


def test_a_called_name_is_a_parameter_then_a_block_then_a_primitive() -> None:
    text = """block relu {
      return x -> sigmoid
    }
    block b(tanh=relu) {
      return x -> tanh -> relu -> gelu
    }
    arch net {
      input x: 8
      return x -> b -> b(tanh=relu6)
    }"""
    assert kinds(build(text)) == "sigmoid sigmoid gelu relu6 sigmoid gelu"


def test_operations_with_arguments() -> None:
    text = """block b(act=leaky_relu(0.1), norm=bn) {
      return x -> norm(eps=1e-3) -> act
    }
    arch net {
      input x: 8x6x6
      return x -> b -> b(elu(alpha=0.5)) -> b(act=prelu, norm=identity)
    }"""
    refused(errors.UnknownParameter, text)
    graph = build(text.replace("norm=identity", "norm=bn(momentum=0.5)"))
    assert kinds(graph) == "bn leaky_relu bn elu bn prelu"
    assert graph.nodes[4].operation.momentum == 0.5 and graph.nodes[4].operation.eps == 1e-3


def test_blocks_see_their_own_parameters_only() -> None:
    text = """block b {
      return x -> conv(width)
    }
    arch net(width=8) {
      input x: 8x6x6
      return x -> b
    }"""
    assert at(refused(errors.UnknownName, text)) == "width"


def test_paths_of_steps_rows_and_repeats() -> None:
    text = """block unit(c, s=1) {
      main = x -> conv(c, s=s) -> bn
      return main -> relu
    }
    arch net {
      input image: 3x32x32
      stem = image -> conv(8, k=3) -> bn -> relu
      body = stem -> stages {
        block  c  n  s
        unit   8  1  1
        unit   8  -  2
        c3: unit 16 2 2
        max_pool k=2
      }
      head = body -> relu
      return head -> global_pool -> linear(10)
    }"""
    graph = build(text)
    assert paths(graph) == [
        "stem.0", "stem.1", "stem.2",
        "body.stage1.0.main.0", "body.stage1.0.main.1", "body.stage1.0.relu",
        "body.stage2.main.0", "body.stage2.main.1", "body.stage2.relu",
        "body.c3.0.main.0", "body.c3.0.main.1", "body.c3.0.relu",
        "body.c3.1.main.0", "body.c3.1.main.1", "body.c3.1.relu",
        "body.stage4", "head", "out.0", "out.1", "out.2",
    ]  # fmt: skip
    assert graph.outputs[0].name == "out"


def test_output_names() -> None:
    graph = build(
        " a = x -> relu\n b = x -> stages {\n  c3: relu\n }\n return a, b.c3, x, a -> relu"
    )
    assert [o.name for o in graph.outputs] == ["a", "c3", "x", "out_3"]


def test_reserved_words_of_python_are_avoided() -> None:
    graph = build(
        " forward = x -> conv(8)\n train = forward -> bn\n class = train -> relu\n return class"
    )
    assert paths(graph) == ["forward_", "train_", "class_"]
    assert graph.outputs[0].name == "class"


# Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 // 2", 3), ("-7 // 2", -4), ("7 / 2", 3.5),
        ("7 % 4", 3), ("2 ^ 3 ^ 2", 512), ("-2 ^ 2", -4), ("2 ^ -1", 0.5), ("2 ^ 0.5", 2**0.5),
        ("1 - 2 - 3", -4), ("floor(2.7)", 2), ("ceil(2.1)", 3), ("round(2.5)", 2),
        ("round(3.5)", 4), ("min(3, 1, 2)", 1), ("min(3)", 3), ("max([1, 5, 2])", 5),
        ("abs(-3)", 3),
        ("sqrt(16)", 4), ("len([1, 2, 3])", 3), ("len((1, 2))", 2), ("divisible(27, 8)", 32),
        ("divisible(22.4)", 24), ("divisible(3, 8)", 8), ("1 if 2 > 1 else 3", 1),
        ("1 if false else 2 if false else 3", 3), ("1 < 2 <= 2", True), ("1 < 2 < 2", False),
        ("not 1 == 2 and true", True), ("true or 1 / 0 > 1", True), ("[1, 2] + [3]", [1, 2, 3]),
        ("[4, 5][1]", 5), ("[4, 5][-1]", 5), ("(1, 2)[0]", 1), ("none == none", True),
        ("x.c * x.h * x.w", 288), ("relu == relu", True), ("relu == relu6", False),
        ("1e-3", 0.001), ("0.1 + 0.2 == 0.3", False), ("[[1, 2], [3]][0][1]", 2),
    ],
)  # fmt: skip
def test_arithmetic(text: str, value: Any) -> None:
    result = number(text)
    assert result == pytest.approx(value) and type(result) is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1 / 0", errors.NoSuchNumber), ("9 ^ 9 ^ 9 ^ 9", errors.NumberTooLarge),
        ("10 ^ 18 * 10", errors.NumberTooLarge), ("(-8) ^ 0.5", errors.NoSuchNumber),
        ("sqrt(-1)", errors.NoSuchNumber), ("1 + [2]", errors.WrongOperands),
        ("true + 1", errors.WrongOperands), ("1 < relu", errors.WrongOperands),
        ("[1][1]", errors.NoSuchItem), ("1[0]", errors.NotAList), ("[1][0.5]", errors.NotWhole),
        ("1 if 2 else 3", errors.NotACondition), ("not 1", errors.NotACondition),
        ("floor(1, 2)", errors.WrongArguments), ("floor(value=1)", errors.NamedForFunction),
        ("min([])", errors.WrongArguments), ("max(relu)", errors.WrongArguments),
        ("len(3)", errors.WrongArguments), ("x", errors.TensorInLet), ("[x]", errors.TensorInLet),
        ('"text"', errors.TextAsValue), ("{3, 5}", errors.OpenChoice),
        ("nothing", errors.UnknownName),
        ("conv(8, 8, 8, 8, 8, 8, true, 8, 8, 8, 8, 8)", errors.TooManyArguments),
        ("x.q", errors.UnknownField), ("x.d", errors.NoSuchSize), ("3 .c", errors.NotATensor),
    ],
)  # fmt: skip
def test_arithmetic_refused(text: str, kind: type[errors.Diagnostic]) -> None:
    refused(kind, f" let value = {text}\n return x -> relu")


def test_parameters_use_earlier_ones() -> None:
    text = "arch net(a=2, b=a * 3, c=b + 1) {\n input x: 8x6x6\n return x -> conv(c)\n}"
    assert shape(build(text))[0] == 7
    assert shape(build(text, a=4))[0] == 13
    assert shape(build(text, b=1))[0] == 2
    refused(errors.UnknownName, "arch net(a=b, b=1) {\n input x: 8x6x6\n return x -> conv(a)\n}")


def test_parameters_of_blocks_use_tensors_and_earlier_ones() -> None:
    text = """block b(r=4, mid=x.c // r) {
      return x -> conv(mid)
    }
    arch net {
      input x: 8x6x6
      return x -> b
    }"""
    assert shape(build(text)) == (2, 6, 6)


def test_channels_that_are_not_whole_suggest_rounding() -> None:
    problem = refused(errors.NotWhole, " return x -> conv(x.c * 0.3)")
    assert at(problem) == "x.c * 0.3" and "floor" in problem.advice


def test_the_argument_to_blame_is_the_one_that_is_read() -> None:
    """Neither `.c` nor the name of an argument is a mention of a parameter of that name."""
    block = "block b(c, g, k=1) {\n  return x -> conv(c, k=3, groups=%s)\n}\n"
    network = "arch net {\n  input x: 8x6x6\n  return x -> b(c=9, g=3, k=1)\n}"
    for expression in ("x.c / g", "max(1, x.c / g)"):
        assert at(refused(errors.NotWhole, block % expression + network)) == "g=3"


def test_require() -> None:
    text = """block b(c, g=2) {
      require c % g == 0, "c={c} by g={g}"
      return x -> conv(c, groups=g)
    }
    arch net {
      input x: 8x6x6
      return x -> b(7)
    }"""
    problem = refused(errors.RequirementFailed, text)
    assert problem.title == "c=7 by g=2"
    assert kinds(build(text.replace("b(7)", "b(6)"))) == "conv"


def test_tuples_for_each_axis() -> None:
    graph = build(" return x -> conv(4, k=(1, 3), p=(0, 1)) -> max_pool((2, 3))")
    assert graph.nodes[0].operation.k == (1, 3) and shape(graph) == (4, 3, 2)
    refused(errors.WrongAxes, " return x -> conv(4, k=(1, 3, 1))")


# Tables

UNIT = """block unit(c, k=3, s=1, act=relu, drop=0, e=1) {
  return x -> conv(c, k=k, s=s) -> act -> dropout(drop)
}
"""


def table(rows: str, arguments: str = "", more: str = "") -> Graph:
    return build(
        f"{UNIT}arch net(big=4, f=0.5) {{\n input x: 8x64x64\n{more}\n"
        f" body = x -> stages{arguments} {{\n{rows}\n }}\n return body\n}}"
    )


def test_table_cells() -> None:
    graph = table(
        """ block  c      k      s   act
            unit   big*2  (1,3)  1   leaky_relu(0.1)   # a comment
            unit   -big+8  3  -  -  drop=f
            unit   [4,6][1]"""
    )
    assert [c.c for c in convs(graph)] == [8, 4, 6]
    assert [c.k for c in convs(graph)] == [(1, 3), (3, 3), (3, 3)]
    assert [n.operation.rate for n in graph.nodes if n.operation.name == "dropout"] == [0, 0.5, 0]


def test_table_strides_and_repeats() -> None:
    graph = table(" block c n s\n unit 8 3 2\n unit 8 0 2\n unit 8 2 -")
    assert [c.s for c in convs(graph)] == [(2, 2), (1, 1), (1, 1), (1, 1), (1, 1)]


def test_table_has_further_headers() -> None:
    graph = table(
        " block c k\n unit 4 3\n block k c\n unit 5 6\n block\n unit c=3\n block s\n max_pool 2 k=2"
    )
    assert [(c.c, c.k[0]) for c in convs(graph)] == [(4, 3), (6, 5), (3, 3)]


def test_table_on_one_line() -> None:
    assert (
        kinds(
            build(
                " return x -> stages { block c n; unit 3 1 }".replace(";", "\n").replace(
                    "unit", "conv"
                )
            )
        )
        == "conv"
    )


def test_table_wide_arguments() -> None:
    graph = table(
        " block c act\n unit 8 -\n unit 8 relu6\n max_pool k=2",
        "(act=silu, drop=0.1 * index / total)",
    )
    names = kinds(graph).split()
    assert names == "conv silu dropout conv relu6 dropout max_pool".split()
    assert [n.operation.rate for n in graph.nodes if n.operation.name == "dropout"] == [0, 0.05]
    refused(errors.NoRowHas, " return x -> stages(nothing=3) {\n  relu\n }")


def test_index_total_and_rep() -> None:
    graph = table(
        " block c n drop\n unit total - -\n max_pool k=2 s=2\n unit 10*index+rep 3 rep/10"
    )
    assert [c.c for c in convs(graph)] == [4, 10, 21, 32]


def test_operations_as_rows() -> None:
    graph = table(" max_pool k=3 s=2 p=1\n conv c=4 n=2\n relu\n big: identity", more="")
    assert kinds(graph) == "max_pool conv conv relu identity"
    assert paths(graph)[1:3] == ["body.stage2.0", "body.stage2.1"]
    assert (
        kinds(
            build("""block b(op) {
      return x -> stages {
        op
        op c=3
      }
    }
    arch net {
      input x: 8x6x6
      return x -> b(conv(4, k=3))
    }""")
        )
        == "conv conv"
    )


def test_scaling() -> None:
    graph = table(" block c n\n unit 16 2\n unit 24 1\n conv 20 -", "(width=0.6, depth=1.4)")
    # 16 * 0.6 = 9.6 -> 16 (8 is under 90 %), 24 * 0.6 = 14.4 -> 16, 20 * 0.6 = 12 -> 16
    assert [c.c for c in convs(graph)] == [16, 16, 16, 16, 16, 16]
    rows = " block c n\n unit 20 3 depth=1 width=1\n unit 20 3 divisor=2 depth_round=nearest\n"
    graph = table(rows, "(width=0.5, depth=1.4, divisor=4)")
    assert [c.c for c in convs(graph)] == [20] * 3 + [10] * 4
    graph = table(" block c n\n unit 20 3", "(depth=1.4, depth_round=up)")
    assert len(convs(graph)) == 5
    graph = table(" block c\n unit 20", "(depth=3)")
    assert len(convs(graph)) == 1


def test_a_block_with_a_parameter_called_width_means_its_own() -> None:
    graph = build("""block b(c, width=1) {
      return x -> conv(c * width)
    }
    arch net {
      input x: 8x6x6
      return x -> stages(width=3) {
        block c
        b     5
        conv  8
      }
    }""")
    assert [c.c for c in convs(graph)] == [15, 24]


def test_taps() -> None:
    graph = build("""arch net {
      input x: 8x64x64
      body = x -> stages {
        block     k  s
        c2: max_pool 2 2
        max_pool     2 2
        c4: max_pool 2 2
      }
      a = body.c2 -> conv(body.stage2.h)
      return a, body.c4, body.stage2
    }""")
    assert [o.value.shape for o in graph.outputs] == [(16, 32, 32), (8, 8, 8), (8, 16, 16)]
    refused(errors.UnknownField, " a = x -> stages {\n  c3: relu\n }\n return a.c4")
    graph = build(" a = x -> stages {\n  c3: conv c=3\n } -> relu\n return a.c3")
    assert shape(graph) == (3, 6, 6)


def test_table_mistakes() -> None:
    head = " body = x -> stages {\n"
    tail = "\n }\n return body"
    for rows, kind, place in [
        (" block k\n max_pool 2 3", errors.TooManyCells, "3"),
        (" block k\n max_pool 2 k=3", errors.ArgumentTwice, "k=3"),
        (" block k k\n max_pool 2", errors.ColumnTwice, "k"),
        (" block q\n max_pool 2\n relu 3", errors.NoRowHas, "q"),
        (" block c\n conv 8\n relu 2", errors.UnknownParameter, "2"),
        (" block\n", errors.EmptyTable, None),
        (" a: relu\n a: relu", errors.DefinedTwice, None),
        (" c: relu", errors.LabelIsSize, None),
        (" nothing", errors.UnknownName, "nothing"),
        (" block n\n relu 1.5", errors.NotWhole, "1.5"),
        (" block n\n relu 10^9", errors.TooManyRepeats, "10^9"),
        (" block n\n relu -1", errors.WrongValue, "-1"),
        (" block c\n conv {3,5}", errors.OpenChoice, "{3,5}"),
    ]:
        problem = refused(kind, head + rows + tail)
        assert place is None or at(problem) == place
    build(head + " block q k\n max_pool - 2" + tail)  # `-` is nothing where the row has no such


def test_independent_mistakes_of_rows_are_all_told() -> None:
    with pytest.raises(DiagnosticError) as caught:
        table(" block c k\n unit 8 3 q=1\n unti 8 3\n unit 8 3 n=0.5\n unit 8 3")
    found = [type(problem) for problem in caught.value.diagnostics]
    assert found == [errors.UnknownParameter, errors.UnknownName, errors.NotWhole]


def test_choices_are_kept_in_the_tree() -> None:
    file = parse(Source("spec", "arch a {\n b = x -> stages {\n block k\n conv {3, 5}\n }\n}"))
    choices = [n for n in ast.walk(file) if isinstance(n, ast.Choice)]
    assert [len(choice.items) for choice in choices] == [2]


# Lists and loops


def test_lists_and_loops() -> None:
    text = """block mixed(kernels, s=1) {
      parts = x -> split(len(kernels))
      mixed = []
      repeat i in 0..len(kernels) {
        part  = parts[i] -> conv(parts[i].c, k=kernels[i], s=s, groups=parts[i].c)
        mixed = mixed + [part]
      }
      return concat(mixed)
    }
    arch net {
      input x: 8x6x6
      y = x -> mixed([3, 5])
      return y
    }"""
    graph = build(text)
    assert kinds(graph) == "split conv conv concat"
    assert paths(graph)[1:3] == ["y.part.0", "y.part.1"]
    assert [c.k[0] for c in convs(graph)] == [3, 5]


def test_names_made_in_a_repeat_stay_inside() -> None:
    refused(errors.UnknownName, " repeat i in 0..2 {\n  a = x -> relu\n }\n return a")
    refused(
        errors.UnknownName, " y = x\n repeat i in 0..2 {\n  y = y -> relu\n }\n return y -> conv(i)"
    )


def test_a_repeat_carries_what_was_there() -> None:
    graph = build(" y = x\n repeat i in 1..4 {\n  y = y -> conv(i) -> relu\n }\n return y")
    assert [c.c for c in convs(graph)] == [1, 2, 3]
    assert paths(graph)[:4] == ["y.0.0", "y.0.1", "y.1.0", "y.1.1"]
    graph = build(" y = x\n repeat i in 4..1 {\n  y = y -> conv(i)\n }\n return y -> relu")
    assert kinds(graph) == "relu"


def test_numbers_are_carried_by_a_repeat() -> None:
    graph = build(
        " let c = 2\n y = x\n"
        " repeat i in 0..3 {\n  let c = c * 2\n  y = y -> conv(c)\n }\n return y"
    )
    assert [c.c for c in convs(graph)] == [4, 8, 16]


def test_repeats_in_repeats() -> None:
    graph = build(
        " y = x\n repeat i in 0..2 {\n  repeat j in 0..2 {\n"
        "   y = y -> conv(4*i + j + 1)\n  }\n }\n return y"
    )
    assert paths(graph) == ["y.0.0", "y.0.1", "y.1.0", "y.1.1"]
    assert [c.c for c in convs(graph)] == [1, 2, 5, 6]


def test_labelled_repeat() -> None:
    text = """block b(c, act=relu) {
      return x -> conv(c) -> act
    }
    arch net(f=2, act=silu) {
      input x: 8x6x6
      y = x
      all = [x]
      cells: repeat i in 1..4 {
        let c = f * i
        z   = x -> conv(c) -> act
        y   = (y -> b(c, act)) + z
        all = all + [y]
      }
      return concat(all)
    }"""
    graph = build(text)
    assert paths(graph)[:5] == [
        "cells.0.z.0",
        "cells.0.z.1",
        "cells.0.y_1.conv",
        "cells.0.y_1.act",
        "cells.0.add",
    ] or paths(graph)[:2] == ["cells.0.z.0", "cells.0.z.1"]
    assert shape(graph) == (8 + 2 + 4 + 6, 6, 6)
    scopes = {node.scope.parent or node.scope for node in graph.nodes}
    assert {s.unit.class_name for s in scopes if s.unit.name == "cells"} == {"Cells"}


def test_labelled_repeat_with_optional_tensor() -> None:
    graph = build("""
      before = none
      y = x
      cells: repeat i in 0..3 {
        new    = y -> conv(8)
        merged = new + before
        before = y
        y      = merged -> relu
      }
      return y""")
    assert kinds(graph) == "conv relu conv add relu conv add relu"
    assert paths(graph)[2] == "cells.1.new"


def test_labelled_repeats_in_repeats() -> None:
    graph = build("""
      y = x
      outer: repeat i in 0..2 {
        repeat j in 0..2 {
          y = y -> conv(1 + i)
        }
        inner: repeat j in 0..2 {
          y = y -> conv(10 * i + j + 1)
        }
      }
      return y""")
    assert paths(graph)[:4] == [
        "outer.0.y.0",
        "outer.0.y.1",
        "outer.0.inner.0.y",
        "outer.0.inner.1.y",
    ]
    assert [c.c for c in convs(graph)] == [1, 1, 1, 2, 2, 2, 11, 12]


def test_a_labelled_repeat_changes_no_numbers() -> None:
    refused(
        errors.NumberCarried,
        " let c = 1\n y = x\n"
        " cells: repeat i in 0..2 {\n  let c = c + 1\n  y = y -> conv(c)\n }\n return y",
    )


def test_mistakes_in_labelled_repeats_are_at_their_line() -> None:
    problem = refused(
        errors.DoesNotDivide,
        " y = x\n cells: repeat i in 0..3 {\n  y = y -> conv(8, groups=i + 1)\n }\n return y",
    )
    assert at(problem) == "groups=i + 1"


def test_lists_of_tensors_as_arguments() -> None:
    text = """block join(xs: tensor, like: tensor, scale=1) {
      y = concat(xs)
      return y -> conv(like.c), xs[0]
    }
    arch net {
      input x: 8x6x6
      a = x -> relu
      b, c = join([a, x], x)
      d, e = join(xs=[a], like=b)
      parts = x -> split(2)
      f, g = parts -> join(x)
      return b + d + f, g
    }"""
    assert kinds(build(text)) == "relu concat conv concat conv split concat conv add add"
    refused(errors.ListAsTensor, " a = x -> split(2)\n return a -> relu")


def test_unused_lines_are_no_part_of_the_network() -> None:
    graph = build(" a = x -> conv(3)\n b = x -> conv(4)\n return b")
    assert [c.c for c in convs(graph)] == [4]
    refused(errors.UnknownName, " a = x -> konv(3)\n return x -> relu")


# Tensors


def test_the_input_decides_the_dimensions() -> None:
    text = """arch net {
      input x: SIZES
      return x -> conv(4, k=3, s=2) -> bn -> max_pool(2) -> global_pool -> linear(3)
    }"""
    counts = [params(build(text.replace("SIZES", s))) for s in ("2x16", "2x16x16", "2x16x16x16")]
    assert counts == [2 * 4 * 3**n + 8 + 15 for n in (1, 2, 3)]
    refused(errors.TooManyAxes, text.replace("SIZES", "2x4x4x4x4"))


def test_linear_flattens_a_1x1_map_only() -> None:
    assert kinds(build(" return x -> global_pool -> linear(4)")) == "global_pool flatten linear"
    problem = refused(errors.LinearNeedsVector, " return x -> linear(4)")
    assert "flatten" in problem.advice


def test_several_inputs() -> None:
    graph = build(
        "arch net(n=4) {\n input a: 8x6x6\n input b: n, 2 * n\n"
        " return a -> conv(2), b -> conv(3)\n}"
    )
    assert [v.name for v in graph.inputs] == ["a", "b"]
    assert [o.value.shape for o in graph.outputs] == [(2, 6, 6), (3, 8)]


def test_an_arch_as_a_block() -> None:
    text = """arch backbone(c=4) as Trunk {
      input image: 3x224x224
      expect params == 1
      a = image -> conv(c, k=3)
      return a, a -> relu
    }
    arch net {
      input picture: 1x20x20
      low, high = picture -> backbone(c=6)
      other, _x = backbone(image=high)
      return low + high -> conv(other.c)
    }"""
    graph = build(text)
    assert kinds(graph) == "conv relu conv relu add conv" and shape(graph) == (4, 20, 20)
    assert graph.nodes[0].scope.unit.class_name == "Trunk"


# Defaults


def test_defaults_of_primitives_reach_called_blocks() -> None:
    text = """block b {
      return x -> conv(4) -> bn -> bn(eps=0.5)
    }
    arch net {
      input x: 8x6x6
      default bn(eps=0.25, momentum=0.75)
      default conv(bias=true)
      default bn(momentum=0.125)
      return x -> b -> conv(4, bias=false)
    }"""
    graph = build(text)
    assert [n.operation.eps for n in graph.nodes if n.operation.name == "bn"] == [0.25, 0.5]
    assert {n.operation.momentum for n in graph.nodes if n.operation.name == "bn"} == {0.125}
    assert [c.bias for c in convs(graph)] == [True, False]


def test_defaults_of_blocks() -> None:
    text = """block b(c=1, k=1) {
      return x -> conv(c, k=k)
    }
    block outer {
      return x -> b -> b(c=2)
    }
    arch net {
      input x: 8x6x6
      default b(c=5, k=3)
      return x -> outer -> stages {
        block k
        b     5
        b     -
      }
    }"""
    assert [(c.c, c.k[0]) for c in convs(build(text))] == [(5, 3), (2, 3), (5, 5), (5, 3)]


def test_default_in_a_block_holds_for_it_alone() -> None:
    text = """block b {
      default conv(k=3)
      return x -> conv(4)
    }
    arch net {
      input x: 8x6x6
      return x -> b -> conv(4)
    }"""
    assert [c.k[0] for c in convs(build(text))] == [3, 1]


# Extending

PARENT = """block unit(c, k=3, s=1) {
  let mid = c * 2
  expand = x -> conv(mid)
  depth  = expand -> conv(mid, k=k, s=s, groups=mid) -> bn
  return depth -> conv(c)
}
arch parent(classes=10, w=1) {
  "The parent."
  input image: 3x32x32
  expect params == 1
  variants {
    name  w
    big   2
  }
  stem = image -> conv(8 * w, k=3, s=2) -> relu
  body = stem -> stages {
    block  c   n
    unit   8   1
    last: unit 16 2
  }
  return body -> global_pool -> linear(classes)
}
"""


def test_extends_replaces_lines() -> None:
    graph = build(PARENT + "arch child extends parent {\n stem = image -> conv(4)\n}")
    assert convs(graph)[0].c == 4 and graph.unit.docs == ("The parent.",)
    assert graph.class_name == "Child" and not any(
        isinstance(s, ast.Expect) for s in graph.unit.body
    )


def test_extends_changes_and_adds_parameters() -> None:
    text = (
        PARENT + "arch child(classes=5, extra=3) extends parent {\n stem = image -> conv(extra)\n}"
    )
    graph = build(text)
    assert shape(graph) == (5,) and convs(graph)[0].c == 3
    assert list(graph.arguments) == ["classes", "w", "extra"]


def test_extends_puts_new_lines_where_needed() -> None:
    graph = build(
        PARENT
        + """arch child extends parent {
      let c = 6
      pre  = image -> conv(c)
      stem = pre -> conv(8, k=3, s=2) -> relu
      default conv(bias=true)
    }"""
    )
    assert paths(graph)[:2] == ["pre", "stem.0"]
    assert all(c.bias for c in convs(graph))
    refused(
        errors.RequirementFailed,
        PARENT
        + """arch child extends parent {
      require classes > 10, "more"
    }""",
    )


def test_extends_of_blocks() -> None:
    graph = build(
        PARENT
        + """block wide(e=3) extends unit {
      let mid = c * e
      mix = depth -> relu
      return mix -> conv(c)
    }
    arch net {
      input x: 8x6x6
      return x -> wide(4)
    }"""
    )
    assert kinds(graph) == "conv conv bn relu conv" and convs(graph)[0].c == 12


def test_extends_renames_inputs() -> None:
    graph = build(PARENT + "arch child extends parent {\n input signal: 1x64\n}")
    assert graph.inputs[0].name == "signal" and graph.inputs[0].shape == (1, 64)
    refused(
        errors.OtherInputs, PARENT + "arch child extends parent {\n input a: 1x64\n input b: 3\n}"
    )


def test_set_of_rows_and_steps() -> None:
    graph = build(
        PARENT
        + """arch child extends parent {
      set body.stage1(k=7)
      set body.last(c=4, n=1)
      set stem.0(k=5, bias=true)
    }"""
    )
    assert [c.k[0] for c in convs(graph)] == [5, 1, 7, 1, 1, 3, 1]
    assert convs(graph)[0].bias and convs(graph)[-1].c == 4


def test_set_in_a_block() -> None:
    text = """block trunk(c=4) {
      body = x -> stages {
        block  k
        conv   3  c=c
      }
      tail = body -> conv(c)
      return tail
    }
    block other extends trunk {
      set body.stage1(k=5)
      set tail(k=3)
    }
    arch net {
      input x: 8x6x6
      return x -> trunk -> other
    }"""
    assert [c.k[0] for c in convs(build(text))] == [3, 1, 5, 3]


def test_set_needs_a_target() -> None:
    for path in ("body.stage9", "nothing", "stem.7", "body", "stem"):
        problem = refused(
            errors.NothingToSet, PARENT + f"arch c extends parent {{\n set {path}(k=1)\n}}"
        )
        assert at(problem) == path
    refused(errors.UnknownParameter, PARENT + "arch c extends parent {\n set body.stage1(q=1)\n}")
    refused(errors.SetByName, PARENT + "arch c extends parent {\n set body.stage1(1)\n}")


def test_set_of_what_another_set_has_changed() -> None:
    graph = build(
        PARENT
        + """arch child extends parent {
      set body.stage1(k=7)
    }
    arch grandchild extends child {
      set body.stage1(k=5)
      set body.last(k=1)
    }"""
    )
    assert [c.k[0] for c in convs(graph)] == [3, 1, 5, 1, 1, 1, 1, 1, 1, 1]


def test_extends_across_files(tmp_path: Any) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "parent.arch").write_text(PARENT)
    (tmp_path / "child.arch").write_text(
        'use "lib/parent.arch"\nblock unit(c) {\n return x -> conv(c)\n}\n'
        "arch parent extends parent {\n set body.stage1(k=5)\n}\n".replace(
            "arch parent ", "arch child "
        ).replace("block unit", "block mine")
        + "arch again extends child {\n set body.last(k=9, n=1)\n}\n"
    )
    path = str(tmp_path / "child.arch")
    source = Source(path, (tmp_path / "child.arch").read_text())
    program = Program(source, path)
    assert program.archs == ["child", "again"]
    unit = program.find("again", source)
    assert unit is not None
    assert [c.k[0] for c in convs(elaborate(program, unit))] == [3, 1, 5, 1, 1, 9, 1]


def test_extending_a_standard_block_of_the_same_name() -> None:
    text = """block squeeze_excite extends squeeze_excite {
      return x + weights
    }
    arch net {
      input x: 8x6x6
      return x -> mbconv(8, se=0.5)
    }"""
    assert "mul" in kinds(build(text))  # the standard mbconv keeps its own
    text = text.replace("mbconv(8, se=0.5)", "squeeze_excite(4)")
    assert kinds(build(text)).endswith("sigmoid add")


# Variants


def test_variants() -> None:
    graph = build(PARENT, variant="big")
    assert convs(graph)[0].c == 16 and graph.class_name == "ParentBig" and graph.name == "big"
    assert convs(build(PARENT, variant="big", w=3))[0].c == 24
    refused(errors.NoVariant, PARENT, variant="huge")


def test_words_that_are_words_in_places_only() -> None:
    text = """arch net(name=4, block=2, as_is=1) {
      input x: 8x6x6
      variants {
        name   name  as     block
        other  8     MyNet  1
      }
      let params = name * 2
      tensor = x -> conv(params)
      return tensor
    }"""
    refused(errors.ReservedWord, text)  # `block` begins a definition or a header
    graph = build(text.replace("block", "blocks"), variant="other")
    assert shape(graph) == (16, 6, 6) and graph.class_name == "MyNet"


def test_variants_are_inherited_and_replaced() -> None:
    child = PARENT + "arch child extends parent {\n}"
    assert convs(build(child, variant="big"))[0].c == 16
    child = PARENT + "arch child extends parent {\n variants {\n  name w\n  small 0.5\n }\n}"
    assert convs(build(child, variant="small"))[0].c == 4
    refused(errors.NoVariant, child, variant="big")


def test_class_names() -> None:
    assert build("arch my_net1 {\n input x: 8x6x6\n return x\n}").class_name == "MyNet1"
    assert build("arch my_net as MyNET {\n input x: 8x6x6\n return x\n}").class_name == "MyNET"


# Every primitive, as a step and as a call

CALLS = {
    "conv": "8", "conv_transpose": "8, k=2", "linear": "8", "group_norm": "2", "max_pool": "2",
    "avg_pool": "2", "resize": "size=3", "pad": "1", "pad_channels": "16", "split": "2",
    "slice": "0, 4", "shift": "3", "channel_shuffle": "2", "pixel_shuffle": "2",
    "permute": "(1, 0, 2)",
    "reshape": "(4, 72)", "softmax": "0", "lrn": "5", "dropout": "0.1", "drop_path": "0.1",
}  # fmt: skip


def test_every_primitive_in_flow_and_in_call_form() -> None:
    from archdsl.ops import OPERATIONS

    for name, operation in OPERATIONS.items():
        arguments = CALLS.get(name, "")
        head = " y = x -> global_pool -> flatten\n" if name == "linear" else " y = x -> relu\n"
        needed = [t for t in operation.tensors if not t.endswith("?")]
        others = ", y" * (len(needed) - 1)
        if operation.tensors == ("a", "b?"):
            others = ", y"
        comma = ", " if arguments else ""
        flow = build(
            head
            + f" z = y -> {name}({others[2:]}{', ' if others and arguments else ''}{arguments})\n"
            " return z" + ("[0]" if name == "split" else "")
        )
        call = build(
            head
            + f" z = {name}(y{others}{comma}{arguments})\n return z"
            + ("[0]" if name == "split" else "")
        )
        assert flow.nodes[-1].operation.name == call.nodes[-1].operation.name == name
        assert shape(flow) == shape(call)
        assert params(flow) == params(call)


# The tree


def test_equal_texts_have_equal_trees() -> None:
    text = PARENT
    source = Source("a", text)
    assert repr(parse(source)) == repr(parse(source))
    assert parse(source) != parse(Source("a", text.replace("classes=10", "classes=11")))


def test_every_node_has_its_place() -> None:
    for root, _, files in os.walk("specs"):
        for file in files:
            with open(os.path.join(root, file), encoding="utf-8") as stream:
                source = Source(file, stream.read())
            for node in ast.walk(parse(source)):
                assert node.span.source is source
                assert 0 <= node.span.start <= node.span.end <= len(source.text)


# Many


def test_ten_thousand_blocks() -> None:
    rows = "arch net {\n input x: 8x4x4\n return x -> stages {\n  block c n\n  unit 8 10000\n }\n}"
    with limits.adjusted({"operations": 30_000}):
        graph = build(UNIT + rows)
    assert len(graph.nodes) == 30_000


# Names that text makes up do not meet


@pytest.mark.parametrize(
    "body",
    [
        " a = (x -> conv(8)) + (x -> conv(8)) -> bn\n a_1 = a -> conv(8)\n return a_1",
        " forward = x -> conv(8)\n forward_ = forward -> conv(8)\n return forward_",
        " y = x -> conv(8)\n repeat i in 0..3 {\n  y = y -> conv(8) -> relu\n }\n return y",
        " y = x\n repeat i in 0..3 {\n  y = y -> conv(8)\n  y = y -> conv(8)\n }\n return y",
        " out = x -> conv(8)\n return out -> conv(8) -> bn, out -> conv(3)",
        " conv = x -> conv(8)\n return conv -> conv(8)",
        " y = x\n conv: repeat i in 0..2 {\n  y = y -> conv(8)\n }\n return y -> conv(3)",
    ],
)
def test_paths_are_unique(body: str) -> None:
    graph = build(body)
    taken = [path for path, node in zip(paths(graph), graph.nodes) if node.operation.weights]
    assert len(set(taken)) == len(taken)
    # None is inside another: that would be a layer and a container at once.
    assert not any(a != b and b.startswith(a + ".") for a in taken for b in taken)


def test_what_a_child_inherits_of_variants() -> None:
    """A row's parameters; what it costs and its class are the parent's alone."""
    text = """
arch parent(c=4) {
  variants {
    name   c  as    params
    small  2  Tiny  8
  }
  input image: 3x8x8
  return image -> conv(c, k=1, bias=true)
}
arch child extends parent {
  input image: 5x8x8
}
"""
    parent = archdsl.loads(text, arch="parent", variant="small")
    child = archdsl.loads(text, arch="child", variant="small")
    assert (parent.params, parent.class_name) == (8, "Tiny")
    assert (child.params, child.class_name) == (12, "ChildSmall")
