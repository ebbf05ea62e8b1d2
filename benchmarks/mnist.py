"""How good are the networks of the MNIST example on all 60,000 images?

1. A perceptron of 100 and 200 units, dropout 0.3, AdamW with a rate of 0.001 and a weight decay of
   0.01, scaled pixels, 10 epochs: mean accuracy on the 10,000 test images over three keys of at
   least 0.975. The same with a rate of 0.01 is reported.
2. A small convolutional network, 5 epochs: at least 0.988.

``python benchmarks/mnist.py [--only perceptron|convolutions]``, with ``FPIPE_DATA`` set or the network
for the data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

import fpipe as fp
from fpipe import learners, nn, ops

KEYS = (0, 1, 2)
LEAST = {"perceptron": 0.975, "convolutions": 0.988}


def perceptron(lr: float) -> fp.Graph:
    """Return the network of docs/examples/mnist.py."""
    return (
        ops.trafo_reshape((28 * 28,))
        >> ops.trafo_to_float()
        >> learners.mlp(
            neurons=(100, 200),
            dropout=0.3,
            optimizer=nn.optimizer("adamw", lr=lr, weight_decay=0.01),
            epochs=10,
            batch_size=32,
        )
    )


def convolutions() -> fp.Graph:
    """Return two blocks of convolution and pool, and a hidden layer."""
    return (
        ops.trafo_to_float()
        >> nn.ingress_tensor()
        >> nn.conv2d(16, 3, padding=1)
        >> nn.relu()
        >> nn.max_pool2d(2)
        >> nn.conv2d(32, 3, padding=1)
        >> nn.relu()
        >> nn.max_pool2d(2)
        >> nn.flatten()
        >> nn.linear(64)
        >> nn.relu()
        >> nn.dropout(0.3)
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam", lr=1e-3)
        >> nn.model(epochs=5, batch_size=64)
    )


def accuracies(graph: fp.Graph) -> list[float]:
    """Return the accuracy on the test images for every key."""
    train, test = fp.tasks.mnist("train"), fp.tasks.mnist("test")
    found = []
    for seed in KEYS:
        begun = time.perf_counter()
        score = fp.predict(fp.fit(graph, train, key=fp.key(seed)), test).score("accuracy")
        print(f"    key {seed}: {score:.4f} in {time.perf_counter() - begun:.0f} s", flush=True)
        found.append(score)
    return found


def main() -> None:
    """Print the figures; end with a non-zero code where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*LEAST])
    only = parser.parse_args().only
    graphs = {
        "perceptron": perceptron(0.001),
        "perceptron, lr 0.01": perceptron(0.01),
        "convolutions": convolutions(),
    }
    means = {}
    for name, graph in graphs.items():
        if only is None or name.startswith(only):
            print(f"  {name}", flush=True)
            means[name] = float(np.mean(accuracies(graph)))
    print(json.dumps({name: round(mean, 4) for name, mean in means.items()}))
    if any(mean < LEAST.get(name, 0.0) for name, mean in means.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
