"""Data sets in files: at hand under ``FPIPE_DATA``, else downloaded once into the cache."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fpipe.data.construct import classification, regression
from fpipe.data.task import Task
from fpipe.io.published import Origin, located

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
PENGUINS = Origin(
    "penguins/penguins.csv",
    "https://raw.githubusercontent.com/allisonhorst/palmerpenguins/main/inst/extdata/penguins.csv",
    "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
)


def mtcars() -> Task:
    """Return the road tests of 32 cars of 1973 and 1974.

    Returns:
        a regression of ``mpg`` (miles per US gallon) on 10 numeric features; the column
        ``rownames`` names the cars and is no feature.

    Raises:
        DataError: the file is neither at hand nor can it be downloaded, or it is another file.

    Source:
        Henderson and Velleman 1981; R's ``datasets``, through Rdatasets. Licence: in the public
        domain.
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
        Pace and Barry 1997, in the form used by Géron, *Hands-On Machine Learning*. Licence:
        public census data; the file comes from a repository under Apache 2.0.
    """
    return regression(_read(HOUSING), "median_house_value", name="california_housing")


def penguins() -> Task:
    """Return 344 penguins of three species, seen on three islands of the Palmer Archipelago.

    Returns:
        a classification of ``species`` (``"Adelie"`` 152 rows, ``"Chinstrap"`` 68, ``"Gentoo"``
        124) from 4 measurements (``bill_length_mm``, ``bill_depth_mm``, ``flipper_length_mm``,
        ``body_mass_g``), ``year`` and the levels of ``island`` and ``sex``. Missing are each
        measurement in 2 rows and ``sex`` in 11.

    Raises:
        DataError: the file is neither at hand nor can it be downloaded, or it is another file.

    Source:
        Gorman, Williams and Fraser 2014; Horst, Hill and Gorman 2020, *palmerpenguins*.
        Licence: CC0 1.0.
    """
    table = pl.read_csv(path_of(PENGUINS), null_values="NA")
    return classification(table, "species", name="penguins")


def path_of(origin: Origin) -> Path:
    """Return where a file lies, downloaded first where it is not at hand.

    Raises:
        DataError: it can be neither found nor downloaded, or it is another file.
    """
    return located(origin)


def _read(origin: Origin) -> pl.DataFrame:
    return pl.read_csv(path_of(origin))
