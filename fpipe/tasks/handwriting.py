"""MNIST, and the data set that takes its form."""

from __future__ import annotations

import polars as pl

from fpipe.data.kind import Classification
from fpipe.data.lazy.published import PublishedFile, PublishedRows, arrays_in, published_file
from fpipe.data.task import Task
from fpipe.tasks.promised import SPLIT, check_part, named, promised, span

_TRAIN, _TEST = 60_000, 10_000
_PARTS = {"all": (0, 70_000), "train": (0, _TRAIN), "test": (_TRAIN, 70_000)}
_SPLITS = ("train", "test")
_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def mnist(part: str = "all") -> Task:
    """Return 70,000 handwritten digits as gray images of 28 × 28 pixels.

    The files are fetched when values are first read; all else is known before. Row ids count
    through the whole data, training rows first.

    Args:
        part: ``"train"`` (60,000 rows), ``"test"`` (10,000) as published, or ``"all"``.

    Returns:
        a classification of ``label`` (``"0"`` to ``"9"``) from ``image``, lazy, ``[1, 28, 28]``
        uint8 from 0 to 255. ``split`` (``"train"``, ``"test"``) is no feature. Nothing is missing.

    Raises:
        ParameterError: there is no such part.
        DataError: when values are read, and a file can be neither found nor downloaded, or it
            is another file.

    Example:
        >>> mnist("test")
        Task 'mnist' (classification, 10000 rows, target 'label')
          classes   0, 1, 2, 3, 4, 5, 6, 7, 8, 9
          features  lazy uint8 [1, 28, 28] (1): image

    Source:
        LeCun, Cortes and Burges, *The MNIST database of handwritten digits*; LeCun, Bottou,
        Bengio and Haffner 1998. Licence: CC BY-SA 3.0, as is usually stated.
    """
    return _images("mnist", _DIGITS, part)


def fashion_mnist(part: str = "all") -> Task:
    """Return 70,000 articles of clothing as gray images of 28 × 28 pixels.

    The files are fetched when values are first read; all else is known before. Row ids count
    through the whole data, training rows first.

    Args:
        part: ``"train"`` (60,000 rows), ``"test"`` (10,000) as published, or ``"all"``.

    Returns:
        a classification of ``label`` (ten kinds, 7,000 rows of each, from ``"T-shirt/top"`` to
        ``"Ankle boot"``) from ``image``, lazy, ``[1, 28, 28]`` uint8 from 0 to 255. ``split``
        (``"train"``, ``"test"``) is no feature. Nothing is missing.

    Raises:
        ParameterError: there is no such part.
        DataError: when values are read, and a file can be neither found nor downloaded, or it
            is another file.

    Example:
        >>> fashion_mnist().classes[:3]
        ('T-shirt/top', 'Trouser', 'Pullover')

    Source:
        Xiao, Rasul and Vollgraf 2017, *Fashion-MNIST: a novel image dataset for benchmarking
        machine learning algorithms*. Licence: MIT.
    """
    return _images("fashion_mnist", _CLOTHES, part)


def _images(name: str, classes: tuple[str, ...], part: str) -> Task:
    check_part(part, tuple(_PARTS))
    kinds = (("train", _TRAIN), ("t10k", _TEST))
    images, labels = (
        tuple(published_file(f"{name}/{kind}-{what}-ubyte.gz", rows) for kind, rows in kinds)
        for what in ("images-idx3", "labels-idx1")
    )
    start, stop = _PARTS[part]
    wanted = {"all": (0, 1), "train": (0,), "test": (1,)}[part]

    def read() -> pl.DataFrame:
        return pl.concat([_labels(labels[one], classes, _SPLITS[one]) for one in wanted])

    return promised(
        name,
        Classification(classes),
        {"label": pl.Enum(classes), "split": SPLIT},
        {"target": ("label",), "feature": ("image",)},
        span(start, stop),
        {"image": PublishedRows(images, (1, 28, 28))},
        read,
    )


def _labels(file: PublishedFile, classes: tuple[str, ...], split: str) -> pl.DataFrame:
    names = named(arrays_in(file, "idx")["data"], classes)
    return pl.DataFrame({"label": names, "split": [split] * len(names)})
