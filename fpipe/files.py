"""Saving a value to a file, and loading it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fpipe.catalogue import catalogue
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.core.errors import CodecError, FpipeError, did_you_mean
from fpipe.core.tree import parts
from fpipe.graph.context import joined
from fpipe.graph.fitted import Fitted
from fpipe.graph.op import MacroState
from fpipe.graph.ports import Node
from fpipe.graph.wiring import Wiring, node_ids
from fpipe.io.files import write_atomic
from fpipe.soundness import CHECKS


def save(value: Any, path: str | Path) -> None:
    """Save a value to a file: a graph, a task, a fitted graph, predictions, results, ….

    The file is written whole or not at all, and takes the place of one that is there. It is a zip
    archive of JSON, safetensors and Arrow, which other tools can open too. Equal values give
    equal files. What `Graph.named` says, and the device of a tensor, are not kept.

    Args:
        value: any value of fpipe, or plain data, tensors, arrays and tables in tuples, lists and
            maps.
        path: where the file shall stand; missing folders are made.

    Raises:
        CodecError: something in the value cannot be saved: code that no other process can
            import (a lambda, a function of the notebook), an instance of a foreign class. The
            error names the node.

    Laws:
        ``fp.same(fp.load(path), value)``, in any process.

    Example:
        >>> import tempfile
        >>> import fpipe as fp
        >>> graph = fp.nn.linear(8) >> fp.nn.relu()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fp.save(graph, f"{folder}/graph.fpipe")
        ...     fp.load(f"{folder}/graph.fpipe") == graph
        True
    """
    place = Path(path)
    try:
        data = to_bytes(value, CHECKS)
    except FpipeError as error:
        raise _at_node(error, value) from error.__cause__
    try:
        write_atomic(place, data)
    except OSError as error:
        raise CodecError(
            "the file cannot be written.",
            expected="a path in a folder that can be written to",
            got=f"{type(error).__name__}: {error.strerror}",
            at=str(place),
            fix="give the path of a file, such as 'fitted.fpipe'",
        ) from error


def load(path: str | Path, allow: str | Iterable[str] = ()) -> Any:
    """Return the value that `save` has written to a file.

    Loading runs no code of the file and unpickles nothing. The file may refer to classes and
    functions of fpipe, torch.nn, scikit-learn and torchvision's models, which are imported; of
    other packages only where you allow them.

    Args:
        path: the file.
        allow: packages of your own whose code the file may refer to, such as ``["mypkg"]``, or
            single classes and functions, such as ``["mypkg.losses:cubic"]``.

    Raises:
        CodecError: there is no such file, it is none of fpipe's, it is damaged or newer than this
            version, or refers to a type that is not known or to code that is not allowed.

    Example:
        >>> import tempfile
        >>> import fpipe as fp
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fp.save({"lr": 0.1, "path": (1, 2)}, f"{folder}/settings.fpipe")
        ...     fp.load(f"{folder}/settings.fpipe")
        {'lr': 0.1, 'path': (1, 2)}
    """
    place, known = Path(path), catalogue(allow)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise _unreadable(place, error) from error
    try:
        return from_bytes(data, known)
    except FpipeError as error:
        raise _in_file(error, place) from error.__cause__


def _unreadable(place: Path, error: OSError) -> CodecError:
    near = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
    missing = isinstance(error, FileNotFoundError)
    return CodecError(
        f"there is no file '{place.name}'." if missing else "the file cannot be read.",
        expected="a file written by fp.save",
        got=f"{type(error).__name__}: {error.strerror}",
        at=str(place),
        fix=(did_you_mean(place.name, near) if near else "save a value there first")
        if missing
        else "give the path of a file that you may read",
    )


def _in_file(error: FpipeError, place: Path) -> CodecError:
    """Return an error of reading as one of the file; the place inside goes to ``details``."""
    details = error.details | ({} if error.at is None else {"inside": error.at})
    return CodecError(
        error.rule,
        expected=error.expected,
        got=error.got,
        at=str(place),
        fix=error.fix or "take another copy of the file, or save the value again",
        **details,
    )


def _at_node(error: FpipeError, value: Any) -> FpipeError:
    """Return an error of writing with the path of the node in which it arose."""
    path = error.details.get("path", ())
    found = joined(tuple(_nodes_on(path, value)))
    if not found:
        return error
    return type(error)(
        error.rule,
        expected=error.expected,
        got=error.got,
        at=found,
        fix=error.fix,
        **error.details,
    )


def _nodes_on(path: tuple[Any, ...], value: Any) -> list[str]:
    """Return the ids of the nodes that a path of fields and positions goes through."""
    steps: list[str] = []
    inside: dict[int, str] = {}
    for i, step in enumerate(path):
        if isinstance(value, Wiring):
            prefix = inside.get(id(value), "")
            steps += [prefix] if prefix else []
            at_node = step == "nodes" and len(path) > i + 1
            steps += [node_ids(value)[path[i + 1]]] if at_node else []
        elif isinstance(value, Fitted | MacroState) and step == "states" and len(path) > i + 1:
            steps.append(str(path[i + 1]))
        elif isinstance(value, Node):
            inside = {id(graph): prefix for prefix, graph in value.op.graphs().items()}
        found = parts(value)
        below = {} if found is None else dict(zip(found.keys, found.children, strict=True))
        if step not in below:
            break
        value = below[step]
    return steps
