"""Law 10 through files: what is saved is loaded, equal values are equal files, damage is seen."""

import datetime
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

import fpipe as fp
from fpipe.codec import archive, binary, document, leaves, store, tables
from fpipe.core import diff as diffs
from fpipe.evaluate.record import RunRecord
from fpipe.evaluate.resample import ResampleResult
from fpipe.testing import holds, violation
from fpipe.testing.examples import concrete_types, example, fitted, graph, network
from fpipe.testing.laws.files import FILES, loading_undoes_saving
from fpipe.testing.public import PUBLIC
from fpipe.testing.values import values
from fpipe.train.resuming import Reached

PUBLIC_TYPES = {
    RunRecord,
    Reached,
    ResampleResult,
    *(cls for cls in concrete_types().values() if cls in vars(fp).values()),
}
"""Types of which users meet values: those on the face, and what functions give back."""


@pytest.mark.parametrize("law", FILES, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples


@pytest.mark.parametrize("name", sorted(concrete_types()))
def test_every_class_of_values_comes_back(name):
    """No class that a file may hold is left to chance."""
    loading_undoes_saving(example(concrete_types()[name]))


def test_every_public_type_is_drawn():
    """Values as users make them are among the cases: one strategy or more of each type."""
    first = settings(phases=[Phase.generate], database=None, deadline=None)
    drawn = {type(find(one, lambda _: True, settings=first)) for one in PUBLIC.values()}
    assert {fp.Graph, fp.Task, fp.Prediction} < PUBLIC_TYPES
    assert drawn >= PUBLIC_TYPES


PROGRAM = """
import hashlib
from hypothesis import HealthCheck, given, settings
from fpipe.codec.binary import to_bytes
from fpipe.testing.values import values

@settings(
    max_examples=200, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(values())
def body(value):
    print(hashlib.sha256(to_bytes(value)).hexdigest())

body()
"""


def test_files_are_the_same_in_every_process():
    """The hash seed decides nothing."""
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].split()) > 150


# ------------------------------------------------------------------ planted bugs

MUTANTS = []


def mutant(law, own_cases=None):
    """Register a planted bug with the law that must catch it."""

    def register(plant):
        MUTANTS.append(pytest.param(plant, law, own_cases, id=plant.__name__))
        return plant

    return register


@mutant("loading undoes saving", st.tuples(values()))
def the_sign_of_zero_is_dropped(patch):
    real = leaves._EXACT[float]
    patch.setitem(leaves._EXACT, float, lambda x: real(x + 0.0))


@mutant("other values, other files")
def the_sign_of_zero_is_not_written(patch):
    real = leaves._EXACT[float]
    patch.setitem(leaves._EXACT, float, lambda x: real(x + 0.0))


@mutant("loading undoes saving")
def the_bits_of_a_nan_are_dropped(patch):
    patch.setitem(leaves._READ, "float", lambda _: float("nan"))


@mutant("loading undoes saving")
def tuples_are_sorted(patch):
    real = document._tagged

    def tagged(value, keys, below):
        return real(value, keys, sorted(below, key=repr) if type(value) is tuple else below)

    patch.setattr(document, "_tagged", tagged)


@mutant("loading undoes saving")
def tuples_become_lists(patch):
    patch.setitem(document._BUILT, "pvector", list)


@mutant("loading undoes saving")
def a_field_is_forgotten(patch):
    real = document._built

    def built(cls, given, catalogue):
        return real(cls, {**given, "more": None} if "more" in given else given, catalogue)

    patch.setattr(document, "_built", built)


@mutant("files are canonical")
def maps_are_written_as_they_iterate(patch):
    real = document.parts

    def parts(value):
        found = real(value)
        if type(value) is dict:
            return found._replace(keys=tuple(value), children=tuple(value.values()))
        return found

    patch.setattr(document, "parts", parts)
    dumps = binary.json.dumps

    def unsorted(tree, **options):
        return dumps(tree, **{**options, "sort_keys": False})

    patch.setattr(binary.json, "dumps", unsorted)


@mutant("files are canonical")
def what_lies_under_nulls_is_written(patch):
    patch.setattr(tables, "_packed", lambda truths: tables.pa.py_buffer(os.urandom(64)))


@mutant("files are canonical")
def the_time_of_saving_is_written(patch):
    moments = iter(range(10**9))

    class Info(archive.zipfile.ZipInfo):
        def __init__(self, name, date):
            super().__init__(name, (1980 + next(moments) % 50, *date[1:]))

    patch.setattr(archive.zipfile, "ZipInfo", Info)


@mutant("loading undoes saving")
def tensors_lose_their_dtype(patch):
    real = store.Reader.tensor
    patch.setattr(store.Reader, "tensor", lambda *a: real(*a).float())


@mutant("loading undoes saving")
def tensors_are_found_by_their_shape(patch):
    """What is kept once is what has one dtype and shape, whatever it holds."""

    class Blind:
        def __init__(self, data):
            pass

        def digest(self):
            return b""

    fake = type("hashes", (), {"blake2b": Blind, "sha256": hashlib.sha256})
    patch.setattr(store, "hashlib", fake)


@mutant("loading undoes saving")
def nulls_become_zeros(patch):
    patch.setattr(tables, "_packed", lambda t: tables.pa.py_buffer(np.packbits(t | True)))


@mutant("loading undoes saving")
def times_lose_their_day(patch):
    patch.setitem(leaves._READ, "date", lambda _: datetime.date(2000, 1, 1))


@mutant("damage is seen")
def the_digest_is_not_checked(patch):
    class Agreeing(bytes):
        def __ne__(self, other):
            return False

        def encode(self):
            return self

    fake = type("hashes", (), {"sha256": lambda data: type("d", (), {"hexdigest": Agreeing})})
    real = hashlib.sha256

    def either(data):
        return fake.sha256(data) if isinstance(data, memoryview) and data.readonly else real(data)

    patch.setattr(archive, "hashlib", type("hashes", (), {"sha256": staticmethod(either)}))


MADE = st.sampled_from([graph, fitted, network]).map(lambda make: make())


@mutant("forgery is refused or sound", st.tuples(MADE, st.integers(0, 2**32)))
def types_are_not_checked(patch):
    patch.setattr(document, "fits", lambda *given: True)


@mutant("forgery is refused or sound")
def checks_are_not_made(patch):
    real = binary.document.read

    def read(tree, kept, catalogue):
        return real(tree, kept, catalogue._replace(checks={}))

    patch.setattr(binary.document, "read", read)


@mutant("differences are all")
def tensors_are_never_different(patch):
    real = diffs.same

    def same(a, b):
        return real(a, b) or (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor))

    patch.setattr(diffs, "same", same)


@mutant("differences are all")
def zeros_are_alike(patch):
    real = diffs.same
    patch.setattr(
        diffs, "same", lambda a, b: real(a, b) or (type(a) is type(b) is float and a == b)
    )


@pytest.mark.parametrize(("plant", "law", "own_cases"), MUTANTS)
def test_planted_bugs_are_caught(plant, law, own_cases, monkeypatch):
    """Each of them breaks the law that is named with it."""
    rule = next(one for one in FILES if one.name == law)
    plant(monkeypatch)
    assert isinstance(violation(rule, own_cases, examples=5000), AssertionError)


def test_every_law_catches_something():
    assert {param.values[1] for param in MUTANTS} == {law.name for law in FILES}
