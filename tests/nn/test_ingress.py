"""The ways into the network: numbers, codes and tensors, and what is refused at the door."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError, SchemaError
from fpipe.nn.encoding import encode

KEY = fp.key(7)
LEVELS = pl.Enum(["low", "mid", "high"])
GRADES = pl.Series("grade", ["high", "low", "mid", "low"], dtype=LEVELS)
TABLE = pl.DataFrame(
    {"x": [1.5, 2.0, 3.0, 4.0], "grade": GRADES, "t": [True, False, True, True], "y": range(4)}
)
TASK = fp.regression(TABLE, "y")
CATEGORICAL = ops.select(ops.categorical()) >> nn.ingress_categorical()
IMAGES = np.arange(5 * 2 * 3, dtype=np.int16).reshape(5, 2, 3)
PICTURES = fp.regression({"image": IMAGES, "y": range(5)}, "y")
END = nn.head() >> nn.loss("mse") >> nn.optimizer("adam") >> nn.model(epochs=1, batch_size=2)


def tensor(graph, task, at=torch.float32):
    """What the only ingress of a graph feeds to the network."""
    md = fp.transform(graph, task, key=KEY)
    (ingress,) = md.ingress.values()
    return md, encode(ingress, at)


def entered(fitted, data):
    """What the only ingress of a fitted graph feeds when it is applied to new data."""
    md = fp.apply(fitted, data)
    (ingress,) = md.ingress.values()
    return encode(ingress, torch.float32)


def test_ingress_categorical_gives_codes_in_the_order_of_the_levels():
    """Codes count from 0 in the order of the schema's levels; False is 0, True is 1; int64."""
    md, codes = tensor(CATEGORICAL, TASK)
    assert codes.dtype == torch.int64
    assert codes.tolist() == [[2, 1], [0, 0], [1, 1], [0, 1]]
    assert md.dtypes == (torch.int64,)
    assert md.shapes == ((None, 2),)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_ingress_categorical_is_int64_in_any_numerics(dtype):
    """The floating dtype of a run does not reach the codes."""
    assert tensor(CATEGORICAL, TASK, dtype)[1].dtype == torch.int64


def test_ingress_categorical_finds_levels_by_name_at_apply():
    """Text, other orders of levels and columns, and fewer levels mean what they meant at fit."""
    fitted = fp.fit(CATEGORICAL, TASK, key=KEY)
    text = pl.DataFrame({"t": [False, True], "grade": ["mid", "high"], "x": [0.0, 1.0]})
    assert entered(fitted, text).tolist() == [[1, 0], [2, 1]]
    other = text.with_columns(pl.col("grade").cast(pl.Enum(["high", "mid"])))
    assert entered(fitted, other).tolist() == [[1, 0], [2, 1]]
    more = text.with_columns(pl.col("grade").cast(pl.Enum(["worst", "high", "mid", "low"])))
    assert entered(fitted, more).tolist() == [[1, 0], [2, 1]]
    assert entered(fitted, text.clear()).shape == (0, 2)


def test_ingress_tensor_gives_the_arrays():
    """The tensors of the one column, integers as floats, in the dtype of the run."""
    md, x = tensor(nn.ingress_tensor(), PICTURES)
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.from_numpy(IMAGES.astype(np.float32)))
    assert md.shapes == ((None, 2, 3),)
    assert (
        tensor(nn.ingress_tensor(shape=[2, 3]), PICTURES, torch.float64)[1].dtype == torch.float64
    )


@pytest.mark.parametrize("inner", [pl.Float64, pl.Float32, pl.Int16, pl.UInt32, pl.Boolean])
def test_ingress_tensor_takes_every_kind_of_number(inner):
    """Arrays of any numbers and of truth values become the same floats."""
    column = pl.Series("v", [[0, 1], [1, 1], [0, 0]], dtype=pl.Array(pl.Int8, 2))
    task = fp.regression({"v": column.cast(pl.Array(inner, 2)), "y": range(3)}, "y")
    assert tensor(nn.ingress_tensor(), task)[1].tolist() == [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    fitted = fp.fit(nn.ingress_tensor(), task, key=KEY)
    assert entered(fitted, task.table.clear()).shape == (0, 2)


def test_ingress_tensor_at_apply():
    """New rows may be lists or other numbers of the same shape; no rows are a shape with 0."""
    fitted = fp.fit(nn.ingress_tensor(), PICTURES, key=KEY)
    new = entered(fitted, {"image": IMAGES[3:].astype(np.float64)})
    assert torch.equal(new, torch.from_numpy(IMAGES[3:].astype(np.float32)))
    assert entered(fitted, PICTURES.table.clear()).shape == (0, 2, 3)


def test_inputs_of_different_dtypes_train_and_predict():
    """Numbers, codes and tensors in one network: what is predicted is the sum worked by hand."""
    rng = np.random.default_rng(0)
    task = fp.regression(
        {"a": rng.normal(size=6), "k": list("uvwuvw"), "z": rng.normal(size=(6, 2)), "y": range(6)},
        "y",
    )
    paths = (
        ops.select("a") >> nn.ingress_numeric(),
        ops.select("k") >> nn.ingress_categorical() >> nn.embedding(2),
        ops.select("z") >> nn.ingress_tensor(),
    )
    graph = fp.identity() >> paths >> nn.merge_cat() >> END
    fitted = fp.fit(graph, task, key=KEY, validate=0.34)
    p = fitted.state("model").weights.params
    codes = torch.tensor([0, 1, 2, 0, 1, 2])
    table = task.table
    parts = (
        torch.tensor(table["a"].to_numpy())[:, None],
        p["embedding.weight_0"].double()[codes],
        torch.tensor(table["z"].to_numpy()),
    )
    expected = torch.cat(parts, 1) @ p["head.weight"].double().T + p["head.bias"].double()
    np.testing.assert_allclose(fp.predict(fitted, task).response, expected[:, 0], rtol=1e-5)
    text = str(fp.check(graph, task))
    assert "ingress_tensor" in text
    assert fp.check(graph, task).params == 3 * 2 + 5 + 1


def test_ingress_is_pure():
    """Neither the task nor the global generators change."""
    before, state = TABLE.clone(), torch.get_rng_state()
    fitted = fp.fit(CATEGORICAL, TASK, key=KEY)
    entered(fitted, TABLE.with_columns(grade=pl.Series(["mid"] * 4)))
    assert TASK.table.equals(before)
    assert torch.equal(torch.get_rng_state(), state)


GAPS = TABLE.with_columns(
    grade=pl.Series(["high", None, "mid", "low"], dtype=LEVELS), x=pl.Series([1.0, None, 2.0, 3.0])
)
HOLES = pl.Series("v", [[1.0, 2.0], [1.0, None], [0.0, 1.0]], dtype=pl.Array(pl.Float32, 2))
TRUTHS = pl.Series("v", [[True, None], [True, False]], dtype=pl.Array(pl.Boolean, 2))

FIT_ERRORS = {
    "ingress_categorical: a number": (
        lambda: (nn.ingress_categorical(), TASK),
        SchemaError,
        "'x' is Float64",
        "ops.select(ops.categorical())",
    ),
    "ingress_categorical: a missing level": (
        lambda: (CATEGORICAL, fp.regression(GAPS, "y")),
        DataError,
        "'grade' has 1 missing",
        "ops.impute_mode()",
    ),
    "ingress_categorical: a missing truth value": (
        lambda: (
            nn.ingress_categorical(),
            fp.regression({"t": [True, None, False], "y": range(3)}, "y"),
        ),
        DataError,
        "'t' has 1 missing",
        "ops.impute_mode()",
    ),
    "ingress_categorical: no feature": (
        lambda: (ops.select(ops.categorical()) >> nn.ingress_categorical(), PICTURES),
        SchemaError,
        "no feature reaches",
        "ops.select",
    ),
    "ingress_numeric: a missing number": (
        lambda: (ops.select("x") >> nn.ingress_numeric(), fp.regression(GAPS, "y")),
        DataError,
        "'x' has 1 missing",
        "ops.impute_median()",
    ),
    "ingress_numeric: levels": (
        lambda: (nn.ingress_numeric(), TASK),
        SchemaError,
        "'grade' is Enum",
        "ops.select(ops.numeric())",
    ),
    "ingress_numeric: tensors": (
        lambda: (nn.ingress_numeric(), PICTURES),
        SchemaError,
        "'image' is Array",
        "nn.ingress_tensor()",
    ),
    "ingress_tensor: several features": (
        lambda: (nn.ingress_tensor(), TASK),
        SchemaError,
        "but 3 reach it",
        "ops.select(ops.named('x'))",
    ),
    "ingress_tensor: a plain column": (
        lambda: (ops.select("x") >> nn.ingress_tensor(), TASK),
        SchemaError,
        "'x' is Float64",
        "nn.ingress_numeric()",
    ),
    "ingress_tensor: another shape": (
        lambda: (nn.ingress_tensor(shape=(3, 2)), PICTURES),
        SchemaError,
        "another shape",
        "shape=(2, 3)",
    ),
    "ingress_tensor: a missing number": (
        lambda: (nn.ingress_tensor(), fp.regression({"v": HOLES, "y": range(3)}, "y")),
        DataError,
        "'v' has missing or infinite numbers in 1 rows",
        "drop these rows",
    ),
    "ingress_tensor: a missing truth value": (
        lambda: (nn.ingress_tensor(), fp.regression({"v": TRUTHS, "y": range(2)}, "y")),
        DataError,
        "'v' has missing or infinite numbers in 1 rows",
        "drop these rows",
    ),
    "ingress_tensor: an infinite number": (
        lambda: (
            nn.ingress_tensor(),
            fp.regression({"v": np.array([[1.0], [np.inf]]), "y": range(2)}, "y"),
        ),
        DataError,
        "'v' has missing or infinite numbers in 1 rows",
        "drop these rows",
    ),
}


@pytest.mark.parametrize("case", FIT_ERRORS, ids=str)
def test_ingress_refuses(case):
    """Each error says what broke, what was expected and got, where, and what to do."""
    build, kind, words, fix = FIT_ERRORS[case]
    graph, task = build()
    with pytest.raises(kind) as caught:
        fp.fit(graph >> END, task, key=KEY)
    error = caught.value
    assert words in error.rule
    assert fix in error.fix
    assert error.expected is not None
    assert error.got is not None
    assert error.at == case.split(":")[0]


def test_ingress_categorical_refuses_an_unseen_level():
    """An unseen level at apply is told with column, level, row and fix."""
    fitted = fp.fit(CATEGORICAL >> nn.tokenizer_categorical(2) >> nn.take(0) >> END, TASK, key=KEY)
    with pytest.raises(DataError) as caught:
        fp.predict(fitted, TABLE.with_columns(grade=pl.Series(["mid", "low", "top", "low"])))
    error = caught.value
    assert error.details == {"column": "grade", "level": "top", "row": 2}
    assert error.expected == "one of low, mid, high"
    assert error.at == "ingress_categorical"
    assert "collapse_levels" in error.fix


def test_ingress_categorical_refuses_a_missing_level_at_apply():
    """A value that is missing only in new data is refused as well."""
    fitted = fp.fit(CATEGORICAL, TASK, key=KEY)
    with pytest.raises(DataError) as caught:
        fp.apply(fitted, GAPS)
    assert caught.value.details == {"column": "grade", "row": 1}
    assert "impute_mode" in caught.value.fix


def test_check_finds_types_without_data():
    """Kinds and shapes are refused before data is read."""
    for graph in (nn.ingress_categorical(), nn.ingress_tensor()):
        with pytest.raises(SchemaError):
            fp.check(graph, TASK.outline())
