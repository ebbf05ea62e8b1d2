"""Types of tasks: columns, their dtypes and roles, without the data."""

from __future__ import annotations

import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.errors import SchemaError, did_you_mean
from fpipe.core.value import descriptor, evolve
from fpipe.data.kind import Kind
from fpipe.data.lazy.columns import is_lazy
from fpipe.data.lazy.tensor import LazyType

SETTABLE = ("feature", "group", "stratum", "weight", "order", "name")
ROLES = ("feature", "target", "truth", "group", "stratum", "weight", "order", "name")


@descriptor
class TaskType:
    """What is known of a task without reading it.

    Args:
        name: the task's name.
        kind: classification or regression.
        dtypes: pairs of column name and polars dtype, in table order. An ``Enum`` dtype holds
            the levels of a categorical column.
        roles: role → column names, in order.
        open: whether data may add further features that are not known yet.
        tensors: what is known of each column of lazy tensors.
    """

    name: str
    kind: Kind
    dtypes: tuple[tuple[str, pl.DataType], ...]
    roles: PMap[str, tuple[str, ...]] = pmap()
    open: bool = False
    tensors: PMap[str, LazyType] = pmap()

    @property
    def features(self) -> tuple[str, ...]:
        """The feature columns, in the task's order."""
        return self.roles.get("feature", ())

    @property
    def target(self) -> str | None:
        """The target column, or None where there is none."""
        return next(iter(self.roles.get("target", ())), None)

    def dtype(self, column: str) -> pl.DataType:
        """Return the dtype of a column.

        Raises:
            SchemaError: there is no such column.
        """
        known = dict(self.dtypes)
        check_columns((column,), tuple(known))
        return known[column]

    def outline(self) -> TaskType:
        """Return the type itself."""
        return self

    def with_features(
        self, features: tuple[tuple[str, pl.DataType], ...], *, open: bool | None = None
    ) -> TaskType:
        """Return the type with these features in place of the present ones."""
        others = [(name, dtype) for name, dtype in self.dtypes if name not in self.features]
        dtypes = (*others, *features)
        lazy = {name for name, dtype in dtypes if is_lazy(dtype)}
        return evolve(
            self,
            dtypes=dtypes,
            tensors=pmap({n: t for n, t in self.tensors.items() if n in lazy}),
            roles=self.roles.set("feature", tuple(name for name, _ in features)),
            open=self.open if open is None else open,
        )


def check_columns(
    columns: tuple[str, ...], known: tuple[str, ...], *, what: str = "column"
) -> None:
    """Raise SchemaError for the first column that is not known, or that is named twice.

    Args:
        columns: what was asked for.
        known: what is there.
        what: what the names stand for, in words.
    """
    for column in columns:
        if not isinstance(column, str) or column not in known:
            raise SchemaError(
                f"there is no {what} '{column}'.",
                expected=", ".join(known[:12]) + (", …" if len(known) > 12 else ""),
                got=str(column) if isinstance(column, str) else repr(column),
                fix=did_you_mean(str(column), known),
            )
    if len(set(columns)) < len(columns):
        twice = next(c for i, c in enumerate(columns) if c in columns[:i])
        raise SchemaError(
            f"the {what} '{twice}' is named {columns.count(twice)} times.",
            expected=f"every {what} once",
            got=", ".join(columns[:12]),
            fix=f"name '{twice}' once",
        )


def is_numeric(dtype: pl.DataType) -> bool:
    """Tell whether a dtype is an integer or floating number."""
    return dtype.is_numeric()


def is_categorical(dtype: pl.DataType) -> bool:
    """Tell whether a dtype is a set of levels or a truth value."""
    return isinstance(dtype, pl.Enum | pl.Boolean)


def levels(dtype: pl.DataType) -> tuple[str, ...]:
    """Return the levels of a categorical dtype in order; a truth value has two.

    Example:
        >>> levels(pl.Enum(["a", "b"])), levels(pl.Boolean())
        (('a', 'b'), ('false', 'true'))
    """
    return tuple(dtype.categories) if isinstance(dtype, pl.Enum) else ("false", "true")
