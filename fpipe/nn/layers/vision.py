"""torchvision's networks for classification as an operator."""

from __future__ import annotations

import enum
import os
from typing import Any

from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import (
    REQUIRED,
    Check,
    boolean,
    integer,
    optional,
    parameter,
    text,
)
from fpipe.core.value import descriptor
from fpipe.graph.op import written
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers.architecture import Architecture, check_name, check_settings
from fpipe.net.layers.pretrained import (
    RENAMES,
    Pretrained,
    Renames,
    as_renames,
    is_file_name,
    local_weights,
    published_weights,
)
from fpipe.net.layers.vision import VisionNetwork, check_weights
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


class Named:
    """The name of an operator that is called as the architecture that it holds."""

    def __get__(self, op: Any, owner: type) -> str:
        """Return the architecture's name; that of the kind where none is given."""
        return "vision" if op is None or op.architecture is REQUIRED else str(op.architecture)


SETTINGS = Check("a mapping from names to values", lambda x: isinstance(x, PMap))
"""Accepts further arguments of an architecture."""


def as_settings(given: Any) -> Any:
    """Return a mapping as one that is frozen, lists in it as tuples (a converter).

    Example:
        >>> as_settings({"input_size": [64, 64]})
        pmap({'input_size': (64, 64)})
    """
    return pmap({n: tuple(x) if isinstance(x, list) else x for n, x in dict(given).items()})


def as_weights(given: Any) -> Any:
    """Return a path as text, a member of torchvision's enums as its name (a converter)."""
    if isinstance(given, enum.Enum):
        return given.name
    return os.fspath(given) if isinstance(given, os.PathLike) else given


@descriptor
class Vision(LayerOp):
    """One of torchvision's networks for classification, with a head that fits the task.

    ``[batch, 3, height, width] -> [batch, n]``. The head is the last linear layer of the network;
    it is drawn anew with one output for regression and for two classes, else one per class. All
    parameters have torchvision's names below the node, which is called as the architecture unless
    it is given an id: ``"resnet18.fc.weight"``.

    A part of the network all of whose parameters are frozen behaves as outside of training:
    ``fp.callbacks.unfreeze("resnet18.fc.*", epochs={3: "*"})`` leaves the running statistics of
    batch normalisations as they are until the third epoch.

    Args:
        architecture: its name in ``torchvision.models``, such as ``"convnext_tiny"``.
        weights: what it begins with: the name of weights in torchvision (``"IMAGENET1K_V1"``,
            ``"DEFAULT"``), which are downloaded once, or a file (``.pt``, ``.pth``,
            ``.safetensors``), also relative to ``FPIPE_DATA``. Drawn from the key by default.
        rename: pairs of a regular expression and what replaces it, or such a mapping, for a file
            with other names. A name is changed by the first pattern that is found in it.
        keep_head: whether the head is taken from the weights as well, which must have as many
            outputs.
        settings: further arguments of torchvision's class, such as ``{"dropout": 0.5}``.
        out_features: number of outputs; None for as many as the task needs.

    Raises:
        ParameterError: torchvision has no such architecture or weights, or it has no linear
            layer.
        ShapeError: the images are too small, or of another size than the only one it takes.
        DataError: there is no such file, or it has other names or shapes than the network.

    Example:
        >>> from fpipe import nn
        >>> net = nn.vision("resnet18", out_features=1)
        >>> nn.network(net, x=(None, 3, 64, 64)).count()
        11177025

    Source:
        The architectures and weights of torchvision.
    """

    name = Named()

    architecture: str = parameter(default=REQUIRED, check=text())
    weights: str | None = parameter(default=None, check=optional(text()), convert=as_weights)
    rename: Renames = parameter(default=(), check=RENAMES, convert=as_renames)
    keep_head: bool = parameter(default=False, check=boolean())
    settings: PMap[str, Any] = parameter(default=pmap(), check=SETTINGS, convert=as_settings)
    out_features: int | None = parameter(default=None, check=optional(integer(1)))

    def __attrs_post_init__(self) -> None:
        if self.architecture is not REQUIRED:
            check_name(self.architecture)
        if self.settings is not REQUIRED:
            check_settings(self.settings)

    def written(self) -> tuple[str, ...]:
        """The parameters without the architecture, which is the name."""
        return written(self, ("id", "architecture"))

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of outputs, and what the weights are."""
        weights, settings = self._weights()
        architecture = Architecture(self.architecture, self._outputs(md), settings)
        if weights is not None and weights.published is None:
            check_weights(architecture, weights)
        return VisionNetwork(architecture, weights)

    def guess(self, md: ModelDescriptor) -> Shape:
        """One row of outputs per image."""
        return (md.shapes[0][0], self.out_features or self._needed(md))

    def _weights(self) -> tuple[Pretrained | None, PMap[str, Any]]:
        """Return the weights, and the settings of the architecture with them."""
        if self.weights is None:
            return None, self.settings
        if is_file_name(self.weights):
            return local_weights(self.weights, self.rename, self.keep_head), self.settings
        if self.rename:
            raise ParameterError(
                f"{self.name}: names are changed in files only, and torchvision's weights fit.",
                expected="rename for weights in a file of one's own",
                got=f"weights={self.weights!r}, {len(self.rename)} patterns",
                fix="leave out rename",
            )
        found, usual = published_weights(self.architecture, self.weights, self.keep_head)
        return found, usual.update(self.settings)

    def _outputs(self, md: ModelDescriptor) -> int:
        found = self.out_features or self._needed(md)
        if found is None:
            raise ShapeError(
                f"{self.name} needs a task to know its number of outputs.",
                expected="a task, or out_features",
                got="a network without a task",
                fix=f"nn.vision('{self.architecture}', out_features=10)",
            )
        return found

    def _needed(self, md: ModelDescriptor) -> int | None:
        return None if md.subject is None else md.subject.kind.output_size


vision = operator(Vision)
