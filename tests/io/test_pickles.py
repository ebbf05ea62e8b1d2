"""Pickles give plain data, and call nothing that they name."""

import os
import pickle

import numpy as np
import pytest

from fpipe.io.pickles import plain_pickle

PLAIN = {"a": [1, 2.5, None, True], "b": ("x", b"y"), "n": {"m": []}}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data(protocol):
    plain = {**PLAIN, "b": ("x",)} if protocol < 3 else PLAIN  # bytes are no plain data before 3
    assert plain_pickle(pickle.dumps(plain, protocol)) == plain


@pytest.mark.parametrize("dtype", ["u1", "i8", "<u2", ">i4", "f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays(dtype, order, protocol):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype, order=order)
    found = plain_pickle(pickle.dumps({"x": array}, protocol))["x"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert found.flags.owndata or found.base.flags.owndata
    assert found.flags.writeable


def test_arrays_of_python_2():
    """What CIFAR's files hold: text of Python 2 in the place of bytes."""
    pickled = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01K\x01K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x03\x00\x7f\xfftb."
    )
    found = plain_pickle(pickled)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 127, 255]]
    assert np.array_equal(found, pickle.loads(pickled, encoding="latin1"))


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def structured():
    return np.zeros(2, [("a", "i4"), ("b", "f8")])


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Evil(os.system, "touch evil")),
        pickle.dumps([1, Evil(eval, "open('evil', 'w')")]),
        pickle.dumps({"data": Evil(exec, "open('evil', 'w')")}, 0),
        b"cos\nsystem\n(S'touch evil'\ntR.",
        b"(S'touch evil'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch evil'\no.",
        b"cnumpy\nload\n(S'evil'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
    ],
)
def test_nothing_is_called(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="it names"):
        plain_pickle(data)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(np.array([{"a": 1}, None], object)),
        pickle.dumps(np.array(["a", "b"])),
        pickle.dumps(np.array([1 + 2j])),
        pickle.dumps(structured()),
        pickle.dumps({1, 2}),
        pickle.dumps(np.float32(1)),
        pickle.dumps(np.dtype("u1")),
        pickle.dumps(np.ndarray),
        b"cnumpy\nndarray\n.",
        b"cnumpy\nndarray\n(I9\ntR.",
        b"cnumpy\nndarray\n}S'__doc__'\nS'x'\nsb.",
        b"cnumpy\nndarray\n(N}S'name'\nS'x'\nstb.",
        b"r\xff\xff\xff\xff.",
        b"P1\n.",
        b"\x82\x01.",
        b"",
        b"no pickle",
        pickle.dumps(PLAIN)[:-5],
        pickle.dumps(np.arange(9))[:-9],
    ],
)
def test_what_is_not_plain_is_refused(data):
    with pytest.raises(ValueError, match="no pickle of plain data"):
        plain_pickle(data)


def test_an_array_with_too_few_bytes():
    data = pickle.dumps(np.arange(9, dtype=np.uint8), 4).replace(b"K\x09\x85", b"K\x0a\x85")
    with pytest.raises(ValueError, match="no pickle of plain data"):
        plain_pickle(data)
