"""Learners from a user's own class of networks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.core.errors import DataError, GraphError, ParameterError, SchemaError, ShapeError
from fpipe.optim.adam import Adam

KEY = fp.key(11)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
NUMBERS = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}
SPECIES = fp.classification({**NUMBERS, "y": np.array(["u", "v", "w"])[np.argmax(X, 1)]}, "y")
PAIR = fp.classification({**NUMBERS, "y": np.array(["n", "p"])[(X[:, 0] > 0).astype(int)]}, "y")
LINE = fp.regression({**NUMBERS, "y": X @ [1.0, -2.0, 0.5] + 3.0}, "y")
MIXED = fp.regression(
    {
        **NUMBERS,
        "k": np.array(["r", "s"])[(X[:, 1] > 0).astype(int)],
        "t": X[:, 2] > 0,
        "v": X.astype(np.float32),
        "y": X.sum(1),
    },
    "y",
)


class FeedForward(torch.nn.Module):
    """The class of the paper: as many hidden layers as wanted, sized by the task."""

    def __init__(self, task, latent_dim, n_layers=2, activation=torch.nn.ReLU):
        super().__init__()
        sizes = [len(task.features), *[latent_dim] * n_layers]
        layers = []
        for size, into in zip(sizes, sizes[1:], strict=False):
            layers += [torch.nn.Linear(size, into), activation()]
        layers.append(torch.nn.Linear(sizes[-1], task.kind.output_size))
        self.network = torch.nn.Sequential(*layers)

    def forward(self, x):
        return self.network(x)


class Two(torch.nn.Module):
    """Two inputs, of which the second are codes; what it is given it tells apart by position."""

    def __init__(self, width=4):
        super().__init__()
        self.table = torch.nn.Embedding(4, width)
        self.map = torch.nn.Linear(width + 3, 1)

    def forward(self, numbers, codes, scale=None):
        assert numbers.is_floating_point()
        assert codes.dtype == torch.int64
        hidden = self.table(codes).sum(1)
        return self.map(torch.cat((numbers, hidden), 1))


class Vector(torch.nn.Module):
    """One tensor."""

    def __init__(self):
        super().__init__()
        self.map = torch.nn.Linear(3, 1)

    def forward(self, v):
        return self.map(v)


class Trainer(torch.nn.Module):
    """A class whose argument has the name of one of the learner's."""

    def __init__(self, lr):
        super().__init__()

    def forward(self, x):
        return x


class Named(torch.nn.Module):
    """An input that can be given by name only."""

    def forward(self, x, *, z):
        return x + z


class Outside(torch.nn.Module):
    """A class whose constructor takes anything."""

    def __init__(self, **sizes):
        super().__init__()
        self.map = torch.nn.Linear(sizes["into"], 1)

    def forward(self, x):
        return self.map(x)


def stack(width=3):
    """A function that returns a module."""
    return torch.nn.Sequential(torch.nn.Linear(width, 1))


def learner(cls=FeedForward, inputs=None, epochs=3, **params):
    return learners.module(cls, inputs=inputs or {"x": ops.numeric()}, epochs=epochs, **params)


@pytest.mark.parametrize(
    ("task", "outputs", "measure", "good"),
    [(SPECIES, 3, "accuracy", 0.85), (PAIR, 1, "accuracy", 0.9), (LINE, 1, "rmse", 0.6)],
    ids=["classes", "two classes", "numbers"],
)
def test_module_learns_every_kind_of_task(task, outputs, measure, good):
    """The paper's class sees the task: its width fits, and it learns; twice the same, purely."""
    graph = learner(latent_dim=16, n_layers=1, epochs=40, lr=0.02, batch_size=10)
    state = torch.get_rng_state()
    fitted = fp.fit(graph, task, key=KEY, validate=0.2)
    again = fp.fit(graph, task, key=KEY, validate=0.2)
    assert torch.equal(torch.get_rng_state(), state)
    prediction = fp.predict(fitted, task)
    assert prediction == fp.predict(again, task)
    score = prediction.score(measure)
    assert score < good if measure == "rmse" else score > good
    trained = fitted.state("module").states["model"]
    sizes = {n: tuple(p.shape) for n, p in trained.weights.params.items()}
    assert sizes["module.network.network.0.weight"] == (16, 3)
    assert sizes["module.network.network.2.weight"] == (outputs, 16)


def test_module_is_the_graph_it_stands_for():
    """The expansion, written out by hand under the same names, gives the same weights."""
    by_hand = fp.wrap(
        fp.wrap(fp.wrap(ops.select(ops.numeric()) >> nn.ingress_numeric(), id="x"), id="inputs")
        >> nn.module(FeedForward, task=LINE.outline(), latent_dim=4, n_layers=1, id="network")
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=0.01)
        >> nn.model(epochs=2, batch_size=7),
        id="module",
    )
    ready = learner(latent_dim=4, n_layers=1, lr=0.01, batch_size=7, epochs=2)
    one, other = (
        fp.fit(g, LINE, key=KEY).state("module").states["model"] for g in (ready, by_hand)
    )
    assert fp.same(one.state.weights, other.state.weights)


def test_module_shows_the_arguments_of_the_class_as_parameters():
    """Defaults are seen, what is missing is REQUIRED and told by path, setting reaches all."""
    graph = learner()
    assert graph.at("module.n_layers") == 2
    assert fp.check(graph, LINE).missing == ("module.latent_dim",)
    with pytest.raises(ParameterError, match="latent_dim"):
        fp.fit(graph, LINE, key=KEY)
    changed = graph.set(
        {
            "module.latent_dim": 5,
            "module.n_layers": 1,
            "module.activation": torch.nn.Tanh,
            "module.epochs": 1,
            "module.optimizer": "sgd",
            "module.optimizer.momentum": 0.5,
        }
    )
    assert fp.check(changed, LINE).params == 3 * 5 + 5 + 5 + 1
    fitted = fp.fit(changed, LINE, key=KEY)
    assert fitted.state("module").expansion.at("optimizer.momentum") == 0.5
    assert changed.set({"module.latent_dim": 5}) == changed
    assert changed != graph


def test_module_orders_inputs_as_forward_does():
    """Inputs reach forward by their names, whatever order they were given in; selectors fit."""
    inputs = {"codes": ops.categorical(), "numbers": ops.numeric()}
    graph = learners.module(Two, inputs=inputs, epochs=2, width=6)
    assert fp.check(graph, MIXED).params == 4 * 6 + 9 + 1
    fitted = fp.fit(graph, MIXED, key=KEY, validate=0.25)
    p = fitted.state("module").states["model"].weights.params
    codes = torch.tensor(np.stack([X[:, 1] > 0, X[:, 2] > 0], 1).astype(np.int64))
    hidden = p["module.network.table.weight"][codes].sum(1)
    both = torch.cat((torch.tensor(X, dtype=torch.float32), hidden), 1)
    expected = both @ p["module.network.map.weight"].T + p["module.network.map.bias"]
    np.testing.assert_allclose(
        fp.predict(fitted, MIXED).response, expected[:, 0], rtol=1e-4, atol=1e-5
    )


def test_module_takes_graphs_selectors_and_names():
    """A graph keeps its parameters, which can be set; names and tensors find their ingress."""
    graph = learners.module(
        Two,
        inputs={
            "numbers": ops.select(ops.numeric()) >> ops.scale() >> nn.ingress_numeric(),
            "codes": ["k", "t"],
        },
        epochs=1,
    )
    assert graph.at("module.inputs.numbers.scale.center") is True
    other = graph.set({"module.inputs.numbers.scale.center": False})
    assert other.at("module.inputs.numbers.scale.center") is False
    states = [fp.fit(g, MIXED, key=KEY).state("module") for g in (graph, other)]
    assert not fp.same(*[s.states["model"].state.weights for s in states])
    vector = learners.module(Vector, inputs={"v": "v"}, epochs=1)
    assert len(fp.predict(fp.fit(vector, MIXED, key=KEY), MIXED).row_id) == 60


def test_module_of_functions_open_classes_and_instances():
    """A function that returns a module, a class that takes anything, a module that is there."""
    for cls, params in ((stack, {}), (stack, {"width": 3}), (Outside, {"into": 3})):
        inputs = {"input" if cls is stack else "x": ops.numeric()}
        fitted = fp.fit(learner(cls, inputs, **params), LINE, key=KEY)
        assert len(fp.predict(fitted, LINE).row_id) == 60
    with torch.random.fork_rng():
        there = stack()
    weights = there[0].weight.detach().clone()
    fitted = fp.fit(learner(there, {"input": ops.numeric()}, epochs=0), LINE, key=KEY)
    kept = fitted.state("module").states["model"].weights.params["module.network.0.weight"]
    assert torch.equal(kept, weights)
    assert torch.equal(there[0].weight, weights)


def test_module_takes_losses_and_optimizers_as_values():
    """A loss of one's own and an optimizer value are used as they are."""

    def twice(outputs, target):
        return 2.0 * (outputs - target) ** 2

    graph = learner(latent_dim=2, loss=twice, optimizer=Adam(), lr=0.5, epochs=1)
    plain = learner(latent_dim=2, loss="mse", lr=0.5, epochs=1)
    histories = [
        fp.fit(g.set({"module.lr": 0.0}), LINE, key=KEY).state("module").states["model"].history
        for g in (graph, plain)
    ]
    assert histories[0][0]["train.loss"] == pytest.approx(2 * histories[1][0]["train.loss"])


def test_module_sizes_wait_for_the_data():
    """Where only data tells the features, the network is left open, and made at fit."""
    frame = pl.DataFrame({"a": X[:, 0], "k": [str(i % 3) for i in range(60)], "y": X[:, 0]})
    task = fp.regression(frame, "y")
    graph = ops.one_hot() >> learner(latent_dim=4, epochs=1)
    fp.check(graph, task)
    fitted = fp.fit(graph, task, key=KEY)
    assert len(fp.predict(fitted, frame.drop("y")).row_id) == 60


REFUSED = {
    "module: argument": (
        lambda: learner(latentdim=3),
        ParameterError,
        "FeedForward has no argument 'latentdim'",
        "did you mean 'latent_dim'?",
    ),
    "module: task": (
        lambda: learner(task=LINE),
        ParameterError,
        "no argument 'task'",
        "the learner gives the task",
    ),
    "module: clash": (lambda: learner(Trainer), ParameterError, "argument 'lr'", "rename 'lr'"),
    "module: input": (
        lambda: learner(Two, {"number": ops.numeric()}),
        ParameterError,
        "no argument 'number'",
        "did you mean 'numbers'?",
    ),
    "module: missing input": (
        lambda: learner(Two, {"numbers": ops.numeric()}),
        ParameterError,
        "nothing feeds the argument 'codes'",
        "'codes': nn.ingress_numeric()",
    ),
    "module: gap": (
        lambda: learner(Two, {"codes": ops.categorical(), "scale": ops.numeric()}),
        ParameterError,
        "nothing feeds the argument 'numbers'",
        "'numbers': nn.ingress_numeric()",
    ),
    "module: by name only": (
        lambda: learner(Named, {"x": ops.numeric()}),
        ParameterError,
        "nothing feeds the argument 'z'",
        "given by position",
    ),
    "module: no inputs": (
        lambda: learners.module(FeedForward, inputs={}, epochs=1),
        ParameterError,
        "inputs must say",
        "nn.ingress_numeric()",
    ),
    "module: inputs as a list": (
        lambda: learners.module(FeedForward, inputs=["x"], epochs=1),
        ParameterError,
        "inputs must say",
        "nn.ingress_numeric()",
    ),
    "module: graph": (
        lambda: learner(FeedForward, {"x": nn.ingress_numeric() & nn.ingress_numeric()}),
        GraphError,
        "must lead from a task to one tensor",
        "nn.ingress_numeric()",
    ),
    "module: class": (lambda: learner(3), ParameterError, "needs a class of modules", "Network"),
    "module: epochs": (lambda: learner(epochs=-1), ParameterError, "epochs cannot be -1", "epochs"),
    "module: set": (
        lambda: learner().set({"module.latent": 3}),
        ParameterError,
        "latent",
        "did you mean 'latent_dim'?",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_module_refuses(case):
    """What does not fit the class is refused when the learner is made."""
    make, kind, words, fix = REFUSED[case]
    with pytest.raises(kind) as caught:
        make()
    assert words in caught.value.rule
    assert caught.value.expected is not None
    assert caught.value.got is not None
    assert fix in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("build", "task", "kind", "words", "place"),
    [
        (
            lambda: learner(latent_dim=2, inputs={"x": ops.everything()}),
            MIXED,
            SchemaError,
            "of several kinds",
            "module",
        ),
        (
            lambda: learner(latent_dim=2, inputs={"x": nn.ingress_numeric()}),
            MIXED,
            SchemaError,
            "'k' is Enum",
            "module.inputs.x.ingress_numeric",
        ),
        (
            lambda: learner(latent_dim=2, inputs={"x": ops.matching("none")}),
            LINE,
            SchemaError,
            "no feature reaches",
            "module.inputs.x.ingress_numeric",
        ),
        (
            lambda: learner(stack, {"x": ops.numeric()}),
            LINE,
            ParameterError,
            "forward of stack has no argument 'x'",
            "module",
        ),
        (
            lambda: learner(latent_dim="wide"),
            LINE,
            ParameterError,
            "cannot be built",
            "module.network",
        ),
        (
            lambda: learner(Vector, {"v": ops.named("a", "b")}),
            LINE,
            ShapeError,
            "cannot take inputs",
            "module.network",
        ),
        (
            lambda: learner(Vector, {"v": ops.numeric()}),
            SPECIES,
            ShapeError,
            "gives",
            "module.model",
        ),
    ],
)
def test_module_refuses_a_task(build, task, kind, words, place):
    """What does not fit the task is refused before training, naming the node."""
    with pytest.raises(kind) as caught:
        fp.fit(build(), task, key=KEY)
    assert words in caught.value.rule
    assert caught.value.at == place
    assert caught.value.expected is not None
    assert caught.value.got is not None


def test_module_missing_value_names_its_ingress():
    """A missing value is told with column, row, and the ingress inside the learner."""
    hole = fp.regression({"a": [1.0, None, 2.0], "y": [1.0, 2.0, 3.0]}, "y")
    with pytest.raises(DataError) as caught:
        fp.fit(learner(latent_dim=2), hole, key=KEY)
    assert caught.value.at == "module.inputs.x.ingress_numeric"
    assert caught.value.details == {"column": "a", "row": 1}
    assert "impute" in caught.value.fix


def test_module_with_too_few_outputs_is_told_how_many():
    """The advice is to give the right number, since the learner adds no head."""
    with pytest.raises(ShapeError) as caught:
        fp.fit(
            learner(torch.nn.Linear, {"input": ops.numeric()}, in_features=3, out_features=2),
            SPECIES,
            key=KEY,
        )
    assert caught.value.at == "module.model"
    assert caught.value.fix.startswith("let Linear give 3 outputs, as task.kind.output_size tells")


def test_module_takes_what_nn_gives():
    """An optimizer operator keeps its own rate."""
    given = learner(latent_dim=2, optimizer=nn.optimizer("sgd", lr=0.2), loss=nn.loss("mse"))
    plain = learner(latent_dim=2, optimizer="sgd", lr=0.2, loss="mse")
    ends = [
        fp.fit(g, LINE, key=KEY).state("module").states["model"].weights for g in (given, plain)
    ]
    assert fp.same(*ends)
