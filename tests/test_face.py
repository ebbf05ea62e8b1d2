"""The public face: which names there are, that each explains itself, and that none is two things."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

FACES = {
    "fpipe": """
        FpipeError Fitted Graph Key Prediction Task
        apply check classification close cv events fingerprint fit fold holdout identity key
        learners nn ops partition plot predict prepare regression resample run same scan tasks
        transform wrap
    """,
    "fpipe.nn": """
        batch_norm1d block branch dropout head identity ingress_numeric linear loss merge_cat
        merge_sum model module network optimizer relu sigmoid tanh
    """,
    "fpipe.ops": """
        branch categorical everything impute_median impute_mode matching named numeric one_hot
        scale scale_target select sklearn
    """,
    "fpipe.learners": "featureless mlp sklearn",
    "fpipe.tasks": "breast_cancer california_housing digits mtcars",
}
MODULES = {"learners", "nn", "ops", "tasks"}
"""The names of `fpipe` that are modules."""

ROOMS = """
    codec core data evaluate graph io learners measure net nn ops optim pictures tasks testing
    train
"""


def offered(face):
    """Return the public names of a module, without the rooms that importing leaves in it."""
    module = importlib.import_module(face)
    hidden = set(ROOMS.split()) - MODULES if face == "fpipe" else set()
    submodules = {info.name for info in pkgutil.iter_modules(module.__path__)} - MODULES
    named = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {
        name: thing
        for name, thing in named.items()
        if not (isinstance(thing, ModuleType) and name in hidden | submodules)
    }


@pytest.mark.parametrize("face", FACES)
def test_names(face):
    assert sorted(offered(face)) == sorted(FACES[face].split())


@pytest.mark.parametrize("face", FACES)
def test_no_name_is_both_a_module_and_a_function(face):
    """A submodule that is imported later would take the place of the function."""
    module = importlib.import_module(face)
    submodules = {info.name for info in pkgutil.iter_modules(module.__path__)}
    both = {
        name
        for name in submodules & set(FACES[face].split())
        if not (face == "fpipe" and name in MODULES)
    }
    assert both == set()


@pytest.mark.parametrize("face", FACES)
def test_only_known_modules_are_offered(face):
    found = {name for name, thing in offered(face).items() if isinstance(thing, ModuleType)}
    assert found == (MODULES if face == "fpipe" else set())


@pytest.mark.parametrize("face", FACES)
def test_every_name_explains_itself(face):
    for name, thing in offered(face).items():
        text = inspect.getdoc(thing)
        assert text, f"{face}.{name} has no docstring"
        assert text.splitlines()[0].endswith((".", "?", ":")) or len(text.splitlines()) > 1, name


@pytest.mark.parametrize("face", FACES)
def test_every_public_method_explains_itself(face):
    for name, thing in offered(face).items():
        if not inspect.isclass(thing):
            continue
        for method, function in inspect.getmembers(thing, inspect.isfunction):
            if not method.startswith("_"):
                assert inspect.getdoc(function), f"{face}.{name}.{method} has no docstring"


@pytest.mark.parametrize("face", FACES)
def test_functions_know_their_names(face):
    for name, thing in offered(face).items():
        if inspect.isfunction(thing):
            assert thing.__name__ == name, f"{face}.{name} calls itself {thing.__name__}"


def test_every_room_has_a_page():
    package = importlib.import_module("fpipe")
    found = {info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg}
    assert found == set(ROOMS.split())
