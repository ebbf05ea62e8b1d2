"""Polars expressions as values."""

from __future__ import annotations

import io
import json
from typing import Any, TypeAlias

import polars as pl

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ParameterError
from fpipe.core.value import descriptor


@descriptor
class Formula:
    """A polars expression, kept as polars' own JSON: comparable, and safe to read back.

    Args:
        json: the expression.

    Example:
        >>> as_formula(pl.col("a") + 1) == as_formula(pl.col("a") + 1)
        True
    """

    json: str

    def resolve(self) -> pl.Expr:
        """Return the expression."""
        return _read(self.json)

    @property
    def name(self) -> str:
        """The expression as polars shows it."""
        return str(self.resolve())

    def __repr__(self) -> str:
        return self.name


AnyFormula: TypeAlias = Formula | Opaque
AnyRecipe: TypeAlias = Formula | Opaque | Ref


def as_formula(expression: Any) -> AnyFormula:
    """Return a polars expression as a value; one that calls Python code is an ``Opaque``.

    Numbers and truth values stand for themselves in every row.

    Raises:
        ParameterError: it is no polars expression, or takes columns by a pattern or type.

    Example:
        >>> as_formula(2) == as_formula(pl.lit(2))
        True
    """
    if isinstance(expression, Formula | Opaque):
        return expression
    if isinstance(expression, bool | int | float):
        return as_formula(pl.lit(expression))
    if not isinstance(expression, pl.Expr):
        raise ParameterError(
            f"{type(expression).__name__} is no polars expression.",
            expected="an expression over columns",
            got=repr(expression)[:80],
            fix='write it with polars, e.g. pl.col("a") / pl.col("b")',
        )
    text = _written(expression)
    if text is None:
        return Opaque(expression)
    tree = json.loads(text)
    if _holds(tree, "Selector"):
        raise ParameterError(
            "an expression takes columns by a pattern or type, which could reach the target.",
            expected="columns by name",
            got=str(expression)[:80],
            fix='name them, e.g. pl.sum_horizontal("a", "b")',
        )
    return Opaque(expression) if code_in(tree) else Formula(text)


def code_in(tree: Any) -> str | None:
    """Return the name of a part of an expression that calls code of others, or None.

    Polars writes a Python function as the bytes of its pickle: for the rows, for the names of
    columns or of fields, for windows and folds alike. So bytes that are no constant are code.

    Args:
        tree: the expression, as JSON gives it.

    Example:
        >>> code_in({"RenameAlias": {"expr": {"Column": "a"}, "function": {"Map": [128, 4]}}})
        'Map'
    """
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            foreign = [key for key in part if key == "Map" or any(w in key for w in _FOREIGN)]
            if foreign:
                return str(foreign[0])
            waiting.extend(part.items())
        elif are_bytes(part):
            if name not in CONSTANTS:
                return name
        elif isinstance(part, list):
            waiting.extend((name, member) for member in part)
    return None


def are_bytes(part: Any) -> bool:
    """Tell whether a part of an expression is taken for bytes: many whole numbers in a row."""
    return isinstance(part, list) and len(part) > _SHORT and set(map(type, part)) == {int}


_FOREIGN = ("Anonymous", "Python", "Plugin", "Ffi", "SubPlan")
_SHORT = 8
"""How many numbers may stand in a row before they are taken for bytes."""

CONSTANTS = ("Series", "List", "Array", "Binary", "strings")
"""Where polars writes constants as bytes: as an Arrow stream, or as they are."""


def as_recipe(given: Any) -> AnyRecipe:
    """Return an expression over one column that is not named yet, as a value.

    A function is called once on a column that stands for any, and what it gives is kept; so a
    lambda is a value like any other. One that calls Python code for the rows is kept as code.

    Args:
        given: a function of a polars expression, an expression over ``pl.element()``, or
            ``"package.module:function"``.

    Raises:
        ParameterError: it is none of these, or does not read the column.

    Example:
        >>> as_recipe(lambda x: x + 1) == as_recipe(pl.element() + 1)
        True
    """
    if isinstance(given, Formula | Opaque | Ref):
        return given
    if isinstance(given, str):
        return Ref(given)
    if callable(given):
        return _traced(given)
    made = as_formula(given)
    if not isinstance(made, Formula) or not _holds(json.loads(made.json), "Element"):
        raise ParameterError(
            "the expression does not say where the column goes.",
            expected="a function of a column, or an expression over pl.element()",
            got=repr(made)[:80],
            fix="lambda x: x.log1p(), or pl.element().log1p()",
        )
    return made


def on_column(recipe: AnyRecipe, column: str) -> pl.Expr:
    """Return the expression that a recipe is for one column.

    Raises:
        ParameterError: its function gives something other than an expression.
    """
    if isinstance(recipe, Formula):
        return _read(json.dumps(_filled(json.loads(recipe.json), column)))
    return _called(recipe.resolve(), recipe.name, column)


def _traced(function: Any) -> AnyRecipe:
    code = as_code(function)
    made = _called(function, code.name, None)
    text = _written(made)
    tree = None if text is None else json.loads(text)
    if text is None or code_in(tree):
        return code
    if not _holds(tree, "Element"):
        raise ParameterError(
            f"{code.name} does not read the column it is given.",
            expected="a function of a polars expression, as in lambda x: x.log1p()",
            got=str(made)[:80],
            fix="to make columns of your own use ops.mutate",
        )
    return Formula(text)


def _called(function: Any, name: str, column: str | None) -> pl.Expr:
    given = pl.element() if column is None else pl.col(column)
    try:
        made = function(given)
    except (AttributeError, TypeError, ValueError) as error:
        raise ParameterError(
            f"{name} cannot be called with a polars expression.",
            expected="a function of a polars expression, as in lambda x: x.log1p()",
            got=str(error)[:200],
            fix="for NumPy functions: lambda x: x.map_batches(function, return_dtype=pl.Float64)",
        ) from error
    if not isinstance(made, pl.Expr):
        raise ParameterError(
            f"{name} gives {type(made).__name__} for a column.",
            expected="a polars expression",
            got=repr(made)[:80],
            fix="lambda x: x.log1p()",
        )
    return made


def _written(expression: pl.Expr) -> str | None:
    """Return an expression as JSON, or None where it holds code that polars cannot write."""
    try:
        return expression.meta.serialize(format="json")
    except Exception:
        # polars hands on whatever pickling raised.
        return None


def _read(text: str) -> pl.Expr:
    return pl.Expr.deserialize(io.StringIO(text), format="json")


def _holds(tree: Any, kind: str) -> bool:
    """Tell whether a node of some kind occurs in an expression."""
    if isinstance(tree, dict):
        return kind in tree or any(_holds(x, kind) for x in _below(tree).values())
    if isinstance(tree, list):
        return any(_holds(x, kind) for x in tree)
    return bool(tree == kind)


def _filled(tree: Any, column: str) -> Any:
    """Return an expression with a column in every place where any column may stand."""
    if isinstance(tree, dict):
        return _renamed(tree, {key: _filled(x, column) for key, x in _below(tree).items()})
    if isinstance(tree, list):
        return [_filled(x, column) for x in tree]
    return {"Column": column} if tree == "Element" else tree


def _below(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a node that are expressions, not names or values."""
    if "Column" in tree or "Literal" in tree:
        return {}
    if "Alias" in tree:
        return {"Alias": tree["Alias"][:1]}
    if "RenameAlias" in tree:
        return {"RenameAlias": {"expr": tree["RenameAlias"]["expr"]}}
    return tree


def _renamed(tree: dict[str, Any], filled: dict[str, Any]) -> dict[str, Any]:
    """Return a node with its parts replaced and its names kept."""
    if "Alias" in filled:
        return {"Alias": [*filled["Alias"], tree["Alias"][1]]}
    if "RenameAlias" in filled:
        return {"RenameAlias": tree["RenameAlias"] | filled["RenameAlias"]}
    return tree | filled
