"""What the world is told of a training while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fpipe.graph.context import Context, Keeper
from fpipe.train.plan import Batch, Begin, End, EpochBegin, EpochEnd, Event, Plan, Validate
from fpipe.train.resuming import Reached, starting
from fpipe.train.run import Run
from fpipe.train.state import TrainState


def wanted(run: Run, context: Context) -> Callable[[Event], bool]:
    """Return whether the state after an event is wanted: by a keeper, or to report."""
    keepers = context.keepers

    def tells(event: Event) -> bool:
        return _ends_epoch(run.plan, event) or _is_kept(run.plan, keepers, event)

    return tells


def tell(run: Run, context: Context, state: TrainState, event: Event) -> None:
    """Report the end of an epoch, and give the state to those who want it."""
    if _ends_epoch(run.plan, event):
        report(context, "epoch", run.plan, state)
    if _is_kept(run.plan, context.keepers, event):
        context.keep({"kind": "state", "state": Reached(state, run.plan, run.callbacks)})


def report(context: Context, kind: str, plan: Plan, state: TrainState) -> None:
    """Report where training stands.

    Args:
        context: the surroundings of the model.
        kind: ``"begin"``, ``"epoch"`` or ``"end"``.
        plan: how training goes through the rows.
        state: where it stands.
    """
    last: dict[str, Any] = dict(state.history[-1]) if state.history else {}
    at = {"epochs": plan.epochs, "epoch": state.cursor.epoch, "step": state.cursor.step}
    rates = {} if kind == "begin" else _rates(state)
    context.report({**last, **rates, "kind": kind, **at, "stopped": state.stopped})


def report_resumed(context: Context, run: Run, reached: Reached) -> None:
    """Report that training goes on, and which callbacks start only now."""
    at = {"epoch": reached.state.cursor.epoch, "step": reached.state.cursor.step}
    new = tuple(name for name, _ in starting(run, reached))
    context.report({"kind": "resume", "epochs": run.plan.epochs, **at, "new_callbacks": new})


def _rates(state: TrainState) -> dict[str, float]:
    """Return the learning rate of every parameter group; one of them is ``lr``."""
    rates = [group["lr"] for group in state.optimizer.settings if "lr" in group]
    if len(set(rates)) == 1:
        return {"lr": float(rates[0])}
    return {f"lr.{place}": float(rate) for place, rate in enumerate(rates)}


def _is_kept(plan: Plan, keepers: tuple[Keeper, ...], event: Event) -> bool:
    """Tell whether a keeper wants the state after an event."""
    if not keepers or isinstance(event, Begin | EpochBegin | End):
        return False
    if isinstance(event, Batch):
        step = (event.epoch - 1) * plan.batches + event.index + 1
        return any(keeper.due("batch", step) for keeper in keepers)
    return _ends_epoch(plan, event) and any(k.due("epoch", event.epoch) for k in keepers)


def _ends_epoch(plan: Plan, event: Event) -> bool:
    """Tell whether an event is the last of an epoch."""
    judged = isinstance(event, EpochEnd) and plan.validates and plan.evaluates(event.epoch)
    return isinstance(event, Validate) or (isinstance(event, EpochEnd) and not judged)
