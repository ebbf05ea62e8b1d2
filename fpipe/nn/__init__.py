"""The network vocabulary: ingress, layers, merges, blocks, head, loss, optimizer, model."""

from fpipe.graph.branch import branch as branch
from fpipe.nn.blocks import block as block
from fpipe.nn.configure import loss as loss
from fpipe.nn.configure import optimizer as optimizer
from fpipe.nn.ingress import ingress_numeric as ingress_numeric
from fpipe.nn.layers import batch_norm1d as batch_norm1d
from fpipe.nn.layers import dropout as dropout
from fpipe.nn.layers import head as head
from fpipe.nn.layers import identity as identity
from fpipe.nn.layers import linear as linear
from fpipe.nn.layers import merge_cat as merge_cat
from fpipe.nn.layers import merge_sum as merge_sum
from fpipe.nn.layers import module as module
from fpipe.nn.layers import relu as relu
from fpipe.nn.layers import sigmoid as sigmoid
from fpipe.nn.layers import tanh as tanh
from fpipe.nn.standalone import network as network
from fpipe.nn.training import model as model

__all__ = [
    "batch_norm1d",
    "block",
    "branch",
    "dropout",
    "head",
    "identity",
    "ingress_numeric",
    "linear",
    "loss",
    "merge_cat",
    "merge_sum",
    "model",
    "module",
    "network",
    "optimizer",
    "relu",
    "sigmoid",
    "tanh",
]
