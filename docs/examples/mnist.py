"""MNIST: a lazy column of images, flattened, a perceptron, history, log loss, a file.

``python docs/examples/mnist.py full`` trains on all 60,000 images.
"""

import sys
import tempfile
from pathlib import Path

import fpipe as fp
from fpipe import learners, nn, ops

full = "full" in sys.argv[1:]
mnist = fp.tasks.mnist()  # nothing is read yet
print(mnist)

rows = mnist.take([0, 1])
images = fp.materialize(rows.tensor("image"))
print(rows.column("label").to_list(), tuple(images.shape))

flat = ops.trafo_reshape((28 * 28,))
mnist_flat = fp.transform(flat, mnist, key=fp.key(42))
print(mnist_flat.tensor("image"))  # still not read

train = mnist_flat.take(range(60_000 if full else 1_000))
test = mnist_flat.take(range(60_000, 70_000 if full else 60_300))

optimizer = nn.optimizer("adamw", lr=0.001, weight_decay=0.01)
mlp = ops.trafo_to_float() >> learners.mlp(
    neurons=(100, 200),
    activation="relu",
    dropout=0.3,
    optimizer=optimizer,
    epochs=10,
    batch_size=32,
)
mlp = mlp.set({"mlp.model.measures_train": "log_loss"})

fitted = fp.fit(mlp, train, key=fp.key(42))
model = fitted.state("mlp.model")
print(model.network)
for row in model.history[:2]:
    print(f"epoch {row['epoch']:.0f}  train.log_loss {row['train.log_loss']:.4f}")

prediction = fp.predict(fitted, test)
print(f"error rate {prediction.score('error_rate'):.4f}")

with tempfile.TemporaryDirectory() as folder:
    fp.save(fitted, Path(folder) / "mlp.fpipe")
    again = fp.load(Path(folder) / "mlp.fpipe")
assert fp.same(fp.predict(again, test), prediction)

validated = fp.fit(mlp.set({"mlp.epochs": 2}), train, validate=0.3, key=fp.key(42))
figures = dict(validated.state("mlp.model").history[-1])
print(sorted(figures))
