"""What values hold besides the types of their fields, checked where they come from a file.

Those who make a value by code keep to these rules by construction; a file need not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
import torch
from pyrsistent import pmap

from fpipe.core.code import Opaque, Ref, package_of
from fpipe.core.errors import CodecError, FpipeError
from fpipe.core.key import Key
from fpipe.core.tree import leaves, parts, within
from fpipe.data.kind import Classification
from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.columns import as_column, is_lazy, positions_of
from fpipe.data.lazy.tensor import LazyColumn, LazyType
from fpipe.data.prediction import Prediction
from fpipe.data.schema import ROLES, TaskType
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply
from fpipe.evaluate.resample import ResampleResult
from fpipe.graph.fitted import Fitted
from fpipe.graph.graph import Graph
from fpipe.graph.op import MacroState, Op
from fpipe.graph.ports import Node
from fpipe.graph.wiring import Wiring, node_ids, walk_back
from fpipe.net.network import Model, Network
from fpipe.nn.training import TrainedModel
from fpipe.ops.estimator import Built
from fpipe.ops.formula import Formula, are_bytes, code_in
from fpipe.train.plan import Plan
from fpipe.train.state import Weights

_BUILDERS = ("copyreg", "numpy._core.multiarray", "numpy._core.numeric", "numpy.random._pickle")


_LARGEST = 256
"""So many numbers along one dimension of a made-up tensor at most."""


def require(fact: bool, rule: str, got: object = None) -> None:
    """Raise CodecError where something does not hold of a value that is read or written."""
    if not fact:
        raise CodecError(
            f"a value does not hold together: {rule}.",
            expected="a value as the functions of fpipe make it",
            got="something else" if got is None else str(got)[:120],
            fix="make the value anew; if it was read from a file, take another copy",
        )


def _key(made: Key) -> None:
    require(made.seed >= 0 and type(made.seed) is int, "the seed of a key is negative", made.seed)


def _task(made: Task) -> None:
    rows = made.table.height
    _rows(rows, made.row_id, made.origin)
    require(len(np.unique(made.row_id)) == rows, "two rows have the same id")
    _roles(made.roles, made.table.columns)
    target = made.role("target")
    if target is not None and isinstance(made.kind, Classification):
        fits = isinstance(target.dtype, pl.Enum)
        require(fits, "the target of a classification has no levels", target.dtype)
    _tensors(made.schema.items(), made.tensors)
    for name, column in made.tensors.items():
        positions = positions_of(made.table[name])
        inside = not rows or (positions.min() >= 0 and positions.max() < column.source.rows)
        require(bool(inside), f"the column '{name}' has rows outside its source", column.source)


def _tensors(dtypes: Iterable[tuple[str, pl.DataType]], tensors: Mapping[str, Any]) -> None:
    lazy = {name for name, dtype in dtypes if is_lazy(dtype)}
    require(lazy == set(tensors), "lazy columns are not those that have a source", set(tensors))


def _task_type(made: TaskType) -> None:
    names = [name for name, _ in made.dtypes]
    require(len(set(names)) == len(names), "a column is named twice", names)
    _roles(made.roles, names)
    _tensors(made.dtypes, made.tensors)


def _roles(roles: Mapping[str, tuple[str, ...]], columns: Iterable[str]) -> None:
    known = set(columns)
    for role, names in roles.items():
        require(role in ROLES, f"there is no role '{role[:40]}'", ", ".join(ROLES))
        require(set(names) <= known, f"a column with the role '{role}' is not there", names)
        require(len(set(names)) == len(names), f"a column has the role '{role}' twice", names)


def _rows(rows: int, *columns: Any) -> None:
    for column in columns:
        shape = column.shape if isinstance(column, np.ndarray) else (len(column),)
        require(shape == (rows,), f"{rows} rows have {shape} numbers", shape)


def _prediction(made: Prediction) -> None:
    require(made.row_id.ndim == 1, "row ids have another shape", made.row_id.shape)
    rows = len(made.row_id)
    _rows(rows, made.origin, made.response, *(() if made.truth is None else (made.truth,)))
    if made.prob is not None:
        require(made.prob.height == rows, "probabilities have another number of rows")
        classes = made.kind.classes if isinstance(made.kind, Classification) else ()
        require(tuple(made.prob.columns) == classes, "probabilities are of other classes")


def _resampled(made: ResampleResult) -> None:
    count = len(made.splits)
    fits = len(made.predictions) == count and len(made.fitted) in (0, count)
    require(fits, "there are more or fewer results than splits", count)


def _wiring(made: Wiring) -> None:
    for position, node in enumerate(made.nodes):
        _node(made, position, node)
    _sources(made, len(made.nodes), made.outputs)
    order = walk_back(made.nodes, made.outputs)
    require(order == list(range(len(made.nodes))), "the nodes of a graph are out of order")
    given = [node.op.id for node in made.nodes if node.op.id is not None]
    require(len(set(given)) == len(given), "two nodes have the same id", given)


def _node(made: Wiring, position: int, node: Node) -> None:
    require(isinstance(node.op, Op), "a node of a graph holds no operator", type(node.op))
    _sources(made, position, node.sources)
    ports = tuple(node.op.inputs)
    free = bool(ports) and ports[-1].variadic
    fits = len(node.sources) >= len(ports) - 1 if free else len(node.sources) == len(ports)
    require(fits, f"{node.op.name} takes another number of inputs", len(node.sources))


def _sources(made: Wiring, before: int, sources: Iterable[Any]) -> None:
    for source in sources:
        require(-1 <= source.node < before, "a wire comes from a later node", source)
        ports = made.ports if source.is_input else made.nodes[source.node].op.outputs
        require(0 <= source.port < len(ports), "a wire comes from no port", source)


def _fitted(made: Fitted) -> None:
    _states(made.graph, made.states)
    require(len(made.outlines) == len(made.graph.ports), "a fitted graph lacks outlines")
    if not any(isinstance(part, Ref | Opaque | Built) for part in within(made)):
        _check_applies(made)


def _check_applies(made: Fitted) -> None:
    """Apply a fitted graph without foreign code to two rows: what does not fit shows.

    An FpipeError is an answer: the rows are made up, and need not be such as the graph takes.
    """
    if not all(isinstance(outline, TaskType) for outline in made.outlines):
        return
    try:
        rows = tuple(_two_rows(outline) for outline in made.outlines)
        apply(made, rows if len(rows) > 1 else rows[0])
    except FpipeError:
        return
    except Exception as error:
        require(False, "a fitted graph cannot be applied", f"{type(error).__name__}: {error}")


def _two_rows(outline: Any) -> Task:
    """Return a task of two rows of such a type, with a zero or the first level everywhere."""
    rows = np.arange(2, dtype=np.int64)
    columns = [
        as_column(n, rows) if is_lazy(dtype) else pl.Series(n, [_zero(dtype)] * 2, dtype=dtype)
        for n, dtype in outline.dtypes
    ]
    tensors = pmap({name: LazyColumn(_zeros(one)) for name, one in outline.tensors.items()})
    table = pl.DataFrame(columns)
    return Task(outline.name, outline.kind, table, outline.roles, rows, rows, tensors=tensors)


def _zeros(known: LazyType) -> ArraySource:
    """Return two tensors of zeros of a shape; small ones where it is not known, or is large."""
    shape = [min(8 if n is None else n, _LARGEST) for n in known.shape or ()]
    return ArraySource(torch.zeros((2, *shape[:4]), dtype=known.dtype))


def _zero(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Enum):
        return next(iter(dtype.categories), None)
    if isinstance(dtype, pl.Boolean):
        return False
    if isinstance(dtype, pl.Array):
        return np.zeros(dtype.shape).tolist()
    return 0 if dtype.is_numeric() else None


def _macro_state(made: MacroState) -> None:
    require(isinstance(made.expansion, Graph), "a macro stands for no graph")
    _states(made.expansion, made.states)


def _states(graph: Graph, states: Mapping[str, Any]) -> None:
    fits = set(states) == set(node_ids(graph))
    require(fits, "the states of a graph belong to other nodes", ", ".join(sorted(states)))


def _network(made: Network) -> None:
    require(set(made.layers) == set(made.wires), "the layers of a network have no wires")
    require(set(made.order) <= set(made.inputs), "the order of inputs names another", made.order)
    for wires in (*made.wires.values(), made.outputs):
        for wire in wires:
            known = made.inputs if wire.is_input else made.layers
            require(wire.source in known and wire.port >= 0, "a wire comes from nowhere", wire)
    _check_acyclic(
        {path: [w.source for w in ws if not w.is_input] for path, ws in made.wires.items()}
    )
    _check_shapes(made)


def _check_shapes(made: Network) -> None:
    """Refuse layers that do not fit behind each other; foreign ones are not tried."""
    if any(isinstance(part, Ref | Opaque) for part in within(made.layers)):
        return
    try:
        repr(made)
    except Exception as error:
        require(False, "the layers of a network do not fit", f"{type(error).__name__}: {error}")


def _check_acyclic(needs: dict[str, list[str]]) -> None:
    left = dict(needs)
    while left:
        ready = [path for path, below in left.items() if not any(b in left for b in below)]
        require(bool(ready), "the layers of a network go in a circle", ", ".join(sorted(left)))
        for path in ready:
            del left[path]


def _trained(made: TrainedModel) -> None:
    require(made.batch > 0, "a model predicts no rows at a time", made.batch)
    result = () if made.state.result is None else (made.state.result,)
    for weights in (made.state.weights, *result):
        _fit_weights(made.network, weights)


def _model(made: Model) -> None:
    _fit_weights(made.network, Weights(made.params, made.buffers))


def _fit_weights(network: Network, weights: Weights) -> None:
    """Compare the weights with what the layers of the house would begin with.

    The sizes are worked out without memory, so that a layer that claims to be huge is found out.
    """
    for path, layer in network.layers.items():
        if any(isinstance(leaf, str) and ":" in leaf for _, leaf in leaves(layer)):
            continue
        wanted = layer.bare_weights()
        for begun, held in zip(wanted, (weights.params, weights.buffers), strict=True):
            for name, tensor in begun.items():
                found = held.get(f"{path}.{name}")
                fits = found is not None and found.shape == tensor.shape
                require(fits, f"the weights of '{path}' have another size", name)


def _plan(made: Plan) -> None:
    least = (made.rows >= 0, made.epochs >= 0, made.batch_size > 0, made.eval_every > 0)
    require(all(least), "a plan has numbers below what they can be", made)


def _formula(made: Formula) -> None:
    """Refuse expressions that call code, before polars reads them."""
    tree = json.loads(made.json)
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False)
    require(text == made.json, "an expression is not written as polars writes it")
    code = code_in(tree)
    require(code is None, "an expression calls code, or holds bytes that may be code", code)
    _check_constants(tree)
    made.resolve()


def _check_constants(tree: Any) -> None:
    """Refuse constants that are no tables, in an expression without code."""
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.items())
        elif are_bytes(part):
            if name != "Binary":
                from fpipe.codec import tables  # noqa: PLC0415  pyarrow is loaded where needed

                tables.check_stream(bytes(part))
        elif isinstance(part, list):
            waiting.extend((name, member) for member in part)


def _built(made: Built) -> None:
    """Let a part of an estimator be rebuilt by classes and by what rebuilds arrays, only.

    A class of fpipe or torch is none of these: it could stand for code that nobody has looked at.
    """
    code = made.code.resolve()
    module, _, name = made.code.path.partition(":")
    restores = name.startswith("__pyx_unpickle_") or (name == "newObj" and "sklearn" in module)
    require(
        isinstance(code, type) or module in _BUILDERS or restores,
        "an estimator is rebuilt by what is no class",
        made.code.path,
    )
    for part in (made.code, *_refs_in((made.args, made.state, made.members))):
        known = package_of(part.path) in _PARTS
        require(known, "an estimator is made of code of another package", part.path)
    _check_tree(made)


_PARTS = ("sklearn", "numpy", "scipy", "builtins", "collections", "copyreg", "math")
"""Packages whose code may be a part of an estimator."""


def _refs_in(value: Any) -> list[Ref]:
    """Return the references in plain data; what is below another part is checked with that."""
    found: list[Ref] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Ref):
            found.append(one)
        elif not isinstance(one, Built):
            below = parts(one)
            waiting.extend(() if below is None else below.children)
    return found


def _check_tree(made: Built) -> None:
    """Refuse decision trees whose nodes lead out of the tree: nobody looks when they predict."""
    nodes = made.state.get("nodes") if isinstance(made.state, Mapping) else None
    if not isinstance(nodes, np.ndarray) or nodes.dtype.names is None:
        return
    for name in ("left_child", "right_child"):
        if name in nodes.dtype.names and len(nodes):
            inside = bool((nodes[name] < len(nodes)).all()) and bool((nodes[name] >= -1).all())
            require(inside, "a node of a tree leads out of it", name)


CHECKS: Mapping[type, Callable[[Any], None]] = {
    Key: _key,
    Task: _task,
    TaskType: _task_type,
    Prediction: _prediction,
    ResampleResult: _resampled,
    Wiring: _wiring,
    Graph: _wiring,
    Fitted: _fitted,
    MacroState: _macro_state,
    Network: _network,
    TrainedModel: _trained,
    Model: _model,
    Plan: _plan,
    Formula: _formula,
    Built: _built,
}
"""What each class of values must hold; a `Ref` is checked by the catalogue."""
