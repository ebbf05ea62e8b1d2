"""Operators from task to task, and the selectors that say which features they work on."""

from fpipe.core.face import offering
from fpipe.graph.branch import branch as branch
from fpipe.ops.balancing import balance as balance
from fpipe.ops.bridge import sklearn as sklearn
from fpipe.ops.collapse import collapse_levels as collapse_levels
from fpipe.ops.constant import remove_constants as remove_constants
from fpipe.ops.data_selector import cardinality as cardinality
from fpipe.ops.data_selector import missing as missing
from fpipe.ops.date_parts import date_features as date_features
from fpipe.ops.encoding import drop_unseen_levels as drop_unseen_levels
from fpipe.ops.encoding import one_hot as one_hot
from fpipe.ops.encoding import ordinal as ordinal
from fpipe.ops.feature_selector import boolean as boolean
from fpipe.ops.feature_selector import categorical as categorical
from fpipe.ops.feature_selector import dates as dates
from fpipe.ops.feature_selector import everything as everything
from fpipe.ops.feature_selector import floating as floating
from fpipe.ops.feature_selector import integer as integer
from fpipe.ops.feature_selector import levels as levels
from fpipe.ops.feature_selector import matching as matching
from fpipe.ops.feature_selector import named as named
from fpipe.ops.feature_selector import numeric as numeric
from fpipe.ops.feature_selector import temporal as temporal
from fpipe.ops.feature_selector import tensor as tensor
from fpipe.ops.impute import impute_constant as impute_constant
from fpipe.ops.impute import impute_mode as impute_mode
from fpipe.ops.impute import impute_oor as impute_oor
from fpipe.ops.impute_average import impute_mean as impute_mean
from fpipe.ops.impute_average import impute_median as impute_median
from fpipe.ops.impute_draw import impute_hist as impute_hist
from fpipe.ops.impute_draw import impute_sample as impute_sample
from fpipe.ops.impute_graph import impute_by as impute_by
from fpipe.ops.indicators import missing_indicators as missing_indicators
from fpipe.ops.joining import copy as copy
from fpipe.ops.joining import union as union
from fpipe.ops.power import power_transform as power_transform
from fpipe.ops.power import quantile_transform as quantile_transform
from fpipe.ops.reduction import pca as pca
from fpipe.ops.rewriting import colapply as colapply
from fpipe.ops.rewriting import mutate as mutate
from fpipe.ops.rewriting import rename as rename
from fpipe.ops.robust import robustify as robustify
from fpipe.ops.scaling import scale as scale
from fpipe.ops.scaling import scale_max_abs as scale_max_abs
from fpipe.ops.scaling import scale_range as scale_range
from fpipe.ops.scaling import scale_robust as scale_robust
from fpipe.ops.selecting import select as select
from fpipe.ops.stacking import out_of_fold as out_of_fold
from fpipe.ops.target import log_target as log_target
from fpipe.ops.target import scale_target as scale_target
from fpipe.ops.target import transform_target as transform_target
from fpipe.ops.task_op import TaskOp as TaskOp

__dir__ = offering(globals())
