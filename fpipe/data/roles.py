"""What the columns of a role must hold."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from fpipe.core.errors import DataError, SchemaError
from fpipe.data.schema import ROLES


def check_roles(table: pl.DataFrame, roles: Mapping[str, tuple[str, ...]]) -> None:
    """Raise where columns cannot have the roles that are meant for them.

    Raises:
        SchemaError: a feature has another role as well, or the target is its own group.
        DataError: a group is missing somewhere, or weights are no weights.
    """
    _check_apart(roles)
    for name in roles.get("group", ()):
        _check_not_target(name, roles)
        _check_groups(table[name])
    for name in roles.get("weight", ()):
        _check_weights(table[name])


def _check_apart(roles: Mapping[str, tuple[str, ...]]) -> None:
    features = roles.get("feature", ())
    for role in ROLES[1:]:
        for column in roles.get(role, ()):
            if column in features:
                raise SchemaError(
                    f"the {role} '{column}' is also a feature.",
                    expected=f"features other than the {role}",
                    got=", ".join(features[:12]),
                    fix=f"leave '{column}' out of features, or copy it under another name",
                )


def _check_not_target(group: str, roles: Mapping[str, tuple[str, ...]]) -> None:
    if group in roles.get("target", ()):
        raise SchemaError(
            f"the target '{group}' cannot be the group as well.",
            expected="a group other than the target, since no split parts a group",
            got=f"'{group}' as target and as group",
            fix="leave the group out",
            column=group,
        )


def _check_groups(column: pl.Series) -> None:
    if column.null_count():
        raise DataError(
            f"the group column '{column.name}' is missing in {column.null_count()} rows.",
            expected="a group in every row",
            got=f"the first missing one in row {int(column.is_null().arg_true()[0])}",
            fix="give these rows groups of their own",
        )


def _check_weights(column: pl.Series) -> None:
    usable = column.dtype.is_numeric() and not column.null_count()
    if usable and column.dtype.is_float():
        usable = bool(column.is_finite().all())
    if not usable or not bool((column >= 0).all()) or column.sum() <= 0:
        raise DataError(
            f"the column '{column.name}' cannot weigh the rows.",
            expected="finite numbers of at least 0, none missing, not all 0",
            got=f"{column.dtype}, {column.null_count()} missing{_range(column)}",
            fix="replace or drop these rows",
        )


def _range(column: pl.Series) -> str:
    if not column.dtype.is_numeric():
        return ""
    return f", least {column.min()!r}, largest {column.max()!r}"
