"""Expressions to values: numbers, operations as values, tensors and their arithmetic.

Every value is kept in its frame's trace. Calls and tables are in `calls.py` and `stages.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend import ast
from archdsl.frontend.files import standard_names
from archdsl.frontend.program import Program
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Node, Scope, Value
from archdsl.ops import OPERATIONS, WORDS, Operation, Word, numbers, shape_text
from archdsl.ops.base import REQUIRED, tensor_text
from archdsl.ops.initialisation import SCHEMES
from archdsl.ops.kinds import whole
from archdsl.support import limits
from archdsl.support.records import Record

if TYPE_CHECKING:
    from archdsl.diagnostics.foreign import Answer

Callee = type[Operation] | Unit

CONSTANTS = ("true", "false", "none")
"""Values that are words of the grammar."""

SIZES = {1: "cw", 2: "chw", 3: "cdhw"}
"""The letters of a map's sizes by its number of spatial axes; a flat vector has `c` alone."""


class OperationValue(Record):
    """An operation as a value, with the arguments bound so far."""

    callee: Callee
    arguments: tuple[tuple[str, Any], ...] = ()

    kind_text = "an operation"

    def __str__(self) -> str:
        return self.callee.name


class Poison:
    """The value of a line with a mistake. Whatever needs it is not to blame."""


class Poisoned(Exception):
    """Something needed a value that an earlier mistake made unknown."""


class Place:
    """Gives diagnostics raised inside a place, where they have none."""

    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, Diagnostic) and problem.span is None:
            problem.span = self.span


class Evaluator:
    """Evaluates expressions in frames."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.work = 0
        self.taps: dict[tuple[Any, Scope], dict[str, Value]] = {}
        """For the ids of a table's last value and of its scope: the value of each row. Blocks that
        are given the value see none."""
        self._handlers: dict[type[ast.Expression], Callable[[Any, Frame], Any]] = {
            ast.Text: self._text,
            ast.Truth: self._truth,
            ast.Absent: self._absent,
            ast.Name: self._outside_name,
            ast.Field: self._field,
            ast.Item: self._item,
            ast.Negation: self._negation,
            ast.Minus: self._minus,
            ast.Binary: self._binary,
            ast.Comparison: self._comparison,
            ast.Tuple: self._tuple,
            ast.List: self._list,
            ast.Choice: self._choice,
            ast.Call: self._call,
            ast.Flow: self._flow,
            ast.Guard: self._guard,
            ast.Conditional: self._conditional,
        }

    def spend(self, amount: int, span: Span) -> None:
        """Count work, in pieces of text."""
        self.work += amount
        if self.work > limits.WORK:
            raise errors.TooMuchWork(span, limit=limits.WORK)

    def evaluate(self, expression: Any, frame: Frame) -> Any:
        """The value of an expression; kept in the frame's trace."""
        kind = type(expression)
        if kind is ast.Number:  # first what most expressions are
            value = expression.value
        elif kind is ast.Name and expression.name in frame.names:
            value = frame.names[expression.name]
            if type(value) is Poison:
                raise Poisoned
        else:
            value = self._handlers[kind](expression, frame)
        frame.trace[expression] = value
        return value

    def _call(self, expression: ast.Call, frame: Frame) -> Any:
        raise NotImplementedError

    def _flow(self, expression: ast.Flow, frame: Frame) -> Any:
        raise NotImplementedError

    def _node(
        self,
        operation: type[Operation],
        inputs: tuple[Value, ...],
        arguments: dict[str, Any],
        frame: Frame,
        name: tuple[str, ...],
        span: Span,
    ) -> Node:
        raise NotImplementedError

    # Names and words

    def _truth(self, expression: ast.Truth, frame: Frame) -> bool:
        return expression.value

    def _text(self, expression: ast.Text, frame: Frame) -> NoReturn:
        raise errors.TextAsValue(expression.span)

    def _absent(self, expression: ast.Absent, frame: Frame) -> None:
        return None

    def _outside_name(self, expression: ast.Name, frame: Frame) -> Any:
        """A name that is no value here: an operation, or a word."""
        name, facts = expression.name, frame.facts
        fact = facts.get(expression)
        if fact is not None:
            return fact[1]
        callee = self.program.find(name, expression.span.source) or OPERATIONS.get(name)
        value: Any = None
        if callee is not None:
            value = OperationValue(callee)
        elif name in WORDS:
            value = Word(name)
        else:
            self._unknown("value", name, frame, expression.span)
        facts[expression] = (expression, value)
        return value

    def _unknown(self, kind: str, name: str, frame: Frame, span: Span) -> NoReturn:
        values = {n for n, v in frame.names.items() if kind == "value" or type(v) is OperationValue}
        raise unknown_name(self.program, kind, name, span, values)

    def argument(self, expression: ast.Expression, frame: Frame, words: Iterable[str]) -> Any:
        """An argument's value; a name among `words` is that word, unless a value here has it."""
        if words and isinstance(expression, ast.Name | ast.Call):
            if expression.name in words and expression.name not in frame.names:
                if isinstance(expression, ast.Call):
                    return self._word(expression, frame)
                return Word(expression.name)
        return self.evaluate(expression, frame)

    def _word(self, expression: ast.Call, frame: Frame) -> Word:
        """A word with arguments: `kaiming_normal(fan_out)`."""
        scheme = SCHEMES.get(expression.name)
        names = [parameter.name for parameter in scheme.parameters] if scheme else []
        given: dict[str, Any] = {}
        rest = []  # more than there are parameters: whoever reads the word says so
        for place, argument in enumerate(expression.arguments):
            name, value = argument.name, self.argument(argument.value, frame, WORDS)
            if name is None and place < len(names):
                name = names[place]
            elif name is None:
                rest.append(value)
                continue
            if name not in names:
                hint = f"it takes {', '.join(names)}" if names else "it takes no arguments"
                raise errors.UnknownParameter(
                    argument.span, callee=expression.name, parameter=name, hint=hint
                )
            if name in given:
                raise errors.ArgumentTwice(argument.span, parameter=name)
            given[name] = value
        last = max((names.index(name) for name in given), default=-1)
        values = []
        for parameter in scheme.parameters[: last + 1] if scheme else ():
            value = given.get(parameter.name, parameter.default)
            if value is REQUIRED:
                hint = f"write {expression.name}({parameter.name}=...)"
                raise errors.MissingArgument(
                    expression.span,
                    callee=expression.name,
                    parameter=parameter.name,
                    doc=parameter.doc,
                    hint=hint,
                )
            values.append(value)
        return Word(expression.name, (*values, *rest))

    # Parts of values

    def _field(self, expression: ast.Field, frame: Frame) -> Any:
        of = self.evaluate(expression.of, frame)
        name = expression.name
        if type(of) is not Value:
            if of is None:
                raise errors.AbsentTensor(expression.of.span, what=f"`.{name}`")
            raise errors.NotATensor(expression.of.span, what=numbers.kind_of(of))
        letters = SIZES.get(len(of.shape) - 1, "c")
        if expression.is_size:
            if name in letters:
                return of.shape[letters.index(name)]
            raise errors.NoSuchSize(
                expression.span, name=name, shape=tensor_text(of.shape), known=", ".join(letters)
            ).labelled(expression.of.span, f"this value is {shape_text(of.shape)}")
        taps = self.taps.get((of, frame.scope), {})
        if name in taps:
            return taps[name]
        known = [*taps, *letters]
        hint = did_you_mean(nearest(name, taps)) or f"it has {', '.join(known)}"
        raise errors.UnknownField(expression.span, name=name, hint=hint)

    def _item(self, expression: ast.Item, frame: Frame) -> Any:
        of = self.evaluate(expression.of, frame)
        index = self.evaluate(expression.index, frame)
        if not isinstance(of, list | tuple):
            hint = "use `-> split(...)` or `-> slice(...)` for parts of a tensor"
            hint = hint if type(of) is Value else ""
            raise errors.NotAList(expression.of.span, what=numbers.kind_of(of), hint=hint)
        with Place(expression.index.span):
            position = whole(index, "an integer index")
            if not -len(of) <= position < len(of):
                problem = errors.NoSuchItem(index=position, count=len(of), last=len(of) - 1)
                raise problem.labelled(expression.of.span, f"{len(of)} items")
        return of[position]

    def _tuple(self, expression: ast.Tuple, frame: Frame) -> Any:
        items = tuple([self.evaluate(item, frame) for item in expression.items])
        self.bound_extent(items, expression.span)
        return items

    def _list(self, expression: ast.List, frame: Frame) -> Any:
        items = [self.evaluate(item, frame) for item in expression.items]
        self.bound_extent(items, expression.span)
        return items

    def bound_extent(self, values: Iterable[Any], span: Span) -> None:
        """Refuse what names of names let grow beyond all use: lists of lists, bound operations."""
        count = sum(map(_extent, values))
        self.spend(count // 2, span)
        if count > limits.ITEMS:
            raise errors.TooManyItems(span, count=count, limit=limits.ITEMS)

    def _choice(self, expression: ast.Choice, frame: Frame) -> NoReturn:
        raise errors.OpenChoice(expression.span)

    # Conditions

    def truth(self, expression: ast.Expression, frame: Frame) -> bool:
        """The value of a condition."""
        value = self.evaluate(expression, frame)
        if value is True or value is False:
            return value is True
        raise errors.NotACondition(expression.span, what=numbers.kind_of(value))

    def _negation(self, expression: ast.Negation, frame: Frame) -> bool:
        return not self.truth(expression.operand, frame)

    def _comparison(self, expression: ast.Comparison, frame: Frame) -> bool:
        operands = expression.operands
        left = self.evaluate(operands[0], frame)
        for i, sign in enumerate(expression.operators, 1):
            right = self.evaluate(operands[i], frame)
            try:
                if not numbers.compare(sign, left, right):
                    return False
            except Diagnostic as problem:
                problem.span = expression.span
                if type(left) is Value or type(right) is Value:
                    problem.values["hint"] = _OTHERWISE[sign]
                raise
            left = right
        return True

    def _conditional(self, expression: ast.Conditional, frame: Frame) -> Any:
        if self.truth(expression.condition, frame):
            return self.evaluate(expression.value, frame)
        return self.evaluate(expression.otherwise, frame)

    def _guard(self, expression: ast.Guard, frame: Frame) -> Any:
        flow = expression.value
        if not isinstance(flow, ast.Flow) or not _is_source(flow.source):
            raise errors.GuardWithoutSource(expression.span)
        if self.truth(expression.condition, frame):
            return self.evaluate(flow, frame)
        return self.evaluate(flow.source, frame)

    # Arithmetic

    def _minus(self, expression: ast.Minus, frame: Frame) -> Any:
        value = self.evaluate(expression.operand, frame)
        if type(value) is Value:
            return self._apply("mul", (value,), {"number": -1}, frame, expression.span)
        if value is None:
            raise errors.AbsentTensor(expression.operand.span, what="`-`")
        with Place(expression.span):
            return numbers.calculate("-", 0, value)

    def _binary(self, expression: ast.Binary, frame: Frame) -> Any:
        sign = expression.operator
        if sign == "and" or sign == "or":
            if self.truth(expression.left, frame) is (sign == "or"):
                return sign == "or"
            return self.truth(expression.right, frame)
        left = self.evaluate(expression.left, frame)
        right = self.evaluate(expression.right, frame)
        if type(left) is Value or type(right) is Value or left is None or right is None:
            return self._tensor_arithmetic(expression, left, right, frame)
        if type(left) is list and type(right) is list:
            self.bound_extent((left, right), expression.span)
        try:
            result = numbers.calculate(sign, left, right)
            if type(result) is list:
                self.bound_extent(result, expression.span)
            return result
        except Diagnostic as problem:
            problem.span = expression.span
            raise _operands(problem, expression, left, right) from None

    def _tensor_arithmetic(
        self, expression: ast.Binary, left: Any, right: Any, frame: Frame
    ) -> Any:
        sign, span = expression.operator, expression.span
        if left is None or right is None:
            other = right if left is None else left
            if sign == "+" and (isinstance(other, Value) or other is None):
                return other
            absent = expression.left if left is None else expression.right
            raise errors.AbsentTensor(absent.span, what=f"`{sign}`")
        name = {"+": "add", "-": "sub", "*": "mul"}.get(sign)
        both = isinstance(left, Value) and isinstance(right, Value)
        if both and name:
            if sign == "+":
                self._check_arms(expression, right, frame)
            try:
                return self._apply(name, (left, right), {}, frame, span)
            except Diagnostic as problem:
                from archdsl.elaborate.provenance import explain  # only a mistake needs it

                problem.values["operation"] = sign
                places = (expression.left.span, expression.right.span)
                explain(problem, frame, [*zip((left, right), places)])
                raise
        tensor, number = (left, right) if isinstance(left, Value) else (right, left)
        divided = sign == "/" and tensor is left and number
        if both or not numbers.is_number(number) or not (name or divided):
            kinds = f"{numbers.kind_of(left)} and {numbers.kind_of(right)}"
            wrong = errors.WrongOperands(span, operator=sign, kinds=kinds)
            if both or numbers.is_number(number):
                wrong.values["hint"] = _OTHERWISE.get(sign, _TENSORS)
            raise _operands(wrong, expression, left, right)
        if divided:
            return self._apply("mul", (tensor,), {"number": 1 / number}, frame, span)
        arguments = {"number": number}
        if name == "sub" and tensor is right:
            arguments["reverse"] = True
        return self._apply(str(name), (tensor,), arguments, frame, span)

    def warn(self, warning: Diagnostic, scope: Scope) -> None:
        raise NotImplementedError

    def _check_arms(self, expression: ast.Binary, right: Value, frame: Frame) -> None:
        """Warn where a sum has a tensor twice because a guard that does not hold gives its source:
        the arm does not go away."""
        arms = [expression.right, *_addends(expression.left)]
        for arm in arms[1:]:
            if frame.trace.get(arm) is right:
                for name in (arms[0], arm):
                    line = _untaken(name, frame)
                    if line is not None:
                        warning = errors.ArmStays(
                            expression.span, name=name.span.text, source=line.source.span.text
                        )
                        warning.labelled(line.span, "its condition is false")
                        self.warn(warning, frame.scope)
                        return

    def _apply(
        self,
        name: str,
        inputs: tuple[Any, ...],
        arguments: dict[str, Any],
        frame: Frame,
        span: Span,
    ) -> Value:
        """Apply an operator of arithmetic."""
        try:
            return self._node(OPERATIONS[name], inputs, arguments, frame, (name,), span).outputs[0]
        except Diagnostic as problem:
            problem.span = problem.span or span
            raise


def unknown_name(
    program: Program, kind: str, name: str, span: Span, values: Collection[str]
) -> errors.UnknownName:
    """The error for an unknown name; `values` are the known ones."""
    from archdsl.diagnostics import foreign as meant  # only a mistake needs it

    own = {*program.names(span.source), *values}
    known = {*OPERATIONS, *standard_names()}
    if kind == "value":
        answer = meant.value(name, own, {*known, *WORDS, *CONSTANTS})
    else:
        answer = meant.operation(name, own, known)
    problem = told(errors.UnknownName(span, kind=kind, name=name, hint=""), span, answer)
    if answer is None and kind == "value" and values:
        problem.values["hint"] = f"known names: {', '.join(sorted(values)[:12])}"
    return program.with_use(problem, name, span.source)


def told(problem: errors.UnknownName, span: Span, answer: Answer | None) -> errors.UnknownName:
    """The mistake with what was meant, and the fix, if the name can just be exchanged."""
    if answer is not None:
        problem.values["hint"] = answer.help
        if not span.source.text[span.end : span.end + 1] == "(":
            problem.replace(span, answer.replacement)
    return problem


def _is_source(expression: ast.Expression) -> bool:
    """True if a guard can leave a line with this: it has been computed before."""
    if isinstance(expression, ast.Item | ast.Field):
        return _is_source(expression.of)
    return isinstance(expression, ast.Name)


ADDENDS = 8
"""Number of terms of a sum that are compared."""


def _addends(expression: ast.Expression) -> list[ast.Expression]:
    """Terms of a sum as written; the last ones of a long sum."""
    found: list[ast.Expression] = []
    while isinstance(expression, ast.Binary) and expression.operator == "+":
        if len(found) == ADDENDS:
            return found
        found.append(expression.right)
        expression = expression.left
    return [*found, expression]


def _untaken(name: ast.Expression, frame: Frame) -> ast.Flow | None:
    """The flow of the line of this name, if a guard left it out."""
    if not isinstance(name, ast.Name):
        return None
    for line in frame.scope.unit.body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Guard):
            if any(target.name == name.name for target in line.targets):
                guard = line.value
                if frame.trace.get(guard.condition) is False:
                    return guard.value if isinstance(guard.value, ast.Flow) else None
    return None


_TENSORS = "combine tensors with `+`, `-` and `*`; divide them only by numbers"
_OTHERWISE = {
    "^": "write squares as `y * y`",
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), "compare sizes, such as y.c"),
}
"""What to write in place of an operator that tensors do not have."""


def _operands(problem: Diagnostic, expression: ast.Binary, left: Any, right: Any) -> Diagnostic:
    """A mistake of arithmetic, with what its operands are."""
    if isinstance(problem, errors.WrongOperands):
        problem.labelled(expression.left.span, f"this is {numbers.kind_of(left)}")
        problem.labelled(expression.right.span, f"this is {numbers.kind_of(right)}")
    return problem


def _extent(value: Any) -> int:
    """Number of values in a value, nested ones included."""
    if type(value) is list or type(value) is tuple:
        return sum(map(_extent, value)) + 1
    if type(value) is OperationValue:
        return sum(_extent(argument) for _, argument in value.arguments) + 1
    return 1
