"""Randomness of foreign code under a key, without touching the global generators."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fpipe.core.errors import StateError


class KeyedMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active in this thread, hand a key's generator to every operation that draws.

    Operations are recognised by torch's own tag ``nondeterministic_seeded``. One that has no
    place for a generator raises `StateError`, so that nothing draws unseen.

    Args:
        generator: where the draws come from; private to this mode, which moves it. Without one,
            whatever draws is refused.
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
        if func is torch.ops.aten.native_dropout.default:
            return self._dropout(*args, **kwargs)
        keyed = _with_generator(func)
        if keyed is None:
            raise StateError(
                f"the operation {func} draws and takes no generator.",
                expected="operations whose randomness can be keyed",
                got=str(func),
                fix="use a built-in fpipe layer instead, or a module without it",
            )
        kwargs["generator"] = self._generator
        return keyed(*args, **kwargs)

    def _dropout(self, x: torch.Tensor, p: float, train: bool | None) -> Any:
        if not train or p == 0.0:
            return x.clone(), torch.ones_like(x, dtype=torch.bool)
        keep = torch.empty(x.shape).bernoulli_(1.0 - p, generator=self._generator).to(x.device)
        mask = keep.to(torch.bool)
        return x * keep.to(x.dtype) * (1.0 / (1.0 - p) if p < 1.0 else 0.0), mask


_OVERLOADS = {
    "default": "generator",
    "low": "low_generator",
    "Tensor": "Tensor_generator",
    "low_dtype": "low_generator_dtype",
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
    if func is torch.ops.aten.native_dropout.default:
        return bound["train"] is False
    return any(bound.get(name) == 0.0 for name in ("dropout_p", "dropout"))
