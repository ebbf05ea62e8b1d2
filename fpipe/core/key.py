"""Keys: where randomness comes from, as a value."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError
from fpipe.core.value import descriptor


@descriptor
class Key:
    """A source of random numbers that never changes: a seed and a path below it.

    The same key gives the same draws in every process; keys with different seeds or paths give
    independent ones. Nothing is consumed: derive a new key for every use.

    Args:
        seed: an integer of at least 0.
        path: integers and names, added by `fold_in`.

    Example:
        >>> k = key(42)
        >>> again = key(42).fold_in("shuffle")
        >>> bool((k.fold_in("shuffle").permutation(4) == again.permutation(4)).all())
        True
        >>> k.split(2)[0] == k.split(2)[1]
        False

    Source:
        Philox streams over NumPy's ``SeedSequence`` (Salmon et al. 2011; NumPy, *Parallel random
        number generation*).
    """

    seed: int
    path: tuple[int | str, ...] = ()

    def fold_in(self, data: int | str) -> Key:
        """Return the key below this one that belongs to an integer or a name."""
        if isinstance(data, bool) or not isinstance(data, int | str):
            raise ParameterError(
                "a key can be folded with an integer or a name only.",
                expected="int or str",
                got=f"{data!r} ({type(data).__name__})",
            )
        return Key(self.seed, (*self.path, data))

    def split(self, n: int) -> tuple[Key, ...]:
        """Return ``n`` keys below this one."""
        below = self.fold_in("split")
        return tuple(below.fold_in(i) for i in range(n))

    def numpy(self) -> np.random.Generator:
        """Return a fresh NumPy generator (Philox) at the start of this key's stream."""
        return np.random.Generator(np.random.Philox(self._sequence()))

    def generator(self, device: str | torch.device = "cpu") -> torch.Generator:
        """Return a fresh torch generator at the start of this key's stream.

        On the CPU all of its 624 words are set: torch's own seeding reads only 32 bits.
        """
        made = torch.Generator(device=device).manual_seed(self.integer())
        if made.device.type == "cpu":
            state = made.get_state().numpy().copy()
            words = state[_MT_START : _MT_START + 8 * _MT_WORDS].view(np.uint64)
            words[:] = self._sequence().generate_state(_MT_WORDS, np.uint32)
            made.set_state(torch.from_numpy(state))
        return made

    def integer(self, bits: int = 63) -> int:
        """Return one integer from ``[0, 2**bits)``, with at most 63 bits."""
        word = int(self._sequence().generate_state(1, np.uint64)[0])
        return word >> (64 - bits)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return the numbers ``0 … n-1`` in random order, ``[n]`` int64."""
        return self.numpy().permutation(n)

    def row_uniforms(self, rows: NDArray[np.int64], count: int = 1) -> NDArray[np.float64]:
        """Return uniform draws that depend on this key and each row's id alone.

        Args:
            rows: row ids, ``[rows]`` int64, in any order and grouping.
            count: draws per row.

        Returns:
            ``[rows, count]`` float64 in ``[0, 1)``.

        Example:
            >>> k = key(0)
            >>> both = k.row_uniforms(np.array([7, 9]), 2)
            >>> bool((both[1] == k.row_uniforms(np.array([9]), 2)[0]).all())
            True

        Source:
            splitmix64 (Steele, Lea and Flood 2014), a full round for key, row and draw.
        """
        start = np.uint64(self.integer(63))
        of_row = _mix(_mix(np.asarray(rows, np.int64).view(np.uint64)) ^ start)
        draws = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        words = _mix(of_row[:, None] + draws[None, :])
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def _sequence(self) -> np.random.SeedSequence:
        words = np.frombuffer(_digest(self.path), np.uint32)
        return np.random.SeedSequence(self.seed, spawn_key=tuple(int(word) for word in words))

    def __repr__(self) -> str:
        below = "".join(f"/{part}" for part in self.path)
        return f"key({self.seed}){below}"


def key(seed: int) -> Key:
    """Return the key of a seed.

    Args:
        seed: an integer of at least 0.

    Raises:
        ParameterError: the seed is no such integer.

    Example:
        >>> key(42)
        key(42)
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(
            "a key needs a seed.",
            expected="an integer of at least 0",
            got=f"{seed!r} ({type(seed).__name__})",
            fix="fp.key(42)",
        )
    return Key(int(seed))


def require_key(given: Any, function: str) -> Key:
    """Return the key given to a public function, folded with the function's name.

    Raises:
        ParameterError: what was given is no key.
    """
    if not isinstance(given, Key):
        raise ParameterError(
            f"{function}: what draws takes a key.",
            expected="a Key",
            got=f"{given!r} ({type(given).__name__})",
            fix="pass key=fp.key(42)",
        )
    return given.fold_in(function)


_MT_START, _MT_WORDS = 24, 624
"""Where the words of the Mersenne twister stand in the state of torch's CPU generator."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = words + _GOLDEN
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _digest(path: tuple[int | str, ...]) -> bytes:
    text = "".join(
        f"i{part};" if isinstance(part, int) else f"s{len(part)}:{part};" for part in path
    )
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
