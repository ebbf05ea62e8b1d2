"""Fingerprints: short names of values by content."""

from __future__ import annotations

import hashlib
from typing import Any

from fpipe.codec.canonical import canonical_bytes


def fingerprint(value: Any) -> str:
    """Return 32 hexadecimal digits that name a value by its content.

    Equal values have equal fingerprints, in every process.

    Raises:
        CodecError: something in the value has no canonical bytes.

    Example:
        >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
        True
        >>> len(fingerprint(None))
        32
    """
    return hashlib.blake2b(canonical_bytes(value), digest_size=16, person=b"fpipe.1").hexdigest()
