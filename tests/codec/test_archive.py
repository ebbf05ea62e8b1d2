"""The container: what is read by any zip tool, and every kind of damage to it."""

import hashlib
import io
import zipfile

import pytest

from fpipe.codec.archive import pack, unpack
from fpipe.core.errors import CodecError
from fpipe.testing.forging import resealed

MEMBERS = {"value.json": b"[1]", "tensors.safetensors": b"ab", "tables/0.arrows": b""}


def test_zip_tools_can_read_it():
    with zipfile.ZipFile(io.BytesIO(pack(MEMBERS, 1))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_comment_holds_the_digest_of_all_before_it():
    data = pack(MEMBERS, 1)
    comment = zipfile.ZipFile(io.BytesIO(data)).comment
    digest = hashlib.sha256(data[:-64]).hexdigest()
    assert comment == b"fpipe 1 sha256=" + digest.encode()


def test_there_and_back():
    assert unpack(pack(MEMBERS, 1)) == (1, MEMBERS)
    assert pack(MEMBERS, 1) == pack(MEMBERS, 1)


def test_every_flipped_bit_is_seen():
    data = pack(MEMBERS, 1)
    for place in range(len(data)):
        for bit in range(8):
            other = bytearray(data)
            other[place] ^= 1 << bit
            with pytest.raises(CodecError):
                unpack(bytes(other))


def test_every_truncation_is_seen():
    data = pack(MEMBERS, 1)
    for end in range(len(data)):
        with pytest.raises(CodecError):
            unpack(data[:end])


def zipped(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = b"x" * 79
    return resealed(file.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "no file of fpipe"),
        (b"PK but no zip", "no file of fpipe"),
        (zipped([("value.json", b"1"), ("../evil.sh", b"")]), "members that no file"),
        (zipped([("value.json", b"1"), ("/etc/passwd", b"")]), "members that no file"),
        (zipped([("value.json", b"1"), ("tables/01.arrows", b"")]), "members that no file"),
        (zipped([("value.json", b"1"), ("data.pkl", b"")]), "members that no file"),
        (zipped([("tensors.safetensors", b"")]), "members that no file"),
        (zipped([("value.json", b"1"), ("value.json", b"2")]), "members that no file"),
        (zipped([("value.json", b"1" * 10**6)], zipfile.ZIP_DEFLATED), "compressed"),
    ],
)
def test_what_is_no_file_of_fpipe(data, rule):
    with pytest.raises(CodecError) as caught:
        unpack(data)
    assert rule in caught.value.rule
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


def test_sizes_beyond_the_file_are_refused():
    data = bytearray(pack(MEMBERS, 1))
    head = data.index(b"PK\1\2")
    data[head + 20 : head + 28] = b"\xff\xff\xff\x7f" * 2
    with pytest.raises(CodecError, match="larger than the file|cannot be read"):
        unpack(resealed(bytes(data)))
