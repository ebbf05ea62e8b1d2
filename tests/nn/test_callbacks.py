"""Callbacks in a graph: ids, paths, order, and training with a clipper as in plain torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pyrsistent import pmap, pvector

import fpipe as fp
from fpipe import nn
from fpipe.callbacks import Callback, ClipGradients, clip_gradients, descriptor, parameter
from fpipe.core.errors import FpipeError, GraphError, ParameterError, StateError
from fpipe.core.parameter import REQUIRED
from fpipe.nn.callback_op import callbacks
from fpipe.nn.descriptor import join
from fpipe.train.callback import STAGES
from fpipe.train.plan import batch_rows, epoch_order

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = X @ np.array([1.0, -1.0, 0.5], np.float32)
TASK = fp.regression({f"x{i}": X[:, i] for i in range(3)} | {"y": Y}, "y")
KEY = fp.key(8)
HEAD = nn.ingress_numeric() >> nn.head()
OPTIMIZERS = {
    "sgd": lambda params: torch.optim.SGD(params, lr=0.1),
    "adam": lambda params: torch.optim.Adam(params, lr=0.1),
}


def learner(*given, optimizer="sgd", **named):
    chain = HEAD >> nn.loss("mse") >> nn.optimizer(optimizer, lr=0.1)
    return chain >> callbacks(*given, **named) >> nn.model(epochs=2, batch_size=16)


def trained(graph, **more):
    return fp.fit(graph, TASK, key=KEY, **more).state("model")


@descriptor
class GradientClipper(Callback):
    """The clipper of the paper, as a user would write it."""

    max_norm: float
    norm_type: float = 2.0

    def init(self, params):
        return pvector()

    def after_backward(self, norms, gradients):
        norm = torch.nn.utils.get_total_norm(gradients.values(), self.norm_type)
        factor = (self.max_norm / (norm + 1e-6)).clamp(max=1.0)
        return norms.append(norm.item()), {name: g * factor for name, g in gradients.items()}


@descriptor
class Averages(Callback):
    """A running mean of every gradient: tensors as a state."""

    decay: float = parameter(default=0.5)

    def init(self, params):
        return pmap({name: torch.zeros_like(p) for name, p in params.items()})

    def after_backward(self, state, gradients):
        mean = {k: self.decay * state[k] + (1 - self.decay) * g for k, g in gradients.items()}
        return pmap(mean), mean


# Training


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("made", [clip_gradients, GradientClipper], ids=["ready", "own"])
def test_training_is_torchs(made, norm_type, optimizer, interpreter):
    """Weights and norms are those of a plain torch loop with clip_grad_norm_, to the bit."""
    graph = learner(clip=made(0.4, norm_type), optimizer=optimizer)
    run, state = fp.prepare(graph, TASK, key=KEY)
    params = {name: torch.nn.Parameter(p.clone()) for name, p in state.weights.params.items()}
    params = dict(sorted(params.items()))
    stepper, norms = OPTIMIZERS[optimizer](params.values()), []
    for epoch in (1, 2):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(run.plan.batches):
            rows = batch_rows(run.plan, order, index)
            stepper.zero_grad()
            out = torch.nn.functional.linear(
                torch.from_numpy(X[rows]), params["head.weight"], params["head.bias"]
            )
            torch.nn.functional.mse_loss(out, torch.from_numpy(Y[rows])[:, None]).backward()
            norm = torch.nn.utils.clip_grad_norm_(params.values(), 0.4, norm_type)
            norms.append(norm.item())
            stepper.step()
    model = trained(graph, interpreter=interpreter)
    for name, param in params.items():
        assert torch.equal(model.weights.params[name], param.detach()), name
    assert model.callbacks["clip"] == pvector(norms)
    assert max(norms) > 0.4


def test_states_are_part_of_the_state():
    """They are compared, fingerprinted, and go on where a run is cut."""
    graph = learner(clip_gradients(0.4), Averages())
    run, state = fp.prepare(graph, TASK, key=KEY)
    assert state.callbacks["clip_gradients"] == pvector()
    assert state.callbacks["averages"]["head.bias"].tolist() == [0.0]
    every = list(fp.events(run.plan))
    whole = fp.fold(run, state, every)
    cut = fp.fold(run, fp.fold(run, state, every[:5]), every[5:])
    assert fp.same(cut, whole)
    assert len(whole.callbacks["clip_gradients"]) == whole.cursor.step == 8
    assert fp.fingerprint(whole) == fp.fingerprint(cut)
    other = fp.fold(run, state, every[:5])
    assert fp.fingerprint(other) != fp.fingerprint(whole)
    assert state.callbacks["clip_gradients"] == pvector()


@pytest.mark.parametrize(
    "graph", [learner(Averages(0.9)), learner(clip_gradients(0.1), Averages())]
)
def test_fast_is_reference(graph):
    """States with tensors, too, are the same in both interpreters."""
    fast, reference = (trained(graph, interpreter=name).state for name in ("fast", "reference"))
    assert fp.same(fast.callbacks, reference.callbacks)
    assert fp.same(fast.weights, reference.weights)


def test_a_large_bound_changes_nothing():
    """A bound that is never reached leaves the training as it is without."""
    plain = HEAD >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1)
    plain = plain >> nn.model(epochs=2, batch_size=16)
    assert fp.same(trained(learner(clip_gradients(1e9))).weights, trained(plain).weights)
    assert not fp.same(trained(learner(clip_gradients(0.1))).weights, trained(plain).weights)


def test_callbacks_are_called_in_order():
    """The norms that the second sees are those after the first."""
    states = trained(learner(b=clip_gradients(0.1), a=clip_gradients(5.0))).callbacks
    assert max(states["b"]) > 0.2
    assert all(norm == pytest.approx(0.1, abs=1e-4) for norm in states["a"])
    swapped = trained(learner(a=clip_gradients(5.0), b=clip_gradients(0.1))).callbacks
    assert max(swapped["a"]) > 0.2


# Ids and paths


def test_ids_and_parameters():
    """Ids are the names, or those given; parameters are behind them."""
    graph = callbacks(clip_gradients(), second=GradientClipper(2.0, norm_type=1.0))
    assert graph.params() == {
        "callbacks.clip_gradients.max_norm": REQUIRED,
        "callbacks.clip_gradients.norm_type": 2.0,
        "callbacks.second.max_norm": 2.0,
        "callbacks.second.norm_type": 1.0,
    }
    changed = graph.set({"callbacks.clip_gradients.max_norm": 3, "callbacks.second.max_norm": 7.0})
    assert changed == callbacks(clip_gradients(3.0), second=GradientClipper(7.0, 1.0))
    assert changed.at("callbacks.second.max_norm") == 7.0
    assert graph.set({"*max_norm": 1.0}).at("callbacks.clip_gradients.max_norm") == 1.0
    assert callbacks(clip_gradients(1.0), id="c").params()["c.clip_gradients.max_norm"] == 1.0
    text = "callbacks(clip_gradients(max_norm=3.0), second=gradient_clipper(max_norm=7.0, norm_type=1.0))"
    assert text in repr(changed)


def test_check_lists_what_is_not_set():
    """A bound that is missing is listed by its path, without data."""
    report = fp.check(learner(clip_gradients()), TASK.outline())
    assert report.missing == ("callbacks.clip_gradients.max_norm",)
    assert fp.check(learner(clip_gradients(1.0)), TASK.outline()).ok


def test_descriptors_hold_them_in_order():
    """The descriptor has pairs of id and callback, prints them, and keeps them where paths meet."""
    one = fp.transform(HEAD >> callbacks(b=clip_gradients(1.0), a=Averages()), TASK, key=KEY)
    assert one.callbacks == (("b", ClipGradients(1.0)), ("a", Averages()))
    assert "callback   b: ClipGradients(max_norm=1.0, norm_type=2.0)" in repr(one)
    more = fp.transform(HEAD >> callbacks(c=Averages()), TASK, key=KEY)
    assert [name for name, _ in join(one, more).callbacks] == ["b", "a", "c"]
    assert join(one, one).callbacks == one.callbacks
    other = fp.transform(HEAD >> callbacks(b=clip_gradients(2.0)), TASK, key=KEY)
    with pytest.raises(GraphError, match="different callback 'b'"):
        join(one, other)


def test_operators_add_up():
    """Two operators give what one gives with both."""
    apart = HEAD >> callbacks(clip_gradients(1.0)) >> callbacks(Averages())
    together = HEAD >> callbacks(clip_gradients(1.0), Averages())
    one, two = (fp.transform(graph, TASK, key=KEY) for graph in (apart, together))
    assert one.callbacks == two.callbacks
    assert callbacks().params() == {}


def test_predictions_do_not_ask_callbacks():
    """A fitted pipeline with callbacks predicts rows without a target."""
    fitted = fp.fit(learner(clip_gradients(0.1)), TASK, key=KEY, validate=0.2)
    assert len(fp.predict(fitted, TASK.table.drop("y").head(4)).row_id) == 4


# Errors


class Undecorated(Callback):
    pass


class Odd(Callback):
    def after_backward(self, state, gradients):
        return state, {}


CLIP = clip_gradients(1.0)

BAD = [
    ("two of a name", lambda: callbacks(CLIP, clip_gradients(2.0)), ParameterError,
     "two callbacks are called 'clip_gradients'", "every id once", "clip_gradients_2=", None),
    ("two of an id", lambda: callbacks(CLIP, clip_gradients=CLIP), ParameterError,
     "two callbacks are called 'clip_gradients'", "every id once", "clip_gradients_2=", None),
    ("two operators", lambda: fp.check(
        HEAD >> callbacks(CLIP) >> callbacks(CLIP, id="again"), TASK), ParameterError,
     "two callbacks are called 'clip_gradients'", "every id once", "clip_gradients_2=", "again"),
    ("an id with a dot", lambda: callbacks(**{"a.b": CLIP}), ParameterError,
     "a callback cannot be called 'a.b'", "letters, digits", "my_name=", None),
    ("a number", lambda: callbacks(3), ParameterError,
     "int is no callback", "clip_gradients(5.0)", "derive a class", None),
    ("a name", lambda: callbacks("clip_gradients"), ParameterError,
     "str is no callback", "clip_gradients(5.0)", "derive a class", None),
    ("the function", lambda: callbacks(clip_gradients), ParameterError,
     "clip_gradients is no callback", "clip_gradients(5.0)", "call it: clip_gradients(...)", None),
    ("the class", lambda: callbacks(mine=GradientClipper), ParameterError,
     "GradientClipper is no callback", "clip_gradients(5.0)", "call it: GradientClipper(", None),
    ("a class without decorator", lambda: callbacks(Undecorated()), ParameterError,
     "Undecorated is not frozen", "decorator", "@fpipe.callbacks.descriptor above", None),
    ("path", lambda: callbacks(CLIP).set({"callbacks.clip_gradients.norm": 2.0}), ParameterError,
     "no parameter 'clip_gradients.norm'", "clip_gradients.max_norm", "did you mean 'clip_gradients.max_norm'?", None),
    ("value", lambda: callbacks(CLIP).set({"callbacks.clip_gradients.max_norm": 0.0}),
     ParameterError, "max_norm cannot be 0.0", "above 0", "give max_norm", "callbacks"),
    ("not set", lambda: fp.fit(learner(clip_gradients()), TASK, key=KEY), ParameterError,
     "not been set", "callbacks.clip_gradients.max_norm", "set", None),
    ("gradients missing", lambda: fp.fit(learner(descriptor(Odd)()), TASK, key=KEY), StateError,
     "'odd' returns gradients of other parameters", "head.bias, head.weight",
     "one gradient for every name", "model"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "rule", "expected", "fix", "at"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_callbacks(act, error, rule, expected, fix, at):
    """Each is refused, with what was expected, what to do and where."""
    with pytest.raises(FpipeError) as caught:
        act()
    assert type(caught.value) is error
    assert rule in caught.value.rule
    assert expected in str(caught.value)
    assert fix in str(caught.value.fix)
    assert at is None or caught.value.at == at


def test_what_looks_like_a_stage_and_is_none_is_refused():
    """A misspelt stage would never be called, so its class is not made."""
    with pytest.raises(ParameterError) as caught:

        class Misspelt(Callback):
            def after_backwards(self, state, gradients):
                return state, gradients

    error = caught.value
    assert "there is no stage 'after_backwards'" in error.rule
    assert (error.expected, error.got) == (", ".join(STAGES), "after_backwards")
    assert error.fix == "call it after_backward"
    with pytest.raises(ParameterError, match="there is no stage 'on_train_end'"):
        type("Later", (Callback,), {"on_train_end": lambda self, state: state})
    type("Fine", (Callback,), {"norm": lambda self, x: x, "factor": 2.0})


@descriptor
class Scaling(Callback):
    """Multiplies gradients."""

    factor: float = 1.0
    label: str | None = None

    def after_backward(self, state, gradients):
        return state, {name: self.factor * g for name, g in gradients.items()}


@pytest.mark.parametrize("bad", ["a", None, True])
def test_fields_hold_what_they_are_annotated_with(bad):
    """A field of a plain type is checked when it is given, and when it is set."""
    acts = (
        lambda: callbacks(Scaling(bad)),
        lambda: callbacks(Scaling()).set({"callbacks.scaling.factor": bad}),
    )
    for act, at in zip(acts, (None, "callbacks"), strict=True):
        with pytest.raises(ParameterError) as caught:
            act()
        error = caught.value
        assert f"factor cannot be {bad!r}" in error.rule
        assert (error.expected, error.at) == ("float, as it is annotated", at)
        assert (error.got, error.fix) == (f"{bad!r} ({type(bad).__name__})", "give factor as float")
    assert callbacks(Scaling(2, label="x")).at("callbacks.scaling.factor") == 2


def test_errors_in_a_callback_name_it():
    """An error of the user's own code says in which callback and at which node it arose."""
    broken = descriptor(type("Broken", (Scaling,), {"after_backward": lambda self, s, g: 1 / 0}))
    with pytest.raises(ZeroDivisionError) as caught:
        fp.fit(learner(broken()), TASK, key=KEY)
    assert caught.value.__notes__ == ["in after_backward of the callback 'broken'", "at model"]
