"""Loss and gradients of one batch, and outputs without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from fpipe.core.errors import DataError, FpipeError, StateError
from fpipe.measure.loss import Loss
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.network import Network, Step, execute, program
from fpipe.train.run import Batched, Examples
from fpipe.train.state import Weights


class Gradient(NamedTuple):
    """What one batch gives: its loss and share, a gradient per parameter, the new buffers."""

    loss: float
    share: float
    grads: dict[str, Tensor | None]
    buffers: dict[str, Tensor]


def gradient(
    network: Network,
    steps: tuple[Step, ...],
    loss: Loss,
    leaves: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    batch: Batched,
    draws: Mapping[str, Mapping[str, Tensor]],
) -> Gradient:
    """Return loss and gradients of one training batch; both interpreters use this backward.

    Args:
        network: the network.
        steps: its program.
        loss: the loss.
        leaves: parameters that require gradients, by full name.
        buffers: buffers by full name.
        batch: the rows.
        draws: the draws of this step.
    """
    if batch.target is None:
        raise DataError("training needs a target.", fix="fit on a task that has one")
    with torch.inference_mode(False), torch.enable_grad():
        outputs, new = execute(
            steps, network.outputs, leaves, buffers, batch.inputs, draws, training=True
        )
        value = loss_value(loss, outputs[0], batch.target, batch.weights)
        used = list(leaves.values())
        found = torch.autograd.grad(value, used, allow_unused=True) if used else ()
    detached = {name: tensor.detach() for name, tensor in new.items()}
    share = loss.share(batch.target, batch.weights)
    return Gradient(value.item(), share, dict(zip(leaves, found, strict=True)), detached)


def loss_value(loss: Loss, outputs: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Return the loss of a batch; a loss of the user's may compute, and may not draw.

    Args:
        loss: the loss.
        outputs: ``[rows, …]`` of the network.
        target: as the loss takes it.
        weights: ``[rows]``, or None.

    Raises:
        StateError: the loss draws random numbers.
    """
    if not loss.foreign:
        return loss.value(outputs, target, weights)
    with undrawn(loss):
        return loss.value(outputs, target, weights)


@contextmanager
def undrawn(loss: Loss) -> Iterator[None]:
    """Refuse random draws in this thread, on behalf of a loss; name it where it fails."""
    try:
        with KeyedMode(None):
            yield
    except StateError as error:
        raise StateError(
            f"the loss {loss.title} draws random numbers.",
            expected="a function of outputs and target alone",
            got=error.rule,
            fix="put what draws into the network, as nn.module(...)",
        ) from error
    except FpipeError:
        raise
    except Exception as error:
        error.add_note(f"in the loss {loss.title}")
        raise


def evaluate(
    network: Network, weights: Weights, examples: Examples, batch: int, device: str = "cpu"
) -> Tensor:
    """Return the network's outputs in evaluation mode, ``[rows, …]`` on the CPU.

    Args:
        network: the network.
        weights: parameters and buffers.
        examples: the rows.
        batch: rows at a time.
        device: where the weights are.
    """
    steps = program(network, weights.params, weights.buffers)
    params, buffers = dict(weights.params), dict(weights.buffers)
    parts: list[Tensor] = []
    with torch.no_grad():
        for chunk in examples.chunks(batch):
            inputs = {name: tensor.to(device) for name, tensor in chunk.inputs.items()}
            outputs, _ = execute(
                steps, network.outputs, params, buffers, inputs, None, training=False
            )
            parts.append(outputs[0].cpu())
    if parts:
        return torch.cat(parts)
    shapes = {n: (0, *tuple(t.shape)[1:]) for n, t in examples.inputs.items()}
    return torch.empty(tuple(n or 0 for n in network.shapes(shapes)[0]))
