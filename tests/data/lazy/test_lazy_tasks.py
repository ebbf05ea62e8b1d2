"""Lazy columns in tasks: they follow the rows, and are left alone by what is for tables."""

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import ops

PIXELS = np.arange(6 * 4, dtype=np.uint8).reshape(6, 1, 2, 2)


def task(**more):
    return fp.classification(
        {"image": fp.lazy(PIXELS), "k": [1.0, 2.0, None, 4.0, 5.0, 6.0], "y": list("ababab")}
        | more,
        "y",
    )


def pixels(one, name="image"):
    return fp.materialize(one.tensor(name)).numpy()


def test_prints_and_knows_its_type():
    assert "lazy uint8 [1, 2, 2] (1): image" in repr(task())
    assert task().outline().tensors["image"].shape == (1, 2, 2)


def test_lazy_columns_are_chosen():
    assert ops.lazy().of(task()) == ("image",)
    assert (~ops.lazy()).of(task()) == ("k",)
    assert ops.lazy().of(task().outline()) == ("image",)


def test_rows_are_followed():
    assert (pixels(task().take([3, 0])) == PIXELS[[3, 0]]).all()
    assert (pixels(task().filter(pl.col("k") > 4)) == PIXELS[[4, 5]]).all()
    assert (pixels(task().repeat([1, 1])) == PIXELS[[1, 1]]).all()
    both = task().take([0, 1]).rbind(task().take([5]))
    assert (pixels(both) == PIXELS[[0, 1, 5]]).all()


def test_other_tensors_cannot_be_put_below():
    other = fp.classification(
        {"image": fp.lazy(PIXELS + 1), "k": [1.0] * 6, "y": list("ababab")}, "y"
    )
    with pytest.raises(fp.FpipeError, match="different columns"):
        task().rbind(other)


def test_what_is_dropped_is_forgotten():
    assert not task().select(["k"]).tensors
    assert set(task().select(["image"]).tensors) == {"image"}


def test_operators_for_tables_leave_images_alone():
    graph = ops.impute_median() >> ops.scale() >> ops.mutate(twice=pl.col("k") * 2) >> ops.one_hot()
    out = fp.transform(graph, task(), key=fp.key(1))
    assert (pixels(out) == PIXELS).all()
    assert out.features == ("image", "k", "twice")


def test_renamed_and_copied():
    out = fp.transform(ops.rename({"image": "picture"}), task(), key=fp.key(1))
    assert (pixels(out, "picture") == PIXELS).all()
    assert set(out.tensors) == {"picture"}
    inferred = fp.check(ops.rename({"image": "picture"}), task())
    assert inferred is not None


def test_union_of_two_paths():
    paths = ops.select(ops.lazy()) & (ops.select(ops.numeric()) >> ops.impute_mean())
    out = fp.transform(ops.copy(2) >> paths >> ops.union(), task(), key=fp.key(1))
    assert out.features == ("image", "k")
    assert (pixels(out) == PIXELS).all()


def test_union_of_two_different_chains_is_refused():
    flipped = ops.augment_hflip(stages="both")
    graph = ops.copy(2) >> (flipped & ops.augment_vflip(stages="both")) >> ops.union()
    with pytest.raises(fp.FpipeError, match="two features with the name 'image'"):
        fp.transform(graph, task(), key=fp.key(1))


def test_values_and_tensors_are_told_apart():
    with pytest.raises(fp.FpipeError, match="not values yet") as caught:
        task().column("image")
    assert "task.tensor('image')" in caught.value.fix
    with pytest.raises(fp.FpipeError, match="no lazy tensors") as caught:
        task().tensor("k")
    assert "task.column('k')" in caught.value.fix
    with pytest.raises(fp.FpipeError, match="not values yet"):
        fp.classification({"image": fp.lazy(PIXELS), "k": range(6)}, "image")


def test_two_lazy_columns_of_unlike_lengths():
    with pytest.raises(fp.FpipeError):
        fp.classification(
            {"image": fp.lazy(PIXELS), "other": fp.lazy(PIXELS[:5]), "y": list("ababab")}, "y"
        )


def test_saved_and_loaded(tmp_path):
    fp.save(task(), tmp_path / "task.fpipe")
    again = fp.load(tmp_path / "task.fpipe")
    assert again == task()
    assert (pixels(again) == PIXELS).all()
    assert fp.fingerprint(again) == fp.fingerprint(task())


def test_equality_reads_what_tensors_hold():
    assert task() == task()
    assert task() != fp.classification(
        {"image": fp.lazy(PIXELS + 1), "k": [1.0, 2.0, None, 4.0, 5.0, 6.0], "y": list("ababab")},
        "y",
    )
