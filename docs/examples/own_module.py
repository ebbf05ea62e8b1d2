"""A module of one's own as a network that is a value."""

import torch

import fpipe as fp
from fpipe import nn


class Simple(torch.nn.Module):
    def __init__(self, d_in: int, d_latent: int, d_out: int) -> None:
        super().__init__()
        self.linear1 = torch.nn.Linear(d_in, d_latent)
        self.activation = torch.nn.ReLU()
        self.linear2 = torch.nn.Linear(d_latent, d_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear2(self.activation(self.linear1(x)))


network = nn.network(nn.module(Simple, 10, 100, 1), x=(None, 10))
model = network.bind(fp.key(0))
output = model(torch.ones(1, 10))
print(output.shape)
