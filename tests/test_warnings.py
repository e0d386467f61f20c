"""What is legal and likely wrong: warned of by every command that checks, an error where denied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import archdsl
from archdsl.api.network import Spec
from archdsl.cli import main
from archdsl.support import resources

UNUSED = "arch net(spare=1) {\n  input image: 3x8x8\n  y = image -> conv(4)\n  return y\n}\n"
ROOT = Path(resources.SPECS).parent


def warned(text: str) -> list[tuple[str, str]]:
    """The code and the marked text of each warning on all networks of a spec."""
    spec = Spec.of_text(text)
    networks = [
        spec.network(arch, variant)
        for arch in spec.archs
        for variant in spec.variants(arch) or [None]
    ]
    return [(w.code, w.span.text if w.span else "") for w in spec.warnings(networks)]


def net(*lines: str, head: str = "net", before: Sequence[str] = ()) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return "\n".join([*before, f"arch {head} {{", "  input image: 3x32x32", body, "}", ""])


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


def test_the_graph_is_not_written_where_warnings_are_denied(tmp_path: Path) -> None:
    path, graph = tmp_path / "net.arch", tmp_path / "net.onnx"
    path.write_text(UNUSED)
    assert main(["onnx", str(path), "-o", str(graph), "--deny", "warnings"]) == 1
    assert not graph.exists()
    assert main(["onnx", str(path), "-o", str(graph)]) == 0
    assert graph.exists()


def test_python_sees_them() -> None:
    (warning,) = archdsl.loads(UNUSED).warnings
    assert (warning.code, warning.severity) == ("A7001", "warning")
    assert warning.span is not None and warning.span.text == "spare"
    assert str(warning).startswith("warning[A7001]: parameter `spare` of arch `net`")


def test_errors_alone_are_told_where_there_are_some(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(archdsl.DiagnosticError) as caught:
        archdsl.loads(UNUSED.replace("conv(4)", "cnov(4)"))
    assert [problem.severity for problem in caught.value.diagnostics] == ["error"]


UNNEEDED = {
    "parameter": (net("return image -> conv(4)", head="net(a=1)"), ["a"]),
    "parameter called like a primitive": (
        net("return image -> dropout(0.1)", head="net(dropout=0.2)"),
        ["dropout"],
    ),
    "a parameter that is the operation": (net("return image -> act", head="net(act=relu)"), []),
    "of a block": (
        net("return image -> b(4)", before=["block b(c, k=3) {", "  return x -> conv(c)", "}"]),
        ["k"],
    ),
    "only another default needs it": (net("return image -> conv(b)", head="net(a=1, b=a)"), []),
    "input": (net("input age: 4", "return image -> conv(4)"), ["age"]),
    "the input of a block": (
        net("return image + (image -> b)", before=["block b {", "  return none", "}"]),
        None,
    ),
    "line": (net("y = image -> conv(4)", "return image -> conv(8)"), ["y"]),
    "let": (net("let c = 4", "return image -> conv(8)"), ["c"]),
    "a let that is a step": (net("let f = conv(4)", "return image -> f"), []),
    "lines that only each other need": (
        net("y = image -> conv(4)", "z = y -> relu", "return image"),
        ["y", "z"],
    ),
    "one of two": (net("a, b = image -> conv(4) -> split(2)", "return a"), ["b"]),
    "a line that a check needs": (
        net("y = image -> conv(4)", 'require y.c == 4, "no"', "return image -> relu"),
        [],
    ),
    "carried by a repeat": (
        net("y = image -> conv(4)", "repeat i in 0..3 {", "  y = y -> relu", "}", "return y"),
        [],
    ),
    "carried for nothing": (
        net("y = image", "repeat i in 0..3 {", "  y = y -> relu", "}", "return image -> relu"),
        ["y", "y"],
    ),
    "a row's label names a stage": (
        net("return image -> stages {", "  block c", "  c3: conv 4", "}"),
        [],
    ),
    "a column is not a use": (
        net("return image -> stages {", "  block c k", "  conv 4 3", "}", head="net(k=3)"),
        ["k"],
    ),
    "block": (net("return image -> relu", before=["block b { return x }"]), ["b"]),
    "a block that is a value": (
        net("let f = b", "return image -> f", before=["block b { return x -> relu }"]),
        [],
    ),
    "a file of blocks": ("block b { return x -> relu }\n", []),
    "meant": (
        net(
            "let _c = 4",
            "_y = image -> relu",
            "return image -> relu",
            head="net(_a=1)",
            before=["block _b(_k) { return x }"],
        ),
        [],
    ),
    "what a child needs": (
        net("y = image -> conv(4)", "return image -> relu")
        + "arch wide extends net {\n  return y\n}\n",
        [],
    ),
    "what a child does not need": (
        net("y = image -> conv(4)", "return y -> relu")
        + "arch wide(c=1) extends net {\n  return image -> relu\n}\n",
        ["c"],
    ),
}


@pytest.mark.parametrize("case", [c for c in UNNEEDED if UNNEEDED[c][1] is not None])
def test_what_nothing_needs(case: str) -> None:
    text, names = UNNEEDED[case]
    found = warned(text)
    assert [where for _, where in found] == names
    assert {code for code, _ in found} <= {"A7001", "A7002", "A7003"}


def table(width: float, *more: str) -> str:
    rows = ["y = image -> stages(width=width) {", "  block c", "  conv 16", "  conv 64", "}"]
    return net(*more, *rows, "return y", head=f"net(width={width})")


@pytest.mark.parametrize(
    ("width", "cells"), [(1, []), (0.75, ["16"]), (0.5, []), (0.3, ["16", "64"]), (1.05, [])]
)
def test_rounding_of_channels(width: float, cells: list[str]) -> None:
    # 0.75: 12 -> 16 is +33 %, 48 -> 48. 0.3: 4.8 -> 8 is +67 %, 19.2 -> 24 is +25 %.
    assert warned(table(width)) == [("A7004", cell) for cell in cells]


def test_rounding_is_as_meant_where_the_params_are_stated() -> None:
    count = archdsl.loads(table(0.75)).params
    assert warned(table(0.75, f"expect params == {count}")) == []
    assert warned(table(0.75, f"expect params < {count + 1}")) == [("A7004", "16")]
    stated = archdsl.loads(table(0.75, f"expect params == {count}"))
    assert [w.code for w in stated.override(width=0.3).warnings] == ["A7004", "A7004"]


def test_what_is_meant_is_meant_with_other_parameters() -> None:
    count = archdsl.loads(table(0.75)).params
    text = table(0.75, f"expect params == {count}").replace("width=0.75)", "width=0.75, k=1)")
    text = text.replace("block c\n", "block c k\n").replace("conv 16", "conv 16 k")
    stated = archdsl.loads(text)
    assert stated.override(k=3).warnings == []
    assert [w.code for w in stated.override(k=3, width=0.3).warnings] == ["A7004", "A7004"]


def test_rounding_in_the_lines_of_an_arch() -> None:
    text = net("return image -> conv(divisible(32 * w))", head="net(w=0.35)")
    assert warned(text) == [("A7004", "divisible(32 * w)")]


STRIDES = {  # (steps, the size of the image): what is never seen
    ("max_pool(2)", 7): 1,
    ("max_pool(2)", 8): 0,
    ("max_pool(2, ceil=true)", 7): 0,
    ("avg_pool(3)", 8): 2,
    ("max_pool(3, s=2, p=1)", 224): 0,
    ("max_pool(3, s=2, p=1)", 75): 0,
    ("conv(4, k=3, s=2)", 75): 0,
    ("conv(4, k=3, s=2)", 224): 0,
    ("conv(4, k=1, s=2)", 8): 0,
    ("conv(4, k=1, s=2)", 7): 0,
    ("conv(4, k=1, s=3, p=valid)", 9): 0,
    ("conv(4, k=3, s=2, p=same)", 75): 0,
    ("conv(4, k=3, s=2, p=valid)", 299): 0,
    ("conv(4, k=3, s=2, p=valid)", 300): 1,
    ("conv(4, k=16, s=16, p=valid)", 225): 1,
    ("conv(4, k=3, s=2, d=2, p=valid)", 10): 1,
    ("avg_pool(out=3)", 7): 0,
    ("conv_transpose(4, k=2, s=2)", 7): 0,
}


@pytest.mark.parametrize("steps,size", STRIDES)
def test_what_no_window_sees(steps: str, size: int) -> None:
    text = net(f"return image -> {steps}").replace("3x32x32", f"3x{size}x{size}")
    left = STRIDES[steps, size]
    warnings = archdsl.loads(text).warnings
    assert [(w.code, w.values["count"]) for w in warnings] == [("A7005", left)] * bool(left)
    if left:
        assert "height and width" in warnings[0].title
        macs = archdsl.loads(text).macs
        assert not archdsl.loads(text.replace("return", f"expect macs == {macs}\n return")).warnings


@pytest.mark.parametrize("steps,size", [case for case in STRIDES if "transpose" not in case[0]])
def test_torch_agrees_on_what_is_not_seen(steps: str, size: int) -> None:
    """The last positions have no gradient, and those before have one."""
    torch = pytest.importorskip("torch")
    text = net(f"return image -> {steps}").replace("3x32x32", f"3x{size}x{size}")
    module = archdsl.loads(text).module()
    image = torch.rand(1, 3, size, size, requires_grad=True)
    module(image).sum().backward()
    # Of a max pool only the largest gets a gradient: look at many images at once.
    if "max" in steps:
        image = torch.rand(64, 3, size, size, requires_grad=True)
        module(image).sum().backward()
    seen = image.grad.abs().sum((0, 1, 2)) > 0
    unseen = size - 1 - int(seen.nonzero().max())
    skipped = 1 if steps.startswith("conv(4, k=1, s=2)") and size == 8 else 0
    skipped = 2 if "k=1, s=3" in steps else skipped  # between the windows, not at the end
    assert unseen == STRIDES[steps, size] + skipped


GROWTH = net(
    "let growth = a * b^2",
    'warn abs(growth - 2) > 0.1, "a * b^2 is {growth}"',
    "return image -> conv(ceil(a))",
    head="net(a=1.2, b=1.3)",
)


def test_warn() -> None:
    network = archdsl.loads(GROWTH)
    assert network.warnings == []
    (warning,) = network.override(b=2).warnings
    assert (warning.code, warning.title) == ("A7006", "a * b^2 is 4.8")
    assert warning.span is not None and warning.span.text == "abs(growth - 2) > 0.1"


def test_warn_in_a_block_leads_to_its_use() -> None:
    block = 'block b(c) {\n  warn c > 8, "{c} are many"\n  return x -> conv(c)\n}'
    text = net("y = image -> b(4) -> b(16) -> b(16) -> b(9)", "return y", before=[block])
    first, second = archdsl.loads(text).warnings  # each value once
    assert (first.title, second.title) == ("16 are many", "9 are many")
    for warning, cause in ((first, "16"), (second, "9")):
        assert warning.span is not None and warning.span.text == cause
        (note,) = (note for note in warning.notes if not note.label)
        assert (note.text, note.span.text) == ("in `b`, here", "c > 8")


@pytest.mark.parametrize(
    "condition,code", [("3", "A2007"), ("missing", "A1001"), ("image", "A2007")]
)
def test_the_condition_of_warn_is_one(condition: str, code: str) -> None:
    with pytest.raises(archdsl.DiagnosticError) as caught:
        archdsl.loads(net(f'warn {condition}, "no"', "return image -> relu"))
    assert len(caught.value.diagnostics) == 1


def test_compound_scaling_of_efficientnet() -> None:
    spec = Spec.open("efficientnet")
    assert not spec.network("efficientnet", None, {"phi": 1}).warnings
    (warning,) = spec.network("efficientnet", None, {"alpha": 1.5}).warnings
    assert warning.code == "A7006" and "alpha * beta^2 * gamma^2 is 2.4" in warning.title


BLOCK = """block b(c, s=1, se=false) {
  main = x -> conv(c, k=3, s=s)   if %s
  return main -> relu
}"""

GUARDS = {  # (condition, the lines of the arch): is it settled?
    ("se", "return image -> b(4) -> b(8)"): True,
    ("not se", "return image -> b(4) -> b(8)"): True,
    ("se", "return image -> b(4) -> b(8, se=true)"): False,
    ("se", "return image -> b(4)"): False,  # of one use nothing can be said
    ("s != 1", "return image -> stages {\n block c s n\n b 4 2 2\n}"): False,
    ("s != 1", "return image -> stages {\n block c s n\n b 4 1 2\n}"): True,
    ("se", "return image -> b(4, se=option) -> b(8, se=option)"): False,
    ("se", "let o = option\n return image -> b(4, se=o) -> b(8, se=o)"): False,
    ("x.c != c", "return image -> b(4) -> b(8)"): True,
    ("x.c != c", "return image -> b(3) -> b(8)"): False,
    ("x.h > 8", "return image -> b(4) -> b(8)"): True,
}


@pytest.mark.parametrize("condition,lines", GUARDS)
def test_a_condition_that_is_none(condition: str, lines: str) -> None:
    text = net(lines, head="net(option=false)", before=[BLOCK % condition])
    found = [item for item in warned(text) if item[0] == "A7007"]
    assert found == [("A7007", condition)] * GUARDS[condition, lines]


def test_all_networks_of_a_spec_decide_whether_a_condition_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = net("return image -> b(4) -> b(8)", before=[BLOCK % "se"])
    text = first + first.replace("arch net", "arch other").replace("b(8)", "b(8, se=true)")[
        first.index("arch") :
    ]  # fmt: skip
    assert [w for w in warned(text) if w[0] == "A7007"] == []
    path = tmp_path / "net.arch"
    path.write_text(text)
    assert main(["build", str(path), "--arch", "net"]) == 0  # one alone could not know
    assert "A7007" not in capsys.readouterr().err


def test_a_size_that_may_be_set_settles_nothing() -> None:
    text = net("return image -> b(4) -> b(8)", head="net(size=32)", before=[BLOCK % "x.h > 8"])
    text = text.replace(", se=false", "")
    assert warned(text.replace("3x32x32", "3, size, size")) == []


TABLE = """body = image -> stages {
    block c
    %s
  }
  return %s"""


@pytest.mark.parametrize(
    "labels,read,expected",
    [
        ("a b", "body.a, body.b", []),
        ("a b", "body.a", ["b"]),
        ("a _b", "body.a", []),
        ("a b", "image", []),  # names, for whoever extends this
    ],
)
def test_a_label_among_taps(labels: str, read: str, expected: list[str]) -> None:
    rows = "\n    ".join(f"{label}: conv 4" for label in labels.split())
    text = net(TABLE % (rows, read))
    assert [item for item in warned(text) if item[0] == "A7008"] == [
        ("A7008", label) for label in expected
    ]


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "specs").rglob("*.arch")) + sorted((ROOT / "tests").rglob("examples/*.arch")),
    ids=lambda path: path.stem,
)
def test_shipped_specs_have_no_warnings(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--deny", "warnings", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_lines_of_another_file_are_not_the_place(tmp_path: Path) -> None:
    """Who extends a shipped spec is warned at the arch of his own."""
    path = tmp_path / "net.arch"
    path.write_text('use "mobilenet_v1.arch"\narch net(width=0.3) extends mobilenet_v1 {\n}\n')
    warnings = archdsl.load(path).warnings
    assert {warning.code for warning in warnings} == {"A7004"}
    assert {warning.span.text for warning in warnings if warning.span} == {"net"}
    assert all("mobilenet_v1.arch" in note.span.source.name for w in warnings for note in w.notes)


@pytest.mark.parametrize(
    ("line", "total", "told"),
    [
        ("more = x -> conv(x.c) if s != 1", "x + more", True),
        ("more = x -> conv(x.c) if s != 1", "more + x", True),
        ("more = x -> conv(x.c) if s != 1", "(x -> bn) + x + more", True),
        ("more = x -> conv(x.c) if s == 1", "x + more", False),
        ("more = x -> conv(x.c) if s != 1 else none", "x + more", False),
        ("more = x -> conv(x.c) if s != 1", "(x -> bn) + more", False),  # a shortcut
        ("more = x -> conv(x.c) if s != 1", "x * more", False),
        ("more = x -> relu", "x + x", False),  # twice on purpose
    ],
)
def test_an_arm_that_stays(line: str, total: str, told: bool) -> None:
    text = f"""block unit(s=1) {{
  {line}
  return {total} -> relu
}}
arch net {{
  input x: 8x16
  return x -> unit
}}
"""
    assert ("A7009" in {code for code, _ in warned(text)}) is told


@pytest.mark.parametrize(
    "line", ["bn(64)", "bn(momentum=0.99)", "layer_norm(8)", "group_norm(4, 8)"]
)
def test_numbers_of_other_frameworks(line: str) -> None:
    warnings = archdsl.loads(f"arch net {{ input x: 8x4x4\n return x -> {line} }}").warnings
    assert [(w.code, w.span.text) for w in warnings if w.span] == [("A7010", line)]


def test_variants_and_rows_of_a_shipped_spec_are_not_warned_of(tmp_path: Path) -> None:
    """Where an inherited variant meets an inherited row, nobody who extends can change either."""
    path = tmp_path / "mine.arch"
    path.write_text(
        'use "mnasnet_a1.arch"\narch mine extends mnasnet_a1 {\n  set body.stage1(c=20)\n}\n'
    )
    spec = archdsl.Spec.open(str(path))
    networks = [spec.network("mine", variant) for variant in spec.variants("mine")]
    found = [problem for network in networks for problem in spec.warnings([network])]
    assert {problem.span.text for problem in found if problem.span} == {"c=20"}
