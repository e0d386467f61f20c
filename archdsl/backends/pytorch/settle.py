"""What is open until all classes are built: the arguments of uses, and which layers are alike."""

from __future__ import annotations

from archdsl.backends.pytorch.code import (
    Alike,
    Code,
    Either,
    Invoke,
    Listed,
    NewBlock,
    Plain,
    Repeated,
    Rows,
    flat,
    plain,
)
from archdsl.backends.pytorch.plans import Plan


class NotTold(Exception):
    """A class asks for an argument that some use of it cannot express."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan


def settle(code: Code, plan: Plan) -> Code:
    """Choose the arguments of uses of other classes, which are complete by now. `plan` is of the
    class that the code is of."""
    if isinstance(code, NewBlock):
        given = dict(code.arguments)
        arguments: list[tuple[str, Code]] = []
        for argument in code.plan.arguments:
            symbol = given.get(argument.parameter)
            if symbol is None:
                raise NotTold(code.plan)
            if argument.name in code.plan.fractions:
                symbol = plan.as_float(symbol, symbol.values)
            elif argument.kind == "int":
                plan.counts |= symbol.names
            default = argument.default
            if default is None:
                arguments.append(("", plain(symbol)))
            elif symbol.text != default and not _same_number(symbol.text, default):
                arguments.append((f"{argument.name}=", plain(symbol)))
        return Invoke(code.plan.name, tuple(arguments))
    if isinstance(code, Invoke):
        items = []
        for name, value in code.arguments:
            if isinstance(value, Alike):
                items += [("", item) for item in _grouped(value, plan)]
            else:
                items.append((name, settle(value, plan)))
        if code.function == "nn.Sequential" and len(items) > 3:
            if not any(isinstance(item, Rows) for _, item in items) and _are_alike(items):
                over = Plain(f"range({len(items)})")
                items = [("", Repeated(items[0][1], "_", over))]
        return Invoke(code.function, tuple(items), code.opened)
    if isinstance(code, Either):
        return Either(settle(code.value, plan), code.condition, settle(code.otherwise, plan))
    if isinstance(code, Repeated):
        return Repeated(settle(code.item, plan), code.variable, code.range, code.starred)
    if isinstance(code, Rows):
        rows = tuple((name, settle(value, plan), remark) for name, value, remark in code.rows)
        return Rows(rows, code.function)
    if isinstance(code, Listed):
        return _module_list([settle(item, plan) for item in code.items])
    return code


def _are_alike(items: list[tuple[str, Code]]) -> bool:
    return len({name + flat(item) for name, item in items}) == 1


def _module_list(items: list[Code]) -> Code:
    """A `ModuleList`, written as a loop where its items are alike."""
    if len(items) > 1 and len({flat(item) for item in items}) == 1:
        over = Plain(f"range({len(items)})")
        return Invoke("nn.ModuleList", (("", Repeated(items[0], "_", over, starred=False)),), True)
    return Invoke("nn.ModuleList", (("", Listed(tuple(items))),), True)


def _same_number(a: str, b: str) -> bool:
    """Whether two literals differ in spelling alone: `0` and `0.0`."""
    try:
        return float(a) == float(b)
    except ValueError:
        return False


def _grouped(code: Alike, plan: Plan) -> list[Code]:
    """The layers of a row: a loop in place of those that are alike, or follow a formula."""
    singles = [settle(item, plan) for item in code.singles]
    for start in (0, 1):
        if len(singles) - start >= 3 - start and len({flat(s) for s in singles[start:]}) == 1:
            over = Plain(f"range({len(singles) - start})")
            return [*singles[:start], Repeated(singles[start], "_", over)]
    for start, loop in code.loops:
        return [*singles[:start], settle(loop, plan)]
    return singles
