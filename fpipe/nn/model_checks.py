"""Whether a descriptor, a loss, a task and a plan fit together: seen before training begins."""

from __future__ import annotations

from fpipe.core.errors import DataError, FpipeError, ShapeError
from fpipe.core.tree import items
from fpipe.data.task import Task
from fpipe.measure.loss import Loss
from fpipe.net.layers.batch_norm import BatchNorm1d
from fpipe.net.layers.module import Foreign
from fpipe.net.network import Network
from fpipe.net.shape import shown
from fpipe.nn.configure import check_loss
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import Pending
from fpipe.nn.predicting import coded_classes
from fpipe.train.callback import Callback
from fpipe.train.gradient import one_output, undrawn
from fpipe.train.plan import Plan


def bound_loss(loss: Loss, task: Task) -> Loss:
    """Return the loss that knows the classes of a task by their codes."""
    check_loss(loss, task.kind)
    classes = coded_classes(task.kind)
    if not loss.foreign:
        return loss.bound(classes, task.outline())
    with undrawn(loss):
        return loss.bound(classes, task.outline())


def check_output(md: ModelDescriptor) -> None:
    """Raise where the network is known to give other outputs than the loss and the task need."""
    shapes = [pointer.shape for pointer in md.pointers]
    if md.loss is not None and len(shapes) != 1 and not (md.loss.foreign and shapes):
        raise one_output(md.loss, shapes)
    if md.subject is None:
        return
    for place, shape in enumerate(shapes[1:], 2):
        if not shape or shape[0] is not None:
            raise ShapeError(
                f"output {place} of the network does not keep the rows of a batch.",
                expected="a shape that begins with the rows, such as (?, 1)",
                got=shown(shape),
                fix="give one value per row, such as penalty.expand(x.shape[0], 1)",
            )
    size, kind = md.subject.kind.output_size, md.subject.kind.name
    if len(shapes[0]) != 2 or shapes[0][1] not in (None, size):
        given = "the network gives" if len(shapes) == 1 else "the network's first output is"
        raise ShapeError(
            f"{given} {shown(shapes[0])} for a {kind}.",
            expected=f"(?, {size})",
            got=" and ".join(map(shown, shapes)),
            fix=_output_fix(md, size),
        )


def _output_fix(md: ModelDescriptor, size: int) -> str:
    """Return what gives the right number of outputs; a module of the user's can do so itself."""
    last = [md.layers.get(pointer.wire.source) for pointer in md.pointers]
    if len(last) == 1 and isinstance(last[0], Foreign):
        name = last[0].code.name
        return f"let {name} give {size} outputs, as task.kind.output_size tells, or add nn.head()"
    return "end the network with nn.head()"


def check_names(md: ModelDescriptor) -> None:
    """Raise where the optimizer or a callback names parameters that are not there.

    Nothing is told where the sizes of a layer are not known yet: nor are its parameters.
    """
    groups = md.optimizer if md.optimizer is not None and md.optimizer.groups else None
    asking = [(i, one) for i, one in md.callbacks if type(one).check_names != Callback.check_names]
    layers = items(md.layers)
    if not (groups or asking) or any(isinstance(layer, Pending) for _, layer in layers):
        return
    found = (f"{path}.{name}" for path, layer in layers for name in layer.bare_weights()[0])
    names = tuple(sorted(found))
    if groups:
        groups.group_of(names)
    for place, callback in asking:
        try:
            callback.check_names(names)
        except FpipeError as error:
            raise error.located(place) from error


def check_smallest_batch(network: Network, plan: Plan) -> None:
    """Raise DataError where batch normalisation would meet a batch of one row."""
    rest = plan.rows % plan.batch_size
    alone = plan.batch_size == 1 or (rest == 1 and not plan.drop_last)
    norms = [path for path, layer in network.layers.items() if isinstance(layer, BatchNorm1d)]
    if alone and norms and plan.epochs:
        raise DataError(
            f"'{min(norms)}' cannot normalise a training batch of one row.",
            expected="at least 2 rows in every batch",
            got=f"{plan.rows} rows in batches of {plan.batch_size} leave a batch of one",
            fix="use another batch_size, or nn.model(..., drop_last=True)",
        )
