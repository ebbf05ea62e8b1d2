"""Sinks."""

import io

import pytest

from fpipe.io import progress
from fpipe.io.progress import LineSink, ProgressSink, SilentSink, Sink, describe

EVENTS = [
    {"kind": "begin", "path": "model", "epochs": 2},
    {
        "kind": "epoch",
        "path": "model",
        "epoch": 1,
        "epochs": 2,
        "train.loss": 0.5,
        "valid.loss": None,
    },
    {
        "kind": "epoch",
        "path": "model",
        "epoch": 2,
        "epochs": 2,
        "train.loss": 0.25,
        "valid.loss": 1.0,
    },
    {"kind": "end", "path": "model", "epochs": 2},
    {"kind": "fold", "index": 0, "folds": 2},
    {"kind": "fold", "index": 1, "folds": 2},
]
LINES = [
    "model: begin",
    "model: epoch 1/2  train.loss 0.5",
    "model: epoch 2/2  train.loss 0.25  valid.loss 1",
    "model: end",
    "fold 1/2",
    "fold 2/2",
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines():
    assert [describe(event) for event in EVENTS] == LINES


RESUME = {
    "kind": "resume",
    "path": "block[a].model",
    "epochs": 9,
    "epoch": 3,
    "step": 40,
    "new_callbacks": ("ema", "swa"),
}


@pytest.mark.parametrize(
    ("new", "line"),
    [
        (("ema", "swa"), "block[a].model: resume at epoch 3, step 40; new callbacks: ema, swa"),
        (("ema",), "block[a].model: resume at epoch 3, step 40; new callbacks: ema"),
        ((), "block[a].model: resume at epoch 3, step 40"),
        (None, "block[a].model: resume at epoch 3, step 40"),
        (3, "block[a].model: resume at epoch 3, step 40"),
    ],
)
def test_line_where_training_goes_on(new, line):
    assert describe(RESUME | {"new_callbacks": new}) == line


BARE = [{}, {"kind": "new"}, {"kind": 3}, {"kind": "fold"}, {"kind": "epoch"}, {"kind": "resume"}]


@pytest.mark.parametrize("event", BARE)
def test_unknown_and_bare_events_are_no_error(event):
    assert isinstance(describe(event), str)
    ProgressSink(Terminal()).emit(event)


def test_unknown_events_open_no_bar():
    pytest.importorskip("rich")
    stream = Terminal()
    sink = ProgressSink(stream)
    sink.emit({"kind": "new", "path": "model", "epochs": 3})
    assert stream.getvalue() == ""
    assert not sink._inner._display.live.is_started


def test_bars_begin_where_training_goes_on():
    pytest.importorskip("rich")
    stream = Terminal()
    sink = ProgressSink(stream)
    sink.emit(RESUME)
    assert stream.getvalue() == describe(RESUME) + "\n"
    assert not sink._inner._display.live.is_started
    sink.emit({"kind": "begin", "path": "block[a].model", "epochs": 9, "epoch": 3})
    sink.emit({"kind": "end", "path": "block[a].model", "epochs": 9, "epoch": 9})
    assert "3/9" in stream.getvalue()
    assert not sink._inner._display.live.is_started


@pytest.mark.parametrize("make", [SilentSink, LineSink, ProgressSink])
def test_sinks(make):
    assert isinstance(make(), Sink)


def test_silence(capsys):
    for event in EVENTS:
        SilentSink().emit(event)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_where_there_is_no_terminal(capsys):
    sink = ProgressSink()
    for event in EVENTS:
        sink.emit(event)
    assert capsys.readouterr().err.splitlines() == LINES


def test_plain_lines_without_rich(monkeypatch):
    monkeypatch.setattr(progress, "_rich", False)
    stream = Terminal()
    ProgressSink(stream).emit(EVENTS[0])
    assert stream.getvalue() == "model: begin\n"


def test_bars_on_a_terminal():
    pytest.importorskip("rich")
    stream = Terminal()
    sink = ProgressSink(stream)
    for event in EVENTS:
        sink.emit(event)
    text = stream.getvalue()
    assert "model" in text
    assert "folds" in text
    assert "2/2" in text
    assert not sink._inner._display.live.is_started


def test_folds_at_the_same_time_have_bars_of_their_own():
    pytest.importorskip("rich")
    sink = ProgressSink(Terminal())
    for fold in (0, 1):
        sink.emit({"kind": "epoch", "path": "model", "epoch": fold + 1, "epochs": 4, "fold": fold})
    bars = {task.description: task.completed for task in sink._inner._display.tasks}
    assert bars == {"fold 1 model": 1, "fold 2 model": 2}
    sink.emit({"kind": "end", "path": "model", "epochs": 4, "fold": 1})
    sink.emit({"kind": "fold", "index": 1, "folds": 2})
    bars = {task.description: task.completed for task in sink._inner._display.tasks}
    assert bars == {"fold 1 model": 1, "folds": 1}
    sink.emit({"kind": "end", "path": "model", "epochs": 4, "fold": 0})
    sink.emit({"kind": "fold", "index": 0, "folds": 2})
    assert not sink._inner._display.live.is_started
