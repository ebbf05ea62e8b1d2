"""Tokens: every feature of a row as a vector of its own."""

from __future__ import annotations

import math
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import DataError, ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Applied, Dtypes, Given, Layer, Tensors, uniform
from fpipe.net.shape import Shape, check_ndim, shown

INITIALIZATIONS = ("uniform", "normal")


@descriptor
class TokenizerNumeric(Layer):
    """``token_j = weight_j * x_j + bias_j``: ``[batch, features] -> [batch, features, d_token]``.

    Args:
        features: number of features.
        d_token: width of a token.
        bias: whether a vector per feature is added.
        initialization: ``"uniform"`` in ±1/sqrt(d_token), or ``"normal"`` with that deviation.

    Source:
        Gorishniy, Rubachev, Khrulkov and Babenko 2021, *Revisiting Deep Learning Models for
        Tabular Data*, section 3.3.
    """

    name = "tokenizer_numeric"

    features: int
    d_token: int
    bias: bool = True
    initialization: str = "uniform"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Append the width of a token."""
        return (_tokens(self.name, inputs[0], self.features, self.d_token),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw a vector per feature, and another one."""
        shape = (self.features, self.d_token)
        names = ("weight", "bias") if self.bias else ("weight",)
        return {n: initial(key.fold_in(n), shape, self.initialization) for n in names}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Scale and shift the vectors."""
        tokens = x.unsqueeze(-1) * given.params["weight"]
        return tokens + given.params["bias"] if self.bias else tokens


@descriptor
class Codes(Layer):
    """A layer that looks up the codes of several categorical features.

    Args:
        cardinalities: number of levels of every feature.
    """

    cardinalities: tuple[int, ...]

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Vectors are floating."""
        del inputs, shapes
        return (torch.float32,)

    def check(self, inputs: tuple[Tensor, ...], training: bool) -> None:
        """Raise DataError for a code that stands for no level."""
        del training
        (x,) = inputs
        limits = torch.tensor(self.cardinalities, device=x.device)
        bad = (x < 0) | (x >= limits)
        if bool(bad.any()):
            row, feature = (int(i) for i in bad.nonzero()[0])
            raise DataError(
                f"{self.name}: a code stands for no level.",
                expected=f"0 to {self.cardinalities[feature] - 1} in feature {feature}",
                got=f"{int(x[row, feature])} in row {row} of the batch",
                fix="give cardinalities that hold every code",
            )


@descriptor
class TokenizerCategorical(Codes):
    """``token_j = table[code_j + offset_j] + bias_j``: ``[batch, features] -> […, d_token]``.

    All features share one table; the buffer ``offsets`` says where the rows of each begin.

    Args:
        cardinalities: number of levels of every feature.
        d_token: width of a token.
        bias: whether a vector per feature is added.
        initialization: as in `TokenizerNumeric`.

    Source:
        As `TokenizerNumeric`.
    """

    name = "tokenizer_categorical"

    d_token: int
    bias: bool = True
    initialization: str = "uniform"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Append the width of a token."""
        return (_tokens(self.name, inputs[0], len(self.cardinalities), self.d_token),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw the table and the vector of each feature."""
        rows = {"weight": sum(self.cardinalities)}
        rows |= {"bias": len(self.cardinalities)} if self.bias else {}
        params = {
            name: initial(key.fold_in(name), (count, self.d_token), self.initialization)
            for name, count in rows.items()
        }
        offsets = accumulate(self.cardinalities[:-1], initial=0)
        return params, {"offsets": torch.tensor(list(offsets), dtype=torch.int64)}

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Look up every code in its part of the table."""
        del draws, training
        tokens = F.embedding(inputs[0] + buffers["offsets"], params["weight"])
        return ((tokens + params["bias"] if self.bias else tokens),), buffers


@descriptor
class Embedding(Codes):
    """One table per feature, its vectors behind each other: ``[batch, features] -> [batch, sum]``.

    Args:
        cardinalities: number of levels of every feature.
        sizes: width of the vectors of every feature.

    Source:
        Tables as torch.nn.Embedding's, with its initialisation: standard normal.
    """

    name = "embedding"

    sizes: tuple[int, ...]

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Add up the widths."""
        _tokens(self.name, inputs[0], len(self.cardinalities), 0)
        return ((inputs[0][0], sum(self.sizes)),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw ``weight_0``, ``weight_1`` and so on."""
        pairs = enumerate(zip(self.cardinalities, self.sizes, strict=True))
        names = {f"weight_{i}": shape for i, shape in pairs}
        return {n: normal(key.fold_in(n), shape, 1.0) for n, shape in names.items()}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Look up every feature in its own table."""
        found = [F.embedding(x[:, i], given.params[f"weight_{i}"]) for i in range(len(self.sizes))]
        return torch.cat(found, dim=1)


@descriptor
class ClassToken(Layer):
    """A learned token behind the others: ``[batch, tokens, d] -> [batch, tokens + 1, d]``.

    Args:
        d_token: width of a token.
        initialization: as in `TokenizerNumeric`.

    Source:
        As `TokenizerNumeric`.
    """

    name = "cls_token"

    d_token: int
    initialization: str = "uniform"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Count one token more."""
        (shape,) = inputs
        check_ndim(shape, (3,), what=self.name)
        if shape[2] not in (None, self.d_token):
            raise ShapeError(
                f"{self.name} was made for tokens of width {self.d_token}.",
                expected=f"a last dimension of {self.d_token}",
                got=shown(shape),
            )
        return ((shape[0], None if shape[1] is None else shape[1] + 1, self.d_token),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw the token."""
        return {"weight": initial(key.fold_in("weight"), (self.d_token,), self.initialization)}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Append the token."""
        token = given.params["weight"].expand(x.shape[0], 1, self.d_token)
        return torch.cat((x, token.to(x.dtype)), dim=1)


def initial(key: Key, shape: tuple[int, ...], how: str) -> Tensor:
    """Return initial vectors whose width is the last size: uniform in ±1/sqrt(width), or normal."""
    scale = 1.0 / math.sqrt(shape[-1])
    return uniform(key, shape, scale) if how == "uniform" else normal(key, shape, scale)


def normal(key: Key, shape: tuple[int, ...], deviation: float) -> Tensor:
    """Return normal draws around 0, float32."""
    return torch.empty(shape).normal_(0.0, deviation, generator=key.generator())


def _tokens(name: str, shape: Shape, features: int, width: int) -> Shape:
    check_ndim(shape, (2,), what=name)
    if shape[1] not in (None, features):
        raise ShapeError(
            f"{name} was made for {features} features.",
            expected=f"a size of {features} in dimension 1",
            got=shown(shape),
        )
    return (shape[0], features, width)
