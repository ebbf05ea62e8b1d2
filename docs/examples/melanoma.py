"""Skin lesions: a table and images in one graph, minority balanced, images augmented, groups kept.

HAM10000's images stand in for ISIC's: lesions are the groups, as patients are there.
"""

import fpipe as fp
from fpipe import nn, ops

task = fp.tasks.ham10000("malignant", only_present=True)
task = task.take(range(0, task.n_rows, 6))
print(task)

ffn = nn.linear(50) >> nn.relu() >> nn.dropout(0.5)
tabular = (
    ops.select(ops.numeric() | ops.levels())
    >> ops.impute_hist()
    >> ops.one_hot(unseen="zeros")
    >> nn.ingress_numeric()
    >> nn.block(ffn, 3, id="ffn")
)
image = (
    ops.select(ops.lazy())
    >> nn.ingress_tensor(shape=(3, 32, 32))
    >> nn.conv2d(8, 7, stride=2, padding=3)
    >> nn.batch_norm2d()
    >> nn.relu()
    >> nn.max_pool2d(3, stride=2, padding=1)
    >> nn.conv2d(16, 3, padding=1)
    >> nn.batch_norm2d()
    >> nn.relu()
    >> nn.flatten()
)
architecture = (
    (tabular & image)
    >> nn.merge_cat()
    >> nn.linear(50)
    >> nn.relu()
    >> nn.dropout(0.5)
    >> nn.head()
)
model = (
    architecture
    >> nn.loss("cross_entropy", class_weight={"yes": 10.0})
    >> nn.optimizer("adamw", lr=0.0005)
    >> nn.model(epochs=2, batch_size=16)
)
preprocessing = (
    ops.balance(ratio=4, reference="minor", adjust="minor")
    >> ops.augment_random_horizontal_flip()
    >> ops.augment_random_vertical_flip()
    >> ops.trafo_resize((40, 40))
    >> ops.augment_random_crop((32, 32), pad_if_needed=True)
    >> ops.trafo_center_crop((32, 32), stages="predict")
    >> ops.trafo_to_float()
)
graph = preprocessing >> model
print(fp.check(graph, task))

result = fp.resample(graph, task, fp.cv(5), key=fp.key(42))
print(result.aggregate("roc_auc", average="micro"))
figure = fp.plot(result, "roc")
