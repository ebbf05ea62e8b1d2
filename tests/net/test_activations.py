"""Activations against torch.nn to the bit: numbers and gradients, in both phases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn as theirs

from fpipe import nn
from fpipe.core.key import key
from fpipe.net.layer import Normal, Uniform
from fpipe.net.layers.activation import ACTIVATIONS

GENERATOR = torch.Generator().manual_seed(3)
FAR = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 3.0, -3.0, 6.0, 0.5, -0.5, 100.0, -100.0, 20.5])

CASES = [
    (nn.celu(), theirs.CELU()),
    (nn.celu(2.5), theirs.CELU(2.5)),
    (nn.elu(), theirs.ELU()),
    (nn.elu(0.3), theirs.ELU(0.3)),
    (nn.gelu(), theirs.GELU()),
    (nn.gelu("tanh"), theirs.GELU("tanh")),
    (nn.geglu(), None),
    (nn.glu(), theirs.GLU()),
    (nn.glu(1), theirs.GLU(1)),
    (nn.hardshrink(), theirs.Hardshrink()),
    (nn.hardshrink(1.5), theirs.Hardshrink(1.5)),
    (nn.hardsigmoid(), theirs.Hardsigmoid()),
    (nn.hardswish(), theirs.Hardswish()),
    (nn.hardtanh(), theirs.Hardtanh()),
    (nn.hardtanh(-0.5, 2), theirs.Hardtanh(-0.5, 2.0)),
    (nn.identity(), theirs.Identity()),
    (nn.leaky_relu(), theirs.LeakyReLU()),
    (nn.leaky_relu(0.3), theirs.LeakyReLU(0.3)),
    (nn.log_sigmoid(), theirs.LogSigmoid()),
    (nn.mish(), theirs.Mish()),
    (nn.prelu(), theirs.PReLU()),
    (nn.prelu(6, init=0.4), theirs.PReLU(6, 0.4)),
    (nn.reglu(), None),
    (nn.relu(), theirs.ReLU()),
    (nn.relu6(), theirs.ReLU6()),
    (nn.selu(), theirs.SELU()),
    (nn.sigmoid(), theirs.Sigmoid()),
    (nn.silu(), theirs.SiLU()),
    (nn.softmax(), theirs.Softmax(-1)),
    (nn.softmax(1), theirs.Softmax(1)),
    (nn.softplus(), theirs.Softplus()),
    (nn.softplus(2, 3), theirs.Softplus(2.0, 3.0)),
    (nn.softshrink(), theirs.Softshrink()),
    (nn.softshrink(0.1), theirs.Softshrink(0.1)),
    (nn.softsign(), theirs.Softsign()),
    (nn.tanh(), theirs.Tanh()),
    (nn.tanhshrink(), theirs.Tanhshrink()),
    (nn.threshold(0.5, -2), theirs.Threshold(0.5, -2.0)),
]


def by_hand(name, x):
    """The gates that torch.nn does not have."""
    a, b = x.chunk(2, -1)
    return a * (torch.relu(b) if name == "reglu" else theirs.functional.gelu(b))


def gradients(out, *leaves):
    weights = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
    return torch.autograd.grad((out * weights).sum(), leaves)


def spelt(graph):
    op = graph.nodes[0].op
    return f"{op.name}({', '.join(op.written())})"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("graph", "module"), CASES, ids=[spelt(graph) for graph, _ in CASES])
def test_activation(graph, module, dtype):
    """Numbers and gradients are those of torch.nn to the bit, at bends and far out too."""
    x = torch.cat([torch.randn(132, generator=GENERATOR), FAR]).reshape(4, 6, 6).to(dtype)
    name = graph.nodes[0].op.name
    network = nn.network(graph, x=(None, 6, 6))
    params, buffers = network.init(key(0))
    for training in (False, True):
        ours, other = (x.clone().requires_grad_() for _ in range(2))
        leaves = {n: p.to(dtype).requires_grad_() for n, p in params.items()}
        (out,), _ = network.apply(leaves, buffers, {"x": ours}, {}, training)
        if module is None:
            expected, own = by_hand(name, other), []
        else:
            module = module.to(dtype).train(training)
            expected, own = module(other), list(module.parameters())
        assert torch.equal(out, expected)
        found = gradients(out, ours, *leaves.values())
        assert all(map(torch.equal, found, gradients(expected, other, *own)))


def test_every_activation_is_compared():
    """The table of activations and the cases above hold the same names."""
    assert set(ACTIVATIONS) <= {graph.nodes[0].op.name for graph, _ in CASES}


def test_whole_numbers_are_floats():
    """A parameter written without a point is the same value."""
    assert nn.elu(2) == nn.elu(2.0)
    assert nn.hardtanh(-2, 3) == nn.hardtanh(-2.0, 3.0)


def test_prelu_weights():
    """There is one weight, or one per channel, and they begin where they are told to."""
    one = nn.network(nn.prelu(), x=(None, 4)).init(key(0))[0]["prelu.weight"]
    four = nn.network(nn.prelu(4, 0.5), x=(None, 4)).init(key(0))[0]["prelu.weight"]
    assert torch.equal(one, torch.tensor([0.25]))
    assert torch.equal(four, torch.full((4,), 0.5))


def test_rrelu_evaluation():
    """In evaluation the slope is the mean one, with the bits of torch."""
    x = torch.cat([torch.randn(60, generator=GENERATOR), FAR]).reshape(8, 9)
    for arguments in [(), (0.2, 0.9), (0.5, 0.5)]:
        model = nn.network(nn.rrelu(*arguments), x=(None, 9)).bind(key(0))
        assert torch.equal(model(x), theirs.RReLU(*arguments).eval()(x))


def test_rrelu_training():
    """While training slopes below 0 are uniform between the bounds, and above 0 x passes."""
    layer = nn.network(nn.rrelu(0.2, 0.6), x=(None, 300)).layers["rrelu"]
    x = torch.randn(400, 300, generator=GENERATOR).requires_grad_()
    drawn = {n: d.draw(key(1)) for n, d in layer.draws((tuple(x.shape),)).items()}
    (out,), _ = layer.apply({}, {}, (x,), drawn, True)
    below = x < 0
    slopes = (out / x)[below].detach().numpy()
    assert torch.equal(out[~below], x[~below])
    assert slopes.min() >= 0.2 - 1e-6
    assert slopes.max() <= 0.6 + 1e-6
    shares, _ = np.histogram(slopes, bins=8, range=(0.2, 0.6))
    assert np.allclose(shares / len(slopes), 1 / 8, atol=0.005)
    (slope,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(slope[below], drawn["slope"][below])
    assert torch.equal(slope[~below], torch.ones_like(slope[~below]))
    again = {n: d.draw(key(1)) for n, d in layer.draws((tuple(x.shape),)).items()}
    assert torch.equal(drawn["slope"], again["slope"])


@pytest.mark.parametrize(
    ("draw", "low", "high", "mean", "std"),
    [
        (Uniform((300, 200)), 0.0, 1.0, 0.5, 12**-0.5),
        (Uniform((300, 200), -2.0, 4.0), -2.0, 4.0, 1.0, 6 * 12**-0.5),
        (Normal((300, 200)), -9.0, 9.0, 0.0, 1.0),
        (Normal((300, 200), 3.0, 0.5), -9.0, 9.0, 3.0, 0.5),
    ],
    ids=["uniform", "uniform between", "normal", "normal around"],
)
def test_draws(draw, low, high, mean, std):
    """Draws have their shape, bounds, mean and spread, and follow the key."""
    made = draw.draw(key(5))
    assert made.shape == (300, 200)
    assert made.dtype == torch.float32
    assert low <= made.min() <= made.max() <= high
    assert made.mean().item() == pytest.approx(mean, abs=0.03)
    assert made.std().item() == pytest.approx(std, rel=0.02)
    assert torch.equal(made, draw.draw(key(5)))
    assert not torch.equal(made, draw.draw(key(6)))
