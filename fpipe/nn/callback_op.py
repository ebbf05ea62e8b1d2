"""Callbacks as an operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, node
from fpipe.graph.op import Op
from fpipe.nn.descriptor import Callbacks, ModelDescriptor, join
from fpipe.nn.layer_op import DESCRIPTOR, OUTPUT
from fpipe.train.callback import Callback


@descriptor
class AddCallbacks(Op):
    """Adds callbacks behind those that are there; their fields are its parameters.

    Args:
        callbacks: pairs of id and callback.
    """

    name = "callbacks"
    inputs = (DESCRIPTOR,)
    outputs = (OUTPUT,)

    callbacks: Callbacks = ()

    def __attrs_post_init__(self) -> None:
        for name, callback in self.callbacks:
            _check_fields(name, callback)

    def parameters(self) -> dict[str, Any]:
        """The fields of every callback, behind its id."""
        return {
            f"{name}.{path}": held
            for name, callback in self.callbacks
            for path, held in callback.parameters().items()
        }

    def with_parameters(self, changes: Mapping[str, Any]) -> AddCallbacks:
        """Return the operator with some fields of its callbacks replaced."""
        changed = tuple(
            (name, callback.with_parameters(_below(name, changes)))
            for name, callback in self.callbacks
        )
        return evolve(self, callbacks=changed)

    def written(self) -> tuple[str, ...]:
        """The callbacks as they would be given."""
        return tuple(_written(name, callback) for name, callback in self.callbacks)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Add the callbacks."""
        del state, key, context
        into: ModelDescriptor = join(*inputs)
        _check_ids((*into.callbacks, *self.callbacks))
        return (evolve(into, callbacks=(*into.callbacks, *self.callbacks)),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Add the callbacks."""
        return self.apply(None, types, key=key, context=context)


def callbacks(*callbacks: Callback, id: str | None = None, **named: Callback) -> Graph:
    """Add callbacks to training; they are called in the order in which they are added.

    Args:
        *callbacks: callbacks under their own names.
        id: the node's id.
        **named: callbacks under other names, behind those.

    Raises:
        ParameterError: something is no callback, or two have the same id.

    Example:
        >>> from fpipe.callbacks import clip_gradients
        >>> graph = callbacks(clip_gradients(5.0))
        >>> graph.set({"callbacks.clip_gradients.max_norm": 1.0}).params()
        {'callbacks.clip_gradients.max_norm': 1.0, 'callbacks.clip_gradients.norm_type': 2.0}
    """
    for one in (*callbacks, *named.values()):
        _check_callback(one)
    given = (*((one.name, one) for one in callbacks), *named.items())
    _check_ids(given)
    return node(AddCallbacks(given, id=id))


def _below(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    start = f"{name}."
    return {path[len(start) :]: x for path, x in changes.items() if path.startswith(start)}


def _written(name: str, callback: Callback) -> str:
    text = f"{callback.name}({', '.join(callback.written())})"
    return text if name == callback.name else f"{name}={text}"


def _check_callback(thing: Any) -> None:
    if not isinstance(thing, Callback):
        kind = thing.__name__ if isinstance(thing, type) else getattr(thing, "__name__", None)
        raise ParameterError(
            f"{kind or type(thing).__name__} is no callback.",
            expected="callbacks, such as clip_gradients(5.0)",
            got=repr(thing)[:80],
            fix=f"call it: {kind}(...)" if kind else "derive a class from fpipe.callbacks.Callback",
        )
    if "__attrs_attrs__" not in vars(type(thing)) or not attrs.has(type(thing)):
        raise ParameterError(
            f"the callback {type(thing).__name__} is not frozen.",
            expected="a class with the decorator that makes it a value",
            got="a class without it",
            fix=f"write @fpipe.callbacks.descriptor above class {type(thing).__name__}",
        )


_PLAIN: Mapping[str, tuple[type, ...]] = {
    "float": (float, int),
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
}
"""Annotation → what a field may hold; other annotations are not looked at."""


def _check_fields(name: str, callback: Callback) -> None:
    """Raise ParameterError where a field holds something else than it is annotated with."""
    for field in fields_of(type(callback)):
        kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
        held = getattr(callback, field.name)
        if kind not in _PLAIN or held is REQUIRED:
            continue
        boolean = isinstance(held, bool) and kind != "bool"
        if boolean or not isinstance(held, _PLAIN[kind]):
            raise ParameterError(
                f"the callback '{name}': {field.name} cannot be {held!r}.",
                expected=f"{kind}, as it is annotated",
                got=f"{held!r} ({type(held).__name__})"[:80],
                fix=f"give {field.name} as {kind}",
            )


def _check_ids(given: Callbacks) -> None:
    ids = [name for name, _ in given]
    for name in ids:
        if not name.isidentifier():
            raise ParameterError(
                f"a callback cannot be called {name!r}.",
                expected="letters, digits and underscores",
                got=repr(name),
                fix="nn.callbacks(my_name=...)",
            )
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ParameterError(
            f"two callbacks are called '{twice[0]}'.",
            expected="every id once",
            got=", ".join(ids),
            fix=f"name one of them, e.g. nn.callbacks({twice[0]}_2=...)",
        )
