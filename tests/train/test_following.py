"""Schedules as callbacks: the rates of a run are those of torch's schedulers in a plain loop."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from pyrsistent import pmap, pvector
from torch.optim import lr_scheduler as lrs

import fpipe as fp
from fpipe import callbacks as cb
from fpipe import nn
from fpipe.core.errors import FpipeError, ParameterError, StateError
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import evolve
from fpipe.optim.schedules import Exponential, Plateau
from fpipe.train.following import FollowSchedule
from fpipe.train.plan import Batch, batch_rows, epoch_order

RNG = np.random.default_rng(4)
X = RNG.normal(size=(35, 2)).astype(np.float32)
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "y": X[:, 0] - X[:, 1] ** 2}, "y")
KEY = fp.key(3)
EPOCHS, SIZE = 6, 10
INTERPRETERS = ["reference", "fast"]
START = {"sgd": {"lr": 0.1, "momentum": 0.9}, "adam": {"lr": 0.1, "betas": (0.9, 0.99)}}
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


@cb.descriptor
class Record(cb.Callback):
    """Remembers settings as they are when a batch begins, after all other callbacks."""

    order = 9.0

    def init(self, params):
        return pvector()

    def on_batch_begin(self, state, moment):
        return state.append(moment.settings), moment


def graph(*given, kind="sgd", accumulate=1, **model):
    optimizer = nn.optimizer(kind, **START[kind], groups={"*.bias": {"lr": 0.03}})
    chain = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> optimizer
    chain = chain >> nn.callbacks(Record(), *given)
    return chain >> nn.model(epochs=EPOCHS, batch_size=SIZE, accumulate=accumulate, **model)


def folded(*given, interpreter="fast", validate=None, **more):
    run, state = fp.prepare(graph(*given, **more), TASK, key=KEY, validate=validate)
    state = evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))
    return run, fp.fold(run, state, fp.events(run.plan))


def numbers(settings):
    """Rates and momenta of all groups as one flat tuple."""
    return [
        x
        for group in settings
        for x in (group["lr"], *group.get("betas", (group.get("momentum", 0.0),)))
    ]


def rates(state):
    return [numbers(settings) for settings in state.callbacks["record"]]


def torchs(make, kind="sgd", accumulate=1, per="epoch"):
    """What holds for every batch in a plain loop of torch with schedulers."""
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.03},
        {"params": [torch.zeros(1, requires_grad=True)]},
    ]
    optimizer = CLASSES[kind](groups, **START[kind])
    batches = -(-len(X) // SIZE)
    updates = -(-batches // accumulate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = make(optimizer, EPOCHS * (updates if per == "batch" else 1))
        schedulers = made if isinstance(made, tuple) else (made,)
        found = []
        for _ in range(EPOCHS):
            for batch in range(1, batches + 1):
                found.append(numbers(optimizer.param_groups))
                if batch % accumulate == 0 or batch == batches:
                    optimizer.step()
                    if per == "batch":
                        [one.step() for one in schedulers]
            if per == "epoch":
                [one.step() for one in schedulers]
    return found


def assert_alike(left, right):
    """Within 1e-12 relative, batch by batch."""
    assert len(left) == len(right) > 0
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        assert a == pytest.approx(b, rel=1e-12, abs=0.0), i


def wave(t):
    """A factor that goes up and down."""
    return 1.0 + 0.3 * math.sin(t)


def warm_and_falling(optimizer, total):
    parts = [lrs.LinearLR(optimizer, 0.1, total_iters=3), lrs.ExponentialLR(optimizer, 0.7)]
    return lrs.SequentialLR(optimizer, parts, [3])


CASES = {
    "cosine_annealing": (lambda p: cb.lr_cosine_annealing(4, 0.001, per=p),
                         lambda o, n: lrs.CosineAnnealingLR(o, 4, 0.001)),
    "cosine_warm_restarts": (lambda p: cb.lr_cosine_warm_restarts(2, 2, per=p),
                             lambda o, n: lrs.CosineAnnealingWarmRestarts(o, 2, 2)),
    "step": (lambda p: cb.lr_step(2, 0.5, per=p), lambda o, n: lrs.StepLR(o, 2, 0.5)),
    "multi_step": (lambda p: cb.lr_multi_step([1, 4], per=p),
                   lambda o, n: lrs.MultiStepLR(o, [1, 4])),
    "exponential": (lambda p: cb.lr_exponential(0.9, per=p),
                    lambda o, n: lrs.ExponentialLR(o, 0.9)),
    "linear": (lambda p: cb.lr_linear(0.2, 0.9, 3, per=p),
               lambda o, n: lrs.LinearLR(o, 0.2, 0.9, 3)),
    "constant": (lambda p: cb.lr_constant(0.2, 3, per=p), lambda o, n: lrs.ConstantLR(o, 0.2, 3)),
    "polynomial": (lambda p: cb.lr_polynomial(4, 2.0, per=p),
                   lambda o, n: lrs.PolynomialLR(o, 4, 2.0)),
    "lambda": (lambda p: cb.lr_lambda(wave, per=p), lambda o, n: lrs.LambdaLR(o, wave)),
    "lambda of each": (lambda p: cb.lr_lambda([wave, lambda t: 0.5**t], per=p),
                       lambda o, n: lrs.LambdaLR(o, [wave, lambda t: 0.5**t])),
    "multiplicative": (lambda p: cb.lr_multiplicative(wave, per=p),
                       lambda o, n: lrs.MultiplicativeLR(o, wave)),
    "cyclic": (lambda p: cb.lr_cyclic(0.01, [0.1, 0.2], 2, mode="triangular2", per=p),
               lambda o, n: lrs.CyclicLR(o, 0.01, [0.1, 0.2], 2, mode="triangular2")),
    "one_cycle": (lambda p: cb.lr_one_cycle(0.5, per=p), lambda o, n: lrs.OneCycleLR(o, 0.5, n)),
    "one_cycle in full": (
        lambda p: cb.lr_one_cycle([0.5, 0.2], pct_start=0.4, anneal_strategy="linear",
                                  base_momentum=0.7, max_momentum=0.8, div_factor=10.0,
                                  final_div_factor=100.0, three_phase=True, per=p),
        lambda o, n: lrs.OneCycleLR(o, [0.5, 0.2], n, pct_start=0.4, anneal_strategy="linear",
                                    base_momentum=0.7, max_momentum=0.8, div_factor=10.0,
                                    final_div_factor=100.0, three_phase=True)),
    "sequence": (
        lambda p: cb.lr_sequence([cb.lr_linear(0.1, total_iters=3), cb.lr_exponential(0.7)], [3],
                                 per=p), warm_and_falling),
    "scheduler": (lambda p: cb.lr_scheduler(lrs.StepLR, step_size=2, gamma=0.5, per=p),
                  lambda o, n: lrs.StepLR(o, 2, 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("per", ["epoch", "batch"])
@pytest.mark.parametrize("case", CASES)
def test_rates_are_torchs(case, per, accumulate):
    """Every rate and momentum of a run is the scheduler's, per epoch and per update."""
    ours, theirs = CASES[case]
    _, state = folded(ours(per), accumulate=accumulate)
    assert_alike(rates(state), torchs(theirs, accumulate=accumulate, per=per))


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("case", ["one_cycle", "cyclic", "cosine_annealing"])
def test_betas_are_cycled(case, interpreter):
    """With Adam the first of the betas is the momentum, in both interpreters."""
    ours, theirs = CASES[case]
    _, state = folded(ours("batch"), kind="adam", interpreter=interpreter)
    assert_alike(rates(state), torchs(theirs, kind="adam", per="batch"))


def test_training_uses_the_rates():
    """The weights are those of a plain loop of torch with the scheduler."""
    run, state = fp.prepare(graph(cb.lr_one_cycle(0.3)), TASK, key=KEY)
    params = {n: torch.nn.Parameter(p.clone()) for n, p in state.weights.params.items()}
    groups = [{"params": [params["head.bias"]], "lr": 0.03}, {"params": [params["head.weight"]]}]
    optimizer = torch.optim.SGD(groups, **START["sgd"])
    scheduler = lrs.OneCycleLR(optimizer, 0.3, EPOCHS * run.plan.updates)
    for event in fp.events(run.plan):
        if isinstance(event, Batch):
            order = epoch_order(run.plan, state.key, event.epoch)
            batch = run.train.take(batch_rows(run.plan, order, event.index))
            (x,) = batch.inputs.values()
            out = x @ params["head.weight"].T + params["head.bias"]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(out, batch.target).backward()
            optimizer.step()
            scheduler.step()
    end = fp.fold(run, state, fp.events(run.plan))
    for name, param in params.items():
        torch.testing.assert_close(end.weights.params[name], param.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("per", ["epoch", "batch"])
def test_schedules_that_multiply_go_on_from_each_other(per):
    """Two of them beside each other are torch's two, one step after the other."""
    ours = (cb.lr_linear(0.1, total_iters=3, per=per), cb.lr_exponential(0.7, per=per))
    _, state = folded(*ours)

    def theirs(optimizer, total):
        return lrs.LinearLR(optimizer, 0.1, total_iters=3), lrs.ExponentialLR(optimizer, 0.7)

    assert_alike(rates(state), torchs(theirs, per=per))


PLATEAUS = {
    "loss": ({"patience": 0, "factor": 0.5, "threshold": 0.2}, "valid.loss", "min"),
    "loss, resting": ({"patience": 0, "factor": 0.5, "threshold": 0.9, "cooldown": 1},
                      "valid.loss", "min"),
    "measure": ({"patience": 0, "factor": 0.3, "threshold": 0.3, "threshold_mode": "abs",
                 "monitor": "r2"}, "valid.r2", "max"),
    "training": ({"patience": 0, "factor": 0.5, "threshold": 0.2, "monitor": "train.loss"},
                 "train.loss", "min"),
    "bound": ({"patience": 0, "factor": 0.1, "threshold": 0.9, "min_lr": [0.02, 0.01]},
              "valid.loss", "min"),
    "against": ({"mode": "max", "patience": 0, "threshold": 9.0, "monitor": "valid.loss"}, "valid.loss", "max"),
}  # fmt: skip


@pytest.mark.parametrize("eval_every", [1, 2])
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("case", PLATEAUS)
def test_rates_follow_scores(case, interpreter, eval_every):
    """The rates are those of ReduceLROnPlateau, given the scores of history."""
    settings, figure, mode = PLATEAUS[case]
    ours = cb.lr_reduce_on_plateau(**settings)
    more = {"measures": ("r2",), "monitor": "loss", "eval_every": eval_every}
    _, state = folded(ours, interpreter=interpreter, validate=0.3, **more)
    optimizer = torch.optim.SGD(
        [{"params": [torch.zeros(1)], "lr": 0.03}, {"params": [torch.zeros(1)]}], **START["sgd"]
    )
    known = {k: x for k, x in settings.items() if k not in ("monitor", "mode")}
    theirs = lrs.ReduceLROnPlateau(optimizer, mode, **known)
    wanted = []
    for row in state.history:
        wanted += [numbers(optimizer.param_groups)] * 3
        if figure in row:
            theirs.step(row[figure])
    assert_alike(rates(state), wanted)
    assert len({tuple(one) for one in wanted}) > 1, "the rate never fell"


def test_without_scores_nothing_happens():
    """Where there are no validation rows the rate stays as it is."""
    _, state = folded(cb.lr_reduce_on_plateau(patience=0, threshold=0.99))
    assert {tuple(one) for one in rates(state)} == {(0.03, 0.9, 0.1, 0.9)}


def test_a_warm_up_and_a_score():
    """A schedule that multiplies goes on from the rate that a score has lowered."""
    plateau = cb.lr_reduce_on_plateau(patience=0, threshold=1e9, threshold_mode="abs", factor=0.5)
    _, state = folded(cb.lr_linear(0.5, total_iters=2), plateau, validate=0.3)
    found = [one[2] for one in rates(state)[::3]]
    # The first score is a first best; each later one halves, after the way up by 0.5, 0.75, 1.
    assert found == pytest.approx([0.05, 0.075, 0.05, 0.025, 0.0125, 0.00625])


# As values


def test_hyper_parameters_have_paths():
    """Those of the schedule are set, listed and printed as the callback's own."""
    made = nn.callbacks(cb.lr_cosine_annealing(), cb.lr_reduce_on_plateau(patience=3))
    params = made.params()
    assert params["callbacks.lr_cosine_annealing.T_max"] is REQUIRED
    assert params["callbacks.lr_cosine_annealing.per"] == "epoch"
    assert params["callbacks.lr_reduce_on_plateau.patience"] == 3
    assert params["callbacks.lr_reduce_on_plateau.mode"] is None
    changes = {
        "callbacks.lr_cosine_annealing.T_max": 9,
        "callbacks.lr_cosine_annealing.per": "batch",
        "callbacks.lr_reduce_on_plateau.factor": 0.5,
        "callbacks.lr_reduce_on_plateau.mode": "max",
    }
    wanted = nn.callbacks(
        cb.lr_cosine_annealing(9, per="batch"),
        cb.lr_reduce_on_plateau("max", 0.5, 3),
    )
    changed = made.set(changes)
    assert changed.params() == wanted.params()
    assert "lr_cosine_annealing(T_max=9, per='batch')" in repr(changed)
    report = fp.check(graph(cb.lr_step()), TASK.outline())
    assert report.missing == ("callbacks.lr_step.step_size",)


def test_names_and_totals():
    """The id is that of the schedule; what depends on the length of the run says so."""
    assert cb.lr_one_cycle(0.1).needs_total
    assert not cb.lr_one_cycle(0.1, total_steps=30).needs_total
    assert not cb.lr_reduce_on_plateau().needs_total
    assert not cb.lr_step(3).needs_total
    assert cb.lr_sequence([cb.lr_linear(per="batch"), cb.lr_one_cycle(0.1)], [5]).needs_total
    assert cb.lr_sequence([cb.lr_linear(per="batch"), cb.lr_one_cycle(0.1)], [5]).per == "batch"
    assert cb.lr_one_cycle(0.1).name == "lr_one_cycle"
    assert cb.lr_scheduler(lrs.StepLR, step_size=1).name == "lr_scheduler"
    assert cb.lr_step(3) == FollowSchedule(cb.lr_step(3).schedule)


@pytest.mark.parametrize("per", ["epoch", "batch"])
def test_a_longer_run_needs_another_cycle(per):
    """Going on with more epochs is refused where the schedule was laid out for fewer."""
    run, state = folded(cb.lr_one_cycle(0.1, per=per))
    longer = evolve(run, plan=evolve(run.plan, epochs=8))
    with pytest.raises(StateError, match="laid out for another length") as caught:
        fp.fold(longer, state, fp.events(longer.plan, state.cursor))
    assert str(EPOCHS * (run.plan.updates if per == "batch" else 1)) in caught.value.expected
    free, state = folded(cb.lr_exponential(0.9, per=per))
    longer = evolve(free, plan=evolve(free.plan, epochs=8))
    end = fp.fold(longer, state, fp.events(longer.plan, state.cursor))
    power = 7 if per == "epoch" else 8 * free.plan.updates - 1
    assert end.optimizer.settings[1]["lr"] == pytest.approx(0.1 * 0.9**power)


# Errors


@cb.descriptor
class Meddling(cb.Callback):
    """Sets the rate itself."""

    def on_epoch_end(self, state, moment):
        return state, moment.with_settings(lr=0.5)


BAD = [
    ("unit", lambda: cb.lr_step(2, per="week"), ParameterError, "per cannot be 'week'",
     "'epoch', 'batch'", "give per"),
    ("setting", lambda: cb.lr_step(0), ParameterError, "step_size cannot be 0", "at least 1",
     "give step_size"),
    ("no schedule", lambda: FollowSchedule(3), ParameterError, "schedule cannot be 3", "Schedule",
     "give schedule"),
    ("units of a sequence",
     lambda: cb.lr_sequence([cb.lr_linear(), cb.lr_one_cycle(0.1)], [5]), ParameterError,
     "some of its schedules go by epochs, others by updates", "one of both", 'per="epoch"'),
    ("a score in a sequence",
     lambda: cb.lr_sequence([cb.lr_linear(), cb.lr_reduce_on_plateau()], [5]), ParameterError,
     "schedules cannot be", "plateau follows scores", "give schedules"),
    ("scheduler", lambda: cb.lr_scheduler(torch.optim.SGD), ParameterError,
     "scheduler cannot be", "the class of a scheduler", "give scheduler"),
    ("scheduler's option", lambda: cb.lr_scheduler(lrs.StepLR, stepsize=3), ParameterError,
     "StepLR is given no 'stepsize'", "step_size, gamma", "did you mean 'step_size'?"),
    ("mode", lambda: cb.lr_reduce_on_plateau("small"), ParameterError, "mode cannot be 'small'",
     "'min', 'max'", "give mode"),
    ("two of a kind", lambda: nn.callbacks(cb.lr_step(1), cb.lr_step(2)), ParameterError,
     "two callbacks are called 'lr_step'", "every id once", "lr_step_2="),
    ("rates of other groups", lambda: folded(cb.lr_one_cycle([0.1, 0.2, 0.3])), ParameterError,
     "max_lr is given for 3 parameter groups of 2", "one value, or 2", "one for each group"),
    ("no such figure",
     lambda: folded(cb.lr_reduce_on_plateau(monitor="valid.rmse"), validate=0.3), ParameterError,
     "history has no figure 'valid.rmse'", "train.loss, valid.loss",
     'measures=("rmse",)'),
    ("no such measure",
     lambda: folded(cb.lr_reduce_on_plateau(monitor="rmze"), validate=0.3), ParameterError,
     "it is not known whether 'valid.rmze' is best small or large", "direction", 'mode="min"'),
    ("measure without direction",
     lambda: folded(cb.lr_reduce_on_plateau(monitor="bias"), validate=0.3, measures=("bias",)),
     ParameterError, "it is not known whether 'valid.bias' is best small or large", "direction",
     'mode="min"'),
    ("somebody else sets it", lambda: folded(cb.lr_lambda(wave), Meddling()), StateError,
     "lr_lambda sets lr, and something else has changed it", "one callback that sets lr",
     "lr_sequence"),
    ("two that set it", lambda: folded(cb.lr_lambda(wave), cb.lr_exponential(0.5)), StateError,
     "lr_lambda sets lr, and something else has changed it", "one callback that sets lr",
     "lr_sequence"),
    ("no factor", lambda: folded(cb.lr_lambda(lambda t: "much")), StateError,
     "lr_lambda(0) is no factor", "a finite number", "return a number"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "rule", "expected", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_schedules(act, error, rule, expected, fix):
    """Each is refused, with what was expected and what to do."""
    with pytest.raises(FpipeError) as caught:
        act()
    assert type(caught.value) is error
    assert rule in caught.value.rule
    assert expected in str(caught.value.expected)
    assert fix in str(caught.value.fix)


def test_memory_is_part_of_the_state():
    """A run that is cut in the middle has the rates of one that is not."""
    made = (cb.lr_one_cycle(0.4), cb.lr_reduce_on_plateau(patience=0))
    for one in made:
        run, state = fp.prepare(graph(one), TASK, key=KEY, validate=0.3)
        every = list(fp.events(run.plan))
        whole = fp.fold(run, state, every)
        for cut in range(1, len(every), 3):
            parts = fp.fold(run, fp.fold(run, state, every[:cut]), every[cut:])
            assert fp.same(parts, whole)


def test_schedules_are_values():
    """They are compared and fingerprinted by what they hold."""
    one, two = (FollowSchedule(Exponential(x)) for x in (0.5, 0.6))
    assert one == FollowSchedule(Exponential(0.5))
    assert one != two
    assert fp.fingerprint(one) != fp.fingerprint(two)
    assert pmap({one: 1})[FollowSchedule(Exponential(0.5))] == 1
    assert cb.lr_reduce_on_plateau().schedule == Plateau()
