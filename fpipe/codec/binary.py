"""Values as the bytes of a file, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import polars as pl

from fpipe.codec import document
from fpipe.codec.archive import damaged, pack, unpack
from fpipe.codec.store import Reader, Writer
from fpipe.codec.trust import Catalogue
from fpipe.codec.version import FORMAT, MIGRATIONS, migrated
from fpipe.core.errors import FpipeError

_DOCUMENT = "value.json"


def to_bytes(value: Any, checks: Mapping[type, Callable[[Any], None]] | None = None) -> bytes:
    """Return a value as the bytes of a file.

    Equal values have equal bytes. Labels are no part of a value and are not kept, nor is the
    device of a tensor.

    Args:
        value: the value.
        checks: what values of a class must hold (`Catalogue.checks`), so that what is refused by
            `from_bytes` is refused here already.

    Raises:
        CodecError: something in the value cannot be written.

    Laws:
        ``same(from_bytes(to_bytes(x), catalogue), x)``;
        ``same(x, y)`` implies ``to_bytes(x) == to_bytes(y)``.

    Example:
        >>> from fpipe.core.key import Key, key
        >>> from_bytes(to_bytes(key(1)), Catalogue({"core.Key": Key}))
        key(1)
    """
    store = Writer()
    tree = document.write(value, store, checks or {})
    text = json.dumps(tree, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return pack({_DOCUMENT: text.encode()} | store.members(), FORMAT)


def from_bytes(data: bytes, catalogue: Catalogue) -> Any:
    """Return the value of a file's bytes.

    The digest is checked before anything is read. No code of the file is run and nothing is
    unpickled; what the file names must be in the catalogue.

    Args:
        data: the whole file.
        catalogue: what its content may become.

    Raises:
        CodecError: the bytes are damaged, of a newer version, or name what the catalogue lacks.
        FpipeError: a value refuses its fields.
    """
    version, members = unpack(data)
    try:
        tree = json.loads(
            members.pop(_DOCUMENT).decode("ascii"),
            parse_constant=_refuse,
            object_pairs_hook=_once,
        )
        store = Reader(members)
        found = document.read(migrated(tree, version, MIGRATIONS), store, catalogue)
        store.finish()
    except FpipeError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        # A document that makes no sense can make anything fail; polars panics on some types.
        raise damaged("its content cannot be read", f"{type(error).__name__}: {error}") from error
    return found


def _refuse(constant: str) -> NoReturn:
    raise damaged("it holds a number that JSON has not", constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise damaged("a name stands twice in an object", min(made, default=""))
    return made
