"""Loss, optimizer and training are operators, too: with them the graph is a learner."""

import numpy as np

import fpipe as fp
from fpipe import nn

draws = np.random.default_rng(0)
digits = np.arange(60) % 10
images = draws.normal(0.0, 0.3, (60, 28 * 28)).astype(np.float32)
images[np.arange(60), digits] += 3.0  # what tells the digits apart
task = fp.classification({"image": images, "label": [str(d) for d in digits]}, "label")

network = nn.ingress_tensor() >> nn.linear(10) >> nn.relu() >> nn.head()
graph = network >> nn.loss("cross_entropy") >> nn.optimizer("adamw", lr=0.001)
graph = graph >> nn.model(epochs=10, batch_size=16)

fitted = fp.fit(graph, task, key=fp.key(42))
losses = [row["train.loss"] for row in fitted.state("model").history]
print(f"loss {losses[0]:.3f} in the first epoch, {losses[-1]:.3f} in the last")
prediction = fp.predict(fitted, task)
