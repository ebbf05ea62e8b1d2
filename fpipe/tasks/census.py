"""The census income data, in the format in which UCI keeps it."""

from __future__ import annotations

import polars as pl

from fpipe.data.construct import classification
from fpipe.data.task import Task
from fpipe.io.published import Origin
from fpipe.tasks.files import path_of
from fpipe.tasks.promised import check_part

TRAIN = Origin(
    "adult/adult.data",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.data",
    "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
)
TEST = Origin(
    "adult/adult.test",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.test",
    "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
)
# The files have no header; names and order are those of UCI's adult.names.
_INTEGERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
_COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
_PARTS = ("all", "train", "test")


def adult(part: str = "all") -> Task:
    """Return 48,842 adults of the 1994 census and whether they earn above $50,000 a year.

    The levels of all columns, and so the classes, are those of the whole data whichever part is
    asked for; row ids count through it, training rows first. So a graph fitted on one part
    predicts on the other, and the rows of both can be told apart.

    Args:
        part: ``"train"`` (32,561 rows), ``"test"`` (16,281) as published, or ``"all"``.

    Returns:
        a classification of ``income`` (``"<=50K"``, ``">50K"``; the latter is positive, 24 % of
        the rows) from 6 integer features and 8 with levels. Missing (``?`` in the files) are
        ``workclass`` in 2,799 rows, ``occupation`` in 2,809 and ``native-country`` in 857.
        Capital gain and loss are in dollars. ``fnlwgt`` is a sampling weight (how many people a
        row stands for), no property of a person: many leave it out, and so may you by
        ``task.select([name for name in task.features if name != "fnlwgt"])``.
        ``education-num`` is ``education`` as an order.

    Raises:
        ParameterError: there is no such part.
        DataError: a file is neither at hand nor can it be downloaded, or it is another file.

    Source:
        Kohavi and Becker 1996, UCI Machine Learning Repository; Kohavi 1996, *Scaling up the
        accuracy of naive-Bayes classifiers*. Licence: CC BY 4.0.
    """
    check_part(part, _PARTS)
    train, test = _read(TRAIN), _read(TEST)
    whole = classification(pl.concat([train, test]), "income", positive=">50K", name="adult")
    if part == "all":
        return whole
    rows = range(train.height) if part == "train" else range(train.height, whole.n_rows)
    return whole.take(list(rows))


def _read(origin: Origin) -> pl.DataFrame:
    """Return one file as a table of integers and text; ``?`` is missing."""
    table = pl.read_csv(
        path_of(origin),
        has_header=False,
        new_columns=list(_COLUMNS),
        infer_schema=False,
        comment_prefix="|",
    )
    text = table.filter(pl.col("workclass").is_not_null()).select(pl.all().str.strip_chars())
    return text.select(pl.all().replace("?", None)).with_columns(
        pl.col(_INTEGERS).cast(pl.Int64), pl.col("income").str.strip_suffix(".")
    )
