"""Every example runs, and gives the shapes and the structure of the paper's listing it stands for."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest
import torch

import fpipe as fp

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NEED_DATA = {
    *("tree", "pca_tree", "tokens", "own_loss", "gradient_clipper"),
    *("mnist", "dogs_vs_cats", "melanoma"),
}
HAS_DATA = bool(os.environ.get("FPIPE_DATA")) and Path(os.environ["FPIPE_DATA"]).is_dir()


def example(name, capsys):
    """Run an example; return its names and what it printed."""
    if name in NEED_DATA and not HAS_DATA:
        pytest.skip("FPIPE_DATA is not set")
    pytest.importorskip("sklearn")
    state = torch.get_rng_state()
    names = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert torch.equal(torch.get_rng_state(), state), "the global generator moved"
    return names, capsys.readouterr().out


def test_every_example_is_tested():
    """A new example needs a test here."""
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_tree(capsys):
    """A third of the 32 cars is tested; a tree is better than the mean."""
    names, out = example("tree", capsys)
    prediction = names["prediction"]
    assert len(prediction.row_id) == 11
    assert out.startswith("rmse ")
    assert 2.0 < prediction.score("rmse") < 6.0


def test_pca_tree(capsys):
    """Three folds that cover the 32 cars."""
    names, out = example("pca_tree", capsys)
    result = names["result"]
    assert result.table()["test_rows"].to_list() == [11, 11, 10]
    assert len(result.prediction().row_id) == 32
    assert names["graph"].ids == ("pca", "sklearn")
    assert 2.0 < result.aggregate("rmse") < 6.5
    assert "±" in out


def test_gradient(capsys):
    """dy/dw of w x at x = 1 is 1, and w was not written to."""
    names, out = example("gradient", capsys)
    assert out == "tensor(1.)\n"
    assert names["w"].grad is None


def test_own_module(capsys):
    """10 → 100 → 1, of one row."""
    names, _ = example("own_module", capsys)
    assert names["output"].shape == (1, 1)
    assert names["network"].count() == 10 * 100 + 100 + 100 + 1


def test_module_graph(capsys):
    """Two rows through three modules; the same numbers as the modules of torch."""
    names, out = example("module_graph", capsys)
    assert names["output"].shape == (2, 1)
    assert "1,201 parameters" in out
    params = names["network"].bind(fp.key(0)).params
    torch_net = torch.nn.Sequential(
        torch.nn.Linear(10, 100), torch.nn.ReLU(), torch.nn.Linear(100, 1)
    )
    torch_net.load_state_dict(
        {
            "0.weight": params["module.weight"],
            "0.bias": params["module.bias"],
            "2.weight": params["module_3.weight"],
            "2.bias": params["module_3.bias"],
        }
    )
    assert torch.equal(torch_net(torch.ones(2, 10)), names["output"])


def test_descriptor(capsys):
    """One ingress of 784 numbers, the task, nothing configured, ten outputs."""
    names, out = example("descriptor", capsys)
    descriptor = names["descriptor"]
    assert [i.input.shape for i in descriptor.ingress.values()] == [(None, 784)]
    assert descriptor.shapes == ((None, 10),)
    assert descriptor.loss is None
    assert descriptor.optimizer is None
    for line in ("ingress    ingress_tensor (?, 784)", "not set", "pointer    head (?, 10)"):
        assert line in out


def test_training(capsys):
    """Ten epochs that learn; a probability for each of ten digits."""
    names, _ = example("training", capsys)
    assert len(names["losses"]) == 10
    assert names["losses"][-1] < names["losses"][0]
    assert names["prediction"].prob.shape == (60, 10)
    assert names["graph"].ids[-3:] == ("loss", "optimizer", "model")


def test_residual(capsys):
    """The sum of a linear and a rectified path."""
    names, out = example("residual", capsys)
    params = names["network"].bind(fp.key(0)).params
    x = torch.ones(3, 4)
    left = x @ params["linear_1.weight"].T + params["linear_1.bias"]
    right = x @ params["linear_2.weight"].T + params["linear_2.bias"]
    torch.testing.assert_close(names["output"], left + right.relu())
    assert "merge_sum" in out


def test_blocks(capsys):
    """Five copies of two 8 × 8 linear layers, each with weights of its own."""
    names, _ = example("blocks", capsys)
    network = names["network"]
    assert network.count() == 5 * 2 * (8 * 8 + 8)
    assert len(network.layers) == 5 * 4
    assert names["output"].shape == (3, 8)
    wide = fp.nn.network(names["wide"], x=(None, 8))
    assert network.count() - wide.count() == 4 * 8


def test_tokens(capsys):
    """Five numbers and two levels become seven tokens of ten numbers."""
    names, _ = example("tokens", capsys)
    assert names["tokens"].shapes == ((None, 7, 10),)
    assert len(names["tokens"].ingress) == 2


def test_own_loss(capsys):
    """The parameter is seen by the graph, and training lowers the loss."""
    names, _ = example("own_loss", capsys)
    assert names["loss"].params()["loss.max_loss"] == 4.0
    assert names["loss"].set({"loss.reduction": "sum"}).at("loss.reduction") == "sum"
    assert names["history"][-1]["train.loss"] < names["history"][0]["train.loss"] <= 4.0


def test_gradient_clipper(capsys):
    """One norm per step; the updates of plain gradient descent are no longer than they may be."""
    names, _ = example("gradient_clipper", capsys)
    assert len(names["norms"]) == 5 * 4
    assert max(names["norms"]) > 0.5
    ready = fp.callbacks.clip_gradients(0.5)
    graph = names["graph"]
    swapped = fp.fit(_with_clipper(graph, ready), fp.tasks.mtcars(), key=fp.key(1))
    own = names["fitted"].state("model")
    assert list(own.callbacks["clipper"]) == pytest.approx(
        list(swapped.state("model").callbacks["clip_gradients"])
    )


def _with_clipper(graph, callback):
    """The example's graph with the ready clipper in place of the own one."""
    from fpipe import nn, ops

    assert graph.ids[-2:] == ("callbacks", "model")
    return (
        ops.scale() >> ops.scale_target() >> nn.ingress_numeric() >> nn.linear(8) >> nn.relu()
        >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1) >> nn.callbacks(callback)
        >> nn.model(epochs=5, batch_size=8)
    )  # fmt: skip


def test_own_class(capsys):
    """The class is told 4 features and 3 classes; its parameters are the graph's."""
    names, _ = example("own_class", capsys)
    assert {"module.latent_dim", "module.n_layers"} <= set(names["learner"].params())
    model = names["fitted"].state("module.model")
    weights = [tuple(t.shape) for n, t in model.weights.params.items() if n.endswith("weight")]
    assert sorted(weights) == [(3, 100), (100, 4), *[(100, 100)] * 4]
    assert names["accuracy"] > 0.85


def test_errors(capsys):
    """Each names the node, what was expected and what to do."""
    names, _ = example("errors", capsys)
    found = list(names["messages"].values())
    wanted = [
        ("weight", "class_weight", "did you mean 'class_weight'"),
        ("scale", "linear >> scale", "Task at input", "before the ingress"),
        ("ingress_numeric", "'age'", "row 1", "impute"),
        ("branch", "'tanh'", "relu, sigmoid"),
    ]
    assert len(found) == 4
    for text, words in zip(found, wanted, strict=True):
        assert all(word in text for word in words), text
        for part in ("expected", "got", "fix"):
            assert part in text


def test_mnist(capsys):
    """The network of the paper, 70,000 rows of which two are read, log loss by epoch."""
    names, out = example("mnist", capsys)
    assert "Task 'mnist' (classification, 70000 rows, target 'label')" in out
    assert "['5', '0'] (2, 1, 28, 28)" in out
    assert "LazyTensor (70000 rows, uint8 [784])" in out
    assert "Network of 100,710 parameters" in out
    assert names["model"].history[-1]["train.log_loss"] < 0.6
    assert names["prediction"].score("error_rate") < 0.3
    assert set(names["figures"]) >= {"epoch", "train.log_loss", "valid.loss"}


def test_dogs_vs_cats(capsys):
    """Files of several sizes through a ResNet-18 of one logit, whose trunk waits two epochs."""
    names, out = example("dogs_vs_cats", capsys)
    assert "[('cat', 6), ('dog', 6)]" in out
    assert "lazy uint8 [3, ?, ?] (1): image" in out
    assert "11,177,025" in out
    assert len(names["model"].history) == 4
    assert names["model"].state.frozen == frozenset()
    assert names["figure"].axes


def test_melanoma(capsys):
    """Both paths meet; no lesion is parted; each fold is balanced for itself."""
    names, out = example("melanoma", capsys)
    task, result = names["task"], names["result"]
    assert "group     lesion_id" in out
    assert "(?, 1074)" in out  # 50 of the table and 16 × 8 × 8 of the image
    for split in result.splits:
        groups = [set(task.take(rows).column("lesion_id")) for rows in (split.train, split.test)]
        assert not groups[0] & groups[1]
    assert len(names["figure"].axes[0].lines) == 5 + 2
    assert len(result.prediction().row_id) == task.n_rows
