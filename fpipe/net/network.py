"""Networks: layers with named inputs, as one value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import DataError, FpipeError, ParameterError, ShapeError
from fpipe.core.key import Key
from fpipe.core.tree import items, sorted_keys
from fpipe.core.value import descriptor, value
from fpipe.graph.compose import counted
from fpipe.net.layer import Draw, Layer, Tensors, count
from fpipe.net.shape import Shape, shown


@descriptor
class Wire:
    """Where a layer's input comes from.

    Args:
        source: path of a layer, or name of an input of the network.
        port: which of the layer's outputs.
        is_input: whether ``source`` is an input of the network.
    """

    source: str
    port: int = 0
    is_input: bool = False


@descriptor
class Input:
    """An input of a network: its shape (batch first, None for unknown) and dtype."""

    shape: Shape
    dtype: torch.dtype = torch.float32


class Step(NamedTuple):
    """One layer in the order of execution, with the short names of its tensors."""

    path: str
    layer: Layer
    wires: tuple[Wire, ...]
    params: tuple[tuple[str, str], ...] = ()
    buffers: tuple[tuple[str, str], ...] = ()


@descriptor
class Network:
    """Layers by path and the wires between them.

    Args:
        inputs: name → shape and dtype.
        layers: path → layer.
        wires: path → where the layer's inputs come from.
        outputs: what leaves.
        order: the inputs in the order in which a model takes them by position; sorted by name
            where it is empty.
    """

    inputs: PMap[str, Input]
    layers: PMap[str, Layer]
    wires: PMap[str, tuple[Wire, ...]]
    outputs: tuple[Wire, ...]
    order: tuple[str, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs in the order in which a model takes them by position."""
        return self.order or sorted_keys(self.inputs)

    def init(self, key: Key) -> tuple[PMap[str, Tensor], PMap[str, Tensor]]:
        """Return initial parameters and buffers by full name (``"linear.weight"``).

        Raises:
            ParameterError: something else than a key is given.
        """
        _check_key(key)
        return init_layers(self, {path: key.fold_in(path) for path in self.layers})

    def count(self) -> int:
        """Return the number of parameters; none of them is drawn for it."""
        return sum(count(layer.bare_weights()[0]) for layer in self.layers.values())

    def shapes(self, inputs: Mapping[str, Shape]) -> tuple[Shape, ...]:
        """Return the shapes of the outputs for inputs of these shapes."""
        found = all_shapes(self, inputs)
        return tuple(_lookup(found, inputs, wire) for wire in self.outputs)

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: Mapping[str, Tensor],
        draws: Mapping[str, Tensors] | None = None,
        training: bool = False,
    ) -> tuple[tuple[Tensor, ...], PMap[str, Tensor]]:
        """Return the outputs and the new buffers; a pure function of its arguments.

        Args:
            params: parameters by full name.
            buffers: buffers by full name.
            inputs: one tensor per input of the network, ``[batch, …]``.
            draws: what layers draw, by path; needed while training.
            training: whether layers behave as in training.
        """
        steps = program(self, params, buffers)
        outputs, new = execute(steps, self.outputs, params, buffers, inputs, draws, training)
        return outputs, pmap(new)

    def bind(self, key: Key) -> Model:
        """Return a callable model with freshly drawn parameters.

        Raises:
            ParameterError: something else than a key is given.
        """
        params, buffers = self.init(key)
        return Model(self, params, buffers)

    def __repr__(self) -> str:
        shown_inputs = ", ".join(f"{n} {shown(i.shape)}" for n, i in items(self.inputs))
        lines = [f"Network of {self.count():,} parameters ({shown_inputs})"]
        shapes = all_shapes(self, {name: i.shape for name, i in self.inputs.items()})
        for path, layer, *_ in program(self):
            size = count(layer.bare_weights()[0])
            lines.append(f"  {path:<20} {shown(shapes[path][0]):<16} {size:>10,}  {layer!r}")
        return "\n".join(lines)


@value
class Model:
    """A network with parameters: a function of tensors, for playing.

    Args:
        network: the network.
        params: parameters by full name.
        buffers: buffers by full name.
    """

    network: Network
    params: PMap[str, Tensor]
    buffers: PMap[str, Tensor]

    def __call__(self, *inputs: Tensor, **named: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the network's output (a tuple where it has several) in evaluation mode.

        Args:
            *inputs: one tensor per input in the order in which they were declared, ``[batch, …]``.
            **named: the same by name.

        Raises:
            ShapeError: the number of inputs or their shapes are others.
            DataError: an input is no tensor, or has another dtype.
        """
        given = dict(zip(self.network.input_names, inputs, strict=False)) | named
        missing = [name for name in self.network.input_names if name not in given]
        if missing or len(inputs) + len(named) != len(self.network.inputs):
            raise ShapeError(
                f"the network has {counted(len(self.network.inputs), 'input')}.",
                expected=", ".join(self.network.input_names),
                got=f"{len(inputs)} by position, {', '.join(named) or 'none'} by name",
                fix="give one tensor per input",
            )
        for name, x in given.items():
            self._check_input(name, x)
        self.network.shapes({name: tuple(x.shape) for name, x in given.items()})
        outputs, _ = self.network.apply(self.params, self.buffers, given)
        return outputs[0] if len(outputs) == 1 else outputs

    def _check_input(self, name: str, x: object) -> None:
        declared = self.network.inputs[name].dtype
        floats = [t.dtype for t in self.params.values() if t.is_floating_point()]
        wanted = floats[0] if floats and declared.is_floating_point else declared
        if not isinstance(x, Tensor):
            raise DataError(
                f"the input '{name}' is no tensor.",
                expected=f"a tensor of dtype {wanted}",
                got=type(x).__name__,
                at=name,
                fix=f"torch.as_tensor({name}, dtype={wanted})",
            )
        # Without weights any floating dtype will do.
        free = not floats and declared.is_floating_point and x.is_floating_point()
        if x.dtype != wanted and not free:
            raise DataError(
                f"the input '{name}' has another dtype than the network.",
                expected=str(wanted),
                got=str(x.dtype),
                at=name,
                fix=f"{name}.to({wanted})",
            )

    def __repr__(self) -> str:
        return f"Model of {self.network!r}"


def program(
    network: Network, params: Iterable[str] = (), buffers: Iterable[str] = ()
) -> tuple[Step, ...]:
    """Return the layers in an order in which each comes after those it reads.

    Args:
        network: the network.
        params: full names of the parameters, to be dealt to the layers.
        buffers: full names of the buffers, likewise.
    """
    order: list[str] = []
    done: set[str] = set()
    stack = [wire.source for wire in reversed(network.outputs) if not wire.is_input]
    while stack:
        path = stack[-1]
        needed = [w.source for w in network.wires[path] if not w.is_input]
        waiting = [source for source in reversed(needed) if source not in done]
        if path in done or not waiting:
            stack.pop()
            if path not in done:
                done.add(path)
                order.append(path)
        else:
            stack.extend(waiting)
    own_params, own_buffers = tuple(params), tuple(buffers)
    return tuple(
        Step(
            path,
            network.layers[path],
            network.wires[path],
            _below(own_params, path),
            _below(own_buffers, path),
        )
        for path in order
    )


def init_layers(
    network: Network, keys: Mapping[str, Key]
) -> tuple[PMap[str, Tensor], PMap[str, Tensor]]:
    """Return initial parameters and buffers, each layer drawn from its own key."""
    params: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}
    for path, layer in items(network.layers):
        own_params, own_buffers = layer.init(keys[path])
        params |= {f"{path}.{name}": tensor for name, tensor in own_params.items()}
        buffers |= {f"{path}.{name}": tensor for name, tensor in own_buffers.items()}
    return pmap(params), pmap(buffers)


def all_shapes(network: Network, inputs: Mapping[str, Shape]) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes that leave every layer, by path."""
    found: dict[str, tuple[Shape, ...]] = {}
    for path, layer, wires, *_ in program(network):
        entering = tuple(_lookup(found, inputs, wire) for wire in wires)
        try:
            found[path] = layer.shapes(entering)
        except FpipeError as error:
            raise error.located(path) from error
    return found


def planned_draws(
    network: Network, inputs: Mapping[str, Shape]
) -> tuple[tuple[str, str, Draw], ...]:
    """Return what the layers draw for a training batch of these shapes: path, name, draw."""
    found = all_shapes(network, inputs)
    return tuple(
        (path, name, draw)
        for path, layer, wires, *_ in program(network)
        for name, draw in items(layer.draws(tuple(_lookup(found, inputs, w) for w in wires)))
    )


def make_draws(
    plan: tuple[tuple[str, str, Draw], ...], keys: Mapping[str, Key], step: int
) -> dict[str, dict[str, Tensor]]:
    """Return the draws of one training step; each depends on its layer's key and the step."""
    made: dict[str, dict[str, Tensor]] = {}
    for path, name, draw in plan:
        key = keys[path].fold_in("draw").fold_in(step).fold_in(name)
        made.setdefault(path, {})[name] = draw.draw(key)
    return made


def execute(
    steps: tuple[Step, ...],
    wanted: tuple[Wire, ...],
    params: Tensors,
    buffers: Tensors,
    inputs: Mapping[str, Tensor],
    draws: Mapping[str, Tensors] | None,
    training: bool,
    resting: Collection[str] = (),
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Run the layers in order; return what is wanted and all buffers.

    Args:
        steps: the layers in order.
        wanted: the outputs.
        params: parameters by full name.
        buffers: buffers by full name.
        inputs: one tensor per input of the network.
        draws: what layers draw, by path.
        training: whether layers behave as in training.
        resting: paths of layers that behave as outside of it in any case.
    """
    new = dict(buffers)
    found: dict[str, tuple[Tensor, ...]] = {}
    for path, layer, wires, param_names, buffer_names in steps:
        entering = tuple(inputs[w.source] if w.is_input else found[w.source][w.port] for w in wires)
        active = training and path not in resting
        try:
            layer.check(entering, active)
            found[path], changed = layer.apply(
                {short: params[full] for short, full in param_names},
                {short: new[full] for short, full in buffer_names},
                entering,
                (draws or {}).get(path, {}),
                active,
            )
        except FpipeError as error:
            raise error.located(path).with_traceback(error.__traceback__) from error.__cause__
        except Exception as error:
            error.add_note(f"at {path}")
            raise
        for short, full in buffer_names:
            new[full] = changed[short]
    outputs = tuple(inputs[w.source] if w.is_input else found[w.source][w.port] for w in wanted)
    return outputs, new


def _check_key(key: object) -> None:
    if not isinstance(key, Key):
        raise ParameterError(
            "initial weights are drawn from a key.",
            expected="a key",
            got=f"{key!r} ({type(key).__name__})"[:80],
            fix=f"fp.key({key})" if isinstance(key, int) else "fp.key(0)",
        )


def _below(names: tuple[str, ...], path: str) -> tuple[tuple[str, str], ...]:
    prefix = f"{path}."
    return tuple((name[len(prefix) :], name) for name in names if name.startswith(prefix))


def _lookup(
    found: Mapping[str, tuple[Shape, ...]], inputs: Mapping[str, Shape], wire: Wire
) -> Shape:
    return inputs[wire.source] if wire.is_input else found[wire.source][wire.port]
