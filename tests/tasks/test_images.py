"""Tasks of images: what is known without files, and what the files then hold."""

import gzip
import hashlib
import io
import os
import pickle
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import fpipe as fp
from fpipe import tasks
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.value import evolve
from fpipe.data.lazy.content_cache import READ
from fpipe.io import registry
from fpipe.io.published import Origin, Packed
from fpipe.tasks.tiny_images import _CLASSES as WORDNET

DATA = os.environ.get("FPIPE_DATA")


def needs(path):
    there = DATA is not None and (Path(DATA) / path).exists()
    return pytest.mark.skipif(not there, reason=f"FPIPE_DATA has no {path}")


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def away(monkeypatch, tmp_path):
    """Neither data at hand nor a cache nor a network; return where both folders would be."""

    def no_network(*given, **more):
        raise OSError("no network")

    READ.clear()
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    yield tmp_path
    READ.clear()


KNOWN = {
    "mnist": (lambda: tasks.mnist(), 70_000, 10, "label", (1, 28, 28)),
    "mnist train": (lambda: tasks.mnist("train"), 60_000, 10, "label", (1, 28, 28)),
    "mnist test": (lambda: tasks.mnist("test"), 10_000, 10, "label", (1, 28, 28)),
    "fashion": (lambda: tasks.fashion_mnist(), 70_000, 10, "label", (1, 28, 28)),
    "cifar10": (lambda: tasks.cifar10(), 60_000, 10, "class", (3, 32, 32)),
    "cifar10 part": (lambda: tasks.cifar10(batches=[2]), 20_000, 10, "class", (3, 32, 32)),
    "cifar100": (lambda: tasks.cifar100("train"), 50_000, 100, "class", (3, 32, 32)),
    "tiny": (lambda: tasks.tiny_imagenet(), 110_000, 200, "class", (3, 64, 64)),
    "tiny valid": (lambda: tasks.tiny_imagenet("valid"), 10_000, 200, "class", (3, 64, 64)),
    "tiny test": (lambda: tasks.tiny_imagenet("test"), 10_000, 200, None, (3, 64, 64)),
    "melanoma": (lambda: tasks.melanoma(), 33_126, 2, "outcome", (3, None, None)),
    "melanoma test": (lambda: tasks.melanoma("test"), 10_982, 2, None, (3, None, None)),
    "ham10000": (lambda: tasks.ham10000(), 10_015, 7, "dx", (3, 224, 224)),
    "ham malignant": (lambda: tasks.ham10000("malignant"), 10_015, 2, "malignant", (3, 224, 224)),
    "ham original": (lambda: tasks.ham10000(size=None), 10_015, 7, "dx", (3, None, None)),
    "dogs": (lambda: tasks.dogs_vs_cats(), 1_200, 2, "class", (3, 200, 200)),
    "dogs full": (lambda: tasks.dogs_vs_cats("fullsize"), 120, 2, "class", (3, None, None)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_without_files(away, name):
    make, rows, classes, target, shape = KNOWN[name]
    task = make()
    assert (task.n_rows, len(task.classes), task.target) == (rows, classes, target)
    assert f"{rows} rows" in repr(task)
    assert task.features[-1] == "image"
    outline = task.outline()
    assert (outline.tensors["image"].shape, outline.tensors["image"].dtype) == (shape, torch.uint8)
    if target is not None:
        assert task.dtype(target) == pl.Enum(task.classes)
    assert len(np.unique(task.row_id)) == rows
    assert list(away.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in KNOWN if not name.startswith("dogs")])
def test_reading_without_files_is_an_error(away, name):
    task = KNOWN[name][0]()
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            task.table  # noqa: B018
        assert "FPIPE_DATA" in f"{caught.value.expected} {caught.value.fix}"
    with pytest.raises(DataError):
        task.tensor("image")


def test_parts_that_are_none():
    for make in (tasks.mnist, tasks.fashion_mnist, tasks.cifar10, tasks.cifar100):
        with pytest.raises(ParameterError, match="no part 'tests'") as caught:
            make("tests")
        assert caught.value.expected == "all, train, test"
    for make, rule in (
        (lambda: tasks.tiny_imagenet("val"), "no part 'val'"),
        (lambda: tasks.melanoma("all"), "no part 'all'"),
        (lambda: tasks.ham10000("mel"), "no target 'mel'"),
        (lambda: tasks.dogs_vs_cats("small"), "no size 'small'"),
    ):
        with pytest.raises(ParameterError, match=rule):
            make()
    for batches in ((), (0,), (6,), (1, 1), ("1",), (True,), 1):
        with pytest.raises(ParameterError, match="five batches"):
            tasks.cifar10(batches=batches)


# ---------------------------------------------------------------- MNIST


@needs("mnist")
def test_mnist():
    task = tasks.mnist()
    # the counts that are published with the data
    counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert np.bincount(task.truth().to_physical().to_numpy()).tolist() == counts
    assert task.truth().to_list()[:10] == list("5041921314")
    assert task.column("split").value_counts().sort("split")["count"].to_list() == [60_000, 10_000]
    train = fp.materialize(tasks.mnist("train").tensor("image"), batch=10_000)
    assert train.shape == (60_000, 1, 28, 28)
    scaled = train.double() / 255
    assert scaled.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert scaled.std().item() == pytest.approx(0.3081, abs=5e-5)


@needs("mnist")
def test_the_parts_of_mnist():
    """Rows of both parts are rows of the whole, by id and by pixel."""
    whole, train, test = tasks.mnist(), tasks.mnist("train"), tasks.mnist("test")
    assert train.rbind(test) == whole
    assert test.truth().to_list()[:5] == list("72104")
    first = fp.materialize(test.tensor("image").take([0, 9_999]))
    assert torch.equal(first, fp.materialize(whole.tensor("image").take([60_000, 69_999])))
    assert test.row_id[0] == 60_000


@needs("mnist")
@pytest.mark.parametrize("part", ["train", "test"])
def test_only_the_files_of_a_part_are_needed(away, part):
    kind = "train" if part == "train" else "t10k"
    (away / "data" / "mnist").mkdir(parents=True)
    for what in ("images-idx3", "labels-idx1"):
        name = f"mnist/{kind}-{what}-ubyte.gz"
        (away / "data" / name).symlink_to(Path(DATA) / name)
    task = tasks.mnist(part)
    assert task.truth().len() == task.n_rows
    assert fp.materialize(task.tensor("image").take([0])).sum() > 0
    other = tasks.mnist("test" if part == "train" else "train")
    with pytest.raises(DataError, match="cannot be downloaded"):
        other.table  # noqa: B018


@needs("mnist")
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_a_flipped_byte(away, name):
    folder = away / "data" / "mnist"
    folder.mkdir(parents=True)
    for path in (Path(DATA) / "mnist").glob("t10k*"):
        (folder / path.name).write_bytes(path.read_bytes())
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match="another file than the one wanted") as caught:
        fp.materialize(tasks.mnist("test").tensor("image").take([0]))
    assert caught.value.at == str(folder / name)


@needs("mnist")
def test_a_task_says_nothing_of_the_machine(away, tmp_path):
    """Equal, with one fingerprint, wherever its files lie; saved and loaded it is the same."""
    (away / "data").mkdir()
    (away / "data" / "mnist").symlink_to(Path(DATA) / "mnist")
    here = tasks.mnist("test")
    marks = fingerprint(here)
    fp.save(here, tmp_path / "task.fp")
    (away / "data" / "mnist").unlink()
    (away / "cache").mkdir()
    (away / "cache" / "mnist").symlink_to(Path(DATA) / "mnist")
    READ.clear()
    there = tasks.mnist("test")
    assert there == here
    assert fingerprint(there) == marks
    loaded = fp.load(tmp_path / "task.fp")
    assert loaded == here
    rows = loaded.tensor("image").take([7])
    assert torch.equal(fp.materialize(rows), fp.materialize(here.tensor("image").take([7])))


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def fashion(monkeypatch, tmp_path):
    """Let the test part of Fashion-MNIST come from other files; return how its labels are set."""
    READ.clear()
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)

    def put(labels, pixels):
        for what, array in (("labels-idx1", labels), ("images-idx3", pixels)):
            path, data = (
                f"fashion_mnist/t10k-{what}-ubyte.gz",
                gzip.compress(idx(array), 1, mtime=0),
            )
            (tmp_path / what).write_bytes(data)
            origin = Origin(path, (tmp_path / what).as_uri(), sha(data))
            monkeypatch.setitem(registry.FILES, path, origin)
        return tasks.fashion_mnist("test")

    yield put
    READ.clear()


PIXELS = np.zeros((10_000, 28, 28), np.uint8)


def test_fashion_mnist_is_fetched(fashion, tmp_path):
    labels = np.arange(10_000, dtype=np.uint8) % 10
    task = fashion(labels, PIXELS)
    assert not (tmp_path / "cache").exists()
    assert task.truth().to_list()[:3] == ["T-shirt/top", "Trouser", "Pullover"]
    assert task.truth().to_list()[9] == "Ankle boot"
    cached = tmp_path / "cache" / "fashion_mnist"
    assert [path.name for path in cached.iterdir()] == ["t10k-labels-idx1-ubyte.gz"]
    assert fp.materialize(task.tensor("image").take([9_999])).shape == (1, 1, 28, 28)


def test_what_comes_is_not_what_was_promised(fashion):
    labels = np.zeros(10_000, np.uint8)
    with pytest.raises(DataError, match="other levels of 'label' than promised") as caught:
        fashion(np.where(np.arange(10_000) == 5, 17, labels).astype(np.uint8), PIXELS).table
    assert "Ankle boot" in caught.value.expected
    assert caught.value.got == "17"
    with pytest.raises(DataError, match="else than what was promised") as caught:
        fashion(labels[:-1], PIXELS).table
    assert (caught.value.expected, caught.value.got) == ("10000 rows", "9999 rows of 'data'")
    task = fashion(labels, PIXELS[:, :-1])
    with pytest.raises(DataError, match="else than what was promised") as caught:
        fp.materialize(task.tensor("image").take([0]))
    assert caught.value.expected == "[10000, 1, 28, 28] torch.uint8"
    assert caught.value.got == "[10000, 27, 28] torch.uint8"


# ---------------------------------------------------------------- CIFAR


@needs("cifar10")
def test_cifar10():
    task = tasks.cifar10("test")
    assert task.truth().value_counts()["count"].to_list() == [1_000] * 10
    held = pickle.loads(
        (Path(DATA) / "cifar10/cifar-10-batches-py/test_batch").read_bytes(), encoding="latin1"
    )
    assert task.truth().to_physical().to_list() == held["labels"]
    # the published names of the files begin with the names of the classes
    kinds = [name.rsplit("_s_", 1)[0] for name in held["filenames"]]
    assert kinds[0] == "domestic_cat"
    assert task.truth()[0] == "cat"
    pixels = fp.materialize(task.tensor("image").take([17]))
    assert np.array_equal(pixels.reshape(-1), held["data"][17])
    assert (task.row_id[0], task.row_id[-1]) == (50_000, 59_999)


@needs("cifar10")
def test_a_batch_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))

    def no_network(*given, **more):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    first = tasks.cifar10("train", batches=(1,))
    assert first.truth().to_list()[:3] == ["frog", "truck", "truck"]
    both = tasks.cifar10(batches=(1,))
    assert (both.n_rows, both.row_id[10_000]) == (20_000, 50_000)
    assert both.column("split").value_counts()["count"].to_list() == [10_000, 10_000]
    for task in (tasks.cifar10(), tasks.cifar10("train", batches=(1, 4))):
        with pytest.raises(DataError, match=r"data_batch_\d' is not at hand") as caught:
            task.table  # noqa: B018
        assert "data_batch_1, test_batch" in caught.value.expected


@pytest.fixture
def hundred(monkeypatch, tmp_path):
    """Let the test part of CIFAR-100 come from another archive; return how its content is set."""
    READ.clear()
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)

    def put(fine, coarse, names):
        held = {
            "data": np.zeros((10_000, 3072), np.uint8),
            "fine_labels": fine,
            "coarse_labels": coarse,
        }
        files = {"test": pickle.dumps(held, 3), "meta": pickle.dumps(names, 2)}
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"cifar-100-python/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        source = tmp_path / "a.tar.gz"
        origin = Origin("cifar100/a.tar.gz", source.as_uri(), sha(source.read_bytes()))
        for name, data in files.items():
            path = f"cifar100/cifar-100-python/{name}"
            monkeypatch.setitem(registry.FILES, path, Packed(path, origin, sha(data)))
        return tasks.cifar100("test")

    yield put
    READ.clear()


def test_cifar100_is_fetched_and_unpacked(hundred, tmp_path):
    whole = tasks.cifar100()
    names = {
        "fine_label_names": list(whole.classes),
        "coarse_label_names": list(whole.schema["superclass"].categories),
    }
    fine = [n % 100 for n in range(10_000)]
    task = hundred(fine, [n % 20 for n in range(10_000)], names)
    assert task.truth().to_list()[:3] == ["apple", "aquarium_fish", "baby"]
    assert task.column("superclass")[19] == "vehicles_2"
    assert task.features == ("image",)
    assert fp.materialize(task.tensor("image").take([3])).shape == (1, 3, 32, 32)
    assert (tmp_path / "cache" / "cifar100" / "cifar-100-python" / "meta").is_file()
    swapped = [*names["fine_label_names"][:98], "worm", "woman"]
    with pytest.raises(DataError, match="other classes than promised") as caught:
        hundred(fine, fine, {**names, "fine_label_names": swapped}).table
    assert caught.value.expected == "'woman' as class 98"
    assert caught.value.got == "'worm' as class 98"


def test_the_classes_of_cifar100_are_sorted_and_distinct():
    classes = tasks.cifar100().classes
    assert len(set(classes)) == 100
    assert list(classes) == sorted(classes)
    assert len(set(tasks.cifar100().schema["superclass"].categories)) == 20


# ---------------------------------------------------------------- Tiny ImageNet


def jpeg(colour, size=(64, 64)):
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Let Tiny ImageNet come from an archive with few images; return how its lists are set."""
    READ.clear()
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)
    shuffled = random.Random(0).sample(WORDNET, 200)

    def put(classes=shuffled, valid=10_000):
        top, source = "tiny-imagenet-200", tmp_path / "a.zip"
        lines = [f"val_{n}.JPEG\t{WORDNET[n % 200]}\t0\t0\t62\t62" for n in range(valid)]
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(f"{top}/wnids.txt", "\n".join(classes) + "\n")
            archive.writestr(f"{top}/val/val_annotations.txt", "\n".join(reversed(lines)) + "\n")
            archive.writestr(f"{top}/val/images/val_3.JPEG", jpeg((200, 0, 0)))
            first = f"{top}/train/{WORDNET[1]}/images/{WORDNET[1]}_2.JPEG"
            archive.writestr(first, jpeg((0, 200, 0)))
            archive.writestr(f"{top}/test/images/test_0.JPEG", jpeg((0, 0, 200)))
        origin = Origin("tiny_imagenet/a.zip", source.as_uri(), sha(source.read_bytes()))
        monkeypatch.setitem(registry.FOLDERS, f"tiny_imagenet/{top}", origin)

    yield put
    READ.clear()


def test_tiny_imagenet_is_fetched_and_unpacked(tiny, tmp_path):
    tiny()
    task = tasks.tiny_imagenet()
    counts = task.table.group_by("class", "split").len()
    assert set(counts.filter(split="train")["len"]) == {500}
    assert set(counts.filter(split="valid")["len"]) == {50}
    assert task.truth()[502] == WORDNET[1]
    assert task.truth()[100_003] == WORDNET[3]
    image = task.tensor("image")
    assert fp.materialize(image.take([502])).float().mean((0, 2, 3)).round().tolist() == [0, 200, 0]
    assert fp.materialize(image.take([100_003])).shape == (1, 3, 64, 64)
    with pytest.raises(DataError, match="row 100004 cannot be read") as caught:
        fp.materialize(image.take([100_004]))
    assert caught.value.at.endswith("val/images/val_4.JPEG")
    test = tasks.tiny_imagenet("test")
    assert test.truth() is None
    assert fp.materialize(test.tensor("image").take([0])).shape == (1, 3, 64, 64)
    parts = tasks.tiny_imagenet("train"), tasks.tiny_imagenet("valid")
    assert parts[0].rbind(parts[1]) == task


def test_tiny_imagenet_with_other_lists(tiny):
    tiny(classes=[*WORDNET[:-1], "n99999999"])
    with pytest.raises(DataError, match="other classes than promised") as caught:
        tasks.tiny_imagenet("train").table  # noqa: B018
    assert caught.value.got == "'n99999999' as class 199"


def test_tiny_imagenet_with_too_few_rows(tiny):
    tiny(valid=9_000)
    with pytest.raises(DataError, match="other rows than promised") as caught:
        tasks.tiny_imagenet("valid").table  # noqa: B018
    assert "none of 1000 of them" in caught.value.got


def test_the_classes_of_tiny_imagenet():
    assert len(set(WORDNET)) == 200
    assert list(WORDNET) == sorted(WORDNET)
    # the first of the list as it is published, as anybody's first look shows it
    published = "n02124075 n04067472 n04540053 n04099969 n07749582 n01641577 n02802426 n09246464"
    assert set(published.split()) <= set(WORDNET)


# ---------------------------------------------------------------- skin


@needs("isic2020")
def test_melanoma():
    task = tasks.melanoma()
    assert task.kind.positive == "malignant"
    assert task.truth().value_counts().sort("outcome")["count"].to_list() == [32_542, 584]
    assert task.role("group").n_unique() == 2_056
    missing = {name: task.column(name).null_count() for name in task.features[:-1]}
    assert missing == {"sex": 65, "age_approx": 68, "anatom_site_general_challenge": 527}
    frame = pl.read_csv(Path(DATA) / "isic2020/train.csv")
    assert task.truth().to_physical().to_list() == frame["target"].to_list()
    assert task.column("image_name").to_list() == frame["image_name"].to_list()
    assert task.column("age_approx").equals(frame["age_approx"])
    test = tasks.melanoma("test")
    assert test.truth() is None
    assert test.column("sex").null_count() == 0
    assert test.column("anatom_site_general_challenge").null_count() == 351


@needs("isic2020")
def test_no_split_parts_a_patient():
    task = tasks.melanoma()
    train, test = fp.partition(task, ratio=0.7, key=fp.key(1))
    assert not set(train.column("patient_id")) & set(test.column("patient_id"))


@needs("isic2020")
def test_images_of_melanoma(away):
    """Images lie beside the table by their names; one that does not is an error with its row."""
    (away / "data" / "isic2020" / "images").mkdir(parents=True)
    (away / "data" / "isic2020" / "train.csv").symlink_to(Path(DATA) / "isic2020/train.csv")
    task = tasks.melanoma()
    name = task.column("image_name")[5]
    (away / "data" / "isic2020" / "images" / f"{name}.jpg").write_bytes(jpeg((9, 9, 9), (40, 30)))
    assert fp.materialize(task.tensor("image").take([5])).shape == (1, 3, 30, 40)
    with pytest.raises(DataError, match="the tensor of row 6 cannot be read") as caught:
        fp.materialize(task.tensor("image").take([6]))
    other = task.column("image_name")[6]
    assert caught.value.at == str(away / "data" / "isic2020" / "images" / f"{other}.jpg")


@needs("ham10000")
def test_ham10000():
    task = tasks.ham10000()
    counts = dict(task.truth().cast(pl.String).value_counts().iter_rows())
    published = {
        "nv": 6705,
        "mel": 1113,
        "bkl": 1099,
        "bcc": 514,
        "akiec": 327,
        "vasc": 142,
        "df": 115,
    }
    assert counts == published
    assert task.role("group").n_unique() == 7_470
    assert task.column("age").null_count() == 57
    by_malignancy = tasks.ham10000("malignant")
    assert (by_malignancy.truth() == "yes").sum() == 1113 + 514 + 327
    assert by_malignancy.features == ("age", "sex", "localization", "image")


@needs("ham10000")
def test_the_images_of_ham10000_that_are_there():
    task = tasks.ham10000("malignant", only_present=True)
    assert task.n_rows == 420
    assert (task.truth() == "yes").mean() == pytest.approx(0.452, abs=5e-4)
    counts = dict(task.column("dx").cast(pl.String).value_counts().iter_rows())
    there = {"nv": 130, "mel": 110, "bkl": 60, "bcc": 50, "akiec": 30, "vasc": 20, "df": 20}
    assert counts == there
    whole = tasks.ham10000("malignant")
    assert task == whole.take(task.row_id)
    pixels = fp.materialize(task.tensor("image").take([0, 419]))
    assert pixels.shape == (2, 3, 224, 224)
    name = task.column("image_id")[419]
    with Image.open(Path(DATA) / "ham10000" / "images" / f"{name}.jpg") as image:
        assert np.array_equal(pixels[1].permute(1, 2, 0).numpy(), np.asarray(image.convert("RGB")))


@needs("ham10000")
def test_no_image_of_ham10000(away):
    (away / "data" / "ham10000").mkdir(parents=True)
    name = "ham10000/HAM10000_metadata.csv"
    (away / "data" / name).symlink_to(Path(DATA) / name)
    with pytest.raises(DataError, match="none of the images") as caught:
        tasks.ham10000(only_present=True)
    assert caught.value.at == str(away / "data" / "ham10000" / "images")


# ---------------------------------------------------------------- photographs


@needs("dogs_vs_cats")
@pytest.mark.parametrize(("size", "rows"), [("train", 600), ("fullsize", 60)])
def test_dogs_vs_cats(size, rows):
    READ.clear()
    task = tasks.dogs_vs_cats(size)
    assert task.kind.positive == "dog"
    assert task.truth().to_list() == ["cat"] * rows + ["dog"] * rows
    files = task.column("file").to_list()
    assert sorted(files) == sorted(os.listdir(Path(DATA) / "dogs_vs_cats" / size))
    assert files[rows + 1].startswith("dog.")
    found = fp.materialize(task.tensor("image").take([0, 2 * rows - 1]))
    assert [row.shape[0] for row in found] == [3, 3]
    if size == "train":
        assert found.shape == (2, 3, 200, 200)


@needs("dogs_vs_cats")
def test_another_photograph(away):
    """A flipped byte that leaves an image an image is found out nevertheless."""
    folder = away / "data" / "dogs_vs_cats" / "fullsize"
    folder.mkdir(parents=True)
    for path in (Path(DATA) / "dogs_vs_cats" / "fullsize").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = bytearray((folder / "dog.9.jpg").read_bytes())
    data[-40] ^= 1
    (folder / "dog.9.jpg").write_bytes(data)
    task = tasks.dogs_vs_cats("fullsize")
    with pytest.raises(DataError, match="else than what was promised") as caught:
        fp.materialize(task.tensor("image").take([0]))
    assert caught.value.at == str(folder)


def test_photographs_that_are_not_there(away):
    task = tasks.dogs_vs_cats()
    with pytest.raises(DataError, match="row 601 cannot be read") as caught:
        fp.materialize(task.tensor("image").take([601]))
    assert caught.value.at == str(away / "data" / "dogs_vs_cats" / "train" / "dog.1.jpg")


@pytest.fixture
def folder(tmp_path):
    for place, name in enumerate(
        ["wolf/b.PNG", "wolf/a.jpg", "bear/deep/c.jpeg", "bear/d.bmp", "bear/.x.png"]
    ):
        path = tmp_path / "zoo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        form = {"jpg": "JPEG", "jpeg": "JPEG"}.get(path.suffix[1:].lower(), path.suffix[1:])
        Image.new("RGB", (4 + place, 5), (place, 0, 0)).save(path, form)
    (tmp_path / "zoo" / "wolf" / "notes.txt").write_text("no image")
    return tmp_path / "zoo"


def test_image_folder(folder):
    task = tasks.image_folder(folder)
    assert (task.name, task.classes, task.kind.positive) == ("zoo", ("bear", "wolf"), "wolf")
    assert task.column("file").to_list() == [
        "bear/d.bmp",
        "bear/deep/c.jpeg",
        "wolf/a.jpg",
        "wolf/b.PNG",
    ]
    assert task.truth().to_list() == ["bear", "bear", "wolf", "wolf"]
    assert task.features == ("image",)
    assert task.outline().tensors["image"].shape == (3, None, None)
    widths = [row.shape[-1] for row in fp.materialize(task.tensor("image"))]
    assert widths == [7, 6, 5, 4]


def test_settings_of_an_image_folder(folder):
    task = tasks.image_folder(str(folder), positive="bear", mode="L", size=(5, 4), name="animals")
    assert (task.name, task.kind.positive) == ("animals", "bear")
    assert task.outline().tensors["image"].shape == (1, 5, 4)
    with pytest.raises(DataError, match="row 0 cannot be read") as caught:
        fp.materialize(task.tensor("image"))
    assert "5 × 7 and not 5 × 4" in caught.value.got
    assert tasks.image_folder(folder) == tasks.image_folder(str(folder))
    for wrong in ({"positive": "cat"}, {"mode": "CMYK"}, {"decoder": "opencv"}):
        with pytest.raises(ParameterError):
            tasks.image_folder(folder, **wrong)


def test_folders_that_are_no_data(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such folder") as caught:
        tasks.image_folder("zo")
    assert str(tmp_path) in caught.value.fix
    with pytest.raises(DataError, match="no such folder"):
        tasks.image_folder(folder / "wolf" / "notes.txt")
    with pytest.raises(DataError, match="no sub-folders") as caught:
        tasks.image_folder(folder / "wolf")
    assert caught.value.got == "2 images and no sub-folder"
    with pytest.raises(DataError, match="one class, 'deep'"):
        tasks.image_folder(folder / "bear")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no sub-folders"):
        tasks.image_folder(tmp_path / "empty")
    (folder / "cat").mkdir()
    with pytest.raises(DataError, match="the class 'cat' has no images"):
        tasks.image_folder(folder)


def test_lazy_iris():
    task, plain = tasks.lazy_iris(), tasks.iris()
    assert task.features == ("x",)
    x = fp.materialize(task.tensor("x"))
    assert (x.shape, x.dtype) == ((150, 4), torch.float32)
    assert x.double().sum(0).tolist() == pytest.approx([876.5, 458.6, 563.7, 179.9], rel=1e-6)
    assert task.truth().equals(plain.truth())


# ---------------------------------------------------------------- as tasks


@needs("cifar10")
def test_rows_keep_their_images():
    task = tasks.cifar10("test").take([5, 3])
    assert task.row_id.tolist() == [50_005, 50_003]
    whole = tasks.cifar10("test").tensor("image")
    assert torch.equal(fp.materialize(task.tensor("image")), fp.materialize(whole.take([5, 3])))


@needs("ham10000")
def test_planned_columns_follow():
    """Columns that are computed later, and those left out, do not make the table read."""
    READ.clear()
    task = tasks.ham10000().select(["age", "image"]).computed((pl.col("age") * 12).alias("months"))
    assert task.features == ("age", "image", "months")
    assert task._pending() is not None
    assert task.table["months"][0] == 960.0
    assert evolve(task, name="again").table is task.table
