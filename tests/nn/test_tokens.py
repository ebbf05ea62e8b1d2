"""Tokenizers, embeddings and the class token, against torch and the formula of the paper."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.net.layer import Given
from fpipe.net.layers.tokens import ClassToken, Embedding, TokenizerCategorical, TokenizerNumeric

KEY = fp.key(3)
X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
CODES = torch.tensor([[0, 1, 2], [1, 0, 0], [1, 1, 4]])
COUNTS = (2, 2, 5)
ENTERS = nn.Input((None, 3), torch.int64)
END = nn.head() >> nn.loss("cross_entropy") >> nn.optimizer("adam", lr=0.02)


def run(network, params, buffers, **inputs):
    (out,), _ = network.apply(params, buffers, inputs)
    return out


@pytest.mark.parametrize("bias", [True, False])
def test_tokenizer_numeric_is_the_formula(bias):
    """``token_j = weight_j * x_j + bias_j``; gradients as autograd's of the formula by einsum."""
    network = nn.network(nn.tokenizer_numeric(4, bias=bias), x=(None, 3))
    params, buffers = network.init(KEY)
    leaves = {name: p.double().requires_grad_() for name, p in params.items()}
    out = run(network, leaves, buffers, x=X.double())
    weight = params["tokenizer_numeric.weight"].double().requires_grad_()
    expected = torch.einsum("bn,nd->bnd", X.double(), weight)
    if bias:
        expected = expected + params["tokenizer_numeric.bias"]
    assert out.shape == (5, 3, 4)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    grads = torch.autograd.grad((out**2).sum(), list(leaves.values()))
    (wanted,) = torch.autograd.grad((expected**2).sum(), [weight])
    found = dict(zip(leaves, grads, strict=True))
    torch.testing.assert_close(found["tokenizer_numeric.weight"], wanted)
    if bias:
        torch.testing.assert_close(found["tokenizer_numeric.bias"], (2 * expected).sum(0).detach())


@pytest.mark.parametrize("bias", [True, False])
def test_tokenizer_categorical_is_one_shifted_table(bias):
    """As torch's Embedding over codes shifted by the levels of the features before, plus bias."""
    graph = nn.tokenizer_categorical(4, bias=bias, cardinalities=COUNTS)
    network = nn.network(graph, x=ENTERS)
    params, buffers = network.init(KEY)
    table = torch.nn.Embedding(9, 4)
    table.weight.data = params["tokenizer_categorical.weight"].clone()
    expected = table(CODES + torch.tensor([0, 2, 4]))
    if bias:
        expected = expected + params["tokenizer_categorical.bias"]
    assert buffers["tokenizer_categorical.offsets"].tolist() == [0, 2, 4]
    assert torch.equal(run(network, params, buffers, x=CODES), expected)
    leaf = params["tokenizer_categorical.weight"].clone().requires_grad_()
    out = run(network, params.set("tokenizer_categorical.weight", leaf), buffers, x=CODES)
    (found,) = torch.autograd.grad((out**2).sum(), [leaf])
    (wanted,) = torch.autograd.grad((expected**2).sum(), [table.weight])
    torch.testing.assert_close(found, wanted)


def test_embedding_is_a_table_per_feature():
    """As torch's Embedding per feature, concatenated; sizes by rule, one number, or each."""
    network = nn.network(nn.embedding((1, 2, 3), cardinalities=COUNTS), x=ENTERS)
    params, buffers = network.init(KEY)
    tables = [torch.nn.Embedding.from_pretrained(params[f"embedding.weight_{i}"]) for i in range(3)]
    expected = torch.cat([table(CODES[:, i]) for i, table in enumerate(tables)], 1)
    assert torch.equal(run(network, params, buffers, x=CODES), expected)
    one = nn.network(nn.embedding(4, cardinalities=COUNTS), x=ENTERS)
    assert one.shapes({"x": (None, 3)}) == ((None, 12),)
    rule = nn.network(nn.embedding(cardinalities=(2, 5, 400)), x=ENTERS)
    assert rule.shapes({"x": (7, 3)}) == ((7, 1 + 3 + 50),)


def test_cls_token_is_appended_last():
    """Every row gets the same learned token behind its own; its gradient is the sum over rows."""
    network = nn.network(nn.cls_token(), x=(None, 3, 4))
    params, buffers = network.init(KEY)
    x = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    leaf = params["cls_token.weight"].clone().requires_grad_()
    out = run(network, params.set("cls_token.weight", leaf), buffers, x=x)
    assert torch.equal(out[:, :3], x)
    assert torch.equal(out[:, 3], leaf.detach().expand(5, 4))
    (grad,) = torch.autograd.grad(out.sum(), [leaf])
    assert torch.equal(grad, torch.full((4,), 5.0))


@pytest.mark.parametrize("name", ["tokenizer_numeric", "tokenizer_categorical", "cls_token"])
@pytest.mark.parametrize("how", ["uniform", "normal"])
def test_initial_tokens_have_the_distribution(name, how):
    """Uniform in ±1/sqrt(d), or normal with deviation 1/sqrt(d) (Kolmogorov-Smirnov)."""
    stats = pytest.importorskip("scipy.stats")
    d = 400
    made = {
        "tokenizer_numeric": TokenizerNumeric(12, d, True, how),
        "tokenizer_categorical": TokenizerCategorical((6, 6), d, True, how),
        "cls_token": ClassToken(6000, how),
    }[name]
    scale = 1 / math.sqrt(6000 if name == "cls_token" else d)
    law = stats.uniform(-scale, 2 * scale) if how == "uniform" else stats.norm(0, scale)
    params, _ = made.init(KEY)
    for tensor in params.values():
        assert stats.kstest(tensor.numpy().ravel(), law.cdf).pvalue > 1e-3
        if how == "uniform":
            assert tensor.abs().max() <= scale
    drawn = torch.cat([t.ravel() for t in params.values()])
    assert len(drawn.unique()) > 0.9 * len(drawn)


def test_embedding_begins_standard_normal():
    """As torch.nn.Embedding."""
    stats = pytest.importorskip("scipy.stats")
    params, _ = Embedding((50, 40), (60, 60)).init(KEY)
    for tensor in params.values():
        assert stats.kstest(tensor.numpy().ravel(), "norm").pvalue > 1e-3


def test_take_is_indexing():
    """As torch's indexing; an integer drops the dimension; codes pass as codes."""
    x = torch.arange(24.0).reshape(2, 3, 4)
    cases = {
        (-1, 1): x[:, -1],
        (0, 2): x[..., 0],
        ((2, 0), 1): x[:, [2, 0]],
        ((-1,), 1): x[:, -1:],
        ((1, 1), -1): x[..., [1, 1]],
    }
    for (indices, dim), expected in cases.items():
        network = nn.network(nn.take(indices, dim=dim), x=(None, 3, 4))
        assert torch.equal(network.bind(KEY)(x), expected)
        assert network.shapes({"x": (None, 3, 4)}) == ((None, *expected.shape[1:]),)
        unknown = network.shapes({"x": (None, None, None)})[0]
        assert len(unknown) == expected.ndim
    codes = nn.network(nn.take(0), x=ENTERS).bind(KEY)(CODES)
    assert codes.dtype == torch.int64
    assert torch.equal(codes, CODES[:, 0])


@pytest.mark.parametrize(
    ("layer", "shape", "out"),
    [
        (TokenizerNumeric(3, 4), (None, None), (None, 3, 4)),
        (TokenizerNumeric(3, 4), (None, 3), (None, 3, 4)),
        (TokenizerCategorical((2, 3), 4), (6, None), (6, 2, 4)),
        (Embedding((2, 3), (4, 5)), (None, 2), (None, 9)),
        (ClassToken(4), (None, None, None), (None, None, 4)),
        (ClassToken(4), (None, 7, 4), (None, 8, 4)),
    ],
    ids=lambda x: getattr(x, "name", str(x)),
)
def test_shapes_with_unknown_dimensions(layer, shape, out):
    """What is unknown and not needed stays unknown; what the layer knows is told."""
    assert layer.shapes((shape,)) == (out,)


def table(rows=60, seed=0):
    """Three species told apart by island, sex and two lengths, as penguins are."""
    rng = np.random.default_rng(seed)
    species = rng.integers(0, 3, rows)
    island = np.where(rng.random(rows) < 0.8, species, rng.integers(0, 3, rows))
    return pl.DataFrame(
        {
            "bill": species * 2.0 + rng.normal(size=rows),
            "flipper": -species + rng.normal(size=rows),
            "island": np.array(["Biscoe", "Dream", "Torgersen"])[island],
            "male": rng.random(rows) < 0.5,
            "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[species],
        }
    )


NUMERIC = ops.select(ops.numeric()) >> ops.scale() >> nn.ingress_numeric()
CATEGORICAL = ops.select(ops.categorical()) >> nn.ingress_categorical()
TOKENS = ((NUMERIC >> nn.tokenizer_numeric(8)) & (CATEGORICAL >> nn.tokenizer_categorical(8))) >> (
    nn.merge_cat(dim=1)
)
GRAPH = fp.identity() >> TOKENS >> nn.cls_token() >> nn.take(-1) >> END
PENGUINS = fp.classification(table(), "species")


def test_two_tokenizers_joined_train_and_predict():
    """Numbers and categories as tokens: learned well above chance, and the same twice."""
    attention = fp.identity() >> (fp.identity() & nn.multihead_attention(2)) >> nn.merge_sum()
    graph = fp.identity() >> TOKENS >> nn.cls_token() >> attention >> nn.take(-1) >> END
    graph = graph >> nn.model(epochs=40, batch_size=16)
    state = torch.get_rng_state()
    fitted = fp.fit(graph, PENGUINS, key=KEY, validate=0.2)
    again = fp.fit(graph, PENGUINS, key=KEY, validate=0.2)
    assert torch.equal(torch.get_rng_state(), state)
    assert fp.same(fitted.state("model").state, again.state("model").state)
    new = table(rows=200, seed=1)
    assert fp.predict(fitted, fp.classification(new, "species")).score("accuracy") > 0.8
    rows = new.drop("species")
    by_two = [fp.predict(fitted, rows[i : i + 100]).prob for i in (0, 100)]
    whole = fp.predict(fitted, rows).prob
    np.testing.assert_allclose(np.concatenate([p.to_numpy() for p in by_two]), whole, atol=1e-6)
    offsets = fitted.state("model").weights.buffers["tokenizer_categorical.offsets"]
    assert offsets.dtype == torch.int64
    assert offsets.tolist() == [0, 3]


def test_tokenizer_categorical_takes_its_levels_from_the_schema():
    """Levels that no training row shows have their rows in the table, too."""
    frame = table().with_columns(
        pl.col("island").cast(pl.Enum(["Dream", "Nowhere", "Torgersen", "Biscoe"]))
    )
    task = fp.classification(frame, "species")
    md = fp.transform(CATEGORICAL >> nn.tokenizer_categorical(2), task, key=KEY)
    assert md.layers["tokenizer_categorical"].cardinalities == (4, 2)


def test_the_report_knows_tokens():
    """``check`` counts parameters, lists what is missing, and leaves open what data will tell."""
    graph = GRAPH.set({"tokenizer_numeric.d_token": 4, "tokenizer_categorical.d_token": 4})
    report = fp.check(graph >> nn.model(epochs=1), PENGUINS)
    assert report.params == 2 * 4 * 2 + (5 * 4 + 2 * 4) + 4 + (4 * 3 + 3)
    bare = CATEGORICAL >> nn.tokenizer_categorical() >> nn.take(0) >> nn.head()
    assert fp.check(bare, PENGUINS).missing == ("tokenizer_categorical.d_token",)
    unset = fp.check(NUMERIC >> nn.tokenizer_numeric(4) >> nn.take(), PENGUINS)
    assert unset.missing == ("take.indices",)


REPORTED = {
    "tokenizer_numeric: width": (nn.tokenizer_numeric(4), (None, None), ShapeError, "dimension 1"),
    "tokenizer_numeric: dims": (nn.tokenizer_numeric(4), (None, 3, 2), ShapeError, "2 dimensions"),
    "tokenizer_numeric: codes": (nn.tokenizer_numeric(4), ENTERS, ShapeError, "floating"),
    "tokenizer_categorical: numbers": (
        nn.tokenizer_categorical(4),
        (None, 3),
        ShapeError,
        "looks up codes",
    ),
    "tokenizer_categorical: levels": (
        nn.tokenizer_categorical(4),
        ENTERS,
        ParameterError,
        "numbers of levels",
    ),
    "tokenizer_categorical: count": (
        nn.tokenizer_categorical(4, cardinalities=(2, 3)),
        ENTERS,
        ParameterError,
        "2 cardinalities for 3 features",
    ),
    "embedding: count": (
        nn.embedding(4, cardinalities=(2, 3)),
        ENTERS,
        ParameterError,
        "2 cardinalities for 3 features",
    ),
    "embedding: sizes": (
        nn.embedding((4, 4), cardinalities=COUNTS),
        ENTERS,
        ParameterError,
        "2 sizes for 3 features",
    ),
    "cls_token: dims": (nn.cls_token(), (None, 3), ShapeError, "3 dimensions"),
    "cls_token: width": (nn.cls_token(), (None, 3, None), ShapeError, "dimension 2"),
    "take: batch": (nn.take(0, dim=0), (None, 3), ShapeError, "batch"),
    "take: dim": (nn.take(0, dim=2), (None, 3), ShapeError, "dimension 2"),
    "take: position": (nn.take((0, 3)), (None, 3), ShapeError, "position 3"),
    "take: negative": (nn.take(-4), (None, 3), ShapeError, "position -4"),
}


@pytest.mark.parametrize("case", REPORTED, ids=str)
def test_tokens_refuse(case):
    """Wrong inputs are refused when the network is built, naming the node."""
    graph, enters, kind, words = REPORTED[case]
    with pytest.raises(kind) as caught:
        nn.network(graph, x=enters)
    assert words in caught.value.rule
    assert caught.value.expected is not None
    assert caught.value.got is not None
    assert caught.value.at == case.split(":")[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.tokenizer_numeric(0), "d_token cannot be 0"),
        (lambda: nn.tokenizer_numeric(4, initialization="xavier"), "initialization cannot be"),
        (lambda: nn.tokenizer_numeric(4, biases=True), "no parameter 'biases'"),
        (lambda: nn.tokenizer_categorical(4, cardinalities=(2, 0)), "cardinalities cannot be"),
        (lambda: nn.embedding(0), "size cannot be 0"),
        (lambda: nn.embedding("large"), "size cannot be 'large'"),
        (lambda: nn.cls_token(initialization=1), "initialization cannot be 1"),
        (lambda: nn.take("last"), "indices cannot be 'last'"),
        (lambda: nn.take(()), "indices cannot be ()"),
    ],
)
def test_tokens_parameters_are_checked(make, words):
    """A wrong parameter is refused at once, with what is accepted."""
    with pytest.raises(ParameterError) as caught:
        make()
    assert words in caught.value.rule
    assert caught.value.expected
    assert caught.value.fix


def test_tokenizer_categorical_wants_a_row_for_every_level():
    """Given cardinalities below the schema's are refused: levels would share rows."""
    graph = CATEGORICAL >> nn.tokenizer_categorical(4, cardinalities=(2, 2))
    with pytest.raises(ParameterError, match="too few rows for feature 0") as caught:
        fp.transform(graph, PENGUINS, key=KEY)
    assert caught.value.expected == "a cardinality of at least 3, the number of its levels"
    assert caught.value.at == "tokenizer_categorical"


@pytest.mark.parametrize("name", ["tokenizer_categorical", "embedding"])
@pytest.mark.parametrize("code", [-1, 2])
def test_codes_without_a_level_are_refused(name, code):
    """A code out of range would read another feature's row; it is an error instead."""
    model = nn.network(getattr(nn, name)(4, cardinalities=COUNTS), x=ENTERS).bind(KEY)
    bad = CODES.clone()
    bad[2, 1] = code
    with pytest.raises(DataError) as caught:
        model(bad)
    assert caught.value.expected == "0 to 1 in feature 1"
    assert caught.value.got == f"{code} in row 2 of the batch"


def test_tokens_change_nothing():
    """Parameters, buffers and inputs are as before; the drawing moves no global generator."""
    state = torch.get_rng_state()
    layer = TokenizerCategorical(COUNTS, 4)
    params, buffers = layer.init(KEY)
    versions = [t._version for t in (*params.values(), *buffers.values(), CODES)]
    layer.apply(params, buffers, (CODES,), {}, True)
    layer_numeric = TokenizerNumeric(3, 4)
    layer_numeric.forward(Given(layer_numeric.init(KEY)[0], {}, True), X)
    assert [t._version for t in (*params.values(), *buffers.values(), CODES)] == versions
    assert torch.equal(torch.get_rng_state(), state)
