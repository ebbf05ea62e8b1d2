"""What is to be predicted: a class or a number."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.value import descriptor


@descriptor
class Classification:
    """One of several classes.

    Args:
        classes: the class names, in the order that codes and probability columns follow.
        positive: the class that counts as positive where there are two; None for more.
    """

    name: ClassVar[str] = "classification"

    classes: tuple[str, ...]
    positive: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.positive is not None and self.positive not in self.classes:
            raise ParameterError(
                f"the positive class '{self.positive}' is no class of the target.",
                expected=", ".join(self.classes),
                got=self.positive,
                fix=did_you_mean(self.positive, self.classes),
            )
        if self.positive is not None and not self.binary:
            raise ParameterError(
                f"one of {len(self.classes)} classes cannot be the positive one.",
                expected="two classes where one of them is positive",
                got=f"classes {', '.join(self.classes[:12])}, positive '{self.positive}'",
                fix="leave positive out",
            )

    @property
    def binary(self) -> bool:
        """Whether there are exactly two classes."""
        return len(self.classes) == 2

    @property
    def output_size(self) -> int:
        """How many numbers a network gives per row: one logit for two classes, else one each."""
        return 1 if self.binary else len(self.classes)


@descriptor
class Regression:
    """A number."""

    name: ClassVar[str] = "regression"

    @property
    def output_size(self) -> int:
        """How many numbers a network gives per row."""
        return 1


Kind: TypeAlias = Classification | Regression
