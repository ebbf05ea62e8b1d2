"""Sizes that are foretold are those that come out, over random sizes and parameters."""

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops

RNG = np.random.Generator(np.random.Philox(3))


def whole(low, high):
    return int(RNG.integers(low, high + 1))


def random_graph(kind, height, width):
    size = (whole(1, 12), whole(1, 12))
    top, left = whole(0, height - 1), whole(0, width - 1)
    box = (top, left, whole(1, height - top), whole(1, width - left))
    angle = float(RNG.choice([whole(-400, 400), 90 * whole(-4, 4), RNG.uniform(-400, 400)]))
    makers = {
        "resize": lambda: ops.trafo_resize(size[0] if whole(0, 1) else size),
        "pad": lambda: ops.trafo_pad([whole(0, 4) for _ in range(4 if whole(0, 1) else 2)]),
        "crop": lambda: ops.trafo_crop(*box),
        "center": lambda: ops.trafo_center_crop(size),
        "resized crop": lambda: ops.augment_resized_crop(*box, size[0] if whole(0, 1) else size),
        "random crop": lambda: ops.augment_random_crop(size, whole(0, 2), pad_if_needed=True),
        "random resized": lambda: ops.augment_random_resized_crop(size),
        "rotate": lambda: ops.augment_rotate(angle, expand=bool(whole(0, 2))),
        "off center": lambda: ops.augment_rotate(
            angle, expand=True, center=(float(whole(0, 9)), float(RNG.uniform(0, 9)))
        ),
    }
    return makers[kind]()


@pytest.mark.parametrize(
    "kind",
    ["resize", "pad", "crop", "center", "resized crop", "random crop", "random resized"]
    + ["rotate", "off center"],
)
def test_random_parameters(kind, op_of):
    for _ in range(40):
        channels, height, width = whole(1, 4), whole(1, 14), whole(1, 14)
        op = op_of(random_graph(kind, height, width))
        found = op.row(torch.zeros(channels, height, width), fp.key(0).row_uniforms([1], 30)[0])
        assert tuple(found.shape) == op.shaped((channels, height, width)), op


@pytest.mark.parametrize(
    ("graph", "seen", "told"),
    [
        (ops.trafo_resize(5), (3, None, 8), (3, None, None)),
        (ops.trafo_resize((5, 6)), None, (None, 5, 6)),
        (ops.trafo_pad((1, 2, 3, 4)), (None, 5, None), (None, 11, None)),
        (ops.trafo_pad(1, (1, 2, 3)), (None, 5, None), (3, 7, None)),
        (ops.trafo_crop(0, 0, 2, 3), (3, None, 8), (3, 2, 3)),
        (ops.augment_rotate(90, expand=True), (3, 4, 9), (3, 9, 4)),
        (ops.augment_rotate(90), (3, 4, 9), (3, 4, 9)),
        (ops.augment_random_rotation(90, expand=True), (3, 4, 9), (3, None, None)),
        (ops.trafo_grayscale(3), (None, None, 9), (3, None, 9)),
        (ops.trafo_rgb_to_grayscale(), None, (1, None, None)),
        (ops.trafo_normalize((1, 2, 3), 1), None, (3, None, None)),
        (ops.trafo_normalize(1, (1, 2)), (None, 2, 2), (2, 2, 2)),
        (ops.trafo_reshape((4, -1)), (2, 3, 4), (4, 6)),
        (ops.trafo_reshape((4, -1)), (2, None, 4), (4, None)),
        (ops.trafo_reshape((4, -1)), None, (4, None)),
        (ops.trafo_reshape((4, 6)), (None, 3), (4, 6)),
        (ops.trafo_reshape((4, -1)), (0, None), (4, 0)),
        (ops.trafo_nop(), (None, 3), (None, 3)),
        (ops.trafo_map(abs), (2, 3), None),
        (ops.trafo_map(abs, shape=[2, None]), None, (2, None)),
    ],
)
def test_what_is_known(graph, seen, told, op_of):
    assert op_of(graph).shaped(seen) == told


@pytest.mark.parametrize(
    ("shape", "seen"), [((5, 2), (None, 3)), ((5,), (0, None)), ((-1, 7), (2, 3)), ((5,), ())]
)
def test_what_cannot_be_reshaped(shape, seen, op_of):
    with pytest.raises(fp.core.errors.ShapeError):
        op_of(ops.trafo_reshape(shape)).shaped(seen)


def test_reshaping_no_elements(op_of):
    assert op_of(ops.trafo_reshape((4, -1))).row(torch.empty(0, 3), np.empty(0)).shape == (4, 0)
