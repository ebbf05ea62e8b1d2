"""Every operator keeps the laws that `check_op` tries: laws 1 to 3, 7 to 9 and 11, one by one.

``OPERATORS`` holds each public operator with a task that it can take. A new operator must be
added here, or to the few that are tried elsewhere, with the reason.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.testing import check_op, keys
from fpipe.testing.networks import ACTIVATIONS

LEARNER = learners.sklearn("sklearn.linear_model:Ridge")


class Sample(NamedTuple):
    """An operator, what it needs before it, and the tasks that it can take."""

    graph: Callable[[], Any]
    before: Callable[[], Any] | None = None
    kind: str | None = None
    missing: bool = False
    pictures: bool = False


@st.composite
def mixed(draw, kind, missing, pictures=False):
    """A task with numbers, levels, truth values, a date and a tensor; groups now and then.

    With pictures there are two columns of lazy images as well.
    """
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(16, 28))
    columns = {
        "a": pl.Series(np.round(rng.normal(1.0, 2.0, n), 2)),
        "b": pl.Series(rng.integers(1, 9, n)),
        "two words": pl.Series(np.round(rng.gamma(2.0, 1.0, n) + 0.1, 2)),
        "level": pl.Series(
            list(rng.choice(["u", "v", "w w"], n)), dtype=pl.Enum(["u", "v", "w w"])
        ),
        "flag": pl.Series(rng.random(n) < 0.5),
        "image": pl.Series(
            list(rng.normal(0.0, 1.0, (n, 2, 3))), dtype=pl.Array(pl.Float64, (2, 3))
        ),
        "day": pl.Series(
            [
                datetime.date(2024, 1, 1) + datetime.timedelta(int(d))
                for d in rng.integers(0, 700, n)
            ]
        ),
    }
    columns["level"][0] = "u"
    if missing:
        for name in ("a", "b", "level", "flag"):
            gone = rng.random(n) < 0.25
            gone[: n // 2] = False
            cells = [
                None if bad else cell
                for bad, cell in zip(gone, columns[name].to_list(), strict=True)
            ]
            columns[name] = pl.Series(cells, dtype=columns[name].dtype)
    arguments = {}
    if draw(st.booleans()):
        columns["the group"] = pl.Series([f"g{code}" for code in rng.integers(0, n // 2, n)])
        arguments["group"] = "the group"
    tensors = {}
    if pictures:
        pixels = rng.integers(0, 256, (n, 3, 6, 5)).astype(np.uint8)
        tensors = {"picture": fp.lazy(pixels), "other picture": fp.lazy(pixels[::-1].copy())}
    chosen = kind or draw(st.sampled_from(["regression", "classification"]))
    if chosen == "regression":
        columns["y"] = pl.Series(np.round(rng.normal(5.0, 1.0, n), 3) + 3.0)
        return fp.regression(columns | tensors, "y", **arguments)
    codes = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    columns["y"] = pl.Series([("p", "q", "r")[code] for code in codes])
    return fp.classification(columns | tensors, "y", **arguments)


def numbers():
    return ops.select(ops.numeric()) >> ops.scale() >> nn.ingress_numeric()


def codes():
    return ops.select(ops.levels() | ops.boolean()) >> nn.ingress_categorical()


def tokens():
    return numbers() >> nn.tokenizer_numeric(4)


def images(dims=2):
    sizes = {1: (2, 8), 2: (2, 4, 2), 3: (2, 2, 2, 2)}[dims]
    return numbers() >> nn.linear(16) >> nn.reshape((-1, *sizes))


def half(x: torch.Tensor) -> torch.Tensor:
    return x / 2.0


def square(x: np.ndarray) -> np.ndarray:
    return x**2


def inverted(x: torch.Tensor) -> torch.Tensor:
    return 255 - x


def root(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.abs(x))


def doubled(column: pl.Expr) -> pl.Expr:
    return column * 2.0


def layer(graph, before=numbers, **more):
    return Sample(graph, before, **more)


LAYERS = (
    {
        "batch_norm1d": layer(nn.batch_norm1d),
        "block": layer(lambda: nn.block(nn.linear(3) >> nn.relu(), 2)),
        "branch": layer(lambda: nn.branch(one=nn.linear(2), other=nn.tanh())),
        "cls_token": layer(nn.cls_token, tokens),
        "dropout": layer(lambda: nn.dropout(0.3)),
        "embedding": layer(nn.embedding, codes),
        "flatten": layer(nn.flatten, tokens),
        "fn": layer(lambda: nn.fn(half)),
        "ft_transformer_block": layer(lambda: nn.ft_transformer_block(attention_n_heads=2), tokens),
        "geglu": layer(nn.geglu, lambda: numbers() >> nn.linear(4)),
        "glu": layer(nn.glu, lambda: numbers() >> nn.linear(4)),
        "head": layer(nn.head),
        "layer_norm": layer(nn.layer_norm),
        "linear": layer(lambda: nn.linear(3)),
        "merge_cat": layer(nn.merge_cat),
        "merge_prod": layer(nn.merge_prod),
        "merge_sum": layer(nn.merge_sum),
        "module": layer(lambda: nn.module(torch.nn.Linear, 3, 2)),
        "multihead_attention": layer(lambda: nn.multihead_attention(2, dropout=0.1), tokens),
        "prelu": layer(nn.prelu),
        "reglu": layer(nn.reglu, lambda: numbers() >> nn.linear(4)),
        "reshape": layer(lambda: nn.reshape((-1, 2, 2)), lambda: numbers() >> nn.linear(4)),
        "residual": layer(lambda: nn.residual(nn.linear(3) >> nn.relu())),
        "rrelu": layer(nn.rrelu),
        "squeeze": layer(lambda: nn.squeeze(1), lambda: numbers() >> nn.unsqueeze(1)),
        "take": layer(lambda: nn.take(0), tokens),
        "threshold": layer(lambda: nn.threshold(0.0, -1.0)),
        "tokenizer_categorical": layer(lambda: nn.tokenizer_categorical(3), codes),
        "tokenizer_numeric": layer(lambda: nn.tokenizer_numeric(3)),
        "transformer_encoder_layer": layer(
            lambda: nn.transformer_encoder_layer(2, dim_feedforward=8), tokens
        ),
        "unsqueeze": layer(lambda: nn.unsqueeze(-1)),
        "batch_norm2d": layer(nn.batch_norm2d, images),
        "batch_norm3d": layer(nn.batch_norm3d, lambda: images(3)),
        "group_norm": layer(lambda: nn.group_norm(2), images),
        "upsample": layer(lambda: nn.upsample(scale_factor=2, mode="bilinear"), images),
    }
    | {
        f"{name}{dims}d": layer(
            partial(getattr(nn, f"{name}{dims}d"), *sizes), partial(images, dims)
        )
        for name, sizes in {
            "conv": (3, 2),
            "conv_transpose": (3, 2),
            "avg_pool": (2,),
            "max_pool": (2,),
            "adaptive_avg_pool": (1,),
            "adaptive_max_pool": (2,),
        }.items()
        for dims in (1, 2, 3)
    }
    | {name: layer(getattr(nn, name)) for name in ACTIVATIONS}
)
INGRESS = {
    "ingress_categorical": Sample(lambda: codes() >> nn.embedding()),
    "ingress_numeric": Sample(numbers),
    "ingress_tensor": Sample(lambda: ops.select(ops.tensor()) >> nn.ingress_tensor()),
}
NOT_LAYERS = {
    "callbacks": "part of a learner, below",
    "cutmix": "is of batches; tests/train/test_mixing.py",
    "mixup": "is of batches; tests/train/test_mixing.py",
    "vision": "takes images of 32 pixels and more; tests/net/test_vision.py",
    "loss": "part of a learner, below",
    "model": "part of a learner, below",
    "optimizer": "part of a learner, below",
    "network": "makes a network without a task",
    "no_decay": "makes a setting of the optimizer; tests/optim/test_optimizers.py",
    "operator": "makes operators; tests/nn/test_own_operators.py",
    "Input": "a value",
    "Keep": "a value",
    "Normal": "a value",
    "Uniform": "a value",
}

OPS = {
    "balance": Sample(ops.balance, kind="classification"),
    "branch": Sample(lambda: ops.branch(one=ops.scale(), other=fp.identity()), missing=True),
    "colapply": Sample(lambda: ops.colapply(doubled, columns=ops.numeric()), missing=True),
    "collapse_levels": Sample(lambda: ops.collapse_levels(0.3), missing=True),
    "copy": Sample(lambda: ops.copy(2) >> ops.union(), missing=True),
    "date_features": Sample(ops.date_features, missing=True),
    "drop_unseen_levels": Sample(ops.drop_unseen_levels, missing=True),
    "impute_by": Sample(
        lambda: ops.impute_by(ops.select("two words") >> LEARNER, columns=ops.named("a")),
        missing=True,
    ),
    "impute_constant": Sample(
        lambda: ops.impute_constant(0.5, columns=ops.named("a")), missing=True
    ),
    "impute_hist": Sample(ops.impute_hist, missing=True),
    "impute_mean": Sample(ops.impute_mean, missing=True),
    "impute_median": Sample(ops.impute_median, missing=True),
    "impute_mode": Sample(ops.impute_mode, missing=True),
    "impute_oor": Sample(ops.impute_oor, missing=True),
    "impute_sample": Sample(ops.impute_sample, missing=True),
    "log_target": Sample(ops.log_target, kind="regression", missing=True),
    "missing_indicators": Sample(lambda: ops.missing_indicators("all"), missing=True),
    "mutate": Sample(lambda: ops.mutate(sum=pl.col("a") + pl.col("b")), missing=True),
    "one_hot": Sample(ops.one_hot, missing=True),
    "ordinal": Sample(ops.ordinal, missing=True),
    "out_of_fold": Sample(
        lambda: ops.out_of_fold(ops.select("two words") >> LEARNER, folds=2), kind="regression"
    ),
    "pca": Sample(lambda: ops.pca(2)),
    "power_transform": Sample(ops.power_transform, missing=True),
    "quantile_transform": Sample(lambda: ops.quantile_transform(5), missing=True),
    "remove_constants": Sample(ops.remove_constants, missing=True),
    "rename": Sample(lambda: ops.rename({"a": "c"}), missing=True),
    "robustify": Sample(ops.robustify, missing=True),
    "scale": Sample(ops.scale, missing=True),
    "scale_max_abs": Sample(ops.scale_max_abs, missing=True),
    "scale_range": Sample(ops.scale_range, missing=True),
    "scale_robust": Sample(ops.scale_robust, missing=True),
    "scale_target": Sample(ops.scale_target, kind="regression", missing=True),
    "select": Sample(lambda: ops.select(ops.numeric() | ops.named("flag")), missing=True),
    "sklearn": Sample(
        lambda: ops.select(ops.numeric()) >> ops.sklearn("sklearn.preprocessing:MinMaxScaler")
    ),
    "transform_target": Sample(lambda: ops.transform_target(square, root), kind="regression"),
    "union": Sample(
        lambda: (ops.select("a") & (ops.select("b") >> ops.scale())) >> ops.union(),
        fp.identity,
        missing=True,
    ),
}
PICTURES = {
    "augment_auto_augment": ops.augment_auto_augment,
    "augment_center_crop": lambda: ops.augment_center_crop(4),
    "augment_color_jitter": lambda: ops.augment_color_jitter(0.2, 0.2, 0.2, 0.1),
    "augment_crop": lambda: ops.augment_crop(1, 0, 4, 4),
    "augment_gaussian_blur": lambda: ops.augment_gaussian_blur(3),
    "augment_hflip": ops.augment_hflip,
    "augment_random_affine": lambda: ops.augment_random_affine(20),
    "augment_random_choice": lambda: ops.augment_random_choice(
        [ops.augment_hflip(), ops.augment_vflip()]
    ),
    "augment_random_crop": lambda: ops.augment_random_crop(4),
    "augment_random_erasing": lambda: ops.augment_random_erasing(0.9),
    "augment_random_grayscale": lambda: ops.augment_random_grayscale(0.5),
    "augment_random_horizontal_flip": ops.augment_random_horizontal_flip,
    "augment_random_order": lambda: ops.augment_random_order(
        [ops.augment_hflip(), ops.augment_gaussian_blur(3)]
    ),
    "augment_random_perspective": ops.augment_random_perspective,
    "augment_random_resized_crop": lambda: ops.augment_random_resized_crop(4),
    "augment_random_rotation": lambda: ops.augment_random_rotation(30),
    "augment_random_vertical_flip": lambda: ops.augment_random_vertical_flip(0.3),
    "augment_resized_crop": lambda: ops.augment_resized_crop(0, 1, 4, 4, (5, 5)),
    "augment_rotate": lambda: ops.augment_rotate(30.0),
    "augment_trivial_augment": ops.augment_trivial_augment,
    "augment_vflip": ops.augment_vflip,
    "drop_unreadable": ops.drop_unreadable,
    "trafo_adjust_brightness": lambda: ops.trafo_adjust_brightness(1.2),
    "trafo_adjust_contrast": lambda: ops.trafo_adjust_contrast(0.8),
    "trafo_adjust_gamma": lambda: ops.trafo_adjust_gamma(0.7),
    "trafo_adjust_hue": lambda: ops.trafo_adjust_hue(0.2),
    "trafo_adjust_saturation": lambda: ops.trafo_adjust_saturation(1.5),
    "trafo_adjust_sharpness": lambda: ops.trafo_adjust_sharpness(2.0),
    "trafo_center_crop": lambda: ops.trafo_center_crop(4),
    "trafo_crop": lambda: ops.trafo_crop(0, 0, 3, 3),
    "trafo_grayscale": ops.trafo_grayscale,
    "trafo_map": lambda: ops.trafo_map(inverted),
    "trafo_nop": ops.trafo_nop,
    "trafo_normalize": lambda: ops.trafo_to_float() >> ops.trafo_normalize((0.5,) * 3, (0.2,) * 3),
    "trafo_pad": lambda: ops.trafo_pad(1),
    "trafo_reshape": lambda: ops.trafo_reshape((3, 30)),
    "trafo_resize": lambda: ops.trafo_resize((4, 4)),
    "trafo_rgb_to_grayscale": ops.trafo_rgb_to_grayscale,
    "trafo_to_float": ops.trafo_to_float,
}
"""Operators on images → a graph of each."""

OPS |= {name: Sample(graph, pictures=True) for name, graph in PICTURES.items()}
OPS |= {"subsample": Sample(lambda: ops.subsample(0.8))}

SELECTORS = set(
    [
        "lazy",
        "boolean",
        "cardinality",
        "categorical",
        "dates",
        "everything",
        "floating",
        "integer",
        "levels",
        "matching",
        "missing",
        "named",
        "numeric",
        "temporal",
        "tensor",
    ]
)


class Net(torch.nn.Module):
    def __init__(self, task, width):
        super().__init__()
        self.hidden = torch.nn.Linear(len(task.features), width)
        self.out = torch.nn.Linear(width, task.kind.output_size)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


LEARNERS = {
    "featureless": Sample(learners.featureless, missing=True),
    "mlp": Sample(
        lambda: ops.select(ops.numeric()) >> learners.mlp(neurons=(3,), epochs=1, batch_size=8)
    ),
    "module": Sample(
        lambda: (
            ops.select(ops.numeric())
            >> learners.module(Net, inputs={"x": ops.numeric()}, width=3, epochs=1)
        )
    ),
    "sklearn": Sample(lambda: ops.select(ops.numeric()) >> LEARNER, kind="regression"),
    "callbacks, loss, model, optimizer": Sample(
        lambda: (
            numbers()
            >> nn.head()
            >> nn.loss("huber")
            >> nn.optimizer("adam")
            >> nn.callbacks(fp.callbacks.clip_gradients(1.0))
            >> nn.model(epochs=1)
        ),
        kind="regression",
    ),
}
NOT_LEARNERS = {
    "preprocessing": "needs an architecture's weights; tests/learners/test_vision.py",
    "vision": "takes images of 32 pixels and more; tests/learners/test_vision.py",
}
OPERATORS = {
    f"{room}.{name}": sample
    for room, table in (("nn", LAYERS | INGRESS), ("ops", OPS), ("learners", LEARNERS))
    for name, sample in table.items()
}


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_operator(name):
    """The laws hold for the operator, on every task that was tried."""
    pytest.importorskip("sklearn")
    sample, tried = OPERATORS[name], 0
    count = max(4, settings().max_examples // 50)

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mixed(sample.kind, sample.missing, sample.pictures), keys())
    def body(task, key):
        nonlocal tried
        tried += 1
        before = None if sample.before is None else sample.before()
        report = check_op(sample.graph(), task, before=before, key=key, examples=1)
        assert len(report.held) >= 14, report

    body()
    assert tried >= count


def test_every_name_is_tried():
    """A new operator must be added to the tables above, or to the exceptions with a reason."""
    assert {*LAYERS, *INGRESS, *NOT_LAYERS} == {n for n in vars(nn) if n in nn.__all__}
    functions = {n: f for n in dir(ops) if not isinstance(f := getattr(ops, n), type)}
    public = {n for n in functions if not n.startswith("_")}
    assert public - SELECTORS == set(OPS)
    alias = "``learners.vision("
    own = {n for n in dir(learners) if not getattr(learners, n).__doc__.startswith(alias)}
    assert own <= {*LEARNERS, *NOT_LEARNERS}
