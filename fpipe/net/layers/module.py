"""Foreign modules (torch.nn, torchvision, a user's own) as layers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch import Tensor
from torch.func import functional_call
from torch.nn.parameter import is_lazy

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import FpipeError, ParameterError, StateError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.net.attention_mode import PlainAttention
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.layer import Applied, Draw, Dtypes, Layer, Stream, Tensors
from fpipe.net.probe import Probed, probe
from fpipe.net.recurrent import check_recurrent
from fpipe.net.shape import Shape


@descriptor
class Foreign(Layer):
    """A ``torch.nn.Module`` class with its arguments, applied by ``functional_call``.

    Its parameters are drawn under the key when the module is built; the module that is built
    is thrown away, only its tensors are kept. An instance brings its tensors along. Parameters
    that require no gradient are kept, and not learned.

    Args:
        code: the class, a function that returns a module, or an instance.
        args: positional arguments of the class.
        kwargs: keyword arguments of the class.
        takes: the dtypes of the inputs; all float32 where it is empty.
    """

    name = "module"

    code: Ref | Opaque
    args: tuple[Any, ...] = ()
    kwargs: PMap[str, Any] = pmap()
    takes: tuple[torch.dtype, ...] = ()

    def build(self) -> torch.nn.Module:
        """Build the module; nothing that is held by this layer is part of it.

        Raises:
            ParameterError: the class does not take these arguments, or gives no module.
        """
        code = self.code.resolve()
        if isinstance(code, torch.nn.Module):
            return copy.deepcopy(code)
        args = [_argument(x) for x in self.args]
        kwargs = {name: _argument(x) for name, x in items(self.kwargs)}
        try:
            made = code(*args, **kwargs)
        except FpipeError:
            raise
        except Exception as error:
            raise ParameterError(
                f"{self.code.name} cannot be built.",
                expected="a class of modules with the arguments that it takes",
                got=f"{type(error).__name__}: {error}"[:300],
                fix=_build_fix(code, kwargs, error),
            ) from error
        return _checked(made, self.code.name)

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Probe the module on the meta device."""
        return self._probe(inputs).shapes

    def dtypes(self, inputs: tuple[torch.dtype, ...], shapes: tuple[Shape, ...]) -> Dtypes:
        """Probe the module on the meta device."""
        return self._probe(shapes).dtypes

    def bare(self) -> torch.nn.Module:
        """Return the module with parameters and buffers on the meta device, for a single use."""
        try:
            return copy.deepcopy(_template(self))
        except TypeError:  # arguments without a hash
            return _bare_module(self)

    def __repr__(self) -> str:
        named = (f"{name}={x!r}" for name, x in items(self.kwargs))
        return f"{self.code.name}({', '.join([*map(repr, self.args), *named])})"

    def _probe(self, shapes: tuple[Shape, ...]) -> Probed:
        takes = self.takes or (torch.float32,) * len(shapes)
        return probe(self.bare().eval(), shapes, takes, what=self.code.name, real=self._whole)

    def _whole(self) -> torch.nn.Module:
        with KeyedMode(Key(0).generator()):
            return self.build().eval()

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Build the module under the key and keep its tensors."""
        with KeyedMode(key.generator()):
            module = self.build()
        learned, fixed = _tensors(module)
        return _cloned(learned), _cloned(fixed)

    def bare_weights(self) -> tuple[Tensors, Tensors]:
        """Look at the module that is built once for all its uses."""
        return _tensors(self.bare())

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One stream for all that the module may draw in a step."""
        return {"stream": Stream()}

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Call the module with these tensors; its buffers are copied first, it changes them.

        What it draws while training comes from the stream that is passed in.
        """
        module = self.bare().train(training)
        for device in sorted({str(x.device) for x in inputs}):
            check_recurrent(module, device, self.code.name)
        changing = {name for name, _ in module.named_buffers()}
        own = {n: b.clone() if n in changing else b for n, b in buffers.items()}
        watched, mode = untouched(inputs, self.code.name), keyed(draws, training, self.code.name)
        with watched, mode, attention(inputs, training):
            out = functional_call(module, {**params, **own}, inputs)
        outputs = tuple(out) if isinstance(out, tuple | list) else (out,)
        return outputs, own


def _build_fix(code: Any, kwargs: Mapping[str, Any], error: Exception) -> str:
    """Return what may mend a module that cannot be built."""
    name = getattr(code, "__name__", type(code).__name__)
    if isinstance(error, AttributeError) and "Module.__init__()" in str(error):
        return f"call super().__init__() first in {name}.__init__"
    try:
        known = inspect.signature(code).parameters.values()
    except (TypeError, ValueError):
        return f"give the arguments that {name} takes" + _or_function(code, name)
    named = [p.name for p in known if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not any(p.kind is p.VAR_KEYWORD for p in known):
        for given in kwargs:
            if given not in named:
                return f"{name} has no argument '{given}': {did_you_mean(given, named)}"
    if not isinstance(error, TypeError):
        return f"give {name} other values"
    return f"{name} takes ({', '.join(map(_parameter, known))})" + _or_function(code, name)


def _or_function(code: Any, name: str) -> str:
    """Return the advice for code that may be a function of tensors, and no maker of modules."""
    return "" if isinstance(code, type) else f"; a function of tensors is nn.fn({name})"


def _parameter(p: inspect.Parameter) -> str:
    return str(p.replace(annotation=p.empty))


def keyed(draws: Tensors, training: bool, name: str) -> KeyedMode:
    """Return the mode in which foreign code runs: it draws from its stream, or not at all.

    Args:
        draws: what the layer was given; ``"stream"`` is the state of a generator.
        training: foreign code may draw while training only.
        name: what the code is called, for messages.
    """
    state = draws.get("stream") if training else None
    if state is None:
        return KeyedMode(None, evaluated=None if training else name)
    made = torch.Generator()
    made.set_state(state)
    return KeyedMode(made)


def attention(inputs: tuple[Tensor, ...], training: bool) -> AbstractContextManager[Any]:
    """Return the mode in which foreign code computes attention: plainly, where it must be.

    While training on a GPU it must, for its dropout to be keyed; and outside of training under
    autocast, which torch's fused transformer layers do not know.
    """
    kinds = {x.device.type for x in inputs}
    plain = kinds - {"cpu", "meta"} if training else filter(torch.is_autocast_enabled, kinds)
    return PlainAttention() if any(plain) else nullcontext()


@contextmanager
def untouched(inputs: tuple[Tensor, ...], name: str) -> Iterator[None]:
    """Raise StateError where foreign code changes one of its inputs in place."""
    tracked = [x for x in inputs if not x.is_inference()]
    before = [x._version for x in tracked]  # noqa: SLF001
    yield
    if before != [x._version for x in tracked]:  # noqa: SLF001
        raise StateError(
            f"{name} changes its input in place.",
            expected="an input that stays as it is; others may read it",
            got="a changed input",
            fix="leave out inplace=True, or work on a copy",
        )


def _argument(held: Any) -> Any:
    """Return an argument of the class as the class takes it."""
    found = held.resolve() if isinstance(held, Ref | Opaque) else held
    return copy.deepcopy(found) if isinstance(found, torch.nn.Module) else found


@lru_cache(maxsize=64)
def _template(layer: Foreign) -> torch.nn.Module:
    """Build a module once for all its uses; every use copies it."""
    return _bare_module(layer)


def _bare_module(layer: Foreign) -> torch.nn.Module:
    """Build a module and leave its parameters and buffers out; what else it holds stays real."""
    with KeyedMode(Key(0).generator()):
        module = layer.build()
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): _bare(tensor) for tensor in tensors})


def _bare(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(empty, tensor.requires_grad)
    return empty


def _tensors(module: torch.nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what a module learns, and what it keeps, by name."""
    learned = {n: p for n, p in module.named_parameters() if p.requires_grad}
    fixed = {n: p for n, p in module.named_parameters() if not p.requires_grad}
    return dict(learned), fixed | dict(module.named_buffers())


def _cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _checked(made: Any, name: str) -> torch.nn.Module:
    if not isinstance(made, torch.nn.Module):
        raise ParameterError(
            f"{name} gives no module.",
            expected="torch.nn.Module",
            got=type(made).__name__,
            fix="use nn.fn for a function of tensors",
        )
    lazy = [n for n, p in made.named_parameters() if is_lazy(p)]
    if lazy:
        raise ParameterError(
            f"{name} leaves the sizes of its parameters open.",
            expected="a module whose parameters have sizes",
            got=f"no size for {', '.join(lazy)}",
            fix="use the class that takes its sizes, e.g. torch.nn.Linear",
        )
    return made
