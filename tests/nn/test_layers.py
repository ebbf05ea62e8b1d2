"""Layer operators: merges, functions, modules and instances, codes that pass, and what is refused."""

from __future__ import annotations

import copy

import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import (
    CodecError,
    FpipeError,
    GraphError,
    ParameterError,
    ShapeError,
    StateError,
)
from fpipe.core.key import key
from fpipe.core.parameter import REQUIRED

EXACT = {"rtol": 0.0, "atol": 0.0}
CODES = nn.Input((None, 3), torch.int64)


def net(graph, *inner):
    return nn.network(graph, x=(None, *(inner or (3,))))


def two(graph, left, right):
    return nn.network(fp.identity(2) >> graph, a=left, b=right)


class Hasty(torch.nn.Module):
    """Leaves out what every module begins with."""

    def __init__(self):
        self.inner = torch.nn.Linear(3, 2)


# Merges


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((None, 1), (None, 6), (None, 6)),
        ((None, None), (None, 6), (None, 6)),
        ((None, None), (None, 1), (None, None)),
        ((None, 1), (None, 1), (None, 1)),
        ((4, 6), (None, 6), (4, 6)),
        ((None, 1, 5), (None, 3, 1), (None, 3, 5)),
    ],
)
@pytest.mark.parametrize("make", [nn.merge_sum, nn.merge_prod], ids=["merge_sum", "merge_prod"])
def test_broadcasting(make, left, right, expected):
    """Known sizes other than 1 win; an unknown size beside 1 stays unknown."""
    assert two(make(), left, right).shapes({"a": left, "b": right}) == (expected,)


@pytest.mark.parametrize(
    ("left", "right", "dim", "expected"),
    [
        ((None, 2), (None, 3), -1, (None, 5)),
        ((None, None), (None, 3), 1, (None, None)),
        ((None, 2, None), (None, 3, 7), 1, (None, 5, 7)),
        ((4, 2), (None, 2), 1, (4, 4)),
    ],
)
def test_concatenating(left, right, dim, expected):
    """The sizes of the dimension add up; elsewhere a known size stands for an unknown one."""
    assert two(nn.merge_cat(dim), left, right).shapes({"a": left, "b": right}) == (expected,)


@pytest.mark.parametrize(
    ("make", "torch_does"),
    [
        (nn.merge_sum, lambda a, b, c: a + b + c),
        (nn.merge_prod, lambda a, b, c: a * b * c),
        (nn.merge_cat, lambda a, b, c: torch.cat([a, b, c], -1)),
    ],
    ids=["merge_sum", "merge_prod", "merge_cat"],
)
def test_merge_gradients(make, torch_does):
    """Numbers and gradients of merges are torch's to the bit."""
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(4, 3, generator=generator) for _ in range(3)]
    network = nn.network(fp.identity(3) >> make(), a=(None, 3), b=(None, 3), c=(None, 3))
    ours = {n: x.clone().requires_grad_() for n, x in zip("abc", inputs, strict=True)}
    theirs = [x.clone().requires_grad_() for x in inputs]
    out, expected = network.apply({}, {}, ours)[0][0], torch_does(*theirs)
    assert torch.equal(out, expected)
    weights = torch.randn(out.shape, generator=generator)
    found = torch.autograd.grad((out * weights).sum(), list(ours.values()))
    assert all(map(torch.equal, found, torch.autograd.grad((expected * weights).sum(), theirs)))


# Functions


def shifted(x, *, by, times=1.0):
    return x * times + by


def distance(x, y, *, p=2):
    return (x - y).abs().pow(p).sum(-1, keepdim=True)


def test_fn_takes_its_parameters_from_the_signature():
    """Arguments by name are parameters, addressed below the node; without default they are due."""
    graph = nn.fn(shifted)
    assert graph.params() == {"fn.by": REQUIRED, "fn.times": 1.0}
    x = torch.randn(4, 3)
    changed = graph.set({"fn.by": 2.0, "fn.times": -1.0})
    assert changed == nn.fn(shifted, by=2.0, times=-1.0)
    assert torch.equal(net(changed).bind(key(0))(x), 2.0 - x)
    assert fingerprint(changed) == fingerprint(nn.fn(shifted, times=-1.0, by=2.0))
    assert "shifted" in repr(changed)
    with pytest.raises(ParameterError, match="'by' has not been set"):
        net(graph)


def test_fn_of_two_inputs():
    """A function of two tensors joins two paths."""
    network = two(nn.fn(distance, p=1), (None, 3), (None, 3))
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    assert torch.equal(network.bind(key(0))(a, b), (a - b).abs().sum(-1, keepdim=True))
    assert network.shapes({"a": (None, 3), "b": (None, 3)}) == ((None, 1),)


def test_fn_of_torch():
    """Functions of torch are layers by name; those that tell no signature take any parameter."""
    x = torch.randn(4, 3)
    named = nn.fn("torch:cumsum", dim=1)
    assert torch.equal(net(named).bind(key(0))(x), x.cumsum(1))
    assert named == nn.fn(torch.cumsum, dim=1) or named.params() == {"fn.dim": 1}
    assert torch.equal(
        net(nn.fn(torch.nn.functional.normalize)).bind(key(0))(x), torch.nn.functional.normalize(x)
    )


def test_fn_draws_while_training():
    """A function that is told the phase may draw in training; the key decides what."""
    task = fp.regression({"a": [0.0, 1.0, 2.0, 3.0] * 4, "y": [1.0, 3.0, 5.0, 7.0] * 4}, "y")
    graph = (
        nn.ingress_numeric()
        >> nn.linear(6)
        >> nn.fn(torch.nn.functional.dropout, p=0.5)
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.01)
        >> nn.model(epochs=2, batch_size=8)
    )
    before = torch.get_rng_state()
    one, two_, other = (fp.fit(graph, task, key=fp.key(s)) for s in (1, 1, 2))
    slow = fp.fit(graph, task, key=fp.key(1), interpreter="reference")
    assert torch.equal(torch.get_rng_state(), before)
    weights = [f.state("model").state.weights for f in (one, two_, slow, other)]
    assert fp.same(weights[0], weights[1])
    assert fp.same(weights[0], weights[2])
    assert not fp.same(weights[0], weights[3])
    assert fp.predict(one, task) == fp.predict(one, task)


def test_fn_gives_its_dtype():
    """Codes come out of a function as codes, and may enter an embedding."""
    graph = nn.fn(lambda x: x.argmax(-1, keepdim=True)) >> nn.module(torch.nn.Embedding, 3, 4)
    model = net(graph).bind(key(0))
    x = torch.randn(5, 3)
    table = model.params["module.weight"]
    assert torch.equal(model(x), table[x.argmax(-1, keepdim=True)])


MEANS = torch.tensor([1.0, 2.0, 3.0])


class Centred(torch.nn.Module):
    """Keeps a tensor that torch does not know of."""

    def __init__(self):
        super().__init__()
        self.means = [torch.tensor([1.0, 2.0, 3.0])]

    def forward(self, x):
        return x - self.means[0] if x.sum() < 1e9 else x


@pytest.mark.parametrize(
    "graph",
    [nn.fn(lambda x: x - MEANS), nn.module(Centred), nn.module(Centred())],
    ids=["fn", "module", "instance"],
)
def test_constants_in_foreign_code(graph):
    """A tensor that foreign code holds by itself stays where it is."""
    network = net(graph)
    x = torch.randn(4, 3)
    assert network.shapes({"x": (None, 3)}) == ((None, 3),)
    assert network.count() == 0
    assert torch.equal(network.bind(key(0))(x), x - MEANS)


# Modules


def test_module_of_codes():
    """An embedding takes codes; shape and dtype are known without data."""
    network = nn.network(nn.module(torch.nn.Embedding, 10, 4), x=CODES)
    codes = torch.randint(10, (5, 3))
    model = network.bind(key(1))
    assert torch.equal(model(codes), model.params["module.weight"][codes])
    assert network.shapes({"x": (None, 3)}) == ((None, 3, 4),)


def test_module_instance_brings_its_weights():
    """An instance begins with its own weights under any key, and is never changed."""
    instance = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    before = copy.deepcopy(instance.state_dict())
    versions = [p._version for p in instance.parameters()]
    graph = nn.module(instance)
    network = net(graph)
    x = torch.randn(8, 3)
    for seed in (0, 1):
        params, buffers = network.init(key(seed))
        assert torch.equal(params["module.0.weight"], before["0.weight"])
    (out,), new = network.apply(params, buffers, {"x": x}, training=True)
    expected = copy.deepcopy(instance)
    assert torch.equal(out, expected(x))
    assert torch.equal(new["module.1.running_mean"], expected[1].running_mean)
    assert instance.training
    assert [p._version for p in instance.parameters()] == versions
    assert all(torch.equal(t, before[n]) for n, t in instance.state_dict().items())
    torch.nn.init.zeros_(instance[0].weight)
    assert torch.equal(network.init(key(0))[0]["module.0.weight"], before["0.weight"])


def test_module_instance_equals_itself():
    """A graph with an instance equals itself and no other, and has no fingerprint."""
    instance = torch.nn.Linear(3, 2)
    graph = nn.module(instance)
    assert graph == graph.named("again")
    assert graph != nn.module(instance)
    with pytest.raises(CodecError):
        fingerprint(graph)


def test_module_instances_as_arguments():
    """Modules inside a module are copied as well; what was handed in stays as it was."""
    inner = torch.nn.Linear(3, 3)
    network = net(nn.module(torch.nn.Sequential, inner, torch.nn.Dropout(0.5)))
    params, buffers = network.init(key(0))
    x = torch.randn(4, 3)
    assert torch.equal(network.apply(params, buffers, {"x": x})[0][0], inner(x))
    assert inner.training
    assert params["module.0.weight"] is not inner.weight


def test_module_parameters_without_gradient_are_kept():
    """What an instance has frozen is carried along, and not learned."""
    instance = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    instance[0].requires_grad_(False)
    params, buffers = net(nn.module(instance)).init(key(0))
    assert set(params) == {"module.1.weight", "module.1.bias"}
    assert set(buffers) == {"module.0.weight", "module.0.bias"}
    x = torch.randn(4, 3)
    (out,), new = net(nn.module(instance)).apply(params, buffers, {"x": x}, training=True)
    assert torch.equal(out, instance(x))
    assert fp.same(new, buffers)


def test_module_with_tied_weights():
    """Weights that a module shares are one parameter."""

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(3, 3)
            self.b = torch.nn.Linear(3, 3)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    instance = Tied()
    for graph in (nn.module(instance), nn.module(Tied)):
        network = net(graph)
        params, buffers = network.init(key(0))
        assert set(params) == {"module.a.weight", "module.a.bias", "module.b.bias"}
        x = torch.randn(2, 3)
        w, a, b = (params[f"module.{n}"] for n in ("a.weight", "a.bias", "b.bias"))
        expected = (x @ w.T + a) @ w.T + b
        torch.testing.assert_close(network.apply(params, buffers, {"x": x})[0][0], expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (3, 5, 8)),
        (torch.nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (3, 2, 6, 6)),
        (torch.nn.GroupNorm(2, 4), (3, 4, 5)),
        (torch.nn.Upsample(scale_factor=2), (3, 4, 5)),
    ],
    ids=["transformer", "conv2d", "group_norm", "upsample"],
)
def test_module_numbers(module, shape, training):
    """An instance computes what it computes in torch, in both phases."""
    network = nn.network(nn.module(module.train(training)), x=(None, *shape[1:]))
    params, buffers = network.init(key(0))
    x = torch.randn(shape)
    with torch.no_grad():
        (out,), _ = network.apply(params, buffers, {"x": x}, training=training)
        expected = module(x)
    # While training, torch chooses another kernel for attention when draws are watched.
    exact = not (training and isinstance(module, torch.nn.TransformerEncoderLayer))
    torch.testing.assert_close(out, expected, **(EXACT if exact else {}))


def test_draws_inside_modules_are_keyed():
    """Every way of torch to draw follows the key, without moving the global generator."""

    class Noisy(torch.nn.Module):
        def forward(self, x):
            if not self.training:
                return x
            like = torch.rand_like(x) + torch.randn_like(x) + torch.randint_like(x, 3)
            drawn = torch.rand(x.shape) + torch.randn(x.shape) + torch.randint(3, x.shape)
            order = torch.randperm(x.shape[1])
            return like + drawn + torch.normal(x, 1.0) + order

    network = net(nn.module(Noisy))
    before = torch.get_rng_state()
    outs = []
    for seed in (0, 0, 1):
        drawn = {"stream": key(seed).generator().get_state()}
        outs.append(network.apply({}, {}, {"x": torch.ones(4, 3)}, {"module": drawn}, True)[0][0])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


class Uncertain(torch.nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


# What goes wrong

INPLACE = "leave it out: nothing is changed in place"

CASES = [
    (
        "relu inplace",
        lambda: nn.relu(inplace=True),
        ParameterError,
        "no parameter 'inplace'",
        INPLACE,
    ),
    ("elu inplace", lambda: nn.elu(1.0, inplace=True), ParameterError, "'inplace'", INPLACE),
    ("dropout inplace", lambda: nn.dropout(inplace=True), ParameterError, "'inplace'", INPLACE),
    (
        "misspelt",
        lambda: nn.leaky_relu(slope=0.1),
        ParameterError,
        "leaky_relu has no parameter 'slope'",
        "did you mean 'negative_slope'?",
    ),
    (
        "gelu approximation",
        lambda: nn.gelu("fast"),
        ParameterError,
        "gelu: approximate cannot be 'fast'",
        "give approximate as one of 'none', 'tanh'",
    ),
    (
        "celu of 0",
        lambda: nn.celu(0),
        ParameterError,
        "celu: alpha cannot be 0.0",
        "give alpha as a number above 0.0",
    ),
    (
        "softplus of 0",
        lambda: nn.softplus(0.0),
        ParameterError,
        "softplus: beta cannot be 0.0",
        "give beta as a number above 0.0",
    ),
    (
        "softshrink below 0",
        lambda: nn.softshrink(-1.0),
        ParameterError,
        "softshrink: lambd cannot be -1.0",
        "give lambd as a number of at least 0.0",
    ),
    (
        "hardtanh bounds",
        lambda: nn.hardtanh(1.0, -1.0),
        ParameterError,
        "min_val is above max_val",
        "exchange the two",
    ),
    (
        "rrelu bounds",
        lambda: nn.rrelu(0.5, 0.1),
        ParameterError,
        "lower is above upper",
        "exchange the two",
    ),
    (
        "threshold not set",
        lambda: net(nn.threshold(1.0)),
        ParameterError,
        "the parameter 'value' has not been set",
        "give it, or graph.set({'…value': value})",
    ),
    (
        "prelu of other channels",
        lambda: net(nn.prelu(4)),
        ShapeError,
        "prelu has 4 weights, one per channel",
        "use num_parameters=1, or the size of dimension 1",
    ),
    (
        "glu of an odd size",
        lambda: net(nn.glu()),
        ShapeError,
        "whose size is odd",
        "give it an even size, e.g. with nn.linear(4)",
    ),
    (
        "reglu of an odd size",
        lambda: net(nn.reglu()),
        ShapeError,
        "reglu halves dimension -1, whose size is odd",
        "give it an even size, e.g. with nn.linear(4)",
    ),
    (
        "geglu of an odd size",
        lambda: net(nn.geglu()),
        ShapeError,
        "geglu halves dimension -1, whose size is odd",
        "give it an even size, e.g. with nn.linear(4)",
    ),
    (
        "glu of the batch",
        lambda: net(nn.glu(0)),
        ShapeError,
        "glu cannot touch the batch",
        "use dim=-1 for the last dimension",
    ),
    (
        "softmax of the batch",
        lambda: net(nn.softmax(-2)),
        ShapeError,
        "softmax cannot touch the batch",
        "use dim=-1 for the last dimension",
    ),
    (
        "softmax of nothing",
        lambda: net(nn.softmax(4)),
        ShapeError,
        "softmax needs dimension 4",
        "use a dimension from -2 to 1",
    ),
    (
        "layer_norm of the batch",
        lambda: net(nn.layer_norm(2)),
        ShapeError,
        "layer_norm over 2 trailing dimensions would mix rows",
        "use fewer dims",
    ),
    (
        "layer_norm of an unknown size",
        lambda: net(nn.layer_norm(2), None, 3),
        ShapeError,
        "layer_norm must know the size of dimension -2",
        "give the ingress a shape",
    ),
    (
        "layer_norm of none",
        lambda: nn.layer_norm(0),
        ParameterError,
        "layer_norm: dims cannot be 0",
        "give dims as an integer of at least 1",
    ),
    (
        "flatten with the batch",
        lambda: net(nn.flatten(0)),
        ShapeError,
        "flatten cannot touch the batch",
        "use dim=-1 for the last dimension",
    ),
    (
        "flatten backwards",
        lambda: net(nn.flatten(2, 1), 2, 2),
        ShapeError,
        "start_dim comes after end_dim",
        "exchange the two",
    ),
    (
        "reshape with 0",
        lambda: nn.reshape((-1, 0)),
        ParameterError,
        "reshape: shape cannot be (-1, 0)",
        "give shape as a shape of positive integers with at most one -1, or a function that gives one",
    ),
    (
        "reshape with None",
        lambda: nn.reshape((None, 3)),
        ParameterError,
        "reshape: shape cannot be (None, 3)",
        "give shape as a shape of positive integers with at most one -1, or a function that gives one",
    ),
    (
        "reshape with two -1",
        lambda: nn.reshape([-1, -1]),
        ParameterError,
        "reshape: shape cannot be (-1, -1)",
        "give shape as a shape of positive integers with at most one -1, or a function that gives one",
    ),
    (
        "reshape across rows",
        lambda: net(nn.reshape((-1, 6))),
        ShapeError,
        "reshape would move numbers from one row to another",
        "begin the shape with -1 for the batch; the product of the rest must stay",
    ),
    (
        "reshape by a function that gives none",
        lambda: net(nn.reshape(len)),
        ShapeError,
        "reshape cannot take what its function gives: it is no shape",
        "nn.reshape(lambda shape: (shape[0], 3, -1))",
    ),
    (
        "squeeze the batch",
        lambda: net(nn.squeeze(0)),
        ShapeError,
        "squeeze cannot touch the batch",
        "use dim=-1 for the last dimension",
    ),
    (
        "squeeze by name",
        lambda: nn.squeeze("last"),
        ParameterError,
        "squeeze: dim cannot be 'last'",
        "give dim as an integer, or several",
    ),
    (
        "unsqueeze before the batch",
        lambda: net(nn.unsqueeze(0)),
        ShapeError,
        "unsqueeze cannot touch the batch",
        "use dim=-1 for the last dimension",
    ),
    (
        "unsqueeze too far",
        lambda: net(nn.unsqueeze(3)),
        ShapeError,
        "unsqueeze cannot put a dimension at 3",
        "use dim=-1 to append it",
    ),
    (
        "merge of other sizes",
        lambda: two(nn.merge_sum(), (None, 2), (None, 3)),
        ShapeError,
        "merge_sum: sizes 2 and 3 do not go together",
        "bring the paths to equal sizes before merge_sum, e.g. with nn.linear(n)",
    ),
    (
        "merge of other dimensions",
        lambda: two(nn.merge_prod(), (None, 2), (None, 2, 2)),
        ShapeError,
        "merge_prod: inputs have different numbers of dimensions",
        "reshape one of the paths first",
    ),
    (
        "cat of the batch",
        lambda: two(nn.merge_cat(0), (None, 2), (None, 2)),
        ShapeError,
        "merge_cat cannot put rows of different observations behind each other",
        "use dim=-1 for the last dimension",
    ),
    (
        "cat of sizes of 1",
        lambda: two(nn.merge_cat(1), (None, 2, 1), (None, 2, 3)),
        ShapeError,
        "merge_cat: sizes 1 and 3 do not go together",
        "bring the paths to equal sizes before merge_cat, e.g. with nn.linear(n)",
    ),
    (
        "cat of other dimensions",
        lambda: two(nn.merge_cat(), (None, 2), (None, 2, 2)),
        ShapeError,
        "merge_cat: inputs have different numbers of dimensions",
        "reshape one of the paths first",
    ),
    (
        "codes into numbers",
        lambda: nn.network(nn.relu(), x=CODES),
        ShapeError,
        "relu computes with floating numbers",
        "embed the codes first, e.g. with nn.tokenizer_categorical(8)",
    ),
    (
        "fn of nothing",
        lambda: nn.fn(lambda *, a=1: a),
        ParameterError,
        "<lambda> takes no tensor",
        "nn.fn(lambda x: x.abs())",
    ),
    (
        "fn of a module",
        lambda: nn.fn(torch.nn.Linear(3, 2)),
        ParameterError,
        "Linear is no function of tensors",
        "nn.module(Linear, ...) for a module or its class",
    ),
    (
        "fn of a class",
        lambda: nn.fn(torch.nn.ReLU),
        ParameterError,
        "ReLU is no function of tensors",
        "nn.module(ReLU, ...) for a module or its class",
    ),
    (
        "fn misspelt",
        lambda: nn.fn(shifted, bye=1.0),
        ParameterError,
        "fn has no parameter 'bye'",
        "did you mean 'by'?",
    ),
    (
        "fn of the batch",
        lambda: net(nn.fn(lambda x: x.mean())),
        ShapeError,
        "fn does not keep the rows of a batch",
        "leave dimension 0 alone, e.g. x.sum(-1) in place of x.sum()",
    ),
    (
        "fn of one input for two",
        lambda: (nn.relu() & nn.relu()) >> nn.fn(shifted, by=1.0),
        GraphError,
        "the left graph has 2 outputs but the right graph has 1 input",
        "add the missing inputs with &, or merge the outputs first",
    ),
    (
        "module in place",
        lambda: net(nn.module(torch.nn.ReLU, inplace=True)).bind(key(0))(torch.ones(2, 3)),
        StateError,
        "ReLU changes its input in place",
        "leave out inplace=True, or work on a copy",
    ),
    (
        "module instance with arguments",
        lambda: nn.module(torch.nn.Linear(3, 2), 3),
        ParameterError,
        "an instance of a module takes no arguments",
        "give the class Linear itself",
    ),
    (
        "module of unknown sizes",
        lambda: net(nn.module(torch.nn.LazyLinear, 2)),
        ParameterError,
        "LazyLinear leaves the sizes of its parameters open",
        "use the class that takes its sizes, e.g. torch.nn.Linear",
    ),
    (
        "module of impossible sizes",
        lambda: net(nn.module(torch.nn.Linear, -1, 2)),
        ParameterError,
        "Linear cannot be built",
        "give Linear other values",
    ),
    (
        "module with an argument misspelt",
        lambda: net(nn.module(torch.nn.Linear, 3, 2, bais=True)),
        ParameterError,
        "Linear cannot be built",
        "Linear has no argument 'bais': did you mean 'bias'?",
    ),
    (
        "module with too few arguments",
        lambda: net(nn.module(torch.nn.Bilinear, 3, 2)),
        ParameterError,
        "Bilinear cannot be built",
        "Bilinear takes (in1_features, in2_features, out_features, bias=True, device=None, "
        "dtype=None)",
    ),
    (
        "module that does not begin as one",
        lambda: net(nn.module(Hasty)),
        ParameterError,
        "Hasty cannot be built",
        "call super().__init__() first in Hasty.__init__",
    ),
    (
        "an input of a function as a parameter",
        lambda: nn.fn(lambda x, y: x + y, y=2.0),
        ParameterError,
        "'y' is an input of <lambda>, not a parameter",
        "write a * before it, so that it is taken by name: (x, *, y)",
    ),
    (
        "module that is none",
        lambda: net(nn.module(dict)),
        ParameterError,
        "dict gives no module",
        "use nn.fn for a function of tensors",
    ),
    (
        "module that draws in evaluation",
        lambda: net(nn.module(Uncertain)).bind(key(0))(torch.ones(2, 3)),
        StateError,
        "Uncertain draws random numbers outside training",
        "draw where training is True: an argument training of a function, "
        "self.training of a module",
    ),
    (
        "module of other shapes",
        lambda: net(nn.module(torch.nn.Linear, 4, 2)),
        ShapeError,
        "Linear cannot take inputs of these shapes",
        "change the layer before it, or its own sizes",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[name for name, *_ in CASES])
def test_errors(case):
    """Every mistake says what is wrong and what to do."""
    _, act, kind, rule, fix = case
    with pytest.raises(FpipeError) as caught:
        act()
    error = caught.value
    assert type(error) in (kind, *kind.__subclasses__())
    assert rule in str(error)
    assert error.fix == fix
    assert error.expected is not None
    assert error.got is not None


def test_errors_say_where():
    """A shape that a layer cannot take is located at the layer's path."""
    graph = nn.block(nn.linear(4) >> nn.residual(nn.glu(id="gate")), 2)
    with pytest.raises(ShapeError) as caught:
        net(graph)
    assert caught.value.at == "block[0].residual.merge_sum"
    with pytest.raises(ShapeError) as caught:
        net(fp.wrap(nn.linear(3) >> nn.reglu(id="gate"), id="body"))
    assert caught.value.at == "body.gate"


def test_batch_norm_takes_no_number_of_features():
    """What torch calls the number of features is found out, and never taken for another number."""
    with pytest.raises(ParameterError, match="takes 0 positional parameters but got 1") as caught:
        nn.batch_norm1d(32)
    assert caught.value.expected == "none"
    assert "32" in str(caught.value.got)
    assert "by name" in caught.value.fix
