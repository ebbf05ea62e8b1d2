"""Stages: when each is called, in which order, with what, and what callbacks may do there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pyrsistent import pmap, pvector

import fpipe as fp
from fpipe import callbacks as cb
from fpipe import nn
from fpipe.callbacks import Callback, descriptor
from fpipe.core.errors import FpipeError, ParameterError, StateError
from fpipe.core.value import evolve
from fpipe.train.callback import STAGES
from fpipe.train.plan import Batch, Validate, batch_rows, epoch_order

RNG = np.random.default_rng(8)
X = RNG.normal(size=(20, 2)).astype(np.float32)
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "y": X[:, 0] - X[:, 1]}, "y")
KEY = fp.key(1)
INTERPRETERS = ["reference", "fast"]
BODY = nn.ingress_numeric() >> nn.linear(3) >> nn.batch_norm1d() >> nn.head()


def graph(*given, lr=0.1, accumulate=1, groups=None, epochs=2, batch_size=8, **model):
    named = {} if groups is None else {"groups": groups}
    optimizer = nn.optimizer("sgd", lr=lr, momentum=0.9, **named)
    chain = BODY >> nn.loss("mse") >> optimizer >> nn.callbacks(*given)
    return chain >> nn.model(
        epochs=epochs, batch_size=batch_size, accumulate=accumulate, drop_last=True, **model
    )


def prepared(*given, interpreter="reference", validate=None, **more):
    run, state = fp.prepare(graph(*given, **more), TASK, key=KEY, validate=validate)
    return run, evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))


def folded(*given, **more):
    run, state = prepared(*given, **more)
    return fp.fold(run, state, fp.events(run.plan))


def facts(moment):
    """What a moment says, as plain numbers."""
    return (
        moment.epoch,
        moment.batch,
        moment.step,
        moment.updates,
        moment.updated,
        moment.loss is not None,
        len(moment.history),
        moment.stopped,
    )


@descriptor
class Recorder(Callback):
    """Remembers the stages that it saw and what was said there."""

    def init(self, params):
        assert not any(tensor.requires_grad for tensor in params.values())
        return pvector([("init", len(params))])

    def on_begin(self, state, moment):
        return state.append(("on_begin", facts(moment))), moment

    def on_epoch_begin(self, state, moment):
        return state.append(("on_epoch_begin", facts(moment))), moment

    def on_batch_begin(self, state, moment):
        return state.append(("on_batch_begin", facts(moment))), moment

    def after_backward(self, state, gradients):
        return state.append(("after_backward", len(gradients))), gradients

    def after_step(self, state, weights):
        return state.append(("after_step", (len(weights.params), len(weights.buffers))))

    def on_batch_end(self, state, moment):
        return state.append(("on_batch_end", facts(moment))), moment

    def on_epoch_end(self, state, moment):
        return state.append(("on_epoch_end", facts(moment))), moment

    def on_valid_end(self, state, moment):
        figures = tuple(sorted(moment.history[-1]))
        return state.append(("on_valid_end", (*facts(moment), figures))), moment

    def on_end(self, state, moment):
        return state.append(("on_end", facts(moment))), moment


def batch(epoch, index, *, updates, step, updated):
    """What is seen around one batch."""
    done = epoch - 1
    begin = (epoch, index, step, updates, False, step > 0, done, False)
    end = (epoch, index + 1, step + 1, updates + updated, updated, True, done, False)
    middle = [("after_backward", 6), ("after_step", (6, 2))] if updated else []
    return [("on_batch_begin", begin), *middle, ("on_batch_end", end)]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_every_stage_comes_when_it_should(interpreter, accumulate):
    """Two epochs of two batches, evaluated after the second, spelt out."""
    end = folded(
        Recorder(), interpreter=interpreter, accumulate=accumulate, validate=4 / 20, eval_every=2
    )
    wanted, step, updates = [("init", 6), ("on_begin", (0, 0, 0, 0, False, False, 0, False))], 0, 0
    for epoch in (1, 2):
        seen = epoch > 1
        wanted.append(("on_epoch_begin", (epoch, 0, step, updates, False, seen, epoch - 1, False)))
        for index in (0, 1):
            updated = (index + 1) % accumulate == 0
            wanted += batch(epoch, index, updates=updates, step=step, updated=updated)
            step, updates = step + 1, updates + updated
        wanted.append(("on_epoch_end", (epoch, 2, step, updates, False, True, epoch, False)))
    figures = ("epoch", "train.loss", "valid.loss")
    wanted.append(("on_valid_end", (2, 2, step, updates, False, True, 2, False, figures)))
    wanted.append(("on_end", (2, 2, step, updates, False, True, 2, False)))
    assert list(end.callbacks["recorder"]) == wanted


def test_every_stage_is_recorded():
    """The recorder above defines each stage but `evaluated`, which gives no state."""
    assert set(STAGES) - set(vars(Recorder)) == {"evaluated"}


@descriptor
class Turn(Callback):
    """Adds to the rate and multiplies it: what comes first can be told."""

    add: float = 0.0
    times: float = 1.0

    def on_epoch_begin(self, state, moment):
        rate = moment.settings[0]["lr"]
        return state, moment.with_settings(lr=self.times * rate + self.add)


@descriptor
class Early(Turn):
    order = -1.0


@descriptor
class Late(Turn):
    order = math.inf


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize(("given", "rate"), [
    ((Turn(add=1.0), Early(times=2.0)), 1.2),
    ((Early(times=2.0), Turn(add=1.0)), 1.2),
    ((Late(add=1.0), Turn(times=2.0)), 1.2),
    ((Late(times=2.0), Early(add=1.0)), 2.2),
])  # fmt: skip
def test_the_declared_order_counts(given, rate, interpreter):
    """The smaller the order the sooner; those with the same as they were added."""
    end = folded(*given, interpreter=interpreter, epochs=1)
    assert end.optimizer.settings[0]["lr"] == pytest.approx(rate)


def test_ties_are_called_as_added():
    """Two of one order: the first that was added is called first."""
    for pair, rate in ((("a", "b"), 1.2), (("b", "a"), 2.2)):
        made = {"a": Turn(times=2.0), "b": Turn(add=1.0)}
        nodes = nn.callbacks(**{name: made[name] for name in pair})
        whole = BODY >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1) >> nodes
        run, state = fp.prepare(whole >> nn.model(epochs=1, batch_size=10), TASK, key=KEY)
        end = fp.fold(run, state, fp.events(run.plan))
        assert end.optimizer.settings[0]["lr"] == pytest.approx(rate)


# Dials


def acting(stage, act, **more):
    """A callback that acts on the moment at one stage."""

    def at(self, state, moment):
        return state, act(moment)

    return descriptor(type("Acting", (Callback,), {stage: at} | more))()


HOST = [stage for stage in STAGES if stage.startswith("on_")]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("validate", [None, 0.2])
@pytest.mark.parametrize("stage", HOST)
def test_stop_ends_after_the_epoch(stage, validate, interpreter):
    """The epoch is finished, evaluated where it would be, and no other begins; none in on_begin."""
    when = {"on_begin": 0, "on_end": 5}.get(stage, 2)
    if stage == "on_valid_end" and validate is None:
        when = 5  # it never comes
    one = acting(stage, lambda m: m.stop() if m.epoch == when else m)
    end = folded(one, Recorder(), interpreter=interpreter, validate=validate, epochs=5)
    last = when
    seen = [name for name, _ in end.callbacks["recorder"]]
    assert seen.count("on_epoch_begin") == seen.count("on_epoch_end") == last
    assert seen.count("on_batch_end") == last * 2
    assert seen.count("on_valid_end") == (0 if validate is None else last)
    assert seen.count("on_end") == 1
    assert all(("valid.loss" in row) == (validate is not None) for row in end.history)
    assert end.cursor.ended
    assert end.result is not None
    assert (end.cursor.epoch, len(end.history)) == (last, last)


def test_a_stop_before_an_evaluation_that_is_left_out():
    """With eval_every=2 a stop in the first epoch ends training without an evaluation."""
    one = acting("on_batch_end", lambda m: m.stop())
    end = folded(one, validate=0.2, eval_every=2, epochs=6)
    assert len(end.history) == 1
    assert "valid.loss" not in end.history[0]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("stage", HOST)
def test_settings_change_only_what_is_named(stage, interpreter):
    """Of all groups, or of one; other settings and other groups stay."""
    groups = {"*.bias": {"lr": 0.5, "weight_decay": 0.1}, "linear.*": {"momentum": 0.5}}
    more = {"interpreter": interpreter, "groups": groups, "validate": 0.2}
    before = folded(**more).optimizer.settings
    every = folded(acting(stage, lambda m: m.with_settings(lr=0.25)), **more).optimizer.settings
    assert every == tuple(group.set("lr", 0.25) for group in before)
    one = acting(stage, lambda m: m.with_settings(1, lr=0.25, momentum=0.75))
    changed = folded(one, **more).optimizer.settings
    assert changed == (before[0], before[1].update({"lr": 0.25, "momentum": 0.75}), before[2])


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("stage", ["on_begin", "on_epoch_begin", "on_batch_begin"])
def test_frozen_parameters_are_those_that_were_named(stage, interpreter):
    """These and no others are not learned; an empty set releases all."""
    names = {"linear.weight", "linear.bias"}
    run, state = prepared(acting(stage, lambda m: m.with_frozen(names)), interpreter=interpreter)
    end = fp.fold(run, state, fp.events(run.plan))
    assert end.frozen == names
    for name, tensor in state.weights.params.items():
        assert torch.equal(end.weights.params[name], tensor) == (name in names), name
    free = descriptor(type("Free", (Callback,), {
        "order": 1.0, "on_batch_begin": lambda self, state, m: (state, m.with_frozen(())),
    }))()  # fmt: skip
    both = folded(acting(stage, lambda m: m.with_frozen(names)), free, interpreter=interpreter)
    assert both.frozen == frozenset()
    assert fp.same(both.weights, folded(interpreter=interpreter).weights)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_rates_are_felt_by_the_next_update(interpreter):
    """A rate of 0 from the second epoch on leaves the parameters where they were."""

    def still(moment):
        return moment.with_settings(lr=0.0) if moment.epoch == 2 else moment

    run, state = prepared(acting("on_epoch_begin", still), interpreter=interpreter, epochs=3)
    every = list(fp.events(run.plan))
    first = fp.fold(run, state, every[: 2 + run.plan.batches])
    end = fp.fold(run, first, every[2 + run.plan.batches :])
    assert fp.same(first.weights.params, end.weights.params)
    assert not fp.same(state.weights.params, end.weights.params)


def test_weights_after_a_step_are_the_new_ones():
    """What after_step and on_batch_end see is what the optimizer left: worked by hand."""

    @descriptor
    class Keep(Callback):
        def after_step(self, state, weights):
            return pmap({name: tensor.clone() for name, tensor in weights.params.items()})

        def on_batch_end(self, state, moment):
            assert all(torch.equal(state[n], moment.params[n]) for n in moment.params)
            assert set(moment.buffers) == {
                "batch_norm1d.running_mean", "batch_norm1d.running_var",
            }  # fmt: skip
            return state, moment

    for interpreter in INTERPRETERS:
        run, state = prepared(Keep(), interpreter=interpreter)
        for event in fp.events(run.plan):
            state = fp.fold(run, state, [event])
            if isinstance(event, Batch):
                assert fp.same(state.callbacks["keep"], state.weights.params)


def test_accumulated_gradients_are_one():
    """after_backward is given the gradient of all rows that make the update."""

    @descriptor
    class Keep(Callback):
        def after_backward(self, state, gradients):
            return pmap(gradients), gradients

    chain = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1)
    chain = chain >> nn.callbacks(Keep()) >> nn.model(epochs=1, batch_size=6, accumulate=3)
    run, state = fp.prepare(chain, TASK, key=KEY)
    end = fp.fold(run, state, list(fp.events(run.plan))[:5])
    order = epoch_order(run.plan, state.key, 1)
    rows = np.concatenate([batch_rows(run.plan, order, i) for i in range(3)])
    leaves = {name: p.clone().requires_grad_() for name, p in state.weights.params.items()}
    whole = run.train.take(rows)
    (x,) = whole.inputs.values()
    out = x @ leaves["head.weight"].T + leaves["head.bias"]
    torch.nn.functional.mse_loss(out, whole.target).backward()
    for name, leaf in leaves.items():
        torch.testing.assert_close(end.callbacks["keep"][name], leaf.grad, rtol=1e-5, atol=1e-6)


def test_evaluated_weights_are_judged_in_order():
    """Each is given what the one before made; scores are those of the last."""

    @descriptor
    class Scale(Callback):
        by: float = 1.0
        plus: float = 0.0

        def evaluated(self, state, weights):
            changed = {name: self.by * p + self.plus for name, p in weights.params.items()}
            return evolve(weights, params=pmap(changed))

    for interpreter in INTERPRETERS:
        chain = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1)
        both = nn.callbacks(first=Scale(2.0), second=Scale(1.0, 0.5))
        run, state = fp.prepare(
            chain >> both >> nn.model(epochs=1, batch_size=8), TASK, key=KEY, validate=0.25
        )
        state = evolve(state, numerics=evolve(state.numerics, interpreter=interpreter))
        end = fp.fold(run, state, fp.events(run.plan))
        (x,) = run.valid.inputs.values()
        weight, bias = (2.0 * end.weights.params[f"head.{n}"] + 0.5 for n in ("weight", "bias"))
        loss = torch.nn.functional.mse_loss(x @ weight.T + bias, run.valid.target).item()
        assert end.history[0]["valid.loss"] == pytest.approx(loss, rel=1e-6)
        assert torch.equal(end.result.params["head.bias"], bias)


# Purity


def at(stage, act, start=None):
    """A callback whose one stage is a function, named Odd."""

    def body(self, *given):
        return act(*given)

    methods = {stage: body, "init": lambda self, params: start}
    return descriptor(type("Odd", (Callback,), methods))()


def written(tensors):
    next(iter(tensors.values())).mul_(2.0)
    return tensors


def kept(moment):
    return moment.params["head.weight"], moment


def part_kept(state, moment):
    return (moment.params["head.weight"][:, 1:],), moment


IMPURE = [
    *[(f"draws at {stage}", lambda stage=stage: at(stage, lambda s, m: (torch.rand(1), m)),
       "the callback 'odd' draws random numbers", "a pure function", "give it a seed")
      for stage in HOST],
    ("draws at init", lambda: descriptor(type("Odd", (Callback,), {
        "init": lambda self, params: torch.rand(1)}))(),
     "the callback 'odd' draws random numbers", "a pure function", "give it a seed"),
    ("draws after backward", lambda: at("after_backward", lambda s, g: (
        s, {n: x + torch.randn(1) for n, x in g.items()})),
     "the callback 'odd' draws random numbers", "a pure function", "give it a seed"),
    ("draws after a step", lambda: at("after_step", lambda s, w: torch.randn(2)),
     "the callback 'odd' draws random numbers", "a pure function", "give it a seed"),
    ("draws in evaluated", lambda: at("evaluated", lambda s, w: evolve(w, params=pmap(
        {n: torch.rand_like(p) for n, p in w.params.items()}))),
     "the callback 'odd' draws random numbers", "a pure function", "give it a seed"),
    *[(f"writes into parameters at {stage}", lambda stage=stage: at(
        stage, lambda s, m: (s, (written(m.params), m)[1])),
       "the callback 'odd' writes into what it was given", "new tensors", "g * factor")
      for stage in HOST],
    ("writes into buffers", lambda: at("on_epoch_end", lambda s, m: (
        s, (written(m.buffers), m)[1])),
     "the callback 'odd' writes into what it was given", "new tensors", "g * factor"),
    ("writes into gradients", lambda: at("after_backward", lambda s, g: (s, written(g))),
     "the callback 'odd' writes into gradients", "new tensors", "g * factor"),
    ("writes into weights", lambda: at("after_step", lambda s, w: (s, written(w.params))[0]),
     "the callback 'odd' writes into what it was given", "new tensors", "g * factor"),
    ("writes into weights to judge", lambda: at("evaluated", lambda s, w: (
        w, written(w.params))[0]),
     "the callback 'odd' writes into what it was given", "new tensors", "g * factor"),
    ("writes into its state", lambda: at("on_batch_end", lambda s, m: (s.add_(1.0), m),
                                         start=torch.zeros(2)),
     "the callback 'odd' writes into what it was given", "new tensors", "g * factor"),
    ("writes into a tensor deep in its state", lambda: at(
        "on_batch_end", lambda s, m: ((s, s["a"][0].add_(1.0))[0], m),
        start=pmap({"a": (torch.zeros(2),)})),
     "the callback 'odd' writes into what it was given", "new tensors", "g * factor"),
    ("keeps the weights after a step", lambda: at(
        "after_step", lambda s, w: w.params["head.weight"]),
     "the callback 'odd' keeps a tensor of the weights", "a copy", "tensor.clone()"),
    ("keeps a part of the weights after a step", lambda: at(
        "after_step", lambda s, w: pvector([w.params["head.weight"][:, 1:]])),
     "the callback 'odd' keeps a tensor of the weights", "a copy", "tensor.clone()"),
    ("keeps a buffer after a step", lambda: at("after_step", lambda s, w: tuple(
        w.buffers.values())),
     "the callback 'odd' keeps a tensor of the weights", "a copy", "tensor.clone()"),
    *[(f"keeps weights at {stage}", lambda stage=stage: at(stage, lambda s, m: kept(m)),
       "the callback 'odd' keeps a tensor of the weights", "a copy", "tensor.clone()")
      for stage in HOST],
    ("keeps a part of weights", lambda: at("on_batch_end", part_kept),
     "the callback 'odd' keeps a tensor of the weights", "a copy", "tensor.clone()"),
    *[(f"a {kind} in its state at {stage}", lambda stage=stage, made=made: at(
        stage, lambda s, m: (pmap({"a": (made(),)}), m)),
       f"the state of the callback 'odd' holds a {kind}", "stays as it is",
       "tensor" if kind == "ndarray" else "pvector or pmap")
      for stage in ("on_begin", "on_batch_end", "on_valid_end")
      for kind, made in (("list", list), ("dict", dict), ("set", set), ("bytearray", bytearray),
                         ("ndarray", lambda: np.zeros(2)))],
    ("a list as its state", lambda: at("on_epoch_end", lambda s, m: ([], m)),
     "the state of the callback 'odd' is a list", "stays as it is", "pvector or pmap"),
    ("a list after a step", lambda: at("after_step", lambda s, w: pvector([[]])),
     "the state of the callback 'odd' holds a list", "stays as it is", "pvector or pmap"),
    ("a list as its first state", lambda: at("on_end", lambda s, m: (s, m), start=[1]),
     "the state of the callback 'odd' is a list", "stays as it is", "pvector or pmap"),
    ("no pair", lambda: at("on_epoch_begin", lambda s, m: m),
     "does not return a state and a moment", "(state, moment)", "return state, moment"),
    ("nothing", lambda: at("on_epoch_begin", lambda s, m: None),
     "does not return a state and a moment", "(state, moment)", "return state, moment"),
    ("the wrong way round", lambda: at("on_epoch_begin", lambda s, m: (m, s)),
     "does not return a state and a moment", "(state, moment)", "return state, moment"),
    *[(f"changes {field}", lambda field=field, other=other: at("on_batch_begin", lambda s, m: (
        s, evolve(m, **{field: other}))),
       f"the callback 'odd' changes '{field}' of the moment", "only settings, frozen, stopped",
       "moment.with_settings(...)")
      for field, other in (("epoch", 9), ("step", 9), ("params", {}), ("loss", 0.0),
                           ("history", (pmap({"x": 1.0}),)), ("monitor", "valid.x"))],
    ("no weights", lambda: at("evaluated", lambda s, w: w.params),
     "does not return weights", "Weights", "return evolve(weights, params=...)"),
    ("weights without one", lambda: at("evaluated", lambda s, w: evolve(
        w, params=w.params.remove("head.bias"))),
     "returns other weights", "head.bias", "one tensor for every name"),
    ("weights of another shape", lambda: at("evaluated", lambda s, w: evolve(
        w, params=w.params.set("head.bias", torch.zeros(3)))),
     "another kind of parameter for 'head.bias'", "[1], torch.float32", "keep shape"),
    ("buffers of another dtype", lambda: at("evaluated", lambda s, w: evolve(
        w, buffers=pmap({n: x.double() for n, x in w.buffers.items()}))),
     "another kind of buffer for", "torch.float32", "keep shape"),
]  # fmt: skip


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize(("made", "rule", "expected", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in IMPURE
])  # fmt: skip
def test_what_is_not_pure_is_refused(made, rule, expected, fix, interpreter):
    """Each is an error that names the callback, in both interpreters; nothing is changed."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = made()
    with pytest.raises(FpipeError) as caught:
        folded(one, interpreter=interpreter, validate=0.2)
    assert type(caught.value) is StateError
    assert rule in caught.value.rule
    assert "'odd'" in caught.value.rule
    assert expected in str(caught.value.expected)
    assert fix in str(caught.value.fix)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_derives_from_a_ready_callback_is_watched():
    """Only the ready classes themselves are trusted."""
    ready = (
        cb.ClipGradients, cb.ClipValues, cb.EMA, cb.SWA, cb.Unfreeze, cb.FollowSchedule,
        cb.FollowScore,
    )  # fmt: skip
    assert not any(cls.foreign for cls in ready)

    @descriptor
    class Odd(cb.EMA):
        def after_step(self, state, weights):
            return written(weights.params)

    assert Odd.foreign
    with pytest.raises(StateError, match="the callback 'odd' writes into"):
        folded(Odd(0.5))


DIALS = [
    ("a setting that is none", lambda m: m.with_settings(rate=0.1),
     "the optimizer has no setting 'rate'", "dampening, lr, momentum", "use one of"),
    ("a setting that is misspelt", lambda m: m.with_settings(momentun=0.1),
     "the optimizer has no setting 'momentun'", "momentum", "did you mean 'momentum'?"),
    ("a value that is not accepted", lambda m: m.with_settings(lr=-1.0),
     "sgd: lr cannot be -1.0", "at least 0", "give lr"),
    ("a group that is not there", lambda m: m.with_settings(3, lr=0.1),
     "there is no parameter group 3", "a number from 0 to 0", ""),
    ("a parameter that is not there", lambda m: m.with_frozen({"haed.weight"}),
     "there is no parameter 'haed.weight'", "head.weight", "did you mean 'head.weight'?"),
]  # fmt: skip


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("stage", ["on_begin", "on_batch_begin", "on_epoch_end"])
@pytest.mark.parametrize(("act", "rule", "expected", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in DIALS
])  # fmt: skip
def test_dials_are_checked(act, rule, expected, fix, stage, interpreter):
    """Settings and names that there are not are errors, with near names."""
    with pytest.raises(ParameterError) as caught:
        folded(acting(stage, act), interpreter=interpreter)
    assert rule in caught.value.rule
    assert expected in str(caught.value.expected)
    assert fix in str(caught.value.fix or "")


def test_errors_name_the_stage():
    """An error of the user's own code gets a note where it arose."""
    for stage in ("on_begin", "on_batch_end", "after_step", "evaluated"):
        with pytest.raises(ZeroDivisionError) as caught:
            folded(at(stage, lambda *given: 1 / 0))
        assert f"in {stage} of the callback 'odd'" in caught.value.__notes__


def test_drawing_from_a_key_is_pure():
    """A callback may draw from a key of its own, as the advice says."""

    def noisy(state, gradients):
        key = fp.key(7).fold_in(len(state))
        noise = torch.randn(1, generator=key.generator())
        return state.append(noise.item()), {n: g + noise for n, g in gradients.items()}

    one = at("after_backward", noisy, start=pvector())
    fast, reference = (folded(one, interpreter=name) for name in INTERPRETERS)
    assert fp.same(fast.weights, reference.weights)
    assert len(set(fast.callbacks["odd"])) == len(fast.callbacks["odd"]) == 4


def test_cut_anywhere():
    """A run with callbacks of all kinds may be cut at every event, in both interpreters."""
    given = (
        Recorder(), cb.ema(0.5), cb.swa(), cb.clip_gradients(1.0), cb.clip_values(0.1),
        cb.unfreeze("head.*", batches={3: "*"}), cb.lr_one_cycle(0.1, per="batch"),
    )  # fmt: skip
    for interpreter in INTERPRETERS:
        run, state = prepared(*given, interpreter=interpreter, validate=0.2, accumulate=2)
        every = list(fp.events(run.plan))
        whole = fp.fold(run, state, every)
        for cut in range(1, len(every)):
            assert fp.same(fp.fold(run, fp.fold(run, state, every[:cut]), every[cut:]), whole)
        assert any(isinstance(event, Validate) for event in every)
