"""The grid of a task's images: what is shown is what training reads."""

import numpy as np
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError

pytest.importorskip("matplotlib")

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 8)).astype(np.uint8)


def task(pixels=PIXELS):
    y = np.where(np.arange(len(pixels)) % 2, "odd", "even")
    return fp.classification({"image": fp.lazy(pixels), "y": y}, "y", name="parity")


def shown(figure):
    return [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes]


def test_the_first_images_and_their_targets():
    figure = fp.plot(task())
    assert len(figure.axes) == 16
    assert [axes.get_title() for axes in figure.axes][:3] == ["even", "odd", "even"]
    assert figure.get_suptitle() == "parity"
    for pixels, image in zip(PIXELS, shown(figure), strict=False):
        np.testing.assert_allclose(image * 255, pixels.transpose(1, 2, 0), atol=1e-4)


def test_augmented_images_are_shown_as_epochs_see_them():
    """Each row of pictures is one image in the first four epochs, with the draws of training."""
    graph = ops.augment_random_crop((4, 5)) >> ops.augment_random_horizontal_flip()
    augmented = fp.transform(graph, task(), key=fp.key(3))
    figure = fp.plot(augmented)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:5] == [*(f"even, epoch {e}" for e in (1, 2, 3, 4)), "odd, epoch 1"]
    lazy = augmented.tensor("image")
    for epoch in (1, 4):
        read = fp.materialize(lazy.take([2]), epoch=epoch)[0]
        image = shown(figure)[8 + epoch - 1]
        np.testing.assert_allclose(image * 255, read.permute(1, 2, 0), atol=1e-4)
    assert not np.array_equal(shown(figure)[0], shown(figure)[1])


def test_gray_and_normalised_images():
    gray = fp.transform(ops.trafo_grayscale() >> ops.trafo_to_float(), task(), key=fp.key(0))
    assert shown(fp.plot(gray))[0].shape == (6, 8)
    scaled = ops.trafo_to_float() >> ops.trafo_normalize((0.5,) * 3, (0.1,) * 3)
    pixels = np.stack(shown(fp.plot(fp.transform(scaled, task(), key=fp.key(0)))))
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0


def test_images_and_masks_stand_side_by_side():
    """All columns of images are shown, in the task's order, under the same draws."""
    mask = (PIXELS[:, :1] > 127).astype(np.uint8)
    columns = {"picture": fp.lazy(PIXELS), "mask": fp.lazy(mask), "y": np.arange(20) / 3}
    both = fp.regression(columns, "y")
    figure = fp.plot(both)
    assert [axes.get_title() for axes in figure.axes][:4] == [
        "0\npicture",
        "0\nmask",
        "0.3333\npicture",
        "0.3333\nmask",
    ]
    assert len(figure.axes) == 16
    np.testing.assert_array_equal(shown(figure)[3], mask[1, 0])
    turned = fp.transform(ops.augment_random_horizontal_flip(), both, key=fp.key(1))
    figure = fp.plot(turned)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == [
        f"0, epoch {epoch}\n{name}" for epoch in (1, 2) for name in ("picture", "mask")
    ]
    for epoch in (1, 2):
        for place, name in enumerate(("picture", "mask")):
            read = fp.materialize(turned.tensor(name).take([3]), epoch=epoch)[0]
            image = shown(figure)[12 + 2 * (epoch - 1) + place] * (255 if place == 0 else 1)
            np.testing.assert_allclose(image, read.permute(1, 2, 0).squeeze(-1), atol=1e-4)


def test_new_data_has_ids_in_place_of_targets():
    fitted = fp.fit(ops.trafo_resize((4, 4)), task(), key=fp.key(0))
    bare = fp.apply(fitted, {"image": fp.lazy(PIXELS[:3])})
    assert [axes.get_title() for axes in fp.plot(bare).axes] == ["row 0", "row 1", "row 2"]


def test_what_cannot_be_shown_is_told():
    with pytest.raises(ParameterError, match="no images"):
        fp.plot(fp.regression({"x": [1.0, 2.0], "y": [1, 2]}, "y"))
    with pytest.raises(ParameterError, match="no images"):
        fp.plot(fp.transform(ops.trafo_reshape((9, 16)), task(), key=fp.key(0)))
    with pytest.raises(DataError, match="no rows"):
        fp.plot(task().take([]))
    with pytest.raises(ParameterError, match="cannot be shown"):
        fp.plot(fp.key(0), "images")
