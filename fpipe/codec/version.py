"""The version of the format, and how documents of older versions are brought up to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fpipe.core.errors import CodecError

FORMAT = 1
"""The version that is written."""


def migrated(tree: Any, version: int, steps: Mapping[int, Callable[[Any], Any]]) -> Any:
    """Return a document as the present version would have written it.

    Args:
        tree: the document as JSON.
        version: its version.
        steps: for every older version what makes the next one of it.

    Raises:
        CodecError: it is newer than this version of fpipe, or too old.

    Example:
        >>> migrated({"map": {"a": 1}}, 0, MIGRATIONS)
        {'pmap': {'a': 1}}
    """
    if version > FORMAT:
        raise CodecError(
            f"the file has version {version} of the format; this fpipe reads up to {FORMAT}.",
            expected=f"a version of at most {FORMAT}",
            got=version,
            fix="update fpipe",
        )
    for step in range(version, FORMAT):
        if step not in steps:
            raise CodecError(
                f"nothing brings version {step} of the format up to {FORMAT}.",
                expected=f"a version from {min(steps)} to {FORMAT}",
                got=version,
                fix="load and save the file with an older fpipe first",
            )
        tree = steps[step](tree)
    return tree


def _from_0(tree: Any) -> Any:
    """Version 0, which no release wrote, called a persistent map ``map``."""
    if isinstance(tree, list):
        return [_from_0(member) for member in tree]
    if not isinstance(tree, dict):
        return tree
    return {"pmap" if tag == "map" else tag: _body_from_0(below) for tag, below in tree.items()}


def _body_from_0(below: Any) -> Any:
    """Bring up what a tag stands for; the names in it are keys and fields, and no tags."""
    if isinstance(below, dict):
        return {name: _from_0(member) for name, member in below.items()}
    return _from_0(below)


MIGRATIONS: Mapping[int, Callable[[Any], Any]] = {0: _from_0}
"""What makes the next version of each older one."""
