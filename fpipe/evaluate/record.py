"""What a fit was asked to do, as a value: enough to know later whether it is the same run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyrsistent import PMap, pmap

from fpipe.codec.fingerprint import fingerprint
from fpipe.core.code import Opaque
from fpipe.core.errors import CodecError
from fpipe.core.key import Key
from fpipe.core.tree import items, within
from fpipe.core.value import value
from fpipe.data.task import Task
from fpipe.graph.graph import Graph
from fpipe.train.numerics import Numerics, resolve_numerics


@value
class RunRecord:
    """What a fit was asked to do.

    Args:
        graph: the graph.
        key: the key that it is fitted with.
        task: fingerprint of what enters, validation rows left out.
        valid: row ids of the validation rows, ``[rows]`` int64; None where there are none.
        validation: fingerprint of the validation rows; None where there are none.
        validate: the share that was asked for; None where validation rows were given, or none.
        requests: what was asked of training (``device``, ``interpreter``, ``precision``).
        numerics: what that came to.
        content: what there is to tell of the task, to show where another one differs: kind, rows,
            and for each column its type and fingerprint.
    """

    graph: Graph
    key: Key
    task: str
    valid: NDArray[np.int64] | None = None
    validation: str | None = None
    validate: float | None = None
    requests: PMap[str, Any] = pmap()
    numerics: Numerics = Numerics()
    content: PMap[str, Any] = pmap()


def recorded(
    graph: Graph, key: Key, entering: tuple[Any, ...], validate: Any, requests: PMap[str, Any]
) -> RunRecord:
    """Return the record of a fit.

    Args:
        graph: the graph.
        key: the key.
        entering: what enters the graph, with validation rows riding along.
        validate: as it was given to the fit.
        requests: what is asked of training.

    Raises:
        CodecError: the data hold something that has no fingerprint, such as a lazy column that is
            read by code.
    """
    tasks = [one for one in entering if isinstance(one, Task)]
    valid = [one.valid for one in tasks if one.valid is not None]
    bare = tuple(one.with_valid(None) if isinstance(one, Task) else one for one in entering)
    for one in (*tasks, *valid):
        _check_columns(one)
    return RunRecord(
        graph=graph,
        key=key,
        task=fingerprint(bare),
        valid=np.concatenate([one.row_id for one in valid]) if valid else None,
        validation=fingerprint(tuple(valid)) if valid else None,
        validate=float(validate) if isinstance(validate, int | float) else None,
        requests=requests,
        numerics=resolve_numerics(
            requests.get("interpreter", "auto"),
            requests.get("device"),
            requests.get("precision", "float32"),
        ),
        content=pmap({f"input {i}": _told(one) for i, one in enumerate(bare)}),
    )


def _check_columns(task: Task) -> None:
    """Raise CodecError where a lazy column is read by code, which no other process could find."""
    for name, column in items(task.tensors):
        code = next((part for part in within(column) if isinstance(part, Opaque)), None)
        if code is not None:
            raise CodecError(
                f"the lazy column '{name}' is read by {code.name}, which cannot be written down.",
                expected="columns that are known by their content, so that a run can go on later",
                got=f"code that equals only itself ({type(column.source).__name__})",
                at=f"column '{name}'",
                fix="name functions in an importable module; read a data set once, "
                f"fp.lazy(fp.materialize(task.tensor('{name}'))), or fit without a CheckpointSink",
            )


def _told(entering: Any) -> Any:
    """Return what there is to tell of what enters a graph."""
    if not isinstance(entering, Task):
        return type(entering).__name__
    columns = {
        column.name: f"{column.dtype}, content {fingerprint(column)[:12]}"
        for column in entering.table.get_columns()
    }
    return pmap(
        {
            "kind": entering.kind,
            "roles": entering.roles,
            "rows": entering.n_rows,
            "row ids": fingerprint(entering.row_id)[:12],
            "columns": pmap(columns),
        }
    )
