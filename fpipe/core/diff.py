"""Where two values differ, place by place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import torch

from fpipe.core.bits import dtype_tree
from fpipe.core.equality import same
from fpipe.core.tree import Parts, parts
from fpipe.core.value import descriptor, value

Path = tuple[Any, ...]

_WIDTH = 60
"""How many characters of a side are shown."""


@descriptor
class Absent:
    """Stands on the side of a difference where nothing is."""

    def __repr__(self) -> str:
        return "nothing"


@value
class Entry:
    """One place where two values differ.

    Args:
        path: fields, positions and keys that lead there, such as ``"nodes[2].op.lr"``; empty where
            the values differ as wholes.
        left: what stands there in the first value (`Absent` where there is no such place).
        right: what stands there in the second.
    """

    path: str
    left: Any
    right: Any

    def __repr__(self) -> str:
        return f"{self.path or 'the whole'}: {_described(self.left, self.right)}"


@value
class Difference:
    """All places where two values differ; false where they are the same.

    Args:
        entries: one per place, in walking order.
    """

    entries: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.entries)) or "no difference"


def diff(a: Any, b: Any) -> Difference:
    """Return where two values differ: every place, with what stands there on both sides.

    Args:
        a: any value: a graph, a task, a fitted graph, a state of training, …
        b: any value.

    Laws:
        ``not diff(a, b)`` exactly where ``same(a, b)``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> graph = nn.linear(8) >> nn.dropout(0.1)
        >>> diff(graph, graph.set({"dropout.p": 0.5}))
        nodes[1].op.p: 0.1 → 0.5
        >>> diff({"w": torch.zeros(3)}, {"w": torch.tensor([0.0, 0.0, 2.0])})
        w: float32[3], 1 of 3 entries differ, by up to 2
        >>> bool(diff(graph, graph))
        False
    """
    found: list[Entry] = []
    waiting: list[tuple[Path, Any, Any]] = [((), a, b)]
    while waiting:
        path, left, right = waiting.pop()
        if _alike(left, right):
            continue
        below = _below(left, right)
        if below:
            waiting.extend(((*path, step), x, y) for step, x, y in reversed(below))
        else:
            found.append(Entry(path_text(path), left, right))
    return Difference(tuple(found))


def path_text(path: Path) -> str:
    """Return a path of fields, positions and keys as text.

    Example:
        >>> path_text(("nodes", 2, "op", "lr")), path_text(("roles", "my key"))
        ('nodes[2].op.lr', "roles['my key']")
    """
    text = ""
    for step in path:
        named = isinstance(step, str) and step.isidentifier()
        text += f".{step}" if named and text else step if named else f"[{step!r}]"
    return text


def _below(left: Any, right: Any) -> list[tuple[Any, Any, Any]]:
    """Return the places below two values that differ, or nothing where they differ as wholes."""
    if type(left) is not type(right) or getattr(type(left), "equals_only_itself", False):
        return []
    first, second = parts(left), parts(right)
    if first is None or second is None or isinstance(left, frozenset | set):
        return []
    a, b = _by_name(first), _by_name(second)
    names = [*a, *(name for name in b if name not in a)]
    none = (None, Absent())
    pairs = [((a.get(n) or b[n])[0], a.get(n, none)[1], b.get(n, none)[1]) for n in names]
    return [(key, x, y) for key, x, y in pairs if not _alike(x, y)]


def _alike(left: Any, right: Any) -> bool:
    """Tell whether two values are the same; what has no bits to compare differs."""
    try:
        return left is right or same(left, right)
    except Exception:  # the equality of a foreign class may fail in any way
        return False


def _by_name(found: Parts) -> dict[Any, tuple[Any, Any]]:
    """Return key and child by what tells keys apart (1, 1.0 and True are three)."""
    pairs = zip(found.keys, found.children, strict=True)
    return {(type(key).__qualname__, repr(key)): (key, child) for key, child in pairs}


# ---------------------------------------------------------------- showing


def _described(left: Any, right: Any) -> str:
    for kind, describe in _DESCRIBED:
        if isinstance(left, kind) and isinstance(right, kind):
            return describe(left, right)
    return f"{_shown(left)} → {_shown(right)}"


def _tensors(left: torch.Tensor, right: torch.Tensor) -> str:
    nested = left.is_nested or right.is_nested
    if left.dtype != right.dtype or (not nested and left.shape != right.shape):
        return f"{_shown(left)} → {_shown(right)}"
    if left.is_nested or left.layout != torch.strided or left.is_meta or left.is_quantized:
        return f"{_shown(left)}, other entries"
    a, b = (x.detach().cpu().contiguous().reshape(-1) for x in (left, right))
    size = a.element_size()
    if not a.numel():
        return f"{_shown(left)} → {_shown(right)}"
    bits = [x.view(torch.uint8).reshape(-1, size) for x in (a, b)]
    differ = (bits[0] != bits[1]).any(dim=1)
    plain = [_wide(x[differ]) for x in (a, b)]
    return _counted(_shown(left), int(differ.sum()), a.numel(), *plain)


def _wide(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    return tensor.to(wide).numpy()


def _arrays(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> str:
    alike = left.dtype == right.dtype and left.shape == right.shape
    if not alike or left.dtype.kind not in "biufc":
        same_kind = f"{_shown(left)}, other entries"
        return same_kind if alike else f"{_shown(left)} → {_shown(right)}"
    a, b = (np.ascontiguousarray(x).reshape(-1) for x in (left, right))
    bits = [x.view(np.uint8).reshape(a.size, -1) for x in (a, b)]
    differ = (bits[0] != bits[1]).any(axis=1)
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    return _counted(
        _shown(left), int(differ.sum()), a.size, a[differ].astype(wide), b[differ].astype(wide)
    )


def _counted(kind: str, differ: int, size: int, a: Any, b: Any) -> str:
    """Say how many entries differ, and by how much; the sign of a zero or NaN tells no number."""
    with np.errstate(all="ignore"):
        gaps = np.abs(a - b)
    gaps = gaps[~np.isnan(gaps)]
    by = f", by up to {gaps.max():.4g}" if gaps.size else ""
    return f"{kind}, {differ:,} of {size:,} entries differ{by}"


def _columns(left: pl.Series, right: pl.Series) -> str:
    alike = left.name == right.name and left.len() == right.len()
    if not alike or dtype_tree(left.dtype) != dtype_tree(right.dtype):
        return f"{_shown(left)} → {_shown(right)}"
    return f"{_shown(left)}, {_differing(left, right):,} of {left.len():,} entries differ"


def _differing(left: pl.Series, right: pl.Series) -> int:
    """Count the rows of two columns of one type that are not the same."""
    if left.dtype.is_float():
        there = left.is_not_null() & right.is_not_null()
        missing = int((left.is_null() != right.is_null()).sum())
        a, b = (x.filter(there).to_numpy() for x in (left, right))
        other = a.view(np.uint8).reshape(a.size, -1) != b.view(np.uint8).reshape(b.size, -1)
        return missing + int(other.any(axis=1).sum()) if a.size else missing
    try:
        return int(left.ne_missing(right).sum())
    except pl.exceptions.PolarsError:
        return sum(not same(x, y) for x, y in zip(left, right, strict=True))


def _frames(left: pl.DataFrame, right: pl.DataFrame) -> str:
    if left.schema != right.schema or left.height != right.height:
        gone = [name for name in left.columns if name not in right.columns]
        new = [name for name in right.columns if name not in left.columns]
        more = "".join(
            f", {word} {', '.join(map(repr, names[:6]))}"
            for word, names in (("without", gone), ("with", new))
            if names
        )
        return f"{_shown(left)} → {_shown(right)}{more}"
    pairs = [(name, left[name], right[name]) for name in left.columns]
    counts = [f"{name!r} in {_differing(a, b):,}" for name, a, b in pairs if not same(a, b)]
    more = ", …" if len(counts) > 6 else ""
    return f"{_shown(left)}, rows differ: {', '.join(counts[:6])}{more}"


def _shown(side: Any) -> str:
    if isinstance(side, torch.Tensor):
        size = "[nested]" if side.is_nested else list(side.shape)
        return f"{str(side.dtype).removeprefix('torch.')}{size}"
    if isinstance(side, np.ndarray):
        return f"array {side.dtype}{list(side.shape)}"
    if isinstance(side, pl.Series):
        return f"column {side.name!r} ({side.dtype}, {side.len():,} rows)"
    if isinstance(side, pl.DataFrame):
        return f"table of {side.height:,} rows, {side.width} columns"
    try:
        text = " ".join(repr(side).split())
    except Exception:
        text = f"{type(side).__name__}, which cannot be shown"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 2]} …"


_DESCRIBED: tuple[tuple[type, Callable[[Any, Any], str]], ...] = (
    (torch.Tensor, _tensors),
    (np.ndarray, _arrays),
    (pl.Series, _columns),
    (pl.DataFrame, _frames),
)
"""How two sides of one kind are told apart."""
