"""Where a trained network is applied: on its own device, the one asked for, or the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.train import numerics
from fpipe.train.numerics import device_to_apply, resolve_device

X = np.linspace(-1.0, 1.0, 24)
TASK = fp.regression({"a": X, "b": X**2, "y": 3.0 * X}, "y")
KEY = fp.key(4)
CHAIN = (
    nn.ingress_numeric()
    >> nn.linear(4)
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("adam")
    >> nn.model(epochs=2, batch_size=8)
)
HERE = ("cpu", "cuda", "cuda:1")


@pytest.fixture
def two_gpus(monkeypatch):
    """Let there be two GPUs, as far as devices are looked up."""

    def resolved(device):
        if device not in HERE:
            raise ParameterError(f"the device '{device}' cannot be used.")
        return device

    monkeypatch.setattr(numerics, "resolve_device", resolved)


@pytest.mark.parametrize(
    ("asked", "recorded", "chosen"),
    [
        (None, "cpu", "cpu"),
        (None, "cuda", "cuda"),
        (None, "cuda:1", "cuda:1"),
        (None, "cuda:2", "cpu"),
        (None, "xpu", "cpu"),
        ("cpu", "cuda", "cpu"),
        ("cuda:1", "cuda", "cuda:1"),
        ("cuda", "cpu", "cuda"),
    ],
)
def test_which_device(two_gpus, asked, recorded, chosen):
    """What is asked counts; else where it was trained; else the CPU."""
    assert device_to_apply(asked, recorded) == chosen


def test_a_device_that_is_asked_for_must_be_there(two_gpus):
    """The CPU stands in for what was recorded, never for what is asked."""
    with pytest.raises(ParameterError, match="'cuda:2' cannot be used"):
        device_to_apply("cuda:2", "cpu")


def test_what_a_gpu_has_trained_predicts_without_it(monkeypatch):
    """A state that records a device that is not here predicts on the CPU, to the bit."""
    fitted = fp.fit(CHAIN, TASK, key=KEY)
    trained = fitted.state("model")
    elsewhere = evolve(trained.state, numerics=evolve(trained.state.numerics, device="cuda:63"))
    states = fitted.states.set("model", evolve(trained, state=elsewhere))
    moved = evolve(fitted, states=states)
    assert fp.predict(moved, TASK) == fp.predict(fitted, TASK)
    with pytest.raises(ParameterError, match="'cuda:63' cannot be used"):
        fp.predict(moved, TASK, device="cuda:63")
    used = []
    monkeypatch.setattr(numerics, "resolve_device", lambda d: used.append(d) or "cpu")
    fp.predict(moved, TASK)
    fp.predict(moved, TASK, device="cpu")
    assert used == ["cuda:63", "cpu"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_predicts_what_it_has_trained():
    """Trained on a GPU and predicted there by default, with the bits of asking for it."""
    fitted = fp.fit(CHAIN, TASK, key=KEY, device="cuda")
    assert resolve_device(fitted.state("model").state.numerics.device) == "cuda"
    assert fp.predict(fitted, TASK) == fp.predict(fitted, TASK, device="cuda")
