"""Keys: the same in every process, independent of each other and of grouping."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key, key, require_key

N = 200_000


def test_a_key_is_a_value():
    assert key(3).fold_in("a").fold_in(1) == Key(3, ("a", 1))
    assert key(3).fold_in("1") != key(3).fold_in(1)
    assert hash(key(3)) == hash(Key(3))
    assert repr(key(3).fold_in("a")) == "key(3)/a"


@pytest.mark.parametrize("seed", [-1, 1.5, True, "3", None])
def test_what_is_no_seed(seed):
    with pytest.raises(ParameterError, match="a key needs a seed"):
        key(seed)


@pytest.mark.parametrize("data", [1.5, True, None, ("a",)])
def test_what_cannot_be_folded_in(data):
    with pytest.raises(ParameterError, match="integer or a name"):
        key(0).fold_in(data)


def test_a_public_function_folds_its_name_in():
    assert require_key(key(1), "fit") == key(1).fold_in("fit")
    with pytest.raises(ParameterError, match="fit: what draws takes a key"):
        require_key(42, "fit")


def test_drawing_consumes_nothing():
    k = key(5)
    assert k.numpy().random() == k.numpy().random()
    a, b = (torch.rand(3, generator=k.generator()) for _ in range(2))
    assert torch.equal(a, b)


def test_no_global_generator_moves():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    k = key(5)
    k.numpy().random(), k.generator(), k.permutation(5), k.row_uniforms(np.arange(5))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_paths_do_not_run_into_each_other():
    paths = [
        ("ab",),
        ("a", "b"),
        ("a;", "b"),
        (1, 2),
        (12,),
        ("1", 2),
        ("s1:a;",),
        ("split", 0),
        (),
    ]
    assert len({Key(0, path).integer() for path in paths}) == len(paths)


def test_many_keys_give_different_integers():
    root = key(0)
    assert len({root.fold_in(i).integer() for i in range(3000)}) == 3000


def test_integers_are_uniform_in_each_bit():
    words = np.array([key(i).fold_in("x").integer() for i in range(4000)], np.uint64)
    bits = (words[:, None] >> np.arange(63, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(4000)


def test_a_permutation_is_one():
    assert sorted(key(0).permutation(50).tolist()) == list(range(50))
    assert key(0).permutation(0).tolist() == []


def test_row_uniforms_lie_in_the_unit_interval_and_are_uniform():
    draws = key(1).row_uniforms(np.arange(N), 3)
    assert draws.shape == (N, 3)
    assert draws.dtype == np.float64
    assert draws.min() >= 0
    assert draws.max() < 1
    for column in draws.T:
        counts = np.histogram(column, 64, (0, 1))[0]
        chi2 = ((counts - N / 64) ** 2 / (N / 64)).sum()
        assert abs(chi2 - 63) < 6 * np.sqrt(2 * 63)


def correlation(a, b):
    return abs(np.corrcoef(a, b)[0, 1]) * np.sqrt(len(a))


def test_row_uniforms_are_independent_over_rows_draws_and_keys():
    k, rows = key(1), np.arange(N)
    draws = k.row_uniforms(rows, 2)
    pairs = [
        (draws[:-1, 0], draws[1:, 0]),
        (draws[:, 0], draws[:, 1]),
        (draws[:-1, 1], draws[1:, 0]),
        (draws[:, 0], key(2).row_uniforms(rows)[:, 0]),
        (draws[:, 0], k.fold_in(0).row_uniforms(rows)[:, 0]),
        (k.fold_in(0).row_uniforms(rows)[:, 0], k.fold_in(1).row_uniforms(rows)[:, 0]),
        (draws[:, 0], k.row_uniforms(rows + (1 << 40))[:, 0]),
    ]
    assert all(correlation(a, b) < 5 for a, b in pairs)


def test_row_uniforms_of_different_rows_differ():
    rows = np.array([0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63)])
    draws = key(0).row_uniforms(rows, 4)
    assert len(np.unique(draws)) == draws.size


def test_fewer_draws_are_a_prefix_of_more():
    rows = np.array([5, -3, 10**15])
    assert (key(0).row_uniforms(rows, 7)[:, :3] == key(0).row_uniforms(rows, 3)).all()


def test_order_and_grouping_of_rows_do_not_matter():
    k, rows = key(9), np.arange(0, 3000, 3)
    whole = k.row_uniforms(rows, 2)
    shuffled = key(1).permutation(len(rows))
    assert (k.row_uniforms(rows[shuffled], 2) == whole[shuffled]).all()
    parts = [k.row_uniforms(part, 2) for part in np.array_split(rows, 7)]
    assert (np.concatenate(parts) == whole).all()
    assert (k.row_uniforms(rows[::2], 2) == whole[::2]).all()
    assert k.row_uniforms(rows[:0], 2).shape == (0, 2)


def test_another_process_draws_the_same():
    code = (
        "import numpy as np; from fpipe.core.key import key; k = key(7).fold_in('a').fold_in(3);"
        "print(k.integer(), k.permutation(5).tolist(), k.row_uniforms(np.arange(2), 2).tolist())"
    )
    k = key(7).fold_in("a").fold_in(3)
    here = f"{k.integer()} {k.permutation(5).tolist()} {k.row_uniforms(np.arange(2), 2).tolist()}"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here
