"""Dogs and cats: files of images, augmentation, a ResNet of which the head learns first.

Without weights of ImageNet (none are at hand here) this shows the structure, not the accuracy.
"""

import os
from pathlib import Path

import polars as pl

import fpipe as fp
from fpipe import callbacks, learners, ops

folder = Path(os.environ["FPIPE_DATA"]) / "dogs_vs_cats" / "fullsize"
paths = sorted(folder.glob("*.jpg"))[::10]
labels = ["dog" if path.name.startswith("dog") else "cat" for path in paths]
print(pl.Series(labels).value_counts().sort("").rows())

task = fp.classification(
    {"image": fp.image_files(paths), "class": labels}, "class", name="dogs_vs_cats"
)
print(task)

augment = ops.augment_random_vertical_flip(0.5)
preprocess = ops.trafo_resize((64, 64)) >> ops.trafo_to_float()  # 224 with more time

unfreezer = callbacks.unfreeze("*.fc.*", epochs={3: "*"})
resnet = learners.resnet18(epochs=4, batch_size=4, lr=1e-4, callbacks=(unfreezer,))
resnet = resnet.set({"resnet18.model.measures": "accuracy"})
graph = augment >> preprocess >> resnet
print(fp.check(graph, task))

fitted = fp.fit(graph, task, validate=1 / 3, key=fp.key(42))
model = fitted.state("resnet18.model")
for row in model.history:
    print(f"epoch {row['epoch']:.0f}  valid.accuracy {row['valid.accuracy']:.2f}")
figure = fp.plot(model)
