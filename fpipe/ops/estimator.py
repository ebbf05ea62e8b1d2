"""scikit-learn estimators as values: fitted, taken apart into plain data, rebuilt per call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyrsistent import PMap, PVector, pmap, pvector

from fpipe.core.code import Opaque, Ref, as_code, path_of
from fpipe.core.errors import CodecError, DataError, ParameterError, SchemaError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import value
from fpipe.data.schema import TaskType, check_columns, is_numeric
from fpipe.data.task import Task

Matrix = NDArray[np.float64]

_PLAIN = (bool, int, float, str, bytes, type(None), np.generic, complex)
_DEPTH = 40


@value
class Built:
    """An object as the call that rebuilds it.

    Args:
        code: what is called.
        args: with what.
        state: what is set on the object afterwards.
        members: what is put into it, for lists and maps with a class of their own.
    """

    code: Ref
    args: tuple[Any, ...] = ()
    state: Any = None
    members: tuple[Any, ...] = ()


@value
class Estimator:
    """A fitted estimator.

    Args:
        content: the estimator taken apart, or an `Opaque` where that cannot be done.
        columns: the features that it was fitted on.
    """

    content: Built | Opaque
    columns: tuple[str, ...]

    def rebuilt(self) -> Any:
        """Return the estimator as a private copy."""
        return self.content.resolve() if isinstance(self.content, Opaque) else thaw(self.content)


def estimator_class(code: Any) -> Ref | Opaque:
    """Return the class of an estimator as code.

    Raises:
        ParameterError: an instance was given.
    """
    if not isinstance(code, str | Ref | Opaque | type):
        raise ParameterError(
            f"an instance of {type(code).__name__} was given.",
            expected="a class, or 'package.module:Class'",
            got=repr(code)[:80],
            fix=f"give the class and its arguments: sklearn({type(code).__name__}, …)",
        )
    return as_code(code)


def make(code: Ref | Opaque, parameters: PMap[str, Any], key: Key) -> Any:
    """Return an unfitted estimator; where it draws, its seed comes from the key.

    Raises:
        ParameterError: its class does not take one of the parameters, or needs another.
    """
    cls = code.resolve()
    known = cls().get_params() if hasattr(cls, "get_params") and _no_required(cls) else None
    if known is not None:
        for name in sorted(parameters):
            if name not in known:
                raise ParameterError(
                    f"{code.name} has no parameter '{name}'.",
                    expected=", ".join(sorted(known)),
                    got=name,
                    fix=did_you_mean(name, known),
                )
    try:
        made = cls(**dict(items(parameters)))
    except TypeError as error:
        raise ParameterError(
            f"{code.name} cannot be made of these parameters.",
            expected="parameters that its class takes",
            got=str(error)[:300],
            fix=f"sklearn({code.name}, ...) with other parameters",
        ) from error
    seeded = hasattr(made, "get_params") and "random_state" in made.get_params()
    if seeded and made.get_params()["random_state"] is None:
        made.set_params(random_state=key.integer(31))
    return made


def matrix(task: Task, columns: tuple[str, ...]) -> Matrix:
    """Return features as ``[rows, features]`` float64; missing values are NaN."""
    check_columns(columns, task.features)
    frame = task.table.select([pl.col(name).cast(pl.Float64) for name in columns])
    return np.ascontiguousarray(frame.to_numpy())


def numeric_features(task: Task | TaskType, what: str) -> tuple[str, ...]:
    """Return all features, which must be numbers or truth values.

    Raises:
        SchemaError: there is none, or one is something else.
    """
    wrong = [n for n in task.features if not _numeric(task.dtype(n))]
    if wrong or not task.features:
        raise SchemaError(
            f"{what} takes numbers"
            + (f", but '{wrong[0]}' holds {_held(task.dtype(wrong[0]))}." if wrong else "."),
            expected="at least one feature, all numeric",
            got=", ".join(f"{n}: {_held(task.dtype(n))}" for n in wrong[:6]) or "no feature",
            fix=_encoding_fix(task, wrong),
        )
    return task.features


def _held(dtype: pl.DataType) -> str:
    """Return in a word what a feature that is no number holds."""
    if isinstance(dtype, pl.Array):
        return "tensors"
    return "levels" if isinstance(dtype, pl.Enum) else f"{dtype}"


def _encoding_fix(task: Task | TaskType, wrong: list[str]) -> str:
    dated = any(isinstance(task.dtype(name), pl.Date | pl.Datetime) for name in wrong)
    encoded = "ops.date_features()" if dated else "ops.one_hot()"
    return f"encode them first with {encoded}, or keep only ops.select(ops.numeric())"


def fit_estimator(made: Any, x: Matrix, y: Any, **extra: Any) -> None:
    """Fit a private estimator in place; its complaints become fpipe's errors.

    Args:
        made: the estimator.
        x: ``[rows, features]``.
        y: ``[rows]``, or None.
        **extra: further arguments of its ``fit``.

    Raises:
        ParameterError: it does not accept the value of one of its parameters.
        DataError: it does not take the data.
    """
    name = type(made).__name__
    try:
        made.fit(x, y, **extra)
    except (ValueError, TypeError) as error:
        # By name, so that scikit-learn's private module need not be imported.
        if type(error).__name__ == "InvalidParameterError":
            raise ParameterError(
                f"{name} does not accept the value of a parameter.",
                expected="values that its documentation allows",
                got=str(error)[:300],
                fix=f"sklearn({name}, ...) with another value",
            ) from error
        holes = np.argwhere(~np.isfinite(x))
        raise DataError(
            f"{name} cannot be fitted to these {x.shape[0]} rows.",
            expected="data that the estimator takes",
            got=str(error).splitlines()[0][:300] if len(holes) else str(error)[:300],
            fix="fill what is missing first, with ops.impute_median() or ops.impute_hist()"
            if np.isnan(x).any()
            else "give rows and parameters that go together",
        ) from error


def call(made: Any, method: str, x: Matrix) -> Matrix:
    """Return what a fitted estimator makes of some rows, dense; complaints become `DataError`."""
    try:
        out = getattr(made, method)(x)
    except ValueError as error:
        raise DataError(
            f"{type(made).__name__} refuses these rows.",
            expected="rows like those that it was fitted on",
            got=str(error)[:300],
        ) from error
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out, np.float64)


def kept(made: Any, columns: tuple[str, ...]) -> Estimator:
    """Return a fitted estimator as a value."""
    try:
        return Estimator(freeze(made), columns)
    except CodecError:
        return Estimator(Opaque(made), columns)


def freeze(thing: Any, depth: int = 0) -> Any:
    """Return an object as plain frozen data.

    Raises:
        CodecError: it is nested too deeply (or in a circle), or holds code without a name.
    """
    if depth > _DEPTH:
        raise CodecError("the object is nested too deeply to be taken apart.", got=repr(thing)[:80])
    if isinstance(thing, _PLAIN):
        return thing
    if isinstance(thing, np.ndarray) and thing.dtype != object:
        return thing.copy()
    if type(thing) is tuple:
        return tuple(freeze(x, depth + 1) for x in thing)
    if type(thing) is list:
        return pvector(freeze(x, depth + 1) for x in thing)
    if type(thing) is dict and all(isinstance(k, str) for k in thing):
        return pmap({k: freeze(v, depth + 1) for k, v in thing.items()})
    if isinstance(thing, type) or callable(thing):
        return Ref(path_of(thing)) if _has_path(thing) else _reduced(thing, depth)
    return _reduced(thing, depth)


def thaw(data: Any) -> Any:
    """Return the object that frozen data stands for."""
    if isinstance(data, Built):
        return _rebuilt(data)
    if isinstance(data, Ref):
        return data.resolve()
    if isinstance(data, np.ndarray):
        return data.copy()
    if isinstance(data, PVector):
        return [thaw(x) for x in data]
    if isinstance(data, tuple):
        return tuple(thaw(x) for x in data)
    if isinstance(data, Mapping):
        return {key: thaw(x) for key, x in data.items()}
    return data


def _reduced(thing: Any, depth: int) -> Built:
    try:
        reduced = thing.__reduce_ex__(2)
    except TypeError as error:
        raise CodecError(
            f"{type(thing).__name__} cannot be taken apart.", got=str(error)
        ) from error
    if isinstance(reduced, str):
        raise CodecError(f"{type(thing).__name__} cannot be taken apart.", got=reduced)
    call, args, state, listed, mapped = (*reduced, None, None, None)[:5]
    members = tuple(listed or ()) + tuple(mapped or ())
    return Built(
        Ref(path_of(call)),
        freeze(tuple(args), depth + 1),
        freeze(state, depth + 1),
        freeze(members, depth + 1),
    )


def _rebuilt(data: Built) -> Any:
    made = data.code.resolve()(*(thaw(x) for x in data.args))
    _restore(made, thaw(data.state))
    # By the classes' own methods: an object may hold something else under such a name.
    if isinstance(made, list):
        list.extend(made, (thaw(x) for x in data.members))
    elif isinstance(made, dict):
        dict.update(made, {thaw(k): thaw(v) for k, v in data.members})
    elif data.members:
        raise CodecError(
            f"{type(made).__name__} is rebuilt with members and holds none.",
            expected="a list or a map",
            got=type(made).__name__,
        )
    return made


def _restore(made: Any, state: Any) -> None:
    if state is None:
        return
    restore = getattr(type(made), "__setstate__", None)
    if restore is not None:
        restore(made, state)
    else:
        made.__dict__.update(state)


def _has_path(thing: Any) -> bool:
    try:
        path_of(thing)
    except CodecError:
        return False
    return True


def _no_required(cls: Any) -> bool:
    try:
        cls()
    except TypeError:
        return False
    return True


def _numeric(dtype: pl.DataType) -> bool:
    return is_numeric(dtype) or isinstance(dtype, pl.Boolean)
