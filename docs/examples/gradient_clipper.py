"""A callback of one's own: shorten long gradients, and keep the norms they had."""

from collections.abc import Mapping
from typing import Any

import torch
from pyrsistent import PVector, pvector

import fpipe as fp
from fpipe import callbacks, nn, ops


@callbacks.descriptor
class Clipper(callbacks.Callback):
    name = "clipper"

    max_norm: float
    norm_type: float = 2.0

    def init(self, params: Mapping[str, torch.Tensor]) -> PVector[float]:
        return pvector()

    def after_backward(self, norms: Any, gradients: Mapping[str, torch.Tensor]) -> tuple[Any, Any]:
        lengths = [torch.linalg.vector_norm(g, self.norm_type) for g in gradients.values()]
        norm = torch.linalg.vector_norm(torch.stack(lengths), self.norm_type)
        scale = (self.max_norm / (norm + 1e-6)).clamp(max=1.0)
        shorter = {name: gradient * scale for name, gradient in gradients.items()}
        return norms.append(norm.item()), shorter


graph = (
    ops.scale()
    >> ops.scale_target()
    >> nn.ingress_numeric()
    >> nn.linear(8)
    >> nn.relu()
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("sgd", lr=0.1)
    >> nn.callbacks(Clipper(max_norm=0.5))
    >> nn.model(epochs=5, batch_size=8)
)
fitted = fp.fit(graph, fp.tasks.mtcars(), key=fp.key(1))
norms = fitted.state("model").callbacks["clipper"]
print([round(norm, 2) for norm in norms])
