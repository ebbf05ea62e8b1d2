"""Averages of weights against torch's AveragedModel in a plain loop, to the bit."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from pyrsistent import pmap
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import fpipe as fp
from fpipe import callbacks as cb
from fpipe import nn
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.train.averaging import Averaged
from fpipe.train.plan import Batch, EpochEnd, Validate, batch_rows, epoch_order

RNG = np.random.default_rng(6)
X = RNG.normal(size=(42, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5], np.float32)) ** 2
TASK = fp.regression({f"x{i}": X[:, i] for i in range(3)} | {"y": Y}, "y")
KEY = fp.key(5)
BODY = nn.ingress_numeric() >> nn.linear(4) >> nn.batch_norm1d() >> nn.relu() >> nn.head()
LAYERS = {"0": "linear", "1": "batch_norm1d", "3": "head"}
INTERPRETERS = ["reference", "fast"]


def graph(*given, accumulate=1, epochs=4, **model):
    chain = BODY >> nn.loss("mse") >> nn.optimizer("adam", lr=0.05) >> nn.callbacks(*given)
    return chain >> nn.model(epochs=epochs, batch_size=10, accumulate=accumulate, **model)


def prepared(*given, interpreter="fast", validate=None, **more):
    run, state = fp.prepare(graph(*given, **more), TASK, key=KEY, validate=validate)
    return run, evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))


def folded(*given, **more):
    run, state = prepared(*given, **more)
    return run, fp.fold(run, state, fp.events(run.plan))


def named(module):
    """The tensors of torch's module, by the names of fpipe; counts of batches left out."""
    found = {}
    for name, tensor in module.state_dict().items():
        layer, _, rest = name.partition(".")
        if rest != "num_batches_tracked":
            found[f"{LAYERS[layer]}.{rest}"] = tensor.clone()
    return found


def torchs(run, state, average):
    """Train a module of torch from the same weights; average as torch does; return both."""
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 1)
    )
    start = {**state.weights.params, **state.weights.buffers}
    names = {name: f"{LAYERS[name.partition('.')[0]]}.{name.partition('.')[2]}"
             for name in module.state_dict() if not name.endswith("tracked")}  # fmt: skip
    module.load_state_dict({n: start[o] for n, o in names.items()}, strict=False)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05, foreach=False)
    averaged, updates = average(module), 0
    for event in fp.events(run.plan):
        if isinstance(event, Batch):
            order = epoch_order(run.plan, state.key, event.epoch)
            batch = run.train.take(batch_rows(run.plan, order, event.index))
            (x,) = batch.inputs.values()
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(module(x), batch.target).backward()
            optimizer.step()
            updates += 1
            averaged.after("batch", updates, module)
        elif isinstance(event, EpochEnd):
            averaged.after("epoch", event.epoch, module)
    return named(module), named(averaged.model.module)


class Average:
    """AveragedModel, called after some of the updates or epochs."""

    def __init__(self, module, per, start, every, **more):
        self.model, self.per = AveragedModel(deepcopy(module), **more), per
        self.start, self.every = start, every

    def after(self, per, count, module):
        if per == self.per and count >= self.start and (count - self.start) % self.every == 0:
            self.model.update_parameters(module)


def same_bits(state, weights):
    for name, tensor in weights.items():
        found = (state.result.params.update(state.result.buffers))[name]
        assert torch.equal(found, tensor), name


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("buffers", [True, False])
@pytest.mark.parametrize(("decay", "start", "every"), [
    (0.9, 1, 1), (0.999, 1, 1), (0.3, 4, 3), (0.0, 2, 1), (1.0, 1, 2),
])  # fmt: skip
def test_ema_is_torchs(decay, start, every, buffers, interpreter):
    """The result is the module that AveragedModel holds, to the bit; training does not feel it."""
    ours = cb.ema(decay, start=start, every=every, buffers=buffers)
    run, begun = prepared(ours, interpreter=interpreter)
    end = fp.fold(run, begun, fp.events(run.plan))
    last, averaged = torchs(run, begun, lambda module: Average(
        module, "batch", start, every,
        multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=buffers,
    ))  # fmt: skip
    if not buffers:  # the present statistics; torch has those of the update it averaged last
        averaged |= {name: last[name] for name in begun.weights.buffers}
    same_bits(end, averaged)
    for name, tensor in end.weights.params.items():
        assert torch.equal(tensor, last[name])


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("buffers", [True, False])
@pytest.mark.parametrize(("per", "start", "every"), [
    ("epoch", 1, 1), ("epoch", 2, 2), ("batch", 1, 1), ("batch", 7, 4),
])  # fmt: skip
def test_swa_is_torchs(per, start, every, buffers, interpreter):
    """The plain mean is that of AveragedModel without a function of its own, to the bit."""
    ours = cb.swa(start=start, every=every, per=per, buffers=buffers)
    run, begun = prepared(ours, interpreter=interpreter)
    end = fp.fold(run, begun, fp.events(run.plan))
    last, averaged = torchs(
        run, begun, lambda module: Average(module, per, start, every, use_buffers=buffers)
    )
    if not buffers:
        averaged |= {name: last[name] for name in begun.weights.buffers}
    same_bits(end, averaged)


def test_averages_are_counted_in_updates():
    """Batches that only add to a gradient are none: 5 batches of an epoch make 2 updates."""
    _, end = folded(cb.ema(0.5), cb.swa(), accumulate=3)
    assert (end.callbacks["ema"].seen, end.callbacks["ema"].taken) == (8, 8)
    assert (end.callbacks["swa"].seen, end.callbacks["swa"].taken) == (4, 4)


@pytest.mark.parametrize("average", [cb.ema(0.7), cb.swa(start=2), cb.swa(per="batch", every=3)])
def test_averages_are_judged(average):
    """Validation scores and the best weights are the average's, not those of the present weights."""
    run, state = prepared(average, validate=0.3, weights="best", patience=50)
    plain, _ = prepared(validate=0.3, weights="best", patience=50)
    for reached, event in fp.scan(run, state, fp.events(run.plan)):
        if isinstance(event, Validate):
            held = reached.callbacks[average.name].weights
            weights = reached.weights if held is None else held
            out, _ = run.network.apply(weights.params, weights.buffers, dict(run.valid.inputs))
            loss = torch.nn.functional.mse_loss(out[0], run.valid.target).item()
            assert reached.history[-1]["valid.loss"] == pytest.approx(loss, rel=1e-6)
    best = min(row["valid.loss"] for row in reached.history)
    assert reached.best.score == best
    assert fp.same(reached.result, reached.best.weights)
    assert plain.callbacks == ()


def test_before_the_start_the_present_weights_are_judged():
    """An average that never begins changes nothing."""
    _, end = folded(cb.ema(0.5, start=1000), cb.swa(start=1000))
    _, plain = folded()
    assert fp.same(end.result, plain.result)
    assert end.callbacks["ema"].weights is None


def test_counts_are_taken_from_the_latest():
    """Integer buffers are not averaged."""
    one, state = cb.ema(0.5), Averaged()
    for n in (1, 2, 5):
        params, buffers = {"w": torch.tensor([float(n)])}, {"seen": torch.tensor(n)}
        state = one.after_step(state, cb.Weights(pmap(params), pmap(buffers)))
    assert state.weights.buffers["seen"].item() == 5
    assert state.weights.params["w"].item() == 0.25 * 1 + 0.25 * 2 + 0.5 * 5


@pytest.mark.parametrize("average", [cb.ema(0.5), cb.swa(per="batch"), cb.swa()])
def test_only_copies_are_kept(average):
    """No state shares memory with the weights, nor with the state before it."""
    run, state = prepared(average)
    seen = []
    for reached, _ in fp.scan(run, state, fp.events(run.plan)):
        held = reached.callbacks[average.name].weights
        if held is not None and (not seen or held is not seen[-1]):
            seen.append(held)
            kept = {t.untyped_storage().data_ptr() for t in held.params.values()}
            now = {t.untyped_storage().data_ptr() for t in reached.weights.params.values()}
            assert kept.isdisjoint(now)
    assert len(seen) > 3
    pointers = [held.params["head.weight"].data_ptr() for held in seen]
    assert len(set(pointers)) == len(pointers)


def test_averages_are_used_by_predictions():
    """A fitted pipeline predicts with the average."""
    fitted = fp.fit(graph(cb.ema(0.8)), TASK, key=KEY)
    model = fitted.state("model")
    assert fp.same(model.weights, model.callbacks["ema"].weights)
    inputs = dict(fp.prepare(graph(), TASK, key=KEY)[0].train.inputs)
    out, _ = model.network.apply(model.weights.params, model.weights.buffers, inputs)
    response = fp.predict(fitted, TASK).response.to_numpy()
    np.testing.assert_allclose(response, out[0][:, 0].numpy(), rtol=1e-5, atol=1e-6)


BAD = [
    ("decay", lambda: cb.ema(1.5), "ema: decay cannot be 1.5", "from 0.0 to 1.0"),
    ("start", lambda: cb.ema(start=0), "ema: start cannot be 0", "at least 1"),
    ("every", lambda: cb.swa(every=0), "swa: every cannot be 0", "at least 1"),
    ("per", lambda: cb.swa(per="update"), "swa: per cannot be 'update'", "'epoch', 'batch'"),
    ("buffers", lambda: cb.swa(buffers="yes"), "swa: buffers cannot be 'yes'", "True or False"),
]


@pytest.mark.parametrize(("act", "rule", "expected"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_averages(act, rule, expected):
    """Each is refused, with what was expected."""
    with pytest.raises(ParameterError) as caught:
        act()
    assert rule in caught.value.rule
    assert expected in str(caught.value.expected)
    assert caught.value.fix.startswith("give ")
