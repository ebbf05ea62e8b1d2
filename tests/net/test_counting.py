"""Networks are counted and printed from sizes; no weight is drawn for it."""

from __future__ import annotations

import time

import pytest
import torch

from fpipe import nn
from fpipe.core.key import Key, key
from fpipe.net.layer import Layer
from fpipe.testing.examples import concrete_types, example

LAYERS = {name: cls for name, cls in concrete_types().items() if issubclass(cls, Layer)}


def described(tensors):
    return {name: (tuple(x.shape), x.dtype) for name, x in tensors.items()}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_bare_weights_have_the_sizes_of_the_real_ones(name):
    """For every layer of the house: names, shapes and dtypes are those that init gives."""
    layer = example(LAYERS[name])
    for bare, drawn in zip(layer.bare_weights(), layer.init(key(0)), strict=True):
        assert described(bare) == described(drawn)
        assert all(x.is_meta for x in bare.values())


def test_most_layers_are_tried():
    assert len(LAYERS) > 20


def initial(key, shape, *, width):
    return {"weight": torch.from_numpy(key.numpy().normal(size=(shape[1], width))).float()}


def product(params, x, *, width):
    return x @ params["weight"]


own_product = nn.operator(product, init=initial, name="product")


def test_counts_are_torchs():
    """Layers of the house, a foreign module and an operator of one's own, against torch."""
    graph = (
        nn.linear(6) >> nn.layer_norm(1) >> nn.module(torch.nn.Linear, 6, 3) >> own_product(width=5)
    )
    network = nn.network(graph, x=(None, 4))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.LayerNorm(6), torch.nn.Linear(6, 3)
    )
    counted = sum(x.numel() for x in theirs.parameters()) + 3 * 5
    assert network.count() == counted == 78
    assert repr(network).startswith("Network of 78 parameters")


def test_a_frozen_parameter_is_not_counted():
    """What requires no gradient is kept with the buffers, as init does."""
    frozen = torch.nn.Linear(3, 2)
    frozen.bias.requires_grad_(False)
    network = nn.network(nn.module(frozen), x=(None, 3))
    assert network.count() == 6


@pytest.fixture
def nothing_is_drawn(monkeypatch):
    """Let nothing of the house ask a key for numbers on a device with memory."""
    sizes = []
    uniform_ = torch.Tensor.uniform_

    def watched(self, *args, **kwargs):
        sizes.append((self.numel(), self.is_meta))
        return uniform_(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "uniform_", watched)
    return sizes


def test_a_huge_network_prints_at_once(nothing_is_drawn):
    """A weight of 4 terabytes has a size, and no need to be there."""
    graph = nn.linear(10**6) >> nn.relu() >> nn.linear(10**6, id="wide") >> nn.linear(1)
    started = time.process_time()
    network = nn.network(graph, x=(None, 10**6))
    text = repr(network)
    assert time.process_time() - started < 2.0
    assert text.splitlines()[0].startswith("Network of 2,000,003,000,001 parameters")
    assert "1,000,001,000,000  " in text
    assert nothing_is_drawn
    assert all(meta for _, meta in nothing_is_drawn)


def test_counting_leaves_nothing_behind():
    """The default device and the state of torch's generator are as they were."""
    state, device = torch.get_rng_state(), torch.get_default_device()
    nn.network(nn.linear(3) >> nn.dropout() >> nn.linear(2), x=(None, 4)).count()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_device() == device
    assert not torch.empty(1).is_meta
    assert Key(0).generator().get_state().device.type == "cpu"
