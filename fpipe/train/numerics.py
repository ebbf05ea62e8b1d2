"""Numerics: everything that decides bits, resolved before training and recorded."""

from __future__ import annotations

import torch

from fpipe.core.errors import ParameterError, StateError
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor

INTERPRETERS = ("auto", "reference", "fast")


@descriptor
class Numerics:
    """How numbers are computed.

    Args:
        interpreter: ``"reference"`` or ``"fast"``; both give the same bits.
        device: such as ``"cpu"`` or ``"cuda:0"``.
        dtype: of parameters and inputs.
        threads: torch's threads within one operation, as found at the start.
        deterministic: torch's deterministic flag, as found at the start.
    """

    interpreter: str = parameter(default="fast", check=one_of(*INTERPRETERS[1:]))
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    threads: int = 1
    deterministic: bool = False


def resolve_numerics(interpreter: str = "auto", device: str | None = None) -> Numerics:
    """Return the numerics of a run from what the caller asks and what the process has set.

    The choice follows rules, never timing: ``auto`` is ``fast``; the device is the CPU unless
    another is asked for.

    Raises:
        ParameterError: the interpreter is unknown, or the device is not there.
    """
    if interpreter not in INTERPRETERS:
        raise ParameterError(
            f"there is no interpreter '{interpreter}'.",
            expected=", ".join(INTERPRETERS),
            got=repr(interpreter),
        )
    chosen = resolve_device(device)
    return Numerics(
        interpreter="fast" if interpreter == "auto" else interpreter,
        device=chosen,
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
    )


def resolve_device(device: str | None) -> str:
    """Return a device that is there; None is the CPU.

    Raises:
        ParameterError: torch knows no such device, or it is not available.
    """
    name = device or "cpu"
    try:
        chosen = torch.device(name)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ParameterError(
            f"the device '{name}' cannot be used.",
            expected="'cpu'" + (" or 'cuda'" if torch.cuda.is_available() else ""),
            got=str(error).splitlines()[0],
            fix="leave device out",
        ) from error
    return str(chosen)


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
