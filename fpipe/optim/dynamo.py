"""What torch.optim imports at its first use, imported without leaving anything global behind."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings

_LOADING = threading.Lock()


def load_dynamo() -> None:
    """Import what torch.optim would import at its first step.

    That import adds a warning filter and an environment variable; both are taken back.
    """
    with _LOADING:
        if "torch._dynamo" in sys.modules:
            return
        known = set(os.environ)
        with warnings.catch_warnings():
            importlib.import_module("torch._dynamo")
        for name in set(os.environ) - known:
            del os.environ[name]
