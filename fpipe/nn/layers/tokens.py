"""Tokenizers and embeddings: features as vectors."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import (
    REQUIRED,
    Check,
    boolean,
    integer,
    one_of,
    optional,
    parameter,
    tuple_of,
)
from fpipe.core.value import descriptor
from fpipe.data.schema import levels
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import tokens as layers
from fpipe.net.shape import Shape, UnknownSizeError, check_ndim, known, shown
from fpipe.nn.descriptor import Ingress, ModelDescriptor
from fpipe.nn.layer_op import LayerOp

_INITIALIZATION = one_of(*layers.INITIALIZATIONS)


def _cardinalities() -> Any:
    return parameter(
        default=None,
        check=optional(tuple_of(integer(1), at_least=1)),
        convert=lambda x: None if x is None else (x,) if isinstance(x, int) else tuple(x),
    )


@descriptor
class TokenizerNumeric(LayerOp):
    """A vector for every number: ``[batch, features] -> [batch, features, d_token]``.

    Token ``j`` is ``weight_j * x_j + bias_j``.

    Args:
        d_token: width of a token.
        bias: whether a vector per feature is added.
        initialization: ``"uniform"`` in ±1/sqrt(d_token), or ``"normal"`` with that deviation.

    Raises:
        ShapeError: the input is not ``[batch, features]``, or the number of features is unknown.

    Source:
        Gorishniy et al. 2021, *Revisiting Deep Learning Models for Tabular Data*.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.tokenizer_numeric(8), x=(None, 3)).shapes({"x": (None, 3)})
        ((None, 3, 8),)
    """

    name = "tokenizer_numeric"

    d_token: int = parameter(default=REQUIRED, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())
    initialization: str = parameter(default="uniform", check=_INITIALIZATION)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of features."""
        check_ndim(md.shapes[0], (2,), what=self.name)
        features = known(md.shapes[0], 1, what=self.name)
        return layers.TokenizerNumeric(features, self.d_token, self.bias, self.initialization)

    def guess(self, md: ModelDescriptor) -> Shape:
        """One dimension more."""
        return (*md.shapes[0], _width(self.d_token))


@descriptor
class CodesOp(LayerOp):
    """An operator on the codes of categorical features, which must know how many there are."""

    takes_codes = True

    def counts(self, md: ModelDescriptor, given: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the number of levels of every feature: as given, or as the ingress knows them.

        Raises:
            ShapeError: the input is not ``[batch, features]`` of integers.
            ParameterError: they are not known, or those given do not fit the input.
        """
        (pointer,) = md.pointers
        check_ndim(pointer.shape, (2,), what=self.name)
        if pointer.dtype.is_floating_point:
            raise ShapeError(
                f"{self.name} looks up codes, but {pointer.dtype} enters.",
                expected="integers, as nn.ingress_categorical() gives them",
                got=f"{pointer.dtype} from '{pointer.wire.source}'",
                fix="nn.ingress_categorical() before it, or nn.tokenizer_numeric for numbers",
            )
        width = known(pointer.shape, 1, what=self.name)
        found = _levels_behind(md)
        if given is None and found is None:
            raise ParameterError(
                f"{self.name} does not know the numbers of levels.",
                expected="an input straight from nn.ingress_categorical(), or cardinalities",
                got=f"codes from '{pointer.wire.source}'",
                fix=f"nn.{self.name}(..., cardinalities=({', '.join(['3'] * min(width, 3))},))",
            )
        self._check_counts(given, found, width, shown(pointer.shape))
        return given if given is not None else found or ()

    def _check_counts(
        self,
        given: tuple[int, ...] | None,
        found: tuple[int, ...] | None,
        width: int,
        shape: str,
    ) -> None:
        if given is not None and len(given) != width:
            raise ParameterError(
                f"{self.name} has {len(given)} cardinalities for {width} features.",
                expected=f"{width} cardinalities, one per feature",
                got=f"{given} for an input of {shape}",
                fix="leave cardinalities out to take them from the task",
            )
        pairs = zip(given or (), found or (), strict=False)
        low = [(i, a, b) for i, (a, b) in enumerate(pairs) if a < b]
        if low:
            place, few, needed = low[0]
            raise ParameterError(
                f"{self.name} has too few rows for feature {place}.",
                expected=f"a cardinality of at least {needed}, the number of its levels",
                got=few,
                fix="leave cardinalities out to take them from the task",
            )


@descriptor
class TokenizerCategorical(CodesOp):
    """A vector for every level: ``[batch, features] -> [batch, features, d_token]``.

    All features share one table, in which the codes of each are shifted behind those before it.

    Args:
        d_token: width of a token.
        bias: whether a vector per feature is added.
        initialization: ``"uniform"`` in ±1/sqrt(d_token), or ``"normal"`` with that deviation.
        cardinalities: number of levels per feature; by default those of the ingress before it.

    Raises:
        ShapeError: the input is not ``[batch, features]`` of integers.
        ParameterError: the numbers of levels are not known, or do not fit.

    Source:
        Gorishniy et al. 2021, *Revisiting Deep Learning Models for Tabular Data*.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"k": ["u", "v"], "t": [True, False], "y": [0.0, 1.0]}, "y")
        >>> graph = nn.ingress_categorical() >> nn.tokenizer_categorical(8)
        >>> fp.transform(graph, task, key=fp.key(0)).shapes
        ((None, 2, 8),)
    """

    name = "tokenizer_categorical"

    d_token: int = parameter(default=REQUIRED, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())
    initialization: str = parameter(default="uniform", check=_INITIALIZATION)
    cardinalities: tuple[int, ...] | None = _cardinalities()

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the numbers of levels."""
        counts = self.counts(md, self.cardinalities)
        return layers.TokenizerCategorical(counts, self.d_token, self.bias, self.initialization)

    def guess(self, md: ModelDescriptor) -> Shape:
        """One dimension more."""
        return (*md.shapes[0], _width(self.d_token))


_SIZES = Check(
    "an integer of at least 1, or a sequence of them",
    lambda x: integer(1).accepts(x) or tuple_of(integer(1), at_least=1).accepts(x),
)


@descriptor
class Embedding(CodesOp):
    """A table per categorical feature, the vectors behind each other: ``[batch, sum of sizes]``.

    What tabular networks without attention use; for tokens see ``nn.tokenizer_categorical``.

    Args:
        size: width of the vectors, one for all features or one per feature; by default
            ``min(50, (levels + 1) // 2)``.
        cardinalities: number of levels per feature; by default those of the ingress before it.

    Raises:
        ShapeError: the input is not ``[batch, features]`` of integers.
        ParameterError: the numbers of levels are not known, or do not fit.

    Source:
        Guo and Berkhahn 2016, *Entity Embeddings of Categorical Variables*; tables as
        torch.nn.Embedding.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"k": ["u", "v"], "t": [True, False], "y": [0.0, 1.0]}, "y")
        >>> graph = nn.ingress_categorical() >> nn.embedding((4, 2))
        >>> fp.transform(graph, task, key=fp.key(0)).shapes
        ((None, 6),)
    """

    name = "embedding"

    size: int | tuple[int, ...] | None = parameter(
        default=None,
        check=optional(_SIZES),
        convert=lambda x: tuple(x) if isinstance(x, list) else x,
    )
    cardinalities: tuple[int, ...] | None = _cardinalities()

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the numbers of levels and the widths."""
        counts = self.counts(md, self.cardinalities)
        return layers.Embedding(counts, self._sizes(counts))

    def guess(self, md: ModelDescriptor) -> Shape:
        """The sum of the widths, where they are given."""
        return (md.shapes[0][0], sum(self.size) if isinstance(self.size, tuple) else None)

    def _sizes(self, counts: tuple[int, ...]) -> tuple[int, ...]:
        if self.size is None:
            return tuple(min(50, (count + 1) // 2) for count in counts)
        sizes = self.size if isinstance(self.size, tuple) else (self.size,) * len(counts)
        if len(sizes) != len(counts):
            raise ParameterError(
                f"{self.name} has {len(sizes)} sizes for {len(counts)} features.",
                expected=f"one size, or {len(counts)} of them",
                got=sizes,
                fix="give one size for all features",
            )
        return sizes


@descriptor
class ClassToken(LayerOp):
    """A learned token behind the others: ``[batch, tokens, d] -> [batch, tokens + 1, d]``.

    Args:
        initialization: ``"uniform"`` in ±1/sqrt(d), or ``"normal"`` with that deviation.

    Raises:
        ShapeError: the input is not ``[batch, tokens, d]``, or ``d`` is unknown.

    Source:
        Gorishniy et al. 2021, *Revisiting Deep Learning Models for Tabular Data*.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.cls_token(), x=(None, 3, 8)).shapes({"x": (None, 3, 8)})
        ((None, 4, 8),)
    """

    name = "cls_token"

    initialization: str = parameter(default="uniform", check=_INITIALIZATION)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the width."""
        check_ndim(md.shapes[0], (3,), what=self.name)
        return layers.ClassToken(known(md.shapes[0], 2, what=self.name), self.initialization)


def _levels_behind(md: ModelDescriptor) -> tuple[int, ...] | None:
    """Return the numbers of levels of the ingress that is pointed at; None where there is none."""
    (pointer,) = md.pointers
    if not pointer.wire.is_input:
        return None
    ingress: Ingress = md.ingress[pointer.wire.source]
    if ingress.view is None or ingress.encoding != "categorical":
        return None
    if not ingress.columns:
        raise UnknownSizeError(f"the levels in '{pointer.wire.source}' are not known yet.")
    view = ingress.view
    return tuple(len(levels(view.dtype(name))) for name in ingress.columns)


def _width(d_token: Any) -> int | None:
    return d_token if isinstance(d_token, int) else None


tokenizer_numeric = operator(TokenizerNumeric)
tokenizer_categorical = operator(TokenizerCategorical)
embedding = operator(Embedding)
cls_token = operator(ClassToken)
