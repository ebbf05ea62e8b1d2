"""Names of new features."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fpipe.core.errors import SchemaError
from fpipe.data.schema import TaskType
from fpipe.ops.selector import View


def check_free(
    operator: str, new: Sequence[str], task: View, *, replaced: Collection[str] = ()
) -> None:
    """Raise SchemaError where a new feature has the name of another column, or a pattern's.

    Args:
        operator: who makes them.
        new: their names.
        task: where they come to stand.
        replaced: columns that go.
    """
    known = dict(task.dtypes) if isinstance(task, TaskType) else task.schema
    others = set(known) - set(replaced)
    seen: set[str] = set()
    clash = [n for n in new if n in others or n in seen or seen.add(n)]  # type: ignore[func-returns-value]
    if clash:
        raise SchemaError(
            f"{operator} would make a second column '{clash[0]}'.",
            expected="new names that are free",
            got=", ".join(clash[:6]),
            fix=f"rename the column '{clash[0]}' first",
            column=clash[0],
        )
    patterns = [name for name in new if name.startswith("^") and name.endswith("$")]
    if patterns:
        raise SchemaError(
            f"{operator} would make the column '{patterns[0]}', which is a pattern to polars.",
            expected="names other than '^…$'",
            got=patterns[0],
            fix="rename the column, or its level",
            column=patterns[0],
        )
