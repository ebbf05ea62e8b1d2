"""Named data sets as tasks, each by one function."""

from fpipe.core.face import offering
from fpipe.tasks.bundled import breast_cancer as breast_cancer
from fpipe.tasks.bundled import diabetes as diabetes
from fpipe.tasks.bundled import digits as digits
from fpipe.tasks.bundled import iris as iris
from fpipe.tasks.bundled import wine as wine
from fpipe.tasks.census import adult as adult
from fpipe.tasks.files import california_housing as california_housing
from fpipe.tasks.files import mtcars as mtcars
from fpipe.tasks.files import penguins as penguins

__all__ = [
    "adult",
    "breast_cancer",
    "california_housing",
    "diabetes",
    "digits",
    "iris",
    "mtcars",
    "penguins",
    "wine",
]

__dir__ = offering(globals())
