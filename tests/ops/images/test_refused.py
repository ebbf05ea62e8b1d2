"""What cannot be is refused before anything is read: these files do not exist."""

import pytest
import torch

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError, SchemaError, ShapeError

AT = "column 'image'"


def files(size=(8, 10), mode="RGB"):
    paths = ["no/a.jpg", "no/b.jpg"]
    return fp.regression({"image": fp.image_files(paths, size=size, mode=mode), "y": [1, 2]}, "y")


SHAPES = {
    "crop down": (ops.trafo_crop(4, 0, 5, 2), "leaves images with a height of 8"),
    "crop across": (ops.augment_crop(0, 9, 5, 2), "leaves images with a width of 10"),
    "resized crop": (ops.augment_resized_crop(0, 0, 9, 9, 3), "leaves images with a height of 8"),
    "random crop": (ops.augment_random_crop(9), "cuts 9 pixels out of images with a height of 8"),
    "random crop padded": (ops.augment_random_crop((9, 13), 1), "a width of 10"),
    "random crop mirrored": (
        ops.augment_random_crop(20, pad_if_needed=True, padding_mode="reflect"),
        "cannot mirror 12 pixels of images with a height of 8",
    ),
    "reflect": (ops.trafo_pad(8, padding_mode="reflect"), "mirror 8 pixels"),
    "symmetric": (ops.trafo_pad((11, 0), padding_mode="symmetric"), "a width of 10"),
    "pad colours": (ops.trafo_pad(1, (1, 2)), "2 values of fill for 3 channels"),
    "crop colours": (ops.augment_random_crop(9, 2, fill=(1, 2)), "2 values of fill"),
    "affine colours": (ops.augment_random_affine(3, fill=(1, 2, 3, 4)), "4 values of fill"),
    "rotate colours": (ops.augment_rotate(3, fill=(1, 2)), "2 values of fill"),
    "perspective colours": (ops.augment_random_perspective(fill=(1, 2)), "2 values of fill"),
    "erasing values": (ops.augment_random_erasing(value=(1, 2)), "2 values of value"),
    "policy colours": (ops.augment_trivial_augment(fill=(1, 2)), "2 values of fill"),
    "means": (
        ops.trafo_to_float() >> ops.trafo_normalize((1, 2), (1, 2)),
        "2 values of mean for 3 channels",
    ),
    "stds": (ops.trafo_to_float() >> ops.trafo_normalize(0, (1, 2)), "2 values of std"),
    "blur": (ops.augment_gaussian_blur((1, 17)), "mix 17 pixels of images with a height of 8"),
    "blur across": (ops.augment_gaussian_blur((21, 1)), "a width of 10"),
    "reshape": (ops.trafo_reshape((3, 80, 2)), "cannot give [3, 8, 10] the shape [3, 80, 2]"),
    "reshape rest": (ops.trafo_reshape((7, -1)), "the shape [7, -1]"),
    "no image": (ops.trafo_reshape((24, 10)) >> ops.trafo_resize(4), "works on images"),
    "choice": (ops.augment_random_choice([ops.trafo_crop(0, 0, 9, 9)]), "leaves images"),
    "order": (
        ops.augment_random_order([ops.trafo_crop(0, 0, 5, 5), ops.trafo_crop(4, 0, 2, 2)]),
        "leaves images with a height of 5",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name, refused):
    graph, rule = SHAPES[name]
    for act in (fp.check, lambda g, task: fp.transform(g, task, key=fp.key(0))):
        with pytest.raises(ShapeError) as caught:
            act(graph, files())
        assert rule in caught.value.rule
        assert AT in caught.value.at
        assert caught.value.expected
        assert caught.value.got
        assert caught.value.fix


COLOURS = [
    ops.trafo_adjust_gamma(2),
    ops.trafo_adjust_brightness(2),
    ops.trafo_adjust_contrast(2),
    ops.trafo_adjust_saturation(2),
    ops.trafo_adjust_hue(0.1),
    ops.trafo_adjust_sharpness(2),
    ops.trafo_grayscale(),
    ops.trafo_rgb_to_grayscale(),
    ops.augment_random_grayscale(),
    ops.augment_color_jitter(0.1),
    ops.augment_auto_augment(),
    ops.augment_trivial_augment(),
]


@pytest.mark.parametrize("graph", COLOURS, ids=lambda graph: graph.ids[0])
def test_colours(graph):
    """Two channels are neither gray nor red, green and blue."""
    with pytest.raises(ShapeError, match="not on 2 channels") as caught:
        fp.check(ops.trafo_reshape((2, 12, 10)) >> graph, files())
    assert AT in caught.value.at
    with pytest.raises(ShapeError, match="not on 2 channels"):
        graph.nodes[0].op.row(torch.zeros(2, 5, 5), fp.key(0).row_uniforms([0], 30)[0])


@pytest.mark.parametrize(
    ("graph", "fix"),
    [
        (ops.trafo_normalize(0.5, 0.5), "put ops.trafo_to_float() first"),
        (ops.augment_random_erasing(value="random"), "put ops.trafo_to_float() first"),
    ],
)
def test_floats_are_needed(graph, fix):
    with pytest.raises(SchemaError, match="cannot work on uint8") as caught:
        fp.check(graph, files())
    assert caught.value.fix == fix
    assert AT in caught.value.at
    fp.check(ops.trafo_to_float() >> graph, files())


@pytest.mark.parametrize(
    "graph", [ops.trafo_to_float(), ops.trafo_adjust_hue(0.1)], ids=lambda graph: graph.ids[0]
)
def test_lists_are_no_pixels(graph):
    """A list of whole numbers has 64 bits, of which pixels would be the smallest part."""
    task = fp.regression({"image": fp.lazy([[[[0, 255]]]] * 2), "y": [1, 2]}, "y")
    with pytest.raises(SchemaError, match="cannot work on int64") as caught:
        fp.transform(graph, task, key=fp.key(0))
    assert "np.uint8" in caught.value.fix
    fp.transform(ops.trafo_to_float(scale=False), task, key=fp.key(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ops.trafo_resize(0),
        lambda: ops.trafo_resize((3, 4, 5)),
        lambda: ops.trafo_resize(3, "lanczos"),
        lambda: ops.trafo_pad(-1),
        lambda: ops.trafo_pad((1, 2, 3)),
        lambda: ops.trafo_pad(1, padding_mode="wrap"),
        lambda: ops.trafo_pad(1, (1, 2, 3), "edge"),
        lambda: ops.augment_random_crop(3, fill=(1, 2, 3), padding_mode="reflect"),
        lambda: ops.trafo_crop(-1, 0, 1, 1),
        lambda: ops.trafo_crop(0, 0, 0, 1),
        lambda: ops.trafo_reshape((-1, -1)),
        lambda: ops.trafo_reshape((True, 2)),
        lambda: ops.trafo_reshape(6),
        lambda: ops.trafo_adjust_gamma(-1),
        lambda: ops.trafo_adjust_hue(0.6),
        lambda: ops.trafo_grayscale(2),
        lambda: ops.trafo_normalize(0.0, 0.0),
        lambda: ops.trafo_normalize((1, 2, 3), (1, 2)),
        lambda: ops.trafo_normalize((), 1),
        lambda: ops.augment_random_resized_crop(3, scale=(1.0, 0.5)),
        lambda: ops.augment_random_resized_crop(3, ratio=(0.0, 0.5)),
        lambda: ops.augment_color_jitter(-1),
        lambda: ops.augment_color_jitter((1, 0)),
        lambda: ops.augment_color_jitter(hue=0.7),
        lambda: ops.augment_random_affine(-3),
        lambda: ops.augment_random_affine(3, translate=(0, 2)),
        lambda: ops.augment_random_affine(3, translate=0.5),
        lambda: ops.augment_random_affine(3, scale=(0, 2)),
        lambda: ops.augment_random_affine(3, shear=(1, 2, 3)),
        lambda: ops.augment_random_affine(3, interpolation="bicubic"),
        lambda: ops.augment_random_affine(3, center=1),
        lambda: ops.augment_rotate("90"),
        lambda: ops.augment_random_erasing(value="noise"),
        lambda: ops.augment_random_erasing(scale=(0, 2)),
        lambda: ops.augment_random_perspective(1.5),
        lambda: ops.augment_gaussian_blur(4),
        lambda: ops.augment_gaussian_blur((3, -1)),
        lambda: ops.augment_gaussian_blur(3, 0),
        lambda: ops.augment_auto_augment("mnist"),
        lambda: ops.augment_trivial_augment(1),
        lambda: ops.trafo_map(3),
        lambda: ops.trafo_map(abs, draws=-1),
        lambda: ops.trafo_map(abs, shape=(1.5,)),
        lambda: ops.augment_random_choice([]),
        lambda: ops.augment_random_choice(ops.augment_hflip()),
        lambda: ops.augment_random_choice([ops.augment_hflip(), ops.scale()]),
        lambda: ops.augment_random_choice([ops.augment_hflip() >> ops.scale()]),
        lambda: ops.augment_random_choice([ops.augment_hflip() >> ops.augment_rotate()]),
        lambda: ops.augment_random_choice([ops.augment_hflip() & ops.augment_vflip()]),
        lambda: ops.augment_random_choice([ops.trafo_nop() >> ops.augment_hflip(stages="both")]),
        lambda: ops.augment_random_choice([fp.identity()]),
        lambda: ops.augment_random_order([ops.augment_hflip(stages="both")]),
        lambda: ops.augment_random_order([ops.augment_hflip(columns=ops.lazy())]),
        lambda: ops.augment_random_order([ops.augment_rotate()]),
        lambda: ops.augment_hflip(stages="fit"),
    ],
)
def test_parameters(make):
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


@pytest.mark.parametrize("name", [n for n in dir(ops) if n.startswith(("trafo_", "augment_"))])
def test_what_is_not_set(name):
    """`check` lists what is missing, and nothing is fitted without it."""
    graph = getattr(ops, name)()
    report = fp.check(graph >> ops.augment_hflip(), files())
    assert set(report.missing) <= set(graph.params())
    if report.missing:
        with pytest.raises(ParameterError, match="not been set"):
            fp.fit(graph, files(), key=fp.key(0))


def test_what_only_reading_can_tell(images):
    """Where sizes are not known before, the same errors come while rows are read."""
    source = [torch.zeros(3, 8, 8), torch.zeros(3, 4, 8)]
    task = fp.regression({"image": fp.lazy(Listed(source)), "y": [1, 2]}, "y")
    graphs = [
        (ops.trafo_crop(0, 0, 6, 6), "leaves images with a height of 4"),
        (ops.augment_random_crop(6), "out of images with a height of 4"),
        (ops.trafo_pad(5, padding_mode="reflect"), "with a height of 4"),
        (ops.trafo_reshape((64,)), "cannot give [3, 8, 8]"),
    ]
    for graph, rule in graphs:
        out = fp.transform(graph, task, key=fp.key(0))
        with pytest.raises(ShapeError) as caught:
            fp.materialize(out.tensor("image"))
        assert rule in caught.value.rule


class Listed(torch.utils.data.Dataset):
    """Images of several sizes."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


def test_images_of_several_sizes():
    """Rows of several sizes become one tensor where an operator brings them to one."""
    source = [torch.rand(3, 8, 9), torch.rand(3, 4, 8), torch.rand(3, 4, 8)]
    task = fp.regression({"image": fp.lazy(Listed(source)), "y": [1, 2, 3]}, "y")
    before = fp.transform(ops.trafo_pad(1) >> ops.augment_random_crop(5), task, key=fp.key(0))
    assert fp.materialize(before.tensor("image")).shape == (3, 3, 5, 5)
    shorter = fp.transform(ops.trafo_resize(4), task, key=fp.key(0)).tensor("image")
    assert [tuple(x.shape[1:]) for x in fp.materialize(shorter)] == [(4, 4), (4, 8), (4, 8)]
    assert shorter.shape is None or shorter.shape[1:] == (None, None)


def test_files_that_are_not_there():
    """What can be is not read before it is wanted."""
    out = fp.transform(ops.augment_random_crop(8), files(), key=fp.key(0))
    assert out.tensor("image").shape == (3, 8, 8)
    with pytest.raises(DataError, match="row 0"):
        fp.materialize(out.tensor("image"))
