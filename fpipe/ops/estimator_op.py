"""What operators around a scikit-learn estimator share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.graph.op import Op


@descriptor
class EstimatorOp(Op):
    """An operator around an estimator; the estimator's arguments are its parameters.

    Args:
        code: the estimator's class.
        settings: its arguments.
    """

    name = "sklearn"

    code: Ref | Opaque
    settings: PMap[str, Any] = pmap()

    def parameters(self) -> dict[str, Any]:
        """The estimator's own arguments."""
        return dict(self.settings)

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the operator with some arguments replaced."""
        return evolve(self, settings=self.settings.update(pmap(dict(changes))))

    def written(self) -> tuple[str, ...]:
        """The class and its arguments."""
        return (repr(self.code.name), *(f"{k}={v!r}" for k, v in items(self.settings)))
