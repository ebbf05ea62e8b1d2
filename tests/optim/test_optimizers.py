"""Optimizers against torch.optim, to the bit, and what they remember."""

from __future__ import annotations

import inspect

import pytest
import torch
from pyrsistent import pmap

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.optim.adam import AdamW
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.sgd import SGD
from fpipe.optim.vocabulary import OPTIMIZERS, optimizer_class
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
    ("adamax", {}),
    ("nadam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("radam", {"lr": 0.01}),
    ("adadelta", {}),
    ("adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}),
    ("rmsprop", {"momentum": 0.5, "centered": True}),
    ("rprop", {}),
    ("asgd", {"t0": 20}),
    ("adafactor", {}),
    ("muon", {"lr": 0.02}),
]

TORCH = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
    "asgd": torch.optim.ASGD,
    "adafactor": torch.optim.Adafactor,
    "muon": torch.optim.Muon,
}


@pytest.mark.parametrize("interpreter", ["reference", "fast"])
@pytest.mark.parametrize(("name", "settings"), SPECS, ids=str)
def test_fifty_steps_are_torchs(name, settings, interpreter):
    """Ten epochs of five batches leave the weights and losses of a plain torch loop, to the bit."""
    bias = name != "muon"  # it takes matrices only
    graph = (
        nn.ingress_numeric()
        >> nn.linear(6, bias=bias, id="a")
        >> nn.tanh()
        >> nn.head(bias=bias, id="b")
        >> nn.loss("mse")
        >> nn.optimizer(name, **settings)
        >> nn.model(epochs=10, batch_size=11)
    )
    run, state = fp.prepare(graph, TASK, key=fp.key(3), interpreter=interpreter)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 6, bias=bias), torch.nn.Tanh(), torch.nn.Linear(6, 1, bias=bias)
    )
    start = {n.replace("a.", "0.").replace("b.", "2."): p for n, p in state.weights.params.items()}
    net.load_state_dict(start)
    known = inspect.signature(TORCH[name]).parameters
    kernels = {switch: False for switch in ("foreach", "fused") if switch in known}
    optimizer = TORCH[name](net.parameters(), **kernels, **settings)
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
    for ours, theirs in net.named_parameters():
        there = ours.replace("0.", "a.").replace("2.", "b.")
        assert torch.equal(end.weights.params[there], theirs)
    assert [row["train.loss"] for row in end.history] == losses


def test_every_optimizer_is_compared():
    """No optimizer is left out of the comparisons."""
    assert {name for name, _ in SPECS} == set(TORCH) == {cls.name for cls in OPTIMIZERS}


@pytest.mark.parametrize("interpreter", ["reference", "fast"])
def test_groups_are_torchs(interpreter):
    """A network whose biases do not decay and whose head learns faster, against torch's groups."""
    graph = (
        nn.ingress_numeric()
        >> nn.linear(6, id="a")
        >> nn.tanh()
        >> nn.head(id="b")
        >> nn.loss("mse")
        >> nn.optimizer("adamw", lr=0.01, groups={"b.*": {"lr": 0.1}} | nn.no_decay())
        >> nn.model(epochs=10, batch_size=11)
    )
    run, state = fp.prepare(graph, TASK, key=fp.key(3), interpreter=interpreter)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    start = {n.replace("a.", "0.").replace("b.", "2."): p for n, p in state.weights.params.items()}
    net.load_state_dict(start)
    optimizer = torch.optim.AdamW(
        [
            {"params": list(net[2].parameters()), "lr": 0.1},
            {"params": [net[0].bias], "weight_decay": 0.0},
            {"params": [net[0].weight]},
        ],
        lr=0.01,
        foreach=False,
        fused=False,
    )
    for epoch in range(1, 11):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(5):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(X[rows]), Y[rows]).backward()
            optimizer.step()
    end = fp.fold(run, state, fp.events(run.plan))
    for ours, theirs in net.named_parameters():
        there = ours.replace("0.", "a.").replace("2.", "b.")
        assert torch.equal(end.weights.params[there], theirs)
    assert [g["lr"] for g in end.optimizer.settings] == [0.1, 0.01, 0.01]


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda c: c.name)
def test_defaults_are_torchs(cls: type[Optimizer]):
    """Every setting has torch's default; only SGD's learning rate must be chosen."""
    theirs = inspect.signature(cls.torch_class).parameters
    for name, ours in cls().settings().items():
        assert (ours is REQUIRED and cls is SGD and name == "lr") or ours == theirs[name].default


IMPLEMENTATION = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda c: c.name)
def test_settings_are_torchs(cls: type[Optimizer]):
    """Every argument of torch's optimizer that says what is computed is a setting."""
    theirs = set(inspect.signature(cls.torch_class).parameters) - IMPLEMENTATION
    own = {"decoupled_weight_decay"} if cls.name == "adam" else set()  # that is AdamW
    assert set(cls().settings()) == theirs - own


def test_all_of_torch_optim():
    """What torch.optim has is here, or in the list of what is left out with the reason."""
    found = {c.__name__ for c in vars(torch.optim).values() if inspect.isclass(c)} - {"Optimizer"}
    here = {cls.torch_class.__name__ for cls in OPTIMIZERS}
    assert found - here == {"LBFGS", "SparseAdam"}


def test_by_name():
    """Names lead to classes; unknown ones to the nearest."""
    assert optimizer_class("adamw") is AdamW
    with pytest.raises(ParameterError, match="no optimizer 'admw'") as caught:
        optimizer_class("admw")
    assert caught.value.fix == "did you mean 'adamw'?"


BAD = [
    (lambda: nn.optimizer("adam", lr=-0.1), "lr cannot be -0.1", "at least 0"),
    (lambda: nn.optimizer("adam", lr="big"), "lr cannot be 'big'", "at least 0"),
    (lambda: nn.optimizer("adam", lr=float("inf")), "lr cannot be inf", "at least 0"),
    (lambda: nn.optimizer("adam", betas=(0.9, 1.0)), "betas cannot be", "0 to below 1"),
    (lambda: nn.optimizer("adam", betas=(0.9,)), "betas cannot be", "0 to below 1"),
    (lambda: nn.optimizer("adam", betas=("a", "b")), "betas cannot be", "0 to below 1"),
    (lambda: nn.optimizer("adam", betas=0.9), "betas cannot be", "0 to below 1"),
    (lambda: nn.optimizer("nadam", momentum_decay=-1.0), "momentum_decay cannot", "at least 0"),
    (lambda: nn.optimizer("rprop", etas=(1.5, 1.2)), "etas cannot be", "above 1"),
    (lambda: nn.optimizer("rprop", step_sizes=(2.0, 1.0)), "step_sizes cannot be", "not above"),
    (lambda: nn.optimizer("adafactor", beta2_decay=0.8), "beta2_decay cannot be", "at most 0"),
    (lambda: nn.optimizer("adafactor", d=0.5), "d cannot be 0.5", "at least 1"),
    (lambda: nn.optimizer("adafactor", eps=(None, None)), "eps cannot be", "may be None"),
    (lambda: nn.optimizer("muon", adjust_lr_fn="rms"), "adjust_lr_fn cannot be", "original"),
    (lambda: nn.optimizer("muon", ns_coefficients=(1, 2)), "ns_coefficients", "three numbers"),
    (lambda: nn.optimizer("muon", ns_steps=0), "ns_steps cannot be 0", "from 1"),
    (lambda: nn.optimizer("admw"), "no optimizer 'admw'", "did you mean 'adamw'?"),
    (lambda: nn.optimizer("lbfgs"), "evaluates the loss several", 'nn.optimizer("adam")'),
    (lambda: nn.optimizer("sparse_adam"), "sparse gradients", 'nn.optimizer("adam")'),
    (lambda: nn.optimizer(torch.optim.LBFGS), "evaluates the loss several", '("adam"'),
    (lambda: nn.optimizer(torch.optim.RMSprop), "RMSprop is no optimizer", '("rmsprop"'),
    (lambda: nn.optimizer("rmsprop", beta=0.9), "no parameter 'beta'", "use one of"),
    (lambda: nn.optimizer("adam", groups={"*": {"lr": -1.0}}), "lr cannot be -1", "at least 0"),
    (lambda: nn.optimizer("adam", groups={"*": {"lrr": 1.0}}), "no setting 'lrr'", "'lr'"),
    (lambda: nn.optimizer("adam", groups={"*": {}}), "groups cannot be", "pattern"),
    (lambda: nn.optimizer("adam", groups={"": {"lr": 1.0}}), "groups cannot be", "pattern"),
    (lambda: nn.optimizer("adam", groups={"*": 1.0}), "groups cannot be", "pattern"),
    (lambda: nn.optimizer("adam", groups="*.bias"), "groups cannot be", "pattern"),
    (lambda: nn.optimizer("adam", groups=3), "groups cannot be", "pattern"),
    (
        lambda: nn.optimizer("adam", groups=pmap({"a": {"lr": 1.0}, "b": {"lr": 2.0}})),
        "groups cannot be",
        "pattern",
    ),
    (
        lambda: nn.optimizer("adam", groups=[("a", {"lr": 1.0}), ("a", {"lr": 2.0})]),
        "groups cannot be",
        "pattern",
    ),
    (
        lambda: nn.optimizer("adagrad", groups={"*": {"initial_accumulator_value": 1.0}}),
        "one for all parameters",
        "initial_accumulator_value=1.0",
    ),
    (lambda: nn.optimizer("sgd", lr=0.1, nesterov=True), "nesterov", "momentum=0.9"),
    (
        lambda: nn.optimizer("sgd", lr=0.1, momentum=0.9, dampening=0.1, nesterov=True),
        "nesterov",
        "momentum=0.9",
    ),
    (
        lambda: nn.optimizer("sgd", lr=0.1, groups={"*": {"nesterov": True}}),
        "nesterov",
        "momentum=0.9",
    ),
]


@pytest.mark.parametrize(("make", "match", "fix"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_optimizers(make, match, fix):
    """What torch would refuse late or take silently is refused when it is written."""
    with pytest.raises(ParameterError, match=match) as caught:
        make()
    assert caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix


def test_a_bad_group_is_told_by_its_pattern():
    """The place of an error in a group's settings is the group."""
    with pytest.raises(ParameterError) as caught:
        nn.optimizer("adam", groups={"*.bias": {"betas": (2.0, 0.9)}})
    assert 'groups["*.bias"]' in caught.value.at


def test_a_group_without_a_parameter_is_told_before_the_first_step():
    """A pattern that matches nothing stops training, with the nearest name."""
    graph = (
        nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.1, groups={"haed.*": {"lr": 0.2}})
        >> nn.model(epochs=1, batch_size=11)
    )
    with pytest.raises(ParameterError, match="'haed.\\*' matches no parameter") as caught:
        fp.fit(graph, TASK, key=fp.key(1))
    assert "'head." in caught.value.fix


def test_groups_are_parameters():
    """They are read and set by path, keep their order, and take part in equality."""
    graph = nn.optimizer("adam", groups={"b*": {"lr": 1}, "a*": {"betas": [0.5, 0.9]}})
    assert [pattern for pattern, _ in graph.at("optimizer.groups")] == ["b*", "a*"]
    assert list(graph.params())[-1] == "optimizer.groups"
    assert graph.set({"optimizer.groups": ()}) == nn.optimizer("adam")
    assert graph != nn.optimizer("adam", groups={"a*": {"betas": [0.5, 0.9]}, "b*": {"lr": 1}})
    assert hash(graph.nodes[0].op.optimizer) == hash(graph.nodes[0].op.optimizer)


def test_patterns_take_brackets_as_they_are():
    """Copies of a block are called block[0]; a bracket in a pattern is that bracket."""
    spec = nn.optimizer("adam", groups={"block[0].*": {"lr": 0.1}}).nodes[0].op.optimizer
    assert spec.group_of(("block[0].w", "block[1].w", "block0.w")) == (0, 1, 1)
