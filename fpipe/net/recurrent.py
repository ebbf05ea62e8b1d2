"""Recurrent modules of torch on a GPU, where cuDNN draws their dropout by itself."""

from __future__ import annotations

import torch

from fpipe.core.errors import StateError


def check_recurrent(module: torch.nn.Module, device: str, name: str) -> None:
    """Raise StateError where cuDNN would draw the dropout of a recurrent module.

    It draws from a state of its own, one for the process, that takes no generator; so the draws
    could not be repeated. On the CPU torch itself draws them, and they are keyed.

    Args:
        module: the module, as it is about to run.
        device: where it runs, such as ``"cuda:0"``.
        name: what it is called, for the message.

    Example:
        >>> check_recurrent(torch.nn.LSTM(4, 8, num_layers=2, dropout=0.2), "cpu", "LSTM")
    """
    if torch.device(device).type != "cuda" or not torch.backends.cudnn.enabled:
        return
    for path, part in module.named_modules():
        if isinstance(part, torch.nn.RNNBase) and part.training and part.dropout > 0.0:
            raise StateError(
                f"the dropout of {_called(name, path, part)} draws and takes no generator on a "
                "GPU: cuDNN draws it by itself.",
                expected=f"dropout=0 in a recurrent module on {device}",
                got=f"dropout={part.dropout} in {part}",
                fix='give it dropout=0 and add nn.dropout() behind it, or train with device="cpu"',
            )


def _called(name: str, path: str, part: torch.nn.Module) -> str:
    """Return what a part of a module is called."""
    return f"{path} ({type(part).__name__}) in {name}" if path else name
