"""From the uses of a block to one class: what differs between uses becomes an argument.

A builder walks the text of a unit once, for all of its uses (the lanes) together. It reads what the
elaboration left in the frames; it evaluates nothing itself. Here are the statements; `expressions`,
`flows`, `stages` and `loops` have the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.backends.pytorch.lanes import as_whole, one_kind, size_of, whole_floats
from archdsl.backends.pytorch.layers import as_list
from archdsl.backends.pytorch.loops import Loops
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Assign
from archdsl.backends.pytorch.symbols import NotExpressible, Symbol
from archdsl.frontend import ast
from archdsl.frontend.python_names import variable_name
from archdsl.ir.graph import Frame, Value


class Builder(Loops):
    """Builds one class."""

    def build(self) -> None:
        """Walk the unit's text."""
        slots = self.unit.tensors
        for i, slot in enumerate(slots):
            values = {scope.frame: scope.inputs[i] for scope in self.plan.scopes}
            kind = "list[Tensor]" if one_kind(values) is list else "Tensor"
            variable = Var(self.plan.inputs[slot.name], kind)
            self.inputs.append(variable)
            piece = Piece(variable, typed=True)
            if one_kind(values) is type(None):
                piece = Piece("None")
            else:
                self.channels[slot.name] = self._input_size(i, "c", values)
            self.variables[slot.name] = piece
            for alias, name in self.unit.aliases:
                if name == slot.name:
                    self.variables[alias] = piece
                    self.channels[alias] = self.channels.get(slot.name)
        self._walk(self.unit.body, self.lanes)

    def _walk(self, body: Iterable[ast.Statement], lanes: list[Frame]) -> None:
        for statement in body:
            if isinstance(statement, ast.Assign) and statement in self.names.live:
                self._assign(statement, lanes)
            elif isinstance(statement, ast.Let):
                self._let(statement, lanes)
            elif isinstance(statement, ast.Repeat) and statement in self.names.live:
                self._repeat(statement, lanes)
            elif isinstance(statement, ast.Return):
                self._return(statement, lanes)

    def _let(self, statement: ast.Let, lanes: list[Frame]) -> None:
        values = {f: f.names[statement.name] for f in lanes if statement.name in f.names}
        if not values:
            return
        try:
            symbol = self.symbol(statement.value, lanes)
        except NotExpressible:
            return  # an operation or a list that differs; whoever needs it will say so
        alias = symbol.text.isidentifier() and not whole_floats(symbol.values)
        if symbol.names and not alias and not self.rounds and not self.path:
            name = self.plan.names[statement.name]
            if whole_floats(symbol.values):
                symbol = as_whole(symbol)
            self.locals[name] = symbol
            symbol = Symbol(symbol.values, name, names=frozenset([name]), open=symbol.open)
        self.lets[statement.name] = symbol

    def _assign(self, statement: ast.Assign, lanes: list[Frame]) -> None:
        targets = [target.name for target in statement.targets]
        lanes = [f for f in lanes if statement.value in f.trace]
        values = {f: f.trace[statement.value] for f in lanes}
        piece = self.tensor(statement.value, lanes, targets[0], several=len(targets) > 1)
        if len(targets) == 1:
            name = targets[0]
            if one_kind(values) is type(None) or piece is None:
                self.variables[name] = Piece("None")
                return
            try:
                self.channels[name] = self.channels_of(statement.value, lanes)
            except NotExpressible:
                self.channels[name] = None
            known = self.carried.get(name)
            if piece.variable is not None and known is None:
                self.variables[name] = piece
                return
            kind = "list[Tensor]" if one_kind(values) is list else "Tensor"
            variable = known or Var(variable_name(name), kind)
            self.statements.append(Assign((variable,), as_list(piece)))
            self.variables[name] = Piece(variable, typed=True)
            return
        if one_kind(values) is Value and piece is not None:  # a guard that does not hold
            source = self._variable_for(piece, targets[0])
            for name in targets:
                self.variables[name] = source
                self.channels[name] = self._channels_or_none(values)
            return
        parts = [{f: value[i] for f, value in values.items()} for i in range(len(targets))]
        variables = tuple(
            Var(variable_name(name), "list[Tensor]" if one_kind(part) is list else "Tensor")
            for name, part in zip(targets, parts)
        )
        variables = tuple(
            self.carried.get(name) or variable for name, variable in zip(targets, variables)
        )
        if piece is None:
            raise NotExpressible
        given = [one_kind(part) is not type(None) for part in parts]
        kept = tuple(variable for variable, is_given in zip(variables, given) if is_given)
        self.statements.append(Assign(kept, piece))
        typed = piece.typed or len(kept) == 1
        for name, variable, part, is_given in zip(targets, variables, parts, given):
            self.variables[name] = Piece(variable, typed=typed) if is_given else Piece("None")
            self.channels[name] = self._channels_or_none(part) if is_given else None

    def _channels_or_none(self, tensors: Mapping[Frame, Any]) -> Symbol | None:
        sizes = {f: size_of(tensor, "c") for f, tensor in tensors.items()}
        return None if None in sizes.values() else self._find_or_none(sizes)

    def _variable_for(self, piece: Piece, name: str, kind: str = "Tensor") -> Piece:
        """A variable for an expression that is used more than once."""
        if piece.variable is None:
            variable = Var(variable_name(name), kind)
            self.emit(Assign((variable,), piece))
            piece = Piece(variable, typed=True)
        return piece

    def _return(self, statement: ast.Return, lanes: list[Frame]) -> None:
        for expression in statement.values:
            training = self.names.for_training(expression)
            if training and self.plan.scopes[0].parent is not None:
                continue
            if training and isinstance(expression, ast.Guard):
                expression = expression.value
            piece = self.tensor(expression, lanes, "out")
            if piece is None:  # what is absent is no result
                continue
            if one_kind({f: f.trace[expression] for f in lanes}) is list and not piece.many:
                piece = self._variable_for(piece, "out", "list[Tensor]")
            self.returns.append(as_list(piece))
            self.training.append(training)
