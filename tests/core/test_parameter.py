"""What parameters accept, and what is said when they do not."""

import copy
import math
import pickle

import pytest

from fpipe.core import parameter as p
from fpipe.core.equality import same
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import descriptor


@descriptor
class Layer:
    out: int = p.parameter(check=p.integer(1))
    rate: float = p.parameter(0.1, check=p.number(0, 1))
    sizes: tuple = p.parameter((1,), check=p.tuple_of(p.integer(0), at_least=1), convert=tuple)
    note: str = p.label("")


ACCEPTED = [
    (p.integer(), [0, -3, 10**30], [True, 1.0, "1", None]),
    (p.integer(1, 3), [1, 3], [0, 4]),
    (p.number(), [0, -1.5, 10**400], [math.nan, math.inf, True, "1"]),
    (p.number(0, 1), [0, 1, 0.5], [-0.1, 1.1]),
    (p.number(0, 1, above=True), [1e-9, 1], [0, 0.0, 1.5]),
    (p.boolean(), [True, False], [0, 1, None]),
    (p.text(), ["a"], ["", 1, None]),
    (p.one_of("a", 1), ["a", 1], ["b", True, 1.0]),
    (p.tuple_of(p.integer(), at_least=2), [(1, 2)], [(1,), [1, 2], (1, "a")]),
    (p.optional(p.text()), [None, "a"], ["", 1]),
    (p.instance_of(int, str), [1, "a"], [1.0]),
]


@pytest.mark.parametrize(("check", "good", "bad"), ACCEPTED, ids=lambda x: getattr(x, "words", ""))
def test_checks(check, good, bad):
    assert all(check.accepts(x) for x in good)
    assert not any(check.accepts(x) for x in bad)


def test_words():
    assert p.integer(1, 3).words == "an integer from 1 to 3"
    assert p.number(0, 1, above=True).words == "a number above 0 and at most 1"
    assert p.optional(p.text()).words == "a non-empty string, or None"


def test_a_wrong_value_is_refused_before_anything_is_made():
    with pytest.raises(ParameterError) as caught:
        Layer(0)
    assert str(caught.value) == (
        "Layer: out cannot be 0.\n"
        "  expected  an integer of at least 1\n"
        "  got       0 (int)\n"
        "  fix       give out as an integer of at least 1"
    )
    assert caught.value.details == {"parameter": "out", "value": 0}


def test_a_parameter_may_stay_required():
    assert Layer().out is REQUIRED
    assert Layer(3, sizes=REQUIRED).sizes is REQUIRED
    assert Layer(3, sizes=[1, 2]).sizes == (1, 2)


def test_there_is_one_required():
    assert pickle.loads(pickle.dumps(REQUIRED)) is REQUIRED
    assert copy.deepcopy(REQUIRED) is REQUIRED
    assert repr(REQUIRED) == "REQUIRED"


def test_labels_do_not_count():
    assert Layer(1, note="a") == Layer(1, note="b")
    assert hash(Layer(1, note="a")) == hash(Layer(1, note="b"))
    assert same(Layer(1, note="a"), Layer(1, note="b"))
    assert Layer(1) != Layer(2)
