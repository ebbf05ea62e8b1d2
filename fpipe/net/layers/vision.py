"""One of torchvision's networks as a layer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache

import torch
from torch import Tensor
from torch.func import functional_call

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Applied, Draw, Layer, Stream, Tensors
from fpipe.net.layers.architecture import Architecture, bench, head_of, skeleton, weights_of
from fpipe.net.layers.image_sizes import check_images, check_runs
from fpipe.net.layers.module import attention, keyed
from fpipe.net.layers.pretrained import Pretrained, filled
from fpipe.net.layers.resting import set_phases
from fpipe.net.shape import Shape


@descriptor
class VisionNetwork(Layer):
    """A network of torchvision from images to outputs: ``[batch, 3, height, width] -> [batch, n]``.

    Its parameters and buffers have torchvision's names. While it is trained, parts of it all of
    whose parameters are frozen behave as outside of training (`resting`): one layer for the whole
    network is enough, however much of it is frozen.

    Args:
        architecture: the network and its head.
        weights: what it begins with; drawn from the key where there are none.
    """

    name = "vision"

    architecture: Architecture
    weights: Pretrained | None = None

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """One row of outputs per image; where the size is known, the network is tried on it."""
        (shape,) = inputs
        check_images(self.architecture, shape)
        height, width = shape[2:]
        if height is not None and width is not None:
            check_runs(self.architecture, height, width)
        return ((shape[0], self.architecture.out_features),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw all, then take what the weights have."""
        made = self.architecture.build(key)
        params, buffers = weights_of(made)
        if self.weights is not None:
            given = filled(
                self.architecture.name,
                params | buffers,
                head_names(self.architecture),
                self.weights,
            )
            params |= {name: given[name] for name in params if name in given}
            buffers |= {name: given[name] for name in buffers if name in given}
        return _own(params), _own(buffers)

    def bare_weights(self) -> tuple[Tensors, Tensors]:
        """Look at the network without numbers."""
        return weights_of(skeleton(self.architecture))

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One stream for all that the network may draw in a step."""
        del inputs
        return {"stream": Stream()}

    def check(self, inputs: tuple[Tensor, ...], training: bool) -> None:
        """Check the size of images where it was not known before."""
        del training
        check_images(self.architecture, tuple(inputs[0].shape))

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Call the network with these tensors; buffers are copied before training changes them."""
        module = bench(self.architecture)
        set_phases(module, params, training)
        own = {n: b.clone() for n, b in buffers.items()} if training else buffers
        mode = keyed(draws, training, self.architecture.name) if training else nullcontext()
        with mode, attention(inputs, training):
            out = functional_call(module, {**params, **own}, inputs)
        return (out,), own

    def __repr__(self) -> str:
        return repr(self.architecture)


@lru_cache(maxsize=32)
def head_names(architecture: Architecture) -> tuple[str, ...]:
    """Return the names of the parameters of the head."""
    path, head = head_of(skeleton(architecture), architecture.name)
    return tuple(f"{path}.{name}" for name, _ in head.named_parameters())


@lru_cache(maxsize=32)
def check_weights(architecture: Architecture, weights: Pretrained) -> None:
    """Raise DataError where a file of weights does not fit a network; nothing is drawn.

    Args:
        architecture: the network.
        weights: the file.
    """
    params, buffers = weights_of(skeleton(architecture))
    filled(architecture.name, params | buffers, head_names(architecture), weights)


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that nobody else holds."""
    with torch.no_grad():
        return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
