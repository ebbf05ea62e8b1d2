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
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = generator

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation."""
        del types
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        if self._generator is None:
            raise StateError(
                f"the operation {func} draws, but nothing was given to draw from.",
                expected="the layer's declared draws",
                got="none",
                fix="pass draws: make_draws(planned_draws(network, shapes), keys, step)",
            )
        if func is torch.ops.aten.native_dropout.default:
            return self._dropout(*args, **kwargs)
        arguments = func._schema.arguments  # noqa: SLF001
        if not any(argument.name == "generator" for argument in arguments):
            raise StateError(
                f"the operation {func} draws and takes no generator.",
                expected="operations whose randomness can be keyed",
                got=str(func),
                fix="use a built-in fpipe layer instead, or a module without it",
            )
        kwargs["generator"] = self._generator
        return func(*args, **kwargs)

    def _dropout(self, x: torch.Tensor, p: float, train: bool | None) -> Any:
        if not train or p == 0.0:
            return x.clone(), torch.ones_like(x, dtype=torch.bool)
        keep = torch.empty(x.shape).bernoulli_(1.0 - p, generator=self._generator).to(x.device)
        mask = keep.to(torch.bool)
        return x * keep.to(x.dtype) * (1.0 / (1.0 - p) if p < 1.0 else 0.0), mask
