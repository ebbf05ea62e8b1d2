"""Modules of torch joined to a graph, and the network of it."""

import torch

import fpipe as fp
from fpipe import nn

graph = (
    nn.module(torch.nn.Linear, 10, 100)
    >> nn.module(torch.nn.ReLU)
    >> nn.module(torch.nn.Linear, 100, 1)
)
network = nn.network(graph, x=(None, 10))
print(network)

output = network.bind(fp.key(0))(torch.ones(2, 10))
print(output.shape)
