"""The rows of `variants`: what each says of the parameters, and how it is told apart."""

from __future__ import annotations

from archdsl.diagnostics import errors
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend import ast
from archdsl.frontend.python_names import camel_case
from archdsl.frontend.units import Unit


def variant_cells(unit: Unit, row: ast.Variant) -> dict[str, ast.Expression]:
    """The cells of a variant by column; every column is a parameter, `params`, `macs` or `as`."""
    assert unit.variants is not None
    known = {parameter.name for parameter in unit.parameters}
    columns = unit.variants.columns
    for column in columns:
        if column.name not in known and column.name not in ("params", "macs", "as"):
            hint = did_you_mean(nearest(column.name, known))
            raise errors.UnknownParameter(
                column.span, callee=unit.name, parameter=column.name, hint=hint
            )
    if len(row.cells) > len(columns):
        span = row.cells[len(columns)].span
        problem = errors.TooManyCells(span, cells=len(row.cells), columns=len(columns))
        header = columns[0].span.to(columns[-1].span) if columns else None
        raise problem.labelled(header, f"the header has {len(columns)} columns")
    cells: dict[str, ast.Expression] = {}
    for i, cell in enumerate(row.cells):
        name = cell.name or columns[i].name
        if cell.value is not None:
            if name in cells:
                again = errors.ArgumentTwice(cell.span, parameter=name)
                raise again.labelled(cells[name].span, "first occurrence")
            cells[name] = cell.value
    return cells


def variant_suffix(unit: Unit, variant: str) -> str:
    """Suffix of the class name of a variant: `b0` of `EfficientNet` is `EfficientNetB0`."""
    return camel_case(variant.removeprefix(unit.name))
