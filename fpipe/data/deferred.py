"""Tables that are computed when they are first read.

An operator whose new columns are polars expressions hands on a plan instead of a table, so that
the expressions of consecutive operators are computed in one go, once, when somebody reads. It
cannot be seen from outside: reading gives the same table at any time, in any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import attrs
import polars as pl

from fpipe.core.errors import DataError


class Plan(NamedTuple):
    """A table that has not been computed yet, and what it is without rows.

    The types of the columns are read from the empty table: what polars foresees of a lazy frame
    is now and then another type than the one it computes.
    """

    frame: pl.LazyFrame
    empty: pl.DataFrame

    def then(self, step: Callable[[pl.LazyFrame], pl.LazyFrame]) -> Plan:
        """Return the plan with one more step."""
        return Plan(step(self.frame), step(self.empty.lazy()).collect())

    def collected(self) -> pl.DataFrame:
        """Compute the table.

        Raises:
            DataError: an expression fails on these rows.
        """
        try:
            return self.frame.collect()
        except pl.exceptions.PolarsError as error:
            raise DataError(
                "a column cannot be computed from these rows.",
                expected="expressions that are defined for every row",
                got=str(error).splitlines()[0][:300],
                fix="check the expressions of ops.mutate and ops.colapply before this point",
            ) from error


class Deferred:
    """A frozen class whose field ``table`` may be a plan until it is read."""

    __slots__ = ("_plan",)

    table: pl.DataFrame
    _plan: Plan

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns; reading them computes nothing."""
        plan = self._pending()
        return self.table.schema if plan is None else plan.empty.schema

    def __getattr__(self, name: str) -> Any:
        if name != "table":
            raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")
        try:
            plan = object.__getattribute__(self, "_plan")
        except AttributeError:
            # Another thread has just computed it and dropped the plan.
            return object.__getattribute__(self, "table")
        frame = plan.collected()
        object.__setattr__(self, "table", frame)
        if hasattr(self, "_plan"):
            object.__delattr__(self, "_plan")
        return frame

    def _pending(self) -> Plan | None:
        try:
            plan: Plan = object.__getattribute__(self, "_plan")
        except AttributeError:
            return None
        return plan

    def _planned(self) -> Plan:
        plan = self._pending()
        return Plan(self.table.lazy(), self.table.head(0)) if plan is None else plan

    def _with(self, plan: Plan | None = None, **changes: Any) -> Self:
        """Return a copy with other fields, and with a plan in place of the table.

        Without a plan a table that has not been computed yet stays so.
        """
        kept = self._pending() if plan is None and "table" not in changes else plan
        made = object.__new__(type(self))
        for field in attrs.fields(type(self)):  # type: ignore[arg-type]
            if field.name == "table" and kept is not None:
                object.__setattr__(made, "_plan", kept)
            else:
                given = changes[field.name] if field.name in changes else getattr(self, field.name)
                object.__setattr__(made, field.name, given)
        return made
