"""Memory that is used again as soon as nobody holds it any more."""

from __future__ import annotations

import sys
import threading

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class MemoryPool:
    """Hands out memory, and hands it out again once no array, tensor or view of it is left.

    A batch of images is tens of MB; memory fresh from the system is filled with zeros first, which
    measured a tenth of all reading. Whoever keeps a batch keeps its memory, so nothing that is held
    is ever overwritten. Any thread may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrays: list[Bytes] = []
        self._free = _holders([np.empty(1, np.uint8)], 0)

    def take(self, count: int) -> Bytes:
        """Return so many bytes, with anything in them."""
        with self._lock:
            held = []
            for place in range(len(self._arrays)):
                if _holders(self._arrays, place) > self._free:
                    held.append(self._arrays[place])
                elif self._arrays[place].nbytes >= count:
                    return self._arrays[place][:count]
            self._arrays = [*held, np.empty(count, np.uint8)]
            return self._arrays[-1][:]


def _holders(arrays: list[Bytes], place: int) -> int:
    """Return how many hold an array; how many that are where only the list does, is measured."""
    return sys.getrefcount(arrays[place])
