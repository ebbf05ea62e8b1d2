"""Data sets in files: at hand under ``FPIPE_DATA``, else downloaded once into the cache."""

from __future__ import annotations

import polars as pl

from fpipe.core.value import descriptor
from fpipe.data.construct import regression
from fpipe.data.task import Task
from fpipe.io.cache import find


@descriptor
class Origin:
    """Where a file is found.

    Args:
        path: below ``FPIPE_DATA``, and below the cache.
        url: where it is downloaded from.
        sha256: its checksum.
    """

    path: str
    url: str
    sha256: str


MTCARS = Origin(
    "mtcars/mtcars.csv",
    "https://vincentarelbundock.github.io/Rdatasets/csv/datasets/mtcars.csv",
    "4d6dfa9b029dbcc15333a6e3598803fae8ae7c4d08605040b1706e6367695058",
)
HOUSING = Origin(
    "california_housing/housing.csv",
    "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/housing/housing.csv",
    "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
)


def mtcars() -> Task:
    """Return the road tests of 32 cars of 1973 and 1974.

    Returns:
        a regression of ``mpg`` (miles per US gallon) on 10 numeric features; the column
        ``rownames`` names the cars and is no feature.

    Raises:
        DataError: the file is neither at hand nor can it be downloaded, or it is another file.

    Source:
        Henderson and Velleman 1981; R's ``datasets``, through Rdatasets.
    """
    table = _read(MTCARS)
    features = [name for name in table.columns if name not in ("rownames", "mpg")]
    task = regression(table, "mpg", features=features, name="mtcars")
    return task.with_roles(name="rownames")


def california_housing() -> Task:
    """Return the 20,640 block groups of the 1990 census in California.

    Returns:
        a regression of ``median_house_value`` (US dollars, cut off at 500,001) on 8 numeric
        features, of which ``total_bedrooms`` is missing in 207 rows, and ``ocean_proximity``
        with 5 levels.

    Raises:
        DataError: the file is neither at hand nor can it be downloaded, or it is another file.

    Source:
        Pace and Barry 1997, in the form used by Géron, *Hands-On Machine Learning*.
    """
    return regression(_read(HOUSING), "median_house_value", name="california_housing")


def _read(origin: Origin) -> pl.DataFrame:
    return pl.read_csv(find(origin.path, origin.url, origin.sha256))
