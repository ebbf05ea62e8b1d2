"""Images that would enter a network as something else than meant are told before training."""

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError, SchemaError, ShapeError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 3, 16, 14)).astype(np.uint8)
END = (
    nn.flatten()
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("adam")
    >> nn.model(epochs=1, batch_size=8)
)


def task(image):
    return fp.regression({"image": image, "y": np.arange(24.0)}, "y")


def told(graph, image):
    """Return the error of `check`, which is that of `fit`."""
    with pytest.raises(fp.FpipeError) as caught:
        fp.check(graph, task(image))
    with pytest.raises(type(caught.value)) as again:
        fp.fit(graph, task(image), key=fp.key(1))
    assert again.value.rule == caught.value.rule
    return caught.value


@pytest.mark.parametrize("columns", [None, "image", ops.everything()])
@pytest.mark.parametrize(
    "op", [ops.trafo_to_float, ops.augment_hflip, lambda **more: ops.trafo_resize(8, **more)]
)
def test_arrays_are_not_passed_over(op, columns):
    """An operator on lazy tensors does not quietly leave a column of arrays as it is."""
    error = told(op(columns=columns) >> nn.ingress_tensor() >> END, PIXELS.astype(np.float32))
    assert isinstance(error, SchemaError)
    assert "works on lazy tensors" in error.rule
    assert "fp.lazy(array)" in error.fix


def test_no_tensors_at_all():
    with pytest.raises(SchemaError, match="trafo_resize works on lazy tensors") as caught:
        fp.fit(ops.trafo_resize(8), fp.tasks.iris(), key=fp.key(1))
    assert "fp.image_files(paths)" in caught.value.fix
    both = fp.regression({"image": fp.lazy(PIXELS), "x": np.arange(24.0), "y": range(24)}, "y")
    with pytest.raises(SchemaError, match="none of them is chosen") as caught:
        fp.fit(ops.trafo_resize(8, columns=ops.matching("photo.*")), both, key=fp.key(1))
    assert caught.value.got == "image: lazy tensors, x: Float64"
    assert "columns=ops.lazy()" in caught.value.fix
    fp.fit(ops.drop_unreadable(), fp.tasks.iris(), key=fp.key(1))  # there is nothing unreadable


@pytest.mark.parametrize("make", [fp.lazy, lambda x: x], ids=["lazy", "array"])
def test_pixels_up_to_255_do_not_enter(make):
    error = told(nn.ingress_tensor() >> END, make(PIXELS))
    assert "uint8" in error.rule
    assert "ops.trafo_to_float()" in error.fix
    fp.check(nn.ingress_tensor() >> END, task(make(PIXELS.astype(np.float32))))
    fp.check(nn.ingress_tensor() >> END, task(make(PIXELS.astype(np.int64))))


def test_either_way_to_floats_enters():
    for way, largest in ((ops.trafo_to_float(), 1.0), (ops.trafo_to_float(scale=False), 255.0)):
        graph = way >> nn.ingress_tensor() >> END
        run, _ = fp.prepare(graph, task(fp.lazy(PIXELS)), key=fp.key(1))
        (entering,) = run.train.take(np.arange(24), 1).inputs.values()
        assert 0.9 * largest < float(entering.max()) <= largest


@pytest.mark.parametrize(
    "op", [ops.augment_hflip(), ops.trafo_resize((8, 8)), ops.trafo_center_crop(4)]
)
def test_channels_that_come_last(op):
    last = fp.lazy(PIXELS.transpose(0, 2, 3, 1))
    error = told(op >> ops.trafo_to_float() >> nn.ingress_tensor() >> END, last)
    assert isinstance(error, ShapeError)
    assert "[height, width, channels]" in error.got
    moved = ops.trafo_map(lambda x: x.movedim(-1, 0)) >> op
    first = fp.transform(op, task(fp.lazy(PIXELS)), key=fp.key(0)).tensor("image")
    found = fp.transform(moved, task(last), key=fp.key(0)).tensor("image")
    assert torch.equal(fp.materialize(found), fp.materialize(first))


@pytest.mark.parametrize("shape", [(4, 3, 3), (12, 4, 3), (3, 16, 3), (1, 9, 1), (12, 9, 5)])
def test_small_images_and_many_channels_stay_images(shape):
    lazy = fp.lazy(np.zeros((24, *shape), np.float32))
    out = fp.transform(ops.augment_hflip(), task(lazy), key=fp.key(0))
    assert out.tensor("image").shape == shape


@pytest.mark.parametrize("batched", [False, True])
def test_functions_that_cannot_work(batched):
    """A slip in a function is told as such, not as a shape that is not known."""
    error = told(
        ops.trafo_map(lambda x: x.flot(), batched=batched) >> nn.ingress_tensor() >> END,
        fp.lazy(PIXELS),
    )
    assert isinstance(error, ParameterError)
    assert "has no attribute 'flot'" in error.got
    with pytest.raises(ParameterError, match="the function <lambda> fails"):
        fp.lazy(PIXELS).map(lambda x: x + missing)  # noqa: F821


def test_functions_that_need_numbers_may():
    """What cannot be tried without numbers, or on zeros, is left for later."""

    def share(x):
        return x / float(x.max()) if float(x.max()) else 1 // 0

    lazy = fp.lazy(PIXELS.astype(np.float32)).map(share)
    assert lazy.shape is None
    assert float(fp.materialize(lazy).max()) == 1.0
    through_numpy = fp.lazy(PIXELS).map(lambda x: torch.from_numpy(np.flip(x.numpy(), 2).copy()))
    assert torch.equal(fp.materialize(through_numpy), torch.from_numpy(PIXELS).flip(-1))


class Sized:
    """A data set of images whose sizes differ."""

    def __len__(self):
        return 24

    def __getitem__(self, row):
        return torch.zeros(3, 9 + row % 3, 8)


@pytest.mark.parametrize(
    ("graph", "shape", "fix"),
    [
        (ops.trafo_nop(), None, "fp.lazy(data, shape=...)"),
        (ops.trafo_resize((8, 8)), None, "fp.lazy(data, shape=(3, None, None))"),
        (ops.trafo_resize(8), (3, None, None), "height and width"),
        (ops.trafo_nop(), (3, None, 8), "ops.trafo_resize((224, 224))"),
    ],
)
def test_sizes_that_are_not_known(graph, shape, fix):
    """The fix is about those sizes that are missing."""
    error = told(graph >> nn.ingress_tensor() >> END, fp.lazy(Sized(), shape=shape))
    assert "not known" in error.rule
    assert fix in error.fix


def test_what_is_not_set_is_told_first():
    graph = ops.augment_random_rotation() >> nn.ingress_tensor() >> END
    with pytest.raises(SchemaError, match="not known") as caught:
        fp.check(graph, task(fp.lazy(PIXELS.astype(np.float32))))
    assert caught.value.fix.startswith("set augment_random_rotation.degrees first")


def test_masks_are_no_targets():
    with pytest.raises(SchemaError, match="the target 'y' of a regression") as caught:
        fp.regression({"x": np.arange(24.0), "y": PIXELS[:, 0]}, "y")
    assert "not a tensor" in caught.value.fix
    with pytest.raises(SchemaError, match="holds lazy tensors") as caught:
        fp.regression({"x": np.arange(24.0), "y": fp.lazy(PIXELS)}, "y")
    assert "fp.materialize" in caught.value.fix


def test_new_data_with_arrays_in_place_of_lazy_tensors():
    graph = ops.trafo_to_float() >> nn.ingress_tensor() >> END
    fitted = fp.fit(graph, task(fp.lazy(PIXELS)), key=fp.key(1))
    with pytest.raises(SchemaError, match="was lazy tensors at fit") as caught:
        fp.predict(fitted, {"image": PIXELS})
    assert "{'image': fp.lazy(array)}" in caught.value.fix
    assert "Struct" not in str(caught.value)
    with pytest.raises(SchemaError) as caught:
        fp.check(nn.ingress_numeric() >> END, task(fp.lazy(PIXELS)))
    assert "nn.ingress_tensor()" in caught.value.fix
    assert "Struct" not in str(caught.value)


def test_a_column_of_a_level_is_traced_back():
    sex = pl.Series(["f", None, "m", "f"])
    levels = fp.regression({"sex": sex, "y": [1.0, 2.0, 3.0, 4.0]}, "y")
    graph = ops.one_hot() >> nn.ingress_numeric() >> nn.head() >> nn.loss("mse")
    graph = graph >> nn.optimizer("adam") >> nn.model(epochs=1)
    with pytest.raises(fp.FpipeError, match=r"'sex\.f' has 1 missing") as caught:
        fp.fit(graph, levels, key=fp.key(1))
    assert "ops.impute_oor() before ops.one_hot()" in caught.value.fix
    fp.fit(ops.impute_oor() >> graph, levels, key=fp.key(1))
