"""The catalogue: every type of value that a file of fpipe may hold."""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

import attrs

from fpipe.codec.trust import Catalogue, of_code, of_package, resolve, type_name
from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import CodecError, ParameterError
from fpipe.soundness import CHECKS
from fpipe.trusted import TRUSTED

_APART = ("testing", "cli", "__main__")
_RENAMED: Mapping[str, str] = {}
"""Former name → present name, for types that have moved to another room or got another name."""


def catalogue(allow: str | Iterable[str] = ()) -> Catalogue:
    """Return what a file may hold: all types of fpipe, and code of packages that are trusted.

    Args:
        allow: further packages whose classes and functions the file may refer to, or single ones
            as ``"package.module:name"``.

    Raises:
        ParameterError: one of them is no such name.

    Example:
        >>> "data.Task" in catalogue().types
        True
    """
    packages = (allow,) if isinstance(allow, str) else tuple(allow)
    for package in packages:
        _check_package(package)
    allowed = (*TRUSTED, *(of_code(p) if ":" in p else of_package(p) for p in packages))
    types = house_types()
    known = Catalogue(types, _RENAMED, allowed)

    seen: set[str] = set()

    def check_code(ref: Ref) -> None:
        if ref.path not in seen:
            resolve(ref.path, known)
            seen.add(ref.path)

    return known._replace(checks={**CHECKS, Ref: check_code})


@lru_cache(maxsize=1)
def house_types() -> Mapping[str, type]:
    """Return every class of values in fpipe by the name that files use.

    An `Opaque` is none of them: what it holds cannot be written.
    """
    found: dict[str, type] = {}
    for cls in _classes():
        name = type_name(cls)
        if name in found:
            raise CodecError(
                f"two classes of fpipe are called {name}.",
                expected="one class of a name in each room",
                got=f"{found[name].__module__}, {cls.__module__}",
                fix="rename one",
            )
        found[name] = cls
    return found


def _classes() -> Iterator[type]:
    for module in _modules():
        for thing in list(vars(module).values()):
            if isinstance(thing, type) and thing.__module__ == module.__name__ and _is_value(thing):
                yield thing


def _modules() -> Iterator[ModuleType]:
    """Import every module of the house but the entry points and what tests are written with."""
    package = __name__.rpartition(".")[0]
    waiting = [(f"{package}.", importlib.import_module(package).__path__)]
    while waiting:
        prefix, path = waiting.pop()
        for info in pkgutil.iter_modules(path, prefix):
            if info.name.split(".")[1] in _APART:
                continue
            module = importlib.import_module(info.name)
            yield module
            if info.ispkg:
                waiting.append((f"{info.name}.", module.__path__))


def _is_value(cls: type) -> bool:
    return issubclass(cls, enum.Enum) or (attrs.has(cls) and not issubclass(cls, Opaque))


def _check_package(package: Any) -> None:
    module, colon, name = package.partition(":") if isinstance(package, str) else ("", "", "")
    parts = [*module.split("."), *(name.split(".") if colon else ())]
    if not all(part.isidentifier() for part in parts):
        raise ParameterError(
            f"{package!r} is no name of a package.",
            expected='names of packages, such as allow=["mypkg"]',
            got=f"{package!r} ({type(package).__name__})",
            fix='fp.load(path, allow=["mypkg"])',
        )
