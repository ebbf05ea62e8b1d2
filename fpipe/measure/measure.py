"""What a measure is: a name, a direction, what it needs, and its parameters."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from pyrsistent import PMap, pmap

from fpipe.core.errors import DataError, ParameterError, did_you_mean
from fpipe.core.parameter import (
    REQUIRED,
    Check,
    boolean,
    instance_of,
    one_of,
    optional,
    parameter,
    text,
)
from fpipe.core.tree import items
from fpipe.core.value import descriptor

_BOUNDS = Check(
    "two numbers, the lower first",
    lambda x: isinstance(x, tuple) and len(x) == 2 and x[0] <= x[1],
)


@descriptor
class Measure:
    """What a score is called and what it asks of a prediction; made by `measure`.

    Args:
        rule: the name of the rule that computes it, such as ``"fbeta"``.
        minimize: whether smaller is better; None where neither end is (a bias is best at 0).
        needs: what it compares with the truth: ``"response"`` or ``"prob"``.
        kind: ``"classification"`` or ``"regression"``.
        binary_only: whether it is defined for two classes only.
        range: the least and the greatest score there can be.
        parameters: what the rule is told besides, by name.
    """

    rule: str = parameter(check=text())
    minimize: bool | None = parameter(check=optional(boolean()))
    needs: Literal["response", "prob"] = parameter(check=one_of("response", "prob"))
    kind: Literal["classification", "regression"] = parameter(
        check=one_of("classification", "regression")
    )
    binary_only: bool = parameter(default=False, check=boolean())
    range: tuple[float, float] = parameter(default=(-math.inf, math.inf), check=_BOUNDS)
    parameters: PMap[str, Any] = parameter(default=pmap(), check=instance_of(PMap), convert=pmap)

    @property
    def name(self) -> str:
        """The standard name: the rule, and the parameters, as in ``"fbeta(beta=2)"``."""
        if not self.parameters:
            return self.rule
        return f"{self.rule}({', '.join(f'{k}={_written(v)}' for k, v in items(self.parameters))})"

    def smaller_is_better(self) -> bool:
        """Return the direction of the measure.

        Raises:
            ParameterError: the measure has none: it is best somewhere in between.
        """
        if self.minimize is None:
            raise ParameterError(
                f"{self.name}: neither small nor large scores are the better ones.",
                expected="a measure to minimize or to maximize",
                got=f"{self.name}, which is best at 0",
                fix="use 'mae' or 'rmse'",
            )
        return self.minimize

    def __repr__(self) -> str:
        return f"measure({self.name!r})"


class Option(NamedTuple):
    """A parameter of a rule: its default, what it accepts, and how it is brought into form."""

    default: Any
    check: Check
    convert: Callable[[Any], Any] = lambda given: given


class Rule(NamedTuple):
    """How a measure is computed.

    Args:
        measure: the measure with the defaults of its parameters left out.
        compute: takes what is compared, and the parameters by name.
        options: the parameters.
    """

    measure: Measure
    compute: Callable[..., float]
    options: Mapping[str, Option] = pmap()

    def settle(self, given: Mapping[str, Any]) -> PMap[str, Any]:
        """Return the given parameters in their form; those equal to the default are left out.

        Raises:
            ParameterError: a name is unknown, or a value is not accepted.
        """
        name, found = self.measure.rule, {}
        for key, value in given.items():
            if key not in self.options:
                raise _unknown_parameter(name, key, self.options)
            option = self.options[key]
            formed = _formed(option, value)
            if formed is not REQUIRED and not option.check.accepts(formed):
                raise ParameterError(
                    f"{name}: {key} cannot be {value!r}.",
                    expected=option.check.words,
                    got=f"{value!r} ({type(value).__name__})",
                    fix=f"give {key} as {option.check.words}",
                )
            if formed is not REQUIRED and formed != option.default:
                found[key] = formed
        return pmap(found)

    def arguments(self, measure: Measure) -> dict[str, Any]:
        """Return all parameters of a measure, those with their default too.

        Raises:
            ParameterError: one that has no default is not set.
        """
        defaults = {key: option.default for key, option in self.options.items()}
        whole = defaults | dict(self.settle(measure.parameters))
        unset = [key for key, value in whole.items() if value is REQUIRED]
        if unset:
            raise ParameterError(
                f"{measure.rule}: {unset[0]} is not set.",
                expected=self.options[unset[0]].check.words,
                got=repr(measure.rule),
                fix=f'write it into the name: "{measure.rule}({unset[0]}=…)"',
            )
        return whole


class UndefinedError(DataError):
    """A score that the measure does not define for these rows, such as 0 out of 0."""


def undefined(name: str, why: str, expected: str, got: str, fix: str) -> UndefinedError:
    """Return the error of a score that is not defined: ``name`` and why, one sentence."""
    return UndefinedError(f"{name}: {why}", expected=expected, got=got, fix=fix)


def real(given: Any) -> Any:
    """Return an int as a float, and anything else as it is (for the check to judge)."""
    return float(given) if isinstance(given, int) and not isinstance(given, bool) else given


def read_name(name: str) -> tuple[str, dict[str, Any]]:
    """Return the rule and the parameters that a standard name speaks of.

    Raises:
        ParameterError: the brackets do not hold ``name=value`` pairs of plain values.

    Example:
        >>> read_name("fbeta(beta=2)")
        ('fbeta', {'beta': 2})
    """
    rule, bracket, _ = name.partition("(")
    if not bracket:
        return name, {}
    try:
        call = ast.parse(name, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError(name)
        return rule, {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ParameterError(
            f"the name {name!r} of a measure cannot be read.",
            expected="a name, or a name with parameters such as 'fbeta(beta=2)'",
            got=repr(name),
            fix='write a name and name=value in brackets, such as "fbeta(beta=2)"',
        ) from error


def _formed(option: Option, value: Any) -> Any:
    try:
        return value if value is REQUIRED else option.convert(value)
    except (TypeError, ValueError, AttributeError):
        return value


def _unknown_parameter(rule: str, key: str, options: Mapping[str, Option]) -> ParameterError:
    return ParameterError(
        f"{rule} has no parameter {key!r}.",
        expected=", ".join(options) or "no parameters",
        got=key,
        fix=did_you_mean(key, options) if options else f"write '{rule}' without brackets",
    )


def _written(value: Any) -> str:
    """Write a parameter as Python reads it; whole floats without their point."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {_written(v)}" for k, v in items(value)) + "}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
