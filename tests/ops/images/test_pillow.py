"""Some pixels are those of Pillow, which shares no code with the kernels."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

import fpipe as fp
from fpipe import ops
from fpipe.ops.images.policy_steps import STEPS

PAIRS = {
    "hflip": (ops.augment_hflip(), ImageOps.mirror, 0),
    "vflip": (ops.augment_vflip(), ImageOps.flip, 0),
    "crop": (ops.trafo_crop(1, 2, 5, 6), lambda im: im.crop((2, 1, 8, 6)), 0),
    "pad": (
        ops.trafo_pad((1, 2, 3, 4), 9),
        lambda im: ImageOps.expand(im, (1, 2, 3, 4), (9,) * 3),
        0,
    ),
    "bilinear": (ops.trafo_resize((5, 20)), lambda im: im.resize((20, 5), 2), 1),
    "bicubic": (ops.trafo_resize((20, 5), "bicubic"), lambda im: im.resize((5, 20), 3), 1),
    "gray": (ops.trafo_grayscale(), lambda im: im.convert("L"), 1),
    "brightness": (
        ops.trafo_adjust_brightness(1.6),
        lambda im: ImageEnhance.Brightness(im).enhance(1.6),
        1,
    ),
    "contrast": (
        ops.trafo_adjust_contrast(1.6),
        lambda im: ImageEnhance.Contrast(im).enhance(1.6),
        1,
    ),
    "saturation": (
        ops.trafo_adjust_saturation(0.4),
        lambda im: ImageEnhance.Color(im).enhance(0.4),
        1,
    ),
    "sharpness": (
        ops.trafo_adjust_sharpness(0.3),
        lambda im: ImageEnhance.Sharpness(im).enhance(0.3),
        1,
    ),
    "rotate": (ops.augment_rotate(90, expand=True), lambda im: im.rotate(90, expand=True), 0),
    "turn": (ops.augment_rotate(30), lambda im: im.rotate(30), 0),
}


def as_tensor(image):
    pixels = np.array(image)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)


def as_image(x):
    return Image.fromarray(x.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("name", PAIRS)
def test_operators(name, images, op_of):
    graph, reference, slack = PAIRS[name]
    x = images((3, 11, 14))
    found = fp.materialize(fp.lazy(x).map(op_of(graph)))
    for one, row in zip(found, x, strict=True):
        expected = as_tensor(reference(as_image(row)))
        assert one.shape == expected.shape
        assert (one.int() - expected.int()).abs().max() <= slack


@pytest.mark.parametrize(
    ("step", "magnitude", "reference"),
    [
        ("Posterize", 3.0, lambda im: ImageOps.posterize(im, 3)),
        ("Solarize", 0.5, lambda im: ImageOps.solarize(im, 127.5)),
        ("Invert", 0.0, ImageOps.invert),
        ("Equalize", 0.0, ImageOps.equalize),
        ("AutoContrast", 0.0, ImageOps.autocontrast),
        ("TranslateX", 3.7, lambda im: im.transform(im.size, 0, (1, 0, -3, 0, 1, 0))),
        ("TranslateY", -2.0, lambda im: im.transform(im.size, 0, (1, 0, 0, 0, 1, 2))),
        ("ShearX", 0.3, lambda im: im.transform(im.size, 0, (1, 0.3, 0, 0, 1, 0))),
    ],
)
def test_steps_of_policies(step, magnitude, reference, images):
    for row in images((3, 40, 44)):
        found = STEPS[step](row, magnitude, "nearest", None)
        expected = as_tensor(reference(as_image(row)))
        different = (found.int() - expected.int()).abs() > 1
        # A pixel on the border between two may be taken from either.
        assert different.float().mean() < (0.03 if step.startswith("Shear") else 1e-9)
