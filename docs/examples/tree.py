"""A regression tree on mtcars: a part for training, a part for testing, and the score."""

import fpipe as fp
from fpipe import learners

task = fp.tasks.mtcars()
train, test = fp.partition(task, ratio=2 / 3, key=fp.key(42))

tree = learners.sklearn("sklearn.tree:DecisionTreeRegressor", min_samples_leaf=5)
fitted = fp.fit(tree, train, key=fp.key(42))
prediction = fp.predict(fitted, test)
print(f"rmse {prediction.score('rmse'):.2f} miles per gallon on {len(prediction.row_id)} cars")
