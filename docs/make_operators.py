"""Write ``docs/operators.md``: what each operator is called here, its parameters, and its test.

``python docs/make_operators.py`` writes the page; with ``--check`` it writes nothing and exits
with 1 if the page is stale. Names and tests stand here, parameters come from the library.
"""

# A row is one line, and the ids of tests are as long as they are.
# ruff: noqa: E501

from __future__ import annotations

import argparse
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import attrs

import fpipe as fp
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import fields_of
from fpipe.measure import loss as losses
from fpipe.measure import score as scores
from fpipe.optim.vocabulary import optimizer_class

PAGE = Path(__file__).with_name("operators.md")


class Row(NamedTuple):
    """One operator: its names there and here, and the tests that compare its numbers."""

    reference: str  # keys, apart by commas; empty where the operator is fpipe's own
    kind: str  # "function", "measure", "loss", "optimizer" or "words"
    name: str
    tests: tuple[str, ...]


class Table(NamedTuple):
    """Some rows under a title, and what to know about them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def at(file: str, *names: str) -> tuple[str, ...]:
    """Return ids of tests in one file, as pytest prints them."""
    return tuple(f"tests/{file}.py::{name}" for name in names)


def function(reference: str, name: str, *tests: tuple[str, ...]) -> Row:
    """Return the row of a public function."""
    return Row(reference, "function", name, sum(tests, ()))


def words(reference: str, text: str, *tests: tuple[str, ...]) -> Row:
    """Return the row of what is said in words, because no single function does it."""
    return Row(reference, "words", text, sum(tests, ()))


def loss(reference: str, name: str, *tests: tuple[str, ...]) -> Row:
    """Return the row of a loss with a standard name."""
    return Row(reference, "loss", name, sum(tests, ()))


def optimizer(name: str, settings: str = "{}", reference: str | None = None) -> Row:
    """Return the row of an optimizer; one test compares them all with torch to the bit."""
    key = name if reference is None else reference
    case = f"test_fifty_steps_are_torchs[{name}-{settings}-fast]"
    return Row(key, "optimizer", name, at("optim/test_optimizers", case))


def measures(**names: str) -> tuple[Row, ...]:
    """Return rows of measures, by name, with the keys there; one test knows them all."""
    return tuple(
        Row(reference, "measure", name, at("measure/test_score", f"test_numbers[{name}]"))
        for name, reference in names.items()
    )


def activation(name: str, spelt: str = "", reference: str | None = None) -> Row:
    """Return the row of an activation; one test compares them all with torch to the bit."""
    key = name if reference is None else reference
    case = f"test_activation[{spelt or f'{name}()'}-f32]"
    return function(key, f"nn.{name}", at("net/test_activations", case))


def by_numbers(reference: str, name: str, file: str, case: str) -> Row:
    """Return the row of an operator on tasks whose test is called ``test_numbers``."""
    return function(reference, f"ops.{name}", at(f"ops/{file}", f"test_numbers[{case}]"))


def selector(reference: str, name: str, case: str) -> Row:
    """Return the row of a selector; one test knows what each of them chooses."""
    tests = at("ops/test_selectors", f"test_select[{case}]")
    return function(reference, name, tests) if name[:4] == "ops." else words(reference, name, tests)


INGRESS = (
    function("torch_ingress_num", "nn.ingress_numeric", at("nn/test_nn", "test_two_views_of_one_task", "test_truth_values_enter")),
    function("torch_ingress_categ", "nn.ingress_categorical", at("nn/test_ingress", "test_ingress_categorical_gives_codes_in_the_order_of_the_levels")),
    function("torch_ingress_ltnsr", "nn.ingress_tensor", at("nn/test_ingress", "test_ingress_tensor_gives_the_arrays")),
)  # fmt: skip

IMAGES = {
    "conv1d": "conv1d(6, 4, stride=2, padding=3, dilation=2)",
    "conv2d": "conv2d(6, (3, 2), stride=(2, 1), padding=(1, 0))",
    "conv3d": "conv3d(6, 3, stride=2)",
    "conv_transpose1d": "conv_transpose1d(6, 3, stride=2)",
    "conv_transpose2d": "conv_transpose2d(6, 3, groups=2, bias=False, dilation=2)",
    "conv_transpose3d": "conv_transpose3d(6, 2, stride=2, output_padding=1)",
    "avg_pool1d": "avg_pool1d(3)",
    "avg_pool2d": "avg_pool2d(3, padding=1, count_include_pad=False)",
    "avg_pool3d": "avg_pool3d(2, stride=1)",
    "max_pool1d": "max_pool1d(3, ceil_mode=True)",
    "max_pool2d": "max_pool2d(3, stride=2, padding=1, dilation=2, ceil_mode=True)",
    "max_pool3d": "max_pool3d((1, 2, 2), stride=2)",
    "adaptive_avg_pool1d": "adaptive_avg_pool1d(4)",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d((4, 3))",
    "adaptive_avg_pool3d": "adaptive_avg_pool3d((2, 1, 12))",
    "adaptive_max_pool1d": "adaptive_max_pool1d(4)",
    "adaptive_max_pool2d": "adaptive_max_pool2d((4, 3))",
    "adaptive_max_pool3d": "adaptive_max_pool3d(2)",
    "batch_norm2d": "batch_norm2d(eps=0.1, momentum=0.3, affine=False)",
    "batch_norm3d": "batch_norm3d()",
    "group_norm": "group_norm(2)",
    "upsample": "upsample(size=(5, 21), mode='bilinear')",
}
"""Layers of images → the case of one test that compares them all with torch to the bit."""

OWN_IMAGES = ("group_norm", "upsample", *(f"adaptive_max_pool{d}d" for d in (1, 2, 3)))

LAYERS = (
    function("linear", "nn.linear", at("net/test_layers", "test_linear[shape0-True]", "test_linear[shape3-False]")),
    function("head", "nn.head", at("learners/test_ready", "test_mlp_architecture[numbers]", "test_mlp_architecture[two]", "test_mlp_architecture[three]")),
    function("batch_norm1d", "nn.batch_norm1d", at("net/test_layers", "test_batch_norm[True-True-shape0]", "test_batch_norm_gradients")),
    *(
        function("" if name in OWN_IMAGES else name, f"nn.{name}", at("net/test_images", f"test_numbers[{case}]"))
        for name, case in IMAGES.items()
    ),
    function("layer_norm", "nn.layer_norm", at("net/test_normalization", "test_layer_norm[shape2-2-affine]")),
    function("dropout", "nn.dropout", at("net/test_layers", "test_dropout[0.5]", "test_dropout_gradient")),
    activation("identity"),
    function("flatten", "nn.flatten", at("net/test_reshape", "test_reshaping[flatten0-torch.float32]")),
    function("reshape", "nn.reshape", at("net/test_reshape", "test_reshaping[reshape5-torch.float32]")),
    function("squeeze", "nn.squeeze", at("net/test_reshape", "test_reshaping[squeeze11-torch.float32]")),
    function("unsqueeze", "nn.unsqueeze", at("net/test_reshape", "test_reshaping[unsqueeze15-torch.float32]")),
    activation("softmax"),
    function("fn", "nn.fn", at("nn/test_layers", "test_fn_of_two_inputs", "test_fn_of_torch")),
    function("merge_sum", "nn.merge_sum", at("nn/test_layers", "test_merge_gradients[merge_sum]")),
    function("merge_prod", "nn.merge_prod", at("nn/test_layers", "test_merge_gradients[merge_prod]")),
    function("merge_cat", "nn.merge_cat", at("nn/test_layers", "test_merge_gradients[merge_cat]")),
    function("block", "nn.block", at("graph/test_graph", "test_block_overrides")),
    function("tokenizer_num", "nn.tokenizer_numeric", at("nn/test_tokens", "test_tokenizer_numeric_is_the_formula[True]", "test_initial_tokens_have_the_distribution[uniform-tokenizer_numeric]")),
    function("tokenizer_categ", "nn.tokenizer_categorical", at("nn/test_tokens", "test_tokenizer_categorical_is_one_shifted_table[True]", "test_initial_tokens_have_the_distribution[uniform-tokenizer_categorical]")),
    function("ft_cls", "nn.cls_token", at("nn/test_tokens", "test_cls_token_is_appended_last", "test_initial_tokens_have_the_distribution[uniform-cls_token]")),
    function("ft_transformer_block", "nn.ft_transformer_block", at("nn/test_attention", "test_ft_transformer_block_is_the_formula[default]", "test_ft_transformer_block_is_the_formula[last token]")),
    function("multihead_attention", "nn.multihead_attention", at("nn/test_attention", "test_multihead_attention_is_torchs[True-True-True-True-(8, 8)]", "test_multihead_attention_modes[cross]")),
    function("transformer_encoder_layer", "nn.transformer_encoder_layer", at("nn/test_attention", "test_transformer_encoder_layer_is_torchs[relu-True-True-causal-padded]")),
    function("", "nn.embedding", at("nn/test_tokens", "test_embedding_is_a_table_per_feature")),
    function("", "nn.residual", at("nn/test_blocks", "test_residual_adds_the_input")),
    function("", "nn.take", at("nn/test_tokens", "test_take_is_indexing")),
)  # fmt: skip

ACTIVATIONS = (
    *map(activation, ("elu", "hardshrink", "hardsigmoid", "hardtanh", "leaky_relu", "log_sigmoid")),
    *map(activation, ("prelu", "relu", "relu6")),
    function("rrelu", "nn.rrelu", at("net/test_activations", "test_rrelu_evaluation", "test_rrelu_training")),
    *map(activation, ("selu", "celu", "gelu", "sigmoid", "softplus", "softshrink", "softsign")),
    *map(activation, ("tanh", "tanhshrink")),
    activation("threshold", "threshold(threshold=0.5, value=-2.0)"),
    *map(activation, ("glu", "reglu", "geglu")),
    *(activation(name, reference="") for name in ("hardswish", "mish", "silu")),
)  # fmt: skip

AROUND = (
    function("torch_loss", "nn.loss", at("nn/test_losses", "test_numbers_train_as_in_torch[mse-parameters0-theirs0]")),
    function("torch_optimizer", "nn.optimizer", at("optim/test_optimizers", "test_groups_are_torchs[fast]", "test_fifty_steps_are_torchs[adamw-{}-fast]")),
    function("torch_callbacks", "nn.callbacks", at("nn/test_callbacks", "test_training_is_torchs[ready-1.0-sgd-fast]")),
    function("torch_model_classif, torch_model_regr", "nn.model", at("train/test_training", "test_regression_response", "test_binary_probabilities[up]", "test_multiclass_probabilities")),
    function("module", "nn.module", at("net/test_layers", "test_foreign_linear_is_torch"), at("nn/test_layers", "test_module_numbers[conv2d-True]")),
    function("branch, unbranch", "nn.branch", at("graph/test_graph", "test_branch")),
    function("nop", "fp.identity", at("graph/test_graph", "test_branch_with_nothing")),
    function("pipeop_torch", "nn.operator", at("nn/test_own_operators", "test_two_inputs", "test_any_number_of_inputs[2]")),
    function("alexnet, vgg, resnet, convnext, efficientnet, inception_v3, maxvit, mobilenet, vit", "nn.vision", at("net/test_vision", "test_numbers_are_torchvisions[resnet18-64-settings0]", "test_training_is_torchvisions")),
    function("", "nn.mixup", at("train/test_mixing", "test_mixup_is_the_formula_of_the_paper[0]", "test_the_loss_of_mixed_classes_is_the_mixture_of_losses")),
    function("", "nn.cutmix", at("train/test_mixing", "test_cutmix_takes_a_box_and_weighs_by_area[0]")),
    function("nn_graph", "nn.network", at("net/test_layers", "test_network_of_two_inputs")),
)  # fmt: skip

OPTIMIZERS = (
    optimizer("sgd", "{'lr': 0.05, 'momentum': 0.9, 'nesterov': True}"),
    optimizer("adam"),
    optimizer("adamw"),
    optimizer("adamax", reference=""),
    optimizer("nadam", "{'lr': 0.01, 'weight_decay': 0.1, 'decoupled_weight_decay': True}", ""),
    optimizer("radam", "{'lr': 0.01}", ""),
    optimizer("adadelta", reference=""),
    optimizer("adagrad", "{'lr': 0.1, 'initial_accumulator_value': 0.1}"),
    optimizer("rmsprop", "{'momentum': 0.5, 'centered': True}"),
    optimizer("rprop", reference=""),
    optimizer("asgd", "{'t0': 20}", ""),
    optimizer("adafactor", reference=""),
    optimizer("muon", "{'lr': 0.02}", ""),
)  # fmt: skip

LOSSES = (
    loss("mse", "mse", at("measure/test_loss", "test_same_bits_as_torch[MeanSquaredError(reduction='mean')]")),
    loss("l1", "l1", at("measure/test_loss", "test_same_bits_as_torch[AbsoluteError(reduction='mean')]")),
    loss("cross_entropy", "cross_entropy", at(
        "measure/test_loss",
        "test_same_bits_as_torch[CrossEntropy(reduction='mean',class_weight=None,label_smoothing=0.0)0]",
        "test_same_bits_as_torch[CrossEntropy(reduction='mean',class_weight=None,label_smoothing=0.0)1]",
        "test_class_weights_are_torchs[dtype0-0.0-mean]",
    )),
    words("TorchLoss", "`nn.loss(code, ...)` of a function or a module class", at("nn/test_losses", "test_the_loss_of_the_paper[fast-function]", "test_the_loss_of_the_paper[fast-module]")),
    loss("", "huber", at("measure/test_loss", "test_same_bits_as_torch[Huber(reduction='mean',delta=1.0)]")),
    loss("", "quantile", at("measure/test_loss", "test_quantile_is_sklearns")),
    loss("", "bce", at("measure/test_loss", "test_same_bits_as_torch[BinaryCrossEntropy(reduction='mean',class_weight=None,label_smoothing=0.0)]")),
)  # fmt: skip

TASK_TO_TASK = (
    by_numbers("scale", "scale", "test_scaling", "holed-scale"),
    function("pca", "ops.pca", at("ops/test_bridge", "test_pca_is_sklearn[True-3]", "test_pca_is_sklearn[False-None]")),
    function("encode", "ops.one_hot", at("ops/test_encoding", "test_numbers_one_hot")),
    function("imputehist", "ops.impute_hist", at("ops/test_impute", "test_hist_of_mtcars", "test_hist_draws_bins_in_proportion")),
    by_numbers("imputeconstant", "impute_constant", "test_impute", "impute_constant-float"),
    by_numbers("imputemean", "impute_mean", "test_impute", "impute_mean"),
    by_numbers("imputemedian", "impute_median", "test_impute", "impute_median"),
    by_numbers("imputemode", "impute_mode", "test_impute", "impute_mode"),
    function("imputesample", "ops.impute_sample", at("ops/test_impute", "test_sample_draws_in_proportion[float-(0.5, 0.3, 0.2)]")),
    function("imputeoor", "ops.impute_oor", at("ops/test_impute", "test_out_of_range[impute_oor]", "test_out_of_range[above]")),
    function("imputelearner", "ops.impute_by", at("ops/test_stacking", "test_impute_by_regression_is_sklearn", "test_impute_by_classification_is_sklearn")),
    function("select", "ops.select", at("ops/test_selectors", "test_select[numeric()-a b c]")),
    function("featureunion", "ops.union", at("ops/test_union", "test_union_is_feature_union")),
    function("copy", "ops.copy", at("ops/test_union", "test_copy_is_wires[2]")),
    function("nop", "fp.identity", at("graph/test_graph", "test_branch_with_nothing")),
    function("branch, unbranch", "ops.branch", at("graph/test_graph", "test_branch")),
    function("classbalancing", "ops.balance", at("ops/test_balance", "test_balance_counts[1-all-all-counts0-True]", "test_balance_counts[1-major-upsample-counts17-True]")),
    words("learner", "any graph that ends in a prediction", at("learners/test_bridge", "test_a_chain_is_a_pipeline_of_sklearn[numbers]", "test_a_chain_is_a_pipeline_of_sklearn[classes]")),
    function("learner_cv", "ops.out_of_fold", at("ops/test_stacking", "test_out_of_fold_numbers_of_a_regression[3]", "test_out_of_fold_probabilities_of_a_classification")),
)  # fmt: skip

MORE = (
    function("subsample", "ops.subsample", at("ops/test_subsampling", "test_a_share_of_the_rows", "test_each_class_keeps_its_share")),
    by_numbers("scalerange", "scale_range", "test_scaling", "holed-scale_range"),
    by_numbers("scalemaxabs", "scale_max_abs", "test_scaling", "holed-scale_max_abs"),
    by_numbers("", "scale_robust", "test_scaling", "holed-scale_robust"),
    function("boxcox, yeojohnson", "ops.power_transform", at("ops/test_power", "test_power_transform_yeo_johnson_is_sklearn[True]", "test_power_transform_box_cox_is_scipy")),
    function("", "ops.quantile_transform", at("ops/test_power", "test_quantile_transform_is_sklearn[1000-normal]")),
    function("", "ops.ordinal", at("ops/test_encoding", "test_numbers_ordinal")),
    function("collapsefactors", "ops.collapse_levels", at("ops/test_collapse", "test_numbers_sklearn[settings0]")),
    function("fixfactors", "ops.drop_unseen_levels", at("ops/test_encoding", "test_drop_unseen_levels")),
    by_numbers("missind", "missing_indicators", "test_indicators", "missing_indicators-fit"),
    by_numbers("removeconstants", "remove_constants", "test_constant", "data0-remove_constants {}-remove_constants sl sw pl pw species"),
    by_numbers("datefeatures", "date_features", "test_date_parts", "date_features-d-year"),
    function("colapply", "ops.colapply", at("ops/test_mutate", "test_colapply_numbers")),
    function("mutate", "ops.mutate", at("ops/test_mutate", "test_mutate_numbers")),
    function("renamecolumns", "ops.rename", at("ops/test_mutate", "test_rename")),
    function("targetmutate, targetinvert", "ops.transform_target", at("ops/test_target", "test_log_target_and_transform_target_are_sklearn[functions]")),
    function("", "ops.log_target", at("ops/test_target", "test_log_target_and_transform_target_are_sklearn[log]")),
    function("", "ops.scale_target", at("ops/test_ops", "test_scale_target"), at("ops/test_target", "test_order_of_undoing")),
    function('ppl("robustify")', "ops.robustify", at("ops/test_robustify", "test_robustify_numbers_of_a_complete_task")),
    function("", "ops.sklearn", at("ops/test_bridge", "test_sklearn_transformer_makes_features")),
)  # fmt: skip

IMAGE_OPS = (
    function("trafo_nop", "ops.trafo_nop", at("ops/images/test_tensors", "test_nop_changes_nothing")),
    function("trafo_reshape", "ops.trafo_reshape", at("ops/images/test_tensors", "test_reshape_is_torchs_row_by_row")),
    function("preproc_torch", "ops.trafo_map", at("ops/images/test_tensors", "test_map_of_rows", "test_map_of_batches", "test_map_that_draws")),
    function("augment_random_horizontal_flip", "ops.augment_random_horizontal_flip", at("ops/images/test_flips", "test_each_row_is_torchvisions[0.25-horizontal]")),
    function("augment_random_vertical_flip", "ops.augment_random_vertical_flip", at("ops/images/test_flips", "test_each_row_is_torchvisions[0.25-vertical]")),
    function("augment_random_choice", "ops.augment_random_choice", at("ops/images/test_choosing", "test_all_choices_are_equally_likely")),
    function("augment_random_order", "ops.augment_random_order", at("ops/images/test_choosing", "test_all_orders_are_equally_likely")),
    function("", "ops.drop_unreadable", at("ops/test_subsampling", "test_rows_that_cannot_be_read_are_left_out_and_told")),
    function("trafo_resize", "ops.trafo_resize", at("ops/images/test_torchvision", "test_without_draws[uint8-resize]", "test_without_draws[float32-resize]")),
    function("trafo_pad", "ops.trafo_pad", at("ops/images/test_torchvision", "test_without_draws[uint8-pad]", "test_without_draws[float32-pad]")),
    function("", "ops.trafo_center_crop", at("ops/images/test_torchvision", "test_without_draws[uint8-center]", "test_without_draws[float32-center]")),
    function("", "ops.trafo_to_float", at("ops/images/test_torchvision", "test_without_draws[uint8-to float]", "test_without_draws[float32-to float]")),
    function("trafo_grayscale", "ops.trafo_grayscale", at("ops/images/test_torchvision", "test_without_draws[uint8-gray]", "test_without_draws[float32-gray]")),
    function("trafo_rgb_to_grayscale", "ops.trafo_rgb_to_grayscale", at("ops/images/test_torchvision", "test_without_draws[uint8-rgb to gray]", "test_without_draws[float32-rgb to gray]")),
    function("", "ops.trafo_crop", at("ops/images/test_torchvision", "test_without_draws[uint8-crop]", "test_without_draws[float32-crop]")),
    function("augment_resized_crop", "ops.augment_resized_crop", at("ops/images/test_torchvision", "test_without_draws[uint8-resized crop]", "test_without_draws[float32-resized crop]")),
    function("trafo_adjust_gamma", "ops.trafo_adjust_gamma", at("ops/images/test_torchvision", "test_without_draws[uint8-gamma]", "test_without_draws[float32-gamma]")),
    function("trafo_adjust_brightness", "ops.trafo_adjust_brightness", at("ops/images/test_torchvision", "test_without_draws[uint8-brightness]", "test_without_draws[float32-brightness]")),
    function("", "ops.trafo_adjust_contrast", at("ops/images/test_torchvision", "test_without_draws[uint8-contrast]", "test_without_draws[float32-contrast]")),
    function("trafo_adjust_saturation", "ops.trafo_adjust_saturation", at("ops/images/test_torchvision", "test_without_draws[uint8-saturation]", "test_without_draws[float32-saturation]")),
    function("trafo_adjust_hue", "ops.trafo_adjust_hue", at("ops/images/test_torchvision", "test_without_draws[uint8-hue]", "test_without_draws[float32-hue]")),
    function("", "ops.trafo_adjust_sharpness", at("ops/images/test_torchvision", "test_without_draws[uint8-sharpness]", "test_without_draws[float32-sharpness]")),
    function("augment_rotate", "ops.augment_rotate", at("ops/images/test_torchvision", "test_without_draws[uint8-rotate]", "test_without_draws[float32-rotate]")),
    function("augment_crop", "ops.augment_crop", at("ops/images/test_torchvision", "test_without_draws[uint8-crop]", "test_without_draws[float32-crop]")),
    function("augment_center_crop", "ops.augment_center_crop", at("ops/images/test_torchvision", "test_without_draws[uint8-center]", "test_without_draws[float32-center]")),
    function("trafo_normalize", "ops.trafo_normalize", at("ops/images/test_torchvision", "test_normalize")),
    function("augment_random_crop", "ops.augment_random_crop", at("ops/images/test_torchvision", "test_random_crop[given0]")),
    function("augment_random_resized_crop", "ops.augment_random_resized_crop", at("ops/images/test_torchvision", "test_random_resized_crop[shape0-given0]")),
    function("augment_color_jitter", "ops.augment_color_jitter", at("ops/images/test_torchvision", "test_color_jitter[uint8-given0]")),
    function("augment_random_affine", "ops.augment_random_affine", at("ops/images/test_torchvision", "test_random_affine[given0]")),
    function("", "ops.augment_random_rotation", at("ops/images/test_torchvision", "test_random_rotation[given0]")),
    function("", "ops.augment_random_erasing", at("ops/images/test_torchvision", "test_random_erasing[given0]")),
    function("", "ops.augment_random_perspective", at("ops/images/test_torchvision", "test_random_perspective[shape0-given0]")),
    function("", "ops.augment_random_grayscale", at("ops/images/test_torchvision", "test_random_grayscale[3]")),
    function("", "ops.augment_gaussian_blur", at("ops/images/test_torchvision", "test_blur[uint8]")),
    function("", "ops.augment_auto_augment", at("ops/images/test_torchvision", "test_auto_augment[uint8-imagenet]")),
    function("", "ops.augment_trivial_augment", at("ops/images/test_torchvision", "test_trivial_augment[uint8-31]")),
    function("augment_hflip", "ops.augment_hflip", at("ops/images/test_pillow", "test_operators[hflip]")),
    function("augment_vflip", "ops.augment_vflip", at("ops/images/test_pillow", "test_operators[vflip]")),
)  # fmt: skip

SELECTORS = (
    selector("selector_all", "ops.everything", "everything()-a colour b flag day at took image c"),
    selector("selector_none", "`ops.named()`", "named()-"),
    selector("selector_type", "ops.numeric", "numeric()-a b c"),
    selector("selector_type", "ops.integer", "integer()-b"),
    selector("selector_type", "ops.floating", "floating()-a c"),
    selector("selector_type", "ops.categorical", "categorical()-colour flag"),
    selector("selector_type", "ops.levels", "levels()-colour"),
    selector("selector_type", "ops.boolean", "boolean()-flag"),
    selector("selector_type", "ops.temporal", "temporal()-day at took"),
    selector("selector_type", "ops.dates", "dates()-day at"),
    selector("selector_type", "ops.tensor", "tensor()-image"),
    function("selector_type", "ops.lazy", at("data/lazy/test_lazy_tasks", "test_lazy_columns_are_chosen")),
    selector("selector_grep", "ops.matching", "matching('c.*')-colour c"),
    selector("selector_name", "ops.named", "named('c', 'a')-a c"),
    selector("selector_invert", "`~a`", "~(numeric() | temporal())-colour flag image"),
    selector("selector_intersect", "`a & b`", "(numeric() & matching('c.*'))-c"),
    selector("selector_union", "`a | b`", "(named('a') | categorical())-a colour flag0"),
    selector("selector_setdiff", "`a & ~b`", "(numeric() & ~named('a'))-b c"),
    selector("selector_missing", "ops.missing", "missing(1)-a colour flag"),
    selector("selector_cardinality_greater_than", "ops.cardinality", "cardinality(at_least=4)-b at took c"),
)  # fmt: skip

RESAMPLINGS = (
    function("holdout", "fp.holdout", at("evaluate/test_evaluate", "test_holdout"), at("data/test_split", "test_holdout_strata_by_largest_remainder")),
    function("partition", "fp.partition", at("evaluate/test_evaluate", "test_partition_counts[0.8-72]")),
    function("cv", "fp.cv", at("evaluate/test_evaluate", "test_cv_covers_every_row_once"), at("data/test_split", "test_fold_sizes")),
    function("repeated_cv", "fp.repeated_cv", at("evaluate/test_resampling", "test_repeated_cv")),
    function("bootstrap", "fp.bootstrap", at("evaluate/test_resampling", "test_bootstrap")),
    function("subsampling", "fp.subsampling", at("evaluate/test_resampling", "test_subsampling")),
    function("loo", "fp.loo", at("evaluate/test_resampling", "test_loo", "test_loo_and_insample_by_hand")),
    function("insample", "fp.insample", at("evaluate/test_resampling", "test_insample", "test_loo_and_insample_by_hand")),
    function("custom", "fp.custom", at("evaluate/test_resampling", "test_custom")),
    function("custom_cv", "fp.custom_cv", at("evaluate/test_resampling", "test_custom_cv")),
)  # fmt: skip

TWO_CLASSES = measures(
    brier_binary="bbrier", dor="dor", fbeta="fbeta", f1="", fdr="fdr", fn="fn", fnr="fnr",
    fomr="fomr", fp="fp", fpr="fpr", npv="npv", ppv="ppv", pr_auc="prauc", precision="precision",
    recall="recall", sensitivity="sensitivity", specificity="specificity", tn="tn", tnr="tnr",
    tp="tp", tpr="tpr",
)  # fmt: skip

CLASSES = measures(
    roc_auc="auc", accuracy="acc", balanced_accuracy="bacc", brier="mbrier", error_rate="ce",
    log_loss="logloss", roc_auc_ovr="mauc_aunu", roc_auc_ovr_weighted="mauc_aunp",
    roc_auc_ovo="mauc_au1u", roc_auc_ovo_weighted="mauc_au1p", roc_auc_mu="mauc_mu", mcc="mcc",
    costs="costs", cohen_kappa="", top_k_accuracy="", f1_macro="", f1_weighted="",
    f1_micro="", precision_macro="", precision_weighted="", precision_micro="", recall_macro="",
    recall_weighted="", recall_micro="",
)  # fmt: skip

NUMBERS = measures(
    bias="bias", kendall_tau="ktau", mae="mae", mape="mape", max_error="maxae",
    median_absolute_error="medae", median_squared_error="medse", mse="mse", msle="msle",
    pbias="pbias", pinball="pinball", rmse="rmse", rmsle="rmsle", rqr="rqr", r2="rsq", sae="sae",
    smape="smape", spearman="srho", sse="sse", rae="", rse="", rrse="",
)  # fmt: skip

TABLES = (
    Table("Into the network", INGRESS),
    Table("Layers", LAYERS, (
        "Dimensions are counted from 0, and dimension 0 is the batch; `dims` of `nn.layer_norm` is a number of trailing dimensions.",
        "Merges take any number of inputs, so there is no `innum`.",
        "`n_blocks` of `nn.block` has to be set before the graph is fitted; 0 lets everything pass.",
    )),
    Table("Activations", ACTIVATIONS, ("There is no `inplace`: nothing is changed in place.",)),
    Table("Around the layers", AROUND),
    Table("Optimizers", OPTIMIZERS, (
        "They are torch's own, and so are their parameters; `groups` maps patterns of parameters' names to settings of their own, such as `nn.no_decay()`.",
    )),
    Table("Losses", LOSSES, (
        "`class_weight` maps names of classes to weights and means the same for two classes as for more: it multiplies the loss of a row. For two classes mlr3torch takes one number instead, torch's `pos_weight`.",
        "There is no `ignore_index`: leave such rows out of the task.",
    )),
    Table("From task to task", TASK_TO_TASK, (
        "`ops.scale` divides by the standard deviation over n, as scikit-learn does; mlr3pipelines takes n - 1. Its `robust` is `ops.scale_robust`, with quartiles in place of the MAD.",
        "Of the ways to `encode` only one-hot is here. An unseen level is an error unless `unseen` says otherwise.",
    )),
    Table("More from task to task", MORE),
    Table("Images in lazy columns", IMAGE_OPS, (
        "All take `stages` (`\"train\"`, `\"predict\"` or `\"both\"`), `columns` and `stream`. `trafo_…` act on all rows, `augment_…` on those that are learned from, unless told otherwise.",
        "Positions count from 0, padding is left, top, right, bottom, and gray images keep their dimension of channels, as in torchvision.",
    )),
    Table("Selectors", SELECTORS),
    Table("Resamplings", RESAMPLINGS, (
        "With `stratify=True` a task's strata keep their proportions, or where it has none its classes; mlr3 does so only where the task has a stratum.",
    )),
    Table("Measures of two classes", TWO_CLASSES),
    Table("Measures of any number of classes", CLASSES, (
        "`roc_auc` of two classes is mlr3's `auc`; of more classes it is the mean over classes, each against the rest.",
    )),
    Table("Measures of numbers", NUMBERS, (
        "`pbias` is response less truth, as `bias` is; mlr3 takes truth less response there.",
    )),
)  # fmt: skip

ABSENT = (
    ("aic, bic, oob_error, selected_features", "They measure a model, not a prediction."),
    ("sim.jaccard, sim.phi", "They compare the features that several models chose, not predictions."),
    ("time_train, time_predict, time_both", "They measure the machine: the same run would score differently each time."),
    ("internal_valid_score, best_valid_score", "They stand in the history of a fitted model."),
    ("debug_classif", "It serves mlr3's own tests."),
)  # fmt: skip

NO_ROW = {
    "nn.no_decay": "a setting of nn.optimizer, which stands in the notes on optimizers",
    "nn.Input": "the shape and dtype of an input of nn.network, no operator",
    "nn.Keep": "a draw that an operator of one's own declares",
    "nn.Normal": "a draw that an operator of one's own declares",
    "nn.Uniform": "a draw that an operator of one's own declares",
    "ops.TaskOp": "what operators of one's own are derived from",
}
"""Public functions that have no row, and why."""

ABOUT = f"""\
<!-- Written by docs/{Path(__file__).name}: change that file, not this one. -->

# Operators

What the operators of mlr3torch, mlr3 and mlr3pipelines are called here, and which test compares
their numbers with torch, scikit-learn, scipy, R or an example worked by hand. Every row has one;
where a test has many cases, one or a few of them stand for all. Where the first column is empty
the operator is fpipe's own. `id`, which every operator takes, is left out.

`nn` and `ops` are `fpipe.nn` and `fpipe.ops`, `fp` is `fpipe`. Tests are run from the root of the
repository, for example `pytest "tests/measure/test_score.py::test_numbers[rmse]"`.
"""


def cited() -> tuple[str, ...]:
    """Return the ids of all tests that the page names, each once."""
    return tuple(dict.fromkeys(test for row in rows() for test in row.tests))


def rows() -> Iterator[Row]:
    """Return all rows of all tables."""
    return (row for table in TABLES for row in table.rows)


def code(text: str) -> str:
    """Return text as code in a cell of a table."""
    return f"`{text}`".replace("|", "\\|")


def shown(row: Row) -> str:
    """Return how an operator is written here."""
    if row.kind == "words":
        return row.name.replace("|", "\\|")
    return code(
        {
            "measure": f'"{row.name}"',
            "loss": f'nn.loss("{row.name}")',
            "optimizer": f'nn.optimizer("{row.name}")',
        }.get(row.kind, row.name)
    )


def public(name: str) -> Callable[..., Any]:
    """Return the public function of a name such as ``nn.linear`` or ``fp.cv``."""
    return functools.reduce(getattr, name.removeprefix("fp.").split("."), fp)


def spelt(value: Any) -> str:
    """Return a default as short as it can be read."""
    if isinstance(value, float):
        return f"{value:.4g}" if "e" in f"{value:.4g}" else f"{round(value, 4)}"
    return repr(value)


def of_function(name: str) -> list[str]:
    """Return the parameters of a public function with their defaults."""
    found = []
    for each in inspect.signature(public(name)).parameters.values():
        if each.name in ("id", "overrides"):
            continue
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            found.append(str(each).partition(":")[0])
        else:
            found.append(
                assigned(each.name, REQUIRED if each.default is each.empty else each.default)
            )
    return found


def assigned(name: str, default: Any) -> str:
    """Return one parameter and its default."""
    return f"{name} (required)" if default is REQUIRED else f"{name}={spelt(default)}"


def of_optimizer(name: str) -> list[str]:
    """Return the settings of an optimizer with their defaults, without the groups."""
    settings = fields_of(optimizer_class(name))
    return [assigned(each.name, each.default) for each in settings if each.name != "groups"]


def parameters(row: Row) -> str:
    """Return the parameters of a row with their defaults."""
    found: list[str] = []
    if row.kind == "function":
        found = of_function(row.name)
    elif row.kind == "measure":
        known = scores.parameters_of(scores.measure(row.name))
        found = [assigned(*item) for item in known.items()]
    elif row.kind == "loss":
        value = losses.loss(row.name)
        fields = attrs.fields(type(value))
        found = [assigned(field.name, getattr(value, field.name)) for field in fields]
    elif row.kind == "optimizer":
        found = of_optimizer(row.name)
    return ", ".join(map(code, found)) or "–"


def written(row: Row) -> str:
    """Return the line of one row."""
    keys = ", ".join(code(key) for key in row.reference.split(", ") if key)
    tests = "<br>".join(map(code, row.tests))
    return f"| {keys or '–'} | {shown(row)} | {parameters(row)} | {tests} |"


def section(table: Table) -> str:
    """Return one table with its title and notes."""
    head = "| mlr3torch / mlr3 / mlr3pipelines | fpipe | parameters (defaults) | test |\n|---|---|---|---|"
    notes = [f"- {note}" for note in table.notes]
    lines = [f"## {table.title}", "", head, *map(written, table.rows)]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def absent() -> str:
    """Return the list of what is not here."""
    lines = [f"- {', '.join(code(key) for key in keys.split(', '))}: {why}" for keys, why in ABSENT]
    last = "- Of the other operators of mlr3pipelines and their selectors, only those named above are here."
    return "\n".join(["## Not here, and why", "", *lines, last]) + "\n"


def page() -> str:
    """Return the whole page."""
    return "\n".join([ABOUT, *map(section, TABLES), absent()])


def main(arguments: list[str]) -> int:
    """Write the page, or tell whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    if not parser.parse_args(arguments).check:
        PAGE.write_text(page(), "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == page():
        return 0
    sys.stderr.write(f"{PAGE.name} is stale: run python docs/{Path(__file__).name}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
