"""A graph repeated five times, each copy with weights of its own."""

import torch

import fpipe as fp
from fpipe import nn

layer = fp.identity() >> (nn.linear(8, id="linear_1") & (nn.linear(8, id="linear_2") >> nn.relu()))
blocks = nn.block(layer >> nn.merge_sum(), n_blocks=5)

network = nn.network(blocks, x=(None, 8))
print(f"{network.count():,} parameters in {len(network.layers)} layers")
output = network.bind(fp.key(0))(torch.ones(3, 8))

# One parameter sets all copies, or one of them.
wide = blocks.set({"block.linear_1.bias": False, "block[4].linear_1.bias": True})
