"""Law 10: what was saved is loaded, equal values are equal files, and damage is seen."""

from __future__ import annotations

import random
from typing import Any

import attrs

from fpipe.catalogue import catalogue
from fpipe.codec import binary
from fpipe.codec.conform import conforms, hints_of
from fpipe.codec.fingerprint import fingerprint
from fpipe.codec.trust import Catalogue
from fpipe.core.code import Ref
from fpipe.core.diff import diff
from fpipe.core.equality import same
from fpipe.core.errors import CodecError, FpipeError
from fpipe.core.law import Law
from fpipe.core.lens import Path, get, put
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import parts
from fpipe.soundness import CHECKS
from fpipe.testing.forging import damaged, forged
from fpipe.testing.laws.equality import rebuilt


def loading_undoes_saving(value: Any) -> None:
    """What was written is read as the same value, which is written as the same bytes."""
    try:
        data = binary.to_bytes(value, CHECKS)
        back = binary.from_bytes(data, _any_code())
    except FpipeError as error:
        raise AssertionError(f"what was saved cannot be loaded: {error}") from error
    assert same(back, value), diff(value, back)
    assert fingerprint(back) == fingerprint(value)
    assert binary.to_bytes(back, CHECKS) == data


def _any_code() -> Catalogue:
    """Return the catalogue without a look at where references lead: a law is about values."""
    known = catalogue()
    checks = {cls: check for cls, check in known.checks.items() if cls is not Ref}
    return known._replace(checks=checks)


def files_are_canonical(value: Any) -> None:
    """A value built again, maps in another order, tables in chunks, is the same file."""
    assert binary.to_bytes(rebuilt(value)) == binary.to_bytes(value)


def other_values_are_other_files(value: Any, path: Path, new: Any) -> None:
    """What is changed at one place is another file, unless nothing was changed."""
    changed = put(value, path, new)
    equal = same(get(value, path), new)
    try:
        binary.to_bytes(changed)
    except CodecError:
        return  # the place does not take what was put there
    assert (binary.to_bytes(changed) == binary.to_bytes(value)) == equal


def differences_are_all(left: Any, right: Any) -> None:
    """``diff`` finds a place where two values differ exactly where they are not the same."""
    found = diff(left, right)
    assert (not found) == same(left, right), found
    assert bool(repr(found))
    for entry in found:
        assert not same(entry.left, entry.right), entry


def damage_is_seen(value: Any, seed: int) -> None:
    """A file of which any bit was lost raises CodecError."""
    data = damaged(binary.to_bytes(value), random.Random(seed))
    try:
        binary.from_bytes(data, catalogue())
    except CodecError:
        return
    raise AssertionError("a damaged file was read")


def forgery_is_refused_or_sound(value: Any, seed: int) -> None:
    """A forged file raises FpipeError, or is a value that can be compared, shown and saved."""
    data = forged(binary.to_bytes(value), random.Random(seed))
    try:
        found = binary.from_bytes(data, catalogue())
    except FpipeError:
        return
    assert_usable(found)


def assert_usable(value: Any) -> None:
    """Raise AssertionError where a value is not of its declared types all through, or cannot be
    compared, shown, or saved and loaded.
    """
    _assert_declared(value)
    try:
        assert same(value, value)
        _assert_shown(value)
        again = binary.from_bytes(binary.to_bytes(value, CHECKS), catalogue())
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"what was read cannot be used: {error!r}") from error
    assert same(again, value)


def _assert_shown(value: Any) -> None:
    """Raise where a value has no text; of integers with too many digits Python shows none."""
    try:
        assert isinstance(repr(value), str)
    except ValueError as error:
        if "integer string conversion" not in str(error):
            raise


def _assert_declared(value: Any) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        found = parts(part)
        if found is None:
            continue
        cls: Any = type(part)
        if attrs.has(cls):
            for name, child in zip(found.keys, found.children, strict=True):
                declared = child is REQUIRED or conforms(child, hints_of(cls)[name])
                assert declared, f"{cls.__name__}.{name} = {child!r}"
        waiting.extend(found.children)


FILES: tuple[Law, ...] = (
    Law("loading undoes saving", "load(save(x)) is x, to the bit", loading_undoes_saving),
    Law("files are canonical", "equal values are equal files", files_are_canonical),
    Law(
        "other values, other files",
        "a changed field that is no label changes the file",
        other_values_are_other_files,
    ),
    Law("differences are all", "not diff(a, b) if and only if same(a, b)", differences_are_all),
    Law("damage is seen", "a damaged file raises", damage_is_seen),
    Law(
        "forgery is refused or sound",
        "a file changed under a right digest raises, or is a valid value",
        forgery_is_refused_or_sound,
    ),
)
"""The laws of files."""
