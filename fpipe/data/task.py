"""Tasks: a table, what is to be predicted, and the role of every column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyrsistent import PMap, pmap

from fpipe.core.equality import same
from fpipe.core.errors import DataError, SchemaError, did_you_mean
from fpipe.core.value import evolve, value
from fpipe.data.deferred import Deferred, Plan
from fpipe.data.frame import clean
from fpipe.data.kind import Classification, Kind
from fpipe.data.lazy.columns import check_lazy, check_plain, is_lazy, positions_of
from fpipe.data.lazy.tensor import LazyColumn, LazyTensor, sizes_text
from fpipe.data.roles import check_roles
from fpipe.data.schema import ROLES, SETTABLE, TaskType, check_columns
from fpipe.data.target import TargetInverse

Rows = NDArray[np.int64]


@value
class Task(Deferred):
    """Data and what is to be predicted from it; made by `classification` and `regression`.

    Args:
        name: a name to show.
        kind: classification (with its classes) or regression.
        table: one row per observation.
        roles: role → column names. Columns without a role are kept but not used.
        row_id: a unique number per row, ``[rows]`` int64.
        origin: the row that a row repeats (itself where it repeats none), ``[rows]`` int64.
        valid: the validation task that rides along, or None.
        target_inverse: undoes the transformations of the target, in the order they were done.
        tensors: lazy column → what its rows share; the table holds where they stand.
    """

    name: str
    kind: Kind
    table: pl.DataFrame
    roles: PMap[str, tuple[str, ...]]
    row_id: Rows
    origin: Rows
    valid: Task | None = None
    target_inverse: tuple[TargetInverse, ...] = ()
    tensors: PMap[str, LazyColumn] = pmap()

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.row_id)

    @property
    def features(self) -> tuple[str, ...]:
        """The feature columns, in order."""
        return self.roles.get("feature", ())

    @property
    def target(self) -> str | None:
        """The target column, or None where the task has none (new data)."""
        return next(iter(self.roles.get("target", ())), None)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; empty for regression."""
        return self.kind.classes if isinstance(self.kind, Classification) else ()

    def column(self, name: str) -> pl.Series:
        """Return one column.

        Raises:
            SchemaError: there is no such column, or it holds lazy tensors (use `tensor`).
        """
        check_columns((name,), tuple(self.schema))
        check_plain(name, self.schema[name])
        return self.table[name]

    def tensor(self, name: str) -> LazyTensor:
        """Return one column of lazy tensors.

        Raises:
            SchemaError: there is no such column, or it holds values (use `column`).
        """
        check_columns((name,), tuple(self.schema))
        check_lazy(name, self.schema[name])
        return LazyTensor(self.tensors[name], positions_of(self.table[name]), self.row_id)

    def dtype(self, column: str) -> pl.DataType:
        """Return the dtype of a column."""
        check_columns((column,), tuple(self.schema))
        return self.schema[column]

    def role(self, role: str) -> pl.Series | None:
        """Return the column with a role, or None where no column has it."""
        names = self.roles.get(role, ())
        return self.table[names[0]] if names else None

    def truth(self) -> pl.Series | None:
        """Return the target as the user gave it, before any transformation."""
        kept = self.role("truth")
        return self.role("target") if kept is None else kept

    def outline(self) -> TaskType:
        """Return what is known of the task without its data."""
        tensors = pmap({name: column.type for name, column in self.tensors.items()})
        dtypes = tuple(self.schema.items())
        return TaskType(self.name, self.kind, dtypes, self.roles, tensors=tensors)

    def take(self, positions: Rows | Sequence[int]) -> Task:
        """Return the task with the rows at these positions; row ids are kept.

        Raises:
            DataError: a position occurs twice (use `repeat`).
        """
        rows = self._checked(positions)
        if len(np.unique(rows)) < len(rows):
            raise DataError(
                "a row is taken twice.",
                expected="distinct positions",
                got=f"{len(rows)} positions, {len(np.unique(rows))} of them distinct",
                fix="use task.repeat(positions), which gives repeated rows ids of their own",
            )
        return self._rows(rows, self.row_id[rows])

    def repeat(self, positions: Rows | Sequence[int]) -> Task:
        """Return the task with rows at these positions, which may repeat.

        The first use of a row keeps its id, every further use gets a new one; all keep their
        origin, so that no split can part them.
        """
        rows = self._checked(positions)
        ids = self.row_id[rows].copy()
        first = np.zeros(len(rows), bool)
        first[np.unique(rows, return_index=True)[1]] = True
        start = int(self.row_id.max()) + 1 if len(rows) else 0
        ids[~first] = np.arange(start, start + int((~first).sum()))
        return self._rows(rows, ids)

    def filter(self, *predicates: pl.Expr) -> Task:
        """Return the task with the rows for which all polars expressions are true.

        Raises:
            SchemaError: polars cannot evaluate one of them.
        """
        try:
            kept = self.table.with_row_index("__row").filter(*predicates)["__row"]
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise SchemaError(
                "the rows cannot be filtered by this expression.",
                expected="expressions over " + ", ".join(self.table.columns[:12]),
                got=str(error).splitlines()[0],
            ) from error
        return self.take(kept.to_numpy().astype(np.int64))

    def select(self, features: Sequence[str]) -> Task:
        """Return the task with only these features, in this order; other columns stay.

        Raises:
            SchemaError: one of them is no feature.
        """
        check_columns(tuple(features), self.features)
        dropped = [name for name in self.features if name not in features]
        roles = self.roles.set("feature", tuple(features))
        plan = self._plan_of(lambda frame: frame.drop(dropped))
        return self._with(plan, roles=roles, tensors=among(self.tensors, plan.empty.schema))

    def computed(self, *columns: pl.Expr, features: Sequence[str] | None = None) -> Task:
        """Return the task with columns computed by polars expressions.

        They are computed when the table is first read, together with those of later calls.

        Args:
            *columns: expressions over the columns; one that keeps the name of a column takes its
                place, others are appended.
            features: the features afterwards, in order; by default the present ones, then the
                new columns. Present features that are not among them are dropped.

        Raises:
            SchemaError: polars cannot make sense of an expression, or a new column has the name
                of one with another role.
        """
        plan = self._plan_of(lambda frame: frame.with_columns(*columns))
        made = [name for name in plan.empty.columns if name not in self.schema]
        wanted = (*self.features, *made) if features is None else tuple(features)
        check_columns(wanted, tuple(plan.empty.columns), what="feature")
        others = {c for role, names in self.roles.items() if role != "feature" for c in names}
        self._check_apart([name for name in wanted if name in others])
        dropped = [name for name in (*self.features, *made) if name not in wanted]
        if dropped:
            plan = plan.then(lambda frame: frame.drop(dropped))
        named = {e.meta.output_name(): e.meta.root_names() for e in columns if self.tensors}
        tensors = among(_renamed(self.tensors, named), plan.empty.schema)
        return self._with(plan, roles=self.roles.set("feature", wanted), tensors=tensors)

    def with_tensors(self, tensors: Mapping[str, LazyColumn]) -> Task:
        """Return the task with something else done to lazy columns after they are read."""
        for name in tensors:
            check_lazy(name, self.dtype(name))
        return self._with(tensors=self.tensors.update(pmap(tensors)))

    def statistics(self, *expressions: pl.Expr) -> tuple[Any, ...]:
        """Return what aggregating expressions give, in one pass over the rows."""
        return self.table.select(*expressions).row(0) if expressions else ()

    def _plan_of(self, step: Callable[[pl.LazyFrame], pl.LazyFrame]) -> Plan:
        try:
            return self._planned().then(step)
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise SchemaError(
                "the columns cannot be computed by these expressions.",
                expected="expressions over " + ", ".join(list(self.schema)[:12]),
                got=str(error).splitlines()[0][:300],
                fix=_expression_fix(error, tuple(self.schema)),
            ) from error

    def with_features(
        self, columns: pl.DataFrame, tensors: Mapping[str, LazyColumn] | None = None
    ) -> Task:
        """Return the task with these columns as its features, in place of the present ones.

        Args:
            columns: the features.
            tensors: what the rows of lazy ones share; by default as in this task.
        """
        if columns.width:
            check_rows(columns.height, self.n_rows)
        others = self.table.drop(self.features)
        self._check_free(columns, others)
        table = columns if not others.width else pl.concat([others, columns], how="horizontal")
        names = tuple(columns.columns)
        known = self.tensors if tensors is None else self.tensors.update(pmap(tensors))
        return evolve(
            self,
            table=table,
            roles=self.roles.set("feature", names),
            tensors=among(known, table.schema),
        )

    def cbind(self, columns: pl.DataFrame) -> Task:
        """Return the task with further feature columns; a feature of the same name is replaced.

        Raises:
            SchemaError: a column has the name of one with another role.
        """
        check_rows(columns.height, self.n_rows)
        self._check_free(columns, self.table.drop(self.features))
        new = tuple(name for name in columns.columns if name not in self.features)
        table = self.table.with_columns(clean(columns, tuple(columns.columns)).get_columns())
        return evolve(self, table=table, roles=self.roles.set("feature", (*self.features, *new)))

    def rbind(self, other: Task) -> Task:
        """Return the task with the rows of another one below; clashing row ids are replaced.

        Raises:
            SchemaError: kind, roles or column types differ.
        """
        if (
            (self.kind, self.roles) != (other.kind, other.roles)
            or self.table.schema != other.table.select(self.table.columns).schema
            or not same(self.tensors, among(other.tensors, self.table.schema))
        ):
            raise SchemaError(
                "tasks with different columns cannot be put below each other.",
                expected=str(dict(self.table.schema))[:200],
                got=str(dict(other.table.schema))[:200],
            )
        table = pl.concat([self.table, other.table.select(self.table.columns)])
        ids, origins = _fresh_ids(self, other)
        return evolve(
            self,
            table=table,
            row_id=np.concatenate([self.row_id, ids]),
            origin=np.concatenate([self.origin, origins]),
        )

    def with_roles(self, **roles: str | Sequence[str]) -> Task:
        """Return the task with some roles given to other columns.

        A column that gets a role of its own is no feature any more.

        Raises:
            SchemaError: a column is unknown, or a role is fixed (the target) or unknown.
            DataError: a column does not hold what its role needs.
        """
        if set(roles) - set(SETTABLE):
            raise SchemaError(
                f"the role '{min(set(roles) - set(SETTABLE))}' cannot be given afterwards.",
                expected=", ".join(SETTABLE),
                got=", ".join(roles),
                fix=_role_fix(min(set(roles) - set(SETTABLE))),
            )
        new = {r: (c,) if isinstance(c, str) else tuple(c) for r, c in roles.items()}
        for columns in new.values():
            check_columns(columns, tuple(self.table.columns))
        taken = {c for role, columns in new.items() if role != "feature" for c in columns}
        features = new.get("feature", tuple(f for f in self.features if f not in taken))
        given = self.roles.update(pmap(new)).set("feature", features)
        check_roles(self.table, given)
        return evolve(self, roles=given, table=clean(self.table, features))

    def with_valid(self, valid: Task | None) -> Task:
        """Return the task with another validation task (or none) riding along."""
        return self._with(valid=valid)

    def with_target_inverse(self, inverse: tuple[TargetInverse, ...]) -> Task:
        """Return the task with other transformations of its target to be undone."""
        return self._with(target_inverse=inverse)

    def _checked(self, positions: Rows | Sequence[int]) -> Rows:
        rows = np.asarray(positions, np.int64)
        outside = rows[(rows < 0) | (rows >= self.n_rows)]
        if len(outside):
            raise DataError(
                f"there is no row at position {int(outside[0])}.",
                expected=f"positions from 0 to {self.n_rows - 1}",
                got=f"{len(outside)} positions outside",
                fix="count positions from 0; row ids are something else",
            )
        return rows

    def _check_free(self, columns: pl.DataFrame, others: pl.DataFrame) -> None:
        self._check_apart([name for name in columns.columns if name in others.columns])

    def _check_apart(self, clash: Sequence[str]) -> None:
        if clash:
            raise SchemaError(
                f"the feature '{clash[0]}' has the name of a column with another role.",
                expected="feature names apart from those of the other columns",
                got=", ".join(clash),
                fix=f"rename '{clash[0]}'",
            )

    def _rows(self, rows: Rows, ids: Rows) -> Task:
        return evolve(self, table=self.table[rows], row_id=ids, origin=self.origin[rows])

    def __repr__(self) -> str:
        return _text(self)


def _expression_fix(error: Exception, known: tuple[str, ...]) -> str:
    if isinstance(error, pl.exceptions.ColumnNotFoundError):
        name = str(error).split('"')[1] if '"' in str(error) else str(error).split()[0]
        return did_you_mean(name, known)
    return "check the expressions on task.table.select(...)"


def _role_fix(role: str) -> str:
    if role in ROLES:
        return "make a new task with fp.classification or fp.regression"
    return did_you_mean(role, SETTABLE)


def check_rows(got: int, expected: int) -> None:
    """Raise DataError where two tables have different numbers of rows."""
    if got != expected:
        raise DataError(
            f"{got} rows do not fit a task of {expected} rows.",
            expected=f"{expected} rows",
            got=f"{got} rows",
        )


def check_learnable(task: Task) -> pl.Series:
    """Return the target of a task that a learner can learn from.

    Raises:
        DataError: a target is missing, there are no rows, or only one class is present.
    """
    target = task.role("target")
    if target is None or target.null_count():
        raise DataError(
            "learning needs a target in every row.",
            expected="no missing target",
            got="no target" if target is None else f"{target.null_count()} missing",
            fix="fit on a task with its target",
        )
    if task.n_rows == 0:
        raise DataError("there are no training rows.", expected="at least one row", got="0 rows")
    if isinstance(task.kind, Classification) and target.n_unique() < 2:
        raise DataError(
            f"all {task.n_rows} training rows have the class '{target[0]}'.",
            expected="at least two classes in the training rows",
            got=f"one of {', '.join(task.classes)}",
            fix="use fewer folds, a larger share or more rows; a split keeps classes in "
            "proportion unless it has stratify=False, groups or other strata",
        )
    return target


def _fresh_ids(task: Task, other: Task) -> tuple[Rows, Rows]:
    clash = bool(np.isin(other.row_id, task.row_id).any())
    if not clash:
        return other.row_id, other.origin
    start = int(max(task.row_id.max(initial=-1), task.origin.max(initial=-1))) + 1
    ids = np.arange(start, start + other.n_rows, dtype=np.int64)
    first = {origin: i for i, origin in reversed(list(enumerate(other.origin.tolist())))}
    return ids, np.array([start + first[o] for o in other.origin.tolist()], np.int64)


def among(
    tensors: PMap[str, LazyColumn], schema: Mapping[str, pl.DataType]
) -> PMap[str, LazyColumn]:
    """Return what is known of the lazy columns that a table has."""
    gone = [name for name in tensors if name not in schema or not is_lazy(schema[name])]
    for name in gone:
        tensors = tensors.remove(name)
    return tensors


def _renamed(
    tensors: PMap[str, LazyColumn], named: Mapping[str, Sequence[str]]
) -> PMap[str, LazyColumn]:
    """Return the lazy columns with those that expressions give another name."""
    new = {
        name: tensors[roots[0]]
        for name, roots in named.items()
        if len(roots) == 1 and roots[0] in tensors
    }
    changed: PMap[str, LazyColumn] = tensors.update(pmap(new))
    return changed


def _kind_text(task: Task, name: str) -> str:
    dtype = task.schema[name]
    if name in task.tensors:
        known = task.tensors[name].type
        return f"lazy {str(known.dtype).removeprefix('torch.')} {sizes_text(known.shape)}"
    return f"Enum[{len(dtype.categories)}]" if isinstance(dtype, pl.Enum) else str(dtype)


def _text(task: Task) -> str:
    target = f"target '{task.target}'" if task.target else "no target"
    lines = [f"Task '{task.name}' ({task.kind.name}, {task.n_rows} rows, {target})"]
    if isinstance(task.kind, Classification):
        mark = {task.kind.positive: " (positive)"}
        shown = [f"{name}{mark.get(name, '')}" for name in task.classes[:10]]
        lines.append(f"  classes   {', '.join(shown)}")
    by_type: dict[str, list[str]] = {}
    for name in task.features:
        by_type.setdefault(_kind_text(task, name), []).append(name)
    for kind, names in by_type.items():
        more = ", …" if len(names) > 8 else ""
        lines.append(f"  features  {kind} ({len(names)}): {', '.join(names[:8])}{more}")
    for role in ROLES[2:]:
        if task.roles.get(role):
            lines.append(f"  {role:<9} {', '.join(task.roles[role])}")
    if task.valid is not None:
        lines.append(f"  valid     {task.valid.n_rows} rows")
    return "\n".join(lines)
