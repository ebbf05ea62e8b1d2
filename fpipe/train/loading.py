"""Reading batches ahead, in threads; what is read does not depend on it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.train.batched import Batched
from fpipe.train.feeding import LazyInput
from fpipe.train.plan import batch_rows
from fpipe.train.run import Examples, Run

_T = TypeVar("_T")
_AHEAD = 2
"""Batches per thread that wait to be used."""


def default_workers() -> int:
    """Return how many threads read where nobody says so: two, where there are so many cores."""
    return min(2, os.cpu_count() or 1)


def resolve_workers(asked: int | None, examples: Examples) -> int:
    """Return how many threads read ahead: none where all is in memory, else two by default."""
    if asked is not None:
        return asked
    lazy = [x for x in examples.inputs.values() if isinstance(x, LazyInput)]
    outside = any(x.tensor.column.maps or not x.tensor.column.source.in_memory for x in lazy)
    return default_workers() if outside else 0


def ahead(jobs: Iterable[Callable[[], _T]], workers: int) -> Iterator[_T]:
    """Yield what jobs give, in order; threads are some jobs ahead.

    Args:
        jobs: functions without arguments, which may run in any thread.
        workers: how many threads; with 0 each job runs when its result is wanted.
    """
    if workers == 0:
        for job in jobs:
            yield job()
        return
    waiting: deque[Future[_T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fpipe-read")
    try:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Loader:
    """Gives the batches of a training one by one, and reads those that come next meanwhile.

    Args:
        run: what training reads.
        workers: threads that read ahead.
    """

    def __init__(self, run: Run, workers: int) -> None:
        self._run = run
        self._workers = workers
        self._memory = MemoryPool()
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: dict[tuple[int, int], Future[Batched]] = {}

    def batch(self, epoch: int, index: int, order: NDArray[np.int64]) -> Batched:
        """Return a batch.

        Args:
            epoch: the epoch.
            index: which of its batches.
            order: the order of the rows in this epoch.
        """
        if self._workers == 0:
            return self._read(epoch, index, order)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="fpipe-read")
        last = min(index + self._workers * _AHEAD, self._run.plan.batches - 1)
        for each in range(index, last + 1):
            if (epoch, each) not in self._waiting:
                job = self._pool.submit(self._read, epoch, each, order)
                self._waiting[epoch, each] = job
        return self._waiting.pop((epoch, index)).result()

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool, self._waiting = None, {}

    def _read(self, epoch: int, index: int, order: NDArray[np.int64]) -> Batched:
        rows = batch_rows(self._run.plan, order, index)
        return self._run.train.take(rows, epoch, self._memory)
