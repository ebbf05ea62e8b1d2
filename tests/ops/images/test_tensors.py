"""Operators on tensors of any kind, and functions of the user's."""

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import CodecError, SchemaError, ShapeError

X = torch.arange(12.0).reshape(3, 4)


def task(x=X):
    return fp.regression({"x": fp.lazy(x), "y": range(len(x))}, "y")


def out(graph, x=X, **options):
    return fp.transform(graph, task(x), key=fp.key(0), **options).tensor("x")


def test_map_of_rows():
    found = out(ops.trafo_map(lambda x: x.cumsum(0), shape=(4,)))
    assert found.shape == (4,)
    assert torch.equal(fp.materialize(found), X.cumsum(1))


def test_map_of_batches():
    seen = []
    found = out(ops.trafo_map(lambda x: seen.append(x.shape) or x + 1, batched=True))
    assert (found.shape, found.dtype) == ((4,), torch.float32)  # found without data
    tried = len(seen)
    assert torch.equal(fp.materialize(found), X + 1)
    assert seen[tried:] == [(3, 4)]


def test_map_that_draws():
    """Draws are keyed by node, epoch and row; a map of all rows draws at predict as well."""
    graph = ops.trafo_map(lambda x, u: x + torch.from_numpy(u), draws=4, dtype=torch.float64)
    fitted, now = fp.run(graph, task(), key=fp.key(0))
    noise = fp.materialize(now.tensor("x")) - X
    assert ((noise >= 0) & (noise < 1)).all()
    assert len(noise.unique()) == 12
    assert torch.equal(fp.materialize(fp.apply(fitted, task()).tensor("x")) - X, noise)
    assert not torch.equal(fp.materialize(now.tensor("x"), epoch=1) - X, noise)
    swapped = fp.materialize(now.tensor("x").take([2, 0]))
    assert torch.equal(swapped, (X + noise)[[2, 0]])


def test_map_by_name_is_saved():
    graph = ops.trafo_map("torch:neg")
    assert graph == ops.trafo_map("torch:neg")
    assert torch.equal(fp.materialize(out(graph)), -X)
    with pytest.raises(CodecError):
        fp.files.save(ops.trafo_map(lambda x: x), "/nowhere/a.fpipe")


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (ops.trafo_map(lambda x: 3), "gives no tensor"),
        (ops.trafo_map(lambda x: x[:2], batched=True), "another number of rows"),
        (ops.trafo_map(lambda x: x[:2], shape=(4,)), "another shape than it said"),
    ],
)
def test_map_that_breaks_its_word(graph, rule):
    with pytest.raises(ShapeError) as caught:
        fp.materialize(out(graph))
    assert rule in caught.value.rule


def test_reshape():
    assert torch.equal(fp.materialize(out(ops.trafo_reshape((2, 2)))), X.reshape(3, 2, 2))
    assert torch.equal(fp.materialize(out(ops.trafo_reshape([-1, 1, 2]))), X.reshape(3, 2, 1, 2))


def test_nop():
    assert torch.equal(fp.materialize(out(ops.trafo_nop())), X)


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.float64, 1), (np.float32, 1)])
def test_to_float(dtype, largest):
    x = np.array([[0, 1], [1, 1]], dtype) * dtype(largest)
    found = out(ops.trafo_to_float(), torch.from_numpy(x))
    assert found.dtype == torch.float32
    assert torch.allclose(fp.materialize(found), torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    same = fp.materialize(out(ops.trafo_to_float(False), torch.from_numpy(x)))
    assert torch.equal(same, torch.from_numpy(x).float())


def test_normalize_keeps_double_precision():
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    found = fp.materialize(out(ops.trafo_normalize((1, 2, 3), 2), x))
    assert torch.equal(found, (x - torch.tensor([1.0, 2, 3]).view(3, 1, 1).double()) / 2)


def test_one_column_of_several():
    both = fp.regression(
        {"a": fp.lazy(X), "b": fp.lazy(X.to(torch.uint8)), "n": [1, 2, 3], "y": [1, 2, 3]}, "y"
    )
    only = ops.trafo_map(torch.neg, columns=ops.named("a"))
    found = fp.transform(only, both, key=fp.key(0))
    assert torch.equal(fp.materialize(found.tensor("a")), -X)
    assert torch.equal(fp.materialize(found.tensor("b")), X.to(torch.uint8))
    with pytest.raises(SchemaError):
        fp.transform(ops.trafo_nop(columns=ops.named("n")), both, key=fp.key(0))


def test_image_and_mask_share_draws(images):
    """One operator draws the same for all its columns."""
    x = images((3, 8, 8))
    two = fp.regression({"image": fp.lazy(x), "mask": fp.lazy(x[:, :1]), "y": range(len(x))}, "y")
    graph = ops.augment_random_crop(4) >> ops.augment_random_affine(40, (0.2, 0.2))
    found = fp.transform(graph, two, key=fp.key(2))
    image, mask = (fp.materialize(found.tensor(name)) for name in ("image", "mask"))
    assert torch.equal(image[:, :1], mask)


def test_reshape_is_torchs_row_by_row():
    pixels = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    task = fp.regression({"image": fp.lazy(pixels), "y": [1, 2]}, "y")
    out = fp.transform(ops.trafo_reshape((-1, 10)), task, key=fp.key(0)).tensor("image")
    assert out.shape == (6, 10)
    assert torch.equal(fp.materialize(out), pixels.reshape(2, 6, 10))
    flat = fp.transform(ops.trafo_reshape((-1,)), task, key=fp.key(0)).tensor("image")
    assert torch.equal(fp.materialize(flat), pixels.flatten(1))


def test_nop_changes_nothing():
    pixels = torch.arange(12, dtype=torch.uint8).reshape(2, 1, 2, 3)
    task = fp.regression({"image": fp.lazy(pixels), "y": [1, 2]}, "y")
    out = fp.transform(ops.trafo_nop(), task, key=fp.key(0)).tensor("image")
    assert torch.equal(fp.materialize(out), pixels)
