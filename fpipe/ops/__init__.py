"""Operators from task to task, and the selectors that say which features they work on."""

from fpipe.graph.branch import branch as branch
from fpipe.ops.bridge import sklearn as sklearn
from fpipe.ops.encoding import one_hot as one_hot
from fpipe.ops.impute import impute_median as impute_median
from fpipe.ops.impute import impute_mode as impute_mode
from fpipe.ops.scaling import scale as scale
from fpipe.ops.scaling import scale_target as scale_target
from fpipe.ops.selecting import select as select
from fpipe.ops.selector import categorical as categorical
from fpipe.ops.selector import everything as everything
from fpipe.ops.selector import matching as matching
from fpipe.ops.selector import named as named
from fpipe.ops.selector import numeric as numeric
