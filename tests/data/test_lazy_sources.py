"""Sources of lazy columns: IDX files, published files, folders; and what is kept of them."""

import gzip
import hashlib
import struct
import threading
import time

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import fpipe as fp
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import DataError
from fpipe.data.lazy import published
from fpipe.data.lazy.content_cache import READ, ContentCache
from fpipe.data.lazy.folders import class_folders
from fpipe.data.lazy.idx import idx_source
from fpipe.data.lazy.published import (
    NamesInTable,
    PublishedFile,
    PublishedImages,
    PublishedRows,
    published_file,
)
from fpipe.io import registry
from fpipe.io.published import Origin


def sha(data):
    return hashlib.sha256(data).hexdigest()


def idx(array, code=8):
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch, tmp_path):
    """Begin without anything read before, with an empty folder of data and no cache."""
    READ.clear()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))


# ---------------------------------------------------------------- IDX

ARRAY = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
PACKED = gzip.compress(idx(ARRAY), mtime=0)  # the same in every process that collects tests


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx(tmp_path, pack):
    (tmp_path / "a").write_bytes(pack(idx(ARRAY)))
    source = idx_source(tmp_path / "a")
    assert (source.rows, source.shape, source.dtype) == (4, (2, 3), torch.uint8)
    assert source.read(np.array([3, 0, 3])).tolist() == ARRAY[[3, 0, 3]].tolist()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        idx(ARRAY)[:-1],
        idx(ARRAY) + b"x",
        b"\x01" + idx(ARRAY)[1:],
        idx(ARRAY, code=7),
        PACKED[:-9],
        gzip.compress(idx(ARRAY)[:-1], mtime=0),
        PACKED[:20] + b"????" + PACKED[24:],
        b"\x1f\x8b",
    ],
)
def test_no_idx(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match="no IDX file") as caught:
        idx_source(tmp_path / "a")
    assert caught.value.at == str(tmp_path / "a")


# ---------------------------------------------------------------- memory


def test_a_cache_is_bounded_and_keeps_what_was_used_last():
    cache, made = ContentCache(100), []

    def get(key, size):
        return cache.get(key, lambda: (made.append(key) or key, size))

    for key in "ababcab":  # a and b fit together, c pushes one of them out
        assert get(key, 50) == key
    assert made == ["a", "b", "c", "a", "b"]
    made.clear()
    get("large", 1000)
    get("large", 1000)
    get("a", 50)
    assert made == ["large", "a"]


def test_threads_make_a_thing_once():
    cache, made, found = ContentCache(), [], []

    def make():
        time.sleep(0.05)
        made.append(object())
        return made[-1], 1

    threads = [threading.Thread(target=lambda: found.append(cache.get(1, make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert found == made * 8
    assert not cache._making  # nobody waits, so no lock is kept


def test_what_fails_is_not_kept():
    cache = ContentCache()
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: (1 // 0, 1))
    assert cache.get("a", lambda: (2, 1)) == 2
    assert not cache._making


# ---------------------------------------------------------------- rows of published files


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return two files of 3 and 2 rows that can be fetched."""
    arrays = [np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.full((2, 2, 2), 99, np.uint8)]
    for name, array in zip("ab", arrays, strict=True):
        data = gzip.compress(idx(array), mtime=0)
        (tmp_path / name).write_bytes(data)
        origin = Origin(f"set/{name}", (tmp_path / name).as_uri(), sha(data))
        monkeypatch.setitem(registry.FILES, f"set/{name}", origin)
    return (published_file("set/a", 3), published_file("set/b", 2)), np.concatenate(arrays)


def test_rows_of_several_files(files, tmp_path):
    source = PublishedRows(files[0], (1, 2, 2), "idx")
    assert (source.rows, source.shape, source.dtype) == (5, (1, 2, 2), torch.uint8)
    assert not (tmp_path / "cache").exists()
    order = np.array([4, 0, 3, 0, 2])
    assert torch.equal(source.read(order), torch.from_numpy(files[1][order][:, None]))
    assert source.read(np.array([], np.int64)).shape == (0, 1, 2, 2)


def test_only_the_files_that_are_needed_are_fetched(files, tmp_path):
    lazy = fp.lazy(PublishedRows(files[0], (2, 2), "idx"))
    fp.materialize(lazy.take([3, 4]))
    assert [path.name for path in (tmp_path / "cache" / "set").iterdir()] == ["b"]


def test_what_is_read_is_a_copy(files):
    source = PublishedRows(files[0], (2, 2), "idx")
    source.read(np.arange(5)).fill_(7)
    assert source.read(np.array([0])).tolist() == [[[0, 1], [2, 3]]]


def test_read_once_for_all_sources(files, tmp_path):
    PublishedRows(files[0], (2, 2), "idx").read(np.array([0]))
    (tmp_path / "cache" / "set" / "a").unlink()
    (tmp_path / "a").unlink()
    PublishedRows(files[0], (4,), "idx").read(np.array([1]))


def test_the_machine_is_no_part_of_a_source(files, tmp_path, monkeypatch):
    """The same description is the same source, wherever its files lie."""
    here = PublishedRows(files[0], (2, 2), "idx")
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    there = PublishedRows(files[0], (2, 2), "idx")
    before = fingerprint(here)
    assert here == there
    there.read(np.arange(5))
    assert here == there
    assert fingerprint(there) == before
    assert str(tmp_path) not in repr(here)


def test_saved_as_a_description(files, tmp_path):
    lazy = fp.lazy(PublishedRows(files[0], (2, 2), "idx"))
    fp.save(lazy, tmp_path / "lazy.fp")
    loaded = fp.load(tmp_path / "lazy.fp")
    assert loaded == lazy
    assert not (tmp_path / "cache").exists()
    assert torch.equal(fp.materialize(loaded), torch.from_numpy(files[1]))


def test_a_file_with_other_rows_than_promised(files):
    with pytest.raises(DataError, match="else than what was promised") as caught:
        PublishedRows((published_file("set/a", 4),), (2, 2), "idx").read(np.array([0]))
    assert (caught.value.expected, caught.value.got) == ("4 rows", "3 rows of 'data'")


@pytest.mark.parametrize(("shape", "dtype"), [((3, 2), torch.uint8), ((2, 2), torch.int64)])
def test_rows_of_another_form_than_promised(files, shape, dtype):
    with pytest.raises(DataError, match="else than what was promised") as caught:
        PublishedRows(files[0], shape, "idx", dtype).read(np.array([0]))
    assert caught.value.expected == f"{[3, *shape]} {dtype}"
    assert caught.value.got == "[3, 2, 2] torch.uint8"


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_flipped_byte_at_hand(files, tmp_path, monkeypatch, place):
    data = bytearray((tmp_path / "a").read_bytes())
    data[place] ^= 1
    (tmp_path / "data" / "set").mkdir()
    (tmp_path / "data" / "set" / "a").write_bytes(data)
    source = PublishedRows(files[0], (2, 2), "idx")
    with pytest.raises(DataError, match="another file than the one wanted") as caught:
        source.read(np.array([0]))
    assert caught.value.at == str(tmp_path / "data" / "set" / "a")
    assert source.read(np.array([3])).tolist() == [[[99, 99], [99, 99]]]


@pytest.mark.parametrize(
    "file", [PublishedFile("set/none", 3, "0" * 64), PublishedFile("set/a", 3, "0" * 64)]
)
def test_a_file_from_elsewhere_names_no_origin(files, file):
    """What a value may fetch is what fpipe knows, not what the value says."""
    with pytest.raises(DataError, match="does not know this version"):
        PublishedRows((file,), (2, 2), "idx").read(np.array([0]))


# ---------------------------------------------------------------- images of published data sets


def image(path, size=(5, 4), colour=(250, 10, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        image(tmp_path / "data" / "set" / f"{number}.png", colour=(number, 0, 0))
    lines = "".join(
        f"{sha((tmp_path / 'data' / 'set' / f'{n}.png').read_bytes())}  set/{n}.png\n"
        for n in range(3)
    )
    return PublishedImages(
        "set", pl.Series(["2.png", "0.png", "1.png"]), (4, 5), sha(lines.encode())
    )


def test_images(folder):
    assert (folder.rows, folder.shape, folder.dtype) == (3, (3, 4, 5), torch.uint8)
    assert folder.read(np.array([0, 2]))[:, 0, 0, 0].tolist() == [2, 1]


def test_images_that_are_others(folder, tmp_path):
    """One other image among those promised is an error, though it could be decoded."""
    image(tmp_path / "data" / "set" / "1.png", colour=(77, 0, 0))
    for _ in range(2):
        with pytest.raises(DataError, match="else than what was promised") as caught:
            folder.read(np.array([0]))
    assert caught.value.at == str(tmp_path / "data" / "set")
    assert folder.checksum in caught.value.expected


def test_missing_and_broken_images(folder, tmp_path):
    lazy = fp.lazy(folder).take([2, 1])
    path = tmp_path / "data" / "set" / "0.png"
    path.unlink()
    with pytest.raises(DataError, match="the tensor of row 1 cannot be read") as caught:
        fp.materialize(lazy)
    assert caught.value.at == str(path)
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match="the tensor of row 1 cannot be read"):
        fp.materialize(lazy)


def test_images_of_another_size_than_promised(tmp_path):
    image(tmp_path / "data" / "set" / "a.png", size=(6, 4))
    with pytest.raises(DataError, match="row 0 cannot be read") as caught:
        fp.materialize(fp.lazy(PublishedImages("set", pl.Series(["a.png"]), (4, 5))))
    assert "4 × 6 and not 4 × 5" in caught.value.got


def test_images_without_a_folder_of_data(folder, monkeypatch):
    monkeypatch.delenv("FPIPE_DATA")
    with pytest.raises(DataError, match="row 0 cannot be read") as caught:
        fp.materialize(fp.lazy(folder))
    assert "FPIPE_DATA is not set, below which 'set' should be" in caught.value.got


def test_names_in_a_table(tmp_path, monkeypatch):
    table = b"id,x\n2,a\n0,b\n"
    (tmp_path / "table.csv").write_bytes(table)
    url = (tmp_path / "table.csv").as_uri()
    monkeypatch.setitem(registry.FILES, "set/table.csv", Origin("set/table.csv", url, sha(table)))
    for number in range(3):
        image(tmp_path / "data" / "set" / f"{number}.png", colour=(number, 0, 0))

    def images(rows, column):
        names = NamesInTable(published_file("set/table.csv", rows), column, ".png")
        return PublishedImages("set", names)

    source = images(2, "id")
    assert (source.rows, source.shape) == (2, (3, None, None))
    assert not (tmp_path / "cache").exists()
    assert source.read(np.array([0, 1]))[:, 0, 0, 0].tolist() == [2, 0]
    for rows, column in ((3, "id"), (2, "name")):
        with pytest.raises(DataError, match="else than what was promised") as caught:
            images(rows, column).read(np.array([0]))
        assert caught.value.expected == f"{rows} rows with the column '{column}'"
        assert caught.value.got == "2 rows with id, x"


def test_forms():
    assert set(published._READERS) == {"idx", "cifar"}


# ---------------------------------------------------------------- folders of classes


def test_class_folders(tmp_path):
    for name in (
        "b/2.JPG",
        "b/1.jpeg",
        "a/x/y.png",
        "a/.hidden.png",
        "a/.cache/z.png",
        "a/list.txt",
        ".c/q.png",
        "w.png",
    ):
        path = tmp_path / "f" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert class_folders(tmp_path / "f") == {"a": ("a/x/y.png",), "b": ("b/1.jpeg", "b/2.JPG")}
    (tmp_path / "f" / "empty").mkdir()
    with pytest.raises(DataError, match="the class 'empty' has no images"):
        class_folders(tmp_path / "f")


def touched(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


@pytest.mark.parametrize("parts", [("train", "val"), ("test", "Training"), ("train",)])
def test_parts_of_a_data_set_are_no_classes(tmp_path, parts):
    root = touched(
        tmp_path / "set", *(f"{part}/{one}/1.png" for part in parts for one in ("cat", "dog"))
    )
    with pytest.raises(DataError, match="are parts of a data set, not classes") as caught:
        class_folders(root)
    assert f"fp.tasks.image_folder('{root / max(parts, key=len)}')" in caught.value.fix


def test_classes_may_be_called_as_they_like(tmp_path):
    """Only folders of folders are taken for parts, and only where all are called so."""
    root = touched(tmp_path / "a", "test/1.png", "train/2.png")
    assert set(class_folders(root)) == {"test", "train"}
    root = touched(tmp_path / "b", "train/steam/1.png", "plane/jet/2.png")
    assert set(class_folders(root)) == {"train", "plane"}
