"""Importing torchvision beside a torch that was built without its compiled operators."""

from __future__ import annotations

import importlib
import threading
from types import ModuleType
from typing import Any

import torch

from fpipe.core.errors import ParameterError

_LOCK = threading.Lock()
_KEPT: list[torch.library.Library] = []
"""Declarations live as long as the library that made them."""


def torchvision(name: str = "") -> ModuleType:
    """Return torchvision, or a module in it.

    On import torchvision registers what its detection operators give on the meta device, which
    fails where its compiled part was built for another torch. The two schemas that it looks for
    are declared first then; models, transforms and data sets need no more.

    Args:
        name: a module below torchvision, such as ``"transforms.v2.functional"``.

    Raises:
        ParameterError: torchvision is not installed.
    """
    with _LOCK:
        try:
            return _imported(name)
        except ImportError as error:
            raise ParameterError(
                "torchvision is not installed.",
                expected="the package torchvision",
                got=str(error),
                fix="pip install 'fpipe[vision]'",
            ) from error


def _imported(name: str) -> ModuleType:
    path = f"torchvision.{name}" if name else "torchvision"
    try:
        return importlib.import_module(path)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare()
        return importlib.import_module(path)


def _declare() -> None:
    if _KEPT:
        return
    made: Any = torch.library.Library
    library = made("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
