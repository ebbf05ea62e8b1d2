"""Which code files may refer to unless the reader allows more."""

from __future__ import annotations

import copyreg
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import polars as pl
import torch

from fpipe.codec.trust import Trusted, inside, module_of

_HOUSE = ("fpipe.measure", "fpipe.net.layers")
_APART = (
    *("sklearn.datasets", "sklearn.externals", "sklearn.utils._testing", "sklearn.conftest"),
    *("sklearn.utils.parallel", "sklearn.utils._joblib", "sklearn.utils._mocking"),
    *("sklearn.callback", "sklearn.tree._export", "sklearn.experimental", "sklearn.tests"),
    *("sklearn.utils._plotting", "sklearn.utils._show_versions", "sklearn.utils.fixes"),
)
_SKLEARN_FUNCTIONS = (
    *("sklearn.metrics", "sklearn.preprocessing", "sklearn.feature_selection"),
    *("sklearn.utils.extmath", "sklearn.utils.validation", "sklearn.decomposition"),
    *("sklearn._loss", "sklearn.linear_model", "sklearn.neural_network", "sklearn.neighbors"),
)
_SCIPY = ("scipy.sparse", "scipy.interpolate", "scipy.stats", "scipy.spatial")
_FUNCTIONAL = "torch.nn.functional"
_SUMMARIES = (np.mean, np.median, np.sum, np.prod, np.max, np.min, np.std, np.var, np.ptp)


def _house(found: Any) -> bool:
    """What fpipe itself defines of formulas and layers; all else of it comes as values."""
    module = module_of(found)
    return callable(found) and any(inside(module, room) for room in _HOUSE)


def _modules(found: Any) -> bool:
    """The layers and functions of torch."""
    if isinstance(found, BuiltinFunctionType):
        return getattr(torch.nn.functional, found.__name__, None) is found
    if isinstance(found, type):
        return inside(module_of(found), "torch.nn")
    return isinstance(found, FunctionType) and module_of(found) == _FUNCTIONAL


def _classes_in(package: str) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, type) and inside(module_of(found), package)


def _defined_in(package: str) -> Callable[[Any], bool]:
    return lambda found: callable(found) and inside(module_of(found), package)


def _sklearn(found: Any) -> bool:
    """Estimators, what they are made of, and functions of numbers; nothing that has effects."""
    module = module_of(found)
    if not inside(module, "sklearn") or any(inside(module, name) for name in _APART):
        return False
    if isinstance(found, type):
        return True
    restores = getattr(found, "__name__", "").startswith("__pyx_unpickle_")
    return callable(found) and (
        restores or _makes_new(found) or any(inside(module, name) for name in _SKLEARN_FUNCTIONS)
    )


def _makes_new(found: Any) -> bool:
    """The function with which trees of neighbours make an empty one of themselves."""
    return getattr(found, "__name__", "") == "newObj"


def _numpy(found: Any) -> bool:
    """Functions of numbers, the classes of arrays and scalars, and what rebuilds them."""
    if isinstance(found, np.ufunc) or any(found is one for one in _SUMMARIES):
        return True
    if isinstance(found, type):
        kinds = (np.dtype, np.generic, np.random.Generator, np.random.BitGenerator)
        plain = issubclass(found, (*kinds, np.random.RandomState, np.random.SeedSequence))
        # Not what is derived from arrays: a memmap opens files.
        return plain or found in (np.ndarray, np.ma.MaskedArray)
    module, name = module_of(found), getattr(found, "__name__", "")
    rebuilds = name in {"_reconstruct", "scalar", "_frombuffer"} and inside(module, "numpy._core")
    restores = name.startswith("__pyx_unpickle_") and inside(module, "numpy.random")
    return rebuilds or restores or (module == "numpy.random._pickle" and name.endswith("_ctor"))


def _scipy(found: Any) -> bool:
    """Functions of numbers, and classes such as sparse matrices and splines."""
    if isinstance(found, np.ufunc):
        return True
    module = module_of(found)
    # Splines keep the function that makes arrays of numbers.
    array = inside(module, "scipy._lib.array_api_compat") and found.__name__ == "asarray"
    return array or (isinstance(found, type) and any(inside(module, name) for name in _SCIPY))


def _one_of(*things: Any) -> Callable[[Any], bool]:
    return lambda found: any(found is thing for thing in things)


def _column_types(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, pl.DataType)


TRUSTED: tuple[Trusted, ...] = (
    Trusted("fpipe", _house),
    Trusted("fpipe.testing.values", _classes_in("fpipe.testing.values")),
    Trusted("torch", _one_of(torch.Tensor), below=False),
    Trusted("torch.nn", _modules),
    Trusted("torch.optim", _classes_in("torch.optim")),
    Trusted("torchvision.models", _defined_in("torchvision.models")),
    Trusted("sklearn", _sklearn),
    Trusted("numpy", _numpy, below=False),
    Trusted("numpy._core", _numpy),
    Trusted("numpy.random", _numpy),
    Trusted("scipy", _scipy),
    Trusted("polars.datatypes.classes", _column_types),
    Trusted("math", lambda found: module_of(found) == "math"),
    Trusted(
        "builtins",
        _one_of(
            *(object, type(None), bool, int, float, complex, str, bytes, bytearray),
            *(tuple, list, dict, set, frozenset, slice, range),
        ),
    ),
    Trusted("collections", _one_of(OrderedDict, defaultdict, deque, Counter), below=False),
    Trusted("copyreg", _one_of(*(getattr(copyreg, n) for n in ("__newobj__", "_reconstructor")))),
)
"""Packages whose code files may refer to: layers, estimators, and functions of numbers."""
