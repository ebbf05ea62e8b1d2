"""Laws must be able to fail: every mutant below is caught by the law that is named with it."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from pyrsistent import pmap

from fpipe import nn, ops
from fpipe.core import equality, tree
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.value import evolve
from fpipe.data import apart, deferred, split, units
from fpipe.data.lazy import maps, reading
from fpipe.data.lazy import tensor as lazy_tensors
from fpipe.data.lazy.tensor import LazyTensor
from fpipe.data.task import Task
from fpipe.evaluate import fitting, partition
from fpipe.graph import compose, graph, interpret, wiring
from fpipe.graph import settings as graph_settings
from fpipe.graph.ports import Node, Source
from fpipe.measure.loss import WeightedCrossEntropy
from fpipe.net import layer
from fpipe.net.layers.batch_norm import BatchNorm1d
from fpipe.nn import descriptor
from fpipe.ops import joining
from fpipe.ops.balancing import Balance
from fpipe.ops.impute_draw import ImputeDraw
from fpipe.ops.lazy_op import LazyOp
from fpipe.optim import live
from fpipe.optim.adam import Adam
from fpipe.optim.optimizer import OptimizerState
from fpipe.testing import LAWS, cases, holds, keys, law, tasks, toys, violation
from fpipe.testing.laws.augmenting import AUGMENTING
from fpipe.testing.laws.callbacks import CALLBACKS
from fpipe.testing.laws.fit_apply import FIT_APPLY, PREDICTORS, TASK_OPERATORS
from fpipe.testing.laws.lazy import LAZY
from fpipe.testing.laws.resampling import RESAMPLING
from fpipe.testing.laws.training import TRAINING
from fpipe.testing.training import plans, runs, started
from fpipe.train import (
    averaging,
    dials,
    fast,
    fold,
    following,
    gradient,
    loading,
    plan,
    resuming,
    step,
    update,
)
from fpipe.train.following import Followed
from fpipe.train.stages import initial_states
from fpipe.train.state import Cursor, Weights
from fpipe.train.unfreeze import unfreeze

MUTANTS = []


def mutant(law_name, own_cases=None):
    """Register a planted bug with the law that must catch it."""

    def register(plant):
        MUTANTS.append(pytest.param(plant, law_name, own_cases, id=plant.__name__))
        return plant

    return register


def everywhere(patch, module, name, other):
    """Replace a function in every module that has imported it."""
    original = getattr(module, name)
    for one in [m for n, m in sys.modules.items() if n.startswith("fpipe")]:
        for key, value in list(vars(one).items()):
            if value is original:
                patch.setattr(one, key, other)
    return original


# ------------------------------------------------------------------ composition


@mutant("identity is unit")
def then_wires_backwards(patch):
    feeds = compose._feeds
    patch.setattr(compose, "_feeds", lambda left, right: feeds(left, right)[::-1])


@mutant("fitting beside")
def beside_forgets_to_shift_inputs(patch):
    def beside(left, right):
        def moved(source):
            return source if source.is_input else Source(source.node + len(left.nodes), source.port)

        nodes = tuple(Node(n.op, tuple(map(moved, n.sources))) for n in right.nodes)
        outputs = left.outputs + tuple(map(moved, right.outputs))
        return compose._wired(left, len(left.ports) + len(right.ports), left.nodes + nodes, outputs)

    patch.setattr(compose, "beside", beside)


@mutant("interchange")
def beside_lists_outputs_backwards(patch):
    def backwards(left, right):
        made = beside(left, right)
        kept, turned = made.outputs[: len(left.outputs)], made.outputs[len(left.outputs) :]
        return compose._wired(made, len(made.ports), made.nodes, turned + kept)

    beside = compose.beside
    patch.setattr(compose, "beside", backwards)


@mutant("identity is unit")
def identity_adds_a_node(patch):
    def identity(n=1):
        made = graph.Graph((), (), ())
        for _ in range(n):
            made = compose.beside(made, graph.node(toys.Affine(1.0, 0.0)))
        return made

    everywhere(patch, graph, "identity", identity)


@mutant("then is defined")
def arity_mismatch_is_accepted(patch):
    feeds = compose._feeds

    def loose(left, right):
        gives, takes = len(left.outputs), len(right.ports)
        return feeds(left, right) if gives == takes else tuple((0,) for _ in range(takes))

    patch.setattr(compose, "_feeds", loose)


@mutant("given ids are unique")
def duplicate_ids_are_accepted(patch):
    patch.setattr(wiring, "_check_ids", lambda nodes: None)


@mutant("types must meet")
def types_are_not_checked(patch):
    patch.setattr(compose, "_check_types", lambda left, right, feeds: None)


@mutant("form is canonical")
def nodes_keep_their_order(patch):
    def in_order(nodes, outputs):
        read = set(walk(nodes, outputs))
        return [i for i in range(len(nodes)) if i in read]

    walk = everywhere(patch, wiring, "walk_back", in_order)


@mutant("ordinals count")
def ordinals_ignore_given_ids(patch):
    def ids(one):
        counts, found = {}, []
        for node in one.nodes:
            counts[node.op.name] = counts.get(node.op.name, 0) + 1
            n = counts[node.op.name]
            found.append(node.op.id or (node.op.name if n == 1 else f"{node.op.name}_{n - 1}"))
        return tuple(found)

    everywhere(patch, wiring, "node_ids", ids)


@mutant("labels are nothing")
def labels_count(patch):
    import attrs

    everywhere(patch, tree, "fields_of", attrs.fields)


# ------------------------------------------------------------------ running


@mutant("fitting then")
def keys_come_from_positions(patch):
    def fit_graph(one, inputs, *, key, context, wanted):
        states, read = {}, interpret._read_nodes(one, wanted)

        def visit(position, name, op, entering):
            states[name], leaving = interpret._fit_node(
                op, entering, key.fold_in(position), context.below(name), position in read
            )
            return leaving

        outputs = interpret._walk(one, inputs, visit, context)
        return pmap(states), outputs if wanted else ()

    everywhere(patch, interpret, "fit_graph", fit_graph)


@mutant("wrapping")
def wrapping_keeps_the_outer_key(patch):
    fit_node = interpret._fit_node

    def flat(op, entering, key, context, wanted):
        outer = Key(key.seed, key.path[:-1]) if isinstance(op, graph.Wrap) else key
        return fit_node(op, entering, outer, context, wanted)

    patch.setattr(interpret, "_fit_node", flat)


@mutant("validation teaches nothing")
def fit_sees_validation_rows(patch):
    detach = interpret.detach

    def leaky(values):
        train, valid = detach(values)
        return (train if valid is None else valid), valid

    patch.setattr(interpret, "detach", leaky)


@mutant("validation is applied")
def validation_rows_pass_untouched(patch):
    def attach(outputs, valid):
        return tuple(out.with_valid(outputs[0].with_valid(None)) for out in outputs)

    patch.setattr(interpret, "attach", attach)


@mutant("variadic macros take all")
def wrapped_variadic_inputs_are_dropped(patch):
    patch.setattr(interpret, "_widened", lambda one, count: one)


@mutant("overrides reach copies")
def overrides_are_forgotten(patch):
    patch.setattr(interpret, "expansion", lambda macro, types: macro.expand(types))


# ------------------------------------------------------------------ fit and apply


@st.composite
def scaling(draw):
    return ops.scale(), draw(tasks(rows=(6, 12), missing=False)), 0.4, draw(keys())


@st.composite
def normalising(draw):
    task = draw(tasks("regression", rows=(8, 12), numeric=True, missing=False))
    net = nn.ingress_numeric() >> nn.linear(3) >> nn.batch_norm1d() >> nn.head()
    train = nn.loss("mse") >> nn.optimizer("sgd", lr=1e-4) >> nn.model(epochs=0, batch_size=4)
    return ops.scale() >> net >> train, task, 0.4, draw(keys())


@mutant("rows are apart", scaling())
def scaler_refits_at_apply(patch):
    cls = type(ops.scale().nodes[0].op)
    transform = cls.transform
    patch.setattr(
        cls, "transform", lambda s, state, task, key: transform(s, s.learn(task, key), task, key)
    )


@mutant("rows are apart", normalising())
def apply_uses_batch_statistics(patch):
    def apply(self, params, buffers, inputs, draws, training):
        x = inputs[0]
        return ((x - x.mean(0)) / (x.var(0, unbiased=False) + self.eps).sqrt(),), buffers

    patch.setattr(BatchNorm1d, "apply", apply)


@mutant("rows may move")
def predictions_depend_on_position(patch):
    def shifted(*args, **kwargs):
        (outputs,) = evaluate(*args, **kwargs)
        return (outputs + torch.arange(len(outputs))[:, None] * 0.01,)

    evaluate = everywhere(patch, gradient, "evaluate", shifted)


@mutant("columns may move")
def columns_are_found_by_position(patch):
    patch.setattr(fitting, "conform", lambda data, outline: data)


@mutant("batch size is unread")
def predictions_depend_on_the_chunk(patch):
    def centred(network, weights, examples, batch, *rest, **more):
        (outputs,) = evaluate(network, weights, examples, batch, *rest, **more)
        return (outputs + 0.01 * batch,)

    evaluate = everywhere(patch, gradient, "evaluate", centred)


@st.composite
def drawing(draw):
    graph = draw(st.sampled_from([ops.impute_hist(), ops.impute_sample()]))
    return graph, draw(tasks(rows=(8, 20))), 0.4, draw(keys())


@mutant("rows are apart", drawing())
def what_fills_is_learned_at_apply(patch):
    transform = ImputeDraw.transform

    def anew(self, state, task, key):
        gaps = (task.column(name).null_count() for name in state.columns)
        known = max(gaps, default=0) < task.n_rows
        return transform(self, self.learn(task, key) if known else state, task, key)

    patch.setattr(ImputeDraw, "transform", anew)


@st.composite
def drawing_rows(draw):
    graph, task, _, key = draw(drawing())
    return graph, task, draw(keys()), key


@mutant("rows may move", drawing_rows())
def draws_depend_on_the_place(patch):
    filled = ImputeDraw._filled

    def by_place(self, task, name, learned, key):
        return filled(self, evolve(task, row_id=np.arange(task.n_rows)), name, learned, key)

    patch.setattr(ImputeDraw, "_filled", by_place)


@st.composite
def uniting(draw):
    task = draw(tasks("regression", rows=(8, 12), numeric=True, missing=False))
    middle = len(task.features) // 2
    half, rest = task.features[:middle], task.features[middle:]
    sides = ops.select(list(half)) & ops.select(list(rest))
    return ops.copy(2) >> sides >> ops.union(), task, draw(keys()), draw(keys())


@mutant("rows may move", uniting())
def union_sorts_the_rows_of_one_side(patch):
    def by_id(given):
        first, *others = given
        return merged((first, *(one.take(np.argsort(one.row_id)) for one in others)))

    merged = joining._merged
    patch.setattr(joining, "_merged", by_id)


@mutant("rows may move")
def computed_tables_are_confused(patch):
    found = {}

    def collected(self):
        columns = tuple(self.empty.schema.items())
        made = collect(self)
        return found.setdefault((str(columns), made.height), made)

    collect = deferred.Plan.collected
    patch.setattr(deferred.Plan, "collected", collected)


@mutant("fit with validation")
def riding_along_loses_the_last_step(patch):
    before = {}

    def then(self, step_):
        made = add(self, step_)
        before[id(made)] = (self, made)
        return made

    def with_valid(self, valid):
        plan = self._pending()
        earlier, _ = before.get(id(plan), (None, None))
        same_columns = earlier is not None and earlier.empty.schema == plan.empty.schema
        return self._with(earlier if same_columns and valid is not None else None, valid=valid)

    add = deferred.Plan.then
    patch.setattr(deferred.Plan, "then", then)
    patch.setattr(Task, "with_valid", with_valid)


@mutant("fit is apply")
def fitting_draws_from_a_key_of_its_own(patch):
    def fit_outputs(self, state, inputs, *, key, context):
        return self.apply(state, inputs, key=key.fold_in("fit"), context=context)

    patch.setattr(ImputeDraw, "fit_outputs", fit_outputs, raising=False)


@mutant("target is unread")
def draws_depend_on_the_target(patch):
    filled = ImputeDraw._filled

    def by_target(self, task, name, learned, key):
        return filled(self, task, name, learned, key.fold_in(task.target or "none"))

    patch.setattr(ImputeDraw, "_filled", by_target)


@mutant("row order at fit")
def the_first_value_is_the_mode(patch):
    def first(self, column):
        return (column.drop_nulls().first(),)

    patch.setattr(type(ops.impute_mode().nodes[0].op), "aggregates", first)


@mutant("types are inferred")
def codes_are_said_to_be_floats(patch):
    patch.setattr(type(ops.ordinal().nodes[0].op), "becomes", lambda self, dtype: pl.Float64())


@mutant("types are inferred")
def the_last_of_several_new_features_is_lost(patch):
    def computed(self, *columns, features=None):
        made = compute(self, *columns, features=features)
        new = [name for name in made.features if name not in self.features]
        return made.select(made.features[:-1]) if len(new) > 1 else made

    compute = Task.computed
    patch.setattr(Task, "computed", computed)


@st.composite
def choosing(draw):
    return ops.select(ops.everything()), draw(tasks()), draw(keys())


@mutant("zero rows", choosing())
def without_rows_nothing_is_selected(patch):
    cls = type(ops.select(ops.everything()).nodes[0].op)
    transform = cls.transform

    def hasty(self, state, task, key):
        return transform(self, state if task.n_rows else (), task, key)

    patch.setattr(cls, "transform", hasty)


# ------------------------------------------------------------------ training


@mutant("states stay usable")
def the_optimizer_writes_into_the_state(patch):
    init = live.LiveOptimizer.__init__

    def shared(self, spec, params, state):
        init(self, spec, params, state)
        for name, leaf in self.leaves.items():
            leaf.data = params[name].data

    patch.setattr(live.LiveOptimizer, "__init__", shared)


@mutant("states stay usable")
def moments_are_shared(patch):
    patch.setattr(live, "_copied", lambda slot: slot)


@mutant("folds may be cut")
def a_cut_forgets_the_epoch_so_far(patch):
    init = fast.Machine.__init__

    def forgetful(self, run, state):
        init(self, run, state)
        self._totals = (0.0, 0)

    patch.setattr(fast.Machine, "__init__", forgetful)


@mutant("cuts may go through files")
def a_file_forgets_what_the_optimizer_remembers(patch):
    everywhere(
        patch,
        resuming,
        "continued",
        lambda run, fresh, reached: evolve(reached.state, optimizer=fresh.optimizer),
    )


@mutant("folds may be cut")
def a_cut_forgets_the_moments(patch):
    init = live.LiveOptimizer.__init__

    def forgetful(self, spec, params, state):
        init(self, spec, params, OptimizerState())

    patch.setattr(live.LiveOptimizer, "__init__", forgetful)


def remembering():
    """Runs whose network has batch normalisation, which few of all runs have."""

    def normalised(case):
        run, state = case
        ((name, entering),) = run.network.inputs.items()
        ((*_, size),) = run.network.shapes({name: entering.shape})
        body = nn.linear(3) >> nn.batch_norm1d() >> nn.linear(size, id="out")
        network = nn.network(body, **{name: entering.shape})
        keys_ = pmap({path: state.key.fold_in(path) for path in network.layers})
        changed = evolve(run, network=network, keys=keys_, optimizer=Adam(), callbacks=())
        return tuple(started(changed, state.key))

    return runs().filter(lambda case: len(case[0].network.inputs) == 1).map(normalised)


@mutant("fast is reference", remembering())
def the_fast_fold_uses_stale_buffers(patch):
    batch = fast.Machine._batch

    def stale(self, event):
        kept = dict(self._buffers)
        batch(self, event)
        self._buffers = kept

    patch.setattr(fast.Machine, "_batch", stale)


@mutant("fast is reference")
def the_fast_fold_forgets_callbacks(patch):
    plain = fast.update

    def without(optimizer, grads, callbacks, *rest):
        return plain(optimizer, grads, (), *rest)

    patch.setattr(fast, "update", without)


@mutant("fast is reference")
def the_fast_fold_calls_back_to_front(patch):
    plain = fast.update

    def reversed_(optimizer, grads, callbacks, *rest):
        return plain(optimizer, grads, callbacks[::-1], *rest)

    patch.setattr(fast, "update", reversed_)


@mutant("folds may be cut")
def a_cut_restarts_callbacks(patch):
    init = fast.Machine.__init__

    def anew(self, run, state):
        init(self, run, state)
        first = initial_states(run.callbacks, state.weights.params)
        again = {
            name: one
            for name, one in first.items()
            if one is not None and not isinstance(one, Followed)
        }
        self._callbacks = self._callbacks.update(again)

    patch.setattr(fast.Machine, "__init__", anew)


@mutant("folds may be cut")
def a_cut_restarts_schedules(patch):
    init = fast.Machine.__init__

    def anew(self, run, state):
        init(self, run, state)
        begun = {
            name: evolve(kept, t=0) if isinstance(kept, Followed) else kept
            for name, kept in self._callbacks.items()
        }
        self._callbacks = pmap(begun)

    patch.setattr(fast.Machine, "__init__", anew)


@mutant("rates follow")
def schedules_lag_behind(patch):
    called = following.FollowSchedule._called

    def late(self, state, moment, t):
        reached, after = called(self, state, moment, max(t - 1, 0))
        return evolve(reached, t=t), after

    patch.setattr(following.FollowSchedule, "_called", late)


@mutant("averages are means")
def averages_take_the_other_share(patch):
    def swapped(self, taken):
        return lambda average, new: torch.lerp(average, new, self.decay)

    patch.setattr(averaging.EMA, "mean", swapped)


@mutant("averages are means")
def the_mean_counts_the_first_twice(patch):
    mean = averaging.SWA.mean
    patch.setattr(averaging.SWA, "mean", lambda self, taken: mean(self, taken + 1))


@mutant("states stay usable")
def averages_are_written_in_place(patch):
    def in_place(self, taken):
        return lambda average, new: average.lerp_(new, 1.0 - self.decay)

    patch.setattr(averaging.EMA, "mean", in_place)


@mutant("fast is reference")
def averages_keep_the_weights_themselves(patch):
    patch.setattr(averaging, "_copy", lambda tensor: tensor)


@mutant("End keeps going possible")
def the_average_is_not_kept(patch):
    patch.setattr(step, "evaluated", lambda callbacks, states, weights: weights)


@mutant("frozen stays")
def frozen_parameters_are_decayed(patch):
    plain = live.LiveOptimizer.step

    def with_zeros(self, grads):
        leaves = self.leaves
        filled = {n: torch.zeros_like(leaves[n]) if g is None else g for n, g in grads.items()}
        plain(self, filled)

    patch.setattr(live.LiveOptimizer, "step", with_zeros)


@mutant("frozen stays")
def layers_at_rest_go_on(patch):
    def awake(*given):
        return plain(*given)._replace(resting=frozenset())

    plain = everywhere(patch, gradient, "learned", awake)


def unfreezing():
    """Runs of Adam in which the first parameter learns at once, and all from the third batch on."""

    def thawing(case):
        run, state = case
        names = sorted(state.weights.params)
        callback = unfreeze(names[0] if names else None, batches={3: "*"} if names else {})
        changed = evolve(run, optimizer=Adam(), callbacks=(("unfreeze", callback),))
        return tuple(started(changed, state.key))

    return runs(plan=plans(epochs=(2, 3))).map(thawing)


@mutant("steps are counted", unfreezing())
def unfreezing_forgets_the_slots(patch):
    def forgetful(run, state, stage, **more):
        reached = plain(run, state, stage, **more)
        if reached.frozen == state.frozen:
            return reached
        return evolve(reached, optimizer=evolve(reached.optimizer, slots=pmap()))

    plain = everywhere(patch, dials, "staged_state", forgetful)


@mutant("a step descends")
def batches_of_an_update_count_alike(patch):
    def alike(pending, found):
        return plain(pending, found._replace(share=1.0))

    plain = everywhere(patch, update, "pended", alike)


@mutant("a step descends")
def class_weights_are_not_counted(patch):
    def plain(self, target, weights):
        return torch.ones(len(target), dtype=torch.float64) if weights is None else weights

    patch.setattr(WeightedCrossEntropy, "counted", plain)


@mutant("scan is fold")
def scanning_lags_behind(patch):
    def late(run, state, given):
        for reached, event in original(run, state, given):
            yield state, event
            state = reached

    original = everywhere(patch, fold, "scan", late)


@mutant("events have a grammar")
def the_last_epoch_is_not_judged(patch):
    patch.setattr(plan.Plan, "evaluates", lambda self, epoch: epoch % self.eval_every == 0)


@mutant("steps are counted")
def the_step_counter_never_advances(patch):
    def after(cursor):
        return Cursor(cursor.epoch, cursor.batch + 1, cursor.step, "batch")

    patch.setattr(step, "after_batch", after)


@mutant("epochs cover rows")
def every_epoch_has_the_same_order(patch):
    def order(one, key, epoch):
        if not one.shuffle:
            return np.arange(one.rows)
        return key.fold_in("shuffle").permutation(one.rows)

    everywhere(patch, plan, "epoch_order", order)


@mutant("epochs cover rows")
def batches_overlap(patch):
    def rows(one, order, index):
        start = max(0, index * one.batch_size - 1)
        return order[start : start + one.batch_size]

    everywhere(patch, plan, "batch_rows", rows)


@mutant("stopped states stay")
def stopped_states_go_on(patch):
    everywhere(patch, step, "step", lambda run, state, event: step.on_event(event, run, state))


@mutant("stopping counts")
def patience_is_off_by_one(patch):
    consider = step.consider

    def late(run, state, *rest):
        reached = consider(run, state, *rest)
        return evolve(reached, stopped=0 < run.stopping.patience < reached.stagnation)

    patch.setattr(step, "consider", late)


@mutant("validation is unlearned")
def judging_moves_the_weights(patch):
    consider = step.consider

    def moving(run, state, *rest):
        moved = pmap({name: p * 0.5 for name, p in state.weights.params.items()})
        other = evolve(state, weights=Weights(moved, state.weights.buffers))
        return consider(run, other, *rest)

    patch.setattr(step, "consider", moving)


@mutant("a step descends")
def steps_go_uphill(patch):
    plain = live.LiveOptimizer.step

    def uphill(self, grads):
        plain(self, {name: None if g is None else -g for name, g in grads.items()})

    patch.setattr(live.LiveOptimizer, "step", uphill)


@mutant("End keeps going possible")
def end_writes_the_best_back(patch):
    def ending(run, state, event):
        reached = original(run, state, event)
        if isinstance(event, plan.End):
            halved = pmap({name: p * 0.5 for name, p in state.weights.params.items()})
            return evolve(reached, weights=Weights(halved, state.weights.buffers))
        return reached

    original = everywhere(patch, step, "step", ending)


@mutant("draws follow steps")
def dropout_ignores_the_step(patch):
    from fpipe.net import network

    def unmoved(planned, layer_keys, at):
        return make(planned, layer_keys, 0)

    make = everywhere(patch, network, "make_draws", unmoved)


@mutant("draws follow steps")
def noise_ignores_the_key(patch):
    def draw(self, key):
        unit = torch.rand(self.shape, generator=Key(0).generator())
        return unit * (self.high - self.low) + self.low

    patch.setattr(layer.Uniform, "draw", draw)


@mutant("draws follow steps")
def noise_leaves_its_interval(patch):
    draw = layer.Uniform.draw
    patch.setattr(layer.Uniform, "draw", lambda self, key: draw(self, key) + self.high)


# ------------------------------------------------------------------ purity


@mutant("training is pure")
def dropout_draws_from_the_global_generator(patch):
    patch.setattr(layer.Keep, "draw", lambda self, key: torch.rand(self.shape) < self.p)


@mutant("fitting is pure")
def weights_seed_the_global_generator(patch):
    def uniform(key, shape, bound):
        torch.manual_seed(key.integer(62))
        return torch.empty(shape).uniform_(-bound, bound)

    everywhere(patch, layer, "uniform", uniform)


@mutant("training is pure")
def training_switches_gradients_off(patch):
    def leaving(*args, **kwargs):
        torch.set_grad_enabled(False)
        return original(*args, **kwargs)

    original = everywhere(patch, gradient, "gradient", leaving)


@mutant("keys decide")
def weights_ignore_the_key(patch):
    def uniform(key, shape, bound):
        return torch.empty(shape).uniform_(-bound, bound, generator=Key(0).generator())

    everywhere(patch, layer, "uniform", uniform)


# ------------------------------------------------------------------ values


def _with_tensor_rule(patch, rule):
    patch.setattr(equality, "_SAME", ((torch.Tensor, rule), *equality._SAME[1:]))


@mutant("bits are seen")
def same_ignores_dtype(patch):
    _with_tensor_rule(
        patch,
        lambda a, b: (
            a.shape == b.shape and torch.equal(a.to(torch.complex128), b.to(torch.complex128))
        ),
    )


@mutant("bits are seen")
def same_ignores_the_sign_of_zero(patch):
    _with_tensor_rule(
        patch, lambda a, b: a.dtype == b.dtype and torch.allclose(a, b, 0, 0, equal_nan=True)
    )


@mutant("look-alikes")
def same_compares_numbers_by_value(patch):
    kept = tuple(pair for pair in equality._SAME if pair[0] != (float, complex))
    patch.setattr(equality, "_SAME", kept)


@mutant("rebuilding is nothing")
def maps_are_walked_as_built(patch):
    everywhere(patch, tree, "sorted_keys", tuple)


@mutant("fields count")
def the_last_field_is_forgotten(patch):
    original = tree.fields_of

    def short(cls):
        found = original(cls)
        return found[:-1] if len(found) > 1 else found

    patch.setattr(tree, "fields_of", short)


# ------------------------------------------------------------------ lenses and joins


@mutant("sets commute")
def set_drops_all_but_one_change(patch):
    set_params = graph_settings.set_params

    def last_only(one, changes):
        return set_params(one, dict(list(changes.items())[-1:]))

    patch.setattr(graph_settings, "set_params", last_only)


@mutant("set set")
def the_first_override_sticks(patch):
    below = graph_settings._set_below

    def sticky(macro, changes, place):
        changed = below(macro, changes, place)
        return evolve(changed, overrides=changed.overrides.update(macro.overrides))

    patch.setattr(graph_settings, "_set_below", sticky)


@mutant("conflicts are refused")
def join_keeps_the_first_silently(patch):
    patch.setattr(descriptor, "_union", lambda a, b, what: b.update(a))


@mutant("join is union")
def join_forgets_the_second(patch):
    patch.setattr(descriptor, "_union", lambda a, b, what: a)


@mutant("applying builds the same")
def applying_resolves_layers_anew(patch):
    from fpipe.net.layers.linear import Linear
    from fpipe.nn.layer_op import LayerOp

    apply = LayerOp.apply

    def anew(self, state, inputs, *, key, context):
        small = inputs[0].subject.n_rows < 5
        other = evolve(state, bias=False) if small and isinstance(state, Linear) else state
        return apply(self, other, inputs, key=key, context=context)

    patch.setattr(LayerOp, "apply", anew)


# ------------------------------------------------------------------ splitting


@mutant("partition parts")
def groups_are_split(patch):
    def origins_only(task):
        repeated = len(np.unique(task.origin)) < task.n_rows
        return split.group_codes(task.origin) if repeated else None

    everywhere(patch, partition, "groups_of", origins_only)


@mutant("folds part")
def repeats_are_split(patch):
    def groups_only(task):
        return None if task.role("group") is None else groups(task)

    groups = everywhere(patch, partition, "groups_of", groups_only)


@mutant("folds part")
def every_class_restarts_at_fold_0(patch):
    def deal(n, folds, key, strata):
        codes = np.zeros(n, np.int64) if strata is None else strata
        order = split._shuffled_by(codes, key)
        fold = np.empty(n, np.int64)
        fold[order] = (np.arange(n) - np.searchsorted(codes[order], codes[order])) % folds
        return fold

    patch.setattr(split, "_deal_rows", deal)


@mutant("holdout parts")
def repeats_are_parted_at_the_entry(patch):
    def groups_only(task):
        return None if task.role("group") is None else groups(task)

    groups = everywhere(patch, partition, "groups_of", groups_only)


@mutant("resamplings part nothing")
def a_bootstrap_draws_rows_though_there_are_groups(patch):
    def rows_only(n, ratio, key, *, groups=None, strata=None):
        return bootstrap(n, ratio, key, strata=strata)

    bootstrap = everywhere(patch, units, "bootstrap_rows", rows_only)


@mutant("origins are kept")
def balancing_gives_new_origins(patch):
    fit_outputs = Balance.fit_outputs

    def anew(self, state, inputs, *, key, context):
        (out,) = fit_outputs(self, state, inputs, key=key, context=context)
        return (evolve(out, origin=out.row_id),)

    patch.setattr(Balance, "fit_outputs", anew)


@mutant("origins are kept")
def balancing_repeats_ids(patch):
    fit_outputs = Balance.fit_outputs

    def twice(self, state, inputs, *, key, context):
        (out,) = fit_outputs(self, state, inputs, key=key, context=context)
        return (evolve(out, row_id=out.origin),)

    patch.setattr(Balance, "fit_outputs", twice)


@mutant("repeats keep origins")
def repeats_keep_their_row_id(patch):
    patch.setattr(Task, "repeat", lambda self, at: self._rows(np.array(at), self.row_id[list(at)]))


# ------------------------------------------------------------------ lazy tensors


@mutant("maps compose")
def chains_run_backwards(patch):
    patch.setattr(maps.Map, "__rshift__", lambda f, g: maps.Chain((*maps.flat(g), *maps.flat(f))))


def by_place(one, key, place, ids, epoch):
    return maps.drawn(one, key, place, np.arange(len(ids)), epoch)


@mutant("taking commutes")
def draws_follow_the_place_in_the_batch(patch):
    patch.setattr(reading, "drawn", by_place)


@mutant("mapping commutes")
def mapping_forgets_which_rows_there_are(patch):
    real = LazyTensor.map

    def mapped(self, function, **more):
        found = real(self, function, **more)
        return evolve(found, ids=np.arange(len(found), dtype=np.int64))

    patch.setattr(LazyTensor, "map", mapped)


@mutant("grouping is unread")
def groups_draw_alike(patch):
    patch.setattr(reading, "drawn", by_place)


@mutant("grouping is unread")
def threads_hand_over_what_is_ready_last(patch):
    def backwards(jobs, workers):
        found = [job() for job in jobs]
        return iter(found[::-1] if workers else found)

    everywhere(patch, loading, "ahead", backwards)


@mutant("concatenating commutes")
def the_second_part_comes_first(patch):
    real = lazy_tensors.concatenated
    everywhere(patch, lazy_tensors, "concatenated", lambda *parts: real(*parts[::-1]))


@mutant("types are foreseen")
def dtypes_are_those_of_the_source(patch):
    patch.setattr(LazyTensor, "dtype", property(lambda self: torch.float32))


@mutant("sharing is unseen")
def columns_share_one_memory(patch):
    patch.setattr(reading, "_own", lambda values: values)


@mutant("reading is pure")
def what_was_read_is_kept(patch):
    kept = {}
    real = reading._raw

    def raw(tensor, here):
        place = (id(tensor.column.source), tensor.positions[here].tobytes())
        return kept.setdefault(place, (tensor, real(tensor, here)))[1]

    patch.setattr(reading, "_raw", raw)


@mutant("later rows are as they are")
def stages_are_forgotten(patch):
    def transform(self, state, task, key):
        return self._mapped(task, state, key, "both")

    patch.setattr(LazyOp, "transform", transform)


@mutant("later rows are as they are")
def rows_that_are_judged_are_balanced(patch):
    patch.setattr(Balance, "transform", lambda s, _, task, key: task.repeat(s._rows(task, key)))


@mutant("balanced groups stay together")
def every_row_is_a_group_of_its_own(patch):
    everywhere(patch, apart, "groups_of", lambda task, *rest: task.row_id)


# ------------------------------------------------------------------ the matrix


@pytest.mark.parametrize(("plant", "law_name", "own_cases"), MUTANTS)
def test_caught(plant, law_name, own_cases, monkeypatch):
    """The law holds on the real thing and fails on the mutant."""
    rule = law(law_name)
    chosen = cases(rule) if own_cases is None else own_cases
    assert violation(rule, chosen, examples=20) is None
    grad = torch.is_grad_enabled()
    try:
        with monkeypatch.context() as patch:
            plant(patch)
            found = violation(rule, chosen, examples=300)
    finally:
        torch.set_grad_enabled(grad)
    assert found is not None, f"'{law_name}' does not notice that {plant.__name__}"
    assert violation(rule, chosen, examples=20) is None


def test_laws_have_teeth():
    """Every law of the families below catches a mutant, and every mutant names a law."""
    families = (FIT_APPLY, TASK_OPERATORS, PREDICTORS, TRAINING, CALLBACKS, RESAMPLING)
    caught = {param.values[1] for param in MUTANTS}
    assert caught <= {one.name for one in LAWS}
    for family in (*families, LAZY, AUGMENTING):
        assert {one.name for one in family} <= caught


# ------------------------------------------------------------------ the runner


def _never(n):
    raise AssertionError("always broken")


def _only_large(n):
    assert n < 1000


def test_the_runner_passes_an_unbroken_law():
    """A law that holds is reported as such, after as many cases as asked for."""
    seen = []
    rule = Law("true", "nothing is asked", seen.append)
    assert violation(rule, st.tuples(st.integers()), examples=50) is None
    assert len(seen) == 50
    assert holds(rule, st.tuples(st.integers()), examples=30) == 30
    assert holds(rule, st.tuples(st.integers())) == settings().max_examples


@pytest.mark.parametrize("check", [_never, _only_large])
def test_the_runner_finds_a_broken_law(check):
    """A law that fails, always or rarely, is reported by both runners."""
    rule = Law("false", "cannot hold", check)
    cases_ = st.tuples(st.integers(0, 2000))
    assert isinstance(violation(rule, cases_), AssertionError)
    with pytest.raises(AssertionError):
        holds(rule, cases_)


def test_the_runner_lets_other_errors_out():
    """What is no AssertionError is no verdict."""

    def check(n):
        raise KeyError(n)

    with pytest.raises(KeyError):
        violation(Law("error", "raises", check), st.tuples(st.integers()))


def test_laws_are_told_apart():
    """Names are unique, every law says what it states and has cases."""
    assert len({one.name for one in LAWS}) == len(LAWS)
    for one in LAWS:
        assert one.statement
        assert cases(one) is not None
