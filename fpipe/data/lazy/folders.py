"""Folders of images whose sub-folders are classes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fpipe.core.errors import DataError

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""How the names of image files end, in any case."""

PARTS = ("dev", "eval", "test", "testing", "train", "training", "val", "valid", "validation")
"""How the parts of a data set are called, in any case."""


def class_folders(folder: str | Path) -> dict[str, tuple[str, ...]]:
    """Return the image files in the sub-folders of a folder: class → paths below it, sorted.

    Files further down count as well; hidden files and folders, and files that are no images by
    their names, do not.

    Args:
        folder: the folder.

    Raises:
        DataError: it is no folder, has no sub-folders, there is no image in one of them, or they
            are the parts of a data set, with the folders of the classes below.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            "there is no such folder.",
            expected="a folder with one sub-folder for each class",
            got="a file" if folder.exists() else "nothing",
            at=str(folder),
            fix=f"check the path; it is relative to '{Path.cwd()}'"
            if not folder.is_absolute()
            else "check the path",
        )
    names = sorted(each.name for each in folder.iterdir() if each.is_dir() and _shown(each.name))
    if not names:
        images = _images(folder, folder)
        raise DataError(
            "the folder has no sub-folders.",
            expected="one sub-folder for each class",
            got=f"{len(images)} images and no sub-folder" if images else "no image at all",
            at=str(folder),
            fix="move the images of each class into a sub-folder with the name of the class",
        )
    found = {name: _of_class(folder, name) for name in names}
    _check_classes(folder, found)
    return found


def _check_classes(folder: Path, found: Mapping[str, tuple[str, ...]]) -> None:
    """Raise DataError where the sub-folders are parts of a data set that hold the classes."""
    parts = all(name.lower() in PARTS for name in found)
    deeper = all(file.count("/") > 1 for files in found.values() for file in files)
    if parts and deeper:
        first = next(
            (name for name in found if name.lower().startswith("train")), next(iter(found))
        )
        raise DataError(
            "the sub-folders are parts of a data set, not classes.",
            expected="one sub-folder for each class",
            got=", ".join(f"{name}/{files[0].split('/')[1]}/" for name, files in found.items()),
            at=str(folder),
            fix=f"make a task of each part: fp.tasks.image_folder({str(folder / first)!r})",
        )


def _of_class(folder: Path, name: str) -> tuple[str, ...]:
    found = _images(folder / name, folder)
    if not found:
        raise DataError(
            f"the class '{name}' has no images.",
            expected=f"files that end in {', '.join(ENDINGS)}",
            got=f"no such file in '{name}'",
            at=str(folder / name),
            fix="remove that folder, or put images into it",
        )
    return found


def _images(folder: Path, root: Path) -> tuple[str, ...]:
    found = []
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if _shown(name)]
        found += [Path(place, name) for name in names if _shown(name) and _is_image(name)]
    return tuple(sorted(path.relative_to(root).as_posix() for path in found))


def _shown(name: str) -> bool:
    return not name.startswith(".")


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in ENDINGS
