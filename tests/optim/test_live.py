"""Optimizers at work against torch.optim on a module, to the bit: steps, groups, pauses, freezing."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import torch
from pyrsistent import pmap
from torch import Tensor

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import ParameterError, StateError
from fpipe.core.tree import leaves
from fpipe.core.value import evolve
from fpipe.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from fpipe.optim.adaptive import Adadelta, Adafactor, Adagrad, RMSprop, Rprop
from fpipe.optim.live import LiveOptimizer
from fpipe.optim.optimizer import OptimizerState
from fpipe.optim.schedules import OneCycle
from fpipe.optim.sgd import ASGD, SGD, Muon
from fpipe.optim.slots import COUNTS
from fpipe.optim.vocabulary import OPTIMIZERS

GENERATOR = torch.Generator().manual_seed(5)
X = torch.randn(40, 4, generator=GENERATOR)
Y = X @ torch.tensor([[1.0], [-2.0], [0.5], [0.0]]) + 0.3

SPECS = [
    SGD(lr=0.05),
    SGD(lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.1),
    SGD(lr=0.05, momentum=0.9, nesterov=True),
    Adam(lr=0.01),
    Adam(lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True),
    AdamW(lr=0.01),
    AdamW(lr=0.01, betas=(0.5, 0.9), weight_decay=0.3, amsgrad=True),
    Adamax(),
    Adamax(lr=0.01, betas=(0.5, 0.9), weight_decay=0.1),
    NAdam(),
    NAdam(lr=0.01, weight_decay=0.1, momentum_decay=0.1, decoupled_weight_decay=True),
    RAdam(),
    RAdam(lr=0.01, betas=(0.5, 0.9), weight_decay=0.1, decoupled_weight_decay=True),
    Adadelta(),
    Adadelta(lr=0.5, rho=0.5, eps=1e-3, weight_decay=0.1),
    Adagrad(),
    Adagrad(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5),
    RMSprop(),
    RMSprop(lr=0.003, alpha=0.8, weight_decay=0.1, momentum=0.9, centered=True),
    Rprop(),
    Rprop(lr=0.02, etas=(0.3, 1.5), step_sizes=(1e-4, 0.5)),
    ASGD(),
    ASGD(lr=0.05, lambd=0.01, alpha=0.5, t0=10, weight_decay=0.1),
    Adafactor(),
    Adafactor(lr=0.1, beta2_decay=-0.5, eps=(1e-4, 1e-2), d=2.0, weight_decay=0.1),
    Muon(lr=0.05),
    Muon(lr=0.05, momentum=0.5, nesterov=False, ns_steps=3, adjust_lr_fn="match_rms_adamw"),
]


def module(spec):
    """A small network; without biases for what takes matrices only."""
    bias = not isinstance(spec, Muon)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return torch.nn.Sequential(
            torch.nn.Linear(4, 6, bias=bias), torch.nn.Tanh(), torch.nn.Linear(6, 1, bias=bias)
        )


def batch(step):
    """Rows of a step."""
    rows = [(7 * step + i) % 40 for i in range(9)]
    return X[rows], Y[rows]


def fixed(cls):
    """Arguments that fix the kernels."""
    known = inspect.signature(cls).parameters
    return {name: False for name in ("foreach", "fused") if name in known}


def settings_of(spec):
    """Settings as arguments of torch."""
    return dict(spec.settings())


def copied(net):
    """The parameters of a module, by name."""
    return {name: p.detach().clone() for name, p in net.named_parameters()}


def loss_of(net, step):
    """The loss of a step."""
    x, y = batch(step)
    return torch.nn.functional.mse_loss(net(x), y)


def trained_torch(spec, steps, frozen=lambda step: (), groups=None):
    """A plain loop: the module and the torch optimizer after some steps."""
    net = module(spec)
    make = type(spec).torch_class
    given = net.parameters() if groups is None else groups(net)
    optimizer = make(given, **settings_of(spec), **fixed(make))
    for step in range(steps):
        optimizer.zero_grad()
        for name, p in net.named_parameters():
            p.requires_grad_(name not in frozen(step))
        loss_of(net, step).backward()
        optimizer.step()
    return net, optimizer


def gradients(net, params, step, frozen=()):
    """The gradients of a step, by name; None for what is frozen."""
    names = [name for name in params if name not in frozen]
    inputs = {name: params[name].detach().clone().requires_grad_() for name in params}
    x, y = batch(step)
    loss = torch.nn.functional.mse_loss(torch.func.functional_call(net, inputs, (x,)), y)
    found = torch.autograd.grad(loss, [inputs[name] for name in names])
    return dict.fromkeys(params) | dict(zip(names, found, strict=True))


def go_on(live, net, steps, frozen=lambda step: ()):
    """Take some steps with a live optimizer."""
    for step in steps:
        live.step(gradients(net, live.leaves, step, frozen(step)))
    return live


def assert_torchs(live, net, optimizer):
    """Parameters and all that is remembered are torch's, to the bit."""
    params, slots = live.params(), live.state().slots
    for name, p in net.named_parameters():
        assert fp.same(params[name], p.detach()), name
        theirs = optimizer.state.get(p, {})
        assert fp.same(dict(slots.get(name, {})), dict(theirs)), name


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_fifty_steps_are_torchs(spec):
    """Fifty steps from the same weights leave the same weights and the same moments."""
    net, optimizer = trained_torch(spec, 50)
    live = LiveOptimizer(spec, copied(module(spec)), OptimizerState())
    assert_torchs(go_on(live, net, range(50)), net, optimizer)
    assert not fp.same(dict(live.params()), copied(module(spec)))


def test_every_optimizer_is_compared():
    """No optimizer is left out of the comparisons."""
    assert {type(spec) for spec in SPECS} == set(OPTIMIZERS)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_pause_changes_nothing(spec):
    """A state taken after any step goes on in another optimizer as if nothing had been."""
    net = module(spec)
    start = copied(net)
    whole = go_on(LiveOptimizer(spec, start, OptimizerState()), net, range(50))
    parts, state = start, OptimizerState()
    for stretch in (range(1), range(1, 2), range(2, 23), range(23, 50)):
        live = go_on(LiveOptimizer(spec, parts, state), net, stretch)
        parts, state = live.params(), live.state()
    assert fp.same(parts, whole.params())
    assert state == whole.state()
    assert fp.fingerprint(state) == fp.fingerprint(whole.state())


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_frozen_parameter_stays(spec):
    """Without a gradient a parameter and its slots stay to the bit, before and after others move."""

    def frozen(step):
        return {0: ("0.weight",), 1: (), 2: ("2.weight",)}[step // 10]

    net, optimizer = trained_torch(spec, 30, frozen)
    live = LiveOptimizer(spec, copied(module(spec)), OptimizerState())
    fresh = live.state().slots.get("0.weight")
    go_on(live, net, range(10), frozen)
    assert fp.same(live.params()["0.weight"], copied(module(spec))["0.weight"])
    assert fp.same(live.state().slots.get("0.weight"), fresh)
    go_on(live, net, range(10, 20), frozen)
    before = live.params()["2.weight"], live.state().slots.get("2.weight")
    moved = live.params()["0.weight"]
    go_on(live, net, range(20, 30), frozen)
    assert fp.same((live.params()["2.weight"], live.state().slots.get("2.weight")), before)
    assert not torch.equal(live.params()["0.weight"], moved)
    assert_torchs(live, net, optimizer)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_states_are_plain_values(spec):
    """Slots are tensors and numbers, settings plain data; a later step does not reach a state."""
    net = module(spec)
    params = copied(net)
    live = go_on(LiveOptimizer(spec, params, OptimizerState()), net, range(3))
    state, kept = live.state(), fp.fingerprint(live.state())
    for slots in state.slots.values():
        assert all(isinstance(slot, Tensor | int | float) for slot in slots.values())
    plain = (bool, int, float, str, type(None))
    assert all(isinstance(leaf, plain) for _, leaf in leaves(state.settings))
    assert state.settings == (spec.settings(),)
    again = LiveOptimizer(spec, live.params(), state)
    go_on(again, net, range(3, 6))
    go_on(live, net, range(3, 6))
    assert fp.fingerprint(state) == kept
    assert fp.same(params, copied(net))


SHAPES = [(), (3,), (2, 3), (2, 3, 4)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_slots_are_told_as_torch_has_them(spec):
    """Names and shapes of what is remembered are those that torch makes, for every shape."""
    make = type(spec).torch_class
    for shape in [(2, 3)] if isinstance(spec, Muon) else SHAPES:
        p = torch.ones(shape, requires_grad=True)
        p.grad = torch.ones(shape)
        optimizer = make([p], **settings_of(spec), **fixed(make))
        optimizer.step()
        theirs = optimizer.state.get(p, {})
        told, later = spec.slots_of(shape), {"momentum_buffer"} | set(spec.slot_of.values())
        assert set(told) <= set(theirs) <= set(told) | later
        for slot, held in theirs.items():
            wanted = () if slot in COUNTS else spec.slot_shape(slot, shape)
            assert tuple(held.shape) == wanted, slot


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_state_that_lacks_something_is_refused(spec):
    """Each slot in turn missing, of another shape, or of another dtype: told before a step."""
    start = copied(module(spec))
    state = go_on(LiveOptimizer(spec, start, OptimizerState()), module(spec), range(2)).state()

    def forged(change):
        slots = state.slots["0.weight"]
        return evolve(state, slots=state.slots.set("0.weight", change(slots)))

    def told(change, rule, expected):
        with pytest.raises(StateError) as caught:
            LiveOptimizer(spec, start, forged(change))
        assert rule in caught.value.rule
        assert expected in caught.value.expected
        assert caught.value.got
        assert "go on with the optimizer and the network" in caught.value.fix

    for slot in spec.slots_of((6, 4)):
        told(lambda s, slot=slot: s.remove(slot), f"{spec.name} has no {slot} of '0.weight'", slot)
    for slot, held in state.slots.get("0.weight", pmap()).items():
        rule = f"{spec.name} cannot go on from this {slot} of '0.weight'"
        shape = "one number" if slot in COUNTS else str(tuple(held.shape))
        others = [torch.zeros(5, 2), held.double().long(), "text", None, 1]
        others += [] if slot in COUNTS else [held.double(), held.flatten()[0]]
        for other in others:
            told(lambda s, n=slot, o=other: s.set(n, o), rule, shape)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_gradients_are_not_written_to(spec):
    """What comes in as gradients is the same afterwards."""
    net = module(spec)
    live = go_on(LiveOptimizer(spec, copied(net), OptimizerState()), net, range(2))
    grads = gradients(net, live.leaves, 2)
    kept = fp.fingerprint(grads)
    live.step(grads)
    assert fp.fingerprint(grads) == kept


GROUPED = [
    (SGD(lr=0.05, momentum=0.9), {"lr": 0.2, "momentum": 0.5, "weight_decay": 0.1}),
    (SGD(lr=0.05), {"momentum": 0.5}),
    (AdamW(lr=0.01), {"weight_decay": 0.0}),
    (Adam(lr=0.01), {"betas": (0.5, 0.6), "amsgrad": True}),
    (NAdam(), {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2}),
    (RMSprop(), {"centered": True, "momentum": 0.4}),
    (Rprop(), {"lr": 0.5, "etas": (0.2, 1.3)}),
    (Adafactor(), {"eps": (1e-3, 1e-2), "d": 3.0}),
    (Adagrad(initial_accumulator_value=0.2), {"lr": 0.3, "lr_decay": 0.5}),
    (ASGD(), {"t0": 5.0, "lr": 0.2}),
    (Muon(lr=0.05), {"lr": 0.2, "momentum": 0.5}),
]


@pytest.mark.parametrize(("spec", "changes"), GROUPED, ids=str)
def test_groups_are_torchs(spec, changes):
    """Groups by pattern are torch's groups of the same parameters with the same settings."""
    net, optimizer = trained_torch(
        spec,
        50,
        groups=lambda net: [
            {"params": list(net[2].parameters()), **changes},
            {"params": list(net[0].parameters())},
        ],
    )
    whole = type(spec)(groups={"2.*": changes}, **settings_of(spec))
    live = LiveOptimizer(whole, copied(module(spec)), OptimizerState())
    assert_torchs(go_on(live, net, range(50)), net, optimizer)
    half = go_on(LiveOptimizer(whole, copied(module(spec)), OptimizerState()), net, range(25))
    again = LiveOptimizer(whole, half.params(), half.state())
    assert fp.same(go_on(again, net, range(25, 50)).state(), live.state())
    assert live.state().settings == (spec.with_settings(changes).settings(), spec.settings())


@pytest.mark.parametrize(
    "spec", [SGD(lr=0.1, momentum=0.9), AdamW(), RMSprop(momentum=0.1)], ids=str
)
def test_settings_change_as_torchs(spec):
    """A schedule of rate and momentum at every step, with a new live optimizer at every step."""
    net = module(spec)
    make = type(spec).torch_class
    optimizer = make(
        [{"params": list(net[0].parameters()), "lr": 0.3}, {"params": list(net[2].parameters())}],
        **settings_of(spec),
        **fixed(make),
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.02, 0.05], total_steps=50)
    for step in range(50):
        optimizer.zero_grad()
        loss_of(net, step).backward()
        optimizer.step()
        if step < 49:
            scheduler.step()
    whole = type(spec)(groups={"0.*": {"lr": 0.3}}, **settings_of(spec))
    schedule = OneCycle([0.02, 0.05])
    params, state = copied(module(spec)), OptimizerState()
    memory = schedule.begin(whole.group_settings(tuple(params)), 50)
    for step in range(50):
        live = LiveOptimizer(whole, params, state)
        memory, changes = schedule.at(memory, step)
        live.set_settings(changes)
        go_on(live, net, [step])
        params, state = live.params(), live.state()
    assert_torchs(live, net, optimizer)
    assert [g["lr"] for g in state.settings] == [g["lr"] for g in optimizer.param_groups]


def test_order_in_memory_does_not_count():
    """Equal values give equal bits, however they are stored: also where rows are summed."""
    grad = torch.randn(37, 41, generator=GENERATOR)
    start = torch.randn(37, 41, generator=GENERATOR)
    for spec in (Adafactor(), Muon(), Adam()):
        found = []
        for order in (lambda t: t, lambda t: t.T.contiguous().T):
            live = LiveOptimizer(spec, {"w": order(start)}, OptimizerState())
            live.step({"w": order(grad)})
            state = live.state()
            slots = pmap(
                {
                    "w": pmap(
                        {k: order(v) if v.ndim == 2 else v for k, v in state.slots["w"].items()}
                    )
                }
            )
            live = LiveOptimizer(
                spec, {"w": order(live.params()["w"])}, OptimizerState(slots, state.settings)
            )
            live.step({"w": order(grad * 0.7)})
            found.append((live.params(), live.state()))
        assert fp.same(*found)


def test_setting_settings():
    """What is named changes, the rest stays; a step then takes it."""
    live = LiveOptimizer(
        AdamW(groups={"a*": {"lr": 0.5}}),
        {"a": torch.ones(1), "b": torch.ones(1)},
        OptimizerState(),
    )
    assert [g["lr"] for g in live.settings] == [0.5, 1e-3]
    live.set_settings(({}, {"lr": 0.25, "betas": [0, 0.5]}))
    assert [g["lr"] for g in live.settings] == [0.5, 0.25]
    assert [g["betas"] for g in live.settings] == [(0.9, 0.999), (0.0, 0.5)]
    assert live.state().settings == live.settings
    assert (
        LiveOptimizer(AdamW(groups={"a*": {"lr": 0.5}}), live.params(), live.state()).settings
        == live.settings
    )


def test_without_parameters():
    """A network without parameters has nothing to optimize; its settings can be scheduled."""
    live = LiveOptimizer(Adam(), {}, OptimizerState())
    live.step({})
    live.set_settings(({"lr": 0.5},))
    assert live.params() == {}
    assert live.state() == OptimizerState(settings=(Adam(lr=0.5).settings(),))


WEIGHTS = {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2)}
BEGUN = LiveOptimizer(Adam(), WEIGHTS, OptimizerState())
BEGUN.step({name: torch.ones_like(w) for name, w in WEIGHTS.items()})


def live(spec, state=OptimizerState()):
    """A live optimizer over two parameters."""
    return LiveOptimizer(spec, WEIGHTS, state)


def stepped(spec):
    """The same after a step."""
    found = live(spec)
    found.step({name: torch.ones_like(w) for name, w in WEIGHTS.items()})
    return found


BAD = {
    "a pattern without a match": (
        lambda: live(Adam(groups={"*.bais": {"lr": 0.1}})),
        ParameterError,
        "matches no parameter",
        "did you mean '0.bias'?",
    ),
    "a pattern with nothing left": (
        lambda: live(Adam(groups={"0.*": {"lr": 0.1}, "*.bias": {"lr": 0.2}})),
        ParameterError,
        "left without a parameter",
        "put it before the wider pattern",
    ),
    "a vector for muon": (lambda: live(Muon()), ParameterError, "'0.bias' is none", "bias=False"),
    "a rate that is not set": (lambda: live(SGD()), ParameterError, "lr is not set", "lr=..."),
    "settings of another optimizer": (
        lambda: live(SGD(lr=0.1), BEGUN.state()),
        StateError,
        "not one of sgd",
        "go on with the optimizer",
    ),
    "settings of other groups": (
        lambda: live(Adam(groups={"*.bias": {"lr": 0.1}}), BEGUN.state()),
        StateError,
        "2 parameter groups, and settings came for 1",
        "every group",
    ),
    "the state of another optimizer with the same settings": (
        lambda: live(Adagrad(), evolve(BEGUN.state(), settings=live(Adagrad()).settings)),
        StateError,
        "adagrad has no sum of '0.bias'",
        "go on with the optimizer",
    ),
    "slots of another network": (
        lambda: LiveOptimizer(Adam(), {"w": torch.ones(2)}, BEGUN.state()),
        StateError,
        "'0.bias' that is not there",
        "go on with the network",
    ),
    "settings for too many groups": (
        lambda: live(Adam()).set_settings(({}, {})),
        StateError,
        "1 parameter groups, and settings came for 2",
        "every group",
    ),
    "an unknown setting": (
        lambda: live(Adam()).set_settings(({"momentum": 0.1},)),
        ParameterError,
        "adam has no setting 'momentum'",
        "use one of",
    ),
    "a negative rate": (
        lambda: live(Adam()).set_settings(({"lr": -0.1},)),
        ParameterError,
        "lr cannot be -0.1",
        "at least 0",
    ),
    "a rate that is NaN": (
        lambda: live(Adam()).set_settings(({"lr": float("nan")},)),
        ParameterError,
        "lr cannot be nan",
        "at least 0",
    ),
    "groups as a setting": (
        lambda: live(Adam()).set_settings(({"groups": ()},)),
        ParameterError,
        "adam has no setting 'groups'",
        "use one of",
    ),
    "amsgrad in the middle": (
        lambda: stepped(Adam()).set_settings(({"amsgrad": True},)),
        StateError,
        "amsgrad cannot be switched on",
        "from the start",
    ),
    "momentum of rmsprop in the middle": (
        lambda: stepped(RMSprop()).set_settings(({"momentum": 0.9},)),
        StateError,
        "momentum cannot be switched on",
        "from the start",
    ),
}


@pytest.mark.parametrize(("make", "kind", "match", "fix"), BAD.values(), ids=BAD)
def test_bad_input(make, kind, match, fix):
    """What cannot be optimized is refused before a step is taken."""
    with pytest.raises(kind, match=match) as caught:
        make()
    assert caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix


def test_refused_settings_leave_all_as_it_was():
    """Settings are replaced for all groups or for none."""
    found = LiveOptimizer(Adam(groups={"0.weight": {"lr": 0.5}}), WEIGHTS, OptimizerState())
    before = found.settings
    with pytest.raises(ParameterError):
        found.set_settings(({"lr": 0.1}, {"lr": -0.1}))
    assert found.settings == before


def test_nothing_global_is_left():
    """The first step of a process leaves warning filters, environment and grad mode as they were."""
    code = """
import os, warnings, torch
from fpipe.optim.live import LiveOptimizer
from fpipe.optim.optimizer import OptimizerState
from fpipe.optim.schedules import TorchSchedule
from fpipe.optim.vocabulary import OPTIMIZERS
before = (list(warnings.filters), dict(os.environ), torch.is_grad_enabled(), torch.get_rng_state().tolist())
for cls in OPTIMIZERS:
    live = LiveOptimizer(cls(lr=0.1), {"w": torch.ones(2, 2)}, OptimizerState())
    live.step({"w": torch.ones(2, 2)})
    schedule = TorchSchedule("torch.optim.lr_scheduler:ExponentialLR", {"gamma": 0.5})
    memory = schedule.begin(live.settings, 3)
    schedule.at(memory, 2)
after = (list(warnings.filters), dict(os.environ), torch.is_grad_enabled(), torch.get_rng_state().tolist())
assert before == after
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_no_decay_is_told_by_name():
    """Biases, normalizations, tokenizers and the class token decay no more; weights do."""
    names = nn.optimizer("adamw", groups=nn.no_decay()).nodes[0].op.optimizer
    free = (
        "linear.bias",
        "block[0].ft_transformer_block.attention.in_proj_bias",
        "block[0].ft_transformer_block.ffn_normalization.weight",
        "layer_norm_2.weight",
        "batch_norm1d.weight",
        "transformer_encoder_layer.norm1.weight",
        "cls_token.weight",
        "tokenizer_numeric.weight",
        "tokenizer_categorical_2.weight",
        "embedding.weight_1",
        "multihead_attention.bias_k",
    )
    decayed = (
        "linear.weight",
        "normal.weight",
        "bias_net.weight",
        "block[0].ft_transformer_block.attention.in_proj_weight",
        "block[1].ft_transformer_block.linear_first.weight",
        "head.weight",
    )
    assert names.group_of(free + decayed) == (0,) * len(free) + (1,) * len(decayed)
    assert [g["weight_decay"] for g in names.group_settings(free + decayed)] == [0.0, 0.01]
