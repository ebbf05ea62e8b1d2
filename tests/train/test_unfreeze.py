"""Parameters that are learned later: what is frozen stays to the bit, as in plain torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import callbacks as cb
from fpipe import nn
from fpipe.core.errors import FpipeError, ParameterError
from fpipe.core.value import evolve
from fpipe.train.plan import Batch, batch_rows, epoch_order

RNG = np.random.default_rng(2)
X = RNG.normal(size=(42, 3)).astype(np.float32)
TASK = fp.regression({f"x{i}": X[:, i] for i in range(3)} | {"y": X[:, 0] * X[:, 1]}, "y")
KEY = fp.key(9)
BODY = nn.ingress_numeric() >> nn.linear(4) >> nn.batch_norm1d() >> nn.relu() >> nn.head()
NAMES = {
    "linear.weight", "linear.bias", "batch_norm1d.weight", "batch_norm1d.bias",
    "head.weight", "head.bias",
}  # fmt: skip
OPTIMIZERS = ["sgd", "adam", "adamw", "adagrad", "rprop"]
INTERPRETERS = ["reference", "fast"]


def graph(*given, optimizer="adam", accumulate=1, epochs=4):
    more = {} if optimizer == "rprop" else {"weight_decay": 0.1}
    more |= {"momentum": 0.9} if optimizer == "sgd" else {}
    chain = BODY >> nn.loss("mse") >> nn.optimizer(optimizer, lr=0.05, **more)
    chain = chain >> nn.callbacks(*given)
    return chain >> nn.model(epochs=epochs, batch_size=10, accumulate=accumulate)


def states(*given, interpreter="reference", **more):
    """The state after every event."""
    run, state = fp.prepare(graph(*given, **more), TASK, key=KEY)
    state = evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))
    yield run, state, None
    for event in fp.events(run.plan):
        state = fp.fold(run, state, [event])
        yield run, state, event


@pytest.mark.parametrize(("trained", "frozen"), [
    ("*", set()),
    (None, NAMES),
    ("", NAMES),
    ("head.*", {n for n in NAMES if not n.startswith("head.")}),
    ("head.weight", NAMES - {"head.weight"}),
    ("*.bias|head.*", {"linear.weight", "batch_norm1d.weight"}),
    (["*.bias", "head.*"], {"linear.weight", "batch_norm1d.weight"}),
])  # fmt: skip
def test_patterns_say_what_is_trained(trained, frozen):
    """By name, by pattern, by several, all and none."""
    run, state = fp.prepare(graph(cb.unfreeze(trained)), TASK, key=KEY)
    assert set(state.weights.params) == NAMES
    begun = fp.fold(run, state, list(fp.events(run.plan))[:1])
    assert begun.frozen == frozen


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_more_is_trained_later(interpreter):
    """At the beginning of an epoch, and with a batch of the whole run, both counted from 1."""
    later = cb.unfreeze("head.*", epochs={3: "linear.*"}, batches={7: "*.bias", 18: "*"})
    seen = {}
    for run, state, event in states(later, interpreter=interpreter):
        if isinstance(event, Batch):
            seen[state.cursor.step] = len(state.frozen)
    assert run.plan.batches == 5
    wanted = dict.fromkeys(range(1, 7), 4) | dict.fromkeys(range(7, 11), 2)
    wanted |= dict.fromkeys(range(11, 18), 1) | dict.fromkeys(range(18, 21), 0)
    assert seen == wanted


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_frozen_stays_to_the_bit(optimizer, interpreter, accumulate):
    """Parameters, what the optimizer remembers of them, and buffers of layers at rest."""
    later = cb.unfreeze("head.weight", epochs={2: "linear.bias", 4: "*"})
    before, moved = None, set()
    for _, state, event in states(
        later, optimizer=optimizer, interpreter=interpreter, accumulate=accumulate
    ):
        if isinstance(event, Batch):
            for name in NAMES:
                same = torch.equal(state.weights.params[name], before.weights.params[name])
                if name in state.frozen:
                    assert same, name
                    now, then = (one.optimizer.slots.get(name) for one in (state, before))
                    first = optimizer == "adagrad" and then is None  # it begins with slots for all
                    assert first or fp.same(now, then), name
                elif not same:
                    moved.add((event.epoch, name))
            for name, buffer in before.weights.buffers.items():
                rests = event.epoch < 4
                assert torch.equal(state.weights.buffers[name], buffer) == rests, name
        before = state
    assert {name for epoch, name in moved if epoch == 1} == {"head.weight"}
    assert {name for epoch, name in moved if epoch == 2} == {"head.weight", "linear.bias"}
    assert {name for epoch, name in moved if epoch == 4} == NAMES


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_is_torchs(optimizer, interpreter):
    """The weights are those of a plain loop that sets requires_grad and eval, to the bit."""
    later = cb.unfreeze("head.*", epochs={3: "*"})
    run, state = fp.prepare(graph(later, optimizer=optimizer), TASK, key=KEY)
    state = evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 1)
    )
    layers = {"0": "linear", "1": "batch_norm1d", "3": "head"}
    start = {**state.weights.params, **state.weights.buffers}
    names = {n: f"{layers[n[0]]}{n[1:]}" for n in module.state_dict() if "tracked" not in n}
    module.load_state_dict({n: start[ours] for n, ours in names.items()}, strict=False)
    body = torch.nn.ModuleList([module[0], module[1]])
    body.requires_grad_(False).eval()
    make, more = (torch.optim.SGD, {"momentum": 0.9}) if optimizer == "sgd" else (
        torch.optim.Adam, {})  # fmt: skip
    stepper = make(module.parameters(), lr=0.05, weight_decay=0.1, foreach=False, **more)
    for event in fp.events(run.plan):
        if not isinstance(event, Batch):
            continue
        if (event.epoch, event.index) == (3, 0):
            body.requires_grad_(True).train()
        order = epoch_order(run.plan, state.key, event.epoch)
        batch = run.train.take(batch_rows(run.plan, order, event.index))
        (x,) = batch.inputs.values()
        stepper.zero_grad()
        torch.nn.functional.mse_loss(module(x), batch.target).backward()
        stepper.step()
    end = fp.fold(run, state, fp.events(run.plan))
    found = {**end.weights.params, **end.weights.buffers}
    theirs = module.state_dict()
    for name, ours in names.items():
        assert torch.equal(found[ours], theirs[name]), ours


def test_nothing_trained_is_nothing_changed():
    """With all parameters frozen the weights stay as they were drawn, batch norm too."""
    run, state = fp.prepare(graph(cb.unfreeze(None), cb.clip_gradients(1.0)), TASK, key=KEY)
    for interpreter in INTERPRETERS:
        begun = evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))
        end = fp.fold(run, begun, fp.events(run.plan))
        assert fp.same(end.weights, state.weights)
        assert set(end.callbacks["clip_gradients"]) == {0.0}


def test_what_others_have_frozen_is_released_too():
    """It adds to what is frozen, and takes away what its patterns name."""

    @cb.descriptor
    class Hold(cb.Callback):
        def on_begin(self, state, moment):
            return state, moment.with_frozen({"head.bias"})

    run, state = fp.prepare(graph(Hold(), cb.unfreeze("*", epochs={2: "*"})), TASK, key=KEY)
    every = list(fp.events(run.plan))
    assert fp.fold(run, state, every[:2]).frozen == {"head.bias"}
    assert fp.fold(run, state, every).frozen == frozenset()


def test_it_is_a_value():
    """Lists of patterns and dicts are held as text and pairs in order; paths set them."""
    one = cb.unfreeze(["a.*", "b.*"], epochs={5: "*", 3: ["c.*", "d"]}, batches={10: "e"})
    assert (one.trained, one.epochs) == ("a.*|b.*", ((3, "c.*|d"), (5, "*")))
    assert one == cb.unfreeze("a.*|b.*", epochs={3: "c.*|d", 5: "*"}, batches={10: "e"})
    made = nn.callbacks(one).set({"callbacks.unfreeze.epochs": {2: "*"}})
    assert made.at("callbacks.unfreeze.epochs") == ((2, "*"),)


def begun(*given):
    run, state = fp.prepare(graph(*given), TASK, key=KEY)
    return fp.fold(run, state, fp.events(run.plan))


BAD = [
    ("no pattern", lambda: cb.unfreeze(3), "unfreeze: trained cannot be 3", "a pattern", "give trained"),
    ("epoch 0", lambda: cb.unfreeze("*", epochs={0: "*"}), "unfreeze: epochs cannot be",
     "at least 1", "give epochs"),
    ("no number", lambda: cb.unfreeze("*", batches={"two": "*"}), "unfreeze: batches cannot be",
     "at least 1", "give batches"),
    ("nothing to release", lambda: cb.unfreeze("*", batches={2: ""}),
     "unfreeze: batches cannot be", "a dict from a number", "give batches"),
    ("no dict", lambda: cb.unfreeze("*", epochs="*"), "unfreeze: epochs cannot be",
     "a dict from a number", "give epochs"),
    ("no match", lambda: begun(cb.unfreeze("haed.*")),
     "the pattern 'haed.*' matches no parameter", "head.weight", "did you mean 'head."),
    ("no match of one", lambda: begun(cb.unfreeze("head.*|tail.*")),
     "the pattern 'tail.*' matches no parameter", "head.weight", "use one of"),
    ("no match later", lambda: begun(cb.unfreeze("*", epochs={99: "lineer.*"})),
     "the pattern 'lineer.*' matches no parameter", "linear.bias", "did you mean 'linear."),
    ("no match with a batch", lambda: begun(cb.unfreeze("*", batches={99: "hed.bias"})),
     "the pattern 'hed.bias' matches no parameter", "head.bias", "did you mean 'head.bias'?"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "expected", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_patterns(act, rule, expected, fix):
    """Each is refused, with near names, at the latest when training begins."""
    with pytest.raises(FpipeError) as caught:
        act()
    assert type(caught.value) is ParameterError
    assert rule in caught.value.rule
    assert expected in str(caught.value.expected)
    assert fix in str(caught.value.fix)


def test_a_slip_is_seen_before_training():
    """`check` knows the names of the parameters as soon as all sizes are known."""
    with pytest.raises(ParameterError, match="matches no parameter") as caught:
        fp.check(graph(cb.unfreeze("haed.*")), TASK)
    assert "did you mean 'head." in caught.value.fix
    assert "unfreeze" in caught.value.at
    assert fp.check(graph(cb.unfreeze("head.*", epochs={2: "*"})), TASK).ok
    assert fp.check(graph(cb.unfreeze(epochs={2: "*"})), TASK).missing
