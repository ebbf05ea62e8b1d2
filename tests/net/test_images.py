"""Convolutions, pools, normalisations and upsampling against torch.nn, to the bit."""

from __future__ import annotations

import math

import pytest
import torch

from fpipe import nn
from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.key import key

GENERATOR = torch.Generator().manual_seed(3)
X = {1: (3, 4, 11), 2: (3, 4, 9, 10), 3: (2, 4, 6, 7, 8)}

CONVOLUTIONS = {
    "conv1d(6, 3)": torch.nn.Conv1d(4, 6, 3),
    "conv1d(6, 4, stride=2, padding=3, dilation=2)": torch.nn.Conv1d(4, 6, 4, 2, 3, 2),
    "conv1d(6, 4, padding='same')": torch.nn.Conv1d(4, 6, 4, padding="same"),
    "conv1d(6, 3, padding=2, padding_mode='circular')": torch.nn.Conv1d(
        4, 6, 3, padding=2, padding_mode="circular"
    ),
    "conv2d(6, 3)": torch.nn.Conv2d(4, 6, 3),
    "conv2d(6, (3, 2), stride=(2, 1), padding=(1, 0))": torch.nn.Conv2d(
        4, 6, (3, 2), (2, 1), (1, 0)
    ),
    "conv2d(8, 3, groups=4, bias=False)": torch.nn.Conv2d(4, 8, 3, groups=4, bias=False),
    "conv2d(6, 3, padding='same', dilation=(2, 1))": torch.nn.Conv2d(
        4, 6, 3, padding="same", dilation=(2, 1)
    ),
    "conv2d(6, (4, 3), padding='same', padding_mode='reflect')": torch.nn.Conv2d(
        4, 6, (4, 3), padding="same", padding_mode="reflect"
    ),
    "conv2d(6, 3, padding='valid')": torch.nn.Conv2d(4, 6, 3, padding="valid"),
    "conv2d(6, 3, padding=(2, 1), padding_mode='reflect')": torch.nn.Conv2d(
        4, 6, 3, padding=(2, 1), padding_mode="reflect"
    ),
    "conv2d(6, 3, padding=1, padding_mode='replicate')": torch.nn.Conv2d(
        4, 6, 3, padding=1, padding_mode="replicate"
    ),
    "conv3d(6, 3, stride=2)": torch.nn.Conv3d(4, 6, 3, 2),
    "conv3d(6, (1, 2, 3), padding=(0, 1, 2), dilation=2)": torch.nn.Conv3d(
        4, 6, (1, 2, 3), padding=(0, 1, 2), dilation=2
    ),
    "conv_transpose1d(6, 3, stride=2)": torch.nn.ConvTranspose1d(4, 6, 3, 2),
    "conv_transpose2d(6, 3)": torch.nn.ConvTranspose2d(4, 6, 3),
    "conv_transpose2d(6, (3, 2), stride=3, padding=(1, 0), output_padding=(2, 1))": (
        torch.nn.ConvTranspose2d(4, 6, (3, 2), 3, (1, 0), (2, 1))
    ),
    "conv_transpose2d(6, 3, groups=2, bias=False, dilation=2)": torch.nn.ConvTranspose2d(
        4, 6, 3, groups=2, bias=False, dilation=2
    ),
    "conv_transpose3d(6, 2, stride=2, output_padding=1)": torch.nn.ConvTranspose3d(
        4, 6, 2, 2, output_padding=1
    ),
}
POOLS = {
    "avg_pool1d(3)": torch.nn.AvgPool1d(3),
    "avg_pool2d(3)": torch.nn.AvgPool2d(3),
    "avg_pool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True)": torch.nn.AvgPool2d(
        (3, 2), (2, 3), (1, 0), ceil_mode=True
    ),
    "avg_pool2d(3, padding=1, count_include_pad=False)": torch.nn.AvgPool2d(
        3, padding=1, count_include_pad=False
    ),
    "avg_pool2d(2, divisor_override=3)": torch.nn.AvgPool2d(2, divisor_override=3),
    "avg_pool3d(2, stride=1)": torch.nn.AvgPool3d(2, 1),
    "max_pool1d(3, ceil_mode=True)": torch.nn.MaxPool1d(3, ceil_mode=True),
    "max_pool2d(3)": torch.nn.MaxPool2d(3),
    "max_pool2d(3, stride=2, padding=1, dilation=2, ceil_mode=True)": torch.nn.MaxPool2d(
        3, 2, 1, 2, ceil_mode=True
    ),
    "max_pool3d((1, 2, 2), stride=2)": torch.nn.MaxPool3d((1, 2, 2), 2),
    "adaptive_avg_pool1d(4)": torch.nn.AdaptiveAvgPool1d(4),
    "adaptive_avg_pool2d(1)": torch.nn.AdaptiveAvgPool2d(1),
    "adaptive_avg_pool2d((4, 3))": torch.nn.AdaptiveAvgPool2d((4, 3)),
    "adaptive_avg_pool3d((2, 1, 12))": torch.nn.AdaptiveAvgPool3d((2, 1, 12)),
    "adaptive_max_pool1d(4)": torch.nn.AdaptiveMaxPool1d(4),
    "adaptive_max_pool2d((4, 3))": torch.nn.AdaptiveMaxPool2d((4, 3)),
    "adaptive_max_pool3d(2)": torch.nn.AdaptiveMaxPool3d(2),
}
NORMS = {
    "batch_norm2d()": torch.nn.BatchNorm2d(4),
    "batch_norm2d(eps=0.1, momentum=0.3, affine=False)": torch.nn.BatchNorm2d(
        4, 0.1, 0.3, affine=False
    ),
    "batch_norm3d()": torch.nn.BatchNorm3d(4),
    "batch_norm3d(track_running_stats=False)": torch.nn.BatchNorm3d(4, track_running_stats=False),
    "group_norm(2)": torch.nn.GroupNorm(2, 4),
    "group_norm(4, eps=0.1, affine=False)": torch.nn.GroupNorm(4, 4, 0.1, affine=False),
}
UPSAMPLES = {
    "upsample(scale_factor=2)": torch.nn.Upsample(scale_factor=2),
    "upsample(size=5)": torch.nn.Upsample(size=5),
    "upsample(size=(5, 21), mode='bilinear')": torch.nn.Upsample((5, 21), mode="bilinear"),
    "upsample(scale_factor=(1.5, 2), mode='bilinear', align_corners=True)": torch.nn.Upsample(
        scale_factor=(1.5, 2.0), mode="bilinear", align_corners=True
    ),
    "upsample(scale_factor=1.7, mode='bicubic')": torch.nn.Upsample(
        scale_factor=1.7, mode="bicubic"
    ),
    "upsample(size=4, mode='area')": torch.nn.Upsample(size=4, mode="area"),
    "upsample(scale_factor=1.3, mode='nearest-exact')": torch.nn.Upsample(
        scale_factor=1.3, mode="nearest-exact"
    ),
}
ALL = CONVOLUTIONS | POOLS | NORMS | UPSAMPLES


def made(text: str):
    return eval(f"nn.{text}", {"nn": nn})


def dims_of(text: str) -> int:
    digits = [c for c in text.partition("(")[0] if c.isdigit()]
    return int(digits[0]) if digits else 2


@pytest.mark.parametrize("text", ALL)
def test_numbers(text):
    """Outputs, gradients and new buffers are those of torch's module with the same weights."""
    module = ALL[text].train()
    for p in module.parameters():
        torch.nn.init.normal_(p, generator=GENERATOR)
    shape = X[dims_of(text)]
    network = nn.network(made(text), x=(None, *shape[1:]))
    (path,) = network.layers
    params = {
        f"{path}.{n}": p.detach().clone().requires_grad_() for n, p in module.named_parameters()
    }
    buffers = {n: b for n, b in network.init(key(0))[1].items()}
    ours = torch.randn(shape, generator=GENERATOR).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    (out,), new = network.apply(params, buffers, {"x": ours}, None, True)
    expected = module(theirs)
    assert torch.equal(out, expected)
    assert network.shapes({"x": shape}) == (tuple(expected.shape),)
    slope = torch.linspace(-1, 2, expected.numel()).reshape(expected.shape)
    (out * slope).sum().backward()
    (expected * slope).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)
    for name, p in module.named_parameters():
        assert torch.equal(params[f"{path}.{name}"].grad, p.grad), name
    for name, b in module.named_buffers():
        if name != "num_batches_tracked":
            assert torch.equal(new[f"{path}.{name}"], b), name


@pytest.mark.parametrize("text", [*CONVOLUTIONS, *NORMS])
def test_initial_weights(text):
    """They have the names and shapes of torch's, and its distribution."""
    module, shape = ALL[text], X[dims_of(text)]
    params, buffers = nn.network(made(text), x=(None, *shape[1:])).init(key(1))
    path = next(iter(params), "").rpartition(".")[0]
    expected = {f"{path}.{n}": tuple(p.shape) for n, p in module.named_parameters()}
    assert {n: tuple(p.shape) for n, p in params.items()} == expected
    if text in CONVOLUTIONS:
        fan_in = math.prod(module.weight.shape[1:])
        assert all(p.abs().max() <= 1 / math.sqrt(fan_in) for p in params.values())
    else:
        assert all(p.unique().tolist() in ([0.0], [1.0]) for p in params.values())


def test_initial_weights_are_uniform():
    params, _ = nn.network(nn.conv2d(64, 5), x=(None, 16, 9, 9)).init(key(1))
    weight, bound = params["conv2d.weight"], 1 / math.sqrt(16 * 25)
    reference = torch.nn.Conv2d(16, 64, 5).weight
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert weight.std() == pytest.approx(reference.std().item(), rel=0.02)
    assert abs(weight.mean()) < 0.01 * bound
    assert weight.abs().max() > 0.999 * bound


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_places_of_maxima(dims):
    x = torch.randn(X[dims], generator=GENERATOR)
    graph = getattr(nn, f"max_pool{dims}d")(3, stride=2, return_indices=True)
    network = nn.network(graph, x=(None, *X[dims][1:]))
    (out, places), _ = network.apply({}, {}, {"x": x}, None, False)
    expected, indices = getattr(torch.nn, f"MaxPool{dims}d")(3, 2, return_indices=True)(x)
    assert torch.equal(out, expected)
    assert torch.equal(places, indices)
    assert network.shapes({"x": X[dims]}) == (tuple(out.shape), tuple(places.shape))


def test_unknown_sizes_stay_unknown():
    graph = nn.conv2d(8, 3, stride=2) >> nn.max_pool2d(2) >> nn.adaptive_avg_pool2d(1)
    network = nn.network(graph >> nn.flatten(), x=(None, 3, None, 17))
    assert network.shapes({"x": (None, 3, None, 17)}) == ((None, 8),)
    front = nn.network(nn.conv2d(8, 3, stride=2), x=(None, 3, None, 17))
    assert front.shapes({"x": (None, 3, None, 17)}) == ((None, 8, None, 8),)
    assert front.shapes({"x": (None, 3, 40, 17)}) == ((None, 8, 19, 8),)


def net(graph, *shape):
    return nn.network(graph, x=shape)


REFUSED = {
    "no image": (lambda: net(nn.conv2d(3, 3), None, 4), ShapeError, "takes 4 dimensions"),
    "too small": (lambda: net(nn.conv2d(3, 5), None, 1, 4, 9), ShapeError, "nothing is left"),
    "pool too small": (lambda: net(nn.max_pool2d(5), None, 1, 4, 9), ShapeError, "nothing is left"),
    "channels unknown": (lambda: net(nn.conv2d(3, 3), None, None, 9, 9), ShapeError, "must know"),
    "groups": (lambda: net(nn.conv2d(4, 3, groups=2), None, 3, 9, 9), ShapeError, "groups do not"),
    "groups out": (lambda: net(nn.conv2d(3, 3, groups=2), None, 4, 9, 9), ShapeError, "groups do"),
    "transposed groups": (
        lambda: net(nn.conv_transpose2d(3, 3, groups=2), None, 4, 9, 9),
        ShapeError,
        "groups do not",
    ),
    "same with a stride": (
        lambda: net(nn.conv2d(4, 3, stride=2, padding="same"), None, 3, 9, 9),
        ParameterError,
        "stride of 1",
    ),
    "mirrored too far": (
        lambda: net(nn.conv2d(4, 3, padding=9, padding_mode="reflect"), None, 3, 9, 9),
        ShapeError,
        "more than there is",
    ),
    "padding of half a window": (
        lambda: net(nn.max_pool2d(3, padding=2), None, 3, 9, 9),
        ParameterError,
        "half of the window",
    ),
    "output padding": (
        lambda: net(nn.conv_transpose2d(4, 3, output_padding=1), None, 3, 9, 9),
        ParameterError,
        "output_padding",
    ),
    "three sizes for two": (lambda: nn.conv2d(4, (3, 3, 3)), ParameterError, "kernel_size"),
    "no window": (lambda: nn.conv2d(4, 0), ParameterError, "kernel_size"),
    "no such padding": (lambda: nn.conv2d(4, 3, padding="full"), ParameterError, "padding"),
    "no such mode": (lambda: nn.conv2d(4, 3, padding_mode="wrap"), ParameterError, "padding_mode"),
    "size and factor": (
        lambda: net(nn.upsample(size=3, scale_factor=2), None, 3, 9, 9),
        ParameterError,
        "a size or a factor",
    ),
    "neither": (lambda: net(nn.upsample(), None, 3, 9, 9), ParameterError, "a size or a factor"),
    "no corners": (
        lambda: net(nn.upsample(size=3, align_corners=True), None, 3, 9, 9),
        ParameterError,
        "no corners",
    ),
    "bilinear of a line": (
        lambda: net(nn.upsample(size=3, mode="bilinear"), None, 3, 9),
        ShapeError,
        "other dimensions",
    ),
    "three factors for two": (
        lambda: net(nn.upsample(scale_factor=(1, 2, 3)), None, 3, 9, 9),
        ShapeError,
        "3 sizes for 2",
    ),
    "groups of a norm": (lambda: net(nn.group_norm(3), None, 4, 9), ShapeError, "do not divide"),
    "norm of an image": (lambda: net(nn.batch_norm1d(), None, 4, 9, 9), ShapeError, "takes 2 or 3"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, rule = REFUSED[name]
    with pytest.raises(kind, match=rule) as caught:
        call()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


def test_other_images_are_refused_when_the_network_runs():
    network = net(nn.conv2d(4, 3), None, 3, 9, 9)
    params, buffers = network.init(key(0))
    with pytest.raises(ShapeError, match="3 channels"):
        network.shapes({"x": (2, 4, 9, 9)})
    assert network.apply(params, buffers, {"x": torch.zeros(2, 3, 20, 5)}, None, False)


def test_a_batch_of_one_image_is_normalised():
    """There are many numbers per channel, unlike in a batch of one row of features."""
    network = net(nn.batch_norm2d(), None, 3, 4, 4)
    params, buffers = network.init(key(0))
    x = torch.randn(1, 3, 4, 4, generator=GENERATOR)
    (out,), _ = network.apply(params, buffers, {"x": x}, None, True)
    assert torch.equal(out, torch.nn.BatchNorm2d(3)(x))
