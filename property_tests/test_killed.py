"""Law 5 for whole processes: a run that is killed and gone on with gives the same bits."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe.io.files import UNFINISHED

KILLS = 25 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 5
PROGRAM = Path(__file__).with_name("killed_run.py")


def _program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("killed_run", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUN = _program()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The fitted graph of a run that nobody disturbs, how long it trains, and its files."""
    folder = tmp_path_factory.mktemp("whole")
    begun = time.perf_counter()
    fitted = fp.fit(RUN.graph(), RUN.task(), key=RUN.KEY, validate=0.25, sinks=[RUN.sink(folder)])
    return fitted, time.perf_counter() - begun


def _environment() -> dict[str, str]:
    """Return what a child must know: where fpipe is, and on how many threads to compute."""
    threads = str(torch.get_num_threads())
    root = str(Path(fp.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": threads}


def _child(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment())


def _killed(folder: Path, moment: float, seconds: float) -> bool:
    """Run the program and kill it so many seconds into training; tell whether it was too late."""
    with _child(folder) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(moment * seconds)
        os.kill(child.pid, signal.SIGKILL)
        return "over" in child.stdout.read()


def _killed_in_write(folder: Path, number: float) -> None:
    """Run the program, which kills itself in the midst of a file that it writes."""
    with _child(folder, str(number)) as child:
        assert child.stdout is not None
        assert "over" not in child.stdout.read()
        assert child.wait() == -signal.SIGKILL


def _check(folder: Path, uninterrupted: fp.Fitted) -> None:
    for path in folder.rglob("*.fpipe"):
        if not path.name.startswith("."):
            fp.load(path)  # raises where it cannot be read
    resumed = fp.resume(RUN.graph(), RUN.task(), folder)
    model, expected = resumed.state("model"), uninterrupted.state("model")
    assert not fp.diff(model.weights, expected.weights)
    assert not fp.diff(model.history, expected.history)
    assert not fp.diff(resumed, uninterrupted)
    assert fp.same(fp.predict(resumed, RUN.task()), fp.predict(uninterrupted, RUN.task()))
    assert not list(folder.rglob(f"*{UNFINISHED}"))


def test_the_run_has_all_that_can_go_wrong(uninterrupted):
    fitted, _ = uninterrupted
    model = fitted.state("model")
    assert model.state.stopped
    assert 10 < len(model.history) < RUN.EPOCHS
    assert model.state.best.epoch < len(model.history)
    assert set(model.callbacks) == {"lr_one_cycle", "ema"}


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_any_moment(number, tmp_path, uninterrupted):
    fitted, seconds = uninterrupted
    moment = float(np.random.default_rng(number).uniform(0.0, 0.9))
    _killed(tmp_path / "run", moment, seconds)
    _check(tmp_path / "run", fitted)


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_while_a_file_is_written(number, tmp_path, uninterrupted):
    fitted, _ = uninterrupted
    draws = np.random.default_rng(1000 + number)
    # Files 1 to 9 tell of the run and of the operators before the model.
    write = int(draws.integers(2, 120)) + 0.5 * (number % 2)
    _killed_in_write(tmp_path / "run", write)
    _check(tmp_path / "run", fitted)


def test_killed_again_and_again(tmp_path, uninterrupted):
    """Each going on is killed, too: in turn at the 40th file, the 15th after that, and so on."""
    folder = tmp_path / "run"
    _killed_in_write(folder, 40)
    for number in range(3):
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); import killed_run, fpipe\n"
            "killed_run.die_at(float(sys.argv[3]))\n"
            "fpipe.resume(killed_run.graph(), killed_run.task(), sys.argv[2])\n"
        )
        command = [
            sys.executable,
            "-c",
            program,
            str(PROGRAM.parent),
            str(folder),
            str(15 + number),
        ]
        ended = subprocess.run(command, env=_environment(), check=False)
        assert ended.returncode == -signal.SIGKILL
    _check(folder, uninterrupted[0])


def test_a_state_that_forgets_something_is_caught(tmp_path, uninterrupted, monkeypatch):
    """Planted bug: states are kept without what the callbacks remember of the weights."""
    fitted, _ = uninterrupted
    _killed_in_write(tmp_path / "run", 60)
    from fpipe.checkpoints import resume as module
    from fpipe.core.value import evolve

    newest = module.newest_states

    def forgetting(*arguments):
        found = newest(*arguments)
        return {
            place: evolve(
                one, state=evolve(one.state, last_loss=None, totals=type(one.state.totals)())
            )
            for place, one in found.items()
        }

    monkeypatch.setattr(module, "newest_states", forgetting)
    with pytest.raises(AssertionError):
        _check(tmp_path / "run", fitted)
