"""Files are whole or not at all."""

import os

import pytest

from fpipe.io.files import atomic, write_atomic


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "below" / "a.bin"
    write_atomic(path, b"one")
    write_atomic(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.bin"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_the_old_file_stands_until_the_end(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")
    with atomic(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_others_may_read_it_and_a_mode_is_kept(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    write_atomic(path, b"")
    assert path.stat().st_mode & 0o777 == 0o600
