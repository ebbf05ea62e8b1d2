"""Functions as layers: a user's own forward, with or without parameters and declared draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import FpipeError, ParameterError, ShapeError, StateError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.layer import Draw, Dtypes, Given, Keep, Layer, Normal, Stream, Tensors, Uniform
from fpipe.net.layers.module import attention, keyed, untouched
from fpipe.net.probe import Probed, probe
from fpipe.net.shape import Shape, UnknownSizeError, shown
from fpipe.net.signature import accepted, signature_of

Code = Ref | Opaque


@descriptor
class Function(Layer):
    """A user's functions as one layer.

    Args:
        name: what the operator is called.
        code: ``forward(x, …)``, or ``forward(params, x, …)`` where there is an ``init``.
        hyper: the keyword arguments of all functions, by name.
        outputs: how many tensors ``code`` gives.
        init_code: ``(key, *shapes, **hyper)`` → learned parameters by name.
        shapes_code: ``(*shapes, **hyper)`` → the shape (or shapes) that leave; probed if None.
        draws_code: ``(*shapes, **hyper)`` → draws by name; None for undeclared ones.
        takes: the dtypes of the inputs.
        entering: the shapes that the parameters were made for.
        outline: name and shape of every parameter.
    """

    name: str  # type: ignore[misc]  # a name of its own, not of the class
    code: Code
    hyper: PMap[str, Any] = pmap()
    outputs: int = 1
    init_code: Code | None = None
    shapes_code: Code | None = None
    draws_code: Code | None = None
    takes: tuple[torch.dtype, ...] = ()
    entering: tuple[Shape, ...] = ()
    outline: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Ask the user's rule, or probe ``forward`` on the meta device."""
        if self.shapes_code is None:
            found = self._probe(inputs).shapes
        else:
            found = _as_shapes(self._call(self.shapes_code, inputs), self.name)
        self._check_count(len(found))
        for leaving in found:
            _check_batch(inputs, leaving, self.name)
        return found

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Probe ``forward``; where only the user's rule knows the shapes, as a float layer."""
        try:
            return self._probe(shapes).dtypes
        except ShapeError:
            if self.shapes_code is None:
                raise
            return super().dtypes(inputs, shapes) * self.outputs

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Ask the user's ``init`` for the parameters."""
        if self.init_code is None:
            return {}, {}
        with KeyedMode(key.generator(), own=True):
            made = self._call(self.init_code, (key, *self.entering))
        return _as_params(made, self.name), {}

    def bare_weights(self) -> tuple[Tensors, Tensors]:
        """Look at the outline; a user's ``init`` need not know of devices."""
        if not self.outline:
            return {n: tensor.to("meta") for n, tensor in self.init(Key(0))[0].items()}, {}
        return {n: torch.empty(shape, device="meta") for n, shape in self.outline}, {}

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """Ask the user's ``draws``; a stream where nothing is declared."""
        if self.draws_code is None:
            return {"stream": Stream()}
        return _as_draws(self._call(self.draws_code, inputs), self.name)

    def forward(self, given: Given, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Call ``forward``; it draws from what was declared, or from its stream."""
        drawn: Tensors | None = None
        if given.training and self.draws_code is not None:
            self._check_drawn(given.draws, inputs)
            drawn = {name: _beside(tensor, inputs[0]) for name, tensor in given.draws.items()}
        stream = given.draws if self.draws_code is None else {}
        mode = keyed(stream, given.training, self._called())
        with untouched(inputs, self.name), mode, attention(inputs, given.training):
            out = self._function(given.params, drawn, given.training)(*inputs)
        outputs = tuple(out) if isinstance(out, tuple | list) else (out,)
        self._check_count(len(outputs))
        if self.shapes_code is not None:
            self._check_shapes(inputs, outputs)
        return outputs

    def _called(self) -> str:
        """Return the name of the operator, and of the code where that is another."""
        return self.name if self.name == self.code.name else f"{self.name} ({self.code.name})"

    def _check_shapes(self, inputs: tuple[Tensor, ...], outputs: tuple[Any, ...]) -> None:
        """Raise where the user's rule told other shapes than those that leave."""
        told = self.shapes(tuple(tuple(x.shape) for x in inputs))
        for shape, out in zip(told, outputs, strict=True):
            real = tuple(out.shape)
            pairs = zip(shape, real, strict=False)
            if len(shape) != len(real) or any(n not in (None, m) for n, m in pairs):
                raise ShapeError(
                    f"{self._called()} gives another shape than its rule of shapes tells.",
                    expected=f"{shown(shape)}, as the rule tells",
                    got=shown(real),
                    fix="mend the function given as shapes=, or leave it out",
                )

    def _function(
        self, params: Tensors, drawn: Tensors | None, training: bool
    ) -> Callable[..., Any]:
        """Return ``forward`` as a function of its inputs alone."""
        code = self.code.resolve()
        surroundings = {"training": training, "draws": drawn}
        wanted = signature_of(code).given
        keywords = accepted(code, self._hyper()) | {
            name: x for name, x in surroundings.items() if name in wanted
        }
        lead = () if self.init_code is None else (params,)
        return lambda *inputs: code(*lead, *inputs, **keywords)

    def _probe(self, shapes: tuple[Shape, ...]) -> Probed:
        def on(device: str) -> Callable[..., Any]:
            params = {name: torch.zeros(size, device=device) for name, size in self.outline}
            return self._function(params, None, False)

        takes = self.takes or (torch.float32,) * len(shapes)
        return probe(on("meta"), shapes, takes, what=self.name, real=lambda: on("cpu"))

    def _hyper(self) -> dict[str, Any]:
        return {n: x.resolve() if isinstance(x, Code) else x for n, x in items(self.hyper)}

    def _call(self, code: Code, args: tuple[Any, ...]) -> Any:
        """Call one of the user's functions about shapes and sizes."""
        function = code.resolve()
        try:
            return function(*args, **accepted(function, self._hyper(), len(args)))
        except FpipeError:
            raise
        except Exception as error:
            inner = any(n is None for shape in self.entering for n in shape[1:])
            raise (UnknownSizeError if inner else ShapeError)(
                f"{self.name}: {code.name} fails for these shapes.",
                expected="a function of the shapes that enter, None for unknown sizes",
                got=f"{_listed(args)}: {error}"[:300],
                fix="give the unknown sizes" if inner else f"mend {code.name}, or change the sizes",
            ) from error

    def _check_count(self, count: int) -> None:
        if count != self.outputs:
            raise ShapeError(
                f"{self.name} gives {count} outputs, but {self.outputs} were declared.",
                expected=f"{self.outputs} outputs",
                got=count,
                fix=f"declare them: nn.operator(..., outputs={count})",
            )

    def _check_drawn(self, draws: Tensors, inputs: tuple[Tensor, ...]) -> None:
        missing = set(self.draws(tuple(tuple(x.shape) for x in inputs))) - set(draws)
        if missing:
            raise StateError(
                f"{self.name} draws while training, but was given no draws.",
                expected=", ".join(sorted(missing)),
                got=", ".join(sorted(draws)) or "none",
                fix="pass draws: make_draws(planned_draws(network, shapes), keys, step)",
            )

    def __repr__(self) -> str:
        shown_hyper = ", ".join(f"{name}={x!r}" for name, x in items(self.hyper))
        return f"{self.name}({shown_hyper})"


def _beside(drawn: Tensor, x: Tensor) -> Tensor:
    """Return a draw on the device of an input, and as precise as that is."""
    both = drawn.is_floating_point() and x.is_floating_point()
    return drawn.to(x.device, x.dtype if both else drawn.dtype)


def _as_shapes(made: Any, name: str) -> tuple[Shape, ...]:
    many = made if isinstance(made, tuple | list) else None
    if many is not None and many and all(isinstance(shape, tuple | list) for shape in many):
        found = tuple(tuple(shape) for shape in many)
    else:
        found = (tuple(many),) if many else ()
    sizes = [n for shape in found for n in shape]
    good = all(n is None or (isinstance(n, int) and n >= 0) for n in sizes)
    if not found or not good:
        raise ShapeError(
            f"{name}: its rule of shapes gives no shape.",
            expected="sizes as a tuple, batch first, None for unknown; a tuple of them for several",
            got=repr(made)[:200],
            fix="shapes=lambda shape: (*shape[:-1], 3)",
        )
    return found


def _as_params(made: Any, name: str) -> dict[str, Tensor]:
    good = isinstance(made, Mapping) and all(
        isinstance(n, str) and n and "." not in n for n in made
    )
    floats = good and all(isinstance(t, Tensor) and t.is_floating_point() for t in made.values())
    if not floats:
        raise ParameterError(
            f"{name}: init must give learned parameters.",
            expected="a dict from names (without dots) to floating tensors",
            got=repr(made)[:200],
            fix='return {"weight": torch.ones(n)}',
        )
    return {n: tensor.detach().clone() for n, tensor in made.items()}


def _as_draws(made: Any, name: str) -> dict[str, Draw]:
    kinds = (Keep, Uniform, Normal, Stream)
    good = isinstance(made, Mapping) and all(isinstance(draw, kinds) for draw in made.values())
    if not good:
        raise ParameterError(
            f"{name}: draws must say what is drawn.",
            expected="a dict from names to nn.Keep, nn.Uniform or nn.Normal",
            got=repr(made)[:200],
            fix='return {"keep": nn.Keep(shape, 0.5)}',
        )
    return dict(made)


def _check_batch(inputs: tuple[Shape, ...], leaving: Shape, name: str) -> None:
    """Raise where rows do not leave as rows."""
    batches = {shape[0] for shape in inputs if shape}
    if leaving and (leaving[0] is None or leaving[0] in batches):
        return
    raise ShapeError(
        f"{name} does not keep the rows of a batch.",
        expected="an output whose dimension 0 is the batch",
        got=f"{', '.join(map(shown, inputs))} into {shown(leaving)}",
        fix="leave dimension 0 alone, e.g. x.sum(-1) in place of x.sum()",
    )


def _listed(args: tuple[Any, ...]) -> str:
    return ", ".join(shown(x) if isinstance(x, tuple) else repr(x) for x in args)
