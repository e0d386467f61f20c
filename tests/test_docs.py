"""docs/language.md is true: its examples do what their comments say, and nothing is left out.

The comments that are checked: `# -> 64x56x56` (the value of the line), `params 640` and `macs 100`
after it (of the line), `# = 3` (a `let`), `# named stem.0 stem.1` (the layers that the line makes),
`# error A1001` (the mistake on this line).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Source
from archdsl.elaborate.expectations import check as promised
from archdsl.elaborate.network import elaborate
from archdsl.frontend import ast, tables
from archdsl.frontend.ast import walk
from archdsl.frontend.files import standard_names
from archdsl.frontend.parser import parse
from archdsl.frontend.program import Program
from archdsl.ir.graph import Frame, Graph, Node, Scope
from archdsl.ops import OPERATIONS, WORDS, numbers
from archdsl.ops.base import REQUIRED
from archdsl.ops.initialisation import SCHEMES
from archdsl.ops.kinds import describe

DOC = Path(__file__).parent.parent / "docs" / "language.md"
TEXT = DOC.read_text(encoding="utf-8") if DOC.exists() else ""


class Example(NamedTuple):
    """A fenced block: its place in the document, what it is about, the blocks known before it."""

    line: int
    section: str
    wrong: bool
    text: str
    known: str

    def __str__(self) -> str:
        return f"line{self.line}"


def find_examples() -> list[Example]:
    found = []
    chapter = section = known = ""
    lines = iter(enumerate(TEXT.splitlines(), 1))
    for number, line in lines:
        if line.startswith("## "):
            chapter, known = line[3:], ""
        if line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("```arch"):
            continue
        wrong = line[7:].strip() == "error"
        inside = []
        for _, text in lines:
            if text == "```":
                break
            inside.append(text)
        example = Example(number, section, wrong, "\n".join(inside), known)
        found.append(example)
        if not wrong:
            known += "".join(block + "\n" for block in definitions(example.text, "block"))
    assert chapter or not TEXT
    return found


def definitions(text: str, *kinds: str) -> list[str]:
    """The definitions of a text, as they are written."""
    pattern = rf"^(?:{'|'.join(kinds)}) .*?^}}$|^(?:{'|'.join(kinds)}) [^\n]*}}$"
    return re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)


class Spec(NamedTuple):
    """An example made into a whole file: `lines` leads from its lines to those of the document."""

    text: str
    lines: dict[int, int]


def complete(example: Example) -> Spec:
    """The example as a file; lines that stand in no definition go into an arch of their own."""
    own: list[tuple[int, str]] = []  # lines of definitions
    loose: list[tuple[int, str]] = []
    inside = False
    for offset, line in enumerate(example.text.splitlines(), 1):
        starts = re.match(r"(block|arch|use)\b", line) is not None
        inside = inside or starts
        (own if inside else loose).append((example.line + offset, line))
        if line == "}" or (starts and (line.startswith("use") or line.endswith("}"))):
            inside = False
    body = [(n, line) for n, line in loose if line.strip()]
    defined = {re.match(r"block (\w+)", text)[1] for text in definitions(example.text, "block")}  # type: ignore[index]
    before = [
        line
        for text in definitions(example.known, "block")
        if re.match(r"block (\w+)", text)[1] not in defined  # type: ignore[index]
        for line in re.sub(r" *# .*", "", text).splitlines()
    ]
    written: list[tuple[int, str]] = [*own, *((0, line) for line in before)]
    if body:
        has_input = any(line.strip().startswith("input ") for _, line in body)
        start = "arch example {" if has_input else "arch example {\ninput x: 64x56x56"
        written += [(0, line) for line in start.split("\n")]
        written += body
        if not any(line.startswith("return ") for _, line in body):
            written.append((0, f"return {', '.join(unused(body))}"))
        written.append((0, "}"))
    return Spec(
        "\n".join(line for _, line in written),
        {i: n for i, (n, _) in enumerate(written, 1)},
    )


def unused(body: list[tuple[int, str]]) -> list[str]:
    """The names of lines that no later line mentions: what an example is about."""
    found: list[str] = []
    for _, line in body:
        line = line.split("#")[0]
        match = re.match(r"(\w[\w, ]*?) *=(?!=)", line)
        mentioned = set(re.findall(r"\w+", line.split("=", 1)[1] if match else line))
        found = [name for name in found if name not in mentioned]
        if match and not match[1].startswith("let "):
            found += [name.strip() for name in match[1].split(",")]
    return list(dict.fromkeys(found))


EXAMPLES = find_examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(example: Example) -> None:
    """Each example elaborates to what its comments say; one marked as wrong is told so."""
    spec = complete(example)
    path = DOC.parent / "example.arch"
    source = Source(str(path), spec.text)
    if example.wrong:
        check_mistakes(source, str(path), spec)
        return
    program = Program(source, str(path))
    assert program.archs, "an example with blocks alone needs a line that uses them"
    comments = {
        number: line.split("#", 1)[1].strip()
        for number, line in enumerate(spec.text.splitlines(), 1)
        if re.search(r"# (->|=|named) ", line)
    }
    for name in program.archs:
        unit = program.find(name, source)
        assert unit is not None
        graph = elaborate(program, unit)
        promised(graph, settled=True)
        for facts in stated(graph, source):
            comment = comments.pop(facts.line, None)
            if comment is not None:
                place = f"{DOC.name}:{spec.lines[facts.line]}"
                compare(comment, facts, place)
        for variant in unit.variants.rows if unit.variants else ():
            promised(elaborate(program, unit, variant=variant.name), settled=True)
    assert not comments, f"nothing to compare these with: {comments}"


def check_mistakes(source: Source, path: str, spec: Spec) -> None:
    told: list[Diagnostic] = []
    try:
        program = Program(source, path)
        for name in program.archs:
            unit = program.find(name, source)
            assert unit is not None
            elaborate(program, unit)
    except DiagnosticError as problem:
        told = problem.diagnostics
    except Diagnostic as problem:
        told = [problem]
    actual = {(p.span.source.position(p.span.start)[0], p.code) for p in told if p.span}
    wanted = {
        (number, match[1])
        for number, line in enumerate(spec.text.splitlines(), 1)
        if (match := re.search(r"# error (\w+)", line))
    }
    assert wanted and actual == wanted, "\n".join(map(str, told))


# What a line came to


class Facts(NamedTuple):
    line: int
    value: Any
    nodes: list[Node]


def compare(comment: str, facts: Facts, place: str) -> None:
    if comment.startswith("="):
        assert describe(facts.value) == comment[1:].strip(), place
        return
    if comment.startswith("named "):
        layers = [node for node in facts.nodes if not node.operation.operator]
        assert [".".join(node.path) for node in layers] == comment.split()[1:], place
        return
    shape, *costs = comment.removeprefix("->").strip().split(";")
    assert shapes_text(facts.value) == shape.strip(), place
    for cost in costs:
        what, number = cost.split()
        counts = {"params": "parameter_count", "macs": "macs"}
        actual = sum(getattr(node.operation, counts[what]) for node in facts.nodes)
        assert actual == int(number.replace(",", "")), (place, what)


def shapes_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(shapes_text, value))
    return "none" if value is None else "x".join(map(str, value.shape))


def stated(graph: Graph, source: Source) -> Iterator[Facts]:
    """What each line of the source came to; in a block that is used often, the first time."""
    seen: set[int] = set()
    for scope in scopes_of(graph):
        if id(scope.unit) not in seen:
            seen.add(id(scope.unit))
            yield from _in_body(graph, scope.unit.body, scope.frame, source)


def scopes_of(graph: Graph) -> list[Scope]:
    found = {id(graph.root): graph.root}
    for node in graph.nodes:
        scope: Scope | None = node.scope
        while scope is not None:
            found.setdefault(id(scope), scope)
            scope = scope.parent
    return list(found.values())


def _in_body(
    graph: Graph, body: tuple[ast.Statement, ...], frame: Frame, source: Source
) -> Iterator[Facts]:
    for statement in body:
        if isinstance(statement, ast.Repeat):
            for inner in frame.loops.get(statement, [])[:1]:
                yield from _in_body(graph, statement.body, inner, source)
        if statement.span.source is not source:
            continue
        if isinstance(statement, ast.Let):
            yield from _facts(graph, statement, frame, frame.names[statement.name])
        elif isinstance(statement, ast.Assign):
            values = [frame.names[target.name] for target in statement.targets]
            yield from _facts(graph, statement, frame, values)
        elif isinstance(statement, ast.Return):
            if frame.scope.parent is None:
                values = [output.value for output in graph.outputs]
            else:
                values = list(frame.scope.outputs)
            yield from _facts(graph, statement, frame, values)
        for table in walk(statement):
            for stage in frame.loops.get(table, []) if isinstance(table, ast.Stages) else ():
                line = source.position(stage.row.span.start)[0]
                inside = [r.made for r in stage.repeats]
                nodes = [n for n in graph.nodes if any(_belongs(n, made) for made in inside)]
                yield Facts(line, stage.output, nodes)


def _facts(graph: Graph, statement: ast.Statement, frame: Frame, value: Any) -> Iterator[Facts]:
    """The same for the first and the last line of a statement."""
    span = statement.span
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    inside = [n for n in graph.nodes if (at := _place(n, frame.scope)) and _within(at, span)]
    first, last = span.source.position(span.start)[0], span.source.position(span.end - 1)[0]
    yield Facts(first, value, inside)
    if last > first:
        yield Facts(last, value, inside)


def _belongs(node: Node, made: Node | Scope) -> bool:
    if made is node:
        return True
    scope: Scope | None = node.scope
    while scope is not None and scope is not made:
        scope = scope.parent
    return scope is made


def _place(node: Node, scope: Scope) -> Any:
    """Where, in the text of a scope's unit, a node comes from."""
    if node.scope is scope:
        return node.span
    child: Scope | None = node.scope
    while child is not None and child.parent is not scope:
        child = child.parent
    return child.span if child else None


def _within(inner: Any, outer: Any) -> bool:
    return inner.source is outer.source and outer.start <= inner.start < outer.end


# Nothing is left out


def test_every_construct_has_an_example() -> None:
    """Each class of the tree occurs in some example."""
    used = set()
    for example in EXAMPLES:
        try:
            file = parse(Source("example", complete(example).text))
        except DiagnosticError:
            assert example.wrong
            continue
        used |= {type(node).__name__ for node in walk(file)}
    abstract = {"Node", "Expression", "Statement"}
    classes = {name for name, item in vars(ast).items() if _is_node(item)}
    assert classes - abstract - used == set()


def _is_node(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, ast.Node)


def section(title: str) -> str:
    match = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    if match is None:
        raise AssertionError(f"{DOC.name} has no section `{title}`")
    return match[2]


def default_text(value: Any) -> str:
    return "required" if value is REQUIRED else f"`{describe(value)}`"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_primitive_is_described(name: str) -> None:
    """A section for each: parameters in their order, with their defaults, and an example."""
    operation = OPERATIONS[name]
    text = section(f"`{name}`")
    told = re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", text, re.M)
    assert told == [(p.name, default_text(p.default)) for p in operation.parameters.values()]
    for parameter in operation.parameters.values():
        row = next(r for r in text.splitlines() if r.startswith(f"| `{parameter.name}` "))
        for word in parameter.kind.words if len(parameter.kind.words) < 4 else ():
            assert f"`{word}`" in row, (parameter.name, word)
    inside = [e for e in EXAMPLES if e.section == f"`{name}`" and not e.wrong]
    calls = {
        node.name
        for example in inside
        for node in walk(parse(Source("example", complete(example).text)))
        if isinstance(node, ast.Call | ast.Row)
    }
    signs = {"add": "+", "sub": "-", "mul": "*"}
    assert name in calls or signs.get(name, "?") in "".join(e.text for e in inside)


def test_only_primitives_are_described() -> None:
    chapter = TEXT.split("\n## Primitives\n", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^### `(\w+)`$", chapter, re.M)) == set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_every_initialisation_is_described(name: str) -> None:
    arguments = ", ".join(parameter.name for parameter in SCHEMES[name].parameters)
    written = f"`{name}({arguments})`" if arguments else f"`{name}`"
    assert f"| {written} |" in section("Initialisation")


def test_every_function_and_word_is_described() -> None:
    for name in (*numbers.FUNCTIONS, "len"):
        assert f"| `{name}(" in section("Functions"), name
    for word in (*numbers.ARITHMETIC, *numbers.COMPARISONS):
        assert f"`{word}`" in section("Operators"), word
    for word in (*WORDS, *tables.RESERVED):
        assert f"`{word}" in TEXT, word


def test_every_reserved_word_is_described() -> None:
    grammar = (DOC.parent.parent / "grammars" / "arch.lark").read_text(encoding="utf-8")
    rules = "\n".join(line.split("//")[0] for line in grammar.splitlines())
    words = set(re.findall(r'"([a-z_]+)"', rules)) | {"block", "arch"}
    told = re.search(r"reserved: (.*?)\.", section("Names"), re.S)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == words


def test_every_standard_block_is_described() -> None:
    chapter = TEXT.split("\n## The standard library\n", 1)[1].split("\n## ", 1)[0]
    told = set(re.findall(r"^\| `(\w+)\(", chapter, re.M))
    assert told == set(standard_names())


def test_every_kind_of_comment_occurs() -> None:
    """The checks above have something to check."""
    joined = "\n".join(example.text for example in EXAMPLES)
    for pattern in (r"# -> \d", r"; params \d", r"; macs \d", r"# = ", r"# named ", r"# error A\d"):
        assert re.search(pattern, joined), pattern


LIBRARY = ("<!-- library -->\n", "<!-- /library -->")


def library_table() -> str:
    """A row for each standard block: its head and the first of its texts, as its file has them."""
    rows = ["| block | what |", "| --- | --- |"]
    for path in sorted((DOC.parent.parent / "specs" / "std").glob("*.arch")):
        (definition,) = [
            d for d in parse(Source(path.name, path.read_text())).definitions if d.name == path.stem
        ]
        head = re.search(rf"^block ({path.stem}(?:\(.*?\))?) as \w+ \{{$", path.read_text(), re.M)
        assert head is not None
        doc = next(line.text for line in definition.body if isinstance(line, ast.Doc))
        rows.append(f"| `{head[1]}` | {doc.removesuffix('.')} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_the_library_is_current(update_golden: bool) -> None:
    """`--update-golden` writes it anew."""
    page = DOC.read_text(encoding="utf-8")
    start, end = page.index(LIBRARY[0]) + len(LIBRARY[0]), page.index(LIBRARY[1])
    if update_golden:
        DOC.write_text(page[:start] + library_table() + page[end:], encoding="utf-8")
        return
    assert page[start:end] == library_table()


def test_the_readme_counts_the_primitives() -> None:
    readme = (DOC.parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"dataflow of {len(OPERATIONS)} primitive operations" in readme
