"""Lazy inputs in training: how they are read changes nothing."""

import threading
import time

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.train import feeding
from fpipe.train.feeding import LazyInput, held
from fpipe.train.loading import ahead

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (40, 1, 6, 5)).astype(np.uint8)
LABELS = np.where(PIXELS.mean((1, 2, 3)) > 127, "bright", "dark")


def task(pixels=PIXELS):
    return fp.classification({"image": fp.lazy(pixels), "y": LABELS[: len(pixels)]}, "y")


def graph(**more):
    return (
        ops.augment_random_horizontal_flip(0.5)
        >> ops.trafo_to_float(scale=False)
        >> nn.ingress_tensor()
        >> nn.flatten()
        >> nn.linear(4)
        >> nn.relu()
        >> nn.dropout(0.2)
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam", lr=0.01)
        >> nn.model(**({"epochs": 3, "batch_size": 16} | more))
    )


REFERENCE = fp.fit(
    graph(), task(), key=fp.key(1), validate=0.25, interpreter="reference", workers=0
)


@pytest.mark.parametrize("workers", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("materialize", ["auto", "memory", "device", "lazy"])
def test_same_bits_however_it_is_read(workers, materialize):
    fitted = fp.fit(
        graph(), task(), key=fp.key(1), validate=0.25, workers=workers, materialize=materialize
    )
    model, expected = fitted.state("model"), REFERENCE.state("model")
    assert fp.same(model.weights, expected.weights)
    assert fp.same(model.history, expected.history)
    one, two = (fp.predict(f, task(), workers=workers) for f in (fitted, REFERENCE))
    assert fp.same(one, two)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """JPEG files of several sizes."""
    image = pytest.importorskip("PIL.Image")
    folder, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(1)
    paths = []
    for number in range(24):
        coarse = random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
        size = tuple(int(n) for n in random.integers(20, 40, 2))
        image.fromarray(coarse).resize(size).save(folder / f"{number}.jpg", quality=90)
        paths.append(folder / f"{number}.jpg")
    return paths


def test_files_with_random_crops_have_the_same_bits(photographs):
    """From files to weights: threads, groups and what is kept in memory decide nothing."""
    images = {"image": fp.image_files(photographs), "y": ["a", "b", "c"] * 8}
    files = fp.classification(images, "y")
    learner = (
        ops.augment_random_resized_crop(16)
        >> ops.augment_random_horizontal_flip()
        >> ops.augment_color_jitter(0.2, 0.2, 0.2, 0.1)
        >> ops.trafo_resize((12, 12))
        >> ops.trafo_to_float()
        >> ops.trafo_normalize((0.5,) * 3, (0.25,) * 3)
        >> nn.ingress_tensor()
        >> nn.conv2d(4, 3)
        >> nn.batch_norm2d()
        >> nn.relu()
        >> nn.flatten()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam", lr=0.01)
        >> nn.model(epochs=3, batch_size=5)
    )
    ways = [(0, "lazy"), (1, "lazy"), (2, "lazy"), (2, "memory"), (3, "auto")]
    fitted = [
        fp.fit(learner, files, key=fp.key(4), validate=0.25, workers=workers, materialize=policy)
        for workers, policy in ways
    ]
    for other in fitted[1:]:
        assert not fp.diff(fitted[0], other)
    predictions = [fp.predict(fitted[0], files, workers=workers) for workers in (0, 1, 2)]
    assert all(fp.same(predictions[0], one) for one in predictions[1:])


def test_lazy_columns_are_arrays_read_later():
    """The same network on a column of arrays has the same weights."""
    plain = fp.classification({"image": list(PIXELS.astype(np.float32)), "y": LABELS}, "y")
    bare = (
        nn.ingress_tensor()
        >> nn.flatten()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam")
        >> nn.model(epochs=2)
    )
    lazy = fp.classification({"image": fp.lazy(PIXELS.astype(np.float32)), "y": LABELS}, "y")
    one, two = (fp.fit(bare, t, key=fp.key(1)).state("model") for t in (plain, lazy))
    assert fp.same(one.weights, two.weights)
    assert fp.same(one.history, two.history)


def test_augmentation_is_another_one_each_epoch_and_none_later():
    run, _ = fp.prepare(graph(), task(), key=fp.key(1), validate=0.25, materialize="lazy")
    rows = np.arange(8)
    first, again, other = (run.train.take(rows, e).inputs for e in (1, 1, 2))
    name = "ingress_tensor"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])
    assert torch.equal(run.valid.take(rows, 1).inputs[name], run.valid.take(rows, 2).inputs[name])
    assert run.valid.take(rows, 1).inputs[name].dtype == torch.float32


def test_every_cut_gives_the_same():
    run, start = fp.prepare(graph(), task(), key=fp.key(1), workers=2, materialize="lazy")
    events = list(fp.events(run.plan))
    end = fp.fold(run, start, events)
    for cut in range(len(events)):
        assert fp.fold(run, fp.fold(run, start, events[:cut]), events[cut:]) == end


def test_resumed_with_other_workers(tmp_path):
    whole = fp.fit(graph(), task(), key=fp.key(1))
    fp.fit(graph(epochs=2), task(), key=fp.key(1), sinks=[fp.CheckpointSink(tmp_path)], workers=0)
    resumed = fp.resume(graph(), task(), tmp_path, workers=2, materialize="lazy")
    assert not fp.diff(resumed.state("model").weights, whole.state("model").weights)


def test_folds_and_threads():
    one = fp.resample(graph(), task(), fp.cv(2), key=fp.key(1), workers=0)
    two = fp.resample(graph(), task(), fp.cv(2), key=fp.key(1), workers=3, materialize="lazy")
    assert one == two


def test_balanced_rows_have_draws_of_their_own():
    skewed = task().take([*np.flatnonzero(LABELS == "dark"), np.flatnonzero(LABELS == "bright")[0]])
    more = fp.transform(
        ops.balance(1.0, "major") >> ops.augment_random_horizontal_flip(0.5), skewed, key=fp.key(1)
    )
    repeats = np.flatnonzero(more.origin == skewed.row_id[-1])
    images = fp.materialize(more.tensor("image").take(repeats))
    assert len(repeats) > 5
    assert len({image.numpy().tobytes() for image in images}) == 2  # flipped, and not


def test_what_auto_keeps(monkeypatch):
    lazy = fp.lazy(PIXELS)
    one = LazyInput("image", lazy, (1, 6, 5), torch.float32)
    assert isinstance(held(one, "auto"), torch.Tensor)
    assert held(one, "lazy") is one
    monkeypatch.setattr(feeding, "BUDGET", 40 * 30 * 4 - 1)
    assert held(one, "auto") is one  # as numbers they do not fit, as pixels they are in memory


def test_pixels_are_kept_where_numbers_take_too_much(monkeypatch, photographs):
    """What follows the last real work is done for each batch; the bits are the same."""
    images = {"image": fp.image_files(photographs), "y": ["a", "b", "c"] * 8}
    files = fp.classification(images, "y")
    pixels, learner = ops.trafo_resize((12, 12)), ops.trafo_to_float() >> ops.trafo_normalize(0, 1)
    learner = pixels >> learner >> nn.ingress_tensor() >> nn.flatten() >> nn.head()
    learner = learner >> nn.loss("cross_entropy") >> nn.optimizer("adam") >> nn.model(epochs=2)
    read, decode = [], feeding.materialize

    def counted(tensor, **more):
        read.append(len(tensor.column.maps))
        return decode(tensor, **more)

    monkeypatch.setattr(feeding, "materialize", counted)
    numbers = 24 * 3 * 12 * 12 * 4
    fitted = []
    for budget in (numbers, numbers - 1, numbers // 4, numbers // 4 - 1):
        monkeypatch.setattr(feeding, "BUDGET", budget)
        fitted.append(fp.fit(learner, files, key=fp.key(1)))
    assert read == [3, 1, 1]  # all; as pixels, twice; and nothing
    assert all(not fp.diff(fitted[0], other) for other in fitted[1:])


def test_what_needs_no_draws_is_read_once():
    reads = []

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, i):
            reads.append(i)
            return torch.from_numpy(PIXELS[i])

    data = fp.classification({"image": fp.lazy(Data(), shape=(1, 6, 5)), "y": LABELS}, "y")
    for policy, count in (("memory", 40), ("lazy", 120)):
        reads.clear()
        fp.fit(graph(), data, key=fp.key(1), materialize=policy)
        assert len(reads) == count


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_while_reading_ahead_is_told(workers):
    bad = PIXELS.astype(np.float32)
    bad[7, 0, 0, 0] = np.nan
    with pytest.raises(fp.FpipeError, match="row 7 in column 'image' cannot enter") as caught:
        fp.fit(graph(), task(bad), key=fp.key(1), workers=workers, materialize="lazy")
    assert caught.value.at == "model"
    assert not [t for t in threading.enumerate() if t.name.startswith("fpipe-read")]


def test_rows_of_different_shapes_are_told():
    lazy = fp.lazy(PIXELS).map(lambda x: x[:, : 3 + int(x[0, 0, 0]) % 2])
    data = fp.classification({"image": lazy, "y": LABELS}, "y")
    shaped = graph().set({"ingress_tensor.shape": (1, 3, 5)})
    with pytest.raises(fp.FpipeError, match="cannot enter the network") as caught:
        fp.fit(shaped, data, key=fp.key(1))
    assert caught.value.expected == "shape (1, 3, 5)"
    assert "trafo_resize" in caught.value.fix


def test_results_come_in_order_and_threads_go():
    def job(i):
        time.sleep(0.01 * (i % 3))
        return i

    jobs = [lambda i=i: job(i) for i in range(20)]
    assert list(ahead(jobs, 4)) == list(ahead(jobs, 0)) == list(range(20))
    some = ahead(jobs, 3)
    assert next(some) == 0
    some.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("fpipe-read")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": -1}, "workers cannot be"),
        ({"workers": 1.5}, "workers cannot be"),
        ({"materialize": "disk"}, "no way 'disk'"),
    ],
)
def test_mistakes(given, words):
    with pytest.raises(fp.FpipeError, match=words) as caught:
        fp.fit(graph(), task(), key=fp.key(1), **given)
    assert caught.value.fix
