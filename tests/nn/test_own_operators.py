"""Operators of one's own: they train, draw from the key, and are equal when their code is."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import FpipeError, ParameterError, ShapeError, StateError
from fpipe.core.key import key
from fpipe.core.parameter import REQUIRED
from fpipe.net.network import make_draws, planned_draws

RNG = np.random.default_rng(1)
X = RNG.normal(size=(32, 3)).astype(np.float32)
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": X @ [1.0, -2.0, 0.5]}, "y")


# An affine map, as nn.linear


def affine(params, x, *, bias=True):
    """``x @ weight.T + bias``, written by hand."""
    out = x @ params["weight"].T
    return out + params["bias"] if bias else out


def affine_init(key, shape, *, out_features, bias=True):
    bound = shape[-1] ** -0.5

    def draw(name, *sizes):
        return torch.empty(sizes).uniform_(-bound, bound, generator=key.fold_in(name).generator())

    weight = {"weight": draw("weight", out_features, shape[-1])}
    return weight | ({"bias": draw("bias", out_features)} if bias else {})


own_linear = nn.operator(affine, init=affine_init, name="linear")


# Dropout, as nn.dropout


def masked(x, *, p=0.5, draws):
    return x if draws is None else x * draws["keep"].to(x.dtype) * (1.0 / (1.0 - p))


def mask(shape, *, p=0.5):
    return {"keep": nn.Keep(shape, 1.0 - p)}


own_dropout = nn.operator(masked, draws=mask, name="dropout")


def chain(*layers):
    graph = nn.ingress_numeric()
    for layer in layers:
        graph = graph >> layer
    return (
        graph
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.05)
        >> nn.model(epochs=3, batch_size=8)
    )


def trained(graph, interpreter="fast"):
    return fp.fit(graph, TASK, key=fp.key(3), interpreter=interpreter).state("model").state


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_parameters_learn(interpreter):
    """An operator with parameters trains to the bits of the built-in one, in both interpreters."""
    own = trained(chain(own_linear(4), nn.tanh()), interpreter)
    built = trained(chain(nn.linear(4), nn.tanh()), interpreter)
    assert fp.close(own.weights, built.weights)
    begun = fp.prepare(chain(own_linear(4), nn.tanh()), TASK, key=fp.key(3))[1].weights.params
    for name in ("linear.weight", "linear.bias"):
        assert not torch.equal(own.weights.params[name], begun[name])


def test_interpreters_agree():
    """With parameters and draws the fast interpreter gives the reference's bits."""
    graph = chain(own_linear(6), own_dropout(0.4), nn.rrelu(), own_linear(2, bias=False))
    fast, reference = trained(graph, "fast"), trained(graph, "reference")
    for part in ("weights", "optimizer", "history", "cursor"):
        assert fp.same(getattr(fast, part), getattr(reference, part)), part


def test_dropout_by_hand():
    """Dropout from declared draws is nn.dropout: the same masks, so the same trained weights."""
    own, built = trained(chain(own_dropout(0.4))), trained(chain(nn.dropout(0.4)))
    assert fp.same(own.weights, built.weights)
    assert not fp.same(own.weights, trained(chain(nn.dropout(0.3))).weights)
    assert fp.same(own, trained(chain(own_dropout(p=0.4))))
    network = nn.network(own_dropout(p=0.3), x=(None, 400))
    x = torch.ones(300, 400)
    draws = make_draws(planned_draws(network, {"x": (300, 400)}), {"dropout": key(0)}, 0)
    (out,), _ = network.apply({}, {}, {"x": x}, draws, training=True)
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(network.apply({}, {}, {"x": x})[0][0], x)


def product(left, right):
    return left * right


def weighted(params, *xs):
    return sum(w * x for w, x in zip(params["share"], xs, strict=True))


def shares(key, *shapes):
    return {"share": torch.full((len(shapes),), 1.0 / len(shapes))}


def parts(x, *, at):
    return x[..., :at], x[..., at:]


def test_two_inputs():
    """Arguments by position are inputs: two paths meet, and one output feeds both."""
    times = nn.operator(product)
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    model = nn.network(times(), u=(None, 3), v=(None, 3)).bind(key(0))
    assert torch.equal(model(a, b), a * b)
    square = nn.network(nn.relu() >> times(), x=(None, 3)).bind(key(0))
    assert torch.equal(square(a), a.relu() ** 2)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_inputs(count):
    """``*xs`` takes all outputs in front of it; ``init`` sees all their shapes."""
    average = nn.operator(weighted, init=shares, name="average")
    paths = tuple(nn.linear(3, id=f"l{i}") for i in range(count))
    network = nn.network(fp.identity() >> paths >> average(), x=(None, 5))
    model = network.bind(key(0))
    x = torch.randn(4, 5)
    p = model.params
    each = [x @ p[f"l{i}.weight"].T + p[f"l{i}.bias"] for i in range(count)]
    torch.testing.assert_close(model(x), torch.stack(each).mean(0))
    assert p["average.share"].shape == (count,)


def test_two_outputs():
    """A tuple of outputs leaves by as many ports; they can be picked by name."""
    cut = nn.operator(parts, outputs=2, name="cut")
    named = nn.operator(parts, outputs=("head", "tail"), name="cut")
    x = torch.randn(4, 5)
    joined = nn.network(cut(2) >> nn.merge_cat(), x=(None, 5)).bind(key(0))
    assert torch.equal(joined(x), x)
    tail = nn.network(named(at=2)["tail"] >> nn.relu(), x=(None, 5))
    assert torch.equal(tail.bind(key(0))(x), x[:, 2:].relu())
    assert tail.shapes({"x": (None, 5)}) == ((None, 3),)


def test_what_comes_back_tells_what_it_takes():
    """The operator has a signature, a docstring and a name."""
    assert str(inspect.signature(own_linear)) == "(out_features=REQUIRED, bias=True, *, id=None)"
    assert own_linear.__doc__.startswith("``x @ weight.T")
    assert own_linear.__name__ == "linear"
    assert own_linear(7).params() == {"linear.out_features": 7, "linear.bias": True}
    assert repr(own_linear(7).nodes[0].op.written()) == "('out_features=7',)"


def test_parameters_are_addressed():
    """Hyper-parameters are set by path, and missing ones are REQUIRED."""
    graph = own_linear(id="wide") >> nn.relu()
    assert graph.params()["wide.out_features"] is REQUIRED
    network = nn.network(graph.set({"wide.out_features": 5, "wide.bias": False}), x=(None, 3))
    assert network.count() == 15
    with pytest.raises(ParameterError, match="has not been set"):
        nn.network(graph, x=(None, 3))
    report = fp.check(chain(own_linear(id="wide")), TASK)
    assert "wide.out_features" in str(report)


def test_equal_by_code():
    """Operators of the same functions are equal with one fingerprint; other code is not."""
    again = nn.operator(affine, init=affine_init, name="linear")
    assert own_linear(3) == again(3)
    assert fingerprint(own_linear(3)) == fingerprint(again(out_features=3))
    assert own_linear(3) != own_linear(4)
    assert nn.operator(product)() != nn.operator(weighted, name="product")()
    anonymous = nn.operator(lambda x: x, name="same")
    assert anonymous() == anonymous()
    assert anonymous() != nn.operator(lambda x: x, name="same")()


def test_init_depends_on_the_key_alone():
    """Weights follow the key; the global generator is not moved, even by careless code."""

    def careless(key, shape):
        return {"w": torch.randn(shape[-1])}

    network = nn.network(
        nn.operator(lambda params, x: x * params["w"], init=careless, name="own")(), x=(None, 4)
    )
    before = torch.get_rng_state()
    one, again, other = (network.init(key(s))[0]["own.w"] for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_undeclared_draws_come_from_a_stream():
    """Code that draws while training is keyed as a foreign module is."""

    noisy = nn.operator(lambda x, *, training: x * torch.rand(x.shape) if training else x, name="n")
    before = torch.get_rng_state()
    one, two = trained(chain(noisy(id="z"))), trained(chain(noisy(id="z")))
    assert torch.equal(torch.get_rng_state(), before)
    assert fp.same(one.weights, two.weights)
    assert not fp.same(one.weights, trained(chain(nn.relu(id="z"))).weights)


def test_drawing_in_evaluation_is_refused():
    """Nothing may draw where nothing was given to draw from."""
    model = nn.network(nn.fn(lambda x: x * torch.rand(x.shape)), x=(None, 3)).bind(key(0))
    before = torch.get_rng_state()
    with pytest.raises(StateError, match="draws random numbers outside training") as caught:
        model(torch.ones(2, 3))
    assert caught.value.at == "fn"
    assert "training is True" in str(caught.value.fix)
    assert torch.equal(torch.get_rng_state(), before)


# What goes wrong


def bad_init(key, shape):
    return [torch.ones(3)]


def whole_init(key, shape):
    return {"w": torch.ones(3, dtype=torch.int64)}


def times_w(params, x):
    return x * params["w"]


def in_place(x):
    return x.add_(1.0)


def net(graph):
    return nn.network(graph, x=(None, 3))


CASES = [
    (
        "hyper-parameter misspelt",
        lambda: own_linear(out_feature=3),
        ParameterError,
        "linear has no parameter 'out_feature'",
        "did you mean 'out_features'?",
    ),
    (
        "too many by position",
        lambda: own_linear(3, True, 5),
        ParameterError,
        "takes 2 positional parameters but got 3",
        "give at most 2 values: out_features, bias",
    ),
    (
        "path misspelt",
        lambda: own_linear(3).set({"linear.biass": False}),
        ParameterError,
        "has no parameter 'biass'",
        "did you mean 'bias'?",
    ),
    (
        "init gives a list",
        lambda: net(nn.operator(times_w, init=bad_init)()),
        ParameterError,
        "init must give learned parameters",
        'return {"weight": torch.ones(n)}',
    ),
    (
        "init gives integers",
        lambda: net(nn.operator(times_w, init=whole_init)()),
        ParameterError,
        "init must give learned parameters",
        'return {"weight": torch.ones(n)}',
    ),
    (
        "more outputs than declared",
        lambda: net(nn.operator(parts, name="cut")(1)),
        ShapeError,
        "cut gives 2 outputs, but 1 were declared",
        "declare them: nn.operator(..., outputs=2)",
    ),
    (
        "fewer outputs than declared",
        lambda: net(nn.operator(lambda x: x, outputs=3, name="own")()),
        ShapeError,
        "own gives 1 outputs, but 3 were declared",
        "declare them: nn.operator(..., outputs=1)",
    ),
    (
        "no number of outputs",
        lambda: nn.operator(parts, outputs=0),
        ParameterError,
        "0 is no number of outputs",
        "outputs=2",
    ),
    (
        "no input",
        lambda: nn.operator(lambda *, a=1: a, name="none"),
        ParameterError,
        "forward takes no input",
        "inputs are arguments by position without a default",
    ),
    (
        "only parameters",
        lambda: nn.operator(lambda params: params["w"], init=whole_init, name="none"),
        ParameterError,
        "forward takes no input",
        "inputs are arguments by position without a default",
    ),
    (
        "a lambda without a name",
        lambda: nn.operator(lambda x: x),
        ParameterError,
        "'<lambda>' cannot be the name of an operator",
        'nn.operator(forward, name="scale")',
    ),
    (
        "draws that forward does not take",
        lambda: nn.operator(product, draws=mask),
        ParameterError,
        "what is drawn must be declared and taken",
        "give both",
    ),
    (
        "draws that are not declared",
        lambda: nn.operator(masked),
        ParameterError,
        "what is drawn must be declared and taken",
        "give both",
    ),
    (
        "draws of another kind",
        lambda: planned_draws(
            net(nn.operator(masked, draws=lambda shape: {"keep": 0.5})()), {"x": (2, 3)}
        ),
        ParameterError,
        "draws must say what is drawn",
        'return {"keep": nn.Keep(shape, 0.5)}',
    ),
    (
        "two defaults",
        lambda: nn.operator(masked, draws=lambda shape, *, p=0.1: mask(shape, p=p)),
        ParameterError,
        "different defaults for 'p'",
        "give the default in one of the functions only",
    ),
    (
        "a reserved name",
        lambda: nn.operator(lambda x, *, id: x, name="own"),
        ParameterError,
        "'id' cannot be the name of a hyper-parameter",
        "call it id_",
    ),
    (
        "forward that fails",
        lambda: net(nn.operator(lambda x: x @ x, name="own")()),
        ShapeError,
        "own cannot take inputs of these shapes",
        "change the layer before it, or its own sizes",
    ),
    (
        "init that fails",
        lambda: net(nn.operator(times_w, init=lambda key, shape: shape["x"])()),
        ShapeError,
        "fails for these shapes",
        "mend <lambda>, or change the sizes",
    ),
    (
        "rows that do not leave as rows",
        lambda: net(nn.operator(lambda x: x.sum(0), name="own")()),
        ShapeError,
        "own does not keep the rows of a batch",
        "leave dimension 0 alone, e.g. x.sum(-1) in place of x.sum()",
    ),
    (
        "an init without shapes",
        lambda: nn.operator(lambda params, x: x, init=lambda key: {}, name="own"),
        ParameterError,
        "own: init does not take the shapes of what enters.",
        "def init(key, shape): ...",
    ),
    (
        "an init of one shape for two inputs",
        lambda: nn.operator(lambda params, x, z: x, init=lambda key, shape: {}, name="own"),
        ParameterError,
        "own: init does not take the shapes of what enters.",
        "def init(key, x_shape, z_shape): ...",
    ),
    (
        "an init of a default in place of the shape",
        lambda: nn.operator(lambda params, x: x, init=lambda key, size=3: {}, name="own"),
        ParameterError,
        "own: init does not take the shapes of what enters.",
        "def init(key, shape): ...",
    ),
    (
        "a rule without shapes",
        lambda: nn.operator(lambda x, z: x, shapes=lambda shape: shape, name="own"),
        ParameterError,
        "own: shapes does not take the shapes of what enters.",
        "def shapes(x_shape, z_shape): ...",
    ),
    (
        "too many values",
        lambda: nn.operator(lambda x, *, by=2: x * by, name="own")(1, 2),
        ParameterError,
        "own takes 1 positional parameter but got 2.",
        "give at most 1 value: by",
    ),
    (
        "a rule that gives no shape",
        lambda: net(nn.operator(lambda x: x, shapes=lambda shape: 3, name="own")()),
        ShapeError,
        "its rule of shapes gives no shape",
        "shapes=lambda shape: (*shape[:-1], 3)",
    ),
    (
        "no tensor",
        lambda: net(nn.operator(lambda x: 3, name="own")()),
        ShapeError,
        "own gives something other than tensors",
        "give the tensors alone, one behind the other; a module that is not yours, such as "
        "torch.nn.LSTM, needs one around it that does",
    ),
    (
        "a change in place",
        lambda: net(nn.operator(in_place)()).bind(key(0))(torch.ones(2, 3)),
        StateError,
        "in_place changes its input in place",
        "leave out inplace=True, or work on a copy",
    ),
    (
        "training without draws",
        lambda: net(own_dropout()).apply({}, {}, {"x": torch.ones(2, 3)}, None, True),
        StateError,
        "dropout draws while training, but was given no draws",
        "pass draws: make_draws(planned_draws(network, shapes), keys, step)",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[name for name, *_ in CASES])
def test_operator_errors(case):
    """Every mistake says what is wrong and what to do."""
    _, act, kind, rule, fix = case
    with pytest.raises(FpipeError) as caught:
        act()
    error = caught.value
    assert type(error) is kind
    assert rule in str(error)
    assert error.fix == fix
    assert error.expected is not None
    assert error.got is not None


def cut(x):
    return x[:, :2]


LIAR = nn.operator(cut, shapes=lambda shape: (None, 7))
END = nn.head() >> nn.loss("mse") >> nn.optimizer("adam") >> nn.model(epochs=1)
LIES = {
    "last, when bound": lambda: net(LIAR()).bind(key(0))(torch.ones(2, 3)),
    "inside, when bound": lambda: net(LIAR() >> nn.linear(2)).bind(key(0))(torch.ones(2, 3)),
    "inside a fit": lambda: fp.fit(nn.ingress_numeric() >> LIAR() >> END, TASK, key=key(0)),
}


@pytest.mark.parametrize("act", LIES.values(), ids=LIES)
def test_a_rule_of_shapes_is_held_to_what_leaves(act):
    """A rule that tells other sizes is found out at the first batch, and the node is named."""
    with pytest.raises(ShapeError) as caught:
        act()
    error = caught.value
    assert error.at == "cut"
    assert "another shape than its rule" in error.rule
    assert "(?, 7)" in error.expected
    assert error.got.endswith(", 2)")
    assert "shapes=" in error.fix


def test_a_true_rule_of_shapes_may_leave_sizes_open():
    """What a rule does not tell is not compared."""
    honest = nn.operator(cut, shapes=lambda shape: (None, None))
    assert net(honest()).bind(key(0))(torch.ones(4, 3)).shape == (4, 2)


def test_drawing_in_prediction_names_the_layer():
    """A function that draws in evaluation too trains, and is refused by its name at prediction."""
    graph = nn.ingress_numeric() >> nn.fn(lambda x: x + torch.randn_like(x), id="noise") >> END
    fitted = fp.fit(graph, TASK, key=key(0))
    with pytest.raises(StateError) as caught:
        fp.predict(fitted, TASK)
    assert caught.value.at == "noise"
    assert "draws random numbers outside training" in caught.value.rule
    assert "argument training" in caught.value.fix
    assert "randn_like" in caught.value.got


def test_code_that_fails_is_no_matter_of_shapes():
    """An error of the code itself is told as such."""
    with pytest.raises(ShapeError) as caught:
        net(nn.operator(lambda x: {}["b"], name="own")())
    error = caught.value
    assert error.rule == "own raises KeyError when it is tried."
    assert "KeyError: 'b'" in error.got
    assert (error.expected, error.fix, error.at) == (
        "code that runs",
        "mend the code of own",
        "own",
    )


def test_errors_of_a_layer_name_it():
    """What a function raises only on real rows carries the place of its layer."""

    def fragile(x, *, training):
        if training:
            raise ZeroDivisionError("nothing left")
        return x

    with pytest.raises(ZeroDivisionError) as caught:
        fp.fit(nn.ingress_numeric() >> nn.fn(fragile, id="f") >> END, TASK, key=key(0))
    assert caught.value.__notes__ == ["at f"]
