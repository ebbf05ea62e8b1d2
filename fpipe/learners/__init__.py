"""Ready graphs and learners that end in a prediction."""

from fpipe.core.face import offering
from fpipe.learners.baseline import featureless as featureless
from fpipe.learners.bridge import sklearn as sklearn
from fpipe.learners.own import module as module
from fpipe.learners.perceptron import mlp as mlp

__dir__ = offering(globals())
