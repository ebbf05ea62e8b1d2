"""Law 12: trainings in threads and in other processes give what a plain loop gives."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn

RNG = np.random.default_rng(1)
X = RNG.normal(size=(32, 3))
TASK = fp.regression({f"x{i}": X[:, i] for i in range(3)} | {"y": X[:, 0] - X[:, 1]}, "y")


class Recurrent(torch.nn.Module):
    """The features as a sequence, with dropout between two layers."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.LSTM(1, 4, num_layers=2, dropout=0.4, batch_first=True)

    def forward(self, x):
        return self.net(x[:, :, None])[0][:, -1]


class Encoder(torch.nn.Module):
    """The features as tokens of torch's own transformer layer, with dropout."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, batch_first=True)

    def forward(self, x):
        return self.layer(x[:, :, None].expand(-1, -1, 4)).flatten(1)


def trained(body, **model):
    chain = nn.ingress_numeric() >> body >> nn.head() >> nn.loss("mse")
    settings = {"epochs": 3, "batch_size": 8, "measures_train": ("rmse",)} | model
    return chain >> nn.optimizer("adam", lr=0.02) >> nn.model(**settings)


GRAPHS = (
    trained(nn.linear(6) >> nn.relu() >> nn.dropout(0.4)),
    trained(nn.linear(6) >> nn.batch_norm1d() >> nn.rrelu(), accumulate=3),
    trained(nn.module(Recurrent)),
    trained(nn.module(Encoder)),
)
PRECISIONS = ("float32", "bfloat16")
JOBS = [(graph, fp.key(i), PRECISIONS[i // 4]) for i, graph in enumerate(GRAPHS * 2)]


def result(job):
    """Return the states of a training and what it predicts."""
    graph, key, precision = job
    fitted = fp.fit(graph, TASK, key=key, validate=0.25, precision=precision)
    return fitted.states, fp.predict(fitted, TASK)


@pytest.fixture(scope="module")
def expected():
    return [result(job) for job in JOBS]


def test_keys_differ(expected):
    """The trainings are different ones."""
    predictions = [prediction for _, prediction in expected]
    assert not any(a == b for i, a in enumerate(predictions) for b in predictions[:i])


@pytest.mark.parametrize("workers", [2, 8])
def test_threads(expected, workers):
    """Eight trainings in a pool of threads, to the bit; the global generator does not move."""
    before = torch.get_rng_state()
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(result, JOBS))
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(found, expected, strict=True):
        assert fp.same(one, other)


def test_threads_that_begin_together(expected):
    """All begin at once, and share one graph."""
    together = threading.Barrier(4)

    def begun(job):
        together.wait()
        return result(job)

    jobs = [JOBS[3]] * 2 + [JOBS[2]] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(begun, jobs))
    assert all(fp.same(one, expected[3]) for one in found[:2])
    assert all(fp.same(one, expected[2]) for one in found[2:])


def test_a_thread_that_draws_beside(expected):
    """A thread that draws from the global generator disturbs nothing, and is not disturbed."""
    done = threading.Event()
    drawn = []

    def drawing():
        generator = torch.default_generator
        while not done.is_set():
            drawn.append(torch.rand((), generator=generator))

    state = torch.get_rng_state()
    beside = threading.Thread(target=drawing)
    beside.start()
    try:
        found = result(JOBS[3])
    finally:
        done.set()
        beside.join()
    assert fp.same(found, expected[3])
    again = torch.Generator()
    again.set_state(state)
    assert all(torch.equal(x, torch.rand((), generator=again)) for x in drawn[:1000])


def test_processes(expected):
    """A fresh process gives the same bits."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_alike, initargs=(_now(),)) as pool:
        found = list(pool.map(result, JOBS[:4]))
    for one, other in zip(found, expected[:4], strict=True):
        assert fp.same(one, other)


def _now() -> int:
    return torch.get_num_threads()


def _alike(threads: int) -> None:
    torch.set_num_threads(threads)


def test_resampling(expected):
    """Resampling in threads gives what it gives one by one, in another precision too."""
    del expected
    one = partial(fp.resample, GRAPHS[3], TASK, fp.cv(3), key=fp.key(9), precision="bfloat16")
    with ThreadPoolExecutor(3) as pool:
        assert fp.same(one(executor=pool, keep_fitted=True), one(keep_fitted=True))
