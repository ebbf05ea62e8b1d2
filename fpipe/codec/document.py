"""Values as documents: a tree of JSON in which every part says what it is.

A tuple is a list; everything else that JSON lacks is an object with one key, the name of its kind
or type: ``{"core.Key": {"seed": 1, "path": []}}``. Fields that are labels are left out, maps and
sets are in the order of their keys, so equal values have equal documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeAlias

import attrs
import numpy as np
import torch
from pyrsistent import PMap, PVector, pmap, pvector

from fpipe.codec.archive import damaged
from fpipe.codec.conform import fits
from fpipe.codec.leaves import NO_LEAF, is_text, read_leaf, write_leaf
from fpipe.codec.store import Reader, Writer
from fpipe.codec.trust import Catalogue, type_name, type_of
from fpipe.core.diff import path_text
from fpipe.core.errors import CodecError, FpipeError
from fpipe.core.tree import fields_of, parts

Json: TypeAlias = Any
Checks: TypeAlias = "Mapping[type, Callable[[Any], None]]"
_Walk: TypeAlias = "Generator[tuple[Any, _Walk], Any, Any]"

DEEPEST = 150
"""How deeply the parts of a value may be nested; JSON is read by recursion."""

_SEQUENCES: dict[type, tuple[str, Any]] = {
    list: ("list", list),
    set: ("set", set),
    frozenset: ("frozenset", frozenset),
    torch.Size: ("size", torch.Size),
}
_MAPS: dict[type, tuple[str, Any]] = {dict: ("dict", dict)}
_BUILT: dict[str, Any] = {tag: make for tag, make in _SEQUENCES.values()} | {"pvector": pvector}
_MAPPED: dict[str, Any] = {"dict": dict, "pmap": pmap}


def write(value: Any, store: Writer, checks: Checks) -> Json:
    """Return the document of a value; tensors, arrays and tables go to the store.

    Args:
        value: the value.
        store: where the bulk goes.
        checks: what values of a class must hold, so that what is written can be read.

    Raises:
        CodecError: something in the value cannot be written: code without a name, an object of
            an unknown class, or a field that is not of its declared type. Its ``path`` in
            ``details`` tells where.
    """
    plain = write_leaf(value, store)
    return plain if plain is not NO_LEAF else _drive(_written(value, store, checks))


def read(document: Json, store: Reader, catalogue: Catalogue) -> Any:
    """Return the value of a document.

    Raises:
        CodecError: the document is damaged, names a type that is unknown or code that is not
            allowed, or a field is not of its declared type.
        FpipeError: a value refuses its fields.
    """
    return _drive(_read(document, store, catalogue))


def _drive(walk: _Walk) -> Any:
    """Run a walk that hands over every walk below it, without recursion."""
    stack, path, sent = [walk], list[Any](), None
    while True:
        try:
            step, below = stack[-1].send(sent)
        except StopIteration as done:
            stack.pop()
            sent = done.value
            if not stack:
                return sent
            path.pop()
        except FpipeError as error:
            raise _located(error, tuple(path)) from error
        else:
            if len(stack) >= DEEPEST:
                raise _located(_too_deep(), tuple(path))
            stack.append(below)
            path.append(step)
            sent = None


def _located(error: FpipeError, path: tuple[Any, ...]) -> FpipeError:
    whole = (*path, *error.details.pop("path", ()))
    found = error.located(path_text(whole)) if whole else error
    found.details["path"] = whole
    return found


# ---------------------------------------------------------------- writing


def _written(value: Any, store: Writer, checks: Checks) -> _Walk:
    cls = type(value)
    found = parts(value)
    if found is None or getattr(cls, "equals_only_itself", False):
        raise _unwritable(value)
    below = []
    for key, child in zip(found.keys, found.children, strict=True):
        if attrs.has(cls) and not fits(child, cls, key):
            raise _unfit(cls, key, child)
        plain = write_leaf(child, store)
        is_plain = plain is not NO_LEAF
        below.append(plain if is_plain else (yield key, _written(child, store, checks)))
    if cls in checks:
        checks[cls](value)
    if isinstance(value, Mapping) and not attrs.has(cls):
        return {_map_tag(value): (yield "keys", _written_map(found.keys, below, store, checks))}
    return _tagged(value, found.keys, below)


def _tagged(value: Any, keys: tuple[Any, ...], below: list[Json]) -> Json:
    """Return the parts of a value, which are no map's, under the name of its kind or type."""
    cls = type(value)
    if attrs.has(cls):
        return {type_name(cls): dict(zip(keys, below, strict=True))}
    if hasattr(cls, "_fields"):
        return {type_name(cls): dict(zip(cls._fields, below, strict=True))}
    if isinstance(value, PVector):
        return {"pvector": below}
    if cls is tuple:
        return below
    if cls not in _SEQUENCES:
        raise _unwritable(value)
    return {_SEQUENCES[cls][0]: below}


def _written_map(
    keys: tuple[Any, ...], members: list[Json], store: Writer, checks: Checks
) -> _Walk:
    """Write a map as an object where its keys are text, else as pairs."""
    if all(map(is_text, keys)):
        return dict(zip(keys, members, strict=True))
    pairs = []
    for key, member in zip(keys, members, strict=True):
        plain = write_leaf(key, store)
        written = plain if plain is not NO_LEAF else (yield key, _written(key, store, checks))
        pairs.append([written, member])
    return pairs


def _map_tag(value: Any) -> str:
    if isinstance(value, PMap):
        return "pmap"
    if type(value) not in _MAPS:
        raise _unwritable(value)
    return _MAPS[type(value)][0]


# ---------------------------------------------------------------- reading


def _read(tree: Json, store: Reader, catalogue: Catalogue) -> _Walk:
    if not isinstance(tree, list | dict):
        return tree
    if isinstance(tree, list):
        return tuple((yield from _read_all(tree, store, catalogue)))
    if len(tree) != 1:
        raise damaged("a part of its document has no kind", ", ".join(tree)[:80])
    ((tag, given),) = tree.items()
    leaf = read_leaf(tag, given, store, catalogue)
    if leaf is not NO_LEAF:
        return leaf
    if tag in _BUILT and isinstance(given, list):
        return _BUILT[tag]((yield from _read_all(given, store, catalogue)))
    if tag in _MAPPED:
        pairs = yield from _read_pairs(given, store, catalogue)
        return _MAPPED[tag](dict(pairs))
    if not isinstance(given, dict):
        raise damaged(f"what is written as '{tag[:40]}' has no fields", type(given).__name__)
    cls = type_of(tag, catalogue)
    fields = yield from _read_all(given.values(), store, catalogue, given)
    return _built(cls, dict(zip(given, fields, strict=True)), catalogue)


def _read_all(
    trees: Iterable[Json], store: Reader, catalogue: Catalogue, steps: Iterable[Any] | None = None
) -> _Walk:
    made = []
    for step, below in zip(steps or itertools.count(), trees, strict=False):
        plain = not isinstance(below, list | dict)
        made.append(below if plain else (yield step, _read(below, store, catalogue)))
    return made


def _read_pairs(given: Json, store: Reader, catalogue: Catalogue) -> _Walk:
    if isinstance(given, dict):
        members = yield from _read_all(given.values(), store, catalogue, given)
        return list(zip(given, members, strict=True))
    flat = [part for key, member in given for part in (key, member)]
    made = yield from _read_all(flat, store, catalogue)
    pairs = list(zip(made[::2], made[1::2], strict=True))
    if len(dict(pairs)) < len(pairs):
        raise damaged("a map has a key twice", f"{len(pairs)} pairs")
    return pairs


def _built(cls: type, given: dict[str, Any], catalogue: Catalogue) -> Any:
    """Make a value of its fields, by its constructor, so that its own checks run.

    A field that came to the class after the file was written has its default.
    """
    if not attrs.has(cls):
        return cls(**given)
    known = {field.name: field for field in fields_of(cls)}
    needed = {name for name, field in known.items() if field.default is attrs.NOTHING}
    if not needed <= set(given) <= set(known):
        other = min((needed - set(given)) | (set(given) - set(known)))
        raise CodecError(
            f"a {cls.__name__} in the file has other fields than this version's.",
            expected=", ".join(known),
            got=f"'{other[:40]}' {'missing' if other in known else 'besides'}",
            fix="update fpipe, or the package of the class, to the version that wrote the file",
        )
    for name, child in given.items():
        if not fits(child, cls, name):
            raise _unfit(cls, name, child)
    made = cls(**{known[name].alias or name: child for name, child in given.items()})
    if cls in catalogue.checks:
        catalogue.checks[cls](made)
    return made


# ---------------------------------------------------------------- errors


def _unwritable(value: Any) -> CodecError:
    return CodecError(
        f"{_kind(value)} cannot be saved.",
        expected="plain data, tensors, arrays, tables, importable code, or values made of them",
        got=repr(value)[:80],
        fix=_write_fix(value),
    )


def _kind(value: Any) -> str:
    if getattr(type(value), "equals_only_itself", False):
        return f"{value.name}, code that no other process can import,"
    return f"an object of the class {type(value).__name__}"


def _write_fix(value: Any) -> str:
    held = value.resolve() if getattr(type(value), "equals_only_itself", False) else value
    if isinstance(held, torch.nn.Module):
        name = type(held).__name__
        return f"give the class and its arguments: nn.module({name}, …) as in " + (
            "nn.module(torch.nn.Linear, 10, 100)"
        )
    if callable(held):
        return "put it at the top of a module that can be imported, and give it from there"
    if isinstance(held, int | float | str | np.generic | dict | tuple | list):
        return f"turn it into a plain {type(held).__mro__[1].__name__}"
    return f"hold the contents of {type(held).__name__} in a class made with @value"


def _unfit(cls: type, name: str, child: Any) -> CodecError:
    from_hints = getattr(attrs.fields(cls), name).type
    return CodecError(
        f"{cls.__name__}.{name} is not of its declared type.",
        expected=str(from_hints),
        got=f"{repr(child)[:60]} ({type(child).__name__})",
        fix=f"give {name} as {from_hints}",
        path=(name,),
    )


def _too_deep() -> CodecError:
    return CodecError(
        f"the parts of the value are nested more than {DEEPEST} deep.",
        expected=f"at most {DEEPEST} levels",
        got="more",
        fix="hold the parts side by side, in a tuple or a map",
    )
