"""What TensorBoard reads of what the sink wrote: its own readers are the judges."""

import itertools
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pyrsistent import pmap

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError
from fpipe.evaluate.fitting import run_within
from fpipe.graph.context import Context, Keeper
from fpipe.interop import TensorBoardSink
from fpipe.io.progress import Sink

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing import event_accumulator as legacy  # noqa: E402
from tensorboard.backend.event_processing import (  # noqa: E402
    event_file_loader,
    plugin_event_accumulator,
)
from tensorboard.util import tensor_util  # noqa: E402

MODULE = "tensorboard.summary.writer.record_writer"


def scalars(folder):
    """What ``EventAccumulator`` reads: points (step, number) by tag."""
    read = legacy.EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def served(folder):
    """What the accumulator of TensorBoard's server reads; it purges by other rules."""
    read = plugin_event_accumulator.EventAccumulator(str(folder)).Reload()
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto).item()) for e in read.Tensors(tag)]
        for tag in read.Tags()["tensors"]
    }


def runs(folder):
    found = (p.parent.relative_to(folder).as_posix() for p in Path(folder).rglob("*tfevents*"))
    return sorted(set(found))


def single(x):
    return float(np.float32(x))


def curves(history):
    """The curves that a history stands for."""
    tags = {tag for row in history for tag in row if tag != "epoch"}
    return {
        tag: [(int(row["epoch"]), single(row[tag])) for row in history if tag in row]
        for tag in tags
    }


def without_rates(found):
    return {tag: points for tag, points in found.items() if tag.partition(".")[0] != "lr"}


def regression(n=24):
    x = [math.sin(i * 1.7) * 3 for i in range(n)]
    return fp.regression({"x": x, "y": [2 * v + math.cos(i) for i, v in enumerate(x)]}, "y")


def network(epochs=4, *, lr=0.01, id=None, **settings):
    last = nn.model(epochs=epochs, batch_size=5, **settings)
    if id:
        last = nn.model(epochs=epochs, batch_size=5, id=id, **settings)
    return (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.linear(4)
        >> nn.relu()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=lr)
        >> last
    )


def epoch(number, loss, path="model", **figures):
    return {"kind": "epoch", "path": path, "epoch": number, "train.loss": loss, **figures}


def tell(sink, *events):
    for event in events:
        sink.emit(event)


def test_it_is_a_sink_and_keeps_no_values(tmp_path):
    sink = TensorBoardSink(tmp_path)
    assert isinstance(sink, Sink)
    assert not isinstance(sink, Keeper)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [scalars, served])
def test_every_scalar_is_that_of_the_history(tmp_path, read):
    graph = network(measures=("rmse", "mae"), measures_train=("rmse",), eval_every=2)
    fitted = fp.fit(
        graph, regression(), key=fp.key(1), validate=0.25, sinks=[TensorBoardSink(tmp_path)]
    )
    assert runs(tmp_path) == ["model"]
    found = read(tmp_path / "model")
    history = fitted.state("model").history
    assert without_rates(found) == curves(history)
    assert [step for step, _ in found["train.loss"]] == [1, 2, 3, 4]
    assert [step for step, _ in found["valid.rmse"]] == [2, 4]
    assert {"train.loss", "train.rmse", "valid.loss", "valid.rmse", "valid.mae"} <= set(found)
    assert found["lr"] == [(step, single(0.01)) for step in (1, 2, 3, 4)]


def test_writing_changes_nothing(tmp_path):
    told = fp.fit(network(), regression(), key=fp.key(1), sinks=[TensorBoardSink(tmp_path)])
    assert fp.same(told, fp.fit(network(), regression(), key=fp.key(1)))


def test_two_models_are_two_runs(tmp_path):
    paths = network(3, id="one") & network(4, lr=0.1, id="two")
    fitted = fp.fit(
        fp.identity() >> paths, regression(), key=fp.key(2), sinks=[TensorBoardSink(tmp_path)]
    )
    assert runs(tmp_path) == ["one", "two"]
    for name in ("one", "two"):
        found = scalars(tmp_path / name)
        assert without_rates(found) == curves(fitted.state(name).history)
    assert found["lr"][-1] == (4, single(0.1))


@pytest.mark.parametrize("workers", [None, 2])
def test_folds(tmp_path, workers):
    executor = ThreadPoolExecutor(workers) if workers else None
    result = fp.resample(
        network(measures=("rmse",)),
        regression(),
        fp.cv(3),
        key=fp.key(3),
        validate="test",
        keep_fitted=True,
        executor=executor,
        sinks=[TensorBoardSink(tmp_path)],
    )
    if executor:
        executor.shutdown()
    assert runs(tmp_path) == ["fold_0/model", "fold_1/model", "fold_2/model"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fold_0", "fold_1", "fold_2"]
    for index, fitted in enumerate(result.fitted):
        for read in (scalars, served):
            found = read(tmp_path / f"fold_{index}" / "model")
            assert without_rates(found) == curves(fitted.state("model").history)


def test_folds_at_the_same_time_are_apart(tmp_path):
    sink = TensorBoardSink(tmp_path)
    for step, fold, loss in ((1, 0, 5.0), (1, 1, 3.0), (2, 0, 5.0), (2, 1, 3.0)):
        sink.emit(epoch(step, loss) | {"fold": fold})
    assert runs(tmp_path) == ["fold_0/model", "fold_1/model"]
    for index, loss in ((0, 5.0), (1, 3.0)):
        found = scalars(tmp_path / f"fold_{index}" / "model")
        assert found["train.loss"] == [(1, loss), (2, loss)]


def test_a_fit_before_folds_keeps_its_run(tmp_path):
    sink = TensorBoardSink(tmp_path)
    fitted = fp.fit(network(), regression(), key=fp.key(1), sinks=[sink])
    fp.resample(network(2), regression(), fp.cv(2), key=fp.key(3), sinks=[sink])
    assert runs(tmp_path) == ["fold_0/model", "fold_1/model", "model"]
    assert without_rates(served(tmp_path / "model")) == curves(fitted.state("model").history)


def test_folds_a_second_time_take_the_place_of_the_first(tmp_path):
    for epochs in (3, 2):
        sink = TensorBoardSink(tmp_path, clock=lambda: 7.0)
        result = fp.resample(
            network(epochs), regression(), fp.cv(2), key=fp.key(3), keep_fitted=True, sinks=[sink]
        )
    assert runs(tmp_path) == ["fold_0/model", "fold_1/model"]
    for read in (scalars, served):
        found = read(tmp_path / "fold_1" / "model")
        assert without_rates(found) == curves(result.fitted[1].state("model").history)


@pytest.mark.parametrize("read", [scalars, served])
@pytest.mark.parametrize("clock", [lambda: 5.0, itertools.count(100, -1).__next__])
@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        (2, [(1, 9.0), (2, 8.0), (3, 70.0), (4, 60.0)]),  # epoch 2 was finished
        (3, [(1, 9.0), (2, 8.0), (3, 70.0), (4, 60.0)]),  # stopped in the middle of epoch 3
    ],
)
def test_training_that_goes_on_draws_one_curve(tmp_path, read, clock, reached, expected):
    begin = {"kind": "begin", "path": "model", "epochs": 4, "epoch": 0}
    first = [begin, *(epoch(i, 10.0 - i, lr=0.5) for i in (1, 2, 3, 4))]
    tell(TensorBoardSink(tmp_path, clock=clock), *first)
    assert read(tmp_path / "model")["train.loss"] == [(1, 9.0), (2, 8.0), (3, 7.0), (4, 6.0)]

    later = TensorBoardSink(tmp_path, clock=clock)  # as in another process
    resume = {"kind": "resume", "path": "model", "epoch": reached, "step": 9, "new_callbacks": ()}
    tell(later, resume, begin | {"epoch": reached, "train.loss": 8.0})
    assert len(read(tmp_path / "model")["train.loss"]) == 4  # nothing is lost before it goes on
    tell(later, epoch(3, 70.0, lr=0.5), epoch(4, 60.0, lr=0.5), {"kind": "end", "path": "model"})
    assert read(tmp_path / "model")["train.loss"] == expected
    assert read(tmp_path / "model")["lr"] == [(i, 0.5) for i in (1, 2, 3, 4)]
    assert len(list((tmp_path / "model").iterdir())) == 2


class Kept:
    """Keeps the states of training after every batch."""

    def __init__(self):
        self.states = []

    def due(self, after, number):
        return after == "batch"

    def emit(self, event):
        if event["kind"] == "state":
            self.states.append(event["state"])


@pytest.mark.parametrize("read", [scalars, served])
@pytest.mark.parametrize("batches", [1, 4, 5, 6])  # four in an epoch, and three epochs
def test_a_real_training_goes_on(tmp_path, read, batches):
    kept, task = Kept(), regression()
    context = Context(sinks=(kept, TensorBoardSink(tmp_path)))
    fitted, _ = run_within(network(3), task, fp.key(1), 0.2, context, wanted=False)
    reached = kept.states[batches - 1]
    assert reached.state.cursor.step == batches
    expected = curves(fitted.state("model").history)
    assert without_rates(read(tmp_path / "model")) == expected

    again = Context(sinks=(TensorBoardSink(tmp_path),), reached=pmap({"model": reached}))
    run_within(network(3), task, fp.key(1), 0.2, again, wanted=False)
    assert len(list((tmp_path / "model").iterdir())) == 2
    assert without_rates(read(tmp_path / "model")) == expected


@pytest.mark.parametrize("read", [scalars, served])
def test_going_on_with_one_model_leaves_the_other(tmp_path, read):
    sink = TensorBoardSink(tmp_path)
    both = [epoch(i, float(i), path) for path in ("one", "two") for i in (1, 2, 3)]
    tell(sink, *both, {"kind": "resume", "path": "two", "epoch": 1}, epoch(2, 20.0, "two"))
    assert read(tmp_path / "one")["train.loss"] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert read(tmp_path / "two")["train.loss"] == [(1, 1.0), (2, 20.0)]


def test_more_than_ten_files_are_read_in_order(tmp_path):
    sink = TensorBoardSink(tmp_path, clock=lambda: 0.0)
    for i in range(1, 13):
        tell(sink, {"kind": "resume", "path": "model"}, epoch(i, float(i)), epoch(i + 1, -1.0))
    expected = [*((i, float(i)) for i in range(1, 13)), (13, -1.0)]
    assert served(tmp_path / "model")["train.loss"] == expected


def test_files_of_other_writers_are_read_first(tmp_path):
    other = tmp_path / "model" / "events.out.tfevents.2000000000.host.1.0"
    other.parent.mkdir()
    other.touch()
    tell(TensorBoardSink(tmp_path), epoch(1, 1.0))
    assert sorted(p.name for p in other.parent.iterdir())[0] == other.name


@pytest.mark.parametrize("read", [scalars, served])
def test_which_numbers_have_points(tmp_path, read):
    event = epoch(
        1,
        math.nan,
        epochs=9,
        step=40,
        stopped=True,
        **{"valid.a": None, "valid.b": math.inf, "valid.c": 1, "valid.d": True, "valid.e": "x"},
        **{"lr.0": 0.5, "lr.1": np.float64(0.25), "valid.f": 1e300},
    )
    tell(TensorBoardSink(tmp_path), event)
    found = read(tmp_path / "model")
    assert math.isnan(found.pop("train.loss")[0][1])
    assert found == {
        "valid.b": [(1, math.inf)],
        "valid.c": [(1, 1.0)],
        "lr.0": [(1, 0.5)],
        "lr.1": [(1, 0.25)],
        "valid.f": [(1, math.inf)],
    }


def test_times_are_those_of_the_clock(tmp_path):
    ticks = itertools.count(1_700_000_000.5)
    tell(TensorBoardSink(tmp_path, clock=lambda: next(ticks)), epoch(1, 1.0), epoch(2, 1.0))
    (file,) = (tmp_path / "model").iterdir()
    events = list(event_file_loader.LegacyEventFileLoader(str(file)).Load())
    assert [e.wall_time - 1_700_000_000 for e in events] == [0.5, 0.5, 0.5, 1.5]
    assert file.name.startswith("events.out.tfevents.1700000000")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"kind": "new", "path": "model"},
        {"kind": "begin", "path": "model"},
        {"kind": "end", "path": "model", "train.loss": 1.0},
        {"kind": "epoch", "path": "model"},
        {"kind": "epoch", "path": "model", "epoch": 1},
        {"kind": "epoch", "path": "model", "train.loss": 1.0},
        {"kind": "fold"},
        {"kind": "fold", "index": 0, "folds": 2},
    ],
)
def test_what_has_no_point_writes_nothing(tmp_path, event):
    tell(TensorBoardSink(tmp_path / "new"), event)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "run"),
    [
        ("", "."),
        ("block[0].model", "block[0].model"),
        ("a/b", "a%2Fb"),
        ("/etc", "%2Fetc"),
        ("..", "%2E."),
        ("a%2Fb", "a%252Fb"),
        ("größe", "größe"),
    ],
)
def test_runs_stay_inside_the_folder(tmp_path, path, run):
    inside = tmp_path / "inside"
    sink = TensorBoardSink(inside)
    tell(sink, epoch(1, 1.0, path))
    assert runs(inside) == [run]
    tell(sink, epoch(1, 1.0, path) | {"fold": 4})
    assert runs(inside) == sorted([run, os.path.normpath(f"fold_4/{run}")])
    assert [p.name for p in tmp_path.iterdir()] == ["inside"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="lists open files by /proc")
def test_no_file_stays_open_and_each_event_is_written_at_once(tmp_path):
    sink = TensorBoardSink(tmp_path)
    for i in (1, 2, 3):
        tell(sink, epoch(i, float(i)))
        assert len(scalars(tmp_path / "model")["train.loss"]) == i
        links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert not [link for link in links if link.startswith(str(tmp_path))]


def test_a_run_that_fails_keeps_what_it_wrote(tmp_path):
    class Broken:
        def emit(self, event):
            if event["kind"] == "epoch" and event["epoch"] == 3:
                raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fp.fit(network(), regression(), key=fp.key(1), sinks=[TensorBoardSink(tmp_path), Broken()])
    whole = fp.fit(network(), regression(), key=fp.key(1)).state("model").history
    assert without_rates(scalars(tmp_path / "model")) == curves(whole[:3])


def test_a_file_that_ends_in_the_middle_of_a_record(tmp_path):
    tell(TensorBoardSink(tmp_path), epoch(1, 1.0), epoch(2, 2.0))
    (file,) = (tmp_path / "model").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    resume = {"kind": "resume", "path": "model", "epoch": 1}
    tell(TensorBoardSink(tmp_path), resume, epoch(2, 20.0), epoch(3, 30.0))
    assert served(tmp_path / "model")["train.loss"] == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_without_tensorboard(tmp_path, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, MODULE, None)
    refused(
        lambda: TensorBoardSink(tmp_path),
        ParameterError,
        "need tensorboard, which is not installed",
        None,
        "pip install 'fpipe[tensorboard]'",
    )


@pytest.mark.parametrize("folder", [None, 3, "", b"runs", ["runs"]])
def test_what_is_no_path(folder, refused):
    rule = "a folder for TensorBoard is a path"
    fix = "TensorBoardSink('runs/first')"
    refused(lambda: TensorBoardSink(folder), ParameterError, rule, None, fix)


def test_a_file_is_no_folder(tmp_path, refused):
    file = tmp_path / "log.txt"
    file.touch()
    rule = "TensorBoard reads folders, and this is a file"
    refused(lambda: TensorBoardSink(file), ParameterError, rule, None, "log_runs")


def test_the_package_is_loaded_when_a_sink_is_made():
    code = "import sys, fpipe.interop; print([m for m in sys.modules if 'tensorboard' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['fpipe.interop.tensorboard']"
