"""What flows along network operators: a network under construction, and the task that it is for."""

import numpy as np

import fpipe as fp
from fpipe import nn

draws = np.random.default_rng(0)
images = draws.random((60, 28 * 28), np.float32)
digits = [str(i % 10) for i in range(60)]
task = fp.classification({"image": images, "label": digits}, "label")

graph = nn.ingress_tensor() >> nn.linear(10) >> nn.relu() >> nn.head()
descriptor = fp.transform(graph, task, key=fp.key(0))
print(descriptor)
