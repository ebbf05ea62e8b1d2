"""The public face: which names there are, that each explains itself, and that none is two things."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

FACES = {
    "fpipe": """
        CheckpointSink Fitted FpipeError Graph Key Prediction Task TaskType apply bootstrap
        callbacks check classification close custom custom_cv cv diff events fingerprint fit
        fold holdout identity insample interop key learners load loo nn ops partition plot
        predict prepare regression repeated_cv resample resume run same save scan subsampling
        tasks transform wrap
    """,
    "fpipe.nn": """
        Input Keep Normal Uniform batch_norm1d block branch callbacks celu cls_token dropout elu
        embedding flatten fn ft_transformer_block geglu gelu glu hardshrink hardsigmoid
        hardswish hardtanh head identity ingress_categorical ingress_numeric ingress_tensor
        layer_norm leaky_relu linear log_sigmoid loss merge_cat merge_prod merge_sum mish model
        module multihead_attention network no_decay operator optimizer prelu reglu relu relu6
        reshape residual rrelu selu sigmoid silu softmax softplus softshrink softsign squeeze
        take tanh tanhshrink threshold tokenizer_categorical tokenizer_numeric
        transformer_encoder_layer unsqueeze
    """,
    "fpipe.ops": """
        TaskOp balance boolean branch cardinality categorical colapply collapse_levels copy
        date_features dates drop_unseen_levels everything floating impute_by impute_constant
        impute_hist impute_mean impute_median impute_mode impute_oor impute_sample integer
        levels log_target matching missing missing_indicators mutate named numeric one_hot
        ordinal out_of_fold pca power_transform quantile_transform remove_constants rename
        robustify scale scale_max_abs scale_range scale_robust scale_target select sklearn
        temporal tensor transform_target union
    """,
    "fpipe.learners": """
        featureless mlp module sklearn
    """,
    "fpipe.interop": "TensorBoardSink",
    "fpipe.tasks": """
        adult breast_cancer california_housing diabetes digits iris mtcars penguins wine
    """,
    "fpipe.callbacks": """
        EMA SWA Callback ClipGradients ClipValues FollowSchedule FollowScore Moment Unfreeze
        Weights clip_gradients clip_values descriptor ema lr_constant lr_cosine_annealing
        lr_cosine_warm_restarts lr_cyclic lr_exponential lr_lambda lr_linear lr_multi_step
        lr_multiplicative lr_one_cycle lr_polynomial lr_reduce_on_plateau lr_scheduler
        lr_sequence lr_step parameter swa unfreeze
    """,
}
MODULES = {"callbacks", "interop", "learners", "nn", "ops", "tasks"}
"""The names of `fpipe` that are modules."""

ROOMS = """
    callbacks checkpoints codec core data evaluate graph interop io learners measure net nn ops
    optim pictures tasks testing train
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
