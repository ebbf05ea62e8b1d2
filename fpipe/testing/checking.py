"""Every law, and the search for a case that breaks one."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from fpipe.core.law import Law
from fpipe.testing.cases import cases as cases_of
from fpipe.testing.laws.augmenting import AUGMENTING
from fpipe.testing.laws.callbacks import CALLBACKS
from fpipe.testing.laws.composition import COMPOSITION
from fpipe.testing.laws.equality import EQUALITY
from fpipe.testing.laws.files import FILES
from fpipe.testing.laws.fit_apply import FIT_APPLY, PREDICTORS, TASK_OPERATORS
from fpipe.testing.laws.joining import JOINING
from fpipe.testing.laws.lazy import LAZY
from fpipe.testing.laws.lenses import LENSES
from fpipe.testing.laws.purity import PURITY
from fpipe.testing.laws.resampling import RESAMPLING
from fpipe.testing.laws.running import RUNNING
from fpipe.testing.laws.training import TRAINING

LAWS: tuple[Law, ...] = (
    *COMPOSITION,
    *RUNNING,
    *FIT_APPLY,
    *TASK_OPERATORS,
    *PREDICTORS,
    *TRAINING,
    *CALLBACKS,
    *JOINING,
    *LENSES,
    *EQUALITY,
    *PURITY,
    *RESAMPLING,
    *FILES,
    *LAZY,
    *AUGMENTING,
)
"""Every law, in reading order."""


def holds(
    law: Law,
    cases: SearchStrategy[tuple[Any, ...]] | None = None,
    *,
    examples: int | None = None,
    shrink: bool = True,
) -> int:
    """Search for a case that breaks a law; raise what breaks it.

    Args:
        law: the law.
        cases: tuples that its check takes; those of `cases` by default.
        examples: how many cases; as many as the Hypothesis profile says by default.
        shrink: whether a case that breaks it is made as small as possible.

    Returns:
        how many cases were checked.

    Raises:
        AssertionError: the law is broken.

    Example:
        >>> from fpipe.testing.laws.composition import COMPOSITION
        >>> holds(COMPOSITION[3], examples=20) > 1
        True
    """
    strategy = cases_of(law) if cases is None else cases
    phases = [p for p in Phase if shrink or p not in (Phase.shrink, Phase.explain)]
    limits: dict[str, Any] = {} if examples is None else {"max_examples": examples}
    checked = 0

    @settings(deadline=None, phases=phases, suppress_health_check=list(HealthCheck), **limits)
    @given(strategy)
    def body(case: tuple[Any, ...]) -> None:
        nonlocal checked
        checked += 1
        law.check(*case)

    body()
    return checked


def violation(
    law: Law, cases: SearchStrategy[tuple[Any, ...]] | None = None, *, examples: int = 200
) -> AssertionError | None:
    """Return the first failure that a law's check raises, or None where none is found.

    Only an AssertionError of the check counts; any other error is raised, so that a law cannot
    seem to catch what merely broke the making of its cases.

    Args:
        law: the law.
        cases: tuples that its check takes; those of `cases` by default.
        examples: how many cases are tried at most.
    """
    strategy = cases_of(law) if cases is None else cases
    found: AssertionError | None = None

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def body(case: tuple[Any, ...]) -> None:
        nonlocal found
        if found is None:
            try:
                law.check(*case)
            except AssertionError as error:
                found = error
        if found is not None:
            raise _FoundError

    with contextlib.suppress(_FoundError):
        body()
    return found


class _FoundError(Exception):
    """Ends a search."""


def law(name: str) -> Law:
    """Return the law of a name.

    Raises:
        KeyError: there is none.
    """
    return {one.name: one for one in LAWS}[name]
