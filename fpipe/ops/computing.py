"""New columns by polars expressions: their types, and whether each row stands for itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from fpipe.core.equality import close
from fpipe.core.errors import DataError, ParameterError, SchemaError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType
from fpipe.data.task import Rows, Task
from fpipe.ops.selector import View
from fpipe.ops.task_op import TaskOp

Expressions = Mapping[str, pl.Expr]

_SPREAD = 24
"""How many rows, spread evenly, are also computed on their own."""


@descriptor
class Computing(TaskOp):
    """An operator that computes features by expressions of features.

    They are computed when they are read. A row must be computed from itself alone: an
    expression that looks at other rows would give other numbers for other rows beside it.
    """

    def chosen(self, task: View) -> tuple[str, ...]:
        """Return the features that the expressions are written for."""
        return task.features

    def expressions(self, columns: tuple[str, ...]) -> dict[str, pl.Expr]:
        """Return the new features by name."""
        raise NotImplementedError

    def kept(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """Return the features of the task that stay, in order."""
        return features

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Capture the features, and refuse what looks at other rows.

        Raises:
            DataError: an expression gives a row other values when other rows are beside it.
        """
        del key
        columns = self.chosen(task)
        made = self.expressions(columns)
        new_types(self.name, made, task)
        check_rows_alone(self.name, made, task)
        return columns

    def transform(self, state: tuple[str, ...], task: Task, key: Key) -> Task:
        """Plan the new columns."""
        del key
        made = self.expressions(state)
        types = new_types(self.name, made, task)
        columns = [settled(made[name], dtype).alias(name) for name, dtype in types.items()]
        return task.computed(*columns, features=self._features(task, tuple(types)))

    def typed(self, task: TaskType) -> TaskType:
        """Evaluate the expressions on a table without rows."""
        made = self.expressions(self.chosen(task))
        if task.open and not _roots(made) <= set(task.features):
            return evolve(task, open=True)
        found = new_types(self.name, made, task)
        types = {name: _as_feature(dtype) or dtype for name, dtype in found.items()}
        every = {name: task.dtype(name) for name in task.features} | types
        features = self._features(task, tuple(types))
        _check_apart(self.name, features, task)
        return task.with_features(tuple((name, every[name]) for name in features))

    def _features(self, task: View, new: tuple[str, ...]) -> tuple[str, ...]:
        kept = self.kept(task.features)
        return (*kept, *(name for name in new if name not in kept))


def new_types(what: str, expressions: Expressions, task: View) -> dict[str, pl.DataType]:
    """Return the types of new columns; nothing is read.

    Raises:
        SchemaError: an expression reads no feature, does not go with the types of those that it
            reads, or makes something that cannot be a feature.
    """
    empty = pl.DataFrame(schema={name: task.dtype(name) for name in task.features})
    return {name: _type_of(what, name, one, empty) for name, one in expressions.items()}


def settled(expression: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return an expression whose result is a feature: NaN is missing, decimals are floats."""
    if dtype.is_float():
        return expression.fill_nan(None)
    return expression if _as_feature(dtype) == dtype else expression.cast(pl.Float64)


def check_rows_alone(what: str, expressions: Expressions, task: Task) -> None:
    """Raise where an expression gives a row other values when other rows are beside it.

    Some rows are computed together, then each on its own: some spread evenly, and those with the
    smallest, the largest and the first missing value of each column that is read.

    Raises:
        DataError: the values differ, or are more or fewer than the rows.
    """
    for name, expression in expressions.items():
        read = sorted(set(expression.meta.root_names()))
        # A frame without columns would have no rows either; the ids are read by no expression.
        table = task.table.select(task.features) if task.features else _ids_of(task)
        rows = _beside_others(table[_telling_rows(table.select(read), table.height)])
        together = _computed(what, name, expression, rows)
        for i in range(rows.height):
            alone = _computed(what, name, expression, rows[i : i + 1])
            if not close(alone, together[i : i + 1], rtol=1e-9, atol=1e-12):
                raise DataError(
                    f"'{name}' of a row depends on the other rows.",
                    expected=f"an expression that is computed row by row, such as {name}="
                    'pl.col("a") / pl.col("b")',
                    got=f"{_cell(alone)} for a row alone, {_cell(together[i : i + 1])} "
                    f"beside others, by {str(expression)[:120]}",
                    fix="learn from the rows with ops.scale, ops.impute_median or ops.sklearn; "
                    "or compute the column before making the task",
                    column=name,
                )


def check_new_name(what: str, name: object) -> None:
    """Raise ParameterError for what cannot name a new column."""
    pattern = isinstance(name, str) and (name == "*" or (name[:1] + name[-1:] == "^$"))
    if not isinstance(name, str) or not name or pattern:
        raise ParameterError(
            f"{what}: {name!r} cannot name a feature.",
            expected="a non-empty string other than '*' and '^…$'",
            got=repr(name),
            fix="choose another name",
        )


def _type_of(what: str, name: str, expression: pl.Expr, empty: pl.DataFrame) -> pl.DataType:
    for root in expression.meta.root_names():
        if root not in empty.columns:
            raise SchemaError(
                f"{what}: '{name}' reads '{root}', which is no feature.",
                expected=", ".join(empty.columns[:12]) or "no feature",
                got=root,
                fix=did_you_mean(root, empty.columns),
                column=root,
            )
    try:
        dtype = empty.with_columns(expression.alias(name))[name].dtype
        _check_castable(expression, empty)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise SchemaError(
            f"{what}: '{name}' cannot be computed by {str(expression)[:120]}.",
            expected="an expression for " + _shown(expression, empty),
            got=str(error).splitlines()[0][:300],
            fix="try it on task.table.select(...)",
            column=name,
        ) from error
    if _as_feature(dtype) is None:
        raise SchemaError(
            f"{what}: '{name}' would be {dtype}, which cannot be a feature.",
            expected="numbers, truth values, levels (pl.Enum), dates or tensors (pl.Array)",
            got=f"{dtype} by {str(expression)[:120]}",
            fix=_FIXES.get(type(dtype), "compute a number"),
            column=name,
        )
    return dtype


def _check_castable(expression: pl.Expr, empty: pl.DataFrame) -> None:
    """Raise what polars says of levels and tensors only once there is a row of them."""
    read = empty.select(sorted(set(expression.meta.root_names())))
    row = pl.DataFrame([_example(series) for series in read.get_columns()])
    if row.null_count().row(0) == (1,) * row.width:
        return
    try:
        row.select(expression)
    except pl.exceptions.PolarsError as error:
        if str(error).startswith(("cannot cast", "casting from")):
            raise


def _example(empty: pl.Series) -> pl.Series:
    """Return one value of the type of a column: a level, a tensor of zeros, or missing."""
    dtype = empty.dtype
    if isinstance(dtype, pl.Enum) and len(dtype.categories):
        return pl.Series(empty.name, dtype.categories[:1], dtype)
    if isinstance(dtype, pl.Array):
        return pl.Series(empty.name, np.zeros((1, *dtype.shape)), dtype)
    return pl.Series(empty.name, [None], dtype)


def _as_feature(dtype: pl.DataType) -> pl.DataType | None:
    """Return the type that a column has as a feature, or None where it cannot be one."""
    if isinstance(dtype, pl.Decimal | pl.Null):
        return pl.Float64()
    usable = dtype.is_numeric() or dtype.is_temporal()
    return dtype if usable or isinstance(dtype, pl.Boolean | pl.Enum | pl.Array) else None


def _computed(what: str, name: str, expression: pl.Expr, rows: pl.DataFrame) -> pl.DataFrame:
    try:
        return rows.with_columns(expression.alias(name)).select(name)
    except (pl.exceptions.ShapeError, pl.exceptions.InvalidOperationError) as error:
        if not isinstance(error, pl.exceptions.ShapeError) and "length" not in str(error):
            raise _refused(what, name, expression, error) from error
        raise DataError(
            f"{what}: '{name}' has not one value per row.",
            expected=f"{rows.height} values for {rows.height} rows",
            got=f"{str(error).splitlines()[0][:200]}, by {str(expression)[:120]}",
            fix="operators keep the rows; use task.filter(...) before fitting to leave some out",
            column=name,
        ) from error
    except pl.exceptions.PolarsError as error:
        raise _refused(what, name, expression, error) from error


def _refused(what: str, name: str, expression: pl.Expr, error: Exception) -> DataError:
    return DataError(
        f"{what}: '{name}' cannot be computed from these rows.",
        expected="an expression that is defined for every row",
        got=f"{str(error).splitlines()[0][:200]}, by {str(expression)[:120]}",
        fix="give rows for which it is not defined a value, with pl.when(...)",
        column=name,
    )


def _ids_of(task: Task) -> pl.DataFrame:
    return pl.DataFrame({"row id": task.row_id})


def _beside_others(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of which none is alone, so that what counts rows shows."""
    return pl.concat([rows, rows]) if rows.height == 1 else rows


def _telling_rows(columns: pl.DataFrame, n: int) -> Rows:
    """Return positions of some of ``n`` rows; there may be no columns to tell rows apart by."""
    found: set[int] = set()
    for series in columns.get_columns():
        ordered = series.dtype.is_numeric() or series.dtype.is_temporal()
        places = [series.is_null().arg_max() if series.null_count() else None]
        places += [series.arg_min(), series.arg_max()] if ordered else []
        found |= {int(place) for place in places if place is not None}
    spread = np.linspace(0, n - 1, min(n, _SPREAD)).astype(np.int64)
    return np.unique(np.concatenate([spread, np.array(sorted(found), np.int64)]))


def _check_apart(what: str, features: tuple[str, ...], task: TaskType) -> None:
    for role, columns in sorted(task.roles.items()):
        for column in columns if role != "feature" else ():
            if column in features:
                raise SchemaError(
                    f"{what}: the new feature '{column}' has the name of the {role}.",
                    expected="names apart from those of columns with other roles",
                    got=column,
                    fix=f"call it '{column}_2'",
                    column=column,
                )


def _roots(expressions: Expressions) -> set[str]:
    return {root for one in expressions.values() for root in one.meta.root_names()}


def _shown(expression: pl.Expr, empty: pl.DataFrame) -> str:
    read = dict.fromkeys(expression.meta.root_names())
    return ", ".join(f"{name}: {empty.schema[name]}" for name in read) or "no column"


def _cell(column: pl.DataFrame) -> str:
    return repr(column.item())[:40]


_FIXES: dict[type[pl.DataType], str] = {
    pl.String: 'cast it to its levels: .cast(pl.Enum(["a", "b"]))',
    pl.Categorical: 'cast it to its levels: .cast(pl.Enum(["a", "b"]))',
    pl.List: "take an element, or make it an array of one width: .list.to_array(width)",
    pl.Struct: "take one of its fields",
}
