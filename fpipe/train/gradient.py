"""What one batch gives, and what a network gives where nothing is learned."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fpipe.core.errors import DataError, FpipeError, ShapeError, StateError
from fpipe.measure.loss import Loss
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.network import Network, Step, execute, program
from fpipe.net.shape import Shape, shown
from fpipe.train.batched import Batched
from fpipe.train.loading import ahead
from fpipe.train.numerics import Numerics, autocast
from fpipe.train.run import Examples
from fpipe.train.state import Weights


class Gradient(NamedTuple):
    """What one batch gives.

    Args:
        loss: its loss.
        share: how much it counts among the batches of an epoch.
        grads: a gradient per parameter; None where the loss does not depend on it, or where it
            is frozen.
        buffers: the new buffers.
        output: the first output of the network, detached.
    """

    loss: float
    share: float
    grads: dict[str, Tensor | None]
    buffers: dict[str, Tensor]
    output: Tensor


class Learned(NamedTuple):
    """The parameters of a step, told apart by whether they are learned.

    Args:
        taken: all parameters by full name; frozen ones are detached.
        learned: names of the others.
        resting: paths of the layers all of whose parameters are frozen: they behave as outside
            of training.
    """

    taken: dict[str, Tensor]
    learned: tuple[str, ...]
    resting: frozenset[str]


def learned(
    steps: tuple[Step, ...], leaves: Mapping[str, Tensor], frozen: Collection[str]
) -> Learned:
    """Tell parameters that are learned from frozen ones.

    Args:
        steps: the program of the network.
        leaves: parameters that require gradients, by full name.
        frozen: names of those that are not learned.
    """
    taken = {name: leaf.detach() if name in frozen else leaf for name, leaf in leaves.items()}
    resting = (
        step.path
        for step in steps
        if step.params and all(full in frozen for _, full in step.params)
    )
    return Learned(taken, tuple(n for n in leaves if n not in frozen), frozenset(resting))


def gradient(
    network: Network,
    steps: tuple[Step, ...],
    loss: Loss,
    params: Learned,
    buffers: Mapping[str, Tensor],
    batch: Batched,
    draws: Mapping[str, Mapping[str, Tensor]],
    numerics: Numerics,
    scale: float = 1.0,
) -> Gradient:
    """Return loss and gradients of one training batch; both interpreters use this backward.

    Args:
        network: the network.
        steps: its program.
        loss: the loss.
        params: the parameters.
        buffers: buffers by full name.
        batch: the rows.
        draws: the draws of this step.
        numerics: how numbers are computed.
        scale: what the loss is multiplied by, and the gradients divided by; a power of 2.
    """
    if batch.target is None:
        raise DataError("training needs a target.", fix="fit on a task that has one")
    with torch.inference_mode(False), torch.enable_grad(), autocast(numerics, layers=False):
        with computing(numerics):
            outputs, new = execute(
                steps,
                network.outputs,
                params.taken,
                buffers,
                batch.inputs,
                draws,
                training=True,
                resting=params.resting,
            )
        value = loss_value(loss, _wide(outputs, numerics), batch.target, batch.weights)
        used = [params.taken[name] for name in params.learned]
        scaled = value if scale == 1.0 else value * scale
        found = torch.autograd.grad(scaled, used, allow_unused=True) if used else ()
    grads: dict[str, Tensor | None] = dict.fromkeys(params.taken)
    # The scale is a power of 2: dividing has the bits of torch, which multiplies by 1 / scale.
    for name, grad in zip(params.learned, found, strict=True):
        grads[name] = grad if grad is None or scale == 1.0 else grad / scale
    detached = {name: tensor.detach() for name, tensor in new.items()}
    share = loss.share(batch.target, batch.weights)
    return Gradient(value.item(), share, grads, detached, outputs[0].detach())


def loss_value(
    loss: Loss, outputs: tuple[Tensor, ...], target: Tensor, weights: Tensor | None
) -> Tensor:
    """Return the loss of a batch; a loss of the user's may compute, and may not draw.

    Args:
        loss: the loss; one of the user's is given all outputs where there are several.
        outputs: of the network, ``[rows, …]`` each.
        target: as the loss takes it.
        weights: ``[rows]``, or None.

    Raises:
        StateError: the loss draws random numbers.
        ShapeError: there are several outputs, and the loss takes one.
    """
    if not loss.foreign:
        if len(outputs) != 1:
            raise one_output(loss, tuple(tuple(x.shape) for x in outputs))
        return loss.value(outputs[0], target, weights)
    with undrawn(loss):
        if len(outputs) == 1:
            return loss.value(outputs[0], target, weights)
        several: Any = outputs
        try:
            return loss.value(several, target, weights)
        except (TypeError, AttributeError) as error:
            error.add_note(f"it is given a tuple of the network's {len(outputs)} outputs")
            raise


def one_output(loss: Loss, shapes: Sequence[Shape]) -> ShapeError:
    """Return the error of a loss that takes one output where the network has several, or none."""
    if not shapes:
        return ShapeError(
            "the network has no output.",
            expected="at least one output",
            got="none",
            fix="end the network with nn.head()",
        )
    return ShapeError(
        f"the loss {loss.title} takes one output and the network has {len(shapes)}.",
        expected="one output, or a loss of your own over all of them",
        got=", ".join(map(shown, shapes)),
        fix="nn.loss(my_loss), with def my_loss(outputs, target): first, second = outputs",
    )


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


@contextmanager
def computing(numerics: Numerics) -> Iterator[None]:
    """Let layers compute in the precision of a run, and say so where foreign code fails."""
    try:
        with autocast(numerics):
            yield
    except FpipeError:
        raise
    except Exception as error:
        if numerics.mixed:
            kind = torch.device(numerics.device).type
            error.add_note(
                f"computed in {numerics.precision} on the {kind}, which not every operation of "
                'torch can; try precision="float32"'
            )
        raise


def _wide(outputs: tuple[Tensor, ...], numerics: Numerics) -> tuple[Tensor, ...]:
    """Return outputs in the dtype of the parameters, in which losses and scores are computed."""
    return tuple(
        x.to(numerics.dtype) if x.is_floating_point() and x.dtype != numerics.dtype else x
        for x in outputs
    )


def evaluate(
    network: Network,
    weights: Weights,
    examples: Examples,
    batch: int,
    numerics: Numerics,
    *,
    workers: int = 0,
) -> tuple[Tensor, ...]:
    """Return the network's outputs in evaluation mode, ``[rows, …]`` each, on the CPU.

    Args:
        network: the network.
        weights: parameters and buffers, on the device of the numerics.
        examples: the rows.
        batch: rows at a time.
        numerics: how numbers are computed.
        workers: threads that read rows ahead where they are lazy.
    """
    steps = program(network, weights.params, weights.buffers)
    params, buffers = dict(weights.params), dict(weights.buffers)
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad(), computing(numerics):
        for chunk in ahead(examples.chunks(batch), workers if examples.lazy else 0):
            inputs = {name: tensor.to(numerics.device) for name, tensor in chunk.inputs.items()}
            outputs, _ = execute(
                steps, network.outputs, params, buffers, inputs, None, training=False
            )
            parts.append(tuple(x.cpu() for x in _wide(outputs, numerics)))
    if parts:
        return tuple(map(torch.cat, zip(*parts, strict=True)))
    shapes = {n: (0, *tuple(t.shape)[1:]) for n, t in examples.inputs.items()}
    return tuple(torch.empty(tuple(n or 0 for n in shape)) for shape in network.shapes(shapes))
