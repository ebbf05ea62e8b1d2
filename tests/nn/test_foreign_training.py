"""Foreign modules in training: what they draw comes from the key."""

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn

X = np.linspace(-1.0, 1.0, 24)
TASK = fp.regression({"a": X, "b": X**2, "y": X * 3.0 + 1.0}, "y")


class Drops(torch.nn.Module):
    """A module with dropout of its own, in and out of place."""

    def __init__(self, p):
        super().__init__()
        self.linear = torch.nn.Linear(2, 6)
        self.p = p

    def forward(self, x):
        hidden = torch.nn.functional.dropout(self.linear(x), self.p, self.training)
        return torch.nn.functional.alpha_dropout(hidden, self.p, self.training)


class Attends(torch.nn.Module):
    """Attention with dropout over the features as tokens."""

    def __init__(self):
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(4, 2, dropout=0.3, batch_first=True)

    def forward(self, x):
        tokens = x[:, :, None].expand(-1, -1, 4)
        return self.attention(tokens, tokens, tokens, need_weights=False)[0].flatten(1)


def graph(module, *args):
    return (
        nn.ingress_numeric()
        >> nn.module(module, *args)
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.05)
        >> nn.model(epochs=3, batch_size=8)
    )


@pytest.mark.parametrize(
    "module",
    [(torch.nn.Dropout, 0.5), (Drops, 0.4), (Attends,)],
    ids=["dropout", "own", "attention"],
)
@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_same_key_same_bits(module, interpreter):
    """Two fits under one key are the same, other keys differ, global generators do not move."""
    chain = graph(*module)
    before = torch.get_rng_state()
    first = fp.fit(chain, TASK, key=fp.key(3), interpreter=interpreter)
    torch.manual_seed(11)
    moved = torch.get_rng_state()
    second = fp.fit(chain, TASK, key=fp.key(3), interpreter=interpreter)
    other = fp.fit(chain, TASK, key=fp.key(4), interpreter=interpreter)
    state = first.state("model").state
    assert torch.equal(torch.get_rng_state(), moved)
    torch.set_rng_state(before)
    assert fp.same(state, second.state("model").state)
    assert not fp.same(state.weights, other.state("model").state.weights)


def test_modules_drop_while_training_only():
    """A foreign dropout acts in training and not at prediction."""
    fitted = fp.fit(graph(Drops, 0.4), TASK, key=fp.key(3))
    once, again = fp.predict(fitted, TASK), fp.predict(fitted, TASK)
    assert once == again
    losses = fitted.state("model").history[-1]["train.loss"]
    truth, response = once.truth.to_numpy(), once.response.to_numpy()
    assert abs(losses - float(np.mean((truth - response) ** 2))) > 1e-3


def test_steps_draw_anew():
    """Two steps of one run draw different masks."""
    chain = graph(torch.nn.Dropout, 0.5)
    run, state = fp.prepare(chain.set({"optimizer.lr": 0.0}), TASK, key=fp.key(0))
    losses = [
        s.totals.loss / s.totals.share
        for s, e in fp.scan(run, state, fp.events(run.plan))
        if s.totals.share
    ]
    assert len(set(losses)) > 3
