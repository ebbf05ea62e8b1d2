"""The model operator: where a descriptor becomes a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyrsistent import PMap

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import (
    REQUIRED,
    boolean,
    integer,
    number,
    one_of,
    optional,
    parameter,
    text,
    tuple_of,
)
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve, value
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task, check_learnable
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.measure.score import check_measure, measure
from fpipe.net.network import Network
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import DESCRIPTOR
from fpipe.nn.model_checks import bound_loss, check_names, check_output, check_smallest_batch
from fpipe.nn.predicting import examples, predicted, rows_at_once, subject
from fpipe.nn.sampling import chances
from fpipe.nn.scoring import Scorer, TrainScorer
from fpipe.nn.telling import report, report_resumed, tell, wanted
from fpipe.train.callback import in_order
from fpipe.train.fold import fold_to
from fpipe.train.gradient import evaluate
from fpipe.train.loading import resolve_workers
from fpipe.train.mixing import Placed
from fpipe.train.numerics import Numerics, device_to_apply, resolve_numerics
from fpipe.train.plan import Plan, events
from fpipe.train.resuming import continued
from fpipe.train.run import Run, Stopping
from fpipe.train.state import TrainState, Weights
from fpipe.train.step import initial_state

_WEIGHTS = ("auto", "best", "last")


def classes_of(task: Task) -> int:
    """Return the number of classes that the target has codes of; 0 for numbers and two classes."""
    return len(task.classes) if len(task.classes) > 2 else 0


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@value
class TrainedModel:
    """What the model operator keeps.

    Args:
        network: the network.
        state: the state after End.
        batch: rows per batch at prediction.
    """

    network: Network
    state: TrainState
    batch: int

    def __repr__(self) -> str:
        return f"TrainedModel ({self.network.count():,} parameters, {self.state!r})"

    @property
    def history(self) -> tuple[dict[str, float], ...]:
        """One row of figures per epoch: ``epoch``, then ``train.loss``, ``valid.…`` by name."""
        return tuple({"epoch": row["epoch"], **dict(items(row))} for row in self.state.history)

    @property
    def callbacks(self) -> PMap[str, Any]:
        """What each callback remembers, by its id."""
        return self.state.callbacks

    @property
    def weights(self) -> Weights:
        """The weights that predictions use."""
        return self.state.result if self.state.result is not None else self.state.weights


@descriptor
class Train(Op):
    """Train the network and predict with it.

    Args:
        epochs: how often training goes through the rows; 0 leaves the weights as drawn.
        batch_size: rows per step.
        patience: evaluations without improvement after which training stops; 0 for never.
        min_delta: how much better an evaluation must be to count.
        monitor: what early stopping watches on the validation rows: ``"loss"`` or one of
            ``measures``; by default the first of ``measures`` that is to be small or large, else
            the loss.
        measures: scores of the validation rows that history records, in the user's units; NaN
            where one is undefined on them.
        measures_train: scores of the training rows that history records; of what the network
            gave for each row when its batch was learned from, with dropout on.
        weights: which weights predictions use: ``"best"`` evaluated, ``"last"``, or ``"auto"``:
            best where patience is set.
        shuffle: whether each epoch has an order of its own.
        drop_last: whether a last batch with fewer rows is left out.
        eval_every: evaluate after every so many epochs, and after the last.
        predict_batch: rows per batch at prediction; by default ``batch_size``, and at least 1024
            (fewer for inputs of more than 4096 numbers: as many as have four million together).
        sampling: ``"all"`` goes through every row once in each epoch. ``"classes"`` and
            ``"weights"`` draw as many rows with replacement: each class equally often, or each
            row as often as its weight says (which the loss leaves out then).
        accumulate: batches whose gradients make one update of the parameters; the last update
            of an epoch takes those that are left. Callbacks clip the gradient of all of them.

    Raises:
        ParameterError: loss or optimizer are not set, or patience has no validation rows.
        DataError: the training rows have one class only, or batch normalisation meets a batch
            of one row.
    """

    name = "model"
    inputs = (DESCRIPTOR,)
    outputs = (Port("prediction", Prediction),)
    reads_valid = True

    epochs: int = parameter(default=REQUIRED, check=integer(0))
    batch_size: int = parameter(default=32, check=integer(1))
    patience: int = parameter(default=0, check=integer(0))
    min_delta: float = parameter(default=0.0, check=number(0.0, infinite=True))
    monitor: str | None = parameter(default=None, check=optional(text()))
    measures: tuple[str, ...] = parameter(default=(), check=tuple_of(text()), convert=_names)
    weights: str = parameter(default="auto", check=one_of(*_WEIGHTS))
    shuffle: bool = parameter(default=True, check=boolean())
    drop_last: bool = parameter(default=False, check=boolean())
    eval_every: int = parameter(default=1, check=integer(1))
    predict_batch: int | None = parameter(default=None, check=optional(integer(1)))
    accumulate: int = parameter(default=1, check=integer(1))
    measures_train: tuple[str, ...] = parameter(default=(), check=tuple_of(text()), convert=_names)
    sampling: str = parameter(default="all", check=one_of("all", "classes", "weights"))

    def fit(
        self,
        inputs: tuple[ModelDescriptor, ...],
        *,
        key: Key,
        context: Context,
        valid: tuple[ModelDescriptor, ...] | None = None,
    ) -> TrainedModel:
        """Fold over the events of training."""
        requests = context.requests
        numerics = resolve_numerics(
            requests.get("interpreter", "auto"),
            requests.get("device"),
            requests.get("precision", "float32"),
        )
        run = self.run(inputs[0], valid[0] if valid else None, numerics, context.resources)
        state = self._start(run, key, numerics, context)
        report(context, "begin", run.plan, state)
        told = wanted(run, context)
        for moved, event in fold_to(run, state, events(run.plan, state.cursor), told):
            state = moved
            tell(run, context, state, event)
        report(context, "end", run.plan, state)
        return TrainedModel(run.network, state, run.predict_batch)

    def _start(self, run: Run, key: Key, numerics: Numerics, context: Context) -> TrainState:
        """Return the state to begin with: where training stood, if it has begun before."""
        fresh = initial_state(run, key, numerics)
        reached = context.reached.get(context.place)
        if reached is None:
            return fresh
        report_resumed(context, run, reached)
        return continued(run, fresh, reached)

    def run(
        self,
        md: ModelDescriptor,
        valid: ModelDescriptor | None,
        numerics: Numerics,
        resources: Mapping[str, Any] | None = None,
    ) -> Run:
        """Return what training reads: the fold can then be done by hand.

        Args:
            md: the descriptor over the training rows.
            valid: the descriptor over the validation rows, or None.
            numerics: how numbers are computed.
            resources: what may be taken of the machine; nothing that is computed depends on it.
        """
        loss, optimizer = self._configured(md)
        self._check_measures(md)
        stopping = self._stopping(valid is not None)
        task = subject(md)
        check_learnable(task)
        plan = Plan(
            rows=task.n_rows,
            epochs=self.epochs,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            drop_last=self.drop_last,
            eval_every=self.eval_every,
            validates=valid is not None,
            accumulate=self.accumulate,
            sampling=self.sampling,
        )
        network = md.network()
        check_smallest_batch(network, plan)
        scored = valid if self.measures else None
        scorer = None if scored is None else Scorer(subject(scored), self.measures)
        policy = (resources or {}).get("materialize", "auto") if self.epochs > 1 else "lazy"
        rows = examples(md, numerics.dtype, numerics.device, policy)
        if self.sampling == "weights":
            rows = evolve(rows, weights=None)
        checked = None
        if valid is not None:
            checked = examples(valid, numerics.dtype, numerics.device, policy)
        return Run(
            network=network,
            keys=md.keys,
            loss=bound_loss(loss, task),
            optimizer=optimizer,
            plan=plan,
            train=rows,
            valid=checked,
            scorer=scorer,
            stopping=stopping,
            predict_batch=self.predict_batch or max(self.batch_size, rows_at_once(md)),
            chances=chances(task, self.sampling),
            mixing=tuple(
                Placed(mixing, md.keys[path], classes_of(task)) for path, mixing in md.mixing
            ),
            workers=resolve_workers((resources or {}).get("workers"), rows),
            callbacks=in_order(md.callbacks),
            train_scorer=TrainScorer(task, self.measures_train) if self.measures_train else None,
        )

    def apply(
        self, state: TrainedModel, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Predict, where nothing else is asked on the device of the training."""
        del key
        device = device_to_apply(context.requests.get("device"), state.state.numerics.device)
        numerics = evolve(state.state.numerics, device=device)
        rows = examples(inputs[0], numerics.dtype)
        weights = state.weights.on(device)
        workers = resolve_workers(context.resources.get("workers"), rows)
        outputs = evaluate(state.network, weights, rows, state.batch, numerics, workers=workers)
        return (predicted(subject(inputs[0]), outputs[0]),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """A prediction."""
        del key, context
        self._configured(types[0])
        check_names(types[0])
        self._check_measures(types[0])
        self._watched()
        return (Prediction,)

    def _configured(self, md: ModelDescriptor) -> Any:
        for part, example in (("loss", 'nn.loss("mse")'), ("optimizer", 'nn.optimizer("adam")')):
            if getattr(md, part) is None:
                raise ParameterError(
                    f"no {part} is set.",
                    expected=f"an nn.{part}(...) before nn.model(...)",
                    got="none",
                    fix=f"… >> {example} >> nn.model(...)",
                )
        check_output(md)
        return md.loss, md.optimizer

    def _check_measures(self, md: ModelDescriptor) -> None:
        if md.subject is not None:
            kind = md.subject.kind
            classes = kind.classes if isinstance(kind, Classification) else ()
            for name in (*self.measures, *self.measures_train):
                check_measure(measure(name), classes)

    def _watched(self) -> str:
        """Return what early stopping watches."""
        directed = (name for name in self.measures if measure(name).minimize is not None)
        watched = self.monitor or next(directed, "loss")
        if watched != "loss" and watched not in self.measures:
            raise ParameterError(
                f"the monitor '{watched}' is not measured.",
                expected=", ".join(("loss", *self.measures)),
                got=watched,
                fix=f"nn.model(..., measures=({watched!r},))",
            )
        return watched

    def _stopping(self, validated: bool) -> Stopping:
        watched = self._watched()
        if not validated and (self.patience or self.measures or self.weights == "best"):
            raise ParameterError(
                "early stopping and measures need validation rows.",
                expected="validation rows",
                got=f"patience={self.patience}, measures={self.measures}, none to validate on",
                fix="pass validate=0.2 to fp.fit or fp.resample",
            )
        keep = self.weights == "best" or (self.weights == "auto" and self.patience > 0)
        minimize = watched == "loss" or measure(watched).smaller_is_better()
        return Stopping(watched, minimize, self.patience, self.min_delta, keep)


model = operator(Train)
