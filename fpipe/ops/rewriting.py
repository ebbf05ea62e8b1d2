"""Features by formula: new ones, changed ones, renamed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, Check, boolean, instance_of, optional, parameter
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.graph.graph import Graph, node
from fpipe.graph.operator import operator
from fpipe.ops.column_op import forgotten
from fpipe.ops.computing import Computing, check_new_name
from fpipe.ops.feature_selector import numeric
from fpipe.ops.formula import AnyFormula, AnyRecipe, Formula, as_formula, as_recipe, on_column
from fpipe.ops.selector import Selector, View, as_selector
from fpipe.ops.task_op import TaskOp

_RESERVED = ("id", "drop", "overrides")


@descriptor
class Mutate(Computing):
    """New features, or other values for present ones, by polars expressions of features.

    Args:
        columns: pairs of name and expression.
        drop: whether only the features that are named here stay.
    """

    name = "mutate"

    columns: tuple[tuple[str, AnyFormula], ...]
    drop: bool = parameter(default=False, check=boolean(), kw_only=True)

    def parameters(self) -> dict[str, Any]:
        """The expressions by the names of their features, and ``drop``."""
        return dict(self.columns) | {"drop": self.drop}

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the operator with some expressions replaced."""
        given = {name: x for name, x in changes.items() if name != "drop"}
        columns = tuple((n, as_formula(given.get(n, one))) for n, one in self.columns)
        return evolve(self, columns=columns, drop=changes.get("drop", self.drop))

    def written(self) -> tuple[str, ...]:
        """The expressions."""
        shown = [f"{name}={one!r}" for name, one in self.columns]
        return (*(x if len(x) <= 60 else x[:57] + "..." for x in shown), *self._drop_written())

    def expressions(self, columns: tuple[str, ...]) -> dict[str, pl.Expr]:
        """Return the expressions as they are."""
        del columns
        return {name: one.resolve() for name, one in self.columns}

    def kept(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """All features stay, or those that are given another value."""
        named = dict(self.columns)
        return tuple(n for n in features if n in named) if self.drop else features

    def _drop_written(self) -> tuple[str, ...]:
        return ("drop=True",) if self.drop else ()


def mutate(
    columns: Mapping[str, pl.Expr | float] | None = None,
    /,
    *,
    id: str | None = None,
    drop: bool = False,
    **more: pl.Expr | float,
) -> Graph:
    """Compute new features, or other values for present ones, by polars expressions.

    All expressions read the features as they enter. Each row must be computed from itself alone;
    expressions over rows, such as a mean, are refused while fitting.

    Args:
        columns: expressions by the name of their feature, for names that are no Python names.
        id: the node's id; ``"mutate"`` by default.
        drop: whether only the features that are named here stay.
        **more: expressions by the name of their feature; each is a parameter of that name.

    Raises:
        ParameterError: what is given is no expression, or takes columns by a pattern.
        SchemaError: a column is no feature, or the result cannot be one.
        DataError: an expression looks at other rows, or changes their number.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"kg": [80.0, 50.0], "m": [2.0, 1.0], "y": [1, 2]}, "y")
        >>> bmi = ops.mutate(bmi=pl.col("kg") / pl.col("m") ** 2)
        >>> fp.transform(bmi, task, key=fp.key(0)).column("bmi").to_list()
        [20.0, 50.0]
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise _unnamed(columns)
    given = dict(columns or {}) | more
    if not given:
        raise ParameterError(
            "mutate: no feature is given.",
            expected="at least one expression",
            got="none",
            fix='ops.mutate(ratio=pl.col("a") / pl.col("b"))',
        )
    for name in given:
        check_new_name("mutate", name)
        if name in _RESERVED:
            raise ParameterError(
                f"mutate: '{name}' is a parameter and cannot name a feature.",
                expected=f"names other than {', '.join(_RESERVED)}",
                got=name,
                fix=f"call it '{name}_', then ops.rename({{'{name}_': '{name}'}})",
            )
    return node(Mutate(tuple((n, as_formula(x)) for n, x in given.items()), id=id, drop=drop))


def _unnamed(given: Any) -> ParameterError:
    """Return the error about expressions without the names of their features."""
    first = given[0] if isinstance(given, list | tuple) and given else given
    written = str(first) if isinstance(first, pl.Expr) else 'pl.col("a") * 2'
    return ParameterError(
        "mutate: an expression has no name for the feature that it makes.",
        expected="expressions by name: name=expression, or {'name': expression}",
        got=str(given)[:80],
        fix=f"ops.mutate(name={written[:80]})",
    )


@descriptor
class ColApply(Computing):
    """Apply one function of a column to each of some features.

    The function takes and gives a polars expression, as in ``lambda x: x.log1p()``. It is called
    once, and what it gives is kept, so that a lambda too can be compared and saved. Each row
    must be computed from itself alone.

    Args:
        function: the function, an expression over ``pl.element()``, or
            ``"package.module:function"``.
        columns: the features; all numbers by default.
        becomes: the name of the result, with ``{}`` for the name of the feature, as in
            ``"log {}"``; by default the result takes the feature's place.

    Raises:
        ParameterError: the function does not give an expression over the column.
        SchemaError: the expression does not go with the type of a feature.
        DataError: it looks at other rows, or changes their number.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 4.0], "b": [9.0, 16.0], "y": [1, 2]}, "y")
        >>> out = fp.transform(ops.colapply(lambda x: x.sqrt()), task, key=fp.key(0))
        >>> out.column("a").to_list(), out.column("b").to_list()
        ([1.0, 2.0], [3.0, 4.0])
    """

    name = "colapply"

    function: AnyRecipe = parameter(
        default=REQUIRED,
        check=Check("a function of a column", lambda x: isinstance(x, Formula | Opaque | Ref)),
        convert=as_recipe,
    )
    columns: Selector | None = parameter(
        default=None, check=optional(instance_of(Selector)), convert=as_selector, kw_only=True
    )
    becomes: str = parameter(
        default="{}",
        check=Check("a name with one {}", lambda x: isinstance(x, str) and x.count("{}") == 1),
        kw_only=True,
    )

    def chosen(self, task: View) -> tuple[str, ...]:
        """Return the features to work on."""
        return self._choice().of(task)

    def expressions(self, columns: tuple[str, ...]) -> dict[str, pl.Expr]:
        """Return the function's expression for each of them."""
        named = {name: self.becomes.replace("{}", name) for name in columns}
        return {new: on_column(self.function, name) for name, new in named.items()}

    def typed(self, task: TaskType) -> TaskType:
        """Evaluate the expressions, where it is known on what; a new name must be free."""
        if self.function is REQUIRED:
            return evolve(task, open=True)
        sure, possible = self._choice().bounds(task)
        if sure != possible:
            return forgotten(evolve(task, open=True), possible if self.becomes == "{}" else ())
        self._check_free(task)
        return Computing.typed(self, task)

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Capture the features."""
        self._check_free(task)
        return Computing.learn(self, task, key)

    def _choice(self) -> Selector:
        return numeric() if self.columns is None else self.columns

    def _check_free(self, task: View) -> None:
        new = [] if self.becomes == "{}" else list(self.expressions(self.chosen(task)))
        for name in new:
            if name in task.features:
                raise SchemaError(
                    f"colapply would make a second feature '{name}'.",
                    expected="names that are free",
                    got=f"becomes={self.becomes!r}",
                    fix=f"becomes={'new ' + self.becomes!r}",
                    column=name,
                )


@descriptor
class Rename(TaskOp):
    """Give features other names; they keep their places.

    Args:
        names: old name → new name.

    Raises:
        SchemaError: an old name is no feature, or a new one is taken.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1, 2], "b": [3, 4], "y": [1, 2]}, "y")
        >>> fp.transform(ops.rename({"a": "length"}), task, key=fp.key(0)).features
        ('length', 'b')
    """

    name = "rename"

    names: PMap[str, str] = parameter(
        default=REQUIRED,
        check=Check(
            "a mapping of old to new names",
            lambda x: isinstance(x, Mapping) and all(isinstance(n, str) for n in x),
        ),
        convert=lambda x: pmap(x) if isinstance(x, Mapping) else x,
    )

    def __attrs_post_init__(self) -> None:
        if self.names is not REQUIRED:
            for _, new in items(self.names):
                check_new_name(self.name, new)

    def learn(self, task: Task, key: Key) -> None:
        """Check the names."""
        del key
        self._renamed(task)

    def transform(self, state: None, task: Task, key: Key) -> Task:
        """Rename."""
        del key
        features = self._renamed(task)
        pairs = zip(task.features, features, strict=True)
        return task.computed(
            *(pl.col(old).alias(new) for old, new in pairs if old != new), features=features
        )

    def typed(self, task: TaskType) -> TaskType:
        """Rename."""
        if self.names is REQUIRED:
            return evolve(task, open=True)
        if task.open and not set(self.names) <= set(task.features):
            return forgotten(task, set(self.names))
        pairs = zip(task.features, self._renamed(task), strict=True)
        named = [(new, old) for old, new in pairs]
        tensors = {new: task.tensors[old] for new, old in named if old in task.tensors}
        known = evolve(task, tensors=task.tensors.update(pmap(tensors)))
        return known.with_features(tuple((new, task.dtype(old)) for new, old in named))

    def _renamed(self, task: View) -> tuple[str, ...]:
        """Return the features under their new names."""
        check_columns(tuple(sorted(self.names)), task.features, what="feature")
        features = tuple(self.names.get(name, name) for name in task.features)
        others = {c for role, names in task.roles.items() if role != "feature" for c in names}
        for new in features:
            if new in others or features.count(new) > 1:
                raise SchemaError(
                    f"rename would make a second column '{new}'.",
                    expected="new names that are free",
                    got=", ".join(f"{old} → {name}" for old, name in items(self.names)),
                    fix=f"call it '{new}_2'",
                    column=new,
                )
        return features


colapply = operator(ColApply)
rename = operator(Rename)
