"""Ingress: where a task enters the network."""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl
import torch
from pyrsistent import pmap

from fpipe.core.errors import SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import Check, integer, optional, parameter, tuple_of
from fpipe.core.value import descriptor, evolve
from fpipe.data.frame import element_type
from fpipe.data.lazy.columns import is_lazy, kind_text
from fpipe.data.lazy.tensor import LazyType
from fpipe.data.schema import TaskType, check_columns, is_categorical, is_numeric
from fpipe.data.task import Task, among
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.net.network import Input, Wire
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import Ingress, ModelDescriptor, Pointer, View
from fpipe.nn.encoding import check_complete, check_tensors, with_levels
from fpipe.nn.layer_op import OUTPUT
from fpipe.nn.lazy_shapes import check_lazy_shape, other_shape, tensor_dtype

Captured = tuple[tuple[str, pl.DataType], ...]
"""The columns that enter, with their types, as they were at fit."""


@descriptor
class IngressOp(Op):
    """Where all features of a task enter the network as one tensor.

    Its state is the names and types of the columns at fit. It starts a descriptor whose ingress
    keeps the view of the task that arrived here.
    """

    inputs = (Port("task", Task),)
    outputs = (OUTPUT,)

    encoding: ClassVar[str]
    dtype: ClassVar[torch.dtype] = torch.float32

    def check_type(self, task: View) -> None:
        """Raise SchemaError where a feature has a type that cannot enter here."""
        raise NotImplementedError

    def admitted(self, captured: Captured, task: Task) -> Task:
        """Return the task as it enters, or raise DataError for values that cannot."""
        raise NotImplementedError

    def leaving(self, captured: Captured) -> Shape:
        """Return the shape of the tensor, batch first."""
        return (None, len(captured))

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Captured:
        """Capture the columns."""
        del key, context
        return self._captured(inputs[0])

    def apply(
        self, state: Captured, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Start a descriptor over the task."""
        del key
        task: Task = inputs[0]
        check_columns(tuple(name for name, _ in state), task.features)
        return (self._entered(state, self.admitted(state, task), context, self.leaving(state)),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Start a descriptor over the task's type."""
        del key
        task: TaskType = types[0]
        if task.open:
            return (self._entered((), task, context, self.unknown()),)
        captured = self._captured(task)
        return (self._entered(captured, task, context, self.leaving(captured)),)

    def unknown(self) -> Shape:
        """Return the shape where the features are not known yet."""
        return (None, None)

    def captured(self, task: View) -> Captured:
        """Return the columns that enter, with their types."""
        return tuple((name, task.dtype(name)) for name in task.features)

    def _captured(self, task: View) -> Captured:
        if not task.features:
            raise SchemaError(
                "no feature reaches the ingress.",
                expected="at least one feature",
                got="none",
                fix="check what ops.select keeps",
            )
        self.check_type(task)
        return self.captured(task)

    def _entered(
        self, captured: Captured, task: View, context: Context, shape: Shape
    ) -> ModelDescriptor:
        place, columns = context.place, tuple(name for name, _ in captured)
        view = task.with_valid(None) if isinstance(task, Task) else task
        ingress = Ingress(Input(shape, self.dtype), self.encoding, columns, view)
        return ModelDescriptor(
            ingress=pmap({place: ingress}),
            pointers=(Pointer(Wire(place, is_input=True), shape, self.dtype),),
            subject=_subject(task),
        )

    def _check_all(self, task: View, accepted: Any, words: str, fix: str) -> None:
        wrong = [name for name in task.features if not accepted(task.dtype(name))]
        if wrong:
            dtype = task.dtype(wrong[0])
            raise SchemaError(
                f"{self.name} takes {words}, but '{wrong[0]}' is {kind_text(dtype)}.",
                expected=f"features that are {words}",
                got=", ".join(f"{name}: {kind_text(task.dtype(name))}" for name in wrong[:6]),
                fix=f"{_remedy(dtype)}{fix}",
                columns=tuple(wrong),
            )


@descriptor
class IngressNumeric(IngressOp):
    """All features, which must be numbers or truth values, as one float tensor.

    Gives ``[batch, features]`` in the task's order of features, as captured at fit.

    Raises:
        SchemaError: there is no feature, or one is no number.
        DataError: a value is missing or infinite.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"a": [1.0, 2.0], "b": [3, 4], "y": [0.0, 1.0]}, "y")
        >>> fp.transform(nn.ingress_numeric(), task, key=fp.key(0)).shapes
        ((None, 2),)
    """

    name = "ingress_numeric"
    encoding = "numeric"

    def check_type(self, task: View) -> None:
        """Numbers and truth values enter."""
        fix = "keep only ops.select(ops.numeric())"
        self._check_all(task, lambda t: is_numeric(t) or isinstance(t, pl.Boolean), "numbers", fix)

    def admitted(self, captured: Captured, task: Task) -> Task:
        """Every value must be there and finite."""
        check_complete(task.table, tuple(name for name, _ in captured))
        return task


@descriptor
class IngressCategorical(IngressOp):
    """All features, which must have levels or be truth values, as one tensor of codes.

    Gives int64 ``[batch, features]`` in the task's order of features. The code of a value is the
    position of its level, from 0, in the order of the levels at fit; False is 0 and True is 1.

    Raises:
        SchemaError: there is no feature, or one is not categorical.
        DataError: a value is missing, or its level was not there at fit.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"k": ["v", "u", "v"], "y": [0.0, 1.0, 2.0]}, "y")
        >>> md = fp.transform(nn.ingress_categorical(), task, key=fp.key(0))
        >>> md.shapes, md.dtypes
        (((None, 1),), (torch.int64,))
    """

    name = "ingress_categorical"
    encoding = "categorical"
    dtype = torch.int64

    def check_type(self, task: View) -> None:
        """Levels and truth values enter."""
        fix = "keep only ops.select(ops.categorical()) before it"
        self._check_all(task, is_categorical, "categorical", fix)

    def admitted(self, captured: Captured, task: Task) -> Task:
        """Every value must be there, and be a level that was there at fit."""
        names = tuple(name for name, _ in captured)
        check_complete(task.table, names)
        if all(task.dtype(name) == dtype for name, dtype in captured):
            return task
        return evolve(task, table=with_levels(task.table, captured))


_SHAPE = Check(
    "the sizes of one row, without the batch, such as (3, 32, 32), or None",
    optional(tuple_of(integer(0))).accepts,
)


@descriptor
class IngressTensor(IngressOp):
    """The one feature, a column with a tensor of one shape in every row, as a float tensor.

    Gives ``[batch, *shape]``; integers become floating numbers of the same values. The column
    may be lazy: its rows are read when a batch needs them.

    Args:
        shape: what the shape of the tensors must be, without the batch; any where it is None. It
            must be given where the shape of lazy tensors is not known, as after reading files.

    Raises:
        SchemaError: there is not exactly one feature, it holds no tensors, tensors of another
            shape, or pixels from 0 to 255 (uint8); or lazy tensors have one shape while fitting
            and another one later.
        DataError: a number is missing or infinite.

    Example:
        >>> import fpipe as fp, numpy as np
        >>> from fpipe import nn
        >>> task = fp.regression({"x": np.zeros((5, 4, 4)), "y": range(5)}, "y")
        >>> fp.transform(nn.ingress_tensor(), task, key=fp.key(0)).shapes
        ((None, 4, 4),)
    """

    name = "ingress_tensor"
    encoding = "tensor"

    shape: tuple[int, ...] | None = parameter(
        default=None,
        check=_SHAPE,
        convert=lambda x: None if x is None else tuple(x),
    )

    def check_type(self, task: View) -> None:
        """One column of tensors enters."""
        if len(task.features) != 1:
            raise SchemaError(
                f"{self.name} takes one feature, but {len(task.features)} reach it.",
                expected="exactly one feature",
                got=", ".join(task.features[:6]),
                fix=f"select it first: ops.select(ops.named('{task.features[0]}'))",
            )
        fix = "use nn.ingress_numeric() or nn.ingress_categorical() for plain columns"
        self._check_all(
            task, lambda t: _is_tensor(t) or is_lazy(t), "tensors of one shape (pl.Array)", fix
        )
        (name,) = task.features
        if is_lazy(task.dtype(name)):
            check_lazy_shape(self.name, name, _lazy_type(task), self.shape)
        elif self.shape not in (None, found := _tensor_shape(task.dtype(name))):
            raise other_shape(self.name, name, self.shape, found)
        _check_scaled(task)

    def captured(self, task: View) -> Captured:
        """Return the column; of a lazy one, as the type of the tensors that will be read."""
        (name,) = task.features
        if not is_lazy(task.dtype(name)):
            return ((name, task.dtype(name)),)
        known = _lazy_type(task)
        shape = tuple(n or 0 for n in self.shape or known.shape or ())
        return ((name, tensor_dtype(known.dtype, shape)),)

    def admitted(self, captured: Captured, task: Task) -> Task:
        """Every number must be there and finite."""
        ((name, dtype),) = captured
        if is_lazy(task.dtype(name)):
            check_lazy_shape(self.name, name, task.tensors[name].type, _tensor_shape(dtype))
            return task
        _check_alike(name, task.dtype(name), dtype)
        check_tensors(task.table, name)
        return task

    def leaving(self, captured: Captured) -> Shape:
        """The batch, then the shape of one tensor."""
        return (None, *_tensor_shape(captured[0][1]))

    def unknown(self) -> Shape:
        """The shape that was asked for, where one was."""
        return (None, None) if self.shape is None else (None, *self.shape)


ingress_numeric = operator(IngressNumeric)
ingress_categorical = operator(IngressCategorical)
ingress_tensor = operator(IngressTensor)


def _check_scaled(task: View) -> None:
    """Raise SchemaError where pixels from 0 to 255 would enter a network as they are."""
    (name,) = task.features
    dtype = task.dtype(name)
    whole = _lazy_type(task).dtype if is_lazy(dtype) else element_type(dtype)
    if whole in (torch.uint8, pl.UInt8):
        array = "" if is_lazy(dtype) else f"make '{name}' lazy, fp.lazy(array), and "
        raise SchemaError(
            f"the tensors in '{name}' are uint8, and networks compute with floating numbers.",
            expected="floating numbers, such as pixels from 0 to 1",
            got="whole numbers from 0 to 255",
            fix=f"{array}put ops.trafo_to_float() before it, which divides by 255; "
            "ops.trafo_to_float(scale=False) keeps the numbers",
            column=name,
        )


def _check_alike(name: str, found: pl.DataType, dtype: pl.DataType) -> None:
    """Raise SchemaError where tensors have another shape than at fit."""
    if not _is_tensor(found) or _tensor_shape(found) != _tensor_shape(dtype):
        raise SchemaError(
            f"'{name}' held tensors of another shape at fit.",
            expected=f"shape {_tensor_shape(dtype)}",
            got=str(found),
            fix=f"reshape '{name}'",
            column=name,
        )


def _is_tensor(dtype: pl.DataType) -> bool:
    inner = element_type(dtype)
    return isinstance(dtype, pl.Array) and (is_numeric(inner) or isinstance(inner, pl.Boolean))


def _tensor_shape(dtype: pl.DataType) -> tuple[int, ...]:
    return tuple(dtype.shape) if isinstance(dtype, pl.Array) else ()


def _remedy(dtype: pl.DataType) -> str:
    """Return how a feature of a type that cannot enter may be brought in, as a beginning."""
    if isinstance(dtype, pl.Enum):
        return "encode them first with ops.one_hot(), or "
    if isinstance(dtype, pl.Array) or is_lazy(dtype):
        return "let tensors in by nn.ingress_tensor(), or "
    return ""


def _subject(task: View) -> View:
    """Return the task with only the columns that have a role other than feature.

    Columns without a role go as well: paths that select different features may meet.
    """
    roles = task.roles.set("feature", ())
    kept = {column for columns in roles.values() for column in columns}
    if isinstance(task, TaskType):
        dtypes = tuple((name, dtype) for name, dtype in task.dtypes if name in kept)
        known = pmap({name: one for name, one in task.tensors.items() if name in kept})
        return evolve(task, dtypes=dtypes, roles=roles, open=False, tensors=known)
    others = [name for name in task.table.columns if name not in kept]
    table = task.table.drop(others)
    tensors = among(task.tensors, table.schema)
    return evolve(task, table=table, roles=roles, valid=None, tensors=tensors)


def _lazy_type(task: View) -> LazyType:
    """Return what is known of the one feature, a lazy column."""
    (name,) = task.features
    return task.tensors[name].type if isinstance(task, Task) else task.tensors[name]
