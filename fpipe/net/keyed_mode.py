"""Randomness of foreign code under a key, without touching the global generators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fpipe.core.errors import StateError


class KeyedMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active in this thread, hand a key's generator to every operation that draws.

    Operations are recognised by torch's own tag ``nondeterministic_seeded``. One that has no
    place for a generator raises `StateError`, so that nothing draws unseen. Draws on the CPU have
    the bits that torch gives when its global generator is in the state of this one. A draw on
    another device comes from a generator there, whose seed is the first number that this one
    gives when it is needed.

    Args:
        generator: where the draws come from, on the CPU; private to this mode, which moves it.
            Without one, whatever draws is refused.
        own: whether code that brings a generator of its own may draw from that.
        evaluated: the name of code that runs outside training, for the message; None otherwise.
    """

    def __init__(
        self,
        generator: torch.Generator | None,
        *,
        own: bool = False,
        evaluated: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._evaluated = evaluated
        self._generator = generator
        self._own = own
        self._elsewhere: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation."""
        del types
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or _idle(func, args, kwargs):
            return func(*args, **kwargs)
        if self._own and kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if self._generator is None and self._evaluated is not None:
            raise StateError(
                f"{self._evaluated} draws random numbers outside training.",
                expected="draws while training only, so that predictions do not change",
                got=f"the operation {func}",
                fix="draw where training is True: an argument training of a function, "
                "self.training of a module",
            )
        if self._generator is None:
            raise StateError(
                f"the operation {func} draws, but nothing was given to draw from.",
                expected="the layer's declared draws",
                got="none",
                fix="draw while training only; there, pass make_draws(planned_draws(...), ...)",
            )
        generator = self._beside(_device(args, kwargs), self._generator)
        rewritten = _REWRITTEN.get(func.overloadpacket)
        if rewritten is not None and not func._overloadname.endswith("out"):  # noqa: SLF001
            return rewritten(generator, *args, **kwargs)
        keyed = _with_generator(func)
        if keyed is None:
            raise StateError(
                f"the operation {func} draws and takes no generator.",
                expected="operations whose randomness can be keyed",
                got=str(func),
                fix="use a built-in fpipe layer instead, or a module without it",
            )
        kwargs["generator"] = generator
        return keyed(*args, **kwargs)

    def _beside(self, device: torch.device, generator: torch.Generator) -> torch.Generator:
        """Return a generator for draws on a device."""
        if device.type in ("cpu", "meta"):
            return generator
        if device not in self._elsewhere:
            made = torch.Generator(device)
            seed = torch.empty((), dtype=torch.int64).random_(generator=generator)
            self._elsewhere[device] = made.manual_seed(int(seed))
        return self._elsewhere[device]


def _device(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> torch.device:
    """Return the device on which an operation draws."""
    if kwargs.get("device") is not None:
        return torch.device(kwargs["device"])
    given = (x.device for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor))
    return next(given, torch.device("cpu"))


def _dropout(generator: torch.Generator, x: torch.Tensor, p: float, train: bool | None) -> Any:
    """Drop out as torch does on the CPU: the output and the mask of what is kept."""
    del train  # where it is False, nothing is drawn
    mask = torch.empty(x.shape, dtype=torch.bool, device=x.device)
    mask.bernoulli_(1.0 - p, generator=generator)
    return x.mul(mask).mul_(1.0 / (1.0 - p) if p < 1.0 else 0.0), mask


def _rand_like(generator: torch.Generator, x: torch.Tensor, **options: Any) -> torch.Tensor:
    return torch.empty_like(x, **options).uniform_(generator=generator)


def _randn_like(generator: torch.Generator, x: torch.Tensor, **options: Any) -> torch.Tensor:
    return torch.empty_like(x, **options).normal_(generator=generator)


def _randint_like(
    generator: torch.Generator, x: torch.Tensor, *bounds: Any, **options: Any
) -> torch.Tensor:
    named = [options.pop(name) for name in ("low", "high") if name in options]
    low, high = [0, *map(int, (*bounds, *named))][-2:]
    return torch.empty_like(x, **options).random_(low, high, generator=generator)


_REWRITTEN: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten.native_dropout: _dropout,
    torch.ops.aten.rand_like: _rand_like,
    torch.ops.aten.randn_like: _randn_like,
    torch.ops.aten.randint_like: _randint_like,
}
"""Operations that take no generator, or not in every version of torch → what they compute."""

_OVERLOADS = {
    "default": "generator",
    "low": "low_generator",
    "out": "generator_out",
    "low_out": "low_generator_out",
}
"""Overload that draws from the global generator → the one that is given a generator."""


def _with_generator(func: Any) -> Any:
    """Return the form of an operation that takes a generator, or None."""
    if any(argument.name == "generator" for argument in func._schema.arguments):  # noqa: SLF001
        return func
    return getattr(func.overloadpacket, _OVERLOADS.get(func._overloadname, ""), None)  # noqa: SLF001


def _idle(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell whether an operation that may drop out has been told not to."""
    arguments = func._schema.arguments  # noqa: SLF001
    bound = {a.name: a.default_value for a in arguments if a.has_default_value()}
    bound |= dict(zip((a.name for a in arguments), args, strict=False)) | kwargs
    return bound.get("train") is False or any(
        bound.get(name) == 0.0 for name in ("dropout_p", "dropout")
    )
