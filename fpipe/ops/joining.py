"""Several tasks over the same rows as one, and one task on several wires."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.equality import same, same_series
from fpipe.core.errors import DataError, GraphError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph
from fpipe.graph.op import Op
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port, from_input
from fpipe.ops.selector import View


@descriptor
class Union(Op):
    """Bring the features of several tasks over the same rows together, side by side.

    The features come in the order of the inputs. A feature that several tasks have must hold the
    same in all of them, and is taken once. Target and other roles must be the same too.

    Raises:
        DataError: the tasks have other rows.
        SchemaError: two features have one name but not the same values, or a target or another
            role differs.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 3.0], "b": [0.0, 9.0], "y": [1, 2]}, "y")
        >>> both = (ops.select("a") >> ops.scale()) & ops.select("b")
        >>> fp.transform(fp.identity() >> both >> ops.union(), task, key=fp.key(0)).features
        ('a', 'b')
    """

    name = "union"
    inputs = (Port("tasks", Task, variadic=True),)
    outputs = (Port("task", Task),)

    def apply(
        self, state: None, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Put the features of all tasks side by side."""
        del state, key, context
        _check_some(inputs)
        first: Task = inputs[0]
        if len(inputs) == 1:
            return (first,)
        for place, other in enumerate(inputs[1:], start=1):
            _check_rows(first, other, place)
            _check_roles(first, other, place)
            _check_others(first, other, place)
        features = _merged(inputs)
        clash = [n for n in features.columns if n in _others(first.roles)]
        _check_apart(clash)
        # Columns without a role stand aside for features of their name.
        bare = [n for n in features.columns if n in first.schema and n not in first.features]
        table = evolve(first, table=first.table.drop(bare)) if bare else first
        shared = {name: c for one in inputs for name, c in one.tensors.items()}
        return (table.with_features(features, shared),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Put the types of all features side by side."""
        del key, context
        _check_some(types)
        first: TaskType = types[0]
        found: dict[str, pl.DataType] = {}
        for place, one in enumerate(types):
            _check_roles(first, one, place)
            for name in one.features:
                dtype = one.dtype(name)
                if not same(found.setdefault(name, dtype), dtype):
                    raise _two_features(name, str(found[name]), str(dtype))
        _check_apart([n for n in found if n in _others(first.roles)])
        whole = first.with_features(tuple(found.items()), open=any(t.open for t in types))
        tensors = {name: known for one in types for name, known in one.tensors.items()}
        whole = evolve(whole, tensors=whole.tensors.update(pmap(tensors)))
        names = set(found)
        bare = [(n, t) for n, t in whole.dtypes if n not in names or n in whole.features]
        return (evolve(whole, dtypes=tuple(dict(bare).items())),)


union = operator(Union)


def copy(n: int) -> Graph:
    """Return wires that let one value leave on ``n`` outputs, without a node.

    Args:
        n: how many outputs, at least 1.

    Raises:
        ParameterError: ``n`` is no such number.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 3.0], "b": [0.0, 9.0], "y": [1, 2]}, "y")
        >>> graph = ops.copy(2) >> (ops.select("b") & ops.select("a")) >> ops.union()
        >>> fp.transform(graph, task, key=fp.key(0)).features
        ('b', 'a')
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ParameterError(
            f"copy cannot make {n!r} outputs.",
            expected="an integer of at least 1",
            got=f"{n!r} ({type(n).__name__})",
            fix="ops.copy(2)",
        )
    return Graph((Port("input"),), (), tuple(from_input(0) for _ in range(n)))


def _check_some(inputs: tuple[Any, ...]) -> None:
    if not inputs:
        raise GraphError(
            "union has no input.",
            expected="at least one task",
            got="none",
            fix="ops.copy(2) >> (a & b) >> ops.union()",
        )


def _check_rows(first: Task, other: Task, place: int) -> None:
    if first.n_rows != other.n_rows or not np.array_equal(first.row_id, other.row_id):
        raise DataError(
            f"the tasks 0 and {place} do not have the same rows.",
            expected=f"{first.n_rows} rows with the ids {_ids(first)}",
            got=f"{other.n_rows} rows with the ids {_ids(other)}",
            fix="change the rows (ops.balance) before the paths part",
        )


def _check_roles(first: View, other: View, place: int) -> None:
    mine, theirs = _others(first.roles), _others(other.roles)
    if not same(first.kind, other.kind) or mine != theirs:
        raise SchemaError(
            f"the tasks 0 and {place} do not predict the same from the same roles.",
            expected=f"{first.kind!r}; {_listed(mine)}",
            got=f"{other.kind!r}; {_listed(theirs)}",
            fix="change target and roles before the paths part",
        )


def _check_others(first: Task, other: Task, place: int) -> None:
    for name, role in _others(first.roles).items():
        mine, theirs = first.table[name], other.table[name]
        if not same_series(mine, theirs):
            raise SchemaError(
                f"the {role} '{name}' is not the same in the tasks 0 and {place}.",
                expected=_differing(mine, theirs),
                got=_differing(theirs, mine),
                fix="transform the target before the paths part",
                column=name,
            )
    if not same(first.target_inverse, other.target_inverse):
        raise SchemaError(
            f"the target is transformed otherwise in the tasks 0 and {place}.",
            expected=repr(first.target_inverse)[:200],
            got=repr(other.target_inverse)[:200],
            fix="transform the target before the paths part",
        )


def _merged(tasks: tuple[Task, ...]) -> pl.DataFrame:
    found: dict[str, pl.Series] = {}
    shared: dict[str, Any] = {}
    for task in tasks:
        for name in task.features:
            column = task.table[name]
            known = found.setdefault(name, column)
            if known is not column and not same_series(known, column):
                raise _two_features(name, _differing(known, column), _differing(column, known))
            lazy = shared.setdefault(name, task.tensors.get(name))
            if not same(lazy, task.tensors.get(name)):
                raise _two_features(name, repr(lazy)[:200], repr(task.tensors.get(name))[:200])
    return pl.DataFrame(list(found.values()))


def _two_features(name: str, one: str, other: str) -> SchemaError:
    return SchemaError(
        f"two features with the name '{name}' meet.",
        expected=f"the same values in both, as {one}",
        got=other,
        fix=f"rename one of them first: ops.rename({{'{name}': '{name}_2'}})",
        column=name,
    )


def _check_apart(clash: list[str]) -> None:
    if clash:
        raise SchemaError(
            f"the feature '{clash[0]}' has the name of a column with another role.",
            expected="names apart from those of columns with other roles",
            got=", ".join(clash),
            fix=f"rename it first: ops.rename({{'{clash[0]}': '{clash[0]}_2'}})",
            column=clash[0],
        )


def _others(roles: Any) -> dict[str, str]:
    """Return the columns with roles other than feature, and their roles."""
    pairs = sorted((role, names) for role, names in roles.items() if role != "feature")
    return {name: role for role, names in pairs for name in names}


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{role} '{name}'" for name, role in columns.items()) or "no roles"


def _ids(task: Task) -> str:
    return ", ".join(map(str, task.row_id[:6])) + (", …" if task.n_rows > 6 else "")


def _differing(column: pl.Series, other: pl.Series) -> str:
    """Return the type of a column, and its first value that another column has not."""
    if not same(column.dtype, other.dtype) or column.len() != other.len():
        return str(column.dtype)
    row = next((i for i in range(column.len()) if not same(column[i], other[i])), 0)
    return f"{str(column[row])[:40]} in row {row}"
