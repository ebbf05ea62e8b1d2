"""Laws 11 and 12: nothing is mutated, nothing global moves; threads and processes change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings

from fpipe.testing import holds
from fpipe.testing.laws.purity import PURITY

PROGRAM = """
import warnings
import fpipe as fp
from fpipe import nn, ops

table = {"a": [0.5, 1.0, -2.0, 3.5, None, 0.25] * 4, "b": ["u", "v", "w", "u", "v", "u"] * 4}
task = fp.classification(table | {"y": ["no", "yes", "no", "no", "yes", "yes"] * 4}, "y")
net = nn.block(nn.linear(8) >> nn.relu() >> nn.dropout(0.3) >> nn.batch_norm1d(), 2)
graph = (
    ops.one_hot() >> ops.impute_median() >> ops.scale() >> nn.ingress_numeric() >> net >> nn.head()
    >> nn.loss("cross_entropy") >> nn.optimizer("adamw", lr=0.01)
    >> nn.model(epochs=3, batch_size=4, drop_last=True, patience=2)
)
for seed in range(3):
    fitted = fp.fit(graph, task, validate=0.25, key=fp.key(seed))
    print(fp.fingerprint(graph), fp.fingerprint(fitted), fp.fingerprint(fp.predict(fitted, task)))
    print([fp.fingerprint(part) for part in fp.partition(task, key=fp.key(seed))])
    result = fp.resample(graph, task, fp.cv(3), validate="test", key=fp.key(seed))
    print(fp.fingerprint(result.prediction()))
"""


@pytest.mark.parametrize("law", PURITY, ids=lambda law: law.name)
def test_law(law):
    """The law holds in every case that was tried."""
    assert holds(law) >= settings().max_examples


def _in_process(seed: str) -> str:
    own = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=own, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_other_processes_give_the_same():
    """Fits, predictions, splits and resamplings are the same under other hash seeds."""
    with ThreadPoolExecutor(2) as pool:
        one, *others = pool.map(_in_process, ["0", "4711"])
    assert len(one.splitlines()) == 9
    assert all(other == one for other in others)
