"""Foreign modules (torch.nn, torchvision, a user's own) as layers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch import Tensor
from torch.func import functional_call

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.layer import Applied, Draw, Layer, Stream, Tensors
from fpipe.net.probe import probe
from fpipe.net.shape import Shape


@descriptor
class Foreign(Layer):
    """A ``torch.nn.Module`` class with its arguments, applied by ``functional_call``.

    Its parameters are drawn under the key when the module is built; the module that is built
    is thrown away, only its tensors are kept.

    Args:
        code: the class, or a function that returns a module.
        args: positional arguments of the class.
        kwargs: keyword arguments of the class.
    """

    name = "module"

    code: Ref | Opaque
    args: tuple[Any, ...] = ()
    kwargs: PMap[str, Any] = pmap()

    def build(self, device: str = "cpu") -> torch.nn.Module:
        """Build the module.

        Raises:
            ParameterError: the class does not take these arguments, or gives no module.
        """
        try:
            with torch.device(device):
                made = self.code.resolve()(*self.args, **dict(items(self.kwargs)))
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"{self.code.name} cannot be built.",
                expected="a class of modules with the arguments that it takes",
                got=str(error)[:300],
                fix="nn.module(torch.nn.Conv1d, 3, 8, kernel_size=3)",
            ) from error
        if not isinstance(made, torch.nn.Module):
            raise ParameterError(
                f"{self.code.name} gives no module.",
                expected="torch.nn.Module",
                got=type(made).__name__,
            )
        return made

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Probe the module on the meta device."""
        module = self.build("meta").eval()
        return probe(module, inputs, (torch.float32,) * len(inputs))

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Build the module under the key and keep its tensors."""
        with KeyedMode(key.generator()):
            module = self.build()
        params = {name: p.detach().clone() for name, p in module.named_parameters()}
        return params, {name: b.detach().clone() for name, b in module.named_buffers()}

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One stream for all that the module may draw in a step."""
        return {"stream": Stream()}

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Call the module with these tensors; its buffers are copied first, it changes them.

        What it draws while training comes from the stream that is passed in.
        """
        own = {name: tensor.clone() for name, tensor in buffers.items()}
        module = self.build("meta").train(training)
        with KeyedMode(_generator(draws.get("stream"))) if training else nullcontext():
            out = functional_call(module, {**params, **own}, inputs)
        outputs = tuple(out) if isinstance(out, tuple | list) else (out,)
        return outputs, own


def _generator(state: Tensor | None) -> torch.Generator | None:
    if state is None:
        return None
    made = torch.Generator()
    made.set_state(state)
    return made
