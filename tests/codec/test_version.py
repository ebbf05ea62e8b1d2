"""Versions of the format: older ones are brought up, newer ones refused."""

import pytest
from pyrsistent import pmap

from fpipe.catalogue import catalogue
from fpipe.codec.archive import pack
from fpipe.codec.binary import from_bytes
from fpipe.codec.version import FORMAT, MIGRATIONS, migrated
from fpipe.core.errors import CodecError

OLD = b'{"map":{"a":{"list":[1,{"map":[[1,2]]}]},"map":3}}'


def test_version_0_is_brought_up():
    found = from_bytes(pack({"value.json": OLD}, 0), catalogue())
    assert found == pmap({"a": [1, pmap({1: 2})], "map": 3})


def test_names_in_values_are_no_tags():
    """A map of Python, and a field, may be called as a tag was."""
    old = b'{"dict":{"map":1}}'
    assert from_bytes(pack({"value.json": old}, 0), catalogue()) == {"map": 1}


def test_version_0_under_a_newer_number_is_refused():
    with pytest.raises(CodecError):
        from_bytes(pack({"value.json": OLD}, FORMAT), catalogue())


def test_every_older_version_has_a_migration():
    assert sorted(MIGRATIONS) == list(range(FORMAT))


def test_a_newer_version_is_refused():
    with pytest.raises(CodecError) as caught:
        from_bytes(pack({"value.json": b"1"}, FORMAT + 1), catalogue())
    assert caught.value.fix == "update fpipe"
    assert str(FORMAT) in caught.value.expected


def test_a_version_without_a_migration_is_refused():
    with pytest.raises(CodecError, match="nothing brings"):
        migrated(1, 0, {1: lambda tree: tree})


def test_renamed_types_are_found():
    known = catalogue()._replace(renamed={"core.Seed": "core.Key"})
    text = b'{"core.Seed":{"seed":1,"path":[]}}'
    assert repr(from_bytes(pack({"value.json": text}, 1), known)) == "key(1)"
