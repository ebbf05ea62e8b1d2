"""torchvision's networks as layers: numbers, phases, sizes, heads."""

from __future__ import annotations

import pytest
import torch

from fpipe import nn
from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.key import key
from fpipe.io.torchvision import torchvision
from fpipe.net.layers.architecture import (
    NAMED,
    WITH_AUXILIARY,
    Architecture,
    architecture_names,
    head_of,
    skeleton,
)
from fpipe.net.layers.resting import resting, set_phases
from fpipe.nn.layers.vision import Vision

MODELS = torchvision("models")
GENERATOR = torch.Generator().manual_seed(5)
HEADLESS = {"squeezenet1_0", "squeezenet1_1"}


def network(name, size=64, out_features=3, **given):
    return nn.network(
        nn.vision(name, out_features=out_features, id="net", **given), x=(None, 3, size, size)
    )


def short(tensors):
    return {name.partition(".")[2]: tensor for name, tensor in tensors.items()}


def torchvisions(name, params, buffers, settings):
    """Return torchvision's own module with these weights, made with as many classes."""
    made = MODELS.get_model(name, weights=None, num_classes=3, **settings)
    made.load_state_dict(short({**params, **buffers}))
    return made


@pytest.mark.parametrize("name", sorted(set(architecture_names()) - HEADLESS))
def test_every_architecture_gets_a_head(name):
    made = skeleton(Architecture(name, 5))
    path, head = head_of(made, name)
    assert {x.device.type for x in (*made.parameters(), *made.buffers())} <= {"meta"}
    assert head.out_features == 5
    assert all(p.requires_grad for p in made.parameters())
    published = MODELS.get_model_weights(name)
    entry = min(published, key=lambda one: one.meta["min_size"])
    old = (head.in_features + (head.bias is not None)) * 1000
    new = sum(p.numel() for p in head.parameters())
    counted = sum(p.numel() for p in made.parameters())
    auxiliary = 3_326_696 if name == "inception_v3" else 0  # which torchvision counts
    assert counted == entry.meta["num_params"] - auxiliary - old + new


def test_what_can_be_named_early_is_torchvisions():
    assert set(NAMED) | set(WITH_AUXILIARY) <= set(architecture_names())
    assert len(set(NAMED)) == len(NAMED)


@pytest.mark.parametrize(
    ("name", "size", "settings"),
    [
        ("resnet18", 64, {}),
        ("mobilenet_v3_small", 48, {}),
        ("shufflenet_v2_x0_5", 32, {}),
        ("efficientnet_b0", 40, {"dropout": 0.4}),
        ("swin_t", 32, {}),
        ("regnet_y_400mf", 33, {}),
    ],
)
def test_numbers_are_torchvisions(name, size, settings):
    model = network(name, size, settings=settings).bind(key(1))
    own = torchvisions(name, model.params, model.buffers, settings).eval()
    x = torch.randn(3, 3, size, size, generator=GENERATOR)
    with torch.no_grad():
        expected = own(x)
        assert torch.equal(model(x), expected)
        assert torch.equal(model(x), expected)  # the same module is used again


def test_training_is_torchvisions():
    net = network("resnet18", 33)
    params, buffers = net.init(key(1))
    own = torchvisions("resnet18", params, buffers, {}).train()
    x = torch.randn(4, 3, 33, 33, generator=GENERATOR)
    before = {name: tensor.clone() for name, tensor in buffers.items()}
    (found,), changed = net.apply(params, buffers, {"x": x}, {"net": {}}, training=True)
    assert torch.equal(found, own(x))
    assert all(torch.equal(b, changed[f"net.{n}"]) for n, b in own.named_buffers())
    assert all(torch.equal(before[name], tensor) for name, tensor in buffers.items())
    assert not torch.equal(before["net.bn1.running_mean"], changed["net.bn1.running_mean"])


def test_weights_come_from_the_key():
    state = torch.get_rng_state()
    params, _ = network("shufflenet_v2_x0_5").init(key(1))
    again, _ = network("shufflenet_v2_x0_5").init(key(1))
    other, _ = network("shufflenet_v2_x0_5").init(key(2))
    wider, _ = network("shufflenet_v2_x0_5", out_features=7).init(key(1))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(params[n], again[n]) for n in params)
    assert not torch.equal(params["net.conv1.0.weight"], other["net.conv1.0.weight"])
    assert not torch.equal(params["net.fc.weight"], other["net.fc.weight"])
    # The trunk does not depend on the task.
    assert all(torch.equal(params[n], wider[n]) for n in params if ".fc." not in n)
    bound = params["net.fc.weight"].shape[1] ** -0.5
    assert params["net.fc.weight"].abs().max() <= bound


def test_bare_weights_have_the_shapes_of_drawn_ones():
    layer = network("mobilenet_v3_small").layers["net"]
    for bare, drawn in zip(layer.bare_weights(), layer.init(key(0)), strict=True):
        assert list(bare) == list(drawn)
        assert all(bare[n].shape == drawn[n].shape for n in bare)
        assert all(bare[n].dtype == drawn[n].dtype for n in bare)


@pytest.mark.parametrize(
    ("name", "size", "words", "fix"),
    [
        ("alexnet", 62, "at least 63 × 63", "trafo_resize((224, 224))"),
        ("vgg11", 31, "at least 32 × 32", "trafo_resize((224, 224))"),
        ("convnext_tiny", 31, "at least 32 × 32", "trafo_resize((224, 224))"),
        ("inception_v3", 74, "at least 75 × 75", "trafo_resize((224, 224))"),
        ("maxvit_t", 64, "of one size", "trafo_resize((224, 224))"),
        ("vit_b_16", 64, "of one size", "trafo_resize((224, 224))"),
        ("densenet121", 28, "cannot take images of 28 × 28", "trafo_resize((224, 224))"),
        ("swin_t", 3, "cannot take images of 3 × 3", "trafo_resize((224, 224))"),
    ],
)
def test_sizes_are_checked(name, size, words, fix, refused):
    refused(lambda: network(name, size), ShapeError, words, "net", fix)


@pytest.mark.parametrize(
    ("name", "size"), [("alexnet", 63), ("vgg11", 32), ("convnext_tiny", 32), ("inception_v3", 75)]
)
def test_the_smallest_size_is_taken(name, size):
    assert network(name, size).shapes({"x": (None, 3, size, size)}) == ((None, 3),)


def test_other_shapes_are_refused(refused):
    def build(*shape, name="resnet18"):
        return lambda: nn.network(nn.vision(name, out_features=2, id="net"), x=shape)

    refused(build(None, 1, 64, 64), ShapeError, "3 channels", "net", "trafo_grayscale(3)")
    refused(build(None, 64, 64, 3), ShapeError, "3 channels", "net", "channels first")
    refused(build(None, 3072), ShapeError, "takes images", "net", "trafo_reshape")


def test_an_unknown_size_is_checked_with_the_first_batch():
    net = nn.network(nn.vision("alexnet", out_features=2, id="net"), x=(None, 3, None, None))
    assert net.shapes({"x": (None, 3, None, None)}) == ((None, 2),)
    params, buffers = net.init(key(0))
    with pytest.raises(ShapeError, match="at least 63") as caught:
        net.apply(params, buffers, {"x": torch.zeros(1, 3, 40, 40)})
    assert caught.value.at == "net"


def test_settings():
    wide = network("mobilenet_v2", settings={"width_mult": 1.4}).layers["net"]
    assert dict(wide.bare_weights()[0])["classifier.1.weight"].shape == (3, 1792)
    assert network("maxvit_t", 448, settings={"input_size": [448, 448]}).count() > 30_000_000


def test_what_cannot_be_built_is_refused(refused):
    def build(name, **given):
        return lambda: network(name, **given)

    refused(build("resnet19"), ParameterError, "no architecture 'resnet19'", None, "'resnet18'")
    refused(build("fcn_resnet50"), ParameterError, "no architecture", None, "")
    refused(build("squeezenet1_1"), ParameterError, "no linear layer", "net", "nn.module")
    refused(
        build("resnet18", settings={"num_classes": 3}), ParameterError, "no setting", None, "task"
    )
    refused(
        build("resnet18", settings={"depth": 3}),
        ParameterError,
        "cannot build resnet18",
        "net",
        "depth",
    )
    refused(
        lambda: nn.network(nn.vision("resnet18", id="net"), x=(None, 3, 64, 64)),
        ShapeError,
        "needs a task",
        "net",
        "out_features",
    )


def test_an_operator_is_called_as_its_architecture():
    graph = nn.vision("resnet18") >> nn.relu()
    assert graph.ids == ("resnet18", "relu")
    assert graph.set({"resnet18.architecture": "resnet34"}).ids == ("resnet34", "relu")
    assert nn.vision("resnet18", id="net").ids == ("net",)
    assert Vision.name == "vision"
    assert nn.vision().ids == ("vision",)
    with pytest.raises(ParameterError, match="vision has no parameter 'weight'"):
        nn.vision("resnet18", weight=None)


def test_parts_rest_where_all_in_them_is_frozen():
    names = ["stem.0.weight", "stem.1.bias", "body.0.a.weight", "body.1.weight", "token", "fc.bias"]
    learned = dict.fromkeys(names, False) | {"body.1.weight": True, "fc.bias": True}
    assert resting(learned) == ["body.0", "stem"]
    assert resting(dict.fromkeys(names, True)) == []
    assert resting(dict.fromkeys(names, False)) == []
    assert resting(dict.fromkeys(names, False) | {"token": True}) == ["body", "fc", "stem"]


def test_phases_of_a_module():
    module = torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()),
        torch.nn.Dropout(),
        torch.nn.Linear(2, 2),
    )
    params = dict(module.named_parameters())
    frozen = {n: p.detach() if n.startswith("0.") else p for n, p in params.items()}
    set_phases(module, frozen, training=True)
    # The dropout in the frozen part rests, the one before the head does not.
    assert [m.training for m in (module, module[0][1], module[1])] == [True, False, True]
    set_phases(module, params, training=True)
    assert module[0][1].training
    set_phases(module, {n: p.detach() for n, p in params.items()}, training=True)
    assert module[0][1].training
    set_phases(module, params, training=False)
    assert not any(m.training for m in module.modules())
