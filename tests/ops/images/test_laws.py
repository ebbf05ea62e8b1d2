"""Laws of every operator on images: what happens to a row is the same in every company."""

import copy
import random

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.catalogue import catalogue
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.core.value import evolve
from fpipe.data.lazy.source import agrees
from fpipe.ops.lazy_op import LazyOp

COLOURS = {"hue": 0.2, "brightness": 0.4, "contrast": 0.3, "saturation": (0.5, 1.5)}
FEW = [ops.augment_random_grayscale(0.5), ops.augment_hflip(), ops.augment_random_rotation(40)]
CASES = {
    "trafo_nop": [ops.trafo_nop()],
    "trafo_map": [
        ops.trafo_map("torch:neg"),
        ops.trafo_map("torch:neg", batched=True, shape=(3, None, 12)),
        ops.trafo_map(lambda x, u: x.double() + u[0], draws=1, dtype=torch.float64, id="drawn"),
    ],
    "trafo_reshape": [ops.trafo_reshape((-1,)), ops.trafo_reshape([3, -1, 4])],
    "trafo_to_float": [ops.trafo_to_float(), ops.trafo_to_float(scale=False)],
    "trafo_normalize": [
        ops.trafo_normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)),
        ops.trafo_normalize(0.5, (2,)),
    ],
    "trafo_resize": [
        ops.trafo_resize((5, 7)),
        ops.trafo_resize(6),
        ops.trafo_resize(13, "bicubic"),
        ops.trafo_resize((20, 4), "bicubic", antialias=False),
        ops.trafo_resize((7, 30), "bilinear", antialias=False),
        ops.trafo_resize((5, 5), "nearest"),
        ops.trafo_resize(20, "nearest-exact"),
    ],
    "trafo_pad": [
        ops.trafo_pad(2, fill=(1, 2, 3)),
        ops.trafo_pad((1, 2)),
        ops.trafo_pad((0, 1, 2, 3), padding_mode="edge"),
        ops.trafo_pad(3, padding_mode="reflect"),
        ops.trafo_pad(4, padding_mode="symmetric"),
    ],
    "trafo_crop": [ops.trafo_crop(1, 2, 3, 4)],
    "augment_crop": [ops.augment_crop(0, 0, 9, 12)],
    "trafo_center_crop": [ops.trafo_center_crop(4), ops.trafo_center_crop((20, 5))],
    "augment_center_crop": [ops.augment_center_crop((5, 30))],
    "augment_resized_crop": [
        ops.augment_resized_crop(1, 1, 4, 6, (3, 9)),
        ops.augment_resized_crop(1, 1, 4, 6, 2),
    ],
    "augment_random_crop": [
        ops.augment_random_crop((4, 5)),
        ops.augment_random_crop(9, padding=(1, 2, 3, 4), fill=(1, 2, 3)),
        ops.augment_random_crop(20, pad_if_needed=True),
        ops.augment_random_crop(10, 2, padding_mode="reflect"),
    ],
    "augment_random_resized_crop": [
        ops.augment_random_resized_crop((4, 6)),
        ops.augment_random_resized_crop(7, (0.9, 1.0), (3, 4), "nearest"),
    ],
    "augment_hflip": [ops.augment_hflip()],
    "augment_vflip": [ops.augment_vflip()],
    "augment_random_horizontal_flip": [ops.augment_random_horizontal_flip()],
    "augment_random_vertical_flip": [ops.augment_random_vertical_flip(0.3)],
    "trafo_adjust_gamma": [ops.trafo_adjust_gamma(0.7), ops.trafo_adjust_gamma(2, 1.5)],
    "trafo_adjust_brightness": [ops.trafo_adjust_brightness(1.7)],
    "trafo_adjust_contrast": [ops.trafo_adjust_contrast(0.3)],
    "trafo_adjust_saturation": [ops.trafo_adjust_saturation(1.4)],
    "trafo_adjust_hue": [ops.trafo_adjust_hue(-0.2)],
    "trafo_adjust_sharpness": [ops.trafo_adjust_sharpness(3)],
    "trafo_grayscale": [ops.trafo_grayscale(), ops.trafo_grayscale(3)],
    "trafo_rgb_to_grayscale": [ops.trafo_rgb_to_grayscale()],
    "augment_random_grayscale": [ops.augment_random_grayscale(0.5)],
    "augment_color_jitter": [ops.augment_color_jitter(**COLOURS), ops.augment_color_jitter(0.9)],
    "augment_random_affine": [
        ops.augment_random_affine(30),
        ops.augment_random_affine(
            (10, 90), (0.2, 0.3), (0.5, 2), (1, 2, 3, 30), "bilinear", (1, 0, 3), (0, 0)
        ),
        ops.augment_random_affine(0, shear=20, fill=5),
    ],
    "augment_rotate": [
        ops.augment_rotate(33),
        ops.augment_rotate(-90.0, expand=True),
        ops.augment_rotate(12.5, expand=True, interpolation="bilinear", fill=(3, 2, 1)),
        ops.augment_rotate(180, center=(1, 2)),
    ],
    "augment_random_rotation": [
        ops.augment_random_rotation(45),
        ops.augment_random_rotation((0, 90), expand=True, interpolation="bilinear"),
    ],
    "augment_random_erasing": [
        ops.augment_random_erasing(0.7),
        ops.augment_random_erasing(1.0, (0.1, 0.5), (1, 1), (1, 2, 3)),
        ops.augment_random_erasing(0.8, value="random"),
    ],
    "augment_random_perspective": [
        ops.augment_random_perspective(0.6, 0.8),
        ops.augment_random_perspective(interpolation="nearest", fill=(9, 8, 7)),
    ],
    "augment_gaussian_blur": [
        ops.augment_gaussian_blur(3),
        ops.augment_gaussian_blur((5, 1), sigma=1.5),
    ],
    "augment_random_choice": [
        ops.augment_random_choice(FEW),
        ops.augment_random_choice([ops.trafo_resize(5), ops.trafo_pad(2), ops.augment_rotate(5)]),
        ops.augment_random_choice([ops.trafo_pad(2) >> ops.augment_random_crop(4), FEW[0]]),
        ops.augment_random_choice([ops.augment_random_choice(FEW), ops.augment_random_order(FEW)]),
    ],
    "augment_random_order": [
        ops.augment_random_order(FEW),
        ops.augment_random_order([ops.trafo_pad(2), ops.augment_random_crop(4)]),
        ops.augment_random_order([ops.trafo_pad(2) >> ops.augment_random_crop(4), FEW[0]]),
    ],
    "augment_auto_augment": [
        ops.augment_auto_augment(),
        ops.augment_auto_augment("cifar10", interpolation="bilinear", fill=(1, 2, 3)),
        ops.augment_auto_augment("svhn", fill=7),
    ],
    "augment_trivial_augment": [
        ops.augment_trivial_augment(),
        ops.augment_trivial_augment(5, interpolation="bilinear", fill=1),
    ],
}
DTYPES = [torch.uint8, torch.float32]
FLAT = [(name, i) for name, graphs in CASES.items() for i in range(len(graphs))]
KEY = fp.key(11)
KNOWN = catalogue(["torch"])
ROWS = 6
SHAPES = [(3, 9, 12), (3, 16, 11)]


def operator_at(name, i, dtype):
    """Return the operator of a case; None where it does not take the dtype."""
    op = CASES[name][i].nodes[0].op.bare()
    floats = name == "trafo_normalize" or getattr(op, "value", None) == "random"
    return None if floats and dtype == torch.uint8 else op


def every(test):
    both = pytest.mark.parametrize("dtype", DTYPES, ids=["uint8", "float32"])
    cases = pytest.mark.parametrize(("name", "i"), FLAT, ids=[f"{n}-{i}" for n, i in FLAT])
    return both(cases(test))


def same_rows(one, other):
    return len(one) == len(other) and all(
        x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(one, other, strict=True)
    )


def shape_for(op, at):
    """Return a shape that a case takes: some of them were made for one alone."""
    fixed = isinstance(getattr(op, "shape", None), tuple) or op.name == "augment_crop"
    return SHAPES[0] if fixed else SHAPES[at]


def test_every_operator_is_here():
    offered = {n for n in dir(ops) if n.startswith(("trafo_", "augment_"))}
    assert offered == set(CASES)
    assert all(getattr(ops, n).__module__.startswith("fpipe.ops.images.") for n in offered)


@every
def test_company_and_order_change_nothing(name, i, dtype, images):
    """Batches of any size, rows one by one and permuted rows give the same bits."""
    op = operator_at(name, i, dtype)
    if op is None:
        return
    for at in range(len(SHAPES)):
        lazy = fp.lazy(images(shape_for(op, at), dtype, ROWS)).map(op)
        whole = fp.materialize(lazy, key=KEY)
        for batch in (1, 4):
            assert same_rows(fp.materialize(lazy, key=KEY, batch=batch), whole), batch
        order = [4, 0, 2, 1, 3, 5]
        permuted = fp.materialize(lazy.take(order), key=KEY, batch=5)
        assert same_rows(permuted, [whole[row] for row in order])


@every
def test_how_pixels_lie_in_memory_changes_nothing(name, i, dtype, images):
    """Rows of batches, views into larger images, and channels last."""
    op = operator_at(name, i, dtype)
    if op is None:
        return
    x = images(SHAPES[0], dtype, 3)
    draws = KEY.row_uniforms(np.arange(3), op.draws)
    whole = op.batch(x, draws)
    last = x.contiguous(memory_format=torch.channels_last)
    large = x.new_zeros(3, 3, 12, 16)
    large[..., 2:11, 1:13] = x
    for other in (last, large[..., 2:11, 1:13]):
        assert same_rows(op.batch(other, draws), whole)
        assert same_rows([op.row(r, u) for r, u in zip(other, draws, strict=True)], whole)


@every
def test_shape_and_dtype_are_foretold(name, i, dtype, images):
    """Exactly where all sizes are known, and as far as they can be where some are not."""
    op = operator_at(name, i, dtype)
    if op is None:
        return
    open_ended = getattr(op, "expand", False) and op.name != "augment_rotate"
    for at in range(len(SHAPES)):
        shape = shape_for(op, at)
        found = fp.materialize(fp.lazy(images(shape, dtype)).map(op), key=KEY)
        shapes = {tuple(row.shape) for row in found}
        assert {row.dtype for row in found} == {op.typed_as(dtype)}
        if len(shapes) == 1 and not open_ended and op.name not in {"trafo_map"}:
            assert op.shaped(shape) in shapes
        for hidden in range(8):
            seen = tuple(None if hidden >> d & 1 else n for d, n in enumerate(shape))
            assert all(agrees(one, op.shaped(seen)) for one in shapes)
        assert all(agrees(one, op.shaped(None)) for one in shapes)


@every
def test_nothing_else_is_touched(name, i, dtype, images):
    """Neither the rows that are given, nor a generator that others use."""
    op = operator_at(name, i, dtype)
    if op is None:
        return
    x = images(SHAPES[0], dtype, 3)
    draws = KEY.row_uniforms(np.arange(3), op.draws)
    kept, numbers, before = x.clone(), draws.copy(), _generators()
    op.batch(x, draws)
    for row, u in zip(x, draws, strict=True):
        op.row(row, u)
    assert torch.equal(x, kept)
    assert x._version == 0
    assert np.array_equal(draws, numbers)
    assert _generators() == before


@every
def test_memory_that_may_be_overwritten(name, i, dtype, images):
    """What is computed within the rows themselves, or put elsewhere, has the same bits."""
    op = operator_at(name, i, dtype)
    if op is None:
        return
    x = images(shape_for(op, 0), dtype, 4)
    draws = KEY.row_uniforms(np.arange(4), op.draws)
    wanted = op.batch(x.clone(), draws)
    room = torch.full_like(wanted, 7) if isinstance(wanted, torch.Tensor) else None
    by_colour = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) if x.ndim == 4 else x
    for rows in (x.clone(), by_colour):
        for memory in (None, room):
            found = op.within(rows.clone(memory_format=torch.preserve_format), draws, memory)
            assert all(map(torch.equal, found, wanted))
            assert len(found) == len(wanted)


def _generators():
    return (
        torch.get_rng_state().tolist(),
        copy.deepcopy(np.random.get_state())[1].tolist(),
        random.getstate(),
    )


@every
def test_no_rows_stay_no_rows(name, i, dtype, images):
    op = operator_at(name, i, dtype)
    if op is None or op.name == "trafo_map":
        return
    found = op.batch(images(SHAPES[0], dtype, 2)[:0], np.empty((0, op.draws)))
    assert found.dtype == op.typed_as(dtype)
    assert agrees(tuple(found.shape[1:]), op.shaped(SHAPES[0])) or None in op.shaped(SHAPES[0])
    assert len(found) == 0


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    """Equal operators are equal, differ from each other, and come back from a file."""
    for i, graph in enumerate(CASES[name]):
        op = graph.nodes[0].op
        assert isinstance(op, LazyOp)
        assert op == evolve(op, id=op.id)
        assert all(graph != other for other in CASES[name][:i])
        if "Opaque" not in repr(op):
            back = from_bytes(to_bytes(graph), KNOWN)
            assert back == graph
            assert fp.fingerprint(back) == fp.fingerprint(graph)


@pytest.mark.parametrize("name", CASES)
def test_stages(name, images):
    """Augmentations act on rows that are learned from; others on all rows."""
    graph = CASES[name][0]
    x = images(SHAPES[0], torch.float32 if name == "trafo_normalize" else torch.uint8)
    task = fp.regression({"image": fp.lazy(x), "y": range(5)}, "y")
    fitted, out = fp.run(graph, task, key=KEY)
    later = fp.apply(fitted, task)
    assert len(out.tensors["image"].maps) == 1
    assert len(later.tensors["image"].maps) == (0 if name.startswith("augment_") else 1)
    assert fp.materialize(out.tensor("image"))[0].dtype == out.tensor("image").dtype
