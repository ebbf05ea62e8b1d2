"""Two paths that meet in a sum; the same as ``nn.residual`` with a linear shortcut."""

import torch

import fpipe as fp
from fpipe import nn

path_linear = nn.linear(8, id="linear_1")
path_nonlinear = nn.linear(8, id="linear_2") >> nn.relu()
residual_layer = (path_linear & path_nonlinear) >> nn.merge_sum()

network = nn.network(fp.identity() >> residual_layer, x=(None, 4))
print(network)
output = network.bind(fp.key(0))(torch.ones(3, 4))
