"""Photographs of skin lesions, and what is known of the patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.kind import Classification
from fpipe.data.lazy.published import NamesInTable, PublishedImages, published_file
from fpipe.data.task import Task
from fpipe.tasks.promised import check_part, promised, span, table_in

_SEX = pl.Enum(["female", "male"])
_SITE = "anatom_site_general_challenge"
_SITES = pl.Enum(
    ["head/neck", "lower extremity", "oral/genital", "palms/soles", "torso", "upper extremity"]
)
_OUTCOME = ("benign", "malignant")
_MELANOMA: Mapping[str, Any] = {
    "image_name": pl.String(),
    "patient_id": pl.String(),
    "sex": _SEX,
    "age_approx": pl.Float64(),
    _SITE: _SITES,
    "diagnosis": pl.String(),
    "outcome": pl.Enum(_OUTCOME),
}
_DX = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_MALIGNANT = ("akiec", "bcc", "mel")
_HAM: Mapping[str, Any] = {
    "lesion_id": pl.String(),
    "image_id": pl.String(),
    "dx": pl.Enum(_DX),
    "dx_type": pl.Enum(["confocal", "consensus", "follow_up", "histo"]),
    "age": pl.Float64(),
    "sex": pl.Enum(["female", "male", "unknown"]),
    "localization": pl.Enum(
        [
            "abdomen",
            "acral",
            "back",
            "chest",
            "ear",
            "face",
            "foot",
            "genital",
            "hand",
            "lower extremity",
            "neck",
            "scalp",
            "trunk",
            "unknown",
            "upper extremity",
        ]
    ),
}


def melanoma(part: str = "train") -> Task:
    """Return 33,126 photographs of skin lesions of 2,056 patients: melanomas among the benign.

    Tables and images have to be asked for by hand, and are read from ``FPIPE_DATA``:
    ``isic2020/train.csv``, ``isic2020/test.csv`` and ``isic2020/images/<image_name>.jpg``.
    Without them all but the values is known; a row whose image is not there is an error when its
    image is read. All rows of the published table are kept, also the 425 that its authors later
    listed as duplicates.

    Args:
        part: ``"train"``, or ``"test"``: 10,982 rows whose outcome was never published, so that
            the task has no target.

    Returns:
        a classification of ``outcome`` (``"benign"`` 32,542 rows, ``"malignant"`` 584; the latter
        is positive) from ``sex`` (65 missing), ``age_approx`` (years, 68 missing),
        ``anatom_site_general_challenge`` (6 places, 527 missing) and ``image``, lazy,
        ``[3, height, width]`` uint8 of varying size. No split parts the rows of one
        ``patient_id``. ``image_name`` names the rows, and ``diagnosis`` is no feature.

    Raises:
        ParameterError: there is no such part.
        DataError: when values are read, and a file is not at hand, or it is another one.

    Example:
        >>> task = melanoma()
        >>> task.n_rows, task.classes, task.roles["group"]
        (33126, ('benign', 'malignant'), ('patient_id',))

    Source:
        Rotemberg and others 2021, *A patient-centric dataset of images and metadata for
        identifying melanomas using clinical context*, Scientific Data 8:34; International Skin
        Imaging Collaboration, SIIM-ISIC 2020 Challenge Dataset. Licence: CC BY-NC 4.0, with
        attribution.
    """
    check_part(part, ("train", "test"))
    train = part == "train"
    file = published_file(f"isic2020/{part}.csv", 33_126 if train else 10_982)
    left_out = () if train else ("diagnosis", "outcome")
    schema = {name: dtype for name, dtype in _MELANOMA.items() if name not in left_out}

    def read() -> pl.DataFrame:
        there = {name: "benign_malignant" if name == "outcome" else name for name in schema}
        return _selected(table_in(file.place()), there)

    images = PublishedImages("isic2020/images", NamesInTable(file, "image_name", ".jpg"))
    return promised(
        "melanoma",
        Classification(_OUTCOME, "malignant"),
        schema,
        {
            "target": ("outcome",) if train else (),
            "feature": ("sex", "age_approx", _SITE, "image"),
            "group": ("patient_id",),
            "name": ("image_name",),
        },
        span(0, file.rows),
        {"image": images},
        read,
    )


def ham10000(
    target: str = "dx",
    *,
    only_present: bool = False,
    size: tuple[int, int] | None = (224, 224),
) -> Task:
    """Return 10,015 photographs of 7,470 pigmented skin lesions of seven kinds.

    Table and images have to be asked for by hand, and are read from ``FPIPE_DATA``:
    ``ham10000/HAM10000_metadata.csv`` and ``ham10000/images/<image_id>.jpg``. Without them all but
    the values is known; a row whose image is not there is an error when its image is read. Row
    ids are places in the table, whichever rows are taken.

    Args:
        target: ``"dx"`` for the diagnosis, or ``"malignant"`` for whether it is one of ``"akiec"``,
            ``"bcc"`` and ``"mel"``.
        only_present: whether only the rows are taken whose image is there. What is there is a
            fact of the machine, so then the table and the names in the folder are read at once.
        size: height and width to which the images at hand were resized; None where they vary or
            are not known. The published ones have 450 × 600.

    Returns:
        a classification of ``dx`` (``"akiec"`` 327 rows, ``"bcc"`` 514, ``"bkl"`` 1,099, ``"df"``
        115, ``"mel"`` 1,113, ``"nv"`` 6,705, ``"vasc"`` 142), or of ``malignant`` (``"no"`` 8,061,
        ``"yes"`` 1,954; the latter is positive), from ``age`` (years, 57 missing), ``sex`` and
        ``localization`` (with the level ``"unknown"`` in 57 and 234 rows) and ``image``, lazy,
        ``[3, height, width]`` uint8. No split parts the rows of one ``lesion_id``. ``image_id``
        names the rows; ``dx_type``, and ``dx`` beside ``malignant``, are no features.

    Raises:
        ParameterError: there is no such target.
        DataError: when values are read, and a file is not at hand, or it is another one; with
            ``only_present``, no image is there at all.

    Example:
        >>> ham10000("malignant").kind
        Classification(classes=('no', 'yes'), positive='yes')

    Source:
        Tschandl, Rosendahl and Kittler 2018, *The HAM10000 dataset*, Scientific Data 5:180161,
        doi 10.7910/DVN/DBW86T. Licence: CC BY-NC 4.0, with attribution.
    """
    check_part(target, ("dx", "malignant"), "target")
    file = published_file("ham10000/HAM10000_metadata.csv", 10_015)
    by_malignancy = target == "malignant"
    schema = {**_HAM, "malignant": pl.Enum(["no", "yes"])} if by_malignancy else _HAM

    def read() -> pl.DataFrame:
        table = _selected(table_in(file.place()), {name: name for name in _HAM})
        yes = pl.when(pl.col("dx").is_in(_MALIGNANT)).then(pl.lit("yes")).otherwise(pl.lit("no"))
        return table.with_columns(malignant=yes) if by_malignancy else table

    images = PublishedImages("ham10000/images", NamesInTable(file, "image_id", ".jpg"), size)
    task = promised(
        "ham10000",
        Classification(("no", "yes"), "yes") if by_malignancy else Classification(_DX),
        schema,
        {
            "target": (target,),
            "feature": ("age", "sex", "localization", "image"),
            "group": ("lesion_id",),
            "name": ("image_id",),
        },
        span(0, file.rows),
        {"image": images},
        read,
    )
    return _present(task, images) if only_present else task


def _selected(table: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return those columns of a table that it has: new name → its name there."""
    return table.select(
        pl.col(old).alias(new) for new, old in columns.items() if old in table.columns
    )


def _present(task: Task, images: PublishedImages) -> Task:
    """Return the task with the rows whose images are there."""
    folder = images.place()
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    names = task.column("image_id") + ".jpg"
    rows = names.is_in(list(there)).arg_true().to_numpy().astype(np.int64)
    if not len(rows):
        raise DataError(
            "none of the images of 'ham10000' is there.",
            expected="files such as ISIC_0024306.jpg",
            got=f"{len(there)} other files" if there else "no files",
            at=str(folder),
            fix="set FPIPE_DATA to a folder with ham10000/images, or leave out only_present",
        )
    return task.take(rows)
