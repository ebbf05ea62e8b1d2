"""Files that are damaged, and files that are forged: damaged under a digest that is right."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from fpipe.codec.archive import pack, unpack
from fpipe.codec.version import FORMAT

Members = dict[str, bytes]
Draw = random.Random

_ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**62, 10**30, 1e308, "", "\ud800", "../../etc/passwd", [], {}),
    *({"core.Ref": {"path": "os:system"}}, {"core.Ref": {"path": "torch.nn:functional.torch.hub"}}),
    *({"float": "7ff8000000000001"}, {"int": "f" * 5000}, {"class": "os:PathLike"}, {"x": 1}),
    *({"tensor": [0, "torch.float32", [2**40]]}, {"frame": [2**60]}, {"polars": ["Array", 1, 2]}),
    *({"core.Opaque": {"content": 1}}, {"member": ["os:PathLike", "a"]}, {"bytes": "?"}),
)


def damaged(data: bytes, draw: Draw) -> bytes:
    """Return a file as a bad disk or a bad copy leaves it; it is never the file itself."""
    place = draw.randrange(len(data))
    other = draw.choice(
        (
            lambda: _flipped(data, draw),
            lambda: data[:place],
            lambda: data[place:] if place else data[1:],
            lambda: data + b"\0" * draw.randint(1, 9),
            lambda: data[:place] + b"\0" * (len(data) - place),
            lambda: data[:place] + data[place + 1 :],
            lambda: pickle.dumps(Marker()),
        )
    )()
    return other if other != data else _flipped(data, draw)


def forged(data: bytes, draw: Draw) -> bytes:
    """Return a file that was changed and given the digest of what it holds now."""
    version, members = unpack(data)
    raw = draw.random() < 0.25
    if raw:
        return resealed(_raw(data, draw))
    change = draw.choice(_CHANGES)
    for _ in range(draw.choice((1, 1, 3))):
        members = change(dict(members), draw) if members else members
    return pack(members, draw.choice((version,) * 20 + (0, 9999)))


def resealed(data: bytes) -> bytes:
    """Return bytes with the comment of a file that holds the digest of the others."""
    comment = b"fpipe %d sha256=" % FORMAT
    body = data[: max(len(data) - len(comment) - 64, 0)] + comment
    return body + hashlib.sha256(body).hexdigest().encode()


class Marker:
    """Says that it was unpickled, by raising."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def _flipped(data: bytes, draw: Draw) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :]


def _raw(data: bytes, draw: Draw) -> bytes:
    """Change the archive itself: sizes, offsets, names, whole stretches."""
    place = draw.randrange(len(data))
    size = struct.pack("<I", draw.choice((0, 1, 2**31 - 1, 2**32 - 1)))
    heads = [i for i in range(len(data) - 4) if data[i : i + 4] in (b"PK\1\2", b"PK\3\4")]
    head = draw.choice(heads) + draw.choice((8, 18, 20, 22, 24, 28, 42))
    return draw.choice(
        (
            lambda: _flipped(data, draw),
            lambda: data[:place] + data[place + draw.randint(1, 50) :],
            lambda: data[:head] + size + data[head + 4 :],
            lambda: data.replace(b"value.json", b"../../.sh."),
            _bomb,
            lambda: _twice(data),
        )
    )()


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("value.json", b"[" + b"0," * 10**6 + b"0]")
        archive.comment = b"x" * 79
    return file.getvalue()


def _twice(data: bytes) -> bytes:
    _, members = unpack(data)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        infos = archive.infolist()
        archive.fp.seek(0, 2)  # type: ignore[union-attr]
        archive.filelist.append(infos[0])
        archive.comment = b"x" * 79
    return file.getvalue()


def _bits(members: Members, draw: Draw) -> Members:
    name = draw.choice(sorted(members))
    content = members[name]
    for _ in range(draw.choice((1, 1, 8))):
        content = _flipped(content, draw) if content else content
    return members | {name: content}


def _cut(members: Members, draw: Draw) -> Members:
    name = draw.choice(sorted(members))
    return members | {name: members[name][: draw.randrange(len(members[name]) + 1)]}


def _swapped(members: Members, draw: Draw) -> Members:
    a, b = draw.choice(sorted(members)), draw.choice(sorted(members))
    return members | {a: members[b], b: members[a]}


def _gone(members: Members, draw: Draw) -> Members:
    name = draw.choice(sorted(members))
    return {key: content for key, content in members.items() if key != name}


def _added(members: Members, draw: Draw) -> Members:
    names = (
        "tables/99.arrows",
        "../evil",
        "/etc/passwd",
        "data.pkl",
        "a" * 999,
        "tensors.safetensors",
    )
    return members | {draw.choice(names): pickle.dumps(Marker())}


def _huge(members: Members, draw: Draw) -> Members:
    """Declare huge sizes in the headers of tensors and tables."""
    name = draw.choice(sorted(members))
    content = members[name]
    if name.endswith("safetensors") and draw.random() < 0.5:
        return members | {name: struct.pack("<Q", draw.choice((2**63, 10**8, 2**40))) + content[8:]}
    place = draw.randrange(max(len(content) - 8, 1))
    size = struct.pack("<q", draw.choice((2**62, 2**40, -1, 2**31)))
    return members | {name: content[:place] + size + content[place + 8 :]}


def _document(members: Members, draw: Draw) -> Members:
    """Change the document: a number, a name, a part for another."""
    if "value.json" not in members:
        return members
    try:
        tree = json.loads(members["value.json"])
    except ValueError:
        return members
    places = _places(tree)
    for _ in range(draw.choice((1, 1, 2, 5))):
        path = draw.choice(places)
        other = draw.choice(_ODD) if draw.random() < 0.6 else _at(tree, draw.choice(places))
        tree = _put(tree, path, json.loads(json.dumps(other)))
        places = _places(tree)
    return members | {"value.json": json.dumps(tree).encode()}


def _alike(members: Members, draw: Draw) -> Members:
    """Change parts of the document for others of their kind, so that the types still fit."""
    try:
        tree = json.loads(members["value.json"])
    except (KeyError, ValueError):
        return members
    for _ in range(draw.choice((1, 1, 2, 5))):
        places = _places(tree)
        path = draw.choice(places)
        kind = type(_at(tree, path))
        others = [p for p in places if type(_at(tree, p)) is kind]
        other = _at(tree, draw.choice(others))
        if kind is int and draw.random() < 0.7:
            other = draw.choice((-1, 0, 1, 2, 3, 7, 1000, 2**40, 2**62))
        tree = _put(tree, path, json.loads(json.dumps(other)))
    return members | {"value.json": json.dumps(tree).encode()}


def _names(members: Members, draw: Draw) -> Members:
    """Rename a field or a type, or give a field twice."""
    text = members.get("value.json", b"{}")
    keys = sorted({part for part in text.split(b'"')[1::2] if part})
    if not keys:
        return members
    a, b = draw.choice(keys), draw.choice(keys)
    return members | {"value.json": text.replace(b'"%s"' % a, b'"%s"' % b, draw.choice((1, -1)))}


def _text(members: Members, draw: Draw) -> Members:
    """Put in what JSON readers disagree about."""
    text = members.get("value.json", b"{}")
    place = draw.randrange(len(text) + 1)
    deep = b"[" * 100_000 + b"]" * 100_000
    odd = (
        b"NaN",
        b"1e999",
        b"-Infinity",
        b"9" * 6000,
        b'"\\ud800"',
        b"\xff",
        deep,
        b'{"a":1,"a":2}',
    )
    return members | {"value.json": text[:place] + draw.choice(odd) + text[place:]}


def _deep(members: Members, draw: Draw) -> Members:
    depth = draw.choice((120, 300, 900, 50_000))
    tag = draw.choice((b'{"list":[', b"["))
    close = b"]}" if tag != b"[" else b"]"
    return {"value.json": tag * depth + b"1" + close * depth}


_CHANGES: tuple[Callable[[Members, Draw], Members], ...] = (
    *(_document, _document, _alike, _alike, _alike),
    *(_bits, _cut, _swapped, _gone, _added, _huge, _names, _text, _deep),
)


def _places(tree: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), tree)]
    while waiting:
        path, part = waiting.pop()
        found.append(path)
        steps = (
            part.items()
            if isinstance(part, dict)
            else enumerate(part)
            if isinstance(part, list)
            else ()
        )
        waiting.extend(((*path, step), below) for step, below in steps)
    return found


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _put(tree: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    _at(tree, path[:-1])[path[-1]] = other
    return tree


def contents(data: bytes) -> Mapping[str, bytes]:
    """Return the members of a file, to look at."""
    return unpack(data)[1]
