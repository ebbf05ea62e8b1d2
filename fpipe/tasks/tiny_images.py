"""Tiny ImageNet: 200 kinds of ImageNet, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.kind import Classification
from fpipe.data.lazy.published import PublishedImages
from fpipe.data.task import Task
from fpipe.tasks.promised import check_names, check_part, promised

_FOLDER = "tiny_imagenet/tiny-imagenet-200"
_IDS = """
    n01443537 n01629819 n01641577 n01644900 n01698640 n01742172 n01768244 n01770393 n01774384
    n01774750 n01784675 n01855672 n01882714 n01910747 n01917289 n01944390 n01945685 n01950731
    n01983481 n01984695 n02002724 n02056570 n02058221 n02074367 n02085620 n02094433 n02099601
    n02099712 n02106662 n02113799 n02123045 n02123394 n02124075 n02125311 n02129165 n02132136
    n02165456 n02190166 n02206856 n02226429 n02231487 n02233338 n02236044 n02268443 n02279972
    n02281406 n02321529 n02364673 n02395406 n02403003 n02410509 n02415577 n02423022 n02437312
    n02480495 n02481823 n02486410 n02504458 n02509815 n02666196 n02669723 n02699494 n02730930
    n02769748 n02788148 n02791270 n02793495 n02795169 n02802426 n02808440 n02814533 n02814860
    n02815834 n02823428 n02837789 n02841315 n02843684 n02883205 n02892201 n02906734 n02909870
    n02917067 n02927161 n02948072 n02950826 n02963159 n02977058 n02988304 n02999410 n03014705
    n03026506 n03042490 n03085013 n03089624 n03100240 n03126707 n03160309 n03179701 n03201208
    n03250847 n03255030 n03355925 n03388043 n03393912 n03400231 n03404251 n03424325 n03444034
    n03447447 n03544143 n03584254 n03599486 n03617480 n03637318 n03649909 n03662601 n03670208
    n03706229 n03733131 n03763968 n03770439 n03796401 n03804744 n03814639 n03837869 n03838899
    n03854065 n03891332 n03902125 n03930313 n03937543 n03970156 n03976657 n03977966 n03980874
    n03983396 n03992509 n04008634 n04023962 n04067472 n04070727 n04074963 n04099969 n04118538
    n04133789 n04146614 n04149813 n04179913 n04251144 n04254777 n04259630 n04265275 n04275548
    n04285008 n04311004 n04328186 n04356056 n04366367 n04371430 n04376876 n04398044 n04399382
    n04417672 n04456115 n04465501 n04486054 n04487081 n04501370 n04507155 n04532106 n04532670
    n04540053 n04560804 n04562935 n04596742 n04597913 n06596364 n07579787 n07583066 n07614500
    n07615774 n07695742 n07711569 n07715103 n07720875 n07734744 n07747607 n07749582 n07753592
    n07768694 n07871810 n07873807 n07875152 n07920052 n09193705 n09246464 n09256479 n09332890
    n09428293 n12267677
"""
_CLASSES = tuple(_IDS.split())
_EACH, _TRAIN, _OTHER = 500, 100_000, 10_000
_PARTS = {
    "all": (0, _TRAIN + _OTHER),
    "train": (0, _TRAIN),
    "valid": (_TRAIN, _TRAIN + _OTHER),
    "test": (_TRAIN + _OTHER, _TRAIN + 2 * _OTHER),
}


def tiny_imagenet(part: str = "all") -> Task:
    """Return 110,000 photographs of 200 kinds of ImageNet, 64 × 64 pixels.

    The archive (248 MB) is fetched and unpacked when values are first read; all else is known
    before. Row ids count through the whole data: training rows by class and number, then
    validation and test rows by number. The archive is checked when it is fetched; in a folder of
    data at hand the lists of classes are, and an image when it is decoded.

    Args:
        part: ``"train"`` (100,000 rows), ``"valid"`` (10,000) as published, ``"all"`` of these, or
            ``"test"`` (10,000), whose classes were never published: that task has no target.

    Returns:
        a classification of ``class`` (200 WordNet ids, sorted; 550 rows of each) from ``image``,
        lazy, ``[3, 64, 64]`` uint8 from 0 to 255. ``split`` (``"train"``, ``"valid"``, ``"test"``)
        is no feature. Nothing is missing.

    Raises:
        ParameterError: there is no such part.
        DataError: when values are read, and the archive can be neither found nor downloaded, or
            it is another one.

    Example:
        >>> task = tiny_imagenet("valid")
        >>> task.n_rows, len(task.classes), task.classes[0]
        (10000, 200, 'n01443537')

    Source:
        Le and Yang 2015, *Tiny ImageNet Visual Recognition Challenge* (Stanford CS231N), from
        Deng and others 2009, *ImageNet*. Licence: research and non-commercial use.
    """
    check_part(part, tuple(_PARTS))
    images = PublishedImages(_FOLDER, _names(), (64, 64))
    start, stop = _PARTS[part]

    def read() -> pl.DataFrame:
        folder = images.place()
        check_names("tiny_imagenet", _CLASSES, sorted(_lines(folder / "wnids.txt")))
        valid = _annotated(_lines(folder / "val" / "val_annotations.txt"))
        whole = [name for name in _CLASSES for _ in range(_EACH)] + valid + [None] * _OTHER
        parts = ["train"] * _TRAIN + ["valid"] * _OTHER + ["test"] * _OTHER
        table = pl.DataFrame({"class": whole, "split": parts})[start:stop]
        return table.drop("class") if part == "test" else table

    labels = {} if part == "test" else {"class": pl.Enum(_CLASSES)}
    return promised(
        "tiny_imagenet",
        Classification(_CLASSES),
        {**labels, "split": pl.Enum(["train", "valid", "test"])},
        {"target": tuple(labels), "feature": ("image",)},
        np.arange(start, stop, dtype=np.int64),
        {"image": images},
        read,
    )


def _names() -> pl.Series:
    train = (f"train/{one}/images/{one}_{n}.JPEG" for one in _CLASSES for n in range(_EACH))
    valid = (f"val/images/val_{n}.JPEG" for n in range(_OTHER))
    test = (f"test/images/test_{n}.JPEG" for n in range(_OTHER))
    return pl.Series("name", [*train, *valid, *test])


def _annotated(lines: list[str]) -> list[str]:
    """Return the classes of the validation images in the order of their numbers."""
    found = dict(line.split("\t")[:2] for line in lines if line.count("\t"))
    missing = [n for n in range(_OTHER) if f"val_{n}.JPEG" not in found]
    if missing:
        raise DataError(
            "the data set 'tiny_imagenet' has other rows than promised.",
            expected=f"a class of each of {_OTHER} images in val/val_annotations.txt",
            got=f"none of {len(missing)} of them, such as val_{missing[0]}.JPEG",
            fix="restore the folder in FPIPE_DATA, or remove it there and in the cache",
        )
    return [found[f"val_{n}.JPEG"] for n in range(_OTHER)]


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"'{path.name}' of the data set 'tiny_imagenet' cannot be read.",
            expected="the folder as it is in the archive",
            got=f"{type(error).__name__}: {error}",
            at=str(path),
            fix="restore the folder in FPIPE_DATA, or remove it there and in the cache",
        ) from error
