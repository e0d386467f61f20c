"""What is said of the names that other frameworks and papers use.

Their public lists are the measure: every layer of `torch.nn`, every function of its
`functional` and every operator of ONNX is ours, is in the table, or is explained as absent.
"""

from __future__ import annotations

import inspect
import re

import onnx.defs
import pytest
import torch
from torch import nn

import archdsl
from archdsl.api.network import Spec
from archdsl.diagnostics import foreign as meant
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.elaborate.expressions import CONSTANTS
from archdsl.frontend.files import standard_names
from archdsl.ops import OPERATIONS, WORDS
from archdsl.ops.numbers import FUNCTIONS

LINES = list(meant.lines())
KNOWN = {*OPERATIONS, *standard_names()}
SPEC = Spec.of_text("block unused { return x }")


def told(text: str) -> list[Diagnostic]:
    try:
        archdsl.loads(text)
    except DiagnosticError as problem:
        return problem.diagnostics
    return []


def spec(line: str, shape: str = "8x16x16") -> str:
    return f"arch net {{\n  input x: {shape}\n  y = {line}\n  return y\n}}\n"


def functions() -> list[str]:
    """The functions of `torch.nn.functional` that compute something of tensors."""
    helpers = re.compile(r"has_torch|handle_torch|boolean_dispatch|assert_|grad$|.*_notes$")
    return [
        name.rstrip("_")
        for name, item in vars(nn.functional).items()
        if name[0] != "_" and inspect.isroutine(item) and not helpers.match(name)
    ]


def layers() -> list[str]:
    return [name for name, item in vars(nn).items() if inspect.isclass(item)]


def operators() -> list[str]:
    return sorted({s.name for s in onnx.defs.get_all_schemas() if s.domain == ""})


def answer(name: str) -> meant.Answer | None:
    return None if name in KNOWN else meant.operation(name, (), KNOWN)


@pytest.mark.parametrize("names", [layers, functions, operators])
def test_public_names_are_ours_or_answered(names: object) -> None:
    found = names()  # type: ignore[operator]
    assert len(found) > 90
    for name in found:
        said = answer(name)
        if name not in KNOWN and name.lower() not in (*KNOWN, *FUNCTIONS):
            assert said is not None and not said.guessed, name


def test_what_is_to_be_written_is_there() -> None:
    """Operations, parameters and words in the table are those of the language."""
    for (section, *names), ours, note in LINES:
        assert names and (ours or note), names
        if section == "parameters":
            parameters = {"norm"}.union(*(kind.parameters for kind in OPERATIONS.values()))
            for block in standard_names():
                parameters |= {p.name for p in SPEC.unit(block).numbers}
            assert not ours or ours in parameters, ours
        elif section == "columns":
            assert ours == "n"
        elif section == "values":
            assert not ours or ours in CONSTANTS
        elif section == "words":
            assert not ours or ours.partition("(")[0] in WORDS, ours
        elif match := re.fullmatch(r"(\w+)(?:\((.*)\))?", ours):
            callee, arguments = match.groups()
            assert callee in KNOWN, ours
            takes = [*_parameters(callee), "x", "a", "b"]
            for argument in filter(None, (arguments or "").split(", ")):
                name = argument.partition("=")[0]
                assert name in ("...", "x.c", "2", *takes), ours
        else:
            assert re.fullmatch(r"|a [-+*] b|a / 2|\(a \+ b\) / 2|-a", ours), ours


def _parameters(callee: str) -> list[str]:
    if callee in OPERATIONS:
        return list(OPERATIONS[callee].parameters)
    return [parameter.name for parameter in SPEC.unit(callee).numbers]


def test_no_name_of_others_is_taken_for_a_slip() -> None:
    """`swish` is no misspelt `mish`: that would be another network, without a word."""
    for (section, *names), _, _ in LINES:
        if section == "operations":
            for name in names:
                assert name in KNOWN or not answer(name).guessed, name  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("swish", "silu"), ("batch_norm", "bn"), ("upsample", "resize(scale=...)"),
        ("lrelu", "leaky_relu"), ("hsigmoid", "hard_sigmoid"),
        ("drop_connect", "drop_path(rate=...)"), ("deconv", "conv_transpose(c, k=..., s=...)"),
        ("ln", "layer_norm"), ("dense", "linear(c)"), ("interpolate", "resize(scale=...)"),
        ("Conv2d", "conv(c, k=...)"), ("ReLU", "relu"), ("MaxPool2D", "max_pool(k=...)"),
        ("lstm", ""), ("Sequential", ""),
    ],
)  # fmt: skip
def test_well_known_names(name: str, ours: str) -> None:
    said = answer(name)
    assert said is not None and said.ours == ours and not said.guessed
    (problem,) = told(spec(f"x -> {name}"))
    assert problem.title == f"unknown operation `{name}`" and problem.advice == said.help


@pytest.mark.parametrize("name", ["telu", "relu7", "arelu", "econv", "bm", "li", "xyz"])
def test_what_may_be_anything_gets_no_suggestion(name: str) -> None:
    assert answer(name) is None


@pytest.mark.parametrize(
    ("name", "ours"),
    [("cnov", "conv"), ("konv", "conv"), ("dropuot", "dropout"), ("glbal_pool", "global_pool")],
)
def test_slips(name: str, ours: str) -> None:
    assert answer(name) == (name, ours, "", True)


@pytest.mark.parametrize(
    ("layer", "line", "shape"),
    [
        (nn.SiLU(), "swish", (8, 5, 5)),
        (nn.Hardswish(), "h_swish", (8, 5, 5)),
        (nn.Hardsigmoid(), "hsigmoid", (8, 5, 5)),
        (nn.LeakyReLU(), "LReLU", (8, 5, 5)),
        (nn.GELU("tanh"), "gelu_tanh", (8, 5, 5)),
        (nn.PReLU(), "PReLU(shared=true)", (8, 5, 5)),
        (nn.InstanceNorm2d(8), "InstanceNorm2d", (8, 5, 5)),
        (nn.BatchNorm2d(8).eval(), "BatchNorm2d", (8, 5, 5)),
        (nn.LocalResponseNorm(5), "LocalResponseNorm", (8, 5, 5)),
        (nn.UpsamplingBilinear2d(scale_factor=2), "UpsamplingBilinear2d", (8, 5, 5)),
        (nn.AdaptiveMaxPool2d(1), "GlobalMaxPool2d", (8, 5, 5)),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_answers_compute_what_torch_does(layer: nn.Module, line: str, shape: tuple[int]) -> None:
    name, _, arguments = line.partition("(")
    said = answer(name)
    assert said is not None
    ours = said.ours.replace("scale=...", "scale=2") + ("(" + arguments if arguments else "")
    sizes = "x".join(map(str, shape))
    module = archdsl.loads(spec(f"x -> {ours}", sizes)).module().eval()
    x = torch.randn(2, *shape)
    torch.testing.assert_close(module(x), layer(x))


WRONG = [
    ("conv(8, kernel_size=3, padding=1, strides=2, use_bias=true)",
     "conv(8, k=3, p=1, s=2, bias=true)"),
    ("conv(filters=8, dilation_rate=2)", "conv(c=8, d=2)"),
    ("conv(8, k=3, p=SAME)", "conv(8, k=3, p=same)"),
    ("dropout(p=0.1)", "dropout(rate=0.1)"),
    ("group_norm(num_groups=4, epsilon=1e-3)", "group_norm(groups=4, eps=1e-3)"),
    ("max_pool(kernel_size=3, stride=2, padding=same, ceil_mode=false)",
     "max_pool(k=3, s=2, p=same, ceil=false)"),
    ("resize(scale_factor=2, mode=trilinear)", "resize(scale=2, mode=bilinear)"),
    ("mbconv(8, act=swish)", "mbconv(8, act=silu)"),
    ("conv(8, bias=True, init=he_normal)", "conv(8, bias=true, init=kaiming_normal)"),
    ("Swish -> ReLU6 -> GlobalMaxPool2d", "silu -> relu6 -> global_pool(mode=max)"),
    ("leaky_relu(negative_slope=0.2)", "leaky_relu(slope=0.2)"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "right"), WRONG)
def test_all_that_is_wrong_in_a_line_is_told_with_its_fix(wrong: str, right: str) -> None:
    text = spec(f"x -> {wrong}")
    problems = told(text)
    for problem in sorted(problems, key=lambda p: -p.edit.span.start if p.edit else 0):
        assert problem.edit is not None, problem
        span, new = problem.edit
        text = text[: span.start] + new + text[span.end :]
    assert text == spec(f"x -> {right}")
    assert told(text) == []


@pytest.mark.parametrize(
    "call",
    [
        "softmax(dim=1)", "resize(scale=2, mode=bicubic)", "conv(8, padding_mode=reflect)",
        "conv(8, in_channels=8)", "BatchNorm2d(8)", "Conv2d(8, 3)", "BatchNormalization",
        "cnov(8)", "dropout(keep_prob=0.9)", "bn(weight_decay=0.1)",
    ],
)  # fmt: skip
def test_what_is_not_certain_is_no_fix(call: str) -> None:
    problems = told(spec(f"x -> {call}"))
    assert problems and all(p.edit is None and p.advice for p in problems if p.code[:2] == "A1")


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("x -> flatten -> linear(2048, 10)",
         "give only the output channels, the input's are inferred: linear(10)"),
        ("x -> conv(8, 128, 3)",
         "give only the output channels before k, the input's are inferred: conv(128, 3)"),
        ("x -> conv(8, k=[3, 3])", "enclose tuples in parentheses: (3, 3)"),
        ("x / x", "combine tensors with `+`, `-` and `*`; divide them only by numbers"),
        ("x > 0", "compare sizes, such as y.c"),
        ("x -> abs",
         "there are no such functions of tensors, only +, -, * and the activations"),
        ("max(x, 0)", "functions take numbers, such as sizes; apply operations to tensors:"
         " `x -> relu` is max(x, 0)"),
        ("x -> reshape(64, 32)",
         "it takes shape: reshape((64, 32))"),
        ("x -> GroupNorm(4, 8)",
         "`GroupNorm` is written `group_norm(groups=...)`; it infers its channels"),
        ("x -> conv(8, k=3, mode=circular)", "pad first, with mode constant, reflect or replicate:"
         " -> pad(1, mode=reflect) -> conv(..., p=valid)"),
        ("x -> conv(8, groups=depthwise)", "`groups` takes a positive integer"),
        ("x -> conv(8, init=normal_(std=0.1))", "`normal_` is `normal`"),
        ("x -> split(2)",
         "name them and return the names: part1, part2 = ..., or join them with concat(...)"),
        ("x[:, 0]",
         "an index is one number: parts[0]; use `slice` for a part of a tensor: x -> slice(0, 8)"),
        ("x -> Activation(relu)", "write the activation itself: -> relu"),
        ("x -> Rescaling(scale=0.5)", "preprocessing belongs before the network"),
        ("x @ x", "write matrix products as: matmul(a, b)"),
        ("F.relu(x)", "write the operation without a module: relu(x), or x -> relu"),
        ("x -> [conv(8), relu]", "write steps one after another: x -> conv(32) -> bn -> relu"),
    ],
)  # fmt: skip
def test_habits_are_answered(line: str, advice: str) -> None:
    assert [problem.advice for problem in told(spec(line))] == [advice]


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        ("conv(8, 17, 3, 1)", True), ("conv_transpose(8, 32, 2)", True),
        ("conv(8, k=32, s=32, p=valid)", False), ("conv(8, k=64, p=valid)", False),
        ("conv_transpose(8, k=64, s=32)", False), ("conv(8, k=31, groups=8)", False),
        ("conv(8, k=(1, 31))", False),
    ],
)  # fmt: skip
def test_a_kernel_that_may_be_channels_is_warned_of(line: str, warned: bool) -> None:
    warnings = archdsl.loads(spec(f"x -> {line}", "8x64x64")).warnings
    assert ([w.code for w in warnings if w.code == "A7010"] == ["A7010"]) is warned


def test_words_in_other_quotes_are_told_of_one_by_one() -> None:
    text = spec("x -> conv(8, k=3, p='same') -> global_pool(mode=`max`)")
    for problem in reversed(told(text)):
        assert problem.code == "A0002" and problem.edit is not None
        span, word = problem.edit
        text = text[: span.start] + word + text[span.end :]
    assert text == spec("x -> conv(8, k=3, p=same) -> global_pool(mode=max)")


def test_arguments_of_blocks_called_otherwise_are_checked_too() -> None:
    said = [problem.advice for problem in told(spec("x -> MBConv(8, kernel_size=3, stride=2)"))]
    assert said[1:] == ["`kernel_size` is `k`", "`stride` is `s`"]


def test_columns_of_other_tables() -> None:
    table = "x -> stages {\n block t filters repeats nl\n mbconv 6 8 2 silu\n }"
    assert [problem.advice for problem in told(spec(table))] == [
        "`t` is `e`", "`filters` is `c`", "`repeats` is `n`", "`nl` is `act`",
    ]  # fmt: skip


def test_tables_and_columns() -> None:
    text = """arch net {
  input x: 8x16x16
  y = x -> stages(activation=relu) {
    block   filters  kernel_size  act
    mbconv  8        3            swish
    mbconv  8        3            -      strides=2
  }
  return y
}
"""
    said = [(p.span.text if p.span else "", p.advice) for p in told(text)]
    assert said == [
        ("activation=relu", "`activation` is `act`"),
        ("filters", "`filters` is `c`"),
        ("kernel_size", "`kernel_size` is `k`"),
        ("swish", "`swish` is `silu`"),
        ("strides=2", "`strides` is `s`"),
    ]
