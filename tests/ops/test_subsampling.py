"""A part of the training rows, and rows that cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fpipe as fp
from fpipe import ops

TASK = fp.classification({"x": range(40), "y": ["a"] * 30 + ["b"] * 10}, "y")


def test_a_share_of_the_rows():
    out = fp.transform(ops.subsample(0.25), TASK, key=fp.key(1))
    assert out.n_rows == 10
    assert len(set(out.row_id.tolist())) == 10
    assert fp.transform(ops.subsample(), TASK, key=fp.key(1)).n_rows == round(40 * (1 - np.exp(-1)))


def test_each_class_keeps_its_share():
    out = fp.transform(ops.subsample(0.5, stratify=True), TASK, key=fp.key(1))
    assert out.column("y").to_list().count("a") == 15
    assert out.column("y").to_list().count("b") == 5


def test_with_replacement():
    out = fp.transform(ops.subsample(2.0, replace=True), TASK, key=fp.key(1))
    assert out.n_rows == 80
    assert len(set(out.row_id.tolist())) == 80
    assert set(out.origin.tolist()) <= set(range(40))


def test_new_and_validation_rows_stay():
    fitted, out = fp.run(ops.subsample(0.5), TASK, key=fp.key(1), validate=0.25)
    assert out.valid.n_rows == 10
    assert fp.apply(fitted, TASK).n_rows == 40


@pytest.mark.parametrize("wrong", [ops.subsample(1.5), ops.subsample(0.001)])
def test_no_such_part(wrong):
    with pytest.raises(fp.FpipeError, match="a share of") as caught:
        fp.fit(wrong, TASK, key=fp.key(1))
    assert caught.value.fix


@pytest.fixture
def broken(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((4, 5, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    return fp.regression({"image": fp.image_files(paths), "y": range(5)}, "y")


def test_rows_that_cannot_be_read_are_left_out_and_told(broken):
    class Told(list):
        def emit(self, event):
            self.append(event)

    told = Told()
    fitted, out = fp.run(ops.drop_unreadable(), broken, key=fp.key(1), sinks=[told])
    assert out.row_id.tolist() == [0, 1, 3]
    assert [row for row, _ in fitted.state("drop_unreadable").rows] == [2, 4]
    assert [event["row"] for event in told if event["kind"] == "dropped"] == [2, 4]
    assert fp.fit(ops.drop_unreadable(), broken, key=fp.key(1)) == fitted
    assert fp.apply(fitted, broken.take([4, 3])).row_id.tolist() == [3]


@pytest.mark.parametrize("workers", [None, 0, 3])
def test_rows_are_left_out_whoever_reads_them(tmp_path, workers):
    """Groups of rows are read at once, and a group with a broken row is searched through."""
    for i in range(75):
        Image.fromarray(np.full((4, 5, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
    broken = {0, 33, 34, 74}
    for i in broken:
        (tmp_path / f"{i}.png").write_bytes(b"no image")
    paths = [tmp_path / f"{i}.png" for i in range(75)]
    other = fp.image_files([*paths[:10], tmp_path / "none.png", *paths[11:]])
    columns = {"image": fp.image_files(paths), "other": other, "y": range(75)}
    task = fp.regression(columns, "y")
    fitted, out = fp.run(ops.drop_unreadable(), task, key=fp.key(1), workers=workers)
    assert out.row_id.tolist() == sorted(set(range(75)) - broken - {10})
    told = dict(fitted.state("drop_unreadable").rows)
    assert {row: Path(reason.split(": ")[0]).name for row, reason in told.items()} == {
        0: "0.png",
        10: "none.png",
        33: "33.png",
        34: "34.png",
        74: "74.png",
    }


def test_fitting_reads_every_row_once():
    asked = []

    class Asked:
        def __len__(self):
            return 40

        def __getitem__(self, row):
            asked.append(row)
            return torch.zeros(2)

    task = fp.regression({"x": fp.lazy(Asked(), shape=(2,)), "y": range(40)}, "y")
    asked.clear()  # the first row tells the dtype
    fp.run(ops.drop_unreadable(), task, key=fp.key(1))
    assert sorted(asked) == list(range(40))


def test_nothing_that_can_be_read(broken):
    with pytest.raises(fp.FpipeError, match="none of the 2 rows"):
        fp.fit(ops.drop_unreadable(), broken.take([2, 4]), key=fp.key(1))
