"""Memory of batches: used again when nobody holds it, and never before."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

import fpipe as fp
from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.data.lazy.reading import read_together

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3, 300, 400)).astype(np.uint8)
"""More than what is read at a time."""


def read(lazy, rows, pool):
    return read_together([lazy.take(rows)], pool=pool)[0]


def test_what_is_held_is_not_overwritten():
    lazy, pool = fp.lazy(PIXELS).map(lambda x: x / 255), MemoryPool()
    groups = [np.random.default_rng(i).integers(0, 12, 10) for i in range(6)]
    held = [read(lazy, rows, pool) for rows in groups]
    assert len({batch.data_ptr() for batch in held}) == 6
    for rows, batch in zip(groups, held, strict=True):
        assert torch.equal(batch, torch.from_numpy(PIXELS[rows]) / 255)


def test_a_view_holds_its_memory():
    lazy, pool = fp.lazy(PIXELS), MemoryPool()
    row = read(lazy, range(10), pool)[3]
    read(lazy, range(2, 12), pool)
    assert torch.equal(row, torch.from_numpy(PIXELS[3]))


def test_what_nobody_holds_is_used_again():
    lazy, pool = fp.lazy(PIXELS), MemoryPool()
    places = {read(lazy, range(10), pool).data_ptr() for _ in range(20)}
    assert len(places) == 1
    assert read(lazy, range(3, 12), pool).data_ptr() in places  # a smaller batch fits there, too


def test_threads_get_memory_of_their_own():
    lazy, pool = fp.lazy(PIXELS), MemoryPool()

    def right(seed):
        rows = np.random.default_rng(seed).integers(0, 12, 9)
        return torch.equal(read(lazy, rows, pool), torch.from_numpy(PIXELS[rows]))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(right, range(40)))
    assert len(pool._arrays) <= 4
