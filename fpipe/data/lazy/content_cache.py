"""What has been read from files whose content is known, kept so that it is read once.

It cannot be seen from outside: what is kept is known by a checksum, so that reading again would
give the same, and it is handed out to be copied from. Whatever has to make room is read anew.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

_T = TypeVar("_T")

LIMIT = 512 << 20
"""Bytes that are kept; a single thing may be larger, and is then alone."""


class ContentCache:
    """Things that are made when they are first asked for; those used last are kept.

    Args:
        limit: how many bytes are kept.

    Example:
        >>> cache = ContentCache(100)
        >>> cache.get("a", lambda: (1, 60)), cache.get("a", lambda: (2, 60))
        (1, 1)
        >>> cache.get("b", lambda: (3, 60)), cache.get("a", lambda: (4, 60))
        (3, 4)
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, tuple[threading.Lock, int]] = {}

    def get(self, key: Hashable, make: Callable[[], tuple[_T, int]]) -> _T:
        """Return what is kept under a key, made first where there is nothing.

        Threads that ask for the same thing at the same time wait for one of them to make it.

        Args:
            key: says all that the thing depends on.
            make: returns the thing and its size in bytes.
        """
        with self._turn(key):
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    found: _T = self._held[key][0]  # type: ignore[assignment]
                    return found
            made, size = make()
            with self._lock:
                self._held[key] = (made, size)
                self._make_room()
        return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()

    @contextlib.contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time ask for a thing; the lock goes with the last that waits."""
        with self._lock:
            lock, waiting = self._making.get(key, (threading.Lock(), 0))
            self._making[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._making.pop(key)
                if waiting > 1:
                    self._making[key] = (lock, waiting - 1)

    def _make_room(self) -> None:
        while len(self._held) > 1 and sum(size for _, size in self._held.values()) > self._limit:
            self._held.popitem(last=False)


READ = ContentCache()
"""What this process has read from files with a known checksum."""
