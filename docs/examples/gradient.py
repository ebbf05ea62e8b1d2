"""A gradient without a graph that remembers: ``torch.func`` over a pure function."""

import torch
from torch.func import grad


def product(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return w * x


w, x = torch.tensor(2.0), torch.tensor(1.0)
gradient = grad(product)(w, x)
print(gradient)  # d(w x)/dw = x; nothing was written into w
