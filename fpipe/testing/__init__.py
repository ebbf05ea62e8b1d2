"""Strategies and laws for everyone; needs the extra ``fpipe[testing]``."""

from fpipe.testing.callbacks import callbacks as callbacks
from fpipe.testing.callbacks import optimizers as optimizers
from fpipe.testing.callbacks import schedules as schedules
from fpipe.testing.cases import cases as cases
from fpipe.testing.checking import LAWS as LAWS
from fpipe.testing.checking import holds as holds
from fpipe.testing.checking import law as law
from fpipe.testing.checking import violation as violation
from fpipe.testing.graphs import graphs as graphs
from fpipe.testing.graphs import learners as learners
from fpipe.testing.graphs import task_graphs as task_graphs
from fpipe.testing.lazy import lazy_tensors as lazy_tensors
from fpipe.testing.networks import layer_graphs as layer_graphs
from fpipe.testing.networks import networks as networks
from fpipe.testing.operators import OperatorReport as OperatorReport
from fpipe.testing.operators import check_op as check_op
from fpipe.testing.tables import tasks as tasks
from fpipe.testing.training import plans as plans
from fpipe.testing.training import runs as runs
from fpipe.testing.values import frames as frames
from fpipe.testing.values import keys as keys
from fpipe.testing.values import tensors as tensors
from fpipe.testing.values import values as values
