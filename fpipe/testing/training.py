"""Strategies for training: plans, and small runs with everything switched on at times."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pyrsistent import pmap

from fpipe.core.key import Key
from fpipe.core.value import evolve
from fpipe.measure.loss import CrossEntropy, Huber, Loss, MeanSquaredError, Quantile, own_loss
from fpipe.optim.optimizer import Optimizer
from fpipe.testing.callbacks import callbacks, optimizers
from fpipe.testing.networks import networks
from fpipe.testing.values import keys
from fpipe.train.numerics import resolve_numerics
from fpipe.train.plan import Plan
from fpipe.train.run import Examples, Run, Stopping
from fpipe.train.state import TrainState
from fpipe.train.step import initial_state


def softened(outputs: torch.Tensor, target: torch.Tensor, *, width: float) -> torch.Tensor:
    """Return ``width * (sqrt(1 + (error / width)**2) - 1)`` per row: a loss of the user's own."""
    errors = (outputs - target) / width
    return width * ((1.0 + errors**2).sqrt() - 1.0)


_OF_NUMBERS: tuple[Loss, ...] = (
    MeanSquaredError(),
    Huber(delta=0.5),
    Quantile(q=0.3),
    own_loss(softened, {"width": 0.5}),
)
_ENTROPIES = tuple(
    CrossEntropy(label_smoothing=share, class_weight=weights)
    for share in (0.0, 0.2)
    for weights in (None, pmap({"v": 3.0}))
)
_LOSSES: dict[int, SearchStrategy[Loss]] = {
    0: st.sampled_from(_OF_NUMBERS),
    2: st.sampled_from([one.bound(("u", "v")) for one in _ENTROPIES]),
    3: st.sampled_from([one.bound(("u", "v", "w")) for one in _ENTROPIES]),
}
"""Number of classes (0 for numbers) → losses."""


class Training(NamedTuple):
    """A run and the state before its first event."""

    run: Run
    state: TrainState


def plans(
    *,
    rows: tuple[int, int] = (4, 9),
    validates: bool | None = None,
    epochs: tuple[int, int] = (1, 2),
) -> SearchStrategy[Plan]:
    """Plans of a few batches, none with a single row.

    Args:
        rows: fewest and most training rows, at least 2.
        validates: whether there are validation rows; either by default.
        epochs: fewest and most epochs.
    """
    return _plans(rows, validates, epochs)


def runs(
    *, plan: SearchStrategy[Plan] | None = None, patience: bool | None = None
) -> SearchStrategy[Training]:
    """Runs with a random network, loss, optimizer, plan and data, in the fast interpreter.

    Args:
        plan: how it goes through the rows; any of `plans` by default.
        patience: whether early stopping is on (then there are validation rows); either.
    """
    chosen = plans(validates=True if patience else None) if plan is None else plan
    return _runs(chosen, patience)


@st.composite
def _plans(
    draw: DrawFn, rows: tuple[int, int], validates: bool | None, epochs: tuple[int, int]
) -> Plan:
    n = draw(st.integers(*rows))
    size = draw(st.integers(2, max(2, min(n, 4))))
    alone = n % size == 1
    return Plan(
        rows=n,
        epochs=draw(st.integers(*epochs)),
        batch_size=size,
        shuffle=draw(st.booleans()),
        drop_last=alone or draw(st.booleans()),
        eval_every=draw(st.integers(1, 2)),
        validates=draw(st.booleans()) if validates is None else validates,
        accumulate=draw(st.sampled_from([1, 1, 2, 3])),
    )


@st.composite
def _runs(draw: DrawFn, plan: SearchStrategy[Plan], patience: bool | None) -> Training:
    chosen = draw(plan)
    size = draw(st.sampled_from([1, 1, 3]))
    classes = size > 1 or draw(st.booleans())
    network = draw(networks(width=2, out=size, max_layers=3))
    seed = draw(st.integers(0, 2**20))
    weighted = draw(st.booleans())
    key = draw(keys())
    names = tuple(sorted(network.init(key)[0]))
    optimizer = draw(_grouped(names))
    known = optimizer.settings()
    run = Run(
        network=network,
        keys=pmap({path: key.fold_in("layers").fold_in(path) for path in network.layers}),
        loss=draw(_LOSSES[max(size, 2) if classes else 0]),
        optimizer=optimizer,
        plan=chosen,
        train=_examples(chosen.rows, size, classes, weighted, seed),
        valid=_examples(3, size, classes, weighted, seed + 1) if chosen.validates else None,
        stopping=_stopping(draw, chosen, patience),
        predict_batch=draw(st.integers(1, 4)),
        callbacks=draw(callbacks(names, momentum=not {"momentum", "betas"}.isdisjoint(known))),
    )
    return started(run, key)


@st.composite
def _grouped(draw: DrawFn, names: tuple[str, ...]) -> Optimizer:
    """Optimizers, some with settings of its own for one parameter."""
    optimizer = draw(optimizers())
    if not names or draw(st.integers(0, 2)):
        return optimizer
    groups: Any = {draw(st.sampled_from(names)): {"lr": 0.03}}
    return evolve(optimizer, groups=groups)


def started(run: Run, key: Key, interpreter: str = "fast") -> Training:
    """Return a run with the state before its first event."""
    return Training(run, initial_state(run, key, resolve_numerics(interpreter)))


def _stopping(draw: DrawFn, plan: Plan, patience: bool | None) -> Stopping:
    if not plan.validates:
        return Stopping()
    wanted = draw(st.booleans()) if patience is None else patience
    settings: dict[str, Any] = {"keep_best": draw(st.booleans())}
    if wanted:
        settings |= {"patience": 1, "min_delta": draw(st.sampled_from([0.0, 10.0]))}
    return Stopping(**settings)


def _examples(rows: int, size: int, classes: bool, weighted: bool, seed: int) -> Examples:
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, generator=draws)
    if size > 1:
        target = torch.randint(0, size, (rows,), generator=draws)
    elif classes:
        target = torch.randint(0, 2, (rows, 1), generator=draws).to(torch.float32)
    else:
        target = torch.randn(rows, 1, generator=draws)
    weights = torch.rand(rows, generator=draws) + 0.5 if weighted else None
    return Examples(pmap({"x": x}), target, weights, rows)
