"""Files of CIFAR."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fpipe.core.errors import DataError
from fpipe.data.lazy.cifar import cifar_batch, cifar_source

DATA = os.environ.get("FPIPE_DATA")
FOLDER = Path(DATA or ".") / "cifar10" / "cifar-10-batches-py"
needs_cifar = pytest.mark.skipif(
    not (FOLDER / "test_batch").is_file(), reason="FPIPE_DATA has no cifar10"
)


@pytest.fixture
def batch(tmp_path):
    """Return a small file in the form of CIFAR-100, and what it holds."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
    held = {"data": pixels, "fine_labels": [3, 1, 0, 99], "coarse_labels": [2, 0, 1, 19]}
    path = tmp_path / "train"
    path.write_bytes(pickle.dumps(held, 3))
    return path, held


def test_a_batch(batch):
    path, held = batch
    found = cifar_batch(path)
    assert set(found) == set(held)
    assert found["data"].dtype == torch.uint8
    assert found["data"].shape == (4, 3, 32, 32)
    # red, green and blue planes of 1,024 pixels each, row by row
    assert found["data"][2, 1, 3, 5] == held["data"][2, 1024 + 3 * 32 + 5]
    assert found["fine_labels"].tolist() == held["fine_labels"]
    source = cifar_source([path, path])
    assert (source.rows, source.shape) == (8, (3, 32, 32))
    assert torch.equal(source.read(np.array([6])), found["data"][2:3])


@needs_cifar
def test_the_published_files():
    """As pickle itself reads them, which is safe for files whose checksum is known."""
    found = cifar_batch(FOLDER / "test_batch")
    held = pickle.loads((FOLDER / "test_batch").read_bytes(), encoding="latin1")
    assert np.array_equal(found["data"].reshape(10_000, 3072), held["data"])
    assert found["labels"].tolist() == held["labels"]


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


PIXELS = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    "held",
    [
        {"data": PIXELS, "labels": Evil()},
        {"data": PIXELS, "labels": [1]},
        {"data": PIXELS, "labels": ["a", "b"]},
        {"data": PIXELS[:, :-1], "labels": [0, 1]},
        {"data": PIXELS.astype(np.int64), "labels": [0, 1]},
        {"data": [[0] * 3072] * 2, "labels": [0, 1]},
        {"labels": [0, 1]},
        [PIXELS],
    ],
)
def test_other_files(tmp_path, monkeypatch, held):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch").write_bytes(pickle.dumps(held, 3))
    with pytest.raises(DataError, match="no file of CIFAR") as caught:
        cifar_batch(tmp_path / "batch")
    assert caught.value.at == str(tmp_path / "batch")
    assert os.listdir(tmp_path) == ["batch"]


def test_missing_cut_off_or_too_large(batch, tmp_path):
    path, _ = batch
    with pytest.raises(DataError, match="no file of CIFAR"):
        cifar_batch(tmp_path / "nothing")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="no file of CIFAR"):
        cifar_batch(path)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(DataError, match="no file of CIFAR") as caught:
        cifar_batch(path)
    assert "larger" in caught.value.got
