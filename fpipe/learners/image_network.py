"""torchvision's networks for classification as ready learners."""

from __future__ import annotations

from typing import Any

from pyrsistent import PMap, pmap

from fpipe.core.parameter import (
    REQUIRED,
    Check,
    boolean,
    integer,
    number,
    optional,
    parameter,
    real,
    text,
)
from fpipe.core.value import descriptor
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task
from fpipe.graph.graph import Graph
from fpipe.graph.op import Macro, written
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.learners.training import (
    A_LOSS,
    AN_OPTIMIZER,
    as_loss,
    as_optimizer,
    trained,
    training,
)
from fpipe.net.layers.pretrained import RENAMES, Renames, as_renames
from fpipe.nn import callbacks, ingress_tensor
from fpipe.nn import vision as network_of
from fpipe.nn.layers.vision import SETTINGS, Named, as_settings, as_weights
from fpipe.train.callback import Callback

_CALLBACKS = Check(
    "callbacks, such as (fp.callbacks.unfreeze('*.fc.*', epochs={3: '*'}),)",
    lambda x: isinstance(x, tuple) and all(isinstance(one, Callback) for one in x),
)


def _as_callbacks(given: Any) -> Any:
    return (given,) if isinstance(given, Callback) else tuple(given)


@descriptor
class ImageNetwork(Macro):
    """One of torchvision's networks for classification, with loss, optimizer and training.

    The task has one feature, a column of images ``[3, height, width]``, lazy or not; what is to be
    done to the images comes before the learner. The network is the node ``network``, so its
    parameters are called ``"resnet18.network.fc.weight"`` and so on; a pattern such as
    ``"*.fc.*"`` addresses the head.

    Args:
        architecture: as in ``nn.vision``, like all up to ``settings``.
        epochs: how often training goes through the rows.
        weights: what the network begins with.
        rename: what changes the names in a file of weights.
        keep_head: whether the head is taken from the weights as well.
        settings: further arguments of torchvision's class.
        optimizer: name of the optimizer, or what ``nn.optimizer(...)`` gives.
        lr: its learning rate; by default that of ``nn.optimizer(...)``, and 0.001 for a name.
        batch_size: rows per step.
        patience: as in ``nn.model``.
        loss: name of the loss, what ``nn.loss(...)`` gives, or a function; by default ``"mse"`` or
            ``"cross_entropy"`` by the task.
        callbacks: callbacks of training, such as the one that unfreezes.

    Raises:
        ParameterError: torchvision has no such architecture or weights, or there is no loss or
            optimizer of that name.
        ShapeError: the images are too small, or of another size than the only one it takes.
        DataError: a file of weights is not there, or is for another network.

    Source:
        The vision learners of mlr3torch; the architectures and weights of torchvision.

    Example:
        >>> import fpipe as fp, numpy as np
        >>> from fpipe import learners
        >>> data = {"x": np.zeros((4, 3, 64, 64), np.float32), "y": ["cat", "dog"] * 2}
        >>> task = fp.classification(data, "y")
        >>> fp.check(learners.vision("resnet18", epochs=1), task).params
        11177025
    """

    name = Named()
    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    architecture: str = parameter(default=REQUIRED, check=text())
    epochs: int = parameter(default=REQUIRED, check=integer(0), kw_only=True)
    weights: str | None = parameter(
        default=None, check=optional(text()), convert=as_weights, kw_only=True
    )
    rename: Renames = parameter(default=(), check=RENAMES, convert=as_renames, kw_only=True)
    keep_head: bool = parameter(default=False, check=boolean(), kw_only=True)
    settings: PMap[str, Any] = parameter(
        default=pmap(), check=SETTINGS, convert=as_settings, kw_only=True
    )
    optimizer: Any = parameter(
        default="adamw", check=AN_OPTIMIZER, convert=as_optimizer, kw_only=True
    )
    lr: float | None = parameter(
        default=None, check=optional(number(0.0)), convert=real, kw_only=True
    )
    batch_size: int = parameter(default=32, check=integer(1), kw_only=True)
    patience: int = parameter(default=0, check=integer(0), kw_only=True)
    loss: Any = parameter(default=None, check=A_LOSS, convert=as_loss, kw_only=True)
    callbacks: tuple[Callback, ...] = parameter(
        default=(), check=_CALLBACKS, convert=_as_callbacks, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        self._network()  # what it does not take is refused

    def written(self) -> tuple[str, ...]:
        """The parameters without the architecture, which is the name."""
        return written(self, ("id", "architecture", "overrides"))

    def foreseen(self) -> Graph:
        """Return ingress, optimizer and model, which are the same for every task."""
        return ingress_tensor() & training(self)

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return ingress, network, loss, optimizer and model for a task."""
        network = ingress_tensor() >> self._network()
        if self.callbacks:
            network = network >> callbacks(*self.callbacks)
        return trained(network, self, types[0].kind)

    def _network(self) -> Graph:
        return network_of(
            self.architecture,
            weights=self.weights,
            rename=self.rename,
            keep_head=self.keep_head,
            settings=self.settings,
            id="network",
        )


vision = operator(ImageNetwork)
