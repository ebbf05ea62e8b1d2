"""Target transformations against scikit-learn's TransformedTargetRegressor, undone everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import DataError, FpipeError, ParameterError, StateError
from fpipe.core.key import Key
from fpipe.data.target import Affine, Logarithm, undo_all
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(4)
RNG = np.random.default_rng(4)
N = 80
X = RNG.normal(size=(N, 2))
Y = np.exp(X[:, 0] - 0.5 * X[:, 1] + RNG.normal(size=N) * 0.3) * 40.0
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "y": Y}, "y")
LINE = learners.sklearn("sklearn.linear_model:LinearRegression")
CLASSES = fp.classification({"a": [1.0, 2.0, 3.0], "y": ["u", "v", "u"]}, "y")
SIGNS = fp.regression({"a": [1.0, 2.0], "b": [1.0, 0.0], "y": [1.0, -1.0]}, "y")


def cube(y):
    """An importable function."""
    return y**3


CHAINS = {
    "log": (ops.log_target(), np.log, np.exp),
    "log with offset": (ops.log_target(3.0), lambda y: np.log(y + 3), lambda z: np.exp(z) - 3),
    "functions": (ops.transform_target(np.sqrt, np.square), np.sqrt, np.square),
    "lambdas": (
        ops.transform_target(lambda y: np.arcsinh(y / 9), lambda z: 9 * np.sinh(z)),
        lambda y: np.arcsinh(y / 9),
        lambda z: 9 * np.sinh(z),
    ),
    "references": (ops.transform_target("numpy:cbrt", cube), np.cbrt, cube),
    "scale after log": (ops.log_target() >> ops.scale_target(), np.log, np.exp),
    "three": (
        ops.transform_target(np.sqrt, np.square) >> ops.log_target(1.0) >> ops.scale_target(),
        lambda y: np.log(np.sqrt(y) + 1),
        lambda z: np.square(np.exp(z) - 1),
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_log_target_and_transform_target_are_sklearn(name):
    """A linear model on the transformed target predicts what TransformedTargetRegressor does."""
    graph, function, inverse = CHAINS[name]
    fitted = fp.fit(graph >> LINE, TASK, key=KEY)
    made = TransformedTargetRegressor(
        LinearRegression(), func=function, inverse_func=inverse, check_inverse=False
    ).fit(X, Y)
    prediction = fp.predict(fitted, TASK)
    np.testing.assert_allclose(prediction.response, made.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(prediction.truth, Y)
    error = np.sqrt(np.mean((made.predict(X) - Y) ** 2))
    assert prediction.score("rmse") == pytest.approx(error, rel=1e-9)
    bare = fp.predict(fitted, TASK.table.drop("y"))
    assert bare.response.equals(prediction.response)
    assert bare.truth is None


def test_log_target_column():
    """The target is the logarithm, the truth is kept, and types are foreseen."""
    graph = ops.log_target(2.0)
    out = fp.transform(graph, TASK, key=KEY)
    np.testing.assert_allclose(out.column("y"), np.log(Y + 2.0), rtol=1e-15)
    np.testing.assert_array_equal(out.truth(), Y)
    assert out.target_inverse == (Logarithm(2.0),)
    (inferred,), _ = infer_graph(graph, (TASK.outline(),), key=Key(0), context=Context())
    assert inferred.roles == out.roles


def test_order_of_undoing():
    """The last transformation is undone first."""
    out = fp.transform(ops.log_target() >> ops.scale_target(), TASK, key=KEY)
    logs = np.log(Y)
    log, affine = out.target_inverse
    assert log == Logarithm(0.0)
    assert isinstance(affine, Affine)
    np.testing.assert_allclose([affine.shift, affine.scale], [logs.mean(), logs.std()], rtol=1e-12)
    np.testing.assert_allclose(out.column("y"), (logs - logs.mean()) / logs.std(), rtol=1e-9)
    np.testing.assert_allclose(
        undo_all(out.target_inverse, out.column("y").to_numpy()), Y, rtol=1e-12
    )


def test_chain_through_a_network():
    """History, early stopping and predictions of a network are in the unit of the target."""
    graph = (
        ops.log_target()
        >> ops.scale_target()
        >> nn.ingress_numeric()
        >> nn.linear(8)
        >> nn.relu()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=0.05)
        >> nn.model(epochs=30, batch_size=16, measures="rmse", patience=30, weights="last")
    )
    train, rest = fp.partition(TASK, 0.75, key=KEY)
    fitted = fp.fit(graph, train, key=KEY, validate=rest)
    prediction = fp.predict(fitted, rest)
    last = fitted.state("model").history[-1]
    assert last["valid.rmse"] == pytest.approx(prediction.score("rmse"), rel=1e-4)
    assert prediction.response.min() > 0
    logs = np.log(rest.column("y").to_numpy())
    assert np.mean((np.log(prediction.response.to_numpy()) - logs) ** 2) < 0.6 * np.var(logs)


def test_functions_are_values():
    """Importable functions are references, others are opaque; both are parameters."""
    graph = ops.transform_target(np.sqrt, lambda z: z**2)
    assert graph.at("transform_target.function") == Ref("numpy:sqrt")
    assert isinstance(graph.at("transform_target.inverse"), Opaque)
    whole = graph.set({"transform_target.inverse": "numpy:square"})
    assert whole == ops.transform_target(np.sqrt, np.square)
    assert fp.check(ops.transform_target(np.sqrt), TASK).missing == ("transform_target.inverse",)


def test_a_target_that_cannot_be_transformed_later():
    """A later row without a logarithm is predicted as any other, and its truth is reported."""
    fitted = fp.fit(ops.log_target() >> LINE, TASK, key=KEY)
    prediction = fp.predict(fitted, SIGNS)
    assert prediction.truth.to_list() == [1.0, -1.0]
    assert prediction.response.equals(fp.predict(fitted, SIGNS.table.drop("y")).response)


def changes_length(y):
    return y[:1]


def changes_in_place(y):
    y += 1.0
    return y


def test_functions_get_a_copy():
    """A function that writes into what it gets changes nothing outside."""
    before = fp.fingerprint(TASK)
    graph = ops.transform_target(changes_in_place, lambda z: z - 1.0)
    out = fp.transform(graph, TASK, key=KEY)
    np.testing.assert_allclose(out.column("y"), Y + 1.0)
    assert fp.fingerprint(TASK) == before


BAD = [
    ("offset", lambda: ops.log_target("one"), ParameterError, "offset", None, ""),
    ("no function", lambda: ops.transform_target(3, np.exp), ParameterError, "function", None, ""),
    (
        "log of negative",
        lambda: fp.fit(ops.log_target(), SIGNS, key=KEY),
        DataError,
        "row 1 has no logarithm",
        "log_target",
        "offset=2.0",
    ),
    (
        "classification",
        lambda: fp.check(ops.log_target(), CLASSES),
        ParameterError,
        "is for regression",
        "log_target",
        "leave out",
    ),
    (
        "classification, any function",
        lambda: fp.check(ops.transform_target(np.sqrt, np.square), CLASSES),
        ParameterError,
        "is for regression",
        "transform_target",
        "leave out",
    ),
    (
        "no inverse",
        lambda: fp.fit(ops.transform_target(np.square, np.sqrt), SIGNS, key=KEY),
        DataError,
        "sqrt(square(y)) gives 1.0 for the target in row 1",
        "transform_target",
        "undo each other",
    ),
    (
        "not defined",
        lambda: fp.fit(ops.transform_target(np.log, np.exp), SIGNS, key=KEY),
        DataError,
        "log gives nan for the target in row 1",
        "transform_target",
        "undo each other",
    ),
    (
        "one number",
        lambda: fp.fit(ops.transform_target(np.mean, np.exp), TASK, key=KEY),
        DataError,
        "mean does not give one number",
        "transform_target",
        "arrays",
    ),
    (
        "fewer numbers",
        lambda: fp.fit(ops.transform_target(changes_length, np.exp), TASK, key=KEY),
        DataError,
        "does not give one number",
        "transform_target",
        "arrays",
    ),
    (
        "import",
        lambda: fp.check(ops.transform_target("numpy:sqr", "numpy:square"), TASK),
        ParameterError,
        "numpy:sqr",
        "transform_target",
        "spelling",
    ),
    (
        "overflow",
        lambda: fp.predict(
            fp.fit(ops.log_target() >> LINE, TASK, key=KEY), {"a": [1e6], "b": [0.0]}
        ),
        DataError,
        "cannot be brought back",
        "sklearn",
        "otherwise",
    ),
    (
        "a name alone",
        lambda: fp.fit(ops.transform_target("log", "exp"), TASK, key=KEY),
        ParameterError,
        "must name a module and a name in it",
        "transform_target",
        "put its module before it, as in 'numpy:sqrt'",
    ),
    (
        "a dot for the colon",
        lambda: fp.check(ops.transform_target("numpy.log", "numpy.exp"), TASK),
        ParameterError,
        "must name a module and a name in it",
        "transform_target",
        "write 'numpy:log'",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    with pytest.raises(FpipeError) as caught:
        act()
    found = caught.value
    assert type(found) is error, found
    assert rule in found.rule
    assert found.at == at
    assert found.got
    assert fix in (found.fix or "")


def test_validation_rows_without_a_logarithm():
    """They cannot tell how good a network is: an error, not a silent number."""
    graph = ops.log_target() >> learners.mlp(epochs=1)
    with pytest.raises(StateError, match="no validation rows with a target") as caught:
        fp.fit(graph, TASK, key=KEY, validate=SIGNS)
    assert caught.value.expected == "a target in every validation row"
    assert "log_target" in caught.value.got
    assert "validate=" in caught.value.fix


@pytest.mark.parametrize(
    ("graph", "fix"),
    [
        (ops.scale_target() >> ops.log_target(), "ops.log_target() >> ops.scale_target(...)"),
        (ops.transform_target(np.negative, np.negative) >> ops.log_target(), "swap them"),
        (ops.log_target(), "offset="),
    ],
    ids=["after scale_target", "after transform_target", "alone"],
)
def test_the_order_is_what_is_wrong(graph, fix):
    """After another transformation an offset is no cure: the order is named."""
    task = SIGNS if fix == "offset=" else TASK
    with pytest.raises(DataError, match="has no logarithm") as caught:
        fp.fit(graph, task, key=KEY)
    assert caught.value.at == "log_target"
    assert "targets above 0" in caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix
