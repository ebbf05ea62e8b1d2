"""Accumulated gradients: one update of several batches is close to one of a larger batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import callbacks, nn
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.train.plan import Batch, Plan, batch_rows, epoch_order

RNG = np.random.default_rng(4)
X = RNG.normal(size=(44, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -1.0, 2.0], np.float32)).astype(np.float32)
W = (1.0 + np.arange(44) % 4).astype(np.float32)
COLUMNS = {f"x{i}": X[:, i] for i in range(3)}
LABELS = np.array(list("abc"))[np.digitize(Y, [-1, 1])]
REGRESSION = fp.regression(COLUMNS | {"y": Y}, "y")
WEIGHTED = fp.regression(COLUMNS | {"y": Y, "w": W}, "y", weight="w")
MULTI = fp.classification(COLUMNS | {"y": LABELS}, "y")
MULTI_WEIGHTED = fp.classification(COLUMNS | {"y": LABELS, "w": W}, "y", weight="w")
BINARY = fp.classification(COLUMNS | {"y": np.where(Y > 0, "up", "down")}, "y")
KEY = fp.key(6)
BODY = nn.ingress_numeric() >> nn.linear(5) >> nn.tanh() >> nn.head()


def graph(loss: Any = "mse", *steps, lr=0.05, optimizer="sgd", **model):
    chain = BODY >> loss_of(loss) >> nn.optimizer(optimizer, lr=lr)
    for step in steps:
        chain = chain >> step
    return chain >> nn.model(**{"epochs": 3, "batch_size": 4} | model)


def loss_of(loss):
    return loss if isinstance(loss, fp.Graph) else nn.loss(loss)


def trained(chain, task, **more):
    return fp.fit(chain, task, key=KEY, **more).state("model").state


def per_row(outputs, target):
    return ((outputs - target) ** 2)[:, 0] + (outputs - target).abs()[:, 0]


WEIGHTS = {"class_weight": {"a": 3.0, "b": 0.5}}
CASES = {
    "mean": ("mse", REGRESSION),
    "sum": (nn.loss("mse", reduction="sum"), REGRESSION),
    "row weights": ("mse", WEIGHTED),
    "sum with row weights": (nn.loss("huber", reduction="sum"), WEIGHTED),
    "classes": ("cross_entropy", MULTI),
    "class weights": (nn.loss("cross_entropy", **WEIGHTS), MULTI),
    "both weights": (nn.loss("cross_entropy", **WEIGHTS), MULTI_WEIGHTED),
    "summed classes": (nn.loss("cross_entropy", reduction="sum", **WEIGHTS), MULTI_WEIGHTED),
    "two classes": (nn.loss("cross_entropy", class_weight={"up": 4.0}), BINARY),
    "own": (per_row, REGRESSION),
    "own with row weights": (per_row, WEIGHTED),
}


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize(("loss", "task"), CASES.values(), ids=CASES)
def test_close_to_a_larger_batch(loss, task, interpreter):
    """Three batches of 4 update as one of 12 does; the last update of 44 rows has 2 of them."""
    lr = 0.002 if getattr(loss, "at", None) and loss.at("loss.reduction") == "sum" else 0.05
    small = trained(graph(loss, lr=lr, accumulate=3), task, interpreter=interpreter)
    large = trained(graph(loss, lr=lr, batch_size=12), task, interpreter=interpreter)
    assert fp.close(small.weights, large.weights, rtol=1e-4, atol=1e-5)
    pairs = zip(small.history, large.history, strict=True)
    assert all(a["train.loss"] == pytest.approx(b["train.loss"], rel=1e-4) for a, b in pairs)
    start = fp.prepare(graph(loss), task, key=KEY).state.weights
    assert not fp.close(small.weights, start, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_training_is_torchs(interpreter):
    """To the bit a plain loop that accumulates; batches and their number are powers of 2."""
    chain = graph(optimizer="adam", accumulate=4, drop_last=True)  # 11 batches: 4, 4, 3
    run, state = fp.prepare(chain, REGRESSION, key=KEY, interpreter=interpreter)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    for name, layer in (("linear", net[0]), ("head", net[2])):
        for part, tensor in layer.named_parameters():
            tensor.data.copy_(state.weights.params[f"{name}.{part}"])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05, foreach=False)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)[:, None]
    for epoch in (1, 2, 3):
        order, count = epoch_order(run.plan, state.key, epoch), 0
        for index in range(run.plan.batches):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            torch.nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
            count += 1
            if count == 4 or index + 1 == run.plan.batches:
                for p in net.parameters():
                    p.grad /= count
                optimizer.step()
                optimizer.zero_grad()
                count = 0
    end = fp.fold(run, state, fp.events(run.plan)).weights.params
    for name, layer in (("linear", net[0]), ("head", net[2])):
        for part, tensor in layer.named_parameters():
            found = end[f"{name}.{part}"]
            assert torch.allclose(found, tensor, rtol=1e-6, atol=1e-7)
            # After the first update, of 4 times 4 rows, nothing has been rounded otherwise.
    first = fp.fold(run, state, list(fp.events(run.plan))[:6])
    assert first.cursor.step == 4
    expected = first_update(run, state, x, y)
    assert all(torch.equal(first.weights.params[n], t) for n, t in expected.items())


def first_update(run, state, x, y):
    """Return the parameters after the first update, by torch alone."""
    params = {n: t.clone().requires_grad_() for n, t in state.weights.params.items()}
    optimizer = torch.optim.Adam(params.values(), lr=0.05, foreach=False)
    order = epoch_order(run.plan, state.key, 1)
    for index in range(4):
        rows = torch.from_numpy(batch_rows(run.plan, order, index))
        hidden = torch.nn.functional.linear(x[rows], params["linear.weight"], params["linear.bias"])
        out = torch.nn.functional.linear(hidden.tanh(), params["head.weight"], params["head.bias"])
        (torch.nn.functional.mse_loss(out, y[rows]) / 4).backward()
    optimizer.step()
    return {n: t.detach() for n, t in params.items()}


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_cuts_are_exact(interpreter):
    """Cutting the fold anywhere, in the middle of an accumulation too, moves no bit."""
    chain = graph(optimizer="adam", accumulate=3, epochs=2)
    run, start = fp.prepare(chain, WEIGHTED, key=KEY, validate=0.25, interpreter=interpreter)
    every = list(fp.events(run.plan))
    end, waiting = fp.fold(run, start, every), 0
    for cut in range(len(every)):
        middle = fp.fold(run, start, every[:cut])
        waiting += middle.pending is not None
        assert fp.same(fp.fold(run, middle, every[cut:]), end), cut
    assert waiting > run.plan.updates
    assert end.pending is None


def test_interpreters_agree():
    """Both interpreters give the same state after every event."""
    chain = graph("mse", nn.callbacks(callbacks.clip_gradients(0.1)), accumulate=3)
    run, start = fp.prepare(chain, WEIGHTED, key=KEY, interpreter="reference")
    quick = evolve(start, numerics=evolve(start.numerics, interpreter="fast"))
    every = list(fp.events(run.plan))
    for done, (state, _) in enumerate(fp.scan(run, start, every), 1):
        other = fp.fold(run, quick, every[:done])
        assert fp.same(evolve(other, numerics=state.numerics), state)


@callbacks.descriptor
class Recording(callbacks.Callback):
    """Keeps the norm of every gradient it is given, and where training stood."""

    def init(self, params):
        return ((), ())

    def after_backward(self, state, gradients):
        norm = torch.stack([g.square().sum() for g in gradients.values()]).sum().sqrt()
        return ((*state[0], float(norm)), state[1]), gradients

    def on_batch_end(self, state, moment):
        return (state[0], (*state[1], (moment.step, moment.updates, moment.updated))), moment


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_callbacks_see_the_gradient_of_all(interpreter):
    """Gradients come once per update, of all its rows; the counters tell batches and updates."""
    seen = {}
    for name, options in (
        ("small", {"accumulate": 3}),
        ("large", {"batch_size": 12}),
    ):
        chain = graph("mse", nn.callbacks(Recording()), epochs=2, **options)
        state = trained(chain, WEIGHTED, interpreter=interpreter)
        seen[name] = state.callbacks["recording"]
    assert seen["small"][0] == pytest.approx(seen["large"][0], rel=1e-4)
    assert len(seen["small"][0]) == 2 * 4
    assert [u for _, u, _ in seen["small"][1][:12]] == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    assert [s for s, _, _ in seen["small"][1]] == list(range(1, 23))
    assert [s for s, _, done in seen["small"][1] if done] == [3, 6, 9, 11, 14, 17, 20, 22]


def test_clipping_clips_the_mean():
    """Clipping is of the accumulated gradient: as with the larger batch, and not per batch."""
    clip = nn.callbacks(callbacks.clip_gradients(0.5))
    small = trained(graph("mse", clip, accumulate=11), REGRESSION)
    large = trained(graph("mse", clip, batch_size=44), REGRESSION)
    assert fp.close(small.weights, large.weights, rtol=1e-4, atol=1e-5)
    assert not fp.close(small.weights, trained(graph(accumulate=11), REGRESSION).weights, rtol=1e-3)


@callbacks.descriptor
class Freezing(callbacks.Callback):
    """Freezes the first layer after so many batches."""

    after: int = 2

    def on_batch_end(self, state, moment):
        if moment.step != self.after:
            return state, moment
        return state, moment.with_frozen({"linear.weight", "linear.bias"})


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_frozen_in_the_middle(interpreter):
    """What is frozen while its gradient waits is left alone to the bit; the rest is updated."""
    chain = graph("mse", nn.callbacks(Freezing()), optimizer="adam", accumulate=4)
    run, start = fp.prepare(chain, REGRESSION, key=KEY, interpreter=interpreter)
    end = fp.fold(run, start, fp.events(run.plan))
    for name in ("linear.weight", "linear.bias"):
        assert torch.equal(end.weights.params[name], start.weights.params[name])
    assert not torch.equal(end.weights.params["head.bias"], start.weights.params["head.bias"])


@pytest.mark.parametrize(
    ("rows", "size", "every", "batches", "updates"),
    [
        (44, 4, 3, 11, 4),
        (44, 4, 1, 11, 11),
        (44, 4, 11, 11, 1),
        (44, 4, 99, 11, 1),
        (8, 4, 2, 2, 1),
    ],
)
def test_plan(rows, size, every, batches, updates):
    """An epoch ends in an update, and none goes on into the next epoch."""
    plan = Plan(rows, 2, size, accumulate=every)
    assert (plan.batches, plan.updates) == (batches, updates)
    assert sum(plan.is_update(i) for i in range(batches)) == updates
    assert plan.is_update(batches - 1)


def test_weights_stay_between_updates():
    """Parameters and optimizer move at updates alone; buffers move with every batch."""
    body = nn.ingress_numeric() >> nn.batch_norm1d() >> nn.head() >> nn.loss("mse")
    chain = body >> nn.optimizer("adam", lr=0.1)
    chain = chain >> nn.model(epochs=1, batch_size=4, accumulate=3)
    run, before = fp.prepare(chain, REGRESSION, key=KEY)
    for after, event in fp.scan(run, before, fp.events(run.plan)):
        if isinstance(event, Batch):
            moved = not fp.same(after.weights.params, before.weights.params)
            assert moved == run.plan.is_update(event.index)
            assert fp.same(after.optimizer.slots, before.optimizer.slots) != moved
            assert not fp.same(after.weights.buffers, before.weights.buffers)
        before = after


@pytest.mark.parametrize("given", [0, -1, 1.5, "2", True, None])
def test_refused(given, refused):
    """Only a whole number from 1 on will do."""
    refused(lambda: nn.model(epochs=1, accumulate=given), ParameterError, "accumulate", None, "")
