"""The scale of the loss in float16 against torch.amp.GradScaler on a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import callbacks, nn
from fpipe.core.errors import StateError
from fpipe.core.value import evolve
from fpipe.train.plan import Batch, batch_rows, epoch_order
from fpipe.train.scaling import LossScale, all_finite

RNG = np.random.default_rng(3)
X = RNG.normal(size=(48, 4)).astype(np.float32)
Y = (40.0 * X[:, 0] + 5.0).astype(np.float32)
TASK = fp.regression({f"x{i}": X[:, i] for i in range(4)} | {"y": Y}, "y")
KEY = fp.key(8)


def prepared(interpreter="fast", **model):
    settings = {"epochs": 3, "batch_size": 8} | model
    chain = (
        nn.ingress_numeric()
        >> nn.linear(6)
        >> nn.relu()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=0.05)
        >> nn.model(**settings)
    )
    return fp.prepare(chain, TASK, key=KEY, precision="float16", interpreter=interpreter)


def plain_loop(run, state, scaler):
    """Train with torch alone; yield scale and parameters after every batch."""
    params = state.weights.params
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1))
    for name, layer in (("linear", net[0]), ("head", net[2])):
        for part, tensor in layer.named_parameters():
            tensor.data.copy_(params[f"{name}.{part}"])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05, foreach=False)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)[:, None]
    every = run.plan.accumulate
    for epoch in range(1, run.plan.epochs + 1):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(run.plan.batches):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            with torch.autocast("cpu", dtype=torch.float16):
                loss = torch.nn.functional.mse_loss(net(x[rows]), y[rows])
            scaler.scale(loss).backward()
            if (index + 1) % every == 0:
                scaler.unscale_(optimizer)
                for p in net.parameters():
                    p.grad /= every  # the mean of the batches
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
            yield scaler.get_scale(), [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(("start", "growth"), [(2.0**16, 2000), (2.0**13, 2), (4.0, 3)])
def test_scale_skips_and_weights_are_torchs(interpreter, accumulate, start, growth):
    """Scale and weights after every batch are those of GradScaler, overflows included."""
    run, state = prepared(interpreter, accumulate=accumulate)
    assert state.scale == LossScale()
    state = evolve(state, scale=LossScale(start, growth=growth))
    scaler = torch.amp.GradScaler("cpu", init_scale=start, growth_interval=growth)
    expected, scales, before, kept = plain_loop(run, state, scaler), [], None, 0
    for event in fp.events(run.plan):
        state = fp.fold(run, state, [event])
        if not isinstance(event, Batch):
            continue
        scale, weights = next(expected)
        names = ("linear.weight", "linear.bias", "head.weight", "head.bias")
        found = [state.weights.params[name] for name in names]
        assert state.scale.scale == scale
        assert all(map(torch.equal, found, weights))
        kept += before is not None and all(map(torch.equal, before, found))
        scales.append(scale)
        before = found
    if start > 1e4:
        assert min(scales) < start  # at least one update overflowed, and was left out
        assert kept > 0
    if growth < 10:
        assert any(b > a for a, b in zip(scales, scales[1:], strict=False))


def test_interpreters_and_cuts_agree():
    """Whole states agree, wherever the fold is cut, also where updates are left out."""
    run, start = prepared("fast", accumulate=4)
    every = list(fp.events(run.plan))
    end = fp.fold(run, start, every)
    slow = evolve(start, numerics=evolve(start.numerics, interpreter="reference"))
    other = fp.fold(run, slow, every)
    assert fp.same(evolve(other, numerics=end.numerics), end)
    assert end.scale.scale < LossScale().scale
    for cut in range(0, len(every), 3):
        assert fp.same(fp.fold(run, fp.fold(run, start, every[:cut]), every[cut:]), end)


def test_only_float16_scales():
    """Other precisions have no scale."""
    chain = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1)
    chain = chain >> nn.model(epochs=1)
    for precision in ("float32", "float64", "bfloat16"):
        assert fp.prepare(chain, TASK, key=KEY, precision=precision).state.scale is None


@callbacks.descriptor
class Counting(callbacks.Callback):
    """Counts what it sees of updates."""

    def init(self, params):
        return (0, 0)

    def after_backward(self, state, gradients):
        assert all(bool(g.isfinite().all()) for g in gradients.values())
        return (state[0] + 1, state[1]), gradients

    def after_step(self, state, weights):
        return (state[0], state[1] + 1)


def test_callbacks_see_updates_that_are_made():
    """Callbacks see unscaled, finite gradients, and nothing of an update that is left out."""
    run, start = prepared()
    counting = nn.callbacks(Counting())
    body = nn.ingress_numeric() >> nn.linear(6) >> nn.relu() >> nn.head() >> nn.loss("mse")
    chain = body >> nn.optimizer("adam", lr=0.05) >> counting >> nn.model(epochs=3, batch_size=8)
    fitted = fp.fit(chain, TASK, key=KEY, precision="float16")
    seen = fitted.state("model").callbacks["counting"]
    state, moved = start, 0
    for event in fp.events(run.plan):
        after = fp.fold(run, state, [event])
        moved += not fp.same(after.weights.params, state.weights.params)
        state = after
    assert seen == (moved, moved)
    assert 0 < moved < run.plan.epochs * run.plan.batches


def test_scale_has_ends():
    """It grows as long as float32 holds it, as torch's does, and a hopeless one is an error."""
    top = LossScale(2.0**127, good=1, growth=2).after(finite=True)
    assert (top.scale, top.good) == (2.0**127, 0)
    assert LossScale(2.0**126, growth=1).after(finite=True).scale == 2.0**127
    scale = LossScale()
    with pytest.raises(StateError, match="whatever the loss is scaled by") as caught:
        for _ in range(100):
            scale = scale.after(finite=False)
    assert scale.scale == 2.0**-24
    assert caught.value.expected
    assert caught.value.got
    assert "bfloat16" in caught.value.fix


def test_all_finite():
    """One NaN or infinity anywhere counts; a missing gradient does not."""
    good = torch.ones(2)
    assert all_finite({"a": good, "b": None})
    for bad in (np.nan, np.inf, -np.inf):
        assert not all_finite({"a": good, "b": torch.tensor([1.0, bad])})
