"""torchvision's networks as learners: trained, frozen in part, saved."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import learners, nn
from fpipe.core.errors import ParameterError, SchemaError, ShapeError
from fpipe.net.layers.architecture import NAMED

KEY = fp.key(4)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(8, 3, 64, 64)).astype(np.float32)
PAIR = fp.classification({"x": IMAGES, "y": ["cat", "dog"] * 4}, "y")
FOUR = fp.classification({"x": IMAGES, "y": ["a", "b", "c", "d"] * 2}, "y")
LINE = fp.regression({"x": IMAGES, "y": range(8)}, "y")


def graph(name="shufflenet_v2_x0_5", unfrozen=None, **given):
    """Return a small learner of two epochs, under the id ``net``."""
    callbacks = () if unfrozen is None else fp.callbacks.unfreeze(*unfrozen)
    given = {"epochs": 2, "batch_size": 4, "callbacks": callbacks} | given
    return learners.vision(name, id="net", **given)


def weights(fitted):
    """Return parameters and buffers by torchvision's names."""
    found = fitted.states["net"].states["model"].weights
    both = {**found.params, **found.buffers}
    return {name.removeprefix("net.network."): tensor for name, tensor in both.items()}


def changed(learner, task=PAIR, **how):
    """Return the names of what training changes."""
    before = weights(fp.fit(learner.set({"net.epochs": 0}), task, key=KEY))
    after = weights(fp.fit(learner, task, key=KEY, **how))
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_every_name_is_a_learner():
    for name in NAMED:
        made = getattr(learners, name)(epochs=1)
        assert made == learners.vision(name, epochs=1)
        assert made.ids == (name,)
    assert "resnet18(epochs=1)" in repr(learners.resnet18(epochs=1))
    assert "learners.vision('resnet18'" in learners.resnet18.__doc__


def test_torchvision_is_imported_when_it_is_needed():
    code = (
        "import sys, fpipe as fp; fp.learners.resnet18(epochs=1); fp.nn.vision('vit_b_16');"
        "print('torchvision' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "task", "params"),
    [
        ("resnet18", PAIR, 11_177_025),
        ("resnet18", FOUR, 11_689_512 - 513 * 1000 + 513 * 4),
        ("resnet18", LINE, 11_177_025),
        ("mobilenet_v2", PAIR, 3_504_872 - 1281 * 1000 + 1281),
    ],
)
def test_parameters_are_counted(name, task, params):
    assert fp.check(learners.vision(name, epochs=1), task).params == params


@pytest.mark.parametrize("task", [PAIR, FOUR, LINE])
def test_every_kind_of_task(task):
    prediction = fp.predict(fp.fit(graph(), task, key=KEY), task)
    assert len(prediction.response) == 8
    if task is not LINE:
        assert np.allclose(prediction.prob.to_numpy().sum(1), 1.0)


def test_the_same_key_gives_the_same_bits():
    learner = graph("mobilenet_v3_small")  # which drops out
    first, again = fp.fit(learner, PAIR, key=KEY), fp.fit(learner, PAIR, key=KEY)
    assert first == again
    assert first != fp.fit(learner, PAIR, key=fp.key(5))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_a_frozen_trunk_stays_to_the_bit(name):
    head = {"resnet18": "fc", "mobilenet_v3_small": "classifier.3"}[name]
    moved = {f"{head}.weight", f"{head}.bias"}
    learner = graph(name, unfrozen=[f"*.{head}.*"])
    assert changed(learner) == moved
    assert changed(learner, interpreter="reference") == moved
    assert len(changed(graph(name))) > 60


def test_what_is_frozen_in_part_stays_to_the_bit():
    found = changed(graph("resnet18", unfrozen=["*.layer4.*|*.fc.*"]))
    assert {name.partition(".")[0] for name in found} == {"layer4", "fc"}
    assert "layer4.1.bn2.running_mean" in found


def test_what_is_released_later_is_trained_then():
    def unfreezing(epochs):
        callback = fp.callbacks.unfreeze("*.fc.*", epochs={2: "*"})
        return graph(epochs=epochs, callbacks=callback)

    assert changed(unfreezing(1)) == {"fc.weight", "fc.bias"}
    assert "conv1.1.running_mean" in changed(unfreezing(2))


def test_interpreters_agree_while_a_part_is_frozen():
    learner = graph("mobilenet_v3_small", unfrozen=["*.classifier.*"])
    fast = fp.fit(learner, PAIR, key=KEY, interpreter="fast")
    reference = fp.fit(learner, PAIR, key=KEY, interpreter="reference")
    assert all(torch.equal(weights(fast)[n], x) for n, x in weights(reference).items())


def test_a_fitted_learner_is_saved(tmp_path):
    fitted = fp.fit(graph(unfrozen=["*.fc.*"]), PAIR, key=KEY)
    fp.save(fitted, tmp_path / "net.fpipe")
    loaded = fp.load(tmp_path / "net.fpipe")
    assert loaded == fitted
    assert fp.predict(loaded, PAIR) == fp.predict(fitted, PAIR)


def test_weights_of_a_file_are_where_training_begins(tmp_path):
    source = nn.network(
        nn.vision("shufflenet_v2_x0_5", out_features=7, id="n"), x=(None, 3, 64, 64)
    )
    params, buffers = source.init(fp.key(8))
    state = {name.removeprefix("n."): x for name, x in {**params, **buffers}.items()}
    torch.save(state, tmp_path / "own.pt")
    learner = graph(weights=tmp_path / "own.pt", epochs=0)
    fitted = fp.fit(learner, PAIR, key=KEY)
    found = weights(fitted)
    assert all(torch.equal(found[n], x) for n, x in state.items() if not n.startswith("fc."))
    fp.save(fitted, tmp_path / "net.fpipe")
    assert fp.load(tmp_path / "net.fpipe") == fitted
    assert fp.fit(learner, PAIR, key=KEY) == fitted


def test_the_operator_alone():
    learner = (
        nn.ingress_tensor()
        >> nn.vision("shufflenet_v2_x0_5")
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adamw", groups={"*.fc.*": {"lr": 1e-2}})
        >> nn.callbacks(fp.callbacks.unfreeze("shufflenet_v2_x0_5.fc.*", epochs={2: "*"}))
        >> nn.model(epochs=2, batch_size=4)
    )
    fitted = fp.fit(learner, PAIR, key=KEY)
    assert "shufflenet_v2_x0_5.conv1.0.weight" in fitted.states["model"].weights.params


def test_inner_nodes_are_set():
    learner = graph().set(
        {"net.model.measures": ("accuracy",), "net.ingress_tensor.shape": (3, 64, 64)}
    )
    fitted = fp.fit(learner, PAIR, validate=PAIR, key=KEY)
    assert "valid.accuracy" in fitted.states["net"].states["model"].history[0]
    with pytest.raises(ParameterError, match="no parameter 'shap'"):
        graph().set({"net.ingress_tensor.shap": (3, 64, 64)})


def test_what_does_not_fit_is_refused(refused):
    small = fp.classification({"x": IMAGES[..., :20, :20].copy(), "y": ["a", "b"] * 4}, "y")
    plain = fp.classification({"x": range(8), "y": ["a", "b"] * 4}, "y")
    refused(
        lambda: fp.fit(graph("vgg11"), small, key=KEY),
        ShapeError,
        "at least 32 × 32",
        "net.network",
        "trafo_resize((224, 224))",
    )
    refused(lambda: graph("resnet8"), ParameterError, "no architecture", None, "resnet")
    refused(lambda: graph(epoch=1), ParameterError, "no parameter 'epoch'", None, "'epochs'")
    refused(
        lambda: learners.resnet18(epoch=1), ParameterError, "no parameter 'epoch'", None, "'epochs'"
    )
    refused(lambda: graph(callbacks=["ema"]), ParameterError, "callbacks", None, "unfreeze")
    with pytest.raises(SchemaError):
        fp.check(graph(), plain)


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "efficientnet_b1"])
def test_preprocessing_is_torchvisions(name):
    from fpipe.io.torchvision import torchvision

    own = torchvision("models").get_model_weights(name).DEFAULT.transforms()

    def apart(pixels):
        task = fp.classification({"x": fp.lazy(pixels), "y": ["a", "b"]}, "y")
        prepared = fp.transform(learners.preprocessing(name), task, key=KEY)
        found, wanted = fp.materialize(prepared.tensor("x")), own(torch.from_numpy(pixels))
        assert found.shape == wanted.shape
        return (found - wanted).abs().max()

    pixels = RNG.integers(0, 256, (2, 3, 300, 280), dtype=np.uint8)
    assert apart(pixels.astype(np.float32) / 255) < 1e-5
    # torchvision's older kernel resizes bytes by way of floats, and rounds some to the next level.
    assert apart(pixels) < 1.01 / 255 / min(own.std)


def test_preprocessing_wants_published_weights():
    with pytest.raises(ParameterError, match="does not tell how images were prepared"):
        learners.preprocessing("resnet18", "own.pt")
    with pytest.raises(ParameterError, match="no architecture"):
        learners.preprocessing("resnet1")
