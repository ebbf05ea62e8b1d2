"""CIFAR-10 and CIFAR-100: small photographs of things and animals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from fpipe.core.errors import ParameterError
from fpipe.data.kind import Classification
from fpipe.data.lazy.cifar import IMAGE, cifar_pickle
from fpipe.data.lazy.published import PublishedFile, PublishedRows, arrays_in, published_file
from fpipe.data.task import Task
from fpipe.tasks.promised import SPLIT, check_names, check_part, named, promised, span

_PARTS = ("all", "train", "test")
_BATCH = 10_000
_BATCHES = (1, 2, 3, 4, 5)
_TEN = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_KINDS = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
    camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
    cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
    lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
    oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
    possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
    spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
    train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
_HUNDRED = tuple(_KINDS.split())
_GROUPS = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things
    large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
    non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
"""
_TWENTY = tuple(_GROUPS.split())


def cifar10(part: str = "all", *, batches: Sequence[int] = _BATCHES) -> Task:
    """Return 60,000 photographs of ten kinds of things and animals, 32 × 32 pixels.

    The files are fetched when values are first read; all else is known before. Row ids count
    through the whole data, the five training batches first, whichever are asked for. Only the
    files that hold wanted rows are needed.

    Args:
        part: ``"train"`` (50,000 rows), ``"test"`` (10,000) as published, or ``"all"``.
        batches: which of the five published training batches of 10,000 rows to take.

    Returns:
        a classification of ``class`` (``"airplane"``, ``"automobile"``, ``"bird"``, ``"cat"``,
        ``"deer"``, ``"dog"``, ``"frog"``, ``"horse"``, ``"ship"``, ``"truck"``; 6,000 rows of
        each) from ``image``, lazy, ``[3, 32, 32]`` uint8 from 0 to 255. ``split`` (``"train"``,
        ``"test"``) is no feature. Nothing is missing.

    Raises:
        ParameterError: there is no such part or batch.
        DataError: when values are read, and a file can be neither found nor downloaded, or it
            is another file.

    Example:
        >>> cifar10("train", batches=(1, 2)).n_rows
        20000

    Source:
        Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*. Licence: none
        is stated.
    """
    check_part(part, _PARTS)
    folder = "cifar10/cifar-10-batches-py"
    names = (*(f"data_batch_{batch}" for batch in _BATCHES), "test_batch")
    files = [published_file(f"{folder}/{name}", _BATCH) for name in names]
    train, test = [batch - 1 for batch in _checked(batches)], [len(_BATCHES)]
    wanted = {"all": train + test, "train": train, "test": test}[part]
    return _task("cifar10", files, wanted, _TEN, published_file(f"{folder}/batches.meta", 0))


def cifar100(part: str = "all") -> Task:
    """Return 60,000 photographs of a hundred kinds of things and animals, 32 × 32 pixels.

    The files are fetched when values are first read; all else is known before. Row ids count
    through the whole data, training rows first.

    Args:
        part: ``"train"`` (50,000 rows), ``"test"`` (10,000) as published, or ``"all"``.

    Returns:
        a classification of ``class`` (100 kinds, 600 rows of each, the published "fine" labels)
        from ``image``, lazy, ``[3, 32, 32]`` uint8 from 0 to 255. ``superclass`` (the 20 published
        "coarse" labels) and ``split`` (``"train"``, ``"test"``) are no features. Nothing is
        missing.

    Raises:
        ParameterError: there is no such part.
        DataError: when values are read, and a file can be neither found nor downloaded, or it
            is another file.

    Example:
        >>> len(cifar100("test").classes)
        100

    Source:
        Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*. Licence: none
        is stated.
    """
    check_part(part, _PARTS)
    folder = "cifar100/cifar-100-python"
    files = [published_file(f"{folder}/train", 50_000), published_file(f"{folder}/test", 10_000)]
    wanted = {"all": [0, 1], "train": [0], "test": [1]}[part]
    return _task("cifar100", files, wanted, _HUNDRED, published_file(f"{folder}/meta", 0))


def _checked(batches: Sequence[int]) -> list[int]:
    """Return the numbers of training batches in order."""
    given = list(batches) if isinstance(batches, Sequence | range) else []
    known = all(type(batch) is int and batch in _BATCHES for batch in given)
    if not given or not known or len(set(given)) < len(given):
        raise ParameterError(
            "the training data come in five batches.",
            expected="some of 1, 2, 3, 4, 5, each once",
            got=repr(batches)[:80],
            fix="batches=(1, 2)",
        )
    return sorted(given)


def _task(
    name: str,
    files: Sequence[PublishedFile],
    wanted: Sequence[int],
    classes: tuple[str, ...],
    names: PublishedFile,
) -> Task:
    """Return the task over some of the files, the last of which are the test rows."""
    hundred = classes is _HUNDRED
    schema = {"class": pl.Enum(classes), "split": SPLIT}
    if hundred:
        schema["superclass"] = pl.Enum(_TWENTY)
    ends = np.cumsum([file.rows for file in files]).tolist()
    rows = [span(ends[one] - files[one].rows, ends[one]) for one in wanted]

    def read() -> pl.DataFrame:
        _check_classes(name, names, classes)
        last = len(files) - 1
        return pl.concat([_labels(files[one], hundred, one == last) for one in wanted])

    return promised(
        name,
        Classification(classes),
        schema,
        {"target": ("class",), "feature": ("image",)},
        np.concatenate(rows),
        {"image": PublishedRows(tuple(files), IMAGE, "cifar")},
        read,
    )


def _labels(file: PublishedFile, hundred: bool, test: bool) -> pl.DataFrame:
    found = arrays_in(file, "cifar")
    labels = found["fine_labels" if hundred else "labels"]
    table = {
        "class": named(labels, _HUNDRED if hundred else _TEN),
        "split": ["test" if test else "train"] * len(labels),
    }
    if hundred:
        table["superclass"] = named(found["coarse_labels"], _TWENTY)
    return pl.DataFrame(table)


def _check_classes(name: str, names: PublishedFile, classes: tuple[str, ...]) -> None:
    held = cifar_pickle(names.place())
    check_names(name, classes, held["label_names" if classes is _TEN else "fine_label_names"])
    if classes is _HUNDRED:
        check_names(name, _TWENTY, held["coarse_label_names"])
