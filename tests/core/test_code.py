"""Code as data: Ref and Opaque."""

import math
import sys

import numpy as np
import pytest

from fpipe.core.code import Opaque, Ref, as_code, path_of
from fpipe.core.equality import hash_of, same
from fpipe.core.errors import CodecError, ParameterError
from fpipe.core.value import descriptor


@descriptor
class Holder:
    code: object


def test_a_reference_finds_nested_names():
    assert Ref("collections:OrderedDict.fromkeys").resolve()([1]) == {1: None}
    assert Ref("collections:OrderedDict.fromkeys").name == "fromkeys"


@pytest.mark.parametrize("path", ["math", "math:sqroot", "no_such_module:f"])
def test_a_reference_that_leads_nowhere(path):
    with pytest.raises(ParameterError) as caught:
        Ref(path).resolve()
    assert path in str(caught.value)


def test_importable_code_becomes_a_reference():
    assert as_code(math.sqrt) == Ref("math:sqrt") == as_code("math:sqrt")
    assert hash(as_code(math.sqrt)) == hash(Ref("math:sqrt"))


def test_other_code_is_opaque_and_equals_only_itself():
    def first(x):
        return x

    def second(x):
        return x

    assert isinstance(as_code(first), Opaque)
    assert Opaque(first) == Opaque(first)
    assert Opaque(first) != Opaque(second)
    assert not same(Opaque([1]), Opaque([1]))
    assert same(Holder(Opaque(first)), Holder(Opaque(first)))


def test_a_value_with_opaque_contents_can_be_hashed():
    content = {"a": np.zeros(2)}
    assert hash_of(Holder(Opaque(content))) == hash(Holder(Opaque(content)))


def test_code_of_main_and_inner_code_have_no_path(monkeypatch):
    def inner():
        return None

    with pytest.raises(CodecError, match="cannot be imported by name"):
        path_of(inner)
    monkeypatch.setattr(sys.modules["__main__"], "inner", inner, raising=False)
    inner.__module__, inner.__qualname__ = "__main__", "inner"
    with pytest.raises(CodecError):
        path_of(inner)


def test_a_name_that_leads_to_something_else_is_no_path():
    def sqrt(x):
        return x

    sqrt.__module__, sqrt.__qualname__ = "math", "sqrt"
    assert isinstance(as_code(sqrt), Opaque)
