"""Cats and dogs, and the photographs in a folder of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.construct import classification
from fpipe.data.kind import Classification
from fpipe.data.lazy.folders import class_folders
from fpipe.data.lazy.making import image_files
from fpipe.data.lazy.published import PublishedImages
from fpipe.data.task import Task
from fpipe.tasks.promised import check_part, promised

_CLASSES = ("cat", "dog")
_NUMBERS = {"train": range(600), "fullsize": range(1, 61)}
_PIXELS = {"train": (200, 200), "fullsize": None}
_CHECKSUMS = {
    "train": "031a78babc7eb95a2432c6ca64b30892e5320831a272ef6431067bae503a57d3",
    "fullsize": "0aab1d8a457dcbd96bfc1d404830d8fbf368c4db9fe31fdf39bb8df4b8cdddb8",
}


def dogs_vs_cats(size: str = "train") -> Task:
    """Return photographs of cats and dogs.

    The images have to be asked for by hand, and are read from ``FPIPE_DATA``:
    ``dogs_vs_cats/<size>/cat.<number>.jpg`` and ``dog.<number>.jpg``. Without them all but the
    pixels is known; when the first image is read, all are compared with a checksum.

    Args:
        size: ``"train"`` (600 cats and 600 dogs, numbers 0 to 599, resized to 200 × 200), or
            ``"fullsize"`` (60 and 60 of the same photographs, numbers 1 to 60, as large as they
            were taken). Do not mix both in one split.

    Returns:
        a classification of ``class`` (``"cat"``, ``"dog"``; the latter is positive, half of the
        rows) from ``image``, lazy, ``[3, height, width]`` uint8 from 0 to 255. ``file`` names the
        rows, which stand in the order of class and number.

    Raises:
        ParameterError: there is no such size.
        DataError: when an image is read, and it is not at hand, or images are others.

    Example:
        >>> dogs_vs_cats()
        Task 'dogs_vs_cats' (classification, 1200 rows, target 'class')
          classes   cat, dog (positive)
          features  lazy uint8 [3, 200, 200] (1): image
          name      file

    Source:
        Elson, Douceur, Howell and Saul 2007, *Asirra*; Kaggle's competition *Dogs vs. Cats* 2013,
        https://www.kaggle.com/c/dogs-vs-cats, of which these are a part. Licence: research and
        non-commercial use.
    """
    check_part(size, tuple(_NUMBERS), "size")
    names = [(one, f"{one}.{number}.jpg") for one in _CLASSES for number in _NUMBERS[size]]
    table = pl.DataFrame(names, schema=["class", "file"], orient="row")
    images = PublishedImages(f"dogs_vs_cats/{size}", table["file"], _PIXELS[size], _CHECKSUMS[size])
    return promised(
        "dogs_vs_cats",
        Classification(_CLASSES, "dog"),
        {"class": pl.Enum(_CLASSES), "file": pl.String()},
        {"target": ("class",), "feature": ("image",), "name": ("file",)},
        np.arange(table.height, dtype=np.int64),
        {"image": images},
        lambda: table,
    )


def image_folder(
    path: str | Path,
    *,
    positive: str | None = None,
    size: tuple[int, int] | None = None,
    mode: str = "RGB",
    decoder: str = "auto",
    name: str | None = None,
) -> Task:
    """Return the images in a folder whose sub-folders are the classes.

    The names of the files are read at once, the images when they are needed.

    Args:
        path: the folder. What lies in sub-folders of a class belongs to it; hidden files and
            folders do not count, nor do files that are no images by their names (bmp, gif, jpeg,
            jpg, png, tif, tiff, webp, in any case).
        positive: of two classes, the one that counts as positive; the last by default.
        size: height and width that all images have, where that is known.
        mode: ``"RGB"``, or ``"L"`` for one gray channel.
        decoder: ``"auto"``, ``"pillow"`` or ``"simplejpeg"``, as in `image_files`.
        name: a name to show; that of the folder by default.

    Returns:
        a classification of ``class``, the names of the sub-folders, sorted, from ``image``, lazy,
        ``[channels, height, width]`` uint8 from 0 to 255. ``file``, the path below the folder,
        names the rows, which are sorted by it within their class.

    Raises:
        DataError: there is no such folder, it has fewer than two sub-folders, or there is no image
            in one of them.
        ParameterError: the positive class, mode or decoder is none.
    """
    folder = Path(path)
    found = class_folders(folder)
    if len(found) < 2:
        only = next(iter(found))
        raise DataError(
            f"the folder has one class, '{only}'.",
            expected="at least two sub-folders, one for each class",
            got=f"{len(found[only])} images in '{only}'",
            at=str(folder),
            fix="pass the folder that holds the folders of the classes",
        )
    files = [file for one in found.values() for file in one]
    images = image_files([folder / file for file in files], size=size, mode=mode, decoder=decoder)
    classes = [one for one, below in found.items() for _ in below]
    task = classification(
        {"class": classes, "file": files, "image": images},
        "class",
        positive=positive,
        features=("image",),
        name=folder.resolve().name if name is None else name,
    )
    return task.with_roles(name="file")
