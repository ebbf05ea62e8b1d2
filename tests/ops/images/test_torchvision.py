"""The pixels are those of torchvision's own transforms, given the same parameters."""

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.io.torchvision import torchvision

V2 = torchvision("transforms.v2")
F = torchvision("transforms.v2.functional")
KEY = fp.key(5)
FLOAT = torch.float32
PAIRS = {
    "resize": (ops.trafo_resize((5, 7)), V2.Resize((5, 7))),
    "shorter side": (ops.trafo_resize(6), V2.Resize(6)),
    "bicubic": (ops.trafo_resize((20, 7), "bicubic"), V2.Resize((20, 7), 3)),
    "jagged": (ops.trafo_resize(4, antialias=False), V2.Resize(4, antialias=False)),
    "nearest": (ops.trafo_resize(4, "nearest"), V2.Resize(4, 0)),
    "pad": (ops.trafo_pad((1, 2, 3, 4), 9), V2.Pad((1, 2, 3, 4), 9)),
    "pad two": (ops.trafo_pad((1, 2), padding_mode="edge"), V2.Pad((1, 2), 0, "edge")),
    "reflect": (ops.trafo_pad(3, padding_mode="reflect"), V2.Pad(3, 0, "reflect")),
    "symmetric": (ops.trafo_pad(3, padding_mode="symmetric"), V2.Pad(3, 0, "symmetric")),
    "colour": (ops.trafo_pad(1, (1, 2, 3)), V2.Pad(1, (1, 2, 3))),
    "center": (ops.trafo_center_crop((4, 7)), V2.CenterCrop((4, 7))),
    "center wide": (ops.augment_center_crop((5, 21)), V2.CenterCrop((5, 21))),
    "to float": (ops.trafo_to_float(), V2.ToDtype(FLOAT, scale=True)),
    "to float as is": (ops.trafo_to_float(False), V2.ToDtype(FLOAT)),
    "gray": (ops.trafo_grayscale(), V2.Grayscale()),
    "gray of three": (ops.trafo_grayscale(3), V2.Grayscale(3)),
    "rgb to gray": (ops.trafo_rgb_to_grayscale(), F.rgb_to_grayscale),
    "crop": (ops.trafo_crop(1, 2, 3, 4), lambda x: F.crop(x, 1, 2, 3, 4)),
    "resized crop": (
        ops.augment_resized_crop(1, 2, 3, 5, (6, 4)),
        lambda x: F.resized_crop(x, 1, 2, 3, 5, [6, 4]),
    ),
    "gamma": (ops.trafo_adjust_gamma(0.6, 1.5), lambda x: F.adjust_gamma(x, 0.6, 1.5)),
    "brightness": (ops.trafo_adjust_brightness(1.5), lambda x: F.adjust_brightness(x, 1.5)),
    "contrast": (ops.trafo_adjust_contrast(1.5), lambda x: F.adjust_contrast(x, 1.5)),
    "saturation": (ops.trafo_adjust_saturation(0.2), lambda x: F.adjust_saturation(x, 0.2)),
    "hue": (ops.trafo_adjust_hue(0.3), lambda x: F.adjust_hue(x, 0.3)),
    "sharpness": (ops.trafo_adjust_sharpness(2.5), lambda x: F.adjust_sharpness(x, 2.5)),
    "rotate": (ops.augment_rotate(30), lambda x: F.rotate(x, 30.0, fill=0.0)),
    "rotate and grow": (
        ops.augment_rotate(30, expand=True, fill=3, center=(1, 2)),
        lambda x: F.rotate(x, 30.0, expand=True, center=[1, 2], fill=3),
    ),
    "blur": (ops.augment_gaussian_blur((5, 3), 1.5), V2.GaussianBlur((5, 3), 1.5)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [torch.uint8, FLOAT], ids=["uint8", "float32"])
def test_without_draws(name, dtype, images, op_of):
    graph, reference = PAIRS[name]
    x = images(dtype=dtype)
    found = fp.materialize(fp.lazy(x).map(op_of(graph)), key=KEY)
    expected = [reference(row) for row in x]
    assert len(found) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_normalize(images, op_of):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = images(dtype=FLOAT)
    found = fp.materialize(fp.lazy(x).map(op_of(ops.trafo_normalize(mean, std))))
    assert torch.equal(found, V2.Normalize(mean, std)(x))


# Random ones: torch's generator is made to give the numbers of the row.


def rows_of(graph, op_of, x, seed=0):
    op = op_of(graph)
    draws = fp.key(seed).row_uniforms(np.arange(len(x)), op.draws)
    found = op.batch(x, draws)
    return zip(x, draws, found, strict=True)


CROPS = [
    dict(size=(4, 5)),
    dict(size=7, padding=2, fill=3),
    dict(size=(12, 5), padding=(1, 2, 0, 3), padding_mode="edge"),
    dict(size=(14, 20), pad_if_needed=True, fill=1),
]


@pytest.mark.parametrize("given", CROPS)
def test_random_crop(given, images, op_of, forced):
    reference = V2.RandomCrop(**given)
    for x, u, found in rows_of(ops.augment_random_crop(**given), op_of, images(rows=20)):
        # torchvision draws no number where there is one place only.
        height, width = F.get_size(x)
        left, right, top, bottom = reference.padding or (0,) * 4
        sides = [height + top + bottom, width + left + right]
        lacks = [max(n - m, 0) for n, m in zip(reference.size, sides, strict=True)]
        sides = [m + 2 * n for n, m in zip(lacks, sides, strict=True)]
        free = [v for v, n, m in zip(u, reference.size, sides, strict=True) if m > n]
        forced(wholes=free)
        assert torch.equal(found, reference(x))


@pytest.mark.parametrize(
    "given",
    [
        dict(size=(4, 6)),
        dict(size=5, scale=(0.5, 1.0), interpolation="nearest"),
        dict(size=5, scale=(0.9, 1.0), ratio=(3.0, 4.0)),
        dict(size=5, scale=(0.9, 1.0), ratio=(0.2, 0.25)),
        dict(size=5, scale=(1.2, 1.3), ratio=(0.5, 2.0), antialias=False),
    ],
)
@pytest.mark.parametrize("shape", [(3, 9, 12), (3, 20, 10)])
def test_random_resized_crop(given, shape, images, op_of, forced):
    graph = ops.augment_random_resized_crop(**given)
    for x, u, found in rows_of(graph, op_of, images(shape, rows=20)):
        forced(intervals=u[:20], wholes=u[20:])
        assert torch.equal(found, V2.RandomResizedCrop(**given)(x))


@pytest.mark.parametrize(
    "given",
    [
        dict(p=0.7),
        dict(p=1.0, scale=(0.1, 0.2), ratio=(0.5, 0.6), value=(1.0, 2.0, 3.0)),
        dict(p=1.0, scale=(0.9, 1.0), ratio=(2.0, 3.0), value=7),
    ],
)
def test_random_erasing(given, images, op_of, forced):
    graph = ops.augment_random_erasing(**given)
    for x, u, found in rows_of(graph, op_of, images(rows=20)):
        forced(chances=u[:1], intervals=u[1:21], wholes=u[21:23])
        assert torch.equal(found, V2.RandomErasing(**given)(x))


def test_erasing_with_normal_numbers(images, op_of):
    """Every row gets its own; they have mean 0 and deviation 1; nothing else changes."""
    graph = ops.augment_random_erasing(1.0, (0.3, 0.3), (1.0, 1.0), "random")
    x = images((3, 60, 60), FLOAT, 4)
    patches = []
    for before, _, found in rows_of(graph, op_of, x):
        other = before != found
        assert other.sum() == 3 * 33 * 33
        patches.append(found[other])
        assert abs(patches[-1].mean()) < 0.06
        assert abs(patches[-1].std() - 1) < 0.05
    assert len({patch[0].item() for patch in patches}) == 4


@pytest.mark.parametrize(
    "given",
    [
        dict(degrees=30),
        dict(degrees=(10, 20), translate=(0.3, 0.2), fill=5),
        dict(degrees=0, scale=(0.5, 2.0), shear=20, interpolation="bilinear"),
        dict(degrees=10, translate=(0.1, 0.5), scale=(0.5, 0.6), shear=(-5, 5, 0, 30)),
        dict(degrees=10, shear=(5.0, 6.0), center=(2, 3), fill=(1.0, 2.0, 3.0)),
    ],
)
def test_random_affine(given, images, op_of, forced):
    graph = ops.augment_random_affine(**given)
    for x, u, found in rows_of(graph, op_of, images(rows=10)):
        used = [0, *((1, 2) if "translate" in given else ()), *((3,) if "scale" in given else ())]
        if "shear" in given:
            used += [4, 5]
        forced(intervals=u[used])
        # Angles that were drawn have 32 bits there, and 64 here: a pixel may fall elsewhere.
        expected = V2.RandomAffine(**given)(x)
        assert (found != expected).float().mean() < 0.02
        assert found.shape == expected.shape


@pytest.mark.parametrize("given", [dict(degrees=45), dict(degrees=(80, 100), fill=9)])
def test_random_rotation(given, images, op_of, forced):
    graph = ops.augment_random_rotation(**given)
    for x, u, found in rows_of(graph, op_of, images(rows=10)):
        forced(intervals=u)
        assert (found != V2.RandomRotation(**given)(x)).float().mean() < 0.02


@pytest.mark.parametrize("given", [dict(), dict(distortion_scale=0.9, p=1.0, fill=3)])
@pytest.mark.parametrize("shape", [(3, 9, 12), (1, 16, 5), (3, 2, 2)])
def test_random_perspective(given, shape, images, op_of, forced):
    graph = ops.augment_random_perspective(**given)
    for x, u, found in rows_of(graph, op_of, images(shape, rows=20)):
        forced(chances=u[:1], wholes=u[1:])
        assert torch.equal(found, V2.RandomPerspective(**given)(x))


@pytest.mark.parametrize("channels", [1, 3])
def test_random_grayscale(channels, images, op_of, forced):
    for x, u, found in rows_of(
        ops.augment_random_grayscale(0.4), op_of, images((channels, 5, 6), rows=20)
    ):
        forced(chances=u)
        assert torch.equal(found, V2.RandomGrayscale(0.4)(x))


@pytest.mark.parametrize("dtype", [torch.uint8, FLOAT], ids=["uint8", "float32"])
def test_blur(dtype, images, op_of, forced):
    for x, u, found in rows_of(ops.augment_gaussian_blur(5, (0.3, 3)), op_of, images(dtype=dtype)):
        forced(intervals=u)
        assert torch.allclose(
            found.double(), V2.GaussianBlur(5, (0.3, 3))(x).double(), atol=1e-6, rtol=1e-6
        )


@pytest.mark.parametrize(
    "given",
    [
        dict(brightness=0.4, contrast=0.3, saturation=0.5, hue=0.2),
        dict(brightness=(0.2, 0.3), hue=(-0.1, 0.4)),
        dict(contrast=2.0, saturation=(1.0, 1.0)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.uint8, FLOAT], ids=["uint8", "float32"])
def test_color_jitter(given, dtype, images, op_of, forced):
    graph = ops.augment_color_jitter(**given)
    for x, u, found in rows_of(graph, op_of, images(dtype=dtype, rows=10)):
        names = ("brightness", "contrast", "saturation", "hue")
        used = [4 + i for i, n in enumerate(names) if given.get(n, (1.0, 1.0)) != (1.0, 1.0)]
        forced(intervals=u[used], order=np.argsort(u[:4]))
        expected = V2.ColorJitter(**given)(x)
        slack = 1e-5 if dtype == FLOAT else 1
        assert (found.double() - expected.double()).abs().max() <= slack
        assert (found != expected).float().mean() < 0.02 or dtype == FLOAT


@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
@pytest.mark.parametrize("dtype", [torch.uint8, FLOAT], ids=["uint8", "float32"])
def test_auto_augment(policy, dtype, images, op_of, forced):
    reference = V2.AutoAugment(V2.AutoAugmentPolicy[policy.upper()], fill=[1.0, 2.0, 3.0])
    graph = ops.augment_auto_augment(policy, fill=(1, 2, 3))
    for x, u, found in rows_of(graph, op_of, images((3, 16, 20), dtype, rows=100)):
        policies = reference._policies[int(u[0] * 25)]
        chances = []
        for (name, p, _), (whether, sign) in zip(policies, u[1:].reshape(2, 2), strict=True):
            signed = reference._AUGMENTATION_SPACE[name][1]
            chances += [whether, sign] if signed and whether <= p else [whether]
        forced(wholes=u[:1], chances=chances)
        assert torch.equal(found, reference(x))


@pytest.mark.parametrize("bins", [31, 5])
@pytest.mark.parametrize("dtype", [torch.uint8, FLOAT], ids=["uint8", "float32"])
def test_trivial_augment(bins, dtype, images, op_of, forced):
    reference = V2.TrivialAugmentWide(bins, V2.InterpolationMode.BILINEAR)
    graph = ops.augment_trivial_augment(bins, interpolation="bilinear")
    for x, u, found in rows_of(graph, op_of, images((3, 16, 20), dtype, rows=100)):
        forced(wholes=u[:2], chances=u[2:])
        assert torch.equal(found, reference(x))
