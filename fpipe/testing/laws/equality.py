"""Law 10: equality, canonical bytes and fingerprints are one relation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import attrs
import polars as pl
import torch
from pyrsistent import PMap, pmap

from fpipe.codec.canonical import canonical_bytes
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.equality import close, hash_of, same
from fpipe.core.law import Law
from fpipe.core.lens import Path, get, put
from fpipe.core.tree import fields_of, parts
from fpipe.testing.laws.asserting import agree


def bytes_are_equality(left: Any, right: Any) -> None:
    """Two values are the same if and only if their canonical bytes are equal."""
    equal = canonical_bytes(left) == canonical_bytes(right)
    assert same(left, right) == equal, (left, right)
    assert same(right, left) == equal
    assert (fingerprint(left) == fingerprint(right)) == equal


def lookalikes_are_told_apart(family: tuple[Any, ...], further: Any) -> None:
    """Values that plain ``==`` would confuse are told apart as their bytes are, pair by pair."""
    for left in (*family, further):
        for right in family:
            equal = canonical_bytes(left) == canonical_bytes(right)
            assert same(left, right) == equal, (left, right)


def rebuilding_is_nothing(value: Any) -> None:
    """A value built again, maps in another order, tables in chunks, is the same."""
    other = rebuilt(value)
    agree(other, value, "what was built again")
    assert canonical_bytes(other) == canonical_bytes(value)
    assert same(value, value)
    assert close(value, other)


def changes_are_seen(value: Any, path: Path, new: Any) -> None:
    """What is changed at one place has another fingerprint, unless nothing was changed."""
    changed = put(value, path, new)
    equal = same(get(value, path), new)
    assert same(changed, value) == equal
    assert (fingerprint(changed) == fingerprint(value)) == equal


def hashes_agree(value: Any) -> None:
    """The same value has the same hash, and a fpipe value is found in a set of the other."""
    other = rebuilt(value)
    assert same(value, other)
    assert hash_of(value) == hash_of(other)
    if attrs.has(type(value)):  # a bare NaN keeps Python's own equality
        assert value == other
        assert other in {value}


def fields_count(value: Any) -> None:
    """Another value in any field that is no label changes equality and fingerprint."""
    counted = {a.name for a in fields_of(type(value))}
    assert counted, f"{type(value).__name__} has no fields"
    for field in attrs.fields(type(value)):
        other = copy.copy(value)
        object.__setattr__(other, field.name, "another value")
        differs = field.name in counted
        assert same(value, other) != differs, f"{type(value).__name__}.{field.name}"
        assert (fingerprint(value) != fingerprint(other)) == differs, field.name
        assert (value == other) != differs
        assert (other == value) != differs


def values_are_frozen(value: Any) -> None:
    """No field can be assigned or deleted, and no new one made."""
    for name in (*(a.name for a in attrs.fields(type(value))), "something_new"):
        try:
            setattr(value, name, None)
        except AttributeError:
            continue
        raise AssertionError(f"{type(value).__name__}.{name} was assigned")


def bits_are_seen(tensor: torch.Tensor) -> None:
    """Dtype, shape and sign of zero count; device order, strides and views do not."""
    plain = tensor.clone(memory_format=torch.contiguous_format)
    agree(plain, tensor, "a contiguous copy")
    doubled = torch.stack([tensor, tensor], -1)[..., 0]
    agree(doubled, tensor, "a strided view")
    others: list[torch.Tensor] = [tensor.unsqueeze(0)]
    if tensor.dtype != torch.complex128:
        others.append(tensor.to(torch.complex128))
    if tensor.is_floating_point() and tensor.numel():
        zeros = torch.zeros_like(plain)
        assert not same(zeros, -zeros), "0.0 and -0.0 are the same"
        assert fingerprint(zeros) != fingerprint(-zeros)
        nan = torch.full_like(plain, float("nan"))
        agree(nan, nan.clone(), "NaN")
    for other in others:
        assert not same(other, tensor), (other, tensor)
        assert fingerprint(other) != fingerprint(tensor)


def rebuilt(value: Any) -> Any:
    """Return the same value built again: other objects, maps in reverse, frames in chunks."""
    if isinstance(value, torch.Tensor):
        return torch.stack([value, value], 0)[1]
    if isinstance(value, pl.DataFrame):
        half = value.height // 2
        return pl.concat([value[:half], value[half:]], rechunk=False)
    if isinstance(value, Mapping) and not attrs.has(type(value)):
        turned = {key: rebuilt(value[key]) for key in reversed(list(value))}
        return pmap(turned) if isinstance(value, PMap) else turned
    found = parts(value)
    if found is None:
        return copy.deepcopy(value)
    return found.build(tuple(map(rebuilt, found.children)))


EQUALITY = (
    Law("bytes are equality", "same(a, b) iff canonical bytes are equal", bytes_are_equality),
    Law("look-alikes", "0.0, -0.0, 0 and False are four values", lookalikes_are_told_apart),
    Law("rebuilding is nothing", "a value built again is the same", rebuilding_is_nothing),
    Law("changes are seen", "a changed place, another fingerprint", changes_are_seen),
    Law("hashes agree", "equal values have equal hashes", hashes_agree),
    Law("fields count", "every field that is no label counts", fields_count),
    Law("values are frozen", "no field can be assigned", values_are_frozen),
    Law("bits are seen", "dtype, shape and the sign of zero count", bits_are_seen),
)
