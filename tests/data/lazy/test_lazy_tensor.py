"""Lazy tensors: rows of a source and what is done to them, without reading."""

import numpy as np
import pytest
import torch
from PIL import Image

import fpipe as fp
from fpipe.core.code import as_code
from fpipe.data.lazy.maps import Chain, FunctionMap
from fpipe.data.lazy.source import Source
from fpipe.data.lazy.tensor import concatenated, lazy_tensor

ARRAY = np.arange(24, dtype=np.uint8).reshape(6, 4)


def doubled(x):
    return x * 2


def as_floats(x):
    return x.float()


class Counting(torch.utils.data.Dataset):
    """Counts how often each row is read; items have two elements."""

    def __init__(self):
        self.reads = []

    def __len__(self):
        return 5

    def __getitem__(self, i):
        self.reads.append(i)
        return {"x": torch.full((2,), float(i)), "label": i}


@pytest.fixture
def images(tmp_path):
    """Five gray images of different sizes; the value of a pixel is ten times the number."""
    paths = []
    for i in range(5):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((4, 3 + i), 10 * i, np.uint8)).save(paths[-1])
    return paths


def test_arrays_are_copied():
    array = ARRAY.copy()
    lazy = fp.lazy(array)
    array[:] = 0
    assert (fp.materialize(lazy).numpy() == ARRAY).all()
    tensor = torch.ones(2, 3)
    lazy = fp.lazy(tensor)
    tensor.zero_()
    assert fp.materialize(lazy).sum() == 6


def test_reading_gives_memory_of_ones_own():
    lazy = fp.lazy(ARRAY)
    fp.materialize(lazy).zero_()
    assert (fp.materialize(lazy).numpy() == ARRAY).all()


def test_rows_and_maps_commute():
    lazy = fp.lazy(ARRAY)
    mapped = lazy.map(doubled).take([4, 0, 4])
    assert fp.materialize(mapped).tolist() == (ARRAY[[4, 0, 4]] * 2).tolist()
    assert fp.same(mapped, lazy.take([4, 0, 4]).map(doubled))
    assert fp.materialize(lazy).shape == (6, 4)  # still as it was


def test_a_chain_is_its_maps():
    f, g = FunctionMap(as_code(doubled)), FunctionMap(as_code(as_floats))
    lazy = fp.lazy(ARRAY)
    assert lazy.map(f).map(g) == lazy.map(f >> g)
    assert (f >> g) >> f == f >> (g >> f) == Chain((f, g, f))


def test_equality_is_by_content():
    assert fp.lazy(ARRAY) == fp.lazy(ARRAY.copy())
    assert fp.lazy(ARRAY) != fp.lazy(ARRAY + 1)
    assert fp.lazy(ARRAY).map(doubled) != fp.lazy(ARRAY)
    assert fp.lazy(ARRAY).take([0]) != fp.lazy(ARRAY).take([1])
    assert fp.image_files(["a.png"]) == fp.image_files(["a.png"]) != fp.image_files(["b.png"])


def test_concatenation():
    lazy = fp.lazy(ARRAY)
    both = concatenated(lazy.take([5]), lazy.take([0, 1]))
    assert fp.materialize(both).tolist() == ARRAY[[5, 0, 1]].tolist()
    with pytest.raises(fp.FpipeError, match="different origin") as caught:
        concatenated(lazy, lazy.map(doubled))
    assert caught.value.fix


def test_empty():
    none = fp.lazy(ARRAY).map(as_floats).take([])
    assert len(none) == 0
    assert fp.materialize(none).shape[0] == 0


def test_images_of_different_sizes(images):
    lazy = fp.image_files(images)
    assert lazy.shape == (3, None, None)
    rows = fp.materialize(lazy)
    assert [tuple(row.shape) for row in rows] == [(3, 4, 3 + i) for i in range(5)]
    assert [int(row[0, 0, 0]) for row in rows] == [0, 10, 20, 30, 40]
    means = fp.materialize(lazy.map(lambda x: x.float().mean((1, 2)), shape=(3,)))
    assert means.tolist() == [[10.0 * i] * 3 for i in range(5)]
    gray = fp.materialize(fp.image_files(images, mode="L").take([1]))
    assert gray.shape == (1, 1, 4, 4)


@pytest.mark.parametrize("decoder", ["pillow", "auto"])
def test_decoders_give_the_pixels_of_pillow(tmp_path, decoder):
    random = np.random.default_rng(0)
    for name, mode in (("a.jpg", "RGB"), ("b.jpg", "L"), ("c.jpg", "CMYK"), ("d.png", "RGBA")):
        pixels = random.integers(0, 256, (33, 47, len(Image.new(mode, (1, 1)).getbands())))
        image = Image.fromarray(pixels.astype(np.uint8).squeeze(), mode)
        image.save(tmp_path / name)
        expected = np.asarray(Image.open(tmp_path / name).convert("RGB")).transpose(2, 0, 1)
        (found,) = fp.materialize(fp.image_files([tmp_path / name], decoder=decoder))
        assert (found.numpy() == expected).all(), name


def test_simplejpeg_gives_the_pixels_of_pillow(tmp_path):
    pytest.importorskip("simplejpeg")
    random = np.random.default_rng(0)
    for quality, size in ((50, (40, 56)), (95, (17, 31))):
        smooth = random.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=quality)
        one = fp.materialize(fp.image_files([tmp_path / "a.jpg"], decoder="simplejpeg"))
        two = fp.materialize(fp.image_files([tmp_path / "a.jpg"], decoder="pillow"))
        assert torch.equal(one, two)


def test_a_missing_file_names_row_and_path(tmp_path, images):
    task = fp.regression(
        {"image": fp.image_files([*images, tmp_path / "gone.png"]), "y": range(6), "n": range(6)},
        "y",
        row_id="n",
    )
    part = task.take([5, 1])
    with pytest.raises(fp.FpipeError, match="row 5 cannot be read") as caught:
        fp.materialize(part.tensor("image"))
    assert caught.value.at == str(tmp_path / "gone.png")
    assert caught.value.details["row"] == 5
    assert "drop_unreadable" in caught.value.fix


def test_a_known_size_is_held(images):
    with pytest.raises(fp.FpipeError, match="cannot be read") as caught:
        fp.materialize(fp.image_files(images, size=(4, 3)))
    assert "4 × 4" in caught.value.got


def test_data_sets_are_read_once_for_two_columns():
    data = Counting()
    x = fp.lazy(data, element="x", shape=(2,))
    label = fp.lazy(data, element="label")
    data.reads.clear()
    assert fp.materialize(x.take([3, 1])).tolist() == [[3.0, 3.0], [1.0, 1.0]]
    assert data.reads == [3, 1]
    assert fp.materialize(label).tolist() == [0, 1, 2, 3, 4]
    assert x == x
    assert x != fp.lazy(Counting(), element="x", shape=(2,))
    with pytest.raises(fp.FpipeError, match="2 elements"):
        fp.lazy(data)


def test_columns_over_one_source_share_reads():
    from fpipe.data.lazy.reading import read_together

    data = Counting()
    x = fp.lazy(data, element="x")
    data.reads.clear()
    one, two, three = read_together([x.map(doubled), x, x.take([0])])
    assert data.reads == [0, 1, 2, 3, 4, 0]
    assert (one == two * 2).all()
    assert three.tolist() == [[0.0, 0.0]]


def test_what_is_shared_is_not_written_into():
    from fpipe.data.lazy.reading import read_together

    lazy = fp.lazy(ARRAY)
    one, two = read_together([lazy.map(lambda x: x.zero_()), lazy])
    assert (one == 0).all()
    assert (two.numpy() == ARRAY).all()


def test_draws_need_a_key_and_follow_rows():
    lazy = fp.lazy(np.zeros((50, 1))).map(lambda x, u: x + u[0], draws=1)
    with pytest.raises(fp.FpipeError, match="has no key") as caught:
        fp.materialize(lazy)
    assert "key=" in caught.value.fix
    whole = fp.materialize(lazy, key=fp.key(1))
    assert torch.equal(fp.materialize(lazy.take([7, 3]), key=fp.key(1)), whole[[7, 3]])
    assert not torch.equal(fp.materialize(lazy, key=fp.key(1), epoch=1), whole)
    assert not torch.equal(fp.materialize(lazy, key=fp.key(2)), whole)
    assert len(whole.unique()) == 50


def test_a_function_that_says_another_shape():
    with pytest.raises(fp.FpipeError, match="another shape than it said") as caught:
        fp.materialize(fp.lazy(ARRAY).map(doubled, shape=(5,)))
    assert caught.value.got == "(4,)"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: fp.lazy(3.0), "read row by row"),
        (lambda: fp.lazy(np.float32(3.0)), "no column of tensors|read row by row"),
        (lambda: fp.lazy(ARRAY).take([6]), "no row at position 6"),
        (lambda: fp.lazy(ARRAY).map(3), "mapped by functions"),
        (lambda: fp.materialize(ARRAY), "no lazy tensor"),
        (lambda: fp.image_files(["a", None]), "row 1 has no path"),
        (lambda: fp.image_files(["a"], mode="P"), "mode cannot be"),
        (lambda: fp.materialize(fp.lazy(ARRAY).map(lambda x: 3)), "gives no tensor"),
        (
            lambda: fp.materialize(fp.lazy(ARRAY).map(lambda x: x[:1], batched=True)),
            "another number of rows",
        ),
    ],
)
def test_mistakes(wrong, words):
    with pytest.raises(fp.FpipeError, match=words) as caught:
        wrong()
    assert caught.value.expected is not None


def test_a_source_of_ones_own():
    from fpipe.core.value import value

    @value
    class Squares(Source):
        count: int

        @property
        def rows(self):
            return self.count

        @property
        def shape(self):
            return ()

        @property
        def dtype(self):
            return torch.int64

        def read(self, positions):
            return torch.from_numpy(positions**2)

    assert fp.materialize(fp.lazy(Squares(5)).take([4, 2])).tolist() == [16, 4]
    assert fp.lazy(Squares(5)) == lazy_tensor(Squares(5))
