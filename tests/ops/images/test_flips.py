"""Random flips: each row by its own draw, with torchvision's pixels; shared streams."""

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.io.torchvision import torchvision

PIXELS = torch.from_numpy(
    np.random.default_rng(0).integers(0, 256, (400, 3, 5, 4)).astype(np.uint8)
)
KEY = fp.key(5)


def flipped(graph, epoch=0, **columns):
    task = fp.regression({"image": fp.lazy(PIXELS), "mask": fp.lazy(PIXELS), "y": range(400)}, "y")
    out = fp.transform(graph, task, key=KEY)
    return [fp.materialize(out.tensor(name), epoch=epoch) for name in ("image", "mask")]


@pytest.mark.parametrize("name", ["horizontal", "vertical"])
@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_each_row_is_torchvisions(name, p):
    """A row is as it was, or what torchvision's kernel makes of it; as many as p says."""
    kernel = getattr(torchvision("transforms.v2.functional"), f"{name}_flip")
    found = flipped(getattr(ops, f"augment_random_{name}_flip")(p))[0]
    turned = [bool(torch.equal(a, kernel(b))) for a, b in zip(found, PIXELS, strict=True)]
    same = [bool(torch.equal(a, b)) for a, b in zip(found, PIXELS, strict=True)]
    assert all(a or b for a, b in zip(turned, same, strict=True))
    assert abs(np.mean(turned) - p) < 0.07


def test_one_operator_draws_the_same_for_all_columns():
    image, mask = flipped(ops.augment_random_horizontal_flip())
    assert torch.equal(image, mask)
    assert not torch.equal(image, flipped(ops.augment_random_horizontal_flip(), epoch=1)[0])


def test_streams_are_shared_by_name():
    def two(stream):
        return ops.augment_random_horizontal_flip(
            columns=ops.named("image"), stream=stream
        ) >> ops.augment_random_horizontal_flip(columns=ops.named("mask"), stream=stream)

    image, mask = flipped(two("pair"))
    assert torch.equal(image, mask)
    image, mask = flipped(two(None))
    assert not torch.equal(image, mask)
    once = flipped(fp.wrap(two("pair"), id="body"))
    assert torch.equal(*once)
