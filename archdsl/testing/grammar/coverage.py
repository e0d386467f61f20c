"""Which pairs of constructs some specs have, and which there are: both are read from the grammar.

A construct is a rule of the grammar, parted where one rule says several things: a `repeat` with a
label and one without, a step that is a primitive, a block, an arch or a value. A pair is a
construct directly in another one, or a step directly after another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise, product
from typing import Any

from lark import Lark, Token, Tree

from archdsl.diagnostics.source import Source
from archdsl.frontend.ast import SIZES
from archdsl.frontend.layout import Layout
from archdsl.ops import OPERATIONS
from archdsl.support import resources

Pair = tuple[str, str]

CALLED = ("primitive", "block", "arch", "value", "library block")
"""What an operation can be, by where its name is defined."""

FUNCTIONS = ("floor", "ceil", "round", "min", "max", "abs", "sqrt", "log", "len", "divisible")

PARTED = {
    "step_name": tuple(f"step {what}" for what in CALLED),
    "call": tuple(f"call of {what}" for what in (*CALLED, "function")),
    "row": tuple(f"{what}row of {callee}" for what in ("", "labelled ") for callee in CALLED),
    "repeat": ("repeat", "labelled repeat"),
    "definition": ("block", "arch", "child block", "child arch"),
    "assign": ("line", "line with several names"),
    "return_": ("return", "return of several"),
    "field": ("size", "tap"),
    "parameter": ("parameter", "tensor parameter", "parameter with a default", "optional tensor"),
}
"""The constructs that one rule stands for."""

GIVES = {
    "number": "N", "truth": "B", "absent": "W", "text": "", "tuple_": "L", "list_": "L",
    "size": "N", "tap": "T", "comparison": "B", "and_": "B", "or_": "B", "not_": "B",
    "negative": "NT", "power": "N", "product": "NT", "sum": "NTL", "flow": "TL", "guard": "TL",
    "call of value": "T", "call of function": "N",
    **{f"call of {what}": "TLO" for what in CALLED if what != "value"},
}  # fmt: skip
"""What an expression can be: a number, a truth value, a tensor, a list or tuple, an operation, none
(W). One that is not here can be anything."""

TAKES = {
    "and_": "B", "or_": "B", "not_": "B", "power": "N", "negative": "NT", "product": "NT",
    "sum": "NTLW", "item_of": "NTL", "size": "T", "tap": "T", "warn": "B", "require": "B",
    "input_": "N", "repeat": "N", "labelled repeat": "N", "guard": "BTL", "flow": "TL",
    "line": "TLW", "line with several names": "TL", "let": "NBLO", "return": "TL",
    "return of several": "TL", "parameter with a default": "NBLOW", "optional tensor": "W",
    "tuple_": "NL", "parameter": "", "tensor parameter": "",
}  # fmt: skip
"""What can be directly in a construct, where it is an expression."""

EXPRESSIONS = (*GIVES, "name", "item_of", "conditional", "group")

NEVER = {
    **dict.fromkeys(("block", "child block"), ("input_", "expect", "variants")),
    **dict.fromkeys(
        ("repeat", "labelled repeat"),
        ("input_", "expect", "variants", "doc", "return", "return of several", "set_", "default"),
    ),
    **dict.fromkeys(("default",), tuple(f"call of {w}" for w in ("function", "value"))),
}  # fmt: skip
"""Lines that the language allows in no body of a kind, though the grammar does."""

SEEN_THROUGH = ("body", "arguments")
"""Rules that only hold others: what is in them is in what has them."""

LEFT_OUT = ("start", "alone", "choice", "use")
"""What no complete spec in one file has: open choices, other files."""


@cache
def _lark() -> tuple[Lark, Layout]:
    layout = Layout()
    made = Lark(
        resources.grammar(), parser="lalr", lexer="basic", start=["start", "alone"],
        maybe_placeholders=False, postlex=layout,
    )  # fmt: skip
    return made, layout


@cache
def possible() -> frozenset[Pair]:
    """The pairs of a construct directly in another one that the grammar allows."""
    rules: dict[str, list[Any]] = {}
    for rule in _lark()[0].rules:
        rules.setdefault(rule.origin.name, []).append(rule)

    def of(symbol: Any, seen: frozenset[str]) -> Iterator[str]:
        """The constructs that a symbol of an expansion can become."""
        if symbol.is_term or symbol.name in seen:
            return
        for rule in rules[symbol.name]:
            kept = [s for s in rule.expansion if not (s.is_term and s.filter_out)]
            inlined = symbol.name.startswith(("_", *SEEN_THROUGH))
            inlined = inlined or (rule.options.expand1 and len(kept) == 1)
            if rule.alias:
                yield rule.alias
            elif inlined:
                for part in kept:
                    yield from of(part, seen | {symbol.name})
            else:
                yield symbol.name

    found = set[Pair]()
    for name, several in rules.items():
        for rule in several:
            outer = str(rule.alias or name)
            kept = [s for s in rule.expansion if not (s.is_term and s.filter_out)]
            if outer.startswith("_") or (
                rule.options.expand1 and len(kept) == 1 and not rule.alias
            ):
                continue
            for symbol in rule.expansion:
                for inner in of(symbol, frozenset()):
                    if not {outer, inner} & {*LEFT_OUT, *SEEN_THROUGH}:
                        parts = PARTED.get(outer, (outer,)), PARTED.get(str(inner), (str(inner),))
                        found |= {*product(*parts)}
    return frozenset(pair for pair in found if _fits(*pair))


def _fits(outer: str, inner: str) -> bool:
    """Whether the inner construct can have a value that the outer one takes."""
    if inner in NEVER.get(outer, ()):
        return False
    if inner in ("extends", "set_") and outer in ("block", "arch"):
        return False
    if outer == "expect":
        return inner == "comparison"
    if inner not in EXPRESSIONS or outer not in TAKES:
        return inner != "text"
    return bool({*GIVES.get(inner, "NBTLOW")} & {*TAKES[outer]})


@cache
def neighbours() -> frozenset[Pair]:
    """The pairs of a step and the one after it that the grammar allows."""
    kinds = [*OPERATIONS, *CALLED[1:], "table"]
    return frozenset(product(kinds, kinds))


def pairs(text: str) -> tuple[set[Pair], set[Pair]]:
    """The pairs of a spec: constructs in constructs, steps after steps."""
    parser, layout = _lark()
    layout.source = Source("", text)
    tree = parser.parse(text, start="start")
    kinds = {
        str(definition.children[1]): str(definition.children[0])
        for definition in tree.find_data("definition")
    }
    inside, after = set[Pair](), set[Pair]()
    for definition in tree.children:
        if isinstance(definition, Tree):
            _walk(definition, kinds, _values(definition), inside, after)
    return inside, after


def _values(definition: Tree[Any]) -> set[str]:
    """Names of parameters and `let`s, which may hold operations."""
    named = [*definition.find_data("parameter"), *definition.find_data("let")]
    return {str(node.children[0]) for node in named}


def _walk(
    node: Tree[Any], kinds: dict[str, str], values: set[str], inside: set[Pair], after: set[Pair]
) -> None:
    children = _children(node)
    outer = _construct(node, kinds, values)
    for child in children:
        inside.add((outer, _construct(child, kinds, values)))
        _walk(child, kinds, values, inside, after)
    if node.data == "flow":
        after |= {*pairwise(_steps(node, kinds, values))}
    if node.data == "stages":
        rows = [child for child in children if child.data == "row"]
        after |= {*pairwise(_named(_row_name(row), kinds, values) for row in rows)}


def _children(node: Tree[Any]) -> list[Tree[Any]]:
    found: list[Tree[Any]] = []
    for child in node.children:
        if isinstance(child, Tree):
            found += _children(child) if child.data in SEEN_THROUGH else [child]
    return found


def _steps(node: Tree[Any], kinds: dict[str, str], values: set[str]) -> list[str]:
    """The steps of a flow; the tree holds it as a chain of pairs."""
    source, step = node.children
    before = _steps(source, kinds, values) if source.data == "flow" else []
    name = "table" if step.data == "stages" else _named(str(step.children[0]), kinds, values)
    return [*before, name]


def _named(name: str, kinds: dict[str, str], values: set[str]) -> str:
    found = _callee(name, kinds, values)
    return name if found == "primitive" else found


def _callee(name: str, kinds: dict[str, str], values: set[str]) -> str:
    if name in values:
        return "value"
    found = kinds.get(name) or ("primitive" if name in OPERATIONS else "library block")
    return "function" if found == "library block" and name in FUNCTIONS else found


def _row_name(row: Tree[Any]) -> str:
    return str([child for child in row.children if isinstance(child, Token)][-1])


def _construct(node: Tree[Any], kinds: dict[str, str], values: set[str]) -> str:
    """Which of the constructs of its rule a node is."""
    rule, tokens = str(node.data), [c for c in node.children if isinstance(c, Token)]
    trees = {str(child.data) for child in node.children if isinstance(child, Tree)}
    if rule == "step_name":
        return f"step {_callee(str(tokens[0]), kinds, values)}"
    if rule == "call":
        return f"call of {_callee(str(tokens[0]), kinds, values)}"
    if rule == "row":
        label = "labelled " if len([t for t in tokens if t.type == "NAME"]) > 1 else ""
        return f"{label}row of {_callee(_row_name(node), kinds, values)}"
    if rule == "repeat":
        return "labelled repeat" if len([t for t in tokens if t.type == "NAME"]) > 1 else "repeat"
    if rule == "definition":
        return ("child " if "extends" in trees else "") + str(tokens[0])
    if rule == "assign":
        names = [t for t in tokens if t.type == "NAME"]
        return "line with several names" if len(names) > 1 else "line"
    if rule == "return_":
        several = len([c for c in node.children if isinstance(c, Tree)]) > 1
        return "return of several" if several else "return"
    if rule == "field":
        return "size" if str(tokens[-1]) in SIZES else "tap"
    if rule == "parameter":
        tensor = len([t for t in tokens if t.type == "NAME"]) > 1
        if tensor:
            return "optional tensor" if trees else "tensor parameter"
        return "parameter with a default" if trees else "parameter"
    return rule


class Coverage:
    """The pairs that some specs had."""

    def __init__(self) -> None:
        self.inside = set[Pair]()
        self.after = set[Pair]()

    def add(self, texts: Iterable[str]) -> None:
        """Count the pairs of further specs."""
        for text in texts:
            inside, after = pairs(text)
            self.inside |= inside & possible()
            self.after |= after & neighbours()

    def __str__(self) -> str:
        return (
            f"{len(self.inside)} of {len(possible())} pairs of constructs in constructs, "
            f"{len(self.after)} of {len(neighbours())} of steps after steps"
        )

    def missing(self) -> list[Pair]:
        """The pairs of constructs in constructs that none had."""
        return sorted(possible() - self.inside)
