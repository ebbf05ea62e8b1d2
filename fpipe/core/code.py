"""Code as data: importable things enter values as ``Ref``, all else as ``Opaque``."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from fpipe.core.errors import CodecError, ParameterError
from fpipe.core.value import descriptor, value


@descriptor
class Ref:
    """A class or function named by the place it can be imported from.

    Args:
        path: ``"package.module:name"``; nested names are joined with dots.

    Example:
        >>> Ref("math:sqrt").resolve()(9.0)
        3.0
    """

    path: str

    def resolve(self) -> Any:
        """Import and return what the path names.

        Raises:
            ParameterError: the path has no colon, or nothing is found there.
        """
        module, colon, name = self.path.partition(":")
        if not colon:
            raise ParameterError(
                "a reference must name a module and a name in it.",
                expected="'package.module:name'",
                got=repr(self.path),
                fix=_with_colon(self.path),
            )
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise ParameterError(
                f"nothing can be imported from '{self.path}'.",
                got=str(error),
                fix="check the spelling, or install the package",
            ) from error
        return found

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(":")[2].rpartition(".")[2]

    def __repr__(self) -> str:
        return f"Ref({self.path!r})"


@value
class Opaque:
    """Code that no path names (a lambda, a closure, an instance): it runs, and equals only itself.

    Args:
        content: the object itself.
    """

    equals_only_itself: ClassVar[bool] = True

    content: Any

    def resolve(self) -> Any:
        """Return the object."""
        return self.content

    @property
    def name(self) -> str:
        """A name to show."""
        return str(getattr(self.content, "__name__", type(self.content).__name__))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.content is self.content

    def __hash__(self) -> int:
        return id(self.content)

    def __repr__(self) -> str:
        return f"Opaque({self.name})"


def path_of(code: Any) -> str:
    """Return ``"module:qualname"`` of an importable class or function.

    Raises:
        CodecError: the object cannot be imported under its own name.

    Example:
        >>> import math
        >>> path_of(math.sqrt)
        'math:sqrt'
    """
    module = getattr(code, "__module__", None)
    name = getattr(code, "__qualname__", None)
    path = f"{module}:{name}"
    if not module or not name or module == "__main__" or "<" in path or not _leads_to(path, code):
        raise CodecError(
            f"{name or type(code).__name__} cannot be imported by name.",
            expected="a class or function at the top of an importable module",
            got=repr(code)[:80],
            fix="move it into a module",
        )
    return path


def package_of(path: str) -> str:
    """Return the package that holds a module, or what a path of importable code leads to.

    Example:
        >>> package_of("torch.nn:ReLU"), package_of("math:sqrt"), package_of("torch.nn")
        ('torch', 'math', 'torch')
    """
    return path.partition(":")[0].partition(".")[0]


def as_code(code: Any) -> Ref | Opaque:
    """Return a ``Ref`` where the object is importable (or given as text), else an ``Opaque``.

    Example:
        >>> as_code("math:sqrt") == as_code(Ref("math:sqrt"))
        True
        >>> as_code(lambda x: x)
        Opaque(<lambda>)
    """
    if isinstance(code, Ref | Opaque):
        return code
    if isinstance(code, str):
        return Ref(code)
    try:
        return Ref(path_of(code))
    except CodecError:
        return Opaque(code)


def _with_colon(path: str) -> str:
    """Return how a path without a colon may have been meant."""
    module, _, name = path.rpartition(".")
    if module:
        return f"write '{module}:{name}'"
    return "put its module before it, as in 'numpy:sqrt', or give the object itself"


def _leads_to(path: str, code: Any) -> bool:
    try:
        return Ref(path).resolve() is code
    except ParameterError:
        return False
