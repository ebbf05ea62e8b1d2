"""The public face: which names there are, that each explains itself, and that none is two things."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

FACES = {
    "fpipe": """
        CheckpointSink Fitted FpipeError Graph Key LazyTensor Prediction Task TaskType apply
        bootstrap callbacks check classification close custom custom_cv cv diff events
        fingerprint fit fold holdout identity image_files insample interop key lazy learners
        load loo materialize nn ops partition plot predict prepare regression repeated_cv
        resample resume run same save scan subsampling tasks transform wrap
    """,
    "fpipe.nn": """
        Input Keep Normal Uniform adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d
        avg_pool3d batch_norm1d batch_norm2d batch_norm3d block branch callbacks celu cls_token
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cutmix dropout
        elu embedding flatten fn ft_transformer_block geglu gelu glu group_norm hardshrink
        hardsigmoid hardswish hardtanh head identity ingress_categorical ingress_numeric
        ingress_tensor layer_norm leaky_relu linear log_sigmoid loss max_pool1d max_pool2d
        max_pool3d merge_cat merge_prod merge_sum mish mixup model module multihead_attention
        network no_decay operator optimizer prelu reglu relu relu6 reshape residual rrelu selu
        sigmoid silu softmax softplus softshrink softsign squeeze take tanh tanhshrink threshold
        tokenizer_categorical tokenizer_numeric transformer_encoder_layer unsqueeze upsample
        vision
    """,
    "fpipe.ops": """
        TaskOp augment_auto_augment augment_center_crop augment_color_jitter augment_crop
        augment_gaussian_blur augment_hflip augment_random_affine augment_random_choice
        augment_random_crop augment_random_erasing augment_random_grayscale
        augment_random_horizontal_flip augment_random_order augment_random_perspective
        augment_random_resized_crop augment_random_rotation augment_random_vertical_flip
        augment_resized_crop augment_rotate augment_trivial_augment augment_vflip balance
        boolean branch cardinality categorical colapply collapse_levels copy date_features dates
        drop_unreadable drop_unseen_levels everything floating impute_by impute_constant
        impute_hist impute_mean impute_median impute_mode impute_oor impute_sample integer lazy
        levels log_target matching missing missing_indicators mutate named numeric one_hot
        ordinal out_of_fold pca power_transform quantile_transform remove_constants rename
        robustify scale scale_max_abs scale_range scale_robust scale_target select sklearn
        subsample temporal tensor trafo_adjust_brightness trafo_adjust_contrast
        trafo_adjust_gamma trafo_adjust_hue trafo_adjust_saturation trafo_adjust_sharpness
        trafo_center_crop trafo_crop trafo_grayscale trafo_map trafo_nop trafo_normalize
        trafo_pad trafo_reshape trafo_resize trafo_rgb_to_grayscale trafo_to_float
        transform_target union
    """,
    "fpipe.learners": """
        alexnet convnext_base convnext_small convnext_tiny densenet121 efficientnet_b0
        efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
        efficientnet_b6 efficientnet_b7 efficientnet_v2_l efficientnet_v2_m efficientnet_v2_s
        featureless inception_v3 maxvit_t mlp mobilenet_v2 mobilenet_v3_large mobilenet_v3_small
        module preprocessing resnet101 resnet152 resnet18 resnet34 resnet50 sklearn swin_t vgg11
        vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vision vit_b_16
    """,
    "fpipe.interop": "TensorBoardSink",
    "fpipe.tasks": """
        adult breast_cancer california_housing cifar10 cifar100 diabetes digits dogs_vs_cats
        fashion_mnist ham10000 image_folder iris lazy_iris melanoma mnist mtcars penguins
        tiny_imagenet wine
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
