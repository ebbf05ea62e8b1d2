"""The catalogue: every class of values has a name, an example, and comes back from a file."""

import shutil

import pytest

import fpipe as fp
from fpipe.catalogue import catalogue, house_types
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.codec.conform import hints_of
from fpipe.codec.trust import resolve, type_name
from fpipe.core.code import Opaque
from fpipe.core.errors import CodecError, ParameterError
from fpipe.core.tree import fields_of
from fpipe.soundness import CHECKS
from fpipe.testing.examples import EXAMPLES, concrete_types, example

CONCRETE = sorted(concrete_types())


@pytest.mark.parametrize("name", CONCRETE)
def test_every_class_comes_back(name):
    """A class without an example fails here: add one to fpipe/testing/examples.py."""
    cls = house_types()[name]
    value = example(cls)
    assert type(value) is cls
    data = to_bytes(value, CHECKS)
    back = from_bytes(data, catalogue())
    assert fp.same(back, value), fp.diff(value, back)
    assert fp.fingerprint(back) == fp.fingerprint(value)
    assert to_bytes(back) == data


def test_names_are_those_of_the_classes():
    for name, cls in house_types().items():
        assert type_name(cls) == name
        assert name.rpartition(".")[2] == cls.__name__


def test_nearly_everything_is_there():
    assert {"data.Task", "graph.Graph", "graph.Fitted", "train.TrainState"} <= set(house_types())
    assert len(CONCRETE) > 200


def test_what_cannot_be_read_is_not_there():
    assert Opaque not in house_types().values()
    assert not any(cls.__module__.startswith("fpipe.testing") for cls in house_types().values())


def test_every_declared_type_can_be_looked_up():
    """So that what is read is checked; an annotation that leads nowhere would accept anything."""
    for name, cls in house_types().items():
        written = {field.name: str(field.type) for field in fields_of(cls)}
        for field, hint in hints_of(cls).items():
            unknown = repr(hint) == "typing.Any" and written[field] not in ("Any", "typing.Any")
            assert not unknown, f"{name}.{field}: {written[field]}"


def test_examples_are_of_classes_that_are_there():
    assert set(EXAMPLES) <= set(house_types())


@pytest.mark.parametrize("allow", [["my pkg"], [""], [3], ["a:"], [":b"], ["a:b:c"], ["a..b"]])
def test_what_is_no_package(allow):
    with pytest.raises(ParameterError) as caught:
        catalogue(allow)
    assert "allow" in caught.value.fix
    assert caught.value.expected
    assert caught.value.got


def test_one_function_may_be_allowed():
    known = catalogue(["shutil:rmtree"])
    assert resolve("shutil:rmtree", known) is shutil.rmtree
    for path in ("shutil:copy", "shutil:move", "os:remove"):
        with pytest.raises(CodecError, match="not allowed"):
            resolve(path, known)


def test_one_package_may_be_given_as_text():
    assert catalogue("mypkg").allow[-1].package == "mypkg"
