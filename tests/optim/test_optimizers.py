"""Optimizers against torch.optim, to the bit, and what they remember."""

from __future__ import annotations

import inspect

import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.optim.optimizer import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    LiveOptimizer,
    Optimizer,
    OptimizerState,
    optimizer_class,
)
from fpipe.train.plan import batch_rows, epoch_order

GENERATOR = torch.Generator().manual_seed(1)
X = torch.randn(53, 4, generator=GENERATOR)
Y = X @ torch.tensor([[1.0], [-2.0], [0.5], [0.0]]) + 0.1 * torch.randn(53, 1, generator=GENERATOR)
TASK = fp.regression({**{f"x{i}": X[:, i].tolist() for i in range(4)}, "y": Y[:, 0].tolist()}, "y")

SPECS = [
    ("sgd", {"lr": 0.05}),
    ("sgd", {"lr": 0.05, "momentum": 0.9}),
    ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("sgd", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    ("adam", {}),
    ("adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("adam", {"lr": 0.01, "amsgrad": True}),
    ("adamw", {}),
    ("adamw", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.3, "amsgrad": True}),
]

TORCH = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("interpreter", ["reference", "fast"])
@pytest.mark.parametrize(("name", "settings"), SPECS, ids=str)
def test_fifty_steps_are_torchs(name, settings, interpreter):
    """Ten epochs of five batches leave the weights and losses of a plain torch loop, to the bit."""
    graph = (
        nn.ingress_numeric()
        >> nn.linear(6, id="a")
        >> nn.tanh()
        >> nn.head(id="b")
        >> nn.loss("mse")
        >> nn.optimizer(name, **settings)
        >> nn.model(epochs=10, batch_size=11)
    )
    run, state = fp.prepare(graph, TASK, key=fp.key(3), interpreter=interpreter)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    start = {n.replace("a.", "0.").replace("b.", "2."): p for n, p in state.weights.params.items()}
    net.load_state_dict(start)
    optimizer = TORCH[name](
        net.parameters(), foreach=False, fused=False, **({"lr": 1e-3} | settings)
    )
    losses = []
    for epoch in range(1, 11):
        order, total = epoch_order(run.plan, state.key, epoch), 0.0
        for index in range(5):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(net(X[rows]), Y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / 53)
    end = fp.fold(run, state, fp.events(run.plan))
    assert end.cursor.step == 50
    for ours, theirs in [
        ("a.weight", net[0].weight),
        ("a.bias", net[0].bias),
        ("b.weight", net[2].weight),
        ("b.bias", net[2].bias),
    ]:
        assert torch.equal(end.weights.params[ours], theirs)
    assert [row["train.loss"] for row in end.history] == losses


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda c: c.name)
def test_defaults_are_torchs(cls: type[Optimizer]):
    """Every field has torch's default; only SGD's learning rate must be chosen."""
    theirs = inspect.signature(cls.torch_class).parameters
    spec = cls()
    for name in nn.optimizer(cls.name).params():
        field = name.partition(".")[2]
        ours = getattr(spec, field)
        assert (ours is REQUIRED and cls is SGD and field == "lr") or ours == theirs[field].default


def test_slots_are_copies():
    """What an optimizer remembers can go on elsewhere: two steps at once are two in turn."""
    params = {"w": torch.ones(3), "b": torch.zeros(2)}
    grads = [
        {"w": torch.full((3,), 0.5), "b": torch.tensor([1.0, -1.0])},
        {"w": torch.tensor([1.0, 2.0, 3.0]), "b": None},
    ]
    for spec in (SGD(lr=0.1, momentum=0.9), Adam(), AdamW(amsgrad=True)):
        whole = LiveOptimizer(spec, params, OptimizerState())
        whole.step(grads[0])
        kept, middle = whole.state(), whole.params()
        frozen = fp.fingerprint(kept)
        whole.step(grads[1])
        assert fp.fingerprint(kept) == frozen
        again = LiveOptimizer(spec, middle, kept)
        again.step(grads[1])
        assert fp.same(again.params(), whole.params())
        assert fp.same(again.state(), whole.state())
    assert torch.equal(params["w"], torch.ones(3))


def test_a_parameter_without_a_gradient_stays():
    """None as a gradient leaves a parameter as it is, also under weight decay."""
    live = LiveOptimizer(
        AdamW(weight_decay=0.5), {"w": torch.ones(2), "v": torch.ones(2)}, OptimizerState()
    )
    live.step({"w": torch.ones(2), "v": None})
    assert torch.equal(live.params()["v"], torch.ones(2))
    assert not torch.equal(live.params()["w"], torch.ones(2))


def test_without_parameters():
    """A network without parameters has nothing to optimize, and says so by doing nothing."""
    live = LiveOptimizer(Adam(), {}, OptimizerState())
    live.step({})
    assert live.params() == {}
    assert live.state() == OptimizerState()


def test_by_name():
    """Names lead to classes; unknown ones to the nearest."""
    assert optimizer_class("adamw") is AdamW
    with pytest.raises(ParameterError, match="no optimizer 'admw'") as caught:
        optimizer_class("admw")
    assert caught.value.fix == "did you mean 'adamw'?"


def test_nesterov_needs_momentum():
    """What torch refuses only while building is refused when it is written."""
    with pytest.raises(ParameterError, match="nesterov"):
        nn.optimizer("sgd", lr=0.1, nesterov=True)
    with pytest.raises(ParameterError, match="nesterov"):
        nn.optimizer("sgd", lr=0.1, momentum=0.9, dampening=0.1, nesterov=True)
