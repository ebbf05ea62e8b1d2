"""Checking a graph against a task before any data is read."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import FpipeError
from fpipe.core.key import Key
from fpipe.core.value import value
from fpipe.data.task import Task
from fpipe.evaluate.fitting import check_complete_graph
from fpipe.graph.context import Context, joined
from fpipe.graph.flow import Flow, outline
from fpipe.graph.graph import Joinable, as_graph
from fpipe.graph.interpret import infer_graph
from fpipe.graph.settings import missing
from fpipe.net.layer import count
from fpipe.net.shape import Shape, shown
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp, Pending


@value
class Row:
    """One node of the report.

    Args:
        path: where it stands.
        op: its operator's name.
        gives: what leaves it, in words.
        params: how many parameters it has; None where that is not known.
    """

    path: str
    op: str
    gives: str
    params: int | None


@value
class Report:
    """What is known of a graph over a task without reading data.

    Args:
        rows: one per node, macros opened.
        missing: paths of parameters that are not set.
    """

    rows: tuple[Row, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the graph can be fitted as it is."""
        return not self.missing

    @property
    def params(self) -> int | None:
        """Number of parameters of all layers; None where one is not known."""
        counts = [row.params for row in self.rows]
        return None if None in counts else sum(n for n in counts if n is not None)

    def __repr__(self) -> str:
        width = max([len(row.path) for row in self.rows], default=4) + 2
        lines = []
        for row in self.rows:
            size = "?" if row.params is None else f"{row.params:,}" if row.params else ""
            lines.append(f"{row.path:<{width}}{row.gives:<28}{size:>12}")
        total = "?" if self.params is None else f"{self.params:,}"
        lines.append(f"{'parameters':<{width}}{'':<28}{total:>12}")
        lines += [f"not set: {path}" for path in self.missing]
        return "\n".join(line.rstrip() for line in lines)


def check(graph: Joinable, task: Any) -> Report:
    """Infer every type and shape of a graph over a task, and list what is not set.

    Reads no data: only column types, levels, roles and shapes.

    Args:
        graph: the graph.
        task: a task or its type (or a tuple, one per input).

    Returns:
        a report that prints as a table; ``report.missing`` lists unset parameters by path.

    Raises:
        FpipeError: types or shapes do not go together.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"x": [1.0, 3.0], "y": [1.0, 2.0]}, "y")
        >>> fp.check(nn.ingress_numeric() >> nn.linear() >> nn.head(), task).missing
        ('linear.out_features',)
    """
    whole = as_graph(graph)
    given = task if isinstance(task, tuple) else (task,)
    if not all(isinstance(one, Flow) for one in given) or any(isinstance(g, Task) for g in given):
        check_complete_graph(whole.ports, (), task)
    unset = missing(whole)
    types = tuple(map(outline, given))
    try:
        _, found = infer_graph(whole, types, key=Key(0), context=Context())
    except FpipeError as error:
        if unset:  # what is not set may be all that is wrong
            error.fix = f"set {', '.join(unset)} first" + (f"; {error.fix}" if error.fix else "")
        raise
    rows = tuple(_row(one.path, one.op, one.types) for one in found)
    return Report(rows, unset)


def _row(path: tuple[str, ...], op: Any, types: tuple[Any, ...]) -> Row:
    params = _layer_params(joined(path), types[0]) if isinstance(op, LayerOp) else 0
    return Row(joined(path), op.name, ", ".join(map(_words, types)), params)


def _layer_params(path: str, out: ModelDescriptor) -> int | None:
    layer = out.layers[path]
    return None if isinstance(layer, Pending) else count(layer.bare_weights()[0])


def _words(out: Any) -> str:
    if isinstance(out, ModelDescriptor):
        shapes: list[Shape] = [pointer.shape for pointer in out.pointers]
        return ", ".join(map(shown, shapes))
    if hasattr(out, "features"):
        more = " or more" if out.open else ""
        return f"{len(out.features)}{more} features"
    return str(getattr(out, "__name__", type(out).__name__))
