"""Downloads are checked, kept, and mended."""

import hashlib
import http.client
import os
from pathlib import Path

import pytest

from fpipe.core.errors import DataError, ParameterError
from fpipe.io.cache import cache_folder, checksum, data_folder, fetch, find

CONTENT = b"a,b\n1,2\n" * 1000
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def url(tmp_path):
    path = tmp_path / "source.csv"
    path.write_bytes(CONTENT)
    return path.as_uri()


def test_folders(monkeypatch):
    for name in ("FPIPE_CACHE", "XDG_CACHE_HOME", "FPIPE_DATA"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path.home() / ".cache" / "fpipe"
    assert data_folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/fpipe")
    monkeypatch.setenv("FPIPE_CACHE", "/y")
    monkeypatch.setenv("FPIPE_DATA", "/z")
    assert cache_folder() == Path("/y")
    assert data_folder() == Path("/z")


def test_a_file_is_fetched_once(cache, url):
    path = fetch(url, SUM, "iris/a.csv")
    assert path == cache / "iris" / "a.csv"
    assert path.read_bytes() == CONTENT
    before = path.stat().st_mtime_ns, path.stat().st_ino
    fetch("file:///nowhere", SUM, "iris/a.csv")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("damaged", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"])
def test_a_damaged_file_is_fetched_again(cache, url, damaged):
    path = fetch(url, SUM, "a.csv")
    path.write_bytes(damaged)
    assert fetch(url, SUM, "a.csv").read_bytes() == CONTENT


def test_another_file_at_the_source(cache, url):
    with pytest.raises(DataError) as caught:
        fetch(url, "0" * 64, "a.csv")
    assert caught.value.expected == "sha256 " + "0" * 64
    assert caught.value.got == "sha256 " + SUM
    assert caught.value.at == url
    assert os.listdir(cache) == []


@pytest.mark.parametrize("bad", ["file:///no/such/file.csv", "http://127.0.0.1:9/a.csv"])
def test_offline(cache, bad):
    with pytest.raises(DataError, match=r"'a.csv' cannot be downloaded") as caught:
        fetch(bad, SUM, "a.csv")
    assert "FPIPE_DATA" in caught.value.fix


def test_progress_is_told(cache, url):
    told = []
    fetch(url, SUM, "a.csv", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_data_at_hand_comes_first(cache, url, tmp_path, monkeypatch):
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    assert find("source.csv", "file:///nowhere", SUM) == tmp_path / "source.csv"
    assert find("other.csv", url, SUM) == cache / "other.csv"
    with pytest.raises(DataError, match="another file than the one wanted"):
        find("source.csv", url, "0" * 64)
    monkeypatch.delenv("FPIPE_DATA")
    assert find("source.csv", url, SUM) == cache / "source.csv"


def test_checksum(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    assert checksum(tmp_path / "a") == SUM


MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


def test_checksums_of_two_kinds(cache, url, tmp_path, monkeypatch):
    assert checksum(tmp_path / "source.csv", "md5") == MD5.removeprefix("md5:")
    assert fetch(url, MD5, "a.csv").read_bytes() == CONTENT
    with pytest.raises(DataError, match="another one than the one wanted") as caught:
        fetch(url, "md5:" + "0" * 32, "b.csv")
    assert caught.value.got == MD5.replace(":", " ")
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    assert find("source.csv", "file:///nowhere", MD5) == tmp_path / "source.csv"
    with pytest.raises(DataError, match="another file than the one wanted") as caught:
        find("source.csv", url, "md5:" + "0" * 32)
    assert (caught.value.expected, caught.value.got) == ("md5 " + "0" * 32, MD5.replace(":", " "))


@pytest.mark.parametrize("bad", ["", "0" * 63, "G" * 64, "md5:" + "0" * 64, "sha1:" + "0" * 40])
def test_no_checksum(cache, url, bad):
    with pytest.raises(ParameterError, match="no checksum"):
        fetch(url, bad, "a.csv")
    assert not cache.exists()


def test_an_answer_that_is_none(cache, monkeypatch):
    """A server that speaks something else than HTTP is an error like one that is not there."""

    def broken(*given, **more):
        raise http.client.BadStatusLine("SSH-2.0")

    monkeypatch.setattr("urllib.request.urlopen", broken)
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch("http://127.0.0.1/a.csv", SUM, "a.csv")
