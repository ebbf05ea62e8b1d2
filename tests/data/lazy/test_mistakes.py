"""Data and code of users that are not as they should be: told with the row, and never used."""

import io
import threading

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError, FpipeError, ParameterError, SchemaError, ShapeError

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3, 130, 120)).astype(np.uint8)
"""More than what is read at a time."""


class Rows:
    """A data set; derive from it to spoil it."""

    def __init__(self, x=PIXELS):
        self.x = torch.as_tensor(x)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, at):
        return self.x[at]


def in_task(lazy, **more):
    columns = {"image": lazy, "y": np.arange(len(lazy), dtype=float)}
    return fp.regression(columns | more, "y")


def after(graph, lazy):
    return fp.transform(graph, in_task(lazy), key=fp.key(0)).tensor("image")


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (lambda x: x.transpose(-1, -2), (3, 120, 130)),
        (lambda x: x[:, :1].expand(-1, 3, -1, -1), (3, 130, 120)),
        (lambda x: x.flip(-1), (3, 130, 120)),
    ],
    ids=["transposed", "expanded", "mirrored"],
)
def test_views_of_what_was_given(function, size):
    """A batched function may return a view of the rows, in another order."""
    graph = ops.trafo_to_float() >> ops.trafo_map(function, batched=True, shape=size)
    lazy, wanted = after(graph, fp.lazy(PIXELS)), function(torch.from_numpy(PIXELS) / 255)
    for batch in (None, 1, 7, 60):
        assert torch.allclose(fp.materialize(lazy, batch=batch), wanted)


def test_memory_of_the_user_stays():
    """What comes after a function of the user's writes into memory of its own."""
    mine = torch.ones(8, 3, 16, 16)
    constant = ops.trafo_map(
        lambda x: mine[: len(x)], batched=True, shape=(3, 16, 16), dtype=torch.float32
    )
    lazy = after(constant >> ops.trafo_normalize(0.25, 0.5), fp.lazy(np.zeros((8, 1, 16, 16))))
    first = fp.materialize(lazy)
    assert torch.equal(fp.materialize(lazy), first)
    assert mine.unique().tolist() == [1.0]
    coloured = ops.trafo_map(lambda x: x.expand(-1, 3, -1, -1), batched=True, shape=(3, 16, 16))
    flipped = after(
        coloured >> ops.augment_random_horizontal_flip(1.0), fp.lazy(np.zeros((8, 1, 16, 16)))
    )
    assert fp.materialize(flipped).shape == (8, 3, 16, 16)


def test_a_data_set_that_leaves_rows_out():
    class Skipping(Rows):
        def __getitems__(self, at):
            return [self.x[i] for i in at if i != 5]

    for shape in (None, (3, 130, 120)):
        with pytest.raises(DataError, match="row 5 cannot be read|row 0 cannot be read"):
            fp.materialize(fp.lazy(Skipping(), shape=shape))
    with pytest.raises(DataError, match="row 5 cannot be read"):
        fp.materialize(fp.lazy(Skipping()).take([5]))


@pytest.mark.parametrize("together", [False, True])
def test_the_row_that_fails_is_named(together):
    class Failing(Rows):
        def __getitem__(self, at):
            if at == 37:
                raise OSError("no such block")
            return self.x[at]

    if together:
        Failing.__getitems__ = lambda self, at: [self[i] for i in at]
    with pytest.raises(DataError, match="row 37 cannot be read"):
        fp.materialize(fp.lazy(Failing()))


def test_one_thread_asks_a_data_set_at_a_time():
    class Counting(Rows):
        inside = most = 0

        def __getitem__(self, at):
            type(self).inside += 1
            type(self).most = max(self.most, self.inside)
            threading.Event().wait(0.001)
            type(self).inside -= 1
            return self.x[at]

    graph = ops.trafo_to_float() >> nn.ingress_tensor() >> nn.flatten() >> nn.head()
    graph = graph >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.0)
    graph = graph >> nn.model(epochs=1, batch_size=5)
    data = fp.lazy(Counting(PIXELS[:, :, :2, :2]), shape=(3, 2, 2))
    fp.fit(graph, in_task(data), key=fp.key(0), workers=4, materialize="lazy", validate=0.2)
    assert Counting.most == 1


def test_rows_are_what_was_said_of_them():
    with pytest.raises(DataError, match="the first row of the data set has another shape"):
        fp.lazy(Rows(), shape=(3, 5, 5))
    uneven = [torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 3)]
    uneven_rows = type("Uneven", (list,), {})(uneven)
    with pytest.raises(ParameterError):
        fp.lazy({"a": 1})

    class Listed(Rows):
        def __init__(self):
            self.x = uneven_rows

    with pytest.raises(DataError, match="row 2 cannot be read") as caught:
        fp.materialize(fp.lazy(Listed(), shape=(3, 2)))
    assert "[3, 3]" in caught.value.got


def test_columns_of_data_frames():
    assert fp.materialize(fp.lazy(pl.Series([1.0, 2.0]))).tolist() == [1.0, 2.0]
    pandas = pytest.importorskip("pandas")
    assert fp.materialize(fp.lazy(pandas.Series([1.0, 2.0], index=[5, 6]))).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "wrong", [np.array([True, False]), [0.5, 1.0], [[0, 1]], np.array(1)], ids=repr
)
def test_rows_are_taken_by_positions(wrong):
    with pytest.raises(DataError, match="by their positions"):
        fp.lazy(PIXELS).take(wrong)


def test_as_many_rows_at_a_time_as_there_can_be():
    with pytest.raises(ParameterError, match="at a time"):
        fp.materialize(fp.lazy(PIXELS), batch=-1)


@pytest.mark.parametrize("wrong", ["images/", 5], ids=repr)
def test_a_column_of_paths_is_a_list(wrong):
    with pytest.raises(DataError, match="no column of paths"):
        fp.image_files(wrong)
    with pytest.raises(ParameterError, match="size"):
        fp.image_files(["a.jpg"], size=5)


@pytest.mark.parametrize("act", [lambda x: x, ops.trafo_to_float])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_whole_numbers_without_a_known_largest(act, dtype):
    if act is ops.trafo_to_float:
        with pytest.raises(SchemaError, match="cannot work on"):
            after(ops.trafo_to_float(), fp.lazy(PIXELS.astype(dtype)))
    assert after(ops.trafo_to_float(scale=False), fp.lazy(PIXELS.astype(dtype))).shape


@pytest.mark.parametrize(
    "graph",
    [
        ops.trafo_adjust_brightness(1.0),
        ops.trafo_adjust_contrast(1.0),
        ops.augment_color_jitter(0.1),
        ops.augment_trivial_augment(),
    ],
    ids=lambda graph: graph.ids[0],
)
def test_floats_that_are_no_pixels_are_not_cut_off(graph):
    floats = fp.lazy(PIXELS[:4].astype(np.float32))
    with pytest.raises(DataError, match="pixels from 0 to 1"):
        fp.materialize(after(graph, floats))


@pytest.mark.parametrize("colour", [300, -1, 0.5, (0, 1.5, 3)])
@pytest.mark.parametrize(
    "make",
    [
        lambda colour: ops.trafo_pad(1, fill=colour),
        lambda colour: ops.augment_rotate(10, fill=colour),
        lambda colour: ops.augment_random_affine(10, fill=colour),
        lambda colour: ops.augment_random_erasing(1.0, value=colour),
        lambda colour: ops.augment_trivial_augment(fill=colour),
    ],
    ids=["pad", "rotate", "affine", "erasing", "policy"],
)
def test_colours_that_are_none_of_the_pixels(make, colour):
    with pytest.raises(ParameterError, match="among pixels of uint8"):
        fp.check(make(colour), in_task(fp.lazy(PIXELS)))
    floats = in_task(fp.lazy((PIXELS[:2] / 255).astype(np.float32)))
    assert fp.check(make(0.5), floats)


def test_shapes_of_functions_are_foreseen():
    flat = ops.trafo_map(lambda x: (x / 255).flatten())
    lazy = after(ops.trafo_resize((4, 4)) >> flat, fp.lazy(PIXELS))
    assert (lazy.shape, lazy.dtype) == ((48,), torch.float32)
    assert fp.materialize(lazy).shape == (60, 48)
    learner = flat >> nn.ingress_tensor() >> nn.head()
    assert fp.check(ops.trafo_resize((4, 4)) >> learner, in_task(fp.lazy(PIXELS))).params == 49
    cropped = ops.augment_crop(0, 0, 5, 5) >> ops.trafo_map(lambda x: x * 2)
    assert after(cropped, fp.lazy(PIXELS)).shape is None  # another one while fitting than later


def test_an_error_in_a_map_names_the_row():
    sizes = [torch.zeros(1, 4, 4), torch.zeros(1, 3, 4)]

    class Listed(Rows):
        def __init__(self):
            self.x = sizes

    lazy = after(ops.augment_random_crop((4, 4)), fp.lazy(Listed(), shape=(1, None, 4)))
    with pytest.raises(ShapeError) as caught:
        fp.materialize(lazy)
    assert "row 1" in str(caught.value)

    def own(x):
        assert x[0, 0, 0] != PIXELS[33, 0, 0, 0] or x[0, 0, 1] != PIXELS[33, 0, 0, 1], "no"
        return x

    with pytest.raises(AssertionError) as raised:
        fp.materialize(fp.lazy(PIXELS).map(own))
    assert "row 33" in raised.value.__notes__[0]


# ------------------------------------------------------------------ files


def saved(path, pixels, **options):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(pixels).save(path, **options)
    return path


def test_more_than_eight_bits_are_refused(tmp_path):
    ramp = np.linspace(0, 60_000, 64).reshape(8, 8)
    for name, pixels in {
        "a.png": ramp.astype(np.uint16),
        "b.tiff": ramp.astype(np.int32),
        "c.tiff": ramp.astype(np.float32),
    }.items():
        lazy = fp.image_files([saved(tmp_path / name, pixels)], mode="L")
        with pytest.raises(DataError) as caught:
            fp.materialize(lazy)
        assert "more than 8 bits" in caught.value.got


def test_files_that_are_not_quite_right(tmp_path):
    """What Pillow reads is read, whether simplejpeg is installed or not."""
    plain = io.BytesIO()
    saved(plain, PIXELS[0].transpose(1, 2, 0), format="jpeg")
    data = plain.getvalue()
    (tmp_path / "a.jpg").write_bytes(data[:-2] + b"\0" * 20 + data[-2:])
    (tmp_path / "b.jpg").write_bytes(data)
    both = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for decoder in ("auto", "pillow"):
        first, second = fp.materialize(fp.image_files(both, decoder=decoder))
        assert torch.equal(first, second)


def test_a_forged_size(tmp_path):
    plain = io.BytesIO()
    saved(plain, PIXELS[0].transpose(1, 2, 0), format="jpeg")
    data = bytearray(plain.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff\xdc" * 2
    (tmp_path / "a.jpg").write_bytes(bytes(data))
    with pytest.raises(DataError, match="cannot be read"):
        fp.materialize(fp.image_files([tmp_path / "a.jpg"]))


# ------------------------------------------------------------------ new data


def network():
    return (
        ops.trafo_resize((4, 4))
        >> ops.trafo_to_float()
        >> nn.ingress_tensor()
        >> nn.flatten()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.0)
        >> nn.model(epochs=1)
    )


def test_new_images_may_have_another_size_where_they_are_resized():
    fitted = fp.fit(network(), in_task(fp.lazy(PIXELS)), key=fp.key(0))
    new = {"image": fp.lazy(PIXELS[:5, :, :90, :80])}
    assert len(fp.predict(fitted, new).response) == 5
    with pytest.raises(FpipeError):
        fp.predict(fitted, {"image": fp.lazy(PIXELS[:5, :1])})
    bare = ops.trafo_to_float() >> nn.ingress_tensor() >> nn.flatten() >> nn.head()
    bare = bare >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.0) >> nn.model(epochs=1)
    whole = fp.fit(bare, in_task(fp.lazy(PIXELS)), key=fp.key(0))
    with pytest.raises(SchemaError, match="shape"):
        fp.predict(whole, new)


@pytest.mark.parametrize(
    ("given", "fix"), [(["a.jpg"], "fp.image_files(paths)"), ([[1.0]], "fp.lazy(array)")]
)
def test_what_is_no_lazy_column(given, fix):
    fitted = fp.fit(network(), in_task(fp.lazy(PIXELS)), key=fp.key(0))
    with pytest.raises(SchemaError) as caught:
        fp.predict(fitted, {"image": given})
    assert fix in caught.value.fix


def test_images_of_several_sizes_are_kept_in_memory():
    """With ``materialize="memory"`` every row is read once, whatever its size."""
    reads = []

    class Listed(Rows):
        def __init__(self):
            self.x = [torch.full((3, 8 + i % 3, 9), i, dtype=torch.uint8) for i in range(12)]

        def __getitem__(self, at):
            reads.append(at)
            return self.x[at]

    data = fp.lazy(Listed(), shape=(3, None, 9))
    reads.clear()
    graph = ops.augment_random_resized_crop(4) >> network()
    graph = graph.set({"model.epochs": 3})
    kept = fp.fit(graph, in_task(data), key=fp.key(0), materialize="memory")
    assert sorted(reads) == list(range(12))
    assert not fp.diff(kept, fp.fit(graph, in_task(data), key=fp.key(0), materialize="lazy"))
