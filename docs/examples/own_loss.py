"""A loss of one's own: an error that is worth no more than ``max_loss``."""

import torch

import fpipe as fp
from fpipe import nn, ops


class WinsorizedMSE(torch.nn.Module):
    def __init__(self, max_loss: float) -> None:
        super().__init__()
        self.max_loss = max_loss

    def forward(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (outputs - target).square().mean().clamp(max=self.max_loss)


loss = nn.loss(WinsorizedMSE, max_loss=4.0)
print(loss.params())

graph = (
    ops.scale()
    >> ops.scale_target()
    >> nn.ingress_numeric()
    >> nn.linear(8)
    >> nn.relu()
    >> nn.head()
    >> loss
    >> nn.optimizer("adamw", lr=0.01)
    >> nn.model(epochs=20, batch_size=16)
)
fitted = fp.fit(graph, fp.tasks.mtcars(), key=fp.key(1))
history = fitted.state("model").history
print(f"loss {history[0]['train.loss']:.3f}, then {history[-1]['train.loss']:.3f}")
