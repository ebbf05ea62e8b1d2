"""Law 10: equality, canonical bytes and fingerprints are one relation."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.equality import EQUALITY

PROGRAM = """
import warnings
from hypothesis import HealthCheck, given, settings
from fpipe.codec.fingerprint import fingerprint
from fpipe.testing.public import public_values
from fpipe.testing.laws.equality import rebuilt
from fpipe.testing.values import values

def say(strategy, examples):
    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def body(value):
        print(fingerprint(value), fingerprint(rebuilt(value)) == fingerprint(value))
    body()

say(values(), 200)
say(public_values(), 100)
"""


@pytest.mark.parametrize("law", EQUALITY, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples


def _in_process(seed: str) -> list[str]:
    own = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=own, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_fingerprints_are_the_same_everywhere():
    """Generated values have the same fingerprints under other hash seeds."""
    with ThreadPoolExecutor(2) as pool:
        one, *others = pool.map(_in_process, ["0", "4711"])
    assert len(one) >= 300
    assert all(line.endswith(" True") for line in one)
    assert all(other == one for other in others)
