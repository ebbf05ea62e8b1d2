"""A network class of one's own that is told the task, with its inputs declared."""

import torch

import fpipe as fp
from fpipe import learners, ops


class FeedForward(torch.nn.Module):
    def __init__(self, task: fp.TaskType, latent_dim: int, n_layers: int) -> None:
        super().__init__()
        sizes = [len(task.features), *[latent_dim] * n_layers]
        layers: list[torch.nn.Module] = []
        for d_in, d_out in zip(sizes, sizes[1:], strict=False):
            layers += [torch.nn.Linear(d_in, d_out), torch.nn.ReLU()]
        self.network = torch.nn.Sequential(
            *layers, torch.nn.Linear(sizes[-1], task.kind.output_size)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


learner = learners.module(
    FeedForward, inputs={"x": ops.numeric()}, latent_dim=100, n_layers=5, epochs=20, lr=0.001
)
print(learner.params())

train, test = fp.partition(fp.tasks.iris(), ratio=0.7, key=fp.key(0))
fitted = fp.fit(ops.scale() >> learner, train, key=fp.key(0))
accuracy = fp.predict(fitted, test).score("accuracy")
print(f"accuracy {accuracy:.2f}")
