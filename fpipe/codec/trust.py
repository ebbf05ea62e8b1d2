"""What a file may name: the types of a catalogue, and code of packages that the reader trusts."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import attrs

from fpipe.core.code import Ref, package_of, path_of
from fpipe.core.errors import CodecError, did_you_mean

_PATH = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)")


class Trusted(NamedTuple):
    """A package whose code a file may refer to.

    Args:
        package: the name of the package, or of a module in it; nothing outside is imported.
        accepts: tells from what a path resolves to whether it may be used.
        below: whether modules below it may be imported too.
    """

    package: str
    accepts: Callable[[Any], bool]
    below: bool = True

    def covers(self, module: str) -> bool:
        """Tell whether code of a module may be looked at."""
        return module == self.package or (self.below and inside(module, self.package))


class Catalogue(NamedTuple):
    """Everything that the content of a file may become.

    Args:
        types: class by the name that files use.
        renamed: former name → present name.
        allow: packages whose code may be referred to.
        checks: what a value of a class must hold besides the types of its fields; raises
            FpipeError where it does not.
    """

    types: Mapping[str, type]
    renamed: Mapping[str, str] = {}
    allow: tuple[Trusted, ...] = ()
    checks: Mapping[type, Callable[[Any], None]] = {}


def of_package(package: str) -> Trusted:
    """Return a package whose own code may be used, whatever it is.

    What the package has imported from elsewhere may not.

    Example:
        >>> of_package("math").accepts(__import__("math").sqrt)
        True
        >>> of_package("os").accepts(__import__("shutil").rmtree)
        False
    """
    return Trusted(package, lambda found: inside(module_of(found), package))


def of_code(path: str) -> Trusted:
    """Return one class or function that may be used.

    Args:
        path: ``"package.module:name"``.

    Example:
        >>> import math
        >>> of_code("math:sqrt").accepts(math.sqrt), of_code("math:sqrt").accepts(math.exp)
        (True, False)
    """
    module = path.partition(":")[0]
    return Trusted(module, lambda found: found is Ref(path).resolve(), below=False)


def module_of(found: Any) -> str:
    """Return the module where a class or function says that it was defined."""
    module = getattr(found, "__module__", None)
    return module if isinstance(module, str) else ""


def inside(module: str, package: str) -> bool:
    """Tell whether a module is a package or lies in it.

    Example:
        >>> inside("torch.nn.modules", "torch.nn"), inside("torch.nnx", "torch.nn")
        (True, False)
    """
    return module == package or module.startswith(package + ".")


def type_name(cls: type) -> str:
    """Return the name of a class in files: ``room.Name`` in the house, else ``module:Name``.

    Raises:
        CodecError: the class cannot be imported under its name.

    Example:
        >>> from fpipe.core.key import Key
        >>> type_name(Key)
        'core.Key'
    """
    package, _, rest = cls.__module__.partition(".")
    room = rest.partition(".")[0]
    named = attrs.has(cls) or not issubclass(cls, tuple)
    if (
        package == "fpipe"
        and room not in ("", "testing")
        and cls.__qualname__.isidentifier()
        and named
    ):
        return f"{room}.{cls.__name__}"
    return path_of(cls)


def type_of(name: str, catalogue: Catalogue) -> type:
    """Return the class that a name in a file stands for.

    Raises:
        CodecError: there is none, or it is in a package that is not allowed.
    """
    name = catalogue.renamed.get(name, name)
    if ":" in name:
        found = resolve(name, catalogue)
        if not (isinstance(found, type) and _is_value(found)):
            raise CodecError(
                f"'{name}' is no class of values.",
                expected="a class made with @descriptor or @value",
                got=repr(found)[:80],
                fix="take another copy of the file",
            )
        return found
    if name not in catalogue.types:
        raise CodecError(
            f"the file holds a value of the type '{name}', which this version does not know.",
            expected="a type of this version of fpipe",
            got=name[:80],
            fix=f"update fpipe, or {did_you_mean(name[:80], catalogue.types)}",
        )
    return catalogue.types[name]


def resolve(path: str, catalogue: Catalogue) -> Any:
    """Return the code at a path, if the reader trusts its package and what it leads to.

    Nothing is imported before the package is known to be allowed. What the path leads to is judged
    by where it was defined, so that a package is no door to what it imports.

    Raises:
        CodecError: it may not be used, or cannot be found.
    """
    match = _PATH.fullmatch(path)
    if match is None or "__main__" in path:
        raise _not_allowed(path, "no path of importable code")
    rules = [rule for rule in catalogue.allow if rule.covers(match["module"])]
    if not rules:
        raise _not_allowed(path, f"the package '{match['module'].partition('.')[0]}'")
    found = _imported(match["module"], match["name"].split("."), path)
    if not any(rule.accepts(found) for rule in rules):
        raise _not_allowed(path, f"{type(found).__name__} of '{module_of(found) or 'no module'}'")
    return found


def _imported(module: str, names: list[str], path: str) -> Any:
    """Import a module and walk from it through classes; no step enters another module."""
    try:
        found: Any = importlib.import_module(module)
        for name in names:
            found = vars(found)[name] if isinstance(found, ModuleType) else getattr(found, name)
            if isinstance(found, ModuleType) or (name != names[-1] and not isinstance(found, type)):
                raise _not_allowed(path, f"a path through {type(found).__name__} '{name}'")
    except CodecError:
        raise
    except Exception as error:
        # Importing may fail in any way, torchvision beside another build of torch for one.
        raise CodecError(
            f"the file refers to '{path[:80]}', which cannot be imported.",
            expected="code that is installed",
            got=str(error)[:200],
            fix=f"install {module.partition('.')[0]} in the version that wrote the file",
        ) from error
    return found


def _not_allowed(path: str, got: str) -> CodecError:
    package = package_of(path)[:80]
    return CodecError(
        f"the file refers to the code '{path[:80]}', which is not allowed.",
        expected="code of the packages that fp.load allows",
        got=got,
        fix=f'if you trust it: fp.load(path, allow=["{package}"])',
    )


def _is_value(cls: type) -> bool:
    frozen = attrs.has(cls) and cls.__setattr__ is not object.__setattr__
    return frozen or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
