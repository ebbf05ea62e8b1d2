"""The clipper against torch's own, and what a callback may return."""

from __future__ import annotations

import math

import pytest
import torch
from pyrsistent import pmap, pvector

import fpipe as fp
from fpipe.callbacks import Callback, clip_gradients, clip_values, descriptor
from fpipe.core.errors import ParameterError, StateError
from fpipe.train.callback import staged
from fpipe.train.stages import after_backward, initial_states


def gradients(seed=0, scale=1.0):
    draws = fp.key(seed).generator()
    shapes = {"a.bias": (7,), "a.weight": (7, 5), "b.bias": (1,), "b.weight": (1, 7)}
    return {name: scale * torch.randn(*shape, generator=draws) for name, shape in shapes.items()}


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e4])
def test_torchs_numbers(norm_type, max_norm):
    """Norm and gradients are those of torch.nn.utils.clip_grad_norm_, to the bit."""
    clip = clip_gradients(max_norm, norm_type)
    given = gradients()
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in given.values()]
    for param, g in zip(params, given.values(), strict=True):
        param.grad = g.clone()
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type)
    norms, clipped = clip.after_backward(clip.init({}), given)
    assert norms == pvector([norm.item()])
    for param, g in zip(params, clipped.values(), strict=True):
        assert torch.equal(param.grad, g)
    assert fp.same(given, gradients()), "what came in was changed"


@pytest.mark.parametrize("max_value", [1e-3, 0.5, 1e4])
def test_torchs_values(max_value):
    """Gradients are those of torch.nn.utils.clip_grad_value_, to the bit."""
    given = gradients()
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in given.values()]
    for param, g in zip(params, given.values(), strict=True):
        param.grad = g.clone()
    torch.nn.utils.clip_grad_value_(params, max_value)
    state, clipped = clip_values(max_value).after_backward(None, given)
    assert state is None
    for param, g in zip(params, clipped.values(), strict=True):
        assert torch.equal(param.grad, g)
    assert fp.same(given, gradients()), "what came in was changed"


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf, math.nan, "1", True, None])
def test_bad_values(bad):
    """Only finite numbers above 0 bound the values."""
    with pytest.raises(ParameterError, match="clip_values: max_value cannot be") as caught:
        clip_values(bad)
    assert caught.value.expected == "a number above 0.0"
    assert caught.value.fix == "give max_value as a number above 0.0"


def test_no_gradient_has_a_norm_of_zero():
    """Where the loss depends on no parameter, the norm is 0, as in torch."""
    assert clip_gradients(1.0).after_backward(pvector(), {}) == (pvector([0.0]), {})


def test_a_parameter_without_gradient_stays_without():
    """None is not handed to callbacks and stays None."""
    found = gradients() | {"c.weight": None}
    states, after = after_backward(
        (("clip", clip_gradients(1e-3)),), pmap({"clip": pvector()}), found
    )
    assert after["c.weight"] is None
    assert list(after) == list(found)
    norm = torch.nn.utils.get_total_norm(list(gradients().values())).item()
    assert states["clip"] == pvector([norm])


def test_callbacks_follow_each_other():
    """The second sees what the first returns."""
    two = (("first", clip_gradients(0.5)), ("second", clip_gradients(9.0, 1.0)))
    states, after = after_backward(two, initial_states(two, {}), gradients(scale=10.0))
    one = clip_gradients(0.5).after_backward(pvector(), gradients(scale=10.0))
    expected = clip_gradients(9.0, 1.0).after_backward(pvector(), one[1])
    assert states == pmap({"first": one[0], "second": expected[0]})
    assert fp.same(after, expected[1])


def test_stages_that_are_not_defined_cost_nothing():
    """Such a callback is not called, and gradients and states are the very same."""

    @descriptor
    class Idle(Callback):
        pass

    named = (("idle", Idle()),)
    assert staged(named, "after_backward") == ()
    states, found = initial_states(named, {}), gradients()
    assert states == pmap({"idle": None})
    after = after_backward(named, states, found)
    assert after[0] is states
    assert after[1] is found


def test_names_of_classes():
    """A class that has no name is called by its own, in lower case."""

    @descriptor
    class GradientClipper(Callback):
        max_norm: float = 1.0

    @descriptor
    class EMA(Callback):
        name = "average"

    @descriptor
    class Finer(GradientClipper):
        pass

    assert (GradientClipper.name, EMA.name, Finer.name) == ("gradient_clipper", "average", "finer")
    assert Finer(max_norm=2.0) == Finer(2.0) != Finer(3.0)


def test_values():
    """Clippers compare, hash and print by their fields; integers are taken as floats."""
    assert clip_gradients(1) == clip_gradients(1.0, 2) == clip_gradients(max_norm=1.0)
    assert len({clip_gradients(1.0), clip_gradients(1.0), clip_gradients(2.0)}) == 2
    assert fp.fingerprint(clip_gradients(1.0)) != fp.fingerprint(clip_gradients(1.0, math.inf))


@pytest.mark.parametrize(
    ("arguments", "field", "expected"),
    [
        ((0.0,), "max_norm", "a number above 0"),
        ((-1.0,), "max_norm", "a number above 0"),
        ((math.nan,), "max_norm", "a number above 0"),
        ((math.inf,), "max_norm", "a number above 0"),
        (("1",), "max_norm", "a number above 0"),
        ((True,), "max_norm", "a number above 0"),
        ((1.0, 0.0), "norm_type", "a number above 0, or math.inf"),
        ((1.0, -math.inf), "norm_type", "a number above 0, or math.inf"),
        ((1.0, math.nan), "norm_type", "a number above 0, or math.inf"),
        ((1.0, "inf"), "norm_type", "a number above 0, or math.inf"),
    ],
    ids=str,
)
def test_bad_parameters(arguments, field, expected):
    """Bounds and orders outside their range are refused."""
    with pytest.raises(ParameterError, match=f"clip_gradients: {field} cannot be") as caught:
        clip_gradients(*arguments)
    assert expected in caught.value.expected
    assert caught.value.got.startswith(repr(arguments[-1]))
    assert field in caught.value.fix


def returning(function, start=None):
    @descriptor
    class Odd(Callback):
        def init(self, params):
            return start

        def after_backward(self, state, gradients):
            return function(state, gradients)

    return Odd()


def without(gradients):
    return {name: g for name, g in gradients.items() if name != "a.bias"}


def in_place(state, gradients):
    gradients["a.weight"].mul_(2.0)
    return state, gradients


BAD = [
    ("only gradients", lambda s, g: g, "does not return a state and gradients",
     "(state, gradients)", "dict", "return state, gradients"),
    ("nothing", lambda s, g: None, "does not return a state and gradients",
     "(state, gradients)", "NoneType", "return state, gradients"),
    ("a list", lambda s, g: (s, list(g.values())), "does not return a state and gradients",
     "(state, gradients)", "tuple", "return state, gradients"),
    ("one missing", lambda s, g: (s, without(g)), "gradients of other parameters",
     "a.bias, a.weight, b.bias, b.weight", "without a.bias", "one gradient for every name"),
    ("one too many", lambda s, g: (s, g | {"z": g["a.bias"]}), "gradients of other parameters",
     "a.bias", "also z", "one gradient for every name"),
    ("other shape", lambda s, g: (s, g | {"a.bias": g["a.bias"][None]}), "for 'a.bias'",
     "[7], torch.float32, cpu", "[1, 7], torch.float32, cpu", "keep shape, dtype"),
    ("other dtype", lambda s, g: (s, g | {"a.bias": g["a.bias"].double()}), "for 'a.bias'",
     "[7], torch.float32, cpu", "[7], torch.float64, cpu", "keep shape, dtype"),
    ("None", lambda s, g: (s, g | {"a.bias": None}), "for 'a.bias'",
     "[7], torch.float32, cpu", "NoneType", "keep shape, dtype"),
    ("in place", in_place, "writes into gradients",
     "new tensors", "'a.weight' was changed in place", "g * factor"),
    ("a list as state", lambda s, g: ([], g), "is a list, which can change",
     "a value that stays", "list", "pvector"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "rule", "expected", "got", "fix"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_returns(function, rule, expected, got, fix):
    """What a callback may return is checked at every step."""
    named = (("odd", returning(function)),)
    with pytest.raises(StateError) as caught:
        after_backward(named, initial_states(named, {}), gradients())
    assert rule in caught.value.rule
    assert "'odd'" in caught.value.rule
    assert expected in caught.value.expected
    assert got in caught.value.got
    assert fix in caught.value.fix


def test_a_first_state_that_can_change():
    """A list cannot be the first state either."""
    with pytest.raises(StateError, match="is a list, which can change"):
        initial_states((("odd", returning(None, start=[])),), {})


def test_a_state_of_another_run():
    """A state that has never heard of the callback is refused."""
    with pytest.raises(StateError, match="knows no callback 'clip'") as caught:
        after_backward((("clip", clip_gradients(1.0)),), pmap({"other": None}), gradients())
    assert caught.value.got == "other"
    assert caught.value.expected == "a state for 'clip'"
    assert "initial_state" in caught.value.fix


def test_the_first_state_has_parameters_of_its_own():
    """What init does to the tensors it is given stays with it."""

    @descriptor
    class Zeroing(Callback):
        def init(self, params):
            return params["w"].zero_()

    params = {"w": torch.ones(2)}
    states = initial_states((("z", Zeroing()),), params)
    assert states["z"].tolist() == [0.0, 0.0]
    assert params["w"].tolist() == [1.0, 1.0]


def test_modes_are_left_as_they_are():
    """Neither the mode of gradients nor inference mode is felt inside, or changed outside."""
    seen = []

    def look(state, gradients):
        seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return state, {name: g * 1.0 for name, g in gradients.items()}

    named = (("odd", returning(look)),)
    after_backward(named, pmap({"odd": None}), gradients())
    assert torch.is_grad_enabled()
    found = gradients()
    with torch.inference_mode():
        _, after = after_backward(named, pmap({"odd": None}), found)
        assert torch.is_inference_mode_enabled()
    assert seen == [(False, False)] * 2
    assert not any(g.is_inference() for g in after.values())
