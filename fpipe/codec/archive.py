"""The container of a file: named members and a digest, as one string of bytes.

A zip archive whose members are stored, not compressed, and whose comment holds the version of
the format and the SHA-256 of everything before the digest. So any tool for zip archives can look
inside, and any damage is seen before anything is read.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping

from fpipe.core.errors import CodecError

_COMMENT = re.compile(rb"fpipe (\d{1,4}) sha256=([0-9a-f]{64})\Z")
_LONGEST = 96
_MEMBER = re.compile(r"value\.json|tensors\.safetensors|tables/(?:0|[1-9]\d{0,8})\.arrows")
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _PLAIN_FILE = 3, 0o644 << 16


def pack(members: Mapping[str, bytes], version: int) -> bytes:
    """Return members as the bytes of a file.

    Args:
        members: content by name, written in this order.
        version: the version of the format.

    Example:
        >>> unpack(pack({"value.json": b"1"}, 1))
        (1, {'value.json': b'1'})
    """
    comment = b"fpipe %d sha256=" % version
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _PLAIN_FILE
            archive.writestr(info, content)
        archive.comment = comment + b"0" * 64
    whole = file.getbuffer()
    whole[-64:] = hashlib.sha256(whole[:-64]).hexdigest().encode()
    del whole
    return file.getvalue()


def unpack(data: bytes) -> tuple[int, dict[str, bytes]]:
    """Return the version of the format, and the members by name.

    The digest is checked first. Names are compared with those that a file of fpipe has; no path is
    ever made of one.

    Raises:
        CodecError: the bytes are no file of fpipe, are damaged, or hold another member.
    """
    version = check_digest(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(data))
            return version, {entry.filename: archive.read(entry) for entry in entries}
    except CodecError:
        raise
    except Exception as error:
        # zipfile raises errors of a dozen kinds on archives that make no sense.
        raise damaged("its archive cannot be read", str(error)) from error


def check_digest(data: bytes) -> int:
    """Return the version of the format that a file declares, if its digest is right.

    Raises:
        CodecError: the bytes are no file of fpipe, or not those that were written.
    """
    tail = data[-_LONGEST:]
    found = _COMMENT.search(tail) if data[:2] == b"PK" else None
    if found is None:
        raise CodecError(
            "this is no file of fpipe, or its end is missing.",
            expected="a file written by fp.save",
            got=f"{len(data):,} bytes that begin with {data[:8]!r}",
            fix="give the path of a file that fp.save has written, or copy it again",
        )
    if hashlib.sha256(memoryview(data)[:-64]).hexdigest().encode() != found[2]:
        raise damaged("its content is not what was written", "another SHA-256")
    return int(found[1])


def damaged(why: str, got: str) -> CodecError:
    """Return the error of a file that cannot be read."""
    return CodecError(
        f"the file is damaged: {why}.",
        expected="the bytes that fp.save wrote",
        got=got[:200] or "something else",
        fix="take another copy of the file, or save the value again",
    )


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    wrong = [name for name in names if not _MEMBER.fullmatch(name)]
    if wrong or "value.json" not in names or len(set(names)) < len(names):
        raise damaged("it holds members that no file of fpipe has", repr(wrong or names))
    if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries):
        raise damaged("a member is compressed or encrypted", repr(names))
    if sum(entry.file_size for entry in entries) > size:
        raise damaged("its members are larger than the file", f"{size:,} bytes")
