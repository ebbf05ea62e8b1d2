"""The packages that scores are computed with, imported when the first score is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from fpipe.core.errors import ParameterError


def metrics() -> Any:
    """Return ``sklearn.metrics``.

    Raises:
        ParameterError: scikit-learn is not installed.
    """
    return _imported("sklearn.metrics", "scikit-learn")


def stats() -> Any:
    """Return ``scipy.stats`` (scipy comes with scikit-learn).

    Raises:
        ParameterError: scipy is not installed.
    """
    return _imported("scipy.stats", "scipy")


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ParameterError(
            f"this score is computed by {package}, which is not installed.",
            expected=package,
            got=str(error),
            fix="pip install fpipe[sklearn]",
        ) from error
