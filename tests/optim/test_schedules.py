"""Schedules against torch's schedulers, call by call, for groups of different rates."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from pyrsistent import pmap
from torch.optim import lr_scheduler as lrs

import fpipe as fp
from fpipe.core.errors import FpipeError, ParameterError, StateError
from fpipe.optim.adam import Adam
from fpipe.optim.adaptive import Adagrad
from fpipe.optim.schedules import (
    SCHEDULES,
    Constant,
    CosineAnnealing,
    CosineWarmRestarts,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    Multiplicative,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    Sequence,
    Steps,
    TorchSchedule,
)
from fpipe.optim.sgd import SGD

CALLS = 130
BASES = {
    "sgd": tuple(SGD(lr=lr, momentum=m).settings() for lr, m in [(0.5, 0.9), (0.03, 0.2)]),
    "adam": tuple(
        Adam(lr=lr, betas=b).settings() for lr, b in [(0.5, (0.9, 0.99)), (1.7, (0.5, 0.9))]
    ),
}
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
KEYS = {"sgd": ("lr", "momentum"), "adam": ("lr", "betas")}


def halving(t):
    """A factor that falls every ten calls."""
    return 0.5 ** (t // 10)


def wave(t):
    """A factor that goes up and down."""
    return 1.0 + 0.3 * math.sin(t)


def optimizer(kind):
    """A torch optimizer with the groups of ``BASES``."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], **base} for base in BASES[kind]]
    return CLASSES[kind](groups, lr=1.0)


def numbers(group, kind):
    """The settings of a group as one flat tuple."""
    found = [group[key] for key in KEYS[kind]]
    return [y for x in found for y in (x if isinstance(x, tuple) else (x,))]


def torchs(make, kind, calls=CALLS):
    """What torch's scheduler sets, call by call, group by group."""
    live = optimizer(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(live)
        found = [[numbers(group, kind) for group in live.param_groups]]
        for _ in range(calls - 1):
            live.step()
            scheduler.step()
            found.append([numbers(group, kind) for group in live.param_groups])
    return found


def ours(schedule, kind, calls=CALLS, total=CALLS):
    """What a schedule sets, call by call, put over the settings before training."""
    memory, found, now = schedule.begin(BASES[kind], total), [], BASES[kind]
    for t in range(calls):
        memory, changes = schedule.at(memory, t)
        now = tuple(old.update(new) for old, new in zip(now, changes, strict=True))
        found.append([numbers(group, kind) for group in now])
    return found


def assert_alike(left, right):
    """Within 1e-12 relative, everywhere."""
    assert len(left) == len(right)
    for t, (a, b) in enumerate(zip(left, right, strict=True)):
        for x, y in zip(sum(a, []), sum(b, []), strict=True):
            assert abs(x - y) <= 1e-12 * max(abs(x), abs(y)), (t, x, y)


CASES = [
    (CosineAnnealing(10), lambda o: lrs.CosineAnnealingLR(o, 10)),
    (CosineAnnealing(47, eta_min=0.01), lambda o: lrs.CosineAnnealingLR(o, 47, eta_min=0.01)),
    (CosineAnnealing(1000), lambda o: lrs.CosineAnnealingLR(o, 1000)),
    (CosineAnnealing(1), lambda o: lrs.CosineAnnealingLR(o, 1)),
    (CosineWarmRestarts(7), lambda o: lrs.CosineAnnealingWarmRestarts(o, 7)),
    (
        CosineWarmRestarts(3, T_mult=2, eta_min=0.001),
        lambda o: lrs.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.001),
    ),
    (CosineWarmRestarts(1, T_mult=3), lambda o: lrs.CosineAnnealingWarmRestarts(o, 1, T_mult=3)),
    (Lambda(halving), lambda o: lrs.LambdaLR(o, halving)),
    (Lambda([halving, wave]), lambda o: lrs.LambdaLR(o, [halving, wave])),
    (Multiplicative(wave), lambda o: lrs.MultiplicativeLR(o, wave)),
    (
        Multiplicative([wave, lambda t: 0.9]),
        lambda o: lrs.MultiplicativeLR(o, [wave, lambda t: 0.9]),
    ),
    (Steps(7), lambda o: lrs.StepLR(o, 7)),
    (Steps(1, gamma=0.99), lambda o: lrs.StepLR(o, 1, gamma=0.99)),
    (MultiStep([5, 5, 60, 20]), lambda o: lrs.MultiStepLR(o, [5, 5, 60, 20])),
    (MultiStep([0, 90], gamma=0.3), lambda o: lrs.MultiStepLR(o, [0, 90], gamma=0.3)),
    (Exponential(0.93), lambda o: lrs.ExponentialLR(o, 0.93)),
    (Exponential(1.01), lambda o: lrs.ExponentialLR(o, 1.01)),
    (Linear(), lambda o: lrs.LinearLR(o)),
    (Linear(0.01, 0.7, 77), lambda o: lrs.LinearLR(o, 0.01, 0.7, 77)),
    (Linear(1.0, 0.0, 64), lambda o: lrs.LinearLR(o, 1.0, 0.0, 64)),
    (Constant(), lambda o: lrs.ConstantLR(o)),
    (Constant(0.7, 40), lambda o: lrs.ConstantLR(o, 0.7, 40)),
    (Polynomial(), lambda o: lrs.PolynomialLR(o)),
    (Polynomial(100, 2.5), lambda o: lrs.PolynomialLR(o, 100, 2.5)),
    (Cyclic(0.01, 0.1, 6), lambda o: lrs.CyclicLR(o, 0.01, 0.1, 6)),
    (
        Cyclic([0.01, 0.2], [0.1, 0.9], 6, 11, mode="triangular2", base_momentum=[0.1, 0.2]),
        lambda o: lrs.CyclicLR(
            o, [0.01, 0.2], [0.1, 0.9], 6, 11, mode="triangular2", base_momentum=[0.1, 0.2]
        ),
    ),
    (
        Cyclic(0.01, 0.1, 9, mode="exp_range", gamma=0.98, cycle_momentum=False),
        lambda o: lrs.CyclicLR(o, 0.01, 0.1, 9, mode="exp_range", gamma=0.98, cycle_momentum=False),
    ),
    (
        Cyclic(0.01, 0.1, 9, scale_fn=wave, scale_mode="iterations", max_momentum=0.95),
        lambda o: lrs.CyclicLR(
            o, 0.01, 0.1, 9, scale_fn=wave, scale_mode="iterations", max_momentum=0.95
        ),
    ),
    (
        Cyclic(0.01, 0.1, 9, scale_fn=halving),
        lambda o: lrs.CyclicLR(o, 0.01, 0.1, 9, scale_fn=halving),
    ),
    (OneCycle(0.1), lambda o: lrs.OneCycleLR(o, 0.1, total_steps=CALLS)),
    (
        OneCycle([0.1, 0.9], pct_start=0.37, anneal_strategy="linear", base_momentum=[0.7, 0.8]),
        lambda o: lrs.OneCycleLR(
            o,
            [0.1, 0.9],
            epochs=13,
            steps_per_epoch=10,
            pct_start=0.37,
            anneal_strategy="linear",
            base_momentum=[0.7, 0.8],
        ),
    ),
    (
        OneCycle(0.1, total_steps=200, three_phase=True, div_factor=3, final_div_factor=10),
        lambda o: lrs.OneCycleLR(
            o, 0.1, total_steps=200, three_phase=True, div_factor=3, final_div_factor=10
        ),
    ),
    (
        OneCycle(0.1, pct_start=0.0, cycle_momentum=False),
        lambda o: lrs.OneCycleLR(o, 0.1, total_steps=CALLS, pct_start=0.0, cycle_momentum=False),
    ),
    (
        OneCycle(0.1, pct_start=1.0, max_momentum=(0.91, 0.99)),
        lambda o: lrs.OneCycleLR(
            o, 0.1, total_steps=CALLS, pct_start=1.0, max_momentum=[0.91, 0.99]
        ),
    ),
    (
        Sequence([Linear(0.1, total_iters=10), CosineAnnealing(90)], [10]),
        lambda o: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.1, total_iters=10), lrs.CosineAnnealingLR(o, 90)], [10]
        ),
    ),
    (
        Sequence(
            [Constant(0.2, 30), Exponential(0.9), Steps(5), Multiplicative(wave)], [30, 50, 70]
        ),
        lambda o: lrs.SequentialLR(
            o,
            [
                lrs.ConstantLR(o, 0.2, 30),
                lrs.ExponentialLR(o, 0.9),
                lrs.StepLR(o, 5),
                lrs.MultiplicativeLR(o, wave),
            ],
            [30, 50, 70],
        ),
    ),
    (
        Sequence(
            [Lambda(wave), CosineWarmRestarts(4), Polynomial(40), MultiStep([3, 9])], [9, 25, 66]
        ),
        lambda o: lrs.SequentialLR(
            o,
            [
                lrs.LambdaLR(o, wave),
                lrs.CosineAnnealingWarmRestarts(o, 4),
                lrs.PolynomialLR(o, 40),
                lrs.MultiStepLR(o, [3, 9]),
            ],
            [9, 25, 66],
        ),
    ),
]


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("schedule", "make"), CASES, ids=[f"{i}-{c[0].name}" for i, c in enumerate(CASES)]
)
def test_curves_are_torchs(schedule, make, kind):
    """Rates and momenta of 130 calls are those of the scheduler of the same name."""
    expected = torchs(make, kind)
    assert_alike(ours(schedule, kind), expected)
    assert len({str(row) for row in expected}) > 1


def test_every_schedule_is_compared():
    """No schedule is left out of the comparisons."""
    assert {type(s) for s, _ in CASES} | {TorchSchedule} == set(SCHEDULES)


@pytest.mark.parametrize(
    "schedule", [s for s, _ in CASES], ids=[f"{i}-{c[0].name}" for i, c in enumerate(CASES)]
)
def test_a_pure_function_of_the_call(schedule):
    """Jumping ahead, back and on the spot gives what going step by step gives, to the bit."""
    base = BASES["sgd"]
    begun = memory = schedule.begin(base, CALLS)
    kept = fp.fingerprint(base)
    found = []
    for t in range(80):
        memory, settings = schedule.at(memory, t)
        found.append(settings)
    for t in (79, 3, 41, 41, 0, 66):
        memory, settings = schedule.at(memory, t)
        assert fp.same(settings, found[t])
        assert fp.same(schedule.at(begun, t)[1], found[t])
    assert fp.fingerprint(base) == kept
    assert all(set(group) <= {"lr", "momentum"} for group in found[5])


def test_which_depend_on_the_total():
    """One-cycle does, where its steps are not given; a sequence if its last schedule does."""
    assert OneCycle(0.1).needs_total
    assert not OneCycle(0.1, total_steps=9).needs_total
    assert Sequence([Linear(), OneCycle(0.1)], [5]).needs_total
    assert not Sequence([OneCycle(0.1), Linear()], [5]).needs_total
    assert not any(s.needs_total for s in (Steps(2), Cyclic(0, 1), Plateau(), CosineAnnealing(5)))


def test_a_cycle_inside_a_sequence_fills_its_share():
    """A one-cycle schedule after a warm-up runs over the calls that are left."""
    schedule = Sequence([Constant(0.5, 30), OneCycle(0.1)], [30])
    alone = ours(OneCycle(0.1), "adam", calls=100, total=100)
    assert ours(schedule, "adam")[30:] == alone


def test_one_cycle_with_a_rise_of_one_call():
    """Where the rise is a single call (torch divides by zero), it is at its top."""
    found = ours(OneCycle(0.1, pct_start=0.1), "sgd", calls=10, total=10)
    with pytest.raises(ZeroDivisionError):
        torchs(lambda o: lrs.OneCycleLR(o, 0.1, total_steps=10, pct_start=0.1), "sgd", 1)
    assert found[0][0] == [0.1, 0.85]
    assert found[-1][0] == pytest.approx([0.1 / 25 / 1e4, 0.95], rel=1e-12)


@pytest.mark.parametrize("torchs_own", [False, True])
def test_a_cycle_lasts_as_long_as_the_run(torchs_own):
    """One that is over before is refused at the start; torch raises at the call beyond."""

    def made(total_steps):
        if torchs_own:
            return TorchSchedule(lrs.OneCycleLR, {"max_lr": 0.1, "total_steps": total_steps})
        return OneCycle(0.1, total_steps=total_steps)

    assert len(ours(made(9), "sgd", calls=9, total=9)) == 9
    assert len(ours(made(30), "sgd", calls=9, total=9)) == 9
    with pytest.raises(ParameterError) as caught:
        made(7).begin(BASES["sgd"], 9)
    assert caught.value.got == "total_steps=7"
    assert "give total_steps=9" in caught.value.fix
    with pytest.raises(ValueError, match="Tried to step 8 times"):
        torchs(lambda o: lrs.OneCycleLR(o, 0.1, total_steps=7), "sgd", 9)


class Holding(lrs.OneCycleLR):
    """A cycle that stays where it is once it is over."""

    def get_lr(self):
        """The last rates for ever."""
        over = self.last_epoch >= self.total_steps
        return [g["lr"] for g in self.optimizer.param_groups] if over else super().get_lr()


def test_a_cycle_of_ones_own_may_go_on():
    """A subclass of torch's may do anything behind the end."""
    options = {"max_lr": 0.1, "total_steps": 5}
    found = ours(TorchSchedule(Holding, options), "sgd", calls=9, total=9)
    assert found == torchs(lambda o: Holding(o, **options), "sgd", 9)


def test_a_sequence_cut_short_by_the_run():
    """A cycle that ends before its milestone is right where the run is over by then."""
    schedule = Sequence([OneCycle(0.1, total_steps=5), Steps(2)], [20])
    alone = ours(OneCycle(0.1), "sgd", calls=5, total=5)
    assert ours(schedule, "sgd", calls=5, total=5) == alone


SCORES = {
    "falling": [1.0 / (1 + t) for t in range(70)],
    "stalled": [3.0, 2.0, 1.0] + [1.0] * 67,
    "wavy": [math.sin(t / 5) * 0.5 ** (t / 20) for t in range(70)],
    "nan": [math.nan if t % 3 else 2.0 - t / 100 for t in range(70)],
    "only nan": [math.nan] * 70,
    "slow": [1.0 - 5e-5 * t for t in range(70)],
    "infinite": [math.inf, -math.inf, math.inf] * 20,
}
PLATEAUS = [
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "mode": "max"},
    {"patience": 3, "threshold": 0.05, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.05, "threshold_mode": "abs", "mode": "max", "cooldown": 4},
    {"patience": 2, "threshold": 0.0, "cooldown": 3, "min_lr": [0.1, 0.001]},
    {"patience": 1, "min_lr": 0.02, "eps": 0.01},
]


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau_is_torchs(options, scores):
    """Rates after every score are those of ReduceLROnPlateau, with NaN and infinite scores too."""
    live = optimizer("sgd")
    scheduler = lrs.ReduceLROnPlateau(live, **options)
    schedule = Plateau(**options)
    memory = schedule.begin(BASES["sgd"])
    for score in scores:
        scheduler.step(score)
        memory, settings = schedule.next(memory, score)
        assert [g["lr"] for g in settings] == [g["lr"] for g in live.param_groups]


def test_plateau_goes_on_from_rates_that_others_set():
    """Given the settings as they are, it lowers those."""
    schedule = Plateau(patience=0, factor=0.5)
    memory = schedule.begin(BASES["sgd"])
    memory, _ = schedule.next(memory, 1.0)
    _, settings = schedule.next(memory, 1.0, tuple(b.set("lr", 8.0) for b in BASES["sgd"]))
    assert settings == (pmap({"lr": 4.0}),) * 2


class Bouncing(lrs.LRScheduler):
    """A scheduler of the user's own: state in a list, and the momentum changed too."""

    def __init__(self, optimizer, low, turns):
        self.low, self.turns, self.path = low, list(turns), []
        super().__init__(optimizer)

    def get_lr(self):
        """Rates that depend on all that was set before."""
        if self.turns and self.last_epoch == self.turns[0]:
            self.turns.pop(0)
            self.low *= 0.5
        rates = [self.low + 0.5 * group["lr"] for group in self.optimizer.param_groups]
        self.path.append(sum(rates))
        for group in self.optimizer.param_groups:
            if "momentum" in group and self.last_epoch > 2:
                group["momentum"] = min(0.9, sum(self.path) / 100)
        return rates


class Counting:
    """A callable with a memory of its own."""

    def __init__(self):
        self.calls = 0

    def __call__(self, t):
        """Fall with every call."""
        self.calls += 1
        return 1.0 / self.calls


WRAPPED = [
    (lrs.StepLR, {"step_size": 9, "gamma": 0.4}),
    (lrs.MultiStepLR, {"milestones": [4, 4, 30]}),
    (lrs.LambdaLR, {"lr_lambda": [halving, wave]}),
    (lrs.LambdaLR, {"lr_lambda": Counting()}),
    (lrs.MultiplicativeLR, {"lr_lambda": lambda t: 0.97}),
    (lrs.CosineAnnealingLR, {"T_max": 23}),
    (lrs.CosineAnnealingWarmRestarts, {"T_0": 5, "T_mult": 2}),
    (
        lrs.CyclicLR,
        {
            "base_lr": 0.1,
            "max_lr": [0.2, 0.4],
            "step_size_up": 8,
            "mode": "exp_range",
            "gamma": 0.9,
        },
    ),
    (lrs.CyclicLR, {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 8, "scale_fn": wave}),
    (lrs.OneCycleLR, {"max_lr": [0.2, 0.4], "total_steps": CALLS}),
    (lrs.PolynomialLR, {"total_iters": 60, "power": 3.0}),
    (lrs.LinearLR, {"total_iters": 60}),
    (lrs.ExponentialLR, {"gamma": 0.97}),
    (lrs.ConstantLR, {"total_iters": 60}),
    (Bouncing, {"low": 0.2, "turns": [3, 17, 50]}),
]


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("cls", "options"), WRAPPED, ids=[f"{i}-{w[0].__name__}" for i, w in enumerate(WRAPPED)]
)
def test_wrapped_schedulers_are_torchs(cls, options, kind):
    """Rebuilt at every call, a wrapped scheduler sets what it sets when it lives on, to the bit."""
    schedule = TorchSchedule(cls, options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ours(schedule, kind)
    given = {k: Counting() if isinstance(v, Counting) else v for k, v in options.items()}
    assert found == torchs(lambda o: cls(o, **given), kind)


def test_wrapped_schedulers_leave_no_trace():
    """Neither the arguments nor a memory change, and a call can be repeated."""
    counting, turns = Counting(), [3, 17]
    for cls, options in [
        (lrs.LambdaLR, {"lr_lambda": counting}),
        (Bouncing, {"low": 0.2, "turns": turns}),
    ]:
        schedule = TorchSchedule(cls, options)
        memory = schedule.begin(BASES["sgd"], CALLS)
        for t in range(20):
            kept = fp.fingerprint(memory)
            first = schedule.at(memory, t)
            assert fp.same(schedule.at(memory, t), first)
            assert fp.fingerprint(memory) == kept
            memory = first[0]
        jumped = schedule.at(schedule.begin(BASES["sgd"], CALLS), 19)
        assert fp.same(jumped, first)
    assert counting.calls == 0
    assert turns == [3, 17]


def test_schedules_are_values():
    """They compare by what they are, and code by where it is found."""
    assert Lambda(halving) == Lambda(halving) != Lambda(wave)
    assert MultiStep([1, 2]) == MultiStep((1, 2))
    assert len({Steps(2), Steps(2), Steps(3)}) == 2
    wrapped = TorchSchedule(lrs.StepLR, {"step_size": 2})
    assert wrapped == TorchSchedule("torch.optim.lr_scheduler:StepLR", {"step_size": 2})
    assert fp.fingerprint(wrapped) != fp.fingerprint(TorchSchedule(lrs.StepLR, {"step_size": 3}))


BAD = [
    (lambda: CosineAnnealing(0), "T_max cannot be 0"),
    (lambda: CosineAnnealing(5, eta_min=-1.0), "eta_min cannot be -1"),
    (lambda: CosineWarmRestarts(2.5), "T_0 cannot be 2.5"),
    (lambda: Steps(0), "step_size cannot be 0"),
    (lambda: Steps(3, gamma=-0.1), "gamma cannot be -0.1"),
    (lambda: MultiStep([]), r"milestones cannot be \(\)"),
    (lambda: MultiStep([1.5]), "milestones cannot be"),
    (lambda: Exponential(math.nan), "gamma cannot be nan"),
    (lambda: Linear(0.0), "start_factor cannot be 0"),
    (lambda: Linear(0.5, 1.5), "end_factor cannot be 1.5"),
    (lambda: Constant(1.5), "factor cannot be 1.5"),
    (lambda: Polynomial(True), "total_iters cannot be True"),
    (lambda: Lambda(3.0), "lr_lambda cannot be"),
    (lambda: Lambda([]), "lr_lambda cannot be"),
    (lambda: Multiplicative([halving, 3]), "lr_lambda cannot be"),
    (lambda: Cyclic(0.1, -0.2), "max_lr cannot be -0.2"),
    (lambda: Cyclic(0.1, 0.2, mode="square"), "mode cannot be 'square'"),
    (lambda: Cyclic(0.1, 0.2, scale_fn=3), "scale_fn cannot be"),
    (lambda: Cyclic(0.1, 0.2, max_momentum=1.0), "max_momentum cannot be 1.0"),
    (lambda: OneCycle(0.1, pct_start=1.2), "pct_start cannot be 1.2"),
    (lambda: OneCycle(0.1, anneal_strategy="exp"), "anneal_strategy cannot be 'exp'"),
    (lambda: OneCycle(0.1, div_factor=0), "div_factor cannot be 0"),
    (lambda: OneCycle([]), r"max_lr cannot be \(\)"),
    (lambda: Plateau(factor=1.0), "factor cannot be 1.0"),
    (lambda: Plateau(mode="auto"), "mode cannot be 'auto'"),
    (lambda: Plateau(patience=-1), "patience cannot be -1"),
    (lambda: Plateau(min_lr=[0.1]).begin(BASES["sgd"]), "1 parameter groups of 2"),
    (lambda: Sequence([], []), "schedules cannot be"),
    (lambda: Sequence([Linear(), Plateau()], [5]), "schedules cannot be"),
    (lambda: Sequence([Linear(), Steps(5)], []), "begins at a milestone"),
    (lambda: Sequence([Linear(), Steps(5), Steps(5)], [5, 5]), "milestones cannot be"),
    (lambda: Lambda([halving]).begin(BASES["sgd"], 5), "1 parameter groups of 2"),
    (lambda: OneCycle([0.1] * 3).begin(BASES["sgd"], 5), "3 parameter groups of 2"),
    (lambda: OneCycle(0.1).begin((Adagrad().settings(),), 5), "changes momentum"),
    (lambda: Cyclic(0.1, 0.2).begin((Adagrad().settings(),), 5), "changes momentum"),
    (lambda: TorchSchedule(lrs.ReduceLROnPlateau), "follows scores"),
    (lambda: TorchSchedule(lrs.SequentialLR), "made of other schedulers"),
    (lambda: TorchSchedule(torch.optim.SGD), "scheduler cannot be"),
    (lambda: TorchSchedule(lrs.StepLR), "needs 'step_size'"),
    (lambda: TorchSchedule(lrs.StepLR, {"step": 3}), "given no 'step' here"),
    (lambda: TorchSchedule(lrs.StepLR, {"step_size": 3, "last_epoch": 4}), "no 'last_epoch'"),
    (lambda: TorchSchedule("torch.optim.lr_scheduler:StapLR"), "nothing can be imported"),
    (lambda: Steps().begin(BASES["sgd"], 5), "step_size is not set"),
    (lambda: Lambda().begin(BASES["sgd"], 5), "lr_lambda is not set"),
    (lambda: OneCycle().begin(BASES["sgd"], 5), "max_lr is not set"),
    (lambda: Sequence().begin(BASES["sgd"], 5), "schedules is not set"),
    (lambda: Sequence([Steps()], []).begin(BASES["sgd"], 5), "step_size is not set"),
    (lambda: TorchSchedule().begin(BASES["sgd"], 5), "scheduler is not set"),
    (
        lambda: TorchSchedule(lrs.OneCycleLR, {"max_lr": [0.1], "total_steps": 9}).begin(
            BASES["sgd"], 9
        ),
        "does not take these arguments",
    ),
    (lambda: OneCycle(0.1, total_steps=8).begin(BASES["sgd"], 9), "over before the run is"),
    (
        lambda: Sequence([OneCycle(0.1, total_steps=4), Steps(5)], [5]).begin(BASES["sgd"], 9),
        "over before the run is",
    ),
    (
        lambda: Sequence([Steps(5), OneCycle(0.1, total_steps=3)], [5]).begin(BASES["sgd"], 9),
        "over before the run is",
    ),
    (
        lambda: TorchSchedule(lrs.OneCycleLR, {"max_lr": 0.1, "total_steps": 8}).begin(
            BASES["sgd"], 9
        ),
        "over before the run is",
    ),
]


@pytest.mark.parametrize(("make", "match"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_schedules(make, match):
    """What makes no schedule is told with what would be accepted."""
    with pytest.raises(ParameterError, match=match) as caught:
        make()
    error = caught.value
    assert isinstance(error, FpipeError)
    assert (error.expected and error.got) or "imported" in error.rule
    assert error.fix


class Drawing(lrs.LRScheduler):
    """A scheduler that keeps a generator."""

    def __init__(self, optimizer):
        self.generator = torch.Generator()
        super().__init__(optimizer)

    def get_lr(self):
        """Rates at random."""
        return [float(torch.rand((), generator=self.generator)) for _ in self.base_lrs]


BAD_CALLS = [
    (Steps(3), -1, "counted from 0"),
    (Steps(3), 1.0, "counted from 0"),
    (OneCycle(0.1), CALLS + 1, "over after 130 calls"),
    (Lambda(lambda t: math.nan), 0, r"lr_lambda\(0\)"),
    (Lambda(lambda t: -1.0), 0, r"lr_lambda\(0\)"),
    (Multiplicative(lambda t: None), 1, r"lr_lambda\(1\)"),
    (TorchSchedule(Drawing), 0, "'generator', which is no plain data"),
]


@pytest.mark.parametrize(("schedule", "t", "match"), BAD_CALLS, ids=[b[2] for b in BAD_CALLS])
def test_bad_calls(schedule, t, match):
    """A call that has no answer is refused."""
    memory = schedule.begin(BASES["sgd"], CALLS)
    with pytest.raises(StateError, match=match) as caught:
        schedule.at(memory, t)
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix
