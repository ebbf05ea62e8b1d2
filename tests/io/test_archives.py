"""Archives are unpacked whole or not at all, and write nothing but what belongs there."""

import io
import os
import tarfile
import zipfile

import pytest

from fpipe.core.errors import DataError
from fpipe.io.archives import Bounds, unpack

FILES = {"top/a.txt": b"42", "top/below/b.bin": bytes(range(256)) * 5000}


def tarred(path, files, mode="w:gz", **special):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, (kind, target) in special.items():
            info = tarfile.TarInfo(f"top/{name}")
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def found(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("make", [tarred, zipped])
def test_unpacked(tmp_path, make):
    unpack(make(tmp_path / "archive", FILES), tmp_path / "cache" / "top")
    assert found(tmp_path / "cache") == FILES
    assert os.listdir(tmp_path / "cache") == ["top"]


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_other_tar_files(tmp_path, mode):
    unpack(tarred(tmp_path / "archive", FILES, mode), tmp_path / "cache" / "top")
    assert found(tmp_path / "cache") == FILES


def test_as_tar_packs_a_folder(tmp_path):
    (tmp_path / "top" / "empty").mkdir(parents=True)
    (tmp_path / "top" / "a.txt").write_bytes(b"42")
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        archive.add(tmp_path / "top", "./top")
    unpack(tmp_path / "archive", tmp_path / "cache" / "top")
    assert found(tmp_path / "cache") == {"top/a.txt": b"42"}
    assert (tmp_path / "cache" / "top" / "empty").is_dir()


def refused(tmp_path, archive, **more):
    """Tell why an archive is refused; nothing is left behind."""
    cache = tmp_path / "deep" / "cache"
    with pytest.raises(DataError, match="is not unpacked") as caught:
        unpack(archive, cache / "top", **more)
    assert os.listdir(cache) == []
    assert sorted(os.listdir(tmp_path)) == ["archive", "deep"]
    assert os.listdir(tmp_path / "deep") == ["cache"]
    assert caught.value.at == str(archive)
    return caught.value.rule


@pytest.mark.parametrize("make", [tarred, zipped])
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "top/../../evil",
        "/evil",
        "other/a.txt",
        "top\\..\\evil",
        "C:/evil",
        "top/../evil",
    ],
)
def test_names_that_lead_elsewhere(tmp_path, make, name):
    archive = make(tmp_path / "archive", {**FILES, name: b"x"})
    assert "leads elsewhere" in refused(tmp_path, archive)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "a.txt"),
        (tarfile.LNKTYPE, "top/a.txt"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_in_tar_files(tmp_path, kind, target):
    archive = tarred(tmp_path / "archive", FILES, link=(kind, target))
    assert "link or device" in refused(tmp_path, archive)


def test_links_in_zip_files(tmp_path):
    info = zipfile.ZipInfo("top/link")
    info.external_attr = 0o120777 << 16
    assert "link or device" in refused(tmp_path, zipped(tmp_path / "archive", {info: b"/etc"}))


@pytest.mark.parametrize("make", [tarred, zipped])
def test_too_much(tmp_path, make):
    """The bytes that come are counted, whatever the archive says of itself."""
    archive = make(tmp_path / "archive", FILES)
    size = sum(map(len, FILES.values()))
    assert "more than it may" in refused(tmp_path, archive, bounds=Bounds(size=size - 1))
    assert "more than it may" in refused(tmp_path, archive, bounds=Bounds(files=1))
    unpack(archive, tmp_path / "top", bounds=Bounds(size, 2))


@pytest.mark.parametrize("make", [tarred, zipped])
@pytest.mark.parametrize("place", [0.3, 0.6])
def test_damaged(tmp_path, make, place):
    content = os.urandom(5000)
    data = bytearray(make(tmp_path / "archive", {"top/a": content}).read_bytes())
    data[int(len(data) * place)] ^= 1
    (tmp_path / "archive").write_bytes(data)
    assert "that fails" in refused(tmp_path, tmp_path / "archive")


@pytest.mark.parametrize("make", [tarred, zipped])
def test_cut_off(tmp_path, make):
    data = make(tmp_path / "archive", {"top/a": os.urandom(5000)}).read_bytes()
    for length in (0, 10, len(data) // 2):
        (tmp_path / "archive").write_bytes(data[:length])
        assert "that fails" in refused(tmp_path, tmp_path / "archive")


def test_a_name_that_comes_twice(tmp_path):
    with tarfile.open(tmp_path / "archive", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("top/a"), io.BytesIO())
    assert "that fails" in refused(tmp_path, tmp_path / "archive")


def test_a_folder_that_is_there_is_replaced(tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "old").write_bytes(b"")
    unpack(tarred(tmp_path / "archive", FILES), tmp_path / "top")
    assert "top/old" not in found(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["archive", "top"]


def test_somebody_else_was_faster(tmp_path, monkeypatch):
    """Two processes may unpack at once: what the first has put there stays."""
    archive, rename = tarred(tmp_path / "archive", FILES), os.rename

    def late(source, target):
        monkeypatch.setattr(os, "rename", rename)
        unpack(archive, tmp_path / "top")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    unpack(archive, tmp_path / "top")
    assert {name for name in found(tmp_path) if name != "archive"} == set(FILES)
    assert sorted(os.listdir(tmp_path)) == ["archive", "top"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    """What was there before is put back where the new one cannot take its place."""
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "old").write_bytes(b"42")
    rename = os.rename

    def full(source, target):
        if os.path.basename(source) == "top" and os.path.dirname(source) != str(tmp_path):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(tarred(tmp_path / "archive", FILES), tmp_path / "top")
    assert found(tmp_path / "top") == {"old": b"42"}
    assert sorted(os.listdir(tmp_path)) == ["archive", "top"]


def test_too_many_folders(tmp_path):
    with tarfile.open(tmp_path / "archive", "w") as archive:
        for number in range(4):
            info = tarfile.TarInfo(f"top/{number}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    assert "more than it may" in refused(tmp_path, tmp_path / "archive", bounds=Bounds(files=3))
    unpack(tmp_path / "archive", tmp_path / "top", bounds=Bounds(files=4))
