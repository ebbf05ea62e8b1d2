"""Files of published data sets are found at hand, in the cache, or fetched and unpacked."""

import hashlib
import io
import tarfile

import pytest

from fpipe.core.errors import DataError
from fpipe.core.value import evolve
from fpipe.io import published, registry
from fpipe.io.cache import cache_folder
from fpipe.io.published import Origin, Packed, located, located_folder, terminal

A, B = b"first" * 100, b"second" * 100


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Return a file in an archive that can be fetched; nothing is at hand."""
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)
    with tarfile.open(tmp_path / "origin.tar.gz", "w:gz") as archive:
        for name, content in {"top/a": A, "top/b": B}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    source = tmp_path / "origin.tar.gz"
    origin = Origin("set/set.tar.gz", source.as_uri(), sha(source.read_bytes()))
    return Packed("set/top/a", origin, sha(A))


def test_fetched_and_unpacked_once(packed, tmp_path):
    path = located(packed)
    assert path == tmp_path / "cache" / "set" / "top" / "a"
    assert path.read_bytes() == A
    (tmp_path / "origin.tar.gz").unlink()
    assert located(packed) == path
    assert located(Packed("set/top/b", packed.archive, sha(B))).read_bytes() == B


def test_a_damaged_file_in_the_cache_is_unpacked_again(packed, tmp_path):
    path = located(packed)
    path.write_bytes(A[:-1] + b"?")
    (tmp_path / "origin.tar.gz").unlink()
    assert located(packed).read_bytes() == A


def test_at_hand(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path / "data"))
    at_hand = tmp_path / "data" / "set" / "top" / "a"
    at_hand.parent.mkdir(parents=True)
    at_hand.write_bytes(A)
    assert located(packed) == at_hand
    assert not cache_folder().exists()
    at_hand.write_bytes(A[:-1] + b"?")
    with pytest.raises(DataError, match="another file than the one wanted"):
        located(packed)


def test_the_archive_holds_another_file(packed):
    with pytest.raises(DataError, match="holds another file") as caught:
        located(evolve(packed, checksum=sha(B)))
    assert caught.value.got == "another file"
    with pytest.raises(DataError) as caught:
        located(evolve(packed, path="set/top/c"))
    assert caught.value.got == "no such file"


def test_neither_the_file_nor_the_archive(packed, tmp_path, monkeypatch):
    """The error says what was looked for, and what lies beside it."""
    (tmp_path / "origin.tar.gz").unlink()
    with pytest.raises(DataError, match="'set/top/a' is not at hand") as caught:
        located(packed)
    assert "which is not set" in caught.value.expected
    assert "cannot be downloaded" in caught.value.got
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        located(packed)
    assert "where its folder is not" in caught.value.expected
    (tmp_path / "set" / "top").mkdir(parents=True)
    (tmp_path / "set" / "top" / "b").write_bytes(B)
    with pytest.raises(DataError) as caught:
        located(packed)
    assert "where b are" in caught.value.expected
    assert caught.value.at == str(tmp_path / "set" / "top" / "a")


def test_folders(packed, tmp_path, monkeypatch):
    assert located_folder("set/top", packed.archive) == tmp_path / "cache" / "set" / "top"
    assert (tmp_path / "cache" / "set" / "top" / "b").read_bytes() == B
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path / "data"))
    assert located_folder("set/top", packed.archive) == tmp_path / "cache" / "set" / "top"
    assert located_folder("own/images") == tmp_path / "data" / "own" / "images"
    (tmp_path / "data" / "set" / "top").mkdir(parents=True)
    assert located_folder("set/top", packed.archive) == tmp_path / "data" / "set" / "top"


def test_by_hand(packed, tmp_path):
    origin = Origin("set/a.csv", "https://example.org/ask", sha(A), by_hand=True)
    with pytest.raises(DataError, match="asked for by hand") as caught:
        located(origin)
    assert caught.value.fix == "get it at https://example.org/ask"
    path = cache_folder() / "set" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(B)
    with pytest.raises(DataError) as caught:
        located(origin)
    assert sha(B) in caught.value.got
    path.write_bytes(A)
    assert located(origin) == path


def test_progress_on_a_terminal_only(packed, monkeypatch, capsys):
    located(packed)
    assert capsys.readouterr().err == ""
    assert terminal("a") is None

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(published.sys, "stderr", screen)
    show = terminal("a.gz")
    show(500_000, None)
    show(500_000, 2_000_000)
    show(2_000_000, 2_000_000)
    assert screen.getvalue().split("\r")[1:] == [
        "a.gz: 0.5 MB",
        "a.gz:  25% of 2.0 MB",
        "a.gz: 100% of 2.0 MB\n",
    ]


def test_the_registry():
    """Every file is known by its own path; archives stand beside what they hold."""
    for path, origin in registry.FILES.items():
        assert origin.path == path
        if isinstance(origin, Packed):
            assert path.split("/")[0] == origin.archive.path.split("/")[0]
    for path, archive in registry.FOLDERS.items():
        assert path.rpartition("/")[0] == archive.path.rpartition("/")[0]
