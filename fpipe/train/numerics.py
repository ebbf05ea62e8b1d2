"""Numerics: everything that decides bits, resolved before training and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from fpipe.core.errors import ParameterError, StateError, did_you_mean
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor

INTERPRETERS = ("auto", "reference", "fast")

PRECISIONS: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Precision → the dtype in which layers compute."""


@descriptor
class Numerics:
    """How numbers are computed.

    Args:
        interpreter: ``"reference"`` or ``"fast"``; both give the same bits.
        device: such as ``"cpu"`` or ``"cuda:0"``.
        dtype: of parameters and inputs.
        threads: torch's threads within one operation, as found at the start.
        deterministic: torch's deterministic flag, as found at the start.
        precision: in what layers compute: ``"float32"`` or ``"float64"`` throughout, or
            ``"bfloat16"`` or ``"float16"`` where torch's autocast holds it to be safe, with
            parameters in float32. With float16 the loss is scaled.
    """

    interpreter: str = parameter(default="fast", check=one_of(*INTERPRETERS[1:]))
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    threads: int = 1
    deterministic: bool = False
    precision: str = parameter(default="float32", check=one_of(*PRECISIONS))

    @property
    def mixed(self) -> bool:
        """Whether layers compute in another dtype than that of the parameters."""
        return PRECISIONS[self.precision] != self.dtype


def autocast(numerics: Numerics, *, layers: bool = True) -> AbstractContextManager[Any]:
    """Return the context in which numbers are computed, for this thread.

    An autocast around the whole program has no say in it. Torch's cache of weights that were
    cast is left out: all threads share it, and who clears it when decides bits.

    Args:
        numerics: how numbers are computed.
        layers: whether it is for layers; losses and all else have the dtype of the parameters.
    """
    kind = torch.device(numerics.device).type
    if not torch.amp.is_autocast_available(kind):
        return nullcontext()
    if not (layers and numerics.mixed):
        return torch.autocast(kind, enabled=False)
    return torch.autocast(kind, dtype=PRECISIONS[numerics.precision], cache_enabled=False)


def resolve_numerics(
    interpreter: str = "auto", device: str | None = None, precision: str = "float32"
) -> Numerics:
    """Return the numerics of a run from what the caller asks and what the process has set.

    The choice follows rules, never timing: ``auto`` is ``fast``; the device is the CPU unless
    another is asked for.

    Args:
        interpreter: ``"auto"``, ``"reference"`` or ``"fast"``.
        device: such as ``"cuda:0"``; ``"auto"`` is ``"cuda"`` where there is one.
        precision: ``"float32"``, ``"float64"``, ``"bfloat16"`` or ``"float16"``.

    Raises:
        ParameterError: the interpreter or the precision is unknown, or the device is not there or
            cannot compute in that precision.
    """
    if interpreter not in INTERPRETERS:
        raise ParameterError(
            f"there is no interpreter '{interpreter}'.",
            expected=", ".join(INTERPRETERS),
            got=repr(interpreter),
            fix=did_you_mean(str(interpreter), INTERPRETERS),
        )
    if not isinstance(precision, str) or precision not in PRECISIONS:
        name = str(precision).removeprefix("torch.")
        raise ParameterError(
            f"there is no precision {precision!r}.",
            expected=", ".join(PRECISIONS),
            got=repr(precision),
            fix=did_you_mean(_PRECISION_NAMES.get(name, name), PRECISIONS),
        )
    chosen = resolve_device(device)
    _check_precision(chosen, precision)
    return Numerics(
        interpreter="fast" if interpreter == "auto" else interpreter,
        device=chosen,
        dtype=torch.float64 if precision == "float64" else torch.float32,
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        precision=precision,
    )


_PRECISION_NAMES = {
    "bf16": "bfloat16",
    "bf16-mixed": "bfloat16",
    "fp16": "float16",
    "16-mixed": "float16",
    "16": "float16",
    "half": "float16",
    "fp32": "float32",
    "float": "float32",
    "single": "float32",
    "32": "float32",
    "fp64": "float64",
    "double": "float64",
    "64": "float64",
}
"""What precisions are called elsewhere."""


def resolve_device(device: str | None) -> str:
    """Return a device that is there; None is the CPU, ``"auto"`` CUDA where there is one.

    Raises:
        ParameterError: torch knows no such device, or it is not available.
    """
    name = device or "cpu"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(name)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise _unusable(name, str(error).splitlines()[0]) from error
    if chosen.type == "meta":
        raise _unusable(name, "a device without numbers")
    return str(chosen)


def device_to_apply(asked: str | None, recorded: str) -> str:
    """Return the device on which a trained network is applied.

    Args:
        asked: what the caller asks, as in `resolve_device`; None for the device that the network
            was trained on, and the CPU where that is not there.
        recorded: the device that the network was trained on.

    Raises:
        ParameterError: the device that is asked for is not there.

    Example:
        >>> device_to_apply(None, "cuda:99")
        'cpu'
    """
    if asked is not None:
        return resolve_device(asked)
    try:
        return resolve_device(recorded)
    except ParameterError:
        return "cpu"


def _unusable(name: object, got: str) -> ParameterError:
    return ParameterError(
        f"the device '{name}' cannot be used.",
        expected="'cpu', 'auto'" + (" or 'cuda'" if torch.cuda.is_available() else ""),
        got=got,
        fix="leave device out",
    )


def _check_precision(device: str, precision: str) -> None:
    """Raise ParameterError where a device cannot compute in a precision."""
    reason = _reason_against(torch.device(device), PRECISIONS[precision])
    if reason is not None:
        raise ParameterError(
            f"the device '{device}' cannot compute in {precision}.",
            expected="a precision that the device has",
            got=reason,
            fix="leave precision out",
        )


def _reason_against(device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why a device cannot compute in a dtype; None where it can."""
    if dtype in (torch.float32, torch.float64):
        try:
            torch.empty(0, dtype=dtype, device=device)
        except (RuntimeError, TypeError) as error:
            return str(error).splitlines()[0]
        return None
    if not torch.amp.is_autocast_available(device.type):
        return f"torch has no autocast for {device.type}"
    if device.type == "cuda" and dtype == torch.bfloat16 and not torch.cuda.is_bf16_supported():
        return "this GPU has no bfloat16"
    return None


def check_numerics(recorded: Numerics) -> None:
    """Raise StateError where the process is set otherwise than a state records."""
    now = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    if now != (recorded.threads, recorded.deterministic):
        raise StateError(
            "the process computes otherwise than the state was trained.",
            expected=f"threads={recorded.threads}, deterministic={recorded.deterministic}",
            got=f"threads={now[0]}, deterministic={now[1]}",
            fix=f"torch.set_num_threads({recorded.threads}); "
            f"torch.use_deterministic_algorithms({recorded.deterministic})",
        )
