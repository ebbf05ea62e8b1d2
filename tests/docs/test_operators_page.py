"""The page of operators is current, its tests exist, and nothing public is left out."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fpipe as fp
from fpipe import nn, ops
from fpipe.measure.loss import LOSSES
from fpipe.measure.score import MEASURES
from fpipe.optim.vocabulary import OPTIMIZERS

ROOT = Path(__file__).parents[2]
SPLITTERS = ("fpipe.evaluate.resampling", "fpipe.evaluate.custom")


def imported():
    spec = importlib.util.spec_from_file_location("make_operators", ROOT / "docs/make_operators.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_operators = imported()


def collected(ids):
    """Return the ids of all tests in the files of some."""
    files = sorted({each.partition("::")[0] for each in ids})
    quick = ("--collect-only", "-q", "--assert=plain", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quick, *files],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


def absent(ids, known):
    """Return the ids that are not known."""
    return [each for each in ids if each not in known]


@pytest.fixture(scope="module")
def known():
    pytest.importorskip("sklearn")
    return collected(make_operators.cited())


def test_the_page_is_current():
    """The page is what its generator writes."""
    assert make_operators.PAGE.read_text("utf-8") == make_operators.page()


def test_a_stale_page_is_found(monkeypatch, tmp_path, capsys):
    """--check tells a stale page, or none, from a current one, and writes nothing."""
    page = tmp_path / "operators.md"
    monkeypatch.setattr(make_operators, "PAGE", page)
    assert make_operators.main(["--check"]) == 1
    assert not page.exists()
    assert make_operators.main([]) == 0
    assert make_operators.main(["--check"]) == 0
    page.write_text(page.read_text("utf-8") + "more\n", "utf-8")
    assert make_operators.main(["--check"]) == 1
    assert "operators.md is stale" in capsys.readouterr().err


def test_every_row_has_a_test():
    """No row without a test."""
    assert [row.name for row in make_operators.rows() if not row.tests] == []


def test_cited_tests_exist(known):
    """Every test that the page names is one that pytest finds."""
    assert absent(make_operators.cited(), known) == []


def test_a_missing_test_is_found(known):
    """An id that is misspelt, or a case that is not there, does not pass."""
    file = "tests/measure/test_score.py"
    right, wrong = f"{file}::test_numbers[rmse]", f"{file}::test_numbers[rsme]"
    assert absent([right, wrong, f"{file}::test_numbers"], known) == [
        wrong,
        f"{file}::test_numbers",
    ]


def public():
    """Return what has to have a row: public functions; measures, losses and optimizers by name."""
    functions = {f"nn.{name}" for name in nn.__all__}
    functions |= {f"ops.{name}" for name in dir(ops)}
    functions |= {
        f"fp.{name}"
        for name, found in vars(fp).items()
        if inspect.isfunction(found) and found.__module__ in SPLITTERS
    }
    return {
        *(("function", name) for name in functions),
        *(("measure", each.name) for each in MEASURES),
        *(("loss", each.name) for each in LOSSES),
        *(("optimizer", each.name) for each in OPTIMIZERS),
    }


def test_nothing_public_is_left_out():
    """Layers, operators, selectors, resamplings, measures, losses and optimizers have a row.

    Or there is a reason why not.
    """
    written = {(row.kind, row.name) for row in make_operators.rows() if row.kind != "words"}
    excused = {("function", name) for name in make_operators.NO_ROW}
    assert public() - written - excused == set()
    assert excused & written == set()
    assert excused <= public()
    assert {("function", "fp.cv"), ("function", "ops.pca"), ("measure", "rmse")} <= public()


def test_parameters_are_those_of_the_library():
    """Some lines of the page, written by hand."""
    page = make_operators.page()
    assert "| `linear` | `nn.linear` | `out_features (required)`, `bias=True` |" in page
    assert '| `costs` | `"costs"` | `costs (required)`, `normalize=True` |' in page
    assert "| `loo` | `fp.loo` | – |" in page
    assert "`lower=0.125`, `upper=0.3333`" in page
    assert "| `l1` | `nn.loss(\"l1\")` | `reduction='mean'` |" in page
    assert '| – | `nn.optimizer("radam")` | `lr=0.001`, `betas=(0.9, 0.999)`, `eps=1e-08`, ' in page
    assert "| `selector_union` | `a \\| b` | – |" in page
