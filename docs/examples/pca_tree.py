"""Principal components, then a tree: one graph, judged by 3-fold cross-validation."""

import fpipe as fp
from fpipe import learners, ops

task = fp.tasks.mtcars()
tree = learners.sklearn("sklearn.tree:DecisionTreeRegressor", min_samples_leaf=5)
graph = ops.pca() >> tree

result = fp.resample(graph, task, fp.cv(3), key=fp.key(42))
print(result.table("rmse"))
print(f"rmse {result.aggregate('rmse'):.2f} ± {result.standard_error('rmse'):.2f}")
