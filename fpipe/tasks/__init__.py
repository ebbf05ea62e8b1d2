"""Named data sets as tasks, each by one function."""

from fpipe.core.face import offering
from fpipe.tasks.bundled import breast_cancer as breast_cancer
from fpipe.tasks.bundled import diabetes as diabetes
from fpipe.tasks.bundled import digits as digits
from fpipe.tasks.bundled import iris as iris
from fpipe.tasks.bundled import lazy_iris as lazy_iris
from fpipe.tasks.bundled import wine as wine
from fpipe.tasks.census import adult as adult
from fpipe.tasks.cifar import cifar10 as cifar10
from fpipe.tasks.cifar import cifar100 as cifar100
from fpipe.tasks.files import california_housing as california_housing
from fpipe.tasks.files import mtcars as mtcars
from fpipe.tasks.files import penguins as penguins
from fpipe.tasks.handwriting import fashion_mnist as fashion_mnist
from fpipe.tasks.handwriting import mnist as mnist
from fpipe.tasks.photographs import dogs_vs_cats as dogs_vs_cats
from fpipe.tasks.photographs import image_folder as image_folder
from fpipe.tasks.skin import ham10000 as ham10000
from fpipe.tasks.skin import melanoma as melanoma
from fpipe.tasks.tiny_images import tiny_imagenet as tiny_imagenet

__all__ = [
    "adult",
    "breast_cancer",
    "california_housing",
    "cifar10",
    "cifar100",
    "diabetes",
    "digits",
    "dogs_vs_cats",
    "fashion_mnist",
    "ham10000",
    "image_folder",
    "iris",
    "lazy_iris",
    "melanoma",
    "mnist",
    "mtcars",
    "penguins",
    "tiny_imagenet",
    "wine",
]

__dir__ = offering(globals())
