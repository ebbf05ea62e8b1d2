"""One example of every class of values, made from the types of its fields."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any

import attrs
import numpy as np
import polars as pl
import torch
from pyrsistent import PMap, PVector, pmap, pvector
from torch.optim.lr_scheduler import StepLR

import fpipe as fp
from fpipe import nn, ops
from fpipe.catalogue import house_types
from fpipe.codec.conform import hints_of
from fpipe.codec.trust import type_name
from fpipe.core.code import Ref, as_code
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import fields_of
from fpipe.data.kind import Classification
from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.maps import Map
from fpipe.data.lazy.source import Source
from fpipe.data.task import Task
from fpipe.graph.fitted import Fitted
from fpipe.graph.graph import Graph
from fpipe.graph.op import MacroState, Op
from fpipe.graph.wiring import Wiring
from fpipe.measure.losses.contract import Loss
from fpipe.measure.losses.distance import MeanSquaredError
from fpipe.net.layer import Layer
from fpipe.net.layers.architecture import Architecture
from fpipe.net.layers.linear import Linear as LinearLayer
from fpipe.net.network import Input, Network, Wire
from fpipe.ops.data_selector import Cardinality
from fpipe.ops.estimator import Built
from fpipe.ops.feature_selector import Everything
from fpipe.ops.formula import as_formula
from fpipe.ops.images.flips import HorizontalFlip
from fpipe.ops.lazy_op import LazyOp
from fpipe.ops.selector import Selector
from fpipe.optim.decays import Exponential, Linear
from fpipe.optim.sequence import Sequence
from fpipe.optim.wrapped import TorchSchedule
from fpipe.train.mixing import Mixing, Mixup


def is_abstract(cls: type) -> bool:
    """Tell whether a class only stands for those derived from it."""
    return inspect.isabstract(cls) or (issubclass(cls, Op) and not hasattr(cls, "name"))


def concrete_types() -> Mapping[str, type]:
    """Return the classes that values in files are of, by name.

    Example:
        >>> concrete_types()["core.Key"].__name__
        'Key'
    """
    found = house_types().items()
    return {n: cls for n, cls in found if n not in NOT_SAVED and not is_abstract(cls)}


NOT_SAVED = frozenset(["core.Law", "data.DatasetSource"])
"""Classes that hold code by design and are no contents of files."""


def example(cls: type) -> Any:
    """Return a value of a class.

    Raises:
        ParameterError: nothing is known of a field; add the class to ``EXAMPLES``.

    Example:
        >>> from fpipe.core.key import Key
        >>> type(example(Key)) is Key
        True
    """
    if type_name(cls) in EXAMPLES:
        return EXAMPLES[type_name(cls)]()
    given = {}
    for field in fields_of(cls):
        if field.default is attrs.NOTHING or field.default is REQUIRED:
            given[field.alias or field.name] = _of(hints_of(cls)[field.name], cls, field.name)
    return cls(**given)


def task() -> Task:
    """A small task with every kind of column, missing values and validation rows."""
    frame = pl.DataFrame(
        {
            "x": [0.0, -0.0, float("nan"), None],
            "n": pl.Series([1, None, 3, 4], dtype=pl.Int8),
            "c": pl.Series(["a", None, "b", "a"], dtype=pl.Enum(["a", "b"])),
            "d": pl.Series([None, 1, 2, 3], dtype=pl.Int32).cast(pl.Date),
            "v": pl.Series([[1.0, 2.0]] * 4, dtype=pl.Array(pl.Float32, 2)),
            "y": ["no", "yes", "no", "yes"],
        }
    )
    whole = fp.classification(frame, "y", name="small")
    return whole.take([0, 1]).with_valid(whole.take([2, 3]))


def graph() -> Graph:
    """A graph with a network, a branch, a block and a wrap."""
    body = nn.linear(3) >> nn.branch(a=nn.relu(), b=nn.dropout(0.5))
    learner = nn.ingress_numeric() >> nn.block(body, n_blocks=2) >> nn.head()
    trained = nn.loss("mse") >> nn.optimizer("adam") >> nn.model(epochs=1, batch_size=4)
    return fp.wrap(ops.scale() >> ops.one_hot(), id="before") >> learner >> trained


def fitted() -> Fitted:
    """A fitted graph with a trained network."""
    rows = {"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 2.0, 1.0, 3.0]}
    return fp.fit(graph(), fp.regression(rows, "y"), key=fp.key(1))


def network() -> Network:
    """A network of one layer."""
    return Network(
        inputs=pmap({"x": Input((None, 2))}),
        layers=pmap({"linear": LinearLayer(2, 1)}),
        wires=pmap({"linear": (Wire("x", is_input=True),)}),
        outputs=(Wire("linear"),),
    )


def _macro_state() -> MacroState:
    inner = fitted().states["before"]
    assert isinstance(inner, MacroState)
    return inner


EXAMPLES: Mapping[str, Callable[[], Any]] = {
    "core.Ref": lambda: Ref("torch.nn:ReLU"),
    "data.Task": task,
    "graph.Graph": graph,
    "graph.Fitted": fitted,
    "graph.MacroState": _macro_state,
    "graph.Wiring": lambda: Wiring(graph().ports, graph().nodes, graph().outputs),
    "net.Network": network,
    "net.Model": lambda: network().bind(fp.key(1)),
    "nn.TrainedModel": lambda: fitted().state("model"),
    "nn.Residual": lambda: nn.residual(nn.linear(3) >> nn.relu()).nodes[0].op,
    "nn.Reshape": lambda: nn.reshape((-1, 2)).nodes[0].op,
    "optim.Sequence": lambda: Sequence((Linear(0.5), Exponential(0.1)), (2,)),
    "optim.TorchSchedule": lambda: TorchSchedule(as_code(StepLR), pmap({"step_size": 2})),
    "ops.Built": lambda: Built(Ref("sklearn.linear_model:Ridge"), (), pmap({"alpha": 1.0})),
    "ops.MapRows": lambda: ops.trafo_map("torch.nn.functional:relu").nodes[0].op,
    "net.Architecture": lambda: Architecture("shufflenet_v2_x0_5", 2),
    "nn.Vision": lambda: nn.vision("resnet18").nodes[0].op,
    "learners.ImageNetwork": lambda: fp.learners.resnet18(epochs=1).nodes[0].op,
    "ops.GaussianBlur": lambda: ops.augment_gaussian_blur(3).nodes[0].op,
    "ops.Cardinality": lambda: Cardinality(at_most=3),
    "ops.Formula": lambda: as_formula(pl.col("x") + 1),
}
"""Examples of classes whose fields must go together, by their names in files."""

_OF_TYPE: Mapping[Any, Callable[[], Any]] = {
    bool: lambda: True,
    int: lambda: 2,
    float: lambda: 0.5,
    str: lambda: "a",
    bytes: lambda: b"\x00a",
    object: lambda: "anything",
    type: lambda: Task,
    Any: lambda: (1, "a", None),
    None: lambda: None,
    torch.Tensor: lambda: torch.tensor([-0.0, 1.5]),
    torch.dtype: lambda: torch.float32,
    pl.DataFrame: lambda: pl.DataFrame({"a": [1, None]}),
    pl.Series: lambda: pl.Series("a", [1, None]),
    pl.DataType: pl.Int8,
    Ref: lambda: Ref("torch.nn:ReLU"),
    Layer: lambda: LinearLayer(2, 1),
    Map: HorizontalFlip,
    LazyOp: HorizontalFlip,
    Source: lambda: ArraySource(torch.tensor([[1], [2]])),
    Mixing: lambda: Mixup(0.5),
    Selector: Everything,
    Loss: MeanSquaredError,
    Classification: lambda: Classification(("a", "b"), "b"),
}


def _of(hint: Any, cls: type, name: str) -> Any:
    if hint in _OF_TYPE:
        return _OF_TYPE[hint]()
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in _INSIDE:
        return _INSIDE[origin](args, lambda inner: _of(inner, cls, name))
    if isinstance(hint, type) and attrs.has(hint):
        return example(hint)
    raise ParameterError(
        f"no example of {cls.__name__}.{name} is known.",
        expected="a type of which examples are known",
        got=str(hint),
        fix="add the class to EXAMPLES in fpipe/testing/examples.py",
    )


def _either(args: tuple[Any, ...], of: Callable[[Any], Any]) -> Any:
    return of(next(arg for arg in args if arg is not type(None)))


def _tuple(args: tuple[Any, ...], of: Callable[[Any], Any]) -> Any:
    return tuple(map(of, args[:1] if args[-1:] == (Ellipsis,) else args))


_INSIDE: Mapping[Any, Callable[..., Any]] = {
    typing.Union: _either,
    UnionType: _either,
    typing.Literal: lambda args, of: args[0],
    tuple: _tuple,
    PMap: lambda args, of: pmap({of(args[0]): of(args[1])}),
    collections.abc.Mapping: lambda args, of: pmap({of(args[0]): of(args[1])}),
    PVector: lambda args, of: pvector([of(args[0])]),
    frozenset: lambda args, of: frozenset([of(args[0])]),
    list: lambda args, of: [of(args[0])],
    np.ndarray: lambda args, of: np.array([1, 2], typing.get_args(args[-1])[0]),
}
"""How examples of types with arguments are made."""
