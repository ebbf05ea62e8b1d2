"""Layers against torch.nn: outputs, gradients, running statistics, draws, shapes, counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pyrsistent import pmap

from fpipe import nn
from fpipe.core.errors import DataError, ShapeError, StateError
from fpipe.core.key import key
from fpipe.net.layer import Keep, Layer
from fpipe.net.layers.activation import Activation, Identity
from fpipe.net.layers.batch_norm import BatchNorm1d
from fpipe.net.layers.dropout import Dropout
from fpipe.net.layers.linear import Linear
from fpipe.net.layers.merge import MergeCat, MergeSum
from fpipe.net.network import make_draws, planned_draws
from fpipe.nn.descriptor import ModelDescriptor

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR)


def same_as_module(
    layer: Layer, module: torch.nn.Module, x: torch.Tensor, *, training: bool
) -> None:
    """Compare output and all gradients to the bit, with the module's weights."""
    module.train(training)
    params = {n: p.detach().clone().requires_grad_() for n, p in module.named_parameters()}
    buffers = {n: b.clone() for n, b in module.named_buffers()}
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    (out,), _ = layer.apply(params, buffers, (ours,), {}, training)
    expected = module(theirs)
    weights = torch.linspace(-1, 2, expected.numel()).reshape(expected.shape)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(out, expected)
    assert torch.equal(ours.grad, theirs.grad)
    for name, p in module.named_parameters():
        assert torch.equal(params[name].grad, p.grad), name


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (1, 5), (0, 5), (3, 4, 5), (2, 3, 4, 5)])
def test_linear(shape, bias):
    """Outputs and gradients are those of torch.nn.Linear, over any leading dimensions."""
    same_as_module(
        Linear(5, 3, bias), torch.nn.Linear(5, 3, bias=bias), normal(*shape), training=True
    )


def test_linear_draws_within_its_bound():
    """Weight and bias are uniform in ±1/sqrt(in), each from a stream of its own."""
    params, buffers = Linear(100, 400).init(key(1))
    for tensor in params.values():
        assert tensor.dtype == torch.float32
        assert tensor.abs().max() <= 0.1
    weight = params["weight"]
    assert weight.shape == (400, 100)
    assert abs(weight.mean()) < 0.002
    assert weight.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
    assert not torch.equal(weight.flatten()[:400], params["bias"])
    assert buffers == {}


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        (Activation("relu"), torch.nn.ReLU()),
        (Activation("tanh"), torch.nn.Tanh()),
        (Activation("sigmoid"), torch.nn.Sigmoid()),
        (Identity(), torch.nn.Identity()),
    ],
    ids=repr,
)
def test_activations(layer, module):
    """Outputs and gradients are those of torch.nn, at zero and far out too."""
    x = torch.cat([normal(50), torch.tensor([0.0, -0.0, 100.0, -100.0, 1e-30])]).reshape(5, 11)
    for training in (True, False):
        same_as_module(layer, module, x, training=training)


@pytest.mark.parametrize("shape", [(16, 6), (4, 6, 9)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_batch_norm(shape, affine, tracked):
    """Training, running statistics over several batches, and evaluation are torch's."""
    layer = BatchNorm1d(6, 1e-3, 0.3, affine, tracked)
    module = torch.nn.BatchNorm1d(6, 1e-3, 0.3, affine, tracked)
    if affine:
        torch.nn.init.normal_(module.weight, generator=GENERATOR)
        torch.nn.init.normal_(module.bias, generator=GENERATOR)
    params = {n: p.detach().clone() for n, p in module.named_parameters()}
    buffers = layer.init(key(0))[1]
    for _ in range(5):
        x = normal(*shape) * 3 + 1
        before = {n: b.clone() for n, b in buffers.items()}
        (out,), new = layer.apply(params, buffers, (x,), {}, True)
        assert torch.equal(out, module(x))
        assert all(torch.equal(buffers[n], before[n]) for n in before)
        buffers = new
    for name in buffers:
        assert torch.equal(buffers[name], getattr(module, name))
    assert set(buffers) == ({"running_mean", "running_var"} if tracked else set())
    x = normal(*shape)
    assert torch.equal(layer.apply(params, buffers, (x,), {}, False)[0][0], module.eval()(x))


def test_batch_norm_gradients():
    """Gradients of input, weight and bias are torch's while training."""
    same_as_module(BatchNorm1d(4), torch.nn.BatchNorm1d(4), normal(9, 4), training=True)
    same_as_module(BatchNorm1d(4), torch.nn.BatchNorm1d(4), normal(9, 4), training=False)


def test_batch_norm_refuses_one_value():
    """One row cannot be normalised while training; one row of several positions can."""
    with pytest.raises(DataError, match="one row"):
        BatchNorm1d(4).check((normal(1, 4),), True)
    BatchNorm1d(4).check((normal(1, 4),), False)
    BatchNorm1d(4).check((normal(1, 4, 3),), True)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_dropout(p):
    """About a share p is zero, the rest is scaled by 1/(1-p), the mean is kept."""
    layer, x = Dropout(p), torch.ones(400, 500)
    drawn = {n: d.draw(key(3)) for n, d in layer.draws((tuple(x.shape),)).items()}
    (out,), _ = layer.apply({}, {}, (x,), drawn, True)
    zero = (out == 0).float().mean().item()
    assert zero == pytest.approx(p, abs=0.005)
    if p < 1.0:
        assert out.mean().item() == pytest.approx(1.0, abs=0.02)
        assert set(out.unique().tolist()) <= {0.0, torch.tensor(1.0).mul(1 / (1 - p)).item()}
    assert torch.equal(layer.apply({}, {}, (x,), {}, False)[0][0], x)
    assert bool(layer.draws((tuple(x.shape),))) == (p > 0)


def test_dropout_gradient():
    """Where a number was dropped its gradient is 0, elsewhere 1/(1-p)."""
    x = normal(20, 30).requires_grad_()
    keep = Keep((20, 30), 0.75).draw(key(0))
    (out,), _ = Dropout(0.25).apply({}, {}, (x,), {"keep": keep}, True)
    out.sum().backward()
    assert torch.equal(x.grad, keep.float() * (1 / 0.75))


def test_keep_is_a_function_of_the_key():
    """The same key gives the same draw; another one does not; the share is as asked."""
    draw = Keep((300, 100), 0.7)
    assert torch.equal(draw.draw(key(1)), draw.draw(key(1)))
    assert not torch.equal(draw.draw(key(1)), draw.draw(key(2)))
    assert draw.draw(key(1)).float().mean().item() == pytest.approx(0.7, abs=0.01)
    assert draw.draw(key(1)).dtype == torch.bool
    assert Keep((5,), 1.0).draw(key(1)).all()


def test_draws_depend_on_layer_key_and_step_only():
    """Another layer, step or key draws otherwise; other layers around change nothing."""
    short = nn.network(nn.dropout(0.5, id="a"), x=(None, 8))
    long = nn.network(
        nn.linear(8) >> nn.dropout(0.5, id="a") >> nn.dropout(0.5, id="b"), x=(None, 8)
    )
    keys = pmap({"a": key(1).fold_in("a"), "b": key(1).fold_in("b"), "linear": key(1)})
    one = make_draws(planned_draws(short, {"x": (30, 8)}), keys, 4)
    two = make_draws(planned_draws(long, {"x": (30, 8)}), keys, 4)
    assert torch.equal(one["a"]["keep"], two["a"]["keep"])
    assert not torch.equal(two["a"]["keep"], two["b"]["keep"])
    later = make_draws(planned_draws(short, {"x": (30, 8)}), keys, 5)
    assert not torch.equal(one["a"]["keep"], later["a"]["keep"])


def test_merges():
    """Sum and concatenation are torch's; sizes of 1 broadcast in a sum."""
    a, b, c = normal(4, 3), normal(4, 1), normal(4, 3)
    assert torch.equal(MergeSum().apply({}, {}, (a, b, c), {}, True)[0][0], a + b + c)
    assert torch.equal(MergeCat(1).apply({}, {}, (a, b), {}, True)[0][0], torch.cat([a, b], 1))
    assert MergeSum().shapes(((None, 3), (None, 1))) == ((None, 3),)
    assert MergeCat().shapes(((None, 3), (None, 1))) == ((None, 4),)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Linear(5, 3), ((4, 5),)),
        (Linear(5, 3), ((4, 2, 5),)),
        (BatchNorm1d(5), ((4, 5),)),
        (BatchNorm1d(5), ((4, 5, 2),)),
        (Dropout(0.5), ((4, 5),)),
        (Activation("relu"), ((4, 5),)),
        (MergeSum(), ((4, 5), (4, 1), (4, 5))),
        (MergeCat(), ((4, 5), (4, 2))),
        (MergeCat(1), ((4, 5, 2), (4, 1, 2))),
    ],
    ids=str,
)
def test_shapes_are_those_of_real_outputs(layer, shapes):
    """What a layer says of its output holds, with known and with unknown batch."""
    params, buffers = layer.init(key(0))
    draws = {n: d.draw(key(0)) for n, d in layer.draws(shapes).items()}
    outputs, _ = layer.apply(params, buffers, tuple(normal(*s) for s in shapes), draws, True)
    assert layer.shapes(shapes) == tuple(tuple(o.shape) for o in outputs)
    unknown = tuple((None, *s[1:]) for s in shapes)
    assert layer.shapes(unknown) == tuple((None, *o.shape[1:]) for o in outputs)


def test_shape_errors():
    """Sizes that a layer was not made for are refused by the shape rules."""
    for layer, shape in [
        (Linear(5, 3), (None, 4)),
        (Linear(5, 3), ()),
        (BatchNorm1d(5), (None, 4)),
        (BatchNorm1d(5), (None,)),
    ]:
        with pytest.raises(ShapeError):
            layer.shapes((shape,))


# Foreign modules


def test_foreign_linear_is_torch():
    """A module under a key applies as the module with the same weights does."""
    network = nn.network(nn.module(torch.nn.Linear, 6, 2), x=(None, 6))
    params, buffers = network.init(key(5))
    module = torch.nn.Linear(6, 2)
    module.load_state_dict({n.removeprefix("module."): p for n, p in params.items()})
    x = normal(3, 6)
    assert torch.equal(network.apply(params, buffers, {"x": x})[0][0], module(x))
    assert network.shapes({"x": (None, 6)}) == ((None, 2),)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.module(torch.nn.Linear, 6, 2), (3, 6)),
        (lambda: nn.module(torch.nn.Conv1d, 4, 8, 5, stride=3), (2, 4, 31)),
        (
            lambda: nn.module(torch.nn.TransformerEncoderLayer, 8, 2, 16, batch_first=True),
            (2, 5, 8),
        ),
        (lambda: nn.module(torch.nn.Embedding, 10, 4) >> nn.relu(), None),
    ],
    ids=["linear", "conv1d", "transformer", "embedding"],
)
def test_foreign_init_is_a_function_of_the_key(make, shape):
    """Built twice under one key a module has the same weights; the global generator stays."""
    graph = make()
    layer = graph.nodes[0].op.layer(ModelDescriptor())
    before = torch.get_rng_state()
    one, two, other = (layer.init(key(s))[0] for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert any(not torch.equal(one[n], other[n]) for n in one)
    if shape is not None:
        network = nn.network(graph, x=(None, *shape[1:]))
        out = network.bind(key(1))(normal(*shape))
        known = network.shapes({"x": shape})[0]
        assert known == tuple(out.shape)
        assert torch.equal(torch.get_rng_state(), before)


def test_lstm_gives_several_outputs():
    """A recurrent module is refused with words where its outputs nest."""
    with pytest.raises(ShapeError, match="something other than tensors"):
        nn.network(nn.module(torch.nn.LSTM, 4, 6, batch_first=True), x=(None, 5, 4))


def test_lstm_under_a_key():
    """A recurrent module draws its weights from the key alone."""
    layer = nn.module(torch.nn.LSTM, 4, 6, batch_first=True).nodes[0].op.layer(ModelDescriptor())
    before = torch.get_rng_state()
    one, two = layer.init(key(1))[0], layer.init(key(1))[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[n], two[n]) for n in one)
    module = torch.nn.LSTM(4, 6, batch_first=True)
    module.load_state_dict(one)
    x = normal(2, 5, 4)
    out, _ = layer.apply(one, {}, (x,), {}, False)
    assert torch.equal(out[0], module(x)[0])


def test_foreign_buffers_are_not_changed():
    """A module's running statistics leave as new tensors and equal torch's."""
    network = nn.network(nn.module(torch.nn.BatchNorm1d, 3), x=(None, 3))
    params, buffers = network.init(key(0))
    before = {n: b.clone() for n, b in buffers.items()}
    module, x = torch.nn.BatchNorm1d(3), normal(8, 3)
    outputs, new = network.apply(params, buffers, {"x": x}, training=True)
    assert torch.equal(outputs[0], module(x))
    assert torch.equal(new["module.running_mean"], module.running_mean)
    assert all(torch.equal(buffers[n], before[n]) for n in before)


@pytest.mark.parametrize("length", [None, 40])
def test_probe_of_a_strided_convolution(length):
    """Unknown dimensions of strided layers stay unknown; known ones are exact."""
    graph = nn.module(torch.nn.Conv1d, 3, 7, kernel_size=5, stride=4, padding=1)
    network = nn.network(graph, x=(None, 3, length))
    expected = None if length is None else (length + 2 - 5) // 4 + 1
    assert network.shapes({"x": (None, 3, length)}) == ((None, 7, expected),)


def test_probe_of_two_unknown_dimensions():
    """A 2-d convolution with unknown height and width keeps both unknown, its channels known."""
    graph = nn.module(torch.nn.Conv2d, 3, 5, kernel_size=3, stride=2)
    network = nn.network(graph, x=(None, 3, None, None))
    assert network.shapes({"x": (None, 3, None, None)}) == ((None, 5, None, None),)
    pooled = nn.network(graph >> nn.module(torch.nn.AdaptiveAvgPool2d, 4), x=(None, 3, None, None))
    assert pooled.shapes({"x": (None, 3, None, None)}) == ((None, 5, 4, 4),)


def test_probe_where_floors_meet():
    """Very large strides do not let different sizes look alike."""
    graph = nn.module(torch.nn.MaxPool1d, 50, stride=50)
    assert nn.network(graph, x=(None, 3, None)).shapes({"x": (None, 3, None)}) == ((None, 3, None),)


# Networks


def test_count_of_the_papers_mlp():
    """784-100-200-10 with batch normalisation nowhere has 100,710 parameters."""
    graph = nn.linear(100) >> nn.relu() >> nn.linear(200) >> nn.relu() >> nn.linear(10)
    network = nn.network(graph, image=(None, 784))
    assert network.count() == 784 * 100 + 100 + 100 * 200 + 200 + 200 * 10 + 10 == 100_710
    params, _ = network.init(key(0))
    assert sum(p.numel() for p in params.values()) == 100_710
    assert "100,710" in repr(network)


def test_network_of_two_inputs():
    """Named inputs meet in a merge; the result is torch's on the same weights."""
    graph = (nn.linear(4, id="left") & nn.linear(4, id="right")) >> nn.merge_sum() >> nn.tanh()
    network = nn.network(graph, a=(None, 3), b=(None, 2))
    model = network.bind(key(2))
    a, b = normal(5, 3), normal(5, 2)
    p = model.params
    expected = torch.tanh(
        (a @ p["left.weight"].T + p["left.bias"]) + (b @ p["right.weight"].T + p["right.bias"])
    )
    assert torch.allclose(model(a, b), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(model(a, b), model(b=b, a=a))
    with pytest.raises(ShapeError, match="2 inputs"):
        model(a)


def test_inputs_by_position():
    """Inputs by position stand in the order of their declaration; other shapes are refused."""
    graph = (nn.linear(4, id="first") & nn.linear(4, id="second")) >> nn.merge_sum()
    model = nn.network(graph, z=(None, 3), a=(None, 2)).bind(key(2))
    z, a = normal(5, 3), normal(5, 2)
    assert torch.equal(model(z, a), model(z=z, a=a))
    with pytest.raises(ShapeError, match="made for") as caught:
        model(a, z)
    assert caught.value.at == "first"


def test_init_depends_on_path_and_key_only():
    """A layer's weights do not change when others are added behind it."""
    short = nn.network(nn.linear(4), x=(None, 3)).init(key(9))[0]
    long = nn.network(nn.linear(4) >> nn.relu() >> nn.linear(4), x=(None, 3)).init(key(9))[0]
    assert torch.equal(short["linear.weight"], long["linear.weight"])
    assert not torch.equal(short["linear.weight"][:, :3], long["linear_2.weight"][:, :3])


def test_long_network():
    """A thousand layers are built, shaped and applied."""
    network = nn.network(nn.block(nn.relu() >> nn.tanh(), 500), x=(None, 2))
    assert len(network.layers) == 1000
    assert network.bind(key(0))(torch.ones(1, 2)).shape == (1, 2)


def test_draws_that_cannot_be_keyed_are_refused():
    """Foreign code that draws from a source without a generator is an error, not silence."""

    class Draws(torch.nn.Module):
        def __init__(self):
            super().__init__()
            flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
            self.w = torch.nn.Parameter(flash(*torch.ones(3, 1, 2, 4, 8), dropout_p=0.5)[0])

    layer = nn.module(Draws).nodes[0].op.layer(ModelDescriptor())
    before = torch.get_rng_state()
    with pytest.raises(StateError, match="draws and takes no generator"):
        layer.init(key(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_of_numpy_sizes():
    """A dropout mask of unknown batch is drawn for the batch that comes."""
    network = nn.network(nn.dropout(0.5), x=(None, 4))
    assert [d.shape for _, _, d in planned_draws(network, {"x": (6, 4)})] == [(6, 4)]
    assert np.prod(planned_draws(network, {"x": (0, 4)})[0][2].shape) == 0
