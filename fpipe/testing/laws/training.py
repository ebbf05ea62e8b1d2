"""Law 5: training is a fold; it may be cut anywhere, and both interpreters mean the same."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch
from pyrsistent import pmap
from torch import Tensor

from fpipe.catalogue import catalogue
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.codec.canonical import canonical_bytes
from fpipe.core.equality import same
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.value import evolve
from fpipe.measure.loss import WeightedCrossEntropy
from fpipe.net.layer import Draw, Keep, Normal, Uniform
from fpipe.net.network import make_draws, planned_draws
from fpipe.optim.optimizer import OptimizerState
from fpipe.optim.sgd import SGD
from fpipe.soundness import CHECKS
from fpipe.testing.laws.asserting import agree, near
from fpipe.train.clip import ClipGradients
from fpipe.train.fold import fold, fold_to, scan
from fpipe.train.following import FollowScore
from fpipe.train.gradient import evaluate
from fpipe.train.numerics import INTERPRETERS
from fpipe.train.plan import Batch, End, EpochEnd, Plan, Validate, batch_rows, epoch_order, events
from fpipe.train.resuming import Reached, continued
from fpipe.train.run import Run, Stopping
from fpipe.train.stages import evaluated
from fpipe.train.state import TrainState
from fpipe.train.step import step

_LAWS = "fpipe.testing"
"""Where callbacks that laws are tried with have their code."""


def folds_may_be_cut(run: Run, state: TrainState) -> None:
    """``fold(s, a + b) == fold(fold(s, a), b)`` at every cut, in every interpreter."""
    every = tuple(events(run.plan))
    for interpreter in INTERPRETERS[1:]:
        start = _in(state, interpreter)
        whole = fold(run, start, every)
        agree(fold(run, start, ()), start, "the fold of nothing")
        for cut in range(1, len(every)):
            first = fold(run, start, every[:cut])
            agree(fold(run, first, every[cut:]), whole, f"the {interpreter} fold cut at {cut}")


def cuts_may_go_through_files(run: Run, state: TrainState) -> None:
    """Going on from a state that was saved and loaded is going on from the state."""
    every, known = tuple(events(run.plan)), catalogue(_LAWS)
    whole = fold(run, state, every)
    for cut in range(1, len(every), 3):
        reached = Reached(fold(run, state, every[:cut]), run.plan, run.callbacks)
        back = from_bytes(to_bytes(reached, CHECKS), known)
        agree(back, reached, f"what was loaded at {cut}")
        gone_on = continued(run, state, back)
        agree(fold(run, gone_on, every[cut:]), whole, f"the fold cut at {cut} by a file")


def fast_is_reference(run: Run, state: TrainState) -> None:
    """The fast fold is the reference fold, to the bit."""
    every = tuple(events(run.plan))
    fast, reference = (fold(run, _in(state, name), every) for name in ("fast", "reference"))
    agree(_in(fast, "reference"), reference, "the fast state")
    for whole in (fast, reference):
        start = _in(state, whole.numerics.interpreter)
        *_, (last, _) = fold_to(run, start, every, lambda event: isinstance(event, EpochEnd))
        agree(last, whole, "the fold by epochs")


def scan_is_fold(run: Run, state: TrainState) -> None:
    """The last state of ``scan`` is that of ``fold``; there is one per event, made lazily."""
    every = tuple(events(run.plan))
    found = list(scan(run, state, every))
    assert [event for _, event in found] == list(every)
    agree(found[-1][0], fold(run, state, every), "the last state")
    agree(next(scan(run, state, iter(every)))[0], found[0][0], "the first state")


def states_stay_usable(run: Run, state: TrainState) -> None:
    """Folding on from a state changes neither it nor what it gives when used again."""
    every = tuple(events(run.plan))
    for interpreter in INTERPRETERS[1:]:
        middle = fold(run, _in(state, interpreter), every[: len(every) // 2])
        before, versions = canonical_bytes(middle), _versions(middle)
        one = fold(run, middle, every[len(every) // 2 :])
        kept = canonical_bytes(one)
        two = fold(run, middle, every[len(every) // 2 :])
        agree(one, two, "the second use")
        assert canonical_bytes(middle) == before, "the state was changed"
        assert _versions(middle) == versions, "a tensor of the state was written to"
        assert canonical_bytes(one) == kept, "a state made earlier was changed"


def stopped_states_stay(run: Run, state: TrainState) -> None:
    """A stopped state is a fixed point of every event but End, in both interpreters."""
    middle = fold(run, state, list(events(run.plan))[:-1])
    stopped = evolve(middle, stopped=True)
    for event in tuple(events(run.plan))[:-1]:
        for interpreter in INTERPRETERS[1:]:
            held = _in(stopped, interpreter)
            agree(step(run, held, event), held, f"a stopped state after {event!r}")
            agree(fold(run, held, [event]), held, f"a stopped state after {event!r}")
    ended = step(run, stopped, End())
    assert ended.cursor.ended
    assert ended.result is not None
    agree(ended.weights, stopped.weights, "the weights after End")


def end_keeps_going_possible(run: Run, state: TrainState) -> None:
    """End records a result and changes nothing else."""
    middle = fold(run, state, list(events(run.plan))[:-1])
    ended = step(run, middle, End())
    chosen = middle.best.weights if run.stopping.keep_best and middle.best else None
    present = evaluated(run.callbacks, middle.callbacks, middle.weights)
    agree(ended.result, chosen or present, "the result")
    undone = evolve(ended, result=middle.result, cursor=middle.cursor)
    agree(undone, middle, "the rest of the state")


def steps_are_counted(run: Run, state: TrainState) -> None:
    """The cursor counts batches, callbacks and optimizers count updates, and history epochs."""
    done, epochs, updates = 0, 0, 0
    learned: dict[str, int] = dict.fromkeys(state.weights.params, 0)
    clips = [name for name, one in run.callbacks if isinstance(one, ClipGradients)]
    for reached, event in scan(run, state, events(run.plan)):
        if not reached.stopped:
            epochs = max(epochs, getattr(event, "epoch", 0))
            done += isinstance(event, Batch)
            if isinstance(event, Batch) and run.plan.is_update(event.index):
                updates += 1
                learned.update({n: k + 1 for n, k in learned.items() if n not in reached.frozen})
        assert reached.cursor.step == done
        assert all(len(reached.callbacks[name]) == updates for name in clips)
        for name, slots in reached.optimizer.slots.items():
            assert float(slots.get("step", 0)) in (0, learned[name]), f"the steps of {name}"
    assert len(reached.history) == epochs
    assert [row["epoch"] for row in reached.history] == list(range(1, epochs + 1))
    if not reached.stopped:
        assert done == run.plan.batches * run.plan.epochs
        assert updates == run.plan.updates * run.plan.epochs


def events_have_a_grammar(plan: Plan) -> None:
    """``Begin (EpochBegin Batch* EpochEnd Validate?)* End``, with as many as the plan says."""
    words = " ".join(type(event).__name__ for event in events(plan))
    batch = f"( Batch){{{plan.batches}}}"
    epoch = f"( EpochBegin{batch} EpochEnd( Validate)?){{{plan.epochs}}}"
    assert re.fullmatch(f"Begin{epoch} End", words), words
    judged = [event.epoch for event in events(plan) if isinstance(event, Validate)]
    wanted = [e for e in range(1, plan.epochs + 1) if e % plan.eval_every == 0 or e == plan.epochs]
    assert judged == (wanted if plan.validates else [])


def epochs_cover_rows(plan: Plan, key: Key) -> None:
    """Each epoch takes each row once (but a dropped rest); shuffled epochs differ."""
    orders = []
    for epoch in range(1, plan.epochs + 1):
        order = epoch_order(plan, key, epoch)
        taken = [batch_rows(plan, order, index) for index in range(plan.batches)]
        rows = np.concatenate(taken)
        assert len(set(rows.tolist())) == len(rows)
        dropped = plan.rows % plan.batch_size if plan.drop_last else 0
        assert len(rows) == plan.rows - dropped
        assert set(rows.tolist()) <= set(range(plan.rows))
        assert all(len(batch) <= plan.batch_size for batch in taken)
        orders.append(order.tolist())
    if not plan.shuffle:
        assert all(order == list(range(plan.rows)) for order in orders)
    elif plan.rows >= 12 and plan.epochs > 1:
        assert len(set(map(tuple, orders))) == plan.epochs, "two epochs have one order"


def a_step_descends(run: Run, state: TrainState) -> None:
    """The first update of plain SGD is ``params - lr * gradient``, written out by hand.

    The gradient is that of the mean over all batches that make the update.
    """
    rate = 0.125
    plain = evolve(run, optimizer=SGD(lr=rate), callbacks=())
    begun = evolve(state, callbacks=pmap(), optimizer=OptimizerState())
    first = fold(plain, begun, list(events(run.plan))[:2])
    many = min(run.plan.accumulate, run.plan.batches)
    reached = fold(plain, first, [Batch(1, index) for index in range(many)])
    order = epoch_order(run.plan, state.key, 1)
    leaves = {name: p.clone().requires_grad_() for name, p in first.weights.params.items()}
    buffers: Any = first.weights.buffers
    parts: list[tuple[Tensor, float]] = []
    for index in range(many):
        batch = run.train.take(batch_rows(run.plan, order, index))
        draws = make_draws(planned_draws(run.network, batch.shapes), run.keys, index)
        (out,), buffers = run.network.apply(leaves, buffers, batch.inputs, draws, training=True)
        buffers = pmap({name: tensor.detach() for name, tensor in buffers.items()})
        assert batch.target is not None
        share = _counted(run, batch.target, batch.weights)
        parts.append((run.loss.value(out, batch.target, batch.weights), share))
    whole = sum(share for _, share in parts)
    loss = torch.stack([part * share for part, share in parts]).sum()
    if loss.requires_grad:
        (loss / whole).backward()  # type: ignore[no-untyped-call]
    for name, leaf in leaves.items():
        moved = leaf if leaf.grad is None else leaf - rate * leaf.grad
        near(reached.weights.params[name], moved.detach(), f"parameter {name}", 1e-5, 1e-6)
    near(dict(reached.weights.buffers), dict(buffers), "the buffers", 1e-5, 1e-6)
    near(reached.totals.share, whole, "the share of the batches", 1e-5, 1e-6)
    near(reached.totals.loss, loss.item(), "the loss", 1e-5, 1e-6)


def _counted(run: Run, target: Tensor, weights: Tensor | None) -> float:
    """Return what the rows of a batch count together: row weights times class weights."""
    each = torch.ones(len(target)) if weights is None else weights
    if isinstance(run.loss, WeightedCrossEntropy):
        codes = target.reshape(-1).to(torch.int64)
        each = each * torch.tensor([run.loss.weights[code] for code in codes.tolist()])
    return each.sum().item()


def draws_follow_steps(run: Run, key: Key) -> None:
    """What is drawn depends on the layer's key and the step alone, and differs between both."""
    planned = planned_draws(run.network, {"x": (64, 2)})
    keys = {path: key.fold_in(path) for path in run.network.layers}
    torch.manual_seed(1)
    one, again = make_draws(planned, keys, 3), make_draws(planned, keys, 3)
    agree(one, again, "the draws of one step")
    other = make_draws(planned, keys, 4)
    elsewhere = make_draws(planned, {path: k.fold_in("x") for path, k in keys.items()}, 3)
    for path, name, draw in planned:
        drawn = one[path][name]
        _is_spread(drawn, draw)
        unsure = not isinstance(draw, Keep) or draw.p == 0.5
        if unsure and drawn.numel() >= 64:
            assert not same(drawn, other[path][name]), "two steps drew the same"
            assert not same(drawn, elsewhere[path][name]), "two keys drew the same"


def validation_is_unlearned(run: Run, state: TrainState) -> None:
    """Weights do not depend on validation rows where nothing stops or turns on them."""
    deaf = tuple(pair for pair in run.callbacks if not isinstance(pair[1], FollowScore))
    run = evolve(run, stopping=Stopping(), callbacks=deaf)
    bare = evolve(run, valid=None, plan=evolve(run.plan, validates=False))
    seen = evolve(run, valid=run.train, plan=evolve(run.plan, validates=True))
    one, two = (fold(each, state, events(each.plan)) for each in (bare, seen))
    agree(one.weights, two.weights, "the weights")
    agree(one.optimizer, two.optimizer, "the optimizer's state")


def stopping_counts(run: Run, state: TrainState) -> None:
    """Best, stagnation and stopping are what the history says, and the result is the best."""
    final = fold(run, state, events(run.plan))
    scores = [(row["epoch"], row["valid.loss"]) for row in final.history if "valid.loss" in row]
    best, waited, stopped = (math.inf, 0.0), 0, False
    for epoch, score in scores:
        assert not stopped, "training went on after it had stopped"
        if score < best[0] - run.stopping.min_delta:
            best, waited = (score, epoch), 0
        else:
            waited += 1
        stopped = 0 < run.stopping.patience <= waited
    assert (final.stopped, final.stagnation) == (stopped, waited)
    assert final.best is not None
    assert (final.best.score, final.best.epoch) == best
    if run.stopping.keep_best:
        agree(final.result, final.best.weights, "the result")
        _scores(run, final, best[0])


def _scores(run: Run, final: TrainState, score: float) -> None:
    assert run.valid is not None
    assert run.valid.target is not None
    assert final.result is not None
    (outputs,) = evaluate(run.network, final.result, run.valid, 64, final.numerics)
    loss = run.loss.value(outputs, run.valid.target, run.valid.weights)
    near(loss.item(), score, "the best loss", 1e-5, 1e-6)


def _is_spread(drawn: Tensor, draw: Draw) -> None:
    """Raise AssertionError where what was drawn is not spread as its declaration says."""
    mean = drawn.to(torch.float64).mean().item()
    if isinstance(draw, Keep):
        assert abs(mean - draw.p) < 0.45, f"{mean} of the draws are kept, not {draw.p}"
    elif isinstance(draw, Uniform):
        middle, width = (draw.low + draw.high) / 2.0, draw.high - draw.low
        assert draw.low <= drawn.min().item(), "a number is below the interval"
        assert drawn.max().item() <= draw.high, "a number is above the interval"
        assert abs(mean - middle) <= 0.3 * width, f"the mean is {mean}, not {middle}"
    elif isinstance(draw, Normal):
        assert abs(mean - draw.mean) <= draw.std, f"the mean is {mean}, not {draw.mean}"


def _in(state: TrainState, interpreter: str) -> TrainState:
    return evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))


def _versions(state: TrainState) -> list[Any]:
    tensors = [*state.weights.params.items(), *state.weights.buffers.items()]
    return sorted((name, tensor._version) for name, tensor in tensors)  # noqa: SLF001


TRAINING = (
    Law("folds may be cut", "fold(s, a + b) == fold(fold(s, a), b) at every cut", folds_may_be_cut),
    Law(
        "cuts may go through files",
        "fold(load(save(fold(s, a))), b) == fold(s, a + b)",
        cuts_may_go_through_files,
    ),
    Law("fast is reference", "the fast fold is the reference, to the bit", fast_is_reference),
    Law("scan is fold", "the last state of scan is fold's", scan_is_fold),
    Law("states stay usable", "folding on from a state does not change it", states_stay_usable),
    Law("stopped states stay", "a stopped state is fixed but for End", stopped_states_stay),
    Law("End keeps going possible", "End records a result only", end_keeps_going_possible),
    Law("steps are counted", "the cursor counts batches", steps_are_counted),
    Law("events have a grammar", "events come as the plan says", events_have_a_grammar),
    Law("epochs cover rows", "each epoch takes each row once", epochs_cover_rows),
    Law("a step descends", "one SGD step is params - lr * gradient", a_step_descends),
    Law("draws follow steps", "draws depend on layer key and step alone", draws_follow_steps),
    Law("validation is unlearned", "weights ignore validation rows", validation_is_unlearned),
    Law("stopping counts", "early stopping is what the history says", stopping_counts),
)
