"""Named data sets as tasks, each by one function."""

from fpipe.tasks.bundled import breast_cancer as breast_cancer
from fpipe.tasks.bundled import digits as digits
from fpipe.tasks.files import california_housing as california_housing
from fpipe.tasks.files import mtcars as mtcars

__all__ = ["breast_cancer", "california_housing", "digits", "mtcars"]
