"""Any module of torch, or one's own, as a layer."""

from __future__ import annotations

import copy
from typing import Any

import attrs
import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, node
from fpipe.net.layer import Layer
from fpipe.net.layers.module import Foreign
from fpipe.nn.descriptor import ModelDescriptor, join
from fpipe.nn.layer_op import MANY, LayerOp


@descriptor
class Module(LayerOp):
    """Any ``torch.nn.Module`` class as a layer; its parameters are drawn under the key.

    Args:
        code: the class as a reference, or an instance.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """

    name = "module"
    inputs = (MANY,)
    takes_codes = True

    code: Ref | Opaque
    args: tuple[Any, ...] = ()
    kwargs: PMap[str, Any] = pmap()

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        return Foreign(self.code, self.args, self.kwargs, md.dtypes)

    def apply(
        self, state: Layer, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Append the layer; several tensors that it gives leave together."""
        return (join(*super().apply(state, inputs, key=key, context=context)),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Append the layer, or a pending one where sizes are missing."""
        return (join(*super().infer(types, key=key, context=context)),)

    def parameters(self) -> dict[str, Any]:
        """The module's own keyword arguments."""
        return dict(self.kwargs)

    def written(self) -> tuple[str, ...]:
        """The class and its arguments."""
        named = (f"{k}={v!r}" for k, v in items(self.kwargs))
        return (self.code.name, *map(repr, self.args), *named)

    def with_parameters(self, changes: Any) -> Module:
        """Return the op with some keyword arguments replaced."""
        held = {name: hold(x) for name, x in changes.items()}
        return Module(self.code, self.args, self.kwargs.update(held), id=self.id)


def hold(thing: Any) -> Any:
    """Return an argument as a value holds it: code by name, a module as a copy of its own.

    Example:
        >>> import math
        >>> hold(math.sqrt), hold(3)
        (Ref('math:sqrt'), 3)
    """
    if isinstance(thing, torch.nn.Module):
        return Opaque(copy.deepcopy(thing))
    plain = isinstance(thing, Tensor) or attrs.has(type(thing)) or not callable(thing)
    return thing if plain else as_code(thing)


def module(code: Any, *args: Any, id: str | None = None, **kwargs: Any) -> Graph:
    """Use any ``torch.nn.Module`` class as a layer.

    A module that returns a tuple of tensors has several outputs, which leave together: for
    ``nn.loss`` with a loss of one's own over all of them, or for what takes any number of tensors,
    such as ``nn.merge_cat()``.

    A class is built anew under the key. An instance is copied now, and every network begins
    with its weights, whatever the key; being no code that can be named, it equals only itself
    and cannot be saved.

    Args:
        code: the class, ``"package.module:Class"``, a function that returns a module, or an
            instance.
        *args: positional arguments of the class.
        id: the node's id.
        **kwargs: keyword arguments of the class.

    Raises:
        ParameterError: an instance is given arguments.

    Example:
        >>> import torch
        >>> from fpipe import nn
        >>> nn.network(nn.module(torch.nn.Linear, 10, 100), x=(None, 10)).count()
        1100
    """
    if isinstance(code, torch.nn.Module) and (args or kwargs):
        raise ParameterError(
            "an instance of a module takes no arguments.",
            expected="a class with its arguments, or an instance alone",
            got=f"an instance of {type(code).__name__} and {len(args) + len(kwargs)} arguments",
            fix=f"give the class {type(code).__name__} itself",
        )
    held = {name: hold(x) for name, x in kwargs.items()}
    code = hold(code) if isinstance(code, torch.nn.Module) else as_code(code)
    return node(Module(code, tuple(map(hold, args)), pmap(held), id=id))
