"""Texts of numbers, truth values, tuples and lists, in every form in which a spec can say them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from archdsl.testing.grammar.scope import Scope

AXES = ("w", "h", "d")


def number(random: Random, scope: Scope, value: float, depth: int = 2) -> str:
    """A text that comes to a whole number; one that needs brackets is in brackets."""
    plain = f"{value:g}" if value >= 0 else f"(-{-value:g})"
    if random.random() < 0.55 or depth == 0 or value != int(value):
        return plain
    value = int(value)
    found = [name for name, known in scope.numbers.items() if known == value]
    found += [f"len({name})" for name, items in scope.sequences.items() if len(items) == value]
    found += [f"len({name})" for name, items in scope.lists.items() if len(items) == value]
    for name, items in scope.sequences.items():
        found += [f"{name}[{i}]" for i, item in enumerate(items) if item == value]
        if items and items[-1] == value:
            found.append(f"{name}[-1]")
    for text, shape in scope.tensors.items():
        if shape is not None and len(shape) <= 4:
            found += [f"{text}.c"] if shape[0] == value else []
            for axis, name in zip(range(len(shape) - 1, 0, -1), AXES, strict=False):
                found += [f"{text}.{name}"] if shape[axis] == value else []
    if found and random.random() < 0.7:
        return random.choice(found)

    def again(other: float) -> str:
        return number(random, scope, other, depth - 1)

    forms: list[Callable[[], str]] = [
        lambda: f"({again(value - 1)} + {again(1)})",
        lambda: f"({again(value + 2)} - {again(2)})",
        lambda: f"({again(2 * value)} / {again(2)})",
        lambda: f"({again(2 * value + 1)} // {again(2)})",
        lambda: f"({again(value)} * {again(1)})",
        lambda: f"({again(value)}^{again(1)})",
        lambda: f"max({again(value)}, {again(value - 1)})",
        lambda: f"min({again(value)}, {again(value + 3)})",
        lambda: f"abs(-{again(value)})",
        lambda: f"floor({again(value)} + 0.5)",
        lambda: f"ceil({again(value)} - 0.5)",
        lambda: f"round({again(value)} + 0.25)",
        lambda: f"[{again(value)}, 7][0]",
        lambda: f"({again(value)}, 9)[0]",
        lambda: f"({again(value)} if {condition(random, scope, True, 1)} else 5)",
        lambda: f"(5 if {condition(random, scope, False, 1)} else {again(value)})",
        lambda: f"({again(value + 10)} % 10)" if value < 10 else again(value),
        lambda: f"divisible({again(value)}, {again(1)})",
        lambda: f"max([{again(value)}, 1])" if value >= 1 else again(value),
        lambda: f"sqrt({again(value * value)})",
    ]
    if value < 1:
        return plain
    return random.choice(forms)()


def condition(random: Random, scope: Scope, wanted: bool, depth: int = 2) -> str:
    """A text that is true, or false; it stands in no brackets of its own."""
    found = [name for name, value in scope.flags.items() if value is wanted]
    if scope.absent:
        found.append(f"{random.choice(scope.absent)} {'==' if wanted else '!='} none")
    if found and random.random() < 0.4:
        return random.choice(found)
    if depth == 0 or random.random() < 0.1:
        return "true" if wanted else "false"

    def again(value: bool) -> str:
        text = condition(random, scope, value, depth - 1)
        loose = " and " in text or " or " in text
        return f"({text})" if loose or random.random() < 0.5 else text

    low = random.randrange(1, 6)
    high = low + random.randrange(1, 4)
    a, b = number(random, scope, low, 1), number(random, scope, high, 1)
    forms: list[Callable[[], str]] = [
        lambda: f"{a} < {b}" if wanted else f"{a} > {b}",
        lambda: f"{a} != {b}" if wanted else f"{a} == {b}",
        lambda: f"{a} <= {b} <= {b}" if wanted else f"{b} <= {a} < {b}",
        lambda: f"not {again(not wanted)}",
        lambda: f"{again(wanted)} and {again(True)}",
        lambda: f"{again(False)} or {again(wanted)}",
        lambda: "none == none" if wanted else "none != none",
        lambda: f"[{a}] == [{a}]" if wanted else f"({a}, {b}) == ({b}, {a})",
        lambda: "true" if wanted else "false",
    ]
    return random.choice(forms)()


def sequence(random: Random, scope: Scope, values: tuple[int, ...], is_list: bool) -> str:
    """A tuple or a list of numbers."""
    known = [name for name, items in scope.sequences.items() if items == values and is_list]
    if known and random.random() < 0.5:
        return random.choice(known)
    items = [number(random, scope, value, 1) for value in values]
    if is_list and len(items) > 1 and random.random() < 0.2:
        return f"[{items[0]}] + [{', '.join(items[1:])}]"
    if is_list:
        return f"[{', '.join(items)}]"
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
