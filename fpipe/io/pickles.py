"""Reading plain data from pickles without running any code that they name."""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

_MAKERS = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
}
"""What an array of NumPy names in a pickle; none of it is called."""

_NUMBERS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8"}
_ORDERS = {"<": "<", ">": ">", "|": "", "=": ""}


def plain_pickle(data: bytes) -> Any:
    """Return the plain data in a pickle: dicts, lists, tuples, text, numbers, arrays of numbers.

    A pickle is a program that may call anything. Here nothing that it names is called: arrays are
    put together from the bytes in it, and any other name is an error. Text of Python 2 is read as
    latin-1.

    Args:
        data: the pickle.

    Raises:
        ValueError: it is damaged, or holds something else than plain data.

    Example:
        >>> plain_pickle(pickle.dumps({"a": [1, "b"]}))
        {'a': [1, 'b']}
    """
    try:
        return _plain(_Reader(io.BytesIO(data), encoding="latin1").load())
    except Exception as error:
        # A damaged pickle may fail in any way at all.
        raise ValueError(
            f"it is no pickle of plain data: {type(error).__name__}: {error}"
        ) from error


class _Name:
    """Stands where a pickle names something; calling it notes the arguments."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> _Made:
        return _Made(self.name, arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"{self.name} cannot have a state")


class _Made:
    """Stands where a pickle makes something: what of, and what it is filled with."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = arguments
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _MAKERS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _Name(_MAKERS[module, name])


def _plain(x: Any) -> Any:
    """Return data with arrays in place of what stands for them."""
    if isinstance(x, _Made):
        return _array(x)
    if isinstance(x, dict):
        return {_plain(key): _plain(each) for key, each in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(_plain(each) for each in x)
    if x is None or isinstance(x, str | bytes | bool | int | float):
        return x
    raise pickle.UnpicklingError(f"it holds a {type(x).__name__}")


def _array(made: _Made) -> NDArray[Any]:
    _, shape, dtype, by_column, content = made.state
    if made.name != "array" or not isinstance(dtype, _Made) or dtype.name != "dtype":
        raise pickle.UnpicklingError("it holds a part of an array")
    kind = dtype.arguments[0]
    if kind not in _NUMBERS:
        raise pickle.UnpicklingError(f"it holds an array of {kind!r}")
    elements = np.dtype(_ORDERS[dtype.state[1]] + kind)
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    order: Any = "F" if by_column else "C"
    return np.frombuffer(raw, elements).reshape(shape, order=order).copy(order=order)
