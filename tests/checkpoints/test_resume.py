"""Checkpoints: what a folder holds, what may change when a run goes on, what is an error."""

import os
import threading

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import callbacks, learners, nn, ops
from fpipe.callbacks import Callback, descriptor
from fpipe.core.code import Opaque
from fpipe.core.errors import CodecError, FpipeError, ParameterError, StateError
from fpipe.core.value import evolve
from fpipe.io.lock import FolderLock
from fpipe.train.plan import EpochEnd

KEY = fp.key(3)


def a_task(rows=64, seed=0, target="y"):
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(rows, 3))
    y = x @ [1.0, -2.0, 0.5] + draws.normal(size=rows)
    return fp.regression({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], target: y}, target)


def a_graph(epochs=4, *extra, lr=0.01, **model):
    graph = ops.scale() >> nn.ingress_numeric() >> nn.linear(8) >> nn.batch_norm1d() >> nn.relu()
    graph = graph >> nn.dropout(0.2) >> nn.head() >> nn.loss("mse") >> nn.optimizer("adam", lr=lr)
    for one in extra:
        graph = graph >> nn.callbacks(one)
    return graph >> nn.model(epochs=epochs, batch_size=16, **model)


class Cut(Exception):
    pass


class CutAfter:
    """A sink that ends the process of its run, in effect, after so many epochs."""

    def __init__(self, epochs, path="model"):
        self.epochs, self.path = epochs, path

    def emit(self, event):
        if (event["kind"], event.get("epoch"), event["path"]) == ("epoch", self.epochs, self.path):
            raise Cut


class Heard:
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(dict(event))

    def of(self, kind):
        return [e for e in self.events if e["kind"] == kind]


def cut(folder, graph, task, epochs=2, path="model", **settings):
    """Fit until an epoch has been reported, and no further."""
    validate = settings.pop("validate", None)
    sinks = [fp.CheckpointSink(folder, **settings), CutAfter(epochs, path)]
    with pytest.raises(Cut):
        fp.fit(graph, task, key=KEY, validate=validate, sinks=sinks)


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize(
    "settings", [{}, {"unit": "batch", "every": 3}, {"best": True}, {"keep": None}]
)
@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_goes_on_to_the_same_bits(tmp_path, settings, epochs):
    graph, task = a_graph(), a_task()
    whole = fp.fit(graph, task, key=KEY)
    cut(tmp_path, graph, task, epochs, **settings)
    heard = Heard()
    resumed = fp.resume(graph, task, tmp_path, sinks=[heard])
    assert not fp.diff(resumed, whole)
    # The sink that keeps came first, so the last state is there, unless it is of another turn.
    trained = len(heard.of("epoch"))
    assert trained <= 4 - epochs + 1
    assert fp.same(fp.predict(resumed, task), fp.predict(whole, task))


def test_only_what_lacks_is_done(tmp_path):
    graph, task = a_graph(epochs=5), a_task()
    cut(tmp_path, graph, task, epochs=3)
    heard = Heard()
    fp.resume(graph, task, tmp_path, sinks=[heard])
    # The third epoch was reported and then cut off before its state was kept.
    assert [e["epoch"] for e in heard.of("epoch")] == [3, 4, 5]
    assert [(e["epoch"], e["step"], e["new_callbacks"]) for e in heard.of("resume")] == [(2, 8, ())]


def test_a_finished_run_is_itself(tmp_path):
    graph, task = a_graph(), a_task()
    whole = fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.fpipe") if p.name != "run.fpipe"}
    heard = Heard()
    assert not fp.diff(fp.resume(graph, task, tmp_path, sinks=[heard]), whole)
    assert heard.events == []
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.fpipe") if p.name != "run.fpipe"}
    assert after == before


def test_checkpoints_change_nothing(tmp_path):
    graph, task = a_graph(), a_task()
    kept = fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path, every=2, unit="batch")])
    assert fp.same(kept, fp.fit(graph, task, key=KEY))


def test_two_models_in_one_graph(tmp_path):
    task = a_task()
    graph = ops.out_of_fold(a_graph(3), folds=2, id="first") >> learners.mlp(
        neurons=(4,), epochs=3, loss="mse", optimizer="adam", id="second"
    )
    whole = fp.fit(graph, task, key=KEY)
    for place in ("first.model", "first[1].model", "second.model"):
        folder = tmp_path / place
        cut(folder, graph, task, epochs=2, path=place)
        assert not fp.diff(fp.resume(graph, task, folder), whole), place
    names = {p.name for p in (tmp_path / "second.model" / "states").iterdir()}
    assert names == {"first.model", "first[0].model", "first[1].model", "second.model"}


def test_train_scores_survive_a_cut_within_an_epoch(tmp_path):
    graph, task = a_graph(measures_train=("rmse",)), a_task()
    whole = fp.fit(graph, task, key=KEY)
    folder = tmp_path / "run"
    sink = fp.CheckpointSink(folder, unit="batch")
    emitted = sink.emit

    def stopping(event):
        emitted(event)
        if event["kind"] == "state" and event["state"].state.cursor.step == 6:
            raise Cut

    sink.emit = stopping
    with pytest.raises(Cut):
        fp.fit(graph, task, key=KEY, sinks=[sink])
    assert not fp.diff(fp.resume(graph, task, folder), whole)


def test_both_interpreters_may_go_on_with_each_other(tmp_path):
    graph, task = a_graph(), a_task()
    sinks = [fp.CheckpointSink(tmp_path), CutAfter(2)]
    with pytest.raises(Cut):
        fp.fit(graph, task, key=KEY, interpreter="reference", sinks=sinks)
    fast, slow = fp.fit(graph, task, key=KEY), fp.resume(graph, task, tmp_path)
    assert not fp.diff(slow.state("model").weights, fast.state("model").weights)


# ---------------------------------------------------------------- the folder


def files(folder):
    return sorted(p.name for p in (folder / "states" / "model").iterdir())


def test_the_newest_are_kept(tmp_path):
    fp.fit(a_graph(epochs=6), a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path, keep=2)])
    assert files(tmp_path) == [
        "epoch0005-step00000020-epoch.fpipe",
        "epoch0006-step00000024-epoch.fpipe",
    ]


def test_every(tmp_path):
    sink = fp.CheckpointSink(tmp_path, every=2, keep=None)
    fp.fit(a_graph(epochs=5), a_task(), key=KEY, sinks=[sink])
    assert files(tmp_path) == [
        "epoch0002-step00000008-epoch.fpipe",
        "epoch0004-step00000016-epoch.fpipe",
    ]


def test_batches(tmp_path):
    sink = fp.CheckpointSink(tmp_path, every=3, unit="batch", keep=None)
    fp.fit(a_graph(epochs=2), a_task(), key=KEY, sinks=[sink])
    assert files(tmp_path) == [
        "epoch0001-step00000003-batch.fpipe",
        "epoch0002-step00000006-batch.fpipe",
    ]


def test_the_best_is_kept_besides(tmp_path):
    graph = a_graph(epochs=12, lr=0.3, patience=20)
    sink = fp.CheckpointSink(tmp_path, every=7, keep=1, best=True)
    fitted = fp.fit(graph, a_task(), key=KEY, validate=0.5, sinks=[sink])
    best = fitted.state("model").state.best.epoch
    steps = best * 2
    assert best not in (7, 12)
    assert files(tmp_path) == sorted(
        [f"epoch{best:04d}-step{steps:08d}-epoch.fpipe", "epoch0007-step00000014-epoch.fpipe"]
    )
    kept = fp.load(tmp_path / "states" / "model" / f"epoch{best:04d}-step{steps:08d}-epoch.fpipe")
    assert fp.same(kept["state"].state.weights, fitted.state("model").weights)


def test_a_damaged_state_is_passed_over(tmp_path):
    graph, task = a_graph(), a_task()
    whole = fp.fit(graph, task, key=KEY)
    cut(tmp_path, graph, task, epochs=4)
    newest = tmp_path / "states" / "model" / files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    node = tmp_path / "nodes" / "scale.fpipe"
    node.write_bytes(node.read_bytes().replace(b"value", b"valve", 1))
    heard = Heard()
    assert not fp.diff(fp.resume(graph, task, tmp_path, sinks=[heard]), whole)
    assert heard.of("resume")[0]["epoch"] == 2


def test_odd_names_of_nodes(tmp_path):
    graph = ops.scale(id="a/b") >> a_graph(2)
    whole = fp.fit(graph, a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    assert (tmp_path / "nodes" / "a%2Fb.fpipe").is_file()
    assert not fp.diff(fp.resume(graph, a_task(), tmp_path), whole)


def test_what_cannot_be_saved_is_learned_anew(tmp_path):
    sink = fp.CheckpointSink(tmp_path)
    sink.emit({"kind": "fitted", "path": "a", "state": (1, {"model": Opaque(object())})})
    sink.emit({"kind": "fitted", "path": "b", "state": (1, {"model": 2})})
    sink.emit({"kind": "fitted", "path": "c", "state": None})
    assert [path.name for path in tmp_path.rglob("*.fpipe")] == ["b.fpipe"]


# ---------------------------------------------------------------- what may change


def test_more_epochs(tmp_path):
    task = a_task()
    longer = fp.fit(a_graph(epochs=6), task, key=KEY)
    fp.fit(a_graph(epochs=3), task, key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    heard = Heard()
    assert not fp.diff(fp.resume(a_graph(epochs=6), task, tmp_path, sinks=[heard]), longer)
    assert [e["epoch"] for e in heard.of("epoch")] == [4, 5, 6]
    # and from now on the folder holds the longer run
    assert not fp.diff(fp.resume(a_graph(epochs=6), task, tmp_path), longer)
    with pytest.raises(StateError, match="epochs"):
        fp.resume(a_graph(epochs=5), task, tmp_path)


def test_more_epochs_after_a_cut(tmp_path):
    task = a_task()
    cut(tmp_path, a_graph(epochs=3), task, epochs=2)
    longer = fp.fit(a_graph(epochs=5), task, key=KEY)
    assert not fp.diff(fp.resume(a_graph(epochs=5), task, tmp_path), longer)


def test_more_epochs_of_a_macro(tmp_path):
    task = a_task()

    def make(n):
        return learners.mlp(neurons=(4,), epochs=n, loss="mse", optimizer="adam")

    fp.fit(make(2), task, key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    heard = Heard()
    found = fp.resume(make(4), task, tmp_path, sinks=[heard])
    assert [e["epoch"] for e in heard.of("epoch")] == [3, 4]
    assert not fp.diff(found, fp.fit(make(4), task, key=KEY))


def test_more_epochs_where_a_callback_minds(tmp_path):
    callback = callbacks.lr_one_cycle(0.1)
    cut(tmp_path, a_graph(3, callback), a_task(), epochs=2)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.fpipe")}
    with pytest.raises(StateError) as caught:
        fp.resume(a_graph(5, callback), a_task(), tmp_path)
    assert "lr_one_cycle" in caught.value.rule
    assert caught.value.got == "5"
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.fpipe")} == before
    assert fp.same(
        fp.resume(a_graph(3, callback), a_task(), tmp_path),
        fp.fit(a_graph(3, callback), a_task(), key=KEY),
    )


def test_a_callback_more(tmp_path):
    """It starts with the weights of now, as EMA of torch started by hand there."""
    task = a_task()
    cut(tmp_path, a_graph(4), task, epochs=3)
    heard = Heard()
    found = fp.resume(a_graph(4, callbacks.ema(0.5)), task, tmp_path, sinks=[heard])
    assert heard.of("resume")[0]["new_callbacks"] == ("ema",)
    assert heard.of("resume")[0]["epoch"] == 2
    plain = fp.fit(a_graph(4), task, key=KEY).state("model").state.weights
    assert fp.same(found.state("model").state.weights, plain)  # EMA only watches
    assert not fp.same(found.state("model").weights, plain)
    from_start = fp.fit(a_graph(4, callbacks.ema(0.5)), task, key=KEY)
    assert not fp.same(found.state("model").weights, from_start.state("model").weights)


@pytest.mark.parametrize("per", ["epoch", "batch"])
def test_a_schedule_that_joins_begins_then(tmp_path, per):
    """Its first rate holds for what comes next, as a scheduler of torch made there by hand."""
    task, rate = a_task(), 0.01
    cut(tmp_path, a_graph(6), task, epochs=3)
    joining = callbacks.lr_exponential(0.5, per=per)
    found = fp.resume(a_graph(6, joining), task, tmp_path)
    settings = found.state("model").state.optimizer.settings[0]["lr"]
    # The state of epoch 2 is the newest: epochs 3 to 6 are trained with it, 4 batches in each.
    calls = 4 if per == "epoch" else 16
    assert settings == pytest.approx(rate * 0.5 ** (calls - 1))


def test_unfreezing_that_joins_releases_what_is_due(tmp_path):
    task = a_task()
    cut(tmp_path, a_graph(6), task, epochs=4)
    joining = callbacks.unfreeze("head.*", epochs={2: "linear.*", 7: "*"})
    found = fp.resume(a_graph(6, joining), task, tmp_path).state("model").state
    assert found.frozen == {"batch_norm1d.weight", "batch_norm1d.bias"}


def test_no_score_of_a_part_of_the_rows(tmp_path):
    """With more epochs another one is evaluated last: what was seen of a part is no score."""
    task = a_task()
    short, longer = (a_graph(epochs, measures_train=("rmse",), eval_every=2) for epochs in (3, 6))
    run, start = fp.prepare(short, task, key=KEY)
    events = list(fp.events(run.plan))
    middle = fp.fold(run, start, events[: events.index(EpochEnd(3)) - 1])
    assert middle.seen
    other, _ = fp.prepare(longer, task, key=KEY)
    end = fp.fold(other, middle, fp.events(other.plan, middle.cursor))
    whole = fp.fit(longer, task, key=KEY).state("model").state
    assert not fp.diff(end.history, whole.history)


def test_states_may_hold_classes_of_the_package(tmp_path, monkeypatch):
    """A callback in one module of a package whose state is of another."""
    package = tmp_path / "apart"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(
        "from fpipe.core.value import value\n@value\nclass Count:\n    n: int = 0\n"
    )
    (package / "cb.py").write_text(
        "from fpipe.callbacks import Callback, descriptor\nfrom apart.inner import Count\n"
        "@descriptor\nclass Counting(Callback):\n    name = 'counting'\n"
        "    def init(self, params):\n        return Count()\n"
        "    def on_epoch_end(self, state, moment):\n        return Count(state.n + 1), moment\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    counting = importlib.import_module("apart.cb").Counting
    cut(tmp_path / "run", a_graph(4, counting()), a_task())
    found = fp.resume(a_graph(4, counting()), a_task(), tmp_path / "run")
    assert found.state("model").callbacks["counting"].n == 4


def test_all_keepers_hear_that_a_fit_is_over(tmp_path):
    class Failing(fp.CheckpointSink):
        def emit(self, event):
            super().emit(event)
            if event["kind"] == "over":
                raise OSError("the disk is gone")

    first, second = Failing(tmp_path / "a"), fp.CheckpointSink(tmp_path / "b")
    with pytest.raises(OSError, match="the disk is gone"):
        fp.fit(a_graph(1), a_task(), key=KEY, sinks=[first, second])
    assert fp.resume(a_graph(1), a_task(), tmp_path / "b") is not None


def test_frequency_and_rows_per_prediction_and_sinks(tmp_path):
    task = a_task()
    whole = fp.fit(a_graph(5, predict_batch=7), task, key=KEY)
    cut(tmp_path, a_graph(5), task, epochs=3, every=2)
    sink = fp.CheckpointSink(tmp_path, every=1, keep=None)
    found = fp.resume(a_graph(5, predict_batch=7), task, tmp_path, sinks=[sink])
    assert not fp.diff(found, whole)
    assert [name[:9] for name in files(tmp_path)] == [
        "epoch0002",
        "epoch0003",
        "epoch0004",
        "epoch0005",
    ]


def test_validation_rows_are_remembered(tmp_path):
    graph, task = a_graph(4, measures=("rmse",)), a_task()
    whole = fp.fit(graph, task, key=KEY, validate=0.25)
    cut(tmp_path, graph, task, epochs=2, validate=0.25)
    assert not fp.diff(fp.resume(graph, task, tmp_path), whole)


def test_validation_rows_that_were_given(tmp_path):
    graph, task, held = a_graph(4, measures=("rmse",)), a_task(), a_task(32, seed=9)
    whole = fp.fit(graph, task, key=KEY, validate=held)
    cut(tmp_path, graph, task, epochs=2, validate=held)
    with pytest.raises(StateError, match="validation rows"):
        fp.resume(graph, task, tmp_path)
    with pytest.raises(StateError, match="validation rows"):
        fp.resume(graph, task, tmp_path, validate=a_task(32, seed=8))
    assert not fp.diff(fp.resume(graph, task, tmp_path, validate=held), whole)


# ---------------------------------------------------------------- errors


CHANGES = {
    "another learning rate": (lambda: a_graph(lr=0.02), "lr: 0.01 → 0.02"),
    "another layer": (lambda: a_graph().set({"linear.out_features": 9}), "out_features: 8 → 9"),
    "another batch size": (lambda: a_graph().set({"model.batch_size": 8}), "batch_size: 16 → 8"),
    "no shuffling": (lambda: a_graph().set({"model.shuffle": False}), "shuffle: True → False"),
    "other nodes": (
        lambda: (
            nn.ingress_numeric()
            >> nn.head()
            >> nn.loss("mse")
            >> nn.optimizer("adam")
            >> nn.model(epochs=4)
        ),
        "nodes",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_graph_shows_the_difference(tmp_path, name):
    make, shown = CHANGES[name]
    cut(tmp_path, a_graph(), a_task())
    with pytest.raises(StateError) as caught:
        fp.resume(make(), a_task(), tmp_path)
    assert shown in str(caught.value.got)
    assert caught.value.details["difference"]
    assert caught.value.expected
    assert caught.value.fix
    fp.resume(a_graph(), a_task(), tmp_path)  # nothing was spoilt


def test_callbacks_that_changed(tmp_path):
    with_clip = a_graph(4, callbacks.clip_gradients(1.0))
    cut(tmp_path, with_clip, a_task())
    for other in (a_graph(4), a_graph(4, callbacks.clip_gradients(2.0))):
        with pytest.raises(StateError, match="another graph"):
            fp.resume(other, a_task(), tmp_path)


def test_another_task(tmp_path):
    cut(tmp_path, a_graph(), a_task())
    with pytest.raises(StateError, match="the task changed") as caught:
        fp.resume(a_graph(), a_task(seed=1), tmp_path)
    assert "columns.a" in caught.value.got
    with pytest.raises(StateError, match="the task changed") as caught:
        fp.resume(a_graph(), a_task(rows=48), tmp_path)
    assert "rows: 64 → 48" in caught.value.got
    with pytest.raises(StateError, match="the validation rows changed") as caught:
        fp.resume(a_graph(), a_task(), tmp_path, validate=0.25)
    assert caught.value.expected == "none"
    assert caught.value.got == "16 rows"


def test_a_folder_holds_one_run(tmp_path):
    fp.fit(a_graph(1), a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    with pytest.raises(StateError, match="holds a run already") as caught:
        fp.fit(a_graph(1), a_task(), key=fp.key(4), sinks=[fp.CheckpointSink(tmp_path)])
    assert "fp.resume" in caught.value.fix


def test_a_sink_is_free_again_after_an_error(tmp_path):
    sink = fp.CheckpointSink(tmp_path)
    with pytest.raises(Cut):
        fp.fit(a_graph(3), a_task(), key=KEY, sinks=[sink, CutAfter(2)])
    assert fp.resume(a_graph(3), a_task(), tmp_path, sinks=[sink])


def test_two_runs_in_one_folder(tmp_path):
    begun, go = threading.Event(), threading.Event()

    class Waiting:
        def emit(self, event):
            begun.set()
            go.wait(20)

    def train():
        fp.fit(a_graph(2), a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path), Waiting()])

    thread = threading.Thread(target=train)
    thread.start()
    try:
        assert begun.wait(20)
        with pytest.raises(StateError, match="another run writes"):
            fp.fit(a_graph(2), a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
        with pytest.raises(StateError, match="another run writes"):
            fp.resume(a_graph(2), a_task(), tmp_path)
    finally:
        go.set()
        thread.join()
    assert fp.resume(a_graph(2), a_task(), tmp_path)


def test_no_run_there(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StateError, match="no run") as caught:
            fp.resume(a_graph(), a_task(), folder)
        assert "fp.CheckpointSink" in caught.value.fix
    assert not (tmp_path / "missing").exists()


def test_the_record_is_damaged(tmp_path):
    cut(tmp_path, a_graph(), a_task())
    path = tmp_path / "run.fpipe"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CodecError):
        fp.resume(a_graph(), a_task(), tmp_path)


def test_a_lambda_cannot_be_kept(tmp_path):
    graph = ops.scale() >> nn.ingress_numeric() >> nn.fn(lambda x: x * 2) >> nn.head()
    graph = graph >> nn.loss("mse") >> nn.optimizer("adam") >> nn.model(epochs=1)
    with pytest.raises(CodecError):
        fp.fit(graph, a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    assert not (tmp_path / "run.fpipe").exists()


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, row):
        return torch.full((4,), float(row))


def test_rows_that_code_reads_cannot_be_kept(tmp_path):
    """The error names the column and says how the run can be kept; saying so works."""
    graph = nn.ingress_tensor() >> nn.head() >> nn.loss("mse") >> nn.optimizer("adam")
    graph = graph >> nn.model(epochs=1)
    columns = {"scan": fp.lazy(Rows(), shape=(4,)), "x": range(20), "y": range(20)}
    task = fp.regression(columns, "y", features=["scan"])
    with pytest.raises(CodecError, match="the lazy column 'scan' is read by Rows") as caught:
        fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path / "a")])
    assert caught.value.at == "column 'scan'"
    assert "fp.lazy(fp.materialize(task.tensor('scan')))" in caught.value.fix
    mapped = {**columns, "scan": fp.lazy(np.ones((20, 4))).map(lambda x: x.float())}
    with pytest.raises(CodecError, match="is read by <lambda>"):
        task = fp.regression(mapped, "y", features=["scan"])
        fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path / "b")])
    read = {**columns, "scan": fp.lazy(fp.materialize(columns["scan"]))}
    task = fp.regression(read, "y", features=["scan"])
    whole = fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path / "c")])
    assert fp.resume(graph, task, tmp_path / "c") == whole


def test_a_resampling_has_many_fits(tmp_path):
    with pytest.raises(ParameterError, match="keeps one fit"):
        fp.resample(a_graph(1), a_task(), fp.cv(2), key=KEY, sinks=[fp.CheckpointSink(tmp_path)])


@pytest.mark.parametrize(
    "settings",
    [
        {"every": 0},
        {"every": 1.5},
        {"every": True},
        {"unit": "epochs"},
        {"unit": None},
        {"keep": 0},
        {"keep": -1},
        {"best": "yes"},
    ],
)
def test_settings(tmp_path, settings):
    with pytest.raises(ParameterError) as caught:
        fp.CheckpointSink(tmp_path, **settings)
    assert caught.value.expected
    assert caught.value.fix


def test_another_sink_for_another_folder(tmp_path):
    cut(tmp_path / "a", a_graph(), a_task())
    with pytest.raises(StateError, match="another"):
        fp.resume(a_graph(), a_task(), tmp_path / "a", sinks=[fp.CheckpointSink(tmp_path / "b")])


def test_a_lock_is_given_back(tmp_path):
    first = FolderLock(tmp_path)
    with pytest.raises(StateError):
        FolderLock(tmp_path)
    first.release()
    first.release()
    second = FolderLock(tmp_path)
    del second
    FolderLock(tmp_path).release()


def test_errors_are_of_the_house():
    assert issubclass(StateError, FpipeError)


def test_plain_sinks_hear_of_nothing_new(tmp_path):
    heard = Heard()
    fp.fit(a_graph(2), a_task(), key=KEY, sinks=[fp.CheckpointSink(tmp_path), heard])
    assert {e["kind"] for e in heard.events} == {"begin", "epoch", "end"}


@descriptor
class Counter(Callback):
    """A user's callback: what it remembers is kept with all else."""

    def init(self, params):
        return 0

    def on_batch_end(self, state, moment):
        return state + 1, moment


def test_a_callback_of_ones_own(tmp_path):
    graph, task = a_graph(3, Counter()), a_task()
    whole = fp.fit(graph, task, key=KEY)
    cut(tmp_path, graph, task, epochs=2)
    found = fp.resume(graph, task, tmp_path)
    assert not fp.diff(found, whole)
    assert found.state("model").callbacks["counter"] == 12


def test_a_file_of_another_run(tmp_path):
    """It would fit: the network is the same, but the data is not."""
    fp.fit(a_graph(), a_task(seed=1), key=KEY, sinks=[fp.CheckpointSink(tmp_path / "other")])
    for name in ("nodes/model.fpipe", "states/model/epoch0004-step00000016-epoch.fpipe"):
        folder = tmp_path / name.replace("/", "-")
        cut(folder, a_graph(), a_task())
        (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
        with pytest.raises(StateError, match="another run") as caught:
            fp.resume(a_graph(), a_task(), folder)
        assert caught.value.at == str(folder / name)


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    graph, task = a_graph(), a_task()
    whole, replace, written = fp.fit(graph, task, key=KEY), os.replace, []

    def full(source, target):
        written.append(target)
        if len(written) == 12:
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(CodecError, match="cannot be written") as caught:
            fp.fit(graph, task, key=KEY, sinks=[fp.CheckpointSink(tmp_path)])
    assert "No space left" in caught.value.got
    assert not list(tmp_path.rglob("*.part"))
    assert not fp.diff(fp.resume(graph, task, tmp_path), whole)


def test_the_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fp.fit(a_graph(1), a_task(), key=KEY, sinks=[fp.CheckpointSink("~/run")])
    assert (tmp_path / "run" / "run.fpipe").is_file()
    fp.resume(a_graph(1), a_task(), "~/run")


def test_other_threads(tmp_path):
    """Also where no state of training has been kept yet."""
    cut(tmp_path, a_graph(), a_task(), every=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(StateError, match="computes otherwise") as caught:
            fp.resume(a_graph(), a_task(), tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert f"torch.set_num_threads({threads})" in caught.value.fix
    assert fp.resume(a_graph(), a_task(), tmp_path)


def test_a_device_that_is_gone(tmp_path, monkeypatch):
    """A run on the device that "auto" was does not go on where "auto" is another."""
    graph, task = a_graph(), a_task()
    cut(tmp_path, graph, task)
    kept = fp.load(tmp_path / "run.fpipe")
    elsewhere = evolve(kept["record"], numerics=evolve(kept["record"].numerics, device="cuda:7"))
    fp.save({**kept, "record": elsewhere}, tmp_path / "run.fpipe")
    with pytest.raises(StateError, match="how numbers are computed") as caught:
        fp.resume(graph, task, tmp_path)
    assert "cuda:7" in caught.value.got
